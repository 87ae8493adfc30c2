package jobs_test

import (
	"log/slog"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/wxsteward/wxsteward/internal/jobs"
	"github.com/wxsteward/wxsteward/internal/postgres/postgrestest"
)

func TestDepthCountsWhatIsNotFinished(t *testing.T) {
	t.Parallel()
	pool := postgrestest.New(t)
	runner, err := jobs.New(pool, jobs.Config{Logger: slog.New(slog.DiscardHandler)})
	require.NoError(t, err)
	depth, err := runner.Depth(t.Context())
	require.NoError(t, err)
	require.True(t, depth.DueSince.IsZero())
	require.Equal(t, map[string]int64{"available": 0, "running": 0, "retryable": 0, "scheduled": 0, "pending": 0}, depth.Jobs)

	_, err = pool.Exec(t.Context(), `INSERT INTO river_job (kind, state, max_attempts, args, scheduled_at, finalized_at)
		SELECT 'a', s.state::river_job_state, 1, '{}', s.at, CASE WHEN s.state = 'completed' THEN now() END
		FROM (VALUES ('available', '2026-01-01 00:00:02Z'::timestamptz), ('available', '2026-01-01 00:00:01Z'),
			('scheduled', '2025-01-01 00:00:00Z'), ('completed', '2025-01-01 00:00:00Z')) AS s (state, at)`)
	require.NoError(t, err)
	depth, err = runner.Depth(t.Context())
	require.NoError(t, err)
	require.EqualValues(t, 2, depth.Jobs["available"])
	require.EqualValues(t, 1, depth.Jobs["scheduled"])
	require.NotContains(t, depth.Jobs, "completed")
	require.True(t, depth.DueSince.Equal(time.Date(2026, 1, 1, 0, 0, 1, 0, time.UTC)), "%s", depth.DueSince)
}
