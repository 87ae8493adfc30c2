package component

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/wxsteward/wxsteward/internal/sealed"
)

// The answers to WeChat's checks before 全网发布.
//
// WeChat docs:
// https://developers.weixin.qq.com/doc/oplatform/Third-party_Platforms/2.0/operation/thirdparty/releases_instructions.html
const (
	checkText      = "TESTCOMPONENT_MSG_TYPE_TEXT"
	checkTextReply = checkText + "_callback"
	checkEventEnd  = "from_callback"
	checkCodeEnd   = "_from_api"
)

// checkCode gives the authorization code in the message of a check, which is to be answered through the API.
func checkCode(m Message) (code sealed.Secret, ok bool) {
	if m.Channel != ChannelBiz || m.MsgType != "text" {
		return sealed.Secret{}, false
	}
	text, ok := strings.CutPrefix(m.Fields().Text("Content"), queryAuthCode)
	return sealed.New(strings.TrimSpace(text)), ok
}

// checkReply is the passive answer to a check. "" is one too.
func (s *Service) checkReply(m Message) (reply []byte, ok bool) {
	f := m.Fields()
	switch {
	case m.MsgType == "event" && m.Event != "":
		return s.textReply(m, m.Event+checkEventEnd), true
	case m.MsgType != "text":
		return nil, false
	case f.Text("Content") == checkText:
		return s.textReply(m, checkTextReply), true
	default:
		_, ok := checkCode(m)
		return nil, ok
	}
}

// textReply answers a user with text, in the notation of the message.
func (s *Service) textReply(m Message, content string) []byte {
	f := m.Fields()
	reply := []element{
		{name: "ToUserName", text: f.Text("FromUserName")},
		{name: "FromUserName", text: f.Text("ToUserName")},
		{name: "CreateTime", text: strconv.FormatInt(s.now().Unix(), 10)},
		{name: "MsgType", text: "text"},
		{name: "Content", text: content},
	}
	if strings.HasPrefix(strings.TrimSpace(legible(m.Body)), "{") {
		b, _ := appendObject(nil, reply, true) // text can always be written
		return b
	}
	var b strings.Builder
	b.WriteString("<xml>")
	for _, e := range reply {
		if numeric(e.name) {
			fmt.Fprintf(&b, "<%s>%s</%s>", e.name, e.text, e.name)
			continue
		}
		fmt.Fprintf(&b, "<%s>%s</%s>", e.name, cdata(e.text), e.name)
	}
	b.WriteString("</xml>")
	return []byte(b.String())
}

// answerCheck sends the code of a check back to its sender, with the token that this very code gives. Nothing of the
// exchange is kept: the account is WeChat's own.
func (s *Service) answerCheck(ctx context.Context, m Message) error {
	code, ok := checkCode(m)
	if !ok {
		return nil
	}
	info, err := s.API().QueryAuth(ctx, code)
	if err != nil {
		return fmt.Errorf("exchange the code of a 全网发布 check: %w", err)
	}
	shop := s.deps.WeChat.Authorizer(m.AppID, fixedToken(info.AccessToken))
	// The code works once, so a later try of this job could not send any more.
	const tries = 3
	for try := range tries {
		err = shop.SendText(ctx, m.Fields().Text("FromUserName"), code.Reveal()+checkCodeEnd)
		if err == nil {
			return nil
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(time.Duration(try+1) * 200 * time.Millisecond):
		}
	}
	return fmt.Errorf("answer a 全网发布 check: %w", err)
}

// fixedToken is a token that nobody can renew.
type fixedToken sealed.Secret

func (t fixedToken) Token(context.Context) (sealed.Secret, error) { return sealed.Secret(t), nil }

func (fixedToken) Reject(context.Context, sealed.Secret) error {
	return errors.New("the token of this code was refused")
}
