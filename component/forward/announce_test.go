package forward

import (
	"context"
	"errors"
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

// staff hears announcements.
type staff struct {
	mu     sync.Mutex
	heard  []component.Announcement
	refuse error
}

func (s *staff) Announce(_ context.Context, _ pgx.Tx, a component.Announcement) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.refuse != nil {
		return s.refuse
	}
	s.heard = append(s.heard, a)
	return nil
}

func (s *staff) of(event string) (count int, list []component.Announcement) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, a := range s.heard {
		if a.Event == event {
			list = append(list, a)
			count += a.Count
		}
	}
	return count, list
}

func TestStaffHearOfDeadDeliveriesAndPausedRules(t *testing.T) {
	t.Parallel()
	r := newReplica(t, func(c *Config) { c.RetryBase = time.Microsecond })
	told := &staff{}
	r.deps.Announcer = told
	shop := newTarget(t, status(http.StatusInternalServerError))
	rule, _ := r.to(t, shop.URL)
	r.start(t)
	const many = 40
	for id := range int64(many) {
		r.store(t, text(id+1, "wx1"))
	}
	eventually(t, "all are dead", func() bool { return r.count(t, stateDead) == many })
	eventually(t, "all are told", func() bool { n, _ := told.of(component.EventDeadLetter); return n == many })
	_, list := told.of(component.EventDeadLetter)
	assert.Equal(t, "/forward-rules/"+formatID(rule.ID), list[0].Key)
	assert.Equal(t, rule.Name, list[0].Subject)
	assert.Contains(t, list[0].Reason.In(fault.English), "500")

	r.clock.Add(2 * time.Hour)
	r.store(t, text(many+1, "wx1"))
	eventually(t, "the pause is told", func() bool { _, list := told.of(component.EventRulePaused); return len(list) == 1 })
	require.NoError(t, r.pauseFailing(t.Context()))
	_, list = told.of(component.EventRulePaused)
	require.Len(t, list, 1, "once")
	assert.False(t, list[0].Since.IsZero())
	assert.Equal(t, rule.Name, list[0].Subject)
}

// TestADeathAndItsNewsAreOne: of a result that another worker's lease made void nothing is told, and one that cannot be told
// is not recorded either.
func TestADeathAndItsNewsAreOne(t *testing.T) {
	t.Parallel()
	r := newReplica(t)
	told := &staff{}
	r.deps.Announcer = told
	shop := newTarget(t, status(http.StatusOK))
	rule, _ := r.to(t, shop.URL)
	r.store(t, text(1, "wx1"))
	taken, err := claimDue(t.Context(), r.pool, []int64{rule.ID}, []int32{5}, r.now(), r.cfg.lease)
	require.NoError(t, err)
	require.Len(t, taken, 1)
	last := result{ruleID: rule.ID, deliveryID: taken[0].id, lease: taken[0].lease, tries: maxTries(), outcome: outcome{at: r.now(), failure: failed(failStatus, "500")}}
	void := last
	void.lease = last.lease.Add(time.Minute)
	require.NoError(t, r.writeResults(t.Context(), r.pool, r.judge([]result{void})))
	n, _ := told.of(component.EventDeadLetter)
	assert.Zero(t, n)

	told.refuse = errors.New("no room")
	require.Error(t, r.writeResults(t.Context(), r.pool, r.judge([]result{last})))
	assert.Zero(t, r.count(t, stateDead))
	told.refuse = nil
	require.NoError(t, r.writeResults(t.Context(), r.pool, r.judge([]result{last})))
	n, _ = told.of(component.EventDeadLetter)
	assert.Equal(t, 1, n)
	assert.Equal(t, 1, r.count(t, stateDead))
}
