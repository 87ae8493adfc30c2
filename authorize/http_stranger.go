package authorize

import (
	"net/http"
	"strconv"
	"time"

	"github.com/labstack/echo/v4"

	"github.com/wxsteward/wxsteward/internal/fault"
	"github.com/wxsteward/wxsteward/internal/httpserver"
)

// Page is shown to somebody who is not signed in, as the platform looks to merchants.
type Page struct {
	Status      int
	Tone        string // good, bad or wait; empty: somebody is asked something
	Title, Text string
	Facts       []Fact
	Trouble     string // why it did not work the time before
	Button      string
	Target      string // where Button leads; empty: there is none
	Address     string // to be opened elsewhere
	Again       time.Duration
	Here        string // path of this page, for the other language
}

// Fact is a line of a Page.
type Fact struct{ Name, Value string }

type strangerView struct {
	launchView

	Page Page
}

// Public wraps what anybody may open: each address is counted, and ?lang= chooses the language.
func (s *Service) Public(next echo.HandlerFunc) echo.HandlerFunc { return s.pages.public(next) }

// Show answers with a page.
func (s *Service) Show(c echo.Context, page Page) error {
	v := s.pages.view(c.Request().Context(), Link{})
	v.Tone, v.Title, v.Text = page.Tone, page.Title, page.Text
	if page.Again > 0 {
		c.Response().Header().Set("Refresh", strconv.Itoa(int(page.Again/time.Second)))
	}
	return s.pages.render(c, page.Status, "stranger", strangerView{launchView{view: v, Here: page.Here}, page})
}

// Leave sends a visitor on; the browser keeps the page that led here as the Referer.
func (s *Service) Leave(c echo.Context, address string) error {
	s.pages.headers(c)
	return c.Redirect(http.StatusFound, address)
}

// Path is the path of a public page on whatever host it was opened at, URL its address for others.
func (s *Service) Path(parts ...string) string { return s.path(parts...) }

// URL is the address of a public page in full.
func (s *Service) URL(parts ...string) string {
	return s.PublicURL.JoinPath(append([]string{"authorize"}, parts...)...).String()
}

// AtComputer reports whether a visitor's browser is one of a computer, on which WeChat's pages to scan open.
func AtComputer(c echo.Context) bool {
	b := asked(c)
	return !b.phone && !b.inWeChat
}

// Prefetching reports whether a browser asks before anybody has.
func Prefetching(r *http.Request) bool { return prefetching(r) }

// WeChatPage is the address of a page of WeChat's, with a query in WeChat's order.
func (s *Service) WeChatPage(path string, query string) string {
	return s.MPBaseURL + "/" + path + "?" + query
}

// Failed shows an error as a page.
func (s *Service) Failed(c echo.Context, err error) error {
	if fe := httpserver.Problem(c.Request().Context(), err); fe.Code == fault.NotFound {
		v := view{Lang: fault.LangFrom(c.Request().Context())}
		return s.Show(c, Page{
			Status: http.StatusNotFound, Tone: "bad", Title: v.T("没有这个页面", "No such page"),
			Text: v.T("地址不完整，或者已经失效。请向服务商索取新的地址。", "The address is incomplete or over. Ask your service provider for a new one."),
		})
	}
	return s.pages.failed(c, Link{}, err)
}
