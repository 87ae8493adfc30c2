package wechatfake_test

import (
	"net/http"
	"strings"
	"testing"

	"github.com/wxsteward/wxsteward/internal/wechat/wechatfake"
	"github.com/wxsteward/wxsteward/internal/wechat/wechattest"
)

func TestOperationsAreRefusedAsWeChatDoes(t *testing.T) {
	t.Parallel()
	r := ready(t)
	r.join(wechatfake.Merchant{AppID: otherShop, NickName: "另一家店"})
	for _, tc := range []struct {
		path string
		body fields
		want int
	}{
		{"/wxa/setnickname", fields{"nick_name": ""}, 40097},
		{"/wxa/setnickname", fields{"nick_name": "王"}, 91004},
		{"/wxa/setnickname", fields{"nick_name": "另一家店"}, 91007},
		{"/wxa/setnickname", fields{"nick_name": "老王银行"}, 91009},
		{"/wxa/setnickname", fields{"nick_name": "老王银行", "license": "nonsense"}, 46001},
		{"/wxa/setnickname", fields{"nick_name": "老王新菜馆"}, 0},
		{"/wxa/setnickname", fields{"nick_name": "老王第三馆"}, 91003},
		{"/wxa/api_wxa_querynickname", fields{"audit_id": 1}, 91011},
		{"/cgi-bin/wxverify/checkwxverifynickname", fields{"nick_name": "王"}, 53010},
		{"/cgi-bin/wxverify/checkwxverifynickname", fields{"nick_name": "另一家店"}, 53013},
		{"/cgi-bin/account/modifyheadimage", fields{}, 41006},
		{"/cgi-bin/account/modifyheadimage", fields{"head_img_media_id": "x", "x1": 0, "y1": 0, "x2": 2, "y2": 1}, 40097},
		{"/cgi-bin/account/modifyheadimage", fields{"head_img_media_id": "x", "x1": 0, "y1": 0, "x2": 1, "y2": 1}, 46001},
		{"/cgi-bin/account/modifysignature", fields{"signature": ""}, 40097},
		{"/cgi-bin/account/modifysignature", fields{"signature": "最佳小店"}, 53201},
		{"/cgi-bin/account/modifysignature", fields{"signature": "家常菜馆"}, 0},
		{"/cgi-bin/wxopen/addcategory", fields{"categories": []fields{}}, 53303},
		{"/cgi-bin/wxopen/addcategory", fields{"categories": []fields{{"first": 1, "second": 2}}}, 53303},
		{"/cgi-bin/wxopen/addcategory", fields{"categories": []fields{{"first": 220, "second": 222}}}, 53311},
		{"/cgi-bin/wxopen/addcategory", fields{"categories": []fields{{"first": 287, "second": 619}}}, 0},
		{"/cgi-bin/wxopen/addcategory", fields{"categories": []fields{{"first": 287, "second": 619}}}, 53304},
		{"/cgi-bin/wxopen/modifycategory", fields{"first": 287, "second": 619}, 53307},
		{"/cgi-bin/wxopen/deletecategory", fields{"first": 1, "second": 2}, 53303},
		{"/cgi-bin/wxopen/deletecategory", fields{"first": 287, "second": 619}, 0},
		{"/wxa/verifybetaweapp", fields{"new_version": true, "verify_info": fields{"enterprise_name": "a", "code": "91110000MA01ABCD2X", "component_phone": "1"}}, 91021},
		{"/wxa/setbetaweappnickname", fields{"name": "abc"}, 91021},
		{"/wxa/getopendata", fields{"cloudid_list": []string{"x"}}, 61014},
	} {
		r.post(tc.path, r.aat[shop], tc.body).want(t, tc.want)
	}
	if err := r.Fake.UpdateScopes(shop, []int{18}); err != nil {
		t.Fatal(err)
	}
	r.do(http.MethodGet, "/cgi-bin/account/getaccountbasicinfo", "access_token="+r.aat[shop], nil, "").want(t, 61007)
	r.do(http.MethodGet, "/cgi-bin/account/getaccountbasicinfo", "access_token="+r.cat, nil, "").want(t, 61015)
}

func TestRegistrationsAreRefusedAsWeChatDoes(t *testing.T) {
	t.Parallel()
	r := ready(t)
	const path = "/wxa/component/fastregisterenterpriseweapp?action=create"
	company := fields{"name": "示例有限公司", "code": "91110000MA01ABCD2X", "component_phone": "1"}
	newer := fields{"name": "示例有限公司", "code": "91110000MA01ABCD2X", "component_phone": "1", "new_version": true}
	r.post("/cgi-bin/component/fastregisterweapp?action=create", r.cat, company).want(t, -1)
	r.post(path, r.cat, company).want(t, -1)
	r.post(path, r.cat, fields{"name": "a", "new_version": true}).want(t, 89253)
	r.post(path, r.cat, fields{"name": "a", "code": "123", "component_phone": "1", "new_version": true}).want(t, 89255)
	r.post(path, r.aat[shop], newer).want(t, 61014)
	task := r.post(path, r.cat, newer).want(t, 0).text("taskid")
	r.post(path, r.cat, newer).want(t, 89249)
	const query = "/wxa/component/fastregisterenterpriseweapp?action=query"
	r.post(query, r.cat, fields{"taskid": "nonsense"}).want(t, 89250)
	r.post(query, r.cat, fields{"taskid": task}).want(t, 0)
	r.clock.pass(25 * 3600e9)
	if _, err := r.Fake.ConfirmRegistration(task, wechatfake.Confirm{}); err == nil {
		t.Error("a registration can be confirmed for 24 hours")
	}
	r.componentToken()
	if status := r.post(query, r.cat, fields{"taskid": task}).want(t, 0).body["status"]; status != 1.0 {
		t.Errorf("status %v, want 1: timed out", status)
	}
	task = r.post(path, r.cat, newer).want(t, 0).text("taskid")
	appid, err := r.Fake.ConfirmRegistration(task, wechatfake.Confirm{Events: "registered"})
	if err != nil {
		t.Fatal(err)
	}
	event := r.inbox.next(t, "notify_third_fasteregister")
	if event["AppId"] != wechattest.ComponentAppID || event["appid"] != appid || event["status"] != "0" {
		t.Errorf("event %v", event)
	}
	r.exchange(appid, event["auth_code"])
}

func TestNamesOfTrialsAreCountedLikeOthers(t *testing.T) {
	t.Parallel()
	r := ready(t)
	r.must(r.Fake.ChangeMerchant(shop, func(m *wechatfake.Merchant) { m.ServiceType = 12 }))
	for name, want := range map[string]int{
		"ab": 53010, "abc": 53010, "ab商": 0, "店": 53010, "商店": 0, strings.Repeat("商", 15): 0, strings.Repeat("商", 16): 53010,
	} {
		if got := r.post("/wxa/component/fastregisterbetaweapp", r.cat, fields{"name": name, "openid": "oZhangsan"}).code(); got != want {
			t.Errorf("register %s: got errcode %d, want %d", name, got, want)
		}
		if got := r.call(shop, "/wxa/setbetaweappnickname", fields{"name": name}).code(); got != want {
			t.Errorf("rename to %s: got errcode %d, want %d", name, got, want)
		}
	}
}
