package authorize

import (
	"context"
	"fmt"
	"strings"
)

// NameSearch finds rows of other tables by the merchant they belong to, as the directory's search finds merchants: by part
// of nick name, appid, original id or principal, whatever the case of letters.
type NameSearch struct {
	part string
	rare bool // by the index of names; else by each row's merchant
}

// SearchNames makes a search for merchants with part in their names.
func (s *Service) SearchNames(ctx context.Context, part string) (NameSearch, error) {
	rare, err := fewNamed(ctx, s.db, part)
	if err != nil {
		return NameSearch{}, fmt.Errorf("search merchants by name: %w", err)
	}
	return NameSearch{part, rare}, nil
}

// Condition is true in SQL for rows whose column appid names a merchant that is searched for. arg adds an argument to the
// query and returns its placeholder. However many merchants there are, what it costs depends on the few that the index
// finds, or on the rows that the query reads.
func (n NameSearch) Condition(appid string, arg func(value any) string) string {
	like := `a.search LIKE lower(` + arg("%"+escapeLike(n.part)+"%") + `)`
	if n.rare {
		return appid + ` IN (SELECT a.appid FROM ` + merchantsByGrams(arg(n.part)) + ` WHERE ` + like + `)`
	}
	return `EXISTS (SELECT FROM authorizer a WHERE a.appid = ` + appid + ` AND ` + like + `)`
}

func escapeLike(text string) string {
	return strings.NewReplacer(`\`, `\\`, `%`, `\%`, `_`, `\_`).Replace(text)
}
