package authorize

import (
	"context"
	"encoding/csv"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/wxsteward/wxsteward/internal/spreadsheet"
)

// exportPage merchants are in memory at a time.
const exportPage = 500

// csvExport writes merchants as CSV, page by page.
type csvExport struct {
	s    *Service
	f    Filter
	page []Authorizer // read and not written
	end  bool
}

// Export prepares the merchants a filter finds as a CSV file that spreadsheets read and StartImport takes. It fails before
// anything is written if the database is away.
func (s *Service) export(ctx context.Context, f Filter) (*csvExport, error) {
	f.Query, f.Limit, f.After = strings.TrimSpace(f.Query), exportPage, Position{}
	x := &csvExport{s: s, f: f}
	return x, x.read(ctx)
}

func (x *csvExport) read(ctx context.Context) error {
	page, _, err := x.s.page(ctx, x.f)
	if err != nil {
		return fmt.Errorf("export merchants: %w", err)
	}
	if x.end = len(page) <= x.f.Limit; !x.end {
		page = page[:x.f.Limit]
		last := page[len(page)-1]
		x.f.After = Position{last.CreatedAt, last.AppID}
	}
	x.page = page
	return nil
}

// write writes everything; flush is called after each page.
func (x *csvExport) write(ctx context.Context, w io.Writer, flush func() error) error {
	out, err := spreadsheet.NewWriter(w, "appid", "biz_id", "labels", "ext", "status", "kind", "nick_name", "principal_name", "user_name", "authorized_at", "unauthorized_at")
	if err != nil {
		return err
	}
	for {
		for _, a := range x.page {
			if err := out.Write(exportRow(a)...); err != nil {
				return err
			}
		}
		if err := out.Flush(); err != nil {
			return err
		}
		if err := flush(); err != nil || x.end {
			return err
		}
		if err := x.read(ctx); err != nil {
			return err
		}
	}
}

func exportRow(a Authorizer) []string {
	ext := string(a.Ext)
	if ext == "{}" {
		ext = ""
	}
	at := func(t *time.Time) string {
		if t == nil {
			return ""
		}
		return t.UTC().Format(time.RFC3339)
	}
	return []string{
		a.AppID, joinCell(a.BizIDs), joinCell(a.Labels), ext, a.Status, a.Kind, a.NickName, a.PrincipalName, a.UserName, at(a.AuthorizedAt), at(a.UnauthorizedAt),
	}
}

// writeFailed writes the rows an import has left out, to be mended and imported again, with why in a last column.
func (s *Service) writeFailed(ctx context.Context, i Import, lang string, w io.Writer, flush func() error) error {
	if _, err := io.WriteString(w, spreadsheet.BOM); err != nil {
		return err
	}
	out := csv.NewWriter(w)
	if err := out.Write(append(append([]string{}, i.header...), "error")); err != nil {
		return err
	}
	for after := 0; ; {
		rows, err := failedRows(ctx, s.db, i.ID, after, exportPage)
		if err != nil {
			return fmt.Errorf("read rows left out: %w", err)
		}
		for _, row := range rows {
			after = row.line
			cells := append([]string{}, row.record...)
			for len(cells) < len(i.header) {
				cells = append(cells, "")
			}
			for n, cell := range cells {
				if spreadsheet.Unprotect(cell) == cell { // it was not protected when it came
					cells[n] = spreadsheet.Protect(cell)
				}
			}
			if err := out.Write(append(cells, row.err.Say(lang))); err != nil {
				return err
			}
		}
		out.Flush()
		if err := out.Error(); err != nil {
			return err
		}
		if err := flush(); err != nil || len(rows) < exportPage {
			return err
		}
	}
}
