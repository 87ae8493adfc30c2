package wechat_test

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/wxsteward/wxsteward/internal/sealed"
	"github.com/wxsteward/wxsteward/internal/wechat"
	"github.com/wxsteward/wxsteward/internal/wechat/wechatfake"
	"github.com/wxsteward/wxsteward/internal/wechat/wechattest"
)

// The fake was written from the documentation without this client, so agreement means something.
func TestJourneyFromTicketToRelease(t *testing.T) {
	t.Parallel()
	const shop = "wx00000000000000a1"
	srv := wechattest.New(t)
	fake := srv.Fake
	require.NoError(t, fake.AddMerchant(wechatfake.Merchant{AppID: shop, UserName: "gh_a1", NickName: "shop", Kind: wechatfake.MiniProgram}))
	draftID, err := fake.AddDraft(wechatfake.Draft{
		Package: wechatfake.Package{Pages: []string{"pages/index/index"}}, UserVersion: "1.0", SourceAppID: "wxdev",
	})
	require.NoError(t, err)
	fake.PushTicket()
	var ticket string
	for _, s := range fake.Secrets() {
		if strings.HasPrefix(s, "ticket@@@") {
			ticket = s
		}
	}

	ctx := t.Context()
	c := wechat.New(wechat.Config{AppID: wechattest.ComponentAppID, BaseURL: srv.URL, Rate: 10000})
	secret := sealed.New(wechattest.ComponentSecret)
	require.NoError(t, c.StartPushTicket(ctx, secret))
	cat, err := c.ComponentToken(ctx, secret, sealed.New(ticket))
	require.NoError(t, err)
	require.Equal(t, 2*time.Hour, cat.ExpiresIn)
	p := c.Component(&tokens{list: []string{cat.Access.Reveal()}})

	pre, err := p.CreatePreAuthCode(ctx)
	require.NoError(t, err)
	granted, err := fake.AuthorizeMerchant(shop, wechatfake.Authorize{PreAuthCode: pre.Code.Reveal()})
	require.NoError(t, err)
	auth, err := p.QueryAuth(ctx, sealed.New(granted.Code))
	require.NoError(t, err)
	require.Equal(t, shop, auth.AppID)
	require.Contains(t, auth.FuncScopes(), 18)
	_, err = p.QueryAuth(ctx, sealed.New(granted.Code))
	require.True(t, wechat.IsCode(err, 61009), "%v", err)
	aat, err := p.RefreshAuthorizer(ctx, shop, auth.RefreshToken)
	require.NoError(t, err)
	info, err := p.AuthorizerInfo(ctx, shop)
	require.NoError(t, err)
	require.NotNil(t, info.Account.MiniProgram)
	all, err := p.AuthorizerList(ctx, 0, wechat.MaxAuthorizerCount)
	require.NoError(t, err)
	require.Len(t, all.List, 1)

	drafts, err := p.TemplateDrafts(ctx)
	require.NoError(t, err)
	require.Len(t, drafts, 1)
	require.NoError(t, p.AddToTemplate(ctx, draftID, wechat.TemplateNormal))
	templates, err := p.Templates(ctx, nil)
	require.NoError(t, err)
	require.Len(t, templates, 1)
	platform, err := p.ModifyServerDomain(ctx, wechat.DomainSet, []string{"api.a.com"}, true)
	require.NoError(t, err)
	require.Equal(t, []string{"api.a.com"}, platform.Testing)
	_, err = p.ModifyJumpDomain(ctx, wechat.DomainSet, []string{"web.a.com"}, true)
	require.NoError(t, err)
	require.NoError(t, drop(p.DomainConfirmFile(ctx)))
	require.NoError(t, drop(p.QuotaGet(ctx, "/wxa/gettemplatelist")))

	m := c.Authorizer(shop, &tokens{list: []string{aat.Access.Reveal()}})
	_, err = m.LatestAuditStatus(ctx)
	require.True(t, wechat.IsCode(err, 85058), "%v", err)
	require.Equal(t, wechat.ClassDone, wechat.ClassOf(err))
	domains, err := m.ModifyDomain(ctx, wechat.DomainSet, wechat.Domains{Request: []string{"https://api.a.com"}})
	require.NoError(t, err)
	require.Equal(t, []string{"https://api.a.com"}, domains.Domains.Request)
	require.NoError(t, drop(m.SetWebviewDomain(ctx, wechat.DomainSet, []string{"https://web.a.com"})))
	require.NoError(t, m.Commit(ctx, wechat.CommitRequest{
		TemplateID: int64(templates[0].TemplateID), ExtJSON: `{"extAppid":"` + shop + `"}`, UserVersion: "1.0", UserDesc: "秋季\u2028<&>",
	}))
	versions, err := m.VersionInfo(ctx)
	require.NoError(t, err)
	require.Equal(t, "秋季\u2028<&>", versions.Exp.Desc)
	require.Nil(t, versions.Live)
	require.NoError(t, drop(m.CodePrivacyInfo(ctx)))
	pages, err := m.Pages(ctx)
	require.NoError(t, err)
	_, contentType, err := m.TrialQRCode(ctx, pages[0])
	require.NoError(t, err)
	require.True(t, strings.HasPrefix(contentType, "image/"))
	require.NoError(t, m.SetPrivacy(ctx, wechat.PrivacyRequest{
		Settings: []wechat.PrivacyItem{{Key: "UserInfo", Text: "展示头像"}},
		Owner:    wechat.OwnerSetting{ContactEmail: "a@b.c", NoticeMethod: "弹窗"},
	}))
	privacy, err := m.Privacy(ctx, 0)
	require.NoError(t, err)
	require.Equal(t, "展示头像", privacy.Settings[0].Text)
	media, err := m.UploadAuditMedia(ctx, "a.png", []byte("\x89PNG\r\n\x1a\n0000"))
	require.NoError(t, err)
	auditID, err := m.SubmitAudit(ctx, wechat.SubmitAuditRequest{Preview: &wechat.PreviewInfo{PicIDs: []string{media.MediaID}}})
	require.NoError(t, err)
	require.NoError(t, m.SpeedUpAudit(ctx, auditID))
	require.NoError(t, fake.Reject(shop, "1:<br>no", 2))
	rejected, err := m.LatestAuditStatus(ctx)
	require.NoError(t, err)
	require.Equal(t, wechat.AuditRejected, rejected.State)
	require.Len(t, rejected.Screenshots, 2)
	_, contentType, err = m.GetMaterial(ctx, rejected.Screenshots[0])
	require.NoError(t, err)
	require.True(t, strings.HasPrefix(contentType, "image/"))
	auditID, err = m.SubmitAudit(ctx, wechat.SubmitAuditRequest{})
	require.NoError(t, err)
	require.NoError(t, m.UndoAudit(ctx))
	auditID2, err := m.SubmitAudit(ctx, wechat.SubmitAuditRequest{})
	require.NoError(t, err)
	require.NotEqual(t, auditID, auditID2)
	require.NoError(t, fake.Approve(shop))
	approved, err := m.AuditStatus(ctx, auditID2)
	require.NoError(t, err)
	require.Equal(t, wechat.AuditApproved, approved.State)
	require.NoError(t, m.Release(ctx))
	err = m.Release(ctx)
	require.True(t, wechat.IsCode(err, 85052), "%v", err)
	require.Equal(t, 1, fake.Effective("/wxa/release", shop))

	// Everything else: WeChat may refuse, but must have understood.
	b := both{p, m, c}
	for name, err := range map[string]error{
		"quota":              drop(b.m.QueryQuota(ctx)),
		"categories":         drop(b.m.Categories(ctx)),
		"category settings":  drop(b.m.WxOpenCategories(ctx)),
		"history":            drop(b.m.HistoryVersions(ctx)),
		"gray plan":          drop(b.m.GrayPlan(ctx)),
		"gray":               b.m.GrayRelease(ctx, wechat.GrayRequest{Percentage: 10}),
		"gray cancel":        b.m.RevertGray(ctx),
		"rollback":           b.m.RevertRelease(ctx, nil),
		"close":              b.m.SetVisitStatus(ctx, false),
		"visit status":       drop(b.m.VisitStatus(ctx)),
		"support version":    drop(b.m.SupportVersion(ctx)),
		"set version":        b.m.SetSupportVersion(ctx, "2.0.0"),
		"search":             b.m.SetSearchStatus(ctx, true),
		"search status":      drop(b.m.SearchStatus(ctx)),
		"effective":          drop(b.m.EffectiveDomain(ctx)),
		"effective web":      drop(b.m.EffectiveWebviewDomain(ctx)),
		"direct":             drop(b.m.ModifyDomainDirectly(ctx, wechat.DomainGet, wechat.Domains{})),
		"web direct":         drop(b.m.SetWebviewDomainDirectly(ctx, wechat.DomainGet, nil)),
		"web confirm file":   drop(b.m.WebviewConfirmFile(ctx)),
		"prefetch":           drop(b.m.PrefetchDomains(ctx)),
		"set prefetch":       b.m.SetPrefetchDomains(ctx, []string{"api.a.com"}),
		"privacy file":       drop(b.m.UploadPrivacyFile(ctx, "a.txt", []byte("text"))),
		"privacy interfaces": drop(b.m.PrivacyInterfaces(ctx)),
		"apply": drop(b.m.ApplyPrivacyInterface(ctx, wechat.PrivacyInterfaceRequest{
			APIName: "wx.getLocation", Content: "x", URLs: []string{"pages/index/index"},
		})),
		"bind":      drop(b.m.BindTester(ctx, "abc")),
		"testers":   drop(b.m.Testers(ctx)),
		"unbind":    b.m.UnbindTester(ctx, "abc", ""),
		"ICP":       drop(b.m.ICPEntranceInfo(ctx)),
		"temp":      drop(b.m.UploadTempMedia(ctx, "a.png", []byte("\x89PNG\r\n\x1a\n0000"))),
		"code":      drop3(b.m.WXACode(ctx, wechat.WXACodeRequest{Path: "pages/index/index"})),
		"unlimited": drop3(b.m.WXACodeUnlimited(ctx, wechat.WXACodeUnlimitedRequest{Scene: "a", Page: "pages/index/index"})),
		"text":      b.m.SendText(ctx, "oUser", "x"),
		"option":    drop(b.m.GetOption(ctx, "voice_recognize")),
		"set opt":   b.m.SetOption(ctx, "voice_recognize", "1"),
		"quota get": drop(b.m.QuotaGet(ctx, "/wxa/commit")),
		"clear":     b.m.ClearQuota(ctx),
		"rid":       drop(b.m.RID(ctx, "1-2-3")),
		"delete":    b.DeleteTemplate(ctx, int64(templates[0].TemplateID)),
	} {
		if err == nil {
			continue
		}
		refusal, ok := errors.AsType[*wechat.APIError](err)
		require.True(t, ok, "%s: %v", name, err)
		require.NotContains(t, []int{40001, 40097, 41001, 43001, 43002, 44002, 47001, 47002, 40033, 61014, 61015}, refusal.Code, "%s: %v", name, err)
		t.Logf("%s: %v", name, err)
	}
	srv.RequireNoUnknownPaths(t)
}
