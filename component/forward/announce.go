package forward

import (
	"context"
	"slices"

	"github.com/jackc/pgx/v5"

	"github.com/wxsteward/wxsteward/component"
	"github.com/wxsteward/wxsteward/internal/postgres"
)

func rulePath(id int64) string { return "/forward-rules/" + formatID(id) }

// writeResults records what became of deliveries and, in the same transaction, tells staff of those that were given up.
func (s *Service) writeResults(ctx context.Context, db postgres.DB, settled []verdict) error {
	return writeResults(ctx, db, settled, s.now(), func(tx pgx.Tx, deliveryIDs []int64) error {
		return s.announceDead(ctx, tx, settled, deliveryIDs)
	})
}

// announceDead tells of each rule once how many of its deliveries have been given up.
func (s *Service) announceDead(ctx context.Context, tx pgx.Tx, settled []verdict, deliveryIDs []int64) error {
	if s.deps.Announcer == nil {
		return nil
	}
	type loss struct {
		count int
		why   failure
	}
	losses := map[int64]*loss{}
	var order []int64
	for _, v := range settled {
		if v.state != stateDead || !slices.Contains(deliveryIDs, v.deliveryID) {
			continue
		}
		if losses[v.ruleID] == nil {
			losses[v.ruleID] = &loss{}
			order = append(order, v.ruleID)
		}
		losses[v.ruleID].count++
		losses[v.ruleID].why = v.failure
	}
	slices.Sort(order)
	rules, err := s.currentRules(ctx, tx)
	if err != nil {
		return err
	}
	for _, id := range order {
		name := formatID(id)
		if r := findRule(rules, id); r != nil {
			name = r.Name
		}
		if err := s.deps.Announcer.Announce(ctx, tx, component.Announcement{
			Event: component.EventDeadLetter, Key: rulePath(id), Path: rulePath(id), Subject: name,
			Count: losses[id].count, Reason: component.TextBy(losses[id].why.In),
		}); err != nil {
			return err
		}
	}
	return nil
}

func (s *Service) announcePaused(ctx context.Context, tx pgx.Tx, paused []pausedRule) error {
	if s.deps.Announcer == nil {
		return nil
	}
	for _, r := range paused {
		if err := s.deps.Announcer.Announce(ctx, tx, component.Announcement{
			Event: component.EventRulePaused, Key: rulePath(r.ID), Path: rulePath(r.ID), Subject: r.Name,
			Since: r.FailingSince, Reason: component.TextBy(r.LastError.In),
		}); err != nil {
			return err
		}
	}
	return nil
}
