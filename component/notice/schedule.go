package notice

import "time"

// A channel that fails is tried again after a pause, and so long as it fails everything for it waits behind the one that is
// tried: a dead robot costs one call each half hour, however much there is to say.
func pauses() []int { return []int{1, 2, 6, 12, 36, 60, 120, 360} }

// spanFactor times Config.RetryBase is how long a notice is tried; 24 h at 5 s.
const spanFactor = 17280

func (s *Service) span() time.Duration { return spanFactor * s.cfg.RetryBase }

// pause is what follows after so many failures in a row, up to a tenth longer so that a crowd does not come back as one.
func (s *Service) pause(failures int) time.Duration {
	factors := pauses()
	exact := time.Duration(factors[min(max(failures, 1), len(factors))-1]) * s.cfg.RetryBase
	const spread = 0.1
	return exact + time.Duration(s.jitter()*spread*float64(exact))
}

// spacing is the least time between two messages to one channel, a little more than the vendor's limit asks for.
//
// WeCom: 20 a minute for each robot, https://developer.work.weixin.qq.com/document/path/91770.
// DingTalk: 20 a minute, else nothing for ten minutes, https://open.dingtalk.com/document/robots/custom-robot-access.
// Feishu: 100 a minute and 5 a second, https://open.feishu.cn/document/client-docs/bot-v3/add-custom-bot.
func spacing(kind string) time.Duration {
	switch kind {
	case KindWeCom, KindDingTalk:
		return 3100 * time.Millisecond
	case KindFeishu:
		return 650 * time.Millisecond
	default:
		return 200 * time.Millisecond
	}
}

// limitPause is what follows when a robot has got too many messages and does not say how long to wait.
func limitPause(kind string) time.Duration {
	if kind == KindDingTalk {
		return 10 * time.Minute
	}
	return time.Minute
}
