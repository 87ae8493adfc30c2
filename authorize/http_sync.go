package authorize

import (
	"context"
	"net/http"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"github.com/wxsteward/wxsteward/internal/adminauth"
	"github.com/wxsteward/wxsteward/internal/fault"
	"github.com/wxsteward/wxsteward/internal/httpserver"
)

const syncsListed = 30

type syncStarted struct {
	ID string `json:"id"`
}

// SyncItem is a synchronization in a list.
type SyncItem struct {
	ID         string     `json:"id"`
	State      string     `json:"state" enum:"running,completed,failed"`
	Done       int        `json:"done"`
	Total      int        `json:"total" doc:"Merchants listed by WeChat."`
	Failed     int        `json:"failed" doc:"Merchants whose details could not be read; what is known of them is unchanged."`
	Added      int        `json:"added" doc:"Merchants that were not on record, or counted as withdrawn."`
	Recovered  int        `json:"recovered" doc:"Merchants whose refresh token was lost or out of date."`
	Withdrawn  int        `json:"withdrawn" doc:"Merchants that are not authorized any more."`
	StartedBy  string     `json:"started_by" doc:"Empty: by schedule."`
	StartedAt  time.Time  `json:"started_at"`
	ListedAt   *time.Time `json:"listed_at" doc:"From when on all merchants have their tokens back; details follow."`
	FinishedAt *time.Time `json:"finished_at"`
}

type syncBody struct {
	SyncItem

	Errors []string `json:"errors" doc:"What failed, by appid: the first 50 while it runs, all (at most 10,000) when it is over."`
}

func syncItemOf(run Sync) SyncItem {
	return SyncItem{
		run.ID, run.State, run.Done, run.Total, run.Failed, run.Added, run.Recovered, run.Withdrawn, run.StartedBy, run.StartedAt.UTC(),
		utc(run.ListedAt), utc(run.FinishedAt),
	}
}

func (s *Service) registerSync(api huma.API) {
	const merchants = "authorizers"
	start := adminauth.Op(http.MethodPost, "/authorizers/sync", "start-authorizer-sync", "Compare all merchants with WeChat's list", adminauth.Operator, merchants)
	start.DefaultStatus = http.StatusAccepted
	huma.Register(api, start, s.postSync)
	huma.Register(api, adminauth.Op(http.MethodGet, "/authorizers/sync", "list-authorizer-syncs", "The latest synchronizations, newest first", adminauth.Viewer, merchants), s.getSyncs)
	huma.Register(api, adminauth.Op(http.MethodGet, "/authorizers/sync/{id}", "get-authorizer-sync", "How a synchronization is", adminauth.Viewer, merchants), s.getSync)
}

func (s *Service) postSync(ctx context.Context, _ *struct{}) (*body[syncStarted], error) {
	run, err := s.StartSync(ctx, adminauth.UserFrom(ctx).Username)
	if err != nil {
		return nil, err
	}
	return answer(syncStarted{run.ID}), nil
}

func (s *Service) getSyncs(ctx context.Context, _ *struct{}) (*body[httpserver.Page[SyncItem]], error) {
	runs, err := s.Syncs(ctx, syncsListed)
	if err != nil {
		return nil, err
	}
	page := httpserver.Page[SyncItem]{Items: []SyncItem{}}
	for _, run := range runs {
		page.Items = append(page.Items, syncItemOf(run))
	}
	return answer(page), nil
}

func (s *Service) getSync(ctx context.Context, in *linkInput) (*body[syncBody], error) {
	run, failures, err := s.SyncStatus(ctx, in.ID)
	if err != nil {
		return nil, err
	}
	lang := fault.LangFrom(ctx)
	b := syncBody{SyncItem: syncItemOf(run), Errors: []string{}}
	if !run.problem.none() {
		b.Errors = append(b.Errors, run.problem.In(lang))
	}
	for _, f := range failures {
		b.Errors = append(b.Errors, fault.Say(lang, "%s: %s", f.AppID, f.trouble))
	}
	return answer(b), nil
}
