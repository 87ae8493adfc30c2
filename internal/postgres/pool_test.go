package postgres_test

import (
	"net"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/wxsteward/wxsteward/internal/postgres"
	"github.com/wxsteward/wxsteward/internal/postgres/postgrestest"
	"github.com/wxsteward/wxsteward/internal/sealed"
)

func TestOpenSetsUpSessions(t *testing.T) {
	t.Parallel()
	pool := postgrestest.New(t)
	for setting, want := range map[string]string{
		"timezone": "UTC", "statement_timeout": "30s", "idle_in_transaction_session_timeout": "2min", "application_name": "test",
	} {
		var got string
		require.NoError(t, pool.QueryRow(t.Context(), "SELECT current_setting($1)", setting).Scan(&got))
		require.Equal(t, want, got, setting)
	}
	require.EqualValues(t, 10, pool.Config().MaxConns)
}

func TestTimesAreReadAsUTC(t *testing.T) {
	t.Parallel()
	pool := postgrestest.New(t)
	var one time.Time
	var many []time.Time
	require.NoError(t, pool.QueryRow(t.Context(),
		"SELECT '2024-05-06 07:08:09+08'::timestamptz, ARRAY['2024-05-06 07:08:09+08'::timestamptz]").Scan(&one, &many))
	want := time.Date(2024, 5, 5, 23, 8, 9, 0, time.UTC)
	require.Equal(t, want, one)
	require.Equal(t, []time.Time{want}, many)
}

func TestWhatTheURLSaysCounts(t *testing.T) {
	t.Parallel()
	pool, err := postgres.Open(t.Context(), sealed.New("postgres://u:p@db.invalid/n?pool_max_conns=3&statement_timeout=7s&application_name=x&connect_timeout=2"),
		postgres.PoolConfig{MaxConns: 50, AppName: "y"})
	require.NoError(t, err, "the server need not be there")
	t.Cleanup(pool.Close)
	config := pool.Config()
	require.EqualValues(t, 3, config.MaxConns)
	require.Equal(t, "7s", config.ConnConfig.RuntimeParams["statement_timeout"])
	require.Equal(t, "x", config.ConnConfig.RuntimeParams["application_name"])
	require.Equal(t, 2*time.Second, config.ConnConfig.ConnectTimeout)

	pool, err = postgres.Open(t.Context(), sealed.New("host=db.invalid user=u"), postgres.PoolConfig{})
	require.NoError(t, err)
	t.Cleanup(pool.Close)
	require.EqualValues(t, 20, pool.Config().MaxConns)
	require.Equal(t, 5*time.Second, pool.Config().ConnConfig.ConnectTimeout)
}

func TestWrongURLIsNotShown(t *testing.T) {
	t.Parallel()
	for _, url := range []string{
		"postgres://u:hunter2@host:notaport/db", "postgres://u:hunter2%zz@host/db", "host=h password=hunter2 sslmode=nonsense", "mysql://hunter2",
	} {
		_, err := postgres.Open(t.Context(), sealed.New(url), postgres.PoolConfig{})
		require.Error(t, err, url)
		require.NotContains(t, err.Error(), "hunter2")
		require.NotContains(t, err.Error(), "\n")
	}
}

func TestErrorsDoNotShowThePassword(t *testing.T) {
	t.Parallel()
	listener, err := (&net.ListenConfig{}).Listen(t.Context(), "tcp", "127.0.0.1:0")
	require.NoError(t, err)
	require.NoError(t, listener.Close())
	pool, err := postgres.Open(t.Context(), sealed.New("postgres://u:hunter2@"+listener.Addr().String()+"/n"), postgres.PoolConfig{})
	require.NoError(t, err)
	t.Cleanup(pool.Close)
	err = pool.Ping(t.Context())
	require.True(t, postgres.IsUnavailable(err), "%v", err)
	require.NotContains(t, err.Error(), "hunter2")
}
