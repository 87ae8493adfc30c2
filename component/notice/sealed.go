package notice

import "github.com/wxsteward/wxsteward/internal/sealed"

// SealedColumns is where this package keeps secrets.
func SealedColumns() []sealed.Column {
	return []sealed.Column{
		{Table: "notice_channel", Name: "url", Key: [][2]string{{"id", "bigint"}}, Purpose: "'" + urlPurpose + "'"},
		{Table: "notice_channel", Name: "secret", Key: [][2]string{{"id", "bigint"}}, Purpose: "'" + secretPurpose + "'"},
	}
}
