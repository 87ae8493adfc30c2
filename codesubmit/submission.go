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
	WaitUntil   *time.Time
	Failure     *StepError
	CreatedAt   time.Time
	UpdatedAt   time.Time
	FinishedAt  *time.Time

	marker       string
	sentAt       *time.Time
	endedAuditID int64
	goSubmit     bool
	goRelease    bool
	wish         string
	resume       State
	admitted     bool
	sleeper      int64
	look         bool
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

// Screenshot is a picture of a rejection.
type Screenshot struct {
	ID          int64
	ContentType string
	Ready       bool // false until it is fetched from WeChat
	Error       string
}

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
