package codesubmit

import (
	"context"
	"slices"
	"strings"
	"time"

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
	holds, err := canaryHolds(ctx, db, []*Rollout{r})
	return holds[r.ID], err
}

// canaryHolds finds which canaries hold the merchants of rollouts, by the id of the rollout.
func canaryHolds(ctx context.Context, db postgres.DB, list []*Rollout) (map[int64]*CanaryHold, error) {
	var ids []int64
	var canaries []int
	var resumed []*time.Time
	byID := map[int64]*Rollout{}
	for _, r := range list {
		if r.State == RolloutRunning && r.Spec.Strategy.Canary > 0 {
			ids, canaries, resumed = append(ids, r.ID), append(canaries, r.Spec.Strategy.Canary), append(resumed, r.resumedAt)
			byID[r.ID] = r
		}
	}
	if len(ids) == 0 {
		return nil, nil
	}
	const q = `WITH front AS MATERIALIZED (SELECT r.id, r.resumed_at, l.last,
			(SELECT count(*) FROM submission w WHERE w.rollout_id = r.id AND NOT w.admitted AND w.finished_at IS NULL AND w.id > l.last) AS waiting
			FROM unnest($1::bigint[], $2::int[], $3::timestamptz[]) r (id, canaries, resumed_at),
			LATERAL (SELECT max(f.id) AS last FROM (SELECT s.id FROM submission s WHERE s.rollout_id = r.id ORDER BY s.id LIMIT r.canaries) f) l)
		SELECT front.id, b.id, b.appid, b.error, front.waiting FROM front JOIN submission b ON b.rollout_id = front.id AND b.id <= front.last
		WHERE front.waiting > 0 AND b.state = 'blocked' AND (front.resumed_at IS NULL OR b.finished_at > front.resumed_at) ORDER BY front.id, b.id`
	rows, err := db.Query(ctx, q, ids, canaries, resumed)
	if err != nil {
		return nil, err
	}
	holds := map[int64]*CanaryHold{}
	var id int64
	var waiting int
	var b BlockedCanary
	_, err = pgx.ForEachRow(rows, []any{&id, &b.SubmissionID, &b.AppID, &b.Failure, &waiting}, func() error {
		if holds[id] == nil {
			holds[id] = &CanaryHold{Canaries: min(byID[id].Spec.Strategy.Canary, byID[id].Total), Waiting: waiting}
		}
		holds[id].Blocked = append(holds[id].Blocked, b)
		b = BlockedCanary{}
		return nil
	})
	return holds, err
}

// addCanaryHolds tells of each rollout which canaries hold it.
func (s *Service) addCanaryHolds(ctx context.Context, list []*Rollout) error {
	holds, err := canaryHolds(ctx, s.db, slices.DeleteFunc(slices.Clone(list), func(r *Rollout) bool { return r.Counts[Blocked] == 0 }))
	if err != nil || len(holds) == 0 {
		return err
	}
	var appids []string
	for _, h := range holds {
		for _, b := range h.Blocked {
			appids = append(appids, b.AppID)
		}
	}
	names, err := s.merchants.NickNames(ctx, appids)
	if err != nil {
		return err
	}
	for _, r := range list {
		h := holds[r.ID]
		if h == nil {
			continue
		}
		for i := range h.Blocked {
			h.Blocked[i].NickName = names[h.Blocked[i].AppID]
		}
		r.Canary = h
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
