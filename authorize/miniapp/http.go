package miniapp

import (
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"time"

	"github.com/labstack/echo/v4"

	"github.com/wxsteward/wxsteward/internal/fault"
	"github.com/wxsteward/wxsteward/internal/httpserver"
	"github.com/wxsteward/wxsteward/internal/sealed"
)

// RegisterRoutes adds /miniapp/…. Anybody may sign in; the other two answer whoever is recognised.
func (s *Service) RegisterRoutes(e *echo.Echo) {
	e.POST("/miniapp/login", s.login)
	e.GET("/miniapp/whoami", s.whoami)
	e.POST("/miniapp/phone", s.phone)
}

const maxBody = 16 << 10

func decode(c echo.Context, into any) error {
	req := c.Request()
	text, err := io.ReadAll(http.MaxBytesReader(c.Response(), req.Body, maxBody))
	if _, tooLarge := errors.AsType[*http.MaxBytesError](err); tooLarge {
		return fault.Wrap(err, fault.TooLarge, "")
	}
	if err != nil || json.Unmarshal(text, into) != nil {
		return fault.Invalid("body", "The body must be a JSON object.", nil)
	}
	return nil
}

func (s *Service) login(c echo.Context) error {
	var in struct {
		AppID string        `json:"appid"`
		Code  sealed.Secret `json:"code"`
	}
	if err := decode(c, &in); err != nil {
		return err
	}
	var wrong fault.Collector
	const longest = 512
	if in.AppID == "" || len(in.AppID) > longest {
		wrong.Add("body.appid", "Name the mini program that calls.", nil)
	}
	if in.Code.IsZero() || len(in.Code.Reveal()) > longest {
		wrong.Add("body.code", "Send the code that wx.login gave.", nil)
	}
	if err := wrong.Err(); err != nil {
		return err
	}
	ctx := c.Request().Context()
	session, err := s.Login(ctx, in.AppID, in.Code, httpserver.ClientIP(ctx).String())
	if err != nil {
		return err
	}
	return c.JSON(http.StatusOK, struct {
		Token     string    `json:"token"`
		ExpiresAt time.Time `json:"expires_at"`
	}{session.Token.Reveal(), session.ExpiresAt.UTC()})
}

func (s *Service) whoami(c echo.Context) error {
	id, err := s.Who(c.Request())
	if err != nil {
		return err
	}
	return c.JSON(http.StatusOK, id)
}

func (s *Service) phone(c echo.Context) error {
	id, err := s.Who(c.Request())
	if err != nil {
		return err
	}
	var in struct {
		Code    sealed.Secret `json:"code"`
		CloudID sealed.Secret `json:"cloud_id"`
	}
	if err := decode(c, &in); err != nil {
		return err
	}
	p, err := s.Phone(c.Request().Context(), id, in.Code, in.CloudID)
	if err != nil {
		return err
	}
	return c.JSON(http.StatusOK, struct {
		PhoneNumber     string `json:"phone_number"`
		PurePhoneNumber string `json:"pure_phone_number"`
		CountryCode     string `json:"country_code"`
	}{p.Number, p.Pure, p.CountryCode})
}
