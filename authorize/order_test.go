package authorize

import (
	"fmt"
	"net/http"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/wxsteward/wxsteward/internal/wechat/wechatfake"
)

// TestOneExchangeOneBinding plays redirect and event in all orders and at once, 100 times each, and each of them alone.
func TestOneExchangeOneBinding(t *testing.T) {
	e := newEnv(t)
	for _, order := range []string{
		wechatfake.OrderBoth, wechatfake.OrderEventFirst, wechatfake.OrderRedirectFirst, wechatfake.OrderEvent, wechatfake.OrderRedirect,
	} {
		t.Run(order, func(t *testing.T) {
			e.t = t
			n := 100
			if testing.Short() {
				n = 10
			}
			before, _ := e.exchanged()
			came := e.callbacks()
			e.wechat.Fake.ClearCalls()
			ids := appids(fmt.Sprintf("%02x", len(order)), n)
			links := make([]Link, n)
			for i, appid := range ids {
				e.merchant(appid)
				links[i] = e.link(NewLink{BizID: "biz-" + appid})
			}
			var all sync.WaitGroup
			free := make(chan struct{}, 12)
			for i, appid := range ids {
				free <- struct{}{}
				all.Go(func() {
					defer func() { <-free }()
					e.agree(links[i], appid, order)
				})
			}
			all.Wait()
			e.until("all links are authorized", func() bool {
				return e.count(`SELECT count(*) FROM authorization_link WHERE status = 'authorized' AND authorizer_appid = ANY($1)`, ids) == n
			})
			redirects, pushes := n, n
			switch order {
			case wechatfake.OrderEvent:
				redirects = 0
			case wechatfake.OrderRedirect:
				pushes = 0
			}
			e.until("all redirects and events have come", func() bool {
				return e.callbacks() == came+redirects &&
					e.count(`SELECT count(*) FROM message WHERE info_type = 'authorized' AND appid = ANY($1)`, ids) == pushes
			})
			e.settled()

			effective, calls := e.exchanged()
			require.Equal(t, n, effective-before, "codes exchanged")
			require.Equal(t, n, calls, "calls of api_query_auth")
			require.Equal(t, n, e.count(`SELECT count(*) FROM authorizer_biz_id WHERE appid = ANY($1)`, ids))
			require.Equal(t, n, e.count(`SELECT count(*) FROM authorization_exchange WHERE appid = ANY($1) AND state = 'done' AND code IS NULL`, ids))
			for i, appid := range ids {
				l := e.reread(links[i])
				require.Equal(t, linkAuthorized, l.Status)
				require.Equal(t, appid, l.AuthorizerAppID)
				a := e.bound(appid, "biz-"+appid)
				require.Equal(t, "店 "+appid, a.NickName)
				require.Equal(t, "miniprogram", a.Kind)
			}
		})
	}
	e.t = t
	require.Empty(t, e.wechat.Fake.Unknown())
	for _, secret := range e.wechat.Fake.Secrets() {
		require.NotContains(t, e.log.String(), secret)
	}
}

// TestSameCodeAtOnce brings one code by many redirects and the event at the same moment.
func TestSameCodeAtOnce(t *testing.T) {
	e := newEnv(t)
	for i := range 20 {
		appid := e.merchant(fmt.Sprintf("wxsame%010d", i))
		l := e.link(NewLink{BizID: "b"})
		q := e.open(l).Query()
		given, err := e.wechat.Fake.AuthorizeMerchant(appid, wechatfake.Authorize{
			PreAuthCode: q.Get("pre_auth_code"), RedirectURI: q.Get("redirect_uri"), Order: wechatfake.OrderBoth,
		})
		require.NoError(t, err)
		var all sync.WaitGroup
		for range 5 {
			all.Go(func() {
				p := e.callback(l, given.Code)
				if p.status != http.StatusOK {
					t.Errorf("callback answered %d: %s", p.status, p.body)
				}
			})
		}
		all.Wait()
		e.settled()
		e.bound(appid, "b")
	}
	effective, calls := e.exchanged()
	require.Equal(t, 20, effective)
	require.Equal(t, 20, calls)
}
