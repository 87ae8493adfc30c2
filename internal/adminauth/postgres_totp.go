package adminauth

import (
	"context"
	"fmt"

	"github.com/jackc/pgx/v5"
)

// storeTOTP keeps a secret that is not confirmed yet. It fails with Conflict when the user has a second factor.
func (s *Service) storeTOTP(ctx context.Context, userID int64, box []byte) error {
	tag, err := s.db.Exec(ctx, `UPDATE admin_user SET totp_secret = $2 WHERE id = $1 AND totp_at IS NULL`, userID, box)
	if err != nil {
		return fmt.Errorf("store second factor of user %d: %w", userID, err)
	}
	if tag.RowsAffected() == 0 {
		return hasOne()
	}
	return nil
}

// turnOnTOTP fails with Conflict when another call was faster, or has made another secret.
func (s *Service) turnOnTOTP(ctx context.Context, tx pgx.Tx, u account, step int64) error {
	const q = `UPDATE admin_user SET totp_at = $3, totp_step = $4 WHERE id = $1 AND totp_at IS NULL AND totp_secret = $2`
	tag, err := tx.Exec(ctx, q, u.id, u.totpBox, s.now(), step)
	if err != nil {
		return fmt.Errorf("turn on second factor of user %d: %w", u.id, err)
	}
	if tag.RowsAffected() == 0 {
		return hasOne()
	}
	return nil
}

// clearTOTP removes a second factor, or the beginning of one, with its recovery codes, and ends the user's sessions but one.
// It fails with NotFound.
func (s *Service) clearTOTP(ctx context.Context, tx pgx.Tx, userID int64, exceptSession string) error {
	tag, err := tx.Exec(ctx, `UPDATE admin_user SET totp_secret = NULL, totp_at = NULL WHERE id = $1`, userID)
	if err == nil && tag.RowsAffected() == 0 {
		return noSuchUser()
	}
	if err == nil {
		_, err = tx.Exec(ctx, `DELETE FROM recovery_code WHERE user_id = $1`, userID)
	}
	if err != nil {
		return fmt.Errorf("remove second factor of user %d: %w", userID, err)
	}
	return s.endSessions(ctx, tx, userID, exceptSession)
}

// useCode lets each code count once over all replicas; a code of the app also makes the earlier ones useless. It fails with
// errWrongCode when another call was faster, or the second factor is not the one that was looked at any more.
func (s *Service) useCode(ctx context.Context, tx pgx.Tx, u account, p proof) error {
	q, args := `UPDATE admin_user SET totp_step = $3 WHERE id = $1 AND totp_at = $2 AND totp_step < $3`, []any{u.id, u.totpAt, p.step}
	if p.recovery != nil {
		q, args = `DELETE FROM recovery_code WHERE user_id = $1 AND hash = $2`, []any{u.id, p.recovery}
	}
	tag, err := tx.Exec(ctx, q, args...)
	if err != nil {
		return fmt.Errorf("use code of user %d: %w", u.id, err)
	}
	if tag.RowsAffected() == 0 {
		return errWrongCode
	}
	return nil
}

// findRecoveryCode returns the hash under which a code is kept. It fails with errWrongCode.
func (s *Service) findRecoveryCode(ctx context.Context, userID int64, code string) ([]byte, error) {
	rows, err := s.db.Query(ctx, `SELECT hash, salt FROM recovery_code WHERE user_id = $1`, userID)
	if err != nil {
		return nil, fmt.Errorf("read recovery codes of user %d: %w", userID, err)
	}
	kept, err := pgx.CollectRows(rows, func(row pgx.CollectableRow) (r recoveryRow, err error) {
		err = row.Scan(&r.hash, &r.salt)
		return r, err
	})
	if err != nil {
		return nil, fmt.Errorf("read recovery codes of user %d: %w", userID, err)
	}
	for _, r := range kept {
		if r.matches(code) {
			return r.hash, nil
		}
	}
	return nil, errWrongCode
}

func (s *Service) replaceRecoveryCodes(ctx context.Context, tx pgx.Tx, userID int64, codes []string) error {
	hashes, salts := make([][]byte, len(codes)), make([][]byte, len(codes))
	for i, code := range codes {
		row := newRecoveryRow(code)
		hashes[i], salts[i] = row.hash, row.salt
	}
	_, err := tx.Exec(ctx, `DELETE FROM recovery_code WHERE user_id = $1`, userID)
	if err == nil {
		_, err = tx.Exec(ctx, `INSERT INTO recovery_code (user_id, hash, salt) SELECT $1, unnest($2::bytea[]), unnest($3::bytea[])`, userID, hashes, salts)
	}
	if err != nil {
		return fmt.Errorf("store recovery codes of user %d: %w", userID, err)
	}
	return nil
}

func (s *Service) countRecoveryCodes(ctx context.Context, userID int64) (n int, err error) {
	if err := s.db.QueryRow(ctx, `SELECT count(*) FROM recovery_code WHERE user_id = $1`, userID).Scan(&n); err != nil {
		return 0, fmt.Errorf("count recovery codes of user %d: %w", userID, err)
	}
	return n, nil
}
