package codesubmit

import (
	"net/http"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/wxsteward/wxsteward/internal/wechat/wechatfake"
)

// An operator cancels while a call is on its way that WeChat will not take: nothing is sent again.
func TestCanceledWhileACallIsInDoubt(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		path  string
		live  string // afterwards
		begin func(e *shops)
	}{
		"release": {"/wxa/release", "1.0.0", func(e *shops) {
			e.roll("2.3.0", nil, shop)
			e.approve(shop)
		}},
		"gray release": {"/wxa/grayrelease", "1.0.0", func(e *shops) {
			e.roll("2.3.0", gray([]int{10}, nil), shop)
			e.approve(shop)
		}},
		"rollback": {"/wxa/revertcoderelease", "2.3.0", func(e *shops) {
			rollout := e.released("2.3.0", shop)
			e.fail(wechatfake.Fault{Path: "/wxa/revertcoderelease", Skip: 1, Mode: wechatfake.FaultHTTP, Code: 502})
			e.do(http.MethodPost, "/rollouts/"+rollout+"/rollback", nil)
		}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			e := newShops(t, shop)
			e.live(shop, "1.0.0")
			if name != "rollback" {
				e.fail(wechatfake.Fault{Path: tc.path, Mode: wechatfake.FaultHTTP, Code: 502})
			}
			e.Fake.Set(func(s *wechatfake.Settings) {
				s.Latency = map[string]wechatfake.Duration{tc.path: wechatfake.Duration(time.Second)}
			})
			tc.begin(e)
			e.Until("the call is on its way", func() bool {
				return e.Count(`SELECT count(*) FROM submission WHERE state = 'releasing' AND sent_at IS NOT NULL`) == 1
			})
			e.do(http.MethodPost, "/submissions/"+e.submissionID(shop)+"/cancel", nil)
			e.until(shop, "canceled")
			require.Equal(t, tc.live, e.view(shop).Live.UserVersion)
			require.Zero(t, e.Fake.Effective(tc.path, shop))
		})
	}
}
