package codesubmit

import (
	"context"
	"strings"

	"github.com/jackc/pgx/v5"

	"github.com/wxsteward/wxsteward/component"
	"github.com/wxsteward/wxsteward/internal/fault"
	"github.com/wxsteward/wxsteward/internal/postgres"
)

// A canary that is blocked has not failed: an operator or the merchant can mend it, and then it goes on. Until then it
// holds all who come after the canaries, and the rollout says so.

// CanaryHold tells which canaries hold the others of a running rollout.
type CanaryHold struct {
	Canaries int             // of the rollout
	Blocked  []BlockedCanary // in order
	Waiting  int             // merchants that wait for them
}

// BlockedCanary is a canary that holds the others.
type BlockedCanary struct {
	SubmissionID    int64
	AppID, NickName string
	Failure         *StepError
}

// called is how a sentence calls it.
func (b BlockedCanary) called() string {
	if b.NickName != "" {
		return b.NickName
	}
	return b.AppID
}

// why is the hold in one sentence.
func (h *CanaryHold) why() Fact {
	const named = 3
	names := make([]string, 0, named)
	for _, b := range h.Blocked[:min(named, len(h.Blocked))] {
		names = append(names, b.called())
	}
	all := strings.Join(names, ", ")
	if len(h.Blocked) > named {
		all += " …"
	}
	return factOf("%d of %d canaries are blocked: %s. The other %d merchants wait.", len(h.Blocked), h.Canaries, all, h.Waiting)
}

// canaryHold finds what holds the merchants of a rollout; nil: no canary does.
func canaryHold(ctx context.Context, db postgres.DB, r *Rollout) (*CanaryHold, error) {
	canaries := r.Spec.Strategy.Canary
	if r.State != RolloutRunning || canaries == 0 {
		return nil, nil //nolint:nilnil // documented
	}
	const q = `WITH birds AS (SELECT id, appid, state, error, finished_at FROM submission WHERE rollout_id = $1 ORDER BY id LIMIT $2)
		SELECT id, appid, error, (SELECT count(*) FROM submission w WHERE w.rollout_id = $1 AND NOT w.admitted AND w.finished_at IS NULL AND w.id > (SELECT max(id) FROM birds))
		FROM birds WHERE state = 'blocked' AND ($3::timestamptz IS NULL OR finished_at > $3) ORDER BY id`
	rows, err := db.Query(ctx, q, r.ID, canaries, r.resumedAt)
	if err != nil {
		return nil, err
	}
	h := CanaryHold{Canaries: min(canaries, r.Total)}
	h.Blocked, err = pgx.CollectRows(rows, func(row pgx.CollectableRow) (b BlockedCanary, err error) {
		return b, row.Scan(&b.SubmissionID, &b.AppID, &b.Failure, &h.Waiting)
	})
	if err != nil || h.Waiting == 0 {
		return nil, err
	}
	return &h, nil
}

// addCanaryHolds tells of each rollout which canaries hold it.
func (s *Service) addCanaryHolds(ctx context.Context, list []*Rollout) error {
	var appids []string
	for _, r := range list {
		if r.Counts[Blocked] == 0 {
			continue
		}
		var err error
		if r.Canary, err = canaryHold(ctx, s.db, r); err != nil {
			return err
		}
		if r.Canary != nil {
			for _, b := range r.Canary.Blocked {
				appids = append(appids, b.AppID)
			}
		}
	}
	if len(appids) == 0 {
		return nil
	}
	names, err := s.merchants.NickNames(ctx, appids)
	if err != nil {
		return err
	}
	for _, r := range list {
		if r.Canary == nil {
			continue
		}
		for i := range r.Canary.Blocked {
			r.Canary.Blocked[i].NickName = names[r.Canary.Blocked[i].AppID]
		}
	}
	return nil
}

// announceHold tells staff that a canary has just come to hold the others of its rollout, whose row the caller holds.
func (s *Service) announceHold(ctx context.Context, tx pgx.Tx, rolloutID int64) error {
	if s.announcer == nil {
		return nil
	}
	r, err := lockedRollout(ctx, tx, rolloutID)
	if err != nil {
		return err
	}
	h, err := canaryHold(ctx, tx, r)
	if err != nil || h == nil {
		return err
	}
	return s.announce(ctx, tx, component.Announcement{
		Event: component.EventRolloutPaused, Outcome: component.OutcomeHeld, Key: rolloutPath(r.ID) + "/held", Path: rolloutPath(r.ID),
		Subject: r.Name, Reason: component.Text(h.why()),
	})
}

// Promote lets the others follow although canaries are blocked. Those may still be mended and retried.
func (s *Service) Promote(ctx context.Context, id int64) (*Rollout, error) {
	return s.changeRollout(ctx, id, func(tx pgx.Tx, r *Rollout) error {
		h, err := canaryHold(ctx, tx, r)
		if err != nil {
			return err
		}
		if h == nil {
			return fault.New(fault.Conflict, "No blocked canary holds this rollout.")
		}
		if err := markResumed(ctx, tx, id, s.cfg.Now()); err != nil {
			return err
		}
		return s.enqueueStart(ctx, tx, id, nil)
	})
}
