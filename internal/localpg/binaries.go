package localpg

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"runtime"
	"slices"
	"strconv"
	"strings"
)

const oldestMajor = 14

var errNoBinaries = errors.New("PostgreSQL is not installed")

// installation is one directory with PostgreSQL's programs.
type installation struct {
	dir   string
	major int
}

// wellKnownDirs are where packages put the programs without adding them to PATH.
func wellKnownDirs() []string {
	return []string{
		"/usr/lib/postgresql/*/bin",                          // Debian, Ubuntu
		"/usr/libexec/postgresql*",                           // Alpine
		"/usr/pgsql-*/bin",                                   // Red Hat
		"/opt/homebrew/opt/postgresql*/bin",                  // macOS, Homebrew
		"/usr/local/opt/postgresql*/bin",                     // macOS on Intel, Homebrew
		"/Applications/Postgres.app/Contents/Versions/*/bin", // macOS, Postgres.app
		"/home/linuxbrew/.linuxbrew/opt/postgresql*/bin",     // Linux, Homebrew
		"/usr/local/pgsql/bin",                               // built from source
	}
}

// installations lists what is on this machine, newest first; of equal ones the first found, PATH before the rest.
func installations(ctx context.Context, path string, globs []string) []installation {
	dirs := filepath.SplitList(path)
	for _, glob := range globs {
		found, _ := filepath.Glob(glob) // the patterns are fixed and correct
		dirs = append(dirs, found...)
	}
	var list []installation
	seen := map[string]bool{}
	for _, dir := range dirs {
		if target, err := filepath.EvalSymlinks(filepath.Join(dir, "postgres")); err == nil {
			dir = filepath.Dir(target)
		}
		if !filepath.IsAbs(dir) || seen[dir] || !executable(filepath.Join(dir, "postgres")) || !executable(filepath.Join(dir, "initdb")) {
			continue
		}
		seen[dir] = true
		if major := majorVersion(ctx, filepath.Join(dir, "postgres")); major != 0 {
			list = append(list, installation{dir, major})
		}
	}
	slices.SortStableFunc(list, func(a, b installation) int { return b.major - a.major })
	return list
}

// choose picks the installation for a cluster of version major; 0 means that there is no cluster yet.
func choose(list []installation, major int, dir string) (installation, error) {
	var versions []string
	for _, in := range list {
		if in.major == major || (major == 0 && in.major >= oldestMajor) {
			return in, nil
		}
		versions = append(versions, strconv.Itoa(in.major))
	}
	switch {
	case len(list) == 0:
		return installation{}, fmt.Errorf("%w: %s; or set DATABASE_URL to a server of your own", errNoBinaries, howToInstall())
	case major == 0:
		return installation{}, fmt.Errorf("%w in version %d or newer (found: %s): %s; or set DATABASE_URL to a server of your own",
			errNoBinaries, oldestMajor, strings.Join(versions, ", "), howToInstall())
	default:
		return installation{}, fmt.Errorf("the database in %s was made by PostgreSQL %d, but installed is only %s: install PostgreSQL %d again, "+
			"or move the data to the new version with pg_upgrade, or set DATA_DIR to an empty directory to start anew",
			dir, major, strings.Join(versions, ", "), major)
	}
}

func howToInstall() string {
	if runtime.GOOS == "darwin" {
		return "run `brew install postgresql@17`"
	}
	return "run `apt-get install postgresql` (Debian, Ubuntu) or `apk add postgresql` (Alpine) or `dnf install postgresql-server` (Fedora)"
}

func executable(path string) bool {
	info, err := os.Stat(path) //nolint:gosec // PATH is what it is
	return err == nil && info.Mode().IsRegular() && info.Mode()&0o111 != 0
}

var versionText = regexp.MustCompile(`\(PostgreSQL\) (\d+)`)

// majorVersion is 0 when the program does not say.
func majorVersion(ctx context.Context, program string) int {
	out, err := exec.CommandContext(ctx, program, "--version").Output() //nolint:gosec // found in PATH or a known place
	if m := versionText.FindSubmatch(out); err == nil && m != nil {
		major, _ := strconv.Atoi(string(m[1]))
		return major
	}
	return 0
}
