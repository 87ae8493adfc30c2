package wechatfake_test

import (
	"context"
	"net/http"
	"strings"
	"testing"

	"github.com/wxsteward/wxsteward/internal/wechat/wechatfake"
)

// The answer to the code that the check sends must be the code with its ending, to the sender, with the token it gave.
func TestReleaseCheckLooksAtTheAnswerThroughTheAPI(t *testing.T) {
	t.Parallel()
	type sent struct{ token, to, kind, content string }
	for name, test := range map[string]struct {
		change func(r *rig, s *sent)
		want   string
	}{
		"as it must be":      {func(*rig, *sent) {}, ""},
		"the bare code":      {func(_ *rig, s *sent) { s.content = strings.TrimSuffix(s.content, "_from_api") }, "not the code with _from_api"},
		"to somebody else":   {func(_ *rig, s *sent) { s.to = "oSomebodyElse" }, "not to the sender"},
		"another kind":       {func(_ *rig, s *sent) { s.kind = "link" }, "no text"},
		"with another token": {func(r *rig, s *sent) { s.token = r.renewed(wechatfake.CheckAccounts()[0].AppID) }, "not sent with the token that the code gave"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := newRig(t)
			r.componentToken()
			account := wechatfake.CheckAccounts()[0].AppID
			ctx, cancel := context.WithCancel(t.Context())
			defer cancel()
			r.inbox.reply(func(w http.ResponseWriter, got received) {
				code, asked := strings.CutPrefix(got.fields["Content"], "QUERY_AUTH_CODE:")
				switch {
				case !asked:
					_, _ = w.Write([]byte("success"))
				case !strings.HasPrefix(got.path, "/biz/"+account):
					cancel() // the first account is enough
				default:
					r.exchange(account, code)
					s := sent{r.aat[account], got.fields["FromUserName"], "text", code + "_from_api"}
					test.change(r, &s)
					r.post("/cgi-bin/message/custom/send", s.token, fields{"touser": s.to, "msgtype": s.kind, "text": fields{"content": s.content}}).want(t, 0)
				}
			})
			results, err := r.Fake.PlayReleaseCheck(ctx)
			r.must(err)
			for _, result := range results {
				if result.AppID == account && result.Case == "api" {
					if test.want == "" && result.Problem != "" || !strings.Contains(result.Problem, test.want) {
						t.Fatalf("got %q, want %q", result.Problem, test.want)
					}
					return
				}
			}
			t.Fatalf("the case is missing: %v", results)
		})
	}
}

// renewed is a token got with the refresh token.
func (r *rig) renewed(appid string) string {
	r.tb.Helper()
	return r.component("/cgi-bin/component/api_authorizer_token", fields{
		"authorizer_appid": appid, "authorizer_refresh_token": r.art[appid],
	}).want(r.tb, 0).text("authorizer_access_token")
}
