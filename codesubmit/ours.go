package codesubmit

import (
	"context"
	"math"
	"strconv"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/wxsteward/wxsteward/internal/fault"
	"github.com/wxsteward/wxsteward/internal/wechat"
)

// OurSlots are the versions that we think are in WeChat's slots; null where no rollout has put any there.
type OurSlots struct {
	Trial *OurSlot `json:"trial"`
	Audit *OurSlot `json:"audit"`
	Live  *OurSlot `json:"live"`
}

// OurSlot is the submission that came to a slot last.
type OurSlot struct {
	SubmissionID string    `json:"submission_id"`
	RolloutID    string    `json:"rollout_id"`
	UserVersion  string    `json:"user_version"`
	State        State     `json:"state" doc:"Of the submission."`
	At           time.Time `json:"at"`
}

// Difference is something that WeChat has otherwise than we think.
type Difference struct {
	Slot   string `json:"slot" enum:"trial,audit,live,gray,domains,privacy"`
	Detail string `json:"detail"`
}

// ours is what our record says of a mini program.
type ours struct {
	trial, audit, live *ourSubmission
	graying            *Submission
}

type ourSubmission struct {
	*Submission
	at      time.Time
	domains *DomainSpec // that its rollout wants
}

type difference struct {
	slot string
	fact Fact
}

// ours finds the submissions that came to WeChat's slots last.
func (s *Service) ours(ctx context.Context, appid string) (ours, error) {
	var o ours
	rows, err := s.db.Query(ctx, `SELECT DISTINCT ON (st.name) `+submissionColumns+`, st.name, st.finished_at, r.spec -> 'domains'
		FROM submission s JOIN submission_step st ON st.submission_id = s.id JOIN rollout r ON r.id = s.rollout_id
		WHERE s.appid = $1 AND st.state = 'done' AND st.name IN ('committing', 'submitting', 'released') AND st.finished_at IS NOT NULL
		ORDER BY st.name, st.finished_at DESC`, appid)
	if err != nil {
		return o, err
	}
	_, err = pgx.CollectRows(rows, func(row pgx.CollectableRow) (struct{}, error) {
		found := &ourSubmission{Submission: &Submission{}}
		var step State
		err := row.Scan(append(found.columns(), &step, &found.at, &found.domains)...)
		switch step {
		case Committing:
			o.trial = found
		case Submitting:
			o.audit = found
		default:
			o.live = found
		}
		return struct{}{}, err
	})
	if err != nil {
		return o, err
	}
	open, err := s.olderOpen(ctx, appid, math.MaxInt64)
	for _, sub := range open {
		if sub.graying() {
			o.graying = sub
		}
	}
	return o, err
}

func (o ours) view() OurSlots {
	return OurSlots{o.trial.view(), o.audit.view(), o.live.view()}
}

func (o *ourSubmission) view() *OurSlot {
	if o == nil {
		return nil
	}
	return &OurSlot{
		SubmissionID: formatID(o.ID), RolloutID: formatID(o.RolloutID), UserVersion: o.UserVersion, State: o.State, At: o.at.UTC(),
	}
}

// shows reports whether a version is the one this submission put there.
func (o *ourSubmission) shows(v *wechat.Version) bool {
	if o.back != nil {
		return v.Version == o.back.To && (v.Desc == o.back.ToDesc || v.Desc == "")
	}
	return o.is(v)
}

// differences compares what we think with what WeChat has. Where we think nothing there is none.
func (o ours) differences(now atWeChat) []difference {
	var list []difference
	add := func(slot string, fact Fact) { list = append(list, difference{slot, fact}) }
	switch trial := now.info.Exp; {
	case o.trial == nil:
	case trial == nil:
		add("trial", factOf("We think version %s is the trial version; WeChat shows none.", o.trial.UserVersion))
	case !o.trial.shows(trial):
		add("trial", factOf("We think version %s of ours is the trial version; WeChat has version %s of somebody else.", o.trial.UserVersion, trial.Version))
	}
	switch audit := now.slots.Audit; {
	case o.audit == nil:
	case audit == nil:
		add("audit", factOf("We think version %s was submitted last; WeChat knows of no audit.", o.audit.UserVersion))
	case audit.AuditID != formatID(o.audit.AuditID):
		add("audit", factOf("We think audit %s of version %s is the last; WeChat has audit %s of version %s.", formatID(o.audit.AuditID), o.audit.UserVersion, audit.AuditID, audit.UserVersion))
	case o.audit.AuditStatus != nil && *o.audit.AuditStatus != audit.Status:
		add("audit", factOf("We think audit %s is %s; WeChat says %s.", audit.AuditID, auditStatus(*o.audit.AuditStatus), auditStatus(audit.Status)))
	}
	switch live := now.info.Live; {
	case o.live == nil:
	case live == nil:
		add("live", factOf("We think version %s is live; WeChat shows none.", o.live.UserVersion))
	case !o.live.shows(live):
		add("live", factOf("We think version %s of ours is live; WeChat has version %s.", o.live.UserVersion, live.Version))
	}
	switch gray := now.slots.Gray; {
	case gray == nil && o.graying != nil:
		add("gray", factOf("We think %d percent of the users have version %s; WeChat shows no gray release.", o.graying.gray.Percentage, o.graying.UserVersion))
	case gray != nil && o.graying == nil:
		add("gray", factOf("A gray release to %d percent is under way that no rollout of ours follows.", gray.Percentage))
	case gray != nil && gray.Percentage != o.graying.gray.Percentage:
		add("gray", factOf("We think %d percent of the users have version %s; WeChat says %d.", o.graying.gray.Percentage, o.graying.UserVersion, gray.Percentage))
	}
	if o.live != nil && o.live.domains != nil && now.effective != nil {
		if gaps := domainGaps(o.live.domains.server(wechat.Domains{}), *now.effective, false); len(gaps) > 0 {
			add("domains", factOf("The live version wants domains that do not work for users: %s.", strings.Join(gaps, ", ")))
		}
	}
	if len(now.slots.PrivacyMissing) > 0 {
		add("privacy", factOf("The privacy guideline has no text for: %s.", strings.Join(now.slots.PrivacyMissing, ", ")))
	}
	return list
}

// auditStatus is WeChat's status of an audit inside a sentence.
type auditStatus int

// In is the status in a language.
func (s auditStatus) In(lang string) string {
	names := map[wechat.AuditState][2]string{
		wechat.AuditApproved: {"approved", "审核通过"}, wechat.AuditRejected: {"rejected", "审核未通过"}, wechat.AuditRunning: {"under way", "审核中"},
		wechat.AuditWithdrawn: {"withdrawn", "已撤回"}, wechat.AuditDelayed: {"postponed", "延后"},
	}
	name, known := names[wechat.AuditState(s)]
	if !known {
		name[0] = strconv.Itoa(int(s))
	}
	return word(name[0], name[1], lang)
}

// String is the status in English, for the log.
func (s auditStatus) String() string { return s.In(fault.English) }
