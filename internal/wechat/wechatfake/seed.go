package wechatfake

import (
	"fmt"
	"time"
)

// Seed fills an empty fake for the demo: a platform with domains, two cloud environments, four drafts and three templates, and 25 merchants of
// which 20 have said yes already (AnnounceAuthorized pushes their codes) and 5 wait to be asked. A fake that knows
// merchants, for instance from its state file, is left alone.
func (s *Server) Seed() error {
	s.mu.Lock()
	seeded := len(s.st.Order) > 0
	s.mu.Unlock()
	if seeded {
		return nil
	}
	s.SetPlatformDomains([]string{"api.example.com", "cdn.example.com", "ws.example.com"}, []string{"m.example.com"})
	s.Set(func(set *Settings) {
		set.Latency = map[string]Duration{
			"*": Duration(40 * time.Millisecond), "/wxa/commit": Duration(900 * time.Millisecond),
			"/wxa/submit_audit": Duration(400 * time.Millisecond), "/wxa/release": Duration(300 * time.Millisecond),
		}
	})
	if err := s.seedCode(); err != nil {
		return err
	}
	s.AddCloudEnv(CloudEnv{Env: "shop-4g8ax2k1c7d0e5f3", Alias: "shop", Created: s.now().AddDate(0, -2, 0).Unix()})
	s.AddCloudEnv(CloudEnv{Env: "prod-7gk1x9d2e4a0b6c8", Alias: "prod", Run: true, Created: s.now().AddDate(0, -1, 0).Unix()})
	for i, m := range seedMerchants() {
		m.AppID = "wx" + digest("demo merchant" + m.NickName)[:16]
		m.Announced = i < 20
		if err := s.AddMerchant(m.Merchant); err != nil {
			return err
		}
		if len(m.PrivacyKeys) == 0 {
			s.writeGuideline(m.AppID)
		}
		for n, version := range m.live {
			at := s.now().AddDate(0, 0, -30*(len(m.live)-n))
			if err := s.PutLive(m.AppID, version, "由原服务商发布", orderPages(), at); err != nil {
				return err
			}
		}
		if m.consoleAudit {
			if err := s.ConsoleSubmit(m.AppID); err != nil {
				return err
			}
		}
	}
	return nil
}

// writeGuideline gives a merchant the privacy guideline that its owner has filled in.
func (s *Server) writeGuideline(appid string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	defer s.changed()
	s.st.Merchants[appid].Privacy = &guideline{
		Settings: []privacySetting{
			{Key: "UserInfo", Text: "展示会员头像和昵称"}, {Key: "PhoneNumber", Text: "联系下单的顾客"}, {Key: "Address", Text: "配送商品"},
		},
		Owner: ownerSetting{Email: "service@example.com", Notice: "弹窗"}, Updated: s.now().Unix(),
	}
}

func orderPages() []string {
	return []string{"pages/index/index", "pages/menu/menu", "pages/order/list", "pages/order/detail", "pages/mine/mine"}
}

func retailPages() []string {
	return []string{"pages/home/home", "pages/category/category", "pages/cart/cart", "pages/goods/detail", "pages/order/list", "pages/mine/mine"}
}

func bookingPages() []string {
	return []string{"pages/index/index", "pages/service/list", "pages/booking/booking", "pages/member/card", "pages/mine/mine"}
}

func (s *Server) seedCode() error {
	const day = 24 * 60 * 60
	now := s.now().Unix()
	ordering := Package{Pages: orderPages(), SubPages: []string{"packages/coupon/list", "packages/coupon/detail"}, PrivacyKeys: []string{"UserInfo", "PhoneNumber"}}
	retail := Package{Pages: retailPages(), SubPages: []string{"packages/promo/seckill", "packages/promo/group"}, PrivacyKeys: []string{"UserInfo", "PhoneNumber", "Address"}}
	booking := Package{Pages: bookingPages(), PrivacyKeys: []string{"UserInfo", "PhoneNumber"}}
	source := func(name string) string { return "wx" + digest("demo source" + name)[:16] }
	draft := func(pkg Package, name, developer, version, desc string, age int64) Draft {
		return Draft{Package: pkg, CreateTime: now - age, UserVersion: version, UserDesc: desc, SourceAppID: source(name), SourceName: name, Developer: developer}
	}
	for _, t := range []Draft{
		draft(ordering, "扫码点餐开发版", "李晓东", "2.3.0", "扫码点餐：新增会员储值与生日券", 21*day),
		draft(retail, "零售商城开发版", "陈静", "1.8.2", "零售商城：修复优惠券叠加与运费计算", 12*day),
		draft(booking, "门店预约开发版", "周凯", "1.0.5", "门店预约：支持按技师选择时段", 5*day),
	} {
		id, err := s.AddDraft(t)
		if err != nil {
			return err
		}
		t.DraftID = id
		if _, err := s.AddTemplate(Template{Draft: t}); err != nil {
			return err
		}
	}
	for _, d := range []Draft{
		draft(ordering, "扫码点餐开发版", "李晓东", "2.4.0", "扫码点餐：秋季菜单样式，桌台转台", 2*day),
		draft(retail, "零售商城开发版", "陈静", "1.9.0", "零售商城：新增直播带货入口与到店自提", day),
		draft(booking, "门店预约开发版", "周凯", "1.1.0-beta", "门店预约：会员卡改版（测试中）", day/2),
		draft(Package{Pages: []string{"pages/index/index", "pages/read/read", "pages/mine/mine"}, PrivacyKeys: []string{"UserInfo"}}, "社区团购开发版", "王敏", "0.3.1", "社区团购：首个可演示版本", day/4),
	} {
		if _, err := s.AddDraft(d); err != nil {
			return err
		}
	}
	return nil
}

type seedMerchant struct {
	Merchant
	live         []string // versions online before, oldest first
	consoleAudit bool
}

func food() []Category {
	return []Category{{FirstClass: "餐饮服务", SecondClass: "点餐平台", FirstID: 220, SecondID: 223, Status: 3}, {FirstClass: "商家自营", SecondClass: "食品饮料", FirstID: 304, SecondID: 321, Status: 3}}
}

func goods(second string, id int) []Category {
	return []Category{{FirstClass: "商家自营", SecondClass: second, FirstID: 304, SecondID: id, Status: 3}}
}

func life(second string, id int) []Category {
	return []Category{{FirstClass: "生活服务", SecondClass: second, FirstID: 120, SecondID: id, Status: 3}}
}

// seedMerchants are shops of many kinds and states; the first 20 are authorized when the demo starts.
func seedMerchants() []seedMerchant {
	shop := func(name, principal, signature string, categories []Category) Merchant {
		return Merchant{NickName: name, Principal: principal, Signature: signature, Kind: MiniProgram, Categories: categories}
	}
	with := func(m Merchant, change func(*seedMerchant)) seedMerchant {
		seed := seedMerchant{Merchant: m}
		if change != nil {
			change(&seed)
		}
		return seed
	}
	note := func(text string) func(*seedMerchant) { return func(m *seedMerchant) { m.Note = text } }
	return []seedMerchant{
		with(shop("老王家常菜", "成都市锦江区老王家常菜馆", "三十年川味家常菜，扫码点餐不排队", food()), note("一切就绪")),
		with(shop("麦香坊烘焙", "杭州麦香坊食品有限公司", "每日现烤，欧包与蛋糕预订", food()), note("一切就绪")),
		with(shop("拾光书店", "南京拾光文化传播有限公司", "独立书店，读书会与新书预售", goods("图书报刊/音像/影视/游戏/动漫", 318)), note("一切就绪")),
		with(shop("巷口牛肉面", "兰州巷口餐饮管理有限公司", "一清二白三红四绿", food()), func(m *seedMerchant) {
			m.Note, m.live = "线上已有旧版本，可以回退", []string{"1.9.0", "2.0.3", "2.1.0"}
		}),
		with(shop("小满花房", "上海小满花艺有限公司", "鲜花同城配送与花艺课", goods("鲜花/园艺/工艺品", 330)), func(m *seedMerchant) {
			m.Note, m.live = "线上已有旧版本", []string{"1.6.0"}
		}),
		with(shop("渔港海鲜酒楼", "厦门渔港酒楼有限公司", "现捞现做", food()), func(m *seedMerchant) {
			m.Note, m.live = "线上已有旧版本", []string{"2.1.0", "2.2.0"}
		}),
		with(shop("青禾茶饮", "长沙青禾茶饮管理有限公司", "手作鲜果茶", food()), note("一切就绪")),
		with(shop("木棉咖啡", "广州木棉咖啡有限公司", "社区咖啡与手冲豆单", food()), note("一切就绪")),
		with(shop("阿婆糖水铺", "佛山市禅城区阿婆糖水店", "双皮奶、姜撞奶、陈皮红豆沙", food()), note("一切就绪")),
		with(shop("北城烤鸭", "北京北城烤鸭餐饮有限公司", "果木挂炉烤鸭", food()), note("一切就绪")),
		with(shop("优剪造型", "武汉优剪美发服务有限公司", "预约发型师，免排队", life("丽人/洗浴", 122)), note("一切就绪，适合预约模板")),
		with(shop("好邻居便利店", "苏州好邻居商贸有限公司", "楼下的 24 小时便利店", goods("综合商超", 309)), func(m *seedMerchant) {
			m.Note, m.PrivacyKeys = "代码里还会用到位置与设备信息，隐私指引需补充", []string{"Location", "DeviceInfo"}
		}),
		with(shop("山野露营", "昆明山野户外用品有限公司", "露营装备租赁与线路", goods("户外用品", 333)), func(m *seedMerchant) {
			m.Note, m.PrivateAPIs = "代码使用 wx.getLocation，接口权限尚未申请", []string{"wx.getLocation"}
		}),
		with(shop("一品鲜水果", "郑州一品鲜果业有限公司", "产地直发当季水果", []Category{{FirstClass: "商家自营", SecondClass: "食品饮料", FirstID: 304, SecondID: 321, Status: 1}}), note("类目还在审核中")),
		with(shop("童趣玩具", "义乌童趣玩具有限公司", "益智玩具与绘本", goods("母婴/玩具", 325)), func(m *seedMerchant) {
			m.Note, m.NoBasicInfo = "头像、简介还没有填写", true
		}),
		with(shop("江南小笼", "无锡江南小笼餐饮有限公司", "蟹粉小笼与桂花糖芋苗", food()), func(m *seedMerchant) {
			m.Note, m.ICPStatus = "小程序没有备案", 1024
		}),
		with(shop("晨曦健身", "西安晨曦健身服务有限公司", "团课与私教预约", life("健身服务", 127)), func(m *seedMerchant) {
			m.Note, m.ICPStatus = "备案正在管局审核", 4
		}),
		with(shop("云上民宿", "大理云上民宿管理有限公司", "洱海边的十二间房", life("酒店服务", 131)), func(m *seedMerchant) {
			m.Note, m.Scopes = "授权时没有勾选“小程序开发与数据分析”（18）", []int{17, 19, 30, 65, 76}
		}),
		with(shop("老字号药膳", "重庆老字号药膳食品有限公司", "当归鸡、四物汤", food()), func(m *seedMerchant) {
			m.Note, m.consoleAudit = "商家自己在后台提交了版本，正在审核", true
		}),
		with(Merchant{NickName: "城南生活圈", Principal: "天津城南文化传媒有限公司", Signature: "天津城南吃喝玩乐", Kind: Official, ServiceType: 2, Alias: "chengnanlife", Note: "服务号，不是小程序"}, nil),

		with(shop("半亩田素食", "苏州半亩田餐饮有限公司", "时令素食与手作豆腐", food()), note("等待授权；授权后一切就绪")),
		with(shop("蓝鲸潜水", "三亚蓝鲸潜水俱乐部有限公司", "考证、船潜、水下摄影", life("运动场馆", 128)), note("等待授权；授权后一切就绪")),
		with(shop("闪修数码", "深圳闪修数码科技有限公司", "手机电脑上门维修", life("家政/维修", 124)), func(m *seedMerchant) {
			m.Note, m.Ban = "等待授权；该小程序被限制提交审核", 86007
		}),
		with(shop("张记裁缝铺", "张建国", "改衣、定制旗袍", life("家政/维修", 124)), func(m *seedMerchant) {
			m.Note, m.Personal, m.VerifyType = "等待授权；个人主体，未认证", true, -1
		}),
		with(Merchant{NickName: "麦香坊烘焙课堂", Principal: "杭州麦香坊食品有限公司", Signature: "周末烘焙课预约", Kind: Official, ServiceType: 0, Note: "等待授权；订阅号"}, nil),
	}
}

// SeedSummary says in one line what the fake knows, for the start of the demo.
func (s *Server) SeedSummary() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return fmt.Sprintf("%d merchants, %d templates, %d drafts", len(s.st.Order), len(s.st.Templates), len(s.st.Drafts))
}
