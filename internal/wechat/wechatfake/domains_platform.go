package wechatfake

import (
	"slices"
	"strings"
)

// domainCopies are the two copies of a platform list: 测试版 and 全网发布版.
type domainCopies struct {
	Testing   []string `json:"testing"`
	Published []string `json:"published"`
}

// consulted is the copy that counts when a merchant's name is checked (modelled): the published one once the platform
// is published.
func (d domainCopies) consulted(published bool) []string {
	if published {
		return d.Published
	}
	return d.Testing
}

// SetPlatformDomains sets both copies of the platform's server and web-view lists, names without scheme.
func (s *Server) SetPlatformDomains(server, webview []string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	defer s.changed()
	s.st.Server = domainCopies{Testing: slices.Clone(server), Published: slices.Clone(server)}
	s.st.Jump = domainCopies{Testing: slices.Clone(webview), Published: slices.Clone(webview)}
}

func (s *Server) modifyServerDomain(c *call) reply {
	return s.modifyPlatform(c, &s.st.Server, "wxa_server_domain", 1000)
}

func (s *Server) modifyJumpDomain(c *call) reply {
	return s.modifyPlatform(c, &s.st.Jump, "wxa_jump_h5_domain", 300)
}

// modifyPlatform changes the 测试版 copy, and the published one only when asked to.
func (s *Server) modifyPlatform(c *call, copies *domainCopies, key string, limit int) reply {
	var in struct {
		Action string  `json:"action"`
		Server *string `json:"wxa_server_domain"`
		Jump   *string `json:"wxa_jump_h5_domain"`
		Both   bool    `json:"is_modify_published_together"`
	}
	if rep := c.decode(&in); rep.code != 0 {
		return rep
	}
	webview := key == "wxa_jump_h5_domain"
	text := in.Server
	if webview {
		text = in.Jump
	}
	switch {
	case !slices.Contains([]string{"add", "delete", "set", "get"}, in.Action), in.Action != "get" && text == nil:
		return fail(40097)
	case in.Action == "get":
		c.ep.reads = true
		return ok(s.copyFields(copies, key, nil))
	}
	var names, invalid []string
	for name := range strings.SplitSeq(*text, ";") {
		switch {
		case name == "":
		case in.Action != "delete" && webview && hostname(name) != name: // no ports there
			invalid = append(invalid, name)
		case in.Action == "delete" || validHost(name) && !slices.Contains(s.st.Settings.ConfirmFileMissing, name):
			names = append(names, name)
		default:
			invalid = append(invalid, name)
		}
	}
	month := key + "|" + s.month()
	next := combine(in.Action, copies.Testing, uniq(names))
	if len(next) > limit || s.st.Changes[month] >= s.st.Settings.DomainChanges {
		return fail(45104) // modelled
	}
	if len(names) == 0 && len(invalid) > 0 {
		return ok(fields{"invalid_" + key: strings.Join(invalid, ";")})
	}
	s.st.Changes[month]++
	copies.Testing = next
	if in.Both {
		copies.Published = combine(in.Action, copies.Published, uniq(names))
	}
	return ok(s.copyFields(copies, key, invalid))
}

func (s *Server) copyFields(copies *domainCopies, key string, invalid []string) fields {
	answer := fields{"testing_" + key: strings.Join(copies.Testing, ";")}
	if s.st.Settings.Published {
		answer["published_"+key] = strings.Join(copies.Published, ";")
	}
	if len(invalid) > 0 {
		answer["invalid_"+key] = strings.Join(invalid, ";")
	}
	return answer
}

// confirmFile is the verification file a domain's root must serve.
func (s *Server) confirmFile(c *call) reply {
	token := digest(s.cfg.ComponentAppID + c.appid())
	return ok(fields{"file_name": token[:10] + ".txt", "file_content": token[10:42]})
}
