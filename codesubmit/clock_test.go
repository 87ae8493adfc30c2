package codesubmit

import (
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/wxsteward/wxsteward/internal/wechat/wechatfake"
)

// byTheMinute lets time go by, and what is due be done, until something has come about; it fails after limit.
func (e *shops) byTheMinute(what string, limit time.Duration, done func() bool) {
	e.T.Helper()
	for began := e.Now(); ; {
		e.tick()
		if done() {
			return
		}
		require.LessOrEqual(e.T, e.Now().Sub(began), limit, "%s; %v", what, e.submission(shop))
		e.Pass(time.Minute)
	}
}

func (e *shops) stateIs(state string) func() bool {
	return func() bool { return e.submission(shop)["state"] == state }
}

// TestClockJumps sets our clock an hour on or back while WeChat's goes on as before: nothing is sent twice, and nothing
// waits for much longer than it would have.
func TestClockJumps(t *testing.T) {
	t.Parallel()
	const settling, polling = 3 * time.Minute, 12 * time.Minute
	inDoubt := func(path, state string, fault wechatfake.Fault) func(*shops, time.Duration) {
		return func(e *shops, jump time.Duration) {
			fault.Path = path
			e.fail(fault)
			if path != "/wxa/commit" {
				e.byTheMinute("it is approved", settling, e.stateIs("auditing"))
				require.NoError(e.T, e.Fake.Approve(shop))
				e.Pass(polling)
			}
			e.tick()
			calls := len(e.Fake.Calls(path))
			require.Equal(e.T, 1, calls, path)
			e.Jump(jump)
			e.tick()
			e.Pass(30 * time.Second)
			e.tick()
			require.Len(e.T, e.Fake.Calls(path), 1, "the call may still be at work")
			e.byTheMinute(path+" has its outcome", settling, e.stateIs(state))
		}
	}
	for _, c := range []struct {
		name   string
		change map[string]any
		middle func(e *shops, jump time.Duration)
	}{
		{"commit in doubt, done", nil, inDoubt("/wxa/commit", "auditing", wechatfake.Fault{Mode: wechatfake.FaultAsyncAccepted})},
		{"commit in doubt, not done", nil, inDoubt("/wxa/commit", "auditing", wechatfake.Fault{Mode: wechatfake.FaultAsyncLost})},
		{"release in doubt, not done", nil, inDoubt("/wxa/release", "released", wechatfake.Fault{Mode: wechatfake.FaultCutBefore})},
		{"commit detection", nil, func(e *shops, jump time.Duration) {
			e.Fake.Set(func(s *wechatfake.Settings) { s.DetectionTime = wechatfake.Duration(10 * time.Minute) })
			e.tick()
			require.Equal(e.T, "detecting", e.submission(shop)["state"])
			e.Jump(jump)
			e.byTheMinute("detection is over", 10*time.Minute+settling, e.stateIs("auditing"))
		}},
		{"audit", nil, func(e *shops, jump time.Duration) {
			e.byTheMinute("it is in audit", settling, e.stateIs("auditing"))
			e.Jump(jump)
			e.tick()
			require.NoError(e.T, e.Fake.Approve(shop))
			e.byTheMinute("the result is read", polling, e.stateIs("released"))
		}},
		{"release window", nil, func(e *shops, jump time.Duration) {
			e.byTheMinute("it is in audit", settling, e.stateIs("auditing"))
			require.NoError(e.T, e.Fake.Approve(shop))
			e.byTheMinute("it is approved", polling, e.stateIs("approved"))
			opens := waitsUntil(e.T, e.submission(shop))
			e.Jump(jump)
			e.byTheMinute("the window opens", 5*time.Hour, func() bool {
				released := e.submission(shop)["state"] == "released"
				require.False(e.T, released && e.Clock().Before(opens), "released before the window")
				return released
			})
			require.Less(e.T, e.Clock().Sub(opens), 2*time.Minute)
		}},
		{"gray interval", gray([]int{10, 50}, "2h"), func(e *shops, jump time.Duration) {
			e.byTheMinute("it is in audit", settling, e.stateIs("auditing"))
			require.NoError(e.T, e.Fake.Approve(shop))
			at := func(percentage int) func() bool {
				return func() bool { return e.view(shop).Gray.Percentage == percentage }
			}
			e.byTheMinute("the first step", polling, at(10))
			e.Jump(jump)
			e.byTheMinute("the second step", 2*time.Hour+polling, at(50))
			e.Jump(-jump)
			e.byTheMinute("everybody", 3*time.Hour+polling, e.stateIs("released"))
			require.Equal(e.T, 2, e.Fake.Effective("/wxa/grayrelease", shop))
			require.Len(e.T, e.Fake.Calls("/wxa/grayrelease"), 2)
		}},
		{"quota hold", nil, func(e *shops, jump time.Duration) {
			e.Fake.Set(func(s *wechatfake.Settings) { s.AuditRest = 0 })
			e.tick()
			require.NotNil(e.T, e.rollout("1")["held_until"])
			e.Jump(jump)
			e.tick()
			require.Zero(e.T, e.Fake.Effective("/wxa/commit", shop), "nobody begins who cannot be submitted")
			e.Fake.Set(func(s *wechatfake.Settings) { s.AuditRest = 5 })
			e.byTheMinute("the quota is read again", polling, e.stateIs("auditing"))
		}},
		{"minute limit", nil, func(e *shops, jump time.Duration) {
			e.fail(wechatfake.Fault{Path: "/wxa/commit", Mode: wechatfake.FaultErrcode, Code: 45011})
			e.tick()
			require.Equal(e.T, "committing", e.submission(shop)["state"])
			e.Jump(jump)
			e.byTheMinute("the minute turns", settling, e.stateIs("auditing"))
		}},
	} {
		for _, jump := range []time.Duration{time.Hour, -time.Hour} {
			t.Run(fmt.Sprintf("%s, %+.0f h", c.name, jump.Hours()), func(t *testing.T) {
				t.Parallel()
				e := newShops(t, shop)
				e.StopJobs()
				e.service.cfg.DetectionPoll, e.service.cfg.AuditPoll, e.service.cfg.RetryBase = time.Minute, 10*time.Minute, 5*time.Second
				e.live(shop, "1.0.0")
				change := c.change
				if window := fmt.Sprintf("* %d * * *", e.Now().In(beijing()).Add(3*time.Hour).Hour()); c.name == "release window" {
					change = map[string]any{"release": map[string]any{"window": window}}
				}
				e.roll("2.3.0", change, shop)
				c.middle(e, jump)
				if e.stateIs("auditing")() {
					require.NoError(t, e.Fake.Approve(shop))
					e.byTheMinute("it is released", polling, e.stateIs("released"))
				}
				require.Equal(t, "2.3.0", e.view(shop).Live.UserVersion)
				for _, path := range []string{"/wxa/commit", "/wxa/submit_audit"} {
					require.Equal(t, 1, e.Fake.Effective(path, shop), path)
				}
				require.LessOrEqual(t, e.Fake.Effective("/wxa/release", shop), 1)
			})
		}
	}
}

// TestJobsThatSleepByAWrongClock: a clock that is set back leaves jobs that would sleep for the hour, too.
func TestJobsThatSleepByAWrongClock(t *testing.T) {
	t.Parallel()
	e := newShops(t, shop)
	e.StopJobs()
	e.service.cfg.DetectionPoll, e.service.cfg.AuditPoll = time.Minute, 10*time.Minute
	e.roll("2.3.0", nil, shop)
	e.byTheMinute("it is in audit", 3*time.Minute, e.stateIs("auditing"))
	waiting := func() int {
		return e.Count(`SELECT count(*) FROM river_job WHERE kind = 'submission_advance' AND state = 'available'`)
	}
	before := waiting()
	require.NoError(t, e.service.sweep(t.Context()))
	require.Equal(t, before, waiting(), "nothing is forgotten")
	e.Jump(-time.Hour)
	require.NoError(t, e.service.sweep(t.Context()))
	require.Equal(t, before+1, waiting())
	e.tick()
	require.NoError(t, e.service.sweep(t.Context()))
	require.Equal(t, before+1, waiting(), "it is looked at once")
}
