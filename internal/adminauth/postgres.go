package adminauth

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"github.com/wxsteward/wxsteward/internal/fault"
	"github.com/wxsteward/wxsteward/internal/postgres"
)

const uniqueViolation = "23505"

func lock(ctx context.Context, tx pgx.Tx, name string) error {
	_, err := tx.Exec(ctx, `SELECT pg_advisory_xact_lock(hashtextextended($1, 0))`, "adminauth:"+name)
	if err != nil {
		return fmt.Errorf("lock %s: %w", name, err)
	}
	return nil
}

func (s *Service) anyUser(ctx context.Context, db postgres.DB) (bool, error) {
	var exists bool
	if err := db.QueryRow(ctx, `SELECT EXISTS (SELECT FROM admin_user)`).Scan(&exists); err != nil {
		return false, fmt.Errorf("look for users: %w", err)
	}
	return exists, nil
}

// userByName returns an account with id 0 if there is none. PostgreSQL decides what the lower case of a name is, for
// the user and for counting wrong tries alike.
func (s *Service) userByName(ctx context.Context, username string) (account, error) {
	const q = `SELECT lower($1::text), coalesce(u.id, 0), coalesce(u.username, $1), coalesce(u.password_hash, ''),
			coalesce(u.role, ''), coalesce(u.created_at, 'epoch'), u.totp_secret, u.totp_at
		FROM (SELECT) one LEFT JOIN admin_user u ON lower(u.username) = lower($1::text)`
	var a account
	err := s.db.QueryRow(ctx, q, username).Scan(&a.lockName, &a.id, &a.username, &a.hash, &a.role, &a.createdAt, &a.totpBox, &a.totpAt)
	if err != nil {
		return account{}, fmt.Errorf("read user: %w", err)
	}
	return a, nil
}

// userByID fails with NotFound.
func (s *Service) userByID(ctx context.Context, db postgres.DB, id int64) (account, error) {
	const q = `SELECT id, username, lower(username), password_hash, role, created_at, last_sign_in_at, totp_secret, totp_at
		FROM admin_user WHERE id = $1`
	var a account
	err := db.QueryRow(ctx, q, id).Scan(&a.id, &a.username, &a.lockName, &a.hash, &a.role, &a.createdAt, &a.lastSignInAt, &a.totpBox, &a.totpAt)
	if errors.Is(err, pgx.ErrNoRows) {
		return account{}, noSuchUser()
	}
	if err != nil {
		return account{}, fmt.Errorf("read user %d: %w", id, err)
	}
	return a, nil
}

func noSuchUser() error { return fault.New(fault.NotFound, "There is no such user.") }

func (s *Service) insertUser(ctx context.Context, db postgres.DB, a account) (account, error) {
	now := s.now()
	const q = `INSERT INTO admin_user (username, password_hash, role, created_at, password_changed_at)
		VALUES ($1, $2, $3, $4, $4) RETURNING id, created_at`
	err := db.QueryRow(ctx, q, a.username, a.hash, a.role, now).Scan(&a.id, &a.createdAt)
	if pgErr, ok := errors.AsType[*pgconn.PgError](err); ok && pgErr.Code == uniqueViolation {
		return account{}, fault.New(fault.Conflict, "There is a user of this name already.")
	}
	if err != nil {
		return account{}, fmt.Errorf("create user: %w", err)
	}
	return a, nil
}

func (s *Service) updateRole(ctx context.Context, tx pgx.Tx, id int64, role Role) error {
	tag, err := tx.Exec(ctx, `UPDATE admin_user SET role = $2 WHERE id = $1`, id, role)
	if err != nil {
		return fmt.Errorf("change role of user %d: %w", id, err)
	}
	if tag.RowsAffected() == 0 {
		return noSuchUser()
	}
	return nil
}

// replacePassword also ends all sessions of the user.
func (s *Service) replacePassword(ctx context.Context, tx pgx.Tx, id int64, hash string) error {
	tag, err := tx.Exec(ctx, `UPDATE admin_user SET password_hash = $2, password_changed_at = $3 WHERE id = $1`, id, hash, s.now())
	if err == nil && tag.RowsAffected() == 0 {
		return noSuchUser()
	}
	if err != nil {
		return fmt.Errorf("change password of user %d: %w", id, err)
	}
	return s.endSessions(ctx, tx, id, "")
}

func (s *Service) deleteUser(ctx context.Context, tx pgx.Tx, id int64) error {
	tag, err := tx.Exec(ctx, `DELETE FROM admin_user WHERE id = $1`, id)
	if err != nil {
		return fmt.Errorf("delete user %d: %w", id, err)
	}
	if tag.RowsAffected() == 0 {
		return noSuchUser()
	}
	return nil
}

func (s *Service) lockAdmins(ctx context.Context, tx pgx.Tx) ([]int64, error) {
	rows, err := tx.Query(ctx, `SELECT id FROM admin_user WHERE role = 'admin' ORDER BY id FOR NO KEY UPDATE`)
	if err != nil {
		return nil, fmt.Errorf("lock administrators: %w", err)
	}
	ids, err := pgx.CollectRows(rows, pgx.RowTo[int64])
	if err != nil {
		return nil, fmt.Errorf("lock administrators: %w", err)
	}
	return ids, nil
}

func (s *Service) listUsers(ctx context.Context, after int64, limit int) (page []account, total int64, err error) {
	const q = `SELECT id, username, role, created_at, last_sign_in_at, totp_at FROM admin_user WHERE id > $1 ORDER BY id LIMIT $2`
	rows, err := s.db.Query(ctx, q, after, limit)
	if err != nil {
		return nil, 0, fmt.Errorf("list users: %w", err)
	}
	page, err = pgx.CollectRows(rows, func(row pgx.CollectableRow) (a account, err error) {
		err = row.Scan(&a.id, &a.username, &a.role, &a.createdAt, &a.lastSignInAt, &a.totpAt)
		return a, err
	})
	if err == nil {
		err = s.db.QueryRow(ctx, `SELECT count(*) FROM admin_user`).Scan(&total)
	}
	if err != nil {
		return nil, 0, fmt.Errorf("list users: %w", err)
	}
	return page, total, nil
}

// insertTry counts a try under each subject, which must come in a fixed order; if one of them has had its tries, it
// counts nothing and tells when there is one again.
func (s *Service) insertTry(ctx context.Context, subjects []string, now time.Time) (try []int64, freeAt time.Time, err error) {
	const last = `SELECT at FROM login_attempt WHERE subject = $1 AND at > $2 ORDER BY at DESC OFFSET $3 LIMIT 1`
	err = pgx.BeginFunc(ctx, s.db, func(tx pgx.Tx) error {
		for _, subject := range subjects {
			if err := lock(ctx, tx, "try:"+subject); err != nil {
				return err
			}
		}
		for _, subject := range subjects {
			var at time.Time
			err := tx.QueryRow(ctx, last, subject, now.Add(-triesWindow), maxTries-1).Scan(&at)
			switch {
			case errors.Is(err, pgx.ErrNoRows):
			case err != nil:
				return err
			case at.Add(triesWindow).After(freeAt):
				freeAt = at.Add(triesWindow)
			}
		}
		if !freeAt.IsZero() {
			return nil
		}
		rows, err := tx.Query(ctx, `INSERT INTO login_attempt (subject, at) SELECT unnest($1::text[]), $2 RETURNING id`, subjects, now)
		if err != nil {
			return err
		}
		try, err = pgx.CollectRows(rows, pgx.RowTo[int64])
		return err
	})
	if err != nil {
		return nil, time.Time{}, fmt.Errorf("count sign-in: %w", err)
	}
	return try, freeAt, nil
}

// forget takes a try back. When that fails it stays counted, which is the safe side.
func (s *Service) forget(ctx context.Context, try []int64) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), 5*time.Second)
	defer cancel()
	if _, err := s.db.Exec(ctx, `DELETE FROM login_attempt WHERE id = ANY ($1)`, try); err != nil {
		s.log.WarnContext(ctx, "sign-in stays counted as wrong", "error", err)
	}
}

func (s *Service) forgetUser(ctx context.Context, tx pgx.Tx, lockName string) error {
	if _, err := tx.Exec(ctx, `DELETE FROM login_attempt WHERE subject = $1`, "user:"+lockName); err != nil {
		return fmt.Errorf("lift lock-out: %w", err)
	}
	return nil
}

func (s *Service) insertKey(ctx context.Context, k apiKey, hash []byte) (apiKey, error) {
	const q = `INSERT INTO api_key (name, role, prefix, hash, created_by, created_at, expires_at) VALUES ($1, $2, $3, $4, $5, $6, $7)
		RETURNING id, created_at, expires_at`
	err := s.db.QueryRow(ctx, q, k.name, k.role, k.prefix, hash, k.createdBy, s.now(), k.expiresAt).Scan(&k.id, &k.createdAt, &k.expiresAt)
	if err != nil {
		return apiKey{}, fmt.Errorf("create API key: %w", err)
	}
	return k, nil
}

// keyIdentity also notes that the key was used.
func (s *Service) keyIdentity(ctx context.Context, hash []byte) (identity, error) {
	now := s.now()
	const q = `SELECT id, name, role, last_used_at FROM api_key WHERE hash = $1 AND (expires_at IS NULL OR expires_at > $2)`
	var k apiKey
	err := s.db.QueryRow(ctx, q, hash, now).Scan(&k.id, &k.name, &k.role, &k.lastUsedAt)
	if errors.Is(err, pgx.ErrNoRows) {
		return identity{}, fault.New(fault.Unauthenticated, "This API key does not exist or has expired.")
	}
	if err != nil {
		return identity{}, fmt.Errorf("read API key: %w", err)
	}
	if k.lastUsedAt == nil || now.Sub(*k.lastUsedAt) > seenEvery {
		s.noteKey(ctx, k.id)
	}
	return k.identity(), nil
}

func (s *Service) keyStillValid(ctx context.Context, id int64) (apiKey, bool, error) {
	const q = `SELECT id, name, role, expires_at FROM api_key WHERE id = $1 AND (expires_at IS NULL OR expires_at > $2)`
	var k apiKey
	err := s.db.QueryRow(ctx, q, id, s.now()).Scan(&k.id, &k.name, &k.role, &k.expiresAt)
	if errors.Is(err, pgx.ErrNoRows) {
		return apiKey{}, false, nil
	}
	if err != nil {
		return apiKey{}, false, fmt.Errorf("read API key %d: %w", id, err)
	}
	return k, true, nil
}

// listKeys begins after a key's id, newest first; 0: at the newest.
func (s *Service) listKeys(ctx context.Context, after int64, limit int) (page []apiKey, total int64, err error) {
	const q = `SELECT id, name, role, prefix, created_by, created_at, expires_at, last_used_at FROM api_key
		WHERE $1 = 0 OR id < $1 ORDER BY id DESC LIMIT $2`
	rows, err := s.db.Query(ctx, q, after, limit)
	if err != nil {
		return nil, 0, fmt.Errorf("list API keys: %w", err)
	}
	page, err = pgx.CollectRows(rows, func(row pgx.CollectableRow) (k apiKey, err error) {
		err = row.Scan(&k.id, &k.name, &k.role, &k.prefix, &k.createdBy, &k.createdAt, &k.expiresAt, &k.lastUsedAt)
		return k, err
	})
	if err == nil {
		err = s.db.QueryRow(ctx, `SELECT count(*) FROM api_key`).Scan(&total)
	}
	if err != nil {
		return nil, 0, fmt.Errorf("list API keys: %w", err)
	}
	return page, total, nil
}

func (s *Service) deleteKey(ctx context.Context, id int64) error {
	tag, err := s.db.Exec(ctx, `DELETE FROM api_key WHERE id = $1`, id)
	if err != nil {
		return fmt.Errorf("delete API key %d: %w", id, err)
	}
	if tag.RowsAffected() == 0 {
		return fault.New(fault.NotFound, "There is no such API key.")
	}
	return nil
}

// storedCall is a row of idempotency_key; username holds the user's id.
type storedCall struct {
	bodyHash    []byte
	status      *int
	contentType string
	response    []byte
}

// claimKey reports whether the call is ours to do. A key may be used again when it is a day old, and by the same
// request when an atomic call of it was abandoned.
func (s *Service) claimKey(ctx context.Context, i *idempotent) (bool, error) {
	now := s.now()
	const claim = `INSERT INTO idempotency_key AS k (username, route, key, body_hash, created_at) VALUES ($1, $2, $3, $4, $5)
		ON CONFLICT (username, route, key) DO UPDATE
			SET body_hash = excluded.body_hash, created_at = excluded.created_at, status = NULL, content_type = '', response = NULL
			WHERE k.created_at <= $6 OR ($7 AND k.status IS NULL AND k.body_hash = excluded.body_hash AND k.created_at <= $8)`
	tag, err := s.db.Exec(ctx, claim, i.userID, i.route, i.key, i.bodyHash, now,
		now.Add(-idempotencyLifetime), i.atomic, now.Add(-abandonedAfter))
	if err != nil {
		return false, fmt.Errorf("claim Idempotency-Key: %w", err)
	}
	return tag.RowsAffected() == 1, nil
}

func (s *Service) loadKey(ctx context.Context, i *idempotent) (storedCall, bool, error) {
	const q = `SELECT body_hash, status, content_type, response FROM idempotency_key WHERE username = $1 AND route = $2 AND key = $3`
	var c storedCall
	err := s.db.QueryRow(ctx, q, i.userID, i.route, i.key).Scan(&c.bodyHash, &c.status, &c.contentType, &c.response)
	if errors.Is(err, pgx.ErrNoRows) {
		return storedCall{}, false, nil
	}
	if err != nil {
		return storedCall{}, false, fmt.Errorf("read Idempotency-Key: %w", err)
	}
	return c, true, nil
}

func (s *Service) storeAnswer(ctx context.Context, db postgres.DB, i *idempotent, a answer, box []byte) error {
	const q = `UPDATE idempotency_key SET status = $4, content_type = $5, response = $6
		WHERE username = $1 AND route = $2 AND key = $3 AND body_hash = $7`
	if _, err := db.Exec(ctx, q, i.userID, i.route, i.key, a.status, a.contentType, box, i.bodyHash); err != nil {
		return fmt.Errorf("store answer: %w", err)
	}
	return nil
}

func (s *Service) dropKey(ctx context.Context, i *idempotent) error {
	const q = `DELETE FROM idempotency_key WHERE username = $1 AND route = $2 AND key = $3 AND body_hash = $4 AND status IS NULL`
	if _, err := s.db.Exec(ctx, q, i.userID, i.route, i.key, i.bodyHash); err != nil {
		return fmt.Errorf("give Idempotency-Key back: %w", err)
	}
	return nil
}

// Purge deletes what time has made useless: ended sessions, old tries to sign in, old idempotency keys, and audit entries older
// than they are kept. InstallJobs has it done regularly.
func (s *Service) Purge(ctx context.Context) error {
	now := s.now()
	for _, q := range []struct {
		sql    string
		before time.Time
	}{
		{`DELETE FROM admin_session WHERE expires_at <= $1`, now},
		{`DELETE FROM login_attempt WHERE at <= $1`, now.Add(-triesWindow)},
		{`DELETE FROM idempotency_key WHERE created_at <= $1`, now.Add(-idempotencyLifetime)},
	} {
		if _, err := s.db.Exec(ctx, q.sql, q.before); err != nil {
			return fmt.Errorf("purge: %w", err)
		}
	}
	return s.shortenAudit(ctx)
}
