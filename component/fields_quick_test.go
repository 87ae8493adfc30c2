package component

import (
	"testing"

	"github.com/stretchr/testify/require"
)

// FuzzQuick: the quick readers see what the thorough ones see, or leave it to them.
func FuzzQuick(f *testing.F) {
	for _, text := range []string{
		textXML("hi", "1"), authorizedXML("wxm1"), ` <xml> <a>1</a><b></b><c><![CDATA[x<y]]></c></xml>`, "<xml><a>]]></a></xml>", "<xml><a>1</b></xml>",
		"<xml><a>1</a>x</xml>", "<xml><a/></xml>", "<xml></xml><xml></xml>", "<xml><a>&lt;</a></xml>", "<xml><a>1<b>2</b></a></xml>", "<xml><a\n>1</a></xml>",
		`{"a":"b","c":1}`, ` { "a" : "b" , "c" : -0 } `, `{"a":01}`, `{"a":1.5}`, `{"a":1,"a":2}`, `{"a":1,}`, `{}`, `{"a":"\u0062"}`, `{"a":"b"} x`, `{"b":"1","a":1}`,
		"{\"a\":\"\t\"}", `{"a":--1}`, `{"a":}`, `{"a":-}`, `{"":""}`, "<xml><a><![CDATA[1]]>2</a></xml>", "<xml>\u00a0</xml>", "{\"a\":1\v}",
	} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		text = legible([]byte(text))
		if elements, ok := quickXML(text); ok {
			want, err := parseXML(text)
			require.NoError(t, err)
			require.ElementsMatch(t, want.elements, elements)
		}
		if elements, ok := quickJSON(text); ok {
			want, err := parseJSON(text)
			require.NoError(t, err)
			require.Equal(t, want.elements, elements)
		}
	})
}

func TestQuickReadersTakeUsualPushes(t *testing.T) {
	t.Parallel()
	for _, text := range []string{textXML("hi", "1"), authorizedXML("wxm1"), ticketXML("t", 1)} {
		_, ok := quickXML(text)
		require.True(t, ok, text)
	}
	_, ok := quickJSON(`{"ToUserName":"gh_1","CreateTime":1413192605,"MsgType":"text","Content":"你好","MsgId":6054768590064713728}`)
	require.True(t, ok)
}
