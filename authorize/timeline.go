package authorize

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"
)

// Happening is something that happened to a merchant.
type Happening struct {
	At time.Time
	// Key is unique among what happens to a merchant and orders what happens at one moment: the kind of thing and its id.
	Key     string
	Kind    string // one of those that the API describes
	By      string // who did it; empty: WeChat, the merchant, or the program by itself
	Subject string // what it is about: a name, a version, a business id
	State   string // what became of it
	Text    string // a note, a reason
	Ref     string // id of what can be looked up: a link, a submission
	// Added and Removed are labels, biz ids or permission sets that came and went, or the new and the old name.
	Added, Removed []string
}

// Moment is a place in a timeline, between two happenings.
type Moment struct {
	At  time.Time `json:"at"`
	Key string    `json:"key"`
}

// start is later than anything that has happened.
func start() Moment { return Moment{At: time.Date(9999, 1, 1, 0, 0, 0, 0, time.UTC)} }

// before orders happenings: the newest first.
func (h Happening) before(other Happening) int {
	if c := other.At.Compare(h.At); c != 0 {
		return c
	}
	return strings.Compare(other.Key, h.Key)
}

// History tells at most limit happenings before a moment, the newest first, keys compared byte by byte.
type History func(ctx context.Context, appid string, before Moment, limit int) ([]Happening, error)

// AddHistory adds what another package knows of merchants to their timelines. Call it before anything starts.
func (s *Service) AddHistory(h History) { s.histories = append(s.histories, h) }

// Timeline tells everything that happened to a merchant, newest first, before a moment (the zero one: from now). next is nil at
// the end. It fails with fault.NotFound for an account not on record.
func (s *Service) Timeline(ctx context.Context, appid string, before Moment, limit int) (list []Happening, next *Moment, err error) {
	if before.At.IsZero() {
		before = start()
	}
	if _, err := readStanding(ctx, s.db, appid); errors.Is(err, pgx.ErrNoRows) {
		return nil, nil, noSuchAuthorizer()
	} else if err != nil {
		return nil, nil, fmt.Errorf("timeline of %s: %w", appid, err)
	}
	own := func(ctx context.Context, appid string, before Moment, limit int) ([]Happening, error) {
		return listHappenings(ctx, s.db, appid, before, limit)
	}
	for _, history := range append([]History{own}, s.histories...) {
		part, err := history(ctx, appid, before, limit+1)
		if err != nil {
			return nil, nil, fmt.Errorf("timeline of %s: %w", appid, err)
		}
		list = append(list, part...)
	}
	slices.SortFunc(list, Happening.before)
	if len(list) > limit {
		list = list[:limit]
		next = &Moment{list[limit-1].At, list[limit-1].Key}
	}
	return list, next, nil
}

// The kinds of past that operators make.
const (
	pastLabels = "labels"
	pastBizIDs = "biz_ids"
	pastExt    = "ext"
)

// past is a row of authorizer_history that an operator's deed leaves.
type past struct {
	AppID   string   `json:"appid"`
	Kind    string   `json:"kind"`
	Added   []string `json:"added"`
	Removed []string `json:"removed"`
}

// changeOf is empty where only the order differs.
func changeOf(appid, kind string, before, after []string) []past {
	p := past{AppID: appid, Kind: kind, Added: without(after, before), Removed: without(before, after)}
	if len(p.Added)+len(p.Removed) == 0 {
		return nil
	}
	return []past{p}
}

func without(list, out []string) []string {
	return slices.DeleteFunc(append([]string{}, list...), func(v string) bool { return slices.Contains(out, v) })
}

// dataChanges is what differs between what an operator gave a merchant before and after.
func dataChanges(appid string, before, after merchantData) []past {
	list := append(changeOf(appid, pastBizIDs, before.BizIDs, after.BizIDs), changeOf(appid, pastLabels, before.Labels, after.Labels)...)
	if !bytes.Equal(before.Ext, after.Ext) {
		list = append(list, past{AppID: appid, Kind: pastExt, Added: []string{}, Removed: []string{}})
	}
	return list
}
