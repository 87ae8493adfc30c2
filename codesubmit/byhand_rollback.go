package codesubmit

import (
	"context"
	"errors"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/wxsteward/wxsteward/internal/fault"
	"github.com/wxsteward/wxsteward/internal/wechat"
)

// sameWish is how long a rollback that is asked for again without a version means the one before, if nobody knows what
// came of that.
const sameWish = time.Hour

// sentBack is a rollback by hand that has gone out and whose outcome nobody has seen.
type sentBack struct {
	fromAt, appVersion int64
	to                 string
}

// RollBackOne goes back to an earlier live version, 0 being the newest of those that WeChat keeps. Which one that is changes
// with each rollback, so it is written down before the call: asked for again after a crash, it is the same one.
func (s *Service) RollBackOne(ctx context.Context, appid string, appVersion int64) error {
	return s.byHand(ctx, appid, func(ctx context.Context, api *wechat.Authorizer) error {
		before, err := api.VersionInfo(ctx)
		if err != nil {
			return err
		}
		if appVersion == 0 {
			sent, err := s.backSent(ctx, appid)
			if err != nil {
				return err
			}
			switch live := before.Live; {
			case sent == nil || live == nil:
			case int64(live.Time) == sent.fromAt: // it has done nothing
				appVersion = sent.appVersion
			case live.Version == sent.to: // it has worked
				return s.forgetBack(ctx, appid)
			}
		}
		previous, found, err := previousVersion(ctx, api)
		if err != nil {
			return err
		}
		if found != nil {
			return found
		}
		if appVersion != 0 && appVersion != int64(previous.AppVersion) {
			history, err := api.HistoryVersions(ctx)
			if err != nil {
				return err
			}
			at := slices.IndexFunc(history, func(h wechat.HistoryVersion) bool { return int64(h.AppVersion) == appVersion })
			if at < 0 {
				return fault.Invalid("body.app_version", "WeChat cannot go back to this version. It keeps: %s.", appVersion, versionNumbers(history))
			}
			previous = history[at]
		}
		if before.Live != nil {
			if err := s.noteBack(ctx, appid, sentBack{int64(before.Live.Time), int64(previous.AppVersion), previous.UserVersion}); err != nil {
				return err
			}
		}
		reverted := api.RevertRelease(ctx, new(int64(previous.AppVersion)))
		err = settled(reverted, func() (bool, error) {
			now, err := api.VersionInfo(ctx)
			if err != nil || now.Live == nil || before.Live != nil && *now.Live == *before.Live {
				return false, err
			}
			return now.Live.Version == previous.UserVersion, nil
		})
		if err == nil || !wechat.OutcomeUnknown(reverted) {
			return errors.Join(err, s.forgetBack(context.WithoutCancel(ctx), appid))
		}
		return err
	})
}

func versionNumbers(history []wechat.HistoryVersion) string {
	numbers := make([]string, len(history))
	for i, h := range history {
		numbers[i] = strconv.FormatInt(int64(h.AppVersion), 10) + " (" + h.UserVersion + ")"
	}
	return strings.Join(numbers, ", ")
}

func (s *Service) noteBack(ctx context.Context, appid string, b sentBack) error {
	_, err := s.db.Exec(ctx, `INSERT INTO rollback_by_hand (appid, from_at, app_version, to_version, at) VALUES ($1, $2, $3, $4, $5)
		ON CONFLICT (appid) DO UPDATE SET from_at = excluded.from_at, app_version = excluded.app_version, to_version = excluded.to_version, at = excluded.at`,
		appid, b.fromAt, b.appVersion, b.to, s.cfg.Now())
	return err
}

// backSent is nil when the outcome of all rollbacks is known.
func (s *Service) backSent(ctx context.Context, appid string) (*sentBack, error) {
	var b sentBack
	err := s.db.QueryRow(ctx, `SELECT from_at, app_version, to_version FROM rollback_by_hand WHERE appid = $1 AND at > $2`,
		appid, s.cfg.Now().Add(-sameWish)).Scan(&b.fromAt, &b.appVersion, &b.to)
	if errors.Is(err, pgx.ErrNoRows) {
		return nil, nil //nolint:nilnil // documented
	}
	return &b, err
}

func (s *Service) forgetBack(ctx context.Context, appid string) error {
	_, err := s.db.Exec(ctx, `DELETE FROM rollback_by_hand WHERE appid = $1`, appid)
	return err
}
