package httpserver

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"time"

	"github.com/danielgtaylor/huma/v2"
	"github.com/danielgtaylor/huma/v2/adapters/humaecho"
)

// pieceWait is how long a piece of a file may take on its way.
const pieceWait = time.Minute

// CSVAnswer describes the answer of an operation that StreamCSV answers.
func CSVAnswer(description string) map[string]*huma.Response {
	return map[string]*huma.Response{"200": {
		Description: description + " UTF-8 with byte order mark. Cells that a spreadsheet would take for a formula begin with an apostrophe.",
		Content:     map[string]*huma.MediaType{"text/csv": {Schema: &huma.Schema{Type: huma.TypeString}}},
	}}
}

// StreamCSV answers with the file that write writes, piece by piece: it calls flush after each. When that fails half way
// the connection is cut, so that nobody takes half a file for a whole one.
func StreamCSV(name string, write func(ctx context.Context, w io.Writer, flush func() error) error) *huma.StreamResponse {
	return &huma.StreamResponse{Body: func(ctx huma.Context) {
		ctx.SetHeader("Content-Type", "text/csv; charset=utf-8")
		ctx.SetHeader("Content-Disposition", fmt.Sprintf(`attachment; filename="%s"`, name))
		ctx.SetStatus(http.StatusOK)
		control := http.NewResponseController(humaecho.Unwrap(ctx).Response())
		flush := func() error {
			_ = control.SetWriteDeadline(time.Now().Add(pieceWait)) // unsupported only in tests without a connection
			return control.Flush()
		}
		if err := write(ctx.Context(), ctx.BodyWriter(), flush); err != nil {
			_ = Problem(ctx.Context(), err) // for the log
			panic(http.ErrAbortHandler)
		}
	}}
}
