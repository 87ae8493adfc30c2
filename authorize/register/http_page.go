package register

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/labstack/echo/v4"

	"github.com/wxsteward/wxsteward/authorize"
	"github.com/wxsteward/wxsteward/internal/fault"
	"github.com/wxsteward/wxsteward/internal/sealed"
)

// pages is what package authorize shows strangers with.
type pages interface {
	Public(next echo.HandlerFunc) echo.HandlerFunc
	Show(c echo.Context, page authorize.Page) error
	Failed(c echo.Context, err error) error
	Leave(c echo.Context, address string) error
	Path(parts ...string) string
	URL(parts ...string) string
	WeChatPage(path, query string) string
}

// RegisterRoutes adds the pages for administrators that go to WeChat's page and come back from there.
func (s *Service) RegisterRoutes(e *echo.Echo) {
	e.GET("/authorize/registrations/:id", s.merchants.Public(s.showVisit))
	e.GET("/authorize/registrations/:id/go", s.merchants.Public(s.sendVisitor))
	e.GET("/authorize/registrations/:id/callback", s.merchants.Public(s.receiveVisitor))
}

// words of a page, in the visitor's language.
type words struct{ lang string }

func (w words) in(zh, en string) string {
	if w.lang == fault.English {
		return en
	}
	return zh
}

func wordsFor(c echo.Context) words { return words{fault.LangFrom(c.Request().Context())} }

// visited finds the registration of a page.
func (s *Service) visited(ctx context.Context, id string) (Registration, error) {
	noPage := fault.New(fault.NotFound, "There is no such registration.")
	if id == "" || len(id) > 40 || strings.ContainsFunc(id, func(r rune) bool { return (r < 'a' || r > 'z') && (r < '0' || r > '9') }) {
		return Registration{}, noPage
	}
	r, err := s.Get(ctx, id)
	if err == nil && kinds()[r.Kind].page == "" {
		err = noPage
	}
	return r, err
}

// account names the account whose administrator is asked.
func (s *Service) account(ctx context.Context, r Registration) (name, appid string) {
	appid = r.AppID
	if r.Kind == kindOfficialAccount {
		appid = r.Request[fieldOfficial]
	}
	if a, err := s.merchants.Get(ctx, appid); err == nil {
		name = a.NickName
	}
	if name == "" {
		name = appid
	}
	return name, appid
}

// showVisit asks for the visit to WeChat's page, or tells how the registration stands.
func (s *Service) showVisit(c echo.Context) error {
	ctx := c.Request().Context()
	r, err := s.visited(ctx, c.Param("id"))
	if err != nil {
		return s.merchants.Failed(c, err)
	}
	w := wordsFor(c)
	name, appid := s.account(ctx, r)
	page := authorize.Page{Status: http.StatusOK, Here: s.merchants.Path("registrations", r.ID)}
	change := r.Kind == kindAdminChange
	switch {
	case r.waits(s.cfg.Now()):
		s.invite(c, w, r, &page)
	case r.State == statePending, r.State == stateSent, r.State == stateCreated:
		page.Status, page.Tone, page.Again = http.StatusAccepted, "wait", 5*time.Second
		page.Title = w.in("正在办理", "Under way")
		page.Text = w.in("已收到您在微信上的确认，正在由微信办理，可能要一两分钟。本页会自动刷新；也可以关闭本页。",
			"You have confirmed; WeChat is at work, which may take a minute or two. This page refreshes by itself; you may also close it.")
	case r.State == stateCompleted && change:
		page.Tone, page.Title = "good", w.in("管理员已更换", "The administrator is changed")
		page.Text = w.in("小程序的管理员已经换好，现在可以关闭本页。", "The mini program has its new administrator. You may close this page.")
	case r.State == stateCompleted:
		page.Tone, page.Title = "good", w.in("小程序已注册", "The mini program is registered")
		page.Text = w.in("小程序已经注册，并已授权给服务商，现在可以关闭本页。", "The mini program is registered and managed by your service provider. You may close this page.")
		page.Facts = append(page.Facts, authorize.Fact{Name: w.in("新的小程序", "Mini program"), Value: r.AppID})
	default:
		page.Status, page.Tone, page.Title = http.StatusGone, "bad", w.in("这个地址已失效", "This address is over")
		page.Text = w.in("这个地址已经过期、被取消，或者没有办成。请向服务商索取新的地址。", "It has expired, was cancelled or came to nothing. Ask your service provider for a new one.")
	}
	page.Facts = append([]authorize.Fact{{Name: w.in("账号", "Account"), Value: name + " (" + appid + ")"}}, page.Facts...)
	return s.merchants.Show(c, page)
}

// invite asks an administrator to go to WeChat's page.
func (s *Service) invite(c echo.Context, w words, r Registration, page *authorize.Page) {
	page.Button, page.Target = w.in("打开微信页面", "Open WeChat's page"), s.merchants.Path("registrations", r.ID, "go")
	page.Title = w.in("用公众号的主体注册小程序", "Register a mini program with your official account")
	page.Text = w.in("服务商想用这个公众号的主体为您注册一个小程序，并代为管理。请公众号管理员打开微信页面，扫码确认。",
		"Your service provider asks to register a mini program with this official account's principal, and to manage it. The account's administrator opens WeChat's page, scans and confirms.")
	if r.Kind == kindAdminChange {
		page.Title = w.in("更换小程序管理员", "Change the mini program's administrator")
		page.Text = w.in("请小程序管理员打开微信页面，按微信的提示确认，换成新的管理员。",
			"The mini program's administrator opens WeChat's page and follows it to name the new administrator.")
	} else {
		page.Facts = append(page.Facts, authorize.Fact{Name: w.in("业务编号", "Reference"), Value: r.BizID})
	}
	if !r.Refusal.None() {
		page.Trouble = w.in("上一次没有办成。请再确认一次；仍然不行请联系服务商。", "It did not work the last time. Confirm once more; if it fails again, tell your service provider.")
		if v := r.Refusal.View(w.lang); v.ErrCode != 0 {
			page.Trouble = v.Detail
		}
	}
	if !authorize.AtComputer(c) {
		page.Text += w.in("微信的这个页面要在电脑上打开，再用手机扫码：请把下面的地址发到电脑的浏览器里。", " WeChat's page opens on a computer, and you scan it with your phone: send the address below to a computer's browser.")
		page.Address = r.URL
	}
}

// sendVisitor leads to WeChat's page, which looks at the Referer: the browser keeps ours through a redirect.
func (s *Service) sendVisitor(c echo.Context) error {
	ctx, req := c.Request().Context(), c.Request()
	id := c.Param("id")
	if authorize.Prefetching(req) {
		return c.NoContent(http.StatusServiceUnavailable)
	}
	r, err := s.visited(ctx, id)
	if err != nil {
		return s.merchants.Failed(c, err)
	}
	here := s.merchants.Path("registrations", id)
	if site := req.Header.Get("Sec-Fetch-Site"); site == "none" || site == "cross-site" { // typed in: WeChat would refuse it
		return s.merchants.Leave(c, here)
	}
	r, state, err := s.visit(ctx, r.ID)
	if errors.Is(err, errOver) {
		return s.merchants.Leave(c, here)
	}
	if err != nil {
		return s.merchants.Failed(c, fmt.Errorf("visit registration %s: %w", id, err))
	}
	back := s.merchants.URL("registrations", id, "callback") + "?state=" + state
	_, appid := s.account(ctx, r)
	component := "component_appid=" + url.QueryEscape(s.platform.AppID())
	q := []string{"appid=" + url.QueryEscape(appid), component}
	if r.Kind == kindOfficialAccount {
		q = []string{component, "appid=" + url.QueryEscape(appid), "copy_wx_verify=1"}
	}
	q = append(q, "redirect_uri="+url.QueryEscape(back))
	return s.merchants.Leave(c, s.merchants.WeChatPage(kinds()[r.Kind].page, strings.Join(q, "&")))
}

// receiveVisitor is where WeChat's page sends an administrator back to. What came is stored, the rest goes on without the browser.
func (s *Service) receiveVisitor(c echo.Context) error {
	ctx := c.Request().Context()
	r, err := s.visited(ctx, c.Param("id"))
	if err != nil {
		return s.merchants.Failed(c, err)
	}
	w := wordsFor(c)
	here := s.merchants.Path("registrations", r.ID)
	voucher := c.QueryParam(kinds()[r.Kind].voucher)
	again := authorize.Page{Status: http.StatusBadRequest, Tone: "bad", Button: w.in("再试一次", "Try once more"), Target: here}
	if voucher == "" || len(voucher) > maxVoucher || strings.ContainsFunc(voucher, func(r rune) bool { return r <= ' ' || r > '~' }) {
		again.Title = w.in("没有收到确认", "Not confirmed")
		again.Text = w.in("微信没有给出确认。如果您在微信里取消了，可以再来一次。", "WeChat gave no confirmation. If you cancelled there, you can try once more.")
		return s.merchants.Show(c, again)
	}
	err = s.take(ctx, r.ID, c.QueryParam("state"), sealed.New(voucher))
	switch {
	case errors.Is(err, errUsedState) && !r.waits(s.cfg.Now()), errors.Is(err, errOver):
		return s.merchants.Leave(c, here) // the page tells what became of it
	case errors.Is(err, errUsedState):
		again.Title = w.in("这个返回地址已失效", "This way back is over")
		again.Text = w.in("它已经用过、已过期，或者不是从本页打开的。请重新打开微信页面。", "It has been used, is too old, or did not begin here. Open WeChat's page once more.")
		return s.merchants.Show(c, again)
	case errors.Is(err, pgx.ErrNoRows):
		err = fault.New(fault.NotFound, "There is no such registration.")
	}
	if err != nil {
		return s.merchants.Failed(c, err)
	}
	return s.merchants.Leave(c, here)
}
