package codesubmit

import "slices"

// State is where one merchant's submission stands.
type State string

// The states in the order of a smooth run, then the ends that a run may also come to.
const (
	Queued     State = "queued"
	Preflight  State = "preflight"
	Domains    State = "domains"
	Committing State = "committing"
	Detecting  State = "detecting"
	Privacy    State = "privacy"
	Trial      State = "trial" // 体验版 is there; waits for an operator's yes to submit
	Submitting State = "submitting"
	Auditing   State = "auditing"
	Approved   State = "approved" // waits for release, or for its window
	Releasing  State = "releasing"
	Released   State = "released"

	Rejected   State = "rejected"
	Withdrawn  State = "withdrawn"
	Blocked    State = "blocked" // an operator or the merchant must act; retry goes on from there
	Failed     State = "failed"
	Canceled   State = "canceled"
	Superseded State = "superseded"
)

// order is a smooth run.
func order() []State {
	return []State{
		Queued, Preflight, Domains, Committing, Detecting, Privacy, Trial, Submitting, Auditing, Approved, Releasing, Released,
	}
}

// ends are the states in which nothing more happens by itself.
func ends() []State {
	return []State{Released, Rejected, Withdrawn, Blocked, Failed, Canceled, Superseded}
}

// States are all states.
func States() []State {
	return append(order()[:len(order())-1], ends()...)
}

// Ended reports whether nothing more happens by itself.
func (s State) Ended() bool {
	return slices.Contains(ends(), s)
}

// watches reports whether a submission only looks what WeChat or an operator does with it, which may take days. An outage
// that lasts for hours is waited for then: giving up would lose an audit that goes on.
func (s State) watches() bool { return s == Trial || s == Auditing || s == Approved }

// Retryable reports whether an operator may send the submission on again.
func (s State) Retryable() bool {
	switch s {
	case Blocked, Failed, Rejected, Withdrawn, Canceled:
		return true
	default:
		return false
	}
}

// Transition is one allowed change of state and what brings it about.
type Transition struct {
	From, To State
	Why      string
}

// Transitions is the state machine. Every change of a submission's state is checked against it.
func Transitions() []Transition {
	table := []Transition{
		{Queued, Preflight, "its turn has come"},
		{Preflight, Domains, "nothing stands in the way"},
		{Domains, Committing, "domains are as wanted"},
		{Committing, Detecting, "trial version is ours"},
		{Detecting, Privacy, "WeChat's code check is through"},
		{Privacy, Trial, "guideline complete, submit is manual"},
		{Privacy, Submitting, "guideline complete"},
		{Trial, Submitting, "operator says submit"},
		{Submitting, Auditing, "audit id received"},
		{Auditing, Approved, "WeChat approves"},
		{Auditing, Rejected, "WeChat rejects"},
		{Auditing, Withdrawn, "withdrawn by us or in the console"},
		{Approved, Releasing, "released by hand, at once or in its window"},
		{Approved, Released, "released in WeChat's console"},
		{Releasing, Released, "the live version is ours"},
		{Releasing, Approved, "no user has it yet, and its window has closed or an operator's yes is wanted again"},
		{Preflight, Releasing, "a rollback: there is a version to go back to"},
	}
	for _, from := range order()[:len(order())-1] {
		table = append(table,
			Transition{from, Blocked, "an operator or the merchant must act"},
			Transition{from, Failed, "WeChat refuses for good, or too many attempts"},
			Transition{from, Canceled, "canceled, or the merchant withdrew its authorization"},
			Transition{from, Superseded, "a newer rollout took over"},
		)
	}
	for _, from := range []State{Blocked, Failed, Withdrawn, Canceled} {
		for _, to := range []State{Preflight, Domains, Committing, Detecting, Privacy, Trial, Submitting, Auditing, Approved, Releasing} {
			table = append(table, Transition{from, to, "retry: goes on at the first unfinished step"})
		}
	}
	return append(table, Transition{Rejected, Submitting, "retry: submits the present trial version"})
}

func allowed(from, to State) bool {
	for _, t := range Transitions() {
		if t.From == from && t.To == to {
			return true
		}
	}
	return false
}

// seq is the place of a step in the timeline; steps carry the names of states.
func seq(s State) int {
	for i, o := range order() {
		if o == s {
			return i
		}
	}
	return -1
}
