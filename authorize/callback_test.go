package authorize

import (
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/wxsteward/wxsteward/component"
	"github.com/wxsteward/wxsteward/internal/sealed"
	"github.com/wxsteward/wxsteward/internal/wechat/wechatfake"
)

func TestReturnURL(t *testing.T) {
	t.Parallel()
	const added = "link_id=l1&status=authorized&biz_id=b%261&appid=wx1"
	for _, c := range []struct{ name, in, want string }{
		{"without a query", "https://a.com/done", "https://a.com/done?" + added},
		{"a query is kept as it is", "https://a.com/d?x=%7e1&y=a+b&x=2", "https://a.com/d?x=%7e1&y=a+b&x=2&" + added},
		{"a fragment stays at the end", "https://a.com/#/spa?k=v", "https://a.com/?" + added + "#/spa?k=v"},
		{"old outcomes are replaced", "https://a.com/?status=ok&a=1&appid=x&biz%5Fid=7", "https://a.com/?a=1&" + added},
	} {
		got, err := returnURL(c.in, "l1", "authorized", "b&1", "wx1")
		require.NoError(t, err)
		require.Equal(t, c.want, got, c.name)
	}
}

func TestReturnToTheBusinessSystem(t *testing.T) {
	t.Parallel()
	e := newEnv(t)
	allow := func(entries ...string) {
		require.NoError(t, e.component.Change(t.Context(), component.Change{ReturnURLAllowlist: &entries}, "test"))
	}
	allow("https://shop.example.com/back")
	for _, bad := range []string{
		"https://evil.example.com/back", "https://shop.example.com.evil.com/back", "https://shop.example.com@evil.com/back",
		`https://shop.example.com\@evil.com/back`, "//evil.com", "javascript:alert(1)", "https://shop.example.com/other", "http://shop.example.com/back",
		"https://shop.example.com/back/../other",
	} {
		_, err := e.CreateLink(t.Context(), NewLink{BizID: "b", Kind: "any", ReturnURL: bad})
		require.Error(t, err, bad)
	}
	appid := e.merchant("wxreturn000000001")
	l := e.link(NewLink{BizID: "b", ReturnURL: "https://shop.example.com/back?tab=2", SingleUse: true})
	given := e.agree(l, appid, noOrder)
	p := e.callback(l, given.Code)
	require.Equal(t, http.StatusSeeOther, p.status)
	require.Equal(t, "https://shop.example.com/back?tab=2&link_id="+l.ID+"&status=authorized&biz_id=b&appid="+appid, p.header.Get("Location"))
	require.Equal(t, "strict-origin-when-cross-origin", p.header.Get("Referrer-Policy"))

	allow("https://other.example.com")
	p = e.callback(l, given.Code)
	require.Equal(t, http.StatusOK, p.status, "no longer allowed: our own page")
	require.Contains(t, p.body, "授权成功")
	require.Contains(t, p.body, appid)
}

func TestCallbackWithoutACode(t *testing.T) {
	t.Parallel()
	e := newEnv(t, idle(true))
	l := e.link(NewLink{})
	e.open(l)
	for _, query := range []string{
		"", "?auth_code=", "?auth_code=" + strings.Repeat("x", 2000), "?auth_code=a%00b", "?auth_code=%ff%fe", "?auth_code=a+b", "?code=x&expires_in=600",
		"?auth_code=%e4%bd%a0",
	} {
		p := e.get("/authorize/"+l.ID+"/callback"+query, onDesktop)
		require.Equal(t, http.StatusBadRequest, p.status, query)
		require.Contains(t, p.body, "没有收到授权结果")
		require.Contains(t, p.body, `id="retry"`)
	}
	require.Zero(t, e.count(`SELECT count(*) FROM authorization_exchange`))
	require.Equal(t, http.StatusNotFound, e.get("/authorize/nosuch/callback?auth_code=x", onDesktop).status)
}

func TestForgedCodes(t *testing.T) {
	t.Parallel()
	e := newEnv(t)
	l := e.link(NewLink{BizID: "b", ReturnURL: "", SingleUse: true})
	p := e.callback(l, "queryauthcode@@@forged")
	require.Equal(t, http.StatusBadRequest, p.status)
	require.Contains(t, p.body, "微信不认可这个授权码")
	require.Contains(t, p.body, "errcode 61009")
	require.Contains(t, p.body, `id="retry"`)
	require.Equal(t, linkPending, e.reread(l).Status)

	limited := 0
	for i := range 60 {
		if e.callback(l, fmt.Sprintf("forged-%d", i)).status == http.StatusTooManyRequests {
			limited++
		}
	}
	require.Positive(t, limited)
	_, calls := e.exchanged()
	require.LessOrEqual(t, calls, maxFailedCodes)
	require.LessOrEqual(t, e.count(`SELECT count(*) FROM authorization_exchange`), maxFailedCodes)

	// The real merchant is not kept out: its event counts, whatever strangers do with the link.
	appid := e.merchant("wxforged000000001")
	given := e.agree(l, appid, wechatfake.OrderEvent)
	e.until("the merchant is bound", func() bool { return e.reread(l).Status == linkAuthorized })
	require.Equal(t, http.StatusOK, e.callback(l, given.Code).status)
	e.bound(appid, "b")

	// And the window moves on.
	other := e.link(NewLink{BizID: "c"})
	for i := range 20 {
		e.callback(other, fmt.Sprintf("forged-again-%d", i))
	}
	e.ahead.Add(int64(unprovenWindow + time.Minute))
	require.Equal(t, http.StatusOK, e.callback(other, e.agree(other, appid, noOrder).Code).status)
	e.bound(appid, "b", "c")
}

func TestOneAddressCannotTryForever(t *testing.T) {
	t.Parallel()
	e := newEnv(t)
	e.callbacksLimit(3)
	for i := range 3 {
		require.Equal(t, http.StatusBadRequest, e.callback(e.link(NewLink{}), fmt.Sprintf("forged-%d", i)).status)
	}
	l := e.link(NewLink{})
	require.Equal(t, http.StatusTooManyRequests, e.callback(l, "forged-9").status)
	require.Equal(t, 3, e.count(`SELECT count(*) FROM authorization_exchange`))

	// Codes that prove good do not count.
	e.callbacksLimit(2)
	for i := range 5 {
		l := e.link(NewLink{BizID: fmt.Sprint("b", i)})
		require.Equal(t, http.StatusOK, e.callback(l, e.agree(l, e.merchant(fmt.Sprintf("wxgood%011d", i)), noOrder).Code).status)
	}
}

func (e *env) callbacksLimit(n int) { e.Service.callbacks = newLimiter(n, time.Hour, e.Now) }

func TestUsedCodes(t *testing.T) {
	t.Parallel()
	e := newEnv(t)
	mine, theirs := e.link(NewLink{BizID: "mine"}), e.link(NewLink{BizID: "theirs"})
	appid := e.merchant("wxused00000000001")
	given := e.agree(mine, appid, noOrder)
	require.Equal(t, http.StatusOK, e.callback(mine, given.Code).status)
	require.Equal(t, http.StatusOK, e.callback(mine, given.Code).status, "reloading the page is no error")

	p := e.callback(theirs, given.Code)
	require.Equal(t, http.StatusConflict, p.status)
	require.Contains(t, p.body, "属于另一个授权链接")
	require.Equal(t, linkPending, e.reread(theirs).Status)
	e.bound(appid, "mine")
	_, calls := e.exchanged()
	require.Equal(t, 1, calls)
}

// TestCarriedCode: somebody takes a good code to another link before its own redirect; WeChat's event puts it right.
func TestCarriedCode(t *testing.T) {
	t.Parallel()
	for _, eventFirst := range []bool{false, true} {
		t.Run(fmt.Sprintf("event first %v", eventFirst), func(t *testing.T) {
			t.Parallel()
			e := newEnv(t)
			victim, own := e.link(NewLink{BizID: "victim", SingleUse: true}), e.link(NewLink{BizID: "own", SingleUse: true})
			appid := e.merchant("wxcarried00000001")
			q := e.open(own).Query()
			given, err := e.wechat.Fake.AuthorizeMerchant(appid, wechatfake.Authorize{PreAuthCode: q.Get("pre_auth_code"), Order: wechatfake.OrderRedirect})
			require.NoError(t, err)
			event := func() {
				_, err := e.receive(t.Context(), arrival{
					code: sealed.New(given.Code), linkID: own.ID, expiresAt: e.Now().Add(codeLife), event: true, appid: appid, eventAt: e.Now(),
				})
				require.NoError(t, err)
				e.settled()
			}
			if eventFirst {
				event()
				require.Equal(t, http.StatusConflict, e.callback(victim, given.Code).status)
			} else {
				require.Equal(t, http.StatusOK, e.callback(victim, given.Code).status)
				e.bound(appid, "victim")
				event()
				require.Equal(t, linkOpened, e.reread(victim).Status)
				require.NotEmpty(t, e.reread(victim).Error("en"))
			}
			e.bound(appid, "own")
			require.Equal(t, linkAuthorized, e.reread(own).Status)
			_, calls := e.exchanged()
			require.Equal(t, 1, calls)
		})
	}
}

// TestRedirectTellsTheLinkOfAnEvent: the event's pre-auth code is not one of ours, so only the redirect knows the link.
func TestRedirectTellsTheLinkOfAnEvent(t *testing.T) {
	t.Parallel()
	e := newEnv(t)
	l := e.link(NewLink{BizID: "b"})
	appid := e.merchant("wxunknown00000001")
	given, err := e.wechat.Fake.AuthorizeMerchant(appid, wechatfake.Authorize{Order: wechatfake.OrderEvent})
	require.NoError(t, err)
	e.until("the merchant is there", func() bool { _, err := e.Get(t.Context(), appid); return err == nil })
	e.bound(appid)
	require.Equal(t, http.StatusOK, e.callback(l, given.Code).status)
	e.bound(appid, "b")
	_, calls := e.exchanged()
	require.Equal(t, 1, calls)
}

func TestTestAccountsAreNoMerchants(t *testing.T) {
	t.Parallel()
	e := newEnv(t)
	appid := e.merchant("wxd101a85aa106f53e")
	l := e.link(NewLink{BizID: "b"})
	e.agree(l, appid, wechatfake.OrderEvent)
	e.until("the event has come", func() bool {
		return e.count(`SELECT count(*) FROM message WHERE info_type = 'authorized' AND state = 'handled'`) == 1
	})
	_, calls := e.exchanged()
	require.Zero(t, calls, "its code belongs to the check")
	p := e.callback(l, e.agree(l, appid, noOrder).Code)
	require.Equal(t, http.StatusConflict, p.status)
	require.Zero(t, e.count(`SELECT count(*) FROM authorizer`))
	require.Zero(t, e.count(`SELECT count(*) FROM token WHERE key LIKE 'authorizer:%'`))
}

func TestReturnQuery(t *testing.T) {
	t.Parallel()
	u, err := url.Parse("https://a.com/?auth_code=theirs")
	require.NoError(t, err)
	got, err := returnURL(u.String(), "l", "opened", "b", "")
	require.NoError(t, err)
	require.Equal(t, "https://a.com/?auth_code=theirs&link_id=l&status=opened&biz_id=b&appid=", got)
}
