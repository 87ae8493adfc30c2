package wechat

import (
	"context"
	"net/url"
)

// RegistrationCall says how one of WeChat's registration calls is spelt. WeChat changed these calls on 2026-04-30 and not
// all of the new spelling can be read anywhere, so it is the caller's to set.
type RegistrationCall struct {
	Path        string // without a leading slash
	CreateQuery string // value of the query parameter action when a task is created; "" sends none
	QueryQuery  string // likewise when a task is asked about
}

// RegistrationTask is where WeChat has a registration.
type RegistrationTask struct {
	TaskID string
	// AuthorizeURL is where the future owner confirms, for 24 hours; a QR code of it is what people scan.
	AuthorizeURL string
	Status       *int // nil: not told
	AppID        string
}

type registrationAnswer struct {
	TaskID       text   `json:"taskid"`
	AuthorizeURL string `json:"authorize_url"`
	Status       known  `json:"status"`
	UniqueID     text   `json:"unique_id"`
	AppID        string `json:"appid"`
}

func (r registrationAnswer) task() RegistrationTask {
	t := RegistrationTask{TaskID: string(r.TaskID), AuthorizeURL: r.AuthorizeURL, AppID: r.AppID}
	if r.UniqueID != "" {
		t.TaskID = string(r.UniqueID)
	}
	if r.Status.ok {
		t.Status = new(int(r.Status.value))
	}
	return t
}

// register makes a registration call for an account.
func (a account) register(ctx context.Context, call RegistrationCall, action string, body map[string]any) (RegistrationTask, error) {
	query := url.Values{}
	if action != "" {
		query.Set("action", action)
	}
	var out registrationAnswer
	err := a.call(ctx, request{op: call.Path, query: query, body: body, timeout: slowTimeout}, &out)
	return out.task(), err
}

// StartRegistration asks WeChat to register a mini program, with the fields that call takes. The answer holds the address where its future owner confirms, and what names the task in QueryRegistration and in the
// event. It fails with 89247 to 89254. Nothing is registered before somebody confirms, so a call whose answer was lost
// may be repeated: what nobody can open lapses.
//
// WeChat docs: https://developers.weixin.qq.com/doc/oplatform/openApi/register-management/fast-registration-ind/api_fastregisterpersonalmp.html
func (c *Component) StartRegistration(ctx context.Context, call RegistrationCall, fields map[string]any) (RegistrationTask, error) {
	return started(call.Path)(c.register(ctx, call, call.CreateQuery, fields))
}

// QueryRegistration asks where a task stands. It fails with 89250 for an unknown one.
//
// WeChat docs: https://developers.weixin.qq.com/doc/oplatform/openApi/register-management/fast-registration-ind/api_fastregisterpersonalmp.html
func (c *Component) QueryRegistration(ctx context.Context, call RegistrationCall, taskID string) (RegistrationTask, error) {
	return c.register(ctx, call, call.QueryQuery, map[string]any{"taskid": taskID})
}

// StartConversion asks WeChat to make a trial mini program (试用小程序) a formal one. It fails with 91021 for one that is
// none.
//
// WeChat docs: https://developers.weixin.qq.com/doc/oplatform/openApi/register-management/fast-regist-beta/api_fastnormalizebetaweapp.html
func (a *Authorizer) StartConversion(ctx context.Context, call RegistrationCall, fields map[string]any) (RegistrationTask, error) {
	return started(call.Path)(a.register(ctx, call, call.CreateQuery, fields))
}

// QueryConversion asks where a task of StartConversion stands.
//
// WeChat docs: https://developers.weixin.qq.com/doc/oplatform/openApi/register-management/fast-regist-beta/api_fastnormalizebetaweapp.html
func (a *Authorizer) QueryConversion(ctx context.Context, call RegistrationCall, taskID string) (RegistrationTask, error) {
	return a.register(ctx, call, call.QueryQuery, map[string]any{"taskid": taskID})
}

// RenameTrial gives a trial mini program another name.
//
// WeChat docs: https://developers.weixin.qq.com/doc/oplatform/openApi/register-management/fast-regist-beta/api_setbetaweappnickname.html
func (a *Authorizer) RenameTrial(ctx context.Context, name string) error {
	return a.call(ctx, request{op: "wxa/setbetaweappnickname", body: struct {
		Name string `json:"name"`
	}{name}}, nil)
}

// started: without an address nobody can confirm, so such a success is none.
func started(op string) func(RegistrationTask, error) (RegistrationTask, error) {
	return func(t RegistrationTask, err error) (RegistrationTask, error) {
		if err == nil && t.AuthorizeURL == "" {
			err = lacks(op, "authorize_url")
		}
		return t, err
	}
}

// RegistrationStatus are the numbers of RegistrationTask.Status that decide something; the others are stations in
// between.
type RegistrationStatus int

// The deciding states of a task.
const (
	RegistrationCreated      RegistrationStatus = 0
	RegistrationTimedOut     RegistrationStatus = 1
	RegistrationRefused      RegistrationStatus = 2
	RegistrationFaceFailed   RegistrationStatus = 5
	RegistrationPhoneFailed  RegistrationStatus = 8
	RegistrationCreateFailed RegistrationStatus = 11
	RegistrationDone         RegistrationStatus = 12
	RegistrationVerified     RegistrationStatus = 13
	RegistrationVerifyFailed RegistrationStatus = 14
)
