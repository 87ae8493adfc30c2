package forward

import (
	"context"
	"fmt"
	"net/url"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/wxsteward/wxsteward/component"
	"github.com/wxsteward/wxsteward/internal/postgres"
)

// The values of Rule.Mode and Rule.Format.
const (
	ModeDeliver = "deliver" // in the background, again until it is taken
	ModeRelay   = "relay"   // at once; the answer is the passive reply

	FormatJSON = "json" // as 微信云托管 delivers it
	FormatXML  = "xml"
)

const (
	// appidMark in a target URL stands for the appid of the message.
	appidMark = "$APPID$"
	// relayLimit is the longest a relay may take: WeChat waits 5 s.
	relayLimit = 4500 * time.Millisecond
	// maxTimeout ends well before a lease.
	maxTimeout       = 25 * time.Second
	defaultTimeout   = 10 * time.Second
	defaultRelayTime = 4 * time.Second
)

// Rule says which messages go where.
type Rule struct {
	ID        int64
	Name      string
	Enabled   bool
	Channel   string // component.ChannelComponent or component.ChannelBiz
	InfoType  string // empty: any, like MsgType and Event
	MsgType   string
	Event     string
	AppIDs    []string // empty: any
	TargetURL string
	Mode      string
	Format    string
	Timeout   time.Duration

	PreviousUntil time.Time // until then the secret before signs too; zero: there is none
	FailingSince  time.Time // first of Failures calls in a row that failed; zero: the last one succeeded
	Failures      int
	LastError     failure
	PausedAt      time.Time // paused by itself; zero: it is not
	CreatedBy     string
	CreatedAt     time.Time
	UpdatedAt     time.Time
}

// matches reports whether the rule is for this message, enabled or not.
func (r *Rule) matches(m component.Message) bool {
	return r.Channel == m.Channel && fits(r.InfoType, m.InfoType) && fits(r.MsgType, m.MsgType) && fits(r.Event, m.Event) &&
		(len(r.AppIDs) == 0 || slices.Contains(r.AppIDs, m.AppID))
}

func fits(wanted, is string) bool { return wanted == "" || wanted == is }

// target is the address for messages of this appid.
func (r *Rule) target(appid string) string {
	path, query, found := strings.Cut(r.TargetURL, "?")
	path = strings.ReplaceAll(path, appidMark, url.PathEscape(appid))
	if !found {
		return path
	}
	return path + "?" + strings.ReplaceAll(query, appidMark, url.QueryEscape(appid))
}

// timeout is how long one call may take.
func (r *Rule) timeout() time.Duration {
	if r.Mode == ModeRelay {
		return min(r.Timeout, relayLimit)
	}
	return r.Timeout
}

// armed is a rule with its keys.
type armed struct {
	Rule

	keys signer
}

// works reports whether deliveries of the rule are sent now.
func (r *armed) works() bool {
	return r.Enabled && r.PausedAt.IsZero() && r.Mode == ModeDeliver && r.keys.current != nil
}

// ruleCache keeps the rules at hand, so that a push costs no extra query.
type ruleCache struct {
	mu         sync.Mutex
	rules      []*armed
	loadedAt   time.Time
	generation int
}

// rulesMaxAge is how long a change by another replica may go unnoticed when its announcement is lost.
const rulesMaxAge = 2 * time.Second

// currentRules are all rules in the order of their ids. Nobody may change them.
func (s *Service) currentRules(ctx context.Context, db postgres.DB) ([]*armed, error) {
	c := &s.rules
	c.mu.Lock()
	generation := c.generation
	c.mu.Unlock()
	if rules, known := c.lately(); known {
		return rules, nil
	}
	stored, err := loadRules(ctx, db)
	if err != nil {
		return nil, fmt.Errorf("load forward rules: %w", err)
	}
	rules := make([]*armed, 0, len(stored))
	for _, r := range stored {
		keys := s.openSigner(ctx, r)
		if keys.current == nil {
			r.LastError = failSecret // its messages wait
		}
		rules = append(rules, &armed{Rule: r.Rule, keys: keys})
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.generation == generation { // else one has been changed meanwhile
		c.rules, c.loadedAt = rules, time.Now()
	}
	return rules, nil
}

// lately gives the rules if they were read within rulesMaxAge.
func (c *ruleCache) lately() (rules []*armed, known bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.rules, !c.loadedAt.IsZero() && time.Since(c.loadedAt) < rulesMaxAge
}

// forgetRules makes the next who asks load them again.
func (s *Service) forgetRules() {
	s.rules.mu.Lock()
	s.rules.loadedAt = time.Time{}
	s.rules.generation++
	s.rules.mu.Unlock()
	s.poke()
}

func findRule(rules []*armed, id int64) *armed {
	if i := slices.IndexFunc(rules, func(r *armed) bool { return r.ID == id }); i >= 0 {
		return rules[i]
	}
	return nil
}
