package forward

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"html"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/wxsteward/wxsteward/component"
	"github.com/wxsteward/wxsteward/internal/adminauth"
	"github.com/wxsteward/wxsteward/internal/httpserver"
	"github.com/wxsteward/wxsteward/internal/sealed"
)

// desk is the admin API with a key for every role.
type desk struct {
	url  string
	keys map[adminauth.Role]string
}

func (r *replica) desk(t *testing.T) *desk {
	t.Helper()
	srv := httpserver.New(httpserver.Config{Logger: r.log})
	auth := adminauth.New(adminauth.Config{DB: r.pool, Keys: r.deps.Keys})
	auth.Install(srv)
	r.RegisterAPI(srv.API())
	ts := httptest.NewServer(srv.Echo())
	t.Cleanup(ts.Close)
	d := &desk{url: ts.URL + "/api/v1", keys: map[adminauth.Role]string{}}
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

func (d *desk) call(t *testing.T, role adminauth.Role, method, path, body string) (int, map[string]any) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), method, d.url+path, bytes.NewBufferString(body))
	require.NoError(t, err)
	req.Header.Set("Authorization", "Bearer "+d.keys[role])
	req.Header.Set("Content-Type", "application/json")
	req.Header.Set("Accept-Language", "en")
	res, err := http.DefaultClient.Do(req)
	require.NoError(t, err)
	defer func() { _ = res.Body.Close() }()
	raw, err := io.ReadAll(res.Body)
	require.NoError(t, err)
	var decoded map[string]any
	if len(raw) > 0 {
		require.NoError(t, json.Unmarshal(raw, &decoded), string(raw))
	}
	return res.StatusCode, decoded
}

func TestRulesAPI(t *testing.T) {
	t.Parallel()
	r := newReplica(t)
	d := r.desk(t)
	shop := newTarget(t, func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, "pong") })
	body := `{"name":"Shop","channel":"biz","event":"weapp_audit_fail","appids":["wx1"],"target_url":"` + shop.URL + `/$APPID$"}`

	status, _ := d.call(t, adminauth.Viewer, http.MethodPost, "/forward-rules", body)
	assert.Equal(t, http.StatusForbidden, status)
	status, rule := d.call(t, adminauth.Operator, http.MethodPost, "/forward-rules", body)
	require.Equal(t, http.StatusCreated, status, rule)
	secret, _ := rule["secret"].(string)
	assert.True(t, strings.HasPrefix(secret, "whsec_"))
	assert.Equal(t, true, rule["enabled"])
	assert.Equal(t, "deliver", rule["mode"])
	assert.Equal(t, "json", rule["format"])
	assert.EqualValues(t, 10000, rule["timeout_ms"])
	path := "/forward-rules/" + rule["id"].(string)

	status, list := d.call(t, adminauth.Viewer, http.MethodGet, "/forward-rules", "")
	require.Equal(t, http.StatusOK, status)
	assert.EqualValues(t, 1, list["total"])
	assert.NotContains(t, fmt.Sprint(list), "whsec_", "a secret is shown once")

	status, tried := d.call(t, adminauth.Operator, http.MethodPost, path+"/test", "")
	require.Equal(t, http.StatusOK, status, tried)
	assert.EqualValues(t, 200, tried["status"])
	assert.Equal(t, "pong", tried["response"])
	assert.Empty(t, tried["error"])
	call := shop.calls()[0]
	assert.Equal(t, "/wx1", call.path)
	sent, _ := tried["request"].(map[string]any)
	assert.Equal(t, shop.URL+"/wx1", sent["url"])
	assert.Equal(t, call.body, sent["body"], "what was sent is shown")
	headers, _ := sent["headers"].(map[string]any)
	assert.Equal(t, call.header.Get("Webhook-Signature"), headers["Webhook-Signature"])
	assert.Contains(t, call.body, `"Event":"weapp_audit_fail"`)
	require.NoError(t, verifier(t, sealed.New(secret)).Verify([]byte(call.body), call.header))

	status, rotated := d.call(t, adminauth.Operator, http.MethodPost, path+"/secret", "")
	require.Equal(t, http.StatusOK, status, rotated)
	assert.NotEqual(t, secret, rotated["secret"])
	assert.NotNil(t, rotated["previous_secret_until"])

	status, changed := d.call(t, adminauth.Operator, http.MethodPatch, path, `{"enabled":false,"appids":[]}`)
	require.Equal(t, http.StatusOK, status, changed)
	assert.Equal(t, false, changed["enabled"])
	assert.Equal(t, []any{}, changed["appids"])
	assert.Equal(t, "Shop", changed["name"])
	r.store(t, component.Message{ID: 1, Channel: "biz", AppID: "wx2", MsgType: "event", Event: "weapp_audit_fail", Body: []byte(sampleText)})
	assert.Empty(t, r.list(t, DeliveryFilter{}), "a rule that is switched off hears of nothing")

	for _, tc := range []struct{ body, location string }{
		{`{"mode":"relay","channel":"component","event":""}`, "body.mode"},
		{`{"channel":"component"}`, "body.msg_type"},
		{`{"info_type":"authorized"}`, "body.info_type"},
		{`{"target_url":"http://169.254.169.254/"}`, "body.target_url"},
		{`{"name":" "}`, "body.name"},
		{`{"timeout_ms":60000}`, "body.timeout_ms"},
		{`{"mode":"carry"}`, "body.mode"},
	} {
		status, refused := d.call(t, adminauth.Operator, http.MethodPatch, path, tc.body)
		assert.Equal(t, http.StatusUnprocessableEntity, status, tc.body)
		assert.Contains(t, fmt.Sprint(refused["errors"]), tc.location)
	}

	status, _ = d.call(t, adminauth.Viewer, http.MethodGet, path+"/stats?hours=1", "")
	assert.Equal(t, http.StatusOK, status)
	status, _ = d.call(t, adminauth.Operator, http.MethodDelete, path, "")
	assert.Equal(t, http.StatusNoContent, status)
	for _, method := range []string{http.MethodGet, http.MethodDelete, http.MethodPatch} {
		status, _ = d.call(t, adminauth.Operator, method, path, `{}`)
		assert.Equal(t, http.StatusNotFound, status, method)
	}
	status, _ = d.call(t, adminauth.Operator, http.MethodPost, path+"/test", "")
	assert.Equal(t, http.StatusNotFound, status)
}

func TestDeliveriesAPI(t *testing.T) {
	t.Parallel()
	r := newReplica(t)
	r.deps.Headings = func(_ context.Context, ids []int64) (map[int64]component.Heading, error) {
		all := map[int64]component.Heading{}
		for _, id := range ids {
			if id != 3 { // it is past its retention
				all[id] = component.Heading{Title: "Text", AppID: "wx1", NickName: "Bakery"}
			}
		}
		return all, nil
	}
	d := r.desk(t)
	shop := newTarget(t, status(http.StatusGone))
	rule, _ := r.to(t, shop.URL)
	r.start(t)
	for id := range int64(5) {
		r.store(t, text(id+1, "wx1"))
	}
	eventually(t, "all are tried", func() bool {
		var n int
		return r.pool.QueryRow(t.Context(), `SELECT count(*) FROM delivery_attempt`).Scan(&n) == nil && n == 5
	})
	_, page := d.call(t, adminauth.Viewer, http.MethodGet, "/deliveries?limit=2&state=pending&rule_id="+formatID(rule.ID), "")
	items, _ := page["items"].([]any)
	require.Len(t, items, 2)
	first, _ := items[0].(map[string]any)
	assert.Equal(t, "5", first["message_id"])
	assert.Equal(t, map[string]any{"title": "Text", "appid": "wx1", "nick_name": "Bakery", "received_at": "0001-01-01T00:00:00Z"}, first["message"])
	assert.Equal(t, formatID(rule.ID), first["rule_id"])
	assert.NotNil(t, first["next_at"])
	attempts, _ := first["attempts"].([]any)
	require.Len(t, attempts, 1)
	attempt, _ := attempts[0].(map[string]any)
	assert.EqualValues(t, http.StatusGone, attempt["status"])
	assert.Equal(t, "The target answered with status 410.", attempt["error"])
	_, next := d.call(t, adminauth.Viewer, http.MethodGet, "/deliveries?limit=2&cursor="+page["next_cursor"].(string), "")
	items, _ = next["items"].([]any)
	require.Len(t, items, 2)
	third, _ := items[0].(map[string]any)
	assert.Equal(t, "3", third["message_id"])
	assert.Nil(t, third["message"])

	shop.answer(status(http.StatusOK))
	id, _ := first["id"].(string)
	status, _ := d.call(t, adminauth.Viewer, http.MethodPost, "/deliveries/"+id+"/retry", "")
	assert.Equal(t, http.StatusForbidden, status)
	status, again := d.call(t, adminauth.Operator, http.MethodPost, "/deliveries/"+id+"/retry", "")
	require.Equal(t, http.StatusOK, status, again)
	eventually(t, "it is delivered", func() bool {
		_, one := d.call(t, adminauth.Viewer, http.MethodGet, "/deliveries/"+id, "")
		return one["state"] == stateDelivered && one["next_at"] == nil && one["finished_at"] != nil
	})
	_, err := r.pool.Exec(t.Context(), `UPDATE delivery SET state = 'dead' WHERE state = 'pending'`)
	require.NoError(t, err)
	status, bulk := d.call(t, adminauth.Operator, http.MethodPost, "/deliveries/retry", `{"rule_id":"`+formatID(rule.ID)+`","state":"dead"}`)
	require.Equal(t, http.StatusOK, status, bulk)
	assert.EqualValues(t, 4, bulk["retried"])
	eventually(t, "all are delivered", func() bool { return r.count(t, stateDelivered) == 5 })

	for path, want := range map[string]int{"/deliveries/999999": 404, "/deliveries/x": 404, "/deliveries?rule_id=x": 422, "/deliveries?state=lost": 422} {
		status, _ := d.call(t, adminauth.Viewer, http.MethodGet, path, "")
		assert.Equal(t, want, status, path)
	}
	status, _ = d.call(t, adminauth.Operator, http.MethodPost, "/deliveries/retry", `{"rule_id":"99","state":"dead"}`)
	assert.Equal(t, http.StatusNotFound, status)
	_, chart := d.call(t, adminauth.Viewer, http.MethodGet, "/forward-rules/"+formatID(rule.ID)+"/stats", "")
	bars, _ := chart["items"].([]any)
	require.NotEmpty(t, bars)
	ok, failed := 0.0, 0.0
	for _, bar := range bars {
		b, _ := bar.(map[string]any)
		ok += b["delivered"].(float64)
		failed += b["failed"].(float64)
	}
	assert.InDelta(t, 5, ok, 0)
	assert.InDelta(t, 5, failed, 0)
}

func TestOverviewTellsHowEveryRuleDoes(t *testing.T) {
	t.Parallel()
	r := newReplica(t)
	d := r.desk(t)
	good, bad := newTarget(t, status(http.StatusOK)), newTarget(t, status(http.StatusGone))
	one, _ := r.to(t, good.URL)
	two, _ := r.to(t, bad.URL)
	three, _ := r.to(t, good.URL, func(c *Change) { c.AppIDs = &[]string{"nobody"} })
	r.start(t)
	for id := range int64(3) {
		r.store(t, text(id+1, "wx1"))
	}
	eventually(t, "all are tried", func() bool {
		var n int
		return r.pool.QueryRow(t.Context(), `SELECT count(*) FROM delivery_attempt`).Scan(&n) == nil && n == 6
	})
	// The next try of one is its last.
	_, err := r.pool.Exec(t.Context(), `UPDATE delivery SET tries = $1, next_at = now() WHERE rule_id = $2 AND message_id = 2`, maxTries()-1, two.ID)
	require.NoError(t, err)
	r.poke()
	eventually(t, "it is dead", func() bool { return r.count(t, stateDead) == 1 })

	status, answer := d.call(t, adminauth.Viewer, http.MethodGet, "/forward-rules/overview?hours=24", "")
	require.Equal(t, http.StatusOK, status, answer)
	assert.EqualValues(t, 3600, answer["step_seconds"])
	assert.EqualValues(t, countedTo, answer["counted_to"])
	type sums struct{ pending, dead, delivered, failed, died float64 }
	got := map[string]sums{}
	items, _ := answer["items"].([]any)
	for _, item := range items {
		i, _ := item.(map[string]any)
		s := sums{pending: i["pending"].(float64), dead: i["dead"].(float64)}
		for _, bar := range i["items"].([]any) {
			b, _ := bar.(map[string]any)
			s.delivered, s.failed, s.died = s.delivered+b["delivered"].(float64), s.failed+b["failed"].(float64), s.died+b["dead"].(float64)
		}
		id, _ := i["rule_id"].(string)
		got[id] = s
	}
	assert.Equal(t, map[string]sums{
		formatID(one.ID):   {delivered: 3},
		formatID(two.ID):   {pending: 2, dead: 1, failed: 4, died: 1},
		formatID(three.ID): {},
	}, got)
}

func TestChartsHaveRoundSteps(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		length time.Duration
		bars   int
		want   time.Duration
	}{
		{time.Hour, 96, 5 * time.Minute},
		{24 * time.Hour, 96, 15 * time.Minute},
		{7 * 24 * time.Hour, 96, 2 * time.Hour},
		{30 * 24 * time.Hour, 96, 8 * time.Hour},
		{24 * time.Hour, 24, time.Hour},
		{30 * 24 * time.Hour, 24, 24 * time.Hour},
	} {
		assert.Equal(t, tc.want, niceStep(tc.length, tc.bars), "%s in %d", tc.length, tc.bars)
	}
}

// TestEchoedSecretsAreNotKept: a target that answers with what it was sent shows no ticket and no code to anybody.
func TestEchoedSecretsAreNotKept(t *testing.T) {
	t.Parallel()
	r := newReplica(t)
	d := r.desk(t)
	shop := newTarget(t, status(http.StatusOK))
	shop.answer(func(w http.ResponseWriter, _ *http.Request) {
		calls := shop.calls()
		body := calls[len(calls)-1].body
		w.WriteHeader(http.StatusBadGateway)
		_, _ = io.WriteString(w, body[:len(body)/2]+html.EscapeString(body)+url.QueryEscape(body))
	})
	r.to(t, shop.URL, func(c *Change) { c.Channel = new(component.ChannelComponent) })
	r.start(t)
	for id, m := range []component.Message{
		{InfoType: "component_verify_ticket", Body: []byte(`<xml><InfoType>component_verify_ticket</InfoType><ComponentVerifyTicket>tic/ket@@@4711</ComponentVerifyTicket></xml>`)},
		{InfoType: "authorized", Body: []byte(`{"InfoType":"authorized","AuthorizationCode":"code@@@4711","PreAuthCode":"pre@@@4711"}`)},
		{InfoType: "unauthorized", Body: []byte(`<xml><InfoType>unauthorized</InfoType><AuthorizerAppid>wx1</AuthorizerAppid></xml>`)},
	} {
		m.ID, m.Channel, m.AppID = int64(id+1), component.ChannelComponent, "wx1"
		r.store(t, m)
		eventually(t, "it is tried", func() bool {
			var n int
			return r.pool.QueryRow(t.Context(), `SELECT count(*) FROM delivery_attempt`).Scan(&n) == nil && n == id+1
		})
	}
	var stored string
	require.NoError(t, r.pool.QueryRow(t.Context(), `SELECT string_agg(response, ' ') FROM delivery_attempt`).Scan(&stored))
	status, shown := d.call(t, adminauth.Viewer, http.MethodGet, "/deliveries", "")
	require.Equal(t, http.StatusOK, status)
	for _, text := range []string{stored, fmt.Sprint(shown)} {
		assert.NotContains(t, text, "4711")
		assert.NotContains(t, text, "ket@")
		assert.NotContains(t, text, "code@")
		assert.Contains(t, text, "***", "that there was an answer is told")
		assert.Contains(t, text, "AuthorizerAppid", "the answer to a message without secrets is")
	}
}
