package forward

import (
	"io"
	"net/http"
	"net/http/httptest"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/wxsteward/wxsteward/component"
)

// BenchmarkDeliveries stores 20,000 messages, fifty to a transaction, and has each delivered to a target on this machine, until
// the last is recorded: deliveries/s on the processors shared by us, PostgreSQL and the target.
func BenchmarkDeliveries(b *testing.B) {
	r := newReplica(b, func(c *Config) { c.poll = 0 })
	var hits atomic.Int64
	shop := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, req *http.Request) {
		_, _ = io.Copy(io.Discard, req.Body)
		hits.Add(1)
	}))
	b.Cleanup(shop.Close)
	r.to(b, shop.URL)
	r.start(b)
	b.ResetTimer()
	began := time.Now()
	const group, all = 50, 20000
	for at := 0; at < all; at += group {
		var batch []component.Message
		for id := at; id < min(at+group, all); id++ {
			batch = append(batch, text(int64(id+1), "wx1"))
		}
		r.store(b, batch...)
	}
	stored := time.Since(began)
	deadline := time.Now().Add(2 * time.Minute)
	for r.count(b, stateDelivered) < all {
		require.True(b, time.Now().Before(deadline), "%d of %d delivered", r.count(b, stateDelivered), all)
		time.Sleep(20 * time.Millisecond)
	}
	b.ReportMetric(all/time.Since(began).Seconds(), "deliveries/s")
	b.ReportMetric(all/stored.Seconds(), "stored/s")
	b.ReportMetric(float64(hits.Load())/all, "calls/delivery")
	b.ReportMetric(0, "ns/op")
}
