package wechatfake

import (
	"encoding/json"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"
)

// The numbers of an audit's status.
const (
	AuditApproved  = 0
	AuditRejected  = 1
	AuditRunning   = 2
	AuditWithdrawn = 3
	AuditDelayed   = 4
)

// audit is one submission: a frozen copy of the trial version and what the reviewer made of it.
type audit struct {
	ID          int64           `json:"id"`
	AppID       string          `json:"appid"`
	Code        code            `json:"code"`
	Status      int             `json:"status"`
	Reason      string          `json:"reason"`
	ScreenShots []string        `json:"screenshots"` // media ids of permanent materials
	SubmittedAt int64           `json:"submitted_at"`
	DecidedAt   time.Time       `json:"decided_at"`
	SpedUp      bool            `json:"sped_up"`
	Console     bool            `json:"console"` // submitted outside this platform, invisible to its calls
	Released    bool            `json:"released"`
	Privacy     *guideline      `json:"privacy"`         // the guideline frozen with the code
	Missing     []string        `json:"missing_privacy"` // detected keys without a text
	Request     json.RawMessage `json:"request,omitempty"`
}

func (a *audit) open() bool { return a.Status == AuditRunning || a.Status == AuditDelayed }

// latest is the newest submission this platform made, or nil.
func (s *Server) latest(a *account) *audit {
	for _, id := range slices.Backward(a.Audits) {
		if found := s.st.Audits[id]; found != nil && !found.Console {
			return found
		}
	}
	return nil
}

// running is the submission under review, from wherever it came.
func (s *Server) running(a *account) *audit {
	for _, id := range slices.Backward(a.Audits) {
		if found := s.st.Audits[id]; found != nil && found.open() {
			return found
		}
	}
	return nil
}

type submission struct {
	Items   *[]auditItem `json:"item_list"`
	Preview *struct {
		Videos []string `json:"video_id_list"`
		Pics   []string `json:"pic_id_list"`
	} `json:"preview_info"`
	VersionDesc   string `json:"version_desc"`
	FeedbackInfo  string `json:"feedback_info"`
	FeedbackStuff string `json:"feedback_stuff"`
	UGC           *struct {
		Scene  []int  `json:"scene"`
		Method []int  `json:"method"`
		Team   int    `json:"has_audit_team"`
		Desc   string `json:"audit_desc"`
		Other  string `json:"other_scene_desc"`
	} `json:"ugc_declare"`
	PrivacyNotUsed bool   `json:"privacy_api_not_use"`
	OrderPath      string `json:"order_path"`
}

type auditItem struct {
	Address     string `json:"address"`
	Tag         string `json:"tag"`
	Title       string `json:"title"`
	FirstClass  string `json:"first_class"`
	SecondClass string `json:"second_class"`
	ThirdClass  string `json:"third_class"`
	FirstID     int    `json:"first_id"`
	SecondID    int    `json:"second_id"`
	ThirdID     int    `json:"third_id"`
}

// submitAudit freezes the trial version and queues it for review. The order of its checks is modelled: arguments, bans,
// overlap, basic information, code present, audit running, detection, items, preview, declarations, quota.
func (s *Server) submitAudit(c *call) reply {
	var in submission
	if rep := c.decode(&in); rep.code != 0 {
		return rep
	}
	if errcode := s.maySubmit(c, in); errcode != 0 {
		return fail(errcode)
	}
	a := c.acct
	found := s.newAudit(a, a.Trial.code, false)
	found.Request = slices.Clone(c.body)
	s.st.Settings.AuditRest--
	if after := time.Duration(s.st.Settings.AuditTime); after > 0 {
		s.reviewLater(found.ID, after)
	}
	if s.st.Settings.AuditIDAsString {
		return ok(fields{"auditid": strconv.FormatInt(found.ID, 10)})
	}
	return ok(fields{"auditid": found.ID})
}

func (s *Server) maySubmit(c *call, in submission) int {
	a := c.acct
	switch {
	case utf8.RuneCountInString(in.FeedbackInfo) > 200, strings.Count(in.FeedbackStuff, "|") > 4:
		return 40097
	case a.Ban != 0:
		return a.Ban
	case c.overlaps:
		return 9402202
	case a.NoBasicInfo:
		return 86002
	case a.Trial == nil:
		return 85086
	case s.running(a) != nil, s.justRejected(a):
		return 85009
	case s.detecting(a.Trial):
		return 61039
	case a.blocked(a.Trial.code, in.PrivacyNotUsed):
		return 61040
	}
	if errcode := checkItems(a, in.Items); errcode != 0 {
		return errcode
	}
	if errcode := s.checkPreview(a, in); errcode != 0 {
		return errcode
	}
	switch {
	case !in.ugcMakesSense():
		return 40097
	case a.needsUGC() && s.latest(a) == nil && (in.UGC == nil || len(in.UGC.Scene) == 0):
		return 85094
	case a.Trial.Unlisted:
		return 85087
	case s.st.Settings.SubmitICPCode != 0 && a.ICPStatus != 6:
		return s.st.Settings.SubmitICPCode
	case s.st.Settings.AuditRest <= 0:
		return 85085
	}
	return 0
}

// justRejected models that submit_audit goes on answering 85009 for a while after a rejection.
func (s *Server) justRejected(a *account) bool {
	last := s.latest(a)
	lag := time.Duration(s.st.Settings.RejectLag)
	return last != nil && last.Status == AuditRejected && s.now().Sub(last.DecidedAt) < lag
}

func checkItems(a *account, given *[]auditItem) int {
	approved := a.approvedCategories()
	if given == nil {
		if len(approved) == 0 {
			return 85008
		}
		return 0
	}
	items := *given
	if len(items) < 1 || len(items) > 5 {
		return 85023
	}
	for _, item := range items {
		if item.FirstClass == "" || item.SecondClass == "" || item.FirstID == 0 || item.SecondID == 0 {
			return 85010
		}
	}
	for _, item := range items {
		if errcode := item.check(a); errcode != 0 {
			return errcode
		}
	}
	for _, item := range items {
		at := slices.IndexFunc(a.Categories, item.is)
		switch {
		case at < 0 || (a.Categories[at].Status != 3 && a.Categories[at].Status != 4):
			return 85008
		case a.Categories[at].Status == 4:
			return 85077
		}
	}
	return 0
}

func (item auditItem) check(a *account) int {
	tags := strings.Fields(item.Tag)
	long := slices.ContainsFunc(tags, func(tag string) bool { return utf8.RuneCountInString(tag) > 20 })
	switch {
	case len(tags) > 10 || long:
		return 85006
	case item.Address != "" && !slices.Contains(a.Trial.Pages, item.Address):
		return 85007
	case utf8.RuneCountInString(item.Title) > 32:
		return 85011
	}
	return 0
}

func (item auditItem) is(c Category) bool {
	return c.FirstID == item.FirstID && c.SecondID == item.SecondID && c.FirstClass == item.FirstClass &&
		c.SecondClass == item.SecondClass && c.ThirdID == item.ThirdID && c.ThirdClass == item.ThirdClass
}

// ugcMakesSense: the ranges are those of the page, the errcode is modelled.
func (in submission) ugcMakesSense() bool {
	u := in.UGC
	if u == nil {
		return true
	}
	within := func(list []int, lowest, highest int) bool {
		return !slices.ContainsFunc(list, func(n int) bool { return n < lowest || n > highest })
	}
	return within(u.Scene, 0, 5) && within(u.Method, 1, 4) && (u.Team == 0 || u.Team == 1) &&
		utf8.RuneCountInString(u.Desc) <= 256 && utf8.RuneCountInString(u.Other) <= 256
}

func (a *account) needsUGC() bool {
	return slices.ContainsFunc(a.approvedCategories(), func(c Category) bool {
		return c.FirstClass == "社交" && slices.Contains([]string{"社区/论坛", "笔记", "问答"}, c.SecondClass)
	})
}

// checkPreview: the limits of 85051 and 85093 are modelled. What goes with feedback_info is looked at only after a
// rejection, as the feedback itself.
func (s *Server) checkPreview(a *account, in submission) int {
	if utf8.RuneCountInString(in.VersionDesc) > 2000 {
		return 85051
	}
	if last := s.latest(a); in.FeedbackStuff != "" && last != nil && last.Status == AuditRejected {
		for id := range strings.SplitSeq(in.FeedbackStuff, "|") {
			if !s.usable(a, id, mediumTemporary, "image") {
				return 85092
			}
		}
	}
	if in.Preview == nil {
		return 0
	}
	for _, id := range in.Preview.Pics {
		if !s.usable(a, id, mediumAudit, "image") {
			return 85092
		}
	}
	for _, id := range in.Preview.Videos {
		if !s.usable(a, id, mediumAudit, "video") {
			return 85092
		}
	}
	if len(in.Preview.Pics) > 10 || len(in.Preview.Videos) > 1 {
		return 85093
	}
	return 0
}

func (s *Server) newAudit(a *account, v code, console bool) *audit {
	id := s.st.NextAudit
	s.st.NextAudit++
	found := &audit{ID: id, AppID: a.AppID, Code: v, Status: AuditRunning, SubmittedAt: s.now().Unix(), Console: console, Privacy: a.Privacy.clone()}
	for _, key := range v.PrivacyKeys {
		if a.Privacy.text(key) == "" {
			found.Missing = append(found.Missing, key)
		}
	}
	s.st.Audits[id] = found
	a.Audits = append(a.Audits, id)
	return found
}

func (s *Server) auditStatus(c *call) reply {
	var in struct {
		AuditID number `json:"auditid"`
	}
	if rep := c.decode(&in); rep.code != 0 {
		return rep
	}
	found := s.st.Audits[int64(in.AuditID)]
	if found == nil || found.AppID != c.acct.AppID || found.Console {
		return fail(85012)
	}
	return ok(s.describe(found, s.st.Settings.SwapScreenShotKey))
}

func (s *Server) latestAuditStatus(c *call) reply {
	found := s.latest(c.acct)
	if found == nil {
		return fail(85058)
	}
	answer := s.describe(found, !s.st.Settings.SwapScreenShotKey)
	answer["auditid"] = found.ID
	if s.st.Settings.AuditIDAsString {
		answer["auditid"] = strconv.FormatInt(found.ID, 10)
	}
	answer["user_version"], answer["user_desc"], answer["submit_audit_time"] = found.Code.UserVersion, found.Code.UserDesc, found.SubmittedAt
	return ok(answer)
}

// describe gives status, reason and screenshots, the latter under either of the two keys WeChat uses.
func (s *Server) describe(found *audit, capital bool) fields {
	answer := fields{"status": found.Status}
	if found.Status == AuditRejected || found.Status == AuditDelayed {
		answer["reason"] = found.Reason
	}
	if found.Status == AuditRejected {
		key := "screenshot"
		if capital {
			key = "ScreenShot"
		}
		answer[key] = strings.Join(found.ScreenShots, "|")
	}
	return answer
}

// undoAudit withdraws: five times a day and ten a month (87013), only while under review (87012).
func (s *Server) undoAudit(c *call) reply {
	a := c.acct
	found := s.latest(a)
	if found == nil || !found.open() {
		return fail(87012)
	}
	today, month := 0, 0
	for _, at := range a.Withdrawals {
		when := time.Unix(at, 0).In(beijing())
		if when.Format("2006-01") == s.month() {
			month++
		}
		if when.Format("2006-01-02") == s.day() {
			today++
		}
	}
	if today >= 5 || month >= 10 {
		return fail(87013)
	}
	a.Withdrawals = append(a.Withdrawals, s.now().Unix())
	found.Status, found.DecidedAt = AuditWithdrawn, s.now()
	return ok(nil)
}

func (s *Server) speedUpAudit(c *call) reply {
	var in struct {
		AuditID number `json:"auditid"`
	}
	if rep := c.decode(&in); rep.code != 0 {
		return rep
	}
	found := s.st.Audits[int64(in.AuditID)]
	switch {
	case found == nil || found.AppID != c.acct.AppID || found.Console || !found.open():
		return fail(89402)
	case found.SpedUp:
		return fail(89404)
	case c.acct.NoSpeedUp:
		return fail(89403)
	case s.st.Settings.SpeedUpRest <= 0:
		return fail(89405)
	}
	found.SpedUp = true
	s.st.Settings.SpeedUpRest--
	return ok(nil)
}

func (s *Server) queryQuota(*call) reply {
	set := s.st.Settings
	return ok(fields{"rest": set.AuditRest, "limit": set.AuditLimit, "speedup_rest": set.SpeedUpRest, "speedup_limit": set.SpeedUpLimit})
}
