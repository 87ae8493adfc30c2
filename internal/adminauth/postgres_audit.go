package adminauth

import (
	"context"
	"fmt"
	"strings"
	"time"
	"unicode"

	"github.com/jackc/pgx/v5"
)

// auditEntry is a row of audit_log.
type auditEntry struct {
	ID      int64
	At      time.Time
	User    string
	Method  string
	Path    string
	Action  string
	Target  string
	Status  int
	Outcome string
	IP      string
}

// place is where an entry stands in the list, which is ordered by time and id.
type place struct {
	At time.Time `json:"at"`
	ID int64     `json:"id"`
}

func (e auditEntry) place() place { return place{e.At, e.ID} }

func (s *Service) insertAudit(ctx context.Context, e auditEntry) error {
	const q = `INSERT INTO audit_log (at, username, method, path, action, target, status, outcome, ip)
		VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)`
	if _, err := s.db.Exec(ctx, q, s.now(), e.User, e.Method, e.Path, e.Action, e.Target, e.Status, e.Outcome, e.IP); err != nil {
		return fmt.Errorf("write audit log: %w", err)
	}
	return nil
}

// auditFilter: empty fields match everything.
type auditFilter struct {
	user, action, target, outcome string
	from, to                      time.Time
	words                         string // of searchWords
	after                         place  // begin behind this entry; zero: at the newest
}

// query is made of the conditions that there are, so that PostgreSQL can choose the index that fits them.
func (f auditFilter) query(limit int) (string, []any) {
	var where []string
	var args []any
	add := func(condition string, values ...any) {
		for _, v := range values {
			args = append(args, v)
			condition = strings.Replace(condition, "?", fmt.Sprintf("$%d", len(args)), 1)
		}
		where = append(where, condition)
	}
	if f.user != "" {
		add(`username = ?`, f.user)
	}
	if f.action != "" {
		add(`action = ?`, f.action)
	}
	if f.target != "" {
		first, _, parts := strings.Cut(f.target, "/")
		add(`split_part(target, '/', 1) = ?`, first)
		if parts {
			add(`target = ?`, f.target)
		}
	}
	if f.outcome != "" {
		add(`outcome = ?`, f.outcome)
		if f.outcome != "ok" {
			where = append(where, `outcome <> 'ok'`) // names the partial index, whatever the plan knows of the parameter
		}
	}
	if !f.from.IsZero() {
		add(`at >= ?`, f.from)
	}
	if !f.to.IsZero() {
		add(`at < ?`, f.to)
	}
	if f.words != "" {
		add(`search @@ to_tsquery('simple', ?)`, f.words)
	}
	if f.after.ID != 0 {
		add(`(at, id) < (?, ?)`, f.after.At, f.after.ID)
	}
	q := `SELECT id, at, username, method, path, action, target, status, outcome, ip FROM audit_log`
	if len(where) > 0 {
		q += ` WHERE ` + strings.Join(where, ` AND `)
	}
	return q + fmt.Sprintf(` ORDER BY at DESC, id DESC LIMIT %d`, limit), args
}

// searchWords turns what somebody types into a query of PostgreSQL's text search: each word must be there, as it is or as
// the beginning of one; what punctuation joins must stand together. It is "" where there are no words.
func searchWords(text string) string {
	var terms []string
	for term := range strings.FieldsSeq(clean(text)) {
		parts := strings.FieldsFunc(term, func(r rune) bool {
			return r < 0x80 && !unicode.IsLetter(r) && !unicode.IsDigit(r)
		})
		if len(parts) > 0 {
			terms = append(terms, "('"+strings.Join(parts, "' <-> '")+"':*)")
		}
	}
	return strings.Join(terms, " & ")
}

func (s *Service) listAudit(ctx context.Context, f auditFilter, limit int) ([]auditEntry, error) {
	q, args := f.query(limit)
	rows, err := s.db.Query(ctx, q, args...)
	if err != nil {
		return nil, fmt.Errorf("read audit log: %w", err)
	}
	entries, err := pgx.CollectRows(rows, pgx.RowToStructByPos[auditEntry])
	if err != nil {
		return nil, fmt.Errorf("read audit log: %w", err)
	}
	return entries, nil
}

// deleteAudit removes at most limit entries from before a time and tells how many there were.
func (s *Service) deleteAudit(ctx context.Context, before time.Time, limit int) (int64, error) {
	const q = `DELETE FROM audit_log WHERE id IN (SELECT id FROM audit_log WHERE at < $1 ORDER BY at LIMIT $2 FOR UPDATE SKIP LOCKED)`
	tag, err := s.db.Exec(ctx, q, before, limit)
	if err != nil {
		return 0, fmt.Errorf("shorten audit log: %w", err)
	}
	return tag.RowsAffected(), nil
}

// DeedQuery asks what was done to one thing.
type DeedQuery struct {
	Target string   // the first part of a target
	Except []string // actions left out
	// Deeds before a moment are wanted; of those at that moment the ones whose key comes before BeforeKey, byte by byte.
	Before               time.Time
	BeforeKey, KeyPrefix string
	Limit                int
}

// Deed is a call that changed something, without where it came from.
type Deed struct {
	At           time.Time
	Key          string // KeyPrefix and the id of the audit entry
	User, Action string
}

// Deeds lists what was done to one thing, as the audit log has it: newest first, only what succeeded and was no reading.
func (s *Service) Deeds(ctx context.Context, q DeedQuery) ([]Deed, error) {
	const query = `SELECT at, key, username, action FROM (
			SELECT at, $4 || lpad(id::text, 19, '0') AS key, username, action FROM audit_log
			WHERE split_part(target, '/', 1) = $1 AND outcome = 'ok' AND method <> 'GET' AND action <> ALL($6::text[])
		) d WHERE at <= $2 AND (at, key COLLATE "C") < ($2, $3 COLLATE "C") ORDER BY at DESC, key COLLATE "C" DESC LIMIT $5`
	rows, err := s.db.Query(ctx, query, q.Target, q.Before, q.BeforeKey, q.KeyPrefix, q.Limit, append([]string{}, q.Except...))
	if err != nil {
		return nil, fmt.Errorf("read audit log: %w", err)
	}
	deeds, err := pgx.CollectRows(rows, pgx.RowToStructByPos[Deed])
	if err != nil {
		return nil, fmt.Errorf("read audit log: %w", err)
	}
	return deeds, nil
}
