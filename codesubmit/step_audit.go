package codesubmit

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/jackc/pgx/v5"

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
	status, err := s.ourAudit(ctx, w)
	if err != nil {
		return s.failed(w, err, false)
	}
	switch status.State {
	case wechat.AuditApproved:
		return outcome{to: Approved, apply: s.audited(ctx, w, component.OutcomeApproved, "", s.auditIs(w, wechat.AuditApproved))}
	case wechat.AuditRejected:
		return outcome{
			to: Rejected, failure: &StepError{Code: "rejected", Detail: namesOnly(status.Reason)},
			apply: s.audited(ctx, w, component.OutcomeRejected, plainReason(status.Reason), func(ctx context.Context, tx pgx.Tx) error {
				return s.storeRejection(ctx, tx, w, status)
			}),
		}
	case wechat.AuditWithdrawn:
		return outcome{to: Withdrawn, failure: &StepError{Code: "withdrawn"}, apply: s.auditIs(w, wechat.AuditWithdrawn)}
	default: // running or delayed
		apply := s.auditStays(w, status.State, status.Reason)
		if newlyDelayed(w, status.State) {
			apply = s.audited(ctx, w, component.OutcomeDelayed, plainReason(status.Reason), apply)
		}
		return outcome{wait: s.cfg.Now().Add(s.cfg.AuditPoll), detail: namesOnly(status.Reason), apply: apply}
	}
}

// ourAudit reads the latest audit, and ours by its id when somebody submitted another since.
func (s *Service) ourAudit(ctx context.Context, w *work) (wechat.Audit, error) {
	latest, err := w.api.LatestAuditStatus(ctx)
	if err != nil {
		return wechat.Audit{}, err
	}
	if latest.AuditID == w.AuditID {
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
		return &outcome{wait: s.cfg.Now().Add(s.cfg.AuditPoll), err: err, waiting: true, apply: s.clearWish(w)}
	}
	if err != nil {
		out := s.failed(w, err, false) // a repeat answers 87012, then the state is read
		return &out
	}
	if w.wish == wishCancelWithdraw {
		return &outcome{to: Canceled, failure: &StepError{Code: "canceled"}, apply: s.auditIs(w, wechat.AuditWithdrawn)}
	}
	return &outcome{to: Withdrawn, failure: &StepError{Code: "withdrawn"}, apply: s.auditIs(w, wechat.AuditWithdrawn)}
}

func (s *Service) auditIs(w *work, status wechat.AuditState) func(ctx context.Context, tx pgx.Tx) error {
	return func(ctx context.Context, tx pgx.Tx) error {
		return s.setAuditEnd(ctx, tx, w.ID, w.AuditID, status, "")
	}
}

func (s *Service) auditStays(w *work, status wechat.AuditState, reason string) func(ctx context.Context, tx pgx.Tx) error {
	return func(ctx context.Context, tx pgx.Tx) error {
		return s.setAuditRunning(ctx, tx, w.ID, status, plainReason(reason))
	}
}

func (s *Service) clearWish(w *work) func(ctx context.Context, tx pgx.Tx) error {
	return func(ctx context.Context, tx pgx.Tx) error { return s.setWish(ctx, tx, w.ID, "") }
}

// storeRejection keeps the reason and enqueues the fetching of the pictures that belong to it.
func (s *Service) storeRejection(ctx context.Context, tx pgx.Tx, w *work, status wechat.Audit) error {
	if err := s.setAuditEnd(ctx, tx, w.ID, w.AuditID, wechat.AuditRejected, plainReason(status.Reason)); err != nil {
		return err
	}
	for _, media := range status.Screenshots {
		if err := s.addScreenshot(ctx, tx, w.ID, w.AuditID, media); err != nil {
			return err
		}
	}
	return s.queue.InsertTx(ctx, tx, ScreenshotsArgs{SubmissionID: w.ID}, nil)
}

// FetchScreenshots gets the pictures of a rejection, which are permanent materials of the merchant.
func (s *Service) FetchScreenshots(ctx context.Context, submissionID int64) error {
	appid, err := s.appidOf(ctx, submissionID)
	if err != nil || appid == "" {
		return err
	}
	pending, err := s.pendingScreenshots(ctx, submissionID)
	if err != nil {
		return err
	}
	for _, shot := range pending {
		var image []byte
		var contentType string
		err := s.locks.Do(ctx, lockKey(appid), func(ctx context.Context) error {
			var err error
			image, contentType, err = s.merchants.API(appid).GetMaterial(ctx, shot.mediaID)
			return err
		})
		var refusal *wechat.APIError
		if errors.As(err, &refusal) && wechat.ClassOf(err) != wechat.ClassTransient {
			if err := s.storeScreenshot(ctx, shot.id, nil, "", refusal.Error()); err != nil {
				return err
			}
			continue
		}
		if err != nil {
			return fmt.Errorf("fetch screenshot: %w", err)
		}
		if err := s.storeScreenshot(ctx, shot.id, image, contentType, ""); err != nil {
			return err
		}
	}
	return nil
}

// plainReason cleans the HTML that WeChat puts into reasons.
func plainReason(html string) string {
	text := strings.NewReplacer("<br>", "\n", "<br/>", "\n", "<br />", "\n", "&nbsp;", " ", "&lt;", "<", "&gt;", ">", "&quot;", `"`, "&#39;", "'", "&amp;", "&").
		Replace(stripTags(html))
	return strings.TrimSpace(text)
}

// stripTags removes tags other than line breaks.
func stripTags(html string) string {
	var out strings.Builder
	for {
		before, rest, found := strings.Cut(html, "<")
		out.WriteString(before)
		if !found {
			return out.String()
		}
		tag, after, closed := strings.Cut(rest, ">")
		if !closed {
			out.WriteString("<" + rest)
			return out.String()
		}
		if strings.HasPrefix(strings.ToLower(tag), "br") {
			out.WriteString("<br>")
		}
		html = after
	}
}
