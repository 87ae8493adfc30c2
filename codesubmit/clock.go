package codesubmit

import (
	"context"
	"sync"
	"time"
)

// Clocks are set while the program runs: by hand, by a time server after a long time without one, with a virtual machine
// that was put to sleep. What a row says about times was then written by another clock than the one it is read by.

// clockError is how far the clocks of replicas may be apart. A row from further in the future was written by a clock that
// has been set back since.
const clockError = time.Minute

// clock tells time that has gone by from a clock that was set.
type clock struct {
	steady func() time.Duration

	mu    sync.Mutex
	begun time.Time     // by the clock, less the time that had gone by
	drift time.Duration // of the clock against the time that has gone by
	set   time.Time     // when it was last seen that the clock had been set; zero: never
}

func newClock(now time.Time, steady func() time.Duration) *clock {
	return &clock{steady: steady, begun: now.Add(-steady())}
}

// since is the latest moment, by the clock as it is set now, at which something can have happened: what happened before
// the clock was set may be as young as that.
func (c *clock) since(at, now time.Time) time.Time {
	const noticed = 5 * time.Second
	c.mu.Lock()
	defer c.mu.Unlock()
	if drift := now.Sub(c.begun) - c.steady(); (drift - c.drift).Abs() > noticed {
		c.drift, c.set = drift, now
	}
	if at.Before(c.set) {
		return c.set
	}
	return at
}

// settles is when a call of unknown outcome is no longer at work at WeChat.
func (s *Service) settles(w *work) time.Time {
	return s.clock.since(*w.sentAt, s.cfg.Now()).Add(s.settle())
}

// setBack reports whether the clock was set back since the row was written: then what it waits for is too far off.
func (w *work) setBack(now time.Time) bool { return w.UpdatedAt.After(now.Add(clockError)) }

// sentInFuture takes a call that went out by a clock that was set back since for one that goes out now: at worst that makes
// its outcome be waited for a little longer.
func (s *Service) sentInFuture(ctx context.Context, w *work, now time.Time) error {
	if w.sentAt == nil || !w.sentAt.After(now.Add(clockError)) {
		return nil
	}
	w.sentAt = &now
	_, err := s.db.Exec(ctx, `UPDATE submission SET sent_at = $3 WHERE id = $1 AND state = $2 AND sent_at > $3`, w.ID, w.State, now)
	return err
}
