package authorize

import "github.com/wxsteward/wxsteward/internal/sealed"

// SealedColumns is where this package keeps secrets.
func SealedColumns() []sealed.Column {
	return []sealed.Column{
		{Table: "authorization_exchange", Name: "code", Key: [][2]string{{"fingerprint", "text"}}, Purpose: "'" + exchangePurpose("") + "' || fingerprint"},
	}
}
