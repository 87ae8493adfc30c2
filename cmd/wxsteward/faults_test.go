package main

import (
	"fmt"
	"maps"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/wxsteward/wxsteward/internal/wechat/wechatfake"
)

// readyWorld is a running program with authorized merchants and one template.
func readyWorld(t *testing.T, merchants ...string) (*world, *operator, int64) {
	t.Helper()
	return readyWorldWith(t, nil, merchants...)
}

// readyWorldWith is readyWorld with further settings.
func readyWorldWith(t *testing.T, env map[string]string, merchants ...string) (*world, *operator, int64) {
	t.Helper()
	w := newWorld(t, nil)
	maps.Copy(w.env, env)
	for _, appid := range merchants {
		w.addMerchant(appid, nil)
	}
	w.start()
	o := newOperator(t, w.base)
	o.signIn()
	authorizeAll(t, w, o, merchants)
	return w, o, addTemplate(o)
}

// authorizeAll lets merchants say yes; only the event tells us, as when their browser is closed at once.
func authorizeAll(t *testing.T, w *world, o *operator, merchants []string) {
	t.Helper()
	w.fake.PushTicket()
	for _, appid := range merchants {
		_, err := w.fake.AuthorizeMerchant(appid, wechatfake.Authorize{})
		require.NoError(t, err)
	}
	for _, appid := range merchants {
		eventually(t, appid+" is bound", func() (bool, string) {
			var a struct {
				Status   string
				NickName string `json:"nick_name"`
			}
			_, err := o.try(t.Context(), http.MethodGet, "/authorizers/"+appid, nil, &a)
			return err == nil && a.Status == "authorized" && a.NickName != "", fmt.Sprint(err)
		})
		o.call(http.MethodPatch, "/authorizers/"+appid, map[string]any{"biz_ids": []string{"biz-" + appid}}, nil)
	}
}

func appids(n int) []string {
	list := make([]string, n)
	for i := range list {
		list[i] = fmt.Sprintf("wxshop%011d", i+1)
	}
	return list
}

// TestBadLuckIsRepeatedOnlyAsFarAsNeeded gives each merchant one kind of bad luck at one call that changes something:
// all end released, and WeChat has done each thing once.
func TestBadLuckIsRepeatedOnlyAsFarAsNeeded(t *testing.T) {
	t.Parallel()
	var luck []wechatfake.Fault
	for _, path := range []string{"/wxa/commit", "/wxa/submit_audit", "/wxa/release", "/wxa/modify_domain", "/cgi-bin/component/setprivacysetting"} {
		for _, f := range []wechatfake.Fault{
			{Mode: wechatfake.FaultCutAfter},
			{Mode: wechatfake.FaultCutBefore},
			{Mode: wechatfake.FaultGarbage},
			{Mode: wechatfake.FaultHTTP, Code: 502},
			{Mode: wechatfake.FaultHTTPExecuted, Code: 504},
			{Mode: wechatfake.FaultErrcode, Code: -1},
			{Mode: wechatfake.FaultErrcodeExecuted, Code: -1},
			{Mode: wechatfake.FaultErrcode, Code: 40001},
			{Mode: wechatfake.FaultErrcode, Code: 9402202, Times: 2},
		} {
			f.Path = path
			luck = append(luck, f)
		}
	}
	luck = append(luck,
		wechatfake.Fault{Path: "/wxa/commit", Mode: wechatfake.FaultAsyncAccepted},
		wechatfake.Fault{Path: "/wxa/commit", Mode: wechatfake.FaultAsyncLost},
		wechatfake.Fault{Path: "/wxa/security/get_code_privacy_info", Mode: wechatfake.FaultErrcode, Code: 61039, Times: 3},
		wechatfake.Fault{Path: "/wxa/get_latest_auditstatus", Mode: wechatfake.FaultCutBefore, Times: 4},
		wechatfake.Fault{Path: "/wxa/getversioninfo", Mode: wechatfake.FaultHTTP, Times: 3},
		wechatfake.Fault{Path: "/wxa/submit_audit", Mode: wechatfake.FaultErrcode, Code: 85009},
	)
	merchants := appids(len(luck))
	w, o, template := readyWorld(t, merchants...)
	w.fake.Set(func(s *wechatfake.Settings) { s.AuditRest, s.AuditLimit = 1000, 1000 })
	for i, f := range luck {
		f.AppID = merchants[i]
		_, err := w.fake.FailNext(f)
		require.NoError(t, err)
	}
	o.call(http.MethodPost, "/rollouts", rolloutBody(template, merchants...), nil)
	for i, appid := range merchants {
		sub := o.waitSubmission(appid, "auditing", "blocked", "failed")
		require.Equal(t, "auditing", sub.State, "%+v: %+v", luck[i], sub.Error)
		require.NoError(t, w.fake.Approve(appid))
	}
	for i, appid := range merchants {
		sub := o.waitSubmission(appid, "released", "blocked", "failed")
		require.Equal(t, "released", sub.State, "%+v: %+v", luck[i], sub.Error)
		for _, once := range []string{"/wxa/commit", "/wxa/submit_audit", "/wxa/release", "/wxa/modify_domain"} {
			require.Equal(t, 1, w.fake.Effective(once, appid), "%s after %+v", once, luck[i])
		}
	}
}

// TestRefusalsTellTheOperator gives each merchant one refusal that only people can mend.
func TestRefusalsTellTheOperator(t *testing.T) {
	t.Parallel()
	cases := []struct {
		fault     wechatfake.Fault
		wantState string
		wantCode  string
	}{
		{wechatfake.Fault{Path: "/wxa/commit", Code: 85013}, "failed", "wechat_refused"},
		{wechatfake.Fault{Path: "/wxa/commit", Code: 85014}, "failed", "template_gone"},
		{wechatfake.Fault{Path: "/wxa/submit_audit", Code: 86002}, "blocked", "not_initialised"},
		{wechatfake.Fault{Path: "/wxa/submit_audit", Code: 85008}, "blocked", "category_missing"},
		{wechatfake.Fault{Path: "/wxa/submit_audit", Code: 99887766}, "blocked", "wechat_refused"},
		{wechatfake.Fault{Path: "/wxa/security/get_code_privacy_info", Code: 61040}, "blocked", "privacy_api"},
		{wechatfake.Fault{Path: "/wxa/modify_domain", Code: 61007}, "blocked", "scope_missing"},
	}
	merchants := appids(len(cases))
	w, o, template := readyWorld(t, merchants...)
	for i, c := range cases {
		c.fault.AppID, c.fault.Mode = merchants[i], wechatfake.FaultErrcode
		_, err := w.fake.FailNext(c.fault)
		require.NoError(t, err)
	}
	var rollout struct{ ID, State string }
	o.call(http.MethodPost, "/rollouts", rolloutBody(template, merchants...), &rollout)
	for i, c := range cases {
		sub := o.waitSubmission(merchants[i], "blocked", "failed", "auditing")
		require.Equal(t, c.wantState, sub.State, "%+v", c)
		require.Equal(t, c.wantCode, sub.Error.Code, "%+v", c)
		require.NotEmpty(t, sub.Error.RID, "the request id is for WeChat's support")
		require.NotEmpty(t, sub.Error.Hint, "%+v", c)
		require.NotContains(t, sub.Error.ErrMsg, "rid", "the id stands in its own field")
	}
	eventually(t, "rollout completed", func() (bool, string) {
		o.call(http.MethodGet, "/rollouts/"+rollout.ID, nil, &rollout)
		return rollout.State == "completed", rollout.State
	})
	// The bad luck is over: retry takes every one of them up where it stopped.
	o.call(http.MethodPost, "/rollouts/"+rollout.ID+"/retry-failed", nil, nil)
	for _, appid := range merchants {
		o.waitSubmission(appid, "auditing")
		require.LessOrEqual(t, w.fake.Effective("/wxa/commit", appid), 1)
	}
}

// TestDoubtOutlivesAnEnd loses the answer of a commit, and then may not read what became of it: a retry looks first.
func TestDoubtOutlivesAnEnd(t *testing.T) {
	t.Parallel()
	merchants := appids(1)
	w, o, template := readyWorld(t, merchants...)
	for _, f := range []wechatfake.Fault{
		{Path: "/wxa/commit", Mode: wechatfake.FaultCutAfter},
		{Path: "/wxa/getversioninfo", Mode: wechatfake.FaultErrcode, Code: 61007},
	} {
		_, err := w.fake.FailNext(f)
		require.NoError(t, err)
	}
	o.call(http.MethodPost, "/rollouts", rolloutBody(template, merchants...), nil)
	sub := o.waitSubmission(merchants[0], "blocked")
	o.call(http.MethodPost, "/submissions/"+sub.ID+"/retry", nil, nil)
	o.waitSubmission(merchants[0], "auditing")
	require.Equal(t, 1, w.fake.Effective("/wxa/commit", merchants[0]))
}

func TestQuotaUsedUpHoldsAndGoesOn(t *testing.T) {
	t.Parallel()
	merchants := appids(2)
	w, o, template := readyWorld(t, merchants...)
	w.fake.Set(func(s *wechatfake.Settings) { s.AuditRest = 0 })
	o.call(http.MethodPost, "/rollouts", rolloutBody(template, merchants...), nil)
	for _, appid := range merchants {
		eventually(t, appid+" waits for quota", func() (bool, string) {
			sub := o.waitSubmission(appid, "queued", "preflight", "submitting", "auditing", "blocked")
			return sub.Error != nil && sub.Error.Code == "quota_exhausted" && sub.State != "blocked", fmt.Sprintf("%+v", sub)
		})
	}
	w.fake.Set(func(s *wechatfake.Settings) { s.AuditRest = 10 })
	for _, appid := range merchants {
		o.waitSubmission(appid, "auditing")
	}
}

func TestManualSubmitAndRelease(t *testing.T) {
	t.Parallel()
	merchants := appids(1)
	w, o, template := readyWorld(t, merchants...)
	body := rolloutBody(template, merchants...)
	body["audit"] = map[string]any{"submit": "manual"}
	body["release"] = map[string]any{"mode": "manual"}
	o.call(http.MethodPost, "/rollouts", body, nil)
	sub := o.waitSubmission(merchants[0], "trial")
	var qr []byte
	o.call(http.MethodGet, "/submissions/"+sub.ID+"/trial-qr", nil, &qr)
	require.Equal(t, "image/", http.DetectContentType(qr)[:6])
	require.Zero(t, w.fake.Effective("/wxa/submit_audit", merchants[0]))
	o.call(http.MethodPost, "/submissions/"+sub.ID+"/submit", nil, nil)
	o.waitSubmission(merchants[0], "auditing")
	o.call(http.MethodPost, "/submissions/"+sub.ID+"/speed-up", nil, nil)
	require.NoError(t, w.fake.Approve(merchants[0]))
	o.waitSubmission(merchants[0], "approved")
	require.Zero(t, w.fake.Effective("/wxa/release", merchants[0]))
	o.call(http.MethodPost, "/submissions/"+sub.ID+"/release", nil, nil)
	o.waitSubmission(merchants[0], "released")
}

func TestWithdrawnAudits(t *testing.T) {
	t.Parallel()
	merchants := appids(3)
	w, o, template := readyWorld(t, merchants...)
	var rollout struct{ ID, State string }
	o.call(http.MethodPost, "/rollouts", rolloutBody(template, merchants...), &rollout)
	for _, appid := range merchants {
		o.waitSubmission(appid, "auditing")
	}
	ours := o.waitSubmission(merchants[0], "auditing")
	o.call(http.MethodPost, "/submissions/"+ours.ID+"/withdraw", nil, nil)
	o.waitSubmission(merchants[0], "withdrawn")
	require.NoError(t, w.fake.ConsoleDecide(merchants[1], 3, "")) // in WeChat's console: no event tells
	o.waitSubmission(merchants[1], "withdrawn")
	o.call(http.MethodPost, "/rollouts/"+rollout.ID+"/cancel?withdraw=true", nil, nil)
	o.waitSubmission(merchants[2], "canceled")
	m, err := w.fake.Merchant(merchants[2])
	require.NoError(t, err)
	require.Equal(t, 3, m.Audit.Status, "taken back at WeChat")
	// Retry submits the same trial version again, without another commit.
	o.call(http.MethodPost, "/submissions/"+ours.ID+"/retry", nil, nil)
	o.waitSubmission(merchants[0], "auditing")
	require.Equal(t, 1, w.fake.Effective("/wxa/commit", merchants[0]))
}

func TestMerchantLeavesUnderWay(t *testing.T) {
	t.Parallel()
	merchants := appids(1)
	w, o, template := readyWorld(t, merchants...)
	o.call(http.MethodPost, "/rollouts", rolloutBody(template, merchants...), nil)
	o.waitSubmission(merchants[0], "auditing")
	require.NoError(t, w.fake.Revoke(merchants[0]))
	sub := o.waitSubmission(merchants[0], "canceled")
	require.Equal(t, "unauthorized", sub.Error.Code)
	status, err := o.try(t.Context(), http.MethodGet, "/authorizers/"+merchants[0]+"/access-token", nil, nil)
	require.NoError(t, err)
	require.Equal(t, http.StatusConflict, status)
}

func TestNewerRolloutTakesOver(t *testing.T) {
	t.Parallel()
	merchants := appids(2)
	w, o, template := readyWorld(t, merchants...)
	manual := rolloutBody(template, merchants[0])
	manual["audit"] = map[string]any{"submit": "manual"}
	o.call(http.MethodPost, "/rollouts", manual, nil)
	first := o.waitSubmission(merchants[0], "trial")
	o.call(http.MethodPost, "/rollouts", rolloutBody(template, merchants[1]), nil)
	audited := o.waitSubmission(merchants[1], "auditing")

	o.call(http.MethodPost, "/rollouts", rolloutBody(template, merchants...), nil)
	o.waitSubmission(merchants[0], "auditing")
	o.call(http.MethodGet, "/submissions/"+first.ID, nil, &first)
	require.Equal(t, "superseded", first.State, "a trial version gives way")
	newer := o.waitSubmission(merchants[1], "queued")
	require.NotEqual(t, audited.ID, newer.ID, "an audit under way is waited for")
	require.Equal(t, 1, w.fake.Effective("/wxa/commit", merchants[1]))
}

func TestPausedRolloutStandsStill(t *testing.T) {
	t.Parallel()
	merchants := appids(2)
	w, o, template := readyWorld(t, merchants...)
	body := rolloutBody(template, merchants...)
	body["audit"] = map[string]any{"submit": "manual"}
	var rollout struct{ ID, State string }
	o.call(http.MethodPost, "/rollouts", body, &rollout)
	for _, appid := range merchants {
		o.waitSubmission(appid, "trial")
	}
	o.call(http.MethodPost, "/rollouts/"+rollout.ID+"/pause", nil, &rollout)
	require.Equal(t, "paused", rollout.State)
	sub := o.waitSubmission(merchants[0], "trial")
	o.call(http.MethodPost, "/submissions/"+sub.ID+"/submit", nil, nil)
	// The program has looked at it once it is no longer marked to be looked at; nothing was submitted.
	o.waitSubmission(merchants[0], "trial")
	require.Zero(t, w.fake.Effective("/wxa/submit_audit", merchants[0]))
	o.call(http.MethodPost, "/rollouts/"+rollout.ID+"/resume", nil, &rollout)
	o.waitSubmission(merchants[0], "auditing")
	o.waitSubmission(merchants[1], "trial")
}

func TestRequestFaultsAre422(t *testing.T) {
	t.Parallel()
	merchants := appids(1)
	_, o, template := readyWorld(t, merchants...)
	for name, change := range map[string]func(map[string]any){
		"template gone":         func(b map[string]any) { b["template_id"] = 987 },
		"unknown placeholder":   func(b map[string]any) { b["ext_json"] = map[string]any{"ext": map[string]any{"a": "{{shop_id}}"}} },
		"ext_json no object":    func(b map[string]any) { b["ext_json"] = []int{1} },
		"bad window":            func(b map[string]any) { b["release"] = map[string]any{"window": "every day"} },
		"gray not growing":      func(b map[string]any) { b["release"] = map[string]any{"gray": []int{50, 10}} },
		"bad gray interval":     func(b map[string]any) { b["release"] = map[string]any{"gray": []int{50}, "gray_interval": "soon"} },
		"no target":             func(b map[string]any) { b["targets"] = map[string]any{} },
		"unknown merchant":      func(b map[string]any) { b["targets"] = map[string]any{"appids": []string{"wxnobody"}} },
		"version too long":      func(b map[string]any) { b["user_version"] = strings.Repeat("版", 65) },
		"domain without scheme": func(b map[string]any) { b["domains"] = map[string]any{"request": []string{"api.a.com"}} },
	} {
		body := rolloutBody(template, merchants...)
		change(body)
		for _, path := range []string{"/rollouts", "/rollouts/preflight"} {
			var problem struct {
				Code   string
				Detail string
				Errors []struct{ Location, Message string }
			}
			status, err := o.try(t.Context(), http.MethodPost, path, body, &problem)
			require.Error(t, err)
			require.Equal(t, http.StatusUnprocessableEntity, status, name)
		}
	}
	var rollouts page[struct{ ID string }]
	o.call(http.MethodGet, "/rollouts", nil, &rollouts)
	require.Empty(t, rollouts.Items)
}

func TestReleaseWindowIsWaitedFor(t *testing.T) {
	t.Parallel()
	merchants := appids(1)
	w, o, template := readyWorld(t, merchants...)
	body := rolloutBody(template, merchants...)
	in := time.Now().In(time.FixedZone("UTC+8", 8*3600)).Add(3 * time.Hour)
	body["release"] = map[string]any{"window": fmt.Sprintf("* %d * * *", in.Hour())}
	o.call(http.MethodPost, "/rollouts", body, nil)
	o.waitSubmission(merchants[0], "auditing")
	require.NoError(t, w.fake.Approve(merchants[0]))
	sub := o.waitSubmission(merchants[0], "approved")
	require.Zero(t, w.fake.Effective("/wxa/release", merchants[0]))
	o.call(http.MethodPost, "/submissions/"+sub.ID+"/release", nil, nil) // by hand ignores the window
	o.waitSubmission(merchants[0], "released")
}

func TestRepeatedCreateIsOneRollout(t *testing.T) {
	t.Parallel()
	merchants := appids(1)
	_, o, template := readyWorld(t, merchants...)
	body := rolloutBody(template, merchants...)
	o.once = "the-same-key"
	var first, second struct{ ID string }
	o.call(http.MethodPost, "/rollouts", body, &first)
	o.call(http.MethodPost, "/rollouts", body, &second)
	require.Equal(t, first.ID, second.ID)
	body["name"] = "another"
	status, err := o.try(t.Context(), http.MethodPost, "/rollouts", body, nil)
	require.NoError(t, err)
	require.Equal(t, http.StatusConflict, status)
	o.once = ""
	var rollouts page[struct{ ID string }]
	o.call(http.MethodGet, "/rollouts", nil, &rollouts)
	require.Len(t, rollouts.Items, 1)
}

// TestAbsentAndEmptyDomainLists leaves a list that a rollout does not name, and empties one that it names empty.
func TestAbsentAndEmptyDomainLists(t *testing.T) {
	t.Parallel()
	merchants := appids(1)
	w, o, template := readyWorld(t, merchants...)
	w.fake.SetPlatformDomains([]string{"api.a.com", "cdn.a.com"}, []string{"m.a.com"})
	run := func(domains map[string]any) {
		body := rolloutBody(template, merchants...)
		body["domains"] = domains
		o.call(http.MethodPost, "/rollouts", body, nil)
		o.waitSubmission(merchants[0], "auditing")
		require.NoError(t, w.fake.Approve(merchants[0]))
		o.waitSubmission(merchants[0], "released")
	}
	run(map[string]any{"request": []string{"https://api.a.com"}, "download": []string{"https://cdn.a.com"}, "webview": []string{"https://m.a.com"}})
	run(map[string]any{"request": []string{}})
	m, err := w.fake.Merchant(merchants[0])
	require.NoError(t, err)
	require.Empty(t, m.Domains.Third["requestdomain"], "emptied")
	require.Equal(t, []string{"https://cdn.a.com"}, m.Domains.Third["downloaddomain"], "left alone")
	require.Equal(t, []string{"https://m.a.com"}, m.Domains.ThirdWeb, "left alone")
}
