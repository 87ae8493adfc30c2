package adminauth

import (
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base64"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/golang-jwt/jwt/v5"
	"github.com/jackc/pgx/v5"

	"github.com/wxsteward/wxsteward/internal/fault"
	"github.com/wxsteward/wxsteward/internal/sealed"
)

const (
	issuer = "wxsteward"
	// seenEvery is how exactly we know when a session or a key was last used: a busy one writes no more often.
	seenEvery = time.Minute
)

// session is a fresh sign-in, ready to be handed to the browser.
type session struct {
	user      User
	totp      bool          // the user has a second factor
	mustSetUp bool          // and nothing else, before it has
	token     sealed.Secret // the JWT
	csrf      string
	expiresAt time.Time
}

// signIn compares the password and, of who has a second factor, the code, unless whoever asks has guessed too often; then it
// opens a session. With the right password and no code it fails with TOTPRequired.
func (s *Service) signIn(ctx context.Context, username, password, code string, from client) (session, error) {
	username = strings.ReplaceAll(username, "\x00", "\uFFFD") // PostgreSQL's text cannot hold it
	u, err := s.userByName(ctx, username)
	if err != nil {
		return session{}, err
	}
	var opened session
	err = s.attempt(ctx, u, from, func() error {
		if err := s.compare(ctx, u, password); err != nil {
			return err
		}
		if !u.hasTOTP() {
			opened, err = s.open(ctx, u, nil, from)
			return err
		}
		if code == "" {
			return errCodeMissing
		}
		p, err := s.checkCode(ctx, u, code)
		if err != nil {
			return err
		}
		opened, err = s.open(ctx, u, &p, from)
		return err
	})
	switch {
	case errors.Is(err, errWrongPassword):
		return session{}, wrongSignIn()
	case errors.Is(err, errWrongCode):
		return session{}, fault.New(fault.Unauthenticated, "The code is wrong or was used already. Wait for the next one and try again.")
	case errors.Is(err, errCodeMissing):
		return session{}, fault.New(fault.TOTPRequired, "")
	}
	return opened, err
}

func wrongSignIn() error {
	return fault.New(fault.Unauthenticated, "The user name or the password is wrong.")
}

var (
	// errCodeMissing and errNotCompared say that nothing was found wrong.
	errCodeMissing = errors.New("adminauth: code missing")
	errNotCompared = errors.New("adminauth: not compared")
)

// attempt counts a try before check looks at what was given. It takes the try back when that was right, or was not looked at.
func (s *Service) attempt(ctx context.Context, u account, from client, check func() error) error {
	select {
	case s.queue <- struct{}{}:
		defer func() { <-s.queue }()
	default:
		return tooMany(time.Second)
	}
	try, err := s.reserve(ctx, u.lockName, from.ip)
	if err != nil {
		return err
	}
	err = check()
	if err == nil || errors.Is(err, errCodeMissing) || errors.Is(err, errNotCompared) {
		s.forget(ctx, try)
	}
	return err
}

// compare fails with errWrongPassword, which says nothing about whether the user exists.
func (s *Service) compare(ctx context.Context, u account, password string) error {
	if err := s.hasher.enter(ctx); err != nil { // the client has gone
		return fmt.Errorf("%w: %w", errNotCompared, err)
	}
	defer s.hasher.leave()
	ok, err := s.hasher.match(password, u.hash)
	if err != nil {
		return fmt.Errorf("compare password: %w", err)
	}
	if !ok {
		return errWrongPassword
	}
	return nil
}

// open stores a session, uses up the code that proved the second factor, if any, and signs the session's token.
func (s *Service) open(ctx context.Context, u account, second *proof, from client) (session, error) {
	key, err := s.sessionKey(ctx)
	if err != nil {
		return session{}, err
	}
	id := randomText(24)
	now := s.now()
	expires := now.Add(sessionLifetime).Truncate(time.Second)
	err = pgx.BeginFunc(ctx, s.db, func(tx pgx.Tx) error {
		if err := s.insertSession(ctx, tx, id, u, from, now, expires); err != nil || second == nil {
			return err
		}
		return s.useCode(ctx, tx, u, *second)
	})
	if err != nil {
		return session{}, err
	}
	token, err := jwt.NewWithClaims(jwt.SigningMethodHS256, jwt.RegisteredClaims{
		Issuer: issuer, Subject: strconv.FormatInt(u.id, 10), ID: id,
		IssuedAt: jwt.NewNumericDate(now), ExpiresAt: jwt.NewNumericDate(expires),
	}).SignedString([]byte(key.Reveal()))
	if err != nil {
		return session{}, fmt.Errorf("sign session: %w", err)
	}
	required, err := s.mustSetUp(ctx, u.hasTOTP())
	if err != nil {
		return session{}, err
	}
	return session{
		user: u.user(), totp: u.hasTOTP(), mustSetUp: required, token: sealed.New(token), csrf: csrfToken(key, id), expiresAt: expires,
	}, nil
}

// resume finds out whose cookie this is. The token must be ours and its session must still be in the table: sign-out
// and all else that ends a session acts at once.
func (s *Service) resume(ctx context.Context, cookie string) (identity, error) {
	key, err := s.sessionKey(ctx)
	if err != nil {
		return identity{}, err
	}
	var claims jwt.RegisteredClaims
	_, err = jwt.ParseWithClaims(cookie, &claims, func(*jwt.Token) (any, error) { return []byte(key.Reveal()), nil },
		jwt.WithValidMethods([]string{jwt.SigningMethodHS256.Alg()}), jwt.WithIssuer(issuer),
		jwt.WithExpirationRequired(), jwt.WithTimeFunc(s.now))
	if err != nil {
		return identity{}, fault.Wrap(err, fault.Unauthenticated, "The session is over. Sign in again.")
	}
	who, seen, err := s.sessionIdentity(ctx, claims.ID)
	if err != nil {
		return identity{}, err
	}
	if s.now().Sub(seen) > seenEvery {
		s.noteSession(ctx, who.sessionID)
	}
	return who, nil
}

// mustSetUp reports whether somebody may do nothing but set up a second factor.
func (s *Service) mustSetUp(ctx context.Context, hasTOTP bool) (bool, error) {
	if hasTOTP {
		return false, nil
	}
	return s.totpRequired(ctx)
}

// csrfToken is bound to one session: a cookie planted from elsewhere does not fit.
func csrfToken(key sealed.Secret, sessionID string) string {
	mac := hmac.New(sha256.New, []byte(key.Reveal()))
	mac.Write([]byte("csrf\x00" + sessionID))
	return base64.RawURLEncoding.EncodeToString(mac.Sum(nil))
}

func (s *Service) checkCSRF(ctx context.Context, sessionID, cookie, header string) error {
	key, err := s.sessionKey(ctx)
	if err != nil {
		return err
	}
	want := []byte(csrfToken(key, sessionID))
	if subtle.ConstantTimeCompare(want, []byte(header))&subtle.ConstantTimeCompare(want, []byte(cookie)) != 1 {
		return fault.New(fault.Forbidden, "The X-CSRF-Token header must repeat the csrf cookie. Reload the page and try again.")
	}
	return nil
}
