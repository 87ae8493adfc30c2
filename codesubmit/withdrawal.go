package codesubmit

import (
	"context"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/wxsteward/wxsteward/internal/fault"
	"github.com/wxsteward/wxsteward/internal/postgres"
)

// WeChat lets a mini program take this many audits back (undocodeaudit), in days and months of China.
const (
	withdrawalsADay   = 5
	withdrawalsAMonth = 10
)

// Withdrawals is how many audits of one mini program may still be taken back, as far as they were taken back here.
type Withdrawals struct {
	TodayLeft int `json:"today_left" doc:"WeChat allows 5 a day for each mini program, days of China."`
	MonthLeft int `json:"month_left" doc:"And 10 a month."`
}

func (w Withdrawals) none() bool { return w.TodayLeft <= 0 || w.MonthLeft <= 0 }

// refusal says that WeChat would refuse to take another audit back.
func (w Withdrawals) refusal() error {
	if w.MonthLeft <= 0 {
		return fault.New(fault.Conflict, "WeChat lets a mini program take back %d audits a month, and they are used up. The audit goes on.", withdrawalsAMonth)
	}
	return fault.New(fault.Conflict, "WeChat lets a mini program take back %d audits a day, and today's are used up. Try again tomorrow (China time), or let the audit go on.", withdrawalsADay)
}

// withdrawalsLeft counts for each merchant what is left of WeChat's allowance.
func (s *Service) withdrawalsLeft(ctx context.Context, appids []string) (map[string]Withdrawals, error) {
	now := s.cfg.Now().In(beijing())
	day := time.Date(now.Year(), now.Month(), now.Day(), 0, 0, 0, 0, now.Location())
	month := time.Date(now.Year(), now.Month(), 1, 0, 0, 0, 0, now.Location())
	left := make(map[string]Withdrawals, len(appids))
	for _, appid := range appids {
		left[appid] = Withdrawals{withdrawalsADay, withdrawalsAMonth}
	}
	rows, err := s.db.Query(ctx, `SELECT appid, count(*) FILTER (WHERE NOT refused AND at >= $2), count(*) FILTER (WHERE NOT refused),
			coalesce(bool_or(refused AND at >= $2), false)
		FROM audit_withdrawal WHERE appid = ANY($1) AND at >= $3 GROUP BY appid`, appids, day, month)
	if err != nil {
		return nil, err
	}
	var appid string
	var today, thisMonth int
	var refused bool
	_, err = pgx.ForEachRow(rows, []any{&appid, &today, &thisMonth, &refused}, func() error {
		w := Withdrawals{max(0, withdrawalsADay-today), max(0, withdrawalsAMonth-thisMonth)}
		if w.TodayLeft = min(w.TodayLeft, w.MonthLeft); refused { // by WeChat, who has counted some that we have not
			w.TodayLeft = 0
		}
		left[appid] = w
		return nil
	})
	return left, err
}

// uncountWithdrawal takes a count back: the audit goes on.
func (s *Service) uncountWithdrawal(ctx context.Context, appid string, auditID int64) error {
	_, err := s.db.Exec(ctx, `DELETE FROM audit_withdrawal WHERE appid = $1 AND audit_id = $2 AND NOT refused`, appid, auditID)
	return err
}

// countWithdrawal notes that an audit was taken back, or that WeChat refused because none are left (87013). An audit
// counts once, however often an answer was lost.
func (s *Service) countWithdrawal(ctx context.Context, db postgres.DB, appid string, auditID int64, refused bool) error {
	_, err := db.Exec(ctx, `INSERT INTO audit_withdrawal (appid, audit_id, at, refused) VALUES ($1, $2, $3, $4)
		ON CONFLICT (appid, audit_id) DO UPDATE SET at = excluded.at, refused = excluded.refused WHERE audit_withdrawal.refused`,
		appid, auditID, s.cfg.Now(), refused)
	return err
}
