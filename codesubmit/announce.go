package codesubmit

import (
	"context"
	"strconv"
	"strings"

	"github.com/jackc/pgx/v5"

	"github.com/wxsteward/wxsteward/component"
	"github.com/wxsteward/wxsteward/internal/wechat"
)

// announce tells staff, if there is anybody to tell it to.
func (s *Service) announce(ctx context.Context, tx pgx.Tx, a component.Announcement) error {
	if s.announcer == nil {
		return nil
	}
	return s.announcer.Announce(ctx, tx, a)
}

func rolloutPath(id int64) string { return "/rollouts/" + strconv.FormatInt(id, 10) }

// audited adds the news of an audit to what a step writes down. The merchant's name is read before, outside of the
// transaction.
func (s *Service) audited(ctx context.Context, w *work, outcome string, reason string, apply func(context.Context, pgx.Tx) error) func(context.Context, pgx.Tx) error {
	if s.announcer == nil {
		return apply
	}
	name := ""
	if m, err := s.merchant(ctx, w.AppID); err == nil { // else it is called by its appid
		name = m.NickName
	}
	return func(ctx context.Context, tx pgx.Tx) error {
		if err := apply(ctx, tx); err != nil {
			return err
		}
		return s.announce(ctx, tx, component.Announcement{
			Event: component.EventAuditResult, Key: rolloutPath(w.RolloutID) + "/" + outcome,
			Path: rolloutPath(w.RolloutID) + "/" + strconv.FormatInt(w.ID, 10), AppID: w.AppID, Merchant: name,
			Subject: w.spec.Name, Outcome: outcome, Reason: component.Text{EN: reason},
		})
	}
}

// newlyDelayed reports whether the delay of an audit is news.
func newlyDelayed(w *work, state wechat.AuditState) bool {
	return state == wechat.AuditDelayed && (w.AuditStatus == nil || *w.AuditStatus != int(wechat.AuditDelayed))
}

func (s *Service) announcePaused(ctx context.Context, tx pgx.Tx, r *Rollout, reason Fact) error {
	return s.announce(ctx, tx, component.Announcement{
		Event: component.EventRolloutPaused, Key: rolloutPath(r.ID), Path: rolloutPath(r.ID), Subject: r.Name, Reason: component.Text(reason),
	})
}

// announceDone tells that a rollout is over, and what came of its merchants.
func (s *Service) announceDone(ctx context.Context, tx pgx.Tx, id int64, name, outcome string) error {
	if s.announcer == nil {
		return nil
	}
	counts, err := countStates(ctx, tx, id)
	if err != nil {
		return err
	}
	result := component.TextBy(func(lang string) string {
		var parts []string
		for _, state := range States() {
			if n := counts[state]; n > 0 {
				parts = append(parts, state.In(lang)+": "+strconv.FormatInt(n, 10))
			}
		}
		return strings.Join(parts, ", ")
	})
	return s.announce(ctx, tx, component.Announcement{
		Event: component.EventRolloutDone, Key: rolloutPath(id) + "/" + outcome, Path: rolloutPath(id), Subject: name, Outcome: outcome, Reason: result,
	})
}
