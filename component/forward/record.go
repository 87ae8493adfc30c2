package forward

import (
	"context"
	"errors"
	"log/slog"
	"time"

	"github.com/wxsteward/wxsteward/internal/live"
	"github.com/wxsteward/wxsteward/internal/postgres"
)

// result is what became of one delivery's try, or of a relay (deliveryID 0).
type result struct {
	outcome

	ruleID, deliveryID, messageID int64
	appid                         string
	tries                         int           // with this one
	lease                         time.Time     // as it was claimed
	released                      bool          // not tried, or ended by us: the next worker may have it
	wait                          time.Duration // when released: not before this is over
	final                         bool          // trying again is no use
	last                          bool          // no result: none follows
}

// asked reports whether the target had its chance.
func (r result) asked() bool { return !r.released && !r.final && r.failure != failUnread }

const (
	// gather is how long results wait for others that are written with them.
	gather      = 10 * time.Millisecond
	maxGathered = 512
	// finalFlush is how long writing may take after the last call has ended, when we stop.
	finalFlush   = 2 * time.Second
	writeTimeout = 6 * time.Second
)

// record writes results in batches until the last has come. After ctx has ended it only takes them.
func (s *Service) record(ctx context.Context) {
	for last := false; !last; {
		batch := []result{<-s.results}
		timer := time.NewTimer(gather)
	gathering:
		for !batch[len(batch)-1].last && len(batch) < maxGathered {
			select {
			case r := <-s.results:
				batch = append(batch, r)
			case <-timer.C:
				break gathering
			}
		}
		timer.Stop()
		if last = batch[len(batch)-1].last; last {
			batch = batch[:len(batch)-1]
		}
		s.write(ctx, batch)
	}
}

// write repeats until it succeeds or ctx ends: what is not written is sent again when its lease is over. While it fails
// nothing new is taken.
func (s *Service) write(ctx context.Context, batch []result) {
	if len(batch) == 0 {
		return
	}
	settled := s.judge(batch)
	const hopeless = 5 // refusals by a database that is there; the deliveries are sent again
	for pause, refused := 50*time.Millisecond, 0; ; pause = min(2*pause, time.Second) {
		limited, cancel := context.WithTimeout(ctx, writeTimeout)
		err := s.writeResults(limited, s.deps.DB, settled)
		cancel()
		if err == nil {
			break
		}
		s.stuck.Store(true)
		s.log.WarnContext(ctx, "results of deliveries cannot be written, trying again", slog.Int("results", len(batch)), slog.Any("error", err))
		if !postgres.IsUnavailable(err) && !errors.Is(err, context.DeadlineExceeded) {
			refused++
		}
		if ctx.Err() != nil || refused == hopeless {
			break
		}
		idle(ctx, pause, nil)
	}
	s.stuck.Store(false)
	for _, v := range settled {
		if v.state == statePending {
			s.poke() // it may be due before the next look
			break
		}
	}
	s.countAttempts(settled)
	s.news.tell(ctx, s, settled)
}

// verdict is a result with what follows from it.
type verdict struct {
	result

	state  string
	nextAt time.Time // when state is pending
}

func (s *Service) judge(batch []result) []verdict {
	list := make([]verdict, 0, len(batch))
	for _, r := range batch {
		v := verdict{result: r, state: stateDelivered}
		pause, again := s.pause(r.tries)
		switch {
		case r.released:
			v.state, v.nextAt, v.tries = statePending, s.now().Add(r.wait), r.tries-1
		case r.ok():
		case r.final || !again:
			v.state = stateDead
		default:
			v.state, v.nextAt = statePending, r.at.Add(pause)
		}
		list = append(list, v)
	}
	return list
}

// announcer tells watching pages which messages' deliveries have changed, some of them: it is no use to tell of
// thousands a second.
type announcer struct {
	second time.Time
	told   int
}

func (a *announcer) tell(ctx context.Context, s *Service, settled []verdict) {
	const perSecond = 20
	if time.Since(a.second) > time.Second {
		a.second, a.told = time.Now(), 0
	}
	for _, v := range settled {
		if v.deliveryID == 0 || v.released || a.told >= perSecond {
			continue
		}
		a.told++
		if err := live.Publish(ctx, s.deps.DB, live.Event{Kind: "message", ID: formatID(v.messageID), AppID: v.appid}); err != nil {
			s.log.DebugContext(ctx, "not announced", slog.Any("error", err))
			return
		}
	}
}
