package profile

import (
	"context"

	"github.com/jackc/pgx/v5"

	"github.com/wxsteward/wxsteward/authorize"
)

// History tells a merchant's timeline what was asked of WeChat and what it decided.
func (s *Service) History(ctx context.Context, appid string, before authorize.Moment, limit int) ([]authorize.Happening, error) {
	const q = `SELECT at, key, kind, by, subject, state, text, ref, '{}'::text[], '{}'::text[] FROM (
			SELECT m.at, 'change:' || lpad(c.id::text, 19, '0') || m.key AS key, m.kind, m.by, c.subject, m.state, m.text, c.id::text AS ref
			FROM profile_change c,
			LATERAL (VALUES (c.created_at, ':1', 'change_asked', c.created_by, c.kind, ''),
				(c.decided_at, ':2', 'change_decided', '', c.kind || '/' || c.state, c.reason)) AS m (at, key, kind, by, state, text)
			WHERE c.appid = $1 AND m.at IS NOT NULL
		) h WHERE (at, key COLLATE "C") < ($2, $3 COLLATE "C") ORDER BY at DESC, key COLLATE "C" DESC LIMIT $4`
	rows, err := s.db.Query(ctx, q, appid, before.At, before.Key, limit)
	if err != nil {
		return nil, err
	}
	return pgx.CollectRows(rows, pgx.RowToStructByPos[authorize.Happening])
}
