package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/stretchr/testify/require"

	"github.com/wxsteward/wxsteward/internal/localpg"
	"github.com/wxsteward/wxsteward/internal/wechat/wechatfake"
	"github.com/wxsteward/wxsteward/internal/wechat/wechattest"
)

// BenchmarkRollout brings a version to merchants, with a WeChat that takes 50 ms for an answer and a second for its code check, and
// whose reviewers approve after a second; approval comes by event. It prints how long that took beside the ideal time, which is
// the number of calls divided by the rate that the limiter allows, and what each merchant cost.
//
// BENCH_MERCHANTS is a list of numbers of merchants (1000), BENCH_RATE the calls a second (200).
func BenchmarkRollout(b *testing.B) {
	rate := 200
	if text := os.Getenv("BENCH_RATE"); text != "" {
		var err error
		rate, err = strconv.Atoi(text)
		require.NoError(b, err)
	}
	for text := range strings.SplitSeq(firstOf(os.Getenv("BENCH_MERCHANTS"), "1000"), ",") {
		n, err := strconv.Atoi(text)
		require.NoError(b, err)
		b.Run(text, func(b *testing.B) { benchRollout(b, n, rate) })
	}
}

func firstOf(a, b string) string {
	if a != "" {
		return a
	}
	return b
}

// crowd is the built program with very many merchants.
type crowd struct {
	benchWorld

	b         *testing.B
	fake      *wechatfake.Server
	env       map[string]string
	o         *operator
	merchants []string
	template  int64
	calls     atomic.Int64
	largest   atomic.Int64 // resident KiB
}

func benchRollout(b *testing.B, n, rate int) {
	b.Helper()
	c := newCrowd(b, n)
	c.restart(map[string]string{"WECHAT_RATE": strconv.Itoa(rate), "WECHAT_CONCURRENCY": "32"})
	c.fake.Set(func(s *wechatfake.Settings) {
		s.AuditRest, s.AuditLimit = 10*n, 10*n
		s.Latency = map[string]wechatfake.Duration{"*": wechatfake.Duration(50 * time.Millisecond)}
		s.DetectionTime, s.AuditTime = wechatfake.Duration(time.Second), wechatfake.Duration(time.Second)
	})
	calls, jobs, transactions := c.calls.Load(), c.number("SELECT last_value FROM river_job_id_seq"), c.transactions()
	spent, began := c.processorTimes(b), time.Now()
	body := rolloutBody(c.template)
	body["targets"], body["ext_json"] = map[string]any{"all": true}, map[string]any{"extAppid": "{{appid}}", "ext": map[string]any{"shop": "{{nick_name}}"}}
	var rollout struct{ ID string }
	c.o.call(http.MethodPost, "/rollouts", body, &rollout)
	created := time.Since(began)
	lists := newLists(c, rollout.ID)
	busy := lists.measure(20) // while it runs
	var r struct {
		State  string
		Counts map[string]int
	}
	for r.Counts["released"] < n {
		time.Sleep(100 * time.Millisecond) // the pace of somebody who watches
		c.o.call(http.MethodGet, "/rollouts/"+rollout.ID, nil, &r)
		require.Zero(b, r.Counts["failed"]+r.Counts["blocked"], "%v", r.Counts)
		c.sample()
	}
	took, after := time.Since(began), c.processorTimes(b)
	each := after.since(spent, n)
	made := c.calls.Load() - calls
	ideal := float64(made) / float64(rate)
	b.ReportMetric(0, "ns/op")
	b.ReportMetric(created.Seconds(), "create-s")
	b.ReportMetric(ideal, "ideal-s")
	b.ReportMetric(took.Seconds(), "took-s")
	b.ReportMetric(took.Seconds()/ideal, "took/ideal")
	b.ReportMetric(float64(made)/float64(n), "calls/merchant")
	b.ReportMetric(float64(c.number("SELECT last_value FROM river_job_id_seq")-jobs)/float64(n), "jobs/merchant")
	b.ReportMetric(float64(c.transactions()-transactions)/float64(n), "transactions/merchant")
	b.ReportMetric(float64(each.database.Microseconds())/1000, "database-ms/merchant")
	b.ReportMetric(float64(each.service.Microseconds())/1000, "service-ms/merchant")
	b.ReportMetric(float64(c.largest.Load())/1024, "rss-MiB")
	for name, t := range lists.measure(200) {
		slices.Sort(t)
		b.Logf("%-28s p50 %5.1f ms, p99 %5.1f ms; while it began, worst of 20 %5.1f ms", name, ms(t[len(t)/2]), ms(t[len(t)*99/100]), ms(slices.Max(busy[name])))
	}
	c.sample()
	for _, appid := range c.merchants {
		for _, once := range []string{"/wxa/commit", "/wxa/submit_audit", "/wxa/release"} {
			require.Equal(b, 1, c.fake.Effective(once, appid), "%s of %s", once, appid)
		}
	}
}

func ms(d time.Duration) float64 { return float64(d.Microseconds()) / 1000 }

// newCrowd has n merchants authorized.
func newCrowd(b *testing.B, n int) *crowd {
	b.Helper()
	c := &crowd{b: b, merchants: appids(n)}
	w := newWorld(b, func(next http.Handler) http.Handler {
		return http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
			c.calls.Add(1)
			next.ServeHTTP(rw, r)
		})
	})
	c.fake, c.env, c.dataDir = w.fake, w.env, b.TempDir()
	database, err := localpg.Start(b.Context(), localpg.Config{DataDir: c.dataDir})
	require.NoError(b, err)
	b.Cleanup(func() { require.NoError(b, database.Stop(context.Background())) })
	c.databaseURL = database.URL()
	c.env["DATABASE_URL"] = c.databaseURL
	maps.Copy(c.env, map[string]string{"LOG_LEVEL": "info", "DETECTION_POLL": "1s", "AUDIT_POLL": "10m", "WECHAT_RETRY_BASE": "5s"})
	c.o = newOperator(b, w.base)
	c.address = strings.TrimPrefix(w.base, "http://")
	c.restart(map[string]string{"WECHAT_RATE": "5000", "WECHAT_CONCURRENCY": "64"})
	c.o.signIn()
	c.fake.PushTicket()
	eventually(b, "ticket", func() (bool, string) {
		var got struct{ Ticket struct{ Present bool } }
		c.o.call(http.MethodGet, "/component", nil, &got)
		return got.Ticket.Present, ""
	})
	c.authorize(w)
	c.template = addTemplate(c.o)
	return c
}

// authorize has the merchants say yes to an earlier program of this platform; ours finds them by a synchronization.
func (c *crowd) authorize(w *world) {
	c.b.Helper()
	var token struct {
		AccessToken string `json:"access_token"`
	}
	c.o.call(http.MethodGet, "/component/access-token", nil, &token)
	address := c.env["WX_API_BASE_URL"] + "/cgi-bin/component/api_query_auth?component_access_token=" + token.AccessToken
	c.fake.SetPushURLs("", "")
	var group sync.WaitGroup
	for worker := range 8 {
		group.Go(func() {
			for i := worker; i < len(c.merchants); i += 8 {
				w.addMerchant(c.merchants[i], nil)
				given, err := c.fake.AuthorizeMerchant(c.merchants[i], wechatfake.Authorize{Order: wechatfake.OrderEvent})
				if err == nil {
					body, _ := json.Marshal(map[string]string{"component_appid": wechattest.ComponentAppID, "authorization_code": given.Code})
					err = post(address, body)
				}
				if err != nil {
					c.b.Error(err)
					return
				}
			}
		})
	}
	group.Wait()
	c.fake.SetPushURLs("http://"+c.address+"/wxcallback/component", "http://"+c.address+"/wxcallback/biz/$APPID$")
	var run struct {
		ID     string
		State  string
		Done   int
		Failed int
	}
	c.o.call(http.MethodPost, "/authorizers/sync", nil, &run)
	for run.State != "completed" {
		require.NotEqual(c.b, "failed", run.State)
		time.Sleep(100 * time.Millisecond) // the pace of somebody who watches; none of the time measured
		c.o.call(http.MethodGet, "/authorizers/sync/"+run.ID, nil, &run)
	}
	require.Zero(c.b, run.Failed)
	require.EqualValues(c.b, len(c.merchants), c.number("SELECT count(*) FROM authorizer WHERE status = 'authorized'"))
}

func post(address string, body []byte) error {
	resp, err := http.Post(address, "application/json", bytes.NewReader(body)) //nolint:gosec,noctx // our own fake
	if err != nil {
		return err
	}
	defer resp.Body.Close() //nolint:errcheck // read to its end
	_, err = io.Copy(io.Discard, resp.Body)
	return err
}

// restart starts the program with other settings, and ends the one before.
func (c *crowd) restart(env map[string]string) {
	c.b.Helper()
	end := func(cmd *exec.Cmd) {
		_ = cmd.Process.Signal(os.Interrupt)
		require.NoError(c.b, cmd.Wait())
	}
	if c.program != nil {
		end(c.program)
	} else {
		c.b.Cleanup(func() { end(c.program) })
	}
	binary, err := filepath.Abs("../../bin/wxsteward")
	require.NoError(c.b, err)
	_, err = os.Stat(binary)
	require.NoError(c.b, err, "run make build first")
	maps.Copy(c.env, env)
	c.program = exec.Command(binary, "serve") //nolint:gosec,noctx // the program under test, ended above
	for name, value := range c.env {
		c.program.Env = append(c.program.Env, name+"="+value)
	}
	require.NoError(c.b, c.program.Start())
	eventually(c.b, "ready", func() (bool, string) {
		status, err := get(c.b, "http://"+c.address+"/readyz")
		return err == nil && status == http.StatusOK, fmt.Sprint(status, err)
	})
}

func (c *crowd) number(sql string) (n int64) {
	c.b.Helper()
	conn, err := pgx.Connect(c.b.Context(), c.databaseURL)
	require.NoError(c.b, err)
	defer conn.Close(context.Background()) //nolint:errcheck // a benchmark's connection
	require.NoError(c.b, conn.QueryRow(c.b.Context(), sql).Scan(&n))
	return n
}

func (c *crowd) transactions() int64 {
	return c.number("SELECT xact_commit FROM pg_stat_database WHERE datname = current_database()")
}

func (c *crowd) sample() {
	c.largest.Store(max(c.largest.Load(), int64(residentKiB(c.b, c.program.Process.Pid))))
}

// lists are pages that show a rollout.
type lists struct {
	c     *crowd
	paths map[string]string
}

func newLists(c *crowd, rollout string) lists {
	return lists{c, map[string]string{
		"rollout":                   "/rollouts/" + rollout,
		"rollouts":                  "/rollouts",
		"submissions, 20":           "/submissions?rollout_id=" + rollout,
		"submissions, 200":          "/submissions?limit=200&rollout_id=" + rollout,
		"submissions, of one state": "/submissions?state=released&limit=200&rollout_id=" + rollout,
		"submissions of a merchant": "/submissions?appid=" + c.merchants[len(c.merchants)/2],
	}}
}

func (l lists) measure(times int) map[string][]time.Duration {
	took := map[string][]time.Duration{}
	for name, path := range l.paths {
		for range times {
			began := time.Now()
			l.c.o.call(http.MethodGet, path, nil, nil)
			took[name] = append(took[name], time.Since(began))
		}
		l.c.sample()
	}
	return took
}
