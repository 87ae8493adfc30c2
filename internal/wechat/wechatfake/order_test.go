package wechatfake_test

import (
	"strings"
	"testing"
	"time"

	"github.com/wxsteward/wxsteward/internal/wechat/wechatfake"
)

// TestOrderOfChecks starts with a submit_audit in which everything is wrong and mends one thing after the other: each
// time the next check in WeChat's order must answer.
func TestOrderOfChecks(t *testing.T) {
	t.Parallel()
	r := ready(t)
	r.must(r.Fake.ChangeMerchant(shop, func(m *wechatfake.Merchant) {
		m.Ban, m.NoBasicInfo, m.PrivateAPIs = 86007, true, []string{"wx.getLocation"}
		m.Categories = []wechatfake.Category{
			{FirstClass: "社交", SecondClass: "笔记", FirstID: 1, SecondID: 2, Status: 3},
			{FirstClass: "工具", SecondClass: "备忘录", FirstID: 3, SecondID: 4, Status: 4},
		}
	}))
	r.must(r.Fake.UpdateScopes(shop, []int{17}))
	r.Fake.Set(func(s *wechatfake.Settings) { s.IPWhitelist, s.AuditRest = []string{"203.0.113.9"}, 0 })

	change := func(fn func(*wechatfake.Merchant)) func() {
		return func() { r.must(r.Fake.ChangeMerchant(shop, fn)) }
	}
	set := func(fn func(*wechatfake.Settings)) func() { return func() { r.Fake.Set(fn) } }
	const path = "/wxa/submit_audit"
	token, verb := "unknown", "GET"
	body := ""
	call := func() answer {
		if verb == "GET" {
			return r.do(verb, path, "access_token="+token, nil, "")
		}
		return r.raw(path, token, body)
	}
	item := func(extra string) string {
		return `{"item_list":[{"first_class":"社交","second_class":"笔记","first_id":1,"second_id":2` + extra + `}]}`
	}
	hundredFeedback := `{"feedback_info":"` + strings.Repeat("字", 201) + `"}`

	steps := []struct {
		name string
		mend func()
		want int
	}{
		{"the token is unknown", func() {}, 40001},
		{"the address is not listed", func() { token = r.aat[shop] }, 61004},
		{"the permission set is missing", set(func(s *wechatfake.Settings) { s.IPWhitelist = nil }), 61007},
		{"the verb is wrong", func() { r.must(r.Fake.UpdateScopes(shop, []int{17, 18})) }, 43002},
		{"the body is empty", func() { verb = "POST" }, 44002},
		{"the body is not JSON", func() { body = "{" }, 47001},
		{"an argument is too long", func() { body = hundredFeedback }, 40097},
		{"the merchant is banned", func() { body = "{}" }, 86007},
		{"basic information is missing", change(func(m *wechatfake.Merchant) { m.Ban = 0 }), 86002},
		{"nothing is committed", change(func(m *wechatfake.Merchant) { m.NoBasicInfo = false }), 85086},
		{"an audit is running in the console", func() {
			slowDetection(r)
			r.commit("1").want(t, 0)
			r.must(r.Fake.ConsoleSubmit(shop))
		}, 85009},
		{"detection is running", func() { r.must(r.Fake.ConsoleDecide(shop, wechatfake.AuditWithdrawn, "")) }, 61039},
		{"a private API lacks permission", func() { r.clock.pass(time.Minute) }, 61040},
		{"there are no items", func() {
			r.must(r.Fake.ChangeMerchant(shop, func(m *wechatfake.Merchant) { m.GrantedAPIs = []string{"wx.getLocation"} }))
			body = `{"item_list":[]}`
		}, 85023},
		{"an item is incomplete", func() { body = `{"item_list":[{"first_class":"社交"}]}` }, 85010},
		{"a tag is too long", func() {
			body = item(`,"tag":"` + strings.Repeat("字", 21) + `","address":"pages/none","title":"` + strings.Repeat("字", 33) + `"`)
		}, 85006},
		{"a page does not exist", func() { body = item(`,"address":"pages/none","title":"` + strings.Repeat("字", 33) + `"`) }, 85007},
		{"a title is too long", func() { body = item(`,"title":"` + strings.Repeat("字", 33) + `"`) }, 85011},
		{"the category is not the merchant's", func() {
			body = `{"item_list":[{"first_class":"教育","second_class":"培训","first_id":9,"second_id":9}]}`
		}, 85008},
		{"the category was withdrawn", func() {
			body = `{"item_list":[{"first_class":"工具","second_class":"备忘录","first_id":3,"second_id":4}]}`
		}, 85077},
		{"the notes are too long", func() {
			body = `{"version_desc":"` + strings.Repeat("字", 2001) + `","preview_info":{"pic_id_list":["none"]}}`
		}, 85051},
		{"a preview picture is unknown", func() { body = `{"preview_info":{"pic_id_list":["none"],"video_id_list":[]}}` }, 85092},
		{"user content is not declared", func() { body = `{}` }, 85094},
		{"the quota is used up", func() { body = `{"ugc_declare":{"scene":[1],"method":[1]}}` }, 85085},
		{"nothing is wrong any more", set(func(s *wechatfake.Settings) { s.AuditRest = 1 }), 0},
		{"the quota was counted", func() {
			r.call(shop, "/wxa/undocodeaudit", nil).want(t, 0)
		}, 85085},
	}
	for _, step := range steps {
		step.mend()
		if got := call(); got.code() != step.want {
			t.Fatalf("when %s: got errcode %d (%s), want %d", step.name, got.code(), got.text("errmsg"), step.want)
		}
	}
}

func TestCommitRefusesBadArguments(t *testing.T) {
	t.Parallel()
	good := func() fields {
		return fields{"template_id": 0, "ext_json": "{}", "user_version": "1", "user_desc": "d"}
	}
	ext := func(text string) func(fields) { return func(f fields) { f["ext_json"] = text } }
	for _, test := range []struct {
		name   string
		change func(fields)
		want   int
	}{
		{"template_id as a numeric string is fine", func(f fields) { f["template_id"] = "0" }, 0},
		{"ext_json must be a string", func(f fields) { f["ext_json"] = fields{} }, 47001},
		{"ext_json must be given", func(f fields) { delete(f, "ext_json") }, 40097},
		{"user_version of 64 characters is fine", func(f fields) { f["user_version"] = strings.Repeat("版", 64) }, 0},
		{"user_version of 65 characters is not", func(f fields) { f["user_version"] = strings.Repeat("版", 65) }, 40097},
		{"an unknown template", func(f fields) { f["template_id"] = 77 }, 85014},
		{"ext_json that is not JSON", ext("{"), 85048},
		{"ext_json that is a list", ext("[]"), 85013},
		{"another merchant's extAppid", ext(`{"extAppid":"` + otherShop + `"}`), 85013},
		{"no pages", ext(`{"pages":[]}`), 85047},
		{"a page the template lacks", ext(`{"pages":["pages/none"]}`), 85045},
		{"a subset of the pages is fine", ext(`{"pages":["pages/order/list"]}`), 0},
		{"a sub package is fine", ext(`{"subPackages":[{"root":"packages/coupon","pages":["list"]}]}`), 0},
		{"a sub package page the template lacks", ext(`{"subPackages":[{"root":"packages/coupon","pages":["none"]}]}`), 85045},
		{"extPages of a page the template lacks", ext(`{"extPages":{"pages/none":{}}}`), 85045},
		{"a tab without page", ext(`{"tabBar":{"list":[{"text":"首页"}]}}`), 85046},
		{"a tab of a page not there", ext(`{"tabBar":{"list":[{"pagePath":"pages/none"}]}}`), 800059},
		{"an unknown private API", ext(`{"requiredPrivateInfos":["getMoon"]}`), 85310},
		{"private APIs that exclude each other", ext(`{"requiredPrivateInfos":["getFuzzyLocation","getLocation"]}`), 85311},
		{"a private API without permission", ext(`{"requiredPrivateInfos":["getLocation"]}`), 85312},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			r := ready(t)
			body := good()
			test.change(body)
			r.call(shop, "/wxa/commit", body).want(t, test.want)
		})
	}
}
