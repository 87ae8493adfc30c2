package wechatfake

import (
	"slices"
	"strings"
	"time"
	"unicode/utf8"
)

// code is one version of a mini program's program: template and ext_json put together.
type code struct {
	TemplateID  int64    `json:"template_id"`
	ExtJSON     string   `json:"ext_json"`
	UserVersion string   `json:"user_version"`
	UserDesc    string   `json:"user_desc"`
	At          int64    `json:"at"` // commit time
	Pages       []string `json:"pages"`
	PrivateAPIs []string `json:"private_apis"` // found in the code
	Declared    []string `json:"declared"`     // requiredPrivateInfos in force, without wx.
	PrivacyKeys []string `json:"privacy_keys"`
	Unlisted    bool     `json:"unlisted"` // navigates to other mini programs without naming them
}

// trial is the 体验版 slot.
type trial struct {
	code
	DetectedAt time.Time `json:"detected_at"` // when code detection ends
}

// commit replaces the trial version and starts code detection anew. Order of checks: arguments, overlap, template.
func (s *Server) commit(c *call) reply {
	var in struct {
		TemplateID  *number `json:"template_id"`
		ExtJSON     *string `json:"ext_json"`
		UserVersion *string `json:"user_version"`
		UserDesc    *string `json:"user_desc"`
	}
	if rep := c.decode(&in); rep.code != 0 {
		return rep
	}
	if in.TemplateID == nil || in.ExtJSON == nil || in.UserVersion == nil || in.UserDesc == nil || *in.UserVersion == "" || utf8.RuneCountInString(*in.UserVersion) > 64 {
		return fail(40097)
	}
	t := s.template(int64(*in.TemplateID))
	if t == nil {
		return fail(85014)
	}
	version, errcode := assemble(*t, *in.ExtJSON, c.acct)
	switch {
	case errcode != 0:
		return fail(errcode)
	case c.overlaps:
		return fail(9402202)
	case t.Broken:
		return fail(85043)
	case t.TooLarge:
		return fail(85044)
	}
	now := s.now()
	version.UserVersion, version.UserDesc, version.At = *in.UserVersion, *in.UserDesc, now.Unix()
	c.acct.Trial = &trial{code: version, DetectedAt: now.Add(time.Duration(s.st.Settings.DetectionTime))}
	return ok(nil)
}

func (s *Server) detecting(t *trial) bool { return s.now().Before(t.DetectedAt) }

// problems lists what code detection objects to: APIs without permission, and APIs not declared.
func (a *account) problems(v code) (withoutAuth, withoutConf []string) {
	for _, api := range v.PrivateAPIs {
		if !a.mayUse(api) {
			withoutAuth = append(withoutAuth, api)
		}
		if !slices.Contains(v.Declared, strings.TrimPrefix(api, "wx.")) {
			withoutConf = append(withoutConf, api)
		}
	}
	for _, name := range v.Declared {
		if api := "wx." + name; !a.mayUse(api) && !slices.Contains(withoutAuth, api) {
			withoutAuth = append(withoutAuth, api)
		}
	}
	return withoutAuth, withoutConf
}

// mayUse reports whether WeChat granted a private API to this merchant.
func (a *account) mayUse(api string) bool {
	return slices.Contains(a.GrantedAPIs, api) || a.Interfaces[api].Status == 5
}

// blocked reports whether submit_audit answers 61040: a declared API lacks permission, or the code uses one that is
// neither declared nor granted and the caller does not say that it is not really used.
func (a *account) blocked(v code, notUsed bool) bool {
	withoutAuth, withoutConf := a.problems(v)
	for _, api := range withoutAuth {
		if !slices.Contains(withoutConf, api) || !notUsed {
			return true
		}
	}
	return false
}

func (s *Server) codePrivacyInfo(c *call) reply {
	t := c.acct.Trial
	switch {
	case t == nil:
		return fail(86001) // modelled
	case s.detecting(t):
		return fail(61039)
	}
	withoutAuth, withoutConf := c.acct.problems(t.code)
	if s.st.Settings.ProblemsAs61040 && c.acct.blocked(t.code, false) {
		return fail(61040)
	}
	return ok(fields{"without_auth_list": list(withoutAuth), "without_conf_list": list(withoutConf)})
}

func (s *Server) getPage(c *call) reply {
	if c.acct.Trial == nil {
		return fail(86001)
	}
	return ok(fields{"page_list": c.acct.Trial.Pages})
}

func (s *Server) getCategory(c *call) reply {
	return ok(fields{"category_list": list(c.acct.approvedCategories())})
}

func (s *Server) wxopenCategories(c *call) reply {
	rows := []fields{}
	for _, cat := range c.acct.Categories {
		status, reason := cat.Status, ""
		if status == 2 {
			reason = "提交的资质不符合该类目要求"
		}
		rows = append(rows, fields{
			"first": cat.FirstID, "first_name": cat.FirstClass, "second": cat.SecondID, "second_name": cat.SecondClass,
			"audit_status": status, "audit_reason": reason,
		})
	}
	return ok(fields{"categories": rows, "limit": 5, "quota": 5 - len(rows), "category_limit": 20})
}
