package fault

import (
	"errors"
	"net/http"
	"time"
)

// Kinds that only the HTTP edge gives.
const (
	MethodNotAllowed Kind = "method_not_allowed"
	UnsupportedMedia Kind = "unsupported_media_type"
	TimedOut         Kind = "timeout"
)

// Problem is the body of every failed call (RFC 9457). It goes out as application/problem+json.
//
//nolint:errname // the name that RFC 9457 gives it
type Problem struct {
	Type   string `json:"type" doc:"Identifies the kind of problem; one for each code."`
	Title  string `json:"title" doc:"The kind of problem in a few words."`
	Status int    `json:"status" doc:"HTTP status."`
	Detail string `json:"detail" doc:"What is wrong and what to do, for people."`
	Code   Kind   `json:"code" doc:"Stable word for programs."`
	// Errors names each wrong input.
	Errors []Field `json:"errors,omitempty" doc:"Each wrong input."`
	// WeChat is set when WeChat refused.
	WeChat *WeChat `json:"wechat,omitempty" doc:"WeChat's refusal."`
	// RequestID is what the log calls this request; empty outside of a request.
	RequestID string `json:"request_id,omitempty" doc:"Names this request in the log."`
	// RetryAfter goes into the header of that name, rounded up to whole seconds; zero: no header.
	RetryAfter time.Duration `json:"-"`
}

// WeChat is what WeChat answered and what to do about it.
type WeChat struct {
	ErrCode int    `json:"errcode"`
	ErrMsg  string `json:"errmsg"`
	RID     string `json:"rid" doc:"WeChat's request id, for its support."`
	Hint    string `json:"hint" doc:"What the operator should do, in Chinese or English by Accept-Language."`
}

// Error is the detail.
func (p Problem) Error() string { return p.Detail }

// GetStatus is the HTTP status (huma.StatusError).
func (p Problem) GetStatus() int { return p.Status }

// ContentType turns JSON into problem JSON (huma.ContentTypeFilter).
func (Problem) ContentType(string) string { return "application/problem+json" }

// ProblemFor turns any error into what the user may see of it. An *Error speaks for itself; a refusal or a silence of
// WeChat and a database that is away are recognised; of everything else only a fixed sentence is shown.
func ProblemFor(err error, lang string) Problem {
	if p, ok := errors.AsType[*Problem](err); ok {
		return *p
	}
	if p, ok := errors.AsType[Problem](err); ok {
		return p
	}
	p := outside(err, lang)
	fe, ok := errors.AsType[*Error](err)
	if !ok || fe.Kind == Internal {
		return p
	}
	own := ProblemOf(fe.Kind, fe.In(lang), lang)
	for _, f := range fe.Fields {
		own.Errors = append(own.Errors, Field{Location: f.Location, Message: Say(lang, f.Message, f.Args...), Value: f.Value})
	}
	own.RetryAfter = fe.RetryAfter
	own.WeChat = p.WeChat
	return own
}

// ProblemOf makes a problem of a kind; without a detail it says what the kind means.
func ProblemOf(kind Kind, detail, lang string) Problem {
	status, zh, en, zhDetail, enDetail := describe(kind)
	if detail == "" {
		detail = pick(lang, zhDetail, enDetail)
	}
	return Problem{
		Type: "urn:wxsteward:problem:" + string(kind), Title: pick(lang, zh, en),
		Status: status, Detail: detail, Code: kind,
	}
}

// KindOf is the kind that stands for an HTTP status that somebody else chose.
func KindOf(status int) Kind {
	switch status {
	case http.StatusUnauthorized:
		return Unauthenticated
	case http.StatusForbidden:
		return Forbidden
	case http.StatusNotFound:
		return NotFound
	case http.StatusMethodNotAllowed:
		return MethodNotAllowed
	case http.StatusRequestTimeout:
		return TimedOut
	case http.StatusConflict:
		return Conflict
	case http.StatusGone:
		return Gone
	case http.StatusRequestEntityTooLarge:
		return TooLarge
	case http.StatusUnsupportedMediaType, http.StatusNotAcceptable:
		return UnsupportedMedia
	case http.StatusTooManyRequests:
		return TooMany
	case http.StatusBadGateway, http.StatusServiceUnavailable, http.StatusGatewayTimeout:
		return Unavailable
	}
	if status >= 400 && status < 500 {
		return Validation
	}
	return Internal
}

func describe(kind Kind) (status int, zhTitle, enTitle, zhDetail, enDetail string) {
	switch kind {
	case NotFound:
		return http.StatusNotFound, "没有找到", "Not found",
			"没有这个地址或对象，请检查后重试。", "There is nothing at this address. Check it and try again."
	case Validation:
		return http.StatusUnprocessableEntity, "输入有误", "Invalid input",
			"请求内容有误，请按各项提示修改后重试。", "The request is not valid. Correct what is listed and try again."
	case Conflict:
		return http.StatusConflict, "状态冲突", "Conflict",
			"与当前状态冲突，请刷新后重试。", "This conflicts with the present state. Reload and try again."
	case Forbidden:
		return http.StatusForbidden, "没有权限", "Forbidden",
			"当前账号没有权限执行此操作。", "You may not do this. Ask an administrator."
	case Unauthenticated:
		return http.StatusUnauthorized, "未登录", "Not signed in",
			"请先登录。", "Sign in first."
	case TOTPRequired:
		return http.StatusUnauthorized, "需要验证码", "Code required",
			"密码正确，请再输入身份验证器中的验证码或恢复码。", "The password is right. Enter the code of your authenticator app, or a recovery code."
	case TOTPSetupRequired:
		return http.StatusForbidden, "需要设置两步验证", "Second factor required",
			"管理员要求使用两步验证，请先设置。", "A second factor is required here. Set yours up first."
	case Unauthorized:
		return http.StatusConflict, "授权已取消", "Authorization withdrawn",
			"商户已取消授权，请重新发起授权。", "The merchant has withdrawn its authorization. Send a new authorization link."
	case Gone:
		return http.StatusGone, "已失效", "Gone",
			"该对象已失效。", "This is no longer available."
	case TooLarge:
		return http.StatusRequestEntityTooLarge, "内容过大", "Too large",
			"请求内容过大。", "The request is too large."
	case TooMany:
		return http.StatusTooManyRequests, "请求过多", "Too many requests",
			"请求过于频繁，请稍后再试。", "Too many requests. Try again later."
	case Unavailable:
		return http.StatusServiceUnavailable, "暂时不可用", "Unavailable",
			"服务暂时不可用，请稍后重试。", "The service is not available right now. Try again shortly."
	case WeChatRefused:
		return http.StatusBadGateway, "微信拒绝了请求", "Refused by WeChat",
			"微信拒绝了请求，原因与处理办法见 wechat.hint。", "WeChat refused the request. See wechat.hint for what to do."
	case WeChatUnavailable:
		return http.StatusBadGateway, "微信暂时不可用", "WeChat unavailable",
			"没有收到微信的有效应答，请稍后重试。", "WeChat gave no usable answer. Try again later."
	case MethodNotAllowed:
		return http.StatusMethodNotAllowed, "方法不支持", "Method not allowed",
			"该地址不支持此请求方法。", "This address does not take this method."
	case UnsupportedMedia:
		return http.StatusUnsupportedMediaType, "格式不支持", "Unsupported media type",
			"请以 application/json 格式发送请求。", "Send application/json."
	case TimedOut:
		return http.StatusRequestTimeout, "请求超时", "Request timed out",
			"没有及时收到完整的请求。", "The request did not arrive in time."
	default:
		return http.StatusInternalServerError, "内部错误", "Internal error",
			"服务内部出错，请查看日志（request_id）。", "Something went wrong inside. The log has more under this request_id."
	}
}
