package codesubmit

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"

	"golang.org/x/sync/errgroup"

	"github.com/wxsteward/wxsteward/authorize"
	"github.com/wxsteward/wxsteward/internal/fault"
	"github.com/wxsteward/wxsteward/internal/wechat"
)

// developmentScope is permission set 18 (小程序开发与数据分析), without which no call of this package works.
const developmentScope = 18

// Blocker is one thing that stands in a merchant's way.
type Blocker struct {
	Code   string `json:"code"`
	Detail string `json:"detail"`
	Hint   string `json:"hint"`
}

// PreflightResult says which targets could start now.
type PreflightResult struct {
	Ready   []string            `json:"ready"`
	Blocked []BlockedAuthorizer `json:"blocked"`
}

// BlockedAuthorizer is a merchant and all that stands in its way.
type BlockedAuthorizer struct {
	AppID    string    `json:"appid"`
	NickName string    `json:"nick_name"`
	Blockers []Blocker `json:"blockers"`
}

// shared are facts about the platform that one preflight reads once.
type shared struct {
	once          sync.Once
	err           error
	serverDomains []string
	webDomains    []string
}

// runPreflight is the step: what preflight finds blocks the merchant, except a foreign audit, which is waited for.
func (s *Service) runPreflight(ctx context.Context, w *work) outcome {
	m, err := s.merchant(ctx, w.AppID)
	if err != nil {
		return s.failed(w, err, false)
	}
	found, err := s.inspect(ctx, m, w.spec, w.api, &shared{}, w.marker)
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

// PreflightRollout looks at every target of a rollout without changing anything.
func (s *Service) PreflightRollout(ctx context.Context, spec *Spec, lang string) (PreflightResult, error) {
	spec.normalise()
	targets, err := s.validTargets(ctx, spec)
	if err != nil {
		return PreflightResult{}, err
	}
	result := PreflightResult{Ready: []string{}, Blocked: []BlockedAuthorizer{}}
	blockers := make([][]Blocker, len(targets))
	facts := &shared{}
	g, ctx := errgroup.WithContext(ctx)
	g.SetLimit(8)
	for i, m := range targets {
		g.Go(func() error {
			release, err := s.reads.Acquire(ctx, m.AppID)
			if err != nil {
				return err
			}
			defer release()
			found, err := s.inspect(ctx, m, spec, s.merchants.API(m.AppID), facts, "")
			if err != nil {
				if ctx.Err() != nil {
					return ctx.Err()
				}
				found = append(found, failureOf(err)) // one merchant's trouble must not hide the others
			}
			for _, f := range found {
				detail := f.Detail.In(lang)
				if f.ErrCode != 0 {
					detail = fmt.Sprintf("errcode %d: %s (rid %s)", f.ErrCode, f.ErrMsg, f.RID)
				}
				blockers[i] = append(blockers[i], Blocker{Code: f.Code, Detail: detail, Hint: f.hint(lang)})
			}
			return nil
		})
	}
	if err := g.Wait(); err != nil {
		return PreflightResult{}, err
	}
	for i, m := range targets {
		if len(blockers[i]) == 0 {
			result.Ready = append(result.Ready, m.AppID)
		} else {
			result.Blocked = append(result.Blocked, BlockedAuthorizer{AppID: m.AppID, NickName: m.NickName, Blockers: blockers[i]})
		}
	}
	return result, nil
}

// inspect asks what stands in one merchant's way. It only reads. The error is for what could not be found out.
func (s *Service) inspect(
	ctx context.Context, m authorize.Target, spec *Spec, api *wechat.Authorizer, facts *shared, marker string,
) ([]*StepError, error) {
	if own := inspectRecord(m, spec); len(own) > 0 {
		return own, nil // without authorization or permission every further call would only say so again
	}
	var found []*StepError
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
	}
	latest, err := api.LatestAuditStatus(ctx)
	switch {
	case wechat.IsCode(err, 85058): // never submitted by us
	case err != nil:
		return found, err
	case underAudit(latest.State) && (marker == "" || !strings.Contains(latest.UserDesc, marker)):
		add("audit_running", factOf("audit %d of version %s is under way", latest.AuditID, latest.UserVersion))
	}
	quota, err := api.QueryQuota(ctx)
	if err != nil {
		return found, err
	}
	if quota.Rest <= 0 {
		add(quotaExhausted, factOf("%d of %d submissions of this month are left", quota.Rest, quota.Limit))
	}
	missing, err := s.missingPlatformDomains(ctx, spec.Domains, facts)
	if err != nil {
		return found, err
	}
	if len(missing) > 0 {
		add("domain_not_on_platform", namesOnly(strings.Join(missing, ", ")))
	}
	if marker != "" {
		return found, nil // the privacy step judges the code that is committed now, not the last one
	}
	privacy, err := api.Privacy(ctx, 2)
	if err != nil {
		return found, err
	}
	if keys := keysWithoutText(privacy, spec.Privacy); len(keys) > 0 && privacy.CodeExist == 1 {
		add("privacy_missing", namesOnly(strings.Join(keys, ", ")))
	}
	return found, nil
}

// inspectRecord is what our own record of the merchant already tells.
func inspectRecord(m authorize.Target, spec *Spec) []*StepError {
	one := func(code string, detail Fact) []*StepError { return []*StepError{{Code: code, Detail: detail}} }
	switch {
	case m.Status != "authorized":
		return one("unauthorized", factOf("authorization withdrawn"))
	case m.Kind != "miniprogram":
		return one("not_miniprogram", factOf("kind is %s", m.Kind))
	case !slices.Contains(m.FuncScopes, developmentScope):
		return one("scope_missing", factOf("permission set 18 is not granted"))
	}
	var found []*StepError
	if m.NickName == "" || m.HeadImg == "" || m.Signature == "" {
		found = append(found, &StepError{Code: "not_initialised", Detail: factOf("name, avatar or introduction is empty")})
	}
	if _, err := renderExtJSON(spec.ExtJSON, m); err != nil {
		found = append(found, &StepError{Code: "ext_json_invalid", Detail: factFrom(err)})
	}
	return found
}

func underAudit(state wechat.AuditState) bool {
	return state == wechat.AuditRunning || state == wechat.AuditDelayed
}

// missingPlatformDomains lists wanted names that the platform's own lists lack; modify_domain would refuse them with
// 85017 or 85018. The platform is asked once for each preflight.
func (s *Service) missingPlatformDomains(ctx context.Context, wanted *DomainSpec, facts *shared) ([]string, error) {
	if wanted == nil {
		return nil, nil
	}
	facts.once.Do(func() {
		server, err := s.platform.API().ModifyServerDomain(ctx, wechat.DomainGet, nil, false)
		if err != nil {
			facts.err = err
			return
		}
		facts.serverDomains = inForce(server)
		web, err := s.platform.API().ModifyJumpDomain(ctx, wechat.DomainGet, nil, false)
		if err != nil {
			facts.err = err
			return
		}
		facts.webDomains = inForce(web)
	})
	if facts.err != nil {
		return nil, facts.err
	}
	var missing []string
	for _, list := range [][]string{wanted.Request, wanted.WSRequest, wanted.Upload, wanted.Download, wanted.UDP, wanted.TCP} {
		for _, name := range list {
			_, host, _ := strings.Cut(name, "://")
			if !slices.Contains(facts.serverDomains, host) && !slices.Contains(missing, name) {
				missing = append(missing, name)
			}
		}
	}
	for _, name := range wanted.Webview {
		_, host, _ := strings.Cut(name, "://")
		within := func(d string) bool { return host == d || strings.HasSuffix(host, "."+d) }
		if !slices.ContainsFunc(facts.webDomains, within) && !slices.Contains(missing, name) {
			missing = append(missing, name)
		}
	}
	return missing, nil
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
	targets, missing, err := s.merchants.Targets(ctx, authorize.TargetQuery{
		AppIDs: spec.Targets.AppIDs, Labels: spec.Targets.Labels, All: spec.Targets.All,
	})
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
