package wechatfake

import (
	"slices"
	"strings"
)

func (s *Server) bindTester(c *call) reply {
	var in struct {
		WeChatID string `json:"wechatid"`
	}
	if rep := c.decode(&in); rep.code != 0 {
		return rep
	}
	a := c.acct
	user := digest(c.acct.AppID + in.WeChatID)[:28]
	switch {
	case in.WeChatID == "":
		return fail(89033)
	case strings.HasPrefix(in.WeChatID, "nobody"):
		return fail(85001)
	case slices.ContainsFunc(a.Testers, func(t tester) bool { return t.WeChatID == in.WeChatID }):
		return fail(85004)
	case len(a.Testers) >= s.st.Settings.TesterLimit:
		return fail(85002)
	}
	a.Testers = append(a.Testers, tester{in.WeChatID, user})
	return ok(fields{"userstr": user})
}

func (s *Server) unbindTester(c *call) reply {
	var in struct {
		WeChatID string `json:"wechatid"`
		UserStr  string `json:"userstr"`
	}
	if rep := c.decode(&in); rep.code != 0 {
		return rep
	}
	if in.WeChatID == "" && in.UserStr == "" {
		return fail(89033)
	}
	before := len(c.acct.Testers)
	c.acct.Testers = slices.DeleteFunc(c.acct.Testers, func(t tester) bool {
		return t.UserStr == in.UserStr || (in.WeChatID != "" && t.WeChatID == in.WeChatID)
	})
	if len(c.acct.Testers) == before {
		return fail(89034)
	}
	return ok(nil)
}

// testers lists members without their WeChat ids, as WeChat does.
func (s *Server) testers(c *call) reply {
	var in struct {
		Action string `json:"action"`
	}
	if rep := c.decode(&in); rep.code != 0 {
		return rep
	}
	if in.Action != "get_experiencer" {
		return fail(40097)
	}
	rows := []fields{}
	for _, t := range c.acct.Testers {
		rows = append(rows, fields{"userstr": t.UserStr})
	}
	return ok(fields{"members": rows})
}

func (s *Server) icpEntranceInfo(c *call) reply {
	info := fields{"status": c.acct.ICPStatus, "is_canceling": false, "audit_data": []fields{}, "available": 1}
	switch c.acct.ICPStatus {
	case 3, 5:
		info["audit_data"] = []fields{{"key_name": "icp_subject", "error": "主体信息与证件不一致", "suggest": "请核对后重新提交"}}
	case 4:
		info["sms_verify_status"] = 1
	}
	return ok(fields{"info": info})
}
