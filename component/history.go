package component

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/wxsteward/wxsteward/internal/sealed"
)

// Record is a push that another program in our place has received and dealt with.
type Record struct {
	Channel    string // ChannelComponent or ChannelBiz
	AppID      string // of the merchant, for ChannelBiz
	Body       []byte // plain
	ReceivedAt time.Time
}

// KeepHistory stores records as messages that are handled: nothing is done about them and nothing is forwarded. Those that are
// there already, also because they were pushed to us too, change nothing. fresh counts what was new, refused says by index what is
// no message. With dry nothing is written.
func (s *Service) KeepHistory(ctx context.Context, records []Record, dry bool) (fresh int, refused map[int]error, err error) {
	refused = map[int]error{}
	seen := make(map[string]bool, len(records))
	var list []*waiting
	for i, r := range records {
		in, err := s.recorded(r)
		if err != nil {
			refused[i] = err
			continue
		}
		if !seen[string(in.dedupeKey)] {
			seen[string(in.dedupeKey)] = true
			list = append(list, &waiting{incoming: in})
		}
	}
	if len(list) == 0 {
		return 0, refused, nil
	}
	if dry {
		keys := make([][]byte, len(list))
		for i, w := range list {
			keys[i] = w.dedupeKey
		}
		fresh, err = countUnknown(ctx, s.deps.DB, keys)
	} else {
		fresh, err = s.keepAll(ctx, list)
	}
	if err != nil {
		return 0, nil, fmt.Errorf("keep history: %w", err)
	}
	return fresh, refused, nil
}

func (s *Service) recorded(r Record) (incoming, error) {
	text := legible(r.Body)
	f, err := parseFields(text)
	if err != nil {
		return incoming{}, err
	}
	if f.Has("Encrypt") {
		return incoming{}, fmt.Errorf("%w: it is encrypted", ErrNotAMessage)
	}
	in, err := s.newIncoming(r.Channel, r.AppID, authentic{plaintext: r.Body, text: text, fields: f})
	in.ReceivedAt, in.State = r.ReceivedAt, StateHandled
	return in, err
}

func (s *Service) keepAll(ctx context.Context, list []*waiting) (fresh int, err error) {
	sortByKey(list)
	outcomes, err := insertMessages(ctx, s.deps.DB, list, Following{})
	if isNoPartition(err) {
		made := map[time.Time]bool{}
		for _, w := range list {
			day := dayOf(w.ReceivedAt)
			if made[day] {
				continue
			}
			if err := makeDays(ctx, s.deps.DB, day, 1); err != nil {
				return 0, err
			}
			made[day] = true
		}
		outcomes, err = insertMessages(ctx, s.deps.DB, list, Following{})
	}
	for _, o := range outcomes {
		if o.isNew {
			fresh++
		}
	}
	return fresh, err
}

// AdoptTicket keeps a ticket that another program was pushed at that time, unless ours is as new, and reports whether it did. With
// dry it only says what it would do.
func (s *Service) AdoptTicket(ctx context.Context, value sealed.Secret, at time.Time, dry bool) (adopted bool, err error) {
	ours, _, err := readTicket(ctx, s.deps.DB, s.cfg.AppID)
	if err != nil && !errors.Is(err, pgx.ErrNoRows) {
		return false, fmt.Errorf("read ticket: %w", err)
	}
	if err == nil && !ours.CreatedAt.Before(at) {
		return false, nil
	}
	if dry {
		return true, nil
	}
	return true, s.keepTicket(ctx, value, at, at)
}
