package main

import (
	"net/http"
	"os"
	"os/exec"
	"slices"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/stretchr/testify/require"
)

// BenchmarkPages asks for the lists of a rollout of 10,000 and of an audit desk with 5,000, 200 times each, and opens both in
// Chromium (webui/e2e/speed.spec.ts): how long until the page can be worked with, and until its end can be scrolled to.
func BenchmarkPages(b *testing.B) {
	w := newBenchWorld(b)
	o := newOperator(b, "http://"+w.address)
	o.signIn()
	db, err := pgx.Connect(b.Context(), w.databaseURL)
	require.NoError(b, err)
	b.Cleanup(func() { _ = db.Close(b.Context()) })
	for _, q := range []string{
		`INSERT INTO authorizer (appid, kind, status, nick_name, func_scopes) SELECT 'wxcrowd' || n, 'miniprogram', 'authorized', '连锁店 ' || n, '{18}' FROM generate_series(1, 17000) n`,
		`INSERT INTO rollout (name, state, template_id, user_version, spec, targets, total, finished_at)
			SELECT name, 'completed', 0, '2.3.0', '{}', '{}', total, now() FROM (VALUES ('ten thousand', 10000), ('audits', 7000)) r (name, total)`,
		`INSERT INTO submission (rollout_id, appid, state, template_id, user_version, marker, admitted, finished_at)
			SELECT r.id, 'wxcrowd' || n, (ARRAY['released', 'released', 'released', 'failed', 'blocked'])[n % 5 + 1], 0, '2.3.0', 'm' || n, true, now()
			FROM generate_series(1, 10000) n, rollout r WHERE r.total = 10000`,
		`INSERT INTO submission (rollout_id, appid, state, template_id, user_version, marker, admitted, audit_id, audit_status, submitted_at, next_look, finished_at, reason, reason_group)
			SELECT r.id, 'wxcrowd' || n, CASE WHEN n <= 15000 THEN 'auditing' ELSE 'rejected' END, 0, '2.3.0', 'm' || n, true, n, CASE WHEN n <= 15000 THEN 2 ELSE 1 END,
				now() - n * interval '1 second', now() + interval '1 day', CASE WHEN n > 15000 THEN now() END,
				CASE WHEN n > 15000 THEN '1:请补充测试账号' ELSE '' END, CASE WHEN n > 15000 THEN 'account' ELSE '' END
			FROM generate_series(10001, 17000) n, rollout r WHERE r.total = 7000`,
		`ANALYZE`,
	} {
		_, err := db.Exec(b.Context(), q)
		require.NoError(b, err)
	}
	var rollout string
	require.NoError(b, db.QueryRow(b.Context(), `SELECT id::text FROM rollout WHERE total = 10000`).Scan(&rollout))
	worst := time.Duration(0)
	for _, path := range []string{
		"/rollouts", "/rollouts/" + rollout, "/submissions?rollout_id=" + rollout, "/submissions?limit=200&rollout_id=" + rollout,
		"/submissions?state=failed&limit=200&rollout_id=" + rollout, "/audits?limit=200", "/audits?state=rejected&limit=200", "/audits/summary",
	} {
		took := make([]time.Duration, 200)
		for i := range took {
			began := time.Now()
			o.call(http.MethodGet, path, nil, nil)
			took[i] = time.Since(began)
		}
		slices.Sort(took)
		worst = max(worst, took[197])
		b.Logf("%-50s p50 %5.1f ms, p99 %5.1f ms", path, ms(took[100]), ms(took[197]))
	}
	b.ReportMetric(0, "ns/op")
	b.ReportMetric(ms(worst), "worst-p99-ms")
	if _, err := exec.LookPath("npm"); err != nil {
		b.Log("no npm: the pages are not opened")
		return
	}
	browser := exec.CommandContext(b.Context(), "npm", "run", "e2e", "--", "speed")
	browser.Dir = "../../webui"
	browser.Env = append(os.Environ(), "E2E_URL=http://"+w.address, "E2E_USERNAME=admin", "E2E_PASSWORD="+testPassword, "E2E_ROLLOUT="+rollout, "E2E_PART=speed")
	out, err := browser.CombinedOutput()
	_, _ = os.Stderr.Write(out) // b.Log leaves most of it out
	require.NoError(b, err)
}
