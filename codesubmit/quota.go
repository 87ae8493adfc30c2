package codesubmit

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/wxsteward/wxsteward/authorize"
	"github.com/wxsteward/wxsteward/internal/postgres"
	"github.com/wxsteward/wxsteward/internal/wechat"
)

// The provider's monthly quota of submissions is shared by all its merchants. It is read once for everybody, and kept
// in a row from which each submission takes one. A merchant gets its turn only when one is left for it.

// quotaAge is how old a reading of the quota may be: extra quota may be granted any time.
func (s *Service) quotaAge() time.Duration { return min(s.cfg.AuditPoll, time.Minute) }

// auditQuota is what is left of the provider's quota, as read lately. Any merchant's token reads it; of those that want
// it at once one asks WeChat.
func (s *Service) auditQuota(ctx context.Context, api *wechat.Authorizer) (wechat.AuditQuota, error) {
	q, err := storedQuota(ctx, s.db)
	if err != nil {
		return wechat.AuditQuota{}, err
	}
	now := s.cfg.Now()
	if s.fresh(q) {
		return q.AuditQuota, nil
	}
	submitted, mine, err := s.claimQuotaReading(ctx, now)
	if err != nil {
		return wechat.AuditQuota{}, err
	}
	if !mine && !q.readAt.IsZero() {
		return q.AuditQuota, nil // another is asking
	}
	read, err := api.QueryQuota(ctx)
	if err != nil {
		return wechat.AuditQuota{}, err
	}
	return read, s.storeQuota(ctx, read, submitted, now)
}

func (s *Service) fresh(q knownQuota) bool {
	age := s.cfg.Now().Sub(q.readAt)
	return age < s.quotaAge() && age >= 0 // the clock may have been set back
}

// AuditQuota is what was known of the provider's quota at a time; a zero time: nothing is known yet.
func (s *Service) AuditQuota(ctx context.Context) (wechat.AuditQuota, time.Time, error) {
	q, err := storedQuota(ctx, s.db)
	return q.AuditQuota, q.readAt, err
}

// readQuotaFor reads the quota before turns are given, with the token of a merchant whose turn it is about to be. When it
// cannot be read now, what was known counts.
func (s *Service) readQuotaFor(ctx context.Context, rolloutID int64) error {
	if q, err := storedQuota(ctx, s.db); err != nil || s.fresh(q) {
		return err
	}
	appids, err := s.nextInLine(ctx, rolloutID)
	if err != nil || len(appids) == 0 {
		return err
	}
	targets, _, err := s.merchants.Targets(ctx, authorize.TargetQuery{AppIDs: appids})
	if err != nil {
		return err
	}
	tries := 3
	for _, m := range targets {
		if tries == 0 {
			break
		}
		if inspectStanding(m) != nil {
			continue // no call of ours would work
		}
		got, err := s.locks.Try(ctx, lockKey(m.AppID), func(ctx context.Context) error {
			_, err := s.auditQuota(ctx, s.merchants.API(m.AppID))
			return err
		})
		if got && err == nil {
			return nil
		}
		if ctx.Err() != nil {
			return ctx.Err()
		}
		if err != nil {
			s.cfg.Logger.WarnContext(ctx, "audit quota not read", slog.String("appid", m.AppID), slog.Any("error", err))
		}
		tries--
	}
	return nil
}

// room is for how many more merchants the quota suffices, after those of running rollouts that have had their turn and are
// not in audit yet: it is kept for them. The caller's transaction has the quota for itself from here on.
func (s *Service) room(ctx context.Context, tx pgx.Tx) (room, kept int, err error) {
	q, err := lockedQuota(ctx, tx)
	if err != nil {
		return 0, 0, err
	}
	if q.readAt.IsZero() {
		return math.MaxInt, 0, nil // nothing is known; the steps themselves ask
	}
	kept, err = reservedQuota(ctx, tx)
	return max(0, int(q.Rest)-kept), kept, err
}

// monthTurns is when the provider's quota is granted anew: the first of next month in China.
func monthTurns(now time.Time) time.Time {
	beijing := now.In(beijing())
	return time.Date(beijing.Year(), beijing.Month()+1, 1, 0, 0, 0, 0, beijing.Location()).UTC()
}

func beijing() *time.Location { return time.FixedZone("UTC+8", 8*3600) }

// quotaUsedUp is a wait for the provider's quota. It is over when the month turns, or sooner when WeChat grants more: the
// quota is read again at the audit poll.
func (s *Service) quotaUsedUp(w *work, err error) outcome {
	now := s.cfg.Now()
	failure := failureOf(err)
	failure.Code = quotaExhausted
	return outcome{wait: now.Add(s.cfg.AuditPoll), until: monthTurns(now), waiting: true, keep: w.sentAt != nil, err: failure}
}

// quotaLeft is nil when the quota suffices for one more submission.
func (s *Service) quotaLeft(ctx context.Context, w *work) *outcome {
	q, err := s.auditQuota(ctx, w.api)
	if err != nil {
		out := s.failed(w, err, false)
		return &out
	}
	if q.Rest > 0 {
		return nil
	}
	out := s.quotaUsedUp(w, quotaFact(q))
	return &out
}

func quotaFact(q wechat.AuditQuota) *StepError {
	return &StepError{Code: quotaExhausted, Detail: factOf("%d of %d submissions of this month are left", q.Rest, q.Limit)}
}

// keptFact is why merchants wait for their turn: kept of the rest is for others.
func keptFact(q wechat.AuditQuota, kept int) *StepError {
	if kept == 0 {
		return quotaFact(q)
	}
	return &StepError{Code: quotaExhausted, Detail: factOf("%d of %d submissions of this month were left, %d of them for merchants that have begun", q.Rest, q.Limit, min(kept, int(q.Rest)))}
}

// knownQuota is the row as it stands; a zero readAt: it says nothing.
type knownQuota struct {
	wechat.AuditQuota
	readAt time.Time
}

const quotaColumns = `rest, quota, speedup_rest, speedup_quota, CASE WHEN isfinite(read_at) THEN read_at END`

func scanQuota(row pgx.Row) (q knownQuota, err error) {
	var at *time.Time
	if err := row.Scan(&q.Rest, &q.Limit, &q.SpeedUpRest, &q.SpeedUpLimit, &at); err != nil {
		return knownQuota{}, fmt.Errorf("audit quota: %w", err)
	}
	if at != nil {
		q.readAt = *at
	}
	return q, nil
}

func storedQuota(ctx context.Context, db postgres.DB) (knownQuota, error) {
	return scanQuota(db.QueryRow(ctx, `SELECT `+quotaColumns+` FROM audit_quota`))
}

func lockedQuota(ctx context.Context, tx pgx.Tx) (knownQuota, error) {
	return scanQuota(tx.QueryRow(ctx, `SELECT `+quotaColumns+` FROM audit_quota FOR NO KEY UPDATE`))
}

// claimQuotaReading makes the caller the one who asks WeChat. submitted is for storeQuota.
func (s *Service) claimQuotaReading(ctx context.Context, now time.Time) (submitted int64, mine bool, err error) {
	const patience = 15 * time.Second // longer than the call takes
	err = s.db.QueryRow(ctx, `UPDATE audit_quota SET asked_at = $1 WHERE asked_at NOT BETWEEN $2 AND $1 OR read_at >= asked_at RETURNING submitted`,
		now, now.Add(-patience)).Scan(&submitted)
	if errors.Is(err, pgx.ErrNoRows) {
		err = s.db.QueryRow(ctx, `SELECT submitted FROM audit_quota`).Scan(&submitted)
		return submitted, false, err
	}
	return submitted, err == nil, err
}

// storeQuota writes a reading down. What went out since it was asked for may or may not be in it; it is taken off, which
// errs on the careful side until the next reading.
func (s *Service) storeQuota(ctx context.Context, q wechat.AuditQuota, submitted int64, now time.Time) error {
	_, err := s.db.Exec(ctx, `UPDATE audit_quota SET rest = $1 - (submitted - $2), quota = $3, speedup_rest = $4, speedup_quota = $5, read_at = $6`,
		int64(q.Rest), submitted, int64(q.Limit), int64(q.SpeedUpRest), int64(q.SpeedUpLimit), now)
	return err
}

// takeQuota notes a submission that went out.
func takeQuota(ctx context.Context, tx pgx.Tx) error {
	_, err := tx.Exec(ctx, `UPDATE audit_quota SET rest = greatest(rest - 1, 0), submitted = submitted + 1`)
	return err
}

// emptyQuota notes that WeChat says there is nothing left (85085).
func emptyQuota(ctx context.Context, tx pgx.Tx, now time.Time) error {
	_, err := tx.Exec(ctx, `UPDATE audit_quota SET rest = 0, read_at = $1`, now)
	return err
}

// doubtQuota has the quota read again before it is relied on.
func doubtQuota(ctx context.Context, tx pgx.Tx) error {
	_, err := tx.Exec(ctx, `UPDATE audit_quota SET read_at = '-infinity', asked_at = '-infinity'`)
	return err
}

// reservedQuota counts merchants that have had their turn and will be submitted by themselves. Those of paused rollouts
// may never go on; when they do, and others have come to the quota meanwhile, they wait before they submit.
func reservedQuota(ctx context.Context, tx pgx.Tx) (n int, err error) {
	const q = `SELECT count(*) FROM submission s JOIN rollout r ON r.id = s.rollout_id
		WHERE s.finished_at IS NULL AND s.admitted AND s.state IN ('queued', 'preflight', 'domains', 'committing', 'detecting', 'privacy', 'submitting')
			AND r.state = 'running' AND r.kind = 'release' AND r.spec #>> '{audit,submit}' = 'auto'`
	return n, tx.QueryRow(ctx, q).Scan(&n)
}

// nextInLine are some merchants that wait for their turn in a rollout that submits by itself.
func (s *Service) nextInLine(ctx context.Context, rolloutID int64) ([]string, error) {
	rows, err := s.db.Query(ctx, `SELECT s.appid FROM submission s JOIN rollout r ON r.id = s.rollout_id
		WHERE s.rollout_id = $1 AND NOT s.admitted AND s.finished_at IS NULL
			AND r.state IN ('running', 'scheduled') AND r.kind = 'release' AND r.spec #>> '{audit,submit}' = 'auto'
		ORDER BY s.id LIMIT 10`, rolloutID)
	if err != nil {
		return nil, err
	}
	return pgx.CollectRows(rows, pgx.RowTo[string])
}
