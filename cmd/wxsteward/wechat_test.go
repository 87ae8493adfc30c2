package main

import (
	"fmt"
	"net/http"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/wxsteward/wxsteward/internal/wechat/wechatfake"
)

// TestWeChatAwayForAWhile cuts every connection to WeChat in the middle of a rollout: pages say so, nothing fails, and
// all goes on when WeChat is back.
func TestWeChatAwayForAWhile(t *testing.T) {
	t.Parallel()
	merchants := appids(3)
	w, o, template := readyWorld(t, merchants...)
	_, err := w.fake.FailNext(wechatfake.Fault{Mode: wechatfake.FaultCutBefore, Times: -1, Path: "/wxa/commit"})
	require.NoError(t, err)
	o.call(http.MethodPost, "/rollouts", rolloutBody(template, merchants...), nil)
	for _, appid := range merchants {
		eventually(t, appid+" tries again", func() (bool, string) {
			sub := o.waitSubmission(appid, "committing")
			return sub.Error != nil && sub.Error.Code == "wechat_unavailable" && sub.Error.Hint != "", fmt.Sprintf("%+v", sub.Error)
		})
	}
	_, err = w.fake.FailNext(wechatfake.Fault{Mode: wechatfake.FaultCutBefore, Times: -1})
	require.NoError(t, err)
	var problem struct{ Code, Title, Detail string }
	status, err := o.try(t.Context(), http.MethodGet, "/templates", nil, &problem)
	require.Error(t, err)
	require.Contains(t, []int{http.StatusBadGateway, http.StatusGatewayTimeout}, status)
	require.ErrorContains(t, err, "wechat_unavailable")
	w.fake.ClearFaults()
	for _, appid := range merchants {
		o.waitSubmission(appid, "auditing")
		require.Equal(t, 1, w.fake.Effective("/wxa/commit", appid))
	}
}

// TestSlowWeChat lets every answer take longer than polls and pauses.
func TestSlowWeChat(t *testing.T) {
	t.Parallel()
	merchants := appids(1)
	w, o, template := readyWorld(t, merchants...)
	_, err := w.fake.FailNext(wechatfake.Fault{Mode: wechatfake.FaultSlow, Delay: wechatfake.Duration(700 * time.Millisecond), Times: -1, AppID: merchants[0]})
	require.NoError(t, err)
	o.call(http.MethodPost, "/rollouts", rolloutBody(template, merchants...), nil)
	o.waitSubmission(merchants[0], "auditing")
	require.NoError(t, w.fake.Approve(merchants[0]))
	o.waitSubmission(merchants[0], "released")
	for _, once := range []string{"/wxa/commit", "/wxa/submit_audit", "/wxa/release"} {
		require.Equal(t, 1, w.fake.Effective(once, merchants[0]), once)
	}
}

// TestAuditEventsAreOnlyANudge has audit events lost, doubled and sent before WeChat's own state changes.
func TestAuditEventsAreOnlyANudge(t *testing.T) {
	t.Parallel()
	merchants := appids(3)
	w, o, template := readyWorld(t, merchants...)
	w.fake.Set(func(s *wechatfake.Settings) { s.EarlyEventLag = wechatfake.Duration(500 * time.Millisecond) })
	o.call(http.MethodPost, "/rollouts", rolloutBody(template, merchants...), nil)
	for _, appid := range merchants {
		o.waitSubmission(appid, "auditing")
	}
	for i, mode := range []string{"lose", "duplicate", "early"} {
		require.NoError(t, w.fake.NextEvent(mode))
		require.NoError(t, w.fake.Approve(merchants[i]))
	}
	for _, appid := range merchants {
		o.waitSubmission(appid, "released")
		require.Equal(t, 1, w.fake.Effective("/wxa/release", appid))
	}
}

// TestDriftingAnswers has WeChat send ids as text, swap the key of pictures and leave domain names out.
func TestDriftingAnswers(t *testing.T) {
	t.Parallel()
	merchants := appids(2)
	w, o, template := readyWorld(t, merchants...)
	w.fake.Set(func(s *wechatfake.Settings) { s.AuditIDAsString, s.SwapScreenShotKey = true, true })
	_, err := w.fake.FailNext(wechatfake.Fault{Mode: wechatfake.FaultSilentDrop, Path: "/wxa/modify_domain", AppID: merchants[1], Skip: 1})
	require.NoError(t, err)
	o.call(http.MethodPost, "/rollouts", rolloutBody(template, merchants...), nil)
	o.waitSubmission(merchants[0], "auditing")
	require.NoError(t, w.fake.Reject(merchants[0], "reason", 1))
	rejected := o.waitSubmission(merchants[0], "rejected")
	eventually(t, "screenshot", func() (bool, string) {
		o.call(http.MethodGet, "/submissions/"+rejected.ID, nil, &rejected)
		return len(rejected.Screenshots) == 1, ""
	})
	dropped := o.waitSubmission(merchants[1], "blocked")
	require.Equal(t, "domain_refused", dropped.Error.Code)
	require.Contains(t, dropped.Error.Detail, "https://api.a.com")
}
