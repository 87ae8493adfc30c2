// Package fault names the few kinds of failure that users may be told about.
package fault

import "time"

// Kind is the stable word in a problem's "code".
type Kind string

// The kinds. Anything that is not an *Error is Internal and is answered with a fixed sentence.
const (
	Internal          Kind = "internal"
	NotFound          Kind = "not_found"
	Validation        Kind = "validation"
	Conflict          Kind = "conflict"
	Forbidden         Kind = "forbidden"
	Unauthenticated   Kind = "unauthenticated"
	TOTPRequired      Kind = "totp_required"       // the password is right, a code is missing (401)
	TOTPSetupRequired Kind = "totp_setup_required" // a second factor must be set up before anything else (403)
	Unauthorized      Kind = "unauthorized"        // the merchant has withdrawn its authorization (409)
	Gone              Kind = "gone"
	TooLarge          Kind = "too_large"
	TooMany           Kind = "too_many_requests"
	Unavailable       Kind = "unavailable" // the database or we ourselves are not ready (503)
	WeChatRefused     Kind = "wechat_refused"
	WeChatUnavailable Kind = "wechat_unavailable"
)

// Field is one wrong input. Location is a path such as "body.ext_json". Value is left out for secrets.
//
// Message is English, with the verbs that Args fill; in a Problem it is the finished sentence in the reader's language
// and Args is nil.
type Field struct {
	Location string `json:"location"`
	Message  string `json:"message"`
	Value    any    `json:"value,omitempty"`
	Args     []any  `json:"-"`
}

// Error is a failure that the user is told about: what is wrong and what to do. Format is an English sentence as for
// fmt.Sprintf, written where the error is made; it is also the key of its translation in zh.go. An empty Format stands
// for the general sentence of the Kind. Neither it nor Args may hold a secret.
type Error struct {
	Kind   Kind
	Format string
	Args   []any
	Fields []Field
	// RetryAfter, if not zero, is sent as Retry-After in whole seconds.
	RetryAfter time.Duration
	Err        error // cause, for the log and for errors.As; never shown as text
}

// New makes an error of a kind with a sentence for the user.
func New(kind Kind, format string, args ...any) *Error {
	return &Error{Kind: kind, Format: format, Args: args}
}

// Wrap is New with a cause.
func Wrap(err error, kind Kind, format string, args ...any) *Error {
	return &Error{Kind: kind, Format: format, Args: args, Err: err}
}

// Invalid is a Validation error about one field; value is told back to the user, nil for none.
func Invalid(location, format string, value any, args ...any) *Error {
	field := Field{Location: location, Message: format, Value: value, Args: args}
	return &Error{Kind: Validation, Format: format, Args: args, Fields: []Field{field}}
}

// Collector gathers all that is wrong with a request. The zero Collector has found nothing.
type Collector struct{ fields []Field }

// Add takes what Invalid takes.
func (c *Collector) Add(location, format string, value any, args ...any) {
	c.fields = append(c.fields, Field{Location: location, Message: format, Value: value, Args: args})
}

// Err is a Validation error about all fields, of which the first one speaks for the request; nil when nothing is wrong.
func (c *Collector) Err() error {
	if len(c.fields) == 0 {
		return nil
	}
	return &Error{Kind: Validation, Format: c.fields[0].Message, Args: c.fields[0].Args, Fields: c.fields}
}

// In is the sentence for the user in a language.
func (e *Error) In(lang string) string { return Say(lang, e.Format, e.Args...) }

// Error is the English sentence and the cause, for the log.
func (e *Error) Error() string {
	text := e.In(English)
	if text == "" {
		text = string(e.Kind)
	}
	if e.Err != nil {
		text += ": " + e.Err.Error()
	}
	return text
}

func (e *Error) Unwrap() error { return e.Err }
