package component

import (
	"context"
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/wxsteward/wxsteward/internal/fault"
	"github.com/wxsteward/wxsteward/internal/wechat"
)

// DomainLists are the platform's server domains (服务器域名), as host[:port] without scheme, and web-view domains (业务域名), as
// host: WeChat takes no port there.
type DomainLists struct {
	Server  []string `json:"server"`
	Webview []string `json:"webview"`
}

// Domains are both lists in WeChat's two copies: Published for everybody, Testing for the accounts on the test list. The
// lists at the top are their union. Invalid are those WeChat refused in the change just made.
type Domains struct {
	DomainLists
	Published DomainLists
	Testing   DomainLists
	Invalid   DomainLists
}

// The most WeChat takes.
const (
	maxServerDomains  = 1000
	maxWebviewDomains = 300
)

// Domains asks WeChat for both lists.
func (s *Service) Domains(ctx context.Context) (Domains, error) {
	server, err := s.API().ModifyServerDomain(ctx, wechat.DomainGet, nil, false)
	if err != nil {
		return Domains{}, fmt.Errorf("platform server domains: %w", err)
	}
	webview, err := s.API().ModifyJumpDomain(ctx, wechat.DomainGet, nil, false)
	if err != nil {
		return Domains{}, fmt.Errorf("platform web-view domains: %w", err)
	}
	return domainsOf(server, webview), nil
}

func domainsOf(server, webview wechat.PlatformDomains) Domains {
	return Domains{
		DomainLists: DomainLists{union(server), union(webview)},
		Published:   DomainLists{server.Published, webview.Published},
		Testing:     DomainLists{server.Testing, webview.Testing},
		Invalid:     DomainLists{server.Invalid, webview.Invalid},
	}
}

func union(d wechat.PlatformDomains) []string {
	all := slices.Clone(d.Published)
	for _, name := range d.Testing {
		if !slices.Contains(all, name) {
			all = append(all, name)
		}
	}
	return all
}

// SetDomains makes both copies of a list equal to what is given; nil leaves that list as it is. A list that is so already
// is not sent: WeChat allows 50 changes a month. For web-view domains the confirm file must be in place before. It
// fails with fault.Validation on anything but host[:port], and host alone for web-view domains.
func (s *Service) SetDomains(ctx context.Context, server, webview []string) (Domains, error) {
	server, err := checkDomains("server", ServerDomains, server)
	if err != nil {
		return Domains{}, err
	}
	webview, err = checkDomains("webview", WebviewDomains, webview)
	if err != nil {
		return Domains{}, err
	}
	if len(webview) > 0 {
		s.provideConfirmFile(ctx)
	}
	api := s.API()
	gotServer, err := setDomains(ctx, api.ModifyServerDomain, server)
	if err != nil {
		return Domains{}, fmt.Errorf("platform server domains: %w", err)
	}
	gotWebview, err := setDomains(ctx, api.ModifyJumpDomain, webview)
	if err != nil {
		return Domains{}, fmt.Errorf("platform web-view domains: %w", err)
	}
	return domainsOf(gotServer, gotWebview), nil
}

type modifyDomains func(ctx context.Context, action wechat.DomainAction, domains []string, both bool) (wechat.PlatformDomains, error)

func setDomains(ctx context.Context, modify modifyDomains, want []string) (wechat.PlatformDomains, error) {
	now, err := modify(ctx, wechat.DomainGet, nil, false)
	if err != nil || want == nil {
		return now, err
	}
	if sameSet(now.Testing, want) && (!now.HasPublished || sameSet(now.Published, want)) {
		return now, nil
	}
	action, names := wechat.DomainSet, want
	if len(want) == 0 { // the documentation does not say what "set" does with nothing
		action, names = wechat.DomainDelete, union(now)
	}
	changed, err := modify(ctx, action, names, true)
	if err != nil {
		return wechat.PlatformDomains{}, refusedDomains(err, changed.Invalid)
	}
	now, err = modify(ctx, wechat.DomainGet, nil, false) // the answer of a change may leave out a copy
	now.Invalid = changed.Invalid
	return now, err
}

// refusedDomains adds the names WeChat did not like to its refusal.
func refusedDomains(err error, names []string) error {
	if len(names) == 0 {
		return err
	}
	return fault.Wrap(err, fault.WeChatRefused, "WeChat refused these domains: %s", strings.Join(names, ", "))
}

func sameSet(a, b []string) bool {
	a, b = slices.Sorted(slices.Values(a)), slices.Sorted(slices.Values(b))
	return slices.Equal(slices.Compact(a), slices.Compact(b))
}

var domainPattern = regexp.MustCompile(`^([a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?\.)+[a-z][a-z0-9-]{0,61}[a-z0-9](:[0-9]{1,5})?$`)

// checkDomains cleans the names of a list of kind, which the field of the request gives.
func checkDomains(field string, kind DomainKind, names []string) ([]string, error) {
	if names == nil {
		return nil, nil
	}
	most := maxServerDomains
	if kind == WebviewDomains {
		most = maxWebviewDomains
	}
	var wrong fault.Collector
	good := []string{}
	for i, name := range names {
		clean := strings.ToLower(strings.TrimSpace(name))
		location := fmt.Sprintf("body.%s[%d]", field, i)
		if !domainPattern.MatchString(clean) || !portFits(clean) {
			wrong.Add(location, "A domain has no scheme and no path, for example api.example.com.", name)
			continue
		}
		if kind == WebviewDomains && strings.Contains(clean, ":") {
			wrong.Add(location, "A web-view domain has no port: WeChat takes it without one only.", name)
			continue
		}
		if !slices.Contains(good, clean) {
			good = append(good, clean)
		}
	}
	if len(good) > most {
		wrong.Add("body."+field, "There are at most %d domains.", nil, most)
	}
	return good, wrong.Err()
}

func portFits(name string) bool {
	_, port, ok := strings.Cut(name, ":")
	if !ok {
		return true
	}
	n, err := strconv.Atoi(port)
	return err == nil && n >= 1 && n <= 65535
}
