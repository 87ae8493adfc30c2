package component

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/riverqueue/river"

	"github.com/wxsteward/wxsteward/internal/jobs"
)

// queue is where jobs go, in the transaction of what they follow from.
type queue interface {
	InsertTx(ctx context.Context, tx pgx.Tx, args river.JobArgs, opts *river.InsertOpts) error
	InsertManyTx(ctx context.Context, tx pgx.Tx, params []river.InsertManyParams) error
	Unworked(ctx context.Context, kind, arg string, ids []int64) ([]int64, error)
}

// messageTries are spread over about three hours, see NextRetry; an authorization code does not live longer.
const messageTries = 20

// HandleMessageArgs has a stored message handled.
type HandleMessageArgs struct {
	MessageID int64 `json:"message_id"`
}

// Kind names the job.
func (HandleMessageArgs) Kind() string { return "component_message" }

// RefreshTokenArgs refreshes the component access token if that is due.
type RefreshTokenArgs struct{}

// Kind names the job.
func (RefreshTokenArgs) Kind() string { return "component_token" }

// CheckTicketArgs restarts the ticket push if the ticket is stale.
type CheckTicketArgs struct {
	// Refused says that WeChat has refused the ticket, however fresh it looks.
	Refused bool `json:"refused"`
}

// Kind names the job.
func (CheckTicketArgs) Kind() string { return "component_ticket" }

// CleanMessagesArgs makes room for the messages to come, ends those whose job is lost and removes those that are past their time.
type CleanMessagesArgs struct{}

// Kind names the job.
func (CleanMessagesArgs) Kind() string { return "component_clean" }

func (s *Service) enqueueMessages(ctx context.Context, tx pgx.Tx, ids ...int64) error {
	params := make([]river.InsertManyParams, len(ids))
	for i, id := range ids {
		params[i] = river.InsertManyParams{Args: HandleMessageArgs{id}, InsertOpts: &river.InsertOpts{MaxAttempts: messageTries}}
	}
	return s.deps.Queue.InsertManyTx(ctx, tx, params)
}

func (s *Service) enqueueTokenRefresh(ctx context.Context, tx pgx.Tx) error {
	return s.deps.Queue.InsertTx(ctx, tx, RefreshTokenArgs{}, nil)
}

func (s *Service) enqueueRestart(ctx context.Context, tx pgx.Tx) error {
	return s.deps.Queue.InsertTx(ctx, tx, CheckTicketArgs{Refused: true}, new(jobs.Once(1)))
}

// InsertOpts are for all who insert it. It may stand in the queue twice: one that runs already may have read an older
// ticket than the one that has just come. The schedule brings the next when it fails.
func (RefreshTokenArgs) InsertOpts() river.InsertOpts { return river.InsertOpts{MaxAttempts: 1} }

// InsertOpts lets the schedule insert the job like everybody else.
func (CheckTicketArgs) InsertOpts() river.InsertOpts { return jobs.Once(1) }

// InsertOpts lets the schedule insert the job like everybody else.
func (CleanMessagesArgs) InsertOpts() river.InsertOpts { return jobs.Once(1) }

// RegisterJobs adds the work of this package and its schedules.
func (s *Service) RegisterJobs(r *jobs.Runner) error {
	jobs.Add(r, &messageWorker{s: s})
	jobs.Add(r, &tokenWorker{s: s})
	jobs.Add(r, &ticketWorker{s: s})
	jobs.Add(r, &cleanWorker{s: s})
	every := min(max(s.cfg.TicketStaleAfter/4, time.Second), time.Minute).Round(time.Second)
	for _, schedule := range []struct {
		id, spec string
		args     func() river.JobArgs
	}{
		{"component_ticket", "@every " + every.String(), func() river.JobArgs { return CheckTicketArgs{} }},
		{"component_token", "@every 1m", func() river.JobArgs { return RefreshTokenArgs{} }},
		{"component_clean", "23 * * * *", func() river.JobArgs { return CleanMessagesArgs{} }},
	} {
		if err := r.Schedule(schedule.id, schedule.spec, schedule.args); err != nil {
			return fmt.Errorf("schedule %s: %w", schedule.id, err)
		}
	}
	return nil
}

type messageWorker struct {
	river.WorkerDefaults[HandleMessageArgs]
	s *Service
}

func (w *messageWorker) Work(ctx context.Context, job *river.Job[HandleMessageArgs]) error {
	err := w.s.handleMessage(ctx, job.Args.MessageID, job.Attempt >= job.MaxAttempts)
	if errors.Is(err, errGiveUp) {
		return river.JobCancel(err)
	}
	return err
}

// NextRetry is quick at first, because most faults pass in seconds and authorization codes do not wait, and never more
// than ten minutes.
func (w *messageWorker) NextRetry(job *river.Job[HandleMessageArgs]) time.Time {
	return time.Now().Add(messagePause(job.Attempt))
}

func messagePause(attempt int) time.Duration {
	return min(time.Second<<min(max(attempt-1, 0), 20), 10*time.Minute)
}

// Timeout is above what the calls of one handler may take together.
func (w *messageWorker) Timeout(*river.Job[HandleMessageArgs]) time.Duration { return 2 * time.Minute }

type tokenWorker struct {
	river.WorkerDefaults[RefreshTokenArgs]
	s *Service
}

func (w *tokenWorker) Work(ctx context.Context, _ *river.Job[RefreshTokenArgs]) error {
	return w.s.keepTokenFresh(ctx)
}

type ticketWorker struct {
	river.WorkerDefaults[CheckTicketArgs]
	s *Service
}

func (w *ticketWorker) Work(ctx context.Context, job *river.Job[CheckTicketArgs]) error {
	return errors.Join(w.s.watchTicket(ctx), w.s.keepTicketFresh(ctx, job.Args.Refused))
}

type cleanWorker struct {
	river.WorkerDefaults[CleanMessagesArgs]
	s *Service
}

func (w *cleanWorker) Work(ctx context.Context, _ *river.Job[CleanMessagesArgs]) error {
	return errors.Join(w.s.makeRoom(ctx), w.s.failUnworked(ctx), w.s.cleanMessages(ctx), w.s.cleanRate(ctx))
}
