// Package localpg runs a private PostgreSQL for the default start and for tests: nothing to install as a service,
// nothing to configure. It is for one machine; a database of your own (DATABASE_URL) is for everything else.
//
// Below the data directory it keeps:
//
//	wxsteward.lock        held by the running wxsteward; its process id and the database's URL
//	postgres.lock         held by every process of the database server, so that remains of an earlier one are noticed
//	postgres/data         the cluster, owned by the user that the server runs as
//
// The server listens on a unix socket inside the cluster's directory, which only that user (and root) can open, and
// on no port. Clients are not asked for a password.
package localpg

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/url"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
)

const (
	superuser = "wxsteward"
	database  = "wxsteward"
	// longestSocket is what fits into sockaddr_un on every system (macOS: 104 bytes with the final zero).
	longestSocket = 103
	socketName    = ".s.PGSQL.5432"
)

// ErrInUse means that another wxsteward runs on the data directory; the error's text says which.
var ErrInUse = errors.New("DATA_DIR is in use")

// Config says where and how.
type Config struct {
	// DataDir is made when it does not exist. It may be relative and may have any length.
	DataDir string
	// Logger gets what the server reports. Nil means nowhere.
	Logger *slog.Logger
	// Fast gives up safety against a crash of the machine for speed; for tests only.
	Fast bool
}

// Server is a running database server. It is started again by itself when it ends unexpectedly.
type Server struct {
	cluster cluster
	logger  *slog.Logger
	fast    bool
	owner   *os.File // lock on the data directory
	link    string   // short way to the socket, or empty
	url     string

	cancel context.CancelFunc
	hurry  chan struct{} // closed when Stop has run out of patience
	once   sync.Once     // for hurry
	done   chan struct{} // closed when the server has ended for good
}

// Start makes the database if there is none, starts its server and waits until it answers. ctx limits the start
// only. An error is one sentence for the operator that says what to do; ErrInUse can be told apart.
//
// A server that an earlier wxsteward left behind (kill -9) is ended first, not adopted: only a child of ours can be
// watched, and its settings may be those of an older version.
func Start(ctx context.Context, cfg Config) (_ *Server, err error) {
	logger := cfg.Logger
	if logger == nil {
		logger = slog.New(slog.DiscardHandler)
	}
	dataDir, err := prepareDataDir(cfg.DataDir)
	if err != nil {
		return nil, err
	}
	owner, err := lockOwner(dataDir)
	if err != nil {
		return nil, err
	}
	s := &Server{logger: logger, fast: cfg.Fast, owner: owner, hurry: make(chan struct{}), done: make(chan struct{})}
	defer func() {
		if err != nil {
			s.release()
		}
	}()
	if s.cluster, err = openCluster(ctx, dataDir, logger, cfg.Fast); err != nil {
		return nil, err
	}
	if s.url, s.link, err = clientURL(s.cluster.dir); err != nil {
		return nil, err
	}
	if err := writeOwner(owner, s.url); err != nil {
		return nil, err
	}

	life, cancel := context.WithCancel(context.WithoutCancel(ctx))
	s.cancel = cancel
	news := startNews{launched: make(chan struct{}), ready: make(chan struct{}), failed: make(chan error, 1)}
	go s.supervise(life, news)
	if err := s.await(ctx, news); err != nil {
		cancel()
		s.endAtOnce()
		return nil, err
	}
	close(news.ready)
	return s, nil
}

// URL is the address of the database "wxsteward" for a superuser. It holds no password.
func (s *Server) URL() string { return s.url }

// Stop ends the server in order: clients are cut off, everything is written out. When ctx ends first it is ended at
// once, which costs the next start a recovery but no data.
func (s *Server) Stop(ctx context.Context) error {
	s.cancel()
	defer s.release()
	select {
	case <-s.done:
		return nil
	case <-ctx.Done():
		s.endAtOnce()
		return fmt.Errorf("the local PostgreSQL did not stop in time and was ended at once: %w", context.Cause(ctx))
	}
}

// Find returns the URL of the server that a running wxsteward has on this data directory, for commands that work
// beside it; empty when there is none.
func Find(dataDir string) (string, error) {
	path := filepath.Join(dataDir, ownerLock)
	file, err := os.Open(path) //nolint:gosec // the operator's own DATA_DIR
	if errors.Is(err, os.ErrNotExist) {
		return "", nil
	}
	if err != nil {
		return "", fmt.Errorf("DATA_DIR=%s cannot be read: %w", dataDir, err)
	}
	defer file.Close() //nolint:errcheck // only read
	free, err := tryLock(file)
	if err != nil || free {
		return "", err
	}
	_, address := readOwner(path)
	return address, nil
}

func (s *Server) endAtOnce() {
	s.once.Do(func() { close(s.hurry) })
	<-s.done
}

func (s *Server) release() {
	if s.link != "" {
		_ = os.RemoveAll(filepath.Dir(s.link)) // a dead link in the temporary directory does no harm
	}
	_ = s.owner.Close() // gives the lock back
}

// startNews is what Start and the goroutine that runs the server tell each other.
type startNews struct {
	launched chan struct{} // closed when the first server process runs
	ready    chan struct{} // closed when it has answered
	failed   chan error    // the first one has ended before that
}

// await returns when our server answers. It asks only once that has been launched: before, another one may answer.
func (s *Server) await(ctx context.Context, news startNews) error {
	late := func(err error) error {
		return fmt.Errorf("the local PostgreSQL in %s did not answer in time: %w", s.cluster.dir, errors.Join(context.Cause(ctx), err))
	}
	select {
	case <-news.launched:
	case err := <-news.failed:
		return err
	case <-ctx.Done():
		return late(nil)
	}
	began, told := time.Now(), false
	for {
		err := ensureDatabase(ctx, s.url)
		if err == nil {
			return nil
		}
		if pgErr, ok := errors.AsType[*pgconn.PgError](err); ok && pgErr.Code != "57P03" { // not just starting up
			return fmt.Errorf("the local PostgreSQL in %s cannot be used: %w", s.cluster.dir, err)
		}
		if !told && time.Since(began) > 5*time.Second {
			told = true
			s.logger.InfoContext(ctx, "waiting for the local PostgreSQL, it may be recovering", "error", err)
		}
		select {
		case err := <-news.failed:
			return err
		case <-ctx.Done():
			return late(err)
		case <-time.After(10 * time.Millisecond):
		}
	}
}

// ensureDatabase connects, and makes the database when the server does not have it yet.
func ensureDatabase(ctx context.Context, address string) error {
	err := query(ctx, address, "SELECT 1")
	if pgErr, ok := errors.AsType[*pgconn.PgError](err); ok && pgErr.Code == "3D000" {
		if err := query(ctx, strings.Replace(address, "///"+database, "///postgres", 1), "CREATE DATABASE "+database); err != nil {
			return err
		}
		return query(ctx, address, "SELECT 1")
	}
	return err
}

func query(ctx context.Context, address, sql string) error {
	ctx, cancel := context.WithTimeout(ctx, 10*time.Second)
	defer cancel()
	conn, err := pgx.Connect(ctx, address)
	if err != nil {
		return err
	}
	defer conn.Close(ctx) //nolint:errcheck // nothing is left to lose
	_, err = conn.Exec(ctx, sql)
	return err
}

// clientURL finds an address by which the socket in dir can be opened. The server itself needs none: it opens the
// socket in its working directory. link is set when dir's own path cannot stand in an address.
func clientURL(dir string) (address, link string, err error) {
	host := dir
	// A comma would separate hosts.
	if len(filepath.Join(dir, socketName)) > longestSocket || strings.Contains(dir, ",") {
		parent := os.TempDir()
		if len(parent) > 60 || strings.Contains(parent, ",") {
			parent = "/tmp"
		}
		short, err := os.MkdirTemp(parent, "wxsteward-")
		if err != nil {
			return "", "", fmt.Errorf("no place for a link to the database's socket: %w", err)
		}
		link = filepath.Join(short, "db")
		if err := os.Symlink(dir, link); err != nil {
			return "", "", fmt.Errorf("no place for a link to the database's socket: %w", err)
		}
		host = link
	}
	// Said although they are the defaults, because PGPORT and the like would count otherwise.
	values := url.Values{"host": {host}, "port": {"5432"}, "user": {superuser}, "sslmode": {"disable"}, "options": {""}, "timezone": {"UTC"}}
	return "postgres:///" + database + "?" + values.Encode(), link, nil
}

func writeOwner(file *os.File, address string) error {
	text := strconv.Itoa(os.Getpid()) + "\n" + address + "\n"
	if err := file.Truncate(0); err != nil {
		return fmt.Errorf("DATA_DIR cannot be written: %w", err)
	}
	if _, err := file.WriteAt([]byte(text), 0); err != nil {
		return fmt.Errorf("DATA_DIR cannot be written: %w", err)
	}
	return nil
}

func readOwner(path string) (pid, address string) {
	text, _ := os.ReadFile(path) //nolint:gosec // the operator's own DATA_DIR; without it there is less to tell
	pid, rest, _ := strings.Cut(string(text), "\n")
	return pid, strings.TrimSpace(rest)
}
