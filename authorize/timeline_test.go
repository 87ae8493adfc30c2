package authorize

import (
	"context"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/stretchr/testify/require"

	"github.com/wxsteward/wxsteward/internal/wechat/wechatfake"
)

// timeline reads all pages of a merchant's timeline.
func (e *env) timeline(appid string, limit int) []map[string]any {
	e.t.Helper()
	var all []map[string]any
	for cursor := ""; ; {
		status, page := e.api(http.MethodGet, fmt.Sprintf("/authorizers/%s/timeline?limit=%d&cursor=%s", appid, limit, url.QueryEscape(cursor)), nil)
		require.Equal(e.t, http.StatusOK, status, page)
		items := page["items"].([]any)
		require.LessOrEqual(e.t, len(items), limit)
		for _, item := range items {
			all = append(all, item.(map[string]any))
		}
		if cursor = page["next_cursor"].(string); cursor == "" {
			return all
		}
	}
}

func kindsOf(happenings []map[string]any) []string {
	kinds := make([]string, len(happenings))
	for i, h := range happenings {
		kinds[i] = h["kind"].(string)
	}
	return kinds
}

// find is the newest happening of a kind.
func find(tb testing.TB, happenings []map[string]any, kind string) map[string]any {
	tb.Helper()
	i := slices.IndexFunc(happenings, func(h map[string]any) bool { return h["kind"] == kind })
	require.GreaterOrEqual(tb, i, 0, "%s in %v", kind, kindsOf(happenings))
	return happenings[i]
}

func TestTimelineTellsTheLifeOfAMerchant(t *testing.T) {
	t.Parallel()
	e := newEnv(t)
	appid := e.have("wxtimeline0000001", "shop-1")
	other := e.have("wxtimeline0000002", "shop-2")
	status, _ := e.api(http.MethodPost, "/authorizers/"+appid+"/notes", map[string]any{"text": "合同到年底"})
	require.Equal(t, http.StatusCreated, status)
	status, _ = e.api(http.MethodPatch, "/authorizers/"+appid, map[string]any{
		"labels": []string{"vip", "east"}, "biz_ids": []string{"shop-1", "shop-9"}, "ext": map[string]any{"shop": "1"},
	})
	require.Equal(t, http.StatusOK, status)
	status, _ = e.api(http.MethodPatch, "/authorizers/"+appid, map[string]any{"labels": []string{"east", "vip"}, "ext": map[string]any{"shop": "1"}})
	require.Equal(t, http.StatusOK, status, "what is so already is no news")
	status, _ = e.api(http.MethodPost, "/authorizers/labels", map[string]any{"appids": []string{appid, other}, "add": []string{"vip", "autumn"}, "remove": []string{"east"}})
	require.Equal(t, http.StatusOK, status)
	got := e.imported("", "appid,labels,biz_id\n"+appid+",autumn;winter,shop-7\n")
	require.EqualValues(t, 1, got["changed"])
	e.imported("?dry_run=true", "appid,labels\n"+appid+",never\n")
	_, err := e.pool.Exec(t.Context(), `UPDATE authorizer SET nick_name = '新店名', func_scopes = '{17,18}', updated_at = $2 WHERE appid = $1`, appid, e.Now())
	require.NoError(t, err)
	require.NoError(t, e.wechat.Fake.Revoke(appid))
	e.until("it is withdrawn", func() bool { a, _ := e.Get(t.Context(), appid); return a.Status == statusUnauthorized })
	e.settled()
	l := e.link(NewLink{BizID: "shop-1", AppID: appid, CreatedBy: "erin"})
	e.ahead.Add(int64(2 * time.Second)) // WeChat's times are whole seconds
	e.agree(l, appid, wechatfake.OrderEvent)
	e.until("it is back", func() bool { return e.reread(l).Status == linkAuthorized })
	e.settled()

	whole := e.timeline(appid, 200)
	require.True(t, slices.IsSortedFunc(whole, func(a, b map[string]any) int {
		at := func(h map[string]any) time.Time { when, _ := time.Parse(time.RFC3339, h["at"].(string)); return when }
		return at(b).Compare(at(a))
	}), "newest first")
	counted := map[string]int{}
	for _, kind := range kindsOf(whole) {
		counted[kind]++
	}
	delete(counted, "scopes") // the return grants others than the test has written
	delete(counted, "renamed")
	require.Equal(t, map[string]int{
		"authorized": 2, "withdrawn": 1, "bound": 1, "link_created": 2, "link_opened": 2, "link_used": 2,
		"note": 1, "labels": 3, "biz_ids": 2, "ext": 1,
	}, counted)
	note := find(t, whole, "note")
	require.Equal(t, "合同到年底", note["text"])
	require.Equal(t, "admin", note["by"])
	imported := find(t, whole, "labels")
	require.Equal(t, []any{"winter"}, imported["added"], "the import has added what was not there")
	require.Equal(t, "admin", imported["by"])
	require.Contains(t, fmt.Sprint(whole), "added:[autumn] at:")
	require.Contains(t, fmt.Sprint(whole), "removed:[east]")
	i := slices.IndexFunc(whole, func(h map[string]any) bool { return h["kind"] == "renamed" && fmt.Sprint(h["added"]) == "[新店名]" })
	require.GreaterOrEqual(t, i, 0)
	require.Equal(t, []any{"店 " + appid}, whole[i]["removed"])
	back := find(t, whole, "link_used")
	require.Equal(t, l.ID, back["ref"])
	require.Equal(t, "erin", find(t, whole, "link_created")["by"])

	for _, limit := range []int{1, 3, 7} {
		require.Equal(t, whole, e.timeline(appid, limit), "pages of %d put together are the whole", limit)
	}
	require.Equal(t, 1, func() (n int) {
		for _, h := range e.timeline(other, 50) {
			if h["kind"] == "labels" {
				require.Equal(t, []any{"vip", "autumn"}, h["added"])
				n++
			}
		}
		return n
	}(), "another merchant has its own")
	status, _ = e.api(http.MethodGet, "/authorizers/wx-never-seen/timeline", nil)
	require.Equal(t, http.StatusNotFound, status)
	status, _ = e.api(http.MethodGet, "/authorizers/"+appid+"/timeline?cursor=nonsense", nil)
	require.Equal(t, http.StatusUnprocessableEntity, status)
}

func TestTimelineReachesBackTwoYears(t *testing.T) {
	t.Parallel()
	e := newEnv(t, idle(true))
	_, err := e.pool.Exec(t.Context(), `INSERT INTO authorizer (appid, status, authorized_at) VALUES ('wx1', 'authorized', '2026-01-01')`)
	require.NoError(t, err)
	_, err = e.pool.Exec(t.Context(), `DELETE FROM authorizer_history`)
	require.NoError(t, err)
	// More than are removed at a time, and one on either side of the limit.
	const q = `INSERT INTO authorizer_history (appid, at, kind) SELECT 'wx1', $1::timestamptz - n * interval '1 second', 'ext' FROM generate_series($2::int, $3::int) n`
	limit := e.Now().Add(-keepHistory)
	for _, n := range [][2]int{{60, 25000}, {-60, -60}} {
		_, err = e.pool.Exec(t.Context(), q, limit, n[0], n[1])
		require.NoError(t, err)
	}
	require.NoError(t, (&cleanWorker{s: e.Service}).Work(t.Context(), nil))
	require.Len(t, e.timeline("wx1", 200), 1)
}

func TestTimelinePagesOverOneMoment(t *testing.T) {
	t.Parallel()
	e := newEnv(t, idle(true))
	_, err := e.pool.Exec(t.Context(), `INSERT INTO authorizer (appid, status, authorized_at) VALUES ('wx1', 'authorized', '2026-01-01')`)
	require.NoError(t, err)
	at := time.Date(2026, 6, 1, 12, 0, 0, 123456000, time.UTC)
	_, err = e.pool.Exec(t.Context(), `INSERT INTO authorizer_note (appid, body, created_by, created_at) SELECT 'wx1', 'n' || n, 'admin', $1 FROM generate_series(1, 12) n`, at)
	require.NoError(t, err)
	e.AddHistory(func(_ context.Context, appid string, before Moment, limit int) ([]Happening, error) {
		var list []Happening
		for _, key := range []string{"zzz:1", "change:2", "change:1", "Note:1"} {
			h := Happening{At: at, Key: key, Kind: "deed"}
			if h.before(Happening{At: before.At, Key: before.Key}) > 0 && len(list) < limit {
				list = append(list, h)
			}
		}
		require.Equal(t, "wx1", appid)
		return list, nil
	})
	whole := e.timeline("wx1", 200)
	require.Len(t, whole, 12+4+1)
	for limit := 1; limit <= 6; limit++ {
		require.Equal(t, whole, e.timeline("wx1", limit), "pages of %d", limit)
	}
}

func TestTimelineIsReadByIndexes(t *testing.T) {
	t.Parallel()
	e := newEnv(t, idle(true))
	fill(t, e.pool, 3000)
	_, err := e.pool.Exec(t.Context(), `INSERT INTO authorization_link (id, biz_id, kind, authorizer_appid, expires_at) SELECT 'l' || n, 'b', 'any', 'wxo' || n, now() FROM generate_series(1, 5000) n`)
	require.NoError(t, err)
	_, err = e.pool.Exec(t.Context(), `INSERT INTO authorizer_note (appid, body, created_by, created_at) SELECT appid, 'n', 'admin', now() FROM authorizer`)
	require.NoError(t, err)
	_, err = e.pool.Exec(t.Context(), `ANALYZE authorization_link, authorizer_note, authorizer_history, authorizer_biz_id`)
	require.NoError(t, err)
	var appid string
	require.NoError(t, e.pool.QueryRow(t.Context(), `SELECT appid FROM authorizer LIMIT 1`).Scan(&appid))
	e.byIndexes(func(tx pgx.Tx) {
		list, err := listHappenings(t.Context(), tx, appid, start(), 30)
		require.NoError(t, err)
		require.NotEmpty(t, list)
	})
}

// byIndexes fails when read reads a whole table.
func (e *env) byIndexes(read func(tx pgx.Tx)) {
	e.t.Helper()
	ctx := e.t.Context()
	fresh, err := pgx.ConnectConfig(ctx, e.pool.Config().ConnConfig) // whose counters nobody has moved
	require.NoError(e.t, err)
	defer fresh.Close(context.Background()) //nolint:errcheck // a test
	tx, err := fresh.Begin(ctx)
	require.NoError(e.t, err)
	defer tx.Rollback(context.Background()) //nolint:errcheck // it changes nothing
	read(tx)
	var whole int
	require.NoError(e.t, tx.QueryRow(ctx, `SELECT coalesce(sum(seq_scan), 0) FROM pg_stat_xact_user_tables WHERE relname LIKE 'auth%'`).Scan(&whole))
	require.Zero(e.t, whole, "no table is read from end to end")
}
