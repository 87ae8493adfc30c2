package forward

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/wxsteward/wxsteward/internal/fault"
	"github.com/wxsteward/wxsteward/internal/live"
	"github.com/wxsteward/wxsteward/internal/postgres"
	"github.com/wxsteward/wxsteward/internal/settings"
)

const (
	keyProxy  = "forward.proxy" // in the settings table
	kindProxy = "proxy"         // of the live event that says it has changed

	// proxyPoll is how often the setting is read again, for events that were lost; every replica follows within 5 s.
	proxyPoll        = 3 * time.Second
	proxyLoadTimeout = 2 * time.Second
)

// ProxyConfig is what the environment says about the pass-through proxy.
type ProxyConfig struct {
	// Default is the upstream (BUSINESS_UPSTREAM) until something is stored; with one the proxy is on, without one off.
	Default string
	// PublicURL is our own address, which cannot be the upstream; nil: not known.
	PublicURL *url.URL
	// KeepIdentity passes X-WX-… headers on: they come from WeChat's gateway (cloudrun mode). Otherwise clients made them
	// up, and they are removed.
	KeepIdentity bool
	// Identify says who calls, in X-WX-… headers that take the place of the client's; nil, or nil from it: nobody is known.
	// It is asked about every request that is passed on, so it must be fast.
	Identify func(r *http.Request) http.Header
	// StripCookies are the names of cookies that are ours and stay here, in both directions.
	StripCookies []string
	// Meter hears of requests passed on; nil: nobody.
	Meter  ProxyMeter
	Logger *slog.Logger
}

// ProxyMeter counts what was passed on. It must be fast and safe for concurrent use.
type ProxyMeter interface {
	// Proxied is told the answer's status, ours when there was none from the upstream, and how long it took to begin.
	Proxied(status int, took time.Duration)
}

// outboundGuard is outbound.Guard: it keeps the upstream away from addresses that nobody may reach through us.
type outboundGuard interface {
	CheckField(ctx context.Context, location, rawURL string) error
	DialContext(ctx context.Context, network, addr string) (net.Conn, error)
}

// proxyEvents is live.Hub.
type proxyEvents interface {
	Subscribe() (events <-chan live.Event, cancel func())
}

// ProxyDeps are the parts the proxy works with.
type ProxyDeps struct {
	DB       postgres.DB
	Settings *settings.Store
	Guard    outboundGuard
	Events   proxyEvents
}

// Proxy passes what nobody here answers on to the business system. It is safe for concurrent use.
type Proxy struct {
	cfg       ProxyConfig
	deps      ProxyDeps
	log       *slog.Logger
	transport *http.Transport
	state     atomic.Pointer[proxyState] // nil: not read yet
	loading   sync.Mutex
	ended     context.Context // ends upgraded connections, which no server waits for
	end       context.CancelFunc
}

// NewProxy makes a proxy. It follows changes of the setting while Run runs.
func NewProxy(cfg ProxyConfig, deps ProxyDeps) *Proxy {
	if cfg.Logger == nil {
		cfg.Logger = slog.New(slog.DiscardHandler)
	}
	p := &Proxy{cfg: cfg, deps: deps, log: cfg.Logger, transport: newProxyTransport(deps.Guard)}
	p.ended, p.end = context.WithCancel(context.Background())
	return p
}

// The values of ProxySetting.Source.
const (
	ProxyStored      = "stored"      // an operator decided
	ProxyEnvironment = "environment" // BUSINESS_UPSTREAM, nothing stored
	ProxyUnset       = "unset"       // neither: off
)

// ProxySetting is what is in force.
type ProxySetting struct {
	Enabled  bool
	Upstream string // empty: none
	Source   string
}

// proxyState is a setting and what is needed to live by it.
type proxyState struct {
	ProxySetting
	raw  string // as stored, to see changes
	pass http.Handler
}

// storedProxy is the setting as it is written down. An empty upstream stands for BUSINESS_UPSTREAM.
type storedProxy struct {
	Enabled  bool   `json:"enabled"`
	Upstream string `json:"upstream"`
}

// Setting reads what is in force.
func (p *Proxy) Setting(ctx context.Context) (ProxySetting, error) {
	state, err := p.load(ctx)
	if err != nil {
		return ProxySetting{}, err
	}
	return state.ProxySetting, nil
}

// Change stores a setting; replicas follow at once, at the latest after a few seconds. An empty upstream stands for
// BUSINESS_UPSTREAM. It fails with fault.Validation for an upstream that is none or that must not be reached.
func (p *Proxy) Change(ctx context.Context, enabled bool, upstream, by string) (ProxySetting, error) {
	upstream = strings.TrimSuffix(strings.TrimSpace(upstream), "/")
	if upstream != "" {
		if err := p.checkUpstream(ctx, upstream); err != nil {
			return ProxySetting{}, err
		}
	}
	if enabled && upstream == "" && p.cfg.Default == "" {
		return ProxySetting{}, fault.Invalid("body.upstream", "To turn the proxy on, say where the business system is, e.g. http://127.0.0.1:8090.", nil)
	}
	text, err := json.Marshal(storedProxy{enabled, upstream})
	if err != nil {
		return ProxySetting{}, err
	}
	err = pgx.BeginFunc(ctx, p.deps.DB, func(tx pgx.Tx) error {
		if err := p.deps.Settings.Put(ctx, tx, keyProxy, string(text), by); err != nil {
			return err
		}
		return live.Publish(ctx, tx, live.Event{Kind: kindProxy, ID: "proxy"})
	})
	if err != nil {
		return ProxySetting{}, fmt.Errorf("change proxy: %w", err)
	}
	return p.Setting(ctx)
}

// proxyCheckTimeout is how long an upstream may take to answer a check.
const proxyCheckTimeout = 5 * time.Second

// Check asks an upstream for its first page, whether the proxy is on or not; an empty one stands for the one in force. It
// fails with fault.Validation for an upstream that is none or that must not be reached.
func (p *Proxy) Check(ctx context.Context, upstream string) (Attempt, error) {
	upstream = strings.TrimSuffix(strings.TrimSpace(upstream), "/")
	if upstream == "" {
		setting, err := p.Setting(ctx)
		if err != nil {
			return Attempt{}, err
		}
		upstream = setting.Upstream
	}
	if err := p.checkUpstream(ctx, upstream); err != nil {
		return Attempt{}, err
	}
	ctx, cancel := context.WithTimeout(ctx, proxyCheckTimeout)
	defer cancel()
	a := Attempt{At: time.Now()}
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, upstream+"/", http.NoBody)
	if err != nil {
		return Attempt{}, err // checked before
	}
	req.Header.Set("User-Agent", "wxsteward")
	res, err := p.transport.RoundTrip(req) // a redirect is an answer like others
	a.Duration = time.Since(a.At)
	if err != nil {
		a.Failure = failureOf(err, strconv.FormatInt(proxyCheckTimeout.Milliseconds(), 10))
		return a, nil
	}
	a.Status = res.StatusCode
	return a, res.Body.Close()
}

// maxUpstream bounds an upstream's URL.
const maxUpstream = 2048

func (p *Proxy) checkUpstream(ctx context.Context, upstream string) error {
	u, err := parseUpstream(upstream)
	if err != nil {
		return fault.Invalid("body.upstream", "The upstream is http:// or https:// with a host, without user, query or fragment, e.g. http://127.0.0.1:8090.", nil)
	}
	if p.cfg.PublicURL != nil && strings.EqualFold(u.Host, p.cfg.PublicURL.Host) {
		return fault.Invalid("body.upstream", "The upstream is this program itself. Give the address of the business system.", nil)
	}
	return p.deps.Guard.CheckField(ctx, "body.upstream", upstream)
}

func parseUpstream(text string) (*url.URL, error) {
	u, err := url.Parse(text)
	switch {
	case err != nil:
		return nil, errors.New("upstream is not a URL")
	case u.Scheme != "http" && u.Scheme != "https", u.Hostname() == "", u.User != nil, u.RawQuery != "" || u.ForceQuery,
		u.Fragment != "", len(text) > maxUpstream:
		return nil, errors.New("upstream is not a scheme and a host")
	}
	return u, nil
}

// Run follows changes of the setting until ctx ends, which is not an error.
func (p *Proxy) Run(ctx context.Context) error {
	events, cancel := p.deps.Events.Subscribe()
	defer cancel()
	poll := time.NewTicker(proxyPoll)
	defer poll.Stop()
	first := true
	for {
		if p.follow(ctx) && first {
			first = false
			p.warnDefault(ctx)
		}
		if !p.awaitChange(ctx, events, poll.C) {
			return nil
		}
	}
}

// awaitChange is false when ctx has ended.
func (p *Proxy) awaitChange(ctx context.Context, events <-chan live.Event, poll <-chan time.Time) bool {
	for {
		select {
		case <-ctx.Done():
			return false
		case <-poll:
			return true
		case e := <-events:
			if e.Kind == kindProxy || e.Kind == live.Resync {
				return true
			}
		}
	}
}

// follow reads the setting; while the database is away the last one stays in force.
func (p *Proxy) follow(ctx context.Context) bool {
	ctx, cancel := context.WithTimeout(ctx, proxyLoadTimeout)
	defer cancel()
	if _, err := p.load(ctx); err != nil {
		p.log.DebugContext(ctx, "proxy setting not read", slog.Any("error", err))
		return false
	}
	return true
}

// warnDefault tells whoever set BUSINESS_UPSTREAM to what the guard refuses, which nobody had occasion to say.
func (p *Proxy) warnDefault(ctx context.Context) {
	state := p.state.Load()
	if state == nil || !state.Enabled || state.Source != ProxyEnvironment {
		return
	}
	if err := p.checkUpstream(ctx, state.Upstream); err != nil && ctx.Err() == nil {
		p.log.WarnContext(ctx, "BUSINESS_UPSTREAM cannot be used now", slog.Any("error", err))
	}
}

// load reads the setting and puts it in force.
func (p *Proxy) load(ctx context.Context) (*proxyState, error) {
	p.loading.Lock() // what was read earlier must not come into force later
	defer p.loading.Unlock()
	raw, stored, err := p.deps.Settings.Get(ctx, keyProxy)
	if err != nil {
		return nil, err
	}
	before := p.state.Load()
	if before != nil && before.raw == raw {
		return before, nil
	}
	next, err := p.newState(raw, stored)
	if err != nil {
		return nil, err
	}
	p.state.Store(next)
	if before != nil && before.Upstream != next.Upstream {
		p.transport.CloseIdleConnections()
	}
	p.log.InfoContext(ctx, "proxy setting in force", slog.Bool("enabled", next.Enabled), slog.String("upstream", next.Upstream), slog.String("source", next.Source))
	return next, nil
}

func (p *Proxy) newState(raw string, stored bool) (*proxyState, error) {
	s := &proxyState{raw: raw, ProxySetting: ProxySetting{Source: ProxyUnset}}
	switch {
	case stored:
		var v storedProxy
		if err := json.Unmarshal([]byte(raw), &v); err != nil {
			return nil, fmt.Errorf("setting %s: %w", keyProxy, err)
		}
		s.ProxySetting = ProxySetting{Enabled: v.Enabled, Upstream: v.Upstream, Source: ProxyStored}
		if v.Upstream == "" {
			s.Upstream = p.cfg.Default
		}
	case p.cfg.Default != "":
		s.ProxySetting = ProxySetting{Enabled: true, Upstream: p.cfg.Default, Source: ProxyEnvironment}
	}
	if s.Upstream == "" {
		s.Enabled = false // BUSINESS_UPSTREAM was taken away
	}
	if s.Enabled {
		target, err := parseUpstream(s.Upstream)
		if err != nil {
			return nil, fmt.Errorf("setting %s: %w", keyProxy, err)
		}
		s.pass = p.newPass(target)
	}
	return s, nil
}

// current is the state in force; before anything was read it is read now.
func (p *Proxy) current(ctx context.Context) (*proxyState, error) {
	if state := p.state.Load(); state != nil {
		return state, nil
	}
	ctx, cancel := context.WithTimeout(ctx, proxyLoadTimeout)
	defer cancel()
	state, err := p.load(ctx)
	if err != nil {
		return nil, fault.Wrap(err, fault.Unavailable, "")
	}
	return state, nil
}

// Close ends upgraded connections and those that are idle. Call it when the public listener takes no more requests.
func (p *Proxy) Close() {
	p.end()
	p.transport.CloseIdleConnections()
}
