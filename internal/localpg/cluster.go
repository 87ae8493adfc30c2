package localpg

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"syscall"
)

// cluster is the database's files and what is needed to run a server on them.
type cluster struct {
	dataDir string // absolute
	dir     string // absolute, the cluster itself
	bin     string // directory of the programs
	as      account
	// byHandle means that the account cannot get to dir by its path, because a directory above is closed to it
	// (root's home, typically). The server is then given the open directory instead.
	byHandle bool
}

// account is whom the server runs as. cred is nil when that is ourselves.
type account struct {
	uid, gid int
	cred     *syscall.Credential
}

func prepareDataDir(dir string) (string, error) {
	if dir == "" {
		return "", errors.New("DATA_DIR is empty: set it to a directory for the database, e.g. DATA_DIR=./data")
	}
	dataDir, err := filepath.Abs(dir)
	if err != nil {
		return "", fmt.Errorf("DATA_DIR=%s is not usable: %w", dir, err)
	}
	if err := os.MkdirAll(dataDir, 0o700); err != nil {
		return "", notWritable(dataDir, err)
	}
	// Links are resolved once, so that a link that changes later does not lead a restart elsewhere.
	if dataDir, err = filepath.EvalSymlinks(dataDir); err != nil {
		return "", notWritable(dir, err)
	}
	return dataDir, nil
}

func notWritable(dataDir string, err error) error {
	name := strconv.Itoa(os.Geteuid())
	if u, lookupErr := user.Current(); lookupErr == nil {
		name = u.Username
	}
	if pathErr, ok := errors.AsType[*fs.PathError](err); ok {
		err = pathErr.Err
	}
	return fmt.Errorf("DATA_DIR=%s cannot be used by user %s: %w; make it writable or choose another, e.g. DATA_DIR=/var/lib/wxsteward", dataDir, name, err)
}

// openCluster makes the cluster if there is none.
func openCluster(ctx context.Context, dataDir string, logger *slog.Logger, fast bool) (cluster, error) {
	home := filepath.Join(dataDir, "postgres")
	c := cluster{dataDir: dataDir, dir: filepath.Join(home, "data")}
	major, err := clusterVersion(c.dir)
	if err != nil {
		return c, err
	}
	in, err := choose(installations(ctx, os.Getenv("PATH"), wellKnownDirs()), major, c.dir)
	if err != nil {
		return c, err
	}
	c.bin = in.dir
	if c.as, err = serverAccount(c.dir); err != nil {
		return c, err
	}
	if err := os.MkdirAll(home, 0o700); err != nil {
		return c, notWritable(dataDir, err)
	}
	if err := c.handOver(home); err != nil {
		return c, err
	}
	if c.byHandle, err = c.unreachable(ctx, home); err != nil {
		return c, err
	}
	if major == 0 {
		return c, c.create(ctx, home, logger, fast)
	}
	if err := c.handOver(c.dir); err != nil {
		return c, err
	}
	return c, os.Chmod(c.dir, 0o700) //nolint:gosec // PostgreSQL accepts no other; a copy may have lost it
}

// clusterVersion is 0 when there is no cluster.
func clusterVersion(dir string) (int, error) {
	text, err := os.ReadFile(filepath.Join(dir, "PG_VERSION")) //nolint:gosec // below the operator's own DATA_DIR
	if errors.Is(err, fs.ErrNotExist) {
		if _, err := os.Stat(dir); err == nil {
			return 0, fmt.Errorf("%s is not a PostgreSQL database (PG_VERSION is missing): restore it from a backup, "+
				"or remove that directory to start anew", dir)
		}
		return 0, nil
	}
	if err != nil {
		if errors.Is(err, fs.ErrPermission) {
			return 0, foreignOwner(dir, "another user")
		}
		return 0, fmt.Errorf("the database in %s cannot be read: %w", dir, err)
	}
	major, err := strconv.Atoi(strings.TrimSpace(string(text)))
	if err != nil {
		return 0, fmt.Errorf("the database in %s is damaged: PG_VERSION is not a number; restore it from a backup, or remove that directory to start anew", dir)
	}
	return major, nil
}

func foreignOwner(dir, owner string) error {
	return fmt.Errorf("the database in %s belongs to %s (was wxsteward started as root before?): start it as the same user as before, "+
		"or choose another directory, e.g. DATA_DIR=./data2", dir, owner)
}

// serverAccount says whom the server runs as. PostgreSQL refuses to run as root: then it is the owner of the
// cluster, and for a new one the user "postgres" that comes with the packages, or "nobody".
func serverAccount(dir string) (account, error) {
	uid := os.Geteuid()
	owner, group, exists := ownerOf(dir)
	switch {
	case uid != 0 && exists && owner != uid:
		name := "user " + strconv.Itoa(owner)
		if u, err := user.LookupId(strconv.Itoa(owner)); err == nil {
			name = "user " + u.Username
		}
		return account{}, foreignOwner(dir, name)
	case uid != 0:
		return account{uid: uid, gid: os.Getegid()}, nil
	case exists && owner != 0:
		return switchTo(owner, group), nil
	}
	for _, name := range []string{"postgres", "nobody"} {
		u, err := user.Lookup(name)
		if err != nil {
			continue
		}
		uid, err1 := strconv.Atoi(u.Uid)
		gid, err2 := strconv.Atoi(u.Gid)
		if err1 == nil && err2 == nil && uid != 0 {
			return switchTo(uid, gid), nil
		}
	}
	return account{}, errors.New("PostgreSQL does not run as root and there is no other user for it: " +
		"run `useradd --system postgres`, or start wxsteward as an ordinary user")
}

func ownerOf(path string) (uid, gid int, exists bool) {
	info, err := os.Lstat(path)
	if err != nil {
		return 0, 0, false
	}
	stat, ok := info.Sys().(*syscall.Stat_t)
	if !ok {
		return 0, 0, false
	}
	return int(stat.Uid), int(stat.Gid), true
}

func switchTo(uid, gid int) account {
	//nolint:gosec // ids from the system fit
	return account{uid: uid, gid: gid, cred: &syscall.Credential{Uid: uint32(uid), Gid: uint32(gid), Groups: []uint32{}}}
}

// handOver gives a directory to the server's account, with all that is in it if it is not the account's yet: as
// after a restore by root.
func (c *cluster) handOver(dir string) error {
	if uid, _, exists := ownerOf(dir); c.as.cred == nil || !exists || uid == c.as.uid {
		return nil
	}
	root, err := os.OpenRoot(dir) // never out of it, whatever links are in it
	if err != nil {
		return notWritable(c.dataDir, err)
	}
	defer root.Close() //nolint:errcheck // only read
	err = fs.WalkDir(root.FS(), ".", func(path string, _ fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		return root.Lchown(path, c.as.uid, c.as.gid)
	})
	if err != nil {
		return fmt.Errorf("the database's directory cannot be given to the user that PostgreSQL runs as: %w", err)
	}
	return nil
}

// unreachable asks the system, by trying, whether the account gets to dir by its path. Modes alone would not tell
// about access lists and the like. Only directories of our own are opened for it, never those above.
func (c *cluster) unreachable(ctx context.Context, dir string) (bool, error) {
	if c.as.cred == nil {
		return false, nil
	}
	try := func() error {
		cmd := exec.CommandContext(ctx, "/bin/sh", "-c", `cd "$0"`, dir) //nolint:gosec // a path, not a program
		cmd.Dir = "/"
		cmd.SysProcAttr = &syscall.SysProcAttr{Credential: c.as.cred}
		return cmd.Run()
	}
	err := try()
	if err == nil {
		return false, nil
	}
	if _, ok := errors.AsType[*exec.ExitError](err); !ok || ctx.Err() != nil {
		return false, fmt.Errorf("PostgreSQL cannot be run as user id %d (%w): start wxsteward as an ordinary user, or set DATABASE_URL", c.as.uid, err)
	}
	if info, err := os.Stat(c.dataDir); err == nil && info.Mode()&0o001 == 0 {
		// Passing through, not looking into.
		if err := os.Chmod(c.dataDir, info.Mode().Perm()|0o001); err != nil {
			return false, notWritable(c.dataDir, err)
		}
		if try() == nil {
			return false, nil
		}
	}
	if _, err := os.Stat("/proc/self/fd"); err == nil && runtime.GOOS == "linux" {
		return true, nil
	}
	return false, fmt.Errorf("DATA_DIR=%s lies in a directory that user id %d, which PostgreSQL runs as, may not enter: choose another, e.g. DATA_DIR=/var/lib/wxsteward",
		c.dataDir, c.as.uid)
}

// create makes the cluster beside its place and moves it there when it is complete, so that a start that was cut
// short leaves nothing half done.
func (c *cluster) create(ctx context.Context, home string, logger *slog.Logger, fast bool) error {
	lock, err := c.clear(ctx, logger) // an initdb that was left behind would write into the same place
	if err != nil {
		return err
	}
	defer lock.Close() //nolint:errcheck // only a lock
	half := filepath.Join(home, "data.new")
	if err := os.RemoveAll(half); err != nil {
		return notWritable(c.dataDir, err)
	}
	if err := os.Mkdir(half, 0o700); err != nil {
		return notWritable(c.dataDir, err)
	}
	if err := c.handOver(half); err != nil {
		return err
	}
	logger.InfoContext(ctx, "making the local database", "data_dir", c.dataDir)
	out, err := c.initdb(ctx, half, lock, fast, "--locale=C.UTF-8")
	if err != nil && bytes.Contains(out, []byte("locale")) { // older macOS has no C.UTF-8
		out, err = c.initdb(ctx, half, lock, fast, "--locale=C", "--encoding=UTF8")
	}
	if err != nil {
		return fmt.Errorf("the database in %s could not be made: %s", c.dataDir, lastReport(string(out), err))
	}
	if err := os.Rename(half, c.dir); err != nil {
		return notWritable(c.dataDir, err)
	}
	return nil
}

func (c *cluster) initdb(ctx context.Context, dir string, lock *os.File, fast bool, args ...string) ([]byte, error) {
	// The thread must outlive the program, see ownProcess.
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	args = append(args, "--username="+superuser, "--auth=trust", "--data-checksums", "--no-instructions")
	if fast {
		args = append(args, "--no-sync")
	}
	cmd, closeDir, err := c.command(ctx, "initdb", dir, lock, args...)
	if err != nil {
		return nil, err
	}
	defer closeDir()
	ownProcess(cmd.SysProcAttr, syscall.SIGKILL)
	return cmd.CombinedOutput()
}

// command prepares one of PostgreSQL's programs on dir. Nothing of our environment reaches it: PGPORT, PGDATA or
// LC_ALL made for something else would change what it does. The lock is handed down, to be held as long as the
// program or a child of it runs. closeDir is to be called once the program has been started.
func (c *cluster) command(ctx context.Context, program, dir string, lock *os.File, args ...string) (cmd *exec.Cmd, closeDir func(), err error) {
	closeDir = func() {}
	inherited := []*os.File{lock} // descriptor 3
	if c.byHandle {
		handle, err := os.Open(dir) //nolint:gosec // below the operator's own DATA_DIR
		if err != nil {
			return nil, nil, notWritable(c.dataDir, err)
		}
		closeDir = func() { _ = handle.Close() } // only read
		inherited = append(inherited, handle)
		dir = "/proc/self/fd/4"
	}
	cmd = exec.CommandContext(ctx, filepath.Join(c.bin, program), append([]string{"-D", dir}, args...)...) //nolint:gosec // see choose
	cmd.Dir = "/"
	cmd.Env = []string{"PATH=" + c.bin + ":/usr/bin:/bin", "LC_ALL=C", "TZ=UTC"}
	cmd.ExtraFiles = inherited
	cmd.SysProcAttr = &syscall.SysProcAttr{Credential: c.as.cred, Setsid: true}
	return cmd, closeDir, nil
}

// lastReport picks the line that says why from what a program printed.
func lastReport(out string, err error) string {
	lines := strings.Split(strings.TrimSpace(out), "\n")
	for _, word := range []string{"PANIC:", "FATAL:", "error:"} {
		for _, line := range lines {
			if _, text, ok := strings.Cut(line, word); ok {
				return strings.TrimSpace(text)
			}
		}
	}
	if last := strings.TrimSpace(lines[len(lines)-1]); last != "" {
		return last
	}
	return err.Error()
}
