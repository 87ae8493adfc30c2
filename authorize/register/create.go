package register

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/wxsteward/wxsteward/authorize"
	"github.com/wxsteward/wxsteward/authorize/refusal"
	"github.com/wxsteward/wxsteward/authorize/turn"
	"github.com/wxsteward/wxsteward/internal/fault"
	"github.com/wxsteward/wxsteward/internal/live"
	"github.com/wxsteward/wxsteward/internal/wechat"
)

// Order is a registration to be made.
type Order struct {
	Kind   string
	BizID  string // required but for the conversion of a trial mini program
	Labels []string
	AppID  string            // of the trial mini program to convert
	Fields map[string]string // by WeChat's names
	By     string
}

const (
	// lease is how long whoever makes a call has a registration to itself.
	lease = 90 * time.Second
	// confirmation is how long WeChat lets the owner confirm.
	confirmation = 24 * time.Hour
	// late is how long after that an answer may still be on its way.
	late = 5 * time.Minute
	// adoption is how long a mini program that was created is looked for.
	adoption = 7 * 24 * time.Hour
	// tries are how often a call without an answer is made.
	tries = 6
)

// Create writes a registration down and asks WeChat for it at once. saved, if not nil, is called in the transaction that
// writes it down. A registration of the same owner that is open makes it fail with fault.Conflict. What WeChat says is in
// the result, a refusal too.
func (s *Service) Create(ctx context.Context, o Order) (Registration, error) {
	k, known := kinds()[o.Kind]
	if !known {
		return Registration{}, fault.Invalid("body.kind", "There is no kind of registration %q.", nil, o.Kind)
	}
	if o.BizID != "" || !k.converts {
		if err := authorize.CheckBizID("body.biz_id", o.BizID); err != nil {
			return Registration{}, err
		}
	}
	labels, err := authorize.CheckLabels(o.Labels)
	if err != nil {
		return Registration{}, err
	}
	if err := s.checkAccount(ctx, o, k); err != nil {
		return Registration{}, err
	}
	if o.Kind == kindOfficialAccount {
		o.Fields, o.AppID = map[string]string{fieldOfficial: o.AppID}, ""
	}
	fields, err := checkFields(k, o.Fields)
	if err != nil {
		return Registration{}, err
	}
	now := s.cfg.Now()
	r := Registration{
		ID: strings.ToLower(rand.Text()[:20]), Kind: o.Kind, BizID: o.BizID, Labels: labels, Request: fields, AppID: o.AppID, State: statePending,
		CreatedBy: o.By, CreatedAt: now, NextAt: now.Add(lease), subject: subjectOf(k, o.AppID, fields),
	}
	err = s.inTx(ctx, func(tx pgx.Tx) error {
		fresh, err := insertRegistration(ctx, tx, &r)
		if err != nil {
			return err
		}
		if !fresh {
			other, err := openOf(ctx, tx, r.Kind, r.subject)
			if err != nil {
				return err
			}
			return fault.New(fault.Conflict, "Registration %s of the same owner is open. Wait for its end or cancel it.", other)
		}
		if err := publish(ctx, tx, r); err != nil {
			return err
		}
		return s.enqueue(ctx, tx, r.ID, r.NextAt)
	})
	if err != nil {
		return Registration{}, fmt.Errorf("note registration: %w", err)
	}
	if err := s.step(ctx, &r); err != nil {
		return Registration{}, err
	}
	return s.Get(ctx, r.ID)
}

// checkAccount looks at the merchant that a registration is made for, where there is one.
func (s *Service) checkAccount(ctx context.Context, o Order, k kind) error {
	switch {
	case o.AppID == "" && o.Kind == kindOfficialAccount:
		return fault.Invalid("body.appid", "Name the official account.", nil)
	case o.AppID == "" && o.Kind == kindAdminChange:
		return fault.Invalid("body.appid", "Name the mini program.", nil)
	case o.AppID == "" && k.converts:
		return fault.Invalid("body.appid", "Name the trial mini program.", nil)
	case o.AppID != "" && !k.converts && o.Kind != kindOfficialAccount:
		return fault.Invalid("body.appid", "WeChat gives the appid of a new mini program.", nil)
	case o.AppID == "":
		return nil
	}
	if err := s.merchants.CheckAuthorized(ctx, o.AppID); err != nil {
		return err
	}
	if k.page == "" {
		return nil
	}
	a, err := s.merchants.Get(ctx, o.AppID)
	if err != nil {
		return err
	}
	switch official := a.Kind == "official"; {
	case o.Kind == kindOfficialAccount && !official:
		return fault.Invalid("body.appid", "This merchant is no official account.", o.AppID)
	case o.Kind == kindAdminChange && official:
		return fault.Invalid("body.appid", "This merchant is no mini program.", o.AppID)
	}
	return nil
}

func publish(ctx context.Context, tx pgx.Tx, r Registration) error {
	return live.Publish(ctx, tx, live.Event{Kind: "registration", ID: r.ID, AppID: r.AppID, State: r.State})
}

// Get reads one; fault.NotFound if there is none.
func (s *Service) Get(ctx context.Context, id string) (Registration, error) {
	r, err := findRegistration(ctx, s.db, id)
	if errors.Is(err, pgx.ErrNoRows) {
		return Registration{}, fault.New(fault.NotFound, "There is no such registration.")
	}
	if err != nil {
		return Registration{}, fmt.Errorf("read registration %s: %w", id, err)
	}
	return r, nil
}

// follow takes a registration one step further, if it is due.
func (s *Service) follow(ctx context.Context, id string) error {
	now := s.cfg.Now()
	r, err := claimRegistration(ctx, s.db, id, now, now.Add(lease))
	if errors.Is(err, pgx.ErrNoRows) {
		return nil // ended, or somebody else is at it
	}
	if err != nil {
		return fmt.Errorf("read registration %s: %w", id, err)
	}
	return s.step(ctx, &r)
}

// step does what a registration that the caller has to itself needs next.
func (s *Service) step(ctx context.Context, r *Registration) error {
	switch r.State {
	case statePending, stateSent:
		if kinds()[r.Kind].page != "" {
			return s.startVisited(ctx, r)
		}
		return s.start(ctx, r)
	case stateWaiting:
		if kinds()[r.Kind].page != "" {
			return s.awaitVisitor(ctx, r)
		}
		return s.ask(ctx, r)
	case stateCreated:
		return s.find(ctx, r)
	}
	return nil
}

// start makes the call. Nothing is registered before somebody confirms behind the address in its answer, so where the
// answer was lost the call is made again: a task that nobody can confirm lapses.
func (s *Service) start(ctx context.Context, r *Registration) error {
	r.attempts++
	// Committed before the call leaves.
	if err := markSent(ctx, s.db, r.ID, r.attempts, s.cfg.Now()); err != nil {
		return fmt.Errorf("note call of registration %s: %w", r.ID, err)
	}
	r.State = stateSent
	spelling, err := s.spelling(ctx, r.Kind)
	if err != nil {
		return err
	}
	var task wechat.RegistrationTask
	if kinds()[r.Kind].converts {
		err = turn.Take(ctx, s.locks, r.AppID, func(ctx context.Context) (err error) {
			task, err = s.merchants.API(r.AppID).StartConversion(ctx, spelling.call(), spelling.body(r.Request))
			return err
		})
	} else {
		task, err = s.platform.API().StartRegistration(ctx, spelling.call(), spelling.body(r.Request))
	}
	keep, cancel := context.WithTimeout(context.WithoutCancel(ctx), 30*time.Second)
	defer cancel()
	now := s.cfg.Now()
	again := wechat.OutcomeUnknown(err) || wechat.ClassOf(err) == wechat.ClassTransient
	switch {
	case err == nil:
		r.State, r.task, r.URL, r.Status, r.Refusal = stateWaiting, task.TaskID, task.AuthorizeURL, task.Status, refusal.Refusal{}
		r.ExpiresAt, r.NextAt = new(now.Add(confirmation)), now.Add(s.cfg.Poll)
	case notMade(err): // the platform has no ticket, WeChat is away, or the merchant is busy: no try
		r.State, r.Refusal, r.NextAt = statePending, refusal.Of(err), now.Add(s.pause(r))
		r.attempts--
	case again && r.attempts < tries:
		r.Refusal, r.NextAt = refusal.Of(err), now.Add(s.pause(r))
		s.cfg.Logger.WarnContext(ctx, "registration not answered", "registration", r.ID, "kind", r.Kind, "attempt", r.attempts, "error", err)
	default:
		r.State, r.Refusal = stateFailed, refusal.Of(err)
	}
	return s.save(keep, r)
}

// pause is how long a registration waits for its next try.
func (s *Service) pause(r *Registration) time.Duration {
	return min(s.cfg.RetryBase<<min(max(r.attempts-1, 0), 10), time.Minute)
}

// notMade tells failures before anything was sent.
func notMade(err error) bool {
	e, isFault := errors.AsType[*fault.Error](err)
	if isFault && (e.Kind == fault.Unauthorized || e.Kind == fault.NotFound) {
		return false // the merchant has gone; waiting does not bring it back
	}
	if _, ok := errors.AsType[*wechat.TokenError](err); ok {
		return true
	}
	if e, ok := errors.AsType[*wechat.TransportError](err); ok {
		return !e.Sent
	}
	return isFault && e.Kind == fault.Conflict
}

// save writes down where a registration is, unless it has come further meanwhile.
func (s *Service) save(ctx context.Context, r *Registration) error {
	if !r.open() {
		r.FinishedAt, r.voucher = new(s.cfg.Now()), nil
	}
	err := s.inTx(ctx, func(tx pgx.Tx) error {
		now, err := lockRegistration(ctx, tx, r.ID)
		if err != nil {
			return err
		}
		if now.further(*r) {
			*r = now
			return nil
		}
		return s.put(ctx, tx, r)
	})
	if err != nil {
		return fmt.Errorf("note state of registration %s: %w", r.ID, err)
	}
	return nil
}

// further reports whether the row knows more than a step that began before: an event has come, or a visitor.
func (r Registration) further(than Registration) bool {
	return !r.open() || r.round != than.round || r.State == stateCreated && than.State != stateCreated && than.State != stateCompleted
}

func (s *Service) put(ctx context.Context, tx pgx.Tx, r *Registration) error {
	if err := updateRegistration(ctx, tx, *r); err != nil {
		return err
	}
	if r.open() {
		if err := s.enqueue(ctx, tx, r.ID, r.NextAt); err != nil {
			return err
		}
	}
	return publish(ctx, tx, *r)
}
