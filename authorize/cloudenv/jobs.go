package cloudenv

import (
	"context"

	"github.com/jackc/pgx/v5"
	"github.com/riverqueue/river"

	"github.com/wxsteward/wxsteward/internal/jobs"
)

// WorkArgs has offers of environments sent and followed.
type WorkArgs struct{}

// Kind names the job.
func (WorkArgs) Kind() string { return "cloudenv_work" }

// InsertOpts has one try; the schedule brings the next. Of several at once one does all there is to do.
func (WorkArgs) InsertOpts() river.InsertOpts { return river.InsertOpts{MaxAttempts: 1} }

func (s *Service) enqueue(ctx context.Context, tx pgx.Tx) error {
	return s.queue.InsertTx(ctx, tx, WorkArgs{}, nil)
}

// RegisterJobs adds the worker and the schedule of this package to r, before it starts.
func (s *Service) RegisterJobs(r *jobs.Runner) error {
	jobs.Add(r, &worker{s: s})
	return r.Schedule("cloudenv_work", "@every 1m", func() river.JobArgs { return WorkArgs{} })
}

type worker struct {
	river.WorkerDefaults[WorkArgs]
	s *Service
}

func (w *worker) Work(ctx context.Context, _ *river.Job[WorkArgs]) error { return w.s.work(ctx) }
