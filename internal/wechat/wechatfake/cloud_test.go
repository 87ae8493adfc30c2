package wechatfake_test

import (
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/wxsteward/wxsteward/internal/wechat/wechatfake"
	"github.com/wxsteward/wxsteward/internal/wechat/wechattest"
)

const preAuthCode = "/cgi-bin/component/api_create_preauthcode"

// openAPI switches the open-API service on with these paths in its whitelist.
func (r *rig) openAPI(paths ...string) {
	r.Fake.Set(func(s *wechatfake.Settings) { s.OpenAPI, s.OpenAPIWhitelist = true, paths })
}

func TestOpenAPIService(t *testing.T) {
	t.Parallel()
	r := ready(t)
	body := func() fields { return fields{"component_appid": wechattest.ComponentAppID} }
	r.post(preAuthCode, "", body()).want(t, 41001) // the service is off
	r.openAPI(preAuthCode, "/wxa/get_page")
	r.Fake.Set(func(s *wechatfake.Settings) { s.IPWhitelist = []string{"203.0.113.9"} })
	if r.post(preAuthCode, "", body()).want(t, 0).text("pre_auth_code") == "" {
		t.Error("the service adds the platform's token, and our address does not matter")
	}
	for _, path := range []string{"/cgi-bin/component/api_query_auth", "/cgi-bin/component/api_component_token", "/wxa/commit"} {
		if got := r.post(path, "", body()); got.status != http.StatusBadGateway {
			t.Errorf("%s is not in the whitelist: got HTTP %d, want 502", path, got.status)
		}
	}
	r.post(preAuthCode, "nonsense", body()).want(t, 40001) // a token that is attached is not replaced
	r.post(preAuthCode, r.cat, body()).want(t, 61004)
	r.Fake.Set(func(s *wechatfake.Settings) { s.IPWhitelist = nil })
	r.call(shop, "/wxa/get_category", nil).want(t, 0) // with a token a path needs no entry
	r.do(http.MethodGet, "/wxa/get_page", "", nil, "").want(t, 61015)
	r.openAPI("/cgi-bin/component/*")
	r.post(preAuthCode, "", body()).want(t, 0)

	calls := r.Fake.Calls(preAuthCode)
	if got := calls[len(calls)-1].Via; got != wechatfake.ViaOpenAPI {
		t.Errorf("got via %q in the call log", got)
	}
	if got := r.Fake.Calls("/wxa/commit")[0].Fault; got != wechatfake.FaultNotListed {
		t.Errorf("got fault %q in the call log", got)
	}
}

func TestOpenDataIsForTheCloud(t *testing.T) {
	t.Parallel()
	r := ready(t)
	const path = "/wxa/getopendata"
	id, err := r.Fake.NewCloudID(shop, "o1", "13800000000")
	r.must(err)
	body := fields{"cloudid_list": []string{id}}
	number := func(query, token string) bool {
		got := r.post(path+query, token, body).want(t, 0)
		return strings.Contains(string(got.raw), "13800000000")
	}
	r.post(path+"?openid=o1&from_appid="+shop, "", body).want(t, 41001)
	r.post(path+"?openid=o1&from_appid="+shop, r.aat[shop], body).want(t, 61014)
	r.post(path+"?openid=o1&from_appid="+shop, r.cat, body).want(t, 48001)
	r.openAPI("/wxa/commit")
	if got := r.post(path+"?openid=o1", "", body); got.status != http.StatusBadGateway {
		t.Errorf("not in the whitelist: got HTTP %d, want 502", got.status)
	}
	r.openAPI(path)
	r.post(path, "", body).want(t, 40003)
	r.post(path+"?openid=o1", "", fields{}).want(t, 40097)
	if !number("?openid=o1&from_appid="+shop, "") || !number("?openid=o1&from_appid="+shop+"&cloudbase_access_token="+r.Fake.NewCloudToken(), "") {
		t.Error("the cloud id gives no number")
	}
	if number("?openid=o1", "") || number("?openid=o2&from_appid="+shop, "") || number("?openid=o1&from_appid="+otherShop, "") {
		t.Error("the cloud id is of another account or user")
	}
	r.Fake.Set(func(s *wechatfake.Settings) { s.CloudOwner = shop })
	if !number("?openid=o1", "") {
		t.Error("the environment is the shop's own")
	}
}

func TestOpenAPIServiceMarksItsAnswers(t *testing.T) {
	t.Parallel()
	r := ready(t)
	header := func() string {
		req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, r.URL+"/wxa/gettemplatelist", nil)
		r.must(err)
		resp, err := http.DefaultClient.Do(req)
		r.must(err)
		r.must(resp.Body.Close())
		return resp.Header.Get("x-openapi-seqid")
	}
	if got := header(); got != "" {
		t.Errorf("got x-openapi-seqid %q while the service is off", got)
	}
	r.openAPI()
	if header() == "" {
		t.Error("no x-openapi-seqid")
	}
}

func TestPlainHTTPNeedsTheOpenAPIService(t *testing.T) {
	t.Parallel()
	r := ready(t)
	r.Fake.Set(func(s *wechatfake.Settings) { s.RequireHTTPS = true })
	r.component(preAuthCode, fields{}).want(t, 43003)
	secure := httptest.NewTLSServer(r.Fake)
	t.Cleanup(secure.Close)
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, secure.URL+"/wxa/gettemplatelist?access_token="+r.cat, nil)
	r.must(err)
	resp, err := secure.Client().Do(req)
	r.must(err)
	r.must(resp.Body.Close())
	if calls := r.Fake.Calls("/wxa/gettemplatelist"); len(calls) != 1 || calls[0].ErrCode != 0 {
		t.Errorf("got calls %+v", calls)
	}
	r.openAPI(preAuthCode)
	r.post(preAuthCode, "", fields{"component_appid": wechattest.ComponentAppID}).want(t, 0)
}

func TestCloudTokens(t *testing.T) {
	t.Parallel()
	r := ready(t)
	r.Fake.Set(func(s *wechatfake.Settings) { s.IPWhitelist = []string{"203.0.113.9"} })
	get := func(path, param, token string) answer { return r.do(http.MethodGet, path, param+"="+token, nil, "") }
	const templates, param = "/wxa/gettemplatelist", "cloudbase_access_token"
	file := filepath.Join(t.TempDir(), "cloudbase_access_token")
	token, err := r.Fake.PushCloudToken(file)
	r.must(err)
	held, err := os.ReadFile(file) //nolint:gosec,nolintlint // written above
	r.must(err)
	if string(held) != token {
		t.Fatalf("the file holds something else")
	}
	get(templates, param, token).want(t, 0) // our address does not matter
	get(templates, param, "nonsense").want(t, 40001)
	get(templates, param, "").want(t, 41001)
	get(templates, "access_token", token).want(t, 40001)
	get("/wxa/get_page", param, token).want(t, 61015)
	r.Fake.Set(func(s *wechatfake.Settings) { s.OpenAPIWhitelist = []string{"/cgi-bin/component/*"} })
	get(templates, param, token).want(t, 48001)
	r.Fake.Set(func(s *wechatfake.Settings) { s.OpenAPIWhitelist = []string{"/*"} })
	r.clock.pass(20 * time.Minute)
	next, err := r.Fake.PushCloudToken(file)
	r.must(err)
	get(templates, param, token).want(t, 0) // both are good for a while
	r.clock.pass(10 * time.Minute)
	get(templates, param, token).want(t, 42001)
	get(templates, param, next).want(t, 0)
	r.Fake.EndCloudTokens()
	get(templates, param, next).want(t, 42001)
	for _, call := range r.Fake.Calls(templates) {
		if strings.Contains(call.Query, token) || strings.Contains(call.Query, next) {
			t.Error("the call log holds a token")
		}
	}
}

func TestCheckContainerPath(t *testing.T) {
	t.Parallel()
	var got []string
	answer := "success"
	r := newRig(t)
	there := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
		if req.Header.Get("x-wx-source") == "" {
			t.Error("no x-wx-source")
		}
		got = append(got, req.URL.Path)
		_, _ = w.Write([]byte(answer))
	}))
	t.Cleanup(there.Close)
	r.Fake.SetPushURLs(there.URL+"/wxcallback/component", there.URL+"/wxcallback/biz/$APPID$")
	for _, probe := range r.Fake.CheckContainerPath(t.Context(), false) {
		if !probe.OK {
			t.Errorf("got %+v", probe)
		}
	}
	if len(got) != 2 || got[0] != "/wxcallback/component" || got[1] != "/wxcallback/biz/"+wechattest.ComponentAppID {
		t.Errorf("got paths %v", got)
	}
	answer = "hello"
	for _, probe := range r.Fake.CheckContainerPath(t.Context(), true) {
		if probe.OK {
			t.Errorf("got %+v", probe)
		}
	}
}
