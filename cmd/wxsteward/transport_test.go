package main

import (
	"maps"
	"net/http"
	"path/filepath"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/wxsteward/wxsteward/internal/wechat"
	"github.com/wxsteward/wxsteward/internal/wechat/wechatfake"
)

const (
	componentTokenPath = "/cgi-bin/component/api_component_token" //nolint:gosec // a path
	domainsPath        = "/cgi-bin/component/modify_wxa_server_domain"
)

// cloudRun makes the fake push as WeChat Cloud Run does.
func cloudRun(c *wechatfake.Config) { c.CloudRun = true }

type checkAnswer struct {
	Checks []struct {
		Name, Detail, Hint string
		OK                 bool
	}
	Whitelist *struct{ Paths []string }
}

// check runs the self-check; the function finds one of its answers.
func (o *operator) check() (checkAnswer, func(name string) (ok bool, text string)) {
	o.t.Helper()
	var all checkAnswer
	o.call(http.MethodPost, "/component/check", nil, &all)
	return all, func(name string) (bool, string) {
		for _, c := range all.Checks {
			if c.Name == name {
				return c.OK, c.Detail + " " + c.Hint
			}
		}
		return false, "no such check"
	}
}

// bind has a merchant open a link and say yes.
func (o *operator) bind(appid string) {
	o.t.Helper()
	link := o.createLink("biz-" + appid)
	text, err := newMerchantBrowser(o.t).consent(link.URL, appid)
	require.NoError(o.t, err, plainText(text))
	o.call(http.MethodGet, "/authorization-links/"+link.ID, nil, &link)
	require.Equal(o.t, "authorized", link.Status)
}

// platformCalls are the calls WeChat got from the platform itself, by how they proved themselves.
func platformCalls(fake *wechatfake.Server) map[string]int {
	by := map[string]int{}
	for _, c := range fake.Calls("") {
		if c.AppID == "" && c.Path != componentTokenPath {
			by[c.Via]++
		}
	}
	return by
}

func TestFromLinkToReleaseByOpenAPI(t *testing.T) {
	t.Parallel()
	const shop = "wxshop00000000001"
	w := newWorld(t, nil, cloudRun)
	w.env["WX_MODE"] = "cloudrun" // the transport follows
	w.addMerchant(shop, nil)
	w.fake.Set(func(s *wechatfake.Settings) { s.OpenAPI = true }) // with nothing in its whitelist
	stop := w.start()
	o := newOperator(t, w.base)
	o.signIn()

	var c struct{ Transport string }
	o.call(http.MethodGet, "/component", nil, &c)
	require.Equal(t, "openapi", c.Transport)
	all, find := o.check()
	ok, text := find("open_api")
	require.False(t, ok)
	require.Contains(t, text, domainsPath, "the path to add is named")
	require.NotNil(t, all.Whitelist)
	status, err := o.try(t.Context(), http.MethodGet, "/component/domains", nil, new([]byte))
	require.Equal(t, http.StatusBadGateway, status)
	require.ErrorContains(t, err, domainsPath)

	// The operator pastes the list. It is enough for everything that follows, without a ticket.
	w.fake.Set(func(s *wechatfake.Settings) { s.OpenAPIWhitelist = all.Whitelist.Paths })
	_, find = o.check()
	ok, text = find("open_api")
	require.True(t, ok, text)
	o.bind(shop)
	o.call(http.MethodPost, "/rollouts", rolloutBody(addTemplate(o), shop), nil)
	o.waitSubmission(shop, "auditing")
	require.NoError(t, w.fake.Approve(shop))
	o.waitSubmission(shop, "released")
	require.Empty(t, w.fake.Calls(componentTokenPath), "no call of ours needs a component access token")
	by := platformCalls(w.fake)
	require.Equal(t, []string{wechatfake.ViaOpenAPI}, slices.Collect(maps.Keys(by)), "%v", by)
	require.GreaterOrEqual(t, countOK(w.fake, "/wxa/commit", shop), 1, "a merchant's calls carry its own token")

	// A business system asks for one all the same: for that a ticket must have come.
	w.fake.PushTicket()
	eventually(t, "token", func() (bool, string) {
		_, err := o.try(t.Context(), http.MethodGet, "/component/access-token", nil, new([]byte))
		if err != nil {
			return false, err.Error()
		}
		return true, ""
	})
	require.Len(t, w.fake.Calls(componentTokenPath), 1)
	require.Empty(t, w.fake.Unknown())
	stop()
	requireNoSecrets(t, w, o)
}

func TestFromLinkToReleaseByCloudToken(t *testing.T) {
	t.Parallel()
	const shop = "wxshop00000000001"
	file := filepath.Join(t.TempDir(), "cloudbase_access_token")
	w := newWorld(t, nil, cloudRun)
	w.env["WX_MODE"], w.env["WX_COMPONENT_TRANSPORT"], w.env["WX_CLOUD_TOKEN_FILE"] = "cloudrun", "cloudtoken", file
	w.addMerchant(shop, nil)
	w.fake.Set(func(s *wechatfake.Settings) { s.OpenAPIWhitelist = wechat.PlatformPaths() })
	stop := w.start()
	o := newOperator(t, w.base)
	o.signIn()

	status, err := o.try(t.Context(), http.MethodGet, "/component/domains", nil, new([]byte))
	require.Equal(t, http.StatusBadGateway, status)
	require.ErrorContains(t, err, file, "what is missing is named")
	_, find := o.check()
	ok, text := find("cloud_token")
	require.False(t, ok)
	require.Contains(t, text, file)

	_, err = w.fake.PushCloudToken(file)
	require.NoError(t, err)
	_, find = o.check()
	ok, text = find("cloud_token")
	require.True(t, ok, text)
	o.bind(shop)
	template := addTemplate(o)

	w.fake.EndCloudTokens() // half an hour passes, in which the file was renewed
	_, err = w.fake.PushCloudToken(file)
	require.NoError(t, err)
	o.call(http.MethodGet, "/component/domains", nil, nil)
	o.call(http.MethodPost, "/rollouts", rolloutBody(template, shop), nil)
	o.waitSubmission(shop, "auditing")
	require.NoError(t, w.fake.Approve(shop))
	o.waitSubmission(shop, "released")
	require.Empty(t, w.fake.Calls(componentTokenPath))
	by := platformCalls(w.fake)
	require.Equal(t, []string{wechatfake.ViaCloudToken}, slices.Collect(maps.Keys(by)), "%v", by)
	for _, call := range w.fake.Calls("") {
		require.NotContains(t, []int{40001, 42001}, call.ErrCode, "the file is read for each call")
	}
	require.Empty(t, w.fake.Unknown())
	stop()
	requireNoSecrets(t, w, o)
}

func TestRefusedAddressIsShownUntilItIsTaken(t *testing.T) {
	t.Parallel()
	w := newWorld(t, nil)
	w.start()
	o := newOperator(t, w.base)
	o.signIn()
	w.fake.PushTicket()
	var c struct {
		Ticket  struct{ Present bool }
		Refused []struct{ Address, Path string } `json:"refused_addresses"`
	}
	eventually(t, "ticket", func() (bool, string) {
		_, err := o.try(t.Context(), http.MethodGet, "/component", nil, &c)
		return err == nil && c.Ticket.Present, "no ticket"
	})
	require.Empty(t, c.Refused)
	o.call(http.MethodGet, "/component/domains", nil, nil)

	w.fake.Set(func(s *wechatfake.Settings) { s.IPWhitelist = []string{"203.0.113.9"} })
	status, err := o.try(t.Context(), http.MethodGet, "/component/domains", nil, new([]byte))
	require.Equal(t, http.StatusBadGateway, status)
	require.ErrorContains(t, err, "把 IP 127.0.0.1 加入", "the operator reads which address to add")
	_, find := o.check()
	ok, text := find("ip_whitelist")
	require.False(t, ok)
	require.Contains(t, text, "127.0.0.1")
	o.call(http.MethodGet, "/component", nil, &c)
	require.Len(t, c.Refused, 1)
	require.Equal(t, "127.0.0.1", c.Refused[0].Address)

	w.fake.Set(func(s *wechatfake.Settings) { s.IPWhitelist = []string{"127.0.0.1"} })
	_, find = o.check()
	ok, text = find("ip_whitelist")
	require.True(t, ok, text)
	o.call(http.MethodGet, "/component", nil, &c)
	require.Empty(t, c.Refused)
}
