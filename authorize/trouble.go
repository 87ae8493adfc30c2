package authorize

import (
	"errors"
	"fmt"
	"strconv"
	"strings"

	"github.com/wxsteward/wxsteward/internal/wechat"
)

// trouble is a failure as it is kept in a row: a stable word, and WeChat's errcode and request id where it was WeChat that
// refused. The sentence is made when it is shown, because the same row is read in two languages.
type trouble struct {
	Word    string
	ErrCode int
	RID     string
	Op      string // path of the refused call; the meaning of some codes depends on it
}

// The words. refused and unavailable are about WeChat, the rest about us.
const (
	troubleCodeRefused  = "code_refused"
	troubleCodeExpired  = "code_expired"
	troubleForeign      = "foreign_account"
	troubleOtherLink    = "other_link"
	troubleRevoked      = "link_revoked"
	troubleUsed         = "link_used"
	troubleExpired      = "link_expired"
	troubleWithdrawn    = "withdrawn"
	troubleCancelled    = "cancelled"
	troubleLost         = "outcome_unknown"
	troubleTestAccount  = "test_account"
	troubleReauthorize  = "needs_reauthorization"
	troubleRefused      = "wechat_refused"
	troubleUnavailable  = "wechat_unavailable"
	troubleSealedBroken = "code_unreadable"
)

func (t trouble) none() bool { return t.Word == "" }

// String is the form kept in the database.
func (t trouble) String() string {
	if t.none() {
		return ""
	}
	if t.ErrCode == 0 && t.RID == "" && t.Op == "" {
		return t.Word
	}
	return fmt.Sprintf("%s %d %s %s", t.Word, t.ErrCode, orDash(t.RID), orDash(t.Op))
}

func orDash(s string) string {
	if s == "" || strings.ContainsAny(s, " \t\r\n") {
		return "-"
	}
	return s
}

// parseTrouble reads what String wrote.
func parseTrouble(text string) trouble {
	var t trouble
	parts := strings.Fields(text)
	if len(parts) > 0 {
		t.Word = parts[0]
	}
	if len(parts) > 1 {
		t.ErrCode, _ = strconv.Atoi(parts[1])
	}
	if len(parts) > 2 && parts[2] != "-" {
		t.RID = parts[2]
	}
	if len(parts) > 3 && parts[3] != "-" {
		t.Op = parts[3]
	}
	return t
}

// troubleOf turns an error of a WeChat call into what is kept. Text of errors is not kept: it may name hosts and files.
func troubleOf(err error) trouble {
	_, noToken := errors.AsType[*wechat.TokenError](err)
	if we, ok := errors.AsType[*wechat.APIError](err); ok {
		t := trouble{Word: troubleRefused, ErrCode: we.Code, RID: we.RID, Op: we.Op}
		switch {
		case noToken: // WeChat refused the platform's own token
		case we.Code == codeInvalid:
			t.Word = troubleCodeRefused
		case we.Code == codeExpired:
			t.Word = troubleCodeExpired
		case we.Code == notAuthorized:
			t.Word = troubleReauthorize
		}
		return t
	}
	if errors.Is(err, errNeedsReauthorization) {
		return trouble{Word: troubleReauthorize}
	}
	return trouble{Word: troubleUnavailable}
}

// In says what is wrong and what to do, for an operator or a merchant. lang is "en" or Chinese.
func (t trouble) In(lang string) string {
	if t.none() {
		return ""
	}
	zh, en := troubleText(t.Word)
	if t.Word == troubleRefused {
		e := wechat.Explain(t.ErrCode, t.Op)
		zh, en = join("微信拒绝了请求："+e.ZH, e.HintZH, "。"), join("WeChat refused the request: "+e.EN, e.HintEN, ".")
	}
	text := zh
	if lang == "en" {
		text = en
	}
	switch {
	case t.ErrCode == 0:
		return text
	case t.RID == "":
		return fmt.Sprintf("%s (errcode %d)", text, t.ErrCode)
	}
	return fmt.Sprintf("%s (errcode %d, rid %s)", text, t.ErrCode, t.RID)
}

func join(cause, hint, stop string) string {
	cause = strings.TrimRight(cause, "。. ")
	if hint == "" {
		return cause + stop
	}
	if stop == "." {
		stop = ". "
	}
	return cause + stop + hint
}

func troubleText(word string) (zh, en string) {
	switch word {
	case troubleCodeRefused:
		return "微信不认可这个授权码（无效或已被使用）。链接仍然有效，请重新打开授权链接再授权一次。",
			"WeChat does not accept this authorization code (not valid, or used before). The link still works: open it and authorize once more."
	case troubleCodeExpired:
		return "授权码已过期，没有来得及换取凭据。链接仍然有效，请重新打开授权链接再授权一次。",
			"The authorization code expired before it was exchanged. The link still works: open it and authorize once more."
	case troubleForeign:
		return "授权的账号不是这个链接指定的账号。请用链接指定的账号的管理员微信重新授权。",
			"The account that authorized is not the one this link is for. Authorize again as the administrator of that account."
	case troubleOtherLink:
		return "这次授权属于另一个授权链接，没有绑定到本链接。请重新打开本链接再授权一次。",
			"This authorization belongs to another link and was not bound to this one. Open this link and authorize once more."
	case troubleRevoked:
		return "授权链接已被撤销，没有绑定业务编号。请向服务商索取新的链接。",
			"The link had been revoked, so nothing was bound. Ask your service provider for a new link."
	case troubleUsed:
		return "授权链接已被另一个账号使用，没有绑定业务编号。请向服务商索取新的链接。",
			"The link had been used by another account, so nothing was bound. Ask your service provider for a new link."
	case troubleExpired:
		return "授权链接已过期，没有绑定业务编号。请向服务商索取新的链接。",
			"The link had expired, so nothing was bound. Ask your service provider for a new link."
	case troubleWithdrawn:
		return "商户在授权之后又取消了授权。需要时请重新授权。",
			"The merchant withdrew the authorization right after giving it. Authorize again if it is still wanted."
	case troubleCancelled:
		return "商户从微信返回时没有带回授权（可能取消了）。链接仍然有效，可以重新打开再授权一次。",
			"The merchant came back from WeChat without an authorization (it may have cancelled). The link still works: open it and authorize once more."
	case troubleLost:
		return "没有收到微信对授权码的答复，也没有收到授权事件，无法确认是哪个账号。请重新打开授权链接再授权一次。",
			"WeChat's answer to the authorization code was lost and no event followed, so the account is unknown. Open the link and authorize once more."
	case troubleTestAccount:
		return "这是微信全网发布检测用的测试账号，不会登记为商户。",
			"This is a test account of WeChat's publishing check; it is not kept as a merchant."
	case troubleReauthorize:
		return "微信不再接受这个商户的授权凭据，需要商户重新授权。请为它新建一个授权链接。",
			"WeChat no longer accepts this merchant's authorization. The merchant has to authorize again: make a new link for it."
	case troubleSealedBroken:
		return "保存的授权码无法解密（MASTER_KEY 是否已更换？）。请重新打开授权链接再授权一次。",
			"The stored authorization code cannot be decrypted (was MASTER_KEY changed?). Open the link and authorize once more."
	case troubleUnavailable:
		return "暂时连接不上微信，或平台还没有可用的凭据。系统会自动重试。",
			"WeChat could not be reached, or the platform has no working credentials yet. It is tried again by itself."
	}
	return "发生未知问题：" + word, "Something unknown went wrong: " + word
}
