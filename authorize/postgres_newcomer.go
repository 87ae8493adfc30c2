package authorize

import (
	"context"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/wxsteward/wxsteward/internal/postgres"
)

func insertLabel(ctx context.Context, tx pgx.Tx, appid, label string) error {
	_, err := tx.Exec(ctx, `INSERT INTO authorizer_label (appid, label) VALUES ($1, $2) ON CONFLICT (appid, label) DO NOTHING`, appid, label)
	return err
}

func listNewcomers(ctx context.Context, db postgres.DB, since time.Time, registerTypes []int) ([]Authorizer, error) {
	const where = ` WHERE a.status = 'authorized' AND a.created_at >= $1 AND a.register_type = ANY($2::int[]) ORDER BY a.created_at LIMIT 100`
	rows, err := db.Query(ctx, `SELECT `+authorizerColumns+` FROM authorizer a`+where, since, registerTypes)
	if err != nil {
		return nil, err
	}
	return pgx.CollectRows(rows, func(row pgx.CollectableRow) (Authorizer, error) { return scanAuthorizer(row) })
}
