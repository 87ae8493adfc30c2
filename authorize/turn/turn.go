// Package turn lets the calls that are made to WeChat for one merchant take turns. Rollouts and operators share it:
// WeChat answers 9402202 to calls that overlap, and what one of them reads back would be of no use beside another's
// writing.
package turn

import (
	"context"
	"sync"
	"time"

	"github.com/wxsteward/wxsteward/internal/fault"
)

// Key names a merchant's lock, for postgres.Locker: one call at a time that changes something, over all replicas.
func Key(appid string) string { return "appid:" + appid }

// Locker is the part of postgres.Locker that is needed here.
type Locker interface {
	Within(ctx context.Context, patience time.Duration, key string, fn func(ctx context.Context) error) (got bool, err error)
}

// patience is how long an operator's call waits for its turn. The longest call of a rollout, commit, may take 60 s at
// WeChat's worst; nobody looks at a page for that long.
const patience = 15 * time.Second

// Take runs fn when it is the merchant's turn. It fails with fault.Conflict when others keep the merchant for too long.
func Take(ctx context.Context, locks Locker, appid string, fn func(ctx context.Context) error) error {
	got, err := locks.Within(ctx, patience, Key(appid), fn)
	if err == nil && !got {
		return &fault.Error{
			Kind: fault.Conflict, Format: "A rollout or another operator is at work on this merchant. Try again in a moment.", RetryAfter: 10 * time.Second,
		}
	}
	return err
}

// Look is Take for work that can wait for another time: it reports whether the merchant was free.
func Look(ctx context.Context, locks Locker, appid string, fn func(ctx context.Context) error) (got bool, err error) {
	return locks.Within(ctx, 100*time.Millisecond, Key(appid), fn)
}

// PageReads is how many reads for pages may be at WeChat at once for one merchant, beside the one call of Take.
const PageReads = 2

// Reads lets at most PageReads readers at once have a merchant. The zero value is ready for use.
type Reads struct {
	mu    sync.Mutex
	slots map[string]*slots
}

type slots struct {
	free  chan struct{}
	users int // holders and those that wait
}

// Acquire waits for a slot of appid, which release gives back.
func (l *Reads) Acquire(ctx context.Context, appid string) (release func(), err error) {
	l.mu.Lock()
	if l.slots == nil {
		l.slots = map[string]*slots{}
	}
	s := l.slots[appid]
	if s == nil {
		s = &slots{free: make(chan struct{}, PageReads)}
		l.slots[appid] = s
	}
	s.users++
	l.mu.Unlock()
	leave := func() {
		l.mu.Lock()
		defer l.mu.Unlock()
		if s.users--; s.users == 0 {
			delete(l.slots, appid)
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
