package main

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"sync/atomic"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/stretchr/testify/require"

	"github.com/wxsteward/wxsteward/internal/localpg"
	"github.com/wxsteward/wxsteward/internal/sealed"
	"github.com/wxsteward/wxsteward/internal/wechat/msgcrypt"
	"github.com/wxsteward/wxsteward/internal/wechat/wechattest"
)

// benchWorld is the built program as a process of its own, on a PostgreSQL that syncs each commit (localpg's own settings).
type benchWorld struct {
	address, dataDir, databaseURL string
	program                       *exec.Cmd
	number                        atomic.Int64 // of the last message
}

// newBenchWorld starts bin/wxsteward (make bench builds it) as an operator would; it writes its log as JSON at level info.
func newBenchWorld(b *testing.B) *benchWorld {
	b.Helper()
	binary, err := filepath.Abs("../../bin/wxsteward")
	require.NoError(b, err)
	_, err = os.Stat(binary)
	require.NoError(b, err, "run make build first")
	port := freePort(b)
	w := &benchWorld{address: "127.0.0.1:" + port, dataDir: b.TempDir()}
	w.number.Store(time.Now().UnixNano())
	database, err := localpg.Start(b.Context(), localpg.Config{DataDir: w.dataDir})
	require.NoError(b, err)
	b.Cleanup(func() { require.NoError(b, database.Stop(context.Background())) })
	w.databaseURL = database.URL()
	log, err := os.OpenFile(os.DevNull, os.O_WRONLY, 0)
	require.NoError(b, err)
	w.program = exec.Command(binary, "serve") //nolint:gosec,noctx // the program under test, ended below
	w.program.Stdout, w.program.Stderr = log, log
	for name, value := range map[string]string{
		"WX_APPID": wechattest.ComponentAppID, "WX_APP_SECRET": wechattest.ComponentSecret, "WX_MESSAGE_TOKEN": wechattest.Token,
		"WX_ENCODING_AES_KEY": wechattest.EncodingAESKey, "WX_MODE": "cloudrun", "WX_COMPONENT_TRANSPORT": "token",
		"WX_API_BASE_URL": "http://127.0.0.1:1", "DATABASE_URL": w.databaseURL, "MASTER_KEY": sealed.GenerateKey(),
		"LISTEN_ADDR": w.address, "INNER_LISTEN_ADDR": "off", "PUBLIC_URL": "http://" + w.address, "ADMIN_PASSWORD": testPassword,
		"LOG_FORMAT": "json", "DATA_DIR": b.TempDir(), "GOGC": os.Getenv("GOGC"),
	} {
		if value != "" {
			w.program.Env = append(w.program.Env, name+"="+value)
		}
	}
	require.NoError(b, w.program.Start())
	b.Cleanup(func() {
		_ = w.program.Process.Signal(os.Interrupt)
		require.NoError(b, w.program.Wait())
	})
	deadline := time.Now().Add(time.Minute)
	for {
		if status, err := get(b, "http://"+w.address+"/readyz"); err == nil && status == http.StatusOK {
			return w
		}
		require.True(b, time.Now().Before(deadline), "the program is not ready")
		time.Sleep(20 * time.Millisecond) // a probe's own pace
	}
}

const benchText = `老板，我上周三下的订单怎么还没有发货？订单号 202611200001234，麻烦帮我查一下物流，谢谢！收货地址是广东省深圳市南山区科技园。`

func (w *benchWorld) healthz() request { return request{method: http.MethodGet, path: "/healthz"} }

// plain is a text message of about 400 bytes as WeChat Cloud Run pushes it.
func (w *benchWorld) plain() request {
	n := w.number.Add(1)
	body := append(make([]byte, 0, 512), `{"ToUserName":"gh_8dad206e9538","FromUserName":"oUser00000000000000000000`...)
	body = strconv.AppendInt(body, n%1000, 10)
	body = strconv.AppendInt(append(body, `","CreateTime":`...), time.Now().Unix(), 10)
	body = append(append(append(body, `,"MsgType":"text","Content":"`...), benchText...), `","MsgId":`...)
	body = append(strconv.AppendInt(body, n, 10), '}')
	return request{http.MethodPost, w.bizPath(n), [2]string{"X-Wx-Source", "wx_push"}, body}
}

func (w *benchWorld) bizPath(n int64) string {
	return "/wxcallback/biz/wx" + strconv.FormatInt(n%50+1e15, 10)
}

// encrypted gives a writer of the same message as WeChat encrypts it for an ordinary server.
func (w *benchWorld) encrypted(b *testing.B) func() request {
	b.Helper()
	key, err := msgcrypt.NewKey(wechattest.Token, wechattest.EncodingAESKey)
	require.NoError(b, err)
	c, err := msgcrypt.New(wechattest.ComponentAppID, key)
	require.NoError(b, err)
	return func() request {
		n := w.number.Add(1)
		body := fmt.Appendf(nil, `<xml><ToUserName><![CDATA[gh_8dad206e9538]]></ToUserName><FromUserName><![CDATA[oUser%026d]]></FromUserName><CreateTime>%d</CreateTime><MsgType><![CDATA[text]]></MsgType><Content><![CDATA[%s]]></Content><MsgId>%d</MsgId></xml>`,
			n%1000, time.Now().Unix(), benchText, n)
		encrypt, err := c.Seal(body, nil)
		if err != nil {
			b.Error(err)
		}
		stamp := strconv.FormatInt(time.Now().Unix(), 10)
		path := w.bizPath(n) + "?signature=0&timestamp=" + stamp + "&nonce=4711&openid=o&encrypt_type=aes&msg_signature=" +
			msgcrypt.Signature(wechattest.Token, stamp, "4711", encrypt)
		return request{
			http.MethodPost, path,
			[2]string{"Content-Type", "text/xml"},
			[]byte("<xml><ToUserName><![CDATA[gh_8dad206e9538]]></ToUserName><Encrypt><![CDATA[" + encrypt + "]]></Encrypt></xml>"),
		}
	}
}

const benchConnections, benchRounds = 64, 7

// benchRound is how long a round takes; BENCH_ROUND changes it.
func benchRound() time.Duration {
	if d, err := time.ParseDuration(os.Getenv("BENCH_ROUND")); err == nil {
		return d
	}
	return 3 * time.Second
}

// BenchmarkPush measures receiving at 64 connections: plain and encrypted pushes beside /healthz of the same process in turn,
// medians of seven rounds, with Go's HTTP client and with one that costs nearly nothing; and at one connection beside pgbench
// inserting a row of the same size and committing it. Beside them stands the floor, a program that only inserts what it is sent
// and answers: what nobody who receives over Echo and stores by pgx can be below. Load, service and PostgreSQL share the machine.
func BenchmarkPush(b *testing.B) {
	w := newBenchWorld(b)
	floor := w.floor(b)
	d := benchRound()
	for _, client := range []struct {
		name    string
		connect func(*benchWorld, *testing.B) caller
	}{{"usual", (*benchWorld).usual}, {"lean", (*benchWorld).lean}} {
		kinds := []struct {
			name string
			of   *benchWorld
			next func() request
			got  []figures
		}{
			{name: "healthz", of: w, next: w.healthz},
			{name: "plain", of: w, next: w.plain},
			{name: "encrypted", of: w, next: w.encrypted(b)},
			{name: "floor", of: floor, next: floor.plain},
		}
		hammer := func(i int, d time.Duration) figures {
			k := kinds[i]
			return k.of.hammer(b, func(b *testing.B) caller { b.Helper(); return client.connect(k.of, b) }, benchConnections, d, k.next)
		}
		// The floor has its rounds behind the others, so that what it leaves to the database is not done in theirs.
		for _, together := range [][]int{{0, 1, 2}, {3}} {
			for _, i := range together {
				hammer(i, d/3) // warms up
			}
			for range benchRounds {
				for _, i := range together {
					kinds[i].got = append(kinds[i].got, hammer(i, d))
				}
			}
		}
		bare := median(kinds[0].got)
		for _, k := range kinds {
			m := median(k.got)
			b.Logf("%s client, %-9s %6.0f/s = %3.0f %% of healthz, p50 %s, p99 %s; processor time each: load %s, service %s, PostgreSQL %s = %.0f %%; rounds %s",
				client.name, k.name, m.rate, 100*m.rate/bare.rate, m.p50, m.p99, m.each.load, m.each.service, m.each.database,
				100*float64(bare.each.sum())/float64(m.each.sum()), rates(k.got))
			if k.name != "healthz" {
				b.ReportMetric(100*m.rate/bare.rate, client.name+"-"+k.name+"-%")
				b.ReportMetric(float64(m.p99.Microseconds())/1000, client.name+"-"+k.name+"-p99-ms")
			}
		}
	}
	var single, singleFloor []figures
	var commits []time.Duration
	for range benchRounds {
		single = append(single, w.hammer(b, w.lean, 1, d/2, w.plain))
		singleFloor = append(singleFloor, floor.hammer(b, floor.lean, 1, d/2, floor.plain))
		commits = append(commits, w.pgbench(b, d/2))
	}
	slices.Sort(commits)
	one, oneFloor, commit := median(single), median(singleFloor), commits[len(commits)/2]
	ratio := func(f figures) float64 { return float64(f.p50) / float64(commit) }
	b.Logf("one connection: push %s, floor %s, pgbench's single-row commit %s (all %v), ratios %.2f and %.2f", one.p50, oneFloor.p50, commit, commits, ratio(one), ratio(oneFloor))
	b.ReportMetric(ratio(one), "one-connection-ratio")
	b.ReportMetric(ratio(oneFloor), "one-connection-floor-ratio")
	b.ReportMetric(0, "ns/op")
}

// pgbench gives the average time in which pgbench, at one connection, inserts a row as large as a stored message and commits it.
func (w *benchWorld) pgbench(b *testing.B, d time.Duration) time.Duration {
	b.Helper()
	conn, err := pgx.Connect(b.Context(), w.databaseURL)
	require.NoError(b, err)
	_, err = conn.Exec(b.Context(), floorTable)
	require.NoError(b, err)
	var bin string
	require.NoError(b, conn.QueryRow(b.Context(), `SELECT setting FROM pg_config WHERE name = 'BINDIR'`).Scan(&bin))
	require.NoError(b, conn.Close(b.Context()))
	u, err := url.Parse(w.databaseURL)
	require.NoError(b, err)
	query := u.Query()
	query.Del("timezone") // pgx's, not known to pgbench
	u.RawQuery = query.Encode()
	script := filepath.Join(b.TempDir(), "insert.sql")
	require.NoError(b, os.WriteFile(script, []byte("INSERT INTO bench_row (body) VALUES (repeat('x', 400));\n"), 0o600))
	out, err := exec.CommandContext(b.Context(), filepath.Join(bin, "pgbench"), "-n", "-M", "prepared", "-c", "1", "-T", strconv.Itoa(max(1, int(d.Seconds()))), //nolint:gosec // PostgreSQL's own program
		"-f", script, u.String()).CombinedOutput()
	require.NoError(b, err, "%s", out)
	found := regexp.MustCompile(`latency average = ([0-9.]+) ms`).FindSubmatch(out)
	require.NotNil(b, found, "%s", out)
	ms, err := strconv.ParseFloat(string(found[1]), 64)
	require.NoError(b, err)
	return time.Duration(ms * float64(time.Millisecond))
}

// BenchmarkPushForwarded measures what forwarding costs those who push: the rate of plain pushes without a rule, with a rule that
// delivers each to a fast target, with one whose target refuses connections, and with one whose target never answers. The four
// take turns. Behind each round with the fast target it measures how fast the rest is delivered.
func BenchmarkPushForwarded(b *testing.B) {
	w := newBenchWorld(b)
	o := newOperator(b, "http://"+w.address)
	o.signIn()
	var hits atomic.Int64
	fast := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body)
		hits.Add(1)
	}))
	b.Cleanup(fast.Close)
	never := make(chan struct{})
	mute := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { <-never }))
	b.Cleanup(func() { close(never); mute.Close() })
	gone, err := (&net.ListenConfig{}).Listen(b.Context(), "tcp", "127.0.0.1:0")
	require.NoError(b, err)
	require.NoError(b, gone.Close())
	kinds := []struct {
		name, target string
		got          []figures
	}{{name: "no-rule"}, {name: "delivering", target: fast.URL}, {name: "refused", target: "http://" + gone.Addr().String()}, {name: "mute", target: mute.URL}}
	d := benchRound()
	var drained []float64
	for round := range benchRounds + 1 {
		for i := range kinds {
			k := &kinds[i]
			id := ""
			if k.target != "" {
				var rule struct{ ID string }
				o.call(http.MethodPost, "/forward-rules", map[string]any{
					"name": k.name, "enabled": true, "channel": "biz", "target_url": k.target, "mode": "deliver", "format": "json", "timeout_ms": 5000,
				}, &rule)
				id = rule.ID
			}
			hits.Store(0)
			got := w.hammer(b, w.lean, benchConnections, d, w.plain)
			if round > 0 { // the first warms up
				k.got = append(k.got, got)
			}
			if k.target == fast.URL {
				drained = append(drained, drain(b, &hits, int64(got.answers)))
			}
			if id != "" {
				o.call(http.MethodDelete, "/forward-rules/"+id, nil, nil)
			}
		}
	}
	bare := median(kinds[0].got)
	for _, k := range kinds {
		m := median(k.got)
		b.Logf("%-10s %7.0f/s = %3.0f %% of no rule, p50 %s, p99 %s; processor time each: load and target %s, service %s, PostgreSQL %s; rounds %s",
			k.name, m.rate, 100*m.rate/bare.rate, m.p50, m.p99, m.each.load, m.each.service, m.each.database, rates(k.got))
		b.ReportMetric(100*m.rate/bare.rate, k.name+"-%")
	}
	slices.Sort(drained)
	b.Logf("deliveries a second when nothing is pushed: median %.0f of %.0f", drained[len(drained)/2], drained)
	b.ReportMetric(drained[len(drained)/2], "deliveries/s")
	b.ReportMetric(0, "ns/op")
}

// drain waits until the target has had all messages, and gives the deliveries a second meanwhile.
func drain(b *testing.B, hits *atomic.Int64, all int64) float64 {
	b.Helper()
	before, began := hits.Load(), time.Now()
	for hits.Load() < all {
		require.Less(b, time.Since(began), 5*time.Minute, "%d of %d delivered", hits.Load(), all)
		time.Sleep(5 * time.Millisecond) // the pace of looking; it is small beside what is measured
	}
	return float64(hits.Load()-before) / time.Since(began).Seconds()
}

// BenchmarkSoak pushes at full rate for BENCH_SOAK (10m; not set: skipped) and reads the program's resident memory once a second.
func BenchmarkSoak(b *testing.B) {
	d, err := time.ParseDuration(os.Getenv("BENCH_SOAK"))
	if err != nil {
		b.Skip("set BENCH_SOAK, e.g. 10m")
	}
	w := newBenchWorld(b)
	end := make(chan struct{})
	var sizes []int
	done := make(chan struct{})
	go func() {
		defer close(done)
		for {
			select {
			case <-end:
				return
			case <-time.After(time.Second):
				sizes = append(sizes, residentKiB(b, w.program.Process.Pid))
			}
		}
	}()
	f := w.hammer(b, w.lean, benchConnections, d, w.plain)
	close(end)
	<-done
	var line bytes.Buffer
	for part := range slices.Chunk(sizes, max(1, len(sizes)/10)) {
		fmt.Fprintf(&line, " %d", slices.Max(part)/1024)
	}
	b.Logf("%d pushes, %.0f/s, p99 %s, longest %s; resident MiB, largest of each tenth:%s", f.answers, f.rate, f.p99, f.max, line.String())
	b.ReportMetric(float64(slices.Max(sizes))/1024, "rss-max-MiB")
	b.ReportMetric(f.rate, "push/s")
	b.ReportMetric(0, "ns/op")
}
