package wechat_test

import (
	"context"
	"encoding/json"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/wxsteward/wxsteward/internal/sealed"
	"github.com/wxsteward/wxsteward/internal/wechat"
)

// platform is the platform's calls against a server that answers with body.
func platform(t *testing.T, body string) *wechat.Component {
	t.Helper()
	return newClient(newRecorder(t, answerJSON(body)).URL).Component(twoTokens())
}

func TestTokens(t *testing.T) {
	t.Parallel()
	t.Run("of the platform", func(t *testing.T) {
		t.Parallel()
		srv := newRecorder(t, answerJSON(`{"component_access_token":"cat","expires_in":"7200"}`))
		got, err := newClient(srv.URL).ComponentToken(t.Context(), sealed.New("s"), sealed.New("t"))
		require.NoError(t, err)
		require.Equal(t, wechat.Token{Access: sealed.New("cat"), ExpiresIn: 2 * time.Hour}, got)
	})
	t.Run("of a merchant", func(t *testing.T) {
		t.Parallel()
		got, err := platform(t, `{"authorizer_access_token":"aat","expires_in":7200,"authorizer_refresh_token":"art"}`).
			RefreshAuthorizer(t.Context(), "wx1", sealed.New("old"))
		require.NoError(t, err)
		require.Equal(t, wechat.Token{Access: sealed.New("aat"), Refresh: sealed.New("art"), ExpiresIn: 2 * time.Hour}, got)
	})
	t.Run("pre-auth code", func(t *testing.T) {
		t.Parallel()
		got, err := platform(t, `{"pre_auth_code":"p","expires_in":600}`).CreatePreAuthCode(t.Context())
		require.NoError(t, err)
		require.Equal(t, wechat.PreAuthCode{Code: sealed.New("p"), ExpiresIn: 10 * time.Minute}, got)
	})
}

func TestAuthorizationAnswers(t *testing.T) {
	t.Parallel()
	t.Run("query auth", func(t *testing.T) {
		t.Parallel()
		got, err := platform(t, `{"authorization_info":{"authorizer_appid":"wx1","authorizer_access_token":"aat","expires_in":7200,
			"authorizer_refresh_token":"art","func_info":[{"funcscope_category":{"id":17}},{"funcscope_category":{"id":"18"},
			"confirm_info":{"need_confirm":1,"already_confirm":0,"can_confirm":0}}]}}`).QueryAuth(t.Context(), sealed.New("c"))
		require.NoError(t, err)
		require.Equal(t, "wx1", got.AppID)
		require.Equal(t, []int{17, 18}, got.FuncScopes())
		require.Nil(t, got.FuncInfo[0].Confirm)
		require.Equal(t, &wechat.ConfirmInfo{NeedConfirm: 1}, got.FuncInfo[1].Confirm)
		require.Equal(t, wechat.Token{Access: sealed.New("aat"), Refresh: sealed.New("art"), ExpiresIn: 2 * time.Hour}, got.Token())
	})
	t.Run("query auth of an account without API, one permission set as an object", func(t *testing.T) {
		t.Parallel()
		got, err := platform(t, `{"authorization_info":{"authorizer_appid":"wx1","func_info":{"funcscope_category":{"id":1}}}}`).
			QueryAuth(t.Context(), sealed.New("c"))
		require.NoError(t, err)
		require.True(t, got.AccessToken.IsZero())
		require.Equal(t, []int{1}, got.FuncScopes())
	})
	t.Run("a mini program", func(t *testing.T) {
		t.Parallel()
		got, err := platform(t, `{"authorizer_info":{"nick_name":"示例","service_type_info":{"id":0},"verify_type_info":{"id":-1},
			"user_name":"gh_1","business_info":{"open_pay":1},"idc":1,"principal_name":"示例有限公司",
			"MiniProgramInfo":{"network":{"RequestDomain":["https://a"],"BizDomain":{},"UDPDomain":""},
			"categories":[{"first":"工具","second":"效率"}],"visit_status":0},
			"register_type":0,"account_status":1,"basic_config":{"is_phone_configured":true,"is_email_configured":false}},
			"authorization_info":{"authorizer_appid":"wx1","authorizer_refresh_token":"art","func_info":[]}}`).
			AuthorizerInfo(t.Context(), "wx1")
		require.NoError(t, err)
		require.Equal(t, wechat.Account{
			NickName: "示例", ServiceType: &wechat.TypeInfo{}, VerifyType: &wechat.TypeInfo{ID: -1}, UserName: "gh_1",
			Business: map[string]wechat.Int{"open_pay": 1}, PrincipalName: "示例有限公司",
			MiniProgram: &wechat.MiniProgramInfo{
				Network:    wechat.Network{Request: wechat.List[string]{"https://a"}},
				Categories: wechat.List[wechat.AuthorizedClass]{{First: "工具", Second: "效率"}},
			},
			RegisterType: new(wechat.Int(0)), AccountStatus: new(wechat.Int(1)),
			BasicConfig: &wechat.BasicConfig{PhoneConfigured: true},
		}, got.Account)
		require.Equal(t, sealed.New("art"), got.Authorization.RefreshToken)
	})
	t.Run("an official account of an old kind", func(t *testing.T) {
		t.Parallel()
		got, err := platform(t, `{"authorizer_info":{"user_name":"gh_2"},"authorization_info":{}}`).AuthorizerInfo(t.Context(), "wx2")
		require.NoError(t, err)
		require.Equal(t, wechat.Account{UserName: "gh_2"}, got.Account)
	})
	t.Run("list of merchants", func(t *testing.T) {
		t.Parallel()
		got, err := platform(t, `{"total_count":3,"list":[{"authorizer_appid":"wx1","refresh_token":"r","auth_time":"1750000000"},
			{"authorizer_appid":"wx2","refresh_token":""},{"authorizer_appid":"wx3"}]}`).AuthorizerList(t.Context(), 0, 10)
		require.NoError(t, err)
		require.Equal(t, wechat.AuthorizerList{TotalCount: 3, List: wechat.List[wechat.AuthorizerEntry]{
			{AppID: "wx1", RefreshToken: sealed.New("r"), AuthTime: 1750000000}, {AppID: "wx2"}, {AppID: "wx3"},
		}}, got)
	})
	t.Run("option as a number", func(t *testing.T) {
		t.Parallel()
		m, _ := merchant(t, answerJSON(`{"option_name":"x","option_value":1}`))
		got, err := m.GetOption(t.Context(), "x")
		require.NoError(t, err)
		require.Equal(t, "1", got)
	})
}

// A success that lacks what the call is about must not pass as a zero value: zero often means something.
func TestAnswersThatLackTheEssential(t *testing.T) {
	t.Parallel()
	for name, call := range map[string]func(context.Context, both) error{
		"component token": func(ctx context.Context, b both) error {
			return drop(b.c.ComponentToken(ctx, sealed.New("s"), sealed.New("t")))
		},
		"refresh":       func(ctx context.Context, b both) error { return drop(b.RefreshAuthorizer(ctx, "wx1", sealed.New("r"))) },
		"pre-auth code": func(ctx context.Context, b both) error { return drop(b.CreatePreAuthCode(ctx)) },
		"query auth":    func(ctx context.Context, b both) error { return drop(b.QueryAuth(ctx, sealed.New("c"))) },
		"info":          func(ctx context.Context, b both) error { return drop(b.AuthorizerInfo(ctx, "wx1")) },
		"list":          func(ctx context.Context, b both) error { return drop(b.AuthorizerList(ctx, 0, 1)) },
		"submit": func(ctx context.Context, b both) error {
			return drop(b.m.SubmitAudit(ctx, wechat.SubmitAuditRequest{}))
		},
		"audit":          func(ctx context.Context, b both) error { return drop(b.m.AuditStatus(ctx, 1)) },
		"latest audit":   func(ctx context.Context, b both) error { return drop(b.m.LatestAuditStatus(ctx)) },
		"quota":          func(ctx context.Context, b both) error { return drop(b.m.QueryQuota(ctx)) },
		"visit status":   func(ctx context.Context, b both) error { return drop(b.m.VisitStatus(ctx)) },
		"search status":  func(ctx context.Context, b both) error { return drop(b.m.SearchStatus(ctx)) },
		"ICP":            func(ctx context.Context, b both) error { return drop(b.m.ICPEntranceInfo(ctx)) },
		"trial QR code":  func(ctx context.Context, b both) error { return drop3(b.m.TrialQRCode(ctx, "")) },
		"stored picture": func(ctx context.Context, b both) error { return drop3(b.m.GetMaterial(ctx, "mid")) },
	} {
		for _, body := range []string{
			`{}`, `{"errcode":0,"errmsg":"ok"}`,
			`{"errcode":0,"status":null,"total_count":{},"auditid":"","rest":null,"info":null}`,
		} {
			t.Run(name+" "+body, func(t *testing.T) {
				t.Parallel()
				c := newClient(newRecorder(t, answerJSON(body)).URL)
				err := call(t.Context(), both{c.Component(twoTokens()), c.Authorizer(merchantAppID, twoTokens()), c})
				var te *wechat.TransportError
				require.ErrorAs(t, err, &te)
				require.True(t, te.Sent)
			})
		}
	}
}

func TestTemplates(t *testing.T) {
	t.Parallel()
	drafts, err := platform(t, `{"errcode":0,"draft_list":[{"create_time":1,"user_version":"1.0","draft_id":"0","developer":"li","category_list":[]}]}`).
		TemplateDrafts(t.Context())
	require.NoError(t, err)
	require.Equal(t, []wechat.Draft{{CreateTime: 1, UserVersion: "1.0", Developer: "li"}}, drafts)

	templates, err := platform(t, `{"errcode":0,"template_list":[
		{"create_time":1750000000,"user_version":"2.3.0","user_desc":"autumn","template_id":12,"source_miniprogram_appid":"wx1",
		 "source_miniprogram":"dev","developer":"li","template_type":0,"category_list":[]},
		{"template_id":"0","draft_id":0,"template_type":1,"audit_status":2,"reason":"x",
		 "category_list":[{"address":"a","first_class":"f","first_id":1,"second_id":"2"}]}]}`).Templates(t.Context(), nil)
	require.NoError(t, err)
	require.Equal(t, []wechat.Template{
		{
			TemplateID: 12, CreateTime: 1750000000, UserVersion: "2.3.0", UserDesc: "autumn", SourceAppID: "wx1",
			SourceName: "dev", Developer: "li", Categories: wechat.List[wechat.TemplateCategory]{},
		},
		{
			DraftID: new(wechat.Int(0)), TemplateType: wechat.TemplateStandard, AuditStatus: new(wechat.Int(2)), Reason: "x",
			Categories: wechat.List[wechat.TemplateCategory]{
				{Address: "a", Category: wechat.Category{FirstClass: "f", FirstID: 1, SecondID: 2}},
			},
		},
	}, templates)
}

func TestAudits(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		body string
		want wechat.Audit
	}{
		"approved": {`{"errcode":0,"status":0}`, wechat.Audit{State: wechat.AuditApproved}},
		"rejected, as the sample spells it": {
			`{"errcode":0,"auditid":4123456789,"status":1,"reason":"1:<br>","ScreenShot":"m1|m2","user_version":"1","user_desc":"d","submit_audit_time":5}`,
			wechat.Audit{
				AuditID: 4123456789, State: wechat.AuditRejected, Reason: "1:<br>", Screenshots: []string{"m1", "m2"},
				UserVersion: "1", UserDesc: "d", SubmitTime: 5,
			},
		},
		"rejected, as the table spells it": {
			`{"errcode":0,"auditid":"7","status":"1","reason":"r","screenshot":"m1"}`,
			wechat.Audit{AuditID: 7, State: wechat.AuditRejected, Reason: "r", Screenshots: []string{"m1"}},
		},
		"both spellings, the second empty": {
			`{"status":1,"ScreenShot":"m1","screenshot":""}`,
			wechat.Audit{State: wechat.AuditRejected, Screenshots: []string{"m1"}},
		},
		"both spellings, the first empty": {
			`{"status":1,"ScreenShot":"","screenshot":"m1|"}`,
			wechat.Audit{State: wechat.AuditRejected, Screenshots: []string{"m1"}},
		},
		"an empty element instead of a reason": {`{"status":4,"reason":{}}`, wechat.Audit{State: wechat.AuditDelayed}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			m, _ := merchant(t, answerJSON(tc.body))
			got, err := m.LatestAuditStatus(t.Context())
			require.NoError(t, err)
			require.Equal(t, tc.want, got)
			got, err = m.AuditStatus(t.Context(), 99)
			require.NoError(t, err)
			tc.want.AuditID = 99
			require.Equal(t, tc.want, got)
		})
	}
	for _, id := range []string{`4123456789`, `"4123456789"`} {
		m, _ := merchant(t, answerJSON(`{"errcode":0,"errmsg":"ok","auditid":`+id+`}`))
		got, err := m.SubmitAudit(t.Context(), wechat.SubmitAuditRequest{})
		require.NoError(t, err)
		require.Equal(t, int64(4123456789), got)
	}
	m, _ := merchant(t, answerJSON(`{"errcode":0,"rest":0,"limit":"10","speedup_rest":1,"speedup_limit":2}`))
	quota, err := m.QueryQuota(t.Context())
	require.NoError(t, err)
	require.Equal(t, wechat.AuditQuota{Rest: 0, Limit: 10, SpeedUpRest: 1, SpeedUpLimit: 2}, quota)
}

func TestVersionsAndStates(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		body string
		want wechat.VersionInfo
	}{
		"neither": {`{"errcode":0}`, wechat.VersionInfo{}},
		"empty":   {`{"errcode":0,"exp_info":{},"release_info":null}`, wechat.VersionInfo{}},
		"both": {
			`{"exp_info":{"exp_time":1,"exp_version":"2","exp_desc":"d"},"release_info":{"release_time":3,"release_version":"1","release_desc":"e"}}`,
			wechat.VersionInfo{
				Exp: &wechat.Version{Time: 1, Version: "2", Desc: "d"}, Live: &wechat.Version{Time: 3, Version: "1", Desc: "e"},
			},
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			m, _ := merchant(t, answerJSON(tc.body))
			got, err := m.VersionInfo(t.Context())
			require.NoError(t, err)
			require.Equal(t, tc.want, got)
		})
	}
	for _, status := range []string{"0", "1"} {
		m, _ := merchant(t, answerJSON(`{"errcode":0,"status":`+status+`}`))
		open, err := m.VisitStatus(t.Context())
		require.NoError(t, err)
		require.Equal(t, status == "1", open)
		searchable, err := m.SearchStatus(t.Context())
		require.NoError(t, err)
		require.Equal(t, status == "0", searchable)
	}
	m, _ := merchant(t, answerJSON(`{"errcode":0,"gray_release_plan":{"status":"1","create_timestamp":5,"gray_percentage":10,"support_debuger_first":true}}`))
	plan, err := m.GrayPlan(t.Context())
	require.NoError(t, err)
	require.Equal(t, &wechat.GrayPlan{Status: wechat.GrayRunning, CreateTime: 5, Percentage: 10, DebuggerFirst: true}, plan)
	m, _ = merchant(t, answerJSON(`{"errcode":0}`))
	plan, err = m.GrayPlan(t.Context())
	require.NoError(t, err)
	require.Nil(t, plan)

	m, _ = merchant(t, answerJSON(`{"errcode":0,"version_list":{"app_version":"3","user_version":"1","user_desc":"d","commit_time":9}}`))
	history, err := m.HistoryVersions(t.Context())
	require.NoError(t, err)
	require.Equal(t, []wechat.HistoryVersion{{AppVersion: 3, UserVersion: "1", UserDesc: "d", CommitTime: 9}}, history)

	m, _ = merchant(t, answerJSON(`{"errcode":0,"now_version":"2.0","uv_info":{"items":[{"percentage":12.5,"version":"2.0"},{"percentage":"0","version":"1.0"}]}}`))
	support, err := m.SupportVersion(t.Context())
	require.NoError(t, err)
	require.Equal(t, wechat.SupportVersion{Now: "2.0", Shares: []wechat.VersionShare{
		{Version: "2.0", Percentage: json.Number("12.5")}, {Version: "1.0", Percentage: json.Number("0")},
	}}, support)
}

func TestDomains(t *testing.T) {
	t.Parallel()
	got, err := platform(t, `{"errcode":0,"published_wxa_server_domain":"a.com;b.com","testing_wxa_server_domain":"a.com;","invalid_wxa_server_domain":"-"}`).
		ModifyServerDomain(t.Context(), wechat.DomainAdd, []string{"a.com"}, true)
	require.NoError(t, err)
	require.Equal(t, wechat.PlatformDomains{
		Published: []string{"a.com", "b.com"}, HasPublished: true, Testing: []string{"a.com"}, Invalid: []string{"-"},
	}, got)
	got, err = platform(t, `{"errcode":0,"testing_wxa_jump_h5_domain":"a.com"}`).ModifyJumpDomain(t.Context(), wechat.DomainGet, nil, false)
	require.NoError(t, err)
	require.Equal(t, wechat.PlatformDomains{Testing: []string{"a.com"}}, got)

	const lists = `"requestdomain":["https://a"],"wsrequestdomain":[],"uploaddomain":"https://u","invalid_requestdomain":["https://x"],"no_icp_domain":["https://y"]`
	want := wechat.DomainResult{
		Domains: wechat.Domains{Request: []string{"https://a"}, WSRequest: []string{}, Upload: []string{"https://u"}},
		Invalid: wechat.Domains{Request: []string{"https://x"}}, NoICP: []string{"https://y"},
	}
	t.Run("a partial success shows what was left out", func(t *testing.T) {
		t.Parallel()
		m, _ := merchant(t, answerJSON(`{"errcode":0,`+lists+`}`))
		got, err := m.ModifyDomain(t.Context(), wechat.DomainSet, wechat.Domains{})
		require.NoError(t, err)
		require.Equal(t, want, got)
	})
	t.Run("a refusal does too", func(t *testing.T) {
		t.Parallel()
		m, _ := merchant(t, answerJSON(`{"errcode":85303,"errmsg":"x",`+lists+`}`))
		got, err := m.ModifyDomain(t.Context(), wechat.DomainSet, wechat.Domains{})
		require.True(t, wechat.IsCode(err, 85303))
		require.Equal(t, want, got)
	})
	t.Run("the direct way needs an action", func(t *testing.T) {
		t.Parallel()
		m, srv := merchant(t, answerJSON(`{}`))
		_, err := m.SetWebviewDomainDirectly(t.Context(), "", nil)
		require.Error(t, err)
		require.Empty(t, srv.requests())
	})
	m, _ := merchant(t, answerJSON(`{"errcode":0,"mp_domain":{},"third_domain":{"requestdomain":["https://a"]},"effective_domain":{"requestdomain":["https://a"]},
		"effective_webviewdomain":["https://w"],"webviewdomain":["https://w"],"prefetch_dns_domain":[{"url":"a","status":1}],"size_limit":5}`))
	effective, err := m.EffectiveDomain(t.Context())
	require.NoError(t, err)
	require.Equal(t, []string{"https://a"}, effective.Effective.Request)
	webview, err := m.EffectiveWebviewDomain(t.Context())
	require.NoError(t, err)
	require.Equal(t, wechat.EffectiveWebviewDomains{Effective: wechat.List[string]{"https://w"}}, webview)
	set, err := m.SetWebviewDomain(t.Context(), wechat.DomainSet, nil)
	require.NoError(t, err)
	require.Equal(t, []string{"https://w"}, set)
	prefetch, err := m.PrefetchDomains(t.Context())
	require.NoError(t, err)
	require.Equal(t, wechat.PrefetchDomains{List: wechat.List[wechat.PrefetchDomain]{{URL: "a", Status: 1}}, SizeLimit: 5}, prefetch)
}

func TestDomainsMarshalNilAsEmptyLists(t *testing.T) {
	t.Parallel()
	raw, err := json.Marshal(wechat.Domains{WSRequest: []string{"wss://a"}})
	require.NoError(t, err)
	require.JSONEq(t, `{"requestdomain":[],"wsrequestdomain":["wss://a"],"uploaddomain":[],"downloaddomain":[],"udpdomain":[],"tcpdomain":[]}`, string(raw))
}

func TestCodePrivacyMembersAndICP(t *testing.T) {
	t.Parallel()
	m, _ := merchant(t, answerJSON(`{"errcode":0,"without_auth_list":["wx.getLocation"],"without_conf_list":[],"page_list":["a","b"],
		"category_list":[{"first_class":"f","second_class":"s","first_id":1,"second_id":0}],
		"categories":[{"first":1,"first_name":"f","second":2,"second_name":"s","audit_status":3}],"limit":5,"quota":5,"category_limit":20,
		"code_exist":1,"privacy_list":["UserInfo"],"setting_list":[{"privacy_key":"UserInfo","privacy_text":"","privacy_label":"l"}],
		"owner_setting":{"contact_email":"a@b","notice_method":"n","store_region":{"x":1}},"privacy_desc":{"privacy_desc_list":[{"privacy_key":"k","privacy_desc":"d"}]},
		"interface_list":[{"api_name":"wx.getLocation","status":5,"apply_time":"1"}],"audit_id":"9","userstr":"u1","members":{"userstr":"u1"},
		"info":{"status":1024,"is_canceling":false,"audit_data":[{"key_name":"k","error":"e","suggest":"s"}],"available":1}}`))
	ctx := t.Context()
	code, err := m.CodePrivacyInfo(ctx)
	require.NoError(t, err)
	require.Equal(t, wechat.CodePrivacyInfo{WithoutAuth: wechat.List[string]{"wx.getLocation"}, WithoutConf: wechat.List[string]{}}, code)
	pages, err := m.Pages(ctx)
	require.NoError(t, err)
	require.Equal(t, []string{"a", "b"}, pages)
	categories, err := m.Categories(ctx)
	require.NoError(t, err)
	require.Equal(t, []wechat.Category{{FirstClass: "f", SecondClass: "s", FirstID: 1}}, categories)
	settings, err := m.WxOpenCategories(ctx)
	require.NoError(t, err)
	require.Equal(t, wechat.CategorySettings{Categories: wechat.List[wechat.CategorySetting]{
		{First: 1, FirstName: "f", Second: 2, SecondName: "s", AuditStatus: 3},
	}, Limit: 5, Quota: 5, Max: 20}, settings)
	privacy, err := m.Privacy(ctx, wechat.PrivacyDevelopment)
	require.NoError(t, err)
	require.Equal(t, wechat.List[string]{"UserInfo"}, privacy.Detected)
	require.Equal(t, wechat.List[wechat.PrivacyItem]{{Key: "UserInfo", Label: "l"}}, privacy.Settings)
	require.JSONEq(t, `{"x":1}`, string(privacy.Owner.StoreRegion))
	require.Equal(t, wechat.List[wechat.PrivacyDescription]{{Key: "k", Desc: "d"}}, privacy.Descriptions.List)
	interfaces, err := m.PrivacyInterfaces(ctx)
	require.NoError(t, err)
	require.Equal(t, []wechat.PrivacyInterface{{APIName: "wx.getLocation", Status: 5, ApplyTime: 1}}, interfaces)
	id, err := m.ApplyPrivacyInterface(ctx, wechat.PrivacyInterfaceRequest{})
	require.NoError(t, err)
	require.Equal(t, int64(9), id)
	userStr, err := m.BindTester(ctx, "abc")
	require.NoError(t, err)
	require.Equal(t, "u1", userStr)
	testers, err := m.Testers(ctx)
	require.NoError(t, err)
	require.Equal(t, []string{"u1"}, testers)
	icp, err := m.ICPEntranceInfo(ctx)
	require.NoError(t, err)
	require.Equal(t, wechat.ICPInfo{
		Status: 1024, Available: 1, AuditData: wechat.List[wechat.ICPFault]{{Key: "k", Error: "e", Suggest: "s"}},
	}, icp)
}

func TestQuotaAndRID(t *testing.T) {
	t.Parallel()
	m, _ := merchant(t, answerJSON(`{"errcode":0,"quota":{"daily_limit":10000,"used":12,"remain":9988},"rate_limit":{"call_count":1000,"refresh_second":60}}`))
	quota, err := m.QuotaGet(t.Context(), "/wxa/commit")
	require.NoError(t, err)
	require.Equal(t, wechat.Int(9988), quota.Daily.Remain)
	require.Equal(t, &wechat.RateLimit{CallCount: 1000, RefreshSeconds: 60}, quota.Rate)
	require.Nil(t, quota.ComponentRate)

	m, _ = merchant(t, answerJSON(`{"errcode":0,"request":{"invoke_time":1635156704,"cost_in_ms":30,
		"request_url":"access_token=50_Im7&path=a&component_access_token=51_x",
		"request_body":"{\"component_appid\":\"wx1\",\"component_appsecret\":\"leak\\\"1\",\"authorization_code\": \"leak2\"}",
		"response_body":"{\"errcode\":45009,\"authorizer_access_token\":\"leak3\"}","client_ip":"1.2.3.4"}}`))
	rid, err := m.RID(t.Context(), "x")
	require.NoError(t, err)
	require.Equal(t, wechat.RequestInfo{
		InvokeTime: 1635156704, CostMillis: 30, ClientIP: "1.2.3.4",
		RequestURL:   "access_token=[redacted]&path=a&component_access_token=[redacted]",
		RequestBody:  `{"component_appid":"wx1","component_appsecret":"[redacted]","authorization_code": "[redacted]"}`,
		ResponseBody: `{"errcode":45009,"authorizer_access_token":"[redacted]"}`,
	}, rid)
}
