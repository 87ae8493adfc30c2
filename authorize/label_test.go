package authorize

import (
	"fmt"
	"net/http"
	"testing"

	"github.com/stretchr/testify/require"
)

//nolint:tparallel // its parts build on each other
func TestBulkLabels(t *testing.T) {
	t.Parallel()
	e := newEnv(t, idle(true))
	_, err := e.pool.Exec(t.Context(), `INSERT INTO authorizer (appid, kind, status, nick_name) SELECT 'wxbulk' || lpad(n::text, 6, '0'), 'miniprogram', 'authorized', '店' || n
		FROM generate_series(1, 2500) n`)
	require.NoError(t, err)
	full := "wxbulk000002"
	_, err = e.pool.Exec(t.Context(), `INSERT INTO authorizer_label (appid, label) SELECT $1, 'l' || n FROM generate_series(1, 50) n`, full)
	require.NoError(t, err)
	call := func(in map[string]any) map[string]any {
		t.Helper()
		status, got := e.api(http.MethodPost, "/authorizers/labels", in)
		require.Equal(t, http.StatusOK, status, got)
		return got
	}

	t.Run("who fails is listed with why, and the others are done", func(t *testing.T) {
		in := map[string]any{"appids": []string{"wxbulk000001", full, "wx-never-seen", "wx\n1", "wxbulk000001"}, "add": []string{" vip ", "vip"}}
		got := call(in)
		require.EqualValues(t, 1, got["changed"])
		require.EqualValues(t, 0, got["unchanged"])
		codes := map[string]any{}
		var again []string
		for _, f := range got["failed"].([]any) {
			failure := f.(map[string]any)
			codes[failure["appid"].(string)] = failure["code"]
			require.NotEmpty(t, failure["detail"])
			again = append(again, failure["appid"].(string))
		}
		require.Equal(t, map[string]any{full: "validation", "wx-never-seen": "not_found", "wx\n1": "not_found"}, codes)

		// What was wrong is mended; only those that failed are done again.
		_, err := e.pool.Exec(t.Context(), `DELETE FROM authorizer_label WHERE appid = $1 AND label = 'l1'`, full)
		require.NoError(t, err)
		in["appids"] = again
		got = call(in)
		require.EqualValues(t, 1, got["changed"])
		require.Len(t, got["failed"], 2)
	})
	t.Run("by filter, over many transactions", func(t *testing.T) {
		got := call(map[string]any{"filter": map[string]any{"q": "wxbulk", "status": "authorized"}, "add": []string{"autumn"}})
		require.EqualValues(t, 2499, got["changed"], got)
		require.Len(t, got["failed"], 1, "one has fifty labels")
		got = call(map[string]any{"filter": map[string]any{"label": "autumn"}, "remove": []string{"autumn"}})
		require.EqualValues(t, 2499, got["changed"], "those that drop out of the filter while it goes on are no fewer")
		got = call(map[string]any{"filter": map[string]any{}, "remove": []string{"autumn"}})
		require.EqualValues(t, 2500, got["unchanged"])
		require.Equal(t, 0, e.count(`SELECT count(*) FROM authorizer_label WHERE label = 'autumn'`))
	})
	t.Run("what makes no sense is refused", func(t *testing.T) {
		for name, in := range map[string]map[string]any{
			"nobody":             {"add": []string{"a"}},
			"nothing":            {"appids": []string{"wxbulk000001"}},
			"both ways of who":   {"appids": []string{"wxbulk000001"}, "filter": map[string]any{}, "add": []string{"a"}},
			"both to one label":  {"appids": []string{"wxbulk000001"}, "add": []string{"a"}, "remove": []string{"a"}},
			"an empty label":     {"appids": []string{"wxbulk000001"}, "add": []string{" "}},
			"a control char":     {"appids": []string{"wxbulk000001"}, "add": []string{"a\u0007"}},
			"an unknown status":  {"filter": map[string]any{"status": "gone"}, "add": []string{"a"}},
			"an unknown filter":  {"filter": map[string]any{"name": "x"}, "add": []string{"a"}},
			"fifty-one for each": {"filter": map[string]any{}, "add": appids("l", 51)},
		} {
			status, problem := e.api(http.MethodPost, "/authorizers/labels", in)
			require.Equal(t, http.StatusUnprocessableEntity, status, "%s %v", name, problem)
		}
	})
	t.Run("labels with counts", func(t *testing.T) {
		status, got := e.api(http.MethodGet, "/authorizers/labels?limit=2&q=L4", nil)
		require.Equal(t, http.StatusOK, status)
		require.Len(t, got["items"], 2)
		require.Equal(t, map[string]any{"label": "l4", "count": 1.0}, got["items"].([]any)[0])
		_, got = e.api(http.MethodGet, "/authorizers/labels?limit=1000&q=L4&cursor="+got["next_cursor"].(string), nil)
		require.Len(t, got["items"], 9, "l41 to l49")
		require.Empty(t, got["next_cursor"])
		_, got = e.api(http.MethodGet, "/authorizers/labels?q=vip", nil)
		require.Equal(t, []any{map[string]any{"label": "vip", "count": 2.0}}, got["items"])
	})
}

func TestNotes(t *testing.T) {
	t.Parallel()
	e := newEnv(t, idle(true))
	_, err := e.pool.Exec(t.Context(), `INSERT INTO authorizer (appid, status) VALUES ('wx1', 'authorized'), ('wx2', 'authorized')`)
	require.NoError(t, err)
	var last string
	for i := range 3 {
		status, made := e.api(http.MethodPost, "/authorizers/wx1/notes", map[string]string{"text": fmt.Sprintf(" 约好周%d回访 😀\n第二行 ", i)})
		require.Equal(t, http.StatusCreated, status, made)
		require.Equal(t, "admin", made["created_by"])
		require.Equal(t, fmt.Sprintf("约好周%d回访 😀\n第二行", i), made["text"])
		last = made["id"].(string)
	}
	status, got := e.api(http.MethodGet, "/authorizers/wx1/notes?limit=2", nil)
	require.Equal(t, http.StatusOK, status)
	require.Len(t, got["items"], 2)
	require.Equal(t, last, got["items"].([]any)[0].(map[string]any)["id"])
	_, got = e.api(http.MethodGet, "/authorizers/wx1/notes?limit=2&cursor="+got["next_cursor"].(string), nil)
	require.Len(t, got["items"], 1)
	require.Empty(t, got["next_cursor"])
	for path, text := range map[string]string{"wx-never-seen": "a"} {
		status, _ = e.api(http.MethodPost, "/authorizers/"+path+"/notes", map[string]string{"text": text})
		require.Equal(t, http.StatusNotFound, status)
	}
	for _, text := range []string{" ", "a\x00", string(make([]byte, 4001))} {
		status, _ = e.api(http.MethodPost, "/authorizers/wx1/notes", map[string]string{"text": text})
		require.Equal(t, http.StatusUnprocessableEntity, status)
	}
	status, _ = e.api(http.MethodDelete, "/authorizers/wx2/notes/"+last, nil)
	require.Equal(t, http.StatusNotFound, status, "another merchant's")
	status, _ = e.api(http.MethodDelete, "/authorizers/wx1/notes/"+last, nil)
	require.Equal(t, http.StatusNoContent, status)
	status, _ = e.api(http.MethodDelete, "/authorizers/wx1/notes/x", nil)
	require.Equal(t, http.StatusNotFound, status)
	require.Equal(t, 2, e.count(`SELECT count(*) FROM authorizer_note`))
}
