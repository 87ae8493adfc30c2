package jobs

import (
	"context"
	"maps"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/riverqueue/river/rivertype"
)

const (
	// reapEvery is how often dead Runners are looked for, reapSoon when one is suspected.
	reapEvery = time.Second
	reapSoon  = 300 * time.Millisecond
	// orphanAfter is how long a job may be ours in the database and not be worked here. River tries for
	// some seconds to store how a job ended; after a longer absence of the database it gives up.
	orphanAfter = 10 * time.Second
)

// worker is the Runner that works a job: the last that took it.
const worker = `attempted_by[array_upper(attempted_by, 1)]`

// sightings remembers since when something has been seen at every look.
type sightings[K comparable] map[K]time.Time

// look returns what has been seen for at least after.
func (s sightings[K]) look(now time.Time, seen []K, after time.Duration) []K {
	last := maps.Clone(s)
	clear(s)
	var due []K
	for _, k := range seen {
		since, ok := last[k]
		if !ok {
			since = now
		}
		s[k] = since
		if now.Sub(since) >= after {
			due = append(due, k)
		}
	}
	return due
}

// reap hands back jobs that are running in the database only, until ctx ends.
func (r *Runner) reap(ctx context.Context) {
	dead, orphans := sightings[string]{}, sightings[int64]{}
	for ctx.Err() == nil {
		if err := r.reapOnce(ctx, dead, orphans); err != nil && ctx.Err() == nil {
			r.cfg.Logger.WarnContext(ctx, "looking for jobs of dead processes failed", "error", err)
			clear(dead) // the database may have been away: everybody gets time to come back
			clear(orphans)
		}
		pause := reapEvery
		if len(dead) > 0 {
			pause = reapSoon
		}
		select {
		case <-ctx.Done():
		case <-time.After(pause):
		}
	}
}

func (r *Runner) reapOnce(ctx context.Context, dead sightings[string], orphans sightings[int64]) error {
	ctx, cancel := context.WithTimeout(ctx, 10*time.Second)
	defer cancel()
	silent, err := r.silentRunners(ctx)
	if err != nil {
		return err
	}
	notOurs, err := r.notRunning(ctx)
	if err != nil {
		return err
	}
	now := time.Now()
	runners, ids := dead.look(now, silent, deadAfter), orphans.look(now, notOurs, orphanAfter)
	if len(runners) == 0 && len(ids) == 0 {
		return nil
	}
	return r.handBack(ctx, runners, ids)
}

// silentRunners lists Runners that work jobs or lead, but do not hold their lease.
func (r *Runner) silentRunners(ctx context.Context) ([]string, error) {
	const q = `SELECT runner FROM (
			SELECT ` + worker + ` FROM river_job WHERE state = 'running' UNION SELECT leader_id FROM river_leader
		) r (runner)
		WHERE starts_with(runner, $1) AND runner <> $2
			AND hashtextextended('wxsteward job runner ' || runner, 0) NOT IN (SELECT key FROM ` + advisoryLocks + ` l)`
	rows, err := r.pool.Query(ctx, q, runnerIDPrefix, r.id)
	if err != nil {
		return nil, err
	}
	return pgx.CollectRows(rows, pgx.RowTo[string])
}

// notRunning lists jobs that are ours in the database and that no worker of ours has.
func (r *Runner) notRunning(ctx context.Context) ([]int64, error) {
	const q = `SELECT id FROM river_job WHERE state = 'running' AND ` + worker + ` = $1 AND NOT id = ANY($2)`
	rows, err := r.pool.Query(ctx, q, r.id, r.running.ids())
	if err != nil {
		return nil, err
	}
	return pgx.CollectRows(rows, pgx.RowTo[int64])
}

// handBack makes the jobs of dead Runners, and of ours those with the ids, available again, as River's own rescue
// does it, but at once: an attempt is spent, and a job without another is discarded. A dead leader is deposed, it
// would keep schedules and retries waiting for up to 20 s. The notifications are those of River's clients.
func (r *Runner) handBack(ctx context.Context, runners []string, ids []int64) error {
	const update = `UPDATE river_job SET
			state = CASE WHEN metadata ? 'cancel_attempted_at' THEN 'cancelled'
				WHEN attempt < max_attempts THEN 'available' ELSE 'discarded' END::river_job_state,
			finalized_at = CASE WHEN attempt < max_attempts AND NOT metadata ? 'cancel_attempted_at' THEN NULL ELSE now() END,
			scheduled_at = least(scheduled_at, now()),
			errors = array_append(errors, jsonb_build_object('at', now(), 'attempt', attempt,
				'error', 'the process that worked this job ended', 'trace', ''))
		WHERE state = 'running' AND (` + worker + ` = ANY($1) OR id = ANY($2) AND ` + worker + ` = $3)
		RETURNING id, kind, queue, state::text`
	const wake = `SELECT pg_notify(concat(current_schema(), '.river_insert'), json_build_object('queue', queue)::text)
		FROM (SELECT DISTINCT unnest($1::text[]) AS queue) q`
	const depose = `WITH gone AS (DELETE FROM river_leader WHERE leader_id = ANY($1) RETURNING leader_id)
		SELECT pg_notify(concat(current_schema(), '.river_leadership'),
			json_build_object('action', 'resigned', 'leader_id', leader_id)::text) FROM gone`
	type job struct {
		ID          int64
		Kind, Queue string
		State       rivertype.JobState
	}
	var jobs []job
	err := pgx.BeginFunc(ctx, r.pool, func(tx pgx.Tx) error {
		rows, err := tx.Query(ctx, update, runners, ids, r.id)
		if err != nil {
			return err
		}
		if jobs, err = pgx.CollectRows(rows, pgx.RowToStructByPos[job]); err != nil {
			return err
		}
		queues := make([]string, len(jobs))
		for i, j := range jobs {
			queues[i] = j.Queue
		}
		if _, err := tx.Exec(ctx, wake, queues); err != nil {
			return err
		}
		_, err = tx.Exec(ctx, depose, runners)
		return err
	})
	if err != nil {
		return err
	}
	for _, j := range jobs {
		r.cfg.Logger.WarnContext(ctx, "job of an ended process handed back", "job_id", j.ID, "kind", j.Kind, "state", j.State)
	}
	return nil
}
