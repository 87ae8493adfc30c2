package wechat

import (
	"context"

	"github.com/wxsteward/wxsteward/internal/sealed"
)

// FastRegistration is a mini program made with an official account's principal.
type FastRegistration struct {
	AppID string // of the new mini program
	Code  sealed.Secret
	// VerifyCopied tells that the official account's verification holds for the mini program too, Linked that the two accounts
	// are linked.
	VerifyCopied, Linked bool
}

// FastRegister has WeChat make a mini program with the principal of the official account, whose administrator has agreed on
// WeChat's page (cgi-bin/fastregisterauth) and brought the ticket from there. The ticket works once. The answer takes long,
// and is lost easily although the mini program is made; no event tells of it, so look into AuthorizerList then, and do not
// repeat the call. Permission set 27.
//
// WeChat docs: https://developers.weixin.qq.com/doc/oplatform/Third-party_Platforms/2.0/api/Register_Mini_Programs/fast_registration_of_mini_program.html
func (a *Authorizer) FastRegister(ctx context.Context, ticket sealed.Secret) (FastRegistration, error) {
	const op = "cgi-bin/account/fastregister"
	var out struct {
		AppID        string `json:"appid"`
		Code         string `json:"authorization_code"`
		VerifyCopied text   `json:"is_wx_verify_succ"`
		Linked       text   `json:"is_link_succ"`
	}
	err := a.call(ctx, request{op: op, timeout: fastRegisterTimeout, secrets: []sealed.Secret{ticket}, body: struct {
		Ticket string `json:"ticket"`
	}{ticket.Reveal()}}, &out)
	if err == nil && (out.AppID == "" || out.Code == "") {
		err = lacks(op, "appid or authorization_code")
	}
	return FastRegistration{AppID: out.AppID, Code: sealed.New(out.Code), VerifyCopied: out.VerifyCopied.yes(), Linked: out.Linked.yes()}, err
}

// RebindAdmin gives a mini program the administrator who was chosen on WeChat's page (wxopen/componentrebindadmin); taskID
// comes from there. Nothing at WeChat tells afterwards who the administrator is. Permission set 30.
//
// WeChat docs: https://developers.weixin.qq.com/doc/oplatform/Third-party_Platforms/2.0/api/Register_Mini_Programs/fast_registration_of_mini_program.html
func (a *Authorizer) RebindAdmin(ctx context.Context, taskID sealed.Secret) error {
	return a.call(ctx, request{op: "cgi-bin/account/componentrebindadmin", timeout: slowTimeout, secrets: []sealed.Secret{taskID}, body: struct {
		TaskID string `json:"taskid"`
	}{taskID.Reveal()}}, nil)
}
