package codesubmit

import (
	"context"
	"encoding/json"
	"errors"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/wxsteward/wxsteward/authorize"
	"github.com/wxsteward/wxsteward/internal/fault"
	"github.com/wxsteward/wxsteward/internal/postgres"
	"github.com/wxsteward/wxsteward/internal/wechat"
)

// insertPreflight also takes over who was found ready lately. Those with blockers are looked at anew: whoever checks again
// has mended something.
func (s *Service) insertPreflight(ctx context.Context, tx pgx.Tx, spec *Spec, of int64, targets []authorize.Target, contents [][]byte) (*PreflightRun, error) {
	text, _, err := storedSpec(spec)
	if err != nil {
		return nil, err
	}
	appids := make([]string, len(targets))
	for i, m := range targets {
		appids[i] = m.AppID
	}
	now := s.cfg.Now()
	var id int64
	err = tx.QueryRow(ctx, `INSERT INTO preflight (spec, state, total, created_at, of_rollout_id) VALUES ($1, 'running', $2, $3, nullif($4::bigint, 0)) RETURNING id`,
		text, len(targets), now, of).Scan(&id)
	if err != nil {
		return nil, err
	}
	_, err = tx.Exec(ctx, `INSERT INTO preflight_item (preflight_id, appid, content, found, looked_at, rollback)
		SELECT $1, t.appid, t.content, k.found, k.looked_at, k.rollback FROM unnest($2::text[], $3::bytea[]) AS t (appid, content)
		LEFT JOIN LATERAL (SELECT i.found, i.looked_at, i.rollback FROM preflight_item i
			WHERE i.appid = t.appid AND i.content = t.content AND i.looked_at > $4 AND i.looked_at <= $5 AND i.found = '[]' ORDER BY i.looked_at DESC LIMIT 1) k ON true`,
		id, appids, contents, now.Add(-preflightFresh), now)
	if err != nil {
		return nil, err
	}
	const count = `UPDATE preflight p SET done = c.done, ready = c.ready, blocked = c.done - c.ready,
			state = CASE WHEN c.done = p.total THEN 'done' ELSE 'running' END, finished_at = CASE WHEN c.done = p.total THEN $2::timestamptz END,
			(quota_rest, quota_limit) = (SELECT o.quota_rest, o.quota_limit FROM preflight o WHERE o.created_at > $3 AND o.quota_rest IS NOT NULL AND c.done > 0 ORDER BY o.id DESC LIMIT 1)
		FROM (SELECT count(found) AS done, count(*) FILTER (WHERE found = '[]') AS ready FROM preflight_item WHERE preflight_id = $1) c WHERE p.id = $1`
	if _, err = tx.Exec(ctx, count, id, now, now.Add(-preflightFresh)); err != nil {
		return nil, err
	}
	p, err := s.preflightByID(ctx, tx, id)
	if err != nil {
		return nil, err
	}
	return p, publishPreflight(ctx, tx, id, p.State)
}

func (s *Service) preflightByID(ctx context.Context, db postgres.DB, id int64) (*PreflightRun, error) {
	p := PreflightRun{ID: id}
	var spec []byte
	err := db.QueryRow(ctx, `SELECT spec, state, total, done, ready, blocked, quota_rest, quota_limit, created_at, finished_at, coalesce(of_rollout_id, 0) FROM preflight WHERE id = $1`, id).
		Scan(&spec, &p.State, &p.Total, &p.Done, &p.Ready, &p.Blocked, &p.QuotaRest, &p.QuotaMost, &p.CreatedAt, &p.FinishedAt, &p.ofID)
	if errors.Is(err, pgx.ErrNoRows) {
		return nil, fault.New(fault.NotFound, "There is no such preflight; they are kept for a day.")
	}
	if err != nil {
		return nil, err
	}
	return &p, json.Unmarshal(spec, &p.spec)
}

// Preflight reads how far a preflight has come and which blockers it has met.
func (s *Service) Preflight(ctx context.Context, id int64) (*PreflightRun, error) {
	p, err := s.preflightByID(ctx, s.db, id)
	if err != nil {
		return nil, err
	}
	rows, err := s.db.Query(ctx, `SELECT f.value->>'code', count(DISTINCT i.appid) FROM preflight_item i, jsonb_array_elements(i.found) f
		WHERE i.preflight_id = $1 AND i.found <> '[]' GROUP BY 1`, id)
	if err != nil {
		return nil, err
	}
	p.Codes = map[string]int{}
	var code string
	var n int
	_, err = pgx.ForEachRow(rows, []any{&code, &n}, func() error { p.Codes[code] = n; return nil })
	return p, err
}

func (s *Service) preflightOpen(ctx context.Context, id int64, limit int) ([]looked, error) {
	rows, err := s.db.Query(ctx, `SELECT appid, tries FROM preflight_item WHERE preflight_id = $1 AND found IS NULL ORDER BY tries, appid LIMIT $2`, id, limit)
	if err != nil {
		return nil, err
	}
	return pgx.CollectRows(rows, func(row pgx.CollectableRow) (l looked, err error) { return l, row.Scan(&l.appid, &l.tries) })
}

// keepFindings counts only merchants that nobody else has found out about meanwhile.
func (s *Service) keepFindings(ctx context.Context, id int64, page []looked, quota *wechat.AuditQuota) (more bool, err error) {
	now := s.cfg.Now()
	appids, texts, times, ways := make([]string, len(page)), make([]*string, len(page)), make([]*time.Time, len(page)), make([]*string, len(page))
	for i, l := range page {
		appids[i] = l.appid
		if l.again {
			continue
		}
		found, reusable := l.result()
		text, err := json.Marshal(found)
		if err != nil {
			return false, err
		}
		texts[i] = new(string(text))
		if l.way != nil {
			way, err := json.Marshal(l.way)
			if err != nil {
				return false, err
			}
			ways[i] = new(string(way))
		}
		if reusable {
			times[i] = &now
		}
	}
	var rest, most *int
	if quota != nil {
		rest, most = new(int(quota.Rest)), new(int(quota.Limit))
	}
	err = pgx.BeginFunc(ctx, s.db, func(tx pgx.Tx) error {
		const keep = `WITH kept AS (UPDATE preflight_item i SET found = t.found::jsonb, looked_at = t.looked_at, rollback = t.way::jsonb, tries = i.tries + 1
				FROM unnest($2::text[], $3::text[], $4::timestamptz[], $5::text[]) AS t (appid, found, looked_at, way)
				WHERE i.preflight_id = $1 AND i.appid = t.appid AND i.found IS NULL RETURNING i.found)
			SELECT count(found), count(*) FILTER (WHERE found = '[]') FROM kept`
		var done, ready int
		if err := tx.QueryRow(ctx, keep, id, appids, texts, times, ways).Scan(&done, &ready); err != nil {
			return err
		}
		const count = `UPDATE preflight SET done = done + $2, ready = ready + $3, blocked = blocked + $2 - $3,
				quota_rest = coalesce($5, quota_rest), quota_limit = coalesce($6, quota_limit),
				state = CASE WHEN done + $2 >= total THEN 'done' ELSE state END, finished_at = CASE WHEN done + $2 >= total THEN $4::timestamptz END
			WHERE id = $1 RETURNING state`
		var state string
		if err := tx.QueryRow(ctx, count, id, done, ready, now, rest, most).Scan(&state); err != nil {
			return err
		}
		more = state == preflightRunning
		return publishPreflight(ctx, tx, id, state)
	})
	return more, err
}

// PreflightFilter is a page of a preflight's merchants, by appid. Limit 0: all. Blocked: only those with blockers.
type PreflightFilter struct {
	ID      int64
	Blocked bool
	After   string
	Limit   int
}

func (s *Service) preflightItems(ctx context.Context, f PreflightFilter) ([]PreflightItem, error) {
	where := ``
	if f.Blocked {
		where = ` AND found <> '[]'`
	}
	rows, err := s.db.Query(ctx, `SELECT appid, found, rollback FROM preflight_item WHERE preflight_id = $1 AND appid > $2`+where+` ORDER BY appid LIMIT nullif($3::bigint, 0)`,
		f.ID, f.After, f.Limit)
	if err != nil {
		return nil, err
	}
	return pgx.CollectRows(rows, func(row pgx.CollectableRow) (item PreflightItem, err error) {
		var found []byte
		if err = row.Scan(&item.AppID, &found, &item.Back); err != nil || found == nil {
			return item, err
		}
		return item, json.Unmarshal(found, &item.Found)
	})
}

func (s *Service) purgePreflights(ctx context.Context) error {
	_, err := s.db.Exec(ctx, `DELETE FROM preflight WHERE created_at < $1`, s.cfg.Now().Add(-preflightKept))
	return err
}
