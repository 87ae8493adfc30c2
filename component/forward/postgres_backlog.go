package forward

import (
	"context"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/wxsteward/wxsteward/component"
	"github.com/wxsteward/wxsteward/internal/postgres"
)

// steadily runs one statement whose plan must not depend on how large its tables were when it was made.
func steadily(ctx context.Context, db postgres.DB, scan func(rows pgx.Rows) error, q string, args ...any) error {
	return pgx.BeginFunc(ctx, db, func(tx pgx.Tx) error {
		batch := &pgx.Batch{}
		batch.Queue(steadyPlans)
		batch.Queue(q, args...).Query(scan)
		return tx.SendBatch(ctx, batch).Close()
	})
}

// onlyRow scans the only row.
func onlyRow(to ...any) func(rows pgx.Rows) error {
	return func(rows pgx.Rows) error {
		_, err := pgx.CollectExactlyOneRow(rows, func(row pgx.CollectableRow) (struct{}, error) { return struct{}{}, row.Scan(to...) })
		return err
	}
}

// insertBacklog puts messages into the backlogs of rules.
func insertBacklog(ctx context.Context, tx pgx.Tx, messageIDs, ruleIDs []int64, now time.Time) error {
	const q = `INSERT INTO delivery_backlog (rule_id, message_ids, created_at)
		SELECT r, array_agg(m ORDER BY m), $3::timestamptz FROM unnest($1::bigint[], $2::bigint[]) AS d(m, r) GROUP BY r`
	_, err := tx.Exec(ctx, q, messageIDs, ruleIDs, now)
	return err
}

// backlogWithMessages is insertBacklog as a clause of a component.Following: keys of messages, rules and now are its arguments,
// from the first on.
func backlogWithMessages(first int) string {
	return fmt.Sprintf(`INSERT INTO delivery_backlog (rule_id, message_ids, created_at)
		SELECT d.rule_id, array_agg(stored.id ORDER BY stored.id), $%[3]d::timestamptz
		FROM stored JOIN unnest($%[1]d::bytea[], $%[2]d::bigint[]) AS d(dedupe_key, rule_id) USING (dedupe_key) GROUP BY d.rule_id`,
		first, first+1, first+2)
}

// countDueOf counts the deliveries of each rule that could be sent or are being sent, up to limit of each.
func countDueOf(ctx context.Context, db postgres.DB, ruleIDs []int64, now time.Time, limit int) (map[int64]int, error) {
	const q = `SELECT r.id, (SELECT count(*) FROM (
			SELECT FROM delivery WHERE rule_id = r.id AND state = 'pending' AND next_at <= $2 LIMIT $3) d)
		FROM unnest($1::bigint[]) AS r(id)`
	counts := make(map[int64]int, len(ruleIDs))
	err := steadily(ctx, db, func(rows pgx.Rows) error {
		var id int64
		var n int
		_, err := pgx.ForEachRow(rows, []any{&id, &n}, func() error {
			counts[id] = n
			return nil
		})
		return err
	}, q, ruleIDs, now, limit)
	return counts, err
}

// rulesWithBacklog lists those of the rules that have one.
func rulesWithBacklog(ctx context.Context, db postgres.DB, ruleIDs []int64) (found []int64, err error) {
	if len(ruleIDs) == 0 {
		return nil, nil
	}
	const q = `SELECT r.id FROM unnest($1::bigint[]) AS r(id) CROSS JOIN LATERAL (SELECT FROM delivery_backlog WHERE rule_id = r.id LIMIT 1) b`
	err = steadily(ctx, db, func(rows pgx.Rows) (err error) {
		found, err = pgx.CollectRows(rows, pgx.RowTo[int64])
		return err
	}, q, ruleIDs)
	return found, err
}

// backlogStep is how many rows of a backlog one statement looks at.
const backlogStep = 256

// taken is what a step has found of a backlog, and taken from it.
type taken struct{ seen, taken, messages int }

// takeBacklog makes deliveries of the oldest rows of a rule's backlog that are not younger than a time, until there are as many as
// asked for. Rows that others are taking are left to them. The deliveries are due since the messages came. This is not done in the background's
// way: an id that is lost with its row in a crash of the database could be given to another delivery, and receivers would take that
// for a repetition.
func takeBacklog(ctx context.Context, db postgres.DB, ruleID int64, room int, before time.Time) (t taken, err error) {
	const q = `WITH oldest AS MATERIALIZED (
			SELECT id, sum(cardinality(message_ids)) OVER (ORDER BY id) - cardinality(message_ids) AS ahead
			FROM (SELECT id, message_ids, created_at FROM delivery_backlog WHERE rule_id = $1 ORDER BY id LIMIT $4) b WHERE created_at <= $3),
		mine AS MATERIALIZED (
			SELECT id FROM delivery_backlog WHERE id = ANY (ARRAY(SELECT id FROM oldest WHERE ahead < $2)) FOR UPDATE SKIP LOCKED),
		taken AS (DELETE FROM delivery_backlog WHERE id = ANY (ARRAY(SELECT id FROM mine)) RETURNING rule_id, message_ids, created_at),
		made AS (INSERT INTO delivery (message_id, rule_id, next_at, created_at)
			SELECT m, rule_id, created_at, created_at FROM taken CROSS JOIN LATERAL unnest(message_ids) AS u(m)
			ON CONFLICT (message_id, rule_id) DO NOTHING)
		SELECT (SELECT count(*) FROM oldest), count(*), coalesce(sum(cardinality(message_ids)), 0) FROM taken`
	err = steadily(ctx, db, onlyRow(&t.seen, &t.taken, &t.messages), q, ruleID, room, before, backlogStep)
	return t, err
}

// inBacklog is a condition: the backlog row b holds a message that has no delivery of its rule yet. It goes by an index.
func inBacklog(message string) string {
	return `int8range(b.message_ids[1], b.message_ids[cardinality(b.message_ids)], '[]') @> ` + message + ` AND ` + message + ` = ANY (b.message_ids)
		AND NOT EXISTS (SELECT FROM delivery WHERE message_id = ` + message + ` AND rule_id = b.rule_id)`
}

func deliveriesOf(ctx context.Context, db postgres.DB, messageIDs []int64) (map[int64][]component.DeliverySummary, error) {
	q := `SELECT message_id, id, rule_id, state FROM delivery WHERE message_id = ANY ($1)
		UNION ALL SELECT m.id, NULL, b.rule_id, 'pending' FROM unnest($1::bigint[]) AS m(id) JOIN delivery_backlog b ON ` + inBacklog("m.id") + `
		ORDER BY 2 NULLS LAST, 3`
	all := map[int64][]component.DeliverySummary{}
	err := steadily(ctx, db, func(rows pgx.Rows) error {
		var messageID, ruleID int64
		var id *int64
		var state string
		_, err := pgx.ForEachRow(rows, []any{&messageID, &id, &ruleID, &state}, func() error {
			d := component.DeliverySummary{RuleID: formatID(ruleID), State: state}
			if id != nil {
				d.ID = formatID(*id)
			}
			all[messageID] = append(all[messageID], d)
			return nil
		})
		return err
	}, q, messageIDs)
	return all, err
}
