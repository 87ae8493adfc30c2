package turn

import (
	"context"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/wxsteward/wxsteward/internal/fault"
	"github.com/wxsteward/wxsteward/internal/postgres"
	"github.com/wxsteward/wxsteward/internal/postgres/postgrestest"
)

func TestPageReadsAreLimitedForEachMerchant(t *testing.T) {
	t.Parallel()
	pool := postgrestest.New(t)
	replicas := []*postgres.Locker{postgres.NewLocker(pool), postgres.NewLocker(pool)}
	began, leave, done := make(chan struct{}), make(chan struct{}), make(chan error)
	for i := range 4 {
		go func() {
			done <- Read(t.Context(), replicas[i%2], "a", func(context.Context) error {
				began <- struct{}{}
				<-leave
				return nil
			})
		}()
	}
	<-began
	<-began
	require.NoError(t, Read(t.Context(), replicas[0], "b", func(context.Context) error { return nil }), "another merchant has places of its own")
	select {
	case <-began:
		t.Fatal("three readers at once")
	case <-time.After(100 * time.Millisecond):
	}
	close(leave)
	<-began
	<-began
	for range 4 {
		require.NoError(t, <-done)
	}
	for _, r := range replicas {
		r.Close()
	}
}

// held is a locker on which the merchant is never free.
type held struct{}

func (held) Within(context.Context, time.Duration, string, func(context.Context) error) (bool, error) {
	return false, nil
}

func (held) Try(context.Context, string, func(context.Context) error) (bool, error) {
	return false, nil
}

func (held) Do(ctx context.Context, _ string, _ func(context.Context) error) error { return ctx.Err() }

func TestMerchantThatIsNeverFreeIsAConflict(t *testing.T) {
	t.Parallel()
	err := Take(t.Context(), held{}, "a", func(context.Context) error { return nil })
	fe := &fault.Error{}
	require.ErrorAs(t, err, &fe)
	require.Equal(t, fault.Conflict, fe.Kind)
	require.NotZero(t, fe.RetryAfter)
	got, err := Look(t.Context(), held{}, "a", func(context.Context) error { return nil })
	require.NoError(t, err)
	require.False(t, got, "work that can wait does")
}
