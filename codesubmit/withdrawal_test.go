package codesubmit

import (
	"net/http"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/wxsteward/wxsteward/internal/wechat/wechatfake"
)

// TestCanceledRolloutWhoseAuditStays cancels with the wish to take audits back, which WeChat refuses: the audit goes on
// there, but its version is not released.
func TestCanceledRolloutWhoseAuditStays(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		code  int
		left  float64 // withdrawals of today
		again bool    // the operator asks for the withdrawal once more
	}{
		"none are left":               {87013, 0, false},
		"none are left, asked twice":  {87013, 0, true},
		"the day's calls are used up": {45009, withdrawalsADay, false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			e := newShops(t, shop)
			rollout := e.roll("2.3.0", nil, shop)
			e.until(shop, "auditing")
			e.StopJobs()
			e.fail(wechatfake.Fault{Path: "/wxa/undocodeaudit", Mode: wechatfake.FaultErrcode, Code: c.code})
			e.do(http.MethodPost, "/rollouts/"+rollout+"/cancel?withdraw=true", nil)
			if c.again {
				e.do(http.MethodPost, "/submissions/"+e.submissionID(shop)+"/withdraw", nil)
			}
			e.tick()
			require.NoError(t, e.Fake.Approve(shop))
			e.Pass(time.Minute)
			e.tick()
			sub := e.submission(shop)
			require.Equal(t, "canceled", sub["state"])
			require.Zero(t, e.Fake.Effective("/wxa/release", shop))
			why, _ := sub["error"].(map[string]any)
			require.InDelta(t, c.code, why["errcode"], 0, "the operator is told why it is still in audit")
			require.NotEmpty(t, why["detail"])
			require.NotEmpty(t, why["hint"])
			require.InDelta(t, c.left, sub["withdrawals"].(map[string]any)["today_left"], 0)
			// A retry goes on at the audit.
			e.do(http.MethodPost, "/submissions/"+e.submissionID(shop)+"/retry", nil)
			e.tick()
			require.Equal(t, "released", e.submission(shop)["state"])
		})
	}
}
