package codesubmit

import (
	"net/http"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/wxsteward/wxsteward/internal/wechat/wechatfake"
)

const (
	second = "wx00000000000000a2"
	third  = "wx00000000000000a3"
	fourth = "wx00000000000000a4"
)

func TestRollingBackARollout(t *testing.T) {
	t.Parallel()
	e := newShops(t, shop, second, third, fourth)
	for _, appid := range []string{shop, second, third} {
		e.live(appid, "1.0.0")
	}
	rollout := e.released("2.3.0", shop, second, third, fourth)
	e.live(second, "9.9.9") // by hand, after us
	require.NoError(t, e.Fake.ConsoleSubmit(third))
	require.NoError(t, e.Fake.ConsoleDecide(third, wechatfake.AuditWithdrawn, ""))

	path := "/rollouts/" + rollout + "/rollback"
	before := e.view(shop)
	told := e.do(http.MethodPost, path+"/preflight", nil)
	ready, _ := told["ready"].([]any)
	require.Len(t, ready, 2, told)
	require.Equal(t, map[string]any{"appid": shop, "nick_name": "Shop " + shop, "from": "2.3.0", "to": "1.0.0", "app_version": 1.0}, ready[0])
	why := map[string]string{}
	for _, b := range told["blocked"].([]any) {
		b, _ := b.(map[string]any)
		blocker, _ := b["blockers"].([]any)[0].(map[string]any)
		why[b["appid"].(string)], _ = blocker["code"].(string)
		require.NotEmpty(t, blocker["hint"])
	}
	require.Equal(t, map[string]string{second: "not_live", fourth: "no_earlier_version"}, why)
	require.Equal(t, before, e.view(shop), "nothing was changed")

	status, back := e.API(http.MethodPost, path, map[string]any{})
	require.Equal(t, http.StatusCreated, status, back)
	require.Equal(t, "rollback", back["kind"])
	require.Equal(t, rollout, back["of_rollout_id"])
	for _, appid := range []string{shop, third} {
		sub := e.until(appid, "released")
		require.Equal(t, "1.0.0", sub["user_version"])
		require.Equal(t, "1.0.0", e.view(appid).Live.UserVersion)
		require.Equal(t, 1, e.Fake.Effective("/wxa/revertcoderelease", appid))
		steps, _ := sub["steps"].([]any)
		require.Len(t, steps, 3, "nothing is committed or submitted")
	}
	require.Equal(t, "not_live", e.until(second, "blocked")["error"].(map[string]any)["code"])
	require.Equal(t, "no_earlier_version", e.until(fourth, "blocked")["error"].(map[string]any)["code"])
	require.Equal(t, "9.9.9", e.view(second).Live.UserVersion)
	id, _ := back["id"].(string)
	e.Until("the rollback is over", func() bool { return e.do(http.MethodGet, "/rollouts/"+id, nil)["state"] == "completed" })

	status, _ = e.API(http.MethodPost, "/rollouts/"+id+"/rollback", map[string]any{})
	require.Equal(t, http.StatusConflict, status, "a rollback is not rolled back")
	told = e.do(http.MethodPost, path+"/preflight", map[string]any{"appids": []string{shop}})
	require.Empty(t, told["ready"], "it has gone back already")
	status, _ = e.API(http.MethodPost, path, map[string]any{"appids": []string{"wxnobody"}})
	require.Equal(t, http.StatusUnprocessableEntity, status)
}

func TestRollbackWaitsForTheEndOfAGrayRelease(t *testing.T) {
	t.Parallel()
	e := newShops(t, shop)
	e.live(shop, "1.0.0")
	rollout := e.released("2.3.0", shop)
	e.roll("2.4.0", gray([]int{10}, nil), shop)
	e.approve(shop)
	newer, _ := e.atStep(shop, 10)["id"].(string)
	e.do(http.MethodPost, "/rollouts/"+rollout+"/rollback", nil)
	sub := e.until(shop, "blocked")
	require.Equal(t, "gray_running", sub["error"].(map[string]any)["code"], "87011 is told before WeChat says it")
	require.Zero(t, e.Fake.Effective("/wxa/revertcoderelease", shop))
	e.do(http.MethodPost, "/submissions/"+newer+"/cancel", nil)
	e.Until("the gray release is canceled", func() bool { return e.view(shop).Gray.Status == 4 })
	e.do(http.MethodPost, "/submissions/"+sub["id"].(string)+"/retry", nil)
	e.until(shop, "released")
	require.Equal(t, "1.0.0", e.view(shop).Live.UserVersion)
}

// A rollback goes one version back, whatever becomes of the answer: each further call would go further back.
func TestRollbackWhoseAnswerWasLost(t *testing.T) {
	t.Parallel()
	const path = "/wxa/revertcoderelease" // also lists the history, once before
	luck := []wechatfake.Fault{
		{Path: path, Skip: 1, Mode: wechatfake.FaultCutAfter},
		{Path: path, Skip: 1, Mode: wechatfake.FaultCutBefore},
		{Path: path, Skip: 1, Mode: wechatfake.FaultErrcodeExecuted, Code: -1},
		{Path: path, Skip: 1, Mode: wechatfake.FaultErrcode, Code: -1},
		{Path: path, Skip: 1, Mode: wechatfake.FaultErrcode, Code: 9402202},
		{Path: "/wxa/getversioninfo", Skip: 2, Mode: wechatfake.FaultCutBefore, Times: 2},
	}
	merchants := manyShops(len(luck))
	e := newShops(t, merchants...)
	for _, appid := range merchants {
		e.live(appid, "0.9.0")
		e.live(appid, "1.0.0")
	}
	rollout := e.released("2.3.0", merchants...)
	for i, f := range luck {
		f.AppID = merchants[i]
		e.fail(f)
	}
	back := e.do(http.MethodPost, "/rollouts/"+rollout+"/rollback", nil)
	for i, appid := range merchants {
		require.Equal(t, back["id"], e.until(appid, "released")["rollout_id"])
		require.Equal(t, "1.0.0", e.view(appid).Live.UserVersion, "%+v", luck[i])
		require.Equal(t, 1, e.Fake.Effective(path, appid), "%+v", luck[i])
	}
}

func TestRollbackIsNoRaceWithANewerRelease(t *testing.T) {
	t.Parallel()
	e := newShops(t, shop)
	e.live(shop, "1.0.0")
	rollout := e.released("2.3.0", shop)
	e.roll("2.4.0", map[string]any{"release": map[string]any{"mode": "manual"}}, shop)
	e.approve(shop)
	newer, _ := e.until(shop, "approved")["id"].(string)
	e.do(http.MethodPost, "/rollouts/"+rollout+"/rollback", nil)
	e.until(shop, "released")
	require.Equal(t, "approved", e.do(http.MethodGet, "/submissions/"+newer, nil)["state"], "what is on its way is not ended")
	e.do(http.MethodPost, "/submissions/"+newer+"/release", nil)
	e.Until("the newer one is live", func() bool { return e.view(shop).Live.UserVersion == "2.4.0" })
}

func TestRollbackKeepsToItsStrategy(t *testing.T) {
	t.Parallel()
	e := newShops(t, shop, second, third)
	for _, appid := range []string{second, third} {
		e.live(appid, "1.0.0")
	}
	rollout := e.released("2.3.0", shop, second, third)
	e.do(http.MethodPost, "/rollouts/"+rollout+"/rollback", map[string]any{"strategy": map[string]any{"canary": 1}})
	canary := e.until(shop, "blocked") // it was the first version
	require.Equal(t, "queued", e.submission(second)["state"], "the others wait for the canary")
	e.do(http.MethodPost, "/rollouts/"+canary["rollout_id"].(string)+"/cancel", nil)
	e.until(second, "canceled")
	require.Equal(t, "2.3.0", e.view(second).Live.UserVersion)
	e.do(http.MethodPost, "/rollouts/"+rollout+"/rollback", map[string]any{"appids": []string{second, third}, "strategy": map[string]any{"batch_size": 1}})
	for _, appid := range []string{second, third} {
		e.until(appid, "released")
		require.Equal(t, "1.0.0", e.view(appid).Live.UserVersion)
	}
}
