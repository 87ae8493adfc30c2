package wechatfake

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"html/template"
	"log/slog"
	"net/http"
	"regexp"
	"strings"
	"sync"
	"time"

	"github.com/wxsteward/wxsteward/internal/wechat/msgcrypt"
)

// Server is the fake WeChat. It is an http.Handler for the API, the browser pages and /_control/; its methods may be
// called from many goroutines.
type Server struct {
	cfg     Config
	now     func() time.Time
	log     *slog.Logger
	cipher  *msgcrypt.Cipher
	client  *http.Client
	api     map[string]endpoint
	pages   *http.ServeMux
	control *http.ServeMux
	html    *template.Template
	secrets *regexp.Regexp // finds our secrets in text that is to be logged

	mu     sync.Mutex // guards st and the fields below
	st     *state
	busy   map[string]int // exclusive calls under way, by appid
	event  string         // push addresses and launch host as they are now
	biz    string
	launch string
	closed bool

	saveMu sync.Mutex
	dirty  chan struct{}
	done   chan struct{}
	wg     sync.WaitGroup
}

// New makes a fake from its state file, if there is one. Start begins what happens by itself; Close ends it.
func New(config Config) (*Server, error) {
	cipher, err := config.check()
	if err != nil {
		return nil, err
	}
	config = config.withDefaults()
	st, err := loadState(config)
	if err != nil {
		return nil, err
	}
	s := &Server{
		cfg: config, now: config.Now, log: config.Logger, cipher: cipher, client: config.pushClient(), st: st,
		event: config.EventURL, biz: config.MessageURL, launch: config.LaunchHost,
		busy: map[string]int{}, dirty: make(chan struct{}, 1), done: make(chan struct{}),
		secrets: regexp.MustCompile(`(?:(?:ticket|preauthcode|queryauthcode|refreshtoken|jscode)@@@|regkey|\b[89]\d_)[A-Za-z0-9_-]{20,}`),
	}
	s.html = pageTemplates()
	s.api = s.endpoints()
	s.pages = s.pageRoutes()
	s.control = s.controlRoutes()
	if config.StateFile != "" {
		s.spawn(s.saver)
	}
	s.rearmAudits()
	return s, nil
}

// Start pushes a ticket now and then every TicketInterval until ctx ends or Close is called.
func (s *Server) Start(ctx context.Context) {
	if s.cfg.TicketInterval < 0 {
		return
	}
	s.spawn(func() {
		ticker := time.NewTicker(s.cfg.TicketInterval)
		defer ticker.Stop()
		for {
			s.tickTicket()
			select {
			case <-ctx.Done():
				return
			case <-s.done:
				return
			case <-ticker.C:
			}
		}
	})
}

// Close ends pushes and timers, waits for them and saves the state. Calling it again does nothing.
func (s *Server) Close() error {
	s.mu.Lock()
	if s.closed {
		s.mu.Unlock()
		return nil
	}
	s.closed = true
	close(s.done)
	s.mu.Unlock()
	s.wg.Wait()
	s.client.CloseIdleConnections()
	return s.save()
}

// SetPushURLs sets 授权事件接收URL and 消息与事件接收URL (with $APPID$) for the pushes from now on.
func (s *Server) SetPushURLs(event, message string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.event, s.biz = event, message
}

// SetLaunchHost sets 授权发起页域名, host[:port]; empty switches its checks off.
func (s *Server) SetLaunchHost(host string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.launch = host
}

// ServeHTTP answers an API call, a browser page or a control call, with or without BasePath in front. A caller that
// must keep them apart uses API, Pages and Control.
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	path := s.strip(r)
	switch {
	case strings.HasPrefix(path, "/_control/"):
		s.Control().ServeHTTP(w, r)
	case s.isPage(path):
		s.Pages().ServeHTTP(w, r)
	default:
		s.serveAPI(w, r, path)
	}
}

// API is the handler of api.weixin.qq.com alone.
func (s *Server) API() http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { s.serveAPI(w, r, s.strip(r)) })
}

// Pages is the handler of what a browser sees: the authorization pages, avatars and trial versions.
func (s *Server) Pages() http.Handler { return s.stripped(s.pages) }

// Control is the handler of /_control/ alone. It has no sign-in of its own.
func (s *Server) Control() http.Handler { return s.stripped(s.control) }

func (s *Server) strip(r *http.Request) string {
	path := r.URL.Path
	if rest, ok := strings.CutPrefix(path, s.cfg.BasePath); ok && strings.HasPrefix(rest, "/") {
		path = rest
	}
	return path
}

func (s *Server) stripped(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		clone := r.Clone(r.Context())
		clone.URL.Path, clone.URL.RawPath = s.strip(r), ""
		next.ServeHTTP(w, clone)
	})
}

// spawn runs fn beside us until Close waits for it.
func (s *Server) spawn(fn func()) { s.wg.Go(fn) }

// spawnLocked is spawn under mu; after Close it does nothing.
func (s *Server) spawnLocked(fn func()) {
	if !s.closed {
		s.wg.Go(fn)
	}
}

// pause waits for d and reports whether the fake still runs.
func (s *Server) pause(d time.Duration) bool {
	if d <= 0 {
		return true
	}
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-s.done:
		return false
	}
}

// afterLocked runs fn under mu once d has passed, unless the fake is closed before.
func (s *Server) afterLocked(d time.Duration, fn func()) {
	s.spawnLocked(func() {
		if !s.pause(d) {
			return
		}
		s.mu.Lock()
		defer s.mu.Unlock()
		fn()
		s.changed()
	})
}

// lifetime is a context that ends after d or when the fake is closed.
func (s *Server) lifetime(d time.Duration) (context.Context, context.CancelFunc) {
	ctx, cancel := context.WithTimeout(context.Background(), d)
	stop := make(chan struct{})
	go func() {
		select {
		case <-s.done:
			cancel()
		case <-stop:
		}
	}()
	return ctx, func() { close(stop); cancel() }
}

const keptSecrets = 20_000

// secret makes an unguessable value with WeChat's kind of prefix and remembers it for Secrets.
func (s *Server) secret(prefix string) string {
	value := prefix + random(48)
	s.st.Secrets = tail(append(s.st.Secrets, value), keptSecrets)
	return value
}

// Secrets returns every token, ticket and code issued so far (at least the last 20000) and the platform's own secret and keys. A leak test
// looks for them in the output of the program under test.
func (s *Server) Secrets() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return append([]string{s.cfg.ComponentSecret, s.cfg.EncodingAESKey}, s.st.Secrets...)
}

// redact hides our secrets in text that is shown or logged.
func (s *Server) redact(text string) string {
	text = s.secrets.ReplaceAllString(text, "[redacted]")
	return strings.ReplaceAll(text, s.cfg.ComponentSecret, "[redacted]")
}

func random(bytes int) string {
	raw := make([]byte, bytes)
	_, _ = rand.Read(raw)
	return base64.RawURLEncoding.EncodeToString(raw)
}

func digest(text string) string {
	sum := sha256.Sum256([]byte(text))
	return hex.EncodeToString(sum[:])
}
