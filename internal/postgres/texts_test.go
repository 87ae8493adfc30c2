package postgres_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgtype"
	"github.com/stretchr/testify/require"

	"github.com/wxsteward/wxsteward/internal/postgres"
	"github.com/wxsteward/wxsteward/internal/postgres/postgrestest"
)

// TestTexts: in every way in which pgx can be told to run statements, PostgreSQL gets what was meant.
func TestTexts(t *testing.T) { //nolint:paralleltest // counts allocations
	pool := postgrestest.Open(t, postgrestest.URL(t))
	for _, mode := range []pgx.QueryExecMode{
		pgx.QueryExecModeCacheStatement, pgx.QueryExecModeCacheDescribe, pgx.QueryExecModeDescribeExec, pgx.QueryExecModeExec, pgx.QueryExecModeSimpleProtocol,
	} {
		for name, list := range map[string]postgres.Texts{
			"one":              {"a"},
			"empty ones":       {"", "", ""},
			"quotes and kanji": {`{"a":"b\\c'"}`, "微信 🎉", `NULL`, "a,b"},
			"a long one":       {strings.Repeat("x", 100_000), "y"},
			"none":             {},
		} {
			var got []string
			err := pool.QueryRow(t.Context(), `SELECT $2::text[] FROM (SELECT $1::bigint) one`, mode, int64(1), list).Scan(&got)
			require.NoError(t, err, "%s: %s", mode, name)
			require.Equal(t, []string(list), got, "%s: %s", mode, name)
		}
		var isNull bool
		require.NoError(t, pool.QueryRow(t.Context(), `SELECT $1::text[] IS NULL`, mode, postgres.Texts(nil)).Scan(&isNull), mode.String())
		require.True(t, isNull, mode.String())
	}
	conn, err := pool.Acquire(t.Context())
	require.NoError(t, err)
	defer conn.Release()
	plan := conn.Conn().TypeMap().PlanEncode(pgtype.TextArrayOID, pgtype.BinaryFormatCode, postgres.Texts{})
	require.Equal(t, "*postgres.textsPlan", fmt.Sprintf("%T", plan))
	list := slices.Repeat(postgres.Texts{strings.Repeat("x", 400)}, 50)
	buf := make([]byte, 0, 1<<16)
	require.LessOrEqual(t, testing.AllocsPerRun(10, func() { _, err = plan.Encode(list, buf) }), 3.0, "not one for each text")
	require.NoError(t, err)
	var kind string
	require.NoError(t, pool.QueryRow(t.Context(), `SELECT array_to_string($1::varchar[], '+')`, postgres.Texts{"a", "b"}).Scan(&kind))
	require.Equal(t, "a+b", kind, "another type of element")
}
