package profile

import (
	"context"
	"fmt"

	"github.com/jackc/pgx/v5"

	"github.com/wxsteward/wxsteward/component"
)

const (
	eventNickname = "wxa_nickname_audit"
	eventCategory = "wxa_category_audit"
	eventPrivacy  = "wxa_privacy_apply"
	icpVerified   = "notify_icpfiling_verify_result"
	icpDecided    = "notify_apply_icpfiling_result"
)

// Hears implements component.EventHandler. The two about the ICP filing are documented for one address and come to the
// other.
func (s *Service) Hears(m component.Message) bool {
	switch m.Event {
	case eventNickname, eventCategory, eventPrivacy:
		return m.Channel == component.ChannelBiz
	case icpVerified, icpDecided:
		return true
	}
	return m.InfoType == icpVerified || m.InfoType == icpDecided
}

// HandleMessage implements component.EventHandler. An event is only a nudge: WeChat is asked what is so, because events
// come late, early, twice or not at all. Where there is nothing to ask by, a name whose audit id was lost, it counts.
//
// WeChat docs: https://developers.weixin.qq.com/doc/oplatform/Third-party_Platforms/2.0/api/Mini_Program_Basic_Info/wxa_nickname_audit.html
func (s *Service) HandleMessage(ctx context.Context, m component.Message) error {
	f := m.Fields()
	switch m.Event {
	case eventNickname:
		ret, _ := f.Int("ret")
		return s.heardNickname(ctx, m.AppID, f.Text("nickname"), int(ret), f.Text("reason"))
	case eventCategory:
		first, _ := f.Int("first")
		second, _ := f.Int("second")
		return s.nudge(ctx, m.AppID, kindCategory, categorySubject(first, second))
	case eventPrivacy:
		return s.nudge(ctx, m.AppID, kindPrivacyAPI, f.Child("result_info").Text("api_name"))
	}
	return s.inTx(ctx, func(tx pgx.Tx) error { return publish(ctx, tx, m.AppID) }) // an open page reads the filing again
}

func (s *Service) heardNickname(ctx context.Context, appid, name string, ret int, reason string) error {
	open, err := openChanges(ctx, s.db, appid, kindNickname)
	if err != nil {
		return fmt.Errorf("find change of name of %s: %w", appid, err)
	}
	const refused, passed = 2, 3
	for _, c := range open {
		if c.Subject != name {
			continue
		}
		v := verdict{}
		switch {
		case c.AuditID != 0:
		case ret == passed:
			v.state = stateEffective
		case ret == refused:
			v.state, v.reason = stateRefused, reason
		}
		if v.state == "" {
			return s.nudge(ctx, appid, kindNickname, name)
		}
		if err := s.decide(ctx, &c, v); err != nil {
			return err
		}
	}
	return nil
}

// nudge has the open changes of a subject looked at now.
func (s *Service) nudge(ctx context.Context, appid, kind, subject string) error {
	open, err := openChanges(ctx, s.db, appid, kind)
	if err != nil {
		return fmt.Errorf("find changes of %s: %w", appid, err)
	}
	now := s.cfg.Now()
	return s.inTx(ctx, func(tx pgx.Tx) error {
		for _, c := range open {
			if c.Subject != subject {
				continue
			}
			if err := wakeChange(ctx, tx, c.ID, now); err != nil {
				return err
			}
			if err := s.enqueue(ctx, tx, c.ID, now); err != nil {
				return err
			}
		}
		return nil
	})
}
