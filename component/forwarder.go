package component

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"
)

// Forwarder hears of new messages in the transaction that stores them, and may answer a 消息与事件 push. Its methods are
// called from many goroutines at once.
type Forwarder interface {
	// Follow gives what has to be written with messages that are about to be stored by one statement; keys are theirs, in the
	// same order. It must be quick and call nobody. ok is false when it cannot tell without the database: then Stored is called.
	Follow(messages []Message, keys [][]byte) (f Following, ok bool)
	// Followed is called after the commit of a statement that held a Following, with the messages that were new.
	Followed(messages []Message)
	// Stored is called in the storing transaction with the messages that are new in it; a group commit may have many. It
	// enqueues deliveries for the rules that match. It must be quick: no call outside the database. When it fails nothing is
	// stored, and WeChat pushes again.
	Stored(ctx context.Context, tx pgx.Tx, messages []Message) error
	// Relay asks a business system for the passive reply to m, a message on ChannelBiz that has just been stored. WeChat waits
	// until answerBy. reply is plaintext in the business system's own notation; ok is false where no rule
	// matches or the business system failed: then the answer is "success".
	Relay(ctx context.Context, m Message, answerBy time.Time) (reply []byte, ok bool)
	// DeliveriesOf gives the deliveries of each message that has any, oldest first; those in a backlog are last.
	DeliveriesOf(ctx context.Context, messageIDs []int64) (map[int64][]DeliverySummary, error)
	// Redeliver has a stored message delivered anew under every rule that matches it now.
	Redeliver(ctx context.Context, messageID int64) error
}

// Following is a part of the statement that stores messages.
type Following struct {
	// Clauses are INSERTs that may read stored (id bigint, dedupe_key bytea), the messages that are new; none: nothing follows.
	Clauses []string
	// Args are their arguments, from $FollowingArgs on.
	Args []any
}

// with is the clauses as further parts of a WITH.
func (f Following) with() string {
	var b strings.Builder
	for i, clause := range f.Clauses {
		fmt.Fprintf(&b, ", following%d AS (%s)", i, clause)
	}
	return b.String()
}

// FollowingArgs is the number of the first argument of a Following.
const FollowingArgs = 15

// DeliverySummary is one delivery of a message to a business system, as lists of messages show it.
type DeliverySummary struct {
	ID     string `json:"id" doc:"Empty while it is in the backlog of a rule that is behind."`
	RuleID string `json:"rule_id"`
	State  string `json:"state" enum:"pending,delivered,dead"`
}

// Forward sets who delivers messages to business systems; nil: nobody. Call it before the first push.
func (s *Service) Forward(f Forwarder) { s.forward = f }

// ErrNoMessage reports an id of no message: there never was one, or it is past its retention.
var ErrNoMessage = errors.New("component: no such message")

// Message reads a stored message with its whole body, secrets included. It fails with ErrNoMessage.
func (s *Service) Message(ctx context.Context, id int64) (Message, error) {
	m, err := s.message(ctx, id)
	if errors.Is(err, pgx.ErrNoRows) {
		return Message{}, ErrNoMessage
	}
	return m, err
}
