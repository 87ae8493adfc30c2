package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/wxsteward/wxsteward/internal/wechat"
)

// TestCloudRunPagesListThePaths holds the lists to paste into WeChat's console to what is called.
func TestCloudRunPagesListThePaths(t *testing.T) {
	t.Parallel()
	for _, file := range []string{"cloud-run.md", "cloud-run.zh-CN.md"} {
		text, err := os.ReadFile(filepath.Join("..", "..", "docs", file)) //nolint:gosec // the document itself
		require.NoError(t, err)
		_, after, found := strings.Cut(string(text), "<!-- paths -->")
		require.True(t, found, file)
		_, after, _ = strings.Cut(after, "```text")
		list, _, _ := strings.Cut(after, "```")
		require.Equal(t, wechat.PlatformPaths(), strings.Fields(list), file)
	}
}
