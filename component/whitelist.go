package component

import "github.com/wxsteward/wxsteward/internal/wechat"

// Whitelist is what to enter in the console of WeChat Cloud Run, 云调用 → 微信令牌权限配置.
type Whitelist struct {
	Transport string   `json:"transport" enum:"token,openapi,cloudtoken"`
	Needed    bool     `json:"needed" doc:"False with the transport token."`
	Paths     []string `json:"paths" doc:"To enter, one a line."`
	Merchant  []string `json:"merchant_paths" doc:"Called with the merchant's own token: they need no entry."`
}

// Whitelist lists every path that we call.
func (s *Service) Whitelist() Whitelist {
	return Whitelist{
		Transport: string(s.cfg.Transport), Needed: s.cfg.Transport != wechat.TransportToken,
		Paths: wechat.PlatformPaths(), Merchant: wechat.MerchantPaths(),
	}
}
