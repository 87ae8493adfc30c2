package httpserver

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"reflect"
	"time"

	"github.com/danielgtaylor/huma/v2"
	"github.com/danielgtaylor/huma/v2/adapters/humaecho"

	"github.com/wxsteward/wxsteward/internal/live"
)

const (
	heartbeat         = 15 * time.Second
	eventWriteTimeout = 10 * time.Second
)

// liveUpdates is live.Hub.
type liveUpdates interface {
	Subscribe() (events <-chan live.Event, cancel func())
}

// liveEvent is the data of one event; its kind is the event's name.
type liveEvent struct {
	ID    string `json:"id"`
	AppID string `json:"appid,omitempty"`
	State string `json:"state,omitempty"`
}

// Events registers op as the stream of live updates: server-sent events named ticket, authorizer, link, rollout,
// submission, message, sync, import, preflight, forward_rule, proxy, notice, and resync when some may have been missed. Other kinds are
// our own affair and stay inside.
// allowed is asked before anything is sent and at every heartbeat, so that a stream ends with its session; it also
// ends at shutdown.
func (s *Server) Events(op huma.Operation, hub liveUpdates, allowed func(ctx context.Context) bool) {
	op.Responses = map[string]*huma.Response{
		"200": {
			Description: "Events named ticket, authorizer, link, rollout, submission, message, sync, import, preflight, forward_rule, proxy, notice or resync (read again).",
			Content: map[string]*huma.MediaType{"text/event-stream": {
				Schema: s.api.OpenAPI().Components.Schemas.Schema(reflect.TypeFor[liveEvent](), true, "LiveEvent"),
			}},
		},
	}
	huma.Register(s.api, op, func(context.Context, *struct{}) (*huma.StreamResponse, error) {
		return &huma.StreamResponse{Body: func(ctx huma.Context) { s.stream(ctx, hub, allowed) }}, nil
	})
}

func (s *Server) stream(ctx huma.Context, hub liveUpdates, allowed func(ctx context.Context) bool) {
	events, cancel := hub.Subscribe()
	defer cancel()
	ctx.SetHeader("Content-Type", "text/event-stream")
	ctx.SetHeader("X-Accel-Buffering", "no") // nginx would hold events back
	ctx.SetStatus(http.StatusOK)
	control := http.NewResponseController(humaecho.Unwrap(ctx).Response())
	send := func(format string, args ...any) bool {
		_ = control.SetWriteDeadline(time.Now().Add(eventWriteTimeout)) // unsupported only in tests without a connection
		if _, err := fmt.Fprintf(ctx.BodyWriter(), format, args...); err != nil {
			return false
		}
		return control.Flush() == nil
	}
	beat := time.NewTicker(heartbeat)
	defer beat.Stop()
	// A comment at once lets the browser know that the stream is open.
	for alive := send(": open\n\n"); alive; {
		select {
		case <-ctx.Context().Done():
			alive = false
		case <-s.stopping:
			alive = false
		case <-beat.C:
			alive = allowed(ctx.Context()) && send(": still here\n\n")
		case e, open := <-events:
			alive = open && (!public(e.Kind) || allowed(ctx.Context()) && sendEvent(send, e))
		}
	}
}

func sendEvent(send func(format string, args ...any) bool, e live.Event) bool {
	data, err := json.Marshal(liveEvent{ID: e.ID, AppID: e.AppID, State: e.State})
	return err == nil && send("event: %s\ndata: %s\n\n", e.Kind, data)
}

func public(kind string) bool {
	switch kind {
	case "ticket", "authorizer", "link", "registration", "rollout", "submission", "message", "sync", "import", "preflight", "forward_rule", "proxy", "notice", live.Resync:
		return true
	}
	return false
}
