package component

import (
	"context"
	"errors"
	"net/http"

	"github.com/labstack/echo/v4"

	"github.com/wxsteward/wxsteward/internal/fault"
	"github.com/wxsteward/wxsteward/internal/sealed"
	"github.com/wxsteward/wxsteward/internal/tokenstore"
	"github.com/wxsteward/wxsteward/internal/wechat"
)

// Codes of failed inner calls that are not WeChat's errcodes. 服务商微管家 has the same first two.
const (
	innerInvalid = 1001
	innerFailed  = 1002
)

// innerAnswer is what business services on the same machine know from 服务商微管家.
type innerAnswer struct {
	Code     int               `json:"code"`
	ErrorMsg string            `json:"errorMsg"`
	Data     map[string]string `json:"data,omitempty"`
}

// RegisterInner adds the routes for services on the same machine or network. They ask nobody who they are: serve them on
// the inner listener only. authorizerToken gives a merchant's token.
func (s *Service) RegisterInner(e *echo.Echo, authorizerToken func(ctx context.Context, appid string) (tokenstore.Token, error)) {
	e.GET("/inner/component-access-token", inner("token", func(c echo.Context) (sealed.Secret, error) {
		t, err := s.AccessToken(c.Request().Context())
		return t.Access, err
	}))
	e.GET("/inner/authorizer-access-token", inner("token", func(c echo.Context) (sealed.Secret, error) {
		appid := c.QueryParam("appid")
		if appid == "" {
			return sealed.Secret{}, fault.Invalid("query.appid", "The parameter appid is missing.", nil)
		}
		t, err := authorizerToken(c.Request().Context(), appid)
		return t.Access, err
	}))
	e.GET("/inner/ticket", inner("ticket", func(c echo.Context) (sealed.Secret, error) {
		t, err := s.Ticket(c.Request().Context())
		return t.Value, err
	}))
}

func inner(name string, get func(echo.Context) (sealed.Secret, error)) echo.HandlerFunc {
	return func(c echo.Context) error {
		c.Response().Header().Set("Cache-Control", "no-store")
		secret, err := get(c)
		if err != nil {
			return c.JSON(http.StatusOK, innerFailure(err, fault.LangOf(c.Request().Header.Get("Accept-Language"))))
		}
		return c.JSON(http.StatusOK, innerAnswer{ErrorMsg: "OK", Data: map[string]string{name: secret.Reveal()}})
	}
}

func innerFailure(err error, lang string) innerAnswer {
	p := fault.ProblemFor(err, lang)
	a := innerAnswer{Code: innerFailed, ErrorMsg: p.Detail}
	if refusal, ok := errors.AsType[*wechat.APIError](err); ok && refusal.Code != 0 {
		a.Code = refusal.Code
	} else if p.Code == fault.Validation {
		a.Code = innerInvalid
	}
	return a
}
