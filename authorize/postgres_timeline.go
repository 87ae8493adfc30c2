package authorize

import (
	"context"
	"encoding/json"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/wxsteward/wxsteward/internal/postgres"
)

// insertPast writes down what operators did to merchants.
func insertPast(ctx context.Context, tx pgx.Tx, list []past, by string, at time.Time) error {
	if len(list) == 0 {
		return nil
	}
	rows, err := json.Marshal(list)
	if err != nil {
		return err
	}
	const q = `INSERT INTO authorizer_history (appid, at, kind, created_by, added, removed) SELECT appid, $2, kind, $3, added, removed
		FROM jsonb_to_recordset($1::jsonb) AS h (appid text, kind text, added text[], removed text[])`
	_, err = tx.Exec(ctx, q, string(rows), at, by)
	return err
}

// listHappenings tells what the tables of this package know. Each part is read by an index on the merchant.
func listHappenings(ctx context.Context, db postgres.DB, appid string, before Moment, limit int) ([]Happening, error) {
	const q = `SELECT at, key, kind, by, subject, state, text, ref, added, removed FROM (
			SELECT at, 'history:' || lpad(id::text, 19, '0') AS key, kind, created_by AS by, '' AS subject, '' AS state, '' AS text, '' AS ref, added, removed
				FROM authorizer_history WHERE appid = $1
			UNION ALL SELECT bound_at, 'bound:' || biz_id, 'bound', '', biz_id, '', '', link_id, '{}', '{}'
				FROM authorizer_biz_id WHERE appid = $1 AND link_id <> ''
			UNION ALL SELECT created_at, 'note:' || lpad(id::text, 19, '0'), 'note', created_by, '', '', body, id::text, '{}', '{}'
				FROM authorizer_note WHERE appid = $1
			UNION ALL SELECT m.at, 'link:' || l.id || ':' || m.kind, m.kind, m.by, l.biz_id, '', '', l.id, '{}', '{}'
				FROM (SELECT * FROM authorization_link WHERE authorizer_appid = $1 AND authorizer_appid <> ''
					UNION SELECT * FROM authorization_link WHERE appid = $1 AND appid <> '') l,
				LATERAL (VALUES (l.created_at, 'link_created', l.created_by), (l.opened_at, 'link_opened', ''),
					(CASE WHEN l.authorizer_appid = $1 THEN l.authorized_at END, 'link_used', '')) AS m (at, kind, by)
				WHERE m.at IS NOT NULL
		) h WHERE at <= $2 AND (at, key COLLATE "C") < ($2, $3 COLLATE "C") ORDER BY at DESC, key COLLATE "C" DESC LIMIT $4`
	rows, err := db.Query(ctx, q, appid, before.At, before.Key, limit)
	if err != nil {
		return nil, err
	}
	return pgx.CollectRows(rows, pgx.RowToStructByPos[Happening])
}

// cleanHistory removes what is older than before, so many rows at a time that nobody waits for it.
func cleanHistory(ctx context.Context, db postgres.DB, before time.Time) error {
	const q = `DELETE FROM authorizer_history WHERE id IN (SELECT id FROM authorizer_history WHERE at < $1 LIMIT $2)`
	const batch = 10000
	for {
		tag, err := db.Exec(ctx, q, before, batch)
		if err != nil || tag.RowsAffected() < batch {
			return err
		}
	}
}
