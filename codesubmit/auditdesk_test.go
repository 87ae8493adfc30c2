package codesubmit

import (
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/wxsteward/wxsteward/internal/wechat"
	"github.com/wxsteward/wxsteward/internal/wechat/wechatfake"
)

// TestDeskOfTenThousand pages through 10,000 audits, from an index, and groups 2,000 rejections.
func TestDeskOfTenThousand(t *testing.T) {
	t.Parallel()
	e := newShops(t)
	e.StopJobs()
	ctx := t.Context()
	for _, q := range []string{
		`INSERT INTO authorizer (appid, kind, status, nick_name) SELECT 'wxmany' || n, 'miniprogram', 'authorized', 'Shop ' || n FROM generate_series(1, 12000) n`,
		`INSERT INTO rollout (name, state, template_id, user_version, spec, targets, total) VALUES ('r', 'running', 0, '2.3.0', '{}', '{}', 12000)`,
		`INSERT INTO submission (rollout_id, appid, state, template_id, user_version, marker, admitted, audit_id, audit_status, submitted_at, finished_at, reason, reason_group)
			SELECT r.id, 'wxmany' || n, CASE WHEN n <= 10000 THEN 'auditing' ELSE 'rejected' END, 0, '2.3.0', 'm' || n, true, n, CASE WHEN n % 10 = 0 THEN 4 ELSE 2 END,
				now() - (n * 7919 % 10007) * interval '1 second', CASE WHEN n > 10000 THEN now() END,
				CASE WHEN n > 10000 THEN 'reason ' || least(n % 20, 2) ELSE '' END, CASE WHEN n > 10000 THEN 'reason ' || least(n % 20, 2) ELSE '' END
			FROM generate_series(1, 12000) n, rollout r`,
		`ANALYZE`,
	} {
		_, err := e.Pool.Exec(ctx, q)
		require.NoError(t, err)
	}

	seen := map[string]bool{}
	var last, cursor string
	var times []time.Duration
	for {
		began := time.Now()
		list := e.do(http.MethodGet, "/audits?limit=200&cursor="+cursor, nil)
		times = append(times, time.Since(began))
		items, _ := list["items"].([]any)
		for _, raw := range items {
			item, _ := raw.(map[string]any)
			id, _ := item["submission_id"].(string)
			at, _ := item["submitted_at"].(string)
			require.False(t, seen[id], "twice")
			require.LessOrEqual(t, last, fmt.Sprintf("%-30s", at), "longest waiting first")
			seen[id], last = true, fmt.Sprintf("%-30s", at)
		}
		if cursor, _ = list["next_cursor"].(string); cursor == "" {
			break
		}
	}
	require.Len(t, seen, 10000)
	slices.Sort(times)
	t.Logf("a page of 200 of 10,000 audits: median %s, slowest %s", times[len(times)/2], times[len(times)-1])

	began := time.Now()
	sum, err := e.service.Summary(ctx)
	require.NoError(t, err)
	t.Logf("summary: %s", time.Since(began))
	require.Equal(t, 9000, sum.Counts[DeskAuditing])
	require.Equal(t, 1000, sum.Counts[DeskDelayed])
	require.Equal(t, 2000, sum.Counts[DeskRejected])
	require.Len(t, sum.Groups, 3)
	require.Len(t, sum.Groups[0].IDs, sum.Groups[0].Count)

	require.Len(t, e.do(http.MethodGet, "/audits?state=delayed&limit=200&q=shop%20990", nil)["items"], 2, "Shop 990 and 9900")
	rows, err := e.Pool.Query(ctx, `EXPLAIN SELECT s.id FROM submission s WHERE s.state = 'auditing' AND s.submitted_at IS NOT NULL
		AND (s.submitted_at, s.id) > (now() - interval '1 hour', 5) ORDER BY s.submitted_at, s.id LIMIT 20`)
	require.NoError(t, err)
	var plan strings.Builder
	for rows.Next() {
		var line string
		require.NoError(t, rows.Scan(&line))
		plan.WriteString(line + "\n")
	}
	require.NoError(t, rows.Err())
	require.Contains(t, plan.String(), "submission_desk", "%s", plan.String())
	require.NotContains(t, plan.String(), "Sort", "the index has the order")
}

// TestWithdrawalsComeBack: the allowance is counted in days and months of China.
func TestWithdrawalsComeBack(t *testing.T) {
	t.Parallel()
	e := newShops(t, shop)
	e.StopJobs()
	china := time.FixedZone("UTC+8", 8*3600)
	at := time.Date(2026, 11, 20, 23, 50, 0, 0, china)
	e.service.cfg.Now = func() time.Time { return at }
	left := func() Withdrawals {
		w, err := e.service.withdrawalsLeft(t.Context(), []string{shop, "wxother"})
		require.NoError(t, err)
		require.Equal(t, Withdrawals{5, 10}, w["wxother"])
		return w[shop]
	}
	take := func(audit int64, refused bool) {
		require.NoError(t, e.service.countWithdrawal(t.Context(), e.Pool, shop, audit, refused))
	}
	require.Equal(t, Withdrawals{5, 10}, left())
	for audit := range int64(5) {
		take(audit, false)
		take(audit, false) // an answer was lost
	}
	require.Equal(t, Withdrawals{0, 5}, left())
	require.Error(t, left().refusal())
	at = at.Add(20 * time.Minute) // after midnight in China, still the same day in UTC
	require.Equal(t, Withdrawals{5, 5}, left())
	take(5, true)
	require.Equal(t, Withdrawals{0, 5}, left(), "WeChat has counted some that we have not")
	at = at.Add(24 * time.Hour)
	require.Equal(t, Withdrawals{5, 5}, left())
	for audit := range int64(5) {
		take(5+audit, false)
	}
	require.Equal(t, Withdrawals{0, 0}, left())
	at = time.Date(2026, 12, 1, 0, 0, 1, 0, china)
	require.Equal(t, Withdrawals{5, 10}, left())
}

// TestAuditThatWeChatForgets: WeChat denies our audit for a while. Retry finds it again and submits nothing.
func TestAuditThatWeChatForgets(t *testing.T) {
	t.Parallel()
	e := newShops(t, shop)
	e.roll("2.3.0", nil, shop)
	e.until(shop, "auditing")
	e.fail(wechatfake.Fault{Path: "/wxa/get_latest_auditstatus", AppID: shop, Mode: wechatfake.FaultErrcode, Code: 85058})
	e.fail(wechatfake.Fault{Path: "/wxa/get_auditstatus", AppID: shop, Mode: wechatfake.FaultErrcode, Code: 85012})
	e.until(shop, "blocked")
	e.do(http.MethodPost, "/submissions/"+e.submissionID(shop)+"/retry", nil)
	e.approve(shop)
	e.until(shop, "released")
	require.Equal(t, 1, e.Fake.Effective("/wxa/submit_audit", shop))
	require.Equal(t, 1, e.Fake.Effective("/wxa/commit", shop))
}

// TestResubmissionJustAfterARejection: WeChat goes on saying that an audit is under way for a while.
func TestResubmissionJustAfterARejection(t *testing.T) {
	t.Parallel()
	e := newShops(t, shop)
	e.Fake.Set(func(s *wechatfake.Settings) { s.RejectLag = wechatfake.Duration(time.Second) })
	e.roll("2.3.0", nil, shop)
	e.until(shop, "auditing")
	require.NoError(t, e.Fake.Reject(shop, "no", 0))
	e.until(shop, "rejected")
	out := e.do(http.MethodPost, "/submissions/resubmit", map[string]any{"ids": []string{e.submissionID(shop)}})
	require.Len(t, out["done"], 1)
	e.until(shop, "auditing")
	refused := slices.ContainsFunc(e.Fake.Calls("/wxa/submit_audit"), func(c wechatfake.Call) bool { return c.ErrCode == 85009 })
	require.True(t, refused, "it was waited for")
	require.Equal(t, 2, e.Fake.Effective("/wxa/submit_audit", shop))
	require.Equal(t, 1, e.Fake.Effective("/wxa/commit", shop))
}

// TestCategoryGoneBeforeSubmitting: WeChat takes a category away while the trial version waits for the operator's yes.
func TestCategoryGoneBeforeSubmitting(t *testing.T) {
	t.Parallel()
	e := newShops(t, shop)
	item := map[string]any{"first_class": "商家自营", "second_class": "食品饮料", "first_id": 1, "second_id": 2}
	e.roll("2.3.0", map[string]any{"audit": map[string]any{"submit": "manual", "item_list": []any{item}}}, shop)
	e.until(shop, "trial")
	require.NoError(t, e.Fake.ChangeMerchant(shop, func(m *wechatfake.Merchant) {
		m.Categories[0].Status = 4
		m.Categories = append(m.Categories, wechatfake.Category{FirstClass: "餐饮", SecondClass: "外卖", FirstID: 3, SecondID: 4, Status: 3})
	}))
	id := e.submissionID(shop)
	e.do(http.MethodPost, "/submissions/"+id+"/submit", nil)
	blocked := e.until(shop, "blocked")
	failure, _ := blocked["error"].(map[string]any)
	require.Equal(t, "category_missing", failure["code"])
	require.NotEmpty(t, failure["hint"])
	item["first_class"], item["second_class"], item["first_id"], item["second_id"] = "餐饮", "外卖", 3, 4
	e.do(http.MethodPost, "/submissions/resubmit", map[string]any{"ids": []string{id}, "audit": map[string]any{"item_list": []any{item}}})
	e.until(shop, "auditing")
	require.Equal(t, 1, e.Fake.Effective("/wxa/commit", shop))
}

// TestRetryStillWaitsForTheYes: what was canceled while it waited for the operator's yes waits for it again.
func TestRetryStillWaitsForTheYes(t *testing.T) {
	t.Parallel()
	e := newShops(t, shop)
	e.roll("2.3.0", map[string]any{"audit": map[string]any{"submit": "manual"}}, shop)
	e.until(shop, "trial")
	id := e.submissionID(shop)
	e.do(http.MethodPost, "/submissions/"+id+"/cancel", nil)
	e.until(shop, "canceled")
	e.do(http.MethodPost, "/submissions/"+id+"/retry", nil)
	e.StopJobs()
	e.look()
	require.Equal(t, "trial", e.submission(shop)["state"])
	require.Zero(t, e.Fake.Effective("/wxa/submit_audit", shop))
	e.do(http.MethodPost, "/submissions/"+id+"/submit", nil)
	e.look()
	e.look()
	require.Equal(t, "auditing", e.submission(shop)["state"])
	require.Equal(t, 1, e.Fake.Effective("/wxa/commit", shop))
}

// TestMediaThatIsGone: files that nobody has used for a month go; whoever wanted one is told.
func TestMediaThatIsGone(t *testing.T) {
	t.Parallel()
	e := newShops(t, shop)
	m, err := e.service.AddMedia(t.Context(), "walk.mp4", []byte("\x00\x00\x00\x18ftypmp42\x00\x00\x00\x00mp42isom"), "admin")
	require.NoError(t, err)
	audit := map[string]any{"submit": "manual", "preview_info": map[string]any{"video_id_list": []string{strconv.FormatInt(m.ID, 10)}}}
	e.roll("2.3.0", map[string]any{"audit": audit}, shop)
	e.until(shop, "trial")
	e.StopJobs()
	require.NoError(t, e.service.dropMedia(t.Context()))
	require.Equal(t, 1, e.Count(`SELECT count(*) FROM audit_media`), "not yet")
	_, err = e.Pool.Exec(t.Context(), `UPDATE audit_media SET used_at = used_at - interval '31 days'`)
	require.NoError(t, err)
	require.NoError(t, e.service.dropMedia(t.Context()))
	require.Zero(t, e.Count(`SELECT count(*) FROM audit_media`))
	e.do(http.MethodPost, "/submissions/"+e.submissionID(shop)+"/submit", nil)
	e.look()
	sub := e.submission(shop)
	require.Equal(t, "blocked", sub["state"], "%v", sub["error"])
	failure, _ := sub["error"].(map[string]any)
	require.Equal(t, "media_gone", failure["code"])
	require.NotEmpty(t, failure["hint"])
	require.Zero(t, e.Fake.Effective("/wxa/submit_audit", shop))
}

func TestOnlyPicturesAreServed(t *testing.T) {
	t.Parallel()
	for _, contentType := range []string{"text/html", "image/svg+xml", "application/json", "", "text/plain; charset=utf-8"} {
		require.False(t, isPicture(contentType), contentType)
	}
	require.True(t, isPicture("image/png"))
	require.True(t, isPicture("image/jpeg"))
}

func TestOurAuditIsToldFromOthers(t *testing.T) {
	t.Parallel()
	sent := time.Unix(1000, 0)
	w := &work{Submission: &Submission{UserVersion: "2.3.0", marker: "wxs-1", endedAuditID: 7, sentAt: &sent}}
	for name, c := range map[string]struct {
		audit wechat.Audit
		want  bool
	}{
		"by its marker":                     {wechat.Audit{AuditID: 8, UserDesc: "autumn [wxs-1]"}, true},
		"one that has ended is an old one":  {wechat.Audit{AuditID: 7, UserDesc: "autumn [wxs-1]"}, false},
		"another's marker":                  {wechat.Audit{AuditID: 8, UserDesc: "autumn [wxs-2]", SubmitTime: 2000}, false},
		"no description, after our call":    {wechat.Audit{AuditID: 8, UserVersion: "2.3.0", SubmitTime: 1001}, true},
		"no description, before our call":   {wechat.Audit{AuditID: 8, UserVersion: "2.3.0", SubmitTime: 999}, false},
		"no description, another's version": {wechat.Audit{AuditID: 8, UserVersion: "9.0.0", SubmitTime: 1001}, false},
	} {
		require.Equal(t, c.want, w.isOurAudit(c.audit), name)
	}
}
