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
	used  map[string]time.Time     // by key, when its use was last noted
}

// New makes a Store. db is a pool with at least 8 connections: refreshes hold up to 4 for each of two kinds of key.
func New(db postgres.DB, keys *sealed.Keyring, now func() time.Time, logger *slog.Logger) *Store {
	return &Store{db: db, keys: keys, now: now, logger: logger, slots: map[string]chan struct{}{}, held: map[string]*held{}, used: map[string]time.Time{}}
}

// Get returns a token that is good for at least five more minutes (for half of its life, where that is less),
// refreshed if need be: once for all who ask at the same time in all processes. A refresh goes on when ctx ends
// before it. When it fails, all who wait for it get its error, the next Get tries anew; a token that is
// still good for half a minute is returned instead of the error.
//
// Do not call it in a transaction that has written the same key.
func (s *Store) Get(ctx context.Context, key string, refresh Refresher) (Token, error) {
	return s.get(ctx, key, freshFor, refresh)
}

// Ahead is Get for whoever refreshes before others have to wait: the token is good for at least aheadFor (half of its life,
// where that is less). It does not count as use.
func (s *Store) Ahead(ctx context.Context, key string, refresh Refresher) (Token, error) {
	return s.get(ctx, key, aheadFor, refresh)
}

func (s *Store) get(ctx context.Context, key string, margin time.Duration, refresh Refresher) (Token, error) {
	t, ok, err := s.peek(ctx, s.db, key)
	if err != nil {
		return Token{}, err
	}
	if ok && t.fresh(s.now(), margin) {
		return t.Token, nil
	}
	flight := s.flights.DoChan(key, func() (any, error) { return s.fly(ctx, key, margin, refresh) })
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

// Stored is a refresh token as it was read; zero where there is none.
type Stored struct {
	Secret  sealed.Secret
	version time.Time // of its row
}

// RefreshToken reads the refresh token of a key.
func (s *Store) RefreshToken(ctx context.Context, key string) (Stored, error) {
	row, err := s.read(ctx, s.db, key, false)
	if errors.Is(err, pgx.ErrNoRows) {
		return Stored{}, nil
	}
	return Stored{row.refresh, row.version}, err
}

// ReplaceRefresh stores a refresh token in place of one read before, unless there is another by now. Access tokens are
// dropped, they belong to an authorization that has ended.
func (s *Store) ReplaceRefresh(ctx context.Context, db postgres.DB, key string, was Stored, refresh sealed.Secret) (replaced bool, err error) {
	replaced, err = s.replaceRefresh(ctx, db, key, was.version, refresh)
	if err != nil {
		return false, fmt.Errorf("replace refresh token %s: %w", key, err)
	}
	return replaced, nil
}

// HaveRefresh tells for which keys a refresh token is stored.
func (s *Store) HaveRefresh(ctx context.Context, db postgres.DB, keys []string) (map[string]bool, error) {
	found, err := haveRefresh(ctx, db, keys)
	if err != nil {
		return nil, fmt.Errorf("tokens on record: %w", err)
	}
	have := make(map[string]bool, len(found))
	for _, key := range found {
		have[key] = true
	}
	return have, nil
}

// Used notes that somebody asks for the token of a key; see InUse. It writes once in an hour.
func (s *Store) Used(ctx context.Context, key string) error {
	now := s.now()
	s.mu.Lock()
	known := now.Sub(s.used[key]) < useStep
	if !known {
		if len(s.used) >= maxUsed {
			clear(s.used)
		}
		s.used[key] = now
	}
	s.mu.Unlock()
	if known {
		return nil
	}
	if err := noteUse(ctx, s.db, key, now); err != nil {
		return fmt.Errorf("note use of token %s: %w", key, err)
	}
	return nil
}

// InUse lists at most limit keys with the prefix that were used since a time and whose access token is missing or ends within
// aheadFor, those first that end first. Keys without a refresh token are left out, nothing can be done for them.
func (s *Store) InUse(ctx context.Context, prefix string, since time.Time, limit int) ([]string, error) {
	keys, err := inUse(ctx, s.db, prefix, since, s.now().Add(aheadFor), limit)
	if err != nil {
		return nil, fmt.Errorf("tokens in use: %w", err)
	}
	return keys, nil
}
