package turn

import (
	"context"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/wxsteward/wxsteward/internal/fault"
)

func TestPageReadsAreLimitedForEachMerchant(t *testing.T) {
	t.Parallel()
	var l Reads
	first, err := l.Acquire(t.Context(), "a")
	require.NoError(t, err)
	second, err := l.Acquire(t.Context(), "a")
	require.NoError(t, err)
	canceled, cancel := context.WithCancel(t.Context())
	cancel()
	_, err = l.Acquire(canceled, "a")
	require.ErrorIs(t, err, context.Canceled, "a third one waits")
	other, err := l.Acquire(t.Context(), "b")
	require.NoError(t, err, "another merchant has slots of its own")
	first()
	third, err := l.Acquire(t.Context(), "a")
	require.NoError(t, err)
	second()
	third()
	other()
	require.Empty(t, l.slots)
}

// held is a locker on which the merchant is never free.
type held struct{}

func (held) Within(context.Context, time.Duration, string, func(context.Context) error) (bool, error) {
	return false, nil
}

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
