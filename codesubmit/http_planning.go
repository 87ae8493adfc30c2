package codesubmit

import (
	"context"
	"net/http"

	"github.com/danielgtaylor/huma/v2"

	"github.com/wxsteward/wxsteward/internal/adminauth"
	"github.com/wxsteward/wxsteward/internal/fault"
	"github.com/wxsteward/wxsteward/internal/httpserver"
)

// maxSpecBytes is room for a rollout that names 20,000 appids.
const maxSpecBytes = 4 << 20

// TargetView is a merchant that a rollout would be for.
type TargetView struct {
	AppID       string `json:"appid"`
	NickName    string `json:"nick_name"`
	LiveVersion string `json:"live_version" doc:"Empty: nothing is live, or nothing is known."`
}

type targetsOutput struct {
	Body struct {
		Total   int64        `json:"total"`
		Sample  []TargetView `json:"sample" doc:"A few of them."`
		Unknown []string     `json:"unknown" doc:"Appids that are not on record; a rollout with them is refused."`
	}
}

type previewInput struct {
	Body struct {
		Spec

		AppID string `json:"appid" minLength:"1" maxLength:"64" doc:"The merchant to show."`
	}
}

type previewOutput struct {
	Body struct {
		AppID           string    `json:"appid"`
		NickName        string    `json:"nick_name"`
		ExtJSON         string    `json:"ext_json" doc:"As it would be committed; empty where it cannot be made."`
		Problems        []Blocker `json:"problems" doc:"What is wrong with it, as preflight will say."`
		LastExtJSON     *string   `json:"last_ext_json" doc:"Of our last released version, else of the last commit; null: there is none."`
		LastUserVersion string    `json:"last_user_version"`
	}
}

// routePlanning are the questions that the form of a rollout asks while it is filled in. They change nothing and do not
// ask WeChat.
func (s *Service) routePlanning(api huma.API) {
	count := adminauth.Reading(adminauth.Op(http.MethodPost, "/rollouts/targets", "count-rollout-targets", "How many merchants targets name now", adminauth.Viewer, tagRollouts))
	count.MaxBodyBytes = maxSpecBytes
	huma.Register(api, count, func(ctx context.Context, in *struct{ Body Targets }) (*targetsOutput, error) {
		found, err := s.CountTargets(ctx, in.Body)
		if err != nil {
			return nil, err
		}
		out := &targetsOutput{}
		out.Body.Total, out.Body.Sample, out.Body.Unknown = found.Total, []TargetView{}, append([]string{}, found.Unknown...)
		for _, m := range found.Sample {
			out.Body.Sample = append(out.Body.Sample, TargetView{m.AppID, m.NickName, m.UserVersion})
		}
		return out, nil
	})

	preview := adminauth.Reading(adminauth.Op(http.MethodPost, "/rollouts/preview", "preview-rollout", "One merchant's finished ext_json, beside its last one", adminauth.Viewer, tagRollouts))
	preview.MaxBodyBytes = maxSpecBytes
	huma.Register(api, preview, func(ctx context.Context, in *previewInput) (*previewOutput, error) {
		p, err := s.PreviewRollout(ctx, &in.Body.Spec, in.Body.AppID)
		if err != nil {
			return nil, err
		}
		out := &previewOutput{}
		out.Body.AppID, out.Body.NickName, out.Body.ExtJSON = p.AppID, p.NickName, p.ExtJSON
		out.Body.Problems = blockersOf(p.Problems, fault.LangFrom(ctx))
		out.Body.LastExtJSON, out.Body.LastUserVersion = p.LastExtJSON, p.LastUserVersion
		return out, nil
	})
}

func (s *Service) routeExport(api huma.API) {
	op := adminauth.Op(http.MethodGet, "/rollouts/{id}/submissions.csv", "export-submissions", "The submissions of a rollout as CSV, newest first", adminauth.Viewer, tagSubmissions)
	op.Responses = httpserver.CSVAnswer("One row for each merchant.")
	huma.Register(api, op, func(ctx context.Context, in *IDInput) (*huma.StreamResponse, error) {
		id, err := in.number()
		if err != nil {
			return nil, err
		}
		x, err := s.exportSubmissions(ctx, id, fault.LangFrom(ctx))
		if err != nil {
			return nil, err
		}
		return httpserver.StreamCSV("rollout-"+in.ID+"-submissions.csv", x.write), nil
	})
}
