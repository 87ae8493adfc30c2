package codesubmit

import "time"

// inFlight reports whether a call of unknown outcome may still be at work at WeChat.
func (s *Service) inFlight(w *work) bool {
	return w.sentAt != nil && s.cfg.Now().Before(s.settles(w))
}

// readBack waits until a time at which it is looked again what became of a call.
func (s *Service) readBack(at time.Time) outcome {
	return outcome{
		wait: at, keep: true, waiting: true, err: &StepError{Code: "wechat_unavailable", Detail: factOf("outcome unknown, reading back")},
	}
}

// readBackSoon is readBack where users may have the version any moment.
func (s *Service) readBackSoon(w *work) outcome {
	return s.readBack(minTime(s.settles(w), s.cfg.Now().Add(s.cfg.RetryBase)))
}

// undone is for a call that is no longer at work and, by what WeChat shows, has done nothing: it is not in doubt any more. An
// outcome says why it is not sent anew, or not yet; nil: it is.
func (s *Service) undone(w *work) *outcome {
	if w.sentAt == nil {
		return nil
	}
	repeat := w.sentAt.Add(pause(s.cfg.RetryBase, w.Attempts))
	w.sentAt = nil
	now := s.cfg.Now()
	switch {
	case w.canceled():
		return &outcome{to: Canceled, failure: &StepError{Code: "canceled"}}
	case w.paused:
		repeat = now // it is parked, until the rollout is resumed
	case !now.Before(repeat):
		return s.held(w)
	}
	return &outcome{wait: repeat, waiting: true, err: &StepError{Code: "wechat_unavailable", Detail: factOf("the call did nothing, it is made again")}}
}
