package wechat

import (
	"errors"
	"fmt"
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
}

// Error gives operation, code, message and request id.
func (e *APIError) Error() string {
	if e.RID == "" {
		return fmt.Sprintf("wechat %s: errcode %d: %s", e.Op, e.Code, e.Msg)
	}
	return fmt.Sprintf("wechat %s: errcode %d: %s (rid %s)", e.Op, e.Code, e.Msg, e.RID)
}

// Explain is the dictionary's entry for this refusal.
func (e *APIError) Explain() Entry { return Explain(e.Code, e.Op) }

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
	Op string // path without query
	// Sent is false when the call surely never reached WeChat, e.g. because the connection was refused or the context
	// ended while waiting for the rate limit. When true, WeChat may have carried it out.
	Sent bool
	Err  error
}

// Error gives the operation and the cause; it never holds a URL.
func (e *TransportError) Error() string {
	if !e.Sent {
		return fmt.Sprintf("wechat %s: not sent: %v", e.Op, e.Err)
	}
	return fmt.Sprintf("wechat %s: no usable answer: %v", e.Op, e.Err)
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
	)
	if _, ok := errors.AsType[*TransportError](err); ok {
		return soon
	}
	e, ok := errors.AsType[*APIError](err)
	if !ok {
		return 0
	}
	switch e.Code {
	case dailyQuota:
		beijing := now.In(time.FixedZone("Asia/Shanghai", 8*60*60))
		return time.Date(beijing.Year(), beijing.Month(), beijing.Day()+1, 0, 0, 0, 0, beijing.Location()).Sub(now)
	case minuteQuota:
		return now.Truncate(time.Minute).Add(time.Minute).Sub(now)
	case 61004, 40164, 45035, 40090:
		return byOperator
	case 61005, 61006, 40091: // the next ticket
		return byTicket
	}
	if e.Explain().Class == ClassTransient {
		return soon
	}
	return 0
}
