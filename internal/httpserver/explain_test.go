package httpserver

import (
	"fmt"
	"testing"
	"unicode"

	"github.com/danielgtaylor/huma/v2/validation"
	"github.com/stretchr/testify/require"

	"github.com/wxsteward/wxsteward/internal/fault"
)

func TestExplainKnowsAllOfHumasMessages(t *testing.T) {
	t.Parallel()
	for _, msg := range []string{
		validation.MsgUnexpectedProperty, validation.MsgExpectedRFC3339DateTime, validation.MsgExpectedRFC1123DateTime,
		validation.MsgExpectedRFC3339Date, validation.MsgExpectedRFC3339Time, fmt.Sprintf(validation.MsgExpectedRFC5322Email, "x"),
		validation.MsgExpectedRFC5890Hostname, validation.MsgExpectedRFC2673IPv4, validation.MsgExpectedRFC2373IPv6,
		validation.MsgExpectedRFCIPAddr, fmt.Sprintf(validation.MsgExpectedRFC3986URI, "x"), fmt.Sprintf(validation.MsgExpectedRFC4122UUID, "x"),
		validation.MsgExpectedRFC6570URITemplate, validation.MsgExpectedRFC6901JSONPointer,
		validation.MsgExpectedRFC6901RelativeJSONPointer, fmt.Sprintf(validation.MsgExpectedRegexp, "x\ny"),
		validation.MsgExpectedMatchAtLeastOneSchema, validation.MsgExpectedMatchExactlyOneSchema, validation.MsgExpectedNotMatchSchema,
		validation.MsgExpectedPropertyNameInObject, validation.MsgExpectedBoolean, fmt.Sprintf(validation.MsgExpectedDuration, "x"),
		validation.MsgExpectedNumber, validation.MsgExpectedInteger, validation.MsgExpectedString, validation.MsgExpectedBase64String,
		validation.MsgExpectedArray, validation.MsgExpectedObject, validation.MsgExpectedArrayItemsUnique,
		fmt.Sprintf(validation.MsgExpectedOneOf, "a, b"), fmt.Sprintf(validation.MsgExpectedMinimumNumber, 1),
		fmt.Sprintf(validation.MsgExpectedExclusiveMinimumNumber, 1), fmt.Sprintf(validation.MsgExpectedMaximumNumber, 1.5),
		fmt.Sprintf(validation.MsgExpectedExclusiveMaximumNumber, 1), fmt.Sprintf(validation.MsgExpectedNumberBeMultipleOf, 2),
		fmt.Sprintf(validation.MsgExpectedMinLength, 1), fmt.Sprintf(validation.MsgExpectedMaxLength, 1),
		fmt.Sprintf(validation.MsgExpectedBePattern, "a colour"), fmt.Sprintf(validation.MsgExpectedMatchPattern, "^a$"),
		fmt.Sprintf(validation.MsgExpectedMinItems, 1), fmt.Sprintf(validation.MsgExpectedMaxItems, 1),
		fmt.Sprintf(validation.MsgExpectedMinProperties, 1), fmt.Sprintf(validation.MsgExpectedMaxProperties, 1),
		fmt.Sprintf(validation.MsgExpectedRequiredProperty, "name"), fmt.Sprintf(validation.MsgExpectedDependentRequiredProperty, "a", "b"),
		"unknown query parameter", "required query parameter is missing", "expected at most one value, but received multiple values",
		"invalid integer", "invalid float", "invalid floating value", "invalid boolean", "unparsable value", "unsupported type",
		"invalid date/time for format 2006-01-02", "invalid url.URL value", "invalid value: x", "cannot read multipart form: x",
		"json: cannot unmarshal string into Go struct field Body.n of type int", "unexpected end of JSON input", "",
	} {
		zh, en := explain(msg, fault.Chinese), explain(msg, fault.English)
		require.NotEqual(t, zh, en, "%q is not translated", msg)
		require.NotEqual(t, msg, en)
		require.True(t, hasHan(zh), "%q: %q", msg, zh)
		require.False(t, hasHan(en), "%q: %q", msg, en)
	}
	require.Equal(t, "缺少必填项 name", explain("expected required property name to be present", fault.Chinese))
	require.Equal(t, "something new", explain("something new", fault.Chinese))
}

func hasHan(text string) bool {
	for _, r := range text {
		if unicode.Is(unicode.Han, r) {
			return true
		}
	}
	return false
}
