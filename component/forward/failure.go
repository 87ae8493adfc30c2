package forward

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"net"
	"strings"
	"syscall"
	"unicode/utf8"

	"github.com/wxsteward/wxsteward/internal/fault"
	"github.com/wxsteward/wxsteward/internal/outbound"
)

// failure is why a call failed: a word, and behind a space what varies. It is stored as it is and said in the reader's
// language; empty: none.
type failure string

// The words of failures.
const (
	failStatus     = "status"     // the status that was answered
	failRedirect   = "redirect"   // likewise
	failTimeout    = "timeout"    // the limit in milliseconds
	failRefused    = "refused"    // no detail
	failDNS        = "dns"        // the host
	failTLS        = "tls"        // what TLS says
	failBlocked    = "blocked"    // the address
	failBroken     = "broken"     // what the network says
	failTooLarge   = "too_large"  // the limit in bytes
	failGone       = "gone"       // no detail
	failUnreadable = "unreadable" // the format
	failAddress    = "address"    // no detail
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
	case failTimeout:
		return fault.Say(lang, "The target did not answer within %s ms.", detail)
	case failRefused:
		return fault.Say(lang, "The target refuses connections: is it running, and is the port right?")
	case failDNS:
		return fault.Say(lang, "The name %s does not resolve.", detail)
	case failTLS:
		return fault.Say(lang, "No trusted TLS connection to the target: %s", detail)
	case failBlocked:
		return fault.Say(lang, "The target is at %s now, which may not be called.", detail)
	case failTooLarge:
		return fault.Say(lang, "The answer is longer than %s bytes.", detail)
	case failGone:
		return fault.Say(lang, "The message is no longer there: it is past its retention.")
	case failUnreadable:
		return fault.Say(lang, "The message cannot be written as %s.", detail)
	case failAddress:
		return fault.Say(lang, "The address of the rule does not work with the appid of this message.")
	default:
		return fault.Say(lang, "The connection to the target broke off: %s", detail)
	}
}

// failureOf names the failure of a call. limit is how long it might take, in milliseconds.
func failureOf(err error, limit string) failure {
	err = outbound.Plain(err)
	if blocked, ok := errors.AsType[*outbound.BlockedError](err); ok {
		return failed(failBlocked, blocked.Addr.Addr().String())
	}
	if timeout, ok := errors.AsType[net.Error](err); errors.Is(err, context.DeadlineExceeded) || (ok && timeout.Timeout()) {
		return failed(failTimeout, limit)
	}
	if dns, ok := errors.AsType[*net.DNSError](err); ok {
		return failed(failDNS, dns.Name)
	}
	if errors.Is(err, syscall.ECONNREFUSED) {
		return failed(failRefused, "")
	}
	if isTLS(err) {
		return failed(failTLS, err.Error())
	}
	return failed(failBroken, err.Error())
}

func isTLS(err error) bool {
	if _, ok := errors.AsType[*tls.CertificateVerificationError](err); ok {
		return true
	}
	if _, ok := errors.AsType[tls.RecordHeaderError](err); ok {
		return true
	}
	if _, ok := errors.AsType[tls.AlertError](err); ok {
		return true
	}
	if _, ok := errors.AsType[x509.UnknownAuthorityError](err); ok {
		return true
	}
	return strings.HasPrefix(err.Error(), "tls: ") || strings.HasPrefix(err.Error(), "remote error: tls")
}

// printable cuts text to at most limit bytes that PostgreSQL can store.
func printable(text string, limit int) string {
	if len(text) > limit {
		text = text[:limit]
	}
	text = strings.ToValidUTF8(text, string(utf8.RuneError))
	return strings.ReplaceAll(text, "\x00", string(utf8.RuneError))
}
