package authorize

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"math"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/labstack/echo/v4"

	"github.com/wxsteward/wxsteward/internal/fault"
	"github.com/wxsteward/wxsteward/internal/httpserver"
)

// pagePolicy is stricter than the server's own: these pages are for strangers.
const pagePolicy = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; " +
	"base-uri 'none'; form-action 'none'; frame-ancestors 'none'"

// RegisterRoutes adds the pages of a link. Whoever knows its id may open them.
func (s *Service) RegisterRoutes(e *echo.Echo) {
	p := &pages{s: s, templates: parsePages()}
	e.GET("/authorize/assets/:version/:name", p.asset)
	e.GET("/authorize/:link_id", p.launch)
	e.HEAD("/authorize/:link_id", p.look)
	e.GET("/authorize/:link_id/qr.png", p.qr)
	e.GET("/authorize/:link_id/state", p.state)
	e.GET("/authorize/:link_id/callback", p.callback)
}

type pages struct {
	s         *Service
	templates map[string]pageSet // by language
}

// launch shows who asks for what, with the way to WeChat. Each visit has a pre-auth code of its own.
func (p *pages) launch(c echo.Context) error {
	if prefetching(c.Request()) { // nobody has opened it; the browser asks again if somebody does
		c.Response().Header().Set("Cache-Control", "no-store")
		return c.NoContent(http.StatusServiceUnavailable)
	}
	ctx := c.Request().Context()
	agent := c.Request().UserAgent()
	inWeChat := strings.Contains(agent, "MicroMessenger")
	page, err := p.s.open(ctx, c.Param("link_id"), httpserver.ClientIP(ctx).String(), inWeChat)
	if err != nil {
		return p.failed(c, page.Link, err)
	}
	lang := fault.LangFrom(ctx)
	return p.render(c, http.StatusOK, "launch", launchView{
		view: p.view(ctx, page.Link), Go: page.URL, QR: p.s.path(page.Link.ID, "qr.png"), State: p.s.path(page.Link.ID, "state"),
		Seconds: int(max(page.Until.Sub(p.s.Now()), 0) / time.Second), InWeChat: inWeChat,
		Phone: !inWeChat && strings.Contains(agent, "Mobile"), Account: accountWord(page.Link.Kind, lang),
		Scopes: scopeNames(page.Link.FuncScopes, lang), Until: page.Link.ExpiresAt,
	})
}

// look answers HEAD: what GET would, without opening the link.
func (p *pages) look(c echo.Context) error {
	l, err := p.s.linkIn(c.Request().Context(), c.Param("link_id"))
	if err != nil {
		return err
	}
	p.headers(c)
	if !l.openable() {
		return c.NoContent(http.StatusGone)
	}
	return c.NoContent(http.StatusOK)
}

func prefetching(r *http.Request) bool {
	for _, name := range []string{"Sec-Purpose", "Purpose", "X-Purpose", "X-Moz"} {
		value := strings.ToLower(r.Header.Get(name))
		if strings.Contains(value, "prefetch") || strings.Contains(value, "preview") || strings.Contains(value, "prerender") {
			return true
		}
	}
	return false
}

func (p *pages) qr(c echo.Context) error {
	l, err := p.s.linkIn(c.Request().Context(), c.Param("link_id"))
	if err != nil {
		return err
	}
	image, err := qrPNG(p.s.linkURL(l.ID))
	if err != nil {
		return err
	}
	c.Response().Header().Set("Cache-Control", "private, max-age=3600")
	return c.Blob(http.StatusOK, "image/png", image)
}

// state lets an open page notice that the link was used on another device.
func (p *pages) state(c echo.Context) error {
	l, err := p.s.linkIn(c.Request().Context(), c.Param("link_id"))
	if err != nil {
		return err
	}
	c.Response().Header().Set("Cache-Control", "no-store")
	return c.JSON(http.StatusOK, map[string]any{"status": l.Status, "open": l.openable()})
}

// callback is where WeChat sends the merchant back to.
func (p *pages) callback(c echo.Context) error {
	ctx := c.Request().Context()
	expiresIn, _ := strconv.Atoi(c.QueryParam("expires_in")) // a missing or strange one means the usual
	out, err := p.s.finished(ctx, c.Param("link_id"), c.QueryParam("auth_code"), expiresIn, httpserver.ClientIP(ctx).String())
	if err != nil {
		return p.failed(c, out.Link, err)
	}
	if !out.Trouble.none() {
		v := p.view(ctx, out.Link)
		v.Tone, v.Title, v.Text = "bad", v.T("授权没有完成", "The authorization did not succeed"), out.Trouble.In(v.Lang)
		v.retry(p.s, out.Link)
		return p.render(c, troubleStatus(out.Trouble), "notice", v)
	}
	if target, ok := p.s.returnTo(ctx, out); ok {
		p.headers(c)
		return c.Redirect(http.StatusSeeOther, target)
	}
	v := p.view(ctx, out.Link)
	if out.Waiting {
		v.Tone, v.Title = "wait", v.T("授权正在处理", "Your authorization is being processed")
		v.Text = v.T("已收到微信的授权结果，正在换取凭据，通常几秒内完成。本页会自动刷新；也可以关闭本页，处理不会中断。",
			"WeChat's answer has arrived and is being processed, which takes a few seconds as a rule. This page refreshes by itself; you may also close it.")
		c.Response().Header().Set("Refresh", "5")
		return p.render(c, http.StatusAccepted, "notice", v)
	}
	v.Tone, v.Title = "good", v.T("授权成功", "Authorized")
	v.Text = fmt.Sprintf(v.T("您的账号已授权给「%s」，现在可以关闭本页。", "Your account is now managed by %s. You may close this page."), v.Platform)
	v.Facts = []fact{{v.T("账号", "Account"), p.s.accountName(ctx, out.AppID)}, {v.T("业务编号", "Reference"), out.Link.BizID}}
	return p.render(c, http.StatusOK, "notice", v)
}

func troubleStatus(t trouble) int {
	switch t.Word {
	case troubleRevoked, troubleUsed, troubleExpired:
		return http.StatusGone
	case troubleForeign, troubleOtherLink, troubleWithdrawn, troubleTestAccount:
		return http.StatusConflict
	case troubleUnavailable, troubleRefused, troubleLost:
		return http.StatusBadGateway
	}
	return http.StatusBadRequest
}

// returnTo is the address of the business system with the outcome, if the link has one that is still allowed.
func (s *Service) returnTo(ctx context.Context, out outcome) (string, bool) {
	if out.Link.ReturnURL == "" {
		return "", false
	}
	if err := s.component.ReturnURLAllowed(ctx, out.Link.ReturnURL); err != nil {
		s.Logger.WarnContext(ctx, "return url of a link is not allowed any more", "link_id", out.Link.ID)
		return "", false
	}
	target, err := returnURL(out.Link.ReturnURL, out.Link.ID, out.Link.Status, out.Link.BizID, out.AppID)
	if err != nil {
		s.Logger.WarnContext(ctx, "return url of a link not usable", "link_id", out.Link.ID, "error", err)
		return "", false
	}
	return target, true
}

// accountName is what the merchant knows its account by, once WeChat has told.
func (s *Service) accountName(ctx context.Context, appid string) string {
	a, err := s.Get(ctx, appid)
	if err != nil || a.NickName == "" {
		return appid
	}
	return a.NickName + " (" + appid + ")"
}

// failed shows an error as a page and leaves its cause for the log.
func (p *pages) failed(c echo.Context, l Link, err error) error {
	ctx := c.Request().Context()
	problem := httpserver.Problem(ctx, err)
	v := p.view(ctx, l)
	v.Tone = "bad"
	status := problem.Status
	kind := fault.Internal
	if fe, ok := errors.AsType[*fault.Error](err); ok {
		kind = fe.Kind
	}
	if problem.RetryAfter > 0 {
		seconds := strconv.Itoa(int(math.Ceil(problem.RetryAfter.Seconds())))
		c.Response().Header().Set("Retry-After", seconds)
		c.Response().Header().Set("Refresh", seconds)
	}
	switch kind {
	case fault.NotFound:
		v.Title, v.Text = v.T("没有这个授权链接", "No such link"),
			v.T("链接不完整，或者已经被删除。请核对地址，或向服务商索取新的链接。", "The address is incomplete or the link is gone. Check it, or ask your service provider for a new link.")
	case fault.Gone:
		v.over(l)
	case fault.Validation:
		status = http.StatusBadRequest
		v.Title, v.Text = v.T("没有收到授权结果", "WeChat sent no authorization"),
			v.T("地址里没有有效的授权码。如果您在微信里取消了授权，可以重新打开链接再来一次。", "The address holds no usable authorization code. If you cancelled in WeChat, open the link again.")
		v.retry(p.s, l)
	case fault.TooMany:
		v.Title, v.Text = v.T("操作太频繁", "Too many attempts"),
			v.T("请稍等片刻，本页会自动重试。如果您已经在微信里同意授权，绑定会在后台自动完成。", "Wait a moment, this page tries again by itself. If you have agreed in WeChat already, everything goes on in the background.")
	default:
		if status == http.StatusInternalServerError {
			v.Title, v.Text = v.T("系统出现问题", "Something went wrong"), v.T("请稍后再试；如果一直这样，请联系服务商。", "Try again later. If it stays like this, tell your service provider.")
			break
		}
		status = http.StatusServiceUnavailable
		v.Title = v.T("暂时无法打开微信授权", "WeChat's authorization page cannot be opened now")
		v.Text = v.T("平台暂时没有连上微信，链接仍然有效。请稍后再试，本页每 30 秒自动重试一次。", "The platform has no connection to WeChat at the moment; your link stays valid. This page tries again every 30 seconds.")
		v.Note = v.T("给服务商：", "For the service provider: ") + problem.Detail
		if problem.WeChat != nil {
			v.Note += fmt.Sprintf(" (errcode %d, rid %s)", problem.WeChat.ErrCode, problem.WeChat.RID)
		}
		c.Response().Header().Set("Retry-After", "30")
		c.Response().Header().Set("Refresh", "30")
	}
	return p.render(c, status, "notice", v)
}

func (p *pages) view(ctx context.Context, l Link) view {
	v := view{Lang: fault.LangFrom(ctx), Platform: p.s.platformName(ctx), Base: p.s.path("assets", assetVersion())}
	if l.ID != "" {
		v.BizID = l.BizID
	}
	return v
}

// path is an address on whatever host the page was opened at, which the page's policy takes for its own.
func (s *Service) path(parts ...string) string {
	return "/" + strings.TrimPrefix(s.PublicURL.JoinPath(append([]string{"authorize"}, parts...)...).EscapedPath(), "/")
}

func (p *pages) headers(c echo.Context) {
	h := c.Response().Header()
	h.Set("Content-Security-Policy", pagePolicy)
	// WeChat's page checks that it was opened from this host, so the origin has to be told; the rest, where an
	// authorization code may stand, stays with us.
	h.Set("Referrer-Policy", "strict-origin-when-cross-origin")
	h.Set("Cache-Control", "no-store")
	h.Set("X-Robots-Tag", "noindex")
	h.Add("Vary", "Accept-Language")
	h.Add("Vary", "User-Agent")
}

func (p *pages) render(c echo.Context, status int, name string, data any) error {
	p.headers(c)
	html, err := p.templates[fault.LangFrom(c.Request().Context())].render(name, data)
	if err != nil {
		return fmt.Errorf("render page %s: %w", name, err)
	}
	return c.HTMLBlob(status, html)
}

func (p *pages) asset(c echo.Context) error {
	name := c.Param("name")
	var contentType string
	switch name {
	case "page.css":
		contentType = "text/css; charset=utf-8"
	case "page.js":
		contentType = "text/javascript; charset=utf-8"
	default:
		return fault.New(fault.NotFound, "")
	}
	content, err := fs.ReadFile(pageFiles, "page/"+name)
	if err != nil {
		return fault.New(fault.NotFound, "")
	}
	c.Response().Header().Set("Cache-Control", "public, max-age=31536000, immutable")
	return c.Blob(http.StatusOK, contentType, content)
}

// assetVersion changes with the files, so that browsers may keep them for ever.
func assetVersion() string {
	sum := sha256.New()
	for _, name := range []string{"page/page.css", "page/page.js"} {
		content, _ := fs.ReadFile(pageFiles, name) // embedded
		_, _ = sum.Write(content)
	}
	return hex.EncodeToString(sum.Sum(nil)[:6])
}
