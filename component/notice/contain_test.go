package notice

import (
	"log/slog"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

func TestPanicIsARefusal(t *testing.T) {
	t.Parallel()
	s := &Service{log: slog.New(slog.DiscardHandler), now: time.Now}
	var o outcome
	require.NotPanics(t, func() { s.contain(t.Context(), 1, &o, func() { panic("a notice like no other") }) })
	require.Equal(t, refused, o.verdict)
	require.Equal(t, failure(failPanic), o.failure)
}
