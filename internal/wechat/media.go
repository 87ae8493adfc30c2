package wechat

import "context"

// AuditMedia is a file for PreviewInfo, valid for 3 days.
type AuditMedia struct {
	Type    string `json:"type"`    // image or video
	MediaID string `json:"mediaid"` // not the media_id of TempMedia
}

// UploadAuditMedia uploads an image (at most 2 MB: PNG, JPEG, GIF) or video (at most 10 MB: MP4) that shows the
// reviewer how the mini program works. It fails with 40005 and 40006 for a wrong type or size. Needs permission set 18.
//
// WeChat docs: https://developers.weixin.qq.com/doc/oplatform/openApi/miniprogram-management/code-management/api_uploadmediatocodeaudit.html
func (a *Authorizer) UploadAuditMedia(ctx context.Context, name string, data []byte) (AuditMedia, error) {
	const op = "wxa/uploadmedia"
	var out AuditMedia
	err := a.call(ctx, request{op: op, upload: &upload{"media", name, data}, timeout: slowTimeout}, &out)
	if err == nil && out.MediaID == "" {
		err = lacks(op, "mediaid")
	}
	return out, err
}

// TempMedia is a temporary material, valid for 3 days. SubmitAuditRequest.FeedbackStuff takes these.
type TempMedia struct {
	Type      string `json:"type"`
	MediaID   string `json:"media_id"`
	CreatedAt Int    `json:"created_at"` // Unix seconds
}

// UploadTempMedia uploads an image as temporary material.
//
// WeChat docs: https://developers.weixin.qq.com/doc/offiaccount/Asset_Management/New_temporary_materials.html
func (a *Authorizer) UploadTempMedia(ctx context.Context, name string, data []byte) (TempMedia, error) {
	const op = "cgi-bin/media/upload"
	var out TempMedia
	err := a.call(ctx, request{
		op: op, query: map[string][]string{"type": {"image"}},
		upload: &upload{"media", name, data}, timeout: slowTimeout,
	}, &out)
	if err == nil && out.MediaID == "" {
		err = lacks(op, "media_id")
	}
	return out, err
}

// GetMaterial downloads a permanent material, such as a screenshot of a rejected audit. contentType is what the bytes
// look like, whatever WeChat declares. It fails with 40007 for an unknown id.
//
// WeChat docs: https://developers.weixin.qq.com/doc/offiaccount/Asset_Management/Getting_Permanent_Assets.html
func (a *Authorizer) GetMaterial(ctx context.Context, mediaID string) (data []byte, contentType string, err error) {
	return a.download(ctx, request{op: "cgi-bin/material/get_material", body: struct {
		MediaID string `json:"media_id"`
	}{mediaID}, timeout: slowTimeout})
}

// WXACodeUnlimitedRequest draws a 小程序码 with a scene; there may be any number of them.
type WXACodeUnlimitedRequest struct {
	Scene      string     `json:"scene"`                // at most 32 visible ASCII characters
	Page       string     `json:"page,omitempty"`       // no leading slash, no query; "" is the home page
	CheckPath  *bool      `json:"check_path,omitempty"` // nil is true: the page must exist in the released version, else 41030
	EnvVersion string     `json:"env_version,omitempty"`
	Width      int        `json:"width,omitempty"` // 280 to 1280 pixels, 0 means 430
	AutoColor  bool       `json:"auto_color,omitempty"`
	LineColor  *LineColor `json:"line_color,omitempty"`
	Hyaline    bool       `json:"is_hyaline,omitempty"` // transparent ground
}

// WXACodeRequest draws a 小程序码 for a path; a mini program may have 100,000 of them in all (then 45029).
type WXACodeRequest struct {
	Path       string     `json:"path"` // at most 1024 characters, query allowed
	EnvVersion string     `json:"env_version,omitempty"`
	Width      int        `json:"width,omitempty"`
	AutoColor  bool       `json:"auto_color,omitempty"`
	LineColor  *LineColor `json:"line_color,omitempty"`
	Hyaline    bool       `json:"is_hyaline,omitempty"`
}

// LineColor is the colour of the lines, 0 to 255 each.
type LineColor struct {
	R int `json:"r"`
	G int `json:"g"`
	B int `json:"b"`
}

// WXACodeUnlimited draws a 小程序码 with a scene; at most 5000 a minute. Needs permission set 17.
//
// WeChat docs: https://developers.weixin.qq.com/miniprogram/dev/server/API/qrcode-link/qr-code/api_getunlimitedqrcode.html
func (a *Authorizer) WXACodeUnlimited(ctx context.Context, r WXACodeUnlimitedRequest) (image []byte, contentType string, err error) {
	return a.download(ctx, request{op: "wxa/getwxacodeunlimit", body: r, timeout: slowTimeout})
}

// WXACode draws a 小程序码 for a path. Needs permission set 17.
//
// WeChat docs: https://developers.weixin.qq.com/miniprogram/dev/server/API/qrcode-link/qr-code/api_getqrcode.html
func (a *Authorizer) WXACode(ctx context.Context, r WXACodeRequest) (image []byte, contentType string, err error) {
	return a.download(ctx, request{op: "wxa/getwxacode", body: r, timeout: slowTimeout})
}
