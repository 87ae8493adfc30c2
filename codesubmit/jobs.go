package codesubmit

import (
	"context"
	"errors"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/riverqueue/river"

	"github.com/wxsteward/wxsteward/component"
	"github.com/wxsteward/wxsteward/internal/jobs"
)

type queue interface {
	InsertTx(ctx context.Context, tx pgx.Tx, args river.JobArgs, opts *river.InsertOpts) error
	InsertManyTx(ctx context.Context, tx pgx.Tx, params []river.InsertManyParams) error
}

// AdvanceArgs looks at one submission, now or when its waiting is over.
type AdvanceArgs struct {
	SubmissionID int64 `json:"submission_id"`
}

// Kind names the job in the queue.
func (AdvanceArgs) Kind() string { return "submission_advance" }

// InsertOpts lets the job outlive a database that is away for long; refusals by WeChat are no errors of the job.
func (AdvanceArgs) InsertOpts() river.InsertOpts { return river.InsertOpts{MaxAttempts: 1000} }

// StartRolloutArgs starts a rollout when its time has come, and gives its merchants their turn.
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

// PreflightArgs goes on with a preflight.
type PreflightArgs struct {
	PreflightID int64 `json:"preflight_id"`
}

// Kind names the job in the queue.
func (PreflightArgs) Kind() string { return "rollout_preflight" }

// LiveArgs asks what is live at merchants that were not asked for long.
type LiveArgs struct{}

// Kind names the job in the queue.
func (LiveArgs) Kind() string { return "live_versions" }

// InsertOpts lets one job serve all who want it.
func (LiveArgs) InsertOpts() river.InsertOpts { return jobs.Once(1) }

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
		sleep, err := s.GiveTurns(ctx, job.Args.RolloutID, job.ID)
		if err != nil || sleep == 0 {
			return err
		}
		return river.JobSnooze(sleep)
	}))
	jobs.Add(r, river.WorkFunc(func(ctx context.Context, job *river.Job[ScreenshotsArgs]) error {
		got, err := s.FetchScreenshots(ctx, job.Args.SubmissionID)
		if err == nil && !got {
			return river.JobSnooze(time.Second)
		}
		return err
	}))
	jobs.Add(r, river.WorkFunc(func(ctx context.Context, _ *river.Job[SweepArgs]) error {
		return errors.Join(s.sweep(ctx), s.purgePreflights(ctx), s.dropMedia(ctx))
	}))
	jobs.Add(r, river.WorkFunc(func(ctx context.Context, job *river.Job[PreflightArgs]) error {
		rest, err := s.workPreflight(ctx, job.Args.PreflightID)
		if err != nil || rest == 0 {
			return err
		}
		return river.JobSnooze(rest)
	}))
	jobs.Add(r, river.WorkFunc(func(ctx context.Context, _ *river.Job[LiveArgs]) error {
		return s.readLive(ctx)
	}))
	if err := r.Schedule("live_versions", "@every 10m", func() river.JobArgs { return LiveArgs{} }); err != nil {
		return err
	}
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

// sweep brings back what lost its job, for instance with a restored backup.
func (s *Service) sweep(ctx context.Context) error {
	return pgx.BeginFunc(ctx, s.db, func(tx pgx.Tx) error {
		ids, err := s.overdue(ctx, tx, s.cfg.Now().Add(-sweepAfter), 1000)
		if err != nil {
			return err
		}
		if err := s.enqueue(ctx, tx, ids); err != nil {
			return err
		}
		rollouts, err := turnsOverdue(ctx, tx, s.cfg.Now().Add(-sweepAfter-s.cfg.AuditPoll), s.cfg.Now().Add(clockError))
		if err != nil {
			return err
		}
		for _, id := range rollouts { // few are under way at once
			if err := s.enqueueStart(ctx, tx, id, nil); err != nil {
				return err
			}
		}
		return nil
	})
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
