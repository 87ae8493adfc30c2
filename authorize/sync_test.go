package authorize

import (
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/wxsteward/wxsteward/internal/fault"
	"github.com/wxsteward/wxsteward/internal/wechat/wechatfake"
)

func (e *env) sync() map[string]any {
	e.t.Helper()
	status, started := e.api(http.MethodPost, "/authorizers/sync", nil)
	require.Equal(e.t, http.StatusAccepted, status, started)
	var run map[string]any
	e.until("the synchronization has ended", func() bool {
		_, run = e.api(http.MethodGet, "/authorizers/sync/"+started["id"].(string), nil)
		return run["state"] != syncRunning
	})
	return run
}

func TestSync(t *testing.T) {
	t.Parallel()
	e := newEnv(t)
	kept, gone, tokenless := e.have("wxsync00000000001", "b1"), e.have("wxsync00000000002", "b2"), e.have("wxsync00000000003", "b3")
	e.wechat.Fake.SetPushURLs("", "") // events are lost from now on
	unheard := e.merchant("wxsync00000000004")
	_, err := e.wechat.Fake.AuthorizeMerchant(unheard, wechatfake.Authorize{Order: wechatfake.OrderEvent})
	require.NoError(t, err)
	require.NoError(t, e.wechat.Fake.Revoke(gone))
	_, err = e.pool.Exec(t.Context(), `DELETE FROM token WHERE key = $1`, tokenKey(tokenless))
	require.NoError(t, err)

	// A call that fails changes nobody.
	_, err = e.wechat.Fake.FailNext(wechatfake.Fault{Path: pathList, Mode: wechatfake.FaultErrcode, Code: 40097})
	require.NoError(t, err)
	run := e.sync()
	require.Equal(t, syncFailed, run["state"])
	require.NotEmpty(t, run["errors"])
	e.bound(kept, "b1")
	require.Equal(t, 3, e.count(`SELECT count(*) FROM authorizer WHERE status = 'authorized'`))

	_, err = e.wechat.Fake.FailNext(wechatfake.Fault{Path: pathInfo, Mode: wechatfake.FaultErrcode, Code: 61004})
	require.NoError(t, err)
	run = e.sync()
	require.Equal(t, syncCompleted, run["state"], run)
	require.InDelta(t, 3, run["total"], 0)
	require.InDelta(t, 3, run["done"], 0)
	require.InDelta(t, 1, run["failed"], 0)
	require.Contains(t, run["errors"].([]any)[0], "WeChat refused the request", "the reader's language is English here")
	_, failures, err := e.SyncStatus(t.Context(), run["id"].(string))
	require.NoError(t, err)
	require.Len(t, failures, 1)
	require.Contains(t, failures[0].Say(fault.Chinese), "微信拒绝了请求")
	a, err := e.Get(t.Context(), gone)
	require.NoError(t, err)
	require.Equal(t, statusUnauthorized, a.Status)
	require.Equal(t, []string{"b2"}, a.BizIDs)
	require.Equal(t, 1, e.count(`SELECT count(*) FROM token WHERE key = $1 AND refresh_token IS NOT NULL`, tokenKey(tokenless)))
	e.bound(kept, "b1")
	e.bound(tokenless, "b3")
	a, err = e.Get(t.Context(), unheard)
	require.NoError(t, err)
	require.Equal(t, "店 "+unheard, a.NickName)
	require.NotNil(t, a.ReauthorizeSince, "its code is lost")

	status, _ := e.api(http.MethodGet, "/authorizers/sync/nosuch", nil)
	require.Equal(t, http.StatusNotFound, status)
	require.WithinDuration(t, e.Now(), *a.InfoAt, time.Minute)
}

// TestRefusedEventsAreNotWaitedFor: nothing says that WeChat repeats a 授权事件 that was answered with an error.
func TestRefusedEventsAreNotWaitedFor(t *testing.T) {
	t.Parallel()
	e := newEnv(t)
	gone := e.have("wxsync00000000012", "b1")
	target, err := url.Parse(e.url)
	require.NoError(t, err)
	var refusals atomic.Int32
	proxy := &httputil.ReverseProxy{Rewrite: func(r *httputil.ProxyRequest) { r.SetURL(target) }}
	between := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if refusals.Add(1) <= 2 {
			w.WriteHeader(http.StatusServiceUnavailable)
			return
		}
		proxy.ServeHTTP(w, r)
	}))
	t.Cleanup(between.Close)
	e.wechat.Fake.SetPushURLs(between.URL+"/wxcallback/component", between.URL+"/wxcallback/biz/$APPID$")
	unheard := e.merchant("wxsync00000000011")
	_, err = e.wechat.Fake.AuthorizeMerchant(unheard, wechatfake.Authorize{Order: wechatfake.OrderEvent})
	require.NoError(t, err)
	require.NoError(t, e.wechat.Fake.Revoke(gone))
	e.settled()
	require.Equal(t, int32(2), refusals.Load(), "each was sent once")
	_, err = e.Get(t.Context(), unheard)
	require.Error(t, err)
	e.bound(gone, "b1")

	require.Equal(t, syncCompleted, e.sync()["state"])
	a, err := e.Get(t.Context(), unheard)
	require.NoError(t, err)
	require.NotNil(t, a.ReauthorizeSince, "its code is lost")
	a, err = e.Get(t.Context(), gone)
	require.NoError(t, err)
	require.Equal(t, statusUnauthorized, a.Status)
}
