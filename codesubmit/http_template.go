package codesubmit

import (
	"context"
	"net/http"
	"strconv"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"github.com/wxsteward/wxsteward/internal/adminauth"
	"github.com/wxsteward/wxsteward/internal/fault"
	"github.com/wxsteward/wxsteward/internal/httpserver"
	"github.com/wxsteward/wxsteward/internal/wechat"
)

// DraftView is an upload waiting in the draft box.
type DraftView struct {
	DraftID     int64     `json:"draft_id"`
	CreateTime  time.Time `json:"create_time"`
	UserVersion string    `json:"user_version"`
	UserDesc    string    `json:"user_desc"`
	SourceAppID string    `json:"source_miniprogram_appid"`
	SourceName  string    `json:"source_miniprogram"`
	Developer   string    `json:"developer"`
}

// TemplateView is a version in the template library.
type TemplateView struct {
	TemplateID   int64     `json:"template_id"`
	DraftID      *int64    `json:"draft_id"`
	CreateTime   time.Time `json:"create_time"`
	UserVersion  string    `json:"user_version"`
	UserDesc     string    `json:"user_desc"`
	SourceAppID  string    `json:"source_miniprogram_appid"`
	SourceName   string    `json:"source_miniprogram"`
	Developer    string    `json:"developer"`
	TemplateType int64     `json:"template_type" doc:"0 ordinary, 1 standard (withdrawn by WeChat)."`
	UsedBy       int       `json:"used_by" doc:"Submissions under way with it."`
	Live         int64     `json:"live" doc:"Mini programs whose live version was made of it, by our record."`
}

func templateView(t wechat.Template, use TemplateUse) TemplateView {
	v := TemplateView{
		TemplateID: int64(t.TemplateID), CreateTime: time.Unix(int64(t.CreateTime), 0).UTC(), UserVersion: t.UserVersion,
		UserDesc: t.UserDesc, SourceAppID: t.SourceAppID, SourceName: t.SourceName, Developer: t.Developer, TemplateType: int64(t.TemplateType),
		UsedBy: use.Open, Live: use.Live,
	}
	if t.DraftID != nil {
		v.DraftID = new(int64(*t.DraftID))
	}
	return v
}

func (s *Service) routeTemplates(api huma.API) {
	huma.Register(api, adminauth.Op(http.MethodGet, "/template-drafts", "list-template-drafts", "List the draft box", adminauth.Viewer, tagTemplates),
		func(ctx context.Context, _ *struct{}) (*struct{ Body httpserver.Page[DraftView] }, error) {
			list, err := s.Drafts(ctx)
			if err != nil {
				return nil, err
			}
			page := httpserver.Page[DraftView]{Items: make([]DraftView, 0, len(list)), Total: new(int64(len(list)))}
			for _, d := range list {
				page.Items = append(page.Items, DraftView{
					DraftID: int64(d.DraftID), CreateTime: time.Unix(int64(d.CreateTime), 0).UTC(), UserVersion: d.UserVersion,
					UserDesc: d.UserDesc, SourceAppID: d.SourceAppID, SourceName: d.SourceName, Developer: d.Developer,
				})
			}
			return &struct{ Body httpserver.Page[DraftView] }{page}, nil
		})
	huma.Register(api, adminauth.Op(http.MethodGet, "/templates", "list-templates", "List the template library, newest first", adminauth.Viewer, tagTemplates),
		func(ctx context.Context, _ *struct{}) (*struct {
			Body httpserver.Page[TemplateView]
		}, error,
		) {
			list, err := s.TemplateList(ctx)
			if err != nil {
				return nil, err
			}
			uses, err := s.TemplateUses(ctx)
			if err != nil {
				return nil, err
			}
			page := httpserver.Page[TemplateView]{Items: make([]TemplateView, 0, len(list)), Total: new(int64(len(list)))}
			for _, t := range list {
				page.Items = append(page.Items, templateView(t, uses[int64(t.TemplateID)]))
			}
			return &struct {
				Body httpserver.Page[TemplateView]
			}{page}, nil
		})
	add := adminauth.Op(http.MethodPost, "/templates", "add-template", "Freeze a draft as a template", adminauth.Operator, tagTemplates)
	add.DefaultStatus = http.StatusCreated
	huma.Register(api, add, func(ctx context.Context, in *struct {
		Body struct {
			DraftID int64 `json:"draft_id" minimum:"0"`
		}
	},
	) (*struct{ Body TemplateView }, error) {
		t, err := s.AddTemplate(ctx, in.Body.DraftID)
		if err != nil {
			return nil, err
		}
		adminauth.SetTarget(ctx, strconv.FormatInt(int64(t.TemplateID), 10))
		return &struct{ Body TemplateView }{templateView(t, TemplateUse{})}, nil
	})
	huma.Register(api, adminauth.Op(http.MethodDelete, "/templates/{template_id}", "delete-template", "Delete a template", adminauth.Operator, tagTemplates),
		func(ctx context.Context, in *struct {
			TemplateID string `path:"template_id" maxLength:"20"`
			Force      bool   `query:"force" doc:"Delete it though rollouts under way use it."`
		},
		) (*struct{}, error) {
			id, err := strconv.ParseInt(in.TemplateID, 10, 64)
			if err != nil || id < 0 {
				return nil, fault.New(fault.NotFound, "There is no template %q.", in.TemplateID)
			}
			return nil, s.DeleteTemplate(ctx, id, in.Force)
		})
}

// Overview is what the dashboard shows of this package.
type Overview struct {
	Rollouts    map[string]int `json:"rollouts" doc:"Rollouts by state."`
	Submissions map[string]int `json:"submissions" doc:"Submissions by state, over all rollouts."`
}

func (s *Service) routeOverview(api huma.API) {
	huma.Register(api, adminauth.Op(http.MethodGet, "/rollouts/overview", "get-rollout-overview", "Rollouts and submissions by state", adminauth.Viewer, tagRollouts),
		func(ctx context.Context, _ *struct{}) (*struct{ Body Overview }, error) {
			rollouts, submissions, err := s.Counts(ctx)
			if err != nil {
				return nil, err
			}
			view := Overview{Rollouts: map[string]int{}, Submissions: map[string]int{}}
			for state, n := range rollouts {
				view.Rollouts[string(state)] = n
			}
			for state, n := range submissions {
				view.Submissions[string(state)] = n
			}
			return &struct{ Body Overview }{view}, nil
		})
}
