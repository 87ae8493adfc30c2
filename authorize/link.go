package authorize

import (
	"context"
	"crypto/rand"
	"fmt"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/jackc/pgx/v5"

	"github.com/wxsteward/wxsteward/internal/fault"
	"github.com/wxsteward/wxsteward/internal/live"
)

// Link states. Expired is computed, the others are stored.
const (
	linkPending    = "pending"
	linkOpened     = "opened"
	linkAuthorized = "authorized"
	linkFailed     = "failed"
	linkExpired    = "expired"
	linkRevoked    = "revoked"
)

const (
	maxBizID      = 128 // characters
	maxReturnURL  = 2000
	defaultTTL    = 7 * 24 * time.Hour
	maxTTL        = 366 * 24 * time.Hour
	maxFuncScopes = 200
	// consentGrace is how long after its expiry a link still binds a merchant that opened it in time: WeChat's consent
	// page lives as long as its pre-auth code, 1800 s at most.
	consentGrace = 30 * time.Minute
)

// Link is an invitation to one merchant, or with SingleUse false to any number, to authorize this platform.
type Link struct {
	ID         string
	BizID      string
	Kind       string // miniprogram, official, any, or WeChat's number of a newer kind
	AppID      string // only this account may authorize; empty: any
	FuncScopes []int  // permission sets asked for; empty: all of the platform
	ReturnURL  string
	SingleUse  bool
	// OtherBizIDs are those that AuthorizerAppID has besides BizID: a merchant that was bound before is never moved, the
	// new id is added, and somebody should see it.
	OtherBizIDs []string
	// Status is pending, opened, authorized, failed, expired or revoked, as of when the link was read.
	Status          string
	AuthorizerAppID string // the last that authorized
	CreatedBy       string
	CreatedAt       time.Time
	ExpiresAt       time.Time
	OpenedAt        *time.Time
	AuthorizedAt    *time.Time

	stored  string // status column
	over    bool   // past ExpiresAt
	seq     int64
	trouble trouble
}

// Error is a sentence about why the last attempt failed, in lang ("en", else Chinese); empty if none did.
func (l Link) Error(lang string) string { return l.trouble.In(lang) }

// openable reports whether the page may lead to WeChat now.
func (l Link) openable() bool {
	return l.Status == linkPending || l.Status == linkOpened || l.Status == linkFailed ||
		l.Status == linkAuthorized && !l.SingleUse && !l.over
}

// closedAs says why the page leads nowhere. One for many merchants stays authorized after its time, which says nothing to the next.
func (l Link) closedAs() string {
	if l.Status == linkAuthorized && !l.SingleUse {
		return linkExpired
	}
	return l.Status
}

// settle computes the status as of now.
func (l *Link) settle(now time.Time) {
	l.Status = l.stored
	l.over = !now.Before(l.ExpiresAt)
	if l.over && (l.stored == linkPending || l.stored == linkOpened || l.stored == linkFailed) {
		l.Status = linkExpired
	}
}

// NewLink is what a link is made of. The zero TTL means 7 days.
type NewLink struct {
	BizID      string
	Kind       string
	AppID      string
	FuncScopes []int
	ReturnURL  string
	TTL        time.Duration
	SingleUse  bool
	CreatedBy  string
}

// CreateLink makes a link. It fails with fault.Validation naming the wrong field.
func (s *Service) CreateLink(ctx context.Context, n NewLink) (Link, error) {
	if err := checkBizID("body.biz_id", n.BizID); err != nil {
		return Link{}, err
	}
	if !slices.Contains(linkKinds(), n.Kind) {
		return Link{}, fault.Invalid("body.kind", "kind is miniprogram, official, any, or WeChat's number of another kind: %s.", n.Kind, "4, 5, 6, 8")
	}
	if err := checkAppID(n.AppID); n.AppID != "" && err != nil {
		return Link{}, err
	}
	scopes := slices.Compact(slices.Sorted(slices.Values(n.FuncScopes)))
	if len(scopes) > maxFuncScopes || len(scopes) > 0 && (scopes[0] < 1 || scopes[len(scopes)-1] > 1<<30) {
		return Link{}, fault.Invalid("body.func_scopes", "func_scopes are numbers of permission sets, e.g. [18, 30].", n.FuncScopes)
	}
	if n.ReturnURL != "" {
		if len(n.ReturnURL) > maxReturnURL {
			return Link{}, fault.Invalid("body.return_url", "return_url has at most %d characters.", nil, maxReturnURL)
		}
		if err := s.component.ReturnURLAllowed(ctx, n.ReturnURL); err != nil {
			return Link{}, err
		}
	}
	if n.TTL == 0 {
		n.TTL = defaultTTL
	}
	if n.TTL < time.Second || n.TTL > maxTTL {
		return Link{}, wrongTTL(int64(n.TTL / time.Second))
	}
	now := s.Now()
	l := Link{
		// 130 random bits: who does not know the id cannot find the page, open it or finish it.
		ID:    strings.ToLower(rand.Text()),
		BizID: n.BizID, Kind: n.Kind, AppID: n.AppID, FuncScopes: scopes, ReturnURL: n.ReturnURL,
		SingleUse: n.SingleUse, CreatedBy: n.CreatedBy, CreatedAt: now, ExpiresAt: now.Add(n.TTL), stored: linkPending,
	}
	err := s.inTx(ctx, func(tx pgx.Tx) error {
		if err := insertLink(ctx, tx, l); err != nil {
			return err
		}
		return publishLink(ctx, tx, l.ID, "", linkPending)
	})
	if err != nil {
		return Link{}, fmt.Errorf("create authorization link: %w", err)
	}
	l.settle(now)
	return l, nil
}

// Link finds a link; fault.NotFound if there is none.
func (s *Service) Link(ctx context.Context, id string) (Link, error) {
	return s.linkIn(ctx, id)
}

func (s *Service) linkIn(ctx context.Context, id string) (Link, error) {
	if !plausibleID(id) {
		return Link{}, noSuchLink()
	}
	l, err := findLink(ctx, s.db, id)
	if err != nil {
		return Link{}, err
	}
	l.settle(s.Now())
	return l, nil
}

func noSuchLink() error { return fault.New(fault.NotFound, "There is no such authorization link.") }

// plausibleID keeps garbage away from the database.
func plausibleID(id string) bool {
	if len(id) == 0 || len(id) > 64 {
		return false
	}
	for _, r := range id {
		if (r < 'a' || r > 'z') && (r < '0' || r > '9') {
			return false
		}
	}
	return true
}

// LinkFilter selects links; empty fields select all. After is the Seq of the last link of the page before.
type LinkFilter struct {
	Status, BizID string
	After         int64
	Limit         int
}

// Links lists links, newest first, and how many there are in all. next is 0 at the end.
func (s *Service) Links(ctx context.Context, f LinkFilter) (links []Link, next, total int64, err error) {
	now := s.Now()
	links, total, err = listLinks(ctx, s.db, f, now)
	if err != nil {
		return nil, 0, 0, fmt.Errorf("list authorization links: %w", err)
	}
	for i := range links {
		links[i].settle(now)
	}
	if len(links) > f.Limit {
		links = links[:f.Limit]
		next = links[f.Limit-1].seq
	}
	return links, next, total, nil
}

// RevokeLink ends a link: nobody can open it any more, and a consent that is under way binds nothing. What it has
// bound stays. Revoking twice is no error.
func (s *Service) RevokeLink(ctx context.Context, id string) error {
	if !plausibleID(id) {
		return noSuchLink()
	}
	return s.inTx(ctx, func(tx pgx.Tx) error {
		l, err := lockLink(ctx, tx, id)
		if err != nil || l.stored == linkRevoked {
			return err
		}
		if err := setLinkStatus(ctx, tx, id, linkRevoked, l.trouble); err != nil {
			return err
		}
		return publishLink(ctx, tx, id, l.AuthorizerAppID, linkRevoked)
	})
}

// linkURL is the address of the page a merchant opens.
func (s *Service) linkURL(id string) string { return s.PublicURL.JoinPath("authorize", id).String() }

func (s *Service) qrURL(id string) string { return s.linkURL(id) + "/qr.png" }

func (s *Service) posterURL(id string) string { return s.linkURL(id) + "/poster" }

// launchURL is WeChat's page for a link: the PC page, which shows a code to scan, or the one for WeChat's own browser.
// The order is the documented one; the fragment has to stay last.
func (s *Service) launchURL(l Link, preAuthCode string, inWeChat bool) string {
	q := []string{
		"component_appid=" + url.QueryEscape(s.component.AppID()),
		"pre_auth_code=" + url.QueryEscape(preAuthCode),
		"redirect_uri=" + url.QueryEscape(s.linkURL(l.ID)+"/callback"),
		"auth_type=" + authType(l.Kind),
	}
	if l.AppID != "" {
		q = append(q, "biz_appid="+url.QueryEscape(l.AppID))
	}
	if len(l.FuncScopes) > 0 {
		ids := make([]string, len(l.FuncScopes))
		for i, id := range l.FuncScopes {
			ids[i] = strconv.Itoa(id)
		}
		q = append(q, "category_id_list="+url.QueryEscape(strings.Join(ids, "|")))
	}
	query := strings.Join(q, "&")
	if inWeChat {
		return s.OpenBaseURL + "/wxaopen/safe/bindcomponent?action=bindcomponent&no_scan=1&" + query + "#wechat_redirect"
	}
	return s.MPBaseURL + "/cgi-bin/componentloginpage?" + query
}

// linkKinds are the kinds of account a link may be for. The newer ones go by WeChat's number (auth_type): 4 is 小程序推客账号,
// 5 视频号, 6 all of mini programs, official accounts and 视频号, 8 带货助手; 7 is not documented.
func linkKinds() []string { return []string{"miniprogram", "official", "any", "4", "5", "6", "8"} }

// authType says which accounts WeChat lists on the administrator's phone. Where there is a biz_appid, that wins.
func authType(kind string) string {
	switch kind {
	case "official":
		return "1"
	case "miniprogram":
		return "2"
	case "any":
		return "3"
	}
	return kind
}

// returnURL adds the outcome to a link's return_url. Its query and fragment stay as they are, but for old values of our
// own names.
func returnURL(raw, linkID, status, bizID, appid string) (string, error) {
	u, err := url.Parse(raw)
	if err != nil {
		return "", fmt.Errorf("return url of link %s is damaged", linkID) // err would quote it
	}
	ours := []string{"link_id", "status", "biz_id", "appid"}
	var kept []string
	for part := range strings.SplitSeq(u.RawQuery, "&") {
		name, _, _ := strings.Cut(part, "=")
		if name, err := url.QueryUnescape(name); part == "" || err == nil && slices.Contains(ours, name) {
			continue
		}
		kept = append(kept, part)
	}
	for i, value := range []string{linkID, status, bizID, appid} {
		kept = append(kept, ours[i]+"="+url.QueryEscape(value))
	}
	u.RawQuery = strings.Join(kept, "&")
	return u.String(), nil
}

func wrongTTL(seconds int64) error {
	return fault.Invalid("body.ttl_seconds", "ttl_seconds is between 1 and 31622400 (366 days).", seconds)
}

func checkBizID(location, id string) error {
	switch {
	case strings.TrimSpace(id) == "":
		return fault.Invalid(location, "biz_id is your own id of the merchant and must not be empty.", id)
	case !utf8.ValidString(id) || utf8.RuneCountInString(id) > maxBizID:
		return fault.Invalid(location, "biz_id has at most %d characters.", nil, maxBizID)
	case strings.ContainsFunc(id, unicode.IsControl):
		return fault.Invalid(location, "biz_id must not hold control characters.", nil)
	}
	return nil
}

func checkAppID(appid string) error {
	if len(appid) > 64 || strings.ContainsFunc(appid, func(r rune) bool { return r <= ' ' || r > '~' }) {
		return fault.Invalid("body.appid", "appid is WeChat's id of the account, e.g. wx1234567890abcdef.", nil)
	}
	return nil
}

func publishLink(ctx context.Context, tx pgx.Tx, id, appid, status string) error {
	return live.Publish(ctx, tx, live.Event{Kind: "link", ID: id, AppID: appid, State: status})
}
