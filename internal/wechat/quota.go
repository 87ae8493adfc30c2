package wechat

import (
	"context"
	"regexp"
)

// Quota is how often an API may be called and was called.
type Quota struct {
	Daily struct {
		Limit  Int `json:"daily_limit"`
		Used   Int `json:"used"`
		Remain Int `json:"remain"`
	} `json:"quota"`
	Rate          *RateLimit `json:"rate_limit"`           // nil: none told
	ComponentRate *RateLimit `json:"component_rate_limit"` // nil: none told
}

// RateLimit allows CallCount calls in RefreshSeconds seconds.
type RateLimit struct {
	CallCount      Int `json:"call_count"`
	RefreshSeconds Int `json:"refresh_second"`
}

// QuotaGet reads the quota of one API of this account. cgiPath is like "/wxa/commit", with the leading slash (else
// 76003). A merchant's APIs count against the merchant.
//
// WeChat docs: https://developers.weixin.qq.com/doc/oplatform/openApi/openapi/api_getapiquota.html
func (a account) QuotaGet(ctx context.Context, cgiPath string) (Quota, error) {
	var out Quota
	err := a.call(ctx, request{op: "cgi-bin/openapi/quota/get", body: struct {
		Path string `json:"cgi_path"`
	}{cgiPath}}, &out)
	return out, err
}

// ClearQuota sets the counters of all APIs of this account back. All ways of doing so share 10 a month and account
// (then 48006).
//
// WeChat docs: https://developers.weixin.qq.com/doc/oplatform/openApi/openapi/api_clearquota.html
func (a account) ClearQuota(ctx context.Context) error {
	return a.call(ctx, request{op: "cgi-bin/clear_quota", body: struct {
		AppID string `json:"appid"`
	}{a.appid}}, nil)
}

// RequestInfo is what WeChat recorded of one request. Tokens and secrets in it are masked here.
type RequestInfo struct {
	InvokeTime   Int    `json:"invoke_time"` // Unix seconds
	CostMillis   Int    `json:"cost_in_ms"`
	RequestURL   string `json:"request_url"`
	RequestBody  string `json:"request_body"`
	ResponseBody string `json:"response_body"`
	ClientIP     string `json:"client_ip"`
}

// RID reads what WeChat recorded of the request with this id, which must be one of this account's within the last
// 7 days (else 76001).
//
// WeChat docs: https://developers.weixin.qq.com/miniprogram/dev/server/API/openApi-mgnt/api_getridinfo.html
func (a account) RID(ctx context.Context, rid string) (RequestInfo, error) {
	var out struct {
		Request RequestInfo `json:"request"`
	}
	err := a.call(ctx, request{op: "cgi-bin/openapi/rid/get", body: struct {
		RID string `json:"rid"`
	}{rid}}, &out)
	info := out.Request
	info.RequestURL = maskSecrets(info.RequestURL)
	info.RequestBody = maskSecrets(info.RequestBody)
	info.ResponseBody = maskSecrets(info.ResponseBody)
	return info, err
}

var (
	secretInQuery = regexp.MustCompile(`((?:^|[?&])[a-z_]*(?:token|secret)=)[^&\s]*`)
	secretInJSON  = regexp.MustCompile(
		`("[a-z_]*(?:token|secret|ticket|authorization_code|pre_auth_code|session_key|js_code)"\s*:\s*")(?:[^"\\]|\\.)*`)
)

func maskSecrets(s string) string {
	s = secretInQuery.ReplaceAllString(s, "${1}[redacted]")
	return secretInJSON.ReplaceAllString(s, "${1}[redacted]")
}
