// Package webui is the admin web UI: the React project in this folder, its build embedded into the binary, and the
// handler that serves it under /admin/.
package webui

import (
	"embed"
	"io/fs"
)

// dist holds what `make build` makes of the React project. A placeholder keeps it there, so that `go build` works
// without Node; the program then shows a page that says what to run.
//
//go:embed all:dist
var dist embed.FS

// Built reports whether the binary carries the UI.
func Built() bool {
	_, err := fs.Stat(dist, "dist/index.html")
	return err == nil
}
