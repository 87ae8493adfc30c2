package wechatfake

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"time"
)

// CheckAccounts are the ten accounts that WeChat checks platforms with before 全网发布, an official account and a mini program
// for each of five groups.
//
// WeChat docs:
// https://developers.weixin.qq.com/doc/oplatform/Third-party_Platforms/2.0/operation/thirdparty/releases_instructions.html
func CheckAccounts() []Merchant {
	pairs := [][4]string{
		{"wx570bc396a51b8ff8", "gh_3c884a361561", "wxd101a85aa106f53e", "gh_8dad206e9538"},
		{"wx9252c5e0bb1836fc", "gh_c0f28a78b318", "wxc39235c15087f6f3", "gh_905ae9d01059"},
		{"wx8e1097c5bc82cde9", "gh_3f222ed8d140", "wx7720d01d4b2a4500", "gh_393666f1fdf4"},
		{"wx14550af28c71a144", "gh_26128078e9ab", "wx05d483572dcd5d8b", "gh_39abb5d4e1b7"},
		{"wxa35b9c23cfe664eb", "gh_2b3713f184a6", "wx5910277cae6fd970", "gh_7818dcb60240"},
	}
	var accounts []Merchant
	for _, p := range pairs {
		accounts = append(accounts, Merchant{AppID: p[0], UserName: p[1], Kind: Official}, Merchant{AppID: p[2], UserName: p[3], Kind: MiniProgram})
	}
	return accounts
}

// CheckResult is one item of the page that WeChat shows after a 全网发布 check.
type CheckResult struct {
	AppID   string `json:"appid"`
	Case    string `json:"case"`
	Problem string `json:"problem"` // empty: passed
}

// PlayReleaseCheck plays the check with every account of CheckAccounts, one case after another, and waits for each answer
// until ctx ends. Problems are in the results; an error says that the check could not be played.
func (s *Server) PlayReleaseCheck(ctx context.Context) ([]CheckResult, error) {
	var results []CheckResult
	note := func(appid, name, problem string) { results = append(results, CheckResult{appid, name, problem}) }
	s.PushTicket()
	note(s.cfg.ComponentAppID, "ticket", s.lastPush(ctx, s.cfg.ComponentAppID))
	for _, m := range CheckAccounts() {
		m.NickName = "全网发布测试"
		if err := s.AddMerchant(m); err != nil {
			return nil, err
		}
		if _, err := s.AuthorizeMerchant(m.AppID, Authorize{}); err != nil {
			return nil, err
		}
		note(m.AppID, "authorized", s.lastPush(ctx, m.AppID))
		if m.Kind == Official {
			problem, err := s.checkPassive(ctx, m.AppID, Message{{"MsgType", "text"}, {"Content", "TESTCOMPONENT_MSG_TYPE_TEXT"}, {"MsgId", s.now().UnixNano()}},
				"TESTCOMPONENT_MSG_TYPE_TEXT_callback")
			if err != nil {
				return nil, err
			}
			note(m.AppID, "text", problem)
			if problem, err = s.checkPassive(ctx, m.AppID, Message{{"MsgType", "event"}, {"Event", "LOCATION"}}, "LOCATIONfrom_callback"); err != nil {
				return nil, err
			}
			note(m.AppID, "event", problem)
		}
		problem, err := s.checkAPI(ctx, m.AppID)
		if err != nil {
			return nil, err
		}
		note(m.AppID, "api", problem)
	}
	return results, nil
}

// lastPush waits for the end of the newest push to an account and tells what is wrong with its answer, which must be success.
func (s *Server) lastPush(ctx context.Context, appid string) (problem string) {
	push, ended := s.awaitPush(ctx, appid)
	switch {
	case !ended:
		return "no answer"
	case push.State != PushDelivered:
		return "not accepted: " + push.State
	case push.Attempts[len(push.Attempts)-1].Body != "success":
		return "the answer is not success"
	default:
		return ""
	}
}

func (s *Server) awaitPush(ctx context.Context, appid string) (Push, bool) {
	const pause = 5 * time.Millisecond
	for {
		for _, push := range slices.Backward(s.Pushes()) {
			if push.AppID != appid {
				continue
			}
			if push.State != PushPending {
				return push, true
			}
			break
		}
		select {
		case <-ctx.Done():
			return Push{}, false
		case <-time.After(pause):
		}
	}
}

// checkPassive pushes a message that a passive reply with the wanted text must answer.
func (s *Server) checkPassive(ctx context.Context, appid string, message Message, want string) (problem string, err error) {
	if err := s.PushMessage(appid, message); err != nil {
		return "", err
	}
	push, ended := s.awaitPush(ctx, appid)
	switch {
	case !ended:
		return "no answer", nil
	case push.State != PushDelivered || push.Reply == "":
		return push.State + ": the answer is no passive reply", nil
	case elementOf([]byte(push.Reply), "Content") != want:
		return fmt.Sprintf("the reply is %q, not %q", elementOf([]byte(push.Reply), "Content"), want), nil
	case elementOf([]byte(push.Reply), "MsgType") != "text" || elementOf([]byte(push.Reply), "ToUserName") != elementOf([]byte(push.Plain), "FromUserName"):
		return "the reply is no text to the sender", nil
	default:
		return "", nil
	}
}

// checkAPI pushes a code that must be exchanged and sent back through the API with the token it gives.
func (s *Server) checkAPI(ctx context.Context, appid string) (problem string, err error) {
	s.mu.Lock()
	a, err := s.merchant(appid)
	if err != nil {
		s.mu.Unlock()
		return "", err
	}
	preAuth, _ := s.newPreAuthCode()
	code := s.grantLocked(a, a.Granted, preAuth).Code
	s.mu.Unlock()
	if err := s.PushMessage(appid, Message{{"MsgType", "text"}, {"Content", "QUERY_AUTH_CODE:" + code}, {"MsgId", s.now().UnixNano()}}); err != nil {
		return "", err
	}
	push, ended := s.awaitPush(ctx, appid)
	if !ended {
		return "no answer", nil
	}
	last := push.Attempts[len(push.Attempts)-1]
	if last.Status != http.StatusOK || last.Body != "" {
		return "the answer is not empty", nil
	}
	const pause = 5 * time.Millisecond
	for {
		for _, sent := range s.Messages() {
			if answer := sent.text(); sent.AppID == appid && strings.Contains(answer.Text.Content, code) {
				return s.judgeAnswer(sent, code, elementOf([]byte(push.Plain), "FromUserName")), nil
			}
		}
		select {
		case <-ctx.Done():
			return "the code was not sent back", nil
		case <-time.After(pause):
		}
	}
}

// customText is what the check reads of a customer message.
type customText struct {
	To   string `json:"touser"`
	Type string `json:"msgtype"`
	Text struct {
		Content string `json:"content"`
	} `json:"text"`
}

func (m SentMessage) text() (t customText) {
	_ = json.Unmarshal(m.Body, &t) // what is no text has no content
	return t
}

// judgeAnswer says what is wrong with the message that carries the code of a check back.
func (s *Server) judgeAnswer(sent SentMessage, code, sender string) (problem string) {
	s.mu.Lock()
	asked := s.st.Codes[code]
	s.mu.Unlock()
	switch answer := sent.text(); {
	case answer.Type != "text":
		return "the message is no text"
	case answer.Text.Content != code+"_from_api":
		return "the text is not the code with _from_api"
	case answer.To != sender:
		return "the text is not to the sender"
	case asked == nil || sent.token != asked.Gave:
		return "the text was not sent with the token that the code gave"
	default:
		return ""
	}
}
