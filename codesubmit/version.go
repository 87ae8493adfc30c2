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

	Domains        *DomainLists `json:"domains" doc:"Server domains that work for users now; null: WeChat does not tell."`
	WebviewDomains []string     `json:"webview_domains" doc:"Web-view domains that work for users now; null: WeChat does not tell."`
	PrivacyMissing []string     `json:"privacy_missing" doc:"Kinds of data found in the code for which the privacy guideline has no text; null: WeChat does not tell."`

	Ours        OurSlots     `json:"ours" doc:"What we think, from the submissions of our rollouts."`
	Differences []Difference `json:"differences" doc:"Where WeChat has something else than we think."`
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

// Versions reads live what WeChat has of a mini program and lays beside it what we think.
func (s *Service) Versions(ctx context.Context, appid, lang string) (Slots, error) {
	var now atWeChat
	asked := s.cfg.Now()
	if err := s.readFor(ctx, appid, func(ctx context.Context, api *wechat.Authorizer) (err error) {
		now, err = readVersions(ctx, api)
		return err
	}); err != nil {
		return Slots{}, err
	}
	s.sawLive(ctx, appid, now.info.Live, asked)
	ours, err := s.ours(ctx, appid)
	if err != nil {
		return Slots{}, err
	}
	slots := now.slots
	slots.Ours, slots.Differences = ours.view(), []Difference{}
	for _, d := range ours.differences(now) {
		slots.Differences = append(slots.Differences, Difference{d.slot, d.fact.In(lang)})
	}
	return slots, nil
}

// atWeChat is what WeChat has of a mini program.
type atWeChat struct {
	slots     Slots
	info      wechat.VersionInfo
	effective *wechat.Domains // nil: WeChat does not tell
}

func readVersions(ctx context.Context, api *wechat.Authorizer) (atWeChat, error) {
	slots := Slots{History: []HistorySlot{}}
	info, err := api.VersionInfo(ctx)
	now := atWeChat{info: info}
	if err != nil {
		return now, err
	}
	slots.Experience, slots.Live = slotOf(info.Exp), slotOf(info.Live)
	latest, err := api.LatestAuditStatus(ctx)
	switch {
	case wechat.IsCode(err, 85058): // never submitted through this platform
	case err != nil:
		return now, err
	default:
		slots.Audit = &AuditSlot{
			Slot: Slot{latest.UserVersion, latest.UserDesc, unix(latest.SubmitTime)}, AuditID: formatID(latest.AuditID),
			Status: int(latest.State), Reason: plainReason(latest.Reason),
		}
	}
	history, err := api.HistoryVersions(ctx)
	if err != nil {
		return now, err
	}
	for _, h := range history {
		slots.History = append(slots.History, HistorySlot{Slot{h.UserVersion, h.UserDesc, unix(h.CommitTime)}, int64(h.AppVersion)})
	}
	plan, err := api.GrayPlan(ctx)
	if err != nil {
		return now, err
	}
	if running(plan) {
		slots.Gray = &GraySlot{int(plan.Status), int(plan.Percentage), unix(plan.CreateTime)}
	}
	open, err := api.VisitStatus(ctx)
	if open {
		slots.VisitStatus = 1
	}
	if err != nil {
		return now, err
	}
	// The rest is told where WeChat tells it: individuals, for instance, have no web-view domains to ask for.
	if domains, err := api.EffectiveDomain(ctx); err == nil {
		now.effective = &domains.Effective
		slots.Domains = new(domainLists(domains.Effective))
	}
	if domains, err := api.EffectiveWebviewDomain(ctx); err == nil {
		slots.WebviewDomains = orEmpty(domains.Effective)
	}
	if privacy, err := api.Privacy(ctx, wechat.PrivacyDevelopment); err == nil {
		slots.PrivacyMissing = orEmpty(keysWithoutText(privacy, nil))
	}
	now.slots = slots
	return now, nil
}

func slotOf(v *wechat.Version) *Slot {
	if v == nil {
		return nil
	}
	return &Slot{v.Version, v.Desc, unix(v.Time)}
}

func unix(seconds wechat.Int) time.Time { return time.Unix(int64(seconds), 0).UTC() }
