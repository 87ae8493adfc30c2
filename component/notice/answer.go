package notice

import (
	"encoding/json"
	"io"
	"net/http"
	"net/url"
	"path"
	"strconv"
	"strings"
	"time"

	"github.com/wxsteward/wxsteward/internal/outbound"
)

// verdict is what follows from a try.
type verdict int

const (
	taken   verdict = iota
	again           // it may go well later
	limited         // the robot wants a pause
	refused         // trying again is no use
)

// outcome is what became of one call.
type outcome struct {
	verdict  verdict
	at       time.Time
	status   int // 0: no answer
	duration time.Duration
	failure  failure       // empty: taken
	answer   string        // the beginning of it, without our keys
	wait     time.Duration // how long the robot wants to be left alone; zero: it does not say
}

// maxAnswer is how much of an answer is read: a robot's is short.
const maxAnswer = 4 << 10

// robotAnswer is what robots say; each vendor has names of its own.
type robotAnswer struct {
	ErrCode *int   `json:"errcode"` // WeCom, DingTalk
	ErrMsg  string `json:"errmsg"`
	Code    *int   `json:"code"` // Feishu
	Msg     string `json:"msg"`
	// Feishu's answer of old.
	StatusCode    *int   `json:"StatusCode"`
	StatusMessage string `json:"StatusMessage"`
}

func (a robotAnswer) of(kind string) (code int, said string, ok bool) {
	switch {
	case kind != KindFeishu && a.ErrCode != nil:
		return *a.ErrCode, a.ErrMsg, true
	case kind == KindFeishu && a.Code != nil:
		return *a.Code, a.Msg, true
	case kind == KindFeishu && a.StatusCode != nil:
		return *a.StatusCode, a.StatusMessage, true
	}
	return 0, "", false
}

// judge reads the answer to a call. Robots answer 200 whatever they think of the message: what counts is the code inside.
func (c opened) judge(res *http.Response, o *outcome) {
	raw, err := io.ReadAll(io.LimitReader(res.Body, maxAnswer))
	o.status = res.StatusCode
	o.answer = c.redact(outbound.Printable(string(raw), maxAnswer))
	status := strconv.Itoa(res.StatusCode)
	var a robotAnswer
	code, said, known := 0, "", false
	if c.Kind != KindWebhook && err == nil && json.Unmarshal(raw, &a) == nil {
		code, said, known = a.of(c.Kind)
	}
	success := res.StatusCode >= 200 && res.StatusCode < 300
	switch {
	case known && code != 0 && judgeCode(c.Kind, code) == limited, res.StatusCode == http.StatusTooManyRequests:
		o.verdict, o.failure, o.wait = limited, failed(failLimited, ""), waitOf(res.Header)
	case known && code != 0:
		o.verdict = judgeCode(c.Kind, code)
		o.failure = failed(failRobot, c.Kind+" "+strconv.Itoa(code)+" "+c.redact(said))
	case success && (known || c.Kind == KindWebhook):
		o.verdict = taken
	case success:
		o.verdict, o.failure = again, failed(failNoRobot, "")
	case res.StatusCode >= 300 && res.StatusCode < 400:
		o.verdict, o.failure = again, failed(failRedirect, status)
	case res.StatusCode == http.StatusNotFound || res.StatusCode == http.StatusGone:
		o.verdict, o.failure = refused, failed(failStatus, status)
	default:
		o.verdict, o.failure = again, failed(failStatus, status)
	}
}

// judgeCode knows the codes after which trying again is no use, and those that ask for a pause. Any other may pass.
//
// WeCom: https://developer.work.weixin.qq.com/document/path/90313. DingTalk:
// https://open.dingtalk.com/document/robots/custom-robot-access. Feishu:
// https://open.feishu.cn/document/client-docs/bot-v3/add-custom-bot.
func judgeCode(kind string, code int) verdict {
	switch kind {
	case KindWeCom:
		switch code {
		case 45009, 45033: // too many in a minute; too many at once
			return limited
		case 93000, 93004, 93008, // no such robot; stopped; not in the group
			40008, 40058, 44004, 45002: // no good message: kind, parameter, empty, too long
			return refused
		}
	case KindDingTalk:
		switch code {
		case 130101, 410100: // too fast
			return limited
		case 300001, 400013, 400101, 400102, 400106, // no such token; group gone; no such token; stopped; no such robot
			310000,               // sign, keyword or address
			40035, 43004, 400105, // no good message: parameter, content type, kind
			430101, 430102, 430103, 430104, 460101: // unsafe link, text, picture, text; too long
			return refused
		}
	case KindFeishu:
		switch code {
		case 11232, 99991400: // too many of this robot; too many of all
			return limited
		case 9499, 19002, // no good message
			19001, 19007, // no such robot; stopped
			19021, 19022, 19024: // sign, address, keyword
			return refused
		}
	}
	return again
}

// waitOf is how long a 429 wants us to wait, at most an hour; zero when it does not say.
func waitOf(h http.Header) time.Duration {
	for _, name := range []string{"Retry-After", "X-Ogw-Ratelimit-Reset"} {
		if seconds, err := strconv.Atoi(h.Get(name)); err == nil && seconds > 0 {
			return min(time.Duration(seconds)*time.Second, time.Hour)
		}
	}
	return 0
}

// redact takes our keys out of what somebody sent back.
func (c opened) redact(text string) string {
	address := c.url.Reveal()
	keys := []string{address, c.secret.Reveal()}
	if u, err := url.Parse(address); err == nil {
		keys = append(keys, u.RawQuery, u.RequestURI(), u.Path, path.Base(u.Path))
		for _, values := range u.Query() {
			keys = append(keys, values...)
		}
	}
	for _, key := range keys {
		const least = 8 // what is shorter is no key
		if len(key) >= least {
			text = strings.ReplaceAll(text, key, "…")
		}
	}
	return text
}

// masked is what may be shown of an address: its host, and an end by which people tell two robots apart.
func masked(address string) string {
	u, err := url.Parse(address)
	if err != nil {
		return ""
	}
	const tail, least = 4, 20
	rest := u.RequestURI()
	if len(rest) < least {
		return u.Host + "/…"
	}
	return u.Host + "/…" + strings.ToValidUTF8(rest[len(rest)-tail:], "")
}
