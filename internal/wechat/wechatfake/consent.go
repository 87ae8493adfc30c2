package wechatfake

import (
	"html/template"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"
)

// consent is one opened authorization page. The form posts its id, so that a reload asks again and a repeated post
// leads to the same place.
type consent struct {
	PreAuth  string         `json:"pre_auth_code"`
	Redirect string         `json:"redirect_uri"`
	Kinds    []Kind         `json:"kinds"`
	BizAppID string         `json:"biz_appid"`
	Scopes   []int          `json:"scopes"` // category_id_list; empty = all offered
	PC       bool           `json:"pc"`
	Created  time.Time      `json:"created"`
	Given    *Authorization `json:"given"` // consent was given
	Order    string         `json:"order"` // in which event and redirect came
}

// domainRefusal is the sentence WeChat shows when Referer or redirect_uri are not of 授权发起页域名.
const domainRefusal = "请确认授权入口页所在域名，与授权后回调页所在域名相同，并且，此两者都必须与申请第三方平台时填写的授权发起页域名相同"

// authorizePage answers the links of the authorization: PC with a code to scan, H5 inside WeChat.
func (s *Server) authorizePage(pc bool) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		s.mu.Lock()
		page, refusal := s.openConsent(r, pc)
		s.mu.Unlock()
		if refusal != "" {
			s.showRefusal(w, r, refusal)
			return
		}
		s.show(w, r, "consent", page)
	}
}

// openConsent checks the link and makes the page, under mu; the second result says why not.
func (s *Server) openConsent(r *http.Request, pc bool) (consentPage, string) {
	query := r.URL.Query()
	redirect, err := url.Parse(query.Get("redirect_uri"))
	expires, known := s.st.PreAuth[query.Get("pre_auth_code")]
	switch {
	case query.Get("component_appid") != s.cfg.ComponentAppID:
		return consentPage{}, "component_appid 参数错误：没有这个第三方平台"
	case !known || !s.now().Before(expires):
		return consentPage{}, "pre_auth_code 无效或已过期，请返回授权入口页重新发起授权"
	case err != nil || redirect.Host == "" || (redirect.Scheme != "https" && redirect.Scheme != "http"):
		return consentPage{}, "redirect_uri 参数错误"
	case s.launch != "" && (redirect.Host != s.launch || refererHost(r) != s.launch):
		return consentPage{}, domainRefusal
	}
	c := &consent{PreAuth: query.Get("pre_auth_code"), Redirect: query.Get("redirect_uri"), BizAppID: query.Get("biz_appid"), PC: pc, Created: s.now()}
	if c.Kinds = kindsOf(query.Get("auth_type")); c.Kinds == nil && c.BizAppID == "" {
		return consentPage{}, "auth_type 参数错误：请填写 1、2、3、4、5、6 或 8"
	}
	if text := query.Get("category_id_list"); text != "" {
		for part := range strings.SplitSeq(text, "|") {
			id, err := strconv.Atoi(part)
			if err != nil {
				return consentPage{}, "category_id_list 参数错误：权限集 id 之间用竖线分隔"
			}
			c.Scopes = append(c.Scopes, id)
		}
	}
	if len(s.candidates(c)) == 0 {
		if c.BizAppID != "" {
			return consentPage{}, "你不是 " + c.BizAppID + " 的管理员，无法为该账号授权"
		}
		return consentPage{}, "没有可以授权的账号"
	}
	for old, opened := range s.st.Consents {
		if s.now().Sub(opened.Created) > time.Hour {
			delete(s.st.Consents, old)
		}
	}
	id := random(18)
	s.st.Consents[id] = c
	s.changed()
	return s.consentPage(id, c, ""), ""
}

func refererHost(r *http.Request) string {
	u, err := url.Parse(r.Referer())
	if err != nil {
		return ""
	}
	return u.Host
}

// kindsOf reads auth_type; nil for a value WeChat does not know. 4, 5 and 8 are kinds of account the fake has none of.
func kindsOf(authType string) []Kind {
	switch authType {
	case "1":
		return []Kind{Official}
	case "2":
		return []Kind{MiniProgram}
	case "3", "6":
		return []Kind{MiniProgram, Official}
	case "4", "5", "8":
		return []Kind{}
	default:
		return nil
	}
}

// candidates are the accounts the phone lists, those that have not authorized yet first. biz_appid wins over auth_type.
func (s *Server) candidates(c *consent) []*account {
	var found []*account
	for _, appid := range s.st.Order {
		a := s.st.Merchants[appid]
		switch {
		case !a.selectable():
		case c.BizAppID != "" && a.AppID != c.BizAppID:
		case c.BizAppID == "" && !slices.Contains(c.Kinds, a.Kind):
		default:
			found = append(found, a)
		}
	}
	slices.SortStableFunc(found, func(a, b *account) int {
		switch {
		case a.Authorized == b.Authorized:
			return 0
		case b.Authorized:
			return -1
		default:
			return 1
		}
	})
	return found
}

type consentPage struct {
	Base, ID, Error string
	PC              bool
	Accounts        []consentAccount
	Groups          []consentGroup
}

type consentAccount struct {
	AppID, NickName, Principal, Kind, Avatar string
	Authorized, Checked                      bool
}

type consentGroup struct {
	Title  string
	Scopes []consentScope
}

type consentScope struct {
	ID   int
	Name string
}

func (s *Server) consentPage(id string, c *consent, message string) consentPage {
	page := consentPage{Base: s.cfg.BasePath, ID: id, Error: message, PC: c.PC}
	accounts := s.candidates(c)
	kinds := map[Kind]bool{}
	for i, a := range accounts {
		kinds[a.Kind] = true
		page.Accounts = append(page.Accounts, consentAccount{
			AppID: a.AppID, NickName: a.NickName, Principal: a.Principal, Kind: kindTitle(a.Kind),
			Avatar: s.cfg.BasePath + avatarPath(a.AppID), Authorized: a.Authorized, Checked: i == 0 && len(accounts) == 1,
		})
	}
	for _, kind := range []Kind{MiniProgram, Official} {
		if !kinds[kind] {
			continue
		}
		group := consentGroup{Title: kindTitle(kind) + "权限集"}
		for _, id := range s.offeredTo(c, kind) {
			name := scopeName(id)
			if name == "" {
				name = "权限集 " + strconv.Itoa(id)
			}
			group.Scopes = append(group.Scopes, consentScope{id, name})
		}
		page.Groups = append(page.Groups, group)
	}
	return page
}

func kindTitle(kind Kind) string {
	if kind == Official {
		return "公众号"
	}
	return "小程序"
}

func (s *Server) offeredTo(c *consent, kind Kind) []int {
	offered := s.offered(kind)
	if len(c.Scopes) == 0 {
		return offered
	}
	return slices.DeleteFunc(offered, func(id int) bool { return !slices.Contains(c.Scopes, id) })
}

// decideConsent takes the form.
func (s *Server) decideConsent(w http.ResponseWriter, r *http.Request) {
	r.Body = http.MaxBytesReader(w, r.Body, 64<<10)
	if err := r.ParseForm(); err != nil {
		s.showRefusal(w, r, "页面参数错误")
		return
	}
	id := r.PostForm.Get("consent")
	s.mu.Lock()
	c := s.st.Consents[id]
	if c == nil || s.now().Sub(c.Created) > 30*time.Minute {
		s.mu.Unlock()
		s.showRefusal(w, r, "授权页已过期，请返回授权入口页重新发起授权")
		return
	}
	if r.PostForm.Get("decision") == "cancel" {
		s.mu.Unlock()
		s.show(w, r, "notice", noticePage{Title: "已取消授权", Text: "没有向第三方平台授予任何权限。"})
		return
	}
	var wait func()
	if c.Given == nil {
		message := ""
		if wait, message = s.consentGiven(c, r.PostForm); message != "" {
			page := s.consentPage(id, c, message)
			s.mu.Unlock()
			s.show(w, r, "consent", page)
			return
		}
	}
	given, order := *c.Given, c.Order
	s.mu.Unlock()
	if wait != nil {
		wait()
	}
	if order == OrderEvent {
		s.show(w, r, "notice", noticePage{Title: "授权成功", Text: "可以关闭本页面。"})
		return
	}
	http.Redirect(w, r, given.RedirectURL, http.StatusFound)
}

// consentGiven records the consent and lets the event go out; the first result is what to wait for before redirecting.
func (s *Server) consentGiven(c *consent, form url.Values) (wait func(), message string) {
	at := slices.IndexFunc(s.candidates(c), func(a *account) bool { return a.AppID == form.Get("appid") })
	if at < 0 {
		return nil, "请选择要授权的账号"
	}
	a := s.candidates(c)[at]
	if !s.st.Settings.Published && !slices.Contains(s.st.Settings.TestUsers, a.UserName) {
		return nil, "该第三方平台尚未全网发布，" + a.NickName + " 不在授权测试列表中，不能授权"
	}
	offered := s.offeredTo(c, a.Kind)
	var scopes []int
	for _, text := range form["func"] {
		if id, err := strconv.Atoi(text); err == nil && slices.Contains(offered, id) {
			scopes = append(scopes, id)
		}
	}
	if len(scopes) == 0 {
		return nil, "请至少选择一项" + kindTitle(a.Kind) + "权限集"
	}
	given := s.grantLocked(a, scopes, c.PreAuth)
	target, err := withCode(c.Redirect, given)
	if err != nil {
		return nil, "redirect_uri 参数错误"
	}
	given.RedirectURL = target
	c.Given, c.Order = &given, s.st.Settings.ConsentOrder
	if !validOrder(c.Order) {
		c.Order = OrderBoth
	}
	delay := time.Duration(s.st.Settings.ConsentDelay)
	if c.Order != OrderEventFirst {
		s.announce(a, given, c.Order, delay, func() {})
		return nil, ""
	}
	if given.Event == "" {
		return nil, ""
	}
	d := s.pushComponent(a.AppID, s.authorizedEvent(a, given))
	return func() { <-d.finished; s.pause(delay) }, ""
}

type noticePage struct{ Title, Text string }

func (s *Server) showRefusal(w http.ResponseWriter, r *http.Request, text string) {
	s.show(w, r, "notice", noticePage{Title: "无法授权", Text: text})
}

// show renders a page. WeChat answers refusals with 200 too.
func (s *Server) show(w http.ResponseWriter, r *http.Request, name string, data any) {
	header := w.Header()
	header.Set("Content-Type", "text/html; charset=utf-8")
	header.Set("Cache-Control", "no-store")
	header.Set("Referrer-Policy", "same-origin")
	header.Set("Content-Security-Policy", "default-src 'none'; style-src 'unsafe-inline'; img-src 'self' data:; form-action *")
	if err := s.html.ExecuteTemplate(w, name, data); err != nil {
		s.log.ErrorContext(r.Context(), "page not shown", "page", name, "error", err)
	}
}

// pageRoutes are the browser's paths.
func (s *Server) pageRoutes() *http.ServeMux {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /cgi-bin/componentloginpage", s.authorizePage(true))
	mux.HandleFunc("GET /wxaopen/safe/bindcomponent", s.authorizePage(false))
	mux.HandleFunc("GET /safe/bindcomponent", s.authorizePage(false))
	mux.HandleFunc("POST /consent", s.decideConsent)
	mux.HandleFunc("GET /register/{key}", s.registrationPage)
	mux.HandleFunc("POST /register/{key}", s.registrationPage)
	for _, path := range []string{pageFastRegister, pageRebindAdmin} {
		mux.HandleFunc("GET "+path, s.voucherHandler(path))
		mux.HandleFunc("POST "+path, s.voucherHandler(path))
	}
	mux.HandleFunc("GET /cloud-share/{key}", s.cloudSharePage)
	mux.HandleFunc("POST /cloud-share/{key}", s.cloudSharePage)
	mux.HandleFunc("GET /avatar/{file}", s.avatar)
	mux.HandleFunc("GET /code/{file}", s.codeImage)
	return mux
}

func (s *Server) isPage(path string) bool {
	switch path {
	case "/cgi-bin/componentloginpage", "/wxaopen/safe/bindcomponent", "/safe/bindcomponent", "/consent", pageFastRegister, pageRebindAdmin:
		return true
	}
	return strings.HasPrefix(path, "/register/") || strings.HasPrefix(path, "/cloud-share/") || strings.HasPrefix(path, "/avatar/") || strings.HasPrefix(path, "/code/")
}

func pageTemplates() *template.Template {
	return template.Must(template.New("pages").Parse(pageHTML))
}
