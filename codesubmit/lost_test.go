package codesubmit

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/wxsteward/wxsteward/internal/wechat/wechatfake"
)

// TestWhatIsLostBetweenTwoSteps takes away what preflight has found in order: each merchant stops with a reason, and none
// is tried in a loop.
func TestWhatIsLostBetweenTwoSteps(t *testing.T) {
	t.Parallel()
	domains := map[string]any{"domains": map[string]any{"request": []string{"https://api.a.com"}}}
	for name, c := range map[string]struct {
		path  string // the call that is kept from working meanwhile
		lose  func(e *shops)
		state string
		code  string
	}{
		"template":      {"/wxa/commit", func(e *shops) { require.NoError(e.T, e.Component.API().DeleteTemplate(e.T.Context(), e.template)) }, "failed", "template_gone"},
		"domain":        {"/wxa/modify_domain", func(e *shops) { e.Fake.SetPlatformDomains([]string{"other.a.com"}, nil) }, "blocked", "domain_not_on_platform"},
		"authorization": {"/wxa/commit", func(e *shops) { require.NoError(e.T, e.Fake.Revoke(shop)) }, "canceled", "unauthorized"},
		"filing": {"/wxa/submit_audit", func(e *shops) {
			require.NoError(e.T, e.Fake.AddMerchant(wechatfake.Merchant{AppID: shop, ICPStatus: 1024}))
			e.Fake.Set(func(s *wechatfake.Settings) { s.SubmitICPCode = 85999 }) // the code is nowhere documented
		}, "blocked", "wechat_refused"},
		"name": {"/wxa/submit_audit", func(e *shops) {
			require.NoError(e.T, e.Fake.AddMerchant(wechatfake.Merchant{AppID: shop, NoBasicInfo: true}))
		}, "blocked", "not_initialised"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			e := newShops(t, shop)
			e.fail(wechatfake.Fault{Path: c.path, Mode: wechatfake.FaultErrcode, Code: 9402202, Times: -1})
			e.roll("2.3.0", domains, shop)
			e.Until("it is tried", func() bool { return len(e.Fake.Calls(c.path)) > 0 })
			c.lose(e)
			e.Fake.ClearFaults()
			sub := e.until(shop, c.state)
			why, _ := sub["error"].(map[string]any)
			require.Equal(t, c.code, why["code"], why)
			require.NotEmpty(t, why["hint"])
			calls := len(e.Fake.Calls(""))
			time.Sleep(300 * time.Millisecond) // longer than every poll
			require.Len(t, e.Fake.Calls(""), calls, "nothing is tried any more")
			require.Zero(t, e.Fake.Effective("/wxa/release", shop))
		})
	}
}
