package component

import "github.com/wxsteward/wxsteward/internal/sealed"

// SealedColumns is where this package keeps secrets.
func SealedColumns() []sealed.Column {
	return []sealed.Column{
		{Table: "message", Name: "secret_body", Key: [][2]string{{"id", "bigint"}}, Purpose: "'" + messagePurpose + "'"},
		{Table: "component_ticket", Name: "ticket", Key: [][2]string{{"appid", "text"}}, Purpose: "'" + ticketPurpose + "'"},
	}
}
