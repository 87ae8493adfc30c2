package component

import (
	"context"
	"encoding/hex"
	"errors"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/wxsteward/wxsteward/internal/fault"
)

// listener notes what it hears and answers what the test says.
type listener struct {
	mu    sync.Mutex
	heard []Message
	reply func(n int) error // n counts from 1
}

func (l *listener) HandleMessage(_ context.Context, m Message) error {
	l.mu.Lock()
	l.heard = append(l.heard, m)
	n := len(l.heard)
	l.mu.Unlock()
	if l.reply == nil {
		return nil
	}
	return l.reply(n)
}

func (l *listener) count() int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return len(l.heard)
}

func authorizedXML(appid string) string {
	return "<xml><AppId>" + testAppID + "</AppId><CreateTime>1413192760</CreateTime><InfoType>authorized</InfoType><AuthorizerAppid>" + appid +
		"</AuthorizerAppid><AuthorizationCode>queryauthcode@@@secret-code</AuthorizationCode><PreAuthCode><![CDATA[preauthcode@@@secret-pre]]></PreAuthCode></xml>"
}

func TestHandlersHearTheWholeMessage(t *testing.T) {
	t.Parallel()
	p := newPlatform(t)
	first, second := &listener{}, &listener{}
	p.Handle(first)
	p.Handle(second)
	p.work(t)
	status, _ := p.push(t, onComponent(), authorizedXML("wxm1"))
	require.Equal(t, http.StatusOK, status)
	eventually(t, "the message is handled", func() bool { return p.one(t).State == StateHandled })
	for _, l := range []*listener{first, second} {
		require.Equal(t, 1, l.count())
		f := l.heard[0].Fields()
		assert.Equal(t, "wxm1", l.heard[0].AppID)
		assert.Equal(t, "queryauthcode@@@secret-code", f.Text("AuthorizationCode"))
		assert.Equal(t, "preauthcode@@@secret-pre", f.Text("PreAuthCode"))
	}
}

func TestFailedHandlerIsTriedAgain(t *testing.T) {
	t.Parallel()
	p := newPlatform(t)
	flaky := &listener{reply: func(n int) error {
		switch n {
		case 1:
			return errors.New("no luck\x00 yet")
		case 2:
			panic("secret-in-a-panic")
		default:
			return nil
		}
	}}
	steady := &listener{}
	p.Handle(flaky)
	p.Handle(steady)
	status, _ := p.push(t, onBiz("wxm1"), textXML("hi", "1"))
	require.Equal(t, http.StatusOK, status)

	require.Error(t, p.handleAll(t))
	m := p.one(t)
	assert.Equal(t, StatePending, m.State)
	assert.Contains(t, m.Error, "no luck")
	assert.Equal(t, 1, steady.count(), "one failing handler does not keep the message from the others")

	p.work(t)
	eventually(t, "the panic is recorded", func() bool { return strings.Contains(p.one(t).Error, "broke off") || p.one(t).State == StateHandled })
	eventually(t, "the message is handled", func() bool { return p.one(t).State == StateHandled })
	m = p.one(t)
	assert.Empty(t, m.Error)
	assert.Equal(t, 3, flaky.count())
	assert.NotContains(t, p.logs.String(), "secret-in-a-panic")

	require.NoError(t, p.handleMessage(t.Context(), m.ID, false))
	assert.Equal(t, 3, flaky.count(), "a handled message is not handled again")
}

func TestPanicIsNamedByItsPlace(t *testing.T) {
	t.Parallel()
	err := contained(t.Context(), &listener{reply: func(int) error { panic("secret-in-a-panic") }}, Message{ID: 7})
	require.Error(t, err)
	assert.Contains(t, err.Error(), "message_test.go:")
	assert.NotContains(t, err.Error(), "secret")
}

func TestLastFailureIsFinal(t *testing.T) {
	t.Parallel()
	p := newPlatform(t)
	p.Handle(&listener{reply: func(int) error { return fault.New(fault.NotFound, "no such shop") }})
	_, _ = p.push(t, onBiz("wxm1"), textXML("hi", "1"))
	require.Error(t, p.handleMessage(t.Context(), p.one(t).ID, true))
	assert.Equal(t, StateFailed, p.one(t).State)
	assert.Equal(t, "no such shop", p.one(t).Error)
}

func TestStopOfTheProcessIsNoFailure(t *testing.T) {
	t.Parallel()
	p := newPlatform(t)
	ctx, cancel := context.WithCancel(t.Context())
	p.Handle(&listener{reply: func(int) error { cancel(); return ctx.Err() }})
	_, _ = p.push(t, onBiz("wxm1"), textXML("hi", "1"))
	require.Error(t, p.handleMessage(ctx, p.one(t).ID, true))
	assert.Equal(t, StatePending, p.one(t).State)
	assert.Empty(t, p.one(t).Error)
}

func TestUnknownKindsAreHandled(t *testing.T) {
	t.Parallel()
	p := newPlatform(t)
	_, _ = p.push(t, onComponent(), `<xml><InfoType>brand_new</InfoType></xml>`)
	require.NoError(t, p.handleAll(t))
	assert.Equal(t, StateHandled, p.one(t).State)
}

func TestTestAccountsAreNobodysMerchants(t *testing.T) {
	t.Parallel()
	p := newPlatform(t)
	l := &listener{}
	p.Handle(l)
	for _, appid := range []string{"wx570bc396a51b8ff8", "wx5910277cae6fd970"} {
		assert.True(t, IsTestAccount(appid))
		status, _ := p.push(t, onComponent(), authorizedXML(appid))
		assert.Equal(t, http.StatusOK, status)
		status, _ = p.push(t, onBiz(appid), textXML("TESTCOMPONENT_MSG_TYPE_TEXT", "1"))
		assert.Equal(t, http.StatusOK, status)
	}
	require.NoError(t, p.handleAll(t))
	assert.Zero(t, l.count())
	messages, _ := p.stock(t)
	assert.Equal(t, 4, messages, "they are on record all the same")
	assert.False(t, IsTestAccount("wxm1"))
}

// No table holds a ticket or a code in clear.
func TestSecretsAreSealed(t *testing.T) {
	t.Parallel()
	p := newPlatform(t, cloudrun)
	secrets := []string{secretTicket, "secret-code", "secret-pre", "secret-fast", "secret-check"}
	for _, body := range []string{ticketXML(secretTicket, 1413192605), authorizedXML("wxm1"), `{"InfoType":"notify_third_fasteregister","auth_code":"secret-fast"}`} {
		status, _ := p.push(t, onComponent(), body)
		require.Equal(t, http.StatusOK, status)
	}
	status, _ := p.push(t, onBiz("wx570bc396a51b8ff8"), textXML("QUERY_AUTH_CODE:secret-check", "1"))
	require.Equal(t, http.StatusOK, status)
	require.NoError(t, p.handleAll(t))
	for _, table := range []string{"message", "component_ticket", "river_job", "token"} {
		rows, err := p.pool.Query(t.Context(), `SELECT t::text FROM `+table+` t`)
		require.NoError(t, err)
		texts, err := pgx.CollectRows(rows, pgx.RowTo[string])
		require.NoError(t, err)
		all := strings.Join(texts, "\n")
		for _, secret := range secrets {
			assert.NotContains(t, all, secret, table)
			assert.NotContains(t, all, hex.EncodeToString([]byte(secret)), table)
			assert.NotContains(t, p.logs.String(), secret)
		}
	}
	ticket, err := p.Ticket(t.Context())
	require.NoError(t, err)
	assert.Equal(t, secretTicket, ticket.Value.Reveal())
}

func TestOldMessagesAreRemoved(t *testing.T) {
	t.Parallel()
	p := newPlatform(t, func(c *Config) { c.MessageRetention = 24 * time.Hour })
	for n := range 3 {
		_, _ = p.push(t, onBiz("wxm1"), textXML("hi", strconv.Itoa(n+1)))
	}
	_, err := p.pool.Exec(t.Context(), `UPDATE message SET state = 'handled' WHERE msg_id <> '3'`)
	require.NoError(t, err)
	p.clock.Add(23 * time.Hour)
	_, _ = p.push(t, onBiz("wxm1"), textXML("hi", "4"))
	require.NoError(t, p.cleanMessages(t.Context()))
	messages, _ := p.stock(t)
	assert.Equal(t, 4, messages)
	p.clock.Add(2 * time.Hour)
	require.NoError(t, p.cleanMessages(t.Context()))
	messages, _ = p.stock(t)
	assert.Equal(t, 2, messages, "the young one and the one that still waits")
}

func TestNewsIsPublished(t *testing.T) {
	t.Parallel()
	p := newPlatform(t)
	conn, err := pgx.Connect(t.Context(), p.dbURL)
	require.NoError(t, err)
	t.Cleanup(func() { _ = conn.Close(context.Background()) })
	_, err = conn.Exec(t.Context(), `LISTEN wxsteward_live`)
	require.NoError(t, err)
	_, _ = p.push(t, onComponent(), ticketXML(secretTicket, 1413192605))
	require.NoError(t, p.handleAll(t))
	var got []string
	for len(got) < 2 {
		n, err := conn.WaitForNotification(t.Context())
		require.NoError(t, err)
		got = append(got, n.Payload)
	}
	assert.Equal(t, []string{
		`{"kind":"ticket","id":"` + testAppID + `","state":"received"}`,
		`{"kind":"message","id":"` + formatID(p.one(t).ID) + `","appid":"` + testAppID + `","state":"handled"}`,
	}, got)
}

func TestMessagePauses(t *testing.T) {
	t.Parallel()
	assert.Equal(t, time.Second, messagePause(1))
	assert.Equal(t, 4*time.Second, messagePause(3))
	assert.Equal(t, 10*time.Minute, messagePause(19))
	assert.Equal(t, 10*time.Minute, messagePause(1000))
	var all time.Duration
	for attempt := range messageTries {
		all += messagePause(attempt + 1)
	}
	assert.Greater(t, all, time.Hour, "an authorization code lives up to an hour")
}
