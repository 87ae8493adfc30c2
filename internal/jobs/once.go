package jobs

import "github.com/riverqueue/river"

// Once is for jobs that look at the state of things: of those with the same arguments one that has not ended serves everybody.
// With one try a schedule brings the next when it fails.
func Once(tries int) river.InsertOpts {
	return river.InsertOpts{MaxAttempts: tries, UniqueOpts: river.UniqueOpts{ByArgs: true, ByState: unfinished()}}
}
