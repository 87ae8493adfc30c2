// Package authorize binds merchants: a link leads a merchant's administrator to WeChat, the authorization code that
// comes back by redirect or by event is exchanged once for tokens, and the merchant is kept under the business
// system's own id.
package authorize

import (
	"context"
	"errors"
	"log/slog"
	"net/url"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"
	"golang.org/x/time/rate"

	"github.com/wxsteward/wxsteward/component"
	"github.com/wxsteward/wxsteward/internal/live"
	"github.com/wxsteward/wxsteward/internal/postgres"
	"github.com/wxsteward/wxsteward/internal/sealed"
	"github.com/wxsteward/wxsteward/internal/tokenstore"
	"github.com/wxsteward/wxsteward/internal/wechat"
)

// Codes of WeChat this package decides by; everything else goes through wechat.ClassOf and wechat.Explain.
const (
	unknownAppID   = 40013
	notAuthorized  = 61003 // component is not authorized by this account
	codeInvalid    = 61009 // authorization code unknown or used
	codeExpired    = 61010
	refreshInvalid = 61023
	refreshMissing = 41003
	refreshUnknown = 40030
	refreshExpired = 42002
	passwordChange = 42007
	minuteQuota    = 45011
)

// Config is what the package needs to know. PublicURL is required.
type Config struct {
	PublicURL *url.URL // scheme and host that merchants and WeChat see
	// MPBaseURL and OpenBaseURL are the hosts of WeChat's PC and H5 pages; they may have a path.
	// Empty: https://mp.weixin.qq.com and https://open.weixin.qq.com.
	MPBaseURL, OpenBaseURL string
	// RetryBase is the first pause after a transient failure of a WeChat call; 0 means 5 s.
	RetryBase time.Duration
	// SyncRate is how many merchants a synchronization asks WeChat about in a second; 0 means 20.
	SyncRate float64
	// CallbackWait is how long a redirected browser waits for the exchange; 0 means 10 s.
	CallbackWait time.Duration
	Now          func() time.Time // nil: time.Now
	Logger       *slog.Logger     // nil: discarded
}

// platform is the part of package component that is needed here.
type platform interface {
	AppID() string
	API() *wechat.Component
	ReturnURLAllowed(ctx context.Context, rawURL string) error
	Profile(ctx context.Context) (component.Profile, error)
	Logo(ctx context.Context) (component.Logo, bool, error)
}

// locker is the part of postgres.Locker that is needed here.
type locker interface {
	Try(ctx context.Context, key string, fn func(ctx context.Context) error) (got bool, err error)
}

// Deps are the parts the package works with; all but Announcer are required.
type Deps struct {
	DB        postgres.DB
	Keys      *sealed.Keyring
	Tokens    *tokenstore.Store
	WeChat    *wechat.Client
	Component platform
	Queue     queue
	Locker    locker
	Hub       *live.Hub
	// Announcer tells staff; nil: nobody is told.
	Announcer component.Announcer
}

// Service binds merchants and answers for them. It is safe for concurrent use.
type Service struct {
	Config
	db        postgres.DB
	keys      *sealed.Keyring
	tokens    *tokenstore.Store
	client    *wechat.Client
	component platform
	queue     queue
	locker    locker
	hub       *live.Hub
	announcer component.Announcer // nil: nobody is told

	totals   totals
	holds    holds // quotas used up
	resting  holds // tokens that could not be refreshed ahead
	syncPace *rate.Limiter

	withdrawn  []func(ctx context.Context, tx pgx.Tx, appid string) error
	authorized []func(ctx context.Context, tx pgx.Tx, appid string) error
	histories  []History

	pages     *pages
	visits    *limiter // of any public page, by address
	opens     *limiter // of launch pages, by address
	linkOpens *limiter // of launch pages, by link
	callbacks *limiter // of unproven authorization codes, by address
}

// New makes a Service. Register its jobs, routes and API before anything starts.
func New(cfg Config, deps Deps) *Service {
	if cfg.MPBaseURL == "" {
		cfg.MPBaseURL = "https://mp.weixin.qq.com"
	}
	if cfg.OpenBaseURL == "" {
		cfg.OpenBaseURL = "https://open.weixin.qq.com"
	}
	cfg.MPBaseURL, cfg.OpenBaseURL = strings.TrimRight(cfg.MPBaseURL, "/"), strings.TrimRight(cfg.OpenBaseURL, "/")
	if cfg.RetryBase <= 0 {
		cfg.RetryBase = 5 * time.Second
	}
	if cfg.SyncRate <= 0 {
		cfg.SyncRate = 20
	}
	if cfg.CallbackWait <= 0 {
		cfg.CallbackWait = 10 * time.Second
	}
	if cfg.Now == nil {
		cfg.Now = time.Now
	}
	if cfg.Logger == nil {
		cfg.Logger = slog.New(slog.DiscardHandler)
	}
	s := &Service{
		Config: cfg,
		db:     deps.DB, keys: deps.Keys, tokens: deps.Tokens, client: deps.WeChat, component: deps.Component,
		queue: deps.Queue, locker: deps.Locker, hub: deps.Hub, announcer: deps.Announcer,
		visits:    newLimiter(1200, 50*time.Millisecond, cfg.Now),
		syncPace:  rate.NewLimiter(rate.Limit(cfg.SyncRate), 1),
		opens:     newLimiter(600, 200*time.Millisecond, cfg.Now),
		linkOpens: newLimiter(120, 5*time.Second, cfg.Now),
		callbacks: newLimiter(300, 2*time.Second, cfg.Now),
	}
	s.pages = &pages{s: s, templates: parsePages()}
	return s
}

// OnWithdrawn adds fn, which is called in the transaction that marks a merchant as unauthorized. Call it before
// anything starts.
func (s *Service) OnWithdrawn(fn func(ctx context.Context, tx pgx.Tx, appid string) error) {
	s.withdrawn = append(s.withdrawn, fn)
}

func (s *Service) inTx(ctx context.Context, fn func(tx pgx.Tx) error) error {
	return pgx.BeginFunc(ctx, s.db, fn)
}

func tokenKey(appid string) string { return "authorizer:" + appid }

var (
	// errNeedsReauthorization means that WeChat takes none of our refresh tokens for a merchant.
	errNeedsReauthorization = errors.New("the merchant has to authorize again")
	// errMoved means that somebody else changed a row between reading and writing; read it again.
	errMoved = errors.New("changed meanwhile")
)
