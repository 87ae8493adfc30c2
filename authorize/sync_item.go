package authorize

import (
	"context"
	"errors"
	"fmt"
	"runtime/debug"
	"slices"
	"sync"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/wxsteward/wxsteward/internal/fault"
	"github.com/wxsteward/wxsteward/internal/live"
	"github.com/wxsteward/wxsteward/internal/sealed"
	"github.com/wxsteward/wxsteward/internal/wechat"
)

const (
	// syncWorkers call WeChat at once for a synchronization; syncPace bounds them together.
	syncWorkers = 8
	// syncBatch items are taken at a time; results are saved every syncSave.
	syncBatch = 500
	syncSave  = 500 * time.Millisecond
	// syncTurn is how long a worker is held before the job goes to the end of the queue.
	syncTurn = 5 * time.Minute
	// syncStreak failures without a success between them are not those of merchants: WeChat or the platform is in trouble.
	syncStreak = 30
)

// syncItem is one merchant a synchronization has to do.
type syncItem struct {
	AppID   string
	Listed  bool
	Refresh string // fingerprint of the refresh token listed
}

// syncResult is what became of an item.
type syncResult struct {
	item                        syncItem
	added, recovered, withdrawn int
	err                         error
	began, ended                time.Time
}

// syncItems reads the details of all merchants listed, and confirms the absence of the others, each by a call of its own: the
// list moves while its pages are read. more says that its turn is over.
func (s *Service) syncItems(ctx context.Context, run *Sync) (more bool, err error) {
	until := time.Now().Add(syncTurn)
	for {
		items, err := pendingSyncItems(ctx, s.db, run.ID, syncBatch)
		if err != nil {
			return false, fmt.Errorf("what is left to synchronize: %w", err)
		}
		if len(items) == 0 {
			return false, nil
		}
		if err := s.syncBatch(ctx, run, items); err != nil {
			return false, err
		}
		if time.Now().After(until) {
			return true, nil
		}
	}
}

// containSync takes a panic for a failure of one merchant, which must not end the process.
func containSync(item syncItem, work func() syncResult) (r syncResult) {
	defer func() {
		if p := recover(); p != nil {
			r = syncResult{item: item, err: fmt.Errorf("panic: %v\n%s", p, debug.Stack())}
		}
	}()
	return work()
}

// syncBatch does items side by side and saves what becomes of them as it goes.
func (s *Service) syncBatch(ctx context.Context, run *Sync, items []syncItem) error {
	workCtx, stop := context.WithCancel(ctx)
	defer stop()
	todo, results := make(chan syncItem), make(chan syncResult)
	var workers sync.WaitGroup
	for range syncWorkers {
		workers.Go(func() {
			for item := range todo {
				began := time.Now()
				r := containSync(item, func() syncResult { return s.syncOne(workCtx, run, item) })
				r.began, r.ended = began, time.Now()
				if workCtx.Err() == nil || r.err == nil {
					results <- r
				}
			}
		})
	}
	go func() {
		defer func() {
			close(todo)
			workers.Wait()
			close(results)
		}()
		for _, item := range items {
			if s.syncPace.Wait(workCtx) != nil {
				return
			}
			select {
			case todo <- item:
			case <-workCtx.Done():
				return
			}
		}
	}()
	return s.saveResults(ctx, run, results, stop)
}

// saveResults saves results until there are no more. What was done is saved even while we are being stopped.
func (s *Service) saveResults(ctx context.Context, run *Sync, results <-chan syncResult, stop func()) (err error) {
	saveCtx, cancel := context.WithCancel(context.WithoutCancel(ctx))
	defer cancel()
	tick := time.NewTicker(syncSave)
	defer tick.Stop()
	var unsaved []syncResult
	var streak []syncResult // failures that are the merchants' own if a success follows
	var trouble error
	save := func() {
		if len(unsaved) == 0 || err != nil {
			return
		}
		if err = s.saveItems(saveCtx, run, unsaved); err != nil {
			stop()
		}
		unsaved = nil
	}
	for {
		select {
		case r, open := <-results:
			switch {
			case !open:
				if trouble == nil {
					unsaved = append(unsaved, streak...)
				}
				save()
				return errors.Join(err, trouble, ctx.Err())
			case r.err == nil: // whoever failed before this one began did so by itself
				streak = slices.DeleteFunc(streak, func(f syncResult) bool {
					alone := f.ended.Before(r.began)
					if alone {
						unsaved = append(unsaved, f)
					}
					return alone
				})
				unsaved = append(unsaved, r)
			default:
				if streak = append(streak, r); len(streak) >= syncStreak && trouble == nil {
					trouble = r.err
					stop()
				}
			}
		case <-tick.C:
			save()
		}
	}
}

func (s *Service) saveItems(ctx context.Context, run *Sync, results []syncResult) error {
	ctx, cancel := context.WithTimeout(ctx, saveTimeout)
	defer cancel()
	err := s.inTx(ctx, func(tx pgx.Tx) error {
		var added, recovered, withdrawn int
		for _, r := range results {
			added, recovered, withdrawn = added+r.added, recovered+r.recovered, withdrawn+r.withdrawn
		}
		if err := settleSyncItems(ctx, tx, run.ID, results); err != nil {
			return err
		}
		if err := countSync(ctx, tx, run.ID, 0, added, recovered, withdrawn); err != nil {
			return err
		}
		return publishSync(ctx, tx, *run)
	})
	if err != nil {
		return fmt.Errorf("save synchronization: %w", err)
	}
	return nil
}

// syncOne does one item.
func (s *Service) syncOne(ctx context.Context, run *Sync, item syncItem) (r syncResult) {
	r.item = item
	old, err := readStanding(ctx, s.db, item.AppID)
	if err != nil {
		r.err = err
		return r
	}
	if !item.Listed {
		r.withdrawn, r.err = s.confirmAbsent(ctx, run, item.AppID, old)
		return r
	}
	if old.Status == statusUnauthorized {
		g, err := s.readBack(ctx, item.AppID)
		if err != nil {
			if !wechat.IsCode(err, notAuthorized) {
				r.err = err
			}
			return r
		}
		err = s.inTx(ctx, func(tx pgx.Tx) error {
			if err := s.adopt(ctx, tx, item.AppID, g.grant.Refresh, s.Now(), false); err != nil {
				return err
			}
			return s.tellAuthorized(ctx, tx, item.AppID)
		})
		if err != nil {
			r.err = err
			return r
		}
		r.added = 1
	}
	replaced, err := s.refreshDetails(ctx, item.AppID, item.Refresh)
	if fe, ok := errors.AsType[*fault.Error](err); ok && fe.Kind == fault.Unauthorized {
		err = nil // withdrawn meanwhile
	}
	if r.err = err; replaced {
		r.recovered = 1
	}
	return r
}

// confirmAbsent withdraws a merchant that a complete list lacks if WeChat says the same of it alone.
func (s *Service) confirmAbsent(ctx context.Context, run *Sync, appid string, old standing) (withdrawn int, err error) {
	if old.Status != statusAuthorized {
		return 0, nil
	}
	if _, err := s.readBack(ctx, appid); !wechat.IsCode(err, notAuthorized, unknownAppID) {
		return 0, err
	}
	err = s.withdraw(ctx, appid, old, run.StartedAt)
	if errors.Is(err, errMoved) {
		return 0, nil
	}
	if err != nil {
		return 0, err
	}
	return 1, nil
}

// adopt records an authorization that no event or redirect has told of. Without a refresh token its code was never
// exchanged and is lost, so the merchant has to authorize again.
func (s *Service) adopt(ctx context.Context, tx pgx.Tx, appid string, refresh sealed.Secret, at time.Time, has bool) error {
	if err := adoptAuthorizer(ctx, tx, appid, at, s.Now()); err != nil {
		return err
	}
	if !refresh.IsZero() {
		if err := s.tokens.PutRefresh(ctx, tx, tokenKey(appid), refresh); err != nil {
			return err
		}
	} else if !has {
		if _, err := markReauthorize(ctx, tx, appid, trouble{Word: troubleReauthorize}, s.Now()); err != nil {
			return err
		}
	}
	return live.Publish(ctx, tx, live.Event{Kind: "authorizer", ID: appid, AppID: appid, State: statusAuthorized})
}
