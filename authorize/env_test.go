package authorize

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"html"
	"io"
	"log/slog"
	"net/http"
	"net/http/cookiejar"
	"net/http/httptest"
	"net/netip"
	"net/url"
	"regexp"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
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
	"github.com/wxsteward/wxsteward/internal/wechat/wechatfake"
	"github.com/wxsteward/wxsteward/internal/wechat/wechattest"
)

const (
	pathQueryAuth = "/cgi-bin/component/api_query_auth"
	pathPreAuth   = "/cgi-bin/component/api_create_preauthcode"
	pathInfo      = "/cgi-bin/component/api_get_authorizer_info"
	pathList      = "/cgi-bin/component/api_get_authorizer_list"
	pathToken     = "/cgi-bin/component/api_authorizer_token" //nolint:gosec // an address
	password      = "correct horse battery"
	inWeChat      = "Mozilla/5.0 (iPhone) AppleWebKit/605.1.15 Mobile/15E148 MicroMessenger/8.0.50"
	onDesktop     = "Mozilla/5.0 (X11; Linux x86_64) Chrome/140"
)

// env is the platform and the part under test, with a WeChat reached over HTTP, a database and a queue of their own.
type env struct {
	*Service

	t         testing.TB
	pool      *pgxpool.Pool
	wechat    *wechattest.Server
	component *component.Service
	runner    *jobs.Runner
	url       string
	browser   *http.Client // follows no redirect
	signedIn  *http.Client
	csrf      string
	log       *safeBuffer
	ahead     *atomic.Int64 // how far everybody's clock is ahead, in ns
}

type safeBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (b *safeBuffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.b.Write(p)
}

func (b *safeBuffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.b.String()
}

// idle says that no jobs are to be worked: the test calls what they would.
type idle bool

// wechatAhead is how far WeChat's clock is ahead of ours.
type wechatAhead time.Duration

// trusted are the proxies in front of us.
type trusted []netip.Prefix

// throughQueue stands between the part under test and its queue.
type throughQueue func(queue) queue

func newEnv(tb testing.TB, options ...any) *env {
	tb.Helper()
	e := &env{t: tb, pool: postgrestest.New(tb), log: &safeBuffer{}, ahead: &atomic.Int64{}}
	now := func() time.Time { return time.Now().Add(time.Duration(e.ahead.Load())) }
	logger := slog.New(slog.NewTextHandler(e.log, nil))
	var apart time.Duration
	var proxies trusted
	for _, option := range options {
		switch o := option.(type) {
		case wechatAhead:
			apart = time.Duration(o)
		case trusted:
			proxies = o
		}
	}
	e.wechat = wechattest.New(tb, func(c *wechatfake.Config) { c.Now = func() time.Time { return now().Add(apart) } })

	keys, err := sealed.NewKeyring(sealed.GenerateKey())
	require.NoError(tb, err)
	e.runner, err = jobs.New(e.pool, jobs.Config{Logger: logger, SoftStop: time.Second})
	require.NoError(tb, err)
	client := wechat.New(wechat.Config{AppID: wechattest.ComponentAppID, BaseURL: e.wechat.URL, Rate: 100000, Concurrency: 64})
	store := tokenstore.New(e.pool, keys, now, logger)
	hub := live.NewHub(func(ctx context.Context) (*pgx.Conn, error) {
		return pgx.ConnectConfig(ctx, e.pool.Config().ConnConfig)
	}, logger)

	listener := httptest.NewUnstartedServer(nil)
	e.url = "http://" + listener.Listener.Addr().String()
	public, err := url.Parse(e.url)
	require.NoError(tb, err)
	srv := httpserver.New(httpserver.Config{PublicURL: public, TrustedProxies: proxies, Logger: logger})
	listener.Config.Handler = srv.Echo()

	e.component = component.New(component.Config{
		AppID: wechattest.ComponentAppID, Mode: component.ModeServer, Transport: "token", EnvSecret: sealed.New(wechattest.ComponentSecret),
		EnvMessageToken: sealed.New(wechattest.Token), EnvAESKey: sealed.New(wechattest.EncodingAESKey), PublicURL: public, Now: now, Logger: logger,
	}, component.Deps{DB: e.pool, Keys: keys, Settings: settings.New(e.pool, keys), Tokens: store, WeChat: client, Queue: e.runner})
	cfg := Config{PublicURL: public, MPBaseURL: e.wechat.URL, OpenBaseURL: e.wechat.URL, RetryBase: 50 * time.Millisecond, Now: now, Logger: logger}
	work := true
	var jobQueue queue = e.runner
	for _, option := range options {
		switch o := option.(type) {
		case throughQueue:
			jobQueue = o(jobQueue)
		case func(*Config):
			o(&cfg)
		case idle:
			work = false
		}
	}
	e.Service = New(cfg, Deps{
		DB: e.pool, Keys: keys, Tokens: store, WeChat: client, Component: e.component, Queue: jobQueue,
		Locker: postgres.NewLocker(e.pool), Hub: hub,
	})
	e.component.Handle(e.Service)
	require.NoError(tb, e.component.RegisterJobs(e.runner))
	require.NoError(tb, e.RegisterJobs(e.runner))
	auth := adminauth.New(adminauth.Config{DB: e.pool, Keys: keys, Now: now, Logger: logger, PublicOrigin: e.url})
	auth.Install(srv)
	e.component.RegisterRoutes(srv.Echo())
	e.RegisterRoutes(srv.Echo())
	e.component.RegisterAPI(srv.API())
	e.RegisterAPI(srv.API())
	listener.Start()
	tb.Cleanup(listener.Close)

	ctx, cancel := context.WithCancel(context.Background())
	hubEnded := make(chan struct{})
	events, unsubscribe := hub.Subscribe()
	go func() { defer close(hubEnded); _ = hub.Run(ctx) }()
	tb.Cleanup(func() { cancel(); <-hubEnded })
	<-events // the hub listens
	unsubscribe()

	require.NoError(tb, e.runner.Start(tb.Context()))
	e.browser = &http.Client{CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	e.wechat.Fake.SetPushURLs(e.url+"/wxcallback/component", e.url+"/wxcallback/biz/$APPID$")
	e.wechat.Fake.SetLaunchHost(public.Host)
	e.wechat.Fake.PushTicket()
	e.until("the ticket is there", func() bool {
		status, err := e.component.TicketStatus(tb.Context())
		return err == nil && status.Present
	})
	if !work {
		e.stop()
	} else {
		tb.Cleanup(e.stop)
	}
	_, _, err = auth.EnsureFirstAdmin(tb.Context(), "admin", password)
	require.NoError(tb, err)
	return e
}

func (e *env) stop() {
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	if err := e.runner.Stop(ctx); err != nil {
		e.t.Errorf("stop jobs: %v", err)
	}
}

// until waits for something other processes do; the test fails after 30 s.
func (e *env) until(what string, done func() bool) {
	e.t.Helper()
	require.Eventually(e.t, done, 30*time.Second, 5*time.Millisecond, "%s; log:\n%s", what, e.log)
}

// settled waits until all pushes are delivered and no job is left but those that wait for a later time.
func (e *env) settled() {
	e.t.Helper()
	e.until("everything is worked off", func() bool {
		for _, p := range e.wechat.Fake.Pushes() {
			if p.State == wechatfake.PushPending {
				return false
			}
		}
		return e.count(`SELECT count(*) FROM river_job WHERE state IN ('available', 'running', 'retryable')
			OR state = 'scheduled' AND kind NOT LIKE '%sweep' AND scheduled_at < now() + interval '20 seconds'`) == 0
	})
}

func (e *env) count(query string, args ...any) (n int) {
	e.t.Helper()
	require.NoError(e.t, e.pool.QueryRow(context.Background(), query, args...).Scan(&n))
	return n
}

func (e *env) merchant(appid string) string {
	e.t.Helper()
	require.NoError(e.t, e.wechat.Fake.AddMerchant(wechatfake.Merchant{AppID: appid, NickName: "店 " + appid}))
	return appid
}

func (e *env) link(n NewLink) Link {
	e.t.Helper()
	if n.Kind == "" {
		n.Kind = "miniprogram"
	}
	if n.BizID == "" {
		n.BizID = "biz-1"
	}
	l, err := e.CreateLink(context.Background(), n)
	require.NoError(e.t, err)
	return l
}

func (e *env) reread(l Link) Link {
	e.t.Helper()
	fresh, err := e.Link(context.Background(), l.ID)
	require.NoError(e.t, err)
	return fresh
}

type page struct {
	status int
	header http.Header
	body   string
}

func (e *env) get(target, agent string, headers ...string) page {
	e.t.Helper()
	return e.do(http.MethodGet, target, agent, headers...)
}

func (e *env) do(method, target, agent string, headers ...string) page {
	e.t.Helper()
	if strings.HasPrefix(target, "/") {
		target = e.url + target
	}
	req, err := http.NewRequestWithContext(context.Background(), method, target, nil) //nolint:gosec,nolintlint // our own pages, and the fake's; gosec finds it in some runs only
	require.NoError(e.t, err)
	req.Header.Set("User-Agent", agent)
	for i := 0; i+1 < len(headers); i += 2 {
		req.Header.Set(headers[i], headers[i+1])
	}
	resp, err := e.browser.Do(req) //nolint:gosec,nolintlint // likewise
	require.NoError(e.t, err)
	defer resp.Body.Close() //nolint:errcheck // a test
	content, err := io.ReadAll(resp.Body)
	require.NoError(e.t, err)
	return page{resp.StatusCode, resp.Header, string(content)}
}

// open plays a merchant opening the link's page and gives the way to WeChat on it.
func (e *env) open(l Link) *url.URL {
	e.t.Helper()
	p := e.get("/authorize/"+l.ID, onDesktop)
	require.Equal(e.t, http.StatusOK, p.status, p.body)
	return e.way(p.body)
}

func (e *env) way(body string) *url.URL {
	e.t.Helper()
	found := regexp.MustCompile(`<a id="go"[^>]* href="([^"]+)"`).FindStringSubmatch(body)
	require.NotNil(e.t, found, body)
	u, err := url.Parse(html.UnescapeString(found[1]))
	require.NoError(e.t, err)
	return u
}

// noOrder has neither event nor redirect come by itself.
const noOrder = "none"

// agree plays the merchant's consent; order is one of the fake's, or noOrder.
func (e *env) agree(l Link, appid, order string) wechatfake.Authorization {
	e.t.Helper()
	q := e.open(l).Query()
	how := wechatfake.Authorize{PreAuthCode: q.Get("pre_auth_code"), RedirectURI: q.Get("redirect_uri"), Order: order}
	if order == noOrder {
		how.RedirectURI, how.Order = "", wechatfake.OrderRedirect
	}
	given, err := e.wechat.Fake.AuthorizeMerchant(appid, how)
	require.NoError(e.t, err)
	return given
}

func (e *env) callback(l Link, code string) page {
	e.t.Helper()
	return e.get("/authorize/"+l.ID+"/callback?auth_code="+url.QueryEscape(code)+"&expires_in=600", onDesktop)
}

// callbacks counts the redirects that were answered.
func (e *env) callbacks() int {
	return strings.Count(e.log.String(), "route=/authorize/:link_id/callback ")
}

func (e *env) exchanged() (effective, calls int) {
	return e.wechat.Fake.Effective(pathQueryAuth, ""), len(e.wechat.Fake.Calls(pathQueryAuth))
}

// bound requires that a merchant is on record with these biz ids and working tokens.
func (e *env) bound(appid string, bizIDs ...string) Authorizer {
	e.t.Helper()
	a, err := e.Get(context.Background(), appid)
	require.NoError(e.t, err)
	require.Equal(e.t, statusAuthorized, a.Status)
	require.Equal(e.t, append([]string{}, bizIDs...), a.BizIDs)
	token, err := e.Token(context.Background(), appid)
	require.NoError(e.t, err)
	require.False(e.t, token.Access.IsZero())
	return a
}

// api calls the admin API as the administrator and decodes the answer.
func (e *env) api(method, path string, in any) (int, map[string]any) {
	e.t.Helper()
	if e.signedIn == nil {
		jar, err := cookiejar.New(nil)
		require.NoError(e.t, err)
		e.signedIn = &http.Client{Jar: jar}
		status, _ := e.call(http.MethodPost, "/session", map[string]string{"username": "admin", "password": password})
		require.Less(e.t, status, 300)
		u, _ := url.Parse(e.url)
		for _, c := range jar.Cookies(u) {
			if c.Name == "csrf" {
				e.csrf = c.Value
			}
		}
	}
	return e.call(method, path, in)
}

func (e *env) call(method, path string, in any) (int, map[string]any) {
	e.t.Helper()
	var body io.Reader
	if in != nil {
		text, err := json.Marshal(in)
		require.NoError(e.t, err)
		body = bytes.NewReader(text)
	}
	req, err := http.NewRequestWithContext(context.Background(), method, e.url+"/api/v1"+path, body)
	require.NoError(e.t, err)
	req.Header.Set("Content-Type", "application/json")
	req.Header.Set("X-CSRF-Token", e.csrf)
	req.Header.Set("Accept-Language", "en")
	resp, err := e.signedIn.Do(req)
	require.NoError(e.t, err)
	defer resp.Body.Close() //nolint:errcheck // a test
	content, err := io.ReadAll(resp.Body)
	require.NoError(e.t, err)
	out := map[string]any{}
	if len(content) > 0 {
		require.NoError(e.t, json.Unmarshal(content, &out), string(content))
	}
	return resp.StatusCode, out
}

// lost leaves an exchange as a process does that died after it had committed "sent".
func (e *env) lost(a arrival) exchange {
	e.t.Helper()
	ctx := context.Background()
	if a.expiresAt.IsZero() {
		a.expiresAt = e.Now().Add(codeLife)
	}
	x, err := e.receive(ctx, a)
	require.NoError(e.t, err)
	_, err = beginExchange(ctx, e.pool, x.Fingerprint, e.Now())
	require.NoError(e.t, err)
	_, err = e.pool.Exec(ctx, `DELETE FROM river_job`)
	require.NoError(e.t, err)
	x, err = findExchange(ctx, e.pool, x.Fingerprint)
	require.NoError(e.t, err)
	require.Equal(e.t, exchangeSent, x.State)
	return x
}

func (e *env) state(fingerprint string) exchange {
	e.t.Helper()
	x, err := findExchange(context.Background(), e.pool, fingerprint)
	require.NoError(e.t, err)
	return x
}

func appids(prefix string, n int) []string {
	list := make([]string, n)
	for i := range list {
		list[i] = fmt.Sprintf("wx%s%08d", prefix, i)
	}
	return list
}
