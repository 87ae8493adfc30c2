package cloudenv

import (
	"context"
	"net/http"
	"strconv"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"github.com/wxsteward/wxsteward/authorize"
	"github.com/wxsteward/wxsteward/authorize/refusal"
	"github.com/wxsteward/wxsteward/internal/adminauth"
	"github.com/wxsteward/wxsteward/internal/fault"
	"github.com/wxsteward/wxsteward/internal/httpserver"
	"github.com/wxsteward/wxsteward/internal/wechat"
)

const tag = "cloud-environments"

type output[T any] struct{ Body T }

func reply[T any](v T, err error) (*output[T], error) {
	if err != nil {
		return nil, err
	}
	return &output[T]{v}, nil
}

// How well it is known that WeChat's calls are as this program makes them.
const (
	documented = "documented" // an official page says so
	seenInCode = "code"       // read in programs that use it
	unknown    = "unknown"    // neither
)

// evidence is that of each thing that can be done here.
type evidence struct {
	ListCloudbase   string `json:"list_cloudbase" enum:"documented,code"`
	ListCloudrun    string `json:"list_cloudrun" enum:"documented,code"`
	CreateCloudbase string `json:"create_cloudbase" enum:"documented,code"`
	CreateCloudrun  string `json:"create_cloudrun" enum:"documented,code"`
	ShareCloudbase  string `json:"share_cloudbase" enum:"documented,code"`
	ShareCloudrun   string `json:"share_cloudrun" enum:"documented,code" doc:"Offering is documented; that confirmations can be asked about was seen in use only."`
	Token           string `json:"token" enum:"documented,code"`
	Push            string `json:"push" enum:"documented,code"`

	ServicesCloudbase string `json:"services_cloudbase" enum:"documented,unknown"`
	ServicesCloudrun  string `json:"services_cloudrun" enum:"documented,unknown" doc:"That they are released is documented; how they are listed is written for 云开发 only."`
}

func evidenceTable() evidence {
	return evidence{
		ListCloudbase: documented, ListCloudrun: seenInCode, CreateCloudbase: documented, CreateCloudrun: seenInCode,
		ShareCloudbase: documented, ShareCloudrun: seenInCode, Token: documented, Push: documented,
		ServicesCloudbase: documented, ServicesCloudrun: unknown,
	}
}

// envView is an environment as the API shows it.
type envView struct {
	Env       string         `json:"env"`
	Kind      string         `json:"kind" enum:"cloudbase,cloudrun" doc:"cloudbase is 云开发, cloudrun is 微信云托管."`
	Alias     string         `json:"alias"`
	Status    string         `json:"status" doc:"In WeChat's words, as are the next five."`
	CreatedAt string         `json:"created_at"`
	UpdatedAt string         `json:"updated_at"`
	Package   string         `json:"package"`
	Region    string         `json:"region"`
	PayMode   string         `json:"pay_mode"`
	Default   bool           `json:"default"`
	Shares    map[string]int `json:"shares" doc:"Merchants it was offered to here, by state."`
	Evidence  string         `json:"evidence" enum:"documented,code" doc:"code: the fields were seen in use, and are on no official page."`
}

func viewEnv(e wechat.CloudEnv, shares map[string]int) envView {
	v := envView{
		Env: e.Env, Kind: string(e.Kind), Alias: e.Alias, Status: e.Status, CreatedAt: e.CreatedAt, UpdatedAt: e.UpdatedAt, Package: e.Package, Region: e.Region,
		PayMode: e.PayMode, Default: e.Default, Shares: shares, Evidence: documented,
	}
	if e.Kind == wechat.CloudRun {
		v.Evidence = seenInCode
	}
	if v.Shares == nil {
		v.Shares = map[string]int{}
	}
	return v
}

type refusedKind struct {
	Kind  string        `json:"kind" enum:"cloudbase,cloudrun"`
	Error *refusal.View `json:"error"`
}

type envsBody struct {
	Items      []envView     `json:"items"`
	NextCursor string        `json:"next_cursor"`
	Total      *int          `json:"total"`
	Refused    []refusedKind `json:"refused" doc:"Kinds that WeChat did not list."`
	Evidence   evidence      `json:"evidence" doc:"How well it is known that WeChat's calls are as this program makes them."`
}

// shareView is a Share as the API shows it.
type shareView struct {
	ID            string        `json:"id"`
	Env           string        `json:"env"`
	Kind          string        `json:"kind" enum:"cloudbase,cloudrun"`
	AppID         string        `json:"appid"`
	NickName      string        `json:"nick_name"`
	PrincipalName string        `json:"principal_name"`
	State         string        `json:"state" enum:"pending,sent,waiting,confirmed,failed,expired,ended" doc:"waiting: for the administrator to confirm; ended: the merchant has withdrawn its authorization."`
	URL           string        `json:"url" doc:"Where the mini program's administrator confirms; people scan the QR code of it."`
	QRURL         string        `json:"qr_url"`
	Reason        string        `json:"reason" doc:"WeChat's words about this mini program."`
	Error         *refusal.View `json:"error" doc:"Why WeChat refused the call as a whole."`
	CreatedBy     string        `json:"created_by"`
	CreatedAt     time.Time     `json:"created_at"`
	AskedAt       *time.Time    `json:"asked_at" doc:"When the address was made."`
	ConfirmedAt   *time.Time    `json:"confirmed_at"`
}

func utc(t *time.Time) *time.Time {
	if t == nil {
		return nil
	}
	return new(t.UTC())
}

func viewShare(ctx context.Context, s Share) shareView {
	v := shareView{
		ID: strconv.FormatInt(s.ID, 10), Env: s.Env, Kind: string(s.Kind), AppID: s.AppID, NickName: s.NickName, PrincipalName: s.Principal, State: s.State,
		Reason: s.Reason, Error: s.Refusal.View(fault.LangFrom(ctx)), CreatedBy: s.CreatedBy, CreatedAt: s.CreatedAt.UTC(), AskedAt: utc(s.AskedAt),
		ConfirmedAt: utc(s.ConfirmedAt),
	}
	if s.State == stateWaiting {
		v.URL, v.QRURL = s.URL, "/api/v1/cloud-shares/"+v.ID+"/qr.png"
	}
	return v
}

// EnvInput names an environment; it is exported because it is embedded in inputs, as is ShareInput.
type EnvInput struct {
	Env string `path:"env" maxLength:"100" pattern:"^[A-Za-z0-9_-]+$"`
}

// ShareInput names a share.
type ShareInput struct {
	ID int64 `path:"id" minimum:"1"`
}

type createInput struct {
	Body struct {
		Kind      string   `json:"kind" enum:"cloudbase,cloudrun"`
		Alias     string   `json:"alias" minLength:"1" maxLength:"64" pattern:"^[a-z0-9][a-z0-9-]*$" doc:"Your own name for it: small letters, digits and hyphens; no other environment has it."`
		VPCID     string   `json:"vpc_id,omitempty" maxLength:"64" doc:"cloudrun only: the private network."`
		SubnetIDs []string `json:"subnet_ids,omitempty" maxItems:"20" doc:"cloudrun only: of that network."`
	}
}

type offerInput struct {
	EnvInput

	Body struct {
		Kind   string   `json:"kind" enum:"cloudbase,cloudrun" doc:"Of the environment."`
		AppIDs []string `json:"appids" minItems:"1" maxItems:"1000"`
	}
}

type offerBody struct {
	Items   []shareView `json:"items"`
	Refused []struct {
		AppID  string `json:"appid"`
		Detail string `json:"detail"`
	} `json:"refused" doc:"Merchants that it cannot be shared with."`
}

type tokenBody struct {
	Open      bool     `json:"open" doc:"Services of the environment get a token (微信令牌)."`
	Whitelist []string `json:"whitelist" maxItems:"500" doc:"Paths that it is good for; /* is all."`
	Version   int64    `json:"version" doc:"Send the one read last."`
}

func viewToken(t wechat.CloudToken) tokenBody {
	v := tokenBody{Open: t.Open, Whitelist: t.Paths, Version: int64(t.Version)}
	if v.Whitelist == nil {
		v.Whitelist = []string{}
	}
	return v
}

type pushBody struct {
	Enabled bool   `json:"enabled" doc:"While it is on, WeChat pushes this merchant's messages here and nowhere else."`
	Env     string `json:"env" maxLength:"100"`
	Path    string `json:"path" maxLength:"500" doc:"Of the service, e.g. /wxcallback/biz."`
	Format  string `json:"format" enum:"json,xml"`
}

func viewPush(p wechat.CloudPush) pushBody {
	v := pushBody{Enabled: p.Enabled, Env: p.Env, Path: p.Path, Format: "json"}
	if p.XML {
		v.Format = "xml"
	}
	return v
}

// RegisterAPI adds cloud environments to the admin API.
func (s *Service) RegisterAPI(api huma.API) {
	op := func(method, path, id, summary string, role adminauth.Role) huma.Operation {
		return adminauth.Op(method, path, id, summary, role, tag)
	}
	created := func(o huma.Operation) huma.Operation { o.DefaultStatus = http.StatusCreated; return o }
	huma.Register(api, op(http.MethodGet, "/cloud-envs", "list-cloud-envs", "The platform's cloud environments, as WeChat lists them", adminauth.Viewer), s.listEnvs)
	huma.Register(api, created(op(http.MethodPost, "/cloud-envs", "create-cloud-env", "Make a cloud environment", adminauth.Operator)),
		func(ctx context.Context, in *createInput) (*output[envView], error) {
			made, err := s.Create(ctx, Order{Kind: wechat.CloudKind(in.Body.Kind), Alias: in.Body.Alias, VPCID: in.Body.VPCID, SubnetIDs: in.Body.SubnetIDs})
			adminauth.SetTarget(ctx, made.Env)
			return reply(viewEnv(made, nil), err)
		})
	huma.Register(api, op(http.MethodGet, "/cloud-envs/{env}/token", "get-cloud-token", "微信令牌 of an environment", adminauth.Viewer),
		func(ctx context.Context, in *EnvInput) (*output[tokenBody], error) {
			t, err := s.Token(ctx, in.Env)
			return reply(viewToken(t), err)
		})
	huma.Register(api, op(http.MethodPut, "/cloud-envs/{env}/token", "put-cloud-token", "Change it", adminauth.Operator),
		func(ctx context.Context, in *struct {
			EnvInput

			Body tokenBody
		},
		) (*output[tokenBody], error) {
			t, err := s.SetToken(ctx, in.Env, wechat.CloudToken{Open: in.Body.Open, Paths: in.Body.Whitelist, Version: wechat.Int(in.Body.Version)})
			return reply(viewToken(t), err)
		})
	s.registerServices(api, op)
	s.registerShares(api, op, created)
	push := func(method, id, summary string, role adminauth.Role) huma.Operation {
		return adminauth.Op(method, "/authorizers/{appid}/cloud-push", id, summary, role, "merchant-operations")
	}
	type merchant struct {
		AppID string `path:"appid" maxLength:"100"`
	}
	huma.Register(api, push(http.MethodGet, "get-cloud-push", "Where WeChat pushes a merchant's messages inside its cloud environment", adminauth.Viewer),
		func(ctx context.Context, in *merchant) (*output[pushBody], error) {
			p, err := s.Push(ctx, in.AppID)
			return reply(viewPush(p), err)
		})
	huma.Register(api, push(http.MethodPut, "put-cloud-push", "Change it", adminauth.Operator),
		func(ctx context.Context, in *struct {
			AppID string `path:"appid" maxLength:"100"`
			Body  pushBody
		},
		) (*output[pushBody], error) {
			p, err := s.SetPush(ctx, in.AppID, wechat.CloudPush{Enabled: in.Body.Enabled, Env: in.Body.Env, Path: in.Body.Path, XML: in.Body.Format == "xml"})
			return reply(viewPush(p), err)
		})
}

func (s *Service) registerShares(api huma.API, op func(method, path, id, summary string, role adminauth.Role) huma.Operation, created func(huma.Operation) huma.Operation) {
	huma.Register(api, created(op(http.MethodPost, "/cloud-envs/{env}/shares", "share-cloud-env", "Offer an environment to merchants' mini programs", adminauth.Operator)), s.offer)
	huma.Register(api, op(http.MethodGet, "/cloud-shares", "list-cloud-shares", "Offers of environments, newest first", adminauth.Viewer), s.listShares)
	huma.Register(api, op(http.MethodPost, "/cloud-shares/check", "check-cloud-shares", "Ask WeChat now who has confirmed", adminauth.Operator),
		func(ctx context.Context, in *struct {
			Body struct {
				Env string `json:"env,omitempty" maxLength:"100" doc:"Empty: all."`
			}
		},
		) (*struct{}, error) {
			return nil, s.Check(ctx, in.Body.Env)
		})
	huma.Register(api, op(http.MethodPost, "/cloud-shares/{id}/retry", "retry-cloud-share", "Ask WeChat for a new address", adminauth.Operator),
		func(ctx context.Context, in *ShareInput) (*output[shareView], error) {
			share, err := s.Retry(ctx, in.ID)
			return reply(viewShare(ctx, share), err)
		})
	huma.Register(api, op(http.MethodGet, "/cloud-shares/{id}/qr.png", "get-cloud-share-qr", "QR code for the mini program's administrator", adminauth.Viewer),
		func(ctx context.Context, in *ShareInput) (*imageOutput, error) {
			share, err := s.Share(ctx, in.ID)
			if err != nil {
				return nil, err
			}
			if share.State != stateWaiting {
				return nil, fault.New(fault.Gone, "Nothing is to be confirmed here; the offer is %s.", share.State)
			}
			image, err := authorize.QRCode(share.URL, qrSize)
			return &imageOutput{ContentType: "image/png", CacheControl: "no-store", Body: image}, err
		})
}

func (s *Service) listEnvs(ctx context.Context, _ *struct{}) (*output[envsBody], error) {
	l, err := s.List(ctx)
	if err != nil {
		return nil, err
	}
	counts, err := s.Counts(ctx)
	if err != nil {
		return nil, err
	}
	body := envsBody{Items: []envView{}, Total: new(len(l.Envs)), Refused: []refusedKind{}, Evidence: evidenceTable()}
	for _, e := range l.Envs {
		body.Items = append(body.Items, viewEnv(e, counts[e.Env]))
	}
	for _, kind := range []wechat.CloudKind{wechat.CloudBase, wechat.CloudRun} {
		if err := l.Refused[kind]; err != nil {
			body.Refused = append(body.Refused, refusedKind{string(kind), refusal.Of(err).View(fault.LangFrom(ctx))})
		}
	}
	return reply(body, nil)
}

func (s *Service) offer(ctx context.Context, in *offerInput) (*output[offerBody], error) {
	shares, unfit, err := s.Offer(ctx, in.Env, wechat.CloudKind(in.Body.Kind), in.Body.AppIDs, adminauth.UserFrom(ctx).Username)
	if err != nil {
		return nil, err
	}
	body := offerBody{Items: []shareView{}}
	for _, share := range shares {
		body.Items = append(body.Items, viewShare(ctx, share))
	}
	body.Refused = append(body.Refused, make([]struct {
		AppID  string `json:"appid"`
		Detail string `json:"detail"`
	}, len(unfit))...)
	for i, u := range unfit {
		body.Refused[i].AppID, body.Refused[i].Detail = u.AppID, u.Say(fault.LangFrom(ctx))
	}
	return reply(body, nil)
}

func (s *Service) listShares(ctx context.Context, in *struct {
	httpserver.ListInput

	Env   string `query:"env" maxLength:"100"`
	AppID string `query:"appid" maxLength:"100"`
	State string `query:"state" enum:"pending,sent,waiting,confirmed,failed,expired,ended"`
},
) (*output[httpserver.Page[shareView]], error) {
	f := Filter{Env: in.Env, AppID: in.AppID, State: in.State, Limit: in.Limit}
	if err := httpserver.DecodeCursor(in.Cursor, &f.Before); err != nil {
		return nil, err
	}
	list, next, total, err := s.Shares(ctx, f)
	if err != nil {
		return nil, err
	}
	page := httpserver.Page[shareView]{Items: []shareView{}, Total: &total}
	for _, share := range list {
		page.Items = append(page.Items, viewShare(ctx, share))
	}
	if next != 0 {
		page.NextCursor = httpserver.EncodeCursor(next)
	}
	return reply(page, nil)
}

const qrSize = 480

type imageOutput struct {
	ContentType  string `header:"Content-Type"`
	CacheControl string `header:"Cache-Control"`
	Body         []byte
}
