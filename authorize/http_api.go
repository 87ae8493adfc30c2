package authorize

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/danielgtaylor/huma/v2"

	"github.com/wxsteward/wxsteward/internal/adminauth"
	"github.com/wxsteward/wxsteward/internal/fault"
	"github.com/wxsteward/wxsteward/internal/httpserver"
	"github.com/wxsteward/wxsteward/internal/wechat"
)

type body[T any] struct{ Body T }

func answer[T any](v T) *body[T] { return &body[T]{v} }

// object is JSON that must be an object and is handed on as it came.
type object json.RawMessage

// Schema implements huma.SchemaProvider.
func (object) Schema(huma.Registry) *huma.Schema {
	return &huma.Schema{Type: huma.TypeObject, AdditionalProperties: true}
}

// MarshalJSON implements json.Marshaler.
func (o object) MarshalJSON() ([]byte, error) {
	if len(o) == 0 {
		return []byte("{}"), nil
	}
	return o, nil
}

// UnmarshalJSON implements json.Unmarshaler.
func (o *object) UnmarshalJSON(text []byte) error {
	*o = slices.Clone(text)
	return nil
}

type linkBody struct {
	ID              string     `json:"id"`
	URL             string     `json:"url" doc:"The page for the merchant."`
	QRURL           string     `json:"qr_url" doc:"A QR code of the page; ?size= is its width in pixels. The same with .svg is for print."`
	PosterURL       string     `json:"poster_url" doc:"A page with the QR code and what to do, to print or to show at a desk; ?lang=zh or en."`
	BizID           string     `json:"biz_id"`
	Kind            string     `json:"kind" enum:"miniprogram,official,any,4,5,6,8" doc:"Digits are WeChat's auth_type: 4 小程序推客账号, 5 视频号, 6 all of these, 8 带货助手."`
	AppID           string     `json:"appid" doc:"Only this account may authorize; empty: any."`
	FuncScopes      []int      `json:"func_scopes" doc:"Permission sets asked for; empty: all."`
	ReturnURL       string     `json:"return_url"`
	SingleUse       bool       `json:"single_use"`
	Status          string     `json:"status" enum:"pending,opened,authorized,failed,expired,revoked"`
	AuthorizerAppID string     `json:"authorizer_appid" doc:"The account that authorized last."`
	OtherBizIDs     []string   `json:"other_biz_ids" doc:"Ids that this account is bound to besides biz_id; they stay."`
	Error           string     `json:"error" doc:"Why the last attempt failed and what to do."`
	CreatedBy       string     `json:"created_by"`
	CreatedAt       time.Time  `json:"created_at"`
	ExpiresAt       time.Time  `json:"expires_at"`
	OpenedAt        *time.Time `json:"opened_at"`
	AuthorizedAt    *time.Time `json:"authorized_at"`
}

func (s *Service) linkBody(ctx context.Context, l Link) linkBody {
	return linkBody{
		ID: l.ID, URL: s.linkURL(l.ID), QRURL: s.qrURL(l.ID), PosterURL: s.posterURL(l.ID), BizID: l.BizID, Kind: l.Kind, AppID: l.AppID, FuncScopes: l.FuncScopes,
		ReturnURL: l.ReturnURL, SingleUse: l.SingleUse, Status: l.Status, AuthorizerAppID: l.AuthorizerAppID,
		OtherBizIDs: append([]string{}, l.OtherBizIDs...), Error: l.Error(fault.LangFrom(ctx)), CreatedBy: l.CreatedBy, CreatedAt: l.CreatedAt.UTC(), ExpiresAt: l.ExpiresAt.UTC(),
		OpenedAt: utc(l.OpenedAt), AuthorizedAt: utc(l.AuthorizedAt),
	}
}

func utc(t *time.Time) *time.Time {
	if t == nil {
		return nil
	}
	return new(t.UTC())
}

type newLinkInput struct {
	Body struct {
		BizID      string `json:"biz_id" doc:"Your own id of the merchant, at most 128 characters."`
		Kind       string `json:"kind" enum:"miniprogram,official,any,4,5,6,8" doc:"any: a mini program or an official account. Digits are WeChat's auth_type: 4 小程序推客账号, 5 视频号, 6 all of these, 8 带货助手."`
		AppID      string `json:"appid,omitempty" doc:"Only this account may authorize."`
		FuncScopes []int  `json:"func_scopes,omitempty" doc:"Permission sets (权限集) to ask for; left out: all of the platform."`
		ReturnURL  string `json:"return_url,omitempty" doc:"Where the merchant goes afterwards; must be on the allowlist."`
		TTLSeconds *int64 `json:"ttl_seconds,omitempty" doc:"Default 604800 (7 days)."`
		SingleUse  *bool  `json:"single_use,omitempty" doc:"Default true: the first account that authorizes uses the link up."`
	}
}

type linkInput struct {
	ID string `path:"id" maxLength:"100"`
}

type linksInput struct {
	httpserver.ListInput

	Status string `query:"status" enum:"pending,opened,authorized,failed,expired,revoked"`
	BizID  string `query:"biz_id" maxLength:"512"`
}

// AuthorizerItem is a merchant in a list. It is exported because Huma describes the fields of no other embedded type.
type AuthorizerItem struct {
	AppID          string     `json:"appid"`
	Kind           string     `json:"kind" enum:",miniprogram,official,other" doc:"Empty until WeChat has told."`
	NickName       string     `json:"nick_name"`
	UserName       string     `json:"user_name" doc:"Original id, gh_…"`
	HeadImg        string     `json:"head_img"`
	QRCodeURL      string     `json:"qrcode_url"`
	PrincipalName  string     `json:"principal_name"`
	Status         string     `json:"status" enum:"authorized,unauthorized"`
	BizIDs         []string   `json:"biz_ids"`
	Labels         []string   `json:"labels"`
	FuncScopes     []int      `json:"func_scopes" doc:"Permission sets granted."`
	ServiceType    *int       `json:"service_type"`
	VerifyType     *int       `json:"verify_type"`
	RegisterType   *int       `json:"register_type"`
	AccountStatus  *int       `json:"account_status" doc:"1 normal, 14 closed, 16 banned, 18 warned, 19 frozen."`
	AuthorizedAt   *time.Time `json:"authorized_at"`
	UnauthorizedAt *time.Time `json:"unauthorized_at"`
	UpdatedAt      time.Time  `json:"updated_at"`
	NeedsReauth    bool       `json:"needs_reauthorization" doc:"WeChat takes no token of this merchant any more; it has to authorize again."`
	InfoAt         *time.Time `json:"info_at" doc:"When the details were last read from WeChat."`
	InfoError      string     `json:"info_error" doc:"Why the last reading failed and what to do; empty when it did not."`
}

type authorizerBody struct {
	AuthorizerItem

	Alias       string     `json:"alias"`
	Signature   string     `json:"signature"`
	Categories  []category `json:"categories"`
	Network     network    `json:"network" doc:"The account's domains by kind."`
	BasicConfig object     `json:"basic_config"`

	BusinessInfo  object         `json:"business_info" doc:"open_pay, open_shake, …: 0 or 1."`
	Special       object         `json:"special" doc:"What the account is besides: channels 视频号, store 微信小店, talent 带货助手, supplier 供货商, each with WeChat's id."`
	ScopeConfirms []scopeConfirm `json:"scope_confirms" doc:"Permission sets that the platform has to confirm; flags are 0 or 1."`

	Token     tokenStatus `json:"token"`
	Ext       object      `json:"ext" doc:"This merchant's own data for ext_json."`
	CreatedAt time.Time   `json:"created_at"`
}

type tokenStatus struct {
	ExpiresAt *time.Time `json:"expires_at" doc:"Null when there is no token at hand."`
}

func item(ctx context.Context, a Authorizer) AuthorizerItem {
	return AuthorizerItem{
		AppID: a.AppID, Kind: a.Kind, NickName: a.NickName, UserName: a.UserName, HeadImg: a.HeadImg, QRCodeURL: a.QRCodeURL,
		PrincipalName: a.PrincipalName, Status: a.Status, BizIDs: a.BizIDs, Labels: a.Labels, FuncScopes: a.FuncScopes,
		ServiceType: a.ServiceType, VerifyType: a.VerifyType, RegisterType: a.RegisterType, AccountStatus: a.AccountStatus,
		AuthorizedAt: utc(a.AuthorizedAt), UnauthorizedAt: utc(a.UnauthorizedAt), UpdatedAt: a.UpdatedAt.UTC(),
		NeedsReauth: a.ReauthorizeSince != nil, InfoAt: utc(a.InfoAt), InfoError: a.InfoError(fault.LangFrom(ctx)),
	}
}

func (s *Service) authorizerBody(ctx context.Context, a Authorizer) (*body[authorizerBody], error) {
	b := authorizerBody{
		AuthorizerItem: item(ctx, a), Alias: a.Alias, Signature: a.Signature,
		BasicConfig: object(a.BasicConfig), BusinessInfo: object(a.BusinessInfo), Special: object(a.Special),
		Ext: object(a.Ext), CreatedAt: a.CreatedAt.UTC(),
	}
	err := errors.Join(json.Unmarshal(a.Categories, &b.Categories), json.Unmarshal(a.Network, &b.Network), json.Unmarshal(a.ScopeConfirms, &b.ScopeConfirms))
	if err != nil {
		return nil, fmt.Errorf("stored details of merchant %s: %w", a.AppID, err)
	}
	t, ok, err := s.tokens.Peek(ctx, tokenKey(a.AppID))
	if err != nil {
		return nil, err
	}
	if ok && t.ExpiresAt.After(s.Now()) {
		b.Token.ExpiresAt = new(t.ExpiresAt.UTC())
	}
	return answer(b), nil
}

// FilterInput are the filters of the directory, for lists and exports. It is exported because Huma reads no other embedded type.
type FilterInput struct {
	Status    string `query:"status" enum:"authorized,unauthorized"`
	Kind      string `query:"kind" enum:"miniprogram,official,other"`
	Q         string `query:"q" maxLength:"200" doc:"Part of nick name, appid, original id or principal."`
	BizID     string `query:"biz_id" maxLength:"512"`
	Label     string `query:"label" maxLength:"256"`
	FuncScope int    `query:"func_scope" minimum:"0" maximum:"1073741824" doc:"Permission set granted."`
}

// filter is what was asked for; false if nothing stored can fit.
func (in FilterInput) filter() (Filter, bool) {
	f := Filter{Status: in.Status, Kind: in.Kind, Query: in.Q, BizID: in.BizID, Label: in.Label, FuncScope: in.FuncScope}
	return f, storable(in.Q + in.BizID + in.Label)
}

type authorizersInput struct {
	httpserver.ListInput
	FilterInput
}

type authorizerInput struct {
	AppID string `path:"appid" maxLength:"100"`
}

type changeInput struct {
	AppID string `path:"appid" maxLength:"100"`
	Body  struct {
		BizIDs *[]string `json:"biz_ids,omitempty" doc:"Replaces all."`
		Labels *[]string `json:"labels,omitempty" doc:"Replaces all."`
		Ext    object    `json:"ext,omitempty" doc:"Replaces the whole object."`
	}
}

// RegisterAPI adds links and merchants to the admin API.
func (s *Service) RegisterAPI(api huma.API) {
	const links, merchants = "authorization-links", "authorizers"
	create := adminauth.Op(http.MethodPost, "/authorization-links", "create-authorization-link", "Invite a merchant", adminauth.Operator, links)
	create.DefaultStatus = http.StatusCreated
	huma.Register(api, create, s.postLink)
	huma.Register(api, adminauth.Op(http.MethodGet, "/authorization-links", "list-authorization-links", "Links, newest first", adminauth.Viewer, links), s.getLinks)
	huma.Register(api, adminauth.Op(http.MethodGet, "/authorization-links/{id}", "get-authorization-link", "One link", adminauth.Viewer, links), s.getLink)
	huma.Register(api, adminauth.Op(http.MethodDelete, "/authorization-links/{id}", "revoke-authorization-link", "Revoke a link", adminauth.Operator, links), s.deleteLink)

	huma.Register(api, adminauth.Op(http.MethodGet, "/authorizers", "list-authorizers", "Merchants, newest first", adminauth.Viewer, merchants), s.getAuthorizers)
	s.registerDirectory(api)
	s.registerSync(api)
	huma.Register(api, adminauth.Op(http.MethodGet, "/authorizers/{appid}", "get-authorizer", "One merchant", adminauth.Viewer, merchants), s.getAuthorizer)
	s.registerTimeline(api)
	huma.Register(api, adminauth.Op(http.MethodPatch, "/authorizers/{appid}", "change-authorizer", "Set biz ids, labels and ext", adminauth.Operator, merchants), s.patchAuthorizer)
	huma.Register(api, adminauth.Op(http.MethodPost, "/authorizers/{appid}/refresh", "refresh-authorizer", "Read a merchant's details from WeChat", adminauth.Operator, merchants), s.postRefresh)
	huma.Register(api, adminauth.Audited(adminauth.Op(http.MethodGet, "/authorizers/{appid}/access-token", "get-authorizer-access-token",
		"A merchant's access token", adminauth.Operator, merchants)), s.getAccessToken)
}

func (s *Service) postLink(ctx context.Context, in *newLinkInput) (*body[linkBody], error) {
	b := in.Body
	n := NewLink{
		BizID: b.BizID, Kind: b.Kind, AppID: b.AppID, FuncScopes: b.FuncScopes, ReturnURL: b.ReturnURL,
		SingleUse: b.SingleUse == nil || *b.SingleUse, CreatedBy: adminauth.UserFrom(ctx).Username,
	}
	if b.TTLSeconds != nil {
		if *b.TTLSeconds < 1 || *b.TTLSeconds > int64(maxTTL/time.Second) {
			return nil, wrongTTL(*b.TTLSeconds)
		}
		n.TTL = time.Duration(*b.TTLSeconds) * time.Second
	}
	l, err := s.CreateLink(ctx, n)
	if err != nil {
		return nil, err
	}
	adminauth.SetTarget(ctx, l.ID)
	return answer(s.linkBody(ctx, l)), nil
}

func (s *Service) getLinks(ctx context.Context, in *linksInput) (*body[httpserver.Page[linkBody]], error) {
	f := LinkFilter{Status: in.Status, BizID: in.BizID, Limit: in.Limit}
	if err := httpserver.DecodeCursor(in.Cursor, &f.After); err != nil {
		return nil, err
	}
	if !storable(f.BizID) {
		return answer(httpserver.Page[linkBody]{Total: new(int64(0))}), nil
	}
	links, next, total, err := s.Links(ctx, f)
	if err != nil {
		return nil, err
	}
	page := httpserver.Page[linkBody]{Items: []linkBody{}, Total: &total}
	for _, l := range links {
		page.Items = append(page.Items, s.linkBody(ctx, l))
	}
	if next != 0 {
		page.NextCursor = httpserver.EncodeCursor(next)
	}
	return answer(page), nil
}

func (s *Service) getLink(ctx context.Context, in *linkInput) (*body[linkBody], error) {
	l, err := s.Link(ctx, in.ID)
	if err != nil {
		return nil, err
	}
	return answer(s.linkBody(ctx, l)), nil
}

func (s *Service) deleteLink(ctx context.Context, in *linkInput) (*struct{}, error) {
	return nil, s.RevokeLink(ctx, in.ID)
}

func (s *Service) getAuthorizers(ctx context.Context, in *authorizersInput) (*body[httpserver.Page[AuthorizerItem]], error) {
	f, ok := in.filter()
	f.Limit = in.Limit
	if err := httpserver.DecodeCursor(in.Cursor, &f.After); err != nil {
		return nil, err
	}
	if !ok || !storable(f.After.AppID) {
		return answer(httpserver.Page[AuthorizerItem]{Total: new(int64(0))}), nil
	}
	list, next, total, err := s.List(ctx, f)
	if err != nil {
		return nil, err
	}
	page := httpserver.Page[AuthorizerItem]{Items: []AuthorizerItem{}, Total: &total}
	for _, a := range list {
		page.Items = append(page.Items, item(ctx, a))
	}
	if next != nil {
		page.NextCursor = httpserver.EncodeCursor(next)
	}
	return answer(page), nil
}

// storable: PostgreSQL refuses other text, so nothing stored can be equal to it.
func storable(text string) bool { return utf8.ValidString(text) && !strings.Contains(text, "\x00") }

func (s *Service) getAuthorizer(ctx context.Context, in *authorizerInput) (*body[authorizerBody], error) {
	if !storable(in.AppID) {
		return nil, noSuchAuthorizer()
	}
	a, err := s.Get(ctx, in.AppID)
	if err != nil {
		return nil, err
	}
	s.freshen(ctx, a)
	return s.authorizerBody(ctx, a)
}

func (s *Service) patchAuthorizer(ctx context.Context, in *changeInput) (*body[authorizerBody], error) {
	if !storable(in.AppID) {
		return nil, noSuchAuthorizer()
	}
	a, err := s.Change(ctx, in.AppID, Change{BizIDs: in.Body.BizIDs, Labels: in.Body.Labels, Ext: json.RawMessage(in.Body.Ext), By: adminauth.UserFrom(ctx).Username})
	if err != nil {
		return nil, err
	}
	return s.authorizerBody(ctx, a)
}

func (s *Service) postRefresh(ctx context.Context, in *authorizerInput) (*body[authorizerBody], error) {
	if !storable(in.AppID) {
		return nil, noSuchAuthorizer()
	}
	if err := s.Refresh(ctx, in.AppID); err != nil {
		if wechat.IsCode(err, notAuthorized) {
			s.doubt(ctx, in.AppID, err)
		}
		return nil, err
	}
	return s.getAuthorizer(ctx, in)
}
