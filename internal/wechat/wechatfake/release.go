package wechatfake

import (
	"encoding/json"
	"slices"
	"strconv"
	"time"
)

// release is a version in the LIVE slot or its history.
type release struct {
	code
	AppVersion int   `json:"app_version"`
	ReleasedAt int64 `json:"released_at"`
	RolledBack bool  `json:"rolled_back"` // reached by a rollback
}

const keptVersions = 5

// release publishes the last approved version: 85019 nothing was submitted, 85020 not approved, 85052 already online.
func (s *Server) release(c *call) reply {
	if rep := s.releasable(c.acct); rep.code != 0 {
		return rep
	}
	if c.overlaps {
		return fail(9402202)
	}
	s.goLive(c.acct, s.latest(c.acct))
	return ok(nil)
}

func (s *Server) releasable(a *account) reply {
	found := s.latest(a)
	switch {
	case found == nil:
		return fail(85019)
	case found.Status != AuditApproved:
		return fail(85020)
	case found.Released:
		return fail(85052)
	case s.st.Settings.SubmitICPCode != 0 && a.ICPStatus != 6:
		return fail(s.st.Settings.SubmitICPCode)
	}
	return reply{}
}

// goLive puts an approved version online and with it the domain lists and the privacy guideline; it ends a gray plan.
func (s *Server) goLive(a *account, found *audit) {
	a.Counter++
	if a.Live != nil {
		a.History = append([]release{*a.Live}, a.History...)
		a.History = a.History[:min(len(a.History), keptVersions)]
	}
	a.Live = &release{code: found.Code, AppVersion: a.Counter, ReleasedAt: s.now().Unix()}
	found.Released = true
	if a.Gray.open() {
		a.Gray.Status = grayFinished
	}
	s.applyDomains(a)
	if found.Privacy != nil {
		a.LivePrivacy = found.Privacy.clone()
	}
}

// revertRelease goes back to an earlier version. Modelled: after a rollback without app_version another one answers
// 87012, but a version still in the list can be named.
func (s *Server) revertRelease(c *call) reply {
	a := c.acct
	if c.query.Get("action") == "get_history_version" {
		c.ep.reads = true
		versions := []fields{}
		for _, old := range a.History {
			versions = append(versions, fields{"app_version": old.AppVersion, "user_version": old.UserVersion, "user_desc": old.UserDesc, "commit_time": old.At})
		}
		return ok(fields{"version_list": versions})
	}
	at := 0
	switch wanted := c.query.Get("app_version"); {
	case c.overlaps:
		return fail(9402202)
	case a.Live != nil && a.Gray.open():
		return fail(87011)
	case a.Live == nil || len(a.History) == 0:
		return fail(87012)
	case wanted != "":
		number, err := strconv.Atoi(wanted)
		at = slices.IndexFunc(a.History, func(old release) bool { return old.AppVersion == number })
		if err != nil || at < 0 {
			return fail(40097)
		}
	case a.Live.RolledBack:
		return fail(87012)
	}
	target := a.History[at]
	target.RolledBack, target.ReleasedAt = true, s.now().Unix()
	a.History = slices.Delete(a.History, at, at+1)
	a.Live = &target
	return ok(nil)
}

const (
	grayRunning  = 1
	grayPaused   = 2
	grayFinished = 3
	grayDeleted  = 4
)

type grayPlan struct {
	Status       int   `json:"status"`
	Created      int64 `json:"create_timestamp"`
	Percentage   int   `json:"gray_percentage"`
	Debuggers    bool  `json:"support_debuger_first"`
	Experiencers bool  `json:"support_experiencer_first"`
	AuditID      int64 `json:"audit_id"`
}

// open reports whether part of the users have the version of the plan.
func (p grayPlan) open() bool { return p.Status == grayRunning || p.Status == grayPaused }

// grayRelease starts or widens a plan: 85079 nothing online, 85080 not approved, 85081 bad percentage, 85082 not larger.
// At 100 percent the version is online.
func (s *Server) grayRelease(c *call) reply {
	var in struct {
		Percentage   *int `json:"gray_percentage"`
		Debuggers    bool `json:"support_debuger_first"`
		Experiencers bool `json:"support_experiencer_first"`
	}
	if rep := c.decode(&in); rep.code != 0 {
		return rep
	}
	a := c.acct
	found := s.latest(a)
	switch {
	case in.Percentage == nil:
		return fail(40097)
	case *in.Percentage < 0 || *in.Percentage > 100 || (*in.Percentage == 0 && !in.Debuggers && !in.Experiencers):
		return fail(85081)
	case c.overlaps:
		return fail(9402202)
	case a.NoBasicInfo:
		return fail(86002)
	case a.Live == nil:
		return fail(85079)
	case found == nil || found.Status != AuditApproved:
		return fail(85080)
	case found.Released:
		return fail(85052)
	}
	running := a.Gray.open() && a.Gray.AuditID == found.ID
	if running && *in.Percentage <= a.Gray.Percentage {
		return fail(85082)
	}
	created := s.now().Unix()
	if running {
		created = a.Gray.Created
	}
	a.Gray = grayPlan{grayRunning, created, *in.Percentage, in.Debuggers, in.Experiencers, found.ID}
	if *in.Percentage == 100 {
		s.goLive(a, found)
	}
	return ok(nil)
}

func (s *Server) revertGray(c *call) reply {
	if !c.acct.Gray.open() {
		return fail(85021) // modelled
	}
	c.acct.Gray.Status = grayDeleted
	return ok(nil)
}

// grayPlanInfo shows zeros when there never was a plan (modelled).
func (s *Server) grayPlanInfo(c *call) reply {
	plan := c.acct.Gray
	return ok(fields{"gray_release_plan": fields{
		"status": plan.Status, "create_timestamp": plan.Created, "gray_percentage": plan.Percentage,
		"support_debuger_first": plan.Debuggers, "support_experiencer_first": plan.Experiencers,
	}})
}

func (s *Server) changeVisitStatus(c *call) reply {
	var in struct {
		Action string `json:"action"`
	}
	if rep := c.decode(&in); rep.code != 0 {
		return rep
	}
	switch {
	case in.Action != "open" && in.Action != "close":
		return fail(85022)
	case c.acct.Live == nil:
		return fail(85021)
	}
	c.acct.Closed = in.Action == "close"
	return ok(nil)
}

func (s *Server) visitStatus(c *call) reply {
	if c.acct.Closed {
		return ok(fields{"status": 0})
	}
	return ok(fields{"status": 1})
}

func libraryVersions() []fields {
	return []fields{
		{"version": "2.10.4", "percentage": 0.2},
		{"version": "2.32.3", "percentage": 8.3},
		{"version": "3.3.4", "percentage": 24.5},
		{"version": "3.8.10", "percentage": 67},
	}
}

func (s *Server) supportVersion(c *call) reply {
	return ok(fields{"now_version": c.acct.MinLib, "uv_info": fields{"items": libraryVersions()}})
}

func (s *Server) setSupportVersion(c *call) reply {
	var in struct {
		Version string `json:"version"`
	}
	if rep := c.decode(&in); rep.code != 0 {
		return rep
	}
	if !slices.ContainsFunc(libraryVersions(), func(v fields) bool { return v["version"] == in.Version }) {
		return fail(89014)
	}
	c.acct.MinLib = in.Version
	return ok(nil)
}

// versionInfo leaves out the object of an empty slot.
func (s *Server) versionInfo(c *call) reply {
	answer := fields{}
	if t := c.acct.Trial; t != nil {
		answer["exp_info"] = fields{"exp_time": t.At, "exp_version": t.UserVersion, "exp_desc": t.UserDesc}
	}
	if live := c.acct.Live; live != nil {
		answer["release_info"] = fields{"release_time": live.ReleasedAt, "release_version": live.UserVersion, "release_desc": live.UserDesc}
	}
	return ok(answer)
}

func (s *Server) setSearchStatus(c *call) reply {
	var in struct {
		Status *int `json:"status"`
	}
	if rep := c.decode(&in); rep.code != 0 {
		return rep
	}
	switch {
	case in.Status == nil || (*in.Status != 0 && *in.Status != 1):
		return fail(85084)
	case c.acct.SearchBanned:
		return fail(85083)
	}
	c.acct.Hidden = *in.Status == 1
	return ok(nil)
}

func (s *Server) searchStatus(c *call) reply {
	if c.acct.Hidden {
		return ok(fields{"status": 1})
	}
	return ok(fields{"status": 0})
}

// PutLive puts a version online without any call, as an earlier platform or the merchant itself may have done. History
// gains the version that was online.
func (s *Server) PutLive(appid, userVersion, userDesc string, pages []string, at time.Time) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	a, err := s.merchant(appid)
	if err != nil {
		return err
	}
	id := s.st.NextAudit
	s.st.NextAudit++
	found := &audit{ID: id, AppID: appid, Status: AuditApproved, SubmittedAt: at.Unix(), DecidedAt: at, Console: true, Request: json.RawMessage(`{}`), Code: code{UserVersion: userVersion, UserDesc: userDesc, Pages: pages, At: at.Unix()}}
	s.st.Audits[id] = found
	a.Audits = append(a.Audits, id)
	s.goLive(a, found)
	a.Live.ReleasedAt = at.Unix()
	s.changed()
	return nil
}
