package forward

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"net/http/httptrace"
	"net/netip"
	"net/textproto"
	"net/url"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/labstack/echo/v4"
	"github.com/stretchr/testify/require"

	"github.com/wxsteward/wxsteward/internal/adminauth"
	"github.com/wxsteward/wxsteward/internal/fault"
	"github.com/wxsteward/wxsteward/internal/httpserver"
	"github.com/wxsteward/wxsteward/internal/live"
	"github.com/wxsteward/wxsteward/internal/outbound"
	"github.com/wxsteward/wxsteward/internal/postgres/postgrestest"
	"github.com/wxsteward/wxsteward/internal/sealed"
	"github.com/wxsteward/wxsteward/internal/settings"
)

// proxyWait is for what must happen at once; it bounds a failing test.
const proxyWait = 20 * time.Second

type lockedLog struct {
	mu  sync.Mutex
	buf bytes.Buffer
}

func (l *lockedLog) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.buf.Write(p)
}

func (l *lockedLog) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.buf.String()
}

// proxyMeter remembers what it was told.
type proxyMeter struct {
	mu       sync.Mutex
	statuses []int
}

func (m *proxyMeter) Proxied(status int, _ time.Duration) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.statuses = append(m.statuses, status)
}

func (m *proxyMeter) seen() []int {
	m.mu.Lock()
	defer m.mu.Unlock()
	return append([]int(nil), m.statuses...)
}

// proxyRig is a public listener with a proxy behind it.
type proxyRig struct {
	*Proxy

	t     *testing.T
	url   string
	pool  *pgxpool.Pool
	log   *lockedLog
	meter *proxyMeter
}

// newProxyRig makes one; without a pool it gets a database of its own.
func newProxyRig(t *testing.T, pool *pgxpool.Pool, change func(*ProxyConfig, *outbound.Guard, *http.Server)) *proxyRig {
	t.Helper()
	if pool == nil {
		pool = postgrestest.New(t)
	}
	var lc net.ListenConfig
	listener, err := lc.Listen(t.Context(), "tcp", "127.0.0.1:0")
	require.NoError(t, err)
	rig := &proxyRig{t: t, url: "http://" + listener.Addr().String(), pool: pool, log: &lockedLog{}, meter: &proxyMeter{}}
	logger := slog.New(slog.NewJSONHandler(rig.log, &slog.HandlerOptions{Level: slog.LevelDebug}))
	cfg := ProxyConfig{StripCookies: []string{adminauth.SessionCookie, adminauth.HostSessionCookie, adminauth.CSRFCookie}, Meter: rig.meter, Logger: logger}
	guard := outbound.Guard{AllowPrivate: true, Own: []netip.AddrPort{netip.MustParseAddrPort(listener.Addr().String())}}
	public := httpserver.New(httpserver.Config{Logger: logger, TrustedProxies: []netip.Prefix{netip.MustParsePrefix("127.0.0.2/32")}})
	server := &http.Server{Handler: public.Echo(), ReadHeaderTimeout: time.Minute}
	if change != nil {
		change(&cfg, &guard, server)
	}
	keys, err := sealed.NewKeyring(sealed.GenerateKey())
	require.NoError(t, err)
	hub := live.NewHub(func(ctx context.Context) (*pgx.Conn, error) { return pgx.ConnectConfig(ctx, pool.Config().ConnConfig) }, logger)
	rig.Proxy = NewProxy(cfg, ProxyDeps{DB: pool, Settings: settings.New(pool, keys), Guard: guard, Events: hub})
	e := public.Echo()
	e.POST("/wxcallback/component", func(c echo.Context) error { return c.String(http.StatusOK, "success") })
	rig.RegisterRoutes(e, map[string]echo.HandlerFunc{"/": func(c echo.Context) error { return c.String(http.StatusOK, "our own page") }})

	ctx, cancel := context.WithCancel(context.WithoutCancel(t.Context()))
	var running sync.WaitGroup
	running.Go(func() { _ = hub.Run(ctx) })
	running.Go(func() { _ = rig.Run(ctx) })
	running.Go(func() { _ = server.Serve(listener) })
	t.Cleanup(func() {
		rig.Close()
		_ = server.Close()
		cancel()
		running.Wait()
	})
	return rig
}

func (rig *proxyRig) turnOn(upstream string) {
	rig.t.Helper()
	_, err := rig.Change(rig.t.Context(), true, upstream, "root")
	require.NoError(rig.t, err)
}

func (rig *proxyRig) request(method, path string, body io.Reader) *http.Request {
	rig.t.Helper()
	r, err := http.NewRequestWithContext(rig.t.Context(), method, rig.url, body)
	require.NoError(rig.t, err)
	r.URL, err = url.Parse(rig.url + path)
	require.NoError(rig.t, err)
	return r
}

// answered is what came back, read to its end.
type answered struct {
	StatusCode int
	Header     http.Header
}

func (rig *proxyRig) do(r *http.Request) (a answered, text string) {
	rig.t.Helper()
	res, err := (&http.Transport{DisableKeepAlives: true}).RoundTrip(r)
	require.NoError(rig.t, err)
	defer res.Body.Close() //nolint:errcheck // read to its end
	body, err := io.ReadAll(res.Body)
	require.NoError(rig.t, err)
	return answered{res.StatusCode, res.Header}, string(body)
}

func (rig *proxyRig) get(path string) (int, string) {
	rig.t.Helper()
	res, text := rig.do(rig.request(http.MethodGet, path, nil))
	return res.StatusCode, text
}

// business is a business system that remembers its last request.
type business struct {
	*httptest.Server

	hits atomic.Int64
	last atomic.Pointer[http.Request]
}

func newBusiness(t *testing.T, handle http.HandlerFunc) *business {
	t.Helper()
	b := &business{}
	b.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		b.hits.Add(1)
		b.last.Store(r.Clone(context.WithoutCancel(r.Context())))
		if handle != nil {
			handle(w, r)
			return
		}
		_, _ = io.Copy(w, r.Body)
	}))
	t.Cleanup(func() {
		b.CloseClientConnections()
		b.Close()
	})
	return b
}

func TestProxyPassesRequestsAsTheyCame(t *testing.T) {
	t.Parallel()
	b := newBusiness(t, func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("X-Business", "yes")
		w.WriteHeader(http.StatusTeapot)
		_, _ = io.Copy(w, r.Body)
	})
	rig := newProxyRig(t, nil, nil)
	rig.turnOn(b.URL)
	for _, path := range []string{"/", "/shop/1", "/a%2Fb//c/", "/q?a=1;b=2&c=%zz&", "/administrator", "/favicon.ico", "/wx/api/x", "/%E5%BA%97"} {
		res, text := rig.do(rig.request(http.MethodPut, path, strings.NewReader("emoji 🎉")))
		require.Equal(t, http.StatusTeapot, res.StatusCode, path)
		require.Equal(t, "emoji 🎉", text)
		require.Equal(t, "yes", res.Header.Get("X-Business"))
		require.Equal(t, path, b.last.Load().RequestURI)
		require.Equal(t, http.MethodPut, b.last.Load().Method)
		require.Equal(t, strings.TrimPrefix(rig.url, "http://"), b.last.Load().Host, "a business system without a domain sees the client's name for it")
		require.Empty(t, res.Header.Get("Content-Security-Policy"), "the page is somebody else's")
		require.Len(t, res.Header.Values("X-Request-Id"), 1)
		require.Equal(t, res.Header.Get("X-Request-Id"), b.last.Load().Header.Get("X-Request-Id"))
	}
	require.Equal(t, 8, len(rig.meter.seen()))
	require.Equal(t, http.StatusTeapot, rig.meter.seen()[0])
	rig.turnOn(b.URL + "/below/")
	rig.get("/shop")
	require.Equal(t, "/below/shop", b.last.Load().RequestURI)
}

func TestProxyKeepsWhatIsOursAndWhatIsMadeUp(t *testing.T) {
	t.Parallel()
	b := newBusiness(t, func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Add("Set-Cookie", "wxsteward_session=forged; Path=/")
		w.Header().Add("Set-Cookie", "__Host-wxsteward_session=forged; Path=/")
		w.Header().Add("Set-Cookie", "theirs=1; Path=/")
	})
	for _, keep := range []bool{false, true} {
		rig := newProxyRig(t, nil, func(c *ProxyConfig, _ *outbound.Guard, _ *http.Server) {
			c.KeepIdentity = keep
			c.PublicURL = &url.URL{Scheme: "https", Host: "steward.example.com"}
		})
		rig.turnOn(b.URL)
		r := rig.request(http.MethodGet, "/x", nil)
		r.Host = "steward.example.com"
		r.Header = http.Header{
			"Cookie":             {"a=1; wxsteward_session=secret1; b=\"x y\"", "csrf=secret2", "wxsteward_sessionx=3; csrf2=4"},
			"Authorization":      {"Bearer wxs_secret3"},
			"X-Wx-Openid":        {"o-made-up"},
			"X_wx_unionid":       {"u-made-up"},
			"X-Wxsteward-Appid":  {"wxmadeup"},
			"X-Forwarded-For":    {"1.2.3.4"},
			"X-Forwarded-Proto":  {"gopher"},
			"X-Forwarded-Host":   {"evil.example"},
			"Forwarded":          {"for=1.2.3.4"},
			"X-Real-Ip":          {"1.2.3.4"},
			"X-Csrf-Token":       {"theirs"},
			"Proxy-Connection":   {"keep-alive"},
			"X-Made-Up":          {"kept"},
			"Accept-Encoding":    {"br"},
			"Connection":         {"X-Hop"},
			"X-Hop":              {"gone"},
			"X-Wx-From-Openid":   {"o-made-up"},
			"X-Wxwork-Something": {"kept"},
		}
		res, _ := rig.do(r)
		got := b.last.Load().Header
		require.Equal(t, []string{"a=1; b=\"x y\"", "wxsteward_sessionx=3; csrf2=4"}, got["Cookie"])
		require.Equal(t, []string{"theirs=1; Path=/"}, res.Header.Values("Set-Cookie"))
		for _, name := range []string{"Authorization", "X-Wxsteward-Appid", "Forwarded", "X-Hop", "Proxy-Connection"} {
			require.NotContains(t, got, name)
		}
		if keep {
			require.Equal(t, "o-made-up", got.Get("X-Wx-Openid"))
		} else {
			for _, name := range []string{"X-Wx-Openid", "X_wx_unionid", "X-Wx-From-Openid"} {
				require.NotContains(t, got, name)
			}
		}
		require.Equal(t, "127.0.0.1", got.Get("X-Forwarded-For"))
		require.Equal(t, "127.0.0.1", got.Get("X-Real-Ip"))
		require.Equal(t, "https", got.Get("X-Forwarded-Proto"), "as PUBLIC_URL says")
		require.Equal(t, "steward.example.com", got.Get("X-Forwarded-Host"))
		require.Equal(t, "br", got.Get("Accept-Encoding"))
		require.Equal(t, "kept", got.Get("X-Made-Up"))
		require.Equal(t, "kept", got.Get("X-Wxwork-Something"))
		require.NotContains(t, rig.log.String(), "secret")
	}
}

func TestProxyBelievesTrustedProxies(t *testing.T) {
	t.Parallel()
	b := newBusiness(t, nil)
	rig := newProxyRig(t, nil, nil)
	rig.turnOn(b.URL)
	r := rig.request(http.MethodGet, "/x", nil)
	r.Header.Set("X-Forwarded-For", "6.6.6.6, 1.2.3.4")
	r.Header.Set("X-Forwarded-Proto", "https")
	dialer := &net.Dialer{LocalAddr: &net.TCPAddr{IP: net.IPv4(127, 0, 0, 2)}}
	res, err := (&http.Transport{DialContext: dialer.DialContext, DisableKeepAlives: true}).RoundTrip(r)
	require.NoError(t, err)
	require.NoError(t, res.Body.Close())
	require.Equal(t, "1.2.3.4, 127.0.0.2", b.last.Load().Header.Get("X-Forwarded-For"), "without what the client claims")
	require.Equal(t, "https", b.last.Load().Header.Get("X-Forwarded-Proto"))
}

func TestProxyNeverPassesWhatIsOurs(t *testing.T) {
	t.Parallel()
	b := newBusiness(t, nil)
	rig := newProxyRig(t, nil, nil)
	rig.turnOn(b.URL)
	for _, path := range []string{
		"/inner", "/inner/ticket", "/inner/component-access-token", "/metrics", "/metrics/x", "/api", "/api/", "/api/v1/nothing", "/api/v2", "/admin", "/admin/",
		"/admin/x.js", "/authorize", "/authorize/x", "/wxcallback", "/wxcallback/biz", "/wxcallback/biz/wx1", "/wxcallback/other", "/healthz/", "/readyz/x", "/miniapp/x",
		"//inner/ticket", "/./inner", "/x/../inner/ticket", "/%69nner/ticket", "/INNER/ticket", "/%2finner/ticket", "/x/%2e%2e/api/v1", "/metrics/", "//metrics",
	} {
		for _, method := range []string{http.MethodGet, http.MethodPost, "PURGE"} {
			res, text := rig.do(rig.request(method, path, nil))
			require.GreaterOrEqual(t, res.StatusCode, 400, "%s %s: %s", method, path, text)
			require.NotEqual(t, http.StatusBadGateway, res.StatusCode, "%s %s", method, path)
		}
	}
	res, _ := rig.do(rig.request(http.MethodPost, "/healthz", nil))
	require.GreaterOrEqual(t, res.StatusCode, 400)
	res, text := rig.do(rig.request(http.MethodPost, "/wxcallback/component", nil))
	require.Equal(t, http.StatusOK, res.StatusCode)
	require.Equal(t, "success", text)
	require.Zero(t, b.hits.Load())
}

func TestProxyIsOffUntilTurnedOnAndReplicasFollow(t *testing.T) {
	t.Parallel()
	b, other := newBusiness(t, nil), newBusiness(t, nil)
	rig := newProxyRig(t, nil, nil)
	replica := newProxyRig(t, rig.pool, nil)
	for _, r := range []*proxyRig{rig, replica} {
		status, _ := r.get("/shop")
		require.Equal(t, http.StatusNotFound, status)
		status, text := r.get("/")
		require.Equal(t, http.StatusOK, status)
		require.Equal(t, "our own page", text)
		res, _ := r.do(r.request(http.MethodPost, "/", nil))
		require.Equal(t, http.StatusMethodNotAllowed, res.StatusCode)
	}
	follows := func(what string, reached func() bool) {
		t.Helper()
		require.Eventually(t, reached, 5*time.Second, 20*time.Millisecond, what)
	}
	rig.turnOn(b.URL)
	status, _ := rig.get("/shop")
	require.Equal(t, http.StatusOK, status, "who changes it sees the change at once")
	follows("on", func() bool { status, _ := replica.get("/shop"); return status == http.StatusOK })
	rig.turnOn(other.URL)
	follows("moved", func() bool { replica.get("/shop"); return other.hits.Load() > 0 })
	_, err := rig.Change(t.Context(), false, other.URL, "root")
	require.NoError(t, err)
	follows("off", func() bool { _, text := replica.get("/"); return text == "our own page" })

	// The news is lost: the replica looks by itself.
	_, err = rig.pool.Exec(t.Context(), `UPDATE setting SET value = $1 WHERE key = $2`, `{"enabled":true,"upstream":"`+b.URL+`"}`, keyProxy)
	require.NoError(t, err)
	before := b.hits.Load()
	follows("without news", func() bool { replica.get("/shop"); return b.hits.Load() > before })
}

func TestProxyDefaultComesFromTheEnvironment(t *testing.T) {
	t.Parallel()
	b, other := newBusiness(t, nil), newBusiness(t, nil)
	rig := newProxyRig(t, nil, func(c *ProxyConfig, _ *outbound.Guard, _ *http.Server) { c.Default = b.URL })
	setting, err := rig.Setting(t.Context())
	require.NoError(t, err)
	require.Equal(t, ProxySetting{Enabled: true, Upstream: b.URL, Source: ProxyEnvironment}, setting)
	rig.get("/x")
	require.EqualValues(t, 1, b.hits.Load())
	rig.turnOn(other.URL)
	rig.get("/x")
	require.EqualValues(t, 1, other.hits.Load(), "what is stored goes before")
	rig.turnOn("")
	rig.get("/x")
	require.EqualValues(t, 2, b.hits.Load(), "an empty upstream is the environment's")
	setting, err = rig.Change(t.Context(), false, "", "root")
	require.NoError(t, err)
	require.Equal(t, ProxySetting{Enabled: false, Upstream: b.URL, Source: ProxyStored}, setting)
	status, _ := rig.get("/x")
	require.Equal(t, http.StatusNotFound, status)
}

func TestProxyRefusesUpstreams(t *testing.T) {
	t.Parallel()
	rig := newProxyRig(t, nil, func(c *ProxyConfig, g *outbound.Guard, _ *http.Server) {
		c.PublicURL = &url.URL{Scheme: "https", Host: "steward.example.com"}
		g.Lookup = func(context.Context, string) ([]netip.Addr, error) {
			return []netip.Addr{netip.MustParseAddr("10.0.0.1")}, nil
		}
	})
	for name, upstream := range map[string]string{ //nolint:gosec // no password is hidden in them
		"nothing": "", "no scheme": "127.0.0.1:80", "another scheme": "ftp://a", "no host": "http://", "a query": "http://a/?x=1",
		"a user": "http://u:p@a", "a fragment": "http://a/#x", "metadata": "http://169.254.169.254", "link-local": "http://[fe80::1]", "ourselves": rig.url,
		"ourselves by another name": "http://0.0.0.0:" + rig.url[strings.LastIndex(rig.url, ":")+1:], "our public name": "https://STEWARD.example.com",
		"too long": "http://a/" + strings.Repeat("x", maxUpstream),
	} {
		_, err := rig.Change(t.Context(), true, upstream, "root")
		f, ok := errors.AsType[*fault.Error](err)
		require.True(t, ok, "%s: %v", name, err)
		require.Equal(t, fault.Validation, f.Kind, name)
		require.Equal(t, "body.upstream", f.Fields[0].Location, name)
	}
	setting, err := rig.Setting(t.Context())
	require.NoError(t, err)
	require.Equal(t, ProxySetting{Source: ProxyUnset}, setting)
	rig.turnOn("http://shop.internal:8090/base/")
}

func TestProxyCheckTellsWhetherTheUpstreamAnswers(t *testing.T) {
	t.Parallel()
	rig := newProxyRig(t, nil, nil)
	shop := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		http.Redirect(w, r, "http://169.254.169.254/", http.StatusFound)
	}))
	t.Cleanup(shop.Close)

	a, err := rig.Check(t.Context(), shop.URL+"/")
	require.NoError(t, err)
	require.Equal(t, http.StatusFound, a.Status, "a redirect is an answer and is not followed")
	require.Empty(t, a.Failure)

	rig.turnOn(shop.URL)
	a, err = rig.Check(t.Context(), "")
	require.NoError(t, err)
	require.Equal(t, http.StatusFound, a.Status, "without an upstream it is the one in force")

	shop.Close()
	a, err = rig.Check(t.Context(), shop.URL)
	require.NoError(t, err)
	require.Zero(t, a.Status)
	require.Equal(t, failure(outbound.TroubleRefused), a.Failure)

	for _, upstream := range []string{"http://169.254.169.254", rig.url, "not an address"} {
		_, err := rig.Check(t.Context(), upstream)
		refusal, ok := errors.AsType[*fault.Error](err)
		require.True(t, ok && refusal.Kind == fault.Validation, upstream)
	}
}

func TestProxyChecksTheUpstreamAtEveryConnection(t *testing.T) {
	t.Parallel()
	b := newBusiness(t, nil)
	var addr atomic.Pointer[netip.Addr]
	addr.Store(new(netip.MustParseAddr("127.0.0.1")))
	rig := newProxyRig(t, nil, func(_ *ProxyConfig, g *outbound.Guard, _ *http.Server) {
		g.Lookup = func(context.Context, string) ([]netip.Addr, error) { return []netip.Addr{*addr.Load()}, nil }
	})
	port := b.URL[strings.LastIndex(b.URL, ":"):]
	rig.turnOn("http://shop.example.com" + port)
	status, _ := rig.get("/x")
	require.Equal(t, http.StatusOK, status)
	require.Equal(t, "shop.example.com"+port, b.last.Load().Host, "one with a domain sees its own name")
	b.CloseClientConnections()
	addr.Store(new(netip.MustParseAddr("169.254.169.254")))
	require.Eventually(t, func() bool { status, _ = rig.get("/x"); return status == http.StatusBadGateway }, proxyWait, 20*time.Millisecond)

	// Our own listener, though the setting was written when it was not ours.
	_, err := rig.pool.Exec(t.Context(), `UPDATE setting SET value = $1 WHERE key = $2`, `{"enabled":true,"upstream":"`+rig.url+`"}`, keyProxy)
	require.NoError(t, err)
	setting, err := rig.Setting(t.Context())
	require.NoError(t, err)
	require.Equal(t, rig.url, setting.Upstream)
	status, _ = rig.get("/x")
	require.Equal(t, http.StatusBadGateway, status)
	require.Contains(t, rig.log.String(), "not allowed")
}

func TestProxyCutsCircles(t *testing.T) {
	t.Parallel()
	first, second := newProxyRig(t, nil, nil), newProxyRig(t, nil, nil)
	first.turnOn(second.url)
	second.turnOn(first.url)
	status, text := first.get("/x")
	require.Equal(t, http.StatusLoopDetected, status, text)
}

func TestProxySaysWhenTheBusinessSystemIsAway(t *testing.T) {
	t.Parallel()
	b := newBusiness(t, nil)
	rig := newProxyRig(t, nil, nil)
	rig.turnOn(b.URL)
	b.Close()
	res, text := rig.do(rig.request(http.MethodPost, "/x?key=hunter2", strings.NewReader("body")))
	require.Equal(t, http.StatusBadGateway, res.StatusCode)
	require.Equal(t, "application/problem+json", res.Header.Get("Content-Type"))
	require.Contains(t, text, "unavailable")
	require.NotEmpty(t, res.Header.Get("Content-Security-Policy"), "the answer is ours")
	require.Len(t, res.Header.Values("X-Request-Id"), 1)
	require.NotContains(t, rig.log.String(), "hunter2")
	require.Equal(t, []int{http.StatusBadGateway}, rig.meter.seen())
}

func TestProxyStreams(t *testing.T) {
	t.Parallel()
	more := make(chan string)
	b := newBusiness(t, func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/upload" {
			lines := bufio.NewReader(r.Body)
			for {
				line, err := lines.ReadString('\n')
				if err != nil {
					return
				}
				more <- line
			}
		}
		if length := r.URL.Query().Get("length"); length != "" {
			w.Header().Set("Content-Length", length)
		}
		if r.URL.Path == "/hints" {
			w.Header().Set("Link", "</a.css>; rel=preload")
			w.WriteHeader(http.StatusEarlyHints)
		}
		w.WriteHeader(http.StatusOK)
		control := http.NewResponseController(w)
		_ = control.Flush()
		for line := range more {
			_, _ = io.WriteString(w, line)
			_ = control.Flush()
		}
	})
	rig := newProxyRig(t, nil, nil)
	rig.turnOn(b.URL)
	client := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
	for _, path := range []string{"/chunked", "/known?length=8", "/hints"} {
		more = make(chan string)
		hinted := false
		r := rig.request(http.MethodGet, path, nil)
		r = r.WithContext(httptrace.WithClientTrace(r.Context(), &httptrace.ClientTrace{Got1xxResponse: func(code int, h textproto.MIMEHeader) error {
			hinted = code == http.StatusEarlyHints && h.Get("Link") != ""
			return nil
		}}))
		res, err := client.Do(r)
		require.NoError(t, err)
		require.Equal(t, http.StatusOK, res.StatusCode)
		require.Equal(t, path == "/hints", hinted)
		lines := bufio.NewReader(res.Body)
		for _, line := range []string{"one\n", "two\n"} {
			more <- line // the business system waits for it, so the first is here before the second is made
			got, err := lines.ReadString('\n')
			require.NoError(t, err)
			require.Equal(t, line, got)
		}
		close(more)
		_, err = io.Copy(io.Discard, res.Body)
		require.NoError(t, err)
		require.NoError(t, res.Body.Close())
	}

	more = make(chan string)
	body, write := io.Pipe()
	done := make(chan error, 1)
	go func() {
		res, err := client.Do(rig.request(http.MethodPost, "/upload", body))
		if err == nil {
			err = res.Body.Close()
		}
		done <- err
	}()
	for _, line := range []string{"one\n", "two\n"} {
		_, err := io.WriteString(write, line)
		require.NoError(t, err)
		require.Equal(t, line, <-more)
	}
	require.NoError(t, write.Close())
	require.NoError(t, <-done)
}

func TestProxyTransfersMayTakeLongerThanTheServerAllowsOthers(t *testing.T) {
	t.Parallel()
	const limit = 250 * time.Millisecond
	b := newBusiness(t, func(w http.ResponseWriter, r *http.Request) {
		n, err := io.Copy(io.Discard, r.Body)
		if r.URL.Query().Has("slow") {
			time.Sleep(2 * limit) // longer than the time-out is what is tested
		}
		_, _ = fmt.Fprintf(w, "%d %v", n, err)
		_ = http.NewResponseController(w).Flush()
		if r.URL.Query().Has("slow") {
			time.Sleep(2 * limit)
		}
		_, _ = io.WriteString(w, " end")
	})
	rig := newProxyRig(t, nil, func(_ *ProxyConfig, _ *outbound.Guard, s *http.Server) {
		s.ReadTimeout, s.WriteTimeout = limit, limit
	})
	rig.turnOn(b.URL)
	_, text := rig.do(rig.request(http.MethodGet, "/x?slow", nil))
	require.Equal(t, "0 <nil> end", text)
	_, text = rig.do(rig.request(http.MethodPost, "/x?slow", strings.NewReader("abc")))
	require.Equal(t, "3 <nil> end", text)
	body, write := io.Pipe()
	go func() {
		for range 3 {
			_, _ = io.WriteString(write, "abc")
			time.Sleep(limit)
		}
		_ = write.Close()
	}()
	_, text = rig.do(rig.request(http.MethodPost, "/x", body))
	require.Equal(t, "9 <nil> end", text)
}

func TestProxyTellsTheBusinessSystemWhenTheClientHangsUp(t *testing.T) {
	t.Parallel()
	begun, ended := make(chan struct{}), make(chan struct{})
	b := newBusiness(t, func(_ http.ResponseWriter, r *http.Request) {
		close(begun)
		<-r.Context().Done()
		close(ended)
	})
	rig := newProxyRig(t, nil, nil)
	rig.turnOn(b.URL)
	ctx, cancel := context.WithCancel(t.Context())
	go func() {
		<-begun
		cancel()
	}()
	res, err := http.DefaultTransport.RoundTrip(rig.request(http.MethodGet, "/x", nil).WithContext(ctx))
	if err == nil {
		require.NoError(t, res.Body.Close())
	}
	require.ErrorIs(t, err, context.Canceled)
	select {
	case <-ended:
	case <-time.After(proxyWait):
		t.Fatal("the business system goes on working for nobody")
	}
}

func TestProxyPassesUpgrades(t *testing.T) {
	t.Parallel()
	gone := make(chan struct{})
	b := newBusiness(t, func(w http.ResponseWriter, _ *http.Request) {
		conn, rw, err := http.NewResponseController(w).Hijack()
		if err != nil {
			return
		}
		defer close(gone)
		defer conn.Close() //nolint:errcheck // of a test
		_, _ = io.WriteString(conn, "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n")
		_, _ = io.Copy(conn, rw)
	})
	const limit = 200 * time.Millisecond
	rig := newProxyRig(t, nil, func(_ *ProxyConfig, _ *outbound.Guard, s *http.Server) { s.ReadTimeout, s.WriteTimeout = limit, limit })
	rig.turnOn(b.URL)
	var d net.Dialer
	conn, err := d.DialContext(t.Context(), "tcp", strings.TrimPrefix(rig.url, "http://"))
	require.NoError(t, err)
	defer conn.Close() //nolint:errcheck // of a test
	require.NoError(t, conn.SetDeadline(time.Now().Add(proxyWait)))
	_, err = io.WriteString(conn, "GET /socket HTTP/1.1\r\nHost: shop\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nCookie: wxsteward_session=secret1\r\n\r\n")
	require.NoError(t, err)
	reader := bufio.NewReader(conn)
	res, err := http.ReadResponse(reader, nil) //nolint:bodyclose // an upgrade has none
	require.NoError(t, err)
	require.Equal(t, http.StatusSwitchingProtocols, res.StatusCode)
	require.Equal(t, "websocket", res.Header.Get("Upgrade"))
	require.NotContains(t, b.last.Load().Header, "Cookie")
	for _, text := range []string{"hello", "again"} {
		_, err = io.WriteString(conn, text)
		require.NoError(t, err)
		echoed := make([]byte, len(text))
		_, err = io.ReadFull(reader, echoed)
		require.NoError(t, err)
		require.Equal(t, text, string(echoed))
		time.Sleep(2 * limit) // longer than the server lets others be silent
	}
	rig.Close()
	_, err = reader.ReadByte()
	require.ErrorIs(t, err, io.EOF, "stopping ends it")
	select {
	case <-gone:
	case <-time.After(proxyWait):
		t.Fatal("the business system still waits")
	}
	require.Eventually(t, func() bool { return strings.Contains(rig.log.String(), `"status":101`) }, proxyWait, 10*time.Millisecond)
}

func TestProxyGoesOnWhileTheDatabaseIsAway(t *testing.T) {
	t.Parallel()
	b := newBusiness(t, nil)
	rig := newProxyRig(t, nil, nil)
	rig.turnOn(b.URL)
	_, err := rig.pool.Exec(t.Context(), `ALTER TABLE setting RENAME TO away`)
	require.NoError(t, err)
	require.False(t, rig.follow(t.Context()))
	status, _ := rig.get("/x")
	require.Equal(t, http.StatusOK, status)

	fresh := newProxyRig(t, rig.pool, nil)
	status, _ = fresh.get("/x")
	require.Equal(t, http.StatusInternalServerError, status/100*100, "not known yet whether the address is the business system's")
	_, err = rig.pool.Exec(t.Context(), `ALTER TABLE away RENAME TO setting`)
	require.NoError(t, err)
	status, _ = fresh.get("/x")
	require.Equal(t, http.StatusOK, status)
}
