package adminauth_test

import (
	"net/http"
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
		{"root", "POST", "/api/v1/users", "create-user", id, "ok", 201},
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
		r := root.do(http.MethodGet, "/audit-log?user=victor&outcome=refused&since=2020-01-01T00:00:00Z", "")
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
