package jobs

import (
	"fmt"
	"time"

	"github.com/riverqueue/river"
	"github.com/robfig/cron/v3"
)

// Schedule inserts a job at the times of cronSpec (minute hour day month weekday, or @every 1m), read in the
// Location of Config: once, whatever the number of replicas, because only their leader does it. A time that passes
// while nobody leads (no process runs, or within seconds of a leader's death) is skipped, so the job must look for
// all that is due, or CatchUp be called. makeArgs must not block; nil skips this time. id must be unique.
func (r *Runner) Schedule(id, cronSpec string, makeArgs func() river.JobArgs) error {
	s, err := parseSchedule(cronSpec, r.cfg.Location)
	if err != nil {
		return fmt.Errorf("schedule %s: %w", id, err)
	}
	job := river.NewPeriodicJob(s, func() (river.JobArgs, *river.InsertOpts) { return makeArgs(), nil },
		&river.PeriodicJobOpts{ID: id})
	if _, err := r.client.PeriodicJobs().AddSafely(job); err != nil {
		return fmt.Errorf("schedule %s: %w", id, err)
	}
	r.planned = append(r.planned, planned{s, makeArgs})
	return nil
}

type schedule struct {
	cron     cron.Schedule
	location *time.Location
}

func parseSchedule(spec string, location *time.Location) (schedule, error) {
	c, err := cron.ParseStandard(spec)
	if err != nil {
		return schedule{}, err
	}
	if c.Next(time.Now().In(location)).IsZero() {
		return schedule{}, fmt.Errorf("%q never comes", spec)
	}
	return schedule{cron: c, location: location}, nil
}

// Next implements river.PeriodicSchedule.
func (s schedule) Next(now time.Time) time.Time { return s.cron.Next(now.In(s.location)) }
