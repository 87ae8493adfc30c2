package register

import (
	"context"

	"github.com/wxsteward/wxsteward/component"
	"github.com/wxsteward/wxsteward/internal/sealed"
)

const (
	eventRegistered = "notify_third_fasteregister" // spelt so by WeChat
	eventTrial      = "notify_third_fastregisterbetaapp"
	eventConverted  = "notify_third_fastverifybetaapp"
)

// Hears implements component.EventHandler.
func (s *Service) Hears(m component.Message) bool {
	switch m.InfoType {
	case eventRegistered, eventTrial, eventConverted:
		return m.Channel == component.ChannelComponent
	}
	return false
}

// HandleMessage implements component.EventHandler. The elements are lower-case here, and appid is not AppId.
//
// WeChat docs: https://developers.weixin.qq.com/doc/oplatform/Third-party_Platforms/2.0/api/Register_Mini_Programs/Fast_Registration_Interface_document.html
func (s *Service) HandleMessage(ctx context.Context, m component.Message) error {
	f := m.Fields()
	status, ok := f.Int("status")
	if !ok {
		s.cfg.Logger.WarnContext(ctx, "registration event without a status", "info_type", m.InfoType)
		return nil
	}
	at := m.CreatedAt
	if at.IsZero() {
		at = m.ReceivedAt
	}
	info := f.Child("info")
	n := news{appid: f.Text("appid"), status: int(status), msg: f.Text("msg"), code: sealed.New(f.Text("auth_code")), at: at, info: map[string]string{}}
	for _, name := range []string{"name", "code", "component_phone", "wxuser", "idname", "openid"} {
		n.info[name] = info.Text(name)
	}
	switch m.InfoType {
	case eventTrial:
		n.kinds, n.task = []string{kindTrial}, info.Text("unique_id")
	case eventConverted:
		n.kinds = []string{kindTrialEnterprise, kindTrialUpgrade}
	default:
		n.kinds = []string{kindEnterprise, kindPersonal, kindPersonalUpgrade}
	}
	return s.heard(ctx, n)
}
