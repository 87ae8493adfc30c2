package notice

import (
	"bytes"
	"context"
	"fmt"
	"log/slog"
	"net/url"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/wxsteward/wxsteward/component"
	"github.com/wxsteward/wxsteward/internal/outbound"
	"github.com/wxsteward/wxsteward/internal/postgres/postgrestest"
	"github.com/wxsteward/wxsteward/internal/sealed"
)

const (
	testKey = "MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY="
	waitFor = 20 * time.Second
)

// testClock is a time that tests set.
type testClock struct{ ahead atomic.Int64 }

func (c *testClock) Now() time.Time      { return time.Now().Add(time.Duration(c.ahead.Load())) }
func (c *testClock) Add(d time.Duration) { c.ahead.Add(int64(d)) }

type lockedLog struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (l *lockedLog) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

func (l *lockedLog) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.String()
}

// replica is one process's Service.
type replica struct {
	*Service

	pool  *pgxpool.Pool
	dbURL string
	clock *testClock
	logs  *lockedLog
}

func newReplica(tb testing.TB, options ...func(*Config)) *replica {
	tb.Helper()
	return replicaOn(tb, postgrestest.URL(tb), &testClock{}, options...)
}

func replicaOn(tb testing.TB, dbURL string, clock *testClock, options ...func(*Config)) *replica {
	tb.Helper()
	keys, err := sealed.NewKeyring(testKey)
	require.NoError(tb, err)
	r := &replica{pool: postgrestest.Open(tb, dbURL), dbURL: dbURL, clock: clock, logs: &lockedLog{}}
	cfg := Config{
		PublicURL: &url.URL{Scheme: "https", Host: "steward.example.com"}, Guard: outbound.Guard{AllowPrivate: true}, Now: clock.Now,
		Logger: slog.New(slog.NewTextHandler(r.logs, &slog.HandlerOptions{Level: slog.LevelDebug})), Drain: 2 * time.Second,
		poll: 20 * time.Millisecond, gather: -1,
	}
	for _, option := range options {
		option(&cfg)
	}
	r.Service = New(cfg, Deps{DB: r.pool, Keys: keys})
	r.jitter = func() float64 { return 0.5 }
	return r
}

// start runs the replica until the returned function is called or the test ends.
func (r *replica) start(tb testing.TB) (stop func()) {
	tb.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan struct{})
	go func() {
		defer close(done)
		assert.NoError(tb, r.Run(ctx))
	}()
	stop = func() {
		cancel()
		<-done
	}
	tb.Cleanup(stop)
	return stop
}

// step makes all calls that are due now, and tells how many.
func (r *replica) step(tb testing.TB) int {
	tb.Helper()
	work, err := r.claim(context.Background())
	require.NoError(tb, err)
	var calls sync.WaitGroup
	for _, w := range work {
		calls.Go(func() { r.send(context.Background(), w) })
	}
	calls.Wait()
	return len(work)
}

// stepFor lets time pass.
func (r *replica) stepFor(tb testing.TB, length, stride time.Duration) {
	tb.Helper()
	for passed := time.Duration(0); passed < length; passed += stride {
		r.step(tb)
		r.clock.Add(stride)
	}
	r.step(tb)
}

// channel adds a channel for a robot.
func (r *replica) channel(tb testing.TB, to *robot, options ...func(*Change)) Channel {
	tb.Helper()
	c := Change{Name: new(to.kind), URL: new(sealed.New(to.address()))}
	if to.secret != "" && to.kind != KindWebhook {
		c.Secret = new(sealed.New(to.secret))
	}
	for _, option := range options {
		option(&c)
	}
	made, secret, err := r.Create(context.Background(), to.kind, c, "tester")
	require.NoError(tb, err)
	if to.kind == KindWebhook {
		to.mu.Lock()
		to.secret = secret.Reveal()
		to.mu.Unlock()
	}
	return made
}

func (r *replica) announce(tb testing.TB, list ...component.Announcement) {
	tb.Helper()
	for _, a := range list {
		require.NoError(tb, pgx.BeginFunc(context.Background(), r.pool, func(tx pgx.Tx) error {
			return r.Announce(context.Background(), tx, a)
		}))
	}
}

func (r *replica) notices(tb testing.TB, f Filter) []Notice {
	tb.Helper()
	f.Limit = 1000
	list, err := listNotices(context.Background(), r.pool, f)
	require.NoError(tb, err)
	return list
}

func paused(n int) component.Announcement {
	return component.Announcement{
		Event: component.EventRolloutPaused, Key: fmt.Sprintf("/rollouts/%d", n), Path: fmt.Sprintf("/rollouts/%d", n), Subject: fmt.Sprintf("autumn %d", n),
		Reason: component.Text{EN: "2 of 3 finished merchants failed", ZH: "3 个已结束的商户中有 2 个失败"},
	}
}

func dead(rule, count int) component.Announcement {
	return component.Announcement{
		Event: component.EventDeadLetter, Key: fmt.Sprintf("/forward-rules/%d", rule), Path: fmt.Sprintf("/forward-rules/%d", rule),
		Subject: "shop", Count: count, Reason: component.Text{EN: "The target answered with status 500."},
	}
}

func rejected(merchant int) component.Announcement {
	return component.Announcement{
		Event: component.EventAuditResult, Key: "/rollouts/7/rejected", Path: fmt.Sprintf("/rollouts/7/%d", merchant), Outcome: component.OutcomeRejected,
		Subject: "autumn", AppID: fmt.Sprintf("wxshop%010d", merchant), Merchant: fmt.Sprintf("花店 %d 号", merchant),
		Reason: component.Text{EN: "小程序内容不完整"},
	}
}
