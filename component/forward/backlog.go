package forward

import (
	"context"
	"log/slog"
	"sync"
	"time"
)

// A rule whose target takes nothing is behind, once more than Config.atHand of its deliveries could be sent already. Then
// a commit of messages leaves one row with their ids in the backlog of the rule, instead of a delivery for each message, which
// nobody can send yet. What is in the backlog becomes deliveries, the oldest first, whenever less than half of Config.atHand is
// left to send. Each process decides for itself whether a rule is behind: where two see it differently, messages go both ways and
// none is lost.

const (
	defaultAtHand = 2000
	// backlogSpacing is the least time between two looks at what waits.
	backlogSpacing = 20 * time.Millisecond
	// A rule that is behind is looked at after the shorter pause when its target has taken something since, else after the longer.
	lookSoon  = 50 * time.Millisecond
	lookLater = 250 * time.Millisecond
	// A target that has taken something so lately is alive. What waits for it is sent soon, and quicker while the messages are at
	// hand, so it keeps its deliveries however many they are.
	aliveFor = time.Second
)

// queues is what this process knows of what waits, by rule.
type queues struct {
	mu    sync.Mutex
	of    map[int64]*queue
	swept time.Time     // when all backlogs were last looked for
	full  chan struct{} // a rule may be behind
}

type queue struct {
	added    int // deliveries that this process has made since they were last counted
	behind   bool
	lookedAt time.Time
	delay    time.Duration // until the next look
}

// rule is the queue of a rule; the lock is held.
func (q *queues) rule(id int64) *queue {
	one := q.of[id]
	if one == nil {
		one = &queue{}
		q.of[id] = one
	}
	return one
}

// isBehind reports whether messages for a rule go to its backlog.
func (s *Service) isBehind(ruleID int64) bool {
	s.queues.mu.Lock()
	defer s.queues.mu.Unlock()
	one := s.queues.of[ruleID]
	return one != nil && one.behind
}

// added notes deliveries that have been made for a rule. It is cheap; when they are many, somebody else counts.
func (s *Service) added(ruleID int64, n int) {
	s.queues.mu.Lock()
	one := s.queues.rule(ruleID)
	one.added += n
	many := one.added >= s.cfg.atHand/2
	s.queues.mu.Unlock()
	if many {
		select {
		case s.queues.full <- struct{}{}:
		default: // it will look anyway
		}
	}
}

// tendBacklogs finds out which rules are behind and works their backlogs off, until ctx ends.
func (s *Service) tendBacklogs(ctx context.Context) {
	for ctx.Err() == nil {
		wait, err := s.tend(ctx)
		if err != nil && ctx.Err() == nil {
			s.log.WarnContext(ctx, "cannot look after the backlogs of forward rules", slog.Any("error", err))
			wait = s.cfg.poll
		}
		idle(ctx, backlogSpacing, nil)
		idle(ctx, wait-backlogSpacing, s.queues.full)
	}
}

// tend looks once, and tells when to look again unless a queue gets full before.
func (s *Service) tend(ctx context.Context) (wait time.Duration, err error) {
	if s.stuck.Load() {
		return s.cfg.poll, nil
	}
	rules, err := s.currentRules(ctx, s.deps.DB)
	if err != nil {
		return 0, err
	}
	if err := s.sweep(ctx, rules); err != nil {
		return 0, err
	}
	ids := s.unclear(rules)
	if len(ids) == 0 {
		return s.untilLook(rules), nil
	}
	counts, err := countDueOf(ctx, s.deps.DB, ids, s.now(), s.cfg.atHand+1)
	if err != nil {
		return 0, err
	}
	for id, due := range counts {
		if err := s.balance(ctx, findRule(rules, id), due); err != nil {
			return 0, err
		}
	}
	return s.untilLook(rules), nil
}

// sweep finds backlogs that this process does not know of, once in a poll: others have made them, or it did before it was
// started anew, or in a commit that was under way when a backlog seemed empty.
func (s *Service) sweep(ctx context.Context, rules []*armed) error {
	if time.Since(s.queues.swept) < s.cfg.poll { // only tend uses it
		return nil
	}
	var ids []int64
	for _, r := range rules {
		if r.Mode == ModeDeliver {
			ids = append(ids, r.ID)
		}
	}
	found, err := rulesWithBacklog(ctx, s.deps.DB, ids)
	if err != nil {
		return err
	}
	s.queues.swept = time.Now()
	s.queues.mu.Lock()
	defer s.queues.mu.Unlock()
	for _, id := range found {
		if one := s.queues.rule(id); !one.behind {
			one.behind, one.lookedAt = true, time.Time{}
		}
	}
	return nil
}

// unclear lists the rules of which it has to be counted now what waits.
func (s *Service) unclear(rules []*armed) (ids []int64) {
	s.queues.mu.Lock()
	defer s.queues.mu.Unlock()
	for _, r := range rules {
		one := s.queues.of[r.ID]
		if one == nil || r.Mode != ModeDeliver {
			continue
		}
		if one.behind && r.works() && time.Since(one.lookedAt) >= one.delay || !one.behind && one.added >= s.cfg.atHand/2 {
			ids = append(ids, r.ID)
			one.added = 0
		}
	}
	return ids
}

// balance works the backlog of a rule off as far as there is room, and decides whether it is behind.
func (s *Service) balance(ctx context.Context, r *armed, due int) error {
	behind := s.isBehind(r.ID)
	made, left := 0, behind
	if behind && r.works() && due < s.cfg.atHand/2 {
		var err error
		if made, left, err = s.workOff(ctx, r.ID, s.cfg.atHand-due, s.now().Add(century)); err != nil {
			return err
		}
	}
	if made > 0 {
		s.warm()
	}
	s.mu.Lock()
	l := s.lane(r.ID)
	sinceTaken := time.Since(l.tookAt)
	s.mu.Unlock()

	s.queues.mu.Lock()
	defer s.queues.mu.Unlock()
	one := s.queues.rule(r.ID)
	one.behind = left || due > s.cfg.atHand && sinceTaken > aliveFor
	if one.delay = lookLater; made > 0 || sinceTaken < time.Since(one.lookedAt) {
		one.delay = lookSoon
	}
	one.lookedAt = time.Now()
	return nil
}

// untilLook is the time until a rule that is behind has to be looked at, at most a poll.
func (s *Service) untilLook(rules []*armed) time.Duration {
	wait := s.cfg.poll
	s.queues.mu.Lock()
	defer s.queues.mu.Unlock()
	for _, r := range rules {
		if one := s.queues.of[r.ID]; one != nil && one.behind && r.works() {
			wait = min(wait, one.delay-time.Since(one.lookedAt))
		}
	}
	return wait
}

// workOff makes deliveries of the oldest of a rule's backlog, of what was put there before a time: about as many as there is room
// for. left tells that more is there, or that others are at it.
func (s *Service) workOff(ctx context.Context, ruleID int64, room int, before time.Time) (made int, left bool, err error) {
	for left = true; left && made < room; {
		step, err := takeBacklog(ctx, s.deps.DB, ruleID, room-made, before)
		if err != nil {
			return made, true, err
		}
		made += step.messages
		left = step.taken < step.seen || step.seen == backlogStep
		if step.taken == 0 {
			break
		}
	}
	return made, left, nil
}
