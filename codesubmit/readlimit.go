package codesubmit

import (
	"context"
	"sync"
)

// pageReads is how many reads for pages may be at WeChat at once for one merchant, beside its rollout's call.
const pageReads = 2

// keyedLimit lets at most pageReads holders at once have a key. The zero value is ready for use.
type keyedLimit struct {
	mu    sync.Mutex
	slots map[string]*slots
}

type slots struct {
	free  chan struct{}
	users int // holders and those that wait
}

// acquire waits for a slot of key, which release gives back.
func (l *keyedLimit) acquire(ctx context.Context, key string) (release func(), err error) {
	l.mu.Lock()
	if l.slots == nil {
		l.slots = map[string]*slots{}
	}
	s := l.slots[key]
	if s == nil {
		s = &slots{free: make(chan struct{}, pageReads)}
		l.slots[key] = s
	}
	s.users++
	l.mu.Unlock()
	leave := func() {
		l.mu.Lock()
		defer l.mu.Unlock()
		if s.users--; s.users == 0 {
			delete(l.slots, key)
		}
	}
	select {
	case s.free <- struct{}{}:
		return func() { <-s.free; leave() }, nil
	case <-ctx.Done():
		leave()
		return nil, ctx.Err()
	}
}
