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

	"github.com/wxsteward/wxsteward/internal/adminauth"
	"github.com/wxsteward/wxsteward/internal/fault"
)

// listener notes what it hears and answers what the test says.
type listener struct {
	mu    sync.Mutex
	heard []Message
	reply func(n int) error // n counts from 1
}

func (*listener) Hears(Message) bool { return true }

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

func TestMessageThatCannotBeOpenedFails(t *testing.T) {
	t.Parallel()
	p := newPlatform(t)
	_, _ = p.push(t, onComponent(), ticketXML(secretTicket, 1413192605))
	m := p.one(t)
	_, err := p.pool.Exec(t.Context(), `UPDATE message SET secret_body = 'no box'`)
	require.NoError(t, err)
	for _, last := range []bool{false, true} {
		require.Error(t, p.handleMessage(t.Context(), m.ID, last))
		m, err = p.maskedMessage(t.Context(), m.ID)
		require.NoError(t, err)
		assert.Equal(t, map[bool]string{false: StatePending, true: StateFailed}[last], m.State)
		assert.Contains(t, m.Error, "open message")
	}
}

// TestMessageWhoseJobEndedFails: a job can end without a word: its process dies in the last try, or somebody gives it up.
func TestMessageWhoseJobEndedFails(t *testing.T) {
	t.Parallel()
	p := newPlatform(t, func(c *Config) { c.MessageRetention = 24 * time.Hour })
	replica := platformOn(t, p.dbURL)
	replica.now = p.clock.Now
	o := p.office(t)
	p.clock.set(time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC))
	const discarded, dead, failing, waits, handled = "1", "2", "3", "4", "5"
	ids := map[string]int64{}
	for _, msgID := range []string{discarded, dead, failing, waits, handled} {
		_, _ = p.push(t, onBiz("wxm1"), textXML("hi", msgID))
		var id int64
		require.NoError(t, p.pool.QueryRow(t.Context(), `SELECT id FROM message WHERE msg_id = $1`, msgID).Scan(&id))
		ids[msgID] = id
	}
	job := func(msgID string) (id int64) {
		t.Helper()
		err := p.pool.QueryRow(t.Context(), `SELECT id FROM river_job WHERE args->>'message_id' = $1`, formatID(ids[msgID])).Scan(&id)
		require.NoError(t, err)
		return id
	}
	_, err := p.runner.Discard(t.Context(), job(discarded))
	require.NoError(t, err)
	_, err = p.pool.Exec(t.Context(), `UPDATE river_job SET state = 'discarded', finalized_at = now() WHERE id = $1`, job(dead))
	require.NoError(t, err)
	_, err = p.pool.Exec(t.Context(), `UPDATE message SET error = 'no such shop' WHERE id = $1`, ids[failing])
	require.NoError(t, err)
	require.NoError(t, p.handleMessage(t.Context(), ids[handled], false))
	_, err = p.pool.Exec(t.Context(), `DELETE FROM river_job WHERE id = ANY($1)`, []int64{job(failing), job(handled)})
	require.NoError(t, err)
	clean := func() {
		t.Helper()
		var group sync.WaitGroup
		for _, s := range []*platform{p, replica} {
			group.Go(func() { assert.NoError(t, (&cleanWorker{s: s.Service}).Work(t.Context(), nil)) })
		}
		group.Wait()
	}
	states := func() map[string]string {
		t.Helper()
		got := map[string]string{}
		for msgID, id := range ids {
			m, err := p.message(t.Context(), id)
			if errors.Is(err, pgx.ErrNoRows) {
				continue
			}
			require.NoError(t, err)
			got[msgID] = m.State
		}
		return got
	}
	p.clock.Add(59 * time.Minute)
	clean()
	assert.Equal(t, map[string]string{
		discarded: StatePending, dead: StatePending, failing: StatePending, waits: StatePending, handled: StateHandled,
	}, states(), "too early to tell")
	p.clock.Add(2 * time.Minute)
	clean()
	assert.Equal(t, map[string]string{
		discarded: StateFailed, dead: StateFailed, failing: StateFailed, waits: StatePending, handled: StateHandled,
	}, states())
	_, got, _ := o.call(t, adminauth.Viewer, http.MethodGet, "/messages/"+formatID(ids[failing]), "")
	assert.Equal(t, "no such shop", got["error"], "what the last try said")
	_, got, _ = o.call(t, adminauth.Viewer, http.MethodGet, "/messages/"+formatID(ids[dead]), "")
	assert.Equal(t, "The job that should handle this message ended early. Handle the message again.", got["error"])

	status, _, _ := o.call(t, adminauth.Operator, http.MethodPost, "/messages/"+formatID(ids[dead])+"/retry", "")
	require.Equal(t, http.StatusNoContent, status)
	clean()
	assert.Equal(t, StatePending, states()[dead], "its new job waits")
	for _, msgID := range []string{dead, waits} {
		require.NoError(t, p.handleMessage(t.Context(), ids[msgID], false))
	}
	p.clock.Add(48 * time.Hour)
	clean()
	assert.Empty(t, states(), "the day is not kept for ever")
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

func TestMessagesNobodyHearsMakeNoJob(t *testing.T) {
	t.Parallel()
	p := newPlatform(t)
	p.handlers = nil
	for text, on := range map[string]sealedPush{
		textXML("hi", "1"): onBiz("wxm1"), `<xml><InfoType>brand_new</InfoType></xml>`: onComponent(),
		`{"MsgType":"event","Event":"brand_new"}`: onBiz("wxm1"),
	} {
		status, _ := p.push(t, on, text)
		require.Equal(t, http.StatusOK, status)
	}
	messages, queued := p.stock(t)
	assert.Equal(t, 3, messages)
	assert.Zero(t, queued)
	var handled int
	require.NoError(t, p.pool.QueryRow(t.Context(), `SELECT count(*) FROM message WHERE state = 'handled' AND handled_at = received_at`).Scan(&handled))
	assert.Equal(t, 3, handled)
	_, _ = p.push(t, onComponent(), ticketXML(secretTicket, 1413192605))
	_, queued = p.stock(t)
	assert.Equal(t, 1, queued)
}

func TestPagesHearOfMessagesNobodyHandles(t *testing.T) {
	t.Parallel()
	p := newPlatform(t)
	p.handlers = nil
	conn, err := pgx.Connect(t.Context(), p.dbURL)
	require.NoError(t, err)
	t.Cleanup(func() { _ = conn.Close(context.Background()) })
	_, err = conn.Exec(t.Context(), `LISTEN wxsteward_live`)
	require.NoError(t, err)
	_, _ = p.push(t, onBiz("wxm1"), textXML("hi", "1"))
	n, err := conn.WaitForNotification(t.Context())
	require.NoError(t, err)
	assert.JSONEq(t, `{"kind":"message","id":"`+formatID(p.one(t).ID)+`","appid":"wxm1","state":"handled"}`, n.Payload)
}

func TestRetryByHand(t *testing.T) {
	t.Parallel()
	p := newPlatform(t)
	p.Handle(&listener{reply: func(n int) error {
		if n == 1 {
			return fault.New(fault.NotFound, "no such shop")
		}
		return nil
	}})
	o := p.office(t)
	_, _ = p.push(t, onBiz("wxm1"), textXML("hi", "1"))
	id := p.one(t).ID
	require.Error(t, p.handleMessage(t.Context(), id, true))
	retry := func(role adminauth.Role, id string) int {
		status, _, _ := o.call(t, role, http.MethodPost, "/messages/"+id+"/retry", "")
		return status
	}
	assert.Equal(t, http.StatusForbidden, retry(adminauth.Viewer, formatID(id)))
	assert.Equal(t, http.StatusNotFound, retry(adminauth.Operator, "1"))
	assert.Equal(t, http.StatusNoContent, retry(adminauth.Operator, formatID(id)))
	_, queued := p.stock(t)
	assert.Equal(t, 2, queued)
	assert.Equal(t, StatePending, p.one(t).State)
	require.NoError(t, p.handleAll(t))
	assert.Equal(t, StateHandled, p.one(t).State)
	assert.Equal(t, http.StatusConflict, retry(adminauth.Operator, formatID(id)))
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
	require.NoError(t, p.handleAll(t))
	status, _ := p.push(t, onBiz("wx570bc396a51b8ff8"), textXML("QUERY_AUTH_CODE:secret-check", "1"))
	require.Equal(t, http.StatusOK, status)
	require.Error(t, p.handleAll(t), "WeChat does not know this code")
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
	p.clock.set(time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC))
	for n := range 3 {
		_, _ = p.push(t, onBiz("wxm1"), textXML("hi", strconv.Itoa(n+1)))
	}
	_, err := p.pool.Exec(t.Context(), `UPDATE message SET state = 'handled' WHERE msg_id <> '3'`)
	require.NoError(t, err)
	count := func() int {
		require.NoError(t, p.cleanMessages(t.Context()))
		messages, _ := p.stock(t)
		return messages
	}
	p.clock.set(time.Date(2026, 3, 2, 12, 0, 0, 0, time.UTC))
	_, _ = p.push(t, onBiz("wxm1"), textXML("hi", "4"))
	p.clock.set(time.Date(2026, 3, 2, 23, 59, 0, 0, time.UTC))
	assert.Equal(t, 4, count(), "the last of that day is younger than a day")
	status, _ := p.push(t, onBiz("wxm1"), textXML("hi", "1"))
	assert.Equal(t, http.StatusOK, status)
	assert.Equal(t, 4, count(), "a copy counts as one on the next day too")

	p.clock.set(time.Date(2026, 3, 3, 0, 0, 0, 0, time.UTC))
	assert.Equal(t, 2, count(), "the young one and the one that still waits")
	days, err := partitions(t.Context(), p.pool)
	require.NoError(t, err)
	assert.Len(t, days, 2)
	_, err = p.pool.Exec(t.Context(), `UPDATE message SET state = 'handled'`)
	require.NoError(t, err)
	assert.Equal(t, 1, count())
	days, err = partitions(t.Context(), p.pool)
	require.NoError(t, err)
	assert.Equal(t, []partition{{"message_20260302", time.Date(2026, 3, 2, 0, 0, 0, 0, time.UTC)}}, days, "the whole day is gone")
	var keys int
	require.NoError(t, p.pool.QueryRow(t.Context(), `SELECT count(*) FROM message_dedupe`).Scan(&keys))
	assert.Equal(t, 1, keys, "what is gone is forgotten")
}

func TestRoomIsMadeAhead(t *testing.T) {
	t.Parallel()
	p := newPlatform(t)
	p.clock.set(time.Date(2026, 12, 30, 23, 0, 0, 0, time.UTC))
	require.NoError(t, p.makeRoom(t.Context()))
	require.NoError(t, p.makeRoom(t.Context()))
	days, err := partitions(t.Context(), p.pool)
	require.NoError(t, err)
	require.Len(t, days, 1+daysAhead)
	assert.Equal(t, "message_20261230", days[0].name)
	assert.Equal(t, "message_20270106", days[daysAhead].name)
	p.clock.set(time.Date(2027, 5, 1, 0, 0, 0, 0, time.UTC))
	status, _ := p.push(t, onBiz("wxm1"), textXML("hi", "1"))
	assert.Equal(t, http.StatusOK, status, "a day nobody has made room for")
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
