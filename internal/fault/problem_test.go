package fault_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/stretchr/testify/require"

	"github.com/wxsteward/wxsteward/internal/fault"
	"github.com/wxsteward/wxsteward/internal/wechat"
)

func TestProblemFor(t *testing.T) {
	t.Parallel()
	refusal := &wechat.APIError{Op: "wxa/release", Code: 85019, Msg: "no version is under auditing", RID: "r-1"}
	tests := []struct {
		name   string
		err    error
		status int
		code   fault.Kind
		detail string // empty: any fixed one
	}{
		{"an unknown error is hidden", errors.New("pq: password=hunter2"), 500, fault.Internal, ""},
		{"an internal fault is hidden, too", fault.New(fault.Internal, "hunter2"), 500, fault.Internal, ""},
		{"a fault speaks for itself", fault.New(fault.Conflict, "It runs already."), 409, fault.Conflict, "It runs already."},
		{"a wrapped fault does as well", fmt.Errorf("hunter2: %w", fault.New(fault.Gone, "Expired.")), 410, fault.Gone, "Expired."},
		{"the cause of a fault is hidden", fault.Wrap(errors.New("hunter2"), fault.NotFound, "No such link."), 404, fault.NotFound, "No such link."},
		{"a withdrawn authorization is a conflict of its own kind", fault.New(fault.Unauthorized, "x"), 409, fault.Unauthorized, "x"},
		{"a refusal by WeChat is a bad gateway", fmt.Errorf("release: %w", refusal), 502, fault.WeChatRefused, ""},
		{"silence of WeChat is a bad gateway", &wechat.TransportError{Op: "x", Err: &net.OpError{Op: "hunter2"}}, 502, fault.WeChatUnavailable, ""},
		{"a time-out of WeChat is not one of the database", &wechat.TransportError{Op: "x", Err: context.DeadlineExceeded}, 502, fault.WeChatUnavailable, ""},
		{"a database that is away is unavailable", &pgconn.PgError{Code: "57P03", Message: "hunter2"}, 503, fault.Unavailable, ""},
		{"a statement that took too long is unavailable", &pgconn.PgError{Code: "57014"}, 503, fault.Unavailable, ""},
		{"a NUL character is the caller's mistake", &pgconn.PgError{Code: "22021"}, 422, fault.Validation, ""},
		{"any other refusal of the database is hidden", &pgconn.PgError{Code: "23505", Detail: "hunter2"}, 500, fault.Internal, ""},
		{"time that ran out is unavailable", context.DeadlineExceeded, 503, fault.Unavailable, ""},
		{"a body over the limit is too large", &http.MaxBytesError{Limit: 1}, 413, fault.TooLarge, ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			for _, lang := range []string{fault.Chinese, fault.English} {
				p := fault.ProblemFor(tt.err, lang)
				require.Equal(t, tt.status, p.Status)
				require.Equal(t, tt.code, p.Code)
				require.NotEmpty(t, p.Title)
				require.NotEmpty(t, p.Detail)
				if tt.detail != "" {
					require.Equal(t, tt.detail, p.Detail)
				}
				text, err := json.Marshal(p)
				require.NoError(t, err)
				require.NotContains(t, string(text), "hunter2")
			}
		})
	}
}

func TestProblemCarriesWeChatsAnswer(t *testing.T) {
	t.Parallel()
	refusal := &wechat.APIError{Op: "wxa/submit_audit", Code: 85085, Msg: "quota", RID: "r-1"}
	zh, en := fault.ProblemFor(refusal, fault.Chinese), fault.ProblemFor(refusal, fault.English)
	require.Equal(t, 85085, zh.WeChat.ErrCode)
	require.Equal(t, "r-1", zh.WeChat.RID)
	require.NotEmpty(t, zh.WeChat.Hint)
	require.NotEmpty(t, en.WeChat.Hint)
	require.NotEqual(t, zh.WeChat.Hint, en.WeChat.Hint)

	own := fault.ProblemFor(fault.Wrap(refusal, fault.Conflict, "Not now."), fault.English)
	require.Equal(t, fault.Conflict, own.Code)
	require.Equal(t, "Not now.", own.Detail)
	require.Equal(t, 85085, own.WeChat.ErrCode, "the refusal is shown along with our own words")
}

func TestProblemSaysWhatTheOperatorCanDoAboutATransport(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		err  error
		want string
	}{
		"a path that is not in the whitelist": {
			&wechat.TransportError{Op: "cgi-bin/component/api_query_auth", Via: wechat.TransportOpenAPI, Sent: true, Status: http.StatusBadGateway, Err: errors.New("x")},
			"/cgi-bin/component/api_query_auth",
		},
		"no cloud token": {
			&wechat.TokenError{Op: "x", Err: &wechat.CloudTokenError{File: "/run/token", Problem: wechat.CloudTokenMissing, Err: os.ErrNotExist}}, "/run/token",
		},
		"an address that is not on the whitelist": {
			&wechat.APIError{Op: "x", Code: 61004, Msg: "access clientip is not registered requestIP: 203.0.113.7"}, "203.0.113.7",
		},
	} {
		for _, lang := range []string{fault.Chinese, fault.English} {
			p := fault.ProblemFor(fmt.Errorf("wrapped: %w", tt.err), lang)
			require.Equal(t, http.StatusBadGateway, p.Status, name)
			require.Contains(t, p.Detail, tt.want, name)
		}
		require.NotEqual(t, fault.ProblemFor(tt.err, fault.Chinese).Detail, fault.ProblemFor(tt.err, fault.English).Detail, name)
	}
}

func TestProblemKeepsFieldsAndRetryAfter(t *testing.T) {
	t.Parallel()
	p := fault.ProblemFor(&fault.Error{Kind: fault.TooMany, Format: "Wait.", RetryAfter: time.Minute}, fault.English)
	require.Equal(t, time.Minute, p.RetryAfter)
	p = fault.ProblemFor(fault.Invalid("body.name", "Too long.", "abc"), fault.English)
	want := []fault.Field{{Location: "body.name", Message: "Too long.", Value: "abc"}}
	if diff := cmp.Diff(want, p.Errors); diff != "" {
		t.Errorf("errors (-want +got):\n%s", diff)
	}
	require.Equal(t, "application/problem+json", p.ContentType("application/json"))
}

func TestLangOf(t *testing.T) {
	t.Parallel()
	for header, want := range map[string]string{
		"": "zh", "en": "en", "zh-CN,zh;q=0.9,en;q=0.8": "zh", "en-US,en;q=0.9,zh;q=0.8": "en", "fr-FR": "zh",
		"fr, en;q=0.5": "en", "zh;q=0.1, en;q=0.2": "en", "en;q=broken, zh": "zh", "EN-gb": "en", ";;;,,,": "zh",
	} {
		require.Equal(t, want, fault.LangOf(header), header)
	}
}
