package authorize

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/wxsteward/wxsteward/component"
	"github.com/wxsteward/wxsteward/internal/live"
	"github.com/wxsteward/wxsteward/internal/sealed"
	"github.com/wxsteward/wxsteward/internal/wechat"
)

// Hears implements component.EventHandler.
func (s *Service) Hears(m component.Message) bool {
	switch m.InfoType {
	case "authorized", "updateauthorized", "unauthorized":
		return m.Channel == component.ChannelComponent
	default:
		return false
	}
}

// HandleMessage implements component.EventHandler for authorized, updateauthorized and unauthorized. It may hear an
// event more than once and in any order.
//
// WeChat docs:
// https://developers.weixin.qq.com/doc/oplatform/Third-party_Platforms/2.0/api/Before_Develop/authorize_event.html
func (s *Service) HandleMessage(ctx context.Context, m component.Message) error {
	if m.Channel != component.ChannelComponent {
		return nil
	}
	appid := m.Fields().Text("AuthorizerAppid")
	if appid == "" || component.IsTestAccount(appid) {
		return nil
	}
	if !plausibleAppID(appid) {
		s.Logger.WarnContext(ctx, "event about an account with a strange id ignored", "info_type", m.InfoType)
		return nil
	}
	switch m.InfoType {
	case "authorized", "updateauthorized":
		return s.heardAuthorized(ctx, m, appid)
	case "unauthorized":
		return s.heardUnauthorized(ctx, m, appid)
	}
	return nil
}

func (s *Service) heardAuthorized(ctx context.Context, m component.Message, appid string) error {
	f := m.Fields()
	code := f.Text("AuthorizationCode")
	if !plausibleCode(code) {
		s.Logger.WarnContext(ctx, "authorization event without a usable code", "appid", appid, "info_type", m.InfoType)
		return nil
	}
	// An event that is older than a withdrawal on record is not put aside here: the two times may be of different clocks.
	// Its code tells, when WeChat is asked.
	at := eventTime(m)
	var err error
	linkID := ""
	if preAuth := f.Text("PreAuthCode"); preAuth != "" {
		if linkID, err = linkOfPreAuthCode(ctx, s.db, sealed.New(preAuth).Fingerprint()); err != nil {
			return fmt.Errorf("find link of authorization event: %w", err)
		}
	}
	life := codeLife
	if n, ok := f.Int("AuthorizationCodeExpiredTime"); ok && n > 0 && n < 1<<37 {
		life = time.Duration(n) * time.Second // told as a duration
		if n >= 1e6 {                         // or as a time of WeChat's clock
			life = time.Unix(n, 0).Sub(at)
		}
	}
	expires := s.Now().Add(min(max(life, 0), 24*time.Hour))
	_, err = s.receive(ctx, arrival{code: sealed.New(code), linkID: linkID, expiresAt: expires, event: true, appid: appid, eventAt: at})
	if err != nil {
		return fmt.Errorf("keep authorization of %s: %w", appid, err)
	}
	return nil
}

// eventTime is WeChat's time of an event, ours where there is none.
func eventTime(m component.Message) time.Time {
	if m.CreatedAt.IsZero() {
		return m.ReceivedAt.Truncate(time.Second)
	}
	return m.CreatedAt
}

// clocksApart is how far WeChat's clock and ours may differ. Two times that are closer than that do not tell which was first.
const clocksApart = 90 * time.Minute

// heardUnauthorized marks a merchant that has withdrawn its authorization. Its history, biz ids and labels stay. An event
// that may be older than the authorization on record is not believed before WeChat confirms it.
func (s *Service) heardUnauthorized(ctx context.Context, m component.Message, appid string) error {
	at := eventTime(m)
	old, err := readStanding(ctx, s.db, appid)
	if errors.Is(err, pgx.ErrNoRows) || err == nil && old.Status == statusUnauthorized {
		return nil
	}
	if err != nil {
		return fmt.Errorf("read merchant %s: %w", appid, err)
	}
	if old.AuthorizedAt != nil && !at.After(old.AuthorizedAt.Add(clocksApart)) {
		_, err := s.readBack(ctx, appid)
		if err == nil {
			s.Logger.InfoContext(ctx, "withdrawal is older than the authorization, ignored", "appid", appid)
			return nil
		}
		if !wechat.IsCode(err, notAuthorized) {
			return fmt.Errorf("confirm withdrawal of %s: %w", appid, err)
		}
	}
	return s.withdraw(ctx, appid, old, at)
}

// withdraw ends an authorization: no tokens, no open submissions, one transaction. It fails with errMoved if the merchant
// has authorized again since old was read.
func (s *Service) withdraw(ctx context.Context, appid string, old standing, at time.Time) error {
	err := s.inTx(ctx, func(tx pgx.Tx) error {
		now, err := lockAuthorizer(ctx, tx, appid)
		if err != nil {
			return err
		}
		if now.Status != statusAuthorized {
			return nil
		}
		if now.AuthorizedAt != nil && old.AuthorizedAt != nil && now.AuthorizedAt.After(*old.AuthorizedAt) {
			return errMoved
		}
		if err := markWithdrawn(ctx, tx, appid, at, s.Now()); err != nil {
			return err
		}
		if err := s.tokens.Delete(ctx, tx, tokenKey(appid)); err != nil {
			return err
		}
		for _, tell := range s.withdrawn {
			if err := tell(ctx, tx, appid); err != nil {
				return err
			}
		}
		if err := s.announceWithdrawal(ctx, tx, appid); err != nil {
			return err
		}
		return live.Publish(ctx, tx, live.Event{Kind: "authorizer", ID: appid, AppID: appid, State: statusUnauthorized})
	})
	if err != nil {
		return fmt.Errorf("withdraw authorization of %s: %w", appid, err)
	}
	return nil
}

// announceWithdrawal tells staff. Withdrawals have one key, because many at once, as a synchronization may find them, are
// one piece of news.
func (s *Service) announceWithdrawal(ctx context.Context, tx pgx.Tx, appid string) error {
	if s.announcer == nil {
		return nil
	}
	name, err := nickName(ctx, tx, appid)
	if err != nil {
		return err
	}
	return s.announcer.Announce(ctx, tx, component.Announcement{
		Event: component.EventWithdrawn, Key: "merchants", Path: "/authorizers/" + appid, AppID: appid, Merchant: name,
	})
}
