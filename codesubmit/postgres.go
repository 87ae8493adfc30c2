package codesubmit

import (
	"context"
	"encoding/json"
	"errors"
	"strconv"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/wxsteward/wxsteward/component"
	"github.com/wxsteward/wxsteward/internal/live"
	"github.com/wxsteward/wxsteward/internal/postgres"
	"github.com/wxsteward/wxsteward/internal/wechat"
)

const submissionColumns = `s.id, s.rollout_id, s.appid, s.state, s.template_id, s.user_version, s.marker, s.sent_at, s.attempts,
	coalesce(s.audit_id, 0), coalesce(s.ended_audit_id, 0), s.audit_status, s.reason, s.go_submit, s.go_release, s.wish,
	s.resume_state, s.admitted, s.sleeper, s.look, s.wait_until, s.next_look, s.gray, s.rollback,
	s.error, s.created_at, s.updated_at, s.finished_at,
	s.audit, s.submitted_at, s.audit_ended_at, s.speed_up, s.sped_up_at, s.speed_up_error`

func scanSubmission(row pgx.CollectableRow) (*Submission, error) {
	var s Submission
	err := row.Scan(s.columns()...)
	return &s, err
}

func (s *Submission) columns() []any {
	return []any{
		&s.ID, &s.RolloutID, &s.AppID, &s.State, &s.TemplateID, &s.UserVersion, &s.marker, &s.sentAt, &s.Attempts,
		&s.AuditID, &s.endedAuditID, &s.AuditStatus, &s.Reason, &s.goSubmit, &s.goRelease, &s.wish,
		&s.resume, &s.admitted, &s.sleeper, &s.look, &s.WaitUntil, &s.nextLook, &s.gray, &s.back,
		&s.Failure, &s.CreatedAt, &s.UpdatedAt, &s.FinishedAt,
		&s.audit, &s.submittedAt, &s.auditEndedAt, &s.SpeedUp, &s.spedUpAt, &s.SpeedUpError,
	}
}

// appidOf is empty for a submission that is gone.
func (s *Service) appidOf(ctx context.Context, id int64) (string, error) {
	var appid string
	err := s.db.QueryRow(ctx, `SELECT appid FROM submission WHERE id = $1`, id).Scan(&appid)
	if errors.Is(err, pgx.ErrNoRows) {
		return "", nil
	}
	return appid, err
}

// load reads a submission with what its rollout wants.
func (s *Service) load(ctx context.Context, id int64) (*work, error) {
	w := &work{Submission: &Submission{}}
	var spec []byte
	var rollout RolloutState
	const q = `SELECT ` + submissionColumns + `, r.spec, r.state, coalesce(st.state = 'running', false), ` + heldColumns + `
		FROM submission s JOIN rollout r ON r.id = s.rollout_id` + heldJoin + `
		LEFT JOIN submission_step st ON st.submission_id = s.id AND st.name = s.state
		WHERE s.id = $1`
	err := s.db.QueryRow(ctx, q, id).Scan(append(w.columns(), &spec, &rollout, &w.stepRunning, &w.heldUntil, &w.heldCode)...)
	if err != nil {
		return nil, err
	}
	if err := json.Unmarshal(spec, &w.spec); err != nil {
		return nil, err
	}
	if w.audit != nil {
		w.spec.Audit = *w.audit
	}
	w.paused = rollout == RolloutPaused || rollout == RolloutScheduled
	w.api = s.merchants.API(w.AppID)
	return w, nil
}

func (s *Service) olderOpen(ctx context.Context, appid string, than int64) ([]*Submission, error) {
	rows, err := s.db.Query(ctx, `SELECT `+submissionColumns+` FROM submission s
		WHERE s.appid = $1 AND s.id < $2 AND s.finished_at IS NULL ORDER BY s.id`, appid, than)
	if err != nil {
		return nil, err
	}
	return pgx.CollectRows(rows, scanSubmission)
}

// startStep writes down that the present step runs, once for each time it is come to.
func (s *Service) startStep(ctx context.Context, w *work) error {
	if w.stepRunning || w.State == Queued {
		return nil
	}
	const q = `INSERT INTO submission_step (submission_id, seq, name, state, started_at) VALUES ($1, $2, $3, 'running', $4)
		ON CONFLICT (submission_id, seq) DO UPDATE SET state = 'running', finished_at = NULL`
	_, err := s.db.Exec(ctx, q, w.ID, seq(w.State), w.State, s.cfg.Now())
	return err
}

// markSent is committed before a call that changes something at WeChat goes out. It does not when an operator has wished for
// something since the submission was read.
func (s *Service) markSent(ctx context.Context, w *work) error {
	tag, err := s.db.Exec(ctx, `UPDATE submission SET sent_at = $3, updated_at = $3 WHERE id = $1 AND state = $2 AND wish = $4`, w.ID, w.State, s.cfg.Now(), w.wish)
	if err == nil && tag.RowsAffected() == 0 {
		err = errMoved
	}
	return err
}

// record writes down what a step came to, in one transaction with all that follows from it.
func (s *Service) record(ctx context.Context, w *work, out *outcome, jobID int64) (next time.Time, err error) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), 15*time.Second)
	defer cancel() // what WeChat did must be written down, even when we are told to stop
	if out.to != "" && !allowed(w.State, out.to) {
		return time.Time{}, &StepError{Code: "internal", Detail: factOf("no transition from %s to %s", w.State, out.to)}
	}
	err = pgx.BeginFunc(ctx, s.db, func(tx pgx.Tx) error {
		if out.to != "" {
			return s.recordMove(ctx, tx, w, out)
		}
		return s.recordStay(ctx, tx, w, out, jobID)
	})
	return out.wait, err
}

func (s *Service) recordMove(ctx context.Context, tx pgx.Tx, w *work, out *outcome) error {
	if out.to == Released {
		if err := s.released(ctx, tx, w); err != nil { // before the rollout's row, as whoever withdraws a merchant does
			return err
		}
	}
	if out.to.Ended() || out.to == Auditing { // before anything else that others lock too
		if err := lockRollout(ctx, tx, w.RolloutID); err != nil {
			return err
		}
	}
	if err := s.move(ctx, tx, w.Submission, out.to, out.failure, out.keep); err != nil {
		return err
	}
	if err := s.finishStep(ctx, tx, w, out); err != nil {
		return err
	}
	if out.apply != nil {
		if err := out.apply(ctx, tx); err != nil {
			return err
		}
	}
	return s.afterMove(ctx, tx, w.Submission, out.to)
}

// move changes the state if it is still what it was read as. inDoubt keeps the mark of a call that was sent, so that a
// retry looks for its effect first.
func (s *Service) move(ctx context.Context, tx pgx.Tx, sub *Submission, to State, failure *StepError, inDoubt bool) error {
	const q = `UPDATE submission SET state = $3::text, sent_at = CASE WHEN $8::boolean THEN sent_at END, attempts = 0, error = $4, sleeper = 0, updated_at = $5::timestamptz,
			wait_until = CASE WHEN $6::boolean THEN NULL ELSE $5::timestamptz END,
			next_look = CASE WHEN $6::boolean THEN NULL ELSE $5::timestamptz END,
			finished_at = CASE WHEN $6::boolean THEN $5::timestamptz END,
			wish = CASE WHEN $6::boolean THEN '' ELSE wish END, look = false,
			go_submit = go_submit AND $3::text <> 'auditing', go_release = go_release AND NOT $6::boolean,
			resume_state = CASE WHEN $3::text IN ('blocked', 'failed', 'canceled', 'withdrawn', 'rejected') THEN $7::text ELSE '' END
		WHERE id = $1 AND state = $2`
	resume := resumeAfter(sub.State, to)
	tag, err := tx.Exec(ctx, q, sub.ID, sub.State, to, failure, s.cfg.Now(), to.Ended(), resume, inDoubt)
	if err == nil && tag.RowsAffected() == 0 {
		err = errMoved
	}
	return err
}

// resumeAfter is where a retry goes on when a submission came from a state to an end.
func resumeAfter(from, to State) State {
	switch {
	case to == Rejected, to == Withdrawn:
		return Submitting
	case from == Queued:
		return Preflight
	default:
		return from
	}
}

// end ends a submission from outside its own job; the caller holds its rollout's row.
func (s *Service) end(ctx context.Context, tx pgx.Tx, sub *Submission, to State, failure *StepError) error {
	if !allowed(sub.State, to) {
		return errMoved
	}
	if err := lockRollout(ctx, tx, sub.RolloutID); err != nil {
		return err
	}
	if err := s.move(ctx, tx, sub, to, failure, true); err != nil { // its job may have a call under way
		return err
	}
	if err := s.finishStep(ctx, tx, &work{Submission: sub}, &outcome{to: to, failure: failure}); err != nil {
		return err
	}
	return s.afterMove(ctx, tx, sub, to)
}

// afterMove tells pages, and ends the rollout with its last submission.
func (s *Service) afterMove(ctx context.Context, tx pgx.Tx, sub *Submission, to State) error {
	if to.Ended() {
		const q = `UPDATE rollout SET state = 'completed', finished_at = $2 WHERE id = $1 AND state IN ('scheduled', 'running', 'paused')
			AND NOT EXISTS (SELECT 1 FROM submission WHERE rollout_id = $1 AND finished_at IS NULL) RETURNING name`
		var name string
		err := tx.QueryRow(ctx, q, sub.RolloutID, s.cfg.Now()).Scan(&name)
		if err == nil {
			err = s.announceDone(ctx, tx, sub.RolloutID, name, component.OutcomeCompleted)
		}
		if err != nil && !errors.Is(err, pgx.ErrNoRows) { // no row: others are under way
			return err
		}
	}
	if to == Blocked {
		if err := s.announceHold(ctx, tx, sub.RolloutID); err != nil {
			return err
		}
	}
	if to.Ended() || to == Auditing { // others may follow now
		if err := s.othersMayFollow(ctx, tx, sub.RolloutID); err != nil {
			return err
		}
	}
	if err := live.Publish(ctx, tx, live.Event{
		Kind: "submission", ID: strconv.FormatInt(sub.ID, 10), AppID: sub.AppID, State: string(to),
	}); err != nil {
		return err
	}
	return publishRollout(ctx, tx, sub.RolloutID, "")
}

func publishRollout(ctx context.Context, db postgres.DB, id int64, state RolloutState) error {
	return live.Publish(ctx, db, live.Event{Kind: "rollout", ID: strconv.FormatInt(id, 10), State: string(state)})
}

// lockRollout keeps others from changing a rollout until the transaction ends. As all row locks here it is FOR NO KEY UPDATE:
// a row written twice in one transaction has its foreign keys checked again (KEY SHARE), and FOR UPDATE would stand in the
// way of that, so that a step and an operator's action on its submission wait for each other.
func lockRollout(ctx context.Context, tx pgx.Tx, id int64) error {
	var got int64
	return tx.QueryRow(ctx, `SELECT id FROM rollout WHERE id = $1 FOR NO KEY UPDATE`, id).Scan(&got)
}

func (s *Service) finishStep(ctx context.Context, tx pgx.Tx, w *work, out *outcome) error {
	if w.State == Queued {
		return nil
	}
	if w.State == Releasing && out.to == Approved { // it is still to come
		_, err := tx.Exec(ctx, `UPDATE submission_step SET state = 'pending', finished_at = NULL WHERE submission_id = $1 AND seq = $2`, w.ID, seq(w.State))
		return err
	}
	state := StepDone
	f := out.failure
	switch {
	case out.to == Blocked || out.to == Failed || out.to == Rejected:
		state = StepFailed
	case out.skipped, out.to == Canceled, out.to == Superseded, out.to == Withdrawn:
		state = StepSkipped
	}
	if f == nil {
		f = &StepError{}
	}
	detail := out.detail
	if detail.IsZero() {
		detail = f.Detail
	}
	now := s.cfg.Now()
	const q = `INSERT INTO submission_step (submission_id, seq, name, state, started_at, finished_at, attempts, op, errcode, errmsg, rid, code, detail)
		VALUES ($1, $2, $3, $4, $5, $5, 1, $6, $7, $8, $9, $10, $11)
		ON CONFLICT (submission_id, seq) DO UPDATE SET state = excluded.state, finished_at = excluded.finished_at,
			attempts = submission_step.attempts + 1, op = excluded.op, errcode = excluded.errcode, errmsg = excluded.errmsg,
			rid = excluded.rid, code = excluded.code, detail = excluded.detail`
	if _, err := tx.Exec(ctx, q, w.ID, seq(w.State), w.State, state, now, f.Op, f.ErrCode, f.ErrMsg, f.RID, f.Code, detail); err != nil {
		return err
	}
	if out.to != Released {
		return nil
	}
	_, err := tx.Exec(ctx, q, w.ID, seq(Released), Released, StepDone, now, "", 0, "", "", "", detail)
	return err
}

// recordStay keeps the state and says when to look again.
func (s *Service) recordStay(ctx context.Context, tx pgx.Tx, w *work, out *outcome, jobID int64) error {
	var failure *StepError
	failed := 0
	worked := out.err == nil && !out.waiting // attempts count in a row
	if out.err != nil {
		failure = failureOf(out.err)
		if !out.waiting {
			failed = 1
		}
	}
	const q = `UPDATE submission SET wait_until = coalesce($10, $3::timestamptz), next_look = $3::timestamptz, error = $4, sleeper = $6, updated_at = $7,
			attempts = CASE WHEN $11::boolean THEN 0 ELSE attempts + $5 END,
			sent_at = CASE WHEN $8::boolean THEN sent_at END, look = look AND NOT $9::boolean -- one that came meanwhile stays
		WHERE id = $1 AND state = $2`
	tag, err := tx.Exec(ctx, q, w.ID, w.State, out.wait, failure, failed, jobID, s.cfg.Now(), out.keep, w.look, out.waitsFor(), worked)
	if err != nil {
		return err
	}
	if tag.RowsAffected() == 0 {
		return errMoved
	}
	if failure != nil || !out.detail.IsZero() {
		f := failure
		if f == nil {
			f = &StepError{}
		}
		detail := out.detail
		if detail.IsZero() {
			detail = f.Detail
		}
		const q = `UPDATE submission_step SET attempts = attempts + $3, op = $4, errcode = $5, errmsg = $6, rid = $7, code = $8, detail = $9
			WHERE submission_id = $1 AND seq = $2`
		if _, err := tx.Exec(ctx, q, w.ID, seq(w.State), failed, f.Op, f.ErrCode, f.ErrMsg, f.RID, f.Code, detail); err != nil {
			return err
		}
	}
	if out.apply != nil {
		if err := out.apply(ctx, tx); err != nil {
			return err
		}
	}
	return live.Publish(ctx, tx, live.Event{
		Kind: "submission", ID: strconv.FormatInt(w.ID, 10), AppID: w.AppID, State: string(w.State),
	})
}

// claimSleep makes a job the one that wakes a waiting submission, if none is.
func (s *Service) claimSleep(ctx context.Context, w *work, jobID int64) (bool, error) {
	if w.sleeper == jobID {
		return true, nil
	}
	tag, err := s.db.Exec(ctx, `UPDATE submission SET sleeper = $2 WHERE id = $1 AND sleeper = 0`, w.ID, jobID)
	return tag.RowsAffected() == 1, err
}

func setLook(ctx context.Context, tx pgx.Tx, id int64) error {
	_, err := tx.Exec(ctx, `UPDATE submission SET look = true WHERE id = $1`, id)
	return err
}

// park leaves a submission of a paused rollout alone until resume wakes it.
func (s *Service) park(ctx context.Context, w *work) error {
	_, err := s.db.Exec(ctx, `UPDATE submission SET sleeper = 0 WHERE id = $1 AND state = $2`, w.ID, w.State)
	return err
}

func (s *Service) keepExtJSON(ctx context.Context, id int64, ext string) error {
	_, err := s.db.Exec(ctx, `UPDATE submission SET ext_json = $2 WHERE id = $1`, id, ext)
	return err
}

func (s *Service) setResume(ctx context.Context, tx pgx.Tx, id int64, state State) error {
	_, err := tx.Exec(ctx, `UPDATE submission SET resume_state = $2 WHERE id = $1`, id, state)
	return err
}

func (s *Service) setWish(ctx context.Context, tx pgx.Tx, id int64, wish string) error {
	_, err := tx.Exec(ctx, `UPDATE submission SET wish = $2 WHERE id = $1`, id, wish)
	return err
}

// setAudit begins a new audit, which WeChat took at a time.
func (s *Service) setAudit(ctx context.Context, tx pgx.Tx, id, auditID int64, at time.Time, speedUp bool) error {
	_, err := tx.Exec(ctx, `UPDATE submission SET audit_id = $2, audit_status = $3, reason = '', reason_group = '', submitted_at = $4,
			audit_ended_at = NULL, speed_up = CASE WHEN $5::boolean THEN 'wanted' ELSE '' END, sped_up_at = NULL, speed_up_error = NULL
		WHERE id = $1`, id, auditID, wechat.AuditRunning, at, speedUp)
	return err
}

func (s *Service) setAuditRunning(ctx context.Context, tx pgx.Tx, id int64, status wechat.AuditState, reason string) error {
	_, err := tx.Exec(ctx, `UPDATE submission SET audit_status = $2, reason = $3 WHERE id = $1`, id, status, reason)
	return err
}

func (s *Service) setAuditEnd(ctx context.Context, tx pgx.Tx, w *work, status wechat.AuditState, reason, group string) error {
	_, err := tx.Exec(ctx, `UPDATE submission SET ended_audit_id = $2, audit_status = $3, reason = $4, reason_group = $5, audit_ended_at = $6 WHERE id = $1`,
		w.ID, w.AuditID, status, reason, group, s.cfg.Now())
	return err
}

func (s *Service) addScreenshot(ctx context.Context, tx pgx.Tx, id, auditID int64, mediaID string) error {
	_, err := tx.Exec(ctx, `INSERT INTO submission_screenshot (submission_id, audit_id, media_id) VALUES ($1, $2, $3)
		ON CONFLICT DO NOTHING`, id, auditID, mediaID)
	return err
}

func (s *Service) pendingScreenshots(ctx context.Context, id int64) ([]pendingScreenshot, error) {
	rows, err := s.db.Query(ctx, `SELECT id, media_id FROM submission_screenshot
		WHERE submission_id = $1 AND image IS NULL AND error = '' ORDER BY id`, id)
	if err != nil {
		return nil, err
	}
	return pgx.CollectRows(rows, func(row pgx.CollectableRow) (p pendingScreenshot, err error) {
		return p, row.Scan(&p.id, &p.mediaID)
	})
}

func (s *Service) storeScreenshot(ctx context.Context, id int64, image []byte, contentType, failure string) error {
	return pgx.BeginFunc(ctx, s.db, func(tx pgx.Tx) error {
		var submissionID int64
		err := tx.QueryRow(ctx, `UPDATE submission_screenshot SET image = $2, content_type = $3, error = $4 WHERE id = $1 RETURNING submission_id`,
			id, image, contentType, failure).Scan(&submissionID)
		if err != nil {
			return err
		}
		return live.Publish(ctx, tx, live.Event{Kind: "submission", ID: strconv.FormatInt(submissionID, 10)})
	})
}
