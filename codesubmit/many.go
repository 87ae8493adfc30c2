package codesubmit

import (
	"cmp"
	"context"
	"slices"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/wxsteward/wxsteward/internal/fault"
	"github.com/wxsteward/wxsteward/internal/live"
)

// A rollout may have ten thousand submissions. What is done to many of them is done by a few statements, whatever their
// number; the caller holds the rollout's row.

// cancelMany ends submissions now, or as soon as the outcome of a call under way is known.
func (s *Service) cancelMany(ctx context.Context, tx pgx.Tx, subs []*Submission, withdraw bool) error {
	wish := wishCancel
	if withdraw {
		wish = wishCancelWithdraw
	}
	var now []*Submission
	var wishes []int64
	for _, sub := range subs {
		if sub.endsAtOnce(withdraw) {
			now = append(now, sub)
		} else {
			wishes = append(wishes, sub.ID)
		}
	}
	if err := s.endMany(ctx, tx, now, Canceled, &StepError{Code: "canceled"}); err != nil {
		return err
	}
	if _, err := tx.Exec(ctx, `UPDATE submission SET wish = $2, look = true WHERE id = ANY($1)`, wishes, wish); err != nil {
		return err
	}
	return s.enqueue(ctx, tx, wishes)
}

// endsAtOnce reports whether a cancellation leaves nothing to be done at WeChat.
func (s *Submission) endsAtOnce(withdraw bool) bool {
	return s.sentAt == nil && (s.State != Auditing || !withdraw) && !s.graying()
}

// endMany is end for submissions of one rollout without a call under way. The rollout's own state is the caller's.
func (s *Service) endMany(ctx context.Context, tx pgx.Tx, subs []*Submission, to State, failure *StepError) error {
	if len(subs) == 0 {
		return nil
	}
	m := many{ids: make([]int64, len(subs)), from: make([]string, len(subs)), to: make([]string, len(subs))}
	seqs, resumes, events := make([]int, len(subs)), make([]string, len(subs)), make([]live.Event, len(subs))
	for i, sub := range subs {
		m.ids[i], m.from[i], m.to[i] = sub.ID, string(sub.State), string(to)
		seqs[i], resumes[i] = seq(sub.State), string(resumeAfter(sub.State, to))
		events[i] = live.Event{Kind: "submission", ID: formatID(sub.ID), AppID: sub.AppID, State: string(to)}
	}
	const end = `UPDATE submission s SET state = t.to_state, attempts = 0, error = $5, sleeper = 0, updated_at = $6, wait_until = NULL, next_look = NULL,
			finished_at = $6, wish = '', look = false, go_release = false, resume_state = t.resume
		FROM unnest($1::bigint[], $2::text[], $3::text[], $4::text[]) AS t (id, from_state, to_state, resume)
		WHERE s.id = t.id AND s.state = t.from_state`
	if err := m.all(tx.Exec(ctx, end, m.ids, m.from, m.to, resumes, failure, s.cfg.Now())); err != nil {
		return err
	}
	const steps = `INSERT INTO submission_step (submission_id, seq, name, state, started_at, finished_at, attempts, code, detail)
		SELECT t.id, t.seq, t.name, 'skipped', $4, $4, 1, $5, $6 FROM unnest($1::bigint[], $2::int[], $3::text[]) AS t (id, seq, name) WHERE t.name <> 'queued'
		ON CONFLICT (submission_id, seq) DO UPDATE SET state = excluded.state, finished_at = excluded.finished_at,
			attempts = submission_step.attempts + 1, op = '', errcode = 0, errmsg = '', rid = '', code = excluded.code, detail = excluded.detail`
	if _, err := tx.Exec(ctx, steps, m.ids, seqs, m.from, s.cfg.Now(), failure.Code, failure.Detail); err != nil {
		return err
	}
	return live.PublishAll(ctx, tx, events)
}

// retryMany sends ended submissions of one rollout on again, which have no rivals.
func (s *Service) retryMany(ctx context.Context, tx pgx.Tx, subs []*Submission) error {
	if len(subs) == 0 {
		return nil
	}
	m := many{ids: make([]int64, len(subs)), from: make([]string, len(subs)), to: make([]string, len(subs))}
	events := make([]live.Event, len(subs))
	for i, sub := range subs {
		to := sub.retryAt()
		m.ids[i], m.from[i], m.to[i] = sub.ID, string(sub.State), string(to)
		events[i] = live.Event{Kind: "submission", ID: formatID(sub.ID), AppID: sub.AppID, State: string(to)}
	}
	if err := m.reopen(ctx, tx, s.cfg.Now()); err != nil {
		return err
	}
	if err := s.reopenRollout(ctx, tx, subs[0].RolloutID); err != nil {
		return err
	}
	if err := live.PublishAll(ctx, tx, events); err != nil {
		return err
	}
	return s.enqueue(ctx, tx, m.ids)
}

// rival is another submission of a merchant that stands in the way of a retry.
type rival struct {
	id             int64
	appid, version string
	released       bool
}

func (r rival) refusal() error {
	if r.released {
		return fault.New(fault.Conflict, "Version %s of a newer rollout is released for %s, and a retry would replace it by an older one. Make a new rollout if that is wanted.", r.version, r.appid)
	}
	return fault.New(fault.Conflict, "Submission %d of another rollout is under way for %s; cancel that one first.", r.id, r.appid)
}

// leftOut counts merchants by what stands in their way.
func leftOut(others map[int64]rival) []LeftOut {
	type reason struct {
		version  string
		released bool
	}
	counts := map[reason]int{}
	for _, r := range others {
		counts[reason{r.version, r.released}]++
	}
	left := make([]LeftOut, 0, len(counts))
	for why, n := range counts {
		fact := factOf("Version %s of another rollout is under way for them.", why.version)
		if why.released {
			fact = factOf("Version %s of a newer rollout is released for them, and a retry would replace it by an older one.", why.version)
		}
		left = append(left, LeftOut{n, fact})
	}
	slices.SortFunc(left, func(a, b LeftOut) int {
		return cmp.Or(b.Merchants-a.Merchants, cmp.Compare(a.Reason.EN, b.Reason.EN))
	})
	return left
}

// rivals finds for each submission what stands in the way of its retry: a newer one under way, a newer one that was
// released and not taken back since, or an older one under way, which would go live after this one. A rollback goes back
// from its own rollout's version and from no other: only a newer one under way stands in its way, and no newer one minds
// it. Retries take turns from here to the end of the transaction, so that no two overlook each other; the caller holds
// the rollout's row.
func rivals(ctx context.Context, tx pgx.Tx, subs []*Submission) (map[int64]rival, error) {
	if _, err := tx.Exec(ctx, `SELECT pg_advisory_xact_lock(hashtext('codesubmit.retry'))`); err != nil {
		return nil, err
	}
	ids := make([]int64, len(subs))
	for i, sub := range subs {
		ids[i] = sub.ID
	}
	const others = `SELECT DISTINCT ON (s.id) s.id, n.id, n.appid, n.user_version, n.finished_at IS NOT NULL
		FROM submission s JOIN submission n ON n.appid = s.appid
		WHERE s.id = ANY($1) AND (n.id > s.id AND n.finished_at IS NULL
			OR s.rollback IS NULL AND n.rollback IS NULL AND (n.id < s.id AND n.finished_at IS NULL
				OR n.id > s.id AND n.state = 'released' AND NOT EXISTS (SELECT FROM submission b JOIN rollout r ON r.id = b.rollout_id
					WHERE b.appid = n.appid AND b.state = 'released' AND r.of_rollout_id = n.rollout_id)))
		ORDER BY s.id, n.finished_at IS NULL DESC, n.id DESC`
	rows, err := tx.Query(ctx, others, ids)
	if err != nil {
		return nil, err
	}
	found := map[int64]rival{}
	var id int64
	var r rival
	_, err = pgx.ForEachRow(rows, []any{&id, &r.id, &r.appid, &r.version, &r.released}, func() error { found[id] = r; return nil })
	return found, err
}

// many are submissions and the states that they leave and come to.
type many struct {
	ids      []int64
	from, to []string
}

// all is errMoved unless every one was moved.
func (m many) all(tag interface{ RowsAffected() int64 }, err error) error {
	if err == nil && tag.RowsAffected() != int64(len(m.ids)) {
		err = errMoved
	}
	return err
}

func (m many) reopen(ctx context.Context, tx pgx.Tx, now time.Time) error {
	const q = `UPDATE submission s SET state = t.to_state, finished_at = NULL, attempts = 0, error = NULL, wish = '', sleeper = 0, admitted = true,
			wait_until = $4, next_look = $4, updated_at = $4, resume_state = '', look = true
		FROM unnest($1::bigint[], $2::text[], $3::text[]) AS t (id, from_state, to_state)
		WHERE s.id = t.id AND s.state = t.from_state`
	tag, err := tx.Exec(ctx, q, m.ids, m.from, m.to, now)
	return m.all(tag, err)
}
