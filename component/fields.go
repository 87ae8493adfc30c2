package component

import (
	"bytes"
	"encoding/json"
	"encoding/xml"
	"errors"
	"io"
	"maps"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"
)

// ErrNotAMessage reports a body that is neither XML nor JSON, or in which nothing says what kind of message it is.
var ErrNotAMessage = errors.New("component: not a message")

// Fields gives lenient access to the elements of a message, XML and JSON alike. Names are case-sensitive, because WeChat
// uses AppId and appid side by side with different meanings.
type Fields struct{ elements []element }

type element struct {
	name     string
	text     string
	children []element
}

// maxDepth is far above what WeChat nests.
const maxDepth = 64

// Text is the first element of this name as text without surrounding white space. Numbers come as their digits; an
// absent or empty element, null and objects are "".
func (f Fields) Text(name string) string {
	for _, e := range f.elements {
		if e.name == name {
			return strings.TrimSpace(e.text)
		}
	}
	return ""
}

// Int is the first element of this name as a number. Quotes around the digits do not matter: pushes carry nested numbers
// as strings, and some samples quote inside XML.
func (f Fields) Int(name string) (n int64, ok bool) {
	text := strings.TrimSpace(strings.Trim(f.Text(name), `"'`))
	if n, err := strconv.ParseInt(text, 10, 64); err == nil {
		return n, true
	}
	// JSON writers may use 1.413192605e9.
	if x, err := strconv.ParseFloat(text, 64); err == nil && x == float64(int64(x)) && x > -1<<53 && x < 1<<53 {
		return int64(x), true
	}
	return 0, false
}

// Has reports whether there is an element of this name, empty or not.
func (f Fields) Has(name string) bool {
	return slices.ContainsFunc(f.elements, func(e element) bool { return e.name == name })
}

// Child gives the elements inside the first element of this name.
func (f Fields) Child(name string) Fields {
	for _, e := range f.elements {
		if e.name == name {
			return Fields{e.children}
		}
	}
	return Fields{}
}

// All gives the contents of every element of this name: XML repeats a name where JSON has an array, and JSON has a bare
// object where there is one item only.
func (f Fields) All(name string) []Fields {
	var all []Fields
	for _, e := range f.elements {
		if e.name == name {
			all = append(all, Fields{e.children})
		}
	}
	return all
}

// legible makes text that PostgreSQL can store and an XML reader accepts: what is not UTF-8, the NUL byte and other control
// characters become U+FFFD. A byte order mark is cut off.
func legible(body []byte) string {
	body = bytes.TrimPrefix(body, []byte("\xef\xbb\xbf"))
	if isLegible(body) {
		return string(body)
	}
	return strings.ToValidUTF8(strings.Map(func(r rune) rune {
		switch {
		case r == '\t' || r == '\n' || r == '\r':
			return r
		case r < ' ' || r == 0xFFFE || r == 0xFFFF:
			return utf8.RuneError
		default:
			return r
		}
	}, string(body)), string(utf8.RuneError))
}

// isLegible finds most texts in order, at little cost.
func isLegible(body []byte) bool {
	for _, c := range body {
		if c < ' ' && c != '\t' && c != '\n' && c != '\r' {
			return false
		}
	}
	return utf8.Valid(body) && !bytes.Contains(body, []byte("\xef\xbf")) // U+FFFE and U+FFFF among others
}

// parseFields reads a message in XML or JSON, told apart by the first character. It fails with ErrNotAMessage.
func parseFields(text string) (Fields, error) {
	text = strings.TrimSpace(text)
	switch {
	case strings.HasPrefix(text, "<"):
		if elements, ok := quickXML(text); ok {
			return Fields{elements}, nil
		}
		return parseXML(text)
	case strings.HasPrefix(text, "{"):
		if elements, ok := quickJSON(text); ok {
			return Fields{elements}, nil
		}
		return parseJSON(text)
	default:
		return Fields{}, ErrNotAMessage
	}
}

// newXMLDecoder takes UTF-8 whatever the declaration says; legible has made it so.
func newXMLDecoder(text string) *xml.Decoder {
	d := xml.NewDecoder(strings.NewReader(text))
	d.CharsetReader = func(_ string, input io.Reader) (io.Reader, error) { return input, nil }
	return d
}

func parseXML(text string) (Fields, error) {
	type open struct {
		name     string
		text     strings.Builder
		children []element
	}
	d := newXMLDecoder(text)
	stack := []*open{{}} // what is open, below everything a bottom that holds the root
	for {
		token, err := d.Token()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil || len(stack) > maxDepth {
			return Fields{}, ErrNotAMessage
		}
		top := len(stack) - 1
		switch t := token.(type) {
		case xml.Directive: // no push has a document type
			return Fields{}, ErrNotAMessage
		case xml.StartElement:
			stack = append(stack, &open{name: t.Name.Local})
		case xml.CharData:
			stack[top].text.Write(t)
		case xml.EndElement:
			done := element{stack[top].name, stack[top].text.String(), stack[top].children}
			stack[top-1].children = append(stack[top-1].children, done)
			stack = stack[:top]
		}
	}
	roots := stack[0].children
	if len(roots) != 1 {
		return Fields{}, ErrNotAMessage
	}
	return Fields{roots[0].children}, nil
}

func parseJSON(text string) (Fields, error) {
	d := json.NewDecoder(strings.NewReader(text))
	d.UseNumber() // MsgId may be above 2^53
	var object map[string]any
	if err := d.Decode(&object); err != nil {
		return Fields{}, ErrNotAMessage
	}
	if _, err := d.Token(); !errors.Is(err, io.EOF) {
		return Fields{}, ErrNotAMessage
	}
	elements, err := fromJSON(object, 1)
	return Fields{elements}, err
}

func fromJSON(object map[string]any, depth int) ([]element, error) {
	if depth > maxDepth {
		return nil, ErrNotAMessage
	}
	var elements []element
	for _, name := range slices.Sorted(maps.Keys(object)) {
		values, isArray := object[name].([]any)
		if !isArray {
			values = []any{object[name]}
		}
		for _, value := range values {
			e := element{name: name}
			switch v := value.(type) {
			case string:
				e.text = v
			case json.Number:
				e.text = v.String()
			case bool:
				e.text = strconv.FormatBool(v)
			case map[string]any:
				children, err := fromJSON(v, depth+1)
				if err != nil {
					return nil, err
				}
				e.children = children
			}
			elements = append(elements, e)
		}
	}
	return elements, nil
}
