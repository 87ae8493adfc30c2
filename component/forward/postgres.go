package forward

import (
	"cmp"
	"context"
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/wxsteward/wxsteward/internal/postgres"
)

// The states of a delivery.
const (
	statePending   = "pending"
	stateDelivered = "delivered"
	stateDead      = "dead" // given up
)

// storedRule is a rule with its sealed secrets.
type storedRule struct {
	Rule

	secret, previousSecret []byte
	// Those before the previous one, newest first, and until when each signs.
	olderSecrets [][]byte
	olderUntil   []time.Time
}

const ruleColumns = `id, name, enabled, channel, info_type, msg_type, event, appids, target_url, mode, format, timeout_ms,
	secret, previous_secret, previous_until, failing_since, failures, last_error, paused_at, created_by, created_at, updated_at,
	ARRAY(SELECT o.secret FROM forward_rule_secret o WHERE o.rule_id = forward_rule.id ORDER BY o.until DESC, o.id DESC),
	ARRAY(SELECT o.until FROM forward_rule_secret o WHERE o.rule_id = forward_rule.id ORDER BY o.until DESC, o.id DESC)`

func scanRule(row pgx.CollectableRow) (storedRule, error) {
	var r storedRule
	var timeoutMS int64
	var previousUntil, failingSince, pausedAt *time.Time
	err := row.Scan(&r.ID, &r.Name, &r.Enabled, &r.Channel, &r.InfoType, &r.MsgType, &r.Event, &r.AppIDs, &r.TargetURL, &r.Mode, &r.Format,
		&timeoutMS, &r.secret, &r.previousSecret, &previousUntil, &failingSince, &r.Failures, &r.LastError, &pausedAt,
		&r.CreatedBy, &r.CreatedAt, &r.UpdatedAt, &r.olderSecrets, &r.olderUntil)
	r.Timeout = time.Duration(timeoutMS) * time.Millisecond
	r.PreviousUntil, r.FailingSince, r.PausedAt = timeOf(previousUntil), timeOf(failingSince), timeOf(pausedAt)
	return r, err
}

func timeOf(t *time.Time) time.Time {
	if t == nil {
		return time.Time{}
	}
	return *t
}

func nullTime(t time.Time) *time.Time {
	if t.IsZero() {
		return nil
	}
	return &t
}

func loadRules(ctx context.Context, db postgres.DB) ([]storedRule, error) {
	rows, err := db.Query(ctx, `SELECT `+ruleColumns+` FROM forward_rule WHERE deleted_at IS NULL ORDER BY id`)
	if err != nil {
		return nil, err
	}
	return pgx.CollectRows(rows, scanRule)
}

// readRule fails with pgx.ErrNoRows. In a transaction it keeps the rule from being changed by others until the end.
func readRule(ctx context.Context, tx pgx.Tx, id int64) (storedRule, error) {
	rows, err := tx.Query(ctx, `SELECT `+ruleColumns+` FROM forward_rule WHERE id = $1 AND deleted_at IS NULL FOR UPDATE`, id)
	if err != nil {
		return storedRule{}, err
	}
	return pgx.CollectExactlyOneRow(rows, scanRule)
}

func listRules(ctx context.Context, db postgres.DB, after int64, limit int) (list []storedRule, total int64, err error) {
	rows, err := db.Query(ctx, `SELECT `+ruleColumns+` FROM forward_rule WHERE deleted_at IS NULL AND id > $1 ORDER BY id LIMIT $2`, after, limit)
	if err != nil {
		return nil, 0, err
	}
	if list, err = pgx.CollectRows(rows, scanRule); err != nil {
		return nil, 0, err
	}
	err = db.QueryRow(ctx, `SELECT count(*) FROM forward_rule WHERE deleted_at IS NULL`).Scan(&total)
	return list, total, err
}

func insertRule(ctx context.Context, tx pgx.Tx, r storedRule) (id int64, err error) {
	const q = `INSERT INTO forward_rule (name, enabled, channel, info_type, msg_type, event, appids, target_url, mode, format, timeout_ms,
			secret, created_by, created_at, updated_at)
		VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $14) RETURNING id`
	err = tx.QueryRow(ctx, q, r.Name, r.Enabled, r.Channel, r.InfoType, r.MsgType, r.Event, r.AppIDs, r.TargetURL, r.Mode, r.Format,
		r.Timeout.Milliseconds(), r.secret, r.CreatedBy, r.CreatedAt).Scan(&id)
	return id, err
}

// updateRule writes everything about a rule that readRule has locked.
func updateRule(ctx context.Context, tx pgx.Tx, r storedRule) error {
	const q = `UPDATE forward_rule SET name = $2, enabled = $3, channel = $4, info_type = $5, msg_type = $6, event = $7, appids = $8,
			target_url = $9, mode = $10, format = $11, timeout_ms = $12, secret = $13, previous_secret = $14, previous_until = $15,
			failing_since = $16, failures = $17, last_error = $18, paused_at = $19, updated_at = $20
		WHERE id = $1`
	_, err := tx.Exec(ctx, q, r.ID, r.Name, r.Enabled, r.Channel, r.InfoType, r.MsgType, r.Event, r.AppIDs,
		r.TargetURL, r.Mode, r.Format, r.Timeout.Milliseconds(), r.secret, r.previousSecret, nullTime(r.PreviousUntil),
		nullTime(r.FailingSince), r.Failures, r.LastError, nullTime(r.PausedAt), r.UpdatedAt)
	return err
}

// deleteRule hides the rule; its deliveries are removed later, and then it.
func deleteRule(ctx context.Context, db postgres.DB, id int64, now time.Time) (found bool, err error) {
	const q = `WITH older AS (DELETE FROM forward_rule_secret WHERE rule_id = $1)
		UPDATE forward_rule SET deleted_at = $2, secret = '', previous_secret = NULL WHERE id = $1 AND deleted_at IS NULL`
	tag, err := db.Exec(ctx, q, id, now)
	return tag.RowsAffected() == 1, err
}

// keepSecret has a secret sign beside the previous one until a time, and at most limit of such: the oldest goes.
func keepSecret(ctx context.Context, tx pgx.Tx, ruleID int64, box []byte, until time.Time, limit int) error {
	const add = `INSERT INTO forward_rule_secret (rule_id, secret, until) VALUES ($1, $2, $3)`
	if _, err := tx.Exec(ctx, add, ruleID, box, until); err != nil {
		return err
	}
	const end = `DELETE FROM forward_rule_secret WHERE id IN (
		SELECT id FROM forward_rule_secret WHERE rule_id = $1 ORDER BY until DESC, id DESC OFFSET $2)`
	_, err := tx.Exec(ctx, end, ruleID, limit)
	return err
}

func deleteSecrets(ctx context.Context, db postgres.DB, before time.Time) error {
	_, err := db.Exec(ctx, `DELETE FROM forward_rule_secret WHERE until < $1`, before)
	return err
}

// pausedRule is a rule that has just been paused by itself.
type pausedRule struct {
	ID           int64
	Name         string
	FailingSince time.Time
	LastError    failure
}

// pauseRules pauses the rules whose failures in a row are so many and lie so far apart.
func pauseRules(ctx context.Context, db postgres.DB, now time.Time, span time.Duration, failures int) ([]pausedRule, error) {
	const q = `UPDATE forward_rule SET paused_at = $1
		WHERE enabled AND paused_at IS NULL AND deleted_at IS NULL AND mode = 'deliver'
			AND failed_at - failing_since >= $2 * interval '1 second' AND failures >= $3 RETURNING id, name, failing_since, last_error`
	rows, err := db.Query(ctx, q, now, span.Seconds(), failures)
	if err != nil {
		return nil, err
	}
	return pgx.CollectRows(rows, pgx.RowToStructByPos[pausedRule])
}

func insertDeliveries(ctx context.Context, tx pgx.Tx, messageIDs, ruleIDs []int64, now time.Time) error {
	const q = `INSERT INTO delivery (message_id, rule_id, next_at, created_at)
		SELECT m, r, $3, $3 FROM unnest($1::bigint[], $2::bigint[]) AS d(m, r) ON CONFLICT (message_id, rule_id) DO NOTHING`
	_, err := tx.Exec(ctx, q, messageIDs, ruleIDs, now)
	return err
}

// insertWithMessages is insertDeliveries as a clause of a component.Following: keys of messages, rules and now are its arguments,
// from the first on.
func insertWithMessages(first int) string {
	return fmt.Sprintf(`INSERT INTO delivery (message_id, rule_id, next_at, created_at)
		SELECT stored.id, d.rule_id, $%[3]d, $%[3]d FROM stored JOIN unnest($%[1]d::bytea[], $%[2]d::bigint[]) AS d(dedupe_key, rule_id) USING (dedupe_key)`,
		first, first+1, first+2)
}

func redeliver(ctx context.Context, db postgres.DB, messageID int64, ruleIDs []int64, now time.Time) error {
	const q = `INSERT INTO delivery (message_id, rule_id, next_at, created_at) SELECT $1, r, $3, $3 FROM unnest($2::bigint[]) AS d(r)
		ON CONFLICT (message_id, rule_id) DO UPDATE SET state = 'pending', tries = 0, next_at = excluded.next_at, finished_at = NULL`
	_, err := db.Exec(ctx, q, messageID, ruleIDs, now)
	return err
}

// claimed is a delivery that this process may send until its lease ends.
type claimed struct {
	id, ruleID, messageID int64
	tries                 int
	lease                 time.Time
}

const (
	// steadyPlans makes the plans of a transaction steady: those made while a table was empty must not scan it when it has grown.
	steadyPlans = `SELECT set_config('enable_seqscan', 'off', true), set_config('enable_hashjoin', 'off', true), set_config('enable_mergejoin', 'off', true)`
	// background makes a transaction cheap too. It need not survive a crash of the database: what is lost is only done again.
	background = steadyPlans + `, set_config('synchronous_commit', 'off', true)`
)

// claimDue takes up to room[i] due deliveries of rule ids[i], the longest due first. Those that others have are skipped.
func claimDue(ctx context.Context, db postgres.DB, ids []int64, room []int32, now time.Time, lease time.Duration) ([]claimed, error) {
	const q = `WITH due AS MATERIALIZED (
			SELECT d.id FROM unnest($1::bigint[], $2::int[]) AS r(rule_id, room) CROSS JOIN LATERAL (
				SELECT id FROM delivery
				WHERE rule_id = r.rule_id AND state = 'pending' AND next_at <= $3 AND (lease IS NULL OR lease < clock_timestamp())
				ORDER BY next_at, id LIMIT r.room FOR UPDATE SKIP LOCKED) d)
		UPDATE delivery SET lease = clock_timestamp() + $4 * interval '1 microsecond' FROM due WHERE delivery.id = due.id
		RETURNING delivery.id, rule_id, message_id, tries, lease`
	var list []claimed
	err := pgx.BeginFunc(ctx, db, func(tx pgx.Tx) error {
		batch := &pgx.Batch{}
		batch.Queue(background)
		batch.Queue(q, ids, room, now, lease.Microseconds()).Query(func(rows pgx.Rows) error {
			var err error
			list, err = pgx.CollectRows(rows, func(row pgx.CollectableRow) (c claimed, err error) {
				err = row.Scan(&c.id, &c.ruleID, &c.messageID, &c.tries, &c.lease)
				return c, err
			})
			return err
		})
		return tx.SendBatch(ctx, batch).Close()
	})
	return list, err
}

// countDue counts the waiting deliveries of these rules that are due, those in the backlog too, up to atMost.
func countDue(ctx context.Context, db postgres.DB, ids []int64, now time.Time, atMost int) (n int64, err error) {
	const q = `SELECT count(*) FROM (
		SELECT 1 FROM delivery WHERE rule_id = ANY($1) AND state = 'pending' AND next_at <= $2
		UNION ALL SELECT 1 FROM delivery_backlog b CROSS JOIN LATERAL unnest(b.message_ids) WHERE b.rule_id = ANY($1) LIMIT $3) d`
	err = steadily(ctx, db, onlyRow(&n), q, ids, now, atMost)
	return n, err
}

// nextDue is when the next waiting delivery of these rules is due; the zero time when none waits.
func nextDue(ctx context.Context, db postgres.DB, ids []int64) (time.Time, error) {
	const q = `SELECT min(d.next_at) FROM unnest($1::bigint[]) AS r(rule_id) CROSS JOIN LATERAL (
		SELECT next_at FROM delivery WHERE rule_id = r.rule_id AND state = 'pending' AND (lease IS NULL OR lease < clock_timestamp())
		ORDER BY next_at, id LIMIT 1) d`
	var at *time.Time
	err := db.QueryRow(ctx, q, ids).Scan(&at)
	return timeOf(at), err
}

// writeResults records what became of deliveries. A failure counts only while the delivery is still ours; success counts
// always, since the target has it.
func writeResults(ctx context.Context, db postgres.DB, settled []verdict, now time.Time, died func(tx pgx.Tx, deliveryIDs []int64) error) error {
	return pgx.BeginFunc(ctx, db, func(tx pgx.Tx) error {
		var dead []int64
		batch := &pgx.Batch{}
		batch.Queue(background)
		queueDeliveries(batch, settled, now, &dead)
		queueAttempts(batch, settled)
		queueStats(batch, settled)
		queueHealth(batch, settled)
		if err := tx.SendBatch(ctx, batch).Close(); err != nil || len(dead) == 0 {
			return err
		}
		return died(tx, dead)
	})
}

// queueDeliveries adds to dead the deliveries that are given up by this.
func queueDeliveries(batch *pgx.Batch, settled []verdict, now time.Time, dead *[]int64) {
	const q = `UPDATE delivery d SET state = r.state, tries = r.tries, next_at = coalesce(r.next_at, d.next_at), lease = NULL,
			finished_at = CASE WHEN r.state <> 'pending' THEN $6::timestamptz END
		FROM unnest($1::bigint[], $2::text[], $3::int[], $4::timestamptz[], $5::timestamptz[]) AS r(id, state, tries, next_at, lease)
		WHERE d.id = r.id AND d.state = 'pending' AND (r.state = 'delivered' OR d.lease = r.lease)`
	var ids []int64
	var states []string
	var tries []int
	var next, leases []*time.Time
	for _, v := range settled {
		if v.deliveryID != 0 {
			ids, states, tries = append(ids, v.deliveryID), append(states, v.state), append(tries, v.tries)
			next, leases = append(next, nullTime(v.nextAt)), append(leases, nullTime(v.lease))
		}
	}
	switch {
	case len(ids) == 0:
	case !slices.Contains(states, stateDead):
		batch.Queue(q, ids, states, tries, next, leases, now)
	default:
		batch.Queue(q+` RETURNING d.id, d.state`, ids, states, tries, next, leases, now).Query(func(rows pgx.Rows) error {
			var id int64
			var state string
			_, err := pgx.ForEachRow(rows, []any{&id, &state}, func() error {
				if state == stateDead {
					*dead = append(*dead, id)
				}
				return nil
			})
			return err
		})
	}
}

func queueAttempts(batch *pgx.Batch, settled []verdict) {
	const q = `INSERT INTO delivery_attempt (delivery_id, at, status, duration_ms, error, response)
		SELECT * FROM unnest($1::bigint[], $2::timestamptz[], $3::int[], $4::int[], $5::text[], $6::text[])`
	var ids []int64
	var at []time.Time
	var status []int
	var durations []int64
	var failures, answers []string
	for _, v := range settled {
		if v.deliveryID != 0 && !v.released {
			ids, at, status = append(ids, v.deliveryID), append(at, v.at), append(status, v.status)
			durations = append(durations, v.duration.Milliseconds())
			failures, answers = append(failures, string(v.failure)), append(answers, printable(string(v.answer), excerptBytes))
		}
	}
	if len(ids) > 0 {
		batch.Queue(q, ids, at, status, durations, failures, answers)
	}
}

// statStep is the width of a bar in a rule's chart.
const statStep = 5 * time.Minute

func queueStats(batch *pgx.Batch, settled []verdict) {
	const q = `INSERT INTO forward_stat AS s (rule_id, at, ok, failed, dead, total_ms, max_ms) VALUES ($1, $2, $3, $4, $5, $6, $7)
		ON CONFLICT (rule_id, at) DO UPDATE SET ok = s.ok + excluded.ok, failed = s.failed + excluded.failed, dead = s.dead + excluded.dead,
			total_ms = s.total_ms + excluded.total_ms, max_ms = greatest(s.max_ms, excluded.max_ms)`
	type key struct {
		ruleID int64
		at     time.Time
	}
	type sums struct{ ok, failed, dead, total, most int64 }
	all := map[key]*sums{}
	var order []key
	for _, v := range settled {
		if !v.asked() {
			continue
		}
		k := key{v.ruleID, v.at.UTC().Truncate(statStep)}
		if all[k] == nil {
			all[k] = &sums{}
			order = append(order, k)
		}
		if v.ok() {
			all[k].ok++
		} else {
			all[k].failed++
		}
		if v.state == stateDead && v.deliveryID != 0 {
			all[k].dead++
		}
		ms := v.duration.Milliseconds()
		all[k].total += ms
		all[k].most = max(all[k].most, ms)
	}
	// Always in one order, so that two replicas do not wait for each other.
	slices.SortFunc(order, func(a, b key) int { return cmp.Or(cmp.Compare(a.ruleID, b.ruleID), a.at.Compare(b.at)) })
	for _, k := range order {
		batch.Queue(q, k.ruleID, k.at, all[k].ok, all[k].failed, all[k].dead, all[k].total, all[k].most)
	}
}

// queueHealth keeps how long a rule has failed. It touches no row as long as all goes well.
func queueHealth(batch *pgx.Batch, settled []verdict) {
	const good = `UPDATE forward_rule SET failing_since = NULL, failures = 0, last_error = '' WHERE id = $1 AND failing_since IS NOT NULL AND paused_at IS NULL`
	const bad = `UPDATE forward_rule SET failing_since = coalesce(failing_since, $2), failed_at = $2, failures = failures + $3, last_error = $4 WHERE id = $1`
	type health struct {
		ok, failed int
		since      time.Time
		last       failure
	}
	all := map[int64]*health{}
	var order []int64
	for _, v := range settled {
		if !v.asked() {
			continue
		}
		h := all[v.ruleID]
		if h == nil {
			h = &health{since: v.at}
			all[v.ruleID] = h
			order = append(order, v.ruleID)
		}
		if v.ok() {
			h.ok++
		} else {
			h.failed++
			h.last = v.failure
		}
	}
	slices.Sort(order)
	for _, id := range order {
		if h := all[id]; h.ok > 0 {
			batch.Queue(good, id)
		} else {
			batch.Queue(bad, id, h.since, h.failed, string(h.last))
		}
	}
}

// Delivery is one message on its way to one target.
type Delivery struct {
	ID, MessageID, RuleID int64 // ID is 0 while it is in the backlog
	State                 string
	NextAt                time.Time
	CreatedAt             time.Time
	FinishedAt            time.Time // zero: not ended
	Attempts              []Attempt // oldest first, the newest maxAttempts of them
}

// Attempt is one try.
type Attempt struct {
	At       time.Time
	Status   int // 0: no answer
	Duration time.Duration
	Failure  failure // empty: taken
	Response string  // the beginning of the answer
}

// maxAttempts is how many attempts a delivery shows; retried by hand it may have more.
const maxAttempts = 50

// DeliveryFilter selects deliveries; zero fields match everything.
type DeliveryFilter struct {
	RuleID, MessageID int64
	State             string
	Before            int64 // only ids below; 0: from the newest
	Limit             int
}

const deliveryColumns = `id, message_id, rule_id, state, next_at, created_at, finished_at`

func scanDelivery(row pgx.CollectableRow) (d Delivery, err error) {
	var finished *time.Time
	err = row.Scan(&d.ID, &d.MessageID, &d.RuleID, &d.State, &d.NextAt, &d.CreatedAt, &finished)
	d.FinishedAt = timeOf(finished)
	return d, err
}

// listDeliveries reads deliveries, newest first, without their attempts. Each filter goes by an index: a state without a rule, or
// a rule without a state, is put together from the newest of each rule and state. What is in a backlog is listed with its message
// only, without an id, behind all others.
func listDeliveries(ctx context.Context, db postgres.DB, f DeliveryFilter) (list []Delivery, err error) {
	const before = `id < $1`
	if f.Before == 0 {
		f.Before = math.MaxInt64
	}
	args := []any{f.Before, f.Limit}
	add := func(arg any) string {
		args = append(args, arg)
		return "$" + strconv.Itoa(len(args))
	}
	var q string
	switch {
	case f.MessageID != 0:
		message := add(f.MessageID) + `::bigint`
		where := []string{before}
		if f.RuleID != 0 {
			where = append(where, `rule_id = `+add(f.RuleID))
		}
		if f.State != "" {
			where = append(where, `state = `+add(f.State))
		}
		q = `SELECT ` + deliveryColumns + ` FROM (
			SELECT ` + deliveryColumns + ` FROM delivery WHERE message_id = ` + message + `
			UNION ALL SELECT 0, ` + message + `, b.rule_id, 'pending', b.created_at, b.created_at, NULL FROM delivery_backlog b WHERE ` + inBacklog(message) + `) d
			WHERE ` + strings.Join(where, " AND ")
	case f.RuleID != 0 || f.State != "":
		rules, states := `SELECT id FROM forward_rule WHERE deleted_at IS NULL`, `VALUES ('pending'), ('delivered'), ('dead')`
		if f.RuleID != 0 {
			rules = `SELECT ` + add(f.RuleID) + `::bigint`
		}
		if f.State != "" {
			states = `SELECT ` + add(f.State) + `::text`
		}
		q = `SELECT d.* FROM (` + rules + `) AS r(rule) CROSS JOIN (` + states + `) AS s(which) CROSS JOIN LATERAL (
			SELECT ` + deliveryColumns + ` FROM delivery WHERE rule_id = r.rule AND state = s.which AND ` + before + ` ORDER BY id DESC LIMIT $2) d`
	default:
		q = `SELECT ` + deliveryColumns + ` FROM delivery WHERE ` + before
	}
	err = steadily(ctx, db, func(rows pgx.Rows) (err error) {
		list, err = pgx.CollectRows(rows, scanDelivery)
		return err
	}, q+` ORDER BY id DESC LIMIT $2`, args...)
	return list, err
}

// readDelivery fails with pgx.ErrNoRows.
func readDelivery(ctx context.Context, db postgres.DB, id int64) (Delivery, error) {
	rows, err := db.Query(ctx, `SELECT `+deliveryColumns+` FROM delivery WHERE id = $1`, id)
	if err != nil {
		return Delivery{}, err
	}
	return pgx.CollectExactlyOneRow(rows, scanDelivery)
}

// addAttempts fills in the attempts of deliveries.
func addAttempts(ctx context.Context, db postgres.DB, list []Delivery) error {
	const q = `SELECT a.* FROM unnest($1::bigint[]) AS d(id) CROSS JOIN LATERAL (
		SELECT delivery_id, at, status, duration_ms, error, response FROM delivery_attempt WHERE delivery_id = d.id ORDER BY at DESC LIMIT $2) a ORDER BY a.delivery_id, a.at`
	index := make(map[int64]int, len(list))
	ids := make([]int64, 0, len(list))
	for i, d := range list {
		index[d.ID] = i
		ids = append(ids, d.ID)
	}
	rows, err := db.Query(ctx, q, ids, maxAttempts)
	if err != nil {
		return err
	}
	var id, ms int64
	var a Attempt
	_, err = pgx.ForEachRow(rows, []any{&id, &a.At, &a.Status, &ms, &a.Failure, &a.Response}, func() error {
		a.Duration = time.Duration(ms) * time.Millisecond
		list[index[id]].Attempts = append(list[index[id]].Attempts, a)
		return nil
	})
	return err
}

// retryDelivery starts a delivery anew, whatever its state. One that is being sent at this moment stays with its worker.
func retryDelivery(ctx context.Context, db postgres.DB, id int64, now time.Time) (found bool, err error) {
	tag, err := db.Exec(ctx, `UPDATE delivery SET state = 'pending', tries = 0, next_at = $2, finished_at = NULL WHERE id = $1`, id, now)
	return tag.RowsAffected() == 1, err
}

// retryDead starts at most limit dead deliveries of a rule anew, the oldest first.
func retryDead(ctx context.Context, db postgres.DB, ruleID int64, now time.Time, limit int) (int64, error) {
	const q = `UPDATE delivery SET state = 'pending', tries = 0, next_at = $2, finished_at = NULL WHERE id IN (
		SELECT id FROM delivery WHERE rule_id = $1 AND state = 'dead' ORDER BY id LIMIT $3)`
	tag, err := db.Exec(ctx, q, ruleID, now, limit)
	return tag.RowsAffected(), err
}

// Stat is what became of a rule's calls in one step of time.
type Stat struct {
	RuleID     int64
	At         time.Time
	OK, Failed int64
	Dead       int64 // of the failed: deliveries given up
	TotalMS    int64
	MaxMS      int64
}

// readStats reads the charts of rules, by rule and time.
func readStats(ctx context.Context, db postgres.DB, ruleIDs []int64, since time.Time, step time.Duration) ([]Stat, error) {
	const q = `SELECT rule_id, date_bin($3 * interval '1 second', at, 'epoch'::timestamptz) AS bin,
			sum(ok)::bigint, sum(failed)::bigint, sum(dead)::bigint, sum(total_ms)::bigint, max(max_ms)::bigint
		FROM forward_stat WHERE rule_id = ANY ($1) AND at >= $2 GROUP BY rule_id, bin ORDER BY rule_id, bin`
	rows, err := db.Query(ctx, q, ruleIDs, since, int64(step.Seconds()))
	if err != nil {
		return nil, err
	}
	return pgx.CollectRows(rows, pgx.RowToStructByPos[Stat])
}

// waitingCount is how many deliveries of a rule wait, in its backlog too, and how many were given up, each counted as far as asked.
type waitingCount struct{ RuleID, Pending, Dead int64 }

// countWaiting counts the deliveries of each rule that wait or are dead, up to limit of each: there may be millions.
func countWaiting(ctx context.Context, db postgres.DB, ruleIDs []int64, limit int) (list []waitingCount, err error) {
	const q = `SELECT r.id,
			(SELECT count(*) FROM (
				SELECT 1 FROM delivery WHERE rule_id = r.id AND state = 'pending'
				UNION ALL SELECT 1 FROM delivery_backlog b CROSS JOIN LATERAL unnest(b.message_ids) WHERE b.rule_id = r.id LIMIT $2) p),
			(SELECT count(*) FROM (SELECT FROM delivery WHERE rule_id = r.id AND state = 'dead' LIMIT $2) d)
		FROM unnest($1::bigint[]) AS r(id)`
	err = steadily(ctx, db, func(rows pgx.Rows) (err error) {
		list, err = pgx.CollectRows(rows, pgx.RowToStructByPos[waitingCount])
		return err
	}, q, ruleIDs, limit)
	return list, err
}

func deleteStats(ctx context.Context, db postgres.DB, before time.Time) error {
	_, err := db.Exec(ctx, `DELETE FROM forward_stat WHERE at < $1`, before)
	return err
}

// deleteOfDeletedRules removes at most limit rows of the backlogs of deleted rules, about as many deliveries of them, and the rules
// that have nothing left.
func deleteOfDeletedRules(ctx context.Context, db postgres.DB, limit int) (n int64, err error) {
	const backlogs = `DELETE FROM delivery_backlog WHERE id IN (
		SELECT b.id FROM forward_rule r JOIN delivery_backlog b ON b.rule_id = r.id WHERE r.deleted_at IS NOT NULL LIMIT $1)`
	const deliveries = `WITH old AS (
			DELETE FROM delivery WHERE id IN (
				SELECT d.id FROM forward_rule r JOIN delivery d ON d.rule_id = r.id WHERE r.deleted_at IS NOT NULL LIMIT $1)
			RETURNING id),
		attempts AS (DELETE FROM delivery_attempt WHERE delivery_id IN (SELECT id FROM old))
		SELECT count(*) FROM old`
	const rules = `DELETE FROM forward_rule r WHERE deleted_at < now() - interval '1 minute'
		AND NOT EXISTS (SELECT FROM delivery WHERE rule_id = r.id) AND NOT EXISTS (SELECT FROM delivery_backlog WHERE rule_id = r.id)`
	tag, err := db.Exec(ctx, backlogs, limit)
	if err != nil || tag.RowsAffected() == int64(limit) {
		return tag.RowsAffected(), err
	}
	if err := db.QueryRow(ctx, deliveries, limit).Scan(&n); err != nil || n > 0 || tag.RowsAffected() > 0 {
		return n, err
	}
	_, err = db.Exec(ctx, rules)
	return 0, err
}

// deleteEnded looks at the next limit deliveries after an id and removes those that have ended and were made before a time.
// more is false when none so old may follow.
func deleteEnded(ctx context.Context, db postgres.DB, after int64, before time.Time, limit int) (last int64, more bool, err error) {
	const q = `WITH step AS (SELECT id, state, created_at FROM delivery WHERE id > $1 ORDER BY id LIMIT $3),
		old AS (DELETE FROM delivery WHERE id IN (SELECT id FROM step WHERE created_at < $2 AND state <> 'pending') RETURNING id),
		attempts AS (DELETE FROM delivery_attempt WHERE delivery_id IN (SELECT id FROM old))
		SELECT coalesce(max(id), 0), count(*) = $3 AND max(created_at) < $2 FROM step`
	err = db.QueryRow(ctx, q, after, before, limit).Scan(&last, &more)
	return last, more, err
}
