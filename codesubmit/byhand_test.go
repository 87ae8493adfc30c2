package codesubmit

import (
	"context"
	"net/http"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/wxsteward/wxsteward/authorize/turn"
	"github.com/wxsteward/wxsteward/internal/wechat/wechatfake"
)

func merchantPath(what string) string { return "/authorizers/" + shop + "/" + what }

func TestVersionsBesideWhatWeThink(t *testing.T) {
	t.Parallel()
	e := newShops(t, shop)
	slots := e.do(http.MethodGet, merchantPath("versions"), nil)
	require.Equal(t, map[string]any{"trial": nil, "audit": nil, "live": nil}, slots["ours"])
	require.Empty(t, slots["differences"], "where we think nothing there is no difference")
	e.live(shop, "1.0.0")
	e.released("2.3.0", shop)
	slots = e.do(http.MethodGet, merchantPath("versions"), nil)
	for _, slot := range []string{"trial", "audit", "live"} {
		ours, _ := slots["ours"].(map[string]any)[slot].(map[string]any)
		require.Equal(t, "2.3.0", ours["user_version"], slot)
		require.Equal(t, e.submissionID(shop), ours["submission_id"], slot)
	}
	require.Empty(t, slots["differences"])
	require.NotNil(t, slots["domains"])
	require.NotNil(t, slots["privacy_missing"])

	// Everything is changed behind our back.
	require.NoError(t, e.Fake.ConsoleCommit(shop, "3.0.0", "by hand"))
	e.live(shop, "9.9.9")
	slots = e.do(http.MethodGet, merchantPath("versions"), nil)
	differ := map[string]string{}
	for _, d := range slots["differences"].([]any) {
		d, _ := d.(map[string]any)
		differ[d["slot"].(string)], _ = d["detail"].(string)
	}
	require.Contains(t, differ["trial"], "3.0.0")
	require.Contains(t, differ["live"], "9.9.9")
	require.Len(t, differ, 2)
	status, _ := e.API(http.MethodGet, "/authorizers/wxnobody/versions", nil)
	require.Equal(t, http.StatusNotFound, status)
}

func TestRollingBackOneMerchant(t *testing.T) {
	t.Parallel()
	e := newShops(t, shop)
	status, out := e.API(http.MethodPost, merchantPath("rollback"), map[string]any{})
	require.Equal(t, http.StatusConflict, status)
	require.Contains(t, out["detail"], "87012")
	require.Empty(t, e.Fake.Calls("/wxa/revertcoderelease")[1:], "it was told beforehand")
	for _, version := range []string{"1.0.0", "2.0.0", "3.0.0", "4.0.0"} {
		e.live(shop, version)
	}
	slots := e.do(http.MethodPost, merchantPath("rollback"), nil)
	require.Equal(t, "3.0.0", slots["live"].(map[string]any)["user_version"])
	status, out = e.API(http.MethodPost, merchantPath("rollback"), map[string]any{"app_version": 77})
	require.Equal(t, http.StatusUnprocessableEntity, status)
	require.Contains(t, out["errors"].([]any)[0].(map[string]any)["message"], "1.0.0", "those that are possible are named")
	slots = e.do(http.MethodPost, merchantPath("rollback"), map[string]any{"app_version": 1})
	require.Equal(t, "1.0.0", slots["live"].(map[string]any)["user_version"])
}

func TestRollingBackOneMerchantWhoseAnswerWasLost(t *testing.T) {
	t.Parallel()
	e := newShops(t, shop)
	for _, version := range []string{"1.0.0", "2.0.0", "3.0.0"} {
		e.live(shop, version)
	}
	e.fail(wechatfake.Fault{Path: "/wxa/revertcoderelease", Skip: 1, Mode: wechatfake.FaultCutAfter})
	slots := e.do(http.MethodPost, merchantPath("rollback"), nil)
	require.Equal(t, "2.0.0", slots["live"].(map[string]any)["user_version"], "read back, not repeated")
	require.Equal(t, 1, e.Fake.Effective("/wxa/revertcoderelease", shop))
	e.fail(wechatfake.Fault{Path: "/wxa/revertcoderelease", Skip: 1, Mode: wechatfake.FaultCutBefore})
	status, out := e.API(http.MethodPost, merchantPath("rollback"), nil)
	require.Equal(t, http.StatusBadGateway, status, out)
	require.Equal(t, "wechat_unavailable", out["code"])
	require.Contains(t, out["detail"], "before you repeat")
}

// TestRollingBackOneMerchantAgain: which version is the newest to go back to changes with the first call, so a repeat must not
// go further back.
func TestRollingBackOneMerchantAgain(t *testing.T) {
	t.Parallel()
	e := newShops(t, shop)
	for _, version := range []string{"1.0.0", "2.0.0", "3.0.0", "4.0.0"} {
		e.live(shop, version)
		e.Pass(time.Minute)
	}
	lost := func(mode string) {
		e.fail(wechatfake.Fault{Path: "/wxa/revertcoderelease", Skip: 1, Mode: mode})
		e.fail(wechatfake.Fault{Path: "/wxa/getversioninfo", Skip: 1, Mode: wechatfake.FaultCutBefore, Times: 4}) // as if we had died
		status, out := e.API(http.MethodPost, merchantPath("rollback"), nil)
		require.Equal(t, http.StatusBadGateway, status, out)
		e.Fake.ClearFaults()
	}
	lost(wechatfake.FaultCutBefore)
	require.Equal(t, "4.0.0", e.view(shop).Live.UserVersion)
	lost(wechatfake.FaultCutAfter)
	require.Equal(t, "3.0.0", e.view(shop).Live.UserVersion)
	slots := e.do(http.MethodPost, merchantPath("rollback"), nil)
	require.Equal(t, "3.0.0", slots["live"].(map[string]any)["user_version"], "the same wish")
	require.Equal(t, 1, e.Fake.Effective("/wxa/revertcoderelease", shop))
	slots = e.do(http.MethodPost, merchantPath("rollback"), nil)
	require.Equal(t, "2.0.0", slots["live"].(map[string]any)["user_version"], "a new one")
	require.Zero(t, e.Count(`SELECT count(*) FROM rollback_by_hand`))
}

// TestRefusalsOfHandCallsAreWarnings, which name what WeChat's support asks for: nothing of ours is broken.
func TestRefusalsOfHandCallsAreWarnings(t *testing.T) {
	t.Parallel()
	e := newShops(t, shop)
	for _, version := range []string{"1.0.0", "2.0.0"} {
		e.live(shop, version)
	}
	e.fail(wechatfake.Fault{Path: "/wxa/revertcoderelease", Skip: 1, Mode: wechatfake.FaultErrcode, Code: 87011})
	status, _ := e.API(http.MethodPost, merchantPath("rollback"), nil)
	require.Equal(t, http.StatusBadGateway, status)
	require.Regexp(t, `level=WARN msg=request .*route=/api/v1/authorizers/:appid/rollback .*code=wechat_refused errcode=87011 rid=\S+`, e.Log.String())
	require.NotContains(t, e.Log.String(), "level=ERROR")
}

func TestGrayReleaseOfOneMerchant(t *testing.T) {
	t.Parallel()
	e := newShops(t, shop)
	e.live(shop, "1.0.0")
	widen := func(percentage int) (int, map[string]any) {
		return e.API(http.MethodPost, merchantPath("gray"), map[string]any{"percentage": percentage})
	}
	status, _ := widen(10)
	require.Equal(t, http.StatusConflict, status, "nothing is approved")
	status, _ = widen(0)
	require.Equal(t, http.StatusUnprocessableEntity, status)
	e.roll("2.3.0", map[string]any{"release": map[string]any{"mode": "manual"}}, shop)
	e.approve(shop)
	e.until(shop, "approved")
	e.fail(wechatfake.Fault{Path: "/wxa/grayrelease", Mode: wechatfake.FaultCutAfter})
	status, slots := widen(10)
	require.Equal(t, http.StatusOK, status, slots)
	require.InDelta(t, 10, slots["gray"].(map[string]any)["percentage"], 0)
	require.Equal(t, "gray", slots["differences"].([]any)[0].(map[string]any)["slot"], "no rollout follows it")
	status, out := widen(10)
	require.Equal(t, http.StatusConflict, status, "85082 is told beforehand")
	require.Contains(t, out["detail"], "10 percent")
	status, out = e.API(http.MethodPost, merchantPath("rollback"), nil)
	require.Equal(t, http.StatusConflict, status)
	require.Contains(t, out["detail"], "87011")
	require.Equal(t, 1, e.Fake.Effective("/wxa/grayrelease", shop))
	e.fail(wechatfake.Fault{Path: "/wxa/revertgrayrelease", Mode: wechatfake.FaultCutAfter})
	slots = e.do(http.MethodPost, merchantPath("gray-cancel"), nil)
	require.Nil(t, slots["gray"])
	status, _ = e.API(http.MethodPost, merchantPath("gray-cancel"), nil)
	require.Equal(t, http.StatusConflict, status)
	status, slots = widen(100)
	require.Equal(t, http.StatusOK, status, slots)
	e.until(shop, "released")
	status, out = widen(50)
	require.Equal(t, http.StatusBadGateway, status, "85052 is WeChat's own word: %v", out)
}

func TestWithdrawingTheAuditOfOneMerchant(t *testing.T) {
	t.Parallel()
	e := newShops(t, shop)
	withdraw := func() (int, map[string]any) { return e.API(http.MethodPost, merchantPath("withdraw-audit"), nil) }
	status, _ := withdraw()
	require.Equal(t, http.StatusConflict, status, "nothing is in audit")
	e.roll("2.3.0", nil, shop)
	e.until(shop, "auditing")
	e.fail(wechatfake.Fault{Path: "/wxa/undocodeaudit", Mode: wechatfake.FaultCutAfter})
	status, slots := withdraw()
	require.Equal(t, http.StatusOK, status, slots)
	require.InDelta(t, wechatfake.AuditWithdrawn, slots["audit"].(map[string]any)["status"], 0)
	e.until(shop, "withdrawn") // it noticed
	for range 4 {
		e.do(http.MethodPost, "/submissions/"+e.submissionID(shop)+"/retry", nil)
		e.until(shop, "auditing")
		status, slots = withdraw()
		require.Equal(t, http.StatusOK, status, slots)
		e.until(shop, "withdrawn")
	}
	e.do(http.MethodPost, "/submissions/"+e.submissionID(shop)+"/retry", nil)
	e.until(shop, "auditing")
	status, slots = withdraw()
	require.Equal(t, http.StatusConflict, status, "87013 is told beforehand: %v", slots)
	require.Equal(t, 5, e.Fake.Effective("/wxa/undocodeaudit", shop))
}

// TestWithdrawalIsCountedWhateverHappens: a withdrawal that WeChat has made counts although its answer, and what it shows
// afterwards, never came; one that it has not made does not.
func TestWithdrawalIsCountedWhateverHappens(t *testing.T) {
	t.Parallel()
	e := newShops(t, shop)
	e.roll("2.3.0", nil, shop)
	e.until(shop, "auditing")
	e.StopJobs()
	left := func() int {
		w, err := e.service.withdrawalsLeft(t.Context(), []string{shop})
		require.NoError(t, err)
		return w[shop].TodayLeft
	}
	withdraw := func(mode string, code int) {
		e.fail(wechatfake.Fault{Path: "/wxa/undocodeaudit", Mode: mode, Code: code})
		if code == 0 {
			e.fail(wechatfake.Fault{Path: "/wxa/get_latest_auditstatus", Skip: 1, Mode: wechatfake.FaultCutBefore, Times: 4}) // as if we had died
		}
		status, out := e.API(http.MethodPost, merchantPath("withdraw-audit"), nil)
		require.Equal(t, http.StatusBadGateway, status, out)
		e.Fake.ClearFaults()
	}
	withdraw(wechatfake.FaultErrcode, 87012)
	require.Equal(t, 5, left(), "refused")
	withdraw(wechatfake.FaultCutBefore, 0)
	withdraw(wechatfake.FaultCutBefore, 0)
	require.Equal(t, 4, left(), "nobody knows; an audit counts once")
	withdraw(wechatfake.FaultErrcode, 87012)
	require.Equal(t, 5, left(), "the audit goes on after all")
	withdraw(wechatfake.FaultCutAfter, 0)
	require.Equal(t, 4, left())
	require.Equal(t, 1, e.Fake.Effective("/wxa/undocodeaudit", shop))
}

func TestDomainsOfOneMerchant(t *testing.T) {
	t.Parallel()
	e := newShops(t, shop)
	e.Fake.SetPlatformDomains([]string{"api.a.com", "cdn.a.com"}, []string{"m.a.com"})
	e.fail(wechatfake.Fault{Path: "/wxa/modify_domain", Skip: 1, Mode: wechatfake.FaultCutAfter})
	out := e.do(http.MethodPut, merchantPath("domains"), map[string]any{"request": []string{"https://api.a.com"}, "download": []string{"https://cdn.a.com"}})
	require.Equal(t, []any{"https://api.a.com"}, out["request"])
	out = e.do(http.MethodPut, merchantPath("domains"), map[string]any{"request": []string{}})
	require.Empty(t, out["request"], "emptied")
	require.Equal(t, []any{"https://cdn.a.com"}, out["download"], "an absent list stays")
	e.do(http.MethodPut, merchantPath("domains"), map[string]any{"request": []string{}})
	require.Equal(t, 2, e.Fake.Effective("/wxa/modify_domain", shop), "an equal list is left alone")
	for _, wrong := range []string{"api.a.com", "http://api.a.com", "https://a.com/path"} {
		status, _ := e.API(http.MethodPut, merchantPath("domains"), map[string]any{"request": []string{wrong}})
		require.Equal(t, http.StatusUnprocessableEntity, status, wrong)
	}
	status, out := e.API(http.MethodPut, merchantPath("domains"), map[string]any{"request": []string{"https://other.com"}})
	require.Equal(t, http.StatusConflict, status, out)
	require.Contains(t, out["detail"], "other.com")

	out = e.do(http.MethodPut, merchantPath("webview-domains"), map[string]any{"webview": []string{"https://m.a.com"}})
	require.Equal(t, []any{"https://m.a.com"}, out["webview"])
	require.Equal(t, []any{"https://m.a.com"}, e.do(http.MethodGet, merchantPath("webview-domains"), nil)["webview"])
}

func TestGuidelineOfOneMerchant(t *testing.T) {
	t.Parallel()
	e := newShops(t, shop)
	status, _ := e.API(http.MethodPut, merchantPath("privacy"), map[string]any{"owner_setting": map[string]any{}})
	require.Equal(t, http.StatusUnprocessableEntity, status)
	guideline := map[string]any{
		"owner_setting": map[string]any{"contact_email": "ops@a.com", "notice_method": "弹窗"},
		"setting_list":  []map[string]any{{"privacy_key": "UserInfo", "privacy_text": "展示头像昵称"}},
	}
	e.fail(wechatfake.Fault{Path: "/cgi-bin/component/setprivacysetting", Mode: wechatfake.FaultCutAfter})
	out := e.do(http.MethodPut, merchantPath("privacy"), guideline)
	require.Equal(t, []any{map[string]any{"privacy_key": "UserInfo", "privacy_text": "展示头像昵称"}}, out["setting_list"])
	require.Equal(t, "ops@a.com", out["owner_setting"].(map[string]any)["contact_email"])
	e.do(http.MethodPut, merchantPath("privacy"), guideline)
	require.Equal(t, 1, e.Fake.Effective("/cgi-bin/component/setprivacysetting", shop))
	require.Empty(t, out["missing"])
}

// TestAnswersOfHandCallsBelongToTheirTurn: what a change answers with is read in the same turn, not beside a rollout as a page.
func TestAnswersOfHandCallsBelongToTheirTurn(t *testing.T) {
	t.Parallel()
	e := newShops(t, shop)
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	err := turn.Read(ctx, e.Locks, shop, func(ctx context.Context) error {
		return turn.Read(ctx, e.Locks, shop, func(ctx context.Context) error { // no page can read now
			if _, _, err := e.service.SetServerDomains(ctx, shop, &DomainSpec{Request: []string{}}); err != nil {
				return err
			}
			if _, _, err := e.service.SetWebviewDomains(ctx, shop, []string{}); err != nil {
				return err
			}
			_, _, err := e.service.SetGuideline(ctx, shop, &PrivacySpec{OwnerSetting: OwnerSetting{ContactEmail: "ops@a.com", NoticeMethod: "弹窗"}})
			return err
		})
	})
	require.NoError(t, err)
}

func TestHandCallsTakeTheMerchantsTurn(t *testing.T) {
	t.Parallel()
	e := newShops(t, shop)
	e.live(shop, "1.0.0")
	const slow = 2 * time.Second
	e.fail(wechatfake.Fault{Path: "/wxa/commit", Mode: wechatfake.FaultSlow, Delay: wechatfake.Duration(slow)})
	e.roll("2.3.0", nil, shop)
	e.Until("the commit is under way", func() bool { return e.Fake.Effective("/wxa/commit", shop) == 1 })
	e.do(http.MethodPut, merchantPath("domains"), map[string]any{"request": []string{"https://api.a.com"}})
	commits, sets := e.Fake.Calls("/wxa/commit"), e.Fake.Calls("/wxa/modify_domain")
	require.Len(t, commits, 1)
	require.False(t, sets[0].At.Before(commits[0].At.Add(slow)), "the operator's call waited")
}
