package system

import (
	"context"
	"fmt"

	"github.com/jackc/pgx/v5"

	"github.com/wxsteward/wxsteward/internal/postgres"
)

// Database is what PostgreSQL says of itself.
type Database struct {
	Version   string
	SizeBytes int64
	Tables    []Table
}

// Table is a table with its indexes and, where it has some, its partitions. Rows is the planner's estimate.
type Table struct {
	Name  string
	Bytes int64
	Rows  int64
}

func readDatabase(ctx context.Context, db postgres.DB) (Database, error) {
	var d Database
	const q = `SELECT current_setting('server_version'), pg_database_size(current_database())`
	if err := db.QueryRow(ctx, q).Scan(&d.Version, &d.SizeBytes); err != nil {
		return Database{}, fmt.Errorf("read the database's version: %w", err)
	}
	const tables = `SELECT coalesce(p.relname, c.relname)::text, sum(pg_total_relation_size(c.oid))::bigint, sum(greatest(c.reltuples, 0))::bigint
		FROM pg_class c LEFT JOIN pg_inherits i ON i.inhrelid = c.oid LEFT JOIN pg_class p ON p.oid = i.inhparent
		WHERE c.relnamespace = current_schema()::regnamespace AND c.relkind IN ('r', 'p') GROUP BY 1 ORDER BY 2 DESC, 1`
	rows, err := db.Query(ctx, tables)
	if err != nil {
		return Database{}, fmt.Errorf("read the sizes of tables: %w", err)
	}
	if d.Tables, err = pgx.CollectRows(rows, pgx.RowToStructByPos[Table]); err != nil {
		return Database{}, fmt.Errorf("read the sizes of tables: %w", err)
	}
	return d, nil
}
