package component

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/wxsteward/wxsteward/internal/fault"
	"github.com/wxsteward/wxsteward/internal/wechat"
)

// DomainKind is one of the platform's lists.
type DomainKind string

// The kinds of platform domains.
const (
	ServerDomains  DomainKind = "server"
	WebviewDomains DomainKind = "webview"
)

// AddDomains adds those names to both copies of a list that one of them lacks, and leaves the others alone; nothing is sent
// where none is missing. Names may have a scheme, as rollouts write them. For web-view domains the confirm file is
// fetched before, so that WeChat finds it on the domain of PUBLIC_URL.
func (s *Service) AddDomains(ctx context.Context, kind DomainKind, names []string) (Domains, error) {
	hosts := make([]string, len(names))
	for i, name := range names {
		hosts[i] = strings.TrimSpace(name)
		if _, host, ok := strings.Cut(hosts[i], "://"); ok {
			hosts[i] = host
		}
	}
	modify := modifyDomains(s.API().ModifyServerDomain)
	if kind == WebviewDomains {
		modify = s.API().ModifyJumpDomain
	}
	hosts, err := checkDomains("domains", kind, hosts)
	if err != nil {
		return Domains{}, err
	}
	if kind == WebviewDomains && len(hosts) > 0 {
		s.provideConfirmFile(ctx)
	}
	invalid, err := addDomains(ctx, modify, hosts)
	if err != nil {
		return Domains{}, fmt.Errorf("add platform %s domains: %w", kind, err)
	}
	d, err := s.Domains(ctx)
	if kind == WebviewDomains {
		d.Invalid.Webview = invalid
	} else {
		d.Invalid.Server = invalid
	}
	return d, err
}

func addDomains(ctx context.Context, modify modifyDomains, hosts []string) (invalid []string, err error) {
	now, err := modify(ctx, wechat.DomainGet, nil, false)
	if err != nil {
		return nil, err
	}
	missing := missingDomains(now, hosts)
	if len(missing) == 0 {
		return nil, nil
	}
	changed, err := modify(ctx, wechat.DomainAdd, missing, true)
	switch {
	case err == nil:
		return changed.Invalid, nil
	case !wechat.OutcomeUnknown(err):
		return nil, refusedDomains(err, changed.Invalid)
	}
	if now, readErr := modify(ctx, wechat.DomainGet, nil, false); readErr == nil && len(missingDomains(now, hosts)) == 0 {
		return nil, nil // the answer was lost, the change was not
	}
	return nil, err
}

// missingDomains are the names that a copy lacks.
func missingDomains(now wechat.PlatformDomains, hosts []string) []string {
	return slices.DeleteFunc(slices.Clone(hosts), func(host string) bool {
		return slices.Contains(now.Testing, host) && (!now.HasPublished || slices.Contains(now.Published, host))
	})
}

// DomainProblem says why WeChat most likely refused a name.
type DomainProblem struct {
	Kind   DomainKind `json:"kind" enum:"server,webview"`
	Name   string     `json:"name"`
	Detail string     `json:"detail"`
}

// explainDomains says what can be done about the names that WeChat refused.
func (s *Service) explainDomains(ctx context.Context, d Domains) ([]DomainProblem, error) {
	problems := []DomainProblem{}
	lang := fault.LangFrom(ctx)
	for _, name := range d.Invalid.Server {
		problems = append(problems, DomainProblem{ServerDomains, name, fault.Say(lang,
			"WeChat did not take it. It needs an ICP filing; IP addresses, localhost and api.weixin.qq.com are not allowed.")})
	}
	if len(d.Invalid.Webview) == 0 {
		return problems, nil
	}
	f, err := s.keptConfirmFile(ctx)
	if err != nil {
		return nil, err
	}
	for _, name := range d.Invalid.Webview {
		problems = append(problems, DomainProblem{WebviewDomains, name, fault.Say(lang,
			"WeChat did not take it. It needs an ICP filing and no port, and https://%s/%s must answer with the confirm file.", name, f.Name)})
	}
	return problems, nil
}
