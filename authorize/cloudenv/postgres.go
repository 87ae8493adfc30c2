package cloudenv

import (
	"context"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/wxsteward/wxsteward/authorize/refusal"
	"github.com/wxsteward/wxsteward/internal/postgres"
	"github.com/wxsteward/wxsteward/internal/wechat"
)

const columns = `s.id, s.env, s.kind, s.appid, s.state, s.url, s.reason, s.refusal, s.attempts, s.created_by, s.created_at, s.asked_at, s.confirmed_at`

// named adds what the merchant is called.
const named = `SELECT ` + columns + `, a.nick_name, a.principal_name FROM cloud_share s JOIN authorizer a USING (appid)`

func scan(row pgx.Row, more ...any) (Share, error) {
	var s Share
	err := row.Scan(append([]any{
		&s.ID, &s.Env, &s.Kind, &s.AppID, &s.State, &s.URL, &s.Reason, &s.Refusal, &s.attempts, &s.CreatedBy, &s.CreatedAt, &s.AskedAt, &s.ConfirmedAt,
	}, more...)...)
	return s, err
}

func scanNamed(row pgx.CollectableRow) (Share, error) {
	var nick, principal string
	s, err := scan(row, &nick, &principal)
	s.NickName, s.Principal = nick, principal
	return s, err
}

func scanBare(row pgx.CollectableRow) (Share, error) { return scan(row) }

// lockEnv has offers of one environment made one after the other, so that all see the principals of the others.
func lockEnv(ctx context.Context, tx pgx.Tx, env string) error {
	_, err := tx.Exec(ctx, `SELECT pg_advisory_xact_lock(hashtext('cloudenv:' || $1))`, env)
	return err
}

// principalsOf are those whose mini programs use an environment or may do so soon.
func principalsOf(ctx context.Context, tx pgx.Tx, env string) ([]string, error) {
	const q = `SELECT DISTINCT a.principal_name FROM cloud_share s JOIN authorizer a USING (appid)
		WHERE s.env = $1 AND s.state IN ('pending', 'sent', 'waiting', 'confirmed')`
	rows, err := tx.Query(ctx, q, env)
	if err != nil {
		return nil, err
	}
	return pgx.CollectRows(rows, pgx.RowTo[string])
}

func insertShares(ctx context.Context, tx pgx.Tx, env string, kind wechat.CloudKind, appids []string, by string, now time.Time) error {
	const q = `INSERT INTO cloud_share AS s (env, kind, appid, state, created_by, created_at, next_at)
		SELECT $1, $2, a, 'pending', $4, $5, $5 FROM unnest($3::text[]) a ORDER BY a
		ON CONFLICT (env, appid) DO UPDATE SET state = 'pending', url = '', reason = '', refusal = '{}', attempts = 0, created_by = excluded.created_by,
			created_at = excluded.created_at, asked_at = NULL, confirmed_at = NULL, next_at = excluded.next_at
		WHERE s.state IN ('failed', 'expired', 'ended')`
	_, err := tx.Exec(ctx, q, env, kind, appids, by, now)
	return err
}

func sharesOf(ctx context.Context, db postgres.DB, env string, appids []string) ([]Share, error) {
	rows, err := db.Query(ctx, named+` WHERE s.env = $1 AND s.appid = ANY($2) ORDER BY s.id`, env, appids)
	if err != nil {
		return nil, err
	}
	return pgx.CollectRows(rows, scanNamed)
}

func findShare(ctx context.Context, db postgres.DB, id int64) (Share, error) {
	rows, err := db.Query(ctx, named+` WHERE s.id = $1`, id)
	if err != nil {
		return Share{}, err
	}
	return pgx.CollectExactlyOneRow(rows, scanNamed)
}

// Filter says which shares; empty fields are any. Before is the id that the page ends above; 0: the newest.
type Filter struct {
	Env, AppID, State string
	Before            int64
	Limit             int
}

// Shares lists offers, newest first; next is Filter.Before of the next page, 0: there is none.
func (s *Service) Shares(ctx context.Context, f Filter) (list []Share, next, total int64, err error) {
	const where = ` WHERE ($1 = '' OR s.env = $1) AND ($2 = '' OR s.appid = $2) AND ($3 = '' OR s.state = $3)`
	rows, err := s.db.Query(ctx, named+where+` AND ($4 = 0 OR s.id < $4) ORDER BY s.id DESC LIMIT $5`, f.Env, f.AppID, f.State, f.Before, f.Limit+1)
	if err != nil {
		return nil, 0, 0, err
	}
	if list, err = pgx.CollectRows(rows, scanNamed); err != nil {
		return nil, 0, 0, err
	}
	if len(list) > f.Limit {
		list = list[:f.Limit]
		next = list[f.Limit-1].ID
	}
	err = s.db.QueryRow(ctx, `SELECT count(*) FROM cloud_share s`+where, f.Env, f.AppID, f.State).Scan(&total)
	return list, next, total, err
}

// Counts are the offers of each environment by state.
func (s *Service) Counts(ctx context.Context) (map[string]map[string]int, error) {
	rows, err := s.db.Query(ctx, `SELECT env, state, count(*) FROM cloud_share GROUP BY env, state`)
	if err != nil {
		return nil, err
	}
	counts := map[string]map[string]int{}
	var env, state string
	var n int
	_, err = pgx.ForEachRow(rows, []any{&env, &state, &n}, func() error {
		if counts[env] == nil {
			counts[env] = map[string]int{}
		}
		counts[env][state] = n
		return nil
	})
	return counts, err
}

// claimShares gives offers of one environment that are to be sent to the caller, until the time given.
func claimShares(ctx context.Context, db postgres.DB, now, until time.Time, limit int) ([]Share, error) {
	const q = `UPDATE cloud_share s SET state = 'sent', next_at = $2 FROM (
			SELECT id FROM cloud_share WHERE state IN ('pending', 'sent') AND next_at <= $1 AND (env, kind) = (
				SELECT env, kind FROM cloud_share WHERE state IN ('pending', 'sent') AND next_at <= $1 ORDER BY next_at, id LIMIT 1)
			ORDER BY id LIMIT $3 FOR UPDATE) due
		WHERE s.id = due.id RETURNING ` + columns
	rows, err := db.Query(ctx, q, now, until, limit)
	if err != nil {
		return nil, err
	}
	return pgx.CollectRows(rows, scanBare)
}

// dueShares are offers of one kind that WeChat is to be asked about.
func dueShares(ctx context.Context, db postgres.DB, now time.Time, limit int) ([]Share, error) {
	const q = `SELECT ` + columns + ` FROM cloud_share s WHERE state = 'waiting' AND next_at <= $1 AND kind = (
			SELECT kind FROM cloud_share WHERE state = 'waiting' AND next_at <= $1 ORDER BY next_at, id LIMIT 1)
		ORDER BY next_at, id LIMIT $2`
	rows, err := db.Query(ctx, q, now, limit)
	if err != nil {
		return nil, err
	}
	return pgx.CollectRows(rows, scanBare)
}

// updateShares writes what became of shares. A merchant that has withdrawn meanwhile, and an offer that an operator has made anew, stay
// as they are.
func updateShares(ctx context.Context, db postgres.DB, shares []Share, next time.Time) error {
	b := &pgx.Batch{}
	const q = `UPDATE cloud_share SET state = $2, url = $3, reason = $4, refusal = $5, attempts = $6, asked_at = $7, confirmed_at = $8, next_at = $9
		WHERE id = $1 AND state IN ('sent', 'waiting')`
	for _, s := range shares {
		if s.State == stateConfirmed {
			s.URL, s.Reason, s.Refusal = "", "", refusal.Refusal{}
		}
		b.Queue(q, s.ID, s.State, s.URL, s.Reason, s.Refusal, s.attempts, s.AskedAt, s.ConfirmedAt, next)
	}
	return db.SendBatch(ctx, b).Close()
}

func reopenShare(ctx context.Context, tx pgx.Tx, id int64, now time.Time) error {
	const q = `UPDATE cloud_share SET state = 'pending', url = '', reason = '', refusal = '{}', attempts = 0, asked_at = NULL, next_at = $2
		WHERE id = $1 AND state <> 'confirmed'`
	_, err := tx.Exec(ctx, q, id, now)
	return err
}

func hurryShares(ctx context.Context, tx pgx.Tx, env string, now time.Time) error {
	_, err := tx.Exec(ctx, `UPDATE cloud_share SET next_at = $2 WHERE state IN ('pending', 'waiting') AND ($1 = '' OR env = $1)`, env, now)
	return err
}

func endShares(ctx context.Context, tx pgx.Tx, appid string) error {
	_, err := tx.Exec(ctx, `UPDATE cloud_share SET state = 'ended', url = '' WHERE appid = $1 AND state <> 'ended'`, appid)
	return err
}
