package jobs_test

import (
	"context"
	"sync/atomic"
	"testing"
	"time"

	"github.com/riverqueue/river"
	"github.com/stretchr/testify/require"

	"github.com/wxsteward/wxsteward/internal/jobs"
	"github.com/wxsteward/wxsteward/internal/postgres/postgrestest"
)

func TestRunnersKnowHowManyTheyAre(t *testing.T) {
	t.Parallel()
	url := postgrestest.URL(t)
	nothing := func(context.Context, *river.Job[noteArgs]) error { return nil }
	counts := make([]atomic.Int64, 3)
	all := make([]*jobs.Runner, len(counts))
	for i := range counts {
		all[i] = newRunner(t, postgrestest.Open(t, url), jobs.Config{Runners: func(n int) { counts[i].Store(int64(n)) }}, nothing)
		start(t, all[i])
	}
	see := func(n int64, who []atomic.Int64) {
		t.Helper()
		require.Eventually(t, func() bool {
			for i := range who {
				if who[i].Load() != n {
					return false
				}
			}
			return true
		}, wait, 10*time.Millisecond)
	}
	see(3, counts)
	require.NoError(t, all[2].Stop(t.Context()))
	see(2, counts[:2])
}
