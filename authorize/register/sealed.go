package register

import "github.com/wxsteward/wxsteward/internal/sealed"

func voucherPurpose(id string) string { return "registration voucher:" + id }

// SealedColumns is where this package keeps secrets.
func SealedColumns() []sealed.Column {
	return []sealed.Column{
		{Table: "registration", Name: "voucher", Key: [][2]string{{"id", "text"}}, Purpose: "'" + voucherPurpose("") + "' || id"},
	}
}
