package authorize

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"sync"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/stretchr/testify/require"

	"github.com/wxsteward/wxsteward/component"
	"github.com/wxsteward/wxsteward/internal/fault"
	"github.com/wxsteward/wxsteward/internal/tokenstore"
	"github.com/wxsteward/wxsteward/internal/wechat/wechatfake"
	"github.com/wxsteward/wxsteward/internal/wechat/wechattest"
)

func kindOfFault(err error) fault.Kind {
	fe, ok := errors.AsType[*fault.Error](err)
	if !ok {
		return ""
	}
	return fe.Kind
}

// have brings a merchant on record through the whole flow.
func (e *env) have(appid, bizID string) string {
	e.t.Helper()
	l := e.link(NewLink{BizID: bizID})
	e.agree(l, e.merchant(appid), wechatfake.OrderEvent)
	e.until("the merchant is bound", func() bool { return e.reread(l).Status == linkAuthorized })
	e.settled()
	return appid
}

func (e *env) unauthorized(appid string, at time.Time) component.Message {
	return component.Message{
		Channel: component.ChannelComponent, AppID: appid, InfoType: "unauthorized", CreatedAt: at, ReceivedAt: e.Now(),
		Body: fmt.Appendf(nil, `<xml><AppId>%s</AppId><CreateTime>%d</CreateTime><InfoType>unauthorized</InfoType><AuthorizerAppid>%s</AuthorizerAppid></xml>`,
			wechattest.ComponentAppID, at.Unix(), appid),
	}
}

func TestCheckScopes(t *testing.T) {
	t.Parallel()
	e := newEnv(t)
	appid := e.have("wxscopes000000001", "b")
	c := e.CheckScopes(t.Context())
	require.True(t, c.OK, c.Detail)
	_, err := e.pool.Exec(t.Context(), `UPDATE authorizer SET func_scopes = '{17}' WHERE appid = $1`, appid)
	require.NoError(t, err)
	c = e.CheckScopes(fault.WithLang(t.Context(), fault.English))
	require.False(t, c.OK)
	require.Contains(t, c.Detail, "1 have not granted")
	require.NotEmpty(t, c.Hint)
}

func TestWithdrawalAndReturn(t *testing.T) {
	t.Parallel()
	e := newEnv(t)
	var mu sync.Mutex
	var told []string
	e.OnWithdrawn(func(ctx context.Context, tx pgx.Tx, appid string) error {
		var status string
		if err := tx.QueryRow(ctx, `SELECT status FROM authorizer WHERE appid = $1`, appid).Scan(&status); err != nil {
			return err
		}
		mu.Lock()
		defer mu.Unlock()
		told = append(told, appid+" "+status)
		return nil
	})
	appid := e.have("wxwithdraw0000001", "b")
	require.NoError(t, e.wechat.Fake.Revoke(appid))
	e.until("it is withdrawn", func() bool { a, _ := e.Get(t.Context(), appid); return a.Status == statusUnauthorized })
	e.settled()
	mu.Lock()
	require.Equal(t, []string{appid + " unauthorized"}, told)
	mu.Unlock()
	a, err := e.Get(t.Context(), appid)
	require.NoError(t, err)
	require.Equal(t, []string{"b"}, a.BizIDs, "history is kept")
	require.Equal(t, "店 "+appid, a.NickName)
	require.NotNil(t, a.UnauthorizedAt)
	require.Zero(t, e.count(`SELECT count(*) FROM token WHERE key = $1`, tokenKey(appid)))
	_, err = e.Token(t.Context(), appid)
	require.Equal(t, fault.Unauthorized, kindOfFault(err))
	require.Equal(t, fault.Unauthorized, kindOfFault(e.Refresh(t.Context(), appid)))

	// It comes back, with a second biz id, within the same second.
	l := e.link(NewLink{BizID: "c"})
	e.agree(l, appid, wechatfake.OrderBoth)
	e.until("it is back", func() bool { return e.reread(l).Status == linkAuthorized })
	e.settled()
	e.bound(appid, "b", "c")

	// The old withdrawal is heard again, too late.
	require.NoError(t, e.HandleMessage(t.Context(), e.unauthorized(appid, e.Now().Add(-time.Hour))))
	require.NoError(t, e.HandleMessage(t.Context(), e.unauthorized(appid, a.UnauthorizedAt.Add(0))))
	e.bound(appid, "b", "c")
	// So is an authorization from before. Two withdrawals within one second would be the same message to everybody.
	e.until("the next second", func() bool { return e.Now().Unix() > a.UnauthorizedAt.Unix() })
	require.NoError(t, e.wechat.Fake.Revoke(appid))
	e.until("it is withdrawn again", func() bool { a, _ := e.Get(t.Context(), appid); return a.Status == statusUnauthorized })
	require.NoError(t, e.HandleMessage(t.Context(), component.Message{
		Channel: component.ChannelComponent, InfoType: "authorized", CreatedAt: e.Now().Add(-time.Hour),
		Body: fmt.Appendf(nil, `{"InfoType":"authorized","AuthorizerAppid":%q,"AuthorizationCode":"queryauthcode@@@old"}`, appid),
	}))
	a, err = e.Get(t.Context(), appid)
	require.NoError(t, err)
	require.Equal(t, statusUnauthorized, a.Status)
}

// TestWithdrawalFailsTogether: when a listener fails, the merchant stays as it was and the event is heard again.
func TestWithdrawalFailsTogether(t *testing.T) {
	t.Parallel()
	e := newEnv(t, idle(true))
	_, err := e.pool.Exec(t.Context(), `INSERT INTO authorizer (appid, status, authorized_at) VALUES ('wx1', 'authorized', now() - interval '1 day')`)
	require.NoError(t, err)
	broken := true
	e.OnWithdrawn(func(context.Context, pgx.Tx, string) error {
		if broken {
			return errors.New("no")
		}
		return nil
	})
	require.Error(t, e.HandleMessage(t.Context(), e.unauthorized("wx1", e.Now())))
	a, err := e.Get(t.Context(), "wx1")
	require.NoError(t, err)
	require.Equal(t, statusAuthorized, a.Status)
	broken = false
	require.NoError(t, e.HandleMessage(t.Context(), e.unauthorized("wx1", e.Now())))
	a, err = e.Get(t.Context(), "wx1")
	require.NoError(t, err)
	require.Equal(t, statusUnauthorized, a.Status)
	require.NoError(t, e.HandleMessage(t.Context(), e.unauthorized("wx-never-seen", e.Now())))
}

func TestChangedPermissions(t *testing.T) {
	t.Parallel()
	e := newEnv(t)
	appid := e.have("wxscopes000000001", "b")
	require.NoError(t, e.wechat.Fake.UpdateScopes(appid, []int{17, 30}))
	e.until("the permission sets are there", func() bool {
		a, _ := e.Get(t.Context(), appid)
		return fmt.Sprint(a.FuncScopes) == "[17 30]"
	})
	e.settled()
	e.bound(appid, "b")
}

// TestDetailsFail: what is known stays, the failure is told, and the next reading clears it.
func TestDetailsFail(t *testing.T) {
	t.Parallel()
	e := newEnv(t)
	appid := e.have("wxdetails00000001", "b")
	before, err := e.Get(t.Context(), appid)
	require.NoError(t, err)
	require.NotNil(t, before.InfoAt)
	for _, f := range []wechatfake.Fault{
		{Mode: wechatfake.FaultErrcode, Code: 61003},
		{Mode: wechatfake.FaultErrcode, Code: -1},
		{Mode: wechatfake.FaultGarbage},
		{Mode: wechatfake.FaultHTTP},
		{Mode: wechatfake.FaultCutBefore},
		{Mode: wechatfake.FaultSilentDrop},
	} {
		f.Path = pathInfo
		_, err := e.wechat.Fake.FailNext(f)
		require.NoError(t, err)
		require.Error(t, e.Refresh(t.Context(), appid), f.Mode)
		after, err := e.Get(t.Context(), appid)
		require.NoError(t, err)
		require.NotEmpty(t, after.InfoError("en"))
		after.infoTrouble, after.InfoTriedAt, after.UpdatedAt = trouble{}, before.InfoTriedAt, before.UpdatedAt
		require.Equal(t, before, after, f.Mode)
		e.bound(appid, "b")
	}
	require.NoError(t, e.wechat.Fake.ChangeMerchant(appid, func(m *wechatfake.Merchant) { m.NickName = "新名" }))
	require.NoError(t, e.Refresh(t.Context(), appid))
	after, err := e.Get(t.Context(), appid)
	require.NoError(t, err)
	require.Equal(t, "新名", after.NickName)
	require.Empty(t, after.InfoError("en"))
	require.Equal(t, fault.NotFound, kindOfFault(e.Refresh(t.Context(), "wx-never-seen")))
}

func TestTokens(t *testing.T) {
	e := newEnv(t)
	appid := e.have("wxtokens000000001", "b")
	first, err := e.Token(t.Context(), appid)
	require.NoError(t, err)
	require.Empty(t, e.wechat.Fake.Calls(pathToken), "the one from the exchange is good")

	t.Run("a refused token is replaced and the call repeated", func(t *testing.T) {
		e.wechat.Fake.ExpireTokens(appid, false)
		_, err := e.API(appid).LatestAuditStatus(t.Context())
		require.Error(t, err) // there is none, but the token was good
		second, err := e.Token(t.Context(), appid)
		require.NoError(t, err)
		require.False(t, second.Access.Equal(first.Access))
		require.Len(t, e.wechat.Fake.Calls(pathToken), 1)
	})
	t.Run("a refresh token that was rotated behind our back is read back", func(t *testing.T) {
		e.wechat.Fake.Set(func(s *wechatfake.Settings) { s.RotateRefreshToken = true })
		e.wechat.Fake.ExpireTokens(appid, false)
		require.NoError(t, e.drop(appid))
		_, err := e.wechat.Fake.FailNext(wechatfake.Fault{Path: pathToken, Mode: wechatfake.FaultCutAfter})
		require.NoError(t, err)
		_, err = e.Token(t.Context(), appid)
		require.Error(t, err, "the answer with the new refresh token was lost")
		_, err = e.Token(t.Context(), appid)
		require.NoError(t, err)
		a, err := e.Get(t.Context(), appid)
		require.NoError(t, err)
		require.Nil(t, a.ReauthorizeSince)
	})
	t.Run("a lost refresh token is read back", func(t *testing.T) {
		_, err := e.pool.Exec(t.Context(), `DELETE FROM token WHERE key = $1`, tokenKey(appid))
		require.NoError(t, err)
		e.bound(appid, "b")
	})
	t.Run("trouble with WeChat is not the merchant's fault", func(t *testing.T) {
		require.NoError(t, e.drop(appid))
		_, err := e.wechat.Fake.FailNext(wechatfake.Fault{Path: pathToken, Mode: wechatfake.FaultErrcode, Code: -1})
		require.NoError(t, err)
		_, err = e.Token(t.Context(), appid)
		require.Error(t, err)
		require.NotEqual(t, fault.Unauthorized, kindOfFault(err))
		a, err := e.Get(t.Context(), appid)
		require.NoError(t, err)
		require.Nil(t, a.ReauthorizeSince)
	})
	t.Run("when nothing helps the merchant is marked, and left alone", func(t *testing.T) {
		_, err := e.wechat.Fake.FailNext(wechatfake.Fault{Path: pathToken, Mode: wechatfake.FaultErrcode, Code: 61023, Times: -1})
		require.NoError(t, err)
		require.NoError(t, e.drop(appid))
		for range 3 {
			_, err := e.Token(t.Context(), appid)
			require.Equal(t, fault.Unauthorized, kindOfFault(err))
		}
		a, err := e.Get(t.Context(), appid)
		require.NoError(t, err)
		require.Equal(t, statusAuthorized, a.Status)
		require.NotNil(t, a.ReauthorizeSince)
		require.Contains(t, a.InfoError("en"), "has to authorize again")
		require.Equal(t, []string{"b"}, a.BizIDs)
		calls := len(e.wechat.Fake.Calls(pathToken))
		_, err = e.Token(t.Context(), appid)
		require.Error(t, err)
		require.Len(t, e.wechat.Fake.Calls(pathToken), calls, "no further calls for now")

		// It was WeChat's mistake and passes.
		e.wechat.Fake.ClearFaults()
		e.ahead.Add(int64(reauthPause + time.Second))
		_, err = e.Token(t.Context(), appid)
		require.NoError(t, err)
		a, err = e.Get(t.Context(), appid)
		require.NoError(t, err)
		require.Nil(t, a.ReauthorizeSince)
		require.Empty(t, a.InfoError("en"))
	})
	t.Run("an account never seen has none", func(t *testing.T) {
		_, err := e.Token(t.Context(), "wx-never-seen")
		require.Equal(t, fault.NotFound, kindOfFault(err))
	})
}

// drop forgets the access token, so that the next use has to refresh.
func (e *env) drop(appid string) error {
	_, err := e.pool.Exec(context.Background(), `UPDATE token SET access_token = NULL WHERE key = $1`, tokenKey(appid))
	return err
}

// TestWithdrawalDuringRefresh must not lock up: the one holds the merchant, the other its token.
func TestWithdrawalDuringRefresh(t *testing.T) {
	t.Parallel()
	e := newEnv(t)
	appid := e.have("wxdeadlock0000001", "b")
	require.NoError(t, e.drop(appid))
	for _, f := range []wechatfake.Fault{
		{Path: pathToken, Mode: wechatfake.FaultSlow, Delay: wechatfake.Duration(300 * time.Millisecond)},
		{Path: pathInfo, Mode: wechatfake.FaultSlow, Delay: wechatfake.Duration(300 * time.Millisecond)},
	} {
		_, err := e.wechat.Fake.FailNext(f)
		require.NoError(t, err)
	}
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		_, _ = e.Token(context.Background(), appid)
	}()
	e.until("the refresh is under way", func() bool {
		return e.count(`SELECT count(*) FROM pg_locks l JOIN pg_class c ON c.oid = l.relation WHERE c.relname = 'token' AND l.mode = 'RowShareLock'`) > 0
	})
	began := time.Now()
	require.NoError(t, e.wechat.Fake.Revoke(appid))
	e.until("it is withdrawn", func() bool { a, _ := e.Get(t.Context(), appid); return a.Status == statusUnauthorized })
	<-ended
	e.settled()
	require.Less(t, time.Since(began), 10*time.Second)
	_, err := e.Token(t.Context(), appid)
	require.Equal(t, fault.Unauthorized, kindOfFault(err))
}

// TestReauthorizationWhileTheOldTokenIsRefused: a refusal of the token that was does not mark what has just been given.
func TestReauthorizationWhileTheOldTokenIsRefused(t *testing.T) {
	t.Parallel()
	e := newEnv(t)
	appid := e.have("wxreauthorize0002", "b")
	e.settled()
	require.NoError(t, e.drop(appid))
	_, err := e.pool.Exec(t.Context(), `UPDATE authorizer SET authorized_at = authorized_at - interval '1 hour' WHERE appid = $1`, appid)
	require.NoError(t, err)
	before, err := e.Get(t.Context(), appid)
	require.NoError(t, err)
	refused := false
	token, err := e.token(t.Context(), appid, func(ctx context.Context, key string, refresh tokenstore.Refresher) (tokenstore.Token, error) {
		if refused {
			return e.tokens.Get(ctx, key, refresh)
		}
		refused = true
		_, err := e.wechat.Fake.AuthorizeMerchant(appid, wechatfake.Authorize{Scopes: []int{17, 18}})
		require.NoError(t, err)
		e.until("it is authorized anew", func() bool {
			a, err := e.Get(ctx, appid)
			require.NoError(t, err)
			return a.AuthorizedAt.After(*before.AuthorizedAt)
		})
		return tokenstore.Token{}, errNeedsReauthorization
	})
	require.NoError(t, err)
	require.False(t, token.Access.IsZero())
	a, err := e.Get(t.Context(), appid)
	require.NoError(t, err)
	require.Nil(t, a.ReauthorizeSince)
}

// TestReauthorizationDuringRefresh: what WeChat told before it must not undo the permission sets it has brought.
func TestReauthorizationDuringRefresh(t *testing.T) {
	t.Parallel()
	e := newEnv(t)
	appid := e.have("wxreauthorize0001", "b")
	e.settled()
	_, err := e.wechat.Fake.FailNext(wechatfake.Fault{Path: pathInfo, Mode: wechatfake.FaultSlow, Delay: wechatfake.Duration(2 * time.Second)})
	require.NoError(t, err)
	ended := make(chan error, 1)
	go func() { ended <- e.Refresh(context.Background(), appid) }()
	e.until("WeChat has read what it will answer", func() bool { return len(e.wechat.Fake.State().Faults) == 0 })
	_, err = e.wechat.Fake.AuthorizeMerchant(appid, wechatfake.Authorize{Scopes: []int{17, 18}})
	require.NoError(t, err)
	scopes := func() []int {
		a, err := e.Get(t.Context(), appid)
		require.NoError(t, err)
		return a.FuncScopes
	}
	e.until("the new permission sets are stored", func() bool { return len(scopes()) == 2 })
	e.settled()
	require.NoError(t, <-ended)
	require.Equal(t, []int{17, 18}, scopes())
}

func TestTargets(t *testing.T) {
	t.Parallel()
	e := newEnv(t, idle(true))
	_, err := e.pool.Exec(t.Context(), `INSERT INTO authorizer (appid, kind, status) VALUES
		('wx4', 'miniprogram', 'authorized'), ('wx1', 'miniprogram', 'authorized'), ('wx2', 'official', 'authorized'), ('wx3', 'miniprogram', 'unauthorized');
		INSERT INTO authorizer_label (appid, label) VALUES ('wx1', 'vip'), ('wx2', 'vip'), ('wx3', 'vip');
		INSERT INTO authorizer_biz_id (appid, biz_id) VALUES ('wx1', 'z'), ('wx1', 'a')`)
	require.NoError(t, err)
	for _, c := range []struct {
		name    string
		q       TargetQuery
		want    []string
		unknown []string
	}{
		{"nothing asked", TargetQuery{}, nil, nil},
		{"by appid, whatever it is", TargetQuery{AppIDs: []string{"wx3", "wx2", "wx9", "wx9"}}, []string{"wx2", "wx3"}, []string{"wx9"}},
		{"by label, mini programs", TargetQuery{Labels: []string{"vip", "none"}}, []string{"wx1", "wx3"}, nil},
		{"all that are authorized", TargetQuery{All: true}, []string{"wx1", "wx4"}, nil},
		{"parts add up without doubles", TargetQuery{AppIDs: []string{"wx1", "wx2"}, Labels: []string{"vip"}, All: true}, []string{"wx1", "wx2", "wx3", "wx4"}, nil},
	} {
		targets, unknown, err := e.Targets(t.Context(), c.q)
		require.NoError(t, err, c.name)
		var got []string
		for _, target := range targets {
			got = append(got, target.AppID)
		}
		require.Equal(t, c.want, got, c.name)
		require.Equal(t, c.unknown, unknown, c.name)
	}
	targets, _, err := e.Targets(t.Context(), TargetQuery{AppIDs: []string{"wx1"}})
	require.NoError(t, err)
	require.Equal(t, []string{"z", "a"}, targets[0].BizIDs, "in the order they were given")
	require.Equal(t, []string{"vip"}, targets[0].Labels)
	require.JSONEq(t, `{}`, string(targets[0].Ext))
}

func TestLinksAPI(t *testing.T) {
	t.Parallel()
	e := newEnv(t, idle(true))
	status, made := e.api(http.MethodPost, "/authorization-links", map[string]any{"biz_id": "shop-1", "kind": "miniprogram", "func_scopes": []int{30, 18, 18}})
	require.Equal(t, http.StatusCreated, status, made)
	id := made["id"].(string)
	require.Equal(t, e.url+"/authorize/"+id, made["url"])
	require.Equal(t, e.url+"/authorize/"+id+"/qr.png", made["qr_url"])
	require.Equal(t, "pending", made["status"])
	require.Equal(t, true, made["single_use"])
	require.Equal(t, []any{18.0, 30.0}, made["func_scopes"])
	expires, err := time.Parse(time.RFC3339, made["expires_at"].(string))
	require.NoError(t, err)
	require.WithinDuration(t, time.Now().Add(7*24*time.Hour), expires, time.Minute)

	long := make([]rune, 129)
	for i := range long {
		long[i] = '商'
	}
	for name, in := range map[string]map[string]any{
		"no biz id":          {"kind": "any"},
		"an empty biz id":    {"biz_id": " ", "kind": "any"},
		"a long biz id":      {"biz_id": string(long), "kind": "any"},
		"NUL":                {"biz_id": "a\x00b", "kind": "any"},
		"an unknown kind":    {"biz_id": "b", "kind": "shop"},
		"no kind":            {"biz_id": "b"},
		"a strange appid":    {"biz_id": "b", "kind": "any", "appid": "wx 1&x=2"},
		"a negative set":     {"biz_id": "b", "kind": "any", "func_scopes": []int{-1}},
		"no time":            {"biz_id": "b", "kind": "any", "ttl_seconds": 0},
		"too much time":      {"biz_id": "b", "kind": "any", "ttl_seconds": int64(1) << 60},
		"a foreign return":   {"biz_id": "b", "kind": "any", "return_url": "https://evil.example.com"},
		"a field not known":  {"biz_id": "b", "kind": "any", "biz": 1},
		"a wrong type":       {"biz_id": 7, "kind": "any"},
		"a script as return": {"biz_id": "b", "kind": "any", "return_url": "javascript:alert(1)"},
	} {
		status, problem := e.api(http.MethodPost, "/authorization-links", in)
		require.Equal(t, http.StatusUnprocessableEntity, status, name)
		require.Equal(t, "validation", problem["code"], name)
		require.NotEmpty(t, problem["errors"], name)
	}
	status, _ = e.api(http.MethodPost, "/authorization-links", map[string]any{"biz_id": string(long[:128]), "kind": "official", "ttl_seconds": 1, "single_use": false})
	require.Equal(t, http.StatusCreated, status)

	_, list := e.api(http.MethodGet, "/authorization-links?limit=1", nil)
	require.InEpsilon(t, 2, list["total"], 0)
	require.Len(t, list["items"], 1)
	_, list = e.api(http.MethodGet, "/authorization-links?limit=1&cursor="+list["next_cursor"].(string), nil)
	require.Empty(t, list["next_cursor"])
	require.Equal(t, id, list["items"].([]any)[0].(map[string]any)["id"])
	e.ahead.Add(int64(2 * time.Second))
	_, list = e.api(http.MethodGet, "/authorization-links?status=expired", nil)
	require.InEpsilon(t, 1, list["total"], 0)
	_, list = e.api(http.MethodGet, "/authorization-links?biz_id=shop-1&status=pending", nil)
	require.InEpsilon(t, 1, list["total"], 0)
	status, _ = e.api(http.MethodGet, "/authorization-links?biz_id=%00", nil)
	require.Equal(t, http.StatusOK, status)

	status, _ = e.api(http.MethodDelete, "/authorization-links/"+id, nil)
	require.Equal(t, http.StatusNoContent, status)
	_, got := e.api(http.MethodGet, "/authorization-links/"+id, nil)
	require.Equal(t, "revoked", got["status"])
	status, problem := e.api(http.MethodGet, "/authorization-links/nosuch", nil)
	require.Equal(t, http.StatusNotFound, status)
	require.Equal(t, "not_found", problem["code"])
}

func TestAuthorizersAPI(t *testing.T) {
	t.Parallel()
	e := newEnv(t)
	one, two := e.have("wxapi000000000001", "b1"), e.have("wxapi000000000002", "b2")
	require.NoError(t, e.wechat.Fake.AddMerchant(wechatfake.Merchant{AppID: "wxapi000000000003", Kind: wechatfake.Official, NickName: "100%_号"}))
	l := e.link(NewLink{BizID: "b3", Kind: "any"})
	e.agree(l, "wxapi000000000003", wechatfake.OrderEvent)
	e.until("the third is bound", func() bool { return e.reread(l).Status == linkAuthorized })
	e.settled()

	spec := e.get("/api/openapi.json", onDesktop)
	var described struct {
		Components struct {
			Schemas map[string]struct{ Properties map[string]any }
		}
	}
	require.NoError(t, json.Unmarshal([]byte(spec.body), &described))
	for _, field := range []string{"appid", "biz_ids", "network", "ext", "token"} {
		require.Contains(t, described.Components.Schemas["AuthorizerBody"].Properties, field)
	}

	status, got := e.api(http.MethodPatch, "/authorizers/"+one, map[string]any{
		"labels": []string{" vip ", "vip", "north"}, "ext": map[string]any{"shop": map[string]any{"id": int64(9007199254740993)}},
	})
	require.Equal(t, http.StatusOK, status, got)
	require.Equal(t, []any{"vip", "north"}, got["labels"])
	require.Equal(t, []any{"b1"}, got["biz_ids"])
	a, err := e.Get(t.Context(), one)
	require.NoError(t, err)
	require.JSONEq(t, `{"shop":{"id":9007199254740993}}`, string(a.Ext))
	require.Contains(t, string(a.Ext), "9007199254740993", "numbers are kept to the last digit")
	require.Equal(t, "miniprogram", got["kind"])
	require.NotEmpty(t, got["categories"])
	require.NotNil(t, got["token"].(map[string]any)["expires_at"])
	require.Contains(t, got["network"], "request")

	status, got = e.api(http.MethodPatch, "/authorizers/"+one, map[string]any{"biz_ids": []string{"x", "b1", "x"}})
	require.Equal(t, http.StatusOK, status)
	require.ElementsMatch(t, []any{"b1", "x"}, got["biz_ids"])
	require.Equal(t, []any{"vip", "north"}, got["labels"])
	for name, in := range map[string]map[string]any{
		"an empty biz id": {"biz_ids": []string{""}}, "an empty label": {"labels": []string{" "}}, "ext that is a list": {"ext": []int{1}},
		"ext that is null": {"ext": nil}, "ext with NUL": {"ext": map[string]string{"a": "\x00"}}, "a long label": {"labels": []string{fmt.Sprintf("%065d", 0)}},
	} {
		status, _ := e.api(http.MethodPatch, "/authorizers/"+one, in)
		require.Equal(t, http.StatusUnprocessableEntity, status, name)
	}
	status, got = e.api(http.MethodPatch, "/authorizers/"+two, map[string]any{"biz_ids": []string{}})
	require.Equal(t, http.StatusOK, status)
	require.Equal(t, []any{}, got["biz_ids"])

	for query, want := range map[string][]string{
		"":                               {"3", "2", "1"},
		"?status=authorized":             {"3", "2", "1"},
		"?status=unauthorized":           nil,
		"?kind=official":                 {"3"},
		"?q=WXAPI":                       {"3", "2", "1"},
		"?q=" + url.QueryEscape("100%_"): {"3"},
		"?q=" + url.QueryEscape("%"):     {"3"},
		"?q=0_0":                         nil,
		"?q=%00":                         nil,
		"?biz_id=x":                      {"1"},
		"?biz_id=b2":                     nil,
		"?label=vip":                     {"1"},
		"?label=none":                    nil,
		"?func_scope=18&kind=":           {"2", "1"},
	} {
		status, list := e.api(http.MethodGet, "/authorizers"+query, nil)
		require.Equal(t, http.StatusOK, status, "%s %v", query, list)
		var found []string
		for _, item := range list["items"].([]any) {
			appid := item.(map[string]any)["appid"].(string)
			found = append(found, appid[len(appid)-1:])
		}
		require.Equal(t, want, found, query)
		require.InDelta(t, len(want), list["total"], 0, query)
	}
	var walked []string
	for cursor := ""; ; {
		_, list := e.api(http.MethodGet, "/authorizers?limit=1&cursor="+cursor, nil)
		walked = append(walked, list["items"].([]any)[0].(map[string]any)["appid"].(string))
		if cursor = list["next_cursor"].(string); cursor == "" {
			break
		}
	}
	require.Equal(t, []string{"wxapi000000000003", two, one}, walked)

	status, got = e.api(http.MethodGet, "/authorizers/"+one+"/access-token", nil)
	require.Equal(t, http.StatusOK, status)
	token, err := e.Token(t.Context(), one)
	require.NoError(t, err)
	require.Equal(t, token.Access.Reveal(), got["access_token"])

	status, got = e.api(http.MethodPost, "/authorizers/"+one+"/refresh", nil)
	require.Equal(t, http.StatusOK, status, got)
	_, err = e.wechat.Fake.FailNext(wechatfake.Fault{Path: pathInfo, Mode: wechatfake.FaultErrcode, Code: 61007})
	require.NoError(t, err)
	status, got = e.api(http.MethodPost, "/authorizers/"+one+"/refresh", nil)
	require.Equal(t, http.StatusBadGateway, status)
	require.Equal(t, "wechat_refused", got["code"])
	require.InDelta(t, 61007, got["wechat"].(map[string]any)["errcode"], 0)

	require.NoError(t, e.wechat.Fake.Revoke(two))
	e.until("the second is withdrawn", func() bool { a, _ := e.Get(t.Context(), two); return a.Status == statusUnauthorized })
	status, got = e.api(http.MethodGet, "/authorizers/"+two+"/access-token", nil)
	require.Equal(t, http.StatusConflict, status)
	require.Equal(t, "unauthorized", got["code"])
	status, _ = e.api(http.MethodGet, "/authorizers/wx-never-seen", nil)
	require.Equal(t, http.StatusNotFound, status)
}
