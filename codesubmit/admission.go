package codesubmit

import (
	"context"
	"errors"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/riverqueue/river"

	"github.com/wxsteward/wxsteward/internal/fault"
)

// turnsPause is the least time between two rounds of turns: what comes meanwhile is taken together, so that the counting
// does not grow with every merchant that comes along.
const turnsPause = 250 * time.Millisecond

// turnsAtOnce is how many merchants get their turn in one transaction where all are to have theirs.
const turnsAtOnce = 1000

// remainder is who is left when turns have been given.
type remainder int

const (
	nobody remainder = iota // all others wait for something to happen
	more                    // there were too many for one round
	short                   // the audit quota is not enough
)

// GiveTurns starts a rollout when its time has come, and gives merchants their turn. Its job comes again whenever one of
// them has come far enough for others to follow, and by itself, after the returned time, while there are more than one
// round takes or than the audit quota allows; zero means that this job is done.
func (s *Service) GiveTurns(ctx context.Context, id, jobID int64) (sleep time.Duration, err error) {
	if err := s.readQuotaFor(ctx, id); err != nil {
		return 0, err
	}
	err = pgx.BeginFunc(ctx, s.db, func(tx pgx.Tx) error {
		r, err := lockedRollout(ctx, tx, id)
		if fe, ok := errors.AsType[*fault.Error](err); ok && fe.Kind == fault.NotFound {
			return nil // deleted meanwhile
		}
		if err != nil {
			return err
		}
		now := s.cfg.Now()
		if rest := r.turnsAt.Add(turnsPause).Sub(now); rest > 0 && rest <= turnsPause {
			sleep = rest
			return nil
		}
		switch r.State {
		case RolloutScheduled:
			if r.StartAt != nil && now.Before(*r.StartAt) {
				if err := noteTurns(ctx, tx, id, now, 0); err != nil {
					return err
				}
				return s.enqueueStart(ctx, tx, id, r.StartAt)
			}
			if err := setRolloutState(ctx, tx, id, RolloutRunning, Fact{}); err != nil {
				return err
			}
			retried, err := lookAtWaiting(ctx, tx, id) // before the start
			if err != nil {
				return err
			}
			if err := s.enqueue(ctx, tx, retried); err != nil {
				return err
			}
		case RolloutRunning:
		case RolloutPaused, RolloutCompleted, RolloutCanceled:
			return noteTurns(ctx, tx, id, now, 0)
		}
		left, err := s.admit(ctx, tx, r)
		if err != nil {
			return err
		}
		back := int64(0) // who comes back
		switch left {
		case nobody:
		case more:
			sleep = turnsPause
		case short:
			if back = r.turnsJob; back == 0 {
				back = jobID
			}
			if back == jobID {
				sleep = s.cfg.AuditPoll
			}
		}
		return noteTurns(ctx, tx, id, now, back)
	})
	return sleep, err
}

// admitNext gives the next n merchants their turn, 0 meaning all that are left, as far as one round and the
// audit quota go. Where the quota does not go so far the others wait for it.
func (s *Service) admitNext(ctx context.Context, tx pgx.Tx, r *Rollout, n int) (left remainder, err error) {
	waiting, err := countWaiting(ctx, tx, r.ID)
	if err != nil || waiting == 0 {
		return nobody, err
	}
	switch {
	case n == 0 && waiting > turnsAtOnce:
		n, left = turnsAtOnce, more
	case n == 0 || n > waiting:
		n = waiting
	}
	kept := 0
	if r.takesQuota() {
		var room int
		if room, kept, err = s.room(ctx, tx); err != nil {
			return nobody, err
		}
		if room < n {
			n, left = room, short
		}
	}
	if n > 0 {
		ids, err := markAdmitted(ctx, tx, r.ID, n, s.cfg.Now())
		if err != nil {
			return nobody, err
		}
		if err := s.enqueue(ctx, tx, ids); err != nil {
			return nobody, err
		}
	}
	if left != short {
		return left, nil
	}
	q, err := storedQuota(ctx, tx)
	if err != nil {
		return nobody, err
	}
	changed, err := waitForQuota(ctx, tx, r.ID, keptFact(q.AuditQuota, kept+n), monthTurns(s.cfg.Now()))
	if err == nil && changed {
		err = publishRollout(ctx, tx, r.ID, "")
	}
	return short, err
}

// takesQuota reports whether the merchants of a rollout are submitted by themselves.
func (r *Rollout) takesQuota() bool { return r.Spec.Audit.Submit == "auto" && r.Kind == KindRelease }

// enqueue has submissions looked at now, all in one statement.
func (s *Service) enqueue(ctx context.Context, tx pgx.Tx, ids []int64) error {
	params := make([]river.InsertManyParams, len(ids))
	for i, id := range ids {
		params[i].Args = AdvanceArgs{SubmissionID: id}
	}
	return s.queue.InsertManyTx(ctx, tx, params)
}

// enqueueStart makes turns be given at a time, nil meaning now.
func (s *Service) enqueueStart(ctx context.Context, tx pgx.Tx, id int64, at *time.Time) error {
	var opts *river.InsertOpts
	if at != nil && s.cfg.Now().Before(*at) {
		opts = &river.InsertOpts{ScheduledAt: *at}
	}
	return s.queue.InsertTx(ctx, tx, StartRolloutArgs{RolloutID: id}, opts)
}

// othersMayFollow makes turns be given soon where somebody waits for one, or failures are watched. One job serves all
// that comes along before it begins.
func (s *Service) othersMayFollow(ctx context.Context, tx pgx.Tx, rolloutID int64) error {
	tag, err := tx.Exec(ctx, `UPDATE rollout SET turns_due = true WHERE id = $1 AND (paced OR turns_job <> 0) AND NOT turns_due`, rolloutID)
	if err != nil || tag.RowsAffected() == 0 {
		return err
	}
	return s.enqueueStart(ctx, tx, rolloutID, nil)
}

// noteTurns writes down that turns were given, and which job comes back by itself.
func noteTurns(ctx context.Context, tx pgx.Tx, id int64, now time.Time, back int64) error {
	_, err := tx.Exec(ctx, `UPDATE rollout SET turns_due = false, turns_at = $2, turns_job = $3 WHERE id = $1`, id, now, back)
	return err
}

func countWaiting(ctx context.Context, tx pgx.Tx, id int64) (n int, err error) {
	return n, tx.QueryRow(ctx, `SELECT count(*) FROM submission WHERE rollout_id = $1 AND NOT admitted AND finished_at IS NULL`, id).Scan(&n)
}

// waitForQuota writes down why merchants wait for their turn and until when at the latest; changed: some did not say so.
func waitForQuota(ctx context.Context, tx pgx.Tx, id int64, why *StepError, until time.Time) (changed bool, err error) {
	tag, err := tx.Exec(ctx, `UPDATE submission SET wait_until = $2, error = $3
		WHERE rollout_id = $1 AND NOT admitted AND finished_at IS NULL AND (error IS NULL OR wait_until IS DISTINCT FROM $2)`, id, until, why)
	return tag.RowsAffected() > 0, err
}
