package codesubmit

import (
	"net/http"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/wxsteward/wxsteward/internal/wechat/wechatfake"
)

// night moves the clock on to a time of the next day in China.
func (e *shops) night(hour, minute, second int) {
	e.T.Helper()
	now := e.Now().In(beijing())
	e.Pass(time.Date(now.Year(), now.Month(), now.Day()+1, hour, minute, second, 0, now.Location()).Sub(now))
}

// TestWindowHoldsForWhatIsPutOff: a release that was let out in its window and could not be made waits for the next one.
func TestWindowHoldsForWhatIsPutOff(t *testing.T) {
	t.Parallel()
	const window = "* 2,22 * * *"
	plain := map[string]any{"release": map[string]any{"window": window}}
	steps := gray([]int{10}, nil)
	steps["release"].(map[string]any)["window"] = window
	for name, c := range map[string]struct {
		change map[string]any
		path   string
		fault  wechatfake.Fault
		middle func(e *shops, rollout string)
	}{
		"daily limit":               {plain, "/wxa/release", wechatfake.Fault{Path: "/wxa/release", Mode: wechatfake.FaultErrcode, Code: 45009}, nil},
		"daily limit, gray release": {steps, "/wxa/grayrelease", wechatfake.Fault{Path: "/wxa/grayrelease", Mode: wechatfake.FaultErrcode, Code: 45009}, nil},
		"outcome unknown":           {plain, "/wxa/release", wechatfake.Fault{Path: "/wxa/release", Mode: wechatfake.FaultHTTP, Code: 502}, nil},
		"outcome unknown, gray":     {steps, "/wxa/grayrelease", wechatfake.Fault{Path: "/wxa/grayrelease", Mode: wechatfake.FaultHTTP, Code: 502}, nil},
		"read failed":               {plain, "/wxa/release", wechatfake.Fault{Path: "/wxa/getversioninfo", Mode: wechatfake.FaultHTTP, Code: 502}, nil},
		"paused": {plain, "/wxa/release", wechatfake.Fault{Path: "/wxa/release", Mode: wechatfake.FaultErrcode, Code: 45011}, func(e *shops, rollout string) {
			e.do(http.MethodPost, "/rollouts/"+rollout+"/pause", nil)
			e.Pass(5 * time.Minute)
			e.tick()
			e.do(http.MethodPost, "/rollouts/"+rollout+"/resume", nil)
		}},
		"blocked": {plain, "/wxa/release", wechatfake.Fault{Path: "/wxa/release", Mode: wechatfake.FaultErrcode, Code: 86002}, func(e *shops, _ string) {
			require.Equal(e.T, "blocked", e.submission(shop)["state"])
			e.Pass(5 * time.Minute)
			e.do(http.MethodPost, "/submissions/"+e.submissionID(shop)+"/retry", nil)
		}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			e := newShops(t, shop)
			e.live(shop, "1.0.0")
			e.night(22, 30, 0)
			e.newTicket()
			rollout := e.roll("2.3.0", c.change, shop)
			e.until(shop, "auditing")
			e.StopJobs()
			e.service.cfg.DetectionPoll, e.service.cfg.AuditPoll, e.service.cfg.RetryBase = time.Minute, 10*time.Minute, time.Minute
			require.NoError(t, e.Fake.Approve(shop))
			e.fail(c.fault)
			closes := e.Now().In(beijing()).Truncate(time.Hour).Add(time.Hour)
			e.Pass(closes.Add(-30 * time.Second).Sub(e.Now()))
			e.tick()
			if c.middle != nil {
				c.middle(e, rollout)
			}
			opens := closes.Add(3 * time.Hour)
			calls := len(e.Fake.Calls(c.path))
			e.byTheMinute("the window opens", 4*time.Hour, func() bool {
				done := e.Fake.Effective(c.path, shop) == 1
				require.False(t, done && e.Now().Before(opens), "released at %s", e.Now().In(beijing()))
				require.False(t, e.Now().Before(opens) && len(e.Fake.Calls(c.path)) > calls, "called at %s", e.Now().In(beijing()))
				return done
			})
			require.Less(t, e.Now().Sub(opens), 10*time.Minute)
		})
	}
}

// TestRetryAsksForTheOperatorsYesAgain: what waited for a yes and was blocked waits for one again.
func TestRetryAsksForTheOperatorsYesAgain(t *testing.T) {
	t.Parallel()
	e := newShops(t, shop)
	e.roll("2.3.0", map[string]any{"release": map[string]any{"mode": "manual"}}, shop)
	e.approve(shop)
	e.until(shop, "approved")
	e.StopJobs()
	path := "/submissions/" + e.submissionID(shop)
	e.fail(wechatfake.Fault{Path: "/wxa/release", Mode: wechatfake.FaultErrcode, Code: 86002})
	e.do(http.MethodPost, path+"/release", nil)
	e.tick()
	require.Equal(t, "blocked", e.submission(shop)["state"])
	e.do(http.MethodPost, path+"/retry", nil)
	e.tick()
	sub := e.submission(shop)
	require.Equal(t, "approved", sub["state"])
	for _, step := range sub["steps"].([]any) {
		step, _ := step.(map[string]any)
		if step["name"] == "releasing" {
			require.Equal(t, "pending", step["state"], "it is still to come")
		}
	}
	require.Zero(t, e.Fake.Effective("/wxa/release", shop))
	e.do(http.MethodPost, path+"/release", nil)
	e.tick()
	require.Equal(t, "released", e.submission(shop)["state"])
}

// TestYesByHandIgnoresTheWindow also for what was put off: the operator has said when.
func TestYesByHandIgnoresTheWindow(t *testing.T) {
	t.Parallel()
	e := newShops(t, shop)
	e.night(12, 0, 0)
	e.newTicket()
	e.roll("2.3.0", map[string]any{"release": map[string]any{"window": "* 2-3 * * *"}}, shop)
	e.approve(shop)
	e.until(shop, "approved")
	e.StopJobs()
	e.fail(wechatfake.Fault{Path: "/wxa/release", Mode: wechatfake.FaultErrcode, Code: 45011})
	e.do(http.MethodPost, "/submissions/"+e.submissionID(shop)+"/release", nil)
	e.tick()
	require.Equal(t, "releasing", e.submission(shop)["state"])
	e.Pass(time.Minute)
	e.tick()
	require.Equal(t, "released", e.submission(shop)["state"])
}
