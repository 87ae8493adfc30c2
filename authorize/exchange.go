package authorize

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/wxsteward/wxsteward/internal/fault"
	"github.com/wxsteward/wxsteward/internal/live"
	"github.com/wxsteward/wxsteward/internal/sealed"
)

// States of an exchange.
const (
	exchangePending = "pending" // the code is stored and has not been sent
	exchangeSent    = "sent"    // the code may have reached WeChat: read back before repeating
	exchangeDone    = "done"
	exchangeFailed  = "failed"
)

const (
	// lease is how long a worker has an exchange to itself before the sweep offers it again. Taking it twice does no harm:
	// the lock decides.
	lease = 20 * time.Second
	// codeLife is how long an authorization code lives where WeChat did not say (its sample: 600).
	codeLife = 10 * time.Minute
	// exchangePatience is how long the outcome of a code is looked for, counted from its arrival.
	exchangePatience = 30 * time.Minute
	maxPause         = time.Minute
	// saveTimeout is what is left for storing tokens when the worker is being stopped.
	saveTimeout = 10 * time.Second
	// Unproven codes of one link within unprovenWindow; redirects beyond are refused until the window moves on.
	unprovenWindow = 5 * time.Minute
	maxFailedCodes = 10
	maxOpenCodes   = 50
)

// exchange is the row that redirect and event of one authorization code share.
type exchange struct {
	Fingerprint string
	box         []byte // the code, sealed; nil when it is of no more use
	LinkID      string
	AppID       string
	EventAt     *time.Time // CreateTime of the event, nil while only the redirect is known
	State       string
	before      string // state before begin
	Trouble     trouble
	Attempts    int
	NextAt      time.Time
	CreatedAt   time.Time
	ExpiresAt   time.Time
}

// authorizedAt is the best known time of the merchant's consent.
func (x exchange) authorizedAt() time.Time {
	if x.EventAt != nil {
		return *x.EventAt
	}
	return x.CreatedAt
}

// arrival is what a redirect or an event tells about an authorization code.
type arrival struct {
	code      sealed.Secret
	linkID    string
	expiresAt time.Time
	// Only the event tells these, and only what the event tells is proven to come from WeChat.
	event   bool
	appid   string
	eventAt time.Time
}

func exchangePurpose(fingerprint string) string { return "authorization code:" + fingerprint }

// errOtherLink: the code belongs to another link than the one it was brought to.
var errOtherLink = errors.New("the authorization code belongs to another link")

// receive stores what is known about a code and has it exchanged, or binds right away where that is done already. It is
// the only way in, so redirect and event may come in any order, at once, twice or alone.
func (s *Service) receive(ctx context.Context, a arrival) (exchange, error) {
	fingerprint := a.code.Fingerprint()
	box, err := s.keys.Seal(a.code, exchangePurpose(fingerprint))
	if err != nil {
		return exchange{}, fmt.Errorf("seal authorization code: %w", err)
	}
	now := s.Now().Truncate(time.Microsecond) // as PostgreSQL keeps it
	fresh := exchange{
		Fingerprint: fingerprint, box: box, LinkID: a.linkID, AppID: a.appid, State: exchangePending,
		NextAt: now.Add(lease), CreatedAt: now, ExpiresAt: a.expiresAt,
	}
	if a.event {
		fresh.EventAt = &a.eventAt
	}
	var x exchange
	err = s.inTx(ctx, func(tx pgx.Tx) error {
		if !a.event { // one at a time, so that a burst cannot pass the count below
			if err := lockRedirects(ctx, tx, a.linkID); err != nil {
				return err
			}
		}
		known, err := lockExchange(ctx, tx, fingerprint)
		if errors.Is(err, pgx.ErrNoRows) {
			if !a.event {
				if err := s.checkUnproven(ctx, tx, a.linkID, now); err != nil {
					return err
				}
			}
			isNew, err := insertExchange(ctx, tx, fresh)
			if err != nil {
				return err
			}
			if isNew {
				x = fresh
				return s.enqueueExchange(ctx, tx, fingerprint)
			}
			// The other one of redirect and event came between the two statements.
			if known, err = lockExchange(ctx, tx, fingerprint); err != nil {
				return err
			}
		} else if err != nil {
			return err
		}
		x = known
		return s.merge(ctx, tx, &x, a, box, now)
	})
	if err != nil {
		return exchange{}, err
	}
	return x, nil
}

func (s *Service) checkUnproven(ctx context.Context, tx pgx.Tx, linkID string, now time.Time) error {
	failed, open, err := unprovenCodes(ctx, tx, linkID, now.Add(-unprovenWindow))
	if err != nil {
		return err
	}
	if failed >= maxFailedCodes || open >= maxOpenCodes {
		return &fault.Error{Kind: fault.TooMany, Format: "Too many wrong authorization codes for this link. Try again in half a minute.", RetryAfter: 30 * time.Second}
	}
	return nil
}

// merge adds what an arrival knows to an exchange that is there already.
func (s *Service) merge(ctx context.Context, tx pgx.Tx, x *exchange, a arrival, box []byte, now time.Time) error {
	news := false
	if a.event && x.EventAt == nil {
		if x.State == exchangeDone { // WeChat's own time is better than that of the redirect
			if err := correctAuthorizedAt(ctx, tx, x.AppID, x.CreatedAt, a.eventAt); err != nil {
				return err
			}
		} else {
			x.AppID = a.appid
		}
		x.EventAt = &a.eventAt
		news = true
	}
	switch {
	case a.linkID == "" || a.linkID == x.LinkID:
	case x.LinkID == "":
		x.LinkID = a.linkID
		news = true
		if x.State == exchangeDone {
			t, err := s.bind(ctx, tx, x, now)
			if err != nil {
				return err
			}
			x.Trouble = t
		}
	case !a.event:
		return errOtherLink
	default:
		if err := s.rehome(ctx, tx, x, a.linkID, now); err != nil {
			return err
		}
		news = true
	}
	if !news {
		return nil
	}
	if x.State == exchangeFailed && a.event {
		// The event proves the code and names the account, so there is something to read back.
		x.State, x.Trouble, x.box, x.Attempts, x.NextAt = exchangeSent, trouble{}, box, 0, now
		x.CreatedAt = now
	}
	// An exchange that waits for its next try need not wait any longer; if it is being worked, the lock turns this one away.
	if wake := x.State == exchangeSent || x.State == exchangePending && x.Attempts > 0; wake {
		x.NextAt = now.Add(lease)
		if err := s.enqueueExchange(ctx, tx, x.Fingerprint); err != nil {
			return err
		}
	}
	if err := updateExchange(ctx, tx, *x); err != nil {
		return err
	}
	return publishExchange(ctx, tx, *x)
}

// rehome moves an authorization to the link WeChat says it was given for. Somebody had brought the code to another link
// first, where it must not have bound anything: links are for one merchant each, and a code can be carried.
func (s *Service) rehome(ctx context.Context, tx pgx.Tx, x *exchange, linkID string, now time.Time) error {
	wrong := x.LinkID
	x.LinkID = linkID
	if x.State != exchangeDone {
		return nil
	}
	if err := unbind(ctx, tx, wrong, x.AppID, trouble{Word: troubleOtherLink}); err != nil {
		return err
	}
	if err := publishLink(ctx, tx, wrong, "", linkOpened); err != nil {
		return err
	}
	t, err := s.bind(ctx, tx, x, now)
	x.Trouble = t
	return err
}

// bind gives the merchant of a finished exchange the biz id of its link. What keeps it from that is returned and noted at
// the link; the authorization itself stands all the same.
func (s *Service) bind(ctx context.Context, tx pgx.Tx, x *exchange, now time.Time) (trouble, error) {
	if x.LinkID == "" {
		return trouble{}, nil
	}
	l, err := lockLink(ctx, tx, x.LinkID)
	if fe, ok := errors.AsType[*fault.Error](err); ok && fe.Kind == fault.NotFound {
		return trouble{}, nil
	}
	if err != nil {
		return trouble{}, err
	}
	var t trouble
	switch {
	case l.AppID != "" && l.AppID != x.AppID:
		t.Word = troubleForeign
	case l.stored == linkRevoked:
		t.Word = troubleRevoked
	case l.stored == linkAuthorized && l.SingleUse && l.AuthorizerAppID != x.AppID:
		t.Word = troubleUsed
	case (l.stored != linkAuthorized || !l.SingleUse && l.AuthorizerAppID != x.AppID) && x.CreatedAt.After(l.ExpiresAt.Add(consentGrace)):
		t.Word = troubleExpired
	}
	if !t.none() {
		return t, noteLinkTrouble(ctx, tx, l.ID, t)
	}
	if err := insertBizID(ctx, tx, x.AppID, l.BizID, l.ID, now); err != nil {
		return trouble{}, err
	}
	if err := markLinkAuthorized(ctx, tx, l.ID, x.AppID, now); err != nil {
		return trouble{}, err
	}
	return trouble{}, publishLink(ctx, tx, l.ID, x.AppID, linkAuthorized)
}

// publishExchange wakes the redirect that waits for the outcome.
func publishExchange(ctx context.Context, tx pgx.Tx, x exchange) error {
	return live.Publish(ctx, tx, live.Event{Kind: "exchange", ID: x.Fingerprint, State: x.State})
}
