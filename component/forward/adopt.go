package forward

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"
)

// Adopt makes a rule unless there is one for the same messages with the same target and mode, and reports whether it did. The
// rule's secret is shown to nobody: rotate it to learn one. With dry it only says what it would do.
func (s *Service) Adopt(ctx context.Context, c Change, by string, dry bool) (made bool, err error) {
	wanted := Rule{Enabled: true, Mode: ModeDeliver, Format: FormatJSON, AppIDs: []string{}, Timeout: time.Second}
	c.apply(&wanted)
	rules, _, err := listRules(ctx, s.deps.DB, 0, maxRules)
	if err != nil {
		return false, fmt.Errorf("list forward rules: %w", err)
	}
	alike := func(r storedRule) bool {
		return r.Channel == wanted.Channel && r.InfoType == wanted.InfoType && r.MsgType == wanted.MsgType && r.Event == wanted.Event &&
			r.TargetURL == wanted.TargetURL && r.Mode == wanted.Mode && slices.Equal(r.AppIDs, wanted.AppIDs)
	}
	if slices.ContainsFunc(rules, alike) {
		return false, nil
	}
	if dry {
		return true, s.check(ctx, wanted, true)
	}
	_, _, err = s.Create(ctx, c, by)
	return err == nil, err
}

// Adopt turns the proxy on with an upstream unless an operator has decided about it already, and reports whether it did. With dry
// it only says what it would do.
func (p *Proxy) Adopt(ctx context.Context, upstream, by string, dry bool) (made bool, err error) {
	setting, err := p.Setting(ctx)
	if err != nil || setting.Source == ProxyStored {
		return false, err
	}
	if dry {
		return true, p.checkUpstream(ctx, strings.TrimSuffix(upstream, "/"))
	}
	_, err = p.Change(ctx, true, upstream, by)
	return err == nil, err
}
