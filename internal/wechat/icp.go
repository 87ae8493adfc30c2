package wechat

import "context"

// ICPFiled is the status of a mini program whose ICP filing (小程序备案) is done. Any other status keeps it from being
// released.
const ICPFiled = 6

// ICPInfo is where a mini program's ICP filing stands.
type ICPInfo struct {
	// Status is 2 in WeChat's audit, 3 rejected there, 4 in the authority's audit, 5 rejected there, ICPFiled, 1024 not
	// filed, 1025 to 1031 not filed with something else missing (information, category, verification).
	Status          Int            `json:"status"`
	Canceling       bool           `json:"is_canceling"`
	AuditData       List[ICPFault] `json:"audit_data"`
	Available       Int            `json:"available"`         // 1: a filing can be started
	SMSVerifyStatus Int            `json:"sms_verify_status"` // with status 4: 1 waiting, 2 done, 3 timed out
}

// ICPFault is one thing the filing was rejected for.
type ICPFault struct {
	Key     string `json:"key_name"`
	Error   string `json:"error"`
	Suggest string `json:"suggest"`
}

// ICPEntranceInfo reads where the filing stands. Needs permission set 18 or 156.
//
// WeChat docs: https://developers.weixin.qq.com/doc/oplatform/openApi/miniprogram-management/record/api_geticpentranceinfo.html
func (a *Authorizer) ICPEntranceInfo(ctx context.Context) (ICPInfo, error) {
	const op = "wxa/icp/get_icp_entrance_info"
	var out struct {
		Info *ICPInfo `json:"info"`
	}
	if err := a.call(ctx, request{op: op, get: true}, &out); err != nil {
		return ICPInfo{}, err
	}
	if out.Info == nil {
		return ICPInfo{}, lacks(op, "info")
	}
	return *out.Info, nil
}
