package forward

import (
	"bytes"
	"context"
	"fmt"
	"sync"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/wxsteward/wxsteward/component"
	"github.com/wxsteward/wxsteward/internal/fault"
)

// Stored makes a delivery of each message for each rule that matches it, in the transaction that stores the messages, or adds it to
// the backlog of a rule that is behind. Rules that are paused by themselves get theirs too, to be sent when they go on. It
// implements component.Forwarder.
func (s *Service) Stored(ctx context.Context, tx pgx.Tx, messages []component.Message) error {
	rules, err := s.currentRules(ctx, tx)
	if err != nil {
		return err
	}
	at, later := s.sort(rules, messages)
	ids := func(p pairs) (list []int64) {
		for _, i := range p.messages {
			list = append(list, messages[i].ID)
		}
		return list
	}
	now := s.now()
	if len(at.rules) > 0 {
		if err := insertDeliveries(ctx, tx, ids(at), at.rules, now); err != nil {
			return fmt.Errorf("enqueue deliveries: %w", err)
		}
	}
	if len(later.rules) > 0 {
		if err := insertBacklog(ctx, tx, ids(later), later.rules, now); err != nil {
			return fmt.Errorf("add to backlog: %w", err)
		}
	}
	s.note(messages, at)
	return nil
}

// Follow makes the deliveries, or the additions to backlogs, part of the statement that stores their messages. It implements
// component.Forwarder.
func (s *Service) Follow(messages []component.Message, keys [][]byte) (f component.Following, ok bool) {
	rules, known := s.rules.lately()
	if !known {
		return component.Following{}, false
	}
	now := s.now()
	add := func(p pairs, clause func(first int) string) {
		if len(p.rules) == 0 {
			return
		}
		of := make([][]byte, len(p.messages))
		for n, i := range p.messages {
			of[n] = keys[i]
		}
		f.Clauses = append(f.Clauses, clause(component.FollowingArgs+len(f.Args)))
		f.Args = append(f.Args, of, p.rules, now)
	}
	at, later := s.sort(rules, messages)
	add(at, insertWithMessages)
	add(later, backlogWithMessages)
	return f, true
}

// Followed implements component.Forwarder.
func (s *Service) Followed(messages []component.Message) {
	rules, _ := s.rules.lately()
	at, _ := s.sort(rules, messages)
	s.note(messages, at)
}

// pairs are messages, by their place in a list, each with the rule beside it that it is for.
type pairs struct {
	messages []int
	rules    []int64
}

// sort tells which message is for which rule: what is delivered at once, and what goes to the backlog of a rule.
func (s *Service) sort(rules []*armed, messages []component.Message) (at, later pairs) {
	for _, r := range rules {
		to := &at
		if s.isBehind(r.ID) {
			to = &later
		}
		for i, m := range messages {
			if wants(r, ModeDeliver, m) {
				to.messages, to.rules = append(to.messages, i), append(to.rules, r.ID)
			}
		}
	}
	return at, later
}

// note has deliveries that have just been made looked for.
func (s *Service) note(messages []component.Message, made pairs) {
	if len(made.rules) == 0 {
		return
	}
	count := map[int64]int{}
	for n, i := range made.messages {
		s.bodies.put(messages[i]) // knows what it has
		count[made.rules[n]]++
	}
	for id, n := range count {
		s.added(id, n)
	}
	s.arrived.Add(int64(len(made.rules)))
	s.warm()
}

// wants reports whether an enabled rule is for this message. WeChat's own test accounts are nobody's business.
func wants(r *armed, mode string, m component.Message) bool {
	return r.Enabled && r.Mode == mode && r.matches(m) && !component.IsTestAccount(m.AppID)
}

// hot is how long after a message deliveries are looked for at short intervals: the transaction that makes them commits
// after Stored, and nothing tells when.
const hot = 2 * time.Second

func (s *Service) warm() {
	s.hotUntil.Store(int64(time.Since(s.born) + hot))
	s.poke()
}

func (s *Service) isHot() bool { return int64(time.Since(s.born)) < s.hotUntil.Load() }

// Relay asks the first relay rule that matches. An answer that is empty or "success" is WeChat's own word for no reply. It
// implements component.Forwarder.
func (s *Service) Relay(ctx context.Context, m component.Message, answerBy time.Time) (reply []byte, ok bool) {
	if m.Channel != component.ChannelBiz {
		return nil, false
	}
	rules, known := s.rules.lately()
	if !known {
		ctx, cancel := context.WithDeadline(ctx, answerBy)
		defer cancel()
		var err error
		if rules, err = s.currentRules(ctx, s.deps.DB); err != nil {
			s.log.WarnContext(ctx, "message not relayed", "message_id", m.ID, "error", err)
			return nil, false
		}
	}
	for _, r := range rules {
		if wants(r, ModeRelay, m) && r.keys.current != nil {
			ctx, cancel := context.WithDeadline(ctx, answerBy)
			defer cancel()
			return s.relay(ctx, r, m)
		}
	}
	return nil, false
}

func (s *Service) relay(ctx context.Context, r *armed, m component.Message) (reply []byte, ok bool) {
	if !s.enterRelay(r) {
		s.countRelay(outcomeSkipped, 0)
		return nil, false
	}
	var o outcome
	defer func() {
		if s.leaveRelay(r, o) {
			s.log.WarnContext(ctx, "relay rests: its target lets every call wait in vain", "rule_id", r.ID)
		}
	}()
	o = s.call(ctx, r, "relay_"+formatID(m.ID), m, maxReply)
	s.countRelay(relayOutcome(o), o.duration)
	select {
	case s.results <- result{ruleID: r.ID, outcome: o}:
	default: // only the chart misses it
	}
	if !o.ok() {
		s.log.WarnContext(ctx, "relay failed", "message_id", m.ID, "rule_id", r.ID, "status", o.status, "error", o.failure.In(fault.English))
		return nil, false
	}
	if text := bytes.TrimSpace(o.answer); len(text) == 0 || string(text) == "success" {
		return nil, false
	}
	return o.answer, true
}

// DeliveriesOf implements component.Forwarder.
func (s *Service) DeliveriesOf(ctx context.Context, messageIDs []int64) (map[int64][]component.DeliverySummary, error) {
	if len(messageIDs) == 0 {
		return map[int64][]component.DeliverySummary{}, nil
	}
	list, err := deliveriesOf(ctx, s.deps.DB, messageIDs)
	if err != nil {
		return nil, fmt.Errorf("read deliveries of messages: %w", err)
	}
	return list, nil
}

// Redeliver sends a message anew under every rule that matches it now. It fails with component.ErrNoMessage, or with a
// Conflict when there is no such rule. It implements component.Forwarder.
func (s *Service) Redeliver(ctx context.Context, messageID int64) error {
	m, err := s.deps.Messages.Message(ctx, messageID)
	if err != nil {
		return err
	}
	s.forgetRules()
	rules, err := s.currentRules(ctx, s.deps.DB)
	if err != nil {
		return err
	}
	var ids []int64
	for _, r := range rules {
		if wants(r, ModeDeliver, m) {
			ids = append(ids, r.ID)
		}
	}
	if len(ids) == 0 {
		return fault.New(fault.Conflict, "No enabled rule delivers messages like this one. Make or enable one first.")
	}
	if err := redeliver(ctx, s.deps.DB, messageID, ids, s.now()); err != nil {
		return fmt.Errorf("deliver message %d again: %w", messageID, err)
	}
	s.warm()
	return nil
}

// bodyCache keeps messages that have just come, so that their deliveries need not read them. What it does not have is in
// the database; what was never committed is never asked for, since ids are not used twice.
type bodyCache struct {
	mu     sync.Mutex
	bodies map[int64]component.Message
	order  []int64 // oldest first
	bytes  int
}

const (
	maxCachedBytes = 16 << 20
	maxCached      = 8192
	// bodyOverhead is about what a message takes beside its body.
	bodyOverhead = 512
)

func (c *bodyCache) put(m component.Message) {
	if len(m.Body) == 0 {
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if _, known := c.bodies[m.ID]; known {
		return
	}
	c.bodies[m.ID] = m
	c.order = append(c.order, m.ID)
	c.bytes += len(m.Body) + bodyOverhead
	for len(c.order) > maxCached || c.bytes > maxCachedBytes {
		oldest := c.order[0]
		c.order = c.order[1:]
		c.bytes -= len(c.bodies[oldest].Body) + bodyOverhead
		delete(c.bodies, oldest)
	}
}

func (c *bodyCache) get(id int64) (component.Message, bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	m, ok := c.bodies[id]
	return m, ok
}
