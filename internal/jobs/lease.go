package jobs

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
)

const (
	runnerIDPrefix = "wxsteward-"

	// leaseCheck is how often the connection that holds the lease is asked whether it lives, leaseTimeout how long
	// an answer of the server may take. Together they are shorter than what keepAlive allows, so that a process
	// which is cut off knows it before PostgreSQL lets its lease go.
	leaseCheck   = 2 * time.Second
	leaseTimeout = 2 * time.Second
	// leaseRetry is the pause between tries to get the lease back.
	leaseRetry = 100 * time.Millisecond
	// fenceAfter is how long a lost lease may take to come back before jobs are cancelled. It is shorter than
	// deadAfter, when other Runners take a Runner without lease for dead.
	fenceAfter = time.Second
	deadAfter  = 1500 * time.Millisecond
)

const (
	// leaseKey is the number of the advisory lock that the Runner with the id $1 holds as long as it lives.
	leaseKey = `hashtextextended('wxsteward job runner ' || $1::text, 0)`
	// runnersKey is the number of the advisory lock that all living Runners share.
	runnersKey = `hashtextextended('wxsteward job runners', 0)`
	// advisoryLocks are the granted advisory locks of this database.
	advisoryLocks = `(SELECT pid, (classid::bigint << 32) | objid::bigint AS key FROM pg_locks
		WHERE locktype = 'advisory' AND objsubid = 1 AND granted
			AND database = (SELECT oid FROM pg_database WHERE datname = current_database()))`
	// keepAlive makes PostgreSQL notice within 11 s that the machine at the other end has vanished (silent for 5 s,
	// then 3 probes, one each 2 s). The death of a process it notices at once.
	keepAlive = `SELECT set_config('tcp_keepalives_idle', '5', false), set_config('tcp_keepalives_interval', '2', false),
		set_config('tcp_keepalives_count', '3', false), set_config('idle_session_timeout', '0', false)`
)

var errLeaseLost = errors.New("jobs: lost the connection that proves this process alive")

// newRunnerID tells Runners apart, also those of one process and of a container that restarts under the same name.
func newRunnerID() string {
	host, _ := os.Hostname()
	host = strings.ReplaceAll(host, ".", "_")
	return runnerIDPrefix + host[:min(len(host), 40)] + "-" + rand.Text()[:16]
}

// lease proves that a Runner lives: a session advisory lock on a connection of its own, which PostgreSQL frees when
// the process dies.
type lease struct {
	id     string
	config *pgx.ConnConfig
	logger *slog.Logger
	count  func(runners int) // hears how many Runners live

	mu    sync.Mutex
	held  context.Context //nolint:containedctx // its end is what it is for
	fence context.CancelFunc
}

func newLease(id string, config *pgx.ConnConfig, logger *slog.Logger, count func(runners int)) *lease {
	l := &lease{id: id, config: config, logger: logger, count: count}
	l.renew()
	return l
}

// context ends when the lease has been lost for fenceAfter; a later one is valid again.
func (l *lease) context() context.Context {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.held
}

// hold gets the lease and keeps it until release is called.
func (l *lease) hold(ctx context.Context) (release func(), err error) {
	conn, err := l.connect(ctx)
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithCancel(ctx)
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		l.keep(ctx, conn)
	}()
	return func() { cancel(); <-ended }, nil
}

func (l *lease) keep(ctx context.Context, conn *pgx.Conn) {
	for {
		err := l.watch(ctx, conn)
		closeConn(ctx, conn)
		if ctx.Err() != nil {
			return
		}
		l.logger.WarnContext(ctx, "connection that proves this process alive lost", "error", err)
		timer := time.AfterFunc(fenceAfter, l.cut)
		conn = l.reconnect(ctx, timer)
		timer.Stop()
		if conn == nil {
			return
		}
		l.renew()
	}
}

// cut cancels the jobs: others take this process for dead in a moment.
func (l *lease) cut() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.fence()
}

func (l *lease) renew() {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.held == nil || l.held.Err() != nil {
		l.held, l.fence = context.WithCancel(context.Background())
	}
}

// reconnect tries until it has the lease again; nil if ctx ends before.
func (l *lease) reconnect(ctx context.Context, fence *time.Timer) *pgx.Conn {
	for {
		conn, err := l.connect(ctx)
		if err == nil {
			return conn
		}
		if isDown(err) && fence.Stop() { // nobody can take our jobs while the server is down
			fence.Reset(fenceAfter)
		}
		select {
		case <-ctx.Done():
			return nil
		case <-time.After(leaseRetry):
		}
	}
}

// isDown tells a server that is down for everybody from one that we alone cannot reach.
func isDown(err error) bool {
	if pg, ok := errors.AsType[*pgconn.PgError](err); ok {
		return pg.Code == "57P03" // starting up, shutting down or recovering
	}
	return errors.Is(err, syscall.ECONNREFUSED) || errors.Is(err, syscall.ENOENT) // no such unix socket
}

// connect opens a connection and takes the lease on it. Our own older connection may still hold it where the
// server has not noticed its loss; it is ended.
func (l *lease) connect(ctx context.Context) (*pgx.Conn, error) {
	ctx, cancel := context.WithTimeout(ctx, leaseTimeout)
	defer cancel()
	conn, err := pgx.ConnectConfig(ctx, l.config.Copy())
	if err != nil {
		return nil, err
	}
	err = pgx.BeginFunc(ctx, conn, func(tx pgx.Tx) error {
		if _, err := tx.Exec(ctx, keepAlive); err != nil {
			return err
		}
		const endOlder = `SELECT pg_terminate_backend(pid) FROM ` + advisoryLocks + ` l WHERE key = ` + leaseKey
		if _, err := tx.Exec(ctx, endOlder, l.id); err != nil {
			return err
		}
		_, err := tx.Exec(ctx, `SELECT pg_advisory_lock(`+leaseKey+`), pg_advisory_lock_shared(`+runnersKey+`)`, l.id)
		return err
	})
	if err != nil {
		closeConn(ctx, conn)
		return nil, fmt.Errorf("take lease: %w", err)
	}
	return conn, nil
}

// watch returns when the connection is lost or ctx ends. It counts the living meanwhile.
func (l *lease) watch(ctx context.Context, conn *pgx.Conn) error {
	for {
		if err := l.countRunners(ctx, conn); err != nil {
			return err
		}
		waitCtx, cancel := context.WithTimeout(ctx, leaseCheck)
		_, err := conn.WaitForNotification(waitCtx) // tells at once when the server closes the connection
		silent := waitCtx.Err() != nil
		cancel()
		if ctx.Err() != nil {
			return ctx.Err()
		}
		if err != nil && !silent {
			return err
		}
	}
}

// countRunners also proves that the server answers.
func (l *lease) countRunners(ctx context.Context, conn *pgx.Conn) error {
	ctx, cancel := context.WithTimeout(ctx, leaseTimeout)
	defer cancel()
	var n int
	if err := conn.QueryRow(ctx, `SELECT count(*) FROM `+advisoryLocks+` l WHERE key = `+runnersKey).Scan(&n); err != nil {
		return err
	}
	l.count(max(1, n))
	return nil
}

func closeConn(ctx context.Context, conn *pgx.Conn) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), leaseTimeout)
	defer cancel()
	_ = conn.Close(ctx)
}
