package wechatfake

import "slices"

type scopeInfo struct {
	id   int
	kind Kind
	name string
}

// scopeTable names the permission sets this platform may ask for.
func scopeTable() []scopeInfo {
	return []scopeInfo{
		{17, MiniProgram, "获取小程序码"},
		{18, MiniProgram, "小程序开发与数据分析"},
		{19, MiniProgram, "小程序客服管理"},
		{25, MiniProgram, "开放平台账号管理"},
		{30, MiniProgram, "小程序基本信息管理"},
		{31, MiniProgram, "小程序认证名称检测"},
		{37, MiniProgram, "附近的小程序管理"},
		{40, MiniProgram, "小程序插件管理"},
		{49, MiniProgram, "小程序云开发管理"},
		{65, MiniProgram, "小程序广告管理"},
		{76, MiniProgram, "小程序违规与交易投诉管理"},
		{88, MiniProgram, "小程序链接管理"},
		{142, MiniProgram, "小程序发货管理服务"},
		{156, MiniProgram, "小程序备案"},
		{1, Official, "消息管理"},
		{2, Official, "用户管理"},
		{3, Official, "账号服务"},
		{4, Official, "网页服务"},
		{6, Official, "微信多客服"},
		{7, Official, "群发与通知"},
		{11, Official, "素材管理"},
		{15, Official, "菜单管理"},
		{24, Official, "开放平台账号管理"},
		{27, Official, "快速注册小程序"},
		{33, Official, "小程序关联管理"},
	}
}

// offered are the sets the platform asks an account of this kind for.
func (s *Server) offered(kind Kind) []int {
	wanted := s.st.Settings.OfferedScopes
	ids := []int{}
	for _, info := range scopeTable() {
		if info.kind == kind && (len(wanted) == 0 || slices.Contains(wanted, info.id)) {
			ids = append(ids, info.id)
		}
	}
	for _, id := range wanted { // sets beyond the table are offered to mini programs
		known := slices.ContainsFunc(scopeTable(), func(info scopeInfo) bool { return info.id == id })
		if !known && kind == MiniProgram {
			ids = append(ids, id)
		}
	}
	return ids
}

func scopeName(id int) string {
	for _, info := range scopeTable() {
		if info.id == id {
			return info.name
		}
	}
	return ""
}
