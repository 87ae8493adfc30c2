package main

import (
	"net/http"
	"strconv"
	"sync"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// TestDeadTargetAndAKilledProgram pushes far more, with copies, than may wait as deliveries for a business system that refuses
// connections. The program is killed meanwhile and started again, then the business system comes back: it gets every message, each
// under one id.
func TestDeadTargetAndAKilledProgram(t *testing.T) {
	t.Parallel()
	w := servingWorld(t)
	first := w.spawn("serve")
	w.waitReady()
	o := newOperator(t, w.base)
	o.signIn()
	c := newOutcast(t)
	o.addRule(map[string]any{
		"name": "shop", "enabled": true, "channel": "biz", "target_url": "http://" + c.address, "mode": "deliver", "format": "json",
	})
	p := newPusher(t)
	push := func(from, to int) {
		var group sync.WaitGroup
		limit := make(chan struct{}, 64)
		for n := from; n < to; n++ {
			for copied := range 1 + n%10/9 {
				r := p.numberedPush(w.base, 5*n, copied) // texts of users, for which nothing but the delivery follows
				limit <- struct{}{}
				group.Go(func() {
					defer func() { <-limit }()
					a := p.send(r)
					assert.Equal(t, http.StatusOK, a.status, a.body)
				})
			}
		}
		group.Wait()
	}
	const messages = 7000
	push(0, messages-500)
	conn := w.database("")
	backlogged := func() int {
		return numberOf(t, conn, `SELECT coalesce(sum(cardinality(message_ids)), 0) FROM delivery_backlog`)
	}
	require.Positive(t, backlogged(), "the rule is behind")
	require.Less(t, numberOf(t, conn, `SELECT count(*) FROM delivery`), messages-500)
	var overview struct{ Items []struct{ Pending int } }
	o.call(http.MethodGet, "/forward-rules/overview", nil, &overview)
	require.Equal(t, 1000, overview.Items[0].Pending, "as far as it counts")
	id := strconv.Itoa(numberOf(t, conn, `SELECT message_ids[1] FROM delivery_backlog ORDER BY id DESC LIMIT 1`))
	var message struct{ Deliveries []deliveryAnswer }
	o.call(http.MethodGet, "/messages/"+id, nil, &message)
	require.Len(t, message.Deliveries, 1)
	require.Equal(t, "pending", message.Deliveries[0].State)
	require.Empty(t, message.Deliveries[0].ID)
	var list page[deliveryAnswer]
	o.call(http.MethodGet, "/deliveries?message_id="+id, nil, &list)
	require.Len(t, list.Items, 1)
	require.Equal(t, "pending", list.Items[0].State)

	require.NoError(t, first.cmd.Process.Kill())
	<-first.done //nolint:errcheck // killed
	w.spawn("serve")
	w.waitReady()
	push(messages-500, messages)
	waited := backlogged()
	c.open(t, c.Config.Handler)
	eventually(t, "all are delivered", func() (bool, string) {
		n := numberOf(t, conn, `SELECT count(*) FROM delivery WHERE state = 'delivered'`)
		return n == messages, strconv.Itoa(n)
	})
	require.Zero(t, backlogged())
	taken := takenMarks(c.taken())
	require.Len(t, taken, messages)
	for m, ids := range taken {
		require.Len(t, ids, 1, m)
	}
	require.Len(t, c.taken(), messages, "each was sent once")
	t.Logf("%d of %d messages were in the backlog when the business system came back", waited, messages)
}
