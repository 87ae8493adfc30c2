package wechat

import (
	"context"
	"encoding/json"
	"errors"
	"strings"
)

// DomainAction is what to do with a list of domains.
type DomainAction string

// The actions on domains. DomainGet only reads and takes no domains.
const (
	DomainAdd    DomainAction = "add"
	DomainDelete DomainAction = "delete"
	DomainSet    DomainAction = "set"
	DomainGet    DomainAction = "get"
)

// PlatformDomains is the platform's two copies of a domain list, as host[:port].
type PlatformDomains struct {
	Published    []string // 全网发布版
	HasPublished bool     // false: never published (全网发布), or the change failed
	Testing      []string // 测试版
	Invalid      []string // refused names
}

// ModifyServerDomain changes or reads the platform's 小程序服务器域名, at most 1000 hosts without scheme. both changes the
// published copy too, not only the test copy. WeChat allows 50 changes a month. On some refusals Invalid is filled
// beside the error.
//
// WeChat docs: https://developers.weixin.qq.com/doc/oplatform/openApi/thirdparty-management/domain-mgnt/api_modifythirdpartyserverdomain.html
func (c *Component) ModifyServerDomain(ctx context.Context, action DomainAction, domains []string, both bool) (PlatformDomains, error) {
	return c.modifyDomain(ctx, "cgi-bin/component/modify_wxa_server_domain", "wxa_server_domain", action, domains, both)
}

// ModifyJumpDomain changes or reads the platform's 小程序业务域名, at most 300 hosts without scheme. Each host must serve
// the file of DomainConfirmFile at its root beforehand.
//
// WeChat docs: https://developers.weixin.qq.com/doc/oplatform/openApi/thirdparty-management/domain-mgnt/api_modifythirdpartyjumpdomain.html
func (c *Component) ModifyJumpDomain(ctx context.Context, action DomainAction, domains []string, both bool) (PlatformDomains, error) {
	return c.modifyDomain(ctx, "cgi-bin/component/modify_wxa_jump_domain", "wxa_jump_h5_domain", action, domains, both)
}

func (c *Component) modifyDomain(
	ctx context.Context, op, field string, action DomainAction, domains []string, both bool,
) (PlatformDomains, error) {
	const sep = ";"
	body := map[string]any{"action": action}
	if action != DomainGet {
		body[field] = strings.Join(domains, sep)
		body["is_modify_published_together"] = both
	}
	var out map[string]json.RawMessage
	err := c.call(ctx, request{op: op, body: body, partial: true}, &out)
	list := func(kind string) ([]string, bool) {
		raw, ok := out[kind+"_"+field]
		var joined text
		if !ok || json.Unmarshal(raw, &joined) != nil {
			return nil, false
		}
		return splitNonEmpty(string(joined), sep), true
	}
	var result PlatformDomains
	result.Published, result.HasPublished = list("published")
	result.Testing, _ = list("testing")
	result.Invalid, _ = list("invalid")
	return result, err
}

// ConfirmFile is a file that proves to WeChat who owns a domain: it must be served at the domain's root.
type ConfirmFile struct {
	Name    string `json:"file_name"`
	Content string `json:"file_content"`
}

// DomainConfirmFile reads the file for the platform's 业务域名.
//
// WeChat docs: https://developers.weixin.qq.com/doc/oplatform/openApi/thirdparty-management/domain-mgnt/api_getthirdpartyjumpdomainconfirmfile.html
func (c *Component) DomainConfirmFile(ctx context.Context) (ConfirmFile, error) {
	var out ConfirmFile
	err := c.call(ctx, request{op: "cgi-bin/component/get_domain_confirmfile", body: empty{}}, &out)
	return out, err
}

// Domains is a mini program's server domains with their schemes: https for Request, Upload and Download, wss, udp and
// tcp for the others. At most 200 of a kind.
type Domains struct {
	Request, WSRequest, Upload, Download, UDP, TCP []string
}

// MarshalJSON writes all six lists, nil as []: whether WeChat takes an absent one for "keep" or "clear" is not known.
func (d Domains) MarshalJSON() ([]byte, error) {
	return json.Marshal(domainLists{
		notNil(d.Request), notNil(d.WSRequest), notNil(d.Upload), notNil(d.Download), notNil(d.UDP), notNil(d.TCP),
	})
}

// UnmarshalJSON implements json.Unmarshaler.
func (d *Domains) UnmarshalJSON(data []byte) error {
	var lists domainLists
	err := json.Unmarshal(data, &lists)
	*d = Domains{lists.Request, lists.WSRequest, lists.Upload, lists.Download, lists.UDP, lists.TCP}
	return err
}

type domainLists struct {
	Request   List[string] `json:"requestdomain"`
	WSRequest List[string] `json:"wsrequestdomain"`
	Upload    List[string] `json:"uploaddomain"`
	Download  List[string] `json:"downloaddomain"`
	UDP       List[string] `json:"udpdomain"`
	TCP       List[string] `json:"tcpdomain"`
}

type invalidLists struct {
	Request   List[string] `json:"invalid_requestdomain"`
	WSRequest List[string] `json:"invalid_wsrequestdomain"`
	Upload    List[string] `json:"invalid_uploaddomain"`
	Download  List[string] `json:"invalid_downloaddomain"`
	UDP       List[string] `json:"invalid_udpdomain"`
	TCP       List[string] `json:"invalid_tcpdomain"`
}

// DomainResult is what came of a change. Success may still leave out some names: compare Domains with what was wanted.
type DomainResult struct {
	Domains Domains  // resulting lists
	Invalid Domains  // refused names
	NoICP   []string // names without ICP record
}

// UnmarshalJSON implements json.Unmarshaler.
func (r *DomainResult) UnmarshalJSON(data []byte) error {
	var invalid struct {
		invalidLists
		NoICP List[string] `json:"no_icp_domain"`
	}
	if err := json.Unmarshal(data, &r.Domains); err != nil {
		return err
	}
	err := json.Unmarshal(data, &invalid)
	lists := domainLists(invalid.invalidLists)
	r.Invalid = Domains{lists.Request, lists.WSRequest, lists.Upload, lists.Download, lists.UDP, lists.TCP}
	r.NoICP = invalid.NoICP
	return err
}

// ModifyDomain changes or reads a mini program's server domains, which must be among the platform's (else 85017 or
// 85018). They work in the trial version at once, for users with the next release. 50 changes a month. With 85301, 85302
// and 85303 nothing changed; Invalid and NoICP say why, beside the error. 85017 means that nothing was left to change:
// all there already, or not on the platform. Needs permission set 18, as all calls of Authorizer in this file.
//
// WeChat docs: https://developers.weixin.qq.com/doc/oplatform/openApi/miniprogram-management/domain-management/api_modifyserverdomain.html
func (a *Authorizer) ModifyDomain(ctx context.Context, action DomainAction, domains Domains) (DomainResult, error) {
	return a.modifyDomain(ctx, "wxa/modify_domain", action, domains)
}

// ModifyDomainDirectly is ModifyDomain for names that the platform need not have. Do not mix both ways for one mini
// program. It fails with 86100 to 86102 and 45082.
//
// WeChat docs: https://developers.weixin.qq.com/doc/oplatform/openApi/miniprogram-management/domain-management/api_modifyserverdomaindirectly.html
func (a *Authorizer) ModifyDomainDirectly(ctx context.Context, action DomainAction, domains Domains) (DomainResult, error) {
	return a.modifyDomain(ctx, "wxa/modify_domain_directly", action, domains)
}

func (a *Authorizer) modifyDomain(ctx context.Context, op string, action DomainAction, d Domains) (DomainResult, error) {
	type onlyAction struct {
		Action DomainAction `json:"action"`
	}
	var body any = onlyAction{action}
	if action != DomainGet {
		body = struct {
			onlyAction
			domainLists
		}{onlyAction{action}, domainLists{
			notNil(d.Request), notNil(d.WSRequest), notNil(d.Upload), notNil(d.Download), notNil(d.UDP), notNil(d.TCP),
		}}
	}
	var out DomainResult
	err := a.call(ctx, request{op: op, body: body, partial: true}, &out)
	return out, err
}

// SetWebviewDomain changes or reads a mini program's 业务域名, each with https://, which must be among the platform's
// (else 89021). action "" takes over all of the platform's. It returns the resulting list as far as WeChat tells.
// 89019 means that nothing had to change.
//
// WeChat docs: https://developers.weixin.qq.com/doc/oplatform/openApi/miniprogram-management/domain-management/api_modifyjumpdomain.html
func (a *Authorizer) SetWebviewDomain(ctx context.Context, action DomainAction, domains []string) ([]string, error) {
	return a.webviewDomain(ctx, "wxa/setwebviewdomain", action, domains)
}

// SetWebviewDomainDirectly is SetWebviewDomain for names that the platform need not have; they must serve the file of
// WebviewConfirmFile (else 86103). action is required.
//
// WeChat docs: https://developers.weixin.qq.com/doc/oplatform/openApi/miniprogram-management/domain-management/api_modifyjumpdomaindirectly.html
func (a *Authorizer) SetWebviewDomainDirectly(ctx context.Context, action DomainAction, domains []string) ([]string, error) {
	const op = "wxa/setwebviewdomain_directly"
	if action == "" {
		return nil, &TransportError{Op: op, Err: errors.New("an action is required")}
	}
	return a.webviewDomain(ctx, op, action, domains)
}

func (a *Authorizer) webviewDomain(ctx context.Context, op string, action DomainAction, domains []string) ([]string, error) {
	body := map[string]any{}
	if action != "" {
		body["action"] = action
		if action != DomainGet {
			body["webviewdomain"] = notNil(domains)
		}
	}
	var out struct {
		List List[string] `json:"webviewdomain"`
	}
	err := a.call(ctx, request{op: op, body: body}, &out)
	return out.List, err
}

// WebviewConfirmFile reads the file for this mini program's own 业务域名.
//
// WeChat docs: https://developers.weixin.qq.com/doc/oplatform/openApi/miniprogram-management/domain-management/api_getjumpdomainconfirmfile.html
func (a *Authorizer) WebviewConfirmFile(ctx context.Context) (ConfirmFile, error) {
	var out ConfirmFile
	err := a.call(ctx, request{op: "wxa/get_webviewdomain_confirmfile", body: empty{}}, &out)
	return out, err
}

// EffectiveDomains is a mini program's server domains by origin.
type EffectiveDomains struct {
	MP        Domains `json:"mp_domain"`     // set by the owner in the console
	Third     Domains `json:"third_domain"`  // set by ModifyDomain
	Direct    Domains `json:"direct_domain"` // set by ModifyDomainDirectly
	Effective Domains `json:"effective_domain"`
}

// EffectiveDomain reads the server domains that the live version may use.
//
// WeChat docs: https://developers.weixin.qq.com/doc/oplatform/openApi/miniprogram-management/domain-management/api_geteffectiveserverdomain.html
func (a *Authorizer) EffectiveDomain(ctx context.Context) (EffectiveDomains, error) {
	var out EffectiveDomains
	err := a.call(ctx, request{op: "wxa/get_effective_domain", body: empty{}}, &out)
	return out, err
}

// EffectiveWebviewDomains is a mini program's 业务域名 by origin.
type EffectiveWebviewDomains struct {
	MP        List[string] `json:"mp_webviewdomain"`
	Third     List[string] `json:"third_webviewdomain"`
	Direct    List[string] `json:"direct_webviewdomain"`
	Effective List[string] `json:"effective_webviewdomain"`
}

// EffectiveWebviewDomain reads the 业务域名 that the live version may use.
//
// WeChat docs: https://developers.weixin.qq.com/doc/oplatform/openApi/miniprogram-management/domain-management/api_geteffectivejumpdomain.html
func (a *Authorizer) EffectiveWebviewDomain(ctx context.Context) (EffectiveWebviewDomains, error) {
	var out EffectiveWebviewDomains
	err := a.call(ctx, request{op: "wxa/get_effective_webviewdomain", body: empty{}}, &out)
	return out, err
}

// PrefetchDomains is a mini program's 预解析域名.
type PrefetchDomains struct {
	List      List[PrefetchDomain] `json:"prefetch_dns_domain"`
	SizeLimit Int                  `json:"size_limit"`
}

// PrefetchDomain is one of them, as host.
type PrefetchDomain struct {
	URL    string `json:"url"`
	Status Int    `json:"status"`
}

// PrefetchDomains reads the 预解析域名.
//
// WeChat docs: https://developers.weixin.qq.com/doc/oplatform/openApi/miniprogram-management/domain-management/api_getprefetchdomain.html
func (a *Authorizer) PrefetchDomains(ctx context.Context) (PrefetchDomains, error) {
	var out PrefetchDomains
	err := a.call(ctx, request{op: "wxa/get_prefetchdnsdomain", get: true}, &out)
	return out, err
}

// SetPrefetchDomains replaces the 预解析域名. It fails with 9420000 to 9420002.
//
// WeChat docs: https://developers.weixin.qq.com/doc/oplatform/openApi/miniprogram-management/domain-management/api_setprefetchdomain.html
func (a *Authorizer) SetPrefetchDomains(ctx context.Context, hosts []string) error {
	type entry struct {
		URL string `json:"url"`
	}
	list := make([]entry, 0, len(hosts))
	for _, host := range hosts {
		list = append(list, entry{host})
	}
	return a.call(ctx, request{op: "wxa/set_prefetchdnsdomain", body: struct {
		List []entry `json:"prefetch_dns_domain"`
	}{list}}, nil)
}
