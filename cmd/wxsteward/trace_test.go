package main

import (
	"compress/gzip"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/wxsteward/wxsteward/internal/wechat/wechatfake"
)

// newCollector takes spans, and keeps all that it is sent as it came.
func newCollector(t *testing.T) (url string, got *syncBuffer) {
	t.Helper()
	got = &syncBuffer{}
	server := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		var body io.Reader = r.Body
		if r.Header.Get("Content-Encoding") == "gzip" {
			zip, err := gzip.NewReader(r.Body)
			if err != nil {
				t.Error(err)
				return
			}
			body = zip
		}
		if _, err := io.Copy(got, body); err != nil {
			t.Error(err)
		}
	}))
	t.Cleanup(server.Close)
	return server.URL, got
}

// TestNothingLeaksIntoTracesAndMetrics plays a bit of everything with spans switched on, also what fails, and looks for every secret
// of the play in the spans, in the metrics, in the log and in the answers.
func TestNothingLeaksIntoTracesAndMetrics(t *testing.T) {
	t.Parallel()
	collector, spans := newCollector(t)
	merchants := appids(2)
	w := servingWorld(t)
	inner := "127.0.0.1:" + freePort(t)
	w.env["LOG_LEVEL"] = "debug"
	w.env["INNER_LISTEN_ADDR"] = inner
	w.env["INNER_PPROF"] = "true"
	w.env["OTEL_EXPORTER_OTLP_ENDPOINT"] = collector
	w.env["OTEL_BSP_SCHEDULE_DELAY"] = "200"
	for _, appid := range merchants {
		w.addMerchant(appid, nil)
	}
	program := w.spawn("serve")
	w.waitReady()
	o := newOperator(t, w.base)
	o.signIn()
	authorizeAll(t, w, o, append([]string{forwardMerchant}, merchants...))
	b := newTarget(t)
	rule := o.addRule(map[string]any{
		"name": "shop", "enabled": true, "channel": "biz", "target_url": b.URL + "/hook?key=target-key-4711", "mode": "deliver", "format": "json",
	})
	say(t, w, "hello")
	var key struct{ Key string }
	o.call(http.MethodPost, "/api-keys", map[string]any{"name": "machine", "role": "operator"}, &key)
	o.call(http.MethodPost, "/rollouts", rolloutBody(addTemplate(o), merchants...), nil)
	for _, appid := range merchants {
		o.waitSubmission(appid, "auditing")
	}
	code, err := w.fake.NewLoginCode(merchants[0], "oUser")
	require.NoError(t, err)
	_, out, _ := w.mini(http.MethodPost, "/miniapp/login", nil, map[string]string{"appid": merchants[0], "code": code})
	session, _ := out["token"].(string)
	require.NotEmpty(t, session)

	// What fails tells more than what works.
	for _, mode := range []string{wechatfake.FaultCutAfter, wechatfake.FaultHTTP, wechatfake.FaultGarbage} {
		_, err = w.fake.FailNext(wechatfake.Fault{Path: "/wxa/getversioninfo", Mode: mode, Times: 1})
		require.NoError(t, err)
		_, err = o.try(t.Context(), http.MethodGet, "/authorizers/"+merchants[0]+"/versions", nil, nil)
		require.NoError(t, err)
	}
	for path, want := range map[string]int{"/authorize/nobody?auth_code=secret-auth-code-1": 0, "/nowhere?key=secret-auth-code-1": 0, "/miniapp/whoami?code=secret-auth-code-1": 0} {
		status, err := get(t, w.base+path)
		require.NoError(t, err)
		require.Greater(t, status, want)
	}
	stranger := newOperator(t, w.base)
	_, err = stranger.try(t.Context(), http.MethodPost, "/session", map[string]string{"username": "admin", "password": "wrong-password-4711"}, nil)
	require.NoError(t, err)

	read := func(path string) string {
		req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "http://"+inner+path, nil)
		require.NoError(t, err)
		resp, err := http.DefaultClient.Do(req)
		require.NoError(t, err)
		defer resp.Body.Close() //nolint:errcheck // read to its end
		text, err := io.ReadAll(resp.Body)
		require.NoError(t, err)
		require.Equal(t, http.StatusOK, resp.StatusCode, path)
		return string(text)
	}
	metrics := read("/metrics")
	require.Contains(t, read("/debug/pprof/goroutine?debug=1"), "goroutine profile")
	require.Contains(t, read("/debug/pprof/"), "heap")
	status, err := get(t, w.base+"/debug/pprof/")
	require.NoError(t, err)
	require.Equal(t, http.StatusNotFound, status, "not on the public listener")

	eventually(t, "spans of every kind", func() (bool, string) {
		text := spans.String()
		for _, part := range []string{
			"wechat wxa/commit", "wechat cgi-bin/component/api_query_auth", "POST /wxcallback/component", "GET /api/v1/authorizers/:appid/versions",
			"job ", "INSERT", "wxsteward",
		} {
			if !strings.Contains(text, part) {
				return false, part
			}
		}
		return true, ""
	})
	require.NoError(t, program.cmd.Process.Signal(syscall.SIGTERM))
	select {
	case err := <-program.done:
		require.NoError(t, err)
	case <-time.After(20 * time.Second):
		t.Fatal("did not stop")
	}
	require.Greater(t, len(spans.String()), 10_000)
	requireNoSecrets(t, w, o)
	secrets := append(secretsOf(w), rule.Secret, key.Key, session, code, "secret-auth-code-1", "wrong-password-4711", "target-key-4711", forwarderToken)
	for name, text := range map[string]string{"spans": spans.String(), "metrics": metrics, "output": w.output.String(), "errors": o.seen.String() + stranger.seen.String()} {
		for _, secret := range secrets {
			require.False(t, strings.Contains(text, secret), "a secret (%s…) is in the %s", secret[:min(4, len(secret))], name)
		}
	}
}

// TestTracingIsOffByDefault, and does not stand in the way where nobody takes the spans.
func TestTracingIsOffByDefault(t *testing.T) {
	t.Parallel()
	none := func(string) string { return "" }
	c, err := loadConfig(none)
	require.NoError(t, err)
	require.False(t, c.tracing)
	a := &app{cfg: c}
	require.NoError(t, a.startTracing(t.Context()))
	require.Nil(t, a.tracer)
	require.Nil(t, a.queryTracer)
	for name, env := range map[string]map[string]string{
		"switched off": {"OTEL_EXPORTER_OTLP_ENDPOINT": "http://127.0.0.1:1", "OTEL_SDK_DISABLED": "true"},
		"no exporter":  {"OTEL_EXPORTER_OTLP_ENDPOINT": "http://127.0.0.1:1", "OTEL_TRACES_EXPORTER": "none"},
	} {
		c, err := loadConfig(func(key string) string { return env[key] })
		require.NoError(t, err, name)
		require.False(t, c.tracing, name)
	}
	_, err = loadConfig(func(key string) string {
		return map[string]string{"OTEL_EXPORTER_OTLP_ENDPOINT": "http://127.0.0.1:1", "OTEL_EXPORTER_OTLP_PROTOCOL": "grpc"}[key]
	})
	require.ErrorContains(t, err, "OTEL_EXPORTER_OTLP_PROTOCOL")

	w := newWorld(t, nil)
	w.env["OTEL_EXPORTER_OTLP_ENDPOINT"] = "http://127.0.0.1:1"
	p := w.spawn("serve")
	w.waitReady()
	newOperator(t, w.base).signIn()
	require.NoError(t, p.cmd.Process.Signal(syscall.SIGTERM))
	require.NoError(t, <-p.done)
}
