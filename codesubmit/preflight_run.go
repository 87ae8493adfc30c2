package codesubmit

import (
	"context"
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"slices"
	"strconv"
	"time"

	"github.com/jackc/pgx/v5"
	"golang.org/x/sync/errgroup"

	"github.com/wxsteward/wxsteward/authorize"
	"github.com/wxsteward/wxsteward/authorize/turn"
	"github.com/wxsteward/wxsteward/internal/live"
	"github.com/wxsteward/wxsteward/internal/wechat"
)

const (
	// preflightFresh is how long a finding serves other preflights of the same content.
	preflightFresh = 5 * time.Minute
	// preflightKept is how long a preflight can be looked at.
	preflightKept = 24 * time.Hour
	// preflightAtOnce merchants are asked about at a time, preflightPage are written down together.
	preflightAtOnce, preflightPage = 8, 16
	// preflightTurn is how long a job works before it lets others have its place.
	preflightTurn = 2 * time.Minute
	// preflightTries is how often a merchant that WeChat tells nothing about for the moment is asked about.
	preflightTries = 4
)

// The states of a preflight.
const (
	preflightRunning = "running"
	preflightDone    = "done"
)

// PreflightRun is a look at every target of a rollout that is not made yet, and how far it has come.
type PreflightRun struct {
	ID                   int64
	State                string
	Total, Done          int
	Ready, Blocked       int
	QuotaRest, QuotaMost *int // the provider's submissions of this month; nil: not read
	CreatedAt            time.Time
	FinishedAt           *time.Time
	Codes                map[string]int // merchants by the code of a blocker

	spec Spec
	ofID int64 // of the rollout whose rollback it is about; 0: a release
}

// PreflightItem is a merchant and what stands in its way; Found nil: not looked at yet.
type PreflightItem struct {
	AppID string
	Found []*StepError
	Back  *Rollback // of a rollback: the way back of who is ready
}

// StartPreflight begins to look at every target of a rollout, in the background. What was found out about a merchant
// lately serves again where neither the rollout nor the merchant's own data are different.
func (s *Service) StartPreflight(ctx context.Context, spec Spec) (*PreflightRun, error) {
	return s.newPreflight(ctx, spec, true)
}

func (s *Service) newPreflight(ctx context.Context, spec Spec, background bool) (*PreflightRun, error) {
	spec.normalise()
	targets, err := s.validTargets(ctx, &spec)
	if err != nil {
		return nil, err
	}
	contents := make([][]byte, len(targets))
	for i, m := range targets {
		if contents[i], err = contentOf(&spec, m); err != nil {
			return nil, err
		}
	}
	return s.makePreflight(ctx, &spec, 0, targets, contents, background)
}

// makePreflight writes a preflight down; contents are the fingerprints of the targets.
func (s *Service) makePreflight(ctx context.Context, spec *Spec, of int64, targets []authorize.Target, contents [][]byte, background bool) (p *PreflightRun, err error) {
	err = pgx.BeginFunc(ctx, s.db, func(tx pgx.Tx) error {
		if p, err = s.insertPreflight(ctx, tx, spec, of, targets, contents); err != nil || p.State == preflightDone || !background {
			return err
		}
		return s.queue.InsertTx(ctx, tx, PreflightArgs{PreflightID: p.ID}, nil)
	})
	if err != nil {
		return nil, fmt.Errorf("start preflight: %w", err)
	}
	return p, nil
}

// contentOf is a fingerprint of all that decides what is found, besides what WeChat knows.
func contentOf(spec *Spec, m authorize.Target) ([]byte, error) {
	m.InfoAt = nil // that the same was read again is no difference
	return fingerprint(spec.TemplateID, spec.ExtJSON, spec.Domains, spec.Privacy, m)
}

func fingerprint(all ...any) ([]byte, error) {
	text, err := json.Marshal(all)
	if err != nil {
		return nil, err
	}
	sum := sha256.Sum256(text)
	return sum[:], nil
}

// PreflightRollout looks at every target of a rollout and waits until all is found out.
func (s *Service) PreflightRollout(ctx context.Context, spec *Spec) (items []PreflightItem, err error) {
	p, err := s.newPreflight(ctx, *spec, false)
	if err != nil {
		return nil, err
	}
	return s.waitForPreflight(ctx, p)
}

// waitForPreflight does a preflight that no job works on.
func (s *Service) waitForPreflight(ctx context.Context, p *PreflightRun) ([]PreflightItem, error) {
	facts := &shared{}
	for more := p.State == preflightRunning; more; {
		var err error
		if more, err = s.preflightPage(ctx, p, facts, 1); err != nil {
			return nil, err
		}
	}
	return s.preflightItems(ctx, PreflightFilter{ID: p.ID})
}

// workPreflight goes on with a preflight; rest is when the caller should call again, zero for done.
func (s *Service) workPreflight(ctx context.Context, id int64) (rest time.Duration, err error) {
	got, err := s.locks.Try(ctx, "preflight:"+strconv.FormatInt(id, 10), func(ctx context.Context) error {
		rest, err = s.preflightTurn(ctx, id)
		return err
	})
	if err == nil && !got {
		return time.Second, nil // somebody else is at it
	}
	return rest, err
}

func (s *Service) preflightTurn(ctx context.Context, id int64) (rest time.Duration, err error) {
	facts := &shared{}
	for begun := time.Now(); time.Since(begun) < preflightTurn; {
		p, err := s.preflightByID(ctx, s.db, id)
		if err != nil || p.State == preflightDone {
			return 0, err
		}
		more, err := s.preflightPage(ctx, p, facts, preflightTries)
		if wait := wechat.RetryAfter(err, s.cfg.Now()); wait > 0 && ctx.Err() == nil {
			return min(wait, time.Minute), nil
		}
		if err != nil || !more {
			return 0, err
		}
	}
	return time.Second, nil
}

// preflightPage finds out about the next merchants and writes it down. One that WeChat tells nothing about for the moment
// comes again after all others; at its last try that is what is found. When it is so for a whole page, or WeChat asks for
// a pause, that is the error.
func (s *Service) preflightPage(ctx context.Context, p *PreflightRun, facts *shared, tries int) (more bool, err error) {
	page, err := s.preflightOpen(ctx, p.ID, preflightPage)
	if err != nil {
		return false, err
	}
	appids := make([]string, len(page))
	for i, l := range page {
		appids[i] = l.appid
	}
	targets, _, err := s.merchants.Targets(ctx, authorize.TargetQuery{AppIDs: appids})
	if err != nil {
		return false, err
	}
	var of map[string]*Submission
	if p.ofID != 0 {
		if of, err = s.releasedOf(ctx, p.ofID, appids); err != nil {
			return false, err
		}
	}
	var g errgroup.Group
	g.SetLimit(preflightAtOnce)
	for i := range page {
		at := slices.IndexFunc(targets, func(m authorize.Target) bool { return m.AppID == page[i].appid })
		if at < 0 {
			page[i].found = []*StepError{{Code: "unauthorized", Detail: factOf("merchant is not on record")}}
			continue
		}
		g.Go(func() error {
			if p.ofID != 0 {
				page[i].way, page[i].found, page[i].err = s.lookBack(ctx, targets[at], of[page[i].appid])
				return nil
			}
			page[i].found, page[i].err = s.look(ctx, targets[at], &p.spec, facts)
			return nil
		})
	}
	_ = g.Wait()
	if err := ctx.Err(); err != nil {
		return false, err // shutting down: nothing of this was found out
	}
	again := 0
	var pause error
	for i := range page {
		l := &page[i]
		l.tries++
		wait := wechat.RetryAfter(l.err, s.cfg.Now())
		if l.again = wait > 0 && l.tries < tries; l.again {
			again++
		}
		if l.again && (pause == nil || wait > wechat.RetryAfter(pause, s.cfg.Now())) {
			pause = l.err
		}
	}
	if more, err = s.keepFindings(ctx, p.ID, page, facts.quota.peek()); err != nil {
		return false, err
	}
	if again > 0 && (again == len(page) || wechat.IsCode(pause, 45009, 45011)) {
		return true, pause
	}
	return more, nil
}

// looked is what came of one merchant.
type looked struct {
	appid string
	tries int
	found []*StepError
	way   *Rollback
	err   error
	again bool // found out nothing; it is to be tried again
}

// result is all that is told of the merchant; what could not be found out is told too, and not kept for others.
func (l looked) result() (found []*StepError, reusable bool) {
	found = l.found
	if found == nil {
		found = []*StepError{}
	}
	if l.err == nil {
		return found, true
	}
	return append(found, failureOf(l.err)), false
}

func (s *Service) look(ctx context.Context, m authorize.Target, spec *Spec, facts *shared) ([]*StepError, error) {
	var found []*StepError
	err := turn.Read(ctx, s.locks, m.AppID, func(ctx context.Context) (err error) {
		found, err = s.inspect(ctx, m, spec, s.merchants.API(m.AppID), facts, "")
		return err
	})
	return found, err
}

func (r *remembered[T]) peek() *T {
	r.mu.Lock()
	defer r.mu.Unlock()
	if !r.known {
		return nil
	}
	return &r.value
}

func publishPreflight(ctx context.Context, tx pgx.Tx, id int64, state string) error {
	return live.Publish(ctx, tx, live.Event{Kind: "preflight", ID: strconv.FormatInt(id, 10), State: state})
}
