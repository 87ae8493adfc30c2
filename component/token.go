package component

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/wxsteward/wxsteward/internal/fault"
	"github.com/wxsteward/wxsteward/internal/sealed"
	"github.com/wxsteward/wxsteward/internal/tokenstore"
	"github.com/wxsteward/wxsteward/internal/wechat"
)

// TokenStatus is what may be told about the component access token without telling it.
type TokenStatus struct {
	Present   bool
	ExpiresAt time.Time // zero when there is none
}

func (s *Service) tokenKey() string { return "component:" + s.cfg.AppID }

// AccessToken is the component access token, good for at least five more minutes. It fails with fault.Conflict while the
// app secret or a ticket is missing, and with WeChat's refusal.
func (s *Service) AccessToken(ctx context.Context) (tokenstore.Token, error) {
	return s.deps.Tokens.Get(ctx, s.tokenKey(), s.refresh)
}

// TokenStatus looks at the stored token; one that has expired is not present.
func (s *Service) TokenStatus(ctx context.Context) (TokenStatus, error) {
	t, ok, err := s.deps.Tokens.Peek(ctx, s.tokenKey())
	if err != nil || !ok || !t.ExpiresAt.After(s.now()) {
		return TokenStatus{}, err
	}
	return TokenStatus{Present: true, ExpiresAt: t.ExpiresAt}, nil
}

// TokenSource gives the component access token to the calls made as the platform.
func (s *Service) TokenSource() wechat.TokenSource { return tokenSource{s} }

type tokenSource struct{ s *Service }

func (t tokenSource) Token(ctx context.Context) (sealed.Secret, error) {
	token, err := t.s.AccessToken(ctx)
	return token.Access, err
}

func (t tokenSource) Reject(ctx context.Context, used sealed.Secret) error {
	return t.s.deps.Tokens.Reject(ctx, t.s.tokenKey(), used)
}

// refresh gets a token for the newest ticket.
func (s *Service) refresh(ctx context.Context, _ sealed.Secret) (tokenstore.Grant, error) {
	creds, err := s.credentials(ctx)
	if err != nil {
		return tokenstore.Grant{}, err
	}
	if creds.appSecret.IsZero() {
		return tokenstore.Grant{}, errNoAppSecret()
	}
	ticket, err := s.Ticket(ctx)
	if err != nil {
		return tokenstore.Grant{}, err
	}
	token, err := s.deps.WeChat.ComponentToken(ctx, creds.appSecret, ticket.Value)
	if ticketRefused(err) {
		// Only a new ticket helps. A token that is still good stays in use meanwhile; the store sees to that.
		if restartErr := s.requestRestart(ctx); restartErr != nil {
			s.log.ErrorContext(ctx, "ticket was refused and its restart could not be requested", "error", restartErr)
		}
	}
	if err != nil {
		return tokenstore.Grant{}, err
	}
	if err := forgetRestarts(ctx, s.deps.DB, s.cfg.AppID, restartRefused); err != nil {
		s.log.ErrorContext(ctx, "restarts of the ticket push are not forgotten", "error", err) // the token is worth more
	}
	return tokenstore.Grant{Access: token.Access, ExpiresIn: token.ExpiresIn}, nil
}

// ticketRefused tells an expired ticket (61005) and an invalid one (61006, 40091).
func ticketRefused(err error) bool { return wechat.IsCode(err, 61005, 61006, 40091) }

func (s *Service) requestRestart(ctx context.Context) error {
	return pgx.BeginFunc(ctx, s.deps.DB, func(tx pgx.Tx) error { return s.enqueueRestart(ctx, tx) })
}

// keepTokenFresh refreshes ahead of expiry, so that no call has to wait for it. Before the platform is set up there is
// nothing to do, nor where our own calls carry another token or none: then a component access token is got when a business
// system asks for one.
func (s *Service) keepTokenFresh(ctx context.Context) error {
	if s.cfg.Transport != wechat.TransportToken {
		return nil
	}
	_, err := s.AccessToken(ctx)
	if isKind(err, fault.Conflict) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("refresh component token: %w", err)
	}
	return nil
}

func isKind(err error, kind fault.Kind) bool {
	f, ok := errors.AsType[*fault.Error](err)
	return ok && f.Kind == kind
}
