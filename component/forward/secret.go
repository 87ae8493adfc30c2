package forward

import (
	"context"
	"crypto/rand"
	"encoding/base64"
	"fmt"
	"log/slog"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"
	standardwebhooks "github.com/standard-webhooks/standard-webhooks/libraries/go"

	"github.com/wxsteward/wxsteward/internal/sealed"
)

const (
	// secretPurpose binds sealed secrets to their table.
	secretPurpose = "forward_rule/secret"
	secretPrefix  = "whsec_"
	// overlap is how long a secret signs after it was replaced.
	overlap = 24 * time.Hour
	// keptSecrets is how many replaced secrets sign at most: each makes a header longer.
	keptSecrets = 4
)

// newSecret makes a secret as Standard Webhooks wants it: 32 random bytes in base64 behind whsec_.
func newSecret() sealed.Secret {
	var key [32]byte
	_, _ = rand.Read(key[:]) // never fails, it ends the process instead
	return sealed.New(secretPrefix + base64.StdEncoding.EncodeToString(key[:]))
}

// signer signs for one rule.
type signer struct {
	current *standardwebhooks.Webhook // nil: it cannot be opened, so nothing can be sent
	before  []replacedKey             // newest first
}

// replacedKey signs until its day is over.
type replacedKey struct {
	key   *standardwebhooks.Webhook
	until time.Time
}

// openSigner leaves out what cannot be opened.
func (s *Service) openSigner(ctx context.Context, r storedRule) signer {
	var k signer
	var err error
	if k.current, err = s.openKey(r.secret); err != nil {
		s.log.ErrorContext(ctx, "secret of a forward rule cannot be opened", slog.Int64("rule_id", r.ID), slog.Any("error", err))
	}
	now := s.now()
	boxes, until := append([][]byte{r.previousSecret}, r.olderSecrets...), append([]time.Time{r.PreviousUntil}, r.olderUntil...)
	for i, box := range boxes {
		if !now.Before(until[i]) {
			continue
		}
		key, err := s.openKey(box)
		if err != nil {
			s.log.ErrorContext(ctx, "previous secret of a forward rule cannot be opened", slog.Int64("rule_id", r.ID), slog.Any("error", err))
			continue
		}
		k.before = append(k.before, replacedKey{key, until[i]})
	}
	return k
}

// replace gives a rule a new secret. Those before that still count go on to, as far as they can be opened.
func (s *Service) replace(ctx context.Context, tx pgx.Tx, r *storedRule, box []byte) error {
	now := s.now()
	if _, err := s.openKey(r.previousSecret); err != nil {
		r.previousSecret, r.PreviousUntil = nil, time.Time{}
	}
	if _, err := s.openKey(r.secret); err == nil {
		if now.Before(r.PreviousUntil) {
			if err := keepSecret(ctx, tx, r.ID, r.previousSecret, r.PreviousUntil, keptSecrets-1); err != nil {
				return fmt.Errorf("keep secret: %w", err)
			}
		}
		r.previousSecret, r.PreviousUntil = r.secret, now.Add(overlap).UTC()
	}
	r.secret = box
	return nil
}

func (s *Service) openKey(box []byte) (*standardwebhooks.Webhook, error) {
	secret, err := s.deps.Keys.Open(box, secretPurpose)
	if err != nil {
		return nil, fmt.Errorf("open secret: %w", err)
	}
	return standardwebhooks.NewWebhook(secret.Reveal())
}

// sign sets the headers of Standard Webhooks. Each secret that is valid makes a signature, the newest first.
func (k signer) sign(h http.Header, id string, at time.Time, body []byte) error {
	keys := []*standardwebhooks.Webhook{k.current}
	for _, b := range k.before {
		if at.Before(b.until) {
			keys = append(keys, b.key)
		}
	}
	signatures := make([]string, len(keys))
	for i, key := range keys {
		var err error
		if signatures[i], err = key.Sign(id, at, body); err != nil {
			return err
		}
	}
	h.Set(standardwebhooks.HeaderWebhookID, id)
	h.Set(standardwebhooks.HeaderWebhookTimestamp, strconv.FormatInt(at.Unix(), 10))
	h.Set(standardwebhooks.HeaderWebhookSignature, strings.Join(signatures, " "))
	return nil
}
