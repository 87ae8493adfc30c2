package codesubmit

import (
	"context"

	"github.com/jackc/pgx/v5"

	"github.com/wxsteward/wxsteward/authorize"
)

// History tells a merchant's timeline when submissions began and what they came to.
func (s *Service) History(ctx context.Context, appid string, before authorize.Moment, limit int) ([]authorize.Happening, error) {
	const q = `SELECT at, key, kind, by, subject, state, text, ref, '{}'::text[], '{}'::text[] FROM (
			SELECT m.at, 'submission:' || lpad(s.id::text, 19, '0') || m.key AS key, m.kind, m.by, s.user_version AS subject, m.state, m.text,
				s.rollout_id || '/' || s.id AS ref
			FROM submission s JOIN rollout r ON r.id = s.rollout_id,
			LATERAL (VALUES (s.created_at, ':1', 'submission_started', r.created_by, '', ''),
				(s.finished_at, ':2', 'submission_ended', '', s.state, s.reason)) AS m (at, key, kind, by, state, text)
			WHERE s.appid = $1 AND m.at IS NOT NULL
		) h WHERE (at, key COLLATE "C") < ($2, $3 COLLATE "C") ORDER BY at DESC, key COLLATE "C" DESC LIMIT $4`
	rows, err := s.db.Query(ctx, q, appid, before.At, before.Key, limit)
	if err != nil {
		return nil, err
	}
	return pgx.CollectRows(rows, pgx.RowToStructByPos[authorize.Happening])
}
