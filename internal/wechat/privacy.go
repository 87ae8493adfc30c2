package wechat

import (
	"context"
	"encoding/json"
	"slices"
)

// The two copies of a privacy guideline (用户隐私保护指引).
const (
	PrivacyLive        = 1 // 现网版: only its owner setting may change, at once
	PrivacyDevelopment = 2 // 开发版: takes effect with audit and release
)

// PrivacyRequest writes a privacy guideline.
type PrivacyRequest struct {
	Ver      int           // 0 means PrivacyDevelopment
	Settings []PrivacyItem // not sent for PrivacyLive
	Owner    OwnerSetting
	SDK      []SDKPrivacy
}

// PrivacyItem says what one kind of data is used for. The list of keys is open.
type PrivacyItem struct {
	Key   string `json:"privacy_key"`
	Text  string `json:"privacy_text"`            // the purpose alone, without the leading 用于
	Label string `json:"privacy_label,omitempty"` // read only
}

// OwnerSetting is the mini program's owner as the guideline shows it. One contact and NoticeMethod are required
// (else 86069, 86070).
type OwnerSetting struct {
	ContactEmail         string          `json:"contact_email,omitempty"`
	ContactPhone         string          `json:"contact_phone,omitempty"`
	ContactQQ            string          `json:"contact_qq,omitempty"`
	ContactWeixin        string          `json:"contact_weixin,omitempty"`
	NoticeMethod         string          `json:"notice_method"`
	StoreExpireTimestamp string          `json:"store_expire_timestamp,omitempty"` // e.g. "30天"; "" is the shortest time needed
	ExtFileMediaID       string          `json:"ext_file_media_id,omitempty"`      // of UploadPrivacyFile
	StoreRegion          json.RawMessage `json:"store_region,omitempty"`           // foreign entities; its shape is not documented
}

// SDKPrivacy says what a third-party SDK uses data for.
type SDKPrivacy struct {
	Name    string            `json:"sdk_name"`
	BizName string            `json:"sdk_biz_name"`
	List    List[PrivacyItem] `json:"sdk_list"`
}

// SetPrivacy writes the privacy guideline. WeChat accepts and drops what it does not understand: read back afterwards.
// Needs permission set 18, as all calls in this file.
//
// WeChat docs: https://developers.weixin.qq.com/doc/oplatform/openApi/miniprogram-management/privacy-management/api_setprivacysetting.html
func (a *Authorizer) SetPrivacy(ctx context.Context, r PrivacyRequest) error {
	body := struct {
		Ver      int            `json:"privacy_ver"`
		Settings *[]PrivacyItem `json:"setting_list,omitempty"` // a pointer: [] must be sent, and must be left out when live
		Owner    OwnerSetting   `json:"owner_setting"`
		SDK      []SDKPrivacy   `json:"sdk_privacy_info_list,omitempty"`
	}{Ver: r.Ver, Owner: r.Owner}
	if body.Ver == 0 {
		body.Ver = PrivacyDevelopment
	}
	if body.Ver != PrivacyLive {
		settings := withoutLabels(r.Settings)
		body.Settings = &settings
	}
	for _, sdk := range r.SDK {
		sdk.List = withoutLabels(sdk.List)
		body.SDK = append(body.SDK, sdk)
	}
	return a.call(ctx, request{op: "cgi-bin/component/setprivacysetting", body: body}, nil)
}

func withoutLabels(items []PrivacyItem) []PrivacyItem {
	items = append([]PrivacyItem{}, slices.Clone(items)...)
	for i := range items {
		items[i].Label = ""
	}
	return items
}

// Privacy is a privacy guideline as it stands.
type Privacy struct {
	CodeExist    Int                 `json:"code_exist"`   // 1 when there is code of this version
	Detected     List[string]        `json:"privacy_list"` // keys found in the code: each needs a text in Settings
	Settings     List[PrivacyItem]   `json:"setting_list"`
	UpdateTime   Int                 `json:"update_time"` // Unix seconds
	Owner        OwnerSetting        `json:"owner_setting"`
	Descriptions PrivacyDescriptions `json:"privacy_desc"`
	SDK          List[SDKPrivacy]    `json:"sdk_privacy_info_list"`
}

// PrivacyDescriptions names all keys WeChat knows.
type PrivacyDescriptions struct {
	List List[PrivacyDescription] `json:"privacy_desc_list"`
}

// PrivacyDescription names one key.
type PrivacyDescription struct {
	Key  string `json:"privacy_key"`
	Desc string `json:"privacy_desc"`
}

// Privacy reads the privacy guideline of version ver; 0 means PrivacyDevelopment.
//
// WeChat docs: https://developers.weixin.qq.com/doc/oplatform/openApi/miniprogram-management/privacy-management/api_getprivacysetting.html
func (a *Authorizer) Privacy(ctx context.Context, ver int) (Privacy, error) {
	if ver == 0 {
		ver = PrivacyDevelopment
	}
	var out Privacy
	err := a.call(ctx, request{op: "cgi-bin/component/getprivacysetting", body: struct {
		Ver int `json:"privacy_ver"`
	}{ver}}, &out)
	return out, err
}

// UploadPrivacyFile uploads a text file (.txt, at most 100 kB) with more of the guideline and returns its media id.
//
// WeChat docs: https://developers.weixin.qq.com/doc/oplatform/openApi/miniprogram-management/privacy-management/api_uploadprivacysetting.html
func (a *Authorizer) UploadPrivacyFile(ctx context.Context, name string, data []byte) (mediaID string, err error) {
	const op = "cgi-bin/component/uploadprivacyextfile"
	var out struct {
		MediaID string `json:"ext_file_media_id"`
	}
	err = a.call(ctx, request{op: op, upload: &upload{"file", name, data}, timeout: slowTimeout}, &out)
	if err == nil && out.MediaID == "" {
		err = lacks(op, "ext_file_media_id")
	}
	return out.MediaID, err
}

// PrivacyInterface is an interface that needs WeChat's permission, such as wx.getLocation.
type PrivacyInterface struct {
	APIName     string `json:"api_name"`
	ChineseName string `json:"api_ch_name"`
	Desc        string `json:"api_desc"`
	Link        string `json:"api_link"`
	GroupName   string `json:"group_name"`
	Status      Int    `json:"status"`      // 1 to be applied for, 2 no permission, 3 applying, 4 failed, 5 granted
	ApplyTime   Int    `json:"apply_time"`  // Unix seconds; 0 before an application
	AuditID     Int    `json:"audit_id"`    // 0 before an application
	FailReason  string `json:"fail_reason"` // with status 4
}

// PrivacyInterfaces lists the interfaces with their permissions.
//
// WeChat docs: https://developers.weixin.qq.com/doc/oplatform/openApi/miniprogram-management/privacy-api-management/api_getprivacyinterface.html
func (a *Authorizer) PrivacyInterfaces(ctx context.Context) ([]PrivacyInterface, error) {
	var out struct {
		List List[PrivacyInterface] `json:"interface_list"`
	}
	err := a.call(ctx, request{op: "wxa/security/get_privacy_interface", get: true}, &out)
	return out.List, err
}

// PrivacyInterfaceRequest applies for an interface. One of the lists is required.
type PrivacyInterfaceRequest struct {
	APIName string   `json:"api_name"` // case matters, with "wx."
	Content string   `json:"content"`  // at most 300 characters
	URLs    []string `json:"url_list,omitempty"`
	Pics    []string `json:"pic_list,omitempty"`   // at most 10 URLs
	Videos  []string `json:"video_list,omitempty"` // at most 1, MP4
}

// ApplyPrivacyInterface applies and returns the audit id; the decision comes as the event wxa_privacy_apply.
//
// WeChat docs: https://developers.weixin.qq.com/doc/oplatform/openApi/miniprogram-management/privacy-api-management/api_applyprivacyinterface.html
func (a *Authorizer) ApplyPrivacyInterface(ctx context.Context, r PrivacyInterfaceRequest) (auditID int64, err error) {
	var out struct {
		AuditID Int `json:"audit_id"`
	}
	err = a.call(ctx, request{op: "wxa/security/apply_privacy_interface", body: r}, &out)
	return int64(out.AuditID), err
}
