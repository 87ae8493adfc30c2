package forward

import (
	"strings"
	"time"

	"github.com/wxsteward/wxsteward/internal/outbound"
)

// Meter counts calls of business systems. Its methods must be fast and safe for concurrent use.
type Meter interface {
	// Attempted is told of every try to deliver: delivered, failed (it is tried again) or dead, and how long it took.
	Attempted(outcome string, took time.Duration)
	// Relayed is told of every message a relay rule is for: answered, timeout, failed, or skipped where the target was not
	// asked because too many wait for it or it has lately let all of them wait in vain.
	Relayed(outcome string, took time.Duration)
}

func (s *Service) countAttempts(settled []verdict) {
	if s.cfg.Meter == nil {
		return
	}
	for _, v := range settled {
		if v.deliveryID == 0 || v.released {
			continue
		}
		outcome := "failed"
		switch v.state {
		case stateDelivered:
			outcome = "delivered"
		case stateDead:
			outcome = "dead"
		}
		s.cfg.Meter.Attempted(outcome, v.duration)
	}
}

func (s *Service) countRelay(outcome string, took time.Duration) {
	if s.cfg.Meter != nil {
		s.cfg.Meter.Relayed(outcome, took)
	}
}

func relayOutcome(o outcome) string {
	if o.ok() {
		return "answered"
	}
	if word, _, _ := strings.Cut(string(o.failure), " "); word == outbound.TroubleTimeout {
		return "timeout"
	}
	return "failed"
}
