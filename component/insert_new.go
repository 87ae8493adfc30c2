package component

import (
	"context"
	"errors"
	"slices"
	"sync"
	"time"

	"github.com/jackc/pgx/v5/pgconn"

	"github.com/wxsteward/wxsteward/internal/postgres"
)

const (
	// numbersAtOnce are read from the sequence together. Those that a process does not use are lost, which does no harm.
	numbersAtOnce = 1024
	// doubtFor is how long repeats are looked for one by one after one has come: WeChat pushes again what was not answered in
	// time, and then seldom a single message.
	doubtFor = 10 * time.Second
)

// newcomers is what a process needs to store messages in the belief that they are new.
type newcomers struct {
	mu           sync.Mutex
	numbers      []int64 // of message_number, not used yet
	doubtedUntil time.Time
}

// believed reports whether no repeat has come lately.
func (n *newcomers) believed(now time.Time) bool {
	n.mu.Lock()
	defer n.mu.Unlock()
	return !now.Before(n.doubtedUntil)
}

func (n *newcomers) doubt(now time.Time) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.doubtedUntil = now.Add(doubtFor)
}

// take gives numbers that no other message has, also at other replicas.
func (n *newcomers) take(ctx context.Context, db postgres.DB, count int) ([]int64, error) {
	n.mu.Lock()
	defer n.mu.Unlock()
	if missing := count - len(n.numbers); missing > 0 {
		const q = `SELECT array_agg(nextval('message_number')) FROM generate_series(1, $1)`
		var more []int64
		if err := db.QueryRow(ctx, q, max(missing, numbersAtOnce)).Scan(&more); err != nil {
			return nil, err
		}
		n.numbers = append(n.numbers, more...)
	}
	taken := n.numbers[:count:count]
	n.numbers = n.numbers[count:]
	return taken, nil
}

// insert stores messages that need no job of ours, and what follows from them, in one statement. Nearly always all of them are
// new. It takes them to be so, which costs the database a quarter less, until it meets one that is there already: that undoes the
// statement, and those that are not there are found out first.
func (s *Service) insert(ctx context.Context, messages []*waiting, following Following) ([]outcome, error) {
	if s.newcomers.believed(s.now()) {
		outcomes, err := s.insertNew(ctx, messages, following)
		if !isRepeat(err) {
			return outcomes, err
		}
		s.newcomers.doubt(s.now())
	}
	return insertMessages(ctx, s.deps.DB, messages, following)
}

// isRepeat reports that a message, or much less likely its id, is there already.
func isRepeat(err error) bool {
	const uniqueViolation = "23505"
	pgErr, ok := errors.AsType[*pgconn.PgError](err)
	return ok && pgErr.Code == uniqueViolation
}

// insertNew stores messages none of which is there yet, in the order of insertMessages; otherwise it stores nothing and isRepeat is
// true of its error. The keys are written first, which is where repeats show.
func (s *Service) insertNew(ctx context.Context, messages []*waiting, following Following) ([]outcome, error) {
	ids, err := s.newcomers.take(ctx, s.deps.DB, len(messages))
	if err != nil {
		return nil, err
	}
	outcomes := make([]outcome, len(messages))
	for i, w := range messages {
		ids[i] = firstID(w.ReceivedAt) | ids[i]&(1<<numberBits-1)
		outcomes[i] = outcome{id: ids[i], isNew: true}
	}
	const into = `INSERT INTO message (id, channel, appid, info_type, msg_type, event, from_user, to_user, msg_id,
			created_at, received_at, dedupe_key, body, secret_body, state, handled_at) `
	if len(messages) == 1 && len(following.Clauses) == 0 { // with a plan that costs the database less
		const q = `WITH stored AS (` + into + `
				VALUES ($14, $1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, 'handled', $10))
			INSERT INTO message_dedupe (dedupe_key) VALUES ($11)`
		w := messages[0]
		_, err := s.deps.DB.Exec(ctx, q, w.Channel, w.AppID, w.InfoType, w.MsgType, w.Event, w.FromUser, w.ToUser, w.MsgID,
			nullTime(w.CreatedAt), w.ReceivedAt, w.dedupeKey, w.maskedBody, w.secretBody, ids[0])
		return outcomes, err
	}
	const insert = into + `SELECT id, channel, appid, coalesce(info_type, ''), msg_type, coalesce(event, ''), from_user, to_user, msg_id,
			created_at, received_at, dedupe_key, body, secret_body, 'handled', received_at
		FROM unnest($1::text[], $2::text[], $3::text[], $4::text[], $5::text[], $6::text[], $7::text[], $8::text[],
				$9::timestamptz[], $10::timestamptz[], $11::bytea[], $12::text[], $13::bytea[], $14::bigint[])
			AS m (channel, appid, info_type, msg_type, event, from_user, to_user, msg_id, created_at, received_at, dedupe_key, body, secret_body, id)`
	const keys = ` INSERT INTO message_dedupe (dedupe_key) SELECT unnest($11::bytea[])`
	q := `WITH stored AS (` + insert + `)` + keys
	if len(following.Clauses) > 0 {
		q = `WITH stored AS (` + insert + ` RETURNING id, dedupe_key)` + following.with() + keys
	}
	_, err = s.deps.DB.Exec(ctx, q, slices.Concat(columnsOf(messages), []any{ids}, following.Args)...)
	return outcomes, err
}
