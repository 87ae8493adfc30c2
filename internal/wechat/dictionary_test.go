package wechat

import (
	"os"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

func allClasses() []Class {
	return []Class{
		ClassPermanent, ClassTransient, ClassQuota, ClassState, ClassDone, ClassOperator, ClassToken,
	}
}

// testdata/reference-codes.tsv lists every code of WeChat's tables with the classes they allow.
func TestDictionaryHasEveryCodeOfTheReference(t *testing.T) {
	t.Parallel()
	raw, err := os.ReadFile("testdata/reference-codes.tsv")
	require.NoError(t, err)
	lines := strings.Split(strings.TrimSpace(string(raw)), "\n")
	require.Greater(t, len(lines), 300)
	for _, line := range lines {
		text, classes, ok := strings.Cut(line, "\t")
		require.True(t, ok, line)
		code, err := strconv.Atoi(text)
		require.NoError(t, err)
		e, ok := lookup(code, "*")
		require.True(t, ok, "%d is missing", code)
		require.Contains(t, strings.Split(classes, ","), string(e.Class), "class of %d", code)
		require.Equal(t, code, e.Code)
	}
}

func TestDictionaryIsWellFormed(t *testing.T) {
	t.Parallel()
	lines := strings.Split(strings.TrimSuffix(dictionaryTSV, "\n"), "\n")
	require.True(t, strings.HasPrefix(lines[0], "#"), "lookup needs a line before the first code")
	seen := map[string]bool{}
	last := -1 << 31
	withoutMandarin := regexp.MustCompile(`[\p{Han}]`)
	for _, line := range lines[1:] {
		f := strings.Split(line, "\t")
		require.Len(t, f, 7, line)
		code, err := strconv.Atoi(f[0])
		require.NoError(t, err)
		require.GreaterOrEqual(t, code, last, "order")
		last = code
		require.False(t, seen[f[0]+f[1]], "%s twice", line)
		seen[f[0]+f[1]] = true
		require.True(t, slices.Contains(allClasses(), Class(f[2])), line)
		require.Regexp(t, withoutMandarin, f[3], line)
		require.Regexp(t, withoutMandarin, f[5], line)
		for _, zh := range []string{f[3], f[5]} {
			require.True(t, strings.HasSuffix(zh, "。"), "a sentence: %s", zh)
		}
		for _, en := range []string{f[4], f[6]} {
			require.True(t, strings.HasSuffix(en, "."), "a sentence: %s", en)
		}
		e := Explain(code, f[1])
		require.Equal(t, Entry{code, Class(f[2]), f[3], f[4], f[5], f[6]}, e)
	}
}

func TestExplain(t *testing.T) {
	t.Parallel()
	t.Run("a code that means something else for one operation", func(t *testing.T) {
		t.Parallel()
		require.Equal(t, ClassToken, Explain(40001, "wxa/commit").Class)
		require.Equal(t, ClassOperator, Explain(40001, "cgi-bin/component/api_component_token").Class)
		require.NotEqual(t, Explain(87012, "wxa/undocodeaudit").ZH, Explain(87012, "wxa/revertcoderelease").ZH)
	})
	t.Run("an unknown code", func(t *testing.T) {
		t.Parallel()
		e := Explain(424242, "wxa/release")
		require.Equal(t, ClassOperator, e.Class)
		for _, text := range []string{e.ZH, e.EN, e.HintZH, e.HintEN} {
			require.Contains(t, text, "424242")
		}
		require.Contains(t, e.HintEN, "rid")
	})
	t.Run("an unknown code of the ICP filing", func(t *testing.T) {
		t.Parallel()
		require.Contains(t, Explain(86399, "").EN, "ICP")
		require.Equal(t, ClassTransient, Explain(86301, "").Class)
	})
	t.Run("a code that only starts like a known one", func(t *testing.T) {
		t.Parallel()
		require.Contains(t, Explain(4000, "").EN, "not a known one")
		require.Contains(t, Explain(400011, "").EN, "not a known one")
	})
}
