package authorize

import (
	"fmt"
	"net/http"
	"net/netip"
	"strconv"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

func TestLimiter(t *testing.T) {
	t.Parallel()
	now := time.Unix(1_800_000_000, 0)
	l := newLimiter(2, 10*time.Second, func() time.Time { return now })
	require.True(t, l.take("a"))
	require.True(t, l.take("a"))
	ok, wait := l.takeOrWait("a")
	require.False(t, ok)
	require.Equal(t, 11*time.Second, wait)
	require.True(t, l.take("b"), "others are not kept out")
	now = now.Add(wait)
	require.True(t, l.take("a"), "after the time that was told it is allowed")
	now = now.Add(-time.Hour)
	require.False(t, l.take("a"), "a clock set back gives nothing away")
	l.giveBack("a")
	require.True(t, l.take("a"))
}

// TestLimiterIsBounded: a million addresses take the memory of maxBuckets, and leave a bucket to newcomers.
func TestLimiterIsBounded(t *testing.T) {
	t.Parallel()
	now := time.Unix(1_800_000_000, 0)
	l := newLimiter(2, time.Hour, func() time.Time { return now })
	refused := 0
	for i := range 1_000_000 {
		if !l.take(strconv.Itoa(i)) {
			refused++
		}
	}
	require.LessOrEqual(t, len(l.buckets), maxBuckets+1)
	require.Greater(t, refused, 900_000)
	now = now.Add(3 * time.Hour)
	require.True(t, l.take("newcomer"), "what is full again is forgotten")
	require.Less(t, len(l.buckets), 3)
}

func TestVisitor(t *testing.T) {
	t.Parallel()
	for in, want := range map[string]string{
		"203.0.113.7": "203.0.113.7", "::ffff:203.0.113.7": "203.0.113.7", "2001:db8:1:2:3:4:5:6": "2001:db8:1:2::/64",
		"fe80::1%eth0": "fe80::/64", "invalid IP": "?",
	} {
		require.Equal(t, want, visitor(in))
	}
}

// TestEveryPublicPageIsLimited: 429 with the time to wait and a page to read, for that address only, also behind a proxy.
func TestEveryPublicPageIsLimited(t *testing.T) {
	e := newEnv(t, idle(true), trusted{netip.MustParsePrefix("127.0.0.0/8")}, func(c *Config) { c.CallbackWait = time.Millisecond })
	l := e.link(NewLink{})
	const limit = 3
	e.visits = newLimiter(limit, time.Minute, e.Now)
	for i, path := range []string{
		"", "/go", "/qr.png", "/qr.svg", "/poster", "/state", "/callback?auth_code=x", "/callback", "x",
	} {
		t.Run("GET "+path, func(t *testing.T) {
			e.t = t
			from := fmt.Sprintf("203.0.113.%d", i+1)
			ask := func(ip, accept string) page {
				return e.get("/authorize/"+l.ID+path, onDesktop, "X-Forwarded-For", "1.2.3.4, "+ip, "Accept-Language", accept)
			}
			for range limit {
				require.NotEqual(t, http.StatusTooManyRequests, ask(from, "").status)
			}
			p := ask(from, "")
			require.Equal(t, http.StatusTooManyRequests, p.status)
			wait, err := strconv.Atoi(p.header.Get("Retry-After"))
			require.NoError(t, err)
			require.True(t, wait > 0 && wait <= 61, wait)
			require.Contains(t, p.body, "操作太频繁")
			require.Contains(t, ask(from, "en").body, "Too many requests")
			require.Contains(t, p.header.Get("Content-Security-Policy"), "default-src 'none'")
			require.NotEqual(t, http.StatusTooManyRequests, ask(fmt.Sprintf("198.51.100.%d", i+1), "").status, "another address")
		})
	}
	e.t = t
	for range limit {
		require.Equal(t, http.StatusOK, e.get(e.path("assets", assetVersion(), "page.css"), onDesktop).status)
	}
	require.Equal(t, http.StatusTooManyRequests, e.get(e.path("assets", assetVersion(), "page.css"), onDesktop).status)
	require.Equal(t, http.StatusOK, e.do(http.MethodHead, "/authorize/"+l.ID, onDesktop, "X-Forwarded-For", "198.51.100.77").status)
}
