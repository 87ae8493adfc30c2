package adminauth

import (
	"bytes"
	"context"
	"io"
	"log/slog"
	"net/http"
	"time"

	"github.com/danielgtaylor/huma/v2"
	"github.com/danielgtaylor/huma/v2/adapters/humaecho"

	"github.com/wxsteward/wxsteward/internal/fault"
	"github.com/wxsteward/wxsteward/internal/httpserver"
)

const maxIdempotencyKey = 200

// once runs a POST with an Idempotency-Key at most once and answers repetitions with the first answer.
func (s *Service) once(ctx huma.Context, c *call, next func(huma.Context)) {
	key := ctx.Header("Idempotency-Key")
	meta := ctx.Operation().Metadata
	if key == "" || ctx.Method() != http.MethodPost || meta[metaOnce] == false {
		next(ctx)
		return
	}
	if len(key) > maxIdempotencyKey || !printable(key) {
		httpserver.RefuseOperation(ctx, fault.Invalid("header.Idempotency-Key", "An Idempotency-Key is 1 to 200 printable ASCII characters.", nil))
		return
	}
	req := humaecho.Unwrap(ctx).Request()
	body, err := io.ReadAll(req.Body)
	if err != nil {
		httpserver.RefuseOperation(ctx, fault.Wrap(err, kindOfRead(err), ""))
		return
	}
	req.Body = io.NopCloser(bytes.NewReader(body))

	c.idem = &idempotent{
		service: s, userID: c.who.ID, route: ctx.Method() + " " + req.URL.Path, key: key,
		bodyHash: hashRequest(req.URL.RawQuery, body), atomic: meta[metaAtomic] == true,
	}
	first, err := c.idem.begin(ctx.Context())
	if err != nil {
		httpserver.RefuseOperation(ctx, err)
		return
	}
	if first != nil {
		ctx.SetHeader("Idempotent-Replayed", "true")
		send(ctx, *first)
		return
	}
	s.runOnce(ctx, c.idem, next)
}

// runOnce holds the answer back until it is stored: what the client has seen, it will see again.
func (s *Service) runOnce(ctx huma.Context, i *idempotent, next func(huma.Context)) {
	limited, cancel := context.WithTimeout(ctx.Context(), atomicTimeout)
	defer cancel()
	held := &heldAnswer{humaContext: huma.WithContext(ctx, limited)}
	ended := false
	finish := func(a answer) {
		after, stop := context.WithTimeout(context.WithoutCancel(ctx.Context()), 5*time.Second)
		defer stop()
		if err := i.finish(after, a); err != nil {
			s.log.ErrorContext(after, "answer not stored for its Idempotency-Key", slog.Any("error", err))
		}
	}
	defer func() {
		if !ended { // it panicked
			finish(answer{status: http.StatusInternalServerError})
		}
	}()
	next(held)
	ended = true
	a := answer{max(held.status, http.StatusOK), held.contentType, held.body.Bytes()}
	finish(a)
	send(ctx, a)
}

func send(ctx huma.Context, a answer) {
	if a.contentType != "" {
		ctx.SetHeader("Content-Type", a.contentType)
	}
	ctx.SetStatus(a.status)
	_, _ = ctx.BodyWriter().Write(a.body) // the client may have gone; the call counts all the same
}

// humaContext is embedded under a name that its own method Context does not clash with.
type humaContext huma.Context

// heldAnswer collects an answer.
type heldAnswer struct {
	humaContext

	status      int
	contentType string
	body        bytes.Buffer
}

func (h *heldAnswer) Unwrap() huma.Context  { return h.humaContext }
func (h *heldAnswer) SetStatus(status int)  { h.status = status }
func (h *heldAnswer) Status() int           { return h.status }
func (h *heldAnswer) BodyWriter() io.Writer { return &h.body }

func (h *heldAnswer) SetHeader(name, value string) {
	if http.CanonicalHeaderKey(name) == "Content-Type" {
		h.contentType = value
	}
	h.humaContext.SetHeader(name, value)
}

func printable(s string) bool {
	for i := range len(s) {
		if s[i] < 0x20 || s[i] > 0x7e {
			return false
		}
	}
	return true
}
