package spreadsheet

import (
	"encoding/csv"
	"io"
)

// Writer writes rows that spreadsheets read as text.
type Writer struct{ out *csv.Writer }

// NewWriter begins a file.
func NewWriter(w io.Writer, header ...string) (Writer, error) {
	if _, err := io.WriteString(w, BOM); err != nil {
		return Writer{}, err
	}
	out := Writer{csv.NewWriter(w)}
	return out, out.out.Write(header)
}

// Write writes a row; a cell that would be taken for a formula is protected.
func (w Writer) Write(cells ...string) error {
	for i, cell := range cells {
		cells[i] = Protect(cell)
	}
	return w.out.Write(cells)
}

// Flush passes on what was written.
func (w Writer) Flush() error {
	w.out.Flush()
	return w.out.Error()
}
