package outbound

import (
	"context"
	"errors"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strconv"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/wxsteward/wxsteward/internal/fault"
)

func TestAddresses(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		addr            string
		public, private bool // may be called without and with AllowPrivate
	}{
		{"1.1.1.1", true, true},
		{"2606:4700::1111", true, true},
		{"127.0.0.1", false, true},
		{"127.8.9.10", false, true},
		{"::1", false, true},
		{"::ffff:127.0.0.1", false, true},
		{"10.1.2.3", false, true},
		{"172.16.0.1", false, true},
		{"192.168.1.1", false, true},
		{"100.64.0.1", false, true},
		{"fd12::1", false, true},
		{"0.0.0.0", false, true},
		{"::", false, true},
		{"224.0.0.1", false, true},
		{"ff02::1", false, true},
		{"255.255.255.255", false, true},
		{"169.254.169.254", false, false},
		{"::ffff:169.254.169.254", false, false},
		{"64:ff9b::a9fe:a9fe", false, false},
		{"2002:a9fe:a9fe::1", false, false},
		{"::a9fe:a9fe", false, false},
		{"64:ff9b::7f00:1", false, true},
		{"fe80::1%eth0", false, false},
		{"fd00:ec2::254", false, false},
		{"100.100.100.200", false, false},
	} {
		t.Run(tc.addr, func(t *testing.T) {
			t.Parallel()
			to := netip.AddrPortFrom(netip.MustParseAddr(tc.addr), 80)
			assert.Equal(t, tc.public, Guard{}.Allows(to))
			assert.Equal(t, tc.private, Guard{AllowPrivate: true}.Allows(to))
		})
	}
	assert.False(t, Guard{AllowPrivate: true}.Allows(netip.AddrPort{}))
}

func resolver(answers ...string) func(context.Context, string) ([]netip.Addr, error) {
	var asked atomic.Int64
	return func(context.Context, string) ([]netip.Addr, error) {
		n := min(int(asked.Add(1)), len(answers))
		if answers[n-1] == "" {
			return nil, &net.DNSError{Err: "no such host", IsNotFound: true}
		}
		var addrs []netip.Addr
		for text := range strings.FieldsSeq(answers[n-1]) {
			addrs = append(addrs, netip.MustParseAddr(text))
		}
		return addrs, nil
	}
}

func TestCheck(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		name, url, resolves string
		private             bool
		want                string // part of the refusal; empty: taken
	}{
		{"a public host is taken", "https://shop.example.com/hook?x=1", "1.1.1.1", false, ""},
		{"a name that does not resolve yet is taken", "https://shop.example.com/", "", false, ""},
		{"a private host is refused", "https://shop.example.com/", "10.0.0.1", false, "ALLOW_PRIVATE_TARGETS"},
		{"one private address among public ones is enough", "https://shop.example.com/", "1.1.1.1 10.0.0.1", false, "10.0.0.1"},
		{"a private host is taken when allowed", "http://127.0.0.1:8090/x", "", true, ""},
		{"metadata is refused even then", "http://169.254.169.254/latest", "", true, "169.254.169.254"},
		{"metadata behind a name is refused", "http://metadata.example/", "169.254.169.254", true, "169.254.169.254"},
		{"a decimal address is what the resolver makes of it", "http://2130706433/", "127.0.0.1", false, "127.0.0.1"},
		{"another scheme is refused", "file:///etc/passwd", "", true, "full address"},
		{"gopher is refused", "gopher://1.1.1.1/", "", true, "full address"},
		{"no host is refused", "https:///x", "", true, "full address"},
		{"an opaque address is refused", "https:shop.example.com", "", true, "full address"},
		{"a password is refused", "https://u:p@shop.example.com/", "1.1.1.1", true, "user name"},
		{"a fragment is refused", "https://shop.example.com/#x", "1.1.1.1", true, "#"},
		{"port 0 is refused", "https://shop.example.com:0/", "1.1.1.1", true, "port"},
		{"port 70000 is refused", "https://shop.example.com:70000/", "1.1.1.1", true, "port"},
		{"our own listener is refused", "http://127.0.0.1:8081/inner", "", true, "127.0.0.1"},
		{"our own listener by another loopback address is refused", "http://[::1]:8081/inner", "", true, "::1"},
		{"our own listener by the unspecified address is refused", "http://0.0.0.0:8081/inner", "", true, "0.0.0.0"},
		{"our listener on all addresses is refused", "http://127.0.0.5:8080/", "", true, "127.0.0.5"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			g := Guard{AllowPrivate: tc.private, Lookup: resolver(tc.resolves), Own: []netip.AddrPort{
				netip.MustParseAddrPort("127.0.0.1:8081"), netip.MustParseAddrPort("[::]:8080"),
			}}
			err := g.CheckField(t.Context(), "body.target_url", tc.url)
			if tc.want == "" {
				require.NoError(t, err)
				return
			}
			f, ok := errors.AsType[*fault.Error](err)
			require.True(t, ok, "%v", err)
			assert.Equal(t, fault.Validation, f.Kind)
			assert.Equal(t, "body.target_url", f.Fields[0].Location)
			assert.Contains(t, f.In(fault.English), tc.want)
		})
	}
}

// TestRebinding: the name was public when the rule was saved and is private when it is called.
func TestRebinding(t *testing.T) {
	t.Parallel()
	hits := atomic.Int64{}
	target := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { hits.Add(1) }))
	t.Cleanup(target.Close)
	port := target.Listener.Addr().(*net.TCPAddr).Port
	address := "http://rebinding.example:" + strconv.Itoa(port) + "/"

	g := Guard{Lookup: resolver("1.1.1.1", "127.0.0.1")}
	require.NoError(t, g.Check(t.Context(), address))
	err := get(t, g.Client(0), address)
	blocked, ok := errors.AsType[*BlockedError](err)
	require.True(t, ok, "%v", err)
	assert.Equal(t, "127.0.0.1", blocked.Addr.Addr().String())
	assert.Zero(t, hits.Load())

	g = Guard{AllowPrivate: true, Lookup: resolver("169.254.169.254 127.0.0.1")}
	require.NoError(t, get(t, g.Client(0), address), "the allowed one of two addresses is used")
	assert.EqualValues(t, 1, hits.Load())
}

func TestRedirectsAreNotFollowed(t *testing.T) {
	t.Parallel()
	hits := atomic.Int64{}
	target := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		hits.Add(1)
		http.Redirect(w, r, "/again", http.StatusFound)
	}))
	t.Cleanup(target.Close)
	require.NoError(t, get(t, Guard{AllowPrivate: true}.Client(0), target.URL))
	assert.EqualValues(t, 1, hits.Load())
}

func TestProxyOfTheEnvironmentIsIgnored(t *testing.T) {
	t.Setenv("HTTP_PROXY", "http://127.0.0.1:1")
	t.Setenv("http_proxy", "http://127.0.0.1:1")
	assert.Nil(t, Guard{}.Transport(0).Proxy)
}

// TestIdleConnectionsEndBeforeTheTargetEndsThem: a POST on a connection that its target is closing fails. Node.js closes after 5 s.
func TestIdleConnectionsEndBeforeTheTargetEndsThem(t *testing.T) {
	t.Parallel()
	const enough = 500 * time.Millisecond // for a request to arrive
	idle := Guard{}.Transport(0).IdleConnTimeout
	assert.Positive(t, idle)
	assert.LessOrEqual(t, idle, 5*time.Second-enough)
}

func TestPlainDropsTheAddress(t *testing.T) {
	t.Parallel()
	err := get(t, Guard{}.Client(0), "http://127.0.0.1:9/?key=hunter2")
	require.Error(t, err)
	assert.NotContains(t, Plain(err).Error(), "hunter2")
}

func get(t *testing.T, c *http.Client, address string) error {
	t.Helper()
	t.Cleanup(c.CloseIdleConnections)
	r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, address, nil)
	require.NoError(t, err)
	res, err := c.Do(r)
	if err != nil {
		return err
	}
	return res.Body.Close()
}

// fullPort is a port of 127.0.0.2 whose listener takes no more connections and refuses none: who calls waits.
func fullPort(t *testing.T) int {
	t.Helper()
	fd, err := syscall.Socket(syscall.AF_INET, syscall.SOCK_STREAM|syscall.SOCK_CLOEXEC, 0)
	require.NoError(t, err)
	t.Cleanup(func() { _ = syscall.Close(fd) })
	require.NoError(t, syscall.Bind(fd, &syscall.SockaddrInet4{Addr: [4]byte{127, 0, 0, 2}}))
	require.NoError(t, syscall.Listen(fd, 0))
	bound, err := syscall.Getsockname(fd)
	require.NoError(t, err)
	at, ok := bound.(*syscall.SockaddrInet4)
	require.True(t, ok)
	d := net.Dialer{Timeout: 500 * time.Millisecond}
	for range 64 {
		conn, err := d.DialContext(t.Context(), "tcp", net.JoinHostPort("127.0.0.2", strconv.Itoa(at.Port)))
		if err != nil {
			return at.Port
		}
		t.Cleanup(func() { _ = conn.Close() })
	}
	require.Fail(t, "a listener without a backlog took 64 connections")
	return 0
}

// TestSilentAddressDelaysLittle: the second address of a host is tried while the first keeps silent.
func TestSilentAddressDelaysLittle(t *testing.T) {
	t.Parallel()
	port := fullPort(t)
	var lc net.ListenConfig
	listener, err := lc.Listen(t.Context(), "tcp", net.JoinHostPort("127.0.0.1", strconv.Itoa(port)))
	require.NoError(t, err)
	target := &httptest.Server{Listener: listener, Config: &http.Server{Handler: http.NotFoundHandler(), ReadHeaderTimeout: time.Minute}}
	target.Start()
	t.Cleanup(target.Close)
	g := Guard{AllowPrivate: true, Lookup: resolver("127.0.0.2 127.0.0.1")}
	client := g.Client(0)
	client.Timeout = 4 * time.Second
	require.NoError(t, get(t, client, "http://two.example:"+strconv.Itoa(port)+"/"))

	// All that fail are told, and none is waited for when one is forbidden and the other refuses.
	listener2, err := lc.Listen(t.Context(), "tcp", "127.0.0.1:0")
	require.NoError(t, err)
	closed := listener2.Addr().String()
	require.NoError(t, listener2.Close())
	_, closedPort, err := net.SplitHostPort(closed)
	require.NoError(t, err)
	g.Lookup = resolver("169.254.169.254 127.0.0.1")
	began := time.Now()
	err = get(t, g.Client(0), "http://two.example:"+closedPort+"/")
	require.ErrorIs(t, err, syscall.ECONNREFUSED)
	_, blocked := errors.AsType[*BlockedError](err)
	assert.True(t, blocked)
	assert.Less(t, time.Since(began), 3*time.Second)
}
