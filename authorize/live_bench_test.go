package authorize

import (
	"context"
	"fmt"
	"maps"
	"os"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// BenchmarkTargets measures how long it takes to count a rollout's targets and to tell who has which version, at
// BENCH_MERCHANTS merchants (not set: skipped): 100 times each.
func BenchmarkTargets(b *testing.B) {
	n, _ := strconv.Atoi(os.Getenv("BENCH_MERCHANTS"))
	if n == 0 {
		b.Skip("set BENCH_MERCHANTS, e.g. 100000")
	}
	e := newEnv(b, idle(true))
	ctx := context.Background()
	keys := make([]string, 21)
	for i := range keys[1:] {
		keys[i+1] = versionKey(fmt.Sprintf("2.%d.0", i))
	}
	for _, q := range []string{
		`DROP INDEX authorizer_search, authorizer_scopes, authorizer_user_name`, // they take long to fill and are of no use here, as are triggers
		`ALTER TABLE authorizer DISABLE TRIGGER USER`,
		`ALTER TABLE authorizer_label DISABLE TRIGGER USER`,
		`INSERT INTO authorizer (appid, kind, status, nick_name, func_scopes, live_version, live_key, live_template_id, live_seen_at)
			SELECT 'wx' || substr(md5('a' || n), 1, 16), CASE WHEN n % 20 = 3 THEN 'official' ELSE 'miniprogram' END, CASE WHEN n % 10 = 3 THEN 'unauthorized' ELSE 'authorized' END,
				'小店' || n, '{18}', CASE WHEN n % 21 > 0 THEN '2.' || n % 21 - 1 || '.0' ELSE '' END, ($2::text[])[n % 21 + 1], nullif(n % 21, 0), CASE WHEN n % 21 > 0 THEN now() END
			FROM generate_series(1, $1::int) n`,
		`INSERT INTO authorizer_label (appid, label, merchant_at) SELECT appid, l, now() FROM (SELECT appid, row_number() OVER () AS n FROM authorizer) a,
			LATERAL (SELECT 'half' WHERE n % 2 = 0 UNION SELECT 'vip' WHERE n % 100 = 0) x (l)`,
		`INSERT INTO authorizer_tally SELECT 'all', '', status, kind, count(*) FROM authorizer GROUP BY status, kind
			UNION ALL SELECT 'label', label, status, kind, count(*) FROM authorizer JOIN authorizer_label USING (appid) GROUP BY label, status, kind`,
		`VACUUM (ANALYZE) authorizer, authorizer_label, authorizer_tally`,
	} {
		conn, err := e.pool.Acquire(ctx)
		require.NoError(b, err)
		_, err = conn.Exec(ctx, `SET statement_timeout = 0`)
		require.NoError(b, err)
		if strings.Contains(q, "$1") {
			_, err = conn.Exec(ctx, q, n, keys)
		} else {
			_, err = conn.Exec(ctx, q)
		}
		conn.Release()
		require.NoError(b, err)
	}
	var some []string
	rows, err := e.pool.Query(ctx, `SELECT appid FROM authorizer LIMIT 1000`)
	require.NoError(b, err)
	for rows.Next() {
		var appid string
		require.NoError(b, rows.Scan(&appid))
		some = append(some, appid)
	}
	rows.Close()
	count := func(q TargetQuery) func() (int64, error) {
		return func() (int64, error) {
			c, err := e.CountTargets(ctx, q)
			return c.Total, err
		}
	}
	asked := map[string]func() (int64, error){
		"all":                     count(TargetQuery{All: true}),
		"all below a middle one":  count(TargetQuery{All: true, BelowVersion: "2.10"}),
		"all below the highest":   count(TargetQuery{All: true, BelowVersion: "3"}),
		"1000 appids":             count(TargetQuery{AppIDs: some}),
		"1000 appids below":       count(TargetQuery{AppIDs: some, BelowVersion: "2.10"}),
		"a label of 1000":         count(TargetQuery{Labels: []string{"vip"}}),
		"a label of 1000 below":   count(TargetQuery{Labels: []string{"vip"}, BelowVersion: "2.10"}),
		"all and a label of 1000": count(TargetQuery{All: true, Labels: []string{"vip"}}),
		"a label of half of them": count(TargetQuery{Labels: []string{"half"}}),
		"a label of half below":   count(TargetQuery{Labels: []string{"half"}, BelowVersion: "2.10"}),
		"nobody":                  count(TargetQuery{}),
		"live versions":           func() (int64, error) { list, err := e.LiveVersions(ctx); return int64(len(list)), err },
		"merchants at one version": func() (int64, error) {
			list, err := e.LiveAt(ctx, LiveFilter{UserVersion: "2.7.0", Limit: 200})
			return int64(len(list)), err
		},
		"those not asked for lately": func() (int64, error) {
			list, err := e.LiveUnseen(ctx, 18, time.Now().Add(-time.Hour), 200)
			return int64(len(list)), err
		},
	}
	var report strings.Builder
	worst := time.Duration(0)
	for _, name := range slices.Sorted(maps.Keys(asked)) {
		var times []time.Duration
		var found int64
		for range 100 {
			at := time.Now()
			found, err = asked[name]()
			require.NoError(b, err)
			times = append(times, time.Since(at))
		}
		slices.Sort(times)
		p99 := times[len(times)*99/100]
		worst = max(worst, p99)
		fmt.Fprintf(&report, "\n%-28s %6d found  p50 %-9s p99 %-9s max %s", name, found,
			times[len(times)/2].Round(10*time.Microsecond), p99.Round(10*time.Microsecond), times[len(times)-1].Round(10*time.Microsecond))
	}
	_, _ = os.Stderr.WriteString(report.String() + "\n")
	b.ReportMetric(float64(worst.Microseconds())/1000, "worst-p99-ms")
	b.ReportMetric(0, "ns/op")
}
