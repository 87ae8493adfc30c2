package profile

import (
	"bytes"
	"context"
	"fmt"
	"image"
	"image/png"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/stretchr/testify/require"

	"github.com/wxsteward/wxsteward/authorize/authorizetest"
	"github.com/wxsteward/wxsteward/authorize/turn"
	"github.com/wxsteward/wxsteward/internal/fault"
	"github.com/wxsteward/wxsteward/internal/wechat"
	"github.com/wxsteward/wxsteward/internal/wechat/wechatfake"
)

const (
	shop = "wx00000000000000a1"
	by   = "admin"
)

type env struct {
	*authorizetest.Env
	*Service
}

// newEnv makes a platform with one merchant that granted everything.
func newEnv(t *testing.T) *env {
	t.Helper()
	e := &env{}
	e.Env = authorizetest.New(t, func(p *authorizetest.Env) {
		e.Service = New(Config{Poll: time.Minute, Now: p.Now}, Deps{
			DB: p.Pool, Merchants: p.Merchants, Locker: p.Locks, Queue: p.Runner,
		})
		p.Component.Handle(e.Service)
		require.NoError(t, e.RegisterJobs(p.Runner))
		e.RegisterAPI(p.Server.API())
	})
	e.Merchant(wechatfake.Merchant{AppID: shop, NickName: "老王家常菜", Signature: "家常菜馆"})
	return e
}

func (e *env) fail(f wechatfake.Fault) {
	e.T.Helper()
	_, err := e.Fake.FailNext(f)
	require.NoError(e.T, err)
}

func (e *env) changeOf(id int64) Change {
	e.T.Helper()
	c, err := e.find(context.Background(), shop, id)
	require.NoError(e.T, err)
	return c
}

func somePNG(t *testing.T) []byte {
	t.Helper()
	var buf bytes.Buffer
	require.NoError(t, png.Encode(&buf, image.NewRGBA(image.Rect(0, 0, 8, 8))))
	return buf.Bytes()
}

func TestTestersAreListedWithTheirWeChatIDs(t *testing.T) {
	t.Parallel()
	e := newEnv(t)
	status, out := e.API(http.MethodPost, "/authorizers/"+shop+"/testers", map[string]any{"wechatid": "tester-one"})
	require.Equal(t, http.StatusCreated, status, out)
	userStr, _ := out["userstr"].(string)
	require.NotEmpty(t, userStr)
	require.Equal(t, by, out["bound_by"])

	status, out = e.API(http.MethodPost, "/authorizers/"+shop+"/testers", map[string]any{"wechatid": "tester-one"})
	require.Equal(t, http.StatusCreated, status, "85004 is no failure: %v", out)
	require.Equal(t, userStr, out["userstr"])
	status, out = e.API(http.MethodPost, "/authorizers/"+shop+"/testers", map[string]any{"wechatid": "nobody-1"})
	require.Equal(t, http.StatusBadGateway, status)
	require.Equal(t, "wechat_refused", out["code"])
	require.NotEmpty(t, out["wechat"].(map[string]any)["hint"])
	for _, wrong := range []string{"", "  ", "two words", "a\u0007b"} {
		status, _ = e.API(http.MethodPost, "/authorizers/"+shop+"/testers", map[string]any{"wechatid": wrong})
		require.Equal(t, http.StatusUnprocessableEntity, status, "%q", wrong)
	}

	status, out = e.API(http.MethodGet, "/authorizers/"+shop+"/testers", nil)
	require.Equal(t, http.StatusOK, status)
	items, _ := out["items"].([]any)
	require.Len(t, items, 1)
	require.Equal(t, "tester-one", items[0].(map[string]any)["wechatid"])
	require.InDelta(t, 1, out["total"], 0)

	for range 2 { // a tester that is gone is no failure
		status, out = e.API(http.MethodDelete, "/authorizers/"+shop+"/testers/"+userStr, nil)
		require.Equal(t, http.StatusNoContent, status, out)
	}
	require.Zero(t, e.Count(`SELECT count(*) FROM authorizer_tester`))
	_, out = e.API(http.MethodGet, "/authorizers/"+shop+"/testers", nil)
	require.Empty(t, out["items"])
}

func TestLostAnswerOfBindingATesterIsFoundAgain(t *testing.T) {
	t.Parallel()
	e := newEnv(t)
	e.fail(wechatfake.Fault{Path: "/wxa/bind_tester", Mode: wechatfake.FaultCutAfter})
	tester, err := e.BindTester(t.Context(), shop, "tester-one", by)
	require.NoError(t, err)
	require.NotEmpty(t, tester.UserStr, "the only tester we do not know")
	require.Equal(t, 1, e.Fake.Effective("/wxa/bind_tester", shop))

	e.fail(wechatfake.Fault{Path: "/wxa/unbind_tester", Mode: wechatfake.FaultCutAfter})
	require.NoError(t, e.UnbindTester(t.Context(), shop, tester.UserStr))
	e.fail(wechatfake.Fault{Path: "/wxa/bind_tester", Mode: wechatfake.FaultCutBefore, Times: 2})
	_, err = e.BindTester(t.Context(), shop, "tester-two", by)
	require.Error(t, err, "it was never made")
}

func TestSettingsWhoseAnswerWasLostAreReadBack(t *testing.T) {
	t.Parallel()
	e := newEnv(t)
	require.NoError(t, e.Fake.PutLive(shop, "1.0", "", []string{"pages/index/index"}, e.Now()))
	for _, tc := range []struct {
		path string
		set  func() error
		is   func() bool
	}{
		{"/wxa/changewxasearchstatus", func() error { return e.SetSearchable(t.Context(), shop, false) }, func() bool {
			so, err := e.Searchable(t.Context(), shop)
			require.NoError(t, err)
			return !so
		}},
		{"/wxa/change_visitstatus", func() error { return e.SetOpen(t.Context(), shop, false) }, func() bool {
			so, err := e.Open(t.Context(), shop)
			require.NoError(t, err)
			return !so
		}},
		{"/cgi-bin/wxopen/setweappsupportversion", func() error { return e.SetSupportVersion(t.Context(), shop, "3.3.4") }, func() bool {
			v, err := e.SupportVersion(t.Context(), shop)
			require.NoError(t, err)
			return v.Now == "3.3.4"
		}},
	} {
		e.fail(wechatfake.Fault{Path: tc.path, Mode: wechatfake.FaultCutBefore})
		require.Error(t, tc.set(), "%s was never made", tc.path)
		require.False(t, tc.is(), tc.path)
		e.fail(wechatfake.Fault{Path: tc.path, Mode: wechatfake.FaultErrcodeExecuted, Code: -1})
		require.NoError(t, tc.set(), tc.path)
		require.True(t, tc.is(), tc.path)
	}
}

func TestEveryPageOfOneMerchant(t *testing.T) {
	t.Parallel()
	e := newEnv(t)
	get := func(path string) map[string]any {
		status, out := e.API(http.MethodGet, "/authorizers/"+shop+"/"+path, nil)
		require.Equal(t, http.StatusOK, status, "%s: %v", path, out)
		return out
	}
	require.Equal(t, true, get("icp")["filed"])
	require.Equal(t, true, get("search-status")["searchable"])
	require.Equal(t, true, get("visit-status")["open"])
	require.NotEmpty(t, get("support-version")["version"])
	basic := get("basic-info")
	require.Equal(t, "老王家常菜", basic["nick_name"])
	require.Equal(t, true, basic["complete"])
	require.InDelta(t, 5, basic["signature_quota"].(map[string]any)["limit"], 0)
	categories := get("categories")
	require.Len(t, categories["items"], 1)
	require.Len(t, categories["own"], 1)
	require.Nil(t, categories["error"])
	require.NotEmpty(t, get("categories/all")["items"])
	require.NotEmpty(t, get("privacy-interfaces")["items"])

	status, out := e.API(http.MethodGet, "/authorizers/"+shop+"/pages", nil)
	require.Equal(t, http.StatusBadGateway, status, "no trial version yet")
	require.InDelta(t, 86001, out["wechat"].(map[string]any)["errcode"], 0)
	require.NoError(t, e.Fake.PutLive(shop, "1.0", "", []string{"pages/index/index"}, e.Now()))
	for path, want := range map[string]int{
		"qrcode":                  http.StatusBadGateway, // 86001
		"qrcode?version=released": http.StatusUnprocessableEntity,
		"qrcode?version=released&path=pages/index/index":           http.StatusOK,
		"qrcode?version=released&scene=table=7&width=430":          http.StatusOK,
		"qrcode?version=released&scene=a%20b":                      http.StatusUnprocessableEntity,
		"qrcode?version=released&scene=a&path=pages/nowhere":       http.StatusBadGateway, // 41030
		"qrcode?version=released&path=pages/index/index&width=100": http.StatusUnprocessableEntity,
		"qrcode?scene=a": http.StatusUnprocessableEntity,
	} {
		status, header, content := e.Raw(http.MethodGet, "/authorizers/"+shop+"/"+path, nil)
		require.Equal(t, want, status, "%s: %s", path, content)
		if want == http.StatusOK {
			require.Equal(t, "image/jpeg", header.Get("Content-Type"))
		}
	}
	for _, path := range []string{"testers", "categories", "pages", "qrcode", "icp", "basic-info"} {
		status, _ := e.API(http.MethodGet, "/authorizers/wxunknown/"+path, nil)
		require.Equal(t, http.StatusNotFound, status, path)
	}
	require.NoError(t, e.Fake.Revoke(shop))
	e.Until("withdrawn", func() bool { return e.Merchants.CheckAuthorized(t.Context(), shop) != nil })
	status, out = e.API(http.MethodGet, "/authorizers/"+shop+"/testers", nil)
	require.Equal(t, http.StatusConflict, status)
	require.Equal(t, "unauthorized", out["code"])
}

func TestCategoriesOfAMerchantWithoutPermissionSet30(t *testing.T) {
	t.Parallel()
	e := newEnv(t)
	require.NoError(t, e.Fake.UpdateScopes(shop, []int{18}))
	c, err := e.Categories(t.Context(), shop)
	require.NoError(t, err)
	require.Len(t, c.Usable, 1, "what can be read is read")
	require.True(t, wechat.IsCode(c.SettingsErr, 61007))
}

func TestNameIsFollowedByEventAndByAsking(t *testing.T) {
	t.Parallel()
	for _, mode := range []string{wechatfake.EventUsual, wechatfake.EventDuplicated, wechatfake.EventLost, wechatfake.EventEarly} {
		t.Run(mode, func(t *testing.T) {
			t.Parallel()
			e := newEnv(t)
			e.cfg.Poll = 300 * time.Millisecond
			e.Fake.Set(func(s *wechatfake.Settings) { s.EarlyEventLag = wechatfake.Duration(time.Second) })
			status, out := e.API(http.MethodPost, "/authorizers/"+shop+"/nickname", map[string]any{"nick_name": "老王新菜馆"})
			require.Equal(t, http.StatusOK, status, out)
			require.Equal(t, "reviewing", out["state"])
			require.NotEmpty(t, out["audit_id"])
			status, out = e.API(http.MethodPost, "/authorizers/"+shop+"/nickname", map[string]any{"nick_name": "老王第三馆"})
			require.Equal(t, http.StatusConflict, status, "one at a time: %v", out)

			require.NoError(t, e.Fake.NextEvent(mode))
			require.NoError(t, e.Fake.DecideNickname(shop, true, ""))
			e.Until("the name is in force", func() bool {
				_, out := e.API(http.MethodGet, "/authorizers/"+shop+"/changes", nil)
				items, _ := out["items"].([]any)
				return len(items) == 1 && items[0].(map[string]any)["state"] == "effective"
			})
			e.Until("the directory has it", func() bool {
				a, err := e.Merchants.Get(t.Context(), shop)
				return err == nil && a.NickName == "老王新菜馆"
			})
			require.Equal(t, 1, e.Fake.Effective("/wxa/setnickname", shop))
		})
	}
}

func TestRefusedNameTellsWeChatsReason(t *testing.T) {
	t.Parallel()
	e := newEnv(t)
	c, err := e.SetNickname(t.Context(), shop, by, wechat.NicknameRequest{Name: "老王新菜馆"})
	require.NoError(t, err)
	require.NoError(t, e.Fake.DecideNickname(shop, false, "名称与主体无关"))
	e.Until("it is refused", func() bool { return e.changeOf(c.ID).State == stateRefused })
	require.Equal(t, "名称与主体无关", e.changeOf(c.ID).Reason)

	status, out := e.API(http.MethodPost, "/authorizers/"+shop+"/nickname", map[string]any{"nick_name": "老王银行"})
	require.Equal(t, http.StatusBadGateway, status)
	require.InDelta(t, 91009, out["wechat"].(map[string]any)["errcode"], 0)
	_, out = e.API(http.MethodPost, "/authorizers/"+shop+"/nickname/check", map[string]any{"nick_name": "老王银行"})
	require.Equal(t, true, out["needs_proof"])
	require.NotEmpty(t, out["wording"])
	status, out = e.API(http.MethodPost, "/authorizers/"+shop+"/media", somePNG(t))
	require.Equal(t, http.StatusCreated, status, out)
	status, out = e.API(http.MethodPost, "/authorizers/"+shop+"/nickname", map[string]any{"nick_name": "老王银行", "license": out["media_id"]})
	require.Equal(t, http.StatusOK, status, out)
	require.Equal(t, "reviewing", out["state"])
	_, out = e.API(http.MethodGet, "/authorizers/"+shop+"/changes", nil)
	require.Len(t, out["items"], 3, "those that failed stay to be seen")
}

// TestNameAfterACrash leaves a change as a process does that died between the call and its answer: only the event, or the
// name itself, can tell.
func TestNameAfterACrash(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		mode   string // of the call
		event  string
		passed bool
		want   string
	}{
		"the event says yes":      {wechatfake.FaultCutAfter, wechatfake.EventUsual, true, stateEffective},
		"the event says no":       {wechatfake.FaultCutAfter, wechatfake.EventUsual, false, stateRefused},
		"the name itself shows":   {wechatfake.FaultCutAfter, wechatfake.EventLost, true, stateEffective},
		"nothing tells for weeks": {wechatfake.FaultCutBefore, "", false, stateLost},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			e := newEnv(t)
			e.fail(wechatfake.Fault{Path: "/wxa/setnickname", Mode: tc.mode})
			c, err := e.SetNickname(t.Context(), shop, by, wechat.NicknameRequest{Name: "老王新菜馆"})
			require.NoError(t, err, "an answer that is lost is being found out")
			require.Equal(t, stateSent, c.State)
			require.False(t, c.Refusal.None())
			require.Equal(t, 2, e.Count(`SELECT count(*) FROM river_job WHERE kind = 'profile_change' AND (args->>'id')::bigint = $1 AND scheduled_at < now() + interval '2 minutes'`, c.ID), "one from before the call, which a crash would leave, one from after")
			if tc.event != "" {
				require.NoError(t, e.Fake.NextEvent(tc.event))
				require.NoError(t, e.Fake.DecideNickname(shop, tc.passed, "不合规"))
			}
			if tc.event == wechatfake.EventUsual {
				e.Until("the event is heard", func() bool { return e.changeOf(c.ID).State == tc.want })
				require.NoError(t, e.heardNickname(t.Context(), shop, "老王新菜馆", 2, "a second event changes nothing"))
			} else {
				e.Pass(patience + time.Hour)
				require.NoError(t, e.follow(t.Context(), c.ID))
				require.Equal(t, stateSent, e.changeOf(c.ID).State, "without a ticket nobody can be asked")
				e.Fake.PushTicket()
				e.Until("the change is looked at", func() bool {
					require.NoError(t, e.inTx(t.Context(), func(tx pgx.Tx) error { return wakeChange(t.Context(), tx, c.ID, e.Now()) }))
					require.NoError(t, e.follow(t.Context(), c.ID))
					return e.changeOf(c.ID).State == tc.want
				})
			}
			got := e.changeOf(c.ID)
			require.Equal(t, tc.want, got.State)
			if tc.want == stateRefused {
				require.Equal(t, "不合规", got.Reason)
			}
			require.LessOrEqual(t, e.Fake.Effective("/wxa/setnickname", shop), 1, "never asked twice")
		})
	}
}

func TestChangeThatNobodyDecidesCanBeForgotten(t *testing.T) {
	t.Parallel()
	e := newEnv(t)
	c, err := e.SetNickname(t.Context(), shop, by, wechat.NicknameRequest{Name: "老王新菜馆"})
	require.NoError(t, err)
	status, out := e.API(http.MethodPost, fmt.Sprintf("/authorizers/%s/changes/%d/forget", shop, c.ID), nil)
	require.Equal(t, http.StatusOK, status, out)
	require.Equal(t, "lost", out["state"])
	status, out = e.API(http.MethodPost, fmt.Sprintf("/authorizers/%s/changes/%d/check", shop, c.ID), nil)
	require.Equal(t, http.StatusOK, status, out)
	require.Equal(t, "lost", out["state"])
	status, _ = e.API(http.MethodPost, fmt.Sprintf("/authorizers/%s/changes/%d/check", "wxother", c.ID), nil)
	require.Equal(t, http.StatusNotFound, status, "of another merchant")
	require.NoError(t, e.Fake.DecideNickname(shop, false, "x")) // WeChat's event finds nothing to do
	_, err = e.SetNickname(t.Context(), shop, by, wechat.NicknameRequest{Name: "老王第三馆"})
	require.NoError(t, err)
}

func TestSignatureAndAvatar(t *testing.T) {
	t.Parallel()
	e := newEnv(t)
	c, err := e.SetSignature(t.Context(), shop, by, "开了三十年的家常菜馆")
	require.NoError(t, err)
	require.Equal(t, stateEffective, c.State)
	c, err = e.SetAvatar(t.Context(), shop, by, somePNG(t), wechat.Crop{X2: 1, Y2: 1})
	require.NoError(t, err)
	require.Equal(t, stateEffective, c.State)
	info, err := e.BasicInfo(t.Context(), shop)
	require.NoError(t, err)
	require.Equal(t, "开了三十年的家常菜馆", info.Signature.Signature)
	require.EqualValues(t, 1, info.HeadImage.Used)

	_, err = e.SetSignature(t.Context(), shop, by, "最佳菜馆")
	require.True(t, wechat.IsCode(err, 53201), "%v", err)
	for _, wrong := range []string{"", "a\u0000b", strings.Repeat("长", 301)} {
		_, err = e.SetSignature(t.Context(), shop, by, wrong)
		fe := &fault.Error{}
		require.ErrorAs(t, err, &fe)
		require.Equal(t, fault.Validation, fe.Kind)
	}
	status, out := e.API(http.MethodPost, "/authorizers/"+shop+"/avatar?x2=0.5&y2=0.5", somePNG(t))
	require.Equal(t, http.StatusOK, status, out)
	for path, body := range map[string][]byte{"avatar?x1=0.9&x2=0.1": somePNG(t), "avatar": []byte("<svg>"), "media": {}} {
		status, out = e.API(http.MethodPost, "/authorizers/"+shop+"/"+path, body)
		require.Equal(t, http.StatusUnprocessableEntity, status, "%s: %v", path, out)
	}
	status, _ = e.API(http.MethodPost, "/authorizers/"+shop+"/media", append(somePNG(t), make([]byte, maxImage)...))
	require.Contains(t, []int{http.StatusRequestEntityTooLarge, http.StatusUnprocessableEntity}, status)
	for range 4 {
		_, err = e.SetSignature(t.Context(), shop, by, "开了三十年的家常菜馆")
	}
	require.NoError(t, err)
	_, err = e.SetSignature(t.Context(), shop, by, "开了三十年的家常菜馆")
	require.True(t, wechat.IsCode(err, 53200), "the quota: %v", err)
}

func TestSignatureAndAvatarWhoseAnswerWasLost(t *testing.T) {
	t.Parallel()
	e := newEnv(t)
	e.StopJobs()
	for path, set := range map[string]func() (Change, error){
		"/cgi-bin/account/modifysignature": func() (Change, error) { return e.SetSignature(t.Context(), shop, by, "开了三十年的家常菜馆") },
		"/cgi-bin/account/modifyheadimage": func() (Change, error) {
			return e.SetAvatar(t.Context(), shop, by, somePNG(t), wechat.Crop{X2: 1, Y2: 1})
		},
	} {
		e.fail(wechatfake.Fault{Path: path, Mode: wechatfake.FaultCutBefore})
		c, err := set()
		require.NoError(t, err)
		require.Equal(t, stateSent, c.State)
		e.Pass(2 * time.Minute)
		require.NoError(t, e.follow(t.Context(), c.ID))
		require.Equal(t, stateSent, e.changeOf(c.ID).State, "it may still be at work")
		e.Pass(settle)
		require.NoError(t, e.follow(t.Context(), c.ID))
		require.Equal(t, stateFailed, e.changeOf(c.ID).State, "WeChat shows nothing of it")

		e.fail(wechatfake.Fault{Path: path, Mode: wechatfake.FaultCutAfter})
		c, err = set()
		require.NoError(t, err)
		require.Equal(t, stateSent, c.State)
		e.Pass(2 * time.Minute)
		require.NoError(t, e.sweep(t.Context()))
		require.NoError(t, e.follow(t.Context(), c.ID))
		require.Equal(t, stateEffective, e.changeOf(c.ID).State)
	}
}

func TestUploadThatFailsChangesNothing(t *testing.T) {
	t.Parallel()
	e := newEnv(t)
	e.fail(wechatfake.Fault{Path: "/cgi-bin/media/upload", Mode: wechatfake.FaultCutAfter})
	c, err := e.SetAvatar(t.Context(), shop, by, somePNG(t), wechat.Crop{X2: 1, Y2: 1})
	require.Error(t, err)
	require.Equal(t, stateFailed, c.State, "the avatar was never asked for")
}

func TestCategoriesAreReviewed(t *testing.T) {
	t.Parallel()
	e := newEnv(t)
	status, out := e.API(http.MethodPost, "/authorizers/"+shop+"/categories", map[string]any{"first": 287, "second": 619})
	require.Equal(t, http.StatusOK, status, out)
	require.Equal(t, "effective", out["state"], "it needs no certificates")
	status, out = e.API(http.MethodPost, "/authorizers/"+shop+"/categories", map[string]any{"first": 287, "second": 619})
	require.Equal(t, "effective", out["state"], "%d: 53304 is no failure", status)
	status, out = e.API(http.MethodPost, "/authorizers/"+shop+"/categories", map[string]any{"first": 220, "second": 222})
	require.Equal(t, http.StatusBadGateway, status)
	require.InDelta(t, 53311, out["wechat"].(map[string]any)["errcode"], 0)

	media, err := e.Upload(t.Context(), shop, somePNG(t))
	require.NoError(t, err)
	dining := wechat.NewCategory{First: 220, Second: 222, Certificates: []wechat.CertificateImage{{Name: "《食品经营许可证》", MediaID: media}}}
	c, err := e.AddCategory(t.Context(), shop, by, dining)
	require.NoError(t, err)
	require.Equal(t, stateReviewing, c.State)
	err = e.DeleteCategory(t.Context(), shop, 220, 222)
	require.True(t, wechat.IsCode(err, 53308), "%v", err)
	require.NoError(t, e.Fake.DecideCategory(shop, 220, 222, false, "资质不清晰"))
	e.Until("it is refused", func() bool { return e.changeOf(c.ID).State == stateRefused })
	require.NotEmpty(t, e.changeOf(c.ID).Reason)

	e.fail(wechatfake.Fault{Path: "/cgi-bin/wxopen/modifycategory", Mode: wechatfake.FaultCutAfter})
	c, err = e.ModifyCategory(t.Context(), shop, by, dining)
	require.NoError(t, err)
	require.Equal(t, stateSent, c.State)
	require.NoError(t, e.Fake.DecideCategory(shop, 220, 222, true, ""))
	e.Until("it is approved", func() bool { return e.changeOf(c.ID).State == stateEffective })

	e.fail(wechatfake.Fault{Path: "/cgi-bin/wxopen/deletecategory", Mode: wechatfake.FaultCutAfter})
	status, out = e.API(http.MethodDelete, "/authorizers/"+shop+"/categories/220/222", nil)
	require.Equal(t, http.StatusNoContent, status, out)
	status, _ = e.API(http.MethodDelete, "/authorizers/"+shop+"/categories/0/1", nil)
	require.Equal(t, http.StatusUnprocessableEntity, status)
}

func TestPrivacyInterfaceIsAppliedFor(t *testing.T) {
	t.Parallel()
	e := newEnv(t)
	path := "/authorizers/" + shop + "/privacy-interfaces"
	status, out := e.API(http.MethodPost, path, map[string]any{"api_name": "wx.getLocation", "content": "配送"})
	require.Equal(t, http.StatusUnprocessableEntity, status, "nothing is shown: %v", out)
	body := map[string]any{"api_name": "wx.getLocation", "content": "配送", "url_list": []string{"pages/index/index"}}
	status, out = e.API(http.MethodPost, path, body)
	require.Equal(t, http.StatusOK, status, out)
	require.Equal(t, "reviewing", out["state"])
	require.NoError(t, e.Fake.DecidePrivacyAPI(shop, "wx.getLocation", false, "小程序内未含有相应使用场景"))
	refused := func() string {
		_, out := e.API(http.MethodGet, "/authorizers/"+shop+"/changes?limit=1", nil)
		items, _ := out["items"].([]any)
		state, _ := items[0].(map[string]any)["state"].(string)
		return state
	}
	e.Until("it is refused", func() bool { return refused() == stateRefused })
	status, out = e.API(http.MethodPost, path, body)
	require.Equal(t, http.StatusOK, status, out)
	require.NoError(t, e.Fake.DecidePrivacyAPI(shop, "wx.getLocation", true, ""))
	e.Until("it is granted", func() bool { return refused() == stateEffective })
	_, out = e.API(http.MethodGet, "/authorizers/"+shop+"/changes?limit=1", nil)
	require.NotEmpty(t, out["next_cursor"])
	_, out = e.API(http.MethodGet, fmt.Sprintf("/authorizers/%s/changes?limit=1&cursor=%s", shop, out["next_cursor"]), nil)
	require.Len(t, out["items"], 1)
	require.Empty(t, out["next_cursor"])
}

// TestCallsOfOneMerchantTakeTurns has operators and a rollout at work on one merchant at once: WeChat never sees two calls
// that change something together, and no more than two that only read.
func TestCallsOfOneMerchantTakeTurns(t *testing.T) {
	t.Parallel()
	e := newEnv(t)
	slow := wechatfake.Duration(50 * time.Millisecond)
	e.Fake.Set(func(s *wechatfake.Settings) { s.Latency["*"] = slow })
	e.Fake.ClearCalls()
	var wg sync.WaitGroup
	for i := range 3 {
		wg.Go(func() {
			_, err := e.BindTester(context.Background(), shop, fmt.Sprintf("tester-%d", i), by)
			e.check(err)
		})
		wg.Go(func() { e.check(e.SetSearchable(context.Background(), shop, i%2 == 0)) })
		wg.Go(func() { // as a rollout does
			e.check(e.Locks.Do(context.Background(), turn.Key(shop), func(ctx context.Context) error {
				return e.Merchants.API(shop).SetSupportVersion(ctx, "3.3.4")
			}))
		})
		wg.Go(func() {
			_, err := e.Testers(context.Background(), shop)
			e.check(err)
		})
	}
	wg.Wait()
	writes := map[string]bool{"/wxa/bind_tester": true, "/wxa/changewxasearchstatus": true, "/cgi-bin/wxopen/setweappsupportversion": true}
	type span struct {
		from, to time.Time
		write    bool
	}
	var spans []span
	for _, call := range e.Fake.Calls("") {
		if call.AppID == shop {
			spans = append(spans, span{call.At, call.At.Add(time.Duration(slow)), writes[call.Path]})
		}
	}
	require.Len(t, spans, 12)
	for i, a := range spans {
		reads := 0
		for j, b := range spans {
			if i == j || !a.from.Before(b.to) || !b.from.Before(a.to) {
				continue
			}
			require.False(t, a.write && b.write, "two calls at once: %v %v", a, b)
			if !a.write && !b.write && !b.from.After(a.from) {
				reads++
			}
		}
		require.Less(t, reads, turn.PageReads)
	}
}

func (e *env) check(err error) {
	if err != nil {
		e.T.Error(err)
	}
}
