package adminauth

import (
	"context"
	"crypto/sha256"
	"strconv"
	"strings"
	"time"

	"github.com/wxsteward/wxsteward/internal/fault"
	"github.com/wxsteward/wxsteward/internal/sealed"
)

const (
	apiKeyPrefix = "wxs_"
	// shownOfKey is how much of a key is kept in clear: four random letters of 43.
	shownOfKey = len(apiKeyPrefix) + 4
)

// apiKey is a row of api_key; the key itself is not in it.
type apiKey struct {
	id         int64
	name       string
	role       Role
	prefix     string
	createdBy  string
	createdAt  time.Time
	expiresAt  *time.Time
	lastUsedAt *time.Time
}

// createKey makes a key. It is returned here and never again.
func (s *Service) createKey(ctx context.Context, name string, role Role, expiresAt *time.Time, by string) (apiKey, sealed.Secret, error) {
	if expiresAt != nil && !expiresAt.After(s.now()) {
		return apiKey{}, sealed.Secret{}, fault.Invalid("body.expires_at", "This time has passed already.", nil)
	}
	secret := sealed.New(apiKeyPrefix + randomText(32))
	k, err := s.insertKey(ctx, apiKey{name: name, role: role, prefix: secret.Reveal()[:shownOfKey], createdBy: by, expiresAt: expiresAt}, keyHash(secret))
	return k, secret, err
}

func keyHash(key sealed.Secret) []byte {
	sum := sha256.Sum256([]byte(key.Reveal()))
	return sum[:]
}

// bearer finds out whose API key an Authorization header holds.
func (s *Service) bearer(ctx context.Context, header string) (identity, error) {
	scheme, token, _ := strings.Cut(header, " ")
	token = strings.TrimSpace(token)
	if !strings.EqualFold(scheme, "Bearer") || !strings.HasPrefix(token, apiKeyPrefix) {
		return identity{}, fault.New(fault.Unauthenticated, "The Authorization header must be: Bearer wxs_…")
	}
	return s.keyIdentity(ctx, keyHash(sealed.New(token)))
}

func (k apiKey) identity() identity {
	id := strconv.FormatInt(k.id, 10)
	return identity{User: User{ID: "key:" + id, Username: "key:" + k.name, Role: k.role}, keyID: k.id}
}
