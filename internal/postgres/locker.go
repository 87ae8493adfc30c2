package postgres

import (
	"context"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"maps"
	"strconv"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgxpool"
)

// ErrLockLost means that the connection which held a lock broke while the work under it was going on.
var ErrLockLost = errors.New("postgres: the lock was lost with its connection")

// Locker hands out locks that count over all processes on one database. Each lock held has a connection of its own
// beside the pool, so it neither takes one from the work under it nor outlives the process.
type Locker struct{ pool *pgxpool.Pool }

// NewLocker makes a Locker on the pool's database.
func NewLocker(pool *pgxpool.Pool) *Locker { return &Locker{pool} }

// Try runs fn if nobody holds the lock on key, and reports whether it did. fn's context ends when the lock is lost;
// then the error is ErrLockLost, with fn's own.
func (l *Locker) Try(ctx context.Context, key string, fn func(ctx context.Context) error) (got bool, err error) {
	conn, err := l.connect(ctx)
	if err != nil {
		return false, err
	}
	defer closeConn(ctx, conn)
	if err := conn.QueryRow(ctx, "SELECT pg_try_advisory_lock($1)", lockID(key)).Scan(&got); err != nil {
		return false, fmt.Errorf("lock %q: %w", key, err)
	}
	if !got {
		return false, nil
	}
	return true, hold(ctx, conn, key, fn)
}

// Do is Try that waits for the lock, for as long as ctx lasts.
func (l *Locker) Do(ctx context.Context, key string, fn func(ctx context.Context) error) error {
	conn, err := l.connect(ctx)
	if err != nil {
		return err
	}
	defer closeConn(ctx, conn)
	if _, err := conn.Exec(ctx, "SELECT pg_advisory_lock($1)", lockID(key)); err != nil {
		return fmt.Errorf("lock %q: %w", key, err)
	}
	return hold(ctx, conn, key, fn)
}

// Within is Do that gives up waiting after patience, and reports whether it got the lock.
func (l *Locker) Within(ctx context.Context, patience time.Duration, key string, fn func(ctx context.Context) error) (got bool, err error) {
	conn, err := l.connect(ctx)
	if err != nil {
		return false, err
	}
	defer closeConn(ctx, conn)
	if _, err := conn.Exec(ctx, "SELECT set_config('lock_timeout', $1, false)", strconv.FormatInt(max(1, patience.Milliseconds()), 10)); err != nil {
		return false, fmt.Errorf("lock %q: %w", key, err)
	}
	_, err = conn.Exec(ctx, "SELECT pg_advisory_lock($1)", lockID(key))
	const lockNotAvailable = "55P03"
	if e, ok := errors.AsType[*pgconn.PgError](err); ok && e.Code == lockNotAvailable {
		return false, nil
	}
	if err != nil {
		return false, fmt.Errorf("lock %q: %w", key, err)
	}
	return true, hold(ctx, conn, key, fn)
}

func (l *Locker) connect(ctx context.Context) (*pgx.Conn, error) {
	config := l.pool.Config().ConnConfig
	maps.Copy(config.RuntimeParams, map[string]string{
		"statement_timeout":    "0", // waiting is the point
		"idle_session_timeout": "0",
		// The server must notice within half a minute that we are gone, or nobody else gets the lock.
		"tcp_keepalives_idle": "15", "tcp_keepalives_interval": "5", "tcp_keepalives_count": "3",
	})
	conn, err := pgx.ConnectConfig(ctx, config)
	if err != nil {
		return nil, fmt.Errorf("connect for a lock: %w", err)
	}
	return conn, nil
}

// hold runs fn while it listens on the connection: that is how its loss is noticed at once.
func hold(ctx context.Context, conn *pgx.Conn, key string, fn func(ctx context.Context) error) error {
	work, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	watch, stopWatching := context.WithCancel(context.WithoutCancel(ctx))
	watched := make(chan struct{})
	go func() {
		defer close(watched)
		for watch.Err() == nil {
			if _, err := conn.WaitForNotification(watch); err != nil && watch.Err() == nil {
				cancel(fmt.Errorf("%w: %w", ErrLockLost, err))
				return
			}
		}
	}()
	defer func() {
		stopWatching()
		<-watched
	}()
	err := fn(work)
	if lost := context.Cause(work); lost != nil && errors.Is(lost, ErrLockLost) {
		return fmt.Errorf("lock %q: %w", key, errors.Join(lost, err))
	}
	return err
}

// closeConn gives the lock back. It waits for the server to say so, because closing a connection does not: the next
// Try would find the lock still held.
func closeConn(ctx context.Context, conn *pgx.Conn) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), 2*time.Second)
	defer cancel()
	_, _ = conn.Exec(ctx, "SELECT pg_advisory_unlock_all()") // a broken connection has given it back already
	_ = conn.Close(ctx)                                      // likewise
}

func lockID(key string) int64 {
	sum := sha256.Sum256([]byte("wxsteward " + key))
	return int64(binary.BigEndian.Uint64(sum[:8])) //nolint:gosec // any 64 bits will do
}
