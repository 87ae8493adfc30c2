package jobs

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"math/rand/v2"
	"runtime/debug"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/riverqueue/river"
	"github.com/riverqueue/river/rivertype"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/trace"
)

// middleware is around every job.
type middleware struct {
	river.MiddlewareDefaults
	lease   *lease
	running *runningJobs
	tracer  trace.Tracer // nil: none
}

// Work implements rivertype.WorkerMiddleware.
func (m *middleware) Work(ctx context.Context, job *rivertype.JobRow, doInner func(context.Context) error) (err error) {
	if m.tracer != nil {
		var span trace.Span
		ctx, span = m.tracer.Start(ctx, "job "+job.Kind, trace.WithNewRoot(), trace.WithAttributes(
			attribute.Int64("job.id", job.ID), attribute.Int("job.attempt", job.Attempt)))
		defer func() {
			if err != nil && !decided(err) {
				span.SetStatus(codes.Error, err.Error())
			}
			span.End()
		}()
	}
	m.running.add(job.ID)
	defer m.running.remove(job.ID)

	held := m.lease.context()
	workCtx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	defer context.AfterFunc(held, func() { cancel(errLeaseLost) })()
	if held.Err() != nil {
		return leaveToOthers()
	}

	err = contain(workCtx, doInner)
	if err == nil || decided(err) {
		return err
	}
	switch {
	case ctx.Err() != nil:
		// The Runner stops. River hands the job back at once, without cost, if it sees that from the error; not
		// every error tells.
		return fmt.Errorf("%w: %w", context.Canceled, err)
	case held.Err() != nil:
		return leaveToOthers() // they think this process dead
	}
	return err
}

// leaveToOthers puts a job back without cost. The pause differs each time, or this process, which goes on asking for
// jobs, could be the first to ask again and again.
func leaveToOthers() error {
	return river.JobSnooze(time.Second + rand.N(2*time.Second)) //nolint:gosec // nothing to guess
}

// decided tells errors by which a worker says what shall become of its job.
func decided(err error) bool {
	_, snooze := errors.AsType[*rivertype.JobSnoozeError](err)
	_, cancel := errors.AsType[*rivertype.JobCancelError](err)
	return snooze || cancel
}

// panicError is a worker's panic.
type panicError struct {
	value any
	stack []byte
}

func (e *panicError) Error() string { return fmt.Sprintf("panic: %v", e.value) }

// contain turns a panic into an error, which is logged in one place like all others.
func contain(ctx context.Context, work func(context.Context) error) (err error) {
	defer func() {
		if v := recover(); v != nil {
			err = &panicError{value: v, stack: debug.Stack()}
		}
	}()
	return work(ctx)
}

// errorHandler logs what went wrong with a job, once.
type errorHandler struct{ logger *slog.Logger }

// HandleError implements river.ErrorHandler.
func (h errorHandler) HandleError(ctx context.Context, job *rivertype.JobRow, err error) *river.ErrorHandlerResult {
	attrs := []slog.Attr{
		slog.Int64("job_id", job.ID), slog.String("kind", job.Kind),
		slog.Int("attempt", job.Attempt), slog.Int("max_attempts", job.MaxAttempts), slog.Any("error", err),
	}
	level := slog.LevelWarn
	if p, ok := errors.AsType[*panicError](err); ok {
		level = slog.LevelError
		attrs = append(attrs, slog.String("stack", string(p.stack)))
	}
	if job.Attempt >= job.MaxAttempts {
		h.logger.LogAttrs(ctx, slog.LevelError, "job failed for good", attrs...)
	} else {
		h.logger.LogAttrs(ctx, level, "job failed, will be repeated", attrs...)
	}
	return nil
}

// HandlePanic implements river.ErrorHandler for what panics outside a worker.
func (h errorHandler) HandlePanic(ctx context.Context, job *rivertype.JobRow, value any, trace string) *river.ErrorHandlerResult {
	return h.HandleError(ctx, job, &panicError{value: value, stack: []byte(trace)})
}

// warnings passes River's own log from warning on; below it repeats every job's error. What River was doing when it was told
// to stop is no error either.
type warnings struct{ slog.Handler }

// Enabled implements slog.Handler.
func (h warnings) Enabled(ctx context.Context, level slog.Level) bool {
	return level >= slog.LevelWarn && h.Handler.Enabled(ctx, level)
}

// Handle implements slog.Handler.
func (h warnings) Handle(ctx context.Context, record slog.Record) error {
	stopped := false
	record.Attrs(func(a slog.Attr) bool {
		stopped = (a.Key == "error" || a.Key == "err") && strings.HasSuffix(a.Value.String(), context.Canceled.Error())
		return !stopped
	})
	if stopped {
		return nil
	}
	return h.Handler.Handle(ctx, record)
}

// WithAttrs implements slog.Handler.
func (h warnings) WithAttrs(attrs []slog.Attr) slog.Handler {
	return warnings{h.Handler.WithAttrs(attrs)}
}

// WithGroup implements slog.Handler.
func (h warnings) WithGroup(name string) slog.Handler { return warnings{h.Handler.WithGroup(name)} }

// runningJobs are the jobs that this process is really working.
type runningJobs struct {
	mu   sync.Mutex
	jobs map[int64]int // by job id; a job handed back may run twice for a moment
}

func newRunningJobs() *runningJobs { return &runningJobs{jobs: map[int64]int{}} }

func (r *runningJobs) add(id int64) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.jobs[id]++
}

func (r *runningJobs) remove(id int64) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.jobs[id]--; r.jobs[id] == 0 {
		delete(r.jobs, id)
	}
}

// ids is never nil: in SQL that would be NULL, which nothing is equal or unequal to.
func (r *runningJobs) ids() []int64 {
	r.mu.Lock()
	defer r.mu.Unlock()
	return slices.AppendSeq(make([]int64, 0, len(r.jobs)), maps.Keys(r.jobs))
}
