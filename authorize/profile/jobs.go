package profile

import (
	"context"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/riverqueue/river"

	"github.com/wxsteward/wxsteward/internal/jobs"
)

// ChangeArgs has a change looked at once.
type ChangeArgs struct {
	ID int64 `json:"id"`
}

// Kind names the job.
func (ChangeArgs) Kind() string { return "profile_change" }

// SweepArgs goes after changes whose own job was lost.
type SweepArgs struct{}

// Kind names the job.
func (SweepArgs) Kind() string { return "profile_sweep" }

// InsertOpts has one at a time; the schedule brings the next.
func (SweepArgs) InsertOpts() river.InsertOpts {
	return jobs.Once(1)
}

const (
	changeTries  = 10
	overdueLimit = 200
)

func (s *Service) enqueue(ctx context.Context, tx pgx.Tx, id int64, at time.Time) error {
	return s.queue.InsertTx(ctx, tx, ChangeArgs{id}, &river.InsertOpts{MaxAttempts: changeTries, Priority: 2, ScheduledAt: at})
}

// RegisterJobs adds the workers and the schedule of this package to r, before it starts.
func (s *Service) RegisterJobs(r *jobs.Runner) error {
	jobs.Add(r, &changeWorker{s: s})
	jobs.Add(r, &sweepWorker{s: s})
	return r.Schedule("profile_sweep", "@every 1m", func() river.JobArgs { return SweepArgs{} })
}

type changeWorker struct {
	river.WorkerDefaults[ChangeArgs]
	s *Service
}

func (w *changeWorker) Work(ctx context.Context, job *river.Job[ChangeArgs]) error {
	return w.s.follow(ctx, job.Args.ID)
}

type sweepWorker struct {
	river.WorkerDefaults[SweepArgs]
	s *Service
}

func (w *sweepWorker) Work(ctx context.Context, _ *river.Job[SweepArgs]) error { return w.s.sweep(ctx) }

// sweep enqueues changes that are overdue.
func (s *Service) sweep(ctx context.Context) error {
	now := s.cfg.Now()
	return s.inTx(ctx, func(tx pgx.Tx) error {
		due, err := overdueChanges(ctx, tx, now.Add(-time.Minute), overdueLimit)
		if err != nil {
			return fmt.Errorf("find overdue changes: %w", err)
		}
		for _, id := range due {
			if err := s.enqueue(ctx, tx, id, now); err != nil {
				return err
			}
		}
		return nil
	})
}
