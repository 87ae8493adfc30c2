package codesubmit

import (
	"fmt"
	"net/http"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/stretchr/testify/require"

	"github.com/wxsteward/wxsteward/internal/wechat/wechatfake"
)

func manyShops(n int) []string {
	list := make([]string, n)
	for i := range list {
		list[i] = fmt.Sprintf("wxshop%011d", i+1)
	}
	return list
}

// rollout is one as the API shows it.
func (e *shops) rollout(id string) map[string]any { return e.do(http.MethodGet, "/rollouts/"+id, nil) }

// counts waits until a rollout has so many submissions in each of the states.
func (e *shops) counts(id string, want map[string]int) {
	e.T.Helper()
	var got map[string]any
	e.Until(fmt.Sprint(want), func() bool {
		got, _ = e.rollout(id)["counts"].(map[string]any)
		for state, n := range want {
			if have, _ := got[state].(float64); int(have) != n {
				return false
			}
		}
		return true
	})
}

// tick does what is due by now, as jobs would: turns are given, and every submission is looked at.
func (e *shops) tick() {
	e.T.Helper()
	ctx := e.T.Context()
	rows, err := e.Pool.Query(ctx, `SELECT id FROM rollout WHERE finished_at IS NULL`)
	require.NoError(e.T, err)
	rollouts, err := pgx.CollectRows(rows, pgx.RowTo[int64])
	require.NoError(e.T, err)
	for _, id := range rollouts {
		_, err := e.service.GiveTurns(ctx, id, 1)
		require.NoError(e.T, err)
	}
	rows, err = e.Pool.Query(ctx, `SELECT id FROM submission WHERE finished_at IS NULL AND admitted ORDER BY id`)
	require.NoError(e.T, err)
	open, err := pgx.CollectRows(rows, pgx.RowTo[int64])
	require.NoError(e.T, err)
	for _, id := range open {
		_, err := e.service.Advance(ctx, id, 0)
		require.NoError(e.T, err)
	}
}

func (e *shops) effective(path string, appids ...string) (n int) {
	for _, appid := range appids {
		n += e.Fake.Effective(path, appid)
	}
	return n
}

func waitsUntil(tb testing.TB, sub map[string]any) time.Time {
	tb.Helper()
	text, _ := sub["wait_until"].(string)
	at, err := time.Parse(time.RFC3339, text)
	require.NoError(tb, err, "%v", sub)
	return at
}

// TestQuotaOf30With100Merchants: those that can be submitted are, the others do not even begin, say until when they wait,
// and go on when the quota returns.
func TestQuotaOf30With100Merchants(t *testing.T) {
	t.Parallel()
	all := manyShops(100)
	e := newShops(t, all...)
	e.Fake.Set(func(s *wechatfake.Settings) { s.AuditRest, s.AuditLimit = 30, 100 })
	id := e.roll("2.3.0", nil, all...)
	e.counts(id, map[string]int{"auditing": 30, "queued": 70})
	require.Equal(t, 30, e.effective("/wxa/commit", all...), "no merchant begins that cannot be submitted")

	month := monthTurns(e.Now())
	for _, appid := range all[30:] {
		sub := e.submission(appid)
		require.Equal(t, "queued", sub["state"], "the first ones have their turn first")
		require.True(t, waitsUntil(t, sub).Equal(month), "the date is shown")
		why, _ := sub["error"].(map[string]any)
		require.Equal(t, quotaExhausted, why["code"])
		require.NotEmpty(t, why["hint"])
	}
	r := e.rollout(id)
	require.Equal(t, "running", r["state"])
	require.Contains(t, r["pause_reason"], month.In(beijing()).Format("2006-01-02"))
	require.NotNil(t, r["held_until"])

	e.Fake.Set(func(s *wechatfake.Settings) { s.AuditRest = 20 })
	e.counts(id, map[string]int{"auditing": 50, "queued": 50})
	e.Fake.Set(func(s *wechatfake.Settings) { s.AuditRest = 1000 })
	e.counts(id, map[string]int{"auditing": 100})
	for _, appid := range all {
		require.Equal(t, 1, e.Fake.Effective("/wxa/commit", appid))
		require.Equal(t, 1, e.Fake.Effective("/wxa/submit_audit", appid))
		require.Nil(t, e.submission(appid)["error"])
	}
	r = e.rollout(id)
	require.Empty(t, r["pause_reason"])
	require.Nil(t, r["held_until"])
	for _, call := range e.Fake.Calls("/wxa/submit_audit") {
		require.NotEqual(t, 85085, call.ErrCode, "the limit is obeyed, not hit")
	}
}

// TestTwoRolloutsShareTheQuota: what one rollout has begun is kept for it.
func TestTwoRolloutsShareTheQuota(t *testing.T) {
	t.Parallel()
	all := manyShops(12)
	e := newShops(t, all...)
	e.fail(wechatfake.Fault{Path: "/wxa/security/get_code_privacy_info", Mode: wechatfake.FaultErrcode, Code: 61039, Times: -1})
	e.Fake.Set(func(s *wechatfake.Settings) { s.AuditRest = 8 })
	first := e.roll("2.3.0", nil, all[:6]...)
	e.counts(first, map[string]int{"detecting": 6})
	second := e.roll("2.3.0", nil, all[6:]...)
	e.counts(second, map[string]int{"detecting": 2, "queued": 4})
	e.Fake.ClearFaults()
	e.counts(first, map[string]int{"auditing": 6})
	e.counts(second, map[string]int{"auditing": 2, "queued": 4})
	e.Fake.Set(func(s *wechatfake.Settings) { s.AuditRest = 100 })
	e.counts(second, map[string]int{"auditing": 6})
}

// TestPausedRolloutKeepsNoQuota: an urgent fix goes first. The merchants of the paused one wait with their submission then.
func TestPausedRolloutKeepsNoQuota(t *testing.T) {
	t.Parallel()
	all := manyShops(12)
	e := newShops(t, all...)
	e.fail(wechatfake.Fault{Path: "/wxa/security/get_code_privacy_info", Mode: wechatfake.FaultErrcode, Code: 61039, Times: -1})
	e.Fake.Set(func(s *wechatfake.Settings) { s.AuditRest, s.AuditLimit = 6, 100 })
	first := e.roll("2.3.0", nil, all[:6]...)
	e.counts(first, map[string]int{"detecting": 6})
	urgent := e.roll("2.3.1", nil, all[6:]...)
	e.Until("it waits", func() bool { return e.rollout(urgent)["held_until"] != nil })
	why, _ := e.submission(all[6])["error"].(map[string]any)
	require.Equal(t, "6 of 100 submissions of this month were left, 6 of them for merchants that have begun", why["detail"])
	require.Contains(t, e.rollout(urgent)["pause_reason"], "for merchants that have begun")

	e.do(http.MethodPost, "/rollouts/"+first+"/pause", nil)
	e.counts(urgent, map[string]int{"detecting": 6})
	e.Fake.ClearFaults()
	e.counts(urgent, map[string]int{"auditing": 6})
	e.do(http.MethodPost, "/rollouts/"+first+"/resume", nil)
	e.counts(first, map[string]int{"submitting": 6})
	e.Until("all say what they wait for", func() bool {
		for _, appid := range all[:6] {
			why, _ := e.submission(appid)["error"].(map[string]any)
			if why["code"] != quotaExhausted {
				return false
			}
		}
		return true
	})
	require.Zero(t, e.effective("/wxa/submit_audit", all[:6]...))
	e.Fake.Set(func(s *wechatfake.Settings) { s.AuditRest = 100 })
	e.counts(first, map[string]int{"auditing": 6})
	for _, call := range e.Fake.Calls("/wxa/submit_audit") {
		require.NotEqual(t, 85085, call.ErrCode, "the limit is obeyed, not hit")
	}
	require.Equal(t, 12, e.effective("/wxa/commit", all...))
}

// TestQuotaGoneUnderWay: somebody else uses the quota up after merchants have begun.
func TestQuotaGoneUnderWay(t *testing.T) {
	t.Parallel()
	all := manyShops(6)
	e := newShops(t, all...)
	e.fail(wechatfake.Fault{Path: "/wxa/security/get_code_privacy_info", Mode: wechatfake.FaultErrcode, Code: 61039, Times: -1})
	id := e.roll("2.3.0", nil, all...)
	e.counts(id, map[string]int{"detecting": 6})
	e.Fake.Set(func(s *wechatfake.Settings) { s.AuditRest = 2 })
	e.Fake.ClearFaults()
	e.counts(id, map[string]int{"auditing": 2, "submitting": 4})
	e.Until("all say until when", func() bool {
		for _, appid := range all {
			if sub := e.submission(appid); sub["state"] == "submitting" && !waitsUntil(t, sub).Equal(monthTurns(e.Now())) {
				return false
			}
		}
		return true
	})
	require.NotNil(t, e.rollout(id)["held_until"])
	before := len(e.Fake.Calls("/wxa/submit_audit"))
	reads := len(e.Fake.Calls("/wxa/queryquota"))
	e.Until("the quota is read again", func() bool { return len(e.Fake.Calls("/wxa/queryquota")) > reads+2 })
	require.Len(t, e.Fake.Calls("/wxa/submit_audit"), before, "nobody tries while nothing is left")
	e.Fake.Set(func(s *wechatfake.Settings) { s.AuditRest = 100 })
	e.counts(id, map[string]int{"auditing": 6})
	require.Equal(t, 6, e.effective("/wxa/submit_audit", all...))
}

// TestQuotaIsReadAgainOnResume does not wait for the poll.
func TestQuotaIsReadAgainOnResume(t *testing.T) {
	t.Parallel()
	all := manyShops(2)
	e := newShops(t, all...)
	e.service.cfg.AuditPoll = time.Hour
	e.Fake.Set(func(s *wechatfake.Settings) { s.AuditRest = 0 })
	id := e.roll("2.3.0", nil, all...)
	e.Until("it is held", func() bool { return e.rollout(id)["held_until"] != nil })
	e.do(http.MethodPost, "/rollouts/"+id+"/pause", nil)
	e.Fake.Set(func(s *wechatfake.Settings) { s.AuditRest = 5 })
	e.do(http.MethodPost, "/rollouts/"+id+"/resume", nil)
	e.counts(id, map[string]int{"auditing": 2})
}

// TestMinuteLimitSlowsEverybodyDown: after one 45011 nobody makes this call until the minute turns.
func TestMinuteLimitSlowsEverybodyDown(t *testing.T) {
	t.Parallel()
	all := manyShops(5)
	e := newShops(t, all...)
	e.StopJobs()
	e.fail(wechatfake.Fault{Path: "/wxa/commit", Mode: wechatfake.FaultErrcode, Code: 45011})
	id := e.roll("2.3.0", nil, all...)
	e.tick()
	minute := e.Now().Truncate(time.Minute).Add(time.Minute)
	require.Len(t, e.Fake.Calls("/wxa/commit"), 1)
	for _, appid := range all {
		sub := e.submission(appid)
		require.Equal(t, "committing", sub["state"])
		require.True(t, waitsUntil(t, sub).Equal(minute))
		why, _ := sub["error"].(map[string]any)
		require.Equal(t, rateLimited, why["code"])
	}
	require.NotEmpty(t, e.rollout(id)["pause_reason"])
	e.tick()
	require.Len(t, e.Fake.Calls("/wxa/commit"), 1)
	e.Pass(minute.Sub(e.Now()))
	e.Until("released by the minute", func() bool {
		e.tick()
		return e.effective("/wxa/submit_audit", all...) == 5
	})
	require.Equal(t, 5, e.effective("/wxa/commit", all...))
	require.Empty(t, e.rollout(id)["pause_reason"])
}

// TestDailyLimitOfOneMerchantIsItsOwn, and of two is everybody's: 45009 counts for each account, but who meets it twice
// should stop.
func TestDailyLimitOfOneMerchantIsItsOwn(t *testing.T) {
	t.Parallel()
	all := manyShops(5)
	e := newShops(t, all...)
	evening := e.Now().In(beijing())
	evening = time.Date(evening.Year(), evening.Month(), evening.Day(), 20, 0, 0, 0, evening.Location())
	if wait := evening.Sub(e.Now()); wait > 0 { // no ticket lasts for a day
		e.Pass(wait)
		e.newTicket()
	}
	e.StopJobs()
	e.fail(wechatfake.Fault{Path: "/wxa/submit_audit", AppID: all[0], Mode: wechatfake.FaultErrcode, Code: 45009})
	e.fail(wechatfake.Fault{Path: "/wxa/submit_audit", AppID: all[2], Mode: wechatfake.FaultErrcode, Code: 45009})
	e.roll("2.3.0", nil, all...)
	e.tick()
	now := e.Now().In(beijing())
	midnight := time.Date(now.Year(), now.Month(), now.Day()+1, 0, 0, 0, 0, now.Location())
	for i, state := range []string{"submitting", "auditing", "submitting", "submitting", "submitting"} {
		sub := e.submission(all[i])
		require.Equal(t, state, sub["state"], i)
		if state == "submitting" {
			require.True(t, waitsUntil(t, sub).Equal(midnight), "the day turns in China")
		}
	}
	require.Len(t, e.Fake.Calls("/wxa/submit_audit"), 3)
	e.Pass(midnight.Sub(e.Now()))
	e.tick()
	require.Equal(t, 5, e.effective("/wxa/submit_audit", all...))
}

// newTicket has WeChat push a ticket, which it does every ten minutes; one is good for twelve hours.
func (e *shops) newTicket() {
	e.T.Helper()
	before, err := e.Component.TicketStatus(e.T.Context())
	require.NoError(e.T, err)
	e.Fake.PushTicket()
	e.Until("a new ticket", func() bool {
		status, err := e.Component.TicketStatus(e.T.Context())
		return err == nil && status.ReceivedAt.After(before.ReceivedAt)
	})
}

// TestWindowsKeepTheirHours has versions approved at noon released between two and four at night, in zones with and
// without daylight saving time, on days that have no two o'clock and days that have it twice.
func TestWindowsKeepTheirHours(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ zone, noon, opens string }{
		{"Asia/Shanghai", "2027-03-27T12:00:00+08:00", "2027-03-28T02:00:00+08:00"},
		{"Europe/Berlin", "2027-03-26T12:00:00+01:00", "2027-03-27T02:00:00+01:00"},
		{"Europe/Berlin", "2027-03-27T12:00:00+01:00", "2027-03-28T03:00:00+02:00"}, // two o'clock is left out
		{"Europe/Berlin", "2027-03-28T12:00:00+02:00", "2027-03-29T02:00:00+02:00"},
		{"Europe/Berlin", "2027-10-30T12:00:00+02:00", "2027-10-31T02:00:00+02:00"}, // the first of two
		{"America/New_York", "2027-03-13T12:00:00-05:00", "2027-03-14T03:00:00-04:00"},
		{"America/New_York", "2027-11-06T12:00:00-04:00", "2027-11-07T02:00:00-05:00"}, // the hour before comes twice
	} {
		t.Run(c.zone+" "+c.opens, func(t *testing.T) {
			t.Parallel()
			e := newShops(t, shop)
			zone, err := time.LoadLocation(c.zone)
			require.NoError(t, err)
			noon, err := time.Parse(time.RFC3339, c.noon)
			require.NoError(t, err)
			opens, err := time.Parse(time.RFC3339, c.opens)
			require.NoError(t, err)
			e.Pass(noon.Sub(e.Now()))
			e.newTicket()
			e.service.cfg.Location, e.service.cfg.AuditPoll = zone, 20*time.Minute

			e.roll("2.3.0", map[string]any{"release": map[string]any{"window": "* 2-3 * * *"}}, shop)
			e.until(shop, "auditing")
			require.NoError(t, e.Fake.Approve(shop))
			e.Pass(6 * time.Hour)
			e.newTicket()
			e.StopJobs()
			e.tick()
			sub := e.submission(shop)
			require.Equal(t, "approved", sub["state"])
			require.True(t, waitsUntil(t, sub).Equal(opens), "it waits until %s, not %s", opens, waitsUntil(t, sub))
			looks := 0
			for e.Now().Before(opens.Add(2 * time.Hour)) {
				if e.submission(shop)["state"] == "released" {
					break
				}
				calls := len(e.Fake.Calls("/wxa/getversioninfo"))
				at := e.Now()
				e.tick()
				switch released := e.Fake.Effective("/wxa/release", shop) == 1; {
				case released:
					require.False(t, at.Before(opens), "released at %s, before %s", at, opens)
					require.Less(t, at.Sub(opens), 10*time.Minute)
				case len(e.Fake.Calls("/wxa/getversioninfo")) > calls:
					looks++
				}
				e.Pass(10 * time.Minute)
			}
			require.Equal(t, "released", e.submission(shop)["state"], "%v", e.submission(shop))
			require.Greater(t, looks, 10, "what is done in WeChat's console is noticed meanwhile")
		})
	}
}

func TestFailingCanaryStopsTheRest(t *testing.T) {
	t.Parallel()
	all := manyShops(6)
	e := newShops(t, all...)
	id := e.roll("2.3.0", map[string]any{"strategy": map[string]any{"canary": 2}}, all...)
	e.counts(id, map[string]int{"auditing": 2, "queued": 4})
	e.approve(all[0])
	e.until(all[0], "released")
	require.NoError(t, e.Fake.Reject(all[1], "no", 0))
	e.Until("paused", func() bool { return e.rollout(id)["state"] == "paused" })
	require.Contains(t, e.rollout(id)["pause_reason"], all[1])
	require.Zero(t, e.effective("/wxa/commit", all[2:]...), "nobody else has begun")

	e.do(http.MethodPost, "/rollouts/"+id+"/resume", nil)
	e.counts(id, map[string]int{"auditing": 4, "rejected": 1, "released": 1})
	e.approve(all[2:]...)
	e.counts(id, map[string]int{"released": 5, "rejected": 1})
	require.Equal(t, "completed", e.rollout(id)["state"])
}

func TestBatchesFollowEachOther(t *testing.T) {
	t.Parallel()
	all := manyShops(7)
	e := newShops(t, all...)
	e.fail(wechatfake.Fault{Path: "/wxa/security/get_code_privacy_info", AppID: all[1], Mode: wechatfake.FaultErrcode, Code: 61039, Times: -1})
	e.fail(wechatfake.Fault{Path: "/wxa/commit", AppID: all[2], Mode: wechatfake.FaultErrcode, Code: 85013})
	id := e.roll("2.3.0", map[string]any{"strategy": map[string]any{"batch_size": 3}}, all...)
	e.counts(id, map[string]int{"auditing": 1, "detecting": 1, "failed": 1, "queued": 4})
	e.Fake.ClearFaults() // the last of the batch comes to audit, the one that failed has ended
	e.counts(id, map[string]int{"auditing": 6, "failed": 1})
}

func TestThresholdPausesAndResumeGoesOn(t *testing.T) {
	t.Parallel()
	all := manyShops(8)
	e := newShops(t, all...)
	id := e.roll("2.3.0", map[string]any{
		"strategy": map[string]any{"batch_size": 4, "max_failed_percent": 49}, "release": map[string]any{"mode": "manual"}, "audit": map[string]any{"submit": "manual"},
	}, all...)
	e.counts(id, map[string]int{"trial": 4, "queued": 4})
	submit := func(appid string) { e.do(http.MethodPost, "/submissions/"+e.submissionID(appid)+"/submit", nil) }
	submit(all[0])
	e.until(all[0], "auditing")
	require.NoError(t, e.Fake.Reject(all[0], "no", 0)) // one of one
	e.Until("paused", func() bool { return e.rollout(id)["state"] == "paused" })
	submit(all[1])
	time.Sleep(300 * time.Millisecond) // longer than any poll: a paused rollout submits nothing
	require.Zero(t, e.Fake.Effective("/wxa/submit_audit", all[1]))
	e.do(http.MethodPost, "/rollouts/"+id+"/resume", nil)
	for _, appid := range all[2:4] {
		submit(appid)
	}
	e.counts(id, map[string]int{"auditing": 3, "rejected": 1, "trial": 4})
	require.Equal(t, "running", e.rollout(id)["state"], "what failed before no longer counts")
}
