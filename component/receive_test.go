package component

import (
	"maps"
	"net/http"
	"net/netip"
	"net/url"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/wxsteward/wxsteward/internal/sealed"
	"github.com/wxsteward/wxsteward/internal/wechat/msgcrypt"
)

func TestEncryptedPushIsStoredAndAnswered(t *testing.T) {
	t.Parallel()
	asJSON := onBiz("wxm1")
	asJSON.json = true
	for name, test := range map[string]struct {
		push            sealedPush
		plaintext       string
		channel, appid  string
		infoType, event string
	}{
		"XML on the component address":   {onComponent(), ticketXML("t", 1413192605), ChannelComponent, testAppID, "component_verify_ticket", ""},
		"XML on the biz address":         {onBiz("wxm1"), textXML("hi", "1"), ChannelBiz, "wxm1", "", ""},
		"JSON":                           {asJSON, `{"ToUserName":"gh_1","CreateTime":"1413192605","MsgType":"event","Event":"weapp_audit_success"}`, ChannelBiz, "wxm1", "", "weapp_audit_success"},
		"an unknown kind of event":       {onComponent(), `<xml><AppId>x</AppId><CreateTime>1413192605</CreateTime><InfoType>brand_new</InfoType><appid>wxnew</appid></xml>`, ChannelComponent, "wxnew", "brand_new", ""},
		"an authorization of a merchant": {onComponent(), `<xml><CreateTime>1413192605</CreateTime><InfoType>authorized</InfoType><AuthorizerAppid>wxm2</AuthorizerAppid></xml>`, ChannelComponent, "wxm2", "authorized", ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p := newPlatform(t)
			status, body := p.push(t, test.push, test.plaintext)
			assert.Equal(t, http.StatusOK, status)
			assert.Equal(t, "success", body)
			messages, queued := p.stock(t)
			assert.Equal(t, 1, messages)
			assert.Equal(t, 1, queued)
			m := p.one(t)
			assert.Equal(t, test.channel, m.Channel)
			assert.Equal(t, test.appid, m.AppID)
			assert.Equal(t, test.infoType, m.InfoType)
			assert.Equal(t, test.event, m.Event)
			assert.Equal(t, time.Unix(1413192605, 0).UTC(), m.CreatedAt.UTC())
			assert.Equal(t, StatePending, m.State)
			assert.Equal(t, test.plaintext, string(m.Body))
		})
	}
}

// Whatever proves nothing is refused and leaves no trace, in every mode.
func TestRefusedPushes(t *testing.T) {
	t.Parallel()
	edit := func(s sealedPush, f func(*sealedPush)) sealedPush { f(&s); return s }
	plain := func(body string, header http.Header) func(*testing.T, string) *http.Request {
		return func(t *testing.T, base string) *http.Request {
			t.Helper()
			r := post(t, base+"/wxcallback/component", body)
			maps.Copy(r.Header, header)
			return r
		}
	}
	fromPush := func(s sealedPush, plaintext string, change ...func(*http.Request)) func(*testing.T, string) *http.Request {
		return func(t *testing.T, base string) *http.Request {
			t.Helper()
			r := s.request(t, base, plaintext)
			for _, f := range change {
				f(r)
			}
			return r
		}
	}
	setQuery := func(name, value string) func(*http.Request) {
		return func(r *http.Request) {
			q := r.URL.Query()
			q.Set(name, value)
			r.URL.RawQuery = q.Encode()
		}
	}
	ticket := ticketXML(secretTicket, 1413192605)
	fromWeChat := http.Header{"X-Wx-Source": {"wx_push"}}
	for _, test := range []struct {
		name    string
		option  func(*Config)
		request func(*testing.T, string) *http.Request
		want    int
	}{
		{"forged with another token", nil, fromPush(edit(onComponent(), func(s *sealedPush) { s.token = "guess" }), ticket), 401},
		{"unsigned", nil, fromPush(onComponent(), ticket, func(r *http.Request) { r.URL.RawQuery = "" }), 401},
		{"signed for another nonce", nil, fromPush(onComponent(), ticket, setQuery("nonce", "4712")), 401},
		{"only the short signature", nil, fromPush(onComponent(), ticket, setQuery("msg_signature", msgcrypt.Signature(testToken, "1413192605", "4711"))), 401},
		{"encrypted with another key", nil, fromPush(edit(onComponent(), func(s *sealedPush) { s.aesKey = otherAESKey }), ticket), 401},
		{"for another receiver", nil, fromPush(edit(onComponent(), func(s *sealedPush) { s.receiver = "wxother" }), ticket), 401},
		{"for the merchant instead of the platform", nil, fromPush(edit(onBiz("wxm1"), func(s *sealedPush) { s.receiver = "wxm1" }), ticket), 401},
		{"plain", nil, plain(ticket, nil), 401},
		{"plain with x-wx-source in server mode", nil, plain(ticket, fromWeChat), 401},
		{"plain and malformed", nil, plain("<xml", nil), 401},
		{"empty", nil, plain("", nil), 401},
		{"oversized", nil, plain(strings.Repeat("x", maxPushBytes+1), nil), 413},
		{"oversized and from WeChat", cloudrun, plain("<xml>"+strings.Repeat("x", maxPushBytes)+"</xml>", fromWeChat), 413},
		{"authentic nonsense", nil, fromPush(onComponent(), "hello"), 400},
		{"authentic and cut short", nil, fromPush(onComponent(), "<xml><InfoType>x"), 400},
		{"authentic without a kind", nil, fromPush(onComponent(), "<xml><AppId>x</AppId></xml>"), 400},
		{"authentic list", nil, fromPush(onComponent(), `["x"]`), 400},
		{"plain without x-wx-source in cloudrun mode", cloudrun, plain(ticket, nil), 401},
		{"malformed with x-wx-source in cloudrun mode", cloudrun, plain("{", fromWeChat), 400},
		{"empty with x-wx-source in cloudrun mode", cloudrun, plain("", fromWeChat), 400},
		{"Encrypt beside plain elements", cloudrun, plain(`{"InfoType":"component_verify_ticket","Encrypt":"","ComponentVerifyTicket":"x"}`, fromWeChat), 401},
		{"Encrypt in XML beside plain elements", cloudrun, plain(`<?xml version="1.0" encoding="gbk"?><xml><InfoType>x</InfoType><Encrypt/></xml>`, fromWeChat), 401},
		{"a forged push with x-wx-source", cloudrun, fromPush(edit(onComponent(), func(s *sealedPush) { s.token = "guess" }), ticket,
			func(r *http.Request) { r.Header.Set("X-Wx-Source", "x") }), 401},
		{"the container probe in server mode", nil, plain(`{"action":"CheckContainerPath"}`, fromWeChat), 401},
		{"no keys set", stored, fromPush(onComponent(), ticket), 401},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			var options []func(*Config)
			if test.option != nil {
				options = append(options, test.option)
			}
			p := newPlatform(t, options...)
			status, body := do(t, test.request(t, p.server.URL))
			assert.Equal(t, test.want, status)
			assert.NotContains(t, body, "success")
			messages, queued := p.stock(t)
			assert.Zero(t, messages)
			assert.Zero(t, queued)
			assert.NotContains(t, p.logs.String(), secretTicket)
		})
	}
}

func TestBodyOfExactlyTheLimit(t *testing.T) {
	t.Parallel()
	p := newPlatform(t, cloudrun)
	body := `{"MsgType":"text","Content":"`
	body += strings.Repeat("x", maxPushBytes-len(body)-2) + `"}`
	r := post(t, p.server.URL+"/wxcallback/biz/wxm1", body)
	r.Header.Set("X-Wx-Source", "x")
	status, _ := do(t, r)
	assert.Equal(t, http.StatusOK, status)
	assert.Len(t, p.one(t).Body, maxPushBytes)
}

func TestPlainPushes(t *testing.T) {
	t.Parallel()
	byToken := func(c *Config) { c.ForwarderToken = sealed.New("forwarder-token-1") }
	byAddress := func(c *Config) {
		c.ForwarderCIDRs = []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8"), netip.MustParsePrefix("::1/128")}
	}
	elsewhere := func(c *Config) { c.ForwarderCIDRs = []netip.Prefix{netip.MustParsePrefix("10.0.0.0/8")} }
	for _, test := range []struct {
		name    string
		option  func(*Config)
		query   string
		headers map[string]string
		body    string
		want    int
		stored  int
	}{
		{"JSON in cloudrun mode", cloudrun, "", map[string]string{"x-wx-source": "x"}, `{"InfoType":"authorized"}`, 200, 1},
		{"XML in cloudrun mode", cloudrun, "", map[string]string{"x-wx-source": "x"}, `<xml><InfoType>authorized</InfoType></xml>`, 200, 1},
		{"the other spelling of the header", cloudrun, "", map[string]string{"X-Wx-Sources": "x"}, `{"InfoType":"authorized"}`, 200, 1},
		{"an empty header is there too", cloudrun, "", map[string]string{"x-wx-source": ""}, `{"InfoType":"authorized"}`, 200, 1},
		{"the container probe", cloudrun, "", nil, `{"action":"CheckContainerPath"}`, 200, 0},
		{"the container probe in XML", cloudrun, "", nil, `<xml><action>CheckContainerPath</action></xml>`, 200, 0},
		{"a forwarder by bearer token", byToken, "", map[string]string{"Authorization": "Bearer forwarder-token-1"}, `{"InfoType":"authorized"}`, 200, 1},
		{"a forwarder by key", byToken, "?key=forwarder-token-1", nil, `{"InfoType":"authorized"}`, 200, 1},
		{"a forwarder's probe", byToken, "?key=forwarder-token-1", nil, `{"action":"CheckContainerPath"}`, 200, 0},
		{"a forwarder with a wrong token", byToken, "?key=forwarder-token-2", map[string]string{"Authorization": "Bearer forwarder"}, `{"InfoType":"authorized"}`, 401, 0},
		{"a forwarder with an empty token", byToken, "?key=", map[string]string{"Authorization": "Bearer "}, `{"InfoType":"authorized"}`, 401, 0},
		{"a forwarder that sends nonsense", byToken, "?key=forwarder-token-1", nil, `authorized`, 400, 0},
		{"a token where none is set", nil, "?key=", map[string]string{"Authorization": "Bearer "}, `{"InfoType":"authorized"}`, 401, 0},
		{"a forwarder by address", byAddress, "", nil, `{"InfoType":"authorized"}`, 200, 1},
		{"an address that is only claimed", elsewhere, "", map[string]string{"X-Forwarded-For": "10.0.0.1", "X-Real-Ip": "10.0.0.1"}, `{"InfoType":"authorized"}`, 401, 0},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			var options []func(*Config)
			if test.option != nil {
				options = append(options, test.option)
			}
			p := newPlatform(t, options...)
			r := post(t, p.server.URL+"/wxcallback/component"+test.query, test.body)
			for name, value := range test.headers {
				r.Header.Set(name, value)
			}
			status, body := do(t, r)
			assert.Equal(t, test.want, status)
			assert.Equal(t, test.want == http.StatusOK, body == "success")
			messages, _ := p.stock(t)
			assert.Equal(t, test.stored, messages)
		})
	}
}

func TestEncryptedPushInCloudrunMode(t *testing.T) {
	t.Parallel()
	p := newPlatform(t, cloudrun)
	status, body := p.push(t, onComponent(), ticketXML("t", 1413192605))
	assert.Equal(t, http.StatusOK, status)
	assert.Equal(t, "success", body)
}

func TestCopiesCountOnce(t *testing.T) {
	t.Parallel()
	later := onComponent()
	later.timestamp = "1413192999"
	for _, test := range []struct {
		name          string
		first, second sealedPush
		a, b          string
		want          int
	}{
		{"the same request again", onBiz("wxm1"), onBiz("wxm1"), textXML("hi", "7"), textXML("hi", "7"), 1},
		{"the same MsgId in another body", onBiz("wxm1"), onBiz("wxm1"), textXML("hi", "7"), textXML("hi ", "7"), 1},
		{"the same MsgId for another merchant", onBiz("wxm1"), onBiz("wxm2"), textXML("hi", "7"), textXML("hi", "7"), 2},
		{"the same event in a new envelope", onComponent(), later, ticketXML("t", 1413192605), ticketXML("t", 1413192605), 1},
		{"the same event on both addresses", onComponent(), onBiz("wxm1"), ticketXML("t", 1), ticketXML("t", 1), 2},
		{"two events that differ", onComponent(), onComponent(), ticketXML("t", 1), ticketXML("t", 2), 2},
		{"MsgId 0 is none", onBiz("wxm1"), onBiz("wxm1"), textXML("hi", "0"), textXML("ho", "0"), 2},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			p := newPlatform(t)
			for push, text := range map[*sealedPush]string{&test.first: test.a, &test.second: test.b} {
				status, body := p.push(t, *push, text)
				assert.Equal(t, http.StatusOK, status)
				assert.Equal(t, "success", body)
			}
			messages, queued := p.stock(t)
			assert.Equal(t, test.want, messages)
			assert.Equal(t, test.want, queued)
		})
	}
}

func TestConcurrentCopiesCountOnce(t *testing.T) {
	t.Parallel()
	p := newPlatform(t)
	other := platformOn(t, p.dbURL)
	for round := range 5 {
		text := textXML("hi", "100"+string(rune('0'+round)))
		var group sync.WaitGroup
		for i := range 20 {
			replica := p
			if i%2 == 1 {
				replica = other
			}
			r := onBiz("wxm1").request(t, replica.server.URL, text)
			group.Go(func() {
				status, body := do(t, r)
				assert.Equal(t, http.StatusOK, status)
				assert.Equal(t, "success", body)
			})
		}
		group.Wait()
		messages, queued := p.stock(t)
		assert.Equal(t, round+1, messages)
		assert.Equal(t, round+1, queued)
	}
}

func TestDatabaseGone(t *testing.T) {
	t.Parallel()
	for _, known := range []bool{true, false} {
		name := map[bool]string{true: "with the keys at hand", false: "before any push"}[known]
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p := newPlatform(t, stored)
			require.NoError(t, p.Change(t.Context(), Change{MessageToken: new(sealed.New(testToken)), EncodingAESKey: new(sealed.New(testAESKey))}, ""))
			before := 0
			if known {
				status, _ := p.push(t, onBiz("wxm1"), textXML("first", "1"))
				require.Equal(t, http.StatusOK, status)
				before = 1
			}
			restore := p.cutDatabase(t)
			status, body := p.push(t, onBiz("wxm1"), textXML("second", "2"))
			assert.Equal(t, http.StatusServiceUnavailable, status)
			assert.NotContains(t, body, "success")
			restore()
			messages, queued := p.stock(t)
			assert.Equal(t, before, messages)
			assert.Equal(t, before, queued)

			status, body = p.push(t, onBiz("wxm1"), textXML("second", "2"))
			assert.Equal(t, http.StatusOK, status)
			assert.Equal(t, "success", body)
			messages, queued = p.stock(t)
			assert.Equal(t, before+1, messages)
			assert.Equal(t, before+1, queued)
		})
	}
}

func TestMessageIsNotStoredWithoutItsJob(t *testing.T) {
	t.Parallel()
	p := newPlatform(t)
	_, err := p.pool.Exec(t.Context(), `ALTER TABLE river_job RENAME TO away`)
	require.NoError(t, err)
	status, _ := p.push(t, onBiz("wxm1"), textXML("hi", "1"))
	assert.Equal(t, http.StatusServiceUnavailable, status)
	_, err = p.pool.Exec(t.Context(), `ALTER TABLE away RENAME TO river_job`)
	require.NoError(t, err)
	messages, _ := p.stock(t)
	assert.Zero(t, messages)
}

func TestRotation(t *testing.T) {
	t.Parallel()
	p := newPlatform(t, stored)
	replica := platformOn(t, p.dbURL, stored)
	with := func(token, key string) sealedPush {
		s := onComponent()
		s.token, s.aesKey = token, key
		return s
	}
	n := int64(0)
	status := func(at *platform, s sealedPush) int {
		n++
		status, _ := at.push(t, s, ticketXML("t", n))
		return status
	}
	change := func(token, key string) {
		require.NoError(t, p.Change(t.Context(), Change{MessageToken: new(sealed.New(token)), EncodingAESKey: new(sealed.New(key))}, "ann"))
	}
	change(testToken, testAESKey)
	require.Equal(t, 200, status(p, with(testToken, testAESKey)))
	require.Equal(t, 200, status(replica, with(testToken, testAESKey)))

	change(otherToken, testAESKey)
	assert.Equal(t, 200, status(p, with(otherToken, testAESKey)))
	assert.Equal(t, 200, status(p, with(testToken, testAESKey)), "what was sent under the old token is read")
	change(otherToken, otherAESKey)
	assert.Equal(t, 200, status(p, with(otherToken, otherAESKey)))
	assert.Equal(t, 200, status(p, with(otherToken, testAESKey)), "what was sent under the old key is read")
	assert.Equal(t, 200, status(p, with(testToken, otherAESKey)), "token and key change at different times")
	replica.clock.Add(2 * time.Second)
	assert.Equal(t, 200, status(replica, with(otherToken, otherAESKey)), "another replica looks again")

	change("messagetoken3", otherAESKey)
	for range earlierKept {
		change("messagetoken3", otherAESKey)
	}
	assert.Equal(t, 200, status(p, with(testToken, testAESKey)), "typing the same in again does not forget the ones before")
}

// TestMistypedKeysEndNoOldOnes: what an administrator mistypes and corrects must not end what WeChat still signs with.
func TestMistypedKeysEndNoOldOnes(t *testing.T) {
	t.Parallel()
	numbered := func(text string, n int) string { return strconv.Itoa(n) + text[1:] }
	for name, item := range map[string]struct {
		change func(n int) Change
		under  func(n int) sealedPush
	}{
		"message token": {
			func(n int) Change { return Change{MessageToken: new(sealed.New(numbered(testToken, n)))} },
			func(n int) sealedPush { s := onComponent(); s.token = numbered(testToken, n); return s },
		},
		"AES key": {
			func(n int) Change { return Change{EncodingAESKey: new(sealed.New(numbered(testAESKey, n)))} },
			func(n int) sealedPush { s := onComponent(); s.aesKey = numbered(testAESKey, n); return s },
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p := newPlatform(t, stored)
			replica := platformOn(t, p.dbURL, stored)
			require.NoError(t, p.Change(t.Context(), Change{MessageToken: new(sealed.New(testToken)), EncodingAESKey: new(sealed.New(testAESKey))}, "ann"))
			change := func(n int) {
				t.Helper()
				require.NoError(t, p.Change(t.Context(), item.change(n), "ann"))
				replica.clock.Add(time.Minute) // it has read the keys long ago
			}
			pushes := int64(0)
			check := func(want, n int, why string) {
				t.Helper()
				for _, at := range []*platform{p, replica} {
					pushes++
					status, _ := at.push(t, item.under(n), ticketXML("t", pushes))
					assert.Equal(t, want, status, why)
				}
			}
			change(1)
			check(200, 1, "the first")
			change(2) // mistyped
			change(3)
			check(200, 1, "WeChat still uses it")
			check(200, 3, "the corrected one")
			change(2)
			change(3)
			check(200, 1, "what comes twice counts once")
			change(4)
			check(200, 1, "three are kept")
			change(5)
			check(401, 1, "no more than three")
			check(200, 2, "the oldest that is kept")
			change(4)
			change(3)
			change(2)
			check(401, 1, "what is forgotten stays so")
			check(200, 5, "no place is lost by going back and forth")
		})
	}
}

func TestOddTextIsKept(t *testing.T) {
	t.Parallel()
	for name, content := range map[string]string{
		"four-byte characters": "你好😀𠮷", "invalid UTF-8": "a\xff\xfeb", "NUL": "a\x00b", "control characters": "a\x01\x1f\x7fb", "a lone surrogate": "\xed\xa0\x80",
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p := newPlatform(t)
			text := textXML(content, "1")
			status, _ := p.push(t, onBiz("wxm1"), text)
			require.Equal(t, http.StatusOK, status)
			assert.Equal(t, text, string(p.one(t).Body), "not a byte is lost")
		})
	}
	t.Run("NUL and long text in what is indexed", func(t *testing.T) {
		t.Parallel()
		p := newPlatform(t, cloudrun)
		r := post(t, p.server.URL+"/wxcallback/biz/"+url.PathEscape("wx\x00"+strings.Repeat("好", 3000)),
			`{"MsgType":"event","Event":"a\u0000`+strings.Repeat("x", 9000)+`","FromUserName":"\ud800","MsgId":"`+strings.Repeat("9", 9000)+`"}`)
		r.Header.Set("X-Wx-Source", "x")
		status, _ := do(t, r)
		assert.Equal(t, http.StatusOK, status)
	})
	t.Run("times out of range", func(t *testing.T) {
		t.Parallel()
		p := newPlatform(t)
		for _, createTime := range []string{"", "-1", "99999999999999999999", "x", "9223372036854775807", "1e300"} {
			status, _ := p.push(t, onComponent(), `{"InfoType":"x","CreateTime":"`+createTime+`"}`)
			assert.Equal(t, http.StatusOK, status, createTime)
		}
	})
}

func TestEchostr(t *testing.T) {
	t.Parallel()
	p := newPlatform(t)
	get := func(query url.Values) (int, string) {
		r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, p.server.URL+"/wxcallback/component?"+query.Encode(), nil)
		require.NoError(t, err)
		return do(t, r)
	}
	good := url.Values{"timestamp": {"1"}, "nonce": {"2"}, "signature": {msgcrypt.Signature(testToken, "1", "2")}, "echostr": {"<b>hello"}}
	status, body := get(good)
	assert.Equal(t, http.StatusOK, status)
	assert.Equal(t, "<b>hello", body)
	good.Set("nonce", "3")
	status, body = get(good)
	assert.Equal(t, http.StatusUnauthorized, status)
	assert.NotContains(t, body, "hello")
}

func FuzzReceive(f *testing.F) {
	key, err := msgcrypt.NewKey(testToken, testAESKey)
	require.NoError(f, err)
	c, err := msgcrypt.New(testAppID, key)
	require.NoError(f, err)
	s := New(Config{AppID: testAppID, Mode: ModeCloudRun}, Deps{})
	s.ciphers.cipher, s.ciphers.loaded, s.ciphers.loadedAt = c, true, time.Now().Add(time.Second)
	s.now = func() time.Time { return s.ciphers.loadedAt }
	f.Add([]byte(`<xml><Encrypt>AAAA</Encrypt></xml>`), true)
	f.Add([]byte(`{"Encrypt":"AAAA"}`), false)
	f.Add([]byte(`{"InfoType":"x"}`), true)
	f.Fuzz(func(t *testing.T, body []byte, source bool) {
		o, err := s.authenticate(t.Context(), push{body: body, source: source, timestamp: "1", nonce: "2", msgSignature: "3"})
		if err == nil {
			require.True(t, source, "nothing is authentic without proof")
			require.Equal(t, body, o.plaintext)
		}
	})
}
