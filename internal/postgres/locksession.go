package postgres

import (
	"context"
	"fmt"
	"maps"
	"time"

	"github.com/jackc/pgx/v5"
)

const (
	// sessionIdle is how long a session without locks is kept.
	sessionIdle = 5 * time.Second
	// askTimeout bounds a question to the server; none of them waits for anything. A session that takes longer is given
	// up, and with it all its locks.
	askTimeout = 5 * time.Second
)

// What a question about a lock comes to.
const (
	lockNone = "none"
	lockGate = "gate" // the gate is ours, the lock is not yet
	lockHeld = "held"
)

// question is a statement about the lock $1 and its gate $2. CASE guards the order in which the functions run.
type question string

const (
	// tryLock takes the lock if neither it nor its gate is taken. The gate is given back in any case.
	tryLock question = `SELECT CASE WHEN pg_try_advisory_lock($2) THEN
			CASE WHEN pg_try_advisory_lock($1) THEN CASE WHEN pg_advisory_unlock($2) THEN 'held' END
			ELSE CASE WHEN pg_advisory_unlock($2) THEN 'none' END END
		ELSE 'none' END`
	// awaitGate is tryLock that keeps the gate while the lock is taken.
	awaitGate question = `SELECT CASE WHEN pg_try_advisory_lock($2) THEN
			CASE WHEN pg_try_advisory_lock($1) THEN CASE WHEN pg_advisory_unlock($2) THEN 'held' END ELSE 'gate' END
		ELSE 'none' END`
	// awaitLock is asked by who has the gate.
	awaitLock question = `SELECT CASE WHEN pg_try_advisory_lock($1) THEN CASE WHEN pg_advisory_unlock($2) THEN 'held' END
		ELSE CASE WHEN $2::bigint IS NOT NULL THEN 'gate' END END`
	unlock     question = `SELECT CASE WHEN pg_advisory_unlock($1) AND $2::bigint IS NOT NULL THEN 'none' END`
	unlockGate question = `SELECT CASE WHEN pg_advisory_unlock($2) AND $1::bigint IS NOT NULL THEN 'none' END`
)

// lockSession is a connection on which session locks are held. One goroutine owns it: it asks what is to be asked, and
// listens in between, which is how a loss is noticed at once.
type lockSession struct {
	life  context.Context //nolint:containedctx // its end, with a cause, is the end of all locks
	end   context.CancelCauseFunc
	asked chan asked
	gone  chan struct{} // closed when the connection is
	users int           // guarded by Locker.mu
}

type asked struct {
	question question
	key      string
	answer   chan<- answered // with room for the answer
}

type answered struct {
	text string
	err  error
}

func newLockSession(config *pgx.ConnConfig) *lockSession {
	maps.Copy(config.RuntimeParams, map[string]string{
		"idle_session_timeout": "0",
		// The server must notice within half a minute that we are gone, or nobody else gets the locks.
		"tcp_keepalives_idle": "15", "tcp_keepalives_interval": "5", "tcp_keepalives_count": "3",
	})
	s := &lockSession{asked: make(chan asked), gone: make(chan struct{})}
	s.life, s.end = context.WithCancelCause(context.Background())
	go s.run(config)
	return s
}

func (s *lockSession) run(config *pgx.ConnConfig) {
	defer close(s.gone)
	conn, err := pgx.ConnectConfig(s.life, config)
	if err != nil {
		s.end(fmt.Errorf("connect for a lock: %w", err))
		return
	}
	defer func() {
		ctx, cancel := context.WithTimeout(context.Background(), 2*time.Second)
		defer cancel()
		_ = conn.Close(ctx) // a broken one is closed already
	}()
	for {
		a, ok := s.next(conn)
		if !ok {
			return
		}
		ctx, cancel := context.WithTimeout(context.Background(), askTimeout)
		var text string
		err := conn.QueryRow(ctx, string(a.question), lockID(a.key), gateID(a.key)).Scan(&text)
		cancel()
		if err != nil {
			s.end(fmt.Errorf("%w: %w", ErrLockLost, err))
		}
		a.answer <- answered{text, err}
	}
}

// next waits for a question, listening on the connection meanwhile; false: the session is over.
func (s *lockSession) next(conn *pgx.Conn) (a asked, ok bool) {
	select {
	case a = <-s.asked: // under load there is no time to listen
		return a, true
	case <-s.life.Done():
		return a, false
	default:
	}
	for {
		listen, stop := context.WithCancel(context.Background())
		heard := make(chan error, 1)
		go func() {
			_, err := conn.WaitForNotification(listen)
			heard <- err
		}()
		select {
		case a = <-s.asked:
			stop()
			<-heard //nolint:errcheck // a loss shows with the question
			return a, true
		case <-s.life.Done():
			stop()
			<-heard //nolint:errcheck // it is over anyway
			return a, false
		case err := <-heard:
			stop()
			if err != nil {
				s.end(fmt.Errorf("%w: %w", ErrLockLost, err))
				return a, false
			}
		}
	}
}

// ask puts a question. It waits for a session that connects or has much to ask as long as ctx lasts, but not less than
// for an answer once the question is on its way: that tells what is held now.
func (s *lockSession) ask(ctx context.Context, q question, key string) (string, error) {
	answer := make(chan answered, 1)
	select {
	case s.asked <- asked{q, key, answer}:
		a := <-answer
		return a.text, a.err
	case <-s.life.Done():
		return "", context.Cause(s.life)
	case <-ctx.Done():
		return "", ctx.Err()
	}
}

// giveBack waits for the server to say so: the next Try must find it done.
func (s *lockSession) giveBack(q question, key string) {
	answer := make(chan answered, 1)
	select {
	case s.asked <- asked{q, key, answer}:
		<-answer
	case <-s.life.Done():
	}
}
