package adminauth

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/wxsteward/wxsteward/internal/fault"
	"github.com/wxsteward/wxsteward/internal/postgres"
)

// sessionRow is a row of admin_session, with its user's name.
type sessionRow struct {
	ID         string
	UserID     int64
	Username   string
	CreatedAt  time.Time
	LastSeenAt time.Time
	ExpiresAt  time.Time
	IP         string
	UserAgent  string
}

// sessionPlace is where a session stands in the list, newest first.
type sessionPlace struct {
	At time.Time `json:"at"`
	ID string    `json:"id"`
}

func (r sessionRow) place() sessionPlace { return sessionPlace{r.CreatedAt, r.ID} }

// insertSession fails with Unauthenticated when password or second factor are not those any more that were compared: a change in
// between ends this sign-in too.
func (s *Service) insertSession(ctx context.Context, tx pgx.Tx, id string, u account, from client, now, expires time.Time) error {
	const mark = `UPDATE admin_user SET last_sign_in_at = $2 WHERE id = $1 AND password_hash = $3 AND totp_at IS NOT DISTINCT FROM $4`
	tag, err := tx.Exec(ctx, mark, u.id, now, u.hash, u.totpAt)
	if err == nil && tag.RowsAffected() == 0 {
		return wrongSignIn()
	}
	if err == nil {
		const q = `INSERT INTO admin_session (id, user_id, created_at, last_seen_at, expires_at, ip, user_agent) VALUES ($1, $2, $3, $3, $4, $5, $6)`
		_, err = tx.Exec(ctx, q, id, u.id, now, expires, from.ip.String(), from.userAgent)
	}
	if err != nil {
		return fmt.Errorf("open session: %w", err)
	}
	return nil
}

// sessionIdentity tells whose session this is, as things are now, and when it was last noted as used.
func (s *Service) sessionIdentity(ctx context.Context, id string) (who identity, seen time.Time, err error) {
	const q = `SELECT u.id, u.username, u.role, u.totp_at IS NOT NULL, s.last_seen_at FROM admin_session s JOIN admin_user u ON u.id = s.user_id
		WHERE s.id = $1 AND s.expires_at > $2`
	who = identity{sessionID: id}
	err = s.db.QueryRow(ctx, q, id, s.now()).Scan(&who.userID, &who.Username, &who.Role, &who.totp, &seen)
	if errors.Is(err, pgx.ErrNoRows) {
		return identity{}, time.Time{}, fault.New(fault.Unauthenticated, "The session is over. Sign in again.")
	}
	if err != nil {
		return identity{}, time.Time{}, fmt.Errorf("read session: %w", err)
	}
	who.ID = strconv.FormatInt(who.userID, 10)
	return who, seen, nil
}

// noteSession notes that a session was used. Of many calls at once one writes, and none waits; one that cannot be noted, as in a
// database that is full, goes on.
func (s *Service) noteSession(ctx context.Context, id string) {
	s.note(ctx, `UPDATE admin_session SET last_seen_at = $2 WHERE id =
		(SELECT id FROM admin_session WHERE id = $1 AND last_seen_at <= $3 FOR UPDATE SKIP LOCKED)`, id)
}

// noteKey is noteSession for an API key.
func (s *Service) noteKey(ctx context.Context, id int64) {
	s.note(ctx, `UPDATE api_key SET last_used_at = $2 WHERE id =
		(SELECT id FROM api_key WHERE id = $1 AND (last_used_at IS NULL OR last_used_at <= $3) FOR UPDATE SKIP LOCKED)`, id)
}

func (s *Service) note(ctx context.Context, query string, id any) {
	now := s.now()
	if _, err := s.db.Exec(ctx, query, id, now, now.Add(-seenEvery)); err != nil {
		s.log.WarnContext(ctx, "last use not noted", "error", err)
	}
}

func (s *Service) sessionExpiry(ctx context.Context, id string) (time.Time, error) {
	var at time.Time
	if err := s.db.QueryRow(ctx, `SELECT expires_at FROM admin_session WHERE id = $1`, id).Scan(&at); err != nil {
		return time.Time{}, fmt.Errorf("read session: %w", err)
	}
	return at.UTC(), nil
}

// listSessions lists the running sessions of a user, newest first, from behind a place; the zero place: from the newest.
func (s *Service) listSessions(ctx context.Context, userID int64, after sessionPlace, limit int) ([]sessionRow, error) {
	const q = `SELECT s.id, s.user_id, u.username, s.created_at, s.last_seen_at, s.expires_at, s.ip, s.user_agent
		FROM admin_session s JOIN admin_user u ON u.id = s.user_id
		WHERE s.user_id = $1 AND s.expires_at > $2 AND ($4 = '' OR s.created_at < $3 OR s.created_at = $3 AND s.id > $4)
		ORDER BY s.created_at DESC, s.id LIMIT $5`
	rows, err := s.db.Query(ctx, q, userID, s.now(), after.At, after.ID, limit)
	if err != nil {
		return nil, fmt.Errorf("list sessions: %w", err)
	}
	list, err := pgx.CollectRows(rows, pgx.RowToStructByPos[sessionRow])
	if err != nil {
		return nil, fmt.Errorf("list sessions: %w", err)
	}
	return list, nil
}

// deleteSession ends a session, of one user only unless ofUser is 0, and reports whether there was one.
func (s *Service) deleteSession(ctx context.Context, id string, ofUser int64) (bool, error) {
	tag, err := s.db.Exec(ctx, `DELETE FROM admin_session WHERE id = $1 AND ($2 = 0 OR user_id = $2)`, id, ofUser)
	if err != nil {
		return false, fmt.Errorf("end session: %w", err)
	}
	return tag.RowsAffected() > 0, nil
}

// endSessions ends all sessions of a user but one ("" for none).
func (s *Service) endSessions(ctx context.Context, db postgres.DB, userID int64, except string) error {
	if _, err := db.Exec(ctx, `DELETE FROM admin_session WHERE user_id = $1 AND id <> $2`, userID, except); err != nil {
		return fmt.Errorf("end sessions of user %d: %w", userID, err)
	}
	return nil
}
