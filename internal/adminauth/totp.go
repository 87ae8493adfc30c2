package adminauth

import (
	"bytes"
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"image"
	"image/color"
	"image/draw"
	"image/png"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/pquerna/otp"
	"github.com/pquerna/otp/hotp"
	"github.com/pquerna/otp/totp"

	"github.com/wxsteward/wxsteward/internal/fault"
	"github.com/wxsteward/wxsteward/internal/sealed"
)

const (
	totpPeriod = 30 * time.Second
	// totpSkew is how many periods the clock of a phone may be wrong, either way.
	totpSkew   = 1
	totpDigits = otp.DigitsSix
	totpIssuer = "wxsteward"
)

var (
	errWrongPassword = errors.New("adminauth: wrong password")
	errWrongCode     = errors.New("adminauth: wrong code")
)

func wrongCode(location string) error {
	return fault.Invalid(location, "The code is wrong or was used already. Wait for the next one and try again.", nil)
}

func (a account) hasTOTP() bool { return a.totpAt != nil }

func totpPurpose(userID int64) string { return "totp:" + strconv.FormatInt(userID, 10) }

// enrolment is what an authenticator app needs to know.
type enrolment struct {
	key *otp.Key
}

// newTOTP makes a secret for a user who has no second factor yet. It counts once confirmTOTP has seen a code of it; one that was
// made before and not confirmed is forgotten.
func (s *Service) newTOTP(ctx context.Context, userID int64) (enrolment, error) {
	u, err := s.userByID(ctx, s.db, userID)
	if err != nil {
		return enrolment{}, err
	}
	name := u.username
	if origin, err := url.Parse(s.origin); err == nil && origin.Host != "" {
		name += "@" + origin.Host // one person may look after several of us
	}
	key, err := totp.Generate(totp.GenerateOpts{
		Issuer: totpIssuer, AccountName: name, Period: uint(totpPeriod / time.Second), SecretSize: 20, Digits: totpDigits, Algorithm: otp.AlgorithmSHA1,
	})
	if err != nil {
		return enrolment{}, fmt.Errorf("make second factor: %w", err)
	}
	box, err := s.keys.Seal(sealed.New(key.Secret()), totpPurpose(userID))
	if err != nil {
		return enrolment{}, fmt.Errorf("seal second factor: %w", err)
	}
	return enrolment{key}, s.storeTOTP(ctx, userID, box)
}

// qr is the enrolment as a picture, in a data URL.
func (e enrolment) qr() (string, error) {
	const side, margin = 256, 16 // a scanner wants white around
	code, err := e.key.Image(side, side)
	if err != nil {
		return "", fmt.Errorf("draw QR code: %w", err)
	}
	page := image.NewGray(image.Rect(0, 0, side+2*margin, side+2*margin))
	draw.Draw(page, page.Bounds(), image.NewUniform(color.White), image.Point{}, draw.Src)
	draw.Draw(page, image.Rect(margin, margin, margin+side, margin+side), code, image.Point{}, draw.Src)
	var out bytes.Buffer
	if err := png.Encode(&out, page); err != nil {
		return "", fmt.Errorf("draw QR code: %w", err)
	}
	return "data:image/png;base64," + base64.StdEncoding.EncodeToString(out.Bytes()), nil
}

// confirmTOTP turns a second factor on, ends the user's other sessions, which were opened without it, and returns recovery codes.
func (s *Service) confirmTOTP(ctx context.Context, userID int64, code, sessionID string) ([]string, error) {
	u, err := s.userByID(ctx, s.db, userID)
	if err != nil {
		return nil, err
	}
	if u.hasTOTP() {
		return nil, hasOne()
	}
	if u.totpBox == nil {
		return nil, fault.New(fault.Conflict, "Nothing has been set up yet. Ask for a secret first.")
	}
	step, err := s.step(u, code)
	if errors.Is(err, errWrongCode) {
		return nil, wrongCode("body.code")
	}
	if err != nil {
		return nil, err
	}
	codes := newRecoveryCodes()
	return codes, pgx.BeginFunc(ctx, s.db, func(tx pgx.Tx) error {
		if err := s.turnOnTOTP(ctx, tx, u, step); err != nil {
			return err
		}
		if err := s.replaceRecoveryCodes(ctx, tx, u.id, codes); err != nil {
			return err
		}
		return s.endSessions(ctx, tx, u.id, sessionID)
	})
}

func hasOne() error {
	return fault.New(fault.Conflict, "The second factor is on already. Remove it first to set up another.")
}

// step finds the time step whose code this is. It fails with errWrongCode.
func (s *Service) step(u account, code string) (int64, error) {
	secret, err := s.keys.Open(u.totpBox, totpPurpose(u.id))
	if err != nil {
		return 0, fmt.Errorf("open second factor of user %d: %w", u.id, err)
	}
	now := s.now().Unix() / int64(totpPeriod/time.Second)
	for step := now - totpSkew; step <= now+totpSkew; step++ {
		//nolint:gosec // the time is not before 1970
		ok, err := hotp.ValidateCustom(code, uint64(step), secret.Reveal(), hotp.ValidateOpts{Digits: totpDigits, Algorithm: otp.AlgorithmSHA1})
		if err != nil && !errors.Is(err, otp.ErrValidateInputInvalidLength) {
			return 0, fmt.Errorf("compare code: %w", err)
		}
		if ok {
			return step, nil
		}
	}
	return 0, errWrongCode
}

// proof is a code that fits and has to be used up: a time step, or the hash of a recovery code.
type proof struct {
	step     int64
	recovery []byte
}

// checkCode looks whether a code, of the app or for recovery, fits. useCode then sees to it that it counts once.
func (s *Service) checkCode(ctx context.Context, u account, code string) (proof, error) {
	code = strings.NewReplacer(" ", "", "-", "").Replace(code)
	if len(code) == totpDigits.Length() {
		step, err := s.step(u, code)
		return proof{step: step}, err
	}
	hash, err := s.findRecoveryCode(ctx, u.id, code)
	return proof{recovery: hash}, err
}

// removeTOTP is for users themselves: it takes password and code, and ends their other sessions.
func (s *Service) removeTOTP(ctx context.Context, userID int64, password, code, sessionID string, from client) error {
	u, err := s.userWithTOTP(ctx, userID)
	if err != nil {
		return err
	}
	err = s.attempt(ctx, u, from, func() error {
		if err := s.compare(ctx, u, password); err != nil {
			return err
		}
		p, err := s.checkCode(ctx, u, code)
		if err != nil {
			return err
		}
		return pgx.BeginFunc(ctx, s.db, func(tx pgx.Tx) error {
			if err := s.useCode(ctx, tx, u, p); err != nil {
				return err
			}
			return s.clearTOTP(ctx, tx, u.id, sessionID)
		})
	})
	switch {
	case errors.Is(err, errWrongPassword):
		return fault.Invalid("body.password", "The password is wrong.", nil)
	case errors.Is(err, errWrongCode):
		return wrongCode("body.code")
	}
	return err
}

// resetTOTP is for an administrator who helps somebody else. It fails with NotFound.
func (s *Service) resetTOTP(ctx context.Context, userID int64) error {
	return pgx.BeginFunc(ctx, s.db, func(tx pgx.Tx) error { return s.clearTOTP(ctx, tx, userID, "") })
}

// renewRecoveryCodes replaces all recovery codes of a user; it takes a code.
func (s *Service) renewRecoveryCodes(ctx context.Context, userID int64, code string, from client) ([]string, error) {
	u, err := s.userWithTOTP(ctx, userID)
	if err != nil {
		return nil, err
	}
	codes := newRecoveryCodes()
	err = s.attempt(ctx, u, from, func() error {
		p, err := s.checkCode(ctx, u, code)
		if err != nil {
			return err
		}
		return pgx.BeginFunc(ctx, s.db, func(tx pgx.Tx) error {
			if err := s.useCode(ctx, tx, u, p); err != nil {
				return err
			}
			return s.replaceRecoveryCodes(ctx, tx, u.id, codes)
		})
	})
	if errors.Is(err, errWrongCode) {
		return nil, wrongCode("body.code")
	}
	return codes, err
}

func (s *Service) userWithTOTP(ctx context.Context, userID int64) (account, error) {
	u, err := s.userByID(ctx, s.db, userID)
	if err == nil && !u.hasTOTP() {
		err = fault.New(fault.Conflict, "There is no second factor to be removed or renewed.")
	}
	return u, err
}
