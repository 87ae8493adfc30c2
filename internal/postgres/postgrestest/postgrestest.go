// Package postgrestest gives every test a PostgreSQL database of its own, cloned from a migrated template.
//
// A package with such tests has in main_test.go:
//
//	func TestMain(m *testing.M) { postgrestest.Main(m) }
//
// The server is a private one, started by the first test that asks and stopped at the end, unless TEST_DATABASE_URL
// names a server on which databases may be made.
package postgrestest

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"log/slog"
	"net/url"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/wxsteward/wxsteward/internal/localpg"
	"github.com/wxsteward/wxsteward/internal/postgres"
	"github.com/wxsteward/wxsteward/internal/sealed"
	"github.com/wxsteward/wxsteward/migrations"
)

// startTimeout covers making a cluster on a busy machine.
const startTimeout = 3 * time.Minute

// shared is the one server of a test binary. TestMain cannot hand a value to tests, hence a package variable.
//
//nolint:gochecknoglobals // see above
var shared server

type server struct {
	inMain bool

	once     sync.Once
	err      error
	dir      string
	local    *localpg.Server
	url      string // administrative database
	template string
}

// Main runs the tests and stops the server. Call it from TestMain; it does not return.
func Main(m *testing.M) {
	shared.inMain = true
	code := m.Run()
	if err := shared.stop(); err != nil {
		fmt.Fprintln(os.Stderr, "postgrestest:", err)
		code = max(code, 1)
	}
	os.Exit(code)
}

// New returns a pool (at most 10 connections) on a fresh, migrated database. Pool and database go with the test.
func New(tb testing.TB) *pgxpool.Pool {
	tb.Helper()
	return Open(tb, URL(tb))
}

// Open returns one more pool, as a second process would have, on a database from URL.
func Open(tb testing.TB, databaseURL string) *pgxpool.Pool {
	tb.Helper()
	pool, err := postgres.Open(context.Background(), sealed.New(databaseURL), postgres.PoolConfig{MaxConns: 10, AppName: "test"})
	if err != nil {
		tb.Fatalf("postgrestest: %v", err)
	}
	tb.Cleanup(func() {
		tb.Helper()
		closed := make(chan struct{})
		go func() {
			pool.Close()
			close(closed)
		}()
		select {
		case <-closed:
		case <-time.After(10 * time.Second):
			tb.Errorf("postgrestest: %d connections were not given back to the pool", pool.Stat().AcquiredConns())
		}
	})
	return pool
}

// URL returns the address of a fresh, migrated database, for tests that start processes or pools of their own.
func URL(tb testing.TB) string {
	tb.Helper()
	return shared.create(tb, true)
}

// EmptyURL returns the address of a database without any migration.
func EmptyURL(tb testing.TB) string {
	tb.Helper()
	return shared.create(tb, false)
}

func (s *server) create(tb testing.TB, migrated bool) string {
	tb.Helper()
	if !s.inMain {
		tb.Fatal("postgrestest: this package needs func TestMain(m *testing.M) { postgrestest.Main(m) }")
	}
	ctx, cancel := context.WithTimeout(context.Background(), startTimeout)
	defer cancel()
	s.once.Do(func() { s.err = s.start(ctx) })
	if s.err != nil {
		tb.Fatalf("postgrestest: no database: %v", s.err)
	}
	template := "template0"
	if migrated {
		template = s.template
	}
	name := "test_" + strings.ToLower(rand.Text()[:16])
	if err := s.exec(ctx, "CREATE DATABASE "+name+" TEMPLATE "+template); err != nil {
		tb.Fatalf("postgrestest: %v", err)
	}
	tb.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
		defer cancel()
		if err := s.exec(ctx, "DROP DATABASE IF EXISTS "+name+" WITH (FORCE)"); err != nil && !postgres.IsUnavailable(err) {
			tb.Errorf("postgrestest: %v", err)
		}
	})
	return withDatabase(s.url, name)
}

func (s *server) start(ctx context.Context) error {
	if s.url = os.Getenv("TEST_DATABASE_URL"); s.url == "" {
		parent := roomy()
		sweep(parent)
		var err error
		if s.dir, err = os.MkdirTemp(parent, dirPrefix); err != nil {
			return err
		}
		if s.local, err = localpg.Start(ctx, localpg.Config{DataDir: s.dir, Fast: true}); err != nil {
			return err
		}
		s.url = s.local.URL()
	}
	name := "template_" + strings.ToLower(rand.Text()[:16])
	if err := s.exec(ctx, "CREATE DATABASE "+name+" TEMPLATE template0"); err != nil {
		return err
	}
	s.template = name
	pool, err := postgres.Open(ctx, sealed.New(withDatabase(s.url, name)), postgres.PoolConfig{})
	if err != nil {
		return err
	}
	defer pool.Close()
	return migrations.Up(ctx, pool, slog.New(slog.DiscardHandler))
}

func (s *server) stop() error {
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
	defer cancel()
	var err error
	if s.local == nil && s.template != "" {
		err = s.exec(ctx, "DROP DATABASE IF EXISTS "+s.template+" WITH (FORCE)")
	}
	if s.local != nil {
		err = s.local.Stop(ctx)
	}
	if s.dir != "" {
		err = errors.Join(err, os.RemoveAll(s.dir))
	}
	return err
}

func (s *server) exec(ctx context.Context, sql string) error {
	conn, err := pgx.Connect(ctx, s.url)
	if err != nil {
		return err
	}
	defer conn.Close(ctx) //nolint:errcheck // nothing is left to lose
	_, err = conn.Exec(ctx, sql)
	return err
}

func withDatabase(address, name string) string {
	u, err := url.Parse(address)
	if err != nil || u.Scheme == "" {
		return address + " dbname=" + name // keywords and values: the last one counts
	}
	u.Path = "/" + name
	return u.String()
}
