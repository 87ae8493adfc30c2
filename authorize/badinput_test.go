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
	"github.com/wxsteward/wxsteward/internal/wechat/wechatfake"
)

func TestReturnURLsThatAreRefused(t *testing.T) {
	e := newEnv(t, idle(true))
	e.allow("https://shop.example.com/Back")
	for _, c := range []struct {
		name, url string
		taken     bool
	}{
		{"the allowed place itself", "https://shop.example.com/Back", true},
		{"below it, with a query", "https://shop.example.com/Back/x?y=1#z", true},
		{"host and scheme in mixed case, which mean the same", "HTTPS://Shop.EXAMPLE.com/Back", true},
		{"path in mixed case, which means another", "https://shop.example.com/back", false},
		{"outside the allowlist", "https://evil.example.com/Back", false},
		{"a host that begins alike", "https://shop.example.com.evil.com/Back", false},
		{"the other scheme", "http://shop.example.com/Back", false},
		{"another port", "https://shop.example.com:8443/Back", false},
		{"credentials before the right host", "https://user:pass@shop.example.com/Back", false},
		{"the right host as credentials", "https://shop.example.com@evil.com/Back", false},
		{"javascript", "javascript:alert(1)", false},
		{"javascript in mixed case", "JaVaScRiPt:alert(1)//https://shop.example.com/Back", false},
		{"data", "data:text/html,<script>1</script>", false},
		{"protocol-relative", "//shop.example.com/Back", false},
		{"protocol-relative with backslashes", `\\shop.example.com\Back`, false},
		{"a path of our own", "/admin/", false},
		{"a line break", "https://shop.example.com/Back\r\nX: y", false},
		{"dots that lead out", "https://shop.example.com/Back/../admin", false},
		{"escaped dots that lead out", "https://shop.example.com/Back/%2e%2e/admin", false},
	} {
		t.Run(c.name, func(t *testing.T) {
			e.t = t
			status, got := e.api(http.MethodPost, "/authorization-links", map[string]any{"biz_id": "b", "kind": "any", "return_url": c.url})
			if c.taken {
				require.Equal(t, http.StatusCreated, status, got)
				return
			}
			require.Equal(t, http.StatusUnprocessableEntity, status, got)
			require.Equal(t, "validation", got["code"])
			require.Equal(t, "body.return_url", got["errors"].([]any)[0].(map[string]any)["location"])
		})
	}
	require.Equal(t, 3, e.count(`SELECT count(*) FROM authorization_link`))
}

func TestCallbacksThatAreRefused(t *testing.T) {
	e := newEnv(t)
	appid := e.merchant("wxbadcall00000001")

	t.Run("without a code", func(t *testing.T) {
		e.t = t
		p := e.get("/authorize/"+e.link(NewLink{}).ID+"/callback?expires_in=600", onDesktop)
		require.Equal(t, http.StatusBadRequest, p.status)
		require.Contains(t, p.body, "没有收到授权结果")
	})
	t.Run("twice is the same answer and one exchange", func(t *testing.T) {
		e.t = t
		l := e.link(NewLink{BizID: "twice", SingleUse: true})
		given := e.agree(l, appid, noOrder)
		before, _ := e.exchanged()
		first, second := e.callback(l, given.Code), e.callback(l, given.Code)
		require.Equal(t, http.StatusOK, first.status)
		require.Equal(t, http.StatusOK, second.status)
		after, _ := e.exchanged()
		require.Equal(t, before+1, after)
		e.bound(appid, "twice")
	})
	t.Run("for a revoked link", func(t *testing.T) {
		e.t = t
		l := e.link(NewLink{BizID: "revoked", SingleUse: true})
		given := e.agree(l, appid, noOrder)
		require.NoError(t, e.RevokeLink(t.Context(), l.ID))
		before, _ := e.exchanged()
		p := e.callback(l, given.Code)
		require.Equal(t, http.StatusGone, p.status)
		require.Contains(t, p.body, "授权链接已撤销")
		after, _ := e.exchanged()
		require.Equal(t, before, after)
		require.NotContains(t, e.bound(appid, "twice").BizIDs, "revoked")
	})
	t.Run("with someone else's code", func(t *testing.T) {
		e.t = t
		mine, theirs := e.link(NewLink{BizID: "mine", SingleUse: true}), e.link(NewLink{BizID: "theirs", SingleUse: true})
		given := e.agree(theirs, appid, noOrder)
		require.Equal(t, http.StatusOK, e.callback(theirs, given.Code).status)
		p := e.callback(mine, given.Code)
		require.Equal(t, http.StatusConflict, p.status)
		require.Contains(t, p.body, "属于另一个授权链接")
		require.Equal(t, linkPending, e.reread(mine).Status)
		e.bound(appid, "twice", "theirs")
	})
	t.Run("with a code nobody was given", func(t *testing.T) {
		e.t = t
		l := e.link(NewLink{BizID: "forged", SingleUse: true})
		p := e.callback(l, "queryauthcode@@@nobody")
		require.Equal(t, http.StatusBadRequest, p.status)
		require.Contains(t, p.body, "errcode 61009")
		require.Equal(t, linkPending, e.reread(l).Status, "the link stays usable")
	})
}

func TestIDsWithControlCharacters(t *testing.T) {
	t.Parallel()
	e := newEnv(t)
	for _, id := range []string{"a%00b", "a%0ab", "%e2%80%ae", "..%2f..", "A", "%ff"} {
		for _, path := range []string{"", "/go", "/qr.png", "/qr.svg", "/poster", "/state", "/callback?auth_code=x"} {
			require.Equal(t, http.StatusNotFound, e.get("/authorize/"+id+path, onDesktop).status, id+path)
		}
		status, _ := e.api(http.MethodGet, "/authorization-links/"+id, nil)
		require.Equal(t, http.StatusNotFound, status, id)
		status, _ = e.api(http.MethodDelete, "/authorization-links/"+id, nil)
		require.Equal(t, http.StatusNotFound, status, id)
	}
	for name, in := range map[string]map[string]any{
		"biz_id":     {"biz_id": "a\nb", "kind": "any"},
		"biz_id NUL": {"biz_id": "a\x00b", "kind": "any"},
		"appid":      {"biz_id": "b", "kind": "any", "appid": "wx1\x7f"},
		"appid too":  {"biz_id": "b", "kind": "any", "appid": "wx1\u202e"},
		"kind":       {"biz_id": "b", "kind": "any\x00"},
		"kind 7":     {"biz_id": "b", "kind": "7"},
	} {
		status, got := e.api(http.MethodPost, "/authorization-links", in)
		require.Equal(t, http.StatusUnprocessableEntity, status, "%s %v", name, got)
	}
	// Even WeChat's own events may name nonsense.
	for _, id := range []string{"wx\u0000", "wx\n1", strings.Repeat("w", 101)} {
		require.NoError(t, e.HandleMessage(t.Context(), component.Message{
			Channel: component.ChannelComponent, InfoType: "authorized", CreatedAt: e.Now(),
			Body: fmt.Appendf(nil, `{"InfoType":"authorized","AuthorizerAppid":%q,"AuthorizationCode":"queryauthcode@@@x"}`, id),
		}))
	}
	require.Zero(t, e.count(`SELECT count(*) FROM authorization_exchange`))
	for _, appid := range []string{"wx%00", "wx%0a1"} {
		status, _ := e.api(http.MethodGet, "/authorizers/"+appid, nil)
		require.Equal(t, http.StatusNotFound, status)
	}
}

// TestNamesWithEmoji: what WeChat tells about an account is kept as it is and shown escaped.
func TestNamesWithEmoji(t *testing.T) {
	t.Parallel()
	e := newEnv(t)
	const name, userName = "花店🌸<b>👩‍🌾</b>", "gh_🌸0123456789"
	appid := "wxemoji0000000001"
	require.NoError(t, e.wechat.Fake.AddMerchant(wechatfake.Merchant{AppID: appid, NickName: name, UserName: userName}))
	l := e.link(NewLink{BizID: "花店-🌸", SingleUse: true})
	given := e.agree(l, appid, noOrder)
	require.Equal(t, http.StatusOK, e.callback(l, given.Code).status)
	e.settled()
	a := e.bound(appid, "花店-🌸")
	require.Equal(t, name, a.NickName)
	require.Equal(t, userName, a.UserName)
	p := e.callback(l, given.Code)
	require.Contains(t, p.body, "花店🌸&lt;b&gt;👩‍🌾&lt;/b&gt;")
	require.NotContains(t, p.body, "<b>")
	status, got := e.api(http.MethodGet, "/authorizers?q="+url.QueryEscape("🌸"), nil)
	require.Equal(t, http.StatusOK, status)
	require.Len(t, got["items"], 1)
	require.Equal(t, http.StatusOK, e.get("/authorize/"+e.link(NewLink{BizID: "🌸", TTL: time.Hour}).ID+"/poster", onDesktop).status)
}
