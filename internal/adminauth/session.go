package adminauth

import (
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base64"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/golang-jwt/jwt/v5"

	"github.com/wxsteward/wxsteward/internal/fault"
	"github.com/wxsteward/wxsteward/internal/sealed"
)

const issuer = "wxsteward"

// session is a fresh sign-in, ready to be handed to the browser.
type session struct {
	user      User
	token     sealed.Secret // the JWT
	csrf      string
	expiresAt time.Time
}

// signIn compares the password, unless whoever asks has guessed too often, and opens a session.
func (s *Service) signIn(ctx context.Context, username, password string, from client) (session, error) {
	username = strings.ReplaceAll(username, "\x00", "\uFFFD") // PostgreSQL's text cannot hold it
	u, err := s.userByName(ctx, username)
	if err != nil {
		return session{}, err
	}
	if err := s.prove(ctx, u, password, from); err != nil {
		return session{}, err
	}
	return s.open(ctx, u, from)
}

// prove compares a password, counting the try first. A failure says nothing about whether the user exists.
func (s *Service) prove(ctx context.Context, u account, password string, from client) error {
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
	if err := s.hasher.enter(ctx); err != nil { // the client has gone, nothing was compared
		s.forget(ctx, try)
		return err
	}
	defer s.hasher.leave()
	ok, err := s.hasher.match(password, u.hash)
	if err != nil {
		return fmt.Errorf("compare password: %w", err)
	}
	if !ok {
		return fault.New(fault.Unauthenticated, "The user name or the password is wrong.")
	}
	s.forget(ctx, try)
	return nil
}

// open stores a session and signs its token.
func (s *Service) open(ctx context.Context, u account, from client) (session, error) {
	key, err := s.sessionKey(ctx)
	if err != nil {
		return session{}, err
	}
	id := randomText(24)
	now := s.now()
	expires := now.Add(sessionLifetime).Truncate(time.Second)
	if err := s.insertSession(ctx, s.db, id, u, from, now, expires); err != nil {
		return session{}, err
	}
	token, err := jwt.NewWithClaims(jwt.SigningMethodHS256, jwt.RegisteredClaims{
		Issuer: issuer, Subject: strconv.FormatInt(u.id, 10), ID: id,
		IssuedAt: jwt.NewNumericDate(now), ExpiresAt: jwt.NewNumericDate(expires),
	}).SignedString([]byte(key.Reveal()))
	if err != nil {
		return session{}, fmt.Errorf("sign session: %w", err)
	}
	return session{user: u.user(), token: sealed.New(token), csrf: csrfToken(key, id), expiresAt: expires}, nil
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
	return s.sessionIdentity(ctx, claims.ID)
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
