package rekey

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"

	"github.com/jackc/pgx/v5"

	"github.com/wxsteward/wxsteward/internal/postgres"
	"github.com/wxsteward/wxsteward/internal/sealed"
)

// batch is how many secrets are sealed anew at a time.
const batch = 500

// sweep seals anew whatever another key has sealed. It waits for nobody's lock, so that it cannot be in anybody's way for long nor
// deadlock; a row that somebody holds is left out, and counted in left. The others are locked until db's transaction ends.
func (w *worker) sweep(ctx context.Context, db postgres.DB) (left int, err error) {
	for _, c := range w.cfg.Columns {
		n, remain, err := w.sweepColumn(ctx, db, c)
		if err != nil {
			return 0, fmt.Errorf("seal %s.%s anew: %w", c.Table, c.Name, err)
		}
		left += remain
		if n > 0 {
			w.cfg.Logger.InfoContext(ctx, "secrets sealed anew", slog.String("table", c.Table), slog.String("column", c.Name), slog.Int("secrets", n))
		}
		w.report.Secrets += n
	}
	return left, nil
}

// row is a secret and where it is.
type row struct {
	key     []string
	purpose string
	box     []byte
}

func (w *worker) sweepColumn(ctx context.Context, db postgres.DB, c sealed.Column) (done, left int, err error) {
	tx, err := db.Begin(ctx) // a cursor lives in a transaction; within another one this is a savepoint
	if err != nil {
		return 0, 0, err
	}
	defer func() { _ = tx.Rollback(context.WithoutCancel(ctx)) }() // after Commit it does nothing
	if _, err := tx.Exec(ctx, `SELECT set_config('statement_timeout', '0', true)`); err != nil {
		return 0, 0, err
	}
	text := make([]string, len(c.Key))
	for i, k := range c.Key {
		text[i] = k[0] + "::text"
	}
	declare := `DECLARE boxes NO SCROLL CURSOR FOR SELECT ARRAY[` + strings.Join(text, ", ") + `], ` + c.Purpose + `, ` + c.Name +
		` FROM ` + c.Table + ` WHERE ` + c.Name + ` IS NOT NULL AND substring(` + c.Name + ` FROM 2 FOR 8) <> '\x` + w.change.ToID + `'::bytea`
	if _, err := tx.Exec(ctx, declare); err != nil {
		return 0, 0, err
	}
	for {
		rows, err := tx.Query(ctx, fmt.Sprintf(`FETCH %d FROM boxes`, batch))
		if err != nil {
			return 0, 0, err
		}
		found, err := pgx.CollectRows(rows, func(r pgx.CollectableRow) (row, error) {
			var x row
			err := r.Scan(&x.key, &x.purpose, &x.box)
			return x, err
		})
		if err != nil {
			return 0, 0, err
		}
		if len(found) == 0 {
			break
		}
		n, err := w.replace(ctx, tx, c, found)
		if err != nil {
			return 0, 0, err
		}
		done, left = done+n, left+len(found)-n
	}
	if _, err := tx.Exec(ctx, `CLOSE boxes`); err != nil {
		return 0, 0, err
	}
	return done, left, tx.Commit(ctx)
}

// replace writes the new boxes of those rows that still hold the old ones.
func (w *worker) replace(ctx context.Context, tx pgx.Tx, c sealed.Column, found []row) (int, error) {
	keys := make([][]string, len(c.Key))
	olds, news := make([][]byte, 0, len(found)), make([][]byte, 0, len(found))
	for _, r := range found {
		box, err := w.change.Keys.Reseal(r.box, r.purpose)
		if errors.Is(err, sealed.ErrWrongKey) {
			return 0, fmt.Errorf("the row %s was sealed with a third key, %s: %w", strings.Join(r.key, " "), sealed.KeyID(r.box), err)
		}
		if err != nil {
			return 0, fmt.Errorf("the row %s: %w", strings.Join(r.key, " "), err)
		}
		for i, k := range r.key {
			keys[i] = append(keys[i], k)
		}
		olds, news = append(olds, r.box), append(news, box)
	}
	args := []any{olds, news}
	arrays, names, same := []string{"$1::bytea[]", "$2::bytea[]"}, []string{"o", "n"}, []string{c.Table + "." + c.Name + " = fresh.o"}
	for i, k := range c.Key {
		args = append(args, keys[i])
		arrays = append(arrays, fmt.Sprintf("$%d::text[]", i+3))
		names = append(names, fmt.Sprintf("k%d", i))
		same = append(same, fmt.Sprintf("%s.%s = fresh.k%d::%s", c.Table, k[0], i, k[1]))
	}
	on := strings.Join(same, " AND ")
	q := `WITH free AS MATERIALIZED (SELECT fresh.* FROM unnest(` + strings.Join(arrays, ", ") + `) AS fresh(` + strings.Join(names, ", ") + `)
			JOIN ` + c.Table + ` ON ` + on + ` FOR UPDATE OF ` + c.Table + ` SKIP LOCKED)
		UPDATE ` + c.Table + ` SET ` + c.Name + ` = free.n FROM free WHERE ` + strings.ReplaceAll(on, "= fresh.", "= free.")
	tag, err := tx.Exec(ctx, q, args...)
	return int(tag.RowsAffected()), err
}
