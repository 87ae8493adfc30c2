package postgres_test

import (
	"context"
	"errors"
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
