package migrations_test

import (
	"context"
	"fmt"
	"log/slog"
	"os"
	"testing"

	"github.com/wxsteward/wxsteward/internal/postgres"
	"github.com/wxsteward/wxsteward/internal/postgres/postgrestest"
	"github.com/wxsteward/wxsteward/internal/sealed"
	"github.com/wxsteward/wxsteward/migrations"
)

// childURL makes the test binary a process that migrates that database.
const childURL = "MIGRATIONS_TEST_CHILD_URL"

func TestMain(m *testing.M) {
	if url := os.Getenv(childURL); url != "" {
		if err := migrate(url); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		return
	}
	postgrestest.Main(m)
}

func migrate(url string) error {
	ctx := context.Background()
	pool, err := postgres.Open(ctx, sealed.New(url), postgres.PoolConfig{})
	if err != nil {
		return err
	}
	defer pool.Close()
	return migrations.Up(ctx, pool, slog.New(slog.NewTextHandler(os.Stdout, nil)))
}
