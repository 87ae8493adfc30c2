package wechat

import (
	"bytes"
	"encoding/json"
	"errors"
	"math"
	"strconv"
	"strings"
)

// Int is a number that WeChat sends as a number or as a numeric string, now and then with further quotes inside. An
// empty string, {} and null are 0. It is sent as a number.
type Int int64

// UnmarshalJSON implements json.Unmarshaler.
func (n *Int) UnmarshalJSON(data []byte) error {
	value, _, err := parseInt(data)
	*n = Int(value)
	return err
}

// known is an Int of which 0 has a meaning of its own, so that a missing one must be told from it.
type known struct {
	value int64
	ok    bool
}

// UnmarshalJSON implements json.Unmarshaler.
func (k *known) UnmarshalJSON(data []byte) (err error) {
	k.value, k.ok, err = parseInt(data)
	return err
}

var errNotANumber = errors.New("not a whole number") // without the text, which may be anything

func parseInt(data []byte) (n int64, present bool, err error) {
	raw := strings.TrimSpace(string(data))
	if strings.HasPrefix(raw, `"`) {
		if err := json.Unmarshal(data, &raw); err != nil {
			return 0, false, err
		}
		raw = strings.Trim(strings.TrimSpace(raw), `"'`)
	}
	switch raw {
	case "", "null", "{}":
		return 0, false, nil
	}
	if n, err := strconv.ParseInt(raw, 10, 64); err == nil {
		return n, true, nil
	}
	const exact = 1 << 53 // above, a float64 has gaps
	if f, err := strconv.ParseFloat(raw, 64); err == nil && f == math.Trunc(f) && math.Abs(f) <= exact {
		return int64(f), true, nil
	}
	return 0, false, errNotANumber
}

// List is a list that WeChat may send as a single element when there is only one, and as null, "" or {} when there is
// none.
type List[T any] []T

// UnmarshalJSON implements json.Unmarshaler.
func (l *List[T]) UnmarshalJSON(data []byte) error {
	*l = nil
	data = bytes.TrimSpace(data)
	switch string(data) {
	case "null", `""`, "{}":
		return nil
	}
	if data[0] == '[' {
		return json.Unmarshal(data, (*[]T)(l))
	}
	var one T
	if err := json.Unmarshal(data, &one); err != nil {
		return err
	}
	*l = List[T]{one}
	return nil
}

// text is a string that may come as a number or a truth value; null and {} are "".
type text string

// UnmarshalJSON implements json.Unmarshaler.
func (t *text) UnmarshalJSON(data []byte) error {
	data = bytes.TrimSpace(data)
	switch {
	case string(data) == "null", string(data) == "{}":
		*t = ""
	case data[0] == '"':
		return json.Unmarshal(data, (*string)(t))
	default:
		*t = text(data)
	}
	return nil
}

// yes tells a truth value, which may come as a number.
func (t text) yes() bool { return t == "true" || t == "1" }
