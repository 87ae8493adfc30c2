package wechatfake

import (
	"encoding/json"
	"maps"
	"slices"
	"time"
)

// View is everything a control page wants to show. Secrets are left out or hidden.
type View struct {
	Now            time.Time      `json:"now"`
	ComponentAppID string         `json:"component_appid"`
	Settings       Settings       `json:"settings"`
	EventURL       string         `json:"event_url"`
	MessageURL     string         `json:"message_url"`
	LaunchHost     string         `json:"launch_host"`
	TicketAt       *time.Time     `json:"ticket_at"` // newest ticket; null when there is none
	Drafts         []Draft        `json:"drafts"`
	Templates      []Template     `json:"templates"`
	ServerDomains  domainCopies   `json:"server_domains"`
	JumpDomains    domainCopies   `json:"jump_domains"`
	Merchants      []MerchantView `json:"merchants"`
	Audits         []AuditView    `json:"audits"` // newest first
	Pushes         []Push         `json:"pushes"` // the last 100, newest first
	Calls          []Call         `json:"calls"`  // the last 200, newest first
	Unknown        map[string]int `json:"unknown"`
	Faults         []Fault        `json:"faults"`
	NextEvents     []string       `json:"next_events"`
}

// MerchantView is one merchant with its three slots.
type MerchantView struct {
	Merchant
	HeadImg    string        `json:"head_img"`
	Authorized bool          `json:"authorized"`
	Exchanged  bool          `json:"exchanged"` // the platform holds its refresh token
	Granted    []int         `json:"granted"`
	AuthTime   int64         `json:"auth_time"`
	Trial      *VersionView  `json:"trial"`
	Audit      *AuditView    `json:"audit"`         // newest of this platform
	Console    *AuditView    `json:"console_audit"` // running, submitted elsewhere
	Live       *VersionView  `json:"live"`
	History    []VersionView `json:"history"`
	Gray       grayPlan      `json:"gray"`
	Open       bool          `json:"visit_open"`
	Privacy    *guideline    `json:"privacy"`
	LivePriv   *guideline    `json:"live_privacy"`
	Domains    domainView    `json:"domains"`
	Testers    []tester      `json:"testers"`
}

type domainView struct {
	Third        map[string][]string `json:"third"`
	Direct       map[string][]string `json:"direct"`
	Effective    map[string][]string `json:"effective"`
	ThirdWeb     []string            `json:"third_webview"`
	DirectWeb    []string            `json:"direct_webview"`
	EffectiveWeb []string            `json:"effective_webview"`
}

// VersionView is a version in a slot.
type VersionView struct {
	TemplateID  int64           `json:"template_id"`
	UserVersion string          `json:"user_version"`
	UserDesc    string          `json:"user_desc"`
	ExtJSON     json.RawMessage `json:"ext_json"`
	Pages       []string        `json:"pages"`
	At          int64           `json:"at"`                    // commit
	ReleasedAt  int64           `json:"released_at,omitempty"` // live versions
	AppVersion  int             `json:"app_version,omitempty"`
	Detection   string          `json:"detection,omitempty"` // trial: running, clean, problems
}

// AuditView is one submission as the reviewer sees it.
type AuditView struct {
	AuditID     int64           `json:"audit_id"`
	AppID       string          `json:"appid"`
	NickName    string          `json:"nick_name"`
	UserVersion string          `json:"user_version"`
	UserDesc    string          `json:"user_desc"`
	Status      int             `json:"status"`
	Reason      string          `json:"reason"`
	ScreenShots []string        `json:"screenshots"`
	SubmittedAt int64           `json:"submitted_at"`
	SpedUp      bool            `json:"sped_up"`
	Console     bool            `json:"console"`
	Released    bool            `json:"released"`
	Missing     []string        `json:"missing_privacy"`
	Request     json.RawMessage `json:"request,omitempty"`
}

// State returns the whole picture.
func (s *Server) State() View {
	s.mu.Lock()
	defer s.mu.Unlock()
	view := View{
		Now: s.now(), ComponentAppID: s.cfg.ComponentAppID, Settings: s.st.Settings, EventURL: s.event, MessageURL: s.biz, LaunchHost: s.launch,
		Drafts: list(slices.Clone(s.st.Drafts)), Templates: list(slices.Clone(s.st.Templates)), ServerDomains: s.st.Server, JumpDomains: s.st.Jump,
		Merchants: []MerchantView{}, Audits: []AuditView{}, Pushes: s.pushesLocked(100), Unknown: map[string]int{}, Faults: []Fault{}, NextEvents: list(slices.Clone(s.st.NextEvents)),
	}
	if n := len(s.st.Tickets); n > 0 {
		view.TicketAt = new(s.st.Tickets[n-1].At)
	}
	for _, appid := range s.st.Order {
		view.Merchants = append(view.Merchants, s.merchantView(s.st.Merchants[appid]))
	}
	for _, found := range s.st.Audits {
		view.Audits = append(view.Audits, *s.auditView(found))
	}
	slices.SortFunc(view.Audits, func(a, b AuditView) int { return int(b.AuditID - a.AuditID) })
	slices.Reverse(view.Pushes)
	view.Calls = list(slices.Clone(s.st.Calls[max(0, len(s.st.Calls)-200):]))
	slices.Reverse(view.Calls)
	maps.Copy(view.Unknown, s.st.Unknown)
	for _, f := range s.st.Faults {
		view.Faults = append(view.Faults, *f)
	}
	return deepCopy(view)
}

// Merchant returns one merchant's picture.
func (s *Server) Merchant(appid string) (MerchantView, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	a, err := s.merchant(appid)
	if err != nil {
		return MerchantView{}, err
	}
	return deepCopy(s.merchantView(a)), nil
}

// deepCopy detaches a view from the state, which goes on changing.
func deepCopy[T any](view T) T {
	var copied T
	data, err := json.Marshal(view)
	if err == nil {
		err = json.Unmarshal(data, &copied)
	}
	if err != nil {
		return view
	}
	return copied
}

func (s *Server) merchantView(a *account) MerchantView {
	view := MerchantView{
		Merchant: a.Merchant, HeadImg: s.cfg.BasePath + avatarPath(a.AppID), Authorized: a.Authorized, Exchanged: a.Exchanged, Granted: list(a.Granted), AuthTime: a.AuthTime,
		History: []VersionView{}, Gray: a.Gray, Open: !a.Closed, Privacy: a.Privacy, LivePriv: a.LivePrivacy, Testers: list(a.Testers),
		Domains: domainView{a.Third, a.Direct, a.effectiveDomains(), list(a.ThirdWeb), list(a.DirectWeb), list(a.effectiveWeb())},
	}
	if t := a.Trial; t != nil {
		view.Trial = versionView(t.code)
		withoutAuth, withoutConf := a.problems(t.code)
		switch {
		case s.detecting(t):
			view.Trial.Detection = "running"
		case len(withoutAuth)+len(withoutConf) > 0:
			view.Trial.Detection = "problems"
		default:
			view.Trial.Detection = "clean"
		}
	}
	if found := s.latest(a); found != nil {
		view.Audit = s.auditView(found)
	}
	if found := s.running(a); found != nil && found.Console {
		view.Console = s.auditView(found)
	}
	if a.Live != nil {
		view.Live = releaseView(*a.Live)
	}
	for _, old := range a.History {
		view.History = append(view.History, *releaseView(old))
	}
	return view
}

func versionView(v code) *VersionView {
	return &VersionView{TemplateID: v.TemplateID, UserVersion: v.UserVersion, UserDesc: v.UserDesc, ExtJSON: rawJSON(v.ExtJSON), Pages: list(v.Pages), At: v.At}
}

func releaseView(r release) *VersionView {
	view := versionView(r.code)
	view.ReleasedAt, view.AppVersion = r.ReleasedAt, r.AppVersion
	return view
}

func rawJSON(text string) json.RawMessage {
	if !json.Valid([]byte(text)) {
		return json.RawMessage("null")
	}
	return json.RawMessage(text)
}

func (s *Server) auditView(a *audit) *AuditView {
	name := ""
	if m := s.st.Merchants[a.AppID]; m != nil {
		name = m.NickName
	}
	return &AuditView{
		AuditID: a.ID, AppID: a.AppID, NickName: name, UserVersion: a.Code.UserVersion, UserDesc: a.Code.UserDesc, Status: a.Status, Reason: a.Reason,
		ScreenShots: list(a.ScreenShots), SubmittedAt: a.SubmittedAt, SpedUp: a.SpedUp, Console: a.Console, Released: a.Released, Missing: list(a.Missing),
		Request: a.Request,
	}
}

// Settings returns the switches as they are.
func (s *Server) Settings() Settings {
	s.mu.Lock()
	defer s.mu.Unlock()
	return deepCopy(s.st.Settings)
}

// Set changes switches; change runs under the fake's lock and must not call it.
func (s *Server) Set(change func(*Settings)) {
	s.mu.Lock()
	defer s.mu.Unlock()
	change(&s.st.Settings)
	mk(&s.st.Settings.DailyLimit)
	mk(&s.st.Settings.MinuteLimit)
	mk(&s.st.Settings.Latency)
	s.changed()
}

// ChangeMerchant changes a merchant's own traits, e.g. its filing or a ban; change runs under the fake's lock.
func (s *Server) ChangeMerchant(appid string, change func(*Merchant)) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	a, err := s.merchant(appid)
	if err != nil {
		return err
	}
	changed := deepCopy(a.Merchant)
	change(&changed)
	changed.AppID = appid
	if err := changed.complete(); err != nil {
		return err
	}
	a.Merchant = changed
	s.changed()
	return nil
}
