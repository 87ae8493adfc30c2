package jobs

import (
	"context"
	"fmt"
	"time"
)

// Depth is how much work waits.
type Depth struct {
	// Jobs counts those that are not finished, by River's state: available, running, retryable, scheduled, pending.
	Jobs map[string]int64
	// DueSince is when the job that waits longest became due; zero: none waits.
	DueSince time.Time
}

// Depth counts what is not finished, of all replicas. It reads one index, and costs as much as there is to count.
func (r *Runner) Depth(ctx context.Context) (Depth, error) {
	const q = `SELECT state::text, count(*), min(scheduled_at) FROM river_job
		WHERE state IN ('available', 'running', 'retryable', 'scheduled', 'pending') GROUP BY state`
	d := Depth{Jobs: map[string]int64{"available": 0, "running": 0, "retryable": 0, "scheduled": 0, "pending": 0}}
	rows, err := r.pool.Query(ctx, q)
	if err != nil {
		return Depth{}, fmt.Errorf("count jobs: %w", err)
	}
	defer rows.Close()
	for rows.Next() {
		var state string
		var n int64
		var first time.Time
		if err := rows.Scan(&state, &n, &first); err != nil {
			return Depth{}, fmt.Errorf("count jobs: %w", err)
		}
		d.Jobs[state] = n
		if state == "available" {
			d.DueSince = first
		}
	}
	if err := rows.Err(); err != nil {
		return Depth{}, fmt.Errorf("count jobs: %w", err)
	}
	return d, nil
}
