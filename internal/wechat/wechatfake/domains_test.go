package wechatfake_test

import (
	"strings"
	"testing"

	"github.com/wxsteward/wxsteward/internal/wechat/wechatfake"
)

func domainBody(action string, requests ...string) fields {
	if requests == nil {
		requests = []string{}
	}
	none := []string{}
	return fields{"action": action, "requestdomain": requests, "wsrequestdomain": none, "uploaddomain": none, "downloaddomain": none, "udpdomain": none, "tcpdomain": none}
}

// names joins a list of the answer.
func names(a answer, key string) string {
	rows, _ := a.body[key].([]any)
	texts := make([]string, 0, len(rows))
	for _, row := range rows {
		text, _ := row.(string)
		texts = append(texts, text)
	}
	return strings.Join(texts, " ")
}

func TestModifyDomain(t *testing.T) {
	t.Parallel()
	r := ready(t)
	r.Fake.SetPlatformDomains([]string{"api.a.com", "cdn.a.com", "a.com:8443"}, nil)
	r.Fake.Set(func(s *wechatfake.Settings) { s.NoICPDomains = []string{"cdn.a.com"} })
	modify := func(action string, domains ...string) answer {
		return r.call(shop, "/wxa/modify_domain", domainBody(action, domains...))
	}
	for _, test := range []struct {
		name string
		do   func() answer
		want int
	}{
		{"a list left out of set", func() answer {
			return r.call(shop, "/wxa/modify_domain", fields{"action": "set", "requestdomain": []string{}})
		}, 40097},
		{"no action", func() answer { return r.call(shop, "/wxa/modify_domain", fields{}) }, 40097},
		{"all names missing on the platform", func() answer { return modify("set", "https://b.com") }, 85018},
		{"a name without scheme", func() answer { return modify("set", "api.a.com") }, 85301},
		{"an address", func() answer { return modify("set", "https://127.0.0.1") }, 85301},
		{"WeChat's own name", func() answer { return modify("set", "https://api.weixin.qq.com") }, 85301},
		{"a name without ICP record", func() answer { return modify("set", "https://cdn.a.com") }, 85302},
		{"both faults", func() answer { return modify("set", "https://cdn.a.com", "http://api.a.com") }, 85303},
		{"good names", func() answer { return modify("set", "https://api.a.com", "https://a.com:8443") }, 0},
		{"the same names again", func() answer { return modify("set", "https://a.com:8443", "https://api.a.com") }, 85017},
		{"a name there already", func() answer { return modify("add", "https://api.a.com") }, 85017},
		{"an unknown name to delete", func() answer { return modify("delete", "https://b.com") }, 85017},
		{"a known name to delete", func() answer { return modify("delete", "https://a.com:8443") }, 0},
	} {
		if got := test.do(); got.code() != test.want {
			t.Errorf("%s: got errcode %d (%s), want %d", test.name, got.code(), got.text("errmsg"), test.want)
		}
	}
	if got := names(modify("get").want(t, 0), "requestdomain"); got != "https://api.a.com" {
		t.Fatalf("got %q", got)
	}
	for mode, want := range map[string]int{"85017": 85017, "85018": 85018, "partial": 0, "drop": 0} {
		r.Fake.Set(func(s *wechatfake.Settings) { s.UnregisteredDomains = mode })
		got := modify("set", "https://b.com")
		if got.code() != want {
			t.Errorf("mode %s: got errcode %d, want %d", mode, got.code(), want)
		}
		if want == 0 && (names(got, "invalid_requestdomain") != "") != (mode == "partial") {
			t.Errorf("mode %s: got %v", mode, got.body)
		}
		if want == 0 {
			modify("set", "https://api.a.com").want(t, 0)
		}
	}
	r.Fake.Set(func(s *wechatfake.Settings) { s.DomainChanges = 1 })
	modify("set").want(t, 45009)
}

func TestDomainsTakeEffectAtRelease(t *testing.T) {
	t.Parallel()
	r := ready(t)
	r.must(r.Fake.ChangeMerchant(shop, func(m *wechatfake.Merchant) {
		m.MPDomains = map[string][]string{"requestdomain": {"https://old.com"}}
	}))
	r.Fake.SetPlatformDomains([]string{"api.a.com", "b.a.com"}, []string{"m.a.com"})
	r.call(shop, "/wxa/modify_domain", domainBody("set", "https://api.a.com", "https://b.a.com")).want(t, 0)
	r.call(shop, "/wxa/modify_domain_directly", domainBody("set", "https://direct.com")).want(t, 0)
	effective := func() string {
		got := r.call(shop, "/wxa/get_effective_domain", fields{}).want(t, 0)
		return names(answer{body: got.body["effective_domain"].(map[string]any)}, "requestdomain")
	}
	if got := effective(); got != "https://old.com" {
		t.Fatalf("before a release: got %q, want the owner's", got)
	}
	r.publish("1")
	if got := effective(); got != "https://api.a.com https://b.a.com https://direct.com" {
		t.Fatalf("after a release: got %q", got)
	}
	r.component("/cgi-bin/component/modify_wxa_server_domain", fields{"action": "delete", "wxa_server_domain": "b.a.com", "is_modify_published_together": true}).want(t, 0)
	r.publish("2")
	if got := effective(); got != "https://api.a.com https://direct.com" {
		t.Fatalf("after a platform name left: got %q", got)
	}
}

func TestPlatformDomainCopies(t *testing.T) {
	t.Parallel()
	r := ready(t)
	modify := func(action, list string, both bool) answer {
		return r.component("/cgi-bin/component/modify_wxa_server_domain", fields{"action": action, "wxa_server_domain": list, "is_modify_published_together": both})
	}
	got := modify("add", "api.a.com;https://bad.com", false).want(t, 0)
	if got.text("testing_wxa_server_domain") != "api.a.com" || got.text("published_wxa_server_domain") != "" || got.text("invalid_wxa_server_domain") != "https://bad.com" {
		t.Fatalf("got %v", got.body)
	}
	request := func() answer {
		return r.call(shop, "/wxa/modify_domain", domainBody("set", "https://api.a.com"))
	}
	request().want(t, 85018) // the published copy counts once the platform is published
	r.Fake.Set(func(s *wechatfake.Settings) { s.Published = false })
	request().want(t, 0)
	if _, shown := modify("get", "", false).want(t, 0).body["published_wxa_server_domain"]; shown {
		t.Fatal("a platform never published shows a published list")
	}
	r.Fake.Set(func(s *wechatfake.Settings) { s.Published = true })
	if got := modify("set", "api.a.com;cdn.a.com:8080", true).want(t, 0).text("published_wxa_server_domain"); got != "api.a.com;cdn.a.com:8080" {
		t.Fatalf("got %q", got)
	}
	webview := r.component("/cgi-bin/component/modify_wxa_jump_domain", fields{"action": "set", "wxa_jump_h5_domain": "m.a.com;b.a.com:8443", "is_modify_published_together": true}).want(t, 0)
	if webview.text("published_wxa_jump_h5_domain") != "m.a.com" || webview.text("invalid_wxa_jump_h5_domain") != "b.a.com:8443" {
		t.Fatalf("a web-view domain has no port: got %v", webview.body)
	}
	modify("add", "10.0.0.1", true).want(t, 0)
	r.component("/cgi-bin/component/get_domain_confirmfile", fields{}).want(t, 0)
}

func TestWebviewDomains(t *testing.T) {
	t.Parallel()
	r := ready(t)
	set := func(body fields) answer { return r.call(shop, "/wxa/setwebviewdomain", body) }
	set(fields{}).want(t, 89020)
	r.Fake.SetPlatformDomains(nil, []string{"m.a.com"})
	set(fields{}).want(t, 0)
	set(fields{}).want(t, 89019)
	set(fields{"action": "add", "webviewdomain": []string{"https://x.m.a.com"}}).want(t, 0)
	set(fields{"action": "add", "webviewdomain": []string{"m.a.com"}}).want(t, 89021)
	set(fields{"action": "add", "webviewdomain": "https://m.a.com"}).want(t, 89021)
	set(fields{"action": "add", "webviewdomain": []string{"https://b.com"}}).want(t, 89021)
	set(fields{"action": "delete", "webviewdomain": []string{"https://b.com"}}).want(t, 89022)
	r.call(shop, "/wxa/setwebviewdomain_directly", fields{"webviewdomain": []string{"https://b.com"}}).want(t, 40097)
	r.Fake.Set(func(s *wechatfake.Settings) { s.ConfirmFileMissing = []string{"b.com"} })
	r.call(shop, "/wxa/setwebviewdomain_directly", fields{"action": "set", "webviewdomain": []string{"https://b.com"}}).want(t, 86103)
	r.call(shop, "/wxa/setwebviewdomain_directly", fields{"action": "set", "webviewdomain": []string{"https://c.com:8443"}}).want(t, 86103)
	r.call(shop, "/wxa/setwebviewdomain_directly", fields{"action": "set", "webviewdomain": []string{"https://c.com"}}).want(t, 0)
	r.must(r.Fake.ChangeMerchant(shop, func(m *wechatfake.Merchant) { m.Personal = true }))
	set(fields{}).want(t, 89231)
}
