package codesubmit

import (
	"context"
	"errors"

	"github.com/jackc/pgx/v5"

	"github.com/wxsteward/wxsteward/authorize"
	"github.com/wxsteward/wxsteward/internal/fault"
)

// Preview is what a rollout would commit for one merchant, beside what it has now.
type Preview struct {
	AppID, NickName string
	ExtJSON         string // empty when it cannot be made
	Problems        []*StepError
	LastExtJSON     *string // of our last released version, else of our last commit; nil: there is none
	LastUserVersion string
}

// PreviewRollout makes one merchant's ext_json without asking WeChat. Only ext_json and template_id of the spec count.
func (s *Service) PreviewRollout(ctx context.Context, spec *Spec, appid string) (Preview, error) {
	spec.normalise()
	if err := checkExtJSON(spec.ExtJSON); err != nil {
		return Preview{}, fault.Invalid("body.ext_json", "%s", nil, err)
	}
	targets, _, err := s.merchants.Targets(ctx, authorize.TargetQuery{AppIDs: []string{appid}})
	if err != nil {
		return Preview{}, err
	}
	if len(targets) == 0 {
		return Preview{}, fault.Invalid("body.appid", "These merchants are not on record: %s.", appid, appid)
	}
	pages, err := s.templatePages(ctx, spec.TemplateID)
	if err != nil {
		return Preview{}, err
	}
	m := targets[0]
	p := Preview{AppID: m.AppID, NickName: m.NickName, Problems: inspectRecord(m, spec, pages)}
	if text, err := renderExtJSON(spec.ExtJSON, m); err == nil {
		p.ExtJSON = text
	}
	const q = `SELECT ext_json, user_version FROM submission WHERE appid = $1 AND ext_json <> '' ORDER BY state = 'released' DESC, id DESC LIMIT 1`
	err = s.db.QueryRow(ctx, q, appid).Scan(&p.LastExtJSON, &p.LastUserVersion)
	if errors.Is(err, pgx.ErrNoRows) {
		err = nil
	}
	return p, err
}
