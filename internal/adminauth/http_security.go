package adminauth

import (
	"context"
	"net/http"

	"github.com/danielgtaylor/huma/v2"
)

// SecurityInfo is what administrators decided for everybody.
type SecurityInfo struct {
	RequireTOTP        bool `json:"require_totp" doc:"Users without a second factor may do nothing but set one up. API keys go on."`
	AuditRetentionDays int  `json:"audit_retention_days" doc:"Days that audit entries are kept; 0: for good."`
}

type changeSecurityInput struct {
	Body struct {
		RequireTOTP        *bool `json:"require_totp,omitempty"`
		AuditRetentionDays *int  `json:"audit_retention_days,omitempty" minimum:"0" maximum:"3650"`
	}
}

func (s *Service) routeSecurity(api huma.API) {
	const tag = "security"
	type output struct{ Body SecurityInfo }
	answer := func(ctx context.Context) (*output, error) {
		p, err := s.policy(ctx)
		return &output{SecurityInfo(p)}, err
	}
	huma.Register(api, Op(http.MethodGet, "/security", "get-security", "What is required of users, and how long the audit log is kept", Admin, tag),
		func(ctx context.Context, _ *struct{}) (*output, error) { return answer(ctx) })
	huma.Register(api, Op(http.MethodPatch, "/security", "change-security", "Change what is required of users, or how long the audit log is kept", Admin, tag),
		func(ctx context.Context, in *changeSecurityInput) (*output, error) {
			if err := s.changePolicy(ctx, in.Body.RequireTOTP, in.Body.AuditRetentionDays, UserFrom(ctx).Username); err != nil {
				return nil, err
			}
			return answer(ctx)
		})
}
