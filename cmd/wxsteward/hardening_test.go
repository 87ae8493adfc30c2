package main

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// raw sends a request in our own words: what no client would send.
func (w *world) raw(request string) (status int, header http.Header, body string) {
	w.t.Helper()
	var d net.Dialer
	conn, err := d.DialContext(w.t.Context(), "tcp", strings.TrimPrefix(w.base, "http://"))
	require.NoError(w.t, err)
	defer conn.Close() //nolint:errcheck // read to its end
	require.NoError(w.t, conn.SetDeadline(time.Now().Add(20*time.Second)))
	_, err = io.WriteString(conn, request)
	require.NoError(w.t, err)
	resp, err := http.ReadResponse(bufio.NewReader(conn), nil)
	require.NoError(w.t, err)
	defer resp.Body.Close() //nolint:errcheck // likewise
	text, err := io.ReadAll(resp.Body)
	require.NoError(w.t, err)
	return resp.StatusCode, resp.Header, string(text)
}

// TestPathTricks: no address leads out of the embedded files, to another host, or around the sign-in.
func TestPathTricks(t *testing.T) {
	t.Parallel()
	w := newWorld(t, nil)
	w.start()
	for _, path := range []string{
		"/admin/../../../../etc/passwd", "/admin/%2e%2e/%2e%2e/%2e%2e/etc/passwd", "/admin/..%2f..%2f..%2fetc%2fpasswd", "/admin/assets/../../embed.go",
		"/admin/..\\..\\embed.go", "/admin/%5c..%5cembed.go", "/admin/%00/index.html", "/admin/assets/%00", "/admin//etc/passwd", "/admin/./../go.mod",
		"/admin/assets/..%252f..%252fgo.mod", "//evil.example/..", "/\\evil.example/", "//evil.example/admin", "/%2f%2fevil.example",
		"/authorize/../api/v1/users", "/authorize/x/../../inner/ticket", "/admin/../api/v1/users", "/api/v1/../v1/users", "/API/V1/users", "/api/v1//users",
		"/api/v1/users/", "/api/v1/users%2f", "/api/v1/session/../users", "/wxcallback/../metrics", "/./metrics", "/inner/ticket", "/debug/pprof/",
	} {
		status, header, body := w.raw("GET " + path + " HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
		require.NotContains(t, body, "root:", path)
		require.NotContains(t, body, "package webui", path)
		require.NotContains(t, body, "module github.com", path)
		require.NotContains(t, body, `"username"`, path)
		require.NotContains(t, header.Get("Location"), "evil", path)
		require.NotEqual(t, http.StatusInternalServerError, status, path)
		if !strings.HasPrefix(path, "/admin/") {
			require.GreaterOrEqual(t, status, 300, path)
		}
	}
}

// TestHostHeaderTricks: what a client says to be our name goes into no link, no page and no redirect.
func TestHostHeaderTricks(t *testing.T) {
	t.Parallel()
	w := newWorld(t, nil)
	w.addMerchant("wxshop00000000001", nil)
	w.start()
	o := newOperator(t, w.base)
	o.signIn()
	w.fake.PushTicket()
	eventually(t, "ticket", func() (bool, string) {
		_, err := o.try(t.Context(), http.MethodGet, "/component/ticket", nil, new([]byte))
		return err == nil, fmt.Sprint(err)
	})
	const evil = "evil.example"
	var key struct{ Key string }
	o.call(http.MethodPost, "/api-keys", map[string]any{"name": "machine", "role": "operator"}, &key)
	tricks := "Host: " + evil + "\r\nX-Forwarded-Host: " + evil + "\r\nX-Forwarded-Proto: https\r\nForwarded: host=" + evil + "\r\nX-Original-URL: /api/v1/users\r\nConnection: close\r\n"
	body := `{"biz_id":"b","kind":"any"}`
	status, _, text := w.raw(fmt.Sprintf("POST /api/v1/authorization-links HTTP/1.1\r\n%sAuthorization: Bearer %s\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n%s",
		tricks, key.Key, len(body), body))
	require.Equal(t, http.StatusCreated, status, text)
	require.Contains(t, text, w.base+"/authorize/")
	require.NotContains(t, text, evil)
	var link linkAnswer
	o.call(http.MethodPost, "/authorization-links", map[string]any{"biz_id": "b", "kind": "any"}, &link)
	for _, path := range []string{"/authorize/" + link.ID, "/authorize/" + link.ID + "/callback?auth_code=x", "/", "/admin", "/admin/", "/api/docs", "/api/openapi.json", "/nowhere"} {
		_, header, text := w.raw("GET " + path + " HTTP/1.1\r\n" + tricks + "\r\n")
		require.NotContains(t, text, evil, path)
		require.NotContains(t, fmt.Sprint(header), evil, path)
	}
	for _, request := range []string{
		"GET / HTTP/1.1\r\nConnection: close\r\n\r\n",                                  // none
		"GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\nConnection: close\r\n\r\n",            // two
		"GET / HTTP/1.1\r\nHost: a b\r\nConnection: close\r\n\r\n",                     // not one
		"GET / HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nx", // smuggling
		"GET /\x00 HTTP/1.1\r\nHost: a\r\n\r\n",
	} {
		status, _, _ := w.raw(request)
		require.Equal(t, http.StatusBadRequest, status, "%q", request)
	}
}

// TestEveryPageHasAPolicy: nothing that a browser shows may run a script that stands in the page, and what is no page may load nothing.
func TestEveryPageHasAPolicy(t *testing.T) {
	t.Parallel()
	w := newWorld(t, nil)
	w.start()
	o := newOperator(t, w.base)
	o.signIn()
	var link linkAnswer
	o.call(http.MethodPost, "/authorization-links", map[string]any{"biz_id": "b", "kind": "any"}, &link)
	for _, path := range []string{
		"/", "/admin/", "/admin/users", "/api/docs", "/api/openapi.json", "/api/v1/meta", "/healthz", "/readyz", "/nowhere", "/miniapp/whoami",
		"/authorize/" + link.ID, "/authorize/" + link.ID + "/qr.png", "/authorize/nobody", "/authorize/" + link.ID + "/callback", "/wxcallback/component",
	} {
		_, header, body := w.raw("GET " + path + " HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
		policy := header.Get("Content-Security-Policy")
		require.NotEmpty(t, policy, path)
		script := policy[max(0, strings.Index(policy, "script-src")):]
		script, _, _ = strings.Cut(script, ";")
		require.NotContains(t, script, "unsafe", path)
		require.Contains(t, policy, "frame-ancestors 'none'", path)
		require.Equal(t, "nosniff", header.Get("X-Content-Type-Options"), path)
		require.NotEmpty(t, header.Get("Referrer-Policy"), path)
		for _, inline := range []string{"<script>", " onclick=", " onload=", "javascript:"} {
			require.NotContains(t, body, inline, path)
		}
	}
}
