package component

import (
	"context"
	"encoding/json"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/wxsteward/wxsteward/internal/adminauth"
	"github.com/wxsteward/wxsteward/internal/live"
)

// pushTicket pushes a ticket of now and has it handled.
func (p *platform) pushTicket(t *testing.T) {
	t.Helper()
	_, body := p.push(t, onComponent(), ticketXML("t"+p.clock.Now().String(), p.clock.Now().Unix()))
	require.Equal(t, "success", body)
	require.NoError(t, p.handleAll(t))
}

// ticketNews collects the states told of the ticket from now on; the function gives those until now.
func (p *platform) ticketNews(t *testing.T) func() []string {
	t.Helper()
	conn, err := pgx.Connect(t.Context(), p.dbURL)
	require.NoError(t, err)
	t.Cleanup(func() { _ = conn.Close(context.Background()) })
	_, err = conn.Exec(t.Context(), `LISTEN wxsteward_live`)
	require.NoError(t, err)
	return func() []string {
		require.NoError(t, live.Publish(t.Context(), p.pool, live.Event{Kind: "end"}))
		var states []string
		for {
			n, err := conn.WaitForNotification(t.Context())
			require.NoError(t, err)
			var e live.Event
			require.NoError(t, json.Unmarshal([]byte(n.Payload), &e))
			switch e.Kind {
			case "end":
				return states
			case "ticket":
				states = append(states, e.State)
			}
		}
	}
}

func TestTicketHealth(t *testing.T) {
	t.Parallel()
	p := newPlatform(t)
	replica := platformOn(t, p.dbURL)
	replica.clock = p.clock
	replica.now, replica.cfg.Now = p.clock.Now, p.clock.Now
	o := p.office(t)
	news := p.ticketNews(t)
	look := func() {
		t.Helper()
		var group sync.WaitGroup
		for range 4 {
			for _, s := range []*platform{p, replica} {
				group.Go(func() { assert.NoError(t, s.watchTicket(t.Context())) })
			}
		}
		group.Wait()
	}
	check := func() Check {
		for _, c := range p.RunChecks(t.Context()) {
			if c.Name == "ticket" {
				return c
			}
		}
		return Check{}
	}
	p.pushTicket(t)
	assert.Equal(t, []string{"received"}, news())
	for _, step := range []struct {
		name      string
		pass      time.Duration
		ticket    bool
		health    TicketHealth
		told      []string
		ok, hints bool
	}{
		{name: "young", pass: 20*time.Minute - time.Second, health: TicketOK, ok: true},
		{name: "late", pass: 2 * time.Second, health: TicketWarn, told: []string{"warn"}, ok: true, hints: true},
		{name: "still late", pass: 9 * time.Minute, health: TicketWarn, ok: true, hints: true},
		{name: "in time after all", ticket: true, health: TicketOK, told: []string{"received"}, ok: true},
		{name: "stale", pass: 31 * time.Minute, health: TicketStale, told: []string{"stale"}, hints: true},
		{name: "not long enough for an alarm", pass: 89*time.Minute - time.Second, health: TicketStale, hints: true},
		{name: "too long", pass: 2 * time.Second, health: TicketAlarm, told: []string{"alarm"}, hints: true},
		{name: "much too long", pass: 3 * time.Hour, health: TicketAlarm, hints: true},
		{name: "back", ticket: true, health: TicketOK, told: []string{"recovered", "received"}, ok: true},
		{name: "away once more", pass: 3 * time.Hour, health: TicketAlarm, told: []string{"alarm"}, hints: true},
	} {
		p.clock.Add(step.pass)
		if step.ticket {
			p.pushTicket(t)
		}
		look()
		assert.Equal(t, step.told, news(), "%s: each is told once, however many look", step.name)
		status, err := p.TicketStatus(t.Context())
		require.NoError(t, err)
		assert.Equal(t, step.health, status.Health, step.name)
		c := check()
		assert.Equal(t, step.ok, c.OK, step.name)
		assert.Equal(t, step.hints, c.Hint != "", step.name)
		_, got, _ := o.call(t, adminauth.Viewer, http.MethodGet, "/component", "")
		ticket := got["ticket"].(map[string]any)
		assert.Equal(t, string(step.health), ticket["health"], step.name)
		assert.Equal(t, step.health == TicketAlarm, ticket["alarm_since"] != nil, step.name)
	}
	for log, want := range map[string]int{"tickets stay away": 2, "tickets come again": 1} {
		assert.Equal(t, want, strings.Count(p.logs.String()+replica.logs.String(), log), log)
	}
}

func TestTicketThatNeverCame(t *testing.T) {
	t.Parallel()
	p := newPlatform(t)
	news := p.ticketNews(t)
	status, err := p.TicketStatus(t.Context())
	require.NoError(t, err)
	assert.Equal(t, TicketStatus{Stale: true, Health: TicketStale}, status)
	began := p.clock.Now()
	require.NoError(t, p.watchTicket(t.Context()))
	p.clock.Add(2*time.Hour + time.Second)
	require.NoError(t, p.watchTicket(t.Context()))
	status, err = p.TicketStatus(t.Context())
	require.NoError(t, err)
	assert.Equal(t, TicketAlarm, status.Health)
	assert.WithinDuration(t, began.Add(2*time.Hour), status.AlarmSince, time.Second)
	assert.Equal(t, []string{"stale", "alarm"}, news())
	p.pushTicket(t)
	assert.Equal(t, []string{"recovered", "received"}, news())
}

func TestNobodyWaitsForTicketsBeforeThePlatformIsSetUp(t *testing.T) {
	t.Parallel()
	p := newPlatform(t, stored)
	require.NoError(t, p.watchTicket(t.Context()))
	p.clock.Add(24 * time.Hour)
	require.NoError(t, p.watchTicket(t.Context()))
	status, err := p.TicketStatus(t.Context())
	require.NoError(t, err)
	assert.Equal(t, TicketStale, status.Health, "no alarm for a platform that was never set up")
}

// TestAlarmAndTicketAtOnce: a ticket that comes while somebody looks at the old one's age must not leave an alarm behind.
func TestAlarmAndTicketAtOnce(t *testing.T) {
	t.Parallel()
	p := newPlatform(t)
	p.pushTicket(t)
	p.clock.Add(3 * time.Hour)
	tx, err := p.pool.Begin(t.Context())
	require.NoError(t, err)
	health, since, err := lockTicketHealth(t.Context(), tx, testAppID, p.clock.Now())
	require.NoError(t, err)
	_, err = putTicket(t.Context(), tx, testAppID, []byte("box"), p.clock.Now(), p.clock.Now())
	require.NoError(t, err)

	looked := make(chan error, 1)
	go func() { looked <- p.watchTicket(t.Context()) }() // sees the old ticket, if it does not wait
	eventually(t, "it waits, or is through", func() bool {
		var waiting bool
		err := p.pool.QueryRow(t.Context(), `SELECT EXISTS (SELECT FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND datname = current_database())`).Scan(&waiting)
		return err == nil && (waiting || len(looked) > 0)
	})
	require.NoError(t, p.moveTicketHealth(t.Context(), tx, health, since))
	require.NoError(t, tx.Commit(t.Context()))
	require.NoError(t, <-looked)
	var level TicketHealth
	require.NoError(t, p.pool.QueryRow(t.Context(), `SELECT level FROM ticket_health`).Scan(&level))
	require.Equal(t, TicketOK, level)
	assert.NotContains(t, p.logs.String(), "tickets stay away")
}

// TestTicketsOfAClockThatWasAhead: times from a clock that was put right since must not pass for those of fresh tickets.
func TestTicketsOfAClockThatWasAhead(t *testing.T) {
	t.Parallel()
	for name, another := range map[string]bool{"a ticket came since": true, "none came since": false} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p := newPlatform(t)
			push := func(ticket string, at time.Time) { // at is WeChat's clock
				t.Helper()
				_, body := p.push(t, onComponent(), ticketXML(ticket, at.Unix()))
				require.Equal(t, "success", body)
				require.NoError(t, p.handleAll(t))
			}
			began := p.clock.Now()
			p.clock.Add(24 * time.Hour)
			push("t1", began)
			require.NoError(t, p.watchTicket(t.Context()))
			p.clock.set(began.Add(10 * time.Minute))
			last := began
			if another {
				last = p.clock.Now()
				push("t2", last)
				ticket, err := p.Ticket(t.Context())
				require.NoError(t, err)
				assert.WithinDuration(t, last, ticket.ReceivedAt, time.Second)
			}
			p.clock.set(last.Add(time.Minute))
			status, err := p.TicketStatus(t.Context())
			require.NoError(t, err)
			assert.Equal(t, TicketOK, status.Health)
			assert.WithinDuration(t, last, status.ReceivedAt, time.Second)

			p.clock.set(last.Add(3 * time.Hour))
			require.NoError(t, p.watchTicket(t.Context()))
			status, err = p.TicketStatus(t.Context())
			require.NoError(t, err)
			assert.Equal(t, TicketAlarm, status.Health)
			assert.WithinDuration(t, last.Add(2*time.Hour), status.AlarmSince, time.Second)
			assert.Contains(t, p.logs.String(), "tickets stay away")
			require.NoError(t, p.keepTicketFresh(t.Context(), false))
			assert.Len(t, p.wechat.Calls(startPushPath), 1, "the push is restarted")
		})
	}
}

func TestTicketLevelsFollowTheSetting(t *testing.T) {
	t.Parallel()
	s := New(Config{TicketStaleAfter: 3 * time.Second}, Deps{})
	for age, want := range map[time.Duration]TicketHealth{
		2 * time.Second: TicketOK, 2001 * time.Millisecond: TicketWarn, 3 * time.Second: TicketWarn, 3001 * time.Millisecond: TicketStale,
		12 * time.Second: TicketStale, 12001 * time.Millisecond: TicketAlarm,
	} {
		assert.Equal(t, want, s.ticketHealth(age), age)
	}
}
