package component

import (
	"context"
	"errors"
	"math"
	"net/http"
	"strconv"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/labstack/echo/v4"

	"github.com/wxsteward/wxsteward/internal/fault"
	"github.com/wxsteward/wxsteward/internal/httpserver"
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
	e.GET("/inner/component-access-token", s.innerToken(func(c echo.Context) (tokenstore.Token, error) {
		return s.AccessToken(c.Request().Context())
	}))
	e.GET("/inner/authorizer-access-token", s.innerToken(func(c echo.Context) (tokenstore.Token, error) {
		appid := c.QueryParam("appid")
		if appid == "" {
			return tokenstore.Token{}, fault.Invalid("query.appid", "The parameter appid is missing.", nil)
		}
		if !utf8.ValidString(appid) || strings.ContainsFunc(appid, unicode.IsControl) {
			return tokenstore.Token{}, fault.Invalid("query.appid", "The parameter appid is not an appid.", nil)
		}
		return authorizerToken(c.Request().Context(), appid)
	}))
	e.GET("/inner/ticket", func(c echo.Context) error {
		c.Response().Header().Set("Cache-Control", "no-store")
		t, err := s.Ticket(c.Request().Context())
		if err != nil {
			return answerInnerFailure(c, err)
		}
		return c.JSON(http.StatusOK, innerAnswer{ErrorMsg: "OK", Data: map[string]string{"ticket": t.Value.Reveal()}})
	})
}

// innerToken answers with a token. Callers may keep it for some minutes and ask then whether it is still the one to use.
func (s *Service) innerToken(get func(echo.Context) (tokenstore.Token, error)) echo.HandlerFunc {
	return func(c echo.Context) error {
		c.Response().Header().Set("Cache-Control", "no-store")
		t, err := get(c)
		if err != nil {
			return answerInnerFailure(c, err)
		}
		caching := httpserver.CacheToken(t.Access.Fingerprint(), s.now(), t.ExpiresAt)
		caching.Set(c.Response().Header())
		if caching.Matches(c.Request().Header.Get("If-None-Match")) {
			return c.NoContent(http.StatusNotModified)
		}
		c.Response().Header().Set("X-Wxsteward-Expires-At", t.ExpiresAt.UTC().Format(time.RFC3339)) // the body is as 服务商微管家 has it
		return c.JSON(http.StatusOK, innerAnswer{ErrorMsg: "OK", Data: map[string]string{"token": t.Access.Reveal()}})
	}
}

func answerInnerFailure(c echo.Context, err error) error {
	lang := fault.LangOf(c.Request().Header.Get("Accept-Language"))
	if again := fault.ProblemFor(err, lang).RetryAfter; again > 0 {
		c.Response().Header().Set("Retry-After", strconv.Itoa(int(math.Ceil(again.Seconds()))))
	}
	return c.JSON(http.StatusOK, innerFailure(err, lang))
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
