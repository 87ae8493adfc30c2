package codesubmit

import (
	"sync"
	"time"
)

// recentDomains are the platform's lists as the steps of all submissions know them: the platform is asked once a minute,
// not once for each merchant.
type recentDomains struct {
	mu    sync.Mutex
	since time.Time
	last  *remembered[platformDomains]
}

const recentAge = time.Minute

// facts know lists that are not older than recentAge.
func (r *recentDomains) facts(now time.Time) *shared {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.last == nil || now.Sub(r.since) >= recentAge || now.Before(r.since) {
		r.last, r.since = &remembered[platformDomains]{}, now
	}
	return &shared{recent: r.last}
}

// anew is facts with lists that are read again.
func (r *recentDomains) anew(now time.Time) *shared {
	r.mu.Lock()
	r.last = nil
	r.mu.Unlock()
	return r.facts(now)
}

// platform is where the platform's lists are remembered.
func (s *shared) platform() *remembered[platformDomains] {
	if s.recent != nil {
		return s.recent
	}
	return &s.domains
}
