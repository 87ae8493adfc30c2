package httpserver

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"regexp"
	"runtime/debug"
	"strings"
	"time"

	"github.com/labstack/echo/v4"

	"github.com/wxsteward/wxsteward/internal/fault"
)

var requestIDPattern = regexp.MustCompile(`^[A-Za-z0-9._-]{1,64}$`)

// observe names the request, notes who asks and in which language, and logs it once when it is over. The log has the
// route's template, never the query: links and pushes carry secrets there.
func (s *Server) observe(next echo.HandlerFunc) echo.HandlerFunc {
	return func(c echo.Context) error {
		began := time.Now()
		req := c.Request()
		info := &request{id: req.Header.Get("X-Request-Id"), ip: clientIP(req, s.cfg.TrustedProxies)}
		if !requestIDPattern.MatchString(info.id) {
			info.id = rand.Text()
		}
		ctx := context.WithValue(req.Context(), requestKey{}, info)
		ctx = fault.WithLang(ctx, fault.LangOf(req.Header.Get("Accept-Language")))
		c.SetRequest(req.WithContext(ctx))
		c.Response().Header().Set("X-Request-Id", info.id)

		defer func() {
			res := c.Response()
			level := slog.LevelInfo
			said := wechatSaid(info.failure())
			switch {
			case said != nil: // it is told to whoever called, and nothing of ours is broken
				level = slog.LevelWarn
			case res.Status >= http.StatusInternalServerError && req.Context().Err() == nil && c.Path() != "/readyz":
				level = slog.LevelError
			case c.Path() == "/healthz" || c.Path() == "/readyz" || res.Status < http.StatusBadRequest && info.isRoutine():
				level = slog.LevelDebug
			}
			if !s.log.Enabled(ctx, level) {
				return
			}
			attrs := []slog.Attr{
				slog.String("method", req.Method), slog.String("route", c.Path()), slog.Int("status", res.Status),
				slog.Int64("bytes", res.Size), slog.Float64("duration_ms", float64(time.Since(began).Microseconds())/1000),
				slog.String("ip", info.ip.String()), slog.String("request_id", info.id),
			}
			if err := info.failure(); err != nil {
				attrs = append(attrs, slog.Any("error", err))
			}
			s.log.LogAttrs(ctx, level, "request", append(attrs, said...)...)
		}()
		if err := next(c); err != nil {
			c.Error(err)
		}
		return nil
	}
}

// wechatSaid are the particulars of a call that failed because of WeChat; nil for every other.
func wechatSaid(err error) []slog.Attr {
	if err == nil {
		return nil
	}
	p := fault.ProblemFor(err, fault.English)
	if p.Code != fault.WeChatRefused && p.Code != fault.WeChatUnavailable {
		return nil
	}
	said := []slog.Attr{slog.String("code", string(p.Code))}
	if p.WeChat != nil {
		said = append(said, slog.Int("errcode", p.WeChat.ErrCode), slog.String("rid", p.WeChat.RID))
	}
	return said
}

// contain answers 500 for a handler that panicked. When the answer has begun already, the connection is cut instead, so
// that nobody takes half an answer for a whole one.
func (s *Server) contain(next echo.HandlerFunc) echo.HandlerFunc {
	return func(c echo.Context) (err error) {
		defer func() {
			p := recover()
			if p == nil {
				return
			}
			if cause, ok := p.(error); ok && errors.Is(cause, http.ErrAbortHandler) {
				panic(p)
			}
			ctx := c.Request().Context()
			s.log.ErrorContext(ctx, "handler panicked", slog.Any("panic", p), slog.String("route", c.Path()),
				slog.String("request_id", RequestID(ctx)), slog.String("stack", string(debug.Stack())))
			if c.Response().Committed {
				panic(http.ErrAbortHandler)
			}
			err = fault.Wrap(fmt.Errorf("panic: %v", p), fault.Internal, "")
		}()
		return next(c)
	}
}

// contentPolicy is for answers that are no pages; a page sets its own.
const contentPolicy = "default-src 'none'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"

// pageHeaders are set on every answer; a page may set its own instead.
func (s *Server) pageHeaders() map[string]string {
	headers := map[string]string{
		"Content-Security-Policy": contentPolicy,
		"X-Content-Type-Options":  "nosniff",
		"X-Frame-Options":         "DENY",
		"Referrer-Policy":         "same-origin",
		// Pages of ours are in a group of their own, and use none of these.
		"Cross-Origin-Opener-Policy": "same-origin",
		"Permissions-Policy":         "camera=(), geolocation=(), microphone=(), payment=(), usb=()",
	}
	if s.cfg.PublicURL.Scheme == "https" {
		headers["Strict-Transport-Security"] = "max-age=31536000"
	}
	return headers
}

// ClearPageHeaders removes the security headers that every answer starts with. It is for answers that somebody else is
// the author of, such as the business system behind the pass-through proxy.
func ClearPageHeaders(h http.Header) {
	for _, name := range []string{
		"Content-Security-Policy", "X-Content-Type-Options", "X-Frame-Options", "Referrer-Policy", "Strict-Transport-Security",
		"Cross-Origin-Opener-Policy", "Permissions-Policy",
	} {
		h.Del(name)
	}
}

func (s *Server) secure(next echo.HandlerFunc) echo.HandlerFunc {
	headers := s.pageHeaders()
	return func(c echo.Context) error {
		h := c.Response().Header()
		for name, value := range headers {
			h.Set(name, value)
		}
		if strings.HasPrefix(c.Request().URL.Path, "/authorize/") {
			h.Del("Cross-Origin-Opener-Policy") // a business system may open the page in a window and watch that
		}
		if isAPI(c.Request().URL.Path) {
			h.Set("Cache-Control", "no-store")
			h.Set("Cross-Origin-Resource-Policy", "same-origin") // other sites cannot even embed it
		}
		return next(c)
	}
}

// limit bounds the body of API calls. An operation for files says itself how much it takes.
func (s *Server) limit(next echo.HandlerFunc) echo.HandlerFunc {
	return func(c echo.Context) error {
		req := c.Request()
		if isAPI(req.URL.Path) && req.Body != nil {
			limit := int64(maxAPIBodyBytes)
			if item := s.api.OpenAPI().Paths[strings.TrimPrefix(c.Path(), apiPrefix)]; item != nil && item.Post != nil && req.Method == http.MethodPost {
				limit = max(limit, item.Post.MaxBodyBytes)
			}
			req.Body = http.MaxBytesReader(c.Response(), req.Body, limit+1)
		}
		return next(c)
	}
}

func isAPI(path string) bool {
	return path == "/api" || strings.HasPrefix(path, "/api/") || strings.HasPrefix(path, "/miniapp/")
}
