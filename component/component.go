// Package component keeps the platform account alive: it receives WeChat's pushes, stores them and has them handled, keeps the
// ticket and the component access token, and answers the administrators' questions about both.
package component

import (
	"context"
	"log/slog"
	"net/netip"
	"net/url"
	"time"

	"github.com/wxsteward/wxsteward/internal/postgres"
	"github.com/wxsteward/wxsteward/internal/sealed"
	"github.com/wxsteward/wxsteward/internal/settings"
	"github.com/wxsteward/wxsteward/internal/tokenstore"
	"github.com/wxsteward/wxsteward/internal/wechat"
)

// The values of Config.Mode.
const (
	ModeServer   = "server"   // only encrypted pushes, or those of a proven forwarder
	ModeCloudRun = "cloudrun" // also plain pushes that carry x-wx-source
)

// Config is what the environment says about the platform account.
type Config struct {
	AppID string
	Mode  string // ModeServer or ModeCloudRun; anything else counts as ModeServer
	// Transport is how component calls are made, as in wechat.Config; "" means wechat.TransportToken.
	Transport      wechat.Transport
	CloudTokenFile string // of wechat.TransportCloudToken; shown to administrators

	ForwarderToken sealed.Secret  // proves a message forwarder; zero: no forwarder by token
	ForwarderCIDRs []netip.Prefix // addresses of TCP peers that are forwarders

	// What the environment sets overrides what is stored; zero: the stored value counts.
	EnvSecret, EnvMessageToken, EnvAESKey sealed.Secret

	PublicURL        *url.URL      // where WeChat reaches us
	TicketStaleAfter time.Duration // age at which the ticket push is restarted, see TicketHealth; zero: 30 minutes
	MessageRetention time.Duration // whole days (UTC) of messages older than this are removed; zero: kept
	Meter            Meter         // nil: nobody counts
	Now              func() time.Time
	Logger           *slog.Logger
}

// Deps are the parts the service works with.
type Deps struct {
	DB       postgres.DB
	Keys     *sealed.Keyring
	Settings *settings.Store
	Tokens   *tokenstore.Store
	WeChat   *wechat.Client
	Queue    queue
	// Announcer tells staff; nil: nobody is told.
	Announcer Announcer
}

// EventHandler hears stored messages, inside a background job and after the ticket part is done. It hears a message
// at least once, perhaps more often and not always in the order of arrival, so it must be idempotent. When it fails, all
// handlers hear the message again later.
type EventHandler interface {
	// Hears reports whether HandleMessage has anything to do for m. It is asked before m is stored, when m has no ID yet, and
	// must be quick: a message that nobody hears costs no job.
	Hears(m Message) bool
	HandleMessage(ctx context.Context, m Message) error
}

// Service is the platform account. Make it with New; it is safe for concurrent use once the handlers are set.
type Service struct {
	cfg       Config
	deps      Deps
	log       *slog.Logger
	now       func() time.Time
	handlers  []EventHandler
	forward   Forwarder // nil: nobody
	names     nameMerchants
	checks    []func(context.Context) Check
	ciphers   cipherCache
	confirm   confirmCache
	mailbox   mailbox
	newcomers newcomers
	news      news
	refused   refusals
	rates     rateCounter
}

// New makes the service. Nothing runs before RegisterJobs and the routes are in place.
func New(cfg Config, deps Deps) *Service {
	if cfg.Now == nil {
		cfg.Now = time.Now
	}
	if cfg.Logger == nil {
		cfg.Logger = slog.New(slog.DiscardHandler)
	}
	if cfg.TicketStaleAfter <= 0 {
		cfg.TicketStaleAfter = 30 * time.Minute
	}
	if cfg.Transport == "" {
		cfg.Transport = wechat.TransportToken
	}
	if cfg.PublicURL == nil {
		cfg.PublicURL = &url.URL{Scheme: "http", Host: "localhost:8080"}
	}
	return &Service{cfg: cfg, deps: deps, log: cfg.Logger, now: cfg.Now}
}

// AppID is the component appid.
func (s *Service) AppID() string { return s.cfg.AppID }

// Handle adds a listener for stored messages. Call it before the first push and before the jobs are started.
func (s *Service) Handle(h EventHandler) { s.handlers = append(s.handlers, h) }

// API makes calls as the platform, with its access token.
func (s *Service) API() *wechat.Component { return s.deps.WeChat.Component(s.TokenSource()) }

// Health is what a dashboard shows about the platform account.
type Health struct {
	Ticket      TicketStatus
	Token       TokenStatus
	Credentials Credentials
}

// Health reads the state of ticket, token and credentials; it calls nobody outside.
func (s *Service) Health(ctx context.Context) (Health, error) {
	ticket, err := s.TicketStatus(ctx)
	if err != nil {
		return Health{}, err
	}
	token, err := s.TokenStatus(ctx)
	if err != nil {
		return Health{}, err
	}
	creds, err := s.credentials(ctx)
	if err != nil {
		return Health{}, err
	}
	return Health{Ticket: ticket, Token: token, Credentials: creds.status()}, nil
}
