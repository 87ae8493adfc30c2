package wechat

import "context"

// SendText sends a customer service message to a user who wrote within the last 48 hours. Needs permission set 1 for an
// official account, 19 for a mini program.
//
// WeChat docs: https://developers.weixin.qq.com/doc/offiaccount/Message_Management/Service_Center_messages.html
func (a *Authorizer) SendText(ctx context.Context, openID, content string) error {
	type body struct {
		Content string `json:"content"`
	}
	return a.call(ctx, request{op: "cgi-bin/message/custom/send", body: struct {
		ToUser  string `json:"touser"`
		MsgType string `json:"msgtype"`
		Text    body   `json:"text"`
	}{openID, "text", body{content}}}, nil)
}
