package authorize

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/riverqueue/river"

	"github.com/wxsteward/wxsteward/internal/fault"
	"github.com/wxsteward/wxsteward/internal/jobs"
	"github.com/wxsteward/wxsteward/internal/wechat"
)

// queue is where jobs go, in the transaction of what they follow from.
type queue interface {
	InsertTx(ctx context.Context, tx pgx.Tx, args river.JobArgs, opts *river.InsertOpts) error
}

const (
	// exchangeTries bounds faults of the database and deaths of processes; pauses for WeChat cost no try.
	exchangeTries = 100
	detailsTries  = 8
	verifyTries   = 8
	syncTries     = 10
	importTries   = 20
	overdueLimit  = 200
	keepExchanges = 30 * 24 * time.Hour
	keepRuns      = 30 * 24 * time.Hour // synchronizations and imports
	// keepHistory is how far timelines reach back in what no other table keeps.
	keepHistory = 2 * 365 * 24 * time.Hour
)

// ExchangeArgs has an authorization code exchanged. The fingerprint names the row; the code itself is not in the queue.
type ExchangeArgs struct {
	Fingerprint string `json:"fingerprint"`
}

// Kind names the job.
func (ExchangeArgs) Kind() string { return "authorize_exchange" }

// DetailsArgs has a merchant's details read.
type DetailsArgs struct {
	AppID string `json:"appid"`
}

// Kind names the job.
func (DetailsArgs) Kind() string { return "authorize_details" }

// VerifyArgs has WeChat asked whether a merchant has withdrawn its authorization.
type VerifyArgs struct {
	AppID string `json:"appid"`
}

// Kind names the job.
func (VerifyArgs) Kind() string { return "authorize_verify" }

// SyncArgs has a synchronization worked.
type SyncArgs struct {
	ID string `json:"id"`
}

// Kind names the job.
func (SyncArgs) Kind() string { return "authorize_sync" }

// SweepArgs goes after exchanges that nobody has come back to.
type SweepArgs struct{}

// Kind names the job.
func (SweepArgs) Kind() string { return "authorize_sweep" }

// InsertOpts has one at a time; the schedule brings the next.
func (SweepArgs) InsertOpts() river.InsertOpts { return jobs.Once(1) }

// CleanArgs removes what nobody needs any more.
type CleanArgs struct{}

// Kind names the job.
func (CleanArgs) Kind() string { return "authorize_clean" }

// InsertOpts has one at a time; the schedule brings the next.
func (CleanArgs) InsertOpts() river.InsertOpts { return jobs.Once(1) }

// FreshenArgs has the details of a merchant read again because somebody looks at them.
type FreshenArgs struct {
	AppID string `json:"appid"`
}

// Kind names the job.
func (FreshenArgs) Kind() string { return "authorize_freshen" }

// NightlyArgs starts the synchronization of the night.
type NightlyArgs struct{}

// Kind names the job.
func (NightlyArgs) Kind() string { return "authorize_nightly" }

// InsertOpts has one at a time.
func (NightlyArgs) InsertOpts() river.InsertOpts { return jobs.Once(5) }

// TokensArgs refreshes the tokens of merchants in use ahead of their end.
type TokensArgs struct{}

// Kind names the job.
func (TokensArgs) Kind() string { return "authorize_tokens" }

// InsertOpts has one at a time; the schedule brings the next.
func (TokensArgs) InsertOpts() river.InsertOpts { return jobs.Once(1) }

// ImportArgs has a CSV file worked off.
type ImportArgs struct {
	ID string `json:"id"`
}

// Kind names the job.
func (ImportArgs) Kind() string { return "authorize_import" }

func (s *Service) enqueueExchange(ctx context.Context, tx pgx.Tx, fingerprint string) error {
	return s.queue.InsertTx(ctx, tx, ExchangeArgs{fingerprint}, &river.InsertOpts{MaxAttempts: exchangeTries, Priority: 1})
}

func (s *Service) enqueueDetails(ctx context.Context, tx pgx.Tx, appid string) error {
	return s.queue.InsertTx(ctx, tx, DetailsArgs{appid}, &river.InsertOpts{MaxAttempts: detailsTries, Priority: 2})
}

func (s *Service) enqueueVerify(ctx context.Context, tx pgx.Tx, appid string) error {
	return s.queue.InsertTx(ctx, tx, VerifyArgs{appid}, new(jobs.Once(verifyTries)))
}

func (s *Service) enqueueSync(ctx context.Context, tx pgx.Tx, id string) error {
	return s.queue.InsertTx(ctx, tx, SyncArgs{id}, new(jobs.Once(syncTries)))
}

func (s *Service) enqueueFreshen(ctx context.Context, tx pgx.Tx, appid string) error {
	return s.queue.InsertTx(ctx, tx, FreshenArgs{appid}, new(jobs.Once(1)))
}

func (s *Service) enqueueImport(ctx context.Context, tx pgx.Tx, id string) error {
	return s.queue.InsertTx(ctx, tx, ImportArgs{id}, new(jobs.Once(importTries)))
}

// RegisterJobs adds the workers and schedules of this package to r, before it starts.
func (s *Service) RegisterJobs(r *jobs.Runner) error {
	jobs.Add(r, &exchangeWorker{s: s})
	jobs.Add(r, &detailsWorker{s: s})
	jobs.Add(r, &verifyWorker{s: s})
	jobs.Add(r, &syncWorker{s: s})
	jobs.Add(r, &sweepWorker{s: s})
	jobs.Add(r, &cleanWorker{s: s})
	jobs.Add(r, &freshenWorker{s: s})
	jobs.Add(r, &nightlyWorker{s: s})
	jobs.Add(r, &tokensWorker{s: s})
	jobs.Add(r, &importWorker{s: s})
	for _, schedule := range []struct {
		id, spec string
		args     river.JobArgs
	}{
		{"authorize_sweep", "@every 30s", SweepArgs{}},
		{"authorize_clean", "17 4 * * *", CleanArgs{}},
		{"authorize_nightly", "30 3 * * *", NightlyArgs{}},
		{"authorize_tokens", "@every 1m", TokensArgs{}},
	} {
		if err := r.Schedule(schedule.id, schedule.spec, func() river.JobArgs { return schedule.args }); err != nil {
			return err
		}
	}
	return nil
}

type exchangeWorker struct {
	river.WorkerDefaults[ExchangeArgs]
	s *Service
}

func (w *exchangeWorker) Work(ctx context.Context, job *river.Job[ExchangeArgs]) error {
	again, err := w.s.work(ctx, job.Args.Fingerprint)
	if err != nil {
		return fmt.Errorf("exchange authorization code: %w", err)
	}
	if again > 0 {
		return river.JobSnooze(again)
	}
	return nil
}

// NextRetry is quick: a code lives for ten minutes, and faults that come here are the database's.
func (w *exchangeWorker) NextRetry(job *river.Job[ExchangeArgs]) time.Time {
	return time.Now().Add(min(time.Second<<min(max(job.Attempt-1, 0), 10), 15*time.Second))
}

// Timeout is above what reading a long list and exchanging take together.
func (w *exchangeWorker) Timeout(*river.Job[ExchangeArgs]) time.Duration { return 2 * time.Minute }

type detailsWorker struct {
	river.WorkerDefaults[DetailsArgs]
	s *Service
}

func (w *detailsWorker) Work(ctx context.Context, job *river.Job[DetailsArgs]) error {
	err := w.s.Refresh(ctx, job.Args.AppID)
	if fe, ok := errors.AsType[*fault.Error](err); ok && (fe.Kind == fault.NotFound || fe.Kind == fault.Unauthorized) {
		return nil // withdrawn meanwhile
	}
	if wechat.IsCode(err, notAuthorized) {
		w.s.doubt(ctx, job.Args.AppID, err)
	}
	if err == nil || wechat.ClassOf(err) == wechat.ClassTransient {
		return err
	}
	// A refusal is noted beside the merchant for the operator, who can ask again; repeating it by itself would only spend
	// quota.
	return river.JobCancel(err)
}

// NextRetry begins with RetryBase and grows to ten minutes.
func (w *detailsWorker) NextRetry(job *river.Job[DetailsArgs]) time.Time {
	return time.Now().Add(min(w.s.RetryBase<<min(max(job.Attempt-1, 0), 10), 10*time.Minute))
}

type verifyWorker struct {
	river.WorkerDefaults[VerifyArgs]
	s *Service
}

func (w *verifyWorker) Work(ctx context.Context, job *river.Job[VerifyArgs]) error {
	err := w.s.verify(ctx, job.Args.AppID)
	if err == nil || wechat.ClassOf(err) == wechat.ClassTransient {
		return err
	}
	return river.JobCancel(err) // the next refused call asks again
}

// NextRetry begins with RetryBase and grows to ten minutes.
func (w *verifyWorker) NextRetry(job *river.Job[VerifyArgs]) time.Time {
	return time.Now().Add(min(w.s.RetryBase<<min(max(job.Attempt-1, 0), 10), 10*time.Minute))
}

type syncWorker struct {
	river.WorkerDefaults[SyncArgs]
	s *Service
}

func (w *syncWorker) Work(ctx context.Context, job *river.Job[SyncArgs]) error {
	more, err := w.s.sync(ctx, job.Args.ID, job.Attempt >= job.MaxAttempts)
	switch {
	case errors.Is(err, errSyncElsewhere):
		return river.JobSnooze(5 * time.Second)
	case err == nil && more:
		return river.JobSnooze(time.Second)
	}
	return err
}

// NextRetry begins with RetryBase and grows to five minutes.
func (w *syncWorker) NextRetry(job *river.Job[SyncArgs]) time.Time {
	return time.Now().Add(min(w.s.RetryBase<<min(max(job.Attempt-1, 0), 10), 5*time.Minute))
}

// Timeout is above a turn and one batch of calls that all time out.
func (w *syncWorker) Timeout(*river.Job[SyncArgs]) time.Duration { return 30 * time.Minute }

type freshenWorker struct {
	river.WorkerDefaults[FreshenArgs]
	s *Service
}

// Work never fails: what went wrong is noted beside the merchant, and who looks again after a while has it tried again.
func (w *freshenWorker) Work(ctx context.Context, job *river.Job[FreshenArgs]) error {
	if err := w.s.Refresh(ctx, job.Args.AppID); err != nil {
		if wechat.IsCode(err, notAuthorized) {
			w.s.doubt(ctx, job.Args.AppID, err)
		}
		w.s.Logger.InfoContext(ctx, "details of a merchant not read", "appid", job.Args.AppID, "error", err)
	}
	return nil
}

type nightlyWorker struct {
	river.WorkerDefaults[NightlyArgs]
	s *Service
}

func (w *nightlyWorker) Work(ctx context.Context, _ *river.Job[NightlyArgs]) error {
	_, err := w.s.StartSync(ctx, "")
	return err
}

type tokensWorker struct {
	river.WorkerDefaults[TokensArgs]
	s *Service
}

func (w *tokensWorker) Work(ctx context.Context, _ *river.Job[TokensArgs]) error {
	return w.s.keepTokensFresh(ctx)
}

type importWorker struct {
	river.WorkerDefaults[ImportArgs]
	s *Service
}

func (w *importWorker) Work(ctx context.Context, job *river.Job[ImportArgs]) error {
	err := w.s.workImport(ctx, job.Args.ID, job.Attempt >= job.MaxAttempts)
	if errors.Is(err, errImportElsewhere) {
		return river.JobSnooze(5 * time.Second)
	}
	return err
}

// NextRetry is for faults of the database only.
func (w *importWorker) NextRetry(job *river.Job[ImportArgs]) time.Time {
	return time.Now().Add(min(time.Second<<min(max(job.Attempt-1, 0), 10), time.Minute))
}

// Timeout is far above what the largest file takes.
func (w *importWorker) Timeout(*river.Job[ImportArgs]) time.Duration { return 30 * time.Minute }

type sweepWorker struct {
	river.WorkerDefaults[SweepArgs]
	s *Service
}

// Work enqueues what has lost its job, whatever had become of it.
func (w *sweepWorker) Work(ctx context.Context, _ *river.Job[SweepArgs]) error {
	return errors.Join(w.exchanges(ctx), w.s.keepSyncing(ctx), w.s.keepImporting(ctx), tidyTally(ctx, w.s.db))
}

func (w *sweepWorker) exchanges(ctx context.Context) error {
	now := w.s.Now()
	return w.s.inTx(ctx, func(tx pgx.Tx) error {
		due, err := claimOverdue(ctx, tx, now, now.Add(lease), overdueLimit)
		if err != nil {
			return fmt.Errorf("find overdue exchanges: %w", err)
		}
		for _, fingerprint := range due {
			if err := w.s.enqueueExchange(ctx, tx, fingerprint); err != nil {
				return err
			}
		}
		return nil
	})
}

type cleanWorker struct {
	river.WorkerDefaults[CleanArgs]
	s *Service
}

func (w *cleanWorker) Work(ctx context.Context, _ *river.Job[CleanArgs]) error {
	now := w.s.Now()
	err := errors.Join(clean(ctx, w.s.db, now, keepExchanges), cleanRuns(ctx, w.s.db, now.Add(-keepRuns)), cleanHistory(ctx, w.s.db, now.Add(-keepHistory)))
	if err != nil {
		return fmt.Errorf("clean up authorizations: %w", err)
	}
	return nil
}
