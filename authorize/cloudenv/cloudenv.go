// Package cloudenv is about the platform's cloud environments (云开发, 微信云托管): which there are, and which mini programs of
// merchants use them. An environment is offered to many mini programs at once; the administrator of each confirms behind an address,
// and WeChat is asked until that has happened.
package cloudenv

import (
	"context"
	"log/slog"
	"slices"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/riverqueue/river"

	"github.com/wxsteward/wxsteward/authorize"
	"github.com/wxsteward/wxsteward/authorize/turn"
	"github.com/wxsteward/wxsteward/internal/fault"
	"github.com/wxsteward/wxsteward/internal/postgres"
	"github.com/wxsteward/wxsteward/internal/wechat"
)

// Config holds the tunables; zero ones take the default.
type Config struct {
	Poll      time.Duration // how often WeChat is asked whether an administrator has confirmed; 10m
	RetryBase time.Duration // first pause after a call without an answer; 5s
	Now       func() time.Time
	Logger    *slog.Logger
}

// merchants is the part of package authorize that is needed here.
type merchants interface {
	CheckAuthorized(ctx context.Context, appid string) error
	Targets(ctx context.Context, q authorize.TargetQuery) (targets []authorize.Target, unknown []string, err error)
	API(appid string) *wechat.Authorizer
}

// platform is the part of package component that is needed here.
type platform interface {
	API() *wechat.Component
}

// queue is where jobs go, in the transaction of what they follow from.
type queue interface {
	InsertTx(ctx context.Context, tx pgx.Tx, args river.JobArgs, opts *river.InsertOpts) error
}

// Deps are the parts a Service works with; all are required.
type Deps struct {
	DB        postgres.DB
	Merchants merchants
	Platform  platform
	Locker    turn.Locker
	Queue     queue
}

// Service is safe for concurrent use.
type Service struct {
	cfg       Config
	db        postgres.DB
	merchants merchants
	platform  platform
	locks     turn.Locker
	queue     queue
}

// New makes a Service. Register its jobs and API, and Withdrawn with package authorize, before anything starts.
func New(cfg Config, deps Deps) *Service {
	if cfg.Poll <= 0 {
		cfg.Poll = 10 * time.Minute
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
	return &Service{cfg: cfg, db: deps.DB, merchants: deps.Merchants, platform: deps.Platform, locks: deps.Locker, queue: deps.Queue}
}

// Listing is what WeChat tells about environments: both kinds are asked for, and one may be refused.
type Listing struct {
	Envs    []wechat.CloudEnv
	Refused map[wechat.CloudKind]error
}

// List asks WeChat for the platform's environments. It fails only when neither kind can be listed.
func (s *Service) List(ctx context.Context) (Listing, error) {
	api := s.platform.API()
	l := Listing{Refused: map[wechat.CloudKind]error{}}
	var last error
	for _, source := range []struct {
		kind wechat.CloudKind
		list func(context.Context) ([]wechat.CloudEnv, error)
	}{{wechat.CloudBase, api.CloudEnvs}, {wechat.CloudRun, api.CloudRunEnvs}} {
		envs, err := source.list(ctx)
		if err != nil {
			l.Refused[source.kind], last = err, err
		}
		l.Envs = append(l.Envs, envs...)
	}
	const kinds = 2
	if len(l.Refused) == kinds {
		return Listing{}, last
	}
	return l, nil
}

// Order is an environment to be made.
type Order struct {
	Kind      wechat.CloudKind
	Alias     string
	VPCID     string   // 微信云托管 only, like SubnetIDs
	SubnetIDs []string // of that private network
}

const createPatience = 15 * time.Second

// Create makes an environment. One with the same alias is a fault.Conflict, so that a call whose answer was lost may be repeated; where
// WeChat's own answer is lost, the list is read again.
func (s *Service) Create(ctx context.Context, o Order) (made wechat.CloudEnv, err error) {
	o.Alias = strings.TrimSpace(o.Alias)
	api := s.platform.API()
	list, create := api.CloudEnvs, func(ctx context.Context) (string, error) { return api.CreateCloudEnv(ctx, o.Alias) }
	if o.Kind == wechat.CloudRun {
		list, create = api.CloudRunEnvs, func(ctx context.Context) (string, error) {
			return api.CreateCloudRunEnv(ctx, o.Alias, o.VPCID, o.SubnetIDs)
		}
	}
	find := func(ctx context.Context) (wechat.CloudEnv, bool, error) {
		envs, err := list(ctx)
		i := slices.IndexFunc(envs, func(e wechat.CloudEnv) bool { return e.Alias == o.Alias })
		if i < 0 {
			return wechat.CloudEnv{}, false, err
		}
		return envs[i], true, nil
	}
	got, err := s.locks.Within(ctx, createPatience, "cloudenv create", func(ctx context.Context) error {
		old, there, err := find(ctx)
		if err != nil {
			return err
		}
		if there {
			return fault.New(fault.Conflict, "There is an environment with the alias %s already: %s.", o.Alias, old.Env)
		}
		env, err := create(ctx)
		if err == nil {
			made = wechat.CloudEnv{Kind: o.Kind, Env: env, Alias: o.Alias}
			return nil
		}
		if !wechat.OutcomeUnknown(err) {
			return err
		}
		if made, there, _ = find(ctx); there {
			return nil
		}
		return err
	})
	if err == nil && !got {
		err = fault.New(fault.Conflict, "Somebody else is making an environment. Try again in a moment.")
	}
	return made, err
}

// Token reads 微信令牌 of an environment.
func (s *Service) Token(ctx context.Context, env string) (wechat.CloudToken, error) {
	return s.platform.API().CloudTokenOf(ctx, env)
}

// SetToken changes it; version is that of the setting which was looked at, so that two operators do not undo each other's work.
func (s *Service) SetToken(ctx context.Context, env string, t wechat.CloudToken) (wechat.CloudToken, error) {
	now, err := s.Token(ctx, env)
	if err != nil {
		return wechat.CloudToken{}, err
	}
	if now.Version != t.Version {
		return wechat.CloudToken{}, fault.New(fault.Conflict, "Somebody else has changed this setting meanwhile. Read it again.")
	}
	return s.platform.API().SetCloudToken(ctx, env, t)
}

// Push reads where WeChat pushes a merchant's messages inside its cloud environment.
func (s *Service) Push(ctx context.Context, appid string) (wechat.CloudPush, error) {
	if err := s.merchants.CheckAuthorized(ctx, appid); err != nil {
		return wechat.CloudPush{}, err
	}
	return s.merchants.API(appid).CloudPush(ctx)
}

// SetPush changes it, when it is the merchant's turn.
func (s *Service) SetPush(ctx context.Context, appid string, p wechat.CloudPush) (wechat.CloudPush, error) {
	if p.Enabled && p.Env == "" {
		return wechat.CloudPush{}, fault.Invalid("body.env", "Say which environment the messages go to.", nil)
	}
	if p.Enabled && !strings.HasPrefix(p.Path, "/") {
		return wechat.CloudPush{}, fault.Invalid("body.path", "A path begins with a slash, e.g. /wxcallback/biz.", p.Path)
	}
	if err := s.merchants.CheckAuthorized(ctx, appid); err != nil {
		return wechat.CloudPush{}, err
	}
	err := turn.Take(ctx, s.locks, appid, func(ctx context.Context) error { return s.merchants.API(appid).SetCloudPush(ctx, p) })
	if err != nil {
		return wechat.CloudPush{}, err
	}
	return s.merchants.API(appid).CloudPush(ctx)
}
