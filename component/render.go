package component

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"
	"unicode"
)

// CloudRunJSON is the message as 微信云托管 would deliver it: the keys are the element names, times, counts and states at
// the top are JSON numbers, everything nested is text, and an element that occurs more than once is an array. What happened to
// subscription messages is a List at the top. A message that came as JSON stays as it is.
//
// WeChat docs:
// https://developers.weixin.qq.com/miniprogram/dev/framework/server-ability/message-push.html
func CloudRunJSON(m Message) ([]byte, error) {
	text := strings.TrimSpace(legible(m.Body))
	f, err := parseFields(text)
	if err != nil {
		return nil, err
	}
	if strings.HasPrefix(text, "{") {
		return []byte(text), nil
	}
	elements := f.elements
	if wrapper := listWrapper(f.Text("Event")); wrapper != "" {
		elements = unwrap(elements, wrapper)
	}
	return appendObject(nil, elements, true)
}

// listWrapper is the element around the items of an event in XML, which has no counterpart in JSON; empty for other events.
//
// WeChat docs: https://developers.weixin.qq.com/miniprogram/dev/framework/open-ability/subscribe-message.html
func listWrapper(event string) string {
	switch event {
	case "subscribe_msg_popup_event":
		return "SubscribeMsgPopupEvent"
	case "subscribe_msg_change_event":
		return "SubscribeMsgChangeEvent"
	case "subscribe_msg_sent_event":
		return "SubscribeMsgSentEvent"
	default:
		return ""
	}
}

// listItem is the name of the items in listWrapper.
const listItem = "List"

// unwrap puts the items in the place of the wrapper.
func unwrap(elements []element, wrapper string) []element {
	flat := make([]element, 0, len(elements))
	for _, e := range elements {
		if e.name == wrapper && len(e.children) > 0 {
			flat = append(flat, e.children...)
			continue
		}
		flat = append(flat, e)
	}
	return flat
}

// XML is the message as WeChat pushes it to the public Internet. A message that came as XML stays as it is; characters that
// may not stand in an element name become "_".
func XML(m Message) ([]byte, error) {
	text := strings.TrimSpace(legible(m.Body))
	f, err := parseFields(text)
	if err != nil {
		return nil, err
	}
	if strings.HasPrefix(text, "<") {
		return []byte(text), nil
	}
	d := json.NewDecoder(strings.NewReader(text))
	d.UseNumber()
	var b bytes.Buffer
	if err := writeXML(&b, d, "xml", listWrapper(f.Text("Event"))); err != nil {
		return nil, fmt.Errorf("message as XML: %w", err)
	}
	return b.Bytes(), nil
}

func appendObject(b []byte, elements []element, top bool) ([]byte, error) {
	order := make([]string, 0, len(elements))
	byName := make(map[string][]element, len(elements))
	for _, e := range elements {
		if byName[e.name] == nil {
			order = append(order, e.name)
		}
		byName[e.name] = append(byName[e.name], e)
	}
	var err error
	b = append(b, '{')
	for i, name := range order {
		if i > 0 {
			b = append(b, ',')
		}
		if b, err = appendText(b, name); err != nil {
			return nil, err
		}
		b = append(b, ':')
		same := byName[name]
		if len(same) > 1 {
			b = append(b, '[')
		}
		for j, e := range same {
			if j > 0 {
				b = append(b, ',')
			}
			switch {
			case len(e.children) > 0:
				b, err = appendObject(b, e.children, false)
			case top && numeric(name) && canonicalInt(e.text):
				b = append(b, e.text...)
			default:
				b, err = appendText(b, e.text)
			}
			if err != nil {
				return nil, err
			}
		}
		if len(same) > 1 {
			b = append(b, ']')
		}
	}
	return append(b, '}'), nil
}

// appendText writes a JSON string; & and < stay legible.
func appendText(b []byte, text string) ([]byte, error) {
	var out bytes.Buffer
	enc := json.NewEncoder(&out)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(text); err != nil {
		return nil, err
	}
	return append(b, bytes.TrimSuffix(out.Bytes(), []byte("\n"))...), nil
}

// numeric reports whether an element at the top of a message is a number by WeChat's documents. A user's text may look like
// one and is none.
func numeric(name string) bool {
	switch name {
	case "CreateTime", "MsgId", "AuthorizationCodeExpiredTime",
		"status", "result", "along_with_auth_result", "beian_status", "task_status", "apply_status", "expired", "procedure_status",
		"SuccTime", "FailTime", "DelayTime", "ExpiredTime", "ret", "first", "second",
		"create_time", "appeal_record_id", "appeal_time", "appeal_count", "appeal_from", "appeal_status", "audit_time",
		"Version", "Count", "version", "errcode", "isrisky", "status_code",
		"pay_time", "shipped_time", "estimated_settlement_time", "confirm_receive_method", "confirm_receive_time", "settlement_time":
		return true
	default:
		return false
	}
}

// canonicalInt reports whether text is an integer as JSON writes it.
func canonicalInt(text string) bool {
	digits := strings.TrimPrefix(text, "-")
	const most = 20 // digits of 64 bits
	if digits == "" || len(digits) > most || (len(digits) > 1 && digits[0] == '0') {
		return false
	}
	return strings.Trim(digits, "0123456789") == ""
}

var errJSONEnd = errors.New("unexpected end of array")

// writeXML writes the next JSON value as elements of this name: one, or one for each item of an array. wrapper, if not
// empty, goes around the items of an object's List.
func writeXML(b *bytes.Buffer, d *json.Decoder, name, wrapper string) error {
	token, err := d.Token()
	if err != nil {
		return err
	}
	switch v := token.(type) {
	case json.Delim:
		if v == '[' {
			for d.More() {
				if err := writeXML(b, d, name, ""); err != nil {
					return err
				}
			}
			_, err := d.Token()
			return err
		}
		if v != '{' {
			return errJSONEnd
		}
		fmt.Fprintf(b, "<%s>", name)
		for d.More() {
			key, err := d.Token()
			if err != nil {
				return err
			}
			text, _ := key.(string)
			around := wrapper != "" && text == listItem
			if around {
				fmt.Fprintf(b, "<%s>", wrapper)
			}
			if err := writeXML(b, d, elementName(text), ""); err != nil {
				return err
			}
			if around {
				fmt.Fprintf(b, "</%s>", wrapper)
			}
		}
		if _, err := d.Token(); err != nil && !errors.Is(err, io.EOF) {
			return err
		}
		fmt.Fprintf(b, "</%s>", name)
	case string:
		fmt.Fprintf(b, "<%s>%s</%s>", name, cdata(legible([]byte(v))), name)
	case nil:
		fmt.Fprintf(b, "<%s></%s>", name, name)
	default: // numbers and booleans
		fmt.Fprintf(b, "<%s>%v</%s>", name, v, name)
	}
	return nil
}

// cdata wraps text, splitting an end mark inside it.
func cdata(text string) string {
	return "<![CDATA[" + strings.ReplaceAll(text, "]]>", "]]]]><![CDATA[>") + "]]>"
}

// elementName makes a key an XML name.
func elementName(key string) string {
	name := strings.Map(func(r rune) rune {
		if r == '_' || r == '-' || r == '.' || unicode.IsLetter(r) || (r < unicode.MaxASCII && unicode.IsDigit(r)) {
			return r
		}
		return '_'
	}, key)
	if first := strings.TrimLeft(name, "-.0123456789"); name == "" || len(first) != len(name) {
		return "_" + name
	}
	return name
}
