package codesubmit

import (
	"context"
	"slices"
	"strings"

	"github.com/wxsteward/wxsteward/internal/wechat"
)

// setDomains makes the merchant's lists what the rollout wants. It reads first: an equal list is left alone, because
// WeChat allows 50 changes a month, and reading first also answers what a call of unknown outcome did.
func (s *Service) setDomains(ctx context.Context, w *work) outcome {
	if w.spec.Domains == nil {
		return skipTo(Committing, factOf("domains stay as they are"))
	}
	server, err := s.setServerDomains(ctx, w.api, w.spec.Domains)
	if err != nil {
		return s.failed(w, err, false)
	}
	web, err := s.setWebviewDomains(ctx, w.api, w.spec.Domains.Webview)
	if err != nil {
		return s.failed(w, err, false)
	}
	if !server && !web {
		return skipTo(Committing, factOf("domains are as wanted already"))
	}
	return advance(Committing)
}

func (s *Service) setServerDomains(ctx context.Context, api *wechat.Authorizer, spec *DomainSpec) (changed bool, err error) {
	now, err := api.ModifyDomain(ctx, wechat.DomainGet, wechat.Domains{})
	if err != nil {
		return false, err
	}
	wanted := spec.server(now.Domains)
	if len(domainGaps(wanted, now.Domains, true)) == 0 {
		return false, nil
	}
	result, err := api.ModifyDomain(ctx, wechat.DomainSet, wanted)
	if wechat.IsCode(err, 85017) { // nothing to change, or not on the platform: only the lists can tell
		result, err = api.ModifyDomain(ctx, wechat.DomainGet, wechat.Domains{})
	}
	if err != nil {
		return false, err
	}
	// errcode 0 may come with names left out, told or not.
	if gaps := domainGaps(wanted, result.Domains, false); len(gaps) > 0 {
		missing, err := s.missingPlatformDomains(ctx, spec, &shared{})
		if err != nil {
			return false, err
		}
		if found := missing.findings(); len(found) > 0 {
			return false, found[0]
		}
		return false, &StepError{Code: "domain_refused", Detail: namesOnly(strings.Join(gaps, ", "))}
	}
	return true, nil
}

func (s *Service) setWebviewDomains(ctx context.Context, api *wechat.Authorizer, wanted []string) (changed bool, err error) {
	if wanted == nil {
		return false, nil
	}
	now, err := api.SetWebviewDomain(ctx, wechat.DomainGet, nil)
	if wechat.IsCode(err, 89231) && len(wanted) == 0 { // individuals have none and may not even ask
		return false, nil
	}
	if err != nil {
		return false, err
	}
	if sameSet(now, wanted) {
		return false, nil
	}
	result, err := api.SetWebviewDomain(ctx, wechat.DomainSet, wanted)
	if err != nil && !wechat.IsCode(err, 89019) { // 89019: no change
		return false, err
	}
	if err != nil || len(result) == 0 { // some servers answer without the list
		if result, err = api.SetWebviewDomain(ctx, wechat.DomainGet, nil); err != nil {
			return false, err
		}
	}
	if gaps := without(wanted, result); len(gaps) > 0 {
		return false, &StepError{Code: "domain_refused", Detail: namesOnly(strings.Join(gaps, ", "))}
	}
	return true, nil
}

// domainGaps lists names of wanted that got lacks, and with exact also names that got has beyond.
func domainGaps(wanted, got wechat.Domains, exact bool) []string {
	var gaps []string
	for _, pair := range [][2][]string{
		{wanted.Request, got.Request},
		{wanted.WSRequest, got.WSRequest},
		{wanted.Upload, got.Upload},
		{wanted.Download, got.Download},
		{wanted.UDP, got.UDP},
		{wanted.TCP, got.TCP},
	} {
		gaps = append(gaps, without(pair[0], pair[1])...)
		if exact {
			gaps = append(gaps, without(pair[1], pair[0])...)
		}
	}
	slices.Sort(gaps)
	return slices.Compact(gaps)
}

// without is a less b; WeChat compares hosts without regard to case.
func without(a, b []string) []string {
	var rest []string
	for _, name := range a {
		if !slices.ContainsFunc(b, func(other string) bool { return strings.EqualFold(name, other) }) {
			rest = append(rest, name)
		}
	}
	return rest
}

func sameSet(a, b []string) bool { return len(without(a, b)) == 0 && len(without(b, a)) == 0 }
