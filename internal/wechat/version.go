package wechat

import (
	"context"
	"encoding/json"
)

// VersionInfo is what is committed and what is live. It does not show the version in audit.
type VersionInfo struct {
	Exp  *Version // trial version (体验版); nil: none, or WeChat does not say
	Live *Version // nil: none, or WeChat does not say
}

// Version is one of a mini program's versions.
type Version struct {
	Time    Int // Unix seconds
	Version string
	Desc    string
}

// VersionInfo reads the trial and the live version. Needs permission set 18, as all calls in this file.
//
// WeChat docs: https://developers.weixin.qq.com/doc/oplatform/openApi/miniprogram-management/code-management/api_getversioninfo.html
func (a *Authorizer) VersionInfo(ctx context.Context) (VersionInfo, error) {
	var out struct {
		Exp struct {
			Time    Int    `json:"exp_time"`
			Version string `json:"exp_version"`
			Desc    string `json:"exp_desc"`
		} `json:"exp_info"`
		Live struct {
			Time    Int    `json:"release_time"`
			Version string `json:"release_version"`
			Desc    string `json:"release_desc"`
		} `json:"release_info"`
	}
	if err := a.call(ctx, request{op: "wxa/getversioninfo", body: empty{}}, &out); err != nil {
		return VersionInfo{}, err
	}
	var info VersionInfo
	if v := Version(out.Exp); v != (Version{}) {
		info.Exp = &v
	}
	if v := Version(out.Live); v != (Version{}) {
		info.Live = &v
	}
	return info, nil
}

// SetVisitStatus opens or suspends the service of the live version. It fails with 85021 when WeChat does not allow the
// change.
//
// WeChat docs: https://developers.weixin.qq.com/doc/oplatform/openApi/miniprogram-management/code-management/api_setvisitstatus.html
func (a *Authorizer) SetVisitStatus(ctx context.Context, open bool) error {
	action := "close"
	if open {
		action = "open"
	}
	return a.call(ctx, request{op: "wxa/change_visitstatus", body: struct {
		Action string `json:"action"`
	}{action}}, nil)
}

// VisitStatus reports whether the live version serves users; it may be suspended by its owner or by WeChat.
//
// WeChat docs: https://developers.weixin.qq.com/doc/oplatform/openApi/miniprogram-management/code-management/api_getvisitstatus.html
func (a *Authorizer) VisitStatus(ctx context.Context) (open bool, err error) {
	status, err := a.status(ctx, request{op: "wxa/getvisitstatus", body: empty{}})
	return status == 1, err
}

// SetSearchStatus lets WeChat's search find the mini program or hides it. It fails with 85083 when WeChat has banned it.
//
// WeChat docs: https://developers.weixin.qq.com/doc/oplatform/openApi/miniprogram-management/basic-info-management/api_setsearchstatus.html
func (a *Authorizer) SetSearchStatus(ctx context.Context, searchable bool) error {
	hidden := 1
	if searchable {
		hidden = 0
	}
	return a.call(ctx, request{op: "wxa/changewxasearchstatus", body: struct {
		Status int `json:"status"` // 1 is hidden
	}{hidden}}, nil)
}

// SearchStatus reports whether WeChat's search finds the mini program.
//
// WeChat docs: https://developers.weixin.qq.com/doc/oplatform/openApi/miniprogram-management/basic-info-management/api_getsearchstatus.html
func (a *Authorizer) SearchStatus(ctx context.Context) (searchable bool, err error) {
	status, err := a.status(ctx, request{op: "wxa/getwxasearchstatus", get: true})
	return err == nil && status == 0, err
}

// status reads a status of which 0 has a meaning.
func (a *Authorizer) status(ctx context.Context, r request) (int64, error) {
	var out struct {
		Status known `json:"status"`
	}
	if err := a.call(ctx, r, &out); err != nil {
		return 0, err
	}
	if !out.Status.ok {
		return 0, lacks(r.op, "status")
	}
	return out.Status.value, nil
}

// SupportVersion is the lowest base library (基础库) a user needs, with the share of users on each.
type SupportVersion struct {
	Now    string
	Shares []VersionShare
}

// VersionShare is the share of users on one base library.
type VersionShare struct {
	Version    string      `json:"version"`
	Percentage json.Number `json:"percentage"`
}

// SupportVersion reads the lowest base library.
//
// WeChat docs: https://developers.weixin.qq.com/doc/oplatform/openApi/miniprogram-management/code-management/api_getsupportversion.html
func (a *Authorizer) SupportVersion(ctx context.Context) (SupportVersion, error) {
	var out struct {
		Now string `json:"now_version"`
		UV  struct {
			Items List[VersionShare] `json:"items"`
		} `json:"uv_info"`
	}
	err := a.call(ctx, request{op: "cgi-bin/wxopen/getweappsupportversion", body: empty{}}, &out)
	return SupportVersion{Now: out.Now, Shares: out.UV.Items}, err
}

// SetSupportVersion sets the lowest base library, e.g. "2.32.3". It fails with 89014 (older: 85015) for a wrong one.
//
// WeChat docs: https://developers.weixin.qq.com/doc/oplatform/openApi/miniprogram-management/code-management/api_setsupportversion.html
func (a *Authorizer) SetSupportVersion(ctx context.Context, version string) error {
	return a.call(ctx, request{op: "cgi-bin/wxopen/setweappsupportversion", body: struct {
		Version string `json:"version"`
	}{version}}, nil)
}
