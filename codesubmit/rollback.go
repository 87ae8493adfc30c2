package codesubmit

import (
	"context"
	"errors"
	"slices"
	"strings"

	"github.com/jackc/pgx/v5"

	"github.com/wxsteward/wxsteward/authorize"
	"github.com/wxsteward/wxsteward/authorize/turn"
	"github.com/wxsteward/wxsteward/internal/fault"
	"github.com/wxsteward/wxsteward/internal/wechat"
)

// RolloutKind is what a rollout does.
type RolloutKind string

// The kinds of rollouts.
const (
	KindRelease  RolloutKind = "release"
	KindRollback RolloutKind = "rollback" // takes the merchants of another rollout back to the version before it
)

// Rollback is the way back of one merchant: from the version of the rollout to an earlier one. The zero value is not
// decided yet.
type Rollback struct {
	From       string `json:"from"`
	To         string `json:"to"`
	AppVersion int64  `json:"app_version"` // WeChat's number of the version it goes to

	ToDesc string `json:"to_desc" doc:"WeChat's description of it."`
}

// RollBackRequest names the merchants of a rollout that go back.
type RollBackRequest struct {
	AppIDs      []string // empty: all that are released
	PreflightID int64    // in place of AppIDs: those that a preflight found ready; 0: none
	Strategy    StrategySpec
}

// either does a state's work for a release or for a rollback.
func (s *Service) either(release, rollback handler) handler {
	return func(ctx context.Context, w *work) outcome {
		if w.back != nil {
			return rollback(ctx, w)
		}
		return release(ctx, w)
	}
}

// takeTurnBack lets a rollback begin beside a newer version that is on its way: the live version is another matter than
// what is committed or in audit. Only a release whose outcome is unknown is waited for.
func (s *Service) takeTurnBack(ctx context.Context, w *work) outcome {
	older, err := s.olderOpen(ctx, w.AppID, w.ID)
	if err != nil {
		return s.failed(w, err, false)
	}
	for _, o := range older {
		if o.State == Releasing && o.sentAt != nil {
			return waitUntil(s.cfg.Now().Add(s.settle()), factOf("waits for submission %d", o.ID))
		}
	}
	return advance(Preflight)
}

// preflightBack finds the version to go back to.
func (s *Service) preflightBack(ctx context.Context, w *work) outcome {
	m, err := s.merchant(ctx, w.AppID)
	if err != nil {
		return s.failed(w, err, false)
	}
	of, err := s.rolledOut(ctx, w.Submission)
	if err != nil {
		return s.failed(w, err, false)
	}
	way, found, err := s.inspectBack(ctx, m, of, w.api)
	if err != nil {
		return s.failed(w, err, false)
	}
	if found != nil {
		return outcome{to: Blocked, failure: found}
	}
	return outcome{to: Releasing, detail: factOf("from version %s back to %s", way.From, way.To), apply: func(ctx context.Context, tx pgx.Tx) error {
		_, err := tx.Exec(ctx, `UPDATE submission SET rollback = $2, user_version = $3 WHERE id = $1`, w.ID, way, way.To)
		return err
	}}
}

// rollBack goes back, once. What is live says whether a call of unknown outcome did it: every further one would go
// further back.
func (s *Service) rollBack(ctx context.Context, w *work) outcome {
	of, err := s.rolledOut(ctx, w.Submission)
	if err != nil {
		return s.failed(w, err, false)
	}
	version, err := w.api.VersionInfo(ctx)
	if err != nil {
		return s.failed(w, err, false)
	}
	switch live := version.Live; {
	case live == nil: // WeChat does not say
		return outcome{wait: s.cfg.Now().Add(s.cfg.RetryBase), keep: w.sentAt != nil, err: &StepError{Code: "wechat_unavailable", Detail: factOf("WeChat does not tell the live version")}}
	case w.back.reached(live, of):
		return outcome{to: Released, detail: factOf("version %s is live again", w.back.To)}
	case !of.is(live):
		return outcome{to: Blocked, failure: notLive(of, live)}
	case s.inFlight(w):
		return s.readBackSoon(w)
	case w.sentAt != nil && w.Attempts >= releaseChecks && !w.canceled():
		return blocked("release_not_visible", factOf("the live version is still %s", of.UserVersion))
	}
	if out := s.undone(w); out != nil {
		return *out
	}
	err = s.send(ctx, w, func(ctx context.Context) error { return w.api.RevertRelease(ctx, &w.back.AppVersion) })
	switch {
	case wechat.IsCode(err, 87012, 40097): // the list has changed
		return outcome{to: Blocked, failure: failureOf(err), apply: s.resumeAt(w, Preflight)}
	case err != nil:
		return s.failed(w, err, true)
	}
	if version, err = w.api.VersionInfo(ctx); err != nil || version.Live == nil || !w.back.reached(version.Live, of) {
		return outcome{wait: s.cfg.Now().Add(s.cfg.RetryBase), keep: true, err: &StepError{Code: "release_not_visible", Detail: factOf("accepted, not seen yet")}}
	}
	return outcome{to: Released, detail: factOf("version %s is live again", w.back.To)}
}

// is reports whether a version is this submission's: by our marker, or by its name where WeChat tells no description.
func (s *Submission) is(v *wechat.Version) bool {
	if v.Desc == "" {
		return v.Version == s.UserVersion
	}
	return strings.Contains(v.Desc, s.marker)
}

// reached reports whether the earlier version is live.
func (b *Rollback) reached(live *wechat.Version, of *Submission) bool {
	return !of.is(live) && live.Version == b.To && (live.Desc == b.ToDesc || live.Desc == "")
}

func notLive(of *Submission, live *wechat.Version) *StepError {
	if live == nil {
		return &StepError{Code: "not_live", Detail: factOf("nothing is live")}
	}
	return &StepError{Code: "not_live", Detail: factOf("version %s is live, not %s of this rollout", live.Version, of.UserVersion)}
}

// rolledOut is the submission that a rollback takes back.
func (s *Service) rolledOut(ctx context.Context, sub *Submission) (*Submission, error) {
	var of Submission
	err := s.db.QueryRow(ctx, `SELECT `+submissionColumns+` FROM submission s JOIN rollout r ON r.of_rollout_id = s.rollout_id
		WHERE r.id = $1 AND s.appid = $2`, sub.RolloutID, sub.AppID).Scan(of.columns()...)
	if errors.Is(err, pgx.ErrNoRows) {
		return nil, &StepError{Code: "not_live", Detail: factOf("the rollout to take back is gone")}
	}
	return &of, err
}

// inspectBack asks what stands in the way of one merchant's rollback, and where it would lead. It only reads.
func (s *Service) inspectBack(ctx context.Context, m authorize.Target, of *Submission, api *wechat.Authorizer) (*Rollback, *StepError, error) {
	if own := inspectStanding(m); own != nil {
		return nil, own, nil
	}
	version, err := api.VersionInfo(ctx)
	if err != nil {
		return nil, nil, err
	}
	if version.Live == nil || !of.is(version.Live) {
		return nil, notLive(of, version.Live), nil
	}
	previous, found, err := previousVersion(ctx, api)
	if err != nil || found != nil {
		return nil, found, err
	}
	return &Rollback{From: of.UserVersion, To: previous.UserVersion, AppVersion: int64(previous.AppVersion), ToDesc: previous.UserDesc}, nil, nil
}

// previousVersion is the newest version that WeChat can go back to, unless its rules forbid it: 87011 while a gray release
// runs, 87012 when there is none.
func previousVersion(ctx context.Context, api *wechat.Authorizer) (wechat.HistoryVersion, *StepError, error) {
	plan, err := api.GrayPlan(ctx)
	if err != nil {
		return wechat.HistoryVersion{}, nil, err
	}
	if running(plan) {
		return wechat.HistoryVersion{}, &StepError{Code: "gray_running", Detail: factOf("a gray release to %d percent is under way", int64(plan.Percentage))}, nil
	}
	history, err := api.HistoryVersions(ctx)
	if err != nil {
		return wechat.HistoryVersion{}, nil, err
	}
	if len(history) == 0 {
		return wechat.HistoryVersion{}, &StepError{Code: "no_earlier_version", Detail: factOf("WeChat keeps no earlier version")}, nil
	}
	// By number: nothing says in which order WeChat lists them.
	return slices.MaxFunc(history, func(a, b wechat.HistoryVersion) int { return int(a.AppVersion - b.AppVersion) }), nil, nil
}

// RollbackTarget is a merchant that can go back.
type RollbackTarget struct {
	AppID      string `json:"appid"`
	NickName   string `json:"nick_name"`
	From       string `json:"from" doc:"The version that is live."`
	To         string `json:"to" doc:"The version it goes back to."`
	AppVersion int64  `json:"app_version" doc:"WeChat's number of that version."`
}

// RollbackPreflight says which merchants of a rollout can go back now.
type RollbackPreflight struct {
	Ready   []RollbackTarget    `json:"ready"`
	Blocked []BlockedAuthorizer `json:"blocked"`
}

// mostToWaitFor is how many merchants a preflight of a rollback is waited for; each costs three calls to WeChat.
const mostToWaitFor = 200

// PreflightRollback looks at every merchant that a rollback would take back, and waits until all is found out.
func (s *Service) PreflightRollback(ctx context.Context, id int64, appids []string, lang string) (RollbackPreflight, error) {
	result := RollbackPreflight{Ready: []RollbackTarget{}, Blocked: []BlockedAuthorizer{}}
	p, err := s.newRollbackPreflight(ctx, id, appids, false)
	if err != nil {
		return result, err
	}
	items, err := s.waitForPreflight(ctx, p)
	if err != nil {
		return result, err
	}
	names, err := s.namesOf(ctx, items)
	if err != nil {
		return result, err
	}
	for _, item := range items {
		if len(item.Found) > 0 || item.Back == nil {
			result.Blocked = append(result.Blocked, BlockedAuthorizer{AppID: item.AppID, NickName: names[item.AppID], Blockers: blockersOf(item.Found, lang)})
			continue
		}
		result.Ready = append(result.Ready, RollbackTarget{
			AppID: item.AppID, NickName: names[item.AppID], From: item.Back.From, To: item.Back.To, AppVersion: item.Back.AppVersion,
		})
	}
	return result, nil
}

// StartRollbackPreflight begins to look at every merchant that a rollback would take back, in the background.
func (s *Service) StartRollbackPreflight(ctx context.Context, id int64, appids []string) (*PreflightRun, error) {
	return s.newRollbackPreflight(ctx, id, appids, true)
}

func (s *Service) newRollbackPreflight(ctx context.Context, id int64, appids []string, background bool) (*PreflightRun, error) {
	of, subs, targets, err := s.rollbackTargets(ctx, id, appids)
	if err != nil {
		return nil, err
	}
	if !background && len(targets) > mostToWaitFor {
		return nil, fault.New(fault.Conflict, "%d merchants are too many to wait for. Start this preflight in the background (rollback/preflights).", len(targets))
	}
	newest, err := s.newestSubmissions(ctx, of.ID)
	if err != nil {
		return nil, err
	}
	contents := make([][]byte, len(targets))
	for i, m := range targets {
		m.InfoAt = nil // that the same was read again is no difference
		if contents[i], err = fingerprint("rollback", subs[m.AppID].marker, newest[m.AppID], m); err != nil {
			return nil, err
		}
	}
	return s.makePreflight(ctx, &of.Spec, id, targets, contents, background)
}

// newestSubmissions are the last ones of a rollout's merchants: where another has come, something else may be live.
func (s *Service) newestSubmissions(ctx context.Context, rolloutID int64) (map[string]int64, error) {
	rows, err := s.db.Query(ctx, `SELECT s.appid, (SELECT max(n.id) FROM submission n WHERE n.appid = s.appid) FROM submission s
		WHERE s.rollout_id = $1 AND s.state = 'released'`, rolloutID)
	if err != nil {
		return nil, err
	}
	newest := map[string]int64{}
	var appid string
	var id int64
	_, err = pgx.ForEachRow(rows, []any{&appid, &id}, func() error { newest[appid] = id; return nil })
	return newest, err
}

// lookBack asks about one merchant of a preflight.
func (s *Service) lookBack(ctx context.Context, m authorize.Target, of *Submission) (way *Rollback, found []*StepError, err error) {
	if of == nil {
		return nil, []*StepError{{Code: "not_live", Detail: factOf("the rollout to take back is gone")}}, nil
	}
	var own *StepError
	err = turn.Read(ctx, s.locks, m.AppID, func(ctx context.Context) (err error) {
		way, own, err = s.inspectBack(ctx, m, of, s.merchants.API(m.AppID))
		return err
	})
	if own != nil {
		found = []*StepError{own}
	}
	return way, found, err
}

// readyOf are the merchants that a preflight of a rollback found ready.
func (s *Service) readyOf(ctx context.Context, rolloutID, preflightID int64) ([]string, error) {
	p, err := s.preflightByID(ctx, s.db, preflightID)
	if err != nil {
		return nil, err
	}
	switch {
	case p.ofID != rolloutID:
		return nil, fault.Invalid("body.preflight_id", "This preflight is not about a rollback of this rollout.", preflightID)
	case p.State != preflightDone:
		return nil, fault.New(fault.Conflict, "This preflight has not finished yet.")
	case p.Ready == 0:
		return nil, fault.New(fault.Conflict, "Nothing to roll back: no merchant can go back.")
	}
	rows, err := s.db.Query(ctx, `SELECT appid FROM preflight_item WHERE preflight_id = $1 AND found = '[]' ORDER BY appid`, preflightID)
	if err != nil {
		return nil, err
	}
	return pgx.CollectRows(rows, pgx.RowTo[string])
}

// RollBack makes a rollout that takes the released merchants of another one back to the version they had before. made is
// called in the transaction, to store there what the caller will be answered.
func (s *Service) RollBack(ctx context.Context, id int64, request RollBackRequest, by, lang string, made func(tx pgx.Tx, r *Rollout) error) (*Rollout, error) {
	if request.PreflightID != 0 {
		ready, err := s.readyOf(ctx, id, request.PreflightID)
		if err != nil {
			return nil, err
		}
		request.AppIDs = ready
	}
	of, _, targets, err := s.rollbackTargets(ctx, id, request.AppIDs)
	if err != nil {
		return nil, err
	}
	spec := Spec{
		Name: fault.Say(lang, "Rollback of %s", of.Name), TemplateID: of.TemplateID, UserVersion: of.UserVersion, Strategy: request.Strategy,
	}
	for _, t := range targets {
		spec.Targets.AppIDs = append(spec.Targets.AppIDs, t.AppID)
	}
	spec.normalise()
	var r *Rollout
	err = pgx.BeginFunc(ctx, s.db, func(tx pgx.Tx) error {
		back, err := s.insertRollout(ctx, tx, &spec, targets, by)
		if err != nil {
			return err
		}
		if err := markRollback(ctx, tx, back, id); err != nil {
			return err
		}
		if err := s.enqueueStart(ctx, tx, back, nil); err != nil {
			return err
		}
		if r, err = rolloutByID(ctx, tx, back); err != nil {
			return err
		}
		return made(tx, r)
	})
	return r, err
}

// rollbackTargets are the released merchants of a rollout, or those of appids.
func (s *Service) rollbackTargets(ctx context.Context, id int64, appids []string) (*Rollout, map[string]*Submission, []authorize.Target, error) {
	of, err := s.Rollout(ctx, id)
	if err != nil {
		return nil, nil, nil, err
	}
	if of.Kind == KindRollback {
		return nil, nil, nil, fault.New(fault.Conflict, "This is a rollback itself. Release a version instead.")
	}
	released, err := s.releasedOf(ctx, id, nil)
	if err != nil {
		return nil, nil, nil, err
	}
	if len(released) == 0 {
		return nil, nil, nil, fault.New(fault.Conflict, "Nothing to roll back: no merchant of this rollout is released.")
	}
	wanted := appids
	if len(wanted) == 0 {
		for appid := range released {
			wanted = append(wanted, appid)
		}
	}
	var strangers []string
	for _, appid := range wanted {
		if released[appid] == nil {
			strangers = append(strangers, appid)
		}
	}
	if len(strangers) > 0 {
		return nil, nil, nil, fault.Invalid("body.appids", "This rollout has not released for these merchants: %s.", strangers, strings.Join(strangers, ", "))
	}
	targets, _, err := s.merchants.Targets(ctx, authorize.TargetQuery{AppIDs: wanted})
	return of, released, targets, err
}

// releasedOf are the released submissions of a rollout by merchant; nil appids: all.
func (s *Service) releasedOf(ctx context.Context, rolloutID int64, appids []string) (map[string]*Submission, error) {
	rows, err := s.db.Query(ctx, `SELECT `+submissionColumns+` FROM submission s
		WHERE s.rollout_id = $1 AND s.state = 'released' AND ($2::text[] IS NULL OR s.appid = ANY($2))`, rolloutID, appids)
	if err != nil {
		return nil, err
	}
	list, err := pgx.CollectRows(rows, scanSubmission)
	released := make(map[string]*Submission, len(list))
	for _, sub := range list {
		released[sub.AppID] = sub
	}
	return released, err
}

// markRollback makes a rollout that was just written one that goes back.
func markRollback(ctx context.Context, tx pgx.Tx, id, of int64) error {
	if _, err := tx.Exec(ctx, `UPDATE rollout SET kind = 'rollback', of_rollout_id = $2 WHERE id = $1`, id, of); err != nil {
		return err
	}
	_, err := tx.Exec(ctx, `UPDATE submission SET rollback = '{}' WHERE rollout_id = $1`, id)
	return err
}
