package codesubmit

import (
	"net/http"
	"testing"

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
