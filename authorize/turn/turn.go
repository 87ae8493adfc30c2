// Package turn lets the calls that are made to WeChat for one merchant take turns. Rollouts and operators share it:
// WeChat answers 9402202 to calls that overlap, and what one of them reads back would be of no use beside another's
// writing.
package turn

import (
	"context"
	"strconv"
	"time"

	"github.com/wxsteward/wxsteward/internal/fault"
)

// Key names a merchant's lock, for postgres.Locker: one call at a time that changes something, over all replicas.
func Key(appid string) string { return "appid:" + appid }

// Locker is the part of postgres.Locker that is needed here.
type Locker interface {
	Try(ctx context.Context, key string, fn func(ctx context.Context) error) (got bool, err error)
	Do(ctx context.Context, key string, fn func(ctx context.Context) error) error
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

// Read runs fn, which changes nothing, beside whatever else goes on for a merchant. At most PageReads do at once, over
// all replicas; the others wait.
func Read(ctx context.Context, locks Locker, appid string, fn func(ctx context.Context) error) error {
	for i := range PageReads - 1 {
		if got, err := locks.Try(ctx, readKey(appid, i), fn); got || err != nil {
			return err
		}
	}
	return locks.Do(ctx, readKey(appid, PageReads-1), fn)
}

func readKey(appid string, place int) string { return "read:" + strconv.Itoa(place) + ":" + appid }
