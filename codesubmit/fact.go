package codesubmit

import (
	"errors"

	"github.com/wxsteward/wxsteward/internal/fault"
)

// Fact is a sentence as stored: in both languages, because whoever reads the row later may speak either, and because a
// sentence that a newer version words differently keeps what it said. The zero Fact says nothing.
type Fact struct {
	EN string `json:"en,omitempty"`
	ZH string `json:"zh,omitempty"` // empty: the same as EN
}

// factOf fills args into an English sentence and its translation in package fault.
func factOf(format string, args ...any) Fact {
	f := Fact{EN: fault.Say(fault.English, format, args...), ZH: fault.Say(fault.Chinese, format, args...)}
	if f.ZH == f.EN {
		f.ZH = ""
	}
	return f
}

// namesOnly is a fact without words of ours: domains, keys, WeChat's own text.
func namesOnly(text string) Fact { return Fact{EN: text} }

// factFrom is what an error says to users; anything but a fault is for programmers and stays as it is.
func factFrom(err error) Fact {
	if told, ok := errors.AsType[*fault.Error](err); ok {
		return factOf("%s", told)
	}
	return namesOnly(err.Error())
}

// In is the sentence in a language.
func (f Fact) In(lang string) string {
	if lang == fault.Chinese && f.ZH != "" {
		return f.ZH
	}
	return f.EN
}

// IsZero reports that nothing is said (omitzero).
func (f Fact) IsZero() bool { return f == Fact{} }
