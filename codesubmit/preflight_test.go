package codesubmit

import (
	"bytes"
	"context"
	"encoding/json"
	"maps"
	"net/http"
	"net/http/httptest"
	"net/url"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/wxsteward/wxsteward/internal/wechat"
	"github.com/wxsteward/wxsteward/internal/wechat/wechatfake"
)

// body is what a rollout of the template wants.
func (e *shops) body(change map[string]any, appids ...string) map[string]any {
	body := map[string]any{
		"name": "autumn", "template_id": e.template, "user_version": "2.3.0", "user_desc": "autumn", "targets": map[string]any{"appids": appids},
	}
	maps.Copy(body, change)
	return body
}

// preflight runs one in the background to its end and tells the codes of each merchant's blockers.
func (e *shops) preflight(body map[string]any) (run map[string]any, codes map[string][]string) {
	e.T.Helper()
	status, run := e.API(http.MethodPost, "/preflights", body)
	require.Equal(e.T, http.StatusCreated, status, run)
	id, _ := run["id"].(string)
	e.Until("the preflight is done", func() bool {
		run = e.do(http.MethodGet, "/preflights/"+id, nil)
		return run["state"] == "done"
	})
	codes = map[string][]string{}
	for path := "/preflights/" + id + "/items?limit=2"; ; {
		page := e.do(http.MethodGet, path, nil)
		items, _ := page["items"].([]any)
		for _, item := range items {
			item, _ := item.(map[string]any)
			appid, _ := item["appid"].(string)
			require.Equal(e.T, "Shop "+appid, item["nick_name"])
			codes[appid] = codesOf(item)
		}
		next, _ := page["next_cursor"].(string)
		if next == "" {
			return run, codes
		}
		path = "/preflights/" + id + "/items?limit=2&cursor=" + url.QueryEscape(next)
	}
}

func codesOf(item map[string]any) []string {
	codes := []string{}
	list, _ := item["blockers"].([]any)
	for _, b := range list {
		b, _ := b.(map[string]any)
		code, _ := b["code"].(string)
		codes = append(codes, code)
	}
	return codes
}

func TestPreflightFindsEveryBlocker(t *testing.T) {
	t.Parallel()
	e := newShops(t, shop)
	const prefix = "wx0000000000000b"
	type blocked struct {
		appid, code string
		change      func(m *wechatfake.Merchant)
		then        func(appid string)
	}
	cases := []blocked{
		{prefix + "01", "icp_missing", func(m *wechatfake.Merchant) { m.ICPStatus = 1024 }, nil},
		{prefix + "02", "category_missing", func(m *wechatfake.Merchant) {
			m.Categories = []wechatfake.Category{{FirstID: 1, SecondID: 2, Status: 1}}
		}, nil},
		{prefix + "03", "not_initialised", func(m *wechatfake.Merchant) { m.Signature = "" }, nil},
		{prefix + "04", "scope_missing", func(m *wechatfake.Merchant) { m.Scopes = []int{17, 30} }, nil},
		{prefix + "05", "unauthorized", nil, func(appid string) {
			require.NoError(t, e.Fake.Revoke(appid))
			e.Until("withdrawn", func() bool {
				return e.Count(`SELECT count(*) FROM authorizer WHERE appid = $1 AND status = 'unauthorized'`, appid) == 1
			})
		}},
		{prefix + "06", "visit_closed", nil, func(appid string) {
			e.live(appid, "1.0.0")
			require.NoError(t, e.Merchants.API(appid).SetVisitStatus(context.Background(), false))
		}},
		{prefix + "07", "audit_running", nil, func(appid string) {
			api := e.Merchants.API(appid)
			require.NoError(t, api.Commit(context.Background(), wechat.CommitRequest{TemplateID: e.template, ExtJSON: "{}", UserVersion: "1.9", UserDesc: "another program's"}))
			_, err := api.SubmitAudit(context.Background(), wechat.SubmitAuditRequest{})
			require.NoError(t, err)
		}},
		{prefix + "08", "not_miniprogram", func(m *wechatfake.Merchant) { m.Kind = wechatfake.Official }, nil},
		{prefix + "09", "ext_json_invalid", nil, nil},
	}
	appids := []string{shop}
	want := map[string][]string{shop: {}}
	for _, c := range cases {
		m := wechatfake.Merchant{AppID: c.appid, NickName: "Shop " + c.appid, Signature: "A shop."}
		if c.change != nil {
			c.change(&m)
		}
		e.Merchant(m)
		if c.then != nil {
			c.then(c.appid)
		}
		appids = append(appids, c.appid)
		want[c.appid] = []string{c.code}
	}
	e.do(http.MethodPatch, "/authorizers/"+prefix+"09", map[string]any{"ext": map[string]any{"note": "fine"}})
	for _, appid := range appids {
		if appid != prefix+"09" {
			e.do(http.MethodPatch, "/authorizers/"+appid, map[string]any{"biz_ids": []string{"b-" + appid}})
		}
	}
	e.Fake.ClearCalls()
	run, codes := e.preflight(e.body(map[string]any{"ext_json": map[string]any{"ext": map[string]any{"shop": "{{biz_id}}"}}}, appids...))
	require.Equal(t, want, codes)
	require.EqualValues(t, len(appids), run["total"])
	require.EqualValues(t, len(appids), run["done"])
	require.EqualValues(t, 1, run["ready"])
	require.EqualValues(t, len(cases), run["blocked"])
	require.EqualValues(t, 1, run["codes"].(map[string]any)["icp_missing"])
	require.NotNil(t, run["quota"])
	for _, call := range e.Fake.Calls("") {
		require.NotContains(t, []string{"/wxa/commit", "/wxa/submit_audit", "/wxa/release", "/wxa/modify_domain"}, call.Path, "preflight changes nothing")
	}
	id, _ := run["id"].(string)
	page := e.do(http.MethodGet, "/preflights/"+id+"/items?blocked=true&limit=200", nil)
	require.Len(t, page["items"], len(cases))
	require.EqualValues(t, len(cases), page["total"])
}

func TestPreflightNamesWhatIsMissing(t *testing.T) {
	t.Parallel()
	e := newShops(t, shop)
	require.NoError(t, e.Fake.ChangeMerchant(shop, func(m *wechatfake.Merchant) { m.PrivacyKeys = []string{"PhoneNumber"} }))
	e.roll("2.2.0", map[string]any{"audit": map[string]any{"submit": "manual"}}, shop)
	e.until(shop, "blocked") // the privacy text is missing, and the code is committed now
	e.Fake.Set(func(s *wechatfake.Settings) { s.AuditRest = 0 })
	e.Pass(2 * time.Minute) // the quota is read again

	status, out := e.API(http.MethodPost, "/rollouts/preflight", e.body(map[string]any{"domains": map[string]any{
		"request": []string{"https://API.a.com", "https://new.a.com"}, "ws_request": []string{"wss://new.a.com"}, "webview": []string{"https://deep.m.a.com", "https://w.b.com"},
	}}, shop))
	require.Equal(t, http.StatusOK, status, out)
	require.Empty(t, out["ready"])
	item, _ := out["blocked"].([]any)[0].(map[string]any)
	require.Equal(t, []string{"quota_exhausted", "domain_not_on_platform", "domain_not_on_platform", "privacy_missing"}, codesOf(item))
	list, _ := item["blockers"].([]any)
	names := func(i int) (kind, names any) {
		b, _ := list[i].(map[string]any)
		return b["kind"], b["names"]
	}
	kind, missing := names(1)
	require.Equal(t, "server", kind)
	require.Equal(t, []any{"new.a.com"}, missing, "each name once, whatever the case of letters")
	kind, missing = names(2)
	require.Equal(t, "webview", kind)
	require.Equal(t, []any{"w.b.com"}, missing, "a subdomain of a platform domain will do")
	_, missing = names(3)
	require.Equal(t, []any{"PhoneNumber"}, missing)
}

func TestPreflightIsCachedByMerchantAndContent(t *testing.T) {
	t.Parallel()
	e := newShops(t, shop, second)
	const asked = "/wxa/icp/get_icp_entrance_info"
	calls := func(body map[string]any) int {
		e.Fake.ClearCalls()
		e.preflight(body)
		return len(e.Fake.Calls(asked))
	}
	require.Equal(t, 2, calls(e.body(nil, shop, second)))
	require.Zero(t, calls(e.body(nil, shop, second)), "the same again")
	e.Fake.ClearCalls()
	e.do(http.MethodPost, "/rollouts/preflight", e.body(map[string]any{"name": "other"}, shop))
	require.Empty(t, e.Fake.Calls(asked), "waiting for it makes no difference, nor does the name")
	require.Equal(t, 2, calls(e.body(map[string]any{"ext_json": map[string]any{"ext": map[string]any{"a": 1}}}, shop, second)), "another content")
	e.do(http.MethodPatch, "/authorizers/"+shop, map[string]any{"labels": []string{"vip"}})
	require.Equal(t, 1, calls(e.body(nil, shop, second)), "one merchant has changed")
	e.Pass(preflightFresh + time.Second)
	require.Equal(t, 2, calls(e.body(nil, shop, second)), "too old")
}

func TestPreflightLooksAnewAtWhoWasBlocked(t *testing.T) {
	t.Parallel()
	e := newShops(t, shop, second)
	body := e.body(map[string]any{"domains": map[string]any{"request": []string{"https://late.a.com"}}}, shop, second)
	_, codes := e.preflight(body)
	require.Equal(t, map[string][]string{shop: {"domain_not_on_platform"}, second: {"domain_not_on_platform"}}, codes)
	e.Fake.SetPlatformDomains([]string{"api.a.com", "late.a.com"}, []string{"m.a.com"})
	run, _ := e.preflight(body)
	require.EqualValues(t, 2, run["ready"], "what was mended is seen at once")
}

func TestPreflightTellsWhatItCouldNotFindOut(t *testing.T) {
	t.Parallel()
	e := newShops(t, shop, second)
	e.fail(wechatfake.Fault{Path: "/wxa/get_latest_auditstatus", AppID: second, Mode: wechatfake.FaultErrcode, Code: 61007, Times: -1})
	run, codes := e.preflight(e.body(nil, shop, second))
	require.Equal(t, map[string][]string{shop: {}, second: {"scope_missing"}}, codes, "one merchant's trouble does not hide the others")
	require.EqualValues(t, 1, run["ready"])
	e.Fake.ClearFaults()
	_, codes = e.preflight(e.body(nil, shop, second))
	require.Empty(t, codes[second], "what could not be found out is asked again")
}

func TestPreflightWaitsForWeChat(t *testing.T) {
	t.Parallel()
	e := newShops(t, shop, second)
	e.StopJobs()
	p, err := e.service.StartPreflight(t.Context(), Spec{TemplateID: e.template, UserVersion: "2.3.0", Targets: Targets{All: true}})
	require.NoError(t, err)
	e.fail(wechatfake.Fault{Path: "/wxa/icp/get_icp_entrance_info", Mode: wechatfake.FaultErrcode, Code: 45011, Times: 2})
	rest, err := e.service.workPreflight(t.Context(), p.ID)
	require.NoError(t, err)
	require.Positive(t, rest, "WeChat asked for a pause")
	now, err := e.service.Preflight(t.Context(), p.ID)
	require.NoError(t, err)
	require.Equal(t, "running", now.State)
	require.Zero(t, now.Done)
	rest, err = e.service.workPreflight(t.Context(), p.ID)
	require.NoError(t, err)
	require.Zero(t, rest)
	now, err = e.service.Preflight(t.Context(), p.ID)
	require.NoError(t, err)
	require.Equal(t, 2, now.Ready, now.Codes)

	// For ever it does not wait.
	e.fail(wechatfake.Fault{Path: "/wxa/icp/get_icp_entrance_info", Mode: wechatfake.FaultCutBefore, Times: -1})
	p, err = e.service.StartPreflight(t.Context(), Spec{TemplateID: e.template, UserVersion: "2.4.0", UserDesc: "x", ExtJSON: []byte(`{"ext":{}}`), Targets: Targets{All: true}})
	require.NoError(t, err)
	for range preflightTries {
		_, err = e.service.workPreflight(t.Context(), p.ID)
		require.NoError(t, err)
	}
	now, err = e.service.Preflight(t.Context(), p.ID)
	require.NoError(t, err)
	require.Equal(t, "done", now.State)
	require.Equal(t, map[string]int{"wechat_unavailable": 2}, now.Codes)
}

func TestPreflightGoesOnInAnotherProcess(t *testing.T) {
	t.Parallel()
	appids := make([]string, preflightPage+3)
	for i := range appids {
		appids[i] = "wx0000000000000c" + string(rune('a'+i))
	}
	e := newShops(t, appids...)
	e.StopJobs()
	p, err := e.service.StartPreflight(t.Context(), Spec{TemplateID: e.template, UserVersion: "2.3.0", Targets: Targets{AppIDs: appids}})
	require.NoError(t, err)
	more, err := e.service.preflightPage(t.Context(), p, &shared{}, preflightTries)
	require.NoError(t, err)
	require.True(t, more)
	canceled, cancel := context.WithCancel(t.Context())
	cancel()
	_, err = e.service.preflightPage(canceled, p, &shared{}, preflightTries)
	require.ErrorIs(t, err, context.Canceled, "a process that stops writes nothing down")
	_, err = e.service.workPreflight(t.Context(), p.ID)
	require.NoError(t, err)
	now, err := e.service.Preflight(t.Context(), p.ID)
	require.NoError(t, err)
	require.Equal(t, []any{"done", len(appids), len(appids)}, []any{now.State, now.Done, now.Ready}, "each is counted once: %v", now.Codes)
	e.Pass(preflightKept + time.Hour)
	require.NoError(t, e.service.purgePreflights(t.Context()))
	status, _ := e.API(http.MethodGet, "/preflights/1", nil)
	require.Equal(t, http.StatusNotFound, status)
}

func TestPagesOfATemplateAreComparedOnceAMerchantShowedThem(t *testing.T) {
	t.Parallel()
	e := newShops(t, shop, second)
	ext := map[string]any{"ext_json": map[string]any{"pages": []string{"pages/gone/gone"}}}
	_, codes := e.preflight(e.body(ext, second))
	require.Empty(t, codes[second], "nobody knows the template's pages yet")
	e.roll("2.2.0", map[string]any{"audit": map[string]any{"submit": "manual"}}, shop)
	e.until(shop, "trial")
	_, codes = e.preflight(e.body(map[string]any{"ext_json": map[string]any{"pages": []string{"pages/gone/gone"}, "ext": map[string]any{}}}, second))
	require.Equal(t, []string{"ext_json_invalid"}, codes[second])
	e.roll("2.3.0", ext, second)
	require.Equal(t, "ext_json_invalid", e.until(second, "blocked")["error"].(map[string]any)["code"], "the rollout is stopped before anything is changed")
	require.Zero(t, e.Fake.Effective("/wxa/commit", second))
}

// TestPreflightThatTakesLongIsAnswered: the server cuts answers that come late, but not this one.
func TestPreflightThatTakesLongIsAnswered(t *testing.T) {
	t.Parallel()
	const patience = 100 * time.Millisecond
	e := newShops(t, shop)
	key, _ := e.do(http.MethodPost, "/api-keys", map[string]any{"name": "pipeline", "role": "viewer"})["key"].(string)
	impatient := httptest.NewUnstartedServer(e.Server.Echo())
	impatient.Config.WriteTimeout = patience
	impatient.Start()
	defer impatient.Close()
	e.Fake.Set(func(s *wechatfake.Settings) {
		s.Latency = map[string]wechatfake.Duration{latestAudit: wechatfake.Duration(3 * patience)}
	})
	text, err := json.Marshal(e.body(nil, shop))
	require.NoError(t, err)
	r, err := http.NewRequestWithContext(t.Context(), http.MethodPost, impatient.URL+"/api/v1/rollouts/preflight", bytes.NewReader(text))
	require.NoError(t, err)
	r.Header.Set("Authorization", "Bearer "+key)
	r.Header.Set("Content-Type", "application/json")
	res, err := http.DefaultClient.Do(r)
	require.NoError(t, err)
	var out struct{ Ready []string }
	require.NoError(t, json.NewDecoder(res.Body).Decode(&out))
	require.NoError(t, res.Body.Close())
	require.Equal(t, []string{shop}, out.Ready)
}
