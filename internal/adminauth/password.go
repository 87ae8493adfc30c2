package adminauth

import (
	"context"
	"crypto/rand"
	"encoding/base64"
	"regexp"
	"sync"
	"unicode/utf8"

	"github.com/alexedwards/argon2id"

	"github.com/wxsteward/wxsteward/internal/fault"
)

const (
	minPassword = 10
	maxPassword = 128
)

// hasher bounds how many passwords are hashed at once: each takes 19 MiB and a core for some 30 ms (the parameters are
// the minimum that OWASP recommends for argon2id).
type hasher struct {
	params argon2id.Params
	slots  chan struct{}

	decoyOnce sync.Once
	decoy     string
	decoyErr  error
}

func newHasher() *hasher {
	return &hasher{
		params: argon2id.Params{Memory: 19 * 1024, Iterations: 2, Parallelism: 1, SaltLength: 16, KeyLength: 32},
		slots:  make(chan struct{}, 2),
	}
}

func (h *hasher) enter(ctx context.Context) error {
	select {
	case h.slots <- struct{}{}:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

func (h *hasher) leave() { <-h.slots }

func (h *hasher) hash(ctx context.Context, password string) (string, error) {
	if err := h.enter(ctx); err != nil {
		return "", err
	}
	defer h.leave()
	return argon2id.CreateHash(password, &h.params)
}

// match compares; an empty hash, for a user that does not exist, takes as long and never matches. Call it between enter
// and leave.
func (h *hasher) match(password, hash string) (bool, error) {
	if hash != "" {
		return argon2id.ComparePasswordAndHash(password, hash)
	}
	h.decoyOnce.Do(func() { h.decoy, h.decoyErr = argon2id.CreateHash(randomText(16), &h.params) })
	if h.decoyErr != nil {
		return false, h.decoyErr
	}
	_, err := argon2id.ComparePasswordAndHash(password, h.decoy)
	return false, err
}

// ValidPassword reports whether a password has an allowed length.
func ValidPassword(password string) bool {
	n := utf8.RuneCountInString(password)
	return n >= minPassword && n <= maxPassword
}

func checkPassword(location, password string) error {
	if !ValidPassword(password) {
		return fault.Invalid(location, "A password has %d to %d characters.", nil, minPassword, maxPassword)
	}
	return nil
}

var usernamePattern = regexp.MustCompile(`^[\p{L}\p{N}][\p{L}\p{N}._@+-]{0,63}$`)

// ValidUsername reports whether a user may be called so.
func ValidUsername(username string) bool { return usernamePattern.MatchString(username) }

func checkUsername(username string) error {
	if !ValidUsername(username) {
		return fault.Invalid("body.username",
			"A user name has 1 to 64 letters, digits or . _ @ + - and begins with a letter or digit.", nil)
	}
	return nil
}

// randomText is n random bytes as URL-safe base64.
func randomText(n int) string {
	b := make([]byte, n)
	_, _ = rand.Read(b) // never fails, it ends the program instead
	return base64.RawURLEncoding.EncodeToString(b)
}
