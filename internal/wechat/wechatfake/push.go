package wechatfake

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/wxsteward/wxsteward/internal/wechat/msgcrypt"
)

// The states of a Push.
const (
	PushPending   = "pending"
	PushDelivered = "delivered"
	PushFailed    = "failed"
)

// Push is one message WeChat sends and every answer it got.
type Push struct {
	ID       int64     `json:"id"`
	At       time.Time `json:"at"`
	Channel  string    `json:"channel"` // component (授权事件) or biz (消息与事件)
	AppID    string    `json:"appid"`   // merchant, or the component
	Type     string    `json:"type"`    // InfoType, Event or MsgType
	Plain    string    `json:"plain"`   // the content, secrets hidden
	State    string    `json:"state"`
	Attempts []Attempt `json:"attempts"`
	Reply    string    `json:"reply,omitempty"` // the decrypted passive reply
}

// Attempt is one try of a push.
type Attempt struct {
	At     time.Time `json:"at"`
	Status int       `json:"status"` // HTTP status; 0 = none
	Body   string    `json:"body"`
	Error  string    `json:"error,omitempty"`
	Millis int64     `json:"ms"`
}

const (
	channelComponent = "component"
	channelBiz       = "biz"
	keptPushes       = 500
	maxAnswer        = 64 << 10
)

// delivery is a push on its way.
type delivery struct {
	push     *Push
	address  string
	plain    []byte // the content: XML to encrypt, or cloud-run JSON
	envelope string // AppId or ToUserName
	receiver string
	openID   string
	attempts int
	finished chan struct{} // closed when it was delivered or given up
	saveThen bool          // the state must be on disk before the secret in it leaves
}

// pushComponent sends a 授权事件: once, as long as Settings.ComponentPushAttempts says nothing else. WeChat documents repeats
// for messages of users alone. A ticket is never sent again, for the next one comes soon.
func (s *Server) pushComponent(appid string, message Message) *delivery {
	d := s.newDelivery(channelComponent, appid, message.text("InfoType"), message)
	d.address, d.envelope, d.receiver, d.saveThen = s.event, "AppId", s.cfg.ComponentAppID, true
	d.attempts = max(1, s.st.Settings.ComponentPushAttempts)
	if message.text("InfoType") == "component_verify_ticket" {
		d.attempts = 1
	}
	s.launchPush(d)
	return d
}

// pushBiz sends a 消息与事件 of a merchant.
func (s *Server) pushBiz(a *account, message Message) {
	kind := message.text("Event")
	if kind == "" {
		kind = message.text("MsgType")
	}
	d := s.newDelivery(channelBiz, a.AppID, kind, message)
	d.address, d.envelope, d.receiver = strings.ReplaceAll(s.biz, "$APPID$", a.AppID), "ToUserName", a.UserName
	d.openID = message.text("FromUserName")
	s.launchPush(d)
}

func (s *Server) newDelivery(channel, appid, kind string, message Message) *delivery {
	s.st.NextPush++
	plain := message.xml()
	if s.cfg.CloudRun {
		plain = message.json(s.st.Settings.EmptyAsObject)
	}
	push := &Push{ID: s.st.NextPush, At: s.now(), Channel: channel, AppID: appid, Type: kind, Plain: s.redact(string(plain)), State: PushPending}
	s.st.Pushes = tail(append(s.st.Pushes, push), keptPushes)
	return &delivery{push: push, plain: plain, attempts: max(1, s.st.Settings.PushAttempts), finished: make(chan struct{})}
}

func (s *Server) launchPush(d *delivery) {
	s.changed()
	if s.closed {
		close(d.finished)
		return
	}
	s.wg.Go(func() {
		defer close(d.finished)
		if d.saveThen {
			if err := s.save(); err != nil {
				s.log.Error("state not saved", "error", err)
			}
		}
		s.deliver(d)
	})
}

// deliver tries until WeChat would be content: HTTP 200 with success, nothing, or a passive reply it can read.
func (s *Server) deliver(d *delivery) {
	for try := range d.attempts {
		if try > 0 && !s.pause(s.cfg.PushRetryPause) {
			break
		}
		attempt, reply, done := s.attempt(d)
		s.mu.Lock()
		d.push.Attempts = append(d.push.Attempts, attempt)
		if done {
			d.push.State, d.push.Reply = PushDelivered, reply
		}
		s.changed()
		s.mu.Unlock()
		if done {
			return
		}
		s.log.Warn("push not accepted", "type", d.push.Type, "appid", d.push.AppID, "status", attempt.Status, "try", try+1)
	}
	s.mu.Lock()
	d.push.State = PushFailed
	s.changed()
	s.mu.Unlock()
}

func (s *Server) attempt(d *delivery) (attempt Attempt, reply string, done bool) {
	started := s.now()
	attempt.At = started
	ctx, cancel := s.lifetime(s.cfg.PushTimeout)
	defer cancel()
	status, body, err := s.post(ctx, d)
	attempt.Status, attempt.Body, attempt.Millis = status, s.redact(clip(string(body), 1024)), s.now().Sub(started).Milliseconds()
	if err != nil {
		attempt.Error = err.Error()
		if address, isURL := errors.AsType[*url.Error](err); isURL {
			attempt.Error = address.Err.Error()
		}
		return attempt, "", false
	}
	text := strings.TrimSpace(string(body))
	switch {
	case status != http.StatusOK:
		return attempt, "", false
	case text == "success" || text == "":
		return attempt, "", true
	}
	reply, done = s.passiveReply(d, body)
	return attempt, reply, done
}

// passiveReply reads an encrypted reply to a message (plain JSON in cloud run); only messages may be answered so.
func (s *Server) passiveReply(d *delivery, body []byte) (string, bool) {
	if d.push.Channel != channelBiz {
		return "", false
	}
	if s.cfg.CloudRun {
		var message Message
		if message.UnmarshalJSON(body) != nil || message.text("MsgType") == "" {
			return "", false
		}
		return string(body), true
	}
	envelope, has, err := msgcrypt.ParseEnvelope(body)
	if err != nil || !has {
		return "", false
	}
	opened, err := s.cipher.Open(elementOf(body, "TimeStamp"), elementOf(body, "Nonce"), elementOf(body, "MsgSignature"), envelope.Encrypt)
	if err != nil {
		return "", false
	}
	return string(opened.Plaintext), true
}

// post sends the push once, with fresh timestamp, nonce and ciphertext.
func (s *Server) post(ctx context.Context, d *delivery) (int, []byte, error) {
	if d.address == "" {
		return 0, nil, errors.New("no address for this push")
	}
	address, err := url.Parse(d.address)
	if err != nil {
		return 0, nil, errors.New("the address of this push is no URL")
	}
	body, contentType := d.plain, "application/json"
	if !s.cfg.CloudRun {
		body, contentType, err = s.encrypted(d, address)
		if err != nil {
			return 0, nil, err
		}
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, address.String(), bytes.NewReader(body)) //nolint:gosec,nolintlint // the platform's own setting; gosec's taint analysis notices it only in some runs
	if err != nil {
		return 0, nil, err
	}
	req.Header.Set("Content-Type", contentType)
	req.Header.Set("User-Agent", "Mozilla/4.0")
	if s.cfg.CloudRun {
		req.Header.Set("X-Wx-Source", "wx_push")
	}
	resp, err := s.client.Do(req) //nolint:gosec,nolintlint // the platform's own setting; gosec's taint analysis notices it only in some runs
	if err != nil {
		return 0, nil, err
	}
	defer func() { _ = resp.Body.Close() }()
	answer, err := io.ReadAll(io.LimitReader(resp.Body, maxAnswer))
	return resp.StatusCode, answer, err
}

// encrypted builds envelope and query of 安全模式.
func (s *Server) encrypted(d *delivery, address *url.URL) (body []byte, contentType string, err error) {
	encrypt, err := s.cipher.Seal(d.plain, nil)
	if err != nil {
		return nil, "", fmt.Errorf("encrypt push: %w", err)
	}
	timestamp := strconv.FormatInt(s.now().Unix(), 10)
	nonce := strconv.FormatInt(100_000_000+rand.Int64N(900_000_000), 10) //nolint:gosec // a nonce need not be unguessable
	query := address.Query()
	query.Set("signature", msgcrypt.Signature(s.cfg.Token, timestamp, nonce))
	query.Set("timestamp", timestamp)
	query.Set("nonce", nonce)
	query.Set("encrypt_type", "aes")
	query.Set("msg_signature", msgcrypt.Signature(s.cfg.Token, timestamp, nonce, encrypt))
	if d.openID != "" {
		query.Set("openid", d.openID)
	}
	address.RawQuery = query.Encode()
	envelope := Message{{d.envelope, d.receiver}, {"Encrypt", encrypt}}
	return envelope.xml(), "text/xml", nil
}

// elementOf cuts the text of one element out of a flat XML or JSON reply.
func elementOf(body []byte, name string) string {
	var message Message
	if message.UnmarshalJSON(body) == nil {
		return message.text(name)
	}
	text := string(body)
	_, rest, found := strings.Cut(text, "<"+name+">")
	if !found {
		return ""
	}
	value, _, _ := strings.Cut(rest, "</"+name+">")
	value = strings.TrimSpace(value)
	value = strings.TrimPrefix(value, "<![CDATA[")
	return strings.TrimSuffix(value, "]]>")
}

// tickTicket pushes the ticket of a new interval, unless pushing was stopped.
func (s *Server) tickTicket() {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.st.Settings.TicketPush {
		s.pushTicketLocked()
	}
}

// PushTicket makes a new ticket and pushes it now.
func (s *Server) PushTicket() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.pushTicketLocked()
}

func (s *Server) pushTicketLocked() {
	value := s.secret("ticket@@@")
	s.st.Tickets = tail(append(s.st.Tickets, ticket{value, s.now()}), 100)
	s.pushComponent(s.cfg.ComponentAppID, Message{
		{"AppId", s.cfg.ComponentAppID},
		{"CreateTime", s.now().Unix()},
		{"InfoType", "component_verify_ticket"},
		{"ComponentVerifyTicket", value},
	})
}

// DropTickets forgets every ticket and stops pushing them, as when WeChat has given up on an address. Only
// api_start_push_ticket, PushTicket or the setting ticket_push bring them back.
func (s *Server) DropTickets() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.st.Tickets, s.st.Settings.TicketPush = nil, false
	s.changed()
}

// PushComponentEvent sends any 授权事件; AppId and CreateTime are added when missing.
func (s *Server) PushComponentEvent(message Message) {
	s.mu.Lock()
	defer s.mu.Unlock()
	head := Message{}
	if message.text("AppId") == "" {
		head = append(head, Field{"AppId", s.cfg.ComponentAppID})
	}
	if message.text("CreateTime") == "" {
		head = append(head, Field{"CreateTime", s.now().Unix()})
	}
	appid := message.text("AuthorizerAppid")
	if appid == "" {
		appid = s.cfg.ComponentAppID
	}
	s.pushComponent(appid, append(head, message...))
}

// PushMessage sends any 消息与事件 of a merchant; ToUserName, FromUserName and CreateTime are added when missing.
func (s *Server) PushMessage(appid string, message Message) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	a, err := s.merchant(appid)
	if err != nil {
		return err
	}
	head := Message{}
	if message.text("ToUserName") == "" {
		head = append(head, Field{"ToUserName", a.UserName})
	}
	if message.text("FromUserName") == "" {
		head = append(head, Field{"FromUserName", "o" + digest("user")[:27]})
	}
	if message.text("CreateTime") == "" {
		head = append(head, Field{"CreateTime", s.now().Unix()})
	}
	s.pushBiz(a, append(head, message...))
	return nil
}

// Pushes returns copies of the pushes and their answers, oldest first.
func (s *Server) Pushes() []Push {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.pushesLocked(keptPushes * 2)
}

func (s *Server) pushesLocked(limit int) []Push {
	from := max(0, len(s.st.Pushes)-limit)
	copies := make([]Push, 0, len(s.st.Pushes)-from)
	for _, push := range s.st.Pushes[from:] {
		copied := *push
		copied.Attempts = append([]Attempt{}, push.Attempts...)
		copies = append(copies, copied)
	}
	return copies
}
