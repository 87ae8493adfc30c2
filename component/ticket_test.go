package component

import (
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/wxsteward/wxsteward/internal/fault"
)

func TestNewestTicketWins(t *testing.T) {
	t.Parallel()
	p := newPlatform(t)
	_, err := p.Ticket(t.Context())
	assert.True(t, isKind(err, fault.Conflict), "%v", err)
	now := p.clock.Now().Unix()
	for _, step := range []struct {
		name   string
		ticket string
		at     int64
		want   string
	}{
		{"the first", "t1", now - 600, "t1"},
		{"a newer one", "t2", now, "t2"},
		{"an older one that was late", "t0", now - 1200, "t2"},
		{"another of the same second", "t3", now, "t3"},
		{"one from the far future", "t4", now + 1e9, "t4"},
		{"the next after that", "t5", now + 60, "t5"},
	} {
		p.clock.Add(time.Second)
		_, body := p.push(t, onComponent(), ticketXML(step.ticket, step.at))
		require.Equal(t, "success", body)
		require.NoError(t, p.handleAll(t))
		ticket, err := p.Ticket(t.Context())
		require.NoError(t, err)
		assert.Equal(t, step.want, ticket.Value.Reveal(), step.name)
	}
}

func TestUselessTickets(t *testing.T) {
	t.Parallel()
	for name, body := range map[string]string{
		"none":                      `{"InfoType":"component_verify_ticket","ComponentVerifyTicket":{}}`,
		"a ticket of another party": `{"AppId":"wxother","InfoType":"component_verify_ticket","ComponentVerifyTicket":"t"}`,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p := newPlatform(t)
			p.work(t)
			_, answer := p.push(t, onComponent(), body)
			require.Equal(t, "success", answer)
			eventually(t, "it is given up", func() bool { return p.one(t).State == StateFailed })
			assert.NotEmpty(t, p.one(t).Error)
			_, err := p.Ticket(t.Context())
			assert.True(t, isKind(err, fault.Conflict), "%v", err)
		})
	}
}

func TestTicketOnTheMessageAddressIsNone(t *testing.T) {
	t.Parallel()
	p := newPlatform(t)
	_, _ = p.push(t, onBiz("wxm1"), ticketXML("t", 1))
	require.NoError(t, p.handleAll(t))
	_, err := p.Ticket(t.Context())
	assert.True(t, isKind(err, fault.Conflict), "%v", err)
}

const startPushPath = "/cgi-bin/component/api_start_push_ticket"

func TestStaleTicketRestartsThePush(t *testing.T) {
	t.Parallel()
	p := newPlatform(t, func(c *Config) { c.TicketStaleAfter = 30 * time.Minute })
	tries := func() int { return len(p.wechat.Calls(startPushPath)) }
	check := func() { require.NoError(t, p.keepTicketFresh(t.Context(), false)) }
	replica := platformOn(t, p.dbURL)

	check()
	assert.Equal(t, 1, tries(), "no ticket at all")
	require.NoError(t, replica.keepTicketFresh(t.Context(), false))
	assert.Empty(t, replica.wechat.Calls(startPushPath), "another replica knows of it")
	for _, pause := range []time.Duration{time.Minute, 2 * time.Minute, 4 * time.Minute} {
		before := tries()
		p.clock.Add(pause - time.Second)
		check()
		assert.Equal(t, before, tries(), "the pause is not over")
		p.clock.Add(2 * time.Second)
		check()
		assert.Equal(t, before+1, tries(), "pauses grow")
	}
	before := tries()
	require.NoError(t, p.RestartTicket(t.Context()))
	assert.Equal(t, before+1, tries(), "by hand there is no pause")

	_, _ = p.push(t, onComponent(), ticketXML("t", p.clock.Now().Unix()))
	require.NoError(t, p.handleAll(t))
	before = tries()
	p.clock.Add(29 * time.Minute)
	check()
	assert.Equal(t, before, tries(), "the ticket is young")
	p.clock.Add(2 * time.Minute)
	check()
	assert.Equal(t, before+1, tries(), "the ticket is stale, and the pauses begin anew")
}

func TestRestartsOfAClockThatWasAheadHoldUpNone(t *testing.T) {
	t.Parallel()
	p := newPlatform(t)
	for _, pass := range []time.Duration{0, 24 * time.Hour, -24*time.Hour + 30*time.Second} {
		p.clock.Add(pass)
		require.NoError(t, p.keepTicketFresh(t.Context(), false))
	}
	assert.Len(t, p.wechat.Calls(startPushPath), 3, "a day ahead and back")
	p.clock.Add(59 * time.Second)
	require.NoError(t, p.keepTicketFresh(t.Context(), false))
	assert.Len(t, p.wechat.Calls(startPushPath), 3, "the pauses go on")
}

func TestNoRestartWithoutAppSecret(t *testing.T) {
	t.Parallel()
	p := newPlatform(t, stored)
	require.NoError(t, p.keepTicketFresh(t.Context(), false))
	assert.Empty(t, p.wechat.Calls(startPushPath))
	err := p.RestartTicket(t.Context())
	assert.True(t, isKind(err, fault.Conflict), "%v", err)
}
