package main

import (
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
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
				killAt(t, path, after)
			})
		}
	}
}

func killAt(t *testing.T, path string, after bool) {
	t.Helper()
	const appid = "wxshop00000000001"
	k := &killer{path: path, after: after, fired: make(chan struct{})}
	w := newWorld(t, k.wrap)
	w.addMerchant(appid, nil)

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
		_, err := o.try(t.Context(), http.MethodPost, "/rollouts", rolloutBody(templates.Items[0].TemplateID, appid), new([]byte))
		if err == nil {
			err = errors.New("created, look again")
		}
		return err
	})
	o.waitSubmission(appid, "auditing")
	require.NoError(t, w.fake.Approve(appid))
	o.waitSubmission(appid, "released")

	select {
	case <-k.fired:
		<-restarted
	case <-time.After(time.Second):
		t.Fatalf("the flow never called %s, so nothing was proven", path)
	}
	require.Len(t, templates.Items, 1)
	require.Len(t, rollouts.Items, 1)
	require.Equal(t, 1, countOK(w.fake, "/cgi-bin/component/api_query_auth", ""), "one code exchange")
	for _, once := range []string{"/wxa/commit", "/wxa/submit_audit", "/wxa/release"} {
		require.Equal(t, 1, w.fake.Effective(once, appid), once)
	}
	require.Empty(t, w.fake.Unknown())
}
