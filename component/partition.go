package component

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/wxsteward/wxsteward/internal/postgres"
)

const (
	// numberBits of an id tell messages of one millisecond apart.
	numberBits = 20
	// daysAhead is for how many days there is room already.
	daysAhead = 7

	partitionPrefix = "message_"
	partitionDay    = "20060102"
)

// firstID is below the ids of all messages received at t or later, and above all others.
func firstID(t time.Time) int64 { return max(t.UnixMilli(), 0) << numberBits }

func dayOf(t time.Time) time.Time { return t.UTC().Truncate(24 * time.Hour) }

// makeRoom makes the partitions of today and the days to come.
func (s *Service) makeRoom(ctx context.Context) error {
	if err := makeDays(ctx, s.deps.DB, s.now(), 1+daysAhead); err != nil {
		return fmt.Errorf("make room for messages: %w", err)
	}
	return nil
}

// makeDays makes the partitions of n days from the day of t on, those that are missing. Pushes go on meanwhile.
func makeDays(ctx context.Context, db postgres.DB, t time.Time, n int) error {
	have, err := partitions(ctx, db)
	if err != nil {
		return err
	}
	known := make(map[string]bool, len(have))
	for _, p := range have {
		known[p.name] = true
	}
	for i := range n {
		day := dayOf(t).AddDate(0, 0, i)
		if known[partitionPrefix+day.Format(partitionDay)] {
			continue
		}
		if err := makeDay(ctx, db, day); err != nil {
			return fmt.Errorf("partition of %s: %w", day.Format(time.DateOnly), err)
		}
	}
	return nil
}

// makeDay adds one partition. A table that is made first and attached then does not lock out those who store.
func makeDay(ctx context.Context, db postgres.DB, day time.Time) error {
	name := partitionPrefix + day.Format(partitionDay)
	return pgx.BeginFunc(ctx, db, func(tx pgx.Tx) error {
		if err := lockPartitions(ctx, tx); err != nil {
			return err
		}
		var there bool
		if err := tx.QueryRow(ctx, `SELECT to_regclass($1) IS NOT NULL`, name).Scan(&there); err != nil || there {
			return err
		}
		_, err := tx.Exec(ctx, fmt.Sprintf(`CREATE TABLE %[1]s (LIKE message INCLUDING ALL);
			ALTER TABLE message ATTACH PARTITION %[1]s FOR VALUES FROM (%[2]d) TO (%[3]d)`, name, firstID(day), firstID(day.AddDate(0, 0, 1))))
		return err
	})
}

// lockPartitions lets one process change partitions at a time.
func lockPartitions(ctx context.Context, tx pgx.Tx) error {
	_, err := tx.Exec(ctx, `SELECT pg_advisory_xact_lock(hashtext('component.message'))`)
	return err
}

// partition is the table of one day.
type partition struct {
	name string
	day  time.Time
}

// partitions lists the days there are tables for, oldest first.
func partitions(ctx context.Context, db postgres.DB) ([]partition, error) {
	rows, err := db.Query(ctx, `SELECT c.relname FROM pg_inherits i JOIN pg_class c ON c.oid = i.inhrelid
		WHERE i.inhparent = 'message'::regclass ORDER BY c.relname`)
	if err != nil {
		return nil, err
	}
	names, err := pgx.CollectRows(rows, pgx.RowTo[string])
	if err != nil {
		return nil, err
	}
	list := make([]partition, 0, len(names))
	for _, name := range names {
		if day, err := time.Parse(partitionDay, strings.TrimPrefix(name, partitionPrefix)); err == nil {
			list = append(list, partition{name, day})
		}
	}
	return list, nil
}

// cleanMessages removes the days that are past their retention as a whole. A day with messages that still wait to be
// handled keeps these, and goes when they are done.
func (s *Service) cleanMessages(ctx context.Context) error {
	if s.cfg.MessageRetention <= 0 {
		return nil
	}
	days, err := partitions(ctx, s.deps.DB)
	if err != nil {
		return fmt.Errorf("remove old messages: %w", err)
	}
	before := s.now().Add(-s.cfg.MessageRetention)
	for _, p := range days {
		if p.day.AddDate(0, 0, 1).After(before) {
			break
		}
		if err := dropDay(ctx, s.deps.DB, p); err != nil {
			return fmt.Errorf("remove messages of %s: %w", p.day.Format(time.DateOnly), err)
		}
	}
	return nil
}

// dropDay removes the messages of a day, and their dedupe keys, in steps that may be cut off anywhere.
func dropDay(ctx context.Context, db postgres.DB, p partition) error {
	const step = 10000
	var waiting bool
	if err := db.QueryRow(ctx, `SELECT EXISTS (SELECT 1 FROM `+p.name+` WHERE state = 'pending')`).Scan(&waiting); err != nil {
		return err
	}
	forget := `WITH old AS (SELECT id, dedupe_key FROM ` + p.name + ` WHERE id > $1 AND state <> 'pending' ORDER BY id LIMIT $2),
		gone AS (DELETE FROM message_dedupe d USING old WHERE d.dedupe_key = old.dedupe_key)`
	if waiting {
		forget += `, away AS (DELETE FROM ` + p.name + ` m USING old WHERE m.id = old.id)`
	}
	forget += ` SELECT max(id) FROM old`
	for after := new(int64(0)); after != nil; {
		from := *after
		if err := db.QueryRow(ctx, forget, from, step).Scan(&after); err != nil {
			return err
		}
	}
	if waiting {
		return nil
	}
	return pgx.BeginFunc(ctx, db, func(tx pgx.Tx) error {
		if err := lockPartitions(ctx, tx); err != nil {
			return err
		}
		// Everybody else waits behind a lock that is waited for.
		_, err := tx.Exec(ctx, `SET LOCAL lock_timeout = '1s'; DROP TABLE IF EXISTS `+p.name)
		return err
	})
}
