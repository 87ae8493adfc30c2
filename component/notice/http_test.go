package notice

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/wxsteward/wxsteward/component"
	"github.com/wxsteward/wxsteward/internal/adminauth"
	"github.com/wxsteward/wxsteward/internal/httpserver"
)

// desk is the admin API with a key for every role.
type desk struct {
	t    *testing.T
	url  string
	keys map[adminauth.Role]string
	mu   sync.Mutex
	said bytes.Buffer // all answers, without those that show a secret on purpose
}

func (r *replica) desk(t *testing.T) *desk {
	t.Helper()
	srv := httpserver.New(httpserver.Config{Logger: r.log})
	auth := adminauth.New(adminauth.Config{DB: r.pool, Keys: r.deps.Keys})
	auth.Install(srv)
	r.RegisterAPI(srv.API())
	ts := httptest.NewServer(srv.Echo())
	t.Cleanup(ts.Close)
	d := &desk{t: t, url: ts.URL + "/api/v1", keys: map[adminauth.Role]string{}}
	const password = "correct horse battery"
	_, _, err := auth.EnsureFirstAdmin(t.Context(), "root", password)
	require.NoError(t, err)
	send := func(path, body string, cookies []*http.Cookie) (answer []byte, set []*http.Cookie) {
		req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, d.url+path, strings.NewReader(body))
		require.NoError(t, err)
		req.Header.Set("Content-Type", "application/json")
		for _, c := range cookies {
			req.AddCookie(c)
			if c.Name == adminauth.CSRFCookie {
				req.Header.Set("X-CSRF-Token", c.Value)
			}
		}
		res, err := http.DefaultClient.Do(req)
		require.NoError(t, err)
		defer func() { _ = res.Body.Close() }()
		answer, err = io.ReadAll(res.Body)
		require.NoError(t, err)
		return answer, res.Cookies()
	}
	_, session := send("/session", `{"username":"root","password":"`+password+`"}`, nil)
	for _, role := range []adminauth.Role{adminauth.Viewer, adminauth.Operator} {
		var made struct{ Key string }
		answer, _ := send("/api-keys", fmt.Sprintf(`{"name":%q,"role":%q}`, role, role), session)
		require.NoError(t, json.Unmarshal(answer, &made))
		d.keys[role] = made.Key
	}
	return d
}

func (d *desk) call(role adminauth.Role, method, path string, body any) (int, map[string]any) {
	d.t.Helper()
	raw, err := json.Marshal(body)
	require.NoError(d.t, err)
	req, err := http.NewRequestWithContext(d.t.Context(), method, d.url+path, bytes.NewReader(raw))
	require.NoError(d.t, err)
	req.Header.Set("Authorization", "Bearer "+d.keys[role])
	req.Header.Set("Content-Type", "application/json")
	req.Header.Set("Accept-Language", "en")
	res, err := http.DefaultClient.Do(req)
	require.NoError(d.t, err)
	defer func() { _ = res.Body.Close() }()
	raw, err = io.ReadAll(res.Body)
	require.NoError(d.t, err)
	d.mu.Lock()
	d.said.Write(raw)
	d.mu.Unlock()
	var decoded map[string]any
	if len(raw) > 0 {
		require.NoError(d.t, json.Unmarshal(raw, &decoded), string(raw))
	}
	return res.StatusCode, decoded
}

func TestChannelsAPI(t *testing.T) {
	t.Parallel()
	r := newReplica(t)
	d := r.desk(t)
	wecom := newRobot(t, KindWeCom, "", r.clock.Now)
	full := map[string]any{"name": "staff", "kind": "wecom", "url": wecom.address()}

	status, _ := d.call(adminauth.Viewer, http.MethodPost, "/notice-channels", full)
	require.Equal(t, http.StatusForbidden, status)
	status, made := d.call(adminauth.Operator, http.MethodPost, "/notice-channels", full)
	require.Equal(t, http.StatusCreated, status, made)
	id, ok := made["id"].(string)
	require.True(t, ok)
	assert.Equal(t, strings.TrimPrefix(wecom.URL, "http://")+"/…5aaa", made["address"])
	assert.Equal(t, "zh-CN", made["language"])
	assert.Len(t, made["events"], 7)
	assert.Equal(t, false, made["has_secret"])
	assert.Nil(t, made["failing"])
	assert.NotContains(t, made, "secret")

	status, tested := d.call(adminauth.Operator, http.MethodPost, "/notice-channels/"+id+"/test", nil)
	require.Equal(t, http.StatusOK, status)
	assert.Equal(t, true, tested["ok"])
	wecom.set(func(int) (string, int) { return `{"errcode":93000,"errmsg":"no robot at ` + robotKey + `"}`, 200 }, nil)
	_, tested = d.call(adminauth.Operator, http.MethodPost, "/notice-channels/"+id+"/test", nil)
	assert.Equal(t, false, tested["ok"])
	assert.Contains(t, tested["error"], "enter the address of a working one")

	r.clock.Add(10 * time.Second)
	r.announce(t, paused(1), dead(2, 3))
	r.stepFor(t, 10*time.Second, time.Second)
	_, list := d.call(adminauth.Viewer, http.MethodGet, "/notices?state=dead&channel_id="+id, nil)
	require.Len(t, list["items"], 2)
	_, list = d.call(adminauth.Viewer, http.MethodGet, "/notices?event=dead_letter", nil)
	require.Len(t, list["items"], 1)
	first, ok := list["items"].([]any)[0].(map[string]any)
	require.True(t, ok)
	assert.Equal(t, "Messages were given up: shop", first["title"])
	assert.InDelta(t, 3, first["count"], 0)
	assert.Equal(t, "/forward-rules/2", first["path"])
	assert.Contains(t, first["error"], "errcode 93000")
	_, one := d.call(adminauth.Viewer, http.MethodGet, "/notice-channels/"+id, nil)
	assert.Contains(t, one["failing"].(map[string]any)["error"], "errcode 93000")

	wecom.set(nil, nil)
	noticePath := fmt.Sprintf("/notices/%s/retry", first["id"])
	status, _ = d.call(adminauth.Viewer, http.MethodPost, noticePath, nil)
	require.Equal(t, http.StatusForbidden, status)
	status, retried := d.call(adminauth.Operator, http.MethodPost, noticePath, nil)
	require.Equal(t, http.StatusOK, status)
	assert.Equal(t, "pending", retried["state"])
	r.stepFor(t, 10*time.Second, time.Second)
	_, list = d.call(adminauth.Viewer, http.MethodGet, "/notices?state=sent", nil)
	assert.Len(t, list["items"], 1)
	_, page := d.call(adminauth.Viewer, http.MethodGet, "/notices?limit=1", nil)
	require.NotEmpty(t, page["next_cursor"])
	_, page = d.call(adminauth.Viewer, http.MethodGet, fmt.Sprintf("/notices?limit=1&cursor=%s", page["next_cursor"]), nil)
	require.Len(t, page["items"], 1)
	assert.Empty(t, page["next_cursor"])

	status, changed := d.call(adminauth.Operator, http.MethodPatch, "/notice-channels/"+id, map[string]any{"language": "en", "enabled": false, "events": []string{"dead_letter"}})
	require.Equal(t, http.StatusOK, status, changed)
	assert.Equal(t, []any{"dead_letter"}, changed["events"])
	assert.Equal(t, made["address"], changed["address"])
	status, _ = d.call(adminauth.Operator, http.MethodPost, "/notice-channels/"+id+"/secret", nil)
	assert.Equal(t, http.StatusConflict, status)
	status, _ = d.call(adminauth.Operator, http.MethodDelete, "/notice-channels/"+id, nil)
	require.Equal(t, http.StatusNoContent, status)
	status, _ = d.call(adminauth.Operator, http.MethodDelete, "/notice-channels/"+id, nil)
	require.Equal(t, http.StatusNotFound, status)
	_, list = d.call(adminauth.Viewer, http.MethodGet, "/notices", nil)
	assert.Empty(t, list["items"])
}

func TestBadChannelsAreRefused(t *testing.T) {
	t.Parallel()
	r := newReplica(t)
	d := r.desk(t)
	wecom := newRobot(t, KindWeCom, "", r.clock.Now)
	full := map[string]any{"name": "staff", "kind": "wecom", "url": wecom.address()}
	for _, tc := range []struct {
		name, field string
		change      map[string]any
	}{
		{"no name", "body.name", map[string]any{"name": " "}},
		{"no event", "body.events", map[string]any{"events": []string{}}},
		{"an address in part", "body.url", map[string]any{"url": wecom.URL + "/cgi-bin/webhook/send"}},
		{"an address of another kind", "body.url", map[string]any{"kind": "feishu", "url": wecom.address()}},
		{"an address that is none", "body.url", map[string]any{"kind": "webhook", "url": "qyapi.weixin.qq.com/" + robotKey}},
		{"a secret where there is none", "body.secret", map[string]any{"secret": robotSecret}},
		{"a secret that is not ours", "body.secret", map[string]any{"kind": "webhook", "secret": robotSecret}},
		{"an address that is too long", "body.url", map[string]any{"url": wecom.address() + strings.Repeat("x", maxURL)}},
	} {
		t.Run(tc.name+" is refused", func(t *testing.T) {
			t.Parallel()
			body := maps.Clone(full)
			maps.Copy(body, tc.change)
			status, problem := d.call(adminauth.Operator, http.MethodPost, "/notice-channels", body)
			require.Equal(t, http.StatusUnprocessableEntity, status, problem)
			first, ok := problem["errors"].([]any)[0].(map[string]any)
			require.True(t, ok)
			assert.Equal(t, tc.field, first["location"])
			if tc.field == "body.url" || tc.field == "body.secret" {
				assert.NotContains(t, first, "value")
			}
		})
	}
}

// TestSecretsStayIn: neither the API nor the log nor the tables say what must not be known.
func TestSecretsStayIn(t *testing.T) {
	t.Parallel()
	r := newReplica(t)
	d := r.desk(t)
	var ids []string
	for _, kind := range []string{KindWeCom, KindDingTalk, KindFeishu, KindWebhook} {
		to := newRobot(t, kind, "", r.clock.Now)
		body := map[string]any{"name": kind, "kind": kind, "url": to.address()}
		known := to.address()
		if kind == KindDingTalk || kind == KindFeishu {
			body["secret"] = robotSecret
			known += " " + robotSecret
		}
		status, made := d.call(adminauth.Operator, http.MethodPost, "/notice-channels", body)
		require.Equal(t, http.StatusCreated, status, made)
		id, ok := made["id"].(string)
		require.True(t, ok)
		ids = append(ids, id)
		// What answers says back all it was sent.
		to.set(func(int) (string, int) {
			return `{"errcode":93000,"code":19001,"errmsg":"no ` + known + `","msg":"no ` + known + `"}`, http.StatusInternalServerError
		}, nil)
	}
	_, rotated := d.call(adminauth.Operator, http.MethodPost, "/notice-channels/"+ids[3]+"/secret", nil)
	secret, ok := rotated["secret"].(string)
	require.True(t, ok)
	require.True(t, strings.HasPrefix(secret, "whsec_"))
	d.said.Reset() // from here on nothing shows a secret

	r.announce(t, paused(1))
	r.clock.Add(10 * time.Second)
	r.step(t)
	for _, id := range ids {
		d.call(adminauth.Operator, http.MethodPost, "/notice-channels/"+id+"/test", nil)
	}
	closed := newRobot(t, KindWeCom, "", r.clock.Now)
	closed.Close()
	_, refusedURL := d.call(adminauth.Operator, http.MethodPatch, "/notice-channels/"+ids[0], map[string]any{"url": closed.address()})
	require.NotNil(t, refusedURL)
	d.call(adminauth.Operator, http.MethodPost, "/notice-channels/"+ids[0]+"/test", nil)
	d.call(adminauth.Operator, http.MethodPatch, "/notice-channels/"+ids[0], map[string]any{"url": "http://169.254.169.254/?key=" + robotKey})
	d.call(adminauth.Operator, http.MethodPatch, "/notice-channels/"+ids[0], map[string]any{"url": robotKey, "secret": robotSecret})
	d.call(adminauth.Viewer, http.MethodGet, "/notices", nil)
	d.call(adminauth.Viewer, http.MethodGet, "/notice-channels", nil)
	d.call(adminauth.Viewer, http.MethodGet, "/audit-log", nil)

	var tables string
	require.NoError(t, r.pool.QueryRow(t.Context(), `SELECT (SELECT string_agg(c::text, ' ') FROM notice_channel c) || (SELECT string_agg(n::text, ' ') FROM notice n)
		|| (SELECT string_agg(encode(url, 'escape') || encode(coalesce(secret, ''), 'escape'), ' ') FROM notice_channel)`).Scan(&tables))
	for _, hidden := range []string{robotKey, robotSecret, secret} {
		assert.NotContains(t, d.said.String(), hidden)
		assert.NotContains(t, r.logs.String(), hidden)
		assert.NotContains(t, tables, hidden)
	}
	assert.Contains(t, r.logs.String(), "notice not sent")
}

func TestNewsReachesPages(t *testing.T) {
	t.Parallel()
	r := newReplica(t)
	to := newRobot(t, KindWeCom, "", r.clock.Now)
	r.channel(t, to)
	conn, err := r.pool.Acquire(t.Context())
	require.NoError(t, err)
	defer conn.Release()
	_, err = conn.Exec(t.Context(), "LISTEN wxsteward_live")
	require.NoError(t, err)
	r.announce(t, component.Announcement{Event: component.EventRulePaused, Key: "1", Subject: "shop"})
	r.step(t)
	for _, state := range []string{statePending, stateSent} {
		n, err := conn.Conn().WaitForNotification(t.Context())
		require.NoError(t, err)
		assert.JSONEq(t, `{"kind":"notice","id":"1","state":"`+state+`"}`, n.Payload)
	}
}
