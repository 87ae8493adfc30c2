package tokenstore

import (
	"context"
	"errors"
	"fmt"
	"runtime/debug"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/wxsteward/wxsteward/internal/sealed"
)

const (
	// freshFor is how long a token must still be good; a failing refresh has that time to be repeated in.
	freshFor = 5 * time.Minute
	// aheadFor is how long before its end a token in use is refreshed; freshFor later its callers would have to wait for that.
	aheadFor = 15 * time.Minute
	// useStep is how exactly the use of a token is noted, maxUsed how many keys are remembered for it.
	useStep = time.Hour
	maxUsed = 100000
	// usableFor is how long a token must still be good to be used when its refresh has failed.
	usableFor = 30 * time.Second
	// skew is how far clocks of two processes may be apart. A token obtained later than that from now is of a clock that was put
	// right since: nobody knows when it ends.
	skew = time.Minute
	// maxRefreshes bounds how many refreshes of one kind hold a connection, so that they leave some for the rest.
	maxRefreshes = 4
	// refreshTimeout ends a refresh, with the time it waits for another process's.
	refreshTimeout = 30 * time.Second
	// lockTimeout is longer than that: PostgreSQL takes the lock from an owner whose machine has vanished.
	lockTimeout = "45s"
	// storeTimeout is for one try to store what WeChat gave, keepTrying for all of them.
	storeTimeout = 5 * time.Second
	keepTrying   = 15 * time.Second
)

// stored is a row of the table, opened.
type stored struct {
	Token
	obtainedAt time.Time
	refresh    sealed.Secret
	version    time.Time // of the row; zero if it was made in this transaction
}

func (t stored) fresh(now time.Time, margin time.Duration) bool {
	life := t.ExpiresAt.Sub(t.obtainedAt)
	return t.known(now) && t.ExpiresAt.Sub(now) >= min(margin, life/2)
}

func (t stored) usable(now time.Time) bool {
	return t.known(now) && t.ExpiresAt.Sub(now) >= usableFor
}

// known reports whether there is an access token whose end is known.
func (t stored) known(now time.Time) bool {
	return !t.Access.IsZero() && !t.obtainedAt.After(now.Add(skew))
}

// held is a grant that WeChat gave and that is not stored yet. WeChat may have ended the refresh token before it, so
// it must not be lost while the database is away.
type held struct {
	grant   Grant
	at      time.Time
	version time.Time // of the row it replaces
}

func (h *held) stored() stored {
	return stored{Token: Token{Access: h.grant.Access, ExpiresAt: h.at.Add(h.grant.ExpiresIn)}, obtainedAt: h.at}
}

// fly is a refresh shared by all who wait for it, so the ctx of the first of them gives only its values.
func (s *Store) fly(ctx context.Context, key string, margin time.Duration, refresh Refresher) (t Token, err error) {
	ctx = context.WithoutCancel(ctx)
	defer func() { // a panic here would end the process: no caller's recover is above it
		if r := recover(); r != nil {
			s.logger.ErrorContext(ctx, "token refresh panicked", "key", key, "stack", string(debug.Stack()))
			err = errors.New("refresh panicked")
		}
	}()
	slot := s.slot(key)
	slot <- struct{}{} // those who have one give it back within their time-outs
	defer func() { <-slot }()

	t, err = s.refreshLocked(ctx, key, margin, refresh)
	giveUp := time.Now().Add(keepTrying)
	for pause := 50 * time.Millisecond; err != nil && s.heldFor(key) != nil && time.Now().Before(giveUp); pause *= 2 {
		time.Sleep(pause)
		t, err = s.refreshLocked(ctx, key, margin, refresh)
	}
	if err != nil && s.heldFor(key) != nil {
		s.logger.ErrorContext(ctx, "refreshed token could not be stored yet", "key", key, "error", err)
	}
	return t, err
}

// refreshLocked does the work under the row's lock, which every process waits for.
func (s *Store) refreshLocked(ctx context.Context, key string, margin time.Duration, refresh Refresher) (Token, error) {
	waitCtx, cancel := context.WithTimeout(ctx, refreshTimeout)
	defer cancel()
	tx, err := s.db.Begin(waitCtx)
	if err != nil {
		return Token{}, err
	}
	defer rollback(ctx, tx)
	row, err := s.lockRow(waitCtx, tx, key)
	if err != nil {
		return Token{}, err
	}
	if row.fresh(s.now(), margin) { // another process was first, or our own commit has arrived after all
		s.hold(key, nil)
		return row.Token, nil
	}
	h := s.heldFor(key)
	if h == nil || !h.version.Equal(row.version) || !h.stored().fresh(s.now(), margin) {
		s.hold(key, nil)
		h, err = s.ask(waitCtx, row, refresh)
		if err != nil {
			if row.usable(s.now()) {
				s.logger.WarnContext(ctx, "token refresh failed, the old token is still good", "key", key,
					"good_for", row.ExpiresAt.Sub(s.now()).Round(time.Second), "error", err)
				return row.Token, nil
			}
			return Token{}, err
		}
		s.hold(key, h)
	}
	if err := s.store(ctx, tx, key, h); err != nil {
		return Token{}, err
	}
	s.hold(key, nil)
	return h.stored().Token, nil
}

func (s *Store) ask(ctx context.Context, row stored, refresh Refresher) (*held, error) {
	at := s.now().Truncate(time.Microsecond) // before the call: the token's life begins during it; as PostgreSQL keeps it
	grant, err := refresh(ctx, row.refresh)
	if err != nil {
		return nil, err
	}
	if grant.Access.IsZero() || grant.ExpiresIn <= 0 {
		return nil, fmt.Errorf("refresh gave no token that lasts (expires_in %s)", grant.ExpiresIn)
	}
	if grant.Refresh.IsZero() {
		grant.Refresh = row.refresh
	}
	return &held{grant: grant, at: at, version: row.version}, nil
}

// store has its own time-out: how long WeChat took must not matter any more.
func (s *Store) store(ctx context.Context, tx pgx.Tx, key string, h *held) error {
	ctx, cancel := context.WithTimeout(ctx, storeTimeout)
	defer cancel()
	if err := s.write(ctx, tx, key, h.grant, h.at); err != nil {
		return err
	}
	return tx.Commit(ctx)
}

func rollback(ctx context.Context, tx pgx.Tx) {
	ctx, cancel := context.WithTimeout(ctx, storeTimeout)
	defer cancel()
	_ = tx.Rollback(ctx) // does nothing after a commit
}

// slot is the semaphore of the key's kind. Kinds have their own, because a merchant's refresh waits for the
// component's while it holds a slot.
func (s *Store) slot(key string) chan struct{} {
	kind, _, _ := strings.Cut(key, ":")
	s.mu.Lock()
	defer s.mu.Unlock()
	slot, ok := s.slots[kind]
	if !ok {
		slot = make(chan struct{}, maxRefreshes)
		s.slots[kind] = slot
	}
	return slot
}

func (s *Store) heldFor(key string) *held {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.held[key]
}

// hold remembers h until it is stored; nil forgets.
func (s *Store) hold(key string, h *held) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if h == nil {
		delete(s.held, key)
	} else {
		s.held[key] = h
	}
}
