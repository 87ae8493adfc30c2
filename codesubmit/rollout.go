package codesubmit

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/wxsteward/wxsteward/authorize/turn"
	"github.com/wxsteward/wxsteward/component"
	"github.com/wxsteward/wxsteward/internal/fault"
)

// RolloutState is where a rollout stands.
type RolloutState string

// The rollout states.
const (
	RolloutScheduled RolloutState = "scheduled"
	RolloutRunning   RolloutState = "running"
	RolloutPaused    RolloutState = "paused"
	RolloutCompleted RolloutState = "completed"
	RolloutCanceled  RolloutState = "canceled"
)

// Rollout is one template version on its way to many merchants.
type Rollout struct {
	ID          int64
	Name        string
	State       RolloutState
	TemplateID  int64
	UserVersion string
	UserDesc    string
	Spec        Spec // without targets in lists
	Total       int
	Counts      map[State]int
	PauseReason Fact
	// HeldUntil is when a window of WeChat's turns that some of its merchants wait for; nil: they wait for none.
	HeldUntil *time.Time
	// Canary is what holds its merchants; nil: no canary does.
	Canary     *CanaryHold
	CreatedBy  string
	CreatedAt  time.Time
	StartAt    *time.Time
	FinishedAt *time.Time

	Kind RolloutKind
	OfID int64 // of the rollout that a rollback takes back; 0 for a release

	heldBy    string // code of that wait
	resumedAt *time.Time
	turnsAt   time.Time
	turnsJob  int64
}

// CreateRollout checks the request, writes rollout and submissions and enqueues the start, in one transaction.
// Merchants that preflight would block are accepted: they become blocked. made is called in the transaction, to store
// there what the caller will be answered.
func (s *Service) CreateRollout(ctx context.Context, spec Spec, by string, made func(tx pgx.Tx, r *Rollout) error) (*Rollout, error) {
	spec.normalise()
	targets, err := s.validTargets(ctx, &spec)
	if err != nil {
		return nil, err
	}
	var r *Rollout
	err = pgx.BeginFunc(ctx, s.db, func(tx pgx.Tx) error {
		id, err := s.insertRollout(ctx, tx, &spec, targets, by)
		if err != nil {
			return err
		}
		if err := s.enqueueStart(ctx, tx, id, spec.StartAt); err != nil {
			return err
		}
		if r, err = rolloutByID(ctx, tx, id); err != nil {
			return err
		}
		return made(tx, r)
	})
	if err != nil {
		return nil, fmt.Errorf("create rollout: %w", err)
	}
	return r, nil
}

// wakeAll has every submission of a rollout looked at that has had its turn and has not ended. One that waits for quota
// asks for it again at once.
func (s *Service) wakeAll(ctx context.Context, tx pgx.Tx, id int64) error {
	if err := doubtQuota(ctx, tx); err != nil {
		return err
	}
	ids, err := lookAtWaiting(ctx, tx, id)
	if err != nil {
		return err
	}
	return s.enqueue(ctx, tx, ids)
}

// wakeState makes the submissions of a rollout that are in one state be looked at now.
func (s *Service) wakeState(ctx context.Context, tx pgx.Tx, id int64, state State) error {
	ids, err := lookAtState(ctx, tx, id, state)
	if err != nil {
		return err
	}
	return s.enqueue(ctx, tx, ids)
}

// PauseRollout holds every submission back at its next step; audits under way are still watched.
func (s *Service) PauseRollout(ctx context.Context, id int64, reason Fact) (*Rollout, error) {
	return s.changeRollout(ctx, id, func(tx pgx.Tx, r *Rollout) error {
		if r.State != RolloutRunning && r.State != RolloutScheduled {
			return fault.New(fault.Conflict, "A rollout that is %s cannot be paused.", r.State)
		}
		return s.pause(ctx, tx, r, reason)
	})
}

// ResumeRollout goes on with a paused rollout.
func (s *Service) ResumeRollout(ctx context.Context, id int64) (*Rollout, error) {
	return s.changeRollout(ctx, id, func(tx pgx.Tx, r *Rollout) error {
		if r.State != RolloutPaused {
			return fault.New(fault.Conflict, "A rollout that is %s cannot be resumed.", r.State)
		}
		if r.StartAt != nil && s.cfg.Now().Before(*r.StartAt) {
			if err := setRolloutState(ctx, tx, id, RolloutScheduled, Fact{}); err != nil {
				return err
			}
			return s.enqueueStart(ctx, tx, id, r.StartAt)
		}
		if err := markResumed(ctx, tx, id, s.cfg.Now()); err != nil {
			return err
		}
		if err := s.wakeAll(ctx, tx, id); err != nil {
			return err
		}
		return s.enqueueStart(ctx, tx, id, nil)
	})
}

// CancelRollout ends a rollout. Submissions with a call under way end as soon as its outcome is known. With withdraw,
// audits under way are taken back; without, they go on at WeChat and are not released.
func (s *Service) CancelRollout(ctx context.Context, id int64, withdraw bool) (*Rollout, error) {
	return s.changeRollout(ctx, id, func(tx pgx.Tx, r *Rollout) error {
		if r.State == RolloutCompleted || r.State == RolloutCanceled {
			return fault.New(fault.Conflict, "A rollout that is %s cannot be canceled.", r.State)
		}
		if err := setRolloutState(ctx, tx, id, RolloutCanceled, Fact{}); err != nil {
			return err
		}
		open, err := openSubmissions(ctx, tx, id)
		if err != nil {
			return err
		}
		if err := s.cancelMany(ctx, tx, open, withdraw); err != nil {
			return err
		}
		return s.announceDone(ctx, tx, id, r.Name, component.OutcomeCanceled)
	})
}

// LeftOut are merchants that a retry of a rollout leaves as they are, all for one reason.
type LeftOut struct {
	Merchants int
	Reason    Fact
}

// RetryFailed sends the failed, blocked and rejected submissions of a rollout on again. Those of merchants that another
// rollout has come to stay as they are and are told of, the most common reason first; when there are no others it is
// refused with the reason.
func (s *Service) RetryFailed(ctx context.Context, id int64) (*Rollout, []LeftOut, error) {
	var left []LeftOut
	r, err := s.changeRollout(ctx, id, func(tx pgx.Tx, _ *Rollout) error {
		subs, err := submissionsInStates(ctx, tx, id, []State{Failed, Blocked, Rejected})
		if err != nil {
			return err
		}
		if len(subs) == 0 {
			return fault.New(fault.Conflict, "Nothing to retry: no submission of this rollout is failed, blocked or rejected.")
		}
		others, err := rivals(ctx, tx, subs)
		if err != nil {
			return err
		}
		first := subs[0]
		subs = slices.DeleteFunc(subs, func(sub *Submission) bool { _, has := others[sub.ID]; return has })
		if len(subs) == 0 {
			return others[first.ID].refusal()
		}
		left = leftOut(others)
		return s.retryMany(ctx, tx, subs)
	})
	return r, left, err
}

func (s *Service) changeRollout(ctx context.Context, id int64, change func(tx pgx.Tx, r *Rollout) error) (*Rollout, error) {
	err := pgx.BeginFunc(ctx, s.db, func(tx pgx.Tx) error {
		r, err := lockedRollout(ctx, tx, id)
		if err != nil {
			return err
		}
		if err := change(tx, r); err != nil {
			return err
		}
		return publishRollout(ctx, tx, id, "")
	})
	if err != nil {
		return nil, err
	}
	return s.Rollout(ctx, id)
}

// AuthorizerWithdrawn ends what is under way for a merchant that took its authorization back; it is called in the
// transaction that notes the withdrawal.
func (s *Service) AuthorizerWithdrawn(ctx context.Context, tx pgx.Tx, appid string) error {
	open, err := openOf(ctx, tx, appid)
	if err != nil {
		return err
	}
	for _, sub := range open {
		if err := s.end(ctx, tx, sub, Canceled, &StepError{Code: "unauthorized", Detail: factOf("the merchant withdrew its authorization")}); err != nil {
			return err
		}
	}
	return nil
}

// TakeSubmission carries out an operator's wish for one submission.
func (s *Service) TakeSubmission(ctx context.Context, id int64, action Action) error {
	return pgx.BeginFunc(ctx, s.db, func(tx pgx.Tx) error {
		sub, err := s.lockedSubmission(ctx, tx, id)
		if err != nil {
			return err
		}
		refuse := func() error {
			return fault.New(fault.Conflict, "A submission that is %s does not take the action %s.", sub.State, action)
		}
		switch action {
		case ActionRetry:
			if !sub.State.Retryable() {
				return refuse()
			}
			return s.retryInTx(ctx, tx, sub)
		case ActionCancel:
			if sub.State.Ended() {
				return refuse()
			}
			return s.cancelInTx(ctx, tx, sub, false)
		case ActionWithdraw:
			if sub.State != Auditing {
				return refuse()
			}
			left, err := s.withdrawalsLeft(ctx, []string{sub.AppID})
			if err != nil {
				return err
			}
			if left[sub.AppID].none() {
				return left[sub.AppID].refusal()
			}
			if sub.wish == "" { // a cancellation that takes the audit back stays one
				if err := s.setWish(ctx, tx, id, wishWithdraw); err != nil {
					return err
				}
			}
			return s.wake(ctx, tx, id)
		case ActionSubmit:
			if sub.State != Trial {
				return refuse()
			}
			if err := setGo(ctx, tx, id, true, false); err != nil {
				return err
			}
			return s.wake(ctx, tx, id)
		case ActionRelease:
			if sub.State != Approved && !sub.graying() {
				return refuse()
			}
			if err := setGo(ctx, tx, id, false, true); err != nil {
				return err
			}
			return s.wake(ctx, tx, id)
		default:
			return fault.New(fault.NotFound, "No such action.")
		}
	})
}

// Action is what an operator may ask of one submission.
type Action string

// The actions; speed-up is not for TakeSubmission but a call of its own, SpeedUp.
const (
	ActionRetry    Action = "retry"
	ActionCancel   Action = "cancel"
	ActionSubmit   Action = "submit"
	ActionRelease  Action = "release"
	ActionWithdraw Action = "withdraw"
	ActionSpeedUp  Action = "speed-up"
)

// cancelInTx ends a submission now, or as soon as the outcome of a call under way is known.
func (s *Service) cancelInTx(ctx context.Context, tx pgx.Tx, sub *Submission, withdraw bool) error {
	if sub.endsAtOnce(withdraw) {
		return s.end(ctx, tx, sub, Canceled, &StepError{Code: "canceled"})
	}
	wish := wishCancel
	if withdraw {
		wish = wishCancelWithdraw
	}
	if err := s.setWish(ctx, tx, sub.ID, wish); err != nil {
		return err
	}
	return s.wake(ctx, tx, sub.ID)
}

func (s *Service) retryInTx(ctx context.Context, tx pgx.Tx, sub *Submission) error {
	if err := lockRollout(ctx, tx, sub.RolloutID); err != nil {
		return err
	}
	subs := []*Submission{sub}
	others, err := rivals(ctx, tx, subs)
	if err != nil {
		return err
	}
	if r, has := others[sub.ID]; has {
		return r.refusal()
	}
	if err := s.retryMany(ctx, tx, subs); err != nil {
		return err
	}
	return publishRollout(ctx, tx, sub.RolloutID, "")
}

// retryAt is where a retry goes on.
func (s *Submission) retryAt() State {
	to := s.resume
	if s.State == Rejected {
		to = Submitting
	}
	if to == "" || !allowed(s.State, to) {
		to = Preflight
	}
	return to
}

// TrialQR is the picture that testers scan to open the trial version.
func (s *Service) TrialQR(ctx context.Context, id int64, path string) (image []byte, contentType string, err error) {
	sub, err := s.submissionByID(ctx, id)
	if err != nil {
		return nil, "", err
	}
	err = turn.Read(ctx, s.locks, sub.AppID, func(ctx context.Context) (err error) {
		image, contentType, err = s.merchants.API(sub.AppID).TrialQRCode(ctx, path)
		return err
	})
	return image, contentType, err
}

// AuditNews makes the audits of a merchant be read now. Events carry no audit id, so all of its submissions in audit
// are looked at.
func (s *Service) AuditNews(ctx context.Context, appid string) error {
	return pgx.BeginFunc(ctx, s.db, func(tx pgx.Tx) error {
		open, err := openOf(ctx, tx, appid)
		if err != nil {
			return err
		}
		for _, sub := range open {
			if sub.State != Auditing && sub.State != Submitting {
				continue
			}
			if err := s.wake(ctx, tx, sub.ID); err != nil {
				return err
			}
		}
		return nil
	})
}

// nickNames maps appids to names in one query, for lists.
func (s *Service) nickNames(ctx context.Context, subs []*Submission) (map[string]string, error) {
	appids := make([]string, 0, len(subs))
	for _, sub := range subs {
		appids = append(appids, sub.AppID)
	}
	return s.merchants.NickNames(ctx, appids)
}

// storedSpec is a spec without its lists of targets, which may be long and are read only by people.
func storedSpec(spec *Spec) (specJSON, targetsJSON []byte, err error) {
	if targetsJSON, err = json.Marshal(spec.Targets); err != nil {
		return nil, nil, err
	}
	slim := *spec
	slim.Targets = Targets{}
	specJSON, err = json.Marshal(slim)
	return specJSON, targetsJSON, err
}

func like(text string) string {
	return "%" + strings.NewReplacer(`\`, `\\`, `%`, `\%`, `_`, `\_`).Replace(text) + "%"
}
