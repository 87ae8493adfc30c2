package miniapp

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/wxsteward/wxsteward/authorize/authorizetest"
	"github.com/wxsteward/wxsteward/internal/wechat"
	"github.com/wxsteward/wxsteward/internal/wechat/wechatfake"
	"github.com/wxsteward/wxsteward/internal/wechat/wechattest"
)

const (
	shop     = "wx00000000000000a1"
	stranger = "wx00000000000000ff"
)

type env struct {
	*authorizetest.Env
	*Service
}

// inCloud makes the platform's calls through the open-API service.
type inCloud struct{ client *wechat.Client }

func (c inCloud) API() *wechat.Component { return c.client.Component(nil) }

// newEnv makes a platform with one merchant; gateway says that it runs in WeChat Cloud Run: WeChat's gateway is in front of it,
// and the open-API service beside it.
func newEnv(t *testing.T, gateway bool) *env {
	t.Helper()
	e := &env{}
	e.Env = authorizetest.New(t, func(p *authorizetest.Env) {
		var of platform = p.Component
		if gateway {
			of = inCloud{wechat.New(wechat.Config{AppID: wechattest.ComponentAppID, BaseURL: p.WeChat.URL, Transport: wechat.TransportOpenAPI})}
		}
		e.Service = New(Config{TrustGateway: gateway, Now: p.Now}, Deps{DB: p.Pool, Keys: p.Keys, Merchants: p.Merchants, Platform: of})
		e.RegisterRoutes(p.Server.Echo())
	})
	e.Merchant(wechatfake.Merchant{AppID: shop})
	require.NoError(t, e.Fake.AddMerchant(wechatfake.Merchant{AppID: stranger}))
	if gateway {
		e.Fake.Set(func(s *wechatfake.Settings) { s.OpenAPI, s.OpenAPIWhitelist = true, wechat.PlatformPaths() })
	}
	return e
}

func (e *env) do(method, path string, header map[string]string, body any) (int, map[string]any, http.Header) {
	e.T.Helper()
	var reader io.Reader
	switch b := body.(type) {
	case nil:
	case string:
		reader = strings.NewReader(b)
	default:
		text, err := json.Marshal(b)
		require.NoError(e.T, err)
		reader = bytes.NewReader(text)
	}
	req, err := http.NewRequestWithContext(e.T.Context(), method, e.URL+path, reader)
	require.NoError(e.T, err)
	for name, value := range header {
		req.Header.Set(name, value)
	}
	resp, err := http.DefaultClient.Do(req)
	require.NoError(e.T, err)
	defer resp.Body.Close() //nolint:errcheck // read to its end
	out := map[string]any{}
	require.NoError(e.T, json.NewDecoder(resp.Body).Decode(&out))
	return resp.StatusCode, out, resp.Header
}

// signedIn is the header of a session.
func (e *env) signedIn(openid string) map[string]string {
	e.T.Helper()
	code, err := e.Fake.NewLoginCode(shop, openid)
	require.NoError(e.T, err)
	status, out, _ := e.do(http.MethodPost, "/miniapp/login", nil, map[string]string{"appid": shop, "code": code})
	require.Equal(e.T, http.StatusOK, status, out)
	token, _ := out["token"].(string)
	require.NotEmpty(e.T, token)
	require.NotContains(e.T, token, openid)
	return map[string]string{"Authorization": "Bearer " + token}
}

func TestSessionOnAnOrdinaryServer(t *testing.T) {
	t.Parallel()
	e := newEnv(t, false)
	session := e.signedIn("oUser")
	status, out, header := e.do(http.MethodGet, "/miniapp/whoami", session, nil)
	require.Equal(t, http.StatusOK, status)
	require.Equal(t, "login", out["source"])
	require.Equal(t, shop, out["appid"])
	require.Equal(t, "oUser", out["openid"])
	require.NotEmpty(t, out["unionid"])
	require.Equal(t, "no-store", header.Get("Cache-Control"))

	{ // gateway headers are anybody's invention
		status, _, _ := e.do(http.MethodGet, "/miniapp/whoami", map[string]string{"X-WX-OPENID": "oForged", "X-WX-APPID": shop, "X-WX-SOURCE": "wx_client"}, nil)
		require.Equal(t, http.StatusUnauthorized, status)
		both := map[string]string{"X-WX-OPENID": "oForged", "X-WX-FROM-OPENID": "oForged", "X-WX-APPID": shop, "X-WX-FROM-APPID": shop, "Authorization": session["Authorization"]}
		_, out, _ := e.do(http.MethodGet, "/miniapp/whoami", both, nil)
		require.Equal(t, "oUser", out["openid"])
	}
	{ // tokens that are none
		good := session["Authorization"]
		for _, wrong := range []string{"", "Bearer ", "Bearer wxs_abc", "Bearer wxm_", "Bearer wxm_%%%", good[:len(good)-4] + "AAAA", good + "A", strings.TrimPrefix(good, "Bearer "), "Basic " + good} {
			status, out, _ := e.do(http.MethodGet, "/miniapp/whoami", map[string]string{"Authorization": wrong}, nil)
			require.Equal(t, http.StatusUnauthorized, status, "%q", wrong)
			require.Equal(t, "unauthenticated", out["code"])
		}
	}
	{ // another replica takes it
		other := New(Config{Now: e.Now}, Deps{DB: e.Pool, Keys: e.Keys, Merchants: e.Merchants, Platform: e.Component})
		r := httptest.NewRequestWithContext(t.Context(), http.MethodGet, "/", nil)
		r.Header.Set("Authorization", session["Authorization"])
		id, err := other.Who(r)
		require.NoError(t, err)
		require.Equal(t, "oUser", id.OpenID)
	}
	{ // only merchants on record are served
		code, err := e.Fake.NewLoginCode(stranger, "o1")
		require.NoError(t, err)
		for _, appid := range []string{stranger, "wxnowhere", "\u0000"} {
			status, out, _ := e.do(http.MethodPost, "/miniapp/login", nil, map[string]string{"appid": appid, "code": code})
			require.Equal(t, http.StatusForbidden, status, out)
		}
		require.Len(t, e.Fake.Calls("/sns/component/jscode2session"), 1, "WeChat is not asked for strangers")
	}
	{ // a session ends with the authorization and with its time
		require.NoError(t, e.Fake.Revoke(shop))
		e.Until("withdrawn", func() bool { return e.Merchants.CheckAuthorized(t.Context(), shop) != nil })
		status, out, _ := e.do(http.MethodGet, "/miniapp/whoami", session, nil)
		require.Equal(t, http.StatusForbidden, status)
		require.Equal(t, "forbidden", out["code"])
		_, err := e.Fake.AuthorizeMerchant(shop, wechatfake.Authorize{})
		require.NoError(t, err)
		e.Until("authorized again", func() bool { return e.Merchants.CheckAuthorized(t.Context(), shop) == nil })
		status, _, _ = e.do(http.MethodGet, "/miniapp/whoami", session, nil)
		require.Equal(t, http.StatusOK, status)
		e.Pass(25 * time.Hour)
		status, _, _ = e.do(http.MethodGet, "/miniapp/whoami", session, nil)
		require.Equal(t, http.StatusUnauthorized, status)
	}
}

func TestLoginRefusals(t *testing.T) {
	t.Parallel()
	e := newEnv(t, false)
	login := func(body any) (int, map[string]any, http.Header) {
		return e.do(http.MethodPost, "/miniapp/login", nil, body)
	}
	for name, body := range map[string]any{
		"nothing": "", "no JSON": "code=1", "a list": "[]", "no code": map[string]string{"appid": shop}, "no appid": map[string]string{"code": "c"},
		"a number": `{"appid":"` + shop + `","code":5}`,
	} {
		status, out, _ := login(body)
		require.Equal(t, http.StatusUnprocessableEntity, status, "%s: %v", name, out)
	}
	status, _, _ := login(`{"appid":"` + strings.Repeat("x", maxBody) + `"}`)
	require.Equal(t, http.StatusRequestEntityTooLarge, status)

	code, err := e.Fake.NewLoginCode(shop, "oUser")
	require.NoError(t, err)
	status, _, _ = login(map[string]string{"appid": shop, "code": code})
	require.Equal(t, http.StatusOK, status)
	status, out, _ := login(map[string]string{"appid": shop, "code": code})
	require.Equal(t, http.StatusUnauthorized, status, "a code works once: %v", out)
	require.NotContains(t, e.Log.String(), code)

	_, err = e.Fake.FailNext(wechatfake.Fault{Path: "/sns/component/jscode2session", Mode: wechatfake.FaultErrcode, Code: 45011})
	require.NoError(t, err)
	status, _, header := login(map[string]string{"appid": shop, "code": "x"})
	require.Equal(t, http.StatusTooManyRequests, status)
	require.Equal(t, "60", header.Get("Retry-After"))
	_, err = e.Fake.FailNext(wechatfake.Fault{Path: "/sns/component/jscode2session", Mode: wechatfake.FaultCutBefore})
	require.NoError(t, err)
	status, out, _ = login(map[string]string{"appid": shop, "code": "x"})
	require.Equal(t, http.StatusBadGateway, status)
	require.Equal(t, "wechat_unavailable", out["code"])

	for range maxFailures {
		_, _, _ = login(map[string]string{"appid": shop, "code": "forged"})
	}
	before := len(e.Fake.Calls("/sns/component/jscode2session"))
	status, _, header = login(map[string]string{"appid": shop, "code": "forged"})
	require.Equal(t, http.StatusTooManyRequests, status)
	require.NotEmpty(t, header.Get("Retry-After"))
	require.Len(t, e.Fake.Calls("/sns/component/jscode2session"), before)
	e.Pass(failureWindow)
	_ = e.signedIn("oUser")
}

func TestIdentityBehindTheGateway(t *testing.T) {
	t.Parallel()
	e := newEnv(t, true)
	for name, tc := range map[string]struct {
		header map[string]string
		status int
		want   map[string]any
	}{
		"the environment's own account": {
			map[string]string{"X-WX-OPENID": "o1", "X-WX-APPID": shop, "X-WX-UNIONID": "u1"},
			200,
			map[string]any{"appid": shop, "openid": "o1", "unionid": "u1", "source": "callcontainer"},
		},
		"no unionid": {
			map[string]string{"x-wx-openid": "o1", "x-wx-appid": shop},
			200,
			map[string]any{"appid": shop, "openid": "o1", "source": "callcontainer"},
		},
		"a shared environment": {
			map[string]string{"X-WX-FROM-OPENID": "o2", "X-WX-FROM-APPID": shop, "X-WX-FROM-UNIONID": "u2"},
			200,
			map[string]any{"appid": shop, "openid": "o2", "unionid": "u2", "source": "shared"},
		},
		"a shared environment whose owner is told too": {
			map[string]string{"X-WX-APPID": stranger, "X-WX-OPENID": "o1", "X-WX-FROM-OPENID": "o2", "X-WX-FROM-APPID": shop},
			200,
			map[string]any{"appid": shop, "openid": "o2", "source": "shared"},
		},
		"half an identity":           {map[string]string{"X-WX-FROM-OPENID": "o2", "X-WX-APPID": shop, "X-WX-OPENID": "o1"}, 401, nil},
		"an appid alone":             {map[string]string{"X-WX-APPID": shop}, 401, nil},
		"nobody":                     {nil, 401, nil},
		"a mini program we know not": {map[string]string{"X-WX-OPENID": "o1", "X-WX-APPID": stranger}, 403, nil},
	} {
		status, out, _ := e.do(http.MethodGet, "/miniapp/whoami", tc.header, nil)
		require.Equal(t, tc.status, status, "%s: %v", name, out)
		if tc.want != nil {
			require.Equal(t, tc.want, out, name)
		}
	}
	status, out, _ := e.do(http.MethodGet, "/miniapp/whoami", e.signedIn("o3"), nil)
	require.Equal(t, http.StatusOK, status, "by the public address")
	require.Equal(t, "login", out["source"])
}

func TestPhoneNumber(t *testing.T) {
	t.Parallel()
	e := newEnv(t, true)
	own := map[string]string{"X-WX-OPENID": "o1", "X-WX-APPID": shop}
	shared := map[string]string{"X-WX-FROM-OPENID": "o1", "X-WX-FROM-APPID": shop}
	want := map[string]any{"phone_number": "13800000000", "pure_phone_number": "13800000000", "country_code": "86"}
	for _, tc := range []struct {
		who  map[string]string
		from string
	}{{own, ""}, {shared, "from_appid=" + shop}} {
		e.Fake.Set(func(s *wechatfake.Settings) { // a shared environment is the platform's
			s.CloudOwner = shop
			if tc.from != "" {
				s.CloudOwner = ""
			}
		})
		code, err := e.Fake.NewPhoneCode(shop, "13800000000")
		require.NoError(t, err)
		status, out, _ := e.do(http.MethodPost, "/miniapp/phone", tc.who, map[string]string{"code": code})
		require.Equal(t, http.StatusOK, status, out)
		require.Equal(t, want, out)
		calls := e.Fake.Calls("/wxa/business/getuserphonenumber")
		require.Equal(t, tc.from, calls[len(calls)-1].Query)

		id, err := e.Fake.NewCloudID(shop, "o1", "13800000000")
		require.NoError(t, err)
		status, out, _ = e.do(http.MethodPost, "/miniapp/phone", tc.who, map[string]string{"cloud_id": id})
		require.Equal(t, http.StatusOK, status, out)
		require.Equal(t, want, out)
		calls = e.Fake.Calls("/wxa/getopendata")
		require.Contains(t, calls[len(calls)-1].Query, "openid=o1")
		require.Equal(t, tc.from != "", strings.Contains(calls[len(calls)-1].Query, "from_appid="+shop))
		require.NotContains(t, calls[len(calls)-1].Query, "access_token", "no token but that of the open-API service")
	}
	used, err := e.Fake.NewPhoneCode(shop, "13800000000")
	require.NoError(t, err)
	status, _, _ := e.do(http.MethodPost, "/miniapp/phone", own, map[string]string{"code": used})
	require.Equal(t, http.StatusOK, status)
	foreign, err := e.Fake.NewCloudID(shop, "o9", "13900000000")
	require.NoError(t, err)
	for name, body := range map[string]any{
		"neither": map[string]string{}, "both": map[string]string{"code": "a", "cloud_id": "b"}, "no JSON": "x",
		"a wrong code": map[string]string{"code": "nonsense"}, "a used code": map[string]string{"code": used},
		"a wrong cloud id": map[string]string{"cloud_id": "nonsense"}, "another user's cloud id": map[string]string{"cloud_id": foreign},
	} {
		status, out, _ := e.do(http.MethodPost, "/miniapp/phone", own, body)
		require.Equal(t, http.StatusUnprocessableEntity, status, "%s: %v", name, out)
	}
	status, _, _ = e.do(http.MethodPost, "/miniapp/phone", nil, map[string]string{"code": "x"})
	require.Equal(t, http.StatusUnauthorized, status)
	status, _, _ = e.do(http.MethodPost, "/miniapp/phone", map[string]string{"X-WX-OPENID": "o1", "X-WX-APPID": stranger}, map[string]string{"code": "x"})
	require.Equal(t, http.StatusForbidden, status)

	e.Fake.Set(func(s *wechatfake.Settings) { s.OpenAPIWhitelist = nil })
	status, out, _ := e.do(http.MethodPost, "/miniapp/phone", own, map[string]string{"cloud_id": foreign})
	require.Equal(t, http.StatusBadGateway, status)
	require.Contains(t, out["detail"], "/wxa/getopendata", "the path is missing in the whitelist")

	// A merchant that did not grant permission set 18: WeChat's refusal with what to do.
	require.NoError(t, e.Fake.UpdateScopes(shop, []int{30}))
	status, out, _ = e.do(http.MethodPost, "/miniapp/phone", own, map[string]string{"code": "x"})
	require.Equal(t, http.StatusBadGateway, status)
	require.InDelta(t, 61007, out["wechat"].(map[string]any)["errcode"], 0)
}

// TestCloudIDsOutsideOfTheCloud: WeChat takes no cloud id there, so it is not asked.
func TestCloudIDsOutsideOfTheCloud(t *testing.T) {
	t.Parallel()
	e := newEnv(t, false)
	id, err := e.Fake.NewCloudID(shop, "oUser", "13800000000")
	require.NoError(t, err)
	status, out, _ := e.do(http.MethodPost, "/miniapp/phone", e.signedIn("oUser"), map[string]string{"cloud_id": id})
	require.Equal(t, http.StatusUnprocessableEntity, status, out)
	require.Contains(t, fmt.Sprint(out), "code")
	require.Contains(t, fmt.Sprint(out), "body.cloud_id")
	require.Empty(t, e.Fake.Calls("/wxa/getopendata"))
}

// TestCloudIDOfASession: the user came by the public address, so nothing says whose environment it is.
func TestCloudIDOfASession(t *testing.T) {
	t.Parallel()
	e := newEnv(t, true)
	id, err := e.Fake.NewCloudID(shop, "oUser", "13800000000")
	require.NoError(t, err)
	status, out, _ := e.do(http.MethodPost, "/miniapp/phone", e.signedIn("oUser"), map[string]string{"cloud_id": id})
	require.Equal(t, http.StatusOK, status, out)
	require.Equal(t, "13800000000", out["phone_number"])
}

func TestIdentifyForTheBusinessSystem(t *testing.T) {
	t.Parallel()
	e := newEnv(t, false)
	session := e.signedIn("oUser")
	identify := func(s *Service, header map[string]string) http.Header {
		r := httptest.NewRequestWithContext(t.Context(), http.MethodGet, "/orders", nil)
		for name, value := range header {
			r.Header.Set(name, value)
		}
		return s.Identify(r)
	}
	h := identify(e.Service, session)
	require.Equal(t, "oUser", h.Get("X-WX-OPENID"))
	require.Equal(t, shop, h.Get("X-WX-APPID"))
	require.NotEmpty(t, h.Get("X-WX-UNIONID"))
	require.Nil(t, identify(e.Service, nil))
	require.Nil(t, identify(e.Service, map[string]string{"Authorization": "Bearer wxm_forged"}))
	require.Nil(t, identify(e.Service, map[string]string{"Authorization": "Bearer wxs_key", "X-WX-OPENID": "o1", "X-WX-APPID": shop}))
	behind := New(Config{TrustGateway: true, Now: e.Now}, Deps{DB: e.Pool, Keys: e.Keys, Merchants: e.Merchants, Platform: e.Component})
	require.Nil(t, identify(behind, map[string]string{"X-WX-OPENID": "o1", "X-WX-APPID": shop}), "the gateway's own pass as they are")
	require.Equal(t, "oUser", identify(behind, session).Get("X-WX-OPENID"))
}
