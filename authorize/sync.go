package authorize

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/wxsteward/wxsteward/component"
	"github.com/wxsteward/wxsteward/internal/fault"
	"github.com/wxsteward/wxsteward/internal/live"
	"github.com/wxsteward/wxsteward/internal/wechat"
)

// States of a synchronization.
const (
	syncRunning   = "running"
	syncCompleted = "completed"
	syncFailed    = "failed"
)

const (
	// Sentences told about a synchronization while it runs, and when it is over.
	someSyncErrors, allSyncErrors = 50, 10000
	// syncPatience ends a synchronization that cannot be brought to its end.
	syncPatience = 24 * time.Hour
	// syncOverdue is the age of the last one from which the next is started, should the nightly hour have passed unseen.
	syncOverdue = 36 * time.Hour
)

// Sync is one comparison of the merchants on record with WeChat's list.
type Sync struct {
	ID          string
	State       string // running, completed or failed
	Done, Total int    // merchants listed
	Failed      int    // merchants whose details could not be read, or whose absence not be confirmed
	Added       int    // merchants that were not on record, or counted as withdrawn
	Recovered   int    // refresh tokens
	Withdrawn   int    // merchants that are not listed any more
	StartedBy   string
	StartedAt   time.Time
	ListedAt    *time.Time // when the whole list was read and its tokens kept
	FinishedAt  *time.Time

	problem trouble // with the whole
}

// SyncFailure is a merchant that a synchronization could do nothing for. Nothing that was known of it is changed.
type SyncFailure struct {
	AppID   string
	trouble trouble
}

// Say tells what failed; lang is "en", else Chinese.
func (f SyncFailure) Say(lang string) string { return f.trouble.In(lang) }

// StartSync compares all merchants with WeChat's list, in the background: missing ones are added with their details, lost
// refresh tokens come back, and those absent from a complete list become unauthorized. One that is running serves all who
// ask.
func (s *Service) StartSync(ctx context.Context, by string) (Sync, error) {
	var run Sync
	err := s.inTx(ctx, func(tx pgx.Tx) error {
		var err error
		if run, err = startSync(ctx, tx, strings.ToLower(rand.Text()), by, s.Now()); err != nil {
			return err
		}
		if err := publishSync(ctx, tx, run); err != nil {
			return err
		}
		return s.enqueueSync(ctx, tx, run.ID)
	})
	if err != nil {
		return Sync{}, fmt.Errorf("start synchronization: %w", err)
	}
	return run, nil
}

// SyncStatus tells how a synchronization is, with its failures in the order of appids: the first ones while it runs, all (up to
// 10,000) when it is over; fault.NotFound if there is none with this id.
func (s *Service) SyncStatus(ctx context.Context, id string) (Sync, []SyncFailure, error) {
	if !plausibleID(id) {
		return Sync{}, nil, fault.New(fault.NotFound, "")
	}
	run, err := findSync(ctx, s.db, id)
	if errors.Is(err, pgx.ErrNoRows) {
		return Sync{}, nil, fault.New(fault.NotFound, "")
	}
	if err != nil {
		return Sync{}, nil, fmt.Errorf("read synchronization: %w", err)
	}
	limit := allSyncErrors
	if run.State == syncRunning {
		limit = someSyncErrors
	}
	failures, err := syncFailures(ctx, s.db, id, limit)
	if err != nil {
		return Sync{}, nil, fmt.Errorf("read failures of synchronization: %w", err)
	}
	return run, failures, nil
}

// Syncs lists the latest synchronizations, the newest first.
func (s *Service) Syncs(ctx context.Context, limit int) ([]Sync, error) {
	runs, err := listSyncs(ctx, s.db, limit)
	if err != nil {
		return nil, fmt.Errorf("list synchronizations: %w", err)
	}
	return runs, nil
}

// keepSyncing wakes a synchronization that nobody works, and starts the next one where the nightly hour has passed while no
// process was there.
func (s *Service) keepSyncing(ctx context.Context) error {
	now := s.Now()
	last, err := lastSync(ctx, s.db)
	if err != nil {
		return fmt.Errorf("read last synchronization: %w", err)
	}
	switch {
	case last.ID != "" && last.State == syncRunning:
		return s.inTx(ctx, func(tx pgx.Tx) error { return s.enqueueSync(ctx, tx, last.ID) })
	case !last.StartedAt.IsZero() && now.Sub(last.StartedAt) > syncOverdue:
		_, err := s.StartSync(ctx, "")
		return err
	}
	return nil
}

func publishSync(ctx context.Context, tx pgx.Tx, run Sync) error {
	return live.Publish(ctx, tx, live.Event{Kind: "sync", ID: run.ID, State: run.State})
}

// errSyncElsewhere: another process works this synchronization.
var errSyncElsewhere = errors.New("the synchronization is worked elsewhere")

// sync works a synchronization until it is over or its turn is; more says that there is something left. Whoever goes on after a
// crash begins where the last has saved. last says that nobody tries again.
func (s *Service) sync(ctx context.Context, id string, last bool) (more bool, err error) {
	got, err := s.locker.Try(ctx, "authorizer sync", func(ctx context.Context) error {
		run, err := findSync(ctx, s.db, id)
		if err != nil || run.State != syncRunning {
			return ignoreNoRows(err)
		}
		more, err = s.syncStep(ctx, run)
		hopeless := last || wechat.ClassOf(err) != wechat.ClassTransient && !wechat.IsCode(err, minuteQuota) || s.Now().Sub(run.StartedAt) > syncPatience
		if err == nil || !hopeless || ctx.Err() != nil {
			return err
		}
		return s.endSync(ctx, run, syncFailed, troubleOf(err))
	})
	if err == nil && !got {
		err = errSyncElsewhere
	}
	return more, err
}

func (s *Service) syncStep(ctx context.Context, run Sync) (more bool, err error) {
	if run.ListedAt == nil {
		if err := s.syncList(ctx, &run); err != nil {
			return false, err
		}
	}
	if more, err = s.syncItems(ctx, &run); err != nil || more {
		return more, err
	}
	return false, s.endSync(ctx, run, syncCompleted, trouble{})
}

func ignoreNoRows(err error) error {
	if errors.Is(err, pgx.ErrNoRows) {
		return nil
	}
	return err
}

func (s *Service) endSync(ctx context.Context, run Sync, state string, problem trouble) error {
	run.State = state
	err := s.inTx(ctx, func(tx pgx.Tx) error {
		if err := endSync(ctx, tx, run.ID, state, problem, s.Now()); err != nil {
			return err
		}
		return publishSync(ctx, tx, run)
	})
	if err != nil {
		return fmt.Errorf("end synchronization: %w", err)
	}
	return nil
}

// syncList reads WeChat's list to its end, page by page, and keeps the authorizations and refresh tokens in it at once: from
// then on all calls work. Half a list is an error, or the rest would look withdrawn.
func (s *Service) syncList(ctx context.Context, run *Sync) error {
	if err := clearSyncItems(ctx, s.db, run.ID); err != nil {
		return fmt.Errorf("begin synchronization anew: %w", err)
	}
	seen := map[string]bool{}
	for offset := 0; ; offset += listPage {
		if err := s.syncPace.Wait(ctx); err != nil {
			return err
		}
		page, err := s.component.API().AuthorizerList(ctx, offset, listPage)
		if err != nil {
			return err
		}
		var fresh []wechat.AuthorizerEntry
		for _, entry := range page.List {
			if entry.AppID != "" && !seen[entry.AppID] && !component.IsTestAccount(entry.AppID) {
				fresh = append(fresh, entry)
			}
			seen[entry.AppID] = true
		}
		total := int(page.TotalCount)
		if err := s.keepPage(ctx, run, fresh, total); err != nil {
			return fmt.Errorf("keep listed merchants: %w", err)
		}
		switch {
		case len(seen) >= total:
			listedAt := s.Now()
			if run.Total, err = finishSyncList(ctx, s.db, run.ID, listedAt); err != nil {
				return fmt.Errorf("keep the list of merchants: %w", err)
			}
			run.ListedAt = &listedAt
			return nil
		case len(page.List) == 0 || offset > maxListed:
			return &wechat.TransportError{Op: "cgi-bin/component/api_get_authorizer_list", Sent: true, Err: fmt.Errorf("%d of %d merchants listed", len(seen), total)}
		}
	}
}

// keepPage brings the merchants of one page on record, in one transaction.
func (s *Service) keepPage(ctx context.Context, run *Sync, entries []wechat.AuthorizerEntry, total int) error {
	appids, keys, prints := make([]string, len(entries)), make([]string, len(entries)), make([]string, len(entries))
	for i, entry := range entries {
		appids[i], keys[i] = entry.AppID, tokenKey(entry.AppID)
		if !entry.RefreshToken.IsZero() {
			prints[i] = entry.RefreshToken.Fingerprint()
		}
	}
	return s.inTx(ctx, func(tx pgx.Tx) error {
		known, err := lockStandings(ctx, tx, appids)
		if err != nil {
			return err
		}
		have, err := s.tokens.HaveRefresh(ctx, tx, keys)
		if err != nil {
			return err
		}
		added, recovered := 0, 0
		for _, entry := range entries {
			old, onRecord := known[entry.AppID]
			agreed := time.Unix(int64(entry.AuthTime), 0)
			if onRecord && old.Status == statusUnauthorized && old.UnauthorizedAt != nil && !agreed.After(*old.UnauthorizedAt) {
				continue // the list may lag behind the withdrawal: its item asks about this one
			}
			has := have[tokenKey(entry.AppID)]
			isNew := !onRecord || old.Status != statusAuthorized
			switch {
			case isNew:
				added++
			case !has && !entry.RefreshToken.IsZero():
				recovered++
			default:
				continue
			}
			if err := s.adopt(ctx, tx, entry.AppID, entry.RefreshToken, agreed, has); err != nil {
				return err
			}
			if isNew {
				if err := s.tellAuthorized(ctx, tx, entry.AppID); err != nil {
					return err
				}
			}
		}
		if err := insertSyncItems(ctx, tx, run.ID, appids, prints); err != nil {
			return err
		}
		run.Total, run.Added, run.Recovered = total, run.Added+added, run.Recovered+recovered
		if err := countSync(ctx, tx, run.ID, total, added, recovered, 0); err != nil {
			return err
		}
		return publishSync(ctx, tx, *run)
	})
}
