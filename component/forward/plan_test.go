package forward

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// TestNothingScansAllDeliveries: with a long history and a backlog, taking, recording and every list look at few pages, also
// before PostgreSQL has gathered statistics.
func TestNothingScansAllDeliveries(t *testing.T) {
	t.Parallel()
	r := newReplica(t)
	var rules []int64
	for range 3 {
		rule, _ := r.to(t, "http://127.0.0.1:9/")
		rules = append(rules, rule.ID)
	}
	// The first statements on the empty table have their plans kept.
	for range 8 {
		_, err := claimDue(t.Context(), r.pool, rules, []int32{5, 5, 5}, r.now(), time.Second)
		require.NoError(t, err)
		r.list(t, DeliveryFilter{State: stateDead, Limit: 20})
		r.list(t, DeliveryFilter{MessageID: 1, Limit: 20})
		_, err = takeBacklog(t.Context(), r.pool, rules[0], 5, r.now())
		require.NoError(t, err)
		_, err = r.DeliveriesOf(t.Context(), []int64{1})
		require.NoError(t, err)
		_, err = r.Due(t.Context())
		require.NoError(t, err)
	}
	_, err := r.pool.Exec(t.Context(), `INSERT INTO delivery (message_id, rule_id, state, next_at, created_at)
		SELECT n, $1::bigint + n % 3, CASE WHEN n % 50 = 0 THEN 'dead' WHEN n > 90000 THEN 'pending' ELSE 'delivered' END, now(), now()
		FROM generate_series(1, 100000) n`, rules[0])
	require.NoError(t, err)
	_, err = r.pool.Exec(t.Context(), `INSERT INTO delivery_backlog (rule_id, message_ids, created_at)
		SELECT $1::bigint + n % 2, ARRAY(SELECT generate_series(n * 50, n * 50 + 80)), now() FROM generate_series(3000, 23000) n`, rules[0])
	require.NoError(t, err)
	pages := func(fn func(tx pgx.Tx)) (read int64) {
		const q = `SELECT coalesce(sum(seq_tup_read), 0)::bigint FROM pg_stat_xact_user_tables WHERE relname IN ('delivery', 'delivery_backlog')`
		require.NoError(t, pgx.BeginFunc(t.Context(), r.pool, func(tx pgx.Tx) error {
			fn(tx)
			return tx.QueryRow(t.Context(), q).Scan(&read)
		}))
		return read
	}
	assert.Zero(t, pages(func(tx pgx.Tx) {
		taken, err := claimDue(t.Context(), tx, rules, []int32{32, 32, 32}, r.now(), time.Minute)
		require.NoError(t, err)
		require.Len(t, taken, 96)
		var settled []result
		for _, d := range taken {
			settled = append(settled, result{ruleID: d.ruleID, deliveryID: d.id, messageID: d.messageID, tries: 1, lease: d.lease, outcome: outcome{at: r.now(), status: 200}})
		}
		require.NoError(t, r.writeResults(t.Context(), tx, r.judge(settled)))
		_, err = nextDue(t.Context(), tx, rules)
		require.NoError(t, err)
	}), "rows read by scanning")
	assert.Zero(t, pages(func(tx pgx.Tx) {
		due, err := countDue(t.Context(), tx, rules, r.now(), 20_000)
		require.NoError(t, err)
		assert.EqualValues(t, 20_000, due)
		counts, err := countDueOf(t.Context(), tx, rules, r.now(), 100)
		require.NoError(t, err)
		assert.Equal(t, map[int64]int{rules[0]: 100, rules[1]: 100, rules[2]: 100}, counts)
		found, err := rulesWithBacklog(t.Context(), tx, rules)
		require.NoError(t, err)
		assert.Equal(t, rules[:2], found)
		step, err := takeBacklog(t.Context(), tx, rules[1], 1000, r.now())
		require.NoError(t, err)
		assert.Equal(t, taken{backlogStep, 13, 13 * 81}, step)
		list, err := deliveriesOf(t.Context(), tx, []int64{777, 500_000, 1_000_000})
		require.NoError(t, err)
		assert.Equal(t, []int{1, 2, 2}, []int{len(list[777]), len(list[500_000]), len(list[1_000_000])})
	}), "rows read by scanning")
	assert.Zero(t, pages(func(tx pgx.Tx) {
		counts, err := countWaiting(t.Context(), tx, rules, 100)
		require.NoError(t, err)
		for _, c := range counts {
			assert.Equal(t, waitingCount{c.RuleID, 100, 100}, c, "counting ends early")
		}
	}), "rows read by scanning")
	for _, f := range []DeliveryFilter{
		{},
		{RuleID: rules[1]},
		{State: stateDead},
		{State: statePending, Before: 95000},
		{RuleID: rules[2], State: stateDelivered},
		{MessageID: 777},
		{MessageID: 500_000},
	} {
		f.Limit = 21
		t.Run(strings.ReplaceAll(fmt.Sprintf("%+v", f), " ", ","), func(t *testing.T) {
			t.Parallel()
			assert.Zero(t, pages(func(tx pgx.Tx) {
				list, err := listDeliveries(t.Context(), tx, f)
				require.NoError(t, err)
				require.NotEmpty(t, list)
				require.NoError(t, addAttempts(t.Context(), tx, list))
			}), "rows read by scanning")
			began := time.Now()
			_, err := listDeliveries(t.Context(), r.pool, f)
			require.NoError(t, err)
			assert.Less(t, time.Since(began), time.Second)
		})
	}
}
