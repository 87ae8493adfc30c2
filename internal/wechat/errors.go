package wechat

import (
	"crypto/tls"
	"errors"
	"fmt"
	"net/http"
	"net/netip"
	"regexp"
	"slices"
	"strings"
	"time"
)

// APIError is a refusal by WeChat: an answer with an errcode other than 0. Compare codes with IsCode, never texts.
type APIError struct {
	Op   string // path without query, e.g. "wxa/submit_audit"
	Code int    // errcode
	Msg  string // errmsg without the request id; may name the refused IP address
	RID  string // request id for WeChat's support and RID; may be empty
	// Via is how the call proved who made it; "" where the error was put together from what was stored.
	Via Transport
}

// Error gives operation, code, message and request id.
func (e *APIError) Error() string {
	if e.RID == "" {
		return fmt.Sprintf("wechat %s: errcode %d: %s", opVia(e.Op, e.Via), e.Code, e.Msg)
	}
	return fmt.Sprintf("wechat %s: errcode %d: %s (rid %s)", opVia(e.Op, e.Via), e.Code, e.Msg, e.RID)
}

// opVia tells the transport too, where it is not the usual one.
func opVia(op string, via Transport) string {
	if via == "" || via == TransportToken {
		return op
	}
	return op + " by " + string(via)
}

// Explain is the dictionary's entry for this refusal, with the address that WeChat names, or what the code means in the
// transport that was used.
func (e *APIError) Explain() Entry {
	entry := Explain(e.Code, e.Op)
	if own, ok := e.inCloud(); ok {
		return own
	}
	if address := e.ClientIP(); address.IsValid() {
		entry.HintZH = strings.ReplaceAll(entry.HintZH, refusedIPZH, "IP "+address.String()+" ")
		entry.HintEN = strings.ReplaceAll(entry.HintEN, refusedIPEN, "the IP address "+address.String())
	}
	return entry
}

// How the dictionary speaks of the address that errmsg names.
const (
	refusedIPZH = "errmsg 里的 IP "
	refusedIPEN = "the IP address named in errmsg"
)

// inCloud explains what the transports of WeChat Cloud Run give another meaning.
func (e *APIError) inCloud() (Entry, bool) {
	const missingToken, invalidToken, malformedToken, expiredToken = 41001, 40001, 40014, 42001
	switch {
	case e.Via == TransportOpenAPI && e.Code == missingToken:
		return Entry{
			Code: e.Code, Class: ClassTransient,
			ZH:     "开放接口服务没有为这次调用补上令牌：它没有开启，或在当前服务版本中还没有生效。",
			EN:     "The open-API service did not add a token to the call: it is off, or not at work in this version of the service.",
			HintZH: "在云托管控制台 → 云调用中开启“开放接口服务”，再发布一个新版本（开启之前的版本不生效，刚启动的一小段时间也不生效）；不用云托管时请把 WX_COMPONENT_TRANSPORT 设为 token。",
			HintEN: "Switch 开放接口服务 on in the Cloud Run console (云调用), then publish a new version (older ones go without it, as does the first moment after a start). Outside Cloud Run set WX_COMPONENT_TRANSPORT=token.",
		}, true
	case e.Via == TransportCloudToken && slices.Contains([]int{missingToken, invalidToken, malformedToken, expiredToken}, e.Code):
		return Entry{
			Code: e.Code, Class: ClassTransient,
			ZH:     "微信不接受云令牌（cloudbase_access_token）。",
			EN:     "WeChat does not accept the cloud token (cloudbase_access_token).",
			HintZH: "令牌有效期 30 分钟，微信每 10 分钟更新一次文件。请检查 WX_CLOUD_TOKEN_FILE 指向的文件最近是否更新过，以及云托管控制台 → 云调用里的微信令牌。",
			HintEN: "The token is good for 30 minutes and WeChat renews the file every 10. See whether the file in WX_CLOUD_TOKEN_FILE has changed lately, and look at 微信令牌 in the Cloud Run console (云调用).",
		}, true
	}
	return Entry{}, false
}

// AddressRefused reports whether WeChat refused the address the call came from: it is not on the platform's whitelist.
func (e *APIError) AddressRefused() bool {
	const badClientIP, notInWhitelist, notRegistered, notRegisteredOnPlatform = 40090, 40164, 45035, 61004
	return slices.Contains([]int{badClientIP, notInWhitelist, notRegistered, notRegisteredOnPlatform}, e.Code)
}

// ClientIP is our refused address as WeChat names it in errmsg; the zero address when this is another refusal, or names
// none.
func (e *APIError) ClientIP() netip.Addr {
	var found netip.Addr
	if !e.AddressRefused() {
		return found
	}
	for word := range strings.FieldsFuncSeq(e.Msg, func(r rune) bool { return !strings.ContainsRune("0123456789abcdefABCDEF.:", r) }) {
		word = strings.TrimRight(word, ".")
		address, err := netip.ParseAddr(word)
		if err != nil {
			address, err = netip.ParseAddr(strings.TrimLeft(word, ":")) // "ip:1.2.3.4"
		}
		switch address = address.Unmap(); {
		case err != nil:
		case address.Is4():
			return address // 40164 names both forms
		case !found.IsValid():
			found = address
		}
	}
	return found
}

var (
	ridPattern  = regexp.MustCompile(`(?i)[,;.\s]*\brid:\s*([0-9a-z][0-9a-z-]*)\s*$`)
	hintPattern = regexp.MustCompile(`(?i)[,;.\s]*\bhint:\s*\[([^\]]*)\]\s*$`) // older servers
)

// newAPIError takes the request id out of msg.
func newAPIError(op string, code int, msg string) *APIError {
	e := &APIError{Op: op, Code: code, Msg: strings.TrimSpace(msg)}
	for _, pattern := range []*regexp.Regexp{ridPattern, hintPattern} {
		if at := pattern.FindStringSubmatchIndex(e.Msg); at != nil {
			if e.RID == "" {
				e.RID = strings.TrimSpace(e.Msg[at[2]:at[3]])
			}
			e.Msg = e.Msg[:at[0]]
		}
	}
	return e
}

// TransportError is a call without a usable answer: network, time-out, HTTP status, garbage.
type TransportError struct {
	Op  string // path without query
	Via Transport
	// Status is the HTTP status, where it was not 200; 0 when no answer came.
	Status int
	// Sent is false when the call surely never reached WeChat, e.g. because the connection was refused or the context
	// ended while waiting for the rate limit. When true, WeChat may have carried it out.
	Sent bool
	Err  error
}

// Error gives the operation and the cause; it never holds a URL.
func (e *TransportError) Error() string {
	if !e.Sent {
		return fmt.Sprintf("wechat %s: not sent: %v", opVia(e.Op, e.Via), e.Err)
	}
	return fmt.Sprintf("wechat %s: no usable answer: %v", opVia(e.Op, e.Via), e.Err)
}

// Explain says what most likely is wrong and what to do, where an operator can do something; "" otherwise. lang is "en" or
// Chinese.
func (e *TransportError) Explain(lang string) string {
	zh, en := "", ""
	if e.NotListed() {
		zh = fmt.Sprintf("开放接口服务返回 502：接口 /%s 多半没有加入白名单。请在云托管控制台 → 云调用 → 微信令牌权限配置中添加它（全部接口见“平台设置 → 自检”）；已经添加过的话请稍后重试。", e.Op)
		en = fmt.Sprintf("The open-API service answered 502: most likely the path /%s is missing in its whitelist. Add it in the Cloud Run console (云调用 → 微信令牌权限配置); the self-check on the platform page shows all paths. If it is there, try again later.", e.Op)
	}
	if _, ok := errors.AsType[*tls.CertificateVerificationError](e.Err); ok {
		zh = "微信接口的证书不受本机信任。在微信云托管中开启了开放接口服务时，它的根证书在 /app/cert/certificate.crt，请确认程序能读取该文件；其他环境请检查系统的根证书和 HTTPS 代理。"
		en = "The certificate of WeChat's API is not trusted here. In WeChat Cloud Run with the open-API service on, its root is /app/cert/certificate.crt: see that the program can read it. Elsewhere look at the system's root certificates and at HTTPS proxies."
	}
	if lang == "en" {
		return en
	}
	return zh
}

// NotListed reports whether the open-API service has most likely refused the path, because it is not in its whitelist.
func (e *TransportError) NotListed() bool {
	return e.Via == TransportOpenAPI && e.Status == http.StatusBadGateway
}

// Unwrap gives the cause, e.g. context.DeadlineExceeded.
func (e *TransportError) Unwrap() error { return e.Err }

// TokenError is a call that was not made because there was no token for it. Err comes from the TokenSource and may be
// an APIError or TransportError of the token's own call.
type TokenError struct {
	Op  string
	Err error
}

// Error gives the operation and the cause.
func (e *TokenError) Error() string { return fmt.Sprintf("wechat %s: no token: %v", e.Op, e.Err) }

// Unwrap gives the cause.
func (e *TokenError) Unwrap() error { return e.Err }

var errNoToken = errors.New("the token source gave an empty token")

const (
	codeBusy       = -1
	codeProcessing = 9402205
)

// OutcomeUnknown reports whether the call that failed with err may have taken effect all the same: it was sent and no
// answer came, WeChat was busy (-1), or WeChat goes on with it in the background (9402205). Read back before repeating
// a write.
func OutcomeUnknown(err error) bool {
	if _, ok := errors.AsType[*TokenError](err); ok {
		return false // whatever happened to the token's call, the call itself was not made
	}
	if e, ok := errors.AsType[*TransportError](err); ok {
		return e.Sent
	}
	return IsCode(err, codeBusy, codeProcessing)
}

// IsCode reports whether err is a refusal with one of codes.
func IsCode(err error, codes ...int) bool {
	if _, ok := errors.AsType[*TokenError](err); ok {
		return false // a refusal of the token's call, not of the call asked about
	}
	e, ok := errors.AsType[*APIError](err)
	return ok && slices.Contains(codes, e.Code)
}

// Class says what a caller can do about a failure.
type Class string

// The classes of failures.
const (
	ClassPermanent Class = "permanent" // request or code must change; never repeat it unchanged
	ClassTransient Class = "transient" // repeat the same request later
	ClassQuota     Class = "quota"     // repeat when the quota's window turns
	ClassState     Class = "state"     // read the state again, then decide
	ClassDone      Class = "done"      // already so: treat as success
	ClassOperator  Class = "operator"  // the operator, the merchant or WeChat must act first
	ClassToken     Class = "token"     // the token was refused; the client has tried a fresh one already
)

// ClassOf classifies err. What is not a refusal by WeChat (network, time-outs, a failing token source) is transient;
// a refusal with an unknown code is for the operator. nil has the class ClassDone.
func ClassOf(err error) Class {
	if err == nil {
		return ClassDone
	}
	if e, ok := errors.AsType[*APIError](err); ok {
		return e.Explain().Class
	}
	return ClassTransient
}

// RetryAfter is when a refused or unanswered call may be worth repeating, seen from now; 0 where time does not help. The daily
// quota turns at midnight in Beijing.
func RetryAfter(err error, now time.Time) time.Duration {
	const (
		soon        = 5 * time.Second
		byOperator  = time.Minute // something at WeChat's console, such as the IP whitelist
		byTicket    = 10 * time.Minute
		dailyQuota  = 45009
		minuteQuota = 45011
		detecting   = 61039
		pageCodes   = "wxa/getwxacodeunlimit" // 5000 per minute
	)
	if _, ok := errors.AsType[*TransportError](err); ok {
		return soon
	}
	e, ok := errors.AsType[*APIError](err)
	if !ok {
		return 0
	}
	switch {
	case e.Code == minuteQuota, e.Code == dailyQuota && e.Op == pageCodes:
		return now.Truncate(time.Minute).Add(time.Minute).Sub(now)
	case e.Code == dailyQuota:
		beijing := now.In(time.FixedZone("Asia/Shanghai", 8*60*60))
		return time.Date(beijing.Year(), beijing.Month(), beijing.Day()+1, 0, 0, 0, 0, beijing.Location()).Sub(now)
	case e.Code == detecting:
		return time.Minute
	case e.AddressRefused():
		return byOperator
	case IsCode(e, 61005, 61006, 40091): // the next ticket
		return byTicket
	}
	if e.Explain().Class == ClassTransient {
		return soon
	}
	return 0
}
