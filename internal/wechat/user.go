package wechat

import (
	"context"
	"encoding/json"
	"errors"
	"net/url"

	"github.com/wxsteward/wxsteward/internal/sealed"
)

// LoginSession is who a code of wx.login stands for.
type LoginSession struct {
	OpenID     string        `json:"openid"`
	UnionID    string        `json:"unionid"` // only where the mini program is bound to an open account
	SessionKey sealed.Secret `json:"session_key"`
}

// CodeToSession exchanges a code of wx.login in the mini program appid, which works once and for five minutes. It fails
// with 40029 and 40163 for a code that is wrong or used.
//
// WeChat docs: https://developers.weixin.qq.com/doc/oplatform/openApi/miniprogram-management/login/api_thirdpartycode2session.html
func (c *Component) CodeToSession(ctx context.Context, appid string, code sealed.Secret) (LoginSession, error) {
	const op = "sns/component/jscode2session"
	var out LoginSession
	err := c.call(ctx, request{
		op: op, get: true, effect: true, tokenParam: "component_access_token",
		query: url.Values{
			"appid": {appid}, "js_code": {code.Reveal()}, "grant_type": {"authorization_code"}, "component_appid": {c.appid},
		},
		secrets: []sealed.Secret{code},
	}, &out)
	if err == nil && out.OpenID == "" {
		err = lacks(op, "openid")
	}
	return out, err
}

// Phone is a user's phone number.
type Phone struct {
	Number      string // with the country code where it is not China's
	Pure        string
	CountryCode string
	AppID       string // whose user it is, as WeChat has signed it; "" where it does not say
}

type phoneInfo struct {
	Number      text `json:"phoneNumber"`
	Pure        text `json:"purePhoneNumber"`
	CountryCode text `json:"countryCode"`
	Watermark   struct {
		AppID string `json:"appid"`
	} `json:"watermark"`
}

func (p phoneInfo) phone() Phone {
	return Phone{string(p.Number), string(p.Pure), string(p.CountryCode), p.Watermark.AppID}
}

// PhoneNumber exchanges a code of the phone number button, which works once and for five minutes. fromAppID is the mini
// program that uses an environment shared with it (资源复用), else "". It fails with 40029 for a wrong code. Needs
// permission set 18.
//
// WeChat docs: https://developers.weixin.qq.com/miniprogram/dev/server/API/user-info/phone-number/api_getphonenumber.html
func (a *Authorizer) PhoneNumber(ctx context.Context, code sealed.Secret, fromAppID string) (Phone, error) {
	const op = "wxa/business/getuserphonenumber"
	var out struct {
		Info *phoneInfo `json:"phone_info"`
	}
	err := a.call(ctx, request{
		op: op, query: shared(fromAppID), body: struct {
			Code string `json:"code"`
		}{code.Reveal()},
		secrets: []sealed.Secret{code},
	}, &out)
	if err != nil {
		return Phone{}, err
	}
	if out.Info == nil || out.Info.Number == "" {
		return Phone{}, lacks(op, "phone_info")
	}
	return out.Info.phone(), nil
}

// ErrOnlyInCloud is a call that WeChat takes from inside WeChat Cloud Run alone.
var ErrOnlyInCloud = errors.New("wechat: only from WeChat Cloud Run, by the open-API service or with the cloud token")

// OpenDataPhone reads the phone number that a cloud id of the phone number button stands for. It is the zero Phone when
// WeChat gives no number for it: the cloud id is wrong, has expired or belongs to another user than openID. fromAppID is the
// mini program, where the cloud environment belongs to another account. WeChat takes this call from the open-API service or
// with the cloud token only; with TransportToken it fails with ErrOnlyInCloud and is not made.
//
// WeChat docs: https://developers.weixin.qq.com/miniprogram/dev/wxcloudrun/src/guide/weixin/open.html
func (c *Component) OpenDataPhone(ctx context.Context, openID string, cloudID sealed.Secret, fromAppID string) (Phone, error) {
	if t := c.client.transport; t != TransportOpenAPI && t != TransportCloudToken {
		return Phone{}, ErrOnlyInCloud
	}
	query := shared(fromAppID)
	query.Set("openid", openID)
	var out struct {
		List List[struct {
			JSON string `json:"json"` // JSON in JSON
		}] `json:"data_list"`
	}
	err := c.call(ctx, request{
		op: "wxa/getopendata", query: query, body: struct {
			IDs []string `json:"cloudid_list"`
		}{[]string{cloudID.Reveal()}},
		secrets: []sealed.Secret{cloudID},
	}, &out)
	if err != nil || len(out.List) == 0 {
		return Phone{}, err
	}
	var data struct {
		Data phoneInfo `json:"data"`
	}
	_ = json.Unmarshal([]byte(out.List[0].JSON), &data) // whatever else it says is no number
	return data.Data.phone(), nil
}

func shared(fromAppID string) url.Values {
	if fromAppID == "" {
		return url.Values{}
	}
	return url.Values{"from_appid": {fromAppID}}
}
