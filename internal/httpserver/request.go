package httpserver

import (
	"context"
	"net/netip"
	"sync"
)

// request is what the outermost middleware notes about a request for everybody further in.
type request struct {
	id string
	ip netip.Addr

	mu      sync.Mutex
	err     error
	routine bool
}

type requestKey struct{}

func requestFrom(ctx context.Context) *request {
	r, _ := ctx.Value(requestKey{}).(*request)
	return r
}

// fail keeps the first error of the request for its log line.
func (r *request) fail(err error) {
	if r == nil || err == nil {
		return
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.err == nil {
		r.err = err
	}
}

func (r *request) failure() error {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.err
}

// Routine has the request logged at debug level when it is answered well: for requests that come by the thousand and that
// something else keeps a record of.
func Routine(ctx context.Context) {
	if r := requestFrom(ctx); r != nil {
		r.mu.Lock()
		defer r.mu.Unlock()
		r.routine = true
	}
}

func (r *request) isRoutine() bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.routine
}

// RequestID is the id in X-Request-Id and in the log; empty outside of a request.
func RequestID(ctx context.Context) string {
	if r := requestFrom(ctx); r != nil {
		return r.id
	}
	return ""
}

// ClientIP is the address of whoever asked: the TCP peer, or what a trusted proxy says. It is invalid outside of a
// request.
func ClientIP(ctx context.Context) netip.Addr {
	if r := requestFrom(ctx); r != nil {
		return r.ip
	}
	return netip.Addr{}
}
