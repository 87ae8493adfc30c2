package register

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/wxsteward/wxsteward/authorize/refusal"
	"github.com/wxsteward/wxsteward/authorize/turn"
	"github.com/wxsteward/wxsteward/internal/fault"
	"github.com/wxsteward/wxsteward/internal/sealed"
	"github.com/wxsteward/wxsteward/internal/wechat"
)

// Registrations of some kinds begin on a page of WeChat's. Its administrator goes there by way of a page of ours and brings
// back a voucher, with which one call is made. What is given to the visitor is a state that works once.

const (
	// visitLife is how long somebody may stay on WeChat's page.
	visitLife = time.Hour
	// maxRounds bounds the vouchers of one address, each of which costs a call.
	maxRounds  = 50
	maxVoucher = 1024
	// settling is how long after a call whose answer was lost a mini program may still come of it.
	settling = 10 * time.Minute
)

var (
	errOver      = errors.New("the registration waits for nobody")
	errUsedState = errors.New("the state is unknown, used or too old")
)

// startVisited does what is due before somebody has been on WeChat's page, or after.
func (s *Service) startVisited(ctx context.Context, r *Registration) error {
	switch {
	case r.State == stateSent:
		return s.reconcile(ctx, r)
	case r.voucher == nil:
		now := s.cfg.Now()
		r.State, r.URL = stateWaiting, s.merchants.URL("registrations", r.ID)
		r.ExpiresAt = new(now.Add(confirmation))
		r.NextAt = r.ExpiresAt.Add(late)
		return s.save(ctx, r)
	}
	return s.redeem(ctx, r)
}

// awaitVisitor ends a registration that nobody has come for. After a call whose answer was lost it goes on looking for what may
// have come of that.
func (s *Service) awaitVisitor(ctx context.Context, r *Registration) error {
	now := s.cfg.Now()
	r.NextAt = r.ExpiresAt.Add(late)
	if r.Kind == kindOfficialAccount && r.sentAt != nil && r.Refusal.Away {
		found, err := s.candidate(ctx, *r)
		if err != nil {
			return err
		}
		if found != "" {
			return s.arrived(ctx, r, found)
		}
		r.NextAt = now.Add(s.cfg.Poll)
	}
	if now.After(r.ExpiresAt.Add(late)) {
		r.State = stateExpired
	}
	return s.save(ctx, r)
}

// visit gives a state to somebody who goes to WeChat's page; errOver if the registration waits for nobody.
func (s *Service) visit(ctx context.Context, id string) (r Registration, state string, err error) {
	state = strings.ToLower(rand.Text())
	now := s.cfg.Now()
	err = s.inTx(ctx, func(tx pgx.Tx) error {
		if r, err = lockRegistration(ctx, tx, id); err != nil {
			return err
		}
		if !r.waits(now) {
			return errOver
		}
		return insertVisit(ctx, tx, fingerprint(state), id, now.Add(visitLife))
	})
	return r, state, err
}

// waits reports whether a visitor may still come.
func (r Registration) waits(now time.Time) bool {
	return r.State == stateWaiting && r.ExpiresAt != nil && now.Before(*r.ExpiresAt) && r.round < maxRounds
}

func fingerprint(state string) string { return sealed.New(state).Fingerprint() }

// take stores what a visitor has brought from WeChat's page and has the call made. All states given out for this registration
// end with it. It fails with errUsedState for one that was never given, and with errOver.
func (s *Service) take(ctx context.Context, id, state string, voucher sealed.Secret) error {
	box, err := s.keys.Seal(voucher, voucherPurpose(id))
	if err != nil {
		return fmt.Errorf("seal voucher: %w", err)
	}
	now := s.cfg.Now()
	return s.inTx(ctx, func(tx pgx.Tx) error {
		r, err := lockRegistration(ctx, tx, id)
		if err != nil {
			return err
		}
		known, err := useVisit(ctx, tx, fingerprint(state), id, now)
		switch {
		case err != nil:
			return fmt.Errorf("use a visit: %w", err)
		case !known:
			return errUsedState
		case r.State != stateWaiting || r.round >= maxRounds: // who came in time to WeChat's page may come late from it
			return errOver
		}
		r.State, r.voucher, r.attempts, r.Refusal, r.NextAt = statePending, box, 0, refusal.Refusal{}, now
		r.round++
		return s.put(ctx, tx, &r)
	})
}

// redeem makes the call that a voucher is for, once.
func (s *Service) redeem(ctx context.Context, r *Registration) error {
	voucher, err := s.keys.Open(r.voucher, voucherPurpose(r.ID))
	if err != nil { // of another key
		s.cfg.Logger.WarnContext(ctx, "registration voucher not readable", "registration", r.ID, "error", err)
		r.askAnew(refusal.Refusal{Away: true}, s.cfg.Now())
		return s.save(ctx, r)
	}
	r.attempts++
	now := s.cfg.Now()
	// Committed before the call leaves: whoever finds it sent does not make it again.
	if err := markSent(ctx, s.db, r.ID, r.attempts, now); err != nil {
		return fmt.Errorf("note call of registration %s: %w", r.ID, err)
	}
	r.State, r.sentAt = stateSent, &now
	account := r.AppID
	if r.Kind == kindOfficialAccount {
		account = r.Request[fieldOfficial]
	}
	var made wechat.FastRegistration
	err = turn.Take(ctx, s.locks, account, func(ctx context.Context) (err error) {
		if r.Kind == kindAdminChange {
			return s.merchants.API(account).RebindAdmin(ctx, voucher)
		}
		made, err = s.merchants.API(account).FastRegister(ctx, voucher)
		return err
	})
	keep, cancel := context.WithTimeout(context.WithoutCancel(ctx), 30*time.Second)
	defer cancel()
	now = s.cfg.Now()
	switch {
	case err == nil:
		return s.redeemed(keep, r, made)
	case wechat.OutcomeUnknown(err):
		s.cfg.Logger.WarnContext(ctx, "registration not answered", "registration", r.ID, "kind", r.Kind, "attempt", r.attempts, "error", err)
		r.Refusal, r.NextAt = refusal.Refusal{Away: true}, now.Add(s.cfg.RetryBase)
		if r.Kind == kindAdminChange {
			r.State = stateFailed
		}
	case notMade(err):
		r.State, r.Refusal, r.NextAt = statePending, refusal.Of(err), now.Add(s.pause(r))
		r.attempts--
	case gone(err):
		r.State, r.Refusal = stateFailed, refusal.Of(err)
	case wechat.ClassOf(err) == wechat.ClassTransient && r.attempts < tries:
		r.State, r.Refusal, r.NextAt = statePending, refusal.Of(err), now.Add(s.pause(r))
	default:
		r.askAnew(refusal.Of(err), now)
	}
	return s.save(keep, r)
}

// gone tells that the merchant has withdrawn its authorization.
func gone(err error) bool {
	e, ok := errors.AsType[*fault.Error](err)
	return ok && (e.Kind == fault.Unauthorized || e.Kind == fault.NotFound)
}

// askAnew has the administrator come once more while the address works.
func (r *Registration) askAnew(why refusal.Refusal, now time.Time) {
	r.State, r.voucher, r.Refusal, r.NextAt = stateWaiting, nil, why, r.ExpiresAt.Add(late)
	if !now.Before(*r.ExpiresAt) {
		r.State = stateFailed
	}
}

func (s *Service) redeemed(ctx context.Context, r *Registration, made wechat.FastRegistration) error {
	r.voucher, r.Refusal = nil, refusal.Refusal{}
	if r.Kind == kindAdminChange {
		return s.converted(ctx, r)
	}
	// The code first: without it the merchant would have to authorize again. Where the rest is not stored any more, the merchant
	// is found as after a lost answer.
	if err := s.merchants.ReceiveCode(ctx, made.AppID, made.Code, s.cfg.Now()); err != nil {
		return err
	}
	r.VerifyCopied, r.Linked = &made.VerifyCopied, &made.Linked
	return s.arrived(ctx, r, made.AppID)
}

// reconcile finds out what became of a call whose answer was lost. WeChat sends no event, so the list of all that have authorized
// is read; the mini program is on it if it was made. The call is not made again: if nothing has come of it the administrator is
// asked once more.
func (s *Service) reconcile(ctx context.Context, r *Registration) error {
	r.Refusal = refusal.Refusal{Away: true}
	if r.Kind == kindAdminChange { // nothing tells who the administrator is
		r.State = stateFailed
		return s.save(ctx, r)
	}
	found, err := s.candidate(ctx, *r)
	if err != nil {
		return err
	}
	if found != "" {
		r.voucher = nil
		return s.arrived(ctx, r, found)
	}
	runs, err := s.merchants.Syncs(ctx, 1)
	if err != nil {
		return err
	}
	now, settled := s.cfg.Now(), r.sentAt.Add(settling)
	r.NextAt = now.Add(s.cfg.Poll)
	switch {
	case len(runs) > 0 && runs[0].FinishedAt == nil: // its list comes soon
	case len(runs) > 0 && runs[0].State == "completed" && !runs[0].StartedAt.Before(settled):
		r.askAnew(r.Refusal, now)
		r.NextAt = now.Add(s.cfg.Poll)
	case len(runs) == 0, runs[0].StartedAt.Before(*r.sentAt), !now.Before(settled):
		if _, err := s.merchants.StartSync(ctx, ""); err != nil {
			return err
		}
	}
	return s.save(ctx, r)
}
