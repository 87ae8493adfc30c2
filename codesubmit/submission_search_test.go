package codesubmit

import (
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/stretchr/testify/require"
)

func TestSubmissionsAreFoundByNameAndAppID(t *testing.T) {
	t.Parallel()
	const other = "wx00000000000000b2"
	e := newShops(t, shop, other)
	id := e.roll("2.3.0", map[string]any{"start_at": time.Now().Add(time.Hour)}, shop, other)
	found := func(q string) []string {
		status, out := e.API(http.MethodGet, "/submissions?limit=1&rollout_id="+id+"&q="+q, nil)
		require.Equal(t, http.StatusOK, status, out)
		items, _ := out["items"].([]any)
		appids := []string{}
		for _, item := range items {
			appid, _ := item.(map[string]any)["appid"].(string)
			appids = append(appids, appid)
		}
		require.InDelta(t, len(appids), out["total"], 0, "the total counts what is found")
		return appids
	}
	require.Equal(t, []string{other}, found("00B2"), "part of the appid")
	require.Equal(t, []string{shop}, found("shop+"+shop), "the name, whatever its case")
	require.Empty(t, found("%25"), "no pattern")
}

// TestNamesAreSearchedWithoutAListOfThem: with many merchants on record, of whom a few or most have the name, pages, totals and
// the audit desk find theirs, and neither does a query carry merchants nor does a rare name look through all of them.
func TestNamesAreSearchedWithoutAListOfThem(t *testing.T) {
	t.Parallel()
	e := newShops(t)
	e.StopJobs()
	const merchants, submissions = 6000, 40
	fill := []string{
		`INSERT INTO authorizer (appid, kind, status, nick_name) SELECT 'wx' || lpad(n::text, 16, '0'), 'miniprogram', 'authorized', 'Café ' || n FROM generate_series(1, 6000) n`,
		`INSERT INTO rollout (name, state, template_id, user_version, spec, targets, total) VALUES ('r', 'running', 1, '1.0.0', '{}', '{}', 40)`,
		`INSERT INTO submission (rollout_id, appid, state, template_id, user_version, marker, submitted_at)
			SELECT r.id, 'wx' || lpad((n * 100)::text, 16, '0'), 'auditing', 1, '1.0.0', 'm' || n, now() FROM rollout r, generate_series(1, 40) n`,
		`VACUUM (ANALYZE) authorizer, submission`,
	}
	for _, q := range fill {
		_, err := e.Pool.Exec(t.Context(), q)
		require.NoError(t, err)
	}
	for part, want := range map[string]int{"CAFÉ": submissions, "café 400": 2, "Café 3900": 1, "café 4001": 0, "afé%": 0} {
		found := map[string]bool{}
		f := SubmissionFilter{Query: part, Limit: 7}
		for {
			page, total, err := e.service.Submissions(t.Context(), f)
			require.NoError(t, err)
			require.EqualValues(t, want, total, part)
			for _, sub := range page {
				found[sub.AppID] = true
				f.After = sub.ID
			}
			if len(page) < f.Limit {
				break
			}
		}
		require.Len(t, found, want, part)
		desk, err := e.service.Desk(t.Context(), DeskFilter{Query: part, Limit: 100})
		require.NoError(t, err)
		require.Len(t, desk, want, part)

		where, args, err := e.service.selected(t.Context(), f)
		require.NoError(t, err)
		for _, arg := range args {
			require.IsType(t, "", arg, "no list of merchants")
		}
		rows, err := e.Pool.Query(t.Context(), `EXPLAIN SELECT count(*) FROM submission s`+where, args...)
		require.NoError(t, err)
		lines, err := pgx.CollectRows(rows, pgx.RowTo[string])
		require.NoError(t, err)
		if plan := strings.Join(lines, "\n"); want < submissions {
			require.NotContains(t, plan, "Seq Scan on authorizer", part)
			require.Contains(t, plan, "authorizer_search", part)
		}
	}
	tx, err := e.Pool.Begin(t.Context())
	require.NoError(t, err)
	defer tx.Rollback(t.Context()) //nolint:errcheck // nothing was written
	one := New(Config{}, Deps{DB: tx, Merchants: e.Merchants})
	_, _, err = one.Submissions(t.Context(), SubmissionFilter{Query: "Café 3900", Limit: 7})
	require.NoError(t, err)
	_, err = one.Desk(t.Context(), DeskFilter{Query: "Café 3900", Limit: 7})
	require.NoError(t, err)
	var kept int
	require.NoError(t, tx.QueryRow(t.Context(), `SELECT count(*) FROM pg_prepared_statements WHERE statement LIKE '%FROM submission s%a.search%'
		AND statement NOT LIKE '%pg_prepared%' AND statement NOT LIKE 'EXPLAIN%'`).Scan(&kept))
	require.Zero(t, kept, "no plan is kept for another text")
	require.Equal(t, merchants, e.Count(`SELECT count(*) FROM authorizer`))
}
