package component

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/wxsteward/wxsteward/internal/fault"
	"github.com/wxsteward/wxsteward/internal/live"
	"github.com/wxsteward/wxsteward/internal/postgres"
	"github.com/wxsteward/wxsteward/internal/sealed"
)

const (
	infoTypeTicket = "component_verify_ticket"
	ticketPurpose  = "component/ticket"
)

// Ticket is WeChat's proof that we are the platform: a new one is pushed every ten minutes, each is good for twelve
// hours.
//
// WeChat docs:
// https://developers.weixin.qq.com/doc/oplatform/Third-party_Platforms/2.0/api/Before_Develop/component_verify_ticket.html
type Ticket struct {
	Value      sealed.Secret
	CreatedAt  time.Time // WeChat's CreateTime
	ReceivedAt time.Time
}

// TicketStatus is what may be told about the ticket without telling it.
type TicketStatus struct {
	Present    bool
	ReceivedAt time.Time     // zero when there is none
	Age        time.Duration // since ReceivedAt
	Stale      bool          // older than Config.TicketStaleAfter, or none
	Health     TicketHealth
	AlarmSince time.Time // zero unless Health is TicketAlarm
}

// Ticket reads the newest ticket; fault.Conflict when there is none yet.
func (s *Service) Ticket(ctx context.Context) (Ticket, error) {
	t, box, err := readTicket(ctx, s.deps.DB, s.cfg.AppID)
	if errors.Is(err, pgx.ErrNoRows) {
		return Ticket{}, fault.New(fault.Conflict,
			"No ticket has come from WeChat yet. Check the callback address in the console, or restart the push on the platform page.")
	}
	if err != nil {
		return Ticket{}, fmt.Errorf("read ticket: %w", err)
	}
	if t.Value, err = s.deps.Keys.Open(box, ticketPurpose); err != nil {
		return Ticket{}, fmt.Errorf("open ticket: %w", err)
	}
	return t, nil
}

// TicketStatus tells how the ticket is.
func (s *Service) TicketStatus(ctx context.Context) (TicketStatus, error) {
	return s.ticketStatus(ctx, s.deps.DB)
}

func (s *Service) ticketStatus(ctx context.Context, db postgres.DB) (TicketStatus, error) {
	_, _, alarmAfter := s.ticketLimits()
	t, _, err := readTicket(ctx, db, s.cfg.AppID)
	if errors.Is(err, pgx.ErrNoRows) {
		status := TicketStatus{Stale: true, Health: TicketStale}
		since, err := waitingSince(ctx, db, s.cfg.AppID)
		if err != nil {
			return TicketStatus{}, fmt.Errorf("read ticket: %w", err)
		}
		if !since.IsZero() && s.now().Sub(since) > alarmAfter {
			status.Health, status.AlarmSince = TicketAlarm, since.Add(alarmAfter)
		}
		return status, nil
	}
	if err != nil {
		return TicketStatus{}, fmt.Errorf("read ticket: %w", err)
	}
	now := s.now()
	if t.ReceivedAt.After(now.Add(clockTolerance)) {
		t.ReceivedAt = t.CreatedAt // our clock was ahead when it came
	}
	age := max(0, now.Sub(t.ReceivedAt))
	status := TicketStatus{Present: true, ReceivedAt: t.ReceivedAt, Age: age, Stale: age > s.cfg.TicketStaleAfter, Health: s.ticketHealth(age)}
	if status.Health == TicketAlarm {
		status.AlarmSince = t.ReceivedAt.Add(alarmAfter)
	}
	return status, nil
}

// clockTolerance is how far WeChat's clock may be ahead of ours before its CreateTime is not believed. A ticket from the
// far future would otherwise keep out all later ones. Nor do we believe a time of our own that is further ahead than this.
const clockTolerance = 10 * time.Minute

// takeTicket keeps the ticket of a message, unless there is a newer one already: pushes may arrive out of order.
func (s *Service) takeTicket(ctx context.Context, m Message) error {
	f := m.Fields()
	value := sealed.New(f.Text("ComponentVerifyTicket"))
	if value.IsZero() {
		return fmt.Errorf("message %d holds no ticket: %w", m.ID, errGiveUp)
	}
	if appid := f.Text("AppId"); appid != "" && appid != s.cfg.AppID {
		return fmt.Errorf("message %d holds a ticket of another platform, %s: %w", m.ID, short(appid), errGiveUp)
	}
	createdAt := m.CreatedAt
	if createdAt.IsZero() || createdAt.After(m.ReceivedAt.Add(clockTolerance)) {
		createdAt = m.ReceivedAt
	}
	return s.keepTicket(ctx, value, createdAt, m.ReceivedAt)
}

// keepTicket keeps a ticket, unless there is a newer one already.
func (s *Service) keepTicket(ctx context.Context, value sealed.Secret, createdAt, receivedAt time.Time) error {
	box, err := s.deps.Keys.Seal(value, ticketPurpose)
	if err != nil {
		return fmt.Errorf("seal ticket: %w", err)
	}
	err = pgx.BeginFunc(ctx, s.deps.DB, func(tx pgx.Tx) error {
		health, since, err := lockTicketHealth(ctx, tx, s.cfg.AppID, s.now())
		if err != nil {
			return err
		}
		newest, err := putTicket(ctx, tx, s.cfg.AppID, box, createdAt, receivedAt)
		if err != nil || !newest {
			return err
		}
		if err := forgetRestarts(ctx, tx, s.cfg.AppID, restartStale); err != nil {
			return err
		}
		if err := s.enqueueTokenRefresh(ctx, tx); err != nil {
			return err
		}
		if err := s.moveTicketHealth(ctx, tx, health, since); err != nil {
			return err
		}
		return live.Publish(ctx, tx, live.Event{Kind: "ticket", ID: s.cfg.AppID, State: "received"})
	})
	if err != nil {
		return fmt.Errorf("keep ticket: %w", err)
	}
	return nil
}

// RestartTicket asks WeChat to push tickets again (api_start_push_ticket), now. It does no harm when the push is
// running. The outcome is remembered for the back-off of the automatic restarts.
func (s *Service) RestartTicket(ctx context.Context) error {
	if _, err := claimRestart(ctx, s.deps.DB, s.cfg.AppID, restartStale, s.now(), 0, 0); err != nil {
		return fmt.Errorf("restart ticket push: %w", err)
	}
	return s.startPush(ctx)
}

// restartReason is why the push is restarted. Each has its own pauses: when WeChat pushes a ticket and refuses it at once,
// its coming must not end the pauses, or one would chase the other.
type restartReason string

const (
	restartStale   restartReason = "stale"   // until a ticket comes
	restartRefused restartReason = "refused" // until a ticket is taken
)

// keepTicketFresh restarts the push when the ticket is stale, or when refused says that WeChat does not take it. Pauses
// between tries grow: the fault is then most likely at our address, not at WeChat.
func (s *Service) keepTicketFresh(ctx context.Context, refused bool) error {
	status, err := s.TicketStatus(ctx)
	if err != nil || !status.Stale && !refused {
		return err
	}
	creds, err := s.credentials(ctx)
	if err != nil || creds.appSecret.IsZero() {
		return err // not set up yet
	}
	why := restartStale
	if refused {
		why = restartRefused
	}
	base := min(time.Minute, s.cfg.TicketStaleAfter)
	ours, err := claimRestart(ctx, s.deps.DB, s.cfg.AppID, why, s.now(), base, time.Hour)
	if err != nil || !ours {
		return err
	}
	s.log.WarnContext(ctx, "restarting the ticket push", "reason", why, "present", status.Present, "age", status.Age.Round(time.Second).String())
	if err := s.startPush(ctx); err != nil {
		return errors.Join(err, s.announceRestartFailed(ctx, status, err))
	}
	return nil
}

func (s *Service) startPush(ctx context.Context) error {
	creds, err := s.credentials(ctx)
	if err != nil {
		return err
	}
	if creds.appSecret.IsZero() {
		return errNoAppSecret()
	}
	if err := s.deps.WeChat.StartPushTicket(ctx, creds.appSecret); err != nil {
		return fmt.Errorf("restart ticket push: %w", err)
	}
	return nil
}

func errNoAppSecret() error {
	return fault.New(fault.Conflict, "The platform's AppSecret is not set. Enter it in the platform settings.")
}
