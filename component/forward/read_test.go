package forward

import (
	"context"
	"errors"
	"io"
	"net/http"
	"sync"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/wxsteward/wxsteward/component"
	"github.com/wxsteward/wxsteward/internal/fault"
)

// faultyMailbox fails with err until it is mended, and counts how often it is asked.
type faultyMailbox struct {
	box *mailbox

	mu    sync.Mutex
	err   error
	asked int
}

func (b *faultyMailbox) Message(ctx context.Context, id int64) (component.Message, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.asked++
	if b.err != nil {
		return component.Message{}, b.err
	}
	return b.box.Message(ctx, id)
}

func (b *faultyMailbox) mend() {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.err = nil
}

func (b *faultyMailbox) times() int {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.asked
}

// waiting is a delivery of a message that has to be read, and nothing gives it but box.
func (r *replica) waiting(tb testing.TB, target string, err error) *faultyMailbox {
	tb.Helper()
	rule, _ := r.to(tb, target)
	box := &faultyMailbox{box: r.box, err: err}
	r.box.messages[1] = text(1, "wx1")
	r.deps.Messages = box
	require.NoError(tb, pgx.BeginFunc(tb.Context(), r.pool, func(tx pgx.Tx) error {
		return insertDeliveries(tb.Context(), tx, []int64{1}, []int64{rule.ID}, r.now())
	}))
	return box
}

// TestDamagedMessageDies: one that cannot be read is tried like one that is not taken, and its target is not blamed.
func TestDamagedMessageDies(t *testing.T) {
	t.Parallel()
	r := newReplica(t, func(c *Config) { c.RetryBase = time.Microsecond })
	told := &staff{}
	r.deps.Announcer = told
	shop := newTarget(t, status(http.StatusOK))
	box := r.waiting(t, shop.URL, errors.New("damaged"))
	r.start(t)
	eventually(t, "it is dead", func() bool { return r.count(t, stateDead) == 1 })
	assert.Equal(t, maxTries(), box.times())
	assert.Contains(t, r.list(t, DeliveryFilter{})[0].Attempts[0].Failure.In(fault.English), "could not be read")
	n, _ := told.of(component.EventDeadLetter)
	assert.Equal(t, 1, n)
	assert.Empty(t, shop.calls())
	r.forgetRules()
	rules, err := r.currentRules(t.Context(), r.pool)
	require.NoError(t, err)
	assert.Zero(t, rules[0].Failures, "the target has refused nothing")
}

// TestMessageOfADatabaseThatIsAwayWaits: no try is used up, and nobody asks without a pause.
func TestMessageOfADatabaseThatIsAwayWaits(t *testing.T) {
	t.Parallel()
	r := newReplica(t)
	shop := newTarget(t, status(http.StatusOK))
	box := r.waiting(t, shop.URL, io.ErrUnexpectedEOF)
	began := r.now()
	r.start(t)
	eventually(t, "it waits", func() bool {
		list := r.list(t, DeliveryFilter{})
		return list[0].NextAt.After(began.Add(time.Second))
	})
	assert.Equal(t, 1, box.times())
	list := r.list(t, DeliveryFilter{State: statePending})
	require.Len(t, list, 1)
	assert.Empty(t, list[0].Attempts)
	var tries int
	require.NoError(t, r.pool.QueryRow(t.Context(), `SELECT tries FROM delivery`).Scan(&tries))
	assert.Zero(t, tries)
	box.mend()
	r.clock.Add(time.Minute)
	r.poke()
	eventually(t, "it is delivered", func() bool { return r.count(t, stateDelivered) == 1 })
}
