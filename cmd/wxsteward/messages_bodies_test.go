package main

import (
	"encoding/json"
	"encoding/xml"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/stretchr/testify/require"
)

// TestOddBodiesArriveWhole pushes what WeChat and forwarders may send, plain and encrypted: it is stored, shown in the API and
// delivered in both formats, as text that every reader takes.
func TestOddBodiesArriveWhole(t *testing.T) { //nolint:tparallel // one program for all of them
	t.Parallel()
	w := servingWorld(t)
	w.start()
	o := newOperator(t, w.base)
	o.signIn()
	b := newTarget(t)
	for _, format := range []string{"json", "xml"} {
		o.addRule(map[string]any{"name": format, "enabled": true, "channel": "biz", "target_url": b.URL + "/" + format, "mode": "deliver", "format": format})
	}
	p := newPusher(t)
	xmlText := func(content string) string {
		return "<xml><ToUserName>gh_1</ToUserName><FromUserName>ouser</FromUserName><CreateTime>1700000000</CreateTime><MsgType>text</MsgType><Content><![CDATA[" +
			content + "]]></Content><MsgId>MSGID</MsgId></xml>"
	}
	jsonText := func(content string) string {
		return `{"ToUserName":"gh_1","FromUserName":"ouser","CreateTime":1700000000,"MsgType":"text","Content":"` + content + `","MsgId":MSGID}`
	}
	const limit = 1 << 20
	const odd = "\uFFFD"
	for i, test := range []struct {
		name, body string
		want       string // Content in deliveries; empty: only that it is there
	}{
		{"emoji and four-byte text in XML", xmlText("你好😀𠮷👨‍👩‍👧 é"), "你好😀𠮷👨‍👩‍👧 é"},
		{"emoji and four-byte text in JSON", jsonText("你好😀𠮷👨‍👩‍👧 é"), "你好😀𠮷👨‍👩‍👧 é"},
		{"emoji as escapes", jsonText(`\u4f60\ud83d\ude00`), "你😀"},
		{"NUL in XML", xmlText("a\x00b"), "a" + odd + "b"},
		{"NUL as an escape", jsonText(`a\u0000b`), ""},
		{"a bare NUL in JSON", jsonText("a\x00b"), "a" + odd + "b"},
		{"control characters", xmlText("a\x01\x1f\x0bb"), "a" + odd + odd + odd + "b"},
		{"a lone surrogate", jsonText(`a\ud800b`), "a" + odd + "b"},
		{"the wrong half of a pair", jsonText(`a\udc00\ud83db`), ""},
		{"bytes that are no UTF-8", xmlText("a\xff\xfeb"), ""},
		{"a byte order mark", "\xef\xbb\xbf" + xmlText("hi"), "hi"},
		{"an end of CDATA", xmlText("a]]]]><![CDATA[>b"), "a]]>b"},
		{"markup in JSON", jsonText(`<b>&amp;</b>]]>`), "<b>&amp;</b>]]>"},
		{"white space around", "\r\n " + xmlText("hi") + "\r\n", "hi"},
		{"half a MiB", bodyOf(xmlText("FILL"), limit/2), ""},
	} {
		for n, make := range []func(address, message string) *http.Request{p.encrypted, p.plain} {
			msgID := strconv.Itoa(8000000 + 10*i + n)
			t.Run(test.name+map[int]string{0: ", encrypted", 1: ", plain"}[n], func(t *testing.T) { //nolint:paralleltest // one program
				p.accept(make(w.base+bizAddress, strings.Replace(test.body, "MSGID", msgID, 1)))
				content := arrived(t, o, b, msgID)
				if test.want != "" {
					require.Equal(t, test.want, content)
				}
			})
		}
	}

	t.Run("1 MiB exactly", func(t *testing.T) { //nolint:paralleltest // one program
		p.accept(p.plain(w.base+bizAddress, bodyOf(strings.Replace(jsonText("FILL"), "MSGID", "71", 1), limit)))
		require.Greater(t, len(arrived(t, o, b, "71")), limit-200)
		a := p.send(p.plain(w.base+bizAddress, bodyOf(strings.Replace(jsonText("FILL"), "MSGID", "72", 1), limit+1)))
		require.Equal(t, http.StatusRequestEntityTooLarge, a.status)
	})
	t.Run("1 MiB of envelope", func(t *testing.T) { //nolint:paralleltest // one program
		good := p.encrypted(w.base+bizAddress, bodyOf(strings.Replace(xmlText("FILL"), "MSGID", "73", 1), limit*3/4-400))
		envelope := string(bodyBytes(t, good))
		require.Less(t, len(envelope), limit)
		space := strings.Repeat(" ", limit-len(envelope))
		a := p.send(p.request(good.URL.String(), envelope+space+" "))
		require.Equal(t, http.StatusRequestEntityTooLarge, a.status)
		p.accept(p.request(good.URL.String(), envelope+space))
		arrived(t, o, b, "73")
	})
	t.Run("chunks of unknown length", func(t *testing.T) { //nolint:paralleltest // one program
		chunked := func(body string) *http.Request {
			r := p.plain(w.base+bizAddress, "")
			r.Body, r.ContentLength, r.GetBody = io.NopCloser(io.MultiReader(strings.NewReader(body[:7]), strings.NewReader(body[7:]))), -1, nil
			return r
		}
		p.accept(chunked(strings.Replace(jsonText("in pieces"), "MSGID", "74", 1)))
		require.Equal(t, "in pieces", arrived(t, o, b, "74"))
		p.accept(chunked(bodyOf(strings.Replace(jsonText("FILL"), "MSGID", "75", 1), limit)))
		arrived(t, o, b, "75")
		a := p.send(chunked(bodyOf(strings.Replace(jsonText("FILL"), "MSGID", "76", 1), limit+1)))
		require.Equal(t, http.StatusRequestEntityTooLarge, a.status)
	})
	t.Run("numbers as texts and texts as numbers", func(t *testing.T) { //nolint:paralleltest // one program
		for i, body := range []string{
			`{"MsgType":"text","Content":12345,"CreateTime":"1700000000","MsgId":"%s","FromUserName":777}`,
			`{"MsgType":"text","Content":"12345","CreateTime":1700000000,"MsgId":%s,"FromUserName":"777"}`,
			`{"MsgType":"text","Content":"12345","CreateTime":1.7e9,"MsgId":%s,"FromUserName":"777"}`,
			`<xml><MsgType>text</MsgType><Content>12345</Content><CreateTime>"1700000000"</CreateTime><MsgId> %s </MsgId><FromUserName>777</FromUserName></xml>`,
		} {
			msgID := "922337203685477580" + strconv.Itoa(i) // near the end of 64 bits: no float may touch it
			p.accept(p.plain(w.base+bizAddress, fmt.Sprintf(body, msgID)))
			m := messageOf(t, o, msgID)
			require.Equal(t, "2023-11-14T22:13:20Z", m.CreatedAt, body)
			require.Equal(t, "777", m.FromUser, body)
			arrived(t, o, b, msgID)
		}
		before := len(messagesOf(t, o))
		p.accept(p.plain(w.base+bizAddress, `{"MsgType":"text","Content":"a copy","MsgId":9223372036854775800}`))
		require.Len(t, messagesOf(t, o), before, "a MsgId is the same as number and as text")
	})
}

type storedMessage struct {
	ID        string
	MsgID     string `json:"msg_id"`
	FromUser  string `json:"from_user"`
	CreatedAt string `json:"created_at"`
	Body      string
}

func messagesOf(t *testing.T, o *operator) []storedMessage {
	t.Helper()
	var list page[storedMessage]
	o.call(http.MethodGet, "/messages?limit=200&appid="+forwardMerchant, nil, &list)
	return list.Items
}

// messageOf is a stored message with its body.
func messageOf(t *testing.T, o *operator, msgID string) (m storedMessage) {
	t.Helper()
	for _, m = range messagesOf(t, o) {
		if m.MsgID == msgID {
			o.call(http.MethodGet, "/messages/"+m.ID, nil, &m)
			return m
		}
	}
	require.Fail(t, "no message "+msgID)
	return m
}

// arrived waits until both rules have delivered a message, and gives its content, which must be the same in both.
func arrived(t *testing.T, o *operator, b *target, msgID string) (content string) {
	t.Helper()
	m := messageOf(t, o, msgID)
	require.NotEmpty(t, m.Body)
	require.True(t, utf8.ValidString(m.Body))
	var list page[deliveryAnswer]
	eventually(t, "delivered by both rules", func() (bool, string) {
		o.call(http.MethodGet, "/deliveries?state=delivered&message_id="+m.ID, nil, &list)
		return len(list.Items) == 2, fmt.Sprintf("%+v", list.Items)
	})
	contents := map[string]string{}
	for _, h := range b.taken() {
		if h.id != list.Items[0].ID && h.id != list.Items[1].ID {
			continue
		}
		require.True(t, utf8.Valid(h.body), "%q", h.body)
		var inJSON struct{ Content any }
		var inXML struct{ Content string }
		if h.path == "/json" {
			require.NoError(t, json.Unmarshal(h.body, &inJSON))
			contents[h.path] = fmt.Sprint(inJSON.Content)
		} else {
			require.NoError(t, xml.Unmarshal(h.body, &inXML))
			contents[h.path] = inXML.Content
		}
	}
	require.Len(t, contents, 2)
	// XML cannot hold NUL, so it has a replacement there; numbers read as floats are no matter here.
	asXML := strings.ReplaceAll(contents["/json"], "\x00", string(utf8.RuneError))
	if asXML != "12345" {
		require.Equal(t, asXML, contents["/xml"])
	}
	return contents["/json"]
}
