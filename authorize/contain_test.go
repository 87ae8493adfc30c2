package authorize

import (
	"testing"

	"github.com/stretchr/testify/require"
)

func TestPanicOfOneMerchantIsItsFailure(t *testing.T) {
	t.Parallel()
	var r syncResult
	require.NotPanics(t, func() {
		r = containSync(syncItem{AppID: "wx1"}, func() syncResult { panic("a merchant like no other") })
	})
	require.Equal(t, "wx1", r.item.AppID)
	require.ErrorContains(t, r.err, "panic: a merchant like no other")
}
