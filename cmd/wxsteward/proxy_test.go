package main

import (
	"bufio"
	"io"
	"net/http"
	"net/http/httptest"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus/testutil/promlint"
	"github.com/stretchr/testify/require"
	"golang.org/x/net/websocket"

	"github.com/wxsteward/wxsteward/internal/wechat/wechattest"
)

type proxyAnswer struct {
	Enabled  bool
	Upstream string
	Source   string
}

// fetch asks for a path of a listener of the program.
func fetch(tb testing.TB, address string) (int, string) {
	tb.Helper()
	req, err := http.NewRequestWithContext(tb.Context(), http.MethodGet, address, nil)
	require.NoError(tb, err)
	client := &http.Client{CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }, Timeout: 30 * time.Second}
	resp, err := client.Do(req)
	require.NoError(tb, err)
	defer resp.Body.Close() //nolint:errcheck // read to its end
	text, err := io.ReadAll(resp.Body)
	require.NoError(tb, err)
	return resp.StatusCode, string(text)
}

// shop is a business system with an ordinary page, a stream and a WebSocket that repeats what it hears.
func shop(tb testing.TB) (address string, more chan<- string) {
	tb.Helper()
	lines := make(chan string)
	mux := http.NewServeMux()
	mux.HandleFunc("/", func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.WriteString(w, "shop "+r.URL.RequestURI()+" cookie="+r.Header.Get("Cookie")+" auth="+r.Header.Get("Authorization")+" openid="+r.Header.Get("X-WX-OPENID")) //nolint:gosec // of a test
	})
	mux.HandleFunc("/stream", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "text/event-stream")
		for line := range lines {
			_, _ = io.WriteString(w, line)
			_ = http.NewResponseController(w).Flush()
		}
	})
	mux.Handle("/socket", websocket.Handler(func(conn *websocket.Conn) { _, _ = io.Copy(conn, conn) }))
	server := httptest.NewServer(mux)
	tb.Cleanup(func() {
		server.CloseClientConnections()
		server.Close()
	})
	return server.URL, lines
}

func TestProxyOfTheWholeProgram(t *testing.T) {
	t.Parallel()
	upstream, more := shop(t)
	w := newWorld(t, nil)
	inner := "127.0.0.1:" + freePort(t)
	w.env["INNER_LISTEN_ADDR"] = inner
	w.env["ALLOW_PRIVATE_TARGETS"] = "true"
	stop := w.start()
	o := newOperator(t, w.base)
	o.signIn()

	status, _ := fetch(t, w.base+"/shop")
	require.Equal(t, http.StatusNotFound, status, "off by default")
	status, _ = fetch(t, w.base+"/")
	require.Equal(t, http.StatusFound, status)
	var answer proxyAnswer
	o.call(http.MethodGet, "/proxy", nil, &answer)
	require.Equal(t, proxyAnswer{Source: "unset"}, answer)

	for _, refused := range []string{w.base, "http://" + inner, "http://localhost:" + inner[strings.LastIndex(inner, ":")+1:], "http://169.254.169.254", "gopher://a", ""} {
		code, err := o.try(t.Context(), http.MethodPut, "/proxy", map[string]any{"enabled": true, "upstream": refused}, &answer)
		require.Equal(t, http.StatusUnprocessableEntity, code, "%s: %v", refused, err)
	}
	o.call(http.MethodPut, "/proxy", map[string]any{"enabled": true, "upstream": upstream}, &answer)
	require.Equal(t, proxyAnswer{Enabled: true, Upstream: upstream, Source: "stored"}, answer)

	// A browser that is signed in here asks for a page of the shop.
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, w.base+"/shop?id=7&key=hunter2", nil)
	require.NoError(t, err)
	req.AddCookie(&http.Cookie{Name: "theirs", Value: "1"}) //nolint:gosec // of a request
	req.Header.Set("Authorization", "Bearer wxs_hunter3")
	req.Header.Set("X-WX-OPENID", "made-up")
	resp, err := o.client.Do(req)
	require.NoError(t, err)
	text, err := io.ReadAll(resp.Body)
	require.NoError(t, err)
	require.NoError(t, resp.Body.Close())
	require.Equal(t, "shop /shop?id=7&key=hunter2 cookie=theirs=1 auth= openid=", string(text))
	require.Empty(t, resp.Header.Get("Content-Security-Policy"))
	for path, want := range map[string]int{"/": 200, "/favicon.ico": 200, "/admin": 302, "/healthz": 200, "/inner/ticket": 404, "/metrics": 404, "/api/v1/x": 404, "/authorize/x/y/z": 404, "/wxcallback/biz": 404} {
		status, text := fetch(t, w.base+path)
		require.Equal(t, want, status, path)
		require.Equal(t, path == "/" || path == "/favicon.ico", strings.HasPrefix(text, "shop "), "%s: %s", path, text)
	}

	req, err = http.NewRequestWithContext(t.Context(), http.MethodGet, w.base+"/stream", nil)
	require.NoError(t, err)
	streaming := make(chan struct{})
	go func() {
		defer close(streaming)
		more <- "data: one\n\n"
	}()
	resp, err = http.DefaultClient.Do(req)
	require.NoError(t, err)
	reader := bufio.NewReader(resp.Body)
	line, err := reader.ReadString('\n')
	require.NoError(t, err)
	require.Equal(t, "data: one\n", line, "while the stream is open")
	<-streaming
	close(more)
	_, err = io.Copy(io.Discard, reader)
	require.NoError(t, err)
	require.NoError(t, resp.Body.Close())

	conn, err := websocket.Dial("ws"+strings.TrimPrefix(w.base, "http")+"/socket", "", w.base)
	require.NoError(t, err)
	defer conn.Close() //nolint:errcheck // ended by the program
	require.NoError(t, conn.SetDeadline(time.Now().Add(30*time.Second)))
	for _, said := range []string{"hello", "再见 👋"} {
		require.NoError(t, websocket.Message.Send(conn, said))
		var heard string
		require.NoError(t, websocket.Message.Receive(conn, &heard))
		require.Equal(t, said, heard)
	}

	// A restart changes nothing, and ends the socket.
	stop()
	var heard string
	require.Error(t, websocket.Message.Receive(conn, &heard))
	w.start()
	status, whole := fetch(t, w.base+"/again")
	require.Equal(t, http.StatusOK, status)
	require.Contains(t, whole, "shop /again")
	for _, secret := range []string{"hunter2", "hunter3"} {
		require.NotContains(t, w.output.String(), secret)
	}
	requireNoSecretsBut(t, w, o)
}

// requireNoSecretsBut is requireNoSecrets for plays in which WeChat gives out only few.
func requireNoSecretsBut(t *testing.T, w *world, o *operator) {
	t.Helper()
	for _, secret := range append(w.fake.Secrets(), wechattest.ComponentSecret, wechattest.EncodingAESKey, testPassword, w.env["MASTER_KEY"]) {
		require.NotContains(t, w.output.String(), secret, "in the log")
		require.NotContains(t, o.seen.String(), secret, "in an error body")
	}
}

func TestBusinessUpstreamWithoutPermissionForPrivateTargets(t *testing.T) {
	t.Parallel()
	upstream, _ := shop(t)
	w := newWorld(t, nil)
	w.env["BUSINESS_UPSTREAM"] = upstream
	stop := w.start()
	eventually(t, "warning", func() (bool, string) {
		return strings.Contains(w.output.String(), "BUSINESS_UPSTREAM cannot be used now"), w.output.String()
	})
	status, _ := fetch(t, w.base+"/shop")
	require.Equal(t, http.StatusBadGateway, status)
	stop()
	w.env["ALLOW_PRIVATE_TARGETS"] = "true"
	w.start()
	status, text := fetch(t, w.base+"/shop")
	require.Equal(t, http.StatusOK, status)
	require.Contains(t, text, "shop /shop")
}

func TestMetricsAreOnTheInnerListenerOnly(t *testing.T) {
	t.Parallel()
	w := newWorld(t, nil)
	inner := "127.0.0.1:" + freePort(t)
	w.env["INNER_LISTEN_ADDR"] = inner
	w.addMerchant("wxshop00000000001", nil)
	w.start()
	o := newOperator(t, w.base)
	o.signIn()
	w.fake.PushTicket()
	eventually(t, "ticket", func() (bool, string) {
		var c struct{ Ticket struct{ Present bool } }
		_, err := o.try(t.Context(), http.MethodGet, "/component", nil, &c)
		return err == nil && c.Ticket.Present, "no ticket"
	})
	link := o.createLink("biz-1")
	_, err := newMerchantBrowser(t).consent(link.URL, "wxshop00000000001")
	require.NoError(t, err)

	var text string
	eventually(t, "metrics", func() (bool, string) {
		var status int
		status, text = fetch(t, "http://"+inner+"/metrics")
		require.Equal(t, http.StatusOK, status)
		return strings.Contains(text, "wxsteward_ticket_present 1\n"), text
	})
	require.Contains(t, text, `wxsteward_wechat_calls_total{errcode="0",path="cgi-bin/component/api_component_token"}`)
	require.Contains(t, text, `wxsteward_token_refreshes_total{kind="component",result="ok"} 1`)
	require.Contains(t, text, `wxsteward_queue_jobs{state="available"}`)
	require.Contains(t, text, "wxsteward_build_info{")
	require.NotRegexp(t, regexp.MustCompile(`wxshop|`+wechattest.ComponentAppID+`|appid`), text, "no label tells merchants apart")
	for line := range strings.Lines(text) {
		require.Regexp(t, `^(# (HELP|TYPE) )?wxsteward_`, line)
	}
	problems, err := promlint.New(strings.NewReader(text)).Lint()
	require.NoError(t, err)
	for _, p := range problems {
		if !strings.HasPrefix(p.Metric, "wxsteward_go_") && !strings.HasPrefix(p.Metric, "wxsteward_process_") {
			t.Errorf("%s: %s", p.Metric, p.Text)
		}
	}
	for _, secret := range w.fake.Secrets() {
		require.NotContains(t, text, secret)
	}
	for _, path := range []string{"/metrics", "/metrics/", "/inner/ticket"} {
		status, _ := fetch(t, w.base+path)
		require.Equal(t, http.StatusNotFound, status, path)
	}
}
