package miniapp

import (
	"context"
	"errors"
	"fmt"

	"github.com/wxsteward/wxsteward/internal/sealed"
)

const sessionKeyName = "miniapp_session_key"

// sessionKeys seal session tokens. The key is made once and kept in the settings: tokens are in other people's hands, so they must
// outlive a change of the master key, and hold nothing that is sealed with it.
func (s *Service) sessionKeys(ctx context.Context) (*sealed.Keyring, error) {
	s.keyMu.Lock()
	defer s.keyMu.Unlock()
	if s.sessions != nil {
		return s.sessions, nil
	}
	key, found, err := s.settings.GetSecret(ctx, sessionKeyName)
	if err == nil && !found {
		key, err = s.settings.PutSecretOnce(ctx, s.db, sessionKeyName, sealed.New(sealed.GenerateKey()))
	}
	if err != nil {
		return nil, fmt.Errorf("read the key of sessions: %w", err)
	}
	if s.sessions, err = sealed.NewKeyring(key.Reveal()); err != nil {
		return nil, fmt.Errorf("read the key of sessions: %w", err)
	}
	return s.sessions, nil
}

// unseal opens a session token's box. Version 0.1.0 sealed them with the master key.
func (s *Service) unseal(ctx context.Context, box []byte) (sealed.Secret, error) {
	keys, err := s.sessionKeys(ctx)
	if err != nil {
		return sealed.Secret{}, err
	}
	text, err := keys.Open(box, tokenPurpose)
	if errors.Is(err, sealed.ErrWrongKey) {
		text, err = s.keys.Open(box, tokenPurpose)
	}
	if err != nil {
		return sealed.Secret{}, errOver()
	}
	return text, nil
}
