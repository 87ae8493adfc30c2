package localpg

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"
)

// fakeInstallation is a directory with programs that say they are of that version.
func fakeInstallation(t *testing.T, parent, name, version string) string {
	t.Helper()
	dir := filepath.Join(parent, name)
	require.NoError(t, os.MkdirAll(dir, 0o700))
	for _, program := range []string{"postgres", "initdb"} {
		script := "#!/bin/sh\necho '" + program + " (PostgreSQL) " + version + "'\n"
		require.NoError(t, os.WriteFile(filepath.Join(dir, program), []byte(script), 0o700)) //nolint:gosec // a program
	}
	return dir
}

func TestChoose(t *testing.T) {
	t.Parallel()
	parent := t.TempDir()
	old := fakeInstallation(t, parent, "9.6", "9.6.24")
	fourteen := fakeInstallation(t, parent, "14", "14.9 (Debian 14.9-1)")
	beta := fakeInstallation(t, parent, "19", "19beta1")
	clientOnly := filepath.Join(parent, "16")
	require.NoError(t, os.MkdirAll(clientOnly, 0o700))
	require.NoError(t, os.WriteFile(filepath.Join(clientOnly, "postgres"), []byte("#!/bin/sh\n"), 0o700)) //nolint:gosec // a program
	link := filepath.Join(parent, "links")
	require.NoError(t, os.MkdirAll(link, 0o700))
	require.NoError(t, os.Symlink(filepath.Join(fourteen, "postgres"), filepath.Join(link, "postgres")))
	globs := []string{filepath.Join(parent, "*")}

	for _, tc := range []struct {
		name  string
		path  string
		globs []string
		major int
		want  string
		err   string
	}{
		{name: "the newest is taken for a new cluster", globs: globs, want: beta},
		{name: "an existing cluster gets its own version", globs: globs, major: 14, want: fourteen},
		{name: "links in PATH are followed", path: link, want: fourteen},
		{name: "a version that is gone is named", globs: globs, major: 17, err: "was made by PostgreSQL 17, but installed is only 19, 14, 9: install PostgreSQL 17 again"},
		{name: "too old a version does for no new cluster", path: old, err: "version 14 or newer (found: 9)"},
		{name: "programs missing", path: clientOnly + ":" + parent, err: "PostgreSQL is not installed: run `"},
		{name: "no PATH at all", err: "apt-get install postgresql"},
		{name: "a relative entry of PATH is not trusted", path: ".:bin", err: "PostgreSQL is not installed"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			in, err := choose(installations(t.Context(), tc.path, tc.globs), tc.major, "/data/postgres/data")
			if tc.err != "" {
				require.ErrorContains(t, err, tc.err)
				require.NotContains(t, err.Error(), "\n")
				return
			}
			require.NoError(t, err)
			require.Equal(t, tc.want, in.dir)
		})
	}
}
