// Package register brings new mini programs into being: WeChat is asked to register one, its future owner confirms behind
// an address that lives for 24 hours, and the mini program ends as an authorized merchant with its biz id.
//
// WeChat's answer names a task, its event names the owner's data, an ordinary authorization event may be all that comes,
// or nothing at all. A Registration is a row that all of these come together in; it is also asked about.
package register

import (
	"context"
	"log/slog"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/riverqueue/river"

	"github.com/wxsteward/wxsteward/authorize"
	"github.com/wxsteward/wxsteward/authorize/refusal"
	"github.com/wxsteward/wxsteward/authorize/turn"
	"github.com/wxsteward/wxsteward/internal/postgres"
	"github.com/wxsteward/wxsteward/internal/sealed"
	"github.com/wxsteward/wxsteward/internal/settings"
	"github.com/wxsteward/wxsteward/internal/wechat"
)

// Config holds the tunables; zero ones take the default.
type Config struct {
	Poll      time.Duration // how often a task is asked about; 1m
	RetryBase time.Duration // first pause after a transient failure; 5s
	Now       func() time.Time
	Logger    *slog.Logger
}

// merchants is the part of package authorize that is needed here.
type merchants interface {
	CheckAuthorized(ctx context.Context, appid string) error
	API(appid string) *wechat.Authorizer
	ReceiveCode(ctx context.Context, appid string, code sealed.Secret, at time.Time) error
	Bind(ctx context.Context, tx pgx.Tx, appid, bizID string, labels []string) error
	RefreshSoon(ctx context.Context, tx pgx.Tx, appid string) error
	Newcomers(ctx context.Context, since time.Time, registerTypes []int) ([]authorize.Authorizer, error)
	Get(ctx context.Context, appid string) (authorize.Authorizer, error)
	StartSync(ctx context.Context, by string) (authorize.Sync, error)
	Syncs(ctx context.Context, limit int) ([]authorize.Sync, error)
	pages
}

// platform is the part of package component that is needed here.
type platform interface {
	AppID() string
	API() *wechat.Component
}

// queue is where jobs go, in the transaction of what they follow from.
type queue interface {
	InsertTx(ctx context.Context, tx pgx.Tx, args river.JobArgs, opts *river.InsertOpts) error
}

// Deps are the parts a Service works with; all are required.
type Deps struct {
	DB        postgres.DB
	Keys      *sealed.Keyring
	Merchants merchants
	Platform  platform
	Settings  *settings.Store
	Locker    turn.Locker
	Queue     queue
}

// Service registers mini programs. It is safe for concurrent use.
type Service struct {
	cfg       Config
	db        postgres.DB
	keys      *sealed.Keyring
	merchants merchants
	platform  platform
	settings  *settings.Store
	locks     turn.Locker
	queue     queue
}

// New makes a Service. Register its jobs and API, and OnAuthorized with package authorize, before anything starts.
func New(cfg Config, deps Deps) *Service {
	if cfg.Poll <= 0 {
		cfg.Poll = time.Minute
	}
	if cfg.RetryBase <= 0 {
		cfg.RetryBase = 5 * time.Second
	}
	if cfg.Now == nil {
		cfg.Now = time.Now
	}
	if cfg.Logger == nil {
		cfg.Logger = slog.New(slog.DiscardHandler)
	}
	return &Service{
		cfg: cfg, db: deps.DB, keys: deps.Keys, merchants: deps.Merchants, platform: deps.Platform, settings: deps.Settings, locks: deps.Locker, queue: deps.Queue,
	}
}

// The states of a Registration.
const (
	statePending   = "pending"   // written down, not asked yet
	stateSent      = "sent"      // the call may have reached WeChat
	stateWaiting   = "waiting"   // for the owner to confirm
	stateCreated   = "created"   // the mini program is there; its authorization is not
	stateCompleted = "completed" // it is a merchant with its biz id
	stateFailed    = "failed"
	stateExpired   = "expired"  // nobody confirmed within 24 hours
	stateCanceled  = "canceled" // an operator follows it no longer
)

// Registration is one mini program on its way.
type Registration struct {
	ID         string
	Kind       string
	BizID      string
	Labels     []string
	Request    map[string]string // by WeChat's names
	AppID      string            // of the trial mini program to convert, else of the new one once known
	State      string
	URL        string // where the owner confirms
	Status     *int   // of the task, as WeChat numbers it; nil: not told
	Result     *int   // of the event; 0 is success
	Msg        string // WeChat's words
	Refusal    refusal.Refusal
	CreatedBy  string
	CreatedAt  time.Time
	NextAt     time.Time
	ExpiresAt  *time.Time // of URL
	FinishedAt *time.Time
	// VerifyCopied tells that the official account's verification holds for the new mini program, Linked that the two accounts are
	// linked; nil: not known, or another kind.
	VerifyCopied, Linked *bool

	seq      int64
	subject  string
	task     string
	attempts int
	voucher  []byte     // see kind.voucher; sealed
	round    int        // vouchers so far
	sentAt   *time.Time // when the last call left
}

func (r Registration) open() bool {
	switch r.State {
	case statePending, stateSent, stateWaiting, stateCreated:
		return true
	}
	return false
}

func (s *Service) inTx(ctx context.Context, fn func(tx pgx.Tx) error) error {
	return pgx.BeginFunc(ctx, s.db, fn)
}
