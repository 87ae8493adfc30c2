package register

import (
	"context"

	"github.com/jackc/pgx/v5"

	"github.com/wxsteward/wxsteward/authorize"
)

// History tells a merchant's timeline how its mini program came to be.
func (s *Service) History(ctx context.Context, appid string, before authorize.Moment, limit int) ([]authorize.Happening, error) {
	const q = `SELECT at, key, kind, by, subject, state, text, ref, '{}'::text[], '{}'::text[] FROM (
			SELECT m.at, 'registration:' || lpad(r.seq::text, 19, '0') || m.key AS key, m.kind, m.by, r.kind AS subject, m.state, m.text, r.id AS ref
			FROM registration r,
			LATERAL (VALUES (r.created_at, ':1', 'registration_started', r.created_by, '', ''),
				(r.finished_at, ':2', 'registration_ended', '', r.state, r.msg)) AS m (at, key, kind, by, state, text)
			WHERE (r.appid = $1 AND r.appid <> '' OR r.subject = $1 AND r.kind = 'official_account') AND m.at IS NOT NULL
		) h WHERE (at, key COLLATE "C") < ($2, $3 COLLATE "C") ORDER BY at DESC, key COLLATE "C" DESC LIMIT $4`
	rows, err := s.db.Query(ctx, q, appid, before.At, before.Key, limit)
	if err != nil {
		return nil, err
	}
	return pgx.CollectRows(rows, pgx.RowToStructByPos[authorize.Happening])
}
