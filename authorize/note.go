package authorize

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/jackc/pgx/v5"

	"github.com/wxsteward/wxsteward/internal/fault"
	"github.com/wxsteward/wxsteward/internal/live"
)

// maxNote is the length of a note in characters.
const maxNote = 4000

// Note is what an operator wrote about a merchant.
type Note struct {
	ID        int64
	AppID     string
	Text      string
	CreatedBy string
	CreatedAt time.Time
}

// AddNote keeps a note; fault.NotFound for an account not on record, fault.Validation for an empty or a long text.
func (s *Service) AddNote(ctx context.Context, appid, text, by string) (Note, error) {
	text = strings.TrimSpace(text)
	if text == "" || utf8.RuneCountInString(text) > maxNote || !storable(text) {
		return Note{}, fault.Invalid("body.text", "A note has 1 to %d characters.", nil, maxNote)
	}
	var n Note
	err := s.inTx(ctx, func(tx pgx.Tx) (err error) {
		if n, err = insertNote(ctx, tx, appid, text, by, s.Now()); err != nil {
			return err
		}
		return live.Publish(ctx, tx, live.Event{Kind: "authorizer", ID: appid, AppID: appid})
	})
	if errors.Is(err, pgx.ErrNoRows) {
		return Note{}, noSuchAuthorizer()
	}
	if err != nil {
		return Note{}, fmt.Errorf("keep a note about %s: %w", appid, err)
	}
	return n, nil
}

// Notes lists a merchant's notes, newest first, before one (0: from the newest). next is 0 at the end.
func (s *Service) Notes(ctx context.Context, appid string, before int64, limit int) (notes []Note, next int64, err error) {
	notes, err = listNotes(ctx, s.db, appid, before, limit+1)
	if err != nil {
		return nil, 0, fmt.Errorf("list notes about %s: %w", appid, err)
	}
	if len(notes) > limit {
		notes = notes[:limit]
		next = notes[limit-1].ID
	}
	return notes, next, nil
}

// DeleteNote removes a note; fault.NotFound if the merchant has none of this id.
func (s *Service) DeleteNote(ctx context.Context, appid string, id int64) error {
	var found bool
	err := s.inTx(ctx, func(tx pgx.Tx) (err error) {
		if found, err = deleteNote(ctx, tx, appid, id); err != nil || !found {
			return err
		}
		return live.Publish(ctx, tx, live.Event{Kind: "authorizer", ID: appid, AppID: appid})
	})
	if err != nil {
		return fmt.Errorf("delete a note about %s: %w", appid, err)
	}
	if !found {
		return fault.New(fault.NotFound, "")
	}
	return nil
}
