package authorize

import (
	"context"
	"fmt"
	"time"

	"github.com/wxsteward/wxsteward/component"
	"github.com/wxsteward/wxsteward/internal/wechat"
)

const (
	listPage = wechat.MaxAuthorizerCount
	// consentAge is how long before its code reached us a merchant may have agreed, clocks apart included.
	consentAge = 15 * time.Minute
	// maxListed bounds the reading of a platform's whole list.
	maxListed = 200000
)

// candidate looks for the account of a redirect whose exchange was lost, in the list of all that have authorized. appid is
// the only account that agreed lately, was exchanged (there is a refresh token) and is explained by nothing else here.
// again means that the list does not settle it and the code should be sent once more.
func (s *Service) candidate(ctx context.Context, x exchange) (appid string, again bool, err error) {
	only := ""
	if x.LinkID != "" {
		l, err := findLink(ctx, s.db, x.LinkID)
		if err != nil {
			return "", false, err
		}
		only = l.AppID
	}
	since := x.CreatedAt.Add(-consentAge)
	var exchanged []string
	open := 0
	for offset := 0; offset < maxListed; offset += listPage {
		page, err := s.component.API().AuthorizerList(ctx, offset, listPage)
		if err != nil {
			return "", false, err
		}
		for _, a := range page.List {
			if int64(a.AuthTime) < since.Unix() || component.IsTestAccount(a.AppID) || only != "" && a.AppID != only {
				continue
			}
			if a.RefreshToken.IsZero() {
				open++
				continue
			}
			exchanged = append(exchanged, a.AppID)
		}
		if len(page.List) < listPage || offset+listPage >= int(page.TotalCount) {
			break
		}
	}
	known, err := spokenFor(ctx, s.db, x.Fingerprint, exchanged, since)
	if err != nil {
		return "", false, fmt.Errorf("compare with merchants on record: %w", err)
	}
	count := 0
	for _, id := range exchanged {
		if !known[id] {
			appid = id
			count++
		}
	}
	rivals, err := lostRivals(ctx, s.db, x.Fingerprint)
	if err != nil {
		return "", false, fmt.Errorf("count lost exchanges: %w", err)
	}
	if count != 1 || rivals > 0 {
		return "", true, nil
	}
	return appid, open > 0, nil
}
