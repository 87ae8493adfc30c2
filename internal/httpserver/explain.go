package httpserver

import (
	"regexp"

	"github.com/danielgtaylor/huma/v2/validation"

	"github.com/wxsteward/wxsteward/internal/fault"
)

// explain says in the user's language what Huma's validation found wrong. What it does not know stays in English,
// except for decoding errors, which speak of Go types.
func explain(msg, lang string) string {
	zh, en, ok := plainly(msg)
	if !ok {
		for _, e := range explanations() {
			if e.pattern.MatchString(msg) {
				zh, en = e.pattern.ReplaceAllString(msg, e.zh), e.pattern.ReplaceAllString(msg, e.en)
				ok = true
				break
			}
		}
	}
	switch {
	case !ok:
		return msg
	case lang == fault.English:
		return en
	}
	return zh
}

// plainly knows the messages that are always the same.
func plainly(msg string) (zh, en string, ok bool) {
	switch msg {
	case validation.MsgUnexpectedProperty:
		return "没有这个字段", "there is no such field", true
	case validation.MsgExpectedBoolean:
		return "应为布尔值（true 或 false）", "must be true or false", true
	case validation.MsgExpectedNumber, "invalid float", "invalid floating value":
		return "应为数字", "must be a number", true
	case validation.MsgExpectedInteger, "invalid integer":
		return "应为整数", "must be a whole number", true
	case "invalid boolean":
		return "应为 true 或 false", "must be true or false", true
	case validation.MsgExpectedString:
		return "应为字符串", "must be a string", true
	case validation.MsgExpectedArray:
		return "应为数组", "must be an array", true
	case validation.MsgExpectedObject:
		return "应为 JSON 对象", "must be a JSON object", true
	case validation.MsgExpectedArrayItemsUnique:
		return "各项不能重复", "must not have the same item twice", true
	case validation.MsgExpectedBase64String:
		return "应为 Base64 编码", "must be encoded in base64", true
	case validation.MsgExpectedRFC3339DateTime:
		return "时间格式应为 RFC 3339，例如 2026-01-31T08:00:00Z", "must be an RFC 3339 time such as 2026-01-31T08:00:00Z", true
	case validation.MsgExpectedRFC1123DateTime:
		return "时间格式应为 RFC 1123，例如 Sat, 31 Jan 2026 08:00:00 GMT", "must be an RFC 1123 time such as Sat, 31 Jan 2026 08:00:00 GMT", true
	case validation.MsgExpectedRFC3339Date:
		return "日期格式应为 2026-01-31", "must be a date such as 2026-01-31", true
	case validation.MsgExpectedRFC3339Time:
		return "时刻格式应为 08:00:00Z", "must be a time of day such as 08:00:00Z", true
	case validation.MsgExpectedRFC5890Hostname:
		return "应为主机名", "must be a host name", true
	case validation.MsgExpectedRFC2673IPv4:
		return "应为 IPv4 地址", "must be an IPv4 address", true
	case validation.MsgExpectedRFC2373IPv6:
		return "应为 IPv6 地址", "must be an IPv6 address", true
	case validation.MsgExpectedRFCIPAddr:
		return "应为 IP 地址", "must be an IP address", true
	case validation.MsgExpectedRFC6570URITemplate:
		return "应为 URI 模板", "must be a URI template", true
	case validation.MsgExpectedRFC6901JSONPointer, validation.MsgExpectedRFC6901RelativeJSONPointer:
		return "应为 JSON 指针", "must be a JSON pointer", true
	case validation.MsgExpectedMatchAtLeastOneSchema, validation.MsgExpectedMatchExactlyOneSchema,
		validation.MsgExpectedNotMatchSchema, validation.MsgExpectedPropertyNameInObject, "unparsable value", "unsupported type":
		return "与接口文档中的格式不符", "does not have the documented form", true
	case "unknown query parameter":
		return "没有这个参数", "there is no such parameter", true
	case "expected at most one value, but received multiple values":
		return "只能给出一个值", "must be given once only", true
	}
	return "", "", false
}

type explanation struct {
	pattern *regexp.Regexp
	zh, en  string
}

var (
	patternRequired   = regexp.MustCompile(`^expected required property (\S+) to be present$`)
	patternDependent  = regexp.MustCompile(`^expected property (\S+) to be present when (\S+) is present$`)
	patternParameter  = regexp.MustCompile(`^required \w+ parameter is missing$`)
	patternOneOf      = regexp.MustCompile(`^expected value to be one of "(.*)"$`)
	patternMinLength  = regexp.MustCompile(`^expected length >= (\d+)$`)
	patternMaxLength  = regexp.MustCompile(`^expected length <= (\d+)$`)
	patternMinItems   = regexp.MustCompile(`^expected array length >= (\d+)$`)
	patternMaxItems   = regexp.MustCompile(`^expected array length <= (\d+)$`)
	patternMinMembers = regexp.MustCompile(`^expected object with at least (\d+) properties$`)
	patternMaxMembers = regexp.MustCompile(`^expected object with at most (\d+) properties$`)
	patternMinimum    = regexp.MustCompile(`^expected number >= (\S+)$`)
	patternMaximum    = regexp.MustCompile(`^expected number <= (\S+)$`)
	patternAbove      = regexp.MustCompile(`^expected number > (\S+)$`)
	patternBelow      = regexp.MustCompile(`^expected number < (\S+)$`)
	patternMultiple   = regexp.MustCompile(`^expected number to be a multiple of (\S+)$`)
	patternEmail      = regexp.MustCompile(`(?s)^expected string to be RFC 5322 email: .*$`)
	patternURI        = regexp.MustCompile(`(?s)^(expected string to be RFC 3986 uri: .*|invalid url\.URL value)$`)
	patternUUID       = regexp.MustCompile(`(?s)^expected string to be RFC 4122 uuid: .*$`)
	patternRegexp     = regexp.MustCompile(`(?s)^expected string to be regex: .*$`)
	patternDuration   = regexp.MustCompile(`(?s)^expected duration: .*$`)
	patternMatch      = regexp.MustCompile(`(?s)^expected string to match pattern (.*)$`)
	patternBe         = regexp.MustCompile(`(?s)^expected string to be (.*)$`) // after all others of that beginning
	patternDate       = regexp.MustCompile(`(?s)^invalid date/time for format (.*)$`)
	patternValue      = regexp.MustCompile(`(?s)^(invalid value: .*|cannot read multipart form: .*)$`)
	patternDecoding   = regexp.MustCompile(`(?s)^(json: .*|invalid character .*|unexpected end of JSON input|unexpected EOF|)$`)
)

func explanations() []explanation {
	return []explanation{
		{patternRequired, "缺少必填项 $1", "$1 is missing"},
		{patternDependent, "填写 $2 时，$1 也必须填写", "$1 is missing; it is needed with $2"},
		{patternParameter, "缺少必填参数", "this parameter is missing"},
		{patternOneOf, "只能是以下之一：$1", "must be one of: $1"},
		{patternMinLength, "至少 $1 个字符", "must have at least $1 characters"},
		{patternMaxLength, "最多 $1 个字符", "must have at most $1 characters"},
		{patternMinItems, "至少 $1 项", "must have at least $1 items"},
		{patternMaxItems, "最多 $1 项", "must have at most $1 items"},
		{patternMinMembers, "至少 $1 个字段", "must have at least $1 members"},
		{patternMaxMembers, "最多 $1 个字段", "must have at most $1 members"},
		{patternMinimum, "不能小于 $1", "must be at least $1"},
		{patternMaximum, "不能大于 $1", "must be at most $1"},
		{patternAbove, "必须大于 $1", "must be more than $1"},
		{patternBelow, "必须小于 $1", "must be less than $1"},
		{patternMultiple, "应为 $1 的倍数", "must be a multiple of $1"},
		{patternEmail, "应为电子邮箱地址", "must be an e-mail address"},
		{patternURI, "应为网址（URI）", "must be a URI"},
		{patternUUID, "应为 UUID", "must be a UUID"},
		{patternRegexp, "应为正则表达式", "must be a regular expression"},
		{patternDuration, "应为时长，例如 90s 或 1h30m", "must be a duration such as 90s or 1h30m"},
		{patternMatch, "应符合格式 $1", "must match $1"},
		{patternBe, "应为 $1", "must be $1"},
		{patternDate, "时间格式应为 $1", "must be a time in the form $1"},
		{patternValue, "格式不正确", "does not have the right form"},
		{patternDecoding, "不是有效的 JSON，或类型不符", "must be valid JSON of the documented type"},
	}
}
