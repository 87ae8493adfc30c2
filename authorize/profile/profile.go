// Package profile is what a provider does for one merchant by hand: testers, categories, name, avatar and introduction,
// the state of search and service, QR codes, the ICP filing and privacy interfaces.
//
// Calls that change something take the merchant's turn, so they never meet those of a rollout. What WeChat reviews is a
// row (Change) that is followed by WeChat's event and by asking.
package profile

import (
	"context"
	"log/slog"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/riverqueue/river"

	"github.com/wxsteward/wxsteward/authorize/turn"
	"github.com/wxsteward/wxsteward/internal/postgres"
	"github.com/wxsteward/wxsteward/internal/wechat"
)

// Config holds the tunables; zero ones take the default.
type Config struct {
	// Poll is how often a review at WeChat is asked about; 10m.
	Poll   time.Duration
	Now    func() time.Time
	Logger *slog.Logger
}

// merchants is the part of package authorize that is needed here.
type merchants interface {
	CheckAuthorized(ctx context.Context, appid string) error
	API(appid string) *wechat.Authorizer
	RefreshSoon(ctx context.Context, tx pgx.Tx, appid string) error
}

// queue is where jobs go, in the transaction of what they follow from.
type queue interface {
	InsertTx(ctx context.Context, tx pgx.Tx, args river.JobArgs, opts *river.InsertOpts) error
}

// Deps are the parts a Service works with; all are required.
type Deps struct {
	DB        postgres.DB
	Merchants merchants
	Locker    turn.Locker
	Queue     queue
}

// Service does what operators ask for one merchant. It is safe for concurrent use.
type Service struct {
	cfg       Config
	db        postgres.DB
	merchants merchants
	locks     turn.Locker
	queue     queue
}

// New makes a Service. Register its jobs and API before anything starts.
func New(cfg Config, deps Deps) *Service {
	if cfg.Poll <= 0 {
		cfg.Poll = 10 * time.Minute
	}
	if cfg.Now == nil {
		cfg.Now = time.Now
	}
	if cfg.Logger == nil {
		cfg.Logger = slog.New(slog.DiscardHandler)
	}
	return &Service{cfg: cfg, db: deps.DB, merchants: deps.Merchants, locks: deps.Locker, queue: deps.Queue}
}

// read makes calls that change nothing, beside whatever else goes on for the merchant.
func (s *Service) read(ctx context.Context, appid string, fn func(ctx context.Context, api *wechat.Authorizer) error) error {
	if err := s.merchants.CheckAuthorized(ctx, appid); err != nil {
		return err
	}
	return turn.Read(ctx, s.locks, appid, func(ctx context.Context) error { return fn(ctx, s.merchants.API(appid)) })
}

// write makes calls that change something, when it is the merchant's turn.
func (s *Service) write(ctx context.Context, appid string, fn func(ctx context.Context, api *wechat.Authorizer) error) error {
	if err := s.merchants.CheckAuthorized(ctx, appid); err != nil {
		return err
	}
	return turn.Take(ctx, s.locks, appid, func(ctx context.Context) error { return fn(ctx, s.merchants.API(appid)) })
}

// settled is the outcome of a call that makes something so. Where the answer was lost, what WeChat shows decides; what is
// so already is no failure.
func settled(err error, holds func() (bool, error)) error {
	if err == nil || wechat.ClassOf(err) == wechat.ClassDone {
		return nil
	}
	if wechat.OutcomeUnknown(err) {
		if so, readErr := holds(); readErr == nil && so {
			return nil
		}
	}
	return err
}

func (s *Service) inTx(ctx context.Context, fn func(tx pgx.Tx) error) error {
	return pgx.BeginFunc(ctx, s.db, fn)
}
