package forward

import (
	"net/http"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/wxsteward/wxsteward/internal/outbound"
)

func TestProxyTellsWhoCalls(t *testing.T) {
	t.Parallel()
	b := newBusiness(t, func(http.ResponseWriter, *http.Request) {})
	for _, keep := range []bool{false, true} {
		rig := newProxyRig(t, nil, func(c *ProxyConfig, _ *outbound.Guard, _ *http.Server) {
			c.KeepIdentity = keep
			c.Identify = func(r *http.Request) http.Header {
				if r.Header.Get("Authorization") != "Bearer wxm_good" {
					return nil
				}
				return http.Header{"X-Wx-Openid": {"oVerified"}, "X-Wx-Appid": {"wx1"}}
			}
		})
		rig.turnOn(b.URL)
		made := http.Header{"X-Wx-Openid": {"o-made-up"}, "X_wx_unionid": {"u-made-up"}, "X-Wx-From-Openid": {"o-made-up"}}
		r := rig.request(http.MethodGet, "/x", nil)
		r.Header = made.Clone()
		r.Header.Set("Authorization", "Bearer wxm_good")
		_, _ = rig.do(r)
		got := b.last.Load().Header
		require.Equal(t, []string{"oVerified"}, got["X-Wx-Openid"])
		require.Equal(t, []string{"wx1"}, got["X-Wx-Appid"])
		for _, name := range []string{"Authorization", "X_wx_unionid", "X-Wx-From-Openid"} {
			require.NotContains(t, got, name, "nothing of the client's stays beside a verified identity")
		}
		r = rig.request(http.MethodGet, "/x", nil)
		r.Header = made.Clone()
		_, _ = rig.do(r)
		require.Equal(t, keep, b.last.Load().Header.Get("X-Wx-Openid") == "o-made-up", "where nobody is known the mode decides")
	}
}
