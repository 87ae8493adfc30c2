package httpserver

import (
	"context"
	"encoding/json"
	"errors"
	"log/slog"
	"math"
	"net/http"
	"strconv"
	"strings"

	"github.com/danielgtaylor/huma/v2"
	"github.com/labstack/echo/v4"

	"github.com/wxsteward/wxsteward/internal/fault"
)

// Huma asks two package variables how to make an error; they are the only way to stop it from printing unknown errors
// to the client. They are set before anything can run, do not depend on any server, and are never set again.
//
//nolint:gochecknoinits // see above: any later moment would race with a server that runs already
func init() {
	huma.NewErrorWithContext = func(ctx huma.Context, status int, msg string, errs ...error) huma.StatusError {
		p := problemFromHuma(ctx.Context(), status, msg, errs)
		setRetryAfter(p, ctx.SetHeader)
		return p
	}
	huma.NewError = func(status int, msg string, errs ...error) huma.StatusError {
		return problemFromHuma(context.Background(), status, msg, errs)
	}
	// A list is a list, never null: New fills in the missing ones.
	huma.DefaultArrayNullable = false
}

// problemFromHuma turns what Huma has to say into our problem. An error that a handler returned arrives here as the
// only one, with status 500.
func problemFromHuma(ctx context.Context, status int, msg string, errs []error) *fault.Problem {
	lang := fault.LangFrom(ctx)
	if status >= http.StatusInternalServerError {
		err := errors.Join(errs...)
		if err == nil {
			err = errors.New(msg)
		}
		return Problem(ctx, err)
	}
	for _, err := range errs {
		if _, tooLarge := errors.AsType[*http.MaxBytesError](err); tooLarge {
			return Problem(ctx, err)
		}
		// Of a form Huma tells the error's text only.
		if d, ok := errors.AsType[*huma.ErrorDetail](err); ok && strings.HasSuffix(d.Message, (&http.MaxBytesError{}).Error()) {
			return Problem(ctx, &http.MaxBytesError{})
		}
	}
	kind := fault.KindOf(status)
	if kind == fault.Validation || kind == fault.TooLarge || kind == fault.UnsupportedMedia || kind == fault.TimedOut {
		msg = "" // Huma's own words are for programmers
	}
	p := fault.ProblemOf(kind, msg, lang)
	p.RequestID = RequestID(ctx)
	for _, err := range errs {
		p.Errors = append(p.Errors, fieldOf(err, lang)...)
	}
	return &p
}

// Problem is what ctx's user may see of err. It notes err for the request's log line.
func Problem(ctx context.Context, err error) *fault.Problem {
	requestFrom(ctx).fail(err)
	p := fault.ProblemFor(err, fault.LangFrom(ctx))
	p.RequestID = RequestID(ctx)
	return &p
}

// named completes a problem that a handler made with one of Huma's functions, which do not know the request.
func named(ctx context.Context, p *fault.Problem) *fault.Problem {
	if p.RequestID != "" {
		return p
	}
	if p.Status >= http.StatusInternalServerError {
		requestFrom(ctx).fail(p)
	}
	out := fault.ProblemOf(p.Code, p.Detail, fault.LangFrom(ctx))
	out.Errors, out.WeChat, out.RequestID = p.Errors, p.WeChat, RequestID(ctx)
	return &out
}

func setRetryAfter(p *fault.Problem, set func(name, value string)) {
	if p.RetryAfter > 0 {
		set("Retry-After", strconv.Itoa(int(math.Ceil(p.RetryAfter.Seconds()))))
	}
}

// answerError is Echo's error handler: every error of a page, a push or an unknown address ends here.
func (s *Server) answerError(err error, c echo.Context) {
	ctx := c.Request().Context()
	if c.Response().Committed {
		requestFrom(ctx).fail(err)
		return
	}
	var p *fault.Problem
	if he, ok := errors.AsType[*echo.HTTPError](err); ok && he.Code < http.StatusInternalServerError {
		own := fault.ProblemOf(fault.KindOf(he.Code), "", fault.LangFrom(ctx))
		own.RequestID = RequestID(ctx)
		p = &own
	} else {
		p = Problem(ctx, err)
	}
	h := c.Response().Header()
	setRetryAfter(p, h.Set)
	if err := WriteProblem(c.Response(), c.Request(), p); err != nil {
		s.log.DebugContext(ctx, "error answer not sent", slog.Any("error", err))
	}
}

// WriteProblem sends p. It is for handlers below Echo; others return the error.
func WriteProblem(w http.ResponseWriter, r *http.Request, p *fault.Problem) error {
	w.Header().Set("Content-Type", p.ContentType(""))
	w.WriteHeader(p.Status)
	if r.Method == http.MethodHead {
		return nil
	}
	enc := json.NewEncoder(w)
	enc.SetEscapeHTML(false)
	return enc.Encode(p)
}

// RefuseOperation answers an operation of the API with err instead of running it.
func RefuseOperation(ctx huma.Context, err error) {
	p := Problem(ctx.Context(), err)
	setRetryAfter(p, ctx.SetHeader)
	ctx.SetHeader("Content-Type", p.ContentType(""))
	ctx.SetStatus(p.Status)
	enc := json.NewEncoder(ctx.BodyWriter())
	enc.SetEscapeHTML(false)
	if err := enc.Encode(p); err != nil {
		requestFrom(ctx.Context()).fail(err)
	}
}

// fieldOf is what the user sees of one complaint of Huma's validation. The value is told back only where it is a plain
// one of a field that cannot be a secret: a whole object could hold one anywhere.
func fieldOf(err error, lang string) []fault.Field {
	if fe, ok := errors.AsType[*fault.Error](err); ok {
		p := fault.ProblemFor(fe, lang)
		if len(p.Errors) > 0 {
			return p.Errors
		}
		return []fault.Field{{Message: p.Detail}}
	}
	var detail *huma.ErrorDetail
	if d, ok := err.(huma.ErrorDetailer); ok {
		detail = d.ErrorDetail()
	}
	if detail == nil {
		return []fault.Field{{Message: explain("", lang)}}
	}
	f := fault.Field{Location: detail.Location, Message: explain(detail.Message, lang)}
	if tellable(detail.Location) {
		switch v := detail.Value.(type) {
		case bool, float64, int, int64:
			f.Value = v
		case string:
			if len(v) <= 200 {
				f.Value = v
			}
		}
	}
	return []fault.Field{f}
}

func tellable(location string) bool {
	if location == "" || location == "body" {
		return false
	}
	location = strings.ToLower(location)
	for _, word := range []string{"password", "secret", "token", "ticket", "key", "code", "authorization", "cookie"} {
		if strings.Contains(location, word) {
			return false
		}
	}
	return true
}
