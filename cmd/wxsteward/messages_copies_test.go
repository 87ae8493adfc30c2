package main

import (
	"net/http"
	"strconv"
	"sync"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// TestCopiesAtTwoProcesses pushes three copies of a thousand messages at once to two processes on one database, encrypted and
// plain, with MsgId and without: a thousand are stored, handled and delivered.
func TestCopiesAtTwoProcesses(t *testing.T) {
	t.Parallel()
	w := servingWorld(t)
	w.spawn("serve")
	w.waitReady()
	bases := []string{w.base}
	port := freePort(t)
	w.env["LISTEN_ADDR"], w.base = "127.0.0.1:"+port, "http://127.0.0.1:"+port
	w.spawn("serve")
	w.waitReady()
	bases = append(bases, w.base)
	o := newOperator(t, w.base)
	o.signIn()
	b := newTarget(t)
	o.addRulesFor(b.URL)

	const count, copies, atOnce = 1000, 3, 48
	p := newPusher(t)
	var group sync.WaitGroup
	limit := make(chan struct{}, atOnce)
	heard := 0
	for n := range count {
		if _, _, is := numbered(n); is {
			heard++
		}
		for copied := range copies {
			r := p.numberedPush(bases[(n+copied)%len(bases)], n, copied)
			limit <- struct{}{}
			group.Go(func() {
				defer func() { <-limit }()
				a := p.send(r)
				assert.Equal(t, http.StatusOK, a.status, a.body)
				assert.Equal(t, "success", a.body)
			})
		}
	}
	group.Wait()

	conn := w.database("")
	stored := storedMarks(t, conn)
	require.Len(t, stored, count)
	require.Equal(t, count, numberOf(t, conn, `SELECT count(*) FROM message`), "each once")
	eventually(t, "all are handled", func() (bool, string) {
		n := numberOf(t, conn, `SELECT count(*) FROM message WHERE state = 'handled'`)
		return n == count, strconv.Itoa(n)
	})
	eventually(t, "all are delivered", func() (bool, string) {
		n := numberOf(t, conn, `SELECT count(*) FROM delivery WHERE state = 'delivered'`)
		return n == count, strconv.Itoa(n)
	})
	require.Equal(t, heard, numberOf(t, conn, `SELECT count(*) FROM river_job WHERE kind = 'component_message'`), "each is handled once")
	require.Equal(t, heard, numberOf(t, conn, `SELECT count(*) FROM river_job WHERE kind = 'component_message' AND attempt = 1`))
	require.Equal(t, count, numberOf(t, conn, `SELECT count(*) FROM delivery`))
	taken := takenMarks(b.taken())
	require.Len(t, taken, count)
	for m, ids := range taken {
		require.Len(t, ids, 1, m)
	}
	require.Len(t, b.taken(), count, "each was sent once")
	t.Logf("%d pushes: %d stored, %d of them handled by a job, %d delivered", count*copies, len(stored), heard, len(taken))
}
