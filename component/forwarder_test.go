package component

import (
	"context"
	"fmt"
	"net/http"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/wxsteward/wxsteward/internal/adminauth"
	"github.com/wxsteward/wxsteward/internal/sealed"
	"github.com/wxsteward/wxsteward/internal/wechat/msgcrypt"
)

// replyOf opens a passive reply as WeChat does.
func replyOf(t *testing.T, token, aesKey, body string) string {
	t.Helper()
	key, err := msgcrypt.NewKey(token, aesKey)
	require.NoError(t, err)
	c, err := msgcrypt.New(testAppID, key)
	require.NoError(t, err)
	f, err := parseFields(body)
	require.NoError(t, err, body)
	assert.Equal(t, "4711", f.Text("Nonce"))
	opened, err := c.Open(f.Text("TimeStamp"), f.Text("Nonce"), f.Text("MsgSignature"), f.Text("Encrypt"))
	require.NoError(t, err)
	return string(opened.Plaintext)
}

func relaying(reply string, ok bool) *forwarder {
	return &forwarder{relay: func(context.Context, Message) ([]byte, bool) { return []byte(reply), ok }}
}

func TestRelay(t *testing.T) {
	t.Parallel()
	asJSON := onBiz("wxm1")
	asJSON.json = true
	for _, test := range []struct {
		name      string
		on        sealedPush
		forward   *forwarder
		body      string // wanted; "sealed": an envelope that holds the reply
		relays    int
		startWith string
	}{
		{"a reply is encrypted", onBiz("wxm1"), relaying("<xml>hello</xml>", true), "sealed", 1, "<xml>"},
		{"in JSON when the push was", asJSON, relaying("<xml>hello</xml>", true), "sealed", 1, "{"},
		{"success is not", onBiz("wxm1"), relaying(success, true), success, 1, ""},
		{"nor is nothing", onBiz("wxm1"), relaying("", true), "", 1, ""},
		{"no rule", onBiz("wxm1"), relaying("", false), success, 1, ""},
		{"a panic", onBiz("wxm1"), &forwarder{relay: func(context.Context, Message) ([]byte, bool) { panic("x") }}, success, 1, ""},
		{"never on the component address", onComponent(), relaying("hello", true), success, 0, ""},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			p := newPlatform(t)
			p.Forward(test.forward)
			status, body := p.push(t, test.on, textXML("hi", "1"))
			assert.Equal(t, http.StatusOK, status)
			assert.Equal(t, test.relays, test.forward.relays)
			if test.body == "sealed" {
				assert.Equal(t, "<xml>hello</xml>", replyOf(t, testToken, testAESKey, body))
				assert.Equal(t, test.startWith, body[:len(test.startWith)])
			} else {
				assert.Equal(t, test.body, body)
			}
			_, body = p.push(t, test.on, textXML("hi", "1"))
			assert.Equal(t, success, body, "a copy")
			assert.Equal(t, test.relays, test.forward.relays, "a business system is asked once")
		})
	}
	t.Run("plain", func(t *testing.T) {
		t.Parallel()
		p := newPlatform(t, cloudrun)
		p.Forward(relaying(`{"MsgType":"text"}`, true))
		r := post(t, p.server.URL+"/wxcallback/biz/wxm1", `{"MsgType":"text"}`)
		r.Header.Set("X-Wx-Source", "x")
		status, body := do(t, r)
		assert.Equal(t, http.StatusOK, status)
		assert.JSONEq(t, `{"MsgType":"text"}`, body)
	})
}

func TestReplyUnderTheKeysThatOpenedThePush(t *testing.T) {
	t.Parallel()
	p := newPlatform(t, stored)
	p.Forward(relaying("hello", true))
	for _, keys := range [][2]string{{testToken, testAESKey}, {otherToken, otherAESKey}} {
		require.NoError(t, p.Change(t.Context(), Change{MessageToken: new(sealed.New(keys[0])), EncodingAESKey: new(sealed.New(keys[1]))}, ""))
	}
	_, body := p.push(t, onBiz("wxm1"), textXML("hi", "1"))
	assert.Equal(t, "hello", replyOf(t, testToken, testAESKey, body), "the old ones")
}

func TestRelayEndsBeforeWeChatStopsWaiting(t *testing.T) {
	t.Parallel()
	p := newPlatform(t)
	p.Forward(&forwarder{relay: func(ctx context.Context, _ Message) ([]byte, bool) { <-ctx.Done(); return nil, false }})
	began := time.Now()
	status, body := p.push(t, onBiz("wxm1"), textXML("hi", "1"))
	assert.Equal(t, http.StatusOK, status)
	assert.Equal(t, success, body)
	assert.Less(t, time.Since(began), 4900*time.Millisecond)
}

// TestWhatFollowsIsPartOfTheStatement: each clause is run once, for the messages that are new.
func TestWhatFollowsIsPartOfTheStatement(t *testing.T) {
	t.Parallel()
	p := newPlatform(t)
	p.handlers = nil // no job follows
	_, err := p.pool.Exec(t.Context(), `CREATE TABLE followed (message_id bigint, clause int)`)
	require.NoError(t, err)
	f := &forwarder{}
	for i := range 2 {
		f.following.Clauses = append(f.following.Clauses, fmt.Sprintf(`INSERT INTO followed SELECT id, $%d::int FROM stored`, FollowingArgs+i))
		f.following.Args = append(f.following.Args, i)
	}
	p.Forward(f)
	for range 2 { // the second is a copy
		status, _ := p.push(t, onBiz("wxm1"), textXML("hi", "1"))
		require.Equal(t, http.StatusOK, status)
	}
	var got []int64
	require.NoError(t, p.pool.QueryRow(t.Context(), `SELECT array_agg(clause ORDER BY clause) FROM followed WHERE message_id = $1`, p.one(t).ID).Scan(&got))
	assert.Equal(t, []int64{0, 1}, got)
}

func TestDeliveriesOfMessages(t *testing.T) {
	t.Parallel()
	p := newPlatform(t)
	f := &forwarder{}
	p.Forward(f)
	o := p.office(t)
	_, _ = p.push(t, onBiz("wxm1"), textXML("hi", "1"))
	m := p.one(t)
	f.deliveries = map[int64][]DeliverySummary{m.ID: {{ID: "7", RuleID: "3", State: "dead"}}}
	want := []any{map[string]any{"id": "7", "rule_id": "3", "state": "dead"}}
	_, got, _ := o.call(t, adminauth.Viewer, http.MethodGet, "/messages", "")
	assert.Equal(t, want, got["items"].([]any)[0].(map[string]any)["deliveries"])
	_, got, _ = o.call(t, adminauth.Viewer, http.MethodGet, "/messages/"+formatID(m.ID), "")
	assert.Equal(t, want, got["deliveries"])

	status, _, _ := o.call(t, adminauth.Operator, http.MethodPost, "/messages/"+formatID(m.ID)+"/redeliver", "")
	assert.Equal(t, http.StatusNoContent, status)
	assert.Equal(t, []int64{m.ID}, f.redeliver)
	status, _, _ = o.call(t, adminauth.Operator, http.MethodPost, "/messages/5/redeliver", "")
	assert.Equal(t, http.StatusNotFound, status)
	status, _, _ = o.call(t, adminauth.Viewer, http.MethodPost, "/messages/"+formatID(m.ID)+"/redeliver", "")
	assert.Equal(t, http.StatusForbidden, status)

	whole, err := p.Message(t.Context(), m.ID)
	require.NoError(t, err)
	assert.Equal(t, textXML("hi", "1"), string(whole.Body))
	_, err = p.Message(t.Context(), 5)
	require.ErrorIs(t, err, ErrNoMessage)
}
