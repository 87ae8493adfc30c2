package component

import (
	"cmp"
	"context"
	"fmt"
	"log/slog"
	"slices"
	"sync"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/wxsteward/wxsteward/internal/postgres"
)

const (
	// rateEvery is how often a process adds what it has counted to the table.
	rateEvery = 2 * time.Second
	// rateFor is how long the rate is kept: a little more than may be asked for.
	rateFor = 8 * 24 * time.Hour
	// ratePoints is the most that one answer holds.
	ratePoints = 168
)

// rateKey is a minute since 1970 and the channel of the messages received in it.
type rateKey struct {
	minute  int64
	channel string
}

// rateCounter counts new messages by minute, so that nobody has to count the messages themselves. What a killed process has not
// yet written is missing; a commit whose end is unknown may count twice.
type rateCounter struct {
	mu     sync.Mutex
	counts map[rateKey]int64
}

// add counts the new ones among stored messages.
func (r *rateCounter) add(messages []*waiting, outcomes []outcome) {
	r.mu.Lock()
	defer r.mu.Unlock()
	var key rateKey // of those before
	n := int64(0)
	for i, o := range outcomes {
		if !o.isNew {
			continue
		}
		if k := (rateKey{messages[i].ReceivedAt.Unix() / 60, messages[i].Channel}); k != key {
			r.raise(key, n)
			key, n = k, 0
		}
		n++
	}
	r.raise(key, n)
}

func (r *rateCounter) raise(key rateKey, n int64) {
	if n == 0 {
		return
	}
	if r.counts == nil {
		r.counts = map[rateKey]int64{}
	}
	r.counts[key] += n
}

// take gives what has been counted, to be written.
func (r *rateCounter) take() map[rateKey]int64 {
	r.mu.Lock()
	defer r.mu.Unlock()
	counts := r.counts
	r.counts = nil
	return counts
}

// giveBack takes what could not be written, for the next time.
func (r *rateCounter) giveBack(counts map[rateKey]int64) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for key, n := range counts {
		r.raise(key, n)
	}
}

// KeepRate writes the message rate down every few seconds until ctx ends, and then a last time. Let it end after the last
// push is answered and before the database is closed.
func (s *Service) KeepRate(ctx context.Context) {
	tick := time.NewTicker(rateEvery)
	defer tick.Stop()
	for ctx.Err() == nil {
		select {
		case <-tick.C:
		case <-ctx.Done():
		}
		s.writeRate(context.WithoutCancel(ctx))
	}
}

func (s *Service) writeRate(ctx context.Context) {
	counts := s.rates.take()
	if len(counts) == 0 {
		return
	}
	ctx, cancel := context.WithTimeout(ctx, commitTimeout)
	defer cancel()
	if err := addRate(ctx, s.deps.DB, counts); err != nil {
		s.rates.giveBack(counts)
		s.log.WarnContext(ctx, "message rate not written, it will be", slog.Any("error", err))
	}
}

func addRate(ctx context.Context, db postgres.DB, counts map[rateKey]int64) error {
	keys := make([]rateKey, 0, len(counts))
	for key := range counts {
		keys = append(keys, key)
	}
	// In one order, so that replicas do not wait for each other in a circle.
	slices.SortFunc(keys, func(a, b rateKey) int {
		return cmp.Or(cmp.Compare(a.minute, b.minute), cmp.Compare(a.channel, b.channel))
	})
	minutes, channels, numbers := make([]time.Time, len(keys)), make([]string, len(keys)), make([]int64, len(keys))
	for i, key := range keys {
		minutes[i], channels[i], numbers[i] = time.Unix(key.minute*60, 0), key.channel, counts[key]
	}
	_, err := db.Exec(ctx, `INSERT INTO message_rate AS old (minute, channel, n)
		SELECT * FROM unnest($1::timestamptz[], $2::text[], $3::bigint[])
		ON CONFLICT (minute, channel) DO UPDATE SET n = old.n + excluded.n`, minutes, channels, numbers)
	return err
}

// RatePoint is how many messages came in one step of time.
type RatePoint struct {
	At             time.Time // its beginning
	Component, Biz int64
}

// Rate gives how many messages came in the last hours (1 to 168), in even steps without a gap, oldest first. The last step
// goes on. What came in the last two seconds may be missing.
func (s *Service) Rate(ctx context.Context, hours int) (points []RatePoint, step time.Duration, err error) {
	length := time.Duration(hours) * time.Hour
	for _, step = range []time.Duration{time.Minute, 2 * time.Minute, 5 * time.Minute, 10 * time.Minute, 15 * time.Minute, 30 * time.Minute, time.Hour} {
		if length/step <= ratePoints {
			break
		}
	}
	until := time.Unix(s.now().Unix()/int64(step.Seconds())*int64(step.Seconds()), 0).UTC().Add(step)
	from := until.Add(-length)
	rows, err := s.deps.DB.Query(ctx, `SELECT date_bin($1, minute, 'epoch') AS at,
			coalesce(sum(n) FILTER (WHERE channel = 'component'), 0)::bigint, coalesce(sum(n) FILTER (WHERE channel = 'biz'), 0)::bigint
		FROM message_rate WHERE minute >= $2 AND minute < $3 GROUP BY at`, step, from, until)
	if err != nil {
		return nil, 0, fmt.Errorf("read the message rate: %w", err)
	}
	points = make([]RatePoint, length/step)
	for i := range points {
		points[i].At = from.Add(time.Duration(i) * step)
	}
	var p RatePoint
	_, err = pgx.ForEachRow(rows, []any{&p.At, &p.Component, &p.Biz}, func() error {
		p.At = p.At.UTC()
		points[p.At.Sub(from)/step] = p
		return nil
	})
	if err != nil {
		return nil, 0, fmt.Errorf("read the message rate: %w", err)
	}
	return points, step, nil
}

// cleanRate removes the rate of long ago.
func (s *Service) cleanRate(ctx context.Context) error {
	if _, err := s.deps.DB.Exec(ctx, `DELETE FROM message_rate WHERE minute < $1`, s.now().Add(-rateFor)); err != nil {
		return fmt.Errorf("remove the old message rate: %w", err)
	}
	return nil
}
