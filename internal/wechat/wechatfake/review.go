package wechatfake

import (
	"errors"
	"fmt"
	"strings"
	"time"
)

// The modes of NextEvent: what happens to the next audit event.
const (
	EventLost       = "lose"      // the status changes, no event comes
	EventDuplicated = "duplicate" // the event comes twice
	EventEarly      = "early"     // the event comes before the status changes (by EarlyEventLag)
	EventUsual      = "usual"
)

// NextEvent queues what happens to the next audit events, one mode for each.
func (s *Server) NextEvent(modes ...string) error {
	for _, mode := range modes {
		if mode != EventLost && mode != EventDuplicated && mode != EventEarly && mode != EventUsual {
			return fmt.Errorf("wechatfake: unknown event mode %q", mode)
		}
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	defer s.changed()
	s.st.NextEvents = append(s.st.NextEvents, modes...)
	return nil
}

var errNoAudit = errors.New("wechatfake: no audit of this platform is running for the merchant")

// Approve plays the reviewer who approves the running audit of a merchant.
func (s *Server) Approve(appid string) error {
	return s.review(appid, verdict{status: AuditApproved})
}

// Reject plays the reviewer who rejects the running audit; reason may hold <br>, screenshots is how many pictures come
// with it.
func (s *Server) Reject(appid, reason string, screenshots int) error {
	return s.review(appid, verdict{status: AuditRejected, reason: reason, screenshots: screenshots})
}

// Delay plays WeChat postponing the running audit.
func (s *Server) Delay(appid, reason string) error {
	return s.review(appid, verdict{status: AuditDelayed, reason: reason})
}

type verdict struct {
	status      int
	reason      string
	screenshots int
}

func (s *Server) review(appid string, v verdict) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	a, err := s.merchant(appid)
	if err != nil {
		return err
	}
	found := s.latest(a)
	if found == nil || !found.open() {
		return errNoAudit
	}
	s.decide(a, found, v)
	return nil
}

// decide changes the status and sends the event, in the manner queued by NextEvent.
func (s *Server) decide(a *account, found *audit, v verdict) {
	mode := EventUsual
	if len(s.st.NextEvents) > 0 {
		mode, s.st.NextEvents = s.st.NextEvents[0], s.st.NextEvents[1:]
	}
	var shots []string
	for i := range v.screenshots {
		shots = append(shots, s.screenshot(a.AppID, fmt.Sprintf("%s %d", a.NickName, i+1), i))
	}
	apply := func() {
		if !found.open() {
			return
		}
		found.Status, found.Reason, found.DecidedAt = v.status, v.reason, s.now()
		if v.status == AuditRejected {
			found.ScreenShots = shots
		}
	}
	message := s.auditEvent(a, v, shots)
	switch mode {
	case EventLost:
		apply()
	case EventDuplicated:
		apply()
		s.pushBiz(a, message)
		s.pushBiz(a, message)
	case EventEarly:
		s.pushBiz(a, message)
		s.afterLocked(time.Duration(s.st.Settings.EarlyEventLag), apply)
	default:
		apply()
		s.pushBiz(a, message)
	}
	s.changed()
}

func (s *Server) auditEvent(a *account, v verdict, shots []string) Message {
	now := s.now().Unix()
	message := s.eventFor(a, "weapp_audit_success")
	switch v.status {
	case AuditRejected:
		message = s.eventFor(a, "weapp_audit_fail")
		message = append(message, Field{"Reason", v.reason}, Field{"FailTime", now}, Field{"ScreenShot", bareText(strings.Join(shots, "|"))})
	case AuditDelayed:
		message = s.eventFor(a, "weapp_audit_delay")
		message = append(message, Field{"Reason", v.reason}, Field{"DelayTime", now})
	default:
		message = append(message, Field{"SuccTime", now})
	}
	return message
}

// reviewLater decides an audit by itself: it is rejected when a detected kind of user data has no text or the mini
// program is not filed, which WeChat tells in the reason and not by an errcode, else approved.
func (s *Server) reviewLater(id int64, after time.Duration) {
	s.afterLocked(after, func() {
		found := s.st.Audits[id]
		if found == nil || found.Status != AuditRunning {
			return
		}
		a := s.st.Merchants[found.AppID]
		v := verdict{status: AuditApproved}
		switch {
		case len(found.Missing) > 0:
			v = verdict{AuditRejected, "1:用户隐私保护指引:<br>(1):小程序使用了以下用户信息但未在隐私保护指引中声明用途：" + strings.Join(found.Missing, "、") + "<br>", 1}
		case a.ICPStatus != 6:
			v = verdict{AuditRejected, "1:小程序备案:<br>(1):小程序尚未完成备案，请完成备案后重新提交<br>", 0}
		}
		s.decide(a, found, v)
	})
}

// rearmAudits sets the timers of automatic reviews again after a restart.
func (s *Server) rearmAudits() {
	s.mu.Lock()
	defer s.mu.Unlock()
	after := time.Duration(s.st.Settings.AuditTime)
	if after <= 0 {
		return
	}
	for id, found := range s.st.Audits {
		if found.Status == AuditRunning && !found.Console {
			s.reviewLater(id, max(time.Millisecond, time.Unix(found.SubmittedAt, 0).Add(after).Sub(s.now())))
		}
	}
}

// ConsoleSubmit plays the merchant submitting a version in its own console: this platform's submit_audit then answers
// 85009 while get_latest_auditstatus does not show it.
func (s *Server) ConsoleSubmit(appid string) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	a, err := s.merchant(appid)
	if err != nil {
		return err
	}
	if s.running(a) != nil {
		return errors.New("wechatfake: an audit is running already")
	}
	s.newAudit(a, code{UserVersion: "0.9.0", UserDesc: "商家自行提交", At: s.now().Unix(), Pages: []string{"pages/index/index"}}, true)
	s.changed()
	return nil
}

// ConsoleDecide plays a human ending a running audit outside the API, without an event: the merchant withdrawing in the
// console, or WeChat deciding. status is one of the Audit constants.
func (s *Server) ConsoleDecide(appid string, status int, reason string) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	a, err := s.merchant(appid)
	if err != nil {
		return err
	}
	found := s.running(a)
	if found == nil {
		return errNoAudit
	}
	if status != AuditApproved && status != AuditRejected && status != AuditWithdrawn && status != AuditDelayed {
		return fmt.Errorf("wechatfake: no audit status %d", status)
	}
	found.Status, found.Reason, found.DecidedAt = status, reason, s.now()
	s.changed()
	return nil
}
