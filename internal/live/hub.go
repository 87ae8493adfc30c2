package live

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"github.com/jackc/pgx/v5"
)

const (
	// subscriberBuffer is how many events a subscriber may lag behind before it is told to read again.
	subscriberBuffer = 256
	// checkAfter is how long the connection may be silent before it is asked whether it still lives.
	checkAfter   = 15 * time.Second
	checkTimeout = 5 * time.Second

	firstPause = 100 * time.Millisecond
	maxPause   = 3 * time.Second
)

// Hub listens on one connection and hands every event to all its subscribers.
type Hub struct {
	connect func(ctx context.Context) (*pgx.Conn, error)
	logger  *slog.Logger

	mu   sync.Mutex
	subs map[chan Event]struct{}
}

// NewHub makes a Hub; connect opens a connection that is the hub's own and can LISTEN (not through a pooler in
// transaction mode).
func NewHub(connect func(ctx context.Context) (*pgx.Conn, error), logger *slog.Logger) *Hub {
	return &Hub{connect: connect, logger: logger, subs: map[chan Event]struct{}{}}
}

// Subscribe returns a channel of all events from now on and a function that ends the subscription and closes the
// channel; it may be called more than once. A subscriber that falls behind loses events and gets one Resync in
// their place; it never holds up others. The first event may be a Resync.
func (h *Hub) Subscribe() (events <-chan Event, cancel func()) {
	ch := make(chan Event, subscriberBuffer)
	h.mu.Lock()
	defer h.mu.Unlock()
	h.subs[ch] = struct{}{}
	return ch, sync.OnceFunc(func() {
		h.mu.Lock()
		defer h.mu.Unlock()
		delete(h.subs, ch)
		close(ch)
	})
}

// Run listens until ctx ends, which is not an error. A lost connection is opened again, with pauses growing to 3 s;
// then every subscriber gets a Resync.
func (h *Hub) Run(ctx context.Context) error {
	for pause := firstPause; ctx.Err() == nil; pause = min(2*pause, maxPause) {
		listened, err := h.listen(ctx)
		if listened {
			pause = firstPause
		}
		if ctx.Err() == nil {
			h.logger.WarnContext(ctx, "live events interrupted", "error", err, "retry_in", pause)
		}
		select {
		case <-ctx.Done():
		case <-time.After(pause):
		}
	}
	return nil
}

// listen works on one connection until it breaks; listened tells whether it came so far as to receive events.
func (h *Hub) listen(ctx context.Context) (listened bool, err error) {
	connectCtx, cancel := context.WithTimeout(ctx, checkTimeout)
	defer cancel()
	conn, err := h.connect(connectCtx)
	if err != nil {
		return false, fmt.Errorf("connect: %w", err)
	}
	defer closeConn(ctx, conn)
	if _, err := conn.Exec(connectCtx, "LISTEN "+channel); err != nil {
		return false, fmt.Errorf("listen: %w", err)
	}
	h.broadcast(Event{Kind: Resync})
	for {
		waitCtx, cancelWait := context.WithTimeout(ctx, checkAfter)
		n, err := conn.WaitForNotification(waitCtx)
		silent := err != nil && waitCtx.Err() != nil && ctx.Err() == nil
		cancelWait()
		switch {
		case silent:
			if err := check(ctx, conn); err != nil {
				return true, err
			}
		case err != nil:
			return true, fmt.Errorf("wait for events: %w", err)
		default:
			var e Event
			if err := json.Unmarshal([]byte(n.Payload), &e); err != nil {
				h.logger.WarnContext(ctx, "live event not understood", "error", err)
				continue
			}
			h.broadcast(e)
		}
	}
}

// check finds out about a connection whose other end has vanished without a word. pgx keeps a connection usable
// when waiting for a notification timed out.
func check(ctx context.Context, conn *pgx.Conn) error {
	if conn.IsClosed() {
		return errors.New("wait for events: connection closed")
	}
	ctx, cancel := context.WithTimeout(ctx, checkTimeout)
	defer cancel()
	if err := conn.Ping(ctx); err != nil {
		return fmt.Errorf("check connection: %w", err)
	}
	return nil
}

func closeConn(ctx context.Context, conn *pgx.Conn) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), time.Second)
	defer cancel()
	_ = conn.Close(ctx)
}

func (h *Hub) broadcast(e Event) {
	h.mu.Lock()
	defer h.mu.Unlock()
	for ch := range h.subs {
		select {
		case ch <- e:
		default: // full
			drain(ch)
			ch <- Event{Kind: Resync} // there is room: only broadcast sends, under the lock
		}
	}
}

func drain(ch chan Event) {
	for {
		select {
		case <-ch:
		default:
			return
		}
	}
}
