package authorize

import (
	"net/http"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/wxsteward/wxsteward/internal/fault"
	"github.com/wxsteward/wxsteward/internal/wechat/wechatfake"
)

// TestWithdrawalNobodyToldOf: the event is lost, and the next refused call of any kind sets the directory right at once.
func TestWithdrawalNobodyToldOf(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name string
		code int // what WeChat answers to the old access token
		call func(t *testing.T, e *env, appid string)
	}{
		{"a call for the merchant is refused with 61003", 61003, func(t *testing.T, e *env, appid string) {
			t.Helper()
			_, err := e.API(appid).Categories(t.Context())
			require.Error(t, err)
		}},
		{"the token is refused, and so is its refresh", 40001, func(t *testing.T, e *env, appid string) {
			t.Helper()
			_, err := e.API(appid).Categories(t.Context())
			require.Equal(t, fault.Unauthorized, kindOfFault(err))
		}},
		{"the token has to be refreshed", 61003, func(t *testing.T, e *env, appid string) {
			t.Helper()
			require.NoError(t, e.drop(appid))
			_, err := e.Token(t.Context(), appid)
			require.Equal(t, fault.Unauthorized, kindOfFault(err))
		}},
		{"the details are read", 61003, func(t *testing.T, e *env, appid string) {
			t.Helper()
			status, _ := e.api(http.MethodPost, "/authorizers/"+appid+"/refresh", nil)
			require.GreaterOrEqual(t, status, 400)
		}},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			e := newEnv(t)
			appid := e.have("wxsilent000000001", "b")
			e.wechat.Fake.Set(func(s *wechatfake.Settings) { s.RevokedCode = c.code })
			e.wechat.Fake.SetPushURLs("", "")
			require.NoError(t, e.wechat.Fake.Revoke(appid))
			e.bound(appid, "b")

			c.call(t, e, appid)

			e.until("it is withdrawn", func() bool { a, _ := e.Get(t.Context(), appid); return a.Status == statusUnauthorized })
			a, err := e.Get(t.Context(), appid)
			require.NoError(t, err)
			require.Equal(t, []string{"b"}, a.BizIDs)
			require.Zero(t, e.count(`SELECT count(*) FROM token WHERE key = $1`, tokenKey(appid)))

			// It comes back, and the first call works.
			l := e.link(NewLink{BizID: "b"})
			require.Equal(t, http.StatusOK, e.callback(l, e.agree(l, appid, noOrder).Code).status)
			_, err = e.API(appid).Categories(t.Context())
			require.NoError(t, err)
		})
	}
}

// TestOneWitnessIsNotEnough: as long as either the details or the refresh token are taken, 61003 was a mistake of WeChat's.
func TestOneWitnessIsNotEnough(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name string
		also []wechatfake.Fault
	}{
		{"the details can be read", nil},
		{"the details are refused too, the refresh token is taken", []wechatfake.Fault{{Path: pathInfo, Mode: wechatfake.FaultErrcode, Code: 61003, Times: -1}}},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			e := newEnv(t)
			appid := e.have("wxmistake00000001", "b")
			_, err := e.wechat.Fake.FailNext(wechatfake.Fault{AppID: appid, Path: "/wxa/get_category", Mode: wechatfake.FaultErrcode, Code: 61003})
			require.NoError(t, err)
			for _, f := range c.also {
				_, err := e.wechat.Fake.FailNext(f)
				require.NoError(t, err)
			}
			_, err = e.API(appid).Categories(t.Context())
			require.Error(t, err)
			require.Equal(t, 1, e.count(`SELECT count(*) FROM river_job WHERE kind = 'authorize_verify'`))
			e.settled()
			e.bound(appid, "b")
			_, err = e.API(appid).Categories(t.Context())
			require.NoError(t, err)
		})
	}
}

// TestWeChatIsAwayWhileLookedInto: a doubt is kept until WeChat can be asked.
func TestWeChatIsAwayWhileLookedInto(t *testing.T) {
	t.Parallel()
	e := newEnv(t)
	appid := e.have("wxmistake00000002", "b")
	e.wechat.Fake.SetPushURLs("", "")
	require.NoError(t, e.wechat.Fake.Revoke(appid))
	_, err := e.wechat.Fake.FailNext(wechatfake.Fault{Path: pathInfo, Mode: wechatfake.FaultCutBefore, Times: 3})
	require.NoError(t, err)
	_, err = e.API(appid).Categories(t.Context())
	require.Error(t, err)
	e.until("it is withdrawn", func() bool { a, _ := e.Get(t.Context(), appid); return a.Status == statusUnauthorized })
}

// TestClocksApart: WeChat's clock is an hour before or behind ours, and everything ends in the same place.
func TestClocksApart(t *testing.T) {
	t.Parallel()
	for _, apart := range []time.Duration{time.Hour, -time.Hour} {
		t.Run(apart.String(), func(t *testing.T) {
			t.Parallel()
			e := newEnv(t, wechatAhead(apart))
			withdrawn := func(appid string) func() bool {
				return func() bool { a, _ := e.Get(t.Context(), appid); return a.Status == statusUnauthorized }
			}
			for i, order := range []string{wechatfake.OrderEvent, wechatfake.OrderRedirect, wechatfake.OrderBoth} {
				appid := e.merchant(appids("skew", 3)[i])
				l := e.link(NewLink{BizID: "b", TTL: 10 * time.Minute})
				// A first failure must not end it because the code seems to have expired.
				_, err := e.wechat.Fake.FailNext(wechatfake.Fault{Path: pathQueryAuth, Mode: wechatfake.FaultErrcode, Code: 61004})
				require.NoError(t, err)
				e.agree(l, appid, order)
				e.until("the merchant is bound, "+order, func() bool { return e.reread(l).Status == linkAuthorized })
				e.settled()
				e.bound(appid, "b")

				require.NoError(t, e.wechat.Fake.Revoke(appid))
				e.until("it is withdrawn", withdrawn(appid))

				l = e.link(NewLink{BizID: "c"})
				e.agree(l, appid, order)
				e.until("it is back", func() bool { return e.reread(l).Status == linkAuthorized })
				e.settled()
				e.bound(appid, "b", "c")

				// Withdrawn by our own clock, back by WeChat's.
				old, err := readStanding(t.Context(), e.db, appid)
				require.NoError(t, err)
				require.NoError(t, e.withdraw(t.Context(), appid, old, e.Now()))
				require.NoError(t, e.wechat.Fake.Revoke(appid))
				e.settled()
				l = e.link(NewLink{BizID: "d"})
				e.agree(l, appid, order)
				e.until("it is back again", func() bool { return e.reread(l).Status == linkAuthorized })
				e.settled()
				e.bound(appid, "b", "c", "d")

				// A withdrawal from before that arrives only now.
				require.NoError(t, e.HandleMessage(t.Context(), e.unauthorized(appid, e.Now().Add(apart-10*time.Minute))))
				e.bound(appid, "b", "c", "d")
			}
		})
	}
}
