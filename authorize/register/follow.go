package register

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/wxsteward/wxsteward/authorize"
	"github.com/wxsteward/wxsteward/authorize/refusal"
	"github.com/wxsteward/wxsteward/authorize/turn"
	"github.com/wxsteward/wxsteward/internal/fault"
	"github.com/wxsteward/wxsteward/internal/sealed"
	"github.com/wxsteward/wxsteward/internal/wechat"
)

// ask asks WeChat where a task stands, where it can be asked.
func (s *Service) ask(ctx context.Context, r *Registration) error {
	now := s.cfg.Now()
	r.NextAt = now.Add(s.cfg.Poll)
	over := r.ExpiresAt != nil && now.After(r.ExpiresAt.Add(late))
	spelling, err := s.spelling(ctx, r.Kind)
	if err != nil {
		return err
	}
	if !spelling.Queries || r.task == "" {
		if r.Kind == kindTrial { // nothing to ask, but the merchant may be on record already
			if found, err := s.candidate(ctx, *r); err == nil && found != "" {
				return s.arrived(ctx, r, found)
			}
		}
		if over {
			r.State = stateExpired
		}
		return s.save(ctx, r)
	}
	task, err := s.query(ctx, r, spelling)
	if ctx.Err() != nil {
		return ctx.Err()
	}
	r.Refusal = refusal.Of(err)
	if err == nil && task.Status != nil {
		r.Status = task.Status
		switch st := wechat.RegistrationStatus(*task.Status); {
		case st == wechat.RegistrationDone || st == wechat.RegistrationVerified:
			if kinds()[r.Kind].converts {
				return s.converted(ctx, r)
			}
			r.State = stateCreated
			if task.AppID != "" {
				return s.arrived(ctx, r, task.AppID)
			}
			r.NextAt = now
			return s.save(ctx, r)
		case st == wechat.RegistrationTimedOut:
			r.State = stateExpired
		case st == wechat.RegistrationRefused, st == wechat.RegistrationCreateFailed, st == wechat.RegistrationVerifyFailed, st >= firstRefusal:
			r.State = stateFailed
		}
	}
	if over && r.State == stateWaiting {
		r.State = stateExpired
	}
	return s.save(ctx, r)
}

// firstRefusal and above are reasons that lie in the owner's other accounts, see statusText.
const firstRefusal wechat.RegistrationStatus = 1001

func (s *Service) query(ctx context.Context, r *Registration, spelling Spelling) (task wechat.RegistrationTask, err error) {
	if !kinds()[r.Kind].converts {
		return s.platform.API().QueryRegistration(ctx, spelling.call(), r.task)
	}
	got, err := turn.Look(ctx, s.locks, r.AppID, func(ctx context.Context) (err error) {
		task, err = s.merchants.API(r.AppID).QueryConversion(ctx, spelling.call(), r.task)
		return err
	})
	if err == nil && !got {
		r.NextAt = s.cfg.Now().Add(5 * time.Second)
	}
	return task, err
}

// find looks for the merchant that a mini program which was created has become.
func (s *Service) find(ctx context.Context, r *Registration) error {
	appid := r.AppID
	if appid == "" {
		found, err := s.candidate(ctx, *r)
		if err != nil {
			return err
		}
		appid = found
	}
	if appid != "" {
		return s.arrived(ctx, r, appid)
	}
	now := s.cfg.Now()
	r.NextAt = now.Add(s.cfg.Poll)
	if now.Sub(r.CreatedAt) > adoption {
		r.State = stateFailed
	}
	return s.save(ctx, r)
}

// candidate is the one merchant that can have come of a registration whose event was lost: made in this way since then,
// of this owner as far as WeChat shows it, and of no other registration. Where there are several an operator decides.
func (s *Service) candidate(ctx context.Context, r Registration) (string, error) {
	k := kinds()[r.Kind]
	principal := r.Request[k.principal]
	if r.Kind == kindOfficialAccount {
		official, err := s.merchants.Get(ctx, r.Request[fieldOfficial])
		if err != nil {
			return "", err
		}
		principal = official.PrincipalName
	}
	since := r.CreatedAt
	if r.sentAt != nil && r.Kind == kindOfficialAccount { // before that nobody had agreed
		since = *r.sentAt
	}
	newcomers, err := s.merchants.Newcomers(ctx, since.Add(-time.Minute), k.types)
	if err != nil {
		return "", err
	}
	var fitting []string
	for _, a := range newcomers {
		if fits(r, principal, a) {
			fitting = append(fitting, a.AppID)
		}
	}
	free, err := unclaimed(ctx, s.db, fitting)
	if err != nil {
		return "", fmt.Errorf("find merchants of no registration: %w", err)
	}
	rivals, err := rivalsOf(ctx, s.db, r)
	if err != nil {
		return "", fmt.Errorf("find other registrations: %w", err)
	}
	if len(free) != 1 || rivals > 0 && k.principal == "" && r.Kind != kindTrial { // a principal may have several official accounts
		return "", nil
	}
	return free[0], nil
}

// trialSuffix is what WeChat puts behind the name that was asked for (fastregisterbetaweapp).
const trialSuffix = "的体验小程序"

func fits(r Registration, principal string, a authorize.Authorizer) bool {
	switch {
	case len(a.BizIDs) > 0:
		return false // it came by a link, or of another registration
	case principal != "":
		return a.PrincipalName == principal
	case r.Kind == kindTrial:
		return a.NickName == r.Request["name"] || a.NickName == r.Request["name"]+trialSuffix
	}
	return true
}

// arrived notes the appid of the new mini program and, if it is on record as a merchant, ends the registration.
func (s *Service) arrived(ctx context.Context, r *Registration, appid string) error {
	err := s.inTx(ctx, func(tx pgx.Tx) error {
		now, err := lockRegistration(ctx, tx, r.ID)
		if err != nil {
			return err
		}
		if now.State == stateCompleted {
			*r = now
			return nil
		}
		r.AppID, r.State, r.Refusal = appid, stateCreated, refusal.Refusal{}
		r.NextAt = s.cfg.Now().Add(s.cfg.Poll)
		r.FinishedAt = nil
		err = s.merchants.CheckAuthorized(ctx, appid)
		if fe, ok := errors.AsType[*fault.Error](err); ok && (fe.Kind == fault.NotFound || fe.Kind == fault.Unauthorized) {
			return s.put(ctx, tx, r)
		}
		if err != nil {
			return err
		}
		return s.complete(ctx, tx, r)
	})
	if isTaken(err) {
		s.cfg.Logger.WarnContext(ctx, "mini program belongs to another registration", "registration", r.ID, "appid", appid)
		return nil
	}
	if err != nil {
		return fmt.Errorf("note mini program %s of registration %s: %w", appid, r.ID, err)
	}
	return nil
}

// complete gives the merchant its biz id and ends the registration.
func (s *Service) complete(ctx context.Context, tx pgx.Tx, r *Registration) error {
	r.State, r.FinishedAt = stateCompleted, new(s.cfg.Now())
	if err := s.put(ctx, tx, r); err != nil {
		return err
	}
	return s.merchants.Bind(ctx, tx, r.AppID, r.BizID, r.Labels)
}

// converted ends the conversion of a trial mini program.
func (s *Service) converted(ctx context.Context, r *Registration) error {
	err := s.inTx(ctx, func(tx pgx.Tx) error {
		now, err := lockRegistration(ctx, tx, r.ID)
		if err != nil || now.State == stateCompleted {
			return err
		}
		r.Refusal = refusal.Refusal{}
		if err := s.complete(ctx, tx, r); err != nil {
			return err
		}
		return s.merchants.RefreshSoon(ctx, tx, r.AppID)
	})
	if err != nil {
		return fmt.Errorf("end registration %s: %w", r.ID, err)
	}
	return nil
}

// OnAuthorized is told in the transaction that puts a merchant on record. The registration that names it ends; where none
// does, those whose event may have been lost look soon, when the merchant's details have been read.
func (s *Service) OnAuthorized(ctx context.Context, tx pgx.Tx, appid string) error {
	if found, err := s.completeOf(ctx, tx, appid); found || err != nil {
		return err
	}
	at := s.cfg.Now().Add(s.cfg.RetryBase)
	ids, err := wakeNameless(ctx, tx, at)
	if err != nil {
		return fmt.Errorf("wake registrations: %w", err)
	}
	for _, id := range ids {
		if err := s.enqueue(ctx, tx, id, at); err != nil {
			return err
		}
	}
	_, err = s.completeOf(ctx, tx, appid) // its event may have been handled while we waited for its row
	return err
}

// completeOf ends the registration that names a merchant; false: there is none.
func (s *Service) completeOf(ctx context.Context, tx pgx.Tx, appid string) (bool, error) {
	r, err := createdWith(ctx, tx, appid)
	if errors.Is(err, pgx.ErrNoRows) {
		return false, nil
	}
	if err != nil {
		return false, fmt.Errorf("find registration of %s: %w", appid, err)
	}
	return true, s.complete(ctx, tx, &r)
}

// news is what an event tells about a registration.
type news struct {
	appid  string
	status int
	msg    string
	code   sealed.Secret
	at     time.Time
	task   string            // unique_id of a trial
	info   map[string]string // by WeChat's names
	kinds  []string          // that this event can be about
}

// heard takes an event. It may come twice, late, or for a registration that nobody made here.
func (s *Service) heard(ctx context.Context, n news) error {
	if n.status == 0 && n.appid != "" && !n.code.IsZero() {
		// Whoever registered it, it has authorized us.
		if err := s.merchants.ReceiveCode(ctx, n.appid, n.code, n.at); err != nil {
			return err
		}
	}
	id, err := s.match(ctx, n)
	if err != nil || id == "" {
		return err
	}
	r, err := s.Get(ctx, id)
	if err != nil {
		return err
	}
	r.Result, r.Msg = &n.status, n.msg
	switch {
	case r.State == stateCompleted:
		if n.appid != "" && n.appid != r.AppID {
			s.cfg.Logger.ErrorContext(ctx, "a registration has ended with another mini program than WeChat's event names",
				"registration", id, "appid", r.AppID, "event_appid", n.appid)
		}
		return nil
	case n.status != 0:
		return s.refused(ctx, id, n)
	case kinds()[r.Kind].converts:
		return s.converted(ctx, &r)
	}
	return s.arrived(ctx, &r, n.appid)
}

// refused ends a registration that WeChat's event says has come to nothing, or says why where that is known already.
func (s *Service) refused(ctx context.Context, id string, n news) error {
	err := s.inTx(ctx, func(tx pgx.Tx) error {
		r, err := lockRegistration(ctx, tx, id)
		if err != nil || r.State == stateCreated || r.State == stateCompleted || r.State == stateCanceled || !r.open() && r.Result != nil {
			return err
		}
		r.State, r.Result, r.Msg, r.FinishedAt = stateFailed, &n.status, n.msg, new(s.cfg.Now())
		return s.put(ctx, tx, &r)
	})
	if err != nil {
		return fmt.Errorf("note end of registration %s: %w", id, err)
	}
	return nil
}

// match finds the registration an event is about: by the task, by the merchant, by the owner's data, else by the one that
// is open with this phone number. Of several the open one counts, then the last.
func (s *Service) match(ctx context.Context, n news) (string, error) {
	if n.task != "" {
		return matchBy(ctx, s.db, n.kinds, "task", n.task)
	}
	for _, name := range n.kinds {
		k := kinds()[name]
		subject := subjectOf(k, n.appid, n.info)
		if strings.Trim(subject, "\n") == "" {
			continue
		}
		id, err := matchBy(ctx, s.db, []string{name}, "subject", subject)
		if err != nil || id != "" {
			return id, err
		}
	}
	if phone := n.info["component_phone"]; phone != "" {
		return onlyOpenWithPhone(ctx, s.db, n.kinds, phone)
	}
	return "", nil
}

// Check asks WeChat about a registration now.
func (s *Service) Check(ctx context.Context, id string) (Registration, error) {
	if err := s.inTx(ctx, func(tx pgx.Tx) error { return wakeRegistration(ctx, tx, id, s.cfg.Now()) }); err != nil {
		return Registration{}, err
	}
	if err := s.follow(ctx, id); err != nil {
		return Registration{}, err
	}
	return s.Get(ctx, id)
}

// Retry begins anew with a registration that has come to nothing.
func (s *Service) Retry(ctx context.Context, id string) (Registration, error) {
	var r Registration
	err := s.inTx(ctx, func(tx pgx.Tx) (err error) {
		if r, err = lockRegistration(ctx, tx, id); err != nil {
			return err
		}
		if r.open() || r.State == stateCompleted {
			return fault.New(fault.Conflict, "Only a registration that has come to nothing can be tried again; this one is %s.", r.State)
		}
		if !kinds()[r.Kind].converts {
			r.AppID = ""
		}
		r.State, r.URL, r.task, r.attempts, r.Status, r.Result, r.Msg = statePending, "", "", 0, nil, nil, ""
		r.voucher, r.VerifyCopied, r.Linked = nil, nil, nil
		r.Refusal, r.ExpiresAt, r.FinishedAt, r.NextAt = refusal.Refusal{}, nil, nil, s.cfg.Now().Add(lease)
		return s.put(ctx, tx, &r)
	})
	switch {
	case errors.Is(err, pgx.ErrNoRows):
		return Registration{}, fault.New(fault.NotFound, "There is no such registration.")
	case isTaken(err):
		return Registration{}, fault.New(fault.Conflict, "Another registration of the same owner is open.")
	case err != nil:
		return Registration{}, err
	}
	if err := s.step(ctx, &r); err != nil {
		return Registration{}, err
	}
	return s.Get(ctx, id)
}

// Cancel ends following a registration. If its owner confirms all the same, the merchant is kept and gets the biz id.
func (s *Service) Cancel(ctx context.Context, id string) (Registration, error) {
	r, err := s.Get(ctx, id)
	if err != nil || !r.open() {
		return r, err
	}
	r.State = stateCanceled
	if err := s.save(ctx, &r); err != nil {
		return Registration{}, err
	}
	return s.Get(ctx, id)
}

// Assign says which merchant has come of a registration, where that could not be found out.
func (s *Service) Assign(ctx context.Context, id, appid string) (Registration, error) {
	r, err := s.Get(ctx, id)
	if err != nil {
		return Registration{}, err
	}
	if kinds()[r.Kind].converts || r.State == stateCompleted {
		return Registration{}, fault.New(fault.Conflict, "This registration has its merchant already.")
	}
	if err := s.merchants.CheckAuthorized(ctx, appid); err != nil {
		return Registration{}, err
	}
	taken, err := unclaimed(ctx, s.db, []string{appid})
	if err != nil {
		return Registration{}, err
	}
	if len(taken) == 0 {
		return Registration{}, fault.New(fault.Conflict, "This merchant has come of another registration.")
	}
	if err := s.arrived(ctx, &r, appid); err != nil {
		return Registration{}, err
	}
	return s.Get(ctx, id)
}

// RenameTrial gives a trial mini program another name.
func (s *Service) RenameTrial(ctx context.Context, appid, name string) error {
	if _, err := checkFields(kind{fields: []string{"name"}, types: []int{13}}, map[string]string{"name": name}); err != nil {
		return err
	}
	if err := s.merchants.CheckAuthorized(ctx, appid); err != nil {
		return err
	}
	err := turn.Take(ctx, s.locks, appid, func(ctx context.Context) error {
		err := s.merchants.API(appid).RenameTrial(ctx, name)
		if wechat.OutcomeUnknown(err) {
			err = s.merchants.API(appid).RenameTrial(ctx, name) // the same once more does no harm
		}
		return err
	})
	if err != nil {
		return err
	}
	return s.inTx(ctx, func(tx pgx.Tx) error { return s.merchants.RefreshSoon(ctx, tx, appid) })
}
