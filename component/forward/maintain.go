package forward

import (
	"context"
	"log/slog"
	"slices"
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
	century    = 100 * 365 * 24 * time.Hour // after everything
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
		if err := s.endRelayed(ctx); err != nil && ctx.Err() == nil {
			s.log.WarnContext(ctx, "cannot end deliveries of relays", slog.Any("error", err))
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

// endRelayed ends what waits for rules that have become relays.
func (s *Service) endRelayed(ctx context.Context) error {
	rules, err := loadRules(ctx, s.deps.DB) // as they are now: one that has just become a delivery again keeps what waits
	if err != nil {
		return err
	}
	var ids []int64
	for _, r := range rules {
		if r.Mode == ModeRelay {
			ids = append(ids, r.ID)
		}
	}
	return s.giveUp(ctx, ids, s.now().Add(century), failRelay)
}

// endForgotten ends what waits since before a time for rules that do not work: the messages are gone.
func (s *Service) endForgotten(ctx context.Context, before time.Time) error {
	rules, err := s.currentRules(ctx, s.deps.DB)
	if err != nil {
		return err
	}
	var ids []int64
	for _, r := range rules {
		if r.Mode == ModeDeliver && !r.works() {
			ids = append(ids, r.ID)
		}
	}
	return s.giveUp(ctx, ids, before, failGone)
}

// giveUp ends the deliveries of rules that are due at a time, also what is in their backlogs, and tells staff. What is being sent
// stays with its worker.
func (s *Service) giveUp(ctx context.Context, ids []int64, due time.Time, why failure) error {
	const step = 1000
	room := make([]int32, len(ids))
	for i := range room {
		room[i] = step
	}
	backlogs, err := rulesWithBacklog(ctx, s.deps.DB, ids)
	if err != nil {
		return err
	}
	for more := len(ids) > 0; more; {
		more = false
		for _, id := range backlogs {
			made, left, err := s.workOff(ctx, id, step, due)
			if err != nil {
				return err
			}
			more = more || left && made > 0
		}
		taken, err := claimDue(ctx, s.deps.DB, ids, room, due, s.cfg.lease)
		if err != nil {
			return err
		}
		ended := make([]result, 0, len(taken))
		for _, d := range taken {
			ended = append(ended, result{
				ruleID: d.ruleID, deliveryID: d.id, messageID: d.messageID, tries: d.tries, lease: d.lease, final: true,
				outcome: outcome{at: s.now(), failure: why},
			})
		}
		for some := range slices.Chunk(ended, maxGathered) {
			if err := s.writeResults(ctx, s.deps.DB, s.judge(some)); err != nil {
				return err
			}
		}
		more = more || len(taken) >= step
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

// clean removes the deliveries of deleted rules, secrets whose time is over, then old deliveries that have ended, in small steps.
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
	if err := deleteSecrets(ctx, s.deps.DB, s.now()); err != nil {
		return err
	}
	if err := deleteStats(ctx, s.deps.DB, s.now().Add(-statsFor)); err != nil {
		return err
	}
	if s.cfg.Retention <= 0 {
		return nil
	}
	before := s.now().Add(-s.cfg.Retention)
	if err := s.endForgotten(ctx, before.AddDate(0, 0, -1)); err != nil { // the messages of a day go together
		return err
	}
	for after, more := int64(0), true; more; {
		var err error
		if after, more, err = deleteEnded(ctx, s.deps.DB, after, before, cleanStep); err != nil {
			return err
		}
	}
	return nil
}
