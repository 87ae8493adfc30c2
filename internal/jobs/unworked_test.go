package jobs_test

import (
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/riverqueue/river"
	"github.com/riverqueue/river/rivertype"
	"github.com/stretchr/testify/require"

	"github.com/wxsteward/wxsteward/internal/jobs"
	"github.com/wxsteward/wxsteward/internal/postgres/postgrestest"
)

func TestUnworked(t *testing.T) {
	t.Parallel()
	pool := postgrestest.New(t)
	r := newRunner(t, pool, jobs.Config{}, nil)
	ids := []int64{1000} // without a job
	var without []int64
	for i, state := range rivertype.JobStates() {
		id := int64(i + 1)
		ids = append(ids, id)
		ended := state == rivertype.JobStateCompleted || state == rivertype.JobStateDiscarded || state == rivertype.JobStateCancelled
		if ended {
			without = append(without, id)
		}
		require.NoError(t, pgx.BeginFunc(t.Context(), pool, func(tx pgx.Tx) error {
			return r.InsertTx(t.Context(), tx, noteArgs{Text: "1000"}, &river.InsertOpts{ScheduledAt: time.Now().Add(time.Hour)})
		}))
		_, err := pool.Exec(t.Context(), `UPDATE river_job SET state = $1, finalized_at = CASE WHEN $2 THEN now() END,
			args = args || jsonb_build_object('note_id', $3::bigint) WHERE NOT args ? 'note_id'`, state, ended, id)
		require.NoError(t, err)
	}
	got, err := r.Unworked(t.Context(), "note", "note_id", ids)
	require.NoError(t, err)
	require.ElementsMatch(t, append(without, 1000), got)
	got, err = r.Unworked(t.Context(), "note", "text", []int64{1000, 1001})
	require.NoError(t, err)
	require.Equal(t, []int64{1001}, got)
	got, err = r.Unworked(t.Context(), "another", "note_id", ids)
	require.NoError(t, err)
	require.ElementsMatch(t, ids, got)
	got, err = r.Unworked(t.Context(), "note", "no_such_argument", ids)
	require.NoError(t, err)
	require.ElementsMatch(t, ids, got)
}
