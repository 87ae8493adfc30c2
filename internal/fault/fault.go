// Package fault names the few kinds of failure that users may be told about.
package fault

import (
	"fmt"
	"time"
)

// Kind is the stable word in a problem's "code" (contract §4).
type Kind string

// The kinds. Anything that is not an *Error is Internal and is answered with a fixed sentence.
const (
	Internal          Kind = "internal"
	NotFound          Kind = "not_found"
	Validation        Kind = "validation"
	Conflict          Kind = "conflict"
	Forbidden         Kind = "forbidden"
	Unauthenticated   Kind = "unauthenticated"
	Unauthorized      Kind = "unauthorized" // the merchant has withdrawn its authorization (409)
	Gone              Kind = "gone"
	TooLarge          Kind = "too_large"
	TooMany           Kind = "too_many_requests"
	Unavailable       Kind = "unavailable" // the database or we ourselves are not ready (503)
	WeChatRefused     Kind = "wechat_refused"
	WeChatUnavailable Kind = "wechat_unavailable"
)

// Field is one wrong input. Location is a path such as "body.ext_json". Value is left out for secrets.
type Field struct {
	Location string `json:"location"`
	Message  string `json:"message"`
	Value    any    `json:"value,omitempty"`
}

// Error is a failure that the user is told about in Msg's words: what is wrong and what to do.
type Error struct {
	Kind   Kind
	Msg    string // for the user; must hold no secret
	Fields []Field
	// RetryAfter, if not zero, is sent as Retry-After in whole seconds.
	RetryAfter time.Duration
	Err        error // cause, for the log and for errors.As; never shown as text
}

// New makes an error of a kind with a sentence for the user.
func New(kind Kind, format string, args ...any) *Error {
	return &Error{Kind: kind, Msg: fmt.Sprintf(format, args...)}
}

// Wrap is New with a cause.
func Wrap(err error, kind Kind, format string, args ...any) *Error {
	return &Error{Kind: kind, Msg: fmt.Sprintf(format, args...), Err: err}
}

// Invalid is a Validation error about one field.
func Invalid(location, message string, value any) *Error {
	return &Error{Kind: Validation, Msg: message, Fields: []Field{{Location: location, Message: message, Value: value}}}
}

func (e *Error) Error() string {
	if e.Err != nil {
		return e.Msg + ": " + e.Err.Error()
	}
	return e.Msg
}

func (e *Error) Unwrap() error { return e.Err }
