package adminauth

import (
	"context"
	"fmt"
	"strconv"

	"github.com/jackc/pgx/v5"
)

const (
	requireTOTPKey    = "require_totp"
	auditRetentionKey = "audit_retention_days"
)

// policy is what administrators decided about signing in and the audit log.
type policy struct {
	RequireTOTP        bool
	AuditRetentionDays int // 0: entries stay
}

func (s *Service) policy(ctx context.Context) (p policy, err error) {
	if p.RequireTOTP, err = s.totpRequired(ctx); err != nil {
		return policy{}, err
	}
	p.AuditRetentionDays = defaultAuditRetention
	text, found, err := s.settings.Get(ctx, auditRetentionKey)
	if err == nil && found {
		p.AuditRetentionDays, err = strconv.Atoi(text)
	}
	if err != nil {
		return policy{}, fmt.Errorf("read setting %s: %w", auditRetentionKey, err)
	}
	return p, nil
}

func (s *Service) totpRequired(ctx context.Context) (bool, error) {
	text, _, err := s.settings.Get(ctx, requireTOTPKey)
	return text == "true", err
}

// changePolicy sets what is given.
func (s *Service) changePolicy(ctx context.Context, requireTOTP *bool, auditRetentionDays *int, by string) error {
	return pgx.BeginFunc(ctx, s.db, func(tx pgx.Tx) error {
		if requireTOTP != nil {
			if err := s.settings.Put(ctx, tx, requireTOTPKey, strconv.FormatBool(*requireTOTP), by); err != nil {
				return err
			}
		}
		if auditRetentionDays == nil {
			return nil
		}
		return s.settings.Put(ctx, tx, auditRetentionKey, strconv.Itoa(*auditRetentionDays), by)
	})
}
