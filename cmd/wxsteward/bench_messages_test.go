package main

import (
	"fmt"
	"net/http"
	"net/url"
	"os"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/stretchr/testify/require"
)

// fillMessages stores rows messages spread evenly over the days before now: fifty busy and a thousand quiet merchants, texts and
// events, one in a thousand a ticket, one in fifty thousand failed.
func (w *benchWorld) fillMessages(b *testing.B, now time.Time, rows, days int) {
	b.Helper()
	conn, err := pgx.Connect(b.Context(), w.databaseURL)
	require.NoError(b, err)
	defer conn.Close(b.Context()) //nolint:errcheck // a benchmark's connection
	exec := func(query string, args ...any) {
		b.Helper()
		_, err := conn.Exec(b.Context(), query, args...)
		require.NoError(b, err)
	}
	exec(`SET statement_timeout = 0`)
	midnight := now.UTC().Truncate(24 * time.Hour)
	for i := range days + 1 { // today as well: the program may not have come to it yet
		from := midnight.AddDate(0, 0, i-days)
		exec(fmt.Sprintf(`CREATE TABLE IF NOT EXISTS message_%s PARTITION OF message FOR VALUES FROM (%d) TO (%d)`,
			from.Format("20060102"), from.UnixMilli()<<20, from.AddDate(0, 0, 1).UnixMilli()<<20))
	}
	exec(`INSERT INTO message (id, channel, appid, info_type, msg_type, event, from_user, to_user, msg_id, created_at, received_at, dedupe_key, body, state, error)
		SELECT (floor(extract(epoch FROM at) * 1000)::bigint << 20) | (n & 1048575), CASE WHEN n % 1000 = 0 THEN 'component' ELSE 'biz' END,
			CASE WHEN n % 20 = 0 THEN 'quiet' || (n / 20 % 1000) ELSE 'busy' || (n % 50) END,
			CASE WHEN n % 1000 = 0 THEN 'component_verify_ticket' ELSE '' END, CASE WHEN n % 1000 = 0 THEN '' WHEN n % 4 = 0 THEN 'event' ELSE 'text' END,
			CASE WHEN n % 1000 = 0 OR n % 4 <> 0 THEN '' WHEN n % 4000 = 4 THEN 'weapp_audit_success' ELSE 'subscribe' END,
			'o' || n, 'gh_1', n::text, at, at, int8send(n),
			'{"ToUserName":"gh_1","FromUserName":"o' || n || '","CreateTime":1413192605,"MsgType":"text","Content":"' || repeat('订单怎么还没有发货 ', 8) || n || '","MsgId":' || n || '}',
			CASE WHEN n % 50000 = 7 THEN 'failed' ELSE 'handled' END, ''
		FROM generate_series(1::bigint, $1::bigint) n, LATERAL (SELECT $2::timestamptz + n * ($3::timestamptz - $2) / $1 AS at) t`,
		rows, now.AddDate(0, 0, -days), now)
	exec(`ANALYZE message`)
}

// BenchmarkMessages measures pages of GET /api/v1/messages, twenty messages each, over BENCH_ROWS messages (five million) of
// BENCH_DAYS days (ten): of each filter 200 pages, half of them the first, half somewhere in the past. Text search takes its time
// by design; of it ten pages.
func BenchmarkMessages(b *testing.B) {
	number := func(name string, otherwise int) int {
		if n, err := strconv.Atoi(os.Getenv(name)); err == nil {
			return n
		}
		return otherwise
	}
	rows, days := number("BENCH_ROWS", 5_000_000), number("BENCH_DAYS", 10)
	w := newBenchWorld(b)
	now := time.Now()
	began := now
	w.fillMessages(b, now, rows, days)
	b.Logf("%d messages of %d days made in %s", rows, days, time.Since(began).Round(time.Second))
	o := newOperator(b, "http://"+w.address)
	o.signIn()
	at := func(ago time.Duration) string { return now.Add(-ago).UTC().Format(time.RFC3339) }
	const day = 24 * time.Hour
	worst, worstText := time.Duration(0), time.Duration(0)
	var lines strings.Builder // more than a benchmark may log
	for _, test := range []struct{ name, query string }{
		{"all", ""},
		{"channel biz", "channel=biz"},
		{"channel component", "channel=component"},
		{"a busy merchant", "appid=busy1"},
		{"a quiet merchant", "appid=quiet999"},
		{"no such merchant", "appid=none"},
		{"texts", "msg_type=text"},
		{"events", "msg_type=event"},
		{"no such type", "msg_type=none"},
		{"a rare event", "event=weapp_audit_success"},
		{"no such event", "event=none"},
		{"tickets", "info_type=component_verify_ticket"},
		{"failed", "state=failed"},
		{"pending", "state=pending"},
		{"handled", "state=handled"},
		{"a busy merchant's rare event", "appid=busy4&event=weapp_audit_success"},
		{"a busy merchant's event it never has", "appid=busy1&event=weapp_audit_success"},
		{"a quiet merchant's subscriptions", "appid=quiet998&event=subscribe"},
		{"a busy merchant's failures", "appid=busy7&state=failed"},
		{"an hour", "since=" + at(3*day) + "&until=" + at(3*day-time.Hour)},
		{"two days of a merchant", "appid=busy5&since=" + at(5*day) + "&until=" + at(3*day)},
		{"common text", "q=" + url.QueryEscape("发货")},
		{"text nowhere, one day", "q=nowhere&since=" + at(day)},
		{"text nowhere", "q=" + url.QueryEscape("没有这个")},
	} {
		isText := strings.HasPrefix(test.query, "q=")
		pages := 200
		if isText {
			pages = 10
		}
		var times []time.Duration
		most := 0
		for i := range pages {
			query := test.query
			if i%2 == 1 && !strings.Contains(query, "until=") {
				query += "&until=" + at(time.Duration(i)*time.Duration(days)*day/time.Duration(pages))
			}
			var list struct{ Items []struct{ ID string } }
			asked := time.Now()
			status, err := o.try(b.Context(), http.MethodGet, "/messages?"+strings.TrimPrefix(query, "&"), nil, &list)
			times = append(times, time.Since(asked))
			require.NoError(b, err)
			require.Equal(b, http.StatusOK, status)
			most = max(most, len(list.Items))
		}
		slices.Sort(times)
		p99 := times[len(times)*99/100]
		if isText {
			worstText = max(worstText, times[len(times)-1])
		} else {
			worst = max(worst, p99)
		}
		fmt.Fprintf(&lines, "\n%-38s at most %2d rows  p50 %-12s p99 %-12s longest %s", test.name, most, times[len(times)/2], p99, times[len(times)-1])
	}
	fmt.Println(lines.String())
	b.ReportMetric(float64(worst.Microseconds())/1000, "worst-p99-ms")
	b.ReportMetric(float64(worstText.Microseconds())/1000, "worst-text-ms")
	b.ReportMetric(0, "ns/op")
}
