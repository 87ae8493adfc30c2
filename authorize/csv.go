package authorize

import (
	"bufio"
	"bytes"
	"encoding/csv"
	"encoding/json"
	"errors"
	"io"
	"slices"
	"strings"
	"unicode/utf8"

	"golang.org/x/text/encoding/simplifiedchinese"
	"golang.org/x/text/encoding/unicode"

	"github.com/wxsteward/wxsteward/internal/fault"
	"github.com/wxsteward/wxsteward/internal/httpserver"
)

// Encodings of a CSV file. GB18030 includes GBK, which is what Excel writes in China.
const (
	encodingUTF8    = "utf-8"
	encodingUTF16   = "utf-16"
	encodingGB18030 = "gb18030"
)

// sniffer finds out about the encoding of bytes that pass by.
type sniffer struct {
	begin []byte // at most three bytes
	tail  []byte // an incomplete character at the end of what has passed
	wrong bool   // not UTF-8
}

func (s *sniffer) look(data []byte) {
	if len(s.begin) < 3 {
		s.begin = append(s.begin, data[:min(len(data), 3-len(s.begin))]...)
	}
	if s.wrong {
		return
	}
	text := append(s.tail, data...) //nolint:gocritic // the tail is used up
	cut := len(text)
	for i := 1; i < utf8.UTFMax && i <= len(text); i++ {
		if utf8.RuneStart(text[len(text)-i]) {
			if !utf8.FullRune(text[len(text)-i:]) {
				cut = len(text) - i
			}
			break
		}
	}
	s.wrong = !utf8.Valid(text[:cut])
	s.tail = slices.Clone(text[cut:])
}

func (s *sniffer) encoding() string {
	switch {
	case bytes.HasPrefix(s.begin, []byte("\xff\xfe")) || bytes.HasPrefix(s.begin, []byte("\xfe\xff")):
		return encodingUTF16
	case s.wrong && !bytes.HasPrefix(s.begin, []byte(httpserver.ByteOrderMark)) || len(s.tail) > 0:
		return encodingGB18030
	}
	return encodingUTF8
}

// decoded reads bytes of an encoding as UTF-8 without a byte order mark.
func decoded(r io.Reader, encoding string) *bufio.Reader {
	switch encoding {
	case encodingUTF16:
		r = unicode.UTF16(unicode.LittleEndian, unicode.ExpectBOM).NewDecoder().Reader(r)
	case encodingGB18030:
		r = simplifiedchinese.GB18030.NewDecoder().Reader(r)
	}
	text := bufio.NewReaderSize(r, 64<<10)
	if begin, _ := text.Peek(len(httpserver.ByteOrderMark)); string(begin) == httpserver.ByteOrderMark {
		_, _ = text.Discard(len(httpserver.ByteOrderMark))
	}
	return text
}

// csvFile reads the rows of a file whose first line names the columns.
type csvFile struct {
	r       *csv.Reader
	header  []string
	appid   int // columns; -1: there is none
	bizID   int
	labels  int
	ext     int
	ignored []string
}

// openCSV reads the header. It fails with fault.Validation when a column is missing.
func openCSV(text *bufio.Reader) (*csvFile, error) {
	f := &csvFile{r: csv.NewReader(text), appid: -1, bizID: -1, labels: -1, ext: -1}
	f.r.Comma, f.r.FieldsPerRecord = separator(text), -1
	header, err := f.r.Read()
	if errors.Is(err, io.EOF) {
		return nil, fault.Invalid("body", "The file is empty. Its first line names the columns, e.g. appid,biz_id,labels,ext.", nil)
	}
	if _, ok := errors.AsType[*csv.ParseError](err); ok {
		return nil, fault.Invalid("body", "The first line of the file is not CSV: a quotation mark stands where it may not, or is not closed.", nil)
	}
	if err != nil {
		return nil, err
	}
	for i, name := range header {
		at := map[string]*int{"appid": &f.appid, "biz_id": &f.bizID, "labels": &f.labels, "ext": &f.ext}[strings.ToLower(strings.TrimSpace(name))]
		switch {
		case at == nil:
			f.ignored = append(f.ignored, name)
		case *at >= 0:
			return nil, fault.Invalid("body", "The column %s is there twice.", nil, name)
		default:
			*at = i
		}
	}
	f.header = header
	if f.appid < 0 {
		return nil, fault.Invalid("body", "The column appid is missing. The first line names the columns, e.g. appid,biz_id,labels,ext.", nil)
	}
	if f.bizID < 0 && f.labels < 0 && f.ext < 0 {
		return nil, fault.Invalid("body", "There is nothing to import: none of the columns biz_id, labels and ext is there.", nil)
	}
	return f, nil
}

// separator looks which one the first line has: spreadsheets write semicolons or tabs in some settings.
func separator(text *bufio.Reader) rune {
	begin, _ := text.Peek(4096)
	line, _, _ := bytes.Cut(begin, []byte("\n"))
	for _, sep := range []rune{',', ';', '\t'} {
		if bytes.ContainsRune(line, sep) {
			return sep
		}
	}
	return ','
}

// csvRow is one row as far as it could be read; empty lists and a nil ext mean that the cell is empty.
type csvRow struct {
	line   int
	record []string // nil where it is not CSV
	appid  string
	bizIDs []string
	labels []string
	ext    json.RawMessage
	wrong  rowError
}

// rowError is why a row is left out: a word and what fills its sentence. The zero rowError is none.
type rowError struct{ word, arg string }

// Words of rowError.
const (
	rowUnknown  = "unknown_merchant"
	rowAppID    = "appid"
	rowColumns  = "columns"
	rowQuote    = "quote"
	rowEncoding = "encoding"
	rowBizID    = "biz_id"
	rowBizIDs   = "biz_ids"
	rowLabel    = "label"
	rowLabels   = "labels"
	rowExt      = "ext"
)

// String is the form kept in the database.
func (e rowError) String() string { return e.word + "\t" + e.arg }

func parseRowError(text string) rowError {
	word, arg, _ := strings.Cut(text, "\t")
	return rowError{word, arg}
}

// Say tells it in a language.
func (e rowError) Say(lang string) string {
	switch e.word {
	case rowUnknown:
		return fault.Say(lang, "There is no such merchant; it may never have authorized.")
	case rowAppID:
		return fault.Say(lang, "The appid is missing, or has spaces or control characters.")
	case rowColumns:
		return fault.Say(lang, "The row has fewer cells than the first line.")
	case rowQuote:
		return fault.Say(lang, "This is not CSV: a cell with quotation marks in it stands in quotation marks, and those in it are doubled. One that is never closed swallows all rows after it.")
	case rowEncoding:
		return fault.Say(lang, "The row has characters that are neither UTF-8 nor GB18030. Save the file as CSV UTF-8.")
	case rowBizID:
		return fault.Say(lang, "A biz id has 1 to 128 characters, without control characters: %s", e.arg)
	case rowBizIDs:
		return fault.Say(lang, "A merchant has at most %d biz ids.", maxBizIDs)
	case rowLabel:
		return fault.Say(lang, "A label has 1 to %d characters.", maxLabel)
	case rowLabels:
		return fault.Say(lang, "A merchant has at most %d labels.", maxLabels)
	case rowExt:
		return fault.Say(lang, `ext is a JSON object of at most 64 KiB, e.g. {"shop":"1"}.`)
	}
	return e.word
}

// next reads a row; io.EOF after the last. A row that is not CSV is a row with an error.
func (f *csvFile) next() (csvRow, error) {
	record, err := f.r.Read()
	if bad, ok := errors.AsType[*csv.ParseError](err); ok {
		return csvRow{line: bad.StartLine, wrong: rowError{word: rowQuote}}, nil
	}
	if err != nil {
		return csvRow{}, err
	}
	row := csvRow{record: record}
	row.line, _ = f.r.FieldPos(0)
	if slices.ContainsFunc(record, func(cell string) bool { return !storable(cell) || strings.ContainsRune(cell, utf8.RuneError) }) {
		row.wrong.word, row.record = rowEncoding, nil
		return row, nil
	}
	if len(record) < len(f.header) {
		row.wrong.word = rowColumns
		return row, nil
	}
	row.read(f)
	return row, nil
}

func (row *csvRow) read(f *csvFile) {
	cell := func(at int) string {
		if at < 0 {
			return ""
		}
		return strings.TrimSpace(unprotect(row.record[at]))
	}
	if row.appid = cell(f.appid); !plausibleAppID(row.appid) {
		row.wrong.word = rowAppID
		return
	}
	row.bizIDs, row.labels = splitCell(cell(f.bizID)), splitCell(cell(f.labels))
	for _, id := range row.bizIDs {
		if checkBizID("", id) != nil {
			row.wrong = rowError{rowBizID, truncate(id)}
			return
		}
	}
	for i, label := range row.labels {
		trimmed, ok := plausibleLabel(label)
		if !ok {
			row.wrong.word = rowLabel
			return
		}
		row.labels[i] = trimmed
	}
	if text := cell(f.ext); text != "" {
		if row.ext = json.RawMessage(text); !plausibleExt(row.ext) {
			row.wrong.word = rowExt
		}
	}
}

func truncate(text string) string {
	runes := []rune(strings.Map(func(r rune) rune {
		if r < ' ' {
			return ' '
		}
		return r
	}, text))
	if len(runes) > 40 {
		return string(runes[:40]) + "…"
	}
	return string(runes)
}

// splitCell takes a cell with several values apart: a JSON list, or values between semicolons.
func splitCell(cell string) []string {
	if strings.HasPrefix(cell, "[") {
		var list []string
		if json.Unmarshal([]byte(cell), &list) == nil {
			return unique(list)
		}
	}
	var list []string
	for part := range strings.FieldsFuncSeq(cell, func(r rune) bool { return r == ';' || r == '；' }) {
		if part = strings.TrimSpace(part); part != "" {
			list = append(list, part)
		}
	}
	return unique(list)
}

// joinCell is what splitCell takes apart again.
func joinCell(list []string) string {
	plain := len(list) == 0 || !strings.HasPrefix(list[0], "[")
	for _, v := range list {
		plain = plain && v != "" && !strings.ContainsAny(v, ";；") && strings.TrimSpace(v) == v
	}
	if plain {
		return strings.Join(list, ";")
	}
	text, _ := json.Marshal(list) // strings
	return string(text)
}

// unprotect gives back what httpserver.ProtectCell was given.
func unprotect(cell string) string {
	if rest, ok := strings.CutPrefix(cell, "'"); ok && httpserver.ProtectCell(rest) == cell {
		return rest
	}
	return cell
}
