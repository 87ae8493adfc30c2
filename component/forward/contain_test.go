package forward

import (
	"log/slog"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

func TestPanicIsAFailedCall(t *testing.T) {
	t.Parallel()
	s := &Service{log: slog.New(slog.DiscardHandler), now: time.Now}
	var res result
	require.NotPanics(t, func() { s.contain(t.Context(), claimed{}, &res, func() { panic("a message like no other") }) })
	require.False(t, res.ok())
	require.False(t, res.released, "it counts as a try, so that it ends")
	require.Equal(t, failure(failPanic), res.failure)
}
