package forward

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/jackc/pgx/v5"

	"github.com/wxsteward/wxsteward/component"
	"github.com/wxsteward/wxsteward/internal/fault"
	"github.com/wxsteward/wxsteward/internal/sealed"
)

const (
	maxRules  = 500
	maxName   = 100
	maxAppIDs = 5000
)

// Change is what somebody wants to be different about a rule; nil: as it is.
type Change struct {
	Name, Channel, InfoType, MsgType, Event, TargetURL, Mode, Format *string

	Enabled *bool
	AppIDs  *[]string
	Timeout *time.Duration
}

// apply changes the rule. Switching it on or off ends a pause.
func (c Change) apply(r *Rule) {
	for _, text := range []struct {
		from *string
		to   *string
	}{
		{c.Name, &r.Name},
		{c.Channel, &r.Channel},
		{c.InfoType, &r.InfoType},
		{c.MsgType, &r.MsgType},
		{c.Event, &r.Event},
		{c.TargetURL, &r.TargetURL},
		{c.Mode, &r.Mode},
		{c.Format, &r.Format},
	} {
		if text.from != nil {
			*text.to = strings.TrimSpace(*text.from)
		}
	}
	if c.AppIDs != nil {
		r.AppIDs = make([]string, 0, len(*c.AppIDs))
		for _, appid := range *c.AppIDs {
			if appid = strings.TrimSpace(appid); !slices.Contains(r.AppIDs, appid) {
				r.AppIDs = append(r.AppIDs, appid)
			}
		}
	}
	if c.Timeout != nil {
		r.Timeout = *c.Timeout
	}
	if c.Enabled != nil {
		r.Enabled = *c.Enabled
		r.PausedAt, r.FailingSince, r.Failures, r.LastError = time.Time{}, time.Time{}, 0, ""
	}
}

// check refuses what makes no sense. The target is looked at only when it has changed.
func (s *Service) check(ctx context.Context, r Rule, newTarget bool) error {
	var wrong fault.Collector
	if n := utf8.RuneCountInString(r.Name); n == 0 || n > maxName || strings.ContainsFunc(r.Name, unicode.IsControl) {
		wrong.Add("body.name", "A name has 1 to %d characters, none of them control characters.", nil, maxName)
	}
	if r.Channel == component.ChannelComponent {
		if r.Mode == ModeRelay {
			wrong.Add("body.mode", "Only messages of the channel biz can be relayed: WeChat takes no reply to authorization events.", r.Mode)
		}
		if r.MsgType != "" || r.Event != "" {
			wrong.Add("body.msg_type", "Messages of the channel component have only an info_type, so this rule would match none.", nil)
		}
	} else if r.InfoType != "" {
		wrong.Add("body.info_type", "Messages of the channel biz have no info_type, so this rule would match none.", r.InfoType)
	}
	for _, kind := range []string{r.InfoType, r.MsgType, r.Event} {
		if len(kind) > maxName {
			wrong.Add("body.event", "A kind of message has at most %d characters.", nil, maxName)
		}
	}
	for _, appid := range r.AppIDs {
		if appid == "" || len(appid) > maxName || strings.ContainsFunc(appid, unicode.IsSpace) {
			wrong.Add("body.appids", "An appid is not empty and has no spaces.", appid)
			break
		}
	}
	if len(r.AppIDs) > maxAppIDs {
		wrong.Add("body.appids", "A rule lists at most %d appids.", nil, maxAppIDs)
	}
	if r.Timeout < time.Millisecond || r.Timeout > maxTimeout {
		wrong.Add("body.timeout_ms", "A time-out is 1 to %d ms.", nil, maxTimeout.Milliseconds())
	}
	if err := wrong.Err(); err != nil || !newTarget {
		return err
	}
	// Which merchant a message is for must not decide which host is called.
	if u, err := url.Parse(r.TargetURL); err == nil && strings.Contains(u.Host, appidMark) {
		return fault.Invalid("body.target_url", "$APPID$ may stand in the path or behind the question mark, not in the host.", r.TargetURL)
	}
	probe := Rule{TargetURL: r.TargetURL}
	return s.cfg.Guard.CheckField(ctx, "body.target_url", probe.target("wx0123456789abcdef"))
}

// Create makes a rule and gives its secret, which is shown this once.
func (s *Service) Create(ctx context.Context, c Change, by string) (Rule, sealed.Secret, error) {
	r := storedRule{Rule: Rule{Enabled: true, Mode: ModeDeliver, Format: FormatJSON, AppIDs: []string{}, CreatedBy: by, CreatedAt: s.now().UTC()}}
	c.apply(&r.Rule)
	if c.Timeout == nil {
		r.Timeout = defaultTimeout
		if r.Mode == ModeRelay {
			r.Timeout = defaultRelayTime
		}
	}
	if err := s.check(ctx, r.Rule, true); err != nil {
		return Rule{}, sealed.Secret{}, err
	}
	secret := newSecret()
	var err error
	if r.secret, err = s.deps.Keys.Seal(secret, secretPurpose); err != nil {
		return Rule{}, sealed.Secret{}, fmt.Errorf("seal secret: %w", err)
	}
	r.UpdatedAt = r.CreatedAt
	err = pgx.BeginFunc(ctx, s.deps.DB, func(tx pgx.Tx) error {
		_, total, err := listRules(ctx, tx, 0, 0)
		if err != nil {
			return err
		}
		if total >= maxRules {
			return fault.New(fault.Conflict, "There are %d rules already, and no more than that are possible. Delete some first.", maxRules)
		}
		r.ID, err = insertRule(ctx, tx, r)
		return err
	})
	if err != nil {
		return Rule{}, sealed.Secret{}, err
	}
	s.changed(ctx, r.ID, "created")
	return r.Rule, secret, nil
}

// change locks a rule, lets fn change it and writes it back.
func (s *Service) change(ctx context.Context, id int64, fn func(tx pgx.Tx, r *storedRule) error) (Rule, error) {
	var r storedRule
	err := pgx.BeginFunc(ctx, s.deps.DB, func(tx pgx.Tx) (err error) {
		if r, err = readRule(ctx, tx, id); err != nil {
			return err
		}
		if err := fn(tx, &r); err != nil {
			return err
		}
		r.UpdatedAt = s.now().UTC()
		return updateRule(ctx, tx, r)
	})
	if errors.Is(err, pgx.ErrNoRows) {
		return Rule{}, noRule()
	}
	if err != nil {
		return Rule{}, err
	}
	s.changed(ctx, id, "changed")
	return r.Rule, nil
}

func noSecret() error {
	return fault.New(fault.Conflict, "The secret of this rule cannot be opened with the present MASTER_KEY. Rotate it.")
}

func noRule() error { return fault.New(fault.NotFound, "There is no such forward rule.") }

// Update changes a rule. Deliveries that wait are sent as it says from now on; a relay sends none, so they end within seconds.
func (s *Service) Update(ctx context.Context, id int64, c Change) (Rule, error) {
	return s.change(ctx, id, func(_ pgx.Tx, r *storedRule) error {
		before := r.TargetURL
		c.apply(&r.Rule)
		return s.check(ctx, r.Rule, r.TargetURL != before)
	})
}

// Rotate gives a rule a new secret, which is shown this once. The one before signs too for 24 hours more, as do the newest few that
// were replaced less than 24 hours ago.
func (s *Service) Rotate(ctx context.Context, id int64) (Rule, sealed.Secret, error) {
	secret := newSecret()
	box, err := s.deps.Keys.Seal(secret, secretPurpose)
	if err != nil {
		return Rule{}, sealed.Secret{}, fmt.Errorf("seal secret: %w", err)
	}
	r, err := s.change(ctx, id, func(tx pgx.Tx, r *storedRule) error { return s.replace(ctx, tx, r, box) })
	return r, secret, err
}

// Delete ends a rule; what waits for it is not sent any more.
func (s *Service) Delete(ctx context.Context, id int64) error {
	found, err := deleteRule(ctx, s.deps.DB, id, s.now())
	if err != nil {
		return fmt.Errorf("delete forward rule %d: %w", id, err)
	}
	if !found {
		return noRule()
	}
	s.changed(ctx, id, "deleted")
	return nil
}

// rule reads one rule as it is now, with its keys.
func (s *Service) rule(ctx context.Context, id int64) (*armed, error) {
	s.forgetRules()
	rules, err := s.currentRules(ctx, s.deps.DB)
	if err != nil {
		return nil, err
	}
	if r := findRule(rules, id); r != nil {
		return r, nil
	}
	return nil, noRule()
}

// Trial is a call for a test: what was sent, and what came of it.
type Trial struct {
	Attempt

	URL    string
	Header http.Header // all that we set
	Body   string
}

// Try sends a made-up message of the kind the rule is for, whether the rule is enabled or not. It is not repeated and not
// kept.
func (s *Service) Try(ctx context.Context, id int64) (Trial, error) {
	r, err := s.rule(ctx, id)
	if err != nil {
		return Trial{}, err
	}
	if r.keys.current == nil {
		return Trial{}, noSecret()
	}
	at := s.now()
	m := sample(r.Rule, at)
	body, err := render(r.Format, m)
	if err != nil {
		return Trial{}, fmt.Errorf("sample for rule %d: %w", id, err)
	}
	o := s.call(ctx, r, "test_"+formatID(r.ID)+"_"+formatID(at.UnixMilli()), m, testBytes)
	return Trial{
		Attempt: Attempt{At: o.at, Status: o.status, Duration: o.duration, Failure: o.failure, Response: printable(string(o.answer), testBytes)},
		URL:     r.target(m.AppID), Header: o.sent, Body: string(body),
	}, nil
}

// Deliveries lists deliveries with their attempts, newest first.
func (s *Service) Deliveries(ctx context.Context, f DeliveryFilter) ([]Delivery, error) {
	list, err := listDeliveries(ctx, s.deps.DB, f)
	if err == nil {
		err = addAttempts(ctx, s.deps.DB, list)
	}
	if err != nil {
		return nil, fmt.Errorf("list deliveries: %w", err)
	}
	return list, nil
}

// Delivery reads one delivery with its attempts.
func (s *Service) Delivery(ctx context.Context, id int64) (Delivery, error) {
	d, err := readDelivery(ctx, s.deps.DB, id)
	if errors.Is(err, pgx.ErrNoRows) {
		return Delivery{}, fault.New(fault.NotFound, "There is no such delivery.")
	}
	one := []Delivery{d}
	if err == nil {
		err = addAttempts(ctx, s.deps.DB, one)
	}
	return one[0], err
}

// sends fails with a Conflict unless deliveries of a rule are sent now, and with fault.NotFound when there is no such rule.
func (s *Service) sends(ctx context.Context, ruleID int64) error {
	r, err := s.rule(ctx, ruleID)
	switch {
	case err != nil:
		return err
	case r.Mode == ModeRelay:
		return fault.New(fault.Conflict, "The rule of this delivery relays now, and delivers nothing. Change its mode first.")
	case r.keys.current == nil:
		return noSecret()
	case !r.works():
		return fault.New(fault.Conflict, "The rule of this delivery is switched off or paused. Enable it first.")
	}
	return nil
}

// Retry sends a delivery again now, with all tries before it; also one that was taken. It fails with a Conflict when its rule
// sends nothing.
func (s *Service) Retry(ctx context.Context, id int64) (Delivery, error) {
	d, err := s.Delivery(ctx, id)
	if err == nil {
		err = s.sends(ctx, d.RuleID)
	}
	if err != nil {
		return Delivery{}, err
	}
	found, err := retryDelivery(ctx, s.deps.DB, id, s.now())
	if err != nil {
		return Delivery{}, fmt.Errorf("retry delivery %d: %w", id, err)
	}
	if !found {
		return Delivery{}, fault.New(fault.NotFound, "There is no such delivery.")
	}
	s.poke()
	return s.Delivery(ctx, id)
}

// RetryDead sends all dead deliveries of a rule again and gives their number. It fails with a Conflict when the rule sends
// nothing.
func (s *Service) RetryDead(ctx context.Context, ruleID int64) (int64, error) {
	if err := s.sends(ctx, ruleID); err != nil {
		return 0, err
	}
	const step = 5000
	total := int64(0)
	for now := s.now(); ; {
		n, err := retryDead(ctx, s.deps.DB, ruleID, now, step)
		if err != nil {
			return total, fmt.Errorf("retry dead deliveries of rule %d: %w", ruleID, err)
		}
		total += n
		s.poke()
		if n < step {
			return total, nil
		}
	}
}

// niceStep is the shortest round step that divides a time into at most so many bars.
func niceStep(length time.Duration, bars int) time.Duration {
	const minutes, hours = time.Minute, time.Hour
	for _, step := range []time.Duration{statStep, 10 * minutes, 15 * minutes, 30 * minutes, hours, 2 * hours, 3 * hours, 4 * hours, 6 * hours, 8 * hours, 12 * hours} {
		if length <= time.Duration(bars)*step {
			return step
		}
	}
	return 24 * hours
}

// Stats is the rule's chart for a time until now, in steps that make at most 96 bars.
func (s *Service) Stats(ctx context.Context, id int64, length time.Duration) (list []Stat, step time.Duration, err error) {
	const bars = 96
	step = niceStep(length, bars)
	list, err = readStats(ctx, s.deps.DB, []int64{id}, s.now().Add(-length), step)
	if err != nil {
		return nil, 0, fmt.Errorf("chart of rule %d: %w", id, err)
	}
	return list, step, nil
}

// RuleOverview is how one rule does.
type RuleOverview struct {
	RuleID        int64
	Pending, Dead int64 // deliveries, counted up to countedTo
	Stats         []Stat
}

// countedTo is how far waiting and dead deliveries are counted: more than that is said to be more.
const countedTo = 1000

// Overview is how all rules do, at once: their charts for a time until now, in steps that make about 24 bars.
func (s *Service) Overview(ctx context.Context, length time.Duration) (list []RuleOverview, step time.Duration, err error) {
	const bars = 24
	step = niceStep(length, bars)
	rules, err := s.currentRules(ctx, s.deps.DB)
	if err != nil {
		return nil, 0, err
	}
	ids := make([]int64, 0, len(rules))
	for _, r := range rules {
		ids = append(ids, r.ID)
	}
	counts, err := countWaiting(ctx, s.deps.DB, ids, countedTo)
	if err != nil {
		return nil, 0, fmt.Errorf("count what waits for rules: %w", err)
	}
	stats, err := readStats(ctx, s.deps.DB, ids, s.now().Add(-length), step)
	if err != nil {
		return nil, 0, fmt.Errorf("charts of rules: %w", err)
	}
	charts := make(map[int64][]Stat, len(ids))
	for _, st := range stats {
		charts[st.RuleID] = append(charts[st.RuleID], st)
	}
	for _, c := range counts {
		list = append(list, RuleOverview{RuleID: c.RuleID, Pending: c.Pending, Dead: c.Dead, Stats: charts[c.RuleID]})
	}
	return list, step, nil
}
