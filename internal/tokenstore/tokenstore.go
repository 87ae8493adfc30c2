// Package tokenstore keeps WeChat's access tokens for all replicas: sealed in the database, refreshed by one at a
// time, ahead of their end.
package tokenstore

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"github.com/jackc/pgx/v5"
	"golang.org/x/sync/singleflight"

	"github.com/wxsteward/wxsteward/internal/postgres"
	"github.com/wxsteward/wxsteward/internal/sealed"
)

// Grant is what WeChat gives for a refresh or an exchange.
type Grant struct {
	Access sealed.Secret
	// ExpiresIn is how long Access is good from now on.
	ExpiresIn time.Duration
	// Refresh is the refresh token; zero from a Refresher means that the one it was given stays.
	Refresh sealed.Secret
}

// Token is an access token and its end.
type Token struct {
	Access    sealed.Secret
	ExpiresAt time.Time
}

// Refresher gets a new access token from WeChat. refresh is zero where there is none: the component's token needs
// none, for a merchant the Refresher must fail. It may call Get for a key of another kind (the part before ':'),
// never for one of its own kind, and must end when ctx does.
type Refresher func(ctx context.Context, refresh sealed.Secret) (Grant, error)

// Store is shared by everything in a process that needs tokens. Keys are "<kind>:<appid>".
type Store struct {
	db     postgres.DB
	keys   *sealed.Keyring
	now    func() time.Time
	logger *slog.Logger

	flights singleflight.Group

	mu    sync.Mutex
	slots map[string]chan struct{} // by kind
	held  map[string]*held         // by key
}

// New makes a Store. db is a pool with at least 8 connections: refreshes hold up to 4 for each of two kinds of key.
func New(db postgres.DB, keys *sealed.Keyring, now func() time.Time, logger *slog.Logger) *Store {
	return &Store{db: db, keys: keys, now: now, logger: logger, slots: map[string]chan struct{}{}, held: map[string]*held{}}
}

// Get returns a token that is good for at least five more minutes (for half of its life, where that is less),
// refreshed if need be: once for all who ask at the same time in all processes. A refresh goes on when ctx ends
// before it. When it fails, all who wait for it get its error, the next Get tries anew; a token that is
// still good for half a minute is returned instead of the error.
//
// Do not call it in a transaction that has written the same key.
func (s *Store) Get(ctx context.Context, key string, refresh Refresher) (Token, error) {
	t, ok, err := s.peek(ctx, s.db, key)
	if err != nil {
		return Token{}, err
	}
	if ok && t.fresh(s.now()) {
		return t.Token, nil
	}
	flight := s.flights.DoChan(key, func() (any, error) { return s.fly(ctx, key, refresh) })
	select {
	case <-ctx.Done():
		return Token{}, fmt.Errorf("token %s: %w", key, context.Cause(ctx))
	case r := <-flight:
		if r.Err != nil {
			return Token{}, fmt.Errorf("token %s: %w", key, r.Err)
		}
		return r.Val.(Token), nil
	}
}

// Peek returns the stored access token, good or not; false if there is none.
func (s *Store) Peek(ctx context.Context, key string) (Token, bool, error) {
	t, ok, err := s.peek(ctx, s.db, key)
	return t.Token, ok, err
}

func (s *Store) peek(ctx context.Context, db postgres.DB, key string) (stored, bool, error) {
	row, err := s.read(ctx, db, key, false)
	if errors.Is(err, pgx.ErrNoRows) {
		return stored{}, false, nil
	}
	if err != nil {
		return stored{}, false, err
	}
	return row, !row.Access.IsZero(), nil
}

// Reject drops the access token that WeChat has refused (40001, 40014, 42001), unless there is another one by now.
// The next Get refreshes.
func (s *Store) Reject(ctx context.Context, key string, used sealed.Secret) error {
	err := pgx.BeginFunc(ctx, s.db, func(tx pgx.Tx) error {
		row, err := s.read(ctx, tx, key, true)
		if errors.Is(err, pgx.ErrNoRows) {
			return nil
		}
		if err != nil {
			return err
		}
		if row.Access.IsZero() || !row.Access.Equal(used) {
			return nil
		}
		return dropAccess(ctx, tx, key)
	})
	if err != nil {
		return fmt.Errorf("reject token %s: %w", key, err)
	}
	s.flights.Forget(key) // a flight may be about to return the token just dropped
	return nil
}

// Put stores what an exchange gave in place of what there was; a zero token clears. Pass a transaction to store it
// together with what it belongs to.
func (s *Store) Put(ctx context.Context, db postgres.DB, key string, g Grant) error {
	if err := s.write(ctx, db, key, g, s.now()); err != nil {
		return fmt.Errorf("store token %s: %w", key, err)
	}
	return nil
}

// PutRefresh stores a refresh token found again (api_get_authorizer_list). The access token is dropped, it may
// belong to an authorization that has ended.
func (s *Store) PutRefresh(ctx context.Context, db postgres.DB, key string, refresh sealed.Secret) error {
	return s.Put(ctx, db, key, Grant{Refresh: refresh})
}

// Delete drops both tokens; nothing happens if there are none. It waits for a refresh that is under way.
func (s *Store) Delete(ctx context.Context, db postgres.DB, key string) error {
	if err := deleteRow(ctx, db, key); err != nil {
		return fmt.Errorf("delete token %s: %w", key, err)
	}
	return nil
}

// HasRefresh reports whether a refresh token is stored.
func (s *Store) HasRefresh(ctx context.Context, key string) (bool, error) {
	ok, err := hasRefresh(ctx, s.db, key)
	if err != nil {
		return false, fmt.Errorf("token %s: %w", key, err)
	}
	return ok, nil
}

// Expiring lists at most limit keys with the prefix whose access token is missing or ends before now + within.
// Those that end latest come first, so that tokens which cannot be refreshed any more do not crowd out the others.
func (s *Store) Expiring(ctx context.Context, prefix string, within time.Duration, limit int) ([]string, error) {
	keys, err := expiring(ctx, s.db, prefix, s.now().Add(within), limit)
	if err != nil {
		return nil, fmt.Errorf("tokens that expire: %w", err)
	}
	return keys, nil
}
