// Package system is what administrators see of the program itself: its processes, its database, its jobs.
package system

import (
	"context"
	"fmt"
	"log/slog"
	"runtime"
	"time"

	"github.com/wxsteward/wxsteward/internal/fault"
	"github.com/wxsteward/wxsteward/internal/jobs"
	"github.com/wxsteward/wxsteward/internal/postgres"
	"github.com/wxsteward/wxsteward/internal/replica"
)

// Config says which program this is.
type Config struct {
	Version, Commit string
	StartedAt       time.Time
	Now             func() time.Time
	Logger          *slog.Logger
}

// Migration is a step of the database's schema; AppliedAt is zero when it is still to come.
type Migration struct {
	Source, Name string
	Version      int64
	AppliedAt    time.Time
}

// Deps are what the Service asks.
type Deps struct {
	DB       postgres.DB
	Jobs     *jobs.Runner
	Replicas *replica.Service
	// Migrations lists every one that this version knows.
	Migrations func(ctx context.Context) ([]Migration, error)
	// Due count what could be done now beside the jobs.
	Due map[string]func(ctx context.Context) (int64, error)
}

// Service answers administrators.
type Service struct {
	cfg  Config
	deps Deps
}

// New makes the Service.
func New(cfg Config, deps Deps) *Service { return &Service{cfg: cfg, deps: deps} }

// State is the program at one moment.
type State struct {
	Version, Commit, Go string
	StartedAt           time.Time
	Self                string // the id of the replica that answers
	Replicas            []replica.Replica
	Database            Database
	Migrations          []Migration
	Queues              []jobs.QueueCount
	Checks              []Check
}

// Check is one answer to "is this as it should be?".
type Check struct {
	Name, Detail string
	OK           bool
}

// State reads it all.
func (s *Service) State(ctx context.Context) (State, error) {
	st := State{
		Version: s.cfg.Version, Commit: s.cfg.Commit, Go: runtime.Version(), StartedAt: s.cfg.StartedAt, Self: s.deps.Replicas.ID(),
	}
	var err error
	if st.Replicas, err = s.deps.Replicas.List(ctx); err != nil {
		return State{}, err
	}
	if st.Database, err = readDatabase(ctx, s.deps.DB); err != nil {
		return State{}, err
	}
	if st.Migrations, err = s.deps.Migrations(ctx); err != nil {
		return State{}, fmt.Errorf("list migrations: %w", err)
	}
	if st.Queues, err = s.deps.Jobs.Queues(ctx); err != nil {
		return State{}, err
	}
	depth, err := s.deps.Jobs.Depth(ctx)
	if err != nil {
		return State{}, err
	}
	rekeying, err := s.deps.Replicas.ChangeUnfinished(ctx)
	if err != nil {
		return State{}, err
	}
	st.Checks = s.checks(fault.LangFrom(ctx), st, depth, rekeying)
	return st, nil
}

// lateAfter is how long a job may be due before the queue counts as standing still.
const lateAfter = 5 * time.Minute

func (s *Service) checks(lang string, st State, depth jobs.Depth, rekeying time.Time) []Check {
	pending := 0
	for _, m := range st.Migrations {
		if m.AppliedAt.IsZero() {
			pending++
		}
	}
	versions := map[string]bool{}
	live, silent := 0, 0
	for _, r := range st.Replicas {
		if r.Live {
			versions[r.Version] = true
			live++
		} else {
			silent++
		}
	}
	var discarded int64
	for _, q := range st.Queues {
		discarded += q.Discarded
	}
	list := []Check{
		{Name: "migrations", OK: pending == 0, Detail: fault.Say(lang, "%d applied, %d to come.", len(st.Migrations)-pending, pending)},
		{Name: "replicas", OK: silent == 0, Detail: fault.Say(lang, "%d running, %d silent.", live, silent)},
		{Name: "versions", OK: len(versions) <= 1, Detail: fault.Say(lang, "The running processes are of %d versions.", len(versions))},
	}
	waiting := Check{Name: "queue", OK: true, Detail: fault.Say(lang, "No job waits.")}
	if !depth.DueSince.IsZero() {
		waits := max(s.cfg.Now().Sub(depth.DueSince).Round(time.Second), 0)
		waiting.OK = waits < lateAfter
		waiting.Detail = fault.Say(lang, "The job that waits longest has been due for %s.", waits)
	}
	list = append(
		list, waiting,
		Check{Name: "discarded_jobs", OK: discarded == 0, Detail: fault.Say(lang, "%d jobs were given up and can be retried.", discarded)},
	)
	key := Check{Name: "master_key", OK: true, Detail: fault.Say(lang, "All secrets are sealed with one key.")}
	if !rekeying.IsZero() {
		key.OK = false
		key.Detail = fault.Say(lang, "A change of the master key is unfinished. If it is not running, run wxsteward rekey again with the same keys.")
	}
	return append(list, key)
}
