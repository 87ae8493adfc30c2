package codesubmit

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/wxsteward/wxsteward/internal/fault"
	"github.com/wxsteward/wxsteward/internal/wechat"
)

// StepError is why a step did not get through, as stored: facts only. What the operator should do about it is said when
// it is read.
type StepError struct {
	Code    string `json:"code"` // a blocker code or a kind of failure
	Detail  Fact   `json:"detail,omitzero"`
	Op      string `json:"op,omitempty"` // WeChat's path
	ErrCode int    `json:"errcode,omitempty"`
	ErrMsg  string `json:"errmsg,omitempty"`
	RID     string `json:"rid,omitempty"`
	// Names are the things it is about, for programs: domains without scheme, privacy keys. Kind says which domains.
	Names []string `json:"names,omitempty"`
	Kind  string   `json:"kind,omitempty"`
}

func (f *StepError) Error() string {
	if f.ErrCode != 0 {
		return fmt.Sprintf("%s: wechat %s: errcode %d: %s (rid %s)", f.Code, f.Op, f.ErrCode, f.ErrMsg, f.RID)
	}
	return f.Code + ": " + f.Detail.EN
}

// failureOf turns an error of a call into what is stored.
func failureOf(err error) *StepError {
	if own, ok := errors.AsType[*StepError](err); ok {
		return own
	}
	if refusal, ok := errors.AsType[*wechat.APIError](err); ok {
		return &StepError{Code: codeFor(refusal.Code), Op: refusal.Op, ErrCode: refusal.Code, ErrMsg: refusal.Msg, RID: refusal.RID}
	}
	if transport, ok := errors.AsType[*wechat.TransportError](err); ok {
		return &StepError{Code: "wechat_unavailable", Op: transport.Op, Detail: namesOnly(transport.Error())}
	}
	if told, ok := errors.AsType[*fault.Error](err); ok {
		return &StepError{Code: string(told.Kind), Detail: factFrom(told)}
	}
	return &StepError{Code: "internal", Detail: namesOnly(err.Error())}
}

// extJSONInvalid is the code of an ext_json that WeChat would not take.
const extJSONInvalid = "ext_json_invalid"

// quotaExhausted is the code of a submission that waits for the provider's monthly audit quota.
const quotaExhausted = "quota_exhausted"

// domainNotOnPlatform is the code of a merchant whose rollout wants a domain that the platform's own lists lack.
const domainNotOnPlatform = "domain_not_on_platform"

// codeFor gives errcodes that are known blockers the blocker's name.
func codeFor(errcode int) string {
	switch errcode {
	case 61003, 61023, 42002, 42007:
		return "unauthorized"
	case 61007, 48001, 61017:
		return "scope_missing"
	case 86002:
		return "not_initialised"
	case 85008, 85077:
		return "category_missing"
	case 85009:
		return "audit_running"
	case 85017, 85018, 89020, 89021:
		return domainNotOnPlatform
	case 85085:
		return quotaExhausted
	case dailyLimit, minuteLimit:
		return rateLimited
	case 61040:
		return "privacy_api"
	case 85014:
		return "template_gone"
	default:
		return "wechat_refused"
	}
}

// verdict is what to do after a failed call.
type verdict int

const (
	again   verdict = iota // the same step after a growing pause
	later                  // the same step at a given time; no attempt spent
	block                  // an operator or the merchant must act
	giveUp                 // refused for good
	unknown                // the call may have worked: read back first
)

// judge decides by the kind of error alone. write says that the call changes something at WeChat.
func judge(err error, write bool) verdict {
	if write && wechat.OutcomeUnknown(err) {
		return unknown
	}
	if errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded) {
		return again
	}
	if told, ok := errors.AsType[*fault.Error](err); ok {
		if told.Kind == fault.Unauthorized || told.Kind == fault.NotFound {
			return block
		}
		return again
	}
	if _, ok := errors.AsType[*StepError](err); ok {
		return block
	}
	var refusal *wechat.APIError
	if !errors.As(err, &refusal) {
		return again // network, or the database
	}
	if refusal.Code == 61039 || refusal.Code == 45011 { // times that are known
		return later
	}
	if codeFor(refusal.Code) == domainNotOnPlatform { // the operator adds it and retries
		return block
	}
	switch wechat.ClassOf(err) {
	case wechat.ClassTransient, wechat.ClassToken:
		return again
	case wechat.ClassQuota:
		return later
	case wechat.ClassPermanent:
		return giveUp
	default: // operator, state, and codes nobody has seen: never an endless retry
		return block
	}
}

// maxAttempts of one step in a row before it fails; with pauses from 5 s doubling to 10 min that is over two hours. States that
// only watch (State.watches) go on at the longest pause.
const maxAttempts = 20

const longestPause = 10 * time.Minute

// pause is how long to wait before attempt n+1 (n ≥ 1).
func pause(base time.Duration, n int) time.Duration {
	d := base
	for range n - 1 {
		d *= 2
		if d >= longestPause {
			return max(base, longestPause)
		}
	}
	return d
}

// quotaTurns is when a window that was used up turns: 45011 the next minute, 45009 and monthly ones the next day in
// China; quotas that can be read (85085) are read again after poll.
func quotaTurns(err error, now time.Time, poll time.Duration) time.Time {
	var refusal *wechat.APIError
	if !errors.As(err, &refusal) {
		return now.Add(poll)
	}
	switch refusal.Code {
	case 45011:
		return now.Truncate(time.Minute).Add(time.Minute)
	case 45009, 45029, 87013, 86102, 85049, 9420000:
		beijing := now.In(time.FixedZone("UTC+8", 8*3600))
		return time.Date(beijing.Year(), beijing.Month(), beijing.Day()+1, 0, 0, 0, 0, beijing.Location()).UTC()
	default:
		return now.Add(poll)
	}
}
