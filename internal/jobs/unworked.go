package jobs

import (
	"context"
	"fmt"

	"github.com/jackc/pgx/v5"
	"github.com/riverqueue/river/rivertype"
)

// unfinished are the states of jobs that are worked or will be.
func unfinished() []rivertype.JobState {
	return []rivertype.JobState{
		rivertype.JobStateAvailable, rivertype.JobStatePending, rivertype.JobStateRunning, rivertype.JobStateRetryable, rivertype.JobStateScheduled,
	}
}

// Unworked gives those of ids for which no job of a kind is worked or will be; arg is the argument that holds the id. A job can
// end without its worker having a say: its process dies in the last try, or an administrator gives it up.
func (r *Runner) Unworked(ctx context.Context, kind, arg string, ids []int64) ([]int64, error) {
	const q = `SELECT wanted FROM unnest($3::bigint[]) wanted WHERE NOT EXISTS (SELECT FROM river_job j
		WHERE j.kind = $1 AND j.state = ANY($4::text[]::river_job_state[]) AND j.args->>$2 = wanted::text)`
	rows, err := r.pool.Query(ctx, q, kind, arg, ids, unfinished())
	if err != nil {
		return nil, fmt.Errorf("look for jobs %s: %w", kind, err)
	}
	list, err := pgx.CollectRows(rows, pgx.RowTo[int64])
	if err != nil {
		return nil, fmt.Errorf("look for jobs %s: %w", kind, err)
	}
	return list, nil
}
