package codesubmit

import (
	"context"
	"errors"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/wxsteward/wxsteward/internal/postgres"
	"github.com/wxsteward/wxsteward/internal/wechat"
)

// rateLimited is the code of a submission that waits until WeChat takes calls again.
const rateLimited = "rate_limited"

// limit notes that WeChat takes no more calls of a step. Calls count for each account: a daily limit (45009) is first
// taken for that of the one merchant, and holds everybody back when a second one meets it on the same day. A limit by the
// minute (45011) slows everybody down: it costs no more than a minute.
func (s *Service) limit(ctx context.Context, tx pgx.Tx, w *work, refusal *wechat.APIError, until time.Time) error {
	const q = `INSERT INTO submission_hold AS h (state, until, errcode, appid, everybody) VALUES ($1, $2, $3, $4, $5)
		ON CONFLICT (state) DO UPDATE SET
			everybody = excluded.everybody OR h.until > $6 AND h.errcode = excluded.errcode AND (h.everybody OR h.appid <> excluded.appid),
			until = CASE WHEN h.everybody AND NOT excluded.everybody THEN greatest(h.until, excluded.until) ELSE excluded.until END,
			errcode = excluded.errcode, appid = excluded.appid`
	_, err := tx.Exec(ctx, q, w.State, until, refusal.Code, w.AppID, refusal.Code == minuteLimit, s.cfg.Now())
	return err
}

const (
	dailyLimit  = 45009
	minuteLimit = 45011
)

// limited reports whether err says that calls are limited by day or minute.
func limited(err error) (*wechat.APIError, bool) {
	var refusal *wechat.APIError
	if errors.As(err, &refusal) && (refusal.Code == dailyLimit || refusal.Code == minuteLimit) {
		return refusal, true
	}
	return nil, false
}

// held is a wait for a window in which WeChat takes calls of this step again; nil: it does.
func (s *Service) held(w *work) *outcome {
	now := s.cfg.Now()
	if w.heldUntil == nil || !w.heldUntil.After(now) || w.sentAt != nil { // what became of a call is looked at all the same
		return nil
	}
	if turns := quotaTurns(&wechat.APIError{Code: w.heldCode}, now, s.cfg.AuditPoll); w.heldUntil.After(turns.Add(clockError)) {
		return nil // the clock was set back: no such window is that long
	}
	return &outcome{wait: *w.heldUntil, waiting: true, err: &StepError{
		Code: rateLimited, ErrCode: w.heldCode, Detail: factOf("WeChat takes no more of these calls for now"),
	}}
}

// heldColumns are of the step that holds s back for everybody.
const heldColumns = `h.until, coalesce(h.errcode, 0)`

const heldJoin = ` LEFT JOIN submission_hold h ON h.state = s.state AND h.everybody`

// addHolds tells what merchants of rollouts wait for: of several windows the one that turns first.
func addHolds(ctx context.Context, db postgres.DB, byID map[int64]*Rollout, ids []int64) error {
	const q = `SELECT r.id, h.wait_until, h.code FROM unnest($1::bigint[]) r (id), LATERAL (
			SELECT s.wait_until, s.error ->> 'code' AS code FROM submission s
			WHERE s.rollout_id = r.id AND s.finished_at IS NULL AND s.error ->> 'code' IN ('quota_exhausted', 'rate_limited')
			ORDER BY s.wait_until LIMIT 1) h`
	rows, err := db.Query(ctx, q, ids)
	if err != nil {
		return err
	}
	var id int64
	var until *time.Time
	var code string
	_, err = pgx.ForEachRow(rows, []any{&id, &until, &code}, func() error {
		byID[id].HeldUntil, byID[id].heldBy = until, code
		return nil
	})
	return err
}

// standsFor is why a rollout is paused, or what its merchants wait for.
func (r *Rollout) standsFor() Fact {
	if r.Canary != nil {
		return r.Canary.why()
	}
	if !r.PauseReason.IsZero() || r.HeldUntil == nil || r.State != RolloutRunning {
		return r.PauseReason
	}
	until := r.HeldUntil.In(beijing()).Format("2006-01-02 15:04")
	if r.heldBy == quotaExhausted {
		return factOf("The provider's audit quota is used up, or the rest is for merchants that have begun. Others wait until %s (China time), or until WeChat grants more.", until)
	}
	return factOf("WeChat takes no more calls of a kind for now. Merchants wait until %s (China time).", until)
}
