package component

import (
	"context"
	"fmt"
	"strconv"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/wxsteward/wxsteward/internal/postgres"
)

func formatID(id int64) string { return strconv.FormatInt(id, 10) }

func nullTime(t time.Time) *time.Time {
	if t.IsZero() {
		return nil
	}
	return &t
}

const messageColumns = `id, channel, appid, info_type, msg_type, event, from_user, to_user, msg_id, created_at, received_at, state, error`

func scanMessage(row pgx.CollectableRow, more ...any) (Message, error) {
	var m Message
	var createdAt *time.Time
	err := row.Scan(append([]any{
		&m.ID, &m.Channel, &m.AppID, &m.InfoType, &m.MsgType, &m.Event, &m.FromUser, &m.ToUser, &m.MsgID,
		&createdAt, &m.ReceivedAt, &m.State, &m.Error,
	}, more...)...)
	if createdAt != nil {
		m.CreatedAt = *createdAt
	}
	return m, err
}

// message reads one message with its whole body; pgx.ErrNoRows if there is none. One that cannot be opened has no body.
func (s *Service) message(ctx context.Context, id int64) (Message, error) {
	m, box, err := readMessage(ctx, s.deps.DB, id)
	if err != nil {
		return m, fmt.Errorf("load message %d: %w", id, err)
	}
	if box == nil {
		return m, nil
	}
	m.Body = nil
	body, err := s.deps.Keys.Open(box, messagePurpose)
	if err != nil {
		return m, fmt.Errorf("open message %d: %w", id, err)
	}
	m.Body = []byte(body.Reveal())
	return m, nil
}

// readMessage reads a message with its masked body, and the whole one, sealed, if there is a difference.
func readMessage(ctx context.Context, db postgres.DB, id int64) (m Message, box []byte, err error) {
	rows, err := db.Query(ctx, `SELECT `+messageColumns+`, body, secret_body FROM message WHERE id = $1`, id)
	if err != nil {
		return Message{}, nil, err
	}
	m, err = pgx.CollectExactlyOneRow(rows, func(row pgx.CollectableRow) (Message, error) {
		var body string
		m, err := scanMessage(row, &body, &box)
		m.Body = []byte(body)
		return m, err
	})
	return m, box, err
}

// setMessageState records the outcome of one try. A handled message stays handled.
func setMessageState(ctx context.Context, tx pgx.Tx, m Message, now time.Time) error {
	const q = `UPDATE message SET state = $2, error = $3, handled_at = CASE WHEN $2 = 'handled' THEN $4::timestamptz END
		WHERE id = $1 AND state <> 'handled'`
	_, err := tx.Exec(ctx, q, m.ID, m.State, m.Error, now)
	return err
}

// reopenMessage makes a failed message wait again and gives the state it has then; pgx.ErrNoRows if there is none.
func reopenMessage(ctx context.Context, tx pgx.Tx, id int64) (state string, err error) {
	const q = `UPDATE message SET state = CASE WHEN state = 'failed' THEN 'pending' ELSE state END WHERE id = $1 RETURNING state`
	err = tx.QueryRow(ctx, q, id).Scan(&state)
	return state, err
}

// pendingMessages lists messages that wait to be handled, with ids above after and below before, the lowest first.
func pendingMessages(ctx context.Context, db postgres.DB, after, before int64, limit int) ([]int64, error) {
	const q = `SELECT id FROM message WHERE state = 'pending' AND id > $1 AND id < $2 ORDER BY id LIMIT $3`
	rows, err := db.Query(ctx, q, after, before, limit)
	if err != nil {
		return nil, err
	}
	return pgx.CollectRows(rows, pgx.RowTo[int64])
}

// failMessages ends those of ids that still wait, and gives these. What their last try said stays.
func failMessages(ctx context.Context, tx pgx.Tx, ids []int64, why string) ([]Message, error) {
	const q = `UPDATE message SET state = 'failed', error = CASE WHEN error = '' THEN $2 ELSE error END
		WHERE id = ANY($1) AND state = 'pending' RETURNING ` + messageColumns
	rows, err := tx.Query(ctx, q, ids, why)
	if err != nil {
		return nil, err
	}
	return pgx.CollectRows(rows, func(row pgx.CollectableRow) (Message, error) { return scanMessage(row) })
}

// putTicket keeps a ticket if WeChat made it no earlier than the one that is there. When that one was received does not matter:
// our clock may have been ahead then.
func putTicket(ctx context.Context, tx pgx.Tx, appid string, box []byte, createdAt, receivedAt time.Time) (newest bool, err error) {
	const q = `INSERT INTO component_ticket AS t (appid, ticket, created_at, received_at) VALUES ($1, $2, $3, $4)
		ON CONFLICT (appid) DO UPDATE SET ticket = excluded.ticket, created_at = excluded.created_at,
			received_at = excluded.received_at
		WHERE t.created_at <= excluded.created_at`
	tag, err := tx.Exec(ctx, q, appid, box, createdAt, receivedAt)
	return tag.RowsAffected() == 1, err
}

func readTicket(ctx context.Context, db postgres.DB, appid string) (t Ticket, box []byte, err error) {
	const q = `SELECT ticket, created_at, received_at FROM component_ticket WHERE appid = $1`
	err = db.QueryRow(ctx, q, appid).Scan(&box, &t.CreatedAt, &t.ReceivedAt)
	return t, box, err
}

// claimRestart notes a try to restart the ticket push and reports whether the caller may make it: the pause since the
// try before, base doubled with every try up to most, must be over. A try further ahead than any pause is of a clock that was
// put right since. Of many who ask at once one may.
func claimRestart(ctx context.Context, db postgres.DB, appid string, why restartReason, now time.Time, base, most time.Duration) (bool, error) {
	const q = `INSERT INTO ticket_restart AS r (appid, reason, tries, last_at) VALUES ($1, $2, 1, $3)
		ON CONFLICT (appid, reason) DO UPDATE SET tries = r.tries + 1, last_at = excluded.last_at
		WHERE r.last_at + make_interval(secs => least($4 * power(2, least(r.tries - 1, 30)), $5)) <= excluded.last_at
			OR r.last_at > excluded.last_at + make_interval(secs => $5)`
	tag, err := db.Exec(ctx, q, appid, why, now, base.Seconds(), most.Seconds())
	return tag.RowsAffected() == 1, err
}

// forgetRestarts is for when the trouble is over: the next is acted upon at once.
func forgetRestarts(ctx context.Context, db postgres.DB, appid string, why restartReason) error {
	_, err := db.Exec(ctx, `DELETE FROM ticket_restart WHERE appid = $1 AND reason = $2`, appid, why)
	return err
}

// lockSettings lets one change of the platform settings happen at a time.
func lockSettings(ctx context.Context, tx pgx.Tx) error {
	_, err := tx.Exec(ctx, `SELECT pg_advisory_xact_lock(hashtext('component.settings'))`)
	return err
}

// ping asks the database for its version.
func ping(ctx context.Context, db postgres.DB) (version string, err error) {
	err = db.QueryRow(ctx, `SHOW server_version`).Scan(&version)
	return version, err
}

// maskedMessage reads one message with its secrets replaced; pgx.ErrNoRows if there is none.
func (s *Service) maskedMessage(ctx context.Context, id int64) (Message, error) {
	m, _, err := readMessage(ctx, s.deps.DB, id)
	return m, err
}

// countUnknown counts dedupe keys that no message has.
func countUnknown(ctx context.Context, db postgres.DB, keys [][]byte) (n int, err error) {
	const q = `SELECT count(*) FROM unnest($1::bytea[]) k WHERE NOT EXISTS (SELECT FROM message_dedupe d WHERE d.dedupe_key = k)`
	err = db.QueryRow(ctx, q, keys).Scan(&n)
	return n, err
}
