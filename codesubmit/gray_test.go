package codesubmit

import (
	"errors"
	"net/http"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/wxsteward/wxsteward/internal/fault"
	"github.com/wxsteward/wxsteward/internal/wechat/wechatfake"
)

func gray(steps []int, interval any) map[string]any {
	return map[string]any{"release": map[string]any{"gray": steps, "gray_interval": interval}}
}

// atStep waits until a merchant's submission stands at a percentage.
func (e *shops) atStep(appid string, percentage int) map[string]any {
	e.T.Helper()
	var sub map[string]any
	e.Until("gray", func() bool {
		sub = e.submission(appid)
		g, _ := sub["gray"].(map[string]any)
		return sub["state"] == "releasing" && g != nil && g["percentage"] == float64(percentage)
	})
	return sub
}

func TestGrayStepsByHand(t *testing.T) {
	t.Parallel()
	e := newShops(t, shop)
	e.live(shop, "1.0.0")
	e.roll("2.3.0", gray([]int{10, 50, 100}, nil), shop)
	e.approve(shop)
	sub := e.atStep(shop, 10)
	g, _ := sub["gray"].(map[string]any)
	require.InDelta(t, 1, g["step"], 0)
	require.InDelta(t, 3, g["steps"], 0)
	require.Nil(t, g["next_at"], "an operator says when")
	require.NotNil(t, sub["wait_until"], "it waits")
	require.Equal(t, 10, e.view(shop).Gray.Percentage)

	e.Pass(1000 * time.Hour)
	release := func() { e.do(http.MethodPost, "/submissions/"+e.submissionID(shop)+"/release", nil) }
	e.look()
	require.Equal(t, 10, e.view(shop).Gray.Percentage, "time alone moves nothing")
	release()
	e.atStep(shop, 50)
	require.Equal(t, 2, e.Fake.Effective("/wxa/grayrelease", shop), "one yes is one step")
	release()
	sub = e.until(shop, "released")
	require.Nil(t, sub["gray"])
	require.Equal(t, "2.3.0", e.view(shop).Live.UserVersion)
	require.Equal(t, 3, e.Fake.Effective("/wxa/grayrelease", shop))
	status, _ := e.API(http.MethodPost, "/submissions/"+e.submissionID(shop)+"/release", nil)
	require.Equal(t, http.StatusConflict, status, "nothing is left to release")
}

func TestGrayStepsByInterval(t *testing.T) {
	t.Parallel()
	e := newShops(t, shop)
	e.live(shop, "1.0.0")
	e.roll("2.3.0", gray([]int{20, 60}, "2h"), shop)
	e.approve(shop)
	sub := e.atStep(shop, 20)
	g, _ := sub["gray"].(map[string]any)
	require.InDelta(t, 3, g["steps"], 0, "after the last step comes everybody")
	next, err := time.Parse(time.RFC3339, g["next_at"].(string))
	require.NoError(t, err)
	require.WithinDuration(t, e.Now().Add(2*time.Hour), next, time.Minute)
	e.Pass(time.Hour)
	e.look()
	require.Equal(t, 20, e.view(shop).Gray.Percentage, "too early")
	e.Pass(61 * time.Minute)
	e.atStep(shop, 60)
	require.Zero(t, e.Fake.Effective("/wxa/release", shop))
	e.Pass(2 * time.Hour)
	e.until(shop, "released")
	require.Equal(t, 2, e.Fake.Effective("/wxa/grayrelease", shop))
	require.Equal(t, 1, e.Fake.Effective("/wxa/release", shop), "then everybody")
}

func TestGrayNeedsAnOnlineVersion(t *testing.T) {
	t.Parallel()
	e := newShops(t, shop)
	e.roll("2.3.0", gray([]int{10, 50, 100}, nil), shop)
	e.approve(shop)
	e.until(shop, "released")
	require.Equal(t, 1, e.Fake.Effective("/wxa/release", shop))
	require.Zero(t, e.Fake.Effective("/wxa/grayrelease", shop))
}

func TestGrayStepsKeepToTheWindow(t *testing.T) {
	t.Parallel()
	e := newShops(t, shop)
	e.live(shop, "1.0.0")
	china := time.FixedZone("UTC+8", 8*3600)
	now := e.Now().In(china) // to 02:30 of the next day in China
	e.Pass(time.Date(now.Year(), now.Month(), now.Day()+1, 2, 30, 0, 0, china).Sub(now))
	e.newTicket()
	terms := gray([]int{10, 50}, "3h")
	terms["release"].(map[string]any)["window"] = "* 2-3 * * *"
	e.roll("2.3.0", terms, shop)
	e.approve(shop)
	sub := e.atStep(shop, 10)
	next, err := time.Parse(time.RFC3339, sub["gray"].(map[string]any)["next_at"].(string))
	require.NoError(t, err)
	require.Equal(t, 2, next.In(china).Hour(), "three hours later the window is closed, so it is the next night")
	e.Pass(4 * time.Hour)
	e.look()
	require.Equal(t, 10, e.view(shop).Gray.Percentage)
	e.do(http.MethodPost, "/submissions/"+e.submissionID(shop)+"/release", nil) // by hand: ignores the window
	e.atStep(shop, 50)
	e.Pass(20 * time.Hour)
	e.newTicket()
	e.until(shop, "released")
}

// Bad luck at each call of a gray release: WeChat's record shows each step once all the same.
func TestGrayStepsWhoseAnswerWasLost(t *testing.T) {
	t.Parallel()
	luck := []wechatfake.Fault{
		{Path: "/wxa/grayrelease", Mode: wechatfake.FaultCutAfter, Times: 2},
		{Path: "/wxa/grayrelease", Mode: wechatfake.FaultCutBefore, Times: 2},
		{Path: "/wxa/grayrelease", Mode: wechatfake.FaultErrcodeExecuted, Code: -1, Times: 2},
		{Path: "/wxa/grayrelease", Mode: wechatfake.FaultErrcode, Code: -1, Times: 2},
		{Path: "/wxa/grayrelease", Mode: wechatfake.FaultErrcode, Code: 9402202, Times: 2},
		{Path: "/wxa/getgrayreleaseplan", Mode: wechatfake.FaultCutBefore, Times: 3},
		{Path: "/wxa/getversioninfo", Mode: wechatfake.FaultHTTP, Times: 3},
	}
	merchants := manyShops(len(luck))
	e := newShops(t, merchants...)
	for _, appid := range merchants {
		e.live(appid, "1.0.0")
	}
	e.roll("2.3.0", gray([]int{10, 50, 100}, "1h"), merchants...)
	for i, appid := range merchants {
		e.until(appid, "auditing")
		luck[i].AppID = appid
		e.fail(luck[i])
	}
	e.approve(merchants...)
	for _, percentage := range []int{10, 50} {
		for _, appid := range merchants {
			e.atStep(appid, percentage)
		}
		e.Pass(time.Hour)
	}
	for i, appid := range merchants {
		e.until(appid, "released")
		require.Equal(t, 3, e.Fake.Effective("/wxa/grayrelease", appid), "%+v", luck[i])
		require.Zero(t, e.Fake.Effective("/wxa/release", appid), "%+v", luck[i])
	}
}

func TestGrayRefusalsAreToldToTheOperator(t *testing.T) {
	t.Parallel()
	codes := []int{85080, 85081, 85082, 86002, 99887766}
	merchants := manyShops(len(codes))
	e := newShops(t, merchants...)
	for i, appid := range merchants {
		e.live(appid, "1.0.0")
		e.fail(wechatfake.Fault{Path: "/wxa/grayrelease", AppID: appid, Mode: wechatfake.FaultErrcode, Code: codes[i]})
	}
	rollout := e.roll("2.3.0", gray([]int{10}, nil), merchants...)
	e.approve(merchants...)
	for i, appid := range merchants {
		sub := e.until(appid, "blocked", "failed", "released")
		want := "blocked"
		if codes[i] == 85081 { // the request itself
			want = "failed"
		}
		require.Equal(t, want, sub["state"], codes[i])
		failure, _ := sub["error"].(map[string]any)
		require.InDelta(t, codes[i], failure["errcode"], 0)
		require.NotEmpty(t, failure["hint"], codes[i])
	}
	e.do(http.MethodPost, "/rollouts/"+rollout+"/retry-failed", nil)
	for _, appid := range merchants {
		e.atStep(appid, 10)
	}
}

func TestGrayIsCanceledWithItsSubmission(t *testing.T) {
	t.Parallel()
	merchants := manyShops(3)
	e := newShops(t, merchants...)
	for _, appid := range merchants {
		e.live(appid, "1.0.0")
	}
	rollout := e.roll("2.3.0", gray([]int{10, 50}, nil), merchants...)
	e.approve(merchants...)
	for _, appid := range merchants {
		e.atStep(appid, 10)
	}
	e.fail(wechatfake.Fault{Path: "/wxa/revertgrayrelease", AppID: merchants[1], Mode: wechatfake.FaultCutAfter})
	e.fail(wechatfake.Fault{Path: "/wxa/revertgrayrelease", AppID: merchants[2], Mode: wechatfake.FaultCutBefore})
	e.do(http.MethodPost, "/rollouts/"+rollout+"/cancel", nil)
	for _, appid := range merchants {
		sub := e.until(appid, "canceled")
		require.Nil(t, sub["gray"])
		require.Equal(t, 4, e.view(appid).Gray.Status, "its users have the version before again")
		require.Equal(t, 1, e.Fake.Effective("/wxa/revertgrayrelease", appid))
		require.Equal(t, "1.0.0", e.view(appid).Live.UserVersion)
	}
	e.do(http.MethodPost, "/submissions/"+e.submissionID(merchants[0])+"/retry", nil)
	e.atStep(merchants[0], 10) // retry begins with the first step
}

func TestGrayGivesWayToANewerRollout(t *testing.T) {
	t.Parallel()
	e := newShops(t, shop)
	e.live(shop, "1.0.0")
	e.roll("2.3.0", gray([]int{10, 50}, nil), shop)
	e.approve(shop)
	older, _ := e.atStep(shop, 10)["id"].(string)
	e.Pass(time.Minute) // WeChat tells its times in seconds
	e.roll("2.4.0", gray([]int{5}, nil), shop)
	e.until(shop, "auditing")
	sub := e.do(http.MethodGet, "/submissions/"+older, nil)
	require.Equal(t, "superseded", sub["state"])
	require.Contains(t, sub["reason"], "10 percent")
	require.Equal(t, 1, e.view(shop).Gray.Status, "its users keep it until the newer version is released")
	require.NoError(t, e.Fake.Approve(shop))
	e.atStep(shop, 5)
	require.Equal(t, 1, e.Fake.Effective("/wxa/revertgrayrelease", shop), "the older one ends first")
	require.Equal(t, 5, e.view(shop).Gray.Percentage)
}

func TestGrayChangedInTheConsoleIsNoticed(t *testing.T) {
	t.Parallel()
	begin := func(t *testing.T) *shops {
		t.Helper()
		e := newShops(t, shop)
		e.live(shop, "1.0.0")
		e.roll("2.3.0", gray([]int{10, 50, 100}, "1h"), shop)
		e.approve(shop)
		e.atStep(shop, 10)
		return e
	}
	t.Run("finished", func(t *testing.T) {
		t.Parallel()
		e := begin(t)
		require.NoError(t, e.Fake.ConsoleRelease(shop))
		e.until(shop, "released")
		require.Zero(t, e.Fake.Effective("/wxa/release", shop))
	})
	t.Run("widened", func(t *testing.T) {
		t.Parallel()
		e := begin(t)
		require.NoError(t, e.Fake.ConsoleGray(shop, 1, 70))
		e.atStep(shop, 70)
		e.Pass(time.Hour)
		e.until(shop, "released")
		require.Equal(t, 2, e.Fake.Effective("/wxa/grayrelease", shop), "10, and from 70 to 100")
	})
	t.Run("paused", func(t *testing.T) {
		t.Parallel()
		e := begin(t)
		require.NoError(t, e.Fake.ConsoleGray(shop, 2, 0))
		e.Until("the pause is noticed", func() bool {
			g, _ := e.submission(shop)["gray"].(map[string]any)
			return g["next_at"] == nil
		})
		e.Pass(3 * time.Hour)
		e.look()
		require.Equal(t, 10, e.view(shop).Gray.Percentage)
		require.NoError(t, e.Fake.ConsoleGray(shop, 1, 0))
		e.atStep(shop, 50)
	})
	t.Run("canceled", func(t *testing.T) {
		t.Parallel()
		e := begin(t)
		e.do(http.MethodPost, "/authorizers/"+shop+"/gray-cancel", nil)
		sub := e.until(shop, "blocked")
		require.Equal(t, "gray_canceled", sub["error"].(map[string]any)["code"])
		e.do(http.MethodPost, "/submissions/"+e.submissionID(shop)+"/retry", nil)
		e.atStep(shop, 10)
	})
}

func TestGrayStepsStandStillInAPausedRollout(t *testing.T) {
	t.Parallel()
	e := newShops(t, shop)
	e.live(shop, "1.0.0")
	rollout := e.roll("2.3.0", gray([]int{10, 50}, "1h"), shop)
	e.approve(shop)
	e.atStep(shop, 10)
	e.do(http.MethodPost, "/rollouts/"+rollout+"/pause", nil)
	e.Pass(5 * time.Hour)
	e.look()
	require.Equal(t, 10, e.view(shop).Gray.Percentage)
	e.do(http.MethodPost, "/rollouts/"+rollout+"/resume", nil)
	e.atStep(shop, 50)
	// The terms may change on the way: no more steps.
	e.do(http.MethodPatch, "/rollouts/"+rollout, map[string]any{"release": map[string]any{"mode": "auto"}})
	e.until(shop, "released")
}

func TestGrayTermsAreChecked(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		steps    []int
		interval string
		faults   []string
	}{
		"growing":                   {[]int{1, 50, 100}, "30m", nil},
		"one step":                  {[]int{100}, "", nil},
		"zero":                      {[]int{0, 50}, "", []string{"body.release.gray[0]"}},
		"over a hundred":            {[]int{50, 101}, "", []string{"body.release.gray[1]"}},
		"not growing":               {[]int{50, 50, 40}, "", []string{"body.release.gray[1]", "body.release.gray[2]"}},
		"no length of time":         {[]int{50}, "2 hours", []string{"body.release.gray_interval"}},
		"no time at all":            {[]int{50}, "0s", []string{"body.release.gray_interval"}},
		"interval without any step": {nil, "2h", []string{"body.release.gray_interval"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			terms := ReleaseSpec{Gray: tc.steps}
			if tc.interval != "" {
				terms.GrayInterval = &tc.interval
			}
			require.Equal(t, tc.faults, faultsOf(terms.checkGray))
		})
	}
}

func faultsOf(check func(wrong *fault.Collector)) []string {
	var wrong fault.Collector
	check(&wrong)
	err, ok := errors.AsType[*fault.Error](wrong.Err())
	if !ok {
		return nil
	}
	var places []string
	for _, f := range err.Fields {
		places = append(places, f.Location)
	}
	return places
}
