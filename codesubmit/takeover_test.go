package codesubmit

import (
	"net/http"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/wxsteward/wxsteward/internal/wechat/wechatfake"
)

// What people do in WeChat's console meanwhile: no event tells us of it.

func TestCommitByHandOverOursIsNotSubmitted(t *testing.T) {
	t.Parallel()
	e := newShops(t, shop)
	e.roll("2.3.0", map[string]any{"audit": map[string]any{"submit": "manual"}}, shop)
	e.until(shop, "trial")
	require.NoError(t, e.Fake.ConsoleCommit(shop, "2.3.0", "of somebody else"))
	e.API(http.MethodPost, "/submissions/"+e.submissionID(shop)+"/submit", nil) // it may have been noticed before
	sub := e.until(shop, "blocked", "auditing")
	require.Equal(t, "blocked", sub["state"])
	require.Equal(t, "trial_replaced", sub["error"].(map[string]any)["code"])
	require.Zero(t, e.Fake.Effective("/wxa/submit_audit", shop))
	// Retry takes the trial version over again.
	e.do(http.MethodPost, "/submissions/"+e.submissionID(shop)+"/retry", nil)
	if e.until(shop, "trial", "auditing")["state"] == "trial" {
		e.do(http.MethodPost, "/submissions/"+e.submissionID(shop)+"/submit", nil)
	}
	e.approve(shop)
	e.until(shop, "released")
	require.Equal(t, 2, e.Fake.Effective("/wxa/commit", shop))
}

// WeChat leaves the trial version out of an answer at times: that is not yet another commit.
func TestTrialVersionThatWeChatDoesNotTell(t *testing.T) {
	t.Parallel()
	e := newShops(t, shop)
	e.roll("2.3.0", map[string]any{"audit": map[string]any{"submit": "manual"}}, shop)
	e.until(shop, "trial")
	e.StopJobs()
	e.fail(wechatfake.Fault{Path: "/wxa/getversioninfo", Mode: wechatfake.FaultSilentDrop}) // neither exp_info nor release_info
	e.Pass(time.Minute)
	e.tick()
	require.Equal(t, "trial", e.submission(shop)["state"])
	calls := e.Fake.Calls("/wxa/getversioninfo")
	require.Equal(t, wechatfake.FaultSilentDrop, calls[len(calls)-1].Fault)
	e.do(http.MethodPost, "/submissions/"+e.submissionID(shop)+"/submit", nil)
	e.tick()
	require.Equal(t, "auditing", e.submission(shop)["state"])
	require.Equal(t, 1, e.Fake.Effective("/wxa/commit", shop))
}

// TestAnotherRolloutsCodeIsNotSubmittedAsOurs takes a rollout up again whose trial version another one has replaced since,
// a moment ago.
func TestAnotherRolloutsCodeIsNotSubmittedAsOurs(t *testing.T) {
	t.Parallel()
	for name, told := range map[string]bool{"WeChat shows the trial version": true, "WeChat leaves it out": false} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			e := newShops(t, shop)
			e.StopJobs()
			detecting := wechatfake.Fault{Path: "/wxa/security/get_code_privacy_info", Mode: wechatfake.FaultErrcode, Code: 61039, Times: -1}
			e.fail(detecting)
			var ids []string
			for _, version := range []string{"2.3.0", "2.4.0"} {
				e.roll(version, nil, shop)
				e.tick()
				require.Equal(t, "detecting", e.submission(shop)["state"])
				ids = append(ids, e.submissionID(shop))
				e.do(http.MethodPost, "/submissions/"+e.submissionID(shop)+"/cancel", nil)
				e.Pass(time.Minute)
			}
			e.Fake.ClearFaults()
			if !told {
				e.fail(wechatfake.Fault{Path: "/wxa/getversioninfo", Mode: wechatfake.FaultSilentDrop})
			}
			e.do(http.MethodPost, "/submissions/"+ids[0]+"/retry", nil)
			e.tick()
			older := e.do(http.MethodGet, "/submissions/"+ids[0], nil)
			require.Equal(t, "blocked", older["state"])
			require.Equal(t, "trial_replaced", older["error"].(map[string]any)["code"])
			require.Empty(t, e.Fake.Calls("/wxa/submit_audit"))
			e.do(http.MethodPost, "/submissions/"+ids[0]+"/retry", nil) // commits ours again
			e.byTheMinute("ours is in audit", time.Hour, func() bool { return e.Fake.Effective("/wxa/submit_audit", shop) == 1 })
			require.Equal(t, "2.3.0", e.view(shop).Audit.UserVersion)
			require.Equal(t, 3, e.Fake.Effective("/wxa/commit", shop))
		})
	}
}

// decisions are what may become of an audit, by the state that a submission comes to.
func decisions() map[string]int {
	return map[string]int{"released": wechatfake.AuditApproved, "rejected": wechatfake.AuditRejected, "withdrawn": wechatfake.AuditWithdrawn}
}

func TestAuditSubmittedByHandIsWaitedFor(t *testing.T) {
	t.Parallel()
	merchants := manyShops(len(decisions()))
	e := newShops(t, merchants...)
	for _, appid := range merchants {
		require.NoError(t, e.Fake.ConsoleSubmit(appid))
	}
	e.roll("2.3.0", nil, merchants...)
	for _, appid := range merchants {
		e.Until("85009 is met", func() bool {
			failure, _ := e.submission(appid)["error"].(map[string]any)
			return failure["errcode"] == 85009.0
		})
		require.Equal(t, "submitting", e.submission(appid)["state"], "waited for, not blocked")
	}
	left := merchants
	for _, status := range decisions() {
		require.NoError(t, e.Fake.ConsoleDecide(left[0], status, ""))
		left = left[1:]
	}
	e.approve(merchants...)
	for _, appid := range merchants {
		e.until(appid, "released")
		require.Equal(t, 1, e.Fake.Effective("/wxa/commit", appid))
		require.Equal(t, 1, e.Fake.Effective("/wxa/submit_audit", appid))
	}
}

func TestAuditDecidedOutsideIsNoticed(t *testing.T) {
	t.Parallel()
	merchants := manyShops(len(decisions()))
	e := newShops(t, merchants...)
	e.roll("2.3.0", nil, merchants...)
	for _, appid := range merchants {
		e.until(appid, "auditing")
	}
	left := merchants
	for state, status := range decisions() {
		require.NoError(t, e.Fake.ConsoleDecide(left[0], status, "1:原因"))
		e.until(left[0], state)
		left = left[1:]
	}
}

func TestReleaseOutsideIsNoticed(t *testing.T) {
	t.Parallel()
	e := newShops(t, shop)
	e.roll("2.3.0", map[string]any{"release": map[string]any{"mode": "manual"}}, shop)
	e.approve(shop)
	e.until(shop, "approved")
	require.NoError(t, e.Fake.ConsoleRelease(shop))
	e.until(shop, "released")
	require.Zero(t, e.Fake.Effective("/wxa/release", shop))
}
