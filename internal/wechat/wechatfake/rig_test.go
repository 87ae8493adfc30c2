package wechatfake_test

import (
	"bytes"
	"encoding/json"
	"io"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/wxsteward/wxsteward/internal/wechat/wechatfake"
	"github.com/wxsteward/wxsteward/internal/wechat/wechattest"
)

const (
	shop      = "wx0000000000000001"
	otherShop = "wx0000000000000002"
)

// clock is a time a test moves by hand.
type clock struct {
	mu sync.Mutex
	at time.Time
}

func newClock() *clock { return &clock{at: time.Date(2026, 9, 1, 10, 0, 0, 0, time.UTC)} }

func (c *clock) now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.at
}

func (c *clock) pass(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.at = c.at.Add(d)
}

// rig is a fake with a platform that has its tokens, one authorized shop and one template.
type rig struct {
	*wechattest.Server
	tb     testing.TB
	clock  *clock
	inbox  *inbox
	cat    string
	aat    map[string]string
	art    map[string]string
	ticket string
}

func newRig(tb testing.TB, options ...wechattest.Option) *rig {
	tb.Helper()
	r := &rig{tb: tb, clock: newClock(), inbox: newInbox(tb), aat: map[string]string{}, art: map[string]string{}}
	options = append([]wechattest.Option{func(c *wechatfake.Config) {
		c.Now, c.EventURL, c.MessageURL = r.clock.now, r.inbox.server.URL+"/component", r.inbox.server.URL+"/biz/$APPID$"
	}}, options...)
	r.Server = wechattest.New(tb, options...)
	return r
}

// ready gets tokens, a template and the shop.
func ready(tb testing.TB, options ...wechattest.Option) *rig {
	tb.Helper()
	r := newRig(tb, options...)
	r.componentToken()
	if _, err := r.Fake.AddTemplate(template()); err != nil {
		tb.Fatal(err)
	}
	r.join(wechatfake.Merchant{AppID: shop, NickName: "老王家常菜"})
	return r
}

func template() wechatfake.Template {
	return wechatfake.Template{Draft: wechatfake.Draft{
		Package:     wechatfake.Package{Pages: []string{"pages/index/index", "pages/order/list"}, SubPages: []string{"packages/coupon/list"}},
		UserVersion: "2.3.0", UserDesc: "扫码点餐", SourceAppID: "wxsource", SourceName: "点餐开发版",
	}}
}

func (r *rig) componentToken() {
	r.tb.Helper()
	r.Fake.PushTicket()
	r.ticket = r.inbox.next(r.tb, "component_verify_ticket")["ComponentVerifyTicket"]
	answer := r.post("/cgi-bin/component/api_component_token", "", fields{
		"component_appid": wechattest.ComponentAppID, "component_appsecret": wechattest.ComponentSecret, "component_verify_ticket": r.ticket,
	})
	r.cat = answer.want(r.tb, 0).text("component_access_token")
}

// join adds a merchant that authorizes, and exchanges its code.
func (r *rig) join(m wechatfake.Merchant) {
	r.tb.Helper()
	if err := r.Fake.AddMerchant(m); err != nil {
		r.tb.Fatal(err)
	}
	given, err := r.Fake.AuthorizeMerchant(m.AppID, wechatfake.Authorize{})
	if err != nil {
		r.tb.Fatal(err)
	}
	r.inbox.next(r.tb, "authorized")
	r.exchange(m.AppID, given.Code)
}

func (r *rig) exchange(appid, code string) {
	r.tb.Helper()
	answer := r.component("/cgi-bin/component/api_query_auth", fields{"authorization_code": code}).want(r.tb, 0)
	info, _ := answer.body["authorization_info"].(map[string]any)
	r.aat[appid], _ = info["authorizer_access_token"].(string)
	r.art[appid], _ = info["authorizer_refresh_token"].(string)
}

type fields = map[string]any

// answer is a reply of the API.
type answer struct {
	status      int
	contentType string
	raw         []byte
	body        fields
	err         error
}

func (a answer) code() int {
	number, _ := a.body["errcode"].(float64)
	return int(number)
}

func (a answer) text(key string) string {
	text, _ := a.body[key].(string)
	return text
}

func (a answer) want(tb testing.TB, code int) answer {
	tb.Helper()
	if a.err != nil {
		tb.Fatalf("got error %v, want errcode %d", a.err, code)
	}
	if a.status != http.StatusOK {
		tb.Fatalf("got HTTP %d %s, want 200", a.status, a.raw)
	}
	if a.code() != code {
		tb.Fatalf("got errcode %d (%s), want %d", a.code(), a.text("errmsg"), code)
	}
	return a
}

func (r *rig) do(method, path, query string, body []byte, contentType string) answer {
	r.tb.Helper()
	address := r.URL + path
	if query != "" {
		address += "?" + query
	}
	req, err := http.NewRequestWithContext(r.tb.Context(), method, address, bytes.NewReader(body))
	if err != nil {
		r.tb.Fatal(err)
	}
	req.Header.Set("Content-Type", contentType)
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return answer{err: err}
	}
	defer func() { _ = resp.Body.Close() }()
	raw, err := io.ReadAll(resp.Body)
	got := answer{status: resp.StatusCode, contentType: resp.Header.Get("Content-Type"), raw: raw, err: err}
	_ = json.Unmarshal(raw, &got.body)
	return got
}

func (r *rig) post(path, token string, body fields) answer {
	r.tb.Helper()
	var buf bytes.Buffer
	enc := json.NewEncoder(&buf)
	enc.SetEscapeHTML(false)
	if body == nil {
		body = fields{}
	}
	if err := enc.Encode(body); err != nil {
		r.tb.Fatal(err)
	}
	return r.raw(path, token, buf.String())
}

func (r *rig) raw(path, token, body string) answer {
	r.tb.Helper()
	path, query, _ := strings.Cut(path, "?")
	if token != "" {
		query = strings.Trim(query+"&access_token="+url.QueryEscape(token), "&")
	}
	return r.do(http.MethodPost, path, query, []byte(body), "application/json")
}

func (r *rig) component(path string, body fields) answer {
	r.tb.Helper()
	body["component_appid"] = wechattest.ComponentAppID
	return r.post(path, r.cat, body)
}

// call makes a merchant's call: GET when body is nil.
func (r *rig) call(appid, path string, body fields) answer {
	r.tb.Helper()
	if body == nil {
		path, query, _ := strings.Cut(path, "?")
		return r.do(http.MethodGet, path, strings.Trim(query+"&access_token="+url.QueryEscape(r.aat[appid]), "&"), nil, "")
	}
	return r.post(path, r.aat[appid], body)
}

func (r *rig) commit(version string) answer {
	r.tb.Helper()
	return r.call(shop, "/wxa/commit", fields{"template_id": 0, "ext_json": `{"extAppid":"` + shop + `"}`, "user_version": version, "user_desc": "run"})
}

func (r *rig) submit() answer {
	r.tb.Helper()
	return r.call(shop, "/wxa/submit_audit", fields{})
}

// publish takes the shop to a released version.
func (r *rig) publish(version string) {
	r.tb.Helper()
	r.approved(version)
	r.call(shop, "/wxa/release", fields{}).want(r.tb, 0)
}

func (r *rig) approved(version string) {
	r.tb.Helper()
	r.commit(version).want(r.tb, 0)
	r.submit().want(r.tb, 0)
	if err := r.Fake.Approve(shop); err != nil {
		r.tb.Fatal(err)
	}
}

func (r *rig) must(err error) {
	r.tb.Helper()
	if err != nil {
		r.tb.Fatal(err)
	}
}
