package authorize

import (
	"context"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/wxsteward/wxsteward/internal/fault"
)

// launch is what a merchant is shown who opened a link.
type launch struct {
	Link     Link
	Platform string    // name of the platform
	URL      string    // of WeChat's page; holds the pre-auth code, so it is for this visitor only
	Until    time.Time // when URL stops working
}

// Open gets a fresh pre-auth code for a visitor of a link's page and notes that the link was opened. It fails with
// fault.NotFound, with fault.Gone for a link that is over, with fault.TooMany for too many visits, and with what the
// platform says when there is no ticket yet or WeChat cannot be reached. The Link is filled in wherever there is one.
func (s *Service) open(ctx context.Context, id, ip string, inWeChat bool) (launch, error) {
	l, err := s.linkIn(ctx, id)
	if err != nil {
		return launch{}, err
	}
	page := launch{Link: l, Platform: s.platformName(ctx)}
	if !l.openable() {
		return page, fault.New(fault.Gone, "The authorization link is %s.", l.Status)
	}
	// Every visit costs one pre-auth code of WeChat's daily quota.
	if !s.opens.take("visitor "+visitor(ip)) || !s.linkOpens.take(id) {
		return page, &fault.Error{Kind: fault.TooMany, Format: "Too many visits. Try again in a minute.", RetryAfter: time.Minute}
	}
	code, err := s.component.API().CreatePreAuthCode(ctx)
	if err != nil {
		return page, fmt.Errorf("pre-auth code for link %s: %w", id, err)
	}
	now := s.Now()
	page.Until = now.Add(code.ExpiresIn)
	err = s.inTx(ctx, func(tx pgx.Tx) error {
		locked, err := lockLink(ctx, tx, id)
		if err != nil {
			return err
		}
		locked.settle(now)
		if !locked.openable() { // revoked or used while WeChat was asked
			page.Link = locked
			return fault.New(fault.Gone, "The authorization link is %s.", locked.Status)
		}
		if err := insertPreAuthCode(ctx, tx, code.Code.Fingerprint(), id, page.Until); err != nil {
			return err
		}
		if locked.stored != linkPending && locked.stored != linkFailed {
			return nil
		}
		if err := markOpened(ctx, tx, id, now); err != nil {
			return err
		}
		return publishLink(ctx, tx, id, locked.AuthorizerAppID, linkOpened)
	})
	if err != nil {
		return page, err
	}
	page.URL = s.launchURL(l, code.Code.Reveal(), inWeChat)
	return page, nil
}

// platformName is what merchants are told about who asks; a failure to read it must not keep them out.
func (s *Service) platformName(ctx context.Context) string {
	profile, err := s.component.Profile(ctx)
	if err != nil {
		s.Logger.WarnContext(ctx, "name of the platform not read", "error", err)
	}
	if profile.Name == "" {
		return s.component.AppID()
	}
	return profile.Name
}
