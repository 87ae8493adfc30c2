// Package httpserver is the public HTTP listener: Echo for pages and pushes, Huma for the admin API, and what both
// share, such as limits, request ids, security headers, health and the one way in which errors are answered.
package httpserver

import (
	"context"
	"errors"
	"log/slog"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"sync"
	"time"

	"github.com/danielgtaylor/huma/v2"
	"github.com/labstack/echo/v4"
	"go.opentelemetry.io/otel/trace"
)

const (
	headerTimeout   = 10 * time.Second
	readTimeout     = 40 * time.Second
	writeTimeout    = 2 * time.Minute // calls to WeChat made while a page waits take up to one minute
	idleTimeout     = 2 * time.Minute
	maxHeaderBytes  = 64 << 10
	maxAPIBodyBytes = 4 << 20 // of any operation; most allow 1 MiB, as Huma has it
)

// Config says how to serve.
type Config struct {
	// Addr is for http.Server; Serve takes a listener that is open already.
	Addr string
	// PublicURL is how browsers reach us; nil means http://localhost:8080.
	PublicURL *url.URL
	// TrustedProxies may say in X-Forwarded-For whom they speak for; nobody by default.
	TrustedProxies []netip.Prefix
	// Logger gets one line a request; nil drops them.
	Logger *slog.Logger
	// Tracer makes a span of each request; nil: none.
	Tracer trace.Tracer
	// Version is told in the API description.
	Version string
}

// Server is the public listener.
type Server struct {
	cfg  Config
	log  *slog.Logger
	echo *echo.Echo
	api  huma.API
	http *http.Server

	rooms rooms
	guard func(huma.Context, func(huma.Context))

	stopOnce sync.Once
	stopping chan struct{}

	readyMu sync.Mutex
	ready   []readyCheck
}

// New prepares a server with health, API description and error answers. Nothing of it needs a database. Routes are
// added before Serve.
func New(cfg Config) *Server {
	if cfg.PublicURL == nil {
		cfg.PublicURL = &url.URL{Scheme: "http", Host: "localhost:8080"}
	}
	if cfg.Logger == nil {
		cfg.Logger = slog.New(slog.DiscardHandler)
	}
	s := &Server{cfg: cfg, log: cfg.Logger, echo: echo.New(), rooms: newRooms(), stopping: make(chan struct{})}
	s.echo.HideBanner = true
	s.echo.HidePort = true
	s.echo.HTTPErrorHandler = s.answerError
	s.echo.IPExtractor = func(r *http.Request) string { return clientIP(r, cfg.TrustedProxies).String() }
	s.echo.Use(s.observe)
	if cfg.Tracer != nil {
		s.echo.Use(s.trace)
	}
	s.echo.Use(s.contain, s.secure, s.crowd, s.limit)
	s.api = s.newAPI()
	s.routeHealth()
	s.routeSpec()
	s.http = &http.Server{
		Addr:              cfg.Addr,
		Handler:           s.echo,
		ReadHeaderTimeout: headerTimeout,
		ReadTimeout:       readTimeout,
		WriteTimeout:      writeTimeout,
		IdleTimeout:       idleTimeout,
		MaxHeaderBytes:    maxHeaderBytes,
		ErrorLog:          slog.NewLogLogger(cfg.Logger.Handler(), slog.LevelDebug),
	}
	return s
}

// Echo is where pages, pushes and everything else that is not the admin API is registered.
func (s *Server) Echo() *echo.Echo { return s.echo }

// API is where the admin API is registered, with paths below /api/v1. Its operations are refused until Guard is called.
func (s *Server) API() huma.API { return s.api }

// Guard sets the middleware that decides who may call which operation. It holds for every operation, whether
// registered before or after.
func (s *Server) Guard(guard func(ctx huma.Context, next func(huma.Context))) { s.guard = guard }

// Serve answers requests until Shutdown; then it returns nil. Requests keep the values of ctx but outlive its end, so
// that they can be drained.
func (s *Server) Serve(ctx context.Context, l net.Listener) error {
	base := context.WithoutCancel(ctx)
	s.http.BaseContext = func(net.Listener) context.Context { return base }
	if err := s.http.Serve(l); !errors.Is(err, http.ErrServerClosed) {
		return err
	}
	return nil
}

// Shutdown ends event streams, takes no more connections and waits for requests until ctx ends; then it cuts them.
func (s *Server) Shutdown(ctx context.Context) error {
	s.stopOnce.Do(func() { close(s.stopping) })
	err := s.http.Shutdown(ctx)
	if err != nil {
		err = errors.Join(err, s.http.Close())
	}
	return err
}
