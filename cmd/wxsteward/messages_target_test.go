package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	standardwebhooks "github.com/standard-webhooks/standard-webhooks/libraries/go"
	"github.com/stretchr/testify/require"
)

// outcast is a business system that can be away in different ways.
type outcast struct {
	*target

	address string
	mu      sync.Mutex
	server  *httptest.Server
}

func newOutcast(t *testing.T) *outcast {
	t.Helper()
	c := &outcast{target: newTarget(t), address: "127.0.0.1:" + freePort(t)}
	t.Cleanup(c.close)
	return c
}

// close makes the port refuse connections.
func (c *outcast) close() {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.server != nil {
		c.server.CloseClientConnections()
		c.server.Close()
		c.server = nil
	}
}

// open has a handler answer at the address.
func (c *outcast) open(t *testing.T, handler http.Handler) {
	t.Helper()
	c.close()
	c.mu.Lock()
	defer c.mu.Unlock()
	var lc net.ListenConfig
	listener, err := lc.Listen(t.Context(), "tcp", c.address)
	require.NoError(t, err)
	c.server = httptest.NewUnstartedServer(handler)
	_ = c.server.Listener.Close()
	c.server.Listener = listener
	c.server.Start()
}

// silent takes a call and never answers.
func silent(_ http.ResponseWriter, r *http.Request) {
	_, _ = io.Copy(io.Discard, r.Body)
	<-r.Context().Done()
}

// TestTargetDownForSixHours lets a business system be away for six hours of a schedule that is run 2500 times as fast: refusing
// connections, then silent, then answering 503. WeChat hears success all the time, and every message arrives afterwards.
func TestTargetDownForSixHours(t *testing.T) {
	t.Parallel()
	const (
		base     = 2 * time.Millisecond
		scale    = 5 * time.Second / base // how much faster than with the default
		absence  = 6 * time.Hour / scale
		messages = 120
	)
	w := servingWorld(t)
	w.env["DELIVERY_RETRY_BASE"] = base.String()
	w.start()
	o := newOperator(t, w.base)
	o.signIn()
	c := newOutcast(t)
	rule := o.addRule(map[string]any{
		"name": "shop", "enabled": true, "channel": "biz", "target_url": "http://" + c.address, "mode": "deliver", "format": "json", "timeout_ms": 200,
	})

	p := newPusher(t)
	var times []time.Duration
	var sent []string
	began := time.Now()
	for n := range messages {
		switch n {
		case messages / 3:
			c.open(t, http.HandlerFunc(silent))
		case 2 * messages / 3:
			c.open(t, http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusServiceUnavailable) }))
		}
		_, message, _ := numbered(5 * n)
		times = append(times, p.accept(p.encrypted(w.base+bizAddress, message)).took)
		sent = append(sent, mark(5*n))
		time.Sleep(time.Until(began.Add(time.Duration(n+1) * absence / messages))) // messages come all the time
	}
	require.Empty(t, c.taken())
	c.open(t, c.Config.Handler)
	back := time.Now()
	var list page[deliveryAnswer]
	eventually(t, "all are delivered", func() (bool, string) {
		o.call(http.MethodGet, "/deliveries?limit=200&state=delivered&rule_id="+rule.ID, nil, &list)
		return len(list.Items) == messages, strconv.Itoa(len(list.Items))
	})
	took := time.Since(back)
	taken := takenMarks(c.taken())
	for _, m := range sent {
		require.Len(t, taken[m], 1, m)
	}
	tries := 0
	for _, d := range list.Items {
		tries = max(tries, len(d.Attempts))
	}
	require.Greater(t, tries, 3, "the oldest were tried again and again")
	slices.Sort(times)
	t.Logf("away for %s (%s of a schedule from %s on); the last message arrived %s after (%s); up to %d tries; answers to WeChat: median %s, p99 %s, slowest %s",
		back.Sub(began).Round(time.Millisecond), (back.Sub(began) * scale).Round(time.Minute), 5*time.Second, took.Round(time.Millisecond), (took * scale).Round(time.Minute),
		tries, times[messages/2], times[messages*99/100], times[messages-1])
}

// TestPushDoesNotWaitForTheTarget has a target take calls and never answer: pushes are answered while all its calls are held, and
// another rule for the same host gets its messages all the time.
func TestPushDoesNotWaitForTheTarget(t *testing.T) {
	t.Parallel()
	release := make(chan struct{})
	b := newTarget(t)
	var mu sync.Mutex
	held := map[string]bool{}
	host := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/quick" {
			b.Config.Handler.ServeHTTP(w, r)
			return
		}
		_, _ = io.Copy(io.Discard, r.Body)
		mu.Lock()
		held[r.Header.Get("webhook-id")] = true
		mu.Unlock()
		select {
		case <-release:
		case <-r.Context().Done():
		}
	}))
	t.Cleanup(host.Close)
	w := servingWorld(t)
	w.start()
	o := newOperator(t, w.base)
	o.signIn()
	rules := map[string]string{}
	for _, path := range []string{"/held", "/quick"} {
		rules[path] = o.addRule(map[string]any{
			"name": path, "enabled": true, "channel": "biz", "target_url": host.URL + path, "mode": "deliver", "format": "xml", "timeout_ms": 25000,
		}).ID
	}
	const messages = 100
	p := newPusher(t)
	var times []time.Duration
	for n := range messages {
		_, message, _ := numbered(5 * n)
		times = append(times, p.accept(p.encrypted(w.base+bizAddress, message)).took)
	}
	eventually(t, "the other rule has all of them", func() (bool, string) { return len(b.taken()) == messages, strconv.Itoa(len(b.taken())) })
	mu.Lock()
	under := len(held)
	mu.Unlock()
	require.Positive(t, under)
	var list page[deliveryAnswer]
	o.call(http.MethodGet, "/deliveries?limit=200&rule_id="+rules["/held"], nil, &list)
	require.Len(t, list.Items, messages)
	for _, d := range list.Items {
		require.Equal(t, "pending", d.State)
		require.Empty(t, d.Attempts, "not one call has been answered")
	}
	close(release)
	eventually(t, "the slow one gets them too", func() (bool, string) {
		o.call(http.MethodGet, "/deliveries?limit=200&state=delivered&rule_id="+rules["/held"], nil, &list)
		return len(list.Items) == messages, strconv.Itoa(len(list.Items))
	})
	slices.Sort(times)
	t.Logf("%d calls held; answers to WeChat: median %s, p99 %s, slowest %s", under, times[messages/2], times[messages*99/100], times[messages-1])
}

// TestOfficialLibraryVerifiesEveryCall checks deliveries, relays and test calls with the library of Standard Webhooks, through a
// rotation of the secret and after its overlap.
func TestOfficialLibraryVerifiesEveryCall(t *testing.T) {
	t.Parallel()
	w := servingWorld(t)
	w.start()
	o := newOperator(t, w.base)
	o.signIn()
	p := newPusher(t)
	b := newTarget(t)
	b.set(false, `{"MsgType":"text","Content":"thanks"}`)
	rules := map[string]ruleAnswer{}
	for path, rule := range map[string]map[string]any{
		"/json":      {"channel": "biz", "mode": "deliver", "format": "json"},
		"/xml":       {"channel": "biz", "mode": "deliver", "format": "xml"},
		"/component": {"channel": "component", "mode": "deliver", "format": "json"},
		"/relay":     {"channel": "biz", "mode": "relay", "format": "json"},
	} {
		rule["name"], rule["enabled"], rule["target_url"] = path, true, b.URL+path
		rules[path] = o.addRule(rule)
	}
	verifies := func(secret string, h hook) bool {
		webhook, err := standardwebhooks.NewWebhook(secret)
		require.NoError(t, err)
		return webhook.Verify(h.body, h.header) == nil
	}
	n := 0
	// calls has every rule make a call, by messages and by its test button, and gives them by rule.
	calls := func() map[string][]hook {
		before := len(b.taken())
		for _, kind := range []int{0, 4} { // a text, and an authorization event
			path, message, _ := numbered(5*n + kind)
			a := p.send(p.encrypted(w.base+path, message))
			require.Equal(t, http.StatusOK, a.status)
		}
		n++
		for _, rule := range rules {
			var test struct {
				Status int
				Error  string
			}
			o.call(http.MethodPost, "/forward-rules/"+rule.ID+"/test", nil, &test)
			require.Equal(t, http.StatusOK, test.Status, test.Error)
		}
		each := 2 * len(rules)
		eventually(t, "every rule has called twice", func() (bool, string) { return len(b.taken()) == before+each, strconv.Itoa(len(b.taken()) - before) })
		all := map[string][]hook{}
		for _, h := range b.taken()[before:] {
			all[h.path] = append(all[h.path], h)
		}
		return all
	}
	for path, hooks := range calls() {
		require.Len(t, hooks, 2, path)
		for _, h := range hooks {
			require.True(t, verifies(rules[path].Secret, h), "%s %s", path, h.id)
			require.False(t, verifies(rules["/json"].Secret, h) && path != "/json", "each rule has a secret of its own")
			h.body = append(slices.Clone(h.body), ' ')
			require.False(t, verifies(rules[path].Secret, h))
		}
	}
	rotated := map[string]string{}
	for path, rule := range rules {
		var answer ruleAnswer
		o.call(http.MethodPost, "/forward-rules/"+rule.ID+"/secret", nil, &answer)
		require.NotEqual(t, rule.Secret, answer.Secret)
		rotated[path] = answer.Secret
	}
	for path, hooks := range calls() {
		for _, h := range hooks {
			require.True(t, verifies(rules[path].Secret, h), "%s: the secret before still verifies", path)
			require.True(t, verifies(rotated[path], h), "%s: the new one does", path)
		}
	}
	// A day later.
	conn := w.database(`UPDATE forward_rule SET previous_until = previous_until - interval '24 hours'`)
	require.Equal(t, len(rules), numberOf(t, conn, `SELECT count(*) FROM forward_rule WHERE previous_until < now()`))
	for _, rule := range rules {
		o.call(http.MethodPatch, "/forward-rules/"+rule.ID, map[string]any{"name": "a day later"}, nil) // the program reads it anew
	}
	for path, hooks := range calls() {
		for _, h := range hooks {
			require.False(t, verifies(rules[path].Secret, h), "%s: the secret before is over", path)
			require.True(t, verifies(rotated[path], h), path)
		}
	}
	for _, rule := range rules {
		require.NotContains(t, w.output.String(), rule.Secret)
	}
}

// TestReleaseCheckOverHTTP plays WeChat's check before 全网发布 with all its accounts while rules want every message.
func TestReleaseCheckOverHTTP(t *testing.T) {
	t.Parallel()
	w := servingWorld(t)
	w.start()
	o := newOperator(t, w.base)
	o.signIn()
	b := newTarget(t)
	b.set(false, `<xml><MsgType>text</MsgType><Content>not wanted</Content></xml>`)
	o.addRulesFor(b.URL + "/deliver")
	o.addRule(map[string]any{"name": "relay", "enabled": true, "channel": "biz", "target_url": b.URL + "/relay", "mode": "relay", "format": "xml"})

	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	results, err := w.fake.PlayReleaseCheck(ctx)
	require.NoError(t, err)
	cases := map[string]int{}
	for _, r := range results {
		require.Empty(t, r.Problem, "%s of %s", r.Case, r.AppID)
		cases[r.Case]++
	}
	require.Equal(t, map[string]int{"ticket": 1, "authorized": 10, "text": 5, "event": 5, "api": 10}, cases)
	var merchants page[struct{ AppID string }]
	o.call(http.MethodGet, "/authorizers", nil, &merchants)
	require.Empty(t, merchants.Items, "WeChat's test accounts are nobody's merchants")

	// A merchant's message after that is proof that deliveries go out; none of the check was among them.
	p := newPusher(t)
	_, message, _ := numbered(0)
	a := p.send(p.encrypted(w.base+bizAddress, message))
	require.Equal(t, http.StatusOK, a.status)
	require.Contains(t, a.body, "<Encrypt>", "the business system's reply, encrypted")
	eventually(t, "delivered and relayed", func() (bool, string) {
		return len(takenMarks(b.taken())[mark(0)]) == 2, strconv.Itoa(len(b.taken()))
	})
	for _, h := range b.taken() {
		require.True(t, strings.Contains(string(h.body), mark(0)) || strings.Contains(string(h.body), "component_verify_ticket"), "%s: %s", h.path, h.body)
	}
	var list page[struct{ State, Title string }]
	o.call(http.MethodGet, "/messages?limit=200&state=failed", nil, &list)
	require.Empty(t, list.Items)
	requireNoSecretsBut(t, w, o)
}

// TestFailedHandlerIsSeenAndRunAgain breaks the table in which tickets are kept: the failure is shown, the queue tries again by
// itself, and what it has given up is handled again by hand.
func TestFailedHandlerIsSeenAndRunAgain(t *testing.T) {
	t.Parallel()
	w := servingWorld(t)
	w.start()
	o := newOperator(t, w.base)
	o.signIn()
	type item struct{ ID, State, Error string }
	find := func(state string) (list page[item]) {
		o.call(http.MethodGet, "/messages?info_type=component_verify_ticket&state="+state, nil, &list)
		return list
	}
	retry := func(id string) int {
		status, err := o.try(t.Context(), http.MethodPost, "/messages/"+id+"/retry", nil, nil)
		require.NoError(t, err)
		return status
	}
	conn := w.database(`ALTER TABLE component_ticket RENAME TO component_ticket_away`)
	w.fake.PushTicket()
	var failing item
	eventually(t, "the failure is shown", func() (bool, string) {
		list := find("pending")
		if len(list.Items) == 1 {
			failing = list.Items[0]
		}
		return strings.Contains(failing.Error, "component_ticket"), fmt.Sprintf("%+v", list.Items)
	})
	eventually(t, "the queue has tried again by itself", func() (bool, string) {
		n := numberOf(t, conn, `SELECT max(attempt) FROM river_job WHERE kind = 'component_message'`)
		return n > 1, strconv.Itoa(n)
	})
	eventually(t, "it has one try left", func() (bool, string) {
		tag, err := conn.Exec(t.Context(), `UPDATE river_job SET max_attempts = attempt + 1, scheduled_at = now() WHERE kind = 'component_message' AND state = 'retryable'`)
		return err == nil && tag.RowsAffected() == 1, fmt.Sprint(err)
	})
	eventually(t, "it is given up after the last try", func() (bool, string) {
		list := find("failed")
		return len(list.Items) == 1 && list.Items[0].Error != "", fmt.Sprintf("%+v %+v", list.Items, find("pending").Items)
	})
	_, err := conn.Exec(t.Context(), `ALTER TABLE component_ticket_away RENAME TO component_ticket`)
	require.NoError(t, err)
	require.Equal(t, http.StatusNoContent, retry(failing.ID))
	eventually(t, "handled", func() (bool, string) {
		list := find("handled")
		return len(list.Items) == 1 && list.Items[0].Error == "", fmt.Sprintf("%+v", list.Items)
	})
	require.Equal(t, http.StatusConflict, retry(failing.ID), "once is enough")
	var component struct{ Ticket struct{ Present bool } }
	o.call(http.MethodGet, "/component", nil, &component)
	require.True(t, component.Ticket.Present)
	var log page[json.RawMessage]
	o.call(http.MethodGet, "/audit-log", nil, &log)
	text, err := json.Marshal(log.Items)
	require.NoError(t, err)
	require.Equal(t, 2, strings.Count(string(text), "/messages/"+failing.ID+"/retry"), "%s", text)
}
