package notice

import (
	"context"
	"math"
	"strconv"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/wxsteward/wxsteward/internal/postgres"
)

// storedChannel is a channel with its sealed address and secret.
type storedChannel struct {
	Channel

	url, secret    []byte
	triedAt, lease time.Time
}

const channelColumns = `id, name, kind, enabled, language, events, url, secret, address, next_at, lease, tried_at, last_sent_at, failing_since, failures,
	last_error, created_by, created_at, updated_at`

func scanChannel(row pgx.CollectableRow) (c storedChannel, err error) {
	var lease, tried, sent, failing *time.Time
	err = row.Scan(&c.ID, &c.Name, &c.Kind, &c.Enabled, &c.Language, &c.Events, &c.url, &c.secret, &c.Address, &c.NextAt, &lease, &tried, &sent,
		&failing, &c.Failures, &c.LastError, &c.CreatedBy, &c.CreatedAt, &c.UpdatedAt)
	c.lease, c.triedAt, c.LastSentAt, c.FailingSince = timeOf(lease), timeOf(tried), timeOf(sent), timeOf(failing)
	c.HasSecret = c.secret != nil
	return c, err
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

// oneChannel fails with pgx.ErrNoRows.
func oneChannel(ctx context.Context, db postgres.DB, q string, args ...any) (storedChannel, error) {
	rows, err := db.Query(ctx, q, args...)
	if err != nil {
		return storedChannel{}, err
	}
	return pgx.CollectExactlyOneRow(rows, scanChannel)
}

// readChannel fails with pgx.ErrNoRows.
func readChannel(ctx context.Context, db postgres.DB, id int64) (storedChannel, error) {
	c, err := oneChannel(ctx, db, `SELECT `+channelColumns+` FROM notice_channel WHERE id = $1`, id)
	if err != nil {
		return storedChannel{}, err
	}
	err = db.QueryRow(ctx, `SELECT count(*) FROM notice WHERE channel_id = $1 AND state = 'pending'`, id).Scan(&c.Waiting)
	return c, err
}

// lockChannel keeps others from changing or taking the channel, not from storing notices for it.
func lockChannel(ctx context.Context, tx pgx.Tx, id int64) (storedChannel, error) {
	return oneChannel(ctx, tx, `SELECT `+channelColumns+` FROM notice_channel WHERE id = $1 FOR NO KEY UPDATE`, id)
}

func listChannels(ctx context.Context, db postgres.DB, after int64, limit int) (list []storedChannel, total int64, err error) {
	rows, err := db.Query(ctx, `SELECT `+channelColumns+` FROM notice_channel WHERE id > $1 ORDER BY id LIMIT $2`, after, limit)
	if err != nil {
		return nil, 0, err
	}
	if list, err = pgx.CollectRows(rows, scanChannel); err != nil {
		return nil, 0, err
	}
	for i := range list {
		const q = `SELECT count(*) FROM notice WHERE channel_id = $1 AND state = 'pending'`
		if err := db.QueryRow(ctx, q, list[i].ID).Scan(&list[i].Waiting); err != nil {
			return nil, 0, err
		}
	}
	total, err = countChannels(ctx, db)
	return list, total, err
}

func countChannels(ctx context.Context, db postgres.DB) (n int64, err error) {
	err = db.QueryRow(ctx, `SELECT count(*) FROM notice_channel`).Scan(&n)
	return n, err
}

func insertChannel(ctx context.Context, tx pgx.Tx, c storedChannel) (id int64, err error) {
	const q = `INSERT INTO notice_channel (name, kind, enabled, language, events, url, secret, address, next_at, created_by, created_at, updated_at)
		VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $11) RETURNING id`
	err = tx.QueryRow(ctx, q, c.Name, c.Kind, c.Enabled, c.Language, c.Events, c.url, c.secret, c.Address, c.NextAt, c.CreatedBy, c.CreatedAt).Scan(&id)
	return id, err
}

// updateChannel writes everything about a channel that lockChannel has locked, except its lease.
func updateChannel(ctx context.Context, tx pgx.Tx, c storedChannel) error {
	const q = `UPDATE notice_channel SET name = $2, enabled = $3, language = $4, events = $5, url = $6, secret = $7, address = $8, next_at = $9,
			tried_at = $10, last_sent_at = $11, failing_since = $12, failures = $13, last_error = $14, updated_at = $15 WHERE id = $1`
	_, err := tx.Exec(ctx, q, c.ID, c.Name, c.Enabled, c.Language, c.Events, c.url, c.secret, c.Address, c.NextAt,
		nullTime(c.triedAt), nullTime(c.LastSentAt), nullTime(c.FailingSince), c.Failures, string(c.LastError), c.UpdatedAt)
	return err
}

func deleteChannel(ctx context.Context, tx pgx.Tx, id int64) (found bool, err error) {
	tag, err := tx.Exec(ctx, `DELETE FROM notice_channel WHERE id = $1`, id)
	return tag.RowsAffected() == 1, err
}

// subscribers are the channels that want an event, in the order of their ids.
func subscribers(ctx context.Context, tx pgx.Tx, event string) ([]int64, error) {
	rows, err := tx.Query(ctx, `SELECT id FROM notice_channel WHERE enabled AND $1 = ANY (events) ORDER BY id`, event)
	if err != nil {
		return nil, err
	}
	return pgx.CollectRows(rows, pgx.RowTo[int64])
}

// lockDue takes the channels that have something due; those that others have at this moment are left out.
func lockDue(ctx context.Context, tx pgx.Tx, now time.Time, limit int) ([]storedChannel, error) {
	const q = `SELECT ` + channelColumns + ` FROM notice_channel c
		WHERE enabled AND next_at <= $1 AND (lease IS NULL OR lease < clock_timestamp())
			AND EXISTS (SELECT FROM notice WHERE channel_id = c.id AND state = 'pending' AND next_at <= $1)
		ORDER BY id LIMIT $2 FOR NO KEY UPDATE SKIP LOCKED`
	rows, err := tx.Query(ctx, q, now, limit)
	if err != nil {
		return nil, err
	}
	return pgx.CollectRows(rows, scanChannel)
}

// countDue counts what could be sent now.
func countDue(ctx context.Context, db postgres.DB, now time.Time) (n int64, err error) {
	const q = `SELECT count(*) FROM notice n JOIN notice_channel c ON c.id = n.channel_id
		WHERE c.enabled AND c.next_at <= $1 AND n.state = 'pending' AND n.next_at <= $1`
	err = db.QueryRow(ctx, q, now).Scan(&n)
	return n, err
}

// leaseChannel gives the channel to a worker.
func leaseChannel(ctx context.Context, tx pgx.Tx, id int64, now, next time.Time, length time.Duration) (lease time.Time, err error) {
	const q = `UPDATE notice_channel SET lease = clock_timestamp() + $4 * interval '1 microsecond', tried_at = $2, next_at = $3 WHERE id = $1 RETURNING lease`
	err = tx.QueryRow(ctx, q, id, now, next, length.Microseconds()).Scan(&lease)
	return lease, err
}

func releaseChannel(ctx context.Context, tx pgx.Tx, id int64) error {
	_, err := tx.Exec(ctx, `UPDATE notice_channel SET lease = NULL WHERE id = $1`, id)
	return err
}

// Notice is a piece of news for one channel.
type Notice struct {
	id, channelID int64
	event, key    string
	facts         facts
	state         string
	tries         int
	nextAt        time.Time
	queuedAt      time.Time
	failure       failure
	createdAt     time.Time
	sentAt        time.Time // zero: not sent
}

const noticeColumns = `id, channel_id, event, key, facts, state, tries, next_at, queued_at, error, created_at, sent_at`

func scanNotice(row pgx.CollectableRow) (n Notice, err error) {
	var sent *time.Time
	err = row.Scan(&n.id, &n.channelID, &n.event, &n.key, &n.facts, &n.state, &n.tries, &n.nextAt, &n.queuedAt, &n.failure, &n.createdAt, &sent)
	n.sentAt = timeOf(sent)
	return n, err
}

func queryNotices(ctx context.Context, db postgres.DB, q string, args ...any) ([]Notice, error) {
	rows, err := db.Query(ctx, q, args...)
	if err != nil {
		return nil, err
	}
	return pgx.CollectRows(rows, scanNotice)
}

// lockFirst takes the notice of a channel that has been due for longest. It fails with pgx.ErrNoRows when there is none that
// is free.
func lockFirst(ctx context.Context, tx pgx.Tx, channel int64, now time.Time) (Notice, error) {
	const q = `SELECT ` + noticeColumns + ` FROM notice WHERE channel_id = $1 AND state = 'pending' AND next_at <= $2
		ORDER BY next_at, id LIMIT 1 FOR UPDATE SKIP LOCKED`
	rows, err := tx.Query(ctx, q, channel, now)
	if err != nil {
		return Notice{}, err
	}
	return pgx.CollectExactlyOneRow(rows, scanNotice)
}

// lockWaiting takes notices of a key that nobody has tried to send, the oldest first. It waits for nobody: rows that others
// hold are left out.
func lockWaiting(ctx context.Context, tx pgx.Tx, channel int64, event, key string, limit int) ([]Notice, error) {
	const q = `SELECT ` + noticeColumns + ` FROM notice
		WHERE channel_id = $1 AND event = $2 AND key = $3 AND state = 'pending' AND tries = 0 ORDER BY id LIMIT $4 FOR UPDATE SKIP LOCKED`
	return queryNotices(ctx, tx, q, channel, event, key, limit)
}

// last is the newest notice of a key.
type last struct {
	pending bool
	at      time.Time // when it was sent, else made; zero: there is none
}

func lastOf(ctx context.Context, tx pgx.Tx, channel int64, event, key string) (l last, err error) {
	const q = `SELECT state = 'pending', coalesce(sent_at, created_at) FROM notice
		WHERE channel_id = $1 AND event = $2 AND key = $3 ORDER BY id DESC LIMIT 1`
	rows, err := tx.Query(ctx, q, channel, event, key)
	if err != nil {
		return last{}, err
	}
	_, err = pgx.ForEachRow(rows, []any{&l.pending, &l.at}, func() error { return nil })
	return l, err
}

func insertNotice(ctx context.Context, tx pgx.Tx, channel int64, event, key string, f facts, now, due time.Time) (id int64, err error) {
	const q = `INSERT INTO notice (channel_id, event, key, facts, next_at, queued_at, created_at) VALUES ($1, $2, $3, $4, $5, $6, $6) RETURNING id`
	err = tx.QueryRow(ctx, q, channel, event, key, f, due, now).Scan(&id)
	return id, err
}

func setFacts(ctx context.Context, tx pgx.Tx, id int64, f facts) error {
	_, err := tx.Exec(ctx, `UPDATE notice SET facts = $2 WHERE id = $1`, id, f)
	return err
}

// markTried is written before the call: from then on the notice says what it says.
func markTried(ctx context.Context, tx pgx.Tx, id int64, f facts) error {
	_, err := tx.Exec(ctx, `UPDATE notice SET facts = $2, tries = tries + 1 WHERE id = $1`, id, f)
	return err
}

func deleteNotices(ctx context.Context, tx pgx.Tx, ids []int64) error {
	_, err := tx.Exec(ctx, `DELETE FROM notice WHERE id = ANY ($1)`, ids)
	return err
}

// settleNotice writes down what became of a try. That it was taken counts whatever has happened to the row meanwhile.
func settleNotice(ctx context.Context, tx pgx.Tx, n Notice, state string, o outcome) error {
	const q = `UPDATE notice SET state = $2::text, error = $3, next_at = $4, sent_at = CASE WHEN $2::text = 'sent' THEN $5::timestamptz END
		WHERE id = $1 AND (state = 'pending' OR $2::text = 'sent')`
	_, err := tx.Exec(ctx, q, n.id, state, string(o.failure), n.nextAt, o.at)
	return err
}

// giveUp ends all that waits for a channel.
func giveUp(ctx context.Context, tx pgx.Tx, channel int64, failure string) error {
	_, err := tx.Exec(ctx, `UPDATE notice SET state = 'dead', error = $2 WHERE channel_id = $1 AND state = 'pending'`, channel, failure)
	return err
}

// giveUpBefore ends what has waited for a channel since before a time.
func giveUpBefore(ctx context.Context, tx pgx.Tx, channel int64, before time.Time, failure string) error {
	const q = `UPDATE notice SET state = 'dead', error = $3 WHERE channel_id = $1 AND state = 'pending' AND queued_at < $2`
	_, err := tx.Exec(ctx, q, channel, before, failure)
	return err
}

// retryNotice starts a notice anew, whatever its state. It says what it said: nothing is folded into it.
func retryNotice(ctx context.Context, tx pgx.Tx, id int64, now time.Time) error {
	const q = `UPDATE notice SET state = 'pending', tries = greatest(tries, 1), next_at = $2, queued_at = $2, sent_at = NULL WHERE id = $1`
	_, err := tx.Exec(ctx, q, id, now)
	return err
}

// Filter selects notices; zero fields match everything.
type Filter struct {
	ChannelID    int64
	Event, State string
	Before       int64 // only ids below; 0: from the newest
	Limit        int
}

// listNotices reads notices, newest first.
func listNotices(ctx context.Context, db postgres.DB, f Filter) ([]Notice, error) {
	if f.Before == 0 {
		f.Before = math.MaxInt64
	}
	where, args := []string{`id < $1`}, []any{f.Before}
	add := func(column string, arg any) {
		args = append(args, arg)
		where = append(where, column+` = $`+strconv.Itoa(len(args)))
	}
	if f.ChannelID != 0 {
		add("channel_id", f.ChannelID)
	}
	if f.Event != "" {
		add("event", f.Event)
	}
	if f.State != "" {
		add("state", f.State)
	}
	args = append(args, f.Limit)
	q := `SELECT ` + noticeColumns + ` FROM notice WHERE ` + strings.Join(where, " AND ") + ` ORDER BY id DESC LIMIT $` + strconv.Itoa(len(args))
	return queryNotices(ctx, db, q, args...)
}

// readNotice fails with pgx.ErrNoRows.
func readNotice(ctx context.Context, db postgres.DB, id int64) (Notice, error) {
	rows, err := db.Query(ctx, `SELECT `+noticeColumns+` FROM notice WHERE id = $1`, id)
	if err != nil {
		return Notice{}, err
	}
	return pgx.CollectExactlyOneRow(rows, scanNotice)
}

// deleteOld removes at most limit notices that have ended and were made before a time.
func deleteOld(ctx context.Context, db postgres.DB, before time.Time, limit int) (int64, error) {
	const q = `DELETE FROM notice WHERE id IN (SELECT id FROM notice WHERE created_at < $1 AND state <> 'pending' ORDER BY created_at LIMIT $2)`
	tag, err := db.Exec(ctx, q, before, limit)
	return tag.RowsAffected(), err
}
