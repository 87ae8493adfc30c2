package wechatfake

import (
	"slices"
	"strings"
)

type webviewRequest struct {
	Action  string    `json:"action"`
	Domains *[]string `json:"webviewdomain"`
}

// setWebviewDomain works on the third list; without action it takes over all names of the platform.
func (s *Server) setWebviewDomain(c *call) reply {
	var in webviewRequest
	if rep := c.decode(&in); rep.code != 0 {
		return fail(89021) // what WeChat answers when the list is a text
	}
	a := c.acct
	platform := s.st.Jump.consulted(s.st.Settings.Published)
	switch {
	case a.Personal:
		return fail(89231)
	case in.Action == "get":
		c.ep.reads = true
		return ok(fields{"webviewdomain": list(a.ThirdWeb)})
	case len(platform) == 0:
		return fail(89020)
	case in.Action == "":
		in.Action, in.Domains = "set", new(schemed(platform))
	}
	within := func(name string) bool {
		host := hostOf(name, "https")
		return host != "" && hostname(host) == host && slices.ContainsFunc(platform, func(p string) bool {
			return host == p || strings.HasSuffix(host, "."+p)
		})
	}
	return changeWeb(&a.ThirdWeb, in, within, 89021)
}

func (s *Server) setWebviewDomainDirectly(c *call) reply {
	var in webviewRequest
	if rep := c.decode(&in); rep.code != 0 {
		return rep
	}
	a := c.acct
	switch {
	case a.Personal:
		return fail(89231)
	case in.Action == "":
		return fail(40097)
	case in.Action == "get":
		c.ep.reads = true
		return ok(fields{"webviewdomain": list(a.DirectWeb)})
	}
	fine := func(name string) bool {
		host := hostOf(name, "https")
		return host != "" && hostname(host) == host && !slices.Contains(s.st.Settings.ConfirmFileMissing, host)
	}
	return changeWeb(&a.DirectWeb, in, fine, 86103)
}

func changeWeb(have *[]string, in webviewRequest, allowed func(string) bool, refusal int) reply {
	if !slices.Contains([]string{"add", "delete", "set"}, in.Action) || in.Domains == nil {
		return fail(40097)
	}
	for _, name := range *in.Domains {
		switch {
		case in.Action == "delete" && !slices.Contains(*have, name):
			return fail(89022)
		case in.Action != "delete" && !allowed(name):
			return fail(refusal)
		}
	}
	next := combine(in.Action, *have, uniq(*in.Domains))
	switch {
	case len(next) > 300:
		return fail(89029)
	case sameNames(next, *have):
		return fail(89019)
	}
	*have = next
	return ok(fields{"webviewdomain": list(next)})
}

func schemed(hosts []string) []string {
	names := make([]string, 0, len(hosts))
	for _, host := range hosts {
		names = append(names, "https://"+host)
	}
	return names
}
