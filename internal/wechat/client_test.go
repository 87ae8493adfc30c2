package wechat_test

import (
	"context"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/wxsteward/wxsteward/internal/sealed"
	"github.com/wxsteward/wxsteward/internal/wechat"
)

const (
	componentAppID = "wxcomponent0000001"
	merchantAppID  = "wxmerchant00000001"
	firstToken     = "TOKEN-one+/=secret" //nolint:gosec // made up for the tests
	secondToken    = "TOKEN-two+/=secret" //nolint:gosec // made up for the tests
)

// seen is a request as the server got it.
type seen struct {
	Method, Path, Body string
	Query              url.Values
	Header             http.Header
	ContentLength      int64
	TransferEncoding   []string
}

// recorder is an HTTP server that notes every request and answers with handle.
type recorder struct {
	*httptest.Server
	mu   sync.Mutex
	seen []seen
}

func newRecorder(t *testing.T, handle http.HandlerFunc) *recorder {
	t.Helper()
	r := &recorder{}
	r.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
		body, err := io.ReadAll(req.Body)
		if err != nil {
			return
		}
		r.mu.Lock()
		r.seen = append(r.seen, seen{
			req.Method, req.URL.Path, string(body), req.URL.Query(), req.Header, req.ContentLength, req.TransferEncoding,
		})
		r.mu.Unlock()
		handle(w, req)
	}))
	t.Cleanup(r.Close)
	return r
}

func (r *recorder) requests() []seen {
	r.mu.Lock()
	defer r.mu.Unlock()
	return append([]seen(nil), r.seen...)
}

// answer sends body with HTTP 200, as WeChat does for everything.
func answer(contentType, body string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", contentType)
		_, _ = io.WriteString(w, body)
	}
}

func answerJSON(body string) http.HandlerFunc {
	return answer("application/json; encoding=utf-8", body)
}

// tokens is a TokenSource that gives its tokens one after the other, the next after each Reject.
type tokens struct {
	mu        sync.Mutex
	list      []string
	rejected  []string
	tokenErr  error
	rejectErr error
}

func (s *tokens) Token(context.Context) (sealed.Secret, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.tokenErr != nil {
		return sealed.Secret{}, s.tokenErr
	}
	return sealed.New(s.list[0]), nil
}

func (s *tokens) Reject(_ context.Context, used sealed.Secret) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.rejected = append(s.rejected, used.Reveal())
	if len(s.list) > 1 {
		s.list = s.list[1:]
	}
	return s.rejectErr
}

func twoTokens() *tokens { return &tokens{list: []string{firstToken, secondToken}} }

func newClient(url string) *wechat.Client {
	return wechat.New(wechat.Config{AppID: componentAppID, BaseURL: url, Rate: 1000})
}

// merchant is the calls for one merchant against a server that answers with handle.
func merchant(t *testing.T, handle http.HandlerFunc) (*wechat.Authorizer, *recorder) {
	t.Helper()
	srv := newRecorder(t, handle)
	return newClient(srv.URL).Authorizer(merchantAppID, twoTokens()), srv
}

func TestConfigDefaultsReachWeChat(t *testing.T) {
	t.Parallel()
	var got []*http.Request
	rt := roundTripper(func(r *http.Request) (*http.Response, error) {
		got = append(got, r)
		return nil, io.ErrUnexpectedEOF
	})
	c := wechat.New(wechat.Config{AppID: componentAppID, HTTP: &http.Client{Transport: rt}})
	require.Error(t, c.Component(twoTokens()).DeleteTemplate(t.Context(), 1))
	require.Len(t, got, 1)
	require.Equal(t, "https://api.weixin.qq.com/wxa/deletetemplate", got[0].URL.Scheme+"://"+got[0].URL.Host+got[0].URL.Path)
}

type roundTripper func(*http.Request) (*http.Response, error)

func (f roundTripper) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }
