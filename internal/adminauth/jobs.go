package adminauth

import (
	"context"

	"github.com/riverqueue/river"

	"github.com/wxsteward/wxsteward/internal/jobs"
)

// purgeArgs asks for the removal of ended sessions, old tries to sign in, old idempotency keys and old audit entries.
type purgeArgs struct{}

// Kind names the job.
func (purgeArgs) Kind() string { return "adminauth_purge" }

type purgeWorker struct {
	river.WorkerDefaults[purgeArgs]

	service *Service
}

// Work does it.
func (w *purgeWorker) Work(ctx context.Context, _ *river.Job[purgeArgs]) error {
	return w.service.Purge(ctx)
}

// InstallJobs has runner tidy up every half hour.
func (s *Service) InstallJobs(runner *jobs.Runner) error {
	jobs.Add(runner, &purgeWorker{service: s})
	return runner.Schedule("adminauth_purge", "*/30 * * * *", func() river.JobArgs { return purgeArgs{} })
}
