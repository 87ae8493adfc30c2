package main

import (
	"context"
	"fmt"
	"maps"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"os"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/wxsteward/wxsteward/internal/localpg"
	"github.com/wxsteward/wxsteward/internal/wechat/wechatfake"
)

// TestChaos rolls a version out to merchants on two replicas while both are killed at random, the database is restarted, WeChat
// misbehaves in every way it is known for, and people do things in its console. In the end every merchant has the version,
// and WeChat has seen one commit, one release and, for each time a reviewer said no, one submission more than one.
//
// It is short by itself; make chaos gives it 200 merchants and minutes (CHAOS_MERCHANTS).
func TestChaos(t *testing.T) {
	t.Parallel()
	merchants := 20
	if text := os.Getenv("CHAOS_MERCHANTS"); text != "" {
		var err error
		merchants, err = strconv.Atoi(text)
		require.NoError(t, err)
	}
	c := newChaos(t, appids(merchants))
	c.run()
	c.check()
}

// chaos is a platform in bad weather.
type chaos struct {
	*world

	o         *operator
	merchants []string
	long      bool
	calls     *callWatch
	database  *localpg.Server
	dataDir   string
	ports     []string
	replicas  []*process
	rollout   string
	template  int64

	mu       sync.Mutex
	refused  map[string]int // how often reviewers said no, or took the audit back, by appid
	revoked  []string
	kills    int
	restarts int
}

func newChaos(t *testing.T, merchants []string) *chaos {
	t.Helper()
	c := &chaos{merchants: merchants, long: len(merchants) >= 100, calls: newCallWatch(), dataDir: t.TempDir(), refused: map[string]int{}}
	c.world = newWorld(t, c.calls.wrap, func(f *wechatfake.Config) { f.DetectionTime = 700 * time.Millisecond })
	c.startDatabase()
	t.Cleanup(c.stopDatabase)
	c.env["DATABASE_URL"] = c.database.URL()
	maps.Copy(c.env, map[string]string{"LOG_LEVEL": "warn", "DETECTION_POLL": "500ms", "AUDIT_POLL": "1s", "SHUTDOWN_TIMEOUT": "5s"})
	for _, appid := range merchants {
		c.addMerchant(appid, nil)
	}

	front := httptest.NewServer(http.HandlerFunc(c.anyReplica)) // as a load balancer stands before replicas
	t.Cleanup(front.Close)
	c.base = front.URL
	c.env["PUBLIC_URL"] = front.URL
	c.fake.SetPushURLs(front.URL+"/wxcallback/component", front.URL+"/wxcallback/biz/$APPID$")
	c.ports = []string{freePort(t), freePort(t)}
	c.replicas = make([]*process, len(c.ports))
	for i := range c.ports {
		c.startReplica(i)
	}
	c.waitReady()
	c.o = newOperator(t, c.base)
	c.o.signIn()
	authorizeAll(t, c.world, c.o, merchants)
	c.template = addTemplate(c.o)
	return c
}

func (c *chaos) startDatabase() {
	c.t.Helper()
	server, err := localpg.Start(c.t.Context(), localpg.Config{DataDir: c.dataDir, Fast: true})
	require.NoError(c.t, err)
	c.database = server
}

func (c *chaos) stopDatabase() {
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
	defer cancel()
	if err := c.database.Stop(ctx); err != nil {
		c.t.Errorf("stop the database: %v", err)
	}
}

func (c *chaos) startReplica(i int) {
	c.t.Helper()
	c.mu.Lock()
	defer c.mu.Unlock()
	c.env["LISTEN_ADDR"] = "127.0.0.1:" + c.ports[i]
	c.replicas[i] = c.spawn("serve")
}

// anyReplica passes a request on to a replica that takes connections.
func (c *chaos) anyReplica(w http.ResponseWriter, r *http.Request) {
	for _, i := range rand.Perm(len(c.ports)) { //nolint:gosec // chance, nothing to guess
		target := &url.URL{Scheme: "http", Host: "127.0.0.1:" + c.ports[i]}
		proxy := httputil.NewSingleHostReverseProxy(target)
		refused := false
		proxy.ErrorHandler = func(w http.ResponseWriter, _ *http.Request, err error) {
			if strings.Contains(err.Error(), "refused") {
				refused = true
				return
			}
			w.WriteHeader(http.StatusBadGateway) // it died with the request in its hands
		}
		proxy.ServeHTTP(w, r)
		if !refused {
			return
		}
	}
	w.WriteHeader(http.StatusBadGateway)
}

// run lets the rollout go until nothing is left to do.
func (c *chaos) run() {
	c.t.Helper()
	c.weather()
	body := rolloutBody(c.template, c.merchants...)
	c.o.once = "one click, or two"
	var rollout struct{ ID string }
	for range 2 { // a double click
		eventually(c.t, "rollout", func() (bool, string) {
			_, err := c.o.try(c.t.Context(), http.MethodPost, "/rollouts", body, &rollout)
			return err == nil, fmt.Sprint(err)
		})
		require.Contains(c.t, []string{"", rollout.ID}, c.rollout)
		c.rollout = rollout.ID
	}
	c.o.once = ""

	ctx, stop := context.WithCancel(c.t.Context())
	defer stop()
	var people sync.WaitGroup
	defer people.Wait()
	defer stop()
	for _, do := range []func(context.Context){c.kill, c.review, c.retry, c.console} {
		people.Go(func() { do(ctx) })
	}
	patience := 3 * time.Minute
	if c.long {
		patience = 15 * time.Minute
	}
	deadline := time.Now().Add(patience)
	for {
		var r struct {
			State  string
			Counts map[string]int
		}
		_, err := c.o.try(c.t.Context(), http.MethodGet, "/rollouts/"+c.rollout, nil, &r)
		c.mu.Lock()
		done := err == nil && r.Counts["released"] == len(c.merchants)-len(c.revoked)
		c.mu.Unlock()
		if done {
			return
		}
		if time.Now().After(deadline) {
			stop()
			c.tellStuck()
			c.t.Fatalf("not all are released: %v %v; %d revoked; %v", r, err, len(c.revoked), c.fake.Settings().AuditRest)
		}
		time.Sleep(300 * time.Millisecond) // the pace of somebody who watches
	}
}

func (c *chaos) tellStuck() {
	var list page[submissionAnswer]
	_, _ = c.o.try(c.t.Context(), http.MethodGet, "/submissions?limit=200&rollout_id="+c.rollout, nil, &list)
	for _, sub := range list.Items {
		if sub.State != "released" {
			c.t.Logf("%s %s: %+v", sub.AppID, sub.State, sub.Error)
		}
	}
}

// weather is what WeChat does to its callers, from now on.
func (c *chaos) weather() {
	c.fake.Set(func(s *wechatfake.Settings) {
		s.AuditRest, s.AuditLimit = len(c.merchants)/2, 10*len(c.merchants)
		s.EarlyEventLag, s.RejectLag = wechatfake.Duration(300*time.Millisecond), wechatfake.Duration(2*time.Second)
		s.AuditIDAsString, s.SwapScreenShotKey = true, true
		s.Latency = map[string]wechatfake.Duration{"*": wechatfake.Duration(15 * time.Millisecond)}
	})
	percent := func(n int, path string, f wechatfake.Fault) {
		f.Percent, f.Path, f.Times = n, path, -1
		_, err := c.fake.FailNext(f)
		require.NoError(c.t, err)
	}
	for _, path := range []string{"/wxa/commit", "/wxa/submit_audit", "/wxa/release", "/wxa/modify_domain", "/cgi-bin/component/setprivacysetting"} {
		percent(5, path, wechatfake.Fault{Mode: wechatfake.FaultCutAfter})
		percent(5, path, wechatfake.Fault{Mode: wechatfake.FaultCutBefore})
		percent(5, path, wechatfake.Fault{Mode: wechatfake.FaultErrcode, Code: -1})
		percent(5, path, wechatfake.Fault{Mode: wechatfake.FaultErrcodeExecuted, Code: -1})
		percent(5, path, wechatfake.Fault{Mode: wechatfake.FaultHTTPExecuted, Code: 504})
	}
	percent(10, "/wxa/commit", wechatfake.Fault{Mode: wechatfake.FaultAsyncAccepted})
	percent(10, "/wxa/commit", wechatfake.Fault{Mode: wechatfake.FaultAsyncLost})
	percent(5, "/wxa/submit_audit", wechatfake.Fault{Mode: wechatfake.FaultErrcode, Code: 85009})
	percent(5, "/wxa/submit_audit", wechatfake.Fault{Mode: wechatfake.FaultErrcode, Code: 99887766})
	percent(5, "/wxa/release", wechatfake.Fault{Mode: wechatfake.FaultErrcode, Code: 99887766})
	percent(2, "", wechatfake.Fault{Mode: wechatfake.FaultHTTP, Code: 502})
	percent(2, "", wechatfake.Fault{Mode: wechatfake.FaultErrcode, Code: -1})
	percent(1, "", wechatfake.Fault{Mode: wechatfake.FaultGarbage})
	percent(1, "", wechatfake.Fault{Mode: wechatfake.FaultErrcode, Code: 40001})
	percent(3, "", wechatfake.Fault{Mode: wechatfake.FaultSlow, Delay: wechatfake.Duration(time.Second)})
	if c.long { // these take a minute each
		percent(1, "/wxa/get_latest_auditstatus", wechatfake.Fault{Mode: wechatfake.FaultSlow, Delay: wechatfake.Duration(12 * time.Second)})
		for range 3 {
			_, err := c.fake.FailNext(wechatfake.Fault{Path: "/wxa/getversioninfo", Mode: wechatfake.FaultErrcode, Code: 45011, Skip: 40})
			require.NoError(c.t, err)
		}
	}
}

// chance is a number below n.
func chance(n int) int { return rand.IntN(n) } //nolint:gosec // nothing to guess

// every does something at random times about d apart until ctx ends.
func every(ctx context.Context, d time.Duration, do func()) {
	for {
		select {
		case <-ctx.Done():
			return
		case <-time.After(d/2 + rand.N(d)): //nolint:gosec // chance, nothing to guess
			do()
		}
	}
}

// kill ends replicas by SIGKILL and starts them again; now and then it restarts the database.
func (c *chaos) kill(ctx context.Context) {
	turn := 0
	every(ctx, 3*time.Second, func() {
		turn++
		if turn%4 == 0 {
			c.stopDatabase()
			c.startDatabase()
			c.restarts++
			return
		}
		i := chance(len(c.replicas))
		victim := c.replicas[i]
		_ = victim.cmd.Process.Kill()
		<-victim.done //nolint:errcheck // killed
		c.startReplica(i)
		c.kills++
	})
}

// review decides audits: most versions are good, some are rejected once. Events get lost, come twice or too early.
func (c *chaos) review(ctx context.Context) {
	every(ctx, 100*time.Millisecond, func() {
		for _, appid := range c.merchants {
			m, err := c.fake.Merchant(appid)
			if err != nil || m.Audit == nil || m.Audit.Status != wechatfake.AuditRunning || chance(4) > 0 {
				continue
			}
			c.mu.Lock()
			reject := c.refused[appid] == 0 && chance(8) == 0
			c.mu.Unlock()
			if reject {
				_ = c.fake.NextEvent([]string{"usual", "lose", "duplicate"}[chance(3)])
				if c.fake.Reject(appid, "no<br>good", 1) == nil {
					c.no(appid)
				}
				continue
			}
			_ = c.fake.NextEvent([]string{"usual", "usual", "lose", "duplicate", "early"}[chance(5)])
			_ = c.fake.Approve(appid)
		}
	})
}

func (c *chaos) no(appid string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.refused[appid]++
}

// retry is an operator who sends on what stopped, and gets more quota from WeChat in time.
func (c *chaos) retry(ctx context.Context) {
	turn := 0
	every(ctx, 2*time.Second, func() {
		if turn++; turn == 4 {
			c.fake.Set(func(s *wechatfake.Settings) { s.AuditRest = 10 * len(c.merchants) })
		}
		_, _ = c.o.try(ctx, http.MethodPost, "/rollouts/"+c.rollout+"/retry-failed", nil, nil) // 409: nothing to retry
		var list page[submissionAnswer]
		if _, err := c.o.try(ctx, http.MethodGet, "/submissions?state=withdrawn&limit=200&rollout_id="+c.rollout, nil, &list); err != nil {
			return
		}
		for _, sub := range list.Items {
			_, _ = c.o.try(ctx, http.MethodPost, "/submissions/"+sub.ID+"/retry", nil, nil)
		}
	})
}

// console is what people do elsewhere: audits taken back in WeChat's console, authorizations withdrawn.
func (c *chaos) console(ctx context.Context) {
	turn := 0
	every(ctx, 2*time.Second, func() {
		var audited []string
		for _, appid := range c.merchants {
			if m, err := c.fake.Merchant(appid); err == nil && m.Audit != nil && m.Audit.Status == wechatfake.AuditRunning {
				audited = append(audited, appid)
			}
		}
		if len(audited) == 0 {
			return
		}
		turn++
		appid := audited[chance(len(audited))]
		if turn%3 == 0 && len(c.revoked) < 3 {
			if c.fake.Revoke(appid) == nil {
				c.mu.Lock()
				c.revoked = append(c.revoked, appid)
				c.mu.Unlock()
			}
			return
		}
		if c.fake.ConsoleDecide(appid, wechatfake.AuditWithdrawn, "") == nil {
			c.no(appid)
		}
	})
}

// check reads WeChat's record.
func (c *chaos) check() {
	c.t.Helper()
	for _, appid := range c.merchants {
		if slices.Contains(c.revoked, appid) {
			require.LessOrEqual(c.t, c.fake.Effective("/wxa/commit", appid), 1, appid)
			require.LessOrEqual(c.t, c.fake.Effective("/wxa/release", appid), 1, appid)
			continue
		}
		require.Equal(c.t, 1, c.fake.Effective("/wxa/commit", appid), "commits of %s", appid)
		require.Equal(c.t, 1, c.fake.Effective("/wxa/release", appid), "releases of %s", appid)
		require.Equal(c.t, 1, c.fake.Effective("/wxa/modify_domain", appid), "domain changes of %s", appid)
		require.Equal(c.t, 1+c.refused[appid], c.fake.Effective("/wxa/submit_audit", appid), "submissions of %s, refused %d times", appid, c.refused[appid])
		m, err := c.fake.Merchant(appid)
		require.NoError(c.t, err)
		require.Equal(c.t, "2.3.0", m.Live.UserVersion, appid)
	}
	require.Empty(c.t, c.calls.overlaps(), "calls for one merchant at the same time")
	require.Empty(c.t, c.fake.Unknown())
	require.Positive(c.t, c.kills, "nobody was killed, so nothing was proven")
	no := 0
	for _, n := range c.refused {
		no += n
	}
	c.t.Logf("%d merchants: %d kills, %d restarts of the database, %d calls, %d audits refused or taken back, %d merchants left",
		len(c.merchants), c.kills, c.restarts, c.calls.count(), no, len(c.revoked))
}

// callWatch counts calls to WeChat and looks for two that are under way for one merchant at the same time. A call whose
// caller has died is not under way any more.
type callWatch struct {
	mu    sync.Mutex
	n     int
	open  map[string]string // path by token
	twice []string
}

func newCallWatch() *callWatch { return &callWatch{open: map[string]string{}} }

func (w *callWatch) count() int {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.n
}

func (w *callWatch) overlaps() []string {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.twice
}

func (w *callWatch) wrap(next http.Handler) http.Handler {
	return http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		token := r.URL.Query().Get("access_token")
		for _, own := range []string{"template", "modify_wxa_", "/component/api_"} {
			if strings.Contains(r.URL.Path, own) {
				token = "" // the platform's
			}
		}
		defer w.enter(token, r)()
		next.ServeHTTP(rw, r)
	})
}

func (w *callWatch) enter(token string, r *http.Request) (leave func()) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.n++
	if token == "" {
		return func() {}
	}
	if other, ok := w.open[token]; ok {
		w.twice = append(w.twice, other+" and "+r.URL.Path)
	}
	w.open[token] = r.URL.Path
	var once sync.Once
	gone := func() {
		once.Do(func() {
			w.mu.Lock()
			defer w.mu.Unlock()
			delete(w.open, token)
		})
	}
	context.AfterFunc(r.Context(), gone)
	return gone
}
