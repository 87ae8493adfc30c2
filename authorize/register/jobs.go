package register

import (
	"context"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/riverqueue/river"

	"github.com/wxsteward/wxsteward/internal/jobs"
)

// FollowArgs has a registration taken one step further.
type FollowArgs struct {
	ID string `json:"id"`
}

// Kind names the job.
func (FollowArgs) Kind() string { return "register_follow" }

// SweepArgs goes after registrations whose own job was lost.
type SweepArgs struct{}

// Kind names the job.
func (SweepArgs) Kind() string { return "register_sweep" }

// InsertOpts has one at a time; the schedule brings the next.
func (SweepArgs) InsertOpts() river.InsertOpts {
	return jobs.Once(1)
}

const (
	followTries  = 10
	overdueLimit = 200
)

func (s *Service) enqueue(ctx context.Context, tx pgx.Tx, id string, at time.Time) error {
	return s.queue.InsertTx(ctx, tx, FollowArgs{id}, &river.InsertOpts{MaxAttempts: followTries, Priority: 2, ScheduledAt: at})
}

// RegisterJobs adds the workers and the schedule of this package to r, before it starts.
func (s *Service) RegisterJobs(r *jobs.Runner) error {
	jobs.Add(r, &followWorker{s: s})
	jobs.Add(r, &sweepWorker{s: s})
	return r.Schedule("register_sweep", "@every 1m", func() river.JobArgs { return SweepArgs{} })
}

type followWorker struct {
	river.WorkerDefaults[FollowArgs]
	s *Service
}

func (w *followWorker) Work(ctx context.Context, job *river.Job[FollowArgs]) error {
	return w.s.follow(ctx, job.Args.ID)
}

type sweepWorker struct {
	river.WorkerDefaults[SweepArgs]
	s *Service
}

func (w *sweepWorker) Work(ctx context.Context, _ *river.Job[SweepArgs]) error { return w.s.sweep(ctx) }

// sweep enqueues registrations that are overdue.
func (s *Service) sweep(ctx context.Context) error {
	now := s.cfg.Now()
	return s.inTx(ctx, func(tx pgx.Tx) error {
		if err := forgetVisits(ctx, tx, now); err != nil {
			return fmt.Errorf("forget visits: %w", err)
		}
		due, err := overdue(ctx, tx, now.Add(-time.Minute), overdueLimit)
		if err != nil {
			return fmt.Errorf("find overdue registrations: %w", err)
		}
		for _, id := range due {
			if err := s.enqueue(ctx, tx, id, now); err != nil {
				return err
			}
		}
		return nil
	})
}
