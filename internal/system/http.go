package system

import (
	"context"
	"encoding/json"
	"net/http"
	"strconv"
	"time"

	"github.com/danielgtaylor/huma/v2"
	"github.com/labstack/echo/v4"

	"github.com/wxsteward/wxsteward/internal/adminauth"
	"github.com/wxsteward/wxsteward/internal/fault"
	"github.com/wxsteward/wxsteward/internal/httpserver"
	"github.com/wxsteward/wxsteward/internal/jobs"
)

const tag = "system"

// RegisterAPI adds the operations of this package.
func (s *Service) RegisterAPI(api huma.API) {
	huma.Register(api, adminauth.Op(http.MethodGet, "/system", "get-system", "Processes, database, queues and checks", adminauth.Admin, tag), s.getSystem)
	huma.Register(api, adminauth.Op(http.MethodGet, "/jobs", "list-jobs", "Background jobs, newest first", adminauth.Admin, tag), s.getJobs)
	huma.Register(api, adminauth.Op(http.MethodPost, "/jobs/{id}/retry", "retry-job", "Work a job now that waits or has failed", adminauth.Admin, tag),
		func(ctx context.Context, in *jobID) (*jobOutput, error) { return in.do(ctx, s.deps.Jobs.Retry) })
	huma.Register(api, adminauth.Op(http.MethodPost, "/jobs/{id}/discard", "discard-job", "Give a waiting job up", adminauth.Admin, tag),
		func(ctx context.Context, in *jobID) (*jobOutput, error) { return in.do(ctx, s.deps.Jobs.Discard) })
	tick := adminauth.Op(http.MethodPost, "/tick", "tick", "Do what is due, and wait for it", adminauth.Operator, tag)
	tick.Description = "For timers outside, where a process runs only while it answers. May be called as often and as many at once as you like."
	huma.Register(api, tick, s.postTick)
}

// RegisterInner adds the tick for a timer on the same machine. It asks nobody who they are: serve it on the inner listener only.
func (s *Service) RegisterInner(e *echo.Echo) {
	e.POST("/inner/tick", func(c echo.Context) error {
		t, err := s.Tick(c.Request().Context(), tickDefault)
		if err != nil {
			p := fault.ProblemFor(err, fault.LangOf(c.Request().Header.Get("Accept-Language")))
			return httpserver.WriteProblem(c.Response(), c.Request(), &p)
		}
		return c.JSON(http.StatusOK, viewTick(t))
	})
}

// SystemView is the program at one moment.
type SystemView struct { //nolint:revive // its name in the description of the API
	Version   string        `json:"version"`
	Commit    string        `json:"commit"`
	Go        string        `json:"go"`
	StartedAt time.Time     `json:"started_at" doc:"Of the process that answers."`
	Replicas  []ReplicaView `json:"replicas"`
	Database  DatabaseView  `json:"database"`
	Queues    []QueueView   `json:"queues"`
	Checks    []CheckView   `json:"checks"`
}

// ReplicaView is a process that serves.
type ReplicaView struct {
	ID        string    `json:"id"`
	Host      string    `json:"host"`
	Version   string    `json:"version"`
	Commit    string    `json:"commit"`
	StartedAt time.Time `json:"started_at"`
	SeenAt    time.Time `json:"seen_at"`
	Live      bool      `json:"live" doc:"Seen within the last 20 seconds."`
	Current   bool      `json:"current" doc:"It is the one that answers."`
}

// DatabaseView is the database.
type DatabaseView struct {
	Version    string          `json:"version"`
	SizeBytes  int64           `json:"size_bytes"`
	Migrations []MigrationView `json:"migrations"`
	Tables     []TableView     `json:"tables" doc:"Largest first."`
}

// MigrationView is a step of the schema.
type MigrationView struct {
	Source    string     `json:"source" doc:"wxsteward, or river: the job queue's."`
	Version   int64      `json:"version"`
	Name      string     `json:"name"`
	AppliedAt *time.Time `json:"applied_at" doc:"Null: to come."`
}

// TableView is a table with its indexes and partitions.
type TableView struct {
	Name         string `json:"name"`
	Bytes        int64  `json:"bytes"`
	RowsEstimate int64  `json:"rows_estimate"`
}

// QueueView counts jobs.
type QueueView struct {
	Queue     string `json:"queue"`
	Available int64  `json:"available"`
	Running   int64  `json:"running"`
	Retryable int64  `json:"retryable"`
	Scheduled int64  `json:"scheduled"`
	Discarded int64  `json:"discarded"`
}

// CheckView is one answer to "is this as it should be?".
type CheckView struct {
	Name   string `json:"name" enum:"migrations,replicas,versions,queue,discarded_jobs,master_key"`
	OK     bool   `json:"ok"`
	Detail string `json:"detail"`
}

func (s *Service) getSystem(ctx context.Context, _ *struct{}) (*struct{ Body SystemView }, error) {
	st, err := s.State(ctx)
	if err != nil {
		return nil, err
	}
	v := SystemView{
		Version: st.Version, Commit: st.Commit, Go: st.Go, StartedAt: st.StartedAt.UTC(),
		Database: DatabaseView{Version: st.Database.Version, SizeBytes: st.Database.SizeBytes},
	}
	for _, r := range st.Replicas {
		v.Replicas = append(v.Replicas, ReplicaView{
			ID: r.ID, Host: r.Host, Version: r.Version, Commit: r.Commit, StartedAt: r.StartedAt.UTC(), SeenAt: r.SeenAt.UTC(),
			Live: r.Live, Current: r.ID == st.Self,
		})
	}
	for _, m := range st.Migrations {
		view := MigrationView{Source: m.Source, Version: m.Version, Name: m.Name}
		if !m.AppliedAt.IsZero() {
			view.AppliedAt = new(m.AppliedAt.UTC())
		}
		v.Database.Migrations = append(v.Database.Migrations, view)
	}
	for _, t := range st.Database.Tables {
		v.Database.Tables = append(v.Database.Tables, TableView{Name: t.Name, Bytes: t.Bytes, RowsEstimate: t.Rows})
	}
	for _, q := range st.Queues {
		v.Queues = append(v.Queues, QueueView(q))
	}
	for _, c := range st.Checks {
		v.Checks = append(v.Checks, CheckView{Name: c.Name, OK: c.OK, Detail: c.Detail})
	}
	return &struct{ Body SystemView }{v}, nil
}

// JobView is a background job.
type JobView struct {
	ID          string          `json:"id"`
	Kind        string          `json:"kind"`
	Queue       string          `json:"queue"`
	State       string          `json:"state" enum:"available,pending,running,retryable,scheduled,completed,cancelled,discarded"`
	Attempt     int             `json:"attempt"`
	MaxAttempts int             `json:"max_attempts"`
	Args        json.RawMessage `json:"args" doc:"What it is about: ids, never secrets."`
	CreatedAt   time.Time       `json:"created_at"`
	ScheduledAt time.Time       `json:"scheduled_at" doc:"It is not worked before."`
	AttemptedAt *time.Time      `json:"attempted_at"`
	FinalizedAt *time.Time      `json:"finalized_at" doc:"When it was done or given up."`
	AttemptedBy string          `json:"attempted_by" doc:"The worker of the last try."`
	Error       string          `json:"error" doc:"Of the last try that failed."`
}

func viewJob(j jobs.Job) JobView {
	return JobView{
		ID: strconv.FormatInt(j.ID, 10), Kind: j.Kind, Queue: j.Queue, State: j.State, Attempt: j.Attempt, MaxAttempts: j.MaxAttempts,
		Args: j.Args, CreatedAt: j.CreatedAt.UTC(), ScheduledAt: j.ScheduledAt.UTC(), AttemptedAt: j.AttemptedAt, FinalizedAt: j.EndedAt,
		AttemptedBy: j.Worker, Error: j.Error,
	}
}

type jobsInput struct {
	httpserver.ListInput

	Queue string `query:"queue" maxLength:"64"`
	State string `query:"state" enum:"available,pending,running,retryable,scheduled,completed,cancelled,discarded"`
	Kind  string `query:"kind" maxLength:"128"`
}

func (s *Service) getJobs(ctx context.Context, in *jobsInput) (*struct{ Body httpserver.Page[JobView] }, error) {
	f := jobs.Filter{Queue: in.Queue, State: in.State, Kind: in.Kind, Limit: in.Limit + 1}
	if err := httpserver.DecodeCursor(in.Cursor, &f.Before); err != nil {
		return nil, err
	}
	list, err := s.deps.Jobs.Jobs(ctx, f)
	if err != nil {
		return nil, err
	}
	page := httpserver.Page[JobView]{Items: []JobView{}}
	for i, j := range list {
		if i == in.Limit {
			page.NextCursor = httpserver.EncodeCursor(list[i-1].ID)
			break
		}
		page.Items = append(page.Items, viewJob(j))
	}
	return &struct{ Body httpserver.Page[JobView] }{page}, nil
}

type jobID struct {
	ID string `path:"id" maxLength:"20"`
}

type jobOutput struct{ Body JobView }

func (in *jobID) do(ctx context.Context, act func(ctx context.Context, id int64) (jobs.Job, error)) (*jobOutput, error) {
	id, err := strconv.ParseInt(in.ID, 10, 64)
	if err != nil || id <= 0 {
		return nil, fault.New(fault.NotFound, "There is no such job; jobs that are done are kept for a day.")
	}
	j, err := act(ctx, id)
	if err != nil {
		return nil, err
	}
	return &jobOutput{viewJob(j)}, nil
}

type tickInput struct {
	TimeoutSeconds int `query:"timeout_seconds" default:"30" minimum:"1" maximum:"55" doc:"How long the answer may take."`
}

// TickView tells what came of a tick.
type TickView struct {
	Done       bool             `json:"done" doc:"Nothing is left that is due."`
	Schedules  int              `json:"schedules" doc:"Schedules that had missed their time and were started."`
	Left       map[string]int64 `json:"left" doc:"What is still due: jobs, deliveries, notices."`
	DurationMS int64            `json:"duration_ms"`
}

func viewTick(t Tick) TickView {
	return TickView{Done: t.Done, Schedules: t.Schedules, Left: t.Left, DurationMS: t.Took.Milliseconds()}
}

func (s *Service) postTick(ctx context.Context, in *tickInput) (*struct{ Body TickView }, error) {
	t, err := s.Tick(ctx, min(time.Duration(in.TimeoutSeconds)*time.Second, tickLongest))
	if err != nil {
		return nil, err
	}
	return &struct{ Body TickView }{viewTick(t)}, nil
}
