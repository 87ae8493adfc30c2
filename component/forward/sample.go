package forward

import (
	"strconv"
	"strings"
	"time"

	"github.com/wxsteward/wxsteward/component"
)

// sampleAppID is the merchant of samples for rules that are for any.
const sampleAppID = "wx0123456789abcdef"

// sample makes up a message that the rule matches, with the elements WeChat sends.
func sample(r Rule, at time.Time) component.Message {
	m := component.Message{
		Channel: r.Channel, InfoType: r.InfoType, MsgType: r.MsgType, Event: r.Event, AppID: sampleAppID,
		CreatedAt: at, ReceivedAt: at, State: component.StatePending,
	}
	if len(r.AppIDs) > 0 {
		m.AppID = r.AppIDs[0]
	}
	var elements string
	if r.Channel == component.ChannelComponent {
		if m.InfoType == "" {
			m.InfoType = "authorized"
		}
		elements = element("AppId", "wxfedcba9876543210") + element("CreateTime", "{time}") + element("InfoType", m.InfoType) + ofInfoType(m.InfoType)
	} else {
		switch {
		case m.Event != "":
			m.MsgType = "event"
		case m.MsgType == "":
			m.MsgType = "text"
		case m.MsgType == "event":
			m.Event = "weapp_audit_success"
		}
		m.FromUser, m.ToUser = "oSampleOpenid0123456789abcdef", "gh_0123456789ab"
		elements = element("ToUserName", m.ToUser) + element("FromUserName", m.FromUser) + element("CreateTime", "{time}") +
			element("MsgType", m.MsgType)
		if m.Event != "" {
			elements += element("Event", m.Event) + ofEvent(m.Event)
		} else {
			elements += ofMsgType(m.MsgType) + element("MsgId", "23456789012345678")
		}
	}
	seconds := strconv.FormatInt(at.Unix(), 10)
	text := strings.NewReplacer("{appid}", m.AppID, "{time}", seconds).Replace(elements)
	m.Body = []byte("<xml>" + text + "</xml>")
	return m
}

func element(name, text string) string {
	if name == "CreateTime" || text == "{time}" || strings.Trim(text, "0123456789") == "" {
		return "<" + name + ">" + text + "</" + name + ">"
	}
	return "<" + name + "><![CDATA[" + strings.ReplaceAll(text, "]]>", "") + "]]></" + name + ">"
}

func elements(pairs ...string) string {
	var b strings.Builder
	for i := 0; i+1 < len(pairs); i += 2 {
		b.WriteString(element(pairs[i], pairs[i+1]))
	}
	return b.String()
}

func group(name, inside string) string { return "<" + name + ">" + inside + "</" + name + ">" }

func ofInfoType(infoType string) string {
	switch infoType {
	case "component_verify_ticket":
		return elements("ComponentVerifyTicket", "ticket@@@sample")
	case "authorized", "updateauthorized":
		return elements("AuthorizerAppid", "{appid}", "AuthorizationCode", "queryauthcode@@@sample", "AuthorizationCodeExpiredTime", "{time}",
			"PreAuthCode", "preauthcode@@@sample")
	case "unauthorized":
		return elements("AuthorizerAppid", "{appid}")
	case "notify_third_fasteregister", "notify_third_fastverifybetaapp":
		return elements("appid", "{appid}", "status", "0", "msg", "OK") +
			group("info", elements("name", "示例商户", "code", "91440300000000000X", "code_type", "1", "legal_persona_wechat", "sample",
				"legal_persona_name", "张三", "component_phone", "13800000000"))
	case "notify_third_fastregisterbetaapp":
		return elements("appid", "{appid}", "status", "0", "msg", "OK") + group("info", elements("unique_id", "sample-1", "name", "示例商户"))
	case "notify_icpfiling_verify_result":
		return elements("task_id", "sample-task", "verify_appid", "{appid}", "result", "3")
	case "notify_apply_icpfiling_result":
		return elements("authorizer_appid", "{appid}", "beian_status", "6")
	case "notify_3rd_wxa_auth":
		return elements("appid", "{appid}", "taskid", "sample-task", "task_status", "12", "apply_status", "2", "message", "ok")
	case "notify_3rd_wxa_wxverify":
		return elements("appid", "{appid}", "expired", "{time}", "message", "认证即将到期")
	default:
		return elements("AuthorizerAppid", "{appid}")
	}
}

func ofMsgType(msgType string) string {
	switch msgType {
	case "text":
		return elements("Content", "你好，这是一条示例消息 👋")
	case "image":
		return elements("PicUrl", "https://mmbiz.qpic.cn/sample", "MediaId", "sample-media")
	case "voice":
		return elements("MediaId", "sample-media", "Format", "amr")
	case "video", "shortvideo":
		return elements("MediaId", "sample-media", "ThumbMediaId", "sample-thumb")
	case "location":
		return elements("Location_X", "22.540822", "Location_Y", "113.934457", "Scale", "16", "Label", "深圳市南山区")
	case "link":
		return elements("Title", "示例链接", "Description", "描述", "Url", "https://shop.example.com/")
	case "miniprogrampage":
		return elements("Title", "示例卡片", "AppId", "{appid}", "PagePath", "pages/index/index", "ThumbUrl", "https://mmbiz.qpic.cn/sample", "ThumbMediaId", "sample-thumb")
	default:
		return ""
	}
}

func ofEvent(event string) string {
	switch event {
	case "weapp_audit_success":
		return elements("SuccTime", "{time}")
	case "weapp_audit_fail":
		return elements("Reason", "1:账号信息不符合规范:<br>(1):包含色情因素<br>", "FailTime", "{time}", "ScreenShot", "sample-media-1|sample-media-2")
	case "weapp_audit_delay":
		return elements("Reason", "审核需要更多时间", "DelayTime", "{time}")
	case "wxa_nickname_audit":
		return elements("ret", "3", "nickname", "示例商户", "reason", "")
	case "wxa_category_audit":
		return elements("ret", "3", "first", "287", "second", "616", "reason", "")
	case "wxa_privacy_apply":
		return group("result_info", elements("api_name", "wx.choosePoi", "apply_time", "{time}", "audit_id", "4211202267", "audit_time", "{time}",
			"reason", "小程序内未含有相应使用场景", "status", "2"))
	case "wxa_illegal_record":
		return elements("illegal_record_id", "2_11100", "appid", "{appid}", "create_time", "{time}", "illegal_reason", "示例原因",
			"illegal_content", "示例内容", "rule_url", "https://developers.weixin.qq.com/", "rule_name", "示例规则")
	case "wxa_appeal_record":
		return elements("appeal_record_id", "1", "appid", "{appid}", "appeal_time", "{time}", "appeal_count", "1", "appeal_from", "1",
			"appeal_status", "2", "audit_time", "{time}", "audit_reason", "申诉通过", "punish_description", "示例处罚")
	case "add_express_path":
		return elements("DeliveryID", "SF", "WayBillId", "SF0000000000", "OrderId", "sample-order", "Version", "1", "Count", "1") +
			group("Actions", elements("ActionTime", "{time}", "ActionType", "300003", "ActionMsg", "已签收"))
	case "wxa_media_check":
		return elements("appid", "{appid}", "trace_id", "sample-trace", "version", "2", "errcode", "0", "errmsg", "ok") +
			group("result", elements("suggest", "pass", "label", "100")) +
			group("detail", elements("strategy", "content_model", "errcode", "0", "suggest", "pass", "label", "100", "prob", "90"))
	case "trade_manage_remind_access_api":
		return elements("msg", "请尽快接入发货信息管理服务")
	case "trade_manage_remind_shipping", "trade_manage_order_settlement":
		return elements("transaction_id", "4200000000000000", "merchant_id", "1230000109", "merchant_trade_no", "sample-order", "pay_time", "{time}",
			"msg", "订单超过 48 小时未发货")
	case "user_enter_tempsession":
		return elements("SessionFrom", "sample")
	case "user_info_modified":
		return elements("appid", "{appid}", "openid", "oSampleOpenid0123456789abcdef")
	case "user_authorization_revoke":
		return elements("OpenID", "oSampleOpenid0123456789abcdef", "AppID", "{appid}", "RevokeInfo", "1")
	default:
		return ""
	}
}
