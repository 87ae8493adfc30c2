package authorize

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/jackc/pgx/v5"

	"github.com/wxsteward/wxsteward/internal/fault"
	"github.com/wxsteward/wxsteward/internal/live"
)

const (
	// labelChunk merchants are changed in one transaction.
	labelChunk = 1000
	// maxLabelAppIDs is how many merchants one call may name, maxLabelFailures how many failures it tells.
	maxLabelAppIDs   = 20000
	maxLabelFailures = 20000
	// manyChanged merchants are told by one event instead of one each.
	manyChanged = 50
)

// plausibleLabel trims a label; false if it cannot be one.
func plausibleLabel(label string) (string, bool) {
	trimmed := strings.TrimSpace(label)
	ok := trimmed != "" && utf8.ValidString(label) && utf8.RuneCountInString(trimmed) <= maxLabel && !strings.ContainsFunc(label, unicode.IsControl)
	return trimmed, ok
}

// plausibleAppID keeps what cannot be an appid away from the database.
func plausibleAppID(appid string) bool {
	return appid != "" && len(appid) <= 100 && utf8.ValidString(appid) &&
		!strings.ContainsFunc(appid, func(r rune) bool { return unicode.IsControl(r) || unicode.IsSpace(r) })
}

// LabelChange adds and removes labels of many merchants: those named, or those a filter finds.
type LabelChange struct {
	AppIDs      []string
	Filter      *Filter // if not nil, AppIDs is empty
	Add, Remove []string
	By          string // who does it
}

// LabelFailure is a merchant whose labels stay as they are, and why.
type LabelFailure struct {
	AppID string
	Fault *fault.Error
}

// LabelResult is what became of a LabelChange. Merchants that had the labels wanted already count as unchanged.
type LabelResult struct {
	Changed, Unchanged int
	Failed             []LabelFailure // at most 20,000
}

// ChangeLabels changes the labels of many merchants, a thousand in each transaction. Who cannot be changed is listed and does not
// keep back the others; doing it again for those, or for all, does no harm. It fails with fault.Validation.
func (s *Service) ChangeLabels(ctx context.Context, c LabelChange) (LabelResult, error) {
	var r LabelResult
	if err := c.check(); err != nil {
		return r, err
	}
	if c.Filter == nil {
		appids := unique(c.AppIDs)
		slices.Sort(appids)
		for chunk := range slices.Chunk(appids, labelChunk) {
			s.changeLabels(ctx, c, chunk, &r)
		}
		return r, ctx.Err()
	}
	f := *c.Filter
	f.Query = strings.TrimSpace(f.Query)
	for after := ""; ; {
		chunk, err := selectedAppIDs(ctx, s.db, f, after, labelChunk)
		if err != nil {
			return r, fmt.Errorf("find merchants to label: %w", err)
		}
		s.changeLabels(ctx, c, chunk, &r)
		if len(chunk) < labelChunk {
			return r, ctx.Err()
		}
		after = chunk[len(chunk)-1]
	}
}

func (c *LabelChange) check() error {
	if len(c.AppIDs) > maxLabelAppIDs {
		return fault.Invalid("body.appids", "Name at most %d merchants at once, or use a filter.", nil, maxLabelAppIDs)
	}
	for name, list := range map[string]*[]string{"body.add": &c.Add, "body.remove": &c.Remove} {
		labels := slices.Clone(*list)
		for i, label := range labels {
			trimmed, ok := plausibleLabel(label)
			if !ok {
				return fault.Invalid(fmt.Sprintf("%s[%d]", name, i), "A label has 1 to %d characters.", nil, maxLabel)
			}
			labels[i] = trimmed
		}
		if *list = unique(labels); len(labels) > maxLabels {
			return fault.Invalid(name, "A merchant has at most %d labels.", nil, maxLabels)
		}
	}
	if len(c.Add)+len(c.Remove) == 0 {
		return fault.Invalid("body.add", "Say which labels to add or to remove.", nil)
	}
	for _, label := range c.Add {
		if slices.Contains(c.Remove, label) {
			return fault.Invalid("body.remove", "The label %s is to be added and to be removed.", nil, label)
		}
	}
	return nil
}

// apply is what a change makes of a merchant's labels.
func (c LabelChange) apply(has []string) []string {
	labels := slices.DeleteFunc(slices.Clone(has), func(l string) bool { return slices.Contains(c.Remove, l) })
	for _, label := range c.Add {
		if !slices.Contains(labels, label) {
			labels = append(labels, label)
		}
	}
	return labels
}

// changeLabels changes one chunk, all of it or nothing.
func (s *Service) changeLabels(ctx context.Context, c LabelChange, appids []string, r *LabelResult) {
	var changed []string
	var told []past
	var unchanged int
	var failed []LabelFailure
	err := s.inTx(ctx, func(tx pgx.Tx) error {
		changed, told, unchanged, failed = nil, nil, 0, nil
		plausible := slices.DeleteFunc(slices.Clone(appids), func(id string) bool { return !plausibleAppID(id) })
		has, err := lockAuthorizers(ctx, tx, plausible)
		if err != nil {
			return err
		}
		for _, appid := range appids {
			labels, known := has[appid]
			wanted := c.apply(labels)
			switch {
			case !known:
				failed = append(failed, LabelFailure{appid, fault.New(fault.NotFound, "There is no such merchant; it may never have authorized.")})
			case len(wanted) > maxLabels:
				failed = append(failed, LabelFailure{appid, fault.New(fault.Validation, "A merchant has at most %d labels.", maxLabels)})
			case slices.Equal(wanted, labels):
				unchanged++
			default:
				changed = append(changed, appid)
				told = append(told, changeOf(appid, pastLabels, labels, wanted)...)
			}
		}
		if err := insertPast(ctx, tx, told, c.By, s.Now()); err != nil {
			return err
		}
		return s.writeLabels(ctx, tx, changed, c)
	})
	if err != nil {
		s.Logger.WarnContext(ctx, "labels of merchants not changed", "merchants", len(appids), "error", err)
		changed, unchanged, failed = nil, 0, nil
		for _, appid := range appids {
			failed = append(failed, LabelFailure{appid, fault.New(fault.Unavailable, "")})
		}
	}
	r.Changed, r.Unchanged = r.Changed+len(changed), r.Unchanged+unchanged
	r.Failed = append(r.Failed, failed[:min(len(failed), maxLabelFailures-len(r.Failed))]...)
}

func (s *Service) writeLabels(ctx context.Context, tx pgx.Tx, appids []string, c LabelChange) error {
	if len(appids) == 0 {
		return nil
	}
	if len(c.Remove) > 0 {
		if err := removeLabels(ctx, tx, appids, c.Remove); err != nil {
			return err
		}
	}
	if len(c.Add) > 0 {
		if err := addLabels(ctx, tx, appids, c.Add); err != nil {
			return err
		}
	}
	return s.touchMany(ctx, tx, appids, s.Now())
}

// touchMany notes and publishes that merchants have changed.
func (s *Service) touchMany(ctx context.Context, tx pgx.Tx, appids []string, now time.Time) error {
	if err := touchAuthorizers(ctx, tx, appids, now); err != nil {
		return err
	}
	if len(appids) > manyChanged {
		return live.Publish(ctx, tx, live.Event{Kind: "authorizer"})
	}
	for _, appid := range appids {
		if err := live.Publish(ctx, tx, live.Event{Kind: "authorizer", ID: appid, AppID: appid}); err != nil {
			return err
		}
	}
	return nil
}

// Labels lists the labels in use that have a part in them, in their order after one, with how many merchants have each.
func (s *Service) Labels(ctx context.Context, part, after string, limit int) (labels []LabelCount, more bool, err error) {
	labels, err = listLabels(ctx, s.db, strings.TrimSpace(part), after, limit+1)
	if err != nil {
		return nil, false, fmt.Errorf("list labels: %w", err)
	}
	if len(labels) > limit {
		return labels[:limit], true, nil
	}
	return labels, false, nil
}
