package wechatfake

import (
	"errors"
	"fmt"
	"slices"
)

// Kind is the kind of an account that can authorize the platform.
type Kind string

// The kinds of accounts.
const (
	MiniProgram Kind = "miniprogram"
	Official    Kind = "official"
)

// Category is one 服务类目 of a mini program. Status: 1 under review, 2 refused, 3 approved, 4 withdrawn by WeChat.
type Category struct {
	FirstClass  string `json:"first_class"`
	SecondClass string `json:"second_class"`
	ThirdClass  string `json:"third_class,omitempty"`
	FirstID     int    `json:"first_id"`
	SecondID    int    `json:"second_id"`
	ThirdID     int    `json:"third_id,omitempty"`
	Status      int    `json:"status"`
}

// Merchant is an account as its owner keeps it: what it is, before and beside anything the platform does with it. The
// zero values describe a mini program that is ready for everything.
type Merchant struct {
	AppID         string     `json:"appid"`
	UserName      string     `json:"user_name"` // original id gh_…
	NickName      string     `json:"nick_name"`
	Principal     string     `json:"principal_name"`
	Signature     string     `json:"signature"`
	Alias         string     `json:"alias,omitempty"`
	Kind          Kind       `json:"kind"`
	ServiceType   int        `json:"service_type"`
	VerifyType    int        `json:"verify_type"` // -1 not verified, 0 verified
	RegisterType  int        `json:"register_type"`
	AccountStatus int        `json:"account_status"` // 1 normal (also 0), 14 closed, 16 banned, 18 warned, 19 frozen
	Categories    []Category `json:"categories"`
	ICPStatus     int        `json:"icp_status"` // 6 filed (also 0), 1024 not filed, 2…5 under way
	NoBasicInfo   bool       `json:"no_basic_info"`
	Ban           int        `json:"ban,omitempty"` // errcode of submit_audit: 86007…86010, 87006, 9400001
	Personal      bool       `json:"personal,omitempty"`
	NoSpeedUp     bool       `json:"no_speedup,omitempty"`
	NoAPI         []string   `json:"no_api,omitempty"` // paths the account itself has no right to: 48001
	SearchBanned  bool       `json:"search_banned,omitempty"`

	// Scopes are the permission sets this merchant ticks when it authorizes without a browser; empty = all offered.
	Scopes []int `json:"scopes,omitempty"`

	PrivacyKeys []string `json:"privacy_keys,omitempty"` // found in its code besides those of the template
	PrivateAPIs []string `json:"private_apis,omitempty"` // e.g. wx.getLocation, found besides those of the template
	GrantedAPIs []string `json:"granted_apis,omitempty"` // private APIs WeChat has granted

	MPDomains    map[string][]string `json:"mp_domains,omitempty"` // set by the owner before authorizing
	MPWebDomains []string            `json:"mp_web_domains,omitempty"`

	// Announced merchants have said yes before the platform's program ever ran; AnnounceAuthorized pushes their codes.
	Announced bool   `json:"announced,omitempty"`
	Note      string `json:"note,omitempty"` // what is special, for the control page
}

func (m *Merchant) complete() error {
	if m.AppID == "" {
		return errors.New("wechatfake: a merchant needs an appid")
	}
	if m.Kind == "" {
		m.Kind = MiniProgram
	}
	if m.Kind != MiniProgram && m.Kind != Official {
		return fmt.Errorf("wechatfake: merchant %s: unknown kind %q", m.AppID, m.Kind)
	}
	if m.UserName == "" {
		m.UserName = "gh_" + digest(m.AppID)[:12]
	}
	if m.NickName == "" {
		m.NickName = m.AppID
	}
	if m.Principal == "" {
		m.Principal = m.NickName + "有限公司"
	}
	if m.AccountStatus == 0 {
		m.AccountStatus = 1
	}
	if m.ICPStatus == 0 {
		m.ICPStatus = 6
	}
	if m.Categories == nil && m.Kind == MiniProgram {
		m.Categories = []Category{{FirstClass: "商家自营", SecondClass: "食品饮料", FirstID: 304, SecondID: 321, Status: 3}}
	}
	return nil
}

// selectable reports whether the phone lists this account when its owner is asked to authorize.
func (m *Merchant) selectable() bool { return !slices.Contains([]int{14, 16, 19}, m.AccountStatus) }

// frozen reports whether WeChat refuses calls for this account.
func (m *Merchant) frozen() bool { return slices.Contains([]int{14, 19}, m.AccountStatus) }

func (m *Merchant) approvedCategories() []Category {
	return slices.DeleteFunc(slices.Clone(m.Categories), func(c Category) bool { return c.Status != 3 })
}

// account is everything WeChat keeps about one merchant.
type account struct {
	Merchant

	Authorized   bool   `json:"authorized"`
	Granted      []int  `json:"granted"` // permission sets in force
	AuthTime     int64  `json:"auth_time"`
	RefreshToken string `json:"refresh_token"`
	Exchanged    bool   `json:"exchanged"` // a code of this authorization was exchanged

	Trial   *trial    `json:"trial"`
	Audits  []int64   `json:"audits"` // all submissions, oldest first, those from the console included
	Live    *release  `json:"live"`
	History []release `json:"history"` // earlier live versions, newest first, at most five
	Gray    grayPlan  `json:"gray"`
	Counter int       `json:"version_counter"`
	Closed  bool      `json:"service_closed"` // change_visitstatus close
	Hidden  bool      `json:"not_searchable"`
	MinLib  string    `json:"min_library"`

	Withdrawals []int64 `json:"withdrawals"` // Unix times of undocodeaudit

	Third           map[string][]string `json:"third_domains"`
	Direct          map[string][]string `json:"direct_domains"`
	EffectiveThird  map[string][]string `json:"effective_third"`
	EffectiveDirect map[string][]string `json:"effective_direct"`
	ThirdWeb        []string            `json:"third_web"`
	DirectWeb       []string            `json:"direct_web"`
	EffThirdWeb     []string            `json:"effective_third_web"`
	EffDirectWeb    []string            `json:"effective_direct_web"`
	Prefetch        []string            `json:"prefetch"`
	DomainChanges   map[string]int      `json:"domain_changes"` // by list and month

	Privacy     *guideline       `json:"privacy"`      // 开发版
	LivePrivacy *guideline       `json:"live_privacy"` // 现网版
	Detected    []string         `json:"detected_privacy"`
	Interfaces  map[string]grant `json:"privacy_interfaces"`

	Profile profile           `json:"profile"`
	Testers []tester          `json:"testers"`
	Options map[string]string `json:"options"`
}

type tester struct {
	WeChatID string `json:"wechatid"`
	UserStr  string `json:"userstr"`
}

// grant is the state of one private API of one merchant, by the enum of get_privacy_interface.
type grant struct {
	Status     int    `json:"status"` // 1 to be applied for, 2 no permission, 3 applying, 4 failed, 5 granted
	ApplyTime  int64  `json:"apply_time,omitempty"`
	AuditID    int64  `json:"audit_id,omitempty"`
	FailReason string `json:"fail_reason,omitempty"`
}

func (a *account) has(scopes []int) bool {
	if len(scopes) == 0 {
		return true
	}
	return slices.ContainsFunc(scopes, func(id int) bool { return slices.Contains(a.Granted, id) })
}

// AddMerchant registers an account with WeChat, not yet authorized. It replaces the traits of one already known and
// keeps what has happened to it. It fails when the appid is missing or the kind unknown.
func (s *Server) AddMerchant(m Merchant) error {
	if err := m.complete(); err != nil {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	defer s.changed()
	if a := s.st.Merchants[m.AppID]; a != nil {
		a.Merchant = m
		return nil
	}
	s.st.Merchants[m.AppID] = &account{Merchant: m, MinLib: "2.10.4", Third: map[string][]string{}, Direct: map[string][]string{}, DomainChanges: map[string]int{}, Interfaces: map[string]grant{}, Options: map[string]string{}}
	s.st.Order = append(s.st.Order, m.AppID)
	return nil
}

var errUnknownMerchant = errors.New("wechatfake: no merchant")

// merchant finds an account for a control method.
func (s *Server) merchant(appid string) (*account, error) {
	if a := s.st.Merchants[appid]; a != nil {
		return a, nil
	}
	return nil, fmt.Errorf("%w %q", errUnknownMerchant, appid)
}
