package main

import (
	"errors"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/wxsteward/wxsteward/internal/postgres/postgrestest"
)

var errNoHistory = errors.New("the previous release is not in this clone: git fetch --unshallow")

// previous is the release before this one; without the history of the repository, as in a shallow clone, the test is skipped.
func previous(t *testing.T) (path string) {
	t.Helper()
	path, err := buildPrevious()
	if errors.Is(err, errNoHistory) {
		t.Skip(err)
	}
	require.NoError(t, err)
	return path
}

// buildPrevious builds the release before this one, from its tag, or from its commit where the tag has not been fetched.
var buildPrevious = sync.OnceValues(func() (string, error) { //nolint:gochecknoglobals // one build for all tests
	text, err := os.ReadFile(filepath.Join("testdata", "previous-release"))
	if err != nil {
		return "", err
	}
	names := strings.Fields(string(text))
	if len(names) != 2 {
		return "", errors.New("testdata/previous-release holds a tag and its commit")
	}
	commit := names[1]
	if exec.Command("git", "cat-file", "-e", commit+"^{commit}").Run() != nil { //nolint:gosec // from our own file
		return "", errNoHistory
	}
	if found, err := exec.Command("git", "rev-parse", "--verify", names[0]+"^{commit}").Output(); err == nil && strings.TrimSpace(string(found)) != commit { //nolint:gosec // from our own file
		return "", fmt.Errorf("the tag %s is not where testdata/previous-release says", names[0])
	}
	dir, err := os.MkdirTemp("", "wxsteward-previous")
	if err != nil {
		return "", err
	}
	path := filepath.Join(dir, "wxsteward")
	for _, step := range []struct {
		dir  string
		args []string
	}{
		{filepath.Join("..", ".."), []string{"git", "archive", "--format=tar", "-o", filepath.Join(dir, "source.tar"), commit}},
		{dir, []string{"mkdir", "source"}},
		{dir, []string{"tar", "-xf", "source.tar", "-C", "source"}},
		{filepath.Join(dir, "source"), []string{"go", "build", "-o", path, "./cmd/wxsteward"}},
		{dir, []string{"rm", "-r", "source", "source.tar"}},
	} {
		cmd := exec.Command(step.args[0], step.args[1:]...) //nolint:gosec // from our own file
		cmd.Dir = step.dir
		if out, err := cmd.CombinedOutput(); err != nil {
			return "", fmt.Errorf("%s: %w: %s", strings.Join(step.args, " "), err, out)
		}
	}
	return path, nil
})

// TestTwoVersionsMigrateAtOnce: the previous release and this one start together on an empty database, and both serve.
func TestTwoVersionsMigrateAtOnce(t *testing.T) {
	t.Parallel()
	old := previous(t)
	w := newWorld(t, nil)
	w.env["DATABASE_URL"] = postgrestest.EmptyURL(t)
	first := w.base
	w.spawnProgram(old, "serve")
	port := freePort(t)
	w.env["LISTEN_ADDR"], w.base = "127.0.0.1:"+port, "http://127.0.0.1:"+port
	w.spawn("serve")
	w.waitReady()
	newOperator(t, w.base).signIn()
	w.base = first
	w.waitReady()
	newOperator(t, w.base).signIn()
}

// TestUpgradeWithoutDowntime: the previous release serves, the new one starts beside it and migrates the database, both serve, the old
// one ends. Pushes are answered all the time, nobody is signed out, and what the old one began the new one ends.
func TestUpgradeWithoutDowntime(t *testing.T) {
	t.Parallel()
	old := previous(t)
	_, err := buildOnce() // not while pushes come
	require.NoError(t, err)
	merchants := appids(2)
	w := servingWorld(t)
	for _, appid := range merchants {
		w.addMerchant(appid, nil)
	}
	first := w.spawnProgram(old, "serve")
	w.waitReady()
	oldBase := w.base
	o := newOperator(t, oldBase)
	o.signIn()
	authorizeAll(t, w, o, append([]string{forwardMerchant}, merchants...))
	b := newTarget(t)
	o.addRulesFor(b.URL)
	var key struct{ Key string }
	o.call(http.MethodPost, "/api-keys", map[string]any{"name": "machine", "role": "operator"}, &key)
	template := addTemplate(o)
	o.call(http.MethodPost, "/rollouts", rolloutBody(template, merchants...), nil)
	for _, appid := range merchants {
		o.waitSubmission(appid, "auditing")
	}

	port := freePort(t)
	pushes := newPusher(t).load(oldBase, func(l *pushing) {
		l.more(t, 20)
		w.env["LISTEN_ADDR"], w.base = "127.0.0.1:"+port, "http://127.0.0.1:"+port
		w.spawn("serve")
		w.waitReady()
		l.more(t, 50)
	})
	require.Empty(t, pushes.odd)
	require.Zero(t, pushes.answers[http.StatusServiceUnavailable].Load()+pushes.answers[0].Load(), "the old one answers while the database is migrated")

	// Side by side: the session of the old one counts for the new one, and both do what there is to do.
	beside := &operator{t: t, base: w.base, client: o.client, csrf: o.csrf}
	for _, at := range []*operator{o, beside} {
		at.call(http.MethodGet, "/session", nil, nil)
		at.call(http.MethodGet, "/users", nil, nil)
		at.call(http.MethodGet, "/audit-log", nil, nil)
		at.call(http.MethodGet, "/api-keys", nil, nil)
		at.call(http.MethodGet, "/rollouts", nil, nil)
		at.call(http.MethodGet, "/messages", nil, nil)
		at.call(http.MethodPost, "/authorization-links", map[string]any{"biz_id": "b", "kind": "any"}, nil)
		at.call(http.MethodPost, "/api-keys", map[string]any{"name": "another", "role": "viewer"}, nil)
		at.call(http.MethodPost, "/users", map[string]string{"username": "user" + at.base[len(at.base)-5:], "password": testPassword, "role": "viewer"}, nil)
		at.call(http.MethodGet, "/authorizers/"+merchants[0]+"/access-token", nil, nil)
		fresh := newOperator(t, at.base)
		fresh.signIn()
	}
	require.NoError(t, w.fake.Approve(merchants[0]))
	beside.waitSubmission(merchants[0], "released")

	require.NoError(t, first.cmd.Process.Signal(syscall.SIGTERM))
	require.NoError(t, <-first.done)
	require.NoError(t, w.fake.Approve(merchants[1]))
	// Its event is pushed to the address of the old one, which is gone; the audit is asked for.
	beside.waitSubmission(merchants[1], "released")
	for _, appid := range merchants {
		for path, want := range map[string]int{"/wxa/commit": 1, "/wxa/submit_audit": 1, "/wxa/release": 1} {
			require.Equal(t, want, w.fake.Effective(path, appid), path)
		}
	}
	requireKept(t, w, b, pushes)
	for line := range strings.Lines(w.output.String()) {
		// The release before says of what it was doing when it was stopped that it failed.
		if !strings.Contains(line, "context canceled") {
			require.NotContains(t, line, `"level":"ERROR"`)
		}
	}
	require.NotContains(t, w.output.String(), "handler panicked")
}
