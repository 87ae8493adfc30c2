package authorize

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/wxsteward/wxsteward/component"
	"github.com/wxsteward/wxsteward/internal/fault"
	"github.com/wxsteward/wxsteward/internal/live"
	"github.com/wxsteward/wxsteward/internal/tokenstore"
	"github.com/wxsteward/wxsteward/internal/wechat"
)

// work takes an exchange one step further. again says when it is due next, 0 that it is finished or somebody else has it.
func (s *Service) work(ctx context.Context, fingerprint string) (again time.Duration, err error) {
	_, err = s.locker.Try(ctx, "exchange:"+fingerprint, func(ctx context.Context) error {
		again, err = s.workLocked(ctx, fingerprint)
		return err
	})
	return again, err
}

func (s *Service) workLocked(ctx context.Context, fingerprint string) (time.Duration, error) {
	// Committed before the code leaves: whoever finds "sent" after a crash knows that WeChat may have taken it.
	x, err := beginExchange(ctx, s.db, fingerprint, s.Now().Add(lease))
	if errors.Is(err, pgx.ErrNoRows) {
		return 0, nil // finished, or never there
	}
	if err != nil {
		return 0, fmt.Errorf("begin exchange: %w", err)
	}
	if x.before == exchangeSent || x.box == nil {
		return s.recover(ctx, x)
	}
	info, err := s.query(ctx, x)
	switch {
	case err == nil:
		return s.finish(ctx, x, info)
	case wechat.OutcomeUnknown(err):
		return s.recover(ctx, x)
	case wechat.IsCode(err, codeInvalid, codeExpired) && x.AppID != "":
		// WeChat's own event brought this code, so it was good once: somebody has used it, or we were away for too long.
		return s.recover(ctx, x)
	case s.hopeless(err):
		return 0, s.fail(ctx, x, troubleOf(err))
	}
	return s.postpone(ctx, x, exchangePending, err)
}

// hopeless reports whether repeating a refused api_query_auth cannot help. Codes that an operator can mend in time, such
// as a missing address in the IP whitelist, are tried again while the authorization code lives.
func (s *Service) hopeless(err error) bool {
	if errors.Is(err, errUnreadable) {
		return true
	}
	if _, ok := errors.AsType[*wechat.TokenError](err); ok {
		return false
	}
	if wechat.IsCode(err, codeInvalid, codeExpired) {
		return true
	}
	_, refused := errors.AsType[*wechat.APIError](err)
	return refused && wechat.ClassOf(err) == wechat.ClassPermanent
}

// granted is what WeChat gave for a code, or what was found of it afterwards.
type granted struct {
	appid  string
	grant  tokenstore.Grant
	scopes []int
}

var errUnreadable = errors.New("the stored authorization code cannot be decrypted")

func (s *Service) query(ctx context.Context, x exchange) (granted, error) {
	code, err := s.keys.Open(x.box, exchangePurpose(x.Fingerprint))
	if err != nil {
		return granted{}, fmt.Errorf("%w: %w", errUnreadable, err)
	}
	info, err := s.component.API().QueryAuth(ctx, code)
	if err != nil {
		return granted{}, err
	}
	t := info.Token()
	return granted{
		appid: info.AppID, scopes: info.FuncScopes(),
		grant: tokenstore.Grant{Access: t.Access, ExpiresIn: t.ExpiresIn, Refresh: t.Refresh},
	}, nil
}

// recover finds out what became of a code whose answer was lost: api_get_authorizer_info tells by a refresh token that
// the account's code was exchanged; without the account's id api_get_authorizer_list must name the only candidate. Only
// when neither shows an exchange is the code sent again.
func (s *Service) recover(ctx context.Context, x exchange) (time.Duration, error) {
	if s.Now().After(x.CreatedAt.Add(exchangePatience)) {
		return 0, s.fail(ctx, x, trouble{Word: troubleLost})
	}
	var candidate string
	if x.AppID == "" {
		found, again, err := s.candidate(ctx, x)
		if err != nil {
			return s.postpone(ctx, x, exchangeSent, err)
		}
		candidate = found
		if candidate == "" || again {
			return s.repeat(ctx, x, candidate)
		}
	} else {
		candidate = x.AppID
	}
	g, err := s.readBack(ctx, candidate)
	switch {
	case err == nil && !g.grant.Refresh.IsZero():
		return s.finish(ctx, x, g)
	case err == nil:
		return s.repeat(ctx, x, "")
	case wechat.IsCode(err, notAuthorized):
		return 0, s.fail(ctx, x, trouble{Word: troubleWithdrawn})
	}
	return s.postpone(ctx, x, exchangeSent, err)
}

// repeat sends a code again whose exchange has left no trace. adopt is the account to take over if WeChat says that the
// code was used after all.
func (s *Service) repeat(ctx context.Context, x exchange, adopt string) (time.Duration, error) {
	if x.box == nil {
		return s.postpone(ctx, x, exchangeSent, nil)
	}
	g, err := s.query(ctx, x)
	switch {
	case err == nil:
		return s.finish(ctx, x, g)
	case wechat.IsCode(err, codeInvalid) && adopt != "":
		g, err := s.readBack(ctx, adopt)
		if err != nil || g.grant.Refresh.IsZero() {
			return s.postpone(ctx, x, exchangeSent, err)
		}
		return s.finish(ctx, x, g)
	case wechat.IsCode(err, codeInvalid):
		// Used, by the call whose answer was lost: not an error, the event or the next look will tell the account.
		return s.postpone(ctx, x, exchangeSent, nil)
	case s.hopeless(err) && !wechat.OutcomeUnknown(err):
		return 0, s.fail(ctx, x, troubleOf(err))
	}
	return s.postpone(ctx, x, exchangeSent, err)
}

// readBack reads what WeChat knows about an account's authorization. There is no access token in it.
func (s *Service) readBack(ctx context.Context, appid string) (granted, error) {
	info, err := s.component.API().AuthorizerInfo(ctx, appid)
	if err != nil {
		return granted{}, err
	}
	return granted{appid: appid, scopes: info.Authorization.FuncScopes(), grant: tokenstore.Grant{Refresh: info.Authorization.RefreshToken}}, nil
}

// postpone tries again later, in state. cause, which may be nil, is kept for whoever looks at the link meanwhile.
func (s *Service) postpone(ctx context.Context, x exchange, state string, cause error) (time.Duration, error) {
	now := s.Now()
	if state == exchangePending && now.After(x.ExpiresAt) {
		return 0, s.fail(ctx, x, troubleOf(cause))
	}
	pause := min(s.RetryBase<<min(max(x.Attempts-1, 0), 10), maxPause)
	if ctx.Err() != nil {
		pause = 0 // we are being stopped; the next process goes on
	}
	if cause != nil {
		s.Logger.WarnContext(ctx, "authorization code not exchanged yet", "fingerprint", x.Fingerprint[:12], "link_id", x.LinkID,
			"appid", x.AppID, "retry_in", pause, "error", cause)
		x.Trouble = troubleOf(cause)
	}
	saveCtx, cancel := context.WithTimeout(context.WithoutCancel(ctx), saveTimeout)
	defer cancel()
	err := postponeExchange(saveCtx, s.db, x.Fingerprint, state, x.Trouble, now.Add(pause+lease))
	if err != nil {
		return 0, fmt.Errorf("postpone exchange: %w", err)
	}
	return max(pause, time.Millisecond), nil
}

// fail ends an exchange. What the event brought counts against the link, a code from a redirect may be anybody's
// invention and leaves the link as it is.
func (s *Service) fail(ctx context.Context, x exchange, t trouble) error {
	now := s.Now()
	return s.inTx(ctx, func(tx pgx.Tx) error {
		locked, err := lockExchange(ctx, tx, x.Fingerprint)
		if err != nil || locked.State == exchangeDone || locked.State == exchangeFailed {
			return err
		}
		if locked.AppID != x.AppID {
			return errMoved // the event has just come: there is more to try
		}
		locked.State, locked.Trouble, locked.box = exchangeFailed, t, nil
		if err := updateExchange(ctx, tx, locked); err != nil {
			return err
		}
		if err := s.failLink(ctx, tx, locked, now); err != nil {
			return err
		}
		return publishExchange(ctx, tx, locked)
	})
}

func (s *Service) failLink(ctx context.Context, tx pgx.Tx, x exchange, now time.Time) error {
	if x.LinkID == "" {
		return nil
	}
	l, err := lockLink(ctx, tx, x.LinkID)
	if err != nil {
		if fe, ok := errors.AsType[*fault.Error](err); ok && fe.Kind == fault.NotFound {
			return nil
		}
		return err
	}
	if l.stored != linkPending && l.stored != linkOpened {
		return nil
	}
	l.settle(now)
	if x.EventAt == nil {
		return noteLinkTrouble(ctx, tx, l.ID, x.Trouble)
	}
	if err := setLinkStatus(ctx, tx, l.ID, linkFailed, x.Trouble); err != nil {
		return err
	}
	return publishLink(ctx, tx, l.ID, x.AppID, linkFailed)
}

// withdrawnSinceError: the merchant is marked as withdrawn at or after the time of this authorization.
type withdrawnSinceError struct{ at time.Time }

func (withdrawnSinceError) Error() string { return "withdrawn since" }

// finish keeps a merchant: account, biz id, link, tokens, the end of the exchange and the order to read the details, in
// one transaction.
func (s *Service) finish(ctx context.Context, x exchange, g granted) (time.Duration, error) {
	// The code is used up now: what came for it is stored even while we are being stopped.
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), saveTimeout+lease)
	defer cancel()
	if g.appid == "" {
		return s.postpone(ctx, x, exchangeSent, errors.New("WeChat's answer names no account"))
	}
	if component.IsTestAccount(g.appid) {
		return 0, s.fail(ctx, x, trouble{Word: troubleTestAccount})
	}
	var confirmed time.Time
	for range 3 {
		err := s.save(ctx, x, g, confirmed)
		since, withdrawn := errors.AsType[withdrawnSinceError](err)
		if !withdrawn {
			if err != nil {
				return 0, fmt.Errorf("store authorization of %s: %w", g.appid, err)
			}
			return 0, nil
		}
		// Withdrawing and authorizing again happen within a second or arrive out of order: WeChat knows which was last.
		_, err = s.readBack(ctx, g.appid)
		if wechat.IsCode(err, notAuthorized) {
			return 0, s.fail(ctx, x, trouble{Word: troubleWithdrawn})
		}
		if err != nil {
			return s.postpone(ctx, x, exchangeSent, err)
		}
		confirmed = since.at
	}
	return s.postpone(ctx, x, exchangeSent, errMoved)
}

func (s *Service) save(ctx context.Context, x exchange, g granted, confirmed time.Time) error {
	now := s.Now()
	return s.inTx(ctx, func(tx pgx.Tx) error {
		locked, err := lockExchange(ctx, tx, x.Fingerprint)
		if err != nil || locked.State == exchangeDone {
			return err
		}
		at := locked.authorizedAt()
		before, err := lockAuthorizer(ctx, tx, g.appid)
		if err != nil && !errors.Is(err, pgx.ErrNoRows) {
			return err
		}
		if u := before.UnauthorizedAt; before.Status == statusUnauthorized && u != nil &&
			!u.Before(at.Truncate(time.Second)) && !u.Equal(confirmed) {
			return withdrawnSinceError{*u}
		}
		if confirmed.After(at) {
			at = confirmed // or the same unauthorized event, heard again, would seem to be newer
		}
		kind, err := linkKind(ctx, tx, locked.LinkID)
		if err != nil {
			return err
		}
		if err := upsertAuthorizer(ctx, tx, g.appid, kind, g.scopes, at, now); err != nil {
			return err
		}
		if !g.grant.Access.IsZero() || !g.grant.Refresh.IsZero() { // accounts without API capability have neither
			if err := s.tokens.Put(ctx, tx, tokenKey(g.appid), g.grant); err != nil {
				return err
			}
		}
		locked.AppID = g.appid
		if locked.Trouble, err = s.bind(ctx, tx, &locked, now); err != nil {
			return err
		}
		locked.State, locked.box = exchangeDone, nil
		if err := updateExchange(ctx, tx, locked); err != nil {
			return err
		}
		if err := s.enqueueDetails(ctx, tx, g.appid); err != nil {
			return err
		}
		if err := s.tellAuthorized(ctx, tx, g.appid); err != nil {
			return err
		}
		if err := publishExchange(ctx, tx, locked); err != nil {
			return err
		}
		return live.Publish(ctx, tx, live.Event{Kind: "authorizer", ID: g.appid, AppID: g.appid, State: statusAuthorized})
	})
}
