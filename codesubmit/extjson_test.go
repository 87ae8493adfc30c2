package codesubmit

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/wxsteward/wxsteward/authorize"
	"github.com/wxsteward/wxsteward/internal/wechat"
)

func TestRenderExtJSON(t *testing.T) {
	t.Parallel()
	shop := authorize.Target{AppID: "wx1", NickName: `Tom "T" {{appid}}`, BizIDs: []string{"b-1", "b-2"}, Labels: []string{"vip"}}
	for name, test := range map[string]struct{ spec, own, want, wantErr string }{
		"an empty object stays empty":                          {spec: `{}`, want: `{}`},
		"placeholders work inside longer strings":              {spec: `{"ext":{"u":"https://a.com/{{biz_id}}/{{ label }}"}}`, want: `{"ext":{"u":"https://a.com/b-1/vip"}}`},
		"values are escaped and not expanded again":            {spec: `{"ext":{"n":"{{nick_name}}"}}`, want: `{"ext":{"n":"Tom \"T\" {{appid}}"}}`},
		"numbers, booleans and null keep their type":           {spec: `{"ext":{"a":12345678901234567,"b":true,"c":null,"d":1.50}}`, want: `{"ext":{"a":12345678901234567,"b":true,"c":null,"d":1.50}}`},
		"the merchant's own ext is laid over, deep":            {spec: `{"ext":{"a":{"x":1,"y":2},"b":[1]}}`, own: `{"a":{"y":3},"b":[2],"c":"{{appid}}"}`, want: `{"ext":{"a":{"x":1,"y":3},"b":[2],"c":"{{appid}}"}}`},
		"the merchant's own ext makes ext where there is none": {spec: `{"extAppid":"{{appid}}"}`, own: `{"k":1}`, want: `{"ext":{"k":1},"extAppid":"wx1"}`},
		"angle brackets and Chinese are not escaped":           {spec: `{"ext":{"t":"<商家>&"}}`, want: `{"ext":{"t":"<商家>&"}}`},
		"an unknown placeholder is named":                      {spec: `{"ext":{"t":"{{shop}}"}}`, wantErr: "{{shop}}"},
		"an open placeholder is refused":                       {spec: `{"ext":{"t":"{{appid"}}`, wantErr: "not closed"},
		"an array is refused":                                  {spec: `[1]`, wantErr: "object"},
		"something after the object is refused":                {spec: `{} {}`, wantErr: "follows"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			m := shop
			m.Ext = json.RawMessage(test.own)
			err := checkExtJSON(json.RawMessage(test.spec))
			got := ""
			if err == nil {
				got, err = renderExtJSON(json.RawMessage(test.spec), m)
			}
			if test.wantErr != "" {
				require.ErrorContains(t, err, test.wantErr)
				return
			}
			require.NoError(t, err)
			require.Equal(t, test.want, got)
		})
	}
}

func TestRenderExtJSONNeedsTheMerchantsData(t *testing.T) {
	t.Parallel()
	_, err := renderExtJSON(json.RawMessage(`{"ext":{"id":"{{biz_id}}"}}`), authorize.Target{AppID: "wx1"})
	require.ErrorContains(t, err, "no business id")
}

func FuzzRenderExtJSON(f *testing.F) {
	f.Add(`{"ext":{"a":"{{appid}}"}}`, `{"b":1}`)
	f.Add(`{"ext":{"a":"{{{{appid}}}}"}}`, `{}`)
	f.Fuzz(func(t *testing.T, spec, own string) {
		out, err := renderExtJSON(json.RawMessage(spec), authorize.Target{AppID: "wx1", Ext: json.RawMessage(own)})
		if err == nil && (!json.Valid([]byte(out)) || !strings.HasPrefix(out, "{")) {
			t.Fatalf("rendered %q", out)
		}
	})
}

func TestPrivacyOwnerKeepsTheMerchantsOwnWords(t *testing.T) {
	t.Parallel()
	now := wechat.OwnerSetting{ContactPhone: "13800000000", NoticeMethod: "公告", StoreExpireTimestamp: "30天"}
	got := mergeOwner(now, OwnerSetting{ContactEmail: "ops@a.com", NoticeMethod: "弹窗"})
	require.Equal(t, wechat.OwnerSetting{
		ContactEmail: "ops@a.com", ContactPhone: "13800000000", NoticeMethod: "弹窗", StoreExpireTimestamp: "30天",
	}, got)
	require.True(t, sameOwner(got, OwnerSetting{ContactEmail: "ops@a.com"}))
	require.False(t, sameOwner(now, OwnerSetting{ContactEmail: "ops@a.com"}))
}
