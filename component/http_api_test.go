package component

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/labstack/echo/v4"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/wxsteward/wxsteward/internal/adminauth"
	"github.com/wxsteward/wxsteward/internal/fault"
	"github.com/wxsteward/wxsteward/internal/httpserver"
	"github.com/wxsteward/wxsteward/internal/sealed"
	"github.com/wxsteward/wxsteward/internal/tokenstore"
	"github.com/wxsteward/wxsteward/internal/wechat/wechatfake"
)

// office is the admin API of a platform with a key for every role.
type office struct {
	url  string
	keys map[adminauth.Role]string
}

func (p *platform) office(t *testing.T) *office {
	t.Helper()
	srv := httpserver.New(httpserver.Config{Logger: p.log})
	auth := adminauth.New(adminauth.Config{DB: p.pool, Keys: p.deps.Keys})
	auth.Install(srv)
	p.RegisterAPI(srv.API())
	ts := httptest.NewServer(srv.Echo())
	t.Cleanup(ts.Close)
	o := &office{url: ts.URL + "/api/v1", keys: map[adminauth.Role]string{}}

	const password = "correct horse battery"
	_, _, err := auth.EnsureFirstAdmin(t.Context(), "root", password)
	require.NoError(t, err)
	r := post(t, o.url+"/session", `{"username":"root","password":"`+password+`"}`)
	r.Header.Set("Content-Type", "application/json")
	res, err := http.DefaultClient.Do(r)
	require.NoError(t, err)
	require.NoError(t, res.Body.Close())
	for _, role := range []adminauth.Role{adminauth.Viewer, adminauth.Operator, adminauth.Admin} {
		r := post(t, o.url+"/api-keys", fmt.Sprintf(`{"name":%q,"role":%q}`, role, role))
		r.Header.Set("Content-Type", "application/json")
		for _, c := range res.Cookies() {
			r.AddCookie(c)
			if c.Name == adminauth.CSRFCookie {
				r.Header.Set("X-CSRF-Token", c.Value)
			}
		}
		status, body := do(t, r)
		require.Less(t, status, 300, body)
		var made struct{ Key string }
		require.NoError(t, json.Unmarshal([]byte(body), &made))
		o.keys[role] = made.Key
	}
	return o
}

// call gives status, decoded and raw body of an answer.
func (o *office) call(t *testing.T, role adminauth.Role, method, path, body string) (int, map[string]any, string) {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), method, o.url+path, bytes.NewBufferString(body))
	require.NoError(t, err)
	r.Header.Set("Authorization", "Bearer "+o.keys[role])
	r.Header.Set("Content-Type", "application/json")
	r.Header.Set("Accept-Language", "en")
	res, err := http.DefaultClient.Do(r)
	require.NoError(t, err)
	defer func() { _ = res.Body.Close() }()
	raw, err := io.ReadAll(res.Body)
	require.NoError(t, err)
	var decoded map[string]any
	if len(raw) > 0 {
		require.NoError(t, json.Unmarshal(raw, &decoded), string(raw))
	}
	return res.StatusCode, decoded, string(raw)
}

func TestComponentAPI(t *testing.T) {
	t.Parallel()
	p := newPlatform(t, stored)
	o := p.office(t)
	status, got, _ := o.call(t, adminauth.Viewer, http.MethodGet, "/component", "")
	require.Equal(t, http.StatusOK, status)
	assert.Equal(t, map[string]any{
		"appid": testAppID, "mode": "server", "transport": "token", "name": "", "description": "", "color": "", "logo_url": "",
		"callback": map[string]any{
			"component_url": "http://localhost:8080/wxcallback/component", "biz_url": "http://localhost:8080/wxcallback/biz/$APPID$",
		},
		"credentials": map[string]any{"app_secret": "missing", "message_token": "missing", "encoding_aes_key": "missing"},
		"ticket": map[string]any{
			"present": false, "received_at": nil, "age_seconds": nil, "health": "stale", "alarm_since": nil,
			"warn_after_seconds": 1200., "stale_after_seconds": 1800., "alarm_after_seconds": 7200.,
		},
		"access_token": map[string]any{"present": false, "expires_at": nil},
		"cloud_token":  nil, "refused_addresses": []any{},
		"return_url_allowlist": []any{},
	}, got)

	all := fmt.Sprintf(`{"app_secret":%q,"message_token":%q,"encoding_aes_key":%q,"name":" Shop 平台 ","description":"d","return_url_allowlist":["https://A.com/"]}`,
		testSecret, testToken, testAESKey)
	status, _, _ = o.call(t, adminauth.Viewer, http.MethodPut, "/component", `{"name":"x"}`)
	assert.Equal(t, http.StatusForbidden, status)
	status, _, _ = o.call(t, adminauth.Operator, http.MethodPut, "/component", all)
	assert.Equal(t, http.StatusForbidden, status, "credentials are for admins")
	status, got, _ = o.call(t, adminauth.Operator, http.MethodPut, "/component", `{"name":"x"}`)
	assert.Equal(t, http.StatusOK, status)
	assert.Equal(t, "x", got["name"])
	status, got, raw := o.call(t, adminauth.Admin, http.MethodPut, "/component", all)
	require.Equal(t, http.StatusOK, status, raw)
	assert.Equal(t, map[string]any{"app_secret": "stored", "message_token": "stored", "encoding_aes_key": "stored"}, got["credentials"])
	assert.Equal(t, "Shop 平台", got["name"])
	assert.Equal(t, []any{"https://a.com"}, got["return_url_allowlist"])
	for _, secret := range []string{testSecret, testToken, testAESKey} {
		assert.NotContains(t, raw, secret)
	}

	status, _, _ = o.call(t, adminauth.Operator, http.MethodGet, "/component/ticket", "")
	assert.Equal(t, http.StatusNotFound, status)
	status, got, _ = o.call(t, adminauth.Operator, http.MethodGet, "/component/access-token", "")
	assert.Equal(t, http.StatusConflict, status)
	assert.Equal(t, "conflict", got["code"])

	p.wechat.PushTicket()
	p.takePushes(t)
	p.clock.Add(90 * time.Second)
	status, got, _ = o.call(t, adminauth.Operator, http.MethodGet, "/component/ticket", "")
	require.Equal(t, http.StatusOK, status)
	assert.True(t, strings.HasPrefix(got["ticket"].(string), "ticket@@@"))
	status, got, _ = o.call(t, adminauth.Operator, http.MethodGet, "/component/access-token", "")
	require.Equal(t, http.StatusOK, status)
	assert.NotEmpty(t, got["access_token"])
	_, got, raw = o.call(t, adminauth.Viewer, http.MethodGet, "/component", "")
	assert.Equal(t, true, got["access_token"].(map[string]any)["present"])
	assert.InDelta(t, 90, got["ticket"].(map[string]any)["age_seconds"], 5)
	for _, secret := range p.wechat.Secrets() {
		assert.NotContains(t, raw, secret)
	}
	for _, path := range []string{"/component/ticket", "/component/access-token"} {
		status, _, _ = o.call(t, adminauth.Viewer, http.MethodGet, path, "")
		assert.Equal(t, http.StatusForbidden, status, path)
	}
	status, _, _ = o.call(t, adminauth.Operator, http.MethodPost, "/component/ticket/restart", "")
	assert.Equal(t, http.StatusNoContent, status)
	assert.Len(t, p.wechat.Calls(startPushPath), 1)
}

func TestComponentChangesAreChecked(t *testing.T) {
	t.Parallel()
	p := newPlatform(t, stored)
	o := p.office(t)
	for name, body := range map[string]string{ //nolint:gosec // made up
		"a short token":          `{"message_token":"ab"}`,
		"a long token":           `{"message_token":"` + strings.Repeat("a", 33) + `"}`,
		"a token with a dash":    `{"message_token":"abc-def"}`,
		"a token with a newline": `{"message_token":"abcdef\n"}`,
		"a short key":            `{"encoding_aes_key":"` + testAESKey[1:] + `"}`,
		"a long key":             `{"encoding_aes_key":"` + testAESKey + `a"}`,
		"a key with a slash":     `{"encoding_aes_key":"` + testAESKey[1:] + `/"}`,
		"an empty secret":        `{"app_secret":""}`,
		"a secret with a space":  `{"app_secret":"abc def"}`,
		"a bad entry":            `{"return_url_allowlist":["a.com"]}`,
		"a long name":            `{"name":"` + strings.Repeat("名", 101) + `"}`,
		"good and bad together":  `{"name":"good","message_token":"a"}`,
	} {
		status, got, raw := o.call(t, adminauth.Admin, http.MethodPut, "/component", body)
		assert.Equal(t, http.StatusUnprocessableEntity, status, name)
		assert.Equal(t, "validation", got["code"], name)
		assert.NotContains(t, raw, testAESKey[1:], name)
		assert.NotContains(t, raw, "abc-def", name)
	}
	profile, err := p.Profile(t.Context())
	require.NoError(t, err)
	assert.Equal(t, Profile{}, profile, "nothing was stored")
	status, _, raw := o.call(t, adminauth.Admin, http.MethodPut, "/component", `{"message_token":"abc","name":"`+strings.Repeat("名", 100)+`"}`)
	assert.Equal(t, http.StatusOK, status, raw)
}

func TestEnvironmentWins(t *testing.T) {
	t.Parallel()
	p := newPlatform(t)
	o := p.office(t)
	_, got, _ := o.call(t, adminauth.Viewer, http.MethodGet, "/component", "")
	assert.Equal(t, map[string]any{"app_secret": "environment", "message_token": "environment", "encoding_aes_key": "environment"}, got["credentials"])
	for _, body := range []string{`{"app_secret":"x"}`, `{"message_token":"abcdef"}`, `{"encoding_aes_key":"` + otherAESKey + `"}`} {
		status, got, raw := o.call(t, adminauth.Admin, http.MethodPut, "/component", body)
		assert.Equal(t, http.StatusConflict, status)
		assert.Equal(t, "conflict", got["code"])
		assert.Contains(t, raw, "WX_")
		assert.NotContains(t, raw, otherAESKey)
	}
	status, _, _ := o.call(t, adminauth.Admin, http.MethodPut, "/component", `{"name":"y"}`)
	assert.Equal(t, http.StatusOK, status)
}

func TestCheckAPI(t *testing.T) {
	t.Parallel()
	p := newPlatform(t, stored)
	o := p.office(t)
	check := func() map[string]bool {
		status, got, _ := o.call(t, adminauth.Operator, http.MethodPost, "/component/check", "")
		require.Equal(t, http.StatusOK, status)
		ok := map[string]bool{}
		for _, c := range got["checks"].([]any) {
			c := c.(map[string]any)
			ok[c["name"].(string)] = c["ok"].(bool)
			assert.NotEmpty(t, c["detail"], c["name"])
		}
		return ok
	}
	assert.Equal(t, map[string]bool{"database": true, "credentials": false, "ticket": false, "access_token": false, "ip_whitelist": false, "domains": false, "callback_url": false}, check())
	require.NoError(t, p.Change(t.Context(), Change{
		AppSecret: new(sealed.New(testSecret)), MessageToken: new(sealed.New(testToken)), EncodingAESKey: new(sealed.New(testAESKey)),
	}, ""))
	p.wechat.PushTicket()
	p.takePushes(t)
	assert.Equal(t, map[string]bool{"database": true, "credentials": true, "ticket": true, "access_token": true, "ip_whitelist": true, "domains": true, "callback_url": false}, check())

	_, err := p.wechat.FailNext(wechatfake.Fault{Path: "/cgi-bin/component/modify_wxa_server_domain", Mode: wechatfake.FaultErrcode, Code: 61004, Msg: "access clientip is not registered requestIP: 192.0.2.7"})
	require.NoError(t, err)
	p.AddCheck(func(context.Context) Check { return Check{Name: "more", OK: true, Detail: "x"} })
	assert.Equal(t, map[string]bool{"database": true, "credentials": true, "ticket": true, "access_token": true, "ip_whitelist": false, "domains": false, "callback_url": false, "more": true}, check())

	p.wechat.ExpireTokens("", false)
	p.clock.Add(3 * time.Hour)
	_, err = p.wechat.FailNext(wechatfake.Fault{Path: componentTokenPath, Mode: wechatfake.FaultErrcode, Code: 61004, Msg: "access clientip is not registered requestIP: 192.0.2.7"})
	require.NoError(t, err)
	var token Check
	for _, c := range p.RunChecks(fault.WithLang(t.Context(), fault.English)) {
		if c.Name == "access_token" {
			token = c
		}
	}
	assert.False(t, token.OK)
	assert.Contains(t, token.Detail, "192.0.2.7", "the operator reads which address to add")
	assert.NotEmpty(t, token.Hint)
}

func TestCallbackURLCheck(t *testing.T) {
	t.Parallel()
	for address, want := range map[string]bool{
		"https://wx.example.com": true, "http://wx.example.com": true, "https://wx.example.com:443": true, "http://localhost:8080": false,
		"https://wx.example.com:8443": false, "http://127.0.0.1": false, "http://192.168.1.5": false, "http://[::1]": false,
	} {
		u, err := url.Parse(address)
		require.NoError(t, err)
		s := New(Config{AppID: testAppID, PublicURL: u}, Deps{})
		assert.Equal(t, want, s.checkCallback(t.Context()).OK, address)
	}
}

func TestDomainsAPI(t *testing.T) {
	t.Parallel()
	p := ticketed(t)
	o := p.office(t)
	const setPath = "/cgi-bin/component/modify_wxa_server_domain"
	status, got, raw := o.call(t, adminauth.Viewer, http.MethodGet, "/component/domains", "")
	require.Equal(t, http.StatusOK, status, raw)
	assert.Equal(t, []any{}, got["server"])
	status, got, raw = o.call(t, adminauth.Operator, http.MethodPut, "/component/domains", `{"server":["API.a.com","cdn.a.com:8443","api.a.com"],"webview":["www.a.com"]}`)
	require.Equal(t, http.StatusOK, status, raw)
	want := map[string]any{"server": []any{"api.a.com", "cdn.a.com:8443"}, "webview": []any{"www.a.com"}}
	assert.Equal(t, want["server"], got["server"])
	assert.Equal(t, want, got["published"], "both copies change")
	assert.Equal(t, want, got["testing"])

	changes := func() int { return len(p.wechat.Calls(setPath)) }
	before := changes()
	status, _, _ = o.call(t, adminauth.Operator, http.MethodPut, "/component/domains", `{"server":["cdn.a.com:8443","api.a.com"]}`)
	assert.Equal(t, http.StatusOK, status)
	assert.Equal(t, before+1, changes(), "only read: nothing has changed, and changes are counted")
	status, got, _ = o.call(t, adminauth.Operator, http.MethodPut, "/component/domains", `{"server":[]}`)
	assert.Equal(t, http.StatusOK, status)
	assert.Equal(t, []any{}, got["server"])
	assert.Equal(t, []any{"www.a.com"}, got["webview"], "what is left out stays")

	for _, name := range []string{"https://api.a.com", "api.a.com/x", "a", "", "a.com;b.com", "a.com:99999", "a_b.com", "例子.com", "1.2.3.4"} {
		text, err := json.Marshal(map[string][]string{"server": {name}})
		require.NoError(t, err)
		status, _, _ = o.call(t, adminauth.Operator, http.MethodPut, "/component/domains", string(text))
		assert.Equal(t, http.StatusUnprocessableEntity, status, name)
	}
	before = changes()
	status, _, raw = o.call(t, adminauth.Operator, http.MethodPut, "/component/domains", `{"server":["api.a.com:8443"],"webview":["www.a.com","m.a.com:8443"]}`)
	assert.Equal(t, http.StatusUnprocessableEntity, status, "WeChat takes no port in 业务域名")
	assert.Contains(t, raw, "body.webview[1]")
	status, _, raw = o.call(t, adminauth.Operator, http.MethodPost, "/component/domains/add", `{"kind":"webview","domains":["https://m.a.com:8443"]}`)
	assert.Equal(t, http.StatusUnprocessableEntity, status)
	assert.Contains(t, raw, "body.domains[0]")
	assert.Equal(t, before, changes(), "nothing was sent")
	status, got, raw = o.call(t, adminauth.Operator, http.MethodGet, "/component/domains/confirm-file", "")
	require.Equal(t, http.StatusOK, status, raw)
	assert.NotEmpty(t, got["file_name"])
	assert.NotEmpty(t, got["file_content"])
}

func TestMessagesAPI(t *testing.T) {
	t.Parallel()
	p := newPlatform(t)
	p.NameMerchants(func(_ context.Context, appids []string) (map[string]string, error) {
		assert.NotContains(t, appids, testAppID, "the platform is no merchant")
		return map[string]string{"wxm2": "面包房"}, nil
	})
	o := p.office(t)
	_, _ = p.push(t, onComponent(), authorizedXML("wxm1"))
	p.clock.Add(time.Minute)
	middle := p.clock.Now()
	p.clock.Add(time.Minute)
	for n := range 5 {
		_, _ = p.push(t, onBiz("wxm2"), textXML("hi 100% \\ "+strconv.Itoa(n), strconv.Itoa(n+1)))
	}
	_, _ = p.push(t, onBiz("wxm2"), `{"MsgType":"event","Event":"weapp_audit_fail","CreateTime":1413192605,"FromUserName":"f","ToUserName":"gh_2"}`)
	require.NoError(t, p.handleAll(t))
	list := func(query string) []any {
		status, got, raw := o.call(t, adminauth.Viewer, http.MethodGet, "/messages?"+query, "")
		require.Equal(t, http.StatusOK, status, raw)
		return got["items"].([]any)
	}
	for query, want := range map[string]int{
		"": 7, "channel=biz": 6, "channel=component": 1, "appid=wxm2": 6, "appid=nobody": 0, "info_type=authorized": 1, "msg_type=text": 5,
		"event=weapp_audit_fail": 1, "state=handled": 7, "state=failed": 0, "q=hi": 5, "q=100%25": 5, "q=1_0": 0, "q=%5C": 5, "q=secret-code": 0,
		"since=" + url.QueryEscape(middle.Format(time.RFC3339)): 6, "until=" + url.QueryEscape(middle.Format(time.RFC3339)): 1,
		"channel=biz&msg_type=event": 1,
	} {
		assert.Len(t, list(query), want, query)
	}
	newest := list("limit=1")[0].(map[string]any)
	assert.Equal(t, map[string]any{
		"id": newest["id"], "title": "Code review failed", "channel": "biz", "appid": "wxm2", "nick_name": "面包房", "info_type": "", "msg_type": "event", "event": "weapp_audit_fail",
		"from_user": "f", "to_user": "gh_2", "msg_id": "", "created_at": "2014-10-13T09:30:05Z", "received_at": newest["received_at"],
		"deliveries": []any{}, "state": "handled", "error": "",
	}, newest)

	var seen []string
	cursor := ""
	for range 10 {
		_, got, _ := o.call(t, adminauth.Viewer, http.MethodGet, "/messages?limit=3&cursor="+cursor, "")
		for _, item := range got["items"].([]any) {
			seen = append(seen, item.(map[string]any)["id"].(string))
		}
		assert.Nil(t, got["total"])
		if cursor = got["next_cursor"].(string); cursor == "" {
			assert.Nil(t, got["searched_to"])
			break
		}
		oldest, err := time.Parse(time.RFC3339, got["items"].([]any)[2].(map[string]any)["received_at"].(string))
		require.NoError(t, err)
		searched, err := time.Parse(time.RFC3339, got["searched_to"].(string))
		require.NoError(t, err)
		assert.Equal(t, oldest.Truncate(time.Millisecond), searched)
	}
	assert.Len(t, seen, 7)
	for query, want := range map[string]int{"cursor=nonsense": 422, "channel=x": 422, "limit=0": 422, "limit=201": 422, "since=yesterday": 422} {
		status, _, _ := o.call(t, adminauth.Viewer, http.MethodGet, "/messages?"+query, "")
		assert.Equal(t, want, status, query)
	}

	first := "/messages/" + seen[6]
	_, got, raw := o.call(t, adminauth.Viewer, http.MethodGet, first, "")
	assert.NotContains(t, raw, "secret-", "viewers do not see codes")
	assert.Contains(t, got["body"], "<AuthorizationCode>***</AuthorizationCode>")
	_, got, _ = o.call(t, adminauth.Operator, http.MethodGet, first, "")
	assert.Equal(t, authorizedXML("wxm1"), got["body"])
	for _, id := range []string{"0", "999999", "x", "99999999999999999999"} {
		status, _, _ := o.call(t, adminauth.Viewer, http.MethodGet, "/messages/"+id, "")
		assert.Equal(t, http.StatusNotFound, status, id)
	}
}

func TestInnerRoutes(t *testing.T) {
	t.Parallel()
	p := newPlatform(t)
	e := echo.New()
	p.RegisterInner(e, func(_ context.Context, appid string) (tokenstore.Token, error) {
		if appid != "wxm1" {
			return tokenstore.Token{}, fault.New(fault.NotFound, "no such merchant")
		}
		return tokenstore.Token{Access: sealed.New("merchant-token")}, nil
	})
	get := func(path string) (int, string) {
		rec := httptest.NewRecorder()
		e.ServeHTTP(rec, httptest.NewRequestWithContext(t.Context(), http.MethodGet, path, nil))
		return rec.Code, strings.TrimSpace(rec.Body.String())
	}
	for _, path := range []string{"/inner/component-access-token", "/inner/ticket", "/inner/authorizer-access-token", "/inner/authorizer-access-token?appid=wxm2"} {
		status, body := get(path)
		assert.Equal(t, http.StatusOK, status, path)
		var failure struct {
			Code     int
			ErrorMsg string
			Data     map[string]string
		}
		require.NoError(t, json.Unmarshal([]byte(body), &failure))
		assert.NotZero(t, failure.Code, path)
		assert.NotEmpty(t, failure.ErrorMsg, path)
		assert.Nil(t, failure.Data, path)
	}
	p.wechat.PushTicket()
	p.takePushes(t)
	ticket, err := p.Ticket(t.Context())
	require.NoError(t, err)
	_, body := get("/inner/ticket")
	assert.Equal(t, `{"code":0,"errorMsg":"OK","data":{"ticket":"`+ticket.Value.Reveal()+`"}}`, body)
	token, err := p.AccessToken(t.Context())
	require.NoError(t, err)
	_, body = get("/inner/component-access-token")
	assert.Equal(t, `{"code":0,"errorMsg":"OK","data":{"token":"`+token.Access.Reveal()+`"}}`, body)
	_, body = get("/inner/authorizer-access-token?appid=wxm1")
	assert.Equal(t, `{"code":0,"errorMsg":"OK","data":{"token":"merchant-token"}}`, body)

	p.clock.Add(3 * time.Hour)
	_, err = p.wechat.FailNext(wechatfake.Fault{Path: componentTokenPath, Mode: wechatfake.FaultErrcode, Code: 61004})
	require.NoError(t, err)
	status, body := get("/inner/component-access-token")
	assert.Equal(t, http.StatusOK, status)
	assert.Contains(t, body, `"code":61004`)

	e = echo.New()
	p.RegisterRoutes(e)
	status, _ = get("/inner/ticket")
	assert.Equal(t, http.StatusNotFound, status, "not on the public listener")
}
