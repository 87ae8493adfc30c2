package authorize

import (
	"context"
	"net/http"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/wxsteward/wxsteward/internal/sealed"
	"github.com/wxsteward/wxsteward/internal/wechat/wechatfake"
)

// TestDeathDuringExchange leaves an exchange behind as a killed process does, and lets another one go on with it. taken
// says whether WeChat had got the code before the death.
func TestDeathDuringExchange(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name         string
		event, taken bool
		moreCalls    int // of api_query_auth after the death
		lists        int
	}{
		{name: "event known, code never arrived: it is sent again", event: true, taken: false, moreCalls: 1},
		{name: "event known, code was exchanged: the authorization is read back", event: true, taken: true, moreCalls: 0},
		{name: "redirect only, code never arrived: it is sent again", event: false, taken: false, moreCalls: 1, lists: 1},
		{name: "redirect only, code was exchanged: the only candidate of the list is adopted", event: false, taken: true, moreCalls: 0, lists: 1},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			e := newEnv(t, idle(true))
			appid := e.merchant("wxdeath0000000001")
			l := e.link(NewLink{BizID: "shop-9"})
			given := e.agree(l, appid, noOrder)
			code := sealed.New(given.Code)
			a := arrival{code: code, linkID: l.ID}
			if c.event {
				a.event, a.appid, a.eventAt = true, appid, e.Now().Truncate(time.Second)
			}
			x := e.lost(a)
			if c.taken {
				_, err := e.component.API().QueryAuth(t.Context(), code)
				require.NoError(t, err)
			}
			_, before := e.exchanged()

			again, err := e.work(t.Context(), x.Fingerprint)
			require.NoError(t, err)
			require.Zero(t, again)

			effective, calls := e.exchanged()
			require.Equal(t, 1, effective)
			require.Equal(t, c.moreCalls, calls-before)
			require.Len(t, e.wechat.Fake.Calls(pathList), c.lists)
			require.Equal(t, exchangeDone, e.state(x.Fingerprint).State)
			require.Equal(t, linkAuthorized, e.reread(l).Status)
			require.Contains(t, e.bound(appid, "shop-9").FuncScopes, 18)
		})
	}
}

func TestDeathBeforeTheJob(t *testing.T) {
	t.Parallel()
	e := newEnv(t, idle(true))
	appid := e.merchant("wxdeath0000000002")
	l := e.link(NewLink{})
	given := e.agree(l, appid, noOrder)
	x, err := e.receive(t.Context(), arrival{code: sealed.New(given.Code), linkID: l.ID, expiresAt: e.Now().Add(codeLife)})
	require.NoError(t, err)
	_, err = e.pool.Exec(t.Context(), `DELETE FROM river_job`) // however that came about
	require.NoError(t, err)

	e.ahead.Store(int64(lease + time.Second))
	require.NoError(t, (&sweepWorker{s: e.Service}).Work(t.Context(), nil))
	require.Equal(t, 1, e.count(`SELECT count(*) FROM river_job WHERE kind = 'authorize_exchange' AND args->>'fingerprint' = $1`, x.Fingerprint))
	require.NoError(t, (&sweepWorker{s: e.Service}).Work(t.Context(), nil))
	require.Equal(t, 1, e.count(`SELECT count(*) FROM river_job WHERE kind = 'authorize_exchange'`), "not offered twice")
}

// TestTwoLostExchanges: with two codes whose accounts are unknown, neither is given the other's merchant.
func TestTwoLostExchanges(t *testing.T) {
	t.Parallel()
	e := newEnv(t, idle(true))
	first, second := e.merchant("wxlost00000000001"), e.merchant("wxlost00000000002")
	l1, l2 := e.link(NewLink{BizID: "one"}), e.link(NewLink{BizID: "two"})
	g1, g2 := e.agree(l1, first, noOrder), e.agree(l2, second, noOrder)
	x1 := e.lost(arrival{code: sealed.New(g1.Code), linkID: l1.ID})
	x2 := e.lost(arrival{code: sealed.New(g2.Code), linkID: l2.ID})
	for _, g := range []wechatfake.Authorization{g1, g2} {
		_, err := e.component.API().QueryAuth(t.Context(), sealed.New(g.Code))
		require.NoError(t, err)
	}
	for _, x := range []exchange{x1, x2} {
		again, err := e.work(t.Context(), x.Fingerprint)
		require.NoError(t, err)
		require.NotZero(t, again, "61009 is no error here, the event is waited for")
		require.Equal(t, exchangeSent, e.state(x.Fingerprint).State)
	}
	// The event of the second names its account; then the first is the only one left.
	_, err := e.receive(t.Context(), arrival{
		code: sealed.New(g2.Code), linkID: l2.ID, event: true, appid: second, eventAt: e.Now(), expiresAt: e.Now().Add(codeLife),
	})
	require.NoError(t, err)
	for _, x := range []exchange{x2, x1} {
		again, err := e.work(t.Context(), x.Fingerprint)
		require.NoError(t, err)
		require.Zero(t, again)
	}
	e.bound(first, "one")
	e.bound(second, "two")
	effective, _ := e.exchanged()
	require.Equal(t, 2, effective)
}

func TestLostForGood(t *testing.T) {
	t.Parallel()
	e := newEnv(t, idle(true))
	appid := e.merchant("wxlost00000000003")
	l := e.link(NewLink{BizID: "b"})
	given := e.agree(l, appid, noOrder)
	x := e.lost(arrival{code: sealed.New(given.Code), linkID: l.ID})
	_, err := e.component.API().QueryAuth(t.Context(), sealed.New(given.Code))
	require.NoError(t, err)
	_, err = e.pool.Exec(t.Context(), `INSERT INTO authorizer (appid, status, authorized_at) VALUES ($1, 'authorized', now())`, appid) // not a candidate
	require.NoError(t, err)

	again, err := e.work(t.Context(), x.Fingerprint)
	require.NoError(t, err)
	require.NotZero(t, again)
	e.ahead.Store(int64(exchangePatience + time.Minute))
	again, err = e.work(t.Context(), x.Fingerprint)
	require.NoError(t, err)
	require.Zero(t, again)
	require.Equal(t, troubleLost, e.state(x.Fingerprint).Trouble.Word)
	require.Equal(t, linkOpened, e.reread(l).Status, "the link still works")
	require.NotEmpty(t, e.reread(l).Error("en"))

	// A late event still saves it.
	_, err = e.receive(t.Context(), arrival{
		code: sealed.New(given.Code), linkID: l.ID, event: true, appid: appid, eventAt: e.Now(), expiresAt: e.Now().Add(codeLife),
	})
	require.NoError(t, err)
	_, err = e.work(t.Context(), x.Fingerprint)
	require.NoError(t, err)
	e.bound(appid, "b")
}

// TestFaultsOfQueryAuth goes through the whole flow while WeChat misbehaves.
func TestFaultsOfQueryAuth(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name  string
		fault wechatfake.Fault
		calls int // of api_query_auth in all
	}{
		{"connection cut after the exchange", wechatfake.Fault{Mode: wechatfake.FaultCutAfter}, 1},
		{"connection cut before the exchange", wechatfake.Fault{Mode: wechatfake.FaultCutBefore}, 2},
		{"HTTP 500 after the exchange", wechatfake.Fault{Mode: wechatfake.FaultHTTPExecuted, Code: 502}, 1},
		{"garbage without exchange", wechatfake.Fault{Mode: wechatfake.FaultGarbage}, 2},
		{"system busy without exchange", wechatfake.Fault{Mode: wechatfake.FaultErrcode, Code: -1}, 2},
		{"system busy after the exchange", wechatfake.Fault{Mode: wechatfake.FaultErrcodeExecuted, Code: -1}, 1},
		{"address not on the whitelist for three calls", wechatfake.Fault{Mode: wechatfake.FaultErrcode, Code: 61004, Times: 3}, 4},
	} {
		for _, order := range []string{wechatfake.OrderEvent, wechatfake.OrderRedirect, wechatfake.OrderBoth} {
			t.Run(c.name+", "+order, func(t *testing.T) {
				t.Parallel()
				e := newEnv(t)
				appid := e.merchant("wxfault0000000001")
				l := e.link(NewLink{BizID: "b"})
				c.fault.Path = pathQueryAuth
				_, err := e.wechat.Fake.FailNext(c.fault)
				require.NoError(t, err)
				e.agree(l, appid, order)
				e.until("the merchant is bound", func() bool { return e.reread(l).Status == linkAuthorized })
				e.settled()
				effective, calls := e.exchanged()
				require.Equal(t, 1, effective)
				require.Equal(t, c.calls, calls)
				e.bound(appid, "b")
			})
		}
	}
}

// TestReadingBackFails: when even that does not work, it is tried again, and the code is not sent before.
func TestReadingBackFails(t *testing.T) {
	t.Parallel()
	e := newEnv(t)
	appid := e.merchant("wxfault0000000002")
	l := e.link(NewLink{BizID: "b"})
	for _, f := range []wechatfake.Fault{
		{Path: pathQueryAuth, Mode: wechatfake.FaultCutAfter},
		{Path: pathInfo, Mode: wechatfake.FaultErrcode, Code: -1, Times: 2},
	} {
		_, err := e.wechat.Fake.FailNext(f)
		require.NoError(t, err)
	}
	e.agree(l, appid, wechatfake.OrderEvent)
	e.until("the merchant is bound", func() bool { return e.reread(l).Status == linkAuthorized })
	_, calls := e.exchanged()
	require.Equal(t, 1, calls)
	e.bound(appid, "b")
}

// TestCallbackOutlivesTheBrowser: nobody waits any more, the exchange goes on.
func TestCallbackOutlivesTheBrowser(t *testing.T) {
	t.Parallel()
	e := newEnv(t, func(c *Config) { c.CallbackWait = 50 * time.Millisecond })
	appid := e.merchant("wxslow00000000001")
	l := e.link(NewLink{BizID: "b"})
	_, err := e.wechat.Fake.FailNext(wechatfake.Fault{Path: pathQueryAuth, Mode: wechatfake.FaultSlow, Delay: wechatfake.Duration(400 * time.Millisecond)})
	require.NoError(t, err)
	q := e.open(l).Query()
	given, err := e.wechat.Fake.AuthorizeMerchant(appid, wechatfake.Authorize{PreAuthCode: q.Get("pre_auth_code"), Order: wechatfake.OrderRedirect})
	require.NoError(t, err)
	p := e.callback(l, given.Code)
	require.Equal(t, http.StatusAccepted, p.status)
	require.Equal(t, "5", p.header.Get("Refresh"))
	require.Contains(t, p.body, "授权正在处理")
	e.until("the merchant is bound", func() bool { return e.reread(l).Status == linkAuthorized })
	require.Equal(t, http.StatusOK, e.callback(l, given.Code).status, "reloading shows the outcome")
	e.bound(appid, "b")
	_, calls := e.exchanged()
	require.Equal(t, 1, calls)
}

// TestExpiredCode: a code that dies before it is exchanged leaves its link usable.
func TestExpiredCode(t *testing.T) {
	t.Parallel()
	e := newEnv(t)
	e.wechat.Fake.Set(func(s *wechatfake.Settings) { s.AuthCodeExpires = wechatfake.Duration(time.Nanosecond) })
	appid := e.merchant("wxexpired00000001")

	l := e.link(NewLink{BizID: "b"})
	e.agree(l, appid, wechatfake.OrderEvent)
	e.until("the link has failed", func() bool { return e.reread(l).Status == linkFailed })
	require.Contains(t, e.reread(l).Error("en"), "expired before it was exchanged")
	require.Contains(t, e.reread(l).Error("zh"), "61010")

	l2 := e.link(NewLink{BizID: "c"})
	q := e.open(l2).Query()
	given, err := e.wechat.Fake.AuthorizeMerchant(appid, wechatfake.Authorize{PreAuthCode: q.Get("pre_auth_code"), Order: wechatfake.OrderRedirect})
	require.NoError(t, err)
	p := e.callback(l2, given.Code)
	require.Equal(t, http.StatusBadRequest, p.status)
	require.Contains(t, p.body, "授权码已过期")
	require.Contains(t, p.body, `id="retry"`)
	require.Equal(t, linkOpened, e.reread(l2).Status)

	// Both links still work.
	e.wechat.Fake.Set(func(s *wechatfake.Settings) { s.AuthCodeExpires = wechatfake.Duration(10 * time.Minute) })
	e.agree(l, appid, wechatfake.OrderRedirect)
	e.until("the first link is used", func() bool { return e.reread(l).Status == linkAuthorized })
	e.agree(l2, appid, wechatfake.OrderRedirect)
	e.until("the second link is used", func() bool { return e.reread(l2).Status == linkAuthorized })
	e.bound(appid, "b", "c")
	require.Empty(t, e.reread(l).Error("en"))
}

func TestExchangeOfOneCodeIsNeverWorkedTwiceAtOnce(t *testing.T) {
	t.Parallel()
	e := newEnv(t, idle(true))
	appid := e.merchant("wxtwice0000000001")
	l := e.link(NewLink{BizID: "b"})
	given := e.agree(l, appid, noOrder)
	_, err := e.wechat.Fake.FailNext(wechatfake.Fault{Path: pathQueryAuth, Mode: wechatfake.FaultSlow, Delay: wechatfake.Duration(300 * time.Millisecond)})
	require.NoError(t, err)
	x, err := e.receive(t.Context(), arrival{code: sealed.New(given.Code), linkID: l.ID, expiresAt: e.Now().Add(codeLife)})
	require.NoError(t, err)
	done := make(chan error, 4)
	for range 4 {
		go func() {
			_, err := e.work(context.Background(), x.Fingerprint)
			done <- err
		}()
	}
	for range 4 {
		require.NoError(t, <-done)
	}
	_, calls := e.exchanged()
	require.Equal(t, 1, calls)
	e.bound(appid, "b")
}
