package authorize

import (
	"context"
	"fmt"
	"strconv"
	"strings"
	"time"
	"unicode"

	"github.com/wxsteward/wxsteward/internal/postgres"
)

// LiveVersion is what users of a mini program have.
type LiveVersion struct {
	UserVersion string // empty: nothing is live
	TemplateID  *int64 // nil: not known; it was not released by a rollout
	At          time.Time
}

// NoteLive keeps what is live at a mini program as of seenAt, a moment before WeChat was asked or at which a release
// took effect. Something older than what is known changes nothing.
func (s *Service) NoteLive(ctx context.Context, db postgres.DB, appid string, v LiveVersion, seenAt time.Time) error {
	if err := noteLive(ctx, db, appid, v, seenAt); err != nil {
		return fmt.Errorf("note live version of %s: %w", appid, err)
	}
	return nil
}

// LiveCount is how many authorized mini programs have a version live.
type LiveCount struct {
	UserVersion string // empty: nothing is live, or nothing is known
	TemplateID  *int64
	Merchants   int64
}

// LiveVersions counts the authorized mini programs by the version that is live, the highest version first.
func (s *Service) LiveVersions(ctx context.Context) ([]LiveCount, error) {
	list, err := countLive(ctx, s.db)
	if err != nil {
		return nil, fmt.Errorf("count live versions: %w", err)
	}
	return list, nil
}

// LiveMerchant is a mini program and the version that is live there.
type LiveMerchant struct {
	AppID, NickName string
	LiveVersion
	SeenAt *time.Time // when WeChat was asked last; nil: never
}

// LiveFilter is a page of the authorized mini programs that have a version live, by appid. TemplateID nil: any.
type LiveFilter struct {
	UserVersion string
	TemplateID  *int64
	After       string
	Limit       int
}

// LiveAt lists the authorized mini programs that have a version live.
func (s *Service) LiveAt(ctx context.Context, f LiveFilter) ([]LiveMerchant, error) {
	list, err := listLive(ctx, s.db, f)
	if err != nil {
		return nil, fmt.Errorf("list mini programs by live version: %w", err)
	}
	return list, nil
}

// LiveUnseen names authorized mini programs with a permission set whose live version was not asked for since before,
// the longest unseen first.
func (s *Service) LiveUnseen(ctx context.Context, scope int, before time.Time, limit int) ([]string, error) {
	list, err := liveUnseen(ctx, s.db, scope, before, limit)
	if err != nil {
		return nil, fmt.Errorf("find live versions to ask for: %w", err)
	}
	return list, nil
}

// TargetCount is what Targets would find.
type TargetCount struct {
	Total   int64
	Sample  []LiveMerchant // the first few
	Unknown []string       // of the appids asked for
}

// CountTargets counts what Targets would find, without reading it.
func (s *Service) CountTargets(ctx context.Context, q TargetQuery) (TargetCount, error) {
	var c TargetCount
	var err error
	if c.Total, c.Sample, err = countTargets(ctx, s.db, q); err == nil {
		c.Unknown, err = notOnRecord(ctx, s.db, unique(q.AppIDs))
	}
	if err != nil {
		return TargetCount{}, fmt.Errorf("count targets: %w", err)
	}
	return c, nil
}

// versionKey is a version in a form whose bytes sort as versions do, part by part: "1.9" before "1.10", "2.3" the same
// as "v2.3.0", "2.3.0-beta2" before "2.3.0". A part is a run of digits or of anything else between dots; numbers come
// before words, and what follows a "+" does not count. "" is before all.
func versionKey(version string) string {
	text := strings.ToLower(strings.TrimSpace(version))
	if rest, ok := strings.CutPrefix(text, "v"); ok && rest != "" && rest[0] >= '0' && rest[0] <= '9' {
		text = rest
	}
	if text == "" {
		return ""
	}
	text, _, _ = strings.Cut(text, "+")
	core, early, isEarly := strings.Cut(text, "-")
	parts := versionParts(core)
	for len(parts) > 0 && parts[len(parts)-1] == zeroPart {
		parts = parts[:len(parts)-1]
	}
	key := strings.Join(parts, ".")
	if isEarly {
		return key + "!" + strings.Join(versionParts(early), ".")
	}
	return key + "#" // after "!", before "."
}

// zeroPart is the number 0 in a key.
const zeroPart = "00"

func versionParts(text string) []string {
	var parts []string
	for part := range strings.FieldsFuncSeq(text, func(r rune) bool { return r == '.' || r == '-' || r == '_' || unicode.IsSpace(r) }) {
		for part != "" {
			isDigit := func(r rune) bool { return r >= '0' && r <= '9' }
			end := strings.IndexFunc(part, func(r rune) bool { return isDigit(r) != isDigit(rune(part[0])) })
			if end < 0 {
				end = len(part)
			}
			run := part[:end]
			if isDigit(rune(run[0])) {
				digits := strings.TrimLeft(run, "0")
				run = strconv.Itoa(100 + len(digits))[1:] + digits // the longer number is the greater one
			} else {
				run = "~" + run // after all digits
			}
			parts = append(parts, run)
			part = part[end:]
		}
	}
	return parts
}
