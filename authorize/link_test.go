package authorize

import (
	"bytes"
	"image/png"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/wxsteward/wxsteward/component"
	"github.com/wxsteward/wxsteward/internal/wechat/wechatfake"
	"github.com/wxsteward/wxsteward/internal/wechat/wechattest"
)

func TestLaunchURL(t *testing.T) {
	t.Parallel()
	e := newEnv(t, idle(true))
	e.MPBaseURL, e.OpenBaseURL = "http://localhost:8080/simulator", "http://localhost:8080/simulator"
	redirect := url.QueryEscape(e.url + "/authorize/abc/callback")
	for _, c := range []struct {
		name     string
		link     Link
		inWeChat bool
		want     string
	}{
		{
			"a desktop gets the PC page",
			Link{ID: "abc", Kind: "official"},
			false,
			"/cgi-bin/componentloginpage?component_appid=" + wechattest.ComponentAppID + "&pre_auth_code=preauthcode%40%40%40x&redirect_uri=" + redirect + "&auth_type=1",
		},
		{
			"WeChat's browser gets the H5 page",
			Link{ID: "abc", Kind: "miniprogram"},
			true,
			"/wxaopen/safe/bindcomponent?action=bindcomponent&no_scan=1&component_appid=" + wechattest.ComponentAppID +
				"&pre_auth_code=preauthcode%40%40%40x&redirect_uri=" + redirect + "&auth_type=2#wechat_redirect",
		},
		{
			"account and permission sets are told",
			Link{ID: "abc", Kind: "any", AppID: "wx1", FuncScopes: []int{18, 30}},
			false,
			"/cgi-bin/componentloginpage?component_appid=" + wechattest.ComponentAppID + "&pre_auth_code=preauthcode%40%40%40x&redirect_uri=" + redirect +
				"&auth_type=3&biz_appid=wx1&category_id_list=18%7C30",
		},
	} {
		require.Equal(t, "http://localhost:8080/simulator"+c.want, e.launchURL(c.link, "preauthcode@@@x", c.inWeChat), c.name)
	}
}

func TestLaunchPage(t *testing.T) {
	e := newEnv(t, idle(true))
	require.NoError(t, e.component.Change(t.Context(), component.Change{Name: new(`好店 <b>&"助手"`)}, "test"))
	l := e.link(NewLink{BizID: `shop <script>1</script>`, FuncScopes: []int{18, 4711}})

	t.Run("looking is not opening", func(t *testing.T) {
		e.t = t
		require.Equal(t, http.StatusOK, e.do(http.MethodHead, "/authorize/"+l.ID, onDesktop).status)
		require.Equal(t, http.StatusServiceUnavailable, e.get("/authorize/"+l.ID, onDesktop, "Sec-Purpose", "prefetch;prerender").status)
		p := e.get("/authorize/"+l.ID+"/qr.png", onDesktop)
		require.Equal(t, http.StatusOK, p.status)
		image, err := png.Decode(bytes.NewReader([]byte(p.body)))
		require.NoError(t, err)
		require.Greater(t, image.Bounds().Dx(), 200)
		require.JSONEq(t, `{"status":"pending","open":true,"error":""}`, e.get("/authorize/"+l.ID+"/state", onDesktop).body)
		require.Equal(t, linkPending, e.reread(l).Status)
		require.Empty(t, e.wechat.Fake.Calls(pathPreAuth))
	})
	t.Run("it says who asks for what, in Chinese", func(t *testing.T) {
		e.t = t
		p := e.get("/authorize/"+l.ID, onDesktop, "Accept-Language", "zh-CN,zh;q=0.9,en;q=0.5")
		require.Equal(t, http.StatusOK, p.status)
		require.Equal(t, "strict-origin-when-cross-origin", p.header.Get("Referrer-Policy"))
		require.Equal(t, "no-store", p.header.Get("Cache-Control"))
		require.Contains(t, p.header.Get("Content-Security-Policy"), "script-src 'self'")
		require.Contains(t, p.body, "好店 &lt;b&gt;&amp;&#34;助手&#34; 申请管理您的账号")
		require.Contains(t, p.body, "shop &lt;script&gt;")
		require.Contains(t, p.body, "小程序开发与数据分析")
		require.Contains(t, p.body, "权限集 4711")
		require.Contains(t, p.body, l.ID+"/qr.png")
		require.NotContains(t, p.body, "<script>")
		require.NotContains(t, p.body, "style=")
		way := e.way(p.body)
		require.Equal(t, "/cgi-bin/componentloginpage", way.Path)
		require.Equal(t, "18|4711", way.Query().Get("category_id_list"))
		require.Equal(t, linkOpened, e.reread(l).Status)
		require.NotNil(t, e.reread(l).OpenedAt)
	})
	t.Run("in English and in WeChat", func(t *testing.T) {
		e.t = t
		p := e.get("/authorize/"+l.ID, inWeChat, "Accept-Language", "en-GB")
		require.Contains(t, p.body, "asks to manage your account")
		require.NotContains(t, p.body, "qr.png")
		require.Equal(t, "/wxaopen/safe/bindcomponent", e.way(p.body).Path)
		require.Equal(t, "wechat_redirect", e.way(p.body).Fragment)
	})
	t.Run("each visit has a pre-auth code of its own", func(t *testing.T) {
		e.t = t
		require.NotEqual(t, e.open(l).Query().Get("pre_auth_code"), e.open(l).Query().Get("pre_auth_code"))
	})
	t.Run("WeChat's page accepts it", func(t *testing.T) {
		e.t = t
		e.merchant("wxaccepts00000001")
		p := e.get(e.open(e.link(NewLink{})).String(), onDesktop, "Referer", e.url+"/")
		require.Contains(t, p.body, `id="consent"`)
	})
	t.Run("script and style are there", func(t *testing.T) {
		e.t = t
		for _, name := range []string{"page.css", "page.js"} {
			require.Equal(t, http.StatusOK, e.get(e.path("assets", assetVersion(), name), onDesktop).status)
		}
		require.Equal(t, http.StatusNotFound, e.get("/authorize/assets/x/launch.html", onDesktop).status)
	})
	t.Run("too many visits are turned away", func(t *testing.T) {
		e.t = t
		e.linkOpens = newLimiter(1, time.Hour, e.Now)
		e.open(l)
		p := e.get("/authorize/"+l.ID, onDesktop)
		require.Equal(t, http.StatusTooManyRequests, p.status)
		require.NotEmpty(t, p.header.Get("Retry-After"))
	})
}

func TestLinksThatAreOver(t *testing.T) {
	t.Parallel()
	e := newEnv(t)
	used := e.link(NewLink{BizID: "b", SingleUse: true})
	appid := e.merchant("wxover00000000001")
	e.agree(used, appid, wechatfake.OrderEvent)
	revoked := e.link(NewLink{SingleUse: true})
	require.NoError(t, e.RevokeLink(t.Context(), revoked.ID))
	require.NoError(t, e.RevokeLink(t.Context(), revoked.ID), "twice is no error")
	expired := e.link(NewLink{TTL: time.Minute})
	openedInTime, openedToo := e.link(NewLink{BizID: "late", TTL: time.Minute}), e.link(NewLink{BizID: "later", TTL: time.Minute})
	way, wayToo := e.open(openedInTime).Query(), e.open(openedToo).Query()
	e.until("the link is used", func() bool { return e.reread(used).Status == linkAuthorized })
	e.ahead.Add(int64(2 * time.Minute))

	for _, c := range []struct {
		link   Link
		status string
		says   string
	}{
		{used, linkAuthorized, "这个链接已完成授权"},
		{revoked, linkRevoked, "授权链接已撤销"},
		{expired, linkExpired, "授权链接已过期"},
	} {
		require.Equal(t, c.status, e.reread(c.link).Status)
		p := e.get("/authorize/"+c.link.ID, onDesktop)
		require.Equal(t, http.StatusGone, p.status)
		require.Contains(t, p.body, c.says)
		require.NotContains(t, p.body, `id="go"`)
		require.Equal(t, http.StatusGone, e.do(http.MethodHead, "/authorize/"+c.link.ID, onDesktop).status)
		p = e.callback(c.link, "queryauthcode@@@made-up")
		require.Equal(t, http.StatusGone, p.status)
	}
	_, calls := e.exchanged()
	require.Equal(t, 1, calls, "no code was sent for a link that is over")
	require.Equal(t, http.StatusNotFound, e.get("/authorize/nosuchlink", onDesktop).status)
	require.Equal(t, http.StatusNotFound, e.get("/authorize/"+strings.Repeat("a", 65), onDesktop).status)

	// A consent that began in time counts, by redirect and by event.
	for i, q := range []url.Values{way, wayToo} {
		order := []string{wechatfake.OrderRedirect, wechatfake.OrderEvent}[i]
		id := e.merchant([]string{"wxover00000000002", "wxover00000000003"}[i])
		_, err := e.wechat.Fake.AuthorizeMerchant(id, wechatfake.Authorize{PreAuthCode: q.Get("pre_auth_code"), RedirectURI: q.Get("redirect_uri"), Order: order})
		require.NoError(t, err)
		l := []Link{openedInTime, openedToo}[i]
		e.until("the merchant is bound", func() bool { return e.reread(l).Status == linkAuthorized })
		e.bound(id, l.BizID)
	}
}

// TestRevokedDuringConsent: the authorization stands, WeChat says so, but nothing is bound by a link taken back.
func TestRevokedDuringConsent(t *testing.T) {
	t.Parallel()
	e := newEnv(t)
	l := e.link(NewLink{BizID: "b"})
	appid := e.merchant("wxrevoked00000001")
	q := e.open(l).Query()
	require.NoError(t, e.RevokeLink(t.Context(), l.ID))
	_, err := e.wechat.Fake.AuthorizeMerchant(appid, wechatfake.Authorize{PreAuthCode: q.Get("pre_auth_code"), RedirectURI: q.Get("redirect_uri"), Order: wechatfake.OrderEvent})
	require.NoError(t, err)
	e.until("the merchant is there", func() bool { _, err := e.Get(t.Context(), appid); return err == nil })
	e.bound(appid)
	require.Equal(t, linkRevoked, e.reread(l).Status)
	require.Contains(t, e.reread(l).Error("en"), "revoked")
}

func TestUseOfLinks(t *testing.T) {
	t.Parallel()
	e := newEnv(t)
	authorize := func(q url.Values, appid string) {
		_, err := e.wechat.Fake.AuthorizeMerchant(appid, wechatfake.Authorize{PreAuthCode: q.Get("pre_auth_code"), Order: wechatfake.OrderEvent})
		require.NoError(t, err)
		e.until("the merchant is there", func() bool { _, err := e.Get(t.Context(), appid); return err == nil })
		e.settled()
	}
	a, b, c := e.merchant("wxuse000000000001"), e.merchant("wxuse000000000002"), e.merchant("wxuse000000000003")

	once := e.link(NewLink{BizID: "once", SingleUse: true})
	first, second := e.open(once).Query(), e.open(once).Query()
	authorize(first, a)
	authorize(second, b)
	e.bound(a, "once")
	e.bound(b)
	require.Equal(t, a, e.reread(once).AuthorizerAppID)
	require.Contains(t, e.reread(once).Error("en"), "used by another account")

	many := e.link(NewLink{BizID: "many"})
	authorize(e.open(many).Query(), c)
	p := e.callback(many, e.agree(many, a, noOrder).Code)
	require.Equal(t, http.StatusOK, p.status)
	require.Contains(t, p.body, "授权成功")
	e.bound(a, "once", "many")
	e.bound(c, "many")
	require.Equal(t, a, e.reread(many).AuthorizerAppID, "the last")

	// Two links for one merchant add up.
	more := e.link(NewLink{BizID: "more", SingleUse: true})
	require.Equal(t, http.StatusOK, e.callback(more, e.agree(more, c, noOrder).Code).status)
	e.bound(c, "many", "more")
}

func TestLinkForManyEndsInTime(t *testing.T) {
	t.Parallel()
	e := newEnv(t)
	first, late := e.merchant("wxmany00000000001"), e.merchant("wxmany00000000002")
	many := e.link(NewLink{BizID: "many", TTL: time.Minute})
	require.Equal(t, http.StatusOK, e.callback(many, e.agree(many, first, noOrder).Code).status)
	begun := e.agree(many, late, noOrder).Code // by somebody who opened it in time
	e.ahead.Add(int64(2 * time.Minute))
	e.wechat.Fake.PushTicket()
	p := e.get("/authorize/"+many.ID, onDesktop)
	require.Equal(t, http.StatusGone, p.status)
	require.Contains(t, p.body, "授权链接已过期")
	require.NotContains(t, p.body, first, "nobody hears who used it before")
	require.Equal(t, http.StatusOK, e.callback(many, begun).status)
	e.bound(late, "many")

	later := e.merchant("wxmany00000000003")
	given, err := e.wechat.Fake.AuthorizeMerchant(later, wechatfake.Authorize{Order: wechatfake.OrderRedirect})
	require.NoError(t, err)
	e.ahead.Add(int64(2 * time.Hour))
	e.wechat.Fake.PushTicket()
	require.Equal(t, http.StatusGone, e.callback(many, given.Code).status)
	require.Zero(t, e.count(`SELECT count(*) FROM authorizer_biz_id WHERE appid = $1`, later))
}

func TestLinkForOneAccount(t *testing.T) {
	t.Parallel()
	e := newEnv(t)
	right, wrong := e.merchant("wxright0000000001"), e.merchant("wxwrong0000000001")
	l := e.link(NewLink{BizID: "b", AppID: right, SingleUse: true})
	require.Equal(t, right, e.open(l).Query().Get("biz_appid"))
	p := e.callback(l, e.agree(l, wrong, noOrder).Code)
	require.Equal(t, http.StatusConflict, p.status)
	require.Contains(t, p.body, "不是这个链接指定的账号")
	e.bound(wrong)
	require.Equal(t, linkOpened, e.reread(l).Status)
	require.Equal(t, http.StatusOK, e.callback(l, e.agree(l, right, noOrder).Code).status)
	e.bound(right, "b")
}

func TestNoTicketYet(t *testing.T) {
	t.Parallel()
	e := newEnv(t, idle(true))
	l := e.link(NewLink{})
	_, err := e.pool.Exec(t.Context(), `DELETE FROM component_ticket; DELETE FROM token`)
	require.NoError(t, err)
	p := e.get("/authorize/"+l.ID, onDesktop)
	require.Equal(t, http.StatusServiceUnavailable, p.status)
	require.Contains(t, p.body, "暂时无法打开微信授权")
	require.Contains(t, p.body, "ticket")
	require.Equal(t, "30", p.header.Get("Refresh"))
	require.Equal(t, linkPending, e.reread(l).Status)
}

func TestWeChatIsAway(t *testing.T) {
	t.Parallel()
	e := newEnv(t, idle(true))
	l := e.link(NewLink{})
	for _, f := range []wechatfake.Fault{
		{Path: pathPreAuth, Mode: wechatfake.FaultHTTP},
		{Path: pathPreAuth, Mode: wechatfake.FaultGarbage},
		{Path: pathPreAuth, Mode: wechatfake.FaultErrcode, Code: 61004},
	} {
		_, err := e.wechat.Fake.FailNext(f)
		require.NoError(t, err)
		p := e.get("/authorize/"+l.ID, onDesktop, "Accept-Language", "en")
		require.Equal(t, http.StatusServiceUnavailable, p.status)
		require.Contains(t, p.body, "cannot be opened now")
	}
	e.open(l)
}
