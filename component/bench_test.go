package component

import (
	"bufio"
	"bytes"
	"context"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/stretchr/testify/require"

	"github.com/wxsteward/wxsteward/internal/httpserver"
	"github.com/wxsteward/wxsteward/internal/jobs"
	"github.com/wxsteward/wxsteward/internal/localpg"
	"github.com/wxsteward/wxsteward/internal/postgres"
	"github.com/wxsteward/wxsteward/internal/sealed"
	"github.com/wxsteward/wxsteward/internal/settings"
	"github.com/wxsteward/wxsteward/internal/wechat/msgcrypt"
)

// benchPlatform serves as the program does: the same server and middleware, a PostgreSQL that syncs each commit.
func benchPlatform(b *testing.B) (s *Service, base, dbURL, dir string) {
	b.Helper()
	dir = b.TempDir()
	database, err := localpg.Start(b.Context(), localpg.Config{DataDir: dir})
	require.NoError(b, err)
	b.Cleanup(func() { require.NoError(b, database.Stop(context.Background())) })
	migrate(b, database.URL())
	pool, err := postgres.Open(b.Context(), sealed.New(database.URL()), postgres.PoolConfig{})
	require.NoError(b, err)
	b.Cleanup(pool.Close)
	keys, err := sealed.NewKeyring(sealed.GenerateKey())
	require.NoError(b, err)
	logger := slog.New(slog.NewJSONHandler(discard{}, nil)) // writes its lines, as the program does
	runner, err := jobs.New(pool, jobs.Config{Logger: logger})
	require.NoError(b, err)
	s = New(Config{
		AppID: testAppID, Mode: ModeCloudRun, Logger: logger, EnvMessageToken: sealed.New(testToken), EnvAESKey: sealed.New(testAESKey),
	}, Deps{DB: pool, Keys: keys, Settings: settings.New(pool, keys), Queue: runner})
	require.NoError(b, s.RegisterJobs(runner))
	require.NoError(b, s.makeRoom(b.Context()))
	srv := httpserver.New(httpserver.Config{Logger: logger})
	s.RegisterRoutes(srv.Echo())
	ts := httptest.NewServer(srv.Echo())
	b.Cleanup(ts.Close)
	return s, strings.TrimPrefix(ts.URL, "http://"), database.URL(), dir
}

type discard struct{}

func (discard) Write(p []byte) (int, error) { return len(p), nil }

// cpu is the time that this process, load and service, and PostgreSQL have spent on a processor.
type cpu struct{ own, database time.Duration }

// cpuOf reads it from the system, Linux only. What others do on the machine does not count.
func cpuOf(b *testing.B, dir string) cpu {
	b.Helper()
	var usage syscall.Rusage
	require.NoError(b, syscall.Getrusage(syscall.RUSAGE_SELF, &usage))
	c := cpu{own: time.Duration(usage.Utime.Nano() + usage.Stime.Nano())}
	text, err := os.ReadFile(filepath.Join(dir, "postgres", "data", "postmaster.pid")) //nolint:gosec // a directory of ours
	require.NoError(b, err)
	postmaster, _, _ := strings.Cut(string(text), "\n")
	files, err := filepath.Glob("/proc/[0-9]*/stat")
	require.NoError(b, err)
	const parent, user, system, tick = 1, 11, 12, 10 * time.Millisecond // fields behind the name; clock ticks of Linux
	for _, file := range files {
		text, err := os.ReadFile(file) //nolint:gosec // of /proc
		if err != nil {
			continue // ended meanwhile
		}
		_, after, _ := strings.Cut(string(text), ") ")
		fields := strings.Fields(after)
		if len(fields) <= system || fields[parent] != postmaster {
			continue
		}
		for _, i := range []int{user, system} {
			n, err := strconv.Atoi(fields[i])
			require.NoError(b, err)
			c.database += time.Duration(n) * tick
		}
	}
	return c
}

// figures of one run.
type figures struct {
	rate          float64 // answers a second
	p50, p99, max time.Duration
	own, database time.Duration // on a processor, for each answer
}

// hammer sends what next writes over n connections for d, each waiting for its answer. It is a client that costs little, so
// that the server gets most of the machine.
func hammer(b *testing.B, dir, address string, n int, d time.Duration, next func(buf []byte) []byte) figures {
	b.Helper()
	var group sync.WaitGroup
	all := make([][]time.Duration, n)
	began, before := time.Now(), cpuOf(b, dir)
	for i := range n {
		group.Go(func() {
			conn, err := (&net.Dialer{}).DialContext(b.Context(), "tcp", address)
			if err != nil {
				b.Error(err)
				return
			}
			defer conn.Close() //nolint:errcheck // a test's connection
			in, buf := bufio.NewReader(conn), []byte(nil)
			for time.Since(began) < d {
				buf = next(buf[:0])
				sent := time.Now()
				if _, err := conn.Write(buf); err != nil {
					b.Error(err)
					return
				}
				if err := readAnswer(in); err != nil {
					b.Error(err)
					return
				}
				all[i] = append(all[i], time.Since(sent))
			}
		})
	}
	group.Wait()
	took, after := time.Since(began), cpuOf(b, dir)
	times := slices.Concat(all...)
	slices.Sort(times)
	require.NotEmpty(b, times)
	count := time.Duration(len(times))
	return figures{
		float64(len(times)) / took.Seconds(), times[len(times)/2], times[len(times)*99/100], times[len(times)-1],
		(after.own - before.own) / count, (after.database - before.database) / count,
	}
}

// readAnswer reads one answer and wants status 200.
func readAnswer(in *bufio.Reader) error {
	length := 0
	for first := true; ; first = false {
		line, err := in.ReadSlice('\n')
		if err != nil {
			return err
		}
		switch {
		case first && !bytes.HasPrefix(line, []byte("HTTP/1.1 200 ")):
			return fmt.Errorf("answered %q", line)
		case bytes.HasPrefix(line, []byte("Content-Length: ")):
			if length, err = strconv.Atoi(string(bytes.TrimSpace(line[len("Content-Length: "):]))); err != nil {
				return err
			}
		case len(line) <= 2:
			_, err := in.Discard(length)
			return err
		}
	}
}

func httpRequest(buf []byte, method, path, headers string, body []byte) []byte {
	buf = fmt.Appendf(buf, "%s %s HTTP/1.1\r\nHost: bench\r\n%sContent-Length: %d\r\n\r\n", method, path, headers, len(body))
	return append(buf, body...)
}

// BenchmarkPush measures receiving: a text message of about 400 bytes as 微信云托管 sends it and encrypted, at 64 connections, beside
// /healthz of the same server in turn (five rounds, medians); and one connection beside single-row commits by pgx. Load,
// service and PostgreSQL (synchronous_commit on) share the machine.
func BenchmarkPush(b *testing.B) {
	s, address, dbURL, dir := benchPlatform(b)
	var number atomic.Int64
	number.Store(time.Now().UnixNano())
	health := func(buf []byte) []byte { return httpRequest(buf, http.MethodGet, "/healthz", "", nil) }
	plain := func(buf []byte) []byte {
		body := fmt.Appendf(nil, `{"ToUserName":"gh_8dad206e9538","FromUserName":"oUser%026d","CreateTime":%d,"MsgType":"text","Content":"老板，我上周三下的订单怎么还没有发货？订单号 202611200001234，麻烦帮我查一下物流，谢谢！收货地址是广东省深圳市南山区科技园。","MsgId":%d}`,
			number.Load()%1000, time.Now().Unix(), number.Add(1))
		return httpRequest(buf, http.MethodPost, "/wxcallback/biz/wx"+strconv.FormatInt(number.Load()%50+1e15, 10), "X-Wx-Source: wx_push\r\nContent-Type: application/json\r\n", body)
	}
	key, err := msgcrypt.NewKey(testToken, testAESKey)
	require.NoError(b, err)
	c, err := msgcrypt.New(testAppID, key)
	require.NoError(b, err)
	encrypted := func(buf []byte) []byte {
		body := fmt.Appendf(nil, `<xml><ToUserName><![CDATA[gh_8dad206e9538]]></ToUserName><FromUserName><![CDATA[oUser%026d]]></FromUserName><CreateTime>%d</CreateTime><MsgType><![CDATA[text]]></MsgType><Content><![CDATA[老板，我上周三下的订单怎么还没有发货？订单号 202611200001234，麻烦帮我查一下物流，谢谢！收货地址是广东省深圳市南山区科技园。]]></Content><MsgId>%d</MsgId></xml>`,
			number.Load()%1000, time.Now().Unix(), number.Add(1))
		encrypt, _ := c.Seal(body, nil)
		stamp := strconv.FormatInt(time.Now().Unix(), 10)
		path := "/wxcallback/biz/wx" + strconv.FormatInt(number.Load()%50+1e15, 10) + "?signature=0&timestamp=" + stamp + "&nonce=4711&openid=o&encrypt_type=aes&msg_signature=" +
			msgcrypt.Signature(testToken, stamp, "4711", encrypt)
		return httpRequest(buf, http.MethodPost, path, "Content-Type: text/xml\r\n",
			[]byte("<xml><ToUserName><![CDATA[gh_8dad206e9538]]></ToUserName><Encrypt><![CDATA["+encrypt+"]]></Encrypt></xml>"))
	}
	d := 3 * time.Second
	if given, err := time.ParseDuration(os.Getenv("BENCH_ROUND")); err == nil {
		d = given
	}
	const conns, rounds = 64, 5
	kinds := []struct {
		name string
		next func([]byte) []byte
		got  []figures
	}{{name: "healthz", next: health}, {name: "plain", next: plain}, {name: "encrypted", next: encrypted}}
	if only := os.Getenv("BENCH_ONLY"); only != "" { // for a profile
		for _, k := range kinds {
			if k.name == only {
				f := hammer(b, dir, address, conns, rounds*d, k.next)
				b.Logf("%s %.0f/s, processor time each: here %s, PostgreSQL %s", only, f.rate, f.own, f.database)
			}
		}
		return
	}
	for i := range kinds {
		hammer(b, dir, address, conns, d/3, kinds[i].next) // warms up
	}
	for range rounds {
		for i := range kinds {
			kinds[i].got = append(kinds[i].got, hammer(b, dir, address, conns, d, kinds[i].next))
		}
	}
	median := func(got []figures) figures {
		got = slices.Clone(got)
		slices.SortFunc(got, func(a, b figures) int { return int(a.rate - b.rate) })
		return got[len(got)/2]
	}
	bare := median(kinds[0].got)
	cost := func(f figures) time.Duration { return f.own + f.database }
	for _, k := range kinds {
		m := median(k.got)
		b.Logf("%-10s %7.0f/s  %3.0f %% of healthz  p50 %s  p99 %s  processor time each: here %s, PostgreSQL %s, %.0f %% of healthz  rounds %s", k.name, m.rate, 100*m.rate/bare.rate,
			m.p50, m.p99, m.own, m.database, 100*float64(cost(bare))/float64(cost(m)), rates(k.got))
		b.ReportMetric(m.rate, k.name+"/s")
		if k.name != "healthz" {
			b.ReportMetric(100*m.rate/bare.rate, k.name+"-%")
			b.ReportMetric(float64(m.p99.Microseconds())/1000, k.name+"-p99-ms")
		}
	}
	var messages int
	require.NoError(b, s.deps.DB.QueryRow(b.Context(), `SELECT count(*) FROM message`).Scan(&messages))
	b.Logf("%d messages stored", messages)

	single, commit := []time.Duration{}, []time.Duration{}
	conn, err := pgx.Connect(b.Context(), dbURL)
	require.NoError(b, err)
	defer conn.Close(context.Background()) //nolint:errcheck // a test's connection
	_, err = conn.Exec(b.Context(), `CREATE TABLE bench_row (id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, body text)`)
	require.NoError(b, err)
	for range rounds {
		single = append(single, hammer(b, dir, address, 1, d/2, plain).p50)
		var times []time.Duration
		for began := time.Now(); time.Since(began) < d/2; {
			at := time.Now()
			_, err := conn.Exec(b.Context(), `INSERT INTO bench_row (body) VALUES ($1)`, strings.Repeat("x", 400))
			require.NoError(b, err)
			times = append(times, time.Since(at))
		}
		slices.Sort(times)
		commit = append(commit, times[len(times)/2])
	}
	slices.Sort(single)
	slices.Sort(commit)
	b.Logf("one connection: push %s, single-row commit %s, ratio %.2f", single[rounds/2], commit[rounds/2], float64(single[rounds/2])/float64(commit[rounds/2]))
	b.ReportMetric(float64(single[rounds/2])/float64(commit[rounds/2]), "one-connection-ratio")
	b.ReportMetric(0, "ns/op")
}

func rates(got []figures) string {
	var texts []string
	for _, f := range got {
		texts = append(texts, strconv.Itoa(int(f.rate)))
	}
	return strings.Join(texts, " ")
}

// BenchmarkSearch measures pages of the message list over BENCH_ROWS messages (not set: skipped) of BENCH_DAYS days (10): 200 pages a filter, 20
// messages each, half of them from the newest on, half from anywhere.
func BenchmarkSearch(b *testing.B) {
	rows, _ := strconv.Atoi(os.Getenv("BENCH_ROWS"))
	if rows == 0 {
		b.Skip("set BENCH_ROWS, e.g. 2000000")
	}
	s, _, _, _ := benchPlatform(b) //nolint:dogsled // only the database is wanted
	days := 10
	if n, err := strconv.Atoi(os.Getenv("BENCH_DAYS")); err == nil {
		days = n
	}
	now := time.Now()
	require.NoError(b, makeDays(b.Context(), s.deps.DB, now.AddDate(0, 0, -days), days))
	conn, err := s.deps.DB.Begin(b.Context())
	require.NoError(b, err)
	_, err = conn.Exec(b.Context(), `SET LOCAL statement_timeout = 0`)
	require.NoError(b, err)
	began := time.Now()
	_, err = conn.Exec(b.Context(), `INSERT INTO message (id, channel, appid, info_type, msg_type, event, from_user, to_user, msg_id, created_at, received_at, dedupe_key, body, state, error)
		SELECT (floor(extract(epoch FROM at) * 1000)::bigint << 20) | (n & 1048575), CASE WHEN n % 1000 = 0 THEN 'component' ELSE 'biz' END, 'wx' || (power(random(), 3) * 1000)::int,
			CASE WHEN n % 1000 = 0 THEN 'component_verify_ticket' ELSE '' END, CASE WHEN n % 1000 = 0 THEN '' WHEN n % 4 = 0 THEN 'event' ELSE 'text' END,
			CASE WHEN n % 1000 = 0 OR n % 4 <> 0 THEN '' WHEN n % 4000 = 4 THEN 'weapp_audit_success' ELSE 'subscribe' END,
			'o' || n, 'gh_1', n::text, at, at, int8send(n), '{"ToUserName":"gh_1","FromUserName":"o' || n || '","CreateTime":1413192605,"MsgType":"text","Content":"' || repeat('订单怎么还没有发货 ', 8) || n || '","MsgId":' || n || '}',
			CASE WHEN n % 50000 = 7 THEN 'failed' ELSE 'handled' END, ''
		FROM generate_series(1::bigint, $1::bigint) n, LATERAL (SELECT $2::timestamptz + n * ($3::timestamptz - $2) / $1 AS at) t`, rows, now.AddDate(0, 0, -days), now)
	require.NoError(b, err)
	require.NoError(b, conn.Commit(b.Context()))
	_, err = s.deps.DB.Exec(b.Context(), `ANALYZE message`)
	require.NoError(b, err)
	b.Logf("%d messages made in %s", rows, time.Since(began))
	var report strings.Builder // more lines than a benchmark may log
	for _, test := range []struct {
		name string
		f    MessageFilter
	}{
		{"all", MessageFilter{}},
		{"channel biz", MessageFilter{Channel: ChannelBiz}},
		{"channel component", MessageFilter{Channel: ChannelComponent}},
		{"a busy appid", MessageFilter{AppID: "wx1"}},
		{"a quiet appid", MessageFilter{AppID: "wx999"}},
		{"no such appid", MessageFilter{AppID: "none"}},
		{"text", MessageFilter{MsgType: "text"}},
		{"events", MessageFilter{MsgType: "event"}},
		{"a rare event", MessageFilter{Event: "weapp_audit_success"}},
		{"no such event", MessageFilter{Event: "none"}},
		{"tickets", MessageFilter{InfoType: infoTypeTicket}},
		{"failed", MessageFilter{State: StateFailed}},
		{"pending", MessageFilter{State: StatePending}},
		{"handled", MessageFilter{State: StateHandled}},
		{"a busy appid's rare event", MessageFilter{AppID: "wx1", Event: "weapp_audit_success"}},
		{"a quiet appid's subscriptions", MessageFilter{AppID: "wx999", Event: "subscribe"}},
		{"a busy appid's failures", MessageFilter{AppID: "wx1", State: StateFailed}},
		{"an hour", MessageFilter{Since: now.AddDate(0, 0, -3), Until: now.AddDate(0, 0, -3).Add(time.Hour)}},
		{"two days of an appid", MessageFilter{AppID: "wx500", Since: now.AddDate(0, 0, -5), Until: now.AddDate(0, 0, -3)}},
		{"common text", MessageFilter{Text: "发货"}},
		{"rare text of a day", MessageFilter{Text: "nowhere", Since: now.AddDate(0, 0, -1)}},
		{"rare text", MessageFilter{Text: "没有这个"}},
	} {
		var times []time.Duration
		f := test.f
		f.Limit = 20
		pages := 200
		if f.Text != "" {
			pages = 5
		}
		found := 0
		for i := range pages {
			if f.Before = 0; i%2 == 1 {
				f.Before = firstID(now.Add(-time.Duration(i*days) * 24 * time.Hour / time.Duration(pages)))
			}
			at := time.Now()
			messages, _, err := listMessages(b.Context(), s.deps.DB, f)
			require.NoError(b, err)
			times = append(times, time.Since(at))
			found = max(found, len(messages))
		}
		slices.Sort(times)
		fmt.Fprintf(&report, "\n%-30s most %2d  p50 %-12s p99 %-12s max %s", test.name, found, times[len(times)/2], times[len(times)*99/100], times[len(times)-1])
	}
	_, _ = os.Stderr.WriteString(report.String() + "\n")
	b.ReportMetric(0, "ns/op")
}
