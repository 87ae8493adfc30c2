package authorize

import (
	"bufio"
	"bytes"
	"context"
	"encoding/csv"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"runtime"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"golang.org/x/text/encoding/simplifiedchinese"
	"golang.org/x/text/encoding/unicode"

	"github.com/wxsteward/wxsteward/internal/live"
	"github.com/wxsteward/wxsteward/internal/spreadsheet"
)

// upload sends a file as a browser does.
func (e *env) upload(query string, file io.Reader) (int, map[string]any) {
	e.t.Helper()
	e.api(http.MethodGet, "/session", nil)
	req, err := http.NewRequestWithContext(context.Background(), http.MethodPost, e.url+"/api/v1/authorizers/imports"+query, file)
	require.NoError(e.t, err)
	req.Header.Set("Content-Type", "text/csv")
	req.Header.Set("X-CSRF-Token", e.csrf)
	req.Header.Set("Accept-Language", "en")
	resp, err := e.signedIn.Do(req)
	require.NoError(e.t, err)
	defer resp.Body.Close() //nolint:errcheck // a test
	out := map[string]any{}
	require.NoError(e.t, json.NewDecoder(resp.Body).Decode(&out))
	return resp.StatusCode, out
}

// imported uploads a file and waits until it is worked off.
func (e *env) imported(query, file string) map[string]any {
	e.t.Helper()
	status, started := e.upload(query, strings.NewReader(file))
	require.Equal(e.t, http.StatusAccepted, status, started)
	var got map[string]any
	e.until("the import is over", func() bool {
		_, got = e.api(http.MethodGet, "/authorizers/imports/"+started["id"].(string), nil)
		return got["state"] != "running"
	})
	require.Equal(e.t, "completed", got["state"])
	return got
}

func (e *env) exported(query string) (string, [][]string) {
	e.t.Helper()
	e.api(http.MethodGet, "/session", nil)
	req, err := http.NewRequestWithContext(context.Background(), http.MethodGet, e.url+"/api/v1/authorizers/"+query, nil)
	require.NoError(e.t, err)
	resp, err := e.signedIn.Do(req)
	require.NoError(e.t, err)
	defer resp.Body.Close() //nolint:errcheck // a test
	text, err := io.ReadAll(resp.Body)
	require.NoError(e.t, err)
	require.Equal(e.t, http.StatusOK, resp.StatusCode, string(text))
	require.Equal(e.t, "text/csv; charset=utf-8", resp.Header.Get("Content-Type"))
	require.True(e.t, bytes.HasPrefix(text, []byte(spreadsheet.BOM)))
	rows, err := csv.NewReader(bytes.NewReader(text[3:])).ReadAll()
	require.NoError(e.t, err)
	return string(text), rows
}

//nolint:tparallel // its parts build on each other
func TestImport(t *testing.T) {
	t.Parallel()
	e := newEnv(t)
	_, err := e.pool.Exec(t.Context(), `INSERT INTO authorizer (appid, kind, status) SELECT 'wxcsv' || n, 'miniprogram', 'authorized' FROM generate_series(1, 9) n`)
	require.NoError(t, err)
	const file = "appid,biz_id,labels,ext\n" +
		"wxcsv1,shop-1,vip;华东,\"{\"\"shop\"\":{\"\"id\"\":9007199254740993}}\"\n" +
		"wxcsv2,shop-2;shop-2b,,\n"

	t.Run("a dry run tells and changes nothing", func(t *testing.T) {
		got := e.imported("?dry_run=true&name=商户.csv", file)
		require.EqualValues(t, 2, got["changed"])
		require.Equal(t, "商户.csv", got["name"])
		require.Equal(t, 0, e.count(`SELECT count(*) FROM authorizer_biz_id`))
		require.Equal(t, 0, e.count(`SELECT count(*) FROM authorizer_label`))
	})
	t.Run("twice is once", func(t *testing.T) {
		got := e.imported("", file)
		require.EqualValues(t, 2, got["changed"])
		a, err := e.Get(t.Context(), "wxcsv1")
		require.NoError(t, err)
		require.Equal(t, []string{"shop-1"}, a.BizIDs)
		require.Equal(t, []string{"vip", "华东"}, a.Labels)
		require.Contains(t, string(a.Ext), "9007199254740993")
		got = e.imported("", file)
		require.EqualValues(t, 0, got["changed"])
		require.EqualValues(t, 2, got["unchanged"])
		require.Equal(t, 0, e.count(`SELECT count(*) FROM authorizer_import_part`), "the file is not kept")
	})
	t.Run("values are added, or replace", func(t *testing.T) {
		e.imported("", "appid,biz_id,labels\nwxcsv1,shop-9,north\n")
		a, _ := e.Get(t.Context(), "wxcsv1")
		require.Equal(t, []string{"shop-1", "shop-9"}, a.BizIDs)
		require.Equal(t, []string{"vip", "华东", "north"}, a.Labels)
		e.imported("?mode=replace", "labels,appid,biz_id\nsouth;vip,wxcsv1,\n")
		a, _ = e.Get(t.Context(), "wxcsv1")
		require.Equal(t, []string{"shop-1", "shop-9"}, a.BizIDs, "an empty cell changes nothing")
		require.Equal(t, []string{"vip", "south"}, a.Labels)
	})
	t.Run("encodings", func(t *testing.T) {
		text := "appid,labels\nwxcsv3,火锅😀\n"
		encode := func(enc interface{ String(string) (string, error) }, text string) string {
			out, err := enc.String(text)
			require.NoError(t, err)
			return out
		}
		for encoding, file := range map[string]string{
			"utf-8":                     text,
			"utf-8 with mark":           spreadsheet.BOM + text,
			"gb18030":                   encode(simplifiedchinese.GB18030.NewEncoder(), text),
			"gb18030 of ascii for long": encode(simplifiedchinese.GBK.NewEncoder(), "appid,labels,x\n"+strings.Repeat("wxcsv4,,"+strings.Repeat("a", 1000)+"\n", 600)+"wxcsv3,火锅,\n"),
			"utf-16 of excel":           encode(unicode.UTF16(unicode.LittleEndian, unicode.UseBOM).NewEncoder(), strings.ReplaceAll(text, ",", "\t")),
		} {
			_, err := e.pool.Exec(t.Context(), `DELETE FROM authorizer_label WHERE appid = 'wxcsv3'`)
			require.NoError(t, err)
			got := e.imported("", file)
			require.EqualValues(t, 0, got["failed"], "%s: %v", encoding, got["errors"])
			name, _, _ := strings.Cut(encoding, " ")
			require.Equal(t, name, got["encoding"], encoding)
			a, _ := e.Get(t.Context(), "wxcsv3")
			require.Len(t, a.Labels, 1, encoding)
			require.True(t, strings.HasPrefix(a.Labels[0], "火锅"), encoding)
		}
	})
	t.Run("each wrong row is told by its line", func(t *testing.T) {
		file := "AppID, biz_id ,labels,ext,comment\r\n" + // 1
			"wxcsv5,ok,,,\r\n" + // 2
			"wx-never-seen,b,,,\r\n" + // 3
			"wxcsv5,b\r\n" + // 4: cells missing
			"wxcsv5,b,\"two\r\nlines\",,\r\n" + // 5, 6
			"wxcsv5,a \"quote\" inside,,,\r\n" + // 7
			"wx csv,b,,,\r\n" + // 8
			"\r\n" + // 9: empty
			"wxcsv5,,,[1],\r\n" + // 10
			"wxcsv5," + strings.Repeat("x", 129) + ",,,\r\n" + // 11
			"wxcsv6,ok,,\"{\"\"a\"\":1}\",\r\n" + // 12
			"wxcsv5,b,x\x01y,,\r\n" // 13
		got := e.imported("", file)
		lines := map[float64]string{}
		for _, item := range got["errors"].([]any) {
			problem := item.(map[string]any)
			lines[problem["line"].(float64)] = problem["message"].(string)
		}
		require.EqualValues(t, 10, got["rows"])
		require.EqualValues(t, 2, got["changed"])
		require.EqualValues(t, 8, got["failed"])
		require.Equal(t, []any{"comment"}, got["ignored_columns"])
		for line, text := range map[float64]string{3: "no such merchant", 4: "fewer cells", 5: "1 to 64 characters", 7: "not CSV", 8: "appid", 10: "JSON object", 11: "128", 13: "1 to 64 characters"} {
			require.Contains(t, lines[line], text, "line %v of %v", line, lines)
		}
		require.Len(t, lines, 8)
		_, page := e.api(http.MethodGet, "/authorizers/imports/"+got["id"].(string)+"/errors?limit=5", nil)
		require.Len(t, page["items"], 5)
		_, page = e.api(http.MethodGet, "/authorizers/imports/"+got["id"].(string)+"/errors?limit=5&cursor="+page["next_cursor"].(string), nil)
		require.Len(t, page["items"], 3)

		// The rows left out, mended, are a file again.
		_, rows := e.exported("imports/" + got["id"].(string) + "/failed-rows")
		require.Equal(t, []string{"AppID", " biz_id ", "labels", "ext", "comment", "error"}, rows[0])
		require.Len(t, rows, 8, "the one that is not CSV cannot be given back")
		require.Equal(t, "wx-never-seen", rows[1][0])
		require.Contains(t, rows[1][5], "没有这个商户")
	})
	t.Run("a quotation mark that is never closed", func(t *testing.T) {
		got := e.imported("", "appid,biz_id\nwxcsv7,\"open\nwxcsv8,lost\n")
		require.EqualValues(t, 1, got["failed"])
		require.EqualValues(t, 2, got["errors"].([]any)[0].(map[string]any)["line"])
	})
	t.Run("files that cannot be", func(t *testing.T) {
		for name, file := range map[string]string{
			"empty": "", "without appid": "biz_id,labels\na,b\n", "with nothing to import": "appid,name\nwx1,x\n", "with a column twice": "appid,ext,appid\n",
			"a quote in the header": "appid,\"biz\n", "not a table": "\x00\x01\x02",
		} {
			status, problem := e.upload("", strings.NewReader(file))
			require.Equal(t, http.StatusUnprocessableEntity, status, "%s: %v", name, problem)
			require.NotEmpty(t, problem["detail"])
		}
		status, _ := e.upload("", io.MultiReader(strings.NewReader("appid,biz_id\n"), io.LimitReader(zeros{}, maxImportBytes)))
		require.Equal(t, http.StatusRequestEntityTooLarge, status)
		require.Equal(t, 0, e.count(`SELECT count(*) FROM authorizer_import WHERE state = 'receiving'`))
		require.Equal(t, 0, e.count(`SELECT count(*) FROM authorizer_import_part`))
		status, _ = e.api(http.MethodGet, "/authorizers/imports/nosuch", nil)
		require.Equal(t, http.StatusNotFound, status)
	})
	t.Run("the latest are listed", func(t *testing.T) {
		_, list := e.api(http.MethodGet, "/authorizers/imports", nil)
		require.Greater(t, len(list["items"].([]any)), 5)
	})
}

type zeros struct{}

func (zeros) Read(p []byte) (int, error) {
	for i := range p {
		p[i] = '0'
	}
	return len(p), nil
}

// TestExport: what goes out is no formula, and comes in again as it was.
func TestExport(t *testing.T) {
	t.Parallel()
	e := newEnv(t)
	_, err := e.pool.Exec(t.Context(), `INSERT INTO authorizer (appid, kind, status, nick_name, ext) VALUES
		('wxout1', 'miniprogram', 'authorized', '=HYPERLINK("http://evil")', '{"a": "=1"}'), ('wxout2', 'official', 'authorized', '😀"引号", 逗号', '{}'), ('wxout3', 'miniprogram', 'unauthorized', '''=x', '{}');
		INSERT INTO authorizer_label (appid, label) VALUES ('wxout1', '+vip'), ('wxout1', 'a;b'), ('wxout2', '-x'), ('wxout3', '[a]');
		INSERT INTO authorizer_biz_id (appid, biz_id) VALUES ('wxout1', '@SUM(A1)'), ('wxout2', '''=x')`)
	require.NoError(t, err)
	text, rows := e.exported("export")
	require.Equal(t, []string{"appid", "biz_id", "labels", "ext"}, rows[0][:4])
	require.Len(t, rows, 4)
	for _, row := range rows[1:] {
		for _, cell := range row {
			require.Equal(t, cell, spreadsheet.Protect(spreadsheet.Unprotect(cell)), "a formula: %s", cell)
		}
	}
	require.Contains(t, text, `'=HYPERLINK`)
	for _, wipe := range []string{`DELETE FROM authorizer_label`, `DELETE FROM authorizer_biz_id`, `UPDATE authorizer SET ext = '{}'`} {
		_, err := e.pool.Exec(t.Context(), wipe)
		require.NoError(t, err)
	}
	got := e.imported("?mode=replace", text)
	require.EqualValues(t, 3, got["changed"], got)
	again, _ := e.exported("export")
	require.Equal(t, text, again)
	_, rows = e.exported("export?kind=official&q=" + "%F0%9F%98%80")
	require.Len(t, rows, 2)
	require.Equal(t, "😀\"引号\", 逗号", rows[1][6])
	_, rows = e.exported("export?q=%00")
	require.Len(t, rows, 1)
	_, err = e.pool.Exec(t.Context(), `INSERT INTO authorizer (appid, status) SELECT 'wxmany' || n, 'authorized' FROM generate_series(1, 1300) n`)
	require.NoError(t, err)
	_, rows = e.exported("export")
	require.Len(t, rows, 1304, "over several pages")
}

// TestImportGoesOnAfterACrash: each row is worked off once whatever happens between, and progress is told live.
func TestImportGoesOnAfterACrash(t *testing.T) {
	t.Parallel()
	e := newEnv(t, idle(true))
	const n = 3000
	_, err := e.pool.Exec(t.Context(), `INSERT INTO authorizer (appid, status) SELECT 'wxcrash' || n, 'authorized' FROM generate_series(1, $1::int) n`, n)
	require.NoError(t, err)
	var file strings.Builder
	file.WriteString("appid,biz_id\n")
	for i := range n {
		fmt.Fprintf(&file, "wxcrash%d,shop-%d\n", i+1, i)
	}
	events, cancel := e.hub.Subscribe()
	defer cancel()
	started, err := e.StartImport(t.Context(), NewImport{By: "admin"}, strings.NewReader(file.String()))
	require.NoError(t, err)
	ctx, die := context.WithCancel(t.Context())
	i, err := findImport(ctx, e.pool, started.ID)
	require.NoError(t, err)
	parts := &partReader{ctx: ctx, db: e.pool, id: i.ID}
	f, err := openCSV(decoded(parts, i.Encoding))
	require.NoError(t, err)
	rows, err := f.chunk(importChunk)
	require.NoError(t, err)
	require.NoError(t, e.importChunk(ctx, &i, rows, false))
	rows, err = f.chunk(importChunk)
	require.NoError(t, err)
	die()
	require.Error(t, e.importChunk(ctx, &i, rows, false), "it dies here")

	require.NoError(t, e.workImport(t.Context(), started.ID, false))
	done, problems, _, err := e.Import(t.Context(), started.ID, 0, 10)
	require.NoError(t, err)
	require.Empty(t, problems)
	require.Equal(t, importCompleted, done.State)
	require.Equal(t, n, done.Rows)
	require.Equal(t, n, done.Changed)
	require.Equal(t, done.Bytes, done.BytesDone)
	require.Equal(t, n, e.count(`SELECT count(*) FROM authorizer_biz_id`))
	told := map[string]bool{}
	for deadline := time.After(10 * time.Second); !told[importCompleted]; {
		select {
		case event := <-events:
			if event.Kind == "import" || event.Kind == live.Resync {
				told[event.State] = true
			}
		case <-deadline:
			t.Fatal("nobody told of the end")
		}
	}
	require.True(t, told[importRunning])
	require.NoError(t, e.workImport(t.Context(), started.ID, false), "nothing is left to do")
}

// TestImportOfManyRows works off IMPORT_ROWS rows (5,000), in memory that does not depend on how many there are.
func TestImportOfManyRows(t *testing.T) {
	t.Parallel()
	e := newEnv(t, idle(true))
	n := 5000
	if given, err := strconv.Atoi(os.Getenv("IMPORT_ROWS")); err == nil {
		n = given
	}
	const together = 10_000 // of a statement that must end in time
	for from := 1; from <= n; from += together {
		_, err := e.pool.Exec(t.Context(), `INSERT INTO authorizer (appid, kind, status)
			SELECT 'wximport' || lpad(n::text, 8, '0'), 'miniprogram', 'authorized' FROM generate_series($1::int, $2::int) n`, from, min(n, from+together-1))
		require.NoError(t, err)
	}
	in, out := io.Pipe()
	go func() {
		w := bufio.NewWriter(out)
		_, _ = w.WriteString("appid,biz_id,labels,ext\n")
		for i := range n {
			appid := fmt.Sprintf("wximport%08d", i+1)
			if i%1000 == 999 {
				appid = "wx-never-seen"
			}
			_, _ = fmt.Fprintf(w, "%s,shop-%d,vip;批次%d,\"{\"\"shop\"\":%d,\"\"city\"\":\"\"成都\"\"}\"\n", appid, i, i%20, i)
		}
		out.CloseWithError(w.Flush())
	}()
	var before, peak runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&before)
	began := time.Now()
	started, err := e.StartImport(t.Context(), NewImport{}, in)
	require.NoError(t, err)
	received := time.Since(began)
	most := uint64(0)
	watch, stop := context.WithCancel(t.Context())
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		for watch.Err() == nil {
			runtime.ReadMemStats(&peak)
			most = max(most, peak.HeapInuse)
			select {
			case <-watch.Done():
			case <-time.After(20 * time.Millisecond):
			}
		}
	}()
	began = time.Now()
	require.NoError(t, e.workImport(t.Context(), started.ID, false))
	stop()
	<-ended
	i, _, _, err := e.Import(t.Context(), started.ID, 0, 1)
	require.NoError(t, err)
	t.Logf("%d rows, %d bytes: received in %s, worked off in %s, heap in use %d MiB before, %d MiB at most", n, i.Bytes, received.Round(time.Millisecond),
		time.Since(began).Round(time.Millisecond), before.HeapInuse>>20, most>>20)
	require.Equal(t, n, i.Rows)
	require.Equal(t, n/1000, i.Failed)
	require.Equal(t, n-n/1000, i.Changed)
	_, _, total, err := e.List(t.Context(), Filter{Label: "vip", Limit: 1})
	require.NoError(t, err)
	require.EqualValues(t, n-n/1000, total)
}

func TestSniffer(t *testing.T) {
	t.Parallel()
	gbk, err := simplifiedchinese.GBK.NewEncoder().String("商户")
	require.NoError(t, err)
	for text, want := range map[string]string{
		"": encodingUTF8, "a": encodingUTF8, "商户😀": encodingUTF8, gbk: encodingGB18030, "商户"[:4]: encodingGB18030, "\xff\xfea\x00": encodingUTF16, "\xfe\xff\x00a": encodingUTF16,
		spreadsheet.BOM + "商": encodingUTF8, spreadsheet.BOM + "\xff": encodingUTF8,
	} {
		for size := 1; size <= len(text)+1; size++ { // however it comes in pieces
			var s sniffer
			for rest := []byte(text); len(rest) > 0; rest = rest[min(size, len(rest)):] {
				s.look(rest[:min(size, len(rest))])
			}
			require.Equal(t, want, s.encoding(), "%q by %d", text, size)
		}
	}
}

// FuzzCSV: whatever a file holds, reading it ends, and rows that are taken are fit to be stored.
func FuzzCSV(f *testing.F) {
	f.Add([]byte("appid,biz_id,labels,ext\nwx1,a;b,\"[\"\"x\"\"]\",{}\n"))
	f.Add([]byte("\xef\xbb\xbfappid;labels\r\n'=wx1;\"a\nb\"\r\n"))
	f.Add([]byte("\xff\xfea\x00p\x00"))
	f.Add([]byte("appid,ext\nwx1,\"{\n"))
	f.Fuzz(func(t *testing.T, data []byte) {
		var s sniffer
		s.look(data)
		file, err := openCSV(decoded(bytes.NewReader(data), s.encoding()))
		if err != nil {
			return
		}
		for range len(data) + 2 {
			row, err := file.next()
			if errors.Is(err, io.EOF) {
				return
			}
			if err != nil {
				return
			}
			if row.wrong.word != "" {
				continue
			}
			if !plausibleAppID(row.appid) || row.ext != nil && !plausibleExt(row.ext) {
				t.Fatalf("%+v", row)
			}
			for _, v := range append(row.bizIDs, row.labels...) {
				if !storable(v) || v == "" {
					t.Fatalf("%+v", row)
				}
			}
			if got := splitCell(joinCell(row.labels)); len(got) != len(row.labels) {
				t.Fatalf("%q came back as %q", row.labels, got)
			}
		}
		t.Fatal("no end")
	})
}
