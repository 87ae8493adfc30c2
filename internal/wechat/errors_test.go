package wechat_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/wxsteward/wxsteward/internal/sealed"
	"github.com/wxsteward/wxsteward/internal/wechat"
)

func TestRefusals(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		body string
		want wechat.APIError
	}{
		"with rid": {
			`{"errcode":85009,"errmsg":"already submit a version under auditing rid: 61725984-6126f6f9-040f19c4"}`,
			wechat.APIError{Code: 85009, Msg: "already submit a version under auditing", RID: "61725984-6126f6f9-040f19c4"},
		},
		"with rid after a comma": {
			`{"errcode":61004,"errmsg":"access clientip is not registered requestIP: 1.2.3.4, rid: 61725984-6126f6f9"}`,
			wechat.APIError{Code: 61004, Msg: "access clientip is not registered requestIP: 1.2.3.4", RID: "61725984-6126f6f9"},
		},
		"with hint": {
			`{"errcode":40013,"errmsg":"invalid appid hint: [gVXK30001102]"}`,
			wechat.APIError{Code: 40013, Msg: "invalid appid", RID: "gVXK30001102"},
		},
		"with hint and rid": {
			`{"errcode":40013,"errmsg":"invalid appid, hint: [h1] rid: 1-2"}`,
			wechat.APIError{Code: 40013, Msg: "invalid appid", RID: "1-2"},
		},
		"with neither":           {`{"errcode":-1,"errmsg":"system error"}`, wechat.APIError{Code: -1, Msg: "system error"}},
		"with code as a string":  {`{"errcode":"-1","errmsg":null}`, wechat.APIError{Code: -1}},
		"with a mention of rids": {`{"errcode":1,"errmsg":"rid: is wrong"}`, wechat.APIError{Code: 1, Msg: "rid: is wrong"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			m, _ := merchant(t, answerJSON(tc.body))
			err := m.Release(t.Context())
			var got *wechat.APIError
			require.ErrorAs(t, err, &got)
			tc.want.Op, tc.want.Via = "wxa/release", wechat.TransportToken
			require.Equal(t, tc.want, *got)
			if got.RID != "" {
				require.ErrorContains(t, err, "rid "+got.RID)
			}
		})
	}
}

func TestRefusedTokenIsReplacedOnce(t *testing.T) {
	t.Parallel()
	refuse := func(code int, times int32) (http.HandlerFunc, *atomic.Int32) {
		var n atomic.Int32
		return func(w http.ResponseWriter, _ *http.Request) {
			if n.Add(1) <= times {
				_, _ = fmt.Fprintf(w, `{"errcode":%d,"errmsg":"invalid credential"}`, code)
				return
			}
			_, _ = io.WriteString(w, `{"errcode":0,"errmsg":"ok"}`)
		}, &n
	}
	for _, code := range []int{40001, 40014, 42001} {
		t.Run(fmt.Sprintf("%d for a merchant", code), func(t *testing.T) {
			t.Parallel()
			handle, _ := refuse(code, 1)
			srv := newRecorder(t, handle)
			src := twoTokens()
			require.NoError(t, newClient(srv.URL).Authorizer(merchantAppID, src).Commit(t.Context(), wechat.CommitRequest{UserDesc: "d"}))
			require.Equal(t, []string{firstToken}, src.rejected)
			got := srv.requests()
			require.Len(t, got, 2)
			require.Equal(t, firstToken, got[0].Query.Get("access_token"))
			require.Equal(t, secondToken, got[1].Query.Get("access_token"))
			require.Equal(t, got[0].Body, got[1].Body)
		})
	}
	for _, code := range []int{42006, 40094} {
		t.Run(fmt.Sprintf("%d concerns the platform alone", code), func(t *testing.T) {
			t.Parallel()
			handle, _ := refuse(code, 1)
			src := twoTokens()
			c := newClient(newRecorder(t, handle).URL)
			require.NoError(t, c.Component(src).DeleteTemplate(t.Context(), 1))
			require.Len(t, src.rejected, 1)

			handle, n := refuse(code, 1)
			src = twoTokens()
			err := newClient(newRecorder(t, handle).URL).Authorizer(merchantAppID, src).Release(t.Context())
			require.True(t, wechat.IsCode(err, code))
			require.Empty(t, src.rejected)
			require.Equal(t, int32(1), n.Load())
		})
	}
	t.Run("refused twice, it is the caller's error", func(t *testing.T) {
		t.Parallel()
		handle, n := refuse(42001, 100)
		src := twoTokens()
		err := newClient(newRecorder(t, handle).URL).Authorizer(merchantAppID, src).Release(t.Context())
		require.True(t, wechat.IsCode(err, 42001))
		require.Equal(t, wechat.ClassToken, wechat.ClassOf(err))
		require.False(t, wechat.OutcomeUnknown(err))
		require.Equal(t, int32(2), n.Load())
		require.Len(t, src.rejected, 1)
	})
	t.Run("other refusals keep the token", func(t *testing.T) {
		t.Parallel()
		handle, n := refuse(61007, 100)
		src := twoTokens()
		require.Error(t, newClient(newRecorder(t, handle).URL).Authorizer(merchantAppID, src).Release(t.Context()))
		require.Empty(t, src.rejected)
		require.Equal(t, int32(1), n.Load())
	})
	t.Run("a token that cannot be dropped", func(t *testing.T) {
		t.Parallel()
		handle, n := refuse(42001, 100)
		src := twoTokens()
		src.rejectErr = errors.New("database away")
		err := newClient(newRecorder(t, handle).URL).Authorizer(merchantAppID, src).Release(t.Context())
		require.ErrorIs(t, err, src.rejectErr)
		require.False(t, wechat.OutcomeUnknown(err))
		require.Equal(t, int32(1), n.Load())
	})
}

func TestWithoutTokenNothingIsSent(t *testing.T) {
	t.Parallel()
	for name, src := range map[string]*tokens{
		"the source fails":              {tokenErr: errors.New("database away")},
		"its own call has no answer":    {tokenErr: &wechat.TransportError{Op: "x", Sent: true, Err: io.EOF}},
		"its own call is refused by -1": {tokenErr: &wechat.APIError{Op: "x", Code: -1}},
		"the source gives nothing":      {list: []string{""}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			srv := newRecorder(t, answerJSON(`{}`))
			err := newClient(srv.URL).Authorizer(merchantAppID, src).Release(t.Context())
			var te *wechat.TokenError
			require.ErrorAs(t, err, &te)
			require.Equal(t, "wxa/release", te.Op)
			require.False(t, wechat.OutcomeUnknown(err), "the release was not called")
			require.False(t, wechat.IsCode(err, -1))
			require.Equal(t, wechat.ClassTransient, wechat.ClassOf(err))
			require.Empty(t, srv.requests())
		})
	}
	err := &wechat.TokenError{Op: "wxa/release", Err: &wechat.APIError{Code: 61023}}
	require.Equal(t, wechat.ClassOperator, wechat.ClassOf(err), "the class is that of the token's own call")
}

// hijack lets a handler end the connection by itself.
func hijack(t *testing.T, w http.ResponseWriter) net.Conn {
	t.Helper()
	conn, _, err := http.NewResponseController(w).Hijack()
	if err != nil {
		t.Error(err)
		return nil
	}
	return conn
}

func TestNoUsableAnswer(t *testing.T) {
	t.Parallel()
	for name, handle := range map[string]func(t *testing.T, w http.ResponseWriter, r *http.Request){
		"connection cut after WeChat acted": func(t *testing.T, w http.ResponseWriter, _ *http.Request) {
			t.Helper()
			_ = hijack(t, w).Close()
		},
		"connection cut within the answer": func(t *testing.T, w http.ResponseWriter, _ *http.Request) {
			t.Helper()
			conn := hijack(t, w)
			_, _ = io.WriteString(conn, "HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n{\"errcode\":0")
			_ = conn.Close()
		},
		"not HTTP, and quoting the token": func(t *testing.T, w http.ResponseWriter, r *http.Request) {
			t.Helper()
			conn := hijack(t, w)
			_, _ = io.WriteString(conn, r.URL.Query().Get("access_token")+"\r\n\r\n")
			_ = conn.Close()
		},
		"HTTP 500":              status(500, `{"errcode":0}`),
		"HTTP 502 of a gateway": status(502, "<html>"),
		"a redirect":            status(302, ""),
		"garbage":               status(200, "<html>busy</html>"),
		"nothing":               status(200, ""),
		"a list":                status(200, `[]`),
		"half the JSON":         status(200, `{"errcode":0,"errm`),
		"an odd errcode":        status(200, `{"errcode":"many"}`),
		"an image":              status(200, "\x89PNG\r\n\x1a\n"),
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			m, srv := merchant(t, func(w http.ResponseWriter, r *http.Request) { handle(t, w, r) })
			err := m.Release(t.Context())
			var te *wechat.TransportError
			require.ErrorAs(t, err, &te)
			require.True(t, te.Sent)
			require.True(t, wechat.OutcomeUnknown(err))
			require.Equal(t, wechat.ClassTransient, wechat.ClassOf(err))
			requireClean(t, err)
			require.NotContains(t, err.Error(), srv.URL)
			require.Len(t, srv.requests(), 1, "a redirect is not followed, a write is not repeated")
		})
	}
}

func status(code int, body string) func(*testing.T, http.ResponseWriter, *http.Request) {
	return func(t *testing.T, w http.ResponseWriter, r *http.Request) {
		t.Helper()
		if code == 302 {
			w.Header().Set("Location", "/elsewhere?"+r.URL.RawQuery)
		}
		w.WriteHeader(code)
		_, _ = io.WriteString(w, body)
	}
}

// requireClean fails when err shows a token, as it is or as it stands in a URL, in any way of printing.
func requireClean(t *testing.T, err error) {
	t.Helper()
	require.Error(t, err)
	for e := err; e != nil; e = errors.Unwrap(e) {
		for _, text := range []string{e.Error(), fmt.Sprintf("%+v", e), fmt.Sprintf("%#v", e)} {
			for _, secret := range []string{"TOKEN-", "access_token=", "s3cret", "ticket@@@", "queryauthcode@@@", "refreshtoken@@@"} {
				require.NotContains(t, text, secret)
			}
		}
	}
}

func TestNoSecretInErrors(t *testing.T) {
	t.Parallel()
	calls := func(ctx context.Context, url string) map[string]error {
		c := newClient(url)
		p, m := c.Component(twoTokens()), c.Authorizer(merchantAppID, twoTokens())
		return map[string]error{
			"component token": drop(c.ComponentToken(ctx, sealed.New("s3cret/1"), sealed.New("ticket@@@1"))),
			"start push":      c.StartPushTicket(ctx, sealed.New("s3cret/1")),
			"query auth":      drop(p.QueryAuth(ctx, sealed.New("queryauthcode@@@1"))),
			"refresh":         drop(p.RefreshAuthorizer(ctx, "wx1", sealed.New("refreshtoken@@@1"))),
			"get":             m.UndoAudit(ctx),
			"post":            m.Release(ctx),
			"image":           drop3(m.TrialQRCode(ctx, "")),
			"upload":          drop(m.UploadPrivacyFile(ctx, "a.txt", nil)),
		}
	}
	t.Run("when WeChat quotes the request", func(t *testing.T) {
		t.Parallel()
		srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			body, _ := io.ReadAll(r.Body)
			quoted := strings.NewReplacer(`"`, "'", "\r", "", "\n", "").Replace(r.URL.Query().Get("access_token") + " " + string(body))
			_, _ = fmt.Fprintf(w, `{"errcode":40097,"errmsg":"you sent %s rid: 1-2"}`, quoted) //nolint:gosec // quoting is the point, and no browser reads it
		}))
		t.Cleanup(srv.Close)
		for name, err := range calls(t.Context(), srv.URL) {
			require.True(t, wechat.IsCode(err, 40097), "%s: %v", name, err)
			requireClean(t, err)
		}
	})
	t.Run("when nobody listens", func(t *testing.T) {
		t.Parallel()
		srv := httptest.NewServer(nil)
		srv.Close()
		for name, err := range calls(t.Context(), srv.URL) {
			requireClean(t, err)
			var te *wechat.TransportError
			require.ErrorAs(t, err, &te, name)
			require.False(t, te.Sent, name)
			require.False(t, wechat.OutcomeUnknown(err), name)
		}
	})
	t.Run("when time is up", func(t *testing.T) {
		t.Parallel()
		srv := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
			_, _ = io.Copy(io.Discard, r.Body) // lets the server notice that the client went away
			<-r.Context().Done()
		}))
		t.Cleanup(srv.Close)
		for _, call := range []func(context.Context, *wechat.Authorizer) error{
			func(ctx context.Context, m *wechat.Authorizer) error { return m.Release(ctx) },
			func(ctx context.Context, m *wechat.Authorizer) error { return m.UndoAudit(ctx) },
		} {
			ctx, cancel := context.WithTimeout(t.Context(), time.Second)
			err := call(ctx, newClient(srv.URL).Authorizer(merchantAppID, twoTokens()))
			cancel()
			requireClean(t, err)
			require.ErrorIs(t, err, context.DeadlineExceeded)
			require.True(t, wechat.OutcomeUnknown(err))
		}
	})
	t.Run("when the address is no URL", func(t *testing.T) {
		t.Parallel()
		for _, err := range calls(t.Context(), "http://bad host:1") {
			requireClean(t, err)
			require.False(t, wechat.OutcomeUnknown(err))
		}
	})
}

func TestEachCallHasItsTimeOut(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		call func(context.Context, *wechat.Authorizer) error
		want time.Duration
	}{
		"commit": {func(ctx context.Context, m *wechat.Authorizer) error { return m.Commit(ctx, wechat.CommitRequest{}) }, time.Minute},
		"submit": {
			func(ctx context.Context, m *wechat.Authorizer) error {
				return drop(m.SubmitAudit(ctx, wechat.SubmitAuditRequest{}))
			}, 30 * time.Second,
		},
		"release": {func(ctx context.Context, m *wechat.Authorizer) error { return m.Release(ctx) }, 30 * time.Second},
		"upload": {
			func(ctx context.Context, m *wechat.Authorizer) error { return drop(m.UploadAuditMedia(ctx, "a", nil)) }, 30 * time.Second,
		},
		"anything else": {func(ctx context.Context, m *wechat.Authorizer) error { return drop(m.Pages(ctx)) }, 10 * time.Second},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				start := time.Now()
				var ended time.Duration
				rt := roundTripper(func(r *http.Request) (*http.Response, error) {
					<-r.Context().Done() // WeChat never answers
					ended = time.Since(start)
					return nil, r.Context().Err()
				})
				c := wechat.New(wechat.Config{AppID: componentAppID, HTTP: &http.Client{Transport: rt}})
				err := tc.call(t.Context(), c.Authorizer(merchantAppID, twoTokens()))
				require.ErrorIs(t, err, context.DeadlineExceeded)
				require.Equal(t, tc.want, ended)
			})
		})
	}
}

// net/http repeats a GET by itself when a kept connection breaks; a second rollback would go back two versions.
func TestGetsWithAnEffectAreNeverRepeatedSilently(t *testing.T) {
	t.Parallel()
	for name, call := range map[string]func(context.Context, *wechat.Authorizer) error{
		"undo":        func(ctx context.Context, m *wechat.Authorizer) error { return m.UndoAudit(ctx) },
		"rollback":    func(ctx context.Context, m *wechat.Authorizer) error { return m.RevertRelease(ctx, nil) },
		"gray cancel": func(ctx context.Context, m *wechat.Authorizer) error { return m.RevertGray(ctx) },
		"release":     func(ctx context.Context, m *wechat.Authorizer) error { return m.Release(ctx) },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var effects atomic.Int32
			m, _ := merchant(t, func(w http.ResponseWriter, r *http.Request) {
				if r.URL.Path == "/wxa/get_page" {
					_, _ = io.WriteString(w, `{"errcode":0}`)
					return
				}
				effects.Add(1)
				_ = hijack(t, w).Close()
			})
			require.NoError(t, drop(m.Pages(t.Context()))) // leaves a connection to be kept
			err := call(t.Context(), m)
			require.True(t, wechat.OutcomeUnknown(err))
			require.Equal(t, int32(1), effects.Load())
		})
	}
}

func TestImageOrJSON(t *testing.T) {
	t.Parallel()
	const png, jpeg = "\x89PNG\r\n\x1a\n0000", "\xff\xd8\xff\xe0rest"
	for name, tc := range map[string]struct {
		contentType, body string
		want              string // content type of the image
		code              int
	}{
		"an image":                       {contentType: "image/jpeg", body: jpeg, want: "image/jpeg"},
		"an image declared as JSON":      {contentType: "application/json", body: jpeg, want: "image/jpeg"},
		"an image declared as another":   {contentType: "image/jpeg", body: png, want: "image/png"},
		"an image declared as nothing":   {body: png, want: "image/png"},
		"a refusal":                      {contentType: "application/json", body: `{"errcode":41030,"errmsg":"invalid page"}`, code: 41030},
		"a refusal declared as an image": {contentType: "image/jpeg", body: ` {"errcode":41030,"errmsg":"invalid page"}`, code: 41030},
		"a page declared as an image":    {contentType: "image/jpeg", body: "<html>gateway</html>"},
		"nothing declared as an image":   {contentType: "image/jpeg"},
		"JSON without a code":            {contentType: "application/json", body: `{"title":"video","down_url":"http://x"}`},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			m, _ := merchant(t, answer(tc.contentType, tc.body))
			image, contentType, err := m.TrialQRCode(t.Context(), "")
			switch {
			case tc.want != "":
				require.NoError(t, err)
				require.Equal(t, tc.want, contentType)
				require.Equal(t, tc.body, string(image))
				return
			case tc.code != 0:
				require.True(t, wechat.IsCode(err, tc.code), "%v", err)
			default:
				var te *wechat.TransportError
				require.ErrorAs(t, err, &te)
			}
			require.Empty(t, image)
		})
	}
	t.Run("a refused token is replaced there too", func(t *testing.T) {
		t.Parallel()
		m, srv := merchant(t, func(w http.ResponseWriter, r *http.Request) {
			if r.URL.Query().Get("access_token") == firstToken {
				w.Header().Set("Content-Type", "image/jpeg")
				_, _ = io.WriteString(w, `{"errcode":42001,"errmsg":"expired"}`)
				return
			}
			_, _ = io.WriteString(w, png)
		})
		_, _, err := m.GetMaterial(t.Context(), "mid")
		require.NoError(t, err)
		require.Len(t, srv.requests(), 2)
	})
	t.Run("an answer without end", func(t *testing.T) {
		t.Parallel()
		rt := roundTripper(func(*http.Request) (*http.Response, error) {
			return &http.Response{StatusCode: 200, Body: io.NopCloser(zeros{})}, nil
		})
		c := wechat.New(wechat.Config{HTTP: &http.Client{Transport: rt}})
		_, _, err := c.Authorizer(merchantAppID, twoTokens()).GetMaterial(t.Context(), "mid")
		require.ErrorContains(t, err, "longer than")
	})
}

type zeros struct{}

func (zeros) Read(p []byte) (int, error) {
	clear(p)
	return len(p), nil
}

func TestOutcomeAndClass(t *testing.T) {
	t.Parallel()
	api := func(code int) error { return fmt.Errorf("wrapped: %w", &wechat.APIError{Op: "wxa/commit", Code: code}) }
	for name, tc := range map[string]struct {
		err     error
		unknown bool
		class   wechat.Class
	}{
		"nothing failed":        {nil, false, wechat.ClassDone},
		"busy":                  {api(-1), true, wechat.ClassTransient},
		"goes on in background": {api(9402205), true, wechat.ClassState},
		"in audit":              {api(85009), false, wechat.ClassState},
		"released already":      {api(85052), false, wechat.ClassDone},
		"quota":                 {api(85085), false, wechat.ClassQuota},
		"detection":             {api(61039), false, wechat.ClassTransient},
		"permission set":        {api(61007), false, wechat.ClassOperator},
		"unheard of":            {api(424242), false, wechat.ClassOperator},
		"sent":                  {&wechat.TransportError{Sent: true, Err: io.EOF}, true, wechat.ClassTransient},
		"not sent":              {&wechat.TransportError{Err: io.EOF}, false, wechat.ClassTransient},
		"something else":        {io.EOF, false, wechat.ClassTransient},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			require.Equal(t, tc.unknown, wechat.OutcomeUnknown(tc.err))
			require.Equal(t, tc.class, wechat.ClassOf(tc.err))
		})
	}
}

// A ticket that is refused heals by the next one, whichever of its codes WeChat uses.
func TestRefusedTicketsAreOfOneClass(t *testing.T) {
	t.Parallel()
	for _, code := range []int{61005, 61006, 40091} {
		err := &wechat.APIError{Op: "cgi-bin/component/api_component_token", Code: code}
		require.Equal(t, wechat.ClassTransient, wechat.ClassOf(err), code)
		require.Equal(t, wechat.ClassTransient, wechat.ClassOf(&wechat.TokenError{Op: "wxa/commit", Err: err}), code)
		require.Equal(t, 10*time.Minute, wechat.RetryAfter(err, time.Now()), code)
	}
}

func TestRetryAfter(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, 5, 1, 23, 30, 15, 0, time.FixedZone("", 8*60*60))
	for name, tc := range map[string]struct {
		op   string
		code int
		want time.Duration
	}{
		"a day's quota turns at midnight in Beijing": {"wxa/submit_audit", 45009, 29*time.Minute + 45*time.Second},
		"that of codes of pages turns each minute":   {"wxa/getwxacodeunlimit", 45009, 45 * time.Second},
		"a minute's quota":                           {"wxa/commit", 45011, 45 * time.Second},
		"detection goes on for a minute":             {"wxa/submit_audit", 61039, time.Minute},
		"busy":                                       {"wxa/release", -1, 5 * time.Second},
		"what time does not help":                    {"wxa/release", 61007, 0},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			require.Equal(t, tc.want, wechat.RetryAfter(&wechat.APIError{Op: tc.op, Code: tc.code}, now))
		})
	}
}

func TestRateAndConcurrency(t *testing.T) {
	t.Parallel()
	t.Run("bursts are one second's worth, then calls leave at the rate", func(t *testing.T) {
		t.Parallel()
		synctest.Test(t, func(t *testing.T) {
			start := time.Now()
			var mu sync.Mutex
			var at []time.Duration
			rt := roundTripper(func(*http.Request) (*http.Response, error) {
				mu.Lock()
				defer mu.Unlock()
				at = append(at, time.Since(start))
				return &http.Response{StatusCode: 200, Body: io.NopCloser(strings.NewReader(`{}`))}, nil
			})
			m := wechat.New(wechat.Config{HTTP: &http.Client{Transport: rt}, Rate: 5}).Authorizer(merchantAppID, twoTokens())
			var wg sync.WaitGroup
			for range 15 {
				wg.Go(func() { _ = m.Release(t.Context()) })
			}
			wg.Wait()
			require.Len(t, at, 15)
			require.Zero(t, at[4])
			require.Equal(t, 200*time.Millisecond, at[5].Round(time.Millisecond))
			require.Equal(t, 2*time.Second, at[14].Round(time.Millisecond))
		})
	})
	t.Run("no more calls at once than allowed, and waiting ends with the context", func(t *testing.T) {
		t.Parallel()
		synctest.Test(t, func(t *testing.T) {
			var running, most atomic.Int32
			rt := roundTripper(func(*http.Request) (*http.Response, error) {
				if n := running.Add(1); n > most.Load() {
					most.Store(n)
				}
				time.Sleep(time.Second)
				running.Add(-1)
				return &http.Response{StatusCode: 200, Body: io.NopCloser(strings.NewReader(`{}`))}, nil
			})
			m := wechat.New(wechat.Config{HTTP: &http.Client{Transport: rt}, Concurrency: 2}).Authorizer(merchantAppID, twoTokens())
			var wg sync.WaitGroup
			for range 6 {
				wg.Go(func() { _ = m.Release(t.Context()) })
			}
			synctest.Wait()
			ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
			defer cancel()
			err := m.Release(ctx)
			require.ErrorIs(t, err, context.DeadlineExceeded)
			require.False(t, wechat.OutcomeUnknown(err), "it never left")
			wg.Wait()
			require.Equal(t, int32(2), most.Load())
		})
	})
	t.Run("a wait for the rate that cannot end in time gives its slot back", func(t *testing.T) {
		t.Parallel()
		srv := newRecorder(t, answerJSON(`{}`))
		m := wechat.New(wechat.Config{BaseURL: srv.URL, Rate: 0.01, Concurrency: 1}).Authorizer(merchantAppID, twoTokens())
		require.NoError(t, m.Release(t.Context()))
		for range 3 {
			ctx, cancel := context.WithTimeout(t.Context(), time.Second)
			err := m.Release(ctx)
			cancel()
			require.Error(t, err)
			require.False(t, wechat.OutcomeUnknown(err))
		}
		require.Len(t, srv.requests(), 1)
	})
}

func TestObserve(t *testing.T) {
	t.Parallel()
	srv := newRecorder(t, func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Query().Get("access_token") == firstToken {
			_, _ = io.WriteString(w, `{"errcode":42001,"errmsg":"expired"}`)
			return
		}
		_, _ = io.WriteString(w, `{"errcode":0}`)
	})
	var calls []wechat.Call
	c := wechat.New(wechat.Config{AppID: componentAppID, BaseURL: srv.URL + "/", Observe: func(_ context.Context, call wechat.Call) { calls = append(calls, call) }})
	require.NoError(t, c.Authorizer(merchantAppID, twoTokens()).Release(t.Context()))
	require.NoError(t, c.StartPushTicket(t.Context(), sealed.New("s")))
	require.Len(t, calls, 3)
	require.Equal(t, "wxa/release", calls[0].Op)
	require.Equal(t, merchantAppID, calls[0].AppID)
	require.Equal(t, 42001, calls[0].ErrCode)
	require.True(t, wechat.IsCode(calls[0].Err, 42001))
	require.Zero(t, calls[1].ErrCode)
	require.NoError(t, calls[1].Err)
	require.Positive(t, calls[1].Duration)
	require.Equal(t, componentAppID, calls[2].AppID)
}
