package wechatfake_test

import (
	"html"
	"net/http"
	"net/url"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/wxsteward/wxsteward/internal/wechat/wechatfake"
	"github.com/wxsteward/wxsteward/internal/wechat/wechattest"
)

const (
	fastRegisterAuth = "/cgi-bin/fastregisterauth"
	rebindAdmin      = "/wxopen/componentrebindadmin"
)

func voucherQuery(appid string) url.Values {
	return url.Values{
		"component_appid": {wechattest.ComponentAppID}, "appid": {appid}, "copy_wx_verify": {"1"},
		"redirect_uri": {"https://" + launchHost + "/authorize/registrations/r1/callback?state=s1"},
	}
}

// voucherRig has shop and otherShop, an official account, authorized.
func voucherRig(t *testing.T, options ...wechattest.Option) *rig {
	t.Helper()
	r := consentRig(t, options...)
	r.join(wechatfake.Merchant{AppID: shop, NickName: "老王家常菜"})
	r.join(wechatfake.Merchant{AppID: otherShop, NickName: "城南生活圈", Kind: wechatfake.Official})
	return r
}

func TestVoucherPageRefusals(t *testing.T) {
	t.Parallel()
	set := func(key, value string) func(url.Values) { return func(q url.Values) { q.Set(key, value) } }
	for _, test := range []struct {
		name, path, appid, referer string
		change                     func(url.Values)
		want                       string
	}{
		{"a good address asks", fastRegisterAuth, otherShop, referer, nil, `id="agree"`},
		{"a good address for a mini program asks", rebindAdmin, shop, referer, nil, `id="agree"`},
		{"no Referer", fastRegisterAuth, otherShop, "", nil, "授权入口页所在域名"},
		{"a foreign Referer", fastRegisterAuth, otherShop, "https://evil.example.com/", nil, "授权入口页所在域名"},
		{"a foreign redirect_uri", fastRegisterAuth, otherShop, referer, set("redirect_uri", "https://evil.example.com/"), "授权入口页所在域名"},
		{"no redirect_uri", rebindAdmin, shop, referer, set("redirect_uri", ""), "redirect_uri 参数错误"},
		{"a foreign component", fastRegisterAuth, otherShop, referer, set("component_appid", "wxother"), "component_appid 参数错误"},
		{"a mini program's principal", fastRegisterAuth, shop, referer, nil, "不是公众号"},
		{"an official account's administrator", rebindAdmin, otherShop, referer, nil, "不是小程序"},
		{"an unknown account", rebindAdmin, "wxnobody", referer, nil, "没有这个账号"},
		{"an account that has not authorized", rebindAdmin, "wxfrozen", referer, nil, "没有授权"},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			r := voucherRig(t)
			query := voucherQuery(test.appid)
			if test.change != nil {
				test.change(query)
			}
			status, _, page := r.browse(http.MethodGet, r.URL+test.path+"?"+query.Encode(), test.referer, nil)
			if status != http.StatusOK || !strings.Contains(page, test.want) {
				t.Errorf("status %d, want %q in %s", status, test.want, page)
			}
		})
	}
}

// voucher agrees on a page and takes what comes back.
func (r *rig) voucher(path, appid, name string) string {
	r.tb.Helper()
	_, _, form := r.browse(http.MethodGet, r.URL+path+"?"+voucherQuery(appid).Encode(), referer, nil)
	action := regexp.MustCompile(`action="/simulator([^"]+)"`).FindStringSubmatch(form)
	if action == nil {
		r.tb.Fatalf("no form in %s", form)
	}
	status, location, page := r.browse(http.MethodPost, r.URL+html.UnescapeString(action[1]), "", url.Values{"decision": {"agree"}})
	back, err := url.Parse(location)
	r.must(err)
	if status != http.StatusFound || back.Query().Get("state") != "s1" || back.Query().Get(name) == "" {
		r.tb.Fatalf("status %d to %q: %s", status, location, page)
	}
	return back.Query().Get(name)
}

func TestVoucherIsGoodForOneCallOfItsAccount(t *testing.T) {
	t.Parallel()
	now := time.Now()
	r := voucherRig(t, func(c *wechatfake.Config) { c.Now = func() time.Time { return now } })
	ticket, task := r.voucher(fastRegisterAuth, otherShop, "ticket"), r.voucher(rebindAdmin, shop, "taskid")
	const register, rebind = "/cgi-bin/account/fastregister", "/cgi-bin/account/componentrebindadmin"

	r.call(otherShop, register, fields{"ticket": task}).want(t, 61058)
	r.call(shop, register, fields{"ticket": ticket}).want(t, 61007)
	r.call(shop, rebind, fields{"taskid": ticket}).want(t, 61058)
	made := r.call(otherShop, register, fields{"ticket": ticket}).want(t, 0)
	if made.text("appid") == "" || made.text("authorization_code") == "" {
		t.Errorf("answer %v", made)
	}
	r.call(otherShop, register, fields{"ticket": ticket}).want(t, 61058)
	r.call(shop, rebind, fields{"taskid": task}).want(t, 0)
	r.call(shop, rebind, fields{"taskid": task}).want(t, 61058)
	late := r.voucher(fastRegisterAuth, otherShop, "ticket")
	now = now.Add(11 * time.Minute)
	r.call(otherShop, register, fields{"ticket": late}).want(t, 61058)
	r.component("/cgi-bin/component/api_query_auth", fields{"authorization_code": made.text("authorization_code")}).want(t, 61010)
}
