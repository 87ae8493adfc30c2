package component

import (
	"io"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/wxsteward/wxsteward/internal/adminauth"
	"github.com/wxsteward/wxsteward/internal/wechat/wechatfake"
)

func TestOnlyMissingDomainsAreAdded(t *testing.T) {
	t.Parallel()
	p := ticketed(t)
	o := p.office(t)
	const path = "/cgi-bin/component/modify_wxa_server_domain"
	changes := func() int { return p.wechat.Effective(path, "") }
	add := func(body string) (int, map[string]any) {
		t.Helper()
		status, got, raw := o.call(t, adminauth.Operator, http.MethodPost, "/component/domains/add", body)
		assert.Less(t, status, 503, raw)
		return status, got
	}
	p.wechat.SetPlatformDomains([]string{"kept.a.com"}, nil)
	status, got := add(`{"kind":"server","domains":["https://NEW.a.com","wss://new.a.com:8443","kept.a.com"]}`)
	require.Equal(t, http.StatusOK, status)
	want := []any{"kept.a.com", "new.a.com", "new.a.com:8443"}
	assert.Equal(t, want, got["published"].(map[string]any)["server"], "both copies")
	assert.Equal(t, want, got["testing"].(map[string]any)["server"])
	before := changes()
	status, _ = add(`{"kind":"server","domains":["new.a.com"]}`)
	assert.Equal(t, http.StatusOK, status)
	assert.Equal(t, before, changes(), "changes are counted by WeChat, so none is made for nothing")

	// The answer is lost, the change is not.
	_, err := p.wechat.FailNext(wechatfake.Fault{Path: path, Mode: wechatfake.FaultCutAfter, Skip: 1})
	require.NoError(t, err)
	status, got = add(`{"kind":"server","domains":["lost.a.com"]}`)
	assert.Equal(t, http.StatusOK, status)
	assert.Contains(t, got["server"], "lost.a.com")
	_, err = p.wechat.FailNext(wechatfake.Fault{Path: path, Mode: wechatfake.FaultCutBefore, Skip: 1})
	require.NoError(t, err)
	status, _ = add(`{"kind":"server","domains":["never.a.com"]}`)
	assert.Equal(t, http.StatusBadGateway, status)

	for _, wrong := range []string{`{"kind":"server","domains":["https://a.com/path"]}`, `{"kind":"server","domains":["1.2.3.4"]}`, `{"kind":"else","domains":["a.com"]}`, `{"kind":"server","domains":[]}`} {
		status, _ = add(wrong)
		assert.Equal(t, http.StatusUnprocessableEntity, status, wrong)
	}
	status, _, _ = o.call(t, adminauth.Viewer, http.MethodPost, "/component/domains/add", `{"kind":"server","domains":["a.com"]}`)
	assert.Equal(t, http.StatusForbidden, status)
}

func TestConfirmFileIsServedAtTheRoot(t *testing.T) {
	t.Parallel()
	p := ticketed(t)
	o := p.office(t)
	get := func(path string) (int, string) {
		t.Helper()
		r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, p.server.URL+path, nil)
		require.NoError(t, err)
		res, err := http.DefaultClient.Do(r)
		require.NoError(t, err)
		defer func() { _ = res.Body.Close() }()
		text, err := io.ReadAll(res.Body)
		require.NoError(t, err)
		return res.StatusCode, string(text)
	}
	status, _ := get("/robots.txt")
	assert.Equal(t, http.StatusNotFound, status, "other files are none of ours")

	p.wechat.Set(func(s *wechatfake.Settings) { s.ConfirmFileMissing = []string{"bad.a.com"} })
	status, got, raw := o.call(t, adminauth.Operator, http.MethodPost, "/component/domains/add", `{"kind":"webview","domains":["https://m.a.com","bad.a.com"]}`)
	require.Equal(t, http.StatusOK, status, raw)
	assert.Equal(t, []any{"m.a.com"}, got["webview"])
	assert.Equal(t, []any{"bad.a.com"}, got["invalid"].(map[string]any)["webview"])
	problem, _ := got["problems"].([]any)[0].(map[string]any)
	assert.Equal(t, "bad.a.com", problem["name"])

	kept, err := p.keptConfirmFile(t.Context())
	require.NoError(t, err)
	assert.Contains(t, problem["detail"], "https://bad.a.com/"+kept.Name, "what WeChat looks for is named")
	status, text := get("/" + kept.Name) // fetched before WeChat looked for it
	assert.Equal(t, http.StatusOK, status)
	assert.Equal(t, kept.Content, text)
	status, got, raw = o.call(t, adminauth.Operator, http.MethodGet, "/component/domains/confirm-file", "")
	require.Equal(t, http.StatusOK, status, raw)
	assert.Equal(t, map[string]any{"file_name": kept.Name, "file_content": kept.Content, "url": "http://localhost:8080/" + kept.Name}, got)
	for _, path := range []string{"/x/" + kept.Name, "/" + kept.Name + "x", "/.txt"} {
		status, _ = get(path)
		assert.Equal(t, http.StatusNotFound, status, path)
	}
	// WeChat does not say what the file is: domains that are served elsewhere are added all the same.
	_, err = p.wechat.FailNext(wechatfake.Fault{Path: "/cgi-bin/component/get_domain_confirmfile", Mode: wechatfake.FaultErrcode, Code: -1})
	require.NoError(t, err)
	status, got, raw = o.call(t, adminauth.Operator, http.MethodPut, "/component/domains", `{"webview":["m.a.com","n.a.com"]}`)
	require.Equal(t, http.StatusOK, status, raw)
	assert.Equal(t, []any{"m.a.com", "n.a.com"}, got["webview"])
}

// TestOtherFilesDoNotWaitForTheDatabase: names like those of confirm files are a business system's pages too.
func TestOtherFilesDoNotWaitForTheDatabase(t *testing.T) {
	t.Parallel()
	p := newPlatform(t)
	keep := func(name string) { // as another replica does it
		t.Helper()
		require.NoError(t, p.deps.Settings.Put(t.Context(), p.pool, settingConfirmFile, `{"file_name":"`+name+`","file_content":"proof"}`, ""))
	}
	client := &http.Client{Timeout: 5 * time.Second} // far above the limit
	get := func(path string) int {
		r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, p.server.URL+path, nil)
		if !assert.NoError(t, err) {
			return 0
		}
		res, err := client.Do(r)
		if !assert.NoError(t, err, path) {
			return 0
		}
		assert.NoError(t, res.Body.Close())
		return res.StatusCode
	}
	served := func(path string) {
		t.Helper()
		// A machine under load may not answer within the limit; then the pause after that has to pass first.
		require.Eventually(t, func() bool {
			p.clock.Add(2 * confirmPause)
			return get(path) == http.StatusOK
		}, 20*time.Second, 10*time.Millisecond, path)
	}
	require.Equal(t, http.StatusNotFound, get("/first.txt"))
	keep("first.txt")
	served("/first.txt") // WeChat looks right after it was fetched, at any replica
	before := strings.Count(p.logs.String(), "confirm file not read")

	tx, err := p.pool.Begin(t.Context())
	require.NoError(t, err)
	_, err = tx.Exec(t.Context(), `LOCK TABLE setting IN ACCESS EXCLUSIVE MODE`)
	require.NoError(t, err)
	var group sync.WaitGroup
	for range 20 { // more than there are connections
		group.Go(func() { assert.Equal(t, http.StatusNotFound, get("/index.html")) })
	}
	group.Wait()
	assert.Equal(t, before+1, strings.Count(p.logs.String(), "confirm file not read"), "one look for all")
	assert.Equal(t, http.StatusOK, get("/first.txt"), "the last one read")
	require.NoError(t, tx.Rollback(t.Context()))

	keep("second.txt")
	assert.Equal(t, http.StatusNotFound, get("/second.txt"), "the database is left alone for a while")
	served("/second.txt")
	assert.Equal(t, http.StatusNotFound, get("/first.txt"))
}
