package authorize

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/wxsteward/wxsteward/internal/fault"
	"github.com/wxsteward/wxsteward/internal/live"
	"github.com/wxsteward/wxsteward/internal/sealed"
)

// maxCode is far above the length of WeChat's codes (about 100).
const maxCode = 1024

// plausibleCode keeps garbage away from the database and from WeChat's quota.
func plausibleCode(code string) bool {
	return code != "" && len(code) <= maxCode && !strings.ContainsFunc(code, func(r rune) bool { return r <= ' ' || r > '~' })
}

// outcome is what a redirected merchant is told.
type outcome struct {
	Link    Link
	AppID   string // the account, once known
	Waiting bool   // no outcome yet; the exchange goes on without the browser
	Trouble trouble
}

// finished takes a redirect: it stores the code, has it exchanged and waits up to CallbackWait for the outcome. It fails
// with fault.NotFound, Validation (no usable code), Gone (the link is over) and TooMany (too many codes that came to
// nothing). A refused code is an outcome, not an error.
func (s *Service) finished(ctx context.Context, linkID, rawCode string, expiresIn int, ip string) (outcome, error) {
	l, err := s.linkIn(ctx, linkID)
	if err != nil {
		return outcome{}, err
	}
	out := outcome{Link: l}
	if !plausibleCode(rawCode) {
		if rawCode == "" {
			if err := s.noteCancelled(ctx, l); err != nil {
				return out, err
			}
		}
		return out, fault.New(fault.Validation, "The address has no usable auth_code.")
	}
	code := sealed.New(rawCode)
	known, err := findExchange(ctx, s.db, code.Fingerprint())
	if err != nil && !errors.Is(err, pgx.ErrNoRows) {
		return out, fmt.Errorf("read exchange: %w", err)
	}
	if isNew := err != nil; isNew {
		if !s.takesCodes(l) {
			return out, fault.New(fault.Gone, "The authorization link is %s.", l.closedAs())
		}
		who := visitor(ip)
		if ok, wait := s.callbacks.takeOrWait(who); !ok {
			return out, tooMany(wait)
		}
		defer func() {
			if out.Trouble.none() && !out.Waiting && out.AppID != "" {
				s.callbacks.giveBack(who)
			}
		}()
	} else if known.LinkID != "" && known.LinkID != linkID {
		out.Trouble.Word = troubleOtherLink
		return out, nil
	}

	events, cancel := s.hub.Subscribe() // before the job can start, or its end might be missed
	defer cancel()
	life := codeLife
	if expiresIn > 0 && expiresIn < 24*3600 {
		life = time.Duration(expiresIn) * time.Second
	}
	x, err := s.receive(ctx, arrival{code: code, linkID: linkID, expiresAt: s.Now().Add(life)})
	if errors.Is(err, errOtherLink) {
		out.Trouble.Word = troubleOtherLink
		return out, nil
	}
	if err != nil {
		return out, err
	}
	if x, err = s.await(ctx, x, events); err != nil {
		return out, err
	}
	if out.Link, err = s.linkIn(ctx, linkID); err != nil {
		return out, err
	}
	out.AppID, out.Trouble = x.AppID, x.Trouble
	out.Waiting = x.State == exchangePending || x.State == exchangeSent
	if out.Waiting {
		out.Trouble = trouble{}
	}
	return out, nil
}

// noteCancelled notes at a link that its merchant came back from WeChat without an authorization. Anybody who knows the link
// can bring that about, so it changes no status, and what is known about it counts more.
func (s *Service) noteCancelled(ctx context.Context, l Link) error {
	if l.OpenedAt == nil || !l.openable() || l.Status == linkAuthorized || !l.trouble.none() {
		return nil
	}
	err := s.inTx(ctx, func(tx pgx.Tx) error {
		locked, err := lockLink(ctx, tx, l.ID)
		if err != nil || locked.stored != l.stored || !locked.trouble.none() {
			return err
		}
		if err := noteLinkTrouble(ctx, tx, l.ID, trouble{Word: troubleCancelled}); err != nil {
			return err
		}
		return publishLink(ctx, tx, l.ID, "", l.Status)
	})
	if err != nil {
		return fmt.Errorf("note that link %s was cancelled: %w", l.ID, err)
	}
	return nil
}

// takesCodes reports whether a redirect may still bring a new code: the consent may have begun before the link ran out.
func (s *Service) takesCodes(l Link) bool {
	return l.openable() || l.closedAs() == linkExpired && l.OpenedAt != nil && s.Now().Before(l.ExpiresAt.Add(consentGrace))
}

// await reads the exchange again whenever there is news of it, until it is finished or CallbackWait is over.
func (s *Service) await(ctx context.Context, x exchange, events <-chan live.Event) (exchange, error) {
	deadline := time.NewTimer(s.CallbackWait)
	defer deadline.Stop()
	poll := time.NewTicker(time.Second) // news may be lost
	defer poll.Stop()
	for x.State == exchangePending || x.State == exchangeSent {
		select {
		case <-ctx.Done():
			return x, ctx.Err()
		case <-deadline.C:
			return x, nil
		case e := <-events:
			if e.Kind != live.Resync && (e.Kind != "exchange" || e.ID != x.Fingerprint) {
				continue
			}
		case <-poll.C:
		}
		fresh, err := findExchange(ctx, s.db, x.Fingerprint)
		if err != nil {
			return x, fmt.Errorf("read exchange: %w", err)
		}
		x = fresh
	}
	return x, nil
}
