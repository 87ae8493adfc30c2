package cloudenv

import (
	"bytes"
	"context"
	"fmt"
	"image/png"
	"net/http"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/wxsteward/wxsteward/authorize/authorizetest"
	"github.com/wxsteward/wxsteward/internal/wechat/wechatfake"
)

const (
	owner     = "北京示例餐饮有限公司"
	pathShare = "/componenttcb/batchshareenv"
	pathOf    = "/componenttcb/batchgetenvid"
	pathMake  = "/componenttcb/createenv"
)

type env struct {
	*authorizetest.Env
	*Service
}

// newEnv has n mini programs of one principal, wx0001 and so on.
func newEnv(t *testing.T, n int) *env {
	t.Helper()
	e := &env{}
	e.Env = authorizetest.New(t, func(p *authorizetest.Env) {
		e.Service = New(Config{Poll: time.Hour, RetryBase: 10 * time.Millisecond, Now: p.Now}, Deps{
			DB: p.Pool, Merchants: p.Merchants, Platform: p.Component, Locker: p.Locks, Queue: p.Runner,
		})
		p.Merchants.OnWithdrawn(e.Withdrawn)
		require.NoError(t, e.RegisterJobs(p.Runner))
		e.RegisterAPI(p.Server.API())
	})
	for i := range n {
		e.Merchant(wechatfake.Merchant{AppID: appid(i), NickName: fmt.Sprintf("店 %d", i), Principal: owner})
	}
	e.Fake.AddCloudEnv(wechatfake.CloudEnv{Env: "shop-1abc", Alias: "shop"})
	e.Fake.AddCloudEnv(wechatfake.CloudEnv{Env: "run-1abc", Alias: "run", Run: true})
	return e
}

func appid(i int) string { return fmt.Sprintf("wx%04d", i) }

func appids(n int) []string {
	list := make([]string, n)
	for i := range list {
		list[i] = appid(i)
	}
	return list
}

// ask calls the API and wants this status.
func (e *env) ask(status int, method, path string, body any) map[string]any {
	e.T.Helper()
	got, out := e.API(method, path, body)
	require.Equal(e.T, status, got, out)
	return out
}

func items(out map[string]any) []map[string]any {
	var list []map[string]any
	all, _ := out["items"].([]any)
	for _, item := range all {
		one, _ := item.(map[string]any)
		list = append(list, one)
	}
	return list
}

// shares are those of an environment in a state.
func (e *env) shares(name, state string) []map[string]any {
	e.T.Helper()
	return items(e.ask(http.StatusOK, http.MethodGet, "/cloud-shares?limit=200&env="+name+"&state="+state, nil))
}

func (e *env) untilShares(name, state string, n int) []map[string]any {
	e.T.Helper()
	var list []map[string]any
	e.Until(fmt.Sprintf("%d shares of %s are %s", n, name, state), func() bool {
		list = e.shares(name, state)
		return len(list) == n
	})
	return list
}

func (e *env) fail(f wechatfake.Fault) {
	e.T.Helper()
	_, err := e.Fake.FailNext(f)
	require.NoError(e.T, err)
}

func TestEnvironmentsAreListedAndMade(t *testing.T) {
	t.Parallel()
	e := newEnv(t, 0)
	out := e.ask(http.StatusOK, http.MethodGet, "/cloud-envs", nil)
	list := items(out)
	require.Len(t, list, 2)
	require.Equal(t, "shop-1abc", list[0]["env"])
	require.Equal(t, "cloudbase", list[0]["kind"])
	require.Equal(t, "documented", list[0]["evidence"])
	require.Equal(t, "cloudrun", list[1]["kind"])
	require.Equal(t, "ap-shanghai", list[1]["region"])
	require.Equal(t, "code", list[1]["evidence"])
	require.Empty(t, out["refused"])

	// Where WeChat refuses one kind the other is still shown; where it refuses both, it is an error.
	e.fail(wechatfake.Fault{Path: "/componenttcb/describecloudbaserunenvs", Mode: wechatfake.FaultErrcode, Code: 85088, Times: 2})
	out = e.ask(http.StatusOK, http.MethodGet, "/cloud-envs", nil)
	require.Len(t, items(out), 1)
	require.Contains(t, fmt.Sprint(out["refused"]), "cloudrun")
	require.Contains(t, fmt.Sprint(out["refused"]), "85088")
	e.fail(wechatfake.Fault{Path: "/componenttcb/describeenvs", Mode: wechatfake.FaultErrcode, Code: 85088})
	e.ask(http.StatusBadGateway, http.MethodGet, "/cloud-envs", nil)

	made := e.ask(http.StatusCreated, http.MethodPost, "/cloud-envs", map[string]any{"kind": "cloudbase", "alias": "tea"})
	require.NotEmpty(t, made["env"])
	e.ask(http.StatusConflict, http.MethodPost, "/cloud-envs", map[string]any{"kind": "cloudbase", "alias": "tea"})
	e.ask(http.StatusUnprocessableEntity, http.MethodPost, "/cloud-envs", map[string]any{"kind": "cloudbase", "alias": "Tea house"})
	run := e.ask(http.StatusCreated, http.MethodPost, "/cloud-envs", map[string]any{"kind": "cloudrun", "alias": "tea", "vpc_id": "vpc-1", "subnet_ids": []string{"s-1"}})
	require.Equal(t, "cloudrun", run["kind"])

	// The answer is lost, the environment is there: it is found, and there is one.
	e.fail(wechatfake.Fault{Path: pathMake, Mode: wechatfake.FaultCutAfter})
	lost := e.ask(http.StatusCreated, http.MethodPost, "/cloud-envs", map[string]any{"kind": "cloudbase", "alias": "lost"})
	n := 0
	for _, c := range e.Fake.CloudEnvs() {
		if c.Alias == "lost" {
			require.Equal(t, c.Env, lost["env"])
			n++
		}
	}
	require.Equal(t, 1, n)
	e.fail(wechatfake.Fault{Path: pathMake, Mode: wechatfake.FaultErrcode, Code: 85088})
	e.ask(http.StatusBadGateway, http.MethodPost, "/cloud-envs", map[string]any{"kind": "cloudbase", "alias": "refused"})
}

func TestAnEnvironmentIsSharedWithManyMerchants(t *testing.T) {
	t.Parallel()
	const n = 45 // three calls
	e := newEnv(t, n)
	e.Merchant(wechatfake.Merchant{AppID: "wxpublic", NickName: "公众号", Kind: wechatfake.Official, Principal: owner})
	out := e.ask(http.StatusCreated, http.MethodPost, "/cloud-envs/run-1abc/shares", map[string]any{
		"kind": "cloudrun", "appids": append(appids(n), "wxnobody", "wxpublic"),
	})
	require.Len(t, items(out), n)
	require.Contains(t, fmt.Sprint(out["refused"]), "map[appid:wxnobody detail:This merchant is not on record.]")
	require.Contains(t, fmt.Sprint(out["refused"]), "map[appid:wxpublic detail:This is no mini program.]")

	waiting := e.untilShares("run-1abc", stateWaiting, n)
	require.Len(t, e.Fake.Calls(pathShare), 3)
	require.NotEmpty(t, waiting[0]["url"])
	require.Equal(t, owner, waiting[0]["principal_name"])
	status, header, image := e.Raw(http.MethodGet, "/cloud-shares/"+waiting[0]["id"].(string)+"/qr.png", nil)
	require.Equal(t, http.StatusOK, status)
	require.Equal(t, "no-store", header.Get("Cache-Control"))
	_, err := png.Decode(bytes.NewReader(image))
	require.NoError(t, err)

	// Two confirm; we hear of it when we ask.
	require.NoError(t, e.Fake.ConfirmCloudShare("run-1abc", appid(0)))
	require.NoError(t, e.Fake.ConfirmCloudShare("run-1abc", appid(44)))
	e.ask(http.StatusNoContent, http.MethodPost, "/cloud-shares/check", map[string]any{"env": "run-1abc"})
	confirmed := e.untilShares("run-1abc", stateConfirmed, 2)
	require.Empty(t, confirmed[0]["url"], "there is nothing to confirm any more")
	require.NotNil(t, confirmed[0]["confirmed_at"])
	e.ask(http.StatusGone, http.MethodGet, "/cloud-shares/"+confirmed[0]["id"].(string)+"/qr.png", nil)
	e.ask(http.StatusConflict, http.MethodPost, "/cloud-shares/"+confirmed[0]["id"].(string)+"/retry", nil)
	envs := items(e.ask(http.StatusOK, http.MethodGet, "/cloud-envs", nil))
	require.Equal(t, map[string]any{stateConfirmed: 2.0, stateWaiting: 43.0}, envs[1]["shares"])

	// Offering again changes nothing.
	e.ask(http.StatusCreated, http.MethodPost, "/cloud-envs/run-1abc/shares", map[string]any{"kind": "cloudrun", "appids": appids(n)})
	e.StopJobs()
	require.NoError(t, e.work(t.Context()))
	require.Len(t, e.Fake.Calls(pathShare), 3)

	// Nobody confirms for a month: WeChat is not asked any more, until an operator wants a new address.
	_, err = e.Pool.Exec(t.Context(), `UPDATE cloud_share SET asked_at = asked_at - interval '31 days', next_at = now() - interval '1 minute'`)
	require.NoError(t, err)
	e.fail(wechatfake.Fault{Path: pathOf, Mode: wechatfake.FaultHTTP, Code: 502, Times: 2})
	require.NoError(t, e.work(t.Context()))
	require.Len(t, e.shares("run-1abc", stateExpired), 3, "of three calls one was answered")
	e.Pass(time.Hour)
	require.NoError(t, e.work(t.Context()))
	expired := e.shares("run-1abc", stateExpired)
	require.Len(t, expired, 43)
	e.ask(http.StatusOK, http.MethodPost, "/cloud-shares/"+expired[0]["id"].(string)+"/retry", nil)
	require.NoError(t, e.work(t.Context()))
	again := e.shares("run-1abc", stateWaiting)
	require.Len(t, again, 1)
	require.NotEqual(t, waiting[0]["url"], again[0]["url"])
}

func TestSharesOfSeveralPrincipalsAreRefused(t *testing.T) {
	t.Parallel()
	e := newEnv(t, 1)
	e.Merchant(wechatfake.Merchant{AppID: "wxother", NickName: "别家", Principal: "上海别家有限公司"})
	out := e.ask(http.StatusUnprocessableEntity, http.MethodPost, "/cloud-envs/shop-1abc/shares", map[string]any{"kind": "cloudbase", "appids": []string{appid(0), "wxother"}})
	require.Contains(t, out["detail"], "上海别家有限公司")
	e.ask(http.StatusCreated, http.MethodPost, "/cloud-envs/shop-1abc/shares", map[string]any{"kind": "cloudbase", "appids": []string{appid(0)}})
	e.untilShares("shop-1abc", stateWaiting, 1)
	e.ask(http.StatusUnprocessableEntity, http.MethodPost, "/cloud-envs/shop-1abc/shares", map[string]any{"kind": "cloudbase", "appids": []string{"wxother"}})
	require.Len(t, e.Fake.Calls(pathShare), 1, "WeChat is not bothered")

	// Who withdraws loses the environment, and makes room.
	require.NoError(t, e.Fake.Revoke(appid(0)))
	e.untilShares("shop-1abc", stateEnded, 1)
	e.ask(http.StatusCreated, http.MethodPost, "/cloud-envs/shop-1abc/shares", map[string]any{"kind": "cloudbase", "appids": []string{"wxother"}})
	e.untilShares("shop-1abc", stateWaiting, 1)
	out = e.ask(http.StatusCreated, http.MethodPost, "/cloud-envs/shop-1abc/shares", map[string]any{"kind": "cloudbase", "appids": []string{appid(0)}})
	require.Contains(t, fmt.Sprint(out["refused"]), "withdrawn its authorization")
}

func TestSharesSurviveWhatHappensToTheCall(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		fault wechatfake.Fault
		calls int
	}{
		"WeChat is away":         {wechatfake.Fault{Path: pathShare, Mode: wechatfake.FaultHTTP, Code: 502}, 2},
		"the answer is lost":     {wechatfake.Fault{Path: pathShare, Mode: wechatfake.FaultCutAfter}, 2},
		"a system error":         {wechatfake.Fault{Path: pathShare, Mode: wechatfake.FaultErrcode, Code: -1}, 2},
		"asking later goes awry": {wechatfake.Fault{Path: pathOf, Mode: wechatfake.FaultHTTP, Code: 502, Times: 2}, 1},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			e := newEnv(t, 2)
			e.StopJobs()
			e.fail(tc.fault)
			e.ask(http.StatusCreated, http.MethodPost, "/cloud-envs/shop-1abc/shares", map[string]any{"kind": "cloudbase", "appids": appids(2)})
			require.NoError(t, e.work(t.Context()))
			e.Pass(time.Minute)
			require.NoError(t, e.work(t.Context()))
			require.Len(t, e.shares("shop-1abc", stateWaiting), 2)
			require.Len(t, e.Fake.Calls(pathShare), tc.calls)
			require.NoError(t, e.Fake.ConfirmCloudShare("shop-1abc", appid(1)))
			for range 3 {
				e.Pass(time.Hour)
				require.NoError(t, e.work(t.Context()))
			}
			require.Len(t, e.shares("shop-1abc", stateConfirmed), 1)
		})
	}
	t.Run("the process dies beside the call", func(t *testing.T) {
		t.Parallel()
		e := newEnv(t, 2)
		e.StopJobs()
		e.ask(http.StatusCreated, http.MethodPost, "/cloud-envs/shop-1abc/shares", map[string]any{"kind": "cloudbase", "appids": appids(2)})
		e.fail(wechatfake.Fault{Path: pathShare, Mode: wechatfake.FaultSlow, Delay: wechatfake.Duration(20 * time.Second)})
		ctx, die := context.WithCancel(t.Context())
		died := make(chan error, 1)
		go func() {
			_, err := e.send(ctx)
			died <- err
		}()
		e.Until("the call is under way", func() bool { return len(e.shares("shop-1abc", stateSent)) == 2 })
		die()
		require.ErrorIs(t, <-died, context.Canceled)
		require.NoError(t, e.work(t.Context()))
		require.Len(t, e.shares("shop-1abc", stateSent), 2, "another replica may still be at it")
		e.Pass(sentPatience + time.Second)
		require.NoError(t, e.work(t.Context()))
		require.Len(t, e.shares("shop-1abc", stateWaiting), 2)
	})
	t.Run("WeChat refuses for good", func(t *testing.T) {
		t.Parallel()
		e := newEnv(t, 1)
		e.StopJobs()
		e.ask(http.StatusCreated, http.MethodPost, "/cloud-envs/none-1/shares", map[string]any{"kind": "cloudbase", "appids": appids(1)})
		require.NoError(t, e.work(t.Context()))
		failed := e.shares("none-1", stateFailed)
		require.Len(t, failed, 1)
		require.Contains(t, fmt.Sprint(failed[0]["error"]), "85088")
		e.Pass(24 * time.Hour)
		require.NoError(t, e.work(t.Context()))
		require.Len(t, e.Fake.Calls(pathShare), 1, "not repeated")
	})
	t.Run("one of them uses it already, another is refused", func(t *testing.T) {
		t.Parallel()
		e := newEnv(t, 3)
		e.StopJobs()
		e.Fake.AddCloudEnv(wechatfake.CloudEnv{Env: "old-1", AppIDs: []string{appid(1)}, Principal: owner})
		require.NoError(t, e.Fake.ChangeMerchant(appid(2), func(m *wechatfake.Merchant) { m.Principal = "改了名的公司" })) // after we read it
		e.ask(http.StatusCreated, http.MethodPost, "/cloud-envs/old-1/shares", map[string]any{"kind": "cloudbase", "appids": appids(3)})
		require.NoError(t, e.work(t.Context()))
		require.Equal(t, appid(1), e.shares("old-1", stateConfirmed)[0]["appid"])
		require.Equal(t, "not the same subject", e.shares("old-1", stateFailed)[0]["reason"])
		require.Equal(t, appid(0), e.shares("old-1", stateWaiting)[0]["appid"])
	})
}

func TestCloudTokenIsChangedByOneAtATime(t *testing.T) {
	t.Parallel()
	e := newEnv(t, 0)
	read := e.ask(http.StatusOK, http.MethodGet, "/cloud-envs/run-1abc/token", nil)
	require.Equal(t, map[string]any{"open": false, "whitelist": []any{}, "version": 0.0}, read)
	change := map[string]any{"open": true, "whitelist": []string{"/wxa/business/getuserphonenumber"}, "version": 0}
	now := e.ask(http.StatusOK, http.MethodPut, "/cloud-envs/run-1abc/token", change)
	require.Equal(t, true, now["open"])
	require.Equal(t, 1.0, now["version"])
	e.ask(http.StatusConflict, http.MethodPut, "/cloud-envs/run-1abc/token", change)
	e.ask(http.StatusBadGateway, http.MethodGet, "/cloud-envs/nobody-1/token", nil)
}

func TestPushIntoACloudEnvironment(t *testing.T) {
	t.Parallel()
	e := newEnv(t, 1)
	path := "/authorizers/" + appid(0) + "/cloud-push"
	require.Equal(t, map[string]any{"enabled": false, "env": "", "path": "", "format": "json"}, e.ask(http.StatusOK, http.MethodGet, path, nil))
	wanted := map[string]any{"enabled": true, "env": "run-1abc", "path": "/wxcallback/biz", "format": "xml"}
	require.Equal(t, wanted, e.ask(http.StatusOK, http.MethodPut, path, wanted))
	require.Equal(t, wanted, e.ask(http.StatusOK, http.MethodGet, path, nil))
	for _, wrong := range []map[string]any{
		{"enabled": true, "env": "", "path": "/a", "format": "json"},
		{"enabled": true, "env": "run-1abc", "path": "a", "format": "json"},
		{"enabled": true, "env": "run-1abc", "path": "/a", "format": "yaml"},
	} {
		e.ask(http.StatusUnprocessableEntity, http.MethodPut, path, wrong)
	}
	e.ask(http.StatusNotFound, http.MethodGet, "/authorizers/wxnobody/cloud-push", nil)
}
