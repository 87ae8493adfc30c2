package wechatfake

import (
	"errors"
	"fmt"
	"net/http"
	"slices"
)

// CloudEnv is a cloud environment of the platform's.
type CloudEnv struct {
	Env       string   `json:"env"`
	Alias     string   `json:"alias"`
	Run       bool     `json:"run"`       // of 微信云托管, else of 云开发
	Principal string   `json:"principal"` // of the mini programs it is shared with; empty: of none yet
	AppIDs    []string `json:"appids"`    // bound
	Created   int64    `json:"created"`

	Services []*CloudService `json:"services"`

	TokenOpen    bool     `json:"token_open"`
	TokenPaths   []string `json:"token_paths"`
	TokenVersion int      `json:"token_version"`
}

// CloudOffer is an environment that waits for a mini program's administrator to confirm.
type CloudOffer struct {
	Env   string `json:"env"`
	AppID string `json:"appid"`
	Key   string `json:"key"` // in the address of the page
}

type cloudPush struct {
	Enable   bool   `json:"enable"`
	Env      string `json:"qbase_env"`
	Path     string `json:"qbase_container_path"`
	TextMode int    `json:"text_mode"`
}

func (s *Server) cloudEnv(env string) *CloudEnv {
	i := slices.IndexFunc(s.st.CloudEnvs, func(e *CloudEnv) bool { return e.Env == env })
	if i < 0 {
		return nil
	}
	return s.st.CloudEnvs[i]
}

// AddCloudEnv makes an environment as somebody in the console would.
func (s *Server) AddCloudEnv(e CloudEnv) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.st.CloudEnvs = append(s.st.CloudEnvs, &e)
	s.changed()
}

// CloudEnvs lists the environments, oldest first.
func (s *Server) CloudEnvs() []CloudEnv {
	s.mu.Lock()
	defer s.mu.Unlock()
	list := []CloudEnv{}
	for _, e := range s.st.CloudEnvs {
		list = append(list, *e)
	}
	return list
}

// ConfirmCloudShare plays the administrator of a mini program who confirms that it uses an environment.
func (s *Server) ConfirmCloudShare(env, appid string) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.confirmCloudShare(func(o *CloudOffer) bool { return o.Env == env && o.AppID == appid })
}

func (s *Server) confirmCloudShare(is func(*CloudOffer) bool) error {
	i := slices.IndexFunc(s.st.CloudOffers, is)
	if i < 0 {
		return errors.New("wechatfake: there is no such offer of an environment")
	}
	o := s.st.CloudOffers[i]
	s.st.CloudOffers = slices.DeleteFunc(s.st.CloudOffers, func(other *CloudOffer) bool { return other.Env == o.Env && other.AppID == o.AppID })
	e := s.cloudEnv(o.Env)
	if !slices.Contains(e.AppIDs, o.AppID) {
		e.AppIDs = append(e.AppIDs, o.AppID)
	}
	e.Principal = s.st.Merchants[o.AppID].Principal
	s.changed()
	return nil
}

// describeEnvs lists the environments of 云开发.
func (s *Server) describeEnvs(*call) reply {
	list := []fields{}
	for _, e := range s.st.CloudEnvs {
		if !e.Run {
			list = append(list, fields{
				"env": e.Env, "alias": e.Alias, "create_time": e.Created, "update_time": e.Created, "status": "NORMAL",
				"package_id": "basic", "package_name": "基础版", "dbinstance_id": "tnt-" + e.Env, "bucket_id": "6465-" + e.Env,
			})
		}
	}
	return ok(fields{"info_list": list})
}

// describeRunEnvs lists the environments of 微信云托管.
func (s *Server) describeRunEnvs(*call) reply {
	list := []fields{}
	for _, e := range s.st.CloudEnvs {
		if e.Run {
			list = append(list, fields{
				"env_id": e.Env, "source": "wx", "alias": e.Alias, "status": "NORMAL", "region": "ap-shanghai", "pay_mode": "postpaid", "is_default": len(list) == 0,
			})
		}
	}
	return ok(fields{"env_list": list})
}

func (s *Server) createEnv(run bool) func(c *call) reply {
	return func(c *call) reply {
		var in struct {
			Alias string `json:"alias"`
		}
		if rep := c.decode(&in); rep.code != 0 {
			return rep
		}
		if in.Alias == "" {
			return fail(40097)
		}
		e := &CloudEnv{Env: fmt.Sprintf("%s-%d%s", in.Alias, len(s.st.CloudEnvs), random(6)), Alias: in.Alias, Run: run, Created: s.now().Unix()}
		e.Services = sampleServices()
		s.st.CloudEnvs = append(s.st.CloudEnvs, e)
		if run {
			return ok(fields{"env_id": e.Env})
		}
		return ok(fields{"env": e.Env, "tranid": random(8)})
	}
}

func (s *Server) envsOf(c *call) reply {
	var in struct {
		AppIDs []string `json:"appids"`
		Source int      `json:"source_type"`
	}
	if rep := c.decode(&in); rep.code != 0 {
		return rep
	}
	if len(in.AppIDs) == 0 {
		return fail(40097)
	}
	list, wrong := []fields{}, []fields{}
	for _, appid := range in.AppIDs {
		if s.st.Merchants[appid] == nil {
			wrong = append(wrong, fields{"appid": appid, "errmsg": "invalid appid"})
			continue
		}
		envs := []string{}
		for _, e := range s.st.CloudEnvs {
			if e.Run == (in.Source == 1) && slices.Contains(e.AppIDs, appid) {
				envs = append(envs, e.Env)
			}
		}
		list = append(list, fields{"appid": appid, "env_list": envs})
	}
	return ok(fields{"relation_data": list, "err_list": wrong})
}

// shareEnv is what the page of batchshareenv says; the words in err_list are ours.
func (s *Server) shareEnv(c *call) reply {
	var in struct {
		Data []struct {
			Env    string   `json:"env"`
			AppIDs []string `json:"appids"`
		} `json:"data"`
		Source int `json:"source_type"`
	}
	if rep := c.decode(&in); rep.code != 0 {
		return rep
	}
	if len(in.Data) == 0 {
		return fail(40097)
	}
	wrong, urls := []fields{}, []fields{}
	for _, d := range in.Data {
		e := s.cloudEnv(d.Env)
		if e == nil || e.Run != (in.Source == 1) {
			return fail(85088)
		}
		principal := e.Principal
		for _, appid := range d.AppIDs {
			a := s.st.Merchants[appid]
			why := ""
			switch {
			case a == nil || !a.Authorized:
				why = "appid is not authorized"
			case slices.Contains(e.AppIDs, appid):
				why = "env has been shared"
			case principal != "" && a.Principal != principal:
				why = "not the same subject"
			}
			if why != "" {
				wrong = append(wrong, fields{"env": d.Env, "appid": appid, "errmsg": why})
				continue
			}
			principal = a.Principal
			o := &CloudOffer{d.Env, appid, s.secret("offer")}
			s.st.CloudOffers = append(s.st.CloudOffers, o)
			urls = append(urls, fields{"appid": appid, "url": s.cloudOfferURL(o)})
		}
	}
	return ok(fields{"err_list": wrong, "msg_info_list": urls})
}

func (s *Server) cloudOfferURL(o *CloudOffer) string {
	if s.launch != "" {
		return "http://" + s.launch + s.cfg.BasePath + "/cloud-share/" + o.Key
	}
	return "https://mp.weixin.qq.com/wxopen/cloudshare?key=" + o.Key
}

// cloudSharePage is what the administrator of a mini program sees after scanning the code.
func (s *Server) cloudSharePage(w http.ResponseWriter, r *http.Request) {
	is := func(o *CloudOffer) bool { return o.Key == r.PathValue("key") }
	s.mu.Lock()
	i := slices.IndexFunc(s.st.CloudOffers, is)
	if i >= 0 && r.Method != http.MethodPost {
		o := s.st.CloudOffers[i]
		page := struct{ Base, Key, Env, Name string }{s.cfg.BasePath, o.Key, o.Env, s.st.Merchants[o.AppID].NickName}
		s.mu.Unlock()
		s.show(w, r, "cloudshare", page)
		return
	}
	err := s.confirmCloudShare(is)
	s.mu.Unlock()
	if err != nil {
		s.show(w, r, "notice", noticePage{Title: "链接已失效", Text: "请向服务商索取新的确认链接。"})
		return
	}
	s.show(w, r, "notice", noticePage{Title: "已确认", Text: "小程序可以使用服务商共享的云环境。可以关闭本页面。"})
}

func (s *Server) useCloudToken(c *call) reply {
	var in struct {
		Action  string   `json:"action"`
		Env     string   `json:"env"`
		Open    bool     `json:"open"`
		Paths   []string `json:"api_whitelist"`
		Version int      `json:"version"`
	}
	if rep := c.decode(&in); rep.code != 0 {
		return rep
	}
	e := s.cloudEnv(in.Env)
	switch {
	case e == nil:
		return fail(85088)
	case in.Action == "get":
	case in.Action != "set" || in.Version != e.TokenVersion:
		return fail(40097)
	default:
		e.TokenOpen, e.TokenPaths, e.TokenVersion = in.Open, in.Paths, e.TokenVersion+1
	}
	return ok(fields{"open": e.TokenOpen, "api_whitelist": list(e.TokenPaths), "version": e.TokenVersion})
}

func (s *Server) callbackConfig(c *call) reply {
	return ok(fields{"container_config": s.st.CloudPushes[c.acct.AppID]})
}

func (s *Server) setCallbackConfig(c *call) reply {
	var in struct {
		Container *cloudPush `json:"container_config"`
	}
	if rep := c.decode(&in); rep.code != 0 {
		return rep
	}
	if in.Container == nil || in.Container.TextMode != 1 && in.Container.TextMode != 2 || in.Container.Enable && (in.Container.Env == "" || in.Container.Path == "") {
		return fail(40097)
	}
	s.st.CloudPushes[c.acct.AppID] = *in.Container
	return ok(nil)
}

func (s *Server) controlCloudEnvs(mux *http.ServeMux) {
	mux.HandleFunc("GET /_control/cloud-envs", do(func(*http.Request, func(any) error) (any, error) { return s.CloudEnvs(), nil }))
	mux.HandleFunc("POST /_control/cloud-envs/{env}/confirm", do(func(r *http.Request, read func(any) error) (any, error) {
		var in struct {
			AppID string `json:"appid"`
		}
		if err := read(&in); err != nil {
			return nil, err
		}
		return nil, s.ConfirmCloudShare(r.PathValue("env"), in.AppID)
	}))
}
