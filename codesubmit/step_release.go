package codesubmit

import (
	"context"
	"strings"
	"time"

	"github.com/wxsteward/wxsteward/internal/wechat"
)

// releaseChecks is how often the live version is looked at after WeChat accepted a release before an operator is asked.
const releaseChecks = 5

// awaitRelease holds an approved version until an operator says release or its window opens, and notices what is done
// to it in WeChat's console meanwhile.
func (s *Service) awaitRelease(ctx context.Context, w *work) outcome {
	now := s.cfg.Now()
	opens, wrong := s.letsOut(w, now)
	switch {
	case wrong != nil:
		return outcome{to: Blocked, failure: wrong}
	case opens.IsZero(): // an operator says when
	case !opens.After(now):
		return advance(Releasing)
	case opens.Before(now.Add(s.cfg.AuditPoll)):
		return waitUntil(opens, factOf("waits for the release window"))
	}
	version, err := w.api.VersionInfo(ctx)
	if err != nil {
		return s.failed(w, err, false)
	}
	if isLive(version, w) {
		return outcome{to: Released, detail: factOf("released in WeChat's console")}
	}
	if _, out := s.stillApproved(ctx, w); out != nil {
		return *out
	}
	out := waitUntil(now.Add(s.cfg.AuditPoll), Fact{})
	if !opens.IsZero() {
		out.until, out.detail = opens, factOf("waits for the release window")
	}
	return out
}

// letsOut is when the terms let a version go to its users: now, or when the window opens; zero: when an operator says so.
func (s *Service) letsOut(w *work, now time.Time) (opens time.Time, wrong *StepError) {
	switch {
	case w.goRelease: // by hand: ignores the window
		return now, nil
	case w.spec.Release.Mode != "auto":
		return time.Time{}, nil
	}
	opens, err := windowOpens(w.spec.Release.Window, now, s.cfg.Location)
	if err != nil {
		return opens, &StepError{Code: "window_invalid", Detail: factFrom(err)}
	}
	if opens.IsZero() { // as for 30 February
		return opens, &StepError{Code: "window_invalid", Detail: factOf("the release window never opens")}
	}
	return opens, nil
}

// putOff is for a release that none of the users has yet and that the terms no longer let out, for it was held up until its
// window closed, or is tried again after an end: it waits as it did before. nil: it may go out.
func (s *Service) putOff(w *work) *outcome {
	if w.gray != nil {
		return nil
	}
	now := s.cfg.Now()
	if opens, wrong := s.letsOut(w, now); wrong == nil && !opens.IsZero() && !opens.After(now) {
		return nil
	}
	return &outcome{to: Approved}
}

// stillApproved asks whether release would publish our version: it publishes the last approved one, whosever that is.
// A nil outcome means yes.
func (s *Service) stillApproved(ctx context.Context, w *work) (wechat.Audit, *outcome) {
	latest, err := w.api.LatestAuditStatus(ctx)
	if err != nil {
		out := s.failed(w, err, false)
		out.keep = w.sentAt != nil
		return latest, &out
	}
	if latest.AuditID == w.AuditID && latest.State == wechat.AuditApproved {
		return latest, nil
	}
	if latest.AuditID == w.AuditID && latest.State == wechat.AuditWithdrawn {
		return latest, &outcome{to: Blocked, failure: &StepError{Code: "audit_changed", Detail: factOf("the approved version was withdrawn")}, apply: s.resumeAt(w, Submitting)}
	}
	return latest, &outcome{to: Blocked, failure: &StepError{Code: "audit_changed", Detail: factOf("WeChat's latest audit is of version %s, not ours", latest.UserVersion)}, apply: s.resumeAt(w, Submitting)}
}

// release publishes the approved version, to everybody or to more and more of the users.
func (s *Service) release(ctx context.Context, w *work) outcome {
	version, err := w.api.VersionInfo(ctx)
	if err != nil {
		out := s.failed(w, err, false)
		out.keep = w.sentAt != nil
		return out
	}
	if isLive(version, w) {
		return s.verified(ctx, w)
	}
	if len(w.spec.Release.Gray) > 0 || w.gray != nil {
		return s.releaseInSteps(ctx, w)
	}
	return s.releaseToAll(ctx, w)
}

// releaseToAll publishes the approved version, once, and looks that it is live. A lost answer is read from release_info.
func (s *Service) releaseToAll(ctx context.Context, w *work) outcome {
	if w.sentAt != nil {
		if rest := s.settles(w); s.cfg.Now().Before(rest) {
			return outcome{wait: minTime(rest, s.cfg.Now().Add(s.cfg.RetryBase)), keep: true, waiting: true, err: &StepError{Code: "wechat_unavailable", Detail: factOf("release sent, live version is not ours yet")}}
		}
		if w.Attempts >= releaseChecks && !w.canceled() {
			return blocked("release_not_visible", factOf("the live version is not ours"))
		}
		if out := s.undone(w); out != nil {
			return *out
		}
	}
	if out := s.putOff(w); out != nil {
		return *out
	}
	if _, out := s.stillApproved(ctx, w); out != nil {
		return *out
	}
	err := s.send(ctx, w, w.api.Release)
	if err != nil && !wechat.IsCode(err, 85052) { // 85052: already released
		return s.failed(w, err, true)
	}
	if version, err := w.api.VersionInfo(ctx); err != nil || !isLive(version, w) {
		if w.Attempts >= releaseChecks {
			return blocked("release_not_visible", factOf("the live version is not ours"))
		}
		return outcome{wait: s.cfg.Now().Add(s.cfg.RetryBase), keep: true, err: &StepError{Code: "release_not_visible", Detail: factOf("accepted, not live yet")}}
	}
	return s.verified(ctx, w)
}

// verified compares what users have now with what was wanted. Differences are told, they do not undo a release.
func (s *Service) verified(ctx context.Context, w *work) outcome {
	var detail Fact
	if w.spec.Domains != nil {
		effective, err := w.api.EffectiveDomain(ctx)
		if err == nil {
			if gaps := domainGaps(w.spec.Domains.server(wechat.Domains{}), effective.Effective, false); len(gaps) > 0 {
				detail = factOf("not effective yet: %s", strings.Join(gaps, ", "))
			}
		}
	}
	return outcome{to: Released, detail: detail, apply: both(s.auditIs(w, wechat.AuditApproved), s.keepGray(w, nil))}
}

func isLive(v wechat.VersionInfo, w *work) bool { return w.wrote(v.Live) }
