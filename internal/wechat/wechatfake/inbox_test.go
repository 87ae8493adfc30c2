package wechatfake_test

import (
	"encoding/json"
	"encoding/xml"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"sync"
	"testing"
	"time"

	"github.com/wxsteward/wxsteward/internal/wechat/msgcrypt"
	"github.com/wxsteward/wxsteward/internal/wechat/wechattest"
)

// inbox is the platform's callback address: it opens pushes as a real receiver must and answers as it is told.
type inbox struct {
	server *httptest.Server
	cipher *msgcrypt.Cipher

	mu       sync.Mutex
	answer   func(w http.ResponseWriter, got received) // nil: success
	messages chan received
}

type received struct {
	path, query, source, contentType string
	envelope                         msgcrypt.Envelope
	encrypt                          string
	body                             []byte
	fields                           map[string]string
}

func newInbox(tb testing.TB) *inbox {
	tb.Helper()
	key, err := msgcrypt.NewKey(wechattest.Token, wechattest.EncodingAESKey)
	if err != nil {
		tb.Fatal(err)
	}
	cipher, err := msgcrypt.New(wechattest.ComponentAppID, key)
	if err != nil {
		tb.Fatal(err)
	}
	in := &inbox{cipher: cipher, messages: make(chan received, 200)}
	in.server = httptest.NewServer(http.HandlerFunc(in.receive))
	tb.Cleanup(in.server.Close)
	return in
}

func (in *inbox) reply(answer func(w http.ResponseWriter, got received)) {
	in.mu.Lock()
	defer in.mu.Unlock()
	in.answer = answer
}

func (in *inbox) receive(w http.ResponseWriter, r *http.Request) {
	body, _ := io.ReadAll(r.Body)
	got := received{path: r.URL.Path, query: r.URL.RawQuery, source: r.Header.Get("X-Wx-Source"), contentType: r.Header.Get("Content-Type"), body: body}
	if got.source == "" {
		q := r.URL.Query()
		var has bool
		var err error
		got.envelope, has, err = msgcrypt.ParseEnvelope(body)
		if err != nil || !has {
			http.Error(w, "no envelope", http.StatusBadRequest)
			return
		}
		opened, err := in.cipher.Open(q.Get("timestamp"), q.Get("nonce"), q.Get("msg_signature"), got.envelope.Encrypt)
		if err != nil {
			http.Error(w, err.Error(), http.StatusUnauthorized)
			return
		}
		got.encrypt, got.body = got.envelope.Encrypt, opened.Plaintext
	}
	got.fields = flat(got.body)
	in.messages <- got
	in.mu.Lock()
	answer := in.answer
	in.mu.Unlock()
	if answer != nil {
		answer(w, got)
		return
	}
	_, _ = w.Write([]byte("success"))
}

// flat reads the top-level texts of an XML or JSON message.
func flat(body []byte) map[string]string {
	found := map[string]string{}
	var object map[string]json.RawMessage
	if json.Unmarshal(body, &object) == nil {
		for name, raw := range object {
			var text string
			if json.Unmarshal(raw, &text) != nil {
				text = string(raw)
			}
			found[name] = text
		}
		return found
	}
	var message struct {
		Elements []struct {
			XMLName xml.Name
			Text    string `xml:",chardata"`
		} `xml:",any"`
	}
	if err := xml.Unmarshal(body, &message); err != nil && !errors.Is(err, io.EOF) {
		return found
	}
	for _, element := range message.Elements {
		found[element.XMLName.Local] = element.Text
	}
	return found
}

// next waits for the next push and checks its InfoType or Event.
func (in *inbox) next(tb testing.TB, kind string) map[string]string {
	tb.Helper()
	return in.nextRaw(tb, kind).fields
}

func (in *inbox) nextRaw(tb testing.TB, kind string) received {
	tb.Helper()
	select {
	case got := <-in.messages:
		if got.fields["InfoType"] != kind && got.fields["Event"] != kind && got.fields["MsgType"] != kind {
			tb.Fatalf("got push %v, want %s", got.fields, kind)
		}
		return got
	case <-time.After(10 * time.Second):
		tb.Fatalf("no push %s came", kind)
	}
	return received{}
}

func (in *inbox) nothing(tb testing.TB) {
	tb.Helper()
	select {
	case got := <-in.messages:
		tb.Fatalf("got push %v, want none", got.fields)
	default:
	}
}
