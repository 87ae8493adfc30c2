package component

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"github.com/wxsteward/wxsteward/internal/live"
	"github.com/wxsteward/wxsteward/internal/postgres"
)

const (
	// commitTimeout ends a commit whose database does not answer. A message waits for the commit under way and for its own, and
	// WeChat waits five seconds.
	commitTimeout = 2200 * time.Millisecond
	// commitsAtOnce is how many commits are under way at a time; what comes meanwhile shares the next one. A second begins only
	// when a crowd waits: a commit costs about as much as ten of its rows, so few large ones let more messages through.
	commitsAtOnce = 2
	crowd         = 128

	mostTogether      = 512 // messages in one commit
	mostBytesTogether = 4 << 20
	mostWaiting       = 8192 // messages that wait for a commit
	mostBytesWaiting  = 64 << 20
)

// errBusy reports more pushes than can wait for the database.
var errBusy = errors.New("component: too many messages wait to be stored")

var errBrokeOff = errors.New("component: storing broke off")

// mailbox gathers messages while a commit is under way, so that many share one statement and one commit.
type mailbox struct {
	mu      sync.Mutex
	waiting []*waiting
	bytes   int
	commits int // under way
}

// waiting is a message on its way into the database and who waits for it.
type waiting struct {
	incoming
	outcome outcome
	done    chan struct{} // closed when the outcome is there
}

func newWaiting(in incoming) *waiting { return &waiting{incoming: in, done: make(chan struct{})} }

func (w *waiting) end(o outcome) {
	w.outcome = o
	close(w.done)
}

type outcome struct {
	id    int64 // if it is new
	isNew bool
	err   error
}

func (w *waiting) size() int { return len(w.maskedBody) + len(w.secretBody) }

// store keeps a message and enqueues what follows from it, in one transaction, together with others that come at the same
// time. It returns after the commit. A copy of a message that is already there, also of one that another process is storing at
// this moment, changes nothing and is no error. After a failure the message may have been stored all the same.
func (s *Service) store(ctx context.Context, in incoming) (m Message, isNew bool, err error) {
	w := newWaiting(in)
	b := &s.mailbox
	b.mu.Lock()
	if len(b.waiting) >= mostWaiting || b.bytes+w.size() > mostBytesWaiting {
		b.mu.Unlock()
		return Message{}, false, errBusy
	}
	b.waiting = append(b.waiting, w)
	b.bytes += w.size()
	lead := b.commits == 0 || b.commits < commitsAtOnce && len(b.waiting) >= crowd
	if lead {
		b.commits++
	}
	b.mu.Unlock()
	if lead {
		s.commitFirst(ctx)
	}
	<-w.done // in time: each commit has its limit, and one that meets it ends the wait of all
	if err := w.outcome.err; err != nil {
		return Message{}, false, fmt.Errorf("store message: %w", err)
	}
	m = in.Message
	m.ID = w.outcome.id
	return m, w.outcome.isNew, nil
}

// commitFirst commits what waits, in the goroutine of one who waits for it, which is the quickest way for a lone message. Who
// comes meanwhile is served in the background.
func (s *Service) commitFirst(ctx context.Context) {
	defer func() { // also after a panic, which must not leave the others waiting
		if s.mailbox.goOn() {
			go s.commitWaiting(ctx)
		}
	}()
	if batch := s.mailbox.take(); batch != nil {
		s.commitBatch(ctx, batch)
	}
}

// commitWaiting commits until nobody waits.
func (s *Service) commitWaiting(ctx context.Context) {
	for s.mailbox.goOn() {
		if batch := s.mailbox.take(); batch != nil {
			s.commitBatch(ctx, batch)
		}
	}
}

func (s *Service) commitBatch(ctx context.Context, batch []*waiting) {
	defer func() { // after a panic nobody may wait for ever
		for _, w := range batch {
			select {
			case <-w.done:
			default:
				w.end(outcome{err: errBrokeOff})
			}
		}
	}()
	if err := s.storeBatch(ctx, batch); err != nil {
		s.mailbox.failAll(err)
	}
}

// goOn reports whether somebody waits; when nobody does, one commit less is under way.
func (b *mailbox) goOn() bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	if len(b.waiting) == 0 {
		b.commits--
		return false
	}
	return true
}

// take gives the oldest messages that wait; nil when none does.
func (b *mailbox) take() []*waiting {
	b.mu.Lock()
	defer b.mu.Unlock()
	n, bytes := 0, 0
	for n < len(b.waiting) && n < mostTogether && (n == 0 || bytes+b.waiting[n].size() <= mostBytesTogether) {
		bytes += b.waiting[n].size()
		n++
	}
	if n == 0 {
		return nil
	}
	batch := b.waiting[:n:n]
	b.waiting = b.waiting[n:]
	if len(b.waiting) == 0 {
		b.waiting = nil // lets the array go
	}
	b.bytes -= bytes
	return batch
}

// failAll answers everybody who waits: the database is away, and others should not each wait to find out.
func (b *mailbox) failAll(err error) {
	b.mu.Lock()
	all := b.waiting
	b.waiting, b.bytes = nil, 0
	b.mu.Unlock()
	for _, w := range all {
		w.end(outcome{err: err})
	}
}

// storeBatch stores messages and answers everybody who waits for one of them. An error says that the database is away.
func (s *Service) storeBatch(ctx context.Context, batch []*waiting) error {
	ctx, cancel := context.WithTimeout(ctx, commitTimeout)
	defer cancel()
	sortByKey(batch)
	first := make([]*waiting, 0, len(batch)) // of each message; the others are its copies
	for i, w := range batch {
		if i == 0 || !bytes.Equal(w.dedupeKey, batch[i-1].dedupeKey) {
			first = append(first, w)
		}
	}
	outcomes, away := s.storeAll(ctx, first)
	n := -1
	for _, w := range batch {
		isFirst := n+1 < len(first) && first[n+1] == w
		if isFirst {
			n++
		}
		o := outcomes[n]
		o.isNew = o.isNew && isFirst
		w.end(o)
	}
	return away
}

// sortByKey puts messages into the order in which insertMessages wants them: copies lie together, and two commits that share
// messages do not wait for each other in a circle.
func sortByKey(messages []*waiting) {
	slices.SortFunc(messages, func(a, b *waiting) int { return bytes.Compare(a.dedupeKey, b.dedupeKey) })
}

// storeAll stores different messages, all together or, where one of them cannot be stored, each on its own. away says that the
// database cannot store anything now.
func (s *Service) storeAll(ctx context.Context, messages []*waiting) (outcomes []outcome, away error) {
	outcomes, err := s.commit(ctx, messages)
	if err == nil {
		return outcomes, nil
	}
	outcomes = make([]outcome, len(messages))
	alone := len(messages) > 1
	for i, w := range messages {
		if alone && away == nil && !isAway(ctx, err) {
			var one []outcome
			if one, err = s.commit(ctx, []*waiting{w}); err == nil {
				outcomes[i] = one[0]
				continue
			}
		}
		if isAway(ctx, err) {
			away = err
		}
		outcomes[i].err = err
	}
	return outcomes, away
}

func isAway(ctx context.Context, err error) bool {
	return err != nil && (ctx.Err() != nil || postgres.IsUnavailable(err))
}

// commit stores different messages in one transaction. When the partition of their day is missing, it makes that first.
func (s *Service) commit(ctx context.Context, messages []*waiting) ([]outcome, error) {
	if len(messages) == 0 {
		return nil, nil
	}
	outcomes, err := s.tryCommit(ctx, messages)
	if isNoPartition(err) {
		for _, w := range messages {
			if err := makeDays(ctx, s.deps.DB, w.ReceivedAt, 1); err != nil {
				return nil, err
			}
		}
		outcomes, err = s.tryCommit(ctx, messages)
	}
	return outcomes, err
}

// isNoPartition reports that no partition takes a row: a check violation without a constraint.
func isNoPartition(err error) bool {
	const checkViolation = "23514"
	pgErr, ok := errors.AsType[*pgconn.PgError](err)
	return ok && pgErr.Code == checkViolation && pgErr.ConstraintName == ""
}

func (s *Service) tryCommit(ctx context.Context, messages []*waiting) (outcomes []outcome, err error) {
	began := time.Now()
	if following, ok := s.following(messages); ok { // then the statement is the transaction, which saves three ways to the database
		if outcomes, err = s.insert(ctx, messages, following); err != nil {
			return nil, err
		}
		if len(following.Clauses) > 0 {
			s.forward.Followed(fresh(messages, outcomes))
		}
	} else {
		err = pgx.BeginFunc(ctx, s.deps.DB, func(tx pgx.Tx) error {
			if outcomes, err = insertMessages(ctx, tx, messages, Following{}); err != nil {
				return err
			}
			return s.follow(ctx, tx, fresh(messages, outcomes))
		})
		if err != nil {
			return nil, err
		}
	}
	s.countCommit(len(messages), began)
	s.rates.add(messages, outcomes)
	for i, o := range slices.Backward(outcomes) {
		if o.isNew && messages[i].State == StateHandled {
			s.news.tell(ctx, s, o.id, messages[i].AppID)
			break
		}
	}
	return outcomes, nil
}

// following is what has to be written with messages that need no job of ours; ok is false where some do, or where it is not known.
func (s *Service) following(messages []*waiting) (f Following, ok bool) {
	if slices.ContainsFunc(messages, func(w *waiting) bool { return w.State == StatePending }) {
		return Following{}, false
	}
	if s.forward == nil {
		return Following{}, true
	}
	list, keys := make([]Message, len(messages)), make([][]byte, len(messages))
	for i, w := range messages {
		list[i], keys[i] = w.Message, w.dedupeKey
	}
	return s.forward.Follow(list, keys)
}

// fresh gives those messages that are new.
func fresh(messages []*waiting, outcomes []outcome) []Message {
	list := make([]Message, 0, len(messages))
	for i, o := range outcomes {
		if o.isNew {
			m := messages[i].Message
			m.ID = o.id
			list = append(list, m)
		}
	}
	return list
}

// follow enqueues what has to be done for new messages.
func (s *Service) follow(ctx context.Context, tx pgx.Tx, fresh []Message) error {
	var heard []int64
	for _, m := range fresh {
		if m.State == StatePending {
			heard = append(heard, m.ID)
		}
	}
	if err := s.enqueueMessages(ctx, tx, heard...); err != nil {
		return err
	}
	if s.forward == nil || len(fresh) == 0 {
		return nil
	}
	return s.forward.Stored(ctx, tx, fresh)
}

// insertMessages stores those messages that are not there yet; they come in the order of their dedupe keys. It waits for a
// transaction that is storing a copy at the same time; the order keeps two such from waiting for each other.
func insertMessages(ctx context.Context, db postgres.DB, messages []*waiting, following Following) ([]outcome, error) {
	if len(messages) == 1 && len(following.Clauses) == 0 {
		return insertMessage(ctx, db, messages[0])
	}
	const fresh = `WITH fresh AS (
			INSERT INTO message_dedupe (dedupe_key) SELECT unnest($11::bytea[]) ON CONFLICT DO NOTHING RETURNING dedupe_key)`
	const insert = `INSERT INTO message (id, channel, appid, info_type, msg_type, event, from_user, to_user, msg_id,
			created_at, received_at, dedupe_key, body, secret_body, state, handled_at)
		SELECT (floor(extract(epoch FROM m.received_at) * 1000)::bigint << 20) | (nextval('message_number') & 1048575),
			m.channel, m.appid, coalesce(m.info_type, ''), m.msg_type, coalesce(m.event, ''), m.from_user, m.to_user, m.msg_id,
			m.created_at, m.received_at, m.dedupe_key, m.body, m.secret_body, m.state, CASE WHEN m.state = 'handled' THEN m.received_at END
		FROM unnest($1::text[], $2::text[], $3::text[], $4::text[], $5::text[], $6::text[], $7::text[], $8::text[],
				$9::timestamptz[], $10::timestamptz[], $11::bytea[], $12::text[], $13::bytea[], $14::text[])
			AS m (channel, appid, info_type, msg_type, event, from_user, to_user, msg_id, created_at, received_at, dedupe_key, body, secret_body, state)
		JOIN fresh USING (dedupe_key)
		RETURNING id, dedupe_key`
	q := fresh + ` ` + insert
	if len(following.Clauses) > 0 {
		q = fresh + `, stored AS (` + insert + `)` + following.with() + ` SELECT id, dedupe_key FROM stored`
	}
	states := make([]string, len(messages))
	for i, w := range messages {
		states[i] = w.State
	}
	rows, err := db.Query(ctx, q, slices.Concat(columnsOf(messages), []any{states}, following.Args)...)
	if err != nil {
		return nil, err
	}
	outcomes := make([]outcome, len(messages))
	var id int64
	var key []byte
	_, err = pgx.ForEachRow(rows, []any{&id, &key}, func() error {
		i, found := slices.BinarySearchFunc(messages, key, func(w *waiting, key []byte) int { return bytes.Compare(w.dedupeKey, key) })
		if found {
			outcomes[i] = outcome{id: id, isNew: true}
		}
		return nil
	})
	return outcomes, err
}

// columnsOf gives the thirteen columns of messages that statements which store them begin with.
func columnsOf(messages []*waiting) []any {
	n := len(messages)
	const columns = 9
	all := make([]string, columns*n)
	texts := func(column int) []string { return all[column*n : (column+1)*n] }
	// Columns that most messages leave empty are not sent where all do.
	rarely := func(column int) []string {
		if slices.ContainsFunc(texts(column), func(t string) bool { return t != "" }) {
			return texts(column)
		}
		return nil
	}
	created, received, keys := make([]*time.Time, n), make([]time.Time, n), make([][]byte, n)
	var boxes [][]byte
	if slices.ContainsFunc(messages, func(w *waiting) bool { return w.secretBody != nil }) {
		boxes = make([][]byte, n)
	}
	for i, w := range messages {
		for column, text := range [columns]string{w.Channel, w.AppID, w.InfoType, w.MsgType, w.Event, w.FromUser, w.ToUser, w.MsgID, w.maskedBody} {
			all[column*n+i] = text
		}
		created[i], received[i], keys[i] = nullTime(w.CreatedAt), w.ReceivedAt, w.dedupeKey
		if boxes != nil {
			boxes[i] = w.secretBody
		}
	}
	return []any{
		texts(0), texts(1), rarely(2), texts(3), rarely(4), texts(5), texts(6), texts(7),
		created, received, keys, texts(8), boxes,
	}
}

// insertMessage is insertMessages for one, with a plan that costs the database a third less.
func insertMessage(ctx context.Context, db postgres.DB, w *waiting) ([]outcome, error) {
	const q = `WITH fresh AS (
			INSERT INTO message_dedupe (dedupe_key) VALUES ($11) ON CONFLICT DO NOTHING RETURNING 1)
		INSERT INTO message (id, channel, appid, info_type, msg_type, event, from_user, to_user, msg_id,
			created_at, received_at, dedupe_key, body, secret_body, state, handled_at)
		SELECT (floor(extract(epoch FROM $10::timestamptz) * 1000)::bigint << 20) | (nextval('message_number') & 1048575),
			$1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, CASE WHEN $14 = 'handled' THEN $10 END
		FROM fresh
		RETURNING id`
	var id int64
	err := db.QueryRow(ctx, q, w.Channel, w.AppID, w.InfoType, w.MsgType, w.Event, w.FromUser, w.ToUser, w.MsgID,
		nullTime(w.CreatedAt), w.ReceivedAt, w.dedupeKey, w.maskedBody, w.secretBody, w.State).Scan(&id)
	if errors.Is(err, pgx.ErrNoRows) {
		return make([]outcome, 1), nil // a copy of what is there
	}
	if err != nil {
		return nil, err
	}
	return []outcome{{id: id, isNew: true}}, nil
}

// newsPause is how long pages wait to hear of messages that need no handling: one word serves for all that came meanwhile.
const newsPause = 250 * time.Millisecond

// news tells pages about messages that nothing has to be done for.
type news struct {
	mu     sync.Mutex
	newest live.Event
	due    bool
}

func (n *news) tell(ctx context.Context, s *Service, id int64, appid string) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.newest = live.Event{Kind: "message", ID: formatID(id), AppID: appid, State: StateHandled}
	if n.due {
		return
	}
	n.due = true
	ctx = context.WithoutCancel(ctx)
	time.AfterFunc(newsPause, func() {
		n.mu.Lock()
		event := n.newest
		n.due = false
		n.mu.Unlock()
		ctx, cancel := context.WithTimeout(ctx, commitTimeout)
		defer cancel()
		if err := live.Publish(ctx, s.deps.DB, event); err != nil {
			s.log.DebugContext(ctx, "pages were not told of a message", "error", err)
		}
	})
}
