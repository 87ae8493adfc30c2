package component

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/wxsteward/wxsteward/internal/live"
	"github.com/wxsteward/wxsteward/internal/postgres"
)

// TicketHealth is how worried one should be about the ticket.
type TicketHealth string

// The levels, by the age of the newest ticket. WeChat pushes one every ten minutes and each is good for twelve hours; all
// levels are fractions of Config.TicketStaleAfter, so that they stay in order whatever it is.
const (
	TicketOK    TicketHealth = "ok"
	TicketWarn  TicketHealth = "warn"  // older than two thirds of TicketStaleAfter, 20 minutes
	TicketStale TicketHealth = "stale" // older than TicketStaleAfter, 30 minutes: the push is restarted; also when there is none yet
	TicketAlarm TicketHealth = "alarm" // older than four times that, 2 hours: restarting does not help, somebody must look
)

// ticketLimits are the ages at which the levels begin.
func (s *Service) ticketLimits() (warn, stale, alarm time.Duration) {
	const alarmFactor = 4
	stale = s.cfg.TicketStaleAfter
	return stale * 2 / 3, stale, stale * alarmFactor
}

func (s *Service) ticketHealth(age time.Duration) TicketHealth {
	warn, stale, alarm := s.ticketLimits()
	switch {
	case age > alarm:
		return TicketAlarm
	case age > stale:
		return TicketStale
	case age > warn:
		return TicketWarn
	}
	return TicketOK
}

// bad reports whether tickets stay away, so that their coming is news.
func (h TicketHealth) bad() bool { return h == TicketStale || h == TicketAlarm }

// watchTicket notes when the ticket's health changes, and tells of it.
func (s *Service) watchTicket(ctx context.Context) error {
	creds, err := s.credentials(ctx)
	if err != nil {
		return err
	}
	if creds.appSecret.IsZero() {
		return nil // not set up yet: nobody waits for tickets
	}
	err = pgx.BeginFunc(ctx, s.deps.DB, func(tx pgx.Tx) error {
		before, since, err := lockTicketHealth(ctx, tx, s.cfg.AppID, s.now())
		if err != nil {
			return err
		}
		return s.moveTicketHealth(ctx, tx, before, since)
	})
	if err != nil {
		return fmt.Errorf("watch ticket: %w", err)
	}
	return nil
}

// moveTicketHealth records the health as it is now, under the lock of lockTicketHealth, which gave before and since. What it
// tells is told once, however many replicas look.
func (s *Service) moveTicketHealth(ctx context.Context, tx pgx.Tx, before TicketHealth, since time.Time) error {
	status, err := s.ticketStatus(ctx, tx)
	if err != nil {
		return err
	}
	after := status.Health
	if after == before {
		return nil
	}
	if err := setTicketHealth(ctx, tx, s.cfg.AppID, after, s.now()); err != nil {
		return err
	}
	recovered := before.bad() && !after.bad()
	switch {
	case recovered:
		err = s.ticketRecovered(ctx, tx, before, since)
	case after == TicketAlarm:
		err = s.ticketAlarm(ctx, tx, status)
	}
	if err != nil {
		return err
	}
	state := string(after)
	switch {
	case recovered:
		state = "recovered"
	case after == TicketOK:
		return nil // the ticket that came has told already
	}
	return live.Publish(ctx, tx, live.Event{Kind: "ticket", ID: s.cfg.AppID, State: state})
}

// ticketAlarm is called once when the alarm begins, over all replicas, in the transaction that records it. What it writes
// in tx is there if and only if the alarm is.
func (s *Service) ticketAlarm(ctx context.Context, tx pgx.Tx, status TicketStatus) error {
	s.log.ErrorContext(ctx, "tickets stay away", "present", status.Present, "age", status.Age.Round(time.Second).String())
	return s.announceTicketAlarm(ctx, tx, status)
}

// ticketRecovered is called once when tickets come again after they were stale or worse, in the transaction that keeps the
// ticket. before is how bad it was, since is when that level began.
func (s *Service) ticketRecovered(ctx context.Context, tx pgx.Tx, before TicketHealth, since time.Time) error {
	s.log.InfoContext(ctx, "tickets come again", "was", string(before), "since", since)
	return s.announceTicketsAgain(ctx, tx, before, since)
}

// lockTicketHealth gives the health as last recorded and since when. The lock puts a ticket that comes and those who look at
// its age in order: without it an alarm could begin right after the ticket that ends it.
func lockTicketHealth(ctx context.Context, tx pgx.Tx, appid string, now time.Time) (level TicketHealth, since time.Time, err error) {
	const q = `INSERT INTO ticket_health AS h (appid, level, since, waiting_since) VALUES ($1, 'ok', $2, $2)
		ON CONFLICT (appid) DO UPDATE SET appid = h.appid RETURNING level, since`
	err = tx.QueryRow(ctx, q, appid, now).Scan(&level, &since)
	return level, since, err
}

func setTicketHealth(ctx context.Context, tx pgx.Tx, appid string, level TicketHealth, now time.Time) error {
	_, err := tx.Exec(ctx, `UPDATE ticket_health SET level = $2, since = $3 WHERE appid = $1`, appid, level, now)
	return err
}

// waitingSince is when somebody first waited for a ticket; zero: nobody does yet.
func waitingSince(ctx context.Context, db postgres.DB, appid string) (at time.Time, err error) {
	err = db.QueryRow(ctx, `SELECT waiting_since FROM ticket_health WHERE appid = $1`, appid).Scan(&at)
	if errors.Is(err, pgx.ErrNoRows) {
		return time.Time{}, nil
	}
	return at, err
}
