package component

import (
	"context"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/wxsteward/wxsteward/internal/fault"
)

// The events that staff are told about.
const (
	EventTicketStale   = "ticket_stale"            // no ticket for two hours
	EventAuditResult   = "audit_result"            // approved, rejected or delayed
	EventRolloutPaused = "rollout_paused"          // by itself or by hand
	EventRolloutDone   = "rollout_done"            // completed or canceled
	EventDeadLetter    = "dead_letter"             // messages that were given up
	EventRulePaused    = "rule_paused"             // a forward rule, by itself
	EventWithdrawn     = "authorization_withdrawn" // by a merchant
)

// The values of Announcement.Outcome.
const (
	OutcomeApproved  = "approved"
	OutcomeRejected  = "rejected"
	OutcomeDelayed   = "delayed"
	OutcomeCompleted = "completed"
	OutcomeCanceled  = "canceled"
	OutcomeRecovered = "recovered" // tickets come again
	OutcomeHeld      = "held"      // a rollout is not paused, but nobody else has a turn
)

// Announcement is news for the people who run the platform. Which fields are set depends on Event. It holds no secret: it
// leaves the house.
type Announcement struct {
	Event string
	// Key is what the news is about, within Event: equal ones become one notice as long as none has been sent.
	Key string
	// Path is the page of the admin UI where it goes on, below /admin, e.g. "/rollouts/7".
	Path     string
	AppID    string    // the merchant, if it is about one
	Merchant string    // its name; empty: it is called by its appid
	Subject  string    // the name of the rollout or forward rule
	Outcome  string    // of an audit, a rollout or the lack of tickets
	Count    int       // of how many things it tells; 0 counts as 1
	Since    time.Time // when the trouble began; zero: it is not told
	Reason   Text      // why, or what came of it
}

// Announcer tells staff. Announce belongs into the transaction in which the news becomes true: then it is told if and only
// if that commits. It never waits for locks of other announcements.
type Announcer interface {
	Announce(ctx context.Context, tx pgx.Tx, a Announcement) error
}

// Text is a sentence in both languages, because nobody knows yet who reads it.
type Text struct {
	EN string `json:"en,omitempty"`
	ZH string `json:"zh,omitempty"` // empty: the same as EN
}

// TextOf fills args into an English sentence and its translation, see fault.Say.
func TextOf(format string, args ...any) Text {
	return TextBy(func(lang string) string { return fault.Say(lang, format, args...) })
}

// TextBy asks say for both languages.
func TextBy(say func(lang string) string) Text {
	t := Text{EN: say(fault.English), ZH: say(fault.Chinese)}
	if t.ZH == t.EN {
		t.ZH = ""
	}
	return t
}

// In is the sentence in a language.
func (t Text) In(lang string) string {
	if lang == fault.Chinese && t.ZH != "" {
		return t.ZH
	}
	return t.EN
}

// IsZero reports that nothing is said (omitzero).
func (t Text) IsZero() bool { return t == Text{} }
