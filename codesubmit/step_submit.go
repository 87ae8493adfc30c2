package codesubmit

import (
	"context"
	"strings"

	"github.com/jackc/pgx/v5"

	"github.com/wxsteward/wxsteward/internal/wechat"
)

// submit hands the trial version to WeChat's reviewers, once. WeChat is asked first what it has in audit: our own
// version there means that an answer was lost, a foreign one is waited for (errcode 85009).
func (s *Service) submit(ctx context.Context, w *work) outcome {
	latest, err := w.api.LatestAuditStatus(ctx)
	switch {
	case wechat.IsCode(err, 85058): // never submitted through this platform
	case err != nil:
		return s.failed(w, err, false)
	case s.isOurAudit(w, latest) && latest.AuditID != w.endedAuditID:
		return s.submitted(w, latest.AuditID, factOf("found in audit after an answer was lost"))
	case underAudit(latest.State):
		return outcome{wait: s.cfg.Now().Add(s.cfg.AuditPoll), waiting: true, keep: w.sentAt != nil, err: &StepError{
			Code: "audit_running", Detail: factOf("audit %d of version %s is under way", latest.AuditID, latest.UserVersion),
		}}
	}
	if w.sentAt != nil {
		if rest := w.sentAt.Add(s.settle()); s.cfg.Now().Before(rest) {
			return outcome{wait: rest, keep: true, waiting: true, err: &StepError{Code: "wechat_unavailable", Detail: factOf("outcome unknown, reading back")}}
		}
	}
	if w.Failure != nil && w.Failure.Code == quotaExhausted { // what is left is asked for before it is tried again
		quota, err := w.api.QueryQuota(ctx)
		if err != nil {
			return s.failed(w, err, false)
		}
		if quota.Rest <= 0 {
			return outcome{wait: s.cfg.Now().Add(s.cfg.AuditPoll), waiting: true, keep: w.sentAt != nil, err: w.Failure}
		}
	}
	var auditID int64
	err = s.send(ctx, w, func(ctx context.Context) error {
		var err error
		auditID, err = w.api.SubmitAudit(ctx, auditRequest(w.spec.Audit))
		return err
	})
	switch {
	case wechat.IsCode(err, 85009): // just after a rejection, or submitted elsewhere: wait and read again
		return outcome{wait: s.cfg.Now().Add(s.cfg.AuditPoll), waiting: true, err: err}
	case wechat.IsCode(err, 85085): // read again at the audit poll, for extra quota may be granted any time
		return outcome{wait: s.cfg.Now().Add(s.cfg.AuditPoll), waiting: true, err: err}
	case wechat.IsCode(err, 85086), wechat.IsCode(err, 86001): // the code we committed is gone
		return outcome{to: Blocked, failure: failureOf(err), apply: s.resumeAt(w, Committing)}
	case err != nil:
		return s.failed(w, err, true)
	}
	return s.submitted(w, auditID, Fact{})
}

func (s *Service) submitted(w *work, auditID int64, detail Fact) outcome {
	return outcome{to: Auditing, detail: detail, apply: func(ctx context.Context, tx pgx.Tx) error {
		return s.setAudit(ctx, tx, w.ID, auditID, wechat.AuditRunning)
	}}
}

// isOurAudit recognises our submission by the marker that went out with the commit.
//
// After a rejection the present trial version is submitted, whosever it is: then an audit that began after our call
// went out is ours.
func (s *Service) isOurAudit(w *work, latest wechat.Audit) bool {
	if w.endedAuditID != 0 && w.sentAt != nil && int64(latest.SubmitTime) >= w.sentAt.Unix() {
		return true
	}
	return strings.Contains(latest.UserDesc, w.marker)
}

func auditRequest(spec AuditSpec) wechat.SubmitAuditRequest {
	return wechat.SubmitAuditRequest{
		Items: spec.ItemList, VersionDesc: spec.VersionDesc, FeedbackInfo: spec.FeedbackInfo,
		PrivacyAPINotUse: spec.PrivacyAPINotUse, UGCDeclare: spec.UGCDeclare, OrderPath: spec.OrderPath,
	}
}
