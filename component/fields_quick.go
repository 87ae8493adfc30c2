package component

import (
	"slices"
	"strings"
)

// quickXML reads what nearly every push looks like: one root, elements without attributes inside, each with text or one CDATA
// section. For everything else, also for what is wrong, ok is false, and parseXML decides.
func quickXML(text string) (elements []element, ok bool) {
	rest, ok := strings.CutPrefix(strings.TrimSpace(text), "<xml>")
	if !ok || strings.ContainsAny(text, "\r&") {
		return nil, false
	}
	elements = make([]element, 0, 12)
	for {
		rest = skipSpace(rest) // there is no \r
		if rest == "</xml>" {
			return elements, true
		}
		name, after, found := strings.Cut(strings.TrimPrefix(rest, "<"), ">")
		if !found || len(rest) == 0 || rest[0] != '<' || !plainName(name) {
			return nil, false
		}
		var value string
		if inside, isCDATA := strings.CutPrefix(after, "<![CDATA["); isCDATA {
			value, after, found = strings.Cut(inside, "]]>")
		} else {
			end := strings.IndexByte(after, '<')
			if found = end >= 0; found {
				value, after = after[:end], after[end:]
				found = !strings.Contains(value, "]]>")
			}
		}
		if !found || len(after) < len(name)+3 || after[:2] != "</" || after[2:2+len(name)] != name || after[2+len(name)] != '>' {
			return nil, false
		}
		elements = append(elements, element{name: name, text: value})
		rest = after[len(name)+3:]
	}
}

func plainName(name string) bool {
	for i := range len(name) {
		c := name[i]
		letter := c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c == '_'
		if !letter && (i == 0 || c < '0' || c > '9') {
			return false
		}
	}
	return name != ""
}

// quickJSON reads what nearly every push looks like: one object of texts without escapes and integers, each name once. For
// everything else, also for what is wrong, ok is false, and parseJSON decides.
func quickJSON(text string) (elements []element, ok bool) {
	r := jsonReader{strings.TrimSpace(text)}
	if !r.take('{') {
		return nil, false
	}
	elements = make([]element, 0, 12)
	for {
		name, ok := r.text()
		if !ok || !r.take(':') {
			return nil, false
		}
		value, ok := r.text()
		if !ok {
			value, ok = r.integer()
		}
		at := len(elements) // in the order of names
		for at > 0 && elements[at-1].name > name {
			at--
		}
		if !ok || at > 0 && elements[at-1].name == name {
			return nil, false
		}
		elements = slices.Insert(elements, at, element{name: name, text: value})
		if r.take(',') {
			continue
		}
		return elements, r.take('}') && r.rest == ""
	}
}

type jsonReader struct{ rest string }

// take goes behind c and the white space around it, if c is next.
func (r *jsonReader) take(c byte) bool {
	rest := skipSpace(r.rest)
	if rest == "" || rest[0] != c {
		return false
	}
	r.rest = skipSpace(rest[1:])
	return true
}

// skipSpace is strings.TrimLeft without making a set of the four characters each time.
func skipSpace(text string) string {
	for i := range len(text) {
		if c := text[i]; c != ' ' && c != '\n' && c != '\t' && c != '\r' {
			return text[i:]
		}
	}
	return ""
}

func (r *jsonReader) text() (string, bool) {
	if r.rest == "" || r.rest[0] != '"' {
		return "", false
	}
	for i := 1; i < len(r.rest); i++ {
		switch c := r.rest[i]; {
		case c == '"':
			value := r.rest[1:i]
			r.rest = r.rest[i+1:]
			return value, true
		case c == '\\' || c < ' ':
			return "", false
		}
	}
	return "", false
}

func (r *jsonReader) integer() (string, bool) {
	end := 0
	for end < len(r.rest) && (r.rest[end] == '-' || r.rest[end] >= '0' && r.rest[end] <= '9') {
		end++
	}
	value := r.rest[:end]
	if !canonicalInt(value) || end < len(r.rest) && strings.IndexByte(" \t\r\n,}", r.rest[end]) < 0 {
		return "", false
	}
	r.rest = r.rest[end:]
	return value, true
}
