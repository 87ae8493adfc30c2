package main

import (
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// killer stands before WeChat and kills the program at one call: before WeChat hears of it, or after WeChat has done it
// and before the program hears the answer.
type killer struct {
	path  string
	skip  int // calls let through first
	after bool

	mu     sync.Mutex
	victim *process
	fired  chan struct{}
	done   bool
}

func (k *killer) wrap(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		k.mu.Lock()
		hit := !k.done && r.URL.Path == k.path && k.victim != nil
		if hit && k.skip > 0 {
			k.skip--
			hit = false
		}
		if hit {
			k.done = true
		}
		victim := k.victim
		k.mu.Unlock()
		if !hit {
			next.ServeHTTP(w, r)
			return
		}
		if k.after {
			next.ServeHTTP(httptest.NewRecorder(), r)
		}
		_ = victim.cmd.Process.Kill() // SIGKILL
		if err := <-victim.done; err == nil {
			panic("a killed program cannot end well")
		}
		close(k.fired)
		panic(http.ErrAbortHandler) // nobody is there to hear an answer
	})
}

// TestKilledAtEachStep kills the program (SIGKILL, a process of its own) around every kind of call that the flow makes
// and starts it again: the end is the same, and WeChat has seen each thing done once.
func TestKilledAtEachStep(t *testing.T) {
	t.Parallel()
	paths := []string{
		"/cgi-bin/component/api_component_token", "/cgi-bin/component/api_create_preauthcode", "/cgi-bin/component/api_query_auth",
		"/cgi-bin/component/api_get_authorizer_info", "/wxa/addtotemplate", "/wxa/icp/get_icp_entrance_info", "/wxa/get_category",
		"/wxa/queryquota", "/cgi-bin/component/modify_wxa_server_domain", "/wxa/modify_domain", "/wxa/setwebviewdomain", "/wxa/commit",
		"/wxa/security/get_code_privacy_info", "/cgi-bin/component/getprivacysetting", "/cgi-bin/component/setprivacysetting",
		"/wxa/get_latest_auditstatus", "/wxa/submit_audit", "/wxa/release", "/wxa/getversioninfo",
	}
	if testing.Short() {
		paths = []string{"/cgi-bin/component/api_query_auth", "/wxa/commit", "/wxa/submit_audit", "/wxa/release"}
	}
	gate := make(chan struct{}, 3) // two cores: more at once would only make each slower
	for _, path := range paths {
		for _, after := range []bool{false, true} {
			when := "before"
			if after {
				when = "after"
			}
			t.Run(strings.TrimPrefix(path, "/")+" "+when+" it is done", func(t *testing.T) {
				t.Parallel()
				gate <- struct{}{}
				defer func() { <-gate }()
				killAt(t, path, after, plainRelease())
			})
		}
	}
}

// TestKilledInAGrayRelease kills the program around the calls of a gray release, of its end by an operator, and of a
// rollback of the rollout: each step is done once all the same.
func TestKilledInAGrayRelease(t *testing.T) {
	t.Parallel()
	gate := make(chan struct{}, 3)
	for _, p := range []play{grayRelease(), laterGrayStep(), grayThenAll(), canceledGrayRelease(), rolledBack()} {
		for _, path := range p.paths {
			for _, after := range []bool{false, true} {
				when := "before"
				if after {
					when = "after"
				}
				t.Run(p.name+": "+strings.TrimPrefix(path, "/")+" "+when+" it is done", func(t *testing.T) {
					t.Parallel()
					gate <- struct{}{}
					defer func() { <-gate }()
					killAt(t, path, after, p)
				})
			}
		}
	}
}

// play is what goes on with a merchant from the approval on, and what WeChat has done of each thing at the end.
type play struct {
	name    string
	paths   []string                                       // calls at which the program may be killed
	skip    int                                            // of these calls let through first
	live    []string                                       // versions that are live before
	release map[string]any                                 // terms of the rollout
	audit   func(o *operator, appid string) map[string]any // its audit profile; nil: the usual
	audited func(w *world, o *operator, appid string)      // while WeChat reviews, before it approves; nil: nothing
	end     func(t *testing.T, w *world, o *operator, appid string)
	done    map[string]int
}

func plainRelease() play {
	return play{
		end:  func(_ *testing.T, _ *world, o *operator, appid string) { o.waitSubmission(appid, "released") },
		done: map[string]int{"/wxa/release": 1},
	}
}

func grayRelease() play {
	return play{
		name: "gray release", paths: []string{"/wxa/grayrelease", "/wxa/getgrayreleaseplan"}, live: []string{"1.0.0"},
		release: map[string]any{"mode": "auto", "gray": []int{10, 50, 100}, "gray_interval": "300ms"},
		end:     func(_ *testing.T, _ *world, o *operator, appid string) { o.waitSubmission(appid, "released") },
		done:    map[string]int{"/wxa/grayrelease": 3},
	}
}

func laterGrayStep() play {
	p := grayRelease()
	p.name, p.paths, p.skip = "later gray step", []string{"/wxa/grayrelease"}, 1
	return p
}

func grayThenAll() play {
	p := grayRelease()
	p.name, p.paths = "gray release to everybody", []string{"/wxa/release"}
	p.release = map[string]any{"mode": "auto", "gray": []int{10}, "gray_interval": "300ms"}
	p.done = map[string]int{"/wxa/grayrelease": 1, "/wxa/release": 1}
	return p
}

func canceledGrayRelease() play {
	return play{
		name: "canceled gray release", paths: []string{"/wxa/revertgrayrelease"}, live: []string{"1.0.0"},
		release: map[string]any{"mode": "auto", "gray": []int{10}},
		end: func(t *testing.T, w *world, o *operator, appid string) {
			t.Helper()
			id := o.waitGray(appid, 10)
			eventually(t, "canceled", func() (bool, string) { // the program may die of it
				_, err := o.try(t.Context(), http.MethodPost, "/submissions/"+id+"/cancel", nil, new([]byte))
				return err == nil || strings.Contains(err.Error(), "409"), fmt.Sprint(err)
			})
			o.waitSubmission(appid, "canceled")
			m, err := w.fake.Merchant(appid)
			require.NoError(t, err)
			require.Equal(t, "1.0.0", m.Live.UserVersion)
		},
		done: map[string]int{"/wxa/grayrelease": 1, "/wxa/revertgrayrelease": 1},
	}
}

func rolledBack() play {
	return play{
		name: "rollback", paths: []string{"/wxa/revertcoderelease"}, skip: 1 /* the list */, live: []string{"0.9.0", "1.0.0"},
		end: func(t *testing.T, w *world, o *operator, appid string) {
			t.Helper()
			o.waitSubmission(appid, "released")
			var rollouts page[struct{ ID, Kind string }]
			eventually(t, "rolled back", func() (bool, string) {
				if _, err := o.try(t.Context(), http.MethodGet, "/rollouts", nil, &rollouts); err != nil {
					return false, err.Error()
				}
				if rollouts.Items[0].Kind == "rollback" {
					return true, ""
				}
				_, err := o.try(t.Context(), http.MethodPost, "/rollouts/"+rollouts.Items[0].ID+"/rollback", nil, new([]byte))
				return false, fmt.Sprint(err)
			})
			eventually(t, "the rollback is over", func() (bool, string) {
				var r struct{ State string }
				_, err := o.try(t.Context(), http.MethodGet, "/rollouts/"+rollouts.Items[0].ID, nil, &r)
				return err == nil && r.State == "completed", fmt.Sprint(r.State, err)
			})
			o.waitSubmission(appid, "released")
			m, err := w.fake.Merchant(appid)
			require.NoError(t, err)
			require.Equal(t, "1.0.0", m.Live.UserVersion, "one version back, not two")
		},
		done: map[string]int{"/wxa/release": 1, "/wxa/revertcoderelease": 1},
	}
}

// waitGray waits until a merchant's gray release stands at a percentage.
func (o *operator) waitGray(appid string, percentage int) (submissionID string) {
	o.t.Helper()
	eventually(o.t, "gray release", func() (bool, string) {
		var list page[struct {
			ID   string
			Gray *struct{ Percentage int }
		}]
		_, err := o.try(o.t.Context(), http.MethodGet, "/submissions?appid="+appid, nil, &list)
		if err != nil || len(list.Items) == 0 || list.Items[0].Gray == nil {
			return false, fmt.Sprint(err)
		}
		submissionID = list.Items[0].ID
		return list.Items[0].Gray.Percentage == percentage, strconv.Itoa(list.Items[0].Gray.Percentage)
	})
	return submissionID
}

func killAt(t *testing.T, path string, after bool, p play) {
	t.Helper()
	const appid = "wxshop00000000001"
	k := &killer{path: path, skip: p.skip, after: after, fired: make(chan struct{})}
	w := newWorld(t, k.wrap)
	w.addMerchant(appid, nil)
	for _, version := range p.live {
		require.NoError(t, w.fake.PutLive(appid, version, "", []string{"pages/index/index"}, time.Now()))
	}

	first := w.spawn("serve")
	w.waitReady()
	k.mu.Lock()
	k.victim = first
	k.mu.Unlock()
	restarted := make(chan struct{})
	go func() {
		<-k.fired
		w.spawn("serve")
		close(restarted)
	}()

	o := newOperator(t, w.base)
	persist := func(what string, do func() error) {
		t.Helper()
		eventually(t, what, func() (bool, string) {
			err := do()
			return err == nil, fmt.Sprint(err)
		})
	}
	persist("sign in", func() error {
		_, err := o.try(t.Context(), http.MethodPost, "/session", map[string]string{"username": "admin", "password": testPassword}, new([]byte))
		return err
	})
	o.signIn()
	persist("ticket", func() error {
		w.fake.PushTicket()
		var c struct{ Ticket struct{ Present bool } }
		if _, err := o.try(t.Context(), http.MethodGet, "/component", nil, &c); err != nil {
			return err
		}
		if !c.Ticket.Present {
			return errors.New("no ticket")
		}
		return nil
	})
	var link linkAnswer
	persist("link", func() error {
		_, err := o.try(t.Context(), http.MethodPost, "/authorization-links", map[string]any{"biz_id": "biz-1", "kind": "miniprogram"}, &link)
		return err
	})
	// The merchant opens the page until it works; once it has said yes it does nothing more.
	persist("consent page", func() error {
		if a, err := w.fake.Merchant(appid); err == nil && a.Authorized {
			return nil
		}
		text, err := newMerchantBrowser(t).consent(link.URL, appid)
		if a, merr := w.fake.Merchant(appid); merr == nil && a.Authorized {
			return nil // the program may have died while the browser waited
		}
		if err == nil {
			err = fmt.Errorf("not authorized: %s", plainText(text))
		}
		return err
	})
	var merchant struct {
		Status   string
		NickName string   `json:"nick_name"`
		BizIDs   []string `json:"biz_ids"`
		Scopes   []int    `json:"func_scopes"`
	}
	persist("merchant is bound", func() error {
		if _, err := o.try(t.Context(), http.MethodGet, "/authorizers/"+appid, nil, &merchant); err != nil {
			return err
		}
		if merchant.Status != "authorized" || merchant.NickName == "" || len(merchant.Scopes) == 0 {
			return fmt.Errorf("%+v", merchant)
		}
		return nil
	})
	require.Equal(t, []string{"biz-1"}, merchant.BizIDs)

	var templates page[struct {
		TemplateID int64 `json:"template_id"`
	}]
	persist("template", func() error {
		if _, err := o.try(t.Context(), http.MethodGet, "/templates", nil, &templates); err != nil {
			return err
		}
		if len(templates.Items) == 0 {
			if _, err := o.try(t.Context(), http.MethodPost, "/templates", map[string]any{"draft_id": 0}, new([]byte)); err != nil {
				return err
			}
			return errors.New("added, look again")
		}
		return nil
	})
	var rollouts page[struct{ ID, State string }]
	persist("rollout", func() error {
		if _, err := o.try(t.Context(), http.MethodGet, "/rollouts", nil, &rollouts); err != nil {
			return err
		}
		if len(rollouts.Items) > 0 {
			return nil
		}
		body := rolloutBody(templates.Items[0].TemplateID, appid)
		if p.release != nil {
			body["release"] = p.release
		}
		if p.audit != nil {
			body["audit"] = p.audit(o, appid)
		}
		_, err := o.try(t.Context(), http.MethodPost, "/rollouts", body, new([]byte))
		if err == nil {
			err = errors.New("created, look again")
		}
		return err
	})
	o.waitSubmission(appid, "auditing")
	if p.audited != nil {
		p.audited(w, o, appid)
	}
	require.NoError(t, w.fake.Approve(appid))
	p.end(t, w, o, appid)

	select {
	case <-k.fired:
		<-restarted
	case <-time.After(time.Second):
		t.Fatalf("the flow never called %s, so nothing was proven", path)
	}
	require.Len(t, templates.Items, 1)
	require.Len(t, rollouts.Items, 1)
	require.Equal(t, 1, countOK(w.fake, "/cgi-bin/component/api_query_auth", ""), "one code exchange")
	for _, once := range []string{"/wxa/commit", "/wxa/submit_audit"} {
		if _, other := p.done[once]; !other {
			require.Equal(t, 1, w.fake.Effective(once, appid), once)
		}
	}
	for path, times := range p.done {
		require.Equal(t, times, w.fake.Effective(path, appid), path)
	}
	require.Empty(t, w.fake.Unknown())
}
