package httpserver

import (
	"github.com/labstack/echo/v4"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/trace"
)

// trace makes a span of each request, named after its route. Addresses stay out, they hold secrets; so does what a stranger says to be the
// trace that the request belongs to. Streams would be spans without end.
func (s *Server) trace(next echo.HandlerFunc) echo.HandlerFunc {
	return func(c echo.Context) error {
		if c.Path() == apiPrefix+"/events" || c.Path() == "/healthz" || c.Path() == "/readyz" {
			return next(c)
		}
		req := c.Request()
		ctx, span := s.cfg.Tracer.Start(
			req.Context(), req.Method+" "+c.Path(), trace.WithSpanKind(trace.SpanKindServer), trace.WithNewRoot(),
			trace.WithAttributes(
				attribute.String("http.request.method", req.Method), attribute.String("http.route", c.Path()),
				attribute.String("wxsteward.request_id", RequestID(req.Context())),
			),
		)
		defer span.End()
		c.SetRequest(req.WithContext(ctx))
		if err := next(c); err != nil {
			c.Error(err)
		}
		span.SetAttributes(attribute.Int("http.response.status_code", c.Response().Status))
		if c.Response().Status >= 500 {
			span.SetStatus(codes.Error, "")
		}
		return nil
	}
}
