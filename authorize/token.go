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
	"github.com/wxsteward/wxsteward/internal/tokenstore"
	"github.com/wxsteward/wxsteward/internal/wechat"
)

// reauthPause is how long WeChat is left alone about a merchant whose tokens it has refused; then a refresh is tried
// again, because nobody tells us when such a fault is over without a new authorization.
const reauthPause = 10 * time.Minute

// Token is a merchant's access token, good for at least five more minutes (half of its life where that is shorter). It
// fails with fault.NotFound for an account not on record and fault.Unauthorized for one that has withdrawn its
// authorization or has to renew it.
func (s *Service) Token(ctx context.Context, appid string) (tokenstore.Token, error) {
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
	if a.ReauthAt != nil && s.Now().Sub(*a.ReauthAt) < reauthPause {
		return tokenstore.Token{}, reauthorizeFault(nil)
	}
	t, err := s.tokens.Get(ctx, tokenKey(appid), s.refresher(appid))
	if errors.Is(err, errNeedsReauthorization) {
		if markErr := s.needsReauthorization(ctx, appid, err); markErr != nil {
			return tokenstore.Token{}, errors.Join(err, markErr)
		}
		return tokenstore.Token{}, reauthorizeFault(err)
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

func reauthorizeFault(cause error) error {
	return fault.Wrap(cause, fault.Unauthorized, "%s", trouble{Word: troubleReauthorize})
}

// refresher gets a merchant's next access token. When WeChat takes the refresh token no more, it reads back whether there
// is a newer one: the answer to an earlier refresh or exchange may have been lost.
//
// It must not touch the merchant's row: who withdraws an authorization holds that and waits for the token.
func (s *Service) refresher(appid string) tokenstore.Refresher {
	return func(ctx context.Context, refresh sealed.Secret) (tokenstore.Grant, error) {
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

// needsReauthorization notes that only the merchant can help. Nothing is deleted.
func (s *Service) needsReauthorization(ctx context.Context, appid string, cause error) error {
	t := troubleOf(cause)
	t.Word = troubleReauthorize
	return s.inTx(ctx, func(tx pgx.Tx) error {
		news, err := markReauthorize(ctx, tx, appid, t, s.Now())
		if err != nil || !news {
			return err
		}
		return live.Publish(ctx, tx, live.Event{Kind: "authorizer", ID: appid, AppID: appid, State: statusAuthorized})
	})
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
