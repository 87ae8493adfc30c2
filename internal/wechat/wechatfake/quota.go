package wechatfake

import (
	"maps"
	"slices"
	"strings"
	"time"
)

// beijing is the zone in which WeChat counts days and months.
func beijing() *time.Location { return time.FixedZone("CST", 8*60*60) }

func (s *Server) day() string   { return s.now().In(beijing()).Format("2006-01-02") }
func (s *Server) month() string { return s.now().In(beijing()).Format("2006-01") }

// checkCallQuota counts the call and refuses what is over the limits: 45011 by minute, 45009 by day.
func (s *Server) checkCallQuota(c *call) reply {
	if limit, limited := s.st.Settings.MinuteLimit[c.path]; limited {
		minute := s.now().UTC().Format("2006-01-02T15:04")
		maps.DeleteFunc(s.st.minute, func(key string, _ int) bool { return !strings.HasPrefix(key, minute) })
		key := minute + "|" + c.appid() + "|" + c.path
		if s.st.minute[key] >= limit {
			return fail(45011)
		}
		s.st.minute[key]++
	}
	key := s.quotaKey(c.appid(), c.path)
	if limit, limited := s.st.Settings.DailyLimit[c.path]; limited && s.st.Daily[key] >= limit {
		return fail(45009)
	}
	if s.st.Daily[key] == 0 {
		today := s.day()
		maps.DeleteFunc(s.st.Daily, func(key string, _ int) bool { return !strings.HasPrefix(key, today) })
	}
	s.st.Daily[key]++
	return reply{}
}

func (s *Server) quotaKey(appid, path string) string { return s.day() + "|" + appid + "|" + path }

// resetQuota clears the counters of one account; ten times a month, then 48006.
func (s *Server) resetQuota(appid, path string) reply {
	key := s.month() + "|" + appid
	if s.st.Resets[key] >= s.st.Settings.ResetsPerMonth {
		return fail(48006)
	}
	s.st.Resets[key]++
	account := s.day() + "|" + appid + "|"
	maps.DeleteFunc(s.st.Daily, func(key string, _ int) bool {
		return strings.HasPrefix(key, account) && (path == "" || strings.HasSuffix(key, "|"+path))
	})
	return ok(nil)
}

func (s *Server) clearQuota(c *call) reply {
	var in struct {
		AppID string `json:"appid"`
	}
	if rep := c.decode(&in); rep.code != 0 {
		return rep
	}
	want := s.cfg.ComponentAppID
	if c.acct != nil {
		want = c.acct.AppID
	}
	switch in.AppID {
	case want:
		return s.resetQuota(c.appid(), "")
	case "":
		return fail(41002)
	default:
		return fail(40013)
	}
}

func (s *Server) clearComponentQuota(c *call) reply {
	if rep := s.wantComponent(c); rep.code != 0 {
		return rep
	}
	return s.resetQuota("", "")
}

func (s *Server) clearQuotaBySecret(c *call) reply {
	var in struct {
		AppID     string `json:"appid"`
		Component string `json:"component_appid"`
		Secret    string `json:"appsecret"`
	}
	if rep := c.decode(&in); rep.code != 0 {
		return rep
	}
	a := s.st.Merchants[in.AppID]
	switch {
	case in.Component == "":
		return fail(41002)
	case in.Secret == "":
		return fail(41004)
	case in.Component != s.cfg.ComponentAppID:
		return fail(40013)
	case in.Secret != s.cfg.ComponentSecret:
		return fail(40125)
	case in.AppID != "" && (a == nil || !a.Authorized):
		return fail(43007)
	}
	return s.resetQuota(in.AppID, "")
}

func (s *Server) clearOneQuota(c *call) reply {
	path, rep := s.quotaPath(c)
	if rep.code != 0 {
		return rep
	}
	return s.resetQuota(c.appid(), path)
}

func (s *Server) quotaPath(c *call) (string, reply) {
	var in struct {
		Path string `json:"cgi_path"`
	}
	if rep := c.decode(&in); rep.code != 0 {
		return "", rep
	}
	ep, known := s.api[in.Path]
	switch {
	case !strings.HasPrefix(in.Path, "/"):
		return "", fail(76003)
	case !known || strings.HasPrefix(in.Path, "/sns/"):
		return "", fail(76021)
	case ep.token == componentToken && c.acct != nil, ep.token == authorizerToken && c.acct == nil:
		return "", fail(76022)
	}
	return in.Path, reply{}
}

func (s *Server) quotaGet(c *call) reply {
	path, rep := s.quotaPath(c)
	if rep.code != 0 {
		return rep
	}
	limit, limited := s.st.Settings.DailyLimit[path]
	if !limited {
		limit = 100_000
	}
	used := s.st.Daily[s.quotaKey(c.appid(), path)]
	answer := fields{"quota": fields{"daily_limit": limit, "used": used, "remain": max(0, limit-used)}}
	if perMinute, limited := s.st.Settings.MinuteLimit[path]; limited {
		answer["rate_limit"] = fields{"call_count": perMinute, "refresh_second": 60}
	}
	return ok(answer)
}

func (s *Server) ridGet(c *call) reply {
	var in struct {
		RID string `json:"rid"`
	}
	if rep := c.decode(&in); rep.code != 0 {
		return rep
	}
	at := slices.IndexFunc(s.st.RIDs, func(info requestInfo) bool { return info.RID == in.RID })
	switch {
	case at < 0 || s.now().Unix()-s.st.RIDs[at].At > 7*24*60*60:
		return fail(76001)
	case s.st.RIDs[at].AppID != c.appid():
		return fail(76002)
	}
	info := s.st.RIDs[at]
	return ok(fields{"request": fields{
		"invoke_time": info.At, "cost_in_ms": info.Millis, "request_url": info.Path, "request_body": info.Request,
		"response_body": info.Response, "client_ip": info.IP,
	}})
}
