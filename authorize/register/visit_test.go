package register

import (
	"context"
	"io"
	"net/http"
	"net/url"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/wxsteward/wxsteward/internal/sealed"
	"github.com/wxsteward/wxsteward/internal/wechat/wechatfake"
)

const (
	official = "wx00000000000000f1"
	shop     = "wx00000000000000f2"
	owner    = "杭州麦香坊食品有限公司"
	before   = "wx00000000000000f3" // another merchant, there before

	pathFastRegister = "/cgi-bin/account/fastregister"
	pathRebindAdmin  = "/cgi-bin/account/componentrebindadmin"
)

// newVisited is a platform with an official account and a mini program.
func newVisited(t *testing.T) *env {
	t.Helper()
	e := newEnv(t)
	e.Merchant(wechatfake.Merchant{AppID: official, NickName: "麦香坊", Principal: owner, Kind: wechatfake.Official, ServiceType: 2})
	e.Merchant(wechatfake.Merchant{AppID: shop, NickName: "麦香坊外卖", Principal: owner})
	return e
}

func officialOrder() map[string]any {
	return map[string]any{"kind": kindOfficialAccount, "appid": official, "biz_id": "biz-reuse", "labels": []string{"new"}}
}

func adminOrder() map[string]any { return map[string]any{"kind": kindAdminChange, "appid": shop} }

type visitPage struct {
	status   int
	location string
	body     string
}

// browse is one step of a computer's browser.
func (e *env) browse(method, address, referer string, form url.Values) visitPage {
	e.T.Helper()
	req, err := http.NewRequestWithContext(context.Background(), method, address, strings.NewReader(form.Encode()))
	require.NoError(e.T, err)
	req.Header.Set("User-Agent", "Mozilla/5.0 (Windows NT 10.0; Win64; x64) Chrome/140.0")
	req.Header.Set("Accept-Language", "en")
	if referer != "" {
		req.Header.Set("Referer", referer)
	}
	if method == http.MethodPost {
		req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	}
	client := &http.Client{CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	resp, err := client.Do(req)
	require.NoError(e.T, err)
	defer resp.Body.Close() //nolint:errcheck // read to its end
	content, err := io.ReadAll(resp.Body)
	require.NoError(e.T, err)
	return visitPage{resp.StatusCode, resp.Header.Get("Location"), string(content)}
}

// leave goes from our page to WeChat's.
func (e *env) leave(made map[string]any) (wechatPage string) {
	e.T.Helper()
	address, _ := made["url"].(string)
	page := e.browse(http.MethodGet, address, "", nil)
	require.Equal(e.T, http.StatusOK, page.status, page.body)
	button := regexp.MustCompile(`id="go"[^>]*href="([^"]+)"`).FindStringSubmatch(page.body)
	require.NotNil(e.T, button, page.body)
	sent := e.browse(http.MethodGet, e.URL+button[1], address, nil)
	require.Equal(e.T, http.StatusFound, sent.status, sent.body)
	return sent.location
}

// agree goes to WeChat's page and confirms; what comes back is the address of our callback.
func (e *env) agree(made map[string]any) (callback string) {
	e.T.Helper()
	there := e.leave(made)
	asked := e.browse(http.MethodGet, there, e.URL+"/", nil)
	require.Contains(e.T, asked.body, `id="agree"`)
	given := e.browse(http.MethodPost, there, "", url.Values{"decision": {"agree"}})
	require.Equal(e.T, http.StatusFound, given.status, given.body)
	return given.location
}

func (e *env) comeBack(callback string) visitPage {
	e.T.Helper()
	page := e.browse(http.MethodGet, callback, "", nil)
	if page.location == "" {
		return page
	}
	require.NotContains(e.T, page.location, "ticket=", "what WeChat gave does not stay in the address")
	return e.browse(http.MethodGet, e.URL+page.location, "", nil)
}

// stateOf is what a callback has to prove itself.
func stateOf(t *testing.T, callback string) string {
	t.Helper()
	u, err := url.Parse(callback)
	require.NoError(t, err)
	return u.Query().Get("state")
}

// due makes a registration due now, which the queue, whose clock is another, does not know.
func (e *env) due(id any) {
	e.T.Helper()
	_, err := e.Pool.Exec(e.T.Context(), `UPDATE registration SET next_at = $1`, e.Now())
	require.NoError(e.T, err)
	name, _ := id.(string)
	require.NoError(e.T, e.follow(e.T.Context(), name))
}

func (e *env) completedAs(made map[string]any) map[string]any {
	e.T.Helper()
	done := e.becomes(made["id"], stateCompleted)
	appid, _ := done["appid"].(string)
	a, err := e.Merchants.Get(e.T.Context(), appid)
	require.NoError(e.T, err)
	require.Equal(e.T, []string{"biz-reuse"}, a.BizIDs)
	require.Equal(e.T, []string{"new"}, a.Labels)
	_, err = e.Merchants.Token(e.T.Context(), appid)
	require.NoError(e.T, err)
	require.Equal(e.T, 1, e.Fake.Effective(pathFastRegister, official))
	return done
}

func TestOfficialAccountGivesItsPrincipal(t *testing.T) {
	t.Parallel()
	e := newVisited(t)
	made := e.create(officialOrder())
	require.Equal(t, stateWaiting, made["state"], made)
	require.Equal(t, e.URL+"/authorize/registrations/"+made["id"].(string), made["url"])
	there, err := url.Parse(e.leave(made))
	require.NoError(t, err)
	require.Regexp(t, `^component_appid=[^&]+&appid=`+official+`&copy_wx_verify=1&redirect_uri=`, there.RawQuery, "WeChat's order")
	page := e.comeBack(e.agree(made))
	require.Contains(t, []int{http.StatusAccepted, http.StatusOK}, page.status, page.body)
	done := e.completedAs(made)
	require.Equal(t, true, done["verify_copied"])
	require.Equal(t, true, done["linked"])
	require.Empty(t, done["detail"])
	page = e.browse(http.MethodGet, made["url"].(string), "", nil)
	require.Equal(t, http.StatusOK, page.status)
	require.Contains(t, page.body, done["appid"])
	for _, appid := range []string{official, done["appid"].(string)} {
		_, _, timeline := e.Raw(http.MethodGet, "/authorizers/"+appid+"/timeline", nil)
		require.Contains(t, string(timeline), "registration_started", appid)
	}
}

func TestAdministratorIsChanged(t *testing.T) {
	t.Parallel()
	e := newVisited(t)
	made := e.create(adminOrder())
	there, err := url.Parse(e.leave(made))
	require.NoError(t, err)
	require.Equal(t, "/wxopen/componentrebindadmin", there.Path)
	require.Regexp(t, `^appid=`+shop+`&component_appid=[^&]+&redirect_uri=`, there.RawQuery, "WeChat's order")
	e.comeBack(e.agree(made))
	done := e.becomes(made["id"], stateCompleted)
	require.Equal(t, shop, done["appid"])
	require.Equal(t, 1, e.Fake.Effective(pathRebindAdmin, shop))
	require.Contains(t, e.browse(http.MethodGet, made["url"].(string), "", nil).body, "new administrator")
}

func TestVisitedKindsAreForTheRightAccount(t *testing.T) {
	t.Parallel()
	e := newVisited(t)
	for name, tc := range map[string]struct {
		body   map[string]any
		status int
	}{
		"no official account":                        {map[string]any{"kind": kindOfficialAccount, "biz_id": "b"}, 422},
		"a mini program for an official account":     {map[string]any{"kind": kindOfficialAccount, "biz_id": "b", "appid": shop}, 422},
		"an official account without a biz id":       {map[string]any{"kind": kindOfficialAccount, "appid": official}, 422},
		"an account nobody knows":                    {map[string]any{"kind": kindOfficialAccount, "biz_id": "b", "appid": "wx0000"}, 404},
		"no mini program":                            {map[string]any{"kind": kindAdminChange}, 422},
		"an official account whose admin is changed": {map[string]any{"kind": kindAdminChange, "appid": official}, 422},
	} {
		status, out := e.API(http.MethodPost, "/registrations", tc.body)
		require.Equal(t, tc.status, status, "%s: %v", name, out)
	}
	require.NoError(t, e.Fake.Revoke(shop))
	e.Until("shop has withdrawn", func() bool {
		a, err := e.Merchants.Get(t.Context(), shop)
		return err == nil && a.Status == "unauthorized"
	})
	status, out := e.API(http.MethodPost, "/registrations", adminOrder())
	require.Equal(t, http.StatusConflict, status, out)
}

func TestRegistrationsOfAnotherKindHaveNoPage(t *testing.T) {
	t.Parallel()
	e := newVisited(t)
	made := e.create(order(kindEnterprise))
	for _, id := range []string{made["id"].(string), "nosuch", "UPPER", strings.Repeat("a", 200)} {
		for _, path := range []string{"", "/go", "/callback?state=a&ticket=b"} {
			require.Equal(t, http.StatusNotFound, e.browse(http.MethodGet, e.URL+"/authorize/registrations/"+id+path, "", nil).status, id+path)
		}
	}
}

func TestForgedAndOldStatesStoreNothing(t *testing.T) {
	t.Parallel()
	e := newVisited(t)
	made, other := e.create(officialOrder()), e.create(adminOrder())
	base := made["url"].(string) + "/callback?ticket=t1&state="
	foreign := stateOf(t, e.agree(other))
	for name, state := range map[string]string{"none": "", "invented": "abcdef", "of another registration": foreign} {
		page := e.comeBack(base + state)
		require.Equal(t, http.StatusBadRequest, page.status, name)
		require.Contains(t, page.body, "This way back is over", name)
	}
	callback := e.agree(made)
	e.Pass(visitLife + time.Minute)
	require.Contains(t, e.comeBack(callback).body, "This way back is over", "expired")
	require.Equal(t, stateWaiting, e.get(made["id"])["state"])
	require.Empty(t, e.Fake.Calls(pathFastRegister))
	require.NoError(t, e.sweep(t.Context()))
	require.Zero(t, e.Count(`SELECT count(*) FROM registration_visit`), "old states are forgotten")
}

func TestTicketThatComesTwiceIsUsedOnce(t *testing.T) {
	t.Parallel()
	e := newVisited(t)
	made := e.create(officialOrder())
	callback, second := e.agree(made), e.agree(made) // in two windows
	var all sync.WaitGroup
	for _, address := range []string{callback, callback, second, callback, second} {
		all.Go(func() { e.browse(http.MethodGet, address, "", nil) })
	}
	all.Wait()
	e.completedAs(made)
	require.Len(t, e.Fake.Calls(pathFastRegister), 1)
	require.Contains(t, e.comeBack(callback).body, "The mini program is registered", "a page that is loaded again tells the end")
	require.Zero(t, e.Count(`SELECT count(*) FROM registration WHERE voucher IS NOT NULL`), "the ticket is not kept")
}

func TestMerchantCancelsOnWeChatsPage(t *testing.T) {
	t.Parallel()
	e := newVisited(t)
	made := e.create(officialOrder())
	there := e.leave(made)
	require.Contains(t, e.browse(http.MethodPost, there, "", url.Values{"decision": {"cancel"}}).body, "已取消")
	u, err := url.Parse(there)
	require.NoError(t, err)
	page := e.comeBack(u.Query().Get("redirect_uri")) // WeChat sends nobody back, but who knows
	require.Equal(t, http.StatusBadRequest, page.status)
	require.Contains(t, page.body, "Not confirmed")
	require.Equal(t, stateWaiting, e.get(made["id"])["state"])
	e.comeBack(e.agree(made))
	e.completedAs(made)
}

func TestRefusedTicketLeavesTheAddressUsable(t *testing.T) {
	t.Parallel()
	for name, spoil := range map[string]func(e *env, callback string) string{
		"invented": func(_ *env, callback string) string {
			return regexp.MustCompile(`ticket=.*`).ReplaceAllString(callback, "ticket=x")
		},
		"too old": func(e *env, callback string) string {
			e.Pass(15 * time.Minute)
			return callback
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			e := newVisited(t)
			made := e.create(officialOrder())
			e.comeBack(spoil(e, e.agree(made)))
			var out map[string]any
			e.Until("WeChat has refused", func() bool {
				e.due(made["id"])
				out = e.get(made["id"])
				return out["error"] != nil && out["state"] == stateWaiting
			})
			require.InDelta(t, 61058, out["error"].(map[string]any)["errcode"], 0)
			require.Contains(t, e.browse(http.MethodGet, made["url"].(string), "", nil).body, "The ticket is not valid")
			e.comeBack(e.agree(made))
			e.Until("it goes on", func() bool {
				e.due(made["id"])
				return e.get(made["id"])["state"] == stateCompleted
			})
			e.completedAs(made)
		})
	}
}

// TestAnswerOfFastRegisterIsLost: the mini program is there, no event tells, and the call is not made again.
func TestAnswerOfFastRegisterIsLost(t *testing.T) {
	t.Parallel()
	for _, mode := range []string{wechatfake.FaultCutAfter, wechatfake.FaultHTTPExecuted} {
		t.Run(mode, func(t *testing.T) {
			t.Parallel()
			e := newVisited(t)
			e.Merchant(wechatfake.Merchant{AppID: before, Principal: owner, RegisterType: 2})
			e.Pass(2 * time.Minute)
			made := e.create(officialOrder())
			e.fail(wechatfake.Fault{Path: pathFastRegister, Mode: mode})
			callback := e.agree(made)
			e.comeBack(callback)
			e.Until("the list is read", func() bool {
				e.due(made["id"])
				return e.get(made["id"])["state"] == stateCompleted
			})
			done := e.completedAs(made)
			require.NotEqual(t, before, done["appid"])
			require.Nil(t, done["verify_copied"], "nobody has told")
			require.Len(t, e.Fake.Calls(pathFastRegister), 1)
		})
	}
}

func TestCallThatWeChatNeverHadIsAskedForAnew(t *testing.T) {
	t.Parallel()
	e := newVisited(t)
	made := e.create(officialOrder())
	e.fail(wechatfake.Fault{Path: pathFastRegister, Mode: wechatfake.FaultCutBefore})
	e.comeBack(e.agree(made))
	e.Until("the answer is lost", func() bool { return e.get(made["id"])["error"] != nil })
	lost := e.get(made["id"])
	require.Equal(t, stateSent, lost["state"])
	require.Contains(t, lost["detail"], "looked up")
	e.Until("a list is read", func() bool {
		e.due(made["id"])
		return e.Count(`SELECT count(*) FROM authorizer_sync WHERE state = 'completed'`) > 0
	})
	require.Equal(t, stateSent, e.get(made["id"])["state"], "it may be that WeChat is slow")
	e.Pass(settling + time.Minute)
	e.Until("a later list is read", func() bool {
		e.due(made["id"])
		return e.get(made["id"])["state"] == stateWaiting
	})
	require.Contains(t, e.get(made["id"])["detail"], "once more")
	require.Len(t, e.Fake.Calls(pathFastRegister), 1, "the call is not made again by itself")
	require.Contains(t, e.browse(http.MethodGet, made["url"].(string), "", nil).body, "It did not work the last time")
	e.comeBack(e.agree(made))
	e.Until("the second time it works", func() bool {
		e.due(made["id"])
		return e.get(made["id"])["state"] == stateCompleted
	})
	e.completedAs(made)
}

// TestProcessDiesAroundFastRegister stops between any two lines of which the first has an effect.
func TestProcessDiesAroundFastRegister(t *testing.T) {
	t.Parallel()
	for _, died := range []string{"ticket stored", "call made", "code handed over"} {
		t.Run("after "+died, func(t *testing.T) {
			t.Parallel()
			e := newVisited(t)
			made := e.create(officialOrder())
			id, _ := made["id"].(string)
			callback := e.agree(made)
			// The job is held back by the row itself: whoever has it has a lease.
			u, err := url.Parse(callback)
			require.NoError(t, err)
			ticket := sealed.New(u.Query().Get("ticket"))
			if died == "ticket stored" {
				require.NoError(t, e.take(t.Context(), id, stateOf(t, callback), ticket))
				_, err := e.Pool.Exec(t.Context(), `DELETE FROM river_job WHERE kind = 'register_follow' AND state = 'available'`)
				require.NoError(t, err)
			} else {
				box, err := e.keys.Seal(ticket, voucherPurpose(id))
				require.NoError(t, err)
				_, err = e.Pool.Exec(t.Context(), `UPDATE registration SET state = 'sent', voucher = $2, round = 1, sent_at = $3, next_at = $4, attempts = 1
					WHERE id = $1`, id, box, e.Now(), e.Now().Add(lease))
				require.NoError(t, err)
				got, err := e.Merchants.API(official).FastRegister(t.Context(), ticket)
				require.NoError(t, err)
				if died == "code handed over" {
					require.NoError(t, e.Merchants.ReceiveCode(t.Context(), got.AppID, got.Code, e.Now()))
				}
			}
			e.Until("somebody goes on", func() bool {
				e.due(made["id"])
				return e.get(made["id"])["state"] == stateCompleted
			})
			e.completedAs(made)
			require.Len(t, e.Fake.Calls(pathFastRegister), 1)
		})
	}
}

func TestAnswerOfAdminChangeIsLost(t *testing.T) {
	t.Parallel()
	e := newVisited(t)
	made := e.create(adminOrder())
	e.fail(wechatfake.Fault{Path: pathRebindAdmin, Mode: wechatfake.FaultCutAfter})
	e.comeBack(e.agree(made))
	failed := e.becomes(made["id"], stateFailed)
	require.Contains(t, failed["detail"], "Ask the merchant")
	require.Len(t, e.Fake.Calls(pathRebindAdmin), 1)
	require.Equal(t, http.StatusGone, e.browse(http.MethodGet, made["url"].(string), "", nil).status)
	retried := e.get(e.retry(made["id"]))
	require.Equal(t, stateWaiting, retried["state"])
	e.comeBack(e.agree(retried))
	e.becomes(made["id"], stateCompleted)
}

func TestAddressThatNobodyOpensExpires(t *testing.T) {
	t.Parallel()
	e := newVisited(t)
	made := e.create(adminOrder())
	e.Pass(confirmation + time.Minute)
	address, _ := made["url"].(string)
	require.Equal(t, http.StatusGone, e.browse(http.MethodGet, address, "", nil).status)
	require.NotContains(t, e.browse(http.MethodGet, address+"/go", address, nil).location, "redirect_uri")
	e.Pass(late)
	e.due(made["id"])
	require.Equal(t, stateExpired, e.get(made["id"])["state"])
}

func TestCanceledVisitIsOver(t *testing.T) {
	t.Parallel()
	e := newVisited(t)
	made := e.create(adminOrder())
	callback := e.agree(made)
	_, out := e.API(http.MethodPost, "/registrations/"+made["id"].(string)+"/cancel", nil)
	require.Equal(t, stateCanceled, out["state"])
	require.Equal(t, http.StatusGone, e.comeBack(callback).status)
	require.Empty(t, e.Fake.Calls(pathRebindAdmin))
}

// TestNewcomersLeaveARunningCallAlone: a merchant that comes while WeChat is at work is no sign that the answer was lost.
func TestNewcomersLeaveARunningCallAlone(t *testing.T) {
	t.Parallel()
	e := newVisited(t)
	made := e.create(officialOrder())
	e.fail(wechatfake.Fault{Path: pathFastRegister, Mode: wechatfake.FaultSlow, Delay: wechatfake.Duration(2 * time.Second)})
	e.comeBack(e.agree(made))
	e.Until("WeChat is at work", func() bool { return len(e.Fake.Calls(pathFastRegister)) > 0 || e.get(made["id"])["state"] == stateSent })
	e.Merchant(wechatfake.Merchant{AppID: before, Principal: "别人有限公司"})
	e.completedAs(made)
	require.Zero(t, e.Count(`SELECT count(*) FROM authorizer_sync`), "nothing is looked up")
}
