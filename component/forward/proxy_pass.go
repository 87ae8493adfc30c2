package forward

import (
	"context"
	"io"
	"log/slog"
	"maps"
	"net/http"
	"net/http/httputil"
	"net/netip"
	"net/url"
	"path"
	"slices"
	"strings"
	"sync"
	"time"
)

const (
	// proxyIdle is how long one write to the client, or one read from it, may stall. The whole transfer may take any time.
	proxyIdle = 5 * time.Minute
	// proxyFlush bounds how long part of an answer whose length is known waits for more; all others are flushed at once.
	proxyFlush = 5 * time.Millisecond

	proxyConnections = 512
	proxyBuffer      = 32 << 10

	// hopHeader marks what has been through a proxy of ours, so that a circle shows.
	hopHeader = "X-Wxsteward-Proxy"
)

// newProxyTransport is the proxy's own pool. The guard looks at every address at every connection. Nothing limits how
// long an answer takes.
func newProxyTransport(guard outboundGuard) *http.Transport {
	return &http.Transport{
		DialContext:         guard.DialContext,
		ForceAttemptHTTP2:   true,
		DisableCompression:  true, // answers pass as they are
		MaxIdleConns:        proxyConnections,
		MaxIdleConnsPerHost: proxyConnections,
		// Shorter than the five seconds of Node.js, or a POST would now and then meet a closing connection.
		IdleConnTimeout:       4 * time.Second,
		TLSHandshakeTimeout:   10 * time.Second,
		ExpectContinueTimeout: time.Second,
		ReadBufferSize:        proxyBuffer / 2,
		WriteBufferSize:       proxyBuffer / 2,
	}
}

// reserved are first segments of addresses that are ours, whether something is registered there or not: the business
// system never sees them, and can never stand in for them.
func reserved(urlPath string) bool {
	first, _, _ := strings.Cut(strings.TrimPrefix(path.Clean("/"+urlPath), "/"), "/")
	switch strings.ToLower(first) {
	case "api", "admin", "authorize", "wxcallback", "miniapp", "inner", "metrics", "healthz", "readyz":
		return true
	}
	return false
}

// passage is what one request on its way through knows.
type passage struct {
	client    netip.Addr // whoever asked, behind proxies that are trusted
	requestID string
	began     time.Time
	status    int           // of the upstream's answer; 0: none
	took      time.Duration // until it began
	err       error         // why there is none
}

type passageKey struct{}

func passageFrom(ctx context.Context) *passage {
	v, _ := ctx.Value(passageKey{}).(*passage)
	if v == nil {
		return &passage{}
	}
	return v
}

// newPass makes the handler that passes requests to target. What goes wrong before the answer begins is left in the
// passage, and nothing is written.
func (p *Proxy) newPass(target *url.URL) http.Handler {
	return &httputil.ReverseProxy{
		Rewrite:       p.rewrite(target),
		Transport:     p.transport,
		FlushInterval: proxyFlush,
		BufferPool:    newBufferPool(),
		ErrorLog:      slog.NewLogLogger(p.log.Handler(), slog.LevelDebug),
		ModifyResponse: func(r *http.Response) error {
			v := passageFrom(r.Request.Context())
			v.status, v.took = r.StatusCode, time.Since(v.began)
			p.stripAnswer(r.Header)
			if r.Header.Get("X-Request-Id") == "" && v.requestID != "" {
				r.Header.Set("X-Request-Id", v.requestID)
			}
			return nil
		},
		ErrorHandler: func(_ http.ResponseWriter, r *http.Request, err error) { passageFrom(r.Context()).err = err },
	}
}

// rewrite makes the request for the upstream of the client's.
func (p *Proxy) rewrite(target *url.URL) func(*httputil.ProxyRequest) {
	keepHost := answersToAnyName(target.Hostname())
	return func(r *httputil.ProxyRequest) {
		r.SetURL(target)
		r.Out.URL.RawQuery = r.In.URL.RawQuery // as the client wrote it; nothing here depends on it
		if keepHost {
			r.Out.Host = r.In.Host
		}
		h := r.Out.Header
		p.stripRequest(h)
		if p.cfg.Identify != nil {
			p.identify(r.In, h)
		}
		v := passageFrom(r.In.Context())
		r.SetXForwarded()
		if proto := p.forwardedProto(r.In, v.client); proto != "" {
			h.Set("X-Forwarded-Proto", proto)
		}
		if v.client.IsValid() {
			// Not what the client claims: the address that trusted proxies saw.
			h.Set("X-Real-Ip", v.client.String())
			if peer := h.Get("X-Forwarded-For"); peer != v.client.String() {
				h.Set("X-Forwarded-For", v.client.String()+", "+peer)
			}
		}
		if v.requestID != "" {
			h.Set("X-Request-Id", v.requestID)
		}
		h.Set(hopHeader, "1")
	}
}

// answersToAnyName tells business systems addressed without a domain, on this machine or next to it: they see the name
// that the client used, so that their links and cookies fit. One with a domain gets its own name, by which it is found
// among others.
func answersToAnyName(host string) bool {
	if _, err := netip.ParseAddr(host); err == nil {
		return true
	}
	return !strings.Contains(host, ".")
}

// forwardedProto is the scheme the client used, as far as we can know: a trusted proxy's word, else how PUBLIC_URL is
// reached. Empty: what SetXForwarded says.
func (p *Proxy) forwardedProto(in *http.Request, client netip.Addr) string {
	if peer, err := netip.ParseAddrPort(in.RemoteAddr); err == nil && client.IsValid() && peer.Addr().Unmap().WithZone("") != client {
		if proto := in.Header.Get("X-Forwarded-Proto"); proto == "http" || proto == "https" {
			return proto
		}
	}
	if p.cfg.PublicURL != nil && strings.EqualFold(in.Host, p.cfg.PublicURL.Host) {
		return p.cfg.PublicURL.Scheme
	}
	return ""
}

// stripRequest removes what is for us alone and what clients could make up.
func (p *Proxy) stripRequest(h http.Header) {
	h.Del("Authorization") // our API keys and tokens of mini programs
	for name := range h {
		// Business systems behind CGI or WSGI cannot tell X_WX_OPENID from X-WX-OPENID.
		plain := strings.ToLower(strings.ReplaceAll(name, "_", "-"))
		if strings.HasPrefix(plain, "x-wxsteward-") || !p.cfg.KeepIdentity && strings.HasPrefix(plain, "x-wx-") {
			delete(h, name)
		}
	}
	lines := h["Cookie"]
	if !slices.ContainsFunc(lines, p.mayHoldOurs) {
		return
	}
	kept := make([]string, 0, len(lines))
	for _, line := range lines {
		if line = p.withoutOurs(line); line != "" {
			kept = append(kept, line)
		}
	}
	if len(kept) == 0 {
		h.Del("Cookie")
		return
	}
	h["Cookie"] = kept
}

// identify puts the caller's verified identity into the request.
func (p *Proxy) identify(in *http.Request, h http.Header) {
	verified := p.cfg.Identify(in)
	if len(verified) == 0 {
		return
	}
	for name := range h { // whatever way a client wrote them
		if strings.HasPrefix(strings.ToLower(strings.ReplaceAll(name, "_", "-")), "x-wx-") {
			delete(h, name)
		}
	}
	maps.Copy(h, verified)
}

func (p *Proxy) mayHoldOurs(line string) bool {
	return slices.ContainsFunc(p.cfg.StripCookies, func(name string) bool { return strings.Contains(line, name) })
}

// withoutOurs leaves the other cookies as they were written.
func (p *Proxy) withoutOurs(line string) string {
	var kept []string
	for part := range strings.SplitSeq(line, ";") {
		if part = strings.TrimSpace(part); part != "" && !p.ours(part) {
			kept = append(kept, part)
		}
	}
	return strings.Join(kept, "; ")
}

func (p *Proxy) ours(cookie string) bool {
	name, _, _ := strings.Cut(cookie, "=")
	return slices.Contains(p.cfg.StripCookies, strings.TrimSpace(name))
}

// stripAnswer keeps the business system from setting our cookies.
func (p *Proxy) stripAnswer(h http.Header) {
	lines := h["Set-Cookie"]
	if !slices.ContainsFunc(lines, p.ours) {
		return
	}
	h["Set-Cookie"] = slices.DeleteFunc(slices.Clone(lines), p.ours)
}

// bufferPool gives copies their buffers; httputil asks for slices, and a pool of pointers to arrays does not allocate.
type bufferPool struct{ pool sync.Pool }

func newBufferPool() *bufferPool {
	return &bufferPool{sync.Pool{New: func() any { return new([proxyBuffer]byte) }}}
}

// Get implements httputil.BufferPool.
func (b *bufferPool) Get() []byte {
	buffer, _ := b.pool.Get().(*[proxyBuffer]byte)
	return buffer[:]
}

// Put implements httputil.BufferPool.
func (b *bufferPool) Put(buffer []byte) {
	if cap(buffer) >= proxyBuffer {
		b.pool.Put((*[proxyBuffer]byte)(buffer[:proxyBuffer]))
	}
}

// patientWriter moves the server's deadline on with every write, so that only a client that stalls is cut.
type patientWriter struct {
	http.ResponseWriter // Echo's, which notes status and size
	below               http.ResponseWriter
	control             *http.ResponseController
}

// Unwrap is for http.ResponseController.
func (w *patientWriter) Unwrap() http.ResponseWriter { return w.ResponseWriter }

// WriteHeader passes informational answers by Echo, which would take them for the answer.
func (w *patientWriter) WriteHeader(status int) {
	if status >= 100 && status < 200 && status != http.StatusSwitchingProtocols {
		w.below.WriteHeader(status)
		return
	}
	w.extend()
	w.ResponseWriter.WriteHeader(status)
}

// Write implements io.Writer.
func (w *patientWriter) Write(b []byte) (int, error) {
	w.extend()
	return w.ResponseWriter.Write(b)
}

func (w *patientWriter) extend() {
	_ = w.control.SetWriteDeadline(time.Now().Add(proxyIdle)) // not supported only without a connection
}

// patientBody does the same for reading. At the end the deadline is lifted: from then on the server reads only to see
// whether the client hangs up.
type patientBody struct {
	io.ReadCloser
	control *http.ResponseController
}

// Read implements io.Reader.
func (b *patientBody) Read(buf []byte) (int, error) {
	_ = b.control.SetReadDeadline(time.Now().Add(proxyIdle))
	n, err := b.ReadCloser.Read(buf)
	if err != nil {
		_ = b.control.SetReadDeadline(time.Time{})
	}
	return n, err
}
