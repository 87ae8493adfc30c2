// Package live carries news between replicas, from a transaction to whoever watches a page, through PostgreSQL's
// NOTIFY. News may be lost while a connection is away; who listens is told so with a Resync event and reads again.
package live

import (
	"context"
	"encoding/json"
	"fmt"

	"github.com/wxsteward/wxsteward/internal/postgres"
)

const channel = "wxsteward_live"

// maxPayload is what NOTIFY takes: less than 8000 bytes.
const maxPayload = 7999

// Resync is the Kind of the event that stands for all those that may have been missed.
const Resync = "resync"

// Event says that something has changed, not what is true now: who cares reads it from the database. It must hold
// no secret, everybody connected to the database can listen.
type Event struct {
	// Kind is the sort of thing: ticket, authorizer, link, rollout, submission, message, or a word of our own.
	Kind string `json:"kind"`
	// ID is the thing's id in the API.
	ID string `json:"id"`
	// AppID is the merchant it belongs to, if any.
	AppID string `json:"appid,omitempty"`
	// State is the new state, if there is one.
	State string `json:"state,omitempty"`
}

// Publish sends an event when db's transaction commits, and never if it rolls back; at once if db is a pool. Equal
// events of one transaction arrive once.
func Publish(ctx context.Context, db postgres.DB, e Event) error {
	payload, err := encode(e)
	if err != nil {
		return err
	}
	if _, err := db.Exec(ctx, `SELECT pg_notify($1, $2)`, channel, payload); err != nil {
		return fmt.Errorf("publish %s: %w", e.Kind, err)
	}
	return nil
}

// PublishAll is Publish for many events in one statement; none does nothing.
func PublishAll(ctx context.Context, db postgres.DB, events []Event) error {
	payloads := make([]string, len(events))
	for i, e := range events {
		var err error
		if payloads[i], err = encode(e); err != nil {
			return err
		}
	}
	if len(payloads) == 0 {
		return nil
	}
	if _, err := db.Exec(ctx, `SELECT pg_notify($1, p) FROM unnest($2::text[]) p`, channel, payloads); err != nil {
		return fmt.Errorf("publish %d events, the first %s: %w", len(events), events[0].Kind, err)
	}
	return nil
}

func encode(e Event) (string, error) {
	payload, err := json.Marshal(e)
	if err != nil {
		return "", fmt.Errorf("publish %s: %w", e.Kind, err)
	}
	if len(payload) > maxPayload { // told here, because PostgreSQL's refusal would spoil the transaction
		return "", fmt.Errorf("publish %s: event has %d bytes, at most %d fit", e.Kind, len(payload), maxPayload)
	}
	return string(payload), nil
}
