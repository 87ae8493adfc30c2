package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	standardwebhooks "github.com/standard-webhooks/standard-webhooks/libraries/go"
	"github.com/stretchr/testify/require"

	"github.com/wxsteward/wxsteward/internal/wechat/wechatfake"
)

const forwardMerchant = "wxshop00000000001"

// hook is one call that a business system got.
type hook struct {
	id, path string
	header   http.Header
	body     []byte
}

// target is a business system that takes messages, or does not.
type target struct {
	*httptest.Server

	mu    sync.Mutex
	down  bool
	hooks []hook
	reply string
}

func newTarget(tb testing.TB) *target {
	tb.Helper()
	b := &target{}
	b.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		b.mu.Lock()
		defer b.mu.Unlock()
		if err != nil || b.down {
			w.WriteHeader(http.StatusServiceUnavailable)
			return
		}
		b.hooks = append(b.hooks, hook{r.Header.Get("webhook-id"), r.URL.Path, r.Header.Clone(), body})
		_, _ = io.WriteString(w, b.reply)
	}))
	tb.Cleanup(b.Close)
	return b
}

func (b *target) set(down bool, reply string) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.down, b.reply = down, reply
}

// taken are the calls that were answered 200.
func (b *target) taken() []hook {
	b.mu.Lock()
	defer b.mu.Unlock()
	return append([]hook(nil), b.hooks...)
}

type ruleAnswer struct{ ID, Secret string }

type deliveryAnswer struct {
	ID, State string
	MessageID string `json:"message_id"`
	Attempts  []struct{ Status int }
}

// forwardingWorld is a program that may call the business systems of the test, with a fake that is about to push.
func forwardingWorld(t *testing.T) (w *world, o *operator, inner string) {
	t.Helper()
	w = newWorld(t, nil)
	inner = "127.0.0.1:" + freePort(t)
	w.env["INNER_LISTEN_ADDR"] = inner
	w.env["ALLOW_PRIVATE_TARGETS"] = "true"
	w.env["DELIVERY_RETRY_BASE"] = "100ms"
	w.addMerchant(forwardMerchant, nil)
	w.start()
	o = newOperator(t, w.base)
	o.signIn()
	return w, o, inner
}

func (o *operator) addRule(rule map[string]any) ruleAnswer {
	o.t.Helper()
	var answer ruleAnswer
	o.call(http.MethodPost, "/forward-rules", rule, &answer)
	require.True(o.t, strings.HasPrefix(answer.Secret, "whsec_"))
	return answer
}

// say has a user of the merchant write something and waits for our answer to the push.
func say(t *testing.T, w *world, content string) wechatfake.Push {
	t.Helper()
	seen := len(w.fake.Pushes())
	require.NoError(t, w.fake.PushMessage(forwardMerchant, wechatfake.Message{
		{Name: "FromUserName", Value: "ouser"}, {Name: "MsgType", Value: "text"}, {Name: "Content", Value: content}, {Name: "MsgId", Value: strconv.Itoa(7000000 + seen)},
	}))
	var push wechatfake.Push
	eventually(t, "push of "+content, func() (bool, string) {
		pushes := w.fake.Pushes()
		if len(pushes) <= seen {
			return false, "not sent"
		}
		push = pushes[len(pushes)-1]
		return len(push.Attempts) > 0 && push.State != "pending" && push.State != "sending", fmt.Sprintf("%+v", push)
	})
	return push
}

func TestMessagesReachBusinessSystems(t *testing.T) {
	t.Parallel()
	w, o, inner := forwardingWorld(t)
	b := newTarget(t)
	rule := o.addRule(map[string]any{
		"name": "shop", "enabled": true, "channel": "biz", "msg_type": "text", "target_url": b.URL + "/hooks/$APPID$", "mode": "deliver", "format": "json",
	})
	o.addRule(map[string]any{
		"name": "others", "enabled": true, "channel": "biz", "event": "subscribe", "target_url": b.URL + "/never", "mode": "deliver", "format": "json",
	})

	say(t, w, "hello 🎉")
	eventually(t, "delivery", func() (bool, string) { return len(b.taken()) == 1, strconv.Itoa(len(b.taken())) })
	got := b.taken()[0]
	webhook, err := standardwebhooks.NewWebhook(rule.Secret)
	require.NoError(t, err)
	require.NoError(t, webhook.Verify(got.body, got.header))
	require.Error(t, webhook.Verify(append(got.body, ' '), got.header))
	require.Equal(t, "/hooks/"+forwardMerchant, got.path)
	require.Equal(t, forwardMerchant, got.header.Get("X-Wxsteward-Appid"))
	require.Equal(t, "biz", got.header.Get("X-Wxsteward-Channel"))
	var message map[string]any
	require.NoError(t, json.Unmarshal(got.body, &message))
	require.Equal(t, "hello 🎉", message["Content"])
	var list page[deliveryAnswer]
	eventually(t, "recorded", func() (bool, string) {
		o.call(http.MethodGet, "/deliveries?rule_id="+rule.ID, nil, &list)
		return len(list.Items) == 1 && list.Items[0].State == "delivered", fmt.Sprintf("%+v", list.Items)
	})
	require.Equal(t, got.id, list.Items[0].ID, "webhook-id is the delivery's id")

	// The target goes away: WeChat hears nothing of it, and the message arrives when it is back, under one id.
	b.set(true, "")
	say(t, w, "while away")
	eventually(t, "tried twice", func() (bool, string) {
		o.call(http.MethodGet, "/deliveries?rule_id="+rule.ID+"&state=pending", nil, &list)
		return len(list.Items) == 1 && len(list.Items[0].Attempts) >= 2, fmt.Sprintf("%+v", list.Items)
	})
	require.Equal(t, http.StatusServiceUnavailable, list.Items[0].Attempts[0].Status)
	b.set(false, "")
	eventually(t, "delivered after", func() (bool, string) { return len(b.taken()) == 2, strconv.Itoa(len(b.taken())) })
	require.Equal(t, list.Items[0].ID, b.taken()[1].id)
	require.Contains(t, string(b.taken()[1].body), "while away")

	// By hand, once it is written down that it arrived.
	eventually(t, "recorded after", func() (bool, string) {
		var delivered page[deliveryAnswer]
		o.call(http.MethodGet, "/deliveries?rule_id="+rule.ID+"&state=delivered", nil, &delivered)
		return len(delivered.Items) == 2, fmt.Sprintf("%+v", delivered.Items)
	})
	o.call(http.MethodPost, "/messages/"+list.Items[0].MessageID+"/redeliver", nil, nil)
	eventually(t, "again", func() (bool, string) { return len(b.taken()) == 3, strconv.Itoa(len(b.taken())) })

	eventually(t, "counted", func() (bool, string) {
		_, text := fetch(t, "http://"+inner+"/metrics")
		return strings.Contains(text, `wxsteward_pushes_total{channel="biz",result="stored"} 2`) &&
			strings.Contains(text, `wxsteward_delivery_attempts_total{outcome="delivered"} 3`) &&
			!strings.Contains(text, `wxsteward_delivery_attempts_total{outcome="failed"} 0`) &&
			!strings.Contains(text, "wxsteward_store_duration_seconds_count 0"), text
	})
	require.NotContains(t, w.output.String(), rule.Secret)
	requireNoSecretsBut(t, w, o)
}

func TestRelayAnswersThePush(t *testing.T) {
	t.Parallel()
	w, o, _ := forwardingWorld(t)
	b := newTarget(t)
	b.set(false, `{"ToUserName":"ouser","FromUserName":"gh_shop","CreateTime":1700000000,"MsgType":"text","Content":"thank you 🎉"}`)
	o.addRule(map[string]any{
		"name": "answers", "enabled": true, "channel": "biz", "target_url": b.URL, "mode": "relay", "format": "json", "timeout_ms": 2000,
	})
	push := say(t, w, "a question")
	require.Contains(t, push.Reply, "thank you 🎉", "%+v", push)
	require.Len(t, b.taken(), 1)

	b.set(true, "")
	began := time.Now()
	push = say(t, w, "another question")
	require.Empty(t, push.Reply, "%+v", push)
	require.Len(t, push.Attempts, 1, "the answer was success: WeChat does not repeat it")
	require.Less(t, time.Since(began), 4*time.Second)

	code, err := o.try(t.Context(), http.MethodPost, "/forward-rules", map[string]any{
		"name": "no", "enabled": true, "channel": "component", "target_url": b.URL, "mode": "relay", "format": "json",
	}, &ruleAnswer{})
	require.Equal(t, http.StatusUnprocessableEntity, code, "%v", err)
}

// TestStoppingKeepsWhatIsOnItsWay stops the program while a target is slow: nothing is lost, nothing waits for long.
func TestStoppingKeepsWhatIsOnItsWay(t *testing.T) {
	t.Parallel()
	release := make(chan struct{})
	var mu sync.Mutex
	arrived := map[string]int{}
	slow := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body)
		mu.Lock()
		arrived[r.Header.Get("webhook-id")]++
		mu.Unlock()
		select {
		case <-release:
		case <-r.Context().Done():
			w.WriteHeader(http.StatusServiceUnavailable)
		}
	}))
	t.Cleanup(slow.Close)
	w := newWorld(t, nil)
	w.env["ALLOW_PRIVATE_TARGETS"], w.env["DELIVERY_RETRY_BASE"], w.env["SHUTDOWN_TIMEOUT"] = "true", "100ms", "3s"
	w.addMerchant(forwardMerchant, nil)
	stop := w.start()
	o := newOperator(t, w.base)
	o.signIn()
	rule := o.addRule(map[string]any{"name": "slow", "enabled": true, "channel": "biz", "target_url": slow.URL, "mode": "deliver", "format": "json", "timeout_ms": 20000})
	say(t, w, "one")
	count := func() int {
		mu.Lock()
		defer mu.Unlock()
		return len(arrived)
	}
	eventually(t, "on its way", func() (bool, string) { return count() == 1, "" })
	began := time.Now()
	stop()
	require.Less(t, time.Since(began), 5*time.Second)
	close(release)
	w.start()
	var list page[deliveryAnswer]
	eventually(t, "delivered by the next process", func() (bool, string) {
		_, err := o.try(context.WithoutCancel(t.Context()), http.MethodGet, "/deliveries?rule_id="+rule.ID, nil, &list)
		return err == nil && len(list.Items) == 1 && list.Items[0].State == "delivered", fmt.Sprintf("%+v %v", list.Items, err)
	})
	require.Equal(t, 1, count(), "under one id")
}
