package codesubmit

import (
	"context"
	"net/http"
	"slices"
	"strconv"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"github.com/wxsteward/wxsteward/internal/adminauth"
	"github.com/wxsteward/wxsteward/internal/fault"
	"github.com/wxsteward/wxsteward/internal/httpserver"
)

// SubmissionView is a submission as the API shows it; Steps only when one is asked for.
type SubmissionView struct {
	ID          string   `json:"id"`
	RolloutID   string   `json:"rollout_id"`
	AppID       string   `json:"appid"`
	NickName    string   `json:"nick_name"`
	State       State    `json:"state"`
	TemplateID  int64    `json:"template_id"`
	UserVersion string   `json:"user_version"`
	AuditID     string   `json:"audit_id" doc:"WeChat's id; empty before there is one."`
	Reason      string   `json:"reason" doc:"Why WeChat's reviewers rejected or postponed it."`
	Screenshots []string `json:"screenshots" doc:"Pictures of the rejection, under this API's sign-in."`
	Remedies    []string `json:"remedies" doc:"What usually helps against such a rejection."`
	// Audit and Withdrawals only when one submission is asked for.
	Audit        *AuditSpec   `json:"audit,omitempty" doc:"What goes to the reviewers; its own after a change, else the rollout's."`
	Withdrawals  *Withdrawals `json:"withdrawals,omitempty" doc:"How many audits of this merchant may still be taken back."`
	SubmittedAt  *time.Time   `json:"submitted_at" doc:"Of the present audit."`
	SpeedUp      SpeedUpState `json:"speed_up" enum:",wanted,done,refused" doc:"Of the present audit; empty: nobody asked for it."`
	SpeedUpError *FailureView `json:"speed_up_error"`
	WaitUntil    *time.Time   `json:"wait_until" doc:"When it is looked at again."`
	Error        *FailureView `json:"error"`
	Steps        []StepView   `json:"steps"`
	Gray         *GrayView    `json:"gray" doc:"How far a gray release has come; null when everybody gets it at once."`
	Rollback     *Rollback    `json:"rollback" doc:"Of a rollback: from where to where; empty while that is not known."`
	CreatedAt    time.Time    `json:"created_at"`
	UpdatedAt    time.Time    `json:"updated_at"`
	FinishedAt   *time.Time   `json:"finished_at"`
}

// GrayView is how far the gray release of a submission has come.
type GrayView struct {
	Percentage int        `json:"percentage" doc:"Of the users have the version."`
	Step       int        `json:"step" doc:"Steps done."`
	Steps      int        `json:"steps" doc:"All steps, the release to everybody included."`
	NextAt     *time.Time `json:"next_at" doc:"When the next step goes out by itself; null: an operator releases it."`
}

// FailureView is a failure in the reader's language.
type FailureView struct {
	Code    string `json:"code"`
	Detail  string `json:"detail"`
	ErrCode int    `json:"errcode"`
	ErrMsg  string `json:"errmsg"`
	RID     string `json:"rid"`
	Hint    string `json:"hint"`
}

// StepView is one step of the timeline.
type StepView struct {
	Name       State      `json:"name"`
	State      StepState  `json:"state" enum:"pending,running,done,failed,skipped"`
	StartedAt  *time.Time `json:"started_at"`
	FinishedAt *time.Time `json:"finished_at"`
	Attempts   int        `json:"attempts"`
	ErrCode    int        `json:"errcode"`
	ErrMsg     string     `json:"errmsg"`
	RID        string     `json:"rid"`
	Hint       string     `json:"hint"`
	Detail     string     `json:"detail"`
}

func submissionView(sub *Submission, nickName, lang string) SubmissionView {
	v := SubmissionView{
		ID: strconv.FormatInt(sub.ID, 10), RolloutID: strconv.FormatInt(sub.RolloutID, 10), AppID: sub.AppID, NickName: nickName,
		State: sub.State, TemplateID: sub.TemplateID, UserVersion: sub.UserVersion, Reason: sub.Reason, WaitUntil: sub.WaitUntil,
		CreatedAt: sub.CreatedAt.UTC(), UpdatedAt: sub.UpdatedAt.UTC(), FinishedAt: sub.FinishedAt,
		Screenshots: []string{}, Steps: []StepView{}, Remedies: []string{},
		SubmittedAt: sub.submittedAt, SpeedUp: sub.SpeedUp, SpeedUpError: failureView(sub.SpeedUpError, lang),
	}
	if g := sub.gray; g != nil {
		v.Gray = &GrayView{g.Percentage, g.Step, g.Steps, g.NextAt}
	}
	v.Rollback = sub.back
	if sub.AuditID != 0 {
		v.AuditID = strconv.FormatInt(sub.AuditID, 10)
	}
	if f := sub.Failure; f != nil {
		if v.Reason == "" && (sub.State == Canceled || sub.State == Superseded) {
			v.Reason = f.hint(lang)
			if text := f.Detail.In(lang); text != "" {
				v.Reason = text
			}
		}
		v.Error = failureView(f, lang)
	}
	if sub.State == Rejected {
		v.Remedies = remediesFor(sub.Reason, lang)
	}
	return v
}

func failureView(f *StepError, lang string) *FailureView {
	if f == nil {
		return nil
	}
	return &FailureView{Code: f.Code, Detail: f.Detail.In(lang), ErrCode: f.ErrCode, ErrMsg: f.ErrMsg, RID: f.RID, Hint: f.hint(lang)}
}

// timeline is a smooth run's steps, with what has come of each so far.
func timeline(steps []Step, rollback bool, lang string) []StepView {
	views := make([]StepView, 0, len(order()))
	for _, name := range order()[1:] {
		if rollback && !slices.Contains([]State{Preflight, Releasing, Released}, name) {
			continue
		}
		view := StepView{Name: name, State: StepPending}
		if i := slices.IndexFunc(steps, func(st Step) bool { return st.Name == name }); i >= 0 {
			st := steps[i]
			view = StepView{
				Name: name, State: st.State, StartedAt: st.StartedAt, FinishedAt: st.FinishedAt, Attempts: st.Attempts, Detail: st.Detail.In(lang),
			}
			if f := st.Failure; f != nil {
				view.ErrCode, view.ErrMsg, view.RID, view.Hint = f.ErrCode, f.ErrMsg, f.RID, f.hint(lang)
			}
		}
		views = append(views, view)
	}
	return views
}

// SubmissionDetail reads one submission with all that its page shows.
func (s *Service) SubmissionDetail(ctx context.Context, id int64, lang string) (SubmissionView, error) {
	sub, err := s.submissionByID(ctx, id)
	if err != nil {
		return SubmissionView{}, err
	}
	names, err := s.nickNames(ctx, []*Submission{sub})
	if err != nil {
		return SubmissionView{}, err
	}
	view := submissionView(sub, names[sub.AppID], lang)
	steps, err := s.steps(ctx, id)
	if err != nil {
		return view, err
	}
	view.Steps = timeline(steps, sub.back != nil, lang)
	shots, err := s.fetchedScreenshots(ctx, []int64{id})
	if err != nil {
		return view, err
	}
	view.Screenshots = screenshotPaths(id, shots[id])
	left, err := s.withdrawalsLeft(ctx, []string{sub.AppID})
	if err != nil {
		return view, err
	}
	view.Withdrawals = new(left[sub.AppID])
	if view.Audit = sub.audit; view.Audit == nil {
		r, err := s.Rollout(ctx, sub.RolloutID)
		if err != nil {
			return view, err
		}
		view.Audit = &r.Spec.Audit
	}
	return view, nil
}

type submissionOutput struct{ Body SubmissionView }

type listSubmissionsInput struct {
	httpserver.ListInput
	RolloutID string `query:"rollout_id" maxLength:"20"`
	AppID     string `query:"appid" maxLength:"64"`
	State     State  `query:"state" maxLength:"20"`
	Latest    bool   `query:"latest" doc:"Only the newest submission of each merchant."`
	Query     string `query:"q" maxLength:"100" doc:"Part of the merchant's name or of the appid."`
}

type imageOutput struct {
	ContentType  string `header:"Content-Type"`
	CacheControl string `header:"Cache-Control"`
	Body         []byte
}

func (s *Service) routeSubmissions(api huma.API) {
	huma.Register(api, adminauth.Op(http.MethodGet, "/submissions", "list-submissions", "List submissions, newest first", adminauth.Viewer, tagSubmissions), s.listSubmissions)
	huma.Register(api, adminauth.Op(http.MethodGet, "/submissions/{id}", "get-submission", "One submission with its timeline", adminauth.Viewer, tagSubmissions),
		func(ctx context.Context, in *IDInput) (*submissionOutput, error) {
			id, err := in.number()
			if err != nil {
				return nil, err
			}
			view, err := s.SubmissionDetail(ctx, id, fault.LangFrom(ctx))
			return &submissionOutput{view}, err
		})
	for _, action := range []struct {
		name    Action
		summary string
	}{
		{ActionRetry, "Go on at the first unfinished step"},
		{ActionCancel, "End this submission"},
		{ActionSubmit, "Submit the trial version for audit"},
		{ActionRelease, "Release the approved version now; in a gray release, its next step"},
		{ActionWithdraw, "Take the audit back (5 a day, 10 a month for each mini program)"},
	} {
		s.routeAction(api, action.name, action.summary, func(ctx context.Context, id int64) error {
			return s.TakeSubmission(ctx, id, action.name)
		})
	}
	s.routeAction(api, ActionSpeedUp, "Ask WeChat to review sooner", s.SpeedUp)

	huma.Register(api, adminauth.Op(http.MethodGet, "/submissions/{id}/trial-qr", "get-trial-qr", "QR code of the trial version", adminauth.Viewer, tagSubmissions),
		func(ctx context.Context, in *struct {
			IDInput

			Path string `query:"path" maxLength:"512" doc:"Page to open; empty: the first."`
		},
		) (*imageOutput, error) {
			id, err := in.number()
			if err != nil {
				return nil, err
			}
			image, contentType, err := s.TrialQR(ctx, id, in.Path)
			return &imageOutput{ContentType: contentType, CacheControl: "no-store", Body: image}, err
		})
	huma.Register(api, adminauth.Op(http.MethodGet, "/submissions/{id}/screenshots/{shot}", "get-screenshot", "One picture of a rejection", adminauth.Viewer, tagSubmissions),
		func(ctx context.Context, in *struct {
			IDInput

			Shot string `path:"shot" maxLength:"20"`
		},
		) (*imageOutput, error) {
			id, err := in.number()
			if err != nil {
				return nil, err
			}
			shot, err := idNumber(in.Shot)
			if err != nil {
				return nil, err
			}
			image, contentType, err := s.screenshot(ctx, id, shot)
			return &imageOutput{ContentType: contentType, CacheControl: "private, max-age=86400", Body: image}, err
		})
}

func (s *Service) routeAction(api huma.API, name Action, summary string, do func(ctx context.Context, id int64) error) {
	op := adminauth.Op(http.MethodPost, "/submissions/{id}/"+string(name), string(name)+"-submission", summary, adminauth.Operator, tagSubmissions)
	huma.Register(api, op, func(ctx context.Context, in *IDInput) (*submissionOutput, error) {
		id, err := in.number()
		if err != nil {
			return nil, err
		}
		if err := do(ctx, id); err != nil {
			return nil, err
		}
		view, err := s.SubmissionDetail(ctx, id, fault.LangFrom(ctx))
		return &submissionOutput{view}, err
	})
}

func (s *Service) listSubmissions(ctx context.Context, in *listSubmissionsInput) (*struct {
	Body httpserver.Page[SubmissionView]
}, error,
) {
	f := SubmissionFilter{AppID: in.AppID, State: in.State, Latest: in.Latest, Query: in.Query, Limit: in.Limit + 1}
	if in.State != "" && !slices.Contains(States(), in.State) {
		return nil, fault.Invalid("query.state", "This is no state of a submission.", in.State)
	}
	if in.RolloutID != "" {
		id, err := idNumber(in.RolloutID)
		if err != nil {
			return nil, fault.Invalid("query.rollout_id", "This is no id of a rollout.", in.RolloutID)
		}
		f.RolloutID = id
	}
	if err := httpserver.DecodeCursor(in.Cursor, &f.After); err != nil {
		return nil, err
	}
	list, total, err := s.Submissions(ctx, f)
	if err != nil {
		return nil, err
	}
	names, err := s.nickNames(ctx, list)
	if err != nil {
		return nil, err
	}
	page := httpserver.Page[SubmissionView]{Items: make([]SubmissionView, 0, len(list)), Total: &total}
	for i, sub := range list {
		if i == in.Limit {
			page.NextCursor = httpserver.EncodeCursor(list[i-1].ID)
			break
		}
		page.Items = append(page.Items, submissionView(sub, names[sub.AppID], fault.LangFrom(ctx)))
	}
	return &struct {
		Body httpserver.Page[SubmissionView]
	}{page}, nil
}
