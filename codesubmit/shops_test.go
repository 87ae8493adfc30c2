package codesubmit

import (
	"context"
	"maps"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/stretchr/testify/require"

	"github.com/wxsteward/wxsteward/authorize/authorizetest"
	"github.com/wxsteward/wxsteward/component"
	"github.com/wxsteward/wxsteward/internal/wechat/wechatfake"
)

const shop = "wx00000000000000a1"

// shops is a platform with merchants and one template, whose WeChat needs no time for anything.
type shops struct {
	*authorizetest.Env

	service  *Service
	template int64
	told     news
}

// news is what staff are told.
type news struct {
	mu   sync.Mutex
	told []component.Announcement
}

// Announce implements component.Announcer.
func (n *news) Announce(_ context.Context, _ pgx.Tx, a component.Announcement) error {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.told = append(n.told, a)
	return nil
}

// of are those with an outcome.
func (n *news) of(outcome string) (found []component.Announcement) {
	n.mu.Lock()
	defer n.mu.Unlock()
	for _, a := range n.told {
		if a.Outcome == outcome {
			found = append(found, a)
		}
	}
	return found
}

func newShops(t *testing.T, appids ...string) *shops {
	t.Helper()
	e := &shops{}
	e.Env = authorizetest.New(t, func(p *authorizetest.Env) {
		e.service = New(Config{
			DetectionPoll: 150 * time.Millisecond, AuditPoll: 200 * time.Millisecond, RetryBase: 20 * time.Millisecond, Now: p.Clock, Steady: p.Steady,
		}, Deps{DB: p.Pool, Locker: p.Locks, Queue: p.Runner, Merchants: p.Merchants, Platform: p.Component, Announcer: &e.told})
		p.Component.Handle(e.service)
		p.Merchants.OnWithdrawn(e.service.AuthorizerWithdrawn)
		require.NoError(t, e.service.RegisterJobs(p.Runner))
		e.service.RegisterAPI(p.Server.API())
	})
	for _, appid := range appids {
		e.Merchant(wechatfake.Merchant{
			AppID: appid, NickName: "Shop " + appid, Signature: "A shop.",
			Categories: []wechatfake.Category{{FirstClass: "商家自营", SecondClass: "食品饮料", FirstID: 1, SecondID: 2, Status: 3}},
		})
	}
	e.Fake.SetPlatformDomains([]string{"api.a.com"}, []string{"m.a.com"})
	_, err := e.Fake.AddDraft(wechatfake.Draft{UserVersion: "2.3.0", SourceAppID: "wxdev00000000000001", Package: wechatfake.Package{Pages: []string{"pages/index/index"}}})
	require.NoError(t, err)
	status, out := e.API(http.MethodPost, "/templates", map[string]any{"draft_id": 0})
	require.Equal(t, http.StatusCreated, status, out)
	id, _ := out["template_id"].(float64)
	e.template = int64(id)
	return e
}

// live puts a version online that no rollout made.
func (e *shops) live(appid, version string) {
	e.T.Helper()
	require.NoError(e.T, e.Fake.PutLive(appid, version, "by hand", []string{"pages/index/index"}, e.Now()))
}

// roll creates a rollout of a version and returns its id.
func (e *shops) roll(version string, change map[string]any, appids ...string) string {
	e.T.Helper()
	body := map[string]any{
		"name": version, "template_id": e.template, "user_version": version, "user_desc": "autumn", "targets": map[string]any{"appids": appids},
	}
	maps.Copy(body, change)
	status, out := e.API(http.MethodPost, "/rollouts", body)
	require.Equal(e.T, http.StatusCreated, status, out)
	id, _ := out["id"].(string)
	return id
}

// submission is a merchant's newest one as the API shows it.
func (e *shops) submission(appid string) map[string]any {
	e.T.Helper()
	_, list := e.API(http.MethodGet, "/submissions?limit=1&appid="+appid, nil)
	items, _ := list["items"].([]any)
	require.NotEmpty(e.T, items)
	id, _ := items[0].(map[string]any)["id"].(string)
	status, out := e.API(http.MethodGet, "/submissions/"+id, nil)
	require.Equal(e.T, http.StatusOK, status)
	return out
}

func (e *shops) submissionID(appid string) string {
	e.T.Helper()
	id, _ := e.submission(appid)["id"].(string)
	return id
}

// until waits for a merchant's newest submission to come to one of states.
func (e *shops) until(appid string, states ...string) map[string]any {
	e.T.Helper()
	var found map[string]any
	deadline := time.Now().Add(30 * time.Second)
	for time.Now().Before(deadline) {
		found = e.submission(appid)
		if state, _ := found["state"].(string); slices.Contains(states, state) {
			return found
		}
		time.Sleep(20 * time.Millisecond)
	}
	e.T.Fatalf("%s is not %s but %v: %v; log:\n%s", appid, strings.Join(states, " or "), found["state"], found["error"], e.Log)
	return nil
}

// do is a call of the API that must succeed.
func (e *shops) do(method, path string, in any) map[string]any {
	e.T.Helper()
	status, out := e.API(method, path, in)
	require.Less(e.T, status, 300, out)
	return out
}

// released brings a version to merchants' users.
func (e *shops) released(version string, appids ...string) (rolloutID string) {
	e.T.Helper()
	id := e.roll(version, nil, appids...)
	e.approve(appids...)
	for _, appid := range appids {
		e.until(appid, "released")
	}
	return id
}

func (e *shops) approve(appids ...string) {
	e.T.Helper()
	for _, appid := range appids {
		e.until(appid, "auditing")
		require.NoError(e.T, e.Fake.Approve(appid))
	}
}

func (e *shops) fail(f wechatfake.Fault) {
	e.T.Helper()
	_, err := e.Fake.FailNext(f)
	require.NoError(e.T, err)
}

// view is what WeChat has of a merchant.
func (e *shops) view(appid string) wechatfake.MerchantView {
	e.T.Helper()
	m, err := e.Fake.Merchant(appid)
	require.NoError(e.T, err)
	return m
}

// look looks at the first submission as its job would.
func (e *shops) look() {
	e.T.Helper()
	_, err := e.service.Advance(context.Background(), 1, 0)
	require.NoError(e.T, err)
}
