package jobs_test

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/riverqueue/river"
	"github.com/stretchr/testify/require"

	"github.com/wxsteward/wxsteward/internal/jobs"
	"github.com/wxsteward/wxsteward/internal/postgres/postgrestest"
)

const wait = 30 * time.Second

type noteArgs struct {
	Text string `json:"text"`
}

func (noteArgs) Kind() string { return "note" }

// noteWorker passes every job to work.
type noteWorker struct {
	river.WorkerDefaults[noteArgs]
	work func(ctx context.Context, job *river.Job[noteArgs]) error
}

func (w *noteWorker) Work(ctx context.Context, job *river.Job[noteArgs]) error {
	return w.work(ctx, job)
}

// NextRetry is soon, tests are waiting.
func (w *noteWorker) NextRetry(*river.Job[noteArgs]) time.Time {
	return time.Now().Add(50 * time.Millisecond)
}

// log collects what a Runner logs.
type log struct {
	mu  sync.Mutex
	buf bytes.Buffer
}

func (l *log) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.buf.Write(p)
}

func (l *log) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.buf.String()
}

func newRunner(t *testing.T, pool *pgxpool.Pool, cfg jobs.Config, work func(context.Context, *river.Job[noteArgs]) error) *jobs.Runner {
	t.Helper()
	if cfg.Logger == nil {
		cfg.Logger = slog.New(slog.DiscardHandler)
	}
	r, err := jobs.New(pool, cfg)
	require.NoError(t, err)
	jobs.Add(r, &noteWorker{work: work})
	return r
}

func start(t *testing.T, r *jobs.Runner) {
	t.Helper()
	require.NoError(t, r.Start(t.Context()))
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), wait)
		defer cancel()
		if err := r.Stop(ctx); err != nil {
			t.Errorf("Stop: %v", err)
		}
	})
}

func insert(t *testing.T, pool *pgxpool.Pool, r *jobs.Runner, text string, opts *river.InsertOpts) {
	t.Helper()
	require.NoError(t, pgx.BeginFunc(t.Context(), pool, func(tx pgx.Tx) error {
		return r.InsertTx(t.Context(), tx, noteArgs{Text: text}, opts)
	}))
}

func receive[T any](t *testing.T, ch <-chan T) T {
	t.Helper()
	select {
	case v := <-ch:
		return v
	case <-time.After(wait):
		t.Fatal("nothing happened")
		panic("unreachable")
	}
}

// row is a job as it stands in the table.
type row struct {
	State   string
	Attempt int
	Errors  string
}

func jobRow(t *testing.T, pool *pgxpool.Pool, text string) row {
	t.Helper()
	rows, err := pool.Query(t.Context(), `SELECT state::text, attempt, coalesce(errors::text, '') FROM river_job WHERE args->>'text' = $1`, text)
	require.NoError(t, err)
	got, err := pgx.CollectExactlyOneRow(rows, pgx.RowToStructByPos[row])
	require.NoError(t, err)
	return got
}

// eventually waits for a state that another goroutine stores.
func eventually(t *testing.T, pool *pgxpool.Pool, text, state string) row {
	t.Helper()
	for deadline := time.Now().Add(wait); ; time.Sleep(20 * time.Millisecond) {
		got := jobRow(t, pool, text)
		if got.State == state {
			return got
		}
		if time.Now().After(deadline) {
			t.Fatalf("job is %s, not %s", got.State, state)
		}
	}
}

func TestInsertTx(t *testing.T) {
	t.Parallel()
	pool, worked := postgrestest.New(t), make(chan string, 10)
	r := newRunner(t, pool, jobs.Config{}, func(_ context.Context, job *river.Job[noteArgs]) error {
		worked <- job.Args.Text
		return nil
	})
	insert(t, pool, r, "before the start", nil)
	start(t, r)
	require.Equal(t, "before the start", receive(t, worked))

	rollback := errors.New("roll back")
	require.ErrorIs(t, pgx.BeginFunc(t.Context(), pool, func(tx pgx.Tx) error {
		require.NoError(t, r.InsertTx(t.Context(), tx, noteArgs{Text: "rolled back"}, nil))
		return rollback
	}), rollback)
	insert(t, pool, r, "committed", nil)
	require.Equal(t, "committed", receive(t, worked))
	var n int
	require.NoError(t, pool.QueryRow(t.Context(), `SELECT count(*) FROM river_job WHERE args->>'text' = 'rolled back'`).Scan(&n))
	require.Zero(t, n)
}

func TestJobBeginsAtOnce(t *testing.T) {
	t.Parallel()
	pool, worked := postgrestest.New(t), make(chan string, 1)
	r := newRunner(t, pool, jobs.Config{}, func(_ context.Context, job *river.Job[noteArgs]) error {
		worked <- job.Args.Text
		return nil
	})
	start(t, r)
	other := newRunner(t, pool, jobs.Config{}, nil) // another process inserts
	best := time.Hour
	for range 10 {
		began := time.Now()
		insert(t, pool, other, "now", nil)
		receive(t, worked)
		best = min(best, time.Since(began))
	}
	t.Logf("insert to work, best of 10: %s", best)
	require.Less(t, best, 500*time.Millisecond, "jobs wait for the poll")
}

func TestAddAfterStartPanics(t *testing.T) {
	t.Parallel()
	r := newRunner(t, postgrestest.New(t), jobs.Config{}, nil)
	start(t, r)
	require.Panics(t, func() { jobs.Add(r, &noteWorker{}) })
}

type strangeArgs struct{}

func (strangeArgs) Kind() string { return "strange" }

func TestJobWithoutWorkerIsRefused(t *testing.T) {
	t.Parallel()
	pool := postgrestest.New(t)
	r := newRunner(t, pool, jobs.Config{}, nil)
	err := pgx.BeginFunc(t.Context(), pool, func(tx pgx.Tx) error { return r.InsertTx(t.Context(), tx, strangeArgs{}, nil) })
	require.ErrorContains(t, err, "insert job strange")
}

func TestFailuresAreRepeatedAndLoggedOnce(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		fail func() error
		want string
	}{
		"an error": {func() error { return errors.New("WeChat is busy") }, "WeChat is busy"},
		"a panic":  {func() error { panic("index out of range") }, "panic: index out of range"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			pool, out := postgrestest.New(t), &log{}
			r := newRunner(t, pool, jobs.Config{Logger: slog.New(slog.NewJSONHandler(out, &slog.HandlerOptions{Level: slog.LevelDebug}))},
				func(_ context.Context, job *river.Job[noteArgs]) error {
					if job.Attempt == 1 {
						return tc.fail()
					}
					return nil
				})
			start(t, r)
			insert(t, pool, r, "x", nil)
			got := eventually(t, pool, "x", "completed")
			require.Equal(t, 2, got.Attempt)
			require.Contains(t, got.Errors, tc.want)
			require.Equal(t, 1, strings.Count(out.String(), tc.want), out.String())
			require.Contains(t, out.String(), `"msg":"job failed, will be repeated"`)
		})
	}
	t.Run("the last attempt", func(t *testing.T) {
		t.Parallel()
		pool, out := postgrestest.New(t), &log{}
		r := newRunner(t, pool, jobs.Config{Logger: slog.New(slog.NewJSONHandler(out, nil))},
			func(context.Context, *river.Job[noteArgs]) error { return errors.New("no") })
		start(t, r)
		insert(t, pool, r, "x", &river.InsertOpts{MaxAttempts: 2})
		eventually(t, pool, "x", "discarded")
		require.Contains(t, out.String(), `"level":"ERROR","msg":"job failed for good"`)
	})
}

func TestJobTimeout(t *testing.T) {
	t.Parallel()
	pool := postgrestest.New(t)
	r := newRunner(t, pool, jobs.Config{JobTimeout: 100 * time.Millisecond}, func(ctx context.Context, job *river.Job[noteArgs]) error {
		if job.Attempt == 1 {
			<-ctx.Done()
			return ctx.Err()
		}
		return nil
	})
	start(t, r)
	insert(t, pool, r, "x", nil)
	require.Contains(t, eventually(t, pool, "x", "completed").Errors, "deadline exceeded")
}

func TestStop(t *testing.T) {
	t.Parallel()
	t.Run("a job that ends in time is finished", func(t *testing.T) {
		t.Parallel()
		pool, begun, goOn := postgrestest.New(t), make(chan struct{}), make(chan struct{})
		r := newRunner(t, pool, jobs.Config{SoftStop: wait}, func(ctx context.Context, _ *river.Job[noteArgs]) error {
			close(begun)
			<-goOn
			return ctx.Err()
		})
		require.NoError(t, r.Start(t.Context()))
		insert(t, pool, r, "x", nil)
		receive(t, begun)
		insert(t, pool, r, "after", &river.InsertOpts{ScheduledAt: time.Now().Add(time.Hour)})
		time.AfterFunc(200*time.Millisecond, func() { close(goOn) })
		require.NoError(t, r.Stop(t.Context()))
		require.Equal(t, "completed", jobRow(t, pool, "x").State)
	})
	t.Run("a job that does not is handed back at once without cost, whatever its error, and worked by the next", func(t *testing.T) {
		t.Parallel()
		pool, begun := postgrestest.New(t), make(chan struct{})
		r := newRunner(t, pool, jobs.Config{SoftStop: 50 * time.Millisecond}, func(ctx context.Context, _ *river.Job[noteArgs]) error {
			close(begun)
			<-ctx.Done()
			return errors.New("an error that says nothing about the context")
		})
		require.NoError(t, r.Start(t.Context()))
		insert(t, pool, r, "x", &river.InsertOpts{MaxAttempts: 1})
		receive(t, begun)
		require.NoError(t, r.Stop(t.Context()))
		require.Equal(t, row{State: "available", Attempt: 0, Errors: ""}, jobRow(t, pool, "x"))

		worked := make(chan struct{})
		next := newRunner(t, pool, jobs.Config{}, func(context.Context, *river.Job[noteArgs]) error { close(worked); return nil })
		stopped := time.Now()
		start(t, next)
		receive(t, worked)
		require.Less(t, time.Since(stopped), 5*time.Second)
	})
	t.Run("a job that ignores its context is told of, and nobody else works it as long as it runs", func(t *testing.T) {
		t.Parallel()
		pool, begun, goOn := postgrestest.New(t), make(chan struct{}), make(chan struct{})
		r := newRunner(t, pool, jobs.Config{SoftStop: 50 * time.Millisecond}, func(context.Context, *river.Job[noteArgs]) error {
			close(begun)
			<-goOn
			return nil
		})
		require.NoError(t, r.Start(t.Context()))
		insert(t, pool, r, "x", nil)
		receive(t, begun)
		ctx, cancel := context.WithTimeout(t.Context(), 300*time.Millisecond)
		defer cancel()
		require.ErrorIs(t, r.Stop(ctx), context.DeadlineExceeded)
		other := newRunner(t, pool, jobs.Config{}, func(context.Context, *river.Job[noteArgs]) error { t.Error("worked twice"); return nil })
		start(t, other)
		time.Sleep(3 * time.Second) // longer than a dead process's job waits
		close(goOn)
		eventually(t, pool, "x", "completed")
		require.NoError(t, r.Stop(t.Context()))
	})
	t.Run("without a start it does nothing", func(t *testing.T) {
		t.Parallel()
		require.NoError(t, newRunner(t, postgrestest.New(t), jobs.Config{}, nil).Stop(t.Context()))
	})
	t.Run("the end of Start's context stops nothing", func(t *testing.T) {
		t.Parallel()
		pool, worked := postgrestest.New(t), make(chan struct{})
		r := newRunner(t, pool, jobs.Config{}, func(context.Context, *river.Job[noteArgs]) error { close(worked); return nil })
		ctx, cancel := context.WithCancel(t.Context())
		require.NoError(t, r.Start(ctx))
		cancel()
		insert(t, pool, r, "x", nil)
		receive(t, worked)
		require.NoError(t, r.Stop(t.Context()))
	})
}
