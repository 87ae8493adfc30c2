package profile

import (
	"context"
	"net/http"
	"strconv"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"github.com/wxsteward/wxsteward/authorize/refusal"
	"github.com/wxsteward/wxsteward/internal/adminauth"
	"github.com/wxsteward/wxsteward/internal/fault"
	"github.com/wxsteward/wxsteward/internal/httpserver"
	"github.com/wxsteward/wxsteward/internal/wechat"
)

const tag = "merchant-operations"

type output[T any] struct{ Body T }

func reply[T any](v T, err error) (*output[T], error) {
	if err != nil {
		return nil, err
	}
	return &output[T]{v}, nil
}

// AppIDInput names the merchant; it is exported because it is embedded in inputs.
type AppIDInput struct {
	AppID string `path:"appid" maxLength:"100"`
}

type imageOutput struct {
	ContentType  string `header:"Content-Type"`
	CacheControl string `header:"Cache-Control"`
	Body         []byte
}

// changeView is a Change as the API shows it.
type changeView struct {
	ID        string        `json:"id"`
	Kind      string        `json:"kind" enum:"nickname,avatar,signature,category,privacy_api"`
	Subject   string        `json:"subject" doc:"The name or text wanted, the category as first/second, the interface."`
	State     string        `json:"state" enum:"sent,reviewing,effective,refused,failed,lost" doc:"sent: WeChat's answer was lost and is being found out; lost: nobody knows."`
	AuditID   string        `json:"audit_id"`
	Reason    string        `json:"reason" doc:"WeChat's words."`
	Error     *refusal.View `json:"error" doc:"Why the call, or the last look at it, failed."`
	CreatedBy string        `json:"created_by"`
	CreatedAt time.Time     `json:"created_at"`
	NextAt    *time.Time    `json:"next_at" doc:"When WeChat is asked again, while it is open."`
	DecidedAt *time.Time    `json:"decided_at"`
}

func view(ctx context.Context, c Change) changeView {
	v := changeView{
		ID: strconv.FormatInt(c.ID, 10), Kind: c.Kind, Subject: c.Subject, State: c.State, Reason: c.Reason, Error: c.Refusal.View(fault.LangFrom(ctx)),
		CreatedBy: c.CreatedBy, CreatedAt: c.CreatedAt.UTC(),
	}
	if c.AuditID != 0 {
		v.AuditID = strconv.FormatInt(c.AuditID, 10)
	}
	if c.open() {
		v.NextAt = new(c.NextAt.UTC())
	}
	if c.DecidedAt != nil {
		v.DecidedAt = new(c.DecidedAt.UTC())
	}
	return v
}

// RegisterAPI adds the operations for one merchant to the admin API.
func (s *Service) RegisterAPI(api huma.API) {
	s.routeTesters(api)
	s.routeStatus(api)
	s.routeBasic(api)
	s.routeCategories(api)
	s.routePrivacy(api)
	s.routeChanges(api)
}

func get(path, id, summary string) huma.Operation {
	return adminauth.Op(http.MethodGet, "/authorizers/{appid}/"+path, id, summary, adminauth.Viewer, tag)
}

func act(method, path, id, summary string) huma.Operation {
	return adminauth.Op(method, "/authorizers/{appid}/"+path, id, summary, adminauth.Operator, tag)
}

type testerView struct {
	UserStr  string     `json:"userstr" doc:"WeChat's name for the user; empty where WeChat did not tell it."`
	WeChatID string     `json:"wechatid" doc:"Known of those whom this program has bound."`
	BoundBy  string     `json:"bound_by"`
	BoundAt  *time.Time `json:"bound_at"`
}

func testerOf(t Tester) testerView {
	v := testerView{UserStr: t.UserStr, WeChatID: t.WeChatID, BoundBy: t.BoundBy}
	if t.BoundAt != nil {
		v.BoundAt = new(t.BoundAt.UTC())
	}
	return v
}

func (s *Service) routeTesters(api huma.API) {
	huma.Register(api, get("testers", "list-testers", "Who may open trial versions, administrators left out"),
		func(ctx context.Context, in *AppIDInput) (*output[httpserver.Page[testerView]], error) {
			list, err := s.Testers(ctx, in.AppID)
			page := httpserver.Page[testerView]{Items: []testerView{}, Total: new(int64(len(list)))}
			for _, t := range list {
				page.Items = append(page.Items, testerOf(t))
			}
			return reply(page, err)
		})
	bind := act(http.MethodPost, "testers", "bind-tester", "Let a WeChat user open trial versions")
	bind.DefaultStatus = http.StatusCreated
	huma.Register(api, bind, func(ctx context.Context, in *struct {
		AppIDInput

		Body struct {
			WeChatID string `json:"wechatid" maxLength:"64" doc:"The user's WeChat id, not the nick name."`
		}
	},
	) (*output[testerView], error) {
		t, err := s.BindTester(ctx, in.AppID, in.Body.WeChatID, adminauth.UserFrom(ctx).Username)
		return reply(testerOf(t), err)
	})
	huma.Register(api, act(http.MethodDelete, "testers/{userstr}", "unbind-tester", "Take a tester away"), func(ctx context.Context, in *struct {
		AppIDInput

		UserStr string `path:"userstr" maxLength:"200"`
	},
	) (*struct{}, error) {
		return nil, s.UnbindTester(ctx, in.AppID, in.UserStr)
	})
}

type searchBody struct {
	Searchable bool `json:"searchable"`
}

type visitBody struct {
	Open bool `json:"open" doc:"False: suspended, by its owner or by WeChat."`
}

type supportBody struct {
	Version string         `json:"version" doc:"The lowest base library (基础库) a user needs."`
	Shares  []supportShare `json:"shares"`
}

type supportShare struct {
	Version    string  `json:"version"`
	Percentage float64 `json:"percentage"`
}

type icpBody struct {
	Filed           bool       `json:"filed"`
	Status          int        `json:"status" doc:"2 in WeChat's audit, 3 rejected there, 4 in the authority's audit, 5 rejected there, 6 filed, 1024 not filed, 1025 to 1031 not filed with information, a category or the verification missing."`
	Canceling       bool       `json:"canceling"`
	Faults          []icpFault `json:"faults" doc:"What the filing was rejected for."`
	Available       bool       `json:"available" doc:"A filing can be started."`
	SMSVerifyStatus int        `json:"sms_verify_status" doc:"With status 4: 1 waiting, 2 done, 3 timed out."`
}

type icpFault struct {
	Key     string `json:"key"`
	Error   string `json:"error"`
	Suggest string `json:"suggest"`
}

func (s *Service) routeStatus(api huma.API) {
	huma.Register(api, get("pages", "list-pages", "Pages of the trial version; the first is its home page"),
		func(ctx context.Context, in *AppIDInput) (*output[httpserver.Page[string]], error) {
			pages, err := s.Pages(ctx, in.AppID)
			if pages == nil {
				pages = []string{}
			}
			return reply(httpserver.Page[string]{Items: pages, Total: new(int64(len(pages)))}, err)
		})
	huma.Register(api, get("qrcode", "get-qrcode", "QR code of the trial version, or 小程序码 of the released one"),
		func(ctx context.Context, in *struct {
			AppIDInput

			Version string `query:"version" enum:"trial,released" default:"trial"`
			Path    string `query:"path" maxLength:"4096" doc:"Page to open; empty: the first one of the trial version."`
			Scene   string `query:"scene" maxLength:"64" doc:"Of a released code: what the page is told; there may be any number of these."`
			Width   int    `query:"width" doc:"Pixels, 280 to 1280."`
		},
		) (*imageOutput, error) {
			image, contentType, err := s.Draw(ctx, in.AppID, Code{Released: in.Version == "released", Path: in.Path, Scene: in.Scene, Width: in.Width})
			return &imageOutput{ContentType: contentType, CacheControl: "no-store", Body: image}, err
		})
	huma.Register(api, get("search-status", "get-search-status", "Whether WeChat's search finds the mini program"),
		func(ctx context.Context, in *AppIDInput) (*output[searchBody], error) {
			so, err := s.Searchable(ctx, in.AppID)
			return reply(searchBody{so}, err)
		})
	huma.Register(api, act(http.MethodPut, "search-status", "set-search-status", "Let WeChat's search find the mini program, or hide it"),
		func(ctx context.Context, in *struct {
			AppIDInput

			Body searchBody
		},
		) (*output[searchBody], error) {
			return reply(in.Body, s.SetSearchable(ctx, in.AppID, in.Body.Searchable))
		})
	huma.Register(api, get("visit-status", "get-visit-status", "Whether the live version serves users"),
		func(ctx context.Context, in *AppIDInput) (*output[visitBody], error) {
			open, err := s.Open(ctx, in.AppID)
			return reply(visitBody{open}, err)
		})
	huma.Register(api, act(http.MethodPost, "visit-status", "set-visit-status", "Open or suspend the service"),
		func(ctx context.Context, in *struct {
			AppIDInput

			Body visitBody
		},
		) (*output[visitBody], error) {
			return reply(in.Body, s.SetOpen(ctx, in.AppID, in.Body.Open))
		})
	huma.Register(api, get("support-version", "get-support-version", "The lowest base library a user needs"),
		func(ctx context.Context, in *AppIDInput) (*output[supportBody], error) {
			v, err := s.SupportVersion(ctx, in.AppID)
			b := supportBody{Version: v.Now, Shares: []supportShare{}}
			for _, share := range v.Shares {
				percentage, _ := share.Percentage.Float64() // 0 where WeChat tells none
				b.Shares = append(b.Shares, supportShare{share.Version, percentage})
			}
			return reply(b, err)
		})
	huma.Register(api, act(http.MethodPut, "support-version", "set-support-version", "Set the lowest base library a user needs"),
		func(ctx context.Context, in *struct {
			AppIDInput

			Body struct {
				Version string `json:"version" pattern:"^[0-9]+([.][0-9]+)+$" maxLength:"20" doc:"Such as 2.32.3."`
			}
		},
		) (*struct{}, error) {
			return nil, s.SetSupportVersion(ctx, in.AppID, in.Body.Version)
		})
	huma.Register(api, get("icp", "get-icp", "Where the ICP filing (小程序备案) stands"),
		func(ctx context.Context, in *AppIDInput) (*output[icpBody], error) {
			info, err := s.ICP(ctx, in.AppID)
			b := icpBody{
				Filed: info.Status == wechat.ICPFiled, Status: int(info.Status), Canceling: info.Canceling, Faults: []icpFault{},
				Available: info.Available == 1, SMSVerifyStatus: int(info.SMSVerifyStatus),
			}
			for _, f := range info.AuditData {
				b.Faults = append(b.Faults, icpFault(f))
			}
			return reply(b, err)
		})
}

// ChangeInput names a change; it is exported because it is embedded in inputs.
type ChangeInput struct {
	AppIDInput

	ID string `path:"id" maxLength:"20"`
}

func (in *ChangeInput) number() (int64, error) {
	n, err := strconv.ParseInt(in.ID, 10, 64)
	if err != nil || n <= 0 {
		return 0, fault.New(fault.NotFound, "")
	}
	return n, nil
}

func (s *Service) routeChanges(api huma.API) {
	huma.Register(api, get("changes", "list-changes", "What was asked of WeChat and what became of it, newest first"),
		func(ctx context.Context, in *struct {
			AppIDInput
			httpserver.ListInput
		},
		) (*output[httpserver.Page[changeView]], error) {
			var after int64
			if err := httpserver.DecodeCursor(in.Cursor, &after); err != nil {
				return nil, err
			}
			list, err := s.Changes(ctx, in.AppID, after, in.Limit+1)
			page := httpserver.Page[changeView]{Items: []changeView{}}
			for i, c := range list {
				if i == in.Limit {
					page.NextCursor = httpserver.EncodeCursor(list[i-1].ID)
					break
				}
				page.Items = append(page.Items, view(ctx, c))
			}
			return reply(page, err)
		})
	act1 := func(path, id, summary string, do func(ctx context.Context, appid string, id int64) (Change, error)) {
		huma.Register(api, act(http.MethodPost, "changes/{id}/"+path, id, summary), func(ctx context.Context, in *ChangeInput) (*output[changeView], error) {
			n, err := in.number()
			if err != nil {
				return nil, err
			}
			c, err := do(ctx, in.AppID, n)
			return reply(view(ctx, c), err)
		})
	}
	act1("check", "check-change", "Ask WeChat about a change now", s.Check)
	act1("forget", "forget-change", "Follow a change no longer", s.Forget)
}
