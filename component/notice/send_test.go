package notice

import (
	"context"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/wxsteward/wxsteward/component"
	"github.com/wxsteward/wxsteward/internal/fault"
	"github.com/wxsteward/wxsteward/internal/outbound"
	"github.com/wxsteward/wxsteward/internal/sealed"
)

func TestEveryKindIsReached(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct{ name, kind, secret string }{
		{"WeCom", KindWeCom, ""},
		{"DingTalk without a secret", KindDingTalk, ""},
		{"DingTalk with 加签", KindDingTalk, robotSecret},
		{"Feishu without a secret", KindFeishu, ""},
		{"Feishu with 签名校验", KindFeishu, robotSecret},
		{"a webhook", KindWebhook, ""},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			r := newReplica(t)
			to := newRobot(t, tc.kind, tc.secret, r.clock.Now)
			c := r.channel(t, to)
			r.announce(t, paused(7))
			require.Equal(t, 1, r.step(t))
			group := to.group()
			require.Len(t, group, 1)
			assert.Equal(t, "发布已暂停：autumn 7", group[0].title)
			for _, part := range []string{"3 个已结束的商户中有 2 个失败", "恢复或取消发布", "https://steward.example.com/admin/rollouts/7"} {
				assert.Contains(t, group[0].text, part)
			}
			list := r.notices(t, Filter{})
			require.Len(t, list, 1)
			assert.Equal(t, stateSent, list[0].state)
			assert.WithinDuration(t, r.now(), list[0].sentAt, time.Minute)
			c, err := r.Channel(t.Context(), c.ID)
			require.NoError(t, err)
			assert.Zero(t, c.FailingSince)
			assert.False(t, c.LastSentAt.IsZero())

			a, err := r.Try(t.Context(), c.ID)
			require.NoError(t, err)
			assert.Empty(t, a.Failure)
			assert.Equal(t, http.StatusOK, a.Status)
			require.Len(t, to.group(), 2)
			assert.Contains(t, to.group()[1].title, "测试")

			if tc.kind != KindWebhook { // which is no chat
				call := paused(8)
				call.Subject = "<@all><at id=all></at>"
				r.announce(t, call)
				r.stepFor(t, 10*time.Second, time.Second)
				require.Len(t, to.group(), 3)
				assert.NotContains(t, to.group()[2].title+to.group()[2].text, "<", "nobody is called by a name")
			}
		})
	}
}

func TestWhatARobotRefusesIsGivenUpAndExplained(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		name, kind, secret string // the robot's secret
		given              func(*Change)
		want               string
	}{
		{"a WeCom robot that is gone", KindWeCom, "", func(c *Change) { c.URL = new(sealed.New(strings.Replace(c.URL.Reveal(), robotKey, "00000000", 1))) }, "gone"},
		{"a DingTalk secret that is wrong", KindDingTalk, robotSecret, func(c *Change) { c.Secret = new(sealed.New("SECother")) }, "Compare the secret"},
		{"a DingTalk secret that is missing", KindDingTalk, robotSecret, func(c *Change) { c.Secret = nil }, "Compare the secret"},
		{"a Feishu secret that is wrong", KindFeishu, robotSecret, func(c *Change) { c.Secret = new(sealed.New("other")) }, "Compare the secret"},
		{"a Feishu robot that is gone", KindFeishu, "", func(c *Change) { c.URL = new(sealed.New(strings.Replace(c.URL.Reveal(), robotKey, "00000000", 1))) }, "gone"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			r := newReplica(t)
			to := newRobot(t, tc.kind, tc.secret, r.clock.Now)
			c := r.channel(t, to, tc.given)
			r.announce(t, paused(1))
			require.Equal(t, 1, r.step(t))
			list := r.notices(t, Filter{})
			assert.Equal(t, stateDead, list[0].state)
			assert.Contains(t, list[0].failure.In(fault.English), tc.want)
			c, err := r.Channel(t.Context(), c.ID)
			require.NoError(t, err)
			assert.False(t, c.FailingSince.IsZero())
			a, err := r.Try(t.Context(), c.ID)
			require.NoError(t, err)
			assert.Contains(t, a.Failure.In(fault.English), tc.want)
			assert.Empty(t, to.group())
		})
	}
}

// TestAnswers: 200 is not success, and not every failure is forever.
func TestAnswers(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		name, kind, answer string
		status             int
		want               verdict
	}{
		{"an errcode in a 200", KindWeCom, `{"errcode":93000,"errmsg":"invalid webhook url"}`, 200, refused},
		{"WeCom busy", KindWeCom, `{"errcode":-1,"errmsg":"system busy"}`, 200, again},
		{"WeCom limit", KindWeCom, `{"errcode":45009,"errmsg":"api freq out of limit"}`, 200, limited},
		{"DingTalk limit", KindDingTalk, `{"status":1111,"wait":5,"punish":"deny","errcode":130101,"errmsg":"send too fast"}`, 200, limited},
		{"DingTalk's other limit", KindDingTalk, `{"errcode":410100,"errmsg":"speed"}`, 200, limited},
		{"DingTalk keyword", KindDingTalk, `{"errcode":310000,"errmsg":"keywords not in content"}`, 200, refused},
		{"Feishu limit", KindFeishu, `{"code":11232,"msg":"frequency limited"}`, 200, limited},
		{"Feishu keyword in a 400", KindFeishu, `{"code":19024,"msg":"Key Words Not Found"}`, 400, refused},
		{"Feishu's answer of old", KindFeishu, `{"StatusCode":0,"StatusMessage":"success"}`, 200, taken},
		{"a code nobody knows", KindFeishu, `{"code":77777,"msg":"?"}`, 200, again},
		{"a page in place of a robot", KindWeCom, `<html>welcome</html>`, 200, again},
		{"a Feishu answer from a WeCom address", KindWeCom, `{"code":0}`, 200, again},
		{"not found", KindDingTalk, ``, 404, refused},
		{"too many requests", KindWebhook, ``, 429, limited},
		{"a webhook that is gone", KindWebhook, ``, 410, refused},
		{"a webhook whose receiver has another secret", KindWebhook, ``, 401, again},
		{"a redirect", KindWebhook, ``, 302, again},
		{"an error of the server", KindWebhook, ``, 500, again},
		{"accepted", KindWebhook, ``, 202, taken},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			rec := httptest.NewRecorder()
			rec.WriteHeader(tc.status)
			_, err := rec.WriteString(tc.answer)
			require.NoError(t, err)
			res := rec.Result()
			defer res.Body.Close() //nolint:errcheck // a recorder's
			var o outcome
			c := opened{Channel: Channel{Kind: tc.kind}, url: sealed.New("https://robot.example.com/x?key=" + robotKey)}
			c.judge(res, &o)
			assert.Equal(t, tc.want, o.verdict)
			assert.Equal(t, tc.want == taken, o.failure == "")
			if o.failure != "" {
				assert.NotEqual(t, o.failure.In(fault.English), o.failure.In(fault.Chinese))
			}
		})
	}
}

// TestRateHoldsOverReplicas: the robots of the test refuse what is too fast; none has to.
func TestRateHoldsOverReplicas(t *testing.T) {
	t.Parallel()
	for _, kind := range []string{KindWeCom, KindDingTalk, KindFeishu} {
		t.Run(kind, func(t *testing.T) {
			t.Parallel()
			one := newReplica(t)
			two := replicaOn(t, one.dbURL, one.clock)
			to := newRobot(t, kind, "", one.clock.Now)
			one.channel(t, to)
			const many = 130
			for n := range many {
				one.announce(t, paused(n))
			}
			for range 4000 {
				one.step(t)
				two.step(t)
				one.clock.Add(200 * time.Millisecond)
				if len(to.group()) == many {
					break
				}
			}
			assert.Len(t, to.group(), many)
			_, limits := to.count()
			assert.Zero(t, limits)
		})
	}
}

func TestRobotThatGetsTooManyIsLeftAlone(t *testing.T) {
	t.Parallel()
	r := newReplica(t)
	to := newRobot(t, KindDingTalk, "", r.clock.Now)
	r.channel(t, to)
	to.set(func(n int) (string, int) {
		if n == 1 {
			return `{"errcode":130101,"errmsg":"send too fast, exceed 20 times per minute"}`, 200
		}
		return "", 0
	}, nil)
	r.announce(t, paused(1))
	r.stepFor(t, 9*time.Minute, 10*time.Second)
	calls, _ := to.count()
	assert.Equal(t, 1, calls, "DingTalk wants ten minutes")
	r.stepFor(t, 2*time.Minute, 10*time.Second)
	assert.Len(t, to.group(), 1)
}

func TestTwoReplicasSendOnce(t *testing.T) {
	t.Parallel()
	one := newReplica(t)
	two := replicaOn(t, one.dbURL, one.clock)
	var robots []*robot
	for range 3 {
		to := newRobot(t, KindWebhook, "", one.clock.Now)
		one.channel(t, to)
		robots = append(robots, to)
	}
	one.start(t)
	two.start(t)
	const many = 6
	for n := range many {
		one.announce(t, paused(n))
	}
	for _, to := range robots {
		require.Eventually(t, func() bool { return len(to.group()) >= many }, waitFor, 20*time.Millisecond)
	}
	require.Eventually(t, func() bool { return len(one.notices(t, Filter{State: stateSent})) == 3*many }, waitFor, 20*time.Millisecond)
	for _, to := range robots {
		ids := map[string]int{}
		for _, took := range to.group() {
			ids[took.id]++
		}
		assert.Len(t, ids, many)
		assert.Len(t, to.group(), many, "none twice")
	}
}

// TestCrashAfterSending: what was sent and not written down is sent again, under the same id, and nothing else is.
func TestCrashAfterSending(t *testing.T) {
	t.Parallel()
	short := func(c *Config) { c.lease = 300 * time.Millisecond }
	one := newReplica(t, short)
	two := replicaOn(t, one.dbURL, one.clock, short)
	to := newRobot(t, KindWebhook, "", one.clock.Now)
	one.channel(t, to)
	one.announce(t, paused(1))

	work, err := one.claim(t.Context())
	require.NoError(t, err)
	require.Len(t, work, 1)
	c, err := one.open(work[0].channel)
	require.NoError(t, err)
	o := one.call(t.Context(), c, envelope{id: "notice_" + formatID(work[0].notice.id), event: work[0].notice.event, facts: work[0].notice.facts, at: one.now()})
	require.Equal(t, taken, o.verdict) // and here the process dies

	one.clock.Add(time.Minute)
	assert.Zero(t, two.step(t), "the lease holds")
	require.Eventually(t, func() bool { return two.step(t) == 1 }, waitFor, 20*time.Millisecond)
	group := to.group()
	require.Len(t, group, 2)
	assert.Equal(t, group[0].id, group[1].id)
	assert.Equal(t, stateSent, two.notices(t, Filter{})[0].state)
	two.stepFor(t, time.Hour, time.Minute)
	assert.Len(t, to.group(), 2)
}

// TestLateResult: a worker that lost its lease may still say that the robot has it, and nothing else.
func TestLateResult(t *testing.T) {
	t.Parallel()
	r := newReplica(t, func(c *Config) { c.lease = 50 * time.Millisecond })
	to := newRobot(t, KindWebhook, "", r.clock.Now)
	c := r.channel(t, to)
	r.announce(t, paused(1))
	claim := func() claimed {
		var work []claimed
		require.Eventually(t, func() bool {
			r.clock.Add(time.Second)
			var err error
			work, err = r.claim(context.Background())
			return err == nil && len(work) == 1
		}, waitFor, 20*time.Millisecond)
		return work[0]
	}
	first, second := claim(), claim()
	result, err := r.settle(t.Context(), first, outcome{verdict: refused, at: r.now(), failure: failed(failStatus, "404")}, false)
	require.NoError(t, err)
	assert.Empty(t, result)
	assert.Equal(t, statePending, r.notices(t, Filter{})[0].state)
	result, err = r.settle(t.Context(), first, outcome{verdict: taken, at: r.now()}, false)
	require.NoError(t, err)
	assert.Equal(t, "sent", result)
	_, err = r.settle(t.Context(), second, outcome{verdict: refused, at: r.now(), failure: failed(failStatus, "404")}, false)
	require.NoError(t, err)
	assert.Equal(t, stateSent, r.notices(t, Filter{})[0].state)
	require.NoError(t, r.Delete(t.Context(), c.ID))
	_, err = r.settle(t.Context(), second, outcome{verdict: taken, at: r.now()}, false)
	require.NoError(t, err, "of a channel that is deleted")
}

func TestStoppingGivesBackWhatIsUnderWay(t *testing.T) {
	t.Parallel()
	r := newReplica(t, func(c *Config) { c.Drain = 50 * time.Millisecond })
	to := newRobot(t, KindWebhook, "", r.clock.Now)
	r.channel(t, to)
	to.set(nil, make(chan struct{}))
	stop := r.start(t)
	r.announce(t, paused(1))
	require.Eventually(t, func() bool { calls, _ := to.count(); return calls == 1 }, waitFor, 10*time.Millisecond)
	stop()
	to.set(nil, nil)
	r.clock.Add(time.Second)
	assert.Equal(t, 1, r.step(t), "at once, not when the lease ends")
	assert.Equal(t, stateSent, r.notices(t, Filter{})[0].state)
}

func TestSlowChannelDelaysNobody(t *testing.T) {
	t.Parallel()
	r := newReplica(t)
	slow, quick := newRobot(t, KindWeCom, "", r.clock.Now), newRobot(t, KindWeCom, "", r.clock.Now)
	r.channel(t, slow)
	r.channel(t, quick)
	slow.set(nil, make(chan struct{}))
	r.start(t)
	for n := range 3 {
		r.announce(t, paused(n))
		require.Eventually(t, func() bool {
			r.clock.Add(time.Second)
			return len(quick.group()) == n+1
		}, waitFor, 10*time.Millisecond)
	}
	calls, _ := slow.count()
	assert.Equal(t, 1, calls)
}

// TestRowThatSomebodyHoldsDelaysNobody: a transaction that adds to a notice may last.
func TestRowThatSomebodyHoldsDelaysNobody(t *testing.T) {
	t.Parallel()
	r := newReplica(t)
	to := newRobot(t, KindWebhook, "", r.clock.Now)
	r.channel(t, to)
	r.announce(t, dead(1, 5))
	tx, err := r.pool.Begin(t.Context())
	require.NoError(t, err)
	require.NoError(t, r.Announce(t.Context(), tx, dead(1, 2)))
	limited, cancel := context.WithTimeout(t.Context(), waitFor)
	defer cancel()
	require.NoError(t, pgx.BeginFunc(limited, r.pool, func(tx pgx.Tx) error { return r.Announce(limited, tx, dead(1, 1)) }), "does not wait")
	r.announce(t, paused(1))
	assert.Equal(t, 1, r.step(t), "what nobody holds is sent")
	require.NoError(t, tx.Commit(t.Context()))
	r.clock.Add(time.Second)
	assert.Equal(t, 1, r.step(t))
	r.stepFor(t, time.Minute, time.Second)
	total := 0
	for _, took := range to.group() {
		data, ok := took.body["data"].(map[string]any)
		require.True(t, ok)
		if took.body["type"] == component.EventDeadLetter {
			total += int(data["count"].(float64))
		}
	}
	assert.Equal(t, 8, total)
}

func TestFloodIsFolded(t *testing.T) {
	t.Parallel()
	r := newReplica(t, func(c *Config) { c.gather = 0 })
	to := newRobot(t, KindWeCom, "", r.clock.Now)
	r.channel(t, to)
	for range 40 {
		r.announce(t, dead(1, 25), dead(2, 1))
	}
	assert.Len(t, r.notices(t, Filter{}), 2, "one for each rule")
	r.stepFor(t, time.Minute, time.Second)
	group := to.group()
	require.Len(t, group, 2)
	assert.Contains(t, group[0].text, "1000 条")
	assert.Contains(t, group[1].text, "40 条")

	r.announce(t, dead(1, 3), dead(1, 4))
	r.stepFor(t, 3*time.Minute, time.Second)
	assert.Len(t, to.group(), 2, "nothing within five minutes of the last")
	r.announce(t, dead(1, 5))
	r.stepFor(t, 3*time.Minute, time.Second)
	group = to.group()
	require.Len(t, group, 3)
	assert.Contains(t, group[2].text, "12 条")
}

// TestRowsBesideEachOtherBecomeOne: two transactions that could not see each other's notice.
func TestRowsBesideEachOtherBecomeOne(t *testing.T) {
	t.Parallel()
	r := newReplica(t)
	to := newRobot(t, KindWeCom, "", r.clock.Now)
	r.channel(t, to)
	first, err := r.pool.Begin(t.Context())
	require.NoError(t, err)
	require.NoError(t, r.Announce(t.Context(), first, rejected(1)))
	r.announce(t, rejected(2))
	require.NoError(t, first.Commit(t.Context()))
	require.Len(t, r.notices(t, Filter{}), 2)
	r.stepFor(t, 10*time.Second, time.Second)
	group := to.group()
	require.Len(t, group, 1)
	assert.Contains(t, group[0].title, "2 个商户审核未通过")
	assert.Contains(t, group[0].text, "花店 1 号")
	assert.Contains(t, group[0].text, "花店 2 号")
	assert.Contains(t, group[0].text, "/admin/rollouts/7)", "the page above both")
	assert.Len(t, r.notices(t, Filter{}), 1)
}

func TestNewsIsToldOnce(t *testing.T) {
	t.Parallel()
	r := newReplica(t)
	to := newRobot(t, KindWeCom, "", r.clock.Now)
	r.channel(t, to)
	stale := component.Announcement{Event: component.EventTicketStale, Key: "outage/1", Path: "/platform", Since: r.now().Add(-2 * time.Hour)}
	to.set(down, nil)
	r.announce(t, stale)
	r.step(t)
	r.announce(t, stale)
	assert.Len(t, r.notices(t, Filter{}), 1, "one waits already, though it was tried")
	to.set(nil, nil)
	r.stepFor(t, time.Minute, time.Second)
	r.announce(t, stale)
	r.stepFor(t, time.Minute, time.Second)
	assert.Len(t, to.group(), 1, "it was told minutes ago")
	stale.Key = "outage/2"
	r.announce(t, stale)
	r.stepFor(t, time.Minute, time.Second)
	assert.Len(t, to.group(), 2, "another outage is news")
	r.clock.Add(7 * time.Hour)
	r.announce(t, stale)
	r.step(t)
	assert.Len(t, to.group(), 3, "and one that lasts is told again")

	// A rollout that is paused, resumed and paused again is news each time; what was not told yet is told as it is now.
	r.clock.Add(time.Minute)
	r.announce(t, paused(1))
	again := paused(1)
	again.Reason = component.Text{EN: "paused by lin"}
	r.announce(t, again)
	r.stepFor(t, time.Minute, time.Second)
	require.Len(t, to.group(), 4)
	assert.Contains(t, to.group()[3].text, "paused by lin")
	r.announce(t, paused(1))
	r.stepFor(t, time.Minute, time.Second)
	assert.Len(t, to.group(), 5)
}

// TestRobotIsAwayForHours: nothing is lost, next to nothing is called, others are told meanwhile.
func TestRobotIsAwayForHours(t *testing.T) {
	t.Parallel()
	r := newReplica(t)
	away, well := newRobot(t, KindWeCom, "", r.clock.Now), newRobot(t, KindFeishu, "", r.clock.Now)
	c := r.channel(t, away)
	r.channel(t, well)
	away.set(down, nil)
	const many = 8
	for n := range many {
		r.announce(t, paused(n))
	}
	r.stepFor(t, 6*time.Hour, 20*time.Second)
	assert.Len(t, well.group(), many)
	calls, _ := away.count()
	assert.Less(t, calls, 25)
	failing, err := r.Channel(t.Context(), c.ID)
	require.NoError(t, err)
	assert.False(t, failing.FailingSince.IsZero())
	assert.EqualValues(t, many, failing.Waiting)
	assert.Contains(t, failing.LastError.In(fault.English), "503")

	away.set(nil, nil)
	r.stepFor(t, 2*time.Hour, 10*time.Second)
	assert.Len(t, away.group(), many)
	_, limits := away.count()
	assert.Zero(t, limits)
	back, err := r.Channel(t.Context(), c.ID)
	require.NoError(t, err)
	assert.Zero(t, back.FailingSince)
	assert.Zero(t, back.Waiting)
	assert.Empty(t, r.notices(t, Filter{State: stateDead}))
}

func TestRobotIsAwayForDays(t *testing.T) {
	t.Parallel()
	r := newReplica(t)
	to := newRobot(t, KindWeCom, "", r.clock.Now)
	c := r.channel(t, to)
	to.set(down, nil)
	const many = 20 // more than there are tries in two hours
	for n := range many {
		r.announce(t, paused(n))
	}
	r.stepFor(t, 23*time.Hour, time.Minute)
	assert.Len(t, r.notices(t, Filter{State: statePending}), many, "for a day it is tried")
	r.announce(t, paused(many))
	r.stepFor(t, 2*time.Hour, time.Minute)
	assert.Len(t, r.notices(t, Filter{State: stateDead}), many)
	assert.Len(t, r.notices(t, Filter{State: statePending}), 1, "the newer one has its day")

	// Somebody mends the robot and sends one of the old ones again.
	to.set(nil, nil)
	old := r.notices(t, Filter{State: stateDead})[0]
	n, err := r.Retry(t.Context(), old.id)
	require.NoError(t, err)
	assert.Equal(t, statePending, n.state)
	r.stepFor(t, time.Minute, time.Second)
	assert.Len(t, to.group(), 2, "that one and the one that waited, at once")
	_, err = r.Retry(t.Context(), 1<<40)
	require.Error(t, err)
	_, err = r.Update(t.Context(), c.ID, Change{Enabled: new(false)})
	require.NoError(t, err)
	_, err = r.Retry(t.Context(), old.id)
	require.Error(t, assertKind(t, err, fault.Conflict), "switched off")
}

// TestProgramWasAwayForDays: a robot that stumbles once then must not cost the news of days.
func TestProgramWasAwayForDays(t *testing.T) {
	t.Parallel()
	r := newReplica(t)
	to := newRobot(t, KindWeCom, "", r.clock.Now)
	r.channel(t, to)
	r.announce(t, paused(1))
	r.clock.Add(3 * 24 * time.Hour)
	to.set(func(n int) (string, int) {
		if n == 1 {
			return down(n)
		}
		return "", 0
	}, nil)
	r.stepFor(t, time.Minute, time.Second)
	assert.Len(t, to.group(), 1)
}

// TestOneThatFailsDoesNotHoldUpOthers: a message that only itself is to blame for.
func TestOneThatFailsDoesNotHoldUpOthers(t *testing.T) {
	t.Parallel()
	r := newReplica(t)
	var bad atomic.Int64
	proxy := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
		raw, err := io.ReadAll(req.Body)
		assert.NoError(t, err)
		if strings.Contains(string(raw), "autumn 0") {
			bad.Add(1)
			_, _ = w.Write([]byte(`{"errcode":47001,"errmsg":"data format error"}`))
			return
		}
		_, _ = w.Write([]byte(`{"errcode":0}`))
	}))
	t.Cleanup(proxy.Close)
	_, _, err := r.Create(t.Context(), KindWeCom, Change{Name: new("x"), URL: new(sealed.New(proxy.URL + "/send?key=" + robotKey))}, "tester")
	require.NoError(t, err)
	for n := range 5 {
		r.announce(t, paused(n))
	}
	r.stepFor(t, 5*time.Minute, time.Second)
	assert.Len(t, r.notices(t, Filter{State: stateSent}), 4)
	assert.Len(t, r.notices(t, Filter{State: statePending}), 1)
	r.stepFor(t, 25*time.Hour, time.Minute)
	assert.Len(t, r.notices(t, Filter{State: stateDead}), 1)
	assert.Less(t, bad.Load(), int64(80))
}

func TestOnlyWhatIsWantedIsTold(t *testing.T) {
	t.Parallel()
	r := newReplica(t)
	chinese, english := newRobot(t, KindWeCom, "", r.clock.Now), newRobot(t, KindDingTalk, "", r.clock.Now)
	off := newRobot(t, KindWeCom, "", r.clock.Now)
	r.channel(t, chinese, func(c *Change) { c.Events = &[]string{component.EventDeadLetter} })
	r.channel(t, english, func(c *Change) { c.Language = new(LanguageEnglish) })
	disabled := r.channel(t, off)
	r.announce(t, paused(1))
	_, err := r.Update(t.Context(), disabled.ID, Change{Enabled: new(false)})
	require.NoError(t, err)
	r.announce(t, dead(1, 1), paused(2))
	require.Error(t, pgx.BeginFunc(t.Context(), r.pool, func(tx pgx.Tx) error {
		return errors.Join(r.Announce(t.Context(), tx, paused(3)), errors.New("it did not become true"))
	}))
	r.stepFor(t, time.Minute, time.Second)
	require.Len(t, chinese.group(), 1)
	assert.Contains(t, chinese.group()[0].title, "消息投递失败")
	require.Len(t, english.group(), 3)
	assert.Equal(t, "Rollout paused: autumn 1", english.group()[0].title)
	assert.Empty(t, off.group())
	given := r.notices(t, Filter{ChannelID: disabled.ID})
	require.Len(t, given, 1)
	assert.Equal(t, stateDead, given[0].state, "what waited for a channel that is switched off is given up")
	assert.Contains(t, given[0].failure.In(fault.English), "switched off")
}

// TestNobodyIsLedInside: forbidden addresses are refused when they are saved, and at every connection.
func TestNobodyIsLedInside(t *testing.T) {
	t.Parallel()
	var private atomic.Bool
	r := newReplica(t, func(c *Config) {
		c.Guard = outbound.Guard{Lookup: func(context.Context, string) ([]netip.Addr, error) {
			if private.Load() {
				return []netip.Addr{netip.MustParseAddr("127.0.0.1")}, nil
			}
			return []netip.Addr{netip.MustParseAddr("1.1.1.1")}, nil
		}}
	})
	to := newRobot(t, KindWebhook, "", r.clock.Now)
	_, port, _ := strings.Cut(strings.TrimPrefix(to.URL, "http://"), ":")
	for _, address := range []string{to.URL + "/hooks", "http://169.254.169.254/latest/meta-data", "ftp://x/", "https://u:p@robot.example.com/"} {
		_, _, err := r.Create(t.Context(), KindWebhook, Change{Name: new("x"), URL: new(sealed.New(address))}, "tester")
		f := assertKind(t, err, fault.Validation)
		assert.Equal(t, "body.url", f.Fields[0].Location)
	}
	c, _, err := r.Create(t.Context(), KindWebhook, Change{Name: new("x"), URL: new(sealed.New("http://robot.example.com:" + port + "/hooks"))}, "tester")
	require.NoError(t, err)
	private.Store(true) // the name leads elsewhere now
	r.announce(t, paused(1))
	r.step(t)
	a, err := r.Try(t.Context(), c.ID)
	require.NoError(t, err)
	assert.Contains(t, a.Failure.In(fault.English), "127.0.0.1")
	assert.Contains(t, r.notices(t, Filter{})[0].failure.In(fault.English), "127.0.0.1")
	calls, _ := to.count()
	assert.Zero(t, calls)
}

func TestRedirectsAreNotFollowed(t *testing.T) {
	t.Parallel()
	r := newReplica(t)
	to := newRobot(t, KindWebhook, "", r.clock.Now)
	hop := httptest.NewServer(http.RedirectHandler(to.address(), http.StatusTemporaryRedirect))
	t.Cleanup(hop.Close)
	c, _, err := r.Create(t.Context(), KindWebhook, Change{Name: new("x"), URL: new(sealed.New(hop.URL))}, "tester")
	require.NoError(t, err)
	a, err := r.Try(t.Context(), c.ID)
	require.NoError(t, err)
	assert.Contains(t, a.Failure.In(fault.English), "redirect")
	calls, _ := to.count()
	assert.Zero(t, calls)
}

func TestOldNoticesAreRemoved(t *testing.T) {
	t.Parallel()
	r := newReplica(t, func(c *Config) { c.Retention = 90 * 24 * time.Hour })
	to := newRobot(t, KindWeCom, "", r.clock.Now)
	r.channel(t, to)
	r.announce(t, paused(1))
	r.step(t)
	r.clock.Add(60 * 24 * time.Hour)
	r.announce(t, paused(2))
	r.step(t)
	require.NoError(t, r.clean(t.Context()))
	assert.Len(t, r.notices(t, Filter{}), 2)
	r.clock.Add(40 * 24 * time.Hour)
	require.NoError(t, r.clean(t.Context()))
	list := r.notices(t, Filter{})
	require.Len(t, list, 1)
	assert.Equal(t, "/rollouts/2", list[0].key)
}

func assertKind(t *testing.T, err error, kind fault.Kind) *fault.Error {
	t.Helper()
	f, ok := errors.AsType[*fault.Error](err)
	require.True(t, ok, "%v", err)
	require.Equal(t, kind, f.Kind)
	return f
}
