package codesubmit

import (
	"encoding/json"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/robfig/cron/v3"

	"github.com/wxsteward/wxsteward/internal/fault"
	"github.com/wxsteward/wxsteward/internal/wechat"
)

// Spec is what a rollout does, as its creator wrote it.
type Spec struct {
	Name        string          `json:"name,omitempty" maxLength:"128" doc:"Empty: the version is the name."`
	TemplateID  int64           `json:"template_id" minimum:"0"`
	UserVersion string          `json:"user_version" minLength:"1" maxLength:"64"`
	UserDesc    string          `json:"user_desc,omitempty" maxLength:"1000"`
	Targets     Targets         `json:"targets"`
	ExtJSON     json.RawMessage `json:"ext_json,omitempty" doc:"An object; strings may use {{appid}} {{biz_id}} {{nick_name}} {{label}}."`
	Domains     *DomainSpec     `json:"domains,omitempty" doc:"Absent: domains stay as they are."`
	Privacy     *PrivacySpec    `json:"privacy,omitempty" doc:"Absent: the privacy guideline stays as it is."`
	Audit       AuditSpec       `json:"audit,omitzero"`
	Release     ReleaseSpec     `json:"release,omitzero"`
	Strategy    StrategySpec    `json:"strategy,omitzero"`
	StartAt     *time.Time      `json:"start_at,omitempty"`
}

// DomainSpec is a merchant's wanted domain lists, each name with its scheme. A list that is absent stays as it is at
// WeChat, an empty one is emptied.
type DomainSpec struct {
	Request   []string `json:"request,omitzero"`
	WSRequest []string `json:"ws_request,omitzero"`
	Upload    []string `json:"upload,omitzero"`
	Download  []string `json:"download,omitzero"`
	UDP       []string `json:"udp,omitzero"`
	TCP       []string `json:"tcp,omitzero"`
	Webview   []string `json:"webview,omitzero"`
}

// PrivacySpec is the wanted privacy guideline.
type PrivacySpec struct {
	OwnerSetting OwnerSetting     `json:"owner_setting"`
	SettingList  []PrivacySetting `json:"setting_list,omitempty"`
}

// OwnerSetting says who answers for the data. At least one contact and NoticeMethod are required by WeChat.
type OwnerSetting struct {
	ContactEmail         string `json:"contact_email,omitempty"`
	ContactPhone         string `json:"contact_phone,omitempty"`
	ContactQQ            string `json:"contact_qq,omitempty"`
	ContactWeixin        string `json:"contact_weixin,omitempty"`
	NoticeMethod         string `json:"notice_method,omitempty"`
	StoreExpireTimestamp string `json:"store_expire_timestamp,omitempty" doc:"Digits and 天, e.g. 30天; empty: the shortest time needed."`
	ExtFileMediaID       string `json:"ext_file_media_id,omitempty"`
}

// PrivacySetting is the purpose of one kind of data.
type PrivacySetting struct {
	PrivacyKey  string `json:"privacy_key" minLength:"1"`
	PrivacyText string `json:"privacy_text" minLength:"1"`
}

// ReleaseSpec says when an approved version goes live.
type ReleaseSpec struct {
	Mode         string  `json:"mode,omitempty" enum:"auto,manual" default:"auto"`
	Window       string  `json:"window,omitempty" doc:"Cron expression: minute hour day month weekday, in TIMEZONE; empty: any time."`
	Gray         []int   `json:"gray,omitempty" maxItems:"100" doc:"Growing percentages of the users, 1 to 100; after the last comes everybody. Empty: everybody at once."`
	GrayInterval *string `json:"gray_interval,omitempty" nullable:"true" doc:"How long each step lasts, e.g. 2h; null: the next one is released by hand."`
}

// StrategySpec says in what order merchants get their turn.
type StrategySpec struct {
	Canary           int  `json:"canary,omitempty" minimum:"0"`
	BatchSize        int  `json:"batch_size,omitempty" minimum:"0"`
	MaxFailedPercent *int `json:"max_failed_percent,omitempty" minimum:"0" maximum:"100" doc:"More of the finished failed or rejected than this pauses the rollout; absent: never."`
	WithdrawRunning  bool `json:"withdraw_running,omitempty" doc:"Withdraw an older version of ours that is in audit; absent: wait for its result."`
}

// normalise fills defaults.
func (s *Spec) normalise() {
	s.Name = strings.TrimSpace(s.Name)
	if s.Name == "" {
		s.Name = s.UserVersion
	}
	if s.Audit.Submit == "" {
		s.Audit.Submit = "auto"
	}
	if s.Release.Mode == "" {
		s.Release.Mode = "auto"
	}
	if len(s.ExtJSON) == 0 || string(s.ExtJSON) == "null" {
		s.ExtJSON = json.RawMessage("{}")
	}
}

// check finds faults of the request itself; merchants are not looked at.
func (s *Spec) check() error {
	var wrong fault.Collector
	if utf8.RuneCountInString(s.UserVersion) > 64 || strings.TrimSpace(s.UserVersion) == "" {
		wrong.Add("body.user_version", "1 to 64 characters are needed.", s.UserVersion)
	}
	s.Targets.check("body.targets", &wrong)
	if err := checkExtJSON(s.ExtJSON); err != nil {
		wrong.Add("body.ext_json", "%s", nil, err)
	}
	if s.Release.Window != "" {
		if _, err := cron.ParseStandard(s.Release.Window); err != nil {
			wrong.Add("body.release.window", "Not a cron expression of five fields (minute hour day month weekday), such as \"* 2-5 * * *\".", s.Release.Window)
		}
	}
	s.Release.checkGray(&wrong)
	s.Audit.check(&wrong)
	if s.Domains != nil {
		s.Domains.check("body.domains", &wrong)
	}
	if s.Privacy != nil {
		s.Privacy.check("body.privacy", &wrong)
	}
	return wrong.Err()
}

// check finds faults of a guideline that stands at a place in the request.
func (p *PrivacySpec) check(at string, wrong *fault.Collector) {
	o := p.OwnerSetting
	if o.ContactEmail == "" && o.ContactPhone == "" && o.ContactQQ == "" && o.ContactWeixin == "" {
		wrong.Add(at+".owner_setting", "WeChat wants at least one contact: e-mail, phone, QQ or WeChat id.", nil)
	}
	if o.NoticeMethod == "" {
		wrong.Add(at+".owner_setting.notice_method", "WeChat wants the way users are told of changes, such as 弹窗.", nil)
	}
}

// check finds faults of lists that stand at a place in the request.
func (d *DomainSpec) check(at string, wrong *fault.Collector) {
	for _, list := range []struct {
		name, scheme string
		names        []string
	}{
		{"request", "https://", d.Request},
		{"ws_request", "wss://", d.WSRequest},
		{"upload", "https://", d.Upload},
		{"download", "https://", d.Download},
		{"udp", "udp://", d.UDP},
		{"tcp", "tcp://", d.TCP},
		{"webview", "https://", d.Webview},
	} {
		if len(list.names) > 200 {
			wrong.Add(at+"."+list.name, "WeChat takes at most 200 domains of a kind.", nil)
		}
		for _, n := range list.names {
			host, ok := strings.CutPrefix(n, list.scheme)
			if !ok || host == "" || strings.ContainsAny(host, "/?# \t\n;") {
				wrong.Add(at+"."+list.name, "A domain here is %shost[:port] without path.", n, list.scheme)
			}
		}
	}
}

// server are the six server lists as they should be, given what they are: WeChat takes all six or none.
func (d *DomainSpec) server(now wechat.Domains) wechat.Domains {
	or := func(wanted, present []string) []string {
		if wanted == nil {
			return present
		}
		return wanted
	}
	return wechat.Domains{
		Request: or(d.Request, now.Request), WSRequest: or(d.WSRequest, now.WSRequest), Upload: or(d.Upload, now.Upload),
		Download: or(d.Download, now.Download), UDP: or(d.UDP, now.UDP), TCP: or(d.TCP, now.TCP),
	}
}
