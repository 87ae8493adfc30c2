package cloudenv

import (
	"fmt"
	"net/http"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/wxsteward/wxsteward/internal/wechat/wechatfake"
)

const pathTraffic = "/componenttcb/batchsetcspropotion"

// serving has a service with three versions in each environment; the newest of them was not built.
func serving(t *testing.T) *env {
	t.Helper()
	e := newEnv(t, 0)
	for name, run := range map[string]bool{"base-2abc": false, "run-2abc": true} {
		e.Fake.AddCloudEnv(wechatfake.CloudEnv{Env: name, Alias: name, Run: run, Services: []*wechatfake.CloudService{
			{Name: "tea", Versions: []*wechatfake.CloudVersion{
				{Name: "tea-003", Status: "build_fail"}, {Name: "tea-002", Status: "normal"}, {Name: "tea-001", Status: "normal", Percent: 100},
			}},
		}})
	}
	return e
}

// traffic is the percentage of the calls by version, as the API tells.
func (e *env) traffic(name string) map[string]any {
	e.T.Helper()
	return byVersion(e.ask(http.StatusOK, http.MethodGet, "/cloud-envs/"+name+"/services/tea/versions", nil))
}

func byVersion(out map[string]any) map[string]any {
	percent := map[string]any{}
	for _, v := range items(out) {
		percent[fmt.Sprint(v["name"])] = v["percent"]
	}
	return percent
}

func TestServicesAndTheirVersionsAreListed(t *testing.T) {
	t.Parallel()
	e := serving(t)
	for _, name := range []string{"base-2abc", "run-2abc"} {
		list := items(e.ask(http.StatusOK, http.MethodGet, "/cloud-envs/"+name+"/services", nil))
		require.Len(t, list, 1)
		require.Equal(t, "tea", list[0]["name"])
		require.Equal(t, "succ", list[0]["status"])
		require.Equal(t, map[string]any{"tea-001": 100.0, "tea-002": 0.0, "tea-003": 0.0}, e.traffic(name))
	}
	versions := items(e.ask(http.StatusOK, http.MethodGet, "/cloud-envs/base-2abc/services/tea/versions", nil))
	require.Equal(t, "build_fail", versions[0]["status"])
	require.EqualValues(t, 5, versions[0]["max_replicas"])
	require.Empty(t, items(e.ask(http.StatusOK, http.MethodGet, "/cloud-envs/shop-1abc/services", nil)))
	require.Contains(t, fmt.Sprint(e.ask(http.StatusBadGateway, http.MethodGet, "/cloud-envs/nowhere/services", nil)), "85088")
}

func TestLongListsOfServicesAreReadToTheEnd(t *testing.T) {
	t.Parallel()
	e := newEnv(t, 0)
	many := wechatfake.CloudEnv{Env: "many-3abc", Alias: "many"}
	for i := range 120 {
		many.Services = append(many.Services, &wechatfake.CloudService{Name: fmt.Sprintf("tea-%03d", i)})
	}
	e.Fake.AddCloudEnv(many)
	out := e.ask(http.StatusOK, http.MethodGet, "/cloud-envs/many-3abc/services", nil)
	require.Len(t, items(out), 120)
	require.EqualValues(t, 120, out["total"])
}

func TestCallsAreDividedAmongVersions(t *testing.T) {
	t.Parallel()
	e := serving(t)
	const path = "/cloud-envs/base-2abc/services/tea/traffic"
	percent := func(p map[string]int) map[string]any { return map[string]any{"percent": p} }
	out := e.ask(http.StatusOK, http.MethodPut, path, percent(map[string]int{"tea-001": 90, "tea-002": 10}))
	want := map[string]any{"tea-001": 90.0, "tea-002": 10.0, "tea-003": 0.0}
	require.Equal(t, want, byVersion(out))

	for name, wrong := range map[string]map[string]int{
		"too little": {"tea-001": 90}, "too much": {"tea-001": 90, "tea-002": 90}, "below nothing": {"tea-001": 150, "tea-002": -50}, "nothing": {},
	} {
		out := e.ask(http.StatusUnprocessableEntity, http.MethodPut, path, percent(wrong))
		require.Contains(t, fmt.Sprint(out), "body.percent", name)
	}
	// WeChat's own refusal comes inside an answer that is otherwise fine.
	require.Contains(t, fmt.Sprint(e.ask(http.StatusConflict, http.MethodPut, path, percent(map[string]int{"tea-003": 100}))), "not normal")
	e.ask(http.StatusBadGateway, http.MethodPut, "/cloud-envs/run-2abc/services/tea/traffic", percent(map[string]int{"tea-002": 100}))
	require.Equal(t, want, e.traffic("base-2abc"))

	// The answer is lost: the versions tell whether it was done.
	e.fail(wechatfake.Fault{Path: pathTraffic, Mode: wechatfake.FaultCutAfter})
	out = e.ask(http.StatusOK, http.MethodPut, path, percent(map[string]int{"tea-002": 100}))
	require.Equal(t, map[string]any{"tea-001": 0.0, "tea-002": 100.0, "tea-003": 0.0}, byVersion(out))
	e.fail(wechatfake.Fault{Path: pathTraffic, Mode: wechatfake.FaultCutBefore})
	status, _ := e.API(http.MethodPut, path, percent(map[string]int{"tea-001": 100}))
	require.GreaterOrEqual(t, status, http.StatusInternalServerError)
	require.Equal(t, 100.0, e.traffic("base-2abc")["tea-002"])
}

func TestAVersionIsReleasedToAll(t *testing.T) {
	t.Parallel()
	e := serving(t)
	const path = "/cloud-envs/run-2abc/services/tea/release"
	e.ask(http.StatusNoContent, http.MethodPost, path, map[string]any{"version": "tea-002"})
	require.Equal(t, 100.0, e.traffic("run-2abc")["tea-002"])
	e.ask(http.StatusConflict, http.MethodPost, path, map[string]any{"version": "tea-003"})
	e.ask(http.StatusBadGateway, http.MethodPost, "/cloud-envs/base-2abc/services/tea/release", map[string]any{"version": "tea-002"})
}
