package codesubmit

import (
	"bytes"
	"context"
	"encoding/csv"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/wxsteward/wxsteward/authorize"
	"github.com/wxsteward/wxsteward/internal/wechat/wechatfake"
)

// liveCounts is how many merchants the record has at each version, in the order told.
func (e *shops) liveCounts() (list []string) {
	e.T.Helper()
	items, _ := e.do(http.MethodGet, "/live-versions", nil)["items"].([]any)
	for _, item := range items {
		item, _ := item.(map[string]any)
		list = append(list, fmt.Sprintf("%v/%v:%v", item["user_version"], item["template_id"], item["merchants"]))
	}
	return list
}

func TestLiveVersionsFollowReleasesAndTheConsole(t *testing.T) {
	t.Parallel()
	e := newShops(t, shop, second, third)
	require.Equal(t, []string{"/<nil>:3"}, e.liveCounts())
	e.released("2.10.0", shop)
	e.released("2.9.0", second)
	require.Equal(t, []string{fmt.Sprintf("2.10.0/%d:1", e.template), fmt.Sprintf("2.9.0/%d:1", e.template), "/<nil>:1"}, e.liveCounts())
	targets := func(body map[string]any) (float64, string) {
		out := e.do(http.MethodPost, "/rollouts/targets", body)
		total, _ := out["total"].(float64)
		sample, _ := out["sample"].([]any)
		first := ""
		if len(sample) > 0 {
			first, _ = sample[0].(map[string]any)["appid"].(string)
		}
		return total, first
	}
	total, first := targets(map[string]any{"below_version": "2.10"})
	require.InDelta(t, 1, total, 0, "2.9 is below 2.10; of the third nothing is known")
	require.Equal(t, second, first)
	total, _ = targets(map[string]any{"appids": []string{shop, third}, "below_version": "3"})
	require.InDelta(t, 1, total, 0, "of those named")
	total, _ = targets(map[string]any{"all": true})
	require.InDelta(t, 3, total, 0)

	// Somebody releases in WeChat's console.
	e.live(third, "1.0.0")
	e.live(shop, "2.8.0")
	e.Pass(liveAge + time.Minute)
	e.Fake.PushTicket()
	e.Until("the record is up to date", func() bool {
		return e.service.readLive(t.Context()) == nil && slices.Equal(e.liveCounts(), []string{fmt.Sprintf("2.9.0/%d:1", e.template), "2.8.0/<nil>:1", "1.0.0/<nil>:1"})
	})
	out := e.do(http.MethodGet, "/live-versions/authorizers?user_version=2.8.0", nil)
	item, _ := out["items"].([]any)[0].(map[string]any)
	require.Equal(t, shop, item["appid"])
	require.NotNil(t, item["released_at"])

	// A rollout is for exactly those, and one that is released is none of them any more.
	id := e.roll("2.9.0", map[string]any{"targets": map[string]any{"below_version": "2.9"}})
	require.InDelta(t, 2, e.do(http.MethodGet, "/rollouts/"+id, nil)["total"], 0)
	e.approve(shop, third)
	e.until(shop, "released")
	e.until(third, "released")
	total, _ = targets(map[string]any{"below_version": "2.9"})
	require.Zero(t, total)
	status, _ := e.API(http.MethodPost, "/rollouts", e.body(map[string]any{"targets": map[string]any{"below_version": "2.9"}}))
	require.Equal(t, http.StatusUnprocessableEntity, status)

	// Who withdraws is counted no more, and comes back with what it had.
	require.NoError(t, e.Fake.Revoke(second))
	e.Until("withdrawn", func() bool { return len(e.liveCounts()) == 1 && strings.HasSuffix(e.liveCounts()[0], ":2") })
}

func TestWhatWeChatSaidEarlierDoesNotUndoARelease(t *testing.T) {
	t.Parallel()
	e := newShops(t, shop)
	asked := e.Now()
	e.released("2.3.0", shop)
	e.service.sawLive(t.Context(), shop, nil, asked) // an answer that was long on its way
	require.Equal(t, []string{fmt.Sprintf("2.3.0/%d:1", e.template)}, e.liveCounts())
	require.NoError(t, e.Merchants.NoteLive(t.Context(), e.Pool, shop, authorize.LiveVersion{UserVersion: "2.3.0"}, e.Now().Add(2*time.Hour)))
	require.Equal(t, []string{fmt.Sprintf("2.3.0/%d:1", e.template)}, e.liveCounts(), "seen again, it is still made of our template")
}

func TestTargetsThatCannotBe(t *testing.T) {
	t.Parallel()
	e := newShops(t, shop)
	out := e.do(http.MethodPost, "/rollouts/targets", map[string]any{})
	require.InDelta(t, 0, out["total"], 0, "nobody is named yet")
	out = e.do(http.MethodPost, "/rollouts/targets", map[string]any{"appids": []string{shop, "wxnobody"}, "labels": []string{"no such"}, "all": true})
	require.InDelta(t, 1, out["total"], 0, "each once")
	require.Equal(t, []any{"wxnobody"}, out["unknown"])
	for name, targets := range map[string]map[string]any{
		"nobody":                  {},
		"a blank version":         {"below_version": "  "},
		"a merchant that is none": {"appids": []string{"wxnobody"}},
		"one that is none below":  {"appids": []string{shop, "wxnobody"}, "below_version": "9"},
		"a version too long":      {"below_version": strings.Repeat("1", 65)},
	} {
		status, out := e.API(http.MethodPost, "/rollouts", e.body(map[string]any{"targets": targets}))
		require.Equal(t, http.StatusUnprocessableEntity, status, "%s: %v", name, out)
	}
}

func TestPreviewBesideTheLastExtJSON(t *testing.T) {
	t.Parallel()
	e := newShops(t, shop)
	e.do(http.MethodPatch, "/authorizers/"+shop, map[string]any{"biz_ids": []string{"b1"}, "ext": map[string]any{"color": "red"}})
	ext := map[string]any{"ext_json": map[string]any{"extAppid": "{{appid}}", "ext": map[string]any{"shop": "{{biz_id}}", "color": "blue"}}}
	show := func(change map[string]any) map[string]any {
		body := e.body(change, shop)
		body["appid"] = shop
		return e.do(http.MethodPost, "/rollouts/preview", body)
	}
	out := show(ext)
	require.JSONEq(t, `{"extAppid":"`+shop+`","ext":{"shop":"b1","color":"red"}}`, out["ext_json"].(string))
	require.Nil(t, out["last_ext_json"])
	require.Empty(t, out["problems"])

	e.fail(wechatfake.Fault{Path: "/wxa/commit", Mode: wechatfake.FaultCutAfter}) // what was committed is known though its answer is lost
	e.roll("2.3.0", ext, shop)
	e.approve(shop)
	e.until(shop, "released")
	e.roll("2.4.0", map[string]any{"ext_json": map[string]any{"ext": map[string]any{"trial": true}}, "audit": map[string]any{"submit": "manual"}}, shop)
	e.until(shop, "trial")
	out = show(nil)
	require.JSONEq(t, `{"ext":{"color":"red"}}`, out["ext_json"].(string))
	require.JSONEq(t, `{"extAppid":"`+shop+`","ext":{"shop":"b1","color":"red"}}`, out["last_ext_json"].(string), "what users have, not the trial")
	require.Equal(t, "2.3.0", out["last_user_version"])

	out = show(map[string]any{"ext_json": map[string]any{"extAppid": "wxother", "ext": map[string]any{"l": "{{label}}"}}})
	require.Empty(t, out["ext_json"])
	require.Equal(t, "ext_json_invalid", out["problems"].([]any)[0].(map[string]any)["code"])
	body := e.body(map[string]any{"ext_json": map[string]any{"a": "{{nonsense}}"}}, shop)
	body["appid"] = shop
	status, _ := e.API(http.MethodPost, "/rollouts/preview", body)
	require.Equal(t, http.StatusUnprocessableEntity, status)
	body["appid"] = "wxnobody"
	status, _ = e.API(http.MethodPost, "/rollouts/preview", body)
	require.Equal(t, http.StatusUnprocessableEntity, status)
}

func TestProfilesAreCopied(t *testing.T) {
	t.Parallel()
	e := newShops(t, shop)
	domains := map[string]any{"request": []string{"https://api.a.com"}, "webview": []string{"https://m.a.com"}}
	made := e.do(http.MethodPost, "/domain-profiles", map[string]any{"name": " standard ", "domains": domains})
	require.Equal(t, "standard", made["name"])
	status, out := e.API(http.MethodPost, "/domain-profiles", map[string]any{"name": "standard", "domains": domains})
	require.Equal(t, http.StatusConflict, status, out)
	other := e.do(http.MethodPost, "/domain-profiles", map[string]any{"name": "other", "domains": map[string]any{}})
	status, out = e.API(http.MethodPatch, "/domain-profiles/"+other["id"].(string), map[string]any{"name": "standard"})
	require.Equal(t, http.StatusConflict, status, out)
	status, out = e.API(http.MethodPost, "/domain-profiles", map[string]any{"name": "wrong", "domains": map[string]any{"request": []string{"api.a.com"}}})
	require.Equal(t, http.StatusUnprocessableEntity, status, out)
	require.Equal(t, "body.domains.request", out["errors"].([]any)[0].(map[string]any)["location"])

	rollout := e.roll("2.3.0", map[string]any{"domains": made["domains"], "start_at": e.Now().Add(time.Hour)}, shop)
	e.do(http.MethodPatch, "/domain-profiles/"+made["id"].(string), map[string]any{"domains": map[string]any{"request": []string{"https://new.a.com"}}})
	list := e.do(http.MethodGet, "/domain-profiles?limit=1", nil)
	require.InDelta(t, 2, list["total"], 0)
	require.Equal(t, "other", list["items"].([]any)[0].(map[string]any)["name"], "by name")
	list = e.do(http.MethodGet, "/domain-profiles?cursor="+list["next_cursor"].(string), nil)
	require.Equal(t, []any{"https://new.a.com"}, list["items"].([]any)[0].(map[string]any)["domains"].(map[string]any)["request"])
	spec, _ := e.do(http.MethodGet, "/rollouts/"+rollout, nil)["spec"].(map[string]any)
	require.Equal(t, []any{"https://api.a.com"}, spec["domains"].(map[string]any)["request"], "a rollout keeps its copy")

	privacy := map[string]any{"owner_setting": map[string]any{"contact_email": "a@b.c", "notice_method": "弹窗"}, "setting_list": []any{map[string]any{"privacy_key": "UserInfo", "privacy_text": "x"}}}
	made = e.do(http.MethodPost, "/privacy-profiles", map[string]any{"name": "standard", "privacy": privacy})
	status, _ = e.API(http.MethodPatch, "/domain-profiles/"+made["id"].(string), map[string]any{"name": "x"})
	require.Equal(t, http.StatusNotFound, status, "of the other kind")
	status, _ = e.API(http.MethodPost, "/privacy-profiles", map[string]any{"name": "none", "privacy": map[string]any{"owner_setting": map[string]any{}}})
	require.Equal(t, http.StatusUnprocessableEntity, status)
	status, _, _ = e.Raw(http.MethodDelete, "/privacy-profiles/"+made["id"].(string), nil)
	require.Equal(t, http.StatusNoContent, status)
	status, _, _ = e.Raw(http.MethodDelete, "/privacy-profiles/"+made["id"].(string), nil)
	require.Equal(t, http.StatusNotFound, status)
}

func TestSubmissionsAsCSV(t *testing.T) {
	t.Parallel()
	e := newShops(t, shop, second)
	e.StopJobs()
	id := e.roll("=2+3", nil, shop, second)
	// More merchants than a page holds.
	_, err := e.Pool.Exec(t.Context(), `INSERT INTO authorizer (appid, kind, status, nick_name) SELECT 'wxmany' || n, 'miniprogram', 'authorized', '@SUM(A' || n || ')' FROM generate_series(1, 1200) n`)
	require.NoError(t, err)
	_, err = e.Pool.Exec(t.Context(), `INSERT INTO submission (rollout_id, appid, state, template_id, user_version, marker, reason, finished_at)
		SELECT $1, 'wxmany' || n, 'rejected', 0, '2.3.0', 'm' || n, E'a "quoted"\nreason, 中文', now() FROM generate_series(1, 1200) n`, id)
	require.NoError(t, err)
	status, header, text := e.Raw(http.MethodGet, "/rollouts/"+id+"/submissions.csv", nil)
	require.Equal(t, http.StatusOK, status)
	require.Equal(t, "text/csv; charset=utf-8", header.Get("Content-Type"))
	require.Contains(t, header.Get("Content-Disposition"), "attachment")
	rest, ok := bytes.CutPrefix(text, []byte("\xef\xbb\xbf"))
	require.True(t, ok, "Excel wants a byte order mark")
	rows, err := csv.NewReader(bytes.NewReader(rest)).ReadAll()
	require.NoError(t, err)
	require.Len(t, rows, 1+1202)
	seen := map[string]bool{}
	for _, row := range rows[1:] {
		require.False(t, seen[row[1]], "each merchant once")
		seen[row[1]] = true
		for _, cell := range row {
			require.NotContains(t, "=+-@", (cell + " ")[:1], "no formula: %s", cell)
		}
	}
	require.Equal(t, "a \"quoted\"\nreason, 中文", rows[1][7])
	require.Equal(t, "'=2+3", rows[len(rows)-1][5])
	status, _, _ = e.Raw(http.MethodGet, "/rollouts/999/submissions.csv", nil)
	require.Equal(t, http.StatusNotFound, status)

	// When the database goes away half way the file is cut, not ended.
	x, err := e.service.exportSubmissions(t.Context(), 1, "en")
	require.NoError(t, err)
	ctx, cancel := context.WithCancel(t.Context())
	require.Error(t, x.write(ctx, io.Discard, func() error { cancel(); return nil }))
}

func TestScheduledRolloutMayBeChangedUntilItStarts(t *testing.T) {
	t.Parallel()
	e := newShops(t, shop)
	later := e.Now().Add(time.Hour)
	id := e.roll("2.3.0", map[string]any{"start_at": later}, shop)
	path := "/rollouts/" + id
	e.do(http.MethodPost, path+"/pause", nil)
	out := e.do(http.MethodPatch, path, map[string]any{"name": "later", "start_at": later.Add(time.Hour), "strategy": map[string]any{"batch_size": 5}})
	require.Equal(t, "later", out["name"])
	require.Equal(t, "paused", out["state"])
	require.InDelta(t, 5, out["spec"].(map[string]any)["strategy"].(map[string]any)["batch_size"], 0)
	require.Equal(t, "scheduled", e.do(http.MethodPost, path+"/resume", nil)["state"])
	e.do(http.MethodPatch, path, map[string]any{"start_at": e.Now().Add(-time.Second)})
	e.until(shop, "auditing") // a time that has passed is now
	status, out := e.API(http.MethodPatch, path, map[string]any{"start_at": later})
	require.Equal(t, http.StatusConflict, status, out)
	for name, change := range map[string]map[string]any{
		"a window that is none":   {"release": map[string]any{"window": "at night"}},
		"gray that does not grow": {"release": map[string]any{"gray": []int{50, 10}}},
		"no percentage":           {"strategy": map[string]any{"max_failed_percent": 101}},
	} {
		status, out = e.API(http.MethodPatch, path, change)
		require.Equal(t, http.StatusUnprocessableEntity, status, "%s: %v", name, out)
	}
	e.do(http.MethodPatch, path, map[string]any{"release": map[string]any{"mode": "manual"}})
	require.NoError(t, e.Fake.Approve(shop))
	e.until(shop, "approved")
	e.do(http.MethodPatch, path, map[string]any{"release": map[string]any{"mode": "auto"}})
	e.until(shop, "released") // at once
}

// TestScheduledRolloutThatEndsBeforeItsStart: it is over then, and a retry waits for the start like all others.
func TestScheduledRolloutThatEndsBeforeItsStart(t *testing.T) {
	t.Parallel()
	e := newShops(t, shop, second)
	e.StopJobs()
	id := e.roll("2.3.0", map[string]any{"start_at": e.Now().Add(time.Hour)}, shop, second)
	for _, appid := range []string{shop, second} {
		require.Equal(t, "scheduled", e.rollout(id)["state"])
		e.do(http.MethodPost, "/submissions/"+e.submissionID(appid)+"/cancel", nil)
	}
	require.Equal(t, "completed", e.rollout(id)["state"])
	e.do(http.MethodPost, "/submissions/"+e.submissionID(shop)+"/retry", nil)
	require.Equal(t, "scheduled", e.rollout(id)["state"])
	e.tick()
	require.Equal(t, "preflight", e.submission(shop)["state"])
	require.Zero(t, e.Fake.Effective("/wxa/commit", shop), "its time has not come")

	e.Pass(time.Hour)
	jobs := e.Count(`SELECT count(*) FROM river_job WHERE kind = 'submission_advance'`)
	_, err := e.service.GiveTurns(t.Context(), int64(e.Count(`SELECT max(id) FROM rollout`)), 1)
	require.NoError(t, err)
	require.Equal(t, jobs+1, e.Count(`SELECT count(*) FROM river_job WHERE kind = 'submission_advance'`), "the start wakes it")
	e.tick()
	require.Equal(t, "auditing", e.submission(shop)["state"])
	require.Equal(t, "running", e.rollout(id)["state"])
	e.do(http.MethodPost, "/submissions/"+e.submissionID(shop)+"/cancel", nil)
	require.Equal(t, "completed", e.rollout(id)["state"])
}

func TestViewersMayAskAndChangeNothing(t *testing.T) {
	t.Parallel()
	e := newShops(t, shop)
	key, _ := e.do(http.MethodPost, "/api-keys", map[string]any{"name": "board", "role": "viewer"})["key"].(string)
	call := func(method, path string, body map[string]any) int {
		t.Helper()
		text, err := json.Marshal(body)
		require.NoError(t, err)
		r, err := http.NewRequestWithContext(t.Context(), method, e.URL+"/api/v1"+path, bytes.NewReader(text))
		require.NoError(t, err)
		r.Header.Set("Authorization", "Bearer "+key)
		r.Header.Set("Content-Type", "application/json")
		res, err := http.DefaultClient.Do(r)
		require.NoError(t, err)
		require.NoError(t, res.Body.Close())
		return res.StatusCode
	}
	preview := e.body(nil, shop)
	preview["appid"] = shop
	require.Equal(t, http.StatusOK, call(http.MethodPost, "/rollouts/targets", map[string]any{"all": true}))
	require.Equal(t, http.StatusOK, call(http.MethodPost, "/rollouts/preview", preview))
	require.Zero(t, e.Count(`SELECT count(*) FROM audit_log WHERE path LIKE '%/targets' OR path LIKE '%/preview'`), "questions that a form asks at every key are no deeds")
	require.Equal(t, http.StatusOK, call(http.MethodPost, "/rollouts/preflight", e.body(nil, shop)))
	require.Equal(t, http.StatusCreated, call(http.MethodPost, "/preflights", e.body(nil, shop)))
	require.Equal(t, 2, e.Count(`SELECT count(*) FROM audit_log WHERE path LIKE '%/preflight%'`), "they cost calls to WeChat")
	for path, body := range map[string]map[string]any{
		"/rollouts": e.body(nil, shop), "/templates": {"draft_id": 0}, "/domain-profiles": {"name": "a", "domains": map[string]any{}},
		"/privacy-profiles": {"name": "a", "privacy": map[string]any{"owner_setting": map[string]any{}}},
	} {
		require.Equal(t, http.StatusForbidden, call(http.MethodPost, path, body), path)
	}
}
