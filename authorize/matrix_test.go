package authorize

import (
	"context"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/riverqueue/river"
	"github.com/stretchr/testify/require"

	"github.com/wxsteward/wxsteward/component"
	"github.com/wxsteward/wxsteward/internal/wechat/wechatfake"
)

// merchantsBrowser is where WeChat redirects to in a test: it goes on to our callback and keeps what is shown there.
type merchantsBrowser struct {
	*httptest.Server

	mu    sync.Mutex
	shown []page
}

func (e *env) merchantsBrowser(l Link) *merchantsBrowser {
	b := &merchantsBrowser{}
	b.Server = httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		shown := e.get("/authorize/"+l.ID+"/callback?"+r.URL.RawQuery, onDesktop)
		b.mu.Lock()
		defer b.mu.Unlock()
		b.shown = append(b.shown, shown)
	}))
	e.t.Cleanup(b.Close)
	return b
}

func (b *merchantsBrowser) pages() []page {
	b.mu.Lock()
	defer b.mu.Unlock()
	return slices.Clone(b.shown)
}

// crashingQueue ends one exchange as a process does that dies between WeChat's answer and its own commit: nothing after
// this line runs, and PostgreSQL undoes the rest.
type crashingQueue struct {
	queue

	mu      sync.Mutex
	crashes int // still to come
}

func (q *crashingQueue) InsertTx(ctx context.Context, tx pgx.Tx, args river.JobArgs, opts *river.InsertOpts) error {
	if _, ok := args.(DetailsArgs); ok {
		q.mu.Lock()
		crash := q.crashes > 0
		if crash {
			q.crashes--
		}
		q.mu.Unlock()
		if crash {
			panic("the process dies here")
		}
	}
	return q.queue.InsertTx(ctx, tx, args, opts)
}

func (q *crashingQueue) crashNext() {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.crashes++
}

// TestOrderAndCircumstance plays every order in which redirect and event come under every circumstance. In each: the code
// is exchanged once, the merchant has its biz ids and working tokens, the link says so, and the merchant is told.
func TestOrderAndCircumstance(t *testing.T) {
	t.Parallel()
	orders := []struct{ name, order string }{
		{"redirect first", wechatfake.OrderRedirectFirst},
		{"event first", wechatfake.OrderEventFirst},
		{"event only", wechatfake.OrderEvent},
		{"redirect only", wechatfake.OrderRedirect},
		{"both at once", wechatfake.OrderBoth},
	}
	circumstances := []struct {
		name string
		had  string // biz id the merchant was bound to before; empty: it is new
		ttl  time.Duration
		late time.Duration // how long the merchant hesitates on WeChat's page
		slow time.Duration // how long WeChat takes to exchange
		wait time.Duration // how long the callback waits
		dies bool
		// what comes of it
		unbound bool
	}{
		{name: "new"},
		{name: "re-authorization", had: "shop-1"},
		{name: "other biz id", had: "shop-old"},
		{name: "link expires during consent", ttl: time.Minute, late: 5 * time.Minute},
		{name: "link expired long ago", ttl: time.Minute, late: 2 * consentGrace, unbound: true},
		{name: "WeChat slow", slow: 600 * time.Millisecond, wait: 100 * time.Millisecond},
		{name: "crash between exchange and store", wait: 100 * time.Millisecond, dies: true},
	}
	atOnce := make(chan struct{}, 4)
	for _, o := range orders {
		for _, c := range circumstances {
			t.Run(o.name+", "+c.name, func(t *testing.T) {
				t.Parallel()
				atOnce <- struct{}{}
				defer func() { <-atOnce }()
				crash := &crashingQueue{}
				e := newEnv(t, func(cfg *Config) { cfg.CallbackWait = max(c.wait, 0) }, throughQueue(func(q queue) queue { crash.queue = q; return crash }))
				e.wechat.Fake.Set(func(s *wechatfake.Settings) { s.PreAuthCodeExpires = wechatfake.Duration(4 * time.Hour) })
				appid := e.merchant("wxmatrix000000001")
				wantBiz, scopes := []string{"shop-1"}, []int{17, 18, 30}
				if c.had != "" {
					e.haveAlready(appid, c.had, []int{17, 18})
					wantBiz = slices.Compact([]string{c.had, "shop-1"})
				}
				before, _ := e.exchanged()
				old := e.accessToken(appid)

				l := e.link(NewLink{BizID: "shop-1", TTL: c.ttl, SingleUse: true})
				browser := e.merchantsBrowser(l)
				q := e.open(l).Query()
				e.ahead.Add(int64(c.late))
				if c.slow > 0 {
					_, err := e.wechat.Fake.FailNext(wechatfake.Fault{Path: pathQueryAuth, Mode: wechatfake.FaultSlow, Delay: wechatfake.Duration(c.slow)})
					require.NoError(t, err)
				}
				if c.dies {
					crash.crashNext()
				}
				given, err := e.wechat.Fake.AuthorizeMerchant(appid, wechatfake.Authorize{
					PreAuthCode: q.Get("pre_auth_code"), RedirectURI: browser.URL + "/?from=wechat", Order: o.order, Scopes: scopes,
				})
				require.NoError(t, err)

				redirects, events := o.order != wechatfake.OrderEvent, o.order != wechatfake.OrderRedirect
				e.until("redirect and event have come", func() bool {
					return (!redirects || len(browser.pages()) == 1) && (!events ||
						e.count(`SELECT count(*) FROM message WHERE info_type IN ('authorized', 'updateauthorized') AND state = 'handled'`) > 0)
				})
				e.settled()

				effective, _ := e.exchanged()
				if c.unbound && !events { // nothing proves the code, and the link takes none any more
					require.Equal(t, before, effective)
					require.Equal(t, linkExpired, e.reread(l).Status)
					require.Equal(t, http.StatusGone, browser.pages()[0].status)
					require.Contains(t, browser.pages()[0].body, "授权链接已过期")
					return
				}
				require.Equal(t, before+1, effective, "codes exchanged")
				if c.unbound {
					wantBiz = nil
				}
				a := e.bound(appid, wantBiz...)
				require.Equal(t, scopes, a.FuncScopes)
				require.NotEqual(t, old, e.accessToken(appid), "the tokens are those of this authorization")
				_, err = e.API(appid).Categories(t.Context())
				require.NoError(t, err, "and WeChat takes them")
				require.Equal(t, 1, e.count(`SELECT count(*) FROM authorization_exchange WHERE link_id = $1 AND state = 'done' AND code IS NULL`, l.ID))

				fresh := e.reread(l)
				if c.unbound {
					require.Equal(t, linkExpired, fresh.Status)
					require.Contains(t, fresh.Error("en"), "expired")
					require.Equal(t, http.StatusGone, e.get("/authorize/"+l.ID, onDesktop).status)
					for _, p := range browser.pages() {
						require.Equal(t, http.StatusGone, p.status, p.body)
					}
					return
				}
				require.Equal(t, linkAuthorized, fresh.Status)
				require.Equal(t, appid, fresh.AuthorizerAppID)
				require.Empty(t, fresh.Error("en"))
				if c.had != "" && c.had != "shop-1" {
					require.Equal(t, []string{c.had}, fresh.OtherBizIDs, "somebody sees that the merchant had another")
				} else {
					require.Empty(t, fresh.OtherBizIDs)
				}

				for _, p := range browser.pages() {
					switch {
					case o.order == wechatfake.OrderEventFirst: // done before the browser came, or nearly
						require.Contains(t, []int{http.StatusOK, http.StatusAccepted}, p.status, p.body)
					case c.slow > 0, c.dies:
						require.Equal(t, http.StatusAccepted, p.status, p.body)
						require.Contains(t, p.body, "授权正在处理")
						require.NotEmpty(t, p.header.Get("Refresh"))
					default:
						require.Equal(t, http.StatusOK, p.status, p.body)
						require.Contains(t, p.body, "授权成功")
					}
					require.NotContains(t, p.body, given.Code)
				}
				if redirects { // the page that was told to wait, looking again
					p := e.callback(l, given.Code)
					require.Equal(t, http.StatusOK, p.status, p.body)
					require.Contains(t, p.body, "授权成功")
					require.Contains(t, p.body, "店 "+appid)
				}
				p := e.get("/authorize/"+l.ID, onDesktop)
				require.Equal(t, http.StatusGone, p.status)
				require.Contains(t, p.body, "这个链接已完成授权")
				after, calls := e.exchanged()
				require.Equal(t, before+1, after)
				require.LessOrEqual(t, calls, before+2, "looking again exchanges nothing")
				for _, secret := range e.wechat.Fake.Secrets() {
					require.False(t, strings.Contains(e.log.String(), secret), "the log holds a secret")
				}
			})
		}
	}
}

// haveAlready brings a merchant on record that has granted these permission sets.
func (e *env) haveAlready(appid, bizID string, scopes []int) {
	e.t.Helper()
	l := e.link(NewLink{BizID: bizID})
	q := e.open(l).Query()
	_, err := e.wechat.Fake.AuthorizeMerchant(appid, wechatfake.Authorize{PreAuthCode: q.Get("pre_auth_code"), Order: wechatfake.OrderEvent, Scopes: scopes})
	require.NoError(e.t, err)
	e.until("the merchant is bound", func() bool { return e.reread(l).Status == linkAuthorized })
	e.settled()
	require.Equal(e.t, scopes, e.bound(appid, bizID).FuncScopes)
	_, err = e.pool.Exec(context.Background(), `DELETE FROM message WHERE info_type = 'authorized'`) // those to come are counted
	require.NoError(e.t, err)
}

// accessToken is the one stored, empty if there is none.
func (e *env) accessToken(appid string) string {
	e.t.Helper()
	t, _, err := e.tokens.Peek(context.Background(), tokenKey(appid))
	require.NoError(e.t, err)
	if t.Access.IsZero() {
		return ""
	}
	return t.Access.Reveal()
}

// TestCancelled: the merchant says no on WeChat's page, or comes back without a code. Nothing changes but that the operator
// sees it, and the link works on.
func TestCancelled(t *testing.T) {
	t.Parallel()
	e := newEnv(t)
	l := e.link(NewLink{BizID: "b", SingleUse: true})
	require.Equal(t, http.StatusBadRequest, e.get("/authorize/"+l.ID+"/callback", onDesktop).status)
	require.Empty(t, e.reread(l).Error("en"), "who has not opened the link cannot cancel it")

	e.open(l)
	p := e.get("/authorize/"+l.ID+"/callback?expires_in=600", onDesktop, "Accept-Language", "en")
	require.Equal(t, http.StatusBadRequest, p.status)
	require.Contains(t, p.body, "If you cancelled in WeChat")
	require.Contains(t, p.body, `id="retry"`)
	require.Equal(t, linkOpened, e.reread(l).Status)
	require.Contains(t, e.reread(l).Error("en"), "came back from WeChat without an authorization")
	require.Contains(t, e.get("/authorize/"+l.ID+"/state", onDesktop, "Accept-Language", "en").body, "came back from WeChat")

	appid := e.merchant("wxcancel000000001")
	require.Equal(t, http.StatusOK, e.callback(l, e.agree(l, appid, noOrder).Code).status)
	e.bound(appid, "b")
	require.Empty(t, e.reread(l).Error("en"))
	require.Equal(t, http.StatusBadRequest, e.get("/authorize/"+l.ID+"/callback", onDesktop).status)
	require.Empty(t, e.reread(l).Error("en"), "and an authorized link stays as it is")
}

// TestBackToTheBusinessSystem: who ends on a page of ours is offered the way back, with how things stand.
func TestBackToTheBusinessSystem(t *testing.T) {
	t.Parallel()
	e := newEnv(t)
	e.allow("https://shop.example.com")
	right, wrong := e.merchant("wxback00000000001"), e.merchant("wxback00000000002")
	l := e.link(NewLink{BizID: "b", AppID: right, ReturnURL: "https://shop.example.com/back", SingleUse: true})
	p := e.callback(l, e.agree(l, wrong, noOrder).Code)
	require.Equal(t, http.StatusConflict, p.status)
	require.Contains(t, p.body, `id="back"`)
	require.Contains(t, p.body, "status=opened")
	p = e.callback(l, e.agree(l, right, noOrder).Code)
	require.Equal(t, http.StatusSeeOther, p.status)
	way, err := url.Parse(p.header.Get("Location"))
	require.NoError(t, err)
	require.Equal(t, url.Values{"link_id": {l.ID}, "status": {"authorized"}, "biz_id": {"b"}, "appid": {right}}, way.Query())
	// The desktop on which the link was open while a phone scanned its code.
	p = e.get("/authorize/"+l.ID, onDesktop)
	require.Equal(t, http.StatusGone, p.status)
	require.Contains(t, p.body, right)
	require.Contains(t, p.body, "status=authorized")
}

func (e *env) allow(entries ...string) {
	e.t.Helper()
	require.NoError(e.t, e.component.Change(context.Background(), component.Change{ReturnURLAllowlist: &entries}, "test"))
}
