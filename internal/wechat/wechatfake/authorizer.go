package wechatfake

import "slices"

func (s *Server) authorizerInfo(c *call) reply {
	var in struct {
		AppID string `json:"authorizer_appid"`
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
	case a == nil:
		return fail(40013)
	case !a.Authorized:
		return fail(61003)
	}
	info := fields{
		"nick_name": a.NickName, "head_img": s.cfg.BasePath + avatarPath(a.AppID),
		"service_type_info": fields{"id": a.ServiceType}, "verify_type_info": fields{"id": a.VerifyType},
		"user_name": a.UserName, "alias": a.Alias, "qrcode_url": s.cfg.BasePath + codePath(a.AppID),
		"business_info": fields{"open_pay": 1, "open_shake": 0, "open_scan": 0, "open_card": 0, "open_store": 0},
		"idc":           1, "principal_name": a.Principal, "signature": a.Signature,
		"register_type": a.RegisterType, "account_status": a.AccountStatus,
		"basic_config": fields{"is_phone_configured": true, "is_email_configured": a.VerifyType == 0},
	}
	if a.Kind == MiniProgram {
		info["MiniProgramInfo"] = s.miniProgramInfo(a)
	}
	authorization := fields{"authorizer_appid": a.AppID, "func_info": funcInfo(a.Granted, false)}
	if a.Exchanged {
		authorization["authorizer_refresh_token"] = a.RefreshToken
	}
	return bare(fields{"authorizer_info": info, "authorization_info": authorization})
}

func (s *Server) miniProgramInfo(a *account) fields {
	categories := []fields{}
	for _, cat := range a.approvedCategories() {
		categories = append(categories, fields{"first": cat.FirstClass, "second": cat.SecondClass})
	}
	effective := a.effectiveDomains()
	return fields{
		"network": fields{
			"RequestDomain": list(effective["requestdomain"]), "WsRequestDomain": list(effective["wsrequestdomain"]),
			"UploadDomain": list(effective["uploaddomain"]), "DownloadDomain": list(effective["downloaddomain"]),
			"UDPDomain": list(effective["udpdomain"]), "TCPDomain": list(effective["tcpdomain"]), "BizDomain": list(a.effectiveWeb()),
		},
		"categories": categories, "visit_status": 0,
	}
}

// authorizerList is paged by offset; more than 500 at once is 40170. A merchant whose code was never exchanged has an
// empty refresh_token.
func (s *Server) authorizerList(c *call) reply {
	var in struct {
		Offset *int `json:"offset"`
		Count  *int `json:"count"`
	}
	if rep := s.wantComponent(c); rep.code != 0 {
		return rep
	}
	if rep := c.decode(&in); rep.code != 0 {
		return rep
	}
	switch {
	case in.Offset == nil || in.Count == nil || *in.Offset < 0 || *in.Count < 1:
		return fail(40097)
	case *in.Count > 500:
		return fail(40170)
	}
	rows := []fields{}
	for _, appid := range s.st.Order {
		a := s.st.Merchants[appid]
		if !a.Authorized {
			continue
		}
		refresh := ""
		if a.Exchanged {
			refresh = a.RefreshToken
		}
		rows = append(rows, fields{"authorizer_appid": a.AppID, "refresh_token": refresh, "auth_time": a.AuthTime})
	}
	total := len(rows)
	from := min(*in.Offset, total)
	to := min(from+*in.Count, total)
	return bare(fields{"total_count": total, "list": rows[from:to]})
}

// options are the settings an official account lends to the platform, with the permission set each needs and the values
// it takes.
func options() map[string]struct {
	scope  int
	values []string
} {
	type option = struct {
		scope  int
		values []string
	}
	return map[string]option{
		"location_report":  {2, []string{"0", "1", "2"}},
		"voice_recognize":  {1, []string{"0", "1"}},
		"customer_service": {6, []string{"0", "1"}},
	}
}

type optionRequest struct {
	AppID string  `json:"authorizer_appid"`
	Name  string  `json:"option_name"`
	Value *string `json:"option_value"`
}

func (s *Server) getOption(c *call) reply {
	var in optionRequest
	if rep := c.decode(&in); rep.code != 0 {
		return rep
	}
	return optionOf(c.acct, in.Name)
}

func (s *Server) setOption(c *call) reply {
	var in optionRequest
	if rep := c.decode(&in); rep.code != 0 {
		return rep
	}
	return setOptionOf(c.acct, in)
}

// getOptionByComponent is the older form, which names the account in the body.
func (s *Server) getOptionByComponent(c *call) reply {
	var in optionRequest
	if rep := c.decode(&in); rep.code != 0 {
		return rep
	}
	a, rep := s.authorized(in.AppID)
	if rep.code != 0 {
		return rep
	}
	rep = optionOf(a, in.Name)
	if rep.code == 0 {
		rep.fields["authorizer_appid"] = a.AppID
		rep.bare = true
	}
	return rep
}

func (s *Server) setOptionByComponent(c *call) reply {
	var in optionRequest
	if rep := c.decode(&in); rep.code != 0 {
		return rep
	}
	a, rep := s.authorized(in.AppID)
	if rep.code != 0 {
		return rep
	}
	return setOptionOf(a, in)
}

func (s *Server) authorized(appid string) (*account, reply) {
	a := s.st.Merchants[appid]
	switch {
	case appid == "":
		return nil, fail(41002)
	case a == nil:
		return nil, fail(40013)
	case !a.Authorized:
		return nil, fail(61003)
	}
	return a, reply{}
}

func optionOf(a *account, name string) reply {
	option, known := options()[name]
	switch {
	case !known:
		return fail(61012)
	case !slices.Contains(a.Granted, option.scope):
		return fail(61007)
	}
	value := a.Options[name]
	if value == "" {
		value = "0"
	}
	return ok(fields{"option_name": name, "option_value": value})
}

func setOptionOf(a *account, in optionRequest) reply {
	option, known := options()[in.Name]
	switch {
	case !known:
		return fail(61012)
	case !slices.Contains(a.Granted, option.scope):
		return fail(61007)
	case in.Value == nil || !slices.Contains(option.values, *in.Value):
		return fail(61013)
	}
	a.Options[in.Name] = *in.Value
	return ok(nil)
}
