package codesubmit

import (
	"context"
	"log/slog"
	"time"

	"github.com/jackc/pgx/v5"
	"golang.org/x/sync/errgroup"

	"github.com/wxsteward/wxsteward/authorize"
	"github.com/wxsteward/wxsteward/authorize/turn"
	"github.com/wxsteward/wxsteward/internal/wechat"
)

const (
	// liveAge is how old what we know of a merchant's live version may be before WeChat is asked again.
	liveAge = 24 * time.Hour
	// liveBatch merchants are asked about at a time, so that rollouts go on beside it.
	liveBatch, liveAtOnce = 200, 4
)

// released notes what is live after a release, in the transaction that says so.
func (s *Service) released(ctx context.Context, tx pgx.Tx, w *work) error {
	v := authorize.LiveVersion{UserVersion: w.UserVersion, At: s.cfg.Now()}
	if w.back != nil {
		v.UserVersion = w.back.To
	} else {
		v.TemplateID = &w.TemplateID
	}
	return s.merchants.NoteLive(ctx, tx, w.AppID, v, s.cfg.Now())
}

// sawLive notes what WeChat said is live when it was asked at the time asked. It is only our record, so it fails silently.
func (s *Service) sawLive(ctx context.Context, appid string, v *wechat.Version, asked time.Time) {
	var seen authorize.LiveVersion
	if v != nil {
		seen = authorize.LiveVersion{UserVersion: v.Version, At: time.Unix(int64(v.Time), 0)}
	}
	if err := s.merchants.NoteLive(ctx, s.db, appid, seen, asked); err != nil && ctx.Err() == nil {
		s.cfg.Logger.WarnContext(ctx, "live version not noted", slog.String("appid", appid), slog.Any("error", err))
	}
}

// readLive asks what is live at merchants whose record is old: somebody may have released or rolled back in WeChat's
// console. A merchant that others are at work on waits for the next time.
func (s *Service) readLive(ctx context.Context) error {
	appids, err := s.merchants.LiveUnseen(ctx, developmentScope, s.cfg.Now().Add(-liveAge), liveBatch)
	if err != nil {
		return err
	}
	g, ctx := errgroup.WithContext(ctx)
	g.SetLimit(liveAtOnce)
	for _, appid := range appids {
		g.Go(func() error {
			_, err := turn.Look(ctx, s.locks, appid, func(ctx context.Context) error {
				asked := s.cfg.Now()
				version, err := s.merchants.API(appid).VersionInfo(ctx)
				if err == nil {
					s.sawLive(ctx, appid, version.Live, asked)
				}
				return err
			})
			if wechat.IsCode(err, 45009, 45011) {
				return err // the next job goes on
			}
			if err != nil && ctx.Err() == nil {
				s.cfg.Logger.InfoContext(ctx, "live version not read", slog.String("appid", appid), slog.Any("error", err))
			}
			return nil
		})
	}
	return g.Wait()
}
