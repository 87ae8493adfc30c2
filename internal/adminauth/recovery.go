package adminauth

import (
	"crypto/rand"
	"crypto/sha256"
	"crypto/subtle"
	"strings"
)

const (
	recoveryCodes = 10
	// recoveryLetters leaves out what is easily mistaken for something else. There are 32, so that a random byte chooses evenly.
	recoveryLetters = "abcdefghijkmnpqrstuvwxyz23456789"
	recoveryLength  = 16 // 80 random bits
	recoveryGroup   = 4
)

// newRecoveryCodes makes codes as they are shown: xxxx-xxxx-xxxx-xxxx.
func newRecoveryCodes() []string {
	codes := make([]string, recoveryCodes)
	for i := range codes {
		var raw [recoveryLength]byte
		_, _ = rand.Read(raw[:]) // never fails, it ends the program instead
		var code strings.Builder
		for n, b := range raw {
			if n > 0 && n%recoveryGroup == 0 {
				code.WriteByte('-')
			}
			code.WriteByte(recoveryLetters[int(b)%len(recoveryLetters)])
		}
		codes[i] = code.String()
	}
	return codes
}

// recoveryHash is what is kept of a code. With so many random bits in it, one round over code and salt is enough.
func recoveryHash(salt []byte, code string) []byte {
	code = strings.ToLower(strings.NewReplacer(" ", "", "-", "").Replace(code))
	sum := sha256.Sum256(append(append([]byte{}, salt...), code...))
	return sum[:]
}

// recoveryRow is a row of recovery_code.
type recoveryRow struct{ hash, salt []byte }

func newRecoveryRow(code string) recoveryRow {
	salt := make([]byte, 16)
	_, _ = rand.Read(salt) // never fails, it ends the program instead
	return recoveryRow{recoveryHash(salt, code), salt}
}

func (r recoveryRow) matches(code string) bool {
	return subtle.ConstantTimeCompare(r.hash, recoveryHash(r.salt, code)) == 1
}
