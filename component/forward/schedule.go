package forward

import "time"

// pauses are the pauses between two tries, as factors of Config.RetryBase. They add up to 17280, which is 24 h at 5 s.
func pauses() []int {
	return []int{1, 2, 6, 12, 36, 60, 120, 360, 720, 1440, 2160, 2880, 4320, 5163}
}

// maxTries is how often a delivery is sent before it is dead.
func maxTries() int { return len(pauses()) + 1 }

// span is the time from the first try to the last one, without jitter.
func (s *Service) span() time.Duration {
	sum := 0
	for _, factor := range pauses() {
		sum += factor
	}
	return time.Duration(sum) * s.cfg.RetryBase
}

// pause is what follows after so many failed tries, up to a tenth longer so that a crowd does not come back as one; ok is
// false after the last try.
func (s *Service) pause(tries int) (d time.Duration, ok bool) {
	factors := pauses()
	if tries < 1 || tries > len(factors) {
		return 0, false
	}
	const spread = 0.1
	exact := time.Duration(factors[tries-1]) * s.cfg.RetryBase
	return exact + time.Duration(s.jitter()*spread*float64(exact)), true
}

// A rule is paused when nothing has been taken for three times the span of one delivery and never less than an hour, in so
// many tries.
const (
	pauseAfterSpans    = 3
	pauseAfterLeast    = time.Hour
	pauseAfterFailures = 24
)
