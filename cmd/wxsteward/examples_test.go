package main

import (
	"context"
	"net/http"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/wxsteward/wxsteward/internal/wechat/wechatfake"
)

// TestPipelineTakesADraftToMerchants runs the script of examples/ci as a build pipeline does: an upload lies in the draft box,
// one merchant is released and one rejected, and the script says so; run again it starts nothing anew.
func TestPipelineTakesADraftToMerchants(t *testing.T) {
	t.Parallel()
	merchants := appids(2)
	w, o, _ := readyWorld(t, merchants...)
	_, err := w.fake.AddDraft(wechatfake.Draft{
		UserVersion: "2.4.0", UserDesc: "winter", SourceAppID: "wxdev00000000000001", SourceName: "dev",
		Package: wechatfake.Package{Pages: []string{"pages/index/index"}},
	})
	require.NoError(t, err)
	var key struct{ Key string }
	o.call(http.MethodPost, "/api-keys", map[string]any{"name": "pipeline", "role": "operator"}, &key)
	script, err := filepath.Abs("../../examples/ci/rollout.mjs")
	require.NoError(t, err)
	run := func(args ...string) (string, int) {
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		cmd := exec.CommandContext(ctx, "node", append([]string{script, "--pace", "0.2"}, args...)...) //nolint:gosec // the example
		cmd.Env = append(cmd.Environ(), "WXSTEWARD_URL="+w.base, "WXSTEWARD_KEY="+key.Key)
		out, err := cmd.CombinedOutput()
		if cmd.ProcessState == nil {
			require.NoError(t, err)
		}
		require.NotContains(t, string(out), key.Key)
		return string(out), cmd.ProcessState.ExitCode()
	}
	args := []string{"--version", "2.4.0", "--appids", strings.Join(merchants, ","), "--once", "run-1"}
	out, code := run(append(args, "--wait", "auditing")...)
	require.Zero(t, code, out)
	require.NoError(t, w.fake.Approve(merchants[0]))
	require.NoError(t, w.fake.Reject(merchants[1], "1:类目不符", 0))
	out, code = run(args...)
	require.Equal(t, 1, code, out)
	require.Contains(t, out, merchants[1])
	require.Contains(t, out, "类目不符")
	require.Contains(t, out, "1 of 2 released")
	var list struct{ Items []struct{ ID string } }
	o.call(http.MethodGet, "/rollouts", nil, &list)
	require.Len(t, list.Items, 1)
	out, code = run("--version", "9.9.9", "--all")
	require.Equal(t, 3, code, out)
	require.Contains(t, out, "Neither a draft nor a template of version 9.9.9")
}
