package codesubmit

import (
	"context"
	"net/http"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"github.com/wxsteward/wxsteward/authorize"
	"github.com/wxsteward/wxsteward/internal/adminauth"
	"github.com/wxsteward/wxsteward/internal/httpserver"
)

// LiveVersionView is a version and how many mini programs have it live.
type LiveVersionView struct {
	UserVersion string `json:"user_version" doc:"Empty: nothing is live, or nothing is known."`
	TemplateID  *int64 `json:"template_id" doc:"Null: not released by a rollout, or not known."`
	Merchants   int64  `json:"merchants"`
}

// LiveMerchantView is a mini program and its live version.
type LiveMerchantView struct {
	AppID       string     `json:"appid"`
	NickName    string     `json:"nick_name"`
	UserVersion string     `json:"user_version"`
	TemplateID  *int64     `json:"template_id"`
	ReleasedAt  *time.Time `json:"released_at"`
	SeenAt      *time.Time `json:"seen_at" doc:"When this was last noted or read from WeChat; null: never."`
}

type liveMerchantsInput struct {
	httpserver.ListInput
	UserVersion string `query:"user_version" maxLength:"64" doc:"Exactly; empty: nothing is live, or nothing is known."`
	TemplateID  int64  `query:"template_id" default:"-1" minimum:"-1" doc:"Only those that a rollout gave this template; -1: any."`
}

func (s *Service) routeLive(api huma.API) {
	const path = "/live-versions"
	op := adminauth.Op(http.MethodGet, path, "list-live-versions", "Which versions are live at how many mini programs, the highest first", adminauth.Viewer, tagLive)
	op.Description = "Of mini programs that are authorized now, by our record: it is written with each release and read again from WeChat once a day."
	huma.Register(api, op, func(ctx context.Context, _ *struct{}) (*struct {
		Body httpserver.Page[LiveVersionView]
	}, error,
	) {
		list, err := s.merchants.LiveVersions(ctx)
		if err != nil {
			return nil, err
		}
		page := httpserver.Page[LiveVersionView]{Items: make([]LiveVersionView, 0, len(list)), Total: new(int64(len(list)))}
		for _, c := range list {
			page.Items = append(page.Items, LiveVersionView(c))
		}
		return &struct {
			Body httpserver.Page[LiveVersionView]
		}{page}, nil
	})
	huma.Register(api, adminauth.Op(http.MethodGet, path+"/authorizers", "list-live-version-authorizers", "Mini programs that have a version live, by appid", adminauth.Viewer, tagLive),
		func(ctx context.Context, in *liveMerchantsInput) (*struct {
			Body httpserver.Page[LiveMerchantView]
		}, error,
		) {
			f := authorize.LiveFilter{UserVersion: in.UserVersion, Limit: in.Limit + 1}
			if in.TemplateID >= 0 {
				f.TemplateID = &in.TemplateID
			}
			if err := httpserver.DecodeCursor(in.Cursor, &f.After); err != nil {
				return nil, err
			}
			list, err := s.merchants.LiveAt(ctx, f)
			if err != nil {
				return nil, err
			}
			page := httpserver.Page[LiveMerchantView]{Items: make([]LiveMerchantView, 0, len(list))}
			for i, m := range list {
				if i == in.Limit {
					page.NextCursor = httpserver.EncodeCursor(list[i-1].AppID)
					break
				}
				v := LiveMerchantView{AppID: m.AppID, NickName: m.NickName, UserVersion: m.UserVersion, TemplateID: m.TemplateID, SeenAt: m.SeenAt}
				if !m.At.IsZero() {
					v.ReleasedAt = new(m.At.UTC())
				}
				page.Items = append(page.Items, v)
			}
			return &struct {
				Body httpserver.Page[LiveMerchantView]
			}{page}, nil
		})
}
