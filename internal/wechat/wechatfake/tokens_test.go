package wechatfake_test

import (
	"fmt"
	"net/http"
	"slices"
	"testing"
	"time"

	"github.com/wxsteward/wxsteward/internal/wechat/wechatfake"
	"github.com/wxsteward/wxsteward/internal/wechat/wechattest"
)

func TestComponentTokenRefusals(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	ask := func(change func(fields)) answer {
		body := fields{"component_appid": wechattest.ComponentAppID, "component_appsecret": wechattest.ComponentSecret, "component_verify_ticket": r.ticket}
		change(body)
		return r.post("/cgi-bin/component/api_component_token", "", body)
	}
	nothing := func(fields) {}
	ask(nothing).want(t, 61005) // no ticket was ever pushed
	r.componentToken()
	first := r.ticket
	ask(func(f fields) { delete(f, "component_appsecret") }).want(t, 41004)
	ask(func(f fields) { f["component_appsecret"] = "wrong" }).want(t, 40125)
	ask(func(f fields) { f["component_appid"] = "wx" }).want(t, 40013)
	ask(func(f fields) { f["component_verify_ticket"] = "ticket@@@other" }).want(t, 61006)
	r.clock.pass(12 * time.Hour)
	ask(nothing).want(t, 0)
	r.clock.pass(time.Second)
	ask(nothing).want(t, 61005)
	r.componentToken()
	ask(func(f fields) { f["component_verify_ticket"] = first }).want(t, 61005)
	r.Fake.Set(func(s *wechatfake.Settings) { s.IPWhitelist = []string{"203.0.113.9"} })
	ask(nothing).want(t, 61004)
}

func TestStartPushTicketBringsTicketsBack(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.componentToken()
	r.Fake.DropTickets()
	body := fields{"component_appid": wechattest.ComponentAppID, "component_secret": wechattest.ComponentSecret}
	if got := r.post("/cgi-bin/component/api_start_push_ticket", "", body).want(t, 0).text("errmsg"); got != "ok" {
		t.Fatalf("got errmsg %q, want ok", got)
	}
	r.inbox.next(t, "component_verify_ticket")
	if got := r.post("/cgi-bin/component/api_start_push_ticket", "", body).want(t, 0).text("errmsg"); got != "in a normal state" {
		t.Fatalf("got errmsg %q", got)
	}
	delete(body, "component_secret")
	body["component_appsecret"] = wechattest.ComponentSecret
	r.post("/cgi-bin/component/api_start_push_ticket", "", body).want(t, 41004)
}

func TestTokenKindsAndExpiry(t *testing.T) {
	t.Parallel()
	r := ready(t)
	const merchants, platforms = "/wxa/get_page", "/wxa/gettemplatelist"
	get := func(path, token string) answer { return r.do(http.MethodGet, path, "access_token="+token, nil, "") }
	get(platforms, r.aat[shop]).want(t, 61014)
	get(merchants, r.cat).want(t, 61015)
	get(platforms, "").want(t, 41001)
	get(platforms, "nonsense").want(t, 40001)
	get(platforms, r.cat).want(t, 0)
	r.do(http.MethodPost, "/cgi-bin/component/api_create_preauthcode", "component_access_token="+r.cat, []byte(`{"component_appid":"`+wechattest.ComponentAppID+`"}`), "").want(t, 0)

	old := r.aat[shop]
	fresh := r.component("/cgi-bin/component/api_authorizer_token", fields{"authorizer_appid": shop, "authorizer_refresh_token": r.art[shop]}).want(t, 0)
	r.aat[shop] = fresh.text("authorizer_access_token")
	get(merchants, old).want(t, 86001) // the old token works for five minutes more
	r.clock.pass(5 * time.Minute)
	get(merchants, old).want(t, 42001)
	get(merchants, r.aat[shop]).want(t, 86001)
	r.clock.pass(2 * time.Hour)
	get(merchants, r.aat[shop]).want(t, 42001)
	get(platforms, r.cat).want(t, 42001)
	r.Fake.Set(func(s *wechatfake.Settings) { s.ExpiredComponentCode = 42006 })
	get(platforms, r.cat).want(t, 42006)
	r.Fake.ExpireTokens("*", true)
	get(merchants, r.aat[shop]).want(t, 40001)
}

func TestVerbsAndBodies(t *testing.T) {
	t.Parallel()
	r := ready(t)
	r.post("/wxa/gettemplatelist", r.cat, fields{}).want(t, 43001)
	r.call(shop, "/wxa/release", nil).want(t, 43002)
	for body, want := range map[string]int{
		"": 44002, " \n": 44002, "[]": 47001, "{": 47001, "\xff": 47001, "{}": 85019, `{"a":"\u4f60"}`: 47002, `{"a":"\\u4f60"}`: 85019, `{"a":"\u0026"}`: 47002, `{"a":"\u0001\u2028"}`: 85019,
	} {
		if got := r.raw("/wxa/release", r.aat[shop], body); got.code() != want {
			t.Errorf("body %q: got errcode %d, want %d", body, got.code(), want)
		}
	}
	r.raw("/cgi-bin/component/setprivacysetting", r.aat[shop], `{"a":"\u4f60"}`).want(t, 40033)
	got := r.do(http.MethodPost, "/wxa/none", "", nil, "")
	if got.status != http.StatusNotFound || r.Fake.Unknown()["/wxa/none"] != 1 {
		t.Fatalf("got HTTP %d and count %v, want 404 and 1", got.status, r.Fake.Unknown())
	}
}

func TestAuthorizationCodesAreGoodOnce(t *testing.T) {
	t.Parallel()
	r := ready(t)
	r.must(r.Fake.AddMerchant(wechatfake.Merchant{AppID: otherShop}))
	given, err := r.Fake.AuthorizeMerchant(otherShop, wechatfake.Authorize{})
	r.must(err)
	query := func(code string) answer {
		return r.component("/cgi-bin/component/api_query_auth", fields{"authorization_code": code})
	}
	query("queryauthcode@@@none").want(t, 61009)
	query(given.Code).want(t, 0)
	query(given.Code).want(t, 61009)
	again, err := r.Fake.AuthorizeMerchant(otherShop, wechatfake.Authorize{})
	r.must(err)
	if again.Event != "" {
		t.Fatalf("got event %q for unchanged sets, want none", again.Event)
	}
	r.clock.pass(10 * time.Minute)
	query(again.Code).want(t, 61010)
}

func TestRefreshTokens(t *testing.T) {
	t.Parallel()
	r := ready(t)
	refresh := func(token string) answer {
		return r.component("/cgi-bin/component/api_authorizer_token", fields{"authorizer_appid": shop, "authorizer_refresh_token": token})
	}
	first := r.art[shop]
	if got := refresh(first).want(t, 0).text("authorizer_refresh_token"); got != first {
		t.Fatal("the refresh token changed by itself")
	}
	refresh("").want(t, 61023)
	refresh("refreshtoken@@@other").want(t, 61023)
	r.Fake.Set(func(s *wechatfake.Settings) { s.RotateRefreshToken = true })
	second := refresh(first).want(t, 0).text("authorizer_refresh_token")
	if second == first {
		t.Fatal("the refresh token did not rotate")
	}
	refresh(first).want(t, 61023)
	r.must(r.Fake.Revoke(shop))
	r.inbox.next(t, "unauthorized")
	given, err := r.Fake.AuthorizeMerchant(shop, wechatfake.Authorize{})
	r.must(err)
	r.inbox.next(t, "authorized")
	old := r.aat[shop]
	r.exchange(shop, given.Code)
	refresh(second).want(t, 61023)
	r.do(http.MethodGet, "/wxa/get_page", "access_token="+old, nil, "").want(t, 40001)
}

func TestAuthorizerList(t *testing.T) {
	t.Parallel()
	r := ready(t)
	for i := range 4 {
		appid := fmt.Sprintf("wxmore%d", i)
		r.must(r.Fake.AddMerchant(wechatfake.Merchant{AppID: appid}))
		if i < 3 {
			_, err := r.Fake.AuthorizeMerchant(appid, wechatfake.Authorize{})
			r.must(err)
		}
	}
	page := func(offset, count int) answer {
		return r.component("/cgi-bin/component/api_get_authorizer_list", fields{"offset": offset, "count": count})
	}
	page(0, 501).want(t, 40170)
	page(0, 0).want(t, 40097)
	var refreshed []bool
	for offset := 0; ; offset += 2 {
		got := page(offset, 2).want(t, 0)
		if got.body["total_count"] != 4.0 {
			t.Fatalf("got total %v, want 4", got.body["total_count"])
		}
		rows, _ := got.body["list"].([]any)
		if len(rows) == 0 {
			break
		}
		for _, row := range rows {
			refreshed = append(refreshed, row.(map[string]any)["refresh_token"] != "")
		}
	}
	if !slices.Equal(refreshed, []bool{true, false, false, false}) {
		t.Fatalf("got refresh tokens %v, want one for the exchanged merchant alone", refreshed)
	}
}

func TestAuthorizerInfoTellsTheKindOfAccount(t *testing.T) {
	t.Parallel()
	r := ready(t)
	r.join(wechatfake.Merchant{AppID: otherShop, Kind: wechatfake.Official})
	info := func(appid string) map[string]any {
		return r.component("/cgi-bin/component/api_get_authorizer_info", fields{"authorizer_appid": appid}).want(t, 0).body["authorizer_info"].(map[string]any)
	}
	if info(shop)["MiniProgramInfo"] == nil || info(otherShop)["MiniProgramInfo"] != nil {
		t.Fatal("MiniProgramInfo must be there for mini programs alone")
	}
	r.call(otherShop, "/wxa/get_page", nil).want(t, 61007)
	set := fields{"option_name": "voice_recognize", "option_value": "1"}
	r.call(otherShop, "/cgi-bin/component/set_authorizer_option", set).want(t, 0)
	if got := r.call(otherShop, "/cgi-bin/component/get_authorizer_option", set).want(t, 0).text("option_value"); got != "1" {
		t.Fatalf("got option %q", got)
	}
	r.call(otherShop, "/cgi-bin/component/get_authorizer_option", fields{"option_name": "none"}).want(t, 61012)
	r.call(otherShop, "/cgi-bin/component/set_authorizer_option", fields{"option_name": "voice_recognize", "option_value": "2"}).want(t, 61013)
	r.call(shop, "/cgi-bin/component/set_authorizer_option", set).want(t, 61007)
}

func TestLoginCodesAreGoodOnce(t *testing.T) {
	t.Parallel()
	r := ready(t)
	code, err := r.Fake.NewLoginCode(shop, "openid1")
	r.must(err)
	login := func(code, token string) answer {
		return r.do(http.MethodGet, "/sns/component/jscode2session", "appid="+shop+"&js_code="+code+"&grant_type=authorization_code&component_appid="+wechattest.ComponentAppID+"&"+token, nil, "")
	}
	login(code, "access_token="+r.cat).want(t, 41021)
	login("none", "component_access_token="+r.cat).want(t, 40029)
	got := login(code, "component_access_token="+r.cat).want(t, 0)
	if got.text("openid") != "openid1" || got.text("session_key") == "" || got.contentType != "text/plain" {
		t.Fatalf("got %s %v", got.contentType, got.body)
	}
	login(code, "component_access_token="+r.cat).want(t, 40163)
}
