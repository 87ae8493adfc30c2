package forward

import (
	"context"
	"log/slog"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/wxsteward/wxsteward/internal/live"
)

// ruleEvent is the kind of live event that tells replicas and pages of a changed rule.
const ruleEvent = "forward_rule"

const (
	cleanEvery = time.Minute
	cleanStep  = 5000
	statsFor   = 30 * 24 * time.Hour
)

// maintain pauses rules whose target is gone and removes what is past its time, until ctx ends.
func (s *Service) maintain(ctx context.Context) {
	every := min(max(2*s.cfg.RetryBase, 100*time.Millisecond), 10*time.Second)
	for cleaned := time.Now(); ctx.Err() == nil; {
		idle(ctx, every, nil)
		if ctx.Err() != nil {
			return
		}
		if err := s.pauseFailing(ctx); err != nil && ctx.Err() == nil {
			s.log.WarnContext(ctx, "cannot pause failing rules", slog.Any("error", err))
		}
		if time.Since(cleaned) < cleanEvery {
			continue
		}
		cleaned = time.Now()
		if err := s.clean(ctx); err != nil && ctx.Err() == nil {
			s.log.WarnContext(ctx, "cannot remove old deliveries", slog.Any("error", err))
		}
	}
}

// pauseFailing stops sending for rules whose target has taken nothing for a long time. Their messages wait.
func (s *Service) pauseFailing(ctx context.Context) error {
	var paused []pausedRule
	err := pgx.BeginFunc(ctx, s.deps.DB, func(tx pgx.Tx) (err error) {
		paused, err = pauseRules(ctx, tx, s.now(), max(pauseAfterSpans*s.span(), pauseAfterLeast), pauseAfterFailures)
		if err != nil {
			return err
		}
		return s.announcePaused(ctx, tx, paused)
	})
	if err != nil {
		return err
	}
	for _, r := range paused {
		s.log.WarnContext(ctx, "forward rule paused: its target has taken nothing for long", slog.Int64("rule_id", r.ID))
		s.changed(ctx, r.ID, "paused")
	}
	return nil
}

// changed tells this and other replicas to read the rules anew.
func (s *Service) changed(ctx context.Context, ruleID int64, state string) {
	s.forgetRules()
	if err := live.Publish(ctx, s.deps.DB, live.Event{Kind: ruleEvent, ID: formatID(ruleID), State: state}); err != nil {
		s.log.WarnContext(ctx, "change of a forward rule not announced; others notice it in seconds", slog.Any("error", err))
	}
}

// clean removes the deliveries of deleted rules, then old ones, in small steps.
func (s *Service) clean(ctx context.Context) error {
	for {
		n, err := deleteOfDeletedRules(ctx, s.deps.DB, cleanStep)
		if err != nil {
			return err
		}
		if n < cleanStep {
			break
		}
	}
	if err := deleteStats(ctx, s.deps.DB, s.now().Add(-statsFor)); err != nil {
		return err
	}
	if s.cfg.Retention <= 0 {
		return nil
	}
	before := s.now().Add(-s.cfg.Retention)
	for after, more := int64(0), true; more; {
		var err error
		if after, more, err = deleteEnded(ctx, s.deps.DB, after, before, cleanStep); err != nil {
			return err
		}
	}
	return nil
}
