package wechatfake

import (
	"bytes"
	"encoding/json"
	"strconv"
	"strings"
	"unicode/utf8"
)

// checkJSON applies WeChat's rules for request bodies and returns 0 or the errcode: 44002 empty, 47001 not a JSON
// object in UTF-8, 40033 or 47002 for characters written as \u escapes.
func checkJSON(path string, body []byte) int {
	body = bytes.TrimSpace(body)
	switch {
	case len(body) == 0:
		return 44002
	case !utf8.Valid(body) || body[0] != '{' || !json.Valid(body):
		return 47001
	case !hasEscapes(body):
		return 0
	case strings.HasPrefix(path, "/cgi-bin/"):
		return 40033
	default:
		return 47002
	}
}

// hasEscapes looks for \uXXXX of a character that need not be escaped. Control characters must be, and U+2028 and
// U+2029 are by most encoders.
func hasEscapes(body []byte) bool {
	for i := 0; i < len(body); i++ {
		if body[i] != '\\' {
			continue
		}
		if i+5 < len(body) && body[i+1] == 'u' {
			char, err := strconv.ParseUint(string(body[i+2:i+6]), 16, 32)
			if err == nil && char >= 0x20 && char != 0x7f && char != 0x2028 && char != 0x2029 {
				return true
			}
		}
		i++ // the escaped character, so that \\u is text
	}
	return false
}

// number reads a JSON number or a numeric string, as WeChat does for ids.
type number int64

// UnmarshalJSON accepts 12 and "12".
func (n *number) UnmarshalJSON(data []byte) error {
	parsed, err := strconv.ParseInt(string(bytes.Trim(data, `"`)), 10, 64)
	*n = number(parsed)
	return err
}

// list makes an absent list an empty one, which is what JSON answers show.
func list[T any](items []T) []T {
	if items == nil {
		return []T{}
	}
	return items
}
