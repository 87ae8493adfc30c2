package codesubmit

import (
	"context"
	"errors"
	"io"
	"net/http"
	"strconv"
	"time"
	"unicode/utf8"

	"github.com/danielgtaylor/huma/v2"

	"github.com/wxsteward/wxsteward/internal/adminauth"
	"github.com/wxsteward/wxsteward/internal/fault"
	"github.com/wxsteward/wxsteward/internal/httpserver"
)

const tagAudits = "audits"

// AuditView is one audit on the desk.
type AuditView struct {
	SubmissionID   string       `json:"submission_id"`
	RolloutID      string       `json:"rollout_id"`
	RolloutName    string       `json:"rollout_name"`
	AppID          string       `json:"appid"`
	NickName       string       `json:"nick_name"`
	UserVersion    string       `json:"user_version"`
	AuditID        string       `json:"audit_id" doc:"WeChat's id."`
	State          DeskState    `json:"state" enum:"auditing,delayed,rejected,approved,withdrawn"`
	SubmittedAt    time.Time    `json:"submitted_at"`
	EndedAt        *time.Time   `json:"ended_at" doc:"When its result was read; null while WeChat reviews."`
	WaitingSeconds int64        `json:"waiting_seconds" doc:"From submission to its end, or until now."`
	ExpectedAt     *time.Time   `json:"expected_at" doc:"When it will probably be decided, by our own last audits; null: too few to say."`
	Reason         string       `json:"reason" doc:"Plain text."`
	Screenshots    []string     `json:"screenshots" doc:"Pictures of the rejection, under this API's sign-in."`
	Remedies       []string     `json:"remedies" doc:"What usually helps against such a reason."`
	Delayed        bool         `json:"delayed"`
	SpedUp         bool         `json:"sped_up"`
	SpeedUp        SpeedUpState `json:"speed_up" enum:",wanted,done,refused" doc:"Empty: nobody asked for it."`
	SpeedUpError   *FailureView `json:"speed_up_error"`
	Withdrawals    Withdrawals  `json:"withdrawals" doc:"How many audits of this merchant may still be taken back."`
}

func auditView(item DeskItem, usual *time.Duration, now time.Time, lang string) AuditView {
	v := AuditView{
		SubmissionID: formatID(item.ID), RolloutID: formatID(item.RolloutID), RolloutName: item.RolloutName, AppID: item.AppID,
		NickName: item.NickName, UserVersion: item.UserVersion, AuditID: formatID(item.AuditID), State: deskState(item.Submission),
		SubmittedAt: item.submittedAt.UTC(), ExpectedAt: expectedAt(item.Submission, usual), Reason: item.Reason,
		Screenshots: screenshotPaths(item.ID, item.Screenshots), Remedies: []string{}, SpedUp: item.SpeedUp == SpeedUpDone,
		SpeedUp: item.SpeedUp, SpeedUpError: failureView(item.SpeedUpError, lang), Withdrawals: item.Withdrawals,
	}
	v.Delayed = v.State == DeskDelayed
	end := now
	if item.State != Auditing && item.auditEndedAt != nil {
		v.EndedAt, end = item.auditEndedAt, *item.auditEndedAt
	}
	v.WaitingSeconds = max(0, int64(end.Sub(*item.submittedAt)/time.Second))
	if v.State == DeskRejected {
		v.Remedies = remediesFor(item.Reason, lang)
	}
	return v
}

func screenshotPaths(submission int64, shots []int64) []string {
	paths := make([]string, 0, len(shots))
	for _, shot := range shots {
		paths = append(paths, "/api/v1/submissions/"+formatID(submission)+"/screenshots/"+formatID(shot))
	}
	return paths
}

// AuditSummary is the head of the audit desk.
type AuditSummary struct {
	Auditing          int               `json:"auditing"`
	Delayed           int               `json:"delayed"`
	Rejected          int               `json:"rejected"`
	Approved          int               `json:"approved" doc:"Approved and not released yet."`
	Withdrawn         int               `json:"withdrawn"`
	OldestSubmittedAt *time.Time        `json:"oldest_submitted_at" doc:"When the longest waiting audit began; null: none waits."`
	MedianSeconds     *int64            `json:"median_seconds" doc:"Of our last audits without speed-up, at most 200; null: fewer than 5."`
	Statement         string            `json:"statement" doc:"What WeChat itself says about times."`
	Quota             *AuditQuotaView   `json:"quota" doc:"The provider's month, as read last less what went out since; null: never read."`
	Reasons           []RejectionReason `json:"reasons" doc:"Rejections grouped by reason, the most frequent first."`
}

// AuditQuotaView is what the provider has left this month.
type AuditQuotaView struct {
	Rest         int64     `json:"rest"`
	Limit        int64     `json:"limit"`
	SpeedUpRest  int64     `json:"speedup_rest"`
	SpeedUpLimit int64     `json:"speedup_limit"`
	ReadAt       time.Time `json:"read_at"`
}

// RejectionReason are rejections for the same reason.
type RejectionReason struct {
	Reason        string   `json:"reason"`
	Count         int      `json:"count"`
	SubmissionIDs []string `json:"submission_ids" doc:"At most 10,000, the longest waiting first; one call takes 1,000."`
	Remedies      []string `json:"remedies"`
}

// ManyAnswer is what came of an action on many submissions.
type ManyAnswer struct {
	Done   []string     `json:"done"`
	Failed []ManyFailed `json:"failed"`
}

// ManyFailed is a submission that did not take the action, and why.
type ManyFailed struct {
	ID     string `json:"id"`
	Code   string `json:"code"`
	Detail string `json:"detail"`
}

func manyAnswer(r ManyResult, lang string) *struct{ Body ManyAnswer } {
	a := ManyAnswer{Done: make([]string, 0, len(r.Done)), Failed: make([]ManyFailed, 0, len(r.Failed))}
	for _, id := range r.Done {
		a.Done = append(a.Done, formatID(id))
	}
	for _, f := range r.Failed {
		err := f.Err
		if errors.Is(err, errMoved) {
			err = fault.New(fault.Conflict, "This submission has just changed its state. Look again.")
		}
		p := fault.ProblemFor(err, lang)
		if p.WeChat != nil && p.WeChat.Hint != "" {
			p.Detail = p.WeChat.Hint
		}
		a.Failed = append(a.Failed, ManyFailed{formatID(f.ID), string(p.Code), p.Detail})
	}
	return &struct{ Body ManyAnswer }{a}
}

// MediaView is an uploaded file.
type MediaView struct {
	MediaID     string    `json:"media_id" doc:"For audit.preview_info and audit.feedback_stuff."`
	Name        string    `json:"name"`
	Type        MediaType `json:"type" enum:"image,video"`
	ContentType string    `json:"content_type"`
	Size        int       `json:"size" doc:"Bytes."`
	CreatedAt   time.Time `json:"created_at"`
}

type listAuditsInput struct {
	httpserver.ListInput
	State       DeskState `query:"state" enum:"auditing,delayed,rejected,approved,withdrawn" doc:"Empty: all that WeChat reviews now."`
	UserVersion string    `query:"user_version" maxLength:"64"`
	RolloutID   string    `query:"rollout_id" maxLength:"20"`
	Query       string    `query:"q" maxLength:"100" doc:"Part of the merchant's name, the appid, the version or the reason."`
}

// IDs names many submissions; it is exported because it is embedded in bodies.
type IDs struct {
	IDs []string `json:"ids" minItems:"1" maxItems:"1000" doc:"Submissions."`
}

func (in *IDs) numbers() ([]int64, error) {
	list := make([]int64, len(in.IDs))
	for i, id := range in.IDs {
		n, err := idNumber(id)
		if err != nil {
			return nil, fault.Invalid("body.ids", "There is nothing with the id %q.", id, id)
		}
		list[i] = n
	}
	return list, nil
}

type auditMediaForm struct {
	File huma.FormFile `form:"file" required:"true" doc:"A picture (PNG, JPEG, GIF; at most 2 MB) or a video (MP4; at most 10 MB)."`
}

func (s *Service) routeAudits(api huma.API) {
	huma.Register(api, adminauth.Op(http.MethodGet, "/audits", "list-audits", "The audit desk, longest waiting first", adminauth.Viewer, tagAudits), s.listAudits)
	huma.Register(api, adminauth.Op(http.MethodGet, "/audits/summary", "get-audit-summary", "Counts, times and reasons of the audit desk", adminauth.Viewer, tagAudits), s.summariseAudits)

	resubmit := adminauth.Op(http.MethodPost, "/submissions/resubmit", "resubmit-submissions", "Submit rejected or withdrawn versions again, with changes", adminauth.Operator, tagSubmissions)
	huma.Register(api, resubmit, func(ctx context.Context, in *struct {
		Body struct {
			IDs

			Audit AuditChange `json:"audit,omitzero" doc:"What is different this time; it counts for these submissions only."`
		}
	},
	) (*struct{ Body ManyAnswer }, error) {
		ids, err := in.Body.numbers()
		if err != nil {
			return nil, err
		}
		result, err := s.Resubmit(ctx, ids, in.Body.Audit)
		if err != nil {
			return nil, err
		}
		return manyAnswer(result, fault.LangFrom(ctx)), nil
	})

	bulk := adminauth.Op(http.MethodPost, "/submissions/bulk", "act-on-submissions", "One action on many submissions", adminauth.Operator, tagSubmissions)
	huma.Register(api, bulk, func(ctx context.Context, in *struct {
		Body struct {
			IDs

			Action Action `json:"action" enum:"submit,release,withdraw,speed-up,retry,cancel"`
		}
	},
	) (*struct{ Body ManyAnswer }, error) {
		ids, err := in.Body.numbers()
		if err != nil {
			return nil, err
		}
		result, err := s.ActOnMany(ctx, ids, in.Body.Action)
		if err != nil {
			return nil, err
		}
		return manyAnswer(result, fault.LangFrom(ctx)), nil
	})
	s.routeMedia(api)
}

func (s *Service) routeMedia(api huma.API) {
	add := adminauth.Op(http.MethodPost, "/audit-media", "add-audit-media", "Upload a picture or video for WeChat's reviewers", adminauth.Operator, tagAudits)
	add.DefaultStatus = http.StatusCreated
	add.MaxBodyBytes = mostVideoBytes + 64<<10 // the form around it
	huma.Register(api, add, func(ctx context.Context, in *struct {
		RawBody huma.MultipartFormFiles[auditMediaForm]
	},
	) (*struct{ Body MediaView }, error) {
		defer in.RawBody.Form.RemoveAll() //nolint:errcheck // files of the system's temporary directory
		file := in.RawBody.Data().File
		data, err := io.ReadAll(file)
		if err != nil {
			return nil, err
		}
		m, err := s.AddMedia(ctx, shorten(file.Filename, 200), data, adminauth.UserFrom(ctx).Username)
		if err != nil {
			return nil, err
		}
		adminauth.SetTarget(ctx, formatID(m.ID))
		return &struct{ Body MediaView }{MediaView{formatID(m.ID), m.Name, m.Type, m.ContentType, m.Size, m.CreatedAt.UTC()}}, nil
	})
	huma.Register(api, adminauth.Op(http.MethodGet, "/audit-media/{id}", "get-audit-media", "One uploaded file", adminauth.Viewer, tagAudits),
		func(ctx context.Context, in *IDInput) (*imageOutput, error) {
			id, err := in.number()
			if err != nil {
				return nil, err
			}
			m, data, err := s.mediaBytes(ctx, id)
			return &imageOutput{ContentType: m.ContentType, CacheControl: "private, max-age=86400", Body: data}, err
		})
}

// shorten cuts text to at most n runes.
func shorten(text string, n int) string {
	if utf8.RuneCountInString(text) <= n {
		return text
	}
	return string([]rune(text)[:n])
}

func (s *Service) listAudits(ctx context.Context, in *listAuditsInput) (*struct {
	Body httpserver.Page[AuditView]
}, error,
) {
	f := DeskFilter{State: in.State, UserVersion: in.UserVersion, Query: in.Query, Limit: in.Limit + 1}
	if in.RolloutID != "" {
		id, err := strconv.ParseInt(in.RolloutID, 10, 64)
		if err != nil {
			return nil, fault.Invalid("query.rollout_id", "This is no id of a rollout.", in.RolloutID)
		}
		f.RolloutID = id
	}
	if err := httpserver.DecodeCursor(in.Cursor, &f.After); err != nil {
		return nil, err
	}
	items, err := s.Desk(ctx, f)
	if err != nil {
		return nil, err
	}
	usual, err := s.usualAudit(ctx)
	if err != nil {
		return nil, err
	}
	page := httpserver.Page[AuditView]{Items: make([]AuditView, 0, len(items))}
	for i, item := range items {
		if i == in.Limit {
			last := items[i-1]
			page.NextCursor = httpserver.EncodeCursor(DeskPosition{*last.submittedAt, last.ID})
			break
		}
		page.Items = append(page.Items, auditView(item, usual, s.cfg.Now(), fault.LangFrom(ctx)))
	}
	return &struct {
		Body httpserver.Page[AuditView]
	}{page}, nil
}

func (s *Service) summariseAudits(ctx context.Context, _ *struct{}) (*struct{ Body AuditSummary }, error) {
	sum, err := s.Summary(ctx)
	if err != nil {
		return nil, err
	}
	lang := fault.LangFrom(ctx)
	view := AuditSummary{
		Auditing: sum.Counts[DeskAuditing], Delayed: sum.Counts[DeskDelayed], Rejected: sum.Counts[DeskRejected],
		Approved: sum.Counts[DeskApproved], Withdrawn: sum.Counts[DeskWithdrawn], OldestSubmittedAt: sum.Oldest,
		Statement: auditStatement(lang), Reasons: make([]RejectionReason, 0, len(sum.Groups)),
	}
	if sum.Usual != nil {
		view.MedianSeconds = new(int64(*sum.Usual / time.Second))
	}
	quota, at, err := s.AuditQuota(ctx)
	if err != nil {
		return nil, err
	}
	if !at.IsZero() {
		view.Quota = &AuditQuotaView{int64(quota.Rest), int64(quota.Limit), int64(quota.SpeedUpRest), int64(quota.SpeedUpLimit), at.UTC()}
	}
	for _, g := range sum.Groups {
		reason := RejectionReason{Reason: g.Reason, Count: g.Count, SubmissionIDs: make([]string, 0, len(g.IDs)), Remedies: remediesFor(g.Reason, lang)}
		for _, id := range g.IDs {
			reason.SubmissionIDs = append(reason.SubmissionIDs, formatID(id))
		}
		view.Reasons = append(view.Reasons, reason)
	}
	return &struct{ Body AuditSummary }{view}, nil
}
