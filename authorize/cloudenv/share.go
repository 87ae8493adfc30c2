package cloudenv

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/wxsteward/wxsteward/authorize"
	"github.com/wxsteward/wxsteward/authorize/refusal"
	"github.com/wxsteward/wxsteward/internal/fault"
	"github.com/wxsteward/wxsteward/internal/wechat"
)

// The states of a Share.
const (
	statePending   = "pending"   // written down, not asked yet
	stateSent      = "sent"      // the call may have reached WeChat
	stateWaiting   = "waiting"   // for the administrator to confirm
	stateConfirmed = "confirmed" // the mini program uses the environment
	stateFailed    = "failed"
	stateExpired   = "expired" // nobody confirmed for so long that WeChat is not asked any more
	stateEnded     = "ended"   // the merchant has withdrawn its authorization, and the environment with it
)

const (
	// batch is how many mini programs one call offers an environment to, or asks about. WeChat's limit is not documented.
	batch = 20
	// sentPatience is after when a call that nobody heard of again is repeated.
	sentPatience = time.Minute
	// confirmLife is how long WeChat is asked about an address.
	confirmLife = 30 * 24 * time.Hour
	maxAppIDs   = 1000
)

// Share is an environment offered to one mini program.
type Share struct {
	ID          int64
	Env         string
	Kind        wechat.CloudKind
	AppID       string
	State       string
	URL         string // where its administrator confirms
	Reason      string // WeChat's words
	Refusal     refusal.Refusal
	CreatedBy   string
	CreatedAt   time.Time
	AskedAt     *time.Time
	ConfirmedAt *time.Time
	NickName    string
	Principal   string

	attempts int
}

// Unfit is a merchant that no environment can be shared with, and why.
type Unfit struct {
	AppID string
	why   *fault.Error
}

// Say tells why in a language.
func (u Unfit) Say(lang string) string { return u.why.In(lang) }

// Offer shares an environment with mini programs, in the background. Those it is shared with already, or offered to, stay as they are.
// WeChat lets one environment be used by the mini programs of one principal only.
func (s *Service) Offer(ctx context.Context, env string, kind wechat.CloudKind, appids []string, by string) (shares []Share, unfit []Unfit, err error) {
	if len(appids) == 0 || len(appids) > maxAppIDs {
		return nil, nil, fault.Invalid("body.appids", "Name 1 to %d merchants.", nil, maxAppIDs)
	}
	targets, unknown, err := s.merchants.Targets(ctx, authorize.TargetQuery{AppIDs: appids})
	if err != nil {
		return nil, nil, err
	}
	for _, appid := range unknown {
		unfit = append(unfit, Unfit{appid, fault.New(fault.NotFound, "This merchant is not on record.")})
	}
	var fit []string
	principals := map[string]bool{}
	for _, t := range targets {
		switch {
		case t.Status != "authorized":
			unfit = append(unfit, Unfit{t.AppID, fault.New(fault.Conflict, "This merchant has withdrawn its authorization.")})
		case t.Kind != "miniprogram" && t.Kind != "":
			unfit = append(unfit, Unfit{t.AppID, fault.New(fault.Validation, "This is no mini program.")})
		default:
			fit = append(fit, t.AppID)
			principals[t.PrincipalName] = true
		}
	}
	err = pgx.BeginFunc(ctx, s.db, func(tx pgx.Tx) error {
		if err := lockEnv(ctx, tx, env); err != nil {
			return err
		}
		used, err := principalsOf(ctx, tx, env)
		if err != nil {
			return err
		}
		for _, name := range used {
			principals[name] = true
		}
		delete(principals, "")
		if len(principals) > 1 {
			names := make([]string, 0, len(principals))
			for name := range principals {
				names = append(names, name)
			}
			slices.Sort(names)
			return fault.Invalid("body.appids", "WeChat lets the mini programs of one principal use an environment; these would be of: %s.", nil, strings.Join(names[:min(len(names), 5)], ", "))
		}
		if err := insertShares(ctx, tx, env, kind, fit, by, s.cfg.Now()); err != nil {
			return err
		}
		if shares, err = sharesOf(ctx, tx, env, fit); err != nil {
			return err
		}
		return s.enqueue(ctx, tx)
	})
	if err != nil {
		return nil, nil, fmt.Errorf("offer environment: %w", err)
	}
	return shares, unfit, nil
}

// Retry asks WeChat for a new address; for one that is confirmed it fails with fault.Conflict.
func (s *Service) Retry(ctx context.Context, id int64) (Share, error) {
	err := pgx.BeginFunc(ctx, s.db, func(tx pgx.Tx) error {
		share, err := findShare(ctx, tx, id)
		if err != nil {
			return err
		}
		if share.State == stateConfirmed {
			return fault.New(fault.Conflict, "The mini program uses this environment already.")
		}
		if err := s.merchants.CheckAuthorized(ctx, share.AppID); err != nil {
			return err
		}
		if err := reopenShare(ctx, tx, id, s.cfg.Now()); err != nil {
			return err
		}
		return s.enqueue(ctx, tx)
	})
	if err != nil {
		return Share{}, noShare(err)
	}
	return s.Share(ctx, id)
}

// Check has WeChat asked now about every offer that waits; env "" is all.
func (s *Service) Check(ctx context.Context, env string) error {
	return pgx.BeginFunc(ctx, s.db, func(tx pgx.Tx) error {
		if err := hurryShares(ctx, tx, env, s.cfg.Now()); err != nil {
			return err
		}
		return s.enqueue(ctx, tx)
	})
}

// Share reads one.
func (s *Service) Share(ctx context.Context, id int64) (Share, error) {
	share, err := findShare(ctx, s.db, id)
	return share, noShare(err)
}

func noShare(err error) error {
	if errors.Is(err, pgx.ErrNoRows) {
		return fault.New(fault.NotFound, "")
	}
	return err
}

// Withdrawn ends what a merchant uses: WeChat takes the environment away with the authorization.
func (s *Service) Withdrawn(ctx context.Context, tx pgx.Tx, appid string) error {
	return endShares(ctx, tx, appid)
}

// work sends offers that are due and asks about those that wait, until nothing is due.
func (s *Service) work(ctx context.Context) error {
	// Whoever has the lock looks again before it ends, so waiting a moment is enough.
	got, err := s.locks.Within(ctx, time.Second, "cloudenv work", func(ctx context.Context) error {
		for {
			more, err := s.send(ctx)
			if err != nil {
				return err
			}
			if more {
				continue
			}
			if more, err = s.follow(ctx); err != nil || !more {
				return err
			}
		}
	})
	if err == nil && !got {
		return nil // another replica does it
	}
	return err
}

// send makes one call for offers of one environment. more says that it may have left some.
func (s *Service) send(ctx context.Context) (more bool, err error) {
	now := s.cfg.Now()
	shares, err := claimShares(ctx, s.db, now, now.Add(sentPatience), batch)
	if err != nil || len(shares) == 0 {
		return false, err
	}
	env, kind := shares[0].Env, shares[0].Kind
	appids := make([]string, len(shares))
	for i, share := range shares {
		appids[i] = share.AppID
	}
	answer, err := s.platform.API().ShareCloudEnv(ctx, kind, env, appids)
	if ctx.Err() != nil {
		return false, ctx.Err()
	}
	if err != nil {
		return true, s.settleFailure(ctx, shares, err)
	}
	// Those without an address may use the environment already.
	var bound map[string][]string
	if len(answer.URLs) < len(shares) {
		if bound, err = s.platform.API().CloudEnvsOf(ctx, kind, appids); err != nil {
			s.cfg.Logger.WarnContext(ctx, "who uses an environment is not known", "env", env, "error", err)
		}
	}
	for i := range shares {
		share := &shares[i]
		share.attempts, share.AskedAt = 0, &now
		switch url := answer.URLs[share.AppID]; {
		case slices.Contains(bound[share.AppID], env):
			share.State, share.ConfirmedAt = stateConfirmed, &now
		case url != "":
			share.State, share.URL = stateWaiting, url
		default:
			share.State, share.Reason = stateFailed, answer.Failed[share.AppID]
		}
	}
	return true, updateShares(ctx, s.db, shares, now.Add(s.cfg.Poll))
}

// settleFailure notes a call that failed as a whole: it is repeated where that may help.
func (s *Service) settleFailure(ctx context.Context, shares []Share, failure error) error {
	again := slices.Contains([]wechat.Class{wechat.ClassTransient, wechat.ClassQuota, wechat.ClassState, wechat.ClassToken}, wechat.ClassOf(failure))
	pause := s.cfg.RetryBase
	for i := range shares {
		share := &shares[i]
		share.attempts++
		share.Refusal, share.State = refusal.Of(failure), stateFailed
		if again && share.attempts < maxAttempts {
			share.State = statePending
			pause = max(pause, s.cfg.RetryBase<<min(share.attempts, maxAttempts), wechat.RetryAfter(failure, s.cfg.Now()))
		}
	}
	return updateShares(ctx, s.db, shares, s.cfg.Now().Add(pause))
}

const maxAttempts = 10

// follow asks about offers of one kind that wait. more says that it may have left some.
func (s *Service) follow(ctx context.Context) (more bool, err error) {
	now := s.cfg.Now()
	shares, err := dueShares(ctx, s.db, now, batch)
	if err != nil || len(shares) == 0 {
		return false, err
	}
	var appids []string
	for _, share := range shares {
		if !slices.Contains(appids, share.AppID) {
			appids = append(appids, share.AppID)
		}
	}
	bound, failure := s.platform.API().CloudEnvsOf(ctx, shares[0].Kind, appids)
	if ctx.Err() != nil {
		return false, ctx.Err()
	}
	if failure != nil {
		s.cfg.Logger.WarnContext(ctx, "who uses an environment is not known", "error", failure)
	}
	for i := range shares {
		share := &shares[i]
		switch {
		case slices.Contains(bound[share.AppID], share.Env):
			share.State, share.ConfirmedAt = stateConfirmed, &now
		case failure == nil && share.AskedAt != nil && now.Sub(*share.AskedAt) > confirmLife:
			share.State = stateExpired
		}
	}
	return true, updateShares(ctx, s.db, shares, now.Add(s.cfg.Poll))
}
