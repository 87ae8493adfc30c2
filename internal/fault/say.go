package fault

import "fmt"

// A Sayer is a thing with a name in each language; as an argument of a sentence it is said in the sentence's language.
type Sayer interface{ In(lang string) string }

// Say fills args into format, an English sentence as for fmt.Sprintf, or into its translation in zh.go when lang is
// Chinese. A sentence without a translation stays English. Arguments that are Sayers speak the same language; states,
// actions and names of fields stay as programs write them.
func Say(lang, format string, args ...any) string {
	if lang == Chinese {
		if translated, ok := chinese(format); ok {
			format = translated
		}
	}
	if len(args) == 0 {
		return format
	}
	said := make([]any, len(args))
	for i, arg := range args {
		if sayer, ok := arg.(Sayer); ok {
			arg = sayer.In(lang)
		}
		said[i] = arg
	}
	return fmt.Sprintf(format, said...)
}
