// Package webui is the admin web UI: a React application, built by Vite into dist and embedded into the program.
package webui

import "embed"

// dist holds at least a placeholder, so that the program builds without Node.
//
//go:embed all:dist
var dist embed.FS //nolint:gochecknoglobals // embedding needs a variable
