package wechatfake

import (
	"errors"
	"slices"
	"strconv"
	"strings"
)

// Package is program code as a developer uploaded it: what commit and code detection look at.
type Package struct {
	Pages                []string `json:"pages"`                            // of the main package, first = home
	SubPages             []string `json:"sub_pages,omitempty"`              // full paths of pages in sub packages
	PrivacyKeys          []string `json:"privacy_keys,omitempty"`           // user data the code handles, e.g. PhoneNumber
	PrivateAPIs          []string `json:"private_apis,omitempty"`           // e.g. wx.getLocation
	RequiredPrivateInfos []string `json:"required_private_infos,omitempty"` // as declared in app.json, without wx.
	Navigates            bool     `json:"navigates,omitempty"`              // uses navigateToMiniProgram
	Broken               bool     `json:"broken,omitempty"`                 // commit answers 85043
	TooLarge             bool     `json:"too_large,omitempty"`              // commit answers 85044
}

// Draft is one entry of the draft box. Each development mini program keeps only its latest draft.
type Draft struct {
	Package
	DraftID     int64  `json:"draft_id"`
	CreateTime  int64  `json:"create_time"`
	UserVersion string `json:"user_version"`
	UserDesc    string `json:"user_desc"`
	SourceAppID string `json:"source_miniprogram_appid"`
	SourceName  string `json:"source_miniprogram"`
	Developer   string `json:"developer"`
}

// Template is one entry of the template library. Standard templates allow little in ext_json.
type Template struct {
	Draft
	TemplateID int64 `json:"template_id"`
	Standard   bool  `json:"standard,omitempty"`
}

// AddDraft uploads code into the draft box and returns its id. A draft from the same development mini program is
// overwritten: its old id is gone. Ids start at 0, which is legal.
func (s *Server) AddDraft(d Draft) (int64, error) {
	if len(d.Pages) == 0 || d.SourceAppID == "" {
		return 0, errors.New("wechatfake: a draft needs pages and a source appid")
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	defer s.changed()
	d.DraftID = s.st.NextDraft
	s.st.NextDraft++
	if d.CreateTime == 0 {
		d.CreateTime = s.now().Unix()
	}
	s.st.Drafts = slices.DeleteFunc(s.st.Drafts, func(old Draft) bool { return old.SourceAppID == d.SourceAppID })
	s.st.Drafts = append(s.st.Drafts, d)
	return d.DraftID, nil
}

// AddTemplate puts a template into the library and returns its id.
func (s *Server) AddTemplate(t Template) (int64, error) {
	if len(t.Pages) == 0 {
		return 0, errors.New("wechatfake: a template needs pages")
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	defer s.changed()
	if t.CreateTime == 0 {
		t.CreateTime = s.now().Unix()
	}
	return s.addTemplateLocked(t), nil
}

func (s *Server) addTemplateLocked(t Template) int64 {
	t.TemplateID = s.st.NextTemplate
	s.st.NextTemplate++
	s.st.Templates = append(s.st.Templates, t)
	return t.TemplateID
}

func (s *Server) template(id int64) *Template {
	at := slices.IndexFunc(s.st.Templates, func(t Template) bool { return t.TemplateID == id })
	if at < 0 {
		return nil
	}
	return &s.st.Templates[at]
}

func (d Draft) describe() fields {
	return fields{
		"create_time": d.CreateTime, "user_version": d.UserVersion, "user_desc": d.UserDesc, "draft_id": d.DraftID,
		"source_miniprogram_appid": d.SourceAppID, "source_miniprogram": d.SourceName, "developer": d.Developer,
		"category_list": []string{},
	}
}

func (s *Server) draftList(*call) reply {
	drafts := []fields{}
	for _, d := range s.st.Drafts {
		drafts = append(drafts, d.describe())
	}
	return ok(fields{"draft_list": drafts})
}

// addToTemplate answers no template id, as WeChat does.
func (s *Server) addToTemplate(c *call) reply {
	var in struct {
		DraftID *number `json:"draft_id"`
		Type    number  `json:"template_type"`
	}
	if rep := c.decode(&in); rep.code != 0 {
		return rep
	}
	if in.DraftID == nil || in.Type < 0 || in.Type > 1 {
		return fail(40097)
	}
	at := slices.IndexFunc(s.st.Drafts, func(d Draft) bool { return d.DraftID == int64(*in.DraftID) })
	switch {
	case at < 0:
		return fail(85064)
	case len(s.st.Templates) >= s.st.Settings.LibraryLimit:
		return fail(85065)
	}
	t := Template{Draft: s.st.Drafts[at], Standard: in.Type == 1}
	t.CreateTime = s.now().Unix()
	s.addTemplateLocked(t)
	return ok(nil)
}

func (s *Server) templateList(c *call) reply {
	want := -1
	if text := c.query.Get("template_type"); text != "" {
		parsed, err := strconv.Atoi(text)
		if err != nil || parsed < 0 || parsed > 1 {
			return fail(40097)
		}
		want = parsed
	}
	templates := []fields{}
	for _, t := range s.st.Templates {
		kind := 0
		if t.Standard {
			kind = 1
		}
		if want >= 0 && kind != want {
			continue
		}
		row := t.describe()
		row["template_id"], row["template_type"] = t.TemplateID, kind
		if t.Standard {
			row["audit_status"], row["audit_scene"], row["reason"] = 0, 0, ""
		}
		templates = append(templates, row)
	}
	return ok(fields{"template_list": templates})
}

func (s *Server) deleteTemplate(c *call) reply {
	var in struct {
		TemplateID *number `json:"template_id"`
	}
	if rep := c.decode(&in); rep.code != 0 {
		return rep
	}
	if in.TemplateID == nil {
		return fail(40097)
	}
	if s.template(int64(*in.TemplateID)) == nil {
		return fail(85064)
	}
	s.st.Templates = slices.DeleteFunc(s.st.Templates, func(t Template) bool { return t.TemplateID == int64(*in.TemplateID) })
	return ok(nil)
}

// trimPage brings a page path to the form of page lists.
func trimPage(path string) string { return strings.TrimPrefix(path, "/") }
