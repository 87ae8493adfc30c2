package wechatfake_test

import (
	"encoding/json"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/wxsteward/wxsteward/internal/wechat/msgcrypt"
	"github.com/wxsteward/wxsteward/internal/wechat/wechatfake"
	"github.com/wxsteward/wxsteward/internal/wechat/wechattest"
)

// settled waits until the last push of a type is delivered or given up.
func (r *rig) settled(kind string) wechatfake.Push {
	r.tb.Helper()
	deadline := time.Now().Add(10 * time.Second)
	for {
		pushes := r.Fake.Pushes()
		for _, push := range slices.Backward(pushes) {
			if push.Type == kind && push.State != wechatfake.PushPending {
				return push
			}
		}
		if time.Now().After(deadline) {
			r.tb.Fatalf("push %s did not settle: %+v", kind, pushes)
		}
		time.Sleep(5 * time.Millisecond)
	}
}

func TestPushEnvelopes(t *testing.T) {
	t.Parallel()
	r := ready(t)
	r.Fake.PushTicket()
	ticket := r.inbox.nextRaw(t, "component_verify_ticket")
	query, _ := url.ParseQuery(ticket.query)
	if ticket.path != "/component" || ticket.envelope.AppID != wechattest.ComponentAppID || ticket.envelope.ToUserName != "" || query.Get("encrypt_type") != "aes" || query.Get("openid") != "" {
		t.Fatalf("got %+v", ticket)
	}
	if query.Get("signature") != msgcrypt.Signature(wechattest.Token, query.Get("timestamp"), query.Get("nonce")) {
		t.Fatal("the plain signature is wrong")
	}
	r.must(r.Fake.PushMessage(shop, wechatfake.Message{{Name: "MsgType", Value: "text"}, {Name: "Content", Value: "你好]]>"}, {Name: "MsgId", Value: int64(1) << 60}}))
	message := r.inbox.nextRaw(t, "text")
	if message.path != "/biz/"+shop || message.envelope.AppID != "" || !strings.HasPrefix(message.envelope.ToUserName, "gh_") || !strings.Contains(message.query, "openid=") {
		t.Fatalf("got %+v", message)
	}
	if message.fields["Content"] != "你好]]>" || message.fields["MsgId"] != "1152921504606846976" || message.fields["ToUserName"] != message.envelope.ToUserName {
		t.Fatalf("got %v", message.fields)
	}
}

func TestPushesAreRetried(t *testing.T) {
	t.Parallel()
	var calls atomic.Int32
	for _, test := range []struct {
		name     string
		answer   func(http.ResponseWriter)
		attempts int
		state    string
	}{
		{"success ends it", func(w http.ResponseWriter) { _, _ = w.Write([]byte("success")) }, 1, wechatfake.PushDelivered},
		{"an empty answer ends it", func(http.ResponseWriter) {}, 1, wechatfake.PushDelivered},
		{"junk is tried three times", func(w http.ResponseWriter) { _, _ = w.Write([]byte(`{"code":0}`)) }, 3, wechatfake.PushFailed},
		{"a failure is tried three times", func(w http.ResponseWriter) { w.WriteHeader(http.StatusServiceUnavailable) }, 3, wechatfake.PushFailed},
		{"success at the second try ends it", func(w http.ResponseWriter) {
			if calls.Add(1) == 1 {
				w.WriteHeader(http.StatusServiceUnavailable)
			}
		}, 2, wechatfake.PushDelivered},
		{"a redirect is not followed", func(w http.ResponseWriter) {
			w.Header().Set("Location", "/elsewhere")
			w.WriteHeader(http.StatusFound)
		}, 3, wechatfake.PushFailed},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			r := ready(t)
			r.inbox.reply(func(w http.ResponseWriter, _ received) { test.answer(w) })
			r.must(r.Fake.PushMessage(shop, wechatfake.Message{{Name: "MsgType", Value: "text"}}))
			push := r.settled("text")
			if len(push.Attempts) != test.attempts || push.State != test.state {
				t.Fatalf("got %d attempts and %s, want %d and %s", len(push.Attempts), push.State, test.attempts, test.state)
			}
			first := r.inbox.nextRaw(t, "text")
			for range test.attempts - 1 {
				next := r.inbox.nextRaw(t, "text")
				if next.encrypt == first.encrypt || next.query == first.query || string(next.body) != string(first.body) {
					t.Fatal("a retry must carry the same content under fresh encryption")
				}
			}
		})
	}
}

func TestAuthorizationEventsAreTriedOnce(t *testing.T) {
	t.Parallel()
	for attempts, want := range map[int]string{0: wechatfake.PushFailed, 3: wechatfake.PushDelivered} {
		r := ready(t)
		if attempts > 0 {
			r.Fake.Set(func(s *wechatfake.Settings) { s.ComponentPushAttempts = attempts })
		}
		var calls atomic.Int32
		r.inbox.reply(func(w http.ResponseWriter, _ received) {
			if calls.Add(1) == 1 {
				w.WriteHeader(http.StatusServiceUnavailable)
			}
		})
		r.must(r.Fake.Revoke(shop))
		if push := r.settled("unauthorized"); push.State != want {
			t.Errorf("with the setting %d: got %s, want %s", attempts, push.State, want)
		}
	}
}

func TestASlowReceiverTimesOutAndTicketsAreTriedOnce(t *testing.T) {
	t.Parallel()
	r := ready(t, func(c *wechatfake.Config) { c.PushTimeout = 50 * time.Millisecond })
	block := make(chan struct{})
	defer close(block)
	r.inbox.reply(func(http.ResponseWriter, received) { <-block })
	r.must(r.Fake.PushMessage(shop, wechatfake.Message{{Name: "MsgType", Value: "text"}}))
	r.Fake.PushTicket()
	if push := r.settled("text"); len(push.Attempts) != 3 || push.Attempts[0].Error == "" {
		t.Fatalf("got %+v", push)
	}
	deadline := time.Now().Add(5 * time.Second)
	for {
		pushes := r.Fake.Pushes()
		last := pushes[len(pushes)-1]
		if last.State == wechatfake.PushFailed && len(last.Attempts) == 1 {
			break
		}
		if time.Now().After(deadline) {
			t.Fatalf("got %+v, want one failed attempt of the ticket", last)
		}
		time.Sleep(5 * time.Millisecond)
	}
}

func TestAnEncryptedPassiveReplyEndsThePush(t *testing.T) {
	t.Parallel()
	r := ready(t)
	r.inbox.reply(func(w http.ResponseWriter, got received) {
		query, _ := url.ParseQuery(got.query)
		opened, err := r.inbox.cipher.Open(query.Get("timestamp"), query.Get("nonce"), query.Get("msg_signature"), got.encrypt)
		if err != nil {
			t.Error(err)
		}
		body, err := r.inbox.cipher.SealReply(opened, []byte("<xml><MsgType>text</MsgType></xml>"), "1700000000", query.Get("nonce"), msgcrypt.XML)
		if err != nil {
			t.Error(err)
		}
		_, _ = w.Write(body)
	})
	r.must(r.Fake.PushMessage(shop, wechatfake.Message{{Name: "MsgType", Value: "text"}}))
	if push := r.settled("text"); push.Reply != "<xml><MsgType>text</MsgType></xml>" || len(push.Attempts) != 1 {
		t.Fatalf("got %+v", push)
	}
	r.Fake.PushComponentEvent(wechatfake.Message{{Name: "InfoType", Value: "notify_3rd_wxa_auth"}})
	if push := r.settled("notify_3rd_wxa_auth"); push.State != wechatfake.PushFailed {
		t.Fatal("a 授权事件 may be answered with success alone")
	}
}

func TestCloudRunPushes(t *testing.T) {
	t.Parallel()
	r := ready(t, func(c *wechatfake.Config) { c.CloudRun = true })
	slow := fields{"api_name": "wx.choosePoi", "content": "选择门店", "url_list": []string{"pages/index/index"}}
	r.call(shop, "/wxa/security/apply_privacy_interface", slow).want(t, 0)
	r.call(shop, "/wxa/security/apply_privacy_interface", slow).want(t, 61031)
	r.Fake.Set(func(s *wechatfake.Settings) { s.EmptyAsObject = true })
	r.must(r.Fake.DecidePrivacyAPI(shop, "wx.choosePoi", true, ""))
	got := r.inbox.nextRaw(t, "wxa_privacy_apply")
	if got.source == "" || got.query != "" || got.contentType != "application/json" {
		t.Fatalf("got %+v", got)
	}
	var message struct {
		CreateTime json.Number
		ResultInfo map[string]any `json:"result_info"`
	}
	dec := json.NewDecoder(strings.NewReader(string(got.body)))
	dec.UseNumber()
	if err := dec.Decode(&message); err != nil {
		t.Fatalf("%v in %s", err, got.body)
	}
	if message.ResultInfo["status"] != "3" || len(message.ResultInfo["reason"].(map[string]any)) != 0 {
		t.Fatalf("got %s, want nested numbers as texts and {} for the empty reason", got.body)
	}
	r.call(shop, "/wxa/commit", fields{"template_id": 0, "ext_json": `{"requiredPrivateInfos":["choosePoi"]}`, "user_version": "1", "user_desc": ""}).want(t, 0)
}

func TestSecretsDoNotShowInLogs(t *testing.T) {
	t.Parallel()
	r := ready(t)
	r.component("/cgi-bin/component/api_authorizer_token", fields{"authorizer_appid": shop, "authorizer_refresh_token": "refreshtoken@@@" + strings.Repeat("x", 40)}).want(t, 61023)
	r.must(r.Fake.Revoke(shop))
	r.settled("unauthorized")
	shown, err := json.Marshal(r.Fake.State())
	r.must(err)
	secrets := r.Fake.Secrets()
	if len(secrets) < 6 {
		t.Fatalf("got %d secrets", len(secrets))
	}
	for _, secret := range secrets {
		if strings.Contains(string(shown), secret) {
			t.Errorf("%.20s… shows in the state", secret)
		}
	}
}
