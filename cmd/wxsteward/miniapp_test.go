package main

import (
	"bytes"
	"encoding/json"
	"io"
	"net/http"
	"net/url"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/wxsteward/wxsteward/internal/wechat/wechatfake"
)

// mini calls the program as a mini program does.
func (w *world) mini(method, path string, header map[string]string, in any) (int, map[string]any, string) {
	w.t.Helper()
	var body io.Reader
	if in != nil {
		text, err := json.Marshal(in)
		require.NoError(w.t, err)
		body = bytes.NewReader(text)
	}
	req, err := http.NewRequestWithContext(w.t.Context(), method, w.base+path, body)
	require.NoError(w.t, err)
	for name, value := range header {
		req.Header.Set(name, value)
	}
	resp, err := http.DefaultClient.Do(req)
	require.NoError(w.t, err)
	defer resp.Body.Close() //nolint:errcheck // read to its end
	text, err := io.ReadAll(resp.Body)
	require.NoError(w.t, err)
	out := map[string]any{}
	_ = json.Unmarshal(text, &out) // a page of the shop is none
	return resp.StatusCode, out, string(text)
}

// TestMiniProgramOfTheWholeProgram signs a user in on an ordinary server; the business system behind the proxy hears who
// it is, and nothing of what the client made up.
func TestMiniProgramOfTheWholeProgram(t *testing.T) {
	t.Parallel()
	upstream, _ := shop(t)
	merchants := appids(1)
	w, _, _ := readyWorldWith(t, map[string]string{"BUSINESS_UPSTREAM": upstream, "ALLOW_PRIVATE_TARGETS": "true"}, merchants...)
	code, err := w.fake.NewLoginCode(merchants[0], "oUser")
	require.NoError(t, err)
	status, out, _ := w.mini(http.MethodPost, "/miniapp/login", nil, map[string]string{"appid": merchants[0], "code": code})
	require.Equal(t, http.StatusOK, status, out)
	token, _ := out["token"].(string)
	require.NotEmpty(t, out["expires_at"])
	session := map[string]string{"Authorization": "Bearer " + token, "X-WX-OPENID": "made-up"}
	status, out, _ = w.mini(http.MethodGet, "/miniapp/whoami", session, nil)
	require.Equal(t, http.StatusOK, status)
	require.Equal(t, "oUser", out["openid"])
	require.Equal(t, "login", out["source"])
	phone, err := w.fake.NewPhoneCode(merchants[0], "13800000000")
	require.NoError(t, err)
	_, out, _ = w.mini(http.MethodPost, "/miniapp/phone", session, map[string]string{"code": phone})
	require.Equal(t, map[string]any{"phone_number": "13800000000", "pure_phone_number": "13800000000", "country_code": "86"}, out)

	_, _, page := w.mini(http.MethodGet, "/orders", session, nil)
	require.Equal(t, "shop /orders cookie= auth= openid=oUser", page)
	_, _, page = w.mini(http.MethodGet, "/orders", map[string]string{"X-WX-OPENID": "made-up"}, nil)
	require.Equal(t, "shop /orders cookie= auth= openid=", page)
	for path, want := range map[string]int{"/miniapp/whoami": http.StatusUnauthorized, "/miniapp/nothing": http.StatusNotFound} {
		status, _, _ = w.mini(http.MethodGet, path, map[string]string{"X-WX-OPENID": "made-up", "X-WX-APPID": merchants[0]}, nil)
		require.Equal(t, want, status, path)
	}
	status, _, _ = w.mini(http.MethodPost, "/miniapp/login", nil, map[string]string{"appid": "wxnowhere", "code": "x"})
	require.Equal(t, http.StatusForbidden, status)
	require.NotContains(t, w.output.String(), token)
	require.NotContains(t, w.output.String(), code)
}

// TestMiniProgramBehindCloudRun believes WeChat's gateway.
func TestMiniProgramBehindCloudRun(t *testing.T) {
	t.Parallel()
	upstream, _ := shop(t)
	merchants := appids(1)
	w, _, _ := readyWorldWith(t, map[string]string{"WX_MODE": "cloudrun", "WX_COMPONENT_TRANSPORT": "token", "BUSINESS_UPSTREAM": upstream}, merchants...)
	status, out, _ := w.mini(http.MethodGet, "/miniapp/whoami", map[string]string{"X-WX-OPENID": "o1", "X-WX-APPID": merchants[0], "X-WX-SOURCE": "wx_client"}, nil)
	require.Equal(t, http.StatusOK, status)
	require.Equal(t, map[string]any{"appid": merchants[0], "openid": "o1", "source": "callcontainer"}, out)
	_, out, _ = w.mini(http.MethodGet, "/miniapp/whoami", map[string]string{"X-WX-FROM-OPENID": "o2", "X-WX-FROM-APPID": merchants[0]}, nil)
	require.Equal(t, map[string]any{"appid": merchants[0], "openid": "o2", "source": "shared"}, out)
	status, _, _ = w.mini(http.MethodGet, "/miniapp/whoami", map[string]string{"X-WX-OPENID": "o1", "X-WX-APPID": "wxnowhere"}, nil)
	require.Equal(t, http.StatusForbidden, status)
	_, _, page := w.mini(http.MethodGet, "/orders", map[string]string{"X-WX-OPENID": "o1", "X-WX-APPID": merchants[0]}, nil)
	require.Equal(t, "shop /orders cookie= auth= openid=o1", page)
}

// TestHandOperationsAndARolloutTakeTurns has an operator work on a merchant while a rollout commits there.
func TestHandOperationsAndARolloutTakeTurns(t *testing.T) {
	t.Parallel()
	merchants := appids(1)
	w, o, template := readyWorld(t, merchants...)
	const slow = 4 * time.Second
	_, err := w.fake.FailNext(wechatfake.Fault{Mode: wechatfake.FaultSlow, Delay: wechatfake.Duration(slow), Path: "/wxa/commit", AppID: merchants[0]})
	require.NoError(t, err)
	o.call(http.MethodPost, "/rollouts", rolloutBody(template, merchants...), nil)
	o.waitSubmission(merchants[0], "committing")
	eventually(t, "the commit is under way", func() (bool, string) {
		return w.fake.Effective("/wxa/commit", merchants[0]) == 1, ""
	})
	var list struct{ Items []struct{ WeChatID string } }
	o.call(http.MethodGet, "/authorizers/"+merchants[0]+"/testers", nil, &list) // a page need not wait
	require.Empty(t, w.fake.Calls("/wxa/commit"), "its answer has not gone out")
	o.call(http.MethodPost, "/authorizers/"+merchants[0]+"/testers", map[string]string{"wechatid": "tester-one"}, nil)
	commits, binds := w.fake.Calls("/wxa/commit"), w.fake.Calls("/wxa/bind_tester")
	require.Len(t, commits, 1)
	require.Len(t, binds, 1)
	require.False(t, binds[0].At.Before(commits[0].At.Add(slow)), "the tester waited for the commit")
	o.waitSubmission(merchants[0], "auditing")
	o.call(http.MethodGet, "/authorizers/"+merchants[0]+"/testers", nil, &list)
	require.Len(t, list.Items, 1)
	require.Equal(t, "tester-one", list.Items[0].WeChatID)
}

// TestRegistrationOfTheWholeProgram has a company's mini program registered, which ends as a merchant with its biz id.
func TestRegistrationOfTheWholeProgram(t *testing.T) {
	t.Parallel()
	w, o, _ := readyWorld(t, appids(1)...)
	var made struct{ ID, State, URL string }
	o.call(http.MethodPost, "/registrations", map[string]string{
		"kind": "enterprise", "biz_id": "new-shop", "name": "北京示例餐饮有限公司", "code": "91110000MA01ABCD2X", "phone": "13800000000",
	}, &made)
	require.Equal(t, "waiting", made.State)
	require.NotEmpty(t, made.URL)
	address, err := url.Parse(made.URL)
	require.NoError(t, err)
	page, text := fetch(t, w.env["WX_MP_BASE_URL"]+address.Path) // what the owner sees after scanning
	require.Equal(t, http.StatusOK, page)
	require.Contains(t, text, "北京示例餐饮有限公司")
	appid, err := w.fake.ConfirmRegistration(w.fake.Registrations()[0].Task, wechatfake.Confirm{})
	require.NoError(t, err)
	var merchant struct {
		Status string
		BizIDs []string `json:"biz_ids"`
	}
	eventually(t, "the mini program is a merchant with its biz id", func() (bool, string) {
		status, err := o.try(t.Context(), http.MethodGet, "/authorizers/"+appid, nil, &merchant)
		return err == nil && status == http.StatusOK && len(merchant.BizIDs) == 1, ""
	})
	require.Equal(t, []string{"new-shop"}, merchant.BizIDs)
	o.call(http.MethodGet, "/registrations/"+made.ID, nil, &made)
	require.Equal(t, "completed", made.State)
}
