package localpg

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"io"
	"log/slog"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/stretchr/testify/require"
)

// limit is for what takes a second on an idle machine.
const limit = 2 * time.Minute

func start(t *testing.T, dir string, logs io.Writer) *Server {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), limit)
	defer cancel()
	logger := slog.New(slog.NewTextHandler(logs, &slog.HandlerOptions{Level: slog.LevelDebug}))
	s, err := Start(ctx, Config{DataDir: dir, Fast: true, Logger: logger})
	require.NoError(t, err)
	t.Cleanup(func() { stop(t, s) })
	return s
}

func stop(t *testing.T, s *Server) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), limit)
	defer cancel()
	require.NoError(t, s.Stop(ctx))
}

func startError(t *testing.T, dir string) string {
	t.Helper()
	s, err := Start(t.Context(), Config{DataDir: dir, Fast: true})
	if err == nil {
		stop(t, s)
	}
	require.Error(t, err)
	require.NotContains(t, err.Error(), "\n", "one line")
	return err.Error()
}

func ask(t *testing.T, url, sql string) string {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), limit)
	defer cancel()
	for {
		text, err := tryAsk(ctx, url, sql)
		if err == nil {
			return text
		}
		require.NoError(t, ctx.Err(), "last error: %v", err)
		time.Sleep(20 * time.Millisecond) // the server is being started again
	}
}

func tryAsk(ctx context.Context, url, sql string) (string, error) {
	conn, err := pgx.Connect(ctx, url)
	if err != nil {
		return "", err
	}
	defer conn.Close(ctx) //nolint:errcheck // a test
	var text string
	err = conn.QueryRow(ctx, sql).Scan(&text)
	if errors.Is(err, pgx.ErrNoRows) {
		err = nil
	}
	return text, err
}

// keep is "1" in a database that put has been called on.
const keep = "SELECT count(*)::text FROM pg_tables WHERE tablename = 'kept'"

// put leaves something behind in the database that must still be there later.
func put(t *testing.T, url string) {
	t.Helper()
	conn, err := pgx.Connect(t.Context(), url)
	require.NoError(t, err)
	_, err = conn.Exec(t.Context(), "SET synchronous_commit = on") // Fast has it off
	require.NoError(t, err)
	_, err = conn.Exec(t.Context(), "CREATE TABLE kept ()")
	require.NoError(t, err)
	require.NoError(t, conn.Close(t.Context()))
}

func requireKept(t *testing.T, url string) {
	t.Helper()
	require.Equal(t, "1", ask(t, url, keep))
}

func postmasterOf(t *testing.T, dir string) int {
	t.Helper()
	c := cluster{dir: filepath.Join(dir, "postgres", "data")}
	pid := c.postmaster()
	require.Greater(t, pid, 1)
	return pid
}

func alive(pid int) bool { return syscall.Kill(pid, 0) == nil }

func requireGone(t *testing.T, pid int) {
	t.Helper()
	require.Eventually(t, func() bool { return !alive(pid) }, limit, 10*time.Millisecond)
}

// logBuffer may be read while it is written.
type logBuffer struct {
	mu  sync.Mutex
	buf bytes.Buffer
}

func (b *logBuffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.buf.Write(p)
}

func (b *logBuffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.buf.String()
}

// program is this test binary running as a program of its own.
type program struct {
	cmd   *exec.Cmd
	input io.WriteCloser
	lines *bufio.Scanner
}

// runChild starts the program on dir, as another user if as is not nil.
func runChild(t *testing.T, dir string, as *syscall.Credential) (p program, firstLine string) {
	t.Helper()
	self, err := os.Executable()
	require.NoError(t, err)
	if as != nil { // the build's directory is closed to others
		text, err := os.ReadFile(self) //nolint:gosec // this program
		require.NoError(t, err)
		self = filepath.Join(openTempDir(t), "child")
		require.NoError(t, os.WriteFile(self, text, 0o755)) //nolint:gosec // others are to run it
	}
	p.cmd = exec.CommandContext(context.WithoutCancel(t.Context()), self) //nolint:gosec // this program
	p.cmd.Env = append(os.Environ(), childDir+"="+dir)
	p.cmd.Dir = "/"
	p.cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true, Credential: as}
	p.input, err = p.cmd.StdinPipe()
	require.NoError(t, err)
	out, err := p.cmd.StdoutPipe()
	require.NoError(t, err)
	p.lines = bufio.NewScanner(out)
	require.NoError(t, p.cmd.Start())
	t.Cleanup(func() {
		_ = p.cmd.Process.Kill()
		_ = p.cmd.Wait()
		// Its server ends by itself, but writes everything out before: into a directory that is removed next.
		ctx, cancel := context.WithTimeout(context.WithoutCancel(t.Context()), time.Minute)
		defer cancel()
		if lock, err := lockServer(ctx, dir, func() error { return nil }); err != nil {
			t.Error(err)
		} else {
			_ = lock.Close() // only waited for
		}
	})
	require.True(t, p.lines.Scan(), "the child says nothing")
	return p, p.lines.Text()
}

// openTempDir is a temporary directory that other users may enter.
func openTempDir(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	for _, d := range []string{dir, filepath.Dir(dir)} {
		require.NoError(t, os.Chmod(d, 0o755)) //nolint:gosec // see above
	}
	return dir
}

func needRoot(t *testing.T) {
	t.Helper()
	if os.Geteuid() != 0 {
		t.Skip("needs root: it starts programs as other users")
	}
}

func nobody(t *testing.T) *syscall.Credential {
	t.Helper()
	u, err := user.Lookup("nobody")
	require.NoError(t, err)
	uid, err := strconv.Atoi(u.Uid)
	require.NoError(t, err)
	gid, err := strconv.Atoi(u.Gid)
	require.NoError(t, err)
	return &syscall.Credential{Uid: uint32(uid), Gid: uint32(gid), Groups: []uint32{}} //nolint:gosec // ids fit
}

func TestStartAndStop(t *testing.T) {
	t.Parallel()
	dir := filepath.Join(t.TempDir(), "not", "there", "yet")
	s := start(t, dir, io.Discard)
	for sql, want := range map[string]string{
		"SHOW timezone":         "UTC",
		"SHOW server_encoding":  "UTF8",
		"SHOW listen_addresses": "",
		"SHOW data_checksums":   "on",
		"SELECT datcollate FROM pg_database WHERE datname = 'wxsteward'": "C.UTF-8",
		"SELECT current_user::text":                                      "wxsteward",
	} {
		require.Equal(t, want, ask(t, s.URL(), sql), sql)
	}
	put(t, s.URL())
	pid := postmasterOf(t, dir)
	stop(t, s)
	require.False(t, alive(pid), "the server has ended when Stop returns")
	require.NoFileExists(t, filepath.Join(dir, "postgres", "data", "postmaster.pid"))
	stop(t, s) // twice does no harm

	began := time.Now()
	s = start(t, dir, io.Discard)
	t.Logf("second start took %v", time.Since(began))
	requireKept(t, s.URL())
}

func TestClusterIsClosedToOthers(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	start(t, dir, io.Discard)
	for _, name := range []string{"postgres", "postgres/data"} {
		info, err := os.Stat(filepath.Join(dir, name))
		require.NoError(t, err)
		require.Equal(t, os.FileMode(0o700), info.Mode().Perm(), name)
	}
}

func TestStopWithoutPatienceKeepsTheData(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	s := start(t, dir, io.Discard)
	put(t, s.URL())
	pid := postmasterOf(t, dir)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	_ = s.Stop(ctx) // an error only if it was not quick enough
	require.False(t, alive(pid))
	requireKept(t, start(t, dir, io.Discard).URL())
}

func TestCanceledStartLeavesNothing(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	stop(t, start(t, dir, io.Discard))
	ctx, cancel := context.WithTimeout(t.Context(), 15*time.Millisecond)
	defer cancel()
	s, err := Start(ctx, Config{DataDir: dir, Fast: true})
	if err == nil {
		stop(t, s)
		t.Skip("this machine starts a server within 15 ms")
	}
	require.NoFileExists(t, filepath.Join(dir, "postgres", "data", "postmaster.pid"))
	start(t, dir, io.Discard)
}

func TestKilledServerIsStartedAgain(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	logs := &logBuffer{}
	s := start(t, dir, logs)
	put(t, s.URL())
	for range 2 {
		pid := postmasterOf(t, dir)
		require.NoError(t, syscall.Kill(pid, syscall.SIGKILL))
		requireGone(t, pid)
		requireKept(t, s.URL())
	}
	require.Contains(t, logs.String(), "ended unexpectedly")
}

func TestNextStartAfterWeWereKilled(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	p, url := runChild(t, dir, nil)
	put(t, url)
	pid := postmasterOf(t, dir)
	require.NoError(t, p.cmd.Process.Kill())
	_ = p.cmd.Wait()
	began := time.Now()
	s := start(t, dir, io.Discard)
	t.Logf("start after a kill took %v", time.Since(began))
	requireKept(t, s.URL())
	require.NotEqual(t, pid, postmasterOf(t, dir))
	requireGone(t, pid)
}

func TestServerEndsWithUs(t *testing.T) {
	t.Parallel()
	if _, err := os.Stat("/proc/self/fd"); err != nil {
		t.Skip("only Linux tells a process that its parent has died")
	}
	dir := t.TempDir()
	p, _ := runChild(t, dir, nil)
	pid := postmasterOf(t, dir)
	require.NoError(t, p.cmd.Process.Kill())
	_ = p.cmd.Wait()
	requireGone(t, pid)
}

func TestControlCReachesOnlyUs(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	p, url := runChild(t, dir, nil)
	pid := postmasterOf(t, dir)
	require.NoError(t, syscall.Kill(-p.cmd.Process.Pid, syscall.SIGINT)) // what a terminal does; the child ignores it
	for range 20 {
		_, err := tryAsk(t.Context(), url, "SELECT 'here'")
		require.NoError(t, err)
		time.Sleep(10 * time.Millisecond) // gives a wrongly delivered signal time to show
	}
	require.Equal(t, pid, postmasterOf(t, dir))
	require.NoError(t, p.input.Close())
	require.True(t, p.lines.Scan())
	require.Equal(t, "stopped", p.lines.Text())
}

// orphan starts a server as a wxsteward that is gone now did, on a system that does not tell it so.
func orphan(t *testing.T, dir string) (pid int, url string) {
	t.Helper()
	c, err := openCluster(t.Context(), dir, slog.New(slog.DiscardHandler), true)
	require.NoError(t, err)
	lock, err := c.clear(t.Context(), slog.New(slog.DiscardHandler))
	require.NoError(t, err)
	cmd, closeDir, err := c.command(context.WithoutCancel(t.Context()), "postgres", c.dir, lock, settings(true)...)
	require.NoError(t, err)
	require.NoError(t, cmd.Start())
	closeDir()
	require.NoError(t, lock.Close())
	t.Cleanup(func() { _ = cmd.Process.Kill() })
	go func() { _ = cmd.Wait() }() // so that it does not stay a zombie
	url, link, err := clientURL(c.dir)
	require.NoError(t, err)
	if link != "" {
		t.Cleanup(func() { _ = os.RemoveAll(filepath.Dir(link)) })
	}
	ask(t, url, "SELECT 'up'")
	return cmd.Process.Pid, url
}

func TestLeftBehindServerIsEnded(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	stop(t, start(t, dir, io.Discard))
	pid, url := orphan(t, dir)
	put(t, url)
	logs := &logBuffer{}
	s := start(t, dir, logs)
	requireKept(t, s.URL())
	require.NotEqual(t, pid, postmasterOf(t, dir))
	requireGone(t, pid)
	require.Contains(t, logs.String(), "left behind")
}

func TestStartWaitsForRemainsOfAKilledServer(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	stop(t, start(t, dir, io.Discard))
	pid, url := orphan(t, dir)
	conn, err := pgx.Connect(t.Context(), url)
	require.NoError(t, err)
	var backend int
	require.NoError(t, conn.QueryRow(t.Context(), "SELECT pg_backend_pid()").Scan(&backend))
	require.NoError(t, syscall.Kill(backend, syscall.SIGSTOP)) // it does not notice that its server dies
	require.NoError(t, syscall.Kill(pid, syscall.SIGKILL))
	requireGone(t, pid)
	const pause = 500 * time.Millisecond
	began := time.Now()
	time.AfterFunc(pause, func() { _ = syscall.Kill(backend, syscall.SIGCONT) })
	s := start(t, dir, io.Discard)
	require.GreaterOrEqual(t, time.Since(began), pause)
	require.Equal(t, "up", ask(t, s.URL(), "SELECT 'up'"))
}

func TestServerStartedByHandIsLeftAlone(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	stop(t, start(t, dir, io.Discard))
	c, err := openCluster(t.Context(), dir, slog.New(slog.DiscardHandler), true)
	require.NoError(t, err)
	null, err := os.Open(os.DevNull)
	require.NoError(t, err)
	defer null.Close() //nolint:errcheck // a test
	cmd, closeDir, err := c.command(t.Context(), "postgres", c.dir, null, settings(true)...)
	require.NoError(t, err)
	require.NoError(t, cmd.Start())
	closeDir()
	defer func() {
		_ = cmd.Process.Signal(syscall.SIGINT)
		_ = cmd.Wait()
	}()
	url, _, err := clientURL(c.dir)
	require.NoError(t, err)
	ask(t, url, "SELECT 'up'")
	text := startError(t, dir)
	require.Contains(t, text, "started by hand (process "+strconv.Itoa(cmd.Process.Pid)+")")
	require.Equal(t, "up", ask(t, url, "SELECT 'up'"))
}

// crash ends everything at once and leaves the files as they are, as a power cut does.
func crash(t *testing.T, dir string) (pidFile string) {
	t.Helper()
	p, url := runChild(t, dir, nil)
	put(t, url)
	pid := postmasterOf(t, dir)
	require.NoError(t, syscall.Kill(pid, syscall.SIGSTOP))
	require.NoError(t, syscall.Kill(p.cmd.Process.Pid, syscall.SIGKILL))
	require.NoError(t, syscall.Kill(pid, syscall.SIGKILL))
	_ = p.cmd.Wait()
	pidFile = filepath.Join(dir, "postgres", "data", "postmaster.pid")
	require.FileExists(t, pidFile)
	return pidFile
}

func TestStalePidFiles(t *testing.T) {
	t.Parallel()
	for name, change := range map[string]func(text, otherPid string) string{
		"the id is nobody's": func(text, _ string) string { return text },
		"the id is now another program's": func(text, otherPid string) string {
			_, rest, _ := strings.Cut(text, "\n")
			return otherPid + "\n" + rest
		},
		"the file was cut off": func(string, string) string { return "" },
		"the file is nonsense": func(string, string) string { return "\x00\x00\x00\x00" },
		"the id is minus one":  func(string, string) string { return "-1\n" },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			dir := t.TempDir()
			pidFile := crash(t, dir)
			c := cluster{dir: filepath.Dir(pidFile)}
			as, err := serverAccount(c.dir)
			require.NoError(t, err)
			other := exec.CommandContext(t.Context(), "sleep", "600")
			other.Dir = "/"
			other.SysProcAttr = &syscall.SysProcAttr{Credential: as.cred}
			require.NoError(t, other.Start())
			defer func() {
				_ = other.Process.Kill()
				_ = other.Wait()
			}()
			text, err := os.ReadFile(pidFile) //nolint:gosec // made above
			require.NoError(t, err)
			require.NoError(t, os.WriteFile(pidFile, []byte(change(string(text), strconv.Itoa(other.Process.Pid))), 0o600))
			// The socket's own lock file names the process too.
			socketLock := filepath.Join(c.dir, socketName+".lock")
			require.NoError(t, os.WriteFile(socketLock, []byte(strconv.Itoa(other.Process.Pid)+"\n"), 0o600))
			s := start(t, dir, io.Discard)
			requireKept(t, s.URL())
			require.NoError(t, other.Process.Signal(syscall.Signal(0)), "the other program was left alone")
		})
	}
}

func TestSecondStartOnTheSameDirectory(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	url, err := Find(dir)
	require.NoError(t, err)
	require.Empty(t, url)
	s := start(t, dir, io.Discard)

	_, err = Start(t.Context(), Config{DataDir: dir, Fast: true})
	require.ErrorIs(t, err, ErrInUse)
	require.Contains(t, err.Error(), "process "+strconv.Itoa(os.Getpid()))
	_, line := runChild(t, dir, nil)
	require.Contains(t, line, "error: DATA_DIR is in use: another wxsteward (process "+strconv.Itoa(os.Getpid())+") already runs on "+dir)

	url, err = Find(dir)
	require.NoError(t, err)
	require.Equal(t, s.URL(), url, "a command beside the running program finds its database")
	stop(t, s)
	url, err = Find(dir)
	require.NoError(t, err)
	require.Empty(t, url)
}

func TestTwoServersAtOnce(t *testing.T) {
	t.Parallel()
	one, two := start(t, t.TempDir(), io.Discard), start(t, t.TempDir(), io.Discard)
	put(t, one.URL())
	require.Equal(t, "0", ask(t, two.URL(), keep), "no port or socket is shared")
}

func TestDirectoryNames(t *testing.T) {
	t.Parallel()
	for name, dir := range map[string]string{
		"longer than a socket's path may be": strings.Repeat("a-very-long-name/", 12),
		"with a comma":                       "a,b",
		"with spaces and signs":              "my data & more?#%20'\"",
		"in Chinese":                         "数据",
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			dir := filepath.Join(t.TempDir(), dir)
			s := start(t, dir, io.Discard)
			put(t, s.URL())
			require.NoError(t, syscall.Kill(postmasterOf(t, dir), syscall.SIGKILL))
			requireKept(t, s.URL())
			stop(t, s)
			if s.link != "" {
				require.NoDirExists(t, filepath.Dir(s.link))
			}
		})
	}
}

func TestRelativeDirectoryBehindALink(t *testing.T) {
	target := t.TempDir()
	t.Chdir(t.TempDir())
	require.NoError(t, os.Symlink(target, "data"))
	start(t, "./data", io.Discard)
	require.FileExists(t, filepath.Join(target, "postgres", "data", "PG_VERSION"))
}

func TestEnvironmentForOtherServersIsIgnored(t *testing.T) {
	for name, value := range map[string]string{
		"PGHOST": "203.0.113.1", "PGPORT": "1", "PGDATA": "/nowhere", "PGDATABASE": "other", "PGUSER": "other",
		"PGOPTIONS": "-c nonsense=1", "LC_ALL": "xx_XX.nonsense", "TZ": "Asia/Shanghai", "PGTZ": "Asia/Shanghai",
	} {
		t.Setenv(name, value)
	}
	s := start(t, t.TempDir(), io.Discard)
	require.Equal(t, "UTC", ask(t, s.URL(), "SELECT reset_val FROM pg_settings WHERE name = 'log_timezone'"))
}

func TestUnfinishedClusterIsMadeAgain(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	half := filepath.Join(dir, "postgres", "data.new", "base")
	require.NoError(t, os.MkdirAll(half, 0o700))
	require.NoError(t, os.WriteFile(filepath.Join(half, "1"), []byte("half"), 0o600))
	start(t, dir, io.Discard)
	require.NoDirExists(t, filepath.Dir(half))
}

func TestClustersThatCannotBeUsed(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct{ version, want string }{
		"made by a version that is not installed": {"13\n", "was made by PostgreSQL 13, but installed is only"},
		"with a damaged version":                  {"x", "is damaged"},
		"without a version":                       {"", "is not a PostgreSQL database"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			dir := t.TempDir()
			data := filepath.Join(dir, "postgres", "data")
			require.NoError(t, os.MkdirAll(data, 0o700))
			if tc.version != "" {
				require.NoError(t, os.WriteFile(filepath.Join(data, "PG_VERSION"), []byte(tc.version), 0o600))
			}
			require.Contains(t, startError(t, dir), tc.want)
			entries, err := os.ReadDir(data)
			require.NoError(t, err)
			require.LessOrEqual(t, len(entries), 1, "nothing was written into it")
		})
	}
}

func TestServerThatDoesNotStartSaysWhy(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	stop(t, start(t, dir, io.Discard))
	require.NoError(t, os.WriteFile(filepath.Join(dir, "postgres", "data", "postgresql.conf"), []byte("nonsense = 1\n"), 0o600))
	require.Contains(t, startError(t, dir), "contains errors")
}

func TestDirectoriesThatCannotBeUsed(t *testing.T) {
	t.Parallel()
	file := filepath.Join(t.TempDir(), "file")
	require.NoError(t, os.WriteFile(file, nil, 0o600))
	require.Contains(t, startError(t, filepath.Join(file, "data")), "not a directory")
	require.Contains(t, startError(t, ""), "DATA_DIR is empty")
	if os.Geteuid() != 0 {
		closed := t.TempDir()
		require.NoError(t, os.Chmod(closed, 0o500)) //nolint:gosec // a directory
		require.Contains(t, startError(t, closed), "permission denied; make it writable")
	}
}

func TestOrdinaryUserInARootsDirectory(t *testing.T) {
	t.Parallel()
	needRoot(t)
	dir := openTempDir(t)
	_, line := runChild(t, dir, nobody(t))
	require.Contains(t, line, "error: DATA_DIR="+dir+" cannot be used by user nobody: permission denied; make it writable")
}

func TestOrdinaryUserStartedByRoot(t *testing.T) {
	t.Parallel()
	needRoot(t)
	dir := filepath.Join(openTempDir(t), "data")
	require.NoError(t, os.Mkdir(dir, 0o700))
	as := nobody(t)
	require.NoError(t, os.Chown(dir, int(as.Uid), int(as.Gid)))
	p, url := runChild(t, dir, as)
	require.True(t, strings.HasPrefix(url, "postgres:"), url)
	put(t, url)
	require.NoError(t, p.input.Close())
	require.True(t, p.lines.Scan())
	require.Equal(t, "stopped", p.lines.Text())

	// Root goes on with it as the user it belongs to, so that this user can go on, too.
	s := start(t, dir, io.Discard)
	requireKept(t, s.URL())
	stop(t, s)
	_, url = runChild(t, dir, as)
	requireKept(t, url)
}

func TestOrdinaryUserAfterRoot(t *testing.T) {
	t.Parallel()
	needRoot(t)
	dir := openTempDir(t)
	stop(t, start(t, dir, io.Discard))
	as := nobody(t)
	require.NoError(t, os.Chown(dir, int(as.Uid), int(as.Gid)))
	for _, name := range []string{ownerLock, serverLock} {
		require.NoError(t, os.Chown(filepath.Join(dir, name), int(as.Uid), int(as.Gid)))
	}
	_, line := runChild(t, dir, as)
	require.Contains(t, line, "started as root before?")
}

func TestRootInAClosedHome(t *testing.T) {
	t.Parallel()
	needRoot(t)
	home := openTempDir(t)
	require.NoError(t, os.Chmod(home, 0o700)) //nolint:gosec // a directory like /root
	dir := filepath.Join(home, "data")
	s := start(t, dir, io.Discard)
	require.True(t, s.cluster.byHandle)
	put(t, s.URL())
	require.NoError(t, syscall.Kill(postmasterOf(t, dir), syscall.SIGKILL))
	requireKept(t, s.URL())
	_, err := tryAsk(t.Context(), s.URL(), "SELECT pg_reload_conf()::text")
	require.NoError(t, err)
	requireKept(t, s.URL())
	stop(t, s)
	pid, _ := orphan(t, dir)
	requireKept(t, start(t, dir, io.Discard).URL())
	requireGone(t, pid)
	info, err := os.Stat(home)
	require.NoError(t, err)
	require.Equal(t, os.FileMode(0o700), info.Mode().Perm(), "what is not ours stays closed")
}

func TestRootAfterARestoreByRoot(t *testing.T) {
	t.Parallel()
	needRoot(t)
	dir := t.TempDir()
	s := start(t, dir, io.Discard)
	put(t, s.URL())
	stop(t, s)
	require.NoError(t, filepath.WalkDir(dir, func(path string, _ os.DirEntry, err error) error {
		if err != nil {
			return err
		}
		return os.Lchown(path, 0, 0) //nolint:gosec // nobody else is here
	}))
	require.NoError(t, os.Chmod(filepath.Join(dir, "postgres", "data"), 0o755)) //nolint:gosec // as a copy may have it
	requireKept(t, start(t, dir, io.Discard).URL())
}

func TestDurableStart(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	began := time.Now()
	s, err := Start(t.Context(), Config{DataDir: dir})
	require.NoError(t, err)
	t.Logf("making a cluster took %v", time.Since(began))
	t.Cleanup(func() { stop(t, s) })
	require.Equal(t, "on", ask(t, s.URL(), "SHOW fsync"))
	require.Equal(t, "on", ask(t, s.URL(), "SHOW synchronous_commit"))
}

func TestRootWithoutAPostgresUser(t *testing.T) {
	t.Parallel()
	needRoot(t)
	dir := openTempDir(t)
	home := filepath.Join(dir, "postgres")
	require.NoError(t, os.Mkdir(home, 0o700))
	as := nobody(t)
	c := cluster{dataDir: dir, dir: filepath.Join(home, "data"), as: switchTo(int(as.Uid), int(as.Gid))}
	in, err := choose(installations(t.Context(), os.Getenv("PATH"), wellKnownDirs()), 0, c.dir)
	require.NoError(t, err)
	c.bin = in.dir
	require.NoError(t, c.handOver(home))
	c.byHandle, err = c.unreachable(t.Context(), home)
	require.NoError(t, err)
	require.False(t, c.byHandle)
	require.NoError(t, c.create(t.Context(), home, slog.New(slog.DiscardHandler), true))
	s := start(t, dir, io.Discard)
	require.Equal(t, int(as.Uid), s.cluster.as.uid)
	put(t, s.URL())
}
