package sealed

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"strings"
)

const (
	keySize     = 32
	keyIDSize   = 8
	boxVersion  = 1
	headerSize  = 1 + keyIDSize
	nonceSize   = 12
	tagSize     = 16
	smallestBox = headerSize + nonceSize + tagSize
)

var (
	// ErrWrongKey means that a box was sealed with a key that is not in the keyring.
	ErrWrongKey = errors.New("sealed: sealed with another key")
	// ErrDamaged means that a box is not what was sealed: cut, changed, or opened for another purpose.
	ErrDamaged = errors.New("sealed: damaged, or sealed for another purpose")
)

// Keyring seals with its current key and opens what its current or a previous key has sealed. It is safe for
// concurrent use.
type Keyring struct {
	current keyID
	ciphers map[keyID]cipher.AEAD
}

type keyID [keyIDSize]byte

// GenerateKey makes a key for NewKeyring: 32 random bytes in base64.
func GenerateKey() string {
	var key [keySize]byte
	_, _ = rand.Read(key[:]) // never fails, it ends the process instead
	return base64.StdEncoding.EncodeToString(key[:])
}

// NewKeyring reads keys as GenerateKey writes them. Only current seals. An error is one line and holds nothing of
// the key.
func NewKeyring(current string, previous ...string) (*Keyring, error) {
	k := &Keyring{ciphers: make(map[keyID]cipher.AEAD, 1+len(previous))}
	id, err := k.add(current)
	if err != nil {
		return nil, err
	}
	k.current = id
	for _, p := range previous {
		if _, err := k.add(p); err != nil {
			return nil, fmt.Errorf("previous key: %w", err)
		}
	}
	return k, nil
}

func (k *Keyring) add(text string) (keyID, error) {
	text = strings.TrimSpace(text)
	if text == "" {
		return keyID{}, errors.New(`the key is empty, want 32 bytes in base64, e.g. the output of "wxsteward genkey"`)
	}
	key, err := base64.StdEncoding.Strict().DecodeString(text)
	if err != nil {
		return keyID{}, errors.New(`the key is not base64, want 32 bytes in base64 (44 characters), e.g. the output of "wxsteward genkey"`)
	}
	if len(key) != keySize {
		return keyID{}, fmt.Errorf(`the key has %d bytes, want 32 bytes in base64 (44 characters), e.g. the output of "wxsteward genkey"`, len(key))
	}
	block, err := aes.NewCipher(key)
	if err != nil {
		return keyID{}, err
	}
	gcm, err := cipher.NewGCM(block)
	if err != nil {
		return keyID{}, err
	}
	sum := sha256.Sum256(append([]byte("wxsteward key id\x00"), key...))
	id := keyID(sum[:keyIDSize])
	k.ciphers[id] = gcm
	return id, nil
}

// Seal encrypts s with the current key (AES-256-GCM). The box can be opened only for the same purpose, which says
// where it is stored ("setting:jwt_key"), so that a box copied to another place does not open there.
func (k *Keyring) Seal(s Secret, purpose string) ([]byte, error) {
	text := s.Reveal()
	box := make([]byte, headerSize+nonceSize, smallestBox+len(text))
	box[0] = boxVersion
	copy(box[1:], k.current[:])
	nonce := box[headerSize:]
	if _, err := rand.Read(nonce); err != nil {
		return nil, err
	}
	return k.ciphers[k.current].Seal(box, nonce, []byte(text), additionalData(box[:headerSize], purpose)), nil
}

// Open decrypts a box that was sealed for purpose. It fails with ErrWrongKey or ErrDamaged.
func (k *Keyring) Open(box []byte, purpose string) (Secret, error) {
	if len(box) < smallestBox || box[0] != boxVersion {
		return Secret{}, ErrDamaged
	}
	header, nonce, text := box[:headerSize], box[headerSize:headerSize+nonceSize], box[headerSize+nonceSize:]
	gcm, ok := k.ciphers[keyID(header[1:])]
	if !ok {
		return Secret{}, ErrWrongKey
	}
	plain, err := gcm.Open(nil, nonce, text, additionalData(header, purpose))
	if err != nil {
		return Secret{}, ErrDamaged
	}
	return New(string(plain)), nil
}

// CurrentKeyID is the KeyID of what Seal makes.
func (k *Keyring) CurrentKeyID() string { return hex.EncodeToString(k.current[:]) }

// KeyID is the id, in hex, of the key that sealed the box; "" if it is not a box. It tells nothing about the key.
func KeyID(box []byte) string {
	if len(box) < smallestBox || box[0] != boxVersion {
		return ""
	}
	return hex.EncodeToString(box[1:headerSize])
}

// additionalData binds the header too, so that version and key id cannot be exchanged.
func additionalData(header []byte, purpose string) []byte {
	return append(append(make([]byte, 0, len(header)+len(purpose)), header...), purpose...)
}
