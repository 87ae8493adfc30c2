package codesubmit

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/wxsteward/wxsteward/internal/wechat/wechatfake"
)

const (
	latestAudit = "/wxa/get_latest_auditstatus"
	versionInfo = "/wxa/getversioninfo"
)

// TestFailuresCountInARow: a look that works ends the row, however many fail over the days.
func TestFailuresCountInARow(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		change map[string]any
		path   string
		state  string
		begin  func(e *shops)
	}{
		"audit": {nil, latestAudit, "auditing", func(e *shops) { e.until(shop, "auditing") }},
		"gray release": {gray([]int{10}, nil), versionInfo, "releasing", func(e *shops) {
			e.approve(shop)
			e.atStep(shop, 10)
		}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			e := newShops(t, shop)
			e.live(shop, "1.0.0")
			e.roll("2.3.0", c.change, shop)
			c.begin(e)
			e.StopJobs()
			for i := range maxAttempts {
				e.fail(wechatfake.Fault{Path: c.path, Mode: wechatfake.FaultHTTP, Code: 502})
				e.Pass(longestPause)
				e.tick()
				sub := e.submission(shop)
				require.Equal(t, c.state, sub["state"], "failure %d", i+1)
				why, _ := sub["error"].(map[string]any)
				require.Equal(t, "wechat_unavailable", why["code"])
				e.Pass(longestPause)
				e.tick()
				require.Nil(t, e.submission(shop)["error"])
				require.Zero(t, e.Count(`SELECT attempts FROM submission`))
			}
		})
	}
}

// TestLongOutageLosesNoAudit: what only waits for reviewers or an operator outlasts an outage of hours, and says what is
// the matter.
func TestLongOutageLosesNoAudit(t *testing.T) {
	t.Parallel()
	for state, c := range map[string]struct {
		change map[string]any
		path   string
		begin  func(e *shops)
	}{
		"trial":    {map[string]any{"audit": map[string]any{"submit": "manual"}}, versionInfo, func(*shops) {}},
		"auditing": {nil, latestAudit, func(*shops) {}},
		"approved": {map[string]any{"release": map[string]any{"mode": "manual"}}, versionInfo, func(e *shops) { e.approve(shop) }},
	} {
		t.Run(state, func(t *testing.T) {
			t.Parallel()
			e := newShops(t, shop)
			e.roll("2.3.0", c.change, shop)
			c.begin(e)
			e.until(shop, state)
			e.StopJobs()
			e.fail(wechatfake.Fault{Path: c.path, Mode: wechatfake.FaultHTTP, Code: 502, Times: -1})
			calls := len(e.Fake.Calls(c.path))
			for range 2 * maxAttempts {
				e.Pass(longestPause)
				e.tick()
			}
			require.Len(t, e.Fake.Calls(c.path), calls+2*maxAttempts, "it asks no more often than the pauses allow, and goes on")
			sub := e.submission(shop)
			require.Equal(t, state, sub["state"])
			why, _ := sub["error"].(map[string]any)
			require.Equal(t, "wechat_unavailable", why["code"])
			require.LessOrEqual(t, waitsUntil(t, sub).Sub(e.Now()), longestPause)
			e.Fake.ClearFaults()
			e.Pass(longestPause)
			e.tick()
			sub = e.submission(shop)
			require.Equal(t, state, sub["state"])
			require.Nil(t, sub["error"])
		})
	}
}
