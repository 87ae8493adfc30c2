package register

import (
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
