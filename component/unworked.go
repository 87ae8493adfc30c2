package component

import (
	"context"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/wxsteward/wxsteward/internal/fault"
	"github.com/wxsteward/wxsteward/internal/live"
)

// errorUnworked stands for the error of a message whose job ended without a word; see errorIn.
const errorUnworked = "unworked"

// errorIn is the error as administrators read it. Those of WeChat and of handlers are as they were made.
func (m Message) errorIn(lang string) string {
	if m.Error == errorUnworked {
		return fault.Say(lang, "The job that should handle this message ended early. Handle the message again.")
	}
	return m.Error
}

// failUnworked ends messages that wait although nobody will handle them: the process died in the last try, the database was
// away when that was to be recorded, or an administrator gave the job up. They would wait for ever and keep their day from being
// removed. A message that somebody has handled again at this moment shows as failed until its new job ends.
func (s *Service) failUnworked(ctx context.Context) error {
	const (
		patience = time.Hour
		step     = 10000
	)
	before := firstID(s.now().Add(-patience))
	for after := int64(0); ; {
		ids, err := pendingMessages(ctx, s.deps.DB, after, before, step)
		if err != nil {
			return fmt.Errorf("look for messages without a job: %w", err)
		}
		if len(ids) == 0 {
			return nil
		}
		after = ids[len(ids)-1]
		if ids, err = s.deps.Queue.Unworked(ctx, HandleMessageArgs{}.Kind(), "message_id", ids); err != nil {
			return err
		}
		if err := s.failAll(ctx, ids); err != nil {
			return fmt.Errorf("end messages without a job: %w", err)
		}
	}
}

func (s *Service) failAll(ctx context.Context, ids []int64) error {
	if len(ids) == 0 {
		return nil
	}
	var ended []Message
	err := pgx.BeginFunc(ctx, s.deps.DB, func(tx pgx.Tx) (err error) {
		if ended, err = failMessages(ctx, tx, ids, errorUnworked); err != nil {
			return err
		}
		events := make([]live.Event, len(ended))
		for i, m := range ended {
			events[i] = live.Event{Kind: "message", ID: formatID(m.ID), AppID: m.AppID, State: m.State}
		}
		return live.PublishAll(ctx, tx, events)
	})
	if err == nil && len(ended) > 0 {
		s.log.ErrorContext(ctx, "messages were never handled, their jobs have ended", "messages", len(ended), "first", ended[0].ID)
	}
	return err
}
