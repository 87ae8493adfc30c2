package forward

import (
	"context"
	"fmt"
	"log/slog"
	"runtime/debug"
	"sync"
	"time"

	"github.com/wxsteward/wxsteward/component"
	"github.com/wxsteward/wxsteward/internal/live"
	"github.com/wxsteward/wxsteward/internal/postgres"
)

const (
	// spacing is the least time between two looks for due deliveries, so that each finds many.
	spacing = 5 * time.Millisecond
	// crowdedSpacing is spacing while more than crowd messages to deliver have come between two looks: who pushes waits for an
	// answer, deliveries can wait. It still lets Concurrency × 50 a second of each rule go.
	crowdedSpacing = 20 * time.Millisecond
	crowd          = 15
	// hotPoll is how often they are looked for while messages come.
	hotPoll = 20 * time.Millisecond

	// After so many failures in a row a rule gets so many calls a second, some at a time, until one succeeds: a dead target shall
	// cost next to nothing.
	failuresBeforeBrake = 20
	brakedRate          = 200
	brakedLook          = 250 * time.Millisecond

	// readsAtOnce is how many messages are read from the database at a time.
	readsAtOnce = 4
)

// lane is what this process has under way for one rule.
type lane struct {
	inFlight  int
	saturated bool      // a free place is worth a look
	failures  int       // in a row
	tookAt    time.Time // when the target last took something
	lookedAt  time.Time
}

// room is how many deliveries may be taken now; the lock is held.
func (l *lane) room(concurrency int, now time.Time) int {
	if l.failures < failuresBeforeBrake {
		return concurrency - l.inFlight
	}
	since := now.Sub(l.lookedAt)
	if since < brakedLook {
		return 0
	}
	return min(int(since.Seconds()*brakedRate), concurrency-l.inFlight)
}

// Run delivers until ctx ends, then lets calls that are under way end, for Config.Drain, and gives back the rest. A
// database that is away only makes it wait.
func (s *Service) Run(ctx context.Context) error {
	calls, cancelCalls := context.WithCancel(context.WithoutCancel(ctx))
	defer cancelCalls()
	records, cancelRecords := context.WithCancel(context.WithoutCancel(ctx))
	defer cancelRecords()
	var helpers, recording, sends sync.WaitGroup
	recording.Go(func() { s.record(records) })
	helpers.Go(func() { s.maintain(ctx) })
	helpers.Go(func() { s.follow(ctx) })
	helpers.Go(func() { s.tendBacklogs(ctx) })

	s.dispatch(ctx, calls, &sends)
	giveUp := time.AfterFunc(s.cfg.Drain+finalFlush, cancelRecords)
	defer giveUp.Stop()

	drained := make(chan struct{})
	go func() {
		defer close(drained)
		sends.Wait()
	}()
	select {
	case <-drained:
	case <-time.After(s.cfg.Drain):
		cancelCalls()
		<-drained
	}
	s.results <- result{last: true}
	recording.Wait()
	helpers.Wait()
	s.client.CloseIdleConnections()
	return nil
}

// follow listens for rules that others have changed.
func (s *Service) follow(ctx context.Context) {
	if s.deps.Hub == nil {
		return
	}
	events, cancel := s.deps.Hub.Subscribe()
	defer cancel()
	for {
		select {
		case <-ctx.Done():
			return
		case e := <-events:
			if e.Kind == ruleEvent || e.Kind == live.Resync {
				s.forgetRules()
			}
		}
	}
}

// dispatch takes due deliveries and has them sent, until ctx ends.
func (s *Service) dispatch(ctx, calls context.Context, sends *sync.WaitGroup) {
	for ctx.Err() == nil {
		wait, err := s.round(ctx, calls, sends)
		if err != nil && ctx.Err() == nil {
			s.log.WarnContext(ctx, "cannot look for due deliveries", slog.Any("error", err))
			wait = s.cfg.poll
		}
		pause := spacing
		if s.arrived.Swap(0) > crowd {
			pause = crowdedSpacing
		}
		idle(ctx, pause, nil)
		idle(ctx, wait-pause, s.wake)
	}
}

func idle(ctx context.Context, d time.Duration, wake <-chan struct{}) {
	if d <= 0 {
		return
	}
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-ctx.Done():
	case <-timer.C:
	case <-wake:
	}
}

// round looks once, for all rules that have room, and tells when to look again unless woken before.
func (s *Service) round(ctx, calls context.Context, sends *sync.WaitGroup) (wait time.Duration, err error) {
	if s.stuck.Load() {
		return s.cfg.poll, nil
	}
	rules, err := s.currentRules(ctx, s.deps.DB)
	if err != nil {
		return 0, err
	}
	ids, room, waiting := s.places(rules)
	began := time.Now()
	var taken []claimed
	if len(ids) > 0 {
		if taken, err = claimDue(ctx, s.deps.DB, ids, room, s.now(), s.cfg.lease); err != nil {
			return 0, err
		}
	}
	full := s.settle(ids, room, taken, began)
	for _, d := range taken {
		r := findRule(rules, d.ruleID)
		sends.Go(func() { s.send(calls, r, d, began.Add(s.cfg.lease)) })
	}
	switch {
	case s.isHot() || s.braked(rules):
		return hotPoll, nil
	case full || waiting:
		return s.cfg.poll, nil
	default:
		return s.untilDue(ctx, ids)
	}
}

// places lists the rules that may take more, and how much. waiting tells that some may not.
func (s *Service) places(rules []*armed) (ids []int64, room []int32, waiting bool) {
	now := time.Now()
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, r := range rules {
		if !r.works() {
			continue
		}
		l := s.lane(r.ID)
		if n := l.room(s.cfg.Concurrency, now); n > 0 {
			ids, room = append(ids, r.ID), append(room, int32(n)) //nolint:gosec // small
		} else {
			waiting = true
		}
	}
	return ids, room, waiting
}

// lane is the lane of a rule; the lock is held.
func (s *Service) lane(ruleID int64) *lane {
	l := s.lanes[ruleID]
	if l == nil {
		l = &lane{}
		s.lanes[ruleID] = l
	}
	return l
}

// settle notes what was taken and reports whether a rule took all it had room for.
func (s *Service) settle(ids []int64, room []int32, taken []claimed, at time.Time) (full bool) {
	count := map[int64]int32{}
	for _, d := range taken {
		count[d.ruleID]++
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	for i, id := range ids {
		l := s.lane(id)
		l.inFlight += int(count[id])
		l.lookedAt = at
		l.saturated = count[id] == room[i]
		full = full || l.saturated
	}
	return full
}

// braked reports whether a rule that is slowed down may have more to send.
func (s *Service) braked(rules []*armed) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, r := range rules {
		if l := s.lane(r.ID); r.works() && l.saturated && l.failures >= failuresBeforeBrake {
			return true
		}
	}
	return false
}

// Due counts the deliveries that could be made now, those in backlogs too, up to a thousand, of all replicas.
func (s *Service) Due(ctx context.Context) (int64, error) {
	rules, err := s.currentRules(ctx, s.deps.DB)
	if err != nil {
		return 0, fmt.Errorf("count due deliveries: %w", err)
	}
	var ids []int64
	for _, r := range rules {
		if r.works() {
			ids = append(ids, r.ID)
		}
	}
	const atMost = 1000
	n, err := countDue(ctx, s.deps.DB, ids, s.now(), atMost)
	if err != nil {
		return 0, fmt.Errorf("count due deliveries: %w", err)
	}
	return n, nil
}

// untilDue is the time to the next delivery that is waiting, at most a poll.
func (s *Service) untilDue(ctx context.Context, ids []int64) (time.Duration, error) {
	if len(ids) == 0 {
		return s.cfg.poll, nil
	}
	at, err := nextDue(ctx, s.deps.DB, ids)
	if err != nil || at.IsZero() {
		return s.cfg.poll, err
	}
	return min(max(at.Sub(s.now()), spacing), s.cfg.poll), nil
}

// send makes one call for a delivery and hands on what became of it. Nothing is sent after the lease.
func (s *Service) send(ctx context.Context, r *armed, d claimed, before time.Time) {
	res := result{ruleID: r.ID, deliveryID: d.id, messageID: d.messageID, tries: d.tries + 1, lease: d.lease}
	s.contain(ctx, d, &res, func() { s.attempt(ctx, r, d, before, &res) })
	s.mu.Lock()
	l := s.lane(r.ID)
	l.inFlight--
	switch {
	case !res.asked():
	case res.ok():
		l.failures, l.tookAt = 0, time.Now()
	default:
		l.failures++
	}
	if l.saturated {
		s.poke()
	}
	s.mu.Unlock()
	s.results <- res
}

// contain takes a panic for a failed call: one message that we cannot handle must not end the process, again and again.
func (s *Service) contain(ctx context.Context, d claimed, res *result, work func()) {
	defer func() {
		if p := recover(); p != nil {
			s.log.ErrorContext(ctx, "delivery panicked", slog.Any("panic", p), slog.Int64("delivery_id", d.id), slog.String("stack", string(debug.Stack())))
			res.outcome = outcome{at: s.now(), failure: failPanic}
		}
	}()
	work()
}

func (s *Service) attempt(ctx context.Context, r *armed, d claimed, before time.Time, res *result) {
	m, ok := s.bodies.get(d.messageID)
	if !ok {
		var err error
		if m, err = s.read(ctx, d.messageID); err != nil {
			s.unread(ctx, d, err, res)
			return
		}
	}
	res.appid = m.AppID
	limited, cancel := context.WithDeadline(ctx, before.Add(-s.cfg.lease/10)) // time for the result to be written
	defer cancel()
	res.outcome = s.call(limited, r, formatID(d.id), m, excerptBytes)
	if len(res.answer) > 0 && m.HoldsSecrets() {
		res.answer = []byte(component.Masked) // it may be an echo, in whatever form, and everybody may read it
	}
	if !res.ok() && res.status == 0 && ctx.Err() != nil {
		res.released = true // we ended it; nobody knows whether it was taken, so it is sent again
	}
}

// unread judges why a message could not be read: a database that is away uses up no try.
func (s *Service) unread(ctx context.Context, d claimed, err error, res *result) {
	res.outcome = outcome{at: s.now(), failure: failUnread}
	switch {
	case gone(err):
		res.final, res.failure = true, failGone
		return
	case ctx.Err() != nil:
		res.released = true // we stop
		return
	case postgres.IsUnavailable(err):
		res.released, res.wait = true, s.cfg.RetryBase
	}
	s.log.WarnContext(ctx, "message of a delivery cannot be read", "delivery_id", d.id, "message_id", d.messageID, "error", err)
}

// read gets a message from the database, few at a time: a backlog of many rules must not take the connections that pushes need.
func (s *Service) read(ctx context.Context, id int64) (component.Message, error) {
	select {
	case s.reads <- struct{}{}:
		defer func() { <-s.reads }()
		return s.deps.Messages.Message(ctx, id)
	case <-ctx.Done():
		return component.Message{}, ctx.Err()
	}
}

var _ messages = (*component.Service)(nil)
