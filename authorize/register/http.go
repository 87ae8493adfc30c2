package register

import (
	"context"
	"net/http"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"github.com/wxsteward/wxsteward/authorize"
	"github.com/wxsteward/wxsteward/authorize/refusal"
	"github.com/wxsteward/wxsteward/internal/adminauth"
	"github.com/wxsteward/wxsteward/internal/fault"
	"github.com/wxsteward/wxsteward/internal/httpserver"
)

const tag = "registrations"

type output[T any] struct{ Body T }

func reply[T any](v T, err error) (*output[T], error) {
	if err != nil {
		return nil, err
	}
	return &output[T]{v}, nil
}

// registrationView is a Registration as the API shows it.
type registrationView struct {
	ID           string            `json:"id"`
	Kind         string            `json:"kind" enum:"enterprise,personal,personal_upgrade,trial,trial_enterprise,trial_upgrade,official_account,admin_change"`
	BizID        string            `json:"biz_id"`
	Labels       []string          `json:"labels"`
	Request      map[string]string `json:"request" doc:"What WeChat was told, by its names."`
	AppID        string            `json:"appid" doc:"Of the mini program, once it is known."`
	State        string            `json:"state" enum:"pending,sent,waiting,created,completed,failed,expired,canceled" doc:"waiting: for the owner to confirm; created: the mini program is there, its authorization is not yet."`
	URL          string            `json:"url" doc:"Where the owner confirms, for 24 hours; people scan the QR code of it. For official_account and admin_change a page of ours, to be opened at a computer."`
	QRURL        string            `json:"qr_url"`
	Status       *int              `json:"status" doc:"Of WeChat's task, by its numbers."`
	Result       *int              `json:"result" doc:"Of WeChat's event; 0 is success."`
	Detail       string            `json:"detail" doc:"What the numbers mean and what to do."`
	Error        *refusal.View     `json:"error" doc:"Why WeChat refused."`
	VerifyCopied *bool             `json:"verify_copied" doc:"The official account's verification holds for the new mini program; null: not known, or another kind."`
	Linked       *bool             `json:"linked" doc:"The new mini program is linked to the official account; null likewise."`
	CreatedBy    string            `json:"created_by"`
	CreatedAt    time.Time         `json:"created_at"`
	ExpiresAt    *time.Time        `json:"expires_at" doc:"Of url."`
	NextAt       *time.Time        `json:"next_at" doc:"When WeChat is asked again, while it is open."`
	FinishedAt   *time.Time        `json:"finished_at"`
}

func utc(t *time.Time) *time.Time {
	if t == nil {
		return nil
	}
	return new(t.UTC())
}

func view(ctx context.Context, r Registration) registrationView {
	lang := fault.LangFrom(ctx)
	v := registrationView{
		ID: r.ID, Kind: r.Kind, BizID: r.BizID, Labels: r.Labels, Request: r.Request, AppID: r.AppID, State: r.State, Status: r.Status, Result: r.Result,
		Detail: statusText(r, lang), Error: r.Refusal.View(lang), VerifyCopied: r.VerifyCopied, Linked: r.Linked, CreatedBy: r.CreatedBy, CreatedAt: r.CreatedAt.UTC(), ExpiresAt: utc(r.ExpiresAt),
		FinishedAt: utc(r.FinishedAt),
	}
	if r.State == stateWaiting {
		v.URL, v.QRURL = r.URL, "/api/v1/registrations/"+r.ID+"/qr.png"
	}
	if r.open() {
		v.NextAt = utc(&r.NextAt)
	}
	return v
}

// IDInput names a registration; it is exported because it is embedded in inputs.
type IDInput struct {
	ID string `path:"id" maxLength:"40" pattern:"^[a-z0-9]+$"`
}

type registrationInput struct {
	Body struct {
		Kind   string   `json:"kind" enum:"enterprise,personal,personal_upgrade,trial,trial_enterprise,trial_upgrade,official_account,admin_change"`
		BizID  string   `json:"biz_id,omitempty" maxLength:"512" doc:"Your own id of the merchant; needed but for conversions and a change of administrator."`
		Labels []string `json:"labels,omitempty" maxItems:"50"`
		AppID  string   `json:"appid,omitempty" maxLength:"100" doc:"Of the trial mini program to convert, of the official account whose principal is used, of the mini program whose administrator changes."`
		Name   string   `json:"name,omitempty" maxLength:"800" doc:"Of the company; of a trial mini program its name."`
		Code   string   `json:"code,omitempty" maxLength:"40" doc:"The company's 18-digit 统一社会信用代码."`
		Phone  string   `json:"phone,omitempty" maxLength:"40" doc:"The provider's phone number, for the owner's questions."`
		IDName string   `json:"idname,omitempty" maxLength:"800" doc:"The person's name as on the identity card."`
		WXUser string   `json:"wxuser,omitempty" maxLength:"100" doc:"The person's WeChat id."`
		OpenID string   `json:"openid,omitempty" maxLength:"100" doc:"The future administrator's openid at the platform."`
	}
}

func (in *registrationInput) order(by string) Order {
	b := in.Body
	return Order{
		Kind: b.Kind, BizID: b.BizID, Labels: b.Labels, AppID: b.AppID, By: by,
		Fields: map[string]string{
			"name": b.Name, "enterprise_name": b.Name, "code": b.Code, "component_phone": b.Phone, "idname": b.IDName, "wxuser": b.WXUser, "openid": b.OpenID,
		},
	}
}

type spellingsBody struct {
	Calls map[string]Spelling `json:"calls" doc:"By kind. Kinds left out are as this program knows them."`
}

// RegisterAPI adds registrations to the admin API.
func (s *Service) RegisterAPI(api huma.API) {
	op := func(method, path, id, summary string, role adminauth.Role) huma.Operation {
		return adminauth.Op(method, path, id, summary, role, tag)
	}
	create := op(http.MethodPost, "/registrations", "create-registration", "Have WeChat register a mini program", adminauth.Operator)
	create.DefaultStatus = http.StatusCreated
	huma.Register(api, create, func(ctx context.Context, in *registrationInput) (*output[registrationView], error) {
		r, err := s.Create(ctx, in.order(adminauth.UserFrom(ctx).Username))
		if err == nil {
			adminauth.SetTarget(ctx, r.ID)
		}
		return reply(view(ctx, r), err)
	})
	huma.Register(api, op(http.MethodGet, "/registrations", "list-registrations", "Registrations, newest first", adminauth.Viewer),
		func(ctx context.Context, in *struct {
			httpserver.ListInput

			State string `query:"state" enum:"pending,sent,waiting,created,completed,failed,expired,canceled"`
			Kind  string `query:"kind" enum:"enterprise,personal,personal_upgrade,trial,trial_enterprise,trial_upgrade,official_account,admin_change"`
			BizID string `query:"biz_id" maxLength:"512"`
			AppID string `query:"appid" maxLength:"100"`
		},
		) (*output[httpserver.Page[registrationView]], error) {
			f := Filter{State: in.State, Kind: in.Kind, BizID: in.BizID, AppID: in.AppID, Limit: in.Limit}
			if err := httpserver.DecodeCursor(in.Cursor, &f.After); err != nil {
				return nil, err
			}
			list, next, total, err := s.List(ctx, f)
			page := httpserver.Page[registrationView]{Items: []registrationView{}, Total: &total}
			for _, r := range list {
				page.Items = append(page.Items, view(ctx, r))
			}
			if next != 0 {
				page.NextCursor = httpserver.EncodeCursor(next)
			}
			return reply(page, err)
		})
	huma.Register(api, op(http.MethodGet, "/registrations/settings", "get-registration-settings", "How WeChat's registration calls are written", adminauth.Viewer),
		func(ctx context.Context, _ *struct{}) (*output[spellingsBody], error) {
			calls, err := s.Spellings(ctx)
			return reply(spellingsBody{calls}, err)
		})
	huma.Register(api, op(http.MethodPut, "/registrations/settings", "put-registration-settings", "Correct how they are written", adminauth.Operator),
		func(ctx context.Context, in *output[spellingsBody]) (*output[spellingsBody], error) {
			if err := s.SetSpellings(ctx, in.Body.Calls, adminauth.UserFrom(ctx).Username); err != nil {
				return nil, err
			}
			calls, err := s.Spellings(ctx)
			return reply(spellingsBody{calls}, err)
		})
	huma.Register(api, op(http.MethodGet, "/registrations/{id}", "get-registration", "One registration", adminauth.Viewer),
		func(ctx context.Context, in *IDInput) (*output[registrationView], error) {
			r, err := s.Get(ctx, in.ID)
			return reply(view(ctx, r), err)
		})
	huma.Register(api, op(http.MethodGet, "/registrations/{id}/qr.png", "get-registration-qr", "QR code for the owner to scan", adminauth.Viewer),
		func(ctx context.Context, in *IDInput) (*imageOutput, error) {
			r, err := s.Get(ctx, in.ID)
			if err != nil {
				return nil, err
			}
			if r.State != stateWaiting {
				return nil, fault.New(fault.Gone, "Nothing is to be confirmed here; the registration is %s.", r.State)
			}
			image, err := authorize.QRCode(r.URL, qrSize)
			return &imageOutput{ContentType: "image/png", CacheControl: "no-store", Body: image}, err
		})
	action := func(name, id, summary string, do func(ctx context.Context, id string) (Registration, error)) {
		huma.Register(api, op(http.MethodPost, "/registrations/{id}/"+name, id, summary, adminauth.Operator),
			func(ctx context.Context, in *IDInput) (*output[registrationView], error) {
				r, err := do(ctx, in.ID)
				return reply(view(ctx, r), err)
			})
	}
	action("check", "check-registration", "Ask WeChat about a registration now", s.Check)
	action("retry", "retry-registration", "Begin anew with a registration that has come to nothing", s.Retry)
	action("cancel", "cancel-registration", "Follow a registration no longer", s.Cancel)
	huma.Register(api, op(http.MethodPost, "/registrations/{id}/assign", "assign-registration", "Say which merchant has come of it", adminauth.Operator),
		func(ctx context.Context, in *struct {
			IDInput

			Body struct {
				AppID string `json:"appid" maxLength:"100"`
			}
		},
		) (*output[registrationView], error) {
			r, err := s.Assign(ctx, in.ID, in.Body.AppID)
			return reply(view(ctx, r), err)
		})
	huma.Register(api, adminauth.Op(http.MethodPut, "/authorizers/{appid}/trial-name", "rename-trial", "Give a trial mini program another name", adminauth.Operator, "merchant-operations"),
		func(ctx context.Context, in *struct {
			AppID string `path:"appid" maxLength:"100"`
			Body  struct {
				Name string `json:"name" maxLength:"200"`
			}
		},
		) (*struct{}, error) {
			return nil, s.RenameTrial(ctx, in.AppID, in.Body.Name)
		})
}

const qrSize = 480

type imageOutput struct {
	ContentType  string `header:"Content-Type"`
	CacheControl string `header:"Cache-Control"`
	Body         []byte
}
