package system

import (
	"context"
	"errors"
	"time"
)

const (
	tickDefault = 30 * time.Second
	tickLongest = 55 * time.Second
	tickLook    = 200 * time.Millisecond
	// settled is how many looks in a row must find nothing due: what is done may make more to do a moment later.
	settled = 2
)

// Tick is what a call of Tick found.
type Tick struct {
	// Schedules is how many schedules had missed their time.
	Schedules int
	// Done tells that nothing was left; else Left says how much, by what it is.
	Done bool
	Left map[string]int64
	Took time.Duration
}

// Tick has everything worked that is due and waits for it, for at most limit; what is left then goes on in the background as
// long as the process may. It is for platforms that let a process run only while it answers a request. Any number of calls at once, to
// any replica, do the work once.
func (s *Service) Tick(ctx context.Context, limit time.Duration) (Tick, error) {
	began := time.Now()
	var t Tick
	var err error
	if t.Schedules, err = s.deps.Jobs.CatchUp(ctx); err != nil {
		return Tick{}, err
	}
	wait, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	for quiet := 0; ; {
		left, sum, err := s.due(ctx)
		if err != nil {
			return Tick{}, err
		}
		t.Left, quiet = left, quiet+1
		if sum > 0 {
			quiet = 0
		}
		if quiet >= settled {
			t.Done = true
			break
		}
		select {
		case <-time.After(tickLook):
			continue
		case <-wait.Done():
		}
		break
	}
	if err := ctx.Err(); err != nil && !errors.Is(err, context.DeadlineExceeded) {
		return Tick{}, err
	}
	t.Took = time.Since(began)
	return t, nil
}

func (s *Service) due(ctx context.Context) (left map[string]int64, sum int64, err error) {
	left = map[string]int64{}
	if left["jobs"], err = s.deps.Jobs.Due(ctx); err != nil {
		return nil, 0, err
	}
	for name, count := range s.deps.Due {
		if left[name], err = count(ctx); err != nil {
			return nil, 0, err
		}
	}
	for _, n := range left {
		sum += n
	}
	return left, sum, nil
}
