package codesubmit

import (
	"context"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestPageReadsAreLimitedForEachMerchant(t *testing.T) {
	t.Parallel()
	var l keyedLimit
	first, err := l.acquire(t.Context(), "a")
	require.NoError(t, err)
	second, err := l.acquire(t.Context(), "a")
	require.NoError(t, err)
	canceled, cancel := context.WithCancel(t.Context())
	cancel()
	_, err = l.acquire(canceled, "a")
	require.ErrorIs(t, err, context.Canceled, "a third one waits")
	other, err := l.acquire(t.Context(), "b")
	require.NoError(t, err, "another merchant has slots of its own")
	first()
	third, err := l.acquire(t.Context(), "a")
	require.NoError(t, err)
	second()
	third()
	other()
	require.Empty(t, l.slots)
}
