package jobs_test

import (
	"bufio"
	"context"
	"errors"
	"io"
	"log/slog"
	"os"
	"os/exec"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/riverqueue/river"
	"github.com/stretchr/testify/require"

	"github.com/wxsteward/wxsteward/internal/jobs"
	"github.com/wxsteward/wxsteward/internal/localpg"
	"github.com/wxsteward/wxsteward/internal/postgres/postgrestest"
	"github.com/wxsteward/wxsteward/migrations"
)

const childURL = "JOBS_TEST_CHILD_DATABASE_URL"

// TestChild is not a test: it is the process that the crash tests kill. It works jobs and never finishes one.
func TestChild(t *testing.T) {
	url := os.Getenv(childURL)
	if url == "" {
		t.Skip("only as a child")
	}
	pool, err := pgxpool.New(t.Context(), url)
	require.NoError(t, err)
	r := newRunner(t, pool, jobs.Config{MaxWorkers: 1}, func(context.Context, *river.Job[noteArgs]) error {
		_, _ = os.Stdout.WriteString("working\n")
		select {}
	})
	require.NoError(t, r.Schedule("leader", "@every 1s", func() river.JobArgs { return nil }))
	require.NoError(t, r.Start(t.Context()))
	select {}
}

// child starts a process that works a job, and waits until it does.
func child(t *testing.T, url string) *exec.Cmd {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), os.Args[0], "-test.run=^TestChild$", "-test.timeout=60s") //nolint:gosec // this binary
	cmd.Env = append(os.Environ(), childURL+"="+url)
	cmd.Stderr = os.Stderr
	stdout, err := cmd.StdoutPipe()
	require.NoError(t, err)
	require.NoError(t, cmd.Start())
	t.Cleanup(func() {
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
	})
	line, err := bufio.NewReader(stdout).ReadString('\n')
	require.NoError(t, err)
	require.Equal(t, "working\n", line)
	go func() { _, _ = io.Copy(io.Discard, stdout) }()
	return cmd
}

func kill(t *testing.T, cmd *exec.Cmd) {
	t.Helper()
	require.NoError(t, cmd.Process.Kill())
	_ = cmd.Wait()
}

func TestJobOfAKilledProcess(t *testing.T) {
	t.Parallel()
	quick := func(worked chan<- time.Time) func(context.Context, *river.Job[noteArgs]) error {
		return func(context.Context, *river.Job[noteArgs]) error {
			worked <- time.Now()
			return nil
		}
	}
	t.Run("is worked by the next process that starts, within two seconds", func(t *testing.T) {
		t.Parallel()
		url := postgrestest.URL(t)
		pool, worked := postgrestest.Open(t, url), make(chan time.Time, 10)
		r := newRunner(t, pool, jobs.Config{}, quick(worked))
		insert(t, pool, r, "x", nil)
		kill(t, child(t, url))
		require.Equal(t, "running", jobRow(t, pool, "x").State)
		began := time.Now()
		start(t, r)
		delay := receive(t, worked).Sub(began)
		t.Logf("worked %s after the start", delay)
		require.Less(t, delay, 5*time.Second) // 1.5 s on an idle machine
		got := eventually(t, pool, "x", "completed")
		require.Equal(t, 2, got.Attempt, "the end of the process costs an attempt")
		require.Contains(t, got.Errors, "the process that worked this job ended")
	})
	t.Run("is worked by a replica that goes on", func(t *testing.T) {
		t.Parallel()
		url := postgrestest.URL(t)
		pool, worked := postgrestest.Open(t, url), make(chan time.Time, 10)
		r := newRunner(t, pool, jobs.Config{}, quick(worked))
		insert(t, pool, r, "x", nil)
		cmd := child(t, url)
		start(t, r)
		insert(t, pool, r, "y", nil) // the replica works, and
		receive(t, worked)
		time.Sleep(3 * time.Second)
		require.Equal(t, row{State: "running", Attempt: 1}, jobRow(t, pool, "x"), "the job of a living process was taken away")
		kill(t, cmd)
		killed := time.Now()
		delay := receive(t, worked).Sub(killed)
		t.Logf("worked %s after the end", delay)
		require.Less(t, delay, 5*time.Second)
	})
	t.Run("is discarded if that was its last attempt", func(t *testing.T) {
		t.Parallel()
		url := postgrestest.URL(t)
		pool, worked := postgrestest.Open(t, url), make(chan time.Time, 10)
		r := newRunner(t, pool, jobs.Config{}, quick(worked))
		insert(t, pool, r, "x", &river.InsertOpts{MaxAttempts: 1})
		kill(t, child(t, url))
		start(t, r)
		eventually(t, pool, "x", "discarded")
		require.Empty(t, worked)
	})
	t.Run("does not leave a dead leader behind", func(t *testing.T) {
		t.Parallel()
		url := postgrestest.URL(t)
		pool, worked := postgrestest.Open(t, url), make(chan time.Time, 10)
		r := newRunner(t, pool, jobs.Config{}, quick(worked))
		insert(t, pool, r, "x", nil)
		cmd := child(t, url)
		leader := func() (id string) {
			err := pool.QueryRow(t.Context(), `SELECT leader_id FROM river_leader`).Scan(&id)
			if err != nil {
				require.ErrorIs(t, err, pgx.ErrNoRows)
			}
			return id
		}
		for deadline := time.Now().Add(wait); leader() == "" && time.Now().Before(deadline); {
			time.Sleep(20 * time.Millisecond)
		}
		dead := leader()
		require.NotEmpty(t, dead)
		kill(t, cmd)
		began := time.Now()
		start(t, r)
		for deadline := time.Now().Add(wait); (leader() == "" || leader() == dead) && time.Now().Before(deadline); {
			time.Sleep(20 * time.Millisecond)
		}
		t.Logf("a new leader %s after the start", time.Since(began))
		require.NotEqual(t, dead, leader())
		require.Less(t, time.Since(began), 5*time.Second)
	})
}

// endLease breaks the connection that proves the Runner on the pool named app alive; Runners hold advisory locks on no other.
func endLease(t *testing.T, pool *pgxpool.Pool, app string) {
	t.Helper()
	const q = `SELECT count(*) FROM (SELECT pg_terminate_backend(pid) FROM (SELECT DISTINCT pid FROM pg_locks JOIN pg_stat_activity USING (pid)
		WHERE locktype = 'advisory' AND objsubid = 1 AND application_name = $1 AND datname = current_database()) p) x`
	var n int
	require.NoError(t, pool.QueryRow(t.Context(), q, app).Scan(&n))
	require.Equal(t, 1, n)
}

// named is a pool whose connections can be told apart and are all open, so that it goes on when nobody gets in.
func named(t *testing.T, url, app string) *pgxpool.Pool {
	t.Helper()
	config, err := pgxpool.ParseConfig(url)
	require.NoError(t, err)
	config.ConnConfig.RuntimeParams["application_name"] = app
	config.MaxConns = 12
	pool, err := pgxpool.NewWithConfig(t.Context(), config)
	require.NoError(t, err)
	t.Cleanup(pool.Close)
	for range config.MaxConns {
		conn, err := pool.Acquire(t.Context())
		require.NoError(t, err)
		defer conn.Release()
	}
	return pool
}

func TestLease(t *testing.T) {
	t.Parallel()
	t.Run("a lost lease comes back before anybody takes the jobs", func(t *testing.T) {
		t.Parallel()
		url := postgrestest.URL(t)
		pool, begun, goOn := named(t, url, "a"), make(chan struct{}, 10), make(chan struct{})
		r := newRunner(t, pool, jobs.Config{}, func(ctx context.Context, _ *river.Job[noteArgs]) error {
			begun <- struct{}{}
			select {
			case <-goOn:
			case <-ctx.Done():
			}
			return ctx.Err()
		})
		start(t, r)
		insert(t, pool, r, "x", nil)
		receive(t, begun)
		start(t, newRunner(t, named(t, url, "b"), jobs.Config{}, func(context.Context, *river.Job[noteArgs]) error {
			t.Error("worked by another")
			return nil
		}))
		for range 6 {
			endLease(t, pool, "a")
			time.Sleep(500 * time.Millisecond)
		}
		close(goOn)
		require.Equal(t, 1, eventually(t, pool, "x", "completed").Attempt)
		require.Empty(t, begun)
	})
	t.Run("a Runner that cannot get it back cancels its jobs before another works them", func(t *testing.T) {
		t.Parallel()
		url := postgrestest.URL(t)
		poolA, poolB := named(t, url, "a"), named(t, url, "b")
		begun, ended, again := make(chan struct{}, 9), make(chan time.Time, 9), make(chan time.Time, 9) // tries may be several
		a := newRunner(t, poolA, jobs.Config{}, func(ctx context.Context, _ *river.Job[noteArgs]) error {
			begun <- struct{}{}
			<-ctx.Done()
			ended <- time.Now()
			return ctx.Err()
		})
		start(t, a)
		insert(t, poolA, a, "x", nil)
		receive(t, begun)
		start(t, newRunner(t, poolB, jobs.Config{}, func(context.Context, *river.Job[noteArgs]) error {
			again <- time.Now()
			return nil
		}))

		// Nobody gets in any more; B goes on with the connections it has.
		var database string
		require.NoError(t, poolB.QueryRow(t.Context(), `SELECT current_database()`).Scan(&database))
		config := poolB.Config().ConnConfig
		config.Database = "postgres"
		admin, err := pgx.ConnectConfig(t.Context(), config)
		require.NoError(t, err)
		defer func() { _ = admin.Close(context.Background()) }()
		allow := func(yes string) {
			_, err := admin.Exec(context.Background(), `ALTER DATABASE `+database+` ALLOW_CONNECTIONS `+yes)
			require.NoError(t, err)
		}
		allow("false")
		defer allow("true")
		endLease(t, poolB, "a")
		cancelled := receive(t, ended)
		require.NoError(t, a.Stop(t.Context())) // it would go on asking for the job, and could win each time
		worked := receive(t, again)
		require.True(t, cancelled.Before(worked), "%s, %s", cancelled, worked)
		require.NotContains(t, jobRow(t, poolB, "x").Errors, "canceled", "the lease's loss is not the job's fault")
	})
}

func TestJobThatIsOursOnlyInTheDatabaseIsWorkedAgain(t *testing.T) {
	t.Parallel()
	pool, worked := postgrestest.New(t), make(chan int, 10)
	r := newRunner(t, pool, jobs.Config{}, func(_ context.Context, job *river.Job[noteArgs]) error {
		worked <- job.Attempt
		return nil
	})
	start(t, r)
	insert(t, pool, r, "x", nil)
	receive(t, worked)
	eventually(t, pool, "x", "completed")
	// As it stands when its end could not be stored, or when the answer to taking it was lost.
	_, err := pool.Exec(t.Context(), `UPDATE river_job SET state = 'running', finalized_at = NULL`)
	require.NoError(t, err)
	require.Equal(t, 2, receive(t, worked))
	eventually(t, pool, "x", "completed")
}

func TestDatabaseRestart(t *testing.T) {
	t.Parallel()
	if testing.Short() {
		t.Skip("starts a PostgreSQL of its own")
	}
	for name, away := range map[string]time.Duration{"for a moment": 0, "longer than River tries to store an outcome": 12 * time.Second} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			ctx, logger := t.Context(), slog.New(slog.DiscardHandler)
			dir, err := os.MkdirTemp("", "pg") //nolint:usetesting // a short path gives the server the same address again
			require.NoError(t, err)
			t.Cleanup(func() { _ = os.RemoveAll(dir) })
			config := localpg.Config{DataDir: dir, Fast: true}
			server, err := localpg.Start(ctx, config)
			require.NoError(t, err)
			pool := postgrestest.Open(t, server.URL())
			require.NoError(t, migrations.Up(ctx, pool, logger))

			begun, goOn := make(chan int, 10), make(chan struct{})
			r := newRunner(t, pool, jobs.Config{}, func(_ context.Context, job *river.Job[noteArgs]) error {
				begun <- job.Attempt
				if job.Attempt == 1 {
					<-goOn
				}
				return nil
			})
			require.NoError(t, r.Start(ctx))
			insert(t, pool, r, "x", nil)
			receive(t, begun)
			require.NoError(t, server.Stop(ctx))
			close(goOn)
			time.Sleep(away)
			back := time.Now()
			server, err = localpg.Start(ctx, config)
			require.NoError(t, err)
			defer func() { require.NoError(t, server.Stop(context.Background())) }()
			for err = errors.New("away"); err != nil; time.Sleep(20 * time.Millisecond) {
				err = pool.Ping(ctx)
			}
			got := eventually(t, pool, "x", "completed")
			t.Logf("completed in attempt %d, %s after the database came back", got.Attempt, time.Since(back))
			insert(t, pool, r, "y", nil)
			eventually(t, pool, "y", "completed")
			require.NoError(t, r.Stop(ctx))
		})
	}
}

func TestStartWithoutDatabaseFailsAndMayBeRepeated(t *testing.T) {
	t.Parallel()
	pool, err := pgxpool.New(t.Context(), "postgres://nobody@127.0.0.1:1/none")
	require.NoError(t, err)
	defer pool.Close()
	r := newRunner(t, pool, jobs.Config{}, nil)
	for range 2 {
		require.ErrorContains(t, r.Start(t.Context()), "start job queue")
	}
	require.NoError(t, r.Stop(t.Context()))
}
