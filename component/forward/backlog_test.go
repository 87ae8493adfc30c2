package forward

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/wxsteward/wxsteward/component"
	"github.com/wxsteward/wxsteward/internal/fault"
)

// soonBehind makes rules fall behind with few deliveries at hand.
func soonBehind(c *Config) { c.Concurrency, c.atHand = 4, 20 }

// push stores messages by the statement that component makes of what follows; those that are there already are copies.
func (r *replica) push(tb testing.TB, messages ...component.Message) {
	tb.Helper()
	r.box.mu.Lock()
	for _, m := range messages {
		r.box.messages[m.ID] = m
	}
	r.box.mu.Unlock()
	_, err := r.currentRules(context.Background(), r.pool)
	require.NoError(tb, err)
	ids, keys := make([]int64, len(messages)), make([][]byte, len(messages))
	for i, m := range messages {
		ids[i], keys[i] = m.ID, binary.BigEndian.AppendUint64(nil, uint64(m.ID)) //nolint:gosec // positive
	}
	f, ok := r.Follow(messages, keys)
	require.True(tb, ok)
	var q strings.Builder
	q.WriteString(`WITH fresh AS (INSERT INTO message_dedupe (dedupe_key) SELECT unnest($2::bytea[]) ON CONFLICT DO NOTHING RETURNING dedupe_key),
		stored AS (SELECT m.id, m.dedupe_key FROM unnest($1::bigint[], $2::bytea[]) AS m(id, dedupe_key) JOIN fresh USING (dedupe_key)
			WHERE num_nulls(0`)
	args := []any{ids, keys}
	for n := len(args) + 1; n < component.FollowingArgs; n++ {
		fmt.Fprintf(&q, ", $%d::int", n)
		args = append(args, 0)
	}
	q.WriteString(`) = 0)`)
	for i, clause := range f.Clauses {
		fmt.Fprintf(&q, ", following%d AS (%s)", i, clause)
	}
	q.WriteString(` SELECT id FROM stored`)
	rows, err := r.pool.Query(context.Background(), q.String(), append(args, f.Args...)...)
	require.NoError(tb, err)
	stored, err := pgx.CollectRows(rows, pgx.RowTo[int64])
	require.NoError(tb, err)
	var fresh []component.Message
	for _, id := range stored {
		fresh = append(fresh, r.box.messages[id])
	}
	r.Followed(fresh)
}

// texts are messages with ids from one on up to, not including, another.
func texts(from, to int64) (list []component.Message) {
	for id := from; id < to; id++ {
		list = append(list, text(id, "wx1"))
	}
	return list
}

// backlog puts messages into the backlog of a rule, all in one row.
func (r *replica) backlog(tb testing.TB, ruleID int64, messages ...component.Message) {
	tb.Helper()
	var ids, rules []int64
	for _, m := range messages {
		r.box.messages[m.ID] = m
		ids, rules = append(ids, m.ID), append(rules, ruleID)
	}
	require.NoError(tb, pgx.BeginFunc(tb.Context(), r.pool, func(tx pgx.Tx) error {
		return insertBacklog(tb.Context(), tx, ids, rules, r.now())
	}))
}

func (r *replica) number(tb testing.TB, q string, args ...any) (n int) {
	tb.Helper()
	require.NoError(tb, r.pool.QueryRow(context.Background(), q, args...).Scan(&n))
	return n
}

func (r *replica) backlogged(tb testing.TB) int {
	tb.Helper()
	return r.number(tb, `SELECT coalesce(sum(cardinality(message_ids)), 0) FROM delivery_backlog`)
}

// mute is a target that answers nothing until it is released.
func mute(tb testing.TB) (shop *target, release func()) {
	tb.Helper()
	end := make(chan struct{})
	shop = newTarget(tb, func(http.ResponseWriter, *http.Request) { <-end })
	release = sync.OnceFunc(func() { close(end) })
	tb.Cleanup(release)
	return shop, release
}

// onceEach demands that a target was called for so many deliveries, once for each.
func onceEach(tb testing.TB, shop *target, want int) {
	tb.Helper()
	calls := shop.calls()
	ids := map[string]int{}
	for _, c := range calls {
		ids[c.header.Get("Webhook-Id")]++
	}
	assert.Len(tb, ids, want)
	assert.Len(tb, calls, want)
}

// TestATargetThatTakesNothingCostsNoDeliveries: what comes for it is put down by the commit, with its copies left out, counts as
// waiting and shows as such, and is delivered once when the target is back.
func TestATargetThatTakesNothingCostsNoDeliveries(t *testing.T) {
	t.Parallel()
	r := newReplica(t, soonBehind)
	shop, release := mute(t)
	rule, _ := r.to(t, shop.URL)
	healthy := newTarget(t, status(http.StatusOK))
	other, _ := r.to(t, healthy.URL, func(c *Change) { c.AppIDs = &[]string{"wx2"} })
	r.start(t)
	r.push(t, texts(1, 41)...)
	eventually(t, "the rule is behind", func() bool { return r.isBehind(rule.ID) })

	made := r.number(t, `SELECT count(*) FROM delivery WHERE rule_id = $1`, rule.ID)
	const step, last = 20, 1041
	for id := int64(41); id < last; id += step {
		batch := append(texts(id-5, id+step), text(10_000+id, "wx2"))
		r.push(t, batch...) // five are copies
	}
	const all = last - 1 + (last-41)/step
	eventually(t, "the other rule has its messages", func() bool {
		return len(r.list(t, DeliveryFilter{RuleID: other.ID, State: stateDelivered})) == (last-41)/step
	})
	assert.Equal(t, made, r.number(t, `SELECT count(*) FROM delivery WHERE rule_id = $1`, rule.ID), "no delivery is made for the dead target")
	assert.Equal(t, (last-41)/step, r.number(t, `SELECT count(*) FROM delivery_backlog WHERE rule_id = $1`, rule.ID), "one row for each commit")
	assert.Equal(t, all-made, r.backlogged(t), "each message once")

	due, err := r.Due(t.Context())
	require.NoError(t, err)
	assert.EqualValues(t, 1000, due, "as far as it counts")
	overview, _, err := r.Overview(t.Context(), time.Hour)
	require.NoError(t, err)
	assert.EqualValues(t, countedTo, overview[0].Pending)
	waits, err := r.DeliveriesOf(t.Context(), []int64{1, 500, 10_501, 99_999})
	require.NoError(t, err)
	delete(waits, 1)
	assert.Equal(t, map[int64][]component.DeliverySummary{
		500: {{RuleID: formatID(rule.ID), State: statePending}},
		10_501: {
			{ID: formatID(r.list(t, DeliveryFilter{MessageID: 10_501, RuleID: other.ID})[0].ID), RuleID: formatID(other.ID), State: stateDelivered},
			{RuleID: formatID(rule.ID), State: statePending},
		},
	}, waits)

	release()
	eventually(t, "all are delivered", func() bool {
		return r.number(t, `SELECT count(*) FROM delivery WHERE rule_id = $1 AND state = 'delivered'`, rule.ID) == all
	})
	onceEach(t, shop, all)
	assert.Zero(t, r.backlogged(t))
	eventually(t, "the rule is not behind any more", func() bool { return !r.isBehind(rule.ID) })
	r.push(t, text(20_000, "wx1"))
	eventually(t, "and what comes is delivered", func() bool { return len(shop.calls()) == all+1 })
}

// TestBacklogOfRefusals: a target that refuses is found to be back within moments, also when all that was tried lately is to be tried
// again much later.
func TestBacklogOfRefusals(t *testing.T) {
	t.Parallel()
	r := newReplica(t, soonBehind, func(c *Config) { c.RetryBase = time.Hour })
	shop := newTarget(t, status(http.StatusServiceUnavailable))
	rule, _ := r.to(t, shop.URL)
	r.start(t)
	var id int64
	for ; !r.isBehind(rule.ID); id += 20 {
		r.push(t, texts(id+1, id+21)...)
	}
	const more = 300
	r.push(t, texts(id+1, id+more+1)...)
	eventually(t, "it is tried, sparingly", func() bool { return len(shop.calls()) > failuresBeforeBrake })
	shop.answer(status(http.StatusOK))
	eventually(t, "what was not tried yet is delivered", func() bool {
		return r.backlogged(t) == 0 && r.number(t, `SELECT count(*) FROM delivery WHERE state = 'pending' AND tries = 0`) == 0 && r.count(t, stateDelivered) > 0
	})
	assert.EqualValues(t, id+more, r.number(t, `SELECT count(*) FROM delivery`))
	r.clock.Add(2 * time.Hour)
	eventually(t, "and then the rest", func() bool { return r.count(t, stateDelivered) == int(id+more) })
}

// TestTwoReplicasWorkABacklogOff: each decides for itself where messages go, and each is delivered once.
func TestTwoReplicasWorkABacklogOff(t *testing.T) {
	t.Parallel()
	one := newReplica(t, soonBehind)
	two := replicaOn(t, one.dbURL, one.clock, one.box, soonBehind)
	shop, release := mute(t)
	rule, _ := one.to(t, shop.URL)
	one.start(t)
	one.push(t, texts(1, 41)...)
	eventually(t, "one finds the rule behind", func() bool { return one.isBehind(rule.ID) })
	two.start(t)
	const all, step = 1000, 10
	for id := int64(41); id <= all; id += step {
		[]*replica{one, two}[id/step%2].push(t, texts(id-3, min(id+step, all+1))...) // three are copies, of what the other stored
	}
	eventually(t, "so does the other", func() bool { return two.isBehind(rule.ID) })
	require.NotZero(t, one.backlogged(t))
	release()
	for id := int64(all + 1); id <= all+200; id++ { // while they work it off more comes
		[]*replica{one, two}[id%2].push(t, text(id, "wx1"))
	}
	eventually(t, "all are delivered", func() bool { return one.count(t, stateDelivered) == all+200 })
	onceEach(t, shop, all+200)
	assert.Zero(t, one.backlogged(t))
}

// TestAStepOfABacklogIsOne: killed at any moment, it is done or not begun; two do not take the same.
func TestAStepOfABacklogIsOne(t *testing.T) {
	t.Parallel()
	r := newReplica(t)
	rule, _ := r.to(t, "http://127.0.0.1:9/")
	for id := int64(1); id < 100; id += 10 {
		r.backlog(t, rule.ID, texts(id, id+10)...)
	}
	killed := errors.New("killed")
	require.ErrorIs(t, pgx.BeginFunc(t.Context(), r.pool, func(tx pgx.Tx) error {
		step, err := takeBacklog(t.Context(), tx, rule.ID, 25, r.now())
		require.NoError(t, err)
		assert.Equal(t, taken{seen: 10, taken: 3, messages: 30}, step, "whole rows, as many as are asked for")
		other, err := takeBacklog(t.Context(), r.pool, rule.ID, 25, r.now())
		require.NoError(t, err, "it waits for nobody")
		assert.Equal(t, taken{seen: 10}, other)
		return killed
	}), killed)
	assert.Zero(t, r.number(t, `SELECT count(*) FROM delivery`))
	assert.Equal(t, 100, r.backlogged(t))
	made, left, err := r.workOff(t.Context(), rule.ID, 25, r.now())
	require.NoError(t, err)
	assert.Equal(t, 30, made)
	assert.True(t, left)
	assert.Equal(t, 30, r.number(t, `SELECT max(message_id) FROM delivery`), "the oldest first")
	made, left, err = r.workOff(t.Context(), rule.ID, 1000, r.now())
	require.NoError(t, err)
	assert.Equal(t, 70, made)
	assert.False(t, left)
	assert.Equal(t, 100, r.number(t, `SELECT count(DISTINCT message_id) FROM delivery WHERE state = 'pending' AND created_at = next_at`))
}

// TestManySmallRowsOfABacklog: where each commit had one message, a step takes many of them.
func TestManySmallRowsOfABacklog(t *testing.T) {
	t.Parallel()
	r := newReplica(t)
	rule, _ := r.to(t, "http://127.0.0.1:9/")
	_, err := r.pool.Exec(t.Context(), `INSERT INTO delivery_backlog (rule_id, message_ids, created_at)
		SELECT $1, ARRAY[n], now() FROM generate_series(1, 2 * $2::int) n`, rule.ID, backlogStep)
	require.NoError(t, err)
	made, left, err := r.workOff(t.Context(), rule.ID, 2*backlogStep, r.now().Add(time.Minute))
	require.NoError(t, err)
	assert.Equal(t, 2*backlogStep, made)
	assert.True(t, left, "nobody has looked further")
	made, left, err = r.workOff(t.Context(), rule.ID, 1, r.now().Add(time.Minute))
	require.NoError(t, err)
	assert.Zero(t, made)
	assert.False(t, left)
}

// TestABacklogOutlivesItsProcess: the next process finds it, and a message that was redelivered meanwhile is not sent twice.
func TestABacklogOutlivesItsProcess(t *testing.T) {
	t.Parallel()
	ended := newReplica(t)
	shop := newTarget(t, status(http.StatusOK))
	rule, _ := ended.to(t, shop.URL)
	ended.backlog(t, rule.ID, texts(1, 51)...)
	require.NoError(t, ended.Redeliver(t.Context(), 7))
	list, err := ended.DeliveriesOf(t.Context(), []int64{7})
	require.NoError(t, err)
	require.Len(t, list[7], 1, "it is one delivery")
	assert.NotEmpty(t, list[7][0].ID)
	assert.Len(t, ended.list(t, DeliveryFilter{MessageID: 7}), 1)

	r := replicaOn(t, ended.dbURL, ended.clock, ended.box)
	r.start(t)
	eventually(t, "all are delivered", func() bool { return r.count(t, stateDelivered) == 50 })
	onceEach(t, shop, 50)
}

// TestDeliveriesInABacklogHaveNoID: lists of a message show them behind all others, and no page begins with one.
func TestDeliveriesInABacklogHaveNoID(t *testing.T) {
	t.Parallel()
	r := newReplica(t)
	one, _ := r.to(t, "http://127.0.0.1:9/1")
	r.store(t, text(5, "wx1"))
	two, _ := r.to(t, "http://127.0.0.1:9/2")
	r.backlog(t, two.ID, texts(3, 8)...)
	r.backlog(t, two.ID, text(2, "wx1"), text(9, "wx1")) // about, but not with it
	list := r.list(t, DeliveryFilter{MessageID: 5})
	require.Len(t, list, 2)
	assert.Equal(t, one.ID, list[0].RuleID)
	assert.Equal(t, two.ID, list[1].RuleID)
	view := deliveryView(list[1], fault.English)
	assert.Empty(t, view.ID)
	assert.Equal(t, statePending, view.State)
	assert.Nil(t, view.NextAt)
	assert.False(t, view.CreatedAt.IsZero())
	assert.Len(t, r.list(t, DeliveryFilter{MessageID: 5, RuleID: two.ID, State: statePending}), 1)
	assert.Empty(t, r.list(t, DeliveryFilter{MessageID: 5, RuleID: two.ID, State: stateDead}))
	assert.Len(t, r.list(t, DeliveryFilter{}), 1)
}

// TestBacklogOfAPausedRuleWaits and goes on with the rule.
func TestBacklogOfAPausedRuleWaits(t *testing.T) {
	t.Parallel()
	r := newReplica(t, soonBehind)
	shop := newTarget(t, status(http.StatusOK))
	rule, _ := r.to(t, shop.URL)
	_, err := r.pool.Exec(t.Context(), `UPDATE forward_rule SET paused_at = now(), failing_since = now()`)
	require.NoError(t, err)
	r.forgetRules()
	r.push(t, texts(1, 41)...)
	_, err = r.tend(t.Context())
	require.NoError(t, err)
	require.True(t, r.isBehind(rule.ID))
	r.store(t, texts(41, 61)...) // by a transaction
	r.push(t, texts(61, 81)...)
	assert.Equal(t, 40, r.backlogged(t))
	_, err = r.pool.Exec(t.Context(), `UPDATE delivery SET next_at = next_at + interval '1 hour'`)
	require.NoError(t, err)
	r.queues.of[rule.ID].lookedAt = time.Time{} // long ago
	_, err = r.tend(t.Context())
	require.NoError(t, err)
	assert.Equal(t, 40, r.backlogged(t), "also where no delivery is due")
	assert.Equal(t, 40, r.number(t, `SELECT count(*) FROM delivery`))

	r.start(t)
	_, err = r.Update(t.Context(), rule.ID, Change{Enabled: new(true)})
	require.NoError(t, err)
	eventually(t, "the backlog is delivered", func() bool { return r.count(t, stateDelivered) == 40 })
	r.clock.Add(2 * time.Hour)
	eventually(t, "all are delivered", func() bool { return r.count(t, stateDelivered) == 80 })
	onceEach(t, shop, 80)
}

// TestBacklogOfARelayEnds as the deliveries of a rule do that has become a relay.
func TestBacklogOfARelayEnds(t *testing.T) {
	t.Parallel()
	r := newReplica(t)
	told := &staff{}
	r.deps.Announcer = told
	rule, _ := r.to(t, "http://127.0.0.1:9/")
	other, _ := r.to(t, "http://127.0.0.1:9/")
	for id := int64(1); id < 3000; id += 500 {
		r.backlog(t, rule.ID, texts(id, id+500)...)
	}
	r.backlog(t, other.ID, text(1, "wx1"))
	_, err := r.Update(t.Context(), rule.ID, Change{Mode: new(ModeRelay)})
	require.NoError(t, err)
	require.NoError(t, r.endRelayed(t.Context()))
	assert.Equal(t, 3000, r.count(t, stateDead))
	assert.Equal(t, 1, r.backlogged(t), "other rules keep theirs")
	n, list := told.of(component.EventDeadLetter)
	assert.Equal(t, 3000, n)
	assert.Contains(t, list[0].Reason.In(fault.English), "relays")
}

// TestBacklogInVainEnds: the messages of a rule that stays switched off go with time, and so does its backlog, when it is as old.
func TestBacklogInVainEnds(t *testing.T) {
	t.Parallel()
	r := newReplica(t, func(c *Config) { c.Retention = time.Hour })
	told := &staff{}
	r.deps.Announcer = told
	rule, _ := r.to(t, "http://127.0.0.1:9/")
	_, err := r.Update(t.Context(), rule.ID, Change{Enabled: new(false)})
	require.NoError(t, err)
	r.backlog(t, rule.ID, texts(1, 31)...)
	require.NoError(t, r.clean(t.Context()))
	require.Equal(t, 30, r.backlogged(t))
	r.clock.Add(26 * time.Hour)
	r.backlog(t, rule.ID, texts(31, 36)...)
	require.NoError(t, r.clean(t.Context()))
	assert.Equal(t, 5, r.backlogged(t), "what is younger waits on")
	assert.Empty(t, r.list(t, DeliveryFilter{}))
	n, list := told.of(component.EventDeadLetter)
	assert.Equal(t, 30, n)
	assert.Contains(t, list[0].Reason.In(fault.English), "retention")
}

// TestDeletedRuleLeavesNoBacklog, and is itself kept until that is gone.
func TestDeletedRuleLeavesNoBacklog(t *testing.T) {
	t.Parallel()
	r := newReplica(t)
	gone, _ := r.to(t, "http://127.0.0.1:9/")
	kept, _ := r.to(t, "http://127.0.0.1:9/")
	r.store(t, text(1, "wx1"))
	for id := int64(2); id < 5; id++ {
		r.backlog(t, gone.ID, text(id, "wx1"))
		r.backlog(t, kept.ID, text(id, "wx1"))
	}
	require.NoError(t, r.Delete(t.Context(), gone.ID))
	_, err := r.pool.Exec(t.Context(), `UPDATE forward_rule SET deleted_at = now() - interval '1 hour' WHERE deleted_at IS NOT NULL`)
	require.NoError(t, err)
	for left := 2; left >= 0; left-- {
		n, err := deleteOfDeletedRules(t.Context(), r.pool, 1)
		require.NoError(t, err)
		assert.EqualValues(t, 1, n)
		assert.Equal(t, left, r.number(t, `SELECT count(*) FROM delivery_backlog WHERE rule_id = $1`, gone.ID))
		assert.Equal(t, 2, r.number(t, `SELECT count(*) FROM forward_rule`))
	}
	_, err = r.pool.Exec(t.Context(), `DELETE FROM delivery WHERE rule_id = $1`, gone.ID)
	require.NoError(t, err)
	r.backlog(t, gone.ID, text(9, "wx1")) // of a process that has not heard of it
	_, err = deleteOfDeletedRules(t.Context(), r.pool, 1)
	require.NoError(t, err)
	assert.Equal(t, 2, r.number(t, `SELECT count(*) FROM forward_rule`))
	require.NoError(t, r.clean(t.Context()))
	assert.Equal(t, 1, r.number(t, `SELECT count(*) FROM forward_rule`))
	assert.Equal(t, 3, r.backlogged(t))
}
