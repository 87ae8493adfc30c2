package forward

import (
	"context"
	"crypto/rand"
	"encoding/base64"
	"fmt"
	"log/slog"
	"net/http"
	"strconv"
	"time"

	standardwebhooks "github.com/standard-webhooks/standard-webhooks/libraries/go"

	"github.com/wxsteward/wxsteward/internal/sealed"
)

const (
	// secretPurpose binds sealed secrets to their table.
	secretPurpose = "forward_rule/secret"
	secretPrefix  = "whsec_"
	// overlap is how long the secret before signs too.
	overlap = 24 * time.Hour
)

// newSecret makes a secret as Standard Webhooks wants it: 32 random bytes in base64 behind whsec_.
func newSecret() sealed.Secret {
	var key [32]byte
	_, _ = rand.Read(key[:]) // never fails, it ends the process instead
	return sealed.New(secretPrefix + base64.StdEncoding.EncodeToString(key[:]))
}

// signer signs for one rule.
type signer struct {
	current       *standardwebhooks.Webhook // nil: it cannot be opened, so nothing can be sent
	previous      *standardwebhooks.Webhook // may be nil
	previousUntil time.Time
}

// openSigner leaves out what cannot be opened.
func (s *Service) openSigner(ctx context.Context, r storedRule) signer {
	k := signer{previousUntil: r.PreviousUntil}
	var err error
	if k.current, err = s.openKey(r.secret); err != nil {
		s.log.ErrorContext(ctx, "secret of a forward rule cannot be opened", slog.Int64("rule_id", r.ID), slog.Any("error", err))
	}
	if r.previousSecret != nil && s.now().Before(r.PreviousUntil) {
		if k.previous, err = s.openKey(r.previousSecret); err != nil {
			s.log.ErrorContext(ctx, "previous secret of a forward rule cannot be opened", slog.Int64("rule_id", r.ID), slog.Any("error", err))
		}
	}
	return k
}

func (s *Service) openKey(box []byte) (*standardwebhooks.Webhook, error) {
	secret, err := s.deps.Keys.Open(box, secretPurpose)
	if err != nil {
		return nil, fmt.Errorf("open secret: %w", err)
	}
	return standardwebhooks.NewWebhook(secret.Reveal())
}

// sign sets the headers of Standard Webhooks. While two secrets are valid there are two signatures, newest first.
func (k signer) sign(h http.Header, id string, at time.Time, body []byte) error {
	signature, err := k.current.Sign(id, at, body)
	if err != nil {
		return err
	}
	if k.previous != nil && at.Before(k.previousUntil) {
		second, err := k.previous.Sign(id, at, body)
		if err != nil {
			return err
		}
		signature += " " + second
	}
	h.Set(standardwebhooks.HeaderWebhookID, id)
	h.Set(standardwebhooks.HeaderWebhookTimestamp, strconv.FormatInt(at.Unix(), 10))
	h.Set(standardwebhooks.HeaderWebhookSignature, signature)
	return nil
}
