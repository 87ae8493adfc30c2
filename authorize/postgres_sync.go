package authorize

import (
	"context"
	"errors"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/wxsteward/wxsteward/internal/postgres"
)

const syncColumns = `id, state, done, total, failed, added, recovered, withdrawn, error, started_by, started_at, listed_at, finished_at`

func scanSync(row pgx.Row) (Sync, error) {
	var run Sync
	var problem string
	err := row.Scan(&run.ID, &run.State, &run.Done, &run.Total, &run.Failed, &run.Added, &run.Recovered, &run.Withdrawn, &problem,
		&run.StartedBy, &run.StartedAt, &run.ListedAt, &run.FinishedAt)
	run.problem = parseTrouble(problem)
	return run, err
}

func findSync(ctx context.Context, db postgres.DB, id string) (Sync, error) {
	return scanSync(db.QueryRow(ctx, `SELECT `+syncColumns+` FROM authorizer_sync WHERE id = $1`, id))
}

func listSyncs(ctx context.Context, db postgres.DB, limit int) ([]Sync, error) {
	rows, err := db.Query(ctx, `SELECT `+syncColumns+` FROM authorizer_sync ORDER BY started_at DESC LIMIT $1`, limit)
	if err != nil {
		return nil, err
	}
	return pgx.CollectRows(rows, func(row pgx.CollectableRow) (Sync, error) { return scanSync(row) })
}

// lastSync is the latest one; before the first it has no id, and the time since when there are merchants, if there are any.
func lastSync(ctx context.Context, db postgres.DB) (Sync, error) {
	run, err := scanSync(db.QueryRow(ctx, `SELECT `+syncColumns+` FROM authorizer_sync ORDER BY started_at DESC LIMIT 1`))
	if !errors.Is(err, pgx.ErrNoRows) {
		return run, err
	}
	err = db.QueryRow(ctx, `SELECT created_at FROM authorizer ORDER BY created_at, appid DESC LIMIT 1`).Scan(&run.StartedAt)
	return run, ignoreNoRows(err)
}

// startSync returns the one that is running, if there is one.
func startSync(ctx context.Context, tx pgx.Tx, id, by string, now time.Time) (Sync, error) {
	const q = `INSERT INTO authorizer_sync (id, started_by, started_at) VALUES ($1, $2, $3)
		ON CONFLICT (state) WHERE state = 'running' DO UPDATE SET state = 'running' RETURNING ` + syncColumns
	return scanSync(tx.QueryRow(ctx, q, id, by, now))
}

func clearSyncItems(ctx context.Context, db postgres.DB, id string) error {
	_, err := db.Exec(ctx, `DELETE FROM authorizer_sync_item WHERE sync_id = $1`, id)
	return err
}

func insertSyncItems(ctx context.Context, tx pgx.Tx, id string, appids, prints []string) error {
	const q = `INSERT INTO authorizer_sync_item (sync_id, appid, refresh) SELECT $1, * FROM unnest($2::text[], $3::text[]) ON CONFLICT DO NOTHING`
	_, err := tx.Exec(ctx, q, id, appids, prints)
	return err
}

// finishSyncList notes that all merchants are listed, and adds those on record that are not.
func finishSyncList(ctx context.Context, db postgres.DB, id string, now time.Time) (total int, err error) {
	const q = `WITH absent AS (INSERT INTO authorizer_sync_item (sync_id, appid, listed) SELECT $1, appid, false FROM authorizer a
			WHERE status = 'authorized' AND NOT EXISTS (SELECT FROM authorizer_sync_item i WHERE i.sync_id = $1 AND i.appid = a.appid))
		UPDATE authorizer_sync SET listed_at = $2, total = (SELECT count(*) FROM authorizer_sync_item WHERE sync_id = $1 AND listed)
		WHERE id = $1 RETURNING total`
	err = db.QueryRow(ctx, q, id, now).Scan(&total)
	return total, err
}

func pendingSyncItems(ctx context.Context, db postgres.DB, id string, limit int) ([]syncItem, error) {
	const q = `SELECT appid, listed, refresh FROM authorizer_sync_item WHERE sync_id = $1 AND state = 'pending' ORDER BY appid LIMIT $2`
	rows, err := db.Query(ctx, q, id, limit)
	if err != nil {
		return nil, err
	}
	return pgx.CollectRows(rows, pgx.RowToStructByPos[syncItem])
}

// settleSyncItems notes what became of items, and counts them.
func settleSyncItems(ctx context.Context, tx pgx.Tx, id string, results []syncResult) error {
	appids, problems := make([]string, len(results)), make([]string, len(results))
	for i, r := range results {
		appids[i] = r.item.AppID
		if r.err != nil {
			problems[i] = troubleOf(r.err).String()
		}
	}
	const q = `WITH settled AS (UPDATE authorizer_sync_item i SET state = CASE WHEN r.error = '' THEN 'done' ELSE 'failed' END, error = r.error
			FROM unnest($2::text[], $3::text[]) AS r (appid, error)
			WHERE i.sync_id = $1 AND i.appid = r.appid AND i.state = 'pending' RETURNING i.state, i.listed)
		UPDATE authorizer_sync SET done = done + (SELECT count(*) FROM settled WHERE listed),
			failed = failed + (SELECT count(*) FROM settled WHERE state = 'failed') WHERE id = $1`
	_, err := tx.Exec(ctx, q, id, appids, problems)
	return err
}

// countSync adds to what a synchronization has done; a total of 0 leaves that as it is.
func countSync(ctx context.Context, tx pgx.Tx, id string, total, added, recovered, withdrawn int) error {
	const q = `UPDATE authorizer_sync SET total = CASE WHEN $2 > 0 THEN $2 ELSE total END, added = added + $3, recovered = recovered + $4,
		withdrawn = withdrawn + $5 WHERE id = $1`
	_, err := tx.Exec(ctx, q, id, total, added, recovered, withdrawn)
	return err
}

// endSync ends a synchronization; only its failures are kept of the items.
func endSync(ctx context.Context, tx pgx.Tx, id, state string, problem trouble, now time.Time) error {
	const q = `UPDATE authorizer_sync SET state = $2, error = $3, finished_at = $4 WHERE id = $1 AND state = 'running'`
	if _, err := tx.Exec(ctx, q, id, state, problem.String(), now); err != nil {
		return err
	}
	_, err := tx.Exec(ctx, `DELETE FROM authorizer_sync_item WHERE sync_id = $1 AND state <> 'failed'`, id)
	return err
}

func syncFailures(ctx context.Context, db postgres.DB, id string, limit int) ([]SyncFailure, error) {
	const q = `SELECT appid, error FROM authorizer_sync_item WHERE sync_id = $1 AND state = 'failed' ORDER BY appid LIMIT $2`
	rows, err := db.Query(ctx, q, id, limit)
	if err != nil {
		return nil, err
	}
	return pgx.CollectRows(rows, func(row pgx.CollectableRow) (SyncFailure, error) {
		var f SyncFailure
		var problem string
		err := row.Scan(&f.AppID, &problem)
		f.trouble = parseTrouble(problem)
		return f, err
	})
}

// cleanRuns drops synchronizations and imports that ended before a time.
func cleanRuns(ctx context.Context, db postgres.DB, before time.Time) error {
	if _, err := db.Exec(ctx, `DELETE FROM authorizer_sync WHERE finished_at < $1`, before); err != nil {
		return err
	}
	_, err := db.Exec(ctx, `DELETE FROM authorizer_import WHERE created_at < $1 AND state <> 'running'`, before)
	return err
}

// lockStandings locks those of appids that are on record, in the one order everybody takes.
func lockStandings(ctx context.Context, tx pgx.Tx, appids []string) (map[string]standing, error) {
	rows, err := tx.Query(ctx, `SELECT appid, `+standingColumns+` FROM authorizer WHERE appid = ANY($1) ORDER BY appid FOR NO KEY UPDATE`, appids)
	if err != nil {
		return nil, err
	}
	known := map[string]standing{}
	var appid string
	var a standing
	_, err = pgx.ForEachRow(rows, []any{&appid, &a.Status, &a.AuthorizedAt, &a.UnauthorizedAt, &a.ReauthAt, &a.UpdatedAt}, func() error {
		known[appid] = a
		return nil
	})
	return known, err
}

// adoptAuthorizer records a standing authorization without touching what is known of the merchant.
func adoptAuthorizer(ctx context.Context, tx pgx.Tx, appid string, at, now time.Time) error {
	const q = `INSERT INTO authorizer AS a (appid, status, authorized_at, created_at, updated_at) VALUES ($1, 'authorized', $2, $3, $3)
		ON CONFLICT (appid) DO UPDATE SET status = 'authorized', unauthorized_at = NULL, reauth_at = NULL,
			authorized_at = greatest(a.authorized_at, excluded.authorized_at), updated_at = excluded.updated_at`
	_, err := tx.Exec(ctx, q, appid, at, now)
	return err
}
