package component

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/wxsteward/wxsteward/internal/localpg"
)

// forwarder notes what it is told and answers what the test says.
type forwarder struct {
	mu     sync.Mutex
	stored map[int64]int
	relays int

	refuse     func(m Message) error
	relay      func(ctx context.Context, m Message) ([]byte, bool)
	redeliver  []int64
	following  Following
	deliveries map[int64][]DeliverySummary
}

func (f *forwarder) Stored(_ context.Context, _ pgx.Tx, messages []Message) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, m := range messages {
		if f.refuse != nil {
			if err := f.refuse(m); err != nil {
				return err
			}
		}
	}
	if f.stored == nil {
		f.stored = map[int64]int{}
	}
	for _, m := range messages {
		f.stored[m.ID]++
	}
	return nil
}

func (f *forwarder) Relay(ctx context.Context, m Message, answerBy time.Time) ([]byte, bool) {
	ctx, cancel := context.WithDeadline(ctx, answerBy)
	defer cancel()
	f.mu.Lock()
	f.relays++
	f.mu.Unlock()
	if f.relay == nil {
		return nil, false
	}
	return f.relay(ctx, m)
}

func (f *forwarder) Follow([]Message, [][]byte) (Following, bool) {
	return f.following, len(f.following.Clauses) > 0
}

func (f *forwarder) Followed([]Message) {}

func (f *forwarder) DeliveriesOf(context.Context, []int64) (map[int64][]DeliverySummary, error) {
	return f.deliveries, nil
}

func (f *forwarder) Redeliver(_ context.Context, id int64) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.redeliver = append(f.redeliver, id)
	return nil
}

// plainPush is a push of 微信云托管; status 0: no answer.
func plainPush(ctx context.Context, base, appid, msgID string) (status int) {
	body := `{"ToUserName":"gh_1","FromUserName":"user1","CreateTime":1413192605,"MsgType":"text","Content":"hi","MsgId":` + msgID + `}`
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, base+"/wxcallback/biz/"+appid, strings.NewReader(body))
	if err != nil {
		return 0
	}
	r.Header.Set("X-Wx-Source", "x")
	res, err := http.DefaultClient.Do(r)
	if err != nil {
		return 0
	}
	defer func() { _ = res.Body.Close() }()
	if _, err = io.Copy(io.Discard, res.Body); err != nil {
		return 0
	}
	return res.StatusCode
}

// TestCopiesAtTwoReplicas pushes three copies of a thousand messages at once to two replicas.
func TestCopiesAtTwoReplicas(t *testing.T) {
	t.Parallel()
	p := newPlatform(t, cloudrun)
	other := platformOn(t, p.dbURL, cloudrun)
	heard := &listener{}
	forwarded := []*forwarder{{}, {}}
	for i, replica := range []*platform{p, other} {
		replica.Handle(heard)
		replica.Forward(forwarded[i])
		replica.work(t)
	}
	const count = 1000
	var group sync.WaitGroup
	limit := make(chan struct{}, 60)
	for i := range count {
		for n := range 3 {
			base := []string{p.server.URL, other.server.URL, p.server.URL}[(i+n)%3]
			limit <- struct{}{}
			group.Go(func() {
				defer func() { <-limit }()
				assert.Equal(t, http.StatusOK, plainPush(t.Context(), base, "wxm1", strconv.Itoa(i+1)))
			})
		}
	}
	group.Wait()
	messages, queued := p.stock(t)
	assert.Equal(t, count, messages)
	assert.Equal(t, count, queued)
	eventually(t, "all are handled", func() bool {
		var handled int
		require.NoError(t, p.pool.QueryRow(t.Context(), `SELECT count(*) FROM message WHERE state = 'handled'`).Scan(&handled))
		return handled == count
	})
	assert.Equal(t, count, heard.count())
	assert.Len(t, forwarded[0].stored, count-len(forwarded[1].stored), "each message is delivered by one replica")
	for _, f := range forwarded {
		for id, n := range f.stored {
			assert.Equal(t, 1, n, id)
		}
	}
}

// TestManyShareACommit holds the first commit back: what comes meanwhile is stored together.
func TestManyShareACommit(t *testing.T) {
	t.Parallel()
	p := newPlatform(t, cloudrun)
	require.NoError(t, p.makeRoom(t.Context()))
	blocker, err := p.pool.Begin(t.Context())
	require.NoError(t, err)
	_, err = blocker.Exec(t.Context(), `LOCK message_dedupe IN EXCLUSIVE MODE`)
	require.NoError(t, err)
	const count = 50
	var group sync.WaitGroup
	for i := range count {
		group.Go(func() {
			assert.Equal(t, http.StatusOK, plainPush(t.Context(), p.server.URL, "wxm1", strconv.Itoa(i+1)))
		})
	}
	eventually(t, "the others wait", func() bool {
		p.mailbox.mu.Lock()
		defer p.mailbox.mu.Unlock()
		return len(p.mailbox.waiting) >= count-10
	})
	require.NoError(t, blocker.Rollback(t.Context()))
	group.Wait()
	var transactions int
	require.NoError(t, p.pool.QueryRow(t.Context(), `SELECT count(DISTINCT xmin::text) FROM message`).Scan(&transactions))
	assert.LessOrEqual(t, transactions, 12)
}

func TestOneBadMessageFailsNoOther(t *testing.T) {
	t.Parallel()
	p := newPlatform(t, cloudrun)
	p.Forward(&forwarder{refuse: func(m Message) error {
		if m.MsgID == "13" {
			return errors.New("no")
		}
		return nil
	}})
	var batch []*waiting
	for n := range 20 {
		text := fmt.Sprintf(`{"MsgType":"text","MsgId":%d}`, n+1)
		f, err := parseFields(text)
		require.NoError(t, err)
		in, err := p.newIncoming(ChannelBiz, "wxm1", authentic{plaintext: []byte(text), text: text, fields: f})
		require.NoError(t, err)
		batch = append(batch, newWaiting(in))
	}
	twin := newWaiting(batch[0].incoming)
	batch = append(batch, twin)
	require.NoError(t, p.storeBatch(t.Context(), slices.Clone(batch)))
	for n, w := range batch {
		<-w.done
		assert.Equal(t, n != 12, w.outcome.err == nil, n)
		if n > 0 && n < 20 {
			assert.Equal(t, n != 12, w.outcome.isNew, n)
		}
	}
	assert.NotEqual(t, batch[0].outcome.isNew, twin.outcome.isNew, "one of two copies is new")
	messages, _ := p.stock(t)
	assert.Equal(t, 19, messages)
}

func TestFullMailboxRefuses(t *testing.T) {
	t.Parallel()
	s := New(Config{}, Deps{})
	s.mailbox.waiting, s.mailbox.commits = make([]*waiting, mostWaiting), commitsAtOnce
	_, _, err := s.store(t.Context(), incoming{})
	require.ErrorIs(t, err, errBusy)
	s.mailbox.waiting, s.mailbox.bytes = nil, mostBytesWaiting
	_, _, err = s.store(t.Context(), incoming{maskedBody: "x"})
	require.ErrorIs(t, err, errBusy)
}

// TestDatabaseStoppedUnderLoad stops PostgreSQL while pushes come: each that was answered 200 is stored, the others were
// answered 503 in time.
func TestDatabaseStoppedUnderLoad(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	database, err := localpg.Start(t.Context(), localpg.Config{DataDir: dir})
	require.NoError(t, err)
	migrate(t, database.URL())
	p := platformOn(t, database.URL(), cloudrun)
	stored := load(t, p.server.URL, func(answers *[600]atomic.Int64) {
		for answers[200].Load() < 200 {
			time.Sleep(time.Millisecond) // the load's own pace
		}
		require.NoError(t, database.Stop(t.Context()))
		for before := answers[503].Load(); answers[503].Load() < before+200; {
			time.Sleep(time.Millisecond)
		}
		database, err = localpg.Start(t.Context(), localpg.Config{DataDir: dir})
		require.NoError(t, err)
		for before := answers[200].Load(); answers[200].Load() < before+200; {
			time.Sleep(time.Millisecond)
		}
	})
	t.Cleanup(func() { require.NoError(t, database.Stop(context.Background())) })
	assertStored(t, p, stored)
}

// load pushes from many connections while during runs, and gives the ids that were answered 200.
func load(t *testing.T, base string, during func(answers *[600]atomic.Int64)) (accepted []string) {
	t.Helper()
	var (
		group   sync.WaitGroup
		mu      sync.Mutex
		answers [600]atomic.Int64
		next    atomic.Int64
		over    atomic.Bool
	)
	for range 16 {
		group.Go(func() {
			for !over.Load() {
				id := strconv.FormatInt(next.Add(1), 10)
				began := time.Now()
				status := plainPush(t.Context(), base, "wxm1", id)
				assert.Less(t, time.Since(began), 5*time.Second, "WeChat does not wait longer")
				answers[status].Add(1)
				switch status {
				case http.StatusOK:
					mu.Lock()
					accepted = append(accepted, id)
					mu.Unlock()
				case 0: // the process is gone
					time.Sleep(10 * time.Millisecond)
				default:
					assert.Equal(t, http.StatusServiceUnavailable, status)
				}
			}
		})
	}
	during(&answers)
	over.Store(true)
	group.Wait()
	t.Logf("200: %d, 503: %d, no answer: %d", answers[200].Load(), answers[503].Load(), answers[0].Load())
	return accepted
}

func assertStored(t *testing.T, p *platform, ids []string) {
	t.Helper()
	var found, messages, queued, keys int
	require.NoError(t, p.pool.QueryRow(t.Context(), `SELECT count(DISTINCT msg_id) FROM message WHERE msg_id = ANY($1)`, ids).Scan(&found))
	assert.Len(t, ids, found, "each 200 is stored")
	messages, queued = p.stock(t)
	assert.Equal(t, messages, queued, "each message has its job")
	require.NoError(t, p.pool.QueryRow(t.Context(), `SELECT count(*) FROM message_dedupe`).Scan(&keys))
	assert.Equal(t, messages, keys)
}

// childURL makes the test binary a process that takes pushes until it is killed.
const childURL = "WXSTEWARD_TEST_CHILD"

func TestChildTakesPushes(t *testing.T) { //nolint:paralleltest // a process of its own
	dbURL := os.Getenv(childURL)
	if dbURL == "" {
		t.Skip("is run by TestKilledUnderLoad")
	}
	p := platformOn(t, dbURL, cloudrun)
	fmt.Printf("at %s\n", p.server.URL)
	<-t.Context().Done()
	select {}
}

// TestKilledUnderLoad kills the process (SIGKILL) while pushes come: each that was answered 200 is stored with its job.
func TestKilledUnderLoad(t *testing.T) {
	t.Parallel()
	p := newPlatform(t, cloudrun)
	self, err := os.Executable()
	require.NoError(t, err)
	cmd := exec.CommandContext(t.Context(), self, "-test.run", "^TestChildTakesPushes$", "-test.timeout", "2m") //nolint:gosec // this very binary
	cmd.Env = append(os.Environ(), childURL+"="+p.dbURL)
	out, in := io.Pipe()
	cmd.Stdout, cmd.Stderr = in, io.Discard
	require.NoError(t, cmd.Start())
	var base string
	_, err = fmt.Fscanf(out, "at %s\n", &base)
	require.NoError(t, err)
	go func() { _, _ = io.Copy(&bytes.Buffer{}, out) }()
	accepted := load(t, base, func(answers *[600]atomic.Int64) {
		for answers[200].Load() < 500 {
			time.Sleep(time.Millisecond)
		}
		require.NoError(t, cmd.Process.Kill())
		_ = cmd.Wait()
	})
	assertStored(t, p, accepted)
}
