// Package migrations brings the database to the schema that this version needs: our own numbered SQL files, then the
// tables of River, the job queue.
package migrations

import (
	"cmp"
	"context"
	"embed"
	"errors"
	"fmt"
	"log/slog"
	"path/filepath"
	"slices"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/jackc/pgx/v5/stdlib"
	"github.com/pressly/goose/v3"
	"github.com/riverqueue/river/riverdriver/riverpgxv5"
	"github.com/riverqueue/river/rivermigrate"

	"github.com/wxsteward/wxsteward/internal/postgres"
)

//go:embed *.sql
var files embed.FS

// table is where goose notes what has been applied.
const table = "wxsteward_migration"

// The two sources of migrations, in the order in which they are applied.
const (
	Ours   = "wxsteward"
	Rivers = "river"
)

// Migration is one step and whether the database has it.
type Migration struct {
	Source  string // Ours or Rivers
	Version int64
	Name    string
	// AppliedAt is the zero time when it is still to be applied.
	AppliedAt time.Time
}

// Applied reports whether the database has it.
func (m Migration) Applied() bool { return !m.AppliedAt.IsZero() }

// Up applies what is missing. Any number of processes may call it at once: they go one after another. Each step is
// a transaction, so being killed in between leaves nothing half done. A database that a newer version has migrated
// further is left as it is.
func Up(ctx context.Context, pool *pgxpool.Pool, logger *slog.Logger) error {
	locks := postgres.NewLocker(pool)
	defer locks.Close()
	return locks.Do(ctx, "migrations", func(ctx context.Context) error {
		own, err := ownPool(ctx, pool)
		if err != nil {
			return err
		}
		defer own.Close()
		if err := upOurs(ctx, own, logger); err != nil {
			return err
		}
		return upRivers(ctx, own, logger)
	})
}

// ownPool is a pool without time-outs, since a migration of a large table may take as long as it takes.
func ownPool(ctx context.Context, pool *pgxpool.Pool) (*pgxpool.Pool, error) {
	config := pool.Config()
	config.MaxConns, config.MinConns, config.MinIdleConns = 2, 0, 0
	config.ConnConfig.RuntimeParams["statement_timeout"] = "0"
	config.ConnConfig.RuntimeParams["idle_in_transaction_session_timeout"] = "0"
	own, err := pgxpool.NewWithConfig(ctx, config)
	if err != nil {
		return nil, fmt.Errorf("open a pool for migrations: %w", err)
	}
	return own, nil
}

func upOurs(ctx context.Context, pool *pgxpool.Pool, logger *slog.Logger) (err error) {
	db := stdlib.OpenDBFromPool(pool)
	defer func() { err = errors.Join(err, db.Close()) }()
	provider, err := goose.NewProvider(goose.DialectPostgres, db, files, goose.WithTableName(table), goose.WithDisableGlobalRegistry(true))
	if err != nil {
		return fmt.Errorf("read the migrations: %w", err)
	}
	results, err := provider.Up(ctx)
	for _, r := range results {
		logger.InfoContext(ctx, "migration applied", "source", Ours, "version", r.Source.Version,
			"name", filepath.Base(r.Source.Path), "duration", r.Duration)
	}
	if err != nil {
		return fmt.Errorf("migrate the database: %w", err)
	}
	return nil
}

func upRivers(ctx context.Context, pool *pgxpool.Pool, logger *slog.Logger) error {
	migrator, err := rivermigrate.New(riverpgxv5.New(pool), &rivermigrate.Config{Logger: slog.New(slog.DiscardHandler)})
	if err != nil {
		return fmt.Errorf("read River's migrations: %w", err)
	}
	result, err := migrator.Migrate(ctx, rivermigrate.DirectionUp, nil)
	if err != nil {
		return fmt.Errorf("migrate River's tables: %w", err)
	}
	for _, v := range result.Versions {
		logger.InfoContext(ctx, "migration applied", "source", Rivers, "version", v.Version, "name", v.Name, "duration", v.Duration)
	}
	return nil
}

// Status lists every migration that this version knows, in order. It changes nothing.
func Status(ctx context.Context, db postgres.DB) ([]Migration, error) {
	list, err := known()
	if err != nil {
		return nil, err
	}
	for _, source := range []struct{ name, query string }{
		{Ours, "SELECT version_id, tstamp AT TIME ZONE 'UTC' FROM " + table + " WHERE is_applied"},
		{Rivers, "SELECT version, created_at FROM river_migration"},
	} {
		applied, err := appliedAt(ctx, db, source.query)
		if err != nil {
			return nil, fmt.Errorf("read which migrations of %s are applied: %w", source.name, err)
		}
		for i, m := range list {
			if m.Source == source.name {
				list[i].AppliedAt = applied[m.Version]
			}
		}
	}
	return list, nil
}

// Done reports whether the database has every migration that this version knows.
func Done(ctx context.Context, db postgres.DB) (bool, error) {
	list, err := Status(ctx, db)
	if err != nil {
		return false, err
	}
	return !slices.ContainsFunc(list, func(m Migration) bool { return !m.Applied() }), nil
}

func known() ([]Migration, error) {
	entries, err := files.ReadDir(".")
	if err != nil {
		return nil, fmt.Errorf("read the migrations: %w", err)
	}
	var list []Migration
	for _, entry := range entries {
		version, err := goose.NumericComponent(entry.Name())
		if err != nil {
			return nil, fmt.Errorf("read the migrations: %w", err)
		}
		list = append(list, Migration{Source: Ours, Version: version, Name: entry.Name()})
	}
	slices.SortFunc(list, func(a, b Migration) int { return cmp.Compare(a.Version, b.Version) })
	migrator, err := rivermigrate.New(riverpgxv5.New(nil), &rivermigrate.Config{Logger: slog.New(slog.DiscardHandler)})
	if err != nil {
		return nil, fmt.Errorf("read River's migrations: %w", err)
	}
	for _, m := range migrator.AllVersions() {
		list = append(list, Migration{Source: Rivers, Version: int64(m.Version), Name: m.Name})
	}
	return list, nil
}

// appliedAt is empty when the table does not exist yet.
func appliedAt(ctx context.Context, db postgres.DB, query string) (map[int64]time.Time, error) {
	rows, err := db.Query(ctx, query)
	if err != nil && !undefinedTable(err) {
		return nil, err
	}
	applied := map[int64]time.Time{}
	var version int64
	var at time.Time
	_, err = pgx.ForEachRow(rows, []any{&version, &at}, func() error {
		applied[version] = at
		return nil
	})
	if undefinedTable(err) {
		return nil, nil //nolint:nilnil // a nil map is an empty one
	}
	return applied, err
}

func undefinedTable(err error) bool {
	pgErr, ok := errors.AsType[*pgconn.PgError](err)
	return ok && pgErr.Code == "42P01"
}
