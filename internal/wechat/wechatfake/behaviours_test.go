package wechatfake_test

import (
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/wxsteward/wxsteward/internal/wechat/wechatfake"
)

// The fourteen behaviours a faithful WeChat must be able to show, one test each.

func TestANewCommitRestartsDetection(t *testing.T) {
	t.Parallel()
	r := ready(t)
	slowDetection(r)
	r.commit("1").want(t, 0)
	r.clock.pass(40 * time.Second)
	r.commit("2").want(t, 0)
	r.clock.pass(40 * time.Second)
	r.call(shop, "/wxa/security/get_code_privacy_info", nil).want(t, 61039)
	r.clock.pass(20 * time.Second)
	r.call(shop, "/wxa/security/get_code_privacy_info", nil).want(t, 0)
}

func TestSubmitIsRefusedForAWhileAfterARejection(t *testing.T) {
	t.Parallel()
	r := ready(t)
	r.Fake.Set(func(s *wechatfake.Settings) { s.RejectLag = wechatfake.Duration(time.Minute) })
	r.commit("1").want(t, 0)
	r.submit().want(t, 0)
	r.must(r.Fake.Reject(shop, "不符", 0))
	r.submit().want(t, 85009)
	r.clock.pass(time.Minute)
	r.submit().want(t, 0)
}

func TestAuditEventsAreLostDuplicatedOrEarly(t *testing.T) {
	t.Parallel()
	status := func(r *rig) any { return r.call(shop, "/wxa/get_latest_auditstatus", nil).body["status"] }
	submitted := func(t *testing.T, mode string) *rig {
		t.Helper()
		r := ready(t)
		r.commit("1").want(t, 0)
		r.submit().want(t, 0)
		r.must(r.Fake.NextEvent(mode))
		return r
	}
	t.Run("lost", func(t *testing.T) {
		t.Parallel()
		r := submitted(t, wechatfake.EventLost)
		r.must(r.Fake.Approve(shop))
		if got := status(r); got != 0.0 {
			t.Fatalf("got status %v, want 0", got)
		}
		for _, push := range r.Fake.Pushes() {
			if push.Type == "weapp_audit_success" {
				t.Fatal("the event was pushed")
			}
		}
	})
	t.Run("duplicated", func(t *testing.T) {
		t.Parallel()
		r := submitted(t, wechatfake.EventDuplicated)
		r.must(r.Fake.Approve(shop))
		first, second := r.inbox.nextRaw(t, "weapp_audit_success"), r.inbox.nextRaw(t, "weapp_audit_success")
		if string(first.body) != string(second.body) || first.encrypt == second.encrypt {
			t.Fatal("want the same content under fresh encryption")
		}
	})
	t.Run("early", func(t *testing.T) {
		t.Parallel()
		r := submitted(t, wechatfake.EventEarly)
		r.Fake.Set(func(s *wechatfake.Settings) { s.EarlyEventLag = wechatfake.Duration(200 * time.Millisecond) })
		r.must(r.Fake.Approve(shop))
		r.inbox.next(t, "weapp_audit_success")
		if got := status(r); got != 2.0 {
			t.Fatalf("got status %v when the event came, want 2", got)
		}
		deadline := time.Now().Add(5 * time.Second)
		for status(r) != 0.0 {
			if time.Now().After(deadline) {
				t.Fatal("the status never followed the event")
			}
			time.Sleep(10 * time.Millisecond)
		}
	})
}

func TestCommitOutcomeUnknown(t *testing.T) {
	t.Parallel()
	for mode, accepted := range map[string]bool{wechatfake.FaultAsyncAccepted: true, wechatfake.FaultAsyncLost: false} {
		t.Run(mode, func(t *testing.T) {
			t.Parallel()
			r := ready(t)
			_, err := r.Fake.FailNext(wechatfake.Fault{Path: "/wxa/commit", AppID: shop, Mode: mode})
			r.must(err)
			r.commit("1").want(t, 9402205)
			_, has := r.call(shop, "/wxa/getversioninfo", fields{}).want(t, 0).body["exp_info"]
			if has != accepted || r.Fake.Effective("/wxa/commit", shop) != map[bool]int{true: 1}[accepted] {
				t.Fatalf("got exp_info %v, want %v", has, accepted)
			}
			r.commit("1").want(t, 0)
		})
	}
}

func TestConnectionCutAfterTheServerActed(t *testing.T) {
	t.Parallel()
	r := ready(t)
	cut := func(path, mode string) {
		_, err := r.Fake.FailNext(wechatfake.Fault{Path: path, Mode: mode})
		r.must(err)
	}
	broken := func(got answer, path string, want int) {
		t.Helper()
		if got.err == nil {
			t.Fatalf("%s: got %s, want a cut connection", path, got.raw)
		}
		if n := r.Fake.Effective(path, shop); n != want {
			t.Fatalf("%s took effect %d times, want %d", path, n, want)
		}
	}
	cut("/wxa/commit", wechatfake.FaultCutBefore)
	broken(r.commit("1"), "/wxa/commit", 0)
	cut("/wxa/commit", wechatfake.FaultCutAfter)
	broken(r.commit("1"), "/wxa/commit", 1)
	cut("/wxa/submit_audit", wechatfake.FaultCutAfter)
	broken(r.submit(), "/wxa/submit_audit", 1)
	r.must(r.Fake.Approve(shop))
	cut("/wxa/release", wechatfake.FaultCutAfter)
	broken(r.call(shop, "/wxa/release", fields{}), "/wxa/release", 1)
	r.call(shop, "/wxa/release", fields{}).want(t, 85052)
}

func TestAuditIDsAndScreenshotKeysDrift(t *testing.T) {
	t.Parallel()
	r := ready(t)
	r.commit("1").want(t, 0)
	id, isNumber := r.submit().want(t, 0).body["auditid"].(float64)
	if !isNumber || id <= 1<<31 {
		t.Fatalf("got auditid %v, want a number above 2^31", id)
	}
	r.must(r.Fake.Reject(shop, "不符", 1))
	latest := r.call(shop, "/wxa/get_latest_auditstatus", nil).want(t, 0)
	byID := r.call(shop, "/wxa/get_auditstatus", fields{"auditid": int64(id)}).want(t, 0)
	shot := latest.text("ScreenShot")
	if shot == "" || byID.text("screenshot") != shot {
		t.Fatalf("got %v and %v", latest.body, byID.body)
	}
	picture := r.call(shop, "/cgi-bin/material/get_material", fields{"media_id": shot})
	if http.DetectContentType(picture.raw) != "image/png" {
		t.Fatalf("got %s for the screenshot, want a PNG", picture.raw)
	}
	r.Fake.Set(func(s *wechatfake.Settings) { s.AuditIDAsString, s.SwapScreenShotKey = true, true })
	latest = r.call(shop, "/wxa/get_latest_auditstatus", nil)
	if latest.text("screenshot") != shot || latest.text("auditid") == "" {
		t.Fatalf("got %v, want screenshot in lower case and auditid as text", latest.body)
	}
	if r.submit().text("auditid") == "" {
		t.Fatal("submit_audit still answers a number")
	}
}

func TestVersionInfoLeavesEmptySlotsOut(t *testing.T) {
	t.Parallel()
	r := ready(t)
	info := func() fields { return r.call(shop, "/wxa/getversioninfo", fields{}).want(t, 0).body }
	if len(info()) != 2 {
		t.Fatalf("got %v, want errcode and errmsg alone", info())
	}
	r.must(r.Fake.PutLive(shop, "0.9", "", []string{"pages/index/index"}, r.clock.now()))
	if got := info(); got["exp_info"] != nil || got["release_info"] == nil {
		t.Fatalf("got %v, want release_info alone", got)
	}
}

func TestDomainsSucceedInPartOrAreDroppedSilently(t *testing.T) {
	t.Parallel()
	r := ready(t)
	r.Fake.SetPlatformDomains([]string{"api.a.com", "cdn.a.com"}, nil)
	set := func(names ...string) answer {
		return r.call(shop, "/wxa/modify_domain", domainBody("set", names...))
	}
	got := set("https://api.a.com", "https://evil.com").want(t, 0)
	if names(got, "requestdomain") != "https://api.a.com" || names(got, "invalid_requestdomain") != "https://evil.com" {
		t.Fatalf("got %v, want a partial success", got.body)
	}
	_, err := r.Fake.FailNext(wechatfake.Fault{Path: "/wxa/modify_domain", Mode: wechatfake.FaultSilentDrop, Names: []string{"https://api.a.com"}})
	r.must(err)
	got = set("https://api.a.com", "https://cdn.a.com").want(t, 0)
	if names(got, "requestdomain") != "https://cdn.a.com" || got.body["invalid_requestdomain"] != nil {
		t.Fatalf("got %v, want a name dropped without a word", got.body)
	}
}

func TestErrorsCarryARID(t *testing.T) {
	t.Parallel()
	r := ready(t)
	message := r.call(shop, "/wxa/get_page", nil).want(t, 86001).text("errmsg")
	_, rid, found := strings.Cut(message, " rid: ")
	if !found || len(rid) != 26 || strings.Count(rid, "-") != 2 {
		t.Fatalf("got %q", message)
	}
	info := r.call(shop, "/cgi-bin/openapi/rid/get", fields{"rid": rid}).want(t, 0)
	if request, _ := info.body["request"].(map[string]any); !strings.Contains(request["response_body"].(string), "86001") {
		t.Fatalf("got %v", info.body)
	}
	r.post("/cgi-bin/openapi/rid/get", r.cat, fields{"rid": rid}).want(t, 76002)
	r.call(shop, "/cgi-bin/openapi/rid/get", fields{"rid": "00000000-00000000-00000000"}).want(t, 76001)
}

func TestTrialQRCodeIsImageOrJSON(t *testing.T) {
	t.Parallel()
	r := ready(t)
	none := r.call(shop, "/wxa/get_qrcode", nil).want(t, 86001)
	if !strings.HasPrefix(none.contentType, "application/json") {
		t.Fatalf("got %s", none.contentType)
	}
	r.commit("1").want(t, 0)
	code := r.call(shop, "/wxa/get_qrcode?path=pages%2Findex%2Findex%3Fa%3D1", nil)
	if code.status != http.StatusOK || code.contentType != "image/jpeg" || http.DetectContentType(code.raw) != "image/jpeg" {
		t.Fatalf("got %d %s", code.status, code.contentType)
	}
}

func TestQuotasRunOut(t *testing.T) {
	t.Parallel()
	r := ready(t)
	r.Fake.Set(func(s *wechatfake.Settings) {
		s.AuditRest = 1
		s.MinuteLimit["/wxa/get_page"], s.DailyLimit["/wxa/get_category"] = 2, 3
	})
	r.commit("1").want(t, 0)
	r.submit().want(t, 0)
	r.must(r.Fake.Reject(shop, "不符", 0))
	if rest := r.call(shop, "/wxa/queryquota", nil).want(t, 0).body["rest"]; rest != 0.0 {
		t.Fatalf("got rest %v, want 0", rest)
	}
	r.submit().want(t, 85085)
	for _, want := range []int{0, 0, 45011, 45011} {
		r.call(shop, "/wxa/get_page", nil).want(t, want)
	}
	r.clock.pass(time.Minute)
	r.call(shop, "/wxa/get_page", nil).want(t, 0)
	for _, want := range []int{0, 0, 0, 45009} {
		r.call(shop, "/wxa/get_category", nil).want(t, want)
	}
	quota := r.call(shop, "/cgi-bin/openapi/quota/get", fields{"cgi_path": "/wxa/get_category"}).want(t, 0).body["quota"].(map[string]any)
	if quota["remain"] != 0.0 || quota["used"] != 3.0 {
		t.Fatalf("got quota %v", quota)
	}
	r.call(shop, "/cgi-bin/clear_quota", fields{"appid": shop}).want(t, 0)
	r.call(shop, "/wxa/get_category", nil).want(t, 0)
	for range 9 {
		r.call(shop, "/cgi-bin/clear_quota", fields{"appid": shop}).want(t, 0)
	}
	r.call(shop, "/cgi-bin/clear_quota", fields{"appid": shop}).want(t, 48006)

	_, err := r.Fake.FailNext(wechatfake.Fault{Path: "/wxa/get_page", Times: 2, Mode: wechatfake.FaultErrcode, Code: 45011})
	r.must(err)
	for _, want := range []int{45011, 45011} {
		r.clock.pass(time.Minute)
		r.call(shop, "/wxa/get_page", nil).want(t, want)
	}
	r.clock.pass(time.Minute)
	r.call(shop, "/wxa/get_page", nil).want(t, 0)
}

func TestUnknownErrcodes(t *testing.T) {
	t.Parallel()
	r := ready(t)
	for _, path := range []string{"/wxa/submit_audit", "/wxa/release"} {
		_, err := r.Fake.FailNext(wechatfake.Fault{Path: path, Mode: wechatfake.FaultErrcode, Code: 85999, Msg: "小程序年审已过期"})
		r.must(err)
	}
	r.approvedAfter(85999)
	if got := r.call(shop, "/wxa/release", fields{}).want(t, 85999); !strings.HasPrefix(got.text("errmsg"), "小程序年审已过期 rid: ") {
		t.Fatalf("got %q", got.text("errmsg"))
	}
	r.call(shop, "/wxa/release", fields{}).want(t, 0)
}

func (r *rig) approvedAfter(refusal int) {
	r.tb.Helper()
	r.commit("1").want(r.tb, 0)
	r.submit().want(r.tb, refusal)
	r.submit().want(r.tb, 0)
	r.must(r.Fake.Approve(shop))
}

func TestAHumanDecidesInTheConsole(t *testing.T) {
	t.Parallel()
	r := ready(t)
	r.must(r.Fake.ConsoleSubmit(shop))
	r.commit("1").want(t, 0)
	r.submit().want(t, 85009)
	r.call(shop, "/wxa/get_latest_auditstatus", nil).want(t, 85058)
	r.must(r.Fake.ConsoleDecide(shop, wechatfake.AuditApproved, ""))
	r.submit().want(t, 0)
	r.must(r.Fake.ConsoleDecide(shop, wechatfake.AuditWithdrawn, ""))
	if status := r.call(shop, "/wxa/get_latest_auditstatus", nil).want(t, 0).body["status"]; status != 3.0 {
		t.Fatalf("got status %v, want 3", status)
	}
	r.inbox.nothing(t)
}

func TestTheMerchantCancelsBetweenTwoCalls(t *testing.T) {
	t.Parallel()
	for _, code := range []int{61003, 61007, 40001} {
		r := ready(t)
		r.Fake.Set(func(s *wechatfake.Settings) { s.RevokedCode = code })
		r.commit("1").want(t, 0)
		r.must(r.Fake.Revoke(shop))
		r.inbox.next(t, "unauthorized")
		r.submit().want(t, code)
		r.component("/cgi-bin/component/api_get_authorizer_info", fields{"authorizer_appid": shop}).want(t, 61003)
		r.component("/cgi-bin/component/api_authorizer_token", fields{"authorizer_appid": shop, "authorizer_refresh_token": r.art[shop]}).want(t, 61003)
	}
}
