package notice

import (
	"context"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/wxsteward/wxsteward/component"
	"github.com/wxsteward/wxsteward/internal/live"
)

// eventNotice is the kind of live event about notices and their channels.
const eventNotice = "notice"

// events are what a channel can be told, in the order in which pages list them.
func events() []string {
	return []string{
		component.EventTicketStale, component.EventAuditResult, component.EventRolloutPaused, component.EventRolloutDone,
		component.EventDeadLetter, component.EventRulePaused, component.EventWithdrawn,
	}
}

// manner is how repeated news of one kind and key is told.
type manner struct {
	// counted news adds up: it is gathered for a while, and what comes within quiet after a notice waits for the next one.
	// Other news replaces what was not sent yet.
	counted bool
	gather  time.Duration
	quiet   time.Duration // not counted: within it news of the same key is no news; 0: it always is
}

func mannerOf(event string) manner {
	const quiet = 5 * time.Minute
	switch event {
	case component.EventAuditResult, component.EventWithdrawn:
		return manner{counted: true, gather: 5 * time.Second, quiet: quiet}
	case component.EventDeadLetter:
		return manner{counted: true, gather: 30 * time.Second, quiet: quiet}
	case component.EventTicketStale:
		return manner{quiet: 6 * time.Hour}
	default:
		return manner{}
	}
}

// Announce stores a notice for every enabled channel that wants the event. It implements component.Announcer. Where one of
// the same key still waits it becomes part of that, unless somebody holds that row: then the two are put together when they
// are sent.
func (s *Service) Announce(ctx context.Context, tx pgx.Tx, a component.Announcement) error {
	channels, err := subscribers(ctx, tx, a.Event)
	if err != nil {
		return fmt.Errorf("announce %s: %w", a.Event, err)
	}
	for _, channel := range channels {
		id, err := s.announceTo(ctx, tx, channel, a)
		if err == nil && id != 0 {
			err = live.Publish(ctx, tx, live.Event{Kind: eventNotice, ID: formatID(id), State: statePending})
		}
		if err != nil {
			return fmt.Errorf("announce %s to channel %d: %w", a.Event, channel, err)
		}
	}
	return nil
}

// announceTo gives the id of the notice that holds the news; 0: it is none.
func (s *Service) announceTo(ctx context.Context, tx pgx.Tx, channel int64, a component.Announcement) (int64, error) {
	how, now := mannerOf(a.Event), s.now()
	told := factsOf(a)
	waiting, err := lockWaiting(ctx, tx, channel, a.Event, a.Key, 1)
	if err != nil {
		return 0, err
	}
	if len(waiting) == 1 {
		return waiting[0].id, setFacts(ctx, tx, waiting[0].id, how.join(waiting[0].facts, told))
	}
	last, err := lastOf(ctx, tx, channel, a.Event, a.Key)
	if err != nil {
		return 0, err
	}
	if !how.counted && how.quiet > 0 && (last.pending || last.at.After(now.Add(-how.quiet))) {
		return 0, nil
	}
	due := now
	if how.counted {
		gather := how.gather
		if s.cfg.gather != 0 {
			gather = max(s.cfg.gather, 0)
		}
		due = now.Add(gather)
		if quietUntil := last.at.Add(how.quiet); quietUntil.After(due) {
			due = quietUntil
		}
	}
	return insertNotice(ctx, tx, channel, a.Event, a.Key, told, now, due)
}

// join is what one notice says about two pieces of news, the earlier one first.
func (m manner) join(earlier, later facts) facts {
	if m.counted {
		return earlier.and(later)
	}
	return later
}
