package codesubmit

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/wxsteward/wxsteward/internal/fault"
	"github.com/wxsteward/wxsteward/internal/wechat"
)

// everybody is the percentage with which a gray release is over.
const everybody = 100

// grayState is how far the gray release (分阶段发布) of a submission has come, as stored; it is gone with its end.
type grayState struct {
	Percentage int        `json:"percentage"` // of the users have the version
	Since      time.Time  `json:"since"`      // when this was noticed
	Plan       int64      `json:"plan"`       // when WeChat's plan began: an older one is another version's
	NextAt     *time.Time `json:"next_at"`    // of the next step; nil: by hand
	Step       int        `json:"step"`
	Steps      int        `json:"steps"`
}

// graying reports whether part of the users have this version and the rest are to follow.
func (s *Submission) graying() bool { return s.State == Releasing && s.gray != nil }

// checkGray finds faults of the steps.
func (r *ReleaseSpec) checkGray(wrong *fault.Collector) {
	for i, percentage := range r.Gray {
		if percentage < 1 || percentage > everybody || i > 0 && percentage <= r.Gray[i-1] {
			wrong.Add(fmt.Sprintf("body.release.gray[%d]", i), "Each step is a percentage from 1 to 100 and larger than the one before it.", percentage)
		}
	}
	if r.GrayInterval == nil {
		return
	}
	switch d, err := time.ParseDuration(*r.GrayInterval); {
	case err != nil || d <= 0:
		wrong.Add("body.release.gray_interval", "This is no length of time above zero, such as 30m or 2h.", *r.GrayInterval)
	case len(r.Gray) == 0:
		wrong.Add("body.release.gray_interval", "An interval has a meaning only with steps in gray.", *r.GrayInterval)
	}
}

// interval is how long each step lasts; 0: until somebody says go on.
func (r *ReleaseSpec) interval() time.Duration {
	if r.GrayInterval == nil {
		return 0
	}
	d, _ := time.ParseDuration(*r.GrayInterval) // it was checked
	return d
}

// after is the step that follows a percentage; everybody at the end.
func (r *ReleaseSpec) after(percentage int) int {
	for _, step := range r.Gray {
		if step > percentage {
			return step
		}
	}
	return everybody
}

// place tells which of how many steps a percentage is, the release to everybody included.
func (r *ReleaseSpec) place(percentage int) (step, steps int) {
	list := r.Gray
	if len(list) == 0 || list[len(list)-1] < everybody {
		list = append(slices.Clone(list), everybody)
	}
	for _, p := range list {
		if p <= percentage {
			step++
		}
	}
	return step, len(list)
}

// releaseInSteps publishes the approved version to more and more of the users. What WeChat's plan says counts: an answer
// that was lost and a step that somebody made in the console are found there. Without a live version there is nothing
// that the others could keep, so it goes to everybody.
func (s *Service) releaseInSteps(ctx context.Context, w *work) outcome {
	if w.gray != nil && w.canceled() {
		return s.cancelGray(ctx, w)
	}
	latest, out := s.stillApproved(ctx, w)
	if out != nil {
		if out.to == Blocked {
			out.apply = both(out.apply, s.keepGray(w, nil))
		}
		return *out
	}
	plan, err := w.api.GrayPlan(ctx)
	if err != nil {
		out := s.failed(w, err, false)
		out.keep = w.sentAt != nil
		return out
	}
	reached, since := 0, int64(latest.SubmitTime)
	if w.gray != nil {
		reached, since = w.gray.Percentage, w.gray.Plan
	}
	ours := running(plan) && int64(plan.CreateTime) >= since
	switch {
	case ours && int(plan.Percentage) != reached:
		return s.reached(w, plan)
	case w.gray != nil && !ours:
		return s.grayEnded(w, plan)
	case s.inFlight(w):
		return s.readBackSoon(w)
	}
	if out := s.undone(w); out != nil {
		return *out
	}
	if out := s.putOff(w); out != nil {
		return *out
	}
	if running(plan) && !ours { // of an older version
		if err := w.api.RevertGray(ctx); err != nil && !wechat.IsCode(err, 85021) {
			return s.failed(w, err, false) // the plan is read before this is repeated
		}
		return outcome{wait: s.cfg.Now().Add(s.cfg.RetryBase), detail: factOf("the gray release of an older version is canceled first")}
	}
	if w.gray != nil && !w.goRelease {
		g, err := s.standing(w, plan, minTime(w.gray.Since, s.cfg.Now())) // the clock may have been set back
		if err != nil {
			return blocked("window_invalid", factFrom(err))
		}
		if g.NextAt == nil || g.NextAt.After(s.cfg.Now()) {
			return s.hold(w, plan, g)
		}
	}
	return s.widen(ctx, w, w.spec.Release.after(reached), since)
}

func running(plan *wechat.GrayPlan) bool {
	return plan != nil && (plan.Status == wechat.GrayRunning || plan.Status == wechat.GrayPaused)
}

// canceled reports whether an operator wants no more of it; an audit that could be taken back is over.
func (w *work) canceled() bool { return w.wish == wishCancel || w.wish == wishCancelWithdraw }

// standing is where the gray release stands that came to its percentage at since. What all have that is not live yet, and
// what is no longer to go in steps, goes on now.
func (s *Service) standing(w *work, plan *wechat.GrayPlan, since time.Time) (*grayState, error) {
	terms, now := w.spec.Release, s.cfg.Now()
	g := &grayState{Percentage: int(plan.Percentage), Since: since, Plan: int64(plan.CreateTime)}
	g.Step, g.Steps = terms.place(g.Percentage)
	switch {
	case g.Percentage >= everybody || len(terms.Gray) == 0:
		g.NextAt = &now
	case plan.Status != wechat.GrayPaused && terms.interval() > 0:
		due := since.Add(terms.interval())
		if due.Before(now) {
			due = now
		}
		opens, err := windowOpens(terms.Window, due, s.cfg.Location)
		if err == nil && opens.IsZero() { // as for 30 February
			err = &StepError{Code: "window_invalid", Detail: factOf("the release window never opens")}
		}
		if err != nil {
			return nil, err
		}
		g.NextAt = &opens
	}
	return g, nil
}

// hold waits for the next step; meanwhile something may be done in WeChat's console.
func (s *Service) hold(w *work, plan *wechat.GrayPlan, g *grayState) outcome {
	detail := factOf("%d percent of the users have it", g.Percentage)
	if plan.Status == wechat.GrayPaused {
		detail = factOf("at %d percent, paused in WeChat's console", g.Percentage)
	}
	out := waitUntil(s.cfg.Now().Add(s.cfg.AuditPoll), detail)
	out.apply = s.keepGray(w, g)
	if g.NextAt != nil {
		out.wait, out.until = minTime(out.wait, *g.NextAt), *g.NextAt
	}
	return out
}

// widen makes one step and looks that WeChat's plan shows it.
func (s *Service) widen(ctx context.Context, w *work, percentage int, since int64) outcome {
	if percentage == everybody && !slices.Contains(w.spec.Release.Gray, everybody) || w.gray != nil && w.gray.Percentage >= everybody {
		return s.releaseToAll(ctx, w)
	}
	err := s.send(ctx, w, func(ctx context.Context) error {
		return w.api.GrayRelease(ctx, wechat.GrayRequest{Percentage: percentage})
	})
	switch {
	case wechat.IsCode(err, 85079): // nothing is live yet
		return s.releaseToAll(ctx, w)
	case wechat.IsCode(err, 85082): // it has come so far already, or another plan has: the plan tells
	case err != nil && !wechat.IsCode(err, 85052): // 85052: already released
		return s.failed(w, err, true)
	}
	version, verr := w.api.VersionInfo(ctx)
	if verr == nil && isLive(version, w) {
		return s.verified(ctx, w)
	}
	plan, perr := w.api.GrayPlan(ctx)
	if verr == nil && perr == nil && running(plan) && int64(plan.CreateTime) >= since && int(plan.Percentage) >= percentage {
		return s.reached(w, plan)
	}
	if wechat.IsCode(err, 85082) && perr == nil {
		return outcome{to: Blocked, failure: failureOf(err)}
	}
	if w.Attempts >= releaseChecks {
		return blocked("release_not_visible", factOf("WeChat's gray release does not show %d percent", percentage))
	}
	return outcome{wait: s.cfg.Now().Add(s.cfg.RetryBase), keep: true, err: &StepError{Code: "release_not_visible", Detail: factOf("accepted, not seen yet")}}
}

// reached notes how far the version has come; a yes of an operator was for this step.
func (s *Service) reached(w *work, plan *wechat.GrayPlan) outcome {
	g, err := s.standing(w, plan, s.cfg.Now())
	if err != nil {
		return blocked("window_invalid", factFrom(err))
	}
	out := s.hold(w, plan, g)
	if w.canceled() {
		out.wait = s.cfg.Now()
	}
	out.apply = both(out.apply, func(ctx context.Context, tx pgx.Tx) error {
		_, err := tx.Exec(ctx, `UPDATE submission SET go_release = false, attempts = 0 WHERE id = $1`, w.ID)
		return err
	})
	return out
}

// grayEnded tells of a gray release that is over without the version being live: it was canceled in WeChat's console or
// by hand, or WeChat is slow to show what everybody has.
func (s *Service) grayEnded(w *work, plan *wechat.GrayPlan) outcome {
	if plan != nil && plan.Status == wechat.GrayFinished && w.Attempts < releaseChecks {
		return outcome{wait: s.cfg.Now().Add(s.cfg.RetryBase), keep: w.sentAt != nil, err: &StepError{Code: "release_not_visible", Detail: factOf("the gray release is finished, the live version is not ours yet")}}
	}
	out := blocked("gray_canceled", factOf("the gray release was ended at %d percent, not by this rollout", w.gray.Percentage))
	out.apply = s.keepGray(w, nil)
	return out
}

// cancelGray takes a version back from those who have it already, and ends the submission.
func (s *Service) cancelGray(ctx context.Context, w *work) outcome {
	done := outcome{
		to: Canceled, failure: &StepError{Code: "canceled", Detail: factOf("the gray release is canceled; all users have the version before it")}, apply: s.keepGray(w, nil),
	}
	plan, err := w.api.GrayPlan(ctx)
	if err != nil {
		return s.failed(w, err, false)
	}
	if !running(plan) {
		return done
	}
	if s.inFlight(w) {
		return s.readBackSoon(w)
	}
	if err := s.send(ctx, w, w.api.RevertGray); err != nil && !wechat.IsCode(err, 85021) { // 85021: none is running
		return s.failed(w, err, true)
	}
	if plan, err = w.api.GrayPlan(ctx); err != nil || running(plan) {
		return outcome{wait: s.cfg.Now().Add(s.cfg.RetryBase), keep: true, err: &StepError{Code: "gray_running", Detail: factOf("accepted, not seen yet")}}
	}
	return done
}

func (s *Service) keepGray(w *work, g *grayState) func(ctx context.Context, tx pgx.Tx) error {
	return func(ctx context.Context, tx pgx.Tx) error {
		_, err := tx.Exec(ctx, `UPDATE submission SET gray = $2 WHERE id = $1`, w.ID, g)
		return err
	}
}

// both carries out two changes that belong together.
func both(first, second func(ctx context.Context, tx pgx.Tx) error) func(ctx context.Context, tx pgx.Tx) error {
	return func(ctx context.Context, tx pgx.Tx) error {
		if err := first(ctx, tx); err != nil {
			return err
		}
		return second(ctx, tx)
	}
}
