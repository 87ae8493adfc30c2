// Package jobs works the queue in PostgreSQL (River): jobs are inserted in the transaction that makes them
// necessary, worked at least once by any replica, and come back at once when the process that worked them dies.
package jobs

import (
	"context"
	"fmt"
	"log/slog"
	"sync/atomic"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/riverqueue/river"
	"github.com/riverqueue/river/riverdriver/riverpgxv5"
	"github.com/riverqueue/river/rivertype"
	"go.opentelemetry.io/otel/trace"
)

const (
	defaultMaxWorkers = 32
	defaultJobTimeout = 5 * time.Minute
	defaultSoftStop   = 5 * time.Second
	// rescueMargin is what a job may take to notice its time-out before it is rescued.
	rescueMargin = time.Minute

	// fetchCooldown bounds how often a busy queue is asked for jobs, and so how long an announced job waits.
	fetchCooldown = 20 * time.Millisecond
	// fetchPoll finds jobs whose announcement was lost, and those whose short pause (up to 5 s) is over. It costs a
	// replica a look into an index.
	fetchPoll = 200 * time.Millisecond
)

// Config is how a Runner works. Zero values mean the defaults.
type Config struct {
	Logger *slog.Logger
	// Tracer makes a span of each job; nil: none.
	Tracer trace.Tracer
	// MaxWorkers is how many jobs this process works at once; 32.
	MaxWorkers int
	// Location is where schedules are read; UTC.
	Location *time.Location
	// SoftStop is how long Stop lets jobs run before it cancels their contexts; 5 s.
	SoftStop time.Duration
	// JobTimeout ends the context of a job whose worker has no Timeout of its own; 5 min.
	JobTimeout time.Duration
	// RescueAfter is when a job that neither ends nor is given up is worked anew by another worker: the last
	// resort for a worker that ignores its context. It must be greater than JobTimeout; JobTimeout and a minute.
	// Jobs of dead processes do not wait for it, see Runner.Start.
	RescueAfter time.Duration
	// Runners, if set, hears every two seconds how many Runners live on this database, this one included. It must be fast.
	Runners func(n int)
}

func (c Config) withDefaults() Config {
	if c.MaxWorkers == 0 {
		c.MaxWorkers = defaultMaxWorkers
	}
	if c.Location == nil {
		c.Location = time.UTC
	}
	if c.SoftStop == 0 {
		c.SoftStop = defaultSoftStop
	}
	if c.JobTimeout == 0 {
		c.JobTimeout = defaultJobTimeout
	}
	if c.Runners == nil {
		c.Runners = func(int) {}
	}
	if c.RescueAfter == 0 {
		c.RescueAfter = c.JobTimeout + rescueMargin
	}
	return c
}

// Runner inserts jobs and, between Start and Stop, works them.
type Runner struct {
	pool    *pgxpool.Pool
	cfg     Config
	id      string
	workers *river.Workers
	client  *river.Client[pgx.Tx]
	lease   *lease
	running *runningJobs
	planned []planned     // every schedule
	started atomic.Bool   // no more workers
	ended   chan struct{} // closed when all has stopped; nil before Start
}

// New makes a Runner on a database that holds River's tables when it is used. It does not connect.
func New(pool *pgxpool.Pool, cfg Config) (*Runner, error) {
	cfg = cfg.withDefaults()
	r := &Runner{pool: pool, cfg: cfg, id: newRunnerID(), workers: river.NewWorkers(), running: newRunningJobs()}
	r.lease = newLease(r.id, pool.Config().ConnConfig, cfg.Logger, cfg.Runners)
	client, err := river.NewClient(riverpgxv5.New(pool), &river.Config{
		ID:                   r.id,
		Logger:               slog.New(warnings{cfg.Logger.Handler()}),
		ErrorHandler:         errorHandler{cfg.Logger},
		FetchCooldown:        fetchCooldown,
		FetchPollInterval:    fetchPoll,
		JobTimeout:           cfg.JobTimeout,
		RescueStuckJobsAfter: cfg.RescueAfter,
		SoftStopTimeout:      cfg.SoftStop,
		Queues:               map[string]river.QueueConfig{river.QueueDefault: {MaxWorkers: cfg.MaxWorkers}},
		Workers:              r.workers,
		Middleware:           []rivertype.Middleware{&middleware{lease: r.lease, running: r.running, tracer: cfg.Tracer}},
	})
	if err != nil {
		return nil, fmt.Errorf("job queue: %w", err)
	}
	r.client = client
	return r, nil
}

// Add registers the worker of a kind of job. Call it before Start. It panics on a second worker for one kind, and
// after Start: both are mistakes in the wiring.
func Add[T river.JobArgs](r *Runner, w river.Worker[T]) {
	if r.started.Load() {
		panic("jobs: Add after Start")
	}
	river.AddWorker(r.workers, w)
}

// InsertTx adds a job that exists if and only if tx commits. Arguments are stored in clear: ids, never secrets. opts
// may be nil. A kind without a worker is an error. A job for a later time (opts.ScheduledAt) begins up to 5 s late.
func (r *Runner) InsertTx(ctx context.Context, tx pgx.Tx, args river.JobArgs, opts *river.InsertOpts) error {
	if _, err := r.client.InsertTx(ctx, tx, args, opts); err != nil {
		return fmt.Errorf("insert job %s: %w", args.Kind(), err)
	}
	return nil
}

// InsertManyTx is InsertTx for many jobs in one statement; none does nothing.
func (r *Runner) InsertManyTx(ctx context.Context, tx pgx.Tx, params []river.InsertManyParams) error {
	if len(params) == 0 {
		return nil
	}
	if _, err := r.client.InsertManyTx(ctx, tx, params); err != nil {
		return fmt.Errorf("insert %d jobs, the first %s: %w", len(params), params[0].Args.Kind(), err)
	}
	return nil
}

// Start begins to work jobs; ctx gives values, its end does not stop anything. It fails when the database is away;
// then it may be called again. Jobs that another Runner was working when its process died are worked again about two
// seconds later, by the Runners that go on or by the next to start. Such an end costs the job one attempt.
func (r *Runner) Start(ctx context.Context) error {
	r.started.Store(true)
	ctx = context.WithoutCancel(ctx)
	release, err := r.lease.hold(ctx)
	if err != nil {
		return fmt.Errorf("start job queue: %w", err)
	}
	if err := r.client.Start(ctx); err != nil {
		release()
		return fmt.Errorf("start job queue: %w", err)
	}
	reapCtx, stopReaping := context.WithCancel(ctx)
	reaped := make(chan struct{})
	go func() {
		defer close(reaped)
		r.reap(reapCtx)
	}()
	ended, stopped := make(chan struct{}), r.client.Stopped()
	go func() { // the lease must outlive the last job, even one that outlives Stop
		defer close(ended)
		<-stopped
		stopReaping()
		<-reaped
		release()
	}()
	r.ended = ended
	return nil
}

// Stop lets jobs finish for SoftStop, then cancels their contexts and hands back those that end by it, without cost.
// It fails when ctx ends before the last one has ended; that one is worked again when this process has ended. Stop
// without Start does nothing.
func (r *Runner) Stop(ctx context.Context) error {
	if r.ended == nil {
		return nil
	}
	if err := r.client.Stop(ctx); err != nil {
		return fmt.Errorf("stop job queue: jobs %v still run: %w", r.running.ids(), err)
	}
	<-r.ended
	return nil
}
