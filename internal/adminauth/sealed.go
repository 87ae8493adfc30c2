package adminauth

import "github.com/wxsteward/wxsteward/internal/sealed"

// SealedColumns is where this package keeps secrets.
func SealedColumns() []sealed.Column {
	return []sealed.Column{
		{Table: "admin_user", Name: "totp_secret", Key: [][2]string{{"id", "bigint"}}, Purpose: `'totp:' || id`},
		{
			Table: "idempotency_key", Name: "response", Key: [][2]string{{"username", "text"}, {"route", "text"}, {"key", "text"}},
			Purpose: `'idempotency:' || username || ':' || route || ':' || key`,
		},
	}
}
