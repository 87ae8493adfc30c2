package wechatfake

import (
	"errors"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"
)

// Changes a month of each part of the basic information (modelled; WeChat tells its own numbers in the answer).
const (
	nameChanges      = 2
	avatarChanges    = 5
	signatureChanges = 5
)

// profile is what happened to a mini program's basic information.
type profile struct {
	NameUsed      int         `json:"name_used"`
	AvatarUsed    int         `json:"avatar_used"`
	SignatureUsed int         `json:"signature_used"`
	Names         []nameAudit `json:"names"`
}

type nameAudit struct {
	ID      int64  `json:"id"`
	Name    string `json:"name"`
	State   int    `json:"state"` // 1 in review, 2 refused, 3 passed
	Reason  string `json:"reason"`
	Created int64  `json:"created"`
	Audited int64  `json:"audited"`
}

// basicInfo leaves out what an account that was not completed does not have.
func (s *Server) basicInfo(c *call) reply {
	a := c.acct
	info := fields{
		"appid": a.AppID, "account_type": 2, "principal_type": 1, "principal_name": a.Principal, "credential": "", "realname_status": 1,
		"registered_country": 1017,
		"wx_verify_info":     fields{"qualification_verify": a.VerifyType == 0, "naming_verify": a.VerifyType == 0},
	}
	if a.Personal {
		info["principal_type"] = 0
	}
	if !a.NoBasicInfo {
		info["signature_info"] = fields{"signature": a.Signature, "modify_used_count": a.Profile.SignatureUsed, "modify_quota": signatureChanges}
		info["head_image_info"] = fields{
			"head_image_url":    s.cfg.BasePath + avatarPath(a.AppID) + "?v=" + strconv.Itoa(a.Profile.AvatarUsed),
			"modify_used_count": a.Profile.AvatarUsed, "modify_quota": avatarChanges,
		}
		info["nickname_info"] = fields{"nickname": a.NickName, "modify_used_count": a.Profile.NameUsed, "modify_quota": nameChanges}
	}
	return ok(info)
}

// needsProof tells names that ask for proof (modelled: WeChat has a list of its own).
func needsProof(name string) bool {
	return slices.ContainsFunc([]string{"银行", "政府", "医院"}, func(word string) bool { return strings.Contains(name, word) })
}

const proofWording = "该名称需要提供主体资质及商标等证明材料"

func (s *Server) taken(name, appid string) bool {
	for _, m := range s.st.Merchants {
		if m.AppID != appid && m.NickName == name {
			return true
		}
	}
	return false
}

func wellFormedName(name string) bool {
	n := 0
	for _, r := range name {
		n++
		if r > 0x7f {
			n++
		}
	}
	return n >= 4 && n <= 30
}

func (s *Server) checkNickname(c *call) reply {
	var in struct {
		Name string `json:"nick_name"`
	}
	if rep := c.decode(&in); rep.code != 0 {
		return rep
	}
	switch {
	case !wellFormedName(in.Name):
		return fail(53010)
	case s.taken(in.Name, c.acct.AppID):
		return fail(53013)
	case needsProof(in.Name):
		return ok(fields{"hit_condition": true, "wording": proofWording})
	}
	return ok(fields{"hit_condition": false, "wording": ""})
}

// setNickname is reviewed, unless the setting names_at_once is on.
func (s *Server) setNickname(c *call) reply {
	var in struct {
		Name    string `json:"nick_name"`
		License string `json:"license"`
		IDCard  string `json:"id_card"`
	}
	if rep := c.decode(&in); rep.code != 0 {
		return rep
	}
	a := c.acct
	media := in.License
	if media == "" {
		media = in.IDCard
	}
	open := slices.ContainsFunc(a.Profile.Names, func(n nameAudit) bool { return n.State == 1 })
	switch {
	case in.Name == "":
		return fail(40097)
	case !wellFormedName(in.Name):
		return fail(91004)
	case a.Live != nil && a.VerifyType != 0:
		return fail(91002)
	case open, a.Profile.NameUsed >= nameChanges:
		return fail(91003)
	case s.taken(in.Name, a.AppID):
		return fail(91007)
	case media != "" && !s.usable(a, media, mediumTemporary, "image"):
		return fail(46001)
	case needsProof(in.Name) && media == "":
		return failWith(91009, fields{"wording": proofWording})
	}
	a.Profile.NameUsed++
	if s.st.Settings.NamesAtOnce {
		a.NickName, a.NoBasicInfo = in.Name, false
		return ok(nil)
	}
	id := s.st.NextAudit
	s.st.NextAudit++
	a.Profile.Names = append(a.Profile.Names, nameAudit{ID: id, Name: in.Name, State: 1, Created: s.now().Unix()})
	return ok(fields{"audit_id": id, "wording": ""})
}

func (s *Server) queryNickname(c *call) reply {
	var in struct {
		ID number `json:"audit_id"`
	}
	if rep := c.decode(&in); rep.code != 0 {
		return rep
	}
	for _, n := range c.acct.Profile.Names {
		if n.ID == int64(in.ID) {
			return ok(fields{"nickname": n.Name, "audit_stat": n.State, "fail_reason": n.Reason, "create_time": n.Created, "audit_time": n.Audited})
		}
	}
	return fail(91011)
}

// setAvatar wants an image uploaded before and a crop inside of it.
func (s *Server) setAvatar(c *call) reply {
	var in struct {
		Media string   `json:"head_img_media_id"`
		X1    *float64 `json:"x1"`
		Y1    *float64 `json:"y1"`
		X2    *float64 `json:"x2"`
		Y2    *float64 `json:"y2"`
	}
	if rep := c.decode(&in); rep.code != 0 {
		return rep
	}
	inside := func(low, high *float64) bool {
		return low != nil && high != nil && *low >= 0 && *high <= 1 && *low < *high
	}
	switch {
	case in.Media == "":
		return fail(41006)
	case !inside(in.X1, in.X2) || !inside(in.Y1, in.Y2):
		return fail(40097)
	case !s.usable(c.acct, in.Media, mediumTemporary, "image"):
		return fail(46001)
	case c.acct.Profile.AvatarUsed >= avatarChanges:
		return fail(53202)
	}
	c.acct.Profile.AvatarUsed++
	return ok(nil)
}

func (s *Server) setSignature(c *call) reply {
	var in struct {
		Text string `json:"signature"`
	}
	if rep := c.decode(&in); rep.code != 0 {
		return rep
	}
	n := utf8.RuneCountInString(in.Text)
	switch {
	case in.Text == "":
		return fail(40097)
	case n < 4 || n > 120:
		return fail(53204) // modelled
	case strings.Contains(in.Text, "最佳"):
		return fail(53201)
	case c.acct.Profile.SignatureUsed >= signatureChanges:
		return fail(53200)
	}
	c.acct.Profile.SignatureUsed++
	c.acct.Signature, c.acct.NoBasicInfo = in.Text, false
	return ok(nil)
}

// eventMode takes what NextEvent has queued.
func (s *Server) eventMode() string {
	if len(s.st.NextEvents) == 0 {
		return EventUsual
	}
	mode := s.st.NextEvents[0]
	s.st.NextEvents = s.st.NextEvents[1:]
	return mode
}

// tell changes a state and sends its event, in the manner queued by NextEvent.
func (s *Server) tell(a *account, message Message, apply func()) {
	switch s.eventMode() {
	case EventLost:
		apply()
	case EventDuplicated:
		apply()
		s.pushBiz(a, message)
		s.pushBiz(a, message)
	case EventEarly:
		s.pushBiz(a, message)
		s.afterLocked(time.Duration(s.st.Settings.EarlyEventLag), apply)
	default:
		apply()
		s.pushBiz(a, message)
	}
	s.changed()
}

// DecideNickname plays WeChat deciding on the name under review, with its event wxa_nickname_audit.
func (s *Server) DecideNickname(appid string, passed bool, reason string) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	a, err := s.merchant(appid)
	if err != nil {
		return err
	}
	at := slices.IndexFunc(a.Profile.Names, func(n nameAudit) bool { return n.State == 1 })
	if at < 0 {
		return errors.New("wechatfake: no name is under review")
	}
	name, state := a.Profile.Names[at].Name, 2
	if passed {
		state, reason = 3, ""
	}
	s.tell(a, append(s.eventFor(a, "wxa_nickname_audit"), Field{"ret", state}, Field{"nickname", name}, Field{"reason", reason}), func() {
		n := &a.Profile.Names[at]
		n.State, n.Reason, n.Audited = state, reason, s.now().Unix()
		if passed {
			a.NickName, a.NoBasicInfo = name, false
		}
	})
	return nil
}

// library is the categories this WeChat has (modelled: a small part of the real ones).
func library() []Category {
	return []Category{
		{FirstClass: "商家自营", SecondClass: "食品饮料", FirstID: 304, SecondID: 321},
		{FirstClass: "商家自营", SecondClass: "服装/鞋/箱包", FirstID: 304, SecondID: 307},
		{FirstClass: "工具", SecondClass: "备忘录", FirstID: 287, SecondID: 619},
		{FirstClass: "餐饮服务", SecondClass: "点餐平台", FirstID: 220, SecondID: 222},
	}
}

// sensitive tells categories that need a certificate and a review.
func sensitive(second int) bool { return second == 321 || second == 222 }

func (s *Server) allCategories(*call) reply {
	rows := []fields{{"id": 0, "name": "", "level": 0, "father": 0, "children": []int{304, 287, 220}, "sensitive_type": 0}}
	first := map[int][]int{}
	for _, c := range library() {
		if first[c.FirstID] == nil {
			rows = append(rows, fields{"id": c.FirstID, "name": c.FirstClass, "level": 1, "father": 0, "sensitive_type": 0})
		}
		first[c.FirstID] = append(first[c.FirstID], c.SecondID)
		row := fields{"id": c.SecondID, "name": c.SecondClass, "level": 2, "father": c.FirstID, "children": []int{}, "sensitive_type": 0}
		if sensitive(c.SecondID) {
			row["sensitive_type"] = 1
			row["qualify"] = fields{"exter_list": []fields{{"inner_list": []fields{{"name": "《食品经营许可证》", "url": ""}}}}, "remark": ""}
		}
		rows = append(rows, row)
	}
	for _, row := range rows[1:] {
		if row["level"] == 1 {
			id, _ := row["id"].(int)
			row["children"] = first[id]
		}
	}
	return ok(fields{"categories_list": fields{"categories": rows}})
}

type wantedCategory struct {
	First        number `json:"first"`
	Second       number `json:"second"`
	Certificates []struct {
		Name  string `json:"key"`
		Media string `json:"value"`
	} `json:"certicates"`
}

// wanted checks a category and its certificates, and gives the one of the library.
func (s *Server) wanted(a *account, in wantedCategory) (Category, reply) {
	at := slices.IndexFunc(library(), func(c Category) bool { return c.FirstID == int(in.First) && c.SecondID == int(in.Second) })
	switch {
	case at < 0:
		return Category{}, fail(53303)
	case sensitive(int(in.Second)) && a.Personal:
		return Category{}, fail(53302)
	case sensitive(int(in.Second)) && len(in.Certificates) == 0:
		return Category{}, fail(53311)
	}
	for _, certificate := range in.Certificates {
		if certificate.Name == "" || !s.usable(a, certificate.Media, mediumTemporary, "image") {
			return Category{}, fail(53303)
		}
	}
	c := library()[at]
	c.Status = 3
	if sensitive(c.SecondID) {
		c.Status = 1
	}
	return c, reply{}
}

func (a *account) category(first, second number) int {
	return slices.IndexFunc(a.Categories, func(c Category) bool { return c.FirstID == int(first) && c.SecondID == int(second) })
}

func (s *Server) addCategories(c *call) reply {
	var in struct {
		List []wantedCategory `json:"categories"`
	}
	if rep := c.decode(&in); rep.code != 0 {
		return rep
	}
	if len(in.List) == 0 {
		return fail(53303)
	}
	added := slices.Clone(c.acct.Categories)
	for _, one := range in.List {
		found, rep := s.wanted(c.acct, one)
		switch {
		case rep.code != 0:
			return rep
		case c.acct.category(one.First, one.Second) >= 0:
			return fail(53304)
		case len(added) >= 20:
			return fail(53301)
		}
		added = append(added, found)
	}
	c.acct.Categories = added
	return ok(nil)
}

func (s *Server) deleteCategory(c *call) reply {
	var in wantedCategory
	if rep := c.decode(&in); rep.code != 0 {
		return rep
	}
	at := c.acct.category(in.First, in.Second)
	switch {
	case at < 0:
		return fail(53303)
	case c.acct.Categories[at].Status == 1:
		return fail(53308)
	}
	c.acct.Categories = slices.Delete(slices.Clone(c.acct.Categories), at, at+1)
	return ok(nil)
}

func (s *Server) modifyCategory(c *call) reply {
	var in wantedCategory
	if rep := c.decode(&in); rep.code != 0 {
		return rep
	}
	at := c.acct.category(in.First, in.Second)
	switch {
	case at < 0:
		return fail(53306)
	case c.acct.Categories[at].Status != 2:
		return fail(53307)
	}
	found, rep := s.wanted(c.acct, in)
	if rep.code != 0 {
		return rep
	}
	c.acct.Categories[at] = found
	return ok(nil)
}

// DecideCategory plays WeChat deciding on a category under review, with its event wxa_category_audit.
func (s *Server) DecideCategory(appid string, first, second int, passed bool, reason string) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	a, err := s.merchant(appid)
	if err != nil {
		return err
	}
	at := a.category(number(first), number(second))
	if at < 0 || a.Categories[at].Status != 1 {
		return errors.New("wechatfake: this category is not under review")
	}
	outcome := 2
	if passed {
		outcome, reason = 3, ""
	}
	message := append(s.eventFor(a, "wxa_category_audit"), Field{"ret", outcome}, Field{"first", first}, Field{"second", second}, Field{"reason", reason})
	s.tell(a, message, func() {
		if at := a.category(number(first), number(second)); at >= 0 {
			a.Categories[at].Status = outcome
		}
	})
	return nil
}
