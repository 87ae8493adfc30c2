package wechat_test

import (
	"context"
	"encoding/json"
	"io"
	"mime"
	"mime/multipart"
	"net/url"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/wxsteward/wxsteward/internal/sealed"
	"github.com/wxsteward/wxsteward/internal/wechat"
)

// both is the two faces of the client against one server.
type both struct {
	*wechat.Component
	m *wechat.Authorizer
	c *wechat.Client
}

// drop forgets a result, so that a shape can be told in one line.
func drop[T any](_ T, err error) error { return err }

func drop3[T, U any](_ T, _ U, err error) error { return err }

func TestRequestShapes(t *testing.T) {
	t.Parallel()
	png := "\x89PNG\r\n\x1a\n0000"
	for name, tc := range map[string]struct {
		call   func(context.Context, both) error
		answer string // "" means {"errcode":0,"errmsg":"ok"}
		method string // "" means POST
		path   string
		query  string // without the token
		noAuth bool
		body   string
	}{
		"component token": {
			call: func(ctx context.Context, b both) error {
				return drop(b.c.ComponentToken(ctx, sealed.New("s3cret"), sealed.New("ticket@@@x")))
			},
			answer: `{"component_access_token":"cat","expires_in":7200}`, noAuth: true,
			path: "/cgi-bin/component/api_component_token",
			body: `{"component_appid":"wxcomponent0000001","component_appsecret":"s3cret","component_verify_ticket":"ticket@@@x"}`,
		},
		"start push ticket": {
			call:   func(ctx context.Context, b both) error { return b.c.StartPushTicket(ctx, sealed.New("s3cret")) },
			noAuth: true, path: "/cgi-bin/component/api_start_push_ticket",
			body: `{"component_appid":"wxcomponent0000001","component_secret":"s3cret"}`,
		},
		"pre-auth code": {
			call:   func(ctx context.Context, b both) error { return drop(b.CreatePreAuthCode(ctx)) },
			answer: `{"pre_auth_code":"preauthcode@@@x","expires_in":1800}`,
			path:   "/cgi-bin/component/api_create_preauthcode", body: `{"component_appid":"wxcomponent0000001"}`,
		},
		"query auth": {
			call: func(ctx context.Context, b both) error {
				return drop(b.QueryAuth(ctx, sealed.New("queryauthcode@@@x")))
			},
			answer: `{"authorization_info":{"authorizer_appid":"wx1"}}`,
			path:   "/cgi-bin/component/api_query_auth",
			body:   `{"component_appid":"wxcomponent0000001","authorization_code":"queryauthcode@@@x"}`,
		},
		"refresh authorizer": {
			call: func(ctx context.Context, b both) error {
				return drop(b.RefreshAuthorizer(ctx, "wx1", sealed.New("refreshtoken@@@x")))
			},
			answer: `{"authorizer_access_token":"aat","expires_in":7200,"authorizer_refresh_token":"r"}`,
			path:   "/cgi-bin/component/api_authorizer_token",
			body:   `{"component_appid":"wxcomponent0000001","authorizer_appid":"wx1","authorizer_refresh_token":"refreshtoken@@@x"}`,
		},
		"authorizer info": {
			call:   func(ctx context.Context, b both) error { return drop(b.AuthorizerInfo(ctx, "wx1")) },
			answer: `{"authorizer_info":{},"authorization_info":{}}`,
			path:   "/cgi-bin/component/api_get_authorizer_info",
			body:   `{"component_appid":"wxcomponent0000001","authorizer_appid":"wx1"}`,
		},
		"authorizer list": {
			call:   func(ctx context.Context, b both) error { return drop(b.AuthorizerList(ctx, 0, 500)) },
			answer: `{"total_count":0,"list":[]}`,
			path:   "/cgi-bin/component/api_get_authorizer_list",
			body:   `{"component_appid":"wxcomponent0000001","offset":0,"count":500}`,
		},
		"get option": {
			call:   func(ctx context.Context, b both) error { return drop(b.m.GetOption(ctx, "voice_recognize")) },
			answer: `{"option_name":"voice_recognize","option_value":"1"}`,
			path:   "/cgi-bin/component/get_authorizer_option", body: `{"option_name":"voice_recognize"}`,
		},
		"set option": {
			call: func(ctx context.Context, b both) error { return b.m.SetOption(ctx, "voice_recognize", "0") },
			path: "/cgi-bin/component/set_authorizer_option", body: `{"option_name":"voice_recognize","option_value":"0"}`,
		},
		"quota of the platform": {
			call: func(ctx context.Context, b both) error { return drop(b.QuotaGet(ctx, "/wxa/gettemplatedraftlist")) },
			path: "/cgi-bin/openapi/quota/get", body: `{"cgi_path":"/wxa/gettemplatedraftlist"}`,
		},
		"quota of a merchant": {
			call: func(ctx context.Context, b both) error { return drop(b.m.QuotaGet(ctx, "/wxa/commit")) },
			path: "/cgi-bin/openapi/quota/get", body: `{"cgi_path":"/wxa/commit"}`,
		},
		"clear a merchant's quota": {
			call: func(ctx context.Context, b both) error { return b.m.ClearQuota(ctx) },
			path: "/cgi-bin/clear_quota", body: `{"appid":"wxmerchant00000001"}`,
		},
		"request id": {
			call: func(ctx context.Context, b both) error { return drop(b.m.RID(ctx, "61725984-6126f6f9-040f19c4")) },
			path: "/cgi-bin/openapi/rid/get", body: `{"rid":"61725984-6126f6f9-040f19c4"}`,
		},
		"drafts": {
			call:   func(ctx context.Context, b both) error { return drop(b.TemplateDrafts(ctx)) },
			method: "GET", path: "/wxa/gettemplatedraftlist",
		},
		"draft 0 to template": {
			call: func(ctx context.Context, b both) error { return b.AddToTemplate(ctx, 0, wechat.TemplateNormal) },
			path: "/wxa/addtotemplate", body: `{"draft_id":0,"template_type":0}`,
		},
		"templates of every kind": {
			call:   func(ctx context.Context, b both) error { return drop(b.Templates(ctx, nil)) },
			method: "GET", path: "/wxa/gettemplatelist",
		},
		"normal templates": {
			call:   func(ctx context.Context, b both) error { return drop(b.Templates(ctx, new(wechat.TemplateNormal))) },
			method: "GET", path: "/wxa/gettemplatelist", query: "template_type=0",
		},
		"delete template 0": {
			call: func(ctx context.Context, b both) error { return b.DeleteTemplate(ctx, 0) },
			path: "/wxa/deletetemplate", body: `{"template_id":0}`,
		},
		"platform server domains": {
			call: func(ctx context.Context, b both) error {
				return drop(b.ModifyServerDomain(ctx, wechat.DomainAdd, []string{"api.a.com", "cdn.a.com"}, true))
			},
			path: "/cgi-bin/component/modify_wxa_server_domain",
			body: `{"action":"add","is_modify_published_together":true,"wxa_server_domain":"api.a.com;cdn.a.com"}`,
		},
		"reading platform server domains": {
			call: func(ctx context.Context, b both) error {
				return drop(b.ModifyServerDomain(ctx, wechat.DomainGet, nil, true))
			},
			path: "/cgi-bin/component/modify_wxa_server_domain", body: `{"action":"get"}`,
		},
		"clearing platform jump domains": {
			call: func(ctx context.Context, b both) error {
				return drop(b.ModifyJumpDomain(ctx, wechat.DomainSet, nil, false))
			},
			path: "/cgi-bin/component/modify_wxa_jump_domain",
			body: `{"action":"set","is_modify_published_together":false,"wxa_jump_h5_domain":""}`,
		},
		"platform confirm file": {
			call: func(ctx context.Context, b both) error { return drop(b.DomainConfirmFile(ctx)) },
			path: "/cgi-bin/component/get_domain_confirmfile", body: `{}`,
		},
		"commit with every troublesome character": {
			call: func(ctx context.Context, b both) error {
				return b.m.Commit(ctx, wechat.CommitRequest{
					TemplateID: 0, ExtJSON: `{"extAppid":"wx1","ext":{"名":"<a&b>\u4e2d"}}`,
					UserVersion: "2.3.0", UserDesc: "秋季\u2028\u2029<>&\"\\\n😀",
				})
			},
			path: "/wxa/commit",
			body: `{"template_id":0,"ext_json":"{\"extAppid\":\"wx1\",\"ext\":{\"名\":\"<a&b>\\u4e2d\"}}",` +
				`"user_version":"2.3.0","user_desc":"秋季` + "\u2028\u2029" + `<>&\"\\\n😀"}`,
		},
		"code privacy info": {
			call:   func(ctx context.Context, b both) error { return drop(b.m.CodePrivacyInfo(ctx)) },
			method: "GET", path: "/wxa/security/get_code_privacy_info",
		},
		"pages": {
			call:   func(ctx context.Context, b both) error { return drop(b.m.Pages(ctx)) },
			method: "GET", path: "/wxa/get_page",
		},
		"trial QR code": {
			call:   func(ctx context.Context, b both) error { return drop3(b.m.TrialQRCode(ctx, "page/index?action=1")) },
			answer: png, method: "GET", path: "/wxa/get_qrcode", query: "path=page%2Findex%3Faction%3D1",
		},
		"trial QR code of the home page": {
			call:   func(ctx context.Context, b both) error { return drop3(b.m.TrialQRCode(ctx, "")) },
			answer: png, method: "GET", path: "/wxa/get_qrcode",
		},
		"categories": {
			call:   func(ctx context.Context, b both) error { return drop(b.m.Categories(ctx)) },
			method: "GET", path: "/wxa/get_category",
		},
		"category settings": {
			call:   func(ctx context.Context, b both) error { return drop(b.m.WxOpenCategories(ctx)) },
			method: "GET", path: "/cgi-bin/wxopen/getcategory",
		},
		"get material": {
			call:   func(ctx context.Context, b both) error { return drop3(b.m.GetMaterial(ctx, "mid1")) },
			answer: png, path: "/cgi-bin/material/get_material", body: `{"media_id":"mid1"}`,
		},
		"submission with nothing": {
			call: func(ctx context.Context, b both) error {
				return drop(b.m.SubmitAudit(ctx, wechat.SubmitAuditRequest{}))
			},
			answer: `{"errcode":0,"auditid":1}`, path: "/wxa/submit_audit", body: `{"privacy_api_not_use":false}`,
		},
		"submission with everything": {
			call: func(ctx context.Context, b both) error {
				return drop(b.m.SubmitAudit(ctx, wechat.SubmitAuditRequest{
					Items: []wechat.AuditItem{
						{Address: "pages/index/index", Tag: "shop food", FirstClass: "商家自营", SecondClass: "食品饮料", Title: "Home"},
						{FirstClass: "a", SecondClass: "b", ThirdClass: "c", FirstID: 1, SecondID: 2, ThirdID: new(int64(0))},
					},
					Preview:       &wechat.PreviewInfo{PicIDs: []string{"p1"}},
					VersionDesc:   "demo / demo123",
					FeedbackInfo:  "改好了",
					FeedbackStuff: []string{"m1", "m2"},
					UGCDeclare:    &wechat.UGCDeclare{Scene: []int{1, 4}, Method: []int{1}, HasAuditTeam: 1, AuditDesc: "x"},

					PrivacyAPINotUse: true,
					OrderPath:        "pages/order/list",
				}))
			},
			answer: `{"errcode":0,"auditid":1}`,
			path:   "/wxa/submit_audit",
			body: `{"item_list":[{"address":"pages/index/index","tag":"shop food","first_class":"商家自营","second_class":"食品饮料",` +
				`"first_id":0,"second_id":0,"title":"Home"},` +
				`{"first_class":"a","second_class":"b","third_class":"c","first_id":1,"second_id":2,"third_id":0}],` +
				`"preview_info":{"video_id_list":[],"pic_id_list":["p1"]},"version_desc":"demo / demo123","feedback_info":"改好了",` +
				`"feedback_stuff":"m1|m2","ugc_declare":{"scene":[1,4],"method":[1],"has_audit_team":1,"audit_desc":"x"},` +
				`"privacy_api_not_use":true,"order_path":"pages/order/list"}`,
		},
		"audit status": {
			call:   func(ctx context.Context, b both) error { return drop(b.m.AuditStatus(ctx, 4123456789)) },
			answer: `{"errcode":0,"status":2}`, path: "/wxa/get_auditstatus", body: `{"auditid":4123456789}`,
		},
		"latest audit status": {
			call:   func(ctx context.Context, b both) error { return drop(b.m.LatestAuditStatus(ctx)) },
			answer: `{"errcode":0,"status":2}`, method: "GET", path: "/wxa/get_latest_auditstatus",
		},
		"undo audit": {
			call:   func(ctx context.Context, b both) error { return b.m.UndoAudit(ctx) },
			method: "GET", path: "/wxa/undocodeaudit",
		},
		"speed up audit": {
			call: func(ctx context.Context, b both) error { return b.m.SpeedUpAudit(ctx, 7) },
			path: "/wxa/speedupaudit", body: `{"auditid":7}`,
		},
		"query quota": {
			call:   func(ctx context.Context, b both) error { return drop(b.m.QueryQuota(ctx)) },
			answer: `{"errcode":0,"rest":1}`, method: "GET", path: "/wxa/queryquota",
		},
		"release": {
			call: func(ctx context.Context, b both) error { return b.m.Release(ctx) },
			path: "/wxa/release", body: `{}`,
		},
		"roll back": {
			call:   func(ctx context.Context, b both) error { return b.m.RevertRelease(ctx, nil) },
			method: "GET", path: "/wxa/revertcoderelease",
		},
		"roll back to version 0": {
			call:   func(ctx context.Context, b both) error { return b.m.RevertRelease(ctx, new(int64(0))) },
			method: "GET", path: "/wxa/revertcoderelease", query: "app_version=0",
		},
		"history": {
			call:   func(ctx context.Context, b both) error { return drop(b.m.HistoryVersions(ctx)) },
			method: "GET", path: "/wxa/revertcoderelease", query: "action=get_history_version",
		},
		"gray release": {
			call: func(ctx context.Context, b both) error {
				return b.m.GrayRelease(ctx, wechat.GrayRequest{Percentage: 0, DebuggerFirst: true})
			},
			path: "/wxa/grayrelease",
			body: `{"gray_percentage":0,"support_debuger_first":true,"support_experiencer_first":false}`,
		},
		"cancel gray release": {
			call:   func(ctx context.Context, b both) error { return b.m.RevertGray(ctx) },
			method: "GET", path: "/wxa/revertgrayrelease",
		},
		"gray plan": {
			call:   func(ctx context.Context, b both) error { return drop(b.m.GrayPlan(ctx)) },
			method: "GET", path: "/wxa/getgrayreleaseplan",
		},
		"close service": {
			call: func(ctx context.Context, b both) error { return b.m.SetVisitStatus(ctx, false) },
			path: "/wxa/change_visitstatus", body: `{"action":"close"}`,
		},
		"open service": {
			call: func(ctx context.Context, b both) error { return b.m.SetVisitStatus(ctx, true) },
			path: "/wxa/change_visitstatus", body: `{"action":"open"}`,
		},
		"visit status": {
			call:   func(ctx context.Context, b both) error { return drop(b.m.VisitStatus(ctx)) },
			answer: `{"errcode":0,"status":1}`, path: "/wxa/getvisitstatus", body: `{}`,
		},
		"support version": {
			call: func(ctx context.Context, b both) error { return drop(b.m.SupportVersion(ctx)) },
			path: "/cgi-bin/wxopen/getweappsupportversion", body: `{}`,
		},
		"set support version": {
			call: func(ctx context.Context, b both) error { return b.m.SetSupportVersion(ctx, "2.32.3") },
			path: "/cgi-bin/wxopen/setweappsupportversion", body: `{"version":"2.32.3"}`,
		},
		"version info": {
			call: func(ctx context.Context, b both) error { return drop(b.m.VersionInfo(ctx)) },
			path: "/wxa/getversioninfo", body: `{}`,
		},
		"hide from search": {
			call: func(ctx context.Context, b both) error { return b.m.SetSearchStatus(ctx, false) },
			path: "/wxa/changewxasearchstatus", body: `{"status":1}`,
		},
		"show in search": {
			call: func(ctx context.Context, b both) error { return b.m.SetSearchStatus(ctx, true) },
			path: "/wxa/changewxasearchstatus", body: `{"status":0}`,
		},
		"search status": {
			call:   func(ctx context.Context, b both) error { return drop(b.m.SearchStatus(ctx)) },
			answer: `{"errcode":0,"status":0}`, method: "GET", path: "/wxa/getwxasearchstatus",
		},
		"unlimited code": {
			call: func(ctx context.Context, b both) error {
				return drop3(b.m.WXACodeUnlimited(ctx, wechat.WXACodeUnlimitedRequest{Scene: "a=1&b", Page: "p/i", CheckPath: new(false)}))
			},
			answer: png, path: "/wxa/getwxacodeunlimit", body: `{"scene":"a=1&b","page":"p/i","check_path":false}`,
		},
		"code": {
			call: func(ctx context.Context, b both) error {
				return drop3(b.m.WXACode(ctx, wechat.WXACodeRequest{Path: "p/i?a=1", LineColor: &wechat.LineColor{R: 1}}))
			},
			answer: png, path: "/wxa/getwxacode", body: `{"path":"p/i?a=1","line_color":{"r":1,"g":0,"b":0}}`,
		},
		"set domains": {
			call: func(ctx context.Context, b both) error {
				return drop(b.m.ModifyDomain(ctx, wechat.DomainSet, wechat.Domains{Request: []string{"https://api.a.com"}}))
			},
			path: "/wxa/modify_domain",
			body: `{"action":"set","requestdomain":["https://api.a.com"],"wsrequestdomain":[],"uploaddomain":[],` +
				`"downloaddomain":[],"udpdomain":[],"tcpdomain":[]}`,
		},
		"get domains": {
			call: func(ctx context.Context, b both) error {
				return drop(b.m.ModifyDomain(ctx, wechat.DomainGet, wechat.Domains{Request: []string{"x"}}))
			},
			path: "/wxa/modify_domain", body: `{"action":"get"}`,
		},
		"set domains directly": {
			call: func(ctx context.Context, b both) error {
				return drop(b.m.ModifyDomainDirectly(ctx, wechat.DomainDelete, wechat.Domains{TCP: []string{"tcp://a"}}))
			},
			path: "/wxa/modify_domain_directly",
			body: `{"action":"delete","requestdomain":[],"wsrequestdomain":[],"uploaddomain":[],"downloaddomain":[],` +
				`"udpdomain":[],"tcpdomain":["tcp://a"]}`,
		},
		"web-view domains": {
			call: func(ctx context.Context, b both) error {
				return drop(b.m.SetWebviewDomain(ctx, wechat.DomainSet, []string{"https://a.com"}))
			},
			path: "/wxa/setwebviewdomain", body: `{"action":"set","webviewdomain":["https://a.com"]}`,
		},
		"web-view domains of the platform": {
			call: func(ctx context.Context, b both) error { return drop(b.m.SetWebviewDomain(ctx, "", nil)) },
			path: "/wxa/setwebviewdomain", body: `{}`,
		},
		"web-view domains cleared directly": {
			call: func(ctx context.Context, b both) error {
				return drop(b.m.SetWebviewDomainDirectly(ctx, wechat.DomainSet, nil))
			},
			path: "/wxa/setwebviewdomain_directly", body: `{"action":"set","webviewdomain":[]}`,
		},
		"web-view domains read": {
			call: func(ctx context.Context, b both) error {
				return drop(b.m.SetWebviewDomain(ctx, wechat.DomainGet, []string{"x"}))
			},
			path: "/wxa/setwebviewdomain", body: `{"action":"get"}`,
		},
		"web-view confirm file": {
			call: func(ctx context.Context, b both) error { return drop(b.m.WebviewConfirmFile(ctx)) },
			path: "/wxa/get_webviewdomain_confirmfile", body: `{}`,
		},
		"effective domains": {
			call: func(ctx context.Context, b both) error { return drop(b.m.EffectiveDomain(ctx)) },
			path: "/wxa/get_effective_domain", body: `{}`,
		},
		"effective web-view domains": {
			call: func(ctx context.Context, b both) error { return drop(b.m.EffectiveWebviewDomain(ctx)) },
			path: "/wxa/get_effective_webviewdomain", body: `{}`,
		},
		"prefetch domains": {
			call:   func(ctx context.Context, b both) error { return drop(b.m.PrefetchDomains(ctx)) },
			method: "GET", path: "/wxa/get_prefetchdnsdomain",
		},
		"set prefetch domains": {
			call: func(ctx context.Context, b both) error { return b.m.SetPrefetchDomains(ctx, []string{"api.a.com"}) },
			path: "/wxa/set_prefetchdnsdomain", body: `{"prefetch_dns_domain":[{"url":"api.a.com"}]}`,
		},
		"privacy of the development copy": {
			call: func(ctx context.Context, b both) error {
				return b.m.SetPrivacy(ctx, wechat.PrivacyRequest{
					Settings: []wechat.PrivacyItem{{Key: "UserInfo", Text: "展示头像昵称", Label: "read only"}},
					Owner:    wechat.OwnerSetting{ContactEmail: "ops@example.com", NoticeMethod: "弹窗", StoreExpireTimestamp: "30天"},
					SDK:      []wechat.SDKPrivacy{{Name: "s", BizName: "b", List: []wechat.PrivacyItem{{Key: "k", Text: "t", Label: "l"}}}},
				})
			},
			path: "/cgi-bin/component/setprivacysetting",
			body: `{"privacy_ver":2,"setting_list":[{"privacy_key":"UserInfo","privacy_text":"展示头像昵称"}],` +
				`"owner_setting":{"contact_email":"ops@example.com","notice_method":"弹窗","store_expire_timestamp":"30天"},` +
				`"sdk_privacy_info_list":[{"sdk_name":"s","sdk_biz_name":"b","sdk_list":[{"privacy_key":"k","privacy_text":"t"}]}]}`,
		},
		"privacy without settings still sends the list": {
			call: func(ctx context.Context, b both) error {
				return b.m.SetPrivacy(ctx, wechat.PrivacyRequest{Ver: wechat.PrivacyDevelopment})
			},
			path: "/cgi-bin/component/setprivacysetting",
			body: `{"privacy_ver":2,"setting_list":[],"owner_setting":{"notice_method":""}}`,
		},
		"privacy of the live copy never sends the list": {
			call: func(ctx context.Context, b both) error {
				return b.m.SetPrivacy(ctx, wechat.PrivacyRequest{
					Ver: wechat.PrivacyLive, Settings: []wechat.PrivacyItem{{Key: "k"}},
					Owner: wechat.OwnerSetting{ContactQQ: "1", NoticeMethod: "弹窗", StoreRegion: json.RawMessage(`["\u4e2d"]`)},
				})
			},
			path: "/cgi-bin/component/setprivacysetting",
			body: `{"privacy_ver":1,"owner_setting":{"contact_qq":"1","notice_method":"弹窗","store_region":["中"]}}`,
		},
		"get privacy": {
			call: func(ctx context.Context, b both) error { return drop(b.m.Privacy(ctx, 0)) },
			path: "/cgi-bin/component/getprivacysetting", body: `{"privacy_ver":2}`,
		},
		"get live privacy": {
			call: func(ctx context.Context, b both) error { return drop(b.m.Privacy(ctx, wechat.PrivacyLive)) },
			path: "/cgi-bin/component/getprivacysetting", body: `{"privacy_ver":1}`,
		},
		"privacy interfaces": {
			call:   func(ctx context.Context, b both) error { return drop(b.m.PrivacyInterfaces(ctx)) },
			method: "GET", path: "/wxa/security/get_privacy_interface",
		},
		"apply for a privacy interface": {
			call: func(ctx context.Context, b both) error {
				return drop(b.m.ApplyPrivacyInterface(ctx, wechat.PrivacyInterfaceRequest{APIName: "wx.getLocation", Content: "附近门店", Pics: []string{"https://a/b?c&d"}}))
			},
			path: "/wxa/security/apply_privacy_interface",
			body: `{"api_name":"wx.getLocation","content":"附近门店","pic_list":["https://a/b?c&d"]}`,
		},
		"bind a tester": {
			call: func(ctx context.Context, b both) error { return drop(b.m.BindTester(ctx, "abc")) },
			path: "/wxa/bind_tester", body: `{"wechatid":"abc"}`,
		},
		"unbind by WeChat id": {
			call: func(ctx context.Context, b both) error { return b.m.UnbindTester(ctx, "abc", "") },
			path: "/wxa/unbind_tester", body: `{"wechatid":"abc"}`,
		},
		"unbind by userstr": {
			call: func(ctx context.Context, b both) error { return b.m.UnbindTester(ctx, "", "u1") },
			path: "/wxa/unbind_tester", body: `{"userstr":"u1"}`,
		},
		"testers": {
			call: func(ctx context.Context, b both) error { return drop(b.m.Testers(ctx)) },
			path: "/wxa/memberauth", body: `{"action":"get_experiencer"}`,
		},
		"ICP": {
			call:   func(ctx context.Context, b both) error { return drop(b.m.ICPEntranceInfo(ctx)) },
			answer: `{"errcode":0,"info":{"status":6}}`, method: "GET", path: "/wxa/icp/get_icp_entrance_info",
		},
		"customer service text": {
			call: func(ctx context.Context, b both) error { return b.m.SendText(ctx, "oUser", "code_from_api") },
			path: "/cgi-bin/message/custom/send", body: `{"touser":"oUser","msgtype":"text","text":{"content":"code_from_api"}}`,
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if tc.answer == "" {
				tc.answer = `{"errcode":0,"errmsg":"ok"}`
			}
			if tc.method == "" {
				tc.method = "POST"
			}
			srv := newRecorder(t, answer("text/plain", tc.answer))
			c := newClient(srv.URL)
			b := both{c.Component(twoTokens()), c.Authorizer(merchantAppID, twoTokens()), c}
			require.NoError(t, tc.call(t.Context(), b))
			got := srv.requests()
			require.Len(t, got, 1)

			want, err := url.ParseQuery(tc.query)
			require.NoError(t, err)
			if !tc.noAuth {
				want.Set("access_token", firstToken)
			}
			require.Equal(t, tc.method, got[0].Method)
			require.Equal(t, tc.path, got[0].Path)
			require.Equal(t, want, got[0].Query)
			require.Equal(t, tc.body, got[0].Body)
			require.Empty(t, got[0].TransferEncoding)
			if tc.method == "POST" {
				require.Equal(t, "application/json", got[0].Header.Get("Content-Type"))
			} else {
				require.Zero(t, got[0].ContentLength)
			}
		})
	}
}

func TestUploadShapes(t *testing.T) {
	t.Parallel()
	png := []byte("\x89PNG\r\n\x1a\n0000")
	for name, tc := range map[string]struct {
		call                            func(context.Context, *wechat.Authorizer) (string, error)
		answer                          string
		path, query, field, contentType string
		data                            []byte
	}{
		"material for audits": {
			call: func(ctx context.Context, m *wechat.Authorizer) (string, error) {
				media, err := m.UploadAuditMedia(ctx, `图"1.png`, png)
				return media.MediaID, err
			},
			answer: `{"errcode":0,"errmsg":"ok","type":"image","mediaid":"id1"}`,
			path:   "/wxa/uploadmedia", field: "media", contentType: "image/png", data: png,
		},
		"temporary material": {
			call: func(ctx context.Context, m *wechat.Authorizer) (string, error) {
				media, err := m.UploadTempMedia(ctx, `图"1.png`, png)
				return media.MediaID, err
			},
			answer: `{"type":"image","media_id":"id1","created_at":"1750000000"}`,
			path:   "/cgi-bin/media/upload", query: "type=image", field: "media", contentType: "image/png", data: png,
		},
		"privacy file": {
			call: func(ctx context.Context, m *wechat.Authorizer) (string, error) {
				return m.UploadPrivacyFile(ctx, `图"1.png`, []byte("隐私"))
			},
			answer: `{"errcode":0,"ext_file_media_id":"id1"}`,
			path:   "/cgi-bin/component/uploadprivacyextfile", field: "file", contentType: "text/plain; charset=utf-8", data: []byte("隐私"),
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			m, srv := merchant(t, answerJSON(tc.answer))
			id, err := tc.call(t.Context(), m)
			require.NoError(t, err)
			require.Equal(t, "id1", id)

			got := srv.requests()[0]
			require.Equal(t, tc.path, got.Path)
			want, err := url.ParseQuery(tc.query)
			require.NoError(t, err)
			want.Set("access_token", firstToken)
			require.Equal(t, want, got.Query)
			kind, params, err := mime.ParseMediaType(got.Header.Get("Content-Type"))
			require.NoError(t, err)
			require.Equal(t, "multipart/form-data", kind)
			part, err := multipart.NewReader(strings.NewReader(got.Body), params["boundary"]).NextPart()
			require.NoError(t, err)
			require.Equal(t, tc.field, part.FormName())
			require.Equal(t, `图"1.png`, part.FileName())
			require.Equal(t, tc.contentType, part.Header.Get("Content-Type"))
			data, err := io.ReadAll(part)
			require.NoError(t, err)
			require.Equal(t, tc.data, data)

			m, _ = merchant(t, answerJSON(`{"errcode":0}`))
			_, err = tc.call(t.Context(), m)
			require.ErrorContains(t, err, "lacks", "a success without an id is none")
		})
	}
}
