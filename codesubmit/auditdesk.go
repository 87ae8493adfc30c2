package codesubmit

import (
	"context"
	"time"

	"github.com/wxsteward/wxsteward/internal/wechat"
)

// DeskState is how an audit stands on the audit desk.
type DeskState string

// The states on the desk. A rejection or withdrawal leaves it when a newer submission of the merchant has come, an
// approval with its release.
const (
	DeskAuditing  DeskState = "auditing"
	DeskDelayed   DeskState = "delayed" // WeChat has postponed it
	DeskRejected  DeskState = "rejected"
	DeskApproved  DeskState = "approved"
	DeskWithdrawn DeskState = "withdrawn"
)

// deskState of a submission that is on the desk.
func deskState(sub *Submission) DeskState {
	switch {
	case sub.State == Rejected:
		return DeskRejected
	case sub.State == Withdrawn:
		return DeskWithdrawn
	case sub.State == Approved:
		return DeskApproved
	case sub.AuditStatus != nil && *sub.AuditStatus == int(wechat.AuditDelayed):
		return DeskDelayed
	default:
		return DeskAuditing
	}
}

// DeskFilter is a page of the audit desk, longest waiting first. Zero fields match everything; State "" is all that
// WeChat reviews now.
type DeskFilter struct {
	State       DeskState
	UserVersion string
	RolloutID   int64
	Query       string // part of the merchant's name, the appid, the version or the reason
	After       *DeskPosition
	Limit       int
}

// DeskPosition is where a page of the desk ends.
type DeskPosition struct {
	SubmittedAt time.Time `json:"t"`
	ID          int64     `json:"i"`
}

// DeskItem is one audit on the desk.
type DeskItem struct {
	*Submission

	RolloutName string
	NickName    string
	Screenshots []int64
	Withdrawals Withdrawals
}

// Desk lists audits, longest waiting first.
func (s *Service) Desk(ctx context.Context, f DeskFilter) ([]DeskItem, error) {
	items, err := s.deskPage(ctx, f)
	if err != nil || len(items) == 0 {
		return items, err
	}
	subs := make([]*Submission, len(items))
	ids, appids := make([]int64, len(items)), make([]string, len(items))
	for i, item := range items {
		subs[i], ids[i], appids[i] = item.Submission, item.ID, item.AppID
	}
	names, err := s.nickNames(ctx, subs)
	if err != nil {
		return nil, err
	}
	shots, err := s.fetchedScreenshots(ctx, ids)
	if err != nil {
		return nil, err
	}
	left, err := s.withdrawalsLeft(ctx, appids)
	if err != nil {
		return nil, err
	}
	for i := range items {
		item := &items[i]
		item.NickName, item.Screenshots, item.Withdrawals = names[item.AppID], shots[item.ID], left[item.AppID]
	}
	return items, nil
}

// DeskSummary counts what is on the desk.
type DeskSummary struct {
	Counts map[DeskState]int
	Oldest *time.Time // when the longest waiting audit began; nil: none waits
	Usual  *time.Duration
	Groups []RejectionGroup
}

// RejectionGroup are rejections for the same reason.
type RejectionGroup struct {
	Reason string // as one of them has it
	Count  int
	IDs    []int64 // at most mostInGroup
}

// mostInGroup is how many submissions of a group are named, so that all can be mended, a thousand with each call.
const mostInGroup = 10000

// Summary counts the audit desk and groups its rejections.
func (s *Service) Summary(ctx context.Context) (DeskSummary, error) {
	sum, err := s.deskCounts(ctx)
	if err != nil {
		return sum, err
	}
	rejected := 0
	if sum.Groups, rejected, err = s.rejectionGroups(ctx); err != nil {
		return sum, err
	}
	if rejected > 0 {
		sum.Counts[DeskRejected] = rejected
	}
	sum.Usual, err = s.usualAudit(ctx)
	return sum, err
}

// WeChat states that a speed-up leads to a decision within 2 to 12 hours.
const spedUpWithin = 12 * time.Hour

// expectedAt is when an audit will probably be decided: after as long as our last ones took. nil: nobody can say.
func expectedAt(sub *Submission, usual *time.Duration) *time.Time {
	if sub.State != Auditing || sub.submittedAt == nil {
		return nil
	}
	var at *time.Time
	if usual != nil {
		at = new(sub.submittedAt.Add(*usual))
	}
	if sub.spedUpAt != nil {
		if sooner := sub.spedUpAt.Add(spedUpWithin); at == nil || sooner.Before(*at) {
			at = &sooner
		}
	}
	return at
}

// auditStatement is what WeChat says about times.
func auditStatement(lang string) string {
	return bilingual{
		"微信说明：审核一般不超过 7 个工作日；加急后 2 至 12 小时；需要报备的类目另加 7 天。",
		"WeChat states: up to 7 working days as a rule; 2 to 12 hours after a speed-up; 7 days more for categories that are reported to authorities.",
	}.in(lang)
}
