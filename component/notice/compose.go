package notice

import (
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/wxsteward/wxsteward/component"
	"github.com/wxsteward/wxsteward/internal/fault"
)

// tone is how bad the news is.
type tone int

const (
	toneGood tone = iota
	toneWarn
	toneBad
)

// message is a notice in one language, before it is dressed for a kind of channel.
type message struct {
	tone  tone
	title string
	lines []string // what happened
	items []string // merchant by merchant
	more  string   // how many merchants are not listed; empty: none
	next  string   // what to do
	link  string   // the page where it goes on
}

// The longest that a part may be, in characters.
const (
	maxReason     = 400
	maxItemReason = 80
)

// compose words the news. shown makes a text of others fit for the channel.
func (s *Service) compose(event string, f facts, lang string, shown func(text string, limit int) string) message {
	m := s.word(event, f, lang, shown)
	m.title, m.link = s.titled(m.title, lang), s.link(f.Path)
	return m
}

func (s *Service) titled(title, lang string) string {
	if s.cfg.Simulation {
		return fault.Say(lang, "Simulation: %s", title)
	}
	return title
}

func (s *Service) link(path string) string {
	page, query, found := strings.Cut(path, "?")
	u := s.cfg.PublicURL.JoinPath("admin", page)
	if found {
		u.RawQuery = query
	}
	return u.String()
}

func (s *Service) word(event string, f facts, lang string, shown func(text string, limit int) string) message {
	subject := shown(f.Subject, maxName)
	reason := shown(f.Reason.In(lang), maxReason)
	switch event {
	case component.EventTicketStale:
		if f.Outcome == component.OutcomeRecovered {
			return message{tone: toneGood, title: fault.Say(lang, "Tickets come from WeChat again"), next: fault.Say(lang, "There is nothing to do.")}
		}
		m := message{tone: toneBad, title: fault.Say(lang, "No ticket comes from WeChat")}
		if !f.Since.IsZero() {
			m.lines = append(m.lines, fault.Say(lang, "The last one came at %s.", s.clock(f.Since)))
		}
		m.lines = appendText(m.lines, reason)
		m.next = fault.Say(lang, "Check the callback address in WeChat's console, then run the checks on the platform page. Twelve hours after the last ticket every call for every merchant fails.")
		return m
	case component.EventAuditResult:
		return wordAudit(f, lang, shown)
	case component.EventRolloutPaused:
		if f.Outcome == component.OutcomeHeld {
			return message{
				tone: toneWarn, title: fault.Say(lang, "Rollout held by its canaries: %s", subject), lines: appendText(nil, reason),
				next: fault.Say(lang, "Mend them and retry, or go on without them on the rollout's page."),
			}
		}
		return message{
			tone: toneWarn, title: fault.Say(lang, "Rollout paused: %s", subject), lines: appendText(nil, reason),
			next: fault.Say(lang, "See which merchants failed and why, then resume or cancel the rollout."),
		}
	case component.EventRolloutDone:
		m := message{tone: toneGood, title: fault.Say(lang, "Rollout completed: %s", subject), lines: appendText(nil, reason)}
		if f.Outcome == component.OutcomeCanceled {
			m.tone, m.title = toneWarn, fault.Say(lang, "Rollout canceled: %s", subject)
		}
		m.next = fault.Say(lang, "Nothing is left to do for it; merchants that were not released can be retried on its page.")
		return m
	case component.EventDeadLetter:
		m := message{tone: toneBad, title: fault.Say(lang, "Messages were given up: %s", subject)}
		m.lines = append(m.lines, fault.Say(lang, "%d messages could not be delivered by this rule and are tried no more.", f.Count))
		m.lines = appendText(m.lines, reason)
		m.next = fault.Say(lang, "Mend the target, then send the dead deliveries of the rule again.")
		return m
	case component.EventRulePaused:
		m := message{tone: toneBad, title: fault.Say(lang, "Forward rule paused: %s", subject)}
		if !f.Since.IsZero() {
			m.lines = append(m.lines, fault.Say(lang, "Its target has taken nothing since %s. Messages for it wait.", s.clock(f.Since)))
		}
		m.lines = appendText(m.lines, reason)
		m.next = fault.Say(lang, "Mend the target, then enable the rule: what waits is sent then.")
		return m
	case component.EventWithdrawn:
		return wordWithdrawn(f, lang, shown)
	default: // of a newer version
		return message{tone: toneWarn, title: subject + event, lines: appendText(nil, reason)}
	}
}

func wordAudit(f facts, lang string, shown func(text string, limit int) string) message {
	m := message{lines: []string{fault.Say(lang, "Rollout: %s", shown(f.Subject, maxName))}}
	one := ""
	if f.Count == 1 && len(f.Items) == 1 {
		one = f.Items[0].shown(shown)
		m.lines = appendText(m.lines, shown(f.Reason.In(lang), maxReason))
	} else {
		m.items, m.more = listed(f, lang, shown)
	}
	switch f.Outcome {
	case component.OutcomeApproved:
		m.title = countOr(one, fault.Say(lang, "Audit passed: %s", one), fault.Say(lang, "Audit passed for %d merchants", f.Count))
		m.next = fault.Say(lang, "It is released as the rollout says; where that is by hand, release it on its page.")
	case component.OutcomeRejected:
		m.tone = toneBad
		m.title = countOr(one, fault.Say(lang, "Audit rejected: %s", one), fault.Say(lang, "Audit rejected for %d merchants", f.Count))
		m.next = fault.Say(lang, "Read the reason and the pictures on its page, mend what they say, then retry.")
	default:
		m.tone = toneWarn
		m.title = countOr(one, fault.Say(lang, "Audit delayed: %s", one), fault.Say(lang, "Audit delayed for %d merchants", f.Count))
		m.next = fault.Say(lang, "WeChat's reviewers need longer. The rollout waits for them; there is nothing to do.")
	}
	return m
}

func wordWithdrawn(f facts, lang string, shown func(text string, limit int) string) message {
	m := message{tone: toneWarn}
	one := ""
	if f.Count == 1 && len(f.Items) == 1 {
		one = f.Items[0].shown(shown)
		m.lines = []string{shown(f.AppID, maxName)}
	} else {
		m.items, m.more = listed(f, lang, shown)
	}
	m.title = countOr(one, fault.Say(lang, "Authorization withdrawn: %s", one), fault.Say(lang, "%d merchants have withdrawn their authorization", f.Count))
	m.next = fault.Say(lang, "Calls for the merchant and its submissions have ended. To serve it again, send it an authorization link.")
	return m
}

func countOr(one, single, several string) string {
	if one != "" {
		return single
	}
	return several
}

// testMessage is what the test button sends.
func (s *Service) testMessage(name, lang string, shown func(text string, limit int) string) message {
	return message{
		tone: toneGood, title: s.titled(fault.Say(lang, "Test of the notice channel %s", shown(name, maxName)), lang),
		lines: []string{fault.Say(lang, "Notices reach this place.")},
		next:  fault.Say(lang, "Choose on the notices page what is told here."), link: s.link("/notices"),
	}
}

func (i item) shown(shown func(text string, limit int) string) string {
	if i.Name == "" {
		return shown(i.AppID, maxName)
	}
	return shown(i.Name, maxName)
}

// listed are the merchants of a notice about several, and how many are not among them.
func listed(f facts, lang string, shown func(text string, limit int) string) (items []string, more string) {
	for _, i := range f.Items {
		text := i.shown(shown)
		if i.Name != "" {
			text = fault.Say(lang, "%s (%s)", text, shown(i.AppID, maxName))
		}
		if reason := shown(i.Reason.In(lang), maxItemReason); reason != "" {
			text = fault.Say(lang, "%s: %s", text, reason)
		}
		items = append(items, text)
	}
	return items, moreThan(len(f.Items), f.Count, lang)
}

func moreThan(named, all int, lang string) string {
	if all <= named {
		return ""
	}
	return fault.Say(lang, "and %d more", all-named)
}

func appendText(list []string, text string) []string {
	if text == "" {
		return list
	}
	return append(list, text)
}

func (s *Service) clock(at time.Time) string {
	return at.In(s.cfg.Location).Format("2006-01-02 15:04 MST")
}

// text is the message without its title, for readers of plain text.
func (m message) text() string {
	var lines []string
	lines = append(lines, m.lines...)
	for _, item := range m.items {
		lines = append(lines, "- "+item)
	}
	lines = appendText(lines, m.more)
	return strings.Join(appendText(lines, m.next), "\n")
}

// dress is how a kind of channel writes Markdown.
type dress struct {
	heading string // in front of the title; the title is left out when heading is empty
	breaks  string // between two lines
	limit   int    // of the whole, in bytes
}

// markdown writes the message. Merchants that have no room are left out and counted.
func (m message) markdown(d dress, lang string) string {
	var head []string
	if d.heading != "" {
		head = append(head, d.heading+m.title)
	}
	head = append(head, m.lines...)
	// The name of the program is in every notice, so that it can be the keyword without which some robots take nothing.
	tail := appendText(nil, m.next)
	tail = append(tail, "["+fault.Say(lang, "Open in wxsteward")+"]("+m.link+")")
	size := len(strings.Join(head, d.breaks)) + len("\n\n") + len(strings.Join(tail, d.breaks))
	const reserve = 64 // for the line that counts the others
	listed := 0
	for _, item := range m.items {
		line := "- " + item
		if size+len(line)+2*len(d.breaks)+reserve > d.limit {
			break
		}
		head = append(head, line)
		size += len(line) + len(d.breaks)
		listed++
	}
	more := m.more
	if left := len(m.items) - listed; left > 0 {
		more = fault.Say(lang, "and more")
	}
	head = appendText(head, more)
	return strings.Join(head, d.breaks) + "\n\n" + strings.Join(tail, d.breaks)
}

// oneLine makes text of others one line of at most limit characters.
func oneLine(text string, limit int) string {
	text = strings.Join(strings.FieldsFunc(text, func(r rune) bool { return unicode.IsSpace(r) || unicode.IsControl(r) }), " ")
	if utf8.RuneCountInString(text) <= limit {
		return text
	}
	return string([]rune(text)[:limit-1]) + "…"
}

// plain is oneLine with everything that Markdown, or a robot's own tags, would take for more than text: a merchant's name
// must not call a whole group (<@all>, <at id=all>) or lead it to another site.
func plain(text string, limit int) string {
	return strings.NewReplacer(
		"<", "＜", ">", "＞", "[", "［", "]", "］", "*", "＊", "`", "ˋ", "#", "＃", "~", "～", "|", "｜", "\\", "＼", "!", "！",
	).Replace(oneLine(text, limit))
}
