package forward

import (
	"errors"
	"net/http"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/wxsteward/wxsteward/component"
	"github.com/wxsteward/wxsteward/internal/fault"
)

func conflict(tb testing.TB, err error) string {
	tb.Helper()
	f, ok := errors.AsType[*fault.Error](err)
	require.True(tb, ok, "%v", err)
	require.Equal(tb, fault.Conflict, f.Kind)
	return f.In(fault.English)
}

// TestRetryOfARuleThatSendsNothing: a retry says that it is sent, so it is refused where nothing would be.
func TestRetryOfARuleThatSendsNothing(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct{ name, set, want string }{
		{"switched off", `enabled = false`, "Enable it first"},
		{"paused by itself", `paused_at = now(), failing_since = now()`, "Enable it first"},
		{"a relay", `mode = 'relay'`, "Change its mode first"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			r := newReplica(t)
			rule, _ := r.to(t, "http://127.0.0.1:9/")
			r.store(t, text(1, "wx1"))
			_, err := r.pool.Exec(t.Context(), `UPDATE delivery SET state = 'dead', finished_at = now()`)
			require.NoError(t, err)
			_, err = r.pool.Exec(t.Context(), `UPDATE forward_rule SET `+tc.set)
			require.NoError(t, err)
			_, err = r.Retry(t.Context(), r.list(t, DeliveryFilter{})[0].ID)
			assert.Contains(t, conflict(t, err), tc.want)
			_, err = r.RetryDead(t.Context(), rule.ID)
			assert.Contains(t, conflict(t, err), tc.want)
			assert.Equal(t, 1, r.count(t, stateDead))
		})
	}
}

// TestWhatWaitsForARelayEnds: a rule that has become a relay delivers nothing, also not what another replica has made for it
// before it heard of that.
func TestWhatWaitsForARelayEnds(t *testing.T) {
	t.Parallel()
	r := newReplica(t)
	told := &staff{}
	r.deps.Announcer = told
	shop := newTarget(t, status(http.StatusServiceUnavailable))
	rule, _ := r.to(t, shop.URL)
	other, _ := r.to(t, shop.URL)
	r.start(t)
	r.store(t, text(1, "wx1"))
	eventually(t, "both are tried", func() bool { return len(shop.calls()) == 2 })
	_, err := r.Update(t.Context(), rule.ID, Change{Mode: new(ModeRelay)})
	require.NoError(t, err)
	r.box.mu.Lock()
	r.box.messages[2] = text(2, "wx1")
	r.box.mu.Unlock()
	require.NoError(t, pgx.BeginFunc(t.Context(), r.pool, func(tx pgx.Tx) error {
		return insertDeliveries(t.Context(), tx, []int64{2}, []int64{rule.ID}, r.now())
	}))
	eventually(t, "what waits for the relay is dead", func() bool { return r.count(t, stateDead) == 2 })
	for _, d := range r.list(t, DeliveryFilter{RuleID: rule.ID}) {
		assert.Contains(t, d.Attempts[len(d.Attempts)-1].Failure.In(fault.English), "relays")
		assert.False(t, d.FinishedAt.IsZero())
	}
	assert.Equal(t, statePending, r.list(t, DeliveryFilter{RuleID: other.ID})[0].State, "other rules go on")
	n, _ := told.of(component.EventDeadLetter)
	assert.Equal(t, 2, n)

	_, err = r.Update(t.Context(), rule.ID, Change{Mode: new(ModeDeliver)})
	require.NoError(t, err)
	shop.answer(status(http.StatusOK))
	n64, err := r.RetryDead(t.Context(), rule.ID)
	require.NoError(t, err)
	assert.EqualValues(t, 2, n64)
	eventually(t, "they are delivered after all", func() bool { return len(r.list(t, DeliveryFilter{RuleID: rule.ID, State: stateDelivered})) == 2 })
}

// TestWhatWaitsInVainEnds: the messages of a rule that stays switched off go with time, and what waits for them too.
func TestWhatWaitsInVainEnds(t *testing.T) {
	t.Parallel()
	r := newReplica(t, func(c *Config) { c.Retention = time.Hour })
	told := &staff{}
	r.deps.Announcer = told
	rule, _ := r.to(t, "http://127.0.0.1:9/")
	r.store(t, text(1, "wx1"))
	_, err := r.Update(t.Context(), rule.ID, Change{Enabled: new(false)})
	require.NoError(t, err)
	require.NoError(t, r.clean(t.Context()))
	require.Equal(t, 1, r.count(t, statePending))
	r.clock.Add(26 * time.Hour)
	require.NoError(t, r.clean(t.Context()))
	assert.Empty(t, r.list(t, DeliveryFilter{}))
	n, list := told.of(component.EventDeadLetter)
	require.Equal(t, 1, n)
	assert.Contains(t, list[0].Reason.In(fault.English), "retention")
}
