package codesubmit

import (
	"context"
	"errors"
	"time"

	"github.com/jackc/pgx/v5"
)

// newerThere tells rejections and withdrawals that a newer submission of the merchant has left behind.
const newerThere = `EXISTS (SELECT 1 FROM submission n WHERE n.appid = s.appid AND n.id > s.id)`

func (s *Service) deskPage(ctx context.Context, f DeskFilter) ([]DeskItem, error) {
	where := `s.state = 'auditing'`
	switch f.State { // 4: WeChat has postponed it
	case DeskAuditing:
		where = `s.state = 'auditing' AND s.audit_status IS DISTINCT FROM 4`
	case DeskDelayed:
		where = `s.state = 'auditing' AND s.audit_status = 4`
	case DeskApproved:
		where = `s.state = 'approved'`
	case DeskRejected:
		where = `s.state = 'rejected' AND NOT ` + newerThere
	case DeskWithdrawn:
		where = `s.state = 'withdrawn' AND NOT ` + newerThere
	}
	after := DeskPosition{}
	if f.After != nil {
		after = *f.After
	}
	var a arguments
	where += ` AND s.submitted_at IS NOT NULL AND (s.submitted_at, s.id) > (` + a.add(after.SubmittedAt) + `, ` + a.add(after.ID) + `)`
	if f.UserVersion != "" {
		where += ` AND s.user_version = ` + a.add(f.UserVersion)
	}
	if f.RolloutID != 0 {
		where += ` AND s.rollout_id = ` + a.add(f.RolloutID)
	}
	if f.Query != "" {
		names, err := s.merchants.SearchNames(ctx, f.Query)
		if err != nil {
			return nil, err
		}
		part := a.add(like(f.Query))
		where += ` AND (s.user_version ILIKE ` + part + ` OR s.reason ILIKE ` + part + ` OR ` + names.Condition(`s.appid`, a.add) + `)`
	}
	q := `SELECT ` + submissionColumns + `, r.name FROM submission s JOIN rollout r ON r.id = s.rollout_id
		WHERE ` + where + ` ORDER BY s.submitted_at, s.id LIMIT ` + a.add(f.Limit)
	rows, err := s.db.Query(ctx, q, a.planned(f.Query != "")...)
	if err != nil {
		return nil, err
	}
	return pgx.CollectRows(rows, func(row pgx.CollectableRow) (DeskItem, error) {
		item := DeskItem{Submission: &Submission{}}
		return item, row.Scan(append(item.columns(), &item.RolloutName)...)
	})
}

// fetchedScreenshots are the pictures of the last rejection that are here, by submission.
func (s *Service) fetchedScreenshots(ctx context.Context, submissions []int64) (map[int64][]int64, error) {
	rows, err := s.db.Query(ctx, `SELECT c.submission_id, c.id FROM submission_screenshot c
		JOIN submission s ON s.id = c.submission_id AND s.ended_audit_id = c.audit_id
		WHERE c.submission_id = ANY($1) AND c.image IS NOT NULL AND s.ended_audit_id = s.audit_id ORDER BY c.id`, submissions)
	if err != nil {
		return nil, err
	}
	shots := map[int64][]int64{}
	var submission, shot int64
	_, err = pgx.ForEachRow(rows, []any{&submission, &shot}, func() error {
		shots[submission] = append(shots[submission], shot)
		return nil
	})
	return shots, err
}

// deskCounts counts all but the rejections, which rejectionGroups counts.
func (s *Service) deskCounts(ctx context.Context) (DeskSummary, error) {
	const q = `SELECT CASE WHEN s.state = 'auditing' AND s.audit_status = 4 THEN 'delayed' ELSE s.state END, count(*), min(s.submitted_at)
		FROM submission s WHERE s.submitted_at IS NOT NULL
		AND (s.state IN ('auditing', 'approved') OR s.state = 'withdrawn' AND NOT ` + newerThere + `) GROUP BY 1`
	sum := DeskSummary{Counts: map[DeskState]int{}}
	rows, err := s.db.Query(ctx, q)
	if err != nil {
		return sum, err
	}
	var state DeskState
	var n int
	var oldest time.Time
	_, err = pgx.ForEachRow(rows, []any{&state, &n, &oldest}, func() error {
		sum.Counts[state] = n
		if (state == DeskAuditing || state == DeskDelayed) && (sum.Oldest == nil || oldest.Before(*sum.Oldest)) {
			sum.Oldest = new(oldest)
		}
		return nil
	})
	return sum, err
}

func (s *Service) rejectionGroups(ctx context.Context) (groups []RejectionGroup, total int, err error) {
	const q = `SELECT min(s.reason), count(*), (array_agg(s.id ORDER BY s.id))[1:$1], (sum(count(*)) OVER ())::bigint FROM submission s
		WHERE s.state = 'rejected' AND s.submitted_at IS NOT NULL AND NOT ` + newerThere + `
		GROUP BY s.reason_group ORDER BY 2 DESC, 1 LIMIT 200`
	rows, err := s.db.Query(ctx, q, mostInGroup)
	if err != nil {
		return nil, 0, err
	}
	groups, err = pgx.CollectRows(rows, func(row pgx.CollectableRow) (g RejectionGroup, err error) {
		return g, row.Scan(&g.Reason, &g.Count, &g.IDs, &total)
	})
	return groups, total, err
}

// enoughAudits is how many audits of our own it takes to say how long one takes.
const enoughAudits = 5

// usualAudit is the median time of the last audits that were decided, without those sped up; nil: there are too few.
func (s *Service) usualAudit(ctx context.Context) (*time.Duration, error) {
	const q = `SELECT count(*), extract(epoch FROM percentile_cont(0.5) WITHIN GROUP (ORDER BY took)) FROM (
			SELECT audit_ended_at - submitted_at AS took FROM submission
			WHERE audit_status IN (0, 1) AND sped_up_at IS NULL AND audit_ended_at IS NOT NULL ORDER BY audit_ended_at DESC LIMIT 200) last`
	var n int
	var seconds *float64
	if err := s.db.QueryRow(ctx, q).Scan(&n, &seconds); err != nil || n < enoughAudits {
		return nil, err
	}
	return new(time.Duration(*seconds * float64(time.Second)).Round(time.Second)), nil
}

// committedAt is when a submission's code became the merchant's trial version; nil: it never did, as far as is known. since
// tells that another submission of the merchant may have committed after it.
func (s *Service) committedAt(ctx context.Context, id int64) (at *time.Time, since bool, err error) {
	const q = `SELECT st.finished_at, EXISTS (SELECT 1 FROM submission o JOIN submission_step ost ON ost.submission_id = o.id
			WHERE o.appid = s.appid AND o.id <> s.id AND ost.name = 'committing' AND (ost.finished_at IS NULL OR ost.finished_at > st.started_at))
		FROM submission s JOIN submission_step st ON st.submission_id = s.id
		WHERE s.id = $1 AND st.name = 'committing' AND st.state = 'done'`
	err = s.db.QueryRow(ctx, q, id).Scan(&at, &since)
	if errors.Is(err, pgx.ErrNoRows) {
		err = nil
	}
	return at, since, err
}
