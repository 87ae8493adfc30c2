package authorize

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/wxsteward/wxsteward/internal/fault"
	"github.com/wxsteward/wxsteward/internal/live"
)

// The standing of a merchant.
const (
	statusAuthorized   = "authorized"
	statusUnauthorized = "unauthorized"
)

const (
	maxBizIDs   = 100
	maxLabels   = 50
	maxLabel    = 64 // characters
	maxExtBytes = 64 << 10
)

// Authorizer is a merchant: an account that has authorized this platform, now or once.
type Authorizer struct {
	AppID  string
	Kind   string // miniprogram, official, other; empty until WeChat has told
	Status string // authorized or unauthorized

	NickName, UserName, HeadImg, QRCodeURL, PrincipalName, Alias, Signature string

	BizIDs, Labels []string // in the order they were given
	FuncScopes     []int    // permission sets granted

	ServiceType, VerifyType, RegisterType, AccountStatus *int // as WeChat numbers them; nil: not told

	Categories  json.RawMessage // [{"first","second"}]
	Network     json.RawMessage // lists of domains by kind
	BasicConfig json.RawMessage
	// BusinessInfo has flags 0 or 1; Special the ids of the kinds of account it is besides (channels, store, talent, supplier);
	// ScopeConfirms lists permission sets that want a confirmation of the platform.
	BusinessInfo, Special, ScopeConfirms json.RawMessage

	Ext json.RawMessage // this merchant's own data for ext_json, an object

	AuthorizedAt, UnauthorizedAt *time.Time
	InfoAt, InfoTriedAt          *time.Time // when the details were last read, and last asked for
	// ReauthorizeSince is set while WeChat takes no token of this merchant, though it has not told of a withdrawal: it has
	// to authorize again.
	ReauthorizeSince     *time.Time
	CreatedAt, UpdatedAt time.Time

	infoTrouble trouble
}

// InfoError is a sentence about why the details could not be read last time, in lang ("en", else Chinese); empty if
// they could.
func (a Authorizer) InfoError(lang string) string { return a.infoTrouble.In(lang) }

func noSuchAuthorizer() error {
	return fault.New(fault.NotFound, "There is no such merchant; it may never have authorized.")
}

func withdrawnFault() error {
	return fault.New(fault.Unauthorized, "This merchant has withdrawn its authorization. Make a new link and have the merchant authorize again.")
}

// Get reads one merchant; fault.NotFound if there is none.
func (s *Service) Get(ctx context.Context, appid string) (Authorizer, error) {
	a, err := findAuthorizer(ctx, s.db, appid)
	if errors.Is(err, pgx.ErrNoRows) {
		return Authorizer{}, noSuchAuthorizer()
	}
	if err != nil {
		return Authorizer{}, fmt.Errorf("read merchant %s: %w", appid, err)
	}
	return a, nil
}

// Position is where a page of merchants begins: after this one.
type Position struct {
	CreatedAt time.Time `json:"t"`
	AppID     string    `json:"a"`
}

// Filter selects merchants; empty fields select all.
type Filter struct {
	Status, Kind string
	Query        string // part of nick name, appid, original id or principal; the case of letters does not matter
	BizID, Label string
	FuncScope    int // permission set granted
	After        Position
	Limit        int
}

// List lists merchants, newest first, and how many there are in all. next is nil at the end. It never asks WeChat.
func (s *Service) List(ctx context.Context, f Filter) (list []Authorizer, next *Position, total int64, err error) {
	f.Query = strings.TrimSpace(f.Query)
	list, total, err = s.page(ctx, f)
	if err != nil {
		return nil, nil, 0, fmt.Errorf("list merchants: %w", err)
	}
	if len(list) > f.Limit {
		list = list[:f.Limit]
		last := list[f.Limit-1]
		next = &Position{last.CreatedAt, last.AppID}
	}
	return list, next, total, nil
}

// page is a page with one merchant more, if there are more, and the total.
func (s *Service) page(ctx context.Context, f Filter) ([]Authorizer, int64, error) {
	now, err := readTally(ctx, s.db, f)
	if err != nil {
		return nil, 0, err
	}
	if _, _, ok := f.counted(); ok {
		if now.total == 0 {
			return nil, 0, nil
		}
		list, err := listAuthorizers(ctx, s.db, f, now.total)
		return list, now.total, err
	}
	last, known := s.totals.get(f, now.changes)
	if !known {
		last = found{}
		if last.total, err = countAuthorizers(ctx, s.db, f); err != nil {
			return nil, 0, err
		}
	}
	var list []Authorizer
	first := f.After == Position{}
	switch {
	case last.total == 0:
	case first && known && last.first != nil:
		list, err = findAuthorizers(ctx, s.db, last.first)
	default:
		list, err = listAuthorizers(ctx, s.db, f, last.total)
	}
	if err != nil {
		return nil, 0, err
	}
	if first && !known {
		for _, a := range list {
			last.first = append(last.first, a.AppID)
		}
		s.totals.put(f, now.changes, last)
	}
	return list, last.total, nil
}

// Change is what an operator writes about a merchant; nil means left as it is, empty means none.
type Change struct {
	BizIDs, Labels *[]string
	Ext            json.RawMessage // an object
	By             string          // who does it
}

// Change replaces what c holds. It fails with fault.NotFound and fault.Validation.
func (s *Service) Change(ctx context.Context, appid string, c Change) (Authorizer, error) {
	if err := c.check(); err != nil {
		return Authorizer{}, err
	}
	err := s.inTx(ctx, func(tx pgx.Tx) error {
		a, err := lockAuthorizer(ctx, tx, appid)
		if errors.Is(err, pgx.ErrNoRows) {
			return noSuchAuthorizer()
		}
		if err != nil {
			return err
		}
		now := s.Now()
		before, err := lockMerchantData(ctx, tx, []string{appid}, false)
		if err != nil {
			return err
		}
		if c.BizIDs != nil {
			if err := replaceBizIDs(ctx, tx, appid, *c.BizIDs, now); err != nil {
				return err
			}
		}
		if c.Labels != nil {
			if err := replaceLabels(ctx, tx, appid, *c.Labels); err != nil {
				return err
			}
		}
		if c.Ext != nil {
			if err := replaceExt(ctx, tx, appid, c.Ext); err != nil {
				return err
			}
		}
		after, err := lockMerchantData(ctx, tx, []string{appid}, false)
		if err != nil {
			return err
		}
		if err := insertPast(ctx, tx, dataChanges(appid, before[appid], after[appid]), c.By, now); err != nil {
			return err
		}
		if err := touchAuthorizer(ctx, tx, appid, now); err != nil {
			return err
		}
		return live.Publish(ctx, tx, live.Event{Kind: "authorizer", ID: appid, AppID: appid, State: a.Status})
	})
	if err != nil {
		return Authorizer{}, fmt.Errorf("change merchant %s: %w", appid, err)
	}
	return s.Get(ctx, appid)
}

// check also removes doubles, which mean nothing.
func (c *Change) check() error {
	if c.BizIDs != nil {
		ids := unique(*c.BizIDs)
		if len(ids) > maxBizIDs {
			return fault.Invalid("body.biz_ids", "A merchant has at most %d biz ids.", nil, maxBizIDs)
		}
		for i, id := range ids {
			if err := checkBizID(fmt.Sprintf("body.biz_ids[%d]", i), id); err != nil {
				return err
			}
		}
		c.BizIDs = &ids
	}
	if c.Labels != nil {
		labels := slices.Clone(*c.Labels)
		for i, label := range labels {
			trimmed, ok := plausibleLabel(label)
			if !ok {
				return fault.Invalid(fmt.Sprintf("body.labels[%d]", i), "A label has 1 to %d characters.", nil, maxLabel)
			}
			labels[i] = trimmed
		}
		labels = unique(labels)
		if len(labels) > maxLabels {
			return fault.Invalid("body.labels", "A merchant has at most %d labels.", nil, maxLabels)
		}
		c.Labels = &labels
	}
	if c.Ext != nil && !plausibleExt(c.Ext) {
		return fault.Invalid("body.ext", `ext is a JSON object of at most 64 KiB, e.g. {"shop":"1"}.`, nil)
	}
	return nil
}

func plausibleExt(ext json.RawMessage) bool {
	var object map[string]any
	return len(ext) <= maxExtBytes && json.Unmarshal(ext, &object) == nil && object != nil && !bytes.Contains(ext, []byte(`\u0000`)) // PostgreSQL keeps no NUL
}

func unique(list []string) []string {
	seen := map[string]bool{}
	out := []string{}
	for _, item := range list {
		if !seen[item] {
			seen[item] = true
			out = append(out, item)
		}
	}
	return out
}

// TargetQuery names merchants for a rollout; the parts add up.
type TargetQuery struct {
	AppIDs []string // whatever they are
	Labels []string // mini programs with any of these labels
	All    bool     // all mini programs that are authorized now
	// BelowVersion leaves of them those whose live version is known and below this one; empty: all.
	BelowVersion string
}

// NickNames gives the names of those merchants that are known, by appid.
func (s *Service) NickNames(ctx context.Context, appids []string) (map[string]string, error) {
	names, err := nickNames(ctx, s.db, appids)
	if err != nil {
		return nil, fmt.Errorf("read names of merchants: %w", err)
	}
	return names, nil
}

// Target is a merchant as a rollout sees it.
type Target struct {
	AppID, NickName, UserName, HeadImg, Signature, PrincipalName string

	Status, Kind                            string
	BizIDs, Labels                          []string
	FuncScopes                              []int
	VerifyType, RegisterType, AccountStatus *int
	Ext, Categories, Network                json.RawMessage
	InfoAt                                  *time.Time // nil: the details were never read, so empty ones mean nothing
	ReauthorizeSince                        *time.Time // not nil: no token before the merchant authorizes again
}

// Targets finds the merchants a rollout is for, ordered by appid; unknown are those of q.AppIDs that are not on record.
func (s *Service) Targets(ctx context.Context, q TargetQuery) (targets []Target, unknown []string, err error) {
	list, err := listTargets(ctx, s.db, q)
	if err != nil {
		return nil, nil, fmt.Errorf("find targets: %w", err)
	}
	known := make(map[string]bool, len(list))
	for _, a := range list {
		known[a.AppID] = true
		targets = append(targets, Target{
			AppID: a.AppID, NickName: a.NickName, UserName: a.UserName, HeadImg: a.HeadImg, Signature: a.Signature,
			PrincipalName: a.PrincipalName, Status: a.Status, Kind: a.Kind, BizIDs: a.BizIDs, Labels: a.Labels, FuncScopes: a.FuncScopes,
			VerifyType: a.VerifyType, RegisterType: a.RegisterType, AccountStatus: a.AccountStatus,
			Ext: a.Ext, Categories: a.Categories, Network: a.Network, InfoAt: a.InfoAt, ReauthorizeSince: a.ReauthorizeSince,
		})
	}
	asked := slices.DeleteFunc(unique(q.AppIDs), func(appid string) bool { return known[appid] })
	if unknown, err = notOnRecord(ctx, s.db, asked); err != nil {
		return nil, nil, fmt.Errorf("find targets: %w", err)
	}
	return targets, unknown, nil
}
