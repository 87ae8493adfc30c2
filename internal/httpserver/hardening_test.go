package httpserver_test

import (
	"bufio"
	"crypto/sha256"
	"encoding/base64"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/labstack/echo/v4"
	"github.com/stretchr/testify/require"

	"github.com/wxsteward/wxsteward/internal/httpserver"
)

// dial opens a connection to talk on in our own words.
func dial(t *testing.T, s *running) net.Conn {
	t.Helper()
	var d net.Dialer
	conn, err := d.DialContext(t.Context(), "tcp", strings.TrimPrefix(s.url, "http://"))
	require.NoError(t, err)
	t.Cleanup(func() { _ = conn.Close() })
	return conn
}

// TestHeadersOfTenMegabytes are refused long before they are all there.
func TestHeadersOfTenMegabytes(t *testing.T) {
	t.Parallel()
	s := open(t, httpserver.Config{}, routes)
	for name, line := range map[string]string{
		"one long line":   "X-Long: " + strings.Repeat("a", 10<<20) + "\r\n",
		"many lines":      strings.Repeat("X-Many: "+strings.Repeat("a", 1000)+"\r\n", 10<<10),
		"one long cookie": "Cookie: a=" + strings.Repeat("a", 10<<20) + "\r\n",
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			conn := dial(t, s)
			sent := make(chan int, 1)
			go func() {
				_, _ = io.WriteString(conn, "GET /healthz HTTP/1.1\r\nHost: x\r\n")
				n, _ := io.WriteString(conn, line) // it is cut
				_, _ = io.WriteString(conn, "\r\n")
				sent <- n
			}()
			require.NoError(t, conn.SetReadDeadline(time.Now().Add(20*time.Second)))
			res, err := http.ReadResponse(bufio.NewReader(conn), nil)
			if err == nil { // else the connection was cut while we were still sending, which is as good
				defer res.Body.Close() //nolint:errcheck // only the status counts
				require.Equal(t, http.StatusRequestHeaderFieldsTooLarge, res.StatusCode)
			}
			_ = conn.Close()
			require.Less(t, <-sent, 10<<20, "nobody reads it all")
		})
	}
	require.NotContains(t, s.log.String(), "aaaaaaaa")
}

// TestSlowLoris: headers that come a letter at a time end their connection when the time for headers is over, and nobody else
// notices anything meanwhile.
func TestSlowLoris(t *testing.T) {
	t.Parallel()
	s := open(t, httpserver.Config{}, routes)
	const many = 200
	began := time.Now()
	ended := make(chan time.Duration, many)
	for range many {
		conn := dial(t, s)
		go func() {
			_, _ = io.WriteString(conn, "GET /healthz HTTP/1.1\r\nHost: x\r\nX-Slow: ")
			go func() {
				for {
					if _, err := io.WriteString(conn, "a"); err != nil {
						return
					}
					time.Sleep(200 * time.Millisecond) // that is the attack
				}
			}()
			_ = conn.SetReadDeadline(time.Now().Add(time.Minute))
			_, _ = io.Copy(io.Discard, conn)
			ended <- time.Since(began)
		}()
	}
	res, _ := s.do(t, http.MethodGet, "/healthz", "", nil)
	require.Equal(t, http.StatusOK, res.StatusCode)
	for range many {
		require.Less(t, <-ended, 30*time.Second)
	}
}

// TestAFloodOfOneClassLeavesRoom: as many slow calls of one class as there is room for; the next is told to come again, other
// classes are served.
func TestAFloodOfOneClassLeavesRoom(t *testing.T) {
	t.Parallel()
	const room = 256
	inside, release := make(chan struct{}, room), make(chan struct{})
	s := open(t, httpserver.Config{}, func(s *httpserver.Server) {
		s.Echo().GET("/authorize/:id", func(c echo.Context) error {
			inside <- struct{}{}
			<-release
			return c.NoContent(http.StatusNoContent)
		})
		s.Echo().POST("/wxcallback/component", func(c echo.Context) error { return c.String(http.StatusOK, "success") })
	})
	statuses := make(chan int, room)
	client := &http.Client{Timeout: time.Minute}
	ask := func(method, path string) (status int, retryAfter string, err error) {
		req, err := http.NewRequestWithContext(t.Context(), method, s.url+path, http.NoBody)
		if err != nil {
			return 0, "", err
		}
		res, err := client.Do(req)
		if err != nil {
			return 0, "", err
		}
		return res.StatusCode, res.Header.Get("Retry-After"), res.Body.Close()
	}
	for range room {
		go func() {
			status, _, err := ask(http.MethodGet, "/authorize/x")
			if err != nil {
				status = 0
			}
			statuses <- status
		}()
	}
	for range room {
		<-inside
	}
	status, again, err := ask(http.MethodGet, "/authorize/x")
	require.NoError(t, err)
	require.Equal(t, http.StatusServiceUnavailable, status)
	require.Equal(t, "1", again)
	for method, path := range map[string]string{http.MethodPost: "/wxcallback/component", http.MethodGet: "/healthz"} {
		status, _, err = ask(method, path)
		require.NoError(t, err)
		require.Equal(t, http.StatusOK, status, path)
	}
	close(release)
	for range room {
		require.Equal(t, http.StatusNoContent, <-statuses)
	}
	go func() { <-inside }()
	status, _, err = ask(http.MethodGet, "/authorize/x")
	require.NoError(t, err)
	require.Equal(t, http.StatusNoContent, status, "there is room again")
}

// TestNoInlineScriptAnywhere: what is not a page may load nothing, and the one page of this package its one style.
func TestNoInlineScriptAnywhere(t *testing.T) {
	t.Parallel()
	s := open(t, httpserver.Config{}, routes)
	for _, path := range []string{"/healthz", "/api/openapi.json", "/api/v1/nothing", "/nowhere", "/api/docs"} {
		res, body := s.do(t, http.MethodGet, path, "", nil)
		policy := res.Header.Get("Content-Security-Policy")
		require.Contains(t, policy, "default-src 'none'", path)
		require.NotContains(t, policy, "unsafe", path)
		require.NotContains(t, policy, "script-src", path)
		if path == "/api/docs" {
			_, rest, _ := strings.Cut(body, "<style>")
			style, _, found := strings.Cut(rest, "</style>")
			require.True(t, found)
			sum := sha256.Sum256([]byte(style))
			require.Contains(t, policy, fmt.Sprintf("style-src 'sha256-%s'", base64.StdEncoding.EncodeToString(sum[:])))
			require.NotContains(t, body, "<script")
			require.NotContains(t, body, " style=")
			require.NotContains(t, body, " onclick=")
		}
	}
}
