type Row = readonly [name: string, zh: string, en: string];

// What WeChat pushes, by the InfoType or Event in the message; unknown names are shown as they are.
// https://developers.weixin.qq.com/doc/oplatform/Third-party_Platforms/2.0/api/Before_Develop/authorize_event.html
// https://developers.weixin.qq.com/doc/oplatform/Third-party_Platforms/2.0/api/code/audit_event.html
const infoTypes: readonly Row[] = [
  ['component_verify_ticket', '验证票据', 'Verify ticket'],
  ['authorized', '商户授权成功', 'Merchant authorized'],
  ['updateauthorized', '商户更新授权', 'Authorization changed'],
  ['unauthorized', '商户取消授权', 'Authorization withdrawn'],
  ['notify_third_fasteregister', '快速注册小程序的结果', 'Fast registration result'],
  ['notify_third_fastregisterbetaapp', '创建试用小程序的结果', 'Trial mini program created'],
  ['notify_third_fastverifybetaapp', '试用小程序转正的结果', 'Trial mini program verified'],
  ['notify_icpfiling_verify_result', '备案人脸核身的结果', 'ICP filing: face check result'],
  ['notify_apply_icpfiling_result', '小程序备案的结果', 'ICP filing result'],
  ['notify_3rd_wxa_auth', '小程序认证的进展', 'Verification progress'],
  ['notify_3rd_wxa_wxverify', '小程序认证到期提醒', 'Verification expires soon'],
  ['notify_3rd_wxa_auth_and_icp', '认证与备案的进展', 'Verification and ICP filing progress'],
];

const events: readonly Row[] = [
  ['weapp_audit_success', '代码审核通过', 'Version approved'],
  ['weapp_audit_fail', '代码审核未通过', 'Version rejected'],
  ['weapp_audit_delay', '代码审核延后', 'Review delayed'],
  ['wxa_nickname_audit', '小程序名称审核结果', 'Name review result'],
  ['wxa_category_audit', '服务类目审核结果', 'Category review result'],
  ['wxa_privacy_apply', '隐私接口申请结果', 'Privacy API request result'],
  ['wxa_illegal_record', '小程序违规记录', 'Violation record'],
  ['wxa_appeal_record', '违规申诉进展', 'Appeal progress'],
  ['wxa_media_check', '内容安全检测结果', 'Content check result'],
  ['wxa_comment_bad_score', '收到小程序差评', 'Bad rating'],
  ['add_express_path', '物流轨迹更新', 'Parcel moved'],
  ['trade_manage_remind_access_api', '提醒接入发货信息管理', 'Reminder: report shipping'],
  ['trade_manage_remind_shipping', '提醒尽快发货', 'Reminder: ship an order'],
  ['trade_manage_order_settlement', '订单将要结算或已经结算', 'Order settlement'],
  ['user_authorization_revoke', '用户撤回资料授权', 'User withdrew data'],
  ['user_info_modified', '用户资料变更', 'User data changed'],
  ['subscribe_msg_popup_event', '用户处理订阅消息弹窗', 'Subscription prompt answered'],
  ['subscribe_msg_change_event', '用户更改订阅设置', 'Subscription changed'],
  ['subscribe_msg_sent_event', '订阅消息发送结果', 'Subscription message sent'],
  ['xpay_goods_deliver_notify', '虚拟支付：道具发货', 'Virtual payment: deliver goods'],
  ['xpay_coin_pay_notify', '虚拟支付：代币支付', 'Virtual payment: coins paid'],
  ['xpay_refund_notify', '虚拟支付：退款', 'Virtual payment: refund'],
  ['xpay_complaint_notify', '虚拟支付：用户投诉', 'Virtual payment: complaint'],
  ['secvod_upload_event', '短剧上传结果', 'Short drama upload'],
  ['secvod_audit_event', '短剧审核结果', 'Short drama review'],
  ['create_map_poi_audit_info', '创建门店的审核结果', 'Map place review'],
  ['add_nearby_poi_audit_info', '附近地点的审核结果', 'Nearby place review'],
  ['nearby_category_audit_info', '附近类目的审核结果', 'Nearby category review'],
  ['qualification_verify_success', '资质认证成功', 'Qualification verified'],
  ['qualification_verify_fail', '资质认证失败', 'Qualification refused'],
  ['naming_verify_success', '名称认证成功', 'Name verified'],
  ['naming_verify_fail', '名称认证失败', 'Name refused'],
  ['annual_renew', '认证年审提醒', 'Yearly verification is due'],
  ['verify_expired', '认证已过期', 'Verification expired'],
  ['wx_verify_pay_succ', '认证费用支付成功', 'Verification fee paid'],
  ['wx_verify_dispatch', '认证已派单', 'Verification assigned'],
  ['wx_verify_refill', '认证资料需要补充', 'Verification needs more data'],
  ['wx_verify_fail', '认证失败', 'Verification failed'],
  ['user_enter_tempsession', '用户进入客服会话', 'Customer service opened'],
  ['subscribe', '用户关注公众号', 'Followed'],
  ['unsubscribe', '用户取消关注', 'Unfollowed'],
  ['SCAN', '用户扫描带参数的二维码', 'QR code scanned'],
  ['LOCATION', '用户上报位置', 'Location reported'],
  ['CLICK', '用户点击菜单', 'Menu clicked'],
  ['TEMPLATESENDJOBFINISH', '模板消息发送结果', 'Template message sent'],
  ['VIEW', '用户点击菜单链接', 'Menu link opened'],
  ['debug_demo', '推送调试', 'Push test'],
];

const messages: readonly Row[] = [
  ['text', '文本消息', 'Text message'],
  ['image', '图片消息', 'Picture'],
  ['voice', '语音消息', 'Voice message'],
  ['video', '视频消息', 'Video'],
  ['shortvideo', '小视频消息', 'Short video'],
  ['location', '位置消息', 'Location message'],
  ['link', '链接消息', 'Link'],
  ['miniprogrampage', '小程序卡片', 'Mini program card'],
  ['event', '事件', 'Event'],
];

const titles = new Map([...messages, ...infoTypes, ...events].map(([name, zh, en]) => [name, { zh, en }]));

/** pushTitle says in words what an InfoType, Event or MsgType is, or undefined for one that is not known. */
export function pushTitle(name: string, language: string): string | undefined {
  const title = titles.get(name);
  return language.startsWith('zh') ? title?.zh : title?.en;
}

/** knownPushes are the names that a rule may look for, with what they mean. */
export function knownPushes(kind: 'info_type' | 'msg_type' | 'event', language: string) {
  const rows = { info_type: infoTypes, msg_type: messages, event: events }[kind];
  return rows.map(([name, zh, en]) => ({ value: name, title: language.startsWith('zh') ? zh : en }));
}
