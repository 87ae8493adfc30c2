package codesubmit

import (
	"strconv"
	"time"
)

// Submission is one template version on its way to one merchant, as stored.
type Submission struct {
	ID, RolloutID int64
	AppID         string
	State         State
	TemplateID    int64
	UserVersion   string
	// Attempts counts failures of the present step in a row.
	Attempts int
	// AuditID is WeChat's id of our audit; 0 before there is one.
	AuditID     int64
	AuditStatus *int
	Reason      string
	// WaitUntil is what it waits for; it may be looked at sooner.
	WaitUntil  *time.Time
	Failure    *StepError
	CreatedAt  time.Time
	UpdatedAt  time.Time
	FinishedAt *time.Time

	// SpeedUp is whether the present audit is to be sped up, and what came of it.
	SpeedUp      SpeedUpState
	SpeedUpError *StepError

	submittedAt  *time.Time // of the present audit
	auditEndedAt *time.Time
	spedUpAt     *time.Time
	audit        *AuditSpec // instead of the rollout's
	marker       string
	sentAt       *time.Time
	endedAuditID int64
	goSubmit     bool
	goRelease    bool
	wish         string
	resume       State
	admitted     bool
	sleeper      int64
	gray         *grayState
	back         *Rollback // of a rollback
	look         bool
	nextLook     *time.Time
	heldUntil    *time.Time // its step is held back for everybody
	heldCode     int
	stepRunning  bool
}

// Wishes are what an operator asked for that the machine carries out when it can: an end that must wait for the outcome
// of a call, an audit that must be taken back.
const (
	wishCancel         = "cancel"
	wishWithdraw       = "withdraw"
	wishCancelWithdraw = "cancel_withdraw"
)

// Step is one line of a submission's timeline. Name is a submission state.
type Step struct {
	Name       State
	State      StepState
	StartedAt  *time.Time
	FinishedAt *time.Time
	// Attempts counts tries that came to something; looking again while waiting is none.
	Attempts int
	Failure  *StepError
	Detail   Fact
}

// StepState is where one step stands.
type StepState string

// The step states.
const (
	StepPending StepState = "pending"
	StepRunning StepState = "running"
	StepDone    StepState = "done"
	StepFailed  StepState = "failed"
	StepSkipped StepState = "skipped"
)

type pendingScreenshot struct {
	id      int64
	mediaID string
}

func formatID(id int64) string { return strconv.FormatInt(id, 10) }

func minTime(a, b time.Time) time.Time {
	if a.Before(b) {
		return a
	}
	return b
}
