package component

import (
	"encoding/json"
	"encoding/xml"
	"errors"
	"io"
	"slices"
	"strings"
)

// Masked stands where a secret was.
const Masked = "***"

// queryAuthCode begins the text of a 全网发布 check; an authorization code follows.
const queryAuthCode = "QUERY_AUTH_CODE:"

// maskValue gives what an element's text is replaced by, or ok = false where it may be seen by everybody.
func maskValue(name, text string) (replacement string, ok bool) {
	switch name {
	case "ComponentVerifyTicket", "AuthorizationCode", "PreAuthCode", "auth_code":
		return Masked, strings.TrimSpace(text) != ""
	case "Content":
		return queryAuthCode + Masked, strings.HasPrefix(strings.TrimSpace(text), queryAuthCode)
	default:
		return "", false
	}
}

// mayHoldSecrets is a quick look that maskSecrets has nothing to do on most messages. When in doubt it says yes; f is what text
// was read as.
func mayHoldSecrets(text string, f Fields) bool {
	for _, name := range []string{"ComponentVerifyTicket", "AuthorizationCode", "PreAuthCode", "auth_code", queryAuthCode} {
		if strings.Contains(text, name) {
			return true
		}
	}
	if strings.HasPrefix(strings.TrimSpace(text), "{") {
		return strings.Contains(text, `\u`) // the only escape that can stand for a letter
	}
	// A text may be put together from pieces.
	for _, sign := range []string{"&#", "<!--", "<?"} {
		if strings.Contains(text, sign) {
			return true
		}
	}
	for rest := text; ; {
		_, after, found := strings.Cut(rest, "]]>")
		if !found {
			break
		}
		if !strings.HasPrefix(after, "</") {
			return true
		}
		rest = after
	}
	return anyContentWithChildren(f.elements)
}

func anyContentWithChildren(elements []element) bool {
	return slices.ContainsFunc(elements, func(e element) bool {
		return e.name == "Content" && len(e.children) > 0 || anyContentWithChildren(e.children)
	})
}

// HoldsSecrets reports whether the body holds what not everybody who reads messages may see. When in doubt it says yes.
func (m Message) HoldsSecrets() bool {
	text := legible(m.Body)
	f, err := parseFields(text)
	if err == nil && !mayHoldSecrets(text, f) {
		return false
	}
	_, secrets, err := maskSecrets(text)
	return secrets || err != nil
}

// maskSecrets replaces the secrets in a message, at any depth, and leaves every other byte as it is. changed tells
// whether there were any.
func maskSecrets(text string) (out string, changed bool, err error) {
	var cuts []cut
	if strings.HasPrefix(strings.TrimSpace(text), "<") {
		cuts, err = xmlCuts(text)
	} else {
		cuts, err = jsonCuts(text)
	}
	if err != nil {
		return "", false, ErrNotAMessage
	}
	var b strings.Builder
	at := 0
	for _, c := range cuts {
		b.WriteString(text[at:c.from])
		b.WriteString(c.replacement)
		at = c.to
	}
	b.WriteString(text[at:])
	return b.String(), len(cuts) > 0, nil
}

// cut is a stretch of text, in bytes, and what to put there.
type cut struct {
	from, to    int
	replacement string
}

func xmlCuts(text string) ([]cut, error) {
	type open struct {
		name   string
		from   int
		secret bool // may hold one
		text   strings.Builder
	}
	var cuts []cut
	var stack []*open
	d := newXMLDecoder(text)
	for {
		before := int(d.InputOffset())
		token, err := d.Token()
		if errors.Is(err, io.EOF) {
			return cuts, nil
		}
		if err != nil {
			return nil, err
		}
		switch t := token.(type) {
		case xml.StartElement:
			_, secret := maskValue(t.Name.Local, queryAuthCode)
			stack = append(stack, &open{name: t.Name.Local, from: int(d.InputOffset()), secret: secret})
		case xml.CharData:
			for _, o := range stack {
				if o.secret {
					o.text.Write(t)
				}
			}
		case xml.EndElement:
			top := stack[len(stack)-1]
			stack = stack[:len(stack)-1]
			replacement, ok := maskValue(top.name, top.text.String())
			if !ok {
				continue
			}
			// What lies inside is replaced as a whole.
			for len(cuts) > 0 && cuts[len(cuts)-1].from >= top.from {
				cuts = cuts[:len(cuts)-1]
			}
			cuts = append(cuts, cut{top.from, before, replacement})
		}
	}
}

func jsonCuts(text string) ([]cut, error) {
	var cuts []cut
	type scope struct {
		object  bool
		wantKey bool
	}
	var stack []scope
	d := json.NewDecoder(strings.NewReader(text))
	d.UseNumber()
	for {
		token, err := d.Token()
		if errors.Is(err, io.EOF) {
			return cuts, nil
		}
		if err != nil {
			return nil, err
		}
		if delim, ok := token.(json.Delim); ok {
			if delim == '}' || delim == ']' {
				stack = stack[:len(stack)-1]
			} else {
				stack = append(stack, scope{object: delim == '{', wantKey: delim == '{'})
				continue
			}
		} else if top := len(stack) - 1; top >= 0 && stack[top].wantKey {
			name, _ := token.(string)
			c, found, err := valueCut(d, text, name)
			if err != nil {
				return nil, err
			}
			if found {
				cuts = append(cuts, c)
			}
			// A value that was replaced has been read already, so another key may follow.
			stack[top].wantKey = found
			continue
		}
		if top := len(stack) - 1; top >= 0 {
			stack[top].wantKey = stack[top].object
		}
	}
}

// valueCut reads the value behind the key name if that name may hold a secret, and says what to do with it.
func valueCut(d *json.Decoder, text, name string) (c cut, read bool, err error) {
	if _, secret := maskValue(name, queryAuthCode); !secret {
		return cut{}, false, nil
	}
	from := int(d.InputOffset())
	from += len(text[from:]) - len(strings.TrimLeft(text[from:], ": \t\r\n"))
	var value json.RawMessage
	if err := d.Decode(&value); err != nil {
		return cut{}, false, err
	}
	to := int(d.InputOffset())
	plain := string(value)
	var s string
	if json.Unmarshal(value, &s) == nil {
		plain = s
	}
	replacement, ok := maskValue(name, plain)
	if !ok {
		return cut{from, to, text[from:to]}, true, nil
	}
	return cut{from, to, `"` + replacement + `"`}, true, nil
}
