package codesubmit

import "strings"

// remedy is what usually helps when the reviewers' reason holds one of words.
type remedy struct {
	words []string
	text  bilingual
}

// remedies are the causes that reviewers name most, as WeChat's pages and rejections tell them. The first ones are the
// most particular.
func remedies() []remedy {
	return []remedy{
		{[]string{"隐私保护指引", "隐私政策", "用户信息但未", "未在隐私"}, bilingual{
			"补全用户隐私保护指引：原因中点名的每一项信息都要写明用途。用带隐私设置的新发布单提交，或由商户在微信后台补全后重新提审。",
			"Complete the privacy guideline: each kind of data that the reason names needs a purpose. Start a rollout with these privacy settings, or let the merchant fill them in at WeChat's console, then submit again.",
		}},
		{[]string{"store_region", "境外主体", "存储地区", "存储地域"}, bilingual{
			"境外主体须在隐私保护指引里填写信息存储地区，补全后重新提审。",
			"An account of a foreign company must state in its privacy guideline where data are stored; add it, then submit again.",
		}},
		{[]string{"地理位置", "位置接口", "requiredPrivateInfos", "隐私接口", "接口权限"}, bilingual{
			"代码用到的隐私接口需要先申请并在 requiredPrivateInfos 中声明；确实没有使用的，重新提审时勾选「未使用隐私接口」。",
			"Privacy interfaces in the code must be applied for and declared in requiredPrivateInfos; if the code really does not use them, say so when you submit again.",
		}},
		{[]string{"订单中心", "订单页", "order_path"}, bilingual{
			"填写订单中心 path（用户查看订单的页面），重新提审。",
			"State the page on which users see their orders (订单中心 path), then submit again.",
		}},
		{[]string{"测试账号", "测试帐号", "体验账号", "账号密码", "帐号密码", "无法登录", "无法登陆", "登录后"}, bilingual{
			"在版本描述里写明可用的测试账号和密码，并确认账号能看到全部功能，重新提审。",
			"Write a working test account with its password into the version description, make sure that it sees every feature, then submit again.",
		}},
		{[]string{"支付"}, bilingual{
			"确认支付可以走通；需要时在版本描述里提供有余额的测试账号，或上传完成支付的截图、视频。",
			"Make sure that a payment goes through; where it takes one, give a test account with a balance in the version description, or upload pictures or a video of a payment.",
		}},
		{[]string{"备案"}, bilingual{
			"先完成小程序备案，再重新提审。",
			"Finish the mini program's ICP filing, then submit again.",
		}},
		{[]string{"认证", "年审"}, bilingual{
			"请商户完成微信认证或年审，再重新提审。",
			"Let the merchant finish its verification or the yearly review at WeChat, then submit again.",
		}},
		{[]string{"资质", "许可证", "授权书", "证明"}, bilingual{
			"请商户补充所缺的资质（在类目里上传证件），审核通过后重新提审。",
			"Let the merchant add the missing certificate to its category; when that is approved, submit again.",
		}},
		{[]string{"类目"}, bilingual{
			"核对服务类目：给小程序添加与内容相符的类目，或在提审项里改选已有的类目，重新提审。",
			"Check the categories: add the one that fits the content, or choose another of the merchant's categories in the submission, then submit again.",
		}},
		{[]string{"用户生成内容", "用户发布", "UGC", "ugc", "内容安全", "社区", "评论"}, bilingual{
			"填写用户内容（UGC）声明，说明发布场景和审核方式；没有审核机制的，先接入内容安全接口。",
			"Fill in the declaration about content of users: where they publish and how it is checked. Without any check, add WeChat's content security interfaces first.",
		}},
		{[]string{"账号信息", "帐号信息", "头像", "名称", "简介"}, bilingual{
			"请商户按原因修改小程序的名称、头像或简介，改完后重新提审。",
			"Let the merchant change the mini program's name, avatar or introduction as the reason says, then submit again.",
		}},
		{[]string{"标签", "标题"}, bilingual{
			"修改提审项里的标题或标签，使其与页面内容一致，重新提审。",
			"Change title or tags of the submitted pages so that they fit the content, then submit again.",
		}},
		{[]string{"无法打开", "打不开", "白屏", "空白", "加载失败", "报错", "无法体验", "无法使用", "功能异常", "BUG", "bug"}, bilingual{
			"用体验版二维码在手机上重现问题，检查域名配置和后端服务；修复后用新版本发布，服务端问题修复后可直接重新提审。",
			"Try the trial version on a phone by its QR code, check domains and the business system. A fault of the code needs a new version; a fault of the servers only needs mending, then submit again.",
		}},
		{[]string{"测试内容", "测试数据", "正在开发", "开发中", "内容过少", "内容简单", "无实质内容"}, bilingual{
			"换掉测试数据，补齐真实的商品、门店或文章后重新提审。",
			"Replace test data with real goods, shops or articles, then submit again.",
		}},
		{[]string{"诱导", "分享"}, bilingual{
			"去掉强制或诱导分享、关注的内容，再重新提审。",
			"Remove what forces or lures users to share or follow, then submit again.",
		}},
		{[]string{"虚拟支付", "虚拟商品"}, bilingual{
			"去掉不允许的虚拟商品支付，或按微信规定改用虚拟支付，再重新提审。",
			"Remove payments for virtual goods that are not allowed, or use WeChat's own way for them, then submit again.",
		}},
		{[]string{"违规", "违法", "色情", "赌博", "侵权"}, bilingual{
			"按原因和截图删除违规内容，并检查同类内容；有异议可在重新提审时写反馈说明并附图。",
			"Remove what the reason and the pictures show, and look for more of the kind. If you disagree, write an answer to the reviewers with pictures when you submit again.",
		}},
	}
}

// mostRemedies shown for one reason.
const mostRemedies = 3

// remediesFor says what usually helps against a reason.
func remediesFor(reason, lang string) []string {
	found := []string{}
	if reason == "" {
		return found
	}
	for _, r := range remedies() {
		for _, word := range r.words {
			if strings.Contains(reason, word) {
				found = append(found, r.text.in(lang))
				break
			}
		}
		if len(found) == mostRemedies {
			break
		}
	}
	if len(found) == 0 {
		found = append(found, bilingual{
			"按原因和截图修改后重新提审；看不懂原因时，可用微信给出的审核单号在开放社区或服务商助手里咨询。",
			"Mend what the reason and the pictures show, then submit again. If the reason is not clear, ask WeChat with the audit id.",
		}.in(lang))
	}
	return found
}
