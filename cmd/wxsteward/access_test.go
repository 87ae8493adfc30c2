package main

import (
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"maps"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/wxsteward/wxsteward/internal/postgres"
	"github.com/wxsteward/wxsteward/internal/postgres/postgrestest"
	"github.com/wxsteward/wxsteward/internal/sealed"
	"github.com/wxsteward/wxsteward/internal/wechat/wechatfake"
)

// operation is an operation of the API as its description has it.
type operation struct {
	method, path string
	ID           string `json:"operationId"`
	Role         string `json:"x-role"`
	RequestBody  *struct {
		Content map[string]any `json:"content"`
	} `json:"requestBody"`
}

func (op operation) changes() bool { return op.method != http.MethodGet }

// operations reads a description of the API.
func operations(t *testing.T, spec []byte) []operation {
	t.Helper()
	var description struct {
		Paths map[string]map[string]operation `json:"paths"`
	}
	require.NoError(t, json.Unmarshal(spec, &description))
	var list []operation
	for _, path := range slices.Sorted(maps.Keys(description.Paths)) {
		for _, method := range slices.Sorted(maps.Keys(description.Paths[path])) {
			op := description.Paths[path][method]
			op.method, op.path = strings.ToUpper(method), path
			list = append(list, op)
		}
	}
	return list
}

func rank(role string) int {
	return slices.Index([]string{"anyone", "viewer", "operator", "admin"}, role)
}

// visitor is one column of the matrix.
type visitor struct {
	name   string
	role   string // "" for nobody
	dress  func(*http.Request)
	origin bool // from another site, without X-CSRF-Token
}

// answered is what came back, of a body only its beginning: live updates have no end.
type answered struct {
	status int
	header http.Header
	Code   string
	Detail string
	text   string
}

// ask calls an operation with nothing in particular: ids that do not exist, and an empty object where a body is taken.
func (w *world) ask(t *testing.T, who visitor, op operation) answered {
	t.Helper()
	path := regexp.MustCompile(`\{[^}]+\}`).ReplaceAllString(op.path, "0")
	var body io.Reader
	if op.changes() {
		body = strings.NewReader("{}")
	}
	req, err := http.NewRequestWithContext(t.Context(), op.method, w.base+"/api/v1"+path, body)
	require.NoError(t, err)
	req.Header.Set("Accept-Language", "en")
	if body != nil {
		req.Header.Set("Content-Type", "application/json")
	}
	if op.RequestBody != nil && op.RequestBody.Content["text/csv"] != nil {
		req.Header.Set("Content-Type", "text/csv")
	}
	who.dress(req)
	resp, err := http.DefaultClient.Do(req)
	require.NoError(t, err, "%s %s", op.method, op.path)
	defer resp.Body.Close() //nolint:errcheck // a test
	a := answered{status: resp.StatusCode, header: resp.Header}
	if strings.Contains(resp.Header.Get("Content-Type"), "json") {
		text, err := io.ReadAll(resp.Body)
		require.NoError(t, err)
		a.text = string(text)
		_ = json.Unmarshal(text, &a) // a list is no object
	}
	return a
}

// TestRoleByRouteMatrix calls every operation of the API as everybody who could.
//
//nolint:tparallel // the log is looked at when all is done
func TestRoleByRouteMatrix(t *testing.T) {
	t.Parallel()
	spec, err := os.ReadFile(filepath.Join("..", "..", "webui", "openapi.json"))
	require.NoError(t, err)
	list := operations(t, spec)
	require.Greater(t, len(list), 150)

	w := newWorld(t, nil)
	w.start()
	o := newOperator(t, w.base)
	o.signIn()
	var served []byte
	resp, err := http.Get(w.base + "/api/openapi.json") //nolint:noctx // a test
	require.NoError(t, err)
	served, err = io.ReadAll(resp.Body)
	require.NoError(t, err)
	require.NoError(t, resp.Body.Close())
	require.Equal(t, list, operations(t, served), "webui/openapi.json is what is served; else: make openapi")

	key := func(role string) string {
		var made struct{ ID, Key string }
		o.call(http.MethodPost, "/api-keys", map[string]any{"name": role, "role": role}, &made)
		return made.Key
	}
	bearer := func(token string) func(*http.Request) {
		return func(r *http.Request) { r.Header.Set("Authorization", "Bearer "+token) }
	}
	expired := key("admin")
	db := postgrestest.Open(t, w.env["DATABASE_URL"])
	_, err = db.Exec(t.Context(), `UPDATE api_key SET expires_at = now() - interval '1 second'`)
	require.NoError(t, err)
	u, err := url.Parse(w.base)
	require.NoError(t, err)
	cookies := o.client.Jar.Cookies(u)
	require.Len(t, cookies, 2)

	visitors := []visitor{
		{name: "nobody", dress: func(*http.Request) {}},
		{name: "viewer", role: "viewer", dress: bearer(key("viewer"))},
		{name: "operator", role: "operator", dress: bearer(key("operator"))},
		{name: "admin", role: "admin", dress: bearer(key("admin"))},
		{name: "an expired key of an administrator", dress: bearer(expired)},
		{name: "another site in the browser of an administrator", role: "admin", origin: true, dress: func(r *http.Request) {
			r.Header.Set("Origin", "https://evil.example")
			r.Header.Set("Sec-Fetch-Site", "cross-site")
			for _, c := range cookies {
				r.AddCookie(c)
			}
		}},
	}
	// What is about users themselves refuses API keys, whatever their role.
	noKeys := []string{"sign-out", "change-password", "get-totp", "set-up-totp", "confirm-totp", "remove-totp", "renew-recovery-codes"}
	var public []string
	for _, op := range list {
		require.NotEqual(t, -1, rank(op.Role), "%s %s has no role", op.method, op.path)
		if op.Role == "anyone" {
			public = append(public, op.ID)
		}
		for _, who := range visitors {
			t.Run(op.ID+" by "+who.name, func(t *testing.T) {
				got := w.ask(t, who, op)
				require.Empty(t, got.header.Get("Access-Control-Allow-Origin"), "no other site reads our answers")
				switch {
				case op.Role == "anyone" && who.origin && op.changes():
					require.Equal(t, http.StatusForbidden, got.status)
				case op.Role == "anyone":
					require.NotContains(t, []int{401, 403, 500}, got.status, got.text)
				case who.role == "":
					require.Equal(t, http.StatusUnauthorized, got.status, got.text)
					require.Equal(t, "unauthenticated", got.Code)
				case who.origin && op.changes():
					require.Equal(t, http.StatusForbidden, got.status, got.text)
					require.Contains(t, got.Detail, "X-CSRF-Token")
				case rank(who.role) < rank(op.Role):
					require.Equal(t, http.StatusForbidden, got.status, got.text)
					require.Contains(t, got.Detail, "needs the role")
				case slices.Contains(noKeys, op.ID) && !who.origin:
					require.Contains(t, []int{http.StatusForbidden, http.StatusUnprocessableEntity}, got.status, got.text)
				default:
					require.NotContains(t, []int{401, 403, 405, 500}, got.status, got.text)
				}
			})
		}
	}
	require.ElementsMatch(t, []string{"sign-in", "get-meta"}, public, "what the API tells anybody")
	t.Run("every refused change is in the audit log", func(t *testing.T) {
		for _, op := range list {
			if !op.changes() {
				continue
			}
			var log page[struct{ Status int }]
			o.call(http.MethodGet, "/audit-log?outcome=refused&limit=1&action="+op.ID, nil, &log)
			require.NotEmpty(t, log.Items, op.ID)
		}
	})
}

// publicRoutes are the addresses outside of the admin API, with an example of each and what nobody in particular is answered.
func publicRoutes() map[string]struct {
	example string
	status  int
} {
	type answer = struct {
		example string
		status  int
	}
	return map[string]answer{
		// Health and descriptions.
		"GET /healthz": {"/healthz", 200}, "HEAD /healthz": {"/healthz", 200},
		"GET /readyz": {"/readyz", 200}, "HEAD /readyz": {"/readyz", 200},
		"GET /api/openapi.json": {"/api/openapi.json", 200}, "GET /api/docs": {"/api/docs", 200},
		"echo_route_not_found /api/*": {"/api/v1/none", 404},
		// WeChat's pushes: who proves nothing is turned away.
		"GET /wxcallback/component":   {"/wxcallback/component?echostr=a&signature=b&timestamp=1&nonce=2", 401},
		"POST /wxcallback/component":  {"/wxcallback/component", 401},
		"GET /wxcallback/biz/:appid":  {"/wxcallback/biz/wx1?echostr=a&signature=b&timestamp=1&nonce=2", 401},
		"POST /wxcallback/biz/:appid": {"/wxcallback/biz/wx1", 401},
		// Pages for merchants: the link's id is the key.
		"GET /authorize/:link_id": {"/authorize/none", 404}, "HEAD /authorize/:link_id": {"/authorize/none", 404},
		"GET /authorize/:link_id/callback": {"/authorize/none/callback", 404}, "GET /authorize/:link_id/go": {"/authorize/none/go", 404},
		"GET /authorize/registrations/:id":          {"/authorize/registrations/nosuch", 404},
		"GET /authorize/registrations/:id/go":       {"/authorize/registrations/nosuch/go", 404},
		"GET /authorize/registrations/:id/callback": {"/authorize/registrations/nosuch/callback?state=x&ticket=y", 404},
		"GET /authorize/:link_id/poster":            {"/authorize/none/poster", 404}, "GET /authorize/:link_id/qr.png": {"/authorize/none/qr.png", 404},
		"GET /authorize/:link_id/qr.svg": {"/authorize/none/qr.svg", 404}, "GET /authorize/:link_id/state": {"/authorize/none/state", 404},
		"GET /authorize/assets/:version/:name": {"/authorize/assets/0/none", 404},
		// Mini programs.
		"POST /miniapp/login": {"/miniapp/login", 422}, "POST /miniapp/phone": {"/miniapp/phone", 401}, "GET /miniapp/whoami": {"/miniapp/whoami", 401},
		// The admin UI's files, and the way there.
		"GET /admin": {"/admin", 302}, "ANY /admin/*": {"/admin/", 200}, "ANY /": {"/", 302}, "ANY /favicon.ico": {"/favicon.ico", 302},
		// The pass-through proxy, off.
		"echo_route_not_found /*": {"/none", 404},
	}
}

// TestEveryOtherRouteIsKnown fails for an address that nobody has thought about.
func TestEveryOtherRouteIsKnown(t *testing.T) {
	t.Parallel()
	keys, err := sealed.NewKeyring(sealed.GenerateKey())
	require.NoError(t, err)
	pool, err := postgres.Open(t.Context(), sealed.New("postgres://127.0.0.1:1/none"), postgres.PoolConfig{})
	require.NoError(t, err)
	t.Cleanup(pool.Close)
	fake, err := wechatfake.New(wechatfake.Config{ComponentAppID: "wx1", ComponentSecret: "s", Token: "t", EncodingAESKey: strings.Repeat("a", 43)})
	require.NoError(t, err)
	routes := func(sim *simulation) (*app, map[string]bool) {
		a := &app{
			described: true, sim: sim, keys: keys, pool: pool, log: slog.New(slog.DiscardHandler),
			cfg: config{publicURL: &url.URL{Scheme: "http", Host: "localhost:8080"}, location: time.UTC},
		}
		require.NoError(t, a.build())
		of := map[string][]string{}
		for _, r := range a.server.Echo().Routes() {
			if !strings.HasPrefix(r.Path, "/api/v1/") {
				of[r.Path] = append(of[r.Path], r.Method)
			}
		}
		found := map[string]bool{}
		for path, methods := range of {
			if len(methods) > 5 { // registered for any
				methods = []string{"ANY"}
			}
			for _, method := range methods {
				found[method+" "+path] = true
			}
		}
		return a, found
	}
	_, served := routes(nil)
	require.ElementsMatch(t, slices.Collect(maps.Keys(publicRoutes())), slices.Collect(maps.Keys(served)))
	a, simulated := routes(&simulation{fake: fake})
	for route := range served {
		delete(simulated, route)
	}
	// Of a simulation anybody sees the pages of WeChat; who plays WeChat has to be signed in.
	require.ElementsMatch(t, []string{"ANY /simulator/*", "ANY /simulator/_control/*"}, slices.Collect(maps.Keys(simulated)))
	answer := httptest.NewRecorder()
	a.server.Echo().ServeHTTP(answer, httptest.NewRequestWithContext(t.Context(), http.MethodGet, "/simulator/_control/state", nil))
	require.Equal(t, http.StatusUnauthorized, answer.Code)
}

//nolint:tparallel // they share one program
func TestNobodyGetsIn(t *testing.T) {
	t.Parallel()
	w := newWorld(t, nil)
	w.start()
	client := &http.Client{CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	type head struct {
		StatusCode int
		Header     http.Header
	}
	call := func(method, path string, header http.Header) (head, string) {
		req, err := http.NewRequestWithContext(t.Context(), method, w.base+path, nil)
		require.NoError(t, err)
		for name, values := range header {
			if name == "Host" {
				req.Host = values[0]
				continue
			}
			req.Header[name] = values
		}
		resp, err := client.Do(req)
		require.NoError(t, err, path)
		defer resp.Body.Close() //nolint:errcheck // a test
		text, err := io.ReadAll(resp.Body)
		require.NoError(t, err)
		return head{resp.StatusCode, resp.Header}, string(text)
	}
	for route, want := range publicRoutes() {
		method, _, _ := strings.Cut(route, " ")
		if method == "ANY" || method == "echo_route_not_found" {
			method = http.MethodGet
		}
		resp, text := call(method, want.example, nil)
		if route == "ANY /admin/*" && resp.StatusCode == http.StatusServiceUnavailable {
			want.status = http.StatusServiceUnavailable // built without the UI
		}
		require.Equal(t, want.status, resp.StatusCode, "%s: %s", route, text)
		require.Empty(t, resp.Header.Values("Set-Cookie"), route)
	}
	t.Run("what belongs to the inner listener is not here", func(t *testing.T) {
		for _, path := range []string{
			"/metrics", "/inner/component-access-token", "/inner/authorizer-access-token?appid=wx1", "/inner/ticket", "/inner/tick", "/debug/pprof/", "/debug/vars",
		} {
			resp, text := call(http.MethodGet, path, nil)
			require.Equal(t, http.StatusNotFound, resp.StatusCode, "%s: %s", path, text)
		}
	})
	t.Run("tricks with paths lead to no file and no operation", func(t *testing.T) {
		for _, path := range []string{
			"/admin/../api/v1/users", "/admin/..%2f..%2fgo.mod", "/admin/%2e%2e/%2e%2e/etc/passwd", "/admin/....//....//etc/passwd", "/admin/..%5c..%5cgo.mod",
			"/admin/%00", "//api/v1/users", "/api/v1//users", "/api/v1/users/", "/API/v1/users", "/api/v1/%75sers", "/api/v1/users%2f1", "/api/v1/./users", "/api/v1;x/users",
		} {
			resp, text := call(http.MethodGet, path, nil)
			require.NotContains(t, text, "root:x:", path)
			require.NotContains(t, text, "module github.com", path)
			require.NotContains(t, text, `"username"`, path)
			if !strings.HasPrefix(path, "/admin/") || resp.StatusCode != http.StatusOK {
				require.GreaterOrEqual(t, resp.StatusCode, 300, path)
			}
		}
	})
	t.Run("links follow PUBLIC_URL, whatever host a request names", func(t *testing.T) {
		o := newOperator(t, w.base)
		o.signIn()
		var made struct{ Key string }
		o.call(http.MethodPost, "/api-keys", map[string]any{"name": "links", "role": "operator"}, &made)
		evil := http.Header{
			"Host": {"evil.example"}, "X-Forwarded-Host": {"evil.example"}, "X-Forwarded-Proto": {"https"}, "Forwarded": {"host=evil.example;proto=https"},
			"X-Original-Url": {"https://evil.example/"}, "X-Forwarded-Prefix": {"//evil.example"}, "Authorization": {"Bearer " + made.Key},
		}
		req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, w.base+"/api/v1/authorization-links", strings.NewReader(`{"biz_id":"b","kind":"any"}`))
		require.NoError(t, err)
		maps.Copy(req.Header, evil)
		req.Host = "evil.example"
		req.Header.Set("Content-Type", "application/json")
		resp, err := client.Do(req)
		require.NoError(t, err)
		defer resp.Body.Close() //nolint:errcheck // a test
		var link struct {
			ID, URL string
			QRURL   string `json:"qr_url"`
		}
		require.NoError(t, json.NewDecoder(resp.Body).Decode(&link))
		require.Equal(t, w.base+"/authorize/"+link.ID, link.URL)
		require.True(t, strings.HasPrefix(link.QRURL, w.base+"/"), link.QRURL)
		for _, path := range []string{"/", "/admin", "/admin/", "/favicon.ico", "/api/docs", "/authorize/" + link.ID, "/api/v1/component", "/api/v1/session"} {
			resp, text := call(http.MethodGet, path, evil)
			require.NotEqual(t, http.StatusInternalServerError, resp.StatusCode, path)
			require.NotContains(t, text, "evil.example", path)
			require.NotContains(t, fmt.Sprint(resp.Header), "evil.example", path)
		}
	})
}
