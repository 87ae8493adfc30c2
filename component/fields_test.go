package component

import (
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestFields(t *testing.T) {
	t.Parallel()
	for name, text := range map[string]string{
		"XML": `<?xml version="1.0" encoding="GBK"?><xml><AppId><![CDATA[wxC]]></AppId><appid> wxM </appid><CreateTime>1413192605</CreateTime>
			<quoted>"2"</quoted><empty/><info><name>N<!-- c -->M</name><code_type>1</code_type></info><list><a>1</a></list><list><a>2</a></list></xml>`,
		"JSON": `{"AppId":"wxC","appid":" wxM ","CreateTime":1413192605,"quoted":"2","empty":{},
			"info":{"name":"NM","code_type":"1"},"list":[{"a":1},{"a":"2"}]}`,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			f, err := parseFields(text)
			require.NoError(t, err)
			assert.Equal(t, "wxC", f.Text("AppId"))
			assert.Equal(t, "wxM", f.Text("appid"), "names differ by case")
			n, ok := f.Int("CreateTime")
			assert.True(t, ok)
			assert.EqualValues(t, 1413192605, n)
			n, ok = f.Int("quoted")
			assert.True(t, ok)
			assert.EqualValues(t, 2, n)
			assert.True(t, f.Has("empty"))
			assert.Empty(t, f.Text("empty"))
			assert.Empty(t, f.Text("absent"))
			assert.Equal(t, "NM", f.Child("info").Text("name"))
			n, ok = f.Child("info").Int("code_type")
			assert.True(t, ok)
			assert.EqualValues(t, 1, n)
			require.Len(t, f.All("list"), 2)
			assert.Equal(t, "2", f.All("list")[1].Text("a"))
		})
	}
}

func TestFieldsKeepLargeNumbers(t *testing.T) {
	t.Parallel()
	f, err := parseFields(`{"MsgId":9223372036854775807,"x":1.413192605e9,"y":"x1"}`)
	require.NoError(t, err)
	assert.Equal(t, "9223372036854775807", f.Text("MsgId"))
	n, ok := f.Int("x")
	assert.True(t, ok)
	assert.EqualValues(t, 1413192605, n)
	_, ok = f.Int("y")
	assert.False(t, ok)
}

func TestNotAMessage(t *testing.T) {
	t.Parallel()
	for name, text := range map[string]string{
		"nothing": "", "text": "success", "a list": `[{"InfoType":"x"}]`, "cut XML": "<xml><InfoType>x</InfoType>", "cut JSON": `{"InfoType":"x"`,
		"two documents": `{"InfoType":"x"}{}`, "two roots": "<xml/><xml/>", "a document type": `<!DOCTYPE xml [<!ENTITY a "b">]><xml><InfoType>x</InfoType></xml>`,
		"an entity of its own": "<xml><InfoType>&a;</InfoType></xml>", "a deep document": strings.Repeat("<a>", 100) + strings.Repeat("</a>", 100),
		"deep JSON": strings.Repeat(`{"a":`, 100) + "1" + strings.Repeat("}", 100),
	} {
		_, err := parseFields(text)
		assert.ErrorIs(t, err, ErrNotAMessage, name)
	}
}

func TestMaskSecrets(t *testing.T) {
	t.Parallel()
	for _, test := range []struct{ name, in, want string }{
		{
			"ticket in XML", "<xml> <ComponentVerifyTicket><![CDATA[ticket@@@S]]></ComponentVerifyTicket>\n<AppId>wx</AppId></xml>",
			"<xml> <ComponentVerifyTicket>***</ComponentVerifyTicket>\n<AppId>wx</AppId></xml>",
		},
		{
			"ticket in JSON", `{"AppId":"wx","ComponentVerifyTicket" :  "ticket@@@S","CreateTime":1}`,
			`{"AppId":"wx","ComponentVerifyTicket" :  "***","CreateTime":1}`,
		},
		{
			"codes", `{"AuthorizationCode":"S","PreAuthCode":"S","AuthorizationCodeExpiredTime":1}`,
			`{"AuthorizationCode":"***","PreAuthCode":"***","AuthorizationCodeExpiredTime":1}`,
		},
		{"a code deep inside", `{"a":[1,{"auth_code":"S"},"x"],"b":{"c":{}}}`, `{"a":[1,{"auth_code":"***"},"x"],"b":{"c":{}}}`},
		{"a name written with escapes", `{"\u0061uth_code":"S"}`, `{"\u0061uth_code":"***"}`},
		{"every copy of a name", `<xml><auth_code>S</auth_code><i><auth_code>S</auth_code></i></xml>`, `<xml><auth_code>***</auth_code><i><auth_code>***</auth_code></i></xml>`},
		{"elements inside a secret", `<xml><auth_code>a<PreAuthCode>S</PreAuthCode>b</auth_code></xml>`, `<xml><auth_code>***</auth_code></xml>`},
		{"an object as secret", `{"auth_code":{"x":"S"},"n":1}`, `{"auth_code":"***","n":1}`},
		{"a publishing check", `{"Content":"QUERY_AUTH_CODE:S"}`, `{"Content":"QUERY_AUTH_CODE:***"}`},
		{"ordinary text stays", `{"Content":"auth_code S","x":{"Content":"y"}}`, ""},
		{"an empty code stays", `<xml><auth_code/><PreAuthCode></PreAuthCode></xml>`, ""},
		{"the name as a value stays", `{"x":"auth_code","y":["auth_code","z"]}`, ""},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			want, changes := test.want, test.want != ""
			if !changes {
				want = test.in
			}
			got, changed, err := maskSecrets(test.in)
			require.NoError(t, err)
			assert.Equal(t, want, got)
			assert.True(t, changed == changes || want == test.in)
		})
	}
}

func TestLegible(t *testing.T) {
	t.Parallel()
	assert.Equal(t, "<a>\ufffd\ufffd😀\t\n</a>", legible([]byte("\xef\xbb\xbf<a>\x00\xff😀\t\n</a>")))
}

func FuzzMessage(f *testing.F) {
	f.Add(`<xml><InfoType>x</InfoType><auth_code><![CDATA[a]]></auth_code></xml>`)
	f.Add(`{"InfoType":"x","auth_code":"a","b":[{"PreAuthCode":{}}]}`)
	f.Add("\xef\xbb\xbf<?xml encoding='gbk'?><a b='c'>&lt;\x00</a>")
	f.Fuzz(func(t *testing.T, body string) {
		text := legible([]byte(body))
		require.True(t, utf8.ValidString(text))
		if _, err := parseFields(text); err != nil {
			return
		}
		out, _, err := maskSecrets(text)
		require.NoError(t, err, "what was read can be masked")
		_, err = parseFields(out)
		require.NoError(t, err, "what was masked can be read")
		again, _, err := maskSecrets(out)
		require.NoError(t, err)
		require.Equal(t, out, again)
	})
}
