package replica

import "github.com/wxsteward/wxsteward/internal/sealed"

// SealedColumns is where this package keeps secrets.
func SealedColumns() []sealed.Column {
	return []sealed.Column{
		{Table: "replica", Name: "public_key", Key: [][2]string{{"id", "text"}}, Purpose: "'" + publicPurpose("") + "' || id"},
		{Table: "replica", Name: "offer", Key: [][2]string{{"id", "text"}}, Purpose: "'" + offerPurpose("") + "' || id"},
		{Table: "rekey", Name: "previous", Key: [][2]string{{"only_one", "boolean"}}, Purpose: "'" + previousPurpose + "'"},
	}
}
