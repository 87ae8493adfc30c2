package codesubmit

import (
	"net/http"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

func TestSubmissionsAreFoundByNameAndAppID(t *testing.T) {
	t.Parallel()
	const other = "wx00000000000000b2"
	e := newShops(t, shop, other)
	id := e.roll("2.3.0", map[string]any{"start_at": time.Now().Add(time.Hour)}, shop, other)
	found := func(q string) []string {
		status, out := e.API(http.MethodGet, "/submissions?limit=1&rollout_id="+id+"&q="+q, nil)
		require.Equal(t, http.StatusOK, status, out)
		items, _ := out["items"].([]any)
		appids := []string{}
		for _, item := range items {
			appid, _ := item.(map[string]any)["appid"].(string)
			appids = append(appids, appid)
		}
		require.InDelta(t, len(appids), out["total"], 0, "the total counts what is found")
		return appids
	}
	require.Equal(t, []string{other}, found("00B2"), "part of the appid")
	require.Equal(t, []string{shop}, found("shop+"+shop), "the name, whatever its case")
	require.Empty(t, found("%25"), "no pattern")
}
