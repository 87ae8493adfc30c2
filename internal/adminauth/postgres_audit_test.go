package adminauth

import (
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/wxsteward/wxsteward/internal/postgres/postgrestest"
)

// TestAuditSearchUsesIndexes asks PostgreSQL how it would read a page of a long log.
func TestAuditSearchUsesIndexes(t *testing.T) {
	t.Parallel()
	db := postgrestest.Open(t, postgrestest.URL(t))
	_, err := db.Exec(t.Context(), `INSERT INTO audit_log (at, username, method, path, action, target, status, outcome, ip)
		SELECT now() - make_interval(secs => i), 'user' || i % 500, 'POST', '/api/v1/x/' || i, 'action-' || i % 400, 'wx' || i % 3000 || '/part', 200,
			CASE WHEN i % 1000 = 0 THEN 'refused' ELSE 'ok' END, '10.0.0.' || i % 200 FROM generate_series(1, 30000) i`)
	require.NoError(t, err)
	_, err = db.Exec(t.Context(), `VACUUM ANALYZE audit_log`)
	require.NoError(t, err)
	now := time.Now()
	for name, f := range map[string]auditFilter{
		"audit_log_at":       {},
		"audit_log_at range": {from: now.Add(-3 * time.Hour), to: now.Add(-2 * time.Hour)},
		"audit_log_at place": {after: place{now.Add(-5 * time.Hour), 100}},
		"audit_log_username": {user: "user7"},
		"audit_log_action":   {action: "action-7"},
		"audit_log_target":   {target: "wx7/part"},
		"audit_log_trouble":  {outcome: "refused"},
		"audit_log_search":   {words: searchWords("wx77/part")},
	} {
		q, args := f.query(21)
		rows, err := db.Query(t.Context(), "EXPLAIN "+q, args...)
		require.NoError(t, err)
		var plan strings.Builder
		for rows.Next() {
			var line string
			require.NoError(t, rows.Scan(&line))
			plan.WriteString(line + "\n")
		}
		require.NoError(t, rows.Err())
		index, _, _ := strings.Cut(name, " ")
		require.Contains(t, plan.String(), index, name)
		require.NotContains(t, plan.String(), "Seq Scan", name)
	}
}
