package authorize

import (
	"context"
	"fmt"
	"math/rand/v2"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/stretchr/testify/require"

	"github.com/wxsteward/wxsteward/internal/wechat/wechatfake"
)

// fill puts n merchants into the directory: a tenth withdrawn, a twentieth official accounts, most permission sets granted to
// most, labels and biz ids for some; a label and a permission set that only the oldest have.
func fill(tb testing.TB, pool *pgxpool.Pool, n int) {
	tb.Helper()
	exec := func(q string, args ...any) {
		tb.Helper()
		require.NoError(tb, pgx.BeginFunc(context.Background(), pool, func(tx pgx.Tx) error {
			if _, err := tx.Exec(context.Background(), `SET LOCAL statement_timeout = 0`); err != nil {
				return err
			}
			_, err := tx.Exec(context.Background(), q, args...)
			return err
		}))
	}
	exec(`INSERT INTO authorizer (appid, kind, status, nick_name, user_name, principal_name, signature, categories, network, func_scopes, created_at, authorized_at, info_at)
		SELECT 'wx' || substr(md5('a' || n), 1, 16), CASE WHEN n % 20 IN (3, 10) THEN 'official' WHEN n % 1000 = 7 THEN 'other' ELSE 'miniprogram' END,
			CASE WHEN n % 10 = 3 THEN 'unauthorized' ELSE 'authorized' END, '小店' || n, 'gh_' || substr(md5('u' || n), 1, 12),
			(ARRAY['成都','杭州','南京','兰州'])[n % 4 + 1] || n / 3 || '餐饮管理有限公司', repeat('扫码点餐不排队 ', 5),
			'[{"first":"餐饮服务","second":"点餐平台"}]', '{"request":["https://api.example.com"],"upload":["https://api.example.com"]}',
			ARRAY(SELECT s FROM generate_series(1, 20) s WHERE (n * 7919 + s * 104729) % 10 < 8) || CASE WHEN n > $1 * 0.97 THEN '{99}'::int[] ELSE '{}' END,
			now() - n * interval '1 minute', now() - n * interval '1 minute', now()
		FROM generate_series(1, $1::int) n`, n)
	exec(`INSERT INTO authorizer_label (appid, label) SELECT appid, l FROM (SELECT appid, row_number() OVER (ORDER BY created_at DESC) AS n FROM authorizer) a,
		LATERAL (SELECT 'all' UNION SELECT 'half' WHERE n % 2 = 0 UNION SELECT 'vip' WHERE n % 100 = 0 UNION SELECT 'oldest' WHERE n > $1::int * 0.95 UNION SELECT 'batch ' || n / 1000) x (l)`, n)
	exec(`INSERT INTO authorizer_biz_id (appid, biz_id) SELECT appid, 'shop-' || row_number() OVER (ORDER BY created_at DESC) FROM authorizer`)
	require.NoError(tb, tidyTally(context.Background(), pool))
	_, err := pool.Exec(context.Background(), `VACUUM (ANALYZE) authorizer, authorizer_label, authorizer_biz_id, authorizer_tally`)
	require.NoError(tb, err)
}

// filters are all single filters and combinations, with common, rare and absent values.
func filters() map[string]Filter {
	return map[string]Filter{
		"none":                     {},
		"authorized":               {Status: "authorized"},
		"unauthorized":             {Status: "unauthorized"},
		"mini programs":            {Kind: "miniprogram"},
		"official accounts":        {Kind: "official"},
		"a rare kind":              {Kind: "other"},
		"withdrawn officials":      {Status: "unauthorized", Kind: "official"},
		"a common permission set":  {FuncScope: 18},
		"one only the oldest have": {FuncScope: 99},
		"one nobody has":           {FuncScope: 7777},
		"a label of all":           {Label: "all"},
		"a label of some":          {Label: "vip"},
		"a label of the oldest":    {Label: "oldest"},
		"a label of nobody":        {Label: "none"},
		"a biz id":                 {BizID: "shop-77"},
		"no such biz id":           {BizID: "none"},
		"a name":                   {Query: "小店77"},
		"a part of all names":      {Query: "店"},
		"a part of all principals": {Query: "有限公司"},
		"a part of a quarter":      {Query: "成都"},
		"a part of an appid":       {Query: "WXAB"},
		"an original id":           {Query: "gh_0"},
		"a part of no name":        {Query: "没有这个"},
		"one letter":               {Query: "7"},
		"wildcards are letters":    {Query: "%_"},
		"all of status and kind":   {Status: "authorized", Kind: "miniprogram", FuncScope: 17},
		"label and set":            {Label: "half", FuncScope: 18},
		"label of the oldest, set": {Label: "oldest", FuncScope: 99, Status: "unauthorized"},
		"label and name":           {Label: "half", Query: "杭州"},
		"everything":               {Status: "authorized", Kind: "miniprogram", FuncScope: 18, Label: "half", Query: "小店"},
		"biz id and the rest":      {BizID: "shop-78", Status: "authorized", Kind: "miniprogram", Label: "half"},
	}
}

// plainly finds the same without any index or count of ours.
func plainly(t *testing.T, pool *pgxpool.Pool, f Filter) []string {
	t.Helper()
	const q = `SELECT appid FROM authorizer a WHERE ($1 = '' OR status = $1) AND ($2 = '' OR kind = $2) AND ($3 = 0 OR $3 = ANY(func_scopes))
		AND ($4 = '' OR EXISTS (SELECT FROM authorizer_label l WHERE l.appid = a.appid AND l.label = $4))
		AND ($5 = '' OR EXISTS (SELECT FROM authorizer_biz_id b WHERE b.appid = a.appid AND b.biz_id = $5))
		AND ($6 = '' OR strpos(lower(nick_name), lower($6)) > 0 OR strpos(lower(appid), lower($6)) > 0 OR strpos(lower(user_name), lower($6)) > 0 OR strpos(lower(principal_name), lower($6)) > 0)
		ORDER BY created_at DESC, appid`
	rows, err := pool.Query(t.Context(), q, f.Status, f.Kind, f.FuncScope, f.Label, f.BizID, f.Query)
	require.NoError(t, err)
	found, err := pgx.CollectRows(rows, pgx.RowTo[string])
	require.NoError(t, err)
	return found
}

// TestEveryFilterFindsWhatItShould compares pages and totals with a plain search, also where many have the same age.
func TestEveryFilterFindsWhatItShould(t *testing.T) {
	t.Parallel()
	e := newEnv(t, idle(true))
	fill(t, e.pool, 1000)
	_, err := e.pool.Exec(t.Context(), `UPDATE authorizer SET created_at = date_trunc('hour', created_at)`)
	require.NoError(t, err)
	_, err = e.pool.Exec(t.Context(), `UPDATE authorizer_label l SET merchant_at = a.created_at FROM authorizer a WHERE a.appid = l.appid`)
	require.NoError(t, err)
	e.wechat.Fake.ClearCalls()
	compare := func() {
		for name, f := range filters() {
			want := plainly(t, e.pool, f)
			got := []string{}
			for f.Limit = 150; ; {
				page, next, total, err := e.List(t.Context(), f)
				require.NoError(t, err, name)
				require.EqualValues(t, len(want), total, name)
				for _, a := range page {
					got = append(got, a.AppID)
				}
				if next == nil {
					break
				}
				f.After = *next
			}
			require.Equal(t, want, got, name)
		}
	}
	compare()
	compare()
	// Everything that can change, changes: remembered totals must not stay.
	_, err = e.pool.Exec(t.Context(), `UPDATE authorizer SET status = 'unauthorized', nick_name = '店铺' || appid, func_scopes = '{18,99}' WHERE appid < 'wx4'`)
	require.NoError(t, err)
	r, err := e.ChangeLabels(t.Context(), LabelChange{Filter: &Filter{Query: "wx7"}, Add: []string{"half"}, Remove: []string{"all"}})
	require.NoError(t, err)
	require.Empty(t, r.Failed)
	compare()
	compare() // what is remembered is right
	require.Empty(t, e.wechat.Fake.Calls(""), "WeChat is not asked")
}

// TestTotalsStayExact: many change the same merchants at once, and the counts are what counting would give.
func TestTotalsStayExact(t *testing.T) {
	t.Parallel()
	e := newEnv(t, idle(true))
	fill(t, e.pool, 200)
	rows, err := e.pool.Query(t.Context(), `SELECT appid FROM authorizer ORDER BY appid LIMIT 20`)
	require.NoError(t, err)
	appids, err := pgx.CollectRows(rows, pgx.RowTo[string])
	require.NoError(t, err)
	var workers sync.WaitGroup
	for w := range 6 {
		workers.Go(func() {
			dice := rand.New(rand.NewPCG(uint64(w), 7)) //nolint:gosec // nothing to guess
			for range 60 {
				appid := appids[dice.IntN(len(appids))]
				var err error
				switch dice.IntN(5) {
				case 0:
					_, err = e.pool.Exec(context.Background(), `UPDATE authorizer SET status = CASE status WHEN 'authorized' THEN 'unauthorized' ELSE 'authorized' END WHERE appid = $1`, appid)
				case 1:
					_, err = e.pool.Exec(context.Background(), `UPDATE authorizer SET func_scopes = ARRAY[1, $2::int] WHERE appid = $1`, appid, 10+dice.IntN(5))
				case 2:
					_, err = e.ChangeLabels(context.Background(), LabelChange{AppIDs: appids, Add: []string{fmt.Sprint("l", dice.IntN(4))}, Remove: []string{fmt.Sprint("l", 4+dice.IntN(4))}})
				case 3:
					_, err = e.Change(context.Background(), appid, Change{Labels: &[]string{fmt.Sprint("l", dice.IntN(8)), fmt.Sprint("l", dice.IntN(8))}})
				case 4:
					err = tidyTally(context.Background(), e.pool)
				}
				if err != nil {
					t.Error(err)
				}
			}
		})
	}
	workers.Wait()
	for _, f := range []Filter{{}, {Status: "authorized"}, {Kind: "official", Status: "unauthorized"}, {FuncScope: 1}, {FuncScope: 12, Status: "authorized"}, {Label: "l1"}, {Label: "l5", Kind: "miniprogram"}} {
		f.Limit = 1
		_, _, total, err := e.List(t.Context(), f)
		require.NoError(t, err)
		require.EqualValues(t, len(plainly(t, e.pool, f)), total, "%+v", f)
	}
	labels, _, err := e.Labels(t.Context(), "", "", 1000)
	require.NoError(t, err)
	for _, l := range labels {
		require.EqualValues(t, e.count(`SELECT count(*) FROM authorizer_label WHERE label = $1`, l.Label), l.Count, l.Label)
	}
	require.Len(t, labels, e.count(`SELECT count(DISTINCT label) FROM authorizer_label`))
}

// TestPagesReadFewRows: whatever the filter, no page and no count scans the table or sorts all of it, also right after the table
// has been filled.
func TestPagesReadFewRows(t *testing.T) {
	t.Parallel()
	const merchants = 6000
	e := newEnv(t, idle(true))
	for range 8 { // plans made for the empty table must not stay
		_, _, _, err := e.List(t.Context(), Filter{Limit: 20, Label: "vip", Query: "x"})
		require.NoError(t, err)
	}
	fill(t, e.pool, merchants)
	explain := func(f Filter, query string, args ...any) (plan string) {
		require.NoError(t, pgx.BeginFunc(t.Context(), e.pool, func(tx pgx.Tx) error {
			if _, err := tx.Exec(t.Context(), fromIndexes); err != nil {
				return err
			}
			rows, err := tx.Query(t.Context(), `EXPLAIN (ANALYZE, TIMING OFF) `+query, args...)
			if err != nil {
				return err
			}
			lines, err := pgx.CollectRows(rows, pgx.RowTo[string])
			plan = fmt.Sprintf("%+v\n%s", f, strings.Join(lines, "\n"))
			return err
		}))
		return plan
	}
	for name, f := range filters() {
		for _, after := range []Position{{}, {CreatedAt: time.Now().Add(-merchants / 2 * time.Minute), AppID: "wx5"}} {
			f.Limit, f.After = 20, after
			_, _, total, err := e.List(t.Context(), f)
			require.NoError(t, err)
			query, args := f.page(total)
			plan := explain(f, query, args...)
			require.NotContains(t, plan, "Seq Scan", name)
			for line := range strings.Lines(plan) { // what is sorted is a page, or the few that a rare value has
				if _, rest, ok := strings.Cut(line, "Sort  (cost"); ok {
					_, rows, _ := strings.Cut(rest, "actual rows=")
					rows, _, _ = strings.Cut(rows, " ")
					n, err := strconv.Atoi(rows)
					require.NoError(t, err, plan)
					require.LessOrEqual(t, n, merchants/10, plan)
				}
			}
		}
		f.After = Position{}
		for _, grams := range []bool{true, false} {
			query, args := f.count(grams)
			require.NotContains(t, explain(f, query, args...), "Seq Scan", name)
		}
		began := time.Now()
		_, _, _, err := e.List(t.Context(), f)
		require.NoError(t, err)
		require.Less(t, time.Since(began), 2*time.Second, name)
	}
	require.NotContains(t, explain(Filter{}, tallyQuery, "all", "", "", ""), "Seq Scan")
}

// TestHiccupsBlankNobody: whatever WeChat answers instead of the details, what is known stays.
func TestHiccupsBlankNobody(t *testing.T) {
	t.Parallel()
	e := newEnv(t)
	appid := e.merchant("wxhiccup000000001")
	require.NoError(t, e.wechat.Fake.AddMerchant(wechatfake.Merchant{AppID: appid, NickName: "老王家🍜常菜", Principal: "成都老王", Signature: "三十年", Alias: "laowang"}))
	l := e.link(NewLink{BizID: "b"})
	e.agree(l, appid, wechatfake.OrderEvent)
	e.until("the merchant is bound", func() bool { return e.reread(l).Status == linkAuthorized })
	e.settled()
	e.stop()
	before, err := e.Get(t.Context(), appid)
	require.NoError(t, err)
	require.Equal(t, "老王家🍜常菜", before.NickName)
	for _, f := range []wechatfake.Fault{
		{Mode: wechatfake.FaultErrcode, Code: -1},
		{Mode: wechatfake.FaultErrcode, Code: 61007},
		{Mode: wechatfake.FaultErrcode, Code: 61003},
		{Mode: wechatfake.FaultGarbage},
		{Mode: wechatfake.FaultHTTP, Code: 502},
		{Mode: wechatfake.FaultCutBefore},
		{Mode: wechatfake.FaultSilentDrop},
	} {
		f.Path = pathInfo
		_, err := e.wechat.Fake.FailNext(f)
		require.NoError(t, err)
		status, _ := e.api(http.MethodPost, "/authorizers/"+appid+"/refresh", nil)
		require.GreaterOrEqual(t, status, 400, f.Mode)
		after, err := e.Get(t.Context(), appid)
		require.NoError(t, err)
		require.NotEmpty(t, after.InfoError("en"), f.Mode)
		after.infoTrouble, after.InfoTriedAt, after.UpdatedAt = before.infoTrouble, before.InfoTriedAt, before.UpdatedAt
		require.Equal(t, before, after, f.Mode)
	}
	// An answer that leaves things out, or is empty: nothing is taken away.
	tx, err := e.pool.Begin(t.Context())
	require.NoError(t, err)
	defer tx.Rollback(t.Context()) //nolint:errcheck // a test
	news, err := updateDetails(t.Context(), tx, appid, details{Kind: "official", Alias: before.Alias, Signature: before.Signature, Categories: []byte(`[]`), Network: []byte(`{}`), ScopeConfirms: []byte(`[]`)}, e.Now())
	require.NoError(t, err)
	require.True(t, news, "the last reading had failed")
	after, err := findAuthorizer(t.Context(), tx, appid)
	require.NoError(t, err)
	after.infoTrouble, after.InfoTriedAt, after.InfoAt, after.UpdatedAt = before.infoTrouble, before.InfoTriedAt, before.InfoAt, before.UpdatedAt
	require.Equal(t, before, after)
}

// TestDetailsAreAnsweredAtOnceAndReadAgain: who looks gets what we have without waiting for WeChat, and stale details are read
// again behind it.
func TestDetailsAreAnsweredAtOnceAndReadAgain(t *testing.T) {
	t.Parallel()
	e := newEnv(t)
	appid := e.have("wxstale0000000001", "b")
	e.wechat.Fake.ClearCalls()
	status, _ := e.api(http.MethodGet, "/authorizers/"+appid, nil)
	require.Equal(t, http.StatusOK, status)
	e.settled()
	require.Empty(t, e.wechat.Fake.Calls(pathInfo), "they are fresh")

	require.NoError(t, e.wechat.Fake.AddMerchant(wechatfake.Merchant{AppID: appid, NickName: "改名了"}))
	e.ahead.Add(int64(infoStale + time.Minute))
	e.wechat.Fake.Set(func(s *wechatfake.Settings) { s.Latency[pathInfo] = wechatfake.Duration(300 * time.Millisecond) })
	began := time.Now()
	for range 5 {
		_, got := e.api(http.MethodGet, "/authorizers/"+appid, nil)
		require.NotEmpty(t, got["nick_name"])
	}
	t.Logf("five answers took %s", time.Since(began))
	e.until("the new name is there", func() bool { a, _ := e.Get(t.Context(), appid); return a.NickName == "改名了" })
	e.settled()
	require.Len(t, e.wechat.Fake.Calls(pathInfo), 1, "five looks are one reading")

	_, err := e.wechat.Fake.FailNext(wechatfake.Fault{Path: pathInfo, Mode: wechatfake.FaultErrcode, Code: 61007, Times: -1})
	require.NoError(t, err)
	e.ahead.Add(int64(infoStale + time.Minute))
	for range 3 {
		_, got := e.api(http.MethodGet, "/authorizers/"+appid, nil)
		require.Equal(t, "改名了", got["nick_name"])
		e.settled()
	}
	require.Len(t, e.wechat.Fake.Calls(pathInfo), 2, "after a failure WeChat is left alone for a while")
}
