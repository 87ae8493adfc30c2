package msgcrypt_test

import (
	"crypto/aes"
	"crypto/cipher"
	"encoding/base64"
	"encoding/json"
	"encoding/xml"
	"fmt"
	"os"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/wxsteward/wxsteward/internal/wechat/msgcrypt"
)

const (
	token     = "AAAAA"
	aesKey    = "abcdefghijklmnopqrstuvwxyz0123456789ABCDEFG"
	otherKey  = "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"
	receiver  = "wxcomponent0000001"
	timestamp = "1715943329"
	nonce     = "1590219412"
)

type vector struct {
	Name         string `json:"name"`
	Token        string `json:"token"`
	AESKey       string `json:"encoding_aes_key"`
	AppID        string `json:"appid"`
	Plaintext    string `json:"plaintext"`
	Encrypt      string `json:"encrypt"`
	Timestamp    string `json:"timestamp"`
	Nonce        string `json:"nonce"`
	MsgSignature string `json:"msg_signature"`
	Random       string `json:"random"`
}

func vectors(tb testing.TB) []vector {
	tb.Helper()
	raw, err := os.ReadFile("testdata/crypto-vectors.json")
	require.NoError(tb, err)
	var all []vector
	require.NoError(tb, json.Unmarshal(raw, &all))
	require.Len(tb, all, 14)
	return all
}

func key(tb testing.TB, token, aesKey string) msgcrypt.Key {
	tb.Helper()
	k, err := msgcrypt.NewKey(token, aesKey)
	require.NoError(tb, err)
	return k
}

func newCipher(tb testing.TB, receiver string, keys ...msgcrypt.Key) *msgcrypt.Cipher {
	tb.Helper()
	c, err := msgcrypt.New(receiver, keys...)
	require.NoError(tb, err)
	return c
}

func TestPublishedVectors(t *testing.T) {
	t.Parallel()
	for _, v := range vectors(t) {
		t.Run(v.Name, func(t *testing.T) {
			t.Parallel()
			c := newCipher(t, v.AppID, key(t, v.Token, v.AESKey))

			require.Equal(t, v.MsgSignature, msgcrypt.Signature(v.Token, v.Timestamp, v.Nonce, v.Encrypt))
			require.True(t, c.Verify(v.Timestamp, v.Nonce, v.Encrypt, v.MsgSignature))

			opened, err := c.Open(v.Timestamp, v.Nonce, v.MsgSignature, v.Encrypt)
			require.NoError(t, err)
			require.Equal(t, v.Plaintext, string(opened.Plaintext))

			sealed, err := c.Seal([]byte(v.Plaintext), strings.NewReader(v.Random))
			require.NoError(t, err)
			require.Equal(t, v.Encrypt, sealed)

			require.False(t, c.Verify(v.Timestamp, v.Nonce+"0", v.Encrypt, v.MsgSignature))
			require.False(t, c.Verify(v.Timestamp, v.Nonce, v.Encrypt, strings.ToUpper(v.MsgSignature)))
		})
	}
}

func TestPlainSignature(t *testing.T) {
	t.Parallel()
	c := newCipher(t, receiver, key(t, token, aesKey))
	for _, v := range []struct{ timestamp, nonce, signature string }{
		{"1714036504", "1514711492", "f464b24fc39322e44b38aa78f5edd27bd1441696"},
		{"1714037059", "486452656", "899cf89e464efb63f54ddac96b0a0a235f53aa78"},
		{"1715943329", "1590219412", "cc0c594499c1634947d5b502f158ee518947db27"},
	} {
		require.True(t, c.VerifyPlain(v.timestamp, v.nonce, v.signature))
		require.False(t, c.VerifyPlain(v.timestamp, v.nonce+"1", v.signature))
		require.False(t, c.VerifyPlain(v.timestamp, v.nonce, ""))
	}
}

func TestNewRefusesUnusableSettings(t *testing.T) {
	t.Parallel()
	for name, k := range map[string][2]string{
		"an AES key of 42 characters":        {token, aesKey[1:]},
		"an AES key of 44 characters":        {token, aesKey + "A"},
		"an AES key that is not base64":      {token, "!" + aesKey[1:]},
		"an AES key with a line break in it": {token, "\n" + aesKey[1:]},
	} {
		_, err := msgcrypt.NewKey(k[0], k[1])
		require.ErrorIs(t, err, msgcrypt.ErrAESKey, name)
		require.NotContains(t, err.Error(), aesKey[5:20])
	}
	_, err := msgcrypt.NewKey("", aesKey)
	require.Error(t, err)
	_, err = msgcrypt.New("", key(t, token, aesKey))
	require.Error(t, err)
	_, err = msgcrypt.New(receiver)
	require.Error(t, err)
	_, err = msgcrypt.New(receiver, msgcrypt.Key{})
	require.Error(t, err)
}

func TestKeysDoNotPrint(t *testing.T) {
	t.Parallel()
	k := key(t, "secretmessagetoken", aesKey)
	c := newCipher(t, receiver, k)
	for _, verb := range []string{"%v", "%+v", "%#v", "%s"} {
		for _, text := range []string{fmt.Sprintf(verb, k), fmt.Sprintf(verb, c), fmt.Sprintf(verb, *c)} {
			require.NotContains(t, text, "secretmessagetoken")
			require.NotContains(t, text, "105 183 29", "the AES key's first bytes")
			require.NotContains(t, text, "0x69, 0xb7", "the AES key's first bytes")
		}
	}
}

// rawSeal encrypts buf as it stands, so that tests can break every part of the layout.
func rawSeal(tb testing.TB, buf []byte) string {
	tb.Helper()
	k, err := base64.StdEncoding.DecodeString(aesKey + "=")
	require.NoError(tb, err)
	block, err := aes.NewCipher(k)
	require.NoError(tb, err)
	out := make([]byte, len(buf))
	cipher.NewCBCEncrypter(block, k[:16]).CryptBlocks(out, buf)
	return base64.StdEncoding.EncodeToString(out)
}

func pad(body string, n int) []byte {
	return append([]byte(body), strings.Repeat(string([]byte{byte(n)}), n)...) //nolint:gosec // n is a padding length
}

func TestOpenRefuses(t *testing.T) {
	t.Parallel()
	const head = "0123456789abcdef"
	c := newCipher(t, receiver, key(t, token, aesKey))
	good, err := c.Seal([]byte("hello"), nil)
	require.NoError(t, err)
	foreign, err := newCipher(t, "wxsomebodyelse", key(t, token, aesKey)).Seal([]byte("hello"), nil)
	require.NoError(t, err)
	prefix, err := newCipher(t, receiver+"x", key(t, token, aesKey)).Seal([]byte("hello"), nil)
	require.NoError(t, err)
	underOther, err := newCipher(t, receiver, key(t, token, otherKey)).Seal([]byte("hello"), nil)
	require.NoError(t, err)
	full := head + "\x00\x00\x00\x05hello" + receiver // 43 bytes, 21 to the next multiple of 32

	for name, tc := range map[string]struct {
		encrypt string
		want    error
	}{
		"a message for another receiver":                         {foreign, msgcrypt.ErrReceiver},
		"a receiver id that only starts with ours":               {prefix, msgcrypt.ErrReceiver},
		"text that is not base64":                                {"***", msgcrypt.ErrBase64},
		"nothing":                                                {"", msgcrypt.ErrDecrypt},
		"half an AES block":                                      {base64.StdEncoding.EncodeToString(make([]byte, 24)), msgcrypt.ErrDecrypt},
		"padding of zero":                                        {rawSeal(t, []byte(full+strings.Repeat("\x00", 21))), msgcrypt.ErrDecrypt},
		"padding over 32":                                        {rawSeal(t, pad(full+"12345", 0x30)), msgcrypt.ErrDecrypt},
		"padding bytes that differ":                              {rawSeal(t, []byte(full+strings.Repeat("\x14", 20)+"\x15")), msgcrypt.ErrDecrypt},
		"padding longer than the text":                           {rawSeal(t, []byte(strings.Repeat("\x20", 16))), msgcrypt.ErrDecrypt},
		"a body shorter than its head":                           {rawSeal(t, pad("0123456789abcde", 17)), msgcrypt.ErrBuffer},
		"a length beyond the end":                                {rawSeal(t, pad(head+"\x00\x00\x00\x7fhello"+receiver, 21)), msgcrypt.ErrBuffer},
		"a length of four gigabytes":                             {rawSeal(t, pad(head+"\xff\xff\xff\xffhello"+receiver, 21)), msgcrypt.ErrBuffer},
		"a message under a key we do not have (noise, no panic)": {underOther, nil},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			_, err := c.Open(timestamp, nonce, msgcrypt.Signature(token, timestamp, nonce, tc.encrypt), tc.encrypt)
			require.Error(t, err)
			if tc.want != nil {
				require.ErrorIs(t, err, tc.want)
			}
		})
	}
	t.Run("a signature under another token", func(t *testing.T) {
		t.Parallel()
		_, err := c.Open(timestamp, nonce, msgcrypt.Signature("BBBBB", timestamp, nonce, good), good)
		require.ErrorIs(t, err, msgcrypt.ErrSignature)
	})
	t.Run("the plain signature, which says nothing about the body", func(t *testing.T) {
		t.Parallel()
		_, err := c.Open(timestamp, nonce, msgcrypt.Signature(token, timestamp, nonce), good)
		require.ErrorIs(t, err, msgcrypt.ErrSignature)
	})
	t.Run("padding of a whole block is fine", func(t *testing.T) {
		t.Parallel()
		body := strings.Repeat("x", 64-20-len(receiver))
		encrypt, err := c.Seal([]byte(body), nil)
		require.NoError(t, err)
		opened, err := c.Open(timestamp, nonce, msgcrypt.Signature(token, timestamp, nonce, encrypt), encrypt)
		require.NoError(t, err)
		require.Equal(t, body, string(opened.Plaintext))
	})
	t.Run("line breaks inside the base64 are fine", func(t *testing.T) {
		t.Parallel()
		broken := good[:20] + "\r\n " + good[20:]
		opened, err := c.Open(timestamp, nonce, msgcrypt.Signature(token, timestamp, nonce, broken), broken)
		require.NoError(t, err)
		require.Equal(t, "hello", string(opened.Plaintext))
	})
}

func TestRotationOpensOldMessagesAndAnswersUnderTheirKey(t *testing.T) {
	t.Parallel()
	oldKey, newKey := key(t, "oldtoken", otherKey), key(t, "newtoken", aesKey)
	both := newCipher(t, receiver, newKey, oldKey)
	for name, tc := range map[string]struct {
		sender *msgcrypt.Cipher
		token  string
	}{
		"everything is new":          {newCipher(t, receiver, newKey), "newtoken"},
		"everything is old":          {newCipher(t, receiver, oldKey), "oldtoken"},
		"new token, AES key not yet": {newCipher(t, receiver, key(t, "newtoken", otherKey)), "newtoken"},
		"new AES key, token not yet": {newCipher(t, receiver, key(t, "oldtoken", aesKey)), "oldtoken"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			encrypt, err := tc.sender.Seal([]byte("question"), nil)
			require.NoError(t, err)
			opened, err := both.Open(timestamp, nonce, msgcrypt.Signature(tc.token, timestamp, nonce, encrypt), encrypt)
			require.NoError(t, err)
			require.Equal(t, "question", string(opened.Plaintext))

			reply, err := both.SealReply(opened, []byte("answer"), "1715943330", nonce, msgcrypt.XML)
			require.NoError(t, err)
			var env struct{ Encrypt, MsgSignature, TimeStamp, Nonce string }
			require.NoError(t, xml.Unmarshal(reply, &env))
			got, err := tc.sender.Open(env.TimeStamp, env.Nonce, env.MsgSignature, env.Encrypt)
			require.NoError(t, err, "the sender knows only its own keys")
			require.Equal(t, "answer", string(got.Plaintext))
		})
	}
}

func TestSealReplyShapes(t *testing.T) {
	t.Parallel()
	c := newCipher(t, receiver, key(t, token, aesKey))
	encrypt, err := c.Seal([]byte("question"), nil)
	require.NoError(t, err)
	opened, err := c.Open(timestamp, nonce, msgcrypt.Signature(token, timestamp, nonce, encrypt), encrypt)
	require.NoError(t, err)

	asXML, err := c.SealReply(opened, []byte("answer"), "1713424427", "415670741", msgcrypt.XML)
	require.NoError(t, err)
	require.Regexp(t, `^<xml>\n<Encrypt><!\[CDATA\[[A-Za-z0-9+/=]+\]\]></Encrypt>\n`+
		`<MsgSignature><!\[CDATA\[[0-9a-f]{40}\]\]></MsgSignature>\n<TimeStamp>1713424427</TimeStamp>\n`+
		`<Nonce><!\[CDATA\[415670741\]\]></Nonce>\n</xml>$`, string(asXML))

	asJSON, err := c.SealReply(opened, []byte("answer"), "1713424427", "415670741", msgcrypt.JSON)
	require.NoError(t, err)
	require.Regexp(t, `^{"Encrypt":"[A-Za-z0-9+/=]+","MsgSignature":"[0-9a-f]{40}","TimeStamp":1713424427,"Nonce":"415670741"}$`,
		string(asJSON))

	evil := "x]]><y"
	asXML, err = c.SealReply(opened, []byte("answer"), "1", evil, msgcrypt.XML)
	require.NoError(t, err)
	var env struct{ Nonce string }
	require.NoError(t, xml.Unmarshal(asXML, &env))
	require.Equal(t, evil, env.Nonce)

	for _, bad := range []string{"", "abc", "-1", "1.5"} {
		_, err = c.SealReply(opened, nil, bad, nonce, msgcrypt.JSON)
		require.ErrorIs(t, err, msgcrypt.ErrReply)
	}
	_, err = c.SealReply(msgcrypt.Opened{}, nil, "1", nonce, msgcrypt.XML)
	require.ErrorIs(t, err, msgcrypt.ErrReply)
}

func TestParseEnvelope(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		body string
		want msgcrypt.Envelope
		has  bool
		bad  bool
	}{
		"a push about the platform":     {body: "<xml>\n  <AppId><![CDATA[wxC]]></AppId>\n <Encrypt><![CDATA[abc]]></Encrypt></xml>", want: msgcrypt.Envelope{AppID: "wxC", Encrypt: "abc"}, has: true},
		"a push for a merchant":         {body: "<xml><ToUserName>gh_1</ToUserName><Encrypt>\nabc=\n</Encrypt></xml>", want: msgcrypt.Envelope{ToUserName: "gh_1", Encrypt: "abc="}, has: true},
		"only Encrypt":                  {body: "<xml><Encrypt>abc</Encrypt></xml>", want: msgcrypt.Envelope{Encrypt: "abc"}, has: true},
		"an XML declaration and a BOM":  {body: "\xef\xbb\xbf<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<xml><Encrypt>abc</Encrypt></xml>\n", want: msgcrypt.Envelope{Encrypt: "abc"}, has: true},
		"a name space":                  {body: `<w:xml xmlns:w="urn:x"><w:Encrypt>abc</w:Encrypt></w:xml>`, want: msgcrypt.Envelope{Encrypt: "abc"}, has: true},
		"a plain message in XML":        {body: "<xml><ToUserName>gh_1</ToUserName><MsgType>text</MsgType></xml>", want: msgcrypt.Envelope{ToUserName: "gh_1"}},
		"an Encrypt deeper down":        {body: "<xml><a><Encrypt>abc</Encrypt></a></xml>"},
		"an empty Encrypt":              {body: "<xml><Encrypt/></xml>", has: true},
		"a document type":               {body: "<!DOCTYPE xml [<!ENTITY a \"b\">]><xml><Encrypt>&a;</Encrypt></xml>", bad: true},
		"an unknown entity":             {body: "<xml><Encrypt>&a;</Encrypt></xml>", bad: true, has: true},
		"an element never closed":       {body: "<xml><Encrypt>abc</Encrypt><xml>", bad: true, has: true},
		"two roots":                     {body: "<xml><Encrypt>abc</Encrypt></xml><xml/>", bad: true, has: true},
		"a JSON envelope":               {body: ` {"ToUserName":"gh_1","Encrypt":" abc\n"}`, want: msgcrypt.Envelope{ToUserName: "gh_1", Encrypt: "abc"}, has: true},
		"a plain message in JSON":       {body: `{"AppId":"wxC","CreateTime":1,"InfoType":"authorized"}`, want: msgcrypt.Envelope{AppID: "wxC"}},
		"JSON names of another case":    {body: `{"encrypt":"abc","appid":"wxM"}`},
		"a JSON Encrypt of null":        {body: `{"Encrypt":null}`, has: true, bad: true},
		"a JSON Encrypt that is a list": {body: `{"Encrypt":["abc"]}`, has: true, bad: true},
		"broken JSON":                   {body: `{"Encrypt":"abc"`, bad: true},
		"a JSON list":                   {body: `["Encrypt"]`, bad: true},
		"text":                          {body: "success", bad: true},
		"white space":                   {body: " \n", bad: true},
		"nothing":                       {body: "", bad: true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			got, has, err := msgcrypt.ParseEnvelope([]byte(tc.body))
			require.Equal(t, tc.has, has)
			if tc.bad {
				require.ErrorIs(t, err, msgcrypt.ErrParse)
			} else {
				require.NoError(t, err)
			}
			require.Equal(t, tc.want, got)
		})
	}
}

func FuzzOpen(f *testing.F) {
	c := newCipher(f, receiver, key(f, token, aesKey), key(f, token, otherKey))
	good, err := c.Seal([]byte("<xml/>"), nil)
	require.NoError(f, err)
	f.Add(good)
	f.Add("")
	f.Add(base64.StdEncoding.EncodeToString(make([]byte, 32)))
	f.Add(rawSeal(f, pad("0123456789abcdef\xff\xff\xff\xffhello"+receiver, 21)))
	for _, v := range vectors(f) {
		f.Add(v.Encrypt)
	}
	f.Fuzz(func(t *testing.T, encrypt string) {
		opened, err := c.Open(timestamp, nonce, msgcrypt.Signature(token, timestamp, nonce, encrypt), encrypt)
		if err != nil {
			var known *msgcrypt.Error
			require.ErrorAs(t, err, &known)
			return
		}
		_, err = c.SealReply(opened, opened.Plaintext, timestamp, nonce, msgcrypt.XML)
		require.NoError(t, err)
	})
}

func FuzzParseEnvelope(f *testing.F) {
	f.Add([]byte("<xml><AppId><![CDATA[wxC]]></AppId><Encrypt><![CDATA[abc]]></Encrypt></xml>"))
	f.Add([]byte(`{"ToUserName":"gh_1","Encrypt":"abc"}`))
	f.Add([]byte("<!DOCTYPE a><xml/>"))
	f.Add([]byte("<xml><xml>"))
	f.Fuzz(func(t *testing.T, body []byte) {
		env, has, err := msgcrypt.ParseEnvelope(body)
		if err != nil {
			require.ErrorIs(t, err, msgcrypt.ErrParse)
			require.Zero(t, env)
		}
		if env.Encrypt != "" {
			require.True(t, has)
		}
	})
}
