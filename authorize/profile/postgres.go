package profile

import (
	"context"
	"errors"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/wxsteward/wxsteward/internal/postgres"
)

func testersOf(ctx context.Context, db postgres.DB, appid string) ([]Tester, error) {
	rows, err := db.Query(ctx, `SELECT userstr, wechat_id, bound_by, bound_at FROM authorizer_tester WHERE appid = $1`, appid)
	if err != nil {
		return nil, err
	}
	return pgx.CollectRows(rows, func(row pgx.CollectableRow) (t Tester, err error) {
		err = row.Scan(&t.UserStr, &t.WeChatID, &t.BoundBy, &t.BoundAt)
		return t, err
	})
}

func upsertTester(ctx context.Context, db postgres.DB, appid string, t Tester) error {
	const q = `INSERT INTO authorizer_tester (appid, userstr, wechat_id, bound_by, bound_at) VALUES ($1, $2, $3, $4, $5)
		ON CONFLICT (appid, userstr) DO UPDATE SET wechat_id = excluded.wechat_id`
	_, err := db.Exec(ctx, q, appid, t.UserStr, t.WeChatID, t.BoundBy, t.BoundAt)
	return err
}

func deleteTester(ctx context.Context, db postgres.DB, appid, userStr string) error {
	_, err := db.Exec(ctx, `DELETE FROM authorizer_tester WHERE appid = $1 AND userstr = $2`, appid, userStr)
	return err
}

const changeColumns = `id, appid, kind, subject, slot, state, audit_id, before, reason, refusal, created_by, created_at, next_at, decided_at`

func scanChange(row pgx.Row) (c Change, err error) {
	err = row.Scan(&c.ID, &c.AppID, &c.Kind, &c.Subject, &c.slot, &c.State, &c.AuditID, &c.before, &c.Reason, &c.Refusal, &c.CreatedBy,
		&c.CreatedAt, &c.NextAt, &c.DecidedAt)
	return c, err
}

func collectChanges(rows pgx.Rows, err error) ([]Change, error) {
	if err != nil {
		return nil, err
	}
	return pgx.CollectRows(rows, func(row pgx.CollectableRow) (Change, error) { return scanChange(row) })
}

// insertChange reports false where one of this kind is open.
func insertChange(ctx context.Context, tx pgx.Tx, c *Change) (bool, error) {
	const q = `INSERT INTO profile_change (appid, kind, subject, slot, state, before, created_by, created_at, next_at)
		VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)
		ON CONFLICT (appid, kind, slot) WHERE state IN ('sent', 'reviewing') DO NOTHING RETURNING id`
	err := tx.QueryRow(ctx, q, c.AppID, c.Kind, c.Subject, c.slot, c.State, c.before, c.CreatedBy, c.CreatedAt, c.NextAt).Scan(&c.ID)
	if errors.Is(err, pgx.ErrNoRows) {
		return false, nil
	}
	return err == nil, err
}

// updateChange reports false where the change has been decided meanwhile: the first verdict stays.
func updateChange(ctx context.Context, tx pgx.Tx, c Change) (bool, error) {
	const q = `UPDATE profile_change SET state = $2, audit_id = $3, reason = $4, refusal = $5, next_at = $6, decided_at = $7
		WHERE id = $1 AND state IN ('sent', 'reviewing')`
	tag, err := tx.Exec(ctx, q, c.ID, c.State, c.AuditID, c.Reason, c.Refusal, c.NextAt, c.DecidedAt)
	return tag.RowsAffected() == 1, err
}

// claimChange gives a due change to the caller until the time given; pgx.ErrNoRows if it is not due.
func claimChange(ctx context.Context, db postgres.DB, id int64, now, until time.Time) (Change, error) {
	const q = `UPDATE profile_change SET next_at = $3 WHERE id = $1 AND next_at <= $2 AND state IN ('sent', 'reviewing') RETURNING ` + changeColumns
	return scanChange(db.QueryRow(ctx, q, id, now, until))
}

func wakeChange(ctx context.Context, tx pgx.Tx, id int64, at time.Time) error {
	_, err := tx.Exec(ctx, `UPDATE profile_change SET next_at = $2 WHERE id = $1 AND state IN ('sent', 'reviewing')`, id, at)
	return err
}

func openChanges(ctx context.Context, db postgres.DB, appid, kind string) ([]Change, error) {
	return collectChanges(db.Query(ctx, `SELECT `+changeColumns+` FROM profile_change WHERE appid = $1 AND kind = $2 AND state IN ('sent', 'reviewing')`, appid, kind))
}

func changesOf(ctx context.Context, db postgres.DB, appid string, after int64, limit int) ([]Change, error) {
	return collectChanges(db.Query(ctx, `SELECT `+changeColumns+` FROM profile_change WHERE appid = $1 AND ($2 = 0 OR id < $2) ORDER BY id DESC LIMIT $3`, appid, after, limit))
}

func findChange(ctx context.Context, db postgres.DB, appid string, id int64) (Change, error) {
	return scanChange(db.QueryRow(ctx, `SELECT `+changeColumns+` FROM profile_change WHERE appid = $1 AND id = $2`, appid, id))
}

func overdueChanges(ctx context.Context, tx pgx.Tx, before time.Time, limit int) ([]int64, error) {
	rows, err := tx.Query(ctx, `SELECT id FROM profile_change WHERE state IN ('sent', 'reviewing') AND next_at <= $1 ORDER BY next_at LIMIT $2`, before, limit)
	if err != nil {
		return nil, err
	}
	return pgx.CollectRows(rows, pgx.RowTo[int64])
}
