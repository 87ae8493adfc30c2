package forward

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/wxsteward/wxsteward/internal/adminauth"
	"github.com/wxsteward/wxsteward/internal/httpserver"
	"github.com/wxsteward/wxsteward/internal/outbound"
)

// BenchmarkProxy compares passing through us, with the public listener and its log, to a bare httputil.ReverseProxy with a
// pool of the same size, and tells the rate of asking the upstream directly. The three take turns in one run; load, both
// proxies and the upstream share the machine. It prints medians of nine rounds of a second each at 64 connections,
// and the median of the rounds' ratios.
func BenchmarkProxy(b *testing.B) {
	const rounds, connections = 9, 64
	body := make([]byte, 1024)
	upstream := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		_, _ = w.Write(body)
	}))
	defer upstream.Close()
	target, err := url.Parse(upstream.URL)
	require.NoError(b, err)

	guard := outbound.Guard{AllowPrivate: true}
	p := NewProxy(ProxyConfig{StripCookies: []string{adminauth.SessionCookie, adminauth.CSRFCookie}}, ProxyDeps{Guard: guard})
	p.state.Store(&proxyState{ProxySetting: ProxySetting{Enabled: true, Upstream: upstream.URL}, pass: p.newPass(target)})
	logger := slog.New(slog.NewJSONHandler(io.Discard, nil)) //nolint:sloglint // what a line costs is part of it
	public := httpserver.New(httpserver.Config{Logger: logger})
	p.RegisterRoutes(public.Echo(), nil)
	ours := httptest.NewServer(public.Echo())
	defer ours.Close()
	defer p.Close()

	pool := &http.Transport{MaxIdleConns: proxyConnections, MaxIdleConnsPerHost: proxyConnections}
	bare := httptest.NewServer(&httputil.ReverseProxy{Transport: pool, Rewrite: func(r *httputil.ProxyRequest) {
		r.SetURL(target)
		r.SetXForwarded()
	}})
	defer bare.Close()

	names := []string{"direct", "bare ReverseProxy", "wxsteward"}
	addresses := []string{upstream.URL, bare.URL, ours.URL}
	rates := make([][]float64, len(addresses))
	for b.Loop() {
		for round := range rounds + 1 {
			for turn := range addresses {
				i := (turn + round) % len(addresses) // nobody always comes first
				rate := requestRate(b, addresses[i]+"/shop/orders?id=7", connections)
				if round > 0 { // the first warms up
					rates[i] = append(rates[i], rate)
				}
			}
		}
	}
	ratios := make([]float64, len(rates[0])) // round by round: what else the machine does hits both
	for round := range ratios {
		ratios[round] = 100 * rates[2][round] / rates[1][round]
	}
	slices.Sort(ratios)
	fmt.Printf("of bare, by round: median %.0f %% (%.0f–%.0f)\n", ratios[len(ratios)/2], ratios[0], ratios[len(ratios)-1])
	median := make([]float64, len(rates))
	for i, r := range rates {
		slices.Sort(r)
		median[i] = r[len(r)/2]
		fmt.Printf("%-18s %8.0f requests/s (%.0f–%.0f)\n", names[i], median[i], r[0], r[len(r)-1])
	}
	b.ReportMetric(median[2], "req/s")
	b.ReportMetric(ratios[len(ratios)/2], "%_of_bare")
	b.ReportMetric(0, "ns/op")
}

// requestRate asks for about a second.
func requestRate(b *testing.B, address string, connections int) float64 {
	b.Helper()
	client := &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: connections}}
	defer client.CloseIdleConnections()
	ctx, cancel := context.WithTimeout(b.Context(), time.Second)
	defer cancel()
	var done atomic.Int64
	var workers sync.WaitGroup
	began := time.Now()
	for range connections {
		workers.Go(func() {
			for ctx.Err() == nil {
				r, err := http.NewRequestWithContext(context.WithoutCancel(ctx), http.MethodGet, address, nil)
				if err != nil {
					return
				}
				res, err := client.Do(r)
				if err != nil {
					b.Error(err)
					return
				}
				_, err = io.Copy(io.Discard, res.Body)
				_ = res.Body.Close()
				if err != nil || res.StatusCode != http.StatusOK {
					b.Errorf("%s: %d %v", address, res.StatusCode, err)
					return
				}
				done.Add(1)
			}
		})
	}
	workers.Wait()
	return float64(done.Load()) / time.Since(began).Seconds()
}
