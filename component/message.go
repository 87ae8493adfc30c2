package component

import (
	"context"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"runtime/debug"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/jackc/pgx/v5"

	"github.com/wxsteward/wxsteward/internal/fault"
	"github.com/wxsteward/wxsteward/internal/live"
	"github.com/wxsteward/wxsteward/internal/sealed"
)

// The two addresses WeChat pushes to.
const (
	ChannelComponent = "component" // 授权事件: about the platform and its authorizations
	ChannelBiz       = "biz"       // 消息与事件: from a merchant's users, and about the merchant
)

// The states of a stored message.
const (
	StatePending = "pending" // not handled yet; error says why the last try failed
	StateHandled = "handled"
	StateFailed  = "failed" // given up; error says why
)

// messagePurpose binds sealed bodies to their table.
const messagePurpose = "component/message"

// Message is one push as it was stored.
type Message struct {
	ID      int64
	Channel string // ChannelComponent or ChannelBiz
	// AppID is the merchant the message is about; for messages about the platform itself it is the component appid.
	AppID      string
	InfoType   string // kind of a 授权事件, such as "authorized"; empty on others
	MsgType    string // kind of a 消息与事件, such as "text" or "event"; empty on others
	Event      string // kind of event where MsgType is "event"
	FromUser   string
	ToUser     string
	MsgID      string
	CreatedAt  time.Time // WeChat's CreateTime; zero where there is none
	ReceivedAt time.Time
	Body       []byte // decrypted, whole, with its secrets: not for logs

	State string
	Error string
}

// Fields reads the body. A stored message was readable when it came; if it is not, there are no fields.
func (m Message) Fields() Fields {
	f, err := parseFields(legible(m.Body))
	if err != nil {
		return Fields{}
	}
	return f
}

// incoming is a message on its way into the database.
type incoming struct {
	Message
	dedupeKey  []byte
	maskedBody string // what everybody who may read messages can see
	secretBody []byte // the whole body sealed, where maskedBody is not it
}

// newIncoming makes a message of what was pushed. It fails with ErrNotAMessage.
func (s *Service) newIncoming(channel, appid string, o authentic) (_ incoming, err error) {
	text, f, plaintext := o.text, o.fields, o.plaintext
	m := Message{
		Channel:    channel,
		AppID:      short(appid),
		InfoType:   short(f.Text("InfoType")),
		MsgType:    short(f.Text("MsgType")),
		Event:      short(f.Text("Event")),
		FromUser:   short(f.Text("FromUserName")),
		ToUser:     short(f.Text("ToUserName")),
		MsgID:      short(f.Text("MsgId")),
		ReceivedAt: s.now(),
		Body:       plaintext,
		State:      StatePending,
	}
	if m.InfoType == "" && m.MsgType == "" && m.Event == "" {
		return incoming{}, ErrNotAMessage
	}
	if channel == ChannelComponent {
		m.AppID = short(subject(f))
	}
	if n, ok := f.Int("CreateTime"); ok && n > 0 && n < 1<<37 { // about the year 6300, well inside what a timestamp can hold
		m.CreatedAt = time.Unix(n, 0)
	}
	in := incoming{Message: m, dedupeKey: dedupeKey(m, f.Text("MsgId"), plaintext), maskedBody: text}
	var secrets bool
	if mayHoldSecrets(text, f) {
		if in.maskedBody, secrets, err = maskSecrets(text); err != nil {
			return incoming{}, err
		}
	}
	if secrets || text != string(plaintext) {
		if in.secretBody, err = s.deps.Keys.Seal(sealed.New(string(plaintext)), messagePurpose); err != nil {
			return incoming{}, fmt.Errorf("seal message: %w", err)
		}
	}
	if !s.heard(in.Message) {
		in.State = StateHandled // there is nothing to do
	}
	return in, nil
}

// heard reports whether something of ours has to handle a message.
func (s *Service) heard(m Message) bool {
	if m.Channel == ChannelComponent && m.InfoType == infoTypeTicket {
		return true
	}
	if IsTestAccount(m.AppID) {
		_, ok := checkCode(m)
		return ok
	}
	return slices.ContainsFunc(s.handlers, func(h EventHandler) bool { return h.Hears(m) })
}

// subject finds the merchant that a 授权事件 is about, in the spellings WeChat uses, else the platform itself.
func subject(f Fields) string {
	for _, name := range []string{"AuthorizerAppid", "authorizer_appid", "appid", "verify_appid", "AppId"} {
		if appid := f.Text(name); appid != "" {
			return appid
		}
	}
	return ""
}

// dedupeKey is the same for all copies of one push: channel, appid and WeChat's MsgId where there is one, else the plaintext
// itself. The envelope does not count: a repeated push may be encrypted anew. What stands in front, and follows from the rest,
// keeps keys of one time together, so that the index over all of them stays quick.
func dedupeKey(m Message, msgID string, plaintext []byte) []byte {
	front, what := uint64(0), "id\x00"+msgID
	if msgID == "" || msgID == "0" {
		sum := sha256.Sum256(plaintext)
		what = "sum\x00" + string(sum[:])
		front = uint64(max(0, m.CreatedAt.Unix()))
	} else if n, err := strconv.ParseUint(msgID, 10, 64); err == nil {
		front = n
	}
	sum := sha256.Sum256([]byte(m.Channel + "\x00" + m.AppID + "\x00" + what))
	const enough = 16 // bytes that nobody hits by chance
	return append(binary.BigEndian.AppendUint64(make([]byte, 0, 8+enough), front), sum[:enough]...)
}

// short cuts text so that an index can hold it; WeChat's own ids and kinds are far below. NUL may come from JSON escapes.
func short(text string) string {
	const limit = 200
	text = strings.ReplaceAll(text, "\x00", string(utf8.RuneError))
	if len(text) <= limit {
		return text
	}
	return strings.ToValidUTF8(text[:limit], "")
}

// errGiveUp marks failures that another try cannot mend.
var errGiveUp = errors.New("not tried again")

// handleMessage does everything that follows from a stored message. last says that nobody will try again. The error, also of
// reading the message, is recorded beside it, unless ctx was cancelled: a stop of the process is nobody's fault.
func (s *Service) handleMessage(ctx context.Context, id int64, last bool) error {
	m, err := s.message(ctx, id)
	if errors.Is(err, pgx.ErrNoRows) {
		return nil // removed meanwhile, by age
	}
	if m.State == StateHandled {
		return nil
	}
	m.ID = id
	failure := err
	if failure == nil {
		failure = s.work(ctx, m)
	}
	if failure != nil && errors.Is(ctx.Err(), context.Canceled) {
		return failure
	}
	m.State, m.Error = StateHandled, ""
	if failure != nil {
		m.Error = errorText(failure)
		m.State = StatePending
		if last || errors.Is(failure, errGiveUp) {
			m.State = StateFailed
		}
	}
	const recordTimeout = 10 * time.Second
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), recordTimeout)
	defer cancel()
	err = pgx.BeginFunc(ctx, s.deps.DB, func(tx pgx.Tx) error {
		if err := setMessageState(ctx, tx, m, s.now()); err != nil {
			return err
		}
		return live.Publish(ctx, tx, live.Event{Kind: "message", ID: formatID(m.ID), AppID: m.AppID, State: m.State})
	})
	return errors.Join(failure, err)
}

// RetryMessage has a message handled again that failed or waits for its next try. It fails with fault.NotFound, and with
// fault.Conflict when the message is handled.
func (s *Service) RetryMessage(ctx context.Context, id int64) error {
	return pgx.BeginFunc(ctx, s.deps.DB, func(tx pgx.Tx) error {
		state, err := reopenMessage(ctx, tx, id)
		switch {
		case errors.Is(err, pgx.ErrNoRows):
			return fault.New(fault.NotFound, "")
		case err != nil:
			return fmt.Errorf("retry message %d: %w", id, err)
		case state == StateHandled:
			return fault.New(fault.Conflict, "This message has been handled. Only one that failed or waits can be handled again.")
		}
		return s.enqueueMessages(ctx, tx, id)
	})
}

// work runs the ticket part and then every handler, also when one of them fails.
func (s *Service) work(ctx context.Context, m Message) error {
	if m.Channel == ChannelComponent && m.InfoType == infoTypeTicket {
		if err := s.takeTicket(ctx, m); err != nil {
			return err
		}
	}
	if IsTestAccount(m.AppID) {
		return s.answerCheck(ctx, m) // WeChat's own accounts are nobody's merchants
	}
	var failures []error
	for _, h := range s.handlers {
		if !h.Hears(m) {
			continue
		}
		failures = append(failures, contained(ctx, h, m))
	}
	return errors.Join(failures...)
}

// contained turns a panic into a failure, so that it is recorded like any other. The text of a panic may hold anything, so
// only its place is kept.
func contained(ctx context.Context, h EventHandler, m Message) (err error) {
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("handling message %d broke off with %T at %s", m.ID, p, panicPlace(string(debug.Stack())))
		}
	}()
	return h.HandleMessage(ctx, m)
}

// panicPlace finds the line of a stack below the call of panic.
func panicPlace(stack string) string {
	_, below, _ := strings.Cut(stack, "\npanic(")
	lines := strings.Split(below, "\n")
	const frame = 3 // rest of the panic line, its file, the function, its file
	if len(lines) <= frame {
		return "an unknown place"
	}
	place, _, _ := strings.Cut(strings.TrimSpace(lines[frame]), " ")
	return place
}

// errorText is what administrators read; it fits a table and PostgreSQL.
func errorText(err error) string {
	const limit = 2000
	text := legible([]byte(err.Error()))
	if len(text) > limit {
		text = strings.ToValidUTF8(text[:limit], "") + "…"
	}
	return text
}
