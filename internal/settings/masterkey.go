package settings

import (
	"context"
	"errors"
	"fmt"

	"github.com/jackc/pgx/v5"

	"github.com/wxsteward/wxsteward/internal/postgres"
	"github.com/wxsteward/wxsteward/internal/sealed"
)

const canaryKey = "master_key_check"

// ErrWrongMasterKey means that the secrets in this database were sealed with another key.
var ErrWrongMasterKey = errors.New("MASTER_KEY is not the key this database was encrypted with; set the one it was first started with, " +
	"or change keys with NEW_MASTER_KEY and \"wxsteward rekey\"")

// CheckMasterKey tells a wrong key at start, before anything is sealed with it. The first start leaves a sealed
// value that later ones must be able to open. It fails with ErrWrongMasterKey.
func CheckMasterKey(ctx context.Context, db postgres.DB, keys *sealed.Keyring) error {
	_, err := putSecretOnce(ctx, db, keys, canaryKey, sealed.New("wxsteward"))
	switch {
	case errors.Is(err, sealed.ErrWrongKey):
		return ErrWrongMasterKey
	case err != nil:
		return fmt.Errorf("check MASTER_KEY: %w", err)
	}
	return nil
}

// MasterKeyID is the sealed.KeyID of the master key that this database is encrypted with; "" before the first start.
func MasterKeyID(ctx context.Context, db postgres.DB) (string, error) {
	var box []byte
	err := db.QueryRow(ctx, `SELECT sealed FROM setting WHERE key = $1`, canaryKey).Scan(&box)
	if errors.Is(err, pgx.ErrNoRows) {
		return "", nil
	}
	if err != nil {
		return "", fmt.Errorf("read which master key counts: %w", err)
	}
	return sealed.KeyID(box), nil
}
