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
	"github.com/wxsteward/wxsteward/internal/sealed"
	"github.com/wxsteward/wxsteward/internal/wechat"
)

// States of a synchronization.
const (
	syncRunning   = "running"
	syncCompleted = "completed"
	syncFailed    = "failed"
)

const maxSyncErrors = 50

// Sync is one comparison of the merchants on record with WeChat's list.
type Sync struct {
	ID          string
	State       string // running, completed or failed
	Done, Total int    // merchants
	Failed      int
	StartedAt   time.Time
	FinishedAt  *time.Time

	problems []string // as syncProblem writes them, at most 50
}

// syncProblem is what is kept of one failure. appid is empty when it was about the whole list.
func syncProblem(appid string, t trouble) string { return appid + "\t" + t.String() }

// Errors says what failed, at most 50 sentences; lang is "en", else Chinese.
func (s Sync) Errors(lang string) []string {
	said := make([]string, 0, len(s.problems))
	for _, problem := range s.problems {
		appid, kept, _ := strings.Cut(problem, "\t")
		if appid == "" {
			said = append(said, parseTrouble(kept).In(lang))
		} else {
			said = append(said, fault.Say(lang, "%s: %s", appid, parseTrouble(kept)))
		}
	}
	return said
}

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
		return s.enqueueSync(ctx, tx, run.ID)
	})
	if err != nil {
		return Sync{}, fmt.Errorf("start synchronization: %w", err)
	}
	return run, nil
}

// SyncStatus tells how a synchronization is; fault.NotFound if there is none with this id.
func (s *Service) SyncStatus(ctx context.Context, id string) (Sync, error) {
	if !plausibleID(id) {
		return Sync{}, fault.New(fault.NotFound, "")
	}
	run, err := findSync(ctx, s.db, id)
	if errors.Is(err, pgx.ErrNoRows) {
		return Sync{}, fault.New(fault.NotFound, "")
	}
	if err != nil {
		return Sync{}, fmt.Errorf("read synchronization: %w", err)
	}
	return run, nil
}

// sync works a synchronization; it may begin anew after a crash, everything it does can be done twice. last says that
// nobody tries again.
func (s *Service) sync(ctx context.Context, id string, last bool) error {
	run, err := findSync(ctx, s.db, id)
	if err != nil || run.State != syncRunning {
		return ignoreNoRows(err)
	}
	began := s.Now()
	listed, err := s.wholeList(ctx)
	if err != nil {
		if last || wechat.ClassOf(err) != wechat.ClassTransient {
			return s.endSync(ctx, run, syncFailed, syncProblem("", troubleOf(err)))
		}
		return err
	}
	run.Total, run.Done, run.Failed, run.problems = len(listed), 0, 0, nil
	for _, entry := range listed {
		if err := s.syncOne(ctx, entry); err != nil {
			if ctx.Err() != nil {
				return err
			}
			run.Failed++
			if len(run.problems) < maxSyncErrors {
				run.problems = append(run.problems, syncProblem(entry.AppID, troubleOf(err)))
			}
		}
		run.Done++
		if err := progressSync(ctx, s.db, run); err != nil {
			return err
		}
	}
	if err := s.withdrawAbsent(ctx, listed, began); err != nil {
		return err
	}
	return s.endSync(ctx, run, syncCompleted, "")
}

func ignoreNoRows(err error) error {
	if errors.Is(err, pgx.ErrNoRows) {
		return nil
	}
	return err
}

func (s *Service) endSync(ctx context.Context, run Sync, state, problem string) error {
	run.State, run.FinishedAt = state, new(s.Now())
	if problem != "" {
		run.problems = append(run.problems, problem)
	}
	return progressSync(ctx, s.db, run)
}

// wholeList reads WeChat's list to its end; half a list is an error, or the rest would look withdrawn.
func (s *Service) wholeList(ctx context.Context) ([]wechat.AuthorizerEntry, error) {
	var all []wechat.AuthorizerEntry
	seen := map[string]bool{}
	for offset := 0; ; offset += listPage {
		page, err := s.component.API().AuthorizerList(ctx, offset, listPage)
		if err != nil {
			return nil, err
		}
		for _, entry := range page.List {
			if entry.AppID != "" && !seen[entry.AppID] && !component.IsTestAccount(entry.AppID) {
				all = append(all, entry)
			}
			seen[entry.AppID] = true
		}
		switch total := int(page.TotalCount); {
		case len(seen) >= total:
			return all, nil
		case len(page.List) == 0 || offset > maxListed:
			return nil, &wechat.TransportError{Op: "cgi-bin/component/api_get_authorizer_list", Sent: true, Err: fmt.Errorf("%d of %d merchants listed", len(seen), total)}
		}
	}
}

// syncOne brings one listed merchant on record.
func (s *Service) syncOne(ctx context.Context, entry wechat.AuthorizerEntry) error {
	agreed := time.Unix(int64(entry.AuthTime), 0)
	old, err := readStanding(ctx, s.db, entry.AppID)
	known := err == nil
	if err != nil && !errors.Is(err, pgx.ErrNoRows) {
		return err
	}
	if known && old.Status == statusUnauthorized && old.UnauthorizedAt != nil && !agreed.After(*old.UnauthorizedAt) {
		// The list may lag behind the withdrawal, or the time may be that of the first consent: ask about this one.
		if _, err := s.readBack(ctx, entry.AppID); err != nil {
			if wechat.IsCode(err, notAuthorized) {
				return nil
			}
			return err
		}
		agreed = s.Now()
	}
	has, err := s.tokens.HasRefresh(ctx, tokenKey(entry.AppID))
	if err != nil {
		return err
	}
	if !known || old.Status != statusAuthorized || !has && !entry.RefreshToken.IsZero() {
		if err := s.adopt(ctx, entry.AppID, entry.RefreshToken, agreed, has); err != nil {
			return err
		}
	}
	return s.Refresh(ctx, entry.AppID)
}

// adopt records an authorization that no event or redirect has told of. Without a refresh token its code was never
// exchanged and is lost, so the merchant has to authorize again.
func (s *Service) adopt(ctx context.Context, appid string, refresh sealed.Secret, at time.Time, has bool) error {
	return s.inTx(ctx, func(tx pgx.Tx) error {
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
	})
}

// withdrawAbsent marks merchants that a complete list lacks, each confirmed by a call of its own: the list moves while its
// pages are read.
func (s *Service) withdrawAbsent(ctx context.Context, listed []wechat.AuthorizerEntry, began time.Time) error {
	ids := make([]string, len(listed))
	for i, entry := range listed {
		ids[i] = entry.AppID
	}
	absent, err := absentAuthorizers(ctx, s.db, ids)
	if err != nil {
		return fmt.Errorf("find absent merchants: %w", err)
	}
	for _, appid := range absent {
		old, err := readStanding(ctx, s.db, appid)
		if err != nil {
			return err
		}
		if _, err := s.readBack(ctx, appid); !wechat.IsCode(err, notAuthorized, unknownAppID) {
			continue
		}
		if err := s.withdraw(ctx, appid, old, began); err != nil && !errors.Is(err, errMoved) {
			return err
		}
	}
	return nil
}
