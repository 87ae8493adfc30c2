package notice

import (
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
)

const (
	robotKey    = "693a91f6-7aaa-4bc4-97a0-0ec2sifa5aaa"
	robotSecret = "SEC0123456789abcdef0123456789abcdef"
)

// robot is a vendor's end of a channel. It refuses what the vendors refuse, with their codes, and counts by the clock of the
// test.
type robot struct {
	*httptest.Server

	t      testing.TB
	kind   string
	secret string // empty: messages are not signed
	now    func() time.Time

	mu      sync.Mutex
	taken   []taking
	calls   int
	limits  int                       // how often it said that it gets too many
	instead func(n int) (string, int) // what call n is answered instead; "" as usual
	hold    chan struct{}             // not nil: answers wait until it is closed
}

// taking is a message that reached the group.
type taking struct {
	id, title, text string
	at              time.Time
	header          http.Header
	body            map[string]any
}

func newRobot(tb testing.TB, kind, secret string, now func() time.Time) *robot {
	tb.Helper()
	r := &robot{t: tb, kind: kind, secret: secret, now: now}
	r.Server = httptest.NewServer(r)
	tb.Cleanup(func() {
		r.set(nil, nil)
		r.CloseClientConnections()
		r.Close()
	})
	return r
}

// address is what the robot's page shows.
func (r *robot) address() string {
	switch r.kind {
	case KindWeCom:
		return r.URL + "/cgi-bin/webhook/send?key=" + robotKey
	case KindDingTalk:
		return r.URL + "/robot/send?access_token=" + robotKey
	case KindFeishu:
		return r.URL + "/open-apis/bot/v2/hook/" + robotKey
	default:
		return r.URL + "/hooks/" + robotKey
	}
}

func (r *robot) set(instead func(n int) (string, int), hold chan struct{}) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.hold != nil && hold == nil {
		close(r.hold)
	}
	r.instead, r.hold = instead, hold
}

// down has it answer 503.
func down(int) (string, int) { return "maintenance", http.StatusServiceUnavailable }

func (r *robot) group() []taking {
	r.mu.Lock()
	defer r.mu.Unlock()
	return append([]taking(nil), r.taken...)
}

func (r *robot) count() (calls, limits int) {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.calls, r.limits
}

func (r *robot) ServeHTTP(w http.ResponseWriter, req *http.Request) {
	body, err := io.ReadAll(req.Body)
	r.mu.Lock()
	r.calls++
	n, instead, hold := r.calls, r.instead, r.hold
	r.mu.Unlock()
	if hold != nil {
		<-hold
	}
	if err != nil {
		return
	}
	if instead != nil {
		if answer, status := instead(n); answer != "" {
			w.WriteHeader(status)
			_, _ = io.WriteString(w, answer)
			return
		}
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	took, status, answer := r.judge(req, body)
	if answer == "" {
		took.at, took.header = r.now(), req.Header.Clone()
		_ = json.Unmarshal(body, &took.body)
		r.taken = append(r.taken, took)
		status, answer = http.StatusOK, `{"errcode":0,"errmsg":"ok"}`
		if r.kind == KindFeishu {
			answer = `{"StatusCode":0,"StatusMessage":"success","code":0,"data":{},"msg":"success"}`
		}
	}
	w.WriteHeader(status)
	_, _ = io.WriteString(w, answer) //nolint:gosec // JSON, and it is a test
}

// lately is how many messages were taken within a time.
func (r *robot) lately(d time.Duration) (n int) {
	for _, took := range r.taken {
		if r.now().Sub(took.at) < d {
			n++
		}
	}
	return n
}

func (r *robot) judge(req *http.Request, body []byte) (took taking, status int, refusal string) {
	refuse := func(code int, said string) (taking, int, string) {
		if r.kind == KindFeishu {
			return taking{}, http.StatusOK, fmt.Sprintf(`{"code":%d,"data":{},"msg":%q}`, code, said)
		}
		return taking{}, http.StatusOK, fmt.Sprintf(`{"errcode":%d,"errmsg":%q}`, code, said)
	}
	isJSON := strings.HasPrefix(req.Header.Get("Content-Type"), "application/json")
	switch r.kind {
	case KindWeCom:
		var m struct {
			MsgType  string
			Markdown struct{ Content string }
		}
		switch {
		case req.URL.Query().Get("key") != robotKey || req.URL.Path != "/cgi-bin/webhook/send":
			return refuse(93000, "invalid webhook url, hint: [1]")
		case !isJSON || json.Unmarshal(body, &m) != nil || m.MsgType != "markdown":
			return refuse(40008, "invalid message type")
		case m.Markdown.Content == "":
			return refuse(44004, "content size out of limit")
		case len(m.Markdown.Content) > 4096:
			return refuse(40058, "markdown.content exceed max length 4096")
		case r.lately(time.Minute) >= 20:
			r.limits++
			return refuse(45009, "api freq out of limit")
		}
		return taking{text: m.Markdown.Content, title: firstLine(m.Markdown.Content)}, 0, ""
	case KindDingTalk:
		var m struct {
			MsgType  string
			Markdown struct{ Title, Text string }
		}
		q := req.URL.Query()
		ms, _ := strconv.ParseInt(q.Get("timestamp"), 10, 64)
		switch {
		case q.Get("access_token") != robotKey || req.URL.Path != "/robot/send":
			return refuse(300001, "token is not exist")
		case r.secret != "" && r.now().Sub(time.UnixMilli(ms)).Abs() > time.Hour:
			return refuse(310000, "invalid timestamp")
		case r.secret != "" && q.Get("sign") != digest(r.secret, q.Get("timestamp")+"\n"+r.secret):
			return refuse(310000, "sign not match")
		case !isJSON:
			return refuse(43004, "无效的HTTP HEADER Content-Type")
		case json.Unmarshal(body, &m) != nil || m.MsgType != "markdown":
			return refuse(400105, "unsupported msgtype")
		case m.Markdown.Title == "" || m.Markdown.Text == "":
			return refuse(40035, "缺少参数 markdown")
		case len(body) > 20000:
			return refuse(460101, "message too long")
		case r.lately(time.Minute) >= 20:
			r.limits++
			return refuse(130101, "send too fast, exceed 20 times per minute")
		}
		return taking{title: m.Markdown.Title, text: m.Markdown.Text}, 0, ""
	case KindFeishu:
		var m struct {
			Timestamp, Sign string
			MsgType         string `json:"msg_type"`
			Card            struct {
				Header   struct{ Title struct{ Tag, Content string } }
				Elements []struct{ Tag, Content string }
			}
		}
		badJSON := json.Unmarshal(body, &m) != nil
		seconds, _ := strconv.ParseInt(m.Timestamp, 10, 64)
		switch {
		case req.URL.Path != "/open-apis/bot/v2/hook/"+robotKey:
			return refuse(19001, "param invalid: incoming webhook access token invalid")
		case badJSON || !isJSON || len(body) > 20<<10:
			return refuse(9499, "Bad Request")
		case r.secret != "" && (r.now().Sub(time.Unix(seconds, 0)).Abs() > time.Hour || m.Sign != digest(m.Timestamp+"\n"+r.secret, "")):
			return refuse(19021, "sign match fail or timestamp is not within one hour from current time")
		case m.MsgType != "interactive" || m.Card.Header.Title.Tag != "plain_text" || m.Card.Header.Title.Content == "" ||
			len(m.Card.Elements) != 1 || m.Card.Elements[0].Tag != "markdown" || m.Card.Elements[0].Content == "":
			return refuse(19002, "params error, msg_type need")
		case r.lately(time.Second) >= 5 || r.lately(time.Minute) >= 100:
			r.limits++
			return refuse(11232, "frequency limited psm[lark.oapi.app_platform_runtime]appID[1500]")
		}
		return taking{title: m.Card.Header.Title.Content, text: m.Card.Elements[0].Content}, 0, ""
	default:
		key, err := standardwebhooks.NewWebhook(r.secret)
		require.NoError(r.t, err)
		if err := key.VerifyIgnoringTimestamp(body, req.Header); err != nil {
			return taking{}, http.StatusUnauthorized, err.Error()
		}
		var m webhookBody
		if err := json.Unmarshal(body, &m); err != nil {
			return taking{}, http.StatusBadRequest, err.Error()
		}
		return taking{id: req.Header.Get("webhook-id"), title: m.Data.Title, text: m.Data.Text + "\n" + m.Data.URL}, 0, ""
	}
}

func firstLine(text string) string {
	line, _, _ := strings.Cut(text, "\n")
	return strings.TrimPrefix(line, "### ")
}
