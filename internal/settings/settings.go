// Package settings keeps what operators set at run time, and secrets of our own such as the session key, in one
// table of keys and values. Secrets are sealed.
package settings

import (
	"context"
	"errors"
	"fmt"

	"github.com/jackc/pgx/v5"

	"github.com/wxsteward/wxsteward/internal/postgres"
	"github.com/wxsteward/wxsteward/internal/sealed"
)

// Store reads and writes settings. It keeps nothing in memory: every replica sees a change at once.
type Store struct {
	db   postgres.DB
	keys *sealed.Keyring
}

// New makes a Store.
func New(db postgres.DB, keys *sealed.Keyring) *Store { return &Store{db: db, keys: keys} }

// Get reads a plain setting; false if it is not set. A sealed one is an error.
func (s *Store) Get(ctx context.Context, key string) (string, bool, error) {
	var value *string
	err := s.db.QueryRow(ctx, `SELECT value FROM setting WHERE key = $1`, key).Scan(&value)
	switch {
	case errors.Is(err, pgx.ErrNoRows):
		return "", false, nil
	case err != nil:
		return "", false, fmt.Errorf("read setting %s: %w", key, err)
	case value == nil:
		return "", false, fmt.Errorf("read setting %s: it is a secret", key)
	}
	return *value, true, nil
}

// GetSecret reads a sealed setting; false if it is not set. A plain one is an error.
func (s *Store) GetSecret(ctx context.Context, key string) (sealed.Secret, bool, error) {
	return getSecret(ctx, s.db, s.keys, key)
}

// GetSecretTx is GetSecret inside a transaction.
func (s *Store) GetSecretTx(ctx context.Context, db postgres.DB, key string) (sealed.Secret, bool, error) {
	return getSecret(ctx, db, s.keys, key)
}

func getSecret(ctx context.Context, db postgres.DB, keys *sealed.Keyring, key string) (sealed.Secret, bool, error) {
	var box []byte
	err := db.QueryRow(ctx, `SELECT sealed FROM setting WHERE key = $1`, key).Scan(&box)
	switch {
	case errors.Is(err, pgx.ErrNoRows):
		return sealed.Secret{}, false, nil
	case err != nil:
		return sealed.Secret{}, false, fmt.Errorf("read setting %s: %w", key, err)
	case box == nil:
		return sealed.Secret{}, false, fmt.Errorf("read setting %s: it is not a secret", key)
	}
	secret, err := keys.Open(box, purpose(key))
	if err != nil {
		return sealed.Secret{}, false, fmt.Errorf("read setting %s: %w", key, err)
	}
	return secret, true, nil
}

// Put writes a plain setting; by is the user who did it, "" for ourselves. A secret of that key is replaced.
func (s *Store) Put(ctx context.Context, db postgres.DB, key, value, by string) error {
	return put(ctx, db, key, &value, nil, by)
}

// PutSecret seals and writes a setting.
func (s *Store) PutSecret(ctx context.Context, db postgres.DB, key string, value sealed.Secret, by string) error {
	box, err := s.keys.Seal(value, purpose(key))
	if err != nil {
		return fmt.Errorf("write setting %s: %w", key, err)
	}
	return put(ctx, db, key, nil, box, by)
}

// PutSecretOnce writes a setting only if it is not set yet and returns what is set then: the same secret for every
// replica that starts at the same time.
func (s *Store) PutSecretOnce(ctx context.Context, db postgres.DB, key string, value sealed.Secret) (sealed.Secret, error) {
	return putSecretOnce(ctx, db, s.keys, key, value)
}

func putSecretOnce(ctx context.Context, db postgres.DB, keys *sealed.Keyring, key string, value sealed.Secret) (sealed.Secret, error) {
	box, err := keys.Seal(value, purpose(key))
	if err != nil {
		return sealed.Secret{}, fmt.Errorf("write setting %s: %w", key, err)
	}
	const q = `INSERT INTO setting (key, sealed) VALUES ($1, $2) ON CONFLICT (key) DO NOTHING`
	if _, err := db.Exec(ctx, q, key, box); err != nil {
		return sealed.Secret{}, fmt.Errorf("write setting %s: %w", key, err)
	}
	secret, ok, err := getSecret(ctx, db, keys, key)
	if err == nil && !ok {
		err = fmt.Errorf("write setting %s: it was deleted meanwhile", key)
	}
	return secret, err
}

func put(ctx context.Context, db postgres.DB, key string, value *string, box []byte, by string) error {
	const q = `INSERT INTO setting (key, value, sealed, updated_by) VALUES ($1, $2, $3, $4)
		ON CONFLICT (key) DO UPDATE SET value = excluded.value, sealed = excluded.sealed, updated_at = now(), updated_by = excluded.updated_by`
	if _, err := db.Exec(ctx, q, key, value, box, by); err != nil {
		return fmt.Errorf("write setting %s: %w", key, err)
	}
	return nil
}

// Delete removes a setting; nothing happens if it is not set.
func (s *Store) Delete(ctx context.Context, db postgres.DB, key string) error {
	if _, err := db.Exec(ctx, `DELETE FROM setting WHERE key = $1`, key); err != nil {
		return fmt.Errorf("delete setting %s: %w", key, err)
	}
	return nil
}

// SealedColumns is where settings hold boxes.
func SealedColumns() []sealed.Column {
	return []sealed.Column{{Table: "setting", Name: "sealed", Key: [][2]string{{"key", "text"}}, Purpose: `'setting:' || key`}}
}

func purpose(key string) string { return "setting:" + key }
