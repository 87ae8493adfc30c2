package register

import (
	"context"
	"time"

	"github.com/jackc/pgx/v5"
)

func insertVisit(ctx context.Context, tx pgx.Tx, state, id string, until time.Time) error {
	const keep = 100 // who knows the address can ask for as many as he likes
	const crowd = `DELETE FROM registration_visit WHERE registration_id = $1 AND state IN
		(SELECT state FROM registration_visit WHERE registration_id = $1 ORDER BY expires_at DESC OFFSET $2)`
	if _, err := tx.Exec(ctx, crowd, id, keep-1); err != nil {
		return err
	}
	_, err := tx.Exec(ctx, `INSERT INTO registration_visit (state, registration_id, expires_at) VALUES ($1, $2, $3)`, state, id, until)
	return err
}

// useVisit reports whether a state was given out for a registration and is good still, and ends all of its states if so.
func useVisit(ctx context.Context, tx pgx.Tx, state, id string, now time.Time) (bool, error) {
	const q = `DELETE FROM registration_visit WHERE registration_id = $2 AND EXISTS
		(SELECT FROM registration_visit WHERE state = $1 AND registration_id = $2 AND expires_at > $3)`
	tag, err := tx.Exec(ctx, q, state, id, now)
	return tag.RowsAffected() > 0, err
}

func forgetVisits(ctx context.Context, tx pgx.Tx, now time.Time) error {
	_, err := tx.Exec(ctx, `DELETE FROM registration_visit WHERE expires_at <= $1`, now)
	return err
}
