package main

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/wxsteward/wxsteward/internal/wechat/msgcrypt"
	"github.com/wxsteward/wxsteward/internal/wechat/wechattest"
)

const (
	forwarderToken = "forwarder-token-1"
	bizAddress     = "/wxcallback/biz/" + forwardMerchant
	pushTime       = 1700000000
)

// pusher sends messages as WeChat does, encrypted, and as a forwarder in front of us does, plain.
type pusher struct {
	tb     testing.TB
	cipher *msgcrypt.Cipher
	client *http.Client
}

// newPusher gives up a push that is not answered in time, which is longer than WeChat waits: on a busy machine only a push
// that hangs is to fail a test.
func newPusher(tb testing.TB) *pusher {
	tb.Helper()
	key, err := msgcrypt.NewKey(wechattest.Token, wechattest.EncodingAESKey)
	require.NoError(tb, err)
	cipher, err := msgcrypt.New(wechattest.ComponentAppID, key)
	require.NoError(tb, err)
	const atOnce = 64
	transport := &http.Transport{MaxIdleConnsPerHost: atOnce}
	tb.Cleanup(transport.CloseIdleConnections)
	return &pusher{tb, cipher, &http.Client{Timeout: 10 * time.Second, Transport: transport}}
}

func (p *pusher) request(address, body string) *http.Request {
	p.tb.Helper()
	r, err := http.NewRequestWithContext(p.tb.Context(), http.MethodPost, address, strings.NewReader(body))
	require.NoError(p.tb, err)
	return r
}

// encrypted is a push of 安全模式, in the notation of the message.
func (p *pusher) encrypted(address, message string) *http.Request {
	p.tb.Helper()
	encrypt, err := p.cipher.Seal([]byte(message), nil)
	require.NoError(p.tb, err)
	return p.sealed(address, encrypt, strings.HasPrefix(message, "{"))
}

// sealed signs what encrypt holds.
func (p *pusher) sealed(address, encrypt string, asJSON bool) *http.Request {
	p.tb.Helper()
	timestamp, nonce := strconv.FormatInt(time.Now().Unix(), 10), "4711"
	query := url.Values{
		"timestamp": {timestamp}, "nonce": {nonce}, "encrypt_type": {"aes"},
		"signature":     {msgcrypt.Signature(wechattest.Token, timestamp, nonce)},
		"msg_signature": {msgcrypt.Signature(wechattest.Token, timestamp, nonce, encrypt)},
	}
	envelope := "<xml><ToUserName><![CDATA[gh_1]]></ToUserName><Encrypt><![CDATA[" + encrypt + "]]></Encrypt></xml>"
	if asJSON {
		envelope = `{"ToUserName":"gh_1","Encrypt":"` + encrypt + `"}`
	}
	return p.request(address+"?"+query.Encode(), envelope)
}

// plain is the push of a forwarder.
func (p *pusher) plain(address, message string) *http.Request {
	p.tb.Helper()
	r := p.request(address, message)
	r.Header.Set("Authorization", "Bearer "+forwarderToken)
	return r
}

// answer is what a push was answered; status 0 is no answer.
type answer struct {
	status int
	body   string
	took   time.Duration
}

func (p *pusher) send(r *http.Request) (a answer) {
	began := time.Now()
	defer func() { a.took = time.Since(began) }()
	resp, err := p.client.Do(r)
	if err != nil {
		return answer{body: err.Error()}
	}
	defer resp.Body.Close() //nolint:errcheck // read to its end
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		return answer{body: err.Error()}
	}
	return answer{status: resp.StatusCode, body: string(body)}
}

// accept sends a push that must be stored.
func (p *pusher) accept(r *http.Request) answer {
	p.tb.Helper()
	a := p.send(r)
	require.Equal(p.tb, http.StatusOK, a.status, a.body)
	require.Equal(p.tb, "success", a.body)
	return a
}

// mark is in the text of a numbered message; marks finds it.
func mark(n int) string { return fmt.Sprintf("no-%d-", n) }

var marks = regexp.MustCompile(`no-[0-9]+-`)

// numbered is the message with a number, and whether something of ours handles it. There are texts with MsgId and events
// without, in XML and JSON.
func numbered(n int) (path, message string, heard bool) {
	switch n % 5 {
	case 0:
		return bizAddress, fmt.Sprintf("<xml><ToUserName><![CDATA[gh_1]]></ToUserName><FromUserName><![CDATA[ouser]]></FromUserName><CreateTime>%d</CreateTime>"+
			"<MsgType><![CDATA[text]]></MsgType><Content><![CDATA[你好😀 %s]]></Content><MsgId>%d</MsgId></xml>", pushTime, mark(n), 9000000000+n), false
	case 1:
		return bizAddress, fmt.Sprintf(`{"ToUserName":"gh_1","FromUserName":"ouser","CreateTime":%d,"MsgType":"text","Content":"𠮷 %s","MsgId":%d}`,
			pushTime, mark(n), 9000000000+n), false
	case 2:
		return bizAddress, fmt.Sprintf("<xml><ToUserName><![CDATA[gh_1]]></ToUserName><FromUserName><![CDATA[ouser]]></FromUserName><CreateTime>%d</CreateTime>"+
			"<MsgType><![CDATA[event]]></MsgType><Event><![CDATA[weapp_audit_delay]]></Event><Reason><![CDATA[%s]]></Reason></xml>", pushTime, mark(n)), true
	case 3:
		return bizAddress, fmt.Sprintf(`{"ToUserName":"gh_1","CreateTime":%d,"MsgType":"event","Event":"brand_new","Reason":"%s"}`, pushTime, mark(n)), false
	default:
		return "/wxcallback/component", fmt.Sprintf("<xml><AppId><![CDATA[%s]]></AppId><CreateTime>%d</CreateTime><InfoType><![CDATA[unauthorized]]></InfoType>"+
			"<AuthorizerAppid><![CDATA[wxgone%d]]></AuthorizerAppid><Note>%s</Note></xml>", wechattest.ComponentAppID, pushTime, n, mark(n)), true
	}
}

// numberedPush is one copy of a numbered message; copies differ in everything that may differ.
func (p *pusher) numberedPush(base string, n, copied int) *http.Request {
	path, message, _ := numbered(n)
	if (n/5+copied)%2 == 0 {
		return p.encrypted(base+path, message)
	}
	return p.plain(base+path, message)
}

// pushing is a load of numbered messages.
type pushing struct {
	answers [600]atomic.Int64 // by status

	mu       sync.Mutex
	accepted []int // answered 200
	odd      []answer
	slowest  time.Duration
}

// load pushes over many connections while during runs.
func (p *pusher) load(base string, during func(l *pushing)) *pushing {
	const connections = 12
	l := &pushing{}
	var group sync.WaitGroup
	var next atomic.Int64
	over := make(chan struct{})
	for range connections {
		group.Go(func() {
			for {
				n := int(next.Add(1))
				a := p.send(p.numberedPush(base, n, 0))
				l.note(n, a)
				pause := time.Duration(0)
				if a.status != http.StatusOK {
					pause = 20 * time.Millisecond // nobody hurries to push to a service that is away
				}
				select {
				case <-over:
					return
				case <-time.After(pause):
				}
			}
		})
	}
	during(l)
	close(over)
	group.Wait()
	p.tb.Logf("answered 200: %d, 503: %d, not at all: %d; slowest answer %s",
		l.answers[http.StatusOK].Load(), l.answers[http.StatusServiceUnavailable].Load(), l.answers[0].Load(), l.slowest.Round(time.Millisecond))
	return l
}

func (l *pushing) note(n int, a answer) {
	l.answers[a.status].Add(1)
	l.mu.Lock()
	defer l.mu.Unlock()
	l.slowest = max(l.slowest, a.took)
	switch {
	case a.status == http.StatusOK && a.body == "success":
		l.accepted = append(l.accepted, n)
	case a.status != http.StatusServiceUnavailable && a.status != 0:
		l.odd = append(l.odd, a)
	}
}

// more waits until so many more pushes have been answered 200.
func (l *pushing) more(tb testing.TB, count int64) {
	tb.Helper()
	good := &l.answers[http.StatusOK]
	before := good.Load()
	eventually(tb, fmt.Sprintf("%d more answers 200", count), func() (bool, string) {
		return good.Load() >= before+count, strconv.FormatInt(good.Load()-before, 10)
	})
}

// database is a connection to the database of the world, on which a statement has been run unless it is empty.
func (w *world) database(sql string) *pgx.Conn {
	w.t.Helper()
	conn, err := pgx.Connect(w.t.Context(), w.env["DATABASE_URL"])
	require.NoError(w.t, err)
	w.t.Cleanup(func() { _ = conn.Close(context.Background()) })
	if sql != "" {
		_, err = conn.Exec(w.t.Context(), sql)
		require.NoError(w.t, err)
	}
	return conn
}

func numberOf(tb testing.TB, conn *pgx.Conn, sql string) (n int) {
	tb.Helper()
	require.NoError(tb, conn.QueryRow(tb.Context(), sql).Scan(&n))
	return n
}

// storedMarks counts the stored messages by their mark.
func storedMarks(tb testing.TB, conn *pgx.Conn) map[string]int {
	tb.Helper()
	rows, err := conn.Query(tb.Context(), `SELECT body FROM message`)
	require.NoError(tb, err)
	bodies, err := pgx.CollectRows(rows, pgx.RowTo[string])
	require.NoError(tb, err)
	all := map[string]int{}
	for _, body := range bodies {
		if m := marks.FindString(body); m != "" {
			all[m]++
		}
	}
	return all
}

// takenMarks gives the webhook-ids under which a target has taken each message.
func takenMarks(hooks []hook) map[string][]string {
	all := map[string][]string{}
	for _, h := range hooks {
		m := string(marks.Find(h.body))
		if !slices.Contains(all[m], h.id) {
			all[m] = append(all[m], h.id)
		}
	}
	return all
}

// addRulesFor has every message delivered to a target.
func (o *operator) addRulesFor(address string) {
	o.t.Helper()
	for _, channel := range []string{"biz", "component"} {
		o.addRule(map[string]any{"name": channel, "enabled": true, "channel": channel, "target_url": address, "mode": "deliver", "format": "json"})
	}
}

// requireKept wants every accepted message to be stored once, and then to be handled and delivered under one id.
func requireKept(t *testing.T, w *world, b *target, l *pushing) {
	t.Helper()
	require.Empty(t, l.odd, "only 200 and 503")
	conn := w.database("")
	stored := storedMarks(t, conn)
	for _, n := range l.accepted {
		require.Equal(t, 1, stored[mark(n)], "%s was answered success", mark(n))
	}
	eventually(t, "all is handled", func() (bool, string) {
		var waiting []string
		rows, err := conn.Query(t.Context(), `SELECT id || ' ' || state || ' ' || error FROM message WHERE state <> 'handled'`)
		if err == nil {
			waiting, err = pgx.CollectRows(rows, pgx.RowTo[string])
		}
		return err == nil && len(waiting) == 0, fmt.Sprint(len(waiting), waiting[:min(3, len(waiting))], err)
	})
	eventually(t, "all is delivered", func() (bool, string) {
		n := numberOf(t, conn, `SELECT count(*) FROM delivery WHERE state <> 'delivered'`)
		return n == 0, strconv.Itoa(n)
	})
	taken := takenMarks(b.taken())
	for m := range stored {
		assert.Len(t, taken[m], 1, "%s reached the business system under one id", m)
	}
	t.Logf("accepted %d, stored %d, delivered %d in %d calls", len(l.accepted), len(stored), len(taken), len(b.taken()))
}

// servingWorld is one whose programs take encrypted and plain pushes and may call the business systems of the test.
func servingWorld(t *testing.T) *world {
	t.Helper()
	w := newWorld(t, nil)
	w.env["FORWARDER_TOKEN"] = forwarderToken
	w.env["ALLOW_PRIVATE_TARGETS"] = "true"
	w.env["DELIVERY_RETRY_BASE"] = "100ms"
	w.env["LOG_LEVEL"] = "warn"
	w.addMerchant(forwardMerchant, nil)
	return w
}

// bodyOf makes a body of exactly so many bytes by putting text where it says FILL.
func bodyOf(frame string, size int) string {
	before, after, _ := strings.Cut(frame, "FILL")
	return before + strings.Repeat("x", size-len(before)-len(after)) + after
}
