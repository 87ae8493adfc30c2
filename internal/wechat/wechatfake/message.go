package wechatfake

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"strings"
)

// Message is the content of a push in WeChat's order of elements.
type Message []Field

// Field is one element. Value is a string (CDATA in XML), a number, a Message (nested) or a list of them (repeated).
type Field struct {
	Name  string
	Value any
}

// bareText is text that WeChat sends without CDATA, such as ScreenShot.
type bareText string

// text returns the value of a top-level element, "" when absent.
func (m Message) text(name string) string {
	for _, f := range m {
		if f.Name == name {
			return fmt.Sprint(f.Value)
		}
	}
	return ""
}

// xml writes the plaintext of an encrypted push.
func (m Message) xml() []byte {
	var buf bytes.Buffer
	buf.WriteString("<xml>")
	m.writeXML(&buf)
	buf.WriteString("</xml>")
	return buf.Bytes()
}

func (m Message) writeXML(buf *bytes.Buffer) {
	for _, f := range m {
		if many, repeated := f.Value.([]any); repeated {
			for _, item := range many {
				Message{{f.Name, item}}.writeXML(buf)
			}
			continue
		}
		fmt.Fprintf(buf, "<%s>", f.Name)
		switch value := f.Value.(type) {
		case Message:
			value.writeXML(buf)
		case string:
			fmt.Fprintf(buf, "<![CDATA[%s]]>", strings.ReplaceAll(value, "]]>", "]]]]><![CDATA[>"))
		default:
			fmt.Fprint(buf, value)
		}
		fmt.Fprintf(buf, "</%s>", f.Name)
	}
}

// json writes the cloud-run form: top-level numbers are numbers, nested ones are texts, a list of one item is the item.
func (m Message) json(emptyAsObject bool) []byte {
	var buf bytes.Buffer
	m.writeJSON(&buf, true, emptyAsObject)
	return buf.Bytes()
}

func (m Message) writeJSON(buf *bytes.Buffer, top, emptyAsObject bool) {
	buf.WriteByte('{')
	for i, f := range m {
		if i > 0 {
			buf.WriteByte(',')
		}
		buf.Write(encode(f.Name))
		buf.WriteByte(':')
		writeJSONValue(buf, f.Value, top, emptyAsObject)
	}
	buf.WriteByte('}')
}

func writeJSONValue(buf *bytes.Buffer, value any, top, emptyAsObject bool) {
	switch value := value.(type) {
	case Message:
		value.writeJSON(buf, false, emptyAsObject)
	case []any:
		if len(value) == 1 {
			writeJSONValue(buf, value[0], false, emptyAsObject)
			return
		}
		buf.WriteByte('[')
		for i, item := range value {
			if i > 0 {
				buf.WriteByte(',')
			}
			writeJSONValue(buf, item, false, emptyAsObject)
		}
		buf.WriteByte(']')
	case string:
		if value == "" && emptyAsObject {
			buf.WriteString("{}")
			return
		}
		buf.Write(encode(value))
	case bareText:
		buf.Write(encode(string(value)))
	default:
		if top {
			fmt.Fprint(buf, value)
			return
		}
		buf.Write(encode(fmt.Sprint(value)))
	}
}

// UnmarshalJSON reads a message from a JSON object and keeps the order of its members.
func (m *Message) UnmarshalJSON(data []byte) error {
	dec := json.NewDecoder(bytes.NewReader(data))
	dec.UseNumber()
	value, err := readValue(dec)
	if err != nil {
		return err
	}
	message, isObject := value.(Message)
	if !isObject {
		return errors.New("wechatfake: a message must be a JSON object")
	}
	*m = message
	return nil
}

func readValue(dec *json.Decoder) (any, error) {
	tok, err := dec.Token()
	if err != nil {
		return nil, err
	}
	switch tok := tok.(type) {
	case json.Delim:
		if tok == '{' {
			return readObject(dec)
		}
		return readArray(dec)
	case json.Number:
		return tok, nil
	case bool:
		return strconv.FormatBool(tok), nil
	case string:
		return tok, nil
	default:
		return "", nil
	}
}

func readObject(dec *json.Decoder) (any, error) {
	message := Message{}
	for dec.More() {
		name, err := dec.Token()
		if err != nil {
			return nil, err
		}
		value, err := readValue(dec)
		if err != nil {
			return nil, err
		}
		message = append(message, Field{fmt.Sprint(name), value})
	}
	_, err := dec.Token()
	return message, err
}

func readArray(dec *json.Decoder) (any, error) {
	items := []any{}
	for dec.More() {
		value, err := readValue(dec)
		if err != nil {
			return nil, err
		}
		items = append(items, value)
	}
	_, err := dec.Token()
	return items, err
}

// eventFor begins an event of 消息与事件; like WeChat it names no appid, audit id or version.
func (s *Server) eventFor(a *account, event string) Message {
	return Message{
		{"ToUserName", a.UserName},
		{"FromUserName", "o" + digest("system")[:27]},
		{"CreateTime", s.now().Unix()},
		{"MsgType", "event"},
		{"Event", event},
	}
}
