package main

import (
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// patient ends in order a moment after SIGTERM; a second one before that is noted too.
const patient = `
trap 'note TERM; trap "note TERM" TERM; sleep 0.5; note done; exit 0' TERM
while :; do sleep 0.05; done
`

// launched is start.sh, running in a folder of its own beside stubs of wxsteward and of a business process.
type launched struct {
	t    *testing.T
	dir  string
	out  *syncBuffer
	cmd  *exec.Cmd
	done chan struct{}
}

// launch runs start.sh. steward and business are what the stubs do after they have noted their process id and their
// arguments; without business there is no BUSINESS_CMD.
func launch(t *testing.T, steward, business string, args ...string) *launched {
	t.Helper()
	l := &launched{t: t, dir: t.TempDir(), out: &syncBuffer{}, done: make(chan struct{})}
	script, err := os.ReadFile(filepath.Join("..", "..", "start.sh"))
	require.NoError(t, err)
	l.program("start.sh", string(script))
	l.stub("wxsteward", steward)
	env := []string{"PATH=" + os.Getenv("PATH")}
	if business != "" {
		l.stub("business", business)
		env = append(env, "BUSINESS_CMD=cd "+l.dir+" && COLOUR=red ./business one 'two words'")
	}
	l.cmd = exec.Command("/bin/sh", append([]string{filepath.Join(l.dir, "start.sh")}, args...)...) //nolint:gosec,noctx // the script under test, ended below
	l.cmd.Env, l.cmd.Stdout, l.cmd.Stderr = env, l.out, l.out
	l.cmd.WaitDelay = 10 * time.Second // one that is left behind holds the output open
	require.NoError(t, l.cmd.Start())
	go func() {
		_ = l.cmd.Wait() // the exit code is asked for below
		close(l.done)
	}()
	t.Cleanup(func() {
		_ = l.cmd.Process.Kill()
		for _, name := range []string{"wxsteward", "business", "child"} {
			if pid := l.pid(name); pid > 1 {
				_ = syscall.Kill(pid, syscall.SIGKILL)
			}
		}
		<-l.done // nothing is written into the directory that is removed next
	})
	return l
}

func (l *launched) program(name, text string) {
	l.t.Helper()
	require.NoError(l.t, os.WriteFile(filepath.Join(l.dir, name), []byte(text), 0o755)) //nolint:gosec // a program
}

func (l *launched) stub(name, body string) {
	l.t.Helper()
	notes := filepath.Join(l.dir, name+".notes")
	l.program(name, "#!/bin/sh\nnote() { echo \"$1\" >>"+notes+"; }\nnote \"pid $$\"\nnote \"args $# $*\"\n"+body)
}

// notes is what a stub has noted so far.
func (l *launched) notes(name string) string {
	text, _ := os.ReadFile(filepath.Join(l.dir, name+".notes")) //nolint:gosec // of the stub
	return string(text)
}

func (l *launched) pid(name string) int {
	line, _, _ := strings.Cut(l.notes(name), "\n")
	pid, _ := strconv.Atoi(strings.TrimPrefix(line, "pid "))
	return pid
}

func (l *launched) waitFor(name, note string) {
	l.t.Helper()
	eventually(l.t, name+" notes "+note, func() (bool, string) {
		return strings.Contains(l.notes(name), note), l.notes(name) + l.out.String()
	})
}

func (l *launched) signal(pid int, s syscall.Signal) {
	l.t.Helper()
	require.Greater(l.t, pid, 1)
	require.NoError(l.t, syscall.Kill(pid, s))
}

// code waits for the end of start.sh.
func (l *launched) code() int {
	l.t.Helper()
	select {
	case <-l.done:
		return l.cmd.ProcessState.ExitCode()
	case <-time.After(40 * time.Second):
		require.Fail(l.t, "start.sh does not end", l.out.String())
		return -1
	}
}

// requireEnded wants a stub to be gone. One that start.sh does not wait for itself may take a moment.
func (l *launched) requireEnded(name string) {
	l.t.Helper()
	pid := l.pid(name)
	require.Greater(l.t, pid, 1)
	eventually(l.t, name+" ends", func() (bool, string) {
		state, err := os.ReadFile(filepath.Join("/proc", strconv.Itoa(pid), "stat"))
		if err == nil {
			return strings.Contains(string(state), ") Z "), string(state)
		}
		return syscall.Kill(pid, 0) != nil, "still there"
	})
}

func TestStartScript(t *testing.T) {
	t.Parallel()
	t.Run("without BUSINESS_CMD it becomes wxsteward serve", func(t *testing.T) {
		t.Parallel()
		l := launch(t, "exit 7", "")
		require.Equal(t, 7, l.code())
		require.Equal(t, l.cmd.Process.Pid, l.pid("wxsteward"), "same process, so that signals and exit code are its own")
		require.Contains(t, l.notes("wxsteward"), "args 1 serve\n")
	})
	t.Run("commands that end by themselves get no company", func(t *testing.T) {
		t.Parallel()
		l := launch(t, "exit 0", patient, "passwd", "some body")
		require.Equal(t, 0, l.code())
		require.Contains(t, l.notes("wxsteward"), "args 2 passwd some body\n")
		require.Empty(t, l.notes("business"))
	})
	t.Run("BUSINESS_CMD is a shell command", func(t *testing.T) {
		t.Parallel()
		l := launch(t, patient, `note "colour $COLOUR"; exit 3`, "simulate")
		require.Equal(t, 3, l.code())
		require.Contains(t, l.notes("wxsteward"), "args 1 simulate\n")
		require.Contains(t, l.notes("business"), "args 2 one two words\ncolour red\n")
	})
	t.Run("the business process dies: wxsteward ends in order", func(t *testing.T) {
		t.Parallel()
		l := launch(t, patient, patient)
		l.waitFor("wxsteward", "args")
		l.waitFor("business", "args")
		l.signal(l.pid("business"), syscall.SIGKILL)
		require.Equal(t, 128+int(syscall.SIGKILL), l.code())
		require.True(t, strings.HasSuffix(l.notes("wxsteward"), "\nTERM\ndone\n"), l.notes("wxsteward"))
		require.Contains(t, l.out.String(), "the business process ended with 137")
	})
	t.Run("wxsteward dies: the business process ends with all it has started", func(t *testing.T) {
		t.Parallel()
		l := launch(t, patient, `sleep 300 & echo "pid $!" >child.notes; note started; wait`)
		l.waitFor("wxsteward", "args")
		l.waitFor("business", "started")
		l.signal(l.pid("wxsteward"), syscall.SIGKILL)
		require.Equal(t, 128+int(syscall.SIGKILL), l.code())
		l.requireEnded("business")
		if _, err := exec.LookPath("setsid"); err == nil {
			l.requireEnded("child")
		}
		require.Contains(t, l.out.String(), "wxsteward ended with 137")
	})
	t.Run("SIGTERM ends both in order", func(t *testing.T) {
		t.Parallel()
		for _, s := range []syscall.Signal{syscall.SIGTERM, syscall.SIGINT} {
			l := launch(t, patient, "trap 'note TERM; exit 9' TERM\nwhile :; do sleep 0.05; done")
			l.waitFor("wxsteward", "args")
			l.waitFor("business", "args")
			l.signal(l.cmd.Process.Pid, s)
			require.Equal(t, 0, l.code(), "that of wxsteward: %s", l.out)
			require.True(t, strings.HasSuffix(l.notes("wxsteward"), "\nTERM\ndone\n"), "one signal, for a second would end it at once: %s", l.notes("wxsteward"))
			require.True(t, strings.HasSuffix(l.notes("business"), "\nTERM\n"), l.notes("business"))
		}
	})
	t.Run("a business process that ignores SIGTERM is killed", func(t *testing.T) {
		t.Parallel()
		l := launch(t, patient, "trap '' TERM\nnote deaf\nwhile :; do sleep 0.05; done")
		l.waitFor("wxsteward", "args")
		l.waitFor("business", "deaf")
		l.signal(l.cmd.Process.Pid, syscall.SIGTERM)
		require.Equal(t, 0, l.code())
		l.requireEnded("business")
	})
	t.Run("without a program it says what to do", func(t *testing.T) {
		t.Parallel()
		l := launch(t, "exit 0", "")
		require.Equal(t, 0, l.code())
		require.NoError(t, os.Remove(filepath.Join(l.dir, "wxsteward")))
		out, err := exec.CommandContext(t.Context(), "/bin/sh", filepath.Join(l.dir, "start.sh")).CombinedOutput() //nolint:gosec // the script under test
		require.Error(t, err)
		require.Equal(t, "start.sh: no wxsteward program beside this script; run make build\n", string(out))
	})
}
