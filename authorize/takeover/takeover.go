// Package takeover brings what 服务商微管家 has stored in its MySQL tables on record here: the ticket, merchants with their refresh
// tokens, forward rules, the proxy and the messages it was pushed. It only reads there, may be repeated, and never replaces what is
// newer here.
package takeover

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"time"

	"github.com/go-sql-driver/mysql"

	"github.com/wxsteward/wxsteward/authorize"
	"github.com/wxsteward/wxsteward/component"
	"github.com/wxsteward/wxsteward/component/forward"
	"github.com/wxsteward/wxsteward/internal/sealed"
)

// by is who made what was taken over, in lists.
const by = "import"

// Config says what is taken over.
type Config struct {
	AppID  string        // of our platform; tables of another one are refused
	Keep   time.Duration // messages older than this are left
	DryRun bool          // nothing is written
	Now    func() time.Time
}

// platform is component.Service.
type platform interface {
	AdoptTicket(ctx context.Context, value sealed.Secret, at time.Time, dry bool) (adopted bool, err error)
	KeepHistory(ctx context.Context, records []component.Record, dry bool) (fresh int, refused map[int]error, err error)
}

// merchants is authorize.Service.
type merchants interface {
	TakeOver(ctx context.Context, list []authorize.Predecessor, dry bool) (fresh int, refused map[int]error, err error)
	StartSync(ctx context.Context, by string) (authorize.Sync, error)
}

// rules is forward.Service.
type rules interface {
	Adopt(ctx context.Context, c forward.Change, by string, dry bool) (made bool, err error)
}

// proxy is forward.Proxy.
type proxy interface {
	Adopt(ctx context.Context, upstream, by string, dry bool) (made bool, err error)
}

// locker is postgres.Locker.
type locker interface {
	Try(ctx context.Context, key string, fn func(ctx context.Context) error) (got bool, err error)
}

// Deps are the parts that take it.
type Deps struct {
	Platform  platform
	Merchants merchants
	Rules     rules
	Proxy     proxy
	Locker    locker
}

// Part is what became of one kind of thing.
type Part struct {
	Name                string
	Found, New, Already int
	Failed              []Failure
}

// Failure is one thing that could not be taken over. Neither field holds a secret.
type Failure struct{ What, Why string }

func (p *Part) fail(what string, why error) {
	p.Failed = append(p.Failed, Failure{what, why.Error()})
}

// Report is what became of everything.
type Report struct {
	Parts  []Part
	SyncID string // of the synchronization that was started; empty: none
}

// Failures counts what could not be taken over.
func (r Report) Failures() int {
	n := 0
	for _, p := range r.Parts {
		n += len(p.Failed)
	}
	return n
}

// ErrElsewhere reports that another process takes over at this moment.
var ErrElsewhere = errors.New("another import is running")

// Run takes everything over and has merchants compared with WeChat's list afterwards. What fails for one thing is in the report and
// keeps nothing else; an error says that the rest was not reached, and the same call goes on from there.
func Run(ctx context.Context, cfg Config, deps Deps, dsn sealed.Secret) (Report, error) {
	db, err := open(ctx, dsn)
	if err != nil {
		return Report{}, err
	}
	defer db.Close() //nolint:errcheck // only read
	t := taking{Config: cfg, Deps: deps, db: db}
	if err := t.checkPlatform(ctx); err != nil {
		return Report{}, err
	}
	var report Report
	got, err := deps.Locker.Try(ctx, "takeover", func(ctx context.Context) error {
		for _, step := range []struct {
			name string
			take func(ctx context.Context, p *Part) error
		}{
			{"ticket", t.ticket},
			{"merchants", t.merchants},
			{"rules", t.rules},
			{"proxy", t.proxy},
			{"authorization messages", t.componentMessages},
			{"merchant messages", t.bizMessages},
		} {
			part := Part{Name: step.name}
			err := step.take(ctx, &part)
			if missing(err) {
				part.fail("table", err)
				err = nil
			}
			report.Parts = append(report.Parts, part)
			if err != nil {
				return fmt.Errorf("%s: %w", step.name, err)
			}
		}
		if cfg.DryRun {
			return nil
		}
		run, err := deps.Merchants.StartSync(ctx, by)
		report.SyncID = run.ID
		return err
	})
	if err == nil && !got {
		err = ErrElsewhere
	}
	return report, err
}

// taking is one run.
type taking struct {
	Config
	Deps

	db *sql.DB
}

func missing(err error) bool {
	const noSuchTable = 1146
	e, ok := errors.AsType[*mysql.MySQLError](err)
	return ok && e.Number == noSuchTable
}
