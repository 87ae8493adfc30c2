package webui

import (
	"bytes"
	"compress/gzip"
	"fmt"
	"io/fs"
	"net/http"
	"path"
	"strconv"
	"strings"
	"sync"
)

// Prefix is the path under which the UI is served.
const Prefix = "/admin/"

const (
	indexFile = "index.html"
	// hashedDir holds the files whose names change with their content.
	hashedDir = "assets/"
	// compressFrom is the size in bytes from which compressing is worth it.
	compressFrom = 1024

	// policy allows scripts from our own files only. Styles may also stand in the page: the design system adds a style
	// element while a dialog is open. Merchants' pictures come from WeChat's image hosts, screenshots and codes as blobs.
	policy = "default-src 'self'; script-src 'self'; style-src 'self' 'unsafe-inline'; " +
		"img-src 'self' data: blob: https://*.qlogo.cn https://*.qpic.cn; connect-src 'self'; font-src 'self'; " +
		"object-src 'none'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'"

	cacheForever = "public, max-age=31536000, immutable"
	cacheNever   = "no-cache"
)

const notBuilt = `<!doctype html>
<html lang="zh-CN">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>wxsteward</title>
<h1>管理界面尚未构建</h1>
<p>这个程序是不带界面编译的。运行 <code>make build</code>（需要 Node.js）后使用 <code>bin/wxsteward</code>。接口不受影响：<a href="/api/docs">/api/docs</a></p>
<h1 lang="en">The admin UI is not built in</h1>
<p lang="en">This binary was compiled without it. Run <code>make build</code> (needs Node.js) and use <code>bin/wxsteward</code>. The API works all the same: <a href="/api/docs">/api/docs</a></p>
</html>
`

// file is one embedded file; its compressed form is made when it is first asked for.
type file struct {
	plain       []byte
	contentType string
	once        sync.Once
	zipped      []byte // nil where compressing gains nothing
}

// Handler returns the UI for all paths under Prefix. Files with a hash in their name may be kept for ever, index.html
// must be asked for again each time. A path that is no file is a page of the UI and gets index.html; a missing asset is
// 404, so that a browser with an old index.html does not take the new one for a script.
func Handler() (http.Handler, error) {
	root, err := fs.Sub(dist, "dist")
	if err != nil {
		return nil, fmt.Errorf("open the embedded UI: %w", err)
	}
	return newHandler(root)
}

func newHandler(root fs.FS) (http.Handler, error) {
	files := map[string]*file{}
	err := fs.WalkDir(root, ".", func(name string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() || strings.HasPrefix(path.Base(name), ".") {
			return err
		}
		content, err := fs.ReadFile(root, name)
		if err != nil {
			return err
		}
		files[name] = &file{plain: content, contentType: typeOf(name)}
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("read the embedded UI: %w", err)
	}
	return &handler{files: files}, nil
}

type handler struct {
	files map[string]*file
}

func (h *handler) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if r.Method != http.MethodGet && r.Method != http.MethodHead {
		w.Header().Set("Allow", "GET, HEAD")
		http.Error(w, "method not allowed", http.StatusMethodNotAllowed)
		return
	}
	header := w.Header()
	header.Set("Content-Security-Policy", policy)
	header.Set("X-Content-Type-Options", "nosniff")
	header.Set("Referrer-Policy", "same-origin")
	index, built := h.files[indexFile]
	if !built {
		header.Set("Content-Type", "text/html; charset=utf-8")
		header.Set("Cache-Control", cacheNever)
		w.WriteHeader(http.StatusServiceUnavailable)
		_, _ = w.Write([]byte(notBuilt)) // the browser has gone
		return
	}
	name := strings.TrimPrefix(path.Clean("/"+strings.TrimPrefix(r.URL.Path, strings.TrimSuffix(Prefix, "/"))), "/")
	found, ok := h.files[name]
	switch {
	case ok && strings.HasPrefix(name, hashedDir):
		header.Set("Cache-Control", cacheForever)
	case ok:
		header.Set("Cache-Control", cacheNever)
	case strings.HasPrefix(name, hashedDir) || typeOf(name) != unknownType:
		header.Set("Cache-Control", "no-store")
		http.Error(w, "no such file", http.StatusNotFound)
		return
	default:
		header.Set("Cache-Control", cacheNever)
		found = index
	}
	found.serve(w, r)
}

func (f *file) serve(w http.ResponseWriter, r *http.Request) {
	header := w.Header()
	header.Set("Content-Type", f.contentType)
	header.Add("Vary", "Accept-Encoding")
	body := f.plain
	if acceptsGzip(r.Header.Get("Accept-Encoding")) {
		if zipped := f.compressed(); zipped != nil {
			header.Set("Content-Encoding", "gzip")
			body = zipped
		}
	}
	header.Set("Content-Length", strconv.Itoa(len(body)))
	w.WriteHeader(http.StatusOK)
	if r.Method != http.MethodHead {
		_, _ = w.Write(body) // the browser has gone
	}
}

func (f *file) compressed() []byte {
	f.once.Do(func() {
		if len(f.plain) < compressFrom || strings.HasPrefix(f.contentType, "image/png") {
			return
		}
		var out bytes.Buffer
		zip := gzip.NewWriter(&out)
		if _, err := zip.Write(f.plain); err != nil || zip.Close() != nil {
			return
		}
		if out.Len() < len(f.plain) {
			f.zipped = out.Bytes()
		}
	})
	return f.zipped
}

func acceptsGzip(accepted string) bool {
	for part := range strings.SplitSeq(accepted, ",") {
		coding, weight, _ := strings.Cut(strings.TrimSpace(part), ";")
		if strings.EqualFold(strings.TrimSpace(coding), "gzip") {
			weight = strings.ReplaceAll(weight, " ", "")
			return weight != "q=0" && weight != "q=0.0" && weight != "q=0.00" && weight != "q=0.000"
		}
	}
	return false
}

const unknownType = "application/octet-stream"

// typeOf does not depend on what the machine has in /etc/mime.types for the kinds of file that a build holds. A name
// without one of these endings is no file but a page of the UI.
func typeOf(name string) string {
	switch path.Ext(name) {
	case ".html":
		return "text/html; charset=utf-8"
	case ".js", ".mjs":
		return "text/javascript; charset=utf-8"
	case ".css":
		return "text/css; charset=utf-8"
	case ".svg":
		return "image/svg+xml"
	case ".png":
		return "image/png"
	case ".ico":
		return "image/x-icon"
	case ".json", ".map":
		return "application/json"
	case ".txt":
		return "text/plain; charset=utf-8"
	case ".woff2":
		return "font/woff2"
	default:
		return unknownType
	}
}
