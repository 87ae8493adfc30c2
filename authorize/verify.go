package authorize

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/wxsteward/wxsteward/internal/wechat"
)

// doubtTimeout is for noting a doubt while the call that raised it is being ended.
const doubtTimeout = 5 * time.Second

// Doubt implements wechat.Doubter: a call for the merchant was refused because it has not authorized the platform, and no
// event has told so.
func (t tokenSource) Doubt(ctx context.Context, refused *wechat.APIError) {
	t.s.doubt(ctx, t.appid, refused)
}

// doubt has verify look into a merchant that WeChat calls unauthorized (61003). One such answer alone changes nothing: WeChat
// also gives it by mistake. A failure to note it is no harm, the next call says the same.
func (s *Service) doubt(ctx context.Context, appid string, cause error) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), doubtTimeout)
	defer cancel()
	err := s.inTx(ctx, func(tx pgx.Tx) error { return s.enqueueVerify(ctx, tx, appid) })
	s.Logger.WarnContext(ctx, "WeChat says that a merchant is not authorized, which is looked into", "appid", appid, "error", errors.Join(cause, err))
}

// verify finds out whether a merchant on record has withdrawn its authorization without an event. Two witnesses have to
// agree: its details are refused with 61003, and its refresh token is not taken any more.
func (s *Service) verify(ctx context.Context, appid string) error {
	old, err := readStanding(ctx, s.db, appid)
	if errors.Is(err, pgx.ErrNoRows) || err == nil && old.Status != statusAuthorized {
		return nil
	}
	if err != nil {
		return fmt.Errorf("read merchant %s: %w", appid, err)
	}
	_, err = s.readBack(ctx, appid)
	if err == nil {
		return nil
	}
	if !wechat.IsCode(err, notAuthorized) {
		return fmt.Errorf("look into merchant %s: %w", appid, err)
	}
	token, ok, err := s.tokens.Peek(ctx, tokenKey(appid))
	if err != nil {
		return err
	}
	if ok { // or the refresh would not take place
		if err := s.tokens.Reject(ctx, tokenKey(appid), token.Access); err != nil {
			return err
		}
	}
	_, err = s.tokens.Get(ctx, tokenKey(appid), s.refresher(appid))
	switch {
	case err == nil:
		s.Logger.InfoContext(ctx, "merchant is authorized after all", "appid", appid)
		return nil
	case !errors.Is(err, errNeedsReauthorization):
		return fmt.Errorf("look into merchant %s: %w", appid, err)
	}
	s.Logger.WarnContext(ctx, "merchant has withdrawn its authorization, no event told so", "appid", appid)
	if err := s.withdraw(ctx, appid, old, s.Now()); err != nil && !errors.Is(err, errMoved) {
		return err
	}
	return nil
}
