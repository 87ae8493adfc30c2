package component

import (
	"context"
	"crypto/sha256"
	"crypto/subtle"
	"errors"
	"fmt"
	"net/netip"
	"runtime/debug"
	"strconv"
	"strings"
	"sync"
	"time"

	"golang.org/x/sync/singleflight"

	"github.com/wxsteward/wxsteward/internal/wechat/msgcrypt"
)

// ErrNotAuthentic reports a push that nothing proves to be WeChat's.
var ErrNotAuthentic = errors.New("component: not authentic")

// push is one request on a callback address, freed from HTTP.
type push struct {
	channel string
	appid   string // of the merchant, from the path; empty on the component address
	body    []byte

	answerBy time.Time // WeChat waits no longer

	timestamp, nonce, msgSignature string // as they stand in the query

	source bool       // x-wx-source or x-wx-sources is there
	proofs []string   // what the sender shows as forwarder token
	peer   netip.Addr // TCP peer; the zero Addr is in no prefix
}

// received is what the sender of a push is answered: success, unless there is a passive reply.
type received struct {
	passive bool
	reply   []byte // as it is sent; may be empty
	result  string // for the meter
}

// receive authenticates, reads and stores a push and finds the answer. It fails with ErrNotAuthentic or ErrNotAMessage; any
// other failure is ours, and WeChat should try again.
func (s *Service) receive(ctx context.Context, p push) (received, error) {
	o, err := s.authenticate(ctx, p)
	if errors.Is(err, errProbe) {
		return received{result: pushProbe}, nil
	}
	if err != nil {
		return received{}, err
	}
	in, err := s.newIncoming(p.channel, p.appid, o)
	if err != nil {
		return received{}, err
	}
	m, isNew, err := s.store(ctx, in)
	if err != nil {
		return received{}, err
	}
	result := pushRepeated
	if isNew {
		result = pushStored
	}
	reply, ok := s.passiveReply(ctx, p.answerBy, m, isNew)
	if !ok {
		return received{result: result}, nil
	}
	if o.cipher != nil && len(reply) > 0 && string(reply) != success {
		notation := msgcrypt.XML
		if o.json {
			notation = msgcrypt.JSON
		}
		if reply, err = o.cipher.SealReply(o.opened, reply, strconv.FormatInt(s.now().Unix(), 10), p.nonce, notation); err != nil {
			s.log.WarnContext(ctx, "passive reply cannot be encrypted", "message", m.ID, "error", err)
			return received{result: result}, nil // the message is stored
		}
	}
	return received{passive: true, reply: reply, result: result}, nil
}

// passiveReply is the plaintext that answers a message on ChannelBiz instead of success. A business system hears of a message
// once, copies of it are answered success; checks of WeChat's are answered every time.
func (s *Service) passiveReply(ctx context.Context, answerBy time.Time, m Message, isNew bool) (reply []byte, ok bool) {
	if m.Channel != ChannelBiz {
		return nil, false
	}
	if IsTestAccount(m.AppID) {
		if reply, ok = s.checkReply(m); ok {
			return reply, true
		}
	}
	if !isNew || s.forward == nil {
		return nil, false
	}
	defer func() {
		if p := recover(); p != nil { // the message is stored, so WeChat need not push it again
			s.log.ErrorContext(ctx, "relay broke off", "message", m.ID, "place", panicPlace(string(debug.Stack())))
			reply, ok = nil, false
		}
	}()
	return s.forward.Relay(ctx, m, answerBy)
}

// errProbe reports WeChat's test of a container path, which is answered and forgotten.
var errProbe = errors.New("component: container path probe")

// authentic is the content of a push that was proven.
type authentic struct {
	plaintext []byte // decrypted, or as it came
	text      string // of plaintext, legible
	fields    Fields

	cipher *msgcrypt.Cipher // opened it; nil where it came plain
	opened msgcrypt.Opened
	json   bool // the envelope was JSON
}

// authenticate gives the content of a push, decrypted or as it came.
func (s *Service) authenticate(ctx context.Context, p push) (authentic, error) {
	text := legible(p.body)
	if mayHaveEncrypt(text) {
		encrypt, hasEncrypt, err := encryptOf(text)
		if hasEncrypt {
			if err != nil {
				return authentic{}, fmt.Errorf("%w: %w", ErrNotAuthentic, err)
			}
			return s.open(ctx, p, encrypt, strings.HasPrefix(strings.TrimSpace(text), "{"))
		}
	}
	inCloud := s.cfg.Mode == ModeCloudRun
	forwarded := s.forwarder(p)
	if !inCloud && !forwarded {
		return authentic{}, ErrNotAuthentic // not even read
	}
	f, err := parseFields(text)
	switch {
	case err == nil && f.Has("Encrypt"):
		return authentic{}, ErrNotAuthentic
	case err == nil && f.Text("action") == "CheckContainerPath":
		return authentic{}, errProbe
	case forwarded, inCloud && p.source:
		return authentic{plaintext: p.body, text: text, fields: f}, err
	default:
		return authentic{}, ErrNotAuthentic
	}
}

// encryptOf finds the ciphertext of an envelope.
func encryptOf(text string) (encrypt string, has bool, err error) {
	if elements, ok := quickXML(text); ok {
		f := Fields{elements}
		if len(f.All("Encrypt")) == 1 {
			return f.Text("Encrypt"), true, nil
		}
	}
	envelope, has, err := msgcrypt.ParseEnvelope([]byte(text))
	return envelope.Encrypt, has, err
}

// mayHaveEncrypt is a quick look that a body is no envelope. JSON can write the name with escapes.
func mayHaveEncrypt(text string) bool {
	return strings.Contains(text, "Encrypt") || strings.HasPrefix(strings.TrimSpace(text), "{") && strings.Contains(text, `\u`)
}

// open decrypts. When nothing fits, it looks once more whether another replica has changed token or key meanwhile.
func (s *Service) open(ctx context.Context, p push, encrypt string, isJSON bool) (authentic, error) {
	o := authentic{json: isJSON}
	err := s.withCipher(ctx, func(c *msgcrypt.Cipher) (err error) {
		o.cipher = c
		o.opened, err = c.Open(p.timestamp, p.nonce, p.msgSignature, encrypt)
		return err
	})
	if err != nil {
		return authentic{}, err
	}
	o.plaintext = o.opened.Plaintext
	o.text = legible(o.plaintext)
	o.fields, err = parseFields(o.text)
	return o, err
}

// verifyEcho checks the signature of a GET with echostr.
func (s *Service) verifyEcho(ctx context.Context, timestamp, nonce, signature string) error {
	return s.withCipher(ctx, func(c *msgcrypt.Cipher) error {
		if !c.VerifyPlain(timestamp, nonce, signature) {
			return msgcrypt.ErrSignature
		}
		return nil
	})
}

// withCipher runs fn with the keys at hand, and again with fresh ones when it failed and those at hand are not quite new.
func (s *Service) withCipher(ctx context.Context, fn func(*msgcrypt.Cipher) error) error {
	var tried *msgcrypt.Cipher
	var failure error
	for _, maxAge := range []time.Duration{cipherMaxAge, cipherMinAge} {
		c, err := s.ciphers.get(ctx, s.now(), maxAge, s.loadCipher)
		switch {
		case err != nil:
			return err
		case c == nil:
			failure = errNoKeys
			continue
		case c == tried:
			continue
		}
		if failure = fn(c); failure == nil {
			return nil
		}
		tried = c
	}
	return fmt.Errorf("%w: %w", ErrNotAuthentic, failure)
}

var errNoKeys = errors.New("message token or AES key is not set")

// loadCipher makes the cipher of the keys in force; nil when there are none.
func (s *Service) loadCipher(ctx context.Context) (*msgcrypt.Cipher, error) {
	creds := credentials{messageToken: s.cfg.EnvMessageToken, aesKey: s.cfg.EnvAESKey}
	if creds.messageToken.IsZero() || creds.aesKey.IsZero() { // else no database is needed to refuse a forged push
		var err error
		if creds, err = s.credentials(ctx); err != nil {
			return nil, err
		}
	}
	if creds.messageToken.IsZero() || creds.aesKey.IsZero() {
		return nil, nil //nolint:nilnil // no keys is a state, not a failure
	}
	key, err := msgcrypt.NewKey(creds.messageToken.Reveal(), creds.aesKey.Reveal())
	if err != nil {
		return nil, fmt.Errorf("message keys: %w", err)
	}
	keys := []msgcrypt.Key{key}
	for i := range max(len(creds.earlierTokens), len(creds.earlierAESKeys)) {
		// The cipher tries every token with every AES key, so it does not matter which make a pair.
		token, aesKey := creds.messageToken, creds.aesKey
		if i < len(creds.earlierTokens) {
			token = creds.earlierTokens[i]
		}
		if i < len(creds.earlierAESKeys) {
			aesKey = creds.earlierAESKeys[i]
		}
		earlier, err := msgcrypt.NewKey(token.Reveal(), aesKey.Reveal())
		if err != nil {
			return nil, fmt.Errorf("earlier message keys: %w", err)
		}
		keys = append(keys, earlier)
	}
	c, err := msgcrypt.New(s.cfg.AppID, keys...)
	if err != nil {
		return nil, fmt.Errorf("message keys: %w", err)
	}
	return c, nil
}

const (
	cipherMaxAge = 10 * time.Second // after that the keys are read again
	cipherMinAge = time.Second      // no more often than this, however many forged pushes come
)

// cipherLoadTimeout is well below the five seconds WeChat waits.
const cipherLoadTimeout = 3 * time.Second

// cipherCache keeps the keys at hand, so that a push costs no extra query and a forged one hardly anything.
type cipherCache struct {
	loads singleflight.Group

	mu       sync.Mutex
	cipher   *msgcrypt.Cipher // nil when no keys are set
	loadedAt time.Time
	loaded   bool
}

// get gives the cipher if it is younger than maxAge, else loads it, once for all who ask. While the database is away an
// older one still serves, except to find out whether the keys have changed.
func (c *cipherCache) get(ctx context.Context, now time.Time, maxAge time.Duration,
	load func(context.Context) (*msgcrypt.Cipher, error),
) (*msgcrypt.Cipher, error) {
	c.mu.Lock()
	cipher, loaded, age := c.cipher, c.loaded, now.Sub(c.loadedAt)
	c.mu.Unlock()
	if loaded && age >= 0 && age < maxAge {
		return cipher, nil
	}
	flight := c.loads.DoChan("", func() (any, error) {
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), cipherLoadTimeout)
		defer cancel()
		fresh, err := load(ctx)
		if err != nil {
			return nil, err
		}
		c.mu.Lock()
		defer c.mu.Unlock()
		c.cipher, c.loadedAt, c.loaded = fresh, now, true
		return fresh, nil
	})
	select {
	case <-ctx.Done():
		return nil, context.Cause(ctx)
	case r := <-flight:
		if r.Err != nil {
			if loaded && maxAge == cipherMaxAge {
				return cipher, nil
			}
			return nil, r.Err
		}
		return r.Val.(*msgcrypt.Cipher), nil
	}
}

// forget makes the next push read the keys again.
func (c *cipherCache) forget() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.loaded = false
}

// forwarder reports whether the sender has proven to be a message forwarder of ours: by its token or by the address of
// the connection itself. Headers that name an address prove nothing.
func (s *Service) forwarder(p push) bool {
	if !s.cfg.ForwarderToken.IsZero() {
		want := sha256.Sum256([]byte(s.cfg.ForwarderToken.Reveal()))
		for _, proof := range p.proofs {
			got := sha256.Sum256([]byte(proof)) // equal lengths, so that the time tells nothing
			if subtle.ConstantTimeCompare(want[:], got[:]) == 1 {
				return true
			}
		}
	}
	for _, prefix := range s.cfg.ForwarderCIDRs {
		if prefix.Contains(p.peer.Unmap()) {
			return true
		}
	}
	return false
}
