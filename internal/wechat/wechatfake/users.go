package wechatfake

import (
	"encoding/json"
	"time"
)

// loginCode is a one-use code of wx.login or of the phone number button.
type loginCode struct {
	AppID   string    `json:"appid"`
	OpenID  string    `json:"openid"`
	Phone   string    `json:"phone"` // not empty: a phone code
	Expires time.Time `json:"expires"`
	Used    bool      `json:"used"`
	Cloud   bool      `json:"cloud"` // a cloud id, which is not spent
}

// SentMessage is a customer message the platform sent for a merchant.
type SentMessage struct {
	At    time.Time       `json:"at"`
	AppID string          `json:"appid"`
	Body  json.RawMessage `json:"body"`

	token string // it was sent with
}

// NewLoginCode plays wx.login in a mini program: a js_code good for five minutes and one use.
func (s *Server) NewLoginCode(appid, openid string) (string, error) {
	return s.newUserCode(appid, loginCode{AppID: appid, OpenID: openid})
}

// NewPhoneCode plays the phone number button: a code good for five minutes and one use.
func (s *Server) NewPhoneCode(appid, phone string) (string, error) {
	return s.newUserCode(appid, loginCode{AppID: appid, Phone: phone})
}

func (s *Server) newUserCode(appid string, code loginCode) (string, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if _, err := s.merchant(appid); err != nil {
		return "", err
	}
	defer s.changed()
	value := s.secret("jscode@@@")
	code.Expires = s.now().Add(5 * time.Minute)
	s.st.JSCodes[value] = &code
	return value, nil
}

// takeCode spends a code: unknown or of another account 40029, used 40163.
func (s *Server) takeCode(value, appid string, phone bool) (*loginCode, reply) {
	code := s.st.JSCodes[value]
	switch {
	case value == "":
		return nil, fail(41008)
	case code == nil || code.AppID != appid || code.Cloud || (code.Phone != "") != phone || !s.now().Before(code.Expires):
		return nil, fail(40029)
	case code.Used:
		return nil, fail(40163)
	}
	code.Used = true
	return code, reply{}
}

func (s *Server) jsCodeToSession(c *call) reply {
	a := s.st.Merchants[c.query.Get("appid")]
	refuse := func(code int) reply { return reply{code: code, plain: true} }
	switch {
	case c.query.Get("component_appid") != s.cfg.ComponentAppID:
		return refuse(40013)
	case c.query.Get("grant_type") != "authorization_code":
		return refuse(40002)
	case a == nil:
		return refuse(40013)
	case !a.Authorized:
		return refuse(61003)
	}
	code, rep := s.takeCode(c.query.Get("js_code"), a.AppID, false)
	if rep.code != 0 {
		return refuse(rep.code)
	}
	return reply{bare: true, plain: true, fields: fields{"openid": code.OpenID, "session_key": s.secret("88_"), "unionid": "o" + digest(code.OpenID)[:27]}}
}

func (s *Server) userPhoneNumber(c *call) reply {
	var in struct {
		Code string `json:"code"`
	}
	if rep := c.decode(&in); rep.code != 0 {
		return rep
	}
	code, rep := s.takeCode(in.Code, c.acct.AppID, true)
	if rep.code != 0 {
		return rep
	}
	return ok(fields{"phone_info": fields{
		"phoneNumber": code.Phone, "purePhoneNumber": code.Phone, "countryCode": "86",
		"watermark": fields{"timestamp": s.now().Unix(), "appid": c.acct.AppID},
	}})
}

func (s *Server) customSend(c *call) reply {
	var in struct {
		To   string `json:"touser"`
		Type string `json:"msgtype"`
	}
	if rep := c.decode(&in); rep.code != 0 {
		return rep
	}
	switch {
	case in.To == "":
		return fail(40003)
	case in.Type == "":
		return fail(40097)
	}
	s.st.Messages = tail(append(s.st.Messages, SentMessage{At: s.now(), AppID: c.acct.AppID, Body: c.body, token: c.query.Get("access_token")}), 200)
	return ok(nil)
}

// Messages returns the customer messages the platform sent, oldest first.
func (s *Server) Messages() []SentMessage {
	s.mu.Lock()
	defer s.mu.Unlock()
	return append([]SentMessage(nil), s.st.Messages...)
}
