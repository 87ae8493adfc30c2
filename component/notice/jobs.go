package notice

import (
	"context"
	"fmt"

	"github.com/riverqueue/river"

	"github.com/wxsteward/wxsteward/internal/jobs"
)

// CleanArgs removes notices that are past their time.
type CleanArgs struct{}

// Kind names the job.
func (CleanArgs) Kind() string { return "notice_clean" }

// InsertOpts keeps it to one at a time; when it fails the schedule brings the next.
func (CleanArgs) InsertOpts() river.InsertOpts {
	return jobs.Once(1)
}

// RegisterJobs adds the work of this package and its schedule. Sending is not among it: see Run.
func (s *Service) RegisterJobs(r *jobs.Runner) error {
	jobs.Add(r, &cleanWorker{s: s})
	if err := r.Schedule("notice_clean", "41 * * * *", func() river.JobArgs { return CleanArgs{} }); err != nil {
		return fmt.Errorf("schedule notice_clean: %w", err)
	}
	return nil
}

type cleanWorker struct {
	river.WorkerDefaults[CleanArgs]
	s *Service
}

func (w *cleanWorker) Work(ctx context.Context, _ *river.Job[CleanArgs]) error { return w.s.clean(ctx) }

// clean removes old notices in small steps.
func (s *Service) clean(ctx context.Context) error {
	if s.cfg.Retention <= 0 {
		return nil
	}
	const step = 5000
	for {
		n, err := deleteOld(ctx, s.deps.DB, s.now().Add(-s.cfg.Retention), step)
		if err != nil {
			return fmt.Errorf("remove old notices: %w", err)
		}
		if n < step {
			return nil
		}
	}
}
