package httpserver

import (
	"regexp"

	"github.com/wxsteward/wxsteward/internal/fault"
)

// explain says in the user's language what Huma's validation found wrong. What it does not know stays in English,
// except for decoding errors, which speak of Go types.
func explain(msg, lang string) string {
	for _, e := range explanations() {
		if !e.pattern.MatchString(msg) {
			continue
		}
		text := e.zh
		if lang == fault.English {
			text = e.en
		}
		return e.pattern.ReplaceAllString(msg, text)
	}
	return msg
}

type explanation struct {
	pattern *regexp.Regexp
	zh, en  string
}

var (
	patternRequired   = regexp.MustCompile(`^expected required property (\S+) to be present$`)
	patternParameter  = regexp.MustCompile(`^required \w+ parameter is missing$`)
	patternUnexpected = regexp.MustCompile(`^unexpected property$`)
	patternOneOf      = regexp.MustCompile(`^expected value to be one of "(.*)"$`)
	patternMinLength  = regexp.MustCompile(`^expected length >= (\d+)$`)
	patternMaxLength  = regexp.MustCompile(`^expected length <= (\d+)$`)
	patternMinItems   = regexp.MustCompile(`^expected array length >= (\d+)$`)
	patternMaxItems   = regexp.MustCompile(`^expected array length <= (\d+)$`)
	patternMinimum    = regexp.MustCompile(`^expected number >= (\S+)$`)
	patternMaximum    = regexp.MustCompile(`^expected number <= (\S+)$`)
	patternType       = regexp.MustCompile(`^expected (boolean|number|integer|string|array|object)$`)
	patternTime       = regexp.MustCompile(`^expected string to be RFC 3339 date-time$`)
	patternDecoding   = regexp.MustCompile(`^(json: .*|invalid character .*|unexpected end of JSON input|unexpected EOF|)$`)
)

func explanations() []explanation {
	return []explanation{
		{patternRequired, "缺少必填项 $1", "$1 is missing"},
		{patternParameter, "缺少必填参数", "this parameter is missing"},
		{patternUnexpected, "没有这个字段", "there is no such field"},
		{patternOneOf, "只能是以下之一：$1", "must be one of: $1"},
		{patternMinLength, "至少 $1 个字符", "must have at least $1 characters"},
		{patternMaxLength, "最多 $1 个字符", "must have at most $1 characters"},
		{patternMinItems, "至少 $1 项", "must have at least $1 items"},
		{patternMaxItems, "最多 $1 项", "must have at most $1 items"},
		{patternMinimum, "不能小于 $1", "must be at least $1"},
		{patternMaximum, "不能大于 $1", "must be at most $1"},
		{patternType, "类型应为 $1", "must be of type $1"},
		{patternTime, "时间格式应为 RFC 3339，例如 2026-01-31T08:00:00Z", "must be an RFC 3339 time such as 2026-01-31T08:00:00Z"},
		{patternDecoding, "不是有效的 JSON，或类型不符", "must be valid JSON of the documented type"},
	}
}
