// Package outbound makes calls to addresses that operators enter, without letting them reach what is not theirs: metadata
// services of clouds, our own listeners and, unless allowed, the private network around us.
package outbound

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/wxsteward/wxsteward/internal/fault"
)

const (
	connectTimeout = 5 * time.Second
	lookupTimeout  = 3 * time.Second
	// nextAddress is how long one address of a host may keep silent before the next is tried too.
	nextAddress = 300 * time.Millisecond
	// idleTimeout is shorter than the five seconds of Node.js, or a POST would now and then meet a closing connection.
	idleTimeout = 4 * time.Second
	maxURL      = 2000
)

// Guard decides which addresses may be called. The zero Guard allows public ones only.
type Guard struct {
	// AllowPrivate lets calls go to loopback and private networks. Link-local addresses and those of metadata services stay
	// forbidden.
	AllowPrivate bool
	// Own are listeners of ours that nobody may be led to; an unspecified address stands for every address of this machine.
	Own []netip.AddrPort
	// Lookup resolves a host name; nil: the system's resolver.
	Lookup func(ctx context.Context, host string) ([]netip.Addr, error)
}

// BlockedError reports an address that may not be called.
type BlockedError struct{ Addr netip.AddrPort }

func (e *BlockedError) Error() string {
	return "outbound: calls to " + e.Addr.String() + " are not allowed"
}

// Check refuses a URL that cannot be called: not http or https, with a user name, or with a host that is, or that now
// resolves to, a forbidden address. A name that does not resolve passes, because each connection is checked again. The
// error is a fault.Validation about "body.url"; see CheckField.
func (g Guard) Check(ctx context.Context, rawURL string) error {
	return g.CheckField(ctx, "body.url", rawURL)
}

// CheckField is Check with the place of the field that is told to the user.
func (g Guard) CheckField(ctx context.Context, location, rawURL string) error {
	u, err := url.Parse(rawURL)
	if err != nil || (u.Scheme != "http" && u.Scheme != "https") || u.Hostname() == "" || u.Opaque != "" || len(rawURL) > maxURL {
		return fault.Invalid(location, "Enter a full address, e.g. https://shop.example.com/wechat", nil)
	}
	if u.User != nil {
		return fault.Invalid(location, "An address holds no user name and no password.", nil)
	}
	if u.Fragment != "" {
		return fault.Invalid(location, "An address holds no part behind #.", nil)
	}
	port, err := portOf(u)
	if err != nil {
		return fault.Invalid(location, "A port is a number from 1 to 65535.", nil)
	}
	ctx, cancel := context.WithTimeout(ctx, lookupTimeout)
	defer cancel()
	addrs, err := g.resolve(ctx, u.Hostname())
	if err != nil {
		return nil
	}
	for _, addr := range addrs {
		if at := netip.AddrPortFrom(addr, port); !g.Allows(at) {
			return fault.Invalid(location, "%s is at %s, which may not be called: link-local and metadata addresses never, private ones only with ALLOW_PRIVATE_TARGETS=true.",
				nil, u.Hostname(), addr.String())
		}
	}
	return nil
}

func portOf(u *url.URL) (uint16, error) {
	text := u.Port()
	switch {
	case text != "":
	case u.Scheme == "https":
		text = "443"
	default:
		text = "80"
	}
	n, err := strconv.ParseUint(text, 10, 16)
	if err == nil && n == 0 {
		err = strconv.ErrRange
	}
	return uint16(n), err
}

func (g Guard) resolve(ctx context.Context, host string) ([]netip.Addr, error) {
	if addr, err := netip.ParseAddr(host); err == nil {
		return []netip.Addr{addr}, nil
	}
	lookup := g.Lookup
	if lookup == nil {
		lookup = func(ctx context.Context, host string) ([]netip.Addr, error) {
			return net.DefaultResolver.LookupNetIP(ctx, "ip", host)
		}
	}
	return lookup(ctx, host)
}

// Allows reports whether a connection to this very address may be made.
func (g Guard) Allows(to netip.AddrPort) bool {
	addr := to.Addr().WithZone("").Unmap()
	if !addr.IsValid() {
		return false
	}
	for _, a := range append(embedded(addr), addr) {
		if never(a) || (!g.AllowPrivate && private(a)) {
			return false
		}
	}
	return !g.isOwn(addr, to.Port())
}

// embedded gives the IPv4 address that translators (NAT64, 6to4, IPv4-compatible) would send packets for addr to.
func embedded(addr netip.Addr) []netip.Addr {
	if !addr.Is6() {
		return nil
	}
	b := addr.As16()
	switch {
	case inAny(addr, "64:ff9b::/96", "::/96"):
		return []netip.Addr{netip.AddrFrom4([4]byte(b[12:16]))}
	case inAny(addr, "2002::/16"):
		return []netip.Addr{netip.AddrFrom4([4]byte(b[2:6]))}
	default:
		return nil
	}
}

// never are link-local addresses and those where clouds tell machines their credentials.
func never(addr netip.Addr) bool {
	return inAny(addr, "169.254.0.0/16", "fe80::/10", "fd00:ec2::254/128", "100.100.100.200/32",
		"fd20:ce::254/128", "168.63.129.16/32", "192.0.0.192/32")
}

// private are addresses that are not on the public Internet.
func private(addr netip.Addr) bool {
	return addr.IsLoopback() || addr.IsPrivate() || addr.IsUnspecified() || addr.IsMulticast() ||
		inAny(addr, "0.0.0.0/8", "100.64.0.0/10", "192.0.0.0/24", "192.0.2.0/24", "198.18.0.0/15", "198.51.100.0/24", "203.0.113.0/24",
			"240.0.0.0/4", "fec0::/10", "64:ff9b:1::/48", "100::/64", "2001:db8::/32", "::/96")
}

func inAny(addr netip.Addr, prefixes ...string) bool {
	for _, p := range prefixes {
		if netip.MustParsePrefix(p).Contains(addr) {
			return true
		}
	}
	return false
}

func (g Guard) isOwn(addr netip.Addr, port uint16) bool {
	for _, own := range g.Own {
		if own.Port() != port {
			continue
		}
		at := own.Addr().WithZone("").Unmap()
		switch {
		case at == addr, addr.IsUnspecified():
			return true
		case at.IsUnspecified() && (addr.IsLoopback() || onThisMachine(addr)):
			return true
		case at.IsLoopback() && addr.IsLoopback():
			return true
		}
	}
	return false
}

func onThisMachine(addr netip.Addr) bool {
	addrs, err := net.InterfaceAddrs()
	if err != nil {
		return true // better refuse than be led to ourselves
	}
	for _, a := range addrs {
		if p, err := netip.ParsePrefix(a.String()); err == nil && p.Addr().Unmap() == addr {
			return true
		}
	}
	return false
}

// DialContext connects like net.Dialer, only to addresses that are allowed: what a name resolved to when it was checked
// before does not count. It fails with *BlockedError when no address of the host is allowed.
func (g Guard) DialContext(ctx context.Context, network, address string) (net.Conn, error) {
	host, portText, err := net.SplitHostPort(address)
	if err != nil {
		return nil, err
	}
	port, err := strconv.ParseUint(portText, 10, 16)
	if err != nil {
		return nil, fmt.Errorf("port %q: %w", portText, err)
	}
	ctx, cancel := context.WithTimeout(ctx, 2*connectTimeout)
	defer cancel()
	addrs, err := g.resolve(ctx, host)
	if err != nil {
		return nil, err
	}
	if len(addrs) == 0 {
		return nil, &net.DNSError{Err: "no address", Name: host, IsNotFound: true}
	}
	var allowed []netip.AddrPort
	var failures []error
	for _, addr := range addrs {
		if to := netip.AddrPortFrom(addr, uint16(port)); g.Allows(to) {
			allowed = append(allowed, to)
		} else {
			failures = append(failures, &BlockedError{to})
		}
	}
	conn, err := dialFirst(ctx, network, allowed)
	if err != nil || conn == nil {
		return nil, errors.Join(append(failures, err)...)
	}
	return conn, nil
}

// dialFirst gives the first connection to one of the addresses, nil when there are none. They are tried in their order, each when
// the one before has failed or kept silent for nextAddress.
func dialFirst(ctx context.Context, network string, addrs []netip.AddrPort) (net.Conn, error) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	type dialed struct {
		conn net.Conn
		err  error
	}
	results := make(chan dialed, len(addrs)) // so that nobody waits to tell
	d := net.Dialer{Timeout: connectTimeout, KeepAlive: 30 * time.Second}
	var failures []error
	for tried, open := 0, 0; tried < len(addrs) || open > 0; {
		var next <-chan time.Time
		if tried < len(addrs) {
			to := addrs[tried].String()
			go func() {
				conn, err := d.DialContext(ctx, network, to)
				results <- dialed{conn, err}
			}()
			tried, open = tried+1, open+1
		}
		if tried < len(addrs) {
			next = time.After(nextAddress)
		}
		select {
		case r := <-results:
			open--
			if r.err != nil {
				failures = append(failures, r.err)
				continue
			}
			go func() { // a second connection is not needed
				for range open {
					if late := <-results; late.err == nil {
						_ = late.conn.Close()
					}
				}
			}()
			return r.conn, nil
		case <-next:
		}
	}
	return nil, errors.Join(failures...)
}

// Transport calls through the Guard. It knows no proxy, whatever the environment says: a proxy would connect for us,
// unchecked. perHost is how many connections to one host are kept for the next call; zero: 2.
func (g Guard) Transport(perHost int) *http.Transport {
	return &http.Transport{
		DialContext:           g.DialContext,
		Proxy:                 nil,
		ForceAttemptHTTP2:     true,
		TLSClientConfig:       &tls.Config{MinVersion: tls.VersionTLS12},
		TLSHandshakeTimeout:   connectTimeout,
		MaxIdleConns:          512,
		MaxIdleConnsPerHost:   perHost,
		IdleConnTimeout:       idleTimeout,
		ExpectContinueTimeout: time.Second,
		// What a target sends in front of its answer is not ours to hold.
		MaxResponseHeaderBytes: 64 << 10,
	}
}

// Client calls through the Guard and follows no redirect: it gives the redirect itself as the answer.
func (g Guard) Client(perHost int) *http.Client {
	return &http.Client{
		Transport:     g.Transport(perHost),
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
}

// Plain takes the address, which may hold a key, out of the error of an HTTP call.
func Plain(err error) error {
	if u, ok := errors.AsType[*url.Error](err); ok {
		return u.Err
	}
	return err
}

// Host is the part of a URL that may stand in a log; "" when there is none.
func Host(rawURL string) string {
	u, err := url.Parse(rawURL)
	if err != nil {
		return ""
	}
	return strings.ToLower(u.Host)
}
