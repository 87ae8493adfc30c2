package profile

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/wxsteward/wxsteward/authorize/refusal"
	"github.com/wxsteward/wxsteward/authorize/turn"
	"github.com/wxsteward/wxsteward/internal/fault"
	"github.com/wxsteward/wxsteward/internal/live"
	"github.com/wxsteward/wxsteward/internal/wechat"
)

// The kinds of Change.
const (
	kindNickname   = "nickname"
	kindAvatar     = "avatar"
	kindSignature  = "signature"
	kindCategory   = "category"
	kindPrivacyAPI = "privacy_api"
)

// The states of a Change.
const (
	stateSent      = "sent"      // the call may have reached WeChat; what became of it is being read back
	stateReviewing = "reviewing" // WeChat has it
	stateEffective = "effective"
	stateRefused   = "refused" // by a review
	stateFailed    = "failed"  // by the call itself, or WeChat has no trace of it
	stateLost      = "lost"    // nobody knows, or nobody wants to know any more
)

// Change is something asked of WeChat for a merchant that WeChat may review.
type Change struct {
	ID        int64
	AppID     string
	Kind      string
	Subject   string // the name or text wanted, the category as first/second, the interface
	State     string
	AuditID   int64  // 0: none, or not told
	Reason    string // WeChat's words
	Refusal   refusal.Refusal
	CreatedBy string
	CreatedAt time.Time
	NextAt    time.Time // of the next look, while it is open
	DecidedAt *time.Time

	slot, before string
}

func (c Change) open() bool { return c.State == stateSent || c.State == stateReviewing }

const (
	// lease is how long whoever made a call, or looks at a change, has it to itself.
	lease = 90 * time.Second
	// settle is how long a call whose answer was lost may still be at work at WeChat.
	settle = 10 * time.Minute
	// patience is how long a review is asked about; WeChat's own take days.
	patience = 15 * 24 * time.Hour
)

// attempt is a change to be made.
type attempt struct {
	appid, by, kind, subject string
	slot                     string // of what there is one at a time; "" for name, avatar and introduction
	call                     func(ctx context.Context, api *wechat.Authorizer) (answer, error)
}

// answer is what WeChat said to it.
type answer struct {
	auditID int64
	words   string
	before  bool // with an error: the call that changes something was not made
}

// change writes down what is going to be asked, asks, and writes down what came of it. The error is WeChat's refusal;
// an answer that was lost is none, the change is followed then.
func (s *Service) change(ctx context.Context, a attempt) (Change, error) {
	var c Change
	err := s.write(ctx, a.appid, func(ctx context.Context, api *wechat.Authorizer) error {
		before, err := seen(ctx, api, a.kind)
		if err != nil {
			return err
		}
		if c, err = s.begin(ctx, a, before); err != nil {
			return err
		}
		said, err := a.call(ctx, api)
		// Whatever came is written down, also while we are being stopped.
		keep, cancel := context.WithTimeout(context.WithoutCancel(ctx), 30*time.Second)
		defer cancel()
		return s.called(keep, api, &c, said, err)
	})
	return c, err
}

// seen is what WeChat shows before a change, where that tells afterwards whether it was made.
func seen(ctx context.Context, api *wechat.Authorizer, kind string) (string, error) {
	if kind != kindAvatar {
		return "", nil
	}
	info, err := api.BasicInfo(ctx)
	return avatarMark(info), err
}

// avatarMark changes with the avatar.
func avatarMark(info wechat.BasicInfo) string {
	return strconv.FormatInt(int64(info.HeadImage.Used), 10) + " " + info.HeadImage.URL
}

func (s *Service) begin(ctx context.Context, a attempt, before string) (Change, error) {
	now := s.cfg.Now()
	c := Change{
		AppID: a.appid, Kind: a.kind, Subject: a.subject, State: stateSent, CreatedBy: a.by, CreatedAt: now, NextAt: now.Add(lease),
		slot: a.slot, before: before,
	}
	err := s.inTx(ctx, func(tx pgx.Tx) error {
		fresh, err := insertChange(ctx, tx, &c)
		if err != nil {
			return err
		}
		if !fresh {
			return fault.New(fault.Conflict, "WeChat has such a change of this merchant already. Wait until it is decided.")
		}
		return s.enqueue(ctx, tx, c.ID, c.NextAt)
	})
	if err != nil {
		return Change{}, fmt.Errorf("note change of %s: %w", a.appid, err)
	}
	return c, nil
}

// called writes down what came of the call.
func (s *Service) called(ctx context.Context, api *wechat.Authorizer, c *Change, said answer, err error) error {
	v := verdict{state: stateReviewing, auditID: said.auditID, reason: said.words}
	var failure error
	switch {
	case err == nil:
		c.State = stateReviewing
		if found, lookErr := s.look(ctx, api, *c, said.auditID); lookErr == nil && found.state != "" {
			v.state, v.reason = found.state, cmp.Or(found.reason, v.reason)
		}
	case wechat.ClassOf(err) == wechat.ClassDone:
		v.state = stateEffective
	case wechat.OutcomeUnknown(err) && !said.before:
		v.state, v.refusal = stateSent, refusal.Of(err)
	default:
		v.state, v.refusal, failure = stateFailed, refusal.Of(err), err
	}
	return errors.Join(failure, s.decide(ctx, c, v))
}

// verdict is what a change comes to. An empty state means that nothing is known yet.
type verdict struct {
	state   string
	auditID int64
	reason  string
	refusal refusal.Refusal
}

// look asks WeChat what became of a change.
func (s *Service) look(ctx context.Context, api *wechat.Authorizer, c Change, auditID int64) (verdict, error) {
	switch c.Kind {
	case kindNickname:
		return lookNickname(ctx, api, c, auditID)
	case kindAvatar, kindSignature:
		info, err := api.BasicInfo(ctx)
		done := c.Kind == kindSignature && info.Signature.Signature == c.Subject || c.Kind == kindAvatar && avatarMark(info) != c.before
		switch {
		case err != nil:
			return verdict{}, err
		case !done:
			return s.absent(c), nil
		}
		return verdict{state: stateEffective}, nil
	case kindCategory:
		first, second, _ := strings.Cut(c.Subject, "/")
		a, _ := strconv.ParseInt(first, 10, 64)
		b, _ := strconv.ParseInt(second, 10, 64)
		found, err := findCategory(ctx, api, a, b)
		if errors.Is(err, errNoCategory) {
			return s.absent(c), nil
		}
		return reviewed(err, int(found.AuditStatus), 1, 2, 3, found.AuditReason)
	default:
		list, err := api.PrivacyInterfaces(ctx)
		if err != nil {
			return verdict{}, err
		}
		at := slices.IndexFunc(list, func(p wechat.PrivacyInterface) bool { return p.APIName == c.Subject })
		if at < 0 || list[at].Status < 3 {
			return s.absent(c), nil
		}
		return reviewed(nil, int(list[at].Status), 3, 4, 5, list[at].FailReason)
	}
}

func lookNickname(ctx context.Context, api *wechat.Authorizer, c Change, auditID int64) (verdict, error) {
	const unknownAudit = 91011
	if auditID != 0 {
		audit, err := api.NicknameAudit(ctx, auditID)
		if !wechat.IsCode(err, unknownAudit) {
			return reviewed(err, int(audit.State), wechat.NicknameReviewing, wechat.NicknameRefused, wechat.NicknamePassed, audit.Reason)
		}
	}
	info, err := api.BasicInfo(ctx)
	if err != nil || info.Nickname.Nickname != c.Subject {
		return verdict{}, err
	}
	return verdict{state: stateEffective}, nil
}

// reviewed translates one of WeChat's three numberings of a review.
func reviewed(err error, status, reviewing, refused, passed int, reason string) (verdict, error) {
	switch {
	case err != nil:
		return verdict{}, err
	case status == reviewing:
		return verdict{state: stateReviewing}, nil
	case status == refused:
		return verdict{state: stateRefused, reason: reason}, nil
	case status == passed:
		return verdict{state: stateEffective}, nil
	}
	return verdict{}, nil
}

// absent is the verdict where WeChat's list would show a change and does not: after a while, that it was never made.
func (s *Service) absent(c Change) verdict {
	if c.State == stateSent && s.cfg.Now().Sub(c.CreatedAt) > settle {
		return verdict{state: stateFailed}
	}
	return verdict{}
}

// decide writes a verdict down and says when to look again.
func (s *Service) decide(ctx context.Context, c *Change, v verdict) error {
	now := s.cfg.Now()
	if v.state == "" {
		v.state = c.State
		if now.Sub(c.CreatedAt) > patience {
			v.state = stateLost
		}
	}
	if v.auditID != 0 {
		c.AuditID = v.auditID
	}
	if v.reason != "" {
		c.Reason = v.reason
	}
	c.State, c.Refusal, c.NextAt = v.state, v.refusal, now.Add(s.cfg.Poll)
	if c.State == stateSent {
		c.NextAt = now.Add(min(s.cfg.Poll, time.Minute))
	}
	if !c.open() {
		c.DecidedAt = &now
	}
	err := s.inTx(ctx, func(tx pgx.Tx) error {
		news, err := updateChange(ctx, tx, *c)
		if err != nil || !news {
			return err
		}
		if c.open() {
			err = s.enqueue(ctx, tx, c.ID, c.NextAt)
		} else if c.State == stateEffective {
			err = s.merchants.RefreshSoon(ctx, tx, c.AppID)
		}
		if err != nil {
			return err
		}
		return publish(ctx, tx, c.AppID)
	})
	if err != nil {
		return fmt.Errorf("note what became of change %d: %w", c.ID, err)
	}
	return nil
}

func publish(ctx context.Context, tx pgx.Tx, appid string) error {
	return live.Publish(ctx, tx, live.Event{Kind: "authorizer", ID: appid, AppID: appid})
}

// follow looks at an open change once, if it is due.
func (s *Service) follow(ctx context.Context, id int64) error {
	c, err := claimChange(ctx, s.db, id, s.cfg.Now(), s.cfg.Now().Add(lease))
	if errors.Is(err, pgx.ErrNoRows) {
		return nil // decided, or another job looks at it
	}
	if err != nil {
		return fmt.Errorf("read change %d: %w", id, err)
	}
	if err := s.merchants.CheckAuthorized(ctx, c.AppID); err != nil {
		if fe, ok := errors.AsType[*fault.Error](err); ok && (fe.Kind == fault.Unauthorized || fe.Kind == fault.NotFound) {
			return s.decide(ctx, &c, verdict{state: stateLost}) // nobody can ask WeChat about it any more
		}
		return err
	}
	var v verdict
	got, err := turn.Look(ctx, s.locks, c.AppID, func(ctx context.Context) error {
		v, err = s.look(ctx, s.merchants.API(c.AppID), c, c.AuditID)
		return err
	})
	switch {
	case ctx.Err() != nil:
		return ctx.Err()
	case !got && err == nil:
		return s.later(ctx, c)
	case err != nil:
		s.cfg.Logger.WarnContext(ctx, "change not looked at", "appid", c.AppID, "kind", c.Kind, "error", err)
		v = verdict{state: c.State, refusal: refusal.Of(err)} // who could not ask does not know
	}
	return s.decide(ctx, &c, v)
}

// later leaves a merchant to the rollout that is at work on it.
func (s *Service) later(ctx context.Context, c Change) error {
	return s.inTx(ctx, func(tx pgx.Tx) error {
		at := s.cfg.Now().Add(5 * time.Second)
		if err := wakeChange(ctx, tx, c.ID, at); err != nil {
			return err
		}
		return s.enqueue(ctx, tx, c.ID, at)
	})
}

// Changes lists a merchant's changes, newest first; after is the last of the page before, 0 for the first page.
func (s *Service) Changes(ctx context.Context, appid string, after int64, limit int) ([]Change, error) {
	list, err := changesOf(ctx, s.db, appid, after, limit)
	if err != nil {
		return nil, fmt.Errorf("list changes of %s: %w", appid, err)
	}
	return list, nil
}

// Check looks at a change now.
func (s *Service) Check(ctx context.Context, appid string, id int64) (Change, error) {
	err := s.inTx(ctx, func(tx pgx.Tx) error { return wakeChange(ctx, tx, id, s.cfg.Now()) })
	if err == nil {
		err = s.follow(ctx, id)
	}
	if err != nil {
		return Change{}, err
	}
	return s.find(ctx, appid, id)
}

// Forget ends following a change, so that another can be asked for. WeChat may decide on it all the same.
func (s *Service) Forget(ctx context.Context, appid string, id int64) (Change, error) {
	c, err := s.find(ctx, appid, id)
	if err != nil || !c.open() {
		return c, err
	}
	return c, s.decide(ctx, &c, verdict{state: stateLost, reason: c.Reason})
}

func (s *Service) find(ctx context.Context, appid string, id int64) (Change, error) {
	c, err := findChange(ctx, s.db, appid, id)
	if errors.Is(err, pgx.ErrNoRows) {
		return Change{}, fault.New(fault.NotFound, "")
	}
	if err != nil {
		return Change{}, fmt.Errorf("read change %d: %w", id, err)
	}
	return c, nil
}
