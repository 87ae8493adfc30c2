package authorize

import (
	"context"
	"fmt"
	"regexp"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/wxsteward/wxsteward/internal/fault"
)

// launch is what a merchant is shown who opened a link.
type launch struct {
	Link  Link
	URL   string    // of WeChat's page; holds the pre-auth code, so it is for this visitor only
	Until time.Time // when URL stops working
}

// browser is how a page was asked for.
type browser struct {
	ip       string
	inWeChat bool // WeChat's own on a phone, for which WeChat has a page without a code to scan
	phone    bool
}

// foreignWeChat are browsers that name WeChat and are not WeChat on a phone: WeChat for desktops, where the page for phones
// does not open, and WeCom (企业微信), which is no WeChat at all.
var foreignWeChat = regexp.MustCompile(`(?i)(windows|mac|linux|pc)wechat|wxwork`)

var phones = regexp.MustCompile(`Mobile|Android|iPhone|iPad|OpenHarmony`)

func browserOf(agent, ip string) browser {
	return browser{
		ip: ip, phone: phones.MatchString(agent),
		inWeChat: strings.Contains(agent, "MicroMessenger") && !foreignWeChat.MatchString(agent),
	}
}

// open gets a fresh pre-auth code for a visitor of a link's page and notes that the link was opened. It fails with
// fault.NotFound, with fault.Gone for a link that is over, with fault.TooMany for too many visits, and with what the
// platform says when there is no ticket yet or WeChat cannot be reached. The Link is filled in wherever there is one.
func (s *Service) open(ctx context.Context, id string, b browser) (launch, error) {
	return s.launch(ctx, id, b, true)
}

// proceed is open for a page that was opened before and whose pre-auth code may be too old by now.
func (s *Service) proceed(ctx context.Context, id string, b browser) (launch, error) {
	return s.launch(ctx, id, b, false)
}

func (s *Service) launch(ctx context.Context, id string, b browser, opening bool) (launch, error) {
	l, err := s.linkIn(ctx, id)
	if err != nil {
		return launch{}, err
	}
	page := launch{Link: l}
	if !l.openable() {
		return page, fault.New(fault.Gone, "The authorization link is %s.", l.closedAs())
	}
	// Every visit costs one pre-auth code of WeChat's daily quota.
	for _, limit := range []struct {
		by  *limiter
		key string
	}{{s.opens, visitor(b.ip)}, {s.linkOpens, id}} {
		if ok, wait := limit.by.takeOrWait(limit.key); !ok {
			return page, tooMany(wait)
		}
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
			return fault.New(fault.Gone, "The authorization link is %s.", locked.closedAs())
		}
		if err := insertPreAuthCode(ctx, tx, code.Code.Fingerprint(), id, page.Until); err != nil {
			return err
		}
		if !opening || locked.stored != linkPending && locked.stored != linkFailed {
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
	page.URL = s.launchURL(l, code.Code.Reveal(), b.inWeChat)
	return page, nil
}

func tooMany(wait time.Duration) error {
	return &fault.Error{
		Kind: fault.TooMany, Format: "Too many requests from your address. Try again in %d s.", Args: []any{int(wait / time.Second)}, RetryAfter: wait,
	}
}

// brand is who asks, as merchants see it.
type brand struct {
	Name, Description string
	Color             string // six hexadecimal digits; empty: ours
	LogoID            string // empty: ours
}

// brand reads it; a failure must not keep merchants out.
func (s *Service) brand(ctx context.Context) brand {
	profile, err := s.component.Profile(ctx)
	if err != nil {
		s.Logger.WarnContext(ctx, "name of the platform not read", "error", err)
	}
	b := brand{Name: profile.Name, Description: profile.Description, Color: strings.TrimPrefix(profile.Color, "#"), LogoID: profile.LogoID}
	if b.Name == "" {
		b.Name = s.component.AppID()
	}
	return b
}
