package component

import (
	"context"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/wxsteward/wxsteward/internal/postgres"
)

func formatID(id int64) string { return strconv.FormatInt(id, 10) }

// insertMessage stores a message unless there is one with its dedupe key. It waits for a transaction that is storing
// a copy at the same time.
func insertMessage(ctx context.Context, tx pgx.Tx, in incoming) (id int64, isNew bool, err error) {
	const q = `INSERT INTO message (channel, appid, info_type, msg_type, event, from_user, to_user, msg_id,
			created_at, received_at, dedupe_key, body, secret_body)
		VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13)
		ON CONFLICT (dedupe_key) DO NOTHING RETURNING id`
	rows, err := tx.Query(ctx, q, in.Channel, in.AppID, in.InfoType, in.MsgType, in.Event, in.FromUser, in.ToUser, in.MsgID,
		nullTime(in.CreatedAt), in.ReceivedAt, in.dedupeKey, in.maskedBody, in.secretBody)
	if err != nil {
		return 0, false, err
	}
	ids, err := pgx.CollectRows(rows, pgx.RowTo[int64])
	if err != nil || len(ids) == 0 {
		return 0, false, err
	}
	return ids[0], true, nil
}

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

// message reads one message with its whole body; pgx.ErrNoRows if there is none.
func (s *Service) message(ctx context.Context, id int64) (Message, error) {
	m, box, err := readMessage(ctx, s.deps.DB, id)
	if err != nil || box == nil {
		return m, err
	}
	body, err := s.deps.Keys.Open(box, messagePurpose)
	if err != nil {
		return Message{}, fmt.Errorf("open message %d: %w", id, err)
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

// MessageFilter selects messages; empty fields match everything.
type MessageFilter struct {
	Channel, AppID, InfoType, MsgType, Event, State string
	Since, Until                                    time.Time // of ReceivedAt; Until is not included
	Text                                            string    // in the body as viewers see it
	Before                                          int64     // only ids below; 0: from the newest
	Limit                                           int
}

// listMessages reads messages without bodies, newest first.
func listMessages(ctx context.Context, db postgres.DB, f MessageFilter) ([]Message, error) {
	var where []string
	var args []any
	add := func(condition string, arg any) {
		args = append(args, arg)
		where = append(where, strings.ReplaceAll(condition, "?", "$"+strconv.Itoa(len(args))))
	}
	for _, equal := range []struct{ column, value string }{
		{"channel", f.Channel},
		{"appid", f.AppID},
		{"info_type", f.InfoType},
		{"msg_type", f.MsgType},
		{"event", f.Event},
		{"state", f.State},
	} {
		if equal.value != "" {
			add(equal.column+" = ?", equal.value)
		}
	}
	if !f.Since.IsZero() {
		add("received_at >= ?", f.Since)
	}
	if !f.Until.IsZero() {
		add("received_at < ?", f.Until)
	}
	if f.Text != "" {
		add(`body ILIKE '%' || ? || '%'`, escapeLike(f.Text))
	}
	if f.Before > 0 {
		add("id < ?", f.Before)
	}
	q := `SELECT ` + messageColumns + ` FROM message`
	if len(where) > 0 {
		q += ` WHERE ` + strings.Join(where, " AND ")
	}
	args = append(args, f.Limit)
	rows, err := db.Query(ctx, q+` ORDER BY id DESC LIMIT $`+strconv.Itoa(len(args)), args...)
	if err != nil {
		return nil, err
	}
	return pgx.CollectRows(rows, func(row pgx.CollectableRow) (Message, error) { return scanMessage(row) })
}

func escapeLike(text string) string {
	return strings.NewReplacer(`\`, `\\`, `%`, `\%`, `_`, `\_`).Replace(text)
}

// deleteMessages removes at most limit messages received before the given time that wait for nothing.
func deleteMessages(ctx context.Context, db postgres.DB, before time.Time, limit int) (int64, error) {
	const q = `DELETE FROM message WHERE id IN (
		SELECT id FROM message WHERE received_at < $1 AND state <> 'pending' ORDER BY received_at LIMIT $2)`
	tag, err := db.Exec(ctx, q, before, limit)
	return tag.RowsAffected(), err
}

// putTicket keeps a ticket if WeChat made it no earlier than the one that is there.
func putTicket(ctx context.Context, tx pgx.Tx, appid string, box []byte, createdAt, receivedAt time.Time) (newest bool, err error) {
	const q = `INSERT INTO component_ticket AS t (appid, ticket, created_at, received_at) VALUES ($1, $2, $3, $4)
		ON CONFLICT (appid) DO UPDATE SET ticket = excluded.ticket, created_at = excluded.created_at,
			received_at = greatest(t.received_at, excluded.received_at)
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
// try before, base doubled with every try up to most, must be over. Of many who ask at once one may.
func claimRestart(ctx context.Context, db postgres.DB, appid string, why restartReason, now time.Time, base, most time.Duration) (bool, error) {
	const q = `INSERT INTO ticket_restart AS r (appid, reason, tries, last_at) VALUES ($1, $2, 1, $3)
		ON CONFLICT (appid, reason) DO UPDATE SET tries = r.tries + 1, last_at = excluded.last_at
		WHERE r.last_at + make_interval(secs => least($4 * power(2, least(r.tries - 1, 30)), $5)) <= excluded.last_at`
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
