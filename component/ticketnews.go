package component

import (
	"context"
	"fmt"
	"strconv"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/wxsteward/wxsteward/internal/fault"
)

const platformPath = "/platform"

// outage names one lack of tickets: that after the last one.
func outage(last time.Time) string { return strconv.FormatInt(last.Unix(), 10) }

func (s *Service) announceTicketAlarm(ctx context.Context, tx pgx.Tx, status TicketStatus) error {
	if s.deps.Announcer == nil {
		return nil
	}
	why := TextOf("Asking WeChat to push tickets again has not helped.")
	if !status.Present {
		why = TextOf("None has come since the platform was set up.")
	}
	return s.deps.Announcer.Announce(ctx, tx, Announcement{
		Event: EventTicketStale, Key: "alarm/" + outage(status.AlarmSince), Path: platformPath, Since: status.ReceivedAt, Reason: why,
	})
}

// announceRestartFailed tells staff sooner than the alarm: when WeChat does not even take the request, waiting is no use. It
// is called at every try; the key makes that one piece of news.
func (s *Service) announceRestartFailed(ctx context.Context, status TicketStatus, cause error) error {
	if s.deps.Announcer == nil {
		return nil
	}
	why := TextBy(func(lang string) string {
		return fault.Say(lang, "WeChat was asked to push tickets again and did not take the request: %s", fault.ProblemFor(cause, lang).Detail)
	})
	err := pgx.BeginFunc(ctx, s.deps.DB, func(tx pgx.Tx) error {
		return s.deps.Announcer.Announce(ctx, tx, Announcement{
			Event: EventTicketStale, Key: "restart/" + outage(status.ReceivedAt), Path: platformPath, Since: status.ReceivedAt, Reason: why,
		})
	})
	if err != nil {
		return fmt.Errorf("announce that tickets stay away: %w", err)
	}
	return nil
}

// announceTicketsAgain ends an alarm that staff were told of.
func (s *Service) announceTicketsAgain(ctx context.Context, tx pgx.Tx, before TicketHealth, since time.Time) error {
	if s.deps.Announcer == nil || before != TicketAlarm {
		return nil
	}
	return s.deps.Announcer.Announce(ctx, tx, Announcement{
		Event: EventTicketStale, Key: "again/" + outage(since), Path: platformPath, Outcome: OutcomeRecovered,
	})
}
