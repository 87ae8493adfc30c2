package tokenstore

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/wxsteward/wxsteward/internal/postgres"
	"github.com/wxsteward/wxsteward/internal/sealed"
)

func purposeAccess(key string) string  { return "token:access:" + key }
func purposeRefresh(key string) string { return "token:refresh:" + key }

// SealedColumns is where tokens are.
func SealedColumns() []sealed.Column {
	key := [][2]string{{"key", "text"}}
	return []sealed.Column{
		{Table: "token", Name: "access_token", Key: key, Purpose: `'token:access:' || key`},
		{Table: "token", Name: "refresh_token", Key: key, Purpose: `'token:refresh:' || key`},
	}
}

// read fails with pgx.ErrNoRows if there is no row.
func (s *Store) read(ctx context.Context, db postgres.DB, key string, lock bool) (stored, error) {
	q := `SELECT access_token, refresh_token, obtained_at, expires_at, updated_at FROM token WHERE key = $1`
	if lock {
		q += ` FOR UPDATE`
	}
	var access, refresh []byte
	var obtainedAt, expiresAt *time.Time
	var row stored
	if err := db.QueryRow(ctx, q, key).Scan(&access, &refresh, &obtainedAt, &expiresAt, &row.version); err != nil {
		return stored{}, fmt.Errorf("read token %s: %w", key, err)
	}
	if access != nil && obtainedAt != nil && expiresAt != nil {
		secret, err := s.keys.Open(access, purposeAccess(key))
		if err != nil {
			return stored{}, fmt.Errorf("open access token %s: %w", key, err)
		}
		row.Token, row.obtainedAt = Token{Access: secret, ExpiresAt: expiresAt.UTC()}, *obtainedAt
	}
	if refresh != nil {
		secret, err := s.keys.Open(refresh, purposeRefresh(key))
		if err != nil {
			return stored{}, fmt.Errorf("open refresh token %s: %w", key, err)
		}
		row.refresh = secret
	}
	return row, nil
}

// lockRow locks the key's row, making it if need be, until tx ends.
func (s *Store) lockRow(ctx context.Context, tx pgx.Tx, key string) (stored, error) {
	if _, err := tx.Exec(ctx, `SELECT set_config('idle_in_transaction_session_timeout', $1, true)`, lockTimeout); err != nil {
		return stored{}, err
	}
	tag, err := tx.Exec(ctx, `INSERT INTO token (key) VALUES ($1) ON CONFLICT (key) DO NOTHING`, key)
	if err != nil {
		return stored{}, err
	}
	if tag.RowsAffected() == 1 {
		return stored{}, nil
	}
	row, err := s.read(ctx, tx, key, true)
	if errors.Is(err, pgx.ErrNoRows) { // deleted between the two statements
		return stored{}, fmt.Errorf("token %s was deleted meanwhile", key)
	}
	return row, err
}

func (s *Store) write(ctx context.Context, db postgres.DB, key string, g Grant, at time.Time) error {
	var obtainedAt, expiresAt *time.Time
	if !g.Access.IsZero() {
		obtainedAt, expiresAt = new(at), new(at.Add(g.ExpiresIn))
	}
	access, err := s.sealOrNil(g.Access, purposeAccess(key))
	if err != nil {
		return err
	}
	refresh, err := s.sealOrNil(g.Refresh, purposeRefresh(key))
	if err != nil {
		return err
	}
	const q = `INSERT INTO token (key, access_token, obtained_at, expires_at, refresh_token, updated_at) VALUES ($1, $2, $3, $4, $5, clock_timestamp())
		ON CONFLICT (key) DO UPDATE SET access_token = excluded.access_token, obtained_at = excluded.obtained_at,
			expires_at = excluded.expires_at, refresh_token = excluded.refresh_token, updated_at = excluded.updated_at`
	_, err = db.Exec(ctx, q, key, access, obtainedAt, expiresAt, refresh)
	return err
}

func (s *Store) sealOrNil(secret sealed.Secret, purpose string) ([]byte, error) {
	if secret.IsZero() {
		return nil, nil
	}
	return s.keys.Seal(secret, purpose)
}

func dropAccess(ctx context.Context, db postgres.DB, key string) error {
	const q = `UPDATE token SET access_token = NULL, obtained_at = NULL, expires_at = NULL, updated_at = clock_timestamp() WHERE key = $1`
	_, err := db.Exec(ctx, q, key)
	return err
}

func deleteRow(ctx context.Context, db postgres.DB, key string) error {
	_, err := db.Exec(ctx, `DELETE FROM token WHERE key = $1`, key)
	return err
}

func (s *Store) replaceRefresh(ctx context.Context, db postgres.DB, key string, version time.Time, refresh sealed.Secret) (bool, error) {
	box, err := s.keys.Seal(refresh, purposeRefresh(key))
	if err != nil {
		return false, err
	}
	const q = `INSERT INTO token (key, refresh_token, updated_at) VALUES ($1, $2, clock_timestamp())
		ON CONFLICT (key) DO UPDATE SET access_token = NULL, obtained_at = NULL, expires_at = NULL,
			refresh_token = excluded.refresh_token, updated_at = excluded.updated_at WHERE token.updated_at = $3`
	tag, err := db.Exec(ctx, q, key, box, version)
	return tag.RowsAffected() == 1, err
}

func haveRefresh(ctx context.Context, db postgres.DB, keys []string) ([]string, error) {
	rows, err := db.Query(ctx, `SELECT key FROM token WHERE key = ANY($1) AND refresh_token IS NOT NULL`, keys)
	if err != nil {
		return nil, err
	}
	return pgx.CollectRows(rows, pgx.RowTo[string])
}

func noteUse(ctx context.Context, db postgres.DB, key string, at time.Time) error {
	const q = `INSERT INTO token_use AS u (key, used_at) VALUES ($1, $2) ON CONFLICT (key) DO UPDATE SET used_at = excluded.used_at
		WHERE u.used_at < excluded.used_at`
	_, err := db.Exec(ctx, q, key, at)
	return err
}

func inUse(ctx context.Context, db postgres.DB, prefix string, since, before time.Time, limit int) ([]string, error) {
	const q = `SELECT t.key FROM token t JOIN token_use u USING (key)
		WHERE starts_with(t.key, $1) AND u.used_at >= $2 AND t.refresh_token IS NOT NULL AND (t.expires_at IS NULL OR t.expires_at < $3)
		ORDER BY t.expires_at NULLS LAST, t.key LIMIT $4`
	rows, err := db.Query(ctx, q, prefix, since, before, limit)
	if err != nil {
		return nil, err
	}
	return pgx.CollectRows(rows, pgx.RowTo[string])
}
