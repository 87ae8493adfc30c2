package codesubmit

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/wxsteward/wxsteward/internal/wechat"
)

func TestMinuteQuotaIsWaitedFor(t *testing.T) {
	t.Parallel()
	for _, write := range []bool{true, false} {
		require.Equal(t, later, judge(&wechat.APIError{Code: 45011}, write))
	}
}
