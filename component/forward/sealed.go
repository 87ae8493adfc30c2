package forward

import "github.com/wxsteward/wxsteward/internal/sealed"

// SealedColumns is where this package keeps secrets.
func SealedColumns() []sealed.Column {
	return []sealed.Column{
		{Table: "forward_rule", Name: "secret", Key: [][2]string{{"id", "bigint"}}, Purpose: "'" + secretPurpose + "'"},
		{Table: "forward_rule", Name: "previous_secret", Key: [][2]string{{"id", "bigint"}}, Purpose: "'" + secretPurpose + "'"},
		{Table: "forward_rule_secret", Name: "secret", Key: [][2]string{{"id", "bigint"}}, Purpose: "'" + secretPurpose + "'"},
	}
}
