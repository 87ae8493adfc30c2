package wechatfake

import (
	"net/http"
	"net/url"
	"strings"
	"time"
)

// voucher is what the administrator of an account brings back from a page of ours: it entitles the platform to one call.
type voucher struct {
	Page    string    `json:"page"` // path of the page
	AppID   string    `json:"appid"`
	Copy    bool      `json:"copy"` // the verification goes over too
	Expires time.Time `json:"expires"`
	Used    bool      `json:"used"`
}

// voucherLife is modelled; WeChat does not say it.
const voucherLife = 10 * time.Minute

// The pages that vouchers come from.
const (
	pageFastRegister = "/cgi-bin/fastregisterauth"
	pageRebindAdmin  = "/wxopen/componentrebindadmin"
)

type voucherPage struct {
	Address, Title, Ask, Name string
}

// voucherHandler answers a page that an administrator opens at a computer: first the question, then the answer to it.
func (s *Server) voucherHandler(path string) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		s.mu.Lock()
		a, refusal := s.openVoucherPage(r, path)
		if refusal != "" {
			s.mu.Unlock()
			s.showRefusal(w, r, refusal)
			return
		}
		page := voucherPage{Address: s.cfg.BasePath + path + "?" + r.URL.RawQuery, Title: "复用公众号主体快速注册小程序", Name: a.NickName}
		page.Ask = "服务商请您确认用公众号「" + a.NickName + "」的主体注册一个小程序，并授权其代为管理。"
		if path == pageRebindAdmin {
			page.Title, page.Ask = "换绑小程序管理员", "服务商请您确认为小程序「"+a.NickName+"」更换管理员。"
		}
		if r.Method != http.MethodPost {
			s.mu.Unlock()
			s.show(w, r, "voucher", page)
			return
		}
		r.Body = http.MaxBytesReader(w, r.Body, 64<<10)
		if r.PostFormValue("decision") != "agree" {
			s.mu.Unlock()
			s.show(w, r, "notice", noticePage{Title: "已取消", Text: "没有做任何更改。"})
			return
		}
		value := s.secret("ticket@@@")
		s.st.Vouchers[value] = &voucher{Page: path, AppID: a.AppID, Copy: r.URL.Query().Get("copy_wx_verify") == "1", Expires: s.now().Add(voucherLife)}
		s.changed()
		s.mu.Unlock()
		name := "ticket"
		if path == pageRebindAdmin {
			name = "taskid"
		}
		http.Redirect(w, r, withParameter(r.URL.Query().Get("redirect_uri"), name, value), http.StatusFound) //nolint:gosec,nolintlint // as WeChat does; the host was checked
	}
}

func withParameter(address, name, value string) string {
	separator := "?"
	if strings.Contains(address, "?") {
		separator = "&"
	}
	return address + separator + name + "=" + url.QueryEscape(value)
}

// openVoucherPage checks the address, under mu; the second result says why not. What the Referer has to be is modelled on the
// page of the authorization; the answer to the form comes from the page itself.
func (s *Server) openVoucherPage(r *http.Request, path string) (*account, string) {
	query := r.URL.Query()
	redirect, err := url.Parse(query.Get("redirect_uri"))
	a := s.st.Merchants[query.Get("appid")]
	kind := Official
	if path == pageRebindAdmin {
		kind = MiniProgram
	}
	switch {
	case query.Get("component_appid") != s.cfg.ComponentAppID:
		return nil, "component_appid 参数错误：没有这个第三方平台"
	case err != nil || redirect.Host == "" || (redirect.Scheme != "https" && redirect.Scheme != "http"):
		return nil, "redirect_uri 参数错误"
	case s.launch != "" && (redirect.Host != s.launch || r.Method != http.MethodPost && refererHost(r) != s.launch):
		return nil, domainRefusal
	case a == nil:
		return nil, "appid 参数错误：没有这个账号"
	case a.Kind != kind:
		return nil, "appid 参数错误：" + a.NickName + " 不是" + kindTitle(kind)
	case !a.Authorized:
		return nil, a.NickName + " 没有授权给该第三方平台"
	}
	return a, ""
}

// redeem uses a voucher up; nil for one that is unknown, used, too old, or another account's.
func (s *Server) redeem(c *call, page, value string) *voucher {
	v := s.st.Vouchers[value]
	if v == nil || v.Used || v.Page != page || v.AppID != c.acct.AppID || !s.now().Before(v.Expires) {
		return nil
	}
	v.Used = true
	return v
}

const wrongVoucher = 61058 // modelled: WeChat's pages name no code for it

// fastRegister makes a mini program with the principal of an official account. No event tells of it. The list has its refresh
// token at once (modelled), as the way to it when the answer is lost.
func (s *Server) fastRegister(c *call) reply {
	var in struct {
		Ticket string `json:"ticket"`
	}
	if rep := c.decode(&in); rep.code != 0 {
		return rep
	}
	if c.acct.Kind != Official {
		return fail(48001)
	}
	v := s.redeem(c, pageFastRegister, in.Ticket)
	if v == nil {
		return fail(wrongVoucher)
	}
	m := Merchant{
		AppID: "wx" + digest(in.Ticket)[:16], Principal: c.acct.Principal, RegisterType: 2, VerifyType: -1, Categories: []Category{}, NoBasicInfo: true,
		Personal: c.acct.Personal,
	}
	verified := v.Copy && c.acct.VerifyType == 0
	if verified {
		m.VerifyType = 0
	}
	if err := m.complete(); err != nil {
		return fail(-1)
	}
	m.Principal = c.acct.Principal
	a := &account{Merchant: m, MinLib: "2.10.4"}
	s.st.Merchants[m.AppID] = a
	s.st.Order = append(s.st.Order, m.AppID)
	s.st.fill()
	preAuth, _ := s.newPreAuthCode()
	given := s.grantLocked(a, s.usualScopes(a), preAuth)
	a.Exchanged, a.RefreshToken = true, s.secret("refreshtoken@@@")
	return ok(fields{"appid": m.AppID, "authorization_code": given.Code, "is_wx_verify_succ": verified, "is_link_succ": true})
}

// rebindAdmin changes the administrator of a mini program.
func (s *Server) rebindAdmin(c *call) reply {
	var in struct {
		TaskID string `json:"taskid"`
	}
	if rep := c.decode(&in); rep.code != 0 {
		return rep
	}
	switch {
	case c.acct.Kind != MiniProgram:
		return fail(48001)
	case s.redeem(c, pageRebindAdmin, in.TaskID) == nil:
		return fail(wrongVoucher)
	}
	return ok(nil)
}
