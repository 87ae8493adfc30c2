package httpserver

import (
	"context"
	"encoding/csv"
	"fmt"
	"io"
	"net/http"
	"strings"
	"time"

	"github.com/danielgtaylor/huma/v2"
	"github.com/danielgtaylor/huma/v2/adapters/humaecho"
)

const (
	// ByteOrderMark begins a CSV file; without it Excel takes Chinese for something else.
	ByteOrderMark = "\xef\xbb\xbf"
	// CSVInjection are characters at the beginning of a cell that make a spreadsheet take it for a formula.
	CSVInjection = "=+-@\t\r＝＋－＠"
	// fileWait is how long a piece of a file may take on its way.
	fileWait = time.Minute
)

// CSVAnswer describes an operation that StreamCSV answers.
func CSVAnswer(description string) map[string]*huma.Response {
	return map[string]*huma.Response{"200": {
		Description: description + " UTF-8 with byte order mark. Cells that a spreadsheet would take for a formula begin with an apostrophe.",
		Content:     map[string]*huma.MediaType{"text/csv": {Schema: &huma.Schema{Type: huma.TypeString}}},
	}}
}

// StreamCSV answers with what write writes. When that fails half way the connection is cut, so that nobody takes half a file
// for a whole one.
func StreamCSV(name string, write func(ctx context.Context, w io.Writer, flush func() error) error) *huma.StreamResponse {
	return &huma.StreamResponse{Body: func(ctx huma.Context) {
		ctx.SetHeader("Content-Type", "text/csv; charset=utf-8")
		ctx.SetHeader("Content-Disposition", fmt.Sprintf(`attachment; filename="%s"`, name))
		ctx.SetStatus(http.StatusOK)
		control := http.NewResponseController(humaecho.Unwrap(ctx).Response())
		flush := func() error {
			_ = control.SetWriteDeadline(time.Now().Add(fileWait)) // unsupported only in tests without a connection
			return control.Flush()
		}
		if err := write(ctx.Context(), ctx.BodyWriter(), flush); err != nil {
			_ = Problem(ctx.Context(), err) // for the log
			panic(http.ErrAbortHandler)
		}
	}}
}

// CSV writes rows that spreadsheets read as text.
type CSV struct{ out *csv.Writer }

// NewCSV begins a file.
func NewCSV(w io.Writer, header ...string) (CSV, error) {
	if _, err := io.WriteString(w, ByteOrderMark); err != nil {
		return CSV{}, err
	}
	c := CSV{csv.NewWriter(w)}
	return c, c.out.Write(header)
}

// Write writes a row.
func (c CSV) Write(cells ...string) error {
	for i, cell := range cells {
		cells[i] = ProtectCell(cell)
	}
	return c.out.Write(cells)
}

// Flush passes on what was written.
func (c CSV) Flush() error {
	c.out.Flush()
	return c.out.Error()
}

// ProtectCell keeps a spreadsheet from taking a cell for a formula.
func ProtectCell(cell string) string {
	if begin := strings.TrimLeft(cell, "'"); begin != "" && strings.ContainsRune(CSVInjection, []rune(begin)[0]) {
		return "'" + cell
	}
	return cell
}
