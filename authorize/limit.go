package authorize

import (
	"net/netip"
	"sync"
	"time"
)

// limiter is a token bucket for each key, in memory: it keeps one visitor from using up WeChat's quota and our disk.
// What must hold over all replicas is counted in the database (unprovenCodes).
type limiter struct {
	burst float64
	every time.Duration // one more after this time
	now   func() time.Time

	mu        sync.Mutex
	buckets   map[string]*bucket
	forgotten time.Time // when full buckets were last dropped
}

type bucket struct {
	left float64
	at   time.Time
}

// maxBuckets bounds the memory; beyond it all newcomers share one bucket. Then forgetEvery bounds the time spent on
// looking for buckets to drop.
const (
	maxBuckets  = 20000
	forgetEvery = time.Second
)

func newLimiter(burst int, every time.Duration, now func() time.Time) *limiter {
	return &limiter{burst: float64(burst), every: every, now: now, buckets: map[string]*bucket{}}
}

// take counts one for key and reports whether that was allowed.
func (l *limiter) take(key string) bool {
	ok, _ := l.takeOrWait(key)
	return ok
}

// takeOrWait is take that also says after what time one more is allowed, in whole seconds.
func (l *limiter) takeOrWait(key string) (ok bool, wait time.Duration) {
	l.mu.Lock()
	defer l.mu.Unlock()
	b := l.bucket(key)
	if b.left < 1 {
		wait = time.Duration((1 - b.left) * float64(l.every))
		return false, max(wait.Truncate(time.Second)+time.Second, time.Second)
	}
	b.left--
	return true, 0
}

// giveBack undoes one take.
func (l *limiter) giveBack(key string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	b := l.bucket(key)
	b.left = min(b.left+1, l.burst)
}

func (l *limiter) bucket(key string) *bucket {
	now := l.now()
	b, ok := l.buckets[key]
	if !ok && len(l.buckets) >= maxBuckets {
		if past := now.Sub(l.forgotten); past >= forgetEvery || past < 0 {
			l.forget(now)
		}
		if len(l.buckets) >= maxBuckets {
			key = ""
			b, ok = l.buckets[key]
		}
	}
	if !ok {
		b = &bucket{left: l.burst, at: now}
		l.buckets[key] = b
		return b
	}
	if passed := now.Sub(b.at); passed > 0 {
		b.left = min(b.left+float64(passed)/float64(l.every), l.burst)
		b.at = now
	}
	return b
}

// forget drops the buckets that are full again.
func (l *limiter) forget(now time.Time) {
	l.forgotten = now
	for key, b := range l.buckets {
		if b.left+float64(now.Sub(b.at))/float64(l.every) >= l.burst {
			delete(l.buckets, key)
		}
	}
}

// visitor is the limiter's key for an address. An IPv6 visitor has a whole /64.
func visitor(ip string) string {
	addr, err := netip.ParseAddr(ip)
	if err != nil {
		return "?"
	}
	addr = addr.Unmap().WithZone("")
	if addr.Is6() {
		prefix, _ := addr.Prefix(64)
		return prefix.String()
	}
	return addr.String()
}
