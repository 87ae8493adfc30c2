package httpserver

import (
	"context"
	"log/slog"
	"net/http"
	"time"

	"github.com/labstack/echo/v4"
)

const readyTimeout = 2 * time.Second

type readyCheck struct {
	name  string
	check func(context.Context) error
}

// Ready adds a condition of /readyz. check gets two seconds; its error is logged, not shown.
func (s *Server) Ready(name string, check func(ctx context.Context) error) {
	s.readyMu.Lock()
	defer s.readyMu.Unlock()
	s.ready = append(s.ready, readyCheck{name, check})
}

type health struct {
	Status string            `json:"status"`
	Checks map[string]string `json:"checks,omitempty"`
}

func (s *Server) routeHealth() {
	s.echo.Match([]string{http.MethodGet, http.MethodHead}, "/healthz", func(c echo.Context) error { return c.JSON(http.StatusOK, health{Status: "ok"}) })
	s.echo.Match([]string{http.MethodGet, http.MethodHead}, "/readyz", func(c echo.Context) error {
		status, answer := s.readiness(c.Request().Context())
		return c.JSON(status, answer)
	})
}

func (s *Server) readiness(ctx context.Context) (int, health) {
	ctx, cancel := context.WithTimeout(ctx, readyTimeout)
	defer cancel()
	s.readyMu.Lock()
	checks := append([]readyCheck(nil), s.ready...)
	s.readyMu.Unlock()

	status, answer := http.StatusOK, health{Status: "ready", Checks: map[string]string{}}
	for _, c := range checks {
		answer.Checks[c.name] = "ok"
		if err := c.check(ctx); err != nil {
			s.log.DebugContext(ctx, "not ready", slog.String("check", c.name), slog.Any("error", err))
			answer.Checks[c.name] = "failed"
			status, answer.Status = http.StatusServiceUnavailable, "not ready"
		}
	}
	return status, answer
}
