package component

import (
	"slices"
	"strings"

	"github.com/wxsteward/wxsteward/internal/fault"
)

// kind is what a message is about: its InfoType, Event or MsgType, and a title for readers.
type kind struct{ name, english, chinese string }

// titleOf names what a message is about in the language of whoever reads. A kind that WeChat has added later is its own title.
func titleOf(m Message, lang string) string {
	name, kinds := m.MsgType, messageKinds()
	switch {
	case m.InfoType != "":
		name, kinds = m.InfoType, infoKinds()
	case m.Event != "":
		name, kinds = m.Event, eventKinds()
	}
	i, ok := slices.BinarySearchFunc(kinds, name, func(k kind, name string) int { return strings.Compare(k.name, name) })
	switch {
	case !ok:
		return name
	case lang == fault.English:
		return kinds[i].english
	default:
		return kinds[i].chinese
	}
}

// infoKinds are the kinds of 授权事件, sorted.
//
// WeChat docs:
// https://developers.weixin.qq.com/doc/oplatform/Third-party_Platforms/2.0/api/Before_Develop/authorize_event.html
// https://developers.weixin.qq.com/doc/oplatform/Third-party_Platforms/2.0/api/Register_Mini_Programs/Fast_Registration_Interface_document.html
func infoKinds() []kind {
	return []kind{
		{"authorized", "Merchant authorized", "授权成功"},
		{"component_verify_ticket", "Ticket", "验证票据"},
		{"notify_3rd_wxa_auth", "Verification of a mini program: progress", "小程序认证进度"},
		{"notify_3rd_wxa_auth_and_icp", "Verification and ICP filing: progress", "小程序认证及备案进度"},
		{"notify_3rd_wxa_wxverify", "Verification of a mini program expires", "小程序认证到期提醒"},
		{"notify_apply_icpfiling_result", "ICP filing: result", "小程序备案结果"},
		{"notify_icpfiling_verify_result", "ICP filing: result of the face check", "小程序备案人脸核身结果"},
		{"notify_third_fasteregister", "Fast registration of a mini program: result", "快速注册小程序结果"},
		{"notify_third_fastregisterbetaapp", "Trial mini program created: result", "创建试用小程序结果"},
		{"notify_third_fastverifybetaapp", "Trial mini program made formal: result", "试用小程序转正结果"},
		{"unauthorized", "Authorization withdrawn", "取消授权"},
		{"updateauthorized", "Authorization changed", "更新授权"},
	}
}

// messageKinds are the kinds of messages from users, sorted.
//
// WeChat docs: https://developers.weixin.qq.com/doc/oplatform/Third-party_Platforms/2.0/api/Before_Develop/message_push.html
func messageKinds() []kind {
	return []kind{
		{"event", "Event", "事件"},
		{"image", "Picture", "图片消息"},
		{"link", "Link", "链接消息"},
		{"location", "Location", "位置消息"},
		{"miniprogrampage", "Mini program card", "小程序卡片"},
		{"shortvideo", "Short video", "小视频消息"},
		{"text", "Text", "文本消息"},
		{"video", "Video", "视频消息"},
		{"voice", "Voice", "语音消息"},
	}
}

// eventKinds are the kinds of events of 消息与事件, sorted by byte.
//
// WeChat docs:
// https://developers.weixin.qq.com/doc/oplatform/Third-party_Platforms/2.0/api/code/audit_event.html
// https://developers.weixin.qq.com/doc/oplatform/Third-party_Platforms/2.0/api/records/record_event.html
// https://developers.weixin.qq.com/miniprogram/dev/platform-capabilities/business-capabilities/order-shipping/order-shipping.html
func eventKinds() []kind {
	return []kind{
		{"CLICK", "Menu item tapped", "点击菜单"},
		{"LOCATION", "Location reported", "上报地理位置"},
		{"SCAN", "QR code scanned", "扫描二维码"},
		{"TEMPLATESENDJOBFINISH", "Template message sent", "模板消息发送结果"},
		{"VIEW", "Menu link opened", "点击菜单跳转链接"},
		{"add_express_path", "Parcel moved", "运单轨迹更新"},
		{"add_nearby_poi_audit_info", "Nearby mini programs: place reviewed", "附近的小程序地点审核结果"},
		{"annual_renew", "Verification must be renewed", "认证年审通知"},
		{"create_map_poi_audit_info", "Nearby mini programs: shop reviewed", "附近的小程序门店创建审核结果"},
		{"debug_demo", "Test push of Tencent's tool", "调试消息"},
		{"naming_verify_fail", "Naming refused", "名称认证失败"},
		{"naming_verify_success", "Naming verified", "名称认证成功"},
		{"nearby_category_audit_info", "Nearby mini programs: category reviewed", "附近的小程序类目审核结果"},
		{"qualification_verify_fail", "Qualification refused", "资质认证失败"},
		{"qualification_verify_success", "Qualification verified", "资质认证成功"},
		{"secvod_audit_event", "Short drama reviewed", "短剧审核结果"},
		{"secvod_upload_event", "Short drama uploaded", "短剧上传结果"},
		{"subscribe", "Follows", "关注"},
		{"subscribe_msg_change_event", "Subscription changed", "订阅消息设置变更"},
		{"subscribe_msg_popup_event", "Answer to the subscription question", "订阅消息授权结果"},
		{"subscribe_msg_sent_event", "Subscription message sent", "订阅消息发送结果"},
		{"trade_manage_order_settlement", "Order settled", "订单结算通知"},
		{"trade_manage_remind_access_api", "Shipping information must be reported", "接入发货信息管理提醒"},
		{"trade_manage_remind_shipping", "Order not shipped", "订单发货提醒"},
		{"unsubscribe", "No longer follows", "取消关注"},
		{"user_authorization_revoke", "User withdrew consent", "用户撤回授权"},
		{"user_enter_tempsession", "Customer service opened", "进入客服会话"},
		{"user_info_modified", "User data changed", "用户资料变更"},
		{"verify_expired", "Verification expired", "认证过期"},
		{"weapp_audit_delay", "Code review delayed", "代码审核延后"},
		{"weapp_audit_fail", "Code review failed", "代码审核不通过"},
		{"weapp_audit_success", "Code review passed", "代码审核通过"},
		{"wx_verify_dispatch", "Fast verification: assigned", "快速认证已派单"},
		{"wx_verify_fail", "Fast verification failed", "快速认证失败"},
		{"wx_verify_pay_succ", "Fast verification paid", "快速认证支付成功"},
		{"wx_verify_refill", "Fast verification: to be corrected", "快速认证需补充资料"},
		{"wxa_appeal_record", "Appeal", "违规申诉进展"},
		{"wxa_category_audit", "Category reviewed", "类目审核结果"},
		{"wxa_comment_bad_score", "Bad rating", "小程序差评通知"},
		{"wxa_illegal_record", "Violation", "小程序违规通知"},
		{"wxa_media_check", "Content checked", "内容安全检测结果"},
		{"wxa_nickname_audit", "Name reviewed", "名称审核结果"},
		{"wxa_privacy_apply", "Private API reviewed", "隐私接口申请结果"},
		{"xpay_coin_pay_notify", "Virtual payment: coins paid", "虚拟支付代币支付通知"},
		{"xpay_complaint_notify", "Virtual payment: complaint", "虚拟支付用户投诉通知"},
		{"xpay_goods_deliver_notify", "Virtual payment: goods to deliver", "虚拟支付道具发货通知"},
		{"xpay_refund_notify", "Virtual payment: refund", "虚拟支付退款通知"},
	}
}
