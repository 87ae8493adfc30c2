package postgres

import (
	"bytes"
	"encoding/binary"
	"slices"

	"github.com/jackc/pgx/v5/pgtype"
)

// Texts is an argument for a text[] of statements that run many times a second; nil is NULL. Unlike a []string, of which pgx makes
// an interface value for each text and lets its buffer grow step by step, it is written at once.
type Texts []string

// textsHeader begins a text[] in PostgreSQL's binary format: dimensions, nulls, type of the elements, their number, first index.
func textsHeader(length int) []byte {
	var b []byte
	for _, n := range []int{1, 0, pgtype.TextOID, length, 1} {
		b = binary.BigEndian.AppendUint32(b, uint32(n)) //nolint:gosec // of a slice that fits into a message of the protocol
	}
	return b
}

// writeTextsAtOnce teaches a connection Texts.
func writeTextsAtOnce(m *pgtype.Map) {
	wrap := func(value any) (pgtype.WrappedEncodePlanNextSetter, any, bool) {
		if _, ok := value.(Texts); ok {
			return &textsPlan{}, []string{}, true
		}
		return nil, nil, false
	}
	m.TryWrapEncodePlanFuncs = slices.Insert(slices.Clone(m.TryWrapEncodePlanFuncs), 0, pgtype.TryWrapEncodePlanFunc(wrap))
}

// textsPlan writes Texts where a binary text[] is wanted. Where the database wants something else, such as text format behind some
// poolers, pgx's own way for a []string does.
type textsPlan struct {
	usual  pgtype.EncodePlan
	binary bool
}

func (p *textsPlan) SetNext(usual pgtype.EncodePlan) {
	p.usual = usual
	empty, err := usual.Encode([]string{}, nil)
	p.binary = err == nil && bytes.Equal(empty, textsHeader(0))
}

func (p *textsPlan) Encode(value any, buf []byte) ([]byte, error) {
	list, _ := value.(Texts)
	if list == nil {
		return nil, nil
	}
	if !p.binary {
		return p.usual.Encode([]string(list), buf)
	}
	header := textsHeader(len(list))
	size := len(header)
	for _, text := range list {
		size += 4 + len(text)
	}
	buf = append(slices.Grow(buf, size), header...)
	for _, text := range list {
		buf = binary.BigEndian.AppendUint32(buf, uint32(len(text))) //nolint:gosec // as above
		buf = append(buf, text...)
	}
	return buf, nil
}
