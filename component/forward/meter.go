package forward

import (
	"strings"
	"time"
)

// Meter counts calls of business systems. Its methods must be fast and safe for concurrent use.
type Meter interface {
	// Attempted is told of every try to deliver: delivered, failed (it is tried again) or dead, and how long it took.
	Attempted(outcome string, took time.Duration)
	// Relayed is told of every question for a passive reply: answered, timeout or failed.
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

func (s *Service) countRelay(o outcome) {
	if s.cfg.Meter == nil {
		return
	}
	result := "answered"
	if !o.ok() {
		result = "failed"
		if word, _, _ := strings.Cut(string(o.failure), " "); word == failTimeout {
			result = "timeout"
		}
	}
	s.cfg.Meter.Relayed(result, o.duration)
}
