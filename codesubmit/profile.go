package codesubmit

import (
	"context"
	"encoding/json"
	"errors"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"github.com/wxsteward/wxsteward/internal/fault"
)

// ProfileKind says what a profile holds.
type ProfileKind string

// The kinds of profiles.
const (
	DomainProfile  ProfileKind = "domain"  // a DomainSpec
	PrivacyProfile ProfileKind = "privacy" // a PrivacySpec
)

// Profile is a part of rollouts that is saved under a name to be used again. A rollout takes a copy, so that a later
// change of the profile changes no rollout.
type Profile struct {
	ID        int64
	Name      string
	Content   json.RawMessage
	CreatedBy string
	CreatedAt time.Time
	UpdatedAt time.Time
}

func profileName(name string) (string, error) {
	if name = strings.TrimSpace(name); name == "" {
		return "", fault.Invalid("body.name", "A profile needs a name.", name)
	}
	return name, nil
}

// CreateProfile saves a profile. The content is checked by the caller. It fails with fault.Conflict when the name is
// taken.
func (s *Service) CreateProfile(ctx context.Context, kind ProfileKind, name string, content json.RawMessage, by string) (Profile, error) {
	name, err := profileName(name)
	if err != nil {
		return Profile{}, err
	}
	return scanProfile(s.db.QueryRow(ctx, `INSERT INTO rollout_profile (kind, name, content, created_by, created_at, updated_at)
		VALUES ($1, $2, $3, $4, $5, $5) RETURNING `+profileColumns, kind, name, content, by, s.cfg.Now()), name)
}

// ChangeProfile changes what is not nil.
func (s *Service) ChangeProfile(ctx context.Context, kind ProfileKind, id int64, name *string, content json.RawMessage) (Profile, error) {
	told := ""
	if name != nil {
		trimmed, err := profileName(*name)
		if err != nil {
			return Profile{}, err
		}
		name, told = &trimmed, trimmed
	}
	return scanProfile(s.db.QueryRow(ctx, `UPDATE rollout_profile SET name = coalesce($3, name), content = coalesce($4, content), updated_at = $5
		WHERE kind = $1 AND id = $2 RETURNING `+profileColumns, kind, id, name, content, s.cfg.Now()), told)
}

// DeleteProfile removes a profile; rollouts keep their copies.
func (s *Service) DeleteProfile(ctx context.Context, kind ProfileKind, id int64) error {
	tag, err := s.db.Exec(ctx, `DELETE FROM rollout_profile WHERE kind = $1 AND id = $2`, kind, id)
	if err == nil && tag.RowsAffected() == 0 {
		return noSuchProfile()
	}
	return err
}

// Profiles lists profiles by name, from after on, and counts them all.
func (s *Service) Profiles(ctx context.Context, kind ProfileKind, after string, limit int) ([]Profile, int64, error) {
	var total int64
	if err := s.db.QueryRow(ctx, `SELECT count(*) FROM rollout_profile WHERE kind = $1`, kind).Scan(&total); err != nil {
		return nil, 0, err
	}
	rows, err := s.db.Query(ctx, `SELECT `+profileColumns+` FROM rollout_profile WHERE kind = $1 AND name > $2 ORDER BY name LIMIT $3`, kind, after, limit)
	if err != nil {
		return nil, 0, err
	}
	list, err := pgx.CollectRows(rows, func(row pgx.CollectableRow) (Profile, error) { return scanProfile(row, "") })
	return list, total, err
}

const profileColumns = `id, name, content, created_by, created_at, updated_at`

func scanProfile(row pgx.Row, name string) (p Profile, err error) {
	err = row.Scan(&p.ID, &p.Name, (*[]byte)(&p.Content), &p.CreatedBy, &p.CreatedAt, &p.UpdatedAt)
	const uniqueViolation = "23505"
	if e, ok := errors.AsType[*pgconn.PgError](err); ok && e.Code == uniqueViolation {
		return p, fault.New(fault.Conflict, "There is a profile named %s already.", name)
	}
	if errors.Is(err, pgx.ErrNoRows) {
		return p, noSuchProfile()
	}
	return p, err
}

func noSuchProfile() error { return fault.New(fault.NotFound, "There is no such profile.") }
