package webui

import (
	"io/fs"
	"mime"
	"net/http"
	"path"
	"strings"

	"github.com/labstack/echo/v4"
)

const prefix = "/admin/"

const notBuilt = `<!doctype html><meta charset="utf-8"><title>wxsteward</title>
<p>This program was built without its admin UI. Run <code>make build</code> and start <code>bin/wxsteward</code>.
<p>这个程序没有带上管理界面。请运行 <code>make build</code>，再启动 <code>bin/wxsteward</code>。
`

// Register serves the UI under /admin/ and leads / there. Files with a hash in their name may be kept for ever, the
// page itself is asked for anew each time. Every path without a file is a page of the application.
func Register(e *echo.Echo) error {
	files, err := fs.Sub(dist, "dist")
	if err != nil {
		return err
	}
	index, err := fs.ReadFile(files, "index.html")
	if err != nil {
		index = []byte(notBuilt)
	}
	home := func(c echo.Context) error { return c.Redirect(http.StatusFound, prefix) }
	e.GET("/", home)
	e.GET("/admin", home)
	e.GET(prefix+"*", func(c echo.Context) error {
		name := path.Clean(c.Param("*"))
		if body, err := fs.ReadFile(files, name); err == nil && name != "index.html" && !strings.HasPrefix(path.Base(name), ".") {
			if strings.HasPrefix(name, "assets/") {
				c.Response().Header().Set("Cache-Control", "public, max-age=31536000, immutable")
			}
			kind := mime.TypeByExtension(path.Ext(name))
			if kind == "" {
				kind = http.DetectContentType(body)
			}
			return c.Blob(http.StatusOK, kind, body)
		}
		if strings.HasPrefix(name, "assets/") {
			return echo.ErrNotFound
		}
		c.Response().Header().Set("Cache-Control", "no-cache")
		return c.HTMLBlob(http.StatusOK, index)
	})
	return nil
}
