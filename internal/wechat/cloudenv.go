package wechat

import (
	"context"
	"maps"
)

// CloudKind is the kind of a cloud environment.
type CloudKind string

// The kinds.
const (
	CloudBase CloudKind = "cloudbase" // 云开发
	CloudRun  CloudKind = "cloudrun"  // 微信云托管
)

// sourceType is how WeChat's calls about both kinds tell them apart; 0 is left out. 1 is what the page of batchshareenv calls
// an environment of 微信云托管; that batchgetenvid takes it too was seen in use only.
func (k CloudKind) sourceType() int {
	if k == CloudRun {
		return 1
	}
	return 0
}

// CloudEnv is an environment of the platform's. Times and states are as WeChat writes them.
type CloudEnv struct {
	Kind      CloudKind
	Env       string
	Alias     string
	Status    string
	CreatedAt string // 云开发 only, like UpdatedAt and Package
	UpdatedAt string
	Package   string
	Region    string // 微信云托管 only, like PayMode and Default
	PayMode   string
	Default   bool
}

// CloudEnvs lists the platform's 云开发 environments.
//
// WeChat docs: https://developers.weixin.qq.com/doc/oplatform/Third-party_Platforms/2.0/api/cloudbase/batch/quickstart.html
func (c *Component) CloudEnvs(ctx context.Context) ([]CloudEnv, error) {
	var out struct {
		List List[struct {
			Env         text `json:"env"`
			Alias       text `json:"alias"`
			CreateTime  text `json:"create_time"`
			UpdateTime  text `json:"update_time"`
			Status      text `json:"status"`
			PackageName text `json:"package_name"`
		}] `json:"info_list"`
	}
	err := c.call(ctx, request{op: "componenttcb/describeenvs", body: struct{}{}}, &out)
	list := make([]CloudEnv, len(out.List))
	for i, e := range out.List {
		list[i] = CloudEnv{
			Kind: CloudBase, Env: string(e.Env), Alias: string(e.Alias), Status: string(e.Status),
			CreatedAt: string(e.CreateTime), UpdatedAt: string(e.UpdateTime), Package: string(e.PackageName),
		}
	}
	return list, err
}

// CloudRunEnvs lists the platform's 微信云托管 environments. The names of the fields were seen in use only.
func (c *Component) CloudRunEnvs(ctx context.Context) ([]CloudEnv, error) {
	var out struct {
		List List[struct {
			Env     text `json:"env_id"`
			Alias   text `json:"alias"`
			Status  text `json:"status"`
			Region  text `json:"region"`
			PayMode text `json:"pay_mode"`
			Default text `json:"is_default"`
		}] `json:"env_list"`
	}
	err := c.call(ctx, request{op: "componenttcb/describecloudbaserunenvs", body: struct{}{}}, &out)
	list := make([]CloudEnv, len(out.List))
	for i, e := range out.List {
		list[i] = CloudEnv{
			Kind: CloudRun, Env: string(e.Env), Alias: string(e.Alias), Status: string(e.Status), Region: string(e.Region), PayMode: string(e.PayMode),
			Default: e.Default == "true" || e.Default == "1",
		}
	}
	return list, err
}

// CreateCloudEnv makes a 云开发 environment and returns its id. A second call makes a second one, so read back when OutcomeUnknown.
//
// WeChat docs: https://developers.weixin.qq.com/doc/oplatform/Third-party_Platforms/2.0/api/cloudbase/batch/quickstart.html
func (c *Component) CreateCloudEnv(ctx context.Context, alias string) (env string, err error) {
	var out struct {
		Env text `json:"env"`
	}
	err = c.call(ctx, request{op: "componenttcb/createenv", timeout: slowTimeout, body: struct {
		Alias string `json:"alias"`
	}{alias}}, &out)
	return string(out.Env), err
}

// CreateCloudRunEnv makes a 微信云托管 environment in a private network and returns its id; else as CreateCloudEnv. The names of the
// fields were seen in use only.
func (c *Component) CreateCloudRunEnv(ctx context.Context, alias, vpcID string, subnetIDs []string) (env string, err error) {
	var out struct {
		Env text `json:"env_id"`
	}
	err = c.call(ctx, request{op: "componenttcb/createcloudbaserunenv", timeout: slowTimeout, body: struct {
		Alias   string   `json:"alias"`
		VPC     string   `json:"vpc_id,omitempty"`
		Subnets []string `json:"sub_net_ids,omitempty"`
	}{alias, vpcID, subnetIDs}}, &out)
	return string(out.Env), err
}

// CloudEnvsOf tells to which environments mini programs are bound, by appid. Those that WeChat says nothing about are missing.
//
// WeChat docs: https://developers.weixin.qq.com/doc/oplatform/Third-party_Platforms/2.0/api/cloudbase/batch/quickstart.html
func (c *Component) CloudEnvsOf(ctx context.Context, kind CloudKind, appids []string) (map[string][]string, error) {
	var out struct {
		List List[struct {
			AppID string     `json:"appid"`
			Envs  List[text] `json:"env_list"`
		}] `json:"relation_data"`
	}
	err := c.call(ctx, request{op: "componenttcb/batchgetenvid", body: struct {
		AppIDs []string `json:"appids"`
		Source int      `json:"source_type,omitempty"`
	}{appids, kind.sourceType()}}, &out)
	bound := make(map[string][]string, len(out.List))
	for _, r := range out.List {
		for _, env := range r.Envs {
			bound[r.AppID] = append(bound[r.AppID], string(env))
		}
	}
	return bound, err
}

// CloudShare is what came of sharing an environment. Both maps are by appid.
type CloudShare struct {
	URLs   map[string]string // where the mini program's administrator confirms
	Failed map[string]string // WeChat's words
}

// ShareCloudEnv offers an environment to mini programs. Nothing is bound before the administrator of a mini program confirms, so a call
// whose answer was lost may be repeated. All mini programs of one environment must be of one principal.
//
// WeChat docs: https://developers.weixin.qq.com/doc/oplatform/openApi/cloudrun-batch/cloudenv-mgnt/api_sharecloudbaseenv.html
func (c *Component) ShareCloudEnv(ctx context.Context, kind CloudKind, env string, appids []string) (CloudShare, error) {
	var out struct {
		Failed List[struct {
			AppID string `json:"appid"`
			Msg   string `json:"errmsg"`
		}] `json:"err_list"`
		URLs List[struct {
			AppID string `json:"appid"`
			URL   string `json:"url"`
		}] `json:"msg_info_list"`
	}
	type offer struct {
		Env    string   `json:"env"`
		AppIDs []string `json:"appids"`
	}
	err := c.call(ctx, request{op: "componenttcb/batchshareenv", timeout: slowTimeout, body: struct {
		Data   []offer `json:"data"`
		Source int     `json:"source_type,omitempty"`
	}{[]offer{{env, appids}}, kind.sourceType()}}, &out)
	share := CloudShare{URLs: map[string]string{}, Failed: map[string]string{}}
	for _, f := range out.Failed {
		share.Failed[f.AppID] = f.Msg
	}
	for _, u := range out.URLs {
		share.URLs[u.AppID] = u.URL
	}
	maps.DeleteFunc(share.URLs, func(_, url string) bool { return url == "" })
	return share, err
}

// CloudToken is 微信令牌 of an environment: whether its services get a token, and for which paths it is good.
type CloudToken struct {
	Open    bool         `json:"open"`
	Paths   List[string] `json:"api_whitelist"` // "/*" is all
	Version Int          `json:"version"`       // of the setting; to change it, send the one read last
}

type cloudTokenRequest struct {
	Action string `json:"action"`
	Env    string `json:"env"`

	*cloudTokenChange
}

type cloudTokenChange struct {
	Open    bool     `json:"open"`
	Paths   []string `json:"api_whitelist"`
	Version int64    `json:"version"`
}

// CloudTokenOf reads 微信令牌 of one of the platform's environments.
//
// WeChat docs: https://developers.weixin.qq.com/doc/oplatform/openApi/cloudbase-common/admin-management/api_setcloudaccesstoken.html
func (c *Component) CloudTokenOf(ctx context.Context, env string) (CloudToken, error) {
	var out CloudToken
	err := c.call(ctx, request{op: "tcb/usecloudaccesstoken", body: cloudTokenRequest{Action: "get", Env: env}}, &out)
	return out, err
}

// SetCloudToken changes it and gives what is in force then. It is refused when somebody else has changed it since Version was read.
//
// WeChat docs: https://developers.weixin.qq.com/doc/oplatform/openApi/cloudbase-common/admin-management/api_setcloudaccesstoken.html
func (c *Component) SetCloudToken(ctx context.Context, env string, t CloudToken) (CloudToken, error) {
	var out CloudToken
	err := c.call(ctx, request{op: "tcb/usecloudaccesstoken", body: cloudTokenRequest{"set", env, &cloudTokenChange{t.Open, t.Paths, int64(t.Version)}}}, &out)
	return out, err
}

// CloudPush is where WeChat pushes a mini program's messages inside its cloud environment.
type CloudPush struct {
	Enabled bool
	Env     string
	Path    string // of the service
	XML     bool   // else JSON
}

type cloudPushConfig struct {
	Enable   bool   `json:"enable"`
	Env      string `json:"qbase_env"`
	Path     string `json:"qbase_container_path"`
	TextMode Int    `json:"text_mode"` // 1 JSON, 2 XML
}

// CloudPush reads the 云托管 part of the message push. Permission set 49.
//
// WeChat docs: https://developers.weixin.qq.com/doc/oplatform/openApi/cloudbase-common/msg-push/api_getcallbackconfig.html
func (a *Authorizer) CloudPush(ctx context.Context) (CloudPush, error) {
	var out struct {
		Container cloudPushConfig `json:"container_config"`
	}
	err := a.call(ctx, request{op: "tcb/getcallbackconfig", body: struct{}{}}, &out)
	const xmlMode = 2
	return CloudPush{out.Container.Enable, out.Container.Env, out.Container.Path, out.Container.TextMode == xmlMode}, err
}

// SetCloudPush changes it. While it is on, messages go neither to a cloud function nor to the platform's 消息与事件接收URL. Permission set 49.
//
// WeChat docs: https://developers.weixin.qq.com/doc/oplatform/openApi/cloudbase-common/msg-push/api_setcallbackconfig.html
func (a *Authorizer) SetCloudPush(ctx context.Context, p CloudPush) error {
	mode := Int(1)
	if p.XML {
		mode = 2
	}
	return a.call(ctx, request{op: "tcb/setcallbackconfig", body: struct {
		Container cloudPushConfig `json:"container_config"`
	}{cloudPushConfig{p.Enabled, p.Env, p.Path, mode}}}, nil)
}
