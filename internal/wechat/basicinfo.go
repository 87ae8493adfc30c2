package wechat

import "context"

// BasicInfo is a mini program's name, avatar and introduction with the changes left for each, and how it is verified.
type BasicInfo struct {
	AppID             string     `json:"appid"`
	AccountType       Int        `json:"account_type"`
	PrincipalType     Int        `json:"principal_type"`
	PrincipalName     string     `json:"principal_name"`
	RealnameStatus    Int        `json:"realname_status"`
	RegisteredCountry Int        `json:"registered_country"`
	Verify            VerifyInfo `json:"wx_verify_info"`
	// The three are zero in an account that has not been completed, which is why submissions fail with 86002.
	Signature SignatureInfo `json:"signature_info"`
	HeadImage HeadImageInfo `json:"head_image_info"`
	Nickname  NicknameInfo  `json:"nickname_info"`
}

// VerifyInfo is a mini program's verification (认证).
type VerifyInfo struct {
	Qualification     bool `json:"qualification_verify"`
	Naming            bool `json:"naming_verify"`
	AnnualReview      bool `json:"annual_review"` // the yearly review is due
	AnnualReviewBegin Int  `json:"annual_review_begin_time"`
	AnnualReviewEnd   Int  `json:"annual_review_end_time"`
}

// ChangeQuota is how many changes were made of those allowed.
type ChangeQuota struct {
	Used  Int `json:"modify_used_count"`
	Limit Int `json:"modify_quota"`
}

// SignatureInfo is the introduction (功能介绍).
type SignatureInfo struct {
	ChangeQuota

	Signature string `json:"signature"`
}

// HeadImageInfo is the avatar.
type HeadImageInfo struct {
	ChangeQuota

	URL string `json:"head_image_url"`
}

// NicknameInfo is the name.
type NicknameInfo struct {
	ChangeQuota

	Nickname string `json:"nickname"`
}

// BasicInfo reads name, avatar and introduction. Needs permission set 30, as all calls in this file.
//
// WeChat docs: https://developers.weixin.qq.com/doc/oplatform/openApi/miniprogram-management/basic-info-management/api_getaccountbasicinfo.html
func (a *Authorizer) BasicInfo(ctx context.Context) (BasicInfo, error) {
	const op = "cgi-bin/account/getaccountbasicinfo"
	var out BasicInfo
	if err := a.call(ctx, request{op: op, get: true}, &out); err != nil {
		return BasicInfo{}, err
	}
	if out.AppID == "" {
		return BasicInfo{}, lacks(op, "appid")
	}
	return out, nil
}

// NicknameCheck is what WeChat thinks of a name before it is set.
type NicknameCheck struct {
	Hit     bool   `json:"hit_condition"` // the name needs proof, see Wording
	Wording string `json:"wording"`
}

// CheckNickname asks about a name. It fails with 53010 to 53019 for a name that cannot be had.
//
// WeChat docs: https://developers.weixin.qq.com/doc/oplatform/openApi/miniprogram-management/basic-info-management/api_checknickname.html
func (a *Authorizer) CheckNickname(ctx context.Context, name string) (NicknameCheck, error) {
	var out NicknameCheck
	err := a.call(ctx, request{op: "cgi-bin/wxverify/checkwxverifynickname", body: struct {
		Name string `json:"nick_name"`
	}{name}}, &out)
	return out, err
}

// NicknameRequest asks for a name. License (of a company) or IDCard (of a person) are media ids of UploadTempMedia, as
// are the Other materials that prove the right to the name.
type NicknameRequest struct {
	Name    string `json:"nick_name"`
	License string `json:"license,omitempty"`
	IDCard  string `json:"id_card,omitempty"`
	Other1  string `json:"naming_other_stuff_1,omitempty"`
	Other2  string `json:"naming_other_stuff_2,omitempty"`
	Other3  string `json:"naming_other_stuff_3,omitempty"`
	Other4  string `json:"naming_other_stuff_4,omitempty"`
	Other5  string `json:"naming_other_stuff_5,omitempty"`
}

// NicknameSet is WeChat's answer to a NicknameRequest.
type NicknameSet struct {
	AuditID int64  // 0: in force at once
	Wording string // what material is wanted
}

// SetNickname asks for a name; without an audit id it is in force, else the event wxa_nickname_audit or
// NicknameAudit tell. It fails with 91001 to 91017.
//
// WeChat docs: https://developers.weixin.qq.com/doc/oplatform/openApi/miniprogram-management/basic-info-management/api_setnickname.html
func (a *Authorizer) SetNickname(ctx context.Context, r NicknameRequest) (NicknameSet, error) {
	var out struct {
		AuditID Int    `json:"audit_id"`
		Wording string `json:"wording"`
	}
	err := a.call(ctx, request{op: "wxa/setnickname", body: r}, &out)
	return NicknameSet{int64(out.AuditID), out.Wording}, err
}

// The states of a NicknameAudit.
const (
	NicknameReviewing = 1
	NicknameRefused   = 2
	NicknamePassed    = 3
)

// NicknameAudit is where the review of a name stands.
type NicknameAudit struct {
	Nickname   string `json:"nickname"`
	State      Int    `json:"audit_stat"`
	Reason     string `json:"fail_reason"`
	CreateTime Int    `json:"create_time"` // Unix seconds
	AuditTime  Int    `json:"audit_time"`
}

// NicknameAudit reads it. It fails with 91011 for an unknown id.
//
// WeChat docs: https://developers.weixin.qq.com/doc/oplatform/openApi/miniprogram-management/basic-info-management/api_getnicknamestatus.html
func (a *Authorizer) NicknameAudit(ctx context.Context, auditID int64) (NicknameAudit, error) {
	const op = "wxa/api_wxa_querynickname"
	var out NicknameAudit
	err := a.call(ctx, request{op: op, body: struct {
		ID int64 `json:"audit_id"`
	}{auditID}}, &out)
	if err == nil && out.State == 0 {
		err = lacks(op, "audit_stat")
	}
	return out, err
}

// Crop is the part of a picture to use, each from 0 to 1.
type Crop struct{ X1, Y1, X2, Y2 float64 }

// SetHeadImage sets the avatar to an image of UploadTempMedia. It fails with 53202 when this month's changes are used
// up.
//
// WeChat docs: https://developers.weixin.qq.com/doc/oplatform/openApi/miniprogram-management/basic-info-management/api_setheadimage.html
func (a *Authorizer) SetHeadImage(ctx context.Context, mediaID string, crop Crop) error {
	return a.call(ctx, request{op: "cgi-bin/account/modifyheadimage", body: struct {
		MediaID string  `json:"head_img_media_id"`
		X1      float64 `json:"x1"`
		Y1      float64 `json:"y1"`
		X2      float64 `json:"x2"`
		Y2      float64 `json:"y2"`
	}{mediaID, crop.X1, crop.Y1, crop.X2, crop.Y2}}, nil)
}

// SetSignature sets the introduction. It fails with 53200 when this month's changes are used up and 53201 for words
// that are not allowed.
//
// WeChat docs: https://developers.weixin.qq.com/doc/oplatform/openApi/miniprogram-management/basic-info-management/api_setsignature.html
func (a *Authorizer) SetSignature(ctx context.Context, text string) error {
	return a.call(ctx, request{op: "cgi-bin/account/modifysignature", body: struct {
		Text string `json:"signature"`
	}{text}}, nil)
}
