package jobs_test

import (
	"context"
	"testing"
	"time"

	"github.com/riverqueue/river"
	"github.com/stretchr/testify/require"

	"github.com/wxsteward/wxsteward/internal/jobs"
	"github.com/wxsteward/wxsteward/internal/postgres/postgrestest"
)

func TestScheduleRunsOnceOverAllReplicas(t *testing.T) {
	t.Parallel()
	url := postgrestest.URL(t)
	pool := postgrestest.Open(t, url)
	worked := make(chan time.Time, 100)
	for range 2 {
		r := newRunner(t, postgrestest.Open(t, url), jobs.Config{}, func(context.Context, *river.Job[noteArgs]) error {
			worked <- time.Now()
			return nil
		})
		require.NoError(t, r.Schedule("tick", "@every 1s", func() river.JobArgs { return noteArgs{Text: "tick"} }))
		require.NoError(t, r.Schedule("nothing", "@every 1s", func() river.JobArgs { return nil }))
		start(t, r)
	}
	for range 4 {
		receive(t, worked)
	}
	var n int
	var least time.Duration
	const q = `SELECT count(*), min(d) FROM (SELECT created_at - lag(created_at) OVER (ORDER BY created_at) AS d FROM river_job) x`
	require.NoError(t, pool.QueryRow(t.Context(), q).Scan(&n, &least))
	require.GreaterOrEqual(t, n, 4)
	require.Greater(t, least, 500*time.Millisecond, "two jobs for one time")
}

func TestScheduleRefuses(t *testing.T) {
	t.Parallel()
	r := newRunner(t, postgrestest.New(t), jobs.Config{}, nil)
	args := func() river.JobArgs { return noteArgs{} }
	for name, spec := range map[string]string{
		"nonsense": "whenever", "a time that never comes": "0 0 30 2 *", "six fields": "0 0 0 * * *", "nothing": "",
	} {
		require.Error(t, r.Schedule(name, spec, args), name)
	}
	require.NoError(t, r.Schedule("daily", "@daily", args))
	require.Error(t, r.Schedule("daily", "@hourly", args), "two schedules of one name")
}
