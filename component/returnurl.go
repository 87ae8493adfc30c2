package component

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"path"
	"strconv"
	"strings"

	"golang.org/x/net/idna"

	"github.com/wxsteward/wxsteward/internal/fault"
)

// ReturnURLAllowed reports, with a fault.Validation, a URL to which no merchant may be sent: only those count whose
// scheme, host and port are those of an entry of return_url_allowlist, and whose path lies below the entry's. An empty
// list allows none. It never follows a rule more generous than the browser that will open the URL: what browsers and Go
// read differently is refused.
func (s *Service) ReturnURLAllowed(ctx context.Context, rawURL string) error {
	target, err := parseTarget(rawURL)
	if err != nil {
		return fault.Invalid("body.return_url", "The return URL is not a plain http(s) address: %s.", nil, err)
	}
	list, err := s.allowlist(ctx)
	if err != nil {
		return err
	}
	for _, entry := range list {
		allowed, err := parseAllowed(entry)
		if err == nil && allowed.covers(target) {
			return nil
		}
	}
	return fault.Invalid("body.return_url", "The return URL is not on the allowlist. Add its origin in the platform settings first.", nil)
}

// place is an origin and a path in comparable form.
type place struct {
	scheme, host string
	port         int
	path         string // decoded; "" on an entry means any
}

func (p place) String() string {
	host := p.host
	if strings.Contains(host, ":") {
		host = "[" + host + "]"
	}
	if p.port != defaultPort(p.scheme) {
		host += ":" + strconv.Itoa(p.port)
	}
	return (&url.URL{Scheme: p.scheme, Host: host, Path: p.path}).String()
}

// covers reports whether target is at or below p. "/app" covers "/app" and "/app/x", not "/apple".
func (p place) covers(target place) bool {
	if p.scheme != target.scheme || p.host != target.host || p.port != target.port {
		return false
	}
	prefix := strings.TrimSuffix(p.path, "/")
	return prefix == "" || target.path == prefix || strings.HasPrefix(target.path, prefix+"/")
}

// parseAllowed reads an entry: an origin, optionally with a path prefix, nothing else.
func parseAllowed(entry string) (place, error) {
	if strings.ContainsAny(entry, "?#*") {
		return place{}, errors.New("an entry has no query, fragment or wildcard")
	}
	p, err := parseTarget(entry)
	if p.path == "/" {
		p.path = ""
	}
	return p, err
}

const maxURLBytes = 2048

func parseTarget(raw string) (place, error) {
	if len(raw) > maxURLBytes {
		return place{}, fmt.Errorf("longer than %d bytes", maxURLBytes)
	}
	// Browsers drop tabs and line breaks and take "\" for "/"; white space at the ends is cut by some readers only.
	if strings.ContainsFunc(raw, func(r rune) bool { return r <= ' ' || r == 0x7f || r == '\\' || r >= 0x80 && r <= 0xa0 || r == 0xfffd }) {
		return place{}, fault.New(fault.Validation, "it has spaces, control characters or backslashes")
	}
	scheme, rest, ok := strings.Cut(raw, "://")
	scheme = strings.ToLower(scheme)
	if !ok || scheme != "http" && scheme != "https" {
		return place{}, fault.New(fault.Validation, "it does not begin with https:// or http://")
	}
	authority := rest
	if end := strings.IndexAny(rest, "/?#"); end >= 0 {
		authority = rest[:end]
	}
	if authority == "" || strings.ContainsAny(authority, "@%") {
		return place{}, fault.New(fault.Validation, "the host is missing, or has user info or escapes")
	}
	u, err := url.Parse(raw)
	if err != nil || u.Opaque != "" || u.User != nil {
		return place{}, fault.New(fault.Validation, "it cannot be read") // the parser's error would repeat the URL
	}
	p := place{scheme: scheme, path: u.Path, port: defaultPort(scheme)}
	if p.host, err = canonicalHost(u.Hostname()); err != nil {
		return place{}, err
	}
	if text := u.Port(); text != "" {
		if p.port, err = strconv.Atoi(text); err != nil || p.port < 1 || p.port > 65535 {
			return place{}, fault.New(fault.Validation, "the port is not a number from 1 to 65535")
		}
	}
	if p.path == "" {
		p.path = "/"
	}
	if err := checkPath(p.path); err != nil {
		return place{}, err
	}
	return p, nil
}

// checkPath refuses dot segments, also escaped ones: browsers and servers resolve them, and out of a prefix they lead.
func checkPath(decoded string) error {
	if strings.ContainsFunc(decoded, func(r rune) bool { return r < ' ' || r == 0x7f || r == '\\' }) {
		return fault.New(fault.Validation, "the path has escaped control characters or backslashes")
	}
	if strings.TrimSuffix(path.Clean(decoded), "/") != strings.TrimSuffix(decoded, "/") {
		return fault.New(fault.Validation, "the path has empty or dot segments")
	}
	return nil
}

// canonicalHost is the host as browsers compare it: lower case, Chinese and other names in their xn-- form.
func canonicalHost(host string) (string, error) {
	if host == "" {
		return "", fault.New(fault.Validation, "the host is missing")
	}
	if strings.Contains(host, ":") { // IPv6; zones were refused with "%"
		return strings.ToLower(host), nil
	}
	// Non-transitional as in browsers: "ß" is a letter of its own, not "ss".
	profile := idna.New(idna.MapForLookup(), idna.BidiRule(), idna.Transitional(false), idna.StrictDomainName(true))
	ascii, err := profile.ToASCII(host)
	if err != nil || ascii == "" {
		return "", fault.New(fault.Validation, "the host is not a domain name")
	}
	return ascii, nil
}

func defaultPort(scheme string) int {
	if scheme == "http" {
		return 80
	}
	return 443
}
