package authorize

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/wxsteward/wxsteward/internal/fault"
	"github.com/wxsteward/wxsteward/internal/live"
	"github.com/wxsteward/wxsteward/internal/sealed"
	"github.com/wxsteward/wxsteward/internal/tokenstore"
	"github.com/wxsteward/wxsteward/internal/wechat"
)

// reauthPause is how long WeChat is left alone about a merchant whose tokens it has refused; then a refresh is tried
// again, because nobody tells us when such a fault is over without a new authorization.
const reauthPause = 10 * time.Minute

const (
	// tokensInUse is how long after its last use a merchant's token is still refreshed ahead of its end; later it waits for
	// somebody to ask.
	tokensInUse = 3 * 24 * time.Hour
	// tokensAtOnce bounds what is refreshed in one round, a minute, and tokensTurn how long the round may take.
	tokensAtOnce = 2000
	tokensTurn   = 50 * time.Second
	// tokensStreak failures in a row end the round, and who failed is left out of the next ones for tokensRest: those whose
	// tokens end first would otherwise be first each time, and nobody else's turn would come.
	tokensStreak = 10
	tokensRest   = 30 * time.Minute
	// quotaHold is how long WeChat is not asked again for a token it has refused because of a quota; the quota may be reset at
	// any time.
	quotaHold = time.Minute
)

// Token is a merchant's access token, good for at least five more minutes (half of its life where that is shorter). It
// fails with fault.NotFound for an account not on record and fault.Unauthorized for one that has withdrawn its
// authorization or has to renew it. A token that is asked for is refreshed ahead of its end for some days.
func (s *Service) Token(ctx context.Context, appid string) (tokenstore.Token, error) {
	t, err := s.token(ctx, appid, s.tokens.Get)
	if err != nil {
		return t, err
	}
	if useErr := s.tokens.Used(ctx, tokenKey(appid)); useErr != nil { // the token is worth more
		s.Logger.WarnContext(ctx, "use of a token is not noted", "appid", appid, "error", useErr)
	}
	return t, nil
}

// token is Token with the means to get it.
func (s *Service) token(ctx context.Context, appid string, get func(context.Context, string, tokenstore.Refresher) (tokenstore.Token, error)) (tokenstore.Token, error) {
	a, err := readStanding(ctx, s.db, appid)
	if errors.Is(err, pgx.ErrNoRows) {
		return tokenstore.Token{}, noSuchAuthorizer()
	}
	if err != nil {
		return tokenstore.Token{}, fmt.Errorf("read merchant %s: %w", appid, err)
	}
	if a.Status != statusAuthorized {
		return tokenstore.Token{}, withdrawnFault()
	}
	if a.ReauthAt != nil {
		if left := reauthPause - s.Now().Sub(*a.ReauthAt); left > 0 {
			return tokenstore.Token{}, reauthorizeFault(nil, left)
		}
	}
	t, err := get(ctx, tokenKey(appid), s.refresher(appid))
	if errors.Is(err, errNeedsReauthorization) {
		if wechat.IsCode(err, notAuthorized) {
			s.doubt(ctx, appid, err)
		}
		anew, markErr := s.needsReauthorization(ctx, appid, a, err)
		if markErr != nil {
			return tokenstore.Token{}, errors.Join(err, markErr)
		}
		if !anew {
			return tokenstore.Token{}, reauthorizeFault(err, reauthPause)
		}
		if t, err = get(ctx, tokenKey(appid), s.refresher(appid)); errors.Is(err, errNeedsReauthorization) {
			return tokenstore.Token{}, reauthorizeFault(err, reauthPause)
		}
	}
	if err != nil {
		return tokenstore.Token{}, err
	}
	if a.ReauthAt != nil {
		if err := s.inTx(ctx, func(tx pgx.Tx) error { return clearReauthorize(ctx, tx, appid, s.Now()) }); err != nil {
			return tokenstore.Token{}, fmt.Errorf("note that merchant %s works again: %w", appid, err)
		}
	}
	return t, nil
}

func reauthorizeFault(cause error, again time.Duration) error {
	f := fault.Wrap(cause, fault.Unauthorized, "%s", trouble{Word: troubleReauthorize})
	f.RetryAfter = again
	return f
}

// keepTokensFresh refreshes the tokens of merchants in use that end soon, so that nobody has to wait for it. When WeChat is in
// trouble it stops; the next round tries again, and the tokens are good until then.
func (s *Service) keepTokensFresh(ctx context.Context) error {
	keys, err := s.tokens.InUse(ctx, tokenKey(""), s.Now().Add(-tokensInUse), tokensAtOnce)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, tokensTurn)
	defer cancel()
	streak := 0
	for _, key := range keys {
		appid := strings.TrimPrefix(key, tokenKey(""))
		if s.resting.check(appid, s.Now()) != nil {
			continue
		}
		_, err := s.token(ctx, appid, s.tokens.Ahead)
		if ctx.Err() != nil {
			return nil // the next round goes on
		}
		if fe, ok := errors.AsType[*fault.Error](err); err == nil || ok && (fe.Kind == fault.NotFound || fe.Kind == fault.Unauthorized) {
			streak = 0 // no token for this one, which says nothing about the others
			continue
		}
		s.resting.put(appid, err, s.Now().Add(tokensRest))
		if streak++; streak >= tokensStreak {
			return fmt.Errorf("refresh tokens ahead, %d in a row failed: %w", streak, err)
		}
		s.Logger.WarnContext(ctx, "token not refreshed ahead of its end", "appid", appid, "error", err)
	}
	return nil
}

// holds remembers which merchants are left alone for a time, and why.
type holds struct {
	mu    sync.Mutex
	until map[string]hold
}

type hold struct {
	end time.Time
	err error
}

func (h *holds) check(appid string, now time.Time) error {
	h.mu.Lock()
	defer h.mu.Unlock()
	if held, ok := h.until[appid]; ok {
		if now.Before(held.end) {
			return held.err
		}
		delete(h.until, appid)
	}
	return nil
}

func quotaUsedUp(err error) bool {
	return err != nil && (wechat.ClassOf(err) == wechat.ClassQuota || wechat.IsCode(err, minuteQuota))
}

// note remembers a refusal because of a quota until that is over, at most quotaHold.
func (h *holds) note(appid string, err error, now time.Time) {
	if quotaUsedUp(err) {
		h.put(appid, err, now.Add(min(quotaHold, wechat.RetryAfter(err, now))))
	}
}

func (h *holds) put(appid string, err error, end time.Time) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.until == nil {
		h.until = map[string]hold{}
	}
	h.until[appid] = hold{end, err}
}

// refresher gets a merchant's next access token. When WeChat takes the refresh token no more, it reads back whether there
// is a newer one: the answer to an earlier refresh or exchange may have been lost.
//
// It must not touch the merchant's row: who withdraws an authorization holds that and waits for the token.
func (s *Service) refresher(appid string) tokenstore.Refresher {
	return func(ctx context.Context, refresh sealed.Secret) (g tokenstore.Grant, err error) {
		if err := s.holds.check(appid, s.Now()); err != nil {
			return tokenstore.Grant{}, err
		}
		defer func() { s.holds.note(appid, err, s.Now()) }()
		return s.nextToken(ctx, appid, refresh)
	}
}

func (s *Service) nextToken(ctx context.Context, appid string, refresh sealed.Secret) (tokenstore.Grant, error) {
	var refused error
	if !refresh.IsZero() {
		g, err := s.refreshWith(ctx, appid, refresh)
		if err == nil || !tokenGone(err) {
			return g, err
		}
		refused = err
	}
	g, err := s.readBack(ctx, appid)
	switch {
	case tokenGone(err):
		return tokenstore.Grant{}, fmt.Errorf("%w: %w", errNeedsReauthorization, err)
	case err != nil:
		return tokenstore.Grant{}, err
	case g.grant.Refresh.IsZero() || g.grant.Refresh.Equal(refresh):
		if refused == nil {
			return tokenstore.Grant{}, errNeedsReauthorization
		}
		return tokenstore.Grant{}, fmt.Errorf("%w: %w", errNeedsReauthorization, refused)
	}
	fresh, err := s.refreshWith(ctx, appid, g.grant.Refresh)
	if tokenGone(err) {
		return tokenstore.Grant{}, fmt.Errorf("%w: %w", errNeedsReauthorization, err)
	}
	if err == nil && fresh.Refresh.IsZero() {
		fresh.Refresh = g.grant.Refresh
	}
	return fresh, err
}

func (s *Service) refreshWith(ctx context.Context, appid string, refresh sealed.Secret) (tokenstore.Grant, error) {
	t, err := s.component.API().RefreshAuthorizer(ctx, appid, refresh)
	if err != nil {
		return tokenstore.Grant{}, err
	}
	return tokenstore.Grant{Access: t.Access, ExpiresIn: t.ExpiresIn, Refresh: t.Refresh}, nil
}

// tokenGone tells refusals after which only another refresh token or a new authorization helps.
func tokenGone(err error) bool {
	return wechat.IsCode(err, refreshInvalid, refreshExpired, passwordChange, notAuthorized, refreshMissing, refreshUnknown)
}

// needsReauthorization notes that only the merchant can help. Nothing is deleted. A merchant that has authorized anew since it was
// read as before has helped already, and nothing is noted.
func (s *Service) needsReauthorization(ctx context.Context, appid string, before standing, cause error) (anew bool, err error) {
	t := troubleOf(cause)
	t.Word = troubleReauthorize
	err = s.inTx(ctx, func(tx pgx.Tx) error {
		now, err := lockAuthorizer(ctx, tx, appid)
		if err != nil {
			return err
		}
		if anew = now.Status == statusAuthorized && !sameTime(now.AuthorizedAt, before.AuthorizedAt); anew {
			return nil
		}
		news, err := markReauthorize(ctx, tx, appid, t, s.Now())
		if err != nil || !news {
			return err
		}
		return live.Publish(ctx, tx, live.Event{Kind: "authorizer", ID: appid, AppID: appid, State: statusAuthorized})
	})
	return anew, err
}

func sameTime(a, b *time.Time) bool {
	return a == nil && b == nil || a != nil && b != nil && a.Equal(*b)
}

// API makes calls for a merchant, with its access token.
func (s *Service) API(appid string) *wechat.Authorizer {
	return s.client.Authorizer(appid, s.TokenSource(appid))
}

// TokenSource gives a merchant's access token to the calls made for it.
func (s *Service) TokenSource(appid string) wechat.TokenSource { return tokenSource{s, appid} }

type tokenSource struct {
	s     *Service
	appid string
}

func (t tokenSource) Token(ctx context.Context) (sealed.Secret, error) {
	token, err := t.s.Token(ctx, t.appid)
	return token.Access, err
}

func (t tokenSource) Reject(ctx context.Context, used sealed.Secret) error {
	return t.s.tokens.Reject(ctx, tokenKey(t.appid), used)
}
