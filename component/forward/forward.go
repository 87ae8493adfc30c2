// Package forward brings messages to business systems: by rules, signed as Standard Webhooks, in the background and again
// until they are taken, or at once where the answer is the passive reply. The order of messages is not kept.
package forward

import (
	"context"
	"log/slog"
	"math/rand/v2"
	"net/http"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	"github.com/wxsteward/wxsteward/component"
	"github.com/wxsteward/wxsteward/internal/live"
	"github.com/wxsteward/wxsteward/internal/outbound"
	"github.com/wxsteward/wxsteward/internal/postgres"
	"github.com/wxsteward/wxsteward/internal/sealed"
)

const (
	defaultRetryBase   = 5 * time.Second
	defaultConcurrency = 32
	defaultDrain       = 4 * time.Second
	// defaultLease is longer than any call may take, so that nobody else begins one meanwhile.
	defaultLease = 30 * time.Second
	defaultPoll  = time.Second
)

// Config is how messages are delivered. Zero values mean the defaults.
type Config struct {
	RetryBase   time.Duration // first pause after a failure, see pauses; 5 s
	Concurrency int           // calls at once for one rule; 32
	Retention   time.Duration // ended deliveries older than this are removed; zero: kept
	Drain       time.Duration // how long Run lets calls end when its context has ended; 4 s
	Guard       outbound.Guard
	Meter       Meter // nil: nobody counts
	Now         func() time.Time
	Logger      *slog.Logger

	lease, poll time.Duration
	atHand      int // a rule with more deliveries to send is behind; 2,000
}

// messages is where deliveries find what they deliver: component.Service.
type messages interface {
	Message(ctx context.Context, id int64) (component.Message, error)
}

// news is live.Hub.
type news interface {
	Subscribe() (events <-chan live.Event, cancel func())
}

// Deps are the parts the service works with.
type Deps struct {
	DB       postgres.DB
	Keys     *sealed.Keyring
	Messages messages
	// Headings say which messages deliveries are of; nil: their ids do.
	Headings func(ctx context.Context, messageIDs []int64) (map[int64]component.Heading, error)
	// Hub tells of rules that other replicas have changed; nil: they are noticed within two seconds.
	Hub news
	// Announcer tells staff of dead deliveries and paused rules; nil: nobody is told.
	Announcer component.Announcer
}

// Service forwards messages. Make it with New; it is safe for concurrent use. Any number of them may work on one database.
type Service struct {
	cfg     Config
	deps    Deps
	log     *slog.Logger
	now     func() time.Time
	jitter  func() float64 // in [0, 1)
	client  *http.Client
	rules   ruleCache
	bodies  bodyCache
	reads   chan struct{} // as many as may be under way
	results chan result
	news    announcer
	queues  queues

	wake     chan struct{}
	arrived  atomic.Int64 // deliveries made since the last look
	hotUntil atomic.Int64 // monotonic nanoseconds since born: messages have come lately
	born     time.Time
	stuck    atomic.Bool // results cannot be written: nothing more is claimed

	mu       sync.Mutex
	lanes    map[int64]*lane
	relays   map[int64]*relayLane
	relaying int // of all rules
}

var _ component.Forwarder = (*Service)(nil)

// New makes the service. Nothing is delivered before Run.
func New(cfg Config, deps Deps) *Service {
	if cfg.RetryBase <= 0 {
		cfg.RetryBase = defaultRetryBase
	}
	if cfg.Concurrency <= 0 {
		cfg.Concurrency = defaultConcurrency
	}
	if cfg.Drain <= 0 {
		cfg.Drain = defaultDrain
	}
	if cfg.lease <= 0 {
		cfg.lease = defaultLease
	}
	if cfg.poll <= 0 {
		cfg.poll = defaultPoll
	}
	if cfg.atHand <= 0 {
		cfg.atHand = defaultAtHand
	}
	if cfg.Now == nil {
		cfg.Now = time.Now
	}
	if cfg.Logger == nil {
		cfg.Logger = slog.New(slog.DiscardHandler)
	}
	const resultBuffer = 1024
	return &Service{
		cfg: cfg, deps: deps, log: cfg.Logger, now: cfg.Now,
		jitter:  rand.Float64,
		client:  cfg.Guard.Client(cfg.Concurrency),
		bodies:  bodyCache{bodies: map[int64]component.Message{}},
		reads:   make(chan struct{}, readsAtOnce),
		results: make(chan result, resultBuffer),
		queues:  queues{of: map[int64]*queue{}, full: make(chan struct{}, 1)},
		wake:    make(chan struct{}, 1),
		born:    time.Now(),
		lanes:   map[int64]*lane{},
		relays:  map[int64]*relayLane{},
	}
}

func formatID(id int64) string { return strconv.FormatInt(id, 10) }

// poke has the dispatcher look for due deliveries now.
func (s *Service) poke() {
	select {
	case s.wake <- struct{}{}:
	default: // it will look anyway
	}
}
