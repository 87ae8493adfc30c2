package codesubmit

import (
	"context"
	"slices"
	"strings"
	"sync"

	"github.com/wxsteward/wxsteward/authorize"
	"github.com/wxsteward/wxsteward/internal/fault"
	"github.com/wxsteward/wxsteward/internal/wechat"
)

// developmentScope is permission set 18 (小程序开发与数据分析), without which no call of this package works.
const developmentScope = 18

// shared are facts about the platform and the template that one preflight finds out once.
type shared struct {
	domains remembered[platformDomains]
	recent  *remembered[platformDomains] // in place of domains; nil: our own
	quota   remembered[wechat.AuditQuota]
	pages   remembered[[]string]
}

// remembered is a fact that is asked for until there is an answer; those that want it meanwhile wait.
type remembered[T any] struct {
	mu    sync.Mutex
	known bool
	value T
}

func (r *remembered[T]) get(read func() (T, error)) (T, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.known {
		return r.value, nil
	}
	value, err := read()
	if err == nil {
		r.value, r.known = value, true
	}
	return value, err
}

// runPreflight is the step: what preflight finds blocks the merchant, except a foreign audit, which is waited for.
func (s *Service) runPreflight(ctx context.Context, w *work) outcome {
	m, err := s.merchant(ctx, w.AppID)
	if err != nil {
		return s.failed(w, err, false)
	}
	found, err := s.inspect(ctx, m, w.spec, w.api, s.recent.facts(s.cfg.Now()), w.marker)
	if err == nil && slices.ContainsFunc(found, func(f *StepError) bool { return f.Code == domainNotOnPlatform }) {
		found, err = s.inspect(ctx, m, w.spec, w.api, s.recent.anew(s.cfg.Now()), w.marker) // it may have come since
	}
	if err != nil {
		return s.failed(w, err, false)
	}
	if len(found) == 0 {
		return advance(Domains)
	}
	waitable := func(f *StepError) bool { return f.Code == "audit_running" || f.Code == quotaExhausted }
	if i := slices.IndexFunc(found, func(f *StepError) bool { return !waitable(f) }); i >= 0 {
		first := *found[i]
		if len(found) > 1 {
			first.Detail = allOf(found)
		}
		return outcome{to: Blocked, failure: &first}
	}
	if found[0].Code == quotaExhausted {
		return s.quotaUsedUp(w, found[0])
	}
	return outcome{wait: s.cfg.Now().Add(s.cfg.AuditPoll), err: found[0], waiting: true}
}

// allOf tells several findings in one line.
func allOf(found []*StepError) Fact {
	var all Fact
	for i, f := range found {
		one := factOf("%s: %s", f.Code, f.Detail)
		if i == 0 {
			all = one
		} else {
			all = factOf("%s; %s", all, one)
		}
	}
	return all
}

// inspect asks what stands in one merchant's way. It only reads. The error is for what could not be found out; marker
// names a submission that is under way and whose own audit does not count.
func (s *Service) inspect(
	ctx context.Context, m authorize.Target, spec *Spec, api *wechat.Authorizer, facts *shared, marker string,
) ([]*StepError, error) {
	if standing := inspectStanding(m); standing != nil {
		return []*StepError{standing}, nil //nolint:nilerr // it is what was found out: every call would only say so again
	}
	pages, err := facts.pages.get(func() ([]string, error) { return s.templatePages(ctx, spec.TemplateID) })
	if err != nil {
		return nil, err
	}
	found := inspectRecord(m, spec, pages)
	add := func(code string, detail Fact) {
		found = append(found, &StepError{Code: code, Detail: detail})
	}

	icp, err := api.ICPEntranceInfo(ctx)
	switch {
	case wechat.IsCode(err, 61007, 48001): // permission set 156 may be wanted for asking; WeChat's reviewers look in any case
	case err != nil:
		return found, err
	case icp.Status != wechat.ICPFiled:
		add("icp_missing", factOf("ICP filing status is %d, 6 is wanted", icp.Status))
	}
	categories, err := api.Categories(ctx)
	if err != nil {
		return found, err
	}
	if len(categories) == 0 {
		add("category_missing", factOf("no approved category"))
	} else if missing := spec.Audit.missingCategories(categories); len(missing) > 0 {
		add("category_missing", factOf("the merchant does not have %s", strings.Join(missing, ", ")))
	}
	latest, err := api.LatestAuditStatus(ctx)
	switch {
	case wechat.IsCode(err, 85058): // never submitted by us
	case err != nil:
		return found, err
	case underAudit(latest.State) && (marker == "" || !strings.Contains(latest.UserDesc, marker)):
		add("audit_running", factOf("audit %d of version %s is under way", latest.AuditID, latest.UserVersion))
	}
	quota, err := facts.quota.get(func() (wechat.AuditQuota, error) { return s.auditQuota(ctx, api) })
	if err != nil {
		return found, err
	}
	if quota.Rest <= 0 {
		found = append(found, quotaFact(quota))
	}
	closed, err := suspended(ctx, api)
	if err != nil {
		return found, err
	}
	if closed {
		add("visit_closed", factOf("the mini program is live and its service is suspended"))
	}
	missing, err := s.missingPlatformDomains(ctx, spec.Domains, facts)
	if err != nil {
		return found, err
	}
	found = append(found, missing.findings()...)
	if marker != "" {
		return found, nil // the privacy step judges the code that is committed now, not the last one
	}
	privacy, err := api.Privacy(ctx, wechat.PrivacyDevelopment)
	if err != nil {
		return found, err
	}
	if keys := keysWithoutText(privacy, spec.Privacy); len(keys) > 0 && privacy.CodeExist == 1 {
		found = append(found, &StepError{Code: "privacy_missing", Detail: namesOnly(strings.Join(keys, ", ")), Names: keys})
	}
	return found, nil
}

// inspectStanding is what keeps every call for a merchant from working; nil for nothing.
func inspectStanding(m authorize.Target) *StepError {
	switch {
	case m.Status != "authorized":
		return &StepError{Code: "unauthorized", Detail: factOf("authorization withdrawn")}
	case m.ReauthorizeSince != nil:
		return &StepError{Code: "unauthorized", Detail: factOf("WeChat takes no token of this merchant any more")}
	case m.Kind != "miniprogram":
		return &StepError{Code: "not_miniprogram", Detail: factOf("kind is %s", m.Kind)}
	case !slices.Contains(m.FuncScopes, developmentScope):
		return &StepError{Code: "scope_missing", Detail: factOf("permission set 18 is not granted")}
	}
	return nil
}

// inspectRecord is what our own record of the merchant already tells. Details that were never read tell nothing.
func inspectRecord(m authorize.Target, spec *Spec, pages []string) []*StepError {
	var found []*StepError
	if m.InfoAt != nil && (m.NickName == "" || m.HeadImg == "" || m.Signature == "") {
		found = append(found, &StepError{Code: "not_initialised", Detail: factOf("name, avatar or introduction is empty")})
	}
	ext, err := renderExtJSON(spec.ExtJSON, m)
	if err != nil {
		return append(found, &StepError{Code: extJSONInvalid, Detail: factFrom(err)})
	}
	if wrong := faultsOfExtJSON(ext, m.AppID, pages); !wrong.IsZero() {
		found = append(found, &StepError{Code: extJSONInvalid, Detail: wrong})
	}
	return found
}

func underAudit(state wechat.AuditState) bool {
	return state == wechat.AuditRunning || state == wechat.AuditDelayed
}

// suspended reports whether users of a version that is live are turned away, by the owner's wish or as a penalty. What
// WeChat tells of a mini program that was never released means nothing.
func suspended(ctx context.Context, api *wechat.Authorizer) (bool, error) {
	open, err := api.VisitStatus(ctx)
	if err != nil || open {
		return false, err
	}
	version, err := api.VersionInfo(ctx)
	return err == nil && version.Live != nil, err
}

// platformDomains are the platform's lists in the copy that counts, hosts without scheme.
type platformDomains struct{ server, webview []string }

// The kinds of domains a finding can be about, as component/domains calls them.
const (
	serverDomains  = "server"
	webviewDomains = "webview"
)

// findings tells of each list what it lacks.
func (d platformDomains) findings() []*StepError {
	var found []*StepError
	for _, list := range []struct {
		kind  string
		names []string
	}{{serverDomains, d.server}, {webviewDomains, d.webview}} {
		if len(list.names) > 0 {
			found = append(found, &StepError{
				Code: "domain_not_on_platform", Kind: list.kind, Detail: namesOnly(strings.Join(list.names, ", ")), Names: list.names,
			})
		}
	}
	return found
}

// missingPlatformDomains lists wanted hosts that the platform's own lists lack; modify_domain would refuse them with
// 85017 or 85018. The platform is asked once for each preflight.
func (s *Service) missingPlatformDomains(ctx context.Context, wanted *DomainSpec, facts *shared) (platformDomains, error) {
	var missing platformDomains
	if wanted == nil {
		return missing, nil
	}
	have, err := facts.platform().get(func() (platformDomains, error) { return s.platformDomains(ctx) })
	if err != nil {
		return missing, err
	}
	note := func(list *[]string, host string, ok bool) {
		if !ok && !slices.Contains(*list, host) {
			*list = append(*list, host)
		}
	}
	for _, list := range [][]string{wanted.Request, wanted.WSRequest, wanted.Upload, wanted.Download, wanted.UDP, wanted.TCP} {
		for _, name := range list {
			_, host, _ := strings.Cut(name, "://")
			note(&missing.server, host, slices.ContainsFunc(have.server, func(d string) bool { return strings.EqualFold(d, host) }))
		}
	}
	for _, name := range wanted.Webview {
		_, host, _ := strings.Cut(name, "://")
		within := func(d string) bool {
			return strings.EqualFold(host, d) || strings.HasSuffix(strings.ToLower(host), "."+strings.ToLower(d))
		}
		note(&missing.webview, host, slices.ContainsFunc(have.webview, within))
	}
	return missing, nil
}

func (s *Service) platformDomains(ctx context.Context) (platformDomains, error) {
	server, err := s.platform.API().ModifyServerDomain(ctx, wechat.DomainGet, nil, false)
	if err != nil {
		return platformDomains{}, err
	}
	webview, err := s.platform.API().ModifyJumpDomain(ctx, wechat.DomainGet, nil, false)
	return platformDomains{inForce(server), inForce(webview)}, err
}

// inForce is the list that counts: the published copy once there is one.
func inForce(d wechat.PlatformDomains) []string {
	if d.HasPublished {
		return d.Published
	}
	return d.Testing
}

// validTargets checks the request and finds its merchants; faults of the request are validation errors.
func (s *Service) validTargets(ctx context.Context, spec *Spec) ([]authorize.Target, error) {
	if err := spec.check(); err != nil {
		return nil, err
	}
	if err := s.templateExists(ctx, spec.TemplateID); err != nil {
		return nil, err
	}
	if err := s.mediaFits(ctx, &spec.Audit); err != nil {
		return nil, err
	}
	targets, missing, err := s.merchants.Targets(ctx, spec.Targets.query())
	if err != nil {
		return nil, err
	}
	if len(missing) > 0 {
		return nil, fault.Invalid("body.targets.appids", "These merchants are not on record: %s.", missing, strings.Join(missing, ", "))
	}
	if len(targets) == 0 {
		return nil, fault.Invalid("body.targets", "No merchant matches these targets.", nil)
	}
	return targets, nil
}
