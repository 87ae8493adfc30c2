package migrations_test

import (
	"bytes"
	"log/slog"
	"os"
	"os/exec"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/jackc/pgx/v5/stdlib"
	"github.com/pressly/goose/v3"
	"github.com/stretchr/testify/require"

	"github.com/wxsteward/wxsteward/internal/postgres"
	"github.com/wxsteward/wxsteward/internal/postgres/postgrestest"
	"github.com/wxsteward/wxsteward/internal/sealed"
	"github.com/wxsteward/wxsteward/migrations"
)

func up(t *testing.T, pool *pgxpool.Pool) (log string) {
	t.Helper()
	var buf bytes.Buffer
	require.NoError(t, migrations.Up(t.Context(), pool, slog.New(slog.NewTextHandler(&buf, nil))))
	return buf.String()
}

func tables(t *testing.T, pool *pgxpool.Pool) []string {
	t.Helper()
	rows, err := pool.Query(t.Context(), "SELECT tablename::text FROM pg_tables WHERE schemaname = 'public' ORDER BY 1")
	require.NoError(t, err)
	list, err := pgx.CollectRows(rows, pgx.RowTo[string])
	require.NoError(t, err)
	return list
}

func TestUpOnAnEmptyDatabase(t *testing.T) {
	t.Parallel()
	pool := postgrestest.Open(t, postgrestest.EmptyURL(t))
	done, err := migrations.Done(t.Context(), pool)
	require.NoError(t, err)
	require.False(t, done)
	list, err := migrations.Status(t.Context(), pool)
	require.NoError(t, err)
	require.NotEmpty(t, list)
	for _, m := range list {
		require.False(t, m.Applied(), m.Name)
	}
	require.Empty(t, tables(t, pool), "asking changes nothing")

	log := up(t, pool)
	require.Equal(t, len(list), strings.Count(log, "migration applied"))
	done, err = migrations.Done(t.Context(), pool)
	require.NoError(t, err)
	require.True(t, done)
	after, err := migrations.Status(t.Context(), pool)
	require.NoError(t, err)
	require.Len(t, after, len(list))
	for i, m := range after {
		require.Equal(t, list[i].Name, m.Name)
		require.WithinDuration(t, time.Now(), m.AppliedAt, time.Minute, m.Name)
	}
	require.Equal(t, migrations.Ours, after[0].Source)
	require.EqualValues(t, 1, after[0].Version)
	require.Equal(t, migrations.Rivers, after[len(after)-1].Source)
	require.Subset(t, tables(t, pool), []string{"setting", "message", "authorizer", "submission", "river_job", "wxsteward_migration"})

	require.Empty(t, up(t, pool), "the second time there is nothing to do")
}

func TestUpFromManyProcessesAtOnce(t *testing.T) {
	t.Parallel()
	url := postgrestest.EmptyURL(t)
	pool := postgrestest.Open(t, url)
	self, err := os.Executable()
	require.NoError(t, err)
	var group sync.WaitGroup
	var mu sync.Mutex
	applied := 0
	for range 4 {
		group.Go(func() {
			cmd := exec.CommandContext(t.Context(), self)
			cmd.Env = append(os.Environ(), childURL+"="+url)
			out, err := cmd.CombinedOutput()
			if err != nil {
				t.Errorf("%v: %s", err, out)
			}
			mu.Lock()
			defer mu.Unlock()
			applied += bytes.Count(out, []byte("migration applied"))
		})
		group.Go(func() {
			if err := migrations.Up(t.Context(), pool, slog.New(slog.DiscardHandler)); err != nil {
				t.Error(err)
			}
		})
	}
	group.Wait()
	list, err := migrations.Status(t.Context(), pool)
	require.NoError(t, err)
	require.LessOrEqual(t, applied, len(list), "none was applied twice")
	done, err := migrations.Done(t.Context(), pool)
	require.NoError(t, err)
	require.True(t, done)
}

func TestUpNeedsNoMoreThanOneConnectionOfThePool(t *testing.T) {
	t.Parallel()
	pool, err := postgres.Open(t.Context(), sealed.New(postgrestest.EmptyURL(t)), postgres.PoolConfig{MaxConns: 1})
	require.NoError(t, err)
	t.Cleanup(pool.Close)
	up(t, pool)
}

// TestUpGoesOn is a process that was killed after some of the steps.
func TestUpGoesOn(t *testing.T) {
	t.Parallel()
	pool := postgrestest.Open(t, postgrestest.EmptyURL(t))
	db := stdlib.OpenDBFromPool(pool)
	t.Cleanup(func() { _ = db.Close() })
	provider, err := goose.NewProvider(goose.DialectPostgres, db, os.DirFS("."), goose.WithTableName("wxsteward_migration"), goose.WithDisableGlobalRegistry(true))
	require.NoError(t, err)
	_, err = provider.UpTo(t.Context(), 2)
	require.NoError(t, err)
	done, err := migrations.Done(t.Context(), pool)
	require.NoError(t, err)
	require.False(t, done)
	log := up(t, pool)
	require.NotContains(t, log, "00002_")
	require.Contains(t, log, "00003_")
	done, err = migrations.Done(t.Context(), pool)
	require.NoError(t, err)
	require.True(t, done)
}

// TestNewerDatabase is an old version started again during an upgrade.
func TestNewerDatabase(t *testing.T) {
	t.Parallel()
	pool := postgrestest.New(t)
	for _, sql := range []string{
		"INSERT INTO wxsteward_migration (version_id, is_applied) VALUES (99990, true)",
		"INSERT INTO river_migration (line, version) VALUES ('main', 9999)",
	} {
		_, err := pool.Exec(t.Context(), sql)
		require.NoError(t, err)
	}
	require.Empty(t, up(t, pool))
	done, err := migrations.Done(t.Context(), pool)
	require.NoError(t, err)
	require.True(t, done)
}

// TestDown keeps the Down parts usable while developing; the program never runs them.
func TestDown(t *testing.T) {
	t.Parallel()
	pool := postgrestest.Open(t, postgrestest.EmptyURL(t))
	db := stdlib.OpenDBFromPool(pool)
	t.Cleanup(func() { _ = db.Close() })
	provider, err := goose.NewProvider(goose.DialectPostgres, db, os.DirFS("."), goose.WithTableName("wxsteward_migration"), goose.WithDisableGlobalRegistry(true))
	require.NoError(t, err)
	_, err = provider.Up(t.Context())
	require.NoError(t, err)
	_, err = provider.DownTo(t.Context(), 0)
	require.NoError(t, err)
	require.Equal(t, []string{"wxsteward_migration"}, tables(t, pool))
}

func TestBrokenDatabaseIsTold(t *testing.T) {
	t.Parallel()
	pool := postgrestest.Open(t, postgrestest.EmptyURL(t))
	_, err := pool.Exec(t.Context(), "CREATE TABLE authorizer (something_else int)")
	require.NoError(t, err)
	err = migrations.Up(t.Context(), pool, slog.New(slog.DiscardHandler))
	require.ErrorContains(t, err, "authorizer")
	list, statusErr := migrations.Status(t.Context(), pool)
	require.NoError(t, statusErr)
	require.True(t, list[1].Applied())
	require.False(t, list[2].Applied(), "the failed step left nothing")
	require.NotContains(t, tables(t, pool), "authorization_link")
}
