package wechat

import (
	"context"
	"time"

	"github.com/wxsteward/wxsteward/internal/sealed"
)

// PreAuthCode opens one authorization page. Make one for each page shown.
type PreAuthCode struct {
	Code      sealed.Secret
	ExpiresIn time.Duration // documented as 30 minutes and as 10; what WeChat says counts
}

// CreatePreAuthCode makes the pre_auth_code of an authorization link.
//
// WeChat docs: https://developers.weixin.qq.com/doc/oplatform/openApi/ticket-token/api_getpreauthcode.html
func (c *Component) CreatePreAuthCode(ctx context.Context) (PreAuthCode, error) {
	const op = "cgi-bin/component/api_create_preauthcode"
	var out struct {
		Code      sealed.Secret `json:"pre_auth_code"`
		ExpiresIn Int           `json:"expires_in"`
	}
	body := struct {
		AppID string `json:"component_appid"`
	}{c.appid}
	if err := c.call(ctx, request{op: op, body: body}, &out); err != nil {
		return PreAuthCode{}, err
	}
	if out.Code.IsZero() {
		return PreAuthCode{}, lacks(op, "pre_auth_code")
	}
	return PreAuthCode{Code: out.Code, ExpiresIn: seconds(out.ExpiresIn)}, nil
}

// AuthorizationInfo says what a merchant granted, with tokens as far as the call gives them.
type AuthorizationInfo struct {
	AppID        string         `json:"authorizer_appid"`
	AccessToken  sealed.Secret  `json:"authorizer_access_token"`  // zero for accounts without API capability, and in AuthorizerInfo
	RefreshToken sealed.Secret  `json:"authorizer_refresh_token"` // may be zero likewise
	ExpiresIn    Int            `json:"expires_in"`               // seconds
	FuncInfo     List[FuncInfo] `json:"func_info"`
}

// FuncInfo is one granted permission set (权限集).
type FuncInfo struct {
	Category struct {
		ID Int `json:"id"`
	} `json:"funcscope_category"`
	Confirm *ConfirmInfo `json:"confirm_info"` // absent on most sets
}

// ConfirmInfo holds flags 0 or 1 about a permission set that the platform has to confirm.
type ConfirmInfo struct {
	NeedConfirm    Int `json:"need_confirm"`
	AlreadyConfirm Int `json:"already_confirm"`
	CanConfirm     Int `json:"can_confirm"`
}

// Token is the tokens of i.
func (i AuthorizationInfo) Token() Token {
	return Token{Access: i.AccessToken, Refresh: i.RefreshToken, ExpiresIn: seconds(i.ExpiresIn)}
}

// FuncScopes lists the ids of the permission sets granted, which may be fewer than were asked for.
func (i AuthorizationInfo) FuncScopes() []int {
	ids := make([]int, 0, len(i.FuncInfo))
	for _, f := range i.FuncInfo {
		ids = append(ids, int(f.Category.ID))
	}
	return ids
}

// QueryAuth exchanges an authorization code, which works once. It fails with *APIError; 61009 and 61010 mean that the
// code was used before, is wrong, or has expired.
//
// WeChat docs: https://developers.weixin.qq.com/doc/oplatform/openApi/ticket-token/api_getauthorizerrefreshtoken.html
func (c *Component) QueryAuth(ctx context.Context, code sealed.Secret) (AuthorizationInfo, error) {
	const op = "cgi-bin/component/api_query_auth"
	var out struct {
		Info AuthorizationInfo `json:"authorization_info"`
	}
	err := c.call(ctx, request{
		op: op,
		body: struct {
			AppID string `json:"component_appid"`
			Code  string `json:"authorization_code"`
		}{c.appid, code.Reveal()},
		secrets: []sealed.Secret{code},
	}, &out)
	if err != nil {
		return AuthorizationInfo{}, err
	}
	if out.Info.AppID == "" {
		return AuthorizationInfo{}, lacks(op, "authorizer_appid")
	}
	return out.Info, nil
}

// AuthorizerInfo describes a merchant's account and what it granted.
type AuthorizerInfo struct {
	Account       Account           `json:"authorizer_info"`
	Authorization AuthorizationInfo `json:"authorization_info"` // never with an access token
}

// Account is a merchant's account as WeChat shows it. Enumerations are explained on the page named at
// Component.AuthorizerInfo.
type Account struct {
	NickName      string           `json:"nick_name"`
	HeadImage     string           `json:"head_img"`
	ServiceType   *TypeInfo        `json:"service_type_info"`
	VerifyType    *TypeInfo        `json:"verify_type_info"` // id -1: not verified (未认证), 0: verified
	UserName      string           `json:"user_name"`        // original id gh_…, the ToUserName of pushes
	Alias         string           `json:"alias"`
	QRCodeURL     string           `json:"qrcode_url"`
	Business      map[string]Int   `json:"business_info"` // open_pay, open_scan, …: 0 or 1
	PrincipalName string           `json:"principal_name"`
	Signature     string           `json:"signature"`
	MiniProgram   *MiniProgramInfo `json:"MiniProgramInfo"` // nil: not a mini program
	RegisterType  *Int             `json:"register_type"`
	AccountStatus *Int             `json:"account_status"` // 1 normal, 14 closed, 16 banned, 18 warned, 19 frozen
	BasicConfig   *BasicConfig     `json:"basic_config"`
	Channels      *TypeInfo        `json:"channels_info"` // 视频号
	Store         *TypeInfo        `json:"store_info"`    // 微信小店
	Talent        *TypeInfo        `json:"talent_info"`   // 带货助手
	Supplier      *TypeInfo        `json:"supplier_info"` // 供货商
}

// TypeInfo is one value of an enumeration; Name is often empty.
type TypeInfo struct {
	ID   Int    `json:"id"`
	Name string `json:"name"`
}

// BasicConfig says which contacts the merchant has set.
type BasicConfig struct {
	PhoneConfigured bool `json:"is_phone_configured"`
	EmailConfigured bool `json:"is_email_configured"`
}

// MiniProgramInfo is present for mini programs only.
type MiniProgramInfo struct {
	Network    Network               `json:"network"`
	Categories List[AuthorizedClass] `json:"categories"`
}

// AuthorizedClass is one approved category (类目) of a mini program.
type AuthorizedClass struct {
	First  string `json:"first"`
	Second string `json:"second"`
}

// Network lists a mini program's domains; any list may be absent.
type Network struct {
	Request     List[string] `json:"RequestDomain"`
	WSRequest   List[string] `json:"WsRequestDomain"`
	Upload      List[string] `json:"UploadDomain"`
	Download    List[string] `json:"DownloadDomain"`
	UDP         List[string] `json:"UDPDomain"`
	TCP         List[string] `json:"TCPDomain"`
	Webview     List[string] `json:"BizDomain"`
	PrefetchDNS List[string] `json:"PrefetchDNSDomain"`
}

// AuthorizerInfo reads a merchant's account. It fails with *APIError; 61003 means that the merchant has not (or no
// longer) authorized the platform.
//
// WeChat docs: https://developers.weixin.qq.com/doc/oplatform/openApi/authorization-management/api_getauthorizerinfo.html
func (c *Component) AuthorizerInfo(ctx context.Context, appid string) (AuthorizerInfo, error) {
	const op = "cgi-bin/component/api_get_authorizer_info"
	var out struct {
		Account       *Account          `json:"authorizer_info"`
		Authorization AuthorizationInfo `json:"authorization_info"`
	}
	err := c.call(ctx, request{op: op, body: struct {
		Component string `json:"component_appid"`
		AppID     string `json:"authorizer_appid"`
	}{c.appid, appid}}, &out)
	if err != nil {
		return AuthorizerInfo{}, err
	}
	if out.Account == nil {
		return AuthorizerInfo{}, lacks(op, "authorizer_info")
	}
	return AuthorizerInfo{Account: *out.Account, Authorization: out.Authorization}, nil
}

// AuthorizerList is one page of the merchants that authorized the platform.
type AuthorizerList struct {
	TotalCount Int                   `json:"total_count"`
	List       List[AuthorizerEntry] `json:"list"`
}

// AuthorizerEntry is one merchant of AuthorizerList, of any kind of account.
type AuthorizerEntry struct {
	AppID        string        `json:"authorizer_appid"`
	RefreshToken sealed.Secret `json:"refresh_token"` // zero: authorized, but the code was never exchanged
	AuthTime     Int           `json:"auth_time"`     // Unix seconds
}

// MaxAuthorizerCount is the most that one call of AuthorizerList may ask for.
const MaxAuthorizerCount = 500

// AuthorizerList reads count (at most MaxAuthorizerCount, else 40170) merchants from offset on; WeChat documents no
// order. It also recovers lost refresh tokens.
//
// WeChat docs: https://developers.weixin.qq.com/doc/oplatform/openApi/authorization-management/api_getauthorizerlist.html
func (c *Component) AuthorizerList(ctx context.Context, offset, count int) (AuthorizerList, error) {
	const op = "cgi-bin/component/api_get_authorizer_list"
	var out struct {
		Total known                 `json:"total_count"`
		List  List[AuthorizerEntry] `json:"list"`
	}
	err := c.call(ctx, request{op: op, body: struct {
		AppID  string `json:"component_appid"`
		Offset int    `json:"offset"`
		Count  int    `json:"count"`
	}{c.appid, offset, count}}, &out)
	if err != nil {
		return AuthorizerList{}, err
	}
	if !out.Total.ok {
		// Taking this for an empty list would make every merchant look un-authorized.
		return AuthorizerList{}, lacks(op, "total_count")
	}
	return AuthorizerList{TotalCount: Int(out.Total.value), List: out.List}, nil
}

// GetOption reads an option of an official account: location_report, voice_recognize or customer_service.
//
// WeChat docs: https://developers.weixin.qq.com/doc/oplatform/openApi/authorization-management/api_getauthorizeroptioninfo.html
func (a *Authorizer) GetOption(ctx context.Context, name string) (string, error) {
	var out struct {
		Value text `json:"option_value"`
	}
	err := a.call(ctx, request{op: "cgi-bin/component/get_authorizer_option", body: struct {
		Name string `json:"option_name"`
	}{name}}, &out)
	return string(out.Value), err
}

// SetOption sets an option of an official account. It fails with 61012 and 61013 for an unknown name or value.
//
// WeChat docs: https://developers.weixin.qq.com/doc/oplatform/openApi/authorization-management/api_setauthorizeroptioninfo.html
func (a *Authorizer) SetOption(ctx context.Context, name, value string) error {
	return a.call(ctx, request{op: "cgi-bin/component/set_authorizer_option", body: struct {
		Name  string `json:"option_name"`
		Value string `json:"option_value"`
	}{name, value}}, nil)
}
