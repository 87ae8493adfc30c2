package jobs

import (
	"context"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/riverqueue/river"
)

// planned is a schedule as Schedule was told it.
type planned struct {
	schedule schedule
	args     func() river.JobArgs
}

// CatchUp inserts the jobs of schedules whose time has passed since they were last inserted, and reports how many: those times
// that fell into a gap in which nobody ran. Callers at the same moment do it once.
func (r *Runner) CatchUp(ctx context.Context) (inserted int, err error) {
	err = pgx.BeginFunc(ctx, r.pool, func(tx pgx.Tx) error {
		if _, err := tx.Exec(ctx, `SELECT pg_advisory_xact_lock(hashtextextended('wxsteward catch up', 0))`); err != nil {
			return err
		}
		var now time.Time
		if err := tx.QueryRow(ctx, `SELECT clock_timestamp()`).Scan(&now); err != nil {
			return err
		}
		for _, p := range r.planned {
			args := p.args()
			if args == nil {
				continue
			}
			var last *time.Time
			if err := tx.QueryRow(ctx, `SELECT max(created_at) FROM river_job WHERE kind = $1`, args.Kind()).Scan(&last); err != nil {
				return err
			}
			if last != nil && p.schedule.Next(*last).After(now) {
				continue
			}
			result, err := r.client.InsertTx(ctx, tx, args, nil)
			if err != nil {
				return err
			}
			if !result.UniqueSkippedAsDuplicate {
				inserted++
			}
		}
		return nil
	})
	if err != nil {
		return 0, fmt.Errorf("catch up with schedules: %w", err)
	}
	return inserted, nil
}

// Due counts the jobs that could be worked now or are being worked, of all replicas.
func (r *Runner) Due(ctx context.Context) (n int64, err error) {
	const q = `SELECT count(*) FROM river_job
		WHERE state IN ('available', 'running') OR state IN ('scheduled', 'retryable') AND scheduled_at <= clock_timestamp()`
	if err := r.pool.QueryRow(ctx, q).Scan(&n); err != nil {
		return 0, fmt.Errorf("count due jobs: %w", err)
	}
	return n, nil
}
