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
	AppIDs   []string     `json:"appids,omitempty" maxItems:"20000" doc:"Empty: all merchants that the rollout has released."`
	Strategy StrategySpec `json:"strategy,omitzero" doc:"Only canary, batch_size and max_failed_percent count."`
}

func (in *rollbackInput) request() RollBackRequest {
	if in.Body == nil {
		return RollBackRequest{}
	}
	return RollBackRequest{AppIDs: in.Body.AppIDs, Strategy: in.Body.Strategy}
}

func (s *Service) routeRollback(api huma.API) {
	preflight := adminauth.Op(http.MethodPost, "/rollouts/{id}/rollback/preflight", "preflight-rollback", "Which merchants of a rollout can go back, and to what; changes nothing", adminauth.Operator, tagRollouts)
	preflight.MaxBodyBytes = 4 << 20
	huma.Register(api, preflight, func(ctx context.Context, in *rollbackInput) (*struct{ Body RollbackPreflight }, error) {
		id, err := in.number()
		if err != nil {
			return nil, err
		}
		result, err := s.PreflightRollback(ctx, id, in.request().AppIDs, fault.LangFrom(ctx))
		return &struct{ Body RollbackPreflight }{result}, err
	})

	create := adminauth.Atomic(adminauth.Op(http.MethodPost, "/rollouts/{id}/rollback", "roll-back-rollout", "Take the merchants of a rollout back to the version they had before it", adminauth.Operator, tagRollouts))
	create.DefaultStatus = http.StatusCreated
	create.MaxBodyBytes = 4 << 20
	huma.Register(api, create, func(ctx context.Context, in *rollbackInput) (*rolloutOutput, error) {
		id, err := in.number()
		if err != nil {
			return nil, err
		}
		lang := fault.LangFrom(ctx)
		r, err := s.RollBack(ctx, id, in.request(), adminauth.UserFrom(ctx).Username, lang, func(tx pgx.Tx, r *Rollout) error {
			return adminauth.SaveAnswer(ctx, tx, http.StatusCreated, rolloutView(r, lang))
		})
		if err != nil {
			return nil, err
		}
		adminauth.SetTarget(ctx, strconv.FormatInt(r.ID, 10))
		return &rolloutOutput{rolloutView(r, lang)}, nil
	})
}
