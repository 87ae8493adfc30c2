package component

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

	"github.com/wxsteward/wxsteward/internal/fault"
)

// staff hears announcements, once for each key, as a notice does.
type staff struct {
	mu     sync.Mutex
	heard  []Announcement
	refuse error
}

func (s *staff) Announce(_ context.Context, _ pgx.Tx, a Announcement) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.refuse != nil {
		return s.refuse
	}
	for _, known := range s.heard {
		if known.Event == a.Event && known.Key == a.Key {
			return nil
		}
	}
	s.heard = append(s.heard, a)
	return nil
}

func (s *staff) all() []Announcement {
	s.mu.Lock()
	defer s.mu.Unlock()
	return append([]Announcement(nil), s.heard...)
}

func TestStaffHearThatTicketsStayAway(t *testing.T) {
	t.Parallel()
	p := newPlatform(t)
	told := &staff{}
	p.deps.Announcer = told
	p.pushTicket(t)
	came := p.clock.Now()
	for range 13 {
		require.NoError(t, p.watchTicket(t.Context()))
		p.clock.Add(10 * time.Minute)
	}
	require.NoError(t, p.watchTicket(t.Context()))
	list := told.all()
	require.Len(t, list, 1, "at two hours, once")
	assert.Equal(t, EventTicketStale, list[0].Event)
	assert.WithinDuration(t, came, list[0].Since, time.Second)
	assert.Contains(t, list[0].Reason.In(fault.English), "has not helped")
	assert.Contains(t, list[0].Reason.In(fault.Chinese), "仍未收到")

	p.pushTicket(t)
	list = told.all()
	require.Len(t, list, 2)
	assert.Equal(t, OutcomeRecovered, list[1].Outcome)
}

// TestAlarmAndItsNewsAreOne: an alarm whose news cannot be stored has not begun.
func TestAlarmAndItsNewsAreOne(t *testing.T) {
	t.Parallel()
	p := newPlatform(t)
	told := &staff{refuse: errors.New("no room")}
	p.deps.Announcer = told
	p.pushTicket(t)
	require.NoError(t, p.watchTicket(t.Context()))
	p.clock.Add(3 * time.Hour)
	require.Error(t, p.watchTicket(t.Context()))
	told.refuse = nil
	require.NoError(t, p.watchTicket(t.Context()))
	assert.Len(t, told.all(), 1)
}

func TestStaffHearThatRestartingFails(t *testing.T) {
	t.Parallel()
	p := newPlatform(t)
	told := &staff{}
	p.deps.Announcer = told
	p.pushTicket(t)
	p.api.Config.Handler = http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		_, _ = w.Write([]byte(`{"errcode":61004,"errmsg":"access clientip is not registered requestIP: 1.2.3.4 rid: 1"}`))
	})
	for range 4 {
		p.clock.Add(40 * time.Minute)
		require.Error(t, p.keepTicketFresh(t.Context(), false))
	}
	list := told.all()
	require.Len(t, list, 1, "once for each lack of tickets")
	assert.Contains(t, list[0].Reason.In(fault.English), "did not take the request")
	assert.Equal(t, "/platform", list[0].Path)
}
