package wechat

import (
	"context"
	"net/url"
)

// CommitRequest uploads a template as the trial version (体验版) of one merchant.
type CommitRequest struct {
	TemplateID  int64  `json:"template_id"` // 0 is a valid id
	ExtJSON     string `json:"ext_json"`    // JSON text; "{}" when there is nothing to say
	UserVersion string `json:"user_version"`
	UserDesc    string `json:"user_desc"`
}

// Commit replaces the trial version and starts a new code detection of about a minute; what is live or in audit stays.
// It takes up to 60 s. When OutcomeUnknown, wait a minute and compare VersionInfo's Exp with what was sent before
// committing again. Needs permission set 18, as all calls in this file unless said otherwise.
//
// WeChat docs: https://developers.weixin.qq.com/doc/oplatform/openApi/miniprogram-management/code-management/api_commit.html
func (a *Authorizer) Commit(ctx context.Context, r CommitRequest) error {
	return a.call(ctx, request{op: "wxa/commit", body: r, timeout: commitTimeout}, nil)
}

// CodePrivacyInfo is the result of the code detection. Both lists empty: nothing stands in the way of a submission.
type CodePrivacyInfo struct {
	WithoutAuth List[string] `json:"without_auth_list"` // used, but the mini program has no permission, e.g. "wx.getLocation"
	WithoutConf List[string] `json:"without_conf_list"` // used, but not declared in requiredPrivateInfos
}

// CodePrivacyInfo reads the detection's result. It fails with 61039 while detection runs (ask again after 60 s, do not
// commit again) and 61040 when a privacy interface lacks permission or configuration; the lists are filled then as far
// as WeChat tells.
//
// WeChat docs: https://developers.weixin.qq.com/doc/oplatform/openApi/miniprogram-management/code-management/api_getcodeprivacyinfo.html
func (a *Authorizer) CodePrivacyInfo(ctx context.Context) (CodePrivacyInfo, error) {
	var out CodePrivacyInfo
	err := a.call(ctx, request{op: "wxa/security/get_code_privacy_info", get: true, partial: true}, &out)
	return out, err
}

// Pages lists the pages of the trial version; the first is the home page. It fails with 86001 when there is none.
//
// WeChat docs: https://developers.weixin.qq.com/doc/oplatform/openApi/miniprogram-management/code-management/api_getcodepage.html
func (a *Authorizer) Pages(ctx context.Context) ([]string, error) {
	var out struct {
		List List[string] `json:"page_list"`
	}
	err := a.call(ctx, request{op: "wxa/get_page", get: true}, &out)
	return out.List, err
}

// TrialQRCode draws the QR code of the trial version, opening path (with query; "" is the home page). Needs permission
// set 18 or 86.
//
// WeChat docs: https://developers.weixin.qq.com/doc/oplatform/openApi/miniprogram-management/code-management/api_gettrialqrcode.html
func (a *Authorizer) TrialQRCode(ctx context.Context, path string) (image []byte, contentType string, err error) {
	query := url.Values{}
	if path != "" {
		query.Set("path", path)
	}
	return a.download(ctx, request{op: "wxa/get_qrcode", get: true, query: query, timeout: slowTimeout})
}

// Category is a category (类目) configured for a mini program; the third level is absent where there is none.
type Category struct {
	FirstClass  string `json:"first_class"`
	SecondClass string `json:"second_class"`
	ThirdClass  string `json:"third_class,omitempty"`
	FirstID     Int    `json:"first_id"`
	SecondID    Int    `json:"second_id"`
	ThirdID     *Int   `json:"third_id,omitempty"`
}

// Categories lists the categories that may be named in SubmitAuditRequest.
//
// WeChat docs: https://developers.weixin.qq.com/doc/oplatform/openApi/miniprogram-management/category-management/api_getallcategoryname.html
func (a *Authorizer) Categories(ctx context.Context) ([]Category, error) {
	var out struct {
		List List[Category] `json:"category_list"`
	}
	err := a.call(ctx, request{op: "wxa/get_category", get: true}, &out)
	return out.List, err
}

// CategorySettings is a mini program's categories with their own audits.
type CategorySettings struct {
	Categories List[CategorySetting] `json:"categories"`
	Limit      Int                   `json:"limit"`          // changes allowed this month
	Quota      Int                   `json:"quota"`          // changes left this month
	Max        Int                   `json:"category_limit"` // categories at once
}

// CategorySetting is one category; AuditStatus is 1 auditing, 2 rejected, 3 approved.
type CategorySetting struct {
	First       Int    `json:"first"`
	FirstName   string `json:"first_name"`
	Second      Int    `json:"second"`
	SecondName  string `json:"second_name"`
	AuditStatus Int    `json:"audit_status"`
	AuditReason string `json:"audit_reason"`
}

// WxOpenCategories reads the categories with their audits, to explain 85008 and 85077. Needs permission set 30.
//
// WeChat docs: https://developers.weixin.qq.com/doc/oplatform/openApi/miniprogram-management/category-management/api_getsettingcategories.html
func (a *Authorizer) WxOpenCategories(ctx context.Context) (CategorySettings, error) {
	var out CategorySettings
	err := a.call(ctx, request{op: "cgi-bin/wxopen/getcategory", get: true}, &out)
	return out, err
}
