// Package wechattest starts a fake WeChat for a test: wechatfake behind httptest, closed when the test ends.
package wechattest

import (
	"net/http/httptest"
	"testing"
	"time"

	"github.com/wxsteward/wxsteward/internal/wechat/wechatfake"
)

// The identity of the platform every test server has.
const (
	ComponentAppID  = "wxc0ffee0123456789"
	ComponentSecret = "5ec4e7b1d0a94f7f8e2a6f3f1f6f0b11" //nolint:gosec // a made-up secret of a made-up platform
	Token           = "wxstewardtesttoken"
	EncodingAESKey  = "abcdefghijklmnopqrstuvwxyz0123456789ABCDEFG"
)

// Server is a fake WeChat on a local port.
type Server struct {
	URL  string // e.g. http://127.0.0.1:34567
	Fake *wechatfake.Server
}

// Option changes the configuration of the fake.
type Option func(*wechatfake.Config)

// New starts a fake with fast timings: code detection takes no time, pushes are retried after 10 ms, tickets come only
// when asked for. It is closed when the test ends.
func New(tb testing.TB, options ...Option) *Server {
	tb.Helper()
	config := wechatfake.Config{
		ComponentAppID: ComponentAppID, ComponentSecret: ComponentSecret, Token: Token, EncodingAESKey: EncodingAESKey,
		DetectionTime: -1, TicketInterval: -1, PushRetryPause: 10 * time.Millisecond,
	}
	for _, option := range options {
		option(&config)
	}
	fake, err := wechatfake.New(config)
	if err != nil {
		tb.Fatalf("start the fake WeChat: %v", err)
	}
	server := httptest.NewServer(fake)
	tb.Cleanup(func() {
		server.CloseClientConnections()
		if err := fake.Close(); err != nil { // first, for it ends calls that are made to wait
			tb.Errorf("close the fake WeChat: %v", err)
		}
		server.Close()
	})
	return &Server{URL: server.URL, Fake: fake}
}

// RequireNoUnknownPaths fails the test when something was asked for that WeChat does not have.
func (s *Server) RequireNoUnknownPaths(tb testing.TB) {
	tb.Helper()
	if unknown := s.Fake.Unknown(); len(unknown) > 0 {
		tb.Errorf("calls to paths WeChat does not have: %v", unknown)
	}
}
