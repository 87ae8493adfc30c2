package component

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/wxsteward/wxsteward/internal/fault"
)

func TestReturnURLAllowed(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		name    string
		entries []string
		url     string
		want    bool
	}{
		{"an empty list allows none", nil, "https://a.com/", false},
		{"the origin itself", []string{"https://a.com"}, "https://a.com", true},
		{"any path of an origin", []string{"https://a.com"}, "https://a.com/x/y?z=1#f", true},
		{"a slash at the entry's end is no difference", []string{"https://a.com/"}, "https://a.com/x", true},
		{"another host", []string{"https://a.com"}, "https://b.com/", false},
		{"a host that only begins alike", []string{"https://a.com"}, "https://a.com.evil.com/", false},
		{"a subdomain", []string{"https://a.com"}, "https://x.a.com/", false},
		{"a host that only ends alike", []string{"https://a.com"}, "https://evila.com/", false},
		{"the other scheme", []string{"https://a.com"}, "http://a.com/", false},
		{"the case of scheme and host", []string{"https://A.com"}, "HTTPS://a.COM/x", true},
		{"the default port spelled out", []string{"https://a.com"}, "https://a.com:443/", true},
		{"the default port in the entry", []string{"https://a.com:443"}, "https://a.com/", true},
		{"an empty port", []string{"https://a.com"}, "https://a.com:/", true},
		{"another port", []string{"https://a.com"}, "https://a.com:8443/", false},
		{"the entry's port", []string{"https://a.com:8443"}, "https://a.com:8443/x", true},
		{"the entry's port left out", []string{"https://a.com:8443"}, "https://a.com/x", false},
		{"a port that is no number", []string{"https://a.com"}, "https://a.com:44x/", false},
		{"a port out of range", []string{"https://a.com"}, "https://a.com:65979/", false},
		{"user info", []string{"https://a.com"}, "https://a.com@evil.com/", false},
		{"user info before the right host", []string{"https://a.com"}, "https://evil@a.com/", false},
		{"empty user info", []string{"https://a.com"}, "https://@a.com/", false},
		{"an escaped at sign", []string{"https://a.com"}, "https://a.com%40evil.com/", false},
		{"a backslash after the host", []string{"https://a.com"}, `https://a.com\@evil.com/`, false},
		{"backslashes for slashes", []string{"https://a.com"}, `https:\\a.com/`, false},
		{"a backslash host", []string{"https://a.com"}, `https://evil.com\a.com`, false},
		{"an escaped backslash in the path", []string{"https://a.com"}, "https://a.com/%5cx", false},
		{"no scheme", []string{"https://a.com"}, "//a.com/", false},
		{"a path only", []string{"https://a.com"}, "/a.com", false},
		{"one slash", []string{"https://a.com"}, "https:/a.com/", false},
		{"three slashes", []string{"https://a.com"}, "https:///a.com/", false},
		{"no slashes", []string{"https://a.com"}, "https:a.com", false},
		{"javascript", []string{"https://a.com"}, "javascript:alert(1)//https://a.com", false},
		{"javascript with slashes", []string{"https://a.com"}, "javascript://a.com/%0aalert(1)", false},
		{"data", []string{"https://a.com"}, "data:text/html,x", false},
		{"a line break", []string{"https://a.com"}, "https://a.com/\r\nSet-Cookie: x=1", false},
		{"a tab inside the scheme", []string{"https://a.com"}, "ht\ttps://a.com/", false},
		{"a leading space", []string{"https://a.com"}, " https://a.com/", false},
		{"a NUL byte", []string{"https://a.com"}, "https://a.com\x00.evil.com/", false},
		{"an escaped line break in the path", []string{"https://a.com"}, "https://a.com/%0d%0ax", false},
		{"bad UTF-8", []string{"https://a.com"}, "https://a.com\xff/", false},
		{"an escape in the host", []string{"https://a.com"}, "https://a%2ecom/", false},
		{"a dot at the host's end", []string{"https://a.com"}, "https://a.com./", false},
		{"the prefix itself", []string{"https://a.com/app"}, "https://a.com/app", true},
		{"below the prefix", []string{"https://a.com/app"}, "https://a.com/app/x", true},
		{"the prefix with a query", []string{"https://a.com/app"}, "https://a.com/app?x=1", true},
		{"a path that only begins like the prefix", []string{"https://a.com/app"}, "https://a.com/apple", false},
		{"beside the prefix", []string{"https://a.com/app"}, "https://a.com/", false},
		{"a prefix that ends in a slash", []string{"https://a.com/app/"}, "https://a.com/app/x", true},
		{"out of the prefix by dots", []string{"https://a.com/app"}, "https://a.com/app/../admin", false},
		{"out of the prefix by escaped dots", []string{"https://a.com/app"}, "https://a.com/app/%2e%2e/admin", false},
		{"out of the prefix by an escaped slash", []string{"https://a.com/app"}, "https://a.com/app%2f..%2fadmin", false},
		{"dots at the end", []string{"https://a.com/app"}, "https://a.com/app/..", false},
		{"the case of the path counts", []string{"https://a.com/app"}, "https://a.com/APP", false},
		{"a Chinese path", []string{"https://a.com/应用"}, "https://a.com/%E5%BA%94%E7%94%A8/x", true},
		{"a Chinese name and its xn-- form", []string{"https://例子.com"}, "https://xn--fsqu00a.com/x", true},
		{"a Chinese name as such", []string{"https://xn--fsqu00a.com"}, "https://例子.com/x", true},
		{"full-width letters, as browsers map them", []string{"https://a.com"}, "https://ａ.com/", true},
		{"sharp s is not ss", []string{"https://strasse.de"}, "https://straße.de/", false},
		{"a look-alike letter", []string{"https://apple.com"}, "https://аpple.com/", false},
		{"an IPv6 address", []string{"https://[2001:db8::1]"}, "https://[2001:DB8::1]/x", true},
		{"an IPv4 address in another notation", []string{"https://127.0.0.1"}, "https://0x7f.1/", false},
		{"plain http where it is listed", []string{"http://a.com"}, "http://a.com:80/", true},
		{"a very long URL", []string{"https://a.com"}, "https://a.com/" + strings.Repeat("x", 3000), false},
		{"the second entry", []string{"https://b.com", "https://a.com"}, "https://a.com/", true},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			target, err := parseTarget(test.url)
			got := false
			for _, entry := range test.entries {
				allowed, entryErr := parseAllowed(entry)
				require.NoError(t, entryErr)
				got = got || err == nil && allowed.covers(target)
			}
			assert.Equal(t, test.want, got, "reading it: %v", err)
		})
	}
}

func TestAllowlistEntries(t *testing.T) {
	t.Parallel()
	for _, entry := range []string{
		"", "a.com", "*", "https://*.a.com", "https://a.com?x=1", "https://a.com/#x", "ftp://a.com", "https://u@a.com",
		"https://a.com/../x", "https://", "javascript:alert(1)", "https://a.com/x\\y", "https://a b.com", "https://a_b.com/",
	} {
		_, err := parseAllowed(entry)
		assert.Error(t, err, "%q was taken", entry)
	}
}

func TestReturnURLAllowlistIsStored(t *testing.T) {
	t.Parallel()
	p := newPlatform(t)
	err := p.ReturnURLAllowed(t.Context(), "https://a.com/x")
	assert.True(t, isKind(err, fault.Validation), "nothing is allowed at first: %v", err)

	require.NoError(t, p.Change(t.Context(), Change{ReturnURLAllowlist: &[]string{"HTTPS://A.com/app/"}}, "ann"))
	require.NoError(t, p.ReturnURLAllowed(t.Context(), "https://a.com/app/done?x=1"))
	err = p.ReturnURLAllowed(t.Context(), "https://a.com/other")
	assert.True(t, isKind(err, fault.Validation), "%v", err)

	err = p.Change(t.Context(), Change{ReturnURLAllowlist: &[]string{"https://b.com", "evil"}}, "ann")
	assert.True(t, isKind(err, fault.Validation), "%v", err)
	require.Error(t, p.ReturnURLAllowed(t.Context(), "https://b.com/"), "a refused change stores nothing")
}
