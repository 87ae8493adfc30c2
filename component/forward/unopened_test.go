package forward

import (
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/wxsteward/wxsteward/internal/fault"
)

func (r *replica) damage(tb testing.TB, set string) {
	tb.Helper()
	_, err := r.pool.Exec(tb.Context(), `UPDATE forward_rule SET `+set)
	require.NoError(tb, err)
	r.forgetRules()
}

// TestMessagesWaitForASecret: a rule whose secret cannot be opened loses nothing, and a new secret sends what waits.
func TestMessagesWaitForASecret(t *testing.T) {
	t.Parallel()
	r := newReplica(t)
	shop, witness := newTarget(t, status(http.StatusOK)), newTarget(t, status(http.StatusOK))
	rule, _ := r.to(t, shop.URL)
	r.damage(t, `secret = '\x0102'`)
	r.to(t, witness.URL)
	r.start(t)
	r.store(t, text(1, "wx1"))
	eventually(t, "the other rule goes on", func() bool { return len(witness.calls()) == 1 })
	list := r.list(t, DeliveryFilter{RuleID: rule.ID})
	require.Len(t, list, 1)
	assert.Equal(t, statePending, list[0].State)
	now, err := r.rule(t.Context(), rule.ID)
	require.NoError(t, err)
	view := ruleView(now.Rule, fault.English)
	assert.True(t, view.Enabled)
	assert.Contains(t, view.LastError, "cannot be opened")
	_, err = r.RetryDead(t.Context(), rule.ID)
	assert.Contains(t, conflict(t, err), "Rotate it")

	_, secret, err := r.Rotate(t.Context(), rule.ID)
	require.NoError(t, err)
	eventually(t, "what waited is delivered", func() bool { return len(shop.calls()) == 1 })
	call := shop.calls()[0]
	require.NoError(t, verifier(t, secret).Verify([]byte(call.body), call.header))
	assert.Len(t, strings.Fields(call.header.Get("Webhook-Signature")), 1, "the unreadable one is not kept")
	now, err = r.rule(t.Context(), rule.ID)
	require.NoError(t, err)
	assert.Empty(t, now.LastError)
	assert.Zero(t, now.PreviousUntil)
}

// TestUnreadablePreviousSecretStopsNothing: whether it still counts or is long over.
func TestUnreadablePreviousSecretStopsNothing(t *testing.T) {
	t.Parallel()
	for _, until := range []string{"1 hour", "-1 hour"} {
		t.Run(until, func(t *testing.T) {
			t.Parallel()
			r := newReplica(t)
			shop := newTarget(t, status(http.StatusOK))
			_, secret := r.to(t, shop.URL)
			r.damage(t, `previous_secret = '\x0102', previous_until = now() + interval '`+until+`'`)
			r.start(t)
			r.store(t, text(1, "wx1"))
			eventually(t, "it is delivered", func() bool { return r.count(t, stateDelivered) == 1 })
			call := shop.calls()[0]
			require.NoError(t, verifier(t, secret).Verify([]byte(call.body), call.header))
			assert.Equal(t, strings.HasPrefix(until, "1"), strings.Contains(r.logs.String(), "previous secret"))
		})
	}
}

// TestRelayWithoutASecretIsLeftOut: the next relay is asked.
func TestRelayWithoutASecretIsLeftOut(t *testing.T) {
	t.Parallel()
	r := newReplica(t)
	shop := newTarget(t, func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, "<xml/>") })
	relay := func(c *Change) { c.Mode = new(ModeRelay) }
	r.to(t, shop.URL+"/first", relay)
	r.damage(t, `secret = '\x0102'`)
	_, ok := r.Relay(t.Context(), text(1, "wx1"), time.Now().Add(5*time.Second))
	assert.False(t, ok)
	r.to(t, shop.URL+"/second", relay)
	_, ok = r.Relay(t.Context(), text(1, "wx1"), time.Now().Add(5*time.Second))
	assert.True(t, ok)
	require.Len(t, shop.calls(), 1)
	assert.Equal(t, "/second", shop.calls()[0].path)
}
