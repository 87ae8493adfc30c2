package authorize

import (
	"testing"

	"github.com/jackc/pgx/v5"
	"github.com/stretchr/testify/require"
)

// TestNameSearchFindsWhatTheDirectoryFinds: both by the index of names and by each row's merchant.
func TestNameSearchFindsWhatTheDirectoryFinds(t *testing.T) {
	t.Parallel()
	e := newEnv(t, idle(true))
	fill(t, e.pool, 1000)
	for name, f := range filters() {
		if f.Query == "" {
			continue
		}
		want := plainly(t, e.pool, Filter{Query: f.Query})
		for _, rare := range []bool{true, false} {
			var args []any
			search := NameSearch{f.Query, rare}
			where := search.Condition(`b.appid`, func(value any) string {
				args = append(args, value)
				return []string{"$1", "$2"}[len(args)-1]
			})
			rows, err := e.pool.Query(t.Context(), `SELECT b.appid FROM authorizer_biz_id b WHERE `+where, args...)
			require.NoError(t, err)
			found, err := pgx.CollectRows(rows, pgx.RowTo[string])
			require.NoError(t, err)
			require.ElementsMatch(t, want, found, "%s, rare: %t", name, rare)
		}
	}
}
