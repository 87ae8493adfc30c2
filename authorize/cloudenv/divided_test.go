package cloudenv

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/wxsteward/wxsteward/internal/wechat"
)

func TestDivided(t *testing.T) {
	t.Parallel()
	of := func(a, b int) []wechat.CloudVersion {
		return []wechat.CloudVersion{{Name: "a", Percent: a}, {Name: "b", Percent: b}}
	}
	require.True(t, divided(of(90, 10), map[string]int{"a": 90, "b": 10}))
	require.True(t, divided(of(100, 0), map[string]int{"a": 100}), "those left out get none")
	require.False(t, divided(of(100, 0), map[string]int{"a": 90, "b": 10}))
	require.False(t, divided(of(90, 0), map[string]int{"a": 90, "c": 10}), "a version that is not there")
	require.False(t, divided(nil, map[string]int{"a": 100}), "a list that shows nothing shows no success")
}
