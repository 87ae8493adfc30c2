package component

import (
	"errors"
	"time"
)

// Meter counts what comes in. Its methods are called on every push: they must be fast and safe for concurrent use.
type Meter interface {
	// Pushed is told of every push: its channel, what became of it (stored, repeated, probe, unauthenticated, malformed,
	// too_large or unavailable) and how long its answer took.
	Pushed(channel, result string, took time.Duration)
	// Committed is told how many messages shared a commit, and how long the transaction took.
	Committed(messages int, took time.Duration)
}

// What becomes of a push.
const (
	pushStored          = "stored"
	pushRepeated        = "repeated"
	pushProbe           = "probe"
	pushUnauthenticated = "unauthenticated"
	pushMalformed       = "malformed"
	pushTooLarge        = "too_large"
	pushUnavailable     = "unavailable"
)

func pushResult(answer received, err error) string {
	switch {
	case err == nil:
		return answer.result
	case errors.Is(err, ErrNotAuthentic):
		return pushUnauthenticated
	case errors.Is(err, ErrNotAMessage):
		return pushMalformed
	default:
		return pushUnavailable
	}
}

func (s *Service) countPush(channel, result string, began time.Time) {
	if s.cfg.Meter != nil {
		s.cfg.Meter.Pushed(channel, result, time.Since(began))
	}
}

func (s *Service) countCommit(messages int, began time.Time) {
	if s.cfg.Meter != nil {
		s.cfg.Meter.Committed(messages, time.Since(began))
	}
}
