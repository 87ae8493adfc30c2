package main

import (
	"context"
	"io"
	"net"
	"net/http"
	"time"
)

// serveStarting answers on the public address while a private database starts: the process is alive, not ready, and
// WeChat should come again. The returned function hands the address over; connections that wait are not lost.
func (a *app) serveStarting(ctx context.Context) (over func()) {
	listener, ok := a.public.(*net.TCPListener)
	if !ok {
		return func() {}
	}
	server := &http.Server{
		ReadHeaderTimeout: 5 * time.Second, ReadTimeout: 10 * time.Second, WriteTimeout: 10 * time.Second, MaxHeaderBytes: 64 << 10,
		BaseContext: func(net.Listener) context.Context { return ctx },
		Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Content-Type", "text/plain; charset=utf-8")
			if r.URL.Path == "/healthz" {
				_, _ = io.WriteString(w, "ok\n")
				return
			}
			w.Header().Set("Retry-After", "1")
			w.WriteHeader(http.StatusServiceUnavailable)
			_, _ = io.WriteString(w, "wxsteward is starting, try again in a moment\n")
		}),
	}
	server.SetKeepAlivesEnabled(false)
	done := make(chan struct{})
	go func() {
		defer close(done)
		_ = server.Serve(keptListener{listener})
	}()
	return func() {
		_ = listener.SetDeadline(time.Now()) // ends Accept, not the listener
		<-done
		stopCtx, cancel := context.WithTimeout(context.WithoutCancel(ctx), time.Second)
		defer cancel()
		_ = server.Shutdown(stopCtx)
		_ = listener.SetDeadline(time.Time{})
	}
}

// keptListener survives the server that used it, and ends that server's Accept loop at the deadline.
type keptListener struct{ *net.TCPListener }

func (keptListener) Close() error { return nil }

func (l keptListener) Accept() (net.Conn, error) {
	conn, err := l.TCPListener.Accept()
	if timeout, ok := err.(net.Error); ok && timeout.Timeout() { //nolint:errorlint // Accept returns it unwrapped
		return nil, net.ErrClosed // a time-out would be tried again
	}
	return conn, err
}
