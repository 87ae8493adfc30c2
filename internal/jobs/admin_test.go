package jobs_test

import (
	"context"
	"errors"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/riverqueue/river"
	"github.com/stretchr/testify/require"

	"github.com/wxsteward/wxsteward/internal/fault"
	"github.com/wxsteward/wxsteward/internal/jobs"
	"github.com/wxsteward/wxsteward/internal/postgres/postgrestest"
)

func requireKind(t *testing.T, err error, kind fault.Kind) {
	t.Helper()
	fe, ok := errors.AsType[*fault.Error](err)
	require.True(t, ok, "%v", err)
	require.Equal(t, kind, fe.Kind)
}

func TestJobsAreListedRetriedAndDiscarded(t *testing.T) {
	t.Parallel()
	pool := postgrestest.New(t)
	var broken atomic.Bool
	broken.Store(true)
	held, release := make(chan struct{}), make(chan struct{})
	r := newRunner(t, pool, jobs.Config{}, func(_ context.Context, job *river.Job[noteArgs]) error {
		switch {
		case job.Args.Text == "held":
			close(held)
			<-release
		case broken.Load():
			return errors.New("no luck")
		}
		return nil
	})
	insert := func(text string, opts *river.InsertOpts) {
		require.NoError(t, pgx.BeginFunc(t.Context(), pool, func(tx pgx.Tx) error {
			return r.InsertTx(t.Context(), tx, noteArgs{Text: text}, opts)
		}))
	}
	insert("fails", &river.InsertOpts{MaxAttempts: 1})
	insert("later", &river.InsertOpts{ScheduledAt: time.Now().Add(time.Hour)})
	insert("held", nil)
	start(t, r)
	<-held
	find := func(f jobs.Filter) []jobs.Job {
		f.Limit = 10
		list, err := r.Jobs(t.Context(), f)
		require.NoError(t, err)
		return list
	}
	state := func(text string) func(string) bool {
		return func(want string) bool {
			for _, j := range find(jobs.Filter{Kind: "note", State: want}) {
				if string(j.Args) == `{"text": "`+text+`"}` {
					return true
				}
			}
			return false
		}
	}
	require.Eventually(t, func() bool { return state("fails")("discarded") }, wait, 10*time.Millisecond)
	all := find(jobs.Filter{})
	require.Len(t, all, 3)
	require.Greater(t, all[0].ID, all[1].ID, "newest first")
	require.Len(t, find(jobs.Filter{Before: all[1].ID}), 1)
	require.Empty(t, find(jobs.Filter{Queue: "another"}))
	failed := find(jobs.Filter{State: "discarded"})[0]
	require.Equal(t, "no luck", failed.Error)
	require.NotEmpty(t, failed.Worker)
	queues, err := r.Queues(t.Context())
	require.NoError(t, err)
	require.Equal(t, []jobs.QueueCount{{Queue: "default", Running: 1, Scheduled: 1, Discarded: 1}}, queues)

	held2 := find(jobs.Filter{State: "running"})[0]
	_, err = r.Retry(t.Context(), held2.ID)
	requireKind(t, err, fault.Conflict)
	_, err = r.Discard(t.Context(), held2.ID)
	requireKind(t, err, fault.Conflict)
	for _, act := range []func(context.Context, int64) (jobs.Job, error){r.Retry, r.Discard} {
		_, err = act(t.Context(), 1<<40)
		requireKind(t, err, fault.NotFound)
	}

	later := find(jobs.Filter{State: "scheduled"})[0]
	j, err := r.Discard(t.Context(), later.ID)
	require.NoError(t, err)
	require.Equal(t, "discarded", j.State)
	_, err = r.Discard(t.Context(), later.ID)
	requireKind(t, err, fault.Conflict)

	broken.Store(false)
	for _, id := range []int64{failed.ID, later.ID} {
		_, err = r.Retry(t.Context(), id)
		require.NoError(t, err)
	}
	require.Eventually(t, func() bool { return state("fails")("completed") && state("later")("completed") }, wait, 10*time.Millisecond)
	_, err = r.Retry(t.Context(), failed.ID)
	requireKind(t, err, fault.Conflict)
	close(release)
	require.Eventually(t, func() bool { n, err := r.Due(t.Context()); return err == nil && n == 0 }, wait, 10*time.Millisecond)
}

// TestCatchUp: schedules whose time came while nobody ran are worked once, however many ask, and no others.
func TestCatchUp(t *testing.T) {
	t.Parallel()
	url := postgrestest.URL(t)
	pool := postgrestest.Open(t, url)
	runners := make([]*jobs.Runner, 2)
	for i := range runners {
		runners[i] = newRunner(t, postgrestest.Open(t, url), jobs.Config{}, nil)
		require.NoError(t, runners[i].Schedule("yearly", "0 0 1 1 *", func() river.JobArgs { return noteArgs{Text: "yearly"} }))
		require.NoError(t, runners[i].Schedule("nothing", "@every 1s", func() river.JobArgs { return nil }))
	}
	catchUp := func() int64 {
		var sum atomic.Int64
		var group sync.WaitGroup
		for i := range 10 {
			group.Go(func() {
				n, err := runners[i%2].CatchUp(t.Context())
				if err != nil {
					t.Error(err)
				}
				sum.Add(int64(n))
			})
		}
		group.Wait()
		return sum.Load()
	}
	require.EqualValues(t, 1, catchUp(), "never worked yet")
	require.Zero(t, catchUp(), "its time has not come again")
	_, err := pool.Exec(t.Context(), `UPDATE river_job SET created_at = created_at - interval '400 days', state = 'completed', finalized_at = now()`)
	require.NoError(t, err)
	require.EqualValues(t, 1, catchUp())
	n, err := runners[0].Due(t.Context())
	require.NoError(t, err)
	require.EqualValues(t, 1, n)
}
