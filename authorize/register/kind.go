package register

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/wxsteward/wxsteward/internal/fault"
	"github.com/wxsteward/wxsteward/internal/wechat"
)

// The kinds of Registration.
const (
	kindEnterprise      = "enterprise"
	kindPersonal        = "personal"
	kindPersonalUpgrade = "personal_upgrade"
	kindTrial           = "trial"
	kindTrialEnterprise = "trial_enterprise" // a trial mini program becomes a company's
	kindTrialUpgrade    = "trial_upgrade"    // a trial mini program becomes a person's, upgraded
	kindOfficialAccount = "official_account" // made with the principal of an official account
	kindAdminChange     = "admin_change"     // a mini program gets another administrator
)

// kind is what differs from one kind of registration to another.
type kind struct {
	fields    []string // by WeChat's names; those with "?" may be left out
	subject   []string // the fields that say whose registration it is
	converts  bool     // something becomes of a merchant, and no other one comes of it
	spelling  Spelling
	page      string // WeChat's page that it begins on, by way of ours; empty: it begins with a call
	voucher   string // the query parameter that its administrator comes back from there with
	types     []int  // register_type of what comes of it
	principal string // the field that WeChat shows as principal_name then
}

// Spelling is how WeChat's call is written. Much of it could not be read in any document since the calls changed on
// 2026-04-30, so operators can correct it.
type Spelling struct {
	Path         string         `json:"path" doc:"Without a leading slash." maxLength:"200"`
	CreateAction string         `json:"create_action" doc:"The query parameter action when a task is created; empty: none." maxLength:"64"`
	QueryAction  string         `json:"query_action" doc:"Likewise when a task is asked about." maxLength:"64"`
	Queries      bool           `json:"queries" doc:"WeChat can be asked about a task of this kind."`
	Wrap         string         `json:"wrap" doc:"The object in the body that holds the fields; empty: the body itself." maxLength:"64"`
	Extra        map[string]any `json:"extra" doc:"Further members of the body."`
}

func (s Spelling) call() wechat.RegistrationCall {
	return wechat.RegistrationCall{Path: s.Path, CreateQuery: s.CreateAction, QueryQuery: s.QueryAction}
}

// body is what goes to WeChat.
func (s Spelling) body(fields map[string]string) map[string]any {
	inner := make(map[string]any, len(fields))
	for name, value := range fields {
		inner[name] = value
	}
	body := inner
	if s.Wrap != "" {
		body = map[string]any{s.Wrap: inner}
	}
	maps.Copy(body, s.Extra)
	return body
}

// kinds holds WeChat's calls as far as its documents and announcements tell.
//
// WeChat docs: https://developers.weixin.qq.com/community/develop/doc/0004829e9105005ce7d480e6561401
func kinds() map[string]kind {
	newVersion := func() map[string]any { return map[string]any{"new_version": true} }
	return map[string]kind{
		kindEnterprise: {
			fields: []string{"name", "code", "component_phone"}, subject: []string{"name", "code"}, types: []int{6}, principal: "name",
			// The path, the actions and taskid are by analogy with the personal call.
			spelling: Spelling{Path: "wxa/component/fastregisterenterpriseweapp", CreateAction: "create", QueryAction: "query", Queries: true, Extra: newVersion()},
		},
		kindPersonal: {
			fields: []string{"idname", "wxuser", "component_phone?"}, subject: []string{"idname", "wxuser"}, types: []int{16},
			spelling: Spelling{Path: "wxa/component/fastregisterpersonalweapp", CreateAction: "create", QueryAction: "query", Queries: true, Extra: newVersion()},
		},
		kindPersonalUpgrade: {
			fields: []string{"openid", "component_phone"}, subject: []string{"openid"}, types: []int{17},
			spelling: Spelling{Path: "wxa/component/fastregistertransactionweapp", CreateAction: "create", QueryAction: "query", Queries: true, Extra: newVersion()},
		},
		kindTrial: {
			fields: []string{"name", "openid"}, subject: []string{"name", "openid"}, types: []int{13},
			spelling: Spelling{Path: "wxa/component/fastregisterbetaweapp", Extra: map[string]any{}},
		},
		kindTrialEnterprise: {
			fields: []string{"enterprise_name", "code", "component_phone"}, converts: true,
			spelling: Spelling{Path: "wxa/verifybetaweapp", Wrap: "verify_info", Extra: newVersion()}, // whether they are still inside is not documented
		},
		kindTrialUpgrade: {
			fields: []string{"component_phone"}, converts: true,
			spelling: Spelling{Path: "wxa/component/fastnormalizebetaweapp", CreateAction: "createtask", QueryAction: "query", Queries: true, Extra: newVersion()},
		},
		kindOfficialAccount: {
			fields: []string{fieldOfficial}, subject: []string{fieldOfficial}, types: []int{2},
			page: "cgi-bin/fastregisterauth", voucher: "ticket",
		},
		kindAdminChange: {converts: true, page: "wxopen/componentrebindadmin", voucher: "taskid"},
	}
}

// fieldOfficial is the official account whose principal is used.
const fieldOfficial = "appid"

func subjectOf(k kind, appid string, fields map[string]string) string {
	if k.converts {
		return appid
	}
	parts := make([]string, len(k.subject))
	for i, name := range k.subject {
		parts[i] = fields[name]
	}
	return strings.Join(parts, "\n")
}

const settingCalls = "register.calls"

// Spellings are the calls in force, by kind.
func (s *Service) Spellings(ctx context.Context) (map[string]Spelling, error) {
	out := map[string]Spelling{}
	for name, k := range kinds() {
		if k.spelling.Path != "" {
			out[name] = k.spelling
		}
	}
	raw, stored, err := s.settings.Get(ctx, settingCalls)
	if err != nil || !stored {
		return out, err
	}
	var own map[string]Spelling
	if err := json.Unmarshal([]byte(raw), &own); err != nil {
		return nil, fmt.Errorf("setting %s: %w", settingCalls, err)
	}
	for name, spelling := range own {
		if _, known := out[name]; known {
			out[name] = spelling
		}
	}
	return out, nil
}

func (s *Service) spelling(ctx context.Context, kind string) (Spelling, error) {
	all, err := s.Spellings(ctx)
	return all[kind], err
}

// SetSpellings corrects calls; kinds left out go back to what this program knows.
func (s *Service) SetSpellings(ctx context.Context, own map[string]Spelling, by string) error {
	path := regexp.MustCompile(`^[a-z0-9_]+(/[a-z0-9_]+)+$`)
	word := regexp.MustCompile(`^[A-Za-z0-9_]*$`)
	for name, spelling := range own {
		if kinds()[name].spelling.Path == "" {
			return fault.Invalid("body.calls", "There is no kind of registration %q.", nil, name)
		}
		if !path.MatchString(spelling.Path) || !word.MatchString(spelling.CreateAction+spelling.QueryAction+spelling.Wrap) {
			return fault.Invalid("body.calls."+name, "A path is like wxa/component/fastregisterpersonalweapp; actions are words.", nil)
		}
	}
	text, err := json.Marshal(own)
	if err != nil {
		return err
	}
	return s.settings.Put(ctx, s.db, settingCalls, string(text), by)
}

// checkFields takes what the kind wants and says what is wrong with it.
func checkFields(k kind, in map[string]string) (map[string]string, error) {
	var wrong fault.Collector
	out := map[string]string{}
	for _, field := range k.fields {
		name, optional := strings.CutSuffix(field, "?")
		value := strings.TrimSpace(in[name])
		location := "body." + apiName(name)
		const longest = 200
		switch {
		case value == "" && optional:
			continue
		case value == "":
			wrong.Add(location, "This kind of registration needs it.", nil)
		case !utf8.ValidString(value) || utf8.RuneCountInString(value) > longest || strings.ContainsFunc(value, unicode.IsControl):
			wrong.Add(location, "Enter a text of 1 to %d characters, without control characters.", nil, longest)
		case name == "code" && !regexp.MustCompile(`^[0-9A-Z]{18}$`).MatchString(value):
			wrong.Add(location, "WeChat takes only the 18-digit unified social credit code (统一社会信用代码).", nil)
		case name == "component_phone" && !regexp.MustCompile(`^[0-9+ -]{5,20}$`).MatchString(value):
			wrong.Add(location, "Enter a phone number.", nil)
		case name == "name" && slices.Contains(k.types, 13) && (width(value) < 4 || width(value) > 30):
			wrong.Add(location, "The name of a trial mini program has 4 to 30 letters; a Chinese character counts as two.", nil)
		}
		out[name] = value
	}
	return out, wrong.Err()
}

// width is how WeChat counts the letters of a name: ASCII is one, everything else two.
func width(name string) (n int) {
	for _, r := range name {
		n++
		if r > unicode.MaxASCII {
			n++
		}
	}
	return n
}

// apiName is what our API calls one of WeChat's fields.
func apiName(field string) string {
	switch field {
	case "component_phone":
		return "phone"
	case "enterprise_name":
		return "name"
	}
	return field
}
