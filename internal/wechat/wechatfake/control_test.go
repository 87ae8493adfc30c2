package wechatfake_test

import (
	"encoding/json"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/wxsteward/wxsteward/internal/wechat/wechatfake"
)

func (r *rig) control(method, path, body string) answer {
	r.tb.Helper()
	return r.do(method, "/_control/"+path, "", []byte(body), "application/json")
}

func (r *rig) wantControl(method, path, body string) answer {
	r.tb.Helper()
	got := r.control(method, path, body)
	if got.status != http.StatusOK {
		r.tb.Fatalf("%s %s: got HTTP %d %s", method, path, got.status, got.raw)
	}
	return got
}

// TestARolloutThroughTheControlAPI plays merchant and reviewer as another process does: over HTTP alone.
func TestARolloutThroughTheControlAPI(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.wantControl("POST", "ticket", "")
	r.ticket = r.inbox.next(t, "component_verify_ticket")["ComponentVerifyTicket"]
	r.componentToken()
	r.wantControl("POST", "templates", `{"pages":["pages/index/index"],"source_miniprogram_appid":"wxsource"}`)
	r.wantControl("PUT", "platform-domains", `{"server":["api.a.com"],"webview":[]}`)
	r.wantControl("POST", "merchants", `{"appid":"`+shop+`","nick_name":"老王家常菜"}`)
	given := r.wantControl("POST", "merchants/"+shop+"/authorize", `{"scopes":[18]}`)
	r.inbox.next(t, "authorized")
	r.exchange(shop, given.text("auth_code"))
	r.wantControl("PATCH", "merchants/"+shop, `{"icp_status":1024}`)
	r.commit("1").want(t, 0)
	r.submit().want(t, 0)
	r.wantControl("POST", "next-events", `{"modes":["lose"]}`)
	r.wantControl("POST", "merchants/"+shop+"/reject", `{"reason":"1:不符<br>","screenshots":2}`)
	r.submit().want(t, 0)
	r.wantControl("POST", "merchants/"+shop+"/approve", "")
	r.inbox.next(t, "weapp_audit_success")
	r.wantControl("POST", "faults", `{"path":"/wxa/release","mode":"slow","delay":"1ms"}`)
	r.call(shop, "/wxa/release", fields{}).want(t, 0)

	if got := r.wantControl("GET", "effective?path=/wxa/release&appid="+shop, ""); got.status != 200 {
		t.Fatal(got)
	}
	var state wechatfake.View
	if err := json.Unmarshal(r.wantControl("GET", "state", "").raw, &state); err != nil {
		t.Fatal(err)
	}
	merchant := state.Merchants[0]
	if merchant.ICPStatus != 1024 || merchant.Live == nil || merchant.Live.UserVersion != "1" || len(state.Audits) != 2 || len(state.Audits[1].ScreenShots) != 2 {
		t.Fatalf("got %+v", merchant)
	}
	r.wantControl("POST", "merchants/"+shop+"/message", `{"fields":{"MsgType":"event","Event":"user_enter_tempsession","List":[{"A":1},{"A":2}]}}`)
	if got := r.inbox.nextRaw(t, "user_enter_tempsession"); !strings.Contains(string(got.body), "<List><A>1</A></List><List><A>2</A></List>") {
		t.Fatalf("got %s", got.body)
	}
	r.wantControl("POST", "event", `{"fields":{"InfoType":"notify_apply_icpfiling_result","authorizer_appid":"`+shop+`","beian_status":6}}`)
	r.inbox.next(t, "notify_apply_icpfiling_result")
	r.wantControl("PATCH", "settings", `{"audit_rest":0,"latency":{"/wxa/commit":"5ms"}}`)
	if set := r.Fake.Settings(); set.AuditRest != 0 || set.Latency["/wxa/commit"] != wechatfake.Duration(5*time.Millisecond) || set.TokenExpires == 0 {
		t.Fatalf("got %+v", set)
	}
	r.wantControl("POST", "tokens/expire", `{"appid":"`+shop+`","refused":true}`)
	r.call(shop, "/wxa/get_page", nil).want(t, 40001)
	r.wantControl("POST", "merchants/"+shop+"/revoke", "")
	r.inbox.next(t, "unauthorized")
	r.wantControl("DELETE", "ticket", "")
	for _, path := range []string{"settings", "merchants", "merchants/" + shop, "calls?path=/wxa/commit", "pushes", "unknown", "messages", "secrets"} {
		r.wantControl("GET", path, "")
	}
	if got := r.control("POST", "merchants/none/approve", ""); got.status != http.StatusNotFound {
		t.Fatalf("got HTTP %d for an unknown merchant", got.status)
	}
	if got := r.control("POST", "faults", `{"mode":"nonsense"}`); got.status != http.StatusBadRequest || got.text("error") == "" {
		t.Fatalf("got HTTP %d %s", got.status, got.raw)
	}
}

func TestFaultsOfTheConnection(t *testing.T) {
	t.Parallel()
	r := ready(t)
	fault := func(f wechatfake.Fault) {
		f.Path = "/wxa/get_page"
		_, err := r.Fake.FailNext(f)
		r.must(err)
	}
	r.commit("1").want(t, 0)
	page := func() answer { return r.call(shop, "/wxa/get_page", nil) }
	fault(wechatfake.Fault{Mode: wechatfake.FaultHTTP, Code: 502})
	if got := page(); got.status != 502 {
		t.Fatalf("got HTTP %d", got.status)
	}
	fault(wechatfake.Fault{Mode: wechatfake.FaultGarbage})
	if got := page(); got.status != 200 || got.body != nil {
		t.Fatalf("got HTTP %d %s", got.status, got.raw)
	}
	fault(wechatfake.Fault{Mode: wechatfake.FaultErrcode, Code: -1, Skip: 1, Times: 2})
	for _, want := range []int{0, -1, -1, 0} {
		page().want(t, want)
	}
	fault(wechatfake.Fault{Mode: wechatfake.FaultErrcode, Code: 45011, AppID: otherShop, Times: -1})
	page().want(t, 0)
	r.Fake.ClearFaults()

	_, err := r.Fake.FailNext(wechatfake.Fault{Path: "/wxa/commit", Mode: wechatfake.FaultErrcodeExecuted, Code: -1})
	r.must(err)
	r.commit("2").want(t, -1)
	_, err = r.Fake.FailNext(wechatfake.Fault{Path: "/wxa/commit", Mode: wechatfake.FaultSilentDrop})
	r.must(err)
	r.commit("3").want(t, 0)
	if got := r.call(shop, "/wxa/getversioninfo", fields{}).body["exp_info"].(map[string]any)["exp_version"]; got != "2" {
		t.Fatalf("got trial version %v, want 2", got)
	}
	calls := r.Fake.Calls("/wxa/commit")
	if len(calls) != 3 || !calls[1].Executed || calls[1].ErrCode != -1 || calls[2].Executed || calls[2].Fault != wechatfake.FaultSilentDrop {
		t.Fatalf("got %+v", calls)
	}
}

func TestAuthorizeVisitsTheRedirect(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.componentToken()
	r.must(r.Fake.AddMerchant(wechatfake.Merchant{AppID: shop}))
	code := r.component("/cgi-bin/component/api_create_preauthcode", fields{}).want(t, 0).text("pre_auth_code")
	given, err := r.Fake.AuthorizeMerchant(shop, wechatfake.Authorize{PreAuthCode: code, RedirectURI: r.URL + "/callback?link=1", Order: wechatfake.OrderEventFirst})
	r.must(err)
	if event := r.inbox.next(t, "authorized"); event["PreAuthCode"] != code || event["AuthorizationCode"] != given.Code {
		t.Fatalf("got %v", event)
	}
	r.mustSoon("the redirect was not visited", func() bool { return r.Fake.Unknown()["/callback"] == 1 })
	_, err = r.Fake.AuthorizeMerchant(shop, wechatfake.Authorize{PreAuthCode: "preauthcode@@@none"})
	if err == nil {
		t.Fatal("an unknown pre_auth_code was taken")
	}
}

func TestStartPushesTicketsUntilTheContextEnds(t *testing.T) {
	t.Parallel()
	r := newRig(t, func(c *wechatfake.Config) { c.TicketInterval = 10 * time.Millisecond })
	r.Fake.Start(t.Context())
	first := r.inbox.next(t, "component_verify_ticket")["ComponentVerifyTicket"]
	if r.inbox.next(t, "component_verify_ticket")["ComponentVerifyTicket"] == first {
		t.Fatal("the same ticket was pushed twice")
	}
}
