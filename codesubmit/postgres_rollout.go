package codesubmit

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/wxsteward/wxsteward/authorize"
	"github.com/wxsteward/wxsteward/internal/fault"
	"github.com/wxsteward/wxsteward/internal/postgres"
)

func (s *Service) insertRollout(ctx context.Context, tx pgx.Tx, spec *Spec, targets []authorize.Target, by string) (int64, error) {
	specJSON, targetsJSON, err := storedSpec(spec)
	if err != nil {
		return 0, err
	}
	state := RolloutRunning
	if spec.StartAt != nil && s.cfg.Now().Before(*spec.StartAt) {
		state = RolloutScheduled
	}
	var id int64
	err = tx.QueryRow(ctx, `INSERT INTO rollout (name, state, template_id, user_version, user_desc, spec, targets, total, created_by, created_at, start_at, paced)
		VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12) RETURNING id`,
		spec.Name, state, spec.TemplateID, spec.UserVersion, spec.UserDesc, specJSON, targetsJSON, len(targets), by, s.cfg.Now(), spec.StartAt, spec.Strategy.paced()).Scan(&id)
	if err != nil {
		return 0, err
	}
	appids := make([]string, len(targets))
	markers := make([]string, len(targets))
	for i, t := range targets {
		appids[i], markers[i] = t.AppID, newMarker()
	}
	_, err = tx.Exec(ctx, `INSERT INTO submission (rollout_id, appid, state, template_id, user_version, marker, wait_until, next_look, created_at, updated_at)
		SELECT $1, t.appid, 'queued', $2, $3, t.marker, $4, $4, $4, $4 FROM unnest($5::text[], $6::text[]) AS t (appid, marker)`,
		id, spec.TemplateID, spec.UserVersion, s.cfg.Now(), appids, markers)
	if err != nil {
		return 0, err
	}
	return id, publishRollout(ctx, tx, id, state)
}

const rolloutColumns = `r.id, r.name, r.state, r.template_id, r.user_version, r.user_desc, r.spec, r.total, r.pause_reason, r.created_by, r.created_at, r.start_at, r.finished_at, r.resumed_at, r.turns_at, r.turns_job, r.kind, coalesce(r.of_rollout_id, 0)`

func scanRollout(row pgx.Row) (*Rollout, error) {
	var r Rollout
	var spec []byte
	err := row.Scan(&r.ID, &r.Name, &r.State, &r.TemplateID, &r.UserVersion, &r.UserDesc, &spec, &r.Total, &r.PauseReason,
		&r.CreatedBy, &r.CreatedAt, &r.StartAt, &r.FinishedAt, &r.resumedAt, &r.turnsAt, &r.turnsJob, &r.Kind, &r.OfID)
	if errors.Is(err, pgx.ErrNoRows) {
		return nil, fault.New(fault.NotFound, "There is no such rollout.")
	}
	if err != nil {
		return nil, err
	}
	r.Counts = map[State]int{}
	return &r, json.Unmarshal(spec, &r.Spec)
}

// Rollout reads one rollout with its counts.
func (s *Service) Rollout(ctx context.Context, id int64) (*Rollout, error) {
	r, err := rolloutByID(ctx, s.db, id)
	if err != nil {
		return nil, err
	}
	return r, s.addCanaryHolds(ctx, []*Rollout{r})
}

func rolloutByID(ctx context.Context, db postgres.DB, id int64) (*Rollout, error) {
	r, err := scanRollout(db.QueryRow(ctx, `SELECT `+rolloutColumns+` FROM rollout r WHERE r.id = $1`, id))
	if err != nil {
		return nil, err
	}
	var targets []byte
	if err := db.QueryRow(ctx, `SELECT targets FROM rollout WHERE id = $1`, id).Scan(&targets); err != nil {
		return nil, err
	}
	if err := json.Unmarshal(targets, &r.Spec.Targets); err != nil {
		return nil, err
	}
	return r, addCounts(ctx, db, []*Rollout{r})
}

// RolloutFilter is a page of rollouts, newest first. After 0 is the first page.
type RolloutFilter struct {
	State RolloutState
	Query string
	After int64
	Limit int
}

// Rollouts lists rollouts and counts them all.
func (s *Service) Rollouts(ctx context.Context, f RolloutFilter) ([]*Rollout, int64, error) {
	const where = ` FROM rollout r WHERE ($1::text = '' OR r.state = $1::text) AND ($2::text = '' OR r.name ILIKE $3 OR r.user_version ILIKE $3)`
	args := []any{f.State, f.Query, like(f.Query)}
	var total int64
	if err := s.db.QueryRow(ctx, `SELECT count(*)`+where, args...).Scan(&total); err != nil {
		return nil, 0, err
	}
	rows, err := s.db.Query(ctx, `SELECT `+rolloutColumns+where+` AND ($4::bigint = 0 OR r.id < $4::bigint) ORDER BY r.id DESC LIMIT $5`, append(args, f.After, f.Limit)...)
	if err != nil {
		return nil, 0, err
	}
	list, err := pgx.CollectRows(rows, func(row pgx.CollectableRow) (*Rollout, error) { return scanRollout(row) })
	if err != nil {
		return nil, 0, err
	}
	if err := addCounts(ctx, s.db, list); err != nil {
		return nil, 0, err
	}
	return list, total, s.addCanaryHolds(ctx, list)
}

func addCounts(ctx context.Context, db postgres.DB, list []*Rollout) error {
	byID := make(map[int64]*Rollout, len(list))
	ids := make([]int64, 0, len(list))
	for _, r := range list {
		byID[r.ID] = r
		ids = append(ids, r.ID)
	}
	rows, err := db.Query(ctx, `SELECT rollout_id, state, count(*) FROM submission WHERE rollout_id = ANY($1) GROUP BY 1, 2`, ids)
	if err != nil {
		return err
	}
	var id int64
	var state State
	var n int
	_, err = pgx.ForEachRow(rows, []any{&id, &state, &n}, func() error {
		byID[id].Counts[state] = n
		return nil
	})
	if err != nil {
		return err
	}
	return addHolds(ctx, db, byID, ids)
}

// Counts is the number of submissions in each state over rollouts that are not over, for the dashboard.
func (s *Service) Counts(ctx context.Context) (map[RolloutState]int, map[State]int, error) {
	rollouts, states := map[RolloutState]int{}, map[State]int{}
	rows, err := s.db.Query(ctx, `SELECT state, count(*) FROM rollout GROUP BY 1`)
	if err != nil {
		return nil, nil, err
	}
	var r RolloutState
	var n int
	if _, err := pgx.ForEachRow(rows, []any{&r, &n}, func() error { rollouts[r] = n; return nil }); err != nil {
		return nil, nil, err
	}
	rows, err = s.db.Query(ctx, `SELECT state, count(*) FROM submission GROUP BY 1`)
	if err != nil {
		return nil, nil, err
	}
	var st State
	_, err = pgx.ForEachRow(rows, []any{&st, &n}, func() error { states[st] = n; return nil })
	return rollouts, states, err
}

func lockedRollout(ctx context.Context, tx pgx.Tx, id int64) (*Rollout, error) {
	return scanRollout(tx.QueryRow(ctx, `SELECT `+rolloutColumns+` FROM rollout r WHERE r.id = $1 FOR NO KEY UPDATE`, id))
}

func setRolloutState(ctx context.Context, tx pgx.Tx, id int64, state RolloutState, reason Fact) error {
	_, err := tx.Exec(ctx, `UPDATE rollout SET state = $2::text, pause_reason = $3,
		finished_at = CASE WHEN $2::text IN ('completed', 'canceled') THEN now() END WHERE id = $1`, id, state, reason)
	return err
}

// countStates tells how many submissions of a rollout are in each state.
func countStates(ctx context.Context, tx pgx.Tx, id int64) (map[State]int64, error) {
	rows, err := tx.Query(ctx, `SELECT state, count(*) FROM submission WHERE rollout_id = $1 GROUP BY state`, id)
	if err != nil {
		return nil, err
	}
	counts := map[State]int64{}
	var state State
	var n int64
	_, err = pgx.ForEachRow(rows, []any{&state, &n}, func() error {
		counts[state] = n
		return nil
	})
	return counts, err
}

// SubmissionFilter is a page of submissions, newest first. Zero fields match everything.
type SubmissionFilter struct {
	RolloutID int64
	AppID     string
	State     State
	Latest    bool // only a merchant's newest
	Query     string
	After     int64
	Limit     int
}

// arguments of a query, in the order of their placeholders.
type arguments []any

// add returns the placeholder of another argument.
func (a *arguments) add(value any) string {
	*a = append(*a, value)
	return fmt.Sprintf("$%d", len(*a))
}

// planned has a query by name planned for the text at hand: a plan for any text, which PostgreSQL comes to after a few
// of them, takes the wrong index.
func (a arguments) planned(byName bool) []any {
	if byName {
		return append([]any{pgx.QueryExecModeDescribeExec}, a...)
	}
	return a
}

// Submissions lists submissions and counts them all.
func (s *Service) Submissions(ctx context.Context, f SubmissionFilter) ([]*Submission, int64, error) {
	where, args, err := s.selected(ctx, f)
	if err != nil {
		return nil, 0, err
	}
	var total int64
	if err := s.db.QueryRow(ctx, `SELECT count(*) FROM submission s`+where, args.planned(f.Query != "")...).Scan(&total); err != nil {
		return nil, 0, err
	}
	list, err := s.submissionsAfter(ctx, where, args, f)
	return list, total, err
}

func (s *Service) submissionPage(ctx context.Context, f SubmissionFilter) ([]*Submission, error) {
	where, args, err := s.selected(ctx, f)
	if err != nil {
		return nil, err
	}
	return s.submissionsAfter(ctx, where, args, f)
}

func (s *Service) submissionsAfter(ctx context.Context, where string, args arguments, f SubmissionFilter) ([]*Submission, error) {
	if f.After != 0 {
		where += ` AND s.id < ` + args.add(f.After)
	}
	where += ` ORDER BY s.id DESC LIMIT ` + args.add(f.Limit)
	rows, err := s.db.Query(ctx, `SELECT `+submissionColumns+` FROM submission s`+where, args.planned(f.Query != "")...)
	if err != nil {
		return nil, err
	}
	return pgx.CollectRows(rows, scanSubmission)
}

// selected names only what is asked for, so that each combination finds its index.
func (s *Service) selected(ctx context.Context, f SubmissionFilter) (where string, args arguments, err error) {
	where = ` WHERE true`
	if f.RolloutID != 0 {
		where += ` AND s.rollout_id = ` + args.add(f.RolloutID)
	}
	if f.AppID != "" {
		where += ` AND s.appid = ` + args.add(f.AppID)
	}
	if f.State != "" {
		where += ` AND s.state = ` + args.add(f.State)
	}
	if f.Query != "" {
		names, err := s.merchants.SearchNames(ctx, f.Query)
		if err != nil {
			return "", nil, err
		}
		where += ` AND ` + names.Condition(`s.appid`, args.add)
	}
	if f.Latest {
		where += ` AND NOT EXISTS (SELECT FROM submission n WHERE n.appid = s.appid AND n.id > s.id)`
	}
	return where, args, nil
}

func (s *Service) submissionByID(ctx context.Context, id int64) (*Submission, error) {
	var sub Submission
	err := s.db.QueryRow(ctx, `SELECT `+submissionColumns+` FROM submission s WHERE s.id = $1`, id).Scan(sub.columns()...)
	if errors.Is(err, pgx.ErrNoRows) {
		return nil, fault.New(fault.NotFound, "There is no such submission.")
	}
	return &sub, err
}

// lockedSubmission takes the rollout's row first, as everybody does who may end a submission.
func (s *Service) lockedSubmission(ctx context.Context, tx pgx.Tx, id int64) (*Submission, error) {
	var rollout int64
	err := tx.QueryRow(ctx, `SELECT r.id FROM rollout r JOIN submission s ON s.rollout_id = r.id WHERE s.id = $1 FOR NO KEY UPDATE OF r`, id).Scan(&rollout)
	if errors.Is(err, pgx.ErrNoRows) {
		return nil, fault.New(fault.NotFound, "There is no such submission.")
	}
	if err != nil {
		return nil, err
	}
	var sub Submission
	err = tx.QueryRow(ctx, `SELECT `+submissionColumns+` FROM submission s WHERE s.id = $1 FOR NO KEY UPDATE`, id).Scan(sub.columns()...)
	return &sub, err
}

func (s *Service) steps(ctx context.Context, id int64) ([]Step, error) {
	rows, err := s.db.Query(ctx, `SELECT name, state, started_at, finished_at, attempts, op, errcode, errmsg, rid, code, detail
		FROM submission_step WHERE submission_id = $1 ORDER BY seq`, id)
	if err != nil {
		return nil, err
	}
	return pgx.CollectRows(rows, func(row pgx.CollectableRow) (Step, error) {
		var st Step
		var f StepError
		err := row.Scan(&st.Name, &st.State, &st.StartedAt, &st.FinishedAt, &st.Attempts, &f.Op, &f.ErrCode, &f.ErrMsg, &f.RID, &f.Code, &st.Detail)
		if f.ErrCode != 0 || f.Code != "" {
			f.Detail = st.Detail
			st.Failure = &f
		}
		return st, err
	})
}

func (s *Service) screenshot(ctx context.Context, submissionID, id int64) (image []byte, contentType string, err error) {
	err = s.db.QueryRow(ctx, `SELECT image, content_type FROM submission_screenshot WHERE id = $1 AND submission_id = $2 AND image IS NOT NULL`,
		id, submissionID).Scan(&image, &contentType)
	if errors.Is(err, pgx.ErrNoRows) {
		return nil, "", fault.New(fault.NotFound, "This picture is not here, or not fetched from WeChat yet.")
	}
	return image, contentType, err
}

func openSubmissions(ctx context.Context, tx pgx.Tx, rolloutID int64) ([]*Submission, error) {
	rows, err := tx.Query(ctx, `SELECT `+submissionColumns+` FROM submission s WHERE s.rollout_id = $1 AND s.finished_at IS NULL ORDER BY s.id FOR NO KEY UPDATE`, rolloutID)
	if err != nil {
		return nil, err
	}
	return pgx.CollectRows(rows, scanSubmission)
}

func submissionsInStates(ctx context.Context, tx pgx.Tx, rolloutID int64, states []State) ([]*Submission, error) {
	rows, err := tx.Query(ctx, `SELECT `+submissionColumns+` FROM submission s WHERE s.rollout_id = $1 AND s.state = ANY($2) ORDER BY s.id FOR NO KEY UPDATE`, rolloutID, states)
	if err != nil {
		return nil, err
	}
	return pgx.CollectRows(rows, scanSubmission)
}

func openOf(ctx context.Context, tx pgx.Tx, appid string) ([]*Submission, error) {
	rows, err := tx.Query(ctx, `SELECT `+submissionColumns+` FROM submission s WHERE s.appid = $1 AND s.finished_at IS NULL ORDER BY s.rollout_id`, appid)
	if err != nil {
		return nil, err
	}
	return pgx.CollectRows(rows, scanSubmission)
}

// reopenRollout takes a rollout up again when one of its submissions is. One whose time has not come waits for it again.
func (s *Service) reopenRollout(ctx context.Context, tx pgx.Tx, id int64) error {
	var startAt *time.Time
	err := tx.QueryRow(ctx, `UPDATE rollout SET state = CASE WHEN start_at > $2 THEN 'scheduled' ELSE 'running' END, finished_at = NULL
		WHERE id = $1 AND state IN ('completed', 'canceled') RETURNING start_at`, id, s.cfg.Now()).Scan(&startAt)
	if errors.Is(err, pgx.ErrNoRows) {
		return nil // it is not over
	}
	if err != nil || startAt == nil || !s.cfg.Now().Before(*startAt) {
		return err
	}
	return s.enqueueStart(ctx, tx, id, startAt)
}

func setGo(ctx context.Context, tx pgx.Tx, id int64, submit, release bool) error {
	_, err := tx.Exec(ctx, `UPDATE submission SET go_submit = go_submit OR $2, go_release = go_release OR $3 WHERE id = $1`, id, submit, release)
	return err
}

// overdue finds submissions that should have been looked at and were not: their job was lost, for instance with a
// restored backup, or the clock was set back.
func (s *Service) overdue(ctx context.Context, tx pgx.Tx, before time.Time, limit int) ([]int64, error) {
	rows, err := tx.Query(ctx, `SELECT s.id FROM submission s JOIN rollout r ON r.id = s.rollout_id
		WHERE s.finished_at IS NULL AND s.admitted AND (s.next_look < $1 OR s.updated_at > $3) AND (r.state IN ('running', 'canceled') OR s.state = 'auditing')
		ORDER BY s.next_look LIMIT $2`, before, limit, s.cfg.Now().Add(clockError))
	if err != nil {
		return nil, err
	}
	return pgx.CollectRows(rows, pgx.RowTo[int64])
}

func markResumed(ctx context.Context, tx pgx.Tx, id int64, now time.Time) error {
	_, err := tx.Exec(ctx, `UPDATE rollout SET state = 'running', pause_reason = '{}',
		resumed_at = greatest($2, (SELECT max(finished_at) FROM submission WHERE rollout_id = $1)) -- the clock may have been set back
		WHERE id = $1`, id, now)
	return err
}

// storeSpec replaces what a rollout wants; its targets stay.
func storeSpec(ctx context.Context, tx pgx.Tx, id int64, spec *Spec) error {
	text, _, err := storedSpec(spec)
	if err != nil {
		return err
	}
	_, err = tx.Exec(ctx, `UPDATE rollout SET spec = $2, name = $3, start_at = $4, paced = $5 WHERE id = $1`,
		id, text, spec.Name, spec.StartAt, spec.Strategy.paced())
	return err
}

// tallyOf counts merchants that had their turn.
func tallyOf(ctx context.Context, tx pgx.Tx, r *Rollout) (t tally, err error) {
	const q = `SELECT
			count(*) FILTER (WHERE state IN ('failed', 'rejected') AND finished_at > coalesce($2::timestamptz, '-infinity')),
			count(*) FILTER (WHERE state IN ('released', 'failed', 'rejected') AND finished_at > coalesce($2::timestamptz, '-infinity')),
			count(*) FILTER (WHERE admitted AND finished_at IS NULL AND (state NOT IN ('auditing', 'approved', 'releasing') OR rollback IS NOT NULL))
		FROM submission WHERE rollout_id = $1`
	err = tx.QueryRow(ctx, q, r.ID, r.resumedAt).Scan(&t.failed, &t.finished, &t.underWay)
	return t, err
}

func firstSubmissions(ctx context.Context, tx pgx.Tx, rolloutID int64, n int) ([]*Submission, error) {
	rows, err := tx.Query(ctx, `SELECT `+submissionColumns+` FROM submission s WHERE s.rollout_id = $1 ORDER BY s.id LIMIT $2`, rolloutID, n)
	if err != nil {
		return nil, err
	}
	return pgx.CollectRows(rows, scanSubmission)
}

// markAdmitted takes the next n waiting submissions in order of their ids.
func markAdmitted(ctx context.Context, tx pgx.Tx, rolloutID int64, n int, now time.Time) ([]int64, error) {
	rows, err := tx.Query(ctx, `UPDATE submission SET admitted = true, error = NULL, wait_until = $3, next_look = $3 WHERE id IN (
			SELECT id FROM submission WHERE rollout_id = $1 AND NOT admitted AND finished_at IS NULL ORDER BY id LIMIT $2 FOR NO KEY UPDATE)
		RETURNING id`, rolloutID, n, now)
	return sortedIDs(rows, err)
}

// turnsOverdue finds rollouts that nobody has given turns in for long although merchants wait for one.
func turnsOverdue(ctx context.Context, tx pgx.Tx, before, after time.Time) ([]int64, error) {
	rows, err := tx.Query(ctx, `UPDATE rollout r SET turns_job = 0, turns_due = true
		WHERE r.finished_at IS NULL AND (greatest(r.turns_at, r.created_at, r.start_at) < $1 OR r.turns_at > $2) AND r.state IN ('running', 'scheduled')
			AND EXISTS (SELECT 1 FROM submission s WHERE s.rollout_id = r.id AND NOT s.admitted AND s.finished_at IS NULL)
		RETURNING r.id`, before, after)
	if err != nil {
		return nil, err
	}
	return pgx.CollectRows(rows, pgx.RowTo[int64])
}

// lookAtWaiting finds the submissions of a rollout that have had their turn and not ended. Those that wait for a quota are
// to look again whatever they wait for.
func lookAtWaiting(ctx context.Context, tx pgx.Tx, rolloutID int64) ([]int64, error) {
	return sortedIDs(tx.Query(ctx, `UPDATE submission SET look = look OR coalesce(error ->> 'code' = $2, false)
		WHERE rollout_id = $1 AND finished_at IS NULL AND admitted RETURNING id`, rolloutID, quotaExhausted))
}

// lookAtState marks the submissions of a rollout that are in a state to be looked at now.
func lookAtState(ctx context.Context, tx pgx.Tx, rolloutID int64, state State) ([]int64, error) {
	return sortedIDs(tx.Query(ctx, `UPDATE submission SET look = true WHERE rollout_id = $1 AND state = $2 RETURNING id`, rolloutID, state))
}

func sortedIDs(rows pgx.Rows, err error) ([]int64, error) {
	if err != nil {
		return nil, err
	}
	ids, err := pgx.CollectRows(rows, pgx.RowTo[int64])
	slices.Sort(ids)
	return ids, err
}
