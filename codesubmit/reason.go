package codesubmit

import (
	"context"
	"html"
	"regexp"
	"strings"
	"unicode"
	"unicode/utf8"
)

var (
	lineTag    = regexp.MustCompile(`(?i)</?(br|p|div|li|tr|h[1-6])\b[^<>]*>`)
	anyTag     = regexp.MustCompile(`(?s)</?[a-zA-Z!][^<>]*>`)
	emptyLines = regexp.MustCompile(`\n\s*\n`)
	longNumber = regexp.MustCompile(`\d{4,}`)
)

// plainReason cleans the HTML that WeChat puts into reasons: lines stay lines, all other tags go.
func plainReason(text string) string {
	text = anyTag.ReplaceAllString(lineTag.ReplaceAllString(text, "\n"), "")
	text = strings.Map(func(r rune) rune {
		switch {
		case r == '\u00a0':
			return ' '
		case r != '\n' && unicode.IsControl(r): // PostgreSQL keeps no NUL
			return -1
		}
		return r
	}, html.UnescapeString(text))
	return strings.TrimSpace(emptyLines.ReplaceAllString(text, "\n"))
}

// reasonGroup is a reason without what differs from merchant to merchant, so that those rejected for the same can be
// dealt with together.
func (s *Service) reasonGroup(ctx context.Context, appid, reason string) string {
	name := ""
	if m, err := s.merchant(ctx, appid); err == nil { // else the group is its own
		name = m.NickName
	}
	return groupOf(plainReason(reason), appid, name)
}

// groupOf takes name, appid, numbers of four digits and more, and white space out of a reason.
func groupOf(reason, appid, name string) string {
	if utf8.RuneCountInString(name) > 1 {
		reason = strings.ReplaceAll(reason, name, "*")
	}
	reason = longNumber.ReplaceAllString(strings.ReplaceAll(reason, appid, "*"), "*")
	return shorten(strings.Join(strings.Fields(reason), ""), 1000)
}
