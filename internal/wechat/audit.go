package wechat

import (
	"context"
	"strings"
)

// SubmitAuditRequest hands the trial version to WeChat's reviewers. Every field is optional.
type SubmitAuditRequest struct {
	Items            []AuditItem // at most 5
	Preview          *PreviewInfo
	VersionDesc      string   // for the reviewer: put test account and password here
	FeedbackInfo     string   // at most 200 characters; ignored unless the last version was rejected
	FeedbackStuff    []string // at most 5 ids of UploadTempMedia; ignored likewise
	UGCDeclare       *UGCDeclare
	PrivacyAPINotUse bool // declares that detected, unconfigured privacy interfaces are not used
	OrderPath        string
}

// AuditItem describes one page to the reviewer. The category must be one of Categories.
type AuditItem struct {
	Address     string `json:"address,omitempty"` // page path of Pages
	Tag         string `json:"tag,omitempty"`     // separated by spaces, at most 10 of 20 characters
	FirstClass  string `json:"first_class"`
	SecondClass string `json:"second_class"`
	ThirdClass  string `json:"third_class,omitempty"`
	FirstID     int64  `json:"first_id"`
	SecondID    int64  `json:"second_id"`
	ThirdID     *int64 `json:"third_id,omitempty"`
	Title       string `json:"title,omitempty"` // at most 32 characters
}

// PreviewInfo names files of UploadAuditMedia.
type PreviewInfo struct {
	VideoIDs []string
	PicIDs   []string
}

// UGCDeclare says how content of users is kept clean; required at the first submission in some social categories
// (else 85094).
type UGCDeclare struct {
	Scene          []int  `json:"scene"`                      // 0 none, 1 profile, 2 picture, 3 video, 4 text, 5 audio
	OtherSceneDesc string `json:"other_scene_desc,omitempty"` // at most 256 characters
	Method         []int  `json:"method,omitempty"`           // 1 WeChat's security APIs, 2 another product, 3 people, 4 none
	HasAuditTeam   int    `json:"has_audit_team"`             // 0 or 1
	AuditDesc      string `json:"audit_desc,omitempty"`       // at most 256 characters
}

// SubmitAudit submits the trial version and returns the audit id. It fails with *APIError: 61039 while detection runs
// (wait, do not commit again), 85009 while another version is in audit, 85085 when the platform's monthly quota is used
// up. When OutcomeUnknown, compare LatestAuditStatus before submitting again. Needs permission set 18, as all calls in
// this file.
//
// WeChat docs: https://developers.weixin.qq.com/doc/oplatform/openApi/miniprogram-management/code-management/api_submitaudit.html
func (a *Authorizer) SubmitAudit(ctx context.Context, r SubmitAuditRequest) (auditID int64, err error) {
	const op = "wxa/submit_audit"
	type preview struct {
		VideoIDs []string `json:"video_id_list"`
		PicIDs   []string `json:"pic_id_list"`
	}
	body := struct {
		Items         []AuditItem `json:"item_list,omitempty"`
		Preview       *preview    `json:"preview_info,omitempty"`
		VersionDesc   string      `json:"version_desc,omitempty"`
		FeedbackInfo  string      `json:"feedback_info,omitempty"`
		FeedbackStuff string      `json:"feedback_stuff,omitempty"`
		UGCDeclare    *UGCDeclare `json:"ugc_declare,omitempty"`
		NotUsed       bool        `json:"privacy_api_not_use"`
		OrderPath     string      `json:"order_path,omitempty"`
	}{
		Items: r.Items, VersionDesc: r.VersionDesc, FeedbackInfo: r.FeedbackInfo,
		FeedbackStuff: strings.Join(r.FeedbackStuff, "|"), UGCDeclare: r.UGCDeclare,
		NotUsed: r.PrivacyAPINotUse, OrderPath: r.OrderPath,
	}
	if r.Preview != nil {
		body.Preview = &preview{notNil(r.Preview.VideoIDs), notNil(r.Preview.PicIDs)}
	}
	var out struct {
		AuditID known `json:"auditid"`
	}
	if err := a.call(ctx, request{op: op, body: body, timeout: slowTimeout}, &out); err != nil {
		return 0, err
	}
	if !out.AuditID.ok {
		return 0, lacks(op, "auditid")
	}
	return out.AuditID.value, nil
}

// notNil makes a nil list an empty one, since WeChat wants [] and not null.
func notNil(list []string) []string {
	if list == nil {
		return []string{}
	}
	return list
}

// AuditState is where an audit stands.
type AuditState int

// The states of an audit. An approved version stays AuditApproved after its release.
const (
	AuditApproved  AuditState = 0
	AuditRejected  AuditState = 1
	AuditRunning   AuditState = 2
	AuditWithdrawn AuditState = 3
	AuditDelayed   AuditState = 4
)

// Audit is a submission as WeChat reports it.
type Audit struct {
	AuditID     int64
	State       AuditState
	Reason      string   // with AuditRejected and AuditDelayed; contains <br>, so never show it as HTML unchecked
	Screenshots []string // with AuditRejected: ids of permanent materials for GetMaterial
	UserVersion string   // of the submitted version; LatestAuditStatus only, as the fields below
	UserDesc    string
	SubmitTime  Int // Unix seconds
}

// auditAnswer takes both spellings of the screenshots' key; a single field would keep the last of both.
type auditAnswer struct {
	AuditID     Int    `json:"auditid"`
	Status      known  `json:"status"`
	Reason      text   `json:"reason"`
	ScreenShot  text   `json:"ScreenShot"`
	Screenshot  text   `json:"screenshot"`
	UserVersion string `json:"user_version"`
	UserDesc    string `json:"user_desc"`
	SubmitTime  Int    `json:"submit_audit_time"`
}

func (a auditAnswer) audit(op string) (Audit, error) {
	if !a.Status.ok {
		return Audit{}, lacks(op, "status") // 0 would mean approved
	}
	shots := string(a.ScreenShot)
	if shots == "" {
		shots = string(a.Screenshot)
	}
	return Audit{
		AuditID: int64(a.AuditID), State: AuditState(a.Status.value), Reason: string(a.Reason),
		Screenshots: splitNonEmpty(shots, "|"), UserVersion: a.UserVersion, UserDesc: a.UserDesc, SubmitTime: a.SubmitTime,
	}, nil
}

// splitNonEmpty splits, trims and leaves out what is empty.
func splitNonEmpty(s, sep string) []string {
	var parts []string
	for part := range strings.SplitSeq(s, sep) {
		if part = strings.TrimSpace(part); part != "" {
			parts = append(parts, part)
		}
	}
	return parts
}

// AuditStatus reads one submission. It fails with 85012 for an unknown id.
//
// WeChat docs: https://developers.weixin.qq.com/doc/oplatform/openApi/miniprogram-management/code-management/api_getauditstatus.html
func (a *Authorizer) AuditStatus(ctx context.Context, auditID int64) (Audit, error) {
	const op = "wxa/get_auditstatus"
	var out auditAnswer
	err := a.call(ctx, request{op: op, body: struct {
		AuditID int64 `json:"auditid"`
	}{auditID}}, &out)
	if err != nil {
		return Audit{}, err
	}
	audit, err := out.audit(op)
	audit.AuditID = auditID // WeChat does not repeat it
	return audit, err
}

// LatestAuditStatus reads the last submission made through this platform. It fails with 85058 when there is none.
//
// WeChat docs: https://developers.weixin.qq.com/doc/oplatform/openApi/miniprogram-management/code-management/api_getlatestauditstatus.html
func (a *Authorizer) LatestAuditStatus(ctx context.Context) (Audit, error) {
	const op = "wxa/get_latest_auditstatus"
	var out auditAnswer
	if err := a.call(ctx, request{op: op, get: true}, &out); err != nil {
		return Audit{}, err
	}
	return out.audit(op)
}

// UndoAudit withdraws the running audit: at most 5 times a day and 10 a month (then 87013). It fails with 87012 when
// nothing is in audit any more.
//
// WeChat docs: https://developers.weixin.qq.com/doc/oplatform/openApi/miniprogram-management/code-management/api_undoaudit.html
func (a *Authorizer) UndoAudit(ctx context.Context) error {
	return a.call(ctx, request{op: "wxa/undocodeaudit", get: true, effect: true}, nil)
}

// SpeedUpAudit asks for a decision within 2 to 12 hours. It fails with 89402 when the audit is over, 89404 when it was
// sped up before, 89405 when the platform's monthly quota is used up.
//
// WeChat docs: https://developers.weixin.qq.com/doc/oplatform/openApi/miniprogram-management/code-management/api_speedupcodeaudit.html
func (a *Authorizer) SpeedUpAudit(ctx context.Context, auditID int64) error {
	return a.call(ctx, request{op: "wxa/speedupaudit", body: struct {
		AuditID int64 `json:"auditid"`
	}{auditID}}, nil)
}

// AuditQuota is what the platform has left this month, for all its merchants together.
type AuditQuota struct {
	Rest         Int `json:"rest"`
	Limit        Int `json:"limit"`
	SpeedUpRest  Int `json:"speedup_rest"`
	SpeedUpLimit Int `json:"speedup_limit"`
}

// QueryQuota reads the platform's quota of submissions; any merchant's token will do. SubmitAudit fails with 85085 when
// Rest is 0.
//
// WeChat docs: https://developers.weixin.qq.com/doc/oplatform/openApi/miniprogram-management/code-management/api_setcodeauditquota.html
func (a *Authorizer) QueryQuota(ctx context.Context) (AuditQuota, error) {
	const op = "wxa/queryquota"
	var out struct {
		AuditQuota
		Rest known `json:"rest"`
	}
	if err := a.call(ctx, request{op: op, get: true}, &out); err != nil {
		return AuditQuota{}, err
	}
	if !out.Rest.ok {
		return AuditQuota{}, lacks(op, "rest") // 0 would stop every rollout
	}
	out.AuditQuota.Rest = Int(out.Rest.value)
	return out.AuditQuota, nil
}
