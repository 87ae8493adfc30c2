package forward

import (
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/wxsteward/wxsteward/internal/sealed"
)

// TestEverySecretHasItsDay: one that was rotated away signs for 24 hours, whatever is rotated after it.
func TestEverySecretHasItsDay(t *testing.T) {
	t.Parallel()
	r := newReplica(t, func(c *Config) { c.Retention = 30 * 24 * time.Hour })
	shop := newTarget(t, status(http.StatusOK))
	rule, first := r.to(t, shop.URL)
	r.start(t)
	sent := int64(0)
	verified := func(secrets ...sealed.Secret) (ok []bool) {
		sent++
		r.store(t, text(sent, "wx1"))
		eventually(t, "it is delivered", func() bool { return r.count(t, stateDelivered) == int(sent) })
		calls := shop.calls()
		call := calls[len(calls)-1]
		for _, secret := range secrets {
			ok = append(ok, verifier(t, secret).VerifyIgnoringTimestamp([]byte(call.body), call.header) == nil)
		}
		return ok
	}
	rotate := func() sealed.Secret {
		_, secret, err := r.Rotate(t.Context(), rule.ID)
		require.NoError(t, err)
		return secret
	}
	second := rotate()
	r.clock.Add(10 * time.Hour)
	third := rotate()
	assert.Equal(t, []bool{true, true, true}, verified(first, second, third))
	r.clock.Add(15 * time.Hour)
	assert.Equal(t, []bool{false, true, true}, verified(first, second, third), "the day of the first is over")
	require.NoError(t, r.clean(t.Context()))
	var kept int
	require.NoError(t, r.pool.QueryRow(t.Context(), `SELECT count(*) FROM forward_rule_secret`).Scan(&kept))
	assert.Zero(t, kept)
	r.clock.Add(10 * time.Hour)
	assert.Equal(t, []bool{false, false, true}, verified(first, second, third))

	for range 3 * keptSecrets {
		rotate()
	}
	assert.Equal(t, []bool{false}, verified(third), "a header has an end")
	calls := shop.calls()
	assert.Len(t, strings.Fields(calls[len(calls)-1].header.Get("Webhook-Signature")), 1+keptSecrets)
	require.NoError(t, r.Delete(t.Context(), rule.ID))
	require.NoError(t, r.pool.QueryRow(t.Context(), `SELECT count(*) FROM forward_rule_secret`).Scan(&kept))
	assert.Zero(t, kept)
}

// TestALostSecretLeavesTheOneBefore: what cannot be opened takes nobody's place.
func TestALostSecretLeavesTheOneBefore(t *testing.T) {
	t.Parallel()
	r := newReplica(t)
	shop := newTarget(t, status(http.StatusOK))
	rule, first := r.to(t, shop.URL)
	_, _, err := r.Rotate(t.Context(), rule.ID)
	require.NoError(t, err)
	r.damage(t, `secret = '\x0102'`)
	_, third, err := r.Rotate(t.Context(), rule.ID)
	require.NoError(t, err)
	r.start(t)
	r.store(t, text(1, "wx1"))
	eventually(t, "it is delivered", func() bool { return r.count(t, stateDelivered) == 1 })
	call := shop.calls()[0]
	require.NoError(t, verifier(t, first).Verify([]byte(call.body), call.header))
	require.NoError(t, verifier(t, third).Verify([]byte(call.body), call.header))
}
