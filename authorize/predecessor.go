package authorize

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/wxsteward/wxsteward/component"
	"github.com/wxsteward/wxsteward/internal/sealed"
)

// Predecessor is what a program that served the platform before us knew of a merchant.
type Predecessor struct {
	AppID         string
	Kind          string // miniprogram, official or empty
	NickName      string
	UserName      string
	HeadImg       string
	QRCodeURL     string
	PrincipalName string
	FuncScopes    []int
	ServiceType   int
	VerifyType    int
	Refresh       sealed.Secret // zero: a synchronization brings it
	AuthorizedAt  time.Time
}

// errTestAccount reports one of the accounts with which WeChat checks platforms.
var errTestAccount = errors.New("an account of WeChat's own checks")

// TakeOver brings merchants on record that a program before us served, with their refresh tokens. What is known here already is
// not touched: neither a refresh token nor a withdrawal that is younger, nor anything WeChat has told us about the merchant.
// fresh counts what was new, refused says by index what cannot be a merchant. With dry nothing is written.
func (s *Service) TakeOver(ctx context.Context, list []Predecessor, dry bool) (fresh int, refused map[int]error, err error) {
	refused = map[int]error{}
	var appids, keys []string
	for i, m := range list {
		switch {
		case !plausibleAppID(m.AppID):
			refused[i] = errors.New("this cannot be an appid")
		case component.IsTestAccount(m.AppID):
			refused[i] = errTestAccount
		default:
			appids, keys = append(appids, m.AppID), append(keys, tokenKey(m.AppID))
		}
	}
	err = s.inTx(ctx, func(tx pgx.Tx) error {
		known, err := lockStandings(ctx, tx, appids)
		if err != nil {
			return err
		}
		have, err := s.tokens.HaveRefresh(ctx, tx, keys)
		if err != nil {
			return err
		}
		for i, m := range list {
			if refused[i] != nil || !m.news(known, have[tokenKey(m.AppID)]) {
				continue
			}
			fresh++
			if dry {
				continue
			}
			if m.AuthorizedAt.IsZero() {
				m.AuthorizedAt = s.Now()
			}
			if err := s.adopt(ctx, tx, m.AppID, m.Refresh, m.AuthorizedAt, have[tokenKey(m.AppID)]); err != nil {
				return err
			}
			if err := fillIn(ctx, tx, m, s.Now()); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return 0, nil, fmt.Errorf("take over merchants: %w", err)
	}
	return fresh, refused, nil
}

// news reports whether a merchant is one that we do not know, or lack the refresh token of.
func (m Predecessor) news(known map[string]standing, hasRefresh bool) bool {
	ours, onRecord := known[m.AppID]
	switch {
	case !onRecord:
		return true
	case ours.Status == statusUnauthorized:
		return ours.UnauthorizedAt == nil || m.AuthorizedAt.After(*ours.UnauthorizedAt)
	default:
		return !hasRefresh && !m.Refresh.IsZero()
	}
}

// fillIn writes what is known of a merchant that WeChat has not told us about yet.
func fillIn(ctx context.Context, tx pgx.Tx, m Predecessor, now time.Time) error {
	const q = `UPDATE authorizer SET kind = $2, nick_name = $3, user_name = $4, head_img = $5, qrcode_url = $6, principal_name = $7,
			func_scopes = coalesce($8::int[], '{}'), service_type = $9, verify_type = $10, updated_at = $11
		WHERE appid = $1 AND info_at IS NULL`
	_, err := tx.Exec(ctx, q, m.AppID, m.Kind, writable(m.NickName), writable(m.UserName), writable(m.HeadImg), writable(m.QRCodeURL),
		writable(m.PrincipalName), m.FuncScopes, m.ServiceType, m.VerifyType, now)
	return err
}

// writable makes text that PostgreSQL takes.
func writable(text string) string {
	return strings.ToValidUTF8(strings.ReplaceAll(text, "\x00", ""), "")
}
