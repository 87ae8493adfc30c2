package metrics

import (
	"context"
	"log/slog"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

const (
	// stateMaxAge is how old the state told at a scrape may be: many scrapers cost the database no more than one.
	stateMaxAge  = 5 * time.Second
	stateTimeout = 5 * time.Second
)

// State is what the program is in the middle of. A nil map means that nobody knows, and is left out.
type State struct {
	TicketReceived time.Time        // zero: there is no ticket
	TicketHealth   string           // ok, warn, stale or alarm; empty: nobody knows
	QueueJobs      map[string]int64 // not finished, by River's state
	QueueOldest    time.Time        // since when the job has waited that is due longest; zero: none waits
	Rollouts       map[string]int64 // by state
	Submissions    map[string]int64 // of rollouts that have not ended, by state
}

// Collect has state told at every scrape. Call it before the first one.
func (m *Metrics) Collect(state func(ctx context.Context) (State, error)) { m.state.read = state }

// stateCollector reads the state when somebody asks, and remembers it for a moment.
type stateCollector struct {
	now  func() time.Time
	log  *slog.Logger
	read func(ctx context.Context) (State, error)

	up, ticketPresent, ticketAge, ticketHealth, jobs, oldest, rollouts, submissions *prometheus.Desc

	mu    sync.Mutex
	known State
	ok    bool
	at    time.Time // of the last try
}

func newStateCollector(cfg Config) *stateCollector {
	desc := func(name, help string, labels ...string) *prometheus.Desc {
		return prometheus.NewDesc(prefix+name, help, labels, nil)
	}
	return &stateCollector{
		now: cfg.Now, log: cfg.Logger,
		up:            desc("state_up", "1 if the state below could be read from the database, else 0 and it is left out."),
		ticketPresent: desc("ticket_present", "1 if WeChat has ever pushed a component ticket."),
		ticketAge:     desc("ticket_age_seconds", "Since the newest component ticket came."),
		ticketHealth:  desc("ticket_health", "1 for the level at which the component ticket is, by its age, 0 for the others.", "level"),
		jobs:          desc("queue_jobs", "Background jobs that are not finished, by state.", "state"),
		oldest:        desc("queue_oldest_job_seconds", "For how long the longest waiting job has been due."),
		rollouts:      desc("rollouts", "Rollouts by state.", "state"),
		submissions:   desc("submissions", "Submissions of rollouts that have not ended, by state.", "state"),
	}
}

// Describe implements prometheus.Collector.
func (c *stateCollector) Describe(ch chan<- *prometheus.Desc) {
	for _, d := range []*prometheus.Desc{c.up, c.ticketPresent, c.ticketAge, c.ticketHealth, c.jobs, c.oldest, c.rollouts, c.submissions} {
		ch <- d
	}
}

// Collect implements prometheus.Collector.
func (c *stateCollector) Collect(ch chan<- prometheus.Metric) {
	s, ok := c.current()
	gauge := func(d *prometheus.Desc, value float64, labels ...string) {
		ch <- prometheus.MustNewConstMetric(d, prometheus.GaugeValue, value, labels...)
	}
	each := func(d *prometheus.Desc, values map[string]int64) {
		for state, n := range values {
			gauge(d, float64(n), state)
		}
	}
	if !ok {
		gauge(c.up, 0)
		return
	}
	gauge(c.up, 1)
	if s.TicketReceived.IsZero() {
		gauge(c.ticketPresent, 0)
	} else {
		gauge(c.ticketPresent, 1)
		gauge(c.ticketAge, c.since(s.TicketReceived))
	}
	if s.TicketHealth != "" {
		for _, level := range []string{"ok", "warn", "stale", "alarm"} {
			at := 0.0
			if level == s.TicketHealth {
				at = 1
			}
			gauge(c.ticketHealth, at, level)
		}
	}
	each(c.jobs, s.QueueJobs)
	if s.QueueJobs != nil {
		waiting := 0.0
		if !s.QueueOldest.IsZero() {
			waiting = c.since(s.QueueOldest)
		}
		gauge(c.oldest, waiting)
	}
	each(c.rollouts, s.Rollouts)
	each(c.submissions, s.Submissions)
}

func (c *stateCollector) since(t time.Time) float64 { return max(0, c.now().Sub(t).Seconds()) }

// current is the state, read again when it is too old; scrapes at the same time wait for one reading.
func (c *stateCollector) current() (State, bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.read == nil {
		return State{}, false
	}
	now := c.now()
	if !c.at.IsZero() && now.Sub(c.at) < stateMaxAge {
		return c.known, c.ok
	}
	ctx, cancel := context.WithTimeout(context.Background(), stateTimeout) // prometheus.Collector has none
	defer cancel()
	var err error
	c.known, err = c.read(ctx)
	c.ok, c.at = err == nil, now
	if err != nil {
		c.log.WarnContext(ctx, "state for metrics not read", slog.Any("error", err))
	}
	return c.known, c.ok
}
