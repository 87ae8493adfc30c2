// Package codesubmit brings a template version to merchants: domains, commit, code check, privacy, audit and release,
// one submission for each merchant of a rollout.
//
// Every submission is a row; a River job wakes it, does one thing at WeChat and writes down what came of it. What an
// unfinished row says is enough to go on after a crash at any line.
package codesubmit

import (
	"context"
	"crypto/rand"
	"log/slog"
	"strings"
	"time"

	"github.com/wxsteward/wxsteward/authorize"
	"github.com/wxsteward/wxsteward/component"
	"github.com/wxsteward/wxsteward/internal/postgres"
	"github.com/wxsteward/wxsteward/internal/wechat"
)

// Config holds the tunables that README.md lists.
type Config struct {
	DetectionPoll time.Duration  // how often the code check is asked for; 60s
	AuditPoll     time.Duration  // how often audits are asked for; 10m
	RetryBase     time.Duration  // first pause after a transient failure; 5s
	Location      *time.Location // of release windows; Asia/Shanghai
	Now           func() time.Time
	// Steady is the time that has gone by since some moment, whatever the clock is set to; time.Since is.
	Steady func() time.Duration
	Logger *slog.Logger
}

// merchants is the part of package authorize that codesubmit needs.
type merchants interface {
	Targets(ctx context.Context, q authorize.TargetQuery) ([]authorize.Target, []string, error)
	NickNames(ctx context.Context, appids []string) (map[string]string, error)
	CountTargets(ctx context.Context, q authorize.TargetQuery) (authorize.TargetCount, error)
	NoteLive(ctx context.Context, db postgres.DB, appid string, v authorize.LiveVersion, seenAt time.Time) error
	LiveVersions(ctx context.Context) ([]authorize.LiveCount, error)
	LiveAt(ctx context.Context, f authorize.LiveFilter) ([]authorize.LiveMerchant, error)
	LiveUnseen(ctx context.Context, scope int, before time.Time, limit int) ([]string, error)
	SearchNames(ctx context.Context, part string) (authorize.NameSearch, error)
	CheckAuthorized(ctx context.Context, appid string) error
	API(appid string) *wechat.Authorizer
}

// platform is the part of package component that codesubmit needs.
type platform interface {
	API() *wechat.Component
}

// Service owns rollouts, submissions and templates.
type Service struct {
	cfg       Config
	db        postgres.DB
	locks     *postgres.Locker
	queue     queue
	merchants merchants
	platform  platform
	announcer component.Announcer // nil: nobody is told
	recent    recentDomains
	clock     *clock
	uploads   chan struct{} // files on their way to WeChat, which are in memory
}

// Deps are the parts that a Service works with.
type Deps struct {
	DB        postgres.DB
	Locker    *postgres.Locker
	Queue     queue
	Merchants merchants
	Platform  platform
	// Announcer tells staff; nil: nobody is told.
	Announcer component.Announcer
}

// New makes a Service. Zero tunables take the contract's defaults.
func New(cfg Config, deps Deps) *Service {
	if cfg.DetectionPoll == 0 {
		cfg.DetectionPoll = time.Minute
	}
	if cfg.AuditPoll == 0 {
		cfg.AuditPoll = 10 * time.Minute
	}
	if cfg.RetryBase == 0 {
		cfg.RetryBase = 5 * time.Second
	}
	if cfg.Location == nil {
		cfg.Location = time.FixedZone("UTC+8", 8*3600)
	}
	if cfg.Now == nil {
		cfg.Now = time.Now
	}
	if cfg.Steady == nil {
		began := time.Now()
		cfg.Steady = func() time.Duration { return time.Since(began) }
	}
	if cfg.Logger == nil {
		cfg.Logger = slog.New(slog.DiscardHandler)
	}
	return &Service{
		cfg: cfg, db: deps.DB, locks: deps.Locker, queue: deps.Queue, merchants: deps.Merchants, platform: deps.Platform,
		announcer: deps.Announcer, clock: newClock(cfg.Now(), cfg.Steady), uploads: make(chan struct{}, 2),
	}
}

// settle is how long a call whose outcome is unknown may still be at work at WeChat: official staff advise one
// minute for 9402205.
func (s *Service) settle() time.Duration { return min(time.Minute, s.cfg.DetectionPoll) }

// newMarker makes the token by which our own commit is recognised in user_desc.
func newMarker() string { return "wxs-" + strings.ToLower(rand.Text()[:16]) }

// userDesc is what goes to WeChat: the operator's words and our marker.
func userDesc(desc, marker string) string {
	return strings.TrimSpace(desc + " [" + marker + "]")
}
