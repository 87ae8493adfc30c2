package codesubmit

import (
	"context"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/riverqueue/river"

	"github.com/wxsteward/wxsteward/component"
	"github.com/wxsteward/wxsteward/internal/jobs"
)

type queue interface {
	InsertTx(ctx context.Context, tx pgx.Tx, args river.JobArgs, opts *river.InsertOpts) error
}

// AdvanceArgs looks at one submission, now or when its waiting is over.
type AdvanceArgs struct {
	SubmissionID int64 `json:"submission_id"`
}

// Kind names the job in the queue.
func (AdvanceArgs) Kind() string { return "submission_advance" }

// InsertOpts lets the job outlive a database that is away for long; refusals by WeChat are no errors of the job.
func (AdvanceArgs) InsertOpts() river.InsertOpts { return river.InsertOpts{MaxAttempts: 1000} }

// StartRolloutArgs starts a rollout when its time has come.
type StartRolloutArgs struct {
	RolloutID int64 `json:"rollout_id"`
}

// Kind names the job in the queue.
func (StartRolloutArgs) Kind() string { return "rollout_start" }

// ScreenshotsArgs fetches the pictures of a rejection.
type ScreenshotsArgs struct {
	SubmissionID int64 `json:"submission_id"`
}

// Kind names the job in the queue.
func (ScreenshotsArgs) Kind() string { return "submission_screenshots" }

// SweepArgs wakes submissions whose job was lost.
type SweepArgs struct{}

// Kind names the job in the queue.
func (SweepArgs) Kind() string { return "submission_sweep" }

// sweepAfter is how late a submission must be before it counts as forgotten. It is more than any job may take.
const sweepAfter = 6 * time.Minute

// RegisterJobs adds the workers and schedules of this package.
func (s *Service) RegisterJobs(r *jobs.Runner) error {
	jobs.Add(r, &advanceWorker{service: s})
	jobs.Add(r, river.WorkFunc(func(ctx context.Context, job *river.Job[StartRolloutArgs]) error {
		return s.StartRollout(ctx, job.Args.RolloutID)
	}))
	jobs.Add(r, river.WorkFunc(func(ctx context.Context, job *river.Job[ScreenshotsArgs]) error {
		return s.FetchScreenshots(ctx, job.Args.SubmissionID)
	}))
	jobs.Add(r, river.WorkFunc(func(ctx context.Context, _ *river.Job[SweepArgs]) error {
		return s.sweep(ctx)
	}))
	return r.Schedule("submission_sweep", "@every 1m", func() river.JobArgs { return SweepArgs{} })
}

type advanceWorker struct {
	river.WorkerDefaults[AdvanceArgs]
	service *Service
}

func (w *advanceWorker) Work(ctx context.Context, job *river.Job[AdvanceArgs]) error {
	sleep, err := w.service.Advance(ctx, job.Args.SubmissionID, job.ID)
	if err != nil || sleep == 0 {
		return err
	}
	return river.JobSnooze(sleep)
}

// NextRetry is soon: only our own troubles, such as a database that is away, are errors of the job.
func (w *advanceWorker) NextRetry(job *river.Job[AdvanceArgs]) time.Time {
	return time.Now().Add(min(time.Minute, time.Duration(len(job.Errors)+1)*2*time.Second))
}

// wake makes a submission be looked at now.
func (s *Service) wake(ctx context.Context, tx pgx.Tx, id int64) error {
	if err := setLook(ctx, tx, id); err != nil {
		return err
	}
	return s.queue.InsertTx(ctx, tx, AdvanceArgs{SubmissionID: id}, nil)
}

func (s *Service) sweep(ctx context.Context) error {
	return pgx.BeginFunc(ctx, s.db, func(tx pgx.Tx) error {
		ids, err := s.overdue(ctx, tx, s.cfg.Now().Add(-sweepAfter), 200)
		if err != nil {
			return err
		}
		for _, id := range ids {
			if err := s.queue.InsertTx(ctx, tx, AdvanceArgs{SubmissionID: id}, nil); err != nil {
				return err
			}
		}
		return nil
	})
}

func (s *Service) enqueueStart(ctx context.Context, tx pgx.Tx, id int64, at *time.Time) error {
	var opts *river.InsertOpts
	if at != nil && s.cfg.Now().Before(*at) {
		opts = &river.InsertOpts{ScheduledAt: *at}
	}
	return s.queue.InsertTx(ctx, tx, StartRolloutArgs{RolloutID: id}, opts)
}

// Hears implements component.EventHandler.
func (s *Service) Hears(m component.Message) bool { return strings.HasPrefix(m.Event, "weapp_audit_") }

// HandleMessage hears WeChat's audit events.
func (s *Service) HandleMessage(ctx context.Context, m component.Message) error {
	if strings.HasPrefix(m.Event, "weapp_audit_") {
		return s.AuditNews(ctx, m.AppID)
	}
	return nil
}
