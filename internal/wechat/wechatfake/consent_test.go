package wechatfake_test

import (
	"html"
	"io"
	"net/http"
	"net/url"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/wxsteward/wxsteward/internal/wechat/wechatfake"
	"github.com/wxsteward/wxsteward/internal/wechat/wechattest"
)

const launchHost = "steward.example.com"

// browser is a merchant's browser: it follows no redirect by itself.
func (r *rig) browse(method, address, referer string, form url.Values) (status int, location, page string) {
	r.tb.Helper()
	req, err := http.NewRequestWithContext(r.tb.Context(), method, address, strings.NewReader(form.Encode()))
	r.must(err)
	if referer != "" {
		req.Header.Set("Referer", referer)
	}
	if method == http.MethodPost {
		req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	}
	client := &http.Client{CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	resp, err := client.Do(req)
	r.must(err)
	defer func() { _ = resp.Body.Close() }()
	body, err := io.ReadAll(resp.Body)
	r.must(err)
	return resp.StatusCode, resp.Header.Get("Location"), string(body)
}

func (r *rig) link(path string, change func(url.Values)) string {
	r.tb.Helper()
	code := r.component("/cgi-bin/component/api_create_preauthcode", fields{}).want(r.tb, 0).text("pre_auth_code")
	query := url.Values{
		"component_appid": {wechattest.ComponentAppID}, "pre_auth_code": {code}, "auth_type": {"3"},
		"redirect_uri": {"https://" + launchHost + "/authorize/l1/callback?state=s%2B1"},
	}
	if change != nil {
		change(query)
	}
	return r.URL + path + "?" + query.Encode()
}

func consentRig(t *testing.T, options ...wechattest.Option) *rig {
	t.Helper()
	options = append(options, func(c *wechatfake.Config) { c.LaunchHost, c.BasePath = launchHost, "/simulator" })
	r := newRig(t, options...)
	r.componentToken()
	r.must(r.Fake.AddMerchant(wechatfake.Merchant{AppID: shop, NickName: "老王家常菜"}))
	r.must(r.Fake.AddMerchant(wechatfake.Merchant{AppID: otherShop, NickName: "城南生活圈", Kind: wechatfake.Official}))
	r.must(r.Fake.AddMerchant(wechatfake.Merchant{AppID: "wxfrozen", NickName: "冻结的店", AccountStatus: 19}))
	return r
}

const referer = "https://" + launchHost + "/"

// consentID is the hidden field of the form.
func consentID(tb testing.TB, page string) string {
	tb.Helper()
	found := regexp.MustCompile(`name="consent" value="([^"]*)"`).FindStringSubmatch(page)
	if found == nil {
		tb.Fatalf("no consent form in %s", page)
	}
	return html.UnescapeString(found[1])
}

func TestConsentPageRefusals(t *testing.T) {
	t.Parallel()
	const domain = "请确认授权入口页所在域名，与授权后回调页所在域名相同，并且，此两者都必须与申请第三方平台时填写的授权发起页域名相同"
	set := func(key, value string) func(url.Values) { return func(q url.Values) { q.Set(key, value) } }
	for _, test := range []struct {
		name, referer string
		change        func(url.Values)
		want          string
	}{
		{"a good link shows the form", referer, nil, `id="consent"`},
		{"no Referer", "", nil, domain},
		{"a foreign Referer", "https://evil.example.com/", nil, domain},
		{"a foreign redirect_uri", referer, set("redirect_uri", "https://evil.example.com/"), domain},
		{"another port of redirect_uri", referer, set("redirect_uri", "https://"+launchHost+":8443/"), domain},
		{"no redirect_uri", referer, set("redirect_uri", ""), "redirect_uri 参数错误"},
		{"a foreign component", referer, set("component_appid", "wxother"), "component_appid 参数错误"},
		{"an unknown pre_auth_code", referer, set("pre_auth_code", "preauthcode@@@x"), "pre_auth_code 无效或已过期"},
		{"an unknown auth_type", referer, set("auth_type", "7"), "auth_type 参数错误"},
		{"no auth_type", referer, set("auth_type", ""), "auth_type 参数错误"},
		{"an auth_type nobody here has", referer, set("auth_type", "5"), "没有可以授权的账号"},
		{"an unknown biz_appid", referer, set("biz_appid", "wxnobody"), "无法为该账号授权"},
		{"a frozen biz_appid", referer, set("biz_appid", "wxfrozen"), "无法为该账号授权"},
		{"biz_appid wins over auth_type", referer, func(q url.Values) { q.Set("biz_appid", otherShop); q.Set("auth_type", "2") }, otherShop},
		{"a wrong category_id_list", referer, set("category_id_list", "18,30"), "category_id_list 参数错误"},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			r := consentRig(t)
			for _, path := range []string{"/cgi-bin/componentloginpage", "/wxaopen/safe/bindcomponent", "/safe/bindcomponent", "/simulator/wxaopen/safe/bindcomponent"} {
				status, _, page := r.browse(http.MethodGet, r.link(path, test.change), test.referer, nil)
				if status != http.StatusOK || !strings.Contains(page, test.want) || !strings.Contains(page, "模拟微信") {
					t.Fatalf("%s: got HTTP %d %s, want %q", path, status, page, test.want)
				}
			}
		})
	}
}

func TestConsentPageExpires(t *testing.T) {
	t.Parallel()
	r := consentRig(t)
	link := r.link("/safe/bindcomponent", nil)
	_, _, page := r.browse(http.MethodGet, link, referer, nil)
	r.clock.pass(31 * time.Minute)
	if _, _, again := r.browse(http.MethodGet, link, referer, nil); !strings.Contains(again, "pre_auth_code 无效或已过期") {
		t.Fatal("an expired pre_auth_code opens the page")
	}
	form := url.Values{"consent": {consentID(t, page)}, "appid": {shop}, "func": {"18"}, "decision": {"agree"}}
	if _, _, late := r.browse(http.MethodPost, r.URL+"/consent", "", form); !strings.Contains(late, "授权页已过期") {
		t.Fatalf("got %s", late)
	}
}

func TestConsentFromTheForm(t *testing.T) {
	t.Parallel()
	r := consentRig(t)
	_, _, page := r.browse(http.MethodGet, r.link("/cgi-bin/componentloginpage", func(q url.Values) { q.Set("category_id_list", "18|30|1") }), referer, nil)
	if strings.Contains(page, "冻结的店") || strings.Contains(page, `name="func" value="17"`) || !strings.Contains(page, `action="/simulator/consent"`) {
		t.Fatalf("got %s", page)
	}
	post := func(form url.Values) (int, string, string) {
		form.Set("consent", consentID(t, page))
		return r.browse(http.MethodPost, r.URL+"/simulator/consent", "", form)
	}
	if _, _, again := post(url.Values{"decision": {"agree"}}); !strings.Contains(again, "请选择要授权的账号") {
		t.Fatalf("got %s", again)
	}
	if _, _, again := post(url.Values{"appid": {shop}, "func": {"1"}, "decision": {"agree"}}); !strings.Contains(again, "请至少选择一项小程序权限集") {
		t.Fatalf("got %s", again)
	}
	if _, _, gone := post(url.Values{"decision": {"cancel"}}); !strings.Contains(gone, "已取消授权") {
		t.Fatalf("got %s", gone)
	}
	agree := url.Values{"appid": {shop}, "func": {"18", "1"}, "decision": {"agree"}}
	status, location, _ := post(agree)
	target, err := url.Parse(location)
	r.must(err)
	query := target.Query()
	if status != http.StatusFound || target.Host != launchHost || query.Get("state") != "s+1" || query.Get("expires_in") != "600" {
		t.Fatalf("got HTTP %d %s", status, location)
	}
	event := r.inbox.next(t, "authorized")
	if event["AuthorizationCode"] != query.Get("auth_code") || event["AuthorizerAppid"] != shop || !strings.HasPrefix(event["PreAuthCode"], "preauthcode@@@") {
		t.Fatalf("got event %v", event)
	}
	if _, repeated, _ := post(agree); repeated != location {
		t.Fatalf("a repeated post leads to %s, want %s", repeated, location)
	}
	r.exchange(shop, query.Get("auth_code"))
	view, err := r.Fake.Merchant(shop)
	r.must(err)
	if len(view.Granted) != 1 || view.Granted[0] != 18 {
		t.Fatalf("got granted %v, want 18 alone", view.Granted)
	}
}

func TestConsentOrders(t *testing.T) {
	t.Parallel()
	for _, order := range []string{wechatfake.OrderBoth, wechatfake.OrderEventFirst, wechatfake.OrderRedirectFirst, wechatfake.OrderEvent, wechatfake.OrderRedirect} {
		t.Run(order, func(t *testing.T) {
			t.Parallel()
			r := consentRig(t)
			r.Fake.Set(func(s *wechatfake.Settings) { s.ConsentOrder = order })
			_, _, page := r.browse(http.MethodGet, r.link("/safe/bindcomponent", nil), referer, nil)
			status, _, shown := r.browse(http.MethodPost, r.URL+"/consent", "", url.Values{"consent": {consentID(t, page)}, "appid": {shop}, "func": {"18"}, "decision": {"agree"}})
			if redirected := status == http.StatusFound; redirected == (order == wechatfake.OrderEvent) {
				t.Fatalf("got HTTP %d %s", status, shown)
			}
			switch order {
			case wechatfake.OrderRedirect:
				r.inbox.nothing(t)
			case wechatfake.OrderEventFirst:
				if push := r.Fake.Pushes()[1]; push.State != wechatfake.PushDelivered {
					t.Fatalf("redirected while the event was %s", push.State)
				}
			default:
				r.inbox.next(t, "authorized")
			}
		})
	}
}

func TestAnUnpublishedPlatformTakesTestAccountsAlone(t *testing.T) {
	t.Parallel()
	r := consentRig(t, func(c *wechatfake.Config) { c.TestUsers = []string{"gh_listed"} })
	r.must(r.Fake.AddMerchant(wechatfake.Merchant{AppID: "wxlisted", UserName: "gh_listed"}))
	_, _, page := r.browse(http.MethodGet, r.link("/safe/bindcomponent", nil), referer, nil)
	form := url.Values{"consent": {consentID(t, page)}, "appid": {shop}, "func": {"18"}, "decision": {"agree"}}
	if status, _, refused := r.browse(http.MethodPost, r.URL+"/consent", "", form); status != http.StatusOK || !strings.Contains(refused, "授权测试列表") {
		t.Fatalf("got HTTP %d %s", status, refused)
	}
	form.Set("appid", "wxlisted")
	if status, _, _ := r.browse(http.MethodPost, r.URL+"/consent", "", form); status != http.StatusFound {
		t.Fatalf("got HTTP %d for a listed account", status)
	}
}

func TestAvatars(t *testing.T) {
	t.Parallel()
	r := consentRig(t)
	for path, want := range map[string]int{"/avatar/" + shop + ".svg": 200, "/simulator/avatar/" + shop + ".svg": 200, "/avatar/none.svg": 404, "/code/" + shop + ".png": 200} {
		if status, _, body := r.browse(http.MethodGet, r.URL+path, "", nil); status != want {
			t.Errorf("%s: got HTTP %d %.60s, want %d", path, status, body, want)
		}
	}
}
