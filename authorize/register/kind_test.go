package register

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/wxsteward/wxsteward/internal/wechat"
)

func TestPathsOfRegistrationsAreInTheWhitelist(t *testing.T) {
	t.Parallel()
	for name, k := range kinds() {
		if k.page != "" {
			continue // package wechat spells its call
		}
		list := wechat.PlatformPaths()
		if k.converts {
			list = wechat.MerchantPaths()
		}
		require.Contains(t, list, "/"+k.spelling.Path, name)
	}
}

// A trial's name has 4 to 30 letters, and a Chinese character counts as two.
func TestNamesOfTrials(t *testing.T) {
	t.Parallel()
	for name, good := range map[string]bool{
		"ab": false, "abc": false, "abcd": true, "ab商": true, "店": false, "商店": true,
		strings.Repeat("a", 30): true, strings.Repeat("a", 31): false,
		strings.Repeat("商", 15): true, strings.Repeat("商", 15) + "a": false, strings.Repeat("商", 16): false,
	} {
		_, err := checkFields(kinds()[kindTrial], map[string]string{"name": name, "openid": "oZhangsan"})
		require.Equal(t, good, err == nil, "%s: %v", name, err)
	}
	_, err := checkFields(kinds()[kindEnterprise], map[string]string{"name": strings.Repeat("商", 40), "code": "91110000MA01ABCD2X", "component_phone": "13800000000"})
	require.NoError(t, err, "a company's name may be longer")
}
