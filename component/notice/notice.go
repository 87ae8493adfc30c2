// Package notice tells the people who run the platform what they must know: through robots of group chats in WeCom,
// DingTalk and Feishu, and through a plain webhook. News is stored in the transaction in which it becomes true and sent at
// least once: what was sent and could not be noted, because the process or the database died between, is sent again.
package notice

import (
	"log/slog"
	"math/rand/v2"
	"net/http"
	"net/url"
	"strconv"
	"time"

	"github.com/wxsteward/wxsteward/component"
	"github.com/wxsteward/wxsteward/internal/live"
	"github.com/wxsteward/wxsteward/internal/outbound"
	"github.com/wxsteward/wxsteward/internal/postgres"
	"github.com/wxsteward/wxsteward/internal/sealed"
)

const (
	defaultRetryBase = 5 * time.Second
	defaultDrain     = 4 * time.Second
	// callTimeout is the longest that a robot may take; defaultLease is longer, so that nobody else begins meanwhile.
	callTimeout  = 10 * time.Second
	defaultLease = 30 * time.Second
	defaultPoll  = time.Second
)

// Config is how notices are sent. Zero values mean the defaults.
type Config struct {
	PublicURL *url.URL       // where the admin UI is; http://localhost:8080
	RetryBase time.Duration  // first pause of a channel after a failure, see pause; 5 s
	Retention time.Duration  // notices older than this are removed; zero: kept
	Drain     time.Duration  // how long Run lets calls end when its context has ended; 4 s
	Location  *time.Location // of the times in notices; UTC
	// Simulation has every title say that it is none of it real: the robot may be.
	Simulation bool
	Guard      outbound.Guard
	Meter      Meter // nil: nobody counts
	Now        func() time.Time
	Logger     *slog.Logger

	lease, poll time.Duration
	// gather replaces the time for which counted events are gathered before the first notice; negative: none.
	gather time.Duration
}

// Meter counts tries to send. Its methods must be fast and safe for concurrent use.
type Meter interface {
	// Noticed is told of every try: sent, failed (it is tried again), limited (the robot wants a pause) or dead.
	Noticed(result string)
}

// news is live.Hub.
type news interface {
	Subscribe() (events <-chan live.Event, cancel func())
}

// Deps are the parts the service works with.
type Deps struct {
	DB   postgres.DB
	Keys *sealed.Keyring
	// Hub tells of new notices at once; nil: they are noticed within a second.
	Hub news
}

// Service tells staff. Make it with New; it is safe for concurrent use. Any number of them may work on one database.
type Service struct {
	cfg    Config
	deps   Deps
	log    *slog.Logger
	now    func() time.Time
	jitter func() float64 // in [0, 1)
	client *http.Client
	wake   chan struct{}
}

var _ component.Announcer = (*Service)(nil)

// New makes the service. Nothing is sent before Run.
func New(cfg Config, deps Deps) *Service {
	if cfg.PublicURL == nil {
		cfg.PublicURL = &url.URL{Scheme: "http", Host: "localhost:8080"}
	}
	if cfg.RetryBase <= 0 {
		cfg.RetryBase = defaultRetryBase
	}
	if cfg.Drain <= 0 {
		cfg.Drain = defaultDrain
	}
	if cfg.Location == nil {
		cfg.Location = time.UTC
	}
	if cfg.lease <= 0 {
		cfg.lease = defaultLease
	}
	if cfg.poll <= 0 {
		cfg.poll = defaultPoll
	}
	if cfg.Now == nil {
		cfg.Now = time.Now
	}
	if cfg.Logger == nil {
		cfg.Logger = slog.New(slog.DiscardHandler)
	}
	return &Service{
		cfg: cfg, deps: deps, log: cfg.Logger, now: cfg.Now, jitter: rand.Float64,
		client: cfg.Guard.Client(1), wake: make(chan struct{}, 1),
	}
}

func formatID(id int64) string { return strconv.FormatInt(id, 10) }

// poke has the dispatcher look for due notices now.
func (s *Service) poke() {
	select {
	case s.wake <- struct{}{}:
	default: // it will look anyway
	}
}
