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
	"maps"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
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

// Keyring seals with its current key and opens what any of its keys has sealed. Keys can be added, and another made the current
// one, while it is in use; it is safe for concurrent use.
type Keyring struct {
	changing sync.Mutex
	keys     atomic.Pointer[keys]
}

// keys is what a Keyring holds at one time; it is never changed.
type keys struct {
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
	id, gcm, err := parseKey(current)
	if err != nil {
		return nil, err
	}
	k := &Keyring{}
	k.keys.Store(&keys{current: id, ciphers: map[keyID]cipher.AEAD{id: gcm}})
	for _, p := range previous {
		if err := k.Accept(New(p)); err != nil {
			return nil, fmt.Errorf("previous key: %w", err)
		}
	}
	return k, nil
}

// Accept adds a key that opens what it has sealed. It does not seal until Use is called.
func (k *Keyring) Accept(key Secret) error {
	id, gcm, err := parseKey(key.Reveal())
	if err != nil {
		return err
	}
	k.changing.Lock()
	defer k.changing.Unlock()
	now := k.keys.Load()
	more := maps.Clone(now.ciphers)
	more[id] = gcm
	k.keys.Store(&keys{current: now.current, ciphers: more})
	return nil
}

// Use makes the key with that KeyID the one that seals. It fails with ErrWrongKey when the keyring does not hold it.
func (k *Keyring) Use(id string) error {
	k.changing.Lock()
	defer k.changing.Unlock()
	now := k.keys.Load()
	for known := range now.ciphers {
		if hex.EncodeToString(known[:]) == id {
			k.keys.Store(&keys{current: known, ciphers: now.ciphers})
			return nil
		}
	}
	return ErrWrongKey
}

func parseKey(text string) (keyID, cipher.AEAD, error) {
	text = strings.TrimSpace(text)
	if text == "" {
		return keyID{}, nil, errors.New(`the key is empty, want 32 bytes in base64, e.g. the output of "wxsteward genkey"`)
	}
	key, err := base64.StdEncoding.Strict().DecodeString(text)
	if err != nil {
		return keyID{}, nil, errors.New(`the key is not base64, want 32 bytes in base64 (44 characters), e.g. the output of "wxsteward genkey"`)
	}
	if len(key) != keySize {
		return keyID{}, nil, fmt.Errorf(`the key has %d bytes, want 32 bytes in base64 (44 characters), e.g. the output of "wxsteward genkey"`, len(key))
	}
	block, err := aes.NewCipher(key)
	if err != nil {
		return keyID{}, nil, err
	}
	gcm, err := cipher.NewGCM(block)
	if err != nil {
		return keyID{}, nil, err
	}
	sum := sha256.Sum256(append([]byte("wxsteward key id\x00"), key...))
	return keyID(sum[:keyIDSize]), gcm, nil
}

// Seal encrypts s with the current key (AES-256-GCM). The box can be opened only for the same purpose, which says
// where it is stored ("setting:jwt_key"), so that a box copied to another place does not open there.
func (k *Keyring) Seal(s Secret, purpose string) ([]byte, error) {
	text, keys := s.Reveal(), k.keys.Load()
	box := make([]byte, headerSize+nonceSize, smallestBox+len(text))
	box[0] = boxVersion
	copy(box[1:], keys.current[:])
	nonce := box[headerSize:]
	if _, err := rand.Read(nonce); err != nil {
		return nil, err
	}
	return keys.ciphers[keys.current].Seal(box, nonce, []byte(text), additionalData(box[:headerSize], purpose)), nil
}

// Open decrypts a box that was sealed for purpose. It fails with ErrWrongKey or ErrDamaged.
func (k *Keyring) Open(box []byte, purpose string) (Secret, error) {
	if len(box) < smallestBox || box[0] != boxVersion {
		return Secret{}, ErrDamaged
	}
	header, nonce, text := box[:headerSize], box[headerSize:headerSize+nonceSize], box[headerSize+nonceSize:]
	gcm, ok := k.keys.Load().ciphers[keyID(header[1:])]
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
func (k *Keyring) CurrentKeyID() string {
	current := k.keys.Load().current
	return hex.EncodeToString(current[:])
}

// KeyIDs are the ids of all keys that it can open with, the current one first.
func (k *Keyring) KeyIDs() []string {
	now := k.keys.Load()
	ids := []string{hex.EncodeToString(now.current[:])}
	for id := range now.ciphers {
		if id != now.current {
			ids = append(ids, hex.EncodeToString(id[:]))
		}
	}
	slices.Sort(ids[1:])
	return ids
}

// Holds reports whether it can open what the key with that KeyID has sealed.
func (k *Keyring) Holds(id string) bool { return slices.Contains(k.KeyIDs(), id) }

// Reseal seals anew what is in a box, with the current key.
func (k *Keyring) Reseal(box []byte, purpose string) ([]byte, error) {
	secret, err := k.Open(box, purpose)
	if err != nil {
		return nil, err
	}
	return k.Seal(secret, purpose)
}

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
