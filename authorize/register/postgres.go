package register

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"github.com/wxsteward/wxsteward/internal/postgres"
)

const columns = `id, seq, kind, biz_id, labels, request, subject, appid, state, task, url, status, result, msg, refusal, attempts,
	created_by, created_at, next_at, expires_at, finished_at, voucher, round, sent_at, verify_copied, linked`

const openStates = `('pending', 'sent', 'waiting', 'created')`

func scan(row pgx.Row) (Registration, error) {
	var r Registration
	var request []byte
	err := row.Scan(&r.ID, &r.seq, &r.Kind, &r.BizID, &r.Labels, &request, &r.subject, &r.AppID, &r.State, &r.task, &r.URL, &r.Status, &r.Result,
		&r.Msg, &r.Refusal, &r.attempts, &r.CreatedBy, &r.CreatedAt, &r.NextAt, &r.ExpiresAt, &r.FinishedAt,
		&r.voucher, &r.round, &r.sentAt, &r.VerifyCopied, &r.Linked)
	if err != nil {
		return Registration{}, err
	}
	if err := json.Unmarshal(request, &r.Request); err != nil {
		return Registration{}, fmt.Errorf("request of registration %s: %w", r.ID, err)
	}
	return r, nil
}

// insertRegistration reports false where one of the same owner is open.
func insertRegistration(ctx context.Context, tx pgx.Tx, r *Registration) (bool, error) {
	request, err := json.Marshal(r.Request)
	if err != nil {
		return false, err
	}
	const q = `INSERT INTO registration (id, kind, biz_id, labels, request, subject, appid, state, created_by, created_at, next_at)
		VALUES ($1, $2, $3, coalesce($4::text[], '{}'), $5, $6, $7, $8, $9, $10, $11)
		ON CONFLICT (kind, subject) WHERE state IN ` + openStates + ` DO NOTHING RETURNING seq`
	err = tx.QueryRow(ctx, q, r.ID, r.Kind, r.BizID, r.Labels, string(request), r.subject, r.AppID, r.State, r.CreatedBy, r.CreatedAt, r.NextAt).Scan(&r.seq)
	if errors.Is(err, pgx.ErrNoRows) {
		return false, nil
	}
	return err == nil, err
}

func openOf(ctx context.Context, db postgres.DB, kind, subject string) (id string, err error) {
	err = db.QueryRow(ctx, `SELECT id FROM registration WHERE kind = $1 AND subject = $2 AND state IN `+openStates, kind, subject).Scan(&id)
	return id, err
}

func findRegistration(ctx context.Context, db postgres.DB, id string) (Registration, error) {
	return scan(db.QueryRow(ctx, `SELECT `+columns+` FROM registration WHERE id = $1`, id))
}

func lockRegistration(ctx context.Context, tx pgx.Tx, id string) (Registration, error) {
	return scan(tx.QueryRow(ctx, `SELECT `+columns+` FROM registration WHERE id = $1 FOR NO KEY UPDATE`, id))
}

// claimRegistration gives a due registration to the caller until the time given; pgx.ErrNoRows if it is not due.
func claimRegistration(ctx context.Context, db postgres.DB, id string, now, until time.Time) (Registration, error) {
	const q = `UPDATE registration SET next_at = $3 WHERE id = $1 AND next_at <= $2 AND state IN ` + openStates + ` RETURNING ` + columns
	return scan(db.QueryRow(ctx, q, id, now, until))
}

func wakeRegistration(ctx context.Context, tx pgx.Tx, id string, at time.Time) error {
	_, err := tx.Exec(ctx, `UPDATE registration SET next_at = $2 WHERE id = $1 AND state IN ('waiting', 'created')`, id, at)
	return err
}

// wakeNameless wakes registrations whose mini program may be the one that has just authorized, but for those that are due before
// then: a synchronization can bring many merchants at once. Those whose answer was lost wait for theirs too.
func wakeNameless(ctx context.Context, tx pgx.Tx, at time.Time) ([]string, error) {
	const q = `UPDATE registration SET next_at = $1 WHERE appid = '' AND next_at > $1
		AND (state IN ('waiting', 'created') OR state = 'sent' AND kind = 'official_account' AND refusal @> '{"away": true}') RETURNING id`
	rows, err := tx.Query(ctx, q, at)
	if err != nil {
		return nil, err
	}
	return pgx.CollectRows(rows, pgx.RowTo[string])
}

func markSent(ctx context.Context, db postgres.DB, id string, attempts int, now time.Time) error {
	const q = `UPDATE registration SET state = 'sent', refusal = '{}', attempts = $2, sent_at = $3, next_at = $4 WHERE id = $1 AND state IN ('pending', 'sent')`
	_, err := db.Exec(ctx, q, id, attempts, now, now.Add(lease))
	return err
}

func updateRegistration(ctx context.Context, tx pgx.Tx, r Registration) error {
	const q = `UPDATE registration SET appid = $2, state = $3, task = $4, url = $5, status = $6, result = $7, msg = $8, refusal = $9, attempts = $10,
		next_at = $11, expires_at = $12, finished_at = $13, voucher = $14, round = $15, verify_copied = $16, linked = $17 WHERE id = $1`
	_, err := tx.Exec(ctx, q, r.ID, r.AppID, r.State, r.task, r.URL, r.Status, r.Result, r.Msg, r.Refusal, r.attempts, r.NextAt, r.ExpiresAt, r.FinishedAt,
		r.voucher, r.round, r.VerifyCopied, r.Linked)
	return err
}

// isTaken tells the refusals of registration_born and registration_open.
func isTaken(err error) bool {
	const uniqueViolation = "23505"
	e, ok := errors.AsType[*pgconn.PgError](err)
	return ok && e.Code == uniqueViolation
}

// createdWith is the registration that waits for this merchant.
func createdWith(ctx context.Context, tx pgx.Tx, appid string) (Registration, error) {
	return scan(tx.QueryRow(ctx, `SELECT `+columns+` FROM registration WHERE appid = $1 AND state = 'created' FOR NO KEY UPDATE`, appid))
}

// unclaimed are those of appids that have come of no registration.
func unclaimed(ctx context.Context, db postgres.DB, appids []string) ([]string, error) {
	const q = `SELECT a FROM unnest($1::text[]) a WHERE NOT EXISTS (SELECT FROM registration
		WHERE appid = a AND kind IN ('enterprise', 'personal', 'personal_upgrade', 'trial', 'official_account'))`
	rows, err := db.Query(ctx, q, appids)
	if err != nil {
		return nil, err
	}
	return pgx.CollectRows(rows, pgx.RowTo[string])
}

// rivalsOf counts the other registrations of this kind that wait for their merchant.
func rivalsOf(ctx context.Context, db postgres.DB, r Registration) (n int, err error) {
	const q = `SELECT count(*) FROM registration WHERE kind = $1 AND id <> $2 AND appid = ''
		AND state IN (CASE kind WHEN 'official_account' THEN 'sent' ELSE 'waiting' END, 'created')`
	err = db.QueryRow(ctx, q, r.Kind, r.ID).Scan(&n)
	return n, err
}

// matchBy finds a registration by a column, the open one first, then the last; "" if there is none.
func matchBy(ctx context.Context, db postgres.DB, kinds []string, column, value string) (id string, err error) {
	where := map[string]string{"task": `task = $2`, "subject": `subject = $2`}[column]
	q := `SELECT id FROM registration WHERE kind = ANY($1) AND ` + where + ` ORDER BY state IN ` + openStates + ` DESC, state <> 'completed' DESC, seq DESC LIMIT 1`
	err = db.QueryRow(ctx, q, kinds, value).Scan(&id)
	if errors.Is(err, pgx.ErrNoRows) {
		return "", nil
	}
	return id, err
}

// onlyOpenWithPhone is the open registration with this phone number, "" if there is none or more than one.
func onlyOpenWithPhone(ctx context.Context, db postgres.DB, kinds []string, phone string) (string, error) {
	const q = `SELECT id FROM registration WHERE kind = ANY($1) AND state IN ('sent', 'waiting', 'created') AND request->>'component_phone' = $2 LIMIT 2`
	rows, err := db.Query(ctx, q, kinds, phone)
	if err != nil {
		return "", err
	}
	ids, err := pgx.CollectRows(rows, pgx.RowTo[string])
	if err != nil || len(ids) != 1 {
		return "", err
	}
	return ids[0], nil
}

func overdue(ctx context.Context, tx pgx.Tx, before time.Time, limit int) ([]string, error) {
	rows, err := tx.Query(ctx, `SELECT id FROM registration WHERE state IN `+openStates+` AND next_at <= $1 ORDER BY next_at LIMIT $2`, before, limit)
	if err != nil {
		return nil, err
	}
	return pgx.CollectRows(rows, pgx.RowTo[string])
}

// Filter selects registrations; empty fields select all.
type Filter struct {
	State, Kind, BizID, AppID string
	After                     int64
	Limit                     int
}

// List lists registrations, newest first, and how many there are in all.
func (s *Service) List(ctx context.Context, f Filter) (list []Registration, next, total int64, err error) {
	const where = ` FROM registration WHERE ($1 = '' OR state = $1) AND ($2 = '' OR kind = $2) AND ($3 = '' OR biz_id = $3) AND ($4 = '' OR appid = $4)`
	if err := s.db.QueryRow(ctx, `SELECT count(*)`+where, f.State, f.Kind, f.BizID, f.AppID).Scan(&total); err != nil {
		return nil, 0, 0, fmt.Errorf("count registrations: %w", err)
	}
	rows, err := s.db.Query(ctx, `SELECT `+columns+where+` AND ($5 = 0 OR seq < $5) ORDER BY seq DESC LIMIT $6`, f.State, f.Kind, f.BizID, f.AppID, f.After, f.Limit+1)
	if err != nil {
		return nil, 0, 0, fmt.Errorf("list registrations: %w", err)
	}
	list, err = pgx.CollectRows(rows, func(row pgx.CollectableRow) (Registration, error) { return scan(row) })
	if err != nil {
		return nil, 0, 0, fmt.Errorf("list registrations: %w", err)
	}
	if len(list) > f.Limit {
		list = list[:f.Limit]
		next = list[f.Limit-1].seq
	}
	return list, next, total, nil
}
