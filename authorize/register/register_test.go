package register

import (
	"bytes"
	"context"
	"fmt"
	"image/png"
	"io"
	"net/http"
	"slices"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/stretchr/testify/require"

	"github.com/wxsteward/wxsteward/authorize"
	"github.com/wxsteward/wxsteward/authorize/authorizetest"
	"github.com/wxsteward/wxsteward/internal/fault"
	"github.com/wxsteward/wxsteward/internal/wechat"
	"github.com/wxsteward/wxsteward/internal/wechat/wechatfake"
)

const (
	company = "北京示例餐饮有限公司"
	credit  = "91110000MA01ABCD2X"
	phone   = "13800000000"

	pathEnterprise = "/wxa/component/fastregisterenterpriseweapp"
)

type env struct {
	*authorizetest.Env
	*Service
}

func newEnv(t *testing.T) *env {
	t.Helper()
	return newEnvPolling(t, 200*time.Millisecond)
}

func newEnvPolling(t *testing.T, poll time.Duration) *env {
	t.Helper()
	e := &env{}
	e.Env = authorizetest.New(t, func(p *authorizetest.Env) {
		e.Service = New(Config{Poll: poll, RetryBase: 20 * time.Millisecond, Now: p.Now}, Deps{
			DB: p.Pool, Keys: p.Keys, Merchants: p.Merchants, Platform: p.Component, Settings: p.Settings, Locker: p.Locks, Queue: p.Runner,
		})
		p.Component.Handle(e.Service)
		p.Merchants.OnAuthorized(e.OnAuthorized)
		p.Merchants.AddHistory(e.History)
		require.NoError(t, e.RegisterJobs(p.Runner))
		e.RegisterAPI(p.Server.API())
		e.RegisterRoutes(p.Server.Echo())
	})
	return e
}

// order is a registration of each kind that makes a mini program.
func order(kind string) map[string]any {
	body := map[string]any{"kind": kind, "biz_id": "biz-" + kind, "labels": []string{"new"}, "phone": phone}
	switch kind {
	case kindEnterprise:
		body["name"], body["code"] = company, credit
	case kindPersonal:
		body["idname"], body["wxuser"] = "张三", "zhangsan"
	case kindPersonalUpgrade:
		body["openid"] = "oZhangsan"
	case kindTrial:
		body["name"], body["openid"] = "老王试用", "oZhangsan"
	}
	return body
}

func (e *env) create(body map[string]any) map[string]any {
	e.T.Helper()
	status, out := e.API(http.MethodPost, "/registrations", body)
	require.Equal(e.T, http.StatusCreated, status, out)
	return out
}

func (e *env) get(id any) map[string]any {
	e.T.Helper()
	status, out := e.API(http.MethodGet, fmt.Sprintf("/registrations/%s", id), nil)
	require.Equal(e.T, http.StatusOK, status, out)
	return out
}

func (e *env) becomes(id any, state string) map[string]any {
	e.T.Helper()
	var out map[string]any
	e.Until("registration is "+state, func() bool {
		out = e.get(id)
		return out["state"] == state
	})
	return out
}

// task is WeChat's one task.
func (e *env) task() wechatfake.Registration {
	e.T.Helper()
	list := e.Fake.Registrations()
	require.NotEmpty(e.T, list)
	return list[len(list)-1]
}

func (e *env) fail(f wechatfake.Fault) {
	e.T.Helper()
	_, err := e.Fake.FailNext(f)
	require.NoError(e.T, err)
}

// wake has a registration looked at now.
func (e *env) wake(id any) {
	e.T.Helper()
	name, _ := id.(string)
	require.NoError(e.T, e.inTx(context.Background(), func(tx pgx.Tx) error { return wakeRegistration(context.Background(), tx, name, e.Now()) }))
	require.NoError(e.T, e.follow(context.Background(), name))
}

// TestEveryKindEndsAsAMerchantWithItsBizID goes through every kind with every combination of what WeChat may send.
func TestEveryKindEndsAsAMerchantWithItsBizID(t *testing.T) {
	t.Parallel()
	for _, events := range []string{"both", "registered", "authorized", "twice"} {
		t.Run("events "+events, func(t *testing.T) {
			t.Parallel()
			e := newEnv(t)
			how := wechatfake.Confirm{Events: events}
			if events == "twice" {
				how = wechatfake.Confirm{Twice: true}
			}
			codes := 0
			for _, kind := range []string{kindEnterprise, kindPersonal, kindPersonalUpgrade, kindTrial} {
				if kind == kindTrial && events == "registered" {
					continue // its own event brings no authorization code
				}
				codes++
				made := e.create(order(kind))
				require.Equal(t, stateWaiting, made["state"], made)
				require.NotEmpty(t, made["url"])
				require.Nil(t, made["error"])
				appid, err := e.Fake.ConfirmRegistration(e.task().Task, how)
				require.NoError(t, err)
				done := e.becomes(made["id"], stateCompleted)
				require.Equal(t, appid, done["appid"])
				require.Empty(t, done["url"], "there is nothing to confirm any more")
				require.Empty(t, done["detail"], "nobody is waited for any more")
				a, err := e.Merchants.Get(t.Context(), appid)
				require.NoError(t, err)
				require.Equal(t, []string{"biz-" + kind}, a.BizIDs)
				require.Equal(t, []string{"new"}, a.Labels)
				_, err = e.Merchants.Token(t.Context(), appid)
				require.NoError(t, err)
			}
			require.Equal(t, codes, e.Fake.Effective("/cgi-bin/component/api_query_auth", ""), "each code exchanged once")
			require.Empty(t, e.Fake.Unknown())
		})
	}
}

func TestQRCodeLeadsToTheOwnersPage(t *testing.T) {
	t.Parallel()
	e := newEnv(t)
	made := e.create(order(kindEnterprise))
	path := "/registrations/" + made["id"].(string) + "/qr.png"
	require.Equal(t, "/api/v1"+path, made["qr_url"])
	status, header, content := e.Raw(http.MethodGet, path, nil)
	require.Equal(t, http.StatusOK, status)
	require.Equal(t, "image/png", header.Get("Content-Type"))
	_, err := png.Decode(bytes.NewReader(content))
	require.NoError(t, err)
	_, out := e.API(http.MethodPost, "/registrations/"+made["id"].(string)+"/cancel", nil)
	require.Equal(t, stateCanceled, out["state"])
	status, _ = e.API(http.MethodGet, path, nil)
	require.Equal(t, http.StatusGone, status)
}

// TestEventIsLostAltogether: WeChat's task says that the mini program is there; the merchant comes by a synchronization.
func TestEventIsLostAltogether(t *testing.T) {
	t.Parallel()
	e := newEnv(t)
	made := e.create(order(kindEnterprise))
	appid, err := e.Fake.ConfirmRegistration(e.task().Task, wechatfake.Confirm{Events: "none"})
	require.NoError(t, err)
	created := e.becomes(made["id"], stateCreated)
	require.Empty(t, created["appid"])
	require.Contains(t, created["detail"], "created")
	_, err = e.Fake.AuthorizeMerchant(appid, wechatfake.Authorize{Scopes: []int{17, 18}}) // any later consent
	require.NoError(t, err)
	require.Equal(t, appid, e.becomes(made["id"], stateCompleted)["appid"])
}

// TestSynchronizationEndsARegistration: the mini program is told of, its authorization is not, and nobody asks.
func TestSynchronizationEndsARegistration(t *testing.T) {
	t.Parallel()
	e := newEnvPolling(t, 24*time.Hour)
	made := e.create(order(kindTrial))
	appid, err := e.Fake.ConfirmRegistration(e.task().Task, wechatfake.Confirm{Events: "registered"})
	require.NoError(t, err)
	created := e.becomes(made["id"], stateCreated)
	require.Equal(t, appid, created["appid"])
	require.Contains(t, created["detail"], "created")
	status, out := e.API(http.MethodPost, "/authorizers/sync", nil)
	require.Equal(t, http.StatusAccepted, status, out)
	e.becomes(made["id"], stateCompleted)
	a, err := e.Merchants.Get(t.Context(), appid)
	require.NoError(t, err)
	require.Equal(t, []string{"biz-trial"}, a.BizIDs)
}

// TestManyNewcomersWakeARegistrationOnce: a synchronization can bring thousands in one transaction.
func TestManyNewcomersWakeARegistrationOnce(t *testing.T) {
	t.Parallel()
	e := newEnvPolling(t, 24*time.Hour)
	e.StopJobs()
	e.create(order(kindEnterprise))
	before := e.Count(`SELECT count(*) FROM river_job WHERE kind = 'register_follow'`)
	require.NoError(t, e.inTx(t.Context(), func(tx pgx.Tx) error {
		for i := range 50 {
			if err := e.OnAuthorized(t.Context(), tx, fmt.Sprintf("wx%016d", i)); err != nil {
				return err
			}
		}
		return nil
	}))
	require.Equal(t, before+1, e.Count(`SELECT count(*) FROM river_job WHERE kind = 'register_follow'`))
}

// TestMerchantComesWhileItsEventIsHandled: the event does not see the merchant yet, and the merchant not the event.
func TestMerchantComesWhileItsEventIsHandled(t *testing.T) {
	t.Parallel()
	e := newEnvPolling(t, 24*time.Hour)
	const appid = "wx00000000000000ee"
	e.Merchant(wechatfake.Merchant{AppID: appid, RegisterType: 6})
	e.StopJobs()
	id, _ := e.create(order(kindPersonal))["id"].(string)
	_, err := e.Pool.Exec(t.Context(), `UPDATE registration SET state = 'waiting', next_at = now() + interval '1 day' WHERE id = $1`, id)
	require.NoError(t, err)

	event, err := e.Pool.Begin(t.Context())
	require.NoError(t, err)
	defer func() { _ = event.Rollback(context.WithoutCancel(t.Context())) }()
	_, err = event.Exec(t.Context(), `UPDATE registration SET state = 'created', appid = $2 WHERE id = $1`, id, appid)
	require.NoError(t, err)
	done := make(chan error, 1)
	go func() {
		done <- e.inTx(t.Context(), func(tx pgx.Tx) error { return e.OnAuthorized(t.Context(), tx, appid) })
	}()
	e.Until("the merchant waits for the row", func() bool {
		return e.Count(`SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND datname = current_database()`) > 0
	})
	require.NoError(t, event.Commit(t.Context()))
	require.NoError(t, <-done)
	require.Equal(t, stateCompleted, e.get(id)["state"])
}

// TestMerchantsAreNotMixedUp: two registrations whose events are lost, and a merchant that nobody registered here.
func TestMerchantsAreNotMixedUp(t *testing.T) {
	t.Parallel()
	e := newEnv(t)
	e.Merchant(wechatfake.Merchant{AppID: "wx00000000000000ff", RegisterType: 6, Principal: "上海别家有限公司"})
	first, second := order(kindPersonal), order(kindPersonal)
	second["idname"], second["wxuser"], second["biz_id"] = "李四", "lisi", "biz-2"
	a, b := e.create(first), e.create(second)
	tasks := e.Fake.Registrations()
	var appids []string
	for _, task := range tasks {
		appid, err := e.Fake.ConfirmRegistration(task.Task, wechatfake.Confirm{Events: "authorized"})
		require.NoError(t, err)
		appids = append(appids, appid)
	}
	for _, appid := range appids {
		e.Until("details", func() bool {
			m, err := e.Merchants.Get(t.Context(), appid)
			return err == nil && m.InfoAt != nil
		})
	}
	e.becomes(a["id"], stateCreated)
	e.becomes(b["id"], stateCreated)
	for _, made := range []map[string]any{a, b} {
		e.wake(made["id"])
		require.Empty(t, e.get(made["id"])["appid"], "a person's name is not shown by WeChat, so an operator decides")
	}
	status, out := e.API(http.MethodPost, "/registrations/"+a["id"].(string)+"/assign", map[string]any{"appid": appids[0]})
	require.Equal(t, http.StatusOK, status, out)
	require.Equal(t, stateCompleted, out["state"])
	require.Equal(t, appids[1], e.becomes(b["id"], stateCompleted)["appid"], "then there is only one left")
	status, out = e.API(http.MethodPost, "/registrations/"+b["id"].(string)+"/assign", map[string]any{"appid": appids[0]})
	require.Equal(t, http.StatusConflict, status, out)

	third := e.create(order(kindEnterprise))
	status, out = e.API(http.MethodPost, "/registrations/"+third["id"].(string)+"/assign", map[string]any{"appid": appids[0]})
	require.Equal(t, http.StatusConflict, status, "a mini program is registered once: %v", out)
	status, _ = e.API(http.MethodPost, "/registrations/"+third["id"].(string)+"/assign", map[string]any{"appid": "wxnowhere"})
	require.Equal(t, http.StatusNotFound, status)
}

func TestSameOwnerTwice(t *testing.T) {
	t.Parallel()
	e := newEnv(t)
	made := e.create(order(kindEnterprise))
	status, out := e.API(http.MethodPost, "/registrations", order(kindEnterprise))
	require.Equal(t, http.StatusConflict, status)
	require.Contains(t, out["detail"], made["id"])
	require.Equal(t, 1, e.Fake.Effective(pathEnterprise, ""))
	_, _ = e.API(http.MethodPost, "/registrations/"+made["id"].(string)+"/cancel", nil)
	again := e.create(order(kindEnterprise))
	require.Equal(t, stateFailed, again["state"], "WeChat still has the first one")
	problem, _ := again["error"].(map[string]any)
	require.InDelta(t, 89249, problem["errcode"], 0)
	require.Contains(t, problem["detail"], "24 hours")

	// The owner confirms the one that was canceled here: the merchant is kept and gets its biz id.
	appid, err := e.Fake.ConfirmRegistration(e.task().Task, wechatfake.Confirm{})
	require.NoError(t, err)
	e.Until("the merchant is bound", func() bool {
		a, err := e.Merchants.Get(t.Context(), appid)
		return err == nil && slices.Equal(a.BizIDs, []string{"biz-" + kindEnterprise})
	})
}

// TestAnswerIsLost: the call is made again, for nobody can confirm a task whose address nobody knows.
func TestAnswerIsLost(t *testing.T) {
	t.Parallel()
	t.Run("before WeChat had it", func(t *testing.T) {
		t.Parallel()
		e := newEnv(t)
		e.fail(wechatfake.Fault{Path: pathEnterprise, Mode: wechatfake.FaultCutBefore, Times: 2})
		made := e.create(order(kindEnterprise))
		require.Equal(t, stateSent, made["state"])
		require.NotNil(t, made["error"])
		require.NotEmpty(t, e.becomes(made["id"], stateWaiting)["url"])
		require.Equal(t, 1, e.Fake.Effective(pathEnterprise, ""))
	})
	t.Run("after WeChat had it", func(t *testing.T) {
		t.Parallel()
		e := newEnv(t)
		e.fail(wechatfake.Fault{Path: pathEnterprise, Mode: wechatfake.FaultCutAfter})
		made := e.create(order(kindEnterprise))
		failed := e.becomes(made["id"], stateFailed)
		problem, _ := failed["error"].(map[string]any)
		require.InDelta(t, 89249, problem["errcode"], 0, "a task of this owner runs, as WeChat says")
		require.Equal(t, 1, e.Fake.Effective(pathEnterprise, ""))
		e.Pass(25 * time.Hour)
		e.Fake.PushTicket()
		_ = e.retry(made["id"])
		e.Until("WeChat takes it, once the platform has a ticket", func() bool {
			_, err := e.Pool.Exec(t.Context(), `UPDATE registration SET next_at = $1`, e.Now()) // the queue's clock is another
			require.NoError(t, err)
			require.NoError(t, e.follow(t.Context(), made["id"].(string)))
			return e.get(made["id"])["state"] == stateWaiting
		})
	})
	t.Run("a trial, of which there may be many", func(t *testing.T) {
		t.Parallel()
		e := newEnv(t)
		e.fail(wechatfake.Fault{Path: "/wxa/component/fastregisterbetaweapp", Mode: wechatfake.FaultCutAfter})
		made := e.create(order(kindTrial))
		e.becomes(made["id"], stateWaiting)
		appid, err := e.Fake.ConfirmRegistration(e.task().Task, wechatfake.Confirm{})
		require.NoError(t, err)
		require.Equal(t, appid, e.becomes(made["id"], stateCompleted)["appid"])
	})
	t.Run("for ever", func(t *testing.T) {
		t.Parallel()
		e := newEnv(t)
		e.fail(wechatfake.Fault{Path: pathEnterprise, Mode: wechatfake.FaultErrcode, Code: -1, Times: -1})
		made := e.create(order(kindEnterprise))
		failed := e.becomes(made["id"], stateFailed)
		require.InDelta(t, -1, failed["error"].(map[string]any)["errcode"], 0)
		require.Len(t, e.Fake.Calls(pathEnterprise), tries)
	})
}

func TestCallsThatWereNotMadeCostNoTry(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		err  error
		want bool
	}{
		"no ticket":              {&wechat.TokenError{Err: fault.New(fault.Conflict, "")}, true},
		"a token refused":        {&wechat.TokenError{Err: &wechat.APIError{Code: 61004}}, true},
		"the merchant has gone":  {&wechat.TokenError{Err: fault.New(fault.Unauthorized, "")}, false},
		"nobody answers":         {&wechat.TransportError{Err: io.EOF}, true},
		"the answer is lost":     {&wechat.TransportError{Sent: true, Err: io.EOF}, false},
		"WeChat refuses":         {&wechat.APIError{Code: 89254}, false},
		"a rollout is at work":   {fault.New(fault.Conflict, ""), true},
		"the database is broken": {io.ErrUnexpectedEOF, false},
		"all is well":            {nil, false},
	} {
		require.Equal(t, tc.want, notMade(tc.err), name)
	}
}

// TestProcessDiesAroundTheCall leaves the row as a process does that died after it had committed "sent".
func TestProcessDiesAroundTheCall(t *testing.T) {
	t.Parallel()
	e := newEnv(t)
	e.StopJobs()
	e.fail(wechatfake.Fault{Path: pathEnterprise, Mode: wechatfake.FaultCutBefore})
	made := e.create(order(kindEnterprise))
	id, _ := made["id"].(string)
	_, err := e.Pool.Exec(t.Context(), `DELETE FROM river_job`)
	require.NoError(t, err)
	_, err = e.Pool.Exec(t.Context(), `UPDATE registration SET next_at = $1`, e.Now().Add(lease))
	require.NoError(t, err)
	require.NoError(t, e.follow(t.Context(), id))
	require.Equal(t, stateSent, e.get(id)["state"], "whoever made the call has it to itself")
	require.NoError(t, e.sweep(t.Context()))
	require.Zero(t, e.Count(`SELECT count(*) FROM river_job WHERE kind = 'register_follow'`))
	e.Pass(lease + 2*time.Minute)
	require.NoError(t, e.sweep(t.Context()))
	require.Equal(t, 1, e.Count(`SELECT count(*) FROM river_job WHERE kind = 'register_follow'`))
	require.NoError(t, e.follow(t.Context(), id))
	require.Equal(t, stateWaiting, e.get(id)["state"])
}

func TestRegistrationComesToNothing(t *testing.T) {
	t.Parallel()
	t.Run("the owner refuses", func(t *testing.T) {
		t.Parallel()
		e := newEnv(t)
		made := e.create(order(kindEnterprise))
		require.NoError(t, e.Fake.FailRegistration(e.task().Task, 2, 0, ""))
		require.Contains(t, e.becomes(made["id"], stateFailed)["detail"], "refused")
	})
	t.Run("the event says why", func(t *testing.T) {
		t.Parallel()
		e := newEnv(t)
		made := e.create(order(kindPersonal))
		require.NoError(t, e.Fake.FailRegistration(e.task().Task, 11, 1003, "管理员绑定账号数量达到上限"))
		var failed map[string]any
		e.Until("the reason is known, whichever of event and query was first", func() bool {
			failed = e.get(made["id"])
			return failed["result"] != nil
		})
		require.Equal(t, stateFailed, failed["state"])
		require.InDelta(t, 1003, failed["result"], 0)
		require.Contains(t, failed["detail"], "administrator")
		again := e.becomes(e.retry(made["id"]), stateWaiting)
		require.Nil(t, again["result"])
	})
	t.Run("a number nobody knows", func(t *testing.T) {
		t.Parallel()
		e := newEnv(t)
		made := e.create(order(kindTrial))
		require.NoError(t, e.Fake.FailRegistration(e.task().Task, 11, 4711, "换一个名字"))
		require.Equal(t, "换一个名字", e.becomes(made["id"], stateFailed)["detail"], "WeChat's words")
	})
	t.Run("the end counts, not what WeChat said of the task before", func(t *testing.T) {
		t.Parallel()
		created, refused := 0, 1003
		for state, want := range map[string]string{
			stateWaiting: "Waits for the owner", stateCreated: "is created", stateExpired: "within 24 hours", stateCompleted: "", stateCanceled: "",
		} {
			text := statusText(Registration{State: state, Status: &created}, "en")
			require.Contains(t, text, want, state)
			require.Equal(t, want == "", text == "", state)
		}
		require.Empty(t, statusText(Registration{State: stateCompleted, Result: &refused}, "en"), "assigned after a refusal")
	})
	t.Run("nobody confirms within 24 hours", func(t *testing.T) {
		t.Parallel()
		for _, kind := range []string{kindPersonal, kindTrial} {
			e := newEnv(t)
			made := e.create(order(kind))
			e.StopJobs()
			e.Pass(confirmation + late + time.Minute)
			e.wake(made["id"])
			require.Equal(t, stateExpired, e.get(made["id"])["state"], kind)
		}
	})
	t.Run("WeChat refuses the call", func(t *testing.T) {
		t.Parallel()
		e := newEnv(t)
		e.fail(wechatfake.Fault{Path: pathEnterprise, Mode: wechatfake.FaultErrcode, Code: 89254})
		made := e.create(order(kindEnterprise))
		require.Equal(t, stateFailed, made["state"])
		require.Contains(t, made["error"].(map[string]any)["detail"], "permission sets")
	})
}

func (e *env) retry(id any) any {
	e.T.Helper()
	name, _ := id.(string)
	status, out := e.API(http.MethodPost, "/registrations/"+name+"/retry", nil)
	require.Equal(e.T, http.StatusOK, status, out)
	return out["id"]
}

// TestRegistrationMadeElsewhere: the event is about a registration that nobody asked for here; its mini program is kept.
func TestRegistrationMadeElsewhere(t *testing.T) {
	t.Parallel()
	e := newEnv(t)
	made := e.create(order(kindEnterprise))
	task := e.task().Task
	_, err := e.Pool.Exec(t.Context(), `DELETE FROM registration WHERE id = $1`, made["id"])
	require.NoError(t, err)
	appid, err := e.Fake.ConfirmRegistration(task, wechatfake.Confirm{Events: "registered"})
	require.NoError(t, err)
	e.Until("the merchant is on record", func() bool { return e.Merchants.CheckAuthorized(t.Context(), appid) == nil })
}

func TestWhoMayBeTheMerchantOfARegistration(t *testing.T) {
	t.Parallel()
	trial := Registration{Kind: kindTrial, Request: map[string]string{"name": "花店"}}
	personal := Registration{Kind: kindPersonal, Request: map[string]string{}}
	for name, c := range map[string]struct {
		r    Registration
		a    authorize.Authorizer
		fits bool
	}{
		"a trial with WeChat's suffix":              {trial, authorize.Authorizer{NickName: "花店的体验小程序"}, true},
		"a trial of that very name":                 {trial, authorize.Authorizer{NickName: "花店"}, true},
		"a trial whose name only begins alike":      {trial, authorize.Authorizer{NickName: "花店二号的体验小程序"}, false},
		"a trial that came by a link":               {trial, authorize.Authorizer{NickName: "花店的体验小程序", BizIDs: []string{"b"}}, false},
		"a person's mini program":                   {personal, authorize.Authorizer{NickName: "老王"}, true},
		"a person's mini program that came by link": {personal, authorize.Authorizer{NickName: "老王", BizIDs: []string{"b"}}, false},
	} {
		require.Equal(t, c.fits, fits(c.r, "", c.a), name)
	}
}

func TestTrialBecomesFormal(t *testing.T) {
	t.Parallel()
	const trial = "wx00000000000000b1"
	for kind, events := range map[string]string{kindTrialEnterprise: "", kindTrialUpgrade: "none"} {
		t.Run(kind, func(t *testing.T) {
			t.Parallel()
			e := newEnv(t)
			e.Merchant(wechatfake.Merchant{AppID: trial, NickName: "老王的体验小程序", ServiceType: 12, RegisterType: 13})
			status, out := e.API(http.MethodPut, "/authorizers/"+trial+"/trial-name", map[string]any{"name": "老王新试用"})
			require.Equal(t, http.StatusNoContent, status, out)
			status, out = e.API(http.MethodPut, "/authorizers/"+trial+"/trial-name", map[string]any{"name": "王"})
			require.Equal(t, http.StatusUnprocessableEntity, status, out)

			body := map[string]any{"kind": kind, "appid": trial, "name": company, "code": credit, "phone": phone}
			made := e.create(body)
			require.Equal(t, stateWaiting, made["state"], made)
			status, out = e.API(http.MethodPost, "/registrations", body)
			require.Equal(t, http.StatusConflict, status, out)
			_, err := e.Fake.ConfirmRegistration(e.task().Task, wechatfake.Confirm{Events: events})
			require.NoError(t, err)
			require.Equal(t, trial, e.becomes(made["id"], stateCompleted)["appid"])
			e.Until("the directory has it", func() bool {
				a, err := e.Merchants.Get(t.Context(), trial)
				return err == nil && a.RegisterType != nil && *a.RegisterType == 19
			})
			again := e.create(body)
			require.Equal(t, stateFailed, again["state"])
			require.InDelta(t, 91021, again["error"].(map[string]any)["errcode"], 0)
		})
	}
}

func TestBadInput(t *testing.T) {
	t.Parallel()
	e := newEnv(t)
	for name, change := range map[string]func(map[string]any){
		"no biz id":             func(b map[string]any) { delete(b, "biz_id") },
		"control characters":    func(b map[string]any) { b["biz_id"] = "a\u0001b" },
		"no code":               func(b map[string]any) { delete(b, "code") },
		"an old kind of code":   func(b map[string]any) { b["code"] = "123456789" },
		"no phone":              func(b map[string]any) { delete(b, "phone") },
		"no phone number":       func(b map[string]any) { b["phone"] = "call me" },
		"a name with a newline": func(b map[string]any) { b["name"] = "a\nb" },
		"an unknown kind":       func(b map[string]any) { b["kind"] = "shop" },
		"an appid":              func(b map[string]any) { b["appid"] = "wx1" },
		"an empty label":        func(b map[string]any) { b["labels"] = []string{" "} },
	} {
		body := order(kindEnterprise)
		change(body)
		status, out := e.API(http.MethodPost, "/registrations", body)
		require.Equal(t, http.StatusUnprocessableEntity, status, "%s: %v", name, out)
	}
	status, _ := e.API(http.MethodPost, "/registrations", map[string]any{"kind": kindTrialUpgrade, "appid": "wxnowhere", "phone": phone})
	require.Equal(t, http.StatusNotFound, status)
	status, _ = e.API(http.MethodPost, "/registrations", map[string]any{"kind": kindTrialUpgrade, "phone": phone})
	require.Equal(t, http.StatusUnprocessableEntity, status)
	status, _ = e.API(http.MethodGet, "/registrations/nowhere", nil)
	require.Equal(t, http.StatusNotFound, status)
	require.Empty(t, e.Fake.Registrations())
	require.Zero(t, e.Count(`SELECT count(*) FROM registration`))
}

// TestCallsAreSpeltAsTheSettingsSay: what WeChat has not documented can be corrected without a new release.
func TestCallsAreSpeltAsTheSettingsSay(t *testing.T) {
	t.Parallel()
	e := newEnv(t)
	_, out := e.API(http.MethodGet, "/registrations/settings", nil)
	calls, _ := out["calls"].(map[string]any)
	require.Len(t, calls, 6)
	own := map[string]any{
		"path": "wxa/component/fastregisterpersonalweapp", "create_action": "create", "query_action": "query", "queries": true, "wrap": "",
		"extra": map[string]any{"new_version": true, "idname": "张三", "wxuser": "zhangsan"},
	}
	status, out := e.API(http.MethodPut, "/registrations/settings", map[string]any{"calls": map[string]any{kindEnterprise: own}})
	require.Equal(t, http.StatusOK, status, out)
	require.Equal(t, stateWaiting, e.create(order(kindEnterprise))["state"])
	call := e.Fake.Calls("/wxa/component/fastregisterpersonalweapp")[0]
	require.Equal(t, "action=create", call.Query)
	require.JSONEq(t, `{"name":"`+company+`","code":"`+credit+`","component_phone":"`+phone+`","new_version":true,"idname":"张三","wxuser":"zhangsan"}`, call.Body)

	for _, path := range []string{"https://evil.example.com/x", "wxa/../cgi-bin/x", "/wxa/x", "wxa"} {
		own["path"] = path
		status, _ = e.API(http.MethodPut, "/registrations/settings", map[string]any{"calls": map[string]any{kindEnterprise: own}})
		require.Equal(t, http.StatusUnprocessableEntity, status, path)
	}
	status, _ = e.API(http.MethodPut, "/registrations/settings", map[string]any{"calls": map[string]any{"shop": own}})
	require.Equal(t, http.StatusUnprocessableEntity, status)
	status, out = e.API(http.MethodPut, "/registrations/settings", map[string]any{"calls": map[string]any{}})
	require.Equal(t, http.StatusOK, status)
	require.Equal(t, calls, out["calls"], "back to what the program knows")
}

func TestListOfRegistrations(t *testing.T) {
	t.Parallel()
	e := newEnv(t)
	for _, kind := range []string{kindEnterprise, kindPersonal, kindTrial} {
		e.create(order(kind))
	}
	_, out := e.API(http.MethodGet, "/registrations?limit=2", nil)
	require.Len(t, out["items"], 2)
	require.InDelta(t, 3, out["total"], 0)
	_, out = e.API(http.MethodGet, fmt.Sprintf("/registrations?limit=2&cursor=%s", out["next_cursor"]), nil)
	require.Len(t, out["items"], 1)
	_, out = e.API(http.MethodGet, "/registrations?kind=trial&state=waiting&biz_id=biz-trial", nil)
	require.Len(t, out["items"], 1)
	_, out = e.API(http.MethodGet, "/registrations?state=completed", nil)
	require.Empty(t, out["items"])
}
