// Package authorizetest makes a platform for tests of what is built on package authorize: a WeChat reached over HTTP, a
// database and a queue of their own, and an administrator who calls the API.
package authorizetest

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/url"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/stretchr/testify/require"

	"github.com/wxsteward/wxsteward/authorize"
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
	"github.com/wxsteward/wxsteward/internal/wechat/wechatfake"
	"github.com/wxsteward/wxsteward/internal/wechat/wechattest"
)

// Env is the platform.
type Env struct {
	T         testing.TB
	Pool      postgres.DB
	Keys      *sealed.Keyring
	Settings  *settings.Store
	Locks     *postgres.Locker
	WeChat    *wechattest.Server
	Fake      *wechatfake.Server
	Component *component.Service
	Merchants *authorize.Service
	Runner    *jobs.Runner
	Server    *httpserver.Server
	URL       string
	Log       *Buffer
	// Once is the Idempotency-Key of the calls to come; empty: none.
	Once string

	ahead atomic.Int64
	csrf  string
	http  *http.Client
}

// Buffer collects the log.
type Buffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

// Write implements io.Writer.
func (b *Buffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.b.Write(p)
}

// String is what was logged last.
func (b *Buffer) String() string {
	const enough = 8 << 10
	b.mu.Lock()
	defer b.mu.Unlock()
	return string(b.b.Bytes()[max(0, b.b.Len()-enough):])
}

// Now is the clock of everybody in the test, WeChat included.
func (e *Env) Now() time.Time { return time.Now().Add(time.Duration(e.ahead.Load())) }

// Pass moves the clock on.
func (e *Env) Pass(d time.Duration) { e.ahead.Add(int64(d)) }

// New makes a platform; wire adds to it what is under test before anything starts. Jobs are worked until StopJobs.
func New(tb testing.TB, wire func(e *Env)) *Env {
	tb.Helper()
	pool := postgrestest.New(tb)
	e := &Env{T: tb, Pool: pool, Log: &Buffer{}}
	logger := slog.New(slog.NewTextHandler(e.Log, nil))
	e.WeChat = wechattest.New(tb, func(c *wechatfake.Config) { c.Now = e.Now })
	e.Fake = e.WeChat.Fake
	var err error
	e.Keys, err = sealed.NewKeyring(sealed.GenerateKey())
	require.NoError(tb, err)
	e.Runner, err = jobs.New(pool, jobs.Config{Logger: logger, SoftStop: time.Second})
	require.NoError(tb, err)
	client := wechat.New(wechat.Config{AppID: wechattest.ComponentAppID, BaseURL: e.WeChat.URL, Rate: 100000, Concurrency: 64})
	store := tokenstore.New(pool, e.Keys, e.Now, logger)
	e.Settings, e.Locks = settings.New(pool, e.Keys), postgres.NewLocker(pool)
	hub := live.NewHub(func(ctx context.Context) (*pgx.Conn, error) {
		return pgx.ConnectConfig(ctx, pool.Config().ConnConfig)
	}, logger)

	listener := httptest.NewUnstartedServer(nil)
	e.URL = "http://" + listener.Listener.Addr().String()
	public, err := url.Parse(e.URL)
	require.NoError(tb, err)
	e.Server = httpserver.New(httpserver.Config{PublicURL: public, Logger: logger})
	listener.Config.Handler = e.Server.Echo()
	e.Component = component.New(component.Config{
		AppID: wechattest.ComponentAppID, Mode: component.ModeServer, Transport: "token", EnvSecret: sealed.New(wechattest.ComponentSecret),
		EnvMessageToken: sealed.New(wechattest.Token), EnvAESKey: sealed.New(wechattest.EncodingAESKey), PublicURL: public, Now: e.Now, Logger: logger,
	}, component.Deps{DB: e.Pool, Keys: e.Keys, Settings: e.Settings, Tokens: store, WeChat: client, Queue: e.Runner})
	e.Merchants = authorize.New(authorize.Config{
		PublicURL: public, MPBaseURL: e.WeChat.URL, OpenBaseURL: e.WeChat.URL, RetryBase: 50 * time.Millisecond, Now: e.Now, Logger: logger,
	}, authorize.Deps{
		DB: e.Pool, Keys: e.Keys, Tokens: store, WeChat: client, Component: e.Component, Queue: e.Runner, Locker: e.Locks, Hub: hub,
	})
	e.Component.Handle(e.Merchants)
	auth := adminauth.New(adminauth.Config{DB: e.Pool, Keys: e.Keys, Logger: logger, PublicOrigin: e.URL})
	auth.Install(e.Server)
	wire(e)
	require.NoError(tb, e.Component.RegisterJobs(e.Runner))
	require.NoError(tb, e.Merchants.RegisterJobs(e.Runner))
	e.Component.RegisterRoutes(e.Server.Echo())
	e.Merchants.RegisterRoutes(e.Server.Echo())
	e.Merchants.RegisterAPI(e.Server.API())
	listener.Start()
	tb.Cleanup(listener.Close)

	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan struct{})
	go func() { defer close(ended); _ = hub.Run(ctx) }()
	tb.Cleanup(func() { cancel(); <-ended })
	require.NoError(tb, e.Runner.Start(context.Background()))
	e.Fake.SetPushURLs(e.URL+"/wxcallback/component", e.URL+"/wxcallback/biz/$APPID$")
	e.Fake.PushTicket()
	e.Until("the ticket is there", func() bool {
		status, err := e.Component.TicketStatus(context.Background())
		return err == nil && status.Present
	})
	_, _, err = auth.EnsureFirstAdmin(context.Background(), "admin", password)
	require.NoError(tb, err)
	tb.Cleanup(e.StopJobs)
	return e
}

const password = "correct horse battery"

// StopJobs has no job worked any more: the test calls what they would.
func (e *Env) StopJobs() {
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	if err := e.Runner.Stop(ctx); err != nil {
		e.T.Errorf("stop jobs: %v", err)
	}
}

// Until waits for something other processes do.
func (e *Env) Until(what string, done func() bool) {
	e.T.Helper()
	require.Eventually(e.T, done, 30*time.Second, 10*time.Millisecond, "%s; log:\n%s", what, e.Log)
}

// Merchant adds an account to WeChat, has it authorize and waits until it is on record with its details.
func (e *Env) Merchant(m wechatfake.Merchant) {
	e.T.Helper()
	require.NoError(e.T, e.Fake.AddMerchant(m))
	_, err := e.Fake.AuthorizeMerchant(m.AppID, wechatfake.Authorize{})
	require.NoError(e.T, err)
	e.Until("merchant "+m.AppID+" is on record", func() bool {
		a, err := e.Merchants.Get(context.Background(), m.AppID)
		return err == nil && a.InfoAt != nil
	})
}

// Count asks the database for a number.
func (e *Env) Count(query string, args ...any) (n int) {
	e.T.Helper()
	require.NoError(e.T, e.Pool.QueryRow(context.Background(), query, args...).Scan(&n))
	return n
}

// API calls the admin API as the administrator, in English.
func (e *Env) API(method, path string, in any) (int, map[string]any) {
	e.T.Helper()
	status, _, content := e.Raw(method, path, in)
	out := map[string]any{}
	if len(content) > 0 {
		require.NoError(e.T, json.Unmarshal(content, &out), string(content))
	}
	return status, out
}

// Raw is API with the answer as it is; in may be []byte.
func (e *Env) Raw(method, path string, in any) (int, http.Header, []byte) {
	e.T.Helper()
	if e.http == nil {
		e.signIn()
	}
	return e.raw(method, path, in)
}

func (e *Env) signIn() {
	e.T.Helper()
	e.http = &http.Client{Jar: &cookies{}}
	status, header, content := e.raw(http.MethodPost, "/session", map[string]string{"username": "admin", "password": password})
	require.Less(e.T, status, 300, string(content))
	for _, c := range (&http.Response{Header: header}).Cookies() {
		if c.Name == "csrf" {
			e.csrf = c.Value
		}
	}
}

func (e *Env) raw(method, path string, in any) (int, http.Header, []byte) {
	e.T.Helper()
	var body io.Reader
	contentType := "application/json"
	switch in := in.(type) {
	case nil:
	case []byte:
		body, contentType = bytes.NewReader(in), "application/octet-stream"
	default:
		text, err := json.Marshal(in)
		require.NoError(e.T, err)
		body = bytes.NewReader(text)
	}
	req, err := http.NewRequestWithContext(context.Background(), method, e.URL+"/api/v1"+path, body)
	require.NoError(e.T, err)
	req.Header.Set("Content-Type", contentType)
	req.Header.Set("X-Csrf-Token", e.csrf)
	req.Header.Set("Accept-Language", "en")
	if e.Once != "" {
		req.Header.Set("Idempotency-Key", e.Once)
	}
	resp, err := e.http.Do(req)
	require.NoError(e.T, err)
	defer resp.Body.Close() //nolint:errcheck // read to its end
	content, err := io.ReadAll(resp.Body)
	require.NoError(e.T, err)
	return resp.StatusCode, resp.Header, content
}

// cookies keeps all cookies of the one server there is.
type cookies struct {
	mu   sync.Mutex
	kept []*http.Cookie
}

// SetCookies implements http.CookieJar.
func (c *cookies) SetCookies(_ *url.URL, list []*http.Cookie) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.kept = append(c.kept, list...)
}

// Cookies implements http.CookieJar.
func (c *cookies) Cookies(*url.URL) []*http.Cookie {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.kept
}
