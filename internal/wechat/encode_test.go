package wechat

import (
	"encoding/json"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestEncodeIsLiteral(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		in   any
		want string
	}{
		"Chinese":                      {"中文", `"中文"`},
		"HTML":                         {"<a>&", `"<a>&"`},
		"line separators":              {"a\u2028b\u2029", "\"a\u2028b\u2029\""},
		"broken UTF-8":                 {"a\xff", "\"a\ufffd\""},
		"control characters stay":      {"\x01\x1f\t\n", `"\u0001\u001f\t\n"`},
		"quotes and backslashes":       {`"\u2028\`, `"\"\\u2028\\"`},
		"escapes of raw JSON":          {json.RawMessage(`"\u4e2d\ud83d\ude00\u0022\u005c\u003c"`), `"中😀\u0022\u005c<"`},
		"half a surrogate in raw JSON": {json.RawMessage(`"\ud83dx\ud83d"`), "\"\ufffdx\ufffd\""},
		"a large number":               {int64(4123456789), "4123456789"},
		"nothing":                      {empty{}, "{}"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			got, err := encode(tc.in)
			require.NoError(t, err)
			require.Equal(t, tc.want, string(got))
		})
	}
}

func FuzzEncode(f *testing.F) {
	f.Add("a\u2028\\u2028\"\x00😀\xff")
	f.Fuzz(func(t *testing.T, s string) {
		want, err := json.Marshal(s)
		require.NoError(t, err)
		got, err := encode(s)
		require.NoError(t, err)
		require.JSONEq(t, string(want), string(got))
	})
}

func TestInt(t *testing.T) {
	t.Parallel()
	for in, want := range map[string]Int{
		`5`: 5, `"5"`: 5, `" 5 "`: 5, `"\"2\""`: 2, `"'2'"`: 2, `-1`: -1, `""`: 0, `null`: 0, `{}`: 0, `4211202267`: 4211202267,
		`9007199254740993`: 9007199254740993, `"9223372036854775807"`: 9223372036854775807, `1.0`: 1, `1e3`: 1000,
	} {
		var got struct{ N Int }
		require.NoError(t, json.Unmarshal([]byte(`{"N":`+in+`}`), &got), in)
		require.Equal(t, want, got.N, in)
	}
	for _, in := range []string{`"many"`, `1.5`, `[]`, `{"a":1}`, `true`, `1e300`, `"0x10"`, `"NaN"`} {
		var got struct{ N Int }
		require.Error(t, json.Unmarshal([]byte(`{"N":`+in+`}`), &got), in)
	}
	raw, err := json.Marshal(Int(7))
	require.NoError(t, err)
	require.Equal(t, "7", string(raw))
}

func TestList(t *testing.T) {
	t.Parallel()
	type item struct{ A int }
	for in, want := range map[string]List[item]{
		`[{"A":1},{"A":2}]`: {{1}, {2}}, `{"A":1}`: {{1}}, `[]`: {}, `null`: nil, `""`: nil, `{}`: nil,
	} {
		got := List[item]{{9}}
		require.NoError(t, json.Unmarshal([]byte(in), &got), in)
		require.Equal(t, want, got, in)
	}
	var words List[string]
	require.NoError(t, json.Unmarshal([]byte(`"one"`), &words))
	require.Equal(t, List[string]{"one"}, words)
	require.Error(t, json.Unmarshal([]byte(`5`), &words))
}
