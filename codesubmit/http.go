package codesubmit

import (
	"context"
	"net/http"
	"strconv"
	"time"

	"github.com/danielgtaylor/huma/v2"
	"github.com/jackc/pgx/v5"

	"github.com/wxsteward/wxsteward/internal/adminauth"
	"github.com/wxsteward/wxsteward/internal/fault"
	"github.com/wxsteward/wxsteward/internal/httpserver"
)

const (
	tagTemplates   = "templates"
	tagRollouts    = "rollouts"
	tagSubmissions = "submissions"
	tagPreflights  = "preflights"
	tagProfiles    = "profiles"
	tagLive        = "live versions"
)

// RegisterAPI adds the routes of templates, rollouts and submissions.
func (s *Service) RegisterAPI(api huma.API) {
	s.routeTemplates(api)
	s.routeRollouts(api)
	s.routePlanning(api)
	s.routePreflights(api)
	s.routeProfiles(api)
	s.routeLive(api)
	s.routeExport(api)
	s.routeSubmissions(api)
	s.routeAudits(api)
	s.routeOverview(api)
	s.routeRollback(api)
	s.routeByHand(api)
}

// RolloutView is a rollout as the API shows it.
type RolloutView struct {
	ID          string         `json:"id"`
	Name        string         `json:"name"`
	State       RolloutState   `json:"state" enum:"scheduled,running,paused,completed,canceled"`
	TemplateID  int64          `json:"template_id"`
	UserVersion string         `json:"user_version"`
	UserDesc    string         `json:"user_desc"`
	Counts      map[string]int `json:"counts" doc:"Submissions by state."`
	Total       int            `json:"total"`
	PauseReason string         `json:"pause_reason" doc:"Why it is paused, or what merchants of a running one wait for."`
	HeldUntil   *time.Time     `json:"held_until" doc:"When a window of WeChat's turns that merchants wait for; null: they wait for none."`
	Canary      *CanaryView    `json:"canary_hold" doc:"Canaries that are blocked while the others of a running rollout wait for them; null: none does."`
	CreatedBy   string         `json:"created_by"`
	CreatedAt   time.Time      `json:"created_at"`
	StartAt     *time.Time     `json:"start_at"`
	FinishedAt  *time.Time     `json:"finished_at"`
	Spec        Spec           `json:"spec"`
	Kind        RolloutKind    `json:"kind" enum:"release,rollback" doc:"rollback: takes the merchants of another rollout back."`
	OfRolloutID *string        `json:"of_rollout_id" doc:"The rollout that a rollback takes back."`
}

// CanaryView tells which canaries hold the other merchants of a rollout.
type CanaryView struct {
	Canaries int           `json:"canaries" doc:"Of the rollout."`
	Blocked  []CanaryBlock `json:"blocked"`
	Waiting  int           `json:"waiting" doc:"Merchants that wait for them."`
}

// CanaryBlock is a canary that is blocked, and why.
type CanaryBlock struct {
	SubmissionID string       `json:"submission_id"`
	AppID        string       `json:"appid"`
	NickName     string       `json:"nick_name"`
	Error        *FailureView `json:"error"`
}

func canaryView(h *CanaryHold, lang string) *CanaryView {
	if h == nil {
		return nil
	}
	v := &CanaryView{Canaries: h.Canaries, Waiting: h.Waiting, Blocked: make([]CanaryBlock, 0, len(h.Blocked))}
	for _, b := range h.Blocked {
		v.Blocked = append(v.Blocked, CanaryBlock{formatID(b.SubmissionID), b.AppID, b.NickName, failureView(b.Failure, lang)})
	}
	return v
}

func rolloutView(r *Rollout, lang string) RolloutView {
	counts := make(map[string]int, len(r.Counts))
	for state, n := range r.Counts {
		counts[string(state)] = n
	}
	var of *string
	if r.OfID != 0 {
		of = new(formatID(r.OfID))
	}
	return RolloutView{
		ID: strconv.FormatInt(r.ID, 10), Name: r.Name, State: r.State, TemplateID: r.TemplateID, UserVersion: r.UserVersion,
		UserDesc: r.UserDesc, Counts: counts, Total: r.Total, PauseReason: r.standsFor().In(lang), HeldUntil: r.HeldUntil, Canary: canaryView(r.Canary, lang), CreatedBy: r.CreatedBy,
		CreatedAt: r.CreatedAt.UTC(), StartAt: r.StartAt, FinishedAt: r.FinishedAt, Spec: r.Spec,
		Kind: r.Kind, OfRolloutID: of,
	}
}

type rolloutOutput struct{ Body RolloutView }

// IDInput is an id in the path; it is exported because it is embedded in inputs.
type IDInput struct {
	ID string `path:"id" maxLength:"20"`
}

func (in *IDInput) number() (int64, error) { return idNumber(in.ID) }

func idNumber(id string) (int64, error) {
	n, err := strconv.ParseInt(id, 10, 64)
	if err != nil || n <= 0 {
		return 0, fault.New(fault.NotFound, "There is nothing with the id %q.", id)
	}
	return n, nil
}

type listRolloutsInput struct {
	httpserver.ListInput
	State RolloutState `query:"state" enum:"scheduled,running,paused,completed,canceled"`
	Query string       `query:"q" maxLength:"100" doc:"Part of the name or version."`
}

func (s *Service) routeRollouts(api huma.API) {
	create := adminauth.Atomic(adminauth.Op(http.MethodPost, "/rollouts", "create-rollout", "Create a rollout and start it", adminauth.Operator, tagRollouts))
	create.DefaultStatus = http.StatusCreated
	create.MaxBodyBytes = 4 << 20
	huma.Register(api, create, func(ctx context.Context, in *struct{ Body Spec }) (*rolloutOutput, error) {
		r, err := s.CreateRollout(ctx, in.Body, adminauth.UserFrom(ctx).Username, func(tx pgx.Tx, r *Rollout) error {
			return adminauth.SaveAnswer(ctx, tx, http.StatusCreated, rolloutView(r, fault.LangFrom(ctx)))
		})
		if err != nil {
			return nil, err
		}
		adminauth.SetTarget(ctx, strconv.FormatInt(r.ID, 10))
		return &rolloutOutput{rolloutView(r, fault.LangFrom(ctx))}, nil
	})

	huma.Register(api, adminauth.Op(http.MethodGet, "/rollouts", "list-rollouts", "List rollouts, newest first", adminauth.Viewer, tagRollouts),
		func(ctx context.Context, in *listRolloutsInput) (*struct {
			Body httpserver.Page[RolloutView]
		}, error,
		) {
			f := RolloutFilter{State: in.State, Query: in.Query, Limit: in.Limit + 1}
			if err := httpserver.DecodeCursor(in.Cursor, &f.After); err != nil {
				return nil, err
			}
			list, total, err := s.Rollouts(ctx, f)
			if err != nil {
				return nil, err
			}
			page := httpserver.Page[RolloutView]{Items: make([]RolloutView, 0, len(list)), Total: &total}
			for i, r := range list {
				if i == in.Limit {
					page.NextCursor = httpserver.EncodeCursor(list[i-1].ID)
					break
				}
				page.Items = append(page.Items, rolloutView(r, fault.LangFrom(ctx)))
			}
			return &struct {
				Body httpserver.Page[RolloutView]
			}{page}, nil
		})

	huma.Register(api, adminauth.Op(http.MethodGet, "/rollouts/{id}", "get-rollout", "One rollout with its counts", adminauth.Viewer, tagRollouts),
		func(ctx context.Context, in *IDInput) (*rolloutOutput, error) {
			return s.answerRollout(ctx, in, func(id int64) (*Rollout, error) { return s.Rollout(ctx, id) })
		})
	huma.Register(api, adminauth.Op(http.MethodPatch, "/rollouts/{id}", "change-rollout", "Change what has not happened yet", adminauth.Operator, tagRollouts),
		func(ctx context.Context, in *struct {
			IDInput

			Body struct {
				Name     *string       `json:"name,omitempty" maxLength:"128"`
				Release  *ReleaseSpec  `json:"release,omitempty"`
				Strategy *StrategySpec `json:"strategy,omitempty"`
				StartAt  *time.Time    `json:"start_at,omitempty"`
			}
		},
		) (*rolloutOutput, error) {
			return s.answerRollout(ctx, &in.IDInput, func(id int64) (*Rollout, error) {
				return s.ChangeRollout(ctx, id, RolloutChange{in.Body.Name, in.Body.Release, in.Body.Strategy, in.Body.StartAt})
			})
		})
	huma.Register(api, adminauth.Op(http.MethodPost, "/rollouts/{id}/pause", "pause-rollout", "Hold a rollout", adminauth.Operator, tagRollouts),
		func(ctx context.Context, in *IDInput) (*rolloutOutput, error) {
			reason := factOf("paused by %s", adminauth.UserFrom(ctx).Username)
			return s.answerRollout(ctx, in, func(id int64) (*Rollout, error) { return s.PauseRollout(ctx, id, reason) })
		})
	huma.Register(api, adminauth.Op(http.MethodPost, "/rollouts/{id}/resume", "resume-rollout", "Go on with a paused rollout", adminauth.Operator, tagRollouts),
		func(ctx context.Context, in *IDInput) (*rolloutOutput, error) {
			return s.answerRollout(ctx, in, func(id int64) (*Rollout, error) { return s.ResumeRollout(ctx, id) })
		})
	promote := adminauth.Op(http.MethodPost, "/rollouts/{id}/promote", "promote-rollout", "Go on without the canaries that are blocked", adminauth.Operator, tagRollouts)
	promote.Description = "The others have their turn now. The blocked canaries stay as they are and can be retried any time."
	huma.Register(api, promote, func(ctx context.Context, in *IDInput) (*rolloutOutput, error) {
		return s.answerRollout(ctx, in, func(id int64) (*Rollout, error) { return s.Promote(ctx, id) })
	})
	huma.Register(api, adminauth.Op(http.MethodPost, "/rollouts/{id}/cancel", "cancel-rollout", "End a rollout", adminauth.Operator, tagRollouts),
		func(ctx context.Context, in *struct {
			IDInput

			Withdraw bool `query:"withdraw" doc:"Take audits under way back; else they go on at WeChat and are not released."`
		},
		) (*rolloutOutput, error) {
			return s.answerRollout(ctx, &in.IDInput, func(id int64) (*Rollout, error) { return s.CancelRollout(ctx, id, in.Withdraw) })
		})
	huma.Register(api, adminauth.Op(http.MethodPost, "/rollouts/{id}/retry-failed", "retry-rollout", "Send failed, blocked and rejected submissions on again", adminauth.Operator, tagRollouts),
		s.retryRollout)
}

// RetriedView is a rollout after its retry.
type RetriedView struct {
	RolloutView

	LeftOut []LeftOutView `json:"left_out" doc:"Merchants that stay as they are, by reason, the most common first."`
}

// LeftOutView are merchants that a retry leaves as they are.
type LeftOutView struct {
	Merchants int    `json:"merchants" minimum:"1"`
	Reason    string `json:"reason"`
}

func (s *Service) retryRollout(ctx context.Context, in *IDInput) (*struct{ Body RetriedView }, error) {
	id, err := in.number()
	if err != nil {
		return nil, err
	}
	r, left, err := s.RetryFailed(ctx, id)
	if err != nil {
		return nil, err
	}
	lang := fault.LangFrom(ctx)
	view := RetriedView{RolloutView: rolloutView(r, lang), LeftOut: make([]LeftOutView, 0, len(left))}
	for _, l := range left {
		view.LeftOut = append(view.LeftOut, LeftOutView{l.Merchants, l.Reason.In(lang)})
	}
	return &struct{ Body RetriedView }{view}, nil
}

func (s *Service) answerRollout(ctx context.Context, in *IDInput, do func(id int64) (*Rollout, error)) (*rolloutOutput, error) {
	id, err := in.number()
	if err != nil {
		return nil, err
	}
	r, err := do(id)
	if err != nil {
		return nil, err
	}
	return &rolloutOutput{rolloutView(r, fault.LangFrom(ctx))}, nil
}
