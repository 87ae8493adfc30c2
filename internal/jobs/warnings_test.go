package jobs

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestWarnings(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name string
		log  func(ctx context.Context, l *slog.Logger)
		kept bool
	}{
		{"information", func(ctx context.Context, l *slog.Logger) { l.InfoContext(ctx, "x") }, false},
		{"a warning", func(ctx context.Context, l *slog.Logger) { l.WarnContext(ctx, "x", "queue", "default") }, true},
		{"an error", func(ctx context.Context, l *slog.Logger) { l.ErrorContext(ctx, "x", "error", "no connection") }, true},
		{"an error because we stop, as text", func(ctx context.Context, l *slog.Logger) {
			l.ErrorContext(ctx, "x", "error", "begin: context canceled")
		}, false},
		{"an error because we stop", func(ctx context.Context, l *slog.Logger) {
			l.ErrorContext(ctx, "x", "err", fmt.Errorf("begin: %w", context.Canceled))
		}, false},
		{"an error of time", func(ctx context.Context, l *slog.Logger) {
			l.ErrorContext(ctx, "x", "err", errors.New("begin: context deadline exceeded"))
		}, true},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			var out bytes.Buffer
			c.log(t.Context(), slog.New(warnings{slog.NewTextHandler(&out, nil)}))
			require.Equal(t, c.kept, out.Len() > 0, out.String())
		})
	}
}
