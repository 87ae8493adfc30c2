package notice

import (
	"flag"
	"fmt"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/wxsteward/wxsteward/component"
	"github.com/wxsteward/wxsteward/internal/fault"
)

var update = flag.Bool("update", false, "write testdata anew") //nolint:gochecknoglobals // a flag

// samples are one of each kind of news, and what it becomes when there is a lot of it.
func samples() []struct {
	name string
	news []component.Announcement
} {
	since := time.Date(2026, 11, 20, 6, 30, 0, 0, time.UTC)
	approved, delayed := rejected(3), rejected(3)
	approved.Outcome, approved.Reason = component.OutcomeApproved, component.Text{}
	delayed.Outcome, delayed.Reason = component.OutcomeDelayed, component.Text{EN: "审核排队中"}
	var many []component.Announcement
	for n := range 14 {
		many = append(many, rejected(n))
	}
	withdrawn := func(n int) component.Announcement {
		return component.Announcement{
			Event: component.EventWithdrawn, Key: "merchants", Path: fmt.Sprintf("/authorizers/wxshop%d", n), AppID: fmt.Sprintf("wxshop%d", n), Merchant: "茶馆",
		}
	}
	done := func(outcome string) component.Announcement {
		return component.Announcement{
			Event: component.EventRolloutDone, Path: "/rollouts/7", Subject: "autumn", Outcome: outcome,
			Reason: component.Text{EN: "released: 12, rejected: 1", ZH: "已发布: 12, 审核未通过: 1"},
		}
	}
	heldRollout := paused(7)
	heldRollout.Outcome = component.OutcomeHeld
	heldRollout.Reason = component.TextOf("%d of %d canaries are blocked: %s. The other %d merchants wait.", 2, 5, "花店, 茶馆", 95)
	nameless := withdrawn(2)
	nameless.Merchant = ""
	return []struct {
		name string
		news []component.Announcement
	}{
		{"ticket stale", []component.Announcement{{Event: component.EventTicketStale, Path: "/platform", Since: since, Reason: component.TextOf("Asking WeChat to push tickets again has not helped.")}}},
		{"tickets come again", []component.Announcement{{Event: component.EventTicketStale, Path: "/platform", Outcome: component.OutcomeRecovered}}},
		{"audit approved", []component.Announcement{approved}},
		{"audit rejected", []component.Announcement{rejected(3)}},
		{"audit delayed", []component.Announcement{delayed}},
		{"many audits rejected", many},
		{"rollout paused", []component.Announcement{paused(7)}},
		{"rollout held", []component.Announcement{heldRollout}},
		{"rollout completed", []component.Announcement{done(component.OutcomeCompleted)}},
		{"rollout canceled", []component.Announcement{done(component.OutcomeCanceled)}},
		{"dead letters", []component.Announcement{dead(4, 25), dead(4, 3)}},
		{"rule paused", []component.Announcement{{
			Event: component.EventRulePaused, Path: "/forward-rules/4", Subject: "shop", Since: since, Reason: component.Text{EN: "The target answered with status 500.", ZH: "接收方返回状态 500。"},
		}}},
		{"authorization withdrawn", []component.Announcement{withdrawn(1)}},
		{"two authorizations withdrawn", []component.Announcement{withdrawn(1), nameless}},
	}
}

func TestWords(t *testing.T) {
	t.Parallel()
	s := New(Config{Location: time.FixedZone("CST", 8*3600)}, Deps{})
	var out strings.Builder
	for _, sample := range samples() {
		f := factsOf(sample.news[0])
		for _, later := range sample.news[1:] {
			f = mannerOf(later.Event).join(f, factsOf(later))
		}
		for _, lang := range []string{fault.Chinese, fault.English} {
			m := s.compose(sample.news[0].Event, f, lang, plain)
			fmt.Fprintf(&out, "== %s (%s, tone %d)\n%s\n\n", sample.name, lang, m.tone, m.markdown(dress{"### ", "\n", maxMarkdown}, lang))
			assert.NotEmpty(t, m.next)
			assert.Contains(t, m.markdown(dress{"", "\n", maxMarkdown}, lang), "wxsteward", "the keyword of robots that want one")
		}
	}
	const golden = "testdata/words.txt"
	if *update {
		require.NoError(t, os.MkdirAll("testdata", 0o750))
		require.NoError(t, os.WriteFile(golden, []byte(out.String()), 0o600))
	}
	want, err := os.ReadFile(golden)
	require.NoError(t, err)
	assert.Equal(t, string(want), out.String(), "run the test with -update and read the difference")
}

// TestLongNewsFits: names and reasons of others may be of any length.
func TestLongNewsFits(t *testing.T) {
	t.Parallel()
	s := New(Config{}, Deps{})
	for _, event := range events() {
		f := facts{}
		for n := range 30 {
			a := rejected(n)
			a.Event, a.Subject, a.Merchant, a.Reason = event, strings.Repeat("长", 5000), strings.Repeat("名", 5000), component.Text{EN: strings.Repeat("原因<br>", 5000)}
			f = f.and(factsOf(a))
		}
		require.Len(t, f.Items, maxItems)
		for _, lang := range []string{fault.Chinese, fault.English} {
			text := s.compose(event, f, lang, plain).markdown(dress{"### ", "\n\n", maxMarkdown}, lang)
			assert.LessOrEqual(t, len(text), maxMarkdown, event)
			assert.Contains(t, text, "](http://localhost:8080/admin/rollouts/7)", event)
		}
	}
}

// TestNamesAreOnlyNames: a merchant gives itself its name, and may not call the whole group by it or lead it elsewhere.
func TestNamesAreOnlyNames(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct{ name, is, want string }{
		{"a WeCom mention", "<@all> shop", "＜@all＞ shop"},
		{"a Feishu mention", "<at id=all></at>", "＜at id=all＞＜/at＞"},
		{"a link", "[sign in](https://evil.example)", "［sign in］(https://evil.example)"},
		{"a picture", "![x](https://evil.example/x.png)", "！［x］(https://evil.example/x.png)"},
		{"a heading on a line of its own", "shop\n# All clear", "shop ＃ All clear"},
		{"control characters", "a\x00b\tc", "a b c"},
		{"an ordinary name with an underscore", "wx_shop-1 & 花店", "wx_shop-1 & 花店"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			assert.Equal(t, tc.want, plain(tc.is, maxName))
		})
	}
	assert.Equal(t, "花花…", plain("花花花花", 3))
}

func TestSimulationSaysSo(t *testing.T) {
	t.Parallel()
	s := New(Config{Simulation: true}, Deps{})
	assert.Equal(t, "【模拟】发布已暂停：autumn 7", s.compose(component.EventRolloutPaused, factsOf(paused(7)), fault.Chinese, plain).title)
	assert.Contains(t, s.testMessage("staff", fault.English, plain).title, "Simulation")
}

func TestMasked(t *testing.T) {
	t.Parallel()
	for address, want := range map[string]string{
		"https://qyapi.weixin.qq.com/cgi-bin/webhook/send?key=" + robotKey: "qyapi.weixin.qq.com/…5aaa",
		"https://hooks.example.com/short":                                  "hooks.example.com/…",
		"https://hooks.example.com":                                        "hooks.example.com/…",
	} {
		assert.Equal(t, want, masked(address))
	}
}
