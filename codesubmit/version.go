package codesubmit

import (
	"context"
	"time"

	"github.com/wxsteward/wxsteward/internal/wechat"
)

// Slots are what WeChat has of one mini program now: three versions that change independently of each other.
type Slots struct {
	Experience *Slot         `json:"experience" doc:"Trial version (体验版)."`
	Audit      *AuditSlot    `json:"audit" doc:"Last version submitted through this platform."`
	Live       *Slot         `json:"live"`
	History    []HistorySlot `json:"history" doc:"Versions that a rollback can go to, at most five."`
	Gray       *GraySlot     `json:"gray" doc:"Gray release (分阶段发布) under way."`
	// VisitStatus is 1 while users are served, 0 while the service is suspended.
	VisitStatus int `json:"visit_status"`
}

// Slot is one version.
type Slot struct {
	UserVersion string    `json:"user_version"`
	UserDesc    string    `json:"user_desc"`
	At          time.Time `json:"at"`
}

// AuditSlot is the last submitted version and what became of it.
type AuditSlot struct {
	Slot

	AuditID string `json:"audit_id"`
	Status  int    `json:"status" doc:"0 approved, 1 rejected, 2 under audit, 3 withdrawn, 4 delayed."`
	Reason  string `json:"reason"`
}

// HistorySlot is a version that was live before.
type HistorySlot struct {
	Slot

	AppVersion int64 `json:"app_version"`
}

// GraySlot is a gray release.
type GraySlot struct {
	Status     int       `json:"status" doc:"1 running, 2 paused."`
	Percentage int       `json:"percentage"`
	At         time.Time `json:"at"`
}

// Versions reads live what WeChat has of a mini program.
func (s *Service) Versions(ctx context.Context, appid string) (Slots, error) {
	api := s.merchants.API(appid)
	slots := Slots{History: []HistorySlot{}}
	release, err := s.reads.Acquire(ctx, appid)
	if err != nil {
		return slots, err
	}
	defer release()
	info, err := api.VersionInfo(ctx)
	if err != nil {
		return slots, err
	}
	slots.Experience, slots.Live = slotOf(info.Exp), slotOf(info.Live)
	latest, err := api.LatestAuditStatus(ctx)
	switch {
	case wechat.IsCode(err, 85058): // never submitted through this platform
	case err != nil:
		return slots, err
	default:
		slots.Audit = &AuditSlot{
			Slot: Slot{latest.UserVersion, latest.UserDesc, unix(latest.SubmitTime)}, AuditID: formatID(latest.AuditID),
			Status: int(latest.State), Reason: plainReason(latest.Reason),
		}
	}
	history, err := api.HistoryVersions(ctx)
	if err != nil {
		return slots, err
	}
	for _, h := range history {
		slots.History = append(slots.History, HistorySlot{Slot{h.UserVersion, h.UserDesc, unix(h.CommitTime)}, int64(h.AppVersion)})
	}
	plan, err := api.GrayPlan(ctx)
	if err != nil {
		return slots, err
	}
	if plan != nil && (plan.Status == 1 || plan.Status == 2) {
		slots.Gray = &GraySlot{int(plan.Status), int(plan.Percentage), unix(plan.CreateTime)}
	}
	open, err := api.VisitStatus(ctx)
	if open {
		slots.VisitStatus = 1
	}
	return slots, err
}

func slotOf(v *wechat.Version) *Slot {
	if v == nil {
		return nil
	}
	return &Slot{v.Version, v.Desc, unix(v.Time)}
}

func unix(seconds wechat.Int) time.Time { return time.Unix(int64(seconds), 0).UTC() }
