package postgres_test

import (
	"context"
	"fmt"
	"io"
	"net"
	"net/url"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/stretchr/testify/require"

	"github.com/wxsteward/wxsteward/internal/localpg"
	"github.com/wxsteward/wxsteward/internal/postgres"
	"github.com/wxsteward/wxsteward/internal/postgres/postgrestest"
	"github.com/wxsteward/wxsteward/internal/sealed"
)

func TestIsUnavailable(t *testing.T) {
	t.Parallel()
	pool := postgrestest.New(t)
	exec := func(sql string) error {
		_, err := pool.Exec(t.Context(), sql)
		return err
	}
	connect := func(url string) error {
		conn, err := pgx.Connect(t.Context(), url)
		if err == nil {
			_ = conn.Close(t.Context())
		}
		return err
	}
	closed := postgrestest.Open(t, postgrestest.URL(t))
	closed.Close()
	canceled, cancel := context.WithCancel(t.Context())
	cancel()
	for _, tc := range []struct {
		name string
		err  error
		want bool
	}{
		{"nothing", nil, false},
		{"our session was ended", exec("SELECT pg_terminate_backend(pg_backend_pid())"), true},
		{"a socket that is not there", connect("postgres:///x?host=/nonexistent"), true},
		{"a host that is not there", connect("postgres://db.invalid/x"), true},
		{"an end in the middle", fmt.Errorf("read: %w", io.ErrUnexpectedEOF), true},
		{"our pool is closed", closed.Ping(t.Context()), true},
		{"a database that does not exist", connect(pool.Config().ConnString() + "&dbname=nope"), false},
		{"a database that takes no connections", connect(pool.Config().ConnString() + "&dbname=template0"), true},
		{"a syntax error", exec("SELEKT"), false},
		{"a violated constraint", exec("INSERT INTO setting (key) VALUES ('x')"), false},
		{"a statement that took too long", exec("SET statement_timeout = 1; SELECT pg_sleep(1)"), false},
		{"the caller went away", pool.Ping(canceled), false},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			require.Equal(t, tc.want, postgres.IsUnavailable(tc.err), "%v", tc.err)
		})
	}
}

func TestServerFullOfConnections(t *testing.T) {
	t.Parallel()
	pool := postgrestest.New(t)
	name := pool.Config().ConnConfig.Database
	role := "limited_" + name
	_, err := pool.Exec(t.Context(), "CREATE ROLE "+role+" LOGIN CONNECTION LIMIT 0")
	require.NoError(t, err)
	t.Cleanup(func() {
		conn, err := pgx.ConnectConfig(context.Background(), pool.Config().ConnConfig)
		require.NoError(t, err)
		defer conn.Close(context.Background()) //nolint:errcheck // a test
		_, err = conn.Exec(context.Background(), "DROP ROLE "+role)
		require.NoError(t, err)
	})
	config := pool.Config().ConnConfig
	config.User = role
	_, err = pgx.ConnectConfig(t.Context(), config)
	require.True(t, postgres.IsUnavailable(err), "%v", err)
}

func TestServerThatIsStopped(t *testing.T) {
	t.Parallel()
	server, err := localpg.Start(t.Context(), localpg.Config{DataDir: t.TempDir(), Fast: true})
	require.NoError(t, err)
	pool, err := postgres.Open(t.Context(), sealed.New(server.URL()), postgres.PoolConfig{})
	require.NoError(t, err)
	t.Cleanup(pool.Close)
	conn, err := pool.Acquire(t.Context())
	require.NoError(t, err)
	defer conn.Release()
	require.NoError(t, server.Stop(t.Context()))
	_, err = conn.Exec(t.Context(), "SELECT 1")
	require.True(t, postgres.IsUnavailable(err), "a session that was cut: %v", err)
	_, err = conn.Exec(t.Context(), "SELECT 1")
	require.True(t, postgres.IsUnavailable(err), "a session known to be dead: %v", err)
	err = pool.Ping(t.Context())
	require.True(t, postgres.IsUnavailable(err), "a new session: %v", err)
}

// TestSilentServer: something takes the connection and says nothing.
func TestSilentServer(t *testing.T) {
	t.Parallel()
	listener, err := (&net.ListenConfig{}).Listen(t.Context(), "tcp", "127.0.0.1:0")
	require.NoError(t, err)
	t.Cleanup(func() { _ = listener.Close() })
	address := url.URL{Scheme: "postgres", Host: listener.Addr().String(), Path: "/x", RawQuery: "connect_timeout=1&sslmode=disable"}
	pool, err := postgres.Open(t.Context(), sealed.New(address.String()), postgres.PoolConfig{})
	require.NoError(t, err)
	t.Cleanup(pool.Close)
	began := time.Now()
	err = pool.Ping(t.Context())
	require.True(t, postgres.IsUnavailable(err), "%v", err)
	require.Less(t, time.Since(began), 30*time.Second)
}
