package webui

import (
	"compress/gzip"
	"io"
	"io/fs"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/stretchr/testify/require"
)

func builtUI() fs.FS {
	return fstest.MapFS{
		".gitkeep":            {},
		"index.html":          {Data: []byte("<!doctype html><div id=root>")},
		"favicon.svg":         {Data: []byte("<svg/>")},
		"assets/index-abc.js": {Data: []byte(strings.Repeat("let a = 1;\n", 500))},
	}
}

func get(t *testing.T, root fs.FS, method, target string, header map[string]string) *http.Response {
	t.Helper()
	h, err := newHandler(root)
	require.NoError(t, err)
	r := httptest.NewRequestWithContext(t.Context(), method, target, nil)
	for name, value := range header {
		r.Header.Set(name, value)
	}
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	return w.Result()
}

func text(t *testing.T, answer *http.Response) string {
	t.Helper()
	body, err := io.ReadAll(answer.Body)
	require.NoError(t, err)
	return string(body)
}

func TestHandlerServesFilesAndPages(t *testing.T) {
	t.Parallel()
	const html, script, svg = "text/html; charset=utf-8", "text/javascript; charset=utf-8", "image/svg+xml"
	for _, tc := range []struct {
		name, method, target string
		status               int
		contentType, cache   string
	}{
		{"the start page is never kept", "GET", "/admin/", 200, html, cacheNever},
		{"the start page without its slash works too", "GET", "/admin", 200, html, cacheNever},
		{"index.html by name is never kept", "GET", "/admin/index.html", 200, html, cacheNever},
		{"a page of the UI gets index.html", "GET", "/admin/rollouts/7/12", 200, html, cacheNever},
		{"a page whose name has a dot gets index.html", "GET", "/admin/authorizers/wx.1", 200, html, cacheNever},
		{"a hashed file is kept for ever", "GET", "/admin/assets/index-abc.js", 200, script, cacheForever},
		{"a file without hash is asked for again", "GET", "/admin/favicon.svg", 200, svg, cacheNever},
		{"an old asset is not answered with a page", "GET", "/admin/assets/index-old.js", 404, "text/plain; charset=utf-8", "no-store"},
		{"an unknown script elsewhere is 404", "GET", "/admin/x.js", 404, "text/plain; charset=utf-8", "no-store"},
		{"the placeholder is not served", "GET", "/admin/.gitkeep", 200, html, cacheNever},
		{"climbing out leads nowhere", "GET", "/admin/../../etc/passwd", 200, html, cacheNever},
		{"HEAD has no body", "HEAD", "/admin/", 200, html, cacheNever},
		{"POST is not for pages", "POST", "/admin/", 405, "text/plain; charset=utf-8", ""},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			answer := get(t, builtUI(), tc.method, tc.target, nil)
			defer func() { _ = answer.Body.Close() }()
			require.Equal(t, tc.status, answer.StatusCode)
			require.Equal(t, tc.contentType, answer.Header.Get("Content-Type"))
			require.Equal(t, tc.cache, answer.Header.Get("Cache-Control"))
			if tc.method == http.MethodHead {
				require.Empty(t, text(t, answer))
			}
			if tc.status != http.StatusMethodNotAllowed {
				require.Contains(t, answer.Header.Get("Content-Security-Policy"), "script-src 'self';")
			}
		})
	}
}

func TestHandlerCompressesWhatGains(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		name, target, accepted string
		zipped                 bool
	}{
		{"a large script is compressed", "/admin/assets/index-abc.js", "br, gzip", true},
		{"a tiny page is not", "/admin/", "gzip", false},
		{"nothing is for those who cannot read it", "/admin/assets/index-abc.js", "br", false},
		{"nothing is for those who refuse it", "/admin/assets/index-abc.js", "gzip;q=0, br", false},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			answer := get(t, builtUI(), http.MethodGet, tc.target, map[string]string{"Accept-Encoding": tc.accepted})
			defer func() { _ = answer.Body.Close() }()
			require.Equal(t, "Accept-Encoding", answer.Header.Get("Vary"))
			if !tc.zipped {
				require.Empty(t, answer.Header.Get("Content-Encoding"))
				return
			}
			require.Equal(t, "gzip", answer.Header.Get("Content-Encoding"))
			zip, err := gzip.NewReader(answer.Body)
			require.NoError(t, err)
			plain, err := io.ReadAll(zip)
			require.NoError(t, err)
			require.Equal(t, strings.Repeat("let a = 1;\n", 500), string(plain))
		})
	}
}

func TestHandlerWithoutABuildSaysWhatToRun(t *testing.T) {
	t.Parallel()
	answer := get(t, fstest.MapFS{".gitkeep": {}}, http.MethodGet, "/admin/rollouts", nil)
	defer func() { _ = answer.Body.Close() }()
	require.Equal(t, http.StatusServiceUnavailable, answer.StatusCode)
	require.Contains(t, text(t, answer), "make build")
}

func TestTheEmbeddedFolderIsThere(t *testing.T) {
	t.Parallel()
	_, err := Handler()
	require.NoError(t, err)
}
