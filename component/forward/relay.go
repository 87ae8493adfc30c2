package forward

import (
	"time"
)

const (
	// relaysAtOnce is how many messages may wait for one rule's answer at a time.
	relaysAtOnce = 128
	// A target that lets so many calls in a row wait this long in vain is not asked for a while, then by one message at a time
	// until it answers: each vain call would hold back WeChat's push, for a reply that does not come.
	slowRelay       = time.Second
	slowBeforeRest  = 5
	relayRest       = 10 * time.Second
	outcomeSkipped  = "skipped"
	maxRelaysAtOnce = 512 // of all rules
)

// relayLane is what this process knows of the target of one relay rule.
type relayLane struct {
	of        time.Time // UpdatedAt of the rule: a change gives it another chance
	inFlight  int
	vain      int // slow failures in a row
	restUntil time.Time
}

// enterRelay reports whether the target of a rule may be asked now; then leaveRelay must follow.
func (s *Service) enterRelay(r *armed) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	l := s.relays[r.ID]
	if l == nil {
		l = &relayLane{}
		s.relays[r.ID] = l
	}
	if !l.of.Equal(r.UpdatedAt) {
		l.of, l.vain = r.UpdatedAt, 0
	}
	if l.inFlight >= relaysAtOnce || s.relaying >= maxRelaysAtOnce {
		return false
	}
	if l.vain >= slowBeforeRest {
		now := s.now()
		if now.Before(l.restUntil) {
			return false
		}
		l.restUntil = now.Add(relayRest) // this one finds out
	}
	l.inFlight++
	s.relaying++
	return true
}

// leaveRelay notes what became of the call. rests tells that the target is left alone from now on.
func (s *Service) leaveRelay(r *armed, o outcome) (rests bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	l := s.relays[r.ID]
	l.inFlight--
	s.relaying--
	if o.ok() || o.duration < slowRelay {
		l.vain = 0
		return false
	}
	l.vain++
	l.restUntil = s.now().Add(relayRest)
	return l.vain == slowBeforeRest
}
