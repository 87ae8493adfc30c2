package codesubmit

import (
	"context"
	"strings"

	"github.com/wxsteward/wxsteward/authorize"
	"github.com/wxsteward/wxsteward/internal/fault"
)

// Targets names the merchants: those of the first three add up, below_version leaves some of them.
type Targets struct {
	AppIDs []string `json:"appids,omitempty" maxItems:"20000"`
	Labels []string `json:"labels,omitempty" maxItems:"200" doc:"Mini programs with any of these."`
	All    bool     `json:"all,omitempty" doc:"All mini programs that are authorized now."`
	//nolint:lll // one text
	BelowVersion string `json:"below_version,omitempty" maxLength:"64" doc:"Of those named, or of all if none are, only the ones whose live version is known and below this. Versions are compared part by part: 1.9 is below 1.10, 2.3 is 2.3.0, 2.3.0-beta is below 2.3.0."`
}

func (t Targets) check(location string, wrong *fault.Collector) {
	if len(t.AppIDs) == 0 && len(t.Labels) == 0 && !t.All && strings.TrimSpace(t.BelowVersion) == "" {
		wrong.Add(location, "Name merchants: appids, labels, all or below_version.", nil)
	}
}

func (t Targets) query() authorize.TargetQuery {
	q := authorize.TargetQuery{AppIDs: t.AppIDs, Labels: t.Labels, All: t.All, BelowVersion: strings.TrimSpace(t.BelowVersion)}
	if len(q.AppIDs) == 0 && len(q.Labels) == 0 && q.BelowVersion != "" {
		q.All = true
	}
	return q
}

// CountTargets tells how many merchants a rollout would be for. Naming none is no fault: there are none yet.
func (s *Service) CountTargets(ctx context.Context, t Targets) (authorize.TargetCount, error) {
	return s.merchants.CountTargets(ctx, t.query())
}
