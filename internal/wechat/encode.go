package wechat

import (
	"bytes"
	"encoding/json"
	"fmt"
	"strconv"
	"unicode/utf16"
	"unicode/utf8"
)

// encode writes v as JSON in literal UTF-8. WeChat takes \uXXXX escapes for text as it stands in places and refuses
// them in others (40033, 47002); encoding/json writes some even without HTML escaping, e.g. for U+2028.
func encode(v any) ([]byte, error) {
	var buf bytes.Buffer
	enc := json.NewEncoder(&buf)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(v); err != nil {
		return nil, fmt.Errorf("encoding the request: %w", err)
	}
	return literal(bytes.TrimSuffix(buf.Bytes(), []byte("\n"))), nil
}

// literal replaces the \uXXXX escapes of well-formed JSON by the characters they stand for. Only control characters, the
// quote and the backslash keep theirs, because JSON has no other way to write them.
func literal(in []byte) []byte {
	if !bytes.Contains(in, []byte(`\u`)) {
		return in
	}
	out := make([]byte, 0, len(in))
	for i := 0; i < len(in); {
		if in[i] != '\\' {
			out = append(out, in[i])
			i++
			continue
		}
		r, width := escaped(in[i:])
		switch {
		case width == 0: // a short escape such as \n or \\
			out = append(out, in[i:i+2]...)
			i += 2
		case r < ' ' || r == '"' || r == '\\':
			out = append(out, in[i:i+width]...)
			i += width
		default:
			out = utf8.AppendRune(out, r)
			i += width
		}
	}
	return out
}

// escaped reads \uXXXX or a surrogate pair of them at the start of in; width 0 means there is none. Half a pair gives
// U+FFFD.
func escaped(in []byte) (r rune, width int) {
	const single = len(`\u0000`)
	first, ok := unit(in)
	if !ok {
		return 0, 0
	}
	if !utf16.IsSurrogate(first) {
		return first, single
	}
	if second, ok := unit(in[single:]); ok {
		if r := utf16.DecodeRune(first, second); r != utf8.RuneError {
			return r, 2 * single
		}
	}
	return utf8.RuneError, single
}

func unit(in []byte) (rune, bool) {
	if len(in) < 6 || in[0] != '\\' || in[1] != 'u' {
		return 0, false
	}
	n, err := strconv.ParseUint(string(in[2:6]), 16, 16)
	return rune(n), err == nil
}
