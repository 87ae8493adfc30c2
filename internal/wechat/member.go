package wechat

import "context"

// BindTester lets the user with this WeChat id see trial versions and returns the user's userstr, by which alone
// Testers names the user later. It fails with 85004 when already bound. Needs permission set 18, as all calls in this
// file.
//
// WeChat docs: https://developers.weixin.qq.com/doc/oplatform/openApi/miniprogram-management/member-management/api_bindtester.html
func (a *Authorizer) BindTester(ctx context.Context, wechatID string) (userStr string, err error) {
	var out struct {
		UserStr string `json:"userstr"`
	}
	err = a.call(ctx, request{op: "wxa/bind_tester", body: struct {
		WechatID string `json:"wechatid"`
	}{wechatID}}, &out)
	return out.UserStr, err
}

// UnbindTester takes that back, by WeChat id or, when wechatID is "", by userstr.
//
// WeChat docs: https://developers.weixin.qq.com/doc/oplatform/openApi/miniprogram-management/member-management/api_unbindtester.html
func (a *Authorizer) UnbindTester(ctx context.Context, wechatID, userStr string) error {
	body := map[string]string{"userstr": userStr}
	if wechatID != "" {
		body = map[string]string{"wechatid": wechatID}
	}
	return a.call(ctx, request{op: "wxa/unbind_tester", body: body}, nil)
}

// Testers lists the userstr of those who may see trial versions, administrators left out.
//
// WeChat docs: https://developers.weixin.qq.com/doc/oplatform/openApi/miniprogram-management/member-management/api_gettester.html
func (a *Authorizer) Testers(ctx context.Context) (userStrs []string, err error) {
	var out struct {
		Members List[struct {
			UserStr string `json:"userstr"`
		}] `json:"members"`
	}
	err = a.call(ctx, request{op: "wxa/memberauth", body: struct {
		Action string `json:"action"`
	}{"get_experiencer"}}, &out)
	for _, m := range out.Members {
		userStrs = append(userStrs, m.UserStr)
	}
	return userStrs, err
}
