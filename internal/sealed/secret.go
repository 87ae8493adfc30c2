// Package sealed keeps secrets: Secret is text that does not print, and Keyring encrypts it for the database.
package sealed

import (
	"crypto/sha256"
	"crypto/subtle"
	"database/sql/driver"
	"encoding/hex"
	"errors"
	"log/slog"
)

const redacted = "[redacted]"

// Secret is text that must not appear in logs, errors or answers: an access token, a ticket, a key, an app secret.
// The zero value is the empty secret. The text stays behind a pointer because fmt walks into unexported fields
// without calling String.
type Secret struct{ text *string }

// New wraps text.
func New(text string) Secret {
	if text == "" {
		return Secret{}
	}
	return Secret{text: &text}
}

// Reveal returns the text. Call it only on the line that sends or seals it.
func (s Secret) Reveal() string {
	if s.text == nil {
		return ""
	}
	return *s.text
}

// IsZero reports whether there is no text.
func (s Secret) IsZero() bool { return s.text == nil }

// Equal compares in constant time.
func (s Secret) Equal(other Secret) bool {
	return subtle.ConstantTimeCompare([]byte(s.Reveal()), []byte(other.Reveal())) == 1
}

// Fingerprint is the hex SHA-256 of the text: it identifies a secret in a table without holding it. Use it only
// for secrets of high entropy.
func (s Secret) Fingerprint() string {
	sum := sha256.Sum256([]byte(s.Reveal()))
	return hex.EncodeToString(sum[:])
}

// String implements fmt.Stringer without the text.
func (Secret) String() string { return redacted }

// GoString implements fmt.GoStringer without the text.
func (Secret) GoString() string { return redacted }

// LogValue implements slog.LogValuer without the text.
func (Secret) LogValue() slog.Value { return slog.StringValue(redacted) }

// MarshalJSON never writes the text.
func (Secret) MarshalJSON() ([]byte, error) { return []byte(`"` + redacted + `"`), nil }

// MarshalText never writes the text.
func (Secret) MarshalText() ([]byte, error) { return []byte(redacted), nil }

// UnmarshalText takes the text, so that a Secret can stand in a struct decoded from JSON or XML.
func (s *Secret) UnmarshalText(text []byte) error {
	*s = New(string(text))
	return nil
}

// Value refuses to be written to a database in clear.
func (Secret) Value() (driver.Value, error) {
	return nil, errors.New("sealed: a secret must be sealed before it is stored")
}
