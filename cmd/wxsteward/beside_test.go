package main

import (
	"bytes"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/wxsteward/wxsteward/internal/wechat/wechatfake"
)

// neighbour plays 服务商微管家 in the same container: WeChat pushes to it, it deals with a push by itself and then hands it on by the
// rules of its 消息转发器; every other request is passed on by its proxy.
type neighbour struct {
	peer

	base    string            // of wxsteward
	targets map[string]string // path by InfoType, or by MsgType/Event
	proxy   http.Handler
}

func (n *neighbour) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if !strings.HasPrefix(r.URL.Path, "/wxcallback/") {
		n.proxy.ServeHTTP(w, r)
		return
	}
	text, err := io.ReadAll(r.Body)
	require.NoError(n.t, err)
	var m struct{ InfoType, MsgType, Event, ComponentVerifyTicket, AuthorizationCode, AuthorizerAppid string }
	require.NoError(n.t, json.Unmarshal(text, &m))
	key := m.InfoType
	switch {
	case key == "":
		key = m.MsgType + "/" + m.Event
	case m.ComponentVerifyTicket != "":
		n.mu.Lock()
		n.ticket = m.ComponentVerifyTicket
		n.mu.Unlock()
	case key == "authorized": // the code is used up before anybody else hears of it
		if _, err := n.exchange(m.AuthorizerAppid, m.AuthorizationCode); err != nil {
			n.t.Error(err)
		}
	}
	path, ok := n.targets[key]
	if !ok {
		_, _ = io.WriteString(w, "success")
		return
	}
	path = strings.ReplaceAll(path, "$APPID$", strings.TrimPrefix(r.URL.Path, "/wxcallback/biz/"))
	n.hand(w, path, r.Header, text)
}

// hand sends a push on with all its headers and gives the answer back as it is.
func (n *neighbour) hand(w http.ResponseWriter, path string, header http.Header, text []byte) {
	req, err := http.NewRequestWithContext(n.t.Context(), http.MethodPost, n.base+path, bytes.NewReader(text)) //nolint:gosec // of a test
	require.NoError(n.t, err)
	req.Header = header.Clone()
	resp, err := http.DefaultClient.Do(req) //nolint:gosec // of a test
	if err != nil {
		n.t.Error(err)
		return
	}
	defer resp.Body.Close() //nolint:errcheck // copied
	w.WriteHeader(resp.StatusCode)
	_, _ = io.Copy(w, resp.Body)
}

// TestBesideWeiguanjia runs the program behind 服务商微管家 in one container of WeChat Cloud Run, set up as docs/cloud-run.md says.
func TestBesideWeiguanjia(t *testing.T) {
	t.Parallel()
	n := &neighbour{peer: peer{t: t}, targets: map[string]string{}}
	server := httptest.NewServer(n)
	t.Cleanup(server.Close)
	w := newWorld(t, nil, func(c *wechatfake.Config) {
		c.CloudRun, c.EventURL, c.MessageURL = true, server.URL+"/wxcallback/component", server.URL+"/wxcallback/biz/$APPID$"
		c.LaunchHost = strings.TrimPrefix(server.URL, "http://")
	})
	n.api, n.base = w.env["WX_API_BASE_URL"], w.base
	ours, err := url.Parse(w.base)
	require.NoError(t, err)
	n.proxy = httputil.NewSingleHostReverseProxy(ours)
	for _, key := range []string{"component_verify_ticket", "authorized", "updateauthorized", "unauthorized"} {
		n.targets[key] = "/wxcallback/component"
	}
	for _, key := range []string{"text/", "event/weapp_audit_success"} {
		n.targets[key] = "/wxcallback/biz/$APPID$"
	}
	w.env["WX_MODE"], w.env["WX_COMPONENT_TRANSPORT"], w.env["FORWARDER_CIDRS"] = "cloudrun", "token", "127.0.0.1/32"
	w.env["PUBLIC_URL"] = server.URL
	const appid = "wxshop00000000001"
	w.addMerchant(appid, nil)
	stop := w.start()

	// All pages of ours are where the neighbour's proxy is.
	o := newOperator(t, server.URL)
	o.signIn()
	w.fake.PushTicket()
	eventually(t, "ticket", func() (bool, string) {
		var c struct{ Ticket struct{ Present bool } }
		_, err := o.try(t.Context(), http.MethodGet, "/component", nil, &c)
		return err == nil && c.Ticket.Present, "no ticket"
	})

	// A merchant authorizes by a link of ours, although the neighbour has used the code already.
	link := o.createLink("biz-1")
	require.True(t, strings.HasPrefix(link.URL, server.URL), link.URL)
	_, _ = newMerchantBrowser(t).consent(link.URL, appid)
	eventually(t, "authorized", func() (bool, string) {
		o.call(http.MethodGet, "/authorization-links/"+link.ID, nil, &link)
		return link.Status == "authorized", link.Status
	})
	var merchant struct {
		Status string
		BizIDs []string `json:"biz_ids"`
	}
	eventually(t, "merchant with its biz id and a token", func() (bool, string) {
		if _, err := o.try(t.Context(), http.MethodGet, "/authorizers/"+appid, nil, &merchant); err != nil {
			return false, err.Error()
		}
		_, err := o.try(t.Context(), http.MethodGet, "/authorizers/"+appid+"/access-token", nil, new([]byte))
		if err != nil {
			return false, err.Error()
		}
		return merchant.Status == "authorized" && len(merchant.BizIDs) == 1, merchant.Status
	})

	// Messages of users come by the forwarder; it answers what we answer. Its test button sends no x-wx-source.
	text := `{"ToUserName":"gh_1","FromUserName":"o1","CreateTime":` + strconv.FormatInt(time.Now().Unix(), 10) + `,"MsgType":"text","Content":"你好","MsgId":77}`
	require.Equal(t, http.StatusOK, postPlain(t, server.URL+"/wxcallback/biz/"+appid, text))
	var messages page[struct{ AppID string }]
	o.call(http.MethodGet, "/messages?channel=biz&msg_type=text", nil, &messages)
	require.Len(t, messages.Items, 1)
	require.Equal(t, appid, messages.Items[0].AppID)
	for path, body := range map[string]string{
		"/wxcallback/component":       `{"CreateTime":1700000000,"InfoType":"authorized","Data":"TestData"}`,
		"/wxcallback/biz/wxtestappid": `{"CreateTime":1700000000,"MsgType":"text","Event":"","ToUserName":"TestUserName1","FromUserName":"TestUserName2","Data":"TestData"}`,
	} {
		answer := httptest.NewRecorder()
		n.hand(answer, path, http.Header{"Content-Type": {"application/json"}}, []byte(body))
		require.Equal(t, http.StatusOK, answer.Code)
		require.Equal(t, "success", answer.Body.String())
	}

	// Who calls through the gateway is told by its headers, which the proxy passes on.
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, server.URL+"/miniapp/whoami", nil)
	require.NoError(t, err)
	req.Header.Set("X-Wx-Openid", "oUser")
	req.Header.Set("X-Wx-Appid", appid)
	req.Header.Set("X-Wx-Source", "wx_client")
	resp, err := http.DefaultClient.Do(req)
	require.NoError(t, err)
	var who struct{ OpenID, AppID, Source string }
	require.NoError(t, json.NewDecoder(resp.Body).Decode(&who))
	require.NoError(t, resp.Body.Close())
	require.Equal(t, "callcontainer", who.Source)
	require.Equal(t, "oUser", who.OpenID)

	require.NoError(t, w.fake.Revoke(appid))
	eventually(t, "withdrawn", func() (bool, string) {
		o.call(http.MethodGet, "/authorizers/"+appid, nil, &merchant)
		return merchant.Status == "unauthorized", merchant.Status
	})
	stop()
	requireNoSecretsBut(t, w, o)
}
