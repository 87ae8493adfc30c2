package msgcrypt

import (
	"bytes"
	"encoding/json"
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"
)

// Envelope is the outside of a push. Pushes about the platform carry AppID (the component appid), pushes for a merchant
// carry ToUserName (the merchant's gh_… id). Nothing in it is authentic until Encrypt was opened.
type Envelope struct{ ToUserName, AppID, Encrypt string }

// ParseEnvelope reads an envelope in XML or JSON, told apart by the first byte. hasEncrypt reports that the body has an
// element Encrypt, be it empty or unusable: such a body must never be taken for a plain message, not even when err is
// not nil. It fails with ErrParse. Name spaces and white space do not matter; a document type declaration is refused,
// for no push of WeChat has one. The caller limits the size of body.
func ParseEnvelope(body []byte) (envelope Envelope, hasEncrypt bool, err error) {
	body = bytes.TrimSpace(bytes.TrimPrefix(bytes.TrimSpace(body), []byte("\xef\xbb\xbf")))
	switch {
	case len(body) == 0:
		return Envelope{}, false, ErrParse
	case body[0] == '<':
		return parseXML(body)
	case body[0] == '{':
		return parseJSON(body)
	default:
		return Envelope{}, false, ErrParse
	}
}

func parseXML(body []byte) (envelope Envelope, hasEncrypt bool, err error) {
	const root, field = 1, 2
	var (
		depth int
		roots int
		name  string
		text  strings.Builder
	)
	for d := xml.NewDecoder(bytes.NewReader(body)); ; {
		token, err := d.Token()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return Envelope{}, hasEncrypt, ErrParse
		}
		switch t := token.(type) {
		case xml.Directive:
			return Envelope{}, hasEncrypt, ErrParse
		case xml.StartElement:
			depth++
			switch depth {
			case root:
				roots++
			case field:
				name = t.Name.Local
				text.Reset()
				hasEncrypt = hasEncrypt || name == "Encrypt"
			}
		case xml.CharData:
			if depth == field {
				text.Write(t)
			}
		case xml.EndElement:
			if depth == field {
				envelope.set(name, text.String())
			}
			depth--
		}
	}
	if roots != 1 {
		return Envelope{}, hasEncrypt, ErrParse
	}
	return envelope, hasEncrypt, nil
}

func parseJSON(body []byte) (envelope Envelope, hasEncrypt bool, err error) {
	var fields map[string]json.RawMessage // a struct would match names in any case
	if err := json.Unmarshal(body, &fields); err != nil {
		return Envelope{}, false, ErrParse
	}
	_, hasEncrypt = fields["Encrypt"]
	for name, raw := range fields {
		var text string
		if err := json.Unmarshal(raw, &text); err != nil || string(raw) == "null" {
			if name == "Encrypt" {
				return Envelope{}, true, ErrParse
			}
			continue
		}
		envelope.set(name, text)
	}
	return envelope, hasEncrypt, nil
}

func (e *Envelope) set(name, text string) {
	text = strings.TrimSpace(text)
	switch name {
	case "ToUserName":
		e.ToUserName = text
	case "AppId":
		e.AppID = text
	case "Encrypt":
		e.Encrypt = text
	}
}

// Format is the notation of a reply.
type Format int

// The two notations; a reply uses that of the request.
const (
	XML Format = iota
	JSON
)

// SealReply builds the encrypted envelope that answers the push opened, under the token and AES key which that push
// used. timestamp is our own clock in Unix seconds, nonce the nonce of the request. The plain answers "success" and ""
// need no envelope. It fails with ErrReply when timestamp is not a number or opened is the zero value.
func (c *Cipher) SealReply(opened Opened, plaintext []byte, timestamp, nonce string, format Format) ([]byte, error) {
	seconds, err := strconv.ParseUint(timestamp, 10, 63)
	if err != nil || opened.token.material == nil || opened.aes.material == nil {
		return nil, ErrReply
	}
	encrypt, err := opened.aes.encrypt(plaintext, c.receiverID, nil)
	if err != nil {
		return nil, err
	}
	// Signed is what is sent: the canonical form of the number.
	timestamp = strconv.FormatUint(seconds, 10)
	signature := Signature(opened.token.material.token.Reveal(), timestamp, nonce, encrypt)
	if format == JSON {
		var out bytes.Buffer
		enc := json.NewEncoder(&out)
		enc.SetEscapeHTML(false)
		err := enc.Encode(struct {
			Encrypt      string
			MsgSignature string
			TimeStamp    uint64
			Nonce        string
		}{encrypt, signature, seconds, nonce})
		if err != nil {
			return nil, ErrReply
		}
		return bytes.TrimSuffix(out.Bytes(), []byte("\n")), nil
	}
	return fmt.Appendf(nil, "<xml>\n<Encrypt>%s</Encrypt>\n<MsgSignature>%s</MsgSignature>\n"+
		"<TimeStamp>%s</TimeStamp>\n<Nonce>%s</Nonce>\n</xml>",
		cdata(encrypt), cdata(signature), timestamp, cdata(nonce)), nil
}

// cdata wraps text, splitting an end mark inside it.
func cdata(text string) string {
	return "<![CDATA[" + strings.ReplaceAll(text, "]]>", "]]]]><![CDATA[>") + "]]>"
}
