package codesubmit

import (
	"net/http"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/wxsteward/wxsteward/internal/wechat/wechatfake"
)

// lookedBack waits for the end of a preflight of a rollback.
func (e *shops) lookedBack(rollout string) map[string]any {
	e.T.Helper()
	made := e.do(http.MethodPost, "/rollouts/"+rollout+"/rollback/preflights", nil)
	var run map[string]any
	e.Until("the preflight is done", func() bool {
		run = e.do(http.MethodGet, "/preflights/"+made["id"].(string), nil)
		return run["state"] == "done"
	})
	return run
}

// TestPreflightOfARollbackInTheBackground: its findings are kept for a while, and the rollback takes those that can go back.
func TestPreflightOfARollbackInTheBackground(t *testing.T) {
	t.Parallel()
	all := manyShops(20)
	e := newShops(t, all...)
	for _, appid := range all[1:] {
		e.live(appid, "1.0.0")
	}
	rollout := e.released("2.3.0", all...)
	e.live(all[2], "9.9.9") // by hand, after us
	e.fail(wechatfake.Fault{Path: "/wxa/getversioninfo", AppID: all[3], Mode: wechatfake.FaultCutBefore, Times: 2})
	run := e.lookedBack(rollout)
	require.InDelta(t, 20, run["total"], 0)
	require.InDelta(t, 18, run["ready"], 0)
	require.Equal(t, map[string]any{"no_earlier_version": 1.0, "not_live": 1.0}, run["codes"])
	list := e.do(http.MethodGet, "/preflights/"+run["id"].(string)+"/items?limit=1&cursor=", nil)
	require.NotEmpty(t, list["next_cursor"])
	list = e.do(http.MethodGet, "/preflights/"+run["id"].(string)+"/items?limit=200", nil)
	last, _ := list["items"].([]any)[19].(map[string]any)
	way, _ := last["rollback"].(map[string]any)
	require.Equal(t, "2.3.0", way["from"])
	require.Equal(t, "1.0.0", way["to"])

	reads := len(e.Fake.Calls("/wxa/getversioninfo"))
	again := e.lookedBack(rollout)
	require.InDelta(t, 18, again["ready"], 0)
	require.LessOrEqual(t, len(e.Fake.Calls("/wxa/getversioninfo")), reads+2, "who was ready is not asked again, and knows the way")
	items := e.do(http.MethodGet, "/preflights/"+again["id"].(string)+"/items?limit=200", nil)
	require.Equal(t, list["items"].([]any)[19], items["items"].([]any)[19])

	status, _ := e.API(http.MethodPost, "/rollouts/"+e.roll("2.4.0", nil, all[0])+"/rollback", map[string]any{"preflight_id": run["id"]})
	require.Equal(t, http.StatusUnprocessableEntity, status, "it is about another rollout")
	back := e.do(http.MethodPost, "/rollouts/"+rollout+"/rollback", map[string]any{"preflight_id": again["id"]})
	require.InDelta(t, 18, back["total"], 0)
	e.counts(back["id"].(string), map[string]int{"released": 18})
	after := e.lookedBack(rollout)
	require.InDelta(t, 0, after["ready"], 0, "they have gone back since")
}

// TestPreflightOfALargeRollbackIsNotWaitedFor: the answer would come after whoever asks has gone.
func TestPreflightOfALargeRollbackIsNotWaitedFor(t *testing.T) {
	t.Parallel()
	e := newShops(t, shop)
	rollout := e.released("2.3.0", shop)
	_, err := e.Pool.Exec(t.Context(), `INSERT INTO authorizer (appid, kind, status) SELECT 'wxmany' || n, 'miniprogram', 'authorized' FROM generate_series(1, $1) n`, mostToWaitFor)
	require.NoError(t, err)
	_, err = e.Pool.Exec(t.Context(), `INSERT INTO submission (rollout_id, appid, state, template_id, user_version, marker, created_at, updated_at, finished_at)
		SELECT $1::bigint, 'wxmany' || n, 'released', 0, '2.3.0', 'wxs-' || n, now(), now(), now() FROM generate_series(1, $2) n`, rollout, mostToWaitFor)
	require.NoError(t, err)
	status, out := e.API(http.MethodPost, "/rollouts/"+rollout+"/rollback/preflight", nil)
	require.Equal(t, http.StatusConflict, status)
	require.Contains(t, out["detail"], "background")
	e.do(http.MethodPost, "/rollouts/"+rollout+"/rollback/preflights", nil)
}
