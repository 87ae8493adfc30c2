package notice

import (
	"bytes"
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"strconv"
	"time"

	standardwebhooks "github.com/standard-webhooks/standard-webhooks/libraries/go"

	"github.com/wxsteward/wxsteward/internal/sealed"
)

// The kinds of channels.
const (
	// KindWeCom is a robot of a WeCom group (企业微信群机器人, now 消息推送): Markdown of at most 4096 bytes.
	//
	// https://developer.work.weixin.qq.com/document/path/91770
	KindWeCom = "wecom"
	// KindDingTalk is a custom robot of a DingTalk group (自定义机器人), with or without 加签.
	//
	// https://open.dingtalk.com/document/robots/custom-robot-access
	KindDingTalk = "dingtalk"
	// KindFeishu is a custom robot of a Feishu or Lark group (自定义机器人), with or without 签名校验: at most 20 KB.
	//
	// https://open.feishu.cn/document/client-docs/bot-v3/add-custom-bot
	KindFeishu = "feishu"
	// KindWebhook is any address that takes JSON signed as Standard Webhooks.
	//
	// https://www.standardwebhooks.com
	KindWebhook = "webhook"
)

// maxMarkdown is what fits everywhere: WeCom takes 4096 bytes, the others more.
const maxMarkdown = 4000

// envelope is one notice for one channel.
type envelope struct {
	id    string // the same at every try
	event string
	facts facts
	at    time.Time // when it became true
	test  bool
}

// opened is a channel with its secrets.
type opened struct {
	Channel

	url    sealed.Secret
	secret sealed.Secret // zero: none
}

// request is the call that brings e to the channel, signed for this moment.
func (s *Service) request(ctx context.Context, c opened, e envelope) (*http.Request, error) {
	var body any
	address, at := c.url.Reveal(), s.now()
	header := http.Header{}
	lang := c.lang()
	words := func(shown func(text string, limit int) string) message {
		if e.test {
			return s.testMessage(c.Name, lang, shown)
		}
		return s.compose(e.event, e.facts, lang, shown)
	}
	switch c.Kind {
	case KindWeCom:
		body = map[string]any{
			"msgtype":  "markdown",
			"markdown": map[string]string{"content": words(plain).markdown(dress{"### ", "\n", maxMarkdown}, lang)},
		}
	case KindDingTalk:
		m := words(plain)
		body = map[string]any{
			"msgtype":  "markdown",
			"markdown": map[string]string{"title": m.title, "text": m.markdown(dress{"### ", "\n\n", maxMarkdown}, lang)},
		}
		signed, err := signDingTalk(address, c.secret, at)
		if err != nil {
			return nil, err
		}
		address = signed
	case KindFeishu:
		body = feishuCard(words(plain), lang, c.secret, at)
	default:
		m := words(oneLine)
		body = webhookBody{Type: e.event, Timestamp: e.at.UTC(), Data: webhookData{
			ID: e.id, Title: m.title, Text: m.text(), URL: m.link, AppID: e.facts.AppID, Count: max(e.facts.Count, 1), Language: c.Language,
		}}
	}
	raw, err := encode(body)
	if err != nil {
		return nil, err
	}
	if c.Kind == KindWebhook {
		if err := signWebhook(header, c.secret, e.id, at, raw); err != nil {
			return nil, err
		}
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, address, bytes.NewReader(raw))
	if err != nil {
		return nil, fmt.Errorf("address of channel %d cannot be used", c.ID) // the cause would show it
	}
	req.Header = header
	req.Header.Set("Content-Type", "application/json; charset=utf-8")
	req.Header.Set("User-Agent", "wxsteward")
	return req, nil
}

// encode leaves <, > and & as they are, for people to read.
func encode(body any) ([]byte, error) {
	var out bytes.Buffer
	enc := json.NewEncoder(&out)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(body); err != nil {
		return nil, err
	}
	return bytes.TrimSpace(out.Bytes()), nil
}

// signDingTalk adds timestamp (milliseconds, good for an hour) and sign to the address.
func signDingTalk(address string, secret sealed.Secret, at time.Time) (string, error) {
	if secret.IsZero() {
		return address, nil
	}
	u, err := url.Parse(address)
	if err != nil {
		return "", fmt.Errorf("address cannot be read") //nolint:perfsprint // the cause would show it
	}
	timestamp := strconv.FormatInt(at.UnixMilli(), 10)
	q := u.Query()
	q.Set("timestamp", timestamp)
	q.Set("sign", digest(secret.Reveal(), timestamp+"\n"+secret.Reveal()))
	u.RawQuery = q.Encode()
	return u.String(), nil
}

// digest is HMAC-SHA256 in base64.
func digest(key, text string) string {
	mac := hmac.New(sha256.New, []byte(key))
	mac.Write([]byte(text))
	return base64.StdEncoding.EncodeToString(mac.Sum(nil))
}

// feishuCard is a message card. Its signature is that of an empty text under the time (seconds, good for an hour) and the
// secret as the key, not the other way round as at DingTalk.
func feishuCard(m message, lang string, secret sealed.Secret, at time.Time) map[string]any {
	colour := map[tone]string{toneGood: "green", toneWarn: "orange", toneBad: "red"}[m.tone]
	body := map[string]any{
		"msg_type": "interactive",
		"card": map[string]any{
			"config": map[string]any{"wide_screen_mode": true},
			"header": map[string]any{"title": map[string]string{"tag": "plain_text", "content": m.title}, "template": colour},
			"elements": []any{
				map[string]string{"tag": "markdown", "content": m.markdown(dress{"", "\n", maxMarkdown}, lang)},
			},
		},
	}
	if !secret.IsZero() {
		timestamp := strconv.FormatInt(at.Unix(), 10)
		body["timestamp"] = timestamp
		body["sign"] = digest(timestamp+"\n"+secret.Reveal(), "")
	}
	return body
}

// webhookBody is what a plain webhook gets.
type webhookBody struct {
	Type      string      `json:"type"`
	Timestamp time.Time   `json:"timestamp"` // when it became true
	Data      webhookData `json:"data"`
}

type webhookData struct {
	ID       string `json:"id"`
	Title    string `json:"title"`
	Text     string `json:"text"`
	URL      string `json:"url"`
	AppID    string `json:"appid,omitempty"`
	Count    int    `json:"count"`
	Language string `json:"language"`
}

func signWebhook(header http.Header, secret sealed.Secret, id string, at time.Time, body []byte) error {
	key, err := standardwebhooks.NewWebhook(secret.Reveal())
	if err != nil {
		return err
	}
	signature, err := key.Sign(id, at, body)
	if err != nil {
		return err
	}
	header.Set(standardwebhooks.HeaderWebhookID, id)
	header.Set(standardwebhooks.HeaderWebhookTimestamp, strconv.FormatInt(at.Unix(), 10))
	header.Set(standardwebhooks.HeaderWebhookSignature, signature)
	return nil
}
