package codesubmit

import (
	"context"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/wxsteward/wxsteward/internal/wechat"
)

// commit uploads the template's code as the merchant's trial version, once: what a lost answer did is read from
// exp_info, where our marker stands in the description (errcode 9402205).
func (s *Service) commit(ctx context.Context, w *work) outcome {
	if w.sentAt != nil || w.Attempts > 0 { // one that went out before may have come late
		version, err := w.api.VersionInfo(ctx)
		if err != nil {
			return s.failed(w, err, false)
		}
		if w.wrote(version.Exp) {
			return outcome{to: Detecting, detail: factOf("found as trial version after an answer was lost")}
		}
		if w.sentAt != nil {
			known := s.settles(w)
			if version.Exp == nil { // there is none, or WeChat leaves it out this time: it is asked once more
				known = known.Add(s.settle())
			}
			if s.cfg.Now().Before(known) {
				return s.readBack(known)
			}
		}
		if out := s.undone(w); out != nil {
			return *out
		}
	}
	m, err := s.merchant(ctx, w.AppID)
	if err != nil {
		return s.failed(w, err, false)
	}
	ext, err := renderExtJSON(w.spec.ExtJSON, m)
	if err != nil {
		return blocked(extJSONInvalid, factFrom(err))
	}
	if err := s.keepExtJSON(ctx, w.ID, ext); err != nil { // before the call: its answer may be lost
		return s.failed(w, err, false)
	}
	err = s.send(ctx, w, func(ctx context.Context) error {
		return w.api.Commit(ctx, wechat.CommitRequest{
			TemplateID: w.TemplateID, ExtJSON: ext, UserVersion: w.UserVersion, UserDesc: userDesc(w.spec.UserDesc, w.marker),
		})
	})
	if err != nil {
		return s.failed(w, err, true)
	}
	return advance(Detecting)
}

// detect waits for WeChat's check of the committed code for privacy interfaces. Committing again would start
// the check anew, so only this call is repeated.
func (s *Service) detect(ctx context.Context, w *work) outcome {
	info, err := w.api.CodePrivacyInfo(ctx)
	declared := w.spec.Audit.PrivacyAPINotUse
	if wechat.IsCode(err, 61040) && declared {
		return outcome{to: Privacy, detail: factOf("declared as not used")}
	}
	if err != nil {
		return s.failed(w, err, false)
	}
	if len(info.WithoutAuth)+len(info.WithoutConf) > 0 && !declared {
		return blocked("privacy_api", factOf("without permission: %s; not declared: %s",
			strings.Join(info.WithoutAuth, ", "), strings.Join(info.WithoutConf, ", ")))
	}
	s.learnPages(ctx, w)
	return advance(Privacy)
}

// awaitSubmit holds a trial version until an operator says submit, and notices when somebody else replaces it.
func (s *Service) awaitSubmit(ctx context.Context, w *work) outcome {
	if w.goSubmit {
		return advance(Submitting)
	}
	version, err := w.api.VersionInfo(ctx)
	if err != nil {
		return s.failed(w, err, false)
	}
	// WeChat leaves it out at times; without code submit_audit itself says so (85086).
	if v := version.Exp; v != nil && (v.Version != w.UserVersion || v.Desc != "" && !strings.Contains(v.Desc, w.marker)) {
		return outcome{to: Blocked, failure: &StepError{Code: "trial_replaced", Detail: factOf("the trial version is not ours")}, apply: s.resumeAt(w, Committing)}
	}
	return waitUntil(s.cfg.Now().Add(s.cfg.AuditPoll), Fact{})
}

// resumeAt makes a later retry go on at another step than the one that ended.
func (s *Service) resumeAt(w *work, state State) func(ctx context.Context, tx pgx.Tx) error {
	return func(ctx context.Context, tx pgx.Tx) error { return s.setResume(ctx, tx, w.ID, state) }
}

// windowOpens is the next moment at which a release window lets a release through; it is now when now's minute matches.
func windowOpens(expr string, now time.Time, loc *time.Location) (time.Time, error) {
	if expr == "" {
		return now, nil
	}
	schedule, err := parseWindow(expr)
	if err != nil {
		return time.Time{}, err
	}
	minute := now.In(loc).Truncate(time.Minute)
	next := schedule.Next(minute.Add(-time.Second))
	if next.Equal(minute) {
		return now, nil
	}
	return next, nil
}
