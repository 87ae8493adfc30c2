package component

import (
	"context"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/wxsteward/wxsteward/internal/adminauth"
	"github.com/wxsteward/wxsteward/internal/fault"
	"github.com/wxsteward/wxsteward/internal/wechat"
	"github.com/wxsteward/wxsteward/internal/wechat/wechatfake"
)

func openAPI(c *Config) { c.Mode, c.Transport = ModeCloudRun, wechat.TransportOpenAPI }

// checked runs the checks in English, by name.
func (p *platform) checked(t *testing.T) map[string]Check {
	t.Helper()
	found := map[string]Check{}
	for _, c := range p.RunChecks(fault.WithLang(t.Context(), fault.English)) {
		found[c.Name] = c
	}
	return found
}

func TestOpenAPINeedsNoTicketAndNoToken(t *testing.T) {
	t.Parallel()
	p := newPlatform(t, openAPI)
	p.wechat.Set(func(s *wechatfake.Settings) {
		s.OpenAPI, s.OpenAPIWhitelist, s.IPWhitelist = true, wechat.PlatformPaths(), []string{"203.0.113.9"}
	})
	_, err := p.API().CreatePreAuthCode(t.Context())
	require.NoError(t, err, "no ticket has ever come")
	p.wechat.PushTicket()
	p.takePushes(t)
	require.NoError(t, p.keepTokenFresh(t.Context()))
	assert.Empty(t, p.wechat.Calls(componentTokenPath), "nobody has asked for a token")
	token, err := p.AccessToken(t.Context())
	require.NoError(t, err, "a business system gets one all the same")
	assert.False(t, token.Access.IsZero())
	checks := p.checked(t)
	for _, name := range []string{"open_api", "access_token", "ip_whitelist", "domains"} {
		assert.True(t, checks[name].OK, "%s: %+v", name, checks[name])
	}
	assert.Contains(t, checks["open_api"].Detail, "x-openapi-seqid")
}

func TestOpenAPITroubleIsExplained(t *testing.T) {
	t.Parallel()
	p := newPlatform(t, openAPI)
	assert.False(t, p.checked(t)["open_api"].OK)
	assert.Contains(t, p.checked(t)["open_api"].Hint, "开放接口服务", "it is off")
	const domains = "/cgi-bin/component/modify_wxa_server_domain"
	p.wechat.Set(func(s *wechatfake.Settings) {
		s.OpenAPI, s.OpenAPIWhitelist = true, slices.DeleteFunc(wechat.PlatformPaths(), func(path string) bool { return path == domains })
	})
	c := p.checked(t)["open_api"]
	assert.False(t, c.OK)
	assert.Contains(t, c.Hint, domains, "the path to add is named")
	assert.Contains(t, c.Hint, "微信令牌权限配置")
}

func TestCloudTokenTransport(t *testing.T) {
	t.Parallel()
	file := filepath.Join(t.TempDir(), "cloudbase_access_token")
	p := newPlatform(t, func(c *Config) {
		c.Mode, c.Transport, c.CloudTokenFile, c.Now = ModeCloudRun, wechat.TransportCloudToken, file, time.Now
	})
	o := p.office(t)
	state := func() map[string]any {
		_, got, _ := o.call(t, adminauth.Viewer, http.MethodGet, "/component", "")
		return got["cloud_token"].(map[string]any)
	}
	p.wechat.Set(func(s *wechatfake.Settings) { s.IPWhitelist = []string{"203.0.113.9"} })
	status, got, _ := o.call(t, adminauth.Viewer, http.MethodGet, "/component/domains", "")
	assert.Equal(t, http.StatusBadGateway, status)
	assert.Contains(t, got["detail"], file, "the operator reads which file is missing")
	assert.Equal(t, false, state()["ready"])
	assert.Contains(t, state()["problem"], file)
	assert.False(t, p.checked(t)["cloud_token"].OK)

	_, err := p.wechat.PushCloudToken(file)
	require.NoError(t, err)
	status, _, raw := o.call(t, adminauth.Viewer, http.MethodGet, "/component/domains", "")
	assert.Equal(t, http.StatusOK, status, raw)
	assert.Equal(t, true, state()["ready"])
	assert.NotNil(t, state()["changed_at"])
	assert.True(t, p.checked(t)["cloud_token"].OK)
	assert.Empty(t, p.wechat.Calls(componentTokenPath))

	p.wechat.EndCloudTokens()
	status, got, _ = o.call(t, adminauth.Viewer, http.MethodGet, "/component/domains", "")
	assert.Equal(t, http.StatusBadGateway, status)
	assert.Contains(t, got["detail"], "WX_CLOUD_TOKEN_FILE")
	require.NoError(t, os.Chtimes(file, time.Now(), time.Now().Add(-31*time.Minute)))
	assert.False(t, p.checked(t)["cloud_token"].OK, "WeChat has stopped to renew it")
	assert.NotEmpty(t, p.checked(t)["cloud_token"].Hint)
}

func TestWhitelistAPI(t *testing.T) {
	t.Parallel()
	for transport, needed := range map[wechat.Transport]bool{
		wechat.TransportToken: false, wechat.TransportOpenAPI: true, wechat.TransportCloudToken: true,
	} {
		p := newPlatform(t, func(c *Config) { c.Transport, c.CloudTokenFile = transport, "/nowhere" })
		o := p.office(t)
		status, got, raw := o.call(t, adminauth.Viewer, http.MethodGet, "/component/whitelist", "")
		require.Equal(t, http.StatusOK, status, raw)
		assert.Equal(t, needed, got["needed"])
		assert.Equal(t, string(transport), got["transport"])
		assert.Contains(t, got["paths"], "/cgi-bin/component/api_query_auth")
		assert.NotContains(t, got["paths"], "/wxa/commit")
		assert.Contains(t, got["merchant_paths"], "/wxa/commit")
		_, checks, _ := o.call(t, adminauth.Operator, http.MethodPost, "/component/check", "")
		if needed {
			assert.Equal(t, got, withoutSchema(checks["whitelist"]))
		} else {
			assert.Nil(t, checks["whitelist"])
		}
	}
}

func withoutSchema(v any) any {
	m := v.(map[string]any)
	delete(m, "$schema")
	return m
}

func TestRefusedAddressIsKeptForTheOperator(t *testing.T) {
	t.Parallel()
	p := ticketed(t)
	o := p.office(t)
	shown := func() []any {
		_, got, _ := o.call(t, adminauth.Viewer, http.MethodGet, "/component", "")
		return got["refused_addresses"].([]any)
	}
	require.NoError(t, drop(p.API().CreatePreAuthCode(t.Context())))
	assert.Empty(t, shown())
	refuse := func(msg string) {
		t.Helper()
		_, err := p.wechat.FailNext(wechatfake.Fault{Path: preAuthCodePath, Mode: wechatfake.FaultErrcode, Code: 61004, Msg: msg})
		require.NoError(t, err)
		require.Error(t, drop(p.API().CreatePreAuthCode(t.Context())))
	}
	news := p.ticketNews(t)
	refuse("access clientip is not registered, ip: 203.0.113.7")
	refuse("access clientip is not registered, ip: 203.0.113.7")
	assert.Equal(t, []string{"address_refused"}, news(), "not for each call")
	require.Len(t, shown(), 1)
	assert.Equal(t, map[string]any{
		"address": "203.0.113.7", "errcode": 61004., "path": preAuthCodePath, "at": shown()[0].(map[string]any)["at"],
	}, shown()[0])
	p.deps.WeChat = p.quiet(t)
	c := p.checked(t)["ip_whitelist"]
	assert.False(t, c.OK, "another call may have been taken, from another address")
	assert.Contains(t, c.Detail, "203.0.113.7")
	assert.Contains(t, c.Hint, "203.0.113.7")
	zh := Check{}
	for _, found := range p.RunChecks(fault.WithLang(t.Context(), fault.Chinese)) {
		if found.Name == "ip_whitelist" {
			zh = found
		}
	}
	assert.Contains(t, zh.Hint, "把 203.0.113.7 加入")

	p.Called(wechat.Call{Op: "wxa/commit", Via: wechat.TransportOpenAPI})
	assert.Len(t, shown(), 1, "by way of Cloud Run our address does not count")
	p.Called(wechat.Call{Op: "wxa/commit", Via: wechat.TransportToken})
	assert.Empty(t, shown(), "it was taken")
	assert.Equal(t, []string{"address_refused"}, news())

	refuse("access clientip is not registered")
	assert.Empty(t, shown(), "WeChat did not name it")
	refuse("access clientip is not registered requestIP: 203.0.113.8")
	p.clock.Add(25 * time.Hour)
	assert.Empty(t, shown(), "too long ago")
}

// quiet is a client that tells nobody of its calls, as another replica's would be.
func (p *platform) quiet(t *testing.T) *wechat.Client {
	t.Helper()
	return wechat.New(wechat.Config{AppID: testAppID, BaseURL: p.api.URL})
}

func drop[T any](_ T, err error) error { return err }

func TestRefusedAddressInCloudRun(t *testing.T) {
	t.Parallel()
	p := newPlatform(t, cloudrun)
	p.wechat.PushTicket()
	p.takePushes(t)
	p.wechat.Set(func(s *wechatfake.Settings) { s.IPWhitelist = []string{"203.0.113.9"} })
	c := p.checked(t)["ip_whitelist"]
	assert.False(t, c.OK)
	assert.Contains(t, c.Hint, "127.0.0.1")
	assert.Contains(t, c.Hint, "WX_COMPONENT_TRANSPORT")
}

// TestProbeOfTheMessagePush: WeChat asks both addresses when the message push into Cloud Run is saved in its console.
func TestProbeOfTheMessagePush(t *testing.T) {
	t.Parallel()
	p := newPlatform(t, cloudrun)
	for _, asXML := range []bool{false, true} {
		for _, probe := range p.wechat.CheckContainerPath(context.Background(), asXML) {
			assert.True(t, probe.OK, "%+v", probe)
			assert.True(t, strings.HasPrefix(probe.URL, p.server.URL))
		}
	}
	messages, _ := p.stock(t)
	assert.Zero(t, messages)
}
