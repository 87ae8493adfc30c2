package codesubmit

import (
	"context"
	"errors"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/wxsteward/wxsteward/internal/wechat"
)

// submit hands the trial version to WeChat's reviewers, once. WeChat is asked first what it has in audit: our own
// version there means that an answer was lost, a foreign one is waited for (errcode 85009).
func (s *Service) submit(ctx context.Context, w *work) outcome {
	speedUp, err := s.wantsSpeedUp(ctx, w)
	if err != nil {
		return s.failed(w, err, false)
	}
	latest, err := w.api.LatestAuditStatus(ctx)
	switch {
	case wechat.IsCode(err, 85058): // never submitted through this platform
	case err != nil:
		return s.failed(w, err, false)
	case w.isOurAudit(latest):
		return s.submitted(w, latest.AuditID, s.begun(latest), speedUp, factOf("found in audit after an answer was lost"))
	}
	if s.inFlight(w) {
		return s.readBack(s.settles(w))
	}
	if out := s.undone(w); out != nil {
		return *out
	}
	if err == nil && underAudit(latest.State) {
		return outcome{wait: s.cfg.Now().Add(s.cfg.AuditPoll), waiting: true, err: &StepError{
			Code: "audit_running", Detail: factOf("audit %d of version %s is under way", latest.AuditID, latest.UserVersion),
		}}
	}
	if out := s.quotaLeft(ctx, w); out != nil {
		return *out
	}
	if out := s.trialStays(ctx, w); out != nil {
		return *out
	}
	files, err := s.upload(ctx, w)
	if errors.Is(err, errUploadsBusy) {
		out := waitUntil(s.cfg.Now().Add(uploadPause), factOf("waits until other files are uploaded"))
		out.waiting = true
		return out
	}
	if err != nil {
		return s.failed(w, err, false)
	}
	var auditID int64
	at := s.cfg.Now()
	err = s.send(ctx, w, func(ctx context.Context) error {
		var err error
		auditID, err = w.api.SubmitAudit(ctx, auditRequest(w.spec.Audit, files))
		return err
	})
	switch {
	case wechat.IsCode(err, 85009): // just after a rejection, or submitted elsewhere: wait and read again
		return outcome{wait: s.cfg.Now().Add(s.cfg.AuditPoll), waiting: true, err: err}
	case wechat.IsCode(err, 85085): // read again at the audit poll, for extra quota may be granted any time
		out := s.quotaUsedUp(w, err)
		out.apply = func(ctx context.Context, tx pgx.Tx) error { return emptyQuota(ctx, tx, s.cfg.Now()) }
		return out
	case wechat.IsCode(err, 85086), wechat.IsCode(err, 86001): // the code we committed is gone
		return outcome{to: Blocked, failure: failureOf(err), apply: s.resumeAt(w, Committing)}
	case wechat.IsCode(err, 85056, 85092) && len(files.ids) > 0 && !files.fresh: // WeChat has dropped them before its time
		return outcome{wait: s.cfg.Now().Add(pause(s.cfg.RetryBase, 1)), err: err, apply: func(ctx context.Context, tx pgx.Tx) error {
			return s.forgetUploads(ctx, tx, w.AppID, files.ids)
		}}
	case err != nil:
		return s.failed(w, err, true)
	}
	return s.submitted(w, auditID, at, speedUp, Fact{})
}

// uploadPause is how long a submission waits when as many files as memory allows are on their way to WeChat.
const uploadPause = 2 * time.Second

func (s *Service) submitted(w *work, auditID int64, at time.Time, speedUp bool, detail Fact) outcome {
	return outcome{to: Auditing, detail: detail, apply: func(ctx context.Context, tx pgx.Tx) error {
		if err := takeQuota(ctx, tx); err != nil {
			return err
		}
		return s.setAudit(ctx, tx, w.ID, auditID, at, speedUp)
	}}
}

// begun is when an audit began, as WeChat tells it.
func (s *Service) begun(latest wechat.Audit) time.Time {
	if latest.SubmitTime == 0 {
		return s.cfg.Now()
	}
	return time.Unix(int64(latest.SubmitTime), 0)
}

// isOurAudit recognises our submission by the marker that went out with the commit or, where WeChat tells no
// description, by the version and a time after our call went out. An audit that has ended already is an earlier one.
func (w *work) isOurAudit(latest wechat.Audit) bool {
	if latest.AuditID == w.endedAuditID {
		return false
	}
	if latest.UserDesc == "" {
		return latest.UserVersion == w.UserVersion && w.sentAt != nil && int64(latest.SubmitTime) >= w.sentAt.Unix()
	}
	return strings.Contains(latest.UserDesc, w.marker)
}

// trialTrust is how long after the commit the trial version is taken for ours without looking.
const trialTrust = 10 * time.Minute

// trialStays looks whether the trial version is still the one we committed, where time enough has gone by for somebody
// else to have committed another: that one must not go to the reviewers in our name. nil: it is.
func (s *Service) trialStays(ctx context.Context, w *work) *outcome {
	at, since, err := s.committedAt(ctx, w.ID)
	if err != nil {
		return new(s.failed(w, err, false))
	}
	if at != nil && !since && w.endedAuditID == 0 && w.spec.Audit.Submit != "manual" {
		if age := s.cfg.Now().Sub(*at); age >= 0 && age < trialTrust { // the clock may have been set back
			return nil
		}
	}
	version, err := w.api.VersionInfo(ctx)
	if err != nil {
		return new(s.failed(w, err, false))
	}
	out := outcome{to: Blocked, failure: &StepError{Code: "trial_replaced", Detail: factOf("the trial version is not ours")}, apply: s.resumeAt(w, Committing)}
	switch v := version.Exp; {
	case v == nil && since:
	case v == nil: // WeChat leaves it out at times; without code submit_audit itself says so (85086)
		return nil
	case strings.Contains(v.Desc, w.marker), v.Desc == "" && v.Version == w.UserVersion && !since:
		return nil
	default:
		out.failure.Detail = factOf("the trial version is %s, not ours", v.Version)
	}
	return &out
}

func auditRequest(spec AuditSpec, files mediaUploads) wechat.SubmitAuditRequest {
	return wechat.SubmitAuditRequest{
		Items: spec.ItemList, Preview: files.preview, VersionDesc: spec.VersionDesc, FeedbackInfo: spec.FeedbackInfo, FeedbackStuff: files.stuff,
		PrivacyAPINotUse: spec.PrivacyAPINotUse, UGCDeclare: spec.UGCDeclare, OrderPath: spec.OrderPath,
	}
}
