package codesubmit

import "github.com/wxsteward/wxsteward/internal/fault"

// In is the state's name inside a sentence, as the pages call it.
func (s State) In(lang string) string {
	names := map[State]string{
		Queued: "排队中", Preflight: "预检", Domains: "配置域名", Committing: "上传代码", Detecting: "代码检测", Privacy: "隐私设置",
		Trial: "待提交", Submitting: "提交审核", Auditing: "审核中", Approved: "审核通过", Releasing: "发布中", Released: "已发布",
		Rejected: "审核未通过", Withdrawn: "已撤回", Blocked: "被阻塞", Failed: "失败", Canceled: "已取消", Superseded: "被取代",
	}
	return word(string(s), names[s], lang)
}

// In is the state's name inside a sentence, as the pages call it.
func (s RolloutState) In(lang string) string {
	names := map[RolloutState]string{
		RolloutScheduled: "待开始", RolloutRunning: "进行中", RolloutPaused: "已暂停", RolloutCompleted: "已完成", RolloutCanceled: "已取消",
	}
	return word(string(s), names[s], lang)
}

// In is the action's name inside a sentence.
func (a Action) In(lang string) string {
	names := map[Action]string{
		ActionRetry: "重试", ActionCancel: "取消", ActionSubmit: "提交审核", ActionRelease: "发布", ActionWithdraw: "撤回审核", ActionSpeedUp: "加急",
	}
	return word(string(a), names[a], lang)
}

func word(en, zh, lang string) string {
	if lang == fault.Chinese && zh != "" {
		return zh
	}
	return en
}
