// Package msgcrypt opens and seals the messages WeChat pushes to a third-party platform (WXBizMsgCrypt): AES-256-CBC
// with PKCS#7 padding to 32 bytes, and a SHA-1 signature over the platform's message token.
//
// WeChat docs:
// https://developers.weixin.qq.com/doc/oplatform/Third-party_Platforms/2.0/api/Before_Develop/Technical_Plan.html
// https://developers.weixin.qq.com/doc/oplatform/developers/dev/push/encryption.md
package msgcrypt

import (
	"bytes"
	"crypto/aes"
	"crypto/cipher"
	"crypto/rand"
	"crypto/sha1" //nolint:gosec // the protocol prescribes SHA-1
	"crypto/subtle"
	"encoding/base64"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"math"
	"slices"
	"strings"

	"github.com/wxsteward/wxsteward/internal/sealed"
)

const (
	encodedKeyLength = 43 // EncodingAESKey: base64 of 32 bytes without its "="
	keyLength        = 32
	randomLength     = 16
	headLength       = randomLength + 4 // random bytes and the big-endian length of the message
	paddingBlock     = 32               // PKCS#7 block of this protocol, not the 16 of AES
)

// Key is one pair of 消息校验Token and 消息加解密Key as set in the console. It does not print its content; the zero
// Key is not usable.
type Key struct{ material *material }

// material holds nothing but pointers: fmt walks into unexported fields and may follow one pointer, never two.
type material struct {
	token sealed.Secret
	block cipher.Block
	iv    *[aes.BlockSize]byte // the first half of the AES key
}

// NewKey checks a message token (not empty) and an EncodingAESKey (43 characters of base64, 32 bytes decoded).
// It fails with ErrAESKey. The last character carries two spare bits, which are ignored as WeChat does.
func NewKey(token, encodingAESKey string) (Key, error) {
	if token == "" {
		return Key{}, errors.New("msgcrypt: the message token is empty")
	}
	if len(encodingAESKey) != encodedKeyLength {
		return Key{}, fmt.Errorf("msgcrypt: the EncodingAESKey has %d characters, not %d: %w",
			len(encodingAESKey), encodedKeyLength, ErrAESKey)
	}
	raw, err := base64.StdEncoding.DecodeString(encodingAESKey + "=")
	if err != nil || len(raw) != keyLength {
		// The decoder's error would quote nothing of the key, but says nothing useful either.
		return Key{}, fmt.Errorf("msgcrypt: the EncodingAESKey is not base64: %w", ErrAESKey)
	}
	block, err := aes.NewCipher(raw)
	if err != nil {
		return Key{}, fmt.Errorf("msgcrypt: %w", ErrAESKey)
	}
	return Key{&material{token: sealed.New(token), block: block, iv: (*[aes.BlockSize]byte)(raw)}}, nil
}

// Cipher opens and seals messages for one receiver. It is safe for concurrent use.
type Cipher struct {
	receiverID string
	keys       []Key
}

// New makes a Cipher for receiverID, which is the component appid for every push a third-party platform gets, also for
// messages of its merchants. The current key comes first; earlier keys follow and still open what was sent under them.
func New(receiverID string, keys ...Key) (*Cipher, error) {
	if receiverID == "" {
		return nil, errors.New("msgcrypt: the receiver id is empty")
	}
	if len(keys) == 0 {
		return nil, errors.New("msgcrypt: no key given")
	}
	for _, k := range keys {
		if k.material == nil {
			return nil, fmt.Errorf("msgcrypt: zero Key: %w", ErrAESKey)
		}
	}
	return &Cipher{receiverID: receiverID, keys: slices.Clone(keys)}, nil
}

// Verify reports whether signature (the query's msg_signature) is right under any of the tokens. The arguments are the
// raw texts of the query and of the envelope.
func (c *Cipher) Verify(timestamp, nonce, encrypt, signature string) bool {
	_, ok := c.signer(signature, timestamp, nonce, encrypt)
	return ok
}

// VerifyPlain reports whether signature is right over timestamp and nonce alone. WeChat uses this form for the GET
// request with echostr; it proves nothing about a body.
func (c *Cipher) VerifyPlain(timestamp, nonce, signature string) bool {
	_, ok := c.signer(signature, timestamp, nonce)
	return ok
}

// signer finds the key whose token made signature.
func (c *Cipher) signer(signature string, parts ...string) (Key, bool) {
	for _, k := range c.keys {
		want := Signature(k.material.token.Reveal(), parts...)
		if subtle.ConstantTimeCompare([]byte(want), []byte(signature)) == 1 {
			return k, true
		}
	}
	return Key{}, false
}

// Opened is a message that was authenticated and decrypted.
type Opened struct {
	Plaintext []byte

	token Key // signed the request
	aes   Key // opened it; token and AES key may have been changed at different times
}

// Open checks msgSignature and decrypts encrypt with whichever key fits. It fails with an *Error: ErrSignature when no
// token made the signature, ErrReceiver when the message is for somebody else, ErrBase64, ErrDecrypt or ErrBuffer when
// the ciphertext is malformed.
func (c *Cipher) Open(timestamp, nonce, msgSignature, encrypt string) (Opened, error) {
	token, ok := c.signer(msgSignature, timestamp, nonce, encrypt)
	if !ok {
		return Opened{}, ErrSignature
	}
	ciphertext, err := decodeBase64(encrypt)
	if err != nil {
		return Opened{}, ErrBase64
	}
	if len(ciphertext) == 0 || len(ciphertext)%aes.BlockSize != 0 {
		return Opened{}, ErrDecrypt
	}
	var failure error
	for _, k := range c.keys {
		plaintext, err := k.decrypt(ciphertext, c.receiverID)
		if err == nil {
			return Opened{Plaintext: plaintext, token: token, aes: k}, nil
		}
		// A foreign receiver says more than the noise that a wrong key makes of a message.
		if failure == nil || errors.Is(err, ErrReceiver) {
			failure = err
		}
	}
	return Opened{}, failure
}

func (k Key) decrypt(ciphertext []byte, receiverID string) ([]byte, error) {
	buf := make([]byte, len(ciphertext))
	cipher.NewCBCDecrypter(k.material.block, k.material.iv[:]).CryptBlocks(buf, ciphertext)
	pad := int(buf[len(buf)-1])
	if pad < 1 || pad > paddingBlock || pad > len(buf) {
		return nil, ErrDecrypt
	}
	body, padding := buf[:len(buf)-pad], buf[len(buf)-pad:]
	for _, b := range padding {
		if int(b) != pad {
			return nil, ErrDecrypt
		}
	}
	if len(body) < headLength {
		return nil, ErrBuffer
	}
	size := int64(binary.BigEndian.Uint32(body[randomLength:headLength]))
	rest := body[headLength:]
	if size > int64(len(rest)) {
		return nil, ErrBuffer
	}
	if string(rest[size:]) != receiverID {
		return nil, ErrReceiver
	}
	return rest[:size:size], nil
}

// Seal encrypts plaintext for the receiver under the current key. random supplies the 16 leading bytes, which should be
// printable; nil takes them from crypto/rand.
func (c *Cipher) Seal(plaintext []byte, random io.Reader) (encrypt string, err error) {
	return c.keys[0].encrypt(plaintext, c.receiverID, random)
}

func (k Key) encrypt(plaintext []byte, receiverID string, random io.Reader) (string, error) {
	if int64(len(plaintext)) > math.MaxUint32 {
		return "", ErrEncrypt
	}
	head := make([]byte, headLength, headLength+len(plaintext)+len(receiverID)+paddingBlock)
	if random == nil {
		random = strings.NewReader(rand.Text()) // 26 characters
	}
	if _, err := io.ReadFull(random, head[:randomLength]); err != nil {
		return "", fmt.Errorf("msgcrypt: reading random bytes: %w", err)
	}
	binary.BigEndian.PutUint32(head[randomLength:], uint32(len(plaintext))) //nolint:gosec // checked above
	buf := append(append(head, plaintext...), receiverID...)
	pad := paddingBlock - len(buf)%paddingBlock
	buf = append(buf, bytes.Repeat([]byte{byte(pad)}, pad)...)
	cipher.NewCBCEncrypter(k.material.block, k.material.iv[:]).CryptBlocks(buf, buf)
	return base64.StdEncoding.EncodeToString(buf), nil
}

// Signature is the lower-case hexadecimal SHA-1 over the token and parts, sorted byte by byte and joined without
// separator. With timestamp, nonce and encrypt it is msg_signature, with timestamp and nonce alone it is signature.
func Signature(token string, parts ...string) string {
	all := append([]string{token}, parts...)
	slices.Sort(all)
	sum := sha1.Sum([]byte(strings.Join(all, ""))) //nolint:gosec // the protocol prescribes SHA-1
	return hex.EncodeToString(sum[:])
}

// decodeBase64 tolerates white space, which some senders put between lines.
func decodeBase64(text string) ([]byte, error) {
	return base64.StdEncoding.DecodeString(strings.Join(strings.Fields(text), ""))
}
