package wechat

import (
	"context"
	"encoding/json"
	"net/url"
	"strconv"
)

// Release publishes the last approved version to every user. It fails with 85019 and 85020 when there is no approved
// version and with 85052 when it is live already. Needs permission set 18, as all calls in this file.
//
// WeChat docs: https://developers.weixin.qq.com/doc/oplatform/openApi/miniprogram-management/code-management/api_release.html
func (a *Authorizer) Release(ctx context.Context) error {
	return a.call(ctx, request{op: "wxa/release", body: empty{}, timeout: slowTimeout}, nil)
}

// RevertRelease goes back to appVersion of HistoryVersions, or to the previous version when nil. Every call goes one
// version further back, so read back when OutcomeUnknown. It fails with 87011 during a gray release, 87012 when there is
// nothing to go back to, 40097 for an unknown version.
//
// WeChat docs: https://developers.weixin.qq.com/doc/oplatform/openApi/miniprogram-management/code-management/api_revertcoderelease.html
func (a *Authorizer) RevertRelease(ctx context.Context, appVersion *int64) error {
	query := url.Values{}
	if appVersion != nil {
		query.Set("app_version", strconv.FormatInt(*appVersion, 10))
	}
	return a.call(ctx, request{op: "wxa/revertcoderelease", get: true, effect: true, query: query, timeout: slowTimeout}, nil)
}

// HistoryVersion is an earlier live version.
type HistoryVersion struct {
	AppVersion  Int    `json:"app_version"`
	UserVersion string `json:"user_version"`
	UserDesc    string `json:"user_desc"`
	CommitTime  Int    `json:"commit_time"` // Unix seconds
}

// HistoryVersions lists the versions RevertRelease can go back to, at most five.
//
// WeChat docs: https://developers.weixin.qq.com/doc/oplatform/openApi/miniprogram-management/code-management/api_revertcoderelease.html
func (a *Authorizer) HistoryVersions(ctx context.Context) ([]HistoryVersion, error) {
	var out struct {
		List List[HistoryVersion] `json:"version_list"`
	}
	query := url.Values{"action": {"get_history_version"}}
	err := a.call(ctx, request{op: "wxa/revertcoderelease", get: true, query: query}, &out)
	return out.List, err
}

// GrayRequest publishes to part of the users. Percentage is 0 to 100 and may only grow; with 0 one of the groups must
// be chosen.
type GrayRequest struct {
	Percentage       int  `json:"gray_percentage"`
	DebuggerFirst    bool `json:"support_debuger_first"` // spelt so by WeChat
	ExperiencerFirst bool `json:"support_experiencer_first"`
}

// GrayRelease publishes the approved version to part of the users, or widens it. It fails with 85079 while nothing is
// live, 85080 when nothing is approved, 85082 when the percentage does not grow.
//
// WeChat docs: https://developers.weixin.qq.com/doc/oplatform/openApi/miniprogram-management/code-management/api_grayrelease.html
func (a *Authorizer) GrayRelease(ctx context.Context, r GrayRequest) error {
	return a.call(ctx, request{op: "wxa/grayrelease", body: r, timeout: slowTimeout}, nil)
}

// RevertGray cancels the gray release; its users fall back to the live version.
//
// WeChat docs: https://developers.weixin.qq.com/doc/oplatform/openApi/miniprogram-management/code-management/api_revertgrayrelease.html
func (a *Authorizer) RevertGray(ctx context.Context) error {
	return a.call(ctx, request{op: "wxa/revertgrayrelease", get: true, effect: true, timeout: slowTimeout}, nil)
}

// GrayState is where a gray release stands.
type GrayState Int

// The states of a gray release.
const (
	GrayInitial  GrayState = 0
	GrayRunning  GrayState = 1
	GrayPaused   GrayState = 2
	GrayFinished GrayState = 3
	GrayDeleted  GrayState = 4
)

// UnmarshalJSON implements json.Unmarshaler as Int does.
func (s *GrayState) UnmarshalJSON(data []byte) error { return json.Unmarshal(data, (*Int)(s)) }

// GrayPlan is a gray release (分阶段发布).
type GrayPlan struct {
	Status           GrayState `json:"status"`
	CreateTime       Int       `json:"create_timestamp"` // Unix seconds
	Percentage       Int       `json:"gray_percentage"`
	DebuggerFirst    bool      `json:"support_debuger_first"`
	ExperiencerFirst bool      `json:"support_experiencer_first"`
}

// GrayPlan reads the last gray release. Without any, WeChat may give nil or a plan of zeros.
//
// WeChat docs: https://developers.weixin.qq.com/doc/oplatform/openApi/miniprogram-management/code-management/api_getgrayreleaseplan.html
func (a *Authorizer) GrayPlan(ctx context.Context) (*GrayPlan, error) {
	var out struct {
		Plan *GrayPlan `json:"gray_release_plan"`
	}
	err := a.call(ctx, request{op: "wxa/getgrayreleaseplan", get: true}, &out)
	return out.Plan, err
}
