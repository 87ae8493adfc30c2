package codesubmit

import (
	"context"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/wxsteward/wxsteward/internal/fault"
)

// paced reports whether merchants get their turn step by step.
func (s StrategySpec) paced() bool {
	return s.Canary > 0 || s.BatchSize > 0 || s.MaxFailedPercent != nil
}

// tally is what has come of a rollout's merchants that had their turn.
type tally struct {
	failed, finished int // since the rollout was last resumed: rejected or failed, and those with released
	underWay         int // not in audit yet
}

// admit gives merchants their turn: the canary first, then batch after batch, unless too many fail. left says
// who could follow without anything happening first. The caller holds the rollout's row, so that two replicas cannot both give turns.
func (s *Service) admit(ctx context.Context, tx pgx.Tx, r *Rollout) (left remainder, err error) {
	strategy := r.Spec.Strategy
	if !strategy.paced() {
		return s.admitNext(ctx, tx, r, 0)
	}
	t, err := tallyOf(ctx, tx, r)
	if err != nil {
		return nobody, err
	}
	if limit := strategy.MaxFailedPercent; limit != nil && t.failed*100 > *limit*t.finished {
		return nobody, s.pause(ctx, tx, r, factOf("%d of %d finished merchants failed or were rejected, more than %d percent", t.failed, t.finished, *limit))
	}
	if strategy.Canary > 0 {
		done, left, err := s.canary(ctx, tx, r)
		if err != nil || !done {
			return left, err
		}
	}
	if strategy.BatchSize == 0 {
		return s.admitNext(ctx, tx, r, 0)
	}
	if t.underWay > 0 {
		return nobody, nil // the last batch is not in audit yet
	}
	return s.admitNext(ctx, tx, r, strategy.BatchSize)
}

// canary reports whether the first merchants are released, so that the others may follow. One that ended otherwise
// pauses the rollout; after resume it no longer counts.
func (s *Service) canary(ctx context.Context, tx pgx.Tx, r *Rollout) (done bool, left remainder, err error) {
	birds, err := firstSubmissions(ctx, tx, r.ID, r.Spec.Strategy.Canary)
	if err != nil {
		return false, nobody, err
	}
	waiting := 0
	done = true
	for _, b := range birds {
		switch {
		case b.State == Released:
		case b.State.Ended() && r.resumedAt != nil && !b.FinishedAt.After(*r.resumedAt): // the operator has seen it
		case b.State == Blocked: // not failed: it is waited for, until Promote
			done = false
		case b.State.Ended():
			return false, nobody, s.pause(ctx, tx, r, factOf("canary %s is %s", b.AppID, b.State))
		case b.admitted:
			done = false
		default:
			done = false
			waiting++
		}
	}
	if waiting == 0 {
		return done, nobody, nil
	}
	left, err = s.admitNext(ctx, tx, r, waiting)
	return false, left, err
}

func (s *Service) pause(ctx context.Context, tx pgx.Tx, r *Rollout, reason Fact) error {
	if err := setRolloutState(ctx, tx, r.ID, RolloutPaused, reason); err != nil {
		return err
	}
	if err := s.announcePaused(ctx, tx, r, reason); err != nil {
		return err
	}
	return publishRollout(ctx, tx, r.ID, RolloutPaused)
}

// RolloutChange is what may be changed of a rollout that is not over; nil leaves a part alone.
type RolloutChange struct {
	Name     *string
	Release  *ReleaseSpec
	Strategy *StrategySpec
	StartAt  *time.Time
}

// ChangeRollout changes what has not happened yet: an approved version follows the new release terms, merchants that
// wait for their turn the new strategy.
func (s *Service) ChangeRollout(ctx context.Context, id int64, c RolloutChange) (*Rollout, error) {
	return s.changeRollout(ctx, id, func(tx pgx.Tx, r *Rollout) error {
		if r.State == RolloutCompleted || r.State == RolloutCanceled {
			return fault.New(fault.Conflict, "A rollout that is %s cannot be changed.", r.State)
		}
		started := r.State != RolloutScheduled && (r.StartAt == nil || !s.cfg.Now().Before(*r.StartAt)) // one that is paused may still be to start
		if c.StartAt != nil && started {
			return fault.New(fault.Conflict, "This rollout has started already; its start time cannot be changed.")
		}
		if c.Name != nil {
			r.Spec.Name = *c.Name
		}
		if c.Release != nil {
			r.Spec.Release = *c.Release
		}
		if c.Strategy != nil {
			r.Spec.Strategy = *c.Strategy
		}
		if c.StartAt != nil {
			r.Spec.StartAt = c.StartAt
		}
		r.Spec.normalise()
		r.Spec.Targets.All = true // not stored with the spec; they were checked when it was made
		if err := r.Spec.check(); err != nil {
			return err
		}
		if err := storeSpec(ctx, tx, id, &r.Spec); err != nil {
			return err
		}
		for _, state := range []State{Approved, Releasing} {
			if err := s.wakeState(ctx, tx, id, state); err != nil {
				return err
			}
		}
		return s.enqueueStart(ctx, tx, id, r.Spec.StartAt)
	})
}
