package codesubmit

import (
	"context"
	"errors"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/wxsteward/wxsteward/authorize"
	"github.com/wxsteward/wxsteward/authorize/turn"
	"github.com/wxsteward/wxsteward/internal/fault"
	"github.com/wxsteward/wxsteward/internal/wechat"
)

// errMoved says that a submission is no longer in the state it was read in: somebody else moved it, and what we found
// out is void.
var errMoved = errors.New("submission has moved on")

// work is one look at one submission, made while its merchant's lock is held.
type work struct {
	*Submission
	spec   *Spec
	paused bool
	api    *wechat.Authorizer
}

// wrote reports whether a version is this submission's: by the marker in its description or, where WeChat tells no
// description, by its name and by a time after our call went out.
func (w *work) wrote(v *wechat.Version) bool {
	if v == nil {
		return false
	}
	if v.Desc == "" {
		return v.Version == w.UserVersion && w.sentAt != nil && int64(v.Time) >= w.sentAt.Unix()
	}
	return strings.Contains(v.Desc, w.marker)
}

// outcome is what a step came to.
type outcome struct {
	to      State      // not empty: go on to this state
	wait    time.Time  // else: stay, look again then
	until   time.Time  // what it waits for, where that is later than wait
	err     error      // with a stay: what went wrong (an attempt is counted unless waiting)
	waiting bool       // a wait: neither a failure, where there is an err, nor a success
	failure *StepError // with an end: why
	skipped bool       // the step had nothing to do
	keep    bool       // outcome of a sent call is still unknown
	detail  Fact       // a fact for the timeline
	apply   func(ctx context.Context, tx pgx.Tx) error
}

func advance(to State) outcome { return outcome{to: to} }

func skipTo(to State, detail Fact) outcome { return outcome{to: to, skipped: true, detail: detail} }

func waitUntil(t time.Time, detail Fact) outcome { return outcome{wait: t, detail: detail} }

// waitsFor is what is shown to be waited for; nil: the next look.
func (o *outcome) waitsFor() *time.Time {
	if o.until.After(o.wait) {
		return &o.until
	}
	return nil
}

func blocked(code string, detail Fact) outcome {
	return outcome{to: Blocked, failure: &StepError{Code: code, Detail: detail}}
}

// handler does one state's work.
type handler func(ctx context.Context, w *work) outcome

func (s *Service) handlers() map[State]handler {
	return map[State]handler{
		Queued:     s.either(s.takeTurn, s.takeTurnBack),
		Preflight:  s.either(s.runPreflight, s.preflightBack),
		Domains:    s.setDomains,
		Committing: s.commit,
		Detecting:  s.detect,
		Privacy:    s.setPrivacy,
		Trial:      s.awaitSubmit,
		Submitting: s.submit,
		Auditing:   s.readAudit,
		Approved:   s.awaitRelease,
		Releasing:  s.either(s.release, s.rollBack),
	}
}

// Advance looks at a submission and moves it on as far as it goes without waiting. It returns how long the caller's job
// should sleep before it calls again; zero means that this job is done with the submission.
func (s *Service) Advance(ctx context.Context, id, jobID int64) (time.Duration, error) {
	appid, err := s.appidOf(ctx, id)
	if err != nil || appid == "" {
		return 0, err
	}
	var sleep time.Duration
	got, err := s.locks.Try(ctx, lockKey(appid), func(ctx context.Context) error {
		for {
			var again bool
			var err error
			if sleep, again, err = s.advanceOnce(ctx, id, jobID); err != nil || !again {
				return err
			}
		}
	})
	if err != nil {
		return 0, err
	}
	if !got {
		return lockedPause, nil
	}
	return sleep, nil
}

// lockedPause is how long a job stays away from a merchant that another job works on.
const lockedPause = 300 * time.Millisecond

// lockKey is one merchant's lock: all calls of rollouts and hand operations for it take turns.
func lockKey(appid string) string { return turn.Key(appid) }

func (s *Service) advanceOnce(ctx context.Context, id, jobID int64) (sleep time.Duration, again bool, err error) {
	w, err := s.load(ctx, id)
	if err != nil {
		return 0, false, err
	}
	if w.State.Ended() {
		return 0, false, nil
	}
	if !w.admitted {
		return 0, false, nil // its turn has not come
	}
	now := s.cfg.Now()
	if err := s.sentInFuture(ctx, w, now); err != nil {
		return 0, false, err
	}
	if rest := w.rest(now); rest > 0 {
		mine, err := s.claimSleep(ctx, w, jobID)
		if err != nil || !mine {
			return 0, false, err // not mine: another job will wake it
		}
		return rest, false, nil
	}
	if parked(w) {
		return 0, false, s.park(ctx, w)
	}
	out := s.wished(w)
	if out == nil {
		out = s.held(w)
	}
	if out == nil {
		if err := s.startStep(ctx, w); err != nil {
			return 0, false, ignoreMoved(err)
		}
		o := s.handlers()[w.State](ctx, w)
		out = &o
	}
	if ctx.Err() != nil && out.to == "" {
		return 0, false, ctx.Err() // shutting down, or the lock is lost: the row says where to go on
	}
	next, err := s.record(ctx, w, out, jobID)
	if err != nil {
		return 0, false, ignoreMoved(err)
	}
	if out.to != "" {
		return 0, !out.to.Ended(), nil
	}
	return max(next.Sub(s.cfg.Now()), 10*time.Millisecond), false, nil
}

// rest is how long there is nothing to do.
func (w *work) rest(now time.Time) time.Duration {
	if w.look || w.nextLook == nil || w.setBack(now) {
		return 0
	}
	return w.nextLook.Sub(now)
}

func ignoreMoved(err error) error {
	if errors.Is(err, errMoved) {
		return nil
	}
	return err
}

// parked reports whether a paused rollout holds this submission back. Calls that were sent are followed to their
// outcome, and audits are watched.
func parked(w *work) bool {
	return w.paused && w.sentAt == nil && w.State != Auditing && w.wish == ""
}

// wished turns an operator's wish into an outcome once no call is under way.
func (s *Service) wished(w *work) *outcome {
	if w.graying() {
		return nil // what users have of it is taken back first
	}
	if w.sentAt == nil && (w.wish == wishCancel || w.wish == wishCancelWithdraw && w.State != Auditing) {
		return &outcome{to: Canceled, failure: &StepError{Code: "canceled"}}
	}
	return nil
}

// failed turns an error into an outcome by its kind. When reading fails, a call that was sent before stays in doubt,
// also over an end and its retry.
func (s *Service) failed(w *work, err error, write bool) outcome {
	now := s.cfg.Now()
	inDoubt := w.sentAt != nil && !write
	switch judge(err, write) {
	case unknown:
		if w.Attempts+1 >= maxAttempts {
			return outcome{to: Failed, failure: failureOf(err), keep: true}
		}
		return outcome{wait: now.Add(s.settle()), err: err, keep: true}
	case later:
		poll := s.cfg.AuditPoll
		var refusal *wechat.APIError
		if errors.As(err, &refusal) && refusal.Code == 61039 {
			return outcome{wait: now.Add(s.cfg.DetectionPoll), err: err, waiting: true, keep: inDoubt}
		}
		turns := quotaTurns(err, now, poll)
		out := outcome{wait: turns, err: err, waiting: true, keep: inDoubt}
		if refusal, ok := limited(err); ok {
			out.apply = func(ctx context.Context, tx pgx.Tx) error { return s.limit(ctx, tx, w, refusal, turns) }
		}
		return out
	case block:
		return outcome{to: Blocked, failure: failureOf(err), keep: inDoubt}
	case giveUp:
		return outcome{to: Failed, failure: failureOf(err), keep: inDoubt}
	case again:
	}
	if w.Attempts+1 >= maxAttempts && !w.State.watches() {
		return outcome{to: Failed, failure: failureOf(err), keep: inDoubt}
	}
	wait := pause(s.cfg.RetryBase, w.Attempts+1)
	var told *fault.Error
	if errors.As(err, &told) && told.RetryAfter > wait {
		wait = told.RetryAfter
	}
	return outcome{wait: now.Add(wait), err: err, keep: w.sentAt != nil}
}

// send makes a call that changes something at WeChat: first it is written down that the call goes out, so that after a
// crash its effect is looked for before it is repeated.
func (s *Service) send(ctx context.Context, w *work, call func(ctx context.Context) error) error {
	if err := s.markSent(ctx, w); err != nil {
		return err
	}
	return call(ctx)
}

// takeTurn lets one submission at a time have a merchant: an older one that WeChat already reviews is waited for,
// any other is superseded.
func (s *Service) takeTurn(ctx context.Context, w *work) outcome {
	older, err := s.olderOpen(ctx, w.AppID, w.ID)
	if err != nil {
		return s.failed(w, err, false)
	}
	for _, o := range older {
		if o.sentAt != nil || o.State == Auditing || o.State == Releasing && o.gray == nil {
			out := waitUntil(s.cfg.Now().Add(min(s.cfg.AuditPoll, time.Minute)), factOf("waits for submission %d", o.ID))
			if w.spec.Strategy.WithdrawRunning {
				out.apply = s.wishWithdrawn(o)
			}
			return out
		}
	}
	if len(older) == 0 {
		return advance(Preflight)
	}
	return outcome{to: Preflight, apply: func(ctx context.Context, tx pgx.Tx) error {
		for _, o := range older {
			f := &StepError{Code: "superseded", Detail: factOf("by rollout %d", w.RolloutID)}
			if o.graying() {
				f.Detail = factOf("by rollout %d; %d percent of the users keep this version until the newer one is released", w.RolloutID, o.gray.Percentage)
			}
			if err := s.end(ctx, tx, o, Superseded, f); err != nil && !errors.Is(err, errMoved) {
				return err
			}
		}
		return nil
	}}
}

// wishWithdrawn asks for an older submission's audit to be taken back. Where WeChat has just refused that for today
// (87013), its next look at the audit comes first.
func (s *Service) wishWithdrawn(older *Submission) func(ctx context.Context, tx pgx.Tx) error {
	if older.Failure != nil && older.Failure.ErrCode == 87013 {
		return nil
	}
	return func(ctx context.Context, tx pgx.Tx) error {
		now, err := s.lockedSubmission(ctx, tx, older.ID)
		if err != nil || now.State != Auditing || now.wish != "" {
			return err
		}
		if err := s.setWish(ctx, tx, now.ID, wishWithdraw); err != nil {
			return err
		}
		return s.wake(ctx, tx, now.ID)
	}
}

// merchant reads our own record of the submission's merchant.
func (s *Service) merchant(ctx context.Context, appid string) (authorize.Target, error) {
	targets, _, err := s.merchants.Targets(ctx, authorize.TargetQuery{AppIDs: []string{appid}})
	if err != nil {
		return authorize.Target{}, err
	}
	if len(targets) == 0 {
		return authorize.Target{}, &StepError{Code: "unauthorized", Detail: factOf("merchant is not on record")}
	}
	return targets[0], nil
}
