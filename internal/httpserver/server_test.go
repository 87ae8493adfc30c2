package httpserver_test

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"log/slog"
	"maps"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/danielgtaylor/huma/v2"
	"github.com/labstack/echo/v4"
	"github.com/stretchr/testify/require"

	"github.com/wxsteward/wxsteward/internal/fault"
	"github.com/wxsteward/wxsteward/internal/httpserver"
	"github.com/wxsteward/wxsteward/internal/live"
)

type lockedBuffer struct {
	mu  sync.Mutex
	buf bytes.Buffer
}

func (l *lockedBuffer) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.buf.Write(p)
}

func (l *lockedBuffer) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.buf.String()
}

// running is a server on a real port.
type running struct {
	*httpserver.Server

	url string
	log *lockedBuffer
}

func open(t *testing.T, cfg httpserver.Config, routes func(*httpserver.Server)) *running {
	t.Helper()
	r := &running{log: &lockedBuffer{}}
	cfg.Logger = slog.New(slog.NewTextHandler(r.log, &slog.HandlerOptions{Level: slog.LevelDebug}))
	r.Server = httpserver.New(cfg)
	r.Guard(func(ctx huma.Context, next func(huma.Context)) { next(ctx) })
	if routes != nil {
		routes(r.Server)
	}
	var lc net.ListenConfig
	l, err := lc.Listen(t.Context(), "tcp", "127.0.0.1:0")
	require.NoError(t, err)
	r.url = "http://" + l.Addr().String()
	served := make(chan error, 1)
	go func() { served <- r.Serve(t.Context(), l) }()
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
		defer cancel()
		require.NoError(t, r.Shutdown(ctx))
		require.NoError(t, <-served)
	})
	return r
}

type answer struct {
	StatusCode int
	Header     http.Header
}

func (r *running) do(t *testing.T, method, path, body string, header http.Header) (answer, string) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), method, r.url+path, strings.NewReader(body))
	require.NoError(t, err)
	maps.Copy(req.Header, header)
	res, err := http.DefaultClient.Do(req)
	require.NoError(t, err)
	defer func() { _ = res.Body.Close() }()
	text, err := io.ReadAll(res.Body)
	require.NoError(t, err)
	return answer{res.StatusCode, res.Header}, string(text)
}

func problem(t *testing.T, res answer, text string) fault.Problem {
	t.Helper()
	require.Equal(t, "application/problem+json", res.Header.Get("Content-Type"), text)
	var p fault.Problem
	require.NoError(t, json.Unmarshal([]byte(text), &p))
	require.Equal(t, res.StatusCode, p.Status)
	require.Equal(t, res.Header.Get("X-Request-Id"), p.RequestID)
	require.NotEmpty(t, p.Type)
	require.NotEmpty(t, p.Title)
	require.NotEmpty(t, p.Detail)
	return p
}

type echoInput struct {
	Body struct {
		Name     string   `json:"name" minLength:"2"`
		Password string   `json:"password,omitempty" minLength:"10"`
		Count    int      `json:"count,omitempty" maximum:"5"`
		Tags     []string `json:"tags,omitempty"`
	}
}

type inner struct {
	List []string            `json:"list"`
	Map  map[string][]string `json:"map"`
	Omit []string            `json:"omit,omitempty"`
}

type echoOutput struct {
	Body struct {
		Name  string   `json:"name"`
		Tags  []string `json:"tags"`
		Inner *inner   `json:"inner"`
		Any   any      `json:"any"`
	}
}

func op(method, path, id string) huma.Operation {
	return huma.Operation{Method: method, Path: path, OperationID: id}
}

// routes fail in every way that a handler can.
func routes(s *httpserver.Server) {
	huma.Register(s.API(), op(http.MethodPost, "/echo", "echo"), func(_ context.Context, in *echoInput) (*echoOutput, error) {
		out := &echoOutput{}
		out.Body.Name, out.Body.Tags = in.Body.Name, in.Body.Tags
		out.Body.Inner = &inner{Map: map[string][]string{"a": nil}}
		out.Body.Any = []inner{{}}
		return out, nil
	})
	failures := map[string]error{
		"unknown":  errors.New("hunter2 in the database"),
		"fault":    fault.New(fault.Conflict, "It runs already."),
		"limit":    &fault.Error{Kind: fault.TooMany, Format: "Wait.", RetryAfter: 1500 * time.Millisecond},
		"huma":     huma.Error404NotFound("Nothing here."),
		"huma-500": huma.Error500InternalServerError("hunter2", errors.New("hunter2")),
	}
	huma.Register(s.API(), op(http.MethodGet, "/fail/{how}", "fail"), func(_ context.Context, in *struct {
		How string `path:"how"`
	},
	) (*struct{}, error) {
		if in.How == "panic" {
			panic("hunter2")
		}
		return nil, failures[in.How]
	})
	s.Echo().GET("/page/:how", func(c echo.Context) error {
		switch how := c.Param("how"); how {
		case "panic":
			panic("hunter2")
		case "half":
			c.Response().WriteHeader(http.StatusOK)
			_, _ = c.Response().Write([]byte("half"))
			c.Response().Flush()
			panic("hunter2")
		case "own":
			c.Response().Header().Set("Referrer-Policy", "strict-origin-when-cross-origin")
			return c.String(http.StatusOK, httpserver.ClientIP(c.Request().Context()).String())
		default:
			return failures[how]
		}
	})
}

func TestEveryErrorIsAProblem(t *testing.T) {
	t.Parallel()
	s := open(t, httpserver.Config{}, routes)
	long := `{"name":"` + strings.Repeat("x", 1<<20) + `"}`
	tests := []struct {
		name, method, path, body string
		status                   int
		code                     fault.Kind
	}{
		{"an unknown error of an operation", "GET", "/api/v1/fail/unknown", "", 500, fault.Internal},
		{"an unknown error of a page", "GET", "/page/unknown", "", 500, fault.Internal},
		{"a fault of an operation", "GET", "/api/v1/fail/fault", "", 409, fault.Conflict},
		{"a fault of a page", "GET", "/page/fault", "", 409, fault.Conflict},
		{"a panicking operation", "GET", "/api/v1/fail/panic", "", 500, fault.Internal},
		{"a panicking page", "GET", "/page/panic", "", 500, fault.Internal},
		{"an error of Huma's making", "GET", "/api/v1/fail/huma", "", 404, fault.NotFound},
		{"a 500 of Huma's making", "GET", "/api/v1/fail/huma-500", "", 500, fault.Internal},
		{"an unknown address of the API", "GET", "/api/v1/nothing", "", 404, fault.NotFound},
		{"an unknown version of the API", "GET", "/api/v9/x", "", 404, fault.NotFound},
		{"an unknown address elsewhere", "GET", "/nothing", "", 404, fault.NotFound},
		{"a wrong method", "PUT", "/api/v1/echo", "{}", 405, fault.MethodNotAllowed},
		{"no body", "POST", "/api/v1/echo", "", 422, fault.Validation},
		{"a body that is not JSON", "POST", "/api/v1/echo", "{hunter2", 422, fault.Validation},
		{"a body of the wrong shape", "POST", "/api/v1/echo", `{"name":["hunter2"]}`, 422, fault.Validation},
		{"a body with a wrong value", "POST", "/api/v1/echo", `{"name":"x"}`, 422, fault.Validation},
		{"a body with too much in it", "POST", "/api/v1/echo", `{"name":"xx","nome":"hunter2"}`, 422, fault.Validation},
		{"a body over the limit", "POST", "/api/v1/echo", long, 413, fault.TooLarge},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			res, text := s.do(t, tt.method, tt.path, tt.body, http.Header{"Accept-Language": {"en"}})
			p := problem(t, res, text)
			require.Equal(t, tt.status, p.Status, text)
			require.Equal(t, tt.code, p.Code)
			require.NotContains(t, text, "hunter2")
			if tt.status == 500 {
				require.Contains(t, s.log.String(), p.RequestID, "the log has more")
			}
		})
	}
	t.Run("in the language asked for", func(t *testing.T) {
		t.Parallel()
		res, text := s.do(t, "POST", "/api/v1/echo", `{"name":"x"}`, nil)
		p := problem(t, res, text)
		require.Equal(t, "输入有误", p.Title)
		require.Equal(t, []fault.Field{{Location: "body.name", Message: "至少 2 个字符", Value: "x"}}, p.Errors)
	})
	t.Run("without the values of secrets", func(t *testing.T) {
		t.Parallel()
		res, text := s.do(t, "POST", "/api/v1/echo", `{"name":"xx","password":"hunter2","count":7}`, http.Header{"Accept-Language": {"en"}})
		p := problem(t, res, text)
		require.NotContains(t, text, "hunter2")
		require.Len(t, p.Errors, 2)
		require.Contains(t, text, `"value":7`)
	})
	t.Run("with Retry-After rounded up", func(t *testing.T) {
		t.Parallel()
		for _, path := range []string{"/api/v1/fail/limit", "/page/limit"} {
			res, text := s.do(t, "GET", path, "", nil)
			require.Equal(t, 429, problem(t, res, text).Status)
			require.Equal(t, "2", res.Header.Get("Retry-After"), path)
		}
	})
	t.Run("but half an answer is cut, not ended", func(t *testing.T) {
		t.Parallel()
		req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, s.url+"/page/half", nil)
		require.NoError(t, err)
		res, err := http.DefaultClient.Do(req)
		require.NoError(t, err)
		defer func() { _ = res.Body.Close() }()
		_, err = io.ReadAll(res.Body)
		require.Error(t, err)
	})
}

func TestWithoutGuardNothingIsAllowed(t *testing.T) {
	t.Parallel()
	s := open(t, httpserver.Config{}, func(s *httpserver.Server) { routes(s); s.Guard(nil) })
	res, text := s.do(t, "POST", "/api/v1/echo", `{"name":"xx"}`, nil)
	require.Equal(t, 403, problem(t, res, text).Status)
}

func TestListsAreNeverNull(t *testing.T) {
	t.Parallel()
	s := open(t, httpserver.Config{}, routes)
	_, text := s.do(t, "POST", "/api/v1/echo", `{"name":"xx"}`, nil)
	require.JSONEq(t, `{"name":"xx","tags":[],"inner":{"list":[],"map":{"a":[]}},"any":[{"list":[],"map":null}]}`, text)
}

func TestHeaders(t *testing.T) {
	t.Parallel()
	s := open(t, httpserver.Config{PublicURL: &url.URL{Scheme: "https", Host: "example.com"}}, routes)
	res, _ := s.do(t, "GET", "/page/own", "", http.Header{"X-Request-Id": {"mine-1"}})
	require.Equal(t, "mine-1", res.Header.Get("X-Request-Id"))
	require.Equal(t, "nosniff", res.Header.Get("X-Content-Type-Options"))
	require.Contains(t, res.Header.Get("Content-Security-Policy"), "default-src 'none'")
	require.Equal(t, "same-origin", res.Header.Get("Cross-Origin-Opener-Policy"))
	require.Contains(t, res.Header.Get("Permissions-Policy"), "camera=()")
	require.Contains(t, res.Header.Get("Content-Security-Policy"), "frame-ancestors 'none'")
	require.Equal(t, "strict-origin-when-cross-origin", res.Header.Get("Referrer-Policy"), "a page's own")
	require.NotEmpty(t, res.Header.Get("Strict-Transport-Security"))
	require.Empty(t, res.Header.Get("Cache-Control"))

	res, _ = s.do(t, "GET", "/api/v1/nothing", "", http.Header{"X-Request-Id": {"bad id\twith spaces"}})
	require.NotEqual(t, "bad id\twith spaces", res.Header.Get("X-Request-Id"))
	require.Equal(t, "no-store", res.Header.Get("Cache-Control"))
	require.Equal(t, "same-origin", res.Header.Get("Referrer-Policy"))
}

func TestAccessLogHasTheRouteButNoSecret(t *testing.T) {
	t.Parallel()
	s := open(t, httpserver.Config{}, routes)
	s.do(t, "GET", "/page/own?auth_code=hunter2", "", http.Header{"Cookie": {"a=hunter2"}, "Authorization": {"Bearer hunter2"}})
	s.do(t, "GET", "/nowhere/hunter2?key=hunter2", "", nil)
	log := s.log.String()
	require.Contains(t, log, "route=/page/:how")
	require.NotContains(t, log, "hunter2")
}

func TestClientIP(t *testing.T) {
	t.Parallel()
	local := []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8"), netip.MustParsePrefix("10.0.0.0/8")}
	tests := []struct {
		name    string
		trusted []netip.Prefix
		header  []string
		want    string
	}{
		{"nobody is trusted by default", nil, []string{"1.2.3.4"}, "127.0.0.1"},
		{"a trusted proxy is believed", local, []string{"1.2.3.4"}, "1.2.3.4"},
		{"what the client itself sent is not", local, []string{"6.6.6.6, 1.2.3.4, 10.1.1.1"}, "1.2.3.4"},
		{"several headers are one list", local, []string{"6.6.6.6", "1.2.3.4"}, "1.2.3.4"},
		{"nonsense stops the search", local, []string{"1.2.3.4, nonsense, 10.1.1.1"}, "10.1.1.1"},
		{"no header means the proxy itself", local, nil, "127.0.0.1"},
		{"IPv6 in an IPv4 dress is IPv4", local, []string{"::ffff:1.2.3.4"}, "1.2.3.4"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			s := open(t, httpserver.Config{TrustedProxies: tt.trusted}, routes)
			_, got := s.do(t, "GET", "/page/own", "", http.Header{"X-Forwarded-For": tt.header})
			require.Equal(t, tt.want, got)
		})
	}
}

func TestHealth(t *testing.T) {
	t.Parallel()
	var mu sync.Mutex
	err := errors.New("hunter2")
	s := open(t, httpserver.Config{}, func(s *httpserver.Server) {
		s.Ready("database", func(context.Context) error {
			mu.Lock()
			defer mu.Unlock()
			return err
		})
	})
	res, _ := s.do(t, "GET", "/healthz", "", nil)
	require.Equal(t, 200, res.StatusCode)
	res, text := s.do(t, "GET", "/readyz", "", nil)
	require.Equal(t, 503, res.StatusCode)
	require.JSONEq(t, `{"status":"not ready","checks":{"database":"failed"}}`, text)
	mu.Lock()
	err = nil
	mu.Unlock()
	res, text = s.do(t, "GET", "/readyz", "", nil)
	require.Equal(t, 200, res.StatusCode)
	require.JSONEq(t, `{"status":"ready","checks":{"database":"ok"}}`, text)
}

func TestDescription(t *testing.T) {
	t.Parallel()
	s := open(t, httpserver.Config{Version: "1.2.3"}, routes)
	res, text := s.do(t, "GET", "/api/openapi.json", "", nil)
	require.Equal(t, 200, res.StatusCode)
	var spec map[string]any
	require.NoError(t, json.Unmarshal([]byte(text), &spec))
	require.Equal(t, "3.1.0", spec["openapi"])
	require.Contains(t, spec["paths"], "/echo")
	require.NotContains(t, text, "$schema")
	require.Contains(t, text, `"#/components/schemas/Problem"`)
	require.Equal(t, map[string]any{"type": "array", "items": map[string]any{"type": "string"}},
		at(t, spec, "components", "schemas", "Inner", "properties", "list"))

	res, text = s.do(t, "GET", "/api/docs", "", nil)
	require.Equal(t, 200, res.StatusCode)
	require.Contains(t, text, "/echo")
	require.NotContains(t, text, "http://")
	require.NotContains(t, text, "<script")
}

func at(t *testing.T, v any, path ...string) any {
	t.Helper()
	for _, key := range path {
		m, ok := v.(map[string]any)
		require.True(t, ok, "no %s", key)
		v = m[key]
	}
	return v
}

func TestBodyThatNeverArrivesIsNotWaitedForLong(t *testing.T) {
	t.Parallel()
	s := open(t, httpserver.Config{}, func(s *httpserver.Server) {
		slow := op(http.MethodPost, "/slow", "slow")
		slow.BodyReadTimeout = 50 * time.Millisecond
		huma.Register(s.API(), slow, func(context.Context, *echoInput) (*struct{}, error) { return nil, nil })
	})
	var d net.Dialer
	conn, err := d.DialContext(t.Context(), "tcp", strings.TrimPrefix(s.url, "http://"))
	require.NoError(t, err)
	defer func() { _ = conn.Close() }()
	_, err = io.WriteString(conn, "POST /api/v1/slow HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: 100\r\n\r\n{")
	require.NoError(t, err)
	res, err := http.ReadResponse(bufio.NewReader(conn), nil)
	require.NoError(t, err)
	defer func() { _ = res.Body.Close() }()
	text, err := io.ReadAll(res.Body)
	require.NoError(t, err)
	require.Equal(t, fault.TimedOut, problem(t, answer{res.StatusCode, res.Header}, string(text)).Code)
}

// hub is live.Hub without a database.
type hub struct{ events chan live.Event }

func (h *hub) Subscribe() (<-chan live.Event, func()) { return h.events, func() {} }

func TestEvents(t *testing.T) {
	t.Parallel()
	h := &hub{events: make(chan live.Event, 10)}
	var mu sync.Mutex
	allowed := true
	s := open(t, httpserver.Config{}, func(s *httpserver.Server) {
		s.Events(op(http.MethodGet, "/events", "events"), h, func(context.Context) bool {
			mu.Lock()
			defer mu.Unlock()
			return allowed
		})
	})
	listen := func() *bufio.Reader {
		req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, s.url+"/api/v1/events", nil)
		require.NoError(t, err)
		res, err := http.DefaultClient.Do(req)
		require.NoError(t, err)
		t.Cleanup(func() { _ = res.Body.Close() })
		require.Equal(t, "text/event-stream", res.Header.Get("Content-Type"))
		return bufio.NewReader(res.Body)
	}
	next := func(r *bufio.Reader) string {
		var lines []string
		for {
			line, err := r.ReadString('\n')
			if err != nil {
				return "end"
			}
			if line == "\n" {
				return strings.Join(lines, "|")
			}
			lines = append(lines, strings.TrimSpace(line))
		}
	}
	r := listen()
	require.Equal(t, ": open", next(r))
	h.events <- live.Event{Kind: "exchange", ID: "secret business of ours"}
	h.events <- live.Event{Kind: "submission", ID: "7", AppID: "wx1", State: "auditing"}
	require.Equal(t, `event: submission|data: {"id":"7","appid":"wx1","state":"auditing"}`, next(r))
	h.events <- live.Event{Kind: "registration", ID: "r1", State: "completed"}
	require.Equal(t, `event: registration|data: {"id":"r1","state":"completed"}`, next(r))
	h.events <- live.Event{Kind: "preflight", ID: "3", State: "done"}
	require.Equal(t, `event: preflight|data: {"id":"3","state":"done"}`, next(r))
	h.events <- live.Event{Kind: "ticket", ID: "1"}
	require.Equal(t, `event: ticket|data: {"id":"1"}`, next(r))

	mu.Lock()
	allowed = false
	mu.Unlock()
	h.events <- live.Event{Kind: "ticket", ID: "2"}
	require.Equal(t, "end", next(r), "the stream ends with its session")

	r = listen()
	require.Equal(t, ": open", next(r))
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second)
	defer cancel()
	require.NoError(t, s.Shutdown(ctx), "an open stream does not hold up the shutdown")
	require.Equal(t, "end", next(r))
}

func TestCursor(t *testing.T) {
	t.Parallel()
	type place struct {
		At time.Time
		ID int64
	}
	want := place{time.Date(2026, 1, 2, 3, 4, 5, 6, time.UTC), 7}
	var got place
	require.NoError(t, httpserver.DecodeCursor(httpserver.EncodeCursor(want), &got))
	require.Equal(t, want, got)
	require.NoError(t, httpserver.DecodeCursor("", &got))
	require.Equal(t, want, got, "no cursor changes nothing")
	for _, bad := range []string{"%%%", "bm9uc2Vuc2U", httpserver.EncodeCursor("text")} {
		fe, ok := errors.AsType[*fault.Error](httpserver.DecodeCursor(bad, &got))
		require.True(t, ok, bad)
		require.Equal(t, fault.Validation, fe.Kind)
	}
}
