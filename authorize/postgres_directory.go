package authorize

import (
	"context"
	"fmt"
	"strconv"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/wxsteward/wxsteward/internal/postgres"
)

// The directory: pages come from an index in their order, totals from authorizer_tally.

// fromIndexes has the statements of one batch planned for the values at hand and keeps them from reading the whole table.
const fromIndexes = `SELECT set_config('enable_seqscan', 'off', true), set_config('max_parallel_workers_per_gather', '0', true),
	set_config('random_page_cost', '1.1', true), set_config('plan_cache_mode', 'force_custom_plan', true), set_config('jit', 'off', true)`

// tally is how many merchants a filter finds as far as that is kept, and how many changes of the directory there have been.
type tally struct{ changes, total int64 }

const tallyQuery = `SELECT coalesce(sum(n) FILTER (WHERE dimension = 'change'), 0)::bigint,
		coalesce(sum(n) FILTER (WHERE dimension <> 'change' AND ($3 = '' OR status = $3) AND ($4 = '' OR kind = $4)), 0)::bigint
	FROM authorizer_tally WHERE (dimension, value) IN (('change', ''), ($1::text, $2::text))`

// counted names the cells of authorizer_tally that add up to the filter's total; false if there are none.
func (f Filter) counted() (dimension, value string, ok bool) {
	ok = f.Query == "" && f.BizID == "" && (f.Label == "" || f.FuncScope == 0)
	switch {
	case f.Label != "":
		return "label", f.Label, ok
	case f.FuncScope != 0:
		return "scope", strconv.Itoa(f.FuncScope), ok
	}
	return "all", "", ok
}

// selection is what a filter means in SQL; values are in args only.
type selection struct {
	from, where  string
	appid, since string // the columns of the order
	args         []any
}

func (s *selection) arg(value any) string {
	s.args = append(s.args, value)
	return "$" + strconv.Itoa(len(s.args))
}

func (s *selection) and(condition string) { s.where += ` AND ` + condition }

// selectionBy says what a filter means; grams that the index of names is to be used.
func (f Filter) selectionBy(grams bool) *selection {
	s := &selection{where: `true`, appid: `a.appid`, since: `a.created_at`}
	merchants := `authorizer a`
	if grams && f.Query != "" {
		merchants = merchantsByGrams(s.arg(f.Query))
	}
	s.from = merchants
	onMerchant := f.Status != "" || f.Kind != "" || f.Query != "" || f.FuncScope != 0
	switch {
	case f.BizID != "":
		s.from = `authorizer_biz_id b JOIN ` + merchants + ` USING (appid)`
		s.and(`b.biz_id = ` + s.arg(f.BizID))
		if f.Label != "" {
			s.and(`EXISTS (SELECT FROM authorizer_label l WHERE l.appid = a.appid AND l.label = ` + s.arg(f.Label) + `)`)
		}
	case f.Label != "":
		s.from, s.appid, s.since = `authorizer_label l`, `l.appid`, `l.merchant_at`
		if onMerchant {
			s.from += ` JOIN ` + merchants + ` USING (appid)`
		}
		s.and(`l.label = ` + s.arg(f.Label))
	}
	if f.Status != "" {
		s.and(`a.status = ` + s.arg(f.Status))
	}
	if f.Kind != "" {
		s.and(`a.kind = ` + s.arg(f.Kind))
	}
	if f.FuncScope != 0 {
		s.and(`a.func_scopes @> ARRAY[` + s.arg(f.FuncScope) + `::int]`)
	}
	if f.Query != "" {
		s.and(`a.search LIKE lower(` + s.arg("%"+escapeLike(f.Query)+"%") + `)`)
	}
	return s
}

// merchantsByGrams are those that the index of names finds for a text, which is an argument of the query; they need not have it.
// The fence leaves only the index for this: names must not be taken apart while rows are read.
func merchantsByGrams(text string) string {
	return `(SELECT * FROM authorizer WHERE authorizer_grams(search) @> authorizer_pairs(lower(` + text + `)) OFFSET 0) a`
}

// fewFound merchants are sorted rather than looked for in the order of the list, where they may lie at the end.
const fewFound = 5000

// page is a query for the merchants of one page in order, with one more than f.Limit. total is how many there are on all pages.
func (f Filter) page(total int64) (query string, args []any) {
	s := f.selectionBy(total <= fewFound)
	if !f.After.CreatedAt.IsZero() {
		// Newest first, then by appid: (x, y) < (a, b) does not fit, the directions differ.
		at := s.arg(f.After.CreatedAt)
		s.and(fmt.Sprintf(`%s <= %s AND (%s < %s OR %s > %s)`, s.since, at, s.since, at, s.appid, s.arg(f.After.AppID)))
	}
	q := fmt.Sprintf(`SELECT %s AS appid, %s AS since FROM %s WHERE %s`, s.appid, s.since, s.from, s.where)
	if (f.FuncScope != 0 || f.Query != "") && total <= fewFound { // else the indexes have the order
		q = `WITH found AS MATERIALIZED (` + q + `) SELECT appid, since FROM found ORDER BY since DESC, appid`
	} else {
		q += fmt.Sprintf(` ORDER BY %s DESC, %s`, s.since, s.appid)
	}
	query = fmt.Sprintf(`SELECT %s FROM (%s LIMIT %s) p JOIN authorizer a ON a.appid = p.appid ORDER BY p.since DESC, p.appid`,
		authorizerColumns, q, s.arg(f.Limit+1))
	return query, s.args
}

// readTally is one short query.
func readTally(ctx context.Context, db postgres.DB, f Filter) (t tally, err error) {
	var batch pgx.Batch
	batch.Queue(fromIndexes)
	dimension, value, _ := f.counted()
	batch.Queue(tallyQuery, dimension, value, f.Status, f.Kind).QueryRow(func(row pgx.Row) error { return row.Scan(&t.changes, &t.total) })
	return t, db.SendBatch(ctx, &batch).Close()
}

// listAuthorizers returns one merchant more than f.Limit if there are more.
func listAuthorizers(ctx context.Context, db postgres.DB, f Filter, total int64) ([]Authorizer, error) {
	query, args := f.page(total)
	return queryAuthorizers(ctx, db, query, args...)
}

// findAuthorizers reads merchants in the order of the list.
func findAuthorizers(ctx context.Context, db postgres.DB, appids []string) ([]Authorizer, error) {
	return queryAuthorizers(ctx, db, `SELECT `+authorizerColumns+` FROM authorizer a WHERE a.appid = ANY($1) ORDER BY a.created_at DESC, a.appid`, appids)
}

func queryAuthorizers(ctx context.Context, db postgres.DB, query string, args ...any) (list []Authorizer, err error) {
	var batch pgx.Batch
	batch.Queue(fromIndexes)
	batch.Queue(query, args...).Query(func(rows pgx.Rows) (err error) {
		list, err = pgx.CollectRows(rows, func(row pgx.CollectableRow) (Authorizer, error) { return scanAuthorizer(row) })
		return err
	})
	return list, db.SendBatch(ctx, &batch).Close()
}

// countAuthorizers counts what is not kept in authorizer_tally.
func countAuthorizers(ctx context.Context, db postgres.DB, f Filter) (n int64, err error) {
	grams := false
	if f.Query != "" {
		if grams, err = fewNamed(ctx, db, f.Query); err != nil {
			return 0, err
		}
	}
	query, args := f.count(grams)
	var batch pgx.Batch
	batch.Queue(fromIndexes)
	batch.Queue(query, args...).QueryRow(func(row pgx.Row) error { return row.Scan(&n) })
	return n, db.SendBatch(ctx, &batch).Close()
}

// fewNamed guesses whether the index finds few merchants for a text. For one that many have, looking through names is faster.
func fewNamed(ctx context.Context, db postgres.DB, text string) (bool, error) {
	var plan []struct {
		Plan struct {
			Rows float64 `json:"Plan Rows"`
		}
	}
	const q = `EXPLAIN (FORMAT JSON) SELECT FROM authorizer a WHERE authorizer_grams(a.search) @> authorizer_pairs(lower($1))`
	var batch pgx.Batch
	batch.Queue(fromIndexes)
	batch.Queue(q, text).QueryRow(func(row pgx.Row) error { return row.Scan(&plan) })
	err := db.SendBatch(ctx, &batch).Close()
	return len(plan) == 1 && plan[0].Plan.Rows <= fewFound, err
}

// count is a query for how many merchants there are.
func (f Filter) count(grams bool) (query string, args []any) {
	s := f.selectionBy(grams)
	return `SELECT count(*) FROM ` + s.from + ` WHERE ` + s.where, s.args
}

// tidyTally adds up differences, where there are many.
func tidyTally(ctx context.Context, db postgres.DB) error {
	const q = `WITH gone AS (DELETE FROM authorizer_tally t USING (
				SELECT dimension, value, status, kind FROM authorizer_tally GROUP BY 1, 2, 3, 4 HAVING count(*) > 16) many
			WHERE (t.dimension, t.value, t.status, t.kind) = (many.dimension, many.value, many.status, many.kind) RETURNING t.*)
		INSERT INTO authorizer_tally SELECT dimension, value, status, kind, sum(n) FROM gone GROUP BY 1, 2, 3, 4 HAVING sum(n) <> 0`
	_, err := db.Exec(ctx, q)
	return err
}

// LabelCount is a label and how many merchants have it.
type LabelCount struct {
	Label string
	Count int64
}

// listLabels lists labels in their order after one, at most limit.
func listLabels(ctx context.Context, db postgres.DB, part, after string, limit int) (labels []LabelCount, err error) {
	where := `dimension = 'label' AND value > $1`
	args := []any{after, limit}
	if part != "" {
		where += ` AND value ILIKE $3`
		args = append(args, "%"+escapeLike(part)+"%")
	}
	var batch pgx.Batch
	batch.Queue(fromIndexes)
	batch.Queue(`SELECT value, sum(n)::bigint FROM authorizer_tally WHERE `+where+` GROUP BY value HAVING sum(n) > 0 ORDER BY value LIMIT $2`, args...).
		Query(func(rows pgx.Rows) (err error) {
			labels, err = pgx.CollectRows(rows, pgx.RowToStructByPos[LabelCount])
			return err
		})
	return labels, db.SendBatch(ctx, &batch).Close()
}

// Bulk changes of labels.

// lockAuthorizers locks those of appids that are on record, in the one order everybody takes, and returns their labels.
func lockAuthorizers(ctx context.Context, tx pgx.Tx, appids []string) (labels map[string][]string, err error) {
	if _, err := tx.Exec(ctx, `SELECT FROM authorizer WHERE appid = ANY($1) ORDER BY appid FOR NO KEY UPDATE`, appids); err != nil {
		return nil, err
	}
	const q = `SELECT a.appid, coalesce((SELECT array_agg(l.label ORDER BY l.seq) FROM authorizer_label l WHERE l.appid = a.appid), '{}')
		FROM authorizer a WHERE a.appid = ANY($1)`
	rows, err := tx.Query(ctx, q, appids)
	if err != nil {
		return nil, err
	}
	labels = map[string][]string{}
	var appid string
	var has []string
	_, err = pgx.ForEachRow(rows, []any{&appid, &has}, func() error {
		labels[appid] = has
		return nil
	})
	return labels, err
}

func addLabels(ctx context.Context, tx pgx.Tx, appids, labels []string) error {
	const q = `INSERT INTO authorizer_label (appid, label) SELECT a, l.label FROM unnest($1::text[]) a, unnest($2::text[]) WITH ORDINALITY AS l (label, n)
		ORDER BY a, n ON CONFLICT (appid, label) DO NOTHING`
	_, err := tx.Exec(ctx, q, appids, labels)
	return err
}

func removeLabels(ctx context.Context, tx pgx.Tx, appids, labels []string) error {
	_, err := tx.Exec(ctx, `DELETE FROM authorizer_label WHERE appid = ANY($1) AND label = ANY($2)`, appids, labels)
	return err
}

func touchAuthorizers(ctx context.Context, tx pgx.Tx, appids []string, now time.Time) error {
	_, err := tx.Exec(ctx, `UPDATE authorizer SET updated_at = $2 WHERE appid = ANY($1)`, appids, now)
	return err
}

// selectedAppIDs lists at most limit appids that a filter finds and that come after one, in their order.
func selectedAppIDs(ctx context.Context, db postgres.DB, f Filter, after string, limit int) (appids []string, err error) {
	s := f.selectionBy(false)
	s.and(s.appid + ` > ` + s.arg(after))
	rows, err := db.Query(ctx, fmt.Sprintf(`SELECT %s FROM %s WHERE %s ORDER BY %s LIMIT %s`, s.appid, s.from, s.where, s.appid, s.arg(limit)), s.args...)
	if err != nil {
		return nil, err
	}
	return pgx.CollectRows(rows, pgx.RowTo[string])
}

// Notes.

func insertNote(ctx context.Context, db postgres.DB, appid, text, by string, now time.Time) (n Note, err error) {
	const q = `INSERT INTO authorizer_note (appid, body, created_by, created_at) SELECT appid, $2, $3, $4 FROM authorizer WHERE appid = $1
		RETURNING id, appid, body, created_by, created_at`
	rows, err := db.Query(ctx, q, appid, text, by, now)
	if err != nil {
		return Note{}, err
	}
	return pgx.CollectExactlyOneRow(rows, pgx.RowToStructByPos[Note])
}

func listNotes(ctx context.Context, db postgres.DB, appid string, before int64, limit int) ([]Note, error) {
	const q = `SELECT id, appid, body, created_by, created_at FROM authorizer_note WHERE appid = $1 AND ($2 = 0 OR id < $2) ORDER BY id DESC LIMIT $3`
	rows, err := db.Query(ctx, q, appid, before, limit)
	if err != nil {
		return nil, err
	}
	return pgx.CollectRows(rows, pgx.RowToStructByPos[Note])
}

func deleteNote(ctx context.Context, db postgres.DB, appid string, id int64) (bool, error) {
	tag, err := db.Exec(ctx, `DELETE FROM authorizer_note WHERE appid = $1 AND id = $2`, appid, id)
	return tag.RowsAffected() == 1, err
}
