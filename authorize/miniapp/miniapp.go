// Package miniapp serves the merchants' mini programs: who is the user that calls, and what is the user's phone number.
//
// Behind WeChat Cloud Run the gateway says who calls (X-WX-…). On an ordinary server a code of wx.login is exchanged for
// a session token. Only mini programs that have authorized this platform are served.
package miniapp

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"strings"
	"sync"
	"time"

	"github.com/wxsteward/wxsteward/internal/fault"
	"github.com/wxsteward/wxsteward/internal/postgres"
	"github.com/wxsteward/wxsteward/internal/sealed"
	"github.com/wxsteward/wxsteward/internal/settings"
	"github.com/wxsteward/wxsteward/internal/wechat"
)

// Config says how callers are recognised.
type Config struct {
	// TrustGateway believes X-WX-… headers: WeChat's gateway is in front of us (cloudrun mode). Else anybody can send them.
	TrustGateway bool
	// SessionLife is how long a session token is good for; 24h.
	SessionLife time.Duration
	Now         func() time.Time
	Logger      *slog.Logger
}

// merchants is the part of package authorize that is needed here.
type merchants interface {
	CheckAuthorized(ctx context.Context, appid string) error
	API(appid string) *wechat.Authorizer
}

// platform is the part of package component that is needed here.
type platform interface {
	API() *wechat.Component
}

// Deps are the parts a Service works with; all are required.
type Deps struct {
	DB        postgres.DB
	Keys      *sealed.Keyring
	Merchants merchants
	Platform  platform
}

// Service answers mini programs. It is safe for concurrent use.
type Service struct {
	cfg       Config
	db        postgres.DB
	keys      *sealed.Keyring
	settings  *settings.Store
	merchants merchants
	platform  platform
	failures  *failures

	keyMu    sync.Mutex
	sessions *sealed.Keyring
}

// New makes a Service.
func New(cfg Config, deps Deps) *Service {
	if cfg.SessionLife <= 0 {
		cfg.SessionLife = 24 * time.Hour
	}
	if cfg.Now == nil {
		cfg.Now = time.Now
	}
	if cfg.Logger == nil {
		cfg.Logger = slog.New(slog.DiscardHandler)
	}
	return &Service{
		cfg: cfg, db: deps.DB, keys: deps.Keys, settings: settings.New(deps.DB, deps.Keys), merchants: deps.Merchants, platform: deps.Platform,
		failures: newFailures(cfg.Now),
	}
}

// The values of Identity.Source.
const (
	SourceCallContainer = "callcontainer" // WeChat's gateway, for a mini program of this environment's own account
	SourceShared        = "shared"        // WeChat's gateway, for a mini program that the environment is shared with
	SourceLogin         = "login"         // a session token of ours
)

// Identity is a user of a mini program.
type Identity struct {
	AppID   string `json:"appid"`
	OpenID  string `json:"openid"`
	UnionID string `json:"unionid,omitempty"`
	Source  string `json:"source"`
}

// fromGateway reads what WeChat's gateway says. Where an environment is shared, the second trio is about the mini program
// that calls, and the first about the environment's own account, if it is there at all.
func fromGateway(h http.Header) (Identity, bool) {
	for _, trio := range []struct{ prefix, source string }{{"X-WX-FROM-", SourceShared}, {"X-WX-", SourceCallContainer}} {
		id := Identity{AppID: h.Get(trio.prefix + "APPID"), OpenID: h.Get(trio.prefix + "OPENID"), UnionID: h.Get(trio.prefix + "UNIONID"), Source: trio.source}
		if id.AppID != "" && id.OpenID != "" {
			return id, true
		}
		if id.AppID != "" || id.OpenID != "" {
			return Identity{}, false // half an identity is none
		}
	}
	return Identity{}, false
}

func unauthenticated() error {
	return fault.New(fault.Unauthenticated, "Nobody is known behind this call. Sign in with wx.login and POST /miniapp/login.")
}

// Who finds out whose call r is. It fails with fault.Unauthenticated where nobody says, and with fault.Forbidden where the
// mini program is not one of our merchants'.
func (s *Service) Who(r *http.Request) (Identity, error) {
	id, err := s.recognise(r)
	if err != nil {
		return Identity{}, err
	}
	return id, s.served(r.Context(), id.AppID)
}

func (s *Service) recognise(r *http.Request) (Identity, error) {
	if s.cfg.TrustGateway {
		if id, ok := fromGateway(r.Header); ok {
			return id, nil
		}
	}
	token, ok := bearer(r.Header)
	if !ok {
		return Identity{}, unauthenticated()
	}
	return s.open(r.Context(), token)
}

// served fails with fault.Forbidden for a mini program that is not on record, or has withdrawn its authorization.
func (s *Service) served(ctx context.Context, appid string) error {
	err := s.merchants.CheckAuthorized(ctx, appid)
	if fe, ok := errors.AsType[*fault.Error](err); ok && (fe.Kind == fault.NotFound || fe.Kind == fault.Unauthorized) {
		return fault.Wrap(err, fault.Forbidden, "This mini program has not authorized the platform.")
	}
	return err
}

// tokenPrefix tells session tokens from API keys (wxs_) at a glance.
const (
	tokenPrefix  = "wxm_"
	tokenPurpose = "miniapp session"
)

// session is what a token holds, sealed: it needs no table, and any replica can read it.
type session struct {
	AppID   string `json:"a"`
	OpenID  string `json:"o"`
	UnionID string `json:"u,omitempty"`
	Expires int64  `json:"e"` // Unix seconds
}

func bearer(h http.Header) (sealed.Secret, bool) {
	scheme, token, _ := strings.Cut(h.Get("Authorization"), " ")
	token = strings.TrimSpace(token)
	if !strings.EqualFold(scheme, "Bearer") || !strings.HasPrefix(token, tokenPrefix) {
		return sealed.Secret{}, false
	}
	return sealed.New(token), true
}

func errOver() error {
	return fault.New(fault.Unauthenticated, "The session is over or not valid. Sign in again with wx.login and POST /miniapp/login.")
}

func (s *Service) open(ctx context.Context, token sealed.Secret) (Identity, error) {
	box, err := base64.RawURLEncoding.DecodeString(strings.TrimPrefix(token.Reveal(), tokenPrefix))
	if err != nil {
		return Identity{}, errOver()
	}
	text, err := s.unseal(ctx, box)
	if err != nil {
		return Identity{}, err
	}
	var in session
	if json.Unmarshal([]byte(text.Reveal()), &in) != nil || s.cfg.Now().Unix() >= in.Expires {
		return Identity{}, errOver()
	}
	return Identity{AppID: in.AppID, OpenID: in.OpenID, UnionID: in.UnionID, Source: SourceLogin}, nil
}

// Session is a session token with its end.
type Session struct {
	Token     sealed.Secret
	ExpiresAt time.Time
}

// Codes of WeChat for a code of wx.login that stands for nobody.
const (
	codeWrong   = 40029
	codeUsed    = 40163
	codeMissing = 41008
	callsLimit  = 45011
)

// Login exchanges a code of wx.login for a session. from is the address that asked: one that goes on bringing wrong codes
// is made to wait. It fails with fault.Forbidden for a mini program that is not one of our merchants' and with
// fault.Unauthenticated for a code that stands for nobody.
func (s *Service) Login(ctx context.Context, appid string, code sealed.Secret, from string) (Session, error) {
	if err := s.served(ctx, appid); err != nil {
		return Session{}, err
	}
	if wait := s.failures.wait(from); wait > 0 {
		return Session{}, &fault.Error{Kind: fault.TooMany, RetryAfter: wait}
	}
	user, err := s.platform.API().CodeToSession(ctx, appid, code)
	switch {
	case wechat.IsCode(err, codeWrong, codeUsed, codeMissing):
		s.failures.note(from)
		return Session{}, fault.Wrap(err, fault.Unauthenticated, "This code is wrong, used or older than five minutes. Call wx.login again.")
	case wechat.IsCode(err, callsLimit):
		return Session{}, &fault.Error{Kind: fault.TooMany, RetryAfter: time.Minute, Err: err}
	case err != nil:
		return Session{}, fmt.Errorf("sign in to %s: %w", appid, err)
	}
	expires := s.cfg.Now().Add(s.cfg.SessionLife).Truncate(time.Second)
	text, err := json.Marshal(session{appid, user.OpenID, user.UnionID, expires.Unix()})
	if err != nil {
		return Session{}, err
	}
	keys, err := s.sessionKeys(ctx)
	if err != nil {
		return Session{}, err
	}
	box, err := keys.Seal(sealed.New(string(text)), tokenPurpose)
	if err != nil {
		return Session{}, fmt.Errorf("seal session: %w", err)
	}
	return Session{sealed.New(tokenPrefix + base64.RawURLEncoding.EncodeToString(box)), expires}, nil
}

// Phone reads a user's phone number by a code or a cloud id of the phone number button; one of the two is given.
func (s *Service) Phone(ctx context.Context, id Identity, code, cloudID sealed.Secret) (wechat.Phone, error) {
	if code.IsZero() == cloudID.IsZero() {
		return wechat.Phone{}, fault.Invalid("body", "Send either code or cloud_id, as the phone number button gave it.", nil)
	}
	from := ""
	if id.Source == SourceShared {
		from = id.AppID
	}
	var phone wechat.Phone
	var err error
	if !code.IsZero() {
		phone, err = s.merchants.API(id.AppID).PhoneNumber(ctx, code, from)
	} else {
		if id.Source == SourceLogin {
			from = id.AppID // the environment need not be its own
		}
		phone, err = s.platform.API().OpenDataPhone(ctx, id.OpenID, cloudID, from)
	}
	switch {
	case errors.Is(err, wechat.ErrOnlyInCloud):
		return wechat.Phone{}, fault.Invalid("body.cloud_id", "WeChat reads a cloud_id only in WeChat Cloud Run, and not with WX_COMPONENT_TRANSPORT=token. Send code instead.", nil)
	case wechat.IsCode(err, codeWrong, codeUsed), err == nil && phone.Number == "", err == nil && phone.AppID != "" && phone.AppID != id.AppID:
		return wechat.Phone{}, &fault.Error{
			Kind: fault.Validation, Err: err, Format: "WeChat gives no phone number for this; it is wrong, used or older than five minutes. Let the user press the button again.",
		}
	case wechat.IsCode(err, callsLimit):
		return wechat.Phone{}, &fault.Error{Kind: fault.TooMany, RetryAfter: time.Minute, Err: err}
	case err != nil:
		return wechat.Phone{}, fmt.Errorf("phone number in %s: %w", id.AppID, err)
	}
	return phone, nil
}

// Identify gives the X-WX-… headers for the call r, as WeChat's gateway would; nil where nobody is known. The pass-through
// proxy puts them in place of what a client sent.
func (s *Service) Identify(r *http.Request) http.Header {
	if _, ok := bearer(r.Header); !ok && !s.cfg.TrustGateway {
		return nil // most calls; without a look into the database
	}
	if s.cfg.TrustGateway {
		if _, ok := fromGateway(r.Header); ok {
			return nil // they are there, from the gateway itself
		}
	}
	id, err := s.Who(r)
	if err != nil {
		return nil // a stranger, as far as the business system is concerned
	}
	h := http.Header{}
	h.Set("X-Wx-Openid", id.OpenID)
	h.Set("X-Wx-Appid", id.AppID)
	if id.UnionID != "" {
		h.Set("X-Wx-Unionid", id.UnionID)
	}
	return h
}
