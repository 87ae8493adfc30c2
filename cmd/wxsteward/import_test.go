package main

import (
	"bytes"
	"context"
	"database/sql"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/stretchr/testify/require"

	"github.com/wxsteward/wxsteward/internal/wechat/wechatfake"
	"github.com/wxsteward/wxsteward/internal/wechat/wechattest"
)

// peer plays 服务商微管家: it is pushed by WeChat, and keeps in MariaDB what the real one keeps.
type peer struct {
	t   *testing.T
	db  *sql.DB
	api string // of WeChat

	mu     sync.Mutex
	token  string
	ticket string
}

func (p *peer) exec(q string, args ...any) error {
	_, err := p.db.ExecContext(context.Background(), q, args...)
	return err
}

// ServeHTTP takes a push as in Cloud Run.
func (p *peer) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	text, err := io.ReadAll(r.Body)
	if err == nil {
		err = p.pushed(r.URL.Path, text)
	}
	if err != nil {
		p.t.Error(err)
		http.Error(w, "", http.StatusInternalServerError)
		return
	}
	_, _ = io.WriteString(w, "success")
}

func (p *peer) pushed(path string, text []byte) error {
	var m struct {
		CreateTime                                                int64
		InfoType, ComponentVerifyTicket, AuthorizationCode        string
		AuthorizerAppid, ToUserName, MsgType, Event, FromUserName string
	}
	if err := json.Unmarshal(text, &m); err != nil {
		return err
	}
	created := time.Unix(m.CreateTime, 0)
	if appid, ok := strings.CutPrefix(path, "/wxcallback/biz/"); ok {
		return p.exec("INSERT INTO wxcallback_biz (receivetime, createtime, tousername, appid, msgtype, event, postbody) VALUES (?, ?, ?, ?, ?, ?, ?)",
			time.Now(), created, m.ToUserName, appid, m.MsgType, m.Event, string(text))
	}
	if err := p.exec("INSERT INTO wxcallback_component (receivetime, createtime, infotype, postbody) VALUES (?, ?, ?, ?)",
		time.Now(), created, m.InfoType, string(text)); err != nil {
		return err
	}
	switch m.InfoType {
	case "component_verify_ticket":
		p.mu.Lock()
		p.ticket = m.ComponentVerifyTicket
		p.mu.Unlock()
		return p.exec("INSERT INTO comm (`key`, value) VALUES ('ticket', ?) ON DUPLICATE KEY UPDATE value = VALUES(value)", m.ComponentVerifyTicket)
	case "authorized":
		return p.authorized(m.AuthorizerAppid, m.AuthorizationCode, created)
	}
	return nil
}

func (p *peer) call(path string, query url.Values, body map[string]string, out any) error {
	text, err := json.Marshal(body)
	if err != nil {
		return err
	}
	resp, err := http.Post(p.api+path+"?"+query.Encode(), "application/json", bytes.NewReader(text)) //nolint:gosec,noctx // the fake
	if err != nil {
		return err
	}
	defer resp.Body.Close() //nolint:errcheck // decoded
	return json.NewDecoder(resp.Body).Decode(out)
}

func (p *peer) authorized(appid, code string, at time.Time) error {
	refresh, err := p.exchange(appid, code)
	if err != nil {
		return err
	}
	return p.exec(`INSERT INTO authorizers (appid, nickname, username, principalname, refreshtoken, funcinfo, verifyinfo, authtime)
		VALUES (?, ?, 'gh_1', '某公司', ?, '|1|17|18|25', 0, ?)`, appid, "店 "+appid[len(appid)-4:], refresh, at)
}

// exchange trades an authorization code in, which can be done once.
func (p *peer) exchange(appid, code string) (refresh string, err error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.token == "" {
		var got struct {
			Token string `json:"component_access_token"`
		}
		if err := p.call("/cgi-bin/component/api_component_token", nil, map[string]string{
			"component_appid": wechattest.ComponentAppID, "component_appsecret": wechattest.ComponentSecret, "component_verify_ticket": p.ticket,
		}, &got); err != nil {
			return "", err
		}
		p.token = got.Token
	}
	var got struct {
		Info struct {
			Refresh string `json:"authorizer_refresh_token"`
		} `json:"authorization_info"`
	}
	if err := p.call("/cgi-bin/component/api_query_auth", url.Values{"component_access_token": {p.token}}, map[string]string{
		"component_appid": wechattest.ComponentAppID, "authorization_code": code,
	}, &got); err != nil {
		return "", err
	}
	if got.Info.Refresh == "" {
		return "", fmt.Errorf("no refresh token for %s", appid)
	}
	return got.Info.Refresh, nil
}

// rule adds one to the 消息转发器.
func (p *peer) rule(name, infoType, msgType, event, info string, open int) {
	p.t.Helper()
	require.NoError(p.t, p.exec("INSERT INTO wxcallback_rules (name, infotype, msgtype, event, type, open, info) VALUES (?, ?, ?, ?, 1, ?, ?)",
		name, infoType, msgType, event, open, info))
}

func (p *peer) count(table string) (n int) {
	p.t.Helper()
	require.NoError(p.t, p.db.QueryRowContext(p.t.Context(), "SELECT count(*) FROM "+table).Scan(&n))
	return n
}

// business is a business system that notes what it is called with.
func business(tb testing.TB) (port string, heard func() string) {
	tb.Helper()
	calls := &syncBuffer{}
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		text, _ := io.ReadAll(r.Body)
		_, _ = fmt.Fprintf(calls, "%s %s %s\n", r.Method, r.URL.RequestURI(), text)
		_, _ = io.WriteString(w, "success")
	}))
	tb.Cleanup(server.Close)
	u, err := url.Parse(server.URL)
	require.NoError(tb, err)
	return u.Port(), calls.String
}

// importing runs wxsteward import.
func (w *world) importing(args ...string) (text string, err error) {
	w.t.Helper()
	out := &syncBuffer{}
	err = run(w.t.Context(), append([]string{"import"}, args...), func(name string) string { return w.env[name] }, streams{strings.NewReader(""), out, w.output})
	_, _ = w.output.Write([]byte(out.String()))
	return out.String(), err
}

func (w *world) rows(table string) (n int) {
	w.t.Helper()
	conn, err := pgx.Connect(w.t.Context(), w.env["DATABASE_URL"])
	require.NoError(w.t, err)
	defer conn.Close(w.t.Context()) //nolint:errcheck // of a test
	require.NoError(w.t, conn.QueryRow(w.t.Context(), "SELECT count(*) FROM "+table).Scan(&n))
	return n
}

func line(name string, found, isNew, already, failed int) string {
	return fmt.Sprintf("%-24s %9d %9d %9d %9d\n", name, found, isNew, already, failed)
}

// TestImport has 服务商微管家 serve 1,000 merchants, takes over what it has stored, and goes on in its place.
func TestImport(t *testing.T) {
	t.Parallel()
	const n = 1000
	db, dsn := newMariaDB(t)
	p := &peer{t: t, db: db}
	theirs := httptest.NewServer(p)
	t.Cleanup(theirs.Close)
	w := newWorld(t, nil, func(c *wechatfake.Config) {
		c.CloudRun, c.EventURL, c.MessageURL = true, theirs.URL+"/wxcallback/component", theirs.URL+"/wxcallback/biz/$APPID$"
	})
	p.api = w.env["WX_API_BASE_URL"]
	w.env["WX_MODE"], w.env["WX_COMPONENT_TRANSPORT"] = "cloudrun", "token"
	appid := func(i int) string { return fmt.Sprintf("wxshop%011d", i) }
	w.fake.PushTicket()
	eventually(t, "ticket", func() (bool, string) { return p.count("comm") == 1, "" })
	for i := range n {
		w.addMerchant(appid(i), nil)
		_, err := w.fake.AuthorizeMerchant(appid(i), wechatfake.Authorize{Order: wechatfake.OrderEvent})
		require.NoError(t, err)
	}
	eventually(t, "merchants of the peer", func() (bool, string) { got := p.count("authorizers"); return got == n, strconv.Itoa(got) })

	// What else it keeps, some of it of no use to anybody.
	port, heard := business(t)
	p.rule("授权", "authorized", "", "", `{"port":`+port+`,"path":"/auth"}`, 1)
	p.rule("客服", "", "text", "", `{"port":`+port+`,"path":"/text/$APPID$?from=rule"}`, 1)
	p.rule("审核", "", "event", "weapp_audit_success", `{"port":`+port+`,"path":"/audit"}`, 0)
	p.rule("坏的", "", "image", "", `{"port":"?"`, 1)
	p.rule("没有类型", "", "", "subscribe", `{"port":`+port+`,"path":"/x"}`, 1)
	require.NoError(t, p.exec("INSERT INTO comm (`key`, value) VALUES ('proxy', ?), ('secret', 'c2VhbGVkIGJ5IHRoZSBwZWVy')", `{"open":true,"port":`+port+`,"url":"http://127.0.0.1:`+port+`"}`))
	require.NoError(t, p.exec("INSERT INTO user (username, password) VALUES ('admin', 'd41d8cd98f00b204e9800998ecf8427e')"))
	require.NoError(t, p.exec("INSERT INTO authorizers (appid, authtime) VALUES ('wx shop', now()), ('wxd101a85aa106f53e', now()), (?, now())", "wxlost00000000001"))
	message := func(id, age int) string {
		return fmt.Sprintf(`{"ToUserName":"gh_1","FromUserName":"o1","CreateTime":%d,"MsgType":"text","Content":"你好 %d","MsgId":%d}`, time.Now().Unix()-int64(age), id, id)
	}
	for i, age := range []int{3600, 86400, 10 * 86400, 400 * 86400} {
		at := time.Now().Add(-time.Duration(age) * time.Second)
		require.NoError(t, p.exec("INSERT INTO wxcallback_biz (receivetime, createtime, appid, msgtype, postbody) VALUES (?, ?, ?, 'text', ?)", at, at, appid(0), message(9000+i, age)))
	}
	require.NoError(t, p.exec("INSERT INTO wxcallback_biz (appid, msgtype, postbody) VALUES (?, 'text', ?), (?, 'text', 'not json')", appid(0), message(9000, 3600), appid(1)))

	// A trial run writes nothing, and the real one does what it said.
	want := line("ticket", 1, 1, 0, 0) + line("merchants", n+3, n+1, 0, 2) + line("rules", 5, 3, 0, 2) + line("proxy", 1, 1, 0, 0) +
		line("authorization messages", n+1, n+1, 0, 0)
	text, err := w.importing("--dry-run", "--mysql-dsn", dsn.FormatDSN())
	require.ErrorContains(t, err, "5 could not be taken over")
	require.Contains(t, text, want)
	require.Contains(t, text, line("merchant messages", 5, 3, 1, 1), "a copy is no news")
	for _, table := range []string{"authorizer", "component_ticket", "forward_rule", "message", "message_dedupe", "token", "authorizer_sync"} {
		require.Zero(t, w.rows(table), table)
	}
	text, err = w.importing("--mysql-dsn", dsn.FormatDSN())
	require.ErrorContains(t, err, "5 could not be taken over")
	require.Contains(t, text, want)
	for _, failure := range []string{
		`merchant "wx shop": this cannot be an appid`, `merchant "wxd101a85aa106f53e"`, `rule "坏的": its target cannot be read`,
		`rule "没有类型": no message was ever for it`, "message 6: component: not a message",
	} {
		require.Contains(t, text, "failed: "+failure)
	}
	require.Equal(t, n+1, w.rows("authorizer"))
	require.Equal(t, n+1+3, w.rows("message"), "what is older than MESSAGE_RETENTION_DAYS stays there")

	// Again, as Cloud Run's own variables say where, changes nothing.
	w.env["MYSQL_USERNAME"], w.env["MYSQL_PASSWORD"], w.env["MYSQL_ADDRESS"] = dsn.User, dsn.Passwd, dsn.Addr
	text, err = w.importing()
	require.ErrorContains(t, err, "5 could not be taken over")
	require.Contains(t, text, line("merchants", n+3, 0, n+1, 2))
	require.Contains(t, text, line("rules", 5, 0, 3, 2))
	require.Contains(t, text, line("proxy", 1, 0, 1, 0))
	require.Contains(t, text, line("merchant messages", 5, 0, 4, 1))
	require.Equal(t, n+1+3, w.rows("message"))

	// WeChat pushes to us from now on.
	stop := w.start()
	w.fake.SetPushURLs(w.base+"/wxcallback/component", w.base+"/wxcallback/biz/$APPID$")
	o := newOperator(t, w.base)
	o.signIn()
	require.Equal(t, "completed", o.waitSync())
	var list page[struct{}]
	o.call(http.MethodGet, "/authorizers?status=authorized", nil, &list)
	require.Equal(t, n, *list.Total, "the one that WeChat does not know is withdrawn")
	for _, i := range []int{0, 499, 500, n - 1} {
		var got struct {
			Token string `json:"access_token"`
		}
		o.call(http.MethodGet, "/authorizers/"+appid(i)+"/access-token", nil, &got)
		require.NotEmpty(t, got.Token)
	}
	var merchant struct {
		NickName   string `json:"nick_name"`
		FuncScopes []int  `json:"func_scopes"`
	}
	o.call(http.MethodGet, "/authorizers/"+appid(7), nil, &merchant)
	require.Equal(t, "Shop "+appid(7), merchant.NickName, "as WeChat says now")

	// Rules and proxy work as they did.
	require.Equal(t, http.StatusOK, postPlain(t, w.base+"/wxcallback/biz/"+appid(3), message(9100, 0)))
	eventually(t, "rule", func() (bool, string) {
		return strings.Contains(heard(), "POST /text/"+appid(3)+"?from=rule {") && strings.Contains(heard(), `"MsgId":9100`), heard()
	})
	require.Equal(t, http.StatusOK, postPlain(t, w.base+"/wxcallback/biz/"+appid(0), message(9000, 3600)), "a push it had before the change")
	status, _ := fetch(t, w.base+"/shop/page?x=1")
	require.Equal(t, http.StatusOK, status)
	require.Contains(t, heard(), "GET /shop/page?x=1")
	require.NotContains(t, heard(), `"MsgId":9000`, "what it has dealt with is not dealt with again")

	// Who withdraws later stays withdrawn, whatever the old tables say.
	require.NoError(t, w.fake.Revoke(appid(9)))
	eventually(t, "withdrawn", func() (bool, string) {
		var a struct{ Status string }
		o.call(http.MethodGet, "/authorizers/"+appid(9), nil, &a)
		return a.Status == "unauthorized", a.Status
	})
	text, err = w.importing()
	require.Error(t, err)
	require.Contains(t, text, line("merchants", n+3, 0, n+1, 2))
	var a struct{ Status string }
	o.call(http.MethodGet, "/authorizers/"+appid(9), nil, &a)
	require.Equal(t, "unauthorized", a.Status)
	stop()
	for _, secret := range []string{peerPassword, "c2VhbGVkIGJ5IHRoZSBwZWVy", "d41d8cd98f00b204e9800998ecf8427e"} {
		require.NotContains(t, w.output.String(), secret)
	}
	requireNoSecrets(t, w, o)
}

// waitSync waits for the latest synchronization to end and gives its state.
func (o *operator) waitSync() (state string) {
	o.t.Helper()
	eventually(o.t, "synchronization", func() (bool, string) {
		var list page[struct{ State string }]
		o.call(http.MethodGet, "/authorizers/sync", nil, &list)
		if len(list.Items) > 0 {
			state = list.Items[0].State
		}
		return state != "" && state != "running", state
	})
	return state
}

// postPlain pushes as WeChat Cloud Run does.
func postPlain(tb testing.TB, address, body string) int {
	tb.Helper()
	req, err := http.NewRequestWithContext(tb.Context(), http.MethodPost, address, strings.NewReader(body))
	require.NoError(tb, err)
	req.Header.Set("Content-Type", "application/json")
	req.Header.Set("X-Wx-Source", "wx_push")
	resp, err := http.DefaultClient.Do(req)
	require.NoError(tb, err)
	require.NoError(tb, resp.Body.Close())
	return resp.StatusCode
}

func TestImportThatCannotBe(t *testing.T) {
	t.Parallel()
	w := newWorld(t, nil)
	for name, tc := range map[string]struct {
		args []string
		want string
	}{
		"without a database to read":    {nil, "--mysql-dsn is missing"},
		"a DSN that is none":            {[]string{"--mysql-dsn", "peer:hunter2hunter2"}, "--mysql-dsn cannot be read"},
		"a DSN without a database":      {[]string{"--mysql-dsn", "peer:hunter2hunter2@tcp(127.0.0.1:1)/"}, "--mysql-dsn cannot be read"},
		"a database that is away":       {[]string{"--mysql-dsn", "peer:hunter2hunter2@tcp(127.0.0.1:1)/wxcomponent"}, "127.0.0.1:1 cannot be reached"},
		"an unknown flag":               {[]string{"--mysql", "peer:hunter2hunter2@tcp(127.0.0.1:1)/x"}, "see wxsteward import --help"},
		"more than there is to say":     {[]string{"peer:hunter2hunter2@tcp(127.0.0.1:1)/x"}, "see wxsteward import --help"},
		"a dash without a line to read": {[]string{"--mysql-dsn", "-"}, "no --mysql-dsn on stdin"},
	} {
		text, err := w.importing(tc.args...)
		require.ErrorContains(t, err, tc.want, name)
		require.NotContains(t, text+err.Error()+w.output.String(), "hunter2", name)
	}
	text, err := w.importing("--help")
	require.NoError(t, err)
	require.Contains(t, text, "wxsteward import [--dry-run]")
}

func TestImportOfAnotherPlatform(t *testing.T) {
	t.Parallel()
	db, dsn := newMariaDB(t)
	p := &peer{t: t, db: db}
	w := newWorld(t, nil)
	require.NoError(t, p.exec(`INSERT INTO wxcallback_component (infotype, postbody) VALUES ('component_verify_ticket', '{"AppId":"wxother","InfoType":"component_verify_ticket"}')`))
	_, err := w.importing("--mysql-dsn", dsn.FormatDSN())
	require.ErrorContains(t, err, `these tables belong to the platform "wxother"`)

	// Private targets are refused where they are not allowed, and said so; a table that is missing keeps no other.
	require.NoError(t, p.exec("DELETE FROM wxcallback_component"))
	require.NoError(t, p.exec("DROP TABLE wxcallback_biz"))
	require.NoError(t, p.exec("INSERT INTO comm (`key`, value, updatetime) VALUES ('ticket', 'ticket@@@old', now() - interval 13 hour)"))
	p.rule("rule", "authorized", "", "", `{"port":8090,"path":"/auth"}`, 1)
	require.NoError(t, p.exec("INSERT INTO authorizers (appid, nickname, refreshtoken, authtime) VALUES ('wxshop00000000001', '店', 'refreshtoken@@@1', now())"))
	text, err := w.importing("--mysql-dsn", dsn.FormatDSN())
	require.ErrorContains(t, err, "3 could not be taken over")
	require.Contains(t, text, "failed: ticket: it is from ")
	require.Contains(t, text, `failed: rule "rule": 127.0.0.1 is at 127.0.0.1, which may not be called`)
	require.Contains(t, text, "failed: table: Error 1146")
	require.Contains(t, text, line("merchants", 1, 1, 0, 0))
	require.NotContains(t, text+w.output.String(), "@@@")
}
