package authorize

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/wxsteward/wxsteward/internal/fault"
	"github.com/wxsteward/wxsteward/internal/live"
)

// States of an import.
const (
	importReceiving = "receiving"
	importRunning   = "running"
	importCompleted = "completed"
	importFailed    = "failed"
)

const (
	// maxImportBytes is room for 100,000 merchants with some ext each.
	maxImportBytes = 32 << 20
	importPart     = 256 << 10
	// importChunk rows are worked off in one transaction.
	importChunk = 500
	// maxImportErrors are kept of an import; those beyond are counted.
	maxImportErrors = 10000
	importSay       = 500 * time.Millisecond // between two live events
	importAbandoned = time.Hour              // since an upload began that never came to its end
	importListed    = 50
)

// Import is a CSV file on its way into the directory.
type Import struct {
	ID       string
	State    string // receiving, running, completed, failed
	Name     string // of the file, as the user calls it
	DryRun   bool   // only tells what would happen
	Replaces bool   // biz ids and labels replace the present ones, else they are added
	Encoding string

	Bytes, BytesDone                 int64
	Rows, Changed, Unchanged, Failed int

	Ignored    []string // columns nobody knows
	CreatedBy  string
	CreatedAt  time.Time
	FinishedAt *time.Time

	header []string
}

// ImportError is a row that was left out, and why.
type ImportError struct {
	Line  int
	AppID string
	err   rowError
}

// Say tells why; lang is "en", else Chinese.
func (e ImportError) Say(lang string) string { return e.err.Say(lang) }

// NewImport says how a file is to be imported.
type NewImport struct {
	Name             string
	DryRun, Replaces bool
	By               string
}

// StartImport takes a CSV file down, piece by piece, and has it worked off in the background. Its first line names the columns:
// appid, and any of biz_id, labels and ext; an empty cell changes nothing. The same file twice changes nothing the second time.
// It fails with fault.Validation when the file cannot be what it should be, and with fault.TooLarge over 32 MiB.
func (s *Service) StartImport(ctx context.Context, n NewImport, file io.Reader) (Import, error) {
	i := Import{
		ID: strings.ToLower(rand.Text()), State: importReceiving, Name: truncate(strings.ToValidUTF8(n.Name, "")), DryRun: n.DryRun, Replaces: n.Replaces,
		CreatedBy: n.By, CreatedAt: s.Now(),
	}
	if err := insertImport(ctx, s.db, i); err != nil {
		return Import{}, fmt.Errorf("begin import: %w", err)
	}
	err := s.receiveImport(ctx, &i, file)
	if err != nil {
		dropCtx, cancel := context.WithTimeout(context.WithoutCancel(ctx), saveTimeout)
		defer cancel()
		if dropErr := deleteImport(dropCtx, s.db, i.ID); dropErr != nil { // the sweep will
			s.Logger.WarnContext(ctx, "refused import not removed", "import_id", i.ID, "error", dropErr)
		}
		return Import{}, fmt.Errorf("receive import: %w", err)
	}
	return i, nil
}

func (s *Service) receiveImport(ctx context.Context, i *Import, file io.Reader) error {
	var kind sniffer
	part := make([]byte, importPart)
	for seq := 0; ; seq++ {
		n, err := io.ReadFull(file, part)
		kind.look(part[:n])
		if i.Bytes += int64(n); i.Bytes > maxImportBytes {
			return fault.New(fault.TooLarge, "The file has more than %d MiB. Divide it.", maxImportBytes>>20)
		}
		if n > 0 {
			if err := insertImportPart(ctx, s.db, i.ID, seq, part[:n]); err != nil {
				return err
			}
		}
		if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
			break
		}
		if err != nil {
			return err
		}
	}
	i.Encoding = kind.encoding()
	f, err := openCSV(decoded(&partReader{ctx: ctx, db: s.db, id: i.ID}, i.Encoding))
	if err != nil {
		return err
	}
	i.State, i.header, i.Ignored = importRunning, slices.Clone(f.header), f.ignored
	return s.inTx(ctx, func(tx pgx.Tx) error {
		if err := beginImport(ctx, tx, *i); err != nil {
			return err
		}
		if err := publishImport(ctx, tx, *i); err != nil {
			return err
		}
		return s.enqueueImport(ctx, tx, i.ID)
	})
}

func publishImport(ctx context.Context, tx pgx.Tx, i Import) error {
	return live.Publish(ctx, tx, live.Event{Kind: "import", ID: i.ID, State: i.State})
}

// Import tells how an import is, with errors of rows after a line (0: from the first), in their order; fault.NotFound if there
// is none with this id. more says that there are further errors.
func (s *Service) Import(ctx context.Context, id string, after, limit int) (i Import, problems []ImportError, more bool, err error) {
	if !plausibleID(id) {
		return Import{}, nil, false, fault.New(fault.NotFound, "")
	}
	i, err = findImport(ctx, s.db, id)
	if errors.Is(err, pgx.ErrNoRows) {
		return Import{}, nil, false, fault.New(fault.NotFound, "")
	}
	if err == nil {
		problems, err = importErrors(ctx, s.db, id, after, limit+1)
	}
	if err != nil {
		return Import{}, nil, false, fmt.Errorf("read import: %w", err)
	}
	if len(problems) > limit {
		return i, problems[:limit], true, nil
	}
	return i, problems, false, nil
}

// Imports lists the latest imports, the newest first.
func (s *Service) Imports(ctx context.Context) ([]Import, error) {
	list, err := listImports(ctx, s.db, importListed)
	if err != nil {
		return nil, fmt.Errorf("list imports: %w", err)
	}
	return list, nil
}

// keepImporting wakes imports that nobody works and drops those that never came in whole.
func (s *Service) keepImporting(ctx context.Context) error {
	running, err := runningImports(ctx, s.db, s.Now().Add(-importAbandoned))
	if err != nil {
		return fmt.Errorf("find imports: %w", err)
	}
	for _, id := range running {
		if err := s.inTx(ctx, func(tx pgx.Tx) error { return s.enqueueImport(ctx, tx, id) }); err != nil {
			return err
		}
	}
	return nil
}

// errImportElsewhere: another process works this import.
var errImportElsewhere = errors.New("the import is worked elsewhere")

// workImport works an import off, from where the last process has come to. last says that nobody tries again.
func (s *Service) workImport(ctx context.Context, id string, last bool) error {
	got, err := s.locker.Try(ctx, "import "+id, func(ctx context.Context) error {
		i, err := findImport(ctx, s.db, id)
		if err != nil || i.State != importRunning {
			return ignoreNoRows(err)
		}
		if err = s.importRows(ctx, &i); err != nil && last && ctx.Err() == nil {
			i.State = importFailed
			return errors.Join(err, s.endImport(ctx, i))
		}
		return err
	})
	if err == nil && !got {
		return errImportElsewhere
	}
	return err
}

func (s *Service) importRows(ctx context.Context, i *Import) error {
	parts := &partReader{ctx: ctx, db: s.db, id: i.ID}
	f, err := openCSV(decoded(parts, i.Encoding))
	if err != nil {
		return err
	}
	for range i.Rows {
		if _, err := f.next(); err != nil {
			return fmt.Errorf("find the row to go on with: %w", err)
		}
	}
	var said time.Time
	for {
		rows, err := f.chunk(importChunk)
		if err != nil && !errors.Is(err, io.EOF) {
			return fmt.Errorf("read import: %w", err)
		}
		end := err != nil
		i.BytesDone = parts.done
		quiet := time.Since(said) < importSay
		if !quiet {
			said = time.Now()
		}
		if err := s.importChunk(ctx, i, rows, quiet); err != nil {
			return fmt.Errorf("import rows: %w", err)
		}
		if end {
			i.State = importCompleted
			return s.endImport(ctx, *i)
		}
	}
}

// chunk reads up to n rows; io.EOF comes with the last.
func (f *csvFile) chunk(n int) (rows []csvRow, err error) {
	for len(rows) < n {
		row, err := f.next()
		if err != nil {
			return rows, err
		}
		rows = append(rows, row)
	}
	return rows, nil
}

func (s *Service) endImport(ctx context.Context, i Import) error {
	return s.inTx(ctx, func(tx pgx.Tx) error {
		if err := endImport(ctx, tx, i.ID, i.State, s.Now()); err != nil {
			return err
		}
		return publishImport(ctx, tx, i)
	})
}

// merchantData is what an import may change of a merchant.
type merchantData struct {
	BizIDs, Labels []string
	Ext            json.RawMessage
}

// importChunk applies rows and notes how far the import has come, in one transaction.
func (s *Service) importChunk(ctx context.Context, i *Import, rows []csvRow, quiet bool) error {
	next := *i
	err := s.inTx(ctx, func(tx pgx.Tx) error {
		next = *i
		var appids []string
		for _, row := range rows {
			if row.wrong.word == "" {
				appids = append(appids, row.appid)
			}
		}
		before, err := lockMerchantData(ctx, tx, appids, !i.DryRun)
		if err != nil {
			return err
		}
		after := map[string]merchantData{}
		for n := range rows {
			rows[n].apply(i.Replaces, before, after, &next)
		}
		if !i.DryRun {
			if err := s.writeMerchantData(ctx, tx, before, after, i.CreatedBy); err != nil {
				return err
			}
		}
		if err := saveImport(ctx, tx, next, rows, maxImportErrors-i.Failed); err != nil || quiet {
			return err
		}
		return publishImport(ctx, tx, next)
	})
	if err == nil {
		*i = next
	}
	return err
}

// apply works a row into after, where the merchants stand that change.
func (row *csvRow) apply(replaces bool, before, after map[string]merchantData, i *Import) {
	i.Rows++
	now, changed := after[row.appid]
	if !changed {
		var known bool
		if now, known = before[row.appid]; !known && row.wrong.word == "" {
			row.wrong.word = rowUnknown
		}
	}
	if row.wrong.word == "" {
		wanted := now
		wanted.BizIDs, wanted.Labels = merged(now.BizIDs, row.bizIDs, replaces), merged(now.Labels, row.labels, replaces)
		if row.ext != nil && !sameJSON(now.Ext, row.ext) {
			wanted.Ext = row.ext
		}
		switch {
		case len(wanted.BizIDs) > maxBizIDs:
			row.wrong.word = rowBizIDs
		case len(wanted.Labels) > maxLabels:
			row.wrong.word = rowLabels
		case slices.Equal(wanted.BizIDs, now.BizIDs) && slices.Equal(wanted.Labels, now.Labels) && bytes.Equal(wanted.Ext, now.Ext):
			i.Unchanged++
		default:
			after[row.appid] = wanted
			i.Changed++
		}
	}
	if row.wrong.word != "" {
		i.Failed++
	}
}

// merged is what a cell makes of a list; an empty cell leaves it as it is.
func merged(has, cell []string, replaces bool) []string {
	switch {
	case len(cell) == 0:
		return has
	case !replaces:
		return unique(append(slices.Clone(has), cell...))
	case len(has) == len(cell) && !slices.ContainsFunc(cell, func(v string) bool { return !slices.Contains(has, v) }):
		return has // another order is no difference
	}
	return cell
}

// sameJSON compares two texts by what they mean; numbers to their last digit.
func sameJSON(a, b json.RawMessage) bool {
	normal := func(text json.RawMessage) []byte {
		d := json.NewDecoder(bytes.NewReader(text))
		d.UseNumber()
		var v any
		if d.Decode(&v) != nil {
			return nil
		}
		out, err := json.Marshal(v)
		if err != nil {
			return nil
		}
		return out
	}
	return bytes.Equal(normal(a), normal(b))
}

func (s *Service) writeMerchantData(ctx context.Context, tx pgx.Tx, before, after map[string]merchantData, by string) error {
	if len(after) == 0 {
		return nil
	}
	var w merchantWrites
	var told []past
	for appid, now := range after {
		w.add(appid, before[appid], now)
		told = append(told, dataChanges(appid, before[appid], now)...)
	}
	slices.Sort(w.appids)
	now := s.Now()
	if err := insertPast(ctx, tx, told, by, now); err != nil {
		return err
	}
	if err := w.write(ctx, tx, now); err != nil {
		return err
	}
	return s.touchMany(ctx, tx, w.appids, now)
}
