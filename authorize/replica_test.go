package authorize

import (
	"context"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/labstack/echo/v4"
	"github.com/stretchr/testify/require"

	"github.com/wxsteward/wxsteward/component"
	"github.com/wxsteward/wxsteward/internal/adminauth"
	"github.com/wxsteward/wxsteward/internal/httpserver"
	"github.com/wxsteward/wxsteward/internal/jobs"
	"github.com/wxsteward/wxsteward/internal/live"
	"github.com/wxsteward/wxsteward/internal/postgres"
	"github.com/wxsteward/wxsteward/internal/postgres/postgrestest"
	"github.com/wxsteward/wxsteward/internal/sealed"
	"github.com/wxsteward/wxsteward/internal/settings"
	"github.com/wxsteward/wxsteward/internal/tokenstore"
	"github.com/wxsteward/wxsteward/internal/wechat"
	"github.com/wxsteward/wxsteward/internal/wechat/wechattest"
)

// replica is one more process on a database: services, API and inner listener of its own, with the same WeChat and keys.
type replica struct {
	*Service

	pool       *pgxpool.Pool
	runner     *jobs.Runner // not started
	auth       *adminauth.Service
	url, inner string
}

// replica makes one on the database of e, or on another.
func (e *env) replica(tb testing.TB, databaseURL string) *replica {
	tb.Helper()
	if databaseURL == "" {
		databaseURL = e.pool.Config().ConnString()
	}
	r := &replica{pool: postgrestest.Open(tb, databaseURL)}
	logger := slog.New(slog.NewTextHandler(e.log, nil))
	var err error
	r.runner, err = jobs.New(r.pool, jobs.Config{Logger: logger, SoftStop: time.Second})
	require.NoError(tb, err)
	client := wechat.New(wechat.Config{AppID: wechattest.ComponentAppID, BaseURL: e.wechat.URL, Rate: 100000, Concurrency: 64})
	store := tokenstore.New(r.pool, e.keys, e.Now, logger)
	hub := live.NewHub(func(ctx context.Context) (*pgx.Conn, error) {
		return pgx.ConnectConfig(ctx, r.pool.Config().ConnConfig)
	}, logger)
	srv := httpserver.New(httpserver.Config{PublicURL: e.PublicURL, Logger: logger})
	platform := component.New(component.Config{
		AppID: wechattest.ComponentAppID, Mode: component.ModeServer, Transport: "token", EnvSecret: sealed.New(wechattest.ComponentSecret),
		EnvMessageToken: sealed.New(wechattest.Token), EnvAESKey: sealed.New(wechattest.EncodingAESKey), PublicURL: e.PublicURL, Now: e.Now, Logger: logger,
	}, component.Deps{DB: r.pool, Keys: e.keys, Settings: settings.New(r.pool, e.keys), Tokens: store, WeChat: client, Queue: r.runner})
	cfg := Config{PublicURL: e.PublicURL, MPBaseURL: e.wechat.URL, OpenBaseURL: e.wechat.URL, RetryBase: 50 * time.Millisecond, SyncRate: 100000, Now: e.Now, Logger: logger}
	r.Service = New(cfg, Deps{
		DB: r.pool, Keys: e.keys, Tokens: store, WeChat: client, Component: platform, Queue: r.runner, Locker: postgres.NewLocker(r.pool), Hub: hub,
	})
	require.NoError(tb, platform.RegisterJobs(r.runner))
	require.NoError(tb, r.RegisterJobs(r.runner))
	r.auth = adminauth.New(adminauth.Config{DB: r.pool, Keys: e.keys, Now: e.Now, Logger: logger, PublicOrigin: e.url})
	r.auth.Install(srv)
	r.RegisterAPI(srv.API())
	public := httptest.NewServer(srv.Echo())
	tb.Cleanup(public.Close)
	innerEcho := echo.New()
	platform.RegisterInner(innerEcho, r.Token)
	inner := httptest.NewServer(innerEcho)
	tb.Cleanup(inner.Close)
	r.url, r.inner = public.URL, inner.URL
	return r
}

// apiKey makes a key for programs.
func (e *env) apiKey() string {
	e.t.Helper()
	status, made := e.api(http.MethodPost, "/api-keys", map[string]any{"name": "business", "role": "operator"})
	require.Less(e.t, status, 300, made)
	return made["key"].(string)
}
