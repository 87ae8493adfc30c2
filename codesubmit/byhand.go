package codesubmit

import (
	"context"
	"errors"

	"github.com/jackc/pgx/v5"

	"github.com/wxsteward/wxsteward/authorize/turn"
	"github.com/wxsteward/wxsteward/internal/fault"
	"github.com/wxsteward/wxsteward/internal/wechat"
)

// byHand makes an operator's calls for one merchant when it is the merchant's turn. What is on its way for the merchant
// is looked at afterwards, so that it notices.
func (s *Service) byHand(ctx context.Context, appid string, fn func(ctx context.Context, api *wechat.Authorizer) error) error {
	if err := s.merchants.CheckAuthorized(ctx, appid); err != nil {
		return err
	}
	err := turn.Take(ctx, s.locks, appid, func(ctx context.Context) error { return fn(ctx, s.merchants.API(appid)) })
	if own, ok := errors.AsType[*StepError](err); ok {
		err = own.refusal()
	}
	if wakeErr := s.wakeOpen(context.WithoutCancel(ctx), appid); wakeErr != nil && err == nil {
		s.cfg.Logger.WarnContext(ctx, "submissions not woken after a call by hand", "appid", appid, "error", wakeErr)
	}
	return err
}

// wakeOpen makes all that is on its way for a merchant be looked at now.
func (s *Service) wakeOpen(ctx context.Context, appid string) error {
	return pgx.BeginFunc(ctx, s.db, func(tx pgx.Tx) error {
		open, err := openOf(ctx, tx, appid)
		if err != nil {
			return err
		}
		for _, sub := range open {
			if err := s.wake(ctx, tx, sub.ID); err != nil {
				return err
			}
		}
		return nil
	})
}

// refusal is a finding of ours as the answer to an operator's call.
func (f *StepError) refusal() error {
	if f.ErrCode != 0 {
		return &wechat.APIError{Op: f.Op, Code: f.ErrCode, Msg: f.ErrMsg, RID: f.RID}
	}
	hint := Fact{EN: f.hint(fault.English), ZH: f.hint(fault.Chinese)}
	if hint.IsZero() {
		return fault.New(fault.Conflict, "%s", f.Detail)
	}
	return fault.New(fault.Conflict, "%s: %s", f.Detail, hint)
}

// settled is the outcome of a call that changes something. Where the answer was lost, what WeChat shows decides; where it
// does not show the effect yet, the operator is told to look before repeating.
func settled(err error, holds func() (bool, error)) error {
	if err == nil || !wechat.OutcomeUnknown(err) {
		return err
	}
	if so, readErr := holds(); readErr == nil && so {
		return nil
	}
	return fault.Wrap(err, fault.WeChatUnavailable, "WeChat's answer was lost, and what it shows has not changed so far. Look at the versions again in a minute before you repeat this.")
}

// Widen publishes the approved version to a percentage of the users, or to more of them.
func (s *Service) Widen(ctx context.Context, appid string, percentage int) error {
	return s.byHand(ctx, appid, func(ctx context.Context, api *wechat.Authorizer) error {
		plan, err := api.GrayPlan(ctx)
		if err != nil {
			return err
		}
		latest, err := api.LatestAuditStatus(ctx)
		if err != nil && !wechat.IsCode(err, 85058) { // 85058: never submitted through this platform
			return err
		}
		if err != nil || latest.State != wechat.AuditApproved {
			return fault.New(fault.Conflict, "There is no approved version to release. Submit one and wait for WeChat's approval first.")
		}
		if running(plan) && plan.CreateTime >= latest.SubmitTime && percentage <= int(plan.Percentage) {
			return fault.New(fault.Conflict, "%d percent of the users have it already; only a larger percentage is possible. Cancel the gray release to take it back.", int(plan.Percentage))
		}
		return settled(api.GrayRelease(ctx, wechat.GrayRequest{Percentage: percentage}), func() (bool, error) {
			now, err := api.GrayPlan(ctx)
			return err == nil && now != nil && now.CreateTime >= latest.SubmitTime && int(now.Percentage) == percentage, err
		})
	})
}

// CancelGray takes a gray release back: its users fall back to the live version.
func (s *Service) CancelGray(ctx context.Context, appid string) error {
	return s.byHand(ctx, appid, func(ctx context.Context, api *wechat.Authorizer) error {
		plan, err := api.GrayPlan(ctx)
		if err != nil {
			return err
		}
		if !running(plan) {
			return fault.New(fault.Conflict, "No gray release is under way.")
		}
		return settled(api.RevertGray(ctx), func() (bool, error) {
			now, err := api.GrayPlan(ctx)
			return !running(now), err
		})
	})
}

// WithdrawAudit takes the version in audit back, whoever submitted it through this platform. It is counted before: if we die
// after WeChat has done it, nobody else would.
func (s *Service) WithdrawAudit(ctx context.Context, appid string) error {
	return s.byHand(ctx, appid, func(ctx context.Context, api *wechat.Authorizer) error {
		latest, err := api.LatestAuditStatus(ctx)
		if err != nil && !wechat.IsCode(err, 85058) {
			return err
		}
		if err != nil || !underAudit(latest.State) {
			return fault.New(fault.Conflict, "No version submitted through this platform is in audit, so there is nothing to take back.")
		}
		if err := s.uncountWithdrawal(ctx, appid, latest.AuditID); err != nil { // it is in audit: an earlier call has done nothing
			return err
		}
		left, err := s.withdrawalsLeft(ctx, []string{appid})
		if err != nil {
			return err
		}
		if left[appid].none() {
			return left[appid].refusal()
		}
		if err := s.countWithdrawal(ctx, s.db, appid, latest.AuditID, false); err != nil {
			return err
		}
		undone := api.UndoAudit(ctx)
		err = settled(undone, func() (bool, error) {
			now, err := api.LatestAuditStatus(ctx)
			return now.AuditID == latest.AuditID && now.State == wechat.AuditWithdrawn, err
		})
		if err == nil || wechat.OutcomeUnknown(undone) {
			return err
		}
		after := context.WithoutCancel(ctx)
		if noteErr := s.uncountWithdrawal(after, appid, latest.AuditID); noteErr != nil {
			return noteErr
		}
		if wechat.IsCode(err, 87013) {
			if noteErr := s.countWithdrawal(after, s.db, appid, latest.AuditID, true); noteErr != nil {
				return noteErr
			}
		}
		return err
	})
}

// ServerDomains reads a merchant's server domains, as they were set through this platform and as they work for users.
func (s *Service) ServerDomains(ctx context.Context, appid string) (set, effective wechat.Domains, err error) {
	err = s.readFor(ctx, appid, func(ctx context.Context, api *wechat.Authorizer) (err error) {
		set, effective, err = readServerDomains(ctx, api)
		return err
	})
	return set, effective, err
}

func readServerDomains(ctx context.Context, api *wechat.Authorizer) (set, effective wechat.Domains, err error) {
	result, err := api.ModifyDomain(ctx, wechat.DomainGet, wechat.Domains{})
	if err != nil {
		return set, effective, err
	}
	all, err := api.EffectiveDomain(ctx)
	return result.Domains, all.Effective, err
}

// SetServerDomains makes a merchant's server domains what is wanted and reads them, in one turn; lists that are absent
// stay as they are.
func (s *Service) SetServerDomains(ctx context.Context, appid string, wanted *DomainSpec) (set, effective wechat.Domains, err error) {
	var wrong fault.Collector
	wanted.check("body", &wrong)
	if err := wrong.Err(); err != nil {
		return set, effective, err
	}
	err = s.byHand(ctx, appid, func(ctx context.Context, api *wechat.Authorizer) error {
		_, err := s.setServerDomains(ctx, api, wanted)
		if err = settled(err, func() (bool, error) {
			now, err := api.ModifyDomain(ctx, wechat.DomainGet, wechat.Domains{})
			return len(domainGaps(wanted.server(now.Domains), now.Domains, true)) == 0, err
		}); err != nil {
			return err
		}
		set, effective, err = readServerDomains(ctx, api)
		return err
	})
	return set, effective, err
}

// WebviewDomains reads a merchant's web-view domains, as ServerDomains.
func (s *Service) WebviewDomains(ctx context.Context, appid string) (set, effective []string, err error) {
	err = s.readFor(ctx, appid, func(ctx context.Context, api *wechat.Authorizer) (err error) {
		set, effective, err = readWebviewDomains(ctx, api)
		return err
	})
	return set, effective, err
}

func readWebviewDomains(ctx context.Context, api *wechat.Authorizer) (set, effective []string, err error) {
	if set, err = api.SetWebviewDomain(ctx, wechat.DomainGet, nil); err != nil {
		return nil, nil, err
	}
	all, err := api.EffectiveWebviewDomain(ctx)
	return set, all.Effective, err
}

// SetWebviewDomains makes a merchant's web-view domains what is wanted and reads them, in one turn.
func (s *Service) SetWebviewDomains(ctx context.Context, appid string, wanted []string) (set, effective []string, err error) {
	var wrong fault.Collector
	(&DomainSpec{Webview: wanted}).check("body", &wrong)
	if err := wrong.Err(); err != nil {
		return nil, nil, err
	}
	err = s.byHand(ctx, appid, func(ctx context.Context, api *wechat.Authorizer) error {
		_, err := s.setWebviewDomains(ctx, api, wanted)
		if err = settled(err, func() (bool, error) {
			now, err := api.SetWebviewDomain(ctx, wechat.DomainGet, nil)
			return sameSet(now, wanted), err
		}); err != nil {
			return err
		}
		set, effective, err = readWebviewDomains(ctx, api)
		return err
	})
	return set, effective, err
}

// Guideline reads a merchant's privacy guideline, of the next release and of the live version.
func (s *Service) Guideline(ctx context.Context, appid string) (next, live wechat.Privacy, err error) {
	err = s.readFor(ctx, appid, func(ctx context.Context, api *wechat.Authorizer) (err error) {
		next, live, err = readGuideline(ctx, api)
		return err
	})
	return next, live, err
}

func readGuideline(ctx context.Context, api *wechat.Authorizer) (next, live wechat.Privacy, err error) {
	if next, err = api.Privacy(ctx, wechat.PrivacyDevelopment); err != nil {
		return next, live, err
	}
	live, err = api.Privacy(ctx, wechat.PrivacyLive)
	if wechat.IsCode(err, 86074) { // nothing is live
		err = nil
	}
	return next, live, err
}

// SetGuideline writes texts of a merchant's privacy guideline and reads it, in one turn; it works for users with the next
// release. Texts of other keys stay.
func (s *Service) SetGuideline(ctx context.Context, appid string, wanted *PrivacySpec) (next, live wechat.Privacy, err error) {
	var wrong fault.Collector
	wanted.check("body", &wrong)
	if err := wrong.Err(); err != nil {
		return next, live, err
	}
	err = s.byHand(ctx, appid, func(ctx context.Context, api *wechat.Authorizer) error {
		_, _, err := setGuideline(ctx, api, wanted)
		if err = settled(err, func() (bool, error) {
			now, err := api.Privacy(ctx, wechat.PrivacyDevelopment)
			return guidelineHas(now, wanted), err
		}); err != nil {
			return err
		}
		next, live, err = readGuideline(ctx, api)
		return err
	})
	return next, live, err
}

// readFor makes calls that change nothing, beside whatever else goes on for the merchant.
func (s *Service) readFor(ctx context.Context, appid string, fn func(ctx context.Context, api *wechat.Authorizer) error) error {
	if err := s.merchants.CheckAuthorized(ctx, appid); err != nil {
		return err
	}
	return turn.Read(ctx, s.locks, appid, func(ctx context.Context) error { return fn(ctx, s.merchants.API(appid)) })
}
