package httpserver

import (
	"bytes"
	"encoding/base64"
	"encoding/json"

	"github.com/wxsteward/wxsteward/internal/fault"
)

// Page is how every list is answered.
type Page[T any] struct {
	Items []T `json:"items"`
	// NextCursor goes into ?cursor= for the next page; empty on the last one.
	NextCursor string `json:"next_cursor" doc:"Pass as cursor for the next page; empty on the last."`
	// Total is nil where counting would cost too much.
	Total *int64 `json:"total" doc:"How many there are in all, null where it is not counted."`
}

// ListInput is embedded in the input of every list.
type ListInput struct {
	Limit  int    `query:"limit" default:"20" minimum:"1" maximum:"200" doc:"Items a page."`
	Cursor string `query:"cursor" maxLength:"1024" doc:"next_cursor of the page before."`
}

// EncodeCursor makes an opaque cursor of the place where the next page starts: a value that JSON can hold.
func EncodeCursor(v any) string {
	text, err := json.Marshal(v)
	if err != nil {
		panic("httpserver: cursor of a type that JSON cannot hold: " + err.Error())
	}
	return base64.RawURLEncoding.EncodeToString(text)
}

// DecodeCursor reads a cursor into v and leaves v alone when there is none. A cursor that EncodeCursor did not make
// for this type is a Validation error.
func DecodeCursor(cursor string, v any) error {
	if cursor == "" {
		return nil
	}
	text, err := base64.RawURLEncoding.DecodeString(cursor)
	if err == nil {
		err = json.Unmarshal(text, v)
	}
	if err != nil {
		return fault.Invalid("query.cursor", "This is not a cursor of this list; leave it out to start again.", nil)
	}
	return nil
}

// MarshalBody encodes v as the API would answer it.
func MarshalBody(v any) ([]byte, error) {
	var out bytes.Buffer
	enc := json.NewEncoder(&out)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(fillLists(v)); err != nil {
		return nil, err
	}
	return out.Bytes(), nil
}
