package replica

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/wxsteward/wxsteward/internal/postgres"
)

// changeLock keeps processes from registering while the secrets are sealed anew.
const changeLock = `hashtextextended('wxsteward master key change', 0)`

const previousPurpose = "rekey/previous"

func publicPurpose(id string) string { return "replica/public_key:" + id }
func offerPurpose(id string) string  { return "replica/offer:" + id }

func register(ctx context.Context, tx pgx.Tx, r Replica, keys []string, public []byte) error {
	const q = `INSERT INTO replica (id, host, version, commit, started_at, seen_at, keys, public_key)
		VALUES ($1, $2, $3, $4, $5, clock_timestamp(), $6, $7)
		ON CONFLICT (id) DO UPDATE SET seen_at = excluded.seen_at, keys = excluded.keys, public_key = excluded.public_key, offer = NULL`
	if _, err := tx.Exec(ctx, q, r.ID, r.Host, r.Version, r.Commit, r.StartedAt, keys, public); err != nil {
		return fmt.Errorf("register this process: %w", err)
	}
	if _, err := tx.Exec(ctx, `DELETE FROM replica WHERE seen_at < clock_timestamp() - $1::interval`, forgetAfter); err != nil {
		return fmt.Errorf("forget processes that have ended: %w", err)
	}
	return nil
}

func touch(ctx context.Context, db postgres.DB, id string, keys []string) (known bool, err error) {
	tag, err := db.Exec(ctx, `UPDATE replica SET seen_at = clock_timestamp(), keys = $2 WHERE id = $1`, id, keys)
	if err != nil {
		return false, fmt.Errorf("write that this process lives: %w", err)
	}
	return tag.RowsAffected() > 0, nil
}

func remove(ctx context.Context, db postgres.DB, id string) error {
	_, err := db.Exec(ctx, `DELETE FROM replica WHERE id = $1`, id)
	return err
}

func list(ctx context.Context, db postgres.DB) ([]Replica, error) {
	const q = `SELECT id, host, version, commit, started_at, seen_at, keys, seen_at > clock_timestamp() - $1::interval
		FROM replica ORDER BY started_at, id`
	rows, err := db.Query(ctx, q, LiveFor)
	if err != nil {
		return nil, fmt.Errorf("list replicas: %w", err)
	}
	found, err := pgx.CollectRows(rows, pgx.RowToStructByPos[Replica])
	if err != nil {
		return nil, fmt.Errorf("list replicas: %w", err)
	}
	return found, nil
}

// change is a change of the master key that is under way.
type change struct {
	from, to  string
	startedAt time.Time
	switched  bool
	previous  []byte
}

func readChange(ctx context.Context, db postgres.DB) (c change, found bool, err error) {
	const q = `SELECT from_key, to_key, started_at, switched_at IS NOT NULL, previous FROM rekey`
	err = db.QueryRow(ctx, q).Scan(&c.from, &c.to, &c.startedAt, &c.switched, &c.previous)
	if errors.Is(err, pgx.ErrNoRows) {
		return change{}, false, nil
	}
	if err != nil {
		return change{}, false, fmt.Errorf("read whether the master key is being changed: %w", err)
	}
	return c, true, nil
}

func readOffer(ctx context.Context, db postgres.DB, id string) (offer []byte, err error) {
	err = db.QueryRow(ctx, `SELECT offer FROM replica WHERE id = $1`, id).Scan(&offer)
	if errors.Is(err, pgx.ErrNoRows) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("read which master key is offered: %w", err)
	}
	return offer, nil
}
