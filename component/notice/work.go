package notice

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"runtime/debug"
	"sync"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/wxsteward/wxsteward/internal/fault"
	"github.com/wxsteward/wxsteward/internal/live"
	"github.com/wxsteward/wxsteward/internal/outbound"
)

// The states of a notice.
const (
	statePending = "pending"
	stateSent    = "sent"
	stateDead    = "dead" // given up
)

// Run sends until ctx ends, then lets calls that are under way end, for Config.Drain, and gives back the rest. A database
// that is away only makes it wait.
//
// A channel is one row, which a worker takes for one notice at a time: so the robot's rate holds over all replicas, and a
// slow or dead channel holds up nobody else.
func (s *Service) Run(ctx context.Context) error {
	calls, cancel := context.WithCancel(context.WithoutCancel(ctx))
	defer cancel()
	var helpers, sends sync.WaitGroup
	helpers.Go(func() { s.follow(ctx) })
	for ctx.Err() == nil {
		if err := s.round(ctx, calls, &sends); err != nil && ctx.Err() == nil {
			s.log.WarnContext(ctx, "cannot look for due notices", slog.Any("error", err))
		}
		idle(ctx, s.cfg.poll, s.wake)
	}
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		sends.Wait()
	}()
	select {
	case <-ended:
	case <-time.After(s.cfg.Drain):
		cancel()
		<-ended
	}
	helpers.Wait()
	s.client.CloseIdleConnections()
	return nil
}

// follow looks at once when others have news.
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
			if e.Kind == live.Resync || (e.Kind == eventNotice && e.State != stateSent && e.State != stateDead) {
				s.poke()
			}
		}
	}
}

func idle(ctx context.Context, d time.Duration, wake <-chan struct{}) {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-ctx.Done():
	case <-timer.C:
	case <-wake:
	}
}

// round takes a notice of every channel that has one due and may have it sent.
func (s *Service) round(ctx, calls context.Context, sends *sync.WaitGroup) error {
	work, err := s.claim(ctx)
	if err != nil {
		return err
	}
	for _, w := range work {
		sends.Go(func() { s.send(calls, w) })
	}
	return nil
}

// claimed is a notice that this process may send until its lease ends.
type claimed struct {
	channel storedChannel
	notice  Notice
	lease   time.Time
}

// Due counts the notices that could be sent now, of all replicas.
func (s *Service) Due(ctx context.Context) (int64, error) {
	n, err := countDue(ctx, s.deps.DB, s.now())
	if err != nil {
		return 0, fmt.Errorf("count due notices: %w", err)
	}
	return n, nil
}

// claim takes of each channel the notice that has been due for longest. It waits for no lock, so that a row which somebody
// holds keeps back nothing else.
func (s *Service) claim(ctx context.Context) ([]claimed, error) {
	var work []claimed
	err := pgx.BeginFunc(ctx, s.deps.DB, func(tx pgx.Tx) error {
		now := s.now()
		channels, err := lockDue(ctx, tx, now, maxChannels)
		if err != nil {
			return err
		}
		for _, c := range channels {
			w, err := s.claimOf(ctx, tx, c, now)
			if errors.Is(err, pgx.ErrNoRows) { // another replica has just sent it, or somebody adds to it now
				continue
			}
			if err != nil {
				return err
			}
			work = append(work, w)
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	return work, nil
}

func (s *Service) claimOf(ctx context.Context, tx pgx.Tx, c storedChannel, now time.Time) (claimed, error) {
	n, err := lockFirst(ctx, tx, c.ID, now)
	if err != nil {
		return claimed{}, err
	}
	if n.tries == 0 {
		if n.facts, err = s.fold(ctx, tx, c.ID, n); err != nil {
			return claimed{}, err
		}
	}
	n.tries++
	if err := markTried(ctx, tx, n.id, n.facts); err != nil {
		return claimed{}, err
	}
	lease, err := leaseChannel(ctx, tx, c.ID, now, now.Add(spacing(c.Kind)), s.cfg.lease)
	return claimed{channel: c, notice: n, lease: lease}, err
}

// fold puts the news that came beside a notice's row into it.
func (s *Service) fold(ctx context.Context, tx pgx.Tx, channel int64, n Notice) (facts, error) {
	how, sum := mannerOf(n.event), n.facts
	const atOnce = 500 // more is the next notice's
	others, err := lockWaiting(ctx, tx, channel, n.event, n.key, atOnce)
	if err != nil {
		return facts{}, err
	}
	var ids []int64
	for _, other := range others {
		if other.id != n.id {
			sum = how.join(sum, other.facts)
			ids = append(ids, other.id)
		}
	}
	if len(ids) == 0 {
		return sum, nil
	}
	return sum, deleteNotices(ctx, tx, ids)
}

// call makes one try.
func (s *Service) call(ctx context.Context, c opened, e envelope) (o outcome) {
	o.at = s.now()
	began := time.Now()
	defer func() { o.duration = time.Since(began) }()
	ctx, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	req, err := s.request(ctx, c, e)
	if err != nil {
		o.verdict, o.failure = refused, failed(failInvalid, "")
		return o
	}
	res, err := s.client.Do(req)
	if err != nil {
		word, detail := outbound.Trouble(err, formatID(callTimeout.Milliseconds()))
		o.verdict, o.failure = again, failed(word, c.redact(detail))
		return o
	}
	defer func() { _ = res.Body.Close() }() // nothing is left to lose
	c.judge(res, &o)
	return o
}

// contain takes a panic for a refusal: one notice that we cannot write must not end the process, again and again.
func (s *Service) contain(ctx context.Context, id int64, o *outcome, work func()) {
	defer func() {
		if p := recover(); p != nil {
			s.log.ErrorContext(ctx, "notice panicked", slog.Any("panic", p), slog.Int64("notice_id", id), slog.String("stack", string(debug.Stack())))
			*o = outcome{verdict: refused, at: s.now(), failure: failPanic}
		}
	}()
	work()
}

// send makes one try for a claimed notice and writes down what came of it.
func (s *Service) send(ctx context.Context, w claimed) {
	var o outcome
	c, err := s.open(w.channel)
	if err != nil {
		s.log.ErrorContext(ctx, "notice channel cannot be opened", slog.Int64("channel_id", w.channel.ID), slog.Any("error", err))
		o = outcome{verdict: refused, at: s.now(), failure: failed(failSealed, "")}
	} else {
		e := envelope{id: "notice_" + formatID(w.notice.id), event: w.notice.event, facts: w.notice.facts, at: w.notice.createdAt}
		s.contain(ctx, w.notice.id, &o, func() { o = s.call(ctx, c, e) })
	}
	released := o.status == 0 && o.failure != "" && ctx.Err() != nil // we ended it; nobody knows whether it was taken
	s.record(context.WithoutCancel(ctx), w, o, released)
}

// record tries until the lease ends; what cannot be written is sent again then.
func (s *Service) record(ctx context.Context, w claimed, o outcome, released bool) {
	ctx, cancel := context.WithTimeout(ctx, s.cfg.lease)
	defer cancel()
	for pause := 50 * time.Millisecond; ; pause = min(2*pause, time.Second) {
		limited, cancelOne := context.WithTimeout(ctx, s.cfg.lease/4)
		result, err := s.settle(limited, w, o, released)
		cancelOne()
		if err == nil {
			s.tell(ctx, w, o, result)
			return
		}
		if ctx.Err() != nil || released {
			s.log.WarnContext(ctx, "result of a notice cannot be written; it may be sent twice", slog.Int64("notice_id", w.notice.id), slog.Any("error", err))
			return
		}
		idle(ctx, pause, nil)
	}
}

func (s *Service) tell(ctx context.Context, w claimed, o outcome, result string) {
	if s.cfg.Meter != nil && result != "" {
		s.cfg.Meter.Noticed(result)
	}
	if o.failure != "" && result != "" {
		s.log.WarnContext(ctx, "notice not sent", slog.Int64("notice_id", w.notice.id), slog.Int64("channel_id", w.channel.ID),
			slog.String("kind", w.channel.Kind), slog.Int("status", o.status), slog.String("result", result), slog.String("error", o.failure.In(fault.English)))
	}
	s.poke() // there may be more for this channel
}

// settle writes down what became of a try and gives the word for it; empty: it does not count.
func (s *Service) settle(ctx context.Context, w claimed, o outcome, released bool) (result string, err error) {
	err = pgx.BeginFunc(ctx, s.deps.DB, func(tx pgx.Tx) error {
		c, err := lockChannel(ctx, tx, w.channel.ID)
		if errors.Is(err, pgx.ErrNoRows) { // deleted meanwhile
			result = ""
			return nil
		}
		if err != nil {
			return err
		}
		ours := c.lease.Equal(w.lease)
		n := w.notice
		state := statePending
		switch {
		case released:
			result = ""
			if ours {
				return releaseChannel(ctx, tx, c.ID)
			}
			return nil
		case o.verdict == taken: // counts whoever has the channel now: the robot has it
			result, state = "sent", stateSent
		case !ours:
			result = ""
			return nil
		case o.verdict == refused, s.tooLate(n, c, o.at):
			result, state = "dead", stateDead
		case o.verdict == limited:
			result = "limited"
		default:
			result, n.nextAt = "failed", o.at.Add(s.pause(n.tries)) // others may go first: perhaps it is only this one
		}
		if err := settleNotice(ctx, tx, n, state, o); err != nil {
			return err
		}
		if ours {
			if err := s.settleChannel(ctx, tx, &c, o); err != nil {
				return err
			}
		}
		return live.Publish(ctx, tx, live.Event{Kind: eventNotice, ID: formatID(n.id), AppID: n.facts.AppID, State: state})
	})
	return result, err
}

// tooLate reports whether a notice that failed again is given up: after a day of tries, its own or its channel's.
func (s *Service) tooLate(n Notice, c storedChannel, at time.Time) bool {
	return at.Sub(n.queuedAt) >= s.span() && (n.tries >= len(pauses()) || s.failsForLong(c, at))
}

func (s *Service) failsForLong(c storedChannel, at time.Time) bool {
	return !c.FailingSince.IsZero() && at.Sub(c.FailingSince) >= s.span()
}

// settleChannel gives the channel back and notes how it does and when it may be tried again.
func (s *Service) settleChannel(ctx context.Context, tx pgx.Tx, c *storedChannel, o outcome) error {
	if o.verdict == taken {
		c.FailingSince, c.Failures, c.LastError = time.Time{}, 0, ""
		c.LastSentAt = o.at
	} else {
		if c.FailingSince.IsZero() {
			c.FailingSince = o.at
		}
		c.Failures++
		c.LastError = o.failure
		if next := o.at.Add(s.channelPause(*c, o)); next.After(c.NextAt) {
			c.NextAt = next
		}
	}
	if err := updateChannel(ctx, tx, *c); err != nil {
		return err
	}
	if o.verdict != taken && s.failsForLong(*c, o.at) { // whatever else is past its time has the same fate
		if err := giveUpBefore(ctx, tx, c.ID, o.at.Add(-s.span()), string(o.failure)); err != nil {
			return err
		}
	}
	return releaseChannel(ctx, tx, c.ID)
}

func (s *Service) channelPause(c storedChannel, o outcome) time.Duration {
	switch {
	case o.verdict == again:
		return s.pause(c.Failures)
	case o.verdict == limited && o.wait > 0:
		return o.wait
	case o.verdict == limited:
		return limitPause(c.Kind)
	default: // a refusal is about this notice as far as we know: the next one may be taken
		return 0
	}
}

func noNotice() error { return fault.New(fault.NotFound, "There is no such notice.") }

// Retry sends a notice again now, also one that was sent, and ends the pause of a channel that fails. It fails with a
// Conflict when the channel is switched off.
func (s *Service) Retry(ctx context.Context, id int64) (Notice, error) {
	n, err := readNotice(ctx, s.deps.DB, id)
	if err == nil {
		err = pgx.BeginFunc(ctx, s.deps.DB, func(tx pgx.Tx) error { return s.retry(ctx, tx, n) })
	}
	if err == nil {
		s.poke()
		n, err = readNotice(ctx, s.deps.DB, id)
	}
	if errors.Is(err, pgx.ErrNoRows) {
		return Notice{}, noNotice()
	}
	return n, err
}

// retry locks the channel first, as all do.
func (s *Service) retry(ctx context.Context, tx pgx.Tx, n Notice) error {
	c, err := lockChannel(ctx, tx, n.channelID)
	if err != nil {
		return err
	}
	if !c.Enabled {
		return fault.New(fault.Conflict, "The channel of this notice is switched off. Enable it first.")
	}
	if c.Failures > 0 {
		c.NextAt = c.triedAt.Add(spacing(c.Kind))
		if err := updateChannel(ctx, tx, c); err != nil {
			return err
		}
	}
	if err := retryNotice(ctx, tx, n.id, s.now()); err != nil {
		return err
	}
	return live.Publish(ctx, tx, live.Event{Kind: eventNotice, ID: formatID(n.id), State: statePending})
}
