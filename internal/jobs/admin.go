package jobs

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/riverqueue/river/rivertype"

	"github.com/wxsteward/wxsteward/internal/fault"
)

// QueueCount is how many jobs of a queue are in each state; those that are done are not counted.
type QueueCount struct {
	Queue                                               string
	Available, Running, Retryable, Scheduled, Discarded int64
}

// Queues counts by queue, of all replicas.
func (r *Runner) Queues(ctx context.Context) ([]QueueCount, error) {
	const q = `SELECT queue, count(*) FILTER (WHERE state IN ('available', 'pending')), count(*) FILTER (WHERE state = 'running'),
			count(*) FILTER (WHERE state = 'retryable'), count(*) FILTER (WHERE state = 'scheduled'), count(*) FILTER (WHERE state = 'discarded')
		FROM (SELECT queue, state FROM river_job WHERE state IN ('available', 'pending', 'running', 'retryable', 'scheduled', 'discarded')
			UNION ALL SELECT name, NULL FROM river_queue) j
		GROUP BY queue ORDER BY queue`
	rows, err := r.pool.Query(ctx, q)
	if err != nil {
		return nil, fmt.Errorf("count queues: %w", err)
	}
	list, err := pgx.CollectRows(rows, pgx.RowToStructByPos[QueueCount])
	if err != nil {
		return nil, fmt.Errorf("count queues: %w", err)
	}
	return list, nil
}

// Job is a job as administrators see it.
type Job struct {
	ID                     int64
	Kind, Queue, State     string
	Attempt, MaxAttempts   int
	Args                   json.RawMessage
	CreatedAt, ScheduledAt time.Time
	AttemptedAt, EndedAt   *time.Time
	// Worker is who worked it last, Error what came of the last try that failed.
	Worker, Error string
}

// Filter narrows Jobs; empty fields mean all.
type Filter struct {
	Queue, State, Kind string
	Before             int64 // only ids below; zero: from the newest
	Limit              int
}

const jobColumns = `id, kind, queue, state::text, attempt::int, max_attempts::int, args, created_at, scheduled_at, attempted_at, finalized_at,
	coalesce(` + worker + `, ''), coalesce(errors[array_upper(errors, 1)]->>'error', '')`

// Jobs lists jobs, the newest first.
func (r *Runner) Jobs(ctx context.Context, f Filter) ([]Job, error) {
	const q = `SELECT ` + jobColumns + ` FROM river_job
		WHERE ($1 = '' OR queue = $1) AND ($2 = '' OR state::text = $2) AND ($3 = '' OR kind = $3) AND ($4 = 0 OR id < $4) ORDER BY id DESC LIMIT $5`
	rows, err := r.pool.Query(ctx, q, f.Queue, f.State, f.Kind, f.Before, f.Limit)
	if err != nil {
		return nil, fmt.Errorf("list jobs: %w", err)
	}
	list, err := pgx.CollectRows(rows, pgx.RowToStructByPos[Job])
	if err != nil {
		return nil, fmt.Errorf("list jobs: %w", err)
	}
	return list, nil
}

func (r *Runner) job(ctx context.Context, id int64) (Job, error) {
	rows, err := r.pool.Query(ctx, `SELECT `+jobColumns+` FROM river_job WHERE id = $1`, id)
	if err != nil {
		return Job{}, fmt.Errorf("read job %d: %w", id, err)
	}
	j, err := pgx.CollectExactlyOneRow(rows, pgx.RowToStructByPos[Job])
	if errors.Is(err, pgx.ErrNoRows) {
		return Job{}, noJob()
	}
	if err != nil {
		return Job{}, fmt.Errorf("read job %d: %w", id, err)
	}
	return j, nil
}

func noJob() error {
	return fault.New(fault.NotFound, "There is no such job; jobs that are done are kept for a day.")
}

// Retry has a job worked now that waits for a later time, has failed for good or was given up. One that is worked or done is a
// Conflict.
func (r *Runner) Retry(ctx context.Context, id int64) (Job, error) {
	j, err := r.job(ctx, id)
	if err != nil {
		return Job{}, err
	}
	switch rivertype.JobState(j.State) {
	case rivertype.JobStateRunning:
		return Job{}, fault.New(fault.Conflict, "This job is being worked at this moment.")
	case rivertype.JobStateCompleted:
		return Job{}, fault.New(fault.Conflict, "This job is done; there is nothing to repeat.")
	default:
	}
	if _, err := r.client.JobRetry(ctx, id); err != nil {
		if errors.Is(err, rivertype.ErrNotFound) {
			return Job{}, noJob()
		}
		return Job{}, fmt.Errorf("retry job %d: %w", id, err)
	}
	return r.job(ctx, id)
}

// Discard gives a job up that is not being worked: it will not be tried again unless somebody retries it. One that is worked or
// ended is a Conflict.
func (r *Runner) Discard(ctx context.Context, id int64) (Job, error) {
	const q = `UPDATE river_job SET state = 'discarded', finalized_at = clock_timestamp()
		WHERE id = $1 AND state IN ('available', 'pending', 'retryable', 'scheduled')`
	tag, err := r.pool.Exec(ctx, q, id)
	if err != nil {
		return Job{}, fmt.Errorf("discard job %d: %w", id, err)
	}
	j, err := r.job(ctx, id)
	if err != nil || tag.RowsAffected() > 0 {
		return j, err
	}
	if j.State == string(rivertype.JobStateRunning) {
		return Job{}, fault.New(fault.Conflict, "This job is being worked at this moment.")
	}
	return Job{}, fault.New(fault.Conflict, "This job has ended already.")
}
