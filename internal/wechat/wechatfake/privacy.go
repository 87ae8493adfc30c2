package wechatfake

import (
	"encoding/json"
	"errors"
	"maps"
	"regexp"
	"slices"
	"strings"
	"unicode/utf8"
)

// guideline is one version of a 用户隐私保护指引.
type guideline struct {
	Settings []privacySetting `json:"setting_list"`
	Owner    ownerSetting     `json:"owner_setting"`
	SDK      json.RawMessage  `json:"sdk_privacy_info_list,omitempty"`
	Updated  int64            `json:"update_time"`
}

type privacySetting struct {
	Key  string `json:"privacy_key"`
	Text string `json:"privacy_text"`
}

type ownerSetting struct {
	Email   string          `json:"contact_email"`
	Phone   string          `json:"contact_phone"`
	QQ      string          `json:"contact_qq"`
	WeChat  string          `json:"contact_weixin"`
	Notice  string          `json:"notice_method"`
	Expire  string          `json:"store_expire_timestamp"`
	ExtFile string          `json:"ext_file_media_id"`
	Region  json.RawMessage `json:"store_region,omitempty"`
}

func (g *guideline) clone() *guideline {
	if g == nil {
		return nil
	}
	copied := *g
	copied.Settings = slices.Clone(g.Settings)
	return &copied
}

func (g *guideline) text(key string) string {
	if g == nil {
		return ""
	}
	at := slices.IndexFunc(g.Settings, func(p privacySetting) bool { return p.Key == key })
	if at < 0 {
		return ""
	}
	return g.Settings[at].Text
}

const (
	privacyLive = 1
	privacyDev  = 2
)

// setPrivacy writes version 2, which goes live with the next release, or the owner_setting of version 1 at once.
func (s *Server) setPrivacy(c *call) reply {
	var in struct {
		Version  *number           `json:"privacy_ver"`
		Settings *[]privacySetting `json:"setting_list"`
		Owner    *ownerSetting     `json:"owner_setting"`
		SDK      json.RawMessage   `json:"sdk_privacy_info_list"`
	}
	if rep := c.decode(&in); rep.code != 0 {
		return rep
	}
	a := c.acct
	version := int64(privacyDev)
	if in.Version != nil {
		version = int64(*in.Version)
	}
	switch {
	case version != privacyLive && version != privacyDev:
		return fail(40097)
	case s.st.Settings.PrivacySetStrict && a.Trial != nil && s.detecting(a.Trial):
		return fail(61039)
	case in.Owner == nil, in.Owner.Email == "" && in.Owner.Phone == "" && in.Owner.QQ == "" && in.Owner.WeChat == "":
		return fail(86069)
	case in.Owner.Notice == "":
		return fail(86070)
	case in.Owner.Expire != "" && !regexp.MustCompile(`^[0-9]+天$`).MatchString(in.Owner.Expire):
		return fail(86072)
	}
	if version == privacyLive {
		switch {
		case in.Settings != nil:
			return fail(40097)
		case a.LivePrivacy == nil:
			return fail(86074)
		case in.Owner.ExtFile != a.LivePrivacy.Owner.ExtFile:
			return fail(86075)
		}
		a.LivePrivacy.Owner, a.LivePrivacy.Updated = *in.Owner, s.now().Unix()
		return ok(nil)
	}
	if in.Settings == nil {
		return fail(40097)
	}
	if file := s.st.Media[in.Owner.ExtFile]; in.Owner.ExtFile != "" && (file == nil || file.Use != mediumPrivacy) {
		return fail(86073)
	}
	a.Privacy = &guideline{Settings: *in.Settings, Owner: *in.Owner, SDK: in.SDK, Updated: s.now().Unix()}
	return ok(nil)
}

// getPrivacy shows one version. privacy_list holds the keys found in the code and lags while detection runs.
func (s *Server) getPrivacy(c *call) reply {
	var in struct {
		Version *number `json:"privacy_ver"`
	}
	if rep := c.decode(&in); rep.code != 0 {
		return rep
	}
	a := c.acct
	version := int64(privacyDev)
	if in.Version != nil {
		version = int64(*in.Version)
	}
	var g *guideline
	exists := 0
	var found []string
	switch version {
	case privacyLive:
		g = a.LivePrivacy
		if a.Live != nil {
			exists, found = 1, a.Live.PrivacyKeys
		}
	case privacyDev:
		g = a.Privacy
		if a.Trial != nil {
			exists = 1
			if !s.detecting(a.Trial) {
				a.Detected = a.Trial.PrivacyKeys
			}
			found = a.Detected
		}
	default:
		return fail(40097)
	}
	names := privacyNames()
	described := []fields{}
	for _, key := range slices.Sorted(maps.Keys(names)) {
		described = append(described, fields{"privacy_key": key, "privacy_desc": names[key]})
	}
	answer := fields{"code_exist": exists, "privacy_list": list(found), "privacy_desc": fields{"privacy_desc_list": described}, "setting_list": []fields{}, "sdk_privacy_info_list": []fields{}}
	if g != nil {
		rows := []fields{}
		for _, p := range g.Settings {
			rows = append(rows, fields{"privacy_key": p.Key, "privacy_text": p.Text, "privacy_label": names[p.Key]})
		}
		answer["setting_list"], answer["owner_setting"], answer["update_time"] = rows, g.Owner, g.Updated
		if len(g.SDK) > 0 {
			answer["sdk_privacy_info_list"] = g.SDK
		}
	}
	return ok(answer)
}

func privacyNames() map[string]string {
	return map[string]string{
		"UserInfo": "用户信息（微信昵称、头像）", "Location": "位置信息", "Address": "地址", "Invoice": "发票信息", "RunData": "微信运动步数",
		"Record": "麦克风", "Album": "选中的照片或视频信息", "Camera": "摄像头", "PhoneNumber": "手机号", "Contact": "通讯录（仅写入）权限",
		"DeviceInfo": "设备信息", "EXIDNumber": "身份证号码", "EXOrderInfo": "订单信息", "EXUserPublishContent": "发布内容",
		"EXUserFollowAcct": "所关注账号", "EXUserOpLog": "操作日志", "AlbumWriteOnly": "相册（仅写入）权限", "LicensePlate": "车牌号",
		"BlueTooth": "蓝牙", "CalendarWriteOnly": "日历（仅写入）权限", "Email": "邮箱", "MessageFile": "选中的文件",
	}
}

func (s *Server) uploadPrivacyFile(c *call) reply {
	switch {
	case c.file.field != "file":
		return fail(41005)
	case !strings.HasSuffix(c.file.filename, ".txt") || len(c.file.data) == 0:
		return fail(40126)
	case len(c.file.data) > 100<<10:
		return fail(40006)
	}
	return ok(fields{"ext_file_media_id": s.store(c.acct.AppID, mediumPrivacy, "text", "text/plain", c.file.data)})
}

// privacyAPIs are the interfaces that need WeChat's permission, with their Chinese names.
func privacyAPIs() []struct{ name, chinese string } {
	return []struct{ name, chinese string }{
		{"wx.getFuzzyLocation", "获取模糊地理位置"},
		{"wx.getLocation", "获取当前的地理位置"},
		{"wx.onLocationChange", "监听实时地理位置变化事件"},
		{"wx.startLocationUpdate", "开启小程序进入前台时接收位置消息"},
		{"wx.startLocationUpdateBackground", "开启小程序进入前后台时均接收位置消息"},
		{"wx.chooseLocation", "打开地图选择位置"},
		{"wx.choosePoi", "打开POI列表选择位置"},
		{"wx.chooseAddress", "获取用户收货地址"},
	}
}

func (s *Server) privacyInterfaces(c *call) reply {
	rows := []fields{}
	for _, api := range privacyAPIs() {
		state := c.acct.Interfaces[api.name]
		if slices.Contains(c.acct.GrantedAPIs, api.name) {
			state.Status = 5
		}
		row := fields{"api_name": api.name, "api_ch_name": api.chinese, "api_desc": api.chinese, "api_link": "", "group_name": "地理位置", "status": max(1, state.Status)}
		if state.AuditID != 0 {
			row["apply_time"], row["audit_id"] = state.ApplyTime, state.AuditID
		}
		if state.FailReason != "" {
			row["fail_reason"] = state.FailReason
		}
		rows = append(rows, row)
	}
	return ok(fields{"interface_list": rows})
}

func (s *Server) applyPrivacyInterface(c *call) reply {
	var in struct {
		Name    string   `json:"api_name"`
		Content string   `json:"content"`
		URLs    []string `json:"url_list"`
		Pics    []string `json:"pic_list"`
		Videos  []string `json:"video_list"`
	}
	if rep := c.decode(&in); rep.code != 0 {
		return rep
	}
	a := c.acct
	known := slices.ContainsFunc(privacyAPIs(), func(api struct{ name, chinese string }) bool { return api.name == in.Name })
	switch {
	case in.Name == "" || in.Content == "" || utf8.RuneCountInString(in.Content) > 300 || len(in.URLs)+len(in.Pics)+len(in.Videos) == 0:
		return fail(61034)
	case !known || a.mayUse(in.Name):
		return fail(61035)
	case a.Interfaces[in.Name].Status == 3:
		return fail(61031)
	case len(a.approvedCategories()) == 0:
		return fail(61036)
	case slices.ContainsFunc(in.Videos, func(v string) bool { return !strings.HasSuffix(v, ".mp4") }):
		return fail(61032)
	}
	id := s.st.NextAudit
	s.st.NextAudit++
	a.Interfaces[in.Name] = grant{Status: 3, ApplyTime: s.now().Unix(), AuditID: id}
	return ok(fields{"audit_id": id})
}

// DecidePrivacyAPI plays WeChat deciding on an application for a private API, with its wxa_privacy_apply event.
func (s *Server) DecidePrivacyAPI(appid, api string, granted bool, reason string) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	a, err := s.merchant(appid)
	if err != nil {
		return err
	}
	state, applied := a.Interfaces[api]
	if !applied || state.Status != 3 {
		return errors.New("wechatfake: no application is under review")
	}
	outcome := 2
	state.Status, state.FailReason = 4, reason
	if granted {
		outcome, state.Status, state.FailReason = 3, 5, ""
	}
	a.Interfaces[api] = state
	s.pushBiz(a, append(s.eventFor(a, "wxa_privacy_apply"), Field{"result_info", Message{
		{"api_name", api},
		{"apply_time", state.ApplyTime},
		{"audit_id", state.AuditID},
		{"audit_time", s.now().Unix()},
		{"reason", reason},
		{"status", outcome},
	}}))
	s.changed()
	return nil
}
