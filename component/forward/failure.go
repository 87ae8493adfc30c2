package forward

import (
	"strings"

	"github.com/wxsteward/wxsteward/internal/fault"
	"github.com/wxsteward/wxsteward/internal/outbound"
)

// failure is why a call failed: a word, and behind a space what varies. It is stored as it is and said in the reader's
// language; empty: none.
type failure string

// The words of failures, beside those of outbound.Trouble.
const (
	failStatus     = "status"     // the status that was answered
	failRedirect   = "redirect"   // likewise
	failTooLarge   = "too_large"  // the limit in bytes
	failGone       = "gone"       // no detail
	failUnreadable = "unreadable" // the format
	failAddress    = "address"    // no detail
	failPanic      = "panic"      // no detail
	failRelay      = "relay"      // no detail
	failUnread     = "unread"     // no detail
	failSecret     = "secret"     // no detail
)

func failed(word, detail string) failure {
	const limit = 300
	detail = printable(detail, limit)
	if detail == "" {
		return failure(word)
	}
	return failure(word + " " + detail)
}

// In says the failure in a language.
func (f failure) In(lang string) string {
	word, detail, _ := strings.Cut(string(f), " ")
	switch word {
	case "":
		return ""
	case failStatus:
		return fault.Say(lang, "The target answered with status %s.", detail)
	case failRedirect:
		return fault.Say(lang, "The target answered with a redirect (%s), which is not followed: enter the final address in the rule.", detail)
	case failTooLarge:
		return fault.Say(lang, "The answer is longer than %s bytes.", detail)
	case failGone:
		return fault.Say(lang, "The message is no longer there: it is past its retention.")
	case failUnreadable:
		return fault.Say(lang, "The message cannot be written as %s.", detail)
	case failAddress:
		return fault.Say(lang, "The address of the rule does not work with the appid of this message.")
	case failPanic:
		return fault.Say(lang, "The message could not be handled: a fault of ours, told in the log.")
	case failUnread:
		return fault.Say(lang, "The message could not be read from the database: a fault of ours, told in the log.")
	case failSecret:
		return fault.Say(lang, "The secret of this rule cannot be opened with the present MASTER_KEY. Rotate it.")
	case failRelay:
		return fault.Say(lang, "The rule relays now, and delivers nothing: what waited was given up.")
	default:
		return outbound.SayTrouble(lang, word, detail)
	}
}

// failureOf names the failure of a call. limit is how long it might take, in milliseconds.
func failureOf(err error, limit string) failure { return failed(outbound.Trouble(err, limit)) }

// printable cuts text to at most limit bytes that PostgreSQL can store.
func printable(text string, limit int) string { return outbound.Printable(text, limit) }
