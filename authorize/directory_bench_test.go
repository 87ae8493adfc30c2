package authorize

import (
	"context"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/url"
	"os"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// BenchmarkDirectory measures first pages of the directory over HTTP, with sign-in by an API key, at BENCH_MERCHANTS merchants
// (not set: skipped): 300 pages for each filter, one after the other, the first ones cold.
func BenchmarkDirectory(b *testing.B) {
	n, _ := strconv.Atoi(os.Getenv("BENCH_MERCHANTS"))
	if n == 0 {
		b.Skip("set BENCH_MERCHANTS, e.g. 100000")
	}
	e := newEnv(b, idle(true))
	began := time.Now()
	fill(b, e.pool, n)
	b.Logf("%d merchants made in %s", n, time.Since(began).Round(time.Millisecond))
	key := e.apiKey()
	r := e.replica(b, "")
	e.wechat.Fake.ClearCalls()
	var report strings.Builder
	worst := time.Duration(0)
	all := filters()
	for _, name := range slices.Sorted(maps.Keys(all)) {
		f := all[name]
		query := url.Values{}
		for parameter, value := range map[string]string{"status": f.Status, "kind": f.Kind, "q": f.Query, "biz_id": f.BizID, "label": f.Label} {
			if value != "" {
				query.Set(parameter, value)
			}
		}
		if f.FuncScope != 0 {
			query.Set("func_scope", strconv.Itoa(f.FuncScope))
		}
		var times []time.Duration
		for range 300 {
			req, err := http.NewRequestWithContext(context.Background(), http.MethodGet, r.url+"/api/v1/authorizers?"+query.Encode(), nil)
			require.NoError(b, err)
			req.Header.Set("Authorization", "Bearer "+key)
			at := time.Now()
			resp, err := http.DefaultClient.Do(req)
			require.NoError(b, err)
			_, err = io.Copy(io.Discard, resp.Body)
			require.NoError(b, err)
			require.NoError(b, resp.Body.Close())
			times = append(times, time.Since(at))
			require.Equal(b, http.StatusOK, resp.StatusCode)
		}
		first := times[0]
		slices.Sort(times)
		_, _, total, err := r.List(context.Background(), Filter{Status: f.Status, Kind: f.Kind, Query: f.Query, BizID: f.BizID, Label: f.Label, FuncScope: f.FuncScope, Limit: 20})
		require.NoError(b, err)
		p99 := times[len(times)*99/100]
		worst = max(worst, p99)
		fmt.Fprintf(&report, "\n%-26s %6d found  first %-9s p50 %-9s p99 %-9s max %s", name, total, first.Round(10*time.Microsecond),
			times[len(times)/2].Round(10*time.Microsecond), p99.Round(10*time.Microsecond), times[len(times)-1].Round(10*time.Microsecond))
	}
	_, _ = os.Stderr.WriteString(report.String() + "\n")
	require.Empty(b, e.wechat.Fake.Calls(""), "WeChat is not asked")
	b.ReportMetric(float64(worst.Microseconds())/1000, "worst-p99-ms")
	b.ReportMetric(0, "ns/op")
}
