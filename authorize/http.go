package authorize

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io/fs"
	"math"
	"net/http"
	"slices"
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

// RegisterRoutes adds the pages of a link. Whoever knows its id may open them, so each address is counted.
func (s *Service) RegisterRoutes(e *echo.Echo) {
	p := s.pages
	e.GET("/authorize/assets/:version/:name", p.public(p.asset))
	e.GET("/authorize/:link_id", p.public(p.launch))
	e.HEAD("/authorize/:link_id", p.public(p.look))
	e.GET("/authorize/:link_id/go", p.public(p.proceed))
	e.GET("/authorize/:link_id/qr.png", p.public(p.qr))
	e.GET("/authorize/:link_id/qr.svg", p.public(p.qrDrawing))
	e.GET("/authorize/:link_id/poster", p.public(p.poster))
	e.GET("/authorize/:link_id/state", p.public(p.state))
	e.GET("/authorize/:link_id/callback", p.public(p.callback))
}

type pages struct {
	s         *Service
	templates map[string]pageSet // by language
}

// public counts a request against its address, and lets ?lang= choose the language where somebody else's browser prints or
// shows a page for the merchant.
func (p *pages) public(next echo.HandlerFunc) echo.HandlerFunc {
	return func(c echo.Context) error {
		ctx := c.Request().Context()
		if lang := strings.ToLower(c.QueryParam("lang")); strings.HasPrefix(lang, fault.Chinese) || strings.HasPrefix(lang, fault.English) {
			ctx = fault.WithLang(ctx, fault.LangOf(lang))
			c.SetRequest(c.Request().WithContext(ctx))
		}
		if ok, wait := p.s.visits.takeOrWait(visitor(httpserver.ClientIP(ctx).String())); !ok {
			return p.failed(c, Link{}, tooMany(wait))
		}
		return next(c)
	}
}

func asked(c echo.Context) browser {
	return browserOf(c.Request().UserAgent(), httpserver.ClientIP(c.Request().Context()).String())
}

// launch shows who asks for what, with the way to WeChat. Each visit has a pre-auth code of its own.
func (p *pages) launch(c echo.Context) error {
	if prefetching(c.Request()) { // nobody has opened it; the browser asks again if somebody does
		return p.nobody(c)
	}
	ctx := c.Request().Context()
	b := asked(c)
	page, err := p.s.open(ctx, c.Param("link_id"), b)
	if err != nil {
		return p.failed(c, page.Link, err)
	}
	lang := fault.LangFrom(ctx)
	id := page.Link.ID
	seconds := int(max(page.Until.Sub(p.s.Now()), 0) / time.Second)
	return p.render(c, http.StatusOK, "launch", launchView{
		view: p.view(ctx, page.Link), Go: page.URL, Again: p.s.path(id, "go"), QR: p.s.path(id, "qr.png"), State: p.s.path(id, "state"),
		Here: p.s.path(id), URL: p.s.linkURL(id), Seconds: seconds, Renew: max(seconds-60, seconds/2, 5), InWeChat: b.inWeChat, Phone: b.phone && !b.inWeChat,
		Account: accountWord(page.Link.Kind, lang), AppID: page.Link.AppID, Scopes: scopeNames(page.Link.FuncScopes, lang), Until: page.Link.ExpiresAt,
	})
}

// proceed leads on from a launch page that has been open for longer than its pre-auth code lives. The browser keeps the
// Referer of that page through the redirect, and WeChat asks for it.
func (p *pages) proceed(c echo.Context) error {
	if prefetching(c.Request()) {
		return p.nobody(c)
	}
	id := c.Param("link_id")
	switch c.Request().Header.Get("Sec-Fetch-Site") {
	case "none", "cross-site": // typed in or linked from elsewhere: WeChat would refuse it, so begin with the page
		p.headers(c)
		return c.Redirect(http.StatusSeeOther, p.s.path(id))
	}
	page, err := p.s.proceed(c.Request().Context(), id, asked(c))
	if err != nil {
		return p.failed(c, page.Link, err)
	}
	p.headers(c)
	return c.Redirect(http.StatusFound, page.URL)
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

func (p *pages) nobody(c echo.Context) error {
	c.Response().Header().Set("Cache-Control", "no-store")
	return c.NoContent(http.StatusServiceUnavailable)
}

// qr draws the code of the launch page. ?size= is its width in pixels, ?download=1 has it saved.
func (p *pages) qr(c echo.Context) error {
	size := 0
	if text := c.QueryParam("size"); text != "" {
		var err error
		if size, err = strconv.Atoi(text); err != nil || size < minQRSize || size > maxQRSize {
			return fault.Invalid("query.size", "size is a number of pixels from %d to %d.", nil, minQRSize, maxQRSize)
		}
	}
	return p.picture(c, "image/png", "png", func(text string) ([]byte, error) { return qrPNG(text, size) })
}

// qrDrawing is qr that prints sharply at any size.
func (p *pages) qrDrawing(c echo.Context) error {
	return p.picture(c, "image/svg+xml", "svg", qrSVG)
}

func (p *pages) picture(c echo.Context, contentType, ending string, draw func(text string) ([]byte, error)) error {
	l, err := p.s.linkIn(c.Request().Context(), c.Param("link_id"))
	if err != nil {
		return err
	}
	image, err := draw(p.s.linkURL(l.ID))
	if err != nil {
		return err
	}
	h := c.Response().Header()
	h.Set("Cache-Control", "private, max-age=3600")
	h.Set("Content-Security-Policy", pagePolicy)
	if c.QueryParam("download") != "" {
		h.Set("Content-Disposition", `attachment; filename="authorize-`+l.ID[:min(len(l.ID), 8)]+"."+ending+`"`)
	}
	return c.Blob(http.StatusOK, contentType, image)
}

// poster is a page to print, or to show at a desk: the code to scan and what to do. Looking at it is not opening the link.
func (p *pages) poster(c echo.Context) error {
	ctx := c.Request().Context()
	l, err := p.s.linkIn(ctx, c.Param("link_id"))
	if err == nil && !l.openable() {
		err = fault.New(fault.Gone, "The authorization link is %s.", l.closedAs())
	}
	if err != nil {
		return p.failed(c, l, err)
	}
	lang := fault.LangFrom(ctx)
	return p.render(c, http.StatusOK, "poster", launchView{
		view: p.view(ctx, l), QR: p.s.path(l.ID, "qr.svg"), Here: p.s.path(l.ID, "poster"), URL: p.s.linkURL(l.ID),
		Account: accountWord(l.Kind, lang), AppID: l.AppID, Scopes: scopeNames(l.FuncScopes, lang), Until: l.ExpiresAt,
	})
}

// state lets an open page notice what became of the link on another device.
func (p *pages) state(c echo.Context) error {
	ctx := c.Request().Context()
	l, err := p.s.linkIn(ctx, c.Param("link_id"))
	if err != nil {
		return err
	}
	c.Response().Header().Set("Cache-Control", "no-store")
	return c.JSON(http.StatusOK, map[string]any{"status": l.Status, "open": l.openable(), "error": l.Error(fault.LangFrom(ctx))})
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
		v.Back, _ = p.s.returnTo(ctx, outcome{Link: out.Link})
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
	p.s.tellGrant(ctx, &v, out.Link, out.AppID)
	return p.render(c, http.StatusOK, "notice", v)
}

// tellGrant adds which account was authorized and what it granted, of which the merchant may have left out a part.
func (s *Service) tellGrant(ctx context.Context, v *view, l Link, appid string) {
	name := appid
	a, err := s.Get(ctx, appid)
	if err == nil && a.NickName != "" {
		name = a.NickName + " (" + appid + ")"
	}
	v.Facts = []Fact{{v.T("账号", "Account"), name}, {v.T("业务编号", "Reference"), l.BizID}}
	if err != nil || len(a.FuncScopes) == 0 {
		return
	}
	v.Facts = append(v.Facts, Fact{v.T("已授予权限", "Permissions"), fmt.Sprintf(v.T("%d 项", "%d sets"), len(a.FuncScopes))})
	lacking := slices.DeleteFunc(slices.Clone(l.FuncScopes), func(id int) bool { return slices.Contains(a.FuncScopes, id) })
	if len(lacking) > 0 {
		v.Note = fmt.Sprintf(v.T("没有授予：%s。缺少这些权限，服务商的部分功能无法为您提供；需要时请重新打开链接再授权一次。",
			"Not granted: %s. Without these your service provider cannot do everything for you; open the link and authorize once more to add them."),
			strings.Join(scopeNames(lacking, v.Lang), v.T("、", ", ")))
	}
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

// Pauses after which a page that could not lead to WeChat tries again by itself.
const (
	soon  = 30 * time.Second
	later = 10 * time.Minute // somebody has to do something first
)

// failed shows an error as a page and leaves its cause for the log.
func (p *pages) failed(c echo.Context, l Link, err error) error {
	ctx := c.Request().Context()
	problem := httpserver.Problem(ctx, err)
	if problem.Code == fault.TooMany {
		return p.busy(c, problem.RetryAfter)
	}
	v := p.view(ctx, l)
	v.Tone = "bad"
	status := problem.Status
	var again time.Duration
	switch problem.Code {
	case fault.NotFound:
		v.Title, v.Text = v.T("没有这个授权链接", "No such link"),
			v.T("链接不完整，或者已经被删除。请核对地址，或向服务商索取新的链接。", "The address is incomplete or the link is gone. Check it, or ask your service provider for a new link.")
	case fault.Gone:
		v.over(l)
		if l.closedAs() == linkAuthorized {
			p.s.tellGrant(ctx, &v, l, l.AuthorizerAppID)
			v.Back, _ = p.s.returnTo(ctx, outcome{Link: l, AppID: l.AuthorizerAppID})
		}
	case fault.Validation:
		status = http.StatusBadRequest
		v.Title, v.Text = v.T("没有收到授权结果", "WeChat sent no authorization"),
			v.T("地址里没有有效的授权码。如果您在微信里取消了授权，可以重新打开链接再来一次。", "The address holds no usable authorization code. If you cancelled in WeChat, open the link again.")
		v.retry(p.s, l)
		v.Back, _ = p.s.returnTo(ctx, outcome{Link: l})
	case fault.Internal:
		v.Title, v.Text = v.T("系统出现问题", "Something went wrong"), v.T("请稍后再试；如果一直这样，请联系服务商。", "Try again later. If it stays like this, tell your service provider.")
	case fault.Unavailable, fault.TimedOut:
		status, again = http.StatusServiceUnavailable, soon
		v.Title = v.T("系统暂时不可用", "Not available at the moment")
		v.Text = v.T("链接仍然有效。请稍等，本页每 30 秒自动重试一次。", "Your link stays valid. Wait a moment, this page tries again every 30 seconds.")
	default:
		status, again = http.StatusServiceUnavailable, soon
		v.Title = v.T("暂时无法打开微信授权", "WeChat's authorization page cannot be opened now")
		v.Text = v.T("平台暂时没有连上微信，链接仍然有效。请稍后再试，本页每 30 秒自动重试一次。", "The platform has no connection to WeChat at the moment; your link stays valid. This page tries again every 30 seconds.")
		v.Note = v.T("给服务商：", "For the service provider: ") + problem.Detail
		if problem.WeChat != nil {
			v.Note += fmt.Sprintf(" (errcode %d, rid %s)", problem.WeChat.ErrCode, problem.WeChat.RID)
		}
		if problem.Code == fault.WeChatRefused {
			again = later
			v.Text = v.T("微信现在不接受平台的请求，需要服务商处理。链接仍然有效；请联系服务商，或过一段时间再打开。",
				"WeChat does not accept the platform's requests now; your service provider has to act. Your link stays valid: tell the provider, or open it again later.")
		}
	}
	if again > 0 {
		seconds := strconv.Itoa(int(again / time.Second))
		c.Response().Header().Set("Retry-After", seconds)
		c.Response().Header().Set("Refresh", seconds)
	}
	return p.render(c, status, "notice", v)
}

// busy turns a visitor away without asking the database for anything.
func (p *pages) busy(c echo.Context, wait time.Duration) error {
	seconds := strconv.Itoa(int(math.Ceil(wait.Seconds())))
	c.Response().Header().Set("Retry-After", seconds)
	c.Response().Header().Set("Refresh", seconds)
	v := view{Lang: fault.LangFrom(c.Request().Context()), Base: p.s.path("assets", assetVersion()), Tone: "wait"}
	v.Title, v.Text = v.T("操作太频繁", "Too many requests"),
		v.T("请稍等片刻，本页会自动重试。如果您已经在微信里同意授权，绑定会在后台自动完成。", "Wait a moment, this page tries again by itself. If you have agreed in WeChat already, everything goes on in the background.")
	return p.render(c, http.StatusTooManyRequests, "notice", v)
}

func (p *pages) view(ctx context.Context, l Link) view {
	b := p.s.brand(ctx)
	v := view{Lang: fault.LangFrom(ctx), Platform: b.Name, About: b.Description, Base: p.s.path("assets", assetVersion())}
	if b.LogoID != "" {
		v.Logo = p.s.path("assets", b.LogoID, "logo")
	}
	if b.Color != "" {
		v.Style = p.s.path("assets", b.Color, "brand.css")
	}
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
	version, name := c.Param("version"), c.Param("name")
	var contentType string
	var content []byte
	var err error
	switch name {
	case "page.css":
		contentType = "text/css; charset=utf-8"
		content, err = fs.ReadFile(pageFiles, "page/"+name)
	case "page.js":
		contentType = "text/javascript; charset=utf-8"
		content, err = fs.ReadFile(pageFiles, "page/"+name)
	case "brand.css":
		contentType = "text/css; charset=utf-8"
		content, err = brandCSS(version)
	case "logo":
		logo, ok, readErr := p.s.component.Logo(c.Request().Context())
		if readErr != nil {
			return readErr
		}
		if !ok || logo.ID != version {
			return fault.New(fault.NotFound, "")
		}
		contentType, content = logo.Type, logo.Data
	default:
		return fault.New(fault.NotFound, "")
	}
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
