package wechatfake

import (
	"errors"
	"slices"
	"strings"
	"time"
)

const ticketLife = 12 * time.Hour

type token struct {
	Component bool      `json:"component"`
	AppID     string    `json:"appid"` // merchant; empty for a component token
	Expires   time.Time `json:"expires"`
	Refused   bool      `json:"refused"` // answered 40001, as after a newer authorization
}

type authCode struct {
	AppID   string    `json:"appid"`
	Expires time.Time `json:"expires"`
	Used    bool      `json:"used"`
	PreAuth string    `json:"pre_auth_code"`
	Gave    string    `json:"gave"` // the access token it was exchanged for
}

// authenticate finds the account behind the token: missing 41001, unknown 40001, expired 42001, of the wrong kind 61014
// or 61015, of a merchant that cancelled 61003 (or as set).
func (s *Server) authenticate(c *call) reply {
	if c.ep.token == noToken {
		return reply{}
	}
	if c.via != "" {
		return s.authenticateCloud(c)
	}
	login := strings.HasPrefix(c.path, "/sns/")
	value := c.query.Get("access_token")
	if login {
		value = ""
	}
	if value == "" && (login || strings.HasPrefix(c.path, "/cgi-bin/component/")) {
		value = c.query.Get("component_access_token")
	}
	switch {
	case value == "" && login:
		return fail(41021)
	case value == "":
		return fail(41001)
	}
	t := s.st.Tokens[value]
	switch {
	case t == nil:
		return fail(40001)
	case t.Component && c.ep.token == authorizerToken:
		return fail(61015)
	case !t.Component && c.ep.token == componentToken:
		return fail(61014)
	}
	if !t.Component {
		c.acct = s.st.Merchants[t.AppID]
		switch {
		case c.acct == nil:
			return fail(40001)
		case !c.acct.Authorized:
			return fail(s.st.Settings.RevokedCode)
		}
	}
	switch {
	case t.Refused:
		return fail(40001)
	case !s.now().Before(t.Expires) && t.Component:
		return fail(s.st.Settings.ExpiredComponentCode)
	case !s.now().Before(t.Expires):
		return fail(42001)
	case c.acct != nil && c.acct.frozen():
		return fail(50002)
	}
	return reply{}
}

// authenticateCloud is authenticate for what WeChat Cloud Run lets in as the platform.
func (s *Server) authenticateCloud(c *call) reply {
	if c.via == ViaCloudToken {
		if rep := s.cloudToken(c); rep.code != 0 {
			return rep
		}
	}
	if c.ep.token == authorizerToken {
		return fail(61015)
	}
	return reply{}
}

// issue makes a token. The previous one of the same account goes on working for TokenOverlap.
func (s *Server) issue(appid string) (value string, expiresIn int) {
	now := s.now()
	overlap := now.Add(time.Duration(s.st.Settings.TokenOverlap))
	for old, t := range s.st.Tokens {
		if t.AppID == appid && t.Expires.After(overlap) {
			t.Expires = overlap
		}
		if now.Sub(t.Expires) > 24*time.Hour {
			delete(s.st.Tokens, old)
		}
	}
	life := time.Duration(s.st.Settings.TokenExpires)
	value = s.secret("90_")
	if appid != "" {
		value = s.secret("89_")
	}
	s.st.Tokens[value] = &token{Component: appid == "", AppID: appid, Expires: now.Add(life)}
	return value, int(life / time.Second)
}

func (s *Server) startPushTicket(c *call) reply {
	var in struct {
		AppID  string `json:"component_appid"`
		Secret string `json:"component_secret"`
	}
	if rep := c.decode(&in); rep.code != 0 {
		return rep
	}
	switch {
	case in.AppID == "":
		return fail(41002)
	case in.Secret == "":
		return fail(41004)
	case in.AppID != s.cfg.ComponentAppID:
		return fail(40013)
	case in.Secret != s.cfg.ComponentSecret:
		return fail(-1) // what WeChat answers for the id and secret of something that is no platform
	}
	msg := "in a normal state"
	if !s.st.Settings.TicketPush {
		msg = "ok"
	}
	s.st.Settings.TicketPush = true
	s.pushTicketLocked()
	return ok(fields{"errmsg": msg})
}

func (s *Server) componentToken(c *call) reply {
	var in struct {
		AppID  string `json:"component_appid"`
		Secret string `json:"component_appsecret"`
		Ticket string `json:"component_verify_ticket"`
	}
	if rep := c.decode(&in); rep.code != 0 {
		return rep
	}
	switch {
	case in.AppID == "":
		return fail(41018)
	case in.Secret == "":
		return fail(41004)
	case in.AppID != s.cfg.ComponentAppID:
		return fail(40013)
	case in.Secret != s.cfg.ComponentSecret:
		return fail(40125)
	case len(s.st.Tickets) == 0:
		return fail(61005)
	}
	at := slices.IndexFunc(s.st.Tickets, func(t ticket) bool { return t.Value == in.Ticket })
	switch {
	case at < 0:
		return fail(61006)
	case s.now().Sub(s.st.Tickets[at].At) > ticketLife:
		return fail(61005)
	}
	value, expires := s.issue("")
	return bare(fields{"component_access_token": value, "expires_in": expires})
}

func (s *Server) createPreAuthCode(c *call) reply {
	if rep := s.wantComponent(c); rep.code != 0 {
		return rep
	}
	code, life := s.newPreAuthCode()
	return bare(fields{"pre_auth_code": code, "expires_in": int(life / time.Second)})
}

func (s *Server) newPreAuthCode() (string, time.Duration) {
	now := s.now()
	for old, expires := range s.st.PreAuth {
		if now.Sub(expires) > 24*time.Hour {
			delete(s.st.PreAuth, old)
		}
	}
	life := time.Duration(s.st.Settings.PreAuthCodeExpires)
	code := s.secret("preauthcode@@@")
	s.st.PreAuth[code] = now.Add(life)
	return code, life
}

// wantComponent checks the component_appid most component calls carry.
func (s *Server) wantComponent(c *call) reply {
	var in struct {
		AppID string `json:"component_appid"`
	}
	if rep := c.decode(&in); rep.code != 0 {
		return rep
	}
	switch in.AppID {
	case s.cfg.ComponentAppID:
		return reply{}
	case "":
		return fail(41018)
	default:
		return fail(40013)
	}
}

// queryAuth exchanges a code once: unknown or used 61009, expired 61010.
func (s *Server) queryAuth(c *call) reply {
	var in struct {
		Code string `json:"authorization_code"`
	}
	if rep := s.wantComponent(c); rep.code != 0 {
		return rep
	}
	if rep := c.decode(&in); rep.code != 0 {
		return rep
	}
	code := s.st.Codes[in.Code]
	switch {
	case in.Code == "":
		return fail(40097)
	case code == nil || code.Used:
		return fail(61009)
	case !s.now().Before(code.Expires):
		return fail(61010)
	}
	a := s.st.Merchants[code.AppID]
	if a == nil || !a.Authorized {
		return fail(61009)
	}
	code.Used = true
	a.Exchanged = true
	if a.RefreshToken == "" {
		a.RefreshToken = s.secret("refreshtoken@@@")
	}
	access, expires := s.issue(a.AppID)
	code.Gave = access
	return bare(fields{"authorization_info": fields{
		"authorizer_appid": a.AppID, "authorizer_access_token": access, "expires_in": expires,
		"authorizer_refresh_token": a.RefreshToken, "func_info": funcInfo(a.Granted, true),
	}})
}

// funcInfo lists permission sets; WeChat adds confirm_info to some of them when a code is exchanged.
func funcInfo(granted []int, confirm bool) []fields {
	infos := make([]fields, 0, len(granted))
	for _, id := range granted {
		info := fields{"funcscope_category": fields{"id": id}}
		if confirm && id == 18 {
			info["confirm_info"] = fields{"need_confirm": 0, "already_confirm": 0, "can_confirm": 0}
		}
		infos = append(infos, info)
	}
	return infos
}

func (s *Server) authorizerToken(c *call) reply {
	var in struct {
		AppID   string `json:"authorizer_appid"`
		Refresh string `json:"authorizer_refresh_token"`
	}
	if rep := s.wantComponent(c); rep.code != 0 {
		return rep
	}
	if rep := c.decode(&in); rep.code != 0 {
		return rep
	}
	a := s.st.Merchants[in.AppID]
	switch {
	case in.AppID == "":
		return fail(41002)
	case in.Refresh == "":
		return fail(61023)
	case a == nil:
		return fail(40013)
	case !a.Authorized:
		return fail(61003)
	case in.Refresh != a.RefreshToken:
		return fail(61023)
	}
	if s.st.Settings.RotateRefreshToken {
		a.RefreshToken = s.secret("refreshtoken@@@")
	}
	access, expires := s.issue(a.AppID)
	return bare(fields{"authorizer_access_token": access, "expires_in": expires, "authorizer_refresh_token": a.RefreshToken})
}

// errNotAuthorized is returned by control methods that need an authorized merchant.
var errNotAuthorized = errors.New("wechatfake: the merchant has not authorized the platform")
