package wechatfake

import (
	"maps"
	"net"
	"net/url"
	"slices"
	"strings"
)

type domainKind struct{ name, scheme string }

// domainKinds are the six lists of a mini program and how their names begin.
func domainKinds() []domainKind {
	return []domainKind{
		{"requestdomain", "https"},
		{"wsrequestdomain", "wss"},
		{"uploaddomain", "https"},
		{"downloaddomain", "https"},
		{"udpdomain", "udp"},
		{"tcpdomain", "tcp"},
	}
}

type domainRequest struct {
	Action string    `json:"action"`
	R      *[]string `json:"requestdomain"`
	W      *[]string `json:"wsrequestdomain"`
	U      *[]string `json:"uploaddomain"`
	D      *[]string `json:"downloaddomain"`
	UDP    *[]string `json:"udpdomain"`
	TCP    *[]string `json:"tcpdomain"`
}

func (in domainRequest) lists() map[string]*[]string {
	return map[string]*[]string{"requestdomain": in.R, "wsrequestdomain": in.W, "uploaddomain": in.U, "downloaddomain": in.D, "udpdomain": in.UDP, "tcpdomain": in.TCP}
}

func isModifyDomain(path string) bool { return strings.HasPrefix(path, "/wxa/modify_domain") }

// modifyDomain works on the third_domain lists: names must be registered on the platform.
func (s *Server) modifyDomain(c *call) reply {
	return s.modifyLists(c, c.acct.Third, true)
}

// modifyDomainDirectly works on the direct_domain lists, without the platform.
func (s *Server) modifyDomainDirectly(c *call) reply {
	return s.modifyLists(c, c.acct.Direct, false)
}

// modifyLists applies one change to six lists: all or nothing for malformed names (85301) and names without ICP record
// (85302), silently or not without names the platform lacks. A call that changes nothing is 85017.
func (s *Server) modifyLists(c *call, have map[string][]string, platform bool) reply {
	var in domainRequest
	if rep := c.decode(&in); rep.code != 0 {
		return rep
	}
	a := c.acct
	if a.Kind != MiniProgram {
		return fail(85015)
	}
	if !slices.Contains([]string{"add", "delete", "set", "get"}, in.Action) {
		return fail(40097)
	}
	if in.Action == "get" {
		c.ep.reads = true
		return ok(listFields(have, nil, nil))
	}
	given := in.lists()
	wanted := map[string][]string{}
	for _, kind := range domainKinds() {
		if given[kind.name] == nil {
			if in.Action == "set" {
				return fail(40097) // modelled: whether an absent list is kept or cleared is not documented
			}
			continue
		}
		wanted[kind.name] = uniq(*given[kind.name])
	}
	invalid, noICP := s.judge(wanted)
	if in.Action != "delete" {
		switch {
		case len(invalid) > 0 && !platform:
			return fail(s.directCode(wanted))
		case len(noICP) > 0 && !platform:
			return fail(45082)
		case len(invalid) > 0 && len(noICP) > 0:
			return failWith(85303, listFields(have, invalid, noICP))
		case len(invalid) > 0:
			return failWith(85301, listFields(have, invalid, nil))
		case len(noICP) > 0:
			return failWith(85302, listFields(have, nil, noICP))
		}
	}
	if platform && in.Action != "delete" {
		dropped, rep := s.filterUnregistered(wanted)
		if rep.code != 0 {
			return rep
		}
		invalid = dropped
	}
	s.dropSilently(c, wanted)
	return s.storeLists(c, in.Action, have, wanted, invalid, platform)
}

func (s *Server) storeLists(c *call, action string, have, wanted, invalid map[string][]string, platform bool) reply {
	next := map[string][]string{}
	same := true
	for _, kind := range domainKinds() {
		next[kind.name] = combine(action, have[kind.name], wanted[kind.name])
		if len(next[kind.name]) > 200 {
			return fail(85016)
		}
		same = same && sameNames(next[kind.name], have[kind.name])
	}
	list, errcode := "direct|", 86102
	if platform {
		list, errcode = "third|", 45009 // modelled: the code of the monthly limit is documented for the direct call only
	}
	switch key := list + s.month(); {
	case same:
		return failWith(85017, listFields(have, invalid, nil))
	case c.acct.DomainChanges[key] >= s.st.Settings.DomainChanges:
		return fail(errcode)
	default:
		c.acct.DomainChanges[key]++
	}
	maps.Copy(have, next)
	return ok(listFields(have, invalid, nil))
}

func listFields(have, invalid map[string][]string, noICP []string) fields {
	answer := fields{}
	for _, kind := range domainKinds() {
		answer[kind.name] = list(have[kind.name])
		if invalid != nil {
			answer["invalid_"+kind.name] = list(invalid[kind.name])
		}
	}
	if noICP != nil {
		answer["no_icp_domain"] = noICP
	}
	return answer
}

// judge finds malformed names, by list, and names without ICP record.
func (s *Server) judge(wanted map[string][]string) (invalid map[string][]string, noICP []string) {
	for _, kind := range domainKinds() {
		for _, name := range wanted[kind.name] {
			host := hostOf(name, kind.scheme)
			switch {
			case host == "" || host == "api.weixin.qq.com":
				mk(&invalid)
				invalid[kind.name] = append(invalid[kind.name], name)
			case slices.Contains(s.st.Settings.NoICPDomains, hostname(host)):
				noICP = append(noICP, name)
			}
		}
	}
	return invalid, noICP
}

func (s *Server) directCode(wanted map[string][]string) int {
	for _, names := range wanted {
		for _, name := range names {
			if strings.Contains(name, "api.weixin.qq.com") {
				return 86101
			}
		}
	}
	return 86100
}

// filterUnregistered takes the names the platform lacks out of wanted, by the rule in Settings.UnregisteredDomains.
func (s *Server) filterUnregistered(wanted map[string][]string) (map[string][]string, reply) {
	platform := s.st.Server.consulted(s.st.Settings.Published)
	dropped := map[string][]string{}
	lost, kept := 0, 0
	for _, kind := range domainKinds() {
		for _, name := range wanted[kind.name] {
			host := hostOf(name, kind.scheme)
			if slices.Contains(platform, host) || slices.Contains(platform, hostname(host)) {
				kept++
				continue
			}
			lost++
			dropped[kind.name] = append(dropped[kind.name], name)
		}
	}
	if lost == 0 {
		return nil, reply{}
	}
	mode := s.st.Settings.UnregisteredDomains
	if mode == "" && kept == 0 {
		mode = "85018"
	}
	switch mode {
	case "85018":
		return nil, fail(85018)
	case "85017":
		return nil, fail(85017)
	}
	for name, names := range dropped {
		wanted[name] = slices.DeleteFunc(wanted[name], func(n string) bool { return slices.Contains(names, n) })
	}
	if mode == "drop" {
		return nil, reply{}
	}
	return dropped, reply{}
}

// dropSilently plays the older servers that forget a name and say ok.
func (s *Server) dropSilently(c *call, wanted map[string][]string) {
	if c.fault == nil || c.fault.Mode != FaultSilentDrop {
		return
	}
	for name, names := range wanted {
		wanted[name] = slices.DeleteFunc(names, func(n string) bool { return slices.Contains(c.fault.Names, n) })
	}
	if requests := wanted["requestdomain"]; len(c.fault.Names) == 0 && len(requests) > 0 {
		wanted["requestdomain"] = requests[:len(requests)-1]
	}
}

// hostOf gives host[:port] of a well-formed name with the wanted scheme, else "".
func hostOf(name, scheme string) string {
	u, err := url.Parse(name)
	if err != nil || u.Scheme != scheme || u.Host == "" || u.User != nil || u.Path != "" || u.RawQuery != "" || u.Fragment != "" || strings.HasSuffix(name, "/") {
		return ""
	}
	if !validHost(u.Host) {
		return ""
	}
	return u.Host
}

// validHost reports whether text is a domain name, perhaps with a port; addresses are not.
func validHost(text string) bool {
	host := hostname(text)
	if net.ParseIP(strings.Trim(host, "[]")) != nil || !strings.Contains(host, ".") || len(host) > 253 {
		return false
	}
	for label := range strings.SplitSeq(host, ".") {
		if label == "" || strings.ContainsFunc(label, func(r rune) bool {
			return r != '-' && (r < '0' || r > '9') && (r < 'a' || r > 'z') && (r < 'A' || r > 'Z')
		}) {
			return false
		}
	}
	return true
}

func hostname(host string) string {
	if name, _, err := net.SplitHostPort(host); err == nil {
		return name
	}
	return host
}

func combine(action string, have, change []string) []string {
	switch action {
	case "add":
		return union(have, change)
	case "delete":
		return slices.DeleteFunc(slices.Clone(have), func(n string) bool { return slices.Contains(change, n) })
	default:
		return change
	}
}

func uniq(names []string) []string { return union(nil, names) }

func sameNames(a, b []string) bool {
	a, b = slices.Clone(a), slices.Clone(b)
	slices.Sort(a)
	slices.Sort(b)
	return slices.Equal(a, b)
}

// applyDomains makes the lists of a merchant effective, as a release does. Names that have left the platform list go.
func (s *Server) applyDomains(a *account) {
	platform := s.st.Server.consulted(s.st.Settings.Published)
	for _, kind := range domainKinds() {
		a.Third[kind.name] = slices.DeleteFunc(slices.Clone(a.Third[kind.name]), func(name string) bool {
			host := hostOf(name, kind.scheme)
			return !slices.Contains(platform, host) && !slices.Contains(platform, hostname(host))
		})
	}
	a.EffectiveThird, a.EffectiveDirect = cloneLists(a.Third), cloneLists(a.Direct)
	a.EffThirdWeb, a.EffDirectWeb = slices.Clone(a.ThirdWeb), slices.Clone(a.DirectWeb)
	a.MPDomains, a.MPWebDomains = nil, nil
}

func cloneLists(lists map[string][]string) map[string][]string {
	copied := map[string][]string{}
	for name, names := range lists {
		copied[name] = slices.Clone(names)
	}
	return copied
}

// effectiveDomains is what the mini program's users may reach: the owner's lists until the first release by the
// platform, then what the platform had set at the last release (the union is modelled).
func (a *account) effectiveDomains() map[string][]string {
	merged := map[string][]string{}
	for _, kind := range domainKinds() {
		merged[kind.name] = union(union(a.MPDomains[kind.name], a.EffectiveThird[kind.name]), a.EffectiveDirect[kind.name])
	}
	return merged
}

func (a *account) effectiveWeb() []string {
	return union(union(a.MPWebDomains, a.EffThirdWeb), a.EffDirectWeb)
}

func (s *Server) effectiveDomain(c *call) reply {
	a := c.acct
	return ok(fields{
		"mp_domain": listFields(a.MPDomains, nil, nil), "third_domain": listFields(a.Third, nil, nil),
		"direct_domain": listFields(a.Direct, nil, nil), "effective_domain": listFields(a.effectiveDomains(), nil, nil),
	})
}

func (s *Server) effectiveWebviewDomain(c *call) reply {
	a := c.acct
	return ok(fields{
		"mp_webviewdomain": list(a.MPWebDomains), "third_webviewdomain": list(a.ThirdWeb),
		"direct_webviewdomain": list(a.DirectWeb), "effective_webviewdomain": list(a.effectiveWeb()),
	})
}

func (s *Server) prefetchDomains(c *call) reply {
	rows := []fields{}
	for _, name := range c.acct.Prefetch {
		rows = append(rows, fields{"url": name, "status": 0})
	}
	return ok(fields{"prefetch_dns_domain": rows, "size_limit": 5})
}

func (s *Server) setPrefetchDomains(c *call) reply {
	var in struct {
		Domains *[]struct {
			URL string `json:"url"`
		} `json:"prefetch_dns_domain"`
	}
	if rep := c.decode(&in); rep.code != 0 {
		return rep
	}
	if in.Domains == nil {
		return fail(40097)
	}
	if len(*in.Domains) > 5 {
		return fail(9420002)
	}
	names := []string{}
	for _, d := range *in.Domains {
		if !validHost(d.URL) || slices.Contains(s.st.Settings.NoICPDomains, d.URL) {
			return fail(9420001)
		}
		names = append(names, d.URL)
	}
	key := "prefetch|" + s.month()
	if c.acct.DomainChanges[key] >= s.st.Settings.DomainChanges {
		return fail(9420000)
	}
	c.acct.DomainChanges[key]++
	c.acct.Prefetch = names
	return ok(nil)
}
