type Row = readonly [id: number, zh: string, en: string];

// WeChat's permission sets by id. There is no call that lists them; unknown ids are shown as numbers.
// https://developers.weixin.qq.com/doc/oplatform/Third-party_Platforms/2.0/product/miniprogram_authority.html
// https://developers.weixin.qq.com/doc/oplatform/Third-party_Platforms/2.0/product/offical_account_authority.html
const miniprogram: readonly Row[] = [
  [17, '获取小程序码', 'Mini program codes'],
  [18, '小程序开发与数据分析', 'Development and analysis'],
  [19, '小程序客服管理', 'Customer service'],
  [25, '开放平台账号管理', 'Open platform account'],
  [30, '小程序基本信息管理', 'Basic information'],
  [31, '小程序认证名称检测', 'Name check'],
  [36, '微信卡路里', 'Calories'],
  [37, '附近的小程序管理', 'Nearby mini programs'],
  [40, '小程序插件管理', 'Plugins'],
  [41, '好物圈管理', 'Good things circle'],
  [45, '微信物流服务', 'Logistics'],
  [48, '微信财政电子票据管理', 'Fiscal e-receipts'],
  [49, '小程序云开发管理', 'Cloud development'],
  [51, '小程序即时配送', 'Instant delivery'],
  [52, '小程序直播管理', 'Live streaming'],
  [57, '小程序搜索', 'Search'],
  [65, '小程序广告管理', 'Advertising'],
  [67, '微信服务市场管理', 'Service market'],
  [70, '标准版交易组件商品管理', 'Trade component: goods'],
  [71, '标准版交易组件订单物流与售后管理', 'Trade component: orders'],
  [73, '标准版交易组件接入', 'Trade component: access'],
  [76, '小程序违规与交易投诉管理', 'Violations and complaints'],
  [81, '试用小程序快速认证', 'Trial verification'],
  [84, '标准版交易组件优惠券管理', 'Trade component: coupons'],
  [85, '自定义版交易组件管理', 'Custom trade component'],
  [88, '小程序链接管理', 'Links'],
  [93, '小程序联盟管理', 'Alliance'],
  [99, '云开发短信服务', 'Cloud SMS'],
  [105, '城市服务', 'City services'],
  [116, '获取自定义版交易组件数据', 'Custom trade component data'],
  [118, '硬件服务', 'Hardware'],
  [119, '小程序支付管理服务', 'Payment management'],
  [120, '小程序购物订单', 'Shopping orders'],
  [129, '小店商品管理', 'Shop: goods'],
  [130, '小店物流管理', 'Shop: logistics'],
  [131, '小店订单与售后管理', 'Shop: orders'],
  [132, '小店优惠券管理', 'Shop: coupons'],
  [135, '流量主代运营', 'Publisher agency'],
  [139, '小程序运费险', 'Freight insurance'],
  [142, '小程序发货管理服务', 'Shipping management'],
  [144, '小程序学生认证', 'Student verification'],
  [151, '小程序交易保障', 'Trade guarantee'],
  [156, '小程序备案', 'ICP filing'],
  [157, '小程序虚拟支付管理', 'Virtual payment'],
  [158, '小程序B2b门店助手', 'B2B shop assistant'],
  [161, '微信客服管理', 'WeChat customer service'],
  [171, '小程序消息推送调试', 'Push debugging: mini program'],
  [172, '公众号消息推送调试', 'Push debugging: official account'],
  [173, '小游戏消息推送调试', 'Push debugging: mini game'],
  [174, '视频号消息推送调试', 'Push debugging: channels'],
  [198, '违规申诉', 'Appeals'],
];

const official: readonly Row[] = [
  [1, '消息管理', 'Messages'],
  [2, '用户管理', 'Users'],
  [3, '账号服务', 'Account service'],
  [4, '网页服务', 'Web service'],
  [5, '微信小店', 'WeChat shop'],
  [6, '微信多客服', 'Multi customer service'],
  [7, '群发与通知', 'Broadcasts and notices'],
  [8, '微信卡券', 'Cards and coupons'],
  [9, '微信扫一扫', 'Scan'],
  [10, '微信连WIFI', 'WiFi'],
  [11, '素材管理', 'Materials'],
  [12, '微信摇周边', 'Shake nearby'],
  [13, '微信门店', 'Stores'],
  [14, '微信支付', 'WeChat Pay'],
  [15, '菜单管理', 'Menus'],
  [16, '获取认证状态及信息', 'Verification status'],
  [20, '微信登录', 'WeChat sign-in'],
  [21, '数据分析', 'Analysis'],
  [22, '城市服务', 'City services'],
  [23, '广告管理', 'Advertising'],
  [24, '开放平台账号管理', 'Open platform account'],
  [26, '微信电子发票', 'E-invoices'],
  [27, '快速注册小程序', 'Quick mini program registration'],
  [33, '小程序关联管理', 'Linked mini programs'],
  [34, '微信商品库管理', 'Goods library'],
  [35, '微信卡路里', 'Calories'],
  [44, '好物圈', 'Good things circle'],
  [46, '微信一物一码', 'One code per item'],
  [47, '微信财政电子票据', 'Fiscal e-receipts'],
  [54, '服务号对话管理', 'Service conversations'],
  [66, '微信服务市场管理', 'Service market'],
  [89, '服务号订阅通知', 'Subscription notices'],
  [113, '就医助手', 'Medical assistant'],
];

const names = new Map([...official, ...miniprogram].map(([id, zh, en]) => [id, { zh, en }]));

/** scopeName gives the name of a permission set, or undefined for an id that WeChat has not documented. */
export function scopeName(id: number, language: string): string | undefined {
  const name = names.get(id);
  return language.startsWith('zh') ? name?.zh : name?.en;
}

/** knownScopes lists what a link may ask for, the sets for this kind of account. */
export function knownScopes(kind: string): number[] {
  const rows = kind === 'official' ? official : kind === 'miniprogram' ? miniprogram : [...miniprogram, ...official];
  return rows.map(([id]) => id);
}
