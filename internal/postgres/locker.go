package postgres

import (
	"context"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"math/rand/v2"
	"sync"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"
)

// ErrLockLost means that the session which held a lock broke while the work under it was going on.
var ErrLockLost = errors.New("postgres: the lock was lost with its connection")

// Locker hands out locks that count over all processes on one database. However many are held, they share one session
// beside the pool: locks neither take connections from the work under them nor outlive the process. A session that
// breaks takes all its locks with it. Make one Locker for a process. Its session is closed some seconds after the last
// lock, or by Close.
//
// Within a process waiters for a key get it in the order in which they came. Over processes they take turns at a gate
// in front of the lock, which Try respects too, so that nobody who asks often keeps out somebody who waits.
type Locker struct {
	pool *pgxpool.Pool

	mu      sync.Mutex
	session *lockSession // nil: none is open
	keys    map[string]*localKey
}

// localKey is a key's place in this process; sending to slot takes it.
type localKey struct {
	slot  chan struct{}
	users int // holders and those that wait
}

// NewLocker makes a Locker on the pool's database. It connects when a lock is wanted.
func NewLocker(pool *pgxpool.Pool) *Locker {
	return &Locker{pool: pool, keys: map[string]*localKey{}}
}

// Try runs fn if nobody holds the lock on key or waits for it, and reports whether it did. fn's context ends when the
// lock is lost; then the error is ErrLockLost, with fn's own.
func (l *Locker) Try(ctx context.Context, key string, fn func(ctx context.Context) error) (got bool, err error) {
	leave, err := l.enter(ctx, key, false)
	if err != nil || leave == nil {
		return false, err
	}
	defer leave()
	session := l.open()
	defer l.release(session)
	answer, err := session.ask(ctx, tryLock, key)
	if err != nil || answer != lockHeld {
		return false, lockError(key, err)
	}
	return true, session.hold(ctx, key, fn)
}

// Do is Try that waits for the lock, for as long as ctx lasts.
func (l *Locker) Do(ctx context.Context, key string, fn func(ctx context.Context) error) error {
	return l.do(ctx, ctx, key, fn)
}

// Within is Do that gives up waiting after patience, and reports whether it got the lock.
func (l *Locker) Within(ctx context.Context, patience time.Duration, key string, fn func(ctx context.Context) error) (got bool, err error) {
	waiting, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	err = l.do(waiting, ctx, key, func(ctx context.Context) error {
		got = true
		return fn(ctx)
	})
	if !got && err != nil && waiting.Err() != nil && ctx.Err() == nil {
		return false, nil // out of patience
	}
	return got, err
}

// do waits for the lock as long as waiting lasts, and works under it with ctx.
func (l *Locker) do(waiting, ctx context.Context, key string, fn func(ctx context.Context) error) error {
	leave, err := l.enter(waiting, key, true)
	if err != nil {
		return err
	}
	defer leave()
	session := l.open()
	defer l.release(session)
	if err := session.await(waiting, key); err != nil {
		return lockError(key, err)
	}
	return session.hold(ctx, key, fn)
}

// enter takes a key's place in this process. Without patience a nil leave says that somebody has it.
func (l *Locker) enter(ctx context.Context, key string, patient bool) (leave func(), err error) {
	l.mu.Lock()
	k := l.keys[key]
	if k == nil {
		k = &localKey{slot: make(chan struct{}, 1)}
		l.keys[key] = k
	}
	k.users++
	l.mu.Unlock()
	drop := func() {
		l.mu.Lock()
		defer l.mu.Unlock()
		if k.users--; k.users == 0 {
			delete(l.keys, key)
		}
	}
	leave = func() { <-k.slot; drop() }
	select {
	case k.slot <- struct{}{}:
		return leave, nil
	default:
	}
	if !patient {
		drop()
		return nil, nil //nolint:nilnil // nobody to blame
	}
	select {
	case k.slot <- struct{}{}:
		return leave, nil
	case <-ctx.Done():
		drop()
		return nil, lockError(key, ctx.Err())
	}
}

// open is the session that all locks share; one that broke is replaced.
func (l *Locker) open() *lockSession {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.session == nil || l.session.life.Err() != nil {
		l.session = newLockSession(l.pool.Config().ConnConfig)
	}
	l.session.users++
	return l.session
}

// Close ends the session, and with it what is still held, and waits until it is closed. A lock that is wanted after that
// opens another.
func (l *Locker) Close() {
	l.mu.Lock()
	session := l.session
	l.session = nil
	l.mu.Unlock()
	if session != nil {
		session.end(ErrLockLost)
		<-session.gone
	}
}

// release lets the session go some time after its last user.
func (l *Locker) release(session *lockSession) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if session.users--; session.users > 0 {
		return
	}
	time.AfterFunc(sessionIdle, func() {
		l.mu.Lock()
		defer l.mu.Unlock()
		if session.users > 0 {
			return
		}
		if l.session == session {
			l.session = nil
		}
		session.end(nil)
	})
}

// await takes the lock when its turn comes: first the gate, where those that wait in other processes stand too, then,
// with nobody to compete with, the lock itself.
func (s *lockSession) await(ctx context.Context, key string) error {
	answer, pause := lockNone, firstPause
	for {
		question := awaitGate
		if answer == lockGate {
			question = awaitLock
		}
		next, err := s.ask(ctx, question, key)
		if err != nil && answer == lockGate {
			s.giveBack(unlockGate, key)
		}
		if err != nil || next == lockHeld {
			return err
		}
		if next == lockGate {
			answer, pause = next, min(pause, shortPause)
		}
		select {
		case <-ctx.Done():
			if answer == lockGate {
				s.giveBack(unlockGate, key)
			}
			return ctx.Err()
		case <-s.life.Done():
			return context.Cause(s.life)
		case <-time.After(pause + rand.N(pause)): //nolint:gosec // only so that processes do not ask in step
		}
		limit := longPause
		if answer == lockGate {
			limit = shortPause
		}
		pause = min(2*pause, limit)
	}
}

const (
	firstPause = 2 * time.Millisecond
	shortPause = 15 * time.Millisecond // of the one whose turn is next
	longPause  = 40 * time.Millisecond // of those at the gate
)

// hold runs fn under a lock of this session and gives the lock back.
func (s *lockSession) hold(ctx context.Context, key string, fn func(ctx context.Context) error) error {
	work, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	stop := context.AfterFunc(s.life, func() { cancel(context.Cause(s.life)) })
	defer stop()
	defer s.giveBack(unlock, key)
	err := fn(work)
	if lost := context.Cause(s.life); lost != nil {
		return fmt.Errorf("lock %q: %w", key, errors.Join(lost, err))
	}
	return err
}

func lockError(key string, err error) error {
	if err == nil {
		return nil
	}
	return fmt.Errorf("lock %q: %w", key, err)
}

// lockID is a lock's number, gateID that of the gate in front of it.
func lockID(key string) int64 { return keyID("wxsteward " + key) }

func gateID(key string) int64 { return keyID("wxsteward gate " + key) }

func keyID(text string) int64 {
	sum := sha256.Sum256([]byte(text))
	return int64(binary.BigEndian.Uint64(sum[:8])) //nolint:gosec // any 64 bits will do
}
