package component

import (
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/wxsteward/wxsteward/internal/fault"
)

func TestCloudRunJSON(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct{ body, want string }{
		"JSON stays as it is": {` {"a" : 1.0,"b":"<&>"} `, `{"a" : 1.0,"b":"<&>"}`},
		"numbers at the top": {
			`<xml><AppId><![CDATA[wx1]]></AppId><CreateTime>1413192760</CreateTime><InfoType>authorized</InfoType><AuthorizerAppid>wx2</AuthorizerAppid><AuthorizationCodeExpiredTime>600</AuthorizationCodeExpiredTime></xml>`,
			`{"AppId":"wx1","CreateTime":1413192760,"InfoType":"authorized","AuthorizerAppid":"wx2","AuthorizationCodeExpiredTime":600}`,
		},
		"a user's number is text": {`<xml><Content>12</Content><MsgId>6054768590064713728</MsgId></xml>`, `{"Content":"12","MsgId":6054768590064713728}`},
		"what is no number is text": {
			`<xml><CreateTime></CreateTime><MsgId>007</MsgId><status>"2"</status></xml>`, `{"CreateTime":"","MsgId":"007","status":"\"2\""}`,
		},
		"nested values are text": {
			`<xml><Event>wxa_privacy_apply</Event><result_info><api_name>wx.choosePoi</api_name><status>2</status></result_info></xml>`,
			`{"Event":"wxa_privacy_apply","result_info":{"api_name":"wx.choosePoi","status":"2"}}`,
		},
		"repeated elements are an array": {
			`<xml><Count>2</Count><Actions><ActionTime>1</ActionTime></Actions><Version>3</Version><Actions><ActionTime>2</ActionTime></Actions></xml>`,
			`{"Count":2,"Actions":[{"ActionTime":"1"},{"ActionTime":"2"}],"Version":3}`,
		},
		"subscription messages are a list at the top": {
			`<xml><Event>subscribe_msg_popup_event</Event><SubscribeMsgPopupEvent><List><TemplateId>a</TemplateId><PopupScene>2</PopupScene></List><List><TemplateId>b</TemplateId></List></SubscribeMsgPopupEvent></xml>`,
			`{"Event":"subscribe_msg_popup_event","List":[{"TemplateId":"a","PopupScene":"2"},{"TemplateId":"b"}]}`,
		},
		"one of them is an object": {
			`<xml><Event>subscribe_msg_change_event</Event><SubscribeMsgChangeEvent><List><TemplateId>a</TemplateId></List></SubscribeMsgChangeEvent></xml>`,
			`{"Event":"subscribe_msg_change_event","List":{"TemplateId":"a"}}`,
		},
		"a message that was sent": {
			`<xml><Event>subscribe_msg_sent_event</Event><SubscribeMsgSentEvent><List><MsgID>1700827132819554304</MsgID><ErrorCode>0</ErrorCode></List></SubscribeMsgSentEvent></xml>`,
			`{"Event":"subscribe_msg_sent_event","List":{"MsgID":"1700827132819554304","ErrorCode":"0"}}`,
		},
		"elsewhere that element stays": {
			`<xml><Event>other</Event><SubscribeMsgSentEvent><List>1</List></SubscribeMsgSentEvent></xml>`,
			`{"Event":"other","SubscribeMsgSentEvent":{"List":"1"}}`,
		},
		"text is kept": {"<xml><Content><![CDATA[a<b>&\"\\ 😀\n]]></Content></xml>", `{"Content":"a<b>&\"\\ 😀\n"}`},
	} {
		got, err := CloudRunJSON(Message{Body: []byte(test.body)})
		require.NoError(t, err, name)
		assert.Equal(t, test.want, string(got), name)
	}
	_, err := CloudRunJSON(Message{Body: []byte("hello")})
	require.ErrorIs(t, err, ErrNotAMessage)
}

func TestXML(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct{ body, want string }{
		"XML stays as it is": {" <xml><a>1</a></xml>\n", "<xml><a>1</a></xml>"},
		"in order": {
			`{"ToUserName":"gh_1","CreateTime":1413192605,"Count":2,"Actions":[{"ActionTime":"1"},{"ActionTime":2}],"ok":true,"none":null}`,
			`<xml><ToUserName><![CDATA[gh_1]]></ToUserName><CreateTime>1413192605</CreateTime><Count>2</Count><Actions><ActionTime><![CDATA[1]]></ActionTime></Actions><Actions><ActionTime>2</ActionTime></Actions><ok>true</ok><none></none></xml>`,
		},
		"what XML cannot hold": {`{"a b":"]]>\u0000","1":{},"":[]}`, "<xml><a_b><![CDATA[]]]]><![CDATA[>\uFFFD]]></a_b><_1></_1></xml>"},
		"subscription messages": {
			`{"Event":"subscribe_msg_popup_event","List":[{"TemplateId":"a"},{"List":"b"}],"CreateTime":1}`,
			`<xml><Event><![CDATA[subscribe_msg_popup_event]]></Event><SubscribeMsgPopupEvent><List><TemplateId><![CDATA[a]]></TemplateId></List><List><List><![CDATA[b]]></List></List></SubscribeMsgPopupEvent><CreateTime>1</CreateTime></xml>`,
		},
		"a list of another event": {`{"Event":"x","List":{"a":1}}`, `<xml><Event><![CDATA[x]]></Event><List><a>1</a></List></xml>`},
		"digits stay":             {`{"MsgId":6054768590064713728}`, `<xml><MsgId>6054768590064713728</MsgId></xml>`},
	} {
		got, err := XML(Message{Body: []byte(test.body)})
		require.NoError(t, err, name)
		assert.Equal(t, test.want, string(got), name)
		_, err = parseXML(string(got))
		require.NoError(t, err, name)
	}
}

// FuzzRender: whatever is a message can be written in both notations, and what was written says the same.
func FuzzRender(f *testing.F) {
	f.Add(`{"a b":"]]>","1":{},"x":[1,[2,{"y":null}]]}`)
	f.Add(`<xml><Actions><a>1</a></Actions><Actions/><b>&lt;</b></xml>`)
	f.Fuzz(func(t *testing.T, body string) {
		m := Message{Body: []byte(body)}
		if _, err := parseFields(legible(m.Body)); err != nil {
			return
		}
		asJSON, err := CloudRunJSON(m)
		require.NoError(t, err)
		_, err = parseJSON(string(asJSON))
		require.NoError(t, err)
		asXML, err := XML(m)
		if err != nil {
			return // JSON that names no content twice over, such as a cut-off array
		}
		_, err = parseXML(string(asXML))
		require.NoError(t, err)
	})
}

func TestQuickLookFindsEverySecret(t *testing.T) {
	t.Parallel()
	for _, text := range []string{
		ticketXML("s", 1), authorizedXML("wxm1"), textXML("QUERY_AUTH_CODE:s", "1"), textXML(" QUERY_AUTH_CODE:s", "1"), `{"auth_code":["s"]}`,
		`{"\u0061uth_code":"s"}`, `{"Content":"\u0051UERY_AUTH_CODE:s"}`, `<xml><Content>&#81;UERY_AUTH_CODE:s</Content></xml>`,
		`<xml><Content><![CDATA[QUERY_]]><![CDATA[AUTH_CODE:s]]></Content></xml>`, `<xml><Content>QUERY_<!-- x -->AUTH_CODE:s</Content></xml>`,
		`<xml><Content>QUERY_<b/>AUTH_CODE:s</Content></xml>`, `<xml><a><Content><![CDATA[QUERY_]]>AUTH_CODE:s</Content></a></xml>`,
		`<xml><Content>QUERY_<?x?>AUTH_CODE:s</Content></xml>`,
	} {
		f, err := parseFields(text)
		require.NoError(t, err, text)
		_, changed, err := maskSecrets(text)
		require.NoError(t, err, text)
		require.True(t, changed, text)
		assert.True(t, mayHoldSecrets(text, f), text)
		assert.True(t, Message{Body: []byte(text)}.HoldsSecrets(), text)
	}
	f, err := parseFields(textXML("hi", "1"))
	require.NoError(t, err)
	assert.False(t, mayHoldSecrets(textXML("hi", "1"), f), "most messages are not looked through")
	assert.False(t, Message{Body: []byte(textXML("hi", "1"))}.HoldsSecrets())
	assert.True(t, Message{Body: []byte(`<xml><auth_code>`)}.HoldsSecrets(), "when in doubt")
}

func TestTitles(t *testing.T) {
	t.Parallel()
	for _, kinds := range [][]kind{infoKinds(), messageKinds(), eventKinds()} {
		assert.True(t, slices.IsSortedFunc(kinds, func(a, b kind) int { return strings.Compare(a.name, b.name) }))
		for _, k := range kinds {
			assert.NotEmpty(t, k.english, k.name)
			assert.NotEmpty(t, k.chinese, k.name)
			assert.False(t, isASCII(k.chinese), k.name)
		}
	}
	for _, test := range []struct {
		m      Message
		zh, en string
	}{
		{Message{InfoType: "unauthorized"}, "取消授权", "Authorization withdrawn"},
		{Message{MsgType: "event", Event: "weapp_audit_fail"}, "代码审核不通过", "Code review failed"},
		{Message{MsgType: "text"}, "文本消息", "Text"},
		{Message{MsgType: "event", Event: "brand_new"}, "brand_new", "brand_new"},
		{Message{InfoType: "brand_new"}, "brand_new", "brand_new"},
	} {
		assert.Equal(t, test.zh, titleOf(test.m, fault.Chinese))
		assert.Equal(t, test.en, titleOf(test.m, fault.English))
	}
}

func isASCII(text string) bool {
	return strings.IndexFunc(text, func(r rune) bool { return r > 127 }) < 0
}
