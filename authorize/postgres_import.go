package authorize

import (
	"context"
	"errors"
	"io"
	"slices"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/wxsteward/wxsteward/internal/postgres"
)

const importColumns = `id, state, name, dry_run, replaces, encoding, bytes, bytes_done, rows, changed, unchanged, failed, header, ignored,
	created_by, created_at, finished_at`

func scanImport(row pgx.Row) (Import, error) {
	var i Import
	err := row.Scan(&i.ID, &i.State, &i.Name, &i.DryRun, &i.Replaces, &i.Encoding, &i.Bytes, &i.BytesDone, &i.Rows, &i.Changed, &i.Unchanged, &i.Failed,
		&i.header, &i.Ignored, &i.CreatedBy, &i.CreatedAt, &i.FinishedAt)
	return i, err
}

func insertImport(ctx context.Context, db postgres.DB, i Import) error {
	const q = `INSERT INTO authorizer_import (id, name, dry_run, replaces, created_by, created_at) VALUES ($1, $2, $3, $4, $5, $6)`
	_, err := db.Exec(ctx, q, i.ID, i.Name, i.DryRun, i.Replaces, i.CreatedBy, i.CreatedAt)
	return err
}

func insertImportPart(ctx context.Context, db postgres.DB, id string, seq int, data []byte) error {
	_, err := db.Exec(ctx, `INSERT INTO authorizer_import_part (import_id, seq, data) VALUES ($1, $2, $3)`, id, seq, data)
	return err
}

func deleteImport(ctx context.Context, db postgres.DB, id string) error {
	_, err := db.Exec(ctx, `DELETE FROM authorizer_import WHERE id = $1`, id)
	return err
}

// beginImport notes that the file is there.
func beginImport(ctx context.Context, tx pgx.Tx, i Import) error {
	const q = `UPDATE authorizer_import SET state = $2, encoding = $3, bytes = $4, header = $5, ignored = coalesce($6::text[], '{}') WHERE id = $1`
	_, err := tx.Exec(ctx, q, i.ID, i.State, i.Encoding, i.Bytes, i.header, i.Ignored)
	return err
}

func findImport(ctx context.Context, db postgres.DB, id string) (Import, error) {
	return scanImport(db.QueryRow(ctx, `SELECT `+importColumns+` FROM authorizer_import WHERE id = $1 AND state <> 'receiving'`, id))
}

func listImports(ctx context.Context, db postgres.DB, limit int) ([]Import, error) {
	rows, err := db.Query(ctx, `SELECT `+importColumns+` FROM authorizer_import WHERE state <> 'receiving' ORDER BY created_at DESC, id LIMIT $1`, limit)
	if err != nil {
		return nil, err
	}
	return pgx.CollectRows(rows, func(row pgx.CollectableRow) (Import, error) { return scanImport(row) })
}

// runningImports lists those that are worked, or should be, and drops uploads that began before a time.
func runningImports(ctx context.Context, db postgres.DB, abandoned time.Time) ([]string, error) {
	if _, err := db.Exec(ctx, `DELETE FROM authorizer_import WHERE state = 'receiving' AND created_at < $1`, abandoned); err != nil {
		return nil, err
	}
	rows, err := db.Query(ctx, `SELECT id FROM authorizer_import WHERE state = 'running'`)
	if err != nil {
		return nil, err
	}
	return pgx.CollectRows(rows, pgx.RowTo[string])
}

func importErrors(ctx context.Context, db postgres.DB, id string, after, limit int) ([]ImportError, error) {
	const q = `SELECT line, appid, error FROM authorizer_import_error WHERE import_id = $1 AND line > $2 ORDER BY line LIMIT $3`
	rows, err := db.Query(ctx, q, id, after, limit)
	if err != nil {
		return nil, err
	}
	return pgx.CollectRows(rows, func(row pgx.CollectableRow) (ImportError, error) {
		var e ImportError
		var kept string
		err := row.Scan(&e.Line, &e.AppID, &kept)
		e.err = parseRowError(kept)
		return e, err
	})
}

// failedRow is a row that was left out, as it was.
type failedRow struct {
	line   int
	record []string
	err    rowError
}

func failedRows(ctx context.Context, db postgres.DB, id string, after, limit int) ([]failedRow, error) {
	const q = `SELECT line, record, error FROM authorizer_import_error WHERE import_id = $1 AND line > $2 AND record IS NOT NULL ORDER BY line LIMIT $3`
	rows, err := db.Query(ctx, q, id, after, limit)
	if err != nil {
		return nil, err
	}
	return pgx.CollectRows(rows, func(row pgx.CollectableRow) (failedRow, error) {
		var f failedRow
		var kept string
		err := row.Scan(&f.line, &f.record, &kept)
		f.err = parseRowError(kept)
		return f, err
	})
}

// saveImport notes how far an import has come, and at most room errors of these rows.
func saveImport(ctx context.Context, tx pgx.Tx, i Import, rows []csvRow, room int) error {
	const q = `UPDATE authorizer_import SET bytes_done = $2, rows = $3, changed = $4, unchanged = $5, failed = $6 WHERE id = $1`
	if _, err := tx.Exec(ctx, q, i.ID, i.BytesDone, i.Rows, i.Changed, i.Unchanged, i.Failed); err != nil {
		return err
	}
	var batch pgx.Batch
	for _, row := range rows {
		if row.wrong.word == "" || batch.Len() >= room {
			continue
		}
		appid := row.appid
		if !plausibleAppID(appid) {
			appid = ""
		}
		batch.Queue(`INSERT INTO authorizer_import_error (import_id, line, appid, error, record) VALUES ($1, $2, $3, $4, $5) ON CONFLICT DO NOTHING`,
			i.ID, row.line, appid, row.wrong.String(), row.record)
	}
	if batch.Len() == 0 {
		return nil
	}
	return tx.SendBatch(ctx, &batch).Close()
}

// endImport drops the file.
func endImport(ctx context.Context, tx pgx.Tx, id, state string, now time.Time) error {
	const q = `UPDATE authorizer_import SET state = $2, bytes_done = CASE WHEN $2 = 'completed' THEN bytes ELSE bytes_done END, finished_at = $3 WHERE id = $1`
	if _, err := tx.Exec(ctx, q, id, state, now); err != nil {
		return err
	}
	_, err := tx.Exec(ctx, `DELETE FROM authorizer_import_part WHERE import_id = $1`, id)
	return err
}

// partReader reads a file that was taken down, one part in memory at a time.
type partReader struct {
	ctx  context.Context //nolint:containedctx // io.Reader has none; the reader lives for one call
	db   postgres.DB
	id   string
	seq  int
	left []byte
	done int64
}

// Read implements io.Reader.
func (r *partReader) Read(p []byte) (int, error) {
	if len(r.left) == 0 {
		err := r.db.QueryRow(r.ctx, `SELECT data FROM authorizer_import_part WHERE import_id = $1 AND seq = $2`, r.id, r.seq).Scan(&r.left)
		if errors.Is(err, pgx.ErrNoRows) {
			return 0, io.EOF
		}
		if err != nil {
			return 0, err
		}
		r.seq++
	}
	n := copy(p, r.left)
	r.left = r.left[n:]
	r.done += int64(n)
	return n, nil
}

// lockMerchantData reads what an import may change of those of appids that are on record; lock keeps others from changing it.
func lockMerchantData(ctx context.Context, tx pgx.Tx, appids []string, lock bool) (map[string]merchantData, error) {
	if lock {
		if _, err := tx.Exec(ctx, `SELECT FROM authorizer WHERE appid = ANY($1) ORDER BY appid FOR NO KEY UPDATE`, appids); err != nil {
			return nil, err
		}
	}
	const q = `SELECT a.appid, a.ext, coalesce((SELECT array_agg(b.biz_id ORDER BY b.seq) FROM authorizer_biz_id b WHERE b.appid = a.appid), '{}'),
		coalesce((SELECT array_agg(l.label ORDER BY l.seq) FROM authorizer_label l WHERE l.appid = a.appid), '{}')
		FROM authorizer a WHERE a.appid = ANY($1)`
	rows, err := tx.Query(ctx, q, appids)
	if err != nil {
		return nil, err
	}
	found := map[string]merchantData{}
	var appid string
	var ext []byte
	var m merchantData
	_, err = pgx.ForEachRow(rows, []any{&appid, &ext, &m.BizIDs, &m.Labels}, func() error {
		m.Ext = slices.Clone(ext)
		found[appid] = m
		return nil
	})
	return found, err
}

// pairs are values of merchants, for unnest.
type pairs struct{ appids, values []string }

func (p *pairs) add(appid string, values ...string) {
	for _, v := range values {
		p.appids, p.values = append(p.appids, appid), append(p.values, v)
	}
}

// merchantWrites are the changes of many merchants in few statements.
type merchantWrites struct {
	appids                                    []string
	dropBiz, newBiz, dropLabel, newLabel, ext pairs
}

func (w *merchantWrites) add(appid string, before, after merchantData) {
	w.appids = append(w.appids, appid)
	for _, list := range []struct {
		before, after []string
		drop, add     *pairs
	}{{before.BizIDs, after.BizIDs, &w.dropBiz, &w.newBiz}, {before.Labels, after.Labels, &w.dropLabel, &w.newLabel}} {
		for _, v := range list.before {
			if !slices.Contains(list.after, v) {
				list.drop.add(appid, v)
			}
		}
		for _, v := range list.after {
			if !slices.Contains(list.before, v) {
				list.add.add(appid, v)
			}
		}
	}
	if !slices.Equal(before.Ext, after.Ext) {
		w.ext.add(appid, string(after.Ext))
	}
}

func (w *merchantWrites) write(ctx context.Context, tx pgx.Tx, now time.Time) error {
	for _, step := range []struct {
		p    pairs
		q    string
		more []any
	}{
		{p: w.dropBiz, q: `DELETE FROM authorizer_biz_id b USING unnest($1::text[], $2::text[]) AS d (appid, value) WHERE b.appid = d.appid AND b.biz_id = d.value`},
		{p: w.newBiz, q: `INSERT INTO authorizer_biz_id (appid, biz_id, bound_at) SELECT appid, value, $3 FROM unnest($1::text[], $2::text[]) WITH ORDINALITY
			AS n (appid, value, seq) ORDER BY seq ON CONFLICT DO NOTHING`, more: []any{now}},
		{p: w.dropLabel, q: `DELETE FROM authorizer_label l USING unnest($1::text[], $2::text[]) AS d (appid, value) WHERE l.appid = d.appid AND l.label = d.value`},
		{p: w.newLabel, q: `INSERT INTO authorizer_label (appid, label) SELECT appid, value FROM unnest($1::text[], $2::text[]) WITH ORDINALITY
			AS n (appid, value, seq) ORDER BY seq ON CONFLICT DO NOTHING`},
		{p: w.ext, q: `UPDATE authorizer a SET ext = n.value::jsonb FROM unnest($1::text[], $2::text[]) AS n (appid, value) WHERE a.appid = n.appid`},
	} {
		if len(step.p.appids) == 0 {
			continue
		}
		if _, err := tx.Exec(ctx, step.q, append([]any{step.p.appids, step.p.values}, step.more...)...); err != nil {
			return err
		}
	}
	return nil
}
