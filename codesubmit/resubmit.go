package codesubmit

import (
	"context"
	"errors"
	"slices"

	"github.com/jackc/pgx/v5"
	"golang.org/x/sync/errgroup"

	"github.com/wxsteward/wxsteward/internal/fault"
	"github.com/wxsteward/wxsteward/internal/wechat"
)

// ManyResult is what came of an action on many submissions.
type ManyResult struct {
	Done   []int64
	Failed []ManyFailure
}

// ManyFailure is a submission that did not take the action.
type ManyFailure struct {
	ID  int64
	Err error
}

// Resubmit sends rejected or withdrawn submissions to the reviewers again, each with its own audit profile changed. The
// rollout's stays. What was stopped at the submit step goes there again too.
func (s *Service) Resubmit(ctx context.Context, ids []int64, change AuditChange) (ManyResult, error) {
	var wrong fault.Collector
	probe := change.applyTo(AuditSpec{})
	probe.check(&wrong)
	if err := wrong.Err(); err != nil {
		return ManyResult{}, err
	}
	if err := s.mediaFits(ctx, &probe); err != nil {
		return ManyResult{}, err
	}
	return s.each(ctx, ids, 1, func(ctx context.Context, id int64) error { return s.resubmit(ctx, id, change) })
}

func (s *Service) resubmit(ctx context.Context, id int64, change AuditChange) error {
	return pgx.BeginFunc(ctx, s.db, func(tx pgx.Tx) error {
		sub, err := s.lockedSubmission(ctx, tx, id)
		if err != nil {
			return err
		}
		if !sub.State.Retryable() || sub.resume != Submitting {
			return fault.New(fault.Conflict, "A submission that is %s cannot be submitted to the reviewers again.", sub.State)
		}
		spec := sub.audit
		if spec == nil {
			r, err := scanRollout(tx.QueryRow(ctx, `SELECT `+rolloutColumns+` FROM rollout r WHERE r.id = $1`, sub.RolloutID))
			if err != nil {
				return err
			}
			spec = &r.Spec.Audit
		}
		if _, err := tx.Exec(ctx, `UPDATE submission SET audit = $2 WHERE id = $1`, id, change.applyTo(*spec)); err != nil {
			return err
		}
		return s.retryInTx(ctx, tx, sub)
	})
}

// ActOnMany carries an action out on each of many submissions; one that does not take it stops none of the others.
func (s *Service) ActOnMany(ctx context.Context, ids []int64, action Action) (ManyResult, error) {
	if action == ActionSpeedUp { // each waits for WeChat
		return s.each(ctx, ids, 8, s.SpeedUp)
	}
	return s.each(ctx, ids, 1, func(ctx context.Context, id int64) error { return s.TakeSubmission(ctx, id, action) })
}

// each does something for every id once. The error is for trouble of our own, such as a database that is away: then
// what was done is done, and the call may be repeated.
func (s *Service) each(ctx context.Context, ids []int64, atOnce int, do func(ctx context.Context, id int64) error) (ManyResult, error) {
	ids = slices.Clone(ids)
	slices.Sort(ids)
	ids = slices.Compact(ids)
	errs := make([]error, len(ids))
	g, ctx := errgroup.WithContext(ctx)
	g.SetLimit(atOnce)
	for i, id := range ids {
		g.Go(func() error {
			if ctx.Err() != nil {
				return ctx.Err()
			}
			errs[i] = do(ctx, id)
			if errs[i] != nil && !toldToUser(errs[i]) {
				return errs[i]
			}
			return nil
		})
	}
	if err := g.Wait(); err != nil {
		return ManyResult{}, err
	}
	result := ManyResult{Done: []int64{}, Failed: []ManyFailure{}}
	for i, id := range ids {
		if errs[i] == nil {
			result.Done = append(result.Done, id)
		} else {
			result.Failed = append(result.Failed, ManyFailure{id, errs[i]})
		}
	}
	return result, nil
}

// toldToUser reports whether an error is about one submission, and not about us.
func toldToUser(err error) bool {
	if told, ok := errors.AsType[*fault.Error](err); ok {
		return told.Kind != fault.Unavailable && told.Kind != fault.Internal
	}
	if errors.Is(err, errMoved) {
		return true
	}
	if _, ok := errors.AsType[*wechat.APIError](err); ok {
		return true
	}
	_, ok := errors.AsType[*wechat.TransportError](err)
	return ok
}
