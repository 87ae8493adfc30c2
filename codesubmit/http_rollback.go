package codesubmit

import (
	"context"
	"net/http"
	"strconv"

	"github.com/danielgtaylor/huma/v2"
	"github.com/jackc/pgx/v5"

	"github.com/wxsteward/wxsteward/internal/adminauth"
	"github.com/wxsteward/wxsteward/internal/fault"
)

type rollbackInput struct {
	IDInput

	Body *rollbackBody
}

type rollbackBody struct {
	AppIDs      []string     `json:"appids,omitempty" maxItems:"20000" doc:"Empty: all merchants that the rollout has released."`
	PreflightID string       `json:"preflight_id,omitempty" maxLength:"20" doc:"In place of appids: the merchants that this preflight of the rollback found ready."`
	Strategy    StrategySpec `json:"strategy,omitzero" doc:"Only canary, batch_size and max_failed_percent count."`
}

func (in *rollbackInput) request() (RollBackRequest, error) {
	if in.Body == nil {
		return RollBackRequest{}, nil
	}
	r := RollBackRequest{AppIDs: in.Body.AppIDs, Strategy: in.Body.Strategy}
	var err error
	if in.Body.PreflightID != "" {
		r.PreflightID, err = idNumber(in.Body.PreflightID)
	}
	return r, err
}

type rollbackPreflightInput struct {
	IDInput

	Body *struct {
		AppIDs []string `json:"appids,omitempty" maxItems:"20000" doc:"Empty: all merchants that the rollout has released."`
	}
}

func (in *rollbackPreflightInput) appids() []string {
	if in.Body == nil {
		return nil
	}
	return in.Body.AppIDs
}

func (s *Service) routeRollback(api huma.API) {
	preflight := adminauth.Op(http.MethodPost, "/rollouts/{id}/rollback/preflight", "preflight-rollback", "Which merchants of a rollout can go back, and to what; changes nothing", adminauth.Operator, tagRollouts)
	preflight.Description = "For at most 200 merchants; POST …/rollback/preflights looks at any number."
	preflight.MaxBodyBytes = maxSpecBytes
	huma.Register(api, preflight, func(ctx context.Context, in *rollbackPreflightInput) (*struct{ Body RollbackPreflight }, error) {
		id, err := in.number()
		if err != nil {
			return nil, err
		}
		result, err := s.PreflightRollback(ctx, id, in.appids(), fault.LangFrom(ctx))
		return &struct{ Body RollbackPreflight }{result}, err
	})

	start := adminauth.Op(http.MethodPost, "/rollouts/{id}/rollback/preflights", "start-rollback-preflight", "Look which merchants of a rollout can go back, in the background, changing nothing", adminauth.Operator, tagPreflights)
	start.Description = "GET /preflights/{id} tells how far it has come, …/items each merchant's way back."
	start.DefaultStatus = http.StatusCreated
	start.MaxBodyBytes = maxSpecBytes
	huma.Register(api, start, func(ctx context.Context, in *rollbackPreflightInput) (*preflightOutput, error) {
		id, err := in.number()
		if err != nil {
			return nil, err
		}
		p, err := s.StartRollbackPreflight(ctx, id, in.appids())
		if err != nil {
			return nil, err
		}
		adminauth.SetTarget(ctx, strconv.FormatInt(p.ID, 10))
		return s.answerPreflight(ctx, p.ID)
	})

	create := adminauth.Atomic(adminauth.Op(http.MethodPost, "/rollouts/{id}/rollback", "roll-back-rollout", "Take the merchants of a rollout back to the version they had before it", adminauth.Operator, tagRollouts))
	create.DefaultStatus = http.StatusCreated
	create.MaxBodyBytes = 4 << 20
	huma.Register(api, create, func(ctx context.Context, in *rollbackInput) (*rolloutOutput, error) {
		id, err := in.number()
		if err != nil {
			return nil, err
		}
		request, err := in.request()
		if err != nil {
			return nil, err
		}
		lang := fault.LangFrom(ctx)
		r, err := s.RollBack(ctx, id, request, adminauth.UserFrom(ctx).Username, lang, func(tx pgx.Tx, r *Rollout) error {
			return adminauth.SaveAnswer(ctx, tx, http.StatusCreated, rolloutView(r, lang))
		})
		if err != nil {
			return nil, err
		}
		adminauth.SetTarget(ctx, strconv.FormatInt(r.ID, 10))
		return &rolloutOutput{rolloutView(r, lang)}, nil
	})
}
