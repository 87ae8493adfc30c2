package miniapp

import (
	"sync"
	"time"
)

const (
	maxFailures   = 60 // a minute; many users share an address behind their carrier
	failureWindow = time.Minute
	maxAddresses  = 20000
)

// failures counts wrong codes by address, in memory: it keeps one visitor from using up what WeChat allows everybody.
type failures struct {
	now func() time.Time

	mu    sync.Mutex
	since time.Time // of the window under way
	count map[string]int
}

func newFailures(now func() time.Time) *failures {
	return &failures{now: now, count: map[string]int{}}
}

// wait is how long an address has to stay away; 0: it may come.
func (f *failures) wait(address string) time.Duration {
	f.mu.Lock()
	defer f.mu.Unlock()
	left := f.since.Add(failureWindow).Sub(f.now())
	if left <= 0 || f.count[address] < maxFailures {
		return 0
	}
	return left
}

func (f *failures) note(address string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if now := f.now(); now.Sub(f.since) >= failureWindow {
		f.since = now
		clear(f.count)
	}
	if _, known := f.count[address]; known || len(f.count) < maxAddresses {
		f.count[address]++
	}
}
