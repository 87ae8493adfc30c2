package outbound

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
)

// The words of Trouble. They are stored, so they stay as they are.
const (
	TroubleTimeout = "timeout" // the limit in milliseconds
	TroubleRefused = "refused" // no detail
	TroubleDNS     = "dns"     // the host
	TroubleTLS     = "tls"     // what TLS says
	TroubleBlocked = "blocked" // the address
	TroubleBroken  = "broken"  // what the network says
)

// Trouble says in a word, and a detail, why an HTTP call got no answer. limit is how long it might take, in milliseconds.
// Neither holds the URL, which may hold a key.
func Trouble(err error, limit string) (word, detail string) {
	err = Plain(err)
	if blocked, ok := errors.AsType[*BlockedError](err); ok {
		return TroubleBlocked, blocked.Addr.Addr().String()
	}
	if timeout, ok := errors.AsType[net.Error](err); errors.Is(err, context.DeadlineExceeded) || (ok && timeout.Timeout()) {
		return TroubleTimeout, limit
	}
	if dns, ok := errors.AsType[*net.DNSError](err); ok {
		return TroubleDNS, dns.Name
	}
	if errors.Is(err, syscall.ECONNREFUSED) {
		return TroubleRefused, ""
	}
	if isTLS(err) {
		return TroubleTLS, err.Error()
	}
	return TroubleBroken, err.Error()
}

// SayTrouble is the sentence for the user; a word of another package counts as TroubleBroken.
func SayTrouble(lang, word, detail string) string {
	switch word {
	case TroubleTimeout:
		return fault.Say(lang, "The target did not answer within %s ms.", detail)
	case TroubleRefused:
		return fault.Say(lang, "The target refuses connections: is it running, and is the port right?")
	case TroubleDNS:
		return fault.Say(lang, "The name %s does not resolve.", detail)
	case TroubleTLS:
		return fault.Say(lang, "No trusted TLS connection to the target: %s", detail)
	case TroubleBlocked:
		return fault.Say(lang, "The target is at %s now, which may not be called.", detail)
	default:
		return fault.Say(lang, "The connection to the target broke off: %s", detail)
	}
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

// Printable cuts text to at most limit bytes that PostgreSQL can store.
func Printable(text string, limit int) string {
	if len(text) > limit {
		text = text[:limit]
	}
	text = strings.ToValidUTF8(text, string(utf8.RuneError))
	return strings.ReplaceAll(text, "\x00", string(utf8.RuneError))
}
