package component

import (
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// texts are messages on their way that need no job, with these MsgIds.
func texts(t *testing.T, p *platform, ids ...int) (list []*waiting) {
	t.Helper()
	for _, id := range ids {
		text := fmt.Sprintf(`{"MsgType":"text","FromUserName":"u","CreateTime":1413192605,"Content":"hi","MsgId":%d}`, id)
		f, err := parseFields(text)
		require.NoError(t, err)
		in, err := p.newIncoming(ChannelBiz, "wxm1", authentic{plaintext: []byte(text), text: text, fields: f})
		require.NoError(t, err)
		require.Equal(t, StateHandled, in.State)
		list = append(list, newWaiting(in))
	}
	return list
}

// TestRepeatAmongNewMessages: one that is there already keeps no other from being stored, and for a while repeats are expected.
func TestRepeatAmongNewMessages(t *testing.T) {
	t.Parallel()
	p := newPlatform(t, cloudrun)
	p.handlers = nil // so that no message makes a job
	for name, batches := range map[string][][]int{
		"many and one of them": {{1, 2, 3}, {4, 2, 5, 6}},
		"alone":                {{11}, {11}},
		"alone among many":     {{21}, {20, 21, 22}},
		"all":                  {{31, 32}, {32, 31}},
	} {
		p.newcomers.doubtedUntil = time.Time{}
		known := map[int]int64{}
		for i, ids := range batches {
			batch := texts(t, p, ids...)
			require.NoError(t, p.storeBatch(t.Context(), slices.Clone(batch)))
			for n, w := range batch {
				require.NoError(t, w.outcome.err, name)
				_, there := known[ids[n]]
				require.Equal(t, !there, w.outcome.isNew, "%s: %d", name, ids[n])
				if !there {
					known[ids[n]] = w.outcome.id
				}
			}
			require.Equal(t, i == 0, p.newcomers.believed(p.clock.Now()), name)
		}
		for msgID, id := range known {
			var state string
			var receivedAt time.Time
			err := p.pool.QueryRow(t.Context(), `SELECT state, received_at FROM message WHERE id = $1 AND msg_id = $2 AND handled_at = received_at`,
				id, strconv.Itoa(msgID)).Scan(&state, &receivedAt)
			require.NoError(t, err, name)
			require.Equal(t, StateHandled, state)
			require.Equal(t, receivedAt.UnixMilli(), id>>numberBits)
		}
	}
	require.False(t, p.newcomers.believed(p.clock.Now().Add(doubtFor-1)))
	require.True(t, p.newcomers.believed(p.clock.Now().Add(doubtFor)))
	var messages, keys int
	require.NoError(t, p.pool.QueryRow(t.Context(), `SELECT (SELECT count(*) FROM message), (SELECT count(*) FROM message_dedupe)`).Scan(&messages, &keys))
	require.Equal(t, 12, messages)
	require.Equal(t, messages, keys)
}

// TestCopiesThatNeedNoJob pushes three copies of messages at once to two replicas, both of which believe them new.
func TestCopiesThatNeedNoJob(t *testing.T) {
	t.Parallel()
	p := newPlatform(t, cloudrun)
	p.handlers = nil // so that no message makes a job
	other := platformOn(t, p.dbURL, cloudrun)
	other.handlers = nil
	const count = 300
	var group sync.WaitGroup
	limit := make(chan struct{}, 60)
	for i := range count {
		for n, base := range []string{p.server.URL, other.server.URL, p.server.URL} {
			if n == 0 { // as if no repeat had come yet
				for _, replica := range []*platform{p, other} {
					replica.newcomers.mu.Lock()
					replica.newcomers.doubtedUntil = time.Time{}
					replica.newcomers.mu.Unlock()
				}
			}
			limit <- struct{}{}
			group.Go(func() {
				defer func() { <-limit }()
				assert.Equal(t, http.StatusOK, plainPush(t.Context(), base, "wxm1", strconv.Itoa(i+1)))
			})
		}
	}
	group.Wait()
	var messages, different, keys int
	require.NoError(t, p.pool.QueryRow(t.Context(), `SELECT count(*), count(DISTINCT msg_id), (SELECT count(*) FROM message_dedupe) FROM message`).Scan(&messages, &different, &keys))
	require.Equal(t, []int{count, count, count}, []int{messages, different, keys})
}

// TestIDThatIsTaken: a message whose number is another's of the same millisecond gets another one.
func TestIDThatIsTaken(t *testing.T) {
	t.Parallel()
	p := newPlatform(t, cloudrun)
	p.handlers = nil // so that no message makes a job
	batch := texts(t, p, 1, 2)
	batch[1].ReceivedAt = batch[0].ReceivedAt
	require.NoError(t, p.storeBatch(t.Context(), batch[:1:1]))
	p.newcomers.numbers = []int64{batch[0].outcome.id & (1<<numberBits - 1)}
	require.NoError(t, p.storeBatch(t.Context(), batch[1:]))
	require.NoError(t, batch[1].outcome.err)
	require.True(t, batch[1].outcome.isNew)
	require.NotEqual(t, batch[0].outcome.id, batch[1].outcome.id)
}

// TestNumbersAreGivenOnce: at two replicas, to many at once.
func TestNumbersAreGivenOnce(t *testing.T) {
	t.Parallel()
	p := newPlatform(t, cloudrun)
	p.handlers = nil // so that no message makes a job
	var mu sync.Mutex
	given := map[int64]bool{}
	var replicas [2]newcomers
	var group sync.WaitGroup
	for i := range 16 {
		group.Go(func() {
			for n := range 40 {
				list, err := replicas[i%2].take(t.Context(), p.pool, n*n)
				assert.NoError(t, err)
				assert.Len(t, list, n*n)
				mu.Lock()
				for _, number := range list {
					assert.False(t, given[number])
					given[number] = true
				}
				mu.Unlock()
			}
		})
	}
	group.Wait()
}
