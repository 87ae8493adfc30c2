package main

import (
	"net/http"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/wxsteward/wxsteward/internal/wechat/wechatfake"
	"github.com/wxsteward/wxsteward/internal/wechat/wechattest"
)

func rolloutBody(templateID int64, appids ...string) map[string]any {
	return map[string]any{
		"name": "autumn", "template_id": templateID, "user_version": "2.3.0", "user_desc": "autumn",
		"targets":  map[string]any{"appids": appids},
		"ext_json": map[string]any{"extAppid": "{{appid}}", "ext": map[string]any{"shop": "{{biz_id}}"}},
		"domains":  map[string]any{"request": []string{"https://api.a.com"}, "webview": []string{"https://m.a.com"}},
		"privacy": map[string]any{
			"owner_setting": map[string]any{"contact_email": "ops@a.com", "notice_method": "弹窗"},
			"setting_list":  []map[string]any{{"privacy_key": "UserInfo", "privacy_text": "展示头像昵称"}},
		},
	}
}

// addTemplate freezes the newest draft through the API.
func addTemplate(o *operator) int64 {
	o.t.Helper()
	var drafts page[struct {
		DraftID int64 `json:"draft_id"`
	}]
	o.call(http.MethodGet, "/template-drafts", nil, &drafts)
	require.NotEmpty(o.t, drafts.Items)
	var template struct {
		TemplateID int64 `json:"template_id"`
	}
	o.call(http.MethodPost, "/templates", map[string]any{"draft_id": drafts.Items[0].DraftID}, &template)
	return template.TemplateID
}

func TestWholeProgram(t *testing.T) {
	t.Parallel()
	w := newWorld(t, nil)
	w.addMerchant("wxshop00000000001", nil)
	w.addMerchant("wxshop00000000002", nil)
	w.addMerchant("wxshop00000000003", func(m *wechatfake.Merchant) { m.ICPStatus = 1024 })
	stop := w.start()
	o := newOperator(t, w.base)
	o.signIn()

	w.fake.PushTicket()
	eventually(t, "ticket", func() (bool, string) {
		var c struct{ Ticket struct{ Present bool } }
		_, err := o.try(t.Context(), http.MethodGet, "/component", nil, &c)
		return err == nil && c.Ticket.Present, "no ticket"
	})

	// Three merchants open their links and say yes.
	for i, appid := range []string{"wxshop00000000001", "wxshop00000000002", "wxshop00000000003"} {
		biz := "biz-" + strconv.Itoa(i+1)
		link := o.createLink(biz)
		text, err := newMerchantBrowser(t).consent(link.URL, appid)
		require.NoError(t, err, plainText(text))
		o.call(http.MethodGet, "/authorization-links/"+link.ID, nil, &link)
		require.Equal(t, "authorized", link.Status)
		require.Equal(t, appid, link.AuthorizerAppID)
		eventually(t, appid+" is listed", func() (bool, string) {
			var a struct {
				Status   string
				NickName string   `json:"nick_name"`
				BizIDs   []string `json:"biz_ids"`
			}
			_, err := o.try(t.Context(), http.MethodGet, "/authorizers/"+appid, nil, &a)
			return err == nil && a.Status == "authorized" && a.NickName != "" && len(a.BizIDs) == 1 && a.BizIDs[0] == biz, "not yet"
		})
	}
	template := addTemplate(o)
	body := rolloutBody(template, "wxshop00000000001", "wxshop00000000002", "wxshop00000000003")
	var preflight struct {
		Ready   []string
		Blocked []struct {
			AppID    string
			Blockers []struct{ Code, Detail, Hint string }
		}
	}
	o.call(http.MethodPost, "/rollouts/preflight", body, &preflight)
	require.ElementsMatch(t, []string{"wxshop00000000001", "wxshop00000000002"}, preflight.Ready, "%+v", preflight.Blocked)
	require.Len(t, preflight.Blocked, 1)
	require.Equal(t, "icp_missing", preflight.Blocked[0].Blockers[0].Code)
	require.Empty(t, changes(w.fake), "preflight changes nothing")

	var rollout struct{ ID, State string }
	o.call(http.MethodPost, "/rollouts", body, &rollout)
	o.waitSubmission("wxshop00000000003", "blocked")
	first := o.waitSubmission("wxshop00000000001", "auditing")
	o.waitSubmission("wxshop00000000002", "auditing")
	require.NotEmpty(t, first.AuditID)
	require.NoError(t, w.fake.Approve("wxshop00000000001"))
	require.NoError(t, w.fake.Reject("wxshop00000000002", "1:账号信息不符合规范:<br>(1):头像", 2))
	first = o.waitSubmission("wxshop00000000001", "released")
	second := o.waitSubmission("wxshop00000000002", "rejected")
	require.Equal(t, "1:账号信息不符合规范:\n(1):头像", second.Reason)
	eventually(t, "screenshots", func() (bool, string) {
		o.call(http.MethodGet, "/submissions/"+second.ID, nil, &second)
		return len(second.Screenshots) == 2, ""
	})
	var png []byte
	o.call(http.MethodGet, strings.TrimPrefix(second.Screenshots[0], "/api/v1"), nil, &png)
	require.NotEmpty(t, png)
	for _, step := range first.Steps {
		require.Contains(t, []string{"done", "skipped", "pending"}, step.State, step.Name)
	}
	for path, want := range map[string]int{"/wxa/commit": 1, "/wxa/submit_audit": 1, "/wxa/release": 1, "/wxa/modify_domain": 1} {
		require.Equal(t, want, w.fake.Effective(path, "wxshop00000000001"), path)
	}
	live, err := w.fake.Merchant("wxshop00000000001")
	require.NoError(t, err)
	require.JSONEq(t, `{"extAppid":"wxshop00000000001","ext":{"shop":"biz-1"}}`, string(live.Live.ExtJSON))

	// The merchant that was not filed files; retry goes on from there.
	require.NoError(t, w.fake.ChangeMerchant("wxshop00000000003", func(m *wechatfake.Merchant) { m.ICPStatus = 6 }))
	o.call(http.MethodPost, "/rollouts/"+rollout.ID+"/retry-failed", nil, nil)
	o.waitSubmission("wxshop00000000002", "auditing")
	o.waitSubmission("wxshop00000000003", "auditing")
	require.NoError(t, w.fake.Approve("wxshop00000000002"))
	require.NoError(t, w.fake.Approve("wxshop00000000003"))
	o.waitSubmission("wxshop00000000002", "released")
	o.waitSubmission("wxshop00000000003", "released")
	eventually(t, "rollout completed", func() (bool, string) {
		o.call(http.MethodGet, "/rollouts/"+rollout.ID, nil, &rollout)
		return rollout.State == "completed", rollout.State
	})

	require.Equal(t, 3, countOK(w.fake, "/cgi-bin/component/api_query_auth", ""), "codes are exchanged once each")
	require.Empty(t, w.fake.Unknown(), "calls to paths that WeChat does not have")
	stop()
	requireNoSecrets(t, w, o)
}

// countOK counts calls that WeChat granted; appid "" is any.
func countOK(fake *wechatfake.Server, path, appid string) int {
	n := 0
	for _, c := range fake.Calls(path) {
		if c.ErrCode == 0 && (appid == "" || c.AppID == appid) {
			n++
		}
	}
	return n
}

// changes are the calls for merchants that changed something.
func changes(fake *wechatfake.Server) []string {
	var list []string
	for _, c := range fake.Calls("") {
		if c.Executed && c.AppID != "" {
			list = append(list, c.Path)
		}
	}
	return list
}

func secretsOf(w *world) []string {
	return append(w.fake.Secrets(), wechattest.ComponentSecret, wechattest.EncodingAESKey, testPassword, w.env["MASTER_KEY"])
}

// requireNoSecrets looks for every secret of the play in all that the program wrote and in every error body.
func requireNoSecrets(t *testing.T, w *world, o *operator) {
	t.Helper()
	secrets := secretsOf(w)
	output := w.output.String()
	require.Greater(t, len(secrets), 10)
	require.NotEmpty(t, output)
	for _, secret := range secrets {
		require.NotContains(t, output, secret, "in the log")
		require.NotContains(t, o.seen.String(), secret, "in an error body")
	}
}
