package adminauth_test

import (
	"encoding/csv"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/stretchr/testify/require"
)

//nolint:tparallel // its parts build on each other
func TestAuditLog(t *testing.T) {
	t.Parallel()
	s, _ := start(t)
	s.browser(t).signIn("intruder", "wrong-wrong-wrong")
	root := s.root(t)
	viewer, id := s.addUser(t, root, "victor", "viewer")
	viewer.do(http.MethodPost, "/things", `{"name":"a"}`)
	viewer.do(http.MethodGet, "/secret/7", "")
	viewer.do(http.MethodGet, "/session", "")
	root.do(http.MethodGet, "/secret/7", "")
	root.do(http.MethodPost, "/things", `{"name":"panic"}`)
	root.do(http.MethodPost, "/things", `{"nome":"a"}`)
	root.do(http.MethodDelete, "/users/"+id, "")
	noCSRF := &browser{t: t, url: s.url, client: root.client, header: root.header, noCSRF: true}
	noCSRF.do(http.MethodDelete, "/users/1", "")
	s.browser(t).do(http.MethodDelete, "/users/1", "")

	type entry struct {
		User, Method, Path, Action, Target, Outcome string
		Status                                      int
	}
	want := []entry{ // newest first
		{"", "DELETE", "/api/v1/users/1", "delete-user", "1", "refused", 401},
		{"root", "DELETE", "/api/v1/users/1", "delete-user", "1", "refused", 403},
		{"root", "DELETE", "/api/v1/users/" + id, "delete-user", id, "ok", 204},
		{"root", "POST", "/api/v1/things", "create-thing", "", "failed", 422},
		{"root", "POST", "/api/v1/things", "create-thing", "", "failed", 500},
		{"root", "GET", "/api/v1/secret/7", "show-secret", "7", "ok", 200},
		{"victor", "GET", "/api/v1/secret/7", "show-secret", "7", "refused", 403},
		{"victor", "POST", "/api/v1/things", "create-thing", "", "refused", 403},
		{"victor", "POST", "/api/v1/session", "sign-in", "", "ok", 200},
		{"root", "POST", "/api/v1/users", "create-user", id + "/victor", "ok", 201},
		{"root", "POST", "/api/v1/session", "sign-in", "", "ok", 200},
		{"intruder", "POST", "/api/v1/session", "sign-in", "", "refused", 401},
	}
	var got []entry
	path := "/audit-log?limit=5"
	for path != "" {
		r := root.do(http.MethodGet, path, "")
		require.Equal(t, 200, r.status, r.text)
		require.Nil(t, r.body["total"])
		for _, item := range r.body["items"].([]any) {
			e := item.(map[string]any)
			require.Equal(t, "127.0.0.1", e["ip"])
			at, err := time.Parse(time.RFC3339, e["at"].(string))
			require.NoError(t, err)
			require.WithinDuration(t, time.Now(), at, time.Minute)
			got = append(got, entry{
				e["user"].(string), e["method"].(string), e["path"].(string), e["action"].(string), e["target"].(string),
				e["outcome"].(string), int(e["status"].(float64)),
			})
		}
		path = ""
		if next := r.str(t, "next_cursor"); next != "" {
			path = "/audit-log?limit=5&cursor=" + next
		}
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("audit log (-want +got):\n%s", diff)
	}

	t.Run("can be narrowed", func(t *testing.T) {
		r := root.do(http.MethodGet, "/audit-log?user=victor&outcome=refused&from=2020-01-01T00:00:00Z", "")
		require.Len(t, r.body["items"], 2)
		require.Equal(t, 401, viewer.do(http.MethodGet, "/audit-log", "").status, "the viewer is gone")
	})
	t.Run("holds no passwords, and neither does the log", func(t *testing.T) {
		var text string
		require.NoError(t, s.db.QueryRow(t.Context(), `SELECT coalesce(string_agg(audit_log::text, '|'), '') FROM audit_log`).Scan(&text))
		for _, secret := range []string{rootPassword, userPassword, "wrong-wrong-wrong"} {
			require.NotContains(t, text, secret)
			require.NotContains(t, s.log.String(), secret)
		}
	})
}

func TestAuditLogKeepsSignInsInAFlood(t *testing.T) {
	t.Parallel()
	s, _ := start(t)
	nobody := s.browser(t)
	for range 1010 { // more than nobody in particular may have written
		nobody.do(http.MethodDelete, "/users/1", "")
	}
	root := s.root(t)
	r := root.do(http.MethodGet, "/audit-log?action=sign-in&outcome=ok", "")
	require.Len(t, r.body["items"], 1, r.text)
}

// write fills the audit log past the API: n entries a second apart, the last one now.
func (s *site) write(t *testing.T, n int, user, action, target, outcome, ip string, until time.Time) {
	t.Helper()
	_, err := s.db.Exec(t.Context(), `INSERT INTO audit_log (at, username, method, path, action, target, status, outcome, ip)
		SELECT $7::timestamptz - make_interval(secs => i), $2, 'POST', '/api/v1/' || $3, $3, $4, 200, $5, $6 FROM generate_series(0, $1 - 1) i`,
		n, user, action, target, outcome, ip, until)
	require.NoError(t, err)
}

func items(t *testing.T, r reply) []any {
	t.Helper()
	require.Equal(t, 200, r.status, r.text)
	list, ok := r.body["items"].([]any)
	require.True(t, ok, r.text)
	return list
}

func TestWhatWasCreatedIsFoundByName(t *testing.T) {
	t.Parallel()
	s, _ := start(t)
	root := s.root(t)
	for _, made := range []struct {
		path, body string
		words      []string
	}{
		{"/users", `{"username":"olga.reed","password":"a long password","role":"viewer"}`, []string{"olga", "olga.reed", "reed"}},
		{"/api-keys", `{"name":"Orders/北京 shop","role":"viewer"}`, []string{"orders", "%E5%8C%97%E4%BA%AC", "shop"}},
	} {
		r := root.do(http.MethodPost, made.path, made.body)
		require.Equal(t, http.StatusCreated, r.status, r.text)
		id, _ := r.body["id"].(string)
		require.Equal(t, http.StatusNoContent, root.do(http.MethodDelete, made.path+"/"+id, "").status)
		for _, q := range made.words {
			require.Len(t, items(t, root.do(http.MethodGet, "/audit-log?q=create+"+q, "")), 1, q)
		}
		// The id still finds what happened to it afterwards.
		require.Len(t, items(t, root.do(http.MethodGet, "/audit-log?q=create&target="+id, "")), 1)
		require.Len(t, items(t, root.do(http.MethodGet, "/audit-log?q=delete&target="+id, "")), 1)
	}
}

//nolint:tparallel // its parts build on each other
func TestAuditSearch(t *testing.T) {
	t.Parallel()
	s, _ := start(t)
	root := s.root(t)
	at := time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	s.write(t, 3, "olga", "release-submission", "77", "ok", "10.1.2.3", at)
	s.write(t, 2, "key:ci-server", "add-category", "wxshop00000000001/abc", "failed", "10.1.2.30", at.Add(time.Hour))
	s.write(t, 1, "商家小王", "change-authorizer", "wxshop00000000001", "refused", "2001:db8::1", at.Add(2*time.Hour))
	for _, tt := range []struct {
		query string
		want  int
	}{
		{"user=olga", 3},
		{"user=olg", 0},
		{"user=key:ci-server", 2},
		{"action=add-category", 2},
		{"target=wxshop00000000001", 3},
		{"target=wxshop00000000001/abc", 2},
		{"target=wxshop", 0},
		{"outcome=failed", 2},
		{"outcome=refused", 1},
		{"from=2026-03-01T12:00:00Z&to=2026-03-01T14:00:00Z", 3},
		{"to=2026-03-01T12:00:00Z", 2},
		{"q=olga", 3},
		{"q=OLG", 3},
		{"q=lga", 0},
		{"q=release-sub", 3},
		{"q=sub-release", 0},
		{"q=wxshop", 3},
		{"q=wxshop00000000001/ab", 2},
		{"q=10.1.2.3", 5},
		{"q=10.1.2.30", 2},
		{"q=ci-server+category", 2},
		{"q=olga+category", 0},
		{"q=%E5%95%86%E5%AE%B6", 1},
		{"q=2001:db8", 1},
		{"q=olga&outcome=failed", 0},
		{"q=olga&to=2026-03-01T12:00:00Z", 2},
	} {
		require.Len(t, items(t, root.do(http.MethodGet, "/audit-log?limit=200&user_agent=x&"+tt.query, "")), tt.want, tt.query)
	}
	t.Run("odd text finds nothing or all, and is no error", func(t *testing.T) {
		for _, q := range []string{"'", "!", "%26%7C", "a':*+|+'b", "%5C", "%00", "%F0%9F%98%80", "--", "(((", "a%3A%2A", "%C2%A0", "%E3%80%80", "%22x"} {
			require.Equal(t, 200, root.do(http.MethodGet, "/audit-log?q="+q, "").status, q)
		}
		require.Equal(t, 422, root.do(http.MethodGet, "/audit-log?outcome=other", "").status)
		require.Equal(t, 422, root.do(http.MethodGet, "/audit-log?cursor=other", "").status)
	})
	t.Run("pages miss and repeat nothing where many came at one time", func(t *testing.T) {
		_, err := s.db.Exec(t.Context(), `UPDATE audit_log SET at = $1 WHERE username = 'olga'`, at)
		require.NoError(t, err)
		seen := map[any]bool{}
		path := "/audit-log?limit=2&to=2026-03-02T00:00:00Z"
		for next := path; next != ""; {
			r := root.do(http.MethodGet, next, "")
			for _, item := range items(t, r) {
				id := item.(map[string]any)["id"]
				require.False(t, seen[id])
				seen[id] = true
			}
			next = ""
			if cursor := r.str(t, "next_cursor"); cursor != "" {
				next = path + "&cursor=" + cursor
			}
		}
		require.Len(t, seen, 6)
	})
	t.Run("refused reading is an entry, reading is none", func(t *testing.T) {
		viewer, _ := s.addUser(t, root, "victor", "viewer")
		require.Equal(t, 403, viewer.do(http.MethodGet, "/users", "").status)
		require.Equal(t, 200, root.do(http.MethodGet, "/users", "").status)
		require.Equal(t, 401, s.browser(t).do(http.MethodGet, "/users", "").status)
		list := items(t, root.do(http.MethodGet, "/audit-log?action=list-users", ""))
		require.Len(t, list, 1)
		require.Equal(t, "victor", list[0].(map[string]any)["user"])
		require.Equal(t, "refused", list[0].(map[string]any)["outcome"])
	})
}

//nolint:tparallel // its parts build on each other
func TestAuditExport(t *testing.T) {
	t.Parallel()
	s, _ := start(t)
	root := s.root(t)
	at := time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	s.write(t, 2500, "olga", "release-submission", "77", "ok", "10.1.2.3", at) // more than two pages
	s.write(t, 1, "=HYPERLINK(0)", "sign-in", "", "refused", "10.1.2.3", at.Add(time.Hour))

	r := root.do(http.MethodGet, "/audit-log.csv", "")
	require.Equal(t, 200, r.status)
	require.Equal(t, "text/csv; charset=utf-8", r.header.Get("Content-Type"))
	require.Contains(t, r.header.Get("Content-Disposition"), "attachment")
	text, found := strings.CutPrefix(r.text, "\xef\xbb\xbf")
	require.True(t, found)
	rows, err := csv.NewReader(strings.NewReader(text)).ReadAll()
	require.NoError(t, err)
	require.Equal(t, []string{"at", "user", "action", "target", "outcome", "status", "method", "path", "ip", "id"}, rows[0])
	require.Len(t, rows, 1+1+1+2500, "and the sign-in of this test")
	require.Equal(t, []string{"2026-03-01T13:00:00Z", "'=HYPERLINK(0)", "sign-in", "", "refused"}, rows[2][:5], "a cell is no formula")
	ids := map[string]bool{}
	for i, row := range rows[3:] {
		require.Equal(t, at.Add(-time.Duration(i)*time.Second).Format(time.RFC3339), row[0])
		ids[row[9]] = true
	}
	require.Len(t, ids, 2500)

	t.Run("of what is asked for", func(t *testing.T) {
		r := root.do(http.MethodGet, "/audit-log.csv?outcome=refused", "")
		require.Equal(t, 2, strings.Count(r.text, "\n"), r.text)
	})
	t.Run("is an entry itself", func(t *testing.T) {
		require.Len(t, items(t, root.do(http.MethodGet, "/audit-log?action=export-audit-log", "")), 2)
	})
}

func TestAuditIsKeptByAge(t *testing.T) {
	t.Parallel()
	s, c := start(t)
	root := s.root(t)
	count := func() (n int) {
		require.NoError(t, s.db.QueryRow(t.Context(), `SELECT count(*) FROM audit_log WHERE username = 'old'`).Scan(&n))
		return n
	}
	s.write(t, 2500, "old", "x", "", "ok", "", c.now().Add(-366*24*time.Hour)) // more than go at once
	s.write(t, 10, "old", "x", "", "ok", "", c.now().Add(-364*24*time.Hour))
	s.write(t, 5, "old", "x", "", "ok", "", c.now().Add(-10*24*time.Hour))

	require.Equal(t, 200, root.do(http.MethodPatch, "/security", `{"audit_retention_days":0}`).status)
	require.NoError(t, s.Purge(t.Context()))
	require.Equal(t, 2515, count(), "0: for good")
	_, err := s.db.Exec(t.Context(), `DELETE FROM setting WHERE key = 'audit_retention_days'`)
	require.NoError(t, err)
	require.NoError(t, s.Purge(t.Context()))
	require.Equal(t, 15, count(), "a year when nobody has said otherwise")
	require.Equal(t, 200, root.do(http.MethodPatch, "/security", `{"audit_retention_days":30}`).status)
	require.NoError(t, s.Purge(t.Context()))
	require.Equal(t, 5, count())
	require.NoError(t, s.Purge(t.Context()), "and once more does no harm")
	require.Equal(t, 5, count())
	for _, wrong := range []string{"-1", "3651", `"30"`, "1.5"} {
		require.Equal(t, 422, root.do(http.MethodPatch, "/security", `{"audit_retention_days":`+wrong+`}`).status, wrong)
	}
	list := items(t, root.do(http.MethodGet, "/audit-log?action=change-security&outcome=ok", ""))
	require.Len(t, list, 2, "changes of it are entries")
}
