package main

import (
	"bytes"
	"crypto/aes"
	"crypto/cipher"
	"encoding/base64"
	"encoding/binary"
	"fmt"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5"
	"github.com/stretchr/testify/require"

	"github.com/wxsteward/wxsteward/internal/wechat/msgcrypt"
	"github.com/wxsteward/wxsteward/internal/wechat/wechattest"
)

// otherAESKey is nobody's.
const otherAESKey = "GFEDCBA9876543210zyxwvutsrqponmlkjihgfedcba"

// layout is what lies in the ciphertext of a push, to be made wrong.
type layout struct {
	aesKey   string
	message  string
	length   int // as it is told
	receiver string
	pad      []byte // nil: as it should be
}

func right(message string) layout {
	return layout{aesKey: wechattest.EncodingAESKey, message: message, length: len(message), receiver: wechattest.ComponentAppID}
}

func (l layout) raw(t *testing.T) []byte {
	t.Helper()
	key, err := base64.StdEncoding.DecodeString(l.aesKey + "=")
	require.NoError(t, err)
	const blockOfPadding = 32
	plain := binary.BigEndian.AppendUint32([]byte("0123456789abcdef"), uint32(l.length)) //nolint:gosec // small
	plain = append(plain, l.message+l.receiver...)
	pad := l.pad
	if pad == nil {
		n := blockOfPadding - len(plain)%blockOfPadding
		pad = bytes.Repeat([]byte{byte(n)}, n)
	} else if fill := (len(plain) + len(pad)) % aes.BlockSize; fill != 0 {
		plain = append(plain, bytes.Repeat([]byte{' '}, aes.BlockSize-fill)...)
	}
	plain = append(plain, pad...)
	block, err := aes.NewCipher(key)
	require.NoError(t, err)
	cipher.NewCBCEncrypter(block, key[:aes.BlockSize]).CryptBlocks(plain, plain)
	return plain
}

func (l layout) encrypt(t *testing.T) string {
	t.Helper()
	return base64.StdEncoding.EncodeToString(l.raw(t))
}

// content is the state of every table that a push may touch: how many rows, and a sum over all that is in them.
func content(t *testing.T, conn *pgx.Conn) map[string]string {
	t.Helper()
	rows, err := conn.Query(t.Context(), `SELECT relname FROM pg_class WHERE relnamespace = 'public'::regnamespace AND relkind = 'r' ORDER BY 1`)
	require.NoError(t, err)
	tables, err := pgx.CollectRows(rows, pgx.RowTo[string])
	require.NoError(t, err)
	require.Greater(t, len(tables), 20)
	all := map[string]string{}
	for _, table := range tables {
		where := ""
		switch table {
		case "river_job":
			where = " WHERE kind = 'component_message'" // others come by schedule
		case "river_leader", "river_queue", "river_client", "river_client_queue":
			continue // beats of the queue's heart
		case "message_rate":
			continue // written some time after what it counts
		}
		var n int
		var sum string
		require.NoError(t, conn.QueryRow(t.Context(), `SELECT count(*), md5(coalesce(string_agg(t::text, chr(10) ORDER BY t::text), '')) FROM `+
			pgx.Identifier{table}.Sanitize()+` t`+where).Scan(&n, &sum))
		if n > 0 { // room for the messages of days to come is made by schedule
			all[table] = fmt.Sprintf("%d rows, %s", n, sum)
		}
	}
	return all
}

// forgery is a push that must be refused.
type forgery struct {
	name string
	want int
	make func() *http.Request
}

// TestForgedPushesChangeNothing tries every way to pass a push off as WeChat's or a forwarder's, on both addresses and in both
// modes: the answer is the right refusal, and no table has changed.
func TestForgedPushesChangeNothing(t *testing.T) {
	t.Parallel()
	for _, mode := range []string{"server", "cloudrun"} {
		t.Run(mode, func(t *testing.T) {
			t.Parallel()
			w := servingWorld(t)
			w.env["WX_MODE"], w.env["WX_COMPONENT_TRANSPORT"] = mode, "token"
			w.env["FORWARDER_CIDRS"] = "10.0.0.0/8,192.0.2.7/32"
			w.env["TRUSTED_PROXIES"] = "127.0.0.0/8,::1/128" // whose word counts for other things
			w.start()
			o := newOperator(t, w.base)
			o.signIn()
			authorizeAll(t, w, o, []string{forwardMerchant})
			b := newTarget(t)
			o.addRulesFor(b.URL)
			p := newPusher(t)

			// Authentic messages, of which copies are sent below.
			_, text, _ := numbered(0)
			path, gone, _ := numbered(4)
			genuine := []*http.Request{p.encrypted(w.base+bizAddress, text), p.encrypted(w.base+path, gone)}
			for _, r := range genuine {
				p.accept(r)
			}
			conn := w.database("")
			eventually(t, "all is quiet", func() (bool, string) {
				n := numberOf(t, conn, `SELECT (SELECT count(*) FROM river_job WHERE kind = 'component_message' AND state <> 'completed')
					+ (SELECT count(*) FROM message WHERE state <> 'handled') + (SELECT count(*) FROM delivery WHERE state <> 'delivered')`)
				return n == 0, strconv.Itoa(n)
			})
			before := content(t, conn)
			check := func(name string) {
				t.Helper()
				require.Equal(t, before, content(t, conn), "%s has changed a table", name)
			}
			for _, f := range forgeries(t, p, w.base, mode) {
				a := p.send(f.make())
				require.Equal(t, f.want, a.status, "%s: %s", f.name, a.body)
				require.NotContains(t, a.body, "success", f.name)
				check(f.name)
			}
			for _, r := range genuine {
				again := r.Clone(t.Context())
				again.Body, _ = r.GetBody()
				p.accept(again)
				check("a repeated request")
			}
			p.accept(p.encrypted(w.base+bizAddress, text))
			check("a copy in a new envelope")
			// A genuine one is the only thing that follows.
			_, text, _ = numbered(5)
			p.accept(p.encrypted(w.base+bizAddress, text))
			eventually(t, "it is delivered", func() (bool, string) { return len(takenMarks(b.taken())[mark(5)]) == 1, strconv.Itoa(len(b.taken())) })
			require.Len(t, b.taken(), len(genuine)+1)
		})
	}
}

func forgeries(t *testing.T, p *pusher, base, mode string) (all []forgery) {
	t.Helper()
	add := func(name string, want int, request func() *http.Request) {
		all = append(all, forgery{name, want, request})
	}
	withdrawal := "<xml><AppId><![CDATA[" + wechattest.ComponentAppID + "]]></AppId><CreateTime>1700000001</CreateTime>" +
		"<InfoType><![CDATA[unauthorized]]></InfoType><AuthorizerAppid><![CDATA[" + forwardMerchant + "]]></AuthorizerAppid></xml>"
	asJSON := `{"AppId":"` + wechattest.ComponentAppID + `","CreateTime":1700000001,"InfoType":"unauthorized","AuthorizerAppid":"` + forwardMerchant + `"}`
	for _, path := range []string{"/wxcallback/component", bizAddress} {
		address := base + path
		query := func(name, value string) func() *http.Request {
			return func() *http.Request {
				r := p.encrypted(address, withdrawal)
				q := r.URL.Query()
				q.Set(name, value)
				r.URL.RawQuery = q.Encode()
				return r
			}
		}
		sealed := func(change func(*layout)) func() *http.Request {
			return func() *http.Request {
				l := right(withdrawal)
				change(&l)
				return p.sealed(address, l.encrypt(t), false)
			}
		}
		for notation, message := range map[string]string{"XML": withdrawal, "JSON": asJSON} {
			add("encrypted "+notation+" signed with another token", 401, func() *http.Request {
				r := p.encrypted(address, message)
				q := r.URL.Query()
				envelope, _, err := msgcrypt.ParseEnvelope(bodyBytes(t, r))
				require.NoError(t, err)
				q.Set("msg_signature", msgcrypt.Signature("guessed", q.Get("timestamp"), q.Get("nonce"), envelope.Encrypt))
				r.URL.RawQuery = q.Encode()
				return r
			})
			add("encrypted "+notation+" without a signature", 401, func() *http.Request {
				r := p.encrypted(address, message)
				r.URL.RawQuery = ""
				return r
			})
			add("encrypted "+notation+" with another key", 401, func() *http.Request {
				l := right(message)
				l.aesKey = otherAESKey
				return p.sealed(address, l.encrypt(t), strings.HasPrefix(message, "{"))
			})
			add("plain "+notation, 401, func() *http.Request { return p.request(address, message) })
			add("plain "+notation+" with the signature of an empty push", 401, func() *http.Request {
				r := p.sealed(address, "", false)
				return p.request(r.URL.String(), message)
			})
			for name, change := range map[string]func(r *http.Request){
				"a wrong bearer token":       func(r *http.Request) { r.Header.Set("Authorization", "Bearer "+forwarderToken+"x") },
				"a cut token":                func(r *http.Request) { r.Header.Set("Authorization", "Bearer "+forwarderToken[:5]) },
				"an empty token":             func(r *http.Request) { r.Header.Set("Authorization", "Bearer ") },
				"the token as basic":         func(r *http.Request) { r.SetBasicAuth("x", forwarderToken) },
				"a wrong key":                func(r *http.Request) { r.URL.RawQuery = "key=wrong" },
				"an empty key":               func(r *http.Request) { r.URL.RawQuery = "key=" },
				"the address of a forwarder": func(r *http.Request) { r.Header.Set("X-Forwarded-For", "10.0.0.1") },
				"more of its addresses":      func(r *http.Request) { r.Header["X-Forwarded-For"] = []string{"192.0.2.7", "10.0.0.1, 192.0.2.7"} },
				"its address in other headers": func(r *http.Request) {
					r.Header.Set("X-Real-Ip", "10.0.0.1")
					r.Header.Set("Forwarded", "for=10.0.0.1")
				},
			} {
				add("plain "+notation+" with "+name, 401, func() *http.Request {
					r := p.request(address, message)
					change(r)
					return r
				})
			}
			if mode == "server" {
				for _, header := range []string{"x-wx-source", "x-wx-sources"} {
					add("plain "+notation+" with "+header+" in server mode", 401, func() *http.Request {
						r := p.request(address, message)
						r.Header.Set(header, "wx_push")
						return r
					})
				}
			}
		}
		add("another timestamp", 401, query("timestamp", "1"))
		add("another nonce", 401, query("nonce", "4712"))
		add("the short signature", 401, query("msg_signature", msgcrypt.Signature(wechattest.Token, "1", "4711")))
		add("for another receiver", 401, sealed(func(l *layout) { l.receiver = "wxsomebodyelse0001" }))
		add("for the merchant", 401, sealed(func(l *layout) { l.receiver = forwardMerchant }))
		add("for nobody", 401, sealed(func(l *layout) { l.receiver = "" }))
		add("a length behind the end", 401, sealed(func(l *layout) { l.length = 1 << 20 }))
		add("a negative length", 401, sealed(func(l *layout) { l.length = -1 }))
		add("a length that cuts the message", 401, sealed(func(l *layout) { l.length -= 5 }))
		add("padding of zero", 401, sealed(func(l *layout) { l.pad = []byte{0} }))
		add("padding of 33", 401, sealed(func(l *layout) { l.pad = bytes.Repeat([]byte{33}, 33) }))
		add("truncated padding", 401, sealed(func(l *layout) { l.pad = bytes.Repeat([]byte{31}, 7) }))
		add("a cut block", 401, func() *http.Request {
			raw := right(withdrawal).raw(t)
			return p.sealed(address, base64.StdEncoding.EncodeToString(raw[:len(raw)-5]), false)
		})
		add("without the last block", 401, func() *http.Request {
			raw := right(withdrawal).raw(t)
			return p.sealed(address, base64.StdEncoding.EncodeToString(raw[:len(raw)-32]), false)
		})
		add("tampered ciphertext", 401, func() *http.Request {
			r := p.encrypted(address, withdrawal)
			body := bodyBytes(t, r)
			body[len(body)/2] ^= 1
			again := p.request(r.URL.String(), string(body))
			return again
		})
		add("tampered ciphertext, signed anew with a guess", 401, func() *http.Request {
			raw := right(withdrawal).raw(t)
			raw[len(raw)-1] ^= 0xff
			return p.sealed(address, base64.StdEncoding.EncodeToString(raw), false)
		})
		add("no base64", 401, func() *http.Request { return p.sealed(address, "%%%%", false) })
		add("an empty ciphertext", 401, func() *http.Request { return p.sealed(address, "", false) })
		add("two ciphertexts", 401, func() *http.Request {
			good := p.encrypted(address, withdrawal)
			return p.request(good.URL.String(), strings.Replace(string(bodyBytes(t, good)), "</xml>", "<Encrypt>AAAA</Encrypt></xml>", 1))
		})
		add("ciphertext beside plain elements from a forwarder", 401, func() *http.Request {
			return p.plain(address, strings.Replace(withdrawal, "</xml>", "<Encrypt>AAAA</Encrypt></xml>", 1))
		})
		add("ciphertext beside plain members from a forwarder", 401, func() *http.Request {
			return p.plain(address, strings.Replace(asJSON, "}", `,"\u0045ncrypt":""}`, 1))
		})
		for _, probe := range []string{`{"action":"CheckContainerPath"}`, `<xml><action>CheckContainerPath</action></xml>`} {
			if mode == "server" {
				add("the probe of a container from a stranger", 401, func() *http.Request { return p.request(address, probe) })
				add("the probe of a container with x-wx-source", 401, func() *http.Request {
					r := p.request(address, probe)
					r.Header.Set("x-wx-source", "x")
					return r
				})
			}
		}
		add("an empty body", 401, func() *http.Request { return p.request(address, "") })
		add("nonsense", 401, func() *http.Request { return p.request(address, "hello") })
		add("authentic nonsense", 400, func() *http.Request { return p.encrypted(address, "hello") })
		add("authentic XML that is cut short", 400, func() *http.Request { return p.encrypted(address, withdrawal[:len(withdrawal)-4]) })
		add("authentic XML with a document type", 400, func() *http.Request {
			return p.encrypted(address, `<!DOCTYPE x [<!ENTITY e SYSTEM "file:///etc/passwd">]>`+withdrawal)
		})
		add("authentic JSON of no message", 400, func() *http.Request { return p.encrypted(address, `{"hello":1}`) })
		add("a forwarder's nonsense", 400, func() *http.Request { return p.plain(address, "hello") })
		add("one byte too much", 413, func() *http.Request { return p.request(address, strings.Repeat("x", 1<<20+1)) })
		add("one byte too much, from a forwarder", 413, func() *http.Request {
			return p.plain(address, bodyOf(strings.Replace(asJSON, "}", `,"Note":"FILL"}`, 1), 1<<20+1))
		})
		for name, change := range map[string]func(url.Values){
			"another token":   func(q url.Values) { q.Set("signature", msgcrypt.Signature("guessed", "1", "2")) },
			"no signature":    func(q url.Values) { q.Del("signature") },
			"another nonce":   func(q url.Values) { q.Set("nonce", "3") },
			"a cut signature": func(q url.Values) { q.Set("signature", q.Get("signature")[:39]) },
		} {
			add("echostr with "+name, 401, func() *http.Request {
				q := url.Values{"timestamp": {"1"}, "nonce": {"2"}, "signature": {msgcrypt.Signature(wechattest.Token, "1", "2")}, "echostr": {"success"}}
				change(q)
				r := p.request(address+"?"+q.Encode(), "")
				r.Method = http.MethodGet
				return r
			})
		}
	}
	return all
}

func bodyBytes(t *testing.T, r *http.Request) []byte {
	t.Helper()
	reader, err := r.GetBody()
	require.NoError(t, err)
	var b bytes.Buffer
	_, err = b.ReadFrom(reader)
	require.NoError(t, err)
	return b.Bytes()
}
