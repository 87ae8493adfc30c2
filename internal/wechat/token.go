package wechat

import (
	"context"
	"errors"
	"time"

	"github.com/wxsteward/wxsteward/internal/sealed"
)

// Token is an access token with what came along.
type Token struct {
	Access sealed.Secret
	// Refresh is the authorizer_refresh_token, zero for the platform's token. WeChat repeats the old one as a rule; store
	// what it sends together with Access, and keep the old one when it is zero.
	Refresh sealed.Secret
	// ExpiresIn is the lifetime from now; 0 when WeChat did not say.
	ExpiresIn time.Duration
}

// ComponentToken gets a component_access_token for the newest component_verify_ticket. It fails with *APIError; 61005
// and 61006 mean that a new ticket must be pushed first, 40125 that the app secret was reset, 61004 that our IP address
// is not on the whitelist. The number of tokens a day is limited, so keep the token until shortly before it expires.
//
// WeChat docs: https://developers.weixin.qq.com/doc/oplatform/openApi/ticket-token/api_getcomponentaccesstoken.html
func (c *Client) ComponentToken(ctx context.Context, appSecret, ticket sealed.Secret) (Token, error) {
	const op = "cgi-bin/component/api_component_token"
	var out struct {
		Token     sealed.Secret `json:"component_access_token"`
		ExpiresIn Int           `json:"expires_in"`
	}
	_, err := c.exchange(ctx, c.bare(), request{
		op: op,
		body: struct {
			AppID  string `json:"component_appid"`
			Secret string `json:"component_appsecret"`
			Ticket string `json:"component_verify_ticket"`
		}{c.appid, appSecret.Reveal(), ticket.Reveal()},
		secrets: []sealed.Secret{appSecret, ticket},
	}, &out)
	if err != nil {
		return Token{}, err
	}
	if out.Token.IsZero() {
		return Token{}, lacks(op, "component_access_token")
	}
	return Token{Access: out.Token, ExpiresIn: seconds(out.ExpiresIn)}, nil
}

// StartPushTicket asks WeChat to push tickets (again), which it may have stopped after failures. It is harmless while
// pushes run.
//
// WeChat docs: https://developers.weixin.qq.com/doc/oplatform/openApi/ticket-token/api_startpushticket.html
func (c *Client) StartPushTicket(ctx context.Context, appSecret sealed.Secret) error {
	_, err := c.exchange(ctx, c.bare(), request{
		op: "cgi-bin/component/api_start_push_ticket",
		body: struct {
			AppID  string `json:"component_appid"`
			Secret string `json:"component_secret"` // not component_appsecret here
		}{c.appid, appSecret.Reveal()},
		secrets: []sealed.Secret{appSecret},
	}, nil)
	return err
}

// RefreshAuthorizer gets a fresh authorizer_access_token for the merchant appid. It fails with *APIError; 61023 means
// that refresh is not (or no longer) the merchant's refresh token, 61003 that the authorization is gone.
//
// WeChat docs: https://developers.weixin.qq.com/doc/oplatform/openApi/ticket-token/api_getauthorizeraccesstoken.html
func (c *Component) RefreshAuthorizer(ctx context.Context, appid string, refresh sealed.Secret) (Token, error) {
	const op = "cgi-bin/component/api_authorizer_token"
	var out struct {
		Access    sealed.Secret `json:"authorizer_access_token"`
		Refresh   sealed.Secret `json:"authorizer_refresh_token"`
		ExpiresIn Int           `json:"expires_in"`
	}
	err := c.call(ctx, request{
		op: op,
		body: struct {
			Component string `json:"component_appid"`
			AppID     string `json:"authorizer_appid"`
			Refresh   string `json:"authorizer_refresh_token"`
		}{c.appid, appid, refresh.Reveal()},
		secrets: []sealed.Secret{refresh},
	}, &out)
	if err != nil {
		return Token{}, err
	}
	if out.Access.IsZero() {
		return Token{}, lacks(op, "authorizer_access_token")
	}
	return Token{Access: out.Access, Refresh: out.Refresh, ExpiresIn: seconds(out.ExpiresIn)}, nil
}

func seconds(n Int) time.Duration { return time.Duration(n) * time.Second }

// lacks is the error for a success without the one thing the call is about.
func lacks(op, field string) error {
	return &TransportError{Op: op, Sent: true, Err: errors.New("the answer lacks " + field)}
}
