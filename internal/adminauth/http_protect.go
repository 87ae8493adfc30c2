package adminauth

import (
	"github.com/labstack/echo/v4"

	"github.com/wxsteward/wxsteward/internal/fault"
)

// Protect lets only signed-in users with at least role reach pages outside of the API; calls that change something
// need the X-CSRF-Token header as in the API.
func (s *Service) Protect(role Role) echo.MiddlewareFunc {
	return func(next echo.HandlerFunc) echo.HandlerFunc {
		return func(c echo.Context) error {
			cookie, err := c.Cookie(s.sessionCookie())
			if err != nil {
				return fault.New(fault.Unauthenticated, "")
			}
			ctx := c.Request().Context()
			who, err := s.resume(ctx, cookie.Value)
			if err != nil {
				return err
			}
			if !who.Role.Includes(role) {
				return fault.New(fault.Forbidden, "This needs the role %s; %s is %s.", role, who.Username, who.Role)
			}
			if err := s.checkTOTP(ctx, who); err != nil {
				return err
			}
			if changes(c.Request().Method) {
				csrf, err := c.Cookie(CSRFCookie)
				if err != nil {
					return fault.Wrap(err, fault.Forbidden, "The csrf cookie is missing. Reload the page and try again.")
				}
				if err := s.checkCSRF(ctx, who.sessionID, csrf.Value, c.Request().Header.Get("X-CSRF-Token")); err != nil {
					return err
				}
			}
			return next(c)
		}
	}
}
