package wechat_test

import (
	"encoding/pem"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/wxsteward/wxsteward/internal/sealed"
	"github.com/wxsteward/wxsteward/internal/wechat"
)

func TestWhereCallsGo(t *testing.T) {
	t.Parallel()
	file := filepath.Join(t.TempDir(), "token")
	require.NoError(t, os.WriteFile(file, []byte("CLOUD-one\n"), 0o600))
	for _, tc := range []struct {
		name      string
		transport wechat.Transport
		base      string // configured
		component string // where the platform's calls go
		others    string // where those with the app secret or a merchant's token go
		query     map[string][]string
	}{
		{"token", wechat.TransportToken, "", "https://api.weixin.qq.com", "https://api.weixin.qq.com", map[string][]string{"access_token": {firstToken}}},
		{"openapi", wechat.TransportOpenAPI, "", "http://api.weixin.qq.com", "https://api.weixin.qq.com", map[string][]string{}},
		{"cloudtoken", wechat.TransportCloudToken, "", "https://api.weixin.qq.com", "https://api.weixin.qq.com", map[string][]string{"cloudbase_access_token": {"CLOUD-one"}}},
		{"openapi at another address", wechat.TransportOpenAPI, "http://10.1.2.3", "http://10.1.2.3", "http://10.1.2.3", map[string][]string{}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			var got []*http.Request
			rt := roundTripper(func(r *http.Request) (*http.Response, error) {
				got = append(got, r)
				return &http.Response{StatusCode: http.StatusOK, Header: http.Header{}, Body: io.NopCloser(strings.NewReader(`{}`))}, nil
			})
			c := wechat.New(wechat.Config{
				AppID: componentAppID, BaseURL: tc.base, Transport: tc.transport, CloudTokenFile: file, HTTP: &http.Client{Transport: rt},
			})
			require.NoError(t, c.Component(twoTokens()).DeleteTemplate(t.Context(), 1))
			require.NoError(t, c.StartPushTicket(t.Context(), sealed.New("s3cret")))
			require.NoError(t, c.Authorizer(merchantAppID, twoTokens()).Release(t.Context()))
			require.Len(t, got, 3)
			at := func(n int) string { return got[n].URL.Scheme + "://" + got[n].URL.Host }
			assert.Equal(t, tc.component, at(0))
			assert.Equal(t, tc.query, map[string][]string(got[0].URL.Query()))
			assert.Equal(t, tc.others, at(1), "the app secret does not take the open way")
			assert.Empty(t, got[1].URL.RawQuery)
			assert.Equal(t, tc.others, at(2))
			assert.Equal(t, firstToken, got[2].URL.Query().Get("access_token"), "merchants' calls carry their own token")
		})
	}
}

func TestOpenAPIAsksForNoToken(t *testing.T) {
	t.Parallel()
	srv := newRecorder(t, func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("x-openapi-seqid", "1_2_3")
		_, _ = io.WriteString(w, `{"pre_auth_code":"p","expires_in":600}`)
	})
	c := wechat.New(wechat.Config{AppID: componentAppID, BaseURL: srv.URL, Transport: wechat.TransportOpenAPI})
	assert.False(t, c.ThroughOpenAPI())
	_, err := c.Component(&tokens{tokenErr: io.ErrUnexpectedEOF}).CreatePreAuthCode(t.Context())
	require.NoError(t, err)
	assert.True(t, c.ThroughOpenAPI())
	_, err = c.Component(nil).CreatePreAuthCode(t.Context())
	require.NoError(t, err)
}

// TestOpenDataIsForTheCloud: WeChat takes wxa/getopendata from the open-API service and with the cloud token, with no other one.
func TestOpenDataIsForTheCloud(t *testing.T) {
	t.Parallel()
	file := filepath.Join(t.TempDir(), "token")
	require.NoError(t, os.WriteFile(file, []byte("CLOUD-one\n"), 0o600))
	for transport, query := range map[wechat.Transport]string{
		wechat.TransportOpenAPI:    "from_appid=wx2&openid=o1",
		wechat.TransportCloudToken: "cloudbase_access_token=CLOUD-one&from_appid=wx2&openid=o1",
	} {
		srv := newRecorder(t, answerJSON(`{"errcode":0,"data_list":[{"json":"{\"data\":{\"phoneNumber\":\"138\"}}"}]}`))
		c := wechat.New(wechat.Config{AppID: componentAppID, BaseURL: srv.URL, Transport: transport, CloudTokenFile: file})
		phone, err := c.Component(twoTokens()).OpenDataPhone(t.Context(), "o1", sealed.New("id1"), "wx2")
		require.NoError(t, err)
		assert.Equal(t, "138", phone.Number)
		require.Len(t, srv.requests(), 1)
		assert.Equal(t, "/wxa/getopendata", srv.requests()[0].Path)
		assert.Equal(t, query, srv.requests()[0].Query.Encode())
		assert.Equal(t, `{"cloudid_list":["id1"]}`, srv.requests()[0].Body)
	}
	srv := newRecorder(t, answerJSON(`{}`))
	_, err := newClient(srv.URL).Component(twoTokens()).OpenDataPhone(t.Context(), "o1", sealed.New("id1"), "")
	require.ErrorIs(t, err, wechat.ErrOnlyInCloud)
	assert.False(t, wechat.OutcomeUnknown(err))
	assert.Empty(t, srv.requests())
}

func TestOpenAPIRefusalsAreExplained(t *testing.T) {
	t.Parallel()
	t.Run("a path that is not in the whitelist", func(t *testing.T) {
		t.Parallel()
		srv := newRecorder(t, func(w http.ResponseWriter, _ *http.Request) { http.Error(w, "bad gateway", http.StatusBadGateway) })
		c := wechat.New(wechat.Config{AppID: componentAppID, BaseURL: srv.URL, Transport: wechat.TransportOpenAPI})
		_, err := c.Component(nil).CreatePreAuthCode(t.Context())
		var te *wechat.TransportError
		require.ErrorAs(t, err, &te)
		assert.Equal(t, http.StatusBadGateway, te.Status)
		assert.True(t, te.NotListed())
		assert.ErrorContains(t, err, "by openapi")
		assert.Equal(t, wechat.ClassTransient, wechat.ClassOf(err), "it works when the operator has added the path")
		for _, lang := range []string{"zh", "en"} {
			assert.Contains(t, te.Explain(lang), "/cgi-bin/component/api_create_preauthcode")
			assert.Contains(t, te.Explain(lang), "微信令牌权限配置")
		}
		err = c.Authorizer(merchantAppID, twoTokens()).Release(t.Context())
		require.ErrorAs(t, err, &te)
		assert.Empty(t, te.Explain("en"), "a merchant's call needs no entry")
	})
	t.Run("the service is off", func(t *testing.T) {
		t.Parallel()
		srv := newRecorder(t, answerJSON(`{"errcode":41001,"errmsg":"access_token missing rid: 1-2-3"}`))
		c := wechat.New(wechat.Config{AppID: componentAppID, BaseURL: srv.URL, Transport: wechat.TransportOpenAPI})
		_, err := c.Component(nil).CreatePreAuthCode(t.Context())
		var refusal *wechat.APIError
		require.ErrorAs(t, err, &refusal)
		assert.Equal(t, wechat.TransportOpenAPI, refusal.Via)
		assert.Contains(t, refusal.Explain().HintZH, "开放接口服务")
		assert.Contains(t, refusal.Explain().HintEN, "开放接口服务")
		assert.Equal(t, wechat.ClassTransient, wechat.ClassOf(err), "right after a start the service is not at work yet")
		assert.Len(t, srv.requests(), 1)
		assert.NotContains(t, wechat.Explain(41001, refusal.Op).HintEN, "开放接口服务", "elsewhere it is a fault of the program")
	})
}

func TestCloudTokenFile(t *testing.T) {
	t.Parallel()
	good := "CLOUD-one"
	srv := newRecorder(t, func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Query().Get("cloudbase_access_token") != good {
			_, _ = io.WriteString(w, `{"errcode":40001,"errmsg":"invalid credential CLOUD-two"}`)
			return
		}
		_, _ = io.WriteString(w, `{"pre_auth_code":"p","expires_in":600}`)
	})
	file := filepath.Join(t.TempDir(), "token")
	c := wechat.New(wechat.Config{AppID: componentAppID, BaseURL: srv.URL, Transport: wechat.TransportCloudToken, CloudTokenFile: file, Rate: 1e6})
	call := func() error { return drop(c.Component(nil).CreatePreAuthCode(t.Context())) }
	write := func(text string) { require.NoError(t, os.WriteFile(file, []byte(text), 0o600)) }
	problem := func() wechat.CloudTokenProblem {
		var te *wechat.TokenError
		err := call()
		require.ErrorAs(t, err, &te)
		var cloud *wechat.CloudTokenError
		require.ErrorAs(t, err, &cloud)
		for _, lang := range []string{"zh", "en"} {
			assert.Contains(t, cloud.In(lang), file)
		}
		_, err = c.CloudToken(t.Context())
		require.Error(t, err)
		return cloud.Problem
	}
	assert.Equal(t, wechat.CloudTokenMissing, problem())
	write(" \n")
	assert.Equal(t, wechat.CloudTokenEmpty, problem())
	write("default-tcb-wx-access-token")
	assert.Equal(t, wechat.CloudTokenNotReady, problem())
	assert.Empty(t, srv.requests(), "nothing is called without a token")
	require.NoError(t, os.Remove(file))
	require.NoError(t, os.Mkdir(file, 0o700))
	assert.Equal(t, wechat.CloudTokenUnreadable, problem())
	require.NoError(t, os.Remove(file))

	write(good + "\n")
	require.NoError(t, call())
	changed, err := c.CloudToken(t.Context())
	require.NoError(t, err)
	assert.NotZero(t, changed)
	good = "CLOUD-two"
	write(good)
	require.NoError(t, call(), "the next call carries what is in the file then")

	good = "CLOUD-three" // WeChat knows a newer one than the file holds
	before := len(srv.requests())
	err = call()
	require.True(t, wechat.IsCode(err, 40001), "%v", err)
	assert.NotContains(t, err.Error(), "CLOUD-two")
	assert.Len(t, srv.requests(), before+1, "the same token is not sent twice")
	var refusal *wechat.APIError
	require.ErrorAs(t, err, &refusal)
	assert.Contains(t, refusal.Explain().HintEN, "WX_CLOUD_TOKEN_FILE")
	assert.Contains(t, refusal.Explain().HintZH, "WX_CLOUD_TOKEN_FILE")
}

// TestCloudTokenRenewedMeanwhile: the token expires while a call is under way, and the file holds the next one already.
func TestCloudTokenRenewedMeanwhile(t *testing.T) {
	t.Parallel()
	file := filepath.Join(t.TempDir(), "token")
	require.NoError(t, os.WriteFile(file, []byte("CLOUD-one"), 0o600))
	srv := newRecorder(t, func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Query().Get("cloudbase_access_token") == "CLOUD-one" {
			if err := os.WriteFile(file, []byte("CLOUD-two"), 0o600); err != nil {
				t.Error(err)
			}
			_, _ = io.WriteString(w, `{"errcode":42001,"errmsg":"access_token expired"}`)
			return
		}
		_, _ = io.WriteString(w, `{"errcode":0}`)
	})
	c := wechat.New(wechat.Config{AppID: componentAppID, BaseURL: srv.URL, Transport: wechat.TransportCloudToken, CloudTokenFile: file})
	require.NoError(t, c.Component(nil).DeleteTemplate(t.Context(), 1))
	require.Len(t, srv.requests(), 2)
}

// TestCertificateOfTheOpenAPIService: with the service on, https://api.weixin.qq.com is answered under its own certificate.
func TestCertificateOfTheOpenAPIService(t *testing.T) {
	t.Parallel()
	srv := httptest.NewUnstartedServer(answerJSON(`{"errcode":0}`))
	srv.Config.ErrorLog = slog.NewLogLogger(slog.DiscardHandler, slog.LevelError) // it does not like to be refused
	srv.StartTLS()
	t.Cleanup(srv.Close)
	roots := filepath.Join(t.TempDir(), "certificate.crt")
	client := func() *wechat.Authorizer {
		c := wechat.New(wechat.Config{AppID: componentAppID, BaseURL: srv.URL, Transport: wechat.TransportOpenAPI, RootsFile: roots})
		return c.Authorizer(merchantAppID, twoTokens())
	}
	err := client().Release(t.Context())
	var te *wechat.TransportError
	require.ErrorAs(t, err, &te)
	assert.Contains(t, te.Explain("en"), "/app/cert/certificate.crt")
	assert.Contains(t, te.Explain("zh"), "/app/cert/certificate.crt")
	require.NoError(t, os.WriteFile(roots, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: srv.Certificate().Raw}), 0o600))
	require.NoError(t, client().Release(t.Context()))
}

func TestRefusedAddress(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		code      int
		msg, want string
	}{
		{61004, "access clientip is not registered requestIP: 203.0.113.7", "203.0.113.7"},
		{61004, "access clientip is not registered, ip: 1.2.3.4", "1.2.3.4"},
		{61004, "access clientip is not registered hint: ip:1.2.3.4.", "1.2.3.4"},
		{40164, "invalid ip 203.0.113.7 ipv6 ::ffff:203.0.113.7, not in whitelist", "203.0.113.7"},
		{40164, "invalid ip 2001:db8::7, not in whitelist", "2001:db8::7"},
		{40164, "invalid ip ::ffff:203.0.113.7, not in whitelist", "203.0.113.7"},
		{45035, "access clientip is not registered", ""},
		{40090, "invalid request source (bad client ip) [10.0.0.1]", "10.0.0.1"},
		{61005, "component ticket is expired 1.2.3.4", ""},
	} {
		refusal := &wechat.APIError{Op: "wxa/commit", Code: tc.code, Msg: tc.msg}
		entry := refusal.Explain()
		if tc.want == "" {
			assert.False(t, refusal.ClientIP().IsValid(), tc.msg)
			assert.Equal(t, wechat.Explain(tc.code, ""), entry)
			continue
		}
		assert.Equal(t, tc.want, refusal.ClientIP().String(), tc.msg)
		assert.Contains(t, entry.HintZH, tc.want, tc.msg)
		assert.Contains(t, entry.HintEN, tc.want, tc.msg)
		assert.NotContains(t, entry.HintZH+entry.HintEN, "errmsg", tc.msg)
	}
}
