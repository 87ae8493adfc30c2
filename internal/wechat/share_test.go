package wechat

import (
	"testing"

	"github.com/stretchr/testify/require"
	"golang.org/x/time/rate"
)

func TestProcessesShareTheRate(t *testing.T) {
	t.Parallel()
	c := New(Config{AppID: "wx1", Rate: 50})
	c.Share(4)
	require.Equal(t, rate.Limit(12.5), c.limiter.Limit())
	require.Equal(t, 12, c.limiter.Burst())
	c.Share(200)
	require.Equal(t, 1, c.limiter.Burst(), "calls still go out")
	c.Share(1)
	require.Equal(t, rate.Limit(50), c.limiter.Limit())
	require.Equal(t, 50, c.limiter.Burst())
	c.Share(0)
	require.Equal(t, rate.Limit(50), c.limiter.Limit(), "nobody counts as one")
}
