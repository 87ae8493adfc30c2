package postgres_test

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/stretchr/testify/require"

	"github.com/wxsteward/wxsteward/internal/postgres"
	"github.com/wxsteward/wxsteward/internal/postgres/postgrestest"
)

// twoProcesses are two pools on one database.
func twoProcesses(t *testing.T) (one, two *pgxpool.Pool) {
	t.Helper()
	url := postgrestest.URL(t)
	return postgrestest.Open(t, url), postgrestest.Open(t, url)
}

func TestTryIsExclusive(t *testing.T) {
	t.Parallel()
	one, two := twoProcesses(t)
	a, b := postgres.NewLocker(one), postgres.NewLocker(two)
	nothing := func(context.Context) error { return nil }
	got, err := a.Try(t.Context(), "k", func(ctx context.Context) error {
		got, err := b.Try(ctx, "k", func(context.Context) error {
			t.Error("both hold the lock")
			return nil
		})
		require.NoError(t, err)
		require.False(t, got)
		got, err = b.Try(ctx, "another key", nothing)
		require.NoError(t, err)
		require.True(t, got)
		return nil
	})
	require.NoError(t, err)
	require.True(t, got)
	for range 20 {
		got, err = b.Try(t.Context(), "k", nothing)
		require.NoError(t, err)
		require.True(t, got, "it is free as soon as Try has returned")
	}
}

func TestDoWaits(t *testing.T) {
	t.Parallel()
	one, two := twoProcesses(t)
	var inside, most, times atomic.Int32
	var group sync.WaitGroup
	for i := range 20 {
		locker := postgres.NewLocker([]*pgxpool.Pool{one, two}[i%2])
		group.Go(func() {
			err := locker.Do(t.Context(), "k", func(context.Context) error {
				most.Store(max(most.Load(), inside.Add(1)))
				time.Sleep(time.Millisecond) // makes an overlap likely
				inside.Add(-1)
				times.Add(1)
				return nil
			})
			if err != nil {
				t.Error(err)
			}
		})
	}
	group.Wait()
	require.EqualValues(t, 1, most.Load())
	require.EqualValues(t, 20, times.Load())
}

func TestLockTakesNothingFromThePool(t *testing.T) {
	t.Parallel()
	pool := postgrestest.New(t)
	err := postgres.NewLocker(pool).Do(t.Context(), "k", func(context.Context) error {
		require.Zero(t, pool.Stat().AcquiredConns())
		return nil
	})
	require.NoError(t, err)
}

func TestErrorOfTheWorkComesBack(t *testing.T) {
	t.Parallel()
	locker := postgres.NewLocker(postgrestest.New(t))
	mine := errors.New("mine")
	fail := func(context.Context) error { return mine }
	got, err := locker.Try(t.Context(), "k", fail)
	require.True(t, got)
	require.ErrorIs(t, err, mine)
	require.NotErrorIs(t, err, postgres.ErrLockLost)
	require.ErrorIs(t, locker.Do(t.Context(), "k", fail), mine)
}

func TestLostConnectionEndsTheWork(t *testing.T) {
	t.Parallel()
	pool := postgrestest.New(t)
	mine := errors.New("mine")
	err := postgres.NewLocker(pool).Do(t.Context(), "k", func(ctx context.Context) error {
		_, err := pool.Exec(t.Context(), "SELECT pg_terminate_backend(pid) FROM pg_locks WHERE locktype = 'advisory' AND database = (SELECT oid FROM pg_database WHERE datname = current_database())")
		require.NoError(t, err)
		select {
		case <-ctx.Done():
		case <-time.After(time.Minute):
			t.Error("the work was not told")
		}
		require.ErrorIs(t, context.Cause(ctx), postgres.ErrLockLost)
		return mine
	})
	require.ErrorIs(t, err, postgres.ErrLockLost)
	require.ErrorIs(t, err, mine)
	// A server process that is ended tells so before it gives its locks back, hence Do and not Try.
	require.NoError(t, postgres.NewLocker(pool).Do(t.Context(), "k", func(context.Context) error { return nil }))
}

func TestCancelEndsTheWaitForALock(t *testing.T) {
	t.Parallel()
	pool := postgrestest.New(t)
	locker := postgres.NewLocker(pool)
	err := locker.Do(t.Context(), "k", func(ctx context.Context) error {
		ctx, cancel := context.WithTimeout(ctx, 50*time.Millisecond)
		defer cancel()
		return locker.Do(ctx, "k", func(context.Context) error { return nil })
	})
	require.ErrorIs(t, err, context.DeadlineExceeded)
}

func TestCanceledWorkGivesTheLockBack(t *testing.T) {
	t.Parallel()
	locker := postgres.NewLocker(postgrestest.New(t))
	ctx, cancel := context.WithCancel(t.Context())
	got, err := locker.Try(ctx, "k", func(ctx context.Context) error {
		cancel()
		<-ctx.Done()
		return ctx.Err()
	})
	require.True(t, got)
	require.ErrorIs(t, err, context.Canceled)
	require.NotErrorIs(t, err, postgres.ErrLockLost)
	got, err = locker.Try(t.Context(), "k", func(context.Context) error { return nil })
	require.NoError(t, err)
	require.True(t, got)
}

func TestPatienceEndsTheWaitForALock(t *testing.T) {
	t.Parallel()
	locker := postgres.NewLocker(postgrestest.New(t))
	ran := false
	require.NoError(t, locker.Do(t.Context(), "k", func(ctx context.Context) error {
		got, err := locker.Within(ctx, 20*time.Millisecond, "k", func(context.Context) error { ran = true; return nil })
		require.False(t, got)
		return err
	}))
	require.False(t, ran)
	mine := errors.New("mine")
	got, err := locker.Within(t.Context(), 20*time.Millisecond, "k", func(ctx context.Context) error {
		select {
		case <-ctx.Done():
			t.Error("patience is for the wait, not for the work")
		case <-time.After(100 * time.Millisecond):
		}
		return mine
	})
	require.True(t, got)
	require.ErrorIs(t, err, mine)
}

func TestManyLocksShareOneSession(t *testing.T) {
	t.Parallel()
	pool := postgrestest.New(t)
	locker := postgres.NewLocker(pool)
	const many = 200
	var held, done sync.WaitGroup
	held.Add(many)
	release := make(chan struct{})
	var lost atomic.Int32
	for i := range many {
		done.Go(func() {
			err := locker.Do(t.Context(), fmt.Sprint("k", i), func(ctx context.Context) error {
				held.Done()
				select {
				case <-release:
				case <-ctx.Done():
				}
				return nil
			})
			if errors.Is(err, postgres.ErrLockLost) {
				lost.Add(1)
			}
		})
	}
	held.Wait()
	const holders = `FROM pg_locks WHERE locktype = 'advisory' AND database = (SELECT oid FROM pg_database WHERE datname = current_database())`
	var locks, sessions int
	require.NoError(t, pool.QueryRow(t.Context(), "SELECT count(*), count(DISTINCT pid) "+holders).Scan(&locks, &sessions))
	require.Equal(t, many, locks, "no gate is left locked")
	require.Equal(t, 1, sessions)
	other := postgres.NewLocker(postgrestest.Open(t, pool.Config().ConnString()))
	got, err := other.Try(t.Context(), "k7", func(context.Context) error { return nil })
	require.NoError(t, err)
	require.False(t, got)

	_, err = pool.Exec(t.Context(), "SELECT pg_terminate_backend(pid) FROM (SELECT DISTINCT pid "+holders+") s")
	require.NoError(t, err)
	done.Wait()
	close(release)
	require.EqualValues(t, many, lost.Load(), "the end of the session is the end of all that it held")
	require.NoError(t, locker.Do(t.Context(), "k7", func(context.Context) error { return nil }), "a new session takes over")
}

// TestWaiterIsNotKeptOutByThoseWhoTry has one process try for a lock without a pause, and hold it for nearly all of the
// time, while another waits for it.
func TestWaiterIsNotKeptOutByThoseWhoTry(t *testing.T) {
	t.Parallel()
	one, two := twoProcesses(t)
	busy, patient := postgres.NewLocker(one), postgres.NewLocker(two)
	ctx, stop := context.WithCancel(t.Context())
	var group sync.WaitGroup
	var takes atomic.Int32
	for range 3 {
		group.Go(func() {
			for ctx.Err() == nil {
				_, err := busy.Try(ctx, "k", func(context.Context) error {
					takes.Add(1)
					time.Sleep(2 * time.Millisecond) // at work
					return nil
				})
				if err != nil && ctx.Err() == nil {
					t.Error(err)
				}
			}
		})
	}
	require.Eventually(t, func() bool { return takes.Load() > 10 }, 10*time.Second, time.Millisecond)
	for range 10 {
		got, err := patient.Within(t.Context(), 5*time.Second, "k", func(context.Context) error { return nil })
		require.NoError(t, err)
		require.True(t, got)
	}
	stop()
	group.Wait()
}

// TestWaitersOfTwoProcessesShare has two processes that both wait all the time: neither gets the lock for itself.
func TestWaitersOfTwoProcessesShare(t *testing.T) {
	t.Parallel()
	one, two := twoProcesses(t)
	var counts [2]atomic.Int32
	ctx, stop := context.WithCancel(t.Context())
	defer stop()
	var group sync.WaitGroup
	for i, pool := range []*pgxpool.Pool{one, two} {
		locker := postgres.NewLocker(pool)
		for range 3 {
			group.Go(func() {
				for counts[0].Load() < 10 || counts[1].Load() < 10 {
					err := locker.Do(ctx, "k", func(context.Context) error {
						counts[i].Add(1)
						return nil
					})
					if err != nil {
						t.Error(err)
						return
					}
				}
			})
		}
	}
	watchdog := time.AfterFunc(30*time.Second, stop)
	group.Wait()
	watchdog.Stop()
	require.GreaterOrEqual(t, counts[0].Load(), int32(10))
	require.GreaterOrEqual(t, counts[1].Load(), int32(10))
}
