package wechat_test

import (
	"context"
	"net/http"
	"net/url"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/wxsteward/wxsteward/internal/sealed"
	"github.com/wxsteward/wxsteward/internal/wechat"
)

func TestRequestShapesOfOperations(t *testing.T) {
	t.Parallel()
	personal := wechat.RegistrationCall{Path: "wxa/component/fastregisterpersonalweapp", CreateQuery: "create", QueryQuery: "query"}
	trial := wechat.RegistrationCall{Path: "wxa/component/fastregisterbetaweapp"}
	for name, tc := range map[string]struct {
		call   func(context.Context, both) error
		answer string // "" means {"errcode":0,"errmsg":"ok"}
		get    bool
		path   string
		query  string // without the token
		token  string // its parameter, "" means access_token
		body   string
	}{
		"basic info": {
			call:   func(ctx context.Context, b both) error { return drop(b.m.BasicInfo(ctx)) },
			answer: `{"errcode":0,"appid":"wx1"}`, get: true, path: "/cgi-bin/account/getaccountbasicinfo",
		},
		"check a name": {
			call: func(ctx context.Context, b both) error { return drop(b.m.CheckNickname(ctx, "老王")) },
			path: "/cgi-bin/wxverify/checkwxverifynickname", body: `{"nick_name":"老王"}`,
		},
		"set a name": {
			call: func(ctx context.Context, b both) error {
				return drop(b.m.SetNickname(ctx, wechat.NicknameRequest{Name: "老王", License: "m1", Other1: "m2"}))
			},
			path: "/wxa/setnickname", body: `{"nick_name":"老王","license":"m1","naming_other_stuff_1":"m2"}`,
		},
		"audit of a name": {
			call:   func(ctx context.Context, b both) error { return drop(b.m.NicknameAudit(ctx, 4211202267)) },
			answer: `{"errcode":0,"audit_stat":1}`, path: "/wxa/api_wxa_querynickname", body: `{"audit_id":4211202267}`,
		},
		"avatar": {
			call: func(ctx context.Context, b both) error {
				return b.m.SetHeadImage(ctx, "m1", wechat.Crop{X1: 0, Y1: 0.25, X2: 1, Y2: 0.75})
			},
			path: "/cgi-bin/account/modifyheadimage", body: `{"head_img_media_id":"m1","x1":0,"y1":0.25,"x2":1,"y2":0.75}`,
		},
		"signature": {
			call: func(ctx context.Context, b both) error { return b.m.SetSignature(ctx, "家常菜 & 外卖") },
			path: "/cgi-bin/account/modifysignature", body: `{"signature":"家常菜 & 外卖"}`,
		},
		"all categories": {
			call: func(ctx context.Context, b both) error { return drop(b.m.AllCategories(ctx)) },
			get:  true, path: "/cgi-bin/wxopen/getallcategories",
		},
		"add categories": {
			call: func(ctx context.Context, b both) error {
				return b.m.AddCategories(ctx, []wechat.NewCategory{{First: 8, Second: 39, Certificates: []wechat.CertificateImage{{Name: "《许可证》", MediaID: "m1"}}}})
			},
			path: "/cgi-bin/wxopen/addcategory", body: `{"categories":[{"first":8,"second":39,"certicates":[{"key":"《许可证》","value":"m1"}]}]}`,
		},
		"delete a category": {
			call: func(ctx context.Context, b both) error { return b.m.DeleteCategory(ctx, 8, 39) },
			path: "/cgi-bin/wxopen/deletecategory", body: `{"first":8,"second":39}`,
		},
		"modify a category": {
			call: func(ctx context.Context, b both) error {
				return b.m.ModifyCategory(ctx, wechat.NewCategory{First: 8, Second: 39, Certificates: []wechat.CertificateImage{}})
			},
			path: "/cgi-bin/wxopen/modifycategory", body: `{"first":8,"second":39,"certicates":[]}`,
		},
		"login": {
			call: func(ctx context.Context, b both) error {
				return drop(b.CodeToSession(ctx, "wx1", sealed.New("0a1b")))
			},
			answer: `{"openid":"o1","session_key":"k"}`, get: true, path: "/sns/component/jscode2session", token: "component_access_token",
			query: "appid=wx1&js_code=0a1b&grant_type=authorization_code&component_appid=wxcomponent0000001",
		},
		"phone number": {
			call:   func(ctx context.Context, b both) error { return drop(b.m.PhoneNumber(ctx, sealed.New("c1"), "")) },
			answer: `{"errcode":0,"phone_info":{"phoneNumber":"1"}}`, path: "/wxa/business/getuserphonenumber", body: `{"code":"c1"}`,
		},
		"phone number of a shared environment": {
			call:   func(ctx context.Context, b both) error { return drop(b.m.PhoneNumber(ctx, sealed.New("c1"), "wx2")) },
			answer: `{"errcode":0,"phone_info":{"phoneNumber":"1"}}`, path: "/wxa/business/getuserphonenumber", query: "from_appid=wx2", body: `{"code":"c1"}`,
		},
		"start a registration": {
			call: func(ctx context.Context, b both) error {
				return drop(b.StartRegistration(ctx, personal, map[string]any{"idname": "张三", "new_version": true}))
			},
			answer: `{"errcode":0,"taskid":"t1","authorize_url":"https://mp.weixin.qq.com/x","status":0}`,
			path:   "/wxa/component/fastregisterpersonalweapp", query: "action=create", body: `{"idname":"张三","new_version":true}`,
		},
		"register with an official account's principal": {
			call:   func(ctx context.Context, b both) error { return drop(b.m.FastRegister(ctx, sealed.New("t1"))) },
			answer: `{"errcode":0,"appid":"wx2","authorization_code":"c","is_wx_verify_succ":true,"is_link_succ":true}`,
			path:   "/cgi-bin/account/fastregister", body: `{"ticket":"t1"}`,
		},
		"change the administrator": {
			call: func(ctx context.Context, b both) error { return b.m.RebindAdmin(ctx, sealed.New("t1")) },
			path: "/cgi-bin/account/componentrebindadmin", body: `{"taskid":"t1"}`,
		},
		"query a registration": {
			call: func(ctx context.Context, b both) error { return drop(b.QueryRegistration(ctx, personal, "t1")) },
			path: "/wxa/component/fastregisterpersonalweapp", query: "action=query", body: `{"taskid":"t1"}`,
		},
		"start a trial": {
			call: func(ctx context.Context, b both) error {
				return drop(b.StartRegistration(ctx, trial, map[string]any{"name": "n", "openid": "o"}))
			},
			answer: `{"errcode":0,"unique_id":"u1","authorize_url":"https://mp.weixin.qq.com/x"}`,
			path:   "/wxa/component/fastregisterbetaweapp", body: `{"name":"n","openid":"o"}`,
		},
		"start a conversion": {
			call: func(ctx context.Context, b both) error {
				return drop(b.m.StartConversion(ctx, wechat.RegistrationCall{Path: "wxa/component/fastnormalizebetaweapp", CreateQuery: "createtask"}, map[string]any{"component_phone": "1"}))
			},
			answer: `{"errcode":0,"taskid":"t1","authorize_url":"https://mp.weixin.qq.com/x"}`,
			path:   "/wxa/component/fastnormalizebetaweapp", query: "action=createtask", body: `{"component_phone":"1"}`,
		},
		"query a conversion": {
			call: func(ctx context.Context, b both) error { return drop(b.m.QueryConversion(ctx, personal, "t1")) },
			path: "/wxa/component/fastregisterpersonalweapp", query: "action=query", body: `{"taskid":"t1"}`,
		},
		"rename a trial": {
			call: func(ctx context.Context, b both) error { return b.m.RenameTrial(ctx, "n") },
			path: "/wxa/setbetaweappnickname", body: `{"name":"n"}`,
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if tc.answer == "" {
				tc.answer = `{"errcode":0,"errmsg":"ok"}`
			}
			method := http.MethodPost
			if tc.get {
				method = http.MethodGet
			}
			srv := newRecorder(t, answer("text/plain", tc.answer))
			c := newClient(srv.URL)
			require.NoError(t, tc.call(t.Context(), both{c.Component(twoTokens()), c.Authorizer(merchantAppID, twoTokens()), c}))
			got := srv.requests()
			require.Len(t, got, 1)
			want, err := url.ParseQuery(tc.query)
			require.NoError(t, err)
			if tc.token == "" {
				tc.token = "access_token"
			}
			want.Set(tc.token, firstToken)
			require.Equal(t, method, got[0].Method)
			require.Equal(t, tc.path, got[0].Path)
			require.Equal(t, want, got[0].Query)
			require.Equal(t, tc.body, got[0].Body)
		})
	}
}

func TestAnswersOfOperations(t *testing.T) {
	t.Parallel()
	ask := func(t *testing.T, text string) both {
		t.Helper()
		c := newClient(newRecorder(t, answer("text/plain", text)).URL)
		return both{c.Component(twoTokens()), c.Authorizer(merchantAppID, twoTokens()), c}
	}
	t.Run("basic info with numbers as text and quotas", func(t *testing.T) {
		t.Parallel()
		info, err := ask(t, `{"errcode":0,"appid":"wx1","account_type":"2","principal_name":"p","wx_verify_info":{"qualification_verify":true},
			"signature_info":{"signature":"s","modify_used_count":1,"modify_quota":5},"head_image_info":{"head_image_url":"u","modify_used_count":"2","modify_quota":5},
			"nickname_info":{"nickname":"n","modify_used_count":0,"modify_quota":2}}`).m.BasicInfo(t.Context())
		require.NoError(t, err)
		require.Equal(t, "s", info.Signature.Signature)
		require.EqualValues(t, 2, info.HeadImage.Used)
		require.EqualValues(t, 2, info.Nickname.Limit)
		require.True(t, info.Verify.Qualification)
	})
	t.Run("phone number with a country code of either kind", func(t *testing.T) {
		t.Parallel()
		for _, code := range []string{`86`, `"86"`} {
			phone, err := ask(t, `{"errcode":0,"phone_info":{"phoneNumber":"+86138","purePhoneNumber":"138","countryCode":`+code+`,"watermark":{"timestamp":1,"appid":"wx1"}}}`).
				m.PhoneNumber(t.Context(), sealed.New("c"), "")
			require.NoError(t, err)
			require.Equal(t, wechat.Phone{Number: "+86138", Pure: "138", CountryCode: "86", AppID: "wx1"}, phone)
		}
	})
	t.Run("open data is JSON in JSON", func(t *testing.T) {
		t.Parallel()
		for text, want := range map[string]wechat.Phone{
			`{"errcode":0,"data_list":[{"json":"{\"cloudID\":\"x\",\"data\":{\"phoneNumber\":\"138\",\"purePhoneNumber\":\"138\",\"countryCode\":\"86\"}}"}]}`: {Number: "138", Pure: "138", CountryCode: "86"},
			`{"errcode":0,"data_list":{"json":"{\"data\":{\"phoneNumber\":\"138\"}}"}}`:                                                                        {Number: "138"},
			`{"errcode":0,"data_list":[{"json":"{\"errCode\":-601006}"}]}`:                                                                                     {},
			`{"errcode":0,"data_list":[{"json":"nonsense"}]}`:                                                                                                  {},
			`{"errcode":0,"data_list":[]}`: {},
			`{"errcode":0}`:                {},
		} {
			c := wechat.New(wechat.Config{AppID: componentAppID, BaseURL: newRecorder(t, answer("text/plain", text)).URL, Transport: wechat.TransportOpenAPI})
			phone, err := c.Component(nil).OpenDataPhone(t.Context(), "o1", sealed.New("id"), "")
			require.NoError(t, err, text)
			require.Equal(t, want, phone, text)
		}
	})
	t.Run("task ids as numbers", func(t *testing.T) {
		t.Parallel()
		task, err := ask(t, `{"errcode":0,"taskid":17,"authorize_url":"https://x","status":"0"}`).StartRegistration(t.Context(), wechat.RegistrationCall{Path: "wxa/x"}, nil)
		require.NoError(t, err)
		require.Equal(t, wechat.RegistrationTask{TaskID: "17", AuthorizeURL: "https://x", Status: new(0)}, task)
	})
	t.Run("successes that lack what the call is about", func(t *testing.T) {
		t.Parallel()
		b := ask(t, `{"errcode":0,"errmsg":"ok"}`)
		for name, err := range map[string]error{
			"login":        drop(b.CodeToSession(t.Context(), "wx1", sealed.New("c"))),
			"phone":        drop(b.m.PhoneNumber(t.Context(), sealed.New("c"), "")),
			"registration": drop(b.StartRegistration(t.Context(), wechat.RegistrationCall{Path: "wxa/x"}, nil)),
			"conversion":   drop(b.m.StartConversion(t.Context(), wechat.RegistrationCall{Path: "wxa/x"}, nil)),
			"name":         drop(b.m.NicknameAudit(t.Context(), 1)),
			"basic info":   drop(b.m.BasicInfo(t.Context())),
		} {
			require.ErrorContains(t, err, "lacks", name)
		}
	})
	t.Run("codes of users are not told in errors", func(t *testing.T) {
		t.Parallel()
		_, err := ask(t, `{"errcode":40029,"errmsg":"invalid code 0a1b2c3d"}`).CodeToSession(t.Context(), "wx1", sealed.New("0a1b2c3d"))
		require.True(t, wechat.IsCode(err, 40029))
		require.NotContains(t, err.Error(), "0a1b2c3d")
	})
}

// TestEveryRefusalOfOperationsIsExplained lists what these calls can answer; an unknown code has only a general sentence.
func TestEveryRefusalOfOperationsIsExplained(t *testing.T) {
	t.Parallel()
	for op, codes := range map[string][]int{
		"wxa/bind_tester":                            {85001, 85002, 85003, 85004, 89030, 89031, 89032, 89033, 89034},
		"wxa/getwxacodeunlimit":                      {40097, 40169, 41030, 45009},
		"wxa/getwxacode":                             {40159, 45029, 85096},
		"wxa/changewxasearchstatus":                  {85083, 85084, 85091},
		"wxa/change_visitstatus":                     {85021, 85022},
		"cgi-bin/wxopen/setweappsupportversion":      {85015, 89014},
		"wxa/security/apply_privacy_interface":       {61031, 61032, 61033, 61034, 61035, 61036, 61037},
		"wxa/icp/get_icp_entrance_info":              {86202, 86301, 86302, 86308, 86324, 86328, 86358},
		"wxa/setnickname":                            {91001, 91002, 91003, 91004, 91005, 91006, 91007, 91008, 91009, 91010, 91011, 91012, 91013, 91014, 91015, 91016, 91017},
		"cgi-bin/wxverify/checkwxverifynickname":     {53010, 53011, 53012, 53013, 53014, 53015, 53016, 53017, 53018, 53019},
		"cgi-bin/account/modifyheadimage":            {40007, 40009, 40097, 41006, 46001, 53202, 85049, 85050},
		"cgi-bin/account/modifysignature":            {40097, 53200, 53201, 53203, 53204, 85049, 85050},
		"cgi-bin/wxopen/addcategory":                 {53300, 53301, 53302, 53303, 53304, 53305, 53306, 53307, 53308, 53309, 53310, 53311},
		"wxa/component/fastregisterenterpriseweapp":  {61026, 61027, 61070, 86004, 89247, 89248, 89249, 89250, 89251, 89252, 89253, 89254, 89255},
		"wxa/component/fastregisterpersonalweapp":    {89249, 89250},
		"wxa/component/fastregistertransactionweapp": {89249, 89250},
		"wxa/component/fastregisterbetaweapp":        {40003, 53010, 89249},
		"wxa/component/fastnormalizebetaweapp":       {89250, 91021},
		"wxa/verifybetaweapp":                        {89253, 91021},
		"sns/component/jscode2session":               {40029, 40163, 41008, 41021, 45011, 61003, 40090},
		"wxa/business/getuserphonenumber":            {40029, 45011},
		"wxa/getopendata":                            {40003, 40097},
		"any of them":                                {-1, 40001, 40013, 40014, 41001, 42001, 43001, 43002, 43016, 44002, 45009, 47001, 48001, 48004, 50002, 61003, 61004, 61007, 61014, 61015, 85088},
	} {
		for _, code := range codes {
			e := wechat.Explain(code, op)
			require.NotContains(t, e.EN, "not a known one", "%s: %d", op, code)
			require.NotEmpty(t, e.HintZH, "%s: %d", op, code)
		}
	}
	for _, op := range []string{"wxa/component/fastregisterenterpriseweapp", "wxa/component/fastregisterpersonalweapp", "wxa/component/fastregistertransactionweapp", "wxa/component/fastnormalizebetaweapp"} {
		require.Equal(t, wechat.ClassState, wechat.Explain(89250, op).Class, "elsewhere the code is a fault that passes")
	}
}
