package main

import (
	"bytes"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestReadmeNamesEverySetting(t *testing.T) {
	t.Parallel()
	var names []string
	_, err := loadConfig(func(name string) string {
		names = append(names, name)
		return ""
	})
	require.NoError(t, err)
	require.Contains(t, names, "WX_APPID")
	for _, file := range []string{"README.md", "README.zh-CN.md"} {
		text, err := os.ReadFile(filepath.Join("..", "..", file)) //nolint:gosec // the document itself
		require.NoError(t, err)
		for _, name := range append(names, "BUSINESS_CMD") {
			require.Contains(t, string(text), "`"+name+"`", file)
		}
	}
}

// TestOpenAPIIsCurrent holds the description that the pages' types are made from to what the program serves.
func TestOpenAPIIsCurrent(t *testing.T) {
	t.Parallel()
	var want bytes.Buffer
	require.NoError(t, writeOpenAPI(&want))
	got, err := os.ReadFile("../../webui/openapi.json")
	require.NoError(t, err)
	require.True(t, bytes.Equal(want.Bytes(), got), "webui/openapi.json is out of date: run make openapi")
}
