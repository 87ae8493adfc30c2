package codesubmit

import (
	"github.com/wxsteward/wxsteward/internal/wechat"
)

// hint is what an operator should do about a failure, in their language ("zh" or "en").
func (f *StepError) hint(lang string) string {
	if f == nil {
		return ""
	}
	if text, ok := ownHints()[f.Code]; ok && f.ErrCode == 0 {
		return text.in(lang)
	}
	if f.ErrCode != 0 {
		entry := (&wechat.APIError{Op: f.Op, Code: f.ErrCode, Msg: f.ErrMsg}).Explain()
		if lang == "en" {
			return entry.HintEN
		}
		return entry.HintZH
	}
	return ""
}

type bilingual struct{ zh, en string }

func (b bilingual) in(lang string) string {
	if lang == "en" {
		return b.en
	}
	return b.zh
}

// ownHints are next steps for findings of ours that have no errcode.
func ownHints() map[string]bilingual {
	return map[string]bilingual{
		"unauthorized":           {"商户已取消授权。请把授权链接发给商户重新扫码授权，然后重试。", "The merchant has withdrawn its authorization. Send an authorization link, let the merchant scan it again, then retry."},
		"not_miniprogram":        {"该账号不是小程序，不能提交代码。请从目标中去掉它。", "This account is no mini program, so code cannot be submitted. Take it out of the targets."},
		"scope_missing":          {"商户没有授予「小程序开发与数据分析」权限集（18）。请让商户重新扫码授权并勾选该权限集。", "The merchant did not grant permission set 18 (development). Let the merchant authorize again and tick it."},
		"not_initialised":        {"小程序的名称、头像或简介未设置。请让商户在微信公众平台补全后重试。", "Name, avatar or introduction of the mini program is not set. Let the merchant fill them in at WeChat's console, then retry."},
		"category_missing":       {"小程序没有已通过审核的服务类目。请先添加类目并等待审核通过，然后重试。", "The mini program has no approved category. Add one, wait for its approval, then retry."},
		"icp_missing":            {"小程序未完成备案。请先完成 ICP 备案，然后重试。", "The mini program is not ICP filed. Finish the filing, then retry."},
		"audit_running":          {"该小程序已有其他版本在审核中。系统会等待它结束；也可以在微信后台撤回该审核。", "Another version of this mini program is under audit. We wait for its end; you may also withdraw it in WeChat's console."},
		"domain_not_on_platform": {"有域名不在第三方平台的域名列表里。请先在「平台设置 → 域名」登记，然后重试。", "A domain is not in the platform's own list. Add it under Platform → Domains first, then retry."},
		"domain_refused":         {"微信没有接受部分域名。请检查域名备案和格式后重试。", "WeChat did not take some domains. Check their ICP filing and spelling, then retry."},
		"privacy_missing":        {"代码用到的隐私信息没有填写用途。请在发布单的隐私保护指引里补上这些项目，然后新建发布单；或在微信后台补全后重试。", "The code uses personal data whose purpose is not written down. Add these keys to the rollout's privacy guideline in a new rollout, or fill them in at WeChat's console and retry."},
		"privacy_not_kept":       {"微信没有保存这些隐私项目的用途说明。请检查项目名（privacy_key）是否写错；稍后重试，或在微信后台补全后重试。", "WeChat did not keep the text of these keys. Check the spelling of each privacy_key; retry later, or fill them in at WeChat's console and retry."},
		"privacy_api":            {"代码使用了没有权限或未声明的隐私接口。请申请接口权限、在 requiredPrivateInfos 中声明后重新提交；如果代码实际上没有使用，可勾选「未使用隐私接口」。", "The code uses privacy interfaces without permission or declaration. Apply for them, declare them in requiredPrivateInfos and submit anew; or tick \"privacy interfaces not used\" when the code really does not use them."},
		quotaExhausted:           {"服务商本月的提审额度已用完，或余下的已留给进行中的商户。可在「小程序服务商助手」申请临时额度；额度恢复后会自动继续。", "The provider's monthly audit quota is used up, or the rest is for merchants that have begun. Ask for a temporary quota in WeChat's provider assistant; work goes on by itself when it returns."},
		"template_gone":          {"模板已不存在。请选择其他模板新建发布单。", "The template no longer exists. Create a rollout with another template."},
		extJSONInvalid:           {"该商户的 ext_json 无法生成或微信不会接受。请检查占位符、页面路径和商户自己的 ext 数据。", "This merchant's ext_json cannot be made, or WeChat would not take it. Check the placeholders, the page paths and the merchant's own ext data."},
		"visit_closed":           {"小程序已暂停服务，发布后用户也打不开。请先恢复服务（商户 → 版本 → 服务状态，或在微信后台），或从目标中去掉它。", "The mini program's service is suspended, so users would not see a release. Open it again (Merchant → Versions → Service status, or WeChat's console), or take it out of the targets."},
		"trial_replaced":         {"体验版已被其他提交覆盖。重试会重新提交代码。", "The trial version was replaced by another commit. Retry commits the code again."},
		"commit_lost":            {"微信没有保存提交的代码。请重试。", "WeChat did not keep the committed code. Retry."},
		"audit_changed":          {"审核中的版本已被其他版本替换。请查看该小程序的审核状态，再决定是否重新提交。", "The audited version was replaced by another one. Look at the audit status of this mini program before you submit again."},
		"withdraw_late":          {"撤回前审核已经通过，因此没有发布。重试会按发布设置继续发布。", "The reviewers approved it before it could be taken back, so it was not released. Retry goes on with the release as the rollout says."},
		"media_gone":             {"提审素材在本系统已不存在（30 天未使用会删除）。请重新上传，修改后重新提审。", "A file for the reviewers is no longer here (those not used for 30 days are removed). Upload it again, change the submission and submit again."},
		"release_not_visible":    {"微信接受了发布，但线上版本还不是本次版本。请在微信后台核对，然后重试。", "WeChat accepted the release, but the live version is not ours yet. Check WeChat's console, then retry."},
		"wechat_unavailable":     {"暂时无法连接微信，系统会自动重试。", "WeChat cannot be reached at the moment; we try again by ourselves."},
		"canceled":               {"已被取消。可以重试。", "It was canceled. You may retry."},
		"window_invalid":         {"发布时间窗口永远不会打开。请用正确的窗口新建发布，或人工发布。", "The release window never opens. Release by hand, or create a rollout with another window."},
		"gray_canceled":          {"分阶段发布已在微信后台或由人工取消，已灰度的用户回到了之前的版本。重试会从第一步重新开始。", "The gray release was canceled in WeChat's console or by hand; its users are back on the version before. Retry begins again with the first step."},
		"gray_running":           {"正在分阶段发布，微信不允许回退（87011）。请先完成或取消分阶段发布，然后重试。", "A gray release is running, so WeChat allows no rollback (87011). Finish or cancel it, then retry."},
		"no_earlier_version":     {"微信没有保留可回退的版本（87012）：这是首次发布，或可回退的版本已用完。只能重新发布一个版本。", "WeChat keeps no version to go back to (87012): this one is the first, or all others are used up. Release another version instead."},
		"not_live":               {"线上已不是要回退的版本，无需回退；请查看该小程序的线上版本。", "The version to take back is no longer live, so there is nothing to take back. Look at the live version of this mini program."},
		"superseded":             {"更新的发布单接管了该商户。", "A newer rollout took over this merchant."},
		"internal":               {"系统内部错误，会自动重试。如果持续出现，请查看日志。", "An internal error; we try again by ourselves. If it stays, look at the log."},
	}
}
