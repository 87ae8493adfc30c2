package replica

import (
	"context"
	"crypto/hpke"
	"errors"
	"fmt"
	"slices"

	"github.com/jackc/pgx/v5"

	"github.com/wxsteward/wxsteward/internal/postgres"
	"github.com/wxsteward/wxsteward/internal/sealed"
)

// Change is a change of the master key, made by somebody who holds both keys: first every process that lives is handed the
// new one, then what is sealed is sealed anew, then every process seals with it.
type Change struct {
	Keys     *sealed.Keyring // holds both
	From, To sealed.Secret   // the keys themselves
	FromID   string
	ToID     string
}

// Announce notes that the change is under way, which has every process look for it. One that was announced and not made is
// replaced.
func (c Change) Announce(ctx context.Context, db postgres.DB) error {
	const q = `INSERT INTO rekey (from_key, to_key) VALUES ($1, $2)
		ON CONFLICT (only_one) DO UPDATE SET from_key = excluded.from_key, to_key = excluded.to_key, started_at = now(), switched_at = NULL, previous = NULL`
	if _, err := db.Exec(ctx, q, c.FromID, c.ToID); err != nil {
		return fmt.Errorf("announce the new master key: %w", err)
	}
	return nil
}

// Offer hands the new key to every living process that does not hold it, and lists those that have not taken it yet. Only
// the process itself can open what is written for it, so a copy of the database and the old key do not give the new one.
func (c Change) Offer(ctx context.Context, db postgres.DB) (waiting []Replica, err error) {
	all, err := list(ctx, db)
	if err != nil {
		return nil, err
	}
	for _, r := range all {
		if !r.Live || holds(r, c.ToID) {
			continue
		}
		waiting = append(waiting, r)
		if err := c.offer(ctx, db, r); err != nil {
			return nil, fmt.Errorf("hand the new master key to %s on %s: %w", r.ID, r.Host, err)
		}
	}
	return waiting, nil
}

func holds(r Replica, key string) bool { return slices.Contains(r.Keys, key) }

func (c Change) offer(ctx context.Context, db postgres.DB, r Replica) error {
	var public []byte
	err := db.QueryRow(ctx, `SELECT public_key FROM replica WHERE id = $1 AND offer IS NULL`, r.ID).Scan(&public)
	if errors.Is(err, pgx.ErrNoRows) { // it has one, or has ended
		return nil
	}
	if err != nil {
		return err
	}
	plain, err := c.Keys.Open(public, publicPurpose(r.ID))
	if err != nil {
		return err
	}
	key, err := kem().NewPublicKey([]byte(plain.Reveal()))
	if err != nil {
		return err
	}
	letter, err := hpke.Seal(key, hpke.HKDFSHA256(), hpke.AES256GCM(), []byte(offerPurpose(r.ID)), []byte(c.To.Reveal()))
	if err != nil {
		return err
	}
	box, err := c.Keys.Seal(sealed.New(string(letter)), offerPurpose(r.ID))
	if err != nil {
		return err
	}
	_, err = db.Exec(ctx, `UPDATE replica SET offer = $2 WHERE id = $1`, r.ID, box)
	return err
}

// Hold keeps processes from registering until tx ends, and lists the living ones that do not hold the new key.
func (c Change) Hold(ctx context.Context, tx pgx.Tx) (without []Replica, err error) {
	if _, err := tx.Exec(ctx, `SELECT pg_advisory_xact_lock(`+changeLock+`)`); err != nil {
		return nil, fmt.Errorf("hold new processes back: %w", err)
	}
	all, err := list(ctx, tx)
	if err != nil {
		return nil, err
	}
	for _, r := range all {
		if r.Live && !holds(r, c.ToID) {
			without = append(without, r)
		}
	}
	return without, nil
}

// Switched notes that the secrets are sealed with the new key. Until Finish a process that is started with the new one
// finds the old one there.
func (c Change) Switched(ctx context.Context, db postgres.DB) error {
	ring, err := sealed.NewKeyring(c.To.Reveal())
	if err != nil {
		return err
	}
	previous, err := ring.Seal(c.From, previousPurpose)
	if err != nil {
		return err
	}
	const q = `INSERT INTO rekey (from_key, to_key, switched_at, previous) VALUES ($1, $2, clock_timestamp(), $3)
		ON CONFLICT (only_one) DO UPDATE SET from_key = excluded.from_key, to_key = excluded.to_key, switched_at = excluded.switched_at, previous = excluded.previous`
	if _, err := db.Exec(ctx, q, c.FromID, c.ToID, previous); err != nil {
		return fmt.Errorf("note that the master key has changed: %w", err)
	}
	return nil
}

// Unswitched lists the processes that may still seal with the old key: those that lived when it was changed, or have been seen
// since, and have neither said that they seal with the new one nor been silent for LiveFor.
func (c Change) Unswitched(ctx context.Context, db postgres.DB) ([]Replica, error) {
	const q = `SELECT id, host, version, commit, started_at, seen_at, keys, true FROM replica
		CROSS JOIN (SELECT switched_at FROM rekey) c
		WHERE keys[1] <> $1 AND seen_at > switched_at - $2::interval
			AND greatest(seen_at, switched_at) > clock_timestamp() - $2::interval ORDER BY id`
	rows, err := db.Query(ctx, q, c.ToID, LiveFor)
	if err != nil {
		return nil, fmt.Errorf("list who seals with the old master key: %w", err)
	}
	found, err := pgx.CollectRows(rows, pgx.RowToStructByPos[Replica])
	if err != nil {
		return nil, fmt.Errorf("list who seals with the old master key: %w", err)
	}
	return found, nil
}

// End forgets the change and what was handed over: nothing needs the old key any more, or nothing was changed.
func (c Change) End(ctx context.Context, db postgres.DB) error {
	return pgx.BeginFunc(ctx, db, func(tx pgx.Tx) error {
		if _, err := tx.Exec(ctx, `DELETE FROM rekey`); err != nil {
			return fmt.Errorf("end the change of the master key: %w", err)
		}
		if _, err := tx.Exec(ctx, `UPDATE replica SET offer = NULL WHERE offer IS NOT NULL`); err != nil {
			return fmt.Errorf("end the change of the master key: %w", err)
		}
		return nil
	})
}

// Unfinished is a change whose secrets are sealed with key and that has not ended: it gives the key before. Zero if there is none.
func Unfinished(ctx context.Context, db postgres.DB, keys *sealed.Keyring, key string) (sealed.Secret, error) {
	c, found, err := readChange(ctx, db)
	if err != nil || !found || !c.switched || c.to != key {
		return sealed.Secret{}, err
	}
	old, err := keys.Open(c.previous, previousPurpose)
	if err != nil {
		return sealed.Secret{}, fmt.Errorf("open the previous master key: %w", err)
	}
	return old, nil
}
