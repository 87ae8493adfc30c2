package forward

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"maps"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
	standardwebhooks "github.com/standard-webhooks/standard-webhooks/libraries/go"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/wxsteward/wxsteward/component"
	"github.com/wxsteward/wxsteward/internal/fault"
	"github.com/wxsteward/wxsteward/internal/live"
	"github.com/wxsteward/wxsteward/internal/outbound"
	"github.com/wxsteward/wxsteward/internal/postgres/postgrestest"
	"github.com/wxsteward/wxsteward/internal/sealed"
)

const (
	testKey    = "MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY="
	waitFor    = 20 * time.Second
	sampleText = `<xml><ToUserName><![CDATA[gh_x]]></ToUserName><FromUserName>oU</FromUserName><CreateTime>1413192605</CreateTime><MsgType>text</MsgType><Content>123</Content><MsgId>77</MsgId></xml>`
)

// testClock is a time that tests set.
type testClock struct{ ahead atomic.Int64 }

func (c *testClock) Now() time.Time      { return time.Now().Add(time.Duration(c.ahead.Load())) }
func (c *testClock) Add(d time.Duration) { c.ahead.Add(int64(d)) }

// mailbox stands for the messages that component has stored.
type mailbox struct {
	mu       sync.Mutex
	messages map[int64]component.Message
	reads    int
}

func (b *mailbox) Message(_ context.Context, id int64) (component.Message, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.reads++
	if m, ok := b.messages[id]; ok {
		return m, nil
	}
	return component.Message{}, component.ErrNoMessage
}

// replica is one process's Service.
type replica struct {
	*Service

	pool  *pgxpool.Pool
	dbURL string
	clock *testClock
	box   *mailbox
	logs  *lockedLog
}

func newReplica(tb testing.TB, options ...func(*Config)) *replica {
	tb.Helper()
	return replicaOn(tb, postgrestest.URL(tb), &testClock{}, &mailbox{messages: map[int64]component.Message{}}, options...)
}

func replicaOn(tb testing.TB, dbURL string, clock *testClock, box *mailbox, options ...func(*Config)) *replica {
	tb.Helper()
	keys, err := sealed.NewKeyring(testKey)
	require.NoError(tb, err)
	r := &replica{pool: postgrestest.Open(tb, dbURL), dbURL: dbURL, clock: clock, box: box, logs: &lockedLog{}}
	cfg := Config{
		Guard: outbound.Guard{AllowPrivate: true}, Now: clock.Now, Logger: slog.New(slog.NewTextHandler(r.logs, nil)),
		Drain: 2 * time.Second, poll: 50 * time.Millisecond,
	}
	for _, option := range options {
		option(&cfg)
	}
	r.Service = New(cfg, Deps{DB: r.pool, Keys: keys, Messages: box})
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

func text(id int64, appid string) component.Message {
	return component.Message{ID: id, Channel: component.ChannelBiz, AppID: appid, MsgType: "text", Body: []byte(sampleText)}
}

// store stores messages as component does.
func (r *replica) store(tb testing.TB, messages ...component.Message) {
	tb.Helper()
	r.box.mu.Lock()
	for _, m := range messages {
		r.box.messages[m.ID] = m
	}
	r.box.mu.Unlock()
	require.NoError(tb, pgx.BeginFunc(context.Background(), r.pool, func(tx pgx.Tx) error {
		return r.Stored(context.Background(), tx, messages)
	}))
}

// to makes a rule for every biz message.
func (r *replica) to(tb testing.TB, target string, options ...func(*Change)) (Rule, sealed.Secret) {
	tb.Helper()
	c := Change{Name: new("test"), Channel: new(component.ChannelBiz), TargetURL: &target}
	for _, option := range options {
		option(&c)
	}
	rule, secret, err := r.Create(context.Background(), c, "root")
	require.NoError(tb, err)
	return rule, secret
}

func (r *replica) list(tb testing.TB, f DeliveryFilter) []Delivery {
	tb.Helper()
	if f.Limit == 0 {
		f.Limit = 1000
	}
	list, err := r.Deliveries(context.Background(), f)
	require.NoError(tb, err)
	return list
}

// count is -1 when it met a session that the test has ended: ask again.
func (r *replica) count(tb testing.TB, state string) int {
	tb.Helper()
	var n int
	if err := r.pool.QueryRow(context.Background(), `SELECT count(*) FROM delivery WHERE state = $1`, state).Scan(&n); err != nil {
		tb.Log(err)
		return -1
	}
	return n
}

func eventually(tb testing.TB, what string, ok func() bool) {
	tb.Helper()
	require.Eventually(tb, ok, waitFor, 5*time.Millisecond, what)
}

// seen is what a target saw.
type seen struct {
	path   string
	header http.Header
	body   string
}

// target is a business system.
type target struct {
	*httptest.Server

	mu     sync.Mutex
	seen   []seen
	handle atomic.Pointer[http.HandlerFunc]
}

func newTarget(tb testing.TB, handle http.HandlerFunc) *target {
	tb.Helper()
	s := &target{}
	s.handle.Store(&handle)
	s.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		s.mu.Lock()
		s.seen = append(s.seen, seen{r.URL.RequestURI(), r.Header.Clone(), string(body)})
		s.mu.Unlock()
		(*s.handle.Load())(w, r)
	}))
	tb.Cleanup(s.Close)
	return s
}

func (s *target) answer(handle http.HandlerFunc) { s.handle.Store(&handle) }

func (s *target) calls() []seen {
	s.mu.Lock()
	defer s.mu.Unlock()
	return append([]seen{}, s.seen...)
}

func status(code int) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(code) }
}

func verifier(tb testing.TB, secret sealed.Secret) *standardwebhooks.Webhook {
	tb.Helper()
	wh, err := standardwebhooks.NewWebhook(secret.Reveal())
	require.NoError(tb, err)
	return wh
}

func TestDeliveryIsSignedAndRecorded(t *testing.T) {
	t.Parallel()
	r := newReplica(t)
	shop := newTarget(t, func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, "thanks") })
	rule, secret := r.to(t, shop.URL+"/hook/$APPID$?merchant=$APPID$")
	r.start(t)
	r.store(t, text(7, "wx1"))
	eventually(t, "it is delivered", func() bool { return r.count(t, stateDelivered) == 1 })

	call := shop.calls()[0]
	require.NoError(t, verifier(t, secret).Verify([]byte(call.body), call.header))
	assert.Equal(t, "/hook/wx1?merchant=wx1", call.path)
	assert.JSONEq(t, `{"ToUserName":"gh_x","FromUserName":"oU","CreateTime":1413192605,"MsgType":"text","Content":"123","MsgId":77}`, call.body)
	assert.Equal(t, "wx1", call.header.Get("X-Wxsteward-Appid"))
	assert.Equal(t, "biz", call.header.Get("X-Wxsteward-Channel"))
	assert.Equal(t, "application/json", call.header.Get("Content-Type"))
	d := r.list(t, DeliveryFilter{})[0]
	assert.Equal(t, formatID(d.ID), call.header.Get("Webhook-Id"))
	assert.Equal(t, rule.ID, d.RuleID)
	assert.EqualValues(t, 7, d.MessageID)
	require.Len(t, d.Attempts, 1)
	assert.Equal(t, http.StatusOK, d.Attempts[0].Status)
	assert.Equal(t, "thanks", d.Attempts[0].Response)
	assert.Empty(t, d.Attempts[0].Failure)
	assert.Zero(t, r.box.reads, "a message that has just come is not read again")
	list, err := r.DeliveriesOf(t.Context(), []int64{7, 8})
	require.NoError(t, err)
	assert.Equal(t, map[int64][]component.DeliverySummary{7: {{ID: formatID(d.ID), RuleID: formatID(rule.ID), State: stateDelivered}}}, list)

	var stored []byte
	require.NoError(t, r.pool.QueryRow(t.Context(), `SELECT secret FROM forward_rule`).Scan(&stored))
	assert.NotContains(t, string(stored), secret.Reveal())
	assert.NotContains(t, r.logs.String(), secret.Reveal())
}

func TestXMLIsSentAsItCame(t *testing.T) {
	t.Parallel()
	r := newReplica(t)
	shop := newTarget(t, status(http.StatusNoContent))
	_, secret := r.to(t, shop.URL, func(c *Change) { c.Format = new(FormatXML) })
	r.start(t)
	r.store(t, text(1, "wx1"))
	eventually(t, "it is delivered", func() bool { return r.count(t, stateDelivered) == 1 })
	call := shop.calls()[0]
	assert.Equal(t, sampleText, call.body)
	require.NoError(t, verifier(t, secret).Verify([]byte(call.body), call.header))
}

func TestRotatedSecretOverlapsForADay(t *testing.T) {
	t.Parallel()
	r := newReplica(t)
	shop := newTarget(t, status(http.StatusOK))
	rule, first := r.to(t, shop.URL)
	_, second, err := r.Rotate(t.Context(), rule.ID)
	require.NoError(t, err)
	r.start(t)
	r.store(t, text(1, "wx1"))
	eventually(t, "it is delivered", func() bool { return r.count(t, stateDelivered) == 1 })
	call := shop.calls()[0]
	assert.Len(t, strings.Fields(call.header.Get("Webhook-Signature")), 2)
	require.NoError(t, verifier(t, first).Verify([]byte(call.body), call.header), "the old secret still verifies")
	require.NoError(t, verifier(t, second).Verify([]byte(call.body), call.header))

	r.clock.Add(overlap + time.Second)
	r.store(t, text(2, "wx1"))
	eventually(t, "it is delivered", func() bool { return r.count(t, stateDelivered) == 2 })
	call = shop.calls()[1]
	require.Error(t, verifier(t, first).VerifyIgnoringTimestamp([]byte(call.body), call.header))
	require.NoError(t, verifier(t, second).VerifyIgnoringTimestamp([]byte(call.body), call.header))
}

func TestScheduleSpansADay(t *testing.T) {
	t.Parallel()
	r := newReplica(t)
	assert.Equal(t, 24*time.Hour, r.span())
	assert.GreaterOrEqual(t, maxTries(), 12)
	last := time.Duration(0)
	for tries := 1; tries < maxTries(); tries++ {
		r.jitter = func() float64 { return 0 }
		least, ok := r.pause(tries)
		require.True(t, ok)
		assert.Greater(t, least, last, "pauses grow")
		last = least
		r.jitter = func() float64 { return 0.999 }
		most, _ := r.pause(tries)
		assert.Greater(t, most, least)
		assert.LessOrEqual(t, most, least+least/10)
	}
	_, ok := r.pause(maxTries())
	assert.False(t, ok)
}

// TestTargetDownForHours: nothing is lost and every attempt has the same webhook-id.
func TestTargetDownForHours(t *testing.T) {
	t.Parallel()
	r := newReplica(t)
	shop := newTarget(t, status(http.StatusServiceUnavailable))
	r.to(t, shop.URL)
	r.start(t)
	const messages = 5
	for id := range int64(messages) {
		r.store(t, text(id+1, "wx1"))
	}
	begun := r.clock.Now()
	for r.clock.Now().Sub(begun) < 6*time.Hour {
		eventually(t, "all that was due has been tried", func() bool {
			for _, d := range r.list(t, DeliveryFilter{State: statePending}) {
				if !d.NextAt.After(r.clock.Now()) {
					return false
				}
			}
			return true
		})
		next, err := nextDue(t.Context(), r.pool, []int64{1})
		require.NoError(t, err)
		r.clock.Add(next.Sub(r.clock.Now()) + time.Minute)
		r.poke()
	}
	require.Len(t, r.list(t, DeliveryFilter{State: statePending}), messages, "still trying")
	shop.answer(status(http.StatusOK))
	r.clock.Add(7 * time.Hour)
	eventually(t, "all are delivered", func() bool { return r.count(t, stateDelivered) == messages })
	for _, d := range r.list(t, DeliveryFilter{}) {
		assert.Greater(t, len(d.Attempts), 8)
		assert.EqualValues(t, "status 503", d.Attempts[0].Failure)
	}
	ids := map[string]int{}
	for _, c := range shop.calls() {
		ids[c.header.Get("Webhook-Id")]++
	}
	assert.Len(t, ids, messages)
}

func TestDeadAndRetriedInBulk(t *testing.T) {
	t.Parallel()
	r := newReplica(t, func(c *Config) { c.RetryBase = time.Microsecond })
	shop := newTarget(t, status(http.StatusInternalServerError))
	rule, _ := r.to(t, shop.URL)
	r.start(t)
	for id := range int64(4) {
		r.store(t, text(id+1, "wx1"))
	}
	eventually(t, "all are dead", func() bool { return r.count(t, stateDead) == 4 })
	dead := r.list(t, DeliveryFilter{RuleID: rule.ID, State: stateDead})
	require.Len(t, dead, 4)
	assert.Len(t, dead[0].Attempts, maxTries())

	shop.answer(status(http.StatusOK))
	d, err := r.Retry(t.Context(), dead[0].ID)
	require.NoError(t, err)
	assert.Equal(t, dead[0].ID, d.ID)
	eventually(t, "one is delivered", func() bool { return r.count(t, stateDelivered) == 1 })
	n, err := r.RetryDead(t.Context(), rule.ID)
	require.NoError(t, err)
	assert.EqualValues(t, 3, n)
	eventually(t, "all are delivered", func() bool { return r.count(t, stateDelivered) == 4 })
}

func TestSlowTargetDelaysNobody(t *testing.T) {
	t.Parallel()
	r := newReplica(t)
	release := make(chan struct{})
	slow := newTarget(t, func(http.ResponseWriter, *http.Request) { <-release })
	t.Cleanup(sync.OnceFunc(func() { close(release) }))
	fast := newTarget(t, status(http.StatusOK))
	r.to(t, slow.URL)
	r.to(t, fast.URL)
	r.start(t)
	const messages = 3 * defaultConcurrency
	for id := range int64(messages) {
		r.store(t, text(id+1, "wx1"))
	}
	eventually(t, "the fast target has everything", func() bool { return len(fast.calls()) == messages })
	assert.LessOrEqual(t, len(slow.calls()), defaultConcurrency, "the slow one is called so often at once and no more")
	r.store(t, text(1000, "wx1"))
	began := time.Now()
	eventually(t, "the fast target gets the next at once", func() bool { return len(fast.calls()) == messages+1 })
	assert.Less(t, time.Since(began), 5*time.Second)
}

// TestBacklogLeavesConnectionsForPushes: after a start many messages must be read, of which a slow database gives few.
func TestBacklogLeavesConnectionsForPushes(t *testing.T) {
	t.Parallel()
	before := newReplica(t)
	shop := newTarget(t, status(http.StatusOK))
	const rules, messages = 4, 20
	for range rules {
		before.to(t, shop.URL)
	}
	for id := range int64(messages) {
		before.store(t, text(id+1, "wx1"))
	}
	slow := &slowMailbox{box: before.box, release: make(chan struct{})}
	release := sync.OnceFunc(func() { close(slow.release) })
	r := replicaOn(t, before.dbURL, before.clock, before.box)
	r.deps.Messages = slow
	r.start(t)
	t.Cleanup(release)
	eventually(t, "some are read", func() bool { return slow.waiting.Load() >= readsAtOnce })
	release()
	eventually(t, "all are delivered", func() bool { return r.count(t, stateDelivered) == rules*messages })
	assert.EqualValues(t, readsAtOnce, slow.most.Load(), "no more at a time")
}

// slowMailbox gives nothing until it is released.
type slowMailbox struct {
	box           *mailbox
	release       chan struct{}
	waiting, most atomic.Int64
}

func (b *slowMailbox) Message(ctx context.Context, id int64) (component.Message, error) {
	now := b.waiting.Add(1)
	defer b.waiting.Add(-1)
	for most := b.most.Load(); now > most && !b.most.CompareAndSwap(most, now); most = b.most.Load() {
		continue
	}
	<-b.release
	return b.box.Message(ctx, id)
}

// TestCrashBetweenSendingAndRecording: the target has it, we do not know; it is sent again under the same id.
func TestCrashBetweenSendingAndRecording(t *testing.T) {
	t.Parallel()
	short := func(c *Config) { c.lease = time.Second }
	dying := newReplica(t, short)
	shop := newTarget(t, status(http.StatusOK))
	rule, _ := dying.to(t, shop.URL)
	dying.store(t, text(1, "wx1"))
	taken, err := claimDue(t.Context(), dying.pool, []int64{rule.ID}, []int32{5}, dying.now(), dying.cfg.lease)
	require.NoError(t, err)
	require.Len(t, taken, 1)
	armed, err := dying.rule(t.Context(), rule.ID)
	require.NoError(t, err)
	o := dying.call(t.Context(), armed, formatID(taken[0].id), text(1, "wx1"), excerptBytes)
	require.True(t, o.ok())
	// dying is not heard of again.
	other := replicaOn(t, dying.dbURL, dying.clock, dying.box, short)
	other.start(t)
	eventually(t, "the other replica sends it", func() bool { return other.count(t, stateDelivered) == 1 })
	calls := shop.calls()
	require.Len(t, calls, 2)
	assert.Equal(t, calls[0].header.Get("Webhook-Id"), calls[1].header.Get("Webhook-Id"))
	assert.Equal(t, 1, other.box.reads, "the message comes from the database")
}

func TestFailureOfAnExpiredLeaseChangesNothing(t *testing.T) {
	t.Parallel()
	r := newReplica(t)
	rule, _ := r.to(t, "http://127.0.0.1:9/")
	r.store(t, text(1, "wx1"))
	claim := func() claimed {
		taken, err := claimDue(t.Context(), r.pool, []int64{rule.ID}, []int32{5}, r.now(), time.Millisecond)
		require.NoError(t, err)
		require.Len(t, taken, 1)
		time.Sleep(5 * time.Millisecond) // the lease runs by the clock of the database
		return taken[0]
	}
	first, second := claim(), claim()
	late := result{ruleID: rule.ID, deliveryID: first.id, lease: first.lease, tries: maxTries(), outcome: outcome{at: r.now(), failure: failed(outbound.TroubleRefused, "")}}
	require.NoError(t, r.writeResults(t.Context(), r.pool, r.judge([]result{late})))
	require.Equal(t, 1, r.count(t, statePending), "who has it now decides")
	taken := result{ruleID: rule.ID, deliveryID: second.id, lease: first.lease, tries: 1, outcome: outcome{at: r.now(), status: 200}}
	require.NoError(t, r.writeResults(t.Context(), r.pool, r.judge([]result{taken})))
	require.Equal(t, 1, r.count(t, stateDelivered), "what the target has taken is delivered, whoever says so")
}

func TestTwoReplicasShareTheWork(t *testing.T) {
	t.Parallel()
	one := newReplica(t)
	two := replicaOn(t, one.dbURL, one.clock, one.box)
	var mu sync.Mutex
	under, most := map[string]int{}, 0
	shop := newTarget(t, func(_ http.ResponseWriter, r *http.Request) {
		id := r.Header.Get("Webhook-Id")
		mu.Lock()
		under[id]++
		most = max(most, under[id])
		mu.Unlock()
		time.Sleep(2 * time.Millisecond) // so that a second call would meet the first
		mu.Lock()
		under[id]--
		mu.Unlock()
	})
	one.to(t, shop.URL)
	one.start(t)
	two.start(t)
	const messages = 600
	for at := int64(0); at < messages; at += 30 {
		var batch []component.Message
		for id := at; id < at+30; id++ {
			batch = append(batch, text(id+1, "wx1"))
		}
		one.store(t, batch...)
	}
	eventually(t, "all are delivered", func() bool { return one.count(t, stateDelivered) == messages })
	assert.Len(t, shop.calls(), messages, "each was sent once")
	assert.Equal(t, 1, most)
}

func TestFailuresAreNamed(t *testing.T) {
	t.Parallel()
	closed := httptest.NewServer(status(http.StatusOK))
	closed.Close()
	tls := httptest.NewTLSServer(status(http.StatusOK))
	t.Cleanup(tls.Close)
	for _, tc := range []struct {
		name   string
		handle http.HandlerFunc
		url    string
		want   failure
	}{
		{"a redirect is a failure", func(w http.ResponseWriter, r *http.Request) { http.Redirect(w, r, "/other", http.StatusFound) }, "", "redirect 302"},
		{"a status is a failure", status(http.StatusTeapot), "", "status 418"},
		{"silence is a failure", func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() }, "", "timeout 200"},
		{"nobody there", nil, closed.URL, "refused"},
		{"a hang-up", func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) }, "", "broken EOF"},
		{"a certificate nobody knows", nil, tls.URL, "tls tls: failed to verify certificate: x509: certificate signed by unknown authority"},
		{"a name that does not resolve", nil, "http://nobody.invalid/", "dns nobody.invalid"},
		{"an address that is forbidden by now", nil, "http://rebound.example/", "blocked 169.254.169.254"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			rebound := false
			r := newReplica(t, func(c *Config) {
				c.Guard.Lookup = func(ctx context.Context, host string) ([]netip.Addr, error) {
					if host == "rebound.example" && rebound {
						return []netip.Addr{netip.MustParseAddr("169.254.169.254")}, nil
					}
					return net.DefaultResolver.LookupNetIP(ctx, "ip", host)
				}
			})
			address := tc.url
			if tc.handle != nil {
				address = newTarget(t, tc.handle).URL
			}
			rule, _ := r.to(t, address, func(c *Change) { c.Timeout = new(200 * time.Millisecond) })
			rebound = true
			a, err := r.Try(t.Context(), rule.ID)
			require.NoError(t, err)
			assert.Equal(t, tc.want, a.Failure)
			assert.NotEmpty(t, a.Failure.In(fault.English))
			assert.NotEqual(t, a.Failure.In(fault.English), a.Failure.In(fault.Chinese))
		})
	}
}

func TestLongAnswersAreCut(t *testing.T) {
	t.Parallel()
	r := newReplica(t)
	shop := newTarget(t, func(w http.ResponseWriter, _ *http.Request) {
		w.WriteHeader(http.StatusBadGateway)
		for range 1 << 10 { // 10 MiB, with bytes that PostgreSQL does not take as text
			if _, err := w.Write([]byte(strings.Repeat("\x00\xff<b>é</b>", 1<<10))); err != nil {
				return
			}
		}
	})
	r.to(t, shop.URL)
	r.start(t)
	r.store(t, text(1, "wx1"))
	eventually(t, "it is tried", func() bool { return len(r.list(t, DeliveryFilter{})[0].Attempts) == 1 })
	answer := r.list(t, DeliveryFilter{})[0].Attempts[0].Response
	assert.NotEmpty(t, answer)
	assert.LessOrEqual(t, len([]rune(answer)), excerptBytes)
}

func TestForbiddenTargetsAreRefusedWhenSaved(t *testing.T) {
	t.Parallel()
	r := newReplica(t, func(c *Config) { c.Guard.AllowPrivate = false })
	for _, address := range []string{"http://127.0.0.1/x", "http://169.254.169.254/latest", "http://[::1]/", "ftp://shop.example.com/", "http://$APPID$.shop.example.com/"} {
		_, _, err := r.Create(t.Context(), Change{Name: new("x"), Channel: new("biz"), TargetURL: &address}, "root")
		f, ok := errors.AsType[*fault.Error](err)
		require.True(t, ok, "%s: %v", address, err)
		assert.Equal(t, fault.Validation, f.Kind)
		assert.Equal(t, "body.target_url", f.Fields[0].Location)
	}
}

func TestMatching(t *testing.T) {
	t.Parallel()
	event := component.Message{Channel: component.ChannelBiz, AppID: "wx1", MsgType: "event", Event: "weapp_audit_fail"}
	authorized := component.Message{Channel: component.ChannelComponent, AppID: "wx1", InfoType: "authorized"}
	for _, tc := range []struct {
		name    string
		rule    Rule
		message component.Message
		want    bool
	}{
		{"an empty rule takes all of its channel", Rule{Channel: "biz"}, event, true},
		{"not of the other", Rule{Channel: "component"}, event, false},
		{"the event fits", Rule{Channel: "biz", Event: "weapp_audit_fail"}, event, true},
		{"another event", Rule{Channel: "biz", Event: "weapp_audit_success"}, event, false},
		{"another msg_type", Rule{Channel: "biz", MsgType: "text"}, event, false},
		{"the info_type fits", Rule{Channel: "component", InfoType: "authorized"}, authorized, true},
		{"another info_type", Rule{Channel: "component", InfoType: "unauthorized"}, authorized, false},
		{"one of the appids", Rule{Channel: "biz", AppIDs: []string{"wx0", "wx1"}}, event, true},
		{"none of the appids", Rule{Channel: "biz", AppIDs: []string{"wx0"}}, event, false},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			assert.Equal(t, tc.want, tc.rule.matches(tc.message))
		})
	}
	r := Rule{TargetURL: "https://h.example/a/$APPID$?x=$APPID$"}
	assert.Equal(t, "https://h.example/a/..%2F%3Fwx?x=..%2F%3Fwx", r.target("../?wx"), "an appid cannot change the address")
}

func TestTestAccountsAreNobodysBusiness(t *testing.T) {
	t.Parallel()
	r := newReplica(t)
	r.to(t, "http://127.0.0.1:9/")
	r.store(t, text(1, "wxd101a85aa106f53e"), text(2, "wx1"))
	assert.Len(t, r.list(t, DeliveryFilter{}), 1)
}

func TestRelay(t *testing.T) {
	t.Parallel()
	const reply = "<xml><Content>hello</Content></xml>"
	for _, tc := range []struct {
		name   string
		handle http.HandlerFunc
		want   string // empty: no reply
	}{
		{"the body is the reply", func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, reply) }, reply},
		{"success is no reply", func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, " success\n") }, ""},
		{"nothing is no reply", status(http.StatusOK), ""},
		{"a failure is no reply", func(w http.ResponseWriter, _ *http.Request) { http.Error(w, reply, http.StatusInternalServerError) }, ""},
		{"silence is no reply", func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() }, ""},
		{"an endless answer is no reply", func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, strings.Repeat("x", 1<<20)) }, ""},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			r := newReplica(t)
			shop := newTarget(t, tc.handle)
			_, secret := r.to(t, shop.URL, func(c *Change) { c.Mode, c.Timeout = new(ModeRelay), new(300*time.Millisecond) })
			got, ok := r.Relay(t.Context(), text(1, "wx1"), time.Now().Add(5*time.Second))
			assert.Equal(t, tc.want != "", ok)
			assert.Equal(t, tc.want, string(got))
			call := shop.calls()[0]
			require.NoError(t, verifier(t, secret).Verify([]byte(call.body), call.header))
			r.store(t, text(1, "wx1"))
			assert.Empty(t, r.list(t, DeliveryFilter{}), "a relay is no delivery")
		})
	}
}

func TestRelayNeverTakesLongerThanWeChatWaits(t *testing.T) {
	t.Parallel()
	assert.Equal(t, relayLimit, (&Rule{Mode: ModeRelay, Timeout: 20 * time.Second}).timeout())
	r := newReplica(t)
	_, ok := r.Relay(t.Context(), component.Message{Channel: component.ChannelComponent, AppID: "wx1"}, time.Now().Add(5*time.Second))
	assert.False(t, ok)
	_, _, err := r.Create(t.Context(), Change{
		Name: new("x"), Channel: new(component.ChannelComponent), Mode: new(ModeRelay), TargetURL: new("http://127.0.0.1:9/"),
	}, "root")
	f, ok := errors.AsType[*fault.Error](err)
	require.True(t, ok)
	assert.Equal(t, "body.mode", f.Fields[0].Location)
}

// TestRelayLeavesASilentTargetAlone: each push would wait for it in vain.
func TestRelayLeavesASilentTargetAlone(t *testing.T) {
	t.Parallel()
	counted := &relayMeter{}
	r := newReplica(t, func(c *Config) { c.Meter = counted })
	shop := newTarget(t, func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() })
	rule, _ := r.to(t, shop.URL, func(c *Change) { c.Mode, c.Timeout = new(ModeRelay), new(slowRelay+100*time.Millisecond) })
	relay := func(id int64) bool {
		_, ok := r.Relay(context.Background(), text(id, "wx1"), time.Now().Add(5*time.Second))
		return ok
	}
	var group sync.WaitGroup
	for id := range int64(slowBeforeRest) {
		group.Go(func() { relay(id) })
	}
	group.Wait()
	require.Equal(t, slowBeforeRest, len(shop.calls()))
	for id := range int64(20) {
		require.False(t, relay(id))
	}
	require.Equal(t, slowBeforeRest, len(shop.calls()), "the target is left alone, and nobody waits")
	require.Equal(t, map[string]int{"timeout": slowBeforeRest, "skipped": 20}, counted.outcomes())

	r.clock.Add(relayRest + time.Second)
	group.Go(func() { relay(1) })
	eventually(t, "one message finds out whether it answers", func() bool { return len(shop.calls()) == slowBeforeRest+1 })
	require.False(t, relay(2))
	group.Wait()
	require.Equal(t, slowBeforeRest+1, len(shop.calls()))

	shop.answer(func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, "<xml/>") })
	require.False(t, relay(1), "it is still left alone")
	_, err := r.Update(t.Context(), rule.ID, Change{Name: new("mended")})
	require.NoError(t, err)
	require.True(t, relay(1), "a change of the rule is another chance")

	shop.answer(status(http.StatusInternalServerError))
	for id := range int64(3 * slowBeforeRest) {
		require.False(t, relay(id))
	}
	require.Equal(t, slowBeforeRest+2+3*slowBeforeRest, len(shop.calls()), "failures that come at once hold nobody back")
}

// relayMeter counts the outcomes of relays.
type relayMeter struct {
	mu    sync.Mutex
	count map[string]int
}

func (*relayMeter) Attempted(string, time.Duration) {}

func (m *relayMeter) Relayed(outcome string, _ time.Duration) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.count == nil {
		m.count = map[string]int{}
	}
	m.count[outcome]++
}

func (m *relayMeter) outcomes() map[string]int {
	m.mu.Lock()
	defer m.mu.Unlock()
	return maps.Clone(m.count)
}

// TestOneRelayTargetLeavesRoomForOthers: messages that wait for one target do not take the places of all.
func TestOneRelayTargetLeavesRoomForOthers(t *testing.T) {
	t.Parallel()
	r := newReplica(t)
	rules := map[string]int64{}
	shops := map[string]*target{}
	for _, appid := range []string{"wxslow", "wxfast"} {
		shops[appid] = newTarget(t, func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, "<xml/>") })
		rule, _ := r.to(t, shops[appid].URL, func(c *Change) { c.Mode, c.AppIDs = new(ModeRelay), &[]string{appid} })
		rules[appid] = rule.ID
	}
	slow, err := r.rule(t.Context(), rules["wxslow"])
	require.NoError(t, err)
	for range relaysAtOnce {
		require.True(t, r.enterRelay(slow)) // each waits for an answer
	}
	_, ok := r.Relay(t.Context(), text(1, "wxslow"), time.Now().Add(5*time.Second))
	assert.False(t, ok)
	assert.Empty(t, shops["wxslow"].calls(), "no more wait for it")
	_, ok = r.Relay(t.Context(), text(2, "wxfast"), time.Now().Add(5*time.Second))
	assert.True(t, ok)
	r.leaveRelay(slow, outcome{})
	_, ok = r.Relay(t.Context(), text(3, "wxslow"), time.Now().Add(5*time.Second))
	assert.True(t, ok)
}

// TestRulePausesByItself: after days without success nothing is sent any more, and nothing is lost.
func TestRulePausesByItself(t *testing.T) {
	t.Parallel()
	r := newReplica(t, func(c *Config) { c.RetryBase = time.Microsecond })
	shop := newTarget(t, status(http.StatusInternalServerError))
	rule, _ := r.to(t, shop.URL)
	r.start(t)
	r.store(t, text(1, "wx1"), text(2, "wx1"))
	eventually(t, "all are dead", func() bool { return r.count(t, stateDead) == 2 })
	require.NoError(t, r.pauseFailing(t.Context()))
	r.clock.Add(2 * time.Hour)
	require.NoError(t, r.pauseFailing(t.Context()))
	now, err := r.rule(t.Context(), rule.ID)
	require.NoError(t, err)
	require.Zero(t, now.PausedAt, "a short spell of failures long ago does not count")
	r.store(t, text(4, "wx1"))
	eventually(t, "the rule is paused", func() bool {
		now, err := r.rule(context.Background(), rule.ID)
		return err == nil && !now.PausedAt.IsZero()
	})
	witness := newTarget(t, status(http.StatusOK))
	r.to(t, witness.URL) // when it has the next message, a look was taken with the pause known
	shop.answer(status(http.StatusOK))
	r.store(t, text(3, "wx1"))
	eventually(t, "the other rule goes on", func() bool { return len(witness.calls()) == 1 })
	eventually(t, "what was under way has ended", func() bool {
		var leased int
		err := r.pool.QueryRow(context.Background(), `SELECT count(*) FROM delivery WHERE rule_id = $1 AND message_id <> 3 AND lease IS NOT NULL`, rule.ID).Scan(&leased)
		return err == nil && leased == 0
	})
	var untouched bool
	require.NoError(t, r.pool.QueryRow(t.Context(), `SELECT state = 'pending' AND tries = 0 AND lease IS NULL
		AND NOT EXISTS (SELECT FROM delivery_attempt WHERE delivery_id = delivery.id) FROM delivery WHERE rule_id = $1 AND message_id = 3`, rule.ID).Scan(&untouched))
	require.True(t, untouched, "nothing is sent, the message waits")
	now, err = r.rule(t.Context(), rule.ID)
	require.NoError(t, err)
	view := ruleView(now.Rule, fault.English)
	assert.False(t, view.Enabled)
	assert.Contains(t, view.PauseReason, "Paused by itself")
	assert.Equal(t, "The target answered with status 500.", view.LastError)

	waiting := len(r.list(t, DeliveryFilter{RuleID: rule.ID, State: statePending}))
	delivered := len(r.list(t, DeliveryFilter{RuleID: rule.ID, State: stateDelivered}))
	_, err = r.Update(t.Context(), rule.ID, Change{Enabled: new(true)})
	require.NoError(t, err)
	eventually(t, "what waited is delivered", func() bool {
		return len(r.list(t, DeliveryFilter{RuleID: rule.ID, State: stateDelivered})) == delivered+waiting
	})
}

func TestMessageThatIsGoneIsDead(t *testing.T) {
	t.Parallel()
	r := newReplica(t)
	rule, _ := r.to(t, "http://127.0.0.1:9/")
	require.NoError(t, pgx.BeginFunc(t.Context(), r.pool, func(tx pgx.Tx) error {
		return insertDeliveries(t.Context(), tx, []int64{404}, []int64{rule.ID}, r.now())
	}))
	r.start(t)
	eventually(t, "it is dead", func() bool { return r.count(t, stateDead) == 1 })
	assert.EqualValues(t, failGone, r.list(t, DeliveryFilter{})[0].Attempts[0].Failure)
}

func TestStopGivesBackWhatIsUnderWay(t *testing.T) {
	t.Parallel()
	r := newReplica(t, func(c *Config) { c.Drain = 50 * time.Millisecond })
	release := make(chan struct{})
	shop := newTarget(t, func(http.ResponseWriter, *http.Request) { <-release })
	t.Cleanup(sync.OnceFunc(func() { close(release) }))
	r.to(t, shop.URL)
	stop := r.start(t)
	r.store(t, text(1, "wx1"))
	eventually(t, "it is under way", func() bool { return len(shop.calls()) == 1 })
	stop()
	d := r.list(t, DeliveryFilter{})[0]
	assert.Equal(t, statePending, d.State)
	assert.Empty(t, d.Attempts, "our end is not the target's fault")
	var leased bool
	require.NoError(t, r.pool.QueryRow(t.Context(), `SELECT lease IS NOT NULL FROM delivery`).Scan(&leased))
	assert.False(t, leased, "the next replica need not wait")
}

func TestRedeliver(t *testing.T) {
	t.Parallel()
	r := newReplica(t)
	require.ErrorIs(t, r.Redeliver(t.Context(), 1), component.ErrNoMessage)
	r.store(t, text(1, "wx1"))
	f, ok := errors.AsType[*fault.Error](r.Redeliver(t.Context(), 1))
	require.True(t, ok)
	assert.Equal(t, fault.Conflict, f.Kind)
	shop := newTarget(t, status(http.StatusOK))
	r.to(t, shop.URL)
	r.start(t)
	for n := 1; n <= 2; n++ {
		require.NoError(t, r.Redeliver(t.Context(), 1))
		eventually(t, "it is sent", func() bool { return len(shop.calls()) == n && r.count(t, stateDelivered) == 1 })
	}
	assert.Len(t, r.list(t, DeliveryFilter{MessageID: 1}), 1, "it is one delivery, sent twice")
}

func TestOldDeliveriesAndDeletedRulesGo(t *testing.T) {
	t.Parallel()
	r := newReplica(t, func(c *Config) { c.Retention = time.Hour })
	shop := newTarget(t, status(http.StatusOK))
	kept, _ := r.to(t, shop.URL)
	gone, _ := r.to(t, shop.URL)
	r.start(t)
	r.store(t, text(1, "wx1"))
	eventually(t, "both are delivered", func() bool { return r.count(t, stateDelivered) == 2 })
	require.NoError(t, r.Delete(t.Context(), gone.ID))
	require.NoError(t, r.clean(t.Context()))
	list := r.list(t, DeliveryFilter{})
	require.Len(t, list, 1)
	assert.Equal(t, kept.ID, list[0].RuleID)
	r.clock.Add(2 * time.Hour)
	require.NoError(t, r.clean(t.Context()))
	assert.Empty(t, r.list(t, DeliveryFilter{}))
	var attempts int
	require.NoError(t, r.pool.QueryRow(t.Context(), `SELECT count(*) FROM delivery_attempt`).Scan(&attempts))
	assert.Zero(t, attempts)
}

func TestListsByEveryFilter(t *testing.T) {
	t.Parallel()
	r := newReplica(t)
	one, _ := r.to(t, "http://127.0.0.1:9/1")
	two, _ := r.to(t, "http://127.0.0.1:9/2")
	for id := range int64(10) {
		r.store(t, text(id+1, "wx1"))
	}
	_, err := r.pool.Exec(t.Context(), `UPDATE delivery SET state = CASE message_id % 3 WHEN 0 THEN 'dead' WHEN 1 THEN 'delivered' ELSE 'pending' END`)
	require.NoError(t, err)
	for _, tc := range []struct {
		filter DeliveryFilter
		want   int
	}{
		{DeliveryFilter{}, 20},
		{DeliveryFilter{RuleID: one.ID}, 10},
		{DeliveryFilter{State: stateDead}, 6},
		{DeliveryFilter{RuleID: two.ID, State: stateDelivered}, 4},
		{DeliveryFilter{MessageID: 3}, 2},
		{DeliveryFilter{MessageID: 3, RuleID: two.ID}, 1},
		{DeliveryFilter{MessageID: 3, State: statePending}, 0},
		{DeliveryFilter{RuleID: 999}, 0},
	} {
		t.Run(fmt.Sprintf("%+v", tc.filter), func(t *testing.T) {
			t.Parallel()
			whole := r.list(t, tc.filter)
			assert.Len(t, whole, tc.want)
			var paged []Delivery
			for f := tc.filter; ; f.Before = paged[len(paged)-1].ID {
				f.Limit = 3
				page := r.list(t, f)
				if len(page) == 0 {
					break
				}
				paged = append(paged, page...)
			}
			assert.Equal(t, whole, append([]Delivery{}, paged...), "pages make up the whole, newest first")
			for i := 1; i < len(whole); i++ {
				assert.Less(t, whole[i].ID, whole[i-1].ID)
			}
		})
	}
}

func TestSamplesAreMessagesOfTheirKind(t *testing.T) {
	t.Parallel()
	rules := []Rule{{Channel: "component"}, {Channel: "biz"}, {Channel: "biz", MsgType: "event"}, {Channel: "biz", AppIDs: []string{"wxown"}}}
	for _, kind := range []string{"component_verify_ticket", "authorized", "unauthorized", "notify_third_fasteregister", "notify_apply_icpfiling_result", "unheard_of"} {
		rules = append(rules, Rule{Channel: "component", InfoType: kind})
	}
	for _, kind := range []string{"text", "image", "voice", "video", "location", "link", "miniprogrampage"} {
		rules = append(rules, Rule{Channel: "biz", MsgType: kind})
	}
	for _, kind := range []string{"weapp_audit_fail", "wxa_privacy_apply", "wxa_media_check", "add_express_path", "CLICK"} {
		rules = append(rules, Rule{Channel: "biz", Event: kind})
	}
	for i, rule := range rules {
		t.Run(strconv.Itoa(i)+rule.InfoType+rule.MsgType+rule.Event, func(t *testing.T) {
			t.Parallel()
			m := sample(rule, time.Unix(1700000000, 0))
			assert.True(t, rule.matches(m))
			for _, format := range []string{FormatJSON, FormatXML} {
				body, err := render(format, m)
				require.NoError(t, err)
				f := component.Message{Body: body}.Fields()
				assert.Equal(t, m.InfoType, f.Text("InfoType"))
				assert.Equal(t, m.MsgType, f.Text("MsgType"))
				assert.Equal(t, m.Event, f.Text("Event"))
				at, ok := f.Int("CreateTime")
				assert.True(t, ok)
				assert.EqualValues(t, 1700000000, at)
				assert.NotContains(t, string(body), "{appid}")
			}
		})
	}
}

// TestRestartedSessionsLoseNothing: every connection to the database breaks again and again.
func TestRestartedSessionsLoseNothing(t *testing.T) {
	t.Parallel()
	r := newReplica(t)
	shop := newTarget(t, status(http.StatusOK))
	r.to(t, shop.URL)
	r.start(t)
	const messages = 200
	for id := range int64(messages) {
		r.store(t, text(id+1, "wx1"))
		if id%50 == 25 {
			_, err := r.pool.Exec(context.Background(), `SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()`)
			require.NoError(t, err)
		}
	}
	eventually(t, "all are delivered", func() bool { return r.count(t, stateDelivered) == messages })
}

func TestStopWhileTheDatabaseIsAway(t *testing.T) {
	t.Parallel()
	r := newReplica(t, func(c *Config) { c.Drain = 50 * time.Millisecond })
	release := make(chan struct{})
	shop := newTarget(t, func(http.ResponseWriter, *http.Request) { <-release })
	t.Cleanup(sync.OnceFunc(func() { close(release) }))
	r.to(t, shop.URL)
	stop := r.start(t)
	r.store(t, text(1, "wx1"))
	eventually(t, "it is under way", func() bool { return len(shop.calls()) == 1 })
	r.pool.Close()
	began := time.Now()
	stop()
	assert.Less(t, time.Since(began), 15*time.Second)
}

func TestNewsReachPagesAndOtherReplicas(t *testing.T) {
	t.Parallel()
	one := newReplica(t)
	hub := live.NewHub(func(ctx context.Context) (*pgx.Conn, error) { return pgx.Connect(ctx, one.dbURL) }, one.log)
	two := replicaOn(t, one.dbURL, one.clock, one.box)
	two.deps.Hub = hub
	events, cancel := hub.Subscribe()
	t.Cleanup(cancel)
	ctx, stopHub := context.WithCancel(context.Background())
	done := make(chan struct{})
	go func() {
		defer close(done)
		assert.NoError(t, hub.Run(ctx))
	}()
	t.Cleanup(func() {
		stopHub()
		<-done
	})
	<-events // a resync: it listens
	two.start(t)
	_, err := two.currentRules(t.Context(), two.pool)
	require.NoError(t, err)
	shop := newTarget(t, status(http.StatusOK))
	one.to(t, shop.URL)
	require.Equal(t, ruleEvent, (<-events).Kind)
	eventually(t, "the other replica knows the rule", func() bool {
		rules, err := two.currentRules(context.Background(), two.pool)
		return err == nil && len(rules) == 1
	})
	two.store(t, text(9, "wx1"))
	assert.Equal(t, live.Event{Kind: "message", ID: "9", AppID: "wx1"}, <-events)
}

func TestDeadTargetIsCalledSparingly(t *testing.T) {
	t.Parallel()
	r := newReplica(t)
	dead := newTarget(t, status(http.StatusBadGateway))
	r.to(t, dead.URL)
	var batch []component.Message
	for id := range int64(2000) {
		batch = append(batch, text(id+1, "wx1"))
	}
	r.store(t, batch...)
	r.start(t)
	eventually(t, "the brake is on", func() bool { return len(dead.calls()) >= failuresBeforeBrake })
	began, before := time.Now(), len(dead.calls())
	time.Sleep(time.Second) // a rate is measured over time
	calls := len(dead.calls()) - before
	assert.LessOrEqual(t, calls, int(time.Since(began).Seconds()*brakedRate)+2*defaultConcurrency)
	assert.Greater(t, calls, brakedRate/10, "but it is called")
	dead.answer(status(http.StatusOK))
	eventually(t, "and gets the rest quickly when it is back", func() bool { return len(dead.calls()) > 1900 })
}
