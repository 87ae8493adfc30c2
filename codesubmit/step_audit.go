package codesubmit

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"

	"github.com/jackc/pgx/v5"

	"github.com/wxsteward/wxsteward/authorize/turn"
	"github.com/wxsteward/wxsteward/component"
	"github.com/wxsteward/wxsteward/internal/wechat"
)

// readAudit asks how the audit stands. An event only makes this happen sooner: it carries neither audit id nor version,
// so it changes nothing by itself.
func (s *Service) readAudit(ctx context.Context, w *work) outcome {
	if w.wish == wishWithdraw || w.wish == wishCancelWithdraw {
		if out := s.withdraw(ctx, w); out != nil {
			return *out
		}
	}
	if w.SpeedUp == SpeedUpWanted {
		// What could not be asked now is asked at the next look; the audit goes on in any case.
		if err := s.speedUp(ctx, w.api, w.Submission); err != nil {
			s.cfg.Logger.WarnContext(ctx, "audit not sped up yet", slog.Int64("submission", w.ID), slog.Any("error", err))
		}
	}
	status, err := s.ourAudit(ctx, w)
	if wechat.IsCode(err, 85012, 85058) { // WeChat no longer knows our audit
		return outcome{to: Blocked, failure: failureOf(err), apply: s.resumeAt(w, Submitting)}
	}
	if err != nil {
		return s.failed(w, err, false)
	}
	switch status.State {
	case wechat.AuditApproved:
		if w.wish == wishWithdraw { // the reviewers were faster; what was to be stopped does not go live by itself
			return outcome{to: Canceled, failure: &StepError{Code: "withdraw_late"}, apply: s.auditIs(w, wechat.AuditApproved)}
		}
		return outcome{to: Approved, apply: s.audited(ctx, w, component.OutcomeApproved, "", s.auditIs(w, wechat.AuditApproved))}
	case wechat.AuditRejected:
		group := s.reasonGroup(ctx, w.AppID, status.Reason)
		return outcome{
			to: Rejected, failure: &StepError{Code: "rejected", Detail: namesOnly(plainReason(status.Reason))},
			apply: s.audited(ctx, w, component.OutcomeRejected, plainReason(status.Reason), func(ctx context.Context, tx pgx.Tx) error {
				return s.storeRejection(ctx, tx, w, status, group)
			}),
		}
	case wechat.AuditWithdrawn:
		return s.withdrawn(w)
	default: // running or delayed
		apply := s.auditStays(w, status.State, status.Reason)
		if newlyDelayed(w, status.State) {
			apply = s.audited(ctx, w, component.OutcomeDelayed, plainReason(status.Reason), apply)
		}
		next := s.cfg.AuditPoll
		if w.look { // an event may come before the state that it tells of
			next = min(next, s.settle())
		}
		return outcome{wait: s.cfg.Now().Add(next), detail: namesOnly(plainReason(status.Reason)), apply: apply}
	}
}

// ourAudit reads the latest audit, and ours by its id when somebody submitted another since, or when WeChat hides it from
// the latest.
func (s *Service) ourAudit(ctx context.Context, w *work) (wechat.Audit, error) {
	latest, err := w.api.LatestAuditStatus(ctx)
	if err != nil && !wechat.IsCode(err, 85058) {
		return wechat.Audit{}, err
	}
	if err == nil && latest.AuditID == w.AuditID {
		return latest, nil
	}
	return w.api.AuditStatus(ctx, w.AuditID)
}

// withdraw takes the audit back; nil means that WeChat's state must be read first. 87012: no longer under audit.
func (s *Service) withdraw(ctx context.Context, w *work) *outcome {
	err := w.api.UndoAudit(ctx)
	if wechat.IsCode(err, 87012) {
		return nil
	}
	var refusal *wechat.APIError
	if errors.As(err, &refusal) && wechat.ClassOf(err) == wechat.ClassQuota {
		// 5 a day, 10 a month (87013): the wish cannot be granted now, the audit goes on.
		count := func(ctx context.Context, tx pgx.Tx) error {
			if refusal.Code != 87013 {
				return nil
			}
			return s.countWithdrawal(ctx, tx, w.AppID, w.AuditID, true)
		}
		if w.canceled() {
			failure := failureOf(err)
			failure.Code, failure.Detail = "canceled", factOf("WeChat does not take the audit back; it goes on there, and the version is not released")
			return &outcome{to: Canceled, failure: failure, apply: count}
		}
		return &outcome{wait: s.cfg.Now().Add(s.cfg.AuditPoll), err: err, waiting: true, apply: both(count, func(ctx context.Context, tx pgx.Tx) error {
			return s.setWish(ctx, tx, w.ID, "")
		})}
	}
	if err != nil {
		out := s.failed(w, err, false) // a repeat answers 87012, then the state is read
		return &out
	}
	return new(s.withdrawn(w))
}

// withdrawn ends a submission whose audit was taken back. If that was our wish it counts, also when WeChat's answer to it
// was lost.
func (s *Service) withdrawn(w *work) outcome {
	out := outcome{to: Withdrawn, failure: &StepError{Code: "withdrawn"}, apply: s.auditIs(w, wechat.AuditWithdrawn)}
	if w.wish == "" {
		return out
	}
	if w.wish == wishCancel || w.wish == wishCancelWithdraw {
		out.to, out.failure = Canceled, &StepError{Code: "canceled"}
	}
	out.apply = func(ctx context.Context, tx pgx.Tx) error {
		if err := s.countWithdrawal(ctx, tx, w.AppID, w.AuditID, false); err != nil {
			return err
		}
		return s.setAuditEnd(ctx, tx, w, wechat.AuditWithdrawn, "", "")
	}
	return out
}

func (s *Service) auditIs(w *work, status wechat.AuditState) func(ctx context.Context, tx pgx.Tx) error {
	return func(ctx context.Context, tx pgx.Tx) error { return s.setAuditEnd(ctx, tx, w, status, "", "") }
}

func (s *Service) auditStays(w *work, status wechat.AuditState, reason string) func(ctx context.Context, tx pgx.Tx) error {
	return func(ctx context.Context, tx pgx.Tx) error {
		return s.setAuditRunning(ctx, tx, w.ID, status, plainReason(reason))
	}
}

// storeRejection keeps the reason and enqueues the fetching of the pictures that belong to it.
func (s *Service) storeRejection(ctx context.Context, tx pgx.Tx, w *work, status wechat.Audit, group string) error {
	if err := s.setAuditEnd(ctx, tx, w, wechat.AuditRejected, plainReason(status.Reason), group); err != nil {
		return err
	}
	if len(status.Screenshots) == 0 {
		return nil
	}
	for _, media := range status.Screenshots {
		if err := s.addScreenshot(ctx, tx, w.ID, w.AuditID, media); err != nil {
			return err
		}
	}
	return s.queue.InsertTx(ctx, tx, ScreenshotsArgs{SubmissionID: w.ID}, nil)
}

// FetchScreenshots gets the pictures of a rejection, which are permanent materials of the merchant. got is false when
// others are at work on the merchant; then the caller comes again.
func (s *Service) FetchScreenshots(ctx context.Context, submissionID int64) (got bool, err error) {
	appid, err := s.appidOf(ctx, submissionID)
	if err != nil || appid == "" {
		return true, err
	}
	pending, err := s.pendingScreenshots(ctx, submissionID)
	if err != nil || len(pending) == 0 {
		return true, err
	}
	return turn.Look(ctx, s.locks, appid, func(ctx context.Context) error {
		var errs []error
		for _, shot := range pending { // one that cannot be had now keeps none of the others away
			errs = append(errs, s.fetchScreenshot(ctx, appid, shot))
		}
		return errors.Join(errs...)
	})
}

func (s *Service) fetchScreenshot(ctx context.Context, appid string, shot pendingScreenshot) error {
	image, contentType, err := s.merchants.API(appid).GetMaterial(ctx, shot.mediaID)
	var refusal *wechat.APIError
	switch {
	case err == nil && isPicture(contentType):
		return s.storeScreenshot(ctx, shot.id, image, contentType, "")
	case err == nil: // our host serves it, so nothing else may come this way
		return s.storeScreenshot(ctx, shot.id, nil, "", "no picture: "+contentType)
	case errors.As(err, &refusal) && judge(err, false) != again && judge(err, false) != later:
		return s.storeScreenshot(ctx, shot.id, nil, "", refusal.Error())
	default:
		return fmt.Errorf("fetch screenshot: %w", err)
	}
}

func isPicture(contentType string) bool {
	return slices.Contains([]string{"image/png", "image/jpeg", "image/gif", "image/webp", "image/bmp"}, contentType)
}
