package authorize

import (
	"context"
	"fmt"
	"strings"

	"github.com/jackc/pgx/v5"
)

// Named finds merchants as the directory's search does, however many there are: by part of nick name, appid, original id
// or principal, whatever the case of letters.
func (s *Service) Named(ctx context.Context, part string) (appids []string, err error) {
	escaped := strings.NewReplacer(`\`, `\\`, `%`, `\%`, `_`, `\_`).Replace(part)
	rows, err := s.db.Query(ctx, `SELECT appid FROM authorizer WHERE search LIKE lower($1)`, "%"+escaped+"%")
	if err == nil {
		appids, err = pgx.CollectRows(rows, pgx.RowTo[string])
	}
	if err != nil {
		return nil, fmt.Errorf("find merchants by name: %w", err)
	}
	return appids, nil
}
