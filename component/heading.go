package component

import (
	"context"
	"fmt"
	"log/slog"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/wxsteward/wxsteward/internal/fault"
)

// Heading says in a line which message is meant.
type Heading struct {
	Title      string // in the reader's language
	AppID      string
	NickName   string // of the merchant; empty when it is not known
	ReceivedAt time.Time
}

// Headings gives the headings of those messages that are there still, in the language that ctx asks for.
func (s *Service) Headings(ctx context.Context, ids []int64) (map[int64]Heading, error) {
	if len(ids) == 0 {
		return map[int64]Heading{}, nil
	}
	rows, err := s.deps.DB.Query(ctx, `SELECT `+messageColumns+` FROM message WHERE id = ANY($1)`, ids)
	if err != nil {
		return nil, fmt.Errorf("read headings of messages: %w", err)
	}
	messages, err := pgx.CollectRows(rows, func(row pgx.CollectableRow) (Message, error) { return scanMessage(row) })
	if err != nil {
		return nil, fmt.Errorf("read headings of messages: %w", err)
	}
	names := s.nickNames(ctx, messages)
	headings := make(map[int64]Heading, len(messages))
	for _, m := range messages {
		headings[m.ID] = Heading{
			Title: titleOf(m, fault.LangFrom(ctx)), AppID: m.AppID, NickName: names[m.AppID], ReceivedAt: m.ReceivedAt.UTC(),
		}
	}
	return headings, nil
}

// nameMerchants gives names by appid, none for merchants that are unknown; nil: nobody knows any.
type nameMerchants func(ctx context.Context, appids []string) (map[string]string, error)

// NameMerchants sets who knows the names of merchants. Call it before the first request.
func (s *Service) NameMerchants(names func(ctx context.Context, appids []string) (map[string]string, error)) {
	s.names = names
}

// nickNames gives the names of the merchants that messages are about. Without them a list is worth reading all the same.
func (s *Service) nickNames(ctx context.Context, messages []Message) map[string]string {
	if s.names == nil || len(messages) == 0 {
		return nil
	}
	var appids []string
	seen := map[string]bool{"": true, s.cfg.AppID: true}
	for _, m := range messages {
		if !seen[m.AppID] {
			seen[m.AppID] = true
			appids = append(appids, m.AppID)
		}
	}
	if len(appids) == 0 {
		return nil
	}
	names, err := s.names(ctx, appids)
	if err != nil {
		s.log.WarnContext(ctx, "names of merchants cannot be read", slog.Any("error", err))
	}
	return names
}
