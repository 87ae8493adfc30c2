package fault

import (
	"context"
	"strconv"
	"strings"
)

// The languages in which users are spoken to. Chinese is the default.
const (
	Chinese = "zh"
	English = "en"
)

type langKey struct{}

// WithLang notes the language of whoever asked: Chinese or English.
func WithLang(ctx context.Context, lang string) context.Context {
	return context.WithValue(ctx, langKey{}, lang)
}

// LangFrom is the language noted by WithLang, Chinese when there is none.
func LangFrom(ctx context.Context) string {
	if lang, ok := ctx.Value(langKey{}).(string); ok && lang == English {
		return English
	}
	return Chinese
}

// LangOf picks Chinese or English from an Accept-Language header: the one with the greater weight, the first of
// equals, Chinese when neither is named.
func LangOf(acceptLanguage string) string {
	best, bestWeight := Chinese, 0.0
	for part := range strings.SplitSeq(acceptLanguage, ",") {
		tag, params, _ := strings.Cut(strings.TrimSpace(part), ";")
		weight := 1.0
		if q, ok := strings.CutPrefix(strings.TrimSpace(params), "q="); ok {
			parsed, err := strconv.ParseFloat(q, 64)
			if err != nil {
				continue
			}
			weight = parsed
		}
		primary, _, _ := strings.Cut(strings.ToLower(tag), "-")
		if (primary == Chinese || primary == English) && weight > bestWeight {
			best, bestWeight = primary, weight
		}
	}
	return best
}

func pick(lang, zh, en string) string {
	if lang == English {
		return en
	}
	return zh
}
