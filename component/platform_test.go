package component

import (
	"bytes"
	"context"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/labstack/echo/v4"
	"github.com/stretchr/testify/require"

	"github.com/wxsteward/wxsteward/internal/jobs"
	"github.com/wxsteward/wxsteward/internal/postgres"
	"github.com/wxsteward/wxsteward/internal/postgres/postgrestest"
	"github.com/wxsteward/wxsteward/internal/sealed"
	"github.com/wxsteward/wxsteward/internal/settings"
	"github.com/wxsteward/wxsteward/internal/tokenstore"
	"github.com/wxsteward/wxsteward/internal/wechat"
	"github.com/wxsteward/wxsteward/internal/wechat/msgcrypt"
	"github.com/wxsteward/wxsteward/internal/wechat/wechatfake"
	"github.com/wxsteward/wxsteward/migrations"
)

const (
	testAppID    = "wxc0mp0nent000001"
	testSecret   = "0123456789abcdef0123456789abcdef"
	testToken    = "messagetoken1"
	testAESKey   = "abcdefghijklmnopqrstuvwxyz0123456789ABCDEFG"
	otherAESKey  = "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789abcdefg"
	otherToken   = "messagetoken2"
	secretTicket = "ticket@@@very-secret-ticket"
)

// clock is a time that tests set.
type clock struct {
	mu sync.Mutex
	at time.Time
}

func (c *clock) Now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.at
}

func (c *clock) Add(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.at = c.at.Add(d)
}

func (c *clock) set(at time.Time) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.at = at
}

// platform is a Service with a database of its own, a WeChat and its callback addresses on loopback.
type platform struct {
	*Service
	pool   *pgxpool.Pool
	dbURL  string
	runner *jobs.Runner
	clock  *clock
	wechat *wechatfake.Server
	server *httptest.Server
	api    *httptest.Server // of wechat
	logs   *syncBuffer
}

type syncBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (b *syncBuffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.b.Write(p)
}

func (b *syncBuffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.b.String()
}

func newPlatform(t *testing.T, options ...func(*Config)) *platform {
	t.Helper()
	return platformOn(t, postgrestest.URL(t), options...)
}

// platformOn makes one more replica on a database.
func platformOn(t *testing.T, dbURL string, options ...func(*Config)) *platform {
	t.Helper()
	p := &platform{dbURL: dbURL, pool: postgrestest.Open(t, dbURL), clock: &clock{at: time.Now()}, logs: &syncBuffer{}}
	logger := slog.New(slog.NewTextHandler(p.logs, nil))
	keys, err := sealed.NewKeyring("MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY=")
	require.NoError(t, err)
	p.runner, err = jobs.New(p.pool, jobs.Config{Logger: logger})
	require.NoError(t, err)
	cfg := Config{
		AppID: testAppID, Mode: ModeServer, Transport: "token", Now: p.clock.Now, Logger: logger,
		EnvSecret: sealed.New(testSecret), EnvMessageToken: sealed.New(testToken), EnvAESKey: sealed.New(testAESKey),
	}
	for _, option := range options {
		option(&cfg)
	}
	p.wechat, err = wechatfake.New(wechatfake.Config{
		ComponentAppID: testAppID, ComponentSecret: testSecret, Token: testToken, EncodingAESKey: testAESKey,
		TicketInterval: -1, CloudRun: cfg.Mode == ModeCloudRun, PushRetryPause: 500 * time.Millisecond,
	})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, p.wechat.Close()) })
	p.api = httptest.NewServer(p.wechat)
	t.Cleanup(p.api.Close)
	p.Service = New(cfg, Deps{
		DB: p.pool, Keys: keys, Settings: settings.New(p.pool, keys), Queue: p.runner,
		Tokens: tokenstore.New(p.pool, keys, p.clock.Now, logger),
		WeChat: wechat.New(wechat.Config{
			AppID: testAppID, BaseURL: p.api.URL, Transport: cfg.Transport, CloudTokenFile: cfg.CloudTokenFile,
			Observe: func(_ context.Context, c wechat.Call) { p.Called(c) },
		}),
	})
	p.Handle(&listener{}) // so that every message makes a job; see TestMessagesNobodyHearsMakeNoJob
	require.NoError(t, p.RegisterJobs(p.runner))
	e := echo.New()
	p.RegisterRoutes(e)
	p.server = httptest.NewServer(e)
	t.Cleanup(p.server.Close)
	p.wechat.SetPushURLs(p.server.URL+"/wxcallback/component", p.server.URL+"/wxcallback/biz/$APPID$")
	return p
}

// migrate brings a database of the test's own up to date.
func migrate(tb testing.TB, dbURL string) {
	tb.Helper()
	pool, err := postgres.Open(context.Background(), sealed.New(dbURL), postgres.PoolConfig{})
	require.NoError(tb, err)
	defer pool.Close()
	require.NoError(tb, migrations.Up(context.Background(), pool, slog.New(slog.DiscardHandler)))
}

func stored(c *Config) {
	c.EnvSecret, c.EnvMessageToken, c.EnvAESKey = sealed.Secret{}, sealed.Secret{}, sealed.Secret{}
}

func cloudrun(c *Config) { c.Mode = ModeCloudRun }

// work starts the jobs until the test ends.
func (p *platform) work(t *testing.T) {
	t.Helper()
	require.NoError(t, p.runner.Start(t.Context()))
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
		defer cancel()
		require.NoError(t, p.runner.Stop(ctx))
	})
}

// sealedPush is an encrypted push as WeChat sends it.
type sealedPush struct {
	path, token, aesKey, receiver string
	json                          bool
	timestamp                     string
}

func onComponent() sealedPush {
	return sealedPush{path: "/wxcallback/component", token: testToken, aesKey: testAESKey, receiver: testAppID, timestamp: "1413192605"}
}

func onBiz(appid string) sealedPush {
	s := onComponent()
	s.path = "/wxcallback/biz/" + appid
	return s
}

func (s sealedPush) request(t *testing.T, base, plaintext string) *http.Request {
	t.Helper()
	key, err := msgcrypt.NewKey(s.token, s.aesKey)
	require.NoError(t, err)
	c, err := msgcrypt.New(s.receiver, key)
	require.NoError(t, err)
	encrypt, err := c.Seal([]byte(plaintext), nil)
	require.NoError(t, err)
	query := url.Values{
		"timestamp": {s.timestamp}, "nonce": {"4711"}, "encrypt_type": {"aes"},
		"signature":     {msgcrypt.Signature(s.token, s.timestamp, "4711")},
		"msg_signature": {msgcrypt.Signature(s.token, s.timestamp, "4711", encrypt)},
	}
	envelope := "<xml><AppId><![CDATA[" + s.receiver + "]]></AppId><Encrypt><![CDATA[" + encrypt + "]]></Encrypt></xml>"
	if s.json {
		envelope = `{"ToUserName":"gh_1","Encrypt":"` + encrypt + `"}`
	}
	return post(t, base+s.path+"?"+query.Encode(), envelope)
}

func post(t *testing.T, address, body string) *http.Request {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), http.MethodPost, address, strings.NewReader(body))
	require.NoError(t, err)
	return r
}

// do gives status and body of the answer.
func do(t *testing.T, r *http.Request) (int, string) {
	t.Helper()
	res, err := http.DefaultClient.Do(r)
	require.NoError(t, err)
	defer func() { _ = res.Body.Close() }()
	body, err := io.ReadAll(res.Body)
	require.NoError(t, err)
	return res.StatusCode, string(body)
}

func (p *platform) push(t *testing.T, s sealedPush, plaintext string) (int, string) {
	t.Helper()
	return do(t, s.request(t, p.server.URL, plaintext))
}

func ticketXML(ticket string, createTime int64) string {
	return "<xml><AppId><![CDATA[" + testAppID + "]]></AppId><CreateTime>" + strconv.FormatInt(createTime, 10) +
		"</CreateTime><InfoType><![CDATA[component_verify_ticket]]></InfoType><ComponentVerifyTicket><![CDATA[" + ticket + "]]></ComponentVerifyTicket></xml>"
}

func textXML(content, msgID string) string {
	return "<xml><ToUserName><![CDATA[gh_1]]></ToUserName><FromUserName><![CDATA[user1]]></FromUserName><CreateTime>1413192605</CreateTime>" +
		"<MsgType><![CDATA[text]]></MsgType><Content><![CDATA[" + content + "]]></Content><MsgId>" + msgID + "</MsgId></xml>"
}

// stock is what the database holds after a push.
func (p *platform) stock(t *testing.T) (messages, queued int) {
	t.Helper()
	err := p.pool.QueryRow(t.Context(), `SELECT (SELECT count(*) FROM message), (SELECT count(*) FROM river_job WHERE kind = 'component_message')`).
		Scan(&messages, &queued)
	require.NoError(t, err)
	return messages, queued
}

// one gives the only message there is.
func (p *platform) one(t *testing.T) Message {
	t.Helper()
	var id int64
	require.NoError(t, p.pool.QueryRow(t.Context(), `SELECT id FROM message`).Scan(&id))
	m, err := p.message(t.Context(), id)
	require.NoError(t, err)
	return m
}

// handleAll handles what is queued, without a worker.
func (p *platform) handleAll(t *testing.T) error {
	t.Helper()
	rows, err := p.pool.Query(t.Context(), `SELECT id FROM message WHERE state = 'pending' ORDER BY id`)
	require.NoError(t, err)
	ids, err := pgx.CollectRows(rows, pgx.RowTo[int64])
	require.NoError(t, err)
	for _, id := range ids {
		if err := p.handleMessage(t.Context(), id, false); err != nil {
			return err
		}
	}
	return nil
}

// cutDatabase ends every connection to the database and refuses new ones, until the function it returns is called.
func (p *platform) cutDatabase(t *testing.T) (restore func()) {
	t.Helper()
	admin, err := url.Parse(p.dbURL)
	require.NoError(t, err)
	name := strings.TrimPrefix(admin.Path, "/")
	admin.Path = "/postgres"
	conn, err := pgx.Connect(t.Context(), admin.String())
	require.NoError(t, err)
	t.Cleanup(func() { _ = conn.Close(context.Background()) })
	allow := func(yes string) {
		_, err := conn.Exec(context.Background(), `ALTER DATABASE `+pgx.Identifier{name}.Sanitize()+` ALLOW_CONNECTIONS `+yes)
		require.NoError(t, err)
	}
	allow("false")
	_, err = conn.Exec(t.Context(), `SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = $1`, name)
	require.NoError(t, err)
	return func() { allow("true") }
}

// eventually waits for what a background job does.
func eventually(t *testing.T, what string, done func() bool) {
	t.Helper()
	require.Eventually(t, done, 20*time.Second, 20*time.Millisecond, what)
}
