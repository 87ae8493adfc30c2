// Package adminauth decides who may use the admin API: administrators with a password and a session, API keys, roles,
// the lock-out of guessers, the audit log of what was done, and calls that must not be done twice.
package adminauth

import (
	"context"
	"log/slog"
	"sync"
	"time"

	"golang.org/x/time/rate"

	"github.com/wxsteward/wxsteward/internal/postgres"
	"github.com/wxsteward/wxsteward/internal/sealed"
	"github.com/wxsteward/wxsteward/internal/settings"
)

// Names of the cookies, for whoever passes requests on to others and must not pass these.
const (
	SessionCookie = "wxsteward_session"
	// HostSessionCookie takes its place over https: browsers take one of this name from our own host only, and over https.
	HostSessionCookie = "__Host-" + SessionCookie
	CSRFCookie        = "csrf"
)

const (
	sessionLifetime = 12 * time.Hour
	sessionKeyName  = "session_key"

	// maxQueue is how many sign-ins may be under way in this process; more are told to come back.
	maxQueue = 64
	// maxReserving bounds the database connections that a burst of sign-ins holds.
	maxReserving = 4
)

// Config is what a Service needs.
type Config struct {
	DB   postgres.DB
	Keys *sealed.Keyring
	// Now is the clock; nil means time.Now.
	Now func() time.Time
	// Logger gets failures that no caller sees; nil drops them.
	Logger *slog.Logger
	// SecureCookie keeps the cookies off plain HTTP: set it when PUBLIC_URL is https.
	SecureCookie bool
	// PublicOrigin is scheme and host of PUBLIC_URL, from which browsers may sign in; others only from our own host.
	PublicOrigin string
}

// Service holds no state that another replica would miss.
type Service struct {
	db       postgres.DB
	keys     *sealed.Keyring
	settings *settings.Store
	now      func() time.Time
	log      *slog.Logger
	secure   bool
	origin   string

	hasher    *hasher
	queue     chan struct{}
	reserving chan struct{}
	// anonymous bounds the audit entries that callers without a user can make us write.
	anonymous *rate.Limiter

	keyMu sync.Mutex
	key   sealed.Secret
}

// New makes a Service. It does not touch the database.
func New(cfg Config) *Service {
	if cfg.Now == nil {
		cfg.Now = time.Now
	}
	if cfg.Logger == nil {
		cfg.Logger = slog.New(slog.DiscardHandler)
	}
	return &Service{
		db: cfg.DB, keys: cfg.Keys, settings: settings.New(cfg.DB, cfg.Keys), now: cfg.Now, log: cfg.Logger,
		secure: cfg.SecureCookie, origin: cfg.PublicOrigin,
		hasher: newHasher(), queue: make(chan struct{}, maxQueue), reserving: make(chan struct{}, maxReserving),
		anonymous: rate.NewLimiter(1, 1000),
	}
}

// sessionKey signs sessions. It is made once, kept sealed in the settings, and so shared by replicas and restarts.
func (s *Service) sessionKey(ctx context.Context) (sealed.Secret, error) {
	s.keyMu.Lock()
	defer s.keyMu.Unlock()
	if !s.key.IsZero() {
		return s.key, nil
	}
	key, found, err := s.settings.GetSecret(ctx, sessionKeyName)
	if err == nil && !found {
		key, err = s.settings.PutSecretOnce(ctx, s.db, sessionKeyName, sealed.New(randomText(32)))
	}
	if err != nil {
		return sealed.Secret{}, err
	}
	s.key = key
	return key, nil
}
