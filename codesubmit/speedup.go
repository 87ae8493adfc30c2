package codesubmit

import (
	"context"
	"errors"
	"slices"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/wxsteward/wxsteward/authorize/turn"
	"github.com/wxsteward/wxsteward/internal/fault"
	"github.com/wxsteward/wxsteward/internal/wechat"
)

// SpeedUpState is whether an audit is to be sped up (加急).
type SpeedUpState string

// The states; empty: nobody has asked for it.
const (
	SpeedUpWanted  SpeedUpState = "wanted" // asked for, no answer of WeChat's yet
	SpeedUpDone    SpeedUpState = "done"
	SpeedUpRefused SpeedUpState = "refused"
)

// queuePatience is how long a new audit may be unknown to WeChat's queue of speed-ups (89402) before that counts as an
// answer.
const queuePatience = time.Hour

// SpeedUp asks WeChat to review sooner; the provider has few of these a month. The wish is written down first: when the
// answer is lost, or the merchant is busy, the submission's job asks on. WeChat takes one speed-up for an audit
// however often it is asked (89404).
func (s *Service) SpeedUp(ctx context.Context, id int64) error {
	var sub *Submission
	err := pgx.BeginFunc(ctx, s.db, func(tx pgx.Tx) error {
		var err error
		if sub, err = s.lockedSubmission(ctx, tx, id); err != nil {
			return err
		}
		if sub.State != Auditing || sub.AuditID == 0 {
			return fault.New(fault.Conflict, "Only a submission in audit can be sped up; this one is %s.", sub.State)
		}
		if sub.SpeedUp == SpeedUpDone {
			return nil
		}
		if _, err := tx.Exec(ctx, `UPDATE submission SET speed_up = 'wanted', speed_up_error = NULL WHERE id = $1`, id); err != nil {
			return err
		}
		return s.wake(ctx, tx, id)
	})
	if err != nil || sub.SpeedUp == SpeedUpDone {
		return err
	}
	err = turn.Take(ctx, s.locks, sub.AppID, func(ctx context.Context) error {
		if sub, err = s.submissionByID(ctx, id); err != nil || sub.SpeedUp != SpeedUpWanted {
			return err
		}
		return s.speedUp(ctx, s.merchants.API(sub.AppID), sub)
	})
	if busy, ok := errors.AsType[*fault.Error](err); ok && busy.Kind == fault.Conflict {
		return nil // its job will ask
	}
	if err == nil && sub.SpeedUp == SpeedUpRefused {
		f := sub.SpeedUpError
		return &wechat.APIError{Op: f.Op, Code: f.ErrCode, Msg: f.ErrMsg, RID: f.RID}
	}
	return err
}

// speedUp asks WeChat and notes the answer in sub and its row. The error is for what is worth another try.
func (s *Service) speedUp(ctx context.Context, api *wechat.Authorizer, sub *Submission) error {
	err := api.SpeedUpAudit(ctx, sub.AuditID)
	rest := `speedup_rest`
	var refusal *wechat.APIError
	switch {
	case err == nil:
		sub.SpeedUp, sub.spedUpAt, sub.SpeedUpError = SpeedUpDone, new(s.cfg.Now()), nil
		rest = `greatest(speedup_rest - 1, 0)`
	case wechat.IsCode(err, 89404): // done before, and the answer was lost
		sub.SpeedUp, sub.spedUpAt, sub.SpeedUpError = SpeedUpDone, new(s.cfg.Now()), nil
	case wechat.IsCode(err, 89402) && sub.submittedAt != nil && s.cfg.Now().Before(sub.submittedAt.Add(queuePatience)):
		return err
	case !errors.As(err, &refusal) || judge(err, false) == again || wechat.IsCode(err, 45009, 45011):
		return err
	default: // 89403, 89405 and whatever else WeChat says: it would only say so again
		sub.SpeedUp, sub.SpeedUpError = SpeedUpRefused, failureOf(err)
		if refusal.Code == 89405 {
			rest = `0`
		}
	}
	return pgx.BeginFunc(ctx, s.db, func(tx pgx.Tx) error {
		if _, err := tx.Exec(ctx, `UPDATE submission SET speed_up = $3, sped_up_at = $4, speed_up_error = $5 WHERE id = $1 AND audit_id = $2`,
			sub.ID, sub.AuditID, sub.SpeedUp, sub.spedUpAt, sub.SpeedUpError); err != nil {
			return err
		}
		_, err := tx.Exec(ctx, `UPDATE audit_quota SET speedup_rest = `+rest)
		return err
	})
}

// wantsSpeedUp reports whether the rollout speeds up the audits of this merchant.
func (s *Service) wantsSpeedUp(ctx context.Context, w *work) (bool, error) {
	labels := w.spec.Audit.SpeedUpLabels
	if len(labels) == 0 {
		return false, nil
	}
	m, err := s.merchant(ctx, w.AppID)
	if err != nil {
		return false, err
	}
	return slices.ContainsFunc(m.Labels, func(label string) bool { return slices.Contains(labels, label) }), nil
}
